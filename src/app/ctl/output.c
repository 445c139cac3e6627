/* SPDX-License-Identifier: MIT */
#include "app/ctl/output.h"

/* The code of U+007F to U+009F, which terminals may obey, at p[i]; 0: it is none of these. */
static unsigned control_at(struct gm_str s, size_t i)
{
	unsigned char c = (unsigned char)s.p[i];

	if (c == 0x7f)
		return c;
	if (c != 0xc2 || i + 1 >= s.n || (unsigned char)s.p[i + 1] >= 0xa0)
		return 0;
	return (unsigned char)s.p[i + 1];
}

static void add_quoted(struct gm_str text, struct gm_buf *out)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf quoted = { 0 };
	struct gm_json w;

	gm_json_init(&w, &quoted);
	gm_json_str(&w, text);
	for (size_t i = 0; i < quoted.n; i++) {
		unsigned code = control_at(gm_buf_str(&quoted), i);

		if (code)
			gm_buf_addf(out, "\\u%04x", code);
		else
			gm_buf_add_char(out, quoted.p[i]);
		i += code > 0x7f ? 1 : 0;
	}
}

static void add_scalar(const struct gm_jsonv *v, struct gm_buf *out)
{
	static const char *const words[] = {
		[GM_JSONV_NULL] = "null", [GM_JSONV_FALSE] = "false", [GM_JSONV_TRUE] = "true"
	};

	if (v->type == GM_JSONV_TEXT)
		add_quoted(v->text, out);
	else if (v->type == GM_JSONV_NUMBER)
		gm_buf_add_str(out, v->text);
	else
		gm_buf_add_cstr(out, words[v->type]);
}

static void indent(struct gm_buf *out, unsigned level)
{
	gm_buf_addf(out, "%*s", (int)(2 * level), "");
}

static void add_json(const struct gm_jsonv *v, unsigned level, bool pretty, struct gm_buf *out)
{
	bool object = v->type == GM_JSONV_OBJECT;

	if (v->type < GM_JSONV_LIST) {
		add_scalar(v, out);
		return;
	}
	gm_buf_add_char(out, object ? '{' : '[');
	gm_jsonv_each (v, item) {
		if (item != v->first)
			gm_buf_add_char(out, ',');
		if (pretty) {
			gm_buf_add_char(out, '\n');
			indent(out, level + 1);
		}
		if (object) {
			add_quoted(item->name, out);
			gm_buf_add_cstr(out, pretty ? ": " : ":");
		}
		add_json(item, level + 1, pretty, out);
	}
	if (pretty && v->first) {
		gm_buf_add_char(out, '\n');
		indent(out, level);
	}
	gm_buf_add_char(out, object ? '}' : ']');
}

void gm_ctl_json(const struct gm_jsonv *v, struct gm_buf *out)
{
	add_json(v, 0, true, out);
	gm_buf_add_char(out, '\n');
}

void gm_ctl_json_line(const struct gm_jsonv *v, struct gm_buf *out)
{
	add_json(v, 0, false, out);
	gm_buf_add_char(out, '\n');
}

/* A name that YAML reads as that text whatever it looks like. */
static bool is_bare(struct gm_str text)
{
	static const char *const others[] = { "y", "n", "yes", "no", "on", "off", "true", "false", "null" };

	if (text.n == 0 || !((text.p[0] >= 'a' && text.p[0] <= 'z') || (text.p[0] >= 'A' && text.p[0] <= 'Z')))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		      c == '-'))
			return false;
	}
	for (size_t i = 0; i < GM_LEN(others); i++)
		if (gm_str_ieq(text, gm_str(others[i])))
			return false;
	return true;
}

static void add_yaml_text(struct gm_str text, struct gm_buf *out)
{
	if (is_bare(text))
		gm_buf_add_str(out, text);
	else
		add_quoted(text, out);
}

static void add_yaml(const struct gm_jsonv *v, unsigned level, bool in_list, struct gm_buf *out);

/* Behind "name:" or "-". */
static void add_yaml_value(const struct gm_jsonv *v, unsigned level, bool behind_dash, struct gm_buf *out)
{
	if (v->type >= GM_JSONV_LIST && v->first) {
		gm_buf_add_char(out, behind_dash ? ' ' : '\n');
		add_yaml(v, level, behind_dash, out);
		return;
	}
	gm_buf_add_char(out, ' ');
	if (v->type == GM_JSONV_TEXT)
		add_yaml_text(v->text, out);
	else if (v->type >= GM_JSONV_LIST)
		gm_buf_add_cstr(out, v->type == GM_JSONV_LIST ? "[]" : "{}");
	else
		add_scalar(v, out);
	gm_buf_add_char(out, '\n');
}

/* The first line stands behind a dash when `begun`. */
static void add_yaml(const struct gm_jsonv *v, unsigned level, bool begun, struct gm_buf *out)
{
	gm_jsonv_each (v, item) {
		if (!(begun && item == v->first))
			indent(out, level);
		if (v->type == GM_JSONV_LIST) {
			gm_buf_add_char(out, '-');
			add_yaml_value(item, level + 1, true, out);
		} else {
			add_yaml_text(item->name, out);
			gm_buf_add_char(out, ':');
			add_yaml_value(item, level + 1, false, out);
		}
	}
}

void gm_ctl_yaml(const struct gm_jsonv *v, struct gm_buf *out)
{
	if (v->type >= GM_JSONV_LIST && v->first) {
		add_yaml(v, 0, false, out);
		return;
	}
	add_json(v, 0, false, out);
	gm_buf_add_char(out, '\n');
}

int gm_ctl_yaml_of(struct gm_str json, struct gm_buf *out, struct gm_err *err)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { .limit = (size_t)1 << 30 };
	struct gm_jsonv *v;
	int rc = gm_jsonv_parse(json, &arena, &v, err);

	if (rc == 0)
		gm_ctl_yaml(v, out);
	return rc;
}
