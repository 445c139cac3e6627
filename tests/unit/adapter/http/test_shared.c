/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>

#include "adapter/http/http-internal.h"

static struct gm_http_shared *make(size_t n, enum gm_http_gzip gzip, const char *etag)
{
	struct gm_buf body = { 0 };

	for (size_t i = 0; i < n; i++)
		gm_buf_add_char(&body, (char)('a' + i % 13));
	struct gm_http_shared *s =
		gm_http_shared_new(&body, &(struct gm_http_shared_info){ .gzip = gzip, .etag = gm_str(etag) });
	assert_int_equal(body.n, 0);
	return s;
}

static void test_each_representation_has_its_tag(void **state)
{
	GM_AUTO(gm_http_shared_unref_p) struct gm_http_shared *s = make(5000, GM_HTTP_GZIP_NOW, "t1");
	(void)state;

	assert_int_equal(gm_http_shared_available(s), 1u << GM_ENCODING_IDENTITY | 1u << GM_ENCODING_GZIP);
	assert_string_equal(gm_http_shared_representation(s, GM_ENCODING_IDENTITY)->etag, "\"t1\"");
	assert_string_equal(gm_http_shared_representation(s, GM_ENCODING_GZIP)->etag, "\"t1-gz\"");
	assert_true(gm_http_shared_representation(s, GM_ENCODING_GZIP)->bytes.n < 2500);
	/* Not there: identity instead. */
	assert_string_equal(gm_http_shared_representation(s, GM_ENCODING_BR)->etag, "\"t1\"");
	assert_true(gm_str_is(gm_http_shared_etag(s), "t1"));
}

static void test_tag_is_made_from_the_bytes(void **state)
{
	GM_AUTO(gm_http_shared_unref_p) struct gm_http_shared *a = make(50, GM_HTTP_GZIP_LAZY, "");
	GM_AUTO(gm_http_shared_unref_p) struct gm_http_shared *b = make(50, GM_HTTP_GZIP_NEVER, "");
	GM_AUTO(gm_http_shared_unref_p) struct gm_http_shared *c = make(51, GM_HTTP_GZIP_NEVER, "");
	(void)state;

	assert_int_equal(gm_http_shared_etag(a).n, 16);
	assert_true(gm_str_eq(gm_http_shared_etag(a), gm_http_shared_etag(b)));
	assert_false(gm_str_eq(gm_http_shared_etag(a), gm_http_shared_etag(c)));
	/* Too small to compress. */
	assert_int_equal(gm_http_shared_available(a), 1u << GM_ENCODING_IDENTITY);
}

static void *ask_gzip(void *arg)
{
	struct gm_http_shared *s = gm_http_shared_ref(arg);
	const struct gm_representation *form = gm_http_shared_representation(s, GM_ENCODING_GZIP);
	const void *bytes = form->bytes.p;

	gm_http_shared_unref(s);
	return (void *)(uintptr_t)bytes;
}

static void test_lazy_form_is_made_once_by_whoever_comes_first(void **state)
{
	struct gm_http_shared *s = make(200000, GM_HTTP_GZIP_LAZY, "");
	pthread_t threads[4];
	void *bytes[4];
	(void)state;

	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_gzip, s), 0);
	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], &bytes[i]), 0);
	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_ptr_equal(bytes[i], gm_http_shared_representation(s, GM_ENCODING_GZIP)->bytes.p);
	assert_ptr_not_equal(bytes[0], gm_http_shared_body(s).p);
	gm_http_shared_unref(s);
}

static void test_answer_holds_a_reference_of_its_own(void **state)
{
	struct gm_http_shared *s = make(10, GM_HTTP_GZIP_NEVER, "");
	struct gm_http_response res = { 0 };
	(void)state;

	gm_http_answer_shared(&res, s);
	gm_http_answer_shared(&res, s);
	gm_http_shared_unref(s);
	assert_int_equal(gm_http_shared_body(res.shared).n, 10);
	gm_http_response_fini(&res);
	gm_http_shared_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_representation_has_its_tag),
		cmocka_unit_test(test_tag_is_made_from_the_bytes),
		cmocka_unit_test(test_lazy_form_is_made_once_by_whoever_comes_first),
		cmocka_unit_test(test_answer_holds_a_reference_of_its_own),
	};

	return cmocka_run_group_tests_name("http/shared", tests, NULL, NULL);
}
