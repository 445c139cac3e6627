/* SPDX-License-Identifier: MIT */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "adapter/kube/podresources.h"
#include "base/alloc.h"
#include "base/varint.h"
#include "base/vec.h"
#include "podresources.pb-c.h"

/* Of one pod unpacked; a busy one has some kilobytes. */
#define POD_MEMORY_MAX (4u << 20)
#define RESOURCE_PREFIX "nvidia.com/"
#define DRA_DRIVER "gpu.nvidia.com"

struct parse {
	struct gm_arena *arena;	 /* of the caller: what is kept */
	struct gm_arena scratch; /* the pod at hand */
	bool pod_too_large;
	GM_VEC(struct gm_pod_device) found;
	struct gm_err *err;
};

static void parse_fini(struct parse *p)
{
	gm_arena_fini(&p->scratch);
	gm_vec_fini(&p->found);
}
GM_DEFINE_AUTO_VALUE(struct parse, parse_fini)

/* protobuf-c frees piece by piece; an arena forgets all at once. */
static void *scratch_alloc(void *ctx, size_t size)
{
	struct parse *p = ctx;
	void *memory = gm_arena_alloc(&p->scratch, size);

	p->pod_too_large |= !memory;
	return memory;
}
static void scratch_free(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

static int no_memory(struct parse *p)
{
	return gm_fail(p->err, GM_ERR_NO_MEMORY, "no memory for the pods of the kubelet");
}

/* A text that is kept; names come from whoever may make pods, and end up in pages and logs. */
static int keep(struct parse *p, const char *text, const char **out)
{
	if (!gm_str_plain_ok(gm_str(text)))
		return gm_fail(p->err, GM_ERR_PARSE, "a name in the kubelet's list of pods is not text");
	*out = text[0] ? gm_arena_dup(p->arena, gm_str(text)) : "";
	return *out ? 0 : no_memory(p);
}

static int add(struct parse *p, const struct gm_pod_device *of, const char *resource, const char *id, const char *cdi)
{
	struct gm_pod_device d = *of;
	int rc = keep(p, resource, &d.resource);

	if (rc == 0)
		rc = keep(p, id, &d.device_id);
	if (rc == 0)
		rc = keep(p, cdi, &d.cdi);
	if (rc != 0)
		return rc;
	if (p->found.count == GM_PODRESOURCES_DEVICES_MAX)
		return gm_fail(p->err, GM_ERR_TOO_LARGE, "the kubelet lists more than %d devices of pods",
			       GM_PODRESOURCES_DEVICES_MAX);
	gm_vec_push(&p->found, d);
	return 0;
}

static int add_devices(struct parse *p, const Gm__ContainerDevices *devices, const struct gm_pod_device *of)
{
	int rc = 0;

	if (!gm_str_starts(gm_str(devices->resource_name), GM_STR(RESOURCE_PREFIX)))
		return 0;
	for (size_t i = 0; i < devices->n_device_ids && rc == 0; i++)
		rc = add(p, of, devices->resource_name, devices->device_ids[i], "");
	return rc;
}

static int add_claim(struct parse *p, const Gm__DynamicResource *claim, const struct gm_pod_device *of)
{
	struct gm_pod_device d = *of;
	int rc = 0;

	for (size_t i = 0; i < claim->n_claim_resources && rc == 0; i++) {
		const Gm__ClaimResource *r = claim->claim_resources[i];
		if (!gm_str_is(gm_str(r->driver_name), DRA_DRIVER))
			continue;
		if (!d.claim[0]) {
			char *name = gm_arena_printf(&p->scratch, "%s/%s", claim->claim_namespace, claim->claim_name);
			rc = name ? keep(p, name, &d.claim) : no_memory(p);
		}
		if (rc == 0)
			rc = add(p, &d, r->driver_name, r->device_name,
				 r->n_cdi_devices ? r->cdi_devices[0]->name : "");
	}
	return rc;
}

static int by_device(const void *a, const void *b)
{
	const struct gm_pod_device *x = a, *y = b;
	int order = strcmp(x->resource, y->resource);

	if (order == 0)
		order = strcmp(x->device_id, y->device_id);
	return order ? order : strcmp(x->claim, y->claim);
}

/* A device that is near to two NUMA nodes stands under both: once is enough. */
static void drop_doubles(struct parse *p, size_t first)
{
	struct gm_pod_device *items = p->found.items;
	size_t kept = first;

	if (p->found.count - first < 2)
		return;
	qsort(items + first, p->found.count - first, sizeof(*items), by_device);
	for (size_t i = first; i < p->found.count; i++)
		if (i == first || by_device(&items[kept - 1], &items[i]) != 0)
			items[kept++] = items[i];
	p->found.count = kept;
}

static bool is_ours(const Gm__ContainerResources *c)
{
	for (size_t i = 0; i < c->n_devices; i++)
		if (gm_str_starts(gm_str(c->devices[i]->resource_name), GM_STR(RESOURCE_PREFIX)))
			return true;
	return c->n_dynamic_resources > 0;
}

static int add_container(struct parse *p, const Gm__ContainerResources *c, const struct gm_pod_device *of)
{
	struct gm_pod_device d = *of;
	size_t first = p->found.count;
	int rc = is_ours(c) ? keep(p, c->name, &d.container) : 0;

	if (rc != 0 || !is_ours(c))
		return rc;
	for (size_t i = 0; i < c->n_devices && rc == 0; i++)
		rc = add_devices(p, c->devices[i], &d);
	for (size_t i = 0; i < c->n_dynamic_resources && rc == 0; i++)
		rc = add_claim(p, c->dynamic_resources[i], &d);
	drop_doubles(p, first);
	return rc;
}

static int add_pod(struct parse *p, struct gm_str bytes)
{
	ProtobufCAllocator allocator = { .alloc = scratch_alloc, .free = scratch_free, .allocator_data = p };
	struct gm_pod_device d = { .claim = "", .cdi = "" };
	Gm__PodResources *pod;
	bool ours = false;
	int rc;

	gm_arena_reset(&p->scratch);
	pod = gm__pod_resources__unpack(&allocator, bytes.n, (const uint8_t *)bytes.p);
	if (!pod)
		return gm_fail(p->err, p->pod_too_large ? GM_ERR_TOO_LARGE : GM_ERR_PARSE,
			       "a pod in the kubelet's list cannot be read");
	for (size_t i = 0; i < pod->n_containers; i++)
		ours |= is_ours(pod->containers[i]);
	if (!ours)
		return 0;
	rc = keep(p, pod->namespace_, &d.namespace_);
	if (rc == 0)
		rc = keep(p, pod->name, &d.pod);
	for (size_t i = 0; i < pod->n_containers && rc == 0; i++)
		rc = add_container(p, pod->containers[i], &d);
	return rc;
}

enum wire { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 5 };

/* The next field; bytes only of WIRE_BYTES. False: not a message. */
static bool take_field(struct gm_str *rest, uint64_t *out_tag, struct gm_str *out_bytes)
{
	uint64_t n = 0;

	*out_bytes = GM_STR("");
	if (!gm_str_take_varint(rest, out_tag) || *out_tag >> 3 == 0 || *out_tag > UINT32_MAX)
		return false;
	switch (*out_tag & 7) {
	case WIRE_VARINT:
		return gm_str_take_varint(rest, &n);
	case WIRE_64:
		n = 8;
		break;
	case WIRE_32:
		n = 4;
		break;
	case WIRE_BYTES:
		if (!gm_str_take_varint(rest, &n))
			return false;
		break;
	default:
		return false;
	}
	if (n > rest->n)
		return false;
	if ((*out_tag & 7) == WIRE_BYTES)
		*out_bytes = gm_str_n(rest->p, n);
	*rest = gm_str_n(rest->p + n, rest->n - n);
	return true;
}

#define TAG_POD (1u << 3 | WIRE_BYTES)

int gm_podresources_parse(struct gm_str message, struct gm_arena *arena, struct gm_podresources *out,
			  struct gm_err *err)
{
	GM_AUTO(parse_fini_p) struct parse p = { .arena = arena, .scratch.limit = POD_MEMORY_MAX, .err = err };
	struct gm_str bytes;
	uint64_t tag;
	int rc = 0;

	while (message.n > 0 && rc == 0) {
		if (!take_field(&message, &tag, &bytes))
			return gm_fail(err, GM_ERR_PARSE, "the kubelet's list of pods cannot be read");
		if (tag == TAG_POD)
			rc = add_pod(&p, bytes);
	}
	if (rc != 0)
		return rc;
	struct gm_pod_device *devices = gm_arena_array(arena, struct gm_pod_device, p.found.count);
	if (!devices)
		return no_memory(&p);
	if (p.found.count)
		memcpy(devices, p.found.items, p.found.count * sizeof(*devices));
	*out = (struct gm_podresources){ .devices = devices, .count = p.found.count };
	return 0;
}
