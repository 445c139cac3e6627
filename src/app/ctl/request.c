/* SPDX-License-Identifier: MIT */
#include "app/ctl/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter/httpc/call.h"
#include "app/ctl/output.h"
#include "base/alloc.h"

#define PAGE 1000 /* what the server gives at once */

static const void *value_of(const struct gm_ctl_run *run, const struct gm_option *o)
{
	return (const char *)run->args + o->offset;
}

static struct gm_str text_of(const struct gm_ctl_run *run, const struct gm_option *o)
{
	return gm_str(*(char *const *)value_of(run, o));
}

/* The value as one text, however it is of its type. */
static void add_text(const struct gm_ctl_run *run, const struct gm_option *row, struct gm_buf *out)
{
	if (row->type == GM_OPTION_TEXT)
		gm_buf_add_str(out, text_of(run, row));
	else
		gm_option_print(run->options, row, out);
}

void gm_ctl_fill(const struct gm_ctl_run *run, const char *text, bool escape, struct gm_buf *out)
{
	struct gm_str rest = gm_str(text);
	size_t brace;

	while ((brace = gm_str_find(rest, '{')) < rest.n) {
		size_t end = gm_str_find(rest, '}');
		GM_AUTO(gm_buf_fini_p) struct gm_buf value = { 0 };
		const struct gm_option *row =
			gm_option_find(run->options, gm_str_n(rest.p + brace + 1, end - brace - 1));

		gm_buf_add_str(out, gm_str_n(rest.p, brace));
		if (row)
			add_text(run, row, &value);
		if (escape)
			gm_httpc_escape(gm_buf_str(&value), out);
		else
			gm_ctl_add_plain(gm_buf_str(&value), out);
		rest = gm_str_n(rest.p + end + 1, rest.n - end - 1);
	}
	gm_buf_add_str(out, rest);
}

/* The command's options and operands; NULL behind the last. */
static const struct gm_ctl_option *option_at(const struct gm_ctl_command *c, size_t i)
{
	if (i < c->option_count)
		return &c->options[i];
	i -= c->option_count;
	return i < c->operand_count ? &c->operands[i] : NULL;
}

void gm_ctl_query(const struct gm_ctl_run *run, struct gm_buf *out)
{
	const struct gm_ctl_option *o;

	for (size_t i = 0; (o = option_at(run->command, i)) != NULL; i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf value = { 0 };

		if (!o->query || !gm_ctl_given(run, o->option.key))
			continue;
		add_text(run, gm_option_find(run->options, gm_str(o->option.key)), &value);
		gm_buf_addf(out, "%s%s=", out->n ? "&" : "", o->query);
		gm_httpc_escape(gm_buf_str(&value), out);
	}
}

static void write_list(const struct gm_option_list *list, struct gm_json *w)
{
	gm_json_array(w);
	for (size_t i = 0; i < list->count; i++)
		gm_json_cstr(w, list->items[i]);
	gm_json_end_array(w);
}

static void write_map(const struct gm_option_map *map, struct gm_json *w)
{
	gm_json_object(w);
	for (size_t i = 0; i < map->count; i++) {
		gm_json_key_str(w, gm_str(map->items[i].key));
		gm_json_cstr(w, map->items[i].value);
	}
	gm_json_end_object(w);
}

static void write_value(const struct gm_ctl_run *run, const struct gm_ctl_option *o, struct gm_json *w)
{
	const struct gm_option *row = gm_option_find(run->options, gm_str(o->option.key));
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	const void *value = value_of(run, row);

	switch (row->type) {
	case GM_OPTION_BOOL:
		gm_json_bool(w, *(const bool *)value);
		return;
	case GM_OPTION_INT:
	case GM_OPTION_BYTES:
		gm_json_i64(w, *(const int64_t *)value);
		return;
	case GM_OPTION_DURATION:
		gm_json_i64(w, *(const int64_t *)value / 1000);
		return;
	case GM_OPTION_MONEY:
		gm_json_fixed(w, *(const int64_t *)value, 6);
		return;
	case GM_OPTION_LIST:
		write_list(value, w);
		return;
	case GM_OPTION_MAP:
		write_map(value, w);
		return;
	case GM_OPTION_TEXT:
	case GM_OPTION_ENUM:
		add_text(run, row, &text);
		gm_json_str(w, gm_buf_str(&text));
		return;
	case GM_OPTION_SECRET:
	case GM_OPTION_MAPS:
		gm_json_null(w);
		return;
	}
}

/* Writes the members whose name is below `above`; each nested object once, at its first member. */
static void write_members(const struct gm_ctl_run *run, struct gm_str above, struct gm_json *w)
{
	const struct gm_ctl_option *o;
	struct gm_str last = { 0 };

	for (size_t i = 0; (o = option_at(run->command, i)) != NULL; i++) {
		struct gm_str name = gm_str(o->json), part;

		if (!o->json || !gm_ctl_given(run, o->option.key) || !gm_str_starts(name, above))
			continue;
		name = gm_str_n(name.p + above.n, name.n - above.n);
		part = gm_str_n(name.p, gm_str_find(name, '.'));
		if (part.n == name.n) {
			gm_json_key_str(w, name);
			write_value(run, o, w);
		} else if (!gm_str_eq(part, last)) {
			last = part;
			gm_json_key_str(w, part);
			gm_json_object(w);
			write_members(run, gm_str_n(o->json, above.n + part.n + 1), w);
			gm_json_end_object(w);
		}
	}
}

void gm_ctl_body(const struct gm_ctl_run *run, struct gm_json *w)
{
	write_members(run, GM_STR(""), w);
}

static bool has_body(const struct gm_ctl_command *c)
{
	const struct gm_ctl_option *o;

	for (size_t i = 0; (o = option_at(c, i)) != NULL; i++)
		if (o->json)
			return true;
	return false;
}

static void make_body(const struct gm_ctl_run *run, struct gm_buf *out)
{
	struct gm_json w;

	if (!has_body(run->command))
		return;
	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_ctl_body(run, &w);
	gm_json_end_object(&w);
}

int gm_ctl_show(const struct gm_ctl_run *run, const struct gm_ctl_view *view, const struct gm_jsonv *answer,
		struct gm_err *err)
{
	struct gm_ctl_show show = { .wide = run->output == GM_CTL_OUTPUT_WIDE,
				    .headings = !run->globals->no_headers,
				    .colors = run->colors,
				    .now_ms = gm_wall_ms(run->clock) };

	if (!answer)
		return 0;
	if (run->globals->names_only && view)
		gm_ctl_view_names(view, answer, run->out);
	else if (run->output == GM_CTL_OUTPUT_JSON)
		gm_ctl_json(answer, run->out);
	else if (run->output == GM_CTL_OUTPUT_YAML)
		gm_ctl_yaml(answer, run->out);
	else if (view)
		gm_ctl_view_show(view, answer, &show, run->out);
	return run->out->failed ? gm_fail(err, GM_ERR_NO_MEMORY, "no memory for the answer") : 0;
}

/* Puts the items of a further page behind those that are there. */
static void append(struct gm_ctl_answer *list, struct gm_ctl_answer *page)
{
	const struct gm_jsonv *have = gm_jsonv_get(list->json, GM_STR("items"));
	const struct gm_jsonv *come = gm_jsonv_get(page->json, GM_STR("items"));
	const struct gm_jsonv *next = gm_jsonv_get(page->json, GM_STR("next"));
	struct gm_jsonv **end = NULL;

	for (struct gm_jsonv *m = list->json->first; m; m = m->next) {
		if (m == have) {
			for (end = &m->first; *end; end = &(*end)->next)
				;
			*end = come ? come->first : NULL;
			m->count += come ? come->count : 0;
		} else if (gm_str_is(m->name, "next")) {
			m->type = next ? next->type : GM_JSONV_NULL;
			m->text = next ? next->text : gm_str_n(NULL, 0);
		}
	}
}

static int fetch_page(const struct gm_ctl_run *run, const char *path, struct gm_str query, int64_t limit,
		      struct gm_str cursor, struct gm_ctl_answer *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf full = { 0 };

	gm_buf_add_str(&full, query);
	if (limit > 0)
		gm_buf_addf(&full, "%slimit=%" PRId64, full.n ? "&" : "", limit < PAGE ? limit : PAGE);
	if (cursor.n) {
		gm_buf_add_cstr(&full, "&cursor=");
		gm_httpc_escape(cursor, &full);
	}
	return gm_ctl_ask(run->client,
			  &(struct gm_ctl_ask){ .method = "GET", .path = path, .query = gm_buf_str(&full) }, out, err);
}

int gm_ctl_fetch(const struct gm_ctl_run *run, const char *path, struct gm_str query, struct gm_ctl_answer *out,
		 struct gm_err *err)
{
	bool pages = (run->command->flags & GM_CTL_PAGES) != 0;
	int64_t limit = pages ? run->globals->limit : 0;
	int rc = fetch_page(run, path, query, limit, gm_str_n(NULL, 0), out, err);
	struct gm_ctl_answer **end = &out->more;

	while (rc == 0 && pages) {
		const struct gm_jsonv *items = gm_jsonv_get(out->json, GM_STR("items"));
		struct gm_str cursor = gm_jsonv_text(gm_jsonv_get(out->json, GM_STR("next")));

		if (!items || cursor.n == 0 || items->count >= limit)
			break;
		*end = gm_xalloc(sizeof(**end));
		rc = fetch_page(run, path, query, limit - items->count, cursor, *end, err);
		if (rc == 0)
			append(out, *end);
		end = &(*end)->more;
		gm_ctl_progress_step(run->progress, "items", items->count, (uint64_t)limit);
	}
	return rc;
}

/* A list that goes on says so, beside what scripts read. */
static void say_more(const struct gm_ctl_run *run, const struct gm_ctl_answer *answer)
{
	if ((run->command->flags & GM_CTL_PAGES) && run->output <= GM_CTL_OUTPUT_WIDE &&
	    gm_jsonv_text(gm_jsonv_get(answer->json, GM_STR("next"))).n)
		(void)fprintf(stderr, "gpuctl: there are more than these %" PRId64 "; --limit shows them\n",
			      run->globals->limit);
}

static int run_get(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct gm_ctl_request *r = run->command->request;
	GM_AUTO(gm_ctl_answer_fini_p) struct gm_ctl_answer answer = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf path = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf query = { 0 };
	int rc;

	gm_ctl_fill(run, r->path, true, &path);
	gm_ctl_query(run, &query);
	if (run->globals->watch)
		return gm_ctl_watch(run, gm_buf_cstr(&path), gm_buf_str(&query), err);
	rc = gm_ctl_fetch(run, gm_buf_cstr(&path), gm_buf_str(&query), &answer, err);
	if (rc == 0)
		rc = gm_ctl_show(run, r->view, answer.json, err);
	if (rc == 0)
		say_more(run, &answer);
	return rc;
}

static int show_dry(const struct gm_ctl_run *run, const char *path, struct gm_str query, struct gm_str body,
		    struct gm_err *err)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_jsonv *json;
	int rc;

	gm_buf_addf(run->out, "would %s %s/api/v1%s%s%.*s\n", run->command->request->method,
		    gm_ctl_client_server(run->client), path, query.n ? "?" : "", GM_STR_ARG(query));
	if (body.n == 0)
		return 0;
	rc = gm_jsonv_parse(body, &arena, &json, err);
	if (rc == 0)
		gm_ctl_json(json, run->out);
	return rc;
}

static int run_change(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct gm_ctl_request *r = run->command->request;
	bool dry = run->globals->dry_run;
	GM_AUTO(gm_ctl_answer_fini_p) struct gm_ctl_answer answer = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf path = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf query = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf words = { 0 };
	int rc;

	gm_ctl_fill(run, dry && r->dry_path ? r->dry_path : r->path, true, &path);
	gm_ctl_query(run, &query);
	make_body(run, &body);
	if (dry && !r->dry_path)
		return show_dry(run, gm_buf_cstr(&path), gm_buf_str(&query), gm_buf_str(&body), err);
	if (r->question) {
		gm_ctl_fill(run, r->question, false, &words);
		rc = gm_ctl_confirm(run, gm_buf_cstr(&words), err);
		if (rc < 0)
			return rc;
		gm_buf_reset(&words);
	}
	rc = gm_ctl_ask(run->client,
			&(struct gm_ctl_ask){ .method = dry ? r->dry_method : r->method,
					      .path = gm_buf_cstr(&path),
					      .query = gm_buf_str(&query),
					      .body = gm_buf_str(&body) },
			&answer, err);
	if (rc < 0)
		return rc;
	if (r->done && !dry && !run->globals->names_only && (!answer.json || run->output <= GM_CTL_OUTPUT_WIDE)) {
		gm_ctl_fill(run, r->done, false, &words);
		gm_buf_addf(run->out, "%s\n", gm_buf_cstr(&words));
	}
	return gm_ctl_show(run, dry && r->dry_view ? r->dry_view : r->view, answer.json, err);
}

int gm_ctl_request_run(const struct gm_ctl_run *run, struct gm_err *err)
{
	return strcmp(run->command->request->method, "GET") == 0 ? run_get(run, err) : run_change(run, err);
}
