/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_HASH_H
#define GM_BASE_HASH_H

#include <stdint.h>

#include "base/str.h"

/* 64 bits of the bytes (XXH3), the same on every machine and start: used for maps, jitter and line caches. */
uint64_t gm_hash(struct gm_str s);
uint64_t gm_hash_u64(uint64_t v);

#endif
