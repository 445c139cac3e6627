/* SPDX-License-Identifier: MIT */
#include "adapter/http/negotiate.h"

#include <assert.h>

#include "base/auto.h"
#include "base/parse.h"

static const struct {
	const char *name;
	const char *suffix;
} encodings[] = {
	[GM_ENCODING_IDENTITY] = { NULL, "" },
	[GM_ENCODING_GZIP] = { "gzip", "-gz" },
	[GM_ENCODING_BR] = { "br", "-br" },
};
static_assert(GM_LEN(encodings) == GM_ENCODING_COUNT, "an encoding has no name");

const char *gm_encoding_name(enum gm_encoding e)
{
	return encodings[e].name;
}

const char *gm_encoding_suffix(enum gm_encoding e)
{
	return encodings[e].suffix;
}

/* Weight in thousandths; a malformed one counts as 0, so that it is never chosen by accident. */
static int64_t weight_of(struct gm_str params)
{
	struct gm_str part;
	int64_t q;

	while (gm_str_split(&params, ';', &part)) {
		part = gm_str_trim(part);
		if (part.n < 2 || (part.p[0] != 'q' && part.p[0] != 'Q') || part.p[1] != '=')
			continue;
		if (!gm_parse_fixed(gm_str_n(part.p + 2, part.n - 2), 3, &q) || q < 0 || q > 1000)
			return 0;
		return q;
	}
	return 1000;
}

static void note_weight(struct gm_str name, int64_t q, int64_t weights[GM_ENCODING_COUNT], int64_t *rest)
{
	if (gm_str_is(name, "*"))
		*rest = q;
	else if (gm_str_ieq(name, GM_STR("gzip")) || gm_str_ieq(name, GM_STR("x-gzip")))
		weights[GM_ENCODING_GZIP] = q;
	else if (gm_str_ieq(name, GM_STR("br")))
		weights[GM_ENCODING_BR] = q;
	else if (gm_str_ieq(name, GM_STR("identity")))
		weights[GM_ENCODING_IDENTITY] = q;
}

enum gm_encoding gm_encoding_choose(struct gm_str accept_encoding, unsigned available)
{
	int64_t weights[GM_ENCODING_COUNT] = { -1, -1, -1 };
	int64_t rest = 0, best_weight = 0;
	enum gm_encoding best = GM_ENCODING_IDENTITY;
	struct gm_str item;

	if (accept_encoding.n == 0 || (available & ~(1u << GM_ENCODING_IDENTITY)) == 0)
		return GM_ENCODING_IDENTITY;
	while (gm_str_split(&accept_encoding, ',', &item)) {
		size_t mark = gm_str_find(item, ';');
		struct gm_str params = mark < item.n ? gm_str_n(item.p + mark + 1, item.n - mark - 1) : GM_STR("");
		note_weight(gm_str_trim(gm_str_n(item.p, mark)), weight_of(params), weights, &rest);
	}
	for (int e = 0; e < GM_ENCODING_COUNT; e++) {
		/* Not named: what '*' says; identity without any word has the least weight there is. */
		int64_t weight = weights[e] >= 0 ? weights[e] : rest;
		if (e == GM_ENCODING_IDENTITY && weights[e] < 0 && rest == 0)
			weight = 1;
		if ((available & (1u << e)) && weight > 0 && weight >= best_weight) {
			best = (enum gm_encoding)e;
			best_weight = weight;
		}
	}
	return best;
}

static bool same_but_suffix(struct gm_str listed, struct gm_str etag)
{
	if (!gm_str_starts(listed, etag))
		return false;
	struct gm_str tail = gm_str_n(listed.p + etag.n, listed.n - etag.n);
	for (size_t e = 0; e < GM_ENCODING_COUNT; e++)
		if (gm_str_is(tail, encodings[e].suffix))
			return true;
	return false;
}

bool gm_etag_match(struct gm_str if_none_match, struct gm_str etag, struct gm_str *out)
{
	struct gm_str item;

	if (etag.n == 0)
		return false;
	while (gm_str_split(&if_none_match, ',', &item)) {
		item = gm_str_trim(item);
		if (gm_str_is(item, "*")) {
			if (out)
				*out = etag;
			return true;
		}
		if (gm_str_starts(item, GM_STR("W/")))
			item = gm_str_n(item.p + 2, item.n - 2);
		if (item.n < 2 || item.p[0] != '"' || item.p[item.n - 1] != '"')
			continue;
		item = gm_str_n(item.p + 1, item.n - 2);
		if (same_but_suffix(item, etag)) {
			if (out)
				*out = item;
			return true;
		}
	}
	return false;
}
