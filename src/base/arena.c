/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* In checked builds, what is not handed out may not be touched: also what was, before a reset. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_POISON
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define ARENA_POISON
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_ALIGN 16
#define ARENA_LIMIT_DEFAULT (64u << 20)
#define ARENA_CHUNK_MIN (4u << 10)
#define ARENA_CHUNK_MAX (1u << 20)

struct gm_arena_chunk {
	struct gm_arena_chunk *next;
	size_t size;  /* of data */
	size_t used;  /* of data */
	size_t dirty; /* behind this many bytes, data is still zero from its allocation */
	_Alignas(ARENA_ALIGN) unsigned char data[];
};

void gm_arena_fini(struct gm_arena *a)
{
	if (!a)
		return;
	for (struct gm_arena_chunk *c = a->head, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	a->head = NULL;
	a->used = 0;
}

void gm_arena_reset(struct gm_arena *a)
{
	struct gm_arena_chunk *largest = a->head;
	for (struct gm_arena_chunk *c = a->head; c; c = c->next)
		if (c->size > largest->size)
			largest = c;
	for (struct gm_arena_chunk *c = a->head, *next; c; c = next) {
		next = c->next;
		if (c != largest)
			free(c);
	}
	if (largest) {
		largest->next = NULL;
		largest->used = 0;
		ASAN_POISON_MEMORY_REGION(largest->data, largest->size);
	}
	a->head = largest;
	a->used = 0;
}

static struct gm_arena_chunk *add_chunk(struct gm_arena *a, size_t want)
{
	size_t size = a->head ? a->head->size * 2 : ARENA_CHUNK_MIN;
	if (size > ARENA_CHUNK_MAX)
		size = ARENA_CHUNK_MAX;
	if (size < want)
		size = want;
	struct gm_arena_chunk *c = gm_try_alloc(sizeof(*c) + size);
	if (!c)
		return NULL;
	c->size = size;
	ASAN_POISON_MEMORY_REGION(c->data, c->size);
	c->next = a->head;
	a->head = c;
	return c;
}

void *gm_arena_alloc(struct gm_arena *a, size_t size)
{
	size_t limit = a->limit ? a->limit : ARENA_LIMIT_DEFAULT;
	if (size > limit)
		return NULL;
	size_t rounded = ((size ? size : 1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (a->used > limit || size > limit - a->used)
		return NULL;
	struct gm_arena_chunk *c = a->head;
	if (!c || rounded > c->size - c->used) {
		c = add_chunk(a, rounded);
		if (!c)
			return NULL;
	}
	unsigned char *p = c->data + c->used;
	ASAN_UNPOISON_MEMORY_REGION(p, size ? size : 1);
	if (c->used < c->dirty) {
		size_t stale = c->dirty - c->used;
		memset(p, 0, stale < size ? stale : size);
	}
	c->used += rounded;
	if (c->dirty < c->used)
		c->dirty = c->used;
	a->used += rounded;
	return p;
}

char *gm_arena_dup(struct gm_arena *a, struct gm_str s)
{
	if (s.n == SIZE_MAX)
		return NULL;
	char *p = gm_arena_alloc(a, s.n + 1);
	if (p && s.n)
		memcpy(p, s.p, s.n);
	return p;
}

char *gm_arena_printf(struct gm_arena *a, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	char *p = n < 0 ? NULL : gm_arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(args, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, args);
	va_end(args);
	return p;
}
