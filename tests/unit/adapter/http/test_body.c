/* SPDX-License-Identifier: MIT */
#include "adapter/http/body.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"

struct order {
	struct gm_str name;
	int64_t memory;
	bool mig;
	int64_t rate_micros;
	int64_t expires_ms;
	int64_t keep_ms;
	int type;
	struct gm_body_texts profiles;
};

static const char *const types[] = { "Inference", "Training", NULL };
enum { NAME, MEMORY, MIG, RATE, EXPIRES, KEEP, TYPE, PROFILES };
#define AT(member) offsetof(struct order, member)
static const struct gm_body_field fields[] = {
	[NAME] = { .name = "name", .type = GM_BODY_TEXT, .offset = AT(name), .required = true, .min = 1, .max = 20 },
	[MEMORY] = { .name = "memory", .type = GM_BODY_INT, .offset = AT(memory), .min = 1, .max = 1000 },
	[MIG] = { .name = "useMig", .type = GM_BODY_BOOL, .offset = AT(mig) },
	[RATE] = { .name = "rate", .type = GM_BODY_FIXED, .offset = AT(rate_micros), .max = 1000000000, .decimals = 6 },
	[EXPIRES] = { .name = "expiresAt", .type = GM_BODY_TIME, .offset = AT(expires_ms), .nullable = true },
	[KEEP] = { .name = "keep", .type = GM_BODY_DURATION, .offset = AT(keep_ms), .min = 1000, .max = 60000 },
	[TYPE] = { .name = "type", .type = GM_BODY_CHOICE, .offset = AT(type), .choices = types },
	[PROFILES] = { .name = "profiles", .type = GM_BODY_TEXTS, .offset = AT(profiles), .max = 3 },
};

static int read_order(const char *body, struct gm_arena *arena, struct order *out, uint64_t *present,
		      struct gm_issues *issues, struct gm_err *err)
{
	return gm_body_read(gm_str(body), fields, GM_LEN(fields), sizeof(*out), arena, out, present, issues, err);
}

static void test_all_types_are_read(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct order o = { 0 };
	uint64_t present = 0;
	struct gm_err err = { 0 };
	(void)state;

	int rc = read_order("{\"name\":\"vllm\\u002d1\",\"memory\":20,\"useMig\":true,\"rate\":8.05,"
			    "\"expiresAt\":\"2025-11-24T16:00:00Z\",\"keep\":\"30s\",\"type\":\"Training\","
			    "\"profiles\":[\"1g.10gb\",\"2g.20gb\"]}",
			    &arena, &o, &present, NULL, &err);
	if (rc != 0)
		fail_msg("%s", err.text);
	assert_int_equal(present, 0xff);
	assert_true(gm_str_is(o.name, "vllm-1"));
	assert_int_equal(o.memory, 20);
	assert_true(o.mig);
	assert_int_equal(o.rate_micros, 8050000);
	assert_int_equal(o.expires_ms, INT64_C(1764000000000));
	assert_int_equal(o.keep_ms, 30000);
	assert_int_equal(o.type, 1);
	assert_int_equal(o.profiles.count, 2);
	assert_true(gm_str_is(o.profiles.items[1], "2g.20gb"));
}

static void test_absent_members_keep_their_defaults(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct order o = { .memory = 7, .expires_ms = 5 };
	uint64_t present = 0;
	(void)state;

	assert_int_equal(read_order("{\"name\":\"a\",\"expiresAt\":null}", &arena, &o, &present, NULL, NULL), 0);
	assert_int_equal(o.memory, 7);
	assert_int_equal(o.expires_ms, 5);
	assert_int_equal(present, 1u << NAME);
}

static const struct {
	const char *body;
	int code;
	const char *where;
	const char *text;
} bad[] = {
	{ "", GM_ERR_INVALID, "/name", "missing" },
	{ "{}", GM_ERR_INVALID, "/name", "missing" },
	{ "{", GM_ERR_PARSE, "", "line 1" },
	{ "[]", GM_ERR_INVALID, "", "object" },
	{ "null", GM_ERR_PARSE, "", "not JSON" },
	{ "{\"name\":\"a\"} x", GM_ERR_PARSE, "", "not JSON" },
	{ "{\"name\":\"a\",\"name\":\"b\"}", GM_ERR_PARSE, "", "duplicate" },
	{ "{'name':'a'}", GM_ERR_PARSE, "", "not JSON" },
	{ "{\"name\":\"a\",}", GM_ERR_PARSE, "", "not JSON" },
	{ "{\"name\":\"\xff\"}", GM_ERR_PARSE, "", "not JSON" },
	{ "{\"name\":\"a\\u0000b\"}", GM_ERR_PARSE, "", "not JSON" },
	{ "{\"name\":\"a\",\"memory\":99999999999999999999}", GM_ERR_PARSE, "", "not JSON" },
	{ "{\"name\":1}", GM_ERR_INVALID, "/name", "a text, not a number" },
	{ "{\"name\":null}", GM_ERR_INVALID, "/name", "a text, not null" },
	{ "{\"name\":\"\"}", GM_ERR_INVALID, "/name", "empty" },
	{ "{\"name\":\"123456789012345678901\"}", GM_ERR_INVALID, "/name", "at most 20" },
	{ "{\"name\":\"a\\nb\"}", GM_ERR_INVALID, "/name", "control" },
	{ "{\"name\":\"a\",\"memory\":0}", GM_ERR_INVALID, "/memory", "from 1 to 1000" },
	{ "{\"name\":\"a\",\"memory\":1.5}", GM_ERR_INVALID, "/memory", "whole number" },
	{ "{\"name\":\"a\",\"memory\":\"5\"}", GM_ERR_INVALID, "/memory", "whole number" },
	{ "{\"name\":\"a\",\"useMig\":1}", GM_ERR_INVALID, "/useMig", "true or false" },
	{ "{\"name\":\"a\",\"rate\":-1}", GM_ERR_INVALID, "/rate", "from 0 to 1000" },
	{ "{\"name\":\"a\",\"rate\":1e300}", GM_ERR_INVALID, "/rate", "too large" },
	{ "{\"name\":\"a\",\"rate\":\"1\"}", GM_ERR_INVALID, "/rate", "a number" },
	{ "{\"name\":\"a\",\"expiresAt\":\"soon\"}", GM_ERR_INVALID, "/expiresAt", "time" },
	{ "{\"name\":\"a\",\"keep\":\"5m\"}", GM_ERR_INVALID, "/keep", "from 1s to 1m" },
	{ "{\"name\":\"a\",\"keep\":5}", GM_ERR_INVALID, "/keep", "a text" },
	{ "{\"name\":\"a\",\"type\":\"inference\"}", GM_ERR_INVALID, "/type", "Inference, Training" },
	{ "{\"name\":\"a\",\"profiles\":\"x\"}", GM_ERR_INVALID, "/profiles", "list" },
	{ "{\"name\":\"a\",\"profiles\":[\"a\",\"b\",\"c\",\"d\"]}", GM_ERR_INVALID, "/profiles", "0 to 3" },
	{ "{\"name\":\"a\",\"profiles\":[\"a\",5]}", GM_ERR_INVALID, "/profiles/1", "a text" },
	{ "{\"name\":\"a\",\"x/y~z\":1}", GM_ERR_INVALID, "/x~1y~0z", "not a field" },
};

static void test_errors_point_at_the_place(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	(void)state;

	for (size_t i = 0; i < GM_LEN(bad); i++) {
		struct order o = { .memory = 7 };
		struct gm_err err = { 0 };
		int rc = read_order(bad[i].body, &arena, &o, NULL, NULL, &err);
		if (rc != bad[i].code || strcmp(err.where, bad[i].where) != 0 || !strstr(err.text, bad[i].text))
			fail_msg("%s: %d, where '%s', text '%s'", bad[i].body, rc, err.where, err.text);
		assert_int_equal(o.memory, 7);
		assert_null(o.name.p);
	}
}

static void test_all_that_is_wrong_is_said(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_issues issues = { 0 };
	struct gm_err err = { 0 };
	struct order o = { 0 };
	(void)state;

	assert_int_equal(read_order("{\"title\":\"a\",\"memory\":0,\"useMig\":2}", &arena, &o, NULL, &issues, &err),
			 GM_ERR_INVALID);
	assert_int_equal(issues.count, 4);
	assert_string_equal(issues.items[0].pointer, "/title");
	assert_string_equal(issues.items[1].pointer, "/name");
	assert_string_equal(issues.items[2].pointer, "/memory");
	assert_string_equal(issues.items[3].pointer, "/useMig");
	assert_string_equal(err.where, "/title");
}

static void test_depth_is_limited(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };
	struct order o = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	for (int i = 0; i < 100000; i++)
		gm_buf_add_char(&body, '[');
	assert_int_equal(read_order(gm_buf_cstr(&body), &arena, &o, NULL, NULL, &err), GM_ERR_PARSE);
	assert_non_null(strstr(err.text, "16 levels"));
	/* Brackets in a text are no levels. */
	assert_int_equal(read_order("{\"name\":\"[[[[[[[[[[[[[[[[[\\\"[\"}", &arena, &o, NULL, NULL, &err), 0);
}

static void test_long_unknown_name_is_cut(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };
	struct order o = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	gm_buf_add_cstr(&body, "{\"");
	for (int i = 0; i < 5000; i++)
		gm_buf_add_char(&body, i % 2 ? '/' : 'a');
	gm_buf_add_cstr(&body, "\":1}");
	assert_int_equal(read_order(gm_buf_cstr(&body), &arena, &o, NULL, NULL, &err), GM_ERR_INVALID);
	assert_true(strlen(err.where) < sizeof(err.where));
}

static void test_list_of_texts(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_body_texts t = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	assert_int_equal(gm_body_read_texts(GM_STR("[\"H100_2G20GB\",\"H100_3G40GB\"]"), 7, &arena, &t, NULL, &err), 0);
	assert_int_equal(t.count, 2);
	assert_true(gm_str_is(t.items[0], "H100_2G20GB"));
	assert_int_equal(gm_body_read_texts(GM_STR("[]"), 7, &arena, &t, NULL, &err), 0);
	assert_int_equal(t.count, 0);
	assert_int_equal(gm_body_read_texts(GM_STR("[\"a\",\"b\"]"), 1, &arena, &t, NULL, &err), GM_ERR_INVALID);
	assert_int_equal(gm_body_read_texts(GM_STR("{}"), 7, &arena, &t, NULL, &err), GM_ERR_INVALID);
	assert_int_equal(gm_body_read_texts(GM_STR("[1]"), 7, &arena, &t, NULL, &err), GM_ERR_INVALID);
	assert_string_equal(err.where, "/0");
	assert_int_equal(gm_body_read_texts(GM_STR(""), 7, &arena, &t, NULL, &err), GM_ERR_PARSE);
}

static void test_no_memory_is_an_error_not_an_absence(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { .limit = 256 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };
	struct gm_body_texts t = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	gm_buf_add_cstr(&body, "[\"");
	for (int i = 0; i < 250; i++)
		gm_buf_add_char(&body, 'a');
	gm_buf_add_cstr(&body, "\"]");
	assert_int_equal(gm_body_read_texts(gm_buf_str(&body), 7, &arena, &t, NULL, &err), GM_ERR_NO_MEMORY);
	assert_null(t.items);
}

struct slice {
	struct gm_str profile;
	int64_t placement;
};
struct board {
	struct gm_str uuid;
	struct gm_body_objects layout;
};
struct change {
	struct gm_body_objects devices;
};
static const struct slice blank_slice = { .placement = -1 };
static const struct gm_body_field slice_fields[] = {
	{ .name = "profile", .type = GM_BODY_TEXT, .offset = offsetof(struct slice, profile), .required = true },
	{ .name = "placement", .type = GM_BODY_INT, .offset = offsetof(struct slice, placement), .max = 31 },
};
static const struct gm_body_field board_fields[] = {
	{ .name = "uuid", .type = GM_BODY_TEXT, .offset = offsetof(struct board, uuid), .required = true },
	{ .name = "layout",
	  .type = GM_BODY_OBJECTS,
	  .offset = offsetof(struct board, layout),
	  .max = 2,
	  .fields = slice_fields,
	  .field_count = GM_LEN(slice_fields),
	  .item_size = sizeof(struct slice),
	  .blank = &blank_slice },
};
static const struct gm_body_field change_fields[] = {
	{ .name = "devices",
	  .type = GM_BODY_OBJECTS,
	  .offset = offsetof(struct change, devices),
	  .min = 1,
	  .fields = board_fields,
	  .field_count = GM_LEN(board_fields),
	  .item_size = sizeof(struct board) },
};

struct gang {
	struct gm_str id;
	int64_t size;
};
struct wish {
	struct gang gang;
	struct gm_body_map labels;
};
static const struct gm_body_field gang_fields[] = {
	{ .name = "id", .type = GM_BODY_TEXT, .offset = offsetof(struct gang, id), .required = true, .min = 1 },
	{ .name = "size",
	  .type = GM_BODY_INT,
	  .offset = offsetof(struct gang, size),
	  .required = true,
	  .min = 2,
	  .max = 64 },
};
static const struct gm_body_field wish_fields[] = {
	{ .name = "gang",
	  .type = GM_BODY_OBJECT,
	  .offset = offsetof(struct wish, gang),
	  .nullable = true,
	  .fields = gang_fields,
	  .field_count = GM_LEN(gang_fields) },
	{ .name = "labels", .type = GM_BODY_MAP, .offset = offsetof(struct wish, labels), .max = 2 },
};

static void test_an_object_is_read_into_its_member(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct wish w = { 0 };
	struct gm_err err = { 0 };
	uint64_t present = 0;
	(void)state;

	assert_int_equal(gm_body_read(GM_STR("{\"gang\":{\"id\":\"a\",\"size\":4}}"), wish_fields, 2, sizeof(w), &arena,
				      &w, &present, NULL, &err),
			 0);
	assert_int_equal(present, 1);
	assert_true(gm_str_is(w.gang.id, "a"));
	assert_int_equal(w.gang.size, 4);
	assert_int_equal(gm_body_read(GM_STR("{\"gang\":null}"), wish_fields, 2, sizeof(w), &arena, &w, &present, NULL,
				      &err),
			 0);
	assert_int_equal(present, 0);
}

static void test_what_is_wrong_in_an_object_is_told_by_its_place(void **state)
{
	static const struct {
		const char *body, *where;
	} rows[] = {
		{ "{\"gang\":[]}", "/gang" },
		{ "{\"gang\":{\"id\":\"a\"}}", "/gang/size" },
		{ "{\"gang\":{\"id\":\"a\",\"size\":1}}", "/gang/size" },
		{ "{\"gang\":{\"id\":\"a\",\"size\":2,\"x\":1}}", "/gang/x" },
	};
	(void)state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
		struct wish w = { .gang.size = 9 };
		struct gm_err err = { 0 };

		assert_int_equal(gm_body_read(gm_str(rows[i].body), wish_fields, 2, sizeof(w), &arena, &w, NULL, NULL,
					      &err),
				 GM_ERR_INVALID);
		assert_string_equal(err.where, rows[i].where);
		assert_int_equal(w.gang.size, 9);
	}
}

static void test_a_map_is_read_in_its_order(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct wish w = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	assert_int_equal(gm_body_read(GM_STR("{\"labels\":{\"a/b\":\"x\",\"c\":\"\"}}"), wish_fields, 2, sizeof(w),
				      &arena, &w, NULL, NULL, &err),
			 0);
	assert_int_equal(w.labels.count, 2);
	assert_true(gm_str_is(w.labels.items[0].key, "a/b") && gm_str_is(w.labels.items[0].value, "x"));
	assert_true(gm_str_is(w.labels.items[1].key, "c") && w.labels.items[1].value.n == 0);
}

static void test_a_map_that_breaks_its_rules_is_refused(void **state)
{
	static const struct {
		const char *body, *where;
	} rows[] = {
		{ "{\"labels\":[]}", "/labels" },
		{ "{\"labels\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}", "/labels" },
		{ "{\"labels\":{\"a/b\":7}}", "/labels/a~1b" },
		{ "{\"labels\":{\"\":\"x\"}}", "/labels/" },
		{ "{\"labels\":{\"a\\u0001\":\"x\"}}", "/labels/a\x01" },
	};
	(void)state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
		struct wish w = { 0 };
		struct gm_err err = { 0 };

		assert_int_equal(gm_body_read(gm_str(rows[i].body), wish_fields, 2, sizeof(w), &arena, &w, NULL, NULL,
					      &err),
				 GM_ERR_INVALID);
		assert_string_equal(err.where, rows[i].where);
		assert_int_equal(w.labels.count, 0);
	}
}

static void test_objects_in_objects_are_read(void **state)
{
	static const char body[] = "{\"devices\":[{\"uuid\":\"a\"},{\"uuid\":\"b\",\"layout\":[{\"profile\":\"1g\"},"
				   "{\"profile\":\"3g\",\"placement\":4}]}]}";
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct change c = { 0 };
	struct gm_err err = { 0 };
	const struct board *boards;
	const struct slice *slices;
	(void)state;

	assert_int_equal(gm_body_read(gm_str(body), change_fields, 1, sizeof(c), &arena, &c, NULL, NULL, &err), 0);
	assert_int_equal(c.devices.count, 2);
	boards = c.devices.items;
	assert_true(gm_str_is(boards[0].uuid, "a"));
	assert_int_equal(boards[0].layout.count, 0);
	assert_int_equal(boards[1].layout.count, 2);
	slices = boards[1].layout.items;
	assert_true(gm_str_is(slices[0].profile, "1g"));
	assert_int_equal(slices[0].placement, -1);
	assert_true(gm_str_is(slices[1].profile, "3g"));
	assert_int_equal(slices[1].placement, 4);
}

static void test_errors_in_objects_point_at_the_place(void **state)
{
	static const struct {
		const char *body, *where;
	} rows[] = {
		{ "{\"devices\":{}}", "/devices" },
		{ "{\"devices\":[]}", "/devices" },
		{ "{\"devices\":[7]}", "/devices/0" },
		{ "{\"devices\":[{\"uuid\":\"a\"},{}]}", "/devices/1/uuid" },
		{ "{\"devices\":[{\"uuid\":\"a\",\"x/y\":1}]}", "/devices/0/x~1y" },
		{ "{\"devices\":[{\"uuid\":\"a\",\"layout\":[{\"profile\":\"1g\",\"placement\":32}]}]}",
		  "/devices/0/layout/0/placement" },
		{ "{\"devices\":[{\"uuid\":\"a\",\"layout\":[{},{},{}]}]}", "/devices/0/layout" },
	};
	(void)state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
		struct change c = { 0 };
		struct gm_err err = { 0 };
		int rc = gm_body_read(gm_str(rows[i].body), change_fields, 1, sizeof(c), &arena, &c, NULL, NULL, &err);

		assert_int_equal(rc, GM_ERR_INVALID);
		assert_string_equal(err.where, rows[i].where);
		assert_int_equal(c.devices.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_types_are_read),
		cmocka_unit_test(test_absent_members_keep_their_defaults),
		cmocka_unit_test(test_errors_point_at_the_place),
		cmocka_unit_test(test_all_that_is_wrong_is_said),
		cmocka_unit_test(test_depth_is_limited),
		cmocka_unit_test(test_long_unknown_name_is_cut),
		cmocka_unit_test(test_list_of_texts),
		cmocka_unit_test(test_no_memory_is_an_error_not_an_absence),
		cmocka_unit_test(test_an_object_is_read_into_its_member),
		cmocka_unit_test(test_what_is_wrong_in_an_object_is_told_by_its_place),
		cmocka_unit_test(test_a_map_is_read_in_its_order),
		cmocka_unit_test(test_a_map_that_breaks_its_rules_is_refused),
		cmocka_unit_test(test_objects_in_objects_are_read),
		cmocka_unit_test(test_errors_in_objects_point_at_the_place),
	};

	return cmocka_run_group_tests_name("http/body", tests, NULL, NULL);
}
