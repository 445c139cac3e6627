/* SPDX-License-Identifier: MIT */
#include "adapter/http/gzip.h"

#include <pthread.h>
#include <stdlib.h>

#include <zlib.h>

#include "base/alloc.h"

#define WINDOW_GZIP (15 + 16)
#define MEMORY_LEVEL 8

struct packer {
	z_stream z;
	int level;
};

static pthread_key_t packer_key;
static pthread_once_t packer_once = PTHREAD_ONCE_INIT;

static void packer_free(void *p)
{
	struct packer *packer = p;

	if (packer)
		(void)deflateEnd(&packer->z);
	free(packer);
}

static void packer_key_make(void)
{
	(void)pthread_key_create(&packer_key, packer_free);
}

/* The thread's own, ready to begin; a quarter of a megabyte that is not allocated for each answer. */
static struct packer *packer_get(int level)
{
	(void)pthread_once(&packer_once, packer_key_make);
	struct packer *packer = pthread_getspecific(packer_key);
	if (packer && packer->level == level && deflateReset(&packer->z) == Z_OK)
		return packer;
	packer_free(packer);
	packer = gm_xalloc(sizeof(*packer));
	packer->level = level;
	if (deflateInit2(&packer->z, level, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(packer);
		packer = NULL;
	}
	(void)pthread_setspecific(packer_key, packer);
	return packer;
}

bool gm_gzip(struct gm_str in, int level, struct gm_buf *out)
{
	struct packer *packer;
	size_t room = in.n - in.n / 10;
	char *to;

	if (in.n < GM_GZIP_LEAST || in.n > UINT32_MAX)
		return false;
	packer = packer_get(level);
	to = packer ? gm_buf_reserve(out, room) : NULL;
	if (!to)
		return false;
	/* zlib does not write to its input; its type only lacks the const. */
	packer->z.next_in = (Bytef *)(uintptr_t)in.p;
	packer->z.avail_in = (uInt)in.n;
	packer->z.next_out = (Bytef *)to;
	packer->z.avail_out = (uInt)room;
	if (deflate(&packer->z, Z_FINISH) != Z_STREAM_END)
		return false;
	gm_buf_advance(out, room - packer->z.avail_out);
	return true;
}
