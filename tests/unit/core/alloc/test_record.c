/* SPDX-License-Identifier: MIT */
#include "alloc-testing.h"

#include <string.h>

#include "base/hash.h"
#include "core/alloc/alloc.h"

/* A record with every kind of member set. */
static struct gm_alloc_record *full_record(void)
{
	struct gm_alloc_device devices[2] = {
		{ .uuid = GM_STR("GPU-1"),
		  .device_id = GM_STR("worker-01-GPU-00"),
		  .node = GM_STR("worker-01"),
		  .model = GM_STR("H100_80GB"),
		  .profile = GM_STR("2g.20gb"),
		  .start = 2,
		  .size = 2,
		  .units = 0xc,
		  .unit_count = 8,
		  .share_milli = 1000,
		  .hourly_micros = 2000000,
		  .to_be_made = true },
		{ .uuid = GM_STR("GPU-2"),
		  .start = -1,
		  .size = -1,
		  .units = UINT32_MAX,
		  .unit_count = 32,
		  .share_milli = 1000,
		  .hourly_micros = -1 },
	};
	struct gm_alloc_record r = { .id = "al-0001",
				     .version = 7,
				     .state = GM_ALLOC_STATE_PROVISIONING,
				     .reason = GM_STR("slice_being_made"),
				     .message = GM_STR("a slice is being made"),
				     .created_by = GM_STR("key"),
				     .created_ms = 1,
				     .granted_ms = INT64_MAX,
				     .attempts = 2,
				     .devices = devices,
				     .device_count = 2 };

	gm_alloc_request_init(&r.request);
	r.request.namespace_ = GM_STR("model-serving");
	r.request.pod = GM_STR("vllm");
	r.request.models[0] = GM_STR("H100_80GB");
	r.request.models[1] = GM_STR("A100_80GB");
	r.request.model_count = 2;
	r.request.selector[0] = (struct gm_alloc_pair){ GM_STR("zone"), GM_STR("a") };
	r.request.selector[1] = (struct gm_alloc_pair){ GM_STR("empty"), GM_STR("") };
	r.request.selector_count = 2;
	r.score.total = 71.25;
	r.score.parts[GM_SCORE_WARMTH] = 100;
	return gm_alloc_record_new(&r);
}

static void encode(const struct gm_alloc_record *r, struct gm_buf *out)
{
	gm_buf_reset(out);
	gm_alloc_record_encode(r, out);
	assert_false(out->failed);
}

static void test_record_owns_its_texts(void **state)
{
	(void)state;
	char name[] = "worker";
	struct gm_alloc_record from = { .id = "a", .version = 1, .reason = gm_str(name) };
	const struct gm_alloc_record *r;

	gm_alloc_request_init(&from.request);
	r = gm_alloc_record_new(&from);
	name[0] = 'X';
	assert_true(gm_str_is(r->reason, "worker"));
	assert_ptr_equal(gm_alloc_record_ref(r), r);
	gm_alloc_record_unref(r);
	gm_alloc_record_unref(r);
	gm_alloc_record_unref(NULL);
}

static void test_record_cuts_a_message_at_a_character(void **state)
{
	(void)state;
	char text[2000];
	struct gm_alloc_record from = { .id = "a", .version = 1, .message = gm_str_n(text, sizeof(text)) };
	struct gm_alloc_record *r;

	memset(text, 'x', 1023);
	for (size_t i = 1023; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	r = gm_alloc_record_new(&from);
	assert_int_equal(r->message.n, 1023);
	gm_alloc_record_unref(r);
}

static void test_record_reads_back_what_it_wrote(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf once = { 0 }, twice = { 0 };
	struct gm_alloc_record *r = full_record(), *back = NULL;

	encode(r, &once);
	assert_int_equal(gm_alloc_record_decode(gm_buf_str(&once), &back, NULL), 0);
	encode(back, &twice);
	assert_true(gm_str_eq(gm_buf_str(&once), gm_buf_str(&twice)));
	assert_string_equal(back->id, "al-0001");
	assert_int_equal(back->state, GM_ALLOC_STATE_PROVISIONING);
	assert_int_equal(back->granted_ms, INT64_MAX);
	assert_int_equal(back->device_count, 2);
	assert_true(gm_str_is(back->devices[0].profile, "2g.20gb"));
	assert_int_equal(back->devices[0].start, 2);
	assert_int_equal(back->devices[1].units, UINT32_MAX);
	assert_int_equal(back->devices[1].hourly_micros, -1);
	assert_true(back->devices[0].to_be_made && !back->devices[1].to_be_made);
	assert_true(back->request.same_node);
	assert_int_equal(back->request.max_hourly_micros, -1);
	assert_true(gm_str_is(back->request.models[1], "A100_80GB"));
	assert_true(gm_str_is(back->request.selector[1].key, "empty"));
	assert_int_equal(back->request.selector[1].value.n, 0);
	assert_true(back->score.total > 71.2 && back->score.total < 71.3);
	gm_alloc_record_unref(back);
	gm_alloc_record_unref(r);
}

/* Any one byte that changes, and any length that is missing, is seen. */
static void test_record_refuses_what_is_damaged(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	struct gm_alloc_record *r = full_record(), *back = NULL;
	struct gm_err err;

	encode(r, &b);
	for (size_t i = 0; i < b.n; i++) {
		int rc;

		b.p[i] ^= 0x41;
		rc = gm_alloc_record_decode(gm_buf_str(&b), &back, &err);
		assert_int_equal(rc, i ? GM_ERR_CORRUPT : GM_ERR_NEWER);
		b.p[i] ^= 0x41;
		assert_int_equal(gm_alloc_record_decode(gm_str_n(b.p, i), &back, &err), GM_ERR_CORRUPT);
	}
	assert_null(back);
	gm_alloc_record_unref(r);
}

/* A body with a true hash, as a later version might write it. */
static void frame(struct gm_str body, struct gm_buf *out)
{
	uint64_t hash = gm_hash(body);

	gm_buf_reset(out);
	gm_buf_add_char(out, 1);
	for (int i = 0; i < 8; i++)
		gm_buf_add_char(out, (char)(unsigned char)(hash >> 8 * i));
	gm_buf_add_str(out, body);
}

static void test_record_skips_what_it_does_not_know(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 }, body = { 0 }, framed = { 0 };
	struct gm_alloc_record *r = full_record(), *back = NULL;

	encode(r, &b);
	gm_buf_add(&body, b.p + 9, b.n - 9);
	gm_buf_add_cstr(&body, "\x7f\x03new");
	frame(gm_buf_str(&body), &framed);
	assert_int_equal(gm_alloc_record_decode(gm_buf_str(&framed), &back, NULL), 0);
	assert_string_equal(back->id, r->id);
	gm_alloc_record_unref(back);
	gm_alloc_record_unref(r);
}

static void test_record_refuses_bodies_that_break_a_rule(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct gm_str body;
	} ROWS[] = {
		{ "nothing", { 0 } },
		{ "no version", GM_STR("\x01\x01"
				       "a") },
		{ "a state that is none", GM_STR("\x01\x01"
						 "a\x02\x01\x02\x03\x01\x40") },
		{ "a number twice", GM_STR("\x01\x01"
					   "a\x02\x01\x02\x02\x01\x02") },
		{ "numbers that fall", GM_STR("\x02\x01\x02\x01\x01"
					      "a") },
		{ "a length beyond the end", GM_STR("\x01\x7f"
						    "a") },
		{ "an id too long", GM_STR("\x01\x20"
					   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") },
	};
	GM_AUTO(gm_buf_fini_p) struct gm_buf framed = { 0 };
	struct gm_alloc_record *back = NULL;

	for (size_t i = 0; i < GM_LEN(ROWS); i++) {
		frame(ROWS[i].body, &framed);
		if (gm_alloc_record_decode(gm_buf_str(&framed), &back, NULL) != GM_ERR_CORRUPT)
			fail_msg("%s was read", ROWS[i].what);
	}
	assert_null(back);
}

static void test_team_and_queue_read_back(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	struct gm_team *team = calloc(1, sizeof(*team)), *team2 = calloc(1, sizeof(*team2));
	struct gm_queue_def *queue = calloc(1, sizeof(*queue)), *queue2 = calloc(1, sizeof(*queue2));

	team->name = GM_STR("ai-research");
	team->weight = 3;
	team->equivalents_milli = team->borrow_milli = -1;
	team->quotas[0] = (struct gm_team_quota){ GM_STR("H100_80GB/2g.20gb"), 4 };
	team->quotas[1] = (struct gm_team_quota){ GM_STR("H100_80GB"), 0 };
	team->quota_count = 2;
	team->namespaces[0] = GM_STR("llm");
	team->namespace_count = 1;
	gm_team_encode(team, &b);
	assert_int_equal(gm_team_decode(gm_buf_str(&b), team2, NULL), 0);
	assert_int_equal(team2->weight, 3);
	assert_int_equal(team2->borrow_milli, -1);
	assert_int_equal(team2->quotas[0].limit, 4);
	assert_int_equal(team2->quotas[1].limit, 0);
	assert_true(gm_str_is(team2->quotas[1].resource, "H100_80GB"));
	assert_true(gm_str_is(team2->namespaces[0], "llm"));
	b.p[b.n - 1] ^= 1;
	assert_int_equal(gm_team_decode(gm_buf_str(&b), team2, NULL), GM_ERR_CORRUPT);

	gm_buf_reset(&b);
	*queue = (struct gm_queue_def){ .name = GM_STR("night"), .priority = -5, .paused = true, .preemptible = -1 };
	gm_queue_def_encode(queue, &b);
	assert_int_equal(gm_queue_def_decode(gm_buf_str(&b), queue2, NULL), 0);
	assert_int_equal(queue2->priority, -5);
	assert_int_equal(queue2->preemptible, -1);
	assert_true(queue2->paused && gm_str_is(queue2->name, "night"));
	free(team);
	free(team2);
	free(queue);
	free(queue2);
}

static void test_request_check_names_the_place(void **state)
{
	(void)state;
	struct gm_alloc_request good, r;
	struct gm_err err = { 0 };

	gm_alloc_request_init(&good);
	good.namespace_ = GM_STR("ns");
	good.pod = GM_STR("pod");
	assert_int_equal(gm_alloc_request_check(&good, &err), 0);
#define REFUSED(where_, ...)                                                                                           \
	do {                                                                                                           \
		r = good;                                                                                              \
		__VA_ARGS__;                                                                                           \
		assert_int_equal(gm_alloc_request_check(&r, &err), GM_ERR_INVALID);                                    \
		assert_string_equal(err.where, where_);                                                                \
	} while (0)
	REFUSED("/namespace", r.namespace_.n = 0);
	REFUSED("/podName", r.pod.n = 0);
	REFUSED("/gpuCount", r.gpu_count = 0);
	REFUSED("/gpuCount", r.gpu_count = GM_ALLOC_DEVICES_MAX + 1);
	REFUSED("/gpuShare", r.share_milli = 0);
	REFUSED("/gpuShare", r.share_milli = 500; r.gpu_count = 2);
	REFUSED("/gpuShare", r.share_milli = 500; r.use_mig = GM_USE_MIG_ONLY);
	REFUSED("/useMig", r.profile = GM_STR("1g.10gb"); r.use_mig = GM_USE_MIG_NEVER);
	REFUSED("/topology", r.topology = GM_TOPOLOGY_NVLINK; r.use_mig = GM_USE_MIG_ONLY);
	REFUSED("/topology", r.topology = GM_TOPOLOGY_NUMA; r.gpu_count = 2; r.same_node = false);
	REFUSED("/gang/size", r.gang_id = GM_STR("g"));
	REFUSED("/gang/id", r.gang_size = 2);
	REFUSED("/priority", r.priority = -1);
	REFUSED("/models", r.model_count = GM_ALLOC_MODELS_MAX + 1);
	REFUSED("/models", r.model_count = 1);
	REFUSED("/key", r.selector_count = 1);
#undef REFUSED
}

/* Whatever the strategy and the workload, the parts count for all there is. */
static void test_weights_add_up(void **state)
{
	(void)state;
	for (int s = 0; s < GM_STRATEGY_COUNT; s++)
		for (int w = 0; w < GM_WORKLOAD_COUNT; w++) {
			const uint8_t *weights = gm_score_weights((enum gm_strategy)s, (enum gm_workload)w);
			int sum = 0;

			for (int p = 0; p < GM_SCORE_COUNT; p++)
				sum += weights[p];
			assert_int_equal(sum, 100);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_owns_its_texts),
		cmocka_unit_test(test_record_cuts_a_message_at_a_character),
		cmocka_unit_test(test_record_reads_back_what_it_wrote),
		cmocka_unit_test(test_record_refuses_what_is_damaged),
		cmocka_unit_test(test_record_skips_what_it_does_not_know),
		cmocka_unit_test(test_record_refuses_bodies_that_break_a_rule),
		cmocka_unit_test(test_team_and_queue_read_back),
		cmocka_unit_test(test_request_check_names_the_place),
		cmocka_unit_test(test_weights_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
