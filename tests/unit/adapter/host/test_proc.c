/* SPDX-License-Identifier: MIT */
#include "adapter/host/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define UID "0f3c9a52-7a1b-4c57-9d33-2b1c8e0a4d11"
#define UID_ "0f3c9a52_7a1b_4c57_9d33_2b1c8e0a4d11"
#define HASH "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d"
#define ID "4f1d0c6e5b8a7f2e3d4c5b6a79880716253443526170f9e8d7c6b5a493827160"

static void test_every_driver_and_runtime_names_its_pod(void **state)
{
	static const struct {
		const char *path, *uid, *container;
	} rows[] = {
		/* systemd's driver */
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID
		  ".scope",
		  UID, ID },
		{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID ".scope",
		  UID, ID },
		{ "/kubepods.slice/kubepods-pod" UID_ ".slice/docker-" ID ".scope", UID, ID },
		{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope/container", UID, ID },
		{ "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
		  "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
		  UID, ID },
		/* the kubelet's own driver */
		{ "/kubepods/besteffort/pod" UID "/" ID, UID, ID },
		{ "/kubepods/pod" UID "/" ID "/init.scope", UID, ID },
		/* from inside a cgroup namespace */
		{ "/../../pod" UID "/" ID, UID, ID },
		{ "/../kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope", UID, ID },
		/* a kubelet of the one, a containerd of the other */
		{ "/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID, UID, ID },
		/* a static pod */
		{ "/kubepods/burstable/pod" HASH "/" ID, HASH, ID },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" HASH ".slice/crio-" ID ".scope",
		  HASH, ID },
		/* no container of its own */
		{ "/kubepods/burstable/pod" UID, UID, "" },
		{ "/kubepods/burstable/pod" UID "/crio-conmon-x.scope", UID, "" },
		{ "/kubepods/burstable/pod" UID "/short", UID, "" },
		/* of no pod */
		{ "/", NULL, NULL },
		{ "", NULL, NULL },
		{ "/user.slice/user-1000.slice/session-2.scope", NULL, NULL },
		{ "/system.slice/docker-" ID ".scope", NULL, NULL },
		{ "/machine.slice/libpod-" ID ".scope", NULL, NULL },
		{ "/kubepods.slice/kubepods-burstable.slice", NULL, NULL },
		{ "/kubepods/podx/" ID, NULL, NULL },
		{ "/kubepods/pod" UID "x/" ID, NULL, NULL },
		{ "/kubepods/pod0f3c9a52-7a1b-4c57-9d33-2b1c8e0a4dzz/" ID, NULL, NULL },
		{ "/kubepods/pod0f3c9a52x7a1b-4c57-9d33-2b1c8e0a4d11/" ID, NULL, NULL },
		{ "/pod.slice/-pod.slice/::/:", NULL, NULL },
	};
	(void)state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		char uid[40] = "x", container[80] = "x";
		bool found = gm_cgroup_pod(gm_str(rows[i].path), uid, container);
		if (found != (rows[i].uid != NULL))
			fail_msg("%s: %s", rows[i].path, uid);
		assert_string_equal(uid, rows[i].uid ? rows[i].uid : "");
		if (strcmp(container, rows[i].container ? rows[i].container : "") != 0)
			fail_msg("%s: container '%s'", rows[i].path, container);
	}
}

/* A host's file system of our own making. */
static char root[] = "/tmp/gm-proc-XXXXXX";

static void put(const char *path, const char *text, size_t n)
{
	char full[256];
	(void)snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	if (!text)
		return;
	FILE *f = fopen(full, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}
#define PUT(path, text) put(path, text, sizeof(text) - 1)

static int make_root(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return -1;
	PUT("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:77:0\nana:x:1000:1000::/home/ana:/bin/sh\n");
	put("var/log/pods/other_one_11111111-7a1b-4c57-9d33-2b1c8e0a4d11/", NULL, 0);
	put("var/log/pods/ml-team_trainer-0_" UID "/", NULL, 0);
	put("var/log/pods/nonsense/", NULL, 0);
	PUT("proc/10/comm", "python3\n");
	PUT("proc/10/status", "Name:\tpython3\nUid:\t1000\t1000\t1000\t1000\nGid:\t0\t0\t0\t0\n");
	PUT("proc/10/cgroup", "0::/kubepods/burstable/pod" UID "/" ID "\n");
	PUT("proc/11/comm", "tritonserver-lo\n");
	PUT("proc/11/status", "Uid:\t4242\t0\t0\t0\n");
	PUT("proc/11/cgroup", "12:pids:/\n11:memory:/kubepods/pod" UID "/" ID "\n1:name=systemd:/x\n");
	PUT("proc/12/comm", "fifteen-letters\n");
	PUT("proc/13/comm", "a\tb\x1b[31m\xff\xc3\xa9\n");
	PUT("proc/13/status", "Uid:\tx\n");
	PUT("proc/13/cgroup", "0::/kubepods/pod99999999-7a1b-4c57-9d33-2b1c8e0a4d11/" ID "\n");
	return 0;
}

static int remove_root(void **state)
{
	char command[64];
	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void read_ok(uint32_t pid, struct gm_proc *out)
{
	struct gm_err err = { 0 };

	if (gm_proc_read(root, pid, out, &err) != 0)
		fail_msg("%s", err.text);
}

static void test_a_process_of_a_pod_is_told_whole(void **state)
{
	struct gm_proc p;
	(void)state;

	read_ok(10, &p);
	assert_string_equal(p.name, "python3");
	assert_string_equal(p.user, "ana");
	assert_string_equal(p.pod_uid, UID);
	assert_string_equal(p.container_id, ID);
	assert_string_equal(p.namespace_, "ml-team");
	assert_string_equal(p.pod, "trainer-0");
}

static void test_a_cut_name_is_made_whole_and_an_old_cgroup_read(void **state)
{
	struct gm_proc p;
	(void)state;

	read_ok(11, &p);
	assert_string_equal(p.name, "tritonserver-lo");
	assert_string_equal(p.user, "4242");
	assert_string_equal(p.pod, "trainer-0");
	read_ok(12, &p);
	assert_string_equal(p.name, "fifteen-letters");
	assert_string_equal(p.user, "");
	assert_string_equal(p.pod_uid, "");
}

static void test_what_cannot_be_shown_is_replaced(void **state)
{
	struct gm_proc p;
	(void)state;

	read_ok(13, &p);
	assert_string_equal(p.name, "a?b?[31m?\xc3\xa9");
	assert_string_equal(p.user, "");
	assert_string_equal(p.pod_uid, "99999999-7a1b-4c57-9d33-2b1c8e0a4d11");
	assert_string_equal(p.pod, "");
	assert_string_equal(p.namespace_, "");
}

static void test_no_process_is_not_found(void **state)
{
	struct gm_proc p = { .name = "untouched" };
	struct gm_err err = { 0 };
	char deep[5000];
	(void)state;

	assert_int_equal(gm_proc_read(root, 99, &p, &err), GM_ERR_NOT_FOUND);
	assert_string_equal(p.name, "untouched");
	assert_false(gm_proc_exists(root, 99));
	assert_true(gm_proc_exists(root, 10));
	memset(deep, 'x', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(gm_proc_read(deep, 10, &p, &err), GM_ERR_NOT_FOUND);
	assert_false(gm_proc_exists(deep, 10));
}

/* The real thing: ourselves. */
static void test_this_process_is_told(void **state)
{
	struct gm_proc p;
	struct gm_err err = { 0 };
	(void)state;

	assert_int_equal(prctl(PR_SET_NAME, "gm-proc-test"), 0);
	assert_true(gm_proc_exists("", (uint32_t)getpid()));
	assert_int_equal(gm_proc_read("", (uint32_t)getpid(), &p, &err), 0);
	assert_string_equal(p.name, "gm-proc-test");
	if (getuid() == 0)
		assert_string_equal(p.user, "root");
	else
		assert_true(p.user[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_driver_and_runtime_names_its_pod),
		cmocka_unit_test(test_a_process_of_a_pod_is_told_whole),
		cmocka_unit_test(test_a_cut_name_is_made_whole_and_an_old_cgroup_read),
		cmocka_unit_test(test_what_cannot_be_shown_is_replaced),
		cmocka_unit_test(test_no_process_is_not_found),
		cmocka_unit_test(test_this_process_is_told),
	};

	return cmocka_run_group_tests_name("host/proc", tests, make_root, remove_root);
}
