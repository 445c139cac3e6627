/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_ARENA_H
#define GM_BASE_ARENA_H

#include <stddef.h>

#include "base/auto.h"
#include "base/str.h"

/*
 * Memory that dies at once: one a request or a collection round. `{ 0 }` is an empty one. Nothing taken from an arena
 * is stored in a struct that lives longer. One thread at a time.
 */
struct gm_arena_chunk;
struct gm_arena {
	struct gm_arena_chunk *head;
	size_t used;  /* bytes handed out since the last reset */
	size_t limit; /* 0: 64 MiB */
};

void gm_arena_fini(struct gm_arena *a);
/* All that was handed out is gone; the largest chunk is kept for the next round. */
void gm_arena_reset(struct gm_arena *a);
/* Zeroed, aligned to 16; NULL past the limit or without memory. */
void *gm_arena_alloc(struct gm_arena *a, size_t size) GM_CHECKED;
/* A NUL-ended copy; NULL past the limit. */
char *gm_arena_dup(struct gm_arena *a, struct gm_str s) GM_CHECKED;
char *gm_arena_printf(struct gm_arena *a, const char *fmt, ...) GM_PRINTF(2, 3) GM_CHECKED;
#define gm_arena_new(a, type) ((type *)gm_arena_alloc((a), sizeof(type)))
/* `count` zeroed items; NULL on overflow too. */
#define gm_arena_array(a, type, count)                                                                                 \
	({                                                                                                             \
		size_t gm_bytes_ = 0;                                                                                  \
		__builtin_mul_overflow(sizeof(type), (size_t)(count), &gm_bytes_)                                      \
			? (type *)NULL                                                                                 \
			: (type *)gm_arena_alloc((a), gm_bytes_);                                                      \
	})

GM_DEFINE_AUTO_VALUE(struct gm_arena, gm_arena_fini)

#endif
