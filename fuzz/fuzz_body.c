/* SPDX-License-Identifier: MIT */
/* A JSON body read by a table of every type, and as a list of texts. */
#include <stdlib.h>

#include "adapter/http/body.h"
#include "adapter/http/problem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct order {
	struct gm_str name;
	int64_t memory;
	bool mig;
	int64_t rate_micros;
	int64_t expires_ms;
	int64_t keep_ms;
	int type;
	struct gm_body_texts profiles;
	struct gang {
		struct gm_str id;
		int64_t size;
	} gang;
	struct gm_body_map labels;
};

static const struct gm_body_field gang_fields[] = {
	{ .name = "id", .type = GM_BODY_TEXT, .offset = offsetof(struct gang, id), .required = true, .min = 1 },
	{ .name = "size", .type = GM_BODY_INT, .offset = offsetof(struct gang, size), .min = 1, .max = 64 },
};

static const char *const types[] = { "Inference", "Training", NULL };
#define AT(member) offsetof(struct order, member)
static const struct gm_body_field fields[] = {
	{ .name = "name", .type = GM_BODY_TEXT, .offset = AT(name), .required = true, .min = 1, .max = 20 },
	{ .name = "memory", .type = GM_BODY_INT, .offset = AT(memory), .min = 1, .max = 1000 },
	{ .name = "useMig", .type = GM_BODY_BOOL, .offset = AT(mig) },
	{ .name = "rate", .type = GM_BODY_FIXED, .offset = AT(rate_micros), .max = 1000000000, .decimals = 6 },
	{ .name = "expiresAt", .type = GM_BODY_TIME, .offset = AT(expires_ms), .nullable = true },
	{ .name = "keep", .type = GM_BODY_DURATION, .offset = AT(keep_ms), .min = 1000, .max = 60000 },
	{ .name = "type", .type = GM_BODY_CHOICE, .offset = AT(type), .choices = types },
	{ .name = "profiles", .type = GM_BODY_TEXTS, .offset = AT(profiles), .max = 3 },
	{ .name = "gang",
	  .type = GM_BODY_OBJECT,
	  .offset = AT(gang),
	  .nullable = true,
	  .fields = gang_fields,
	  .field_count = GM_LEN(gang_fields) },
	{ .name = "labels", .type = GM_BODY_MAP, .offset = AT(labels), .max = 3 },
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_order(const struct order *o, uint64_t present)
{
	check((present & 1) && o->name.n >= 1 && o->name.n <= 20 && gm_str_utf8_ok(o->name));
	check(o->memory >= 1 && o->memory <= 1000);
	check(o->rate_micros >= 0 && o->rate_micros <= 1000000000);
	check(o->keep_ms >= 1000 && o->keep_ms <= 60000);
	check(o->type == 0 || o->type == 1);
	check(o->profiles.count <= 3);
	check(o->gang.size >= 0 && o->gang.size <= 64 && (!(present >> 8 & 1) || o->gang.id.n >= 1));
	check(o->labels.count <= 3);
	for (size_t i = 0; i < o->labels.count; i++)
		check(o->labels.items[i].key.n >= 1 && gm_str_plain_ok(o->labels.items[i].key) &&
		      gm_str_plain_ok(o->labels.items[i].value));
}

/* What goes back to the client must be text, whatever came. */
static void check_problem(const struct gm_err *err, const struct gm_issues *issues)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };

	check(err->code == GM_ERR_INVALID || err->code == GM_ERR_PARSE || err->code == GM_ERR_NO_MEMORY);
	check(issues->count <= GM_ISSUES_MAX);
	gm_problem_write(&out, err, 0, issues, GM_STR("id"));
	check(gm_str_utf8_ok(gm_buf_str(&out)) && out.p[0] == '{' && out.p[out.n - 1] == '}');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gm_arena arena;
	const struct order before = { .memory = 7, .keep_ms = 1000 };
	struct gm_str body = gm_str_n((const char *)data, size);
	struct gm_issues issues = { 0 };
	struct gm_body_texts texts = { 0 };
	struct gm_err err = { 0 };
	struct order o = before;
	uint64_t present = 0;

	if (size > 64 * 1024)
		return 0;
	if (gm_body_read(body, fields, GM_LEN(fields), sizeof(o), &arena, &o, &present, &issues, &err) == 0) {
		check_order(&o, present);
	} else {
		check(o.memory == 7 && !o.name.p && o.keep_ms == 1000 && !o.profiles.items);
		check_problem(&err, &issues);
	}
	issues.count = 0;
	gm_err_reset(&err);
	if (gm_body_read_texts(body, 7, &arena, &texts, &issues, &err) == 0)
		check(texts.count <= 7);
	else
		check_problem(&err, &issues);
	gm_arena_reset(&arena);
	return 0;
}
