/* SPDX-License-Identifier: MIT */
#include "app/agent/render.h"

#include <stdio.h>
#include <string.h>

#include "adapter/scrape/agent-format.h"
#include "adapter/scrape/unit.h"
#include "app/agent/render-internal.h"
#include "base/alloc.h"

/* The families that our server reads, by the table it reads them by. */
struct value_family {
	const char *name;
	uint8_t field, unit;
	enum gm_promtext_type type;
	const char *help;
};
static const struct value_family value_families[] = {
#define VALUE_FAMILY(field, name, unit, type, help)                                                                    \
	{ GM_AGENT_PREFIX name, GM_FIELD_##field, GM_UNIT_##unit, GM_PROMTEXT_##type, help },
	GM_AGENT_FAMILY_LIST(VALUE_FAMILY)
#undef VALUE_FAMILY
};

_Static_assert(GM_LEN(value_families) == GM_FIELD_COUNT, "each field has a family");

static const struct value_family *family_of(uint8_t field)
{
	const struct value_family *f = value_families;

	while (f->field != field)
		f++;
	return f;
}

/* Of each field of a window three families, named behind the field's own. */
static void name_windows(struct gm_render *r)
{
	static const char *const parts[GM_RENDER_WINDOW_PARTS][2] = {
		{ "min", "least" },
		{ "avg", "mean" },
		{ "max", "most" },
	};

	for (size_t i = 0; i < GM_WINDOW_FIELD_COUNT; i++) {
		const struct value_family *f = family_of(gm_window_field_of[i]);

		for (size_t k = 0; k < GM_RENDER_WINDOW_PARTS; k++) {
			struct gm_render_window *w = &r->windows[i][k];

			(void)snprintf(w->name, sizeof(w->name), "%s_window_%s", f->name, parts[k][0]);
			(void)snprintf(w->help, sizeof(w->help), "%s: %s of the window", f->help, parts[k][1]);
			w->unit = f->unit;
		}
	}
}

struct gm_render *gm_render_new(void)
{
	struct gm_render *r = gm_xalloc(sizeof(*r));

	name_windows(r);
	return r;
}

void gm_render_free(struct gm_render *r)
{
	if (!r)
		return;
	gm_vec_fini(&r->things);
	gm_buf_fini(&r->labels);
	free(r);
}

bool gm_view_has_values(const struct gm_agent_view *view)
{
	return view->state == GM_AGENT_WORKING || view->state == GM_AGENT_HUNG;
}

/* Text that came from outside: a page with one bad byte would be refused as a whole. */
static void add_escaped(struct gm_buf *out, struct gm_str s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		const unsigned char c = (unsigned char)s.p[i];

		n = gm_str_utf8_length(gm_str_n(s.p + i, s.n - i));
		if (n == 0 || (n == 1 && (c < 0x20 || c == 0x7f)) ||
		    (n == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)) {
			gm_buf_add_char(out, '?');
			n = n ? n : 1;
			continue;
		}
		if (c == '\\' || c == '"')
			gm_buf_add_char(out, '\\');
		gm_buf_add(out, s.p + i, n);
	}
}

void gm_render_label(struct gm_buf *out, bool first, const char *name, struct gm_str value)
{
	gm_buf_add_char(out, first ? '{' : ',');
	gm_buf_add_cstr(out, name);
	gm_buf_add(out, "=\"", 2);
	add_escaped(out, value);
	gm_buf_add_char(out, '"');
}

void gm_render_family(struct gm_render *r, const char *name, enum gm_promtext_type type, const char *help)
{
	r->head_due = true;
	r->name = name;
	r->line_name = gm_str(name);
	r->type = type;
	r->help = help;
}

/* Names of others may be what the writer of ours refuses: counters without _total, which OpenMetrics knows no type for. */
static void write_foreign_head(struct gm_render *r)
{
	const bool counter = r->type == GM_PROMTEXT_COUNTER;
	const char *type = !counter ? "gauge" : r->writer.format == GM_PROMTEXT_004 ? "counter" : "unknown";

	gm_buf_addf(r->writer.out, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->help, r->name, type);
}

static void write_head(struct gm_render *r)
{
	r->head_due = false;
	if (gm_str_starts(r->line_name, GM_STR(GM_AGENT_PREFIX)))
		gm_promtext_family(&r->writer, r->name, r->type, r->help);
	else
		write_foreign_head(r);
}

struct gm_buf *gm_render_line(struct gm_render *r, struct gm_str labels)
{
	struct gm_buf *out = r->writer.out;
	char *p;

	if (gm_unlikely(r->head_due))
		write_head(r);
	p = gm_buf_reserve(out, r->line_name.n + labels.n);
	if (p) {
		memcpy(p, r->line_name.p, r->line_name.n);
		if (labels.n)
			memcpy(p + r->line_name.n, labels.p, labels.n);
		gm_buf_advance(out, r->line_name.n + labels.n);
	}
	return out;
}

static void add_thing(struct gm_render *r, const struct gm_agent_board *board, const struct gm_reading_instance *it)
{
	struct gm_render_thing *t = gm_vec_add(&r->things);

	t->board = board;
	t->instance = it;
	t->sample = it ? &it->sample : &board->reading.sample;
	t->label_at = (uint32_t)r->labels.n;
	gm_render_label(&r->labels, true, "uuid", gm_str(board->reading.facts.uuid));
	if (it) {
		gm_render_label_i64(&r->labels, false, "gi", it->gi);
		gm_render_label_i64(&r->labels, false, "ci", it->ci);
	}
	t->label_n = (uint32_t)r->labels.n - t->label_at;
}

static bool instance_seen(const struct gm_reading *reading, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (reading->instances[k].gi == reading->instances[i].gi &&
		    reading->instances[k].ci == reading->instances[i].ci)
			return true;
	return false;
}

static bool board_seen(const struct gm_agent_view *view, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (strcmp(view->boards[k].reading.facts.uuid, view->boards[i].reading.facts.uuid) == 0)
			return true;
	return false;
}

/* A series twice makes the whole page worthless, so whatever a driver in trouble says, each thing is taken once. */
static void collect_things(struct gm_render *r, const struct gm_agent_view *view)
{
	gm_vec_reset(&r->things);
	gm_buf_reset(&r->labels);
	for (unsigned i = 0; i < view->board_count; i++) {
		const struct gm_agent_board *board = &view->boards[i];

		if (!board->reading.facts.uuid[0] || board_seen(view, i))
			continue;
		add_thing(r, board, NULL);
		for (uint32_t k = 0; k < board->reading.instance_count && k < GM_READING_INSTANCES_MAX; k++)
			if (board->reading.instances[k].gi >= 0 && !instance_seen(&board->reading, k))
				add_thing(r, board, &board->reading.instances[k]);
	}
}

static void end_value(struct gm_buf *out, int64_t value, uint8_t unit)
{
	const struct gm_unit_info *u = &gm_unit_table[unit];

	if (__builtin_mul_overflow(value, (int64_t)u->div, &value))
		value = INT64_MAX;
	gm_render_end_fixed(out, value / u->mul, u->decimals);
}

static void add_quality(struct gm_buf *out, enum gm_source source, enum gm_validity validity)
{
	if (source == GM_SOURCE_GPM)
		gm_buf_add_str(out, GM_STR(",source=\"gpm\""));
	if (validity == GM_DERIVED)
		gm_buf_add_str(out, GM_STR(",quality=\"derived\""));
	else if (validity == GM_ESTIMATED)
		gm_buf_add_str(out, GM_STR(",quality=\"estimated\""));
}

static void render_values(struct gm_render *r)
{
	for (size_t i = 0; i < GM_LEN(value_families); i++) {
		const struct value_family *f = &value_families[i];

		gm_render_family(r, f->name, f->type, f->help);
		gm_vec_each (&r->things, t) {
			if (!gm_sample_has(t->sample, f->field))
				continue;
			struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));
			add_quality(out, t->sample->source[f->field], t->sample->validity[f->field]);
			end_value(out, t->sample->value[f->field], f->unit);
		}
	}
}

static void render_sample_times(struct gm_render *r)
{
	gm_render_family(r, GM_AGENT_SAMPLE_TIME, GM_PROMTEXT_GAUGE,
			 "When the values of the board, or of the instance, were taken");
	gm_vec_each (&r->things, t)
		if (t->sample->at_ms > 0)
			gm_render_end_fixed(gm_render_line(r, gm_render_labels(r, t)), t->sample->at_ms, 3);
}

static void render_unavailable(struct gm_render *r)
{
	gm_render_family(r, GM_AGENT_UNAVAILABLE, GM_PROMTEXT_GAUGE, "A value that there is none of, and why");
	gm_vec_each (&r->things, t) {
		for (size_t f = 0; f < GM_FIELD_COUNT; f++) {
			const uint8_t validity = t->sample->validity[f];

			if (validity == GM_ABSENT || gm_sample_has(t->sample, (enum gm_field)f))
				continue;
			struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));
			gm_buf_add_str(out, GM_STR(",field=\""));
			gm_buf_add_cstr(out, gm_field_table[f].name);
			gm_buf_add_str(out, validity == GM_UNSUPPORTED ? GM_STR("\",reason=\"unsupported\"")
								       : GM_STR("\",reason=\"error\""));
			if (t->sample->source[f] == GM_SOURCE_GPM)
				gm_buf_add_str(out, GM_STR(",source=\"gpm\""));
			gm_render_end_i64(out, 1);
		}
	}
}

static int64_t window_part(const struct gm_window_value *v, size_t part)
{
	return part == 0 ? v->least : part == 1 ? v->mean : v->most;
}

static void render_window(struct gm_render *r, size_t field, size_t part)
{
	const struct gm_render_window *w = &r->windows[field][part];

	gm_render_family(r, w->name, GM_PROMTEXT_GAUGE, w->help);
	gm_vec_each (&r->things, t) {
		struct gm_window_value v;

		if (t->instance)
			continue;
		gm_window_show(&t->board->window, r->in->window_ms, r->in->mono_ms, (enum gm_window_field)field, &v);
		if (v.count > 0)
			end_value(gm_render_line(r, gm_render_labels(r, t)), window_part(&v, part), w->unit);
	}
}

static void render_windows(struct gm_render *r)
{
	for (size_t i = 0; i < GM_WINDOW_FIELD_COUNT; i++)
		for (size_t k = 0; k < GM_RENDER_WINDOW_PARTS; k++)
			render_window(r, i, k);
}

void gm_render_metrics(struct gm_render *r, const struct gm_render_input *in, enum gm_promtext_format format,
		       struct gm_buf *out)
{
	r->in = in;
	gm_promtext_writer_init(&r->writer, out, format);
	collect_things(r, in->view);
	gm_render_agent(r);
	gm_render_board_facts(r);
	if (gm_view_has_values(in->view)) {
		render_sample_times(r);
		render_values(r);
		render_unavailable(r);
		render_windows(r);
		if (in->dcgm_names)
			gm_render_dcgm(r);
	}
	gm_promtext_end(&r->writer);
}
