/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_NEGOTIATE_H
#define GM_ADAPTER_HTTP_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Representations of one body, the dearer to make and smaller ones behind. */
enum gm_encoding { GM_ENCODING_IDENTITY, GM_ENCODING_GZIP, GM_ENCODING_BR, GM_ENCODING_COUNT };

/* "gzip"; NULL for identity. */
const char *gm_encoding_name(enum gm_encoding e);
/* What stands behind the ETag of a representation: "", "-gz", "-br". */
const char *gm_encoding_suffix(enum gm_encoding e);

/*
 * The best of `available` (bit per enum gm_encoding) by an Accept-Encoding header, q-values and '*' honoured; at equal
 * weight the smaller one. Identity when nothing fits: an answer in the wrong coding beats none.
 */
enum gm_encoding gm_encoding_choose(struct gm_str accept_encoding, unsigned available);

#define GM_ETAG_MAX 80
/*
 * Does If-None-Match name `etag`, or `etag` with the suffix of a representation? Weak comparison, '*' matches. *out
 * (may be NULL) is then the tag as it was listed, without quotes (etag itself for '*').
 */
bool gm_etag_match(struct gm_str if_none_match, struct gm_str etag, struct gm_str *out);

#endif
