/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/agent/holders.h"
#include "views.h"

#define UID_A "0a1b2c3d-0000-4000-8000-00000000000a"
#define UID_B "0a1b2c3d-0000-4000-8000-00000000000b"
#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Two boards of three slices 1g.10gb (GPU instances 7 to 9 at 0 to 2), and a host's file system. */
struct fixture {
	struct gm_agent_view *view;
	struct gm_holders_cache *cache;
	struct gm_arena arena;
	struct gm_holders holders;
	struct gm_pod_device devices[16];
	struct gm_podresources pods;
	char root[64];
	int64_t mono_ms;
};

static void put(struct fixture *f, const char *name, const char *text)
{
	char path[512];
	FILE *out;

	(void)snprintf(path, sizeof(path), "%s/%s", f->root, name);
	for (char *p = path + strlen(f->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->view = view_new(2, 3);
	for (unsigned i = 0; i < 2; i++) {
		f->view->boards[i].reading.profile_count = 1;
		f->view->boards[i].reading.profiles[0].id = 19;
		f->view->boards[i].reading.facts.minor = (int32_t)(1 - i); /* device files need not follow the index */
	}
	f->cache = gm_holders_cache_new();
	(void)snprintf(f->root, sizeof(f->root), "/tmp/gm-holders-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	put(f, "etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n");
	*state = f;
	return 0;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)nftw(f->root, drop, 8, FTW_DEPTH | FTW_PHYS);
	free(f->view);
	gm_holders_cache_free(f->cache);
	gm_arena_fini(&f->arena);
	free(f);
	return 0;
}

static void pod(struct fixture *f, const char *name, const char *device_id)
{
	f->devices[f->pods.count++] = (struct gm_pod_device){ .namespace_ = "team",
							      .pod = name,
							      .container = "main",
							      .resource = "nvidia.com/gpu",
							      .device_id = device_id,
							      .claim = "",
							      .cdi = "" };
	f->pods.devices = f->devices;
}

static void process(struct fixture *f, unsigned board, uint32_t pid, int gi, int64_t used, const char *name)
{
	struct gm_reading *r = &f->view->boards[board].reading;
	struct gm_reading_process *p = &r->processes[r->process_count++];

	*p = (struct gm_reading_process){ .pid = pid,
					  .gi = (int16_t)gi,
					  .ci = (int16_t)(gi < 0 ? -1 : 0),
					  .kinds = GM_PROCESS_COMPUTE,
					  .used_bytes = used };
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
}

static void host_process(struct fixture *f, unsigned pid, const char *comm, const char *uid, const char *pod_uid)
{
	char name[64], text[256];

	(void)snprintf(name, sizeof(name), "proc/%u/comm", pid);
	(void)snprintf(text, sizeof(text), "%s\n", comm);
	put(f, name, text);
	(void)snprintf(name, sizeof(name), "proc/%u/status", pid);
	(void)snprintf(text, sizeof(text), "Name:\t%s\nUid:\t%s\t%s\t%s\t%s\n", comm, uid, uid, uid, uid);
	put(f, name, text);
	(void)snprintf(name, sizeof(name), "proc/%u/cgroup", pid);
	(void)snprintf(text, sizeof(text),
		       pod_uid ? "0::/kubepods/burstable/pod%s/" CONTAINER "\n" : "0::/user.slice\n",
		       pod_uid ? pod_uid : "");
	put(f, name, text);
}

static void join(struct fixture *f, bool kubelet)
{
	gm_arena_reset(&f->arena);
	gm_holders_join(f->cache, f->view, kubelet ? &f->pods : NULL, f->root, f->mono_ms, &f->arena, &f->holders);
}

static void is_pod(const struct gm_holder *h, unsigned board, int gi, int ci, const char *name)
{
	assert_int_equal(h->kind, GM_HOLDER_POD);
	assert_int_equal(h->board, board);
	assert_int_equal(h->gi, gi);
	assert_int_equal(h->ci, ci);
	assert_string_equal(h->pod, name);
}

static void test_holders_every_form_of_device_id(void **state)
{
	static const struct {
		const char *id;
		int board, gi, ci; /* board -1: nobody's */
	} rows[] = {
		{ "GPU-00000000-0000-4000-8000-000000000001", 1, -1, -1 },
		{ "GPU-00000000-0000-4000-8000-000000000001::3", 1, -1, -1 },
		{ "MIG-00000000-0000-5000-8000-000001000002", 1, 9, 0 },
		{ "MIG-00000000-0000-5000-8000-000000000000::1", 0, 7, 0 },
		{ "nvidia0", 1, -1, -1 },
		{ "nvidia1", 0, -1, -1 },
		{ "nvidia0/gi8", 1, 8, 0 },
		{ "nvidia0/vgpu2", 1, -1, -1 },
		{ "nvidia1/gi7/vgpu0", 0, 7, 0 },
		{ "gpu-1", 0, -1, -1 },
		{ "gpu-0-mig-1g10gb-19-2", 1, 9, 0 },
		{ "gpu-0-mig-1g10gb-14-2", -1, 0, 0 }, /* another profile stands there */
		{ "gpu-0-mig-1g10gb-19-5", -1, 0, 0 },
		{ "gpu-7", -1, 0, 0 },
		{ "nvidia9", -1, 0, 0 },
		{ "nvidia0/gi99", -1, 0, 0 },
		{ "GPU-ffffffff-0000-4000-8000-000000000001", -1, 0, 0 },
		{ "MIG-ffffffff-0000-5000-8000-000000000000", -1, 0, 0 },
		{ "", -1, 0, 0 },
		{ "eth0", -1, 0, 0 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		f->pods.count = 0;
		pod(f, "train-0", rows[i].id);
		join(f, true);
		if (f->holders.count != (rows[i].board >= 0))
			fail_msg("'%s': %zu holders", rows[i].id, f->holders.count);
		if (rows[i].board >= 0)
			is_pod(f->holders.items, (unsigned)rows[i].board, rows[i].gi, rows[i].ci, "train-0");
	}
}

static void test_holders_a_gpu_instance_is_all_its_compute_instances(void **state)
{
	struct fixture *f = *state;
	struct gm_reading_instance *it = f->view->boards[1].reading.instances;

	it[2].gi = it[1].gi;
	it[2].ci = 1;
	it[2].start = it[1].start;
	pod(f, "train-0", "nvidia0/gi8");
	join(f, true);
	assert_int_equal(f->holders.count, 2);
	is_pod(&f->holders.items[0], 1, 8, 0, "train-0");
	is_pod(&f->holders.items[1], 1, 8, 1, "train-0");
}

static void test_holders_are_sorted_and_once_each(void **state)
{
	struct fixture *f = *state;

	pod(f, "b", "GPU-00000000-0000-4000-8000-000000000001::0");
	pod(f, "a", "GPU-00000000-0000-4000-8000-000000000001::1");
	pod(f, "b", "GPU-00000000-0000-4000-8000-000000000001::2");
	pod(f, "c", "MIG-00000000-0000-5000-8000-000000000001");
	process(f, 1, 20, -1, 5, "x");
	process(f, 1, 10, -1, 5, "x");
	process(f, 1, 10, -1, 9, "x");
	process(f, 1, 0, -1, 9, "x");
	join(f, true);
	assert_int_equal(f->holders.count, 5);
	is_pod(&f->holders.items[0], 0, 8, 0, "c");
	is_pod(&f->holders.items[1], 1, -1, -1, "a");
	is_pod(&f->holders.items[2], 1, -1, -1, "b");
	assert_int_equal(f->holders.items[3].pid, 10);
	assert_int_equal(f->holders.items[3].used_bytes, 9);
	assert_int_equal(f->holders.items[4].pid, 20);
}

static void test_holders_processes_bring_the_uid_of_pods(void **state)
{
	struct fixture *f = *state;

	put(f, "var/log/pods/team_train-0_" UID_A "/x", "");
	host_process(f, 11, "python3", "1000", UID_A);
	process(f, 1, 11, -1, 100, "/usr/bin/python3");
	pod(f, "train-0", "GPU-00000000-0000-4000-8000-000000000001");
	join(f, true);
	assert_int_equal(f->holders.count, 2);
	is_pod(&f->holders.items[0], 1, -1, -1, "train-0");
	assert_string_equal(f->holders.items[0].pod_uid, UID_A);
	assert_string_equal(f->holders.items[0].container, "main");
	assert_string_equal(f->holders.items[1].process, "python3");
	assert_string_equal(f->holders.items[1].user, "ann");
	assert_string_equal(f->holders.items[1].pod, "train-0");
}

static void test_holders_pods_that_the_kubelet_does_not_know(void **state)
{
	struct fixture *f = *state;
	char logs[80];

	put(f, "var/log/pods/kube-system_probe_" UID_B "/x", "");
	host_process(f, 12, "probe", "0", UID_B);
	host_process(f, 13, "probe", "0", UID_B);
	process(f, 0, 12, 7, 100, "probe");
	process(f, 0, 13, 7, 100, "probe");
	pod(f, "train-0", "MIG-00000000-0000-5000-8000-000000000000");
	join(f, true);
	assert_int_equal(f->holders.count, 4);
	is_pod(&f->holders.items[0], 0, 7, 0, "probe");
	assert_string_equal(f->holders.items[0].namespace_, "kube-system");
	assert_string_equal(f->holders.items[0].pod_uid, UID_B);
	is_pod(&f->holders.items[1], 0, 7, 0, "train-0");
	assert_string_equal(f->holders.items[1].pod_uid, "");
	/* one without a name counts only where no pod is known */
	(void)snprintf(logs, sizeof(logs), "%s/var", f->root);
	assert_int_equal(nftw(logs, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
	f->mono_ms += 60000;
	join(f, true);
	assert_int_equal(f->holders.count, 3);
	is_pod(&f->holders.items[0], 0, 7, 0, "train-0");
	join(f, false);
	assert_int_equal(f->holders.count, 3);
	is_pod(&f->holders.items[0], 0, 7, 0, "");
	assert_string_equal(f->holders.items[0].pod_uid, UID_B);
}

static void test_holders_without_a_kubelet_names_and_users(void **state)
{
	struct fixture *f = *state;

	host_process(f, 14, "tritonserver-lo", "4242", NULL);
	process(f, 0, 14, -1, -1, "/opt/bin/tritonserver-long");
	process(f, 0, 15, -1, 7, "/opt/bin/gone");
	join(f, false);
	assert_int_equal(f->holders.count, 2);
	assert_string_equal(f->holders.items[0].process, "tritonserver-long");
	assert_string_equal(f->holders.items[0].user, "4242");
	assert_int_equal(f->holders.items[0].used_bytes, -1);
	assert_string_equal(f->holders.items[1].process, "gone");
	assert_string_equal(f->holders.items[1].user, "");
}

static void test_holders_read_a_process_once_and_a_reused_number_anew(void **state)
{
	struct fixture *f = *state;

	host_process(f, 16, "first", "0", NULL);
	process(f, 0, 16, -1, 1, "");
	join(f, false);
	host_process(f, 16, "second", "0", NULL);
	f->mono_ms += 1000;
	join(f, false);
	assert_string_equal(f->holders.items[0].process, "first");
	f->mono_ms += 30000;
	join(f, false);
	assert_string_equal(f->holders.items[0].process, "second");
	f->view->boards[0].reading.process_count = 0;
	join(f, false);
	assert_int_equal(f->holders.count, 0);
	host_process(f, 16, "third", "0", NULL);
	f->view->boards[0].reading.process_count = 1;
	join(f, false);
	assert_string_equal(f->holders.items[0].process, "third");
}

static void test_holders_of_a_lost_board_are_pods_only(void **state)
{
	struct fixture *f = *state;

	process(f, 0, 17, -1, 1, "x");
	pod(f, "train-0", "GPU-00000000-0000-4000-8000-000000000000");
	f->view->boards[0].state = GM_BOARD_LOST;
	join(f, true);
	assert_int_equal(f->holders.count, 1);
	is_pod(&f->holders.items[0], 0, -1, -1, "train-0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_holders_every_form_of_device_id),
		TEST(test_holders_a_gpu_instance_is_all_its_compute_instances),
		TEST(test_holders_are_sorted_and_once_each),
		TEST(test_holders_processes_bring_the_uid_of_pods),
		TEST(test_holders_pods_that_the_kubelet_does_not_know),
		TEST(test_holders_without_a_kubelet_names_and_users),
		TEST(test_holders_read_a_process_once_and_a_reused_number_anew),
		TEST(test_holders_of_a_lost_board_are_pods_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
