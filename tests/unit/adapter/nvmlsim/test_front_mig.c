/* SPDX-License-Identifier: MIT */
#include "front-testing.h"

typedef void *instance;

static device mig_board(void)
{
	int activation = -1;
	IS(OK, NV(nvmlDeviceSetMigMode, device, unsigned, int *)(board(0), 1, &activation));
	assert_int_equal(activation, OK);
	return board(0); /* the handle of before may be stale */
}

static instance make_gi(device d, unsigned profile)
{
	instance gi = NULL;
	IS(OK, NV(nvmlDeviceCreateGpuInstance, device, unsigned, instance *)(d, profile, &gi));
	return gi;
}

static instance make_ci(instance gi, unsigned profile)
{
	instance ci = NULL;
	IS(OK, NV(nvmlGpuInstanceCreateComputeInstance, instance, unsigned, instance *)(gi, profile, &ci));
	return ci;
}

static unsigned left_of(device d, unsigned profile)
{
	unsigned n = 99;
	IS(OK, NV(nvmlDeviceGetGpuInstanceRemainingCapacity, device, unsigned, unsigned *)(d, profile, &n));
	return n;
}

static void test_mode_is_what_it_was_set_to(void **state)
{
	(void)state;
	unsigned current, pending, n;
	int activation;
	begin("gpus: 1");
	IS(OK, NV(nvmlDeviceGetMigMode, device, unsigned *, unsigned *)(board(0), &current, &pending));
	assert_int_equal(current + pending, 0);
	IS(OK, NV(nvmlDeviceGetMaxMigDeviceCount, device, unsigned *)(board(0), &n));
	assert_int_equal(n, 0);
	IS(INVALID, NV(nvmlDeviceSetMigMode, device, unsigned, int *)(board(0), 2, &activation));
	IS(UNSUPPORTED, NV(nvmlDeviceCreateGpuInstance, device, unsigned, instance *)(board(0), 19, (instance *)&n));
	device d = mig_board();
	IS(OK, NV(nvmlDeviceGetMigMode, device, unsigned *, unsigned *)(d, &current, &pending));
	assert_int_equal(current, 1);
	assert_int_equal(pending, 1);
	IS(OK, NV(nvmlDeviceGetMaxMigDeviceCount, device, unsigned *)(d, &n));
	assert_int_equal(n, 7);
	begin("gpus: 1\nmodels: RTX4090");
	IS(UNSUPPORTED, NV(nvmlDeviceSetMigMode, device, unsigned, int *)(board(0), 1, &activation));
	IS(OK, NV(nvmlDeviceGetMaxMigDeviceCount, device, unsigned *)(board(0), &n));
	assert_int_equal(n, 0);
}

/* The enum counts through; 3 is a gap, 2 the end. Ids and sizes are those of an H100 of 80 GB. */
static void test_profiles_are_enumerated_with_gaps(void **state)
{
	(void)state;
	static const struct {
		unsigned number, id, slices, count, mib;
		const char *name;
	} rows[] = { { 0, 19, 1, 7, 9984, "MIG 1g.10gb" }, { 1, 14, 2, 3, 20096, "MIG 2g.20gb" },
		     { 2, 9, 3, 2, 40448, "MIG 3g.40gb" }, { 3, 5, 4, 1, 40448, "MIG 4g.40gb" },
		     { 4, 0, 7, 1, 81152, "MIG 7g.80gb" }, { 7, 20, 1, 1, 9984, "MIG 1g.10gb+me" },
		     { 9, 15, 1, 4, 20096, "MIG 1g.20gb" } };
	size_t next = 0;
	begin("gpus: 1");
	for (unsigned p = 0; p < 30; p++) {
		unsigned char v1[48] = { 0 }, v2[152] = { 0 }, v3[152] = { 0 };
		put_u32(v2, 0, 0x02000098);
		put_u32(v3, 0, 0x03000098);
		int rc = NV(nvmlDeviceGetGpuInstanceProfileInfo, device, unsigned, void *)(board(0), p, v1);
		IS(rc, NV(nvmlDeviceGetGpuInstanceProfileInfoV, device, unsigned, void *)(board(0), p, v2));
		IS(rc, NV(nvmlDeviceGetGpuInstanceProfileInfoV, device, unsigned, void *)(board(0), p, v3));
		if (rc == INVALID) {
			assert_true(p >= 10);
			break;
		}
		if (rc == UNSUPPORTED)
			continue;
		assert_int_equal(rc, OK);
		assert_int_equal(p, rows[next].number);
		assert_int_equal(u32_at(v1, 0), rows[next].id);
		assert_int_equal(u32_at(v1, 8), rows[next].slices);
		assert_int_equal(u32_at(v1, 12), rows[next].count);
		assert_int_equal(u64_at(v1, 40), rows[next].mib);
		assert_int_equal(u32_at(v2, 4), rows[next].id); /* as the first form, four bytes later */
		assert_int_equal(u32_at(v2, 12), rows[next].slices);
		assert_int_equal(u64_at(v2, 48), rows[next].mib);
		assert_string_equal((char *)v2 + 56, rows[next].name);
		assert_int_equal(u32_at(v3, 4), rows[next].id); /* a member went away, and all behind it moved */
		assert_int_equal(u32_at(v3, 8), rows[next].slices);
		assert_int_equal(u64_at(v3, 40), rows[next].mib);
		assert_string_equal((char *)v3 + 48, rows[next].name);
		next++;
	}
	assert_int_equal(next, GM_LEN(rows));
	unsigned char by_id[152] = { 0 };
	put_u32(by_id, 0, 0x03000098);
	IS(OK, NV(nvmlDeviceGetGpuInstanceProfileInfoByIdV, device, unsigned, void *)(board(0), 9, by_id));
	assert_int_equal(u32_at(by_id, 8), 3);
	IS(INVALID, NV(nvmlDeviceGetGpuInstanceProfileInfoByIdV, device, unsigned, void *)(board(0), 77, by_id));
	put_u32(by_id, 0, 0x04000098);
	IS(WRONG_VERSION, NV(nvmlDeviceGetGpuInstanceProfileInfoV, device, unsigned, void *)(board(0), 0, by_id));
}

static void test_ampere_tells_of_profiles_only_in_mig_mode(void **state)
{
	(void)state;
	unsigned char v1[48];
	begin("gpus: 1\nmodels: A100_SXM4_80GB");
	IS(UNSUPPORTED, NV(nvmlDeviceGetGpuInstanceProfileInfo, device, unsigned, void *)(board(0), 0, v1));
	command("mig 0 on");
	IS(OK, NV(nvmlDeviceGetGpuInstanceProfileInfo, device, unsigned, void *)(board(0), 0, v1));
	assert_int_equal(u64_at(v1, 40), 9728);
}

static void test_placements_are_a_list_of_the_profile(void **state)
{
	(void)state;
	unsigned count = 0;
	unsigned char at[8][8] = { 0 };
	begin("gpus: 1");
	device d = mig_board();
	(void)make_gi(d, 9); /* what exists does not matter */
	IS(OK, NV(nvmlDeviceGetGpuInstancePossiblePlacements_v2, device, unsigned, void *, unsigned *)(d, 14, NULL,
												       &count));
	assert_int_equal(count, 3);
	IS(OK,
	   NV(nvmlDeviceGetGpuInstancePossiblePlacements_v2, device, unsigned, void *, unsigned *)(d, 14, at, &count));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(u32_at(at[i], 0), 2 * i);
		assert_int_equal(u32_at(at[i], 4), 2);
	}
	IS(INVALID,
	   NV(nvmlDeviceGetGpuInstancePossiblePlacements_v2, device, unsigned, void *, unsigned *)(d, 1, NULL, &count));
	IS(INVALID,
	   NV(nvmlDeviceGetGpuInstancePossiblePlacements_v2, device, unsigned, void *, unsigned *)(d, 14, NULL, NULL));
}

static void test_instances_live_and_die_in_order(void **state)
{
	(void)state;
	unsigned char info[32], mig_memory[24];
	unsigned n = 0;
	char name[96];
	begin("gpus: 1");
	device d = mig_board(), mig = NULL, parent = NULL;
	assert_int_equal(left_of(d, 19), 7);
	instance gi = make_gi(d, 9);
	IS(OK, NV(nvmlGpuInstanceGetInfo, instance, void *)(gi, info));
	assert_int_equal(u32_at(info, 12), 9);
	assert_int_equal(u32_at(info, 16), 4); /* a lone 3g goes to the upper half */
	assert_int_equal(u32_at(info, 20), 4);
	unsigned gi_id = u32_at(info, 8);
	assert_int_equal(left_of(d, 9), 1);
	assert_int_equal(left_of(d, 0), 0);
	IS(NO_ROOM, NV(nvmlDeviceCreateGpuInstance, device, unsigned, instance *)(d, 0, &mig));
	IS(NOT_FOUND, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, 0, &mig)); /* no CI yet */
	instance ci = make_ci(gi, 2);
	IS(OK, NV(nvmlComputeInstanceGetInfo_v2, instance, void *)(ci, info));
	void *in = NULL;
	memcpy(&in, info + 8, sizeof(in));
	assert_ptr_equal(in, gi);
	assert_int_equal(u32_at(info, 20), 2);
	assert_int_equal(u32_at(info, 28), 3);
	unsigned found = 0;
	for (unsigned i = 0; i < 7; i++) {
		device each = NULL;
		int rc = NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, i, &each);
		assert_true(rc == OK || rc == NOT_FOUND);
		if (rc == OK) {
			found++;
			mig = each;
			IS(OK, NV(nvmlDeviceGetIndex, device, unsigned *)(mig, &n));
			assert_int_equal(n, i);
		}
	}
	assert_int_equal(found, 1);
	IS(INVALID, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, 7, &parent));
	IS(OK, NV(nvmlDeviceGetName, device, char *, unsigned)(mig, name, sizeof(name)));
	assert_string_equal(name, "NVIDIA H100 80GB HBM3 MIG 3g.40gb");
	IS(OK, NV(nvmlDeviceGetMemoryInfo, device, void *)(mig, mig_memory));
	assert_int_equal(u64_at(mig_memory, 0) >> 20, 40448);
	IS(OK, NV(nvmlDeviceGetGpuInstanceId, device, unsigned *)(mig, &n));
	assert_int_equal(n, gi_id);
	IS(UNSUPPORTED, NV(nvmlDeviceGetGpuInstanceId, device, unsigned *)(d, &n));
	IS(OK, NV(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, device, device *)(mig, &parent));
	assert_ptr_equal(parent, d);
	IS(INVALID, NV(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, device, device *)(d, &parent));
	char uuid[96];
	device again = NULL;
	IS(OK, NV(nvmlDeviceGetUUID, device, char *, unsigned)(mig, uuid, sizeof(uuid)));
	assert_int_equal(strncmp(uuid, "MIG-", 4), 0);
	IS(OK, NV(nvmlDeviceGetHandleByUUID, const char *, device *)(uuid, &again));
	assert_ptr_equal(again, mig);
	IS(IN_USE, NV(nvmlGpuInstanceDestroy, instance)(gi));
	IS(OK, NV(nvmlComputeInstanceDestroy, instance)(ci));
	IS(INVALID, NV(nvmlDeviceGetName, device, char *, unsigned)(mig, name, sizeof(name)));
	IS(INVALID, NV(nvmlComputeInstanceDestroy, instance)(ci));
	IS(NOT_FOUND, NV(nvmlDeviceGetHandleByUUID, const char *, device *)(uuid, &again));
	IS(OK, NV(nvmlGpuInstanceDestroy, instance)(gi));
	IS(INVALID, NV(nvmlGpuInstanceGetInfo, instance, void *)(gi, info));
	IS(NOT_FOUND, NV(nvmlDeviceGetGpuInstanceById, device, unsigned, instance *)(d, gi_id, &gi));
	instance next = make_gi(d, 9);
	assert_ptr_not_equal(next, gi); /* the same place, another instance */
}

static void test_instances_are_listed_by_profile(void **state)
{
	(void)state;
	instance list[8] = { 0 }, by_id = NULL;
	unsigned count = 99;
	unsigned char info[24], where[8];
	begin("gpus: 1");
	device d = mig_board();
	put_u32(where, 0, 2);
	put_u32(where, 4, 1);
	instance a = make_gi(d, 19), b = NULL;
	IS(OK, NV(nvmlDeviceCreateGpuInstanceWithPlacement, device, unsigned, void *, instance *)(d, 19, where, &b));
	IS(NO_ROOM,
	   NV(nvmlDeviceCreateGpuInstanceWithPlacement, device, unsigned, void *, instance *)(d, 19, where, &by_id));
	put_u32(where, 0, 1);
	put_u32(where, 4, 2);
	IS(INVALID,
	   NV(nvmlDeviceCreateGpuInstanceWithPlacement, device, unsigned, void *, instance *)(d, 19, where, &by_id));
	IS(OK, NV(nvmlGpuInstanceGetInfo, instance, void *)(b, info));
	assert_int_equal(u32_at(info, 16), 2);
	IS(OK, NV(nvmlDeviceGetGpuInstanceById, device, unsigned, instance *)(d, u32_at(info, 8), &by_id));
	assert_ptr_equal(by_id, b);
	IS(OK, NV(nvmlDeviceGetGpuInstances, device, unsigned, instance *, unsigned *)(d, 19, list, &count));
	assert_int_equal(count, 2);
	assert_true((list[0] == a && list[1] == b) || (list[0] == b && list[1] == a));
	IS(OK, NV(nvmlDeviceGetGpuInstances, device, unsigned, instance *, unsigned *)(d, 9, list, &count));
	assert_int_equal(count, 0);
	IS(INVALID, NV(nvmlDeviceGetGpuInstances, device, unsigned, instance *, unsigned *)(d, 1, list, &count));
}

static void test_a_gpu_instance_is_cut_further(void **state)
{
	(void)state;
	unsigned char info[140] = { 0 };
	unsigned n = 0;
	begin("gpus: 1");
	device d = mig_board(), mig = NULL;
	instance gi = make_gi(d, 9);
	put_u32(info, 0, 0x0300008c);
	IS(OK, NV(nvmlGpuInstanceGetComputeInstanceProfileInfoV, instance, unsigned, unsigned, void *)(gi, 0, 0, info));
	assert_int_equal(u32_at(info, 8), 1);
	assert_int_equal(u32_at(info, 12), 3);
	assert_int_equal(u32_at(info, 16), 20);
	assert_string_equal((char *)info + 40, "MIG 1c.3g.40gb");
	IS(UNSUPPORTED,
	   NV(nvmlGpuInstanceGetComputeInstanceProfileInfo, instance, unsigned, unsigned, void *)(gi, 4, 0, info));
	IS(INVALID,
	   NV(nvmlGpuInstanceGetComputeInstanceProfileInfo, instance, unsigned, unsigned, void *)(gi, 8, 0, info));
	instance two = make_ci(gi, 1), one = make_ci(gi, 0), none = NULL;
	IS(NO_ROOM, NV(nvmlGpuInstanceCreateComputeInstance, instance, unsigned, instance *)(gi, 0, &none));
	IS(OK, NV(nvmlGpuInstanceGetComputeInstanceRemainingCapacity, instance, unsigned, unsigned *)(gi, 0, &n));
	assert_int_equal(n, 0);
	instance list[8];
	IS(OK, NV(nvmlGpuInstanceGetComputeInstances, instance, unsigned, instance *, unsigned *)(gi, 0, list, &n));
	assert_int_equal(n, 1);
	assert_ptr_equal(list[0], one);
	unsigned slices = 0, found = 0;
	for (unsigned i = 0; i < 7; i++) {
		unsigned char at[40];
		char name[96];
		if (NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, i, &mig) != OK)
			continue;
		found++;
		IS(OK, NV(nvmlDeviceGetAttributes_v2, device, void *)(mig, at));
		assert_int_equal(u32_at(at, 24), 3);
		assert_int_equal(u32_at(at, 0), 20 * u32_at(at, 28));
		assert_int_equal(u64_at(at, 32), 40448);
		slices += u32_at(at, 28);
		IS(OK, NV(nvmlDeviceGetName, device, char *, unsigned)(mig, name, sizeof(name)));
		assert_non_null(strstr(name, u32_at(at, 28) == 1 ? "MIG 1c.3g.40gb" : "MIG 2c.3g.40gb"));
	}
	assert_int_equal(found, 2);
	assert_int_equal(slices, 3);
	IS(OK, NV(nvmlComputeInstanceDestroy, instance)(two));
	IS(IN_USE, NV(nvmlGpuInstanceDestroy, instance)(gi));
	IS(OK, NV(nvmlComputeInstanceDestroy, instance)(one));
	IS(OK, NV(nvmlGpuInstanceDestroy, instance)(gi));
}

static void test_parent_and_slice_share_the_questions_out(void **state)
{
	(void)state;
	static const struct {
		const char *symbol;
		int parent, slice;
	} rows[] = {
		{ "nvmlDeviceGetUtilizationRates", UNSUPPORTED, UNSUPPORTED },
		{ "nvmlDeviceGetNumGpuCores", UNSUPPORTED, UNSUPPORTED },
		{ "nvmlDeviceGetPowerUsage", OK, UNSUPPORTED },
		{ "nvmlDeviceGetCurrentClocksEventReasons", OK, UNSUPPORTED },
		{ "nvmlDeviceGetPcieReplayCounter", OK, UNSUPPORTED },
		{ "nvmlDeviceGetTotalEnergyConsumption", OK, UNSUPPORTED },
		{ "nvmlDeviceGetMemoryInfo", OK, OK },
		{ "nvmlDeviceGetBAR1MemoryInfo", OK, OK },
		{ "nvmlDeviceGetComputeMode", OK, OK },
		{ "nvmlDeviceGetAttributes_v2", UNSUPPORTED, OK },
		{ "nvmlDeviceGetMigMode", INVALID, UNSUPPORTED }, /* of its two outputs the second is NULL here */
	};
	begin("gpus: 1\nmig: [{gpu: 0, layout: \"1g.10gb*7\"}]");
	device d = board(0), mig = NULL;
	IS(OK, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, 3, &mig));
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		int (*call)(device, void *, void *) =
			(int (*)(device, void *, void *))(uintptr_t)symbol(rows[i].symbol);
		unsigned char bytes[64];
		if (call(d, bytes, NULL) != rows[i].parent || call(mig, bytes, NULL) != rows[i].slice)
			fail_msg("%s: %d of the board, %d of the slice", rows[i].symbol, call(d, bytes, NULL),
				 call(mig, bytes, NULL));
	}
	unsigned t;
	IS(UNSUPPORTED, NV(nvmlDeviceGetTemperature, device, unsigned, unsigned *)(mig, 0, &t));
	IS(OK, NV(nvmlDeviceGetTemperature, device, unsigned, unsigned *)(d, 0, &t));
	IS(UNSUPPORTED, NV(nvmlDeviceGetPcieThroughput, device, unsigned, unsigned *)(d, 0, &t));
	IS(OK, NV(nvmlDeviceGetNvLinkState, device, unsigned, unsigned *)(d, 0, &t));
	assert_int_equal(t, 0); /* off in MIG mode */
	IS(OK, NV(nvmlDeviceIsMigDeviceHandle, device, unsigned *)(mig, &t));
	assert_int_equal(t, 1);
	IS(OK, NV(nvmlDeviceIsMigDeviceHandle, device, unsigned *)(d, &t));
	assert_int_equal(t, 0);
}

static void test_a_reset_ends_instances_and_handles(void **state)
{
	(void)state;
	unsigned n;
	device mig = NULL;
	begin("gpus: 1\nmig: [{gpu: 0, layout: \"3g.40gb@4\"}]");
	device d = board(0);
	IS(OK, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, 0, &mig));
	command("reset-gpu 0 force");
	IS(INVALID, NV(nvmlDeviceGetMaxMigDeviceCount, device, unsigned *)(d, &n));
	IS(INVALID, NV(nvmlDeviceGetGpuInstanceId, device, unsigned *)(mig, &n));
	for (unsigned i = 0; i < 7; i++)
		IS(NOT_FOUND, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(board(0), i, &mig));
}

/* Indices are given from the lowest, and stay: others that end leave holes. */
static void test_mig_devices_keep_their_index(void **state)
{
	(void)state;
	device mig[4] = { 0 };
	unsigned gi_id = 0;
	instance gi = NULL, ci = NULL;
	begin("gpus: 1\nmig: [{gpu: 0, layout: \"1g.10gb@0, 2g.20gb@2, 3g.40gb@4\"}]");
	device d = board(0), none = NULL;
	for (unsigned i = 0; i < 3; i++)
		IS(OK, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, i, &mig[i]));
	IS(NOT_FOUND, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, 3, &none));
	IS(OK, NV(nvmlDeviceGetGpuInstanceId, device, unsigned *)(mig[1], &gi_id));
	IS(OK, NV(nvmlDeviceGetGpuInstanceById, device, unsigned, instance *)(d, gi_id, &gi));
	IS(OK, NV(nvmlGpuInstanceGetComputeInstanceById, instance, unsigned, instance *)(gi, 0, &ci));
	IS(OK, NV(nvmlComputeInstanceDestroy, instance)(ci));
	IS(NOT_FOUND, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, 1, &none));
	IS(OK, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, 2, &none));
	assert_ptr_equal(none, mig[2]);
	(void)make_ci(gi, 0);
	IS(OK, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(d, 1, &mig[3]));
	assert_ptr_not_equal(mig[3], mig[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mode_is_what_it_was_set_to),
		cmocka_unit_test(test_profiles_are_enumerated_with_gaps),
		cmocka_unit_test(test_ampere_tells_of_profiles_only_in_mig_mode),
		cmocka_unit_test(test_placements_are_a_list_of_the_profile),
		cmocka_unit_test(test_instances_live_and_die_in_order),
		cmocka_unit_test(test_instances_are_listed_by_profile),
		cmocka_unit_test(test_a_gpu_instance_is_cut_further),
		cmocka_unit_test(test_parent_and_slice_share_the_questions_out),
		cmocka_unit_test(test_mig_devices_keep_their_index),
		cmocka_unit_test(test_a_reset_ends_instances_and_handles),
	};
	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
