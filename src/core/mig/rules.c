/* SPDX-License-Identifier: MIT */
#include "core/mig/mig-internal.h"

#include <assert.h>

/*
 * Media engines (decoders, encoders, JPEG, OFA) are dealt out by the kind of a profile, told by NVML's enum. A board
 * has one OFA, that "+me" and "+me.all" take; "+me.all" takes all the rest too, so that only "-me" may stand beside it.
 * Counting the engines that drivers print gives the same (a test walks all boards), but their numbers differ between
 * drivers and are not known for some boards.
 */
enum mig_engines {
	ENGINES_SHARED = 1, /* its part of decoders, encoders, JPEG */
	ENGINES_OFA = 2,
	ENGINES_ALL = 4,
};

struct media_rule {
	uint8_t takes, excludes;
};

/* By NVML_GPU_INSTANCE_PROFILE_...; what is not listed is plain. */
static const struct media_rule media_plain = { ENGINES_SHARED, ENGINES_ALL };
static const struct media_rule media_rules[] = {
	[7] = { ENGINES_SHARED | ENGINES_OFA, ENGINES_OFA | ENGINES_ALL },		  /* 1_SLICE_REV1, +me */
	[8] = { ENGINES_SHARED | ENGINES_OFA, ENGINES_OFA | ENGINES_ALL },		  /* 2_SLICE_REV1, +me */
	[13] = { 0, 0 },								  /* 1_SLICE_NO_ME, -me */
	[14] = { 0, 0 },								  /* 2_SLICE_NO_ME, -me */
	[15] = { ENGINES_OFA | ENGINES_ALL, ENGINES_SHARED | ENGINES_OFA | ENGINES_ALL }, /* 1_SLICE_ALL_ME */
	[16] = { ENGINES_OFA | ENGINES_ALL, ENGINES_SHARED | ENGINES_OFA | ENGINES_ALL }, /* 2_SLICE_ALL_ME */
};
static const uint32_t media_listed = 1U << 7 | 1U << 8 | 1U << 13 | 1U << 14 | 1U << 15 | 1U << 16;

static const struct media_rule *media_rule(const struct gm_mig_profile *p)
{
	if (p->nvml_enum < 0 || p->nvml_enum >= (int)GM_LEN(media_rules) || !(media_listed >> p->nvml_enum & 1))
		return &media_plain;
	return &media_rules[p->nvml_enum];
}

bool gm_mig_profile_placed(const struct gm_mig_table *t, size_t profile)
{
	return profile < t->profile_count && profile < GM_MIG_PROFILES_MAX && t->placement_units > 0 &&
	       t->placement_units <= GM_MIG_UNITS_MAX && t->profiles[profile].size > 0 &&
	       t->profiles[profile].start_count > 0;
}

void gm_mig_use_add(const struct gm_mig_table *t, struct gm_mig_use *u, struct gm_mig_slot slot)
{
	const struct gm_mig_profile *p = &t->profiles[slot.profile];

	u->units |= gm_mig_mask(p, slot.start);
	u->engines |= media_rule(p)->takes;
	u->slots++;
	u->counts[slot.profile]++;
}

void gm_mig_use_of(const struct gm_mig_table *t, const struct gm_mig_layout *l, struct gm_mig_use *out)
{
	*out = (struct gm_mig_use){ 0 };
	for (size_t i = 0; i < l->count; i++)
		gm_mig_use_add(t, out, l->slots[i]);
}

enum gm_mig_refusal gm_mig_use_quota(const struct gm_mig_table *t, const struct gm_mig_use *u, size_t profile)
{
	const struct gm_mig_profile *p = &t->profiles[profile];

	if (u->slots >= GM_MIG_INSTANCES_MAX || (p->max_instances >= 0 && u->counts[profile] >= p->max_instances))
		return GM_MIG_NO_COUNT;
	return u->engines & media_rule(p)->excludes ? GM_MIG_NO_ENGINES : GM_MIG_FITS;
}

static bool has_start(const struct gm_mig_profile *p, unsigned start)
{
	for (size_t i = 0; i < p->start_count; i++) {
		if (p->starts[i] == start)
			return true;
	}
	return false;
}

enum gm_mig_refusal gm_mig_use_refuses(const struct gm_mig_table *t, const struct gm_mig_use *u,
				       struct gm_mig_slot slot)
{
	if (slot.profile >= t->profile_count)
		return GM_MIG_NO_PROFILE;
	if (!gm_mig_profile_placed(t, slot.profile) || !has_start(&t->profiles[slot.profile], slot.start))
		return GM_MIG_NO_START;
	if (u->units & gm_mig_mask(&t->profiles[slot.profile], slot.start))
		return GM_MIG_NO_ROOM;
	return gm_mig_use_quota(t, u, slot.profile);
}

int gm_mig_use_remaining(const struct gm_mig_table *t, const struct gm_mig_use *u, size_t profile, int limit)
{
	const struct gm_mig_profile *p;
	const struct media_rule *media;
	uint32_t taken = u->units;
	int most = limit, n = 0;

	if (!gm_mig_profile_placed(t, profile) || gm_mig_use_quota(t, u, profile) != GM_MIG_FITS)
		return 0;
	p = &t->profiles[profile];
	media = media_rule(p);
	if (p->max_instances >= 0 && p->max_instances - u->counts[profile] < most)
		most = p->max_instances - u->counts[profile];
	if (GM_MIG_INSTANCES_MAX - u->slots < most)
		most = GM_MIG_INSTANCES_MAX - u->slots;
	if (media->takes & media->excludes)
		most = most < 1 ? most : 1;
	/* Equal lengths: the first that fits is never worse than a later one. */
	for (size_t i = 0; i < p->start_count && n < most; i++) {
		if (taken & gm_mig_mask(p, p->starts[i]))
			continue;
		taken |= gm_mig_mask(p, p->starts[i]);
		n++;
	}
	return n;
}

int gm_mig_use_worth(const struct gm_mig_table *t, const struct gm_mig_use *u)
{
	int worth = 0;

	for (size_t k = 0; k < t->profile_count; k++) {
		const struct gm_mig_profile *p = &t->profiles[k];

		if (!gm_mig_profile_placed(t, k) || gm_mig_use_quota(t, u, k) != GM_MIG_FITS)
			continue;
		for (size_t i = 0; i < p->start_count; i++)
			worth += u->units & gm_mig_mask(p, p->starts[i]) ? 0 : p->size;
	}
	return worth;
}

int gm_mig_refuse(const struct gm_mig_table *t, enum gm_mig_refusal why, struct gm_mig_slot slot, struct gm_err *err)
{
	const char *name = slot.profile < t->profile_count ? t->profiles[slot.profile].name : "";

	switch (why) {
	case GM_MIG_FITS:
		return 0;
	case GM_MIG_NO_PROFILE:
		return gm_fail(err, GM_ERR_NOT_FOUND, "%s has no profile number %u", t->id, slot.profile);
	case GM_MIG_NO_START:
		return gm_fail(err, GM_ERR_NOT_FOUND, "%s@%u: %s has no such placement", name, slot.start, t->id);
	case GM_MIG_NO_ROOM:
		return gm_fail(err, GM_ERR_CONFLICT, "%s@%u: its memory slices are taken", name, slot.start);
	case GM_MIG_NO_COUNT:
		return gm_fail(err, GM_ERR_CONFLICT, "%s@%u: more instances of it than a GPU may have", name,
			       slot.start);
	case GM_MIG_NO_ENGINES:
		return gm_fail(err, GM_ERR_CONFLICT, "%s@%u: the media engines that it needs are taken", name,
			       slot.start);
	}
	assert(false);
	return GM_ERR_INTERNAL;
}
