/* SPDX-License-Identifier: MIT */
#include "adapter/store/pack.h"

#include <stdlib.h>

#include <zstd.h>

#include "base/alloc.h"

enum tag { TAG_RAW = 0, TAG_ZSTD = 1 };

/* Made at the first use: readers never compress. */
struct gm_packer {
	ZSTD_CCtx *c;
	ZSTD_DCtx *d;
};

struct gm_packer *gm_packer_new(void)
{
	return gm_xalloc(sizeof(struct gm_packer));
}

void gm_packer_free(struct gm_packer *p)
{
	if (!p)
		return;
	(void)ZSTD_freeCCtx(p->c);
	(void)ZSTD_freeDCtx(p->d);
	free(p);
}

int gm_pack(struct gm_packer *p, int level, struct gm_str raw, struct gm_buf *out, struct gm_err *err)
{
	if (raw.n > GM_PACK_RAW_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "a blob of %zu bytes is too large", raw.n);
	if (!p->c)
		p->c = ZSTD_createCCtx();
	gm_buf_reset(out);
	const size_t bound = ZSTD_compressBound(raw.n);
	char *to = gm_buf_reserve(out, 1 + bound);
	if (!p->c || !to)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory while packing %zu bytes", raw.n);
	(void)ZSTD_CCtx_setParameter(p->c, ZSTD_c_compressionLevel, level);
	(void)ZSTD_CCtx_setParameter(p->c, ZSTD_c_checksumFlag, 1);
	size_t n = ZSTD_compress2(p->c, to + 1, bound, raw.p, raw.n);
	to[0] = TAG_ZSTD;
	if (ZSTD_isError(n) || n >= raw.n) {
		to[0] = TAG_RAW;
		n = raw.n;
		if (n)
			(void)memcpy(to + 1, raw.p, n);
	}
	gm_buf_advance(out, 1 + n);
	return 0;
}

static int unpack_zstd(struct gm_packer *p, struct gm_str frame, struct gm_buf *out, struct gm_err *err)
{
	const unsigned long long size = ZSTD_getFrameContentSize(frame.p, frame.n);

	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > GM_PACK_RAW_MAX)
		return gm_fail(err, GM_ERR_CORRUPT, "a blob is damaged: it has no usable length");
	if (!p->d)
		p->d = ZSTD_createDCtx();
	char *to = gm_buf_reserve(out, (size_t)size);
	if (!p->d || !to)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory while unpacking %llu bytes", size);
	const size_t n = ZSTD_decompressDCtx(p->d, to, (size_t)size, frame.p, frame.n);
	if (ZSTD_isError(n))
		return gm_fail(err, GM_ERR_CORRUPT, "a blob is damaged: %s", ZSTD_getErrorName(n));
	gm_buf_advance(out, n);
	return 0;
}

int gm_unpack(struct gm_packer *p, struct gm_str packed, struct gm_buf *out, struct gm_err *err)
{
	gm_buf_reset(out);
	if (packed.n == 0)
		return gm_fail(err, GM_ERR_CORRUPT, "a blob is damaged: it is empty");
	const struct gm_str rest = gm_str_n(packed.p + 1, packed.n - 1);
	if (packed.p[0] == TAG_ZSTD)
		return unpack_zstd(p, rest, out, err);
	if (packed.p[0] != TAG_RAW || rest.n > GM_PACK_RAW_MAX)
		return gm_fail(err, GM_ERR_CORRUPT, "a blob is damaged: unknown kind %u", (unsigned char)packed.p[0]);
	gm_buf_add_str(out, rest);
	return out->failed ? gm_fail(err, GM_ERR_NO_MEMORY, "out of memory while unpacking") : 0;
}
