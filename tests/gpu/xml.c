/* SPDX-License-Identifier: MIT */
#include "xml.h"

/* A tag at the beginning of *rest, or after text that is passed over. */
struct tag {
	struct gm_str name;
	const char *begin; /* its '<' */
	enum { OPENS, CLOSES, STANDS_ALONE } kind;
};

static bool skip_past(struct gm_str *rest, struct gm_str mark)
{
	for (; rest->n >= mark.n; rest->p++, rest->n--)
		if (gm_str_starts(*rest, mark)) {
			*rest = gm_str_n(rest->p + mark.n, rest->n - mark.n);
			return true;
		}
	return false;
}

static bool next_tag(struct gm_str *rest, struct tag *out)
{
	for (;;) {
		size_t at = gm_str_find(*rest, '<');
		if (at >= rest->n)
			return false;
		*rest = gm_str_n(rest->p + at, rest->n - at);
		if (gm_str_starts(*rest, GM_STR("<!--"))) {
			if (!skip_past(rest, GM_STR("-->")))
				return false;
			continue;
		}
		if (!gm_str_starts(*rest, GM_STR("<?")) && !gm_str_starts(*rest, GM_STR("<!")))
			break;
		if (!skip_past(rest, GM_STR(">")))
			return false;
	}
	struct tag t = { .begin = rest->p };
	struct gm_str inside = gm_str_n(rest->p + 1, rest->n - 1);
	size_t end = gm_str_find(inside, '>');
	if (end >= inside.n)
		return false;
	*rest = gm_str_n(inside.p + end + 1, inside.n - end - 1);
	inside.n = end;
	if (gm_str_starts(inside, GM_STR("/"))) {
		t.kind = CLOSES;
		inside = gm_str_n(inside.p + 1, inside.n - 1);
	} else if (gm_str_ends(inside, GM_STR("/"))) {
		t.kind = STANDS_ALONE;
		inside.n--;
	}
	size_t blank = 0;
	while (blank < inside.n && inside.p[blank] != ' ' && inside.p[blank] != '\n' && inside.p[blank] != '\t')
		blank++;
	t.name = gm_str_n(inside.p, blank);
	*out = t;
	return true;
}

bool xml_child(struct gm_str element, struct gm_str name, unsigned n, struct gm_str *out)
{
	unsigned depth = 0;
	const char *begin = NULL;
	struct tag t;
	while (next_tag(&element, &t)) {
		if (t.kind == OPENS && depth++ == 0 && gm_str_eq(t.name, name) && n-- == 0)
			begin = element.p;
		if (t.kind == STANDS_ALONE && depth == 0 && gm_str_eq(t.name, name) && n-- == 0) {
			*out = gm_str_n(t.begin, 0);
			return true;
		}
		if (t.kind != CLOSES)
			continue;
		if (depth-- == 0)
			return false;
		if (depth == 0 && begin) {
			*out = gm_str_n(begin, (size_t)(t.begin - begin));
			return true;
		}
	}
	return false;
}

bool xml_text(struct gm_str element, const char *path, struct gm_str *out)
{
	struct gm_str rest = gm_str(path), part;
	while (gm_str_split(&rest, '/', &part))
		if (!xml_child(element, part, 0, &element))
			return false;
	*out = gm_str_trim(element);
	return true;
}
