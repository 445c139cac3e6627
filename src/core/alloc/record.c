/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/alloc/alloc.h"
#include "core/alloc/codec-internal.h"
#include "core/mig/mig.h"

#define ANY_MAX INT64_MAX
#define MESSAGE_MAX 1024
#define SHORT_MAX 64

/* --- What each number means; never given again. */
#define F(number, kind, member, name, min, max)                                                                        \
	GM_CODEC_FIELD(number, kind, struct gm_alloc_pair, member, name, min, max)
static const struct gm_codec_field pair_fields[] = {
	F(1, TEXT, key, "key", 1, 317), /* prefix/name of Kubernetes */
	F(2, TEXT, value, "value", 0, GM_ALLOC_TEXT_MAX),
};
#undef F
static const struct gm_codec pair_codec = { "pair", sizeof(struct gm_alloc_pair), pair_fields, GM_LEN(pair_fields) };

#define F(number, kind, member, name, min, max)                                                                        \
	GM_CODEC_FIELD(number, kind, struct gm_alloc_request, member, name, min, max)
#define C(number, kind, member, count, name, max, of)                                                                  \
	GM_CODEC_COUNTED(number, kind, struct gm_alloc_request, member, count, name, max, of)
static const struct gm_codec_field request_fields[] = {
	F(1, TEXT, namespace_, "namespace", 1, GM_ALLOC_TEXT_MAX),
	F(2, TEXT, pod, "podName", 1, GM_ALLOC_TEXT_MAX),
	F(3, TEXT, owner, "owner", 0, GM_ALLOC_TEXT_MAX),
	F(4, TEXT, team, "team", 0, GM_ALLOC_TEXT_MAX),
	F(5, TEXT, project, "project", 0, GM_ALLOC_TEXT_MAX),
	F(6, TEXT, cluster, "cluster", 0, GM_ALLOC_TEXT_MAX),
	F(7, TEXT, queue, "queue", 0, GM_ALLOC_TEXT_MAX),
	F(8, TEXT, gang_id, "gang/id", 0, GM_ALLOC_TEXT_MAX),
	F(9, I64, gang_size, "gang/size", 0, GM_ALLOC_GANG_MAX),
	F(10, I64, workload, "workloadType", 0, GM_WORKLOAD_COUNT - 1),
	F(11, I64, strategy, "strategy", 0, GM_STRATEGY_COUNT - 1),
	F(12, I64, use_mig, "useMig", 0, GM_USE_MIG_NEVER),
	F(13, I64, topology, "topology", 0, GM_TOPOLOGY_NUMA),
	F(14, I64, memory_gb, "requiredMemoryGb", 0, 100000),
	F(15, TEXT, profile, "migProfile", 0, SHORT_MAX),
	F(16, I64, gpu_count, "gpuCount", 1, GM_ALLOC_DEVICES_MAX),
	F(17, I64, share_milli, "gpuShare", 1, 1000),
	F(18, I64, cpu_milli, "cpuMillis", 0, 1000000000),
	F(19, I64, memory_mib, "memoryMiB", 0, 1000000000),
	C(20, TEXTS, models, model_count, "models", GM_ALLOC_MODELS_MAX, NULL),
	C(21, TEXTS, exclude_models, exclude_count, "excludeModels", GM_ALLOC_MODELS_MAX, NULL),
	F(22, I64, compute_capability, "minComputeCapability", 0, 9999),
	F(23, I64, bandwidth_gbs, "minMemoryBandwidth", 0, 1000000),
	F(24, I64, features, "features", 0, GM_FEATURE_BF16 | GM_FEATURE_FP8 | GM_FEATURE_NVLINK),
	F(25, I64, priority, "priority", 0, GM_ALLOC_PRIORITY_MAX),
	F(26, BOOL, preemptible, "preemptible", 0, 1),
	F(27, BOOL, same_node, "sameNode", 0, 1),
	F(28, I64, max_hourly_micros, "maxHourlyCost", -1, INT64_C(1000000000000000)),
	F(29, I64, ttl_ms, "ttlSeconds", 0, INT64_C(366) * 24 * 3600 * 1000),
	C(30, ROWS, selector, selector_count, "nodeSelector", GM_ALLOC_SELECTOR_MAX, &pair_codec),
};
#undef F
#undef C
const struct gm_codec gm_codec_request = { "request", sizeof(struct gm_alloc_request), request_fields,
					   GM_LEN(request_fields) };

#define F(number, kind, member, name, min, max)                                                                        \
	GM_CODEC_FIELD(number, kind, struct gm_alloc_device, member, name, min, max)
static const struct gm_codec_field device_fields[] = {
	F(1, TEXT, uuid, "uuid", 1, GM_CODEC_TEXT_MAX),
	F(2, TEXT, device_id, "deviceId", 0, GM_CODEC_TEXT_MAX),
	F(3, TEXT, node, "nodeName", 0, GM_CODEC_TEXT_MAX),
	F(4, TEXT, cluster, "cluster", 0, GM_CODEC_TEXT_MAX),
	F(5, TEXT, model, "model", 0, GM_CODEC_TEXT_MAX),
	F(6, TEXT, profile, "profile", 0, GM_CODEC_TEXT_MAX),
	F(7, TEXT, mig_uuid, "migUuid", 0, GM_CODEC_TEXT_MAX),
	F(8, TEXT, instance_id, "migInstanceId", 0, GM_CODEC_TEXT_MAX),
	F(9, I64, start, "start", -1, GM_MIG_UNITS_MAX - 1),
	F(10, I64, size, "size", -1, GM_MIG_UNITS_MAX),
	F(11, I64, units, "units", 1, UINT32_MAX),
	F(12, I64, unit_count, "unitCount", 1, GM_MIG_UNITS_MAX),
	F(13, I64, share_milli, "share", 1, 1000),
	F(14, I64, hourly_micros, "hourlyCost", -1, ANY_MAX),
	F(15, BOOL, to_be_made, "toBeMade", 0, 1),
};
#undef F
static const struct gm_codec device_codec = { "device", sizeof(struct gm_alloc_device), device_fields,
					      GM_LEN(device_fields) };

#define PART(name, text)                                                                                               \
	GM_CODEC_FIELD(2 + GM_SCORE_##name, F64, struct gm_score, parts[GM_SCORE_##name], text, 0, 100),
static const struct gm_codec_field score_fields[] = { GM_CODEC_FIELD(1, F64, struct gm_score, total, "total", 0, 100),
						      GM_SCORE_LIST(PART) };
#undef PART
static const struct gm_codec score_codec = { "score", sizeof(struct gm_score), score_fields, GM_LEN(score_fields) };

#define F(number, kind, member, name, min, max)                                                                        \
	GM_CODEC_FIELD(number, kind, struct gm_alloc_record, member, name, min, max)
static const struct gm_codec_field record_fields[] = {
	F(1, CHARS, id, "allocationId", 1, GM_ALLOC_ID_SIZE - 1),
	F(2, I64, version, "version", 1, ANY_MAX),
	F(3, I64, state, "state", 0, GM_ALLOC_STATE_COUNT - 1),
	F(4, TEXT, reason, "reason", 0, SHORT_MAX),
	F(5, TEXT, message, "message", 0, MESSAGE_MAX),
	F(6, TEXT, created_by, "createdBy", 0, GM_CODEC_TEXT_MAX),
	F(7, I64, created_ms, "createdAt", 0, ANY_MAX),
	F(8, I64, granted_ms, "grantedAt", 0, ANY_MAX),
	F(9, I64, bound_ms, "boundAt", 0, ANY_MAX),
	F(10, I64, ended_ms, "endedAt", 0, ANY_MAX),
	F(11, I64, expires_ms, "expiresAt", 0, ANY_MAX),
	F(12, I64, preempt_ms, "preemptAt", 0, ANY_MAX),
	F(13, I64, attempts, "attempts", 0, ANY_MAX),
	GM_CODEC_INSIDE(14, struct gm_alloc_record, request, "request", &gm_codec_request),
	GM_CODEC_COUNTED(15, LIST, struct gm_alloc_record, devices, device_count, "devices", GM_ALLOC_DEVICES_MAX,
			 &device_codec),
	GM_CODEC_INSIDE(16, struct gm_alloc_record, score, "score", &score_codec),
};
#undef F
const struct gm_codec gm_codec_record = { "allocation", sizeof(struct gm_alloc_record), record_fields,
					  GM_LEN(record_fields) };

static const struct gm_codec_field quota_fields[] = {
	GM_CODEC_FIELD(1, TEXT, struct gm_team_quota, resource, "resource", 1, GM_ALLOC_TEXT_MAX),
	GM_CODEC_FIELD(2, I64, struct gm_team_quota, limit, "limit", 0, 1000000),
};
static const struct gm_codec quota_codec = { "quota", sizeof(struct gm_team_quota), quota_fields,
					     GM_LEN(quota_fields) };

#define F(number, kind, member, name, min, max) GM_CODEC_FIELD(number, kind, struct gm_team, member, name, min, max)
#define C(number, kind, member, count, name, max, of)                                                                  \
	GM_CODEC_COUNTED(number, kind, struct gm_team, member, count, name, max, of)
static const struct gm_codec_field team_fields[] = {
	F(1, TEXT, name, "name", 1, GM_ALLOC_TEXT_MAX),
	F(2, I64, weight, "weight", 1, 1000),
	F(3, I64, equivalents_milli, "gpuEquivalents", -1, INT64_C(1000000000)),
	F(4, I64, borrow_milli, "borrowingLimit", -1, INT64_C(1000000000)),
	C(5, ROWS, quotas, quota_count, "quotas", GM_TEAM_QUOTAS_MAX, &quota_codec),
	C(6, TEXTS, members, member_count, "members", GM_TEAM_MEMBERS_MAX, NULL),
	C(7, TEXTS, namespaces, namespace_count, "namespaces", GM_TEAM_MEMBERS_MAX, NULL),
};
#undef F
#undef C
const struct gm_codec gm_codec_team = { "team", sizeof(struct gm_team), team_fields, GM_LEN(team_fields) };

#define F(number, kind, member, name, min, max)                                                                        \
	GM_CODEC_FIELD(number, kind, struct gm_queue_def, member, name, min, max)
static const struct gm_codec_field queue_fields[] = {
	F(1, TEXT, name, "name", 1, GM_ALLOC_TEXT_MAX),
	F(2, I64, priority, "priority", -1000, 1000),
	F(3, BOOL, paused, "paused", 0, 1),
	F(4, I64, strategy, "strategy", 0, GM_STRATEGY_COUNT - 1),
	F(5, I64, preemptible, "preemptible", -1, 1),
	F(6, I64, ttl_ms, "defaultTtlSeconds", 0, INT64_C(366) * 24 * 3600 * 1000),
	F(7, I64, max_pending, "maxPending", 0, 1000000),
	GM_CODEC_COUNTED(8, TEXTS, struct gm_queue_def, teams, team_count, "teams", GM_TEAM_MEMBERS_MAX, NULL),
};
#undef F
const struct gm_codec gm_codec_queue = { "queue", sizeof(struct gm_queue_def), queue_fields, GM_LEN(queue_fields) };

/* --- Records. The struct, its devices and its texts are one block. */
struct gm_alloc_record *gm_alloc_record_new(const struct gm_alloc_record *from)
{
	size_t devices = from->device_count * sizeof(*from->devices);
	size_t bytes = gm_codec_text_bytes(&gm_codec_record, from);
	struct gm_alloc_record *r = gm_xalloc(sizeof(*r) + devices + bytes);

	static_assert(sizeof(*r) % _Alignof(struct gm_alloc_device) == 0, "devices follow the record");
	assert(from->device_count <= GM_ALLOC_DEVICES_MAX);
	memcpy(r, from, sizeof(*r));
	atomic_init(&r->refs, 1);
	r->texts = r + 1;
	r->devices = devices ? (struct gm_alloc_device *)(r + 1) : NULL;
	if (devices)
		memcpy(r->devices, from->devices, devices);
	(void)gm_codec_own_texts(&gm_codec_record, r, (char *)(r + 1) + devices);
	return r;
}

const struct gm_alloc_record *gm_alloc_record_ref(const struct gm_alloc_record *r)
{
	/* What is counted is no part of what is constant. */
	struct gm_alloc_record *counted = (struct gm_alloc_record *)(uintptr_t)r;

	(void)atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
	return r;
}

void gm_alloc_record_unref(const struct gm_alloc_record *r)
{
	struct gm_alloc_record *counted = (struct gm_alloc_record *)(uintptr_t)r;

	if (r && atomic_fetch_sub_explicit(&counted->refs, 1, memory_order_acq_rel) == 1)
		free(counted);
}

void gm_alloc_record_encode(const struct gm_alloc_record *r, struct gm_buf *out)
{
	gm_codec_encode(&gm_codec_record, r, out);
}

int gm_alloc_record_decode(struct gm_str bytes, struct gm_alloc_record **out, struct gm_err *err)
{
	GM_AUTO(gm_free_p) struct gm_alloc_device *devices = gm_xalloc(GM_ALLOC_DEVICES_MAX * sizeof(*devices));
	struct gm_alloc_record r;
	int rc = gm_codec_decode(&gm_codec_record, bytes, &r, devices, err);

	if (rc)
		return rc;
	if (!r.id[0] || r.version < 1 || gm_codec_check(&gm_codec_record, &r, NULL))
		return gm_fail(err, GM_ERR_CORRUPT, "allocation '%s': something is missing", r.id);
	if (gm_alloc_state_holds((enum gm_alloc_state)r.state) && !r.device_count)
		return gm_fail(err, GM_ERR_CORRUPT, "allocation '%s': holds nothing", r.id);
	*out = gm_alloc_record_new(&r);
	return 0;
}

void gm_team_encode(const struct gm_team *t, struct gm_buf *out)
{
	gm_codec_encode(&gm_codec_team, t, out);
}

int gm_team_decode(struct gm_str bytes, struct gm_team *out, struct gm_err *err)
{
	GM_AUTO(gm_free_p) struct gm_team *t = gm_xalloc(sizeof(*t));
	int rc = gm_codec_decode(&gm_codec_team, bytes, t, NULL, err);

	if (rc)
		return rc;
	if (gm_codec_check(&gm_codec_team, t, NULL))
		return gm_fail(err, GM_ERR_CORRUPT, "team '%.*s': something is missing", GM_STR_ARG(t->name));
	*out = *t;
	return 0;
}

void gm_queue_def_encode(const struct gm_queue_def *q, struct gm_buf *out)
{
	gm_codec_encode(&gm_codec_queue, q, out);
}

int gm_queue_def_decode(struct gm_str bytes, struct gm_queue_def *out, struct gm_err *err)
{
	GM_AUTO(gm_free_p) struct gm_queue_def *q = gm_xalloc(sizeof(*q));
	int rc = gm_codec_decode(&gm_codec_queue, bytes, q, NULL, err);

	if (rc)
		return rc;
	if (gm_codec_check(&gm_codec_queue, q, NULL))
		return gm_fail(err, GM_ERR_CORRUPT, "queue '%.*s': something is missing", GM_STR_ARG(q->name));
	*out = *q;
	return 0;
}
