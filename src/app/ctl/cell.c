/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "app/ctl/view.h"
#include "base/clock.h"
#include "base/parse.h"

/* The words of states: of devices, nodes, allocations, operations and sources. */
static const struct {
	struct gm_str word;
	const char *mark;
	enum gm_term_color color;
} states[] = {
#define STATE(word, mark, color) { { word, sizeof(word) - 1 }, mark, GM_TERM_##color },
#define DOT "\xe2\x97\x8f"
#define TRIANGLE "\xe2\x96\xb2"
#define CROSS "\xe2\x9c\x96"
#define RING "\xe2\x97\x8b"
	STATE("Bound", DOT, GOOD) STATE("Expired", RING, FAINT) STATE("Failed", CROSS, BAD)
		STATE("Pending", TRIANGLE, WARN) STATE("Provisioning", TRIANGLE, WARN) STATE("Released", RING, FAINT)
			STATE("Reserved", DOT, GOOD) STATE("busy", DOT, GOOD) STATE("created", DOT, GOOD) STATE(
				"degraded", TRIANGLE, WARN) STATE("down", CROSS, BAD) STATE("failed", CROSS, BAD)
				STATE("feasible", DOT, GOOD) STATE("granted", DOT, GOOD) STATE("idle", RING, FAINT)
					STATE("kept", RING, FAINT) STATE("ok", DOT, GOOD) STATE("pending", TRIANGLE,
												WARN)
						STATE("ready", DOT, GOOD) STATE("refused", CROSS, BAD) STATE("reserved",
													     DOT, WARN)
							STATE("running", TRIANGLE, WARN) STATE("stale", TRIANGLE, WARN)
								STATE("stuck", CROSS, BAD) STATE("succeeded", DOT, GOOD)
									STATE("undone", CROSS, BAD) STATE("unknown",
													  RING, FAINT)
										STATE("up", DOT, GOOD)
											STATE("waiting", TRIANGLE, WARN)
#undef STATE
};

bool gm_ctl_format_to_the_right(enum gm_ctl_format format)
{
	switch (format) {
	case GM_CTL_NUMBER:
	case GM_CTL_DECIMAL:
	case GM_CTL_PERCENT:
	case GM_CTL_SHARE:
	case GM_CTL_MIB:
	case GM_CTL_MONEY:
	case GM_CTL_WATTS:
	case GM_CTL_CELSIUS:
	case GM_CTL_SECONDS:
	case GM_CTL_COUNT:
		return true;
	case GM_CTL_TEXT:
	case GM_CTL_STATE:
	case GM_CTL_AGE:
	case GM_CTL_TIME:
		return false;
	}
	return false;
}

void gm_ctl_add_plain(struct gm_str text, struct gm_buf *out)
{
	while (text.n > 0) {
		size_t n = gm_str_utf8_length(text);
		unsigned char c = (unsigned char)text.p[0];
		/* U+0080 to U+009F are control characters too, and some terminals obey them. */
		bool control = c < 0x20 || c == 0x7f || (n == 2 && c == 0xc2 && (unsigned char)text.p[1] < 0xa0);

		if (n == 0 || control)
			gm_buf_add_cstr(out, "\xef\xbf\xbd");
		else
			gm_buf_add(out, text.p, n);
		n = n ? n : 1;
		text = gm_str_n(text.p + n, text.n - n);
	}
}

static void add_value(const struct gm_jsonv *v, struct gm_buf *out)
{
	const char *between = "";

	switch (v->type) {
	case GM_JSONV_NULL:
		gm_buf_add_cstr(out, GM_CTL_MISSING);
		return;
	case GM_JSONV_FALSE:
	case GM_JSONV_TRUE:
		gm_buf_add_cstr(out, v->type == GM_JSONV_TRUE ? "yes" : "no");
		return;
	case GM_JSONV_NUMBER:
		gm_buf_add_str(out, v->text);
		return;
	case GM_JSONV_TEXT:
		gm_ctl_add_plain(v->text, out);
		return;
	case GM_JSONV_LIST:
	case GM_JSONV_OBJECT:
		if (!v->first)
			gm_buf_add_cstr(out, "none");
		gm_jsonv_each (v, item) {
			gm_buf_add_cstr(out, between);
			between = ", ";
			if (v->type == GM_JSONV_OBJECT) {
				gm_ctl_add_plain(item->name, out);
				gm_buf_add_char(out, '=');
			}
			add_value(item, out);
		}
		return;
	}
}

static void add_mib(double mib, struct gm_buf *out)
{
	static const char *const units[] = { "MiB", "GiB", "TiB", "PiB" };
	size_t unit = 0;

	while (mib >= 1024 && unit + 1 < GM_LEN(units)) {
		mib /= 1024;
		unit++;
	}
	gm_buf_addf(out, unit ? "%.1f %s" : "%.0f %s", mib, units[unit]);
}

static void add_money(int64_t micros, const struct gm_jsonv *item, struct gm_buf *out)
{
	struct gm_str currency = gm_jsonv_text(gm_jsonv_get(item, GM_STR("currency")));
	size_t begin = out->n, point;

	gm_buf_add_fixed(out, micros, 6);
	point = gm_str_find(gm_str_n(out->p + begin, out->n - begin), '.') + begin;
	if (point == out->n)
		gm_buf_add_char(out, '.');
	while (out->n < point + 3 && !out->failed)
		gm_buf_add_char(out, '0');
	if (currency.n) {
		gm_buf_add_char(out, ' ');
		gm_ctl_add_plain(currency, out);
	}
}

void gm_ctl_add_span(int64_t ms, struct gm_buf *out)
{
	static const struct {
		int64_t ms;
		char unit;
	} units[] = { { 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' } };

	for (size_t i = 0; i < GM_LEN(units); i++)
		if (ms >= 2 * units[i].ms) {
			gm_buf_addf(out, "%" PRId64 "%c", ms / units[i].ms, units[i].unit);
			return;
		}
	gm_buf_addf(out, "%" PRId64 "s", ms / 1000);
}

static bool add_age(const struct gm_jsonv *v, int64_t now_ms, struct gm_buf *out)
{
	int64_t at;

	if (!gm_time_parse(gm_jsonv_text(v), &at))
		return false;
	if (at > now_ms)
		gm_buf_add_cstr(out, "in ");
	gm_ctl_add_span(at > now_ms ? at - now_ms : now_ms - at, out);
	return true;
}

static bool add_number(enum gm_ctl_format format, const struct gm_jsonv *v, struct gm_buf *out)
{
	double d;

	if (!gm_jsonv_f64(v, &d))
		return false;
	switch ((int)format) {
	case GM_CTL_DECIMAL:
		gm_buf_addf(out, "%.1f", d);
		break;
	case GM_CTL_PERCENT:
		gm_buf_addf(out, "%.1f %%", d);
		break;
	case GM_CTL_SHARE:
		gm_buf_addf(out, "%.1f %%", d * 100);
		break;
	case GM_CTL_MIB:
		add_mib(d, out);
		break;
	case GM_CTL_WATTS:
		gm_buf_addf(out, "%.0f W", d);
		break;
	case GM_CTL_CELSIUS:
		gm_buf_addf(out,
			    "%.0f \xc2\xb0"
			    "C",
			    d);
		break;
	case GM_CTL_SECONDS:
		gm_ctl_add_span((int64_t)(d * 1000), out);
		break;
	default:
		gm_buf_add_str(out, v->text);
	}
	return true;
}

static enum gm_term_color add_state(const struct gm_jsonv *v, struct gm_buf *out)
{
	for (size_t i = 0; i < GM_LEN(states); i++)
		if (gm_str_eq(gm_jsonv_text(v), states[i].word)) {
			gm_buf_addf(out, "%s ", states[i].mark);
			gm_buf_add_str(out, states[i].word);
			return states[i].color;
		}
	add_value(v, out);
	return GM_TERM_PLAIN;
}

/* False, nothing added: it is not of this format, so not known. */
static bool add_formatted(enum gm_ctl_format format, const struct gm_jsonv *v, const struct gm_jsonv *item,
			  int64_t now_ms, struct gm_buf *out, enum gm_term_color *color)
{
	int64_t micros;

	switch (format) {
	case GM_CTL_TEXT:
	case GM_CTL_TIME:
		add_value(v, out);
		return true;
	case GM_CTL_STATE:
		*color = add_state(v, out);
		return true;
	case GM_CTL_AGE:
		return add_age(v, now_ms, out);
	case GM_CTL_COUNT:
		if (v->type < GM_JSONV_LIST)
			return false;
		gm_buf_add_u64(out, v->count);
		return true;
	case GM_CTL_MONEY:
		if (!gm_jsonv_fixed(v, 6, &micros))
			return false;
		add_money(micros, item, out);
		return true;
	case GM_CTL_NUMBER:
	case GM_CTL_DECIMAL:
	case GM_CTL_PERCENT:
	case GM_CTL_SHARE:
	case GM_CTL_MIB:
	case GM_CTL_WATTS:
	case GM_CTL_CELSIUS:
	case GM_CTL_SECONDS:
		return add_number(format, v, out);
	}
	return false;
}

/* What the first alternative gives that is there; NULL: none. */
static const struct gm_jsonv *pick(const struct gm_jsonv *item, struct gm_str paths)
{
	struct gm_str path;

	if (paths.n == 0)
		return item;
	while (gm_str_split(&paths, '|', &path)) {
		char text[128];
		const struct gm_jsonv *v = gm_str_copy(path, text, sizeof(text)) ? gm_jsonv_at(item, text) : NULL;

		if (!gm_jsonv_none(v))
			return v;
	}
	return NULL;
}

/* "pods.*.pod": the value behind the star of each item, those that are not there left out, none twice in a row. */
static bool add_each(const struct gm_ctl_column *column, const struct gm_jsonv *item, int64_t now_ms,
		     struct gm_buf *out)
{
	const char *star = strstr(column->path, ".*");
	struct gm_str before = gm_str_n(column->path, (size_t)(star - column->path));
	struct gm_str behind = star[2] ? gm_str(star + 3) : gm_str_n(NULL, 0);
	const struct gm_jsonv *list = pick(item, before);
	enum gm_term_color color;
	size_t begin = out->n, last = out->n;

	if (gm_jsonv_none(list))
		return false;
	gm_jsonv_each (list, one) {
		const struct gm_jsonv *v = pick(one, behind);
		size_t at = out->n;

		if (gm_jsonv_none(v))
			continue;
		if (out->n > begin)
			gm_buf_add_cstr(out, ", ");
		size_t text = out->n;
		if (!add_formatted(column->format, v, one, now_ms, out, &color) ||
		    (at > begin &&
		     gm_str_eq(gm_str_n(out->p + text, out->n - text), gm_str_n(out->p + last, at - last)))) {
			out->n = at;
			continue;
		}
		last = text;
	}
	if (out->n == begin)
		gm_buf_add_cstr(out, list->first ? GM_CTL_MISSING : "none");
	return true;
}

enum gm_term_color gm_ctl_cell(const struct gm_ctl_column *column, const struct gm_jsonv *item, int64_t now_ms,
			       struct gm_buf *out)
{
	enum gm_term_color color = GM_TERM_PLAIN;
	bool known;

	if (strstr(column->path, ".*")) {
		known = add_each(column, item, now_ms, out);
	} else {
		const struct gm_jsonv *v = pick(item, gm_str(column->path));
		known = !gm_jsonv_none(v) && add_formatted(column->format, v, item, now_ms, out, &color);
	}
	if (known)
		return color;
	gm_buf_add_cstr(out, GM_CTL_MISSING);
	return GM_TERM_FAINT;
}
