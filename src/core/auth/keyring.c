/* SPDX-License-Identifier: MIT */
#include "core/auth/auth-internal.h"

#include "base/alloc.h"

/* Open addressing by the digest's first bytes, at most half full. Digests are spread evenly already. */
struct gm_keyring {
	atomic_uint refs;
	size_t mask;
	size_t count;
	struct gm_ring_key *keys;
	uint32_t *places; /* mask + 1 of them: index in keys plus one, 0 free */
};

static size_t place_of(const uint8_t *digest)
{
	uint64_t v;

	memcpy(&v, digest, sizeof(v));
	return (size_t)v;
}

static void ring_put(struct gm_keyring *ring, const struct gm_key *key)
{
	struct gm_ring_key *k = &ring->keys[ring->count++];
	size_t at = place_of(key->digest);

	memcpy(k->digest, key->digest, sizeof(k->digest));
	k->id = key->id;
	k->expires_ms = key->expires_ms;
	k->role = key->role;
	(void)gm_str_copy(gm_str(key->name), k->name, sizeof(k->name));
	while (ring->places[at & ring->mask] != 0)
		at++;
	ring->places[at & ring->mask] = (uint32_t)ring->count;
}

struct gm_keyring *gm_keyring_new(const struct gm_key *keys, size_t count)
{
	struct gm_keyring *ring = gm_xalloc(sizeof(*ring));
	size_t capacity = 8;

	while (capacity < count * 2)
		capacity *= 2;
	atomic_init(&ring->refs, 1);
	ring->mask = capacity - 1;
	ring->places = gm_xalloc(capacity * sizeof(*ring->places));
	ring->keys = gm_xalloc((count + 1) * sizeof(*ring->keys));
	for (size_t i = 0; i < count; i++) {
		if (keys[i].revoked_ms == 0)
			ring_put(ring, &keys[i]);
	}
	return ring;
}

struct gm_keyring *gm_keyring_ref(struct gm_keyring *ring)
{
	atomic_fetch_add_explicit(&ring->refs, 1, memory_order_relaxed);
	return ring;
}

void gm_keyring_unref(struct gm_keyring *ring)
{
	if (!ring || atomic_fetch_sub_explicit(&ring->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(ring->keys);
	free(ring->places);
	free(ring);
}

const struct gm_ring_key *gm_keyring_find(const struct gm_keyring *ring, const uint8_t digest[static GM_DIGEST_BYTES])
{
	for (size_t at = place_of(digest); ring->places[at & ring->mask] != 0; at++) {
		const struct gm_ring_key *k = &ring->keys[ring->places[at & ring->mask] - 1];

		if (gm_secret_eq(k->digest, digest, GM_DIGEST_BYTES))
			return k;
	}
	return NULL;
}

bool gm_keyring_has_role(const struct gm_keyring *ring, enum gm_role least, int64_t now_ms)
{
	for (size_t i = 0; i < ring->count; i++) {
		if (ring->keys[i].role >= least && gm_key_good_at(ring->keys[i].expires_ms, now_ms))
			return true;
	}
	return false;
}

/* Held for a handful of instructions, so that a reader cannot take a reference to a ring that is just freed. */
static void slot_enter(struct gm_keyring_slot *slot)
{
	while (atomic_flag_test_and_set_explicit(&slot->busy, memory_order_acquire))
		;
}

static void slot_leave(struct gm_keyring_slot *slot)
{
	atomic_flag_clear_explicit(&slot->busy, memory_order_release);
}

void gm_keyring_slot_set(struct gm_keyring_slot *slot, struct gm_keyring *take_ring)
{
	struct gm_keyring *old;

	slot_enter(slot);
	old = slot->ring;
	slot->ring = take_ring;
	slot_leave(slot);
	gm_keyring_unref(old);
}

struct gm_keyring *gm_keyring_slot_get(struct gm_keyring_slot *slot)
{
	struct gm_keyring *ring;

	slot_enter(slot);
	ring = slot->ring ? gm_keyring_ref(slot->ring) : NULL;
	slot_leave(slot);
	return ring;
}
