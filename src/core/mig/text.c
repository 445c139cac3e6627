/* SPDX-License-Identifier: MIT */
#include "core/mig/mig-internal.h"

#include "base/parse.h"

struct wish {
	struct gm_mig_layout fixed; /* those with a start */
	uint8_t free[GM_MIG_INSTANCES_MAX];
	size_t free_count;
};

/* "name@start" or "name*count": cuts the number off; false when there is a mark and no number from 1 (0) to the most. */
static bool cut_number(struct gm_str *item, char mark, uint64_t least, uint64_t most, bool *out_there, uint64_t *out)
{
	size_t at = gm_str_find(*item, mark);
	struct gm_str number;

	*out_there = at < item->n;
	if (!*out_there)
		return true;
	number = gm_str_trim(gm_str_n(item->p + at + 1, item->n - at - 1));
	item->n = at;
	*item = gm_str_trim(*item);
	return gm_parse_u64(number, least, most, out);
}

static int wish_item(const struct gm_mig_table *t, struct gm_str text, struct wish *w, struct gm_err *err)
{
	struct gm_str item = text;
	bool has_start, has_count;
	uint64_t start = 0, count = 1;
	const struct gm_mig_profile *p;
	struct gm_mig_slot slot;

	if (!cut_number(&item, '@', 0, GM_MIG_UNITS_MAX - 1, &has_start, &start) ||
	    !cut_number(&item, '*', 1, GM_MIG_INSTANCES_MAX, &has_count, &count) || (has_start && has_count))
		return gm_fail(err, GM_ERR_PARSE, "'%.*s': expected a profile, \"profile@start\" or \"profile*count\"",
			       GM_STR_ARG(text));
	p = gm_mig_profile_find(t, item);
	if (!p)
		return gm_fail(err, GM_ERR_NOT_FOUND, "%s has no profile '%.*s'", t->id, GM_STR_ARG(item));
	slot = (struct gm_mig_slot){ .profile = (uint8_t)(p - t->profiles), .start = (uint8_t)start };
	if (has_start) {
		int rc = gm_mig_layout_may_add(t, &w->fixed, slot, err);

		if (rc == 0)
			gm_mig_slots_insert(&w->fixed, slot);
		return rc;
	}
	if (count > GM_LEN(w->free) - w->free_count)
		return gm_fail(err, GM_ERR_CONFLICT, "more than %d instances", GM_MIG_INSTANCES_MAX);
	for (; count > 0; count--)
		w->free[w->free_count++] = slot.profile;
	return 0;
}

int gm_mig_layout_parse(const struct gm_mig_table *t, struct gm_str text, struct gm_mig_layout *out, struct gm_err *err)
{
	struct gm_str rest = gm_str_trim(text), item;
	struct wish wish = { 0 };

	if (rest.n && rest.p[rest.n - 1] == ',')
		return gm_fail(err, GM_ERR_PARSE, "'%.*s' ends with a comma", GM_STR_ARG(rest));
	while (gm_str_split(&rest, ',', &item)) {
		int rc = wish_item(t, gm_str_trim(item), &wish, err);

		if (rc)
			return rc;
	}
	return gm_mig_layout_place(t, &wish.fixed, wish.free, wish.free_count, out, err);
}

void gm_mig_layout_print(const struct gm_mig_table *t, const struct gm_mig_layout *l, struct gm_buf *out)
{
	for (size_t i = 0; i < l->count; i++) {
		if (i > 0)
			gm_buf_add_cstr(out, ", ");
		gm_buf_add_cstr(out, t->profiles[l->slots[i].profile].name);
		gm_buf_add_char(out, '@');
		gm_buf_add_u64(out, l->slots[i].start);
	}
}
