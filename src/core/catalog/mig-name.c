/* SPDX-License-Identifier: MIT */
#include "core/catalog/catalog.h"

/* No profile name comes near it: "1G24GB_ME_ALL" is the longest shape there is. */
#define FORM_SIZE 96

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/*
 * One form for all spellings: "1g.10gb+me", "1G10GB_ME" and the resource's "1g.10gb.me" become "1G10GB_ME",
 * "1g.24gb-me" (without media engines) becomes "1G24GB_NO_ME". Empty when it does not fit.
 */
static struct gm_str plain_form(struct gm_str name, char buf[static FORM_SIZE])
{
	static const char without[] = "_NO_";
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		char c = upper(name.p[i]);

		if (n + sizeof(without) > FORM_SIZE)
			return gm_str_n(NULL, 0);
		if (c == '.' && i > 0 && upper(name.p[i - 1]) == 'G' && i + 1 < name.n && is_digit(name.p[i + 1]))
			continue;
		if (c == '-') {
			for (size_t k = 0; without[k]; k++)
				buf[n++] = without[k];
			continue;
		}
		buf[n++] = c == '+' || c == '.' ? '_' : c;
	}
	return gm_str_n(buf, n);
}

const struct gm_mig_profile *gm_mig_profile_find(const struct gm_mig_table *table, struct gm_str name)
{
	char asked_buf[FORM_SIZE], own_buf[FORM_SIZE];
	struct gm_str asked = plain_form(name, asked_buf);

	for (size_t i = 0; table && i < table->profile_count; i++) {
		struct gm_str own = plain_form(gm_str(table->profiles[i].name), own_buf);

		if (gm_str_eq(asked, own))
			return &table->profiles[i];
		/* "H100_2G20GB": the board's word before it is the caller's to judge. */
		if (asked.n > own.n + 1 && gm_str_ends(asked, own) && asked.p[asked.n - own.n - 1] == '_')
			return &table->profiles[i];
	}
	return NULL;
}

/* "H100_80GB" is called by its word alone; "RTX_PRO_6000_BLACKWELL_SE" has no size to leave out. */
static struct gm_str without_size(struct gm_str model)
{
	size_t n = model.n;

	if (n < 2 || model.p[n - 1] != 'B' || model.p[n - 2] != 'G')
		return model;
	n -= 2;
	while (n > 0 && is_digit(model.p[n - 1]))
		n--;
	if (n < 2 || n == model.n - 2 || model.p[n - 1] != '_')
		return model;
	return gm_str_n(model.p, n - 1);
}

void gm_mig_profile_id(const char *model, const char *profile, struct gm_buf *out)
{
	char buf[FORM_SIZE];

	gm_buf_add_str(out, without_size(gm_str(model)));
	gm_buf_add_char(out, '_');
	gm_buf_add_str(out, plain_form(gm_str(profile), buf));
}
