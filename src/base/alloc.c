/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <string.h>
#include <unistd.h>

static _Thread_local unsigned fail_countdown;
static _Thread_local bool fail_happened;

static void __attribute__((noreturn, cold)) die(void)
{
	static const char message[] = "out of memory\n";
	/* stdio may want memory; there is nothing to do about a failed write either. */
	ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);
	(void)written;
	abort();
}

/* True when this call is the one that shall fail. */
static bool fail_now(void)
{
	if (gm_likely(fail_countdown == 0) || --fail_countdown > 0)
		return false;
	fail_happened = true;
	return true;
}

void *gm_xalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (gm_unlikely(!p))
		die();
	return p;
}

void *gm_xrealloc(void *p, size_t size)
{
	void *q = realloc(p, size ? size : 1);
	if (gm_unlikely(!q))
		die();
	return q;
}

void *gm_xmemdup(const void *p, size_t size)
{
	void *q = malloc(size ? size : 1);
	if (gm_unlikely(!q))
		die();
	if (size)
		memcpy(q, p, size);
	return q;
}

char *gm_xstrdup(const char *s)
{
	return gm_xmemdup(s, strlen(s) + 1);
}

void *gm_try_alloc(size_t size)
{
	return fail_now() ? NULL : calloc(1, size ? size : 1);
}

void *gm_try_realloc(void *p, size_t size)
{
	return fail_now() ? NULL : realloc(p, size ? size : 1);
}

void gm_alloc_fail_at(unsigned n)
{
	fail_countdown = n;
	fail_happened = false;
}

bool gm_alloc_failed(void)
{
	return fail_happened;
}
