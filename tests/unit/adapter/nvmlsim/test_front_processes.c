/* SPDX-License-Identifier: MIT */
#include "front-testing.h"

#define LIST(form, d, count, out)                                                                                      \
	NV(nvmlDeviceGetComputeRunningProcesses##form, device, unsigned *, void *)(d, count, out)

static const char scenario[] = "gpus: 2\n"
			       "mig: [{gpu: 1, layout: \"3g.40gb@4, 2g.20gb@0\"}]\n"
			       "processes:\n"
			       "  - {pid: 4001, gpu: 0, memory: 3GiB, name: trainer}\n"
			       "  - {pid: 4002, gpu: 0, name: \"/usr/bin/no memory told\"}\n"
			       "  - {pid: 4003, gpu: 0, kind: graphics, memory: 1GiB, name: viewer}\n";

static void test_lists_say_how_large_they_are(void **state)
{
	(void)state;
	unsigned char records[4][24];
	unsigned n = 0;
	begin(scenario);
	device d = board(0);
	IS(TOO_SMALL, LIST(_v3, d, &n, NULL));
	assert_int_equal(n, 2);
	n = 1;
	IS(TOO_SMALL, LIST(_v3, d, &n, records));
	assert_int_equal(n, 2);
	n = 4;
	IS(OK, LIST(_v3, d, &n, records));
	assert_int_equal(n, 2);
	assert_int_equal(u32_at(records[0], 0), 4001);
	assert_int_equal(u64_at(records[0], 8), UINT64_C(3) << 30);
	assert_int_equal(u32_at(records[0], 16), UINT32_MAX);
	assert_int_equal(u32_at(records[0], 20), UINT32_MAX);
	assert_int_equal(u32_at(records[1], 0), 4002);
	IS(INVALID, LIST(_v3, d, NULL, records));
	n = 4;
	IS(OK, NV(nvmlDeviceGetGraphicsRunningProcesses_v3, device, unsigned *, void *)(d, &n, records));
	assert_int_equal(n, 1);
	assert_int_equal(u32_at(records[0], 0), 4003);
	n = 0;
	IS(OK, NV(nvmlDeviceGetMPSComputeRunningProcesses_v3, device, unsigned *, void *)(d, &n, NULL));
	assert_int_equal(n, 0);
}

static void test_the_first_form_has_short_records(void **state)
{
	(void)state;
	unsigned char records[64];
	unsigned n = 4;
	begin(scenario);
	memset(records, 0xA7, sizeof(records));
	IS(OK, LIST(, board(0), &n, records));
	assert_int_equal(n, 2);
	assert_int_equal(u32_at(records, 0), 4001);
	assert_int_equal(u32_at(records, 16), 4002);
	assert_int_equal(u32_at(records, 32), 0xA7A7A7A7);
}

/* One series of drivers had records of 32 bytes behind _v3, the next no _v3; _v2 is the same everywhere. */
static void test_the_trap_of_the_third_form(void **state)
{
	(void)state;
	unsigned char records[4 * 32], list[24] = { 0 };
	unsigned n = 4;
	begin(scenario);
	device d = board(0);
	command("abi 32-as-v3");
	IS(OK, LIST(_v3, d, &n, records));
	assert_int_equal(n, 2);
	assert_int_equal(u32_at(records, 0), 4001);
	assert_int_equal(u32_at(records, 32), 4002);
	n = 4;
	IS(OK, LIST(_v2, d, &n, records));
	assert_int_equal(u32_at(records, 24), 4002);
	put_u32(list, 0, 0x01000018);
	IS(NO_FUNCTION, NV(nvmlDeviceGetRunningProcessDetailList, device, void *)(d, list));
	command("abi no-v3");
	n = 4;
	IS(NO_FUNCTION, LIST(_v3, d, &n, records));
	IS(OK, LIST(_v2, d, &n, records));
	assert_int_equal(n, 2);
	command("abi 24");
	IS(OK, LIST(_v3, d, &n, records));
	assert_int_equal(u32_at(records, 24), 4002);
}

static void test_the_detailed_list_is_versioned(void **state)
{
	(void)state;
	unsigned char list[24] = { 0 }, records[4][32];
	begin(scenario);
	device d = board(0);
	IS(WRONG_VERSION, NV(nvmlDeviceGetRunningProcessDetailList, device, void *)(d, list));
	put_u32(list, 0, 0x01000018);
	IS(TOO_SMALL, NV(nvmlDeviceGetRunningProcessDetailList, device, void *)(d, list));
	assert_int_equal(u32_at(list, 8), 2);
	put_ptr(list, 16, records);
	IS(OK, NV(nvmlDeviceGetRunningProcessDetailList, device, void *)(d, list));
	assert_int_equal(u32_at(records[1], 0), 4002);
	assert_int_equal(u64_at(records[0], 8), UINT64_C(3) << 30);
	put_u32(list, 4, 3);
	IS(INVALID, NV(nvmlDeviceGetRunningProcessDetailList, device, void *)(d, list));
}

static void test_slices_see_their_own(void **state)
{
	(void)state;
	unsigned char records[4][24];
	unsigned n = 4, gi = 0, ci = 0;
	device mig = NULL, other = NULL;
	char line[160];
	begin(scenario);
	IS(OK, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(board(1), 1, &mig));
	IS(OK, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(board(1), 0, &other));
	IS(OK, NV(nvmlDeviceGetGpuInstanceId, device, unsigned *)(mig, &gi));
	IS(OK, NV(nvmlDeviceGetComputeInstanceId, device, unsigned *)(mig, &ci));
	(void)snprintf(line, sizeof(line), "process add pid=4100 gpu=1 instance=%u.%u memory=5GiB name=model", gi, ci);
	command(line);
	IS(OK, LIST(_v3, mig, &n, records));
	assert_int_equal(n, 1);
	assert_int_equal(u32_at(records[0], 0), 4100);
	assert_int_equal(u32_at(records[0], 16), gi);
	assert_int_equal(u32_at(records[0], 20), ci);
	n = 4;
	IS(OK, LIST(_v3, other, &n, records));
	assert_int_equal(n, 0);
	n = 4;
	IS(OK, LIST(_v3, board(1), &n, records)); /* the board sees all, root may ask */
	assert_int_equal(n, 1);
	assert_int_equal(u32_at(records[0], 16), gi);
	command("privileged off");
	IS(NO_PERMISSION, LIST(_v3, board(1), &n, records));
	IS(OK, LIST(_v3, mig, &n, records));
	command("privileged on");
	void *instance = NULL, *compute = NULL;
	IS(OK, NV(nvmlDeviceGetGpuInstanceById, device, unsigned, void **)(board(1), gi, &instance));
	IS(OK, NV(nvmlGpuInstanceGetComputeInstanceById, void *, unsigned, void **)(instance, ci, &compute));
	IS(IN_USE, NV(nvmlComputeInstanceDestroy, void *)(compute));
	command("process remove 4100");
	IS(OK, NV(nvmlComputeInstanceDestroy, void *)(compute));
}

static void test_names_and_shares(void **state)
{
	(void)state;
	unsigned char use[4][32];
	char name[64];
	unsigned n = 0, sm = 0;
	begin(scenario);
	IS(OK, NV(nvmlSystemGetProcessName, unsigned, char *, unsigned)(4002, name, sizeof(name)));
	assert_string_equal(name, "/usr/bin/no memory told");
	IS(TOO_SMALL, NV(nvmlSystemGetProcessName, unsigned, char *, unsigned)(4002, name, 5));
	IS(NOT_FOUND, NV(nvmlSystemGetProcessName, unsigned, char *, unsigned)(4999, name, sizeof(name)));
	command("load 0 90");
	IS(TOO_SMALL, NV(nvmlDeviceGetProcessUtilization, device, void *, unsigned *, uint64_t)(board(0), NULL, &n, 0));
	assert_int_equal(n, 3);
	IS(OK, NV(nvmlDeviceGetProcessUtilization, device, void *, unsigned *, uint64_t)(board(0), use, &n, 0));
	for (unsigned i = 0; i < n; i++)
		sm += u32_at(use[i], 16);
	assert_int_equal(sm, 90);
	IS(UNSUPPORTED,
	   NV(nvmlDeviceGetProcessUtilization, device, void *, unsigned *, uint64_t)(board(1), use, &n, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_say_how_large_they_are),
		cmocka_unit_test(test_the_first_form_has_short_records),
		cmocka_unit_test(test_the_trap_of_the_third_form),
		cmocka_unit_test(test_the_detailed_list_is_versioned),
		cmocka_unit_test(test_slices_see_their_own),
		cmocka_unit_test(test_names_and_shares),
	};
	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
