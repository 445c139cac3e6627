/* SPDX-License-Identifier: MIT */
#include "core/alloc/pack.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

#define NONE UINT32_MAX

static bool is_whole(const struct gm_pack_request *r)
{
	return r->gpu_milli == GM_PACK_WHOLE;
}

static unsigned whole_free(const struct gm_pack_node *n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n->gpu_count; i++)
		count += n->milli[i] == GM_PACK_WHOLE;
	return count;
}

static bool model_will_do(const struct gm_pack_node *n, const struct gm_pack_request *r)
{
	return !r->gpu_count || !r->models || (r->models >> n->model & 1);
}

bool gm_pack_fits(const struct gm_pack_node *n, const struct gm_pack_request *r)
{
	if (n->cpu_milli < r->cpu_milli || n->memory_mib < r->memory_mib || !model_will_do(n, r))
		return false;
	if (!r->gpu_count)
		return true;
	if (is_whole(r))
		return whole_free(n) >= r->gpu_count;
	for (unsigned i = 0; i < n->gpu_count; i++)
		if (n->milli[i] >= r->gpu_milli)
			return true;
	return false;
}

void gm_pack_take(struct gm_pack_node *n, const struct gm_pack_request *r, gm_pack_gpus gpus)
{
	assert(n->cpu_milli >= r->cpu_milli && n->memory_mib >= r->memory_mib);
	assert(__builtin_popcount(gpus) == r->gpu_count);
	n->cpu_milli -= r->cpu_milli;
	n->memory_mib -= r->memory_mib;
	for (unsigned i = 0; i < n->gpu_count; i++)
		if (gpus >> i & 1) {
			assert(n->milli[i] >= r->gpu_milli);
			n->milli[i] = (uint16_t)(n->milli[i] - r->gpu_milli);
		}
}

void gm_pack_give(struct gm_pack_node *n, const struct gm_pack_request *r, gm_pack_gpus gpus)
{
	n->cpu_milli += r->cpu_milli;
	n->memory_mib += r->memory_mib;
	for (unsigned i = 0; i < n->gpu_count; i++)
		if (gpus >> i & 1) {
			n->milli[i] = (uint16_t)(n->milli[i] + r->gpu_milli);
			assert(n->milli[i] <= GM_PACK_WHOLE);
		}
}

gm_pack_gpus gm_pack_first_whole(const struct gm_pack_node *n, const struct gm_pack_request *r)
{
	unsigned gpus = 0, wanted = is_whole(r) ? r->gpu_count : 0;

	for (unsigned i = 0; i < n->gpu_count && wanted; i++)
		if (n->milli[i] == GM_PACK_WHOLE) {
			gpus |= 1U << i;
			wanted--;
		}
	return (gm_pack_gpus)gpus;
}

static bool same(const struct gm_pack_request *a, const struct gm_pack_request *b)
{
	return a->cpu_milli == b->cpu_milli && a->memory_mib == b->memory_mib && a->gpu_count == b->gpu_count &&
	       a->gpu_milli == b->gpu_milli && a->models == b->models;
}

static size_t slot_of(const struct gm_pack_types *t, const struct gm_pack_request *r)
{
	const uint64_t words[] = { (uint64_t)r->cpu_milli << 32 | r->memory_mib,
				   (uint64_t)r->gpu_count << 16 | r->gpu_milli, r->models };
	size_t at = (size_t)gm_hash(gm_str_n((const char *)words, sizeof(words))) & (t->slot_count - 1);

	while (t->slots[at] != NONE && !same(&t->rows.items[t->slots[at]], r))
		at = (at + 1) & (t->slot_count - 1);
	return at;
}

static void grow_slots(struct gm_pack_types *t)
{
	t->slot_count = t->slot_count ? t->slot_count * 2 : 64;
	free(t->slots);
	t->slots = gm_xalloc(t->slot_count * sizeof(*t->slots));
	for (size_t i = 0; i < t->slot_count; i++)
		t->slots[i] = NONE;
	for (size_t i = 0; i < t->rows.count; i++)
		t->slots[slot_of(t, &t->rows.items[i])] = (uint32_t)i;
}

void gm_pack_types_fini(struct gm_pack_types *t)
{
	gm_vec_fini(&t->rows);
	free(t->slots);
	*t = (struct gm_pack_types){ 0 };
}

uint32_t gm_pack_types_add(struct gm_pack_types *t, const struct gm_pack_request *r)
{
	size_t at;

	if (t->rows.count * 2 >= t->slot_count)
		grow_slots(t);
	at = slot_of(t, r);
	if (t->slots[at] != NONE)
		return t->slots[at];
	if (t->rows.count >= GM_PACK_TYPES_MAX)
		return NONE;
	t->slots[at] = (uint32_t)t->rows.count;
	gm_vec_push(&t->rows, *r);
	return t->slots[at];
}
