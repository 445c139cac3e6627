/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_VEC_H
#define GM_BASE_VEC_H

#include <stddef.h>
#include <stdlib.h>

/*
 * A growing array: `GM_VEC(struct gm_pod) pods = { 0 };`. Growth doubles and aborts when out of memory; whoever lets
 * input choose the length checks a stated limit before pushing.
 */
#define GM_VEC(type)                                                                                                   \
	struct {                                                                                                       \
		type *items;                                                                                           \
		size_t count;                                                                                          \
		size_t capacity;                                                                                       \
	}

void *gm_vec_grow(void *items, size_t *capacity, size_t item_size, size_t want);

#define gm_vec_reserve(v, want)                                                                                        \
	((v)->capacity >= (want) ? (void)0                                                                             \
				 : (void)((v)->items = gm_vec_grow((v)->items, &(v)->capacity,                         \
								   sizeof(__typeof__(*(v)->items)), (want))))
/* Copies `value` to the end. */
#define gm_vec_push(v, value) (gm_vec_reserve((v), (v)->count + 1), (void)((v)->items[(v)->count++] = (value)))
/* A zeroed item at the end; its address. */
#define gm_vec_add(v)                                                                                                  \
	(gm_vec_reserve((v), (v)->count + 1), memset(&(v)->items[(v)->count], 0, sizeof(__typeof__(*(v)->items))),     \
	 &(v)->items[(v)->count++])
#define gm_vec_reset(v) ((void)((v)->count = 0))
#define gm_vec_fini(v) (free((v)->items), (v)->items = NULL, (v)->count = 0, (void)((v)->capacity = 0))
/* for (size_t i = 0; ...) is plain enough; this one gives the address of each item. */
#define gm_vec_each(v, it) for (__typeof__((v)->items) it = (v)->items; it && it < (v)->items + (v)->count; it++)

#endif
