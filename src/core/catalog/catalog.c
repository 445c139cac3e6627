/* SPDX-License-Identifier: MIT */
#include "core/catalog/catalog.h"

#include "core/catalog/catalog-internal.h"

#define KEY_SIZE 96 /* the longest key of the table has 40 bytes: what does not fit is not in it */
#define MODEL_NAME_MAX 48

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c);
}

const struct gm_variant *gm_catalog_variants(size_t *out_count)
{
	*out_count = gm_catalog_row_count;
	return gm_catalog_rows;
}

const struct gm_variant *gm_catalog_variant(struct gm_str id)
{
	size_t low = 0, high = gm_catalog_row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = gm_str_cmp(gm_str(gm_catalog_rows[middle].id), id);

		if (order == 0)
			return &gm_catalog_rows[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool gm_catalog_has_model(struct gm_str model)
{
	for (size_t i = 0; i < gm_catalog_row_count; i++) {
		if (gm_str_is(model, gm_catalog_rows[i].model))
			return true;
	}
	return false;
}

/* A MIG device is called after its board, a shared one by its label: "... MIG 1g.10gb", "...-MIG-1g.10gb", "...-SHARED". */
static struct gm_str without_suffix(struct gm_str name)
{
	static const char shared[] = "-SHARED";

	for (size_t i = 0; i + 5 <= name.n; i++) {
		bool blank = name.p[i] == ' ' && name.p[i + 4] == ' ';
		bool dash = name.p[i] == '-' && name.p[i + 4] == '-';

		if ((blank || dash) && gm_str_ieq(gm_str_n(name.p + i + 1, 3), GM_STR("MIG")))
			return gm_str_n(name.p, i);
	}
	if (name.n >= sizeof(shared) - 1 &&
	    gm_str_ieq(gm_str_n(name.p + name.n - (sizeof(shared) - 1), sizeof(shared) - 1), gm_str(shared)))
		name.n -= sizeof(shared) - 1;
	return name;
}

/* Cuts one brand word off the front, when something follows it. */
static struct gm_str without_brand(struct gm_str name, struct gm_str brand)
{
	if (name.n <= brand.n || is_word(name.p[brand.n]) || !gm_str_ieq(gm_str_n(name.p, brand.n), brand))
		return name;
	name = gm_str_n(name.p + brand.n, name.n - brand.n);
	while (name.n > 0 && !is_word(name.p[0]))
		name = gm_str_n(name.p + 1, name.n - 1);
	return name;
}

/* Lower-case letters and digits of the name without its brand words: what gm_catalog_keys holds. Empty: no such key. */
static struct gm_str name_key(struct gm_str name, char buf[static KEY_SIZE])
{
	size_t n = 0;

	name = without_suffix(gm_str_trim(name));
	while (name.n > 0 && !is_word(name.p[0]))
		name = gm_str_n(name.p + 1, name.n - 1);
	name = without_brand(name, GM_STR("nvidia"));
	name = without_brand(name, GM_STR("tesla"));
	name = without_brand(name, GM_STR("geforce"));
	for (size_t i = 0; i < name.n; i++) {
		if (!is_word(name.p[i]))
			continue;
		if (n == KEY_SIZE)
			return gm_str_n(NULL, 0);
		buf[n++] = is_upper(name.p[i]) ? (char)(name.p[i] - 'A' + 'a') : name.p[i];
	}
	return gm_str_n(buf, n);
}

static size_t first_key(struct gm_str key)
{
	size_t low = 0, high = gm_catalog_key_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (gm_str_cmp(gm_str(gm_catalog_keys[middle].key), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int64_t memory_distance(const struct gm_variant *v, int64_t memory_mib)
{
	int64_t has = v->memory_mib >= 0 ? v->memory_mib : (int64_t)v->memory_gb * 1024;

	return has > memory_mib ? has - memory_mib : memory_mib - has;
}

const struct gm_variant *gm_catalog_match(struct gm_str product, int64_t memory_mib)
{
	char buf[KEY_SIZE];
	struct gm_str key = name_key(product, buf);
	const struct gm_variant *best = NULL;

	for (size_t i = first_key(key); i < gm_catalog_key_count && gm_str_is(key, gm_catalog_keys[i].key); i++) {
		const struct gm_variant *v = gm_catalog_keys[i].variant;

		if (!best || (memory_mib >= 0 && memory_distance(v, memory_mib) < memory_distance(best, memory_mib)))
			best = v;
	}
	return best;
}

void gm_catalog_model_from_name(struct gm_str product, struct gm_buf *out)
{
	char text[MODEL_NAME_MAX];
	size_t n = 0;
	bool gap = false;

	product = without_brand(without_suffix(gm_str_trim(product)), GM_STR("nvidia"));
	for (size_t i = 0; i < product.n; i++) {
		char c = product.p[i];

		if (!is_word(c)) {
			gap = n > 0;
			continue;
		}
		if (n + (gap ? 2 : 1) > sizeof(text))
			break;
		if (gap)
			text[n++] = '_';
		gap = false;
		text[n++] = is_lower(c) ? (char)(c - 'a' + 'A') : c;
	}
	if (n == 0)
		gm_buf_add_cstr(out, "UNKNOWN");
	else
		gm_buf_add(out, text, n);
}
