/* SPDX-License-Identifier: MIT */
#include "adapter/kube/podresources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/varint.h"

/* Messages by hand: nothing that reads them takes part in making them. */
static void put(struct gm_buf *b, unsigned field, struct gm_str bytes)
{
	gm_buf_add_varint(b, field << 3 | 2);
	gm_buf_add_varint(b, bytes.n);
	gm_buf_add_str(b, bytes);
}
static void put_text(struct gm_buf *b, unsigned field, const char *text)
{
	put(b, field, gm_str(text));
}
static void put_message(struct gm_buf *b, unsigned field, struct gm_buf *take)
{
	put(b, field, gm_buf_str(take));
	gm_buf_fini(take);
}

static void put_devices(struct gm_buf *container, const char *resource, const char *const *ids)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	put_text(&b, 1, resource);
	for (; *ids; ids++)
		put_text(&b, 2, *ids);
	put_text(&b, 3, "\n\002\b\001"); /* topology: {nodes: {ID: 1}} */
	put_message(container, 2, &b);
}
#define IDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void put_claim(struct gm_buf *container, const char *driver, const char *device, const char *cdi)
{
	struct gm_buf claim = { 0 }, resource = { 0 }, name = { 0 };

	put_text(&claim, 2, "training-gpu");
	put_text(&claim, 3, "ml");
	if (cdi) {
		put_text(&name, 1, cdi);
		put_message(&resource, 1, &name);
		put_text(&name, 1, "second");
		put_message(&resource, 1, &name);
	}
	put_text(&resource, 2, driver);
	put_text(&resource, 3, "node-1");
	put_text(&resource, 4, device);
	put_text(&resource, 5, "share");
	put_message(&claim, 4, &resource);
	put_message(container, 5, &claim);
}

static void put_pod(struct gm_buf *list, const char *namespace_, const char *name, const char *container_name,
		    struct gm_buf *take_container)
{
	struct gm_buf pod = { 0 }, container = { 0 };

	put_text(&pod, 1, name);
	put_text(&pod, 2, namespace_);
	put_text(&container, 1, container_name);
	gm_buf_add_str(&container, gm_buf_str(take_container));
	gm_buf_fini(take_container);
	put_message(&pod, 3, &container);
	put_message(list, 1, &pod);
}

struct fixture {
	struct gm_buf list;
	struct gm_arena arena;
	struct gm_podresources pods;
	struct gm_err err;
};

static int set_up(void **state)
{
	*state = gm_xalloc(sizeof(struct fixture));
	return 0;
}
static int tear_down(void **state)
{
	struct fixture *f = *state;

	gm_buf_fini(&f->list);
	gm_arena_fini(&f->arena);
	free(f);
	return 0;
}

static int parse(struct fixture *f)
{
	return gm_podresources_parse(gm_buf_str(&f->list), &f->arena, &f->pods, &f->err);
}

static void check(const struct fixture *f, size_t i, const char *text)
{
	const struct gm_pod_device *d = &f->pods.devices[i];
	char got[512];

	assert_true(i < f->pods.count);
	(void)snprintf(got, sizeof(got), "%s/%s/%s %s %s claim=%s cdi=%s", d->namespace_, d->pod, d->container,
		       d->resource, d->device_id, d->claim, d->cdi);
	assert_string_equal(got, text);
}

static void test_no_pods_is_an_empty_list(void **state)
{
	struct fixture *f = *state;

	f->pods.count = 9;
	assert_int_equal(parse(f), 0);
	assert_int_equal(f->pods.count, 0);
}

static void test_devices_of_pods_are_listed_and_others_left_out(void **state)
{
	struct fixture *f = *state;
	struct gm_buf c = { 0 };

	put_devices(&c, "nvidia.com/gpu", IDS("GPU-a", "GPU-b"));
	put_devices(&c, "intel.com/nic", IDS("nic-1"));
	put_pod(&f->list, "ml", "trainer-0", "main", &c);
	put_devices(&c, "intel.com/nic", IDS("nic-2"));
	put_pod(&f->list, "ml", "web", "main", &c);
	put_devices(&c, "nvidia.com/mig-1g.10gb", IDS("MIG-c"));
	put_pod(&f->list, "serve", "llm", "server", &c);
	assert_int_equal(parse(f), 0);
	assert_int_equal(f->pods.count, 3);
	check(f, 0, "ml/trainer-0/main nvidia.com/gpu GPU-a claim= cdi=");
	check(f, 1, "ml/trainer-0/main nvidia.com/gpu GPU-b claim= cdi=");
	check(f, 2, "serve/llm/server nvidia.com/mig-1g.10gb MIG-c claim= cdi=");
}

static void test_a_device_of_two_numa_nodes_counts_once(void **state)
{
	struct fixture *f = *state;
	struct gm_buf c = { 0 };

	put_devices(&c, "nvidia.com/gpu", IDS("GPU-b", "GPU-a"));
	put_devices(&c, "nvidia.com/gpu", IDS("GPU-b"));
	put_devices(&c, "nvidia.com/gpu.shared", IDS("GPU-b"));
	put_pod(&f->list, "ml", "trainer", "one", &c);
	put_devices(&c, "nvidia.com/gpu", IDS("GPU-b"));
	put_pod(&f->list, "ml", "trainer", "two", &c);
	assert_int_equal(parse(f), 0);
	assert_int_equal(f->pods.count, 4);
	check(f, 0, "ml/trainer/one nvidia.com/gpu GPU-a claim= cdi=");
	check(f, 1, "ml/trainer/one nvidia.com/gpu GPU-b claim= cdi=");
	check(f, 2, "ml/trainer/one nvidia.com/gpu.shared GPU-b claim= cdi=");
	check(f, 3, "ml/trainer/two nvidia.com/gpu GPU-b claim= cdi=");
}

static void test_claims_are_listed_with_what_they_took(void **state)
{
	struct fixture *f = *state;
	struct gm_buf c = { 0 };

	put_claim(&c, "gpu.nvidia.com", "gpu-0-mig-1g10gb-19-2", "nvidia.com/gpu=x");
	put_claim(&c, "nic.example.com", "nic-0", NULL);
	put_claim(&c, "gpu.nvidia.com", "gpu-1", NULL);
	put_pod(&f->list, "ml", "trainer", "main", &c);
	assert_int_equal(parse(f), 0);
	assert_int_equal(f->pods.count, 2);
	check(f, 0, "ml/trainer/main gpu.nvidia.com gpu-0-mig-1g10gb-19-2 claim=ml/training-gpu cdi=nvidia.com/gpu=x");
	check(f, 1, "ml/trainer/main gpu.nvidia.com gpu-1 claim=ml/training-gpu cdi=");
}

/* Fields of a kubelet newer than we: of every wire type, at every level. */
static void test_unknown_fields_are_skipped(void **state)
{
	static const char more[] = "\xa0\x06\x96\x01"			      /* 100: varint */
				   "\xa9\x06\x01\x02\x03\x04\x05\x06\x07\x08" /* 101: 64 bit */
				   "\xb2\x06\x03xyz"			      /* 102: bytes */
				   "\xbd\x06\x01\x02\x03\x04";		      /* 103: 32 bit */
	struct fixture *f = *state;
	struct gm_buf c = { 0 };

	gm_buf_add(&f->list, more, sizeof(more) - 1);
	put_devices(&c, "nvidia.com/gpu", IDS("GPU-a"));
	gm_buf_add(&c, more, sizeof(more) - 1);
	put_pod(&f->list, "ml", "trainer", "main", &c);
	gm_buf_add(&f->list, more, sizeof(more) - 1);
	assert_int_equal(parse(f), 0);
	assert_int_equal(f->pods.count, 1);
	check(f, 0, "ml/trainer/main nvidia.com/gpu GPU-a claim= cdi=");
}

/* Every beginning of a message is either a shorter list or refused; nothing is read past the end. */
static void test_cut_messages_are_refused(void **state)
{
	struct fixture *f = *state;
	struct gm_buf c = { 0 };
	size_t first_pod, refused = 0;

	put_devices(&c, "nvidia.com/gpu", IDS("GPU-a"));
	put_pod(&f->list, "ml", "one", "main", &c);
	first_pod = f->list.n;
	put_devices(&c, "nvidia.com/gpu", IDS("GPU-b"));
	put_pod(&f->list, "ml", "two", "main", &c);
	for (size_t n = 0; n < f->list.n; n++) {
		/* Of exactly this size, so that a sanitizer sees a step too far. */
		char *cut = gm_xmemdup(f->list.p, n ? n : 1);
		struct gm_podresources pods = { .count = 99 };
		int rc = gm_podresources_parse(gm_str_n(cut, n), &f->arena, &pods, &f->err);
		free(cut);
		if (n == 0 || n == first_pod) {
			assert_int_equal(rc, 0);
			assert_int_equal(pods.count, n ? 1 : 0);
		} else {
			assert_int_equal(rc, GM_ERR_PARSE);
			assert_int_equal(pods.count, 99);
			refused++;
		}
	}
	assert_int_equal(refused, f->list.n - 2);
}

static void test_names_that_are_no_text_are_refused(void **state)
{
	static const char *const bad[] = { "a\nb", "\xff", "\x1b[31m" };
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(bad); i++) {
		for (int place = 0; place < 4; place++) {
			struct gm_buf c = { 0 };
			gm_buf_reset(&f->list);
			put_devices(&c, "nvidia.com/gpu", IDS(place == 0 ? bad[i] : "GPU-a"));
			put_pod(&f->list, place == 1 ? bad[i] : "ml", place == 2 ? bad[i] : "one",
				place == 3 ? bad[i] : "main", &c);
			assert_int_equal(parse(f), GM_ERR_PARSE);
			assert_non_null(strstr(f->err.text, "not text"));
		}
	}
}

static void test_too_many_devices_are_refused(void **state)
{
	struct fixture *f = *state;

	for (int pod = 0; pod <= GM_PODRESOURCES_DEVICES_MAX / 1024; pod++) {
		struct gm_buf c = { 0 }, devices = { 0 };
		char id[32];
		put_text(&devices, 1, "nvidia.com/gpu");
		for (int i = 0; i < 1024; i++) {
			(void)snprintf(id, sizeof(id), "GPU-%d", i);
			put_text(&devices, 2, id);
		}
		put_message(&c, 2, &devices);
		put_pod(&f->list, "ml", "many", "main", &c);
	}
	assert_int_equal(parse(f), GM_ERR_TOO_LARGE);
	assert_non_null(strstr(f->err.text, "more than 65536"));
}

/* Empty messages of two bytes each become structs of many: what one pod may take is bounded. */
static void test_a_pod_that_swells_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gm_buf pod = { 0 };

	for (int i = 0; i < 200000; i++)
		put_text(&pod, 3, "");
	put_message(&f->list, 1, &pod);
	assert_int_equal(parse(f), GM_ERR_TOO_LARGE);
}

static void test_an_arena_that_is_full_is_said(void **state)
{
	struct fixture *f = *state;
	struct gm_buf c = { 0 };
	int rc;

	put_devices(&c, "nvidia.com/gpu", IDS("GPU-a", "GPU-b"));
	put_pod(&f->list, "ml", "one", "main", &c);
	for (f->arena.limit = 1; (rc = parse(f)) != 0; f->arena.limit += 16) {
		assert_int_equal(rc, GM_ERR_NO_MEMORY);
		assert_true(f->arena.limit < 4096);
		gm_arena_reset(&f->arena);
	}
	assert_int_equal(f->pods.count, 2);
}

static void test_no_socket_is_unavailable(void **state)
{
	struct fixture *f = *state;
	char path[200];

	f->pods.count = 9;
	assert_int_equal(gm_podresources_list("/nowhere/kubelet.sock", 100, &f->arena, &f->pods, &f->err),
			 GM_ERR_UNAVAILABLE);
	assert_string_equal(f->err.text, "'/nowhere/kubelet.sock': there is no socket");
	assert_int_equal(f->pods.count, 9);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(gm_podresources_list(path, 100, &f->arena, &f->pods, &f->err), GM_ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_pods_is_an_empty_list),
		TEST(test_devices_of_pods_are_listed_and_others_left_out),
		TEST(test_a_device_of_two_numa_nodes_counts_once),
		TEST(test_claims_are_listed_with_what_they_took),
		TEST(test_unknown_fields_are_skipped),
		TEST(test_cut_messages_are_refused),
		TEST(test_names_that_are_no_text_are_refused),
		TEST(test_too_many_devices_are_refused),
		TEST(test_a_pod_that_swells_is_refused),
		TEST(test_an_arena_that_is_full_is_said),
		TEST(test_no_socket_is_unavailable),
	};

	return cmocka_run_group_tests_name("kube/podresources", tests, NULL, NULL);
}
