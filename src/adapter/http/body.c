/* SPDX-License-Identifier: MIT */
#include "adapter/http/body.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/parse.h"

#define DEPTH_MAX 16
#define TEXT_MAX_DEFAULT 256
#define TEXTS_MAX_DEFAULT 64
#define POINTER_SIZE 112
#define EXACT_MAX 9007199254740992.0 /* 2^53: beyond, a double no longer holds the last unit */

static const double powers[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };

static void json_free(json_t *json)
{
	json_decref(json);
}
GM_DEFINE_AUTO(json_t, json_free)

struct reader {
	struct gm_arena *arena;
	struct gm_issues *issues;
	struct gm_err *err;
	int rc; /* the first failure */
};

static void wrong_text(struct reader *r, const char *pointer, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));
static void wrong_text(struct reader *r, const char *pointer, const char *fmt, va_list args)
{
	char text[256];

	(void)vsnprintf(text, sizeof(text), fmt, args);
	gm_issues_add(r->issues, r->arena, pointer, "%s", text);
	if (r->rc == 0)
		r->rc = gm_fail_at(r->err, GM_ERR_INVALID, pointer, "%s", text);
}

static void wrong(struct reader *r, const char *pointer, const char *fmt, ...) GM_PRINTF(3, 4);
static void wrong(struct reader *r, const char *pointer, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	wrong_text(r, pointer, fmt, args);
	va_end(args);
}

static bool no_memory(struct reader *r)
{
	if (r->rc == 0)
		r->rc = gm_fail(r->err, GM_ERR_NO_MEMORY, "no memory for the body");
	return false;
}

/* Before anything is built: jansson's own limit is 2048 levels. */
static bool too_deep(struct gm_str body)
{
	unsigned depth = 0;
	bool in_text = false;

	for (size_t i = 0; i < body.n; i++) {
		char c = body.p[i];
		if (in_text) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_text = false;
		} else if (c == '"') {
			in_text = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

static int parse(struct gm_str body, json_t **out, struct gm_err *err)
{
	json_error_t where = { 0 };

	if (too_deep(body))
		return gm_fail(err, GM_ERR_PARSE, "the body is nested more than %d levels deep", DEPTH_MAX);
	json_t *json = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, &where);
	if (!json)
		return gm_fail(err, GM_ERR_PARSE, "the body is not JSON: line %d, column %d: %s", where.line,
			       where.column, where.text);
	*out = json;
	return 0;
}

/* RFC 6901: '~' and '/' are escaped; the rest is the name itself, cut where it is too long. */
static void make_pointer(char out[static POINTER_SIZE], const char *above, const char *name)
{
	size_t n = strnlen(above, POINTER_SIZE - 2);

	memcpy(out, above, n);
	out[n++] = '/';
	for (const char *p = name; *p && n + 3 < POINTER_SIZE; p++) {
		if (*p == '~' || *p == '/') {
			out[n++] = '~';
			out[n++] = *p == '~' ? '0' : '1';
		} else {
			out[n++] = *p;
		}
	}
	out[n] = '\0';
}

static const char *kind_name(const json_t *v)
{
	if (!v)
		return "nothing";
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "?";
}

static bool is_text(struct reader *r, const char *pointer, const json_t *v)
{
	if (json_is_string(v))
		return true;
	wrong(r, pointer, "must be a text, not %s", kind_name(v));
	return false;
}

static struct gm_str text_of(const json_t *v)
{
	return gm_str_n(json_string_value(v), json_string_length(v));
}

static bool read_text(struct reader *r, const char *pointer, const json_t *v, int64_t min, int64_t max,
		      struct gm_str *out)
{
	size_t most = max > 0 ? (size_t)max : TEXT_MAX_DEFAULT;

	if (!is_text(r, pointer, v))
		return false;
	struct gm_str text = text_of(v);
	if (text.n > most) {
		wrong(r, pointer, "may have at most %zu bytes", most);
	} else if (min > 0 && text.n < (size_t)min) {
		wrong(r, pointer, min == 1 ? "must not be empty" : "must have at least %" PRId64 " bytes", min);
	} else if (!gm_str_plain_ok(text)) {
		wrong(r, pointer, "must not have control characters");
	} else {
		char *copy = gm_arena_dup(r->arena, text);
		if (!copy)
			return no_memory(r);
		*out = gm_str_n(copy, text.n);
		return true;
	}
	return false;
}

static bool in_range(struct reader *r, const struct gm_body_field *f, const char *pointer, int64_t v)
{
	if ((f->min == 0 && f->max == 0) || (v >= f->min && v <= f->max))
		return true;
	if (f->type == GM_BODY_DURATION) {
		char least[40], most[40];
		gm_format_duration_ms(f->min, least);
		gm_format_duration_ms(f->max, most);
		wrong(r, pointer, "must be from %s to %s", least, most);
	} else if (f->decimals) {
		double scale = powers[f->decimals];
		wrong(r, pointer, "must be from %.15g to %.15g", (double)f->min / scale, (double)f->max / scale);
	} else {
		wrong(r, pointer, "must be from %" PRId64 " to %" PRId64, f->min, f->max);
	}
	return false;
}

static bool read_int(struct reader *r, const struct gm_body_field *f, const char *pointer, const json_t *v,
		     int64_t *out)
{
	if (!json_is_integer(v)) {
		wrong(r, pointer, "must be a whole number");
		return false;
	}
	if (!in_range(r, f, pointer, json_integer_value(v)))
		return false;
	*out = json_integer_value(v);
	return true;
}

static bool read_fixed(struct reader *r, const struct gm_body_field *f, const char *pointer, const json_t *v,
		       int64_t *out)
{
	double scaled = json_is_number(v) ? json_number_value(v) * powers[f->decimals] : 0;

	if (!json_is_number(v)) {
		wrong(r, pointer, "must be a number, not %s", kind_name(v));
		return false;
	}
	if (!(scaled >= -EXACT_MAX && scaled <= EXACT_MAX)) {
		wrong(r, pointer, "is too large");
		return false;
	}
	int64_t fixed = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
	if (!in_range(r, f, pointer, fixed))
		return false;
	*out = fixed;
	return true;
}

static bool read_time(struct reader *r, const char *pointer, const json_t *v, int64_t *out)
{
	if (!is_text(r, pointer, v))
		return false;
	if (gm_time_parse(text_of(v), out))
		return true;
	wrong(r, pointer, "must be a time such as 2026-01-31T12:00:00Z");
	return false;
}

static bool read_duration(struct reader *r, const struct gm_body_field *f, const char *pointer, const json_t *v,
			  int64_t *out)
{
	int64_t ms;

	if (!is_text(r, pointer, v))
		return false;
	if (!gm_parse_duration_ms(text_of(v), &ms)) {
		wrong(r, pointer, "must be a duration such as 30s, 5m or 90d");
		return false;
	}
	if (!in_range(r, f, pointer, ms))
		return false;
	*out = ms;
	return true;
}

static bool read_choice(struct reader *r, const struct gm_body_field *f, const char *pointer, const json_t *v, int *out)
{
	char list[200];
	size_t n = 0;

	if (!is_text(r, pointer, v))
		return false;
	list[0] = '\0';
	for (int i = 0; f->choices[i]; i++) {
		if (gm_str_is(text_of(v), f->choices[i])) {
			*out = i;
			return true;
		}
		if (n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", f->choices[i]);
	}
	wrong(r, pointer, "must be one of %s", list);
	return false;
}

static bool read_texts(struct reader *r, const char *pointer, const json_t *v, int64_t min, int64_t max,
		       struct gm_body_texts *out)
{
	size_t most = max > 0 ? (size_t)max : TEXTS_MAX_DEFAULT, count = json_array_size(v);
	char place[POINTER_SIZE + 24];
	bool fine = true;

	if (!json_is_array(v)) {
		wrong(r, pointer, "must be a list of texts, not %s", kind_name(v));
		return false;
	}
	if (count > most || count < (size_t)min) {
		wrong(r, pointer, "must have %" PRId64 " to %zu items", min, most);
		return false;
	}
	struct gm_str *items = gm_arena_array(r->arena, struct gm_str, count + 1);
	if (!items)
		return no_memory(r);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(place, sizeof(place), "%s/%zu", pointer, i);
		fine &= read_text(r, place, json_array_get(v, i), 1, TEXT_MAX_DEFAULT, &items[i]);
	}
	if (fine)
		*out = (struct gm_body_texts){ items, count };
	return fine;
}

static uint64_t read_object(struct reader *r, const struct gm_body_field *fields, size_t count, const char *above,
			    json_t *json, char *out);

/* Objects in objects go as deep as the tables do. */
static bool read_objects(struct reader *r, const struct gm_body_field *f, const char *pointer, const json_t *v,
			 struct gm_body_objects *out)
{
	size_t most = f->max > 0 ? (size_t)f->max : TEXTS_MAX_DEFAULT, count = json_array_size(v);
	char place[POINTER_SIZE + 24];
	char *items;

	if (!json_is_array(v)) {
		wrong(r, pointer, "must be a list of objects, not %s", kind_name(v));
		return false;
	}
	if (count > most || count < (size_t)f->min) {
		wrong(r, pointer, "must have %" PRId64 " to %zu items", f->min, most);
		return false;
	}
	items = gm_arena_alloc(r->arena, count * f->item_size + 1);
	if (!items)
		return no_memory(r);
	for (size_t i = 0; i < count; i++) {
		json_t *item = json_array_get(v, i);
		char *to = items + i * f->item_size;

		(void)snprintf(place, sizeof(place), "%s/%zu", pointer, i);
		if (f->blank)
			memcpy(to, f->blank, f->item_size);
		if (json_is_object(item))
			(void)read_object(r, f->fields, f->field_count, place, item, to);
		else
			wrong(r, place, "must be an object, not %s", kind_name(item));
	}
	*out = (struct gm_body_objects){ items, count };
	return r->rc == 0;
}

static bool read_nested(struct reader *r, const struct gm_body_field *f, const char *pointer, json_t *v, char *out)
{
	if (!json_is_object(v)) {
		wrong(r, pointer, "must be an object, not %s", kind_name(v));
		return false;
	}
	(void)read_object(r, f->fields, f->field_count, pointer, v, out);
	return r->rc == 0;
}

static bool read_pair(struct reader *r, const char *above, const char *key, const json_t *value,
		      struct gm_body_pair *out)
{
	const struct gm_str name = gm_str(key);
	char pointer[POINTER_SIZE];

	make_pointer(pointer, above, key);
	if (name.n == 0 || name.n > TEXT_MAX_DEFAULT || !gm_str_plain_ok(name)) {
		wrong(r, pointer, "its name must have 1 to %d bytes without control characters", TEXT_MAX_DEFAULT);
		return false;
	}
	char *copy = gm_arena_dup(r->arena, name);
	if (!copy)
		return no_memory(r);
	out->key = gm_str_n(copy, name.n);
	return read_text(r, pointer, value, 0, TEXT_MAX_DEFAULT, &out->value);
}

static bool read_map(struct reader *r, const struct gm_body_field *f, const char *pointer, json_t *v,
		     struct gm_body_map *out)
{
	const size_t most = f->max > 0 ? (size_t)f->max : TEXTS_MAX_DEFAULT, count = json_object_size(v);
	struct gm_body_pair *items;
	const char *key;
	json_t *value;
	bool fine = true;
	size_t n = 0;

	if (!json_is_object(v)) {
		wrong(r, pointer, "must be an object of texts, not %s", kind_name(v));
		return false;
	}
	if (count > most || count < (size_t)f->min) {
		wrong(r, pointer, "must have %" PRId64 " to %zu pairs", f->min, most);
		return false;
	}
	items = gm_arena_array(r->arena, struct gm_body_pair, count + 1);
	if (!items)
		return no_memory(r);
	json_object_foreach(v, key, value) fine &= read_pair(r, pointer, key, value, &items[n++]);
	if (fine)
		*out = (struct gm_body_map){ items, count };
	return fine;
}

static bool read_member(struct reader *r, const struct gm_body_field *f, const char *pointer, json_t *v, char *place)
{
	void *member = place;

	switch (f->type) {
	case GM_BODY_TEXT:
		return read_text(r, pointer, v, f->min, f->max, member);
	case GM_BODY_INT:
		return read_int(r, f, pointer, v, member);
	case GM_BODY_BOOL:
		if (!json_is_boolean(v)) {
			wrong(r, pointer, "must be true or false");
			return false;
		}
		*(bool *)member = json_is_true(v);
		return true;
	case GM_BODY_FIXED:
		return read_fixed(r, f, pointer, v, member);
	case GM_BODY_TIME:
		return read_time(r, pointer, v, member);
	case GM_BODY_DURATION:
		return read_duration(r, f, pointer, v, member);
	case GM_BODY_CHOICE:
		return read_choice(r, f, pointer, v, member);
	case GM_BODY_TEXTS:
		return read_texts(r, pointer, v, f->min, f->max, member);
	case GM_BODY_OBJECTS:
		return read_objects(r, f, pointer, v, member);
	case GM_BODY_OBJECT:
		return read_nested(r, f, pointer, v, member);
	case GM_BODY_MAP:
		return read_map(r, f, pointer, v, member);
	}
	return false;
}

static void refuse_unknown(struct reader *r, const struct gm_body_field *fields, size_t count, const char *above,
			   json_t *json)
{
	char pointer[POINTER_SIZE];
	const char *key;
	json_t *value;

	json_object_foreach(json, key, value)
	{
		bool known = false;
		for (size_t i = 0; i < count && !known; i++)
			known = strcmp(fields[i].name, key) == 0;
		if (known)
			continue;
		make_pointer(pointer, above, key);
		wrong(r, pointer, "is not a field of this request");
	}
}

static uint64_t read_object(struct reader *r, const struct gm_body_field *fields, size_t count, const char *above,
			    json_t *json, char *out)
{
	char pointer[POINTER_SIZE];
	uint64_t present = 0;

	refuse_unknown(r, fields, count, above, json);
	for (size_t i = 0; i < count; i++) {
		const struct gm_body_field *f = &fields[i];
		json_t *v = json_object_get(json, f->name);
		make_pointer(pointer, above, f->name);
		if (v && json_is_null(v) && f->nullable)
			v = NULL;
		if (v && read_member(r, f, pointer, v, out + f->offset))
			present |= UINT64_C(1) << i;
		else if (!v && f->required)
			wrong(r, pointer, "is missing");
	}
	return present;
}

int gm_body_read(struct gm_str body, const struct gm_body_field *fields, size_t count, size_t out_size,
		 struct gm_arena *arena, void *out, uint64_t *out_present, struct gm_issues *issues, struct gm_err *err)
{
	struct reader r = { .arena = arena, .issues = issues, .err = err };
	GM_AUTO(json_free_p) json_t *json = NULL;
	int rc = parse(body.n ? body : GM_STR("{}"), &json, err);
	char *copy;

	assert(count <= GM_BODY_FIELDS_MAX);
	if (rc != 0)
		return rc;
	if (!json_is_object(json))
		return gm_fail(err, GM_ERR_INVALID, "the body must be an object, not %s", kind_name(json));
	/* Read into a copy: on failure the caller's struct stays as it was. */
	copy = gm_arena_alloc(arena, out_size);
	if (!copy)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for the body");
	memcpy(copy, out, out_size);
	uint64_t present = read_object(&r, fields, count, "", json, copy);
	if (r.rc != 0)
		return r.rc;
	memcpy(out, copy, out_size);
	if (out_present)
		*out_present = present;
	return 0;
}

int gm_body_read_texts(struct gm_str body, size_t max, struct gm_arena *arena, struct gm_body_texts *out,
		       struct gm_issues *issues, struct gm_err *err)
{
	struct reader r = { .arena = arena, .issues = issues, .err = err };
	GM_AUTO(json_free_p) json_t *json = NULL;
	int rc = parse(body, &json, err);

	if (rc != 0)
		return rc;
	(void)read_texts(&r, "", json, 0, (int64_t)max, out);
	return r.rc;
}
