/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_ALLOC_H
#define GM_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/auto.h"

/* For small sizes that input does not choose: zeroed memory, or the program aborts. Free with free(). */
void *gm_xalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *gm_xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *gm_xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
void *gm_xmemdup(const void *p, size_t size) __attribute__((malloc, returns_nonnull));

/* For sizes that input chooses, after a stated limit was checked: zeroed memory or NULL. */
void *gm_try_alloc(size_t size) GM_CHECKED __attribute__((malloc, alloc_size(1)));
void *gm_try_realloc(void *p, size_t size) GM_CHECKED;

/* True when a * b does not overflow; *out is set only then. */
static inline bool gm_mul_ok(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* Tests: let the n-th gm_try_... call from now on fail once (1 = the next one), 0 = off. Thread-local. */
void gm_alloc_fail_at(unsigned n);
/* Tests: true when the failure asked for has happened. */
bool gm_alloc_failed(void);

static inline __attribute__((unused)) void gm_free_p(void *pp)
{
	free(*(void **)pp);
}

#endif
