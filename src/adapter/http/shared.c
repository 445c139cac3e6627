/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter/http/http-internal.h"
#include "base/alloc.h"
#include "base/hash.h"

#define USUAL_LEVEL 6

struct gm_http_shared {
	_Atomic unsigned refs;
	char *content_type;
	char *cache_control;
	char *owned; /* the bytes of identity, NULL when borrowed */
	struct gm_representation forms[GM_ENCODING_COUNT];
	_Atomic unsigned available; /* bit per enum gm_encoding; a bit appears after its form is complete */
	pthread_mutex_t mu;
	int gzip_level;
	bool gzip_wanted;	/* guarded by mu: not tried yet */
	_Atomic bool gzip_open; /* the same, to be read without the lock */
	struct gm_buf packed;	/* guarded by mu until the bit appears */
};

static void set_form(struct gm_http_shared *s, enum gm_encoding e, struct gm_str bytes, struct gm_str etag)
{
	struct gm_representation *form = &s->forms[e];

	form->bytes = bytes;
	(void)snprintf(form->etag, sizeof(form->etag), "\"%.*s%s\"", GM_STR_ARG(etag), gm_encoding_suffix(e));
	atomic_fetch_or_explicit(&s->available, 1u << e, memory_order_release);
}

static struct gm_http_shared *shared_new(struct gm_str body, const struct gm_http_shared_info *info)
{
	struct gm_http_shared *s = gm_xalloc(sizeof(*s));
	char made[17];
	struct gm_str etag = info->etag;

	if (etag.n == 0) {
		(void)snprintf(made, sizeof(made), "%016llx", (unsigned long long)gm_hash(body));
		etag = gm_str(made);
	}
	assert(etag.n <= GM_ETAG_MAX - 4);
	atomic_init(&s->refs, 1);
	s->content_type = gm_xstrdup(info->content_type ? info->content_type : "application/json");
	s->cache_control = gm_xstrdup(info->cache_control ? info->cache_control : "private, no-cache");
	(void)pthread_mutex_init(&s->mu, NULL);
	set_form(s, GM_ENCODING_IDENTITY, body, etag);
	return s;
}

static void pack(struct gm_http_shared *s)
{
	(void)pthread_mutex_lock(&s->mu);
	if (s->gzip_wanted) {
		s->gzip_wanted = false;
		if (gm_gzip(s->forms[GM_ENCODING_IDENTITY].bytes, s->gzip_level, &s->packed))
			set_form(s, GM_ENCODING_GZIP, gm_buf_str(&s->packed), gm_http_shared_etag(s));
		atomic_store_explicit(&s->gzip_open, false, memory_order_release);
	}
	(void)pthread_mutex_unlock(&s->mu);
}

struct gm_http_shared *gm_http_shared_new(struct gm_buf *take_body, const struct gm_http_shared_info *info)
{
	size_t n;
	char *bytes = gm_buf_steal(take_body, &n);
	struct gm_http_shared *s = shared_new(gm_str_n(bytes, n), info);

	s->owned = bytes;
	s->gzip_level = info->gzip_level ? info->gzip_level : USUAL_LEVEL;
	s->gzip_wanted = info->gzip != GM_HTTP_GZIP_NEVER && n >= GM_GZIP_LEAST;
	atomic_init(&s->gzip_open, s->gzip_wanted);
	if (info->gzip == GM_HTTP_GZIP_NOW)
		pack(s);
	return s;
}

struct gm_http_shared *gm_http_shared_new_static(struct gm_str raw, struct gm_str gz, struct gm_str br,
						 const struct gm_http_shared_info *info)
{
	struct gm_http_shared *s = shared_new(raw, info);
	struct gm_str etag = gm_http_shared_etag(s);

	if (gz.n)
		set_form(s, GM_ENCODING_GZIP, gz, etag);
	if (br.n)
		set_form(s, GM_ENCODING_BR, br, etag);
	return s;
}

struct gm_http_shared *gm_http_shared_ref(struct gm_http_shared *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void gm_http_shared_unref(struct gm_http_shared *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	(void)pthread_mutex_destroy(&s->mu);
	gm_buf_fini(&s->packed);
	free(s->owned);
	free(s->content_type);
	free(s->cache_control);
	free(s);
}

struct gm_str gm_http_shared_body(const struct gm_http_shared *s)
{
	return s->forms[GM_ENCODING_IDENTITY].bytes;
}

struct gm_str gm_http_shared_etag(const struct gm_http_shared *s)
{
	const char *quoted = s->forms[GM_ENCODING_IDENTITY].etag;

	return gm_str_n(quoted + 1, strlen(quoted) - 2);
}

void gm_http_answer_shared(struct gm_http_response *res, struct gm_http_shared *s)
{
	gm_http_shared_ref(s);
	gm_http_shared_unref(res->shared);
	res->shared = s;
}

/* What there is, and a gzip form that can still be made. */
unsigned gm_http_shared_available(struct gm_http_shared *s)
{
	unsigned available = atomic_load_explicit(&s->available, memory_order_acquire);

	if (atomic_load_explicit(&s->gzip_open, memory_order_acquire))
		available |= 1u << GM_ENCODING_GZIP;
	return available;
}

const struct gm_representation *gm_http_shared_representation(struct gm_http_shared *s, enum gm_encoding e)
{
	if (e == GM_ENCODING_GZIP && atomic_load_explicit(&s->gzip_open, memory_order_acquire))
		pack(s);
	if (!(atomic_load_explicit(&s->available, memory_order_acquire) & (1u << e)))
		e = GM_ENCODING_IDENTITY;
	return &s->forms[e];
}

const char *gm_http_shared_content_type(const struct gm_http_shared *s)
{
	return s->content_type;
}

const char *gm_http_shared_cache_control(const struct gm_http_shared *s)
{
	return s->cache_control;
}
