/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "adapter/nvml/reader-internal.h"
#include "base/auto.h"

void gm_reader_mig_mode(struct gm_nvml_reader *r)
{
	uint32_t current = 0, pending = 0;
	if (r->mono_ms < r->mig_again_ms)
		return;
	int rc = GM_READER_CALL(r, mig_mode, r->device, &current, &pending);
	int32_t before = r->mig_current;
	if (rc == GM_NVML_SUCCESS && current <= 1 && pending <= 1) {
		r->mig_current = (int32_t)current;
		r->mig_pending = (int32_t)pending;
	} else if (gm_nvml_is_unsupported(rc)) {
		r->mig_current = r->mig_pending = -1;
		r->mig_again_ms = r->mono_ms + GM_READER_AGAIN_MS;
	}
	if (r->mig_current == before)
		return;
	/* What a board can tell depends on the mode. */
	memset(r->row_again_ms, 0, sizeof(r->row_again_ms));
	memset(r->processes_again_ms, 0, sizeof(r->processes_again_ms));
	r->gpm.again_ms = 0;
	r->gpm.has_sample = false;
	r->facts_due_ms = 0;
	r->mig_max = 0;
}

/* "MIG 1g.10gb+me" or "NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb": what stands after the last "MIG ". */
static void profile_name(char *out, size_t size, const char *name)
{
	const char *p = name, *last = name;
	while ((p = strstr(p, "MIG ")) != NULL)
		last = p += 4;
	gm_reader_text(out, size, last, strlen(last));
}

static const char *profile_suffix(uint32_t profile_enum)
{
	switch (profile_enum) {
	case 7: /* REV1 of one and two slices: with media engines */
	case 8:
		return "+me";
	case 10: /* with graphics */
	case 11:
	case 12:
		return "+gfx";
	case 13: /* without media engines */
	case 14:
		return "-me";
	case 15: /* with all of them */
	case 16:
		return "+me.all";
	}
	return "";
}

/* For drivers that do not name profiles: slices, and the share of the board's memory in eighths, rounded. */
static void make_name(char *out, size_t size, const struct gm_reading_profile *p, int64_t total_bytes)
{
	int64_t total_mib = total_bytes / GM_MIB;
	if (total_mib <= 0)
		return;
	int64_t eighths = (p->memory_mib * 8 + total_mib - 1) / total_mib, total_gib = (total_mib + 1023) / 1024;
	unsigned gb = (unsigned)((eighths * total_gib + 4) / 8) % 100000;
	(void)snprintf(out, size, "%ug.%ugb%s", (unsigned)p->compute_slices % 100, gb,
		       profile_suffix((uint32_t)p->nvml_enum));
}

/* One profile of the enum; NVML's code. The newest form of the call that the library takes. */
static int read_profile(struct gm_nvml_reader *r, uint32_t profile_enum, struct gm_reading_profile *out)
{
	struct gm_nvml_gi_profile_v2 v2 = { .version = GM_NVML_VERSION(struct gm_nvml_gi_profile_v2, 2) };
	int rc = GM_READER_CALL(r, gi_profile_v, r->device, profile_enum, &v2);
	if (rc == GM_NVML_ERROR_FUNCTION_NOT_FOUND || rc == GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH) {
		struct gm_nvml_gi_profile_v1 v1 = { 0 };
		rc = GM_READER_CALL(r, gi_profile, r->device, profile_enum, &v1);
		v2 = (struct gm_nvml_gi_profile_v2){
			.id = v1.id,
			.slices = v1.slices,
			.instances = v1.instances,
			.sm_count = v1.sm_count,
			.memory_mib = v1.memory_mib,
		};
	}
	if (rc != GM_NVML_SUCCESS)
		return rc;
	if (v2.slices == 0 || v2.slices > 64 || v2.instances > 64 || v2.id > 4096 || v2.sm_count > 4096 ||
	    v2.memory_mib > UINT64_C(1) << 24)
		return GM_NVML_ERROR_UNKNOWN;
	*out = (struct gm_reading_profile){
		.nvml_enum = (int32_t)profile_enum,
		.id = (int32_t)v2.id,
		.compute_slices = (int32_t)v2.slices,
		.max_instances = (int32_t)v2.instances,
		.sm_count = (int32_t)v2.sm_count,
		.memory_mib = (int64_t)v2.memory_mib,
	};
	v2.name[sizeof(v2.name) - 1] = '\0';
	profile_name(out->name, sizeof(out->name), v2.name);
	if (out->name[0] == '\0')
		make_name(out->name, sizeof(out->name), out, r->facts.memory_total_bytes);
	return GM_NVML_SUCCESS;
}

/* Where it may lie. Needs rights: without them the profile has none. */
static void read_placements(struct gm_nvml_reader *r, struct gm_reading_profile *p)
{
	struct gm_nvml_placement placements[GM_LEN(p->starts) * 2] = { 0 };
	uint32_t count = 0;
	int rc = GM_READER_CALL(r, gi_placements, r->device, (uint32_t)p->id, NULL, &count);
	if ((rc != GM_NVML_SUCCESS && rc != GM_NVML_ERROR_INSUFFICIENT_SIZE) || count > GM_LEN(placements))
		return;
	rc = count ? GM_READER_CALL(r, gi_placements, r->device, (uint32_t)p->id, placements, &count) : rc;
	if (rc != GM_NVML_SUCCESS || count > GM_LEN(p->starts))
		return;
	for (uint32_t i = 0; i < count; i++) {
		if (placements[i].start > 63 || placements[i].size == 0 || placements[i].size > 64)
			return;
		p->starts[i] = (uint8_t)placements[i].start;
		p->size = (uint8_t)placements[i].size;
	}
	p->start_count = (uint8_t)count;
}

void gm_reader_profiles(struct gm_nvml_reader *r)
{
	if (r->fatal || r->mig_current < 0) {
		r->profile_count = r->fatal ? r->profile_count : 0;
		return;
	}
	struct gm_reading_profile found[GM_READING_PROFILES_MAX];
	uint32_t count = 0;
	for (uint32_t i = 0; i < GM_READING_PROFILES_MAX; i++) {
		int rc = read_profile(r, i, &found[count]);
		if (rc == GM_NVML_ERROR_INVALID_ARGUMENT) /* past the last that this driver knows */
			break;
		if (r->fatal || (rc != GM_NVML_SUCCESS && !gm_nvml_is_unsupported(rc)))
			return; /* the table of before stands until the next minute */
		if (rc == GM_NVML_SUCCESS)
			read_placements(r, &found[count++]);
	}
	memcpy(r->profiles, found, count * sizeof(found[0]));
	r->profile_count = count;
	for (size_t i = 0; i < GM_LEN(r->mig); i++) /* they name profiles by index */
		r->mig[i].whole = false;
}

/* The profile of a GPU instance: by the id that the driver gives for it, else by name. */
static int16_t find_profile(const struct gm_nvml_reader *r, int32_t id, const char *name)
{
	const char *gi_name = strstr(name, "c.") ? strstr(name, "c.") + 2 : name;
	for (uint32_t i = 0; i < r->profile_count; i++)
		if (id >= 0 ? r->profiles[i].id == id : strcmp(r->profiles[i].name, gi_name) == 0)
			return (int16_t)i;
	return -1;
}

static int32_t count_of(uint32_t n)
{
	return n <= 4096 ? (int32_t)n : -1;
}

/* GPU instance and its place; needs rights that a pod may lack. False when it failed for another reason. */
static bool read_gi(struct gm_nvml_reader *r, struct gm_reading_instance *in)
{
	struct gm_nvml_gi *gi = NULL;
	struct gm_nvml_gi_info info = { 0 };
	int rc = GM_READER_CALL(r, gi_by_id, r->device, (uint32_t)in->gi, &gi);
	if (rc == GM_NVML_SUCCESS)
		rc = GM_READER_CALL(r, gi_info, gi, &info);
	bool is_told = rc == GM_NVML_SUCCESS && info.placement.start < 64 && info.placement.size <= 64;
	in->start = is_told ? (int16_t)info.placement.start : -1;
	in->size = is_told ? (int16_t)info.placement.size : -1;
	in->gi_profile = find_profile(r, is_told ? (int32_t)info.profile_id : -1, in->profile);
	if (!is_told && in->gi_profile >= 0 && r->profiles[in->gi_profile].size)
		in->size = r->profiles[in->gi_profile].size;
	return is_told || gm_nvml_is_unsupported(rc);
}

/* Everything about an instance that stays as long as it lives. False when something failed: asked again next round. */
static bool meet(struct gm_nvml_reader *r, struct gm_reader_mig_entry *e)
{
	struct gm_reading_instance *in = &e->told;
	uint32_t gi = 0, ci = 0;
	int rc_gi = GM_READER_CALL(r, mig_gi_id, e->device, &gi), rc_ci = GM_READER_CALL(r, mig_ci_id, e->device, &ci);
	in->gi = rc_gi == GM_NVML_SUCCESS && gi < 256 ? (int16_t)gi : -1;
	in->ci = rc_ci == GM_NVML_SUCCESS && ci < 256 ? (int16_t)ci : -1;
	char name[GM_NVML_NAME_SIZE + 1] = { 0 };
	int rc_name = GM_READER_CALL(r, name, e->device, name, GM_NVML_NAME_SIZE);
	if (rc_name == GM_NVML_SUCCESS)
		profile_name(in->profile, sizeof(in->profile), name);
	struct gm_nvml_attributes a = { 0 };
	int rc = GM_READER_CALL(r, attributes, e->device, &a);
	bool is_told = rc == GM_NVML_SUCCESS;
	in->sm_count = is_told ? count_of(a.sm_count) : -1;
	in->copy_engines = is_told ? count_of(a.copy_engines) : -1;
	in->decoders = is_told ? count_of(a.decoders) : -1;
	in->encoders = is_told ? count_of(a.encoders) : -1;
	in->jpegs = is_told ? count_of(a.jpegs) : -1;
	in->ofas = is_told ? count_of(a.ofas) : -1;
	in->compute_slices = is_told ? (int16_t)count_of(a.ci_slices) : -1;
	in->memory_bytes = is_told && a.memory_mib <= UINT64_C(1) << 24 ? (int64_t)a.memory_mib * GM_MIB : -1;
	in->start = in->size = in->gi_profile = -1;
	bool is_placed = in->gi >= 0 && read_gi(r, in);
	return is_placed && rc_gi == GM_NVML_SUCCESS && rc_ci == GM_NVML_SUCCESS && rc_name == GM_NVML_SUCCESS &&
	       (is_told || gm_nvml_is_unsupported(rc));
}

/*
 * Who is at this index now. An answer that failed leaves who was there, without values this round; false: nobody. A name
 * is asked each round, because handles and ids are used again for instances made after others were destroyed.
 */
static bool look(struct gm_nvml_reader *r, uint32_t index, bool *failed)
{
	struct gm_reader_mig_entry *e = &r->mig[index];
	struct gm_nvml_device *d = NULL;
	char text[GM_NVML_UUID_SIZE] = { 0 }, uuid[48] = "";
	int rc = GM_READER_CALL(r, mig_by_index, r->device, index, &d);
	if (rc == GM_NVML_SUCCESS && d)
		rc = GM_READER_CALL(r, uuid, d, text, sizeof(text));
	if (rc == GM_NVML_ERROR_NOT_FOUND || rc == GM_NVML_ERROR_INVALID_ARGUMENT || gm_nvml_is_unsupported(rc)) {
		*e = (struct gm_reader_mig_entry){ 0 };
		return false;
	}
	gm_reader_text(uuid, sizeof(uuid), text, sizeof(text));
	*failed = rc != GM_NVML_SUCCESS || strncmp(uuid, "MIG-", 4) != 0;
	if (*failed)
		return e->device != NULL;
	if (strcmp(uuid, e->told.uuid) != 0) {
		*e = (struct gm_reader_mig_entry){ 0 };
		memcpy(e->told.uuid, uuid, sizeof(uuid));
	}
	e->device = d;
	if (!e->whole)
		e->whole = meet(r, e);
	return true;
}

static uint64_t key_of(const struct gm_nvml_reader *r, int16_t gi, unsigned *members)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	*members = 0;
	for (size_t i = 0; i < GM_LEN(r->mig); i++) {
		if (!r->mig[i].device || r->mig[i].told.gi != gi)
			continue;
		++*members;
		for (const char *c = r->mig[i].told.uuid; *c; c++)
			hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	}
	return hash;
}

static void set(struct gm_sample *s, enum gm_field f, int rc, int64_t value, enum gm_validity validity,
		enum gm_source source)
{
	if (rc == GM_NVML_SUCCESS)
		gm_sample_set(s, f, value, validity, source);
	else if (rc == GM_NVML_ERROR_NO_DATA)
		gm_sample_miss(s, f, GM_ABSENT, source);
	else
		gm_sample_miss(s, f, gm_nvml_is_unsupported(rc) ? GM_UNSUPPORTED : GM_ERROR, source);
}

static const struct {
	enum gm_field field;
	enum gm_reader_gpm_slot slot;
} gpm_fields[] = {
	{ GM_FIELD_GR_ENGINE_ACTIVE, GM_READER_GPM_GRAPHICS }, { GM_FIELD_SM_ACTIVE, GM_READER_GPM_SM },
	{ GM_FIELD_SM_OCCUPANCY, GM_READER_GPM_OCCUPANCY },    { GM_FIELD_TENSOR_ACTIVE, GM_READER_GPM_TENSOR },
	{ GM_FIELD_DRAM_ACTIVE, GM_READER_GPM_DRAM },
};

/* GPM counts by GPU instance: where several compute instances share one, each is told the sum, which is a guess for it. */
static void read_profiling(struct gm_nvml_reader *r, const struct gm_reader_mig_entry *e, struct gm_sample *s)
{
	unsigned members = 0;
	uint64_t key = key_of(r, e->told.gi, &members);
	struct gm_reader_gpm *g = e->told.gi >= 0 ? gm_reader_gpm_of(r, e->told.gi, key) : NULL;
	if (g && !g->is_read) {
		gm_reader_gpm(r, g);
		g->is_read = true;
	}
	for (size_t i = 0; i < GM_LEN(gpm_fields); i++) {
		int64_t value = 0;
		int rc = g ? gm_reader_gpm_value(g, gpm_fields[i].slot, &value) : GM_NVML_ERROR_NOT_SUPPORTED;
		set(s, gpm_fields[i].field, rc, value, members > 1 ? GM_ESTIMATED : GM_MEASURED, GM_SOURCE_GPM);
	}
}

/* What NVML tells of boards, and not of slices. */
static void miss_board_only(struct gm_sample *s)
{
	for (enum gm_field f = GM_FIELD_UTILIZATION; f <= GM_FIELD_DECODER_UTILIZATION; f++)
		gm_sample_miss(s, f, GM_UNSUPPORTED, GM_SOURCE_NVML);
}

void gm_reader_mig_miss(struct gm_sample *out, int64_t now_ms, bool has_gpm)
{
	*out = (struct gm_sample){ .at_ms = now_ms };
	miss_board_only(out);
	for (enum gm_field f = GM_FIELD_MEMORY_USED; f <= GM_FIELD_MEMORY_RESERVED; f++)
		gm_sample_miss(out, f, GM_ERROR, GM_SOURCE_NVML);
	for (size_t i = 0; i < GM_LEN(gpm_fields); i++)
		gm_sample_miss(out, gpm_fields[i].field, has_gpm ? GM_ERROR : GM_UNSUPPORTED, GM_SOURCE_GPM);
}

static void read_instance(struct gm_nvml_reader *r, struct gm_reader_mig_entry *e, bool failed,
			  struct gm_reading_instance *out)
{
	int64_t memory[4] = { 0 };
	*out = e->told;
	out->sample = (struct gm_sample){ .at_ms = r->now_ms };
	int rc = failed ? GM_NVML_ERROR_UNKNOWN : gm_reader_memory(r, e->device, memory);
	if (rc == GM_NVML_SUCCESS)
		out->memory_bytes = memory[3];
	set(&out->sample, GM_FIELD_MEMORY_USED, rc, memory[0], GM_MEASURED, GM_SOURCE_NVML);
	set(&out->sample, GM_FIELD_MEMORY_FREE, rc, memory[1], GM_MEASURED, GM_SOURCE_NVML);
	set(&out->sample, GM_FIELD_MEMORY_RESERVED,
	    rc == GM_NVML_SUCCESS && memory[2] < 0 ? GM_NVML_ERROR_NOT_SUPPORTED : rc, memory[2], GM_MEASURED,
	    GM_SOURCE_NVML);
	miss_board_only(&out->sample);
	read_profiling(r, e, &out->sample);
}

/* What one instance's share of the whole board is, in the quantity that a metric is a fraction of. */
static int64_t share_of(const struct gm_reading_profile *p, enum gm_field f)
{
	switch (f) {
	case GM_FIELD_GR_ENGINE_ACTIVE:
		return p->compute_slices;
	case GM_FIELD_DRAM_ACTIVE:
		return p->size;
	default:
		return p->sm_count;
	}
}

/*
 * The board's activity out of its GPU instances, where the driver does not tell it itself: each counts by its share of the
 * board, and what belongs to nobody is idle. Only when every instance told its own, and the whole is known.
 */
static void derive(struct gm_nvml_reader *r, enum gm_field f, enum gm_reader_gpm_slot slot, struct gm_sample *s)
{
	int64_t whole = 0, sum = 0, value = 0;
	uint64_t counted = 0; /* by GPU instance id */
	for (uint32_t i = 0; i < r->profile_count; i++) {
		int64_t share = share_of(&r->profiles[i], f);
		whole = share > whole ? share : whole;
	}
	for (size_t i = 0; i < GM_LEN(r->mig); i++) {
		const struct gm_reading_instance *in = &r->mig[i].told;
		unsigned members;
		if (!r->mig[i].device || (in->gi >= 0 && in->gi < 64 && counted >> in->gi & 1))
			continue;
		if (in->gi < 0 || in->gi >= 64 || in->gi_profile < 0 || (uint32_t)in->gi_profile >= r->profile_count)
			return;
		const struct gm_reader_gpm *g = gm_reader_gpm_of(r, in->gi, key_of(r, in->gi, &members));
		int64_t share = share_of(&r->profiles[in->gi_profile], f);
		if (!g || share <= 0 || gm_reader_gpm_value(g, slot, &value) != GM_NVML_SUCCESS)
			return;
		counted |= UINT64_C(1) << in->gi;
		sum += value * share;
	}
	if (whole > 0 && counted && sum <= whole * 10000)
		gm_sample_set(s, f, sum / whole, GM_DERIVED, GM_SOURCE_GPM);
}

void gm_reader_mig(struct gm_nvml_reader *r, struct gm_reading *out)
{
	uint32_t count = 0;
	if (r->fatal)
		return;
	for (size_t i = 0; i < GM_LEN(r->gi_gpm); i++)
		r->gi_gpm[i].is_read = false;
	if (r->mig_current != 1) {
		memset(r->mig, 0, sizeof(r->mig));
		out->instance_count = 0;
		gm_reader_gpm_retire(r);
		return;
	}
	if (r->mig_max == 0 &&
	    (GM_READER_CALL(r, mig_max, r->device, &r->mig_max) != GM_NVML_SUCCESS || r->mig_max > GM_LEN(r->mig)))
		r->mig_max = GM_LEN(r->mig);
	bool failed[GM_READING_INSTANCES_MAX] = { false }, is_there[GM_READING_INSTANCES_MAX] = { false };
	for (uint32_t i = 0; i < r->mig_max; i++)
		is_there[i] = look(r, i, &failed[i]);
	for (uint32_t i = 0; i < r->mig_max && !r->fatal; i++)
		if (is_there[i])
			read_instance(r, &r->mig[i], failed[i], &out->instances[count++]);
	out->instance_count = count;
	gm_reader_gpm_retire(r);
	for (size_t i = 0; i < GM_LEN(gpm_fields) && !r->fatal; i++)
		if (!gm_sample_has(&out->sample, gpm_fields[i].field))
			derive(r, gpm_fields[i].field, gpm_fields[i].slot, &out->sample);
}
