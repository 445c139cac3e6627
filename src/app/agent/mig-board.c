/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-board.h"

#include <inttypes.h>

#include "base/hash.h"

static void table_of_driver(struct gm_mig_board *b, const struct gm_reading *r)
{
	size_t count = r->profile_count < GM_READING_PROFILES_MAX ? r->profile_count : GM_READING_PROFILES_MAX;

	b->table = (struct gm_mig_table){ .id = r->facts.name, .profiles = b->profiles, .profile_count = count };
	for (size_t i = 0; i < count; i++) {
		const struct gm_reading_profile *p = &r->profiles[i];

		b->profiles[i] = (struct gm_mig_profile){
			.name = p->name,
			.nvml_enum = p->nvml_enum,
			.profile_id = p->id,
			.compute_slices = p->compute_slices,
			.memory_slices = -1,
			.memory_mib = p->memory_mib,
			.sm_count = p->sm_count,
			.max_instances = p->max_instances,
			.copy_engines = -1,
			.decoders = -1,
			.encoders = -1,
			.jpeg = -1,
			.ofa = -1,
			.starts = p->starts,
			.start_count = p->start_count,
			.size = p->size,
		};
		if (p->compute_slices > b->table.compute_slices)
			b->table.compute_slices = p->compute_slices;
		for (size_t k = 0; k < p->start_count; k++) {
			if (p->starts[k] + p->size > b->table.placement_units)
				b->table.placement_units = p->starts[k] + p->size;
		}
	}
}

static int profile_of(const struct gm_mig_board *b, const struct gm_reading_instance *in)
{
	const struct gm_reading *r = b->reading;

	if (in->gi_profile < 0 || (unsigned)in->gi_profile >= r->profile_count)
		return -1;
	if (b->from_driver)
		return in->gi_profile;
	for (size_t i = 0; i < b->table.profile_count; i++) {
		if (b->table.profiles[i].profile_id == r->profiles[in->gi_profile].id)
			return (int)i;
	}
	return -1;
}

/* A GPU instance with several compute instances is told once for each. */
static bool seen_gi(const struct gm_mig_board *b, int16_t gi)
{
	for (size_t i = 0; i < b->layout.count; i++) {
		if (b->gis[i] == gi)
			return true;
	}
	return false;
}

static void add_slot(struct gm_mig_board *b, struct gm_mig_slot slot, int16_t gi)
{
	size_t i = b->layout.count++;

	for (; i > 0 && b->layout.slots[i - 1].start > slot.start; i--) {
		b->layout.slots[i] = b->layout.slots[i - 1];
		b->gis[i] = b->gis[i - 1];
	}
	b->layout.slots[i] = slot;
	b->gis[i] = gi;
}

static void read_layout(struct gm_mig_board *b, const struct gm_reading *r)
{
	b->known = true;
	for (uint32_t i = 0; i < r->instance_count && i < GM_READING_INSTANCES_MAX; i++) {
		const struct gm_reading_instance *in = &r->instances[i];
		int profile = profile_of(b, in);

		if (seen_gi(b, in->gi))
			continue;
		if (profile < 0 || in->start < 0 || in->start >= GM_MIG_UNITS_MAX ||
		    b->layout.count >= GM_MIG_INSTANCES_MAX) {
			b->known = false;
			continue;
		}
		add_slot(b, (struct gm_mig_slot){ (uint8_t)profile, (uint8_t)in->start }, in->gi);
	}
	b->known &= gm_mig_layout_check(&b->table, &b->layout, NULL) == 0;
}

bool gm_mig_board_init(struct gm_mig_board *b, const struct gm_reading *r)
{
	*b = (struct gm_mig_board){ .reading = r, .on = r->mig_current == 1 };
	if (r->mig_current < 0)
		return false;
	b->pending = r->mig_pending >= 0 && r->mig_pending != r->mig_current;
	b->from_driver = r->profile_count > 0;
	if (b->from_driver) {
		table_of_driver(b, r);
	} else {
		int64_t mib = r->facts.memory_total_bytes > 0 ? r->facts.memory_total_bytes >> 20 : -1;
		const struct gm_variant *v = gm_catalog_match(gm_str(r->facts.name), mib);

		if (!v || !v->mig)
			return false;
		b->table = *v->mig;
	}
	read_layout(b, r);
	return b->table.placement_units > 0;
}

void gm_mig_board_slice(const struct gm_mig_board *b, struct gm_mig_slot slot, struct gm_mig_slice *out)
{
	const struct gm_mig_profile *p = &b->table.profiles[slot.profile];

	*out = (struct gm_mig_slice){ .profile_id = (int16_t)p->profile_id,
				      .start = slot.start,
				      .size = (uint8_t)p->size };
	(void)gm_str_copy(gm_str(p->name), out->name, sizeof(out->name));
}

void gm_mig_board_state(const struct gm_mig_board *b, struct gm_mig_state *out)
{
	*out = (struct gm_mig_state){ .on = b->on };
	for (size_t i = 0; i < b->layout.count && b->on; i++)
		gm_mig_board_slice(b, b->layout.slots[i], &out->slices[out->count++]);
}

void gm_mig_board_hash(const struct gm_reading *r, char out[static 17])
{
	/* A sum over the instances: their order is the driver's whim. */
	uint64_t sum = gm_hash_u64((uint64_t)(uint32_t)r->mig_current << 32 | (uint32_t)r->mig_pending);

	for (uint32_t i = 0; i < r->instance_count && i < GM_READING_INSTANCES_MAX; i++) {
		const struct gm_reading_instance *in = &r->instances[i];
		char text[120];
		int n = snprintf(text, sizeof(text), "%d/%d/%d/%d/%.*s", in->start, in->size, in->compute_slices,
				 in->ci, (int)sizeof(in->uuid), in->uuid);

		sum += gm_hash(gm_str_n(text, (size_t)n));
	}
	(void)snprintf(out, 17, "%016" PRIx64, gm_hash_u64(sum));
}

static void name_holder(const struct gm_holder *h, struct gm_buf *out)
{
	if (out->n)
		gm_buf_add_cstr(out, ", ");
	if (h->kind == GM_HOLDER_POD)
		gm_buf_addf(out, "pod %s/%s", h->namespace_, h->pod);
	else
		gm_buf_addf(out, "process %u%s%s", h->pid, h->process && h->process[0] ? " " : "",
			    h->process ? h->process : "");
}

bool gm_mig_users(const struct gm_holders *holders, const struct gm_agent_view *view, unsigned board, int gi,
		  struct gm_buf *out)
{
	const struct gm_reading *r = &view->boards[board].reading;
	size_t before = out->n;

	for (size_t i = 0; holders && i < holders->count; i++) {
		const struct gm_holder *h = &holders->items[i];

		if (h->board == board && (gi < 0 || h->gi == gi))
			name_holder(h, out);
	}
	/* A process that the join has not met yet is told by the driver all the same. */
	for (uint32_t i = 0; i < r->process_count && i < GM_READING_PROCESSES_MAX; i++) {
		const struct gm_reading_process *p = &r->processes[i];
		bool told = false;

		if (gi >= 0 && p->gi != gi)
			continue;
		for (size_t k = 0; holders && k < holders->count && !told; k++) {
			const struct gm_holder *h = &holders->items[k];

			told = h->board == board && h->kind == GM_HOLDER_PROCESS && h->pid == p->pid;
		}
		if (told)
			continue;
		if (out->n)
			gm_buf_add_cstr(out, ", ");
		gm_buf_addf(out, "process %u%s%.*s", p->pid, p->name[0] ? " " : "", (int)sizeof(p->name), p->name);
	}
	return out->n > before;
}
