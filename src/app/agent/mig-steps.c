/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-job.h"

bool gm_mig_slice_same(const struct gm_mig_slice *a, const struct gm_mig_slice *b)
{
	return a->profile_id == b->profile_id && a->start == b->start;
}

bool gm_mig_state_has(const struct gm_mig_state *s, const struct gm_mig_slice *slice)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (gm_mig_slice_same(&s->slices[i], slice))
			return true;
	}
	return false;
}

bool gm_mig_state_same(const struct gm_mig_state *a, const struct gm_mig_state *b)
{
	if (a->on != b->on || a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		if (!gm_mig_state_has(b, &a->slices[i]))
			return false;
	}
	return true;
}

bool gm_mig_state_add(struct gm_mig_state *s, const struct gm_mig_slice *slice)
{
	unsigned i = s->count;

	if (i >= GM_MIG_INSTANCES_MAX)
		return false;
	for (; i > 0 && s->slices[i - 1].start > slice->start; i--)
		s->slices[i] = s->slices[i - 1];
	s->slices[i] = *slice;
	s->count++;
	return true;
}

static size_t add_missing(const struct gm_mig_state *of, const struct gm_mig_state *in, enum gm_mig_verb verb,
			  struct gm_mig_step *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < of->count; i++) {
		if (!gm_mig_state_has(in, &of->slices[i]))
			out[n++] = (struct gm_mig_step){ .verb = verb, .slice = of->slices[i] };
	}
	return n;
}

size_t gm_mig_steps(const struct gm_mig_state *from, const struct gm_mig_state *to,
		    struct gm_mig_step out[static GM_MIG_STEPS_MAX])
{
	static const struct gm_mig_state nothing = { 0 };
	const struct gm_mig_state *target = to->on ? to : &nothing;
	size_t n = 0;

	if (!from->on && to->on)
		out[n++] = (struct gm_mig_step){ .verb = GM_MIG_MODE_ON };
	n += add_missing(from, target, GM_MIG_DESTROY, out + n);
	n += add_missing(target, from, GM_MIG_CREATE, out + n);
	if (from->on && !to->on)
		out[n++] = (struct gm_mig_step){ .verb = GM_MIG_MODE_OFF };
	return n;
}
