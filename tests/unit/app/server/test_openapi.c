/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/server/api.h"
#include "app/server/openapi.h"
#include "app/server/values.h"
#include "base/buf.h"

static const struct gm_schema *find(const char *name)
{
	for (size_t i = 0; i < gm_schema_count; i++) {
		if (strcmp(gm_schema_table[i].name, name) == 0)
			return &gm_schema_table[i];
	}
	return NULL;
}

static void test_every_reference_of_a_schema_resolves(void **state)
{
	size_t checked = 0;

	(void)state;
	for (size_t i = 0; i < gm_schema_count; i++) {
		const struct gm_schema *s = &gm_schema_table[i];
		if (s->base)
			assert_non_null(find(s->base));
		for (const struct gm_schema_field *f = s->fields; f->name; f++) {
			if (f->ref && f->ref[0] >= 'A' && f->ref[0] <= 'Z') {
				assert_non_null(find(f->ref));
				checked++;
			}
		}
	}
	assert_true(checked > 20);
}

static void test_schemas_are_named_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < gm_schema_count; i++)
		assert_ptr_equal(find(gm_schema_table[i].name), &gm_schema_table[i]);
}

static void test_every_route_names_schemas_that_exist(void **state)
{
	(void)state;
	assert_true(gm_route_count > 20);
	for (size_t i = 0; i < gm_route_count; i++) {
		const struct gm_route *r = &gm_route_table[i];
		if (r->response)
			assert_non_null(find(r->response));
		if (r->request)
			assert_non_null(find(r->request));
		assert_non_null(r->summary);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(r->operation, gm_route_table[k].operation);
	}
}

static void test_what_is_open_to_all_is_only_what_must_be(void **state)
{
	static const char *const open[] = { "/api/v1/openapi.json", "/openapi.json", "/healthz", "/readyz" };
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < gm_route_count; i++) {
		if (gm_route_table[i].role != GM_ROLE_NONE)
			continue;
		assert_true(found < 4);
		assert_string_equal(gm_route_table[i].path, open[found++]);
	}
	assert_int_equal(found, 4);
}

static void test_every_changing_route_wants_admin(void **state)
{
	(void)state;
	for (size_t i = 0; i < gm_route_count; i++) {
		if (gm_route_table[i].method != GM_HTTP_GET)
			assert_int_equal(gm_route_table[i].role, GM_ROLE_ADMIN);
	}
}

static void test_the_router_takes_the_table(void **state)
{
	GM_AUTO(gm_router_free_p) struct gm_router *router = NULL;
	struct gm_err err = { 0 };

	(void)state;
	assert_int_equal(gm_router_new(gm_route_table, gm_route_count, "/k8s-monitor", &router, &err), 0);
}

static void test_the_document_has_each_value_of_a_device(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	(void)state;
	gm_openapi_write(&b, gm_route_table, gm_route_count);
	for (size_t i = 0; i < gm_value_count; i++) {
		char quoted[64];
		(void)snprintf(quoted, sizeof(quoted), "\"%s\":", gm_value_table[i].name);
		assert_non_null(strstr(gm_buf_cstr(&b), quoted));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_reference_of_a_schema_resolves),
		cmocka_unit_test(test_schemas_are_named_once),
		cmocka_unit_test(test_every_route_names_schemas_that_exist),
		cmocka_unit_test(test_what_is_open_to_all_is_only_what_must_be),
		cmocka_unit_test(test_every_changing_route_wants_admin),
		cmocka_unit_test(test_the_router_takes_the_table),
		cmocka_unit_test(test_the_document_has_each_value_of_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
