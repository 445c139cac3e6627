/* SPDX-License-Identifier: MIT */
#include "app/agent/window.h"

#include "base/auto.h"

const uint8_t gm_window_field_of[GM_WINDOW_FIELD_COUNT] = {
#define GM_WINDOW_FIELD_OF(name) [GM_WINDOW_##name] = GM_FIELD_##name,
	GM_WINDOW_FIELDS(GM_WINDOW_FIELD_OF)
#undef GM_WINDOW_FIELD_OF
};

static int64_t part_number(int64_t length_ms, int64_t mono_ms)
{
	const int64_t part_ms = (length_ms + GM_WINDOW_PARTS - 1) / GM_WINDOW_PARTS;

	return mono_ms / (part_ms > 0 ? part_ms : 1) + 1; /* 0 is an unused part */
}

void gm_window_add(struct gm_window *w, int64_t length_ms, int64_t mono_ms, const struct gm_sample *s)
{
	const int64_t number = part_number(length_ms, mono_ms);
	struct gm_window_part *p = &w->parts[number % (int64_t)GM_LEN(w->parts)];

	if (p->number != number)
		*p = (struct gm_window_part){ .number = number };
	for (unsigned f = 0; f < GM_WINDOW_FIELD_COUNT; f++) {
		const enum gm_field field = gm_window_field_of[f];
		if (!gm_sample_has(s, field))
			continue;
		const int64_t v = s->value[field];
		if (p->count[f] == 0 || v < p->least[f])
			p->least[f] = v;
		if (p->count[f] == 0 || v > p->most[f])
			p->most[f] = v;
		/* Nothing that a board tells comes near this end; a wrong value must not be undefined behaviour. */
		if (__builtin_add_overflow(p->sum[f], v, &p->sum[f])) {
			p->sum[f] = v;
			p->count[f] = 0;
		}
		p->count[f]++;
	}
}

void gm_window_show(const struct gm_window *w, int64_t length_ms, int64_t mono_ms, enum gm_window_field f,
		    struct gm_window_value *out)
{
	const int64_t newest = part_number(length_ms, mono_ms);
	struct gm_window_value v = { 0 };
	__int128 sum = 0;

	for (unsigned i = 0; i < GM_LEN(w->parts); i++) {
		const struct gm_window_part *p = &w->parts[i];
		if (p->number == 0 || p->number > newest || p->number <= newest - (int64_t)GM_LEN(w->parts) ||
		    p->count[f] == 0)
			continue;
		if (v.count == 0 || p->least[f] < v.least)
			v.least = p->least[f];
		if (v.count == 0 || p->most[f] > v.most)
			v.most = p->most[f];
		v.count += p->count[f];
		sum += p->sum[f];
	}
	if (v.count)
		v.mean = (int64_t)(sum / v.count);
	*out = v;
}
