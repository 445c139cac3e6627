/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <endian.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t gm_hash(struct gm_str s)
{
	return XXH3_64bits(s.n ? s.p : "", s.n);
}

uint64_t gm_hash_u64(uint64_t v)
{
	/* Bytes in one order on every machine. */
	uint64_t little = htole64(v);
	return XXH3_64bits(&little, sizeof(little));
}
