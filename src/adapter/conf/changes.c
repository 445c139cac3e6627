/* SPDX-License-Identifier: MIT */
#include "adapter/conf/changes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"

static void list_add(struct gm_option_list *l, const char *text)
{
	size_t capacity = l->count;

	l->items = gm_vec_grow(l->items, &capacity, sizeof(*l->items), l->count + 1);
	l->items[l->count++] = gm_xstrdup(text);
}

void gm_conf_changes_find(const struct gm_options *before, struct gm_options *now, struct gm_conf_changes *out)
{
	*out = (struct gm_conf_changes){ 0 };
	for (size_t i = 0; i < now->count; i++) {
		const struct gm_option *opt = &now->table[i];
		if (gm_option_same(before, now, opt))
			continue;
		list_add(opt->live ? &out->live : &out->restart, opt->key);
		if (!opt->live)
			gm_option_copy(now, before, opt);
	}
}

void gm_conf_changes_fini(struct gm_conf_changes *c)
{
	gm_option_list_fini(&c->live);
	gm_option_list_fini(&c->restart);
}

void gm_conf_warn(struct gm_option_list *warnings, const char *fmt, ...)
{
	char text[500];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	list_add(warnings, text);
}

/* What Kubernetes sets for a service of that name: GPU_AGENT_PORT=tcp://.., GPU_AGENT_SERVICE_HOST=.. */
static bool is_service_link(struct gm_str variable)
{
	return gm_str_icontains(variable, GM_STR("_SERVICE_HOST=")) ||
	       gm_str_icontains(variable, GM_STR("_SERVICE_PORT")) || gm_str_icontains(variable, GM_STR("_PORT=")) ||
	       gm_str_icontains(variable, GM_STR("_PORT_"));
}

void gm_conf_warn_environment(const struct gm_options *o, char *const *environment, const char *prefix,
			      struct gm_option_list *warnings)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf name = { 0 };

	for (char *const *e = environment; e && *e; e++) {
		size_t n = strcspn(*e, "=");
		bool known = strncmp(*e, prefix, strlen(prefix)) != 0 || is_service_link(gm_str(*e));
		for (size_t i = 0; !known && i < o->count; i++) {
			gm_buf_reset(&name);
			gm_option_env_name(&o->table[i], &name);
			known = gm_str_eq(gm_buf_str(&name), gm_str_n(*e, n)) ||
				(o->table[i].env && gm_str_is(gm_str_n(*e, n), o->table[i].env));
		}
		if (!known)
			gm_conf_warn(warnings, "%.*s: no setting has this name, it is ignored",
				     (int)(n < 200 ? n : 200), *e);
	}
}

static const char *place(const struct gm_options *o, const char *key)
{
	return gm_option_origin(o, gm_option_find(o, gm_str(key)))->where;
}

static bool is_set(const struct gm_options *o, const char *key)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf value = { 0 };

	gm_option_print(o, gm_option_find(o, gm_str(key)), &value);
	return value.n > 0;
}

int gm_conf_check_pair(const struct gm_options *o, const char *a_key, const char *b_key, struct gm_err *err)
{
	const bool a = is_set(o, a_key), b = is_set(o, b_key);

	if (a == b)
		return 0;
	return gm_fail_at(err, GM_ERR_INVALID, place(o, a ? a_key : b_key), "%s is set, but %s is not",
			  a ? a_key : b_key, a ? b_key : a_key);
}

int gm_conf_fail(const struct gm_options *o, const char *key, struct gm_err *err, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return gm_fail_at(err, GM_ERR_INVALID, place(o, key), "%s: %s", key, text);
}

/* Texts that YAML would take for something else, or not at all, stand in quotes. */
static bool is_safe_text(struct gm_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		bool inner = strchr("-_./~", c) || (c == ':' && i + 1 < s.n && s.p[i + 1] != ' ');
		if (!alnum && !(inner && (i > 0 || c == '/')))
			return false;
	}
	return s.n > 0 && !gm_str_ieq(s, GM_STR("true")) && !gm_str_ieq(s, GM_STR("false")) &&
	       !gm_str_ieq(s, GM_STR("null"));
}

static void print_text(struct gm_str s, struct gm_buf *out)
{
	if (is_safe_text(s))
		gm_buf_add_str(out, s);
	else
		gm_option_quote(s, out);
}

static void print_row(const struct gm_options *o, const struct gm_option *opt, struct gm_buf *out)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf value = { 0 };
	size_t begin = out->n;

	gm_option_print(o, opt, &value);
	if (opt->type == GM_OPTION_SECRET && value.n > 0)
		gm_buf_add_cstr(out, "# "); /* a mask is no value to be read back */
	gm_buf_addf(out, "%s: ", opt->key);
	if (opt->type == GM_OPTION_TEXT || (opt->type == GM_OPTION_SECRET && value.n == 0))
		print_text(gm_buf_str(&value), out);
	else
		gm_buf_add_str(out, gm_buf_str(&value));
	do
		gm_buf_add_char(out, ' ');
	while (out->n - begin < 64);
	gm_buf_addf(out, "# %s\n", gm_option_origin(o, opt)->where);
}

void gm_conf_print(const struct gm_options *o, struct gm_buf *out)
{
	for (size_t i = 0; i < o->count; i++)
		print_row(o, &o->table[i], out);
}
