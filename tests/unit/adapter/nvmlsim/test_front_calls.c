/* SPDX-License-Identifier: MIT */
#include "front-testing.h"

#define GUARD 0xA7

static const char *const every_symbol[] = {
	"nvmlComputeInstanceDestroy",
	"nvmlComputeInstanceGetInfo",
	"nvmlComputeInstanceGetInfo_v2",
	"nvmlDeviceClearEccErrorCounts",
	"nvmlDeviceClearFieldValues",
	"nvmlDeviceCreateGpuInstance",
	"nvmlDeviceCreateGpuInstanceWithPlacement",
	"nvmlDeviceGetAccountingMode",
	"nvmlDeviceGetArchitecture",
	"nvmlDeviceGetAttributes_v2",
	"nvmlDeviceGetBAR1MemoryInfo",
	"nvmlDeviceGetBoardId",
	"nvmlDeviceGetBrand",
	"nvmlDeviceGetClkMonStatus",
	"nvmlDeviceGetClockInfo",
	"nvmlDeviceGetComputeInstanceId",
	"nvmlDeviceGetComputeMode",
	"nvmlDeviceGetComputeRunningProcesses",
	"nvmlDeviceGetComputeRunningProcesses_v2",
	"nvmlDeviceGetComputeRunningProcesses_v3",
	"nvmlDeviceGetCount",
	"nvmlDeviceGetCount_v2",
	"nvmlDeviceGetCpuAffinity",
	"nvmlDeviceGetCudaComputeCapability",
	"nvmlDeviceGetCurrPcieLinkGeneration",
	"nvmlDeviceGetCurrPcieLinkWidth",
	"nvmlDeviceGetCurrentClocksEventReasons",
	"nvmlDeviceGetCurrentClocksThrottleReasons",
	"nvmlDeviceGetDecoderUtilization",
	"nvmlDeviceGetDefaultEccMode",
	"nvmlDeviceGetDeviceHandleFromMigDeviceHandle",
	"nvmlDeviceGetDisplayActive",
	"nvmlDeviceGetDisplayMode",
	"nvmlDeviceGetDriverModel",
	"nvmlDeviceGetDriverModel_v2",
	"nvmlDeviceGetEccMode",
	"nvmlDeviceGetEncoderStats",
	"nvmlDeviceGetEncoderUtilization",
	"nvmlDeviceGetEnforcedPowerLimit",
	"nvmlDeviceGetFanControlPolicy_v2",
	"nvmlDeviceGetFanSpeed",
	"nvmlDeviceGetFanSpeed_v2",
	"nvmlDeviceGetFieldValues",
	"nvmlDeviceGetGpuFabricInfoV",
	"nvmlDeviceGetGpuInstanceById",
	"nvmlDeviceGetGpuInstanceId",
	"nvmlDeviceGetGpuInstancePossiblePlacements",
	"nvmlDeviceGetGpuInstancePossiblePlacements_v2",
	"nvmlDeviceGetGpuInstanceProfileInfo",
	"nvmlDeviceGetGpuInstanceProfileInfoByIdV",
	"nvmlDeviceGetGpuInstanceProfileInfoV",
	"nvmlDeviceGetGpuInstanceRemainingCapacity",
	"nvmlDeviceGetGpuInstances",
	"nvmlDeviceGetGpuMaxPcieLinkGeneration",
	"nvmlDeviceGetGraphicsRunningProcesses",
	"nvmlDeviceGetGraphicsRunningProcesses_v2",
	"nvmlDeviceGetGraphicsRunningProcesses_v3",
	"nvmlDeviceGetHandleByIndex",
	"nvmlDeviceGetHandleByIndex_v2",
	"nvmlDeviceGetHandleByPciBusId",
	"nvmlDeviceGetHandleByPciBusId_v2",
	"nvmlDeviceGetHandleBySerial",
	"nvmlDeviceGetHandleByUUID",
	"nvmlDeviceGetHandleByUUIDV",
	"nvmlDeviceGetIndex",
	"nvmlDeviceGetJpgUtilization",
	"nvmlDeviceGetMPSComputeRunningProcesses",
	"nvmlDeviceGetMPSComputeRunningProcesses_v2",
	"nvmlDeviceGetMPSComputeRunningProcesses_v3",
	"nvmlDeviceGetMarginTemperature",
	"nvmlDeviceGetMaxClockInfo",
	"nvmlDeviceGetMaxMigDeviceCount",
	"nvmlDeviceGetMaxPcieLinkGeneration",
	"nvmlDeviceGetMaxPcieLinkWidth",
	"nvmlDeviceGetMemoryBusWidth",
	"nvmlDeviceGetMemoryErrorCounter",
	"nvmlDeviceGetMemoryInfo",
	"nvmlDeviceGetMemoryInfo_v2",
	"nvmlDeviceGetMigDeviceHandleByIndex",
	"nvmlDeviceGetMigMode",
	"nvmlDeviceGetMinMaxFanSpeed",
	"nvmlDeviceGetMinorNumber",
	"nvmlDeviceGetMultiGpuBoard",
	"nvmlDeviceGetName",
	"nvmlDeviceGetNumFans",
	"nvmlDeviceGetNumGpuCores",
	"nvmlDeviceGetNumaNodeId",
	"nvmlDeviceGetNvLinkCapability",
	"nvmlDeviceGetNvLinkErrorCounter",
	"nvmlDeviceGetNvLinkRemoteDeviceType",
	"nvmlDeviceGetNvLinkRemotePciInfo",
	"nvmlDeviceGetNvLinkRemotePciInfo_v2",
	"nvmlDeviceGetNvLinkState",
	"nvmlDeviceGetNvLinkVersion",
	"nvmlDeviceGetOfaUtilization",
	"nvmlDeviceGetP2PStatus",
	"nvmlDeviceGetPciInfo",
	"nvmlDeviceGetPciInfoExt",
	"nvmlDeviceGetPciInfo_v2",
	"nvmlDeviceGetPciInfo_v3",
	"nvmlDeviceGetPcieReplayCounter",
	"nvmlDeviceGetPcieThroughput",
	"nvmlDeviceGetPerformanceState",
	"nvmlDeviceGetPersistenceMode",
	"nvmlDeviceGetPlatformInfo",
	"nvmlDeviceGetPowerManagementDefaultLimit",
	"nvmlDeviceGetPowerManagementLimit",
	"nvmlDeviceGetPowerManagementLimitConstraints",
	"nvmlDeviceGetPowerManagementMode",
	"nvmlDeviceGetPowerState",
	"nvmlDeviceGetPowerUsage",
	"nvmlDeviceGetProcessUtilization",
	"nvmlDeviceGetRemappedRows",
	"nvmlDeviceGetRepairStatus",
	"nvmlDeviceGetRetiredPages",
	"nvmlDeviceGetRetiredPagesPendingStatus",
	"nvmlDeviceGetRetiredPages_v2",
	"nvmlDeviceGetRowRemapperHistogram",
	"nvmlDeviceGetRunningProcessDetailList",
	"nvmlDeviceGetSamples",
	"nvmlDeviceGetSerial",
	"nvmlDeviceGetSramEccErrorStatus",
	"nvmlDeviceGetSupportedClocksEventReasons",
	"nvmlDeviceGetSupportedClocksThrottleReasons",
	"nvmlDeviceGetSupportedEventTypes",
	"nvmlDeviceGetTargetFanSpeed",
	"nvmlDeviceGetTemperature",
	"nvmlDeviceGetTemperatureThreshold",
	"nvmlDeviceGetTemperatureV",
	"nvmlDeviceGetTopologyCommonAncestor",
	"nvmlDeviceGetTopologyNearestGpus",
	"nvmlDeviceGetTotalEccErrors",
	"nvmlDeviceGetTotalEnergyConsumption",
	"nvmlDeviceGetUUID",
	"nvmlDeviceGetUtilizationRates",
	"nvmlDeviceGetVbiosVersion",
	"nvmlDeviceGetViolationStatus",
	"nvmlDeviceGetVirtualizationMode",
	"nvmlDeviceIsMigDeviceHandle",
	"nvmlDeviceOnSameBoard",
	"nvmlDeviceRegisterEvents",
	"nvmlDeviceResetGpuLockedClocks",
	"nvmlDeviceSetComputeMode",
	"nvmlDeviceSetDefaultFanSpeed_v2",
	"nvmlDeviceSetEccMode",
	"nvmlDeviceSetFanControlPolicy",
	"nvmlDeviceSetFanSpeed_v2",
	"nvmlDeviceSetGpuLockedClocks",
	"nvmlDeviceSetMigMode",
	"nvmlDeviceSetPersistenceMode",
	"nvmlDeviceSetPowerManagementLimit",
	"nvmlErrorString",
	"nvmlEventSetCreate",
	"nvmlEventSetFree",
	"nvmlEventSetWait",
	"nvmlEventSetWait_v2",
	"nvmlGpmMetricsGet",
	"nvmlGpmMigSampleGet",
	"nvmlGpmQueryDeviceSupport",
	"nvmlGpmSampleAlloc",
	"nvmlGpmSampleFree",
	"nvmlGpmSampleGet",
	"nvmlGpuInstanceCreateComputeInstance",
	"nvmlGpuInstanceCreateComputeInstanceWithPlacement",
	"nvmlGpuInstanceDestroy",
	"nvmlGpuInstanceGetComputeInstanceById",
	"nvmlGpuInstanceGetComputeInstancePossiblePlacements",
	"nvmlGpuInstanceGetComputeInstanceProfileInfo",
	"nvmlGpuInstanceGetComputeInstanceProfileInfoV",
	"nvmlGpuInstanceGetComputeInstanceRemainingCapacity",
	"nvmlGpuInstanceGetComputeInstances",
	"nvmlGpuInstanceGetInfo",
	"nvmlInit",
	"nvmlInitWithFlags",
	"nvmlInit_v2",
	"nvmlShutdown",
	"nvmlSystemGetCPER_v1",
	"nvmlSystemGetCudaDriverVersion",
	"nvmlSystemGetCudaDriverVersion_v2",
	"nvmlSystemGetDriverVersion",
	"nvmlSystemGetNVMLVersion",
	"nvmlSystemGetProcessName",
	"nvmlSystemGetTopologyGpuSet",
	"nvmlUnitGetCount",
};

static void test_every_symbol_is_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(every_symbol); i++)
		assert_non_null(symbol(every_symbol[i]));
	assert_null(dlsym(bench.library, "nvs_world_open")); /* and nothing of ours is shown */
}

/* Whatever the arguments are: more are passed than any takes. */
typedef int any_call(device, void *, void *, void *, void *, void *);

static void test_every_call_refuses_null(void **state)
{
	(void)state;
	begin("gpus: 1");
	for (size_t i = 0; i < GM_LEN(every_symbol); i++) {
		if (strncmp(every_symbol[i], "nvmlInit", 8) == 0 || strcmp(every_symbol[i], "nvmlShutdown") == 0 ||
		    strcmp(every_symbol[i], "nvmlErrorString") == 0)
			continue;
		any_call *call = (any_call *)(uintptr_t)symbol(every_symbol[i]);
		if (call(NULL, NULL, NULL, NULL, NULL, NULL) == OK)
			fail_msg("%s takes NULL for all", every_symbol[i]);
		bool of_device = strncmp(every_symbol[i], "nvmlDevice", 10) == 0 &&
				 !strstr(every_symbol[i], "GetCount") && !strstr(every_symbol[i], "GetHandleBy");
		if (of_device && call(board(0), NULL, NULL, NULL, NULL, NULL) == OK)
			fail_msg("%s fills NULL", every_symbol[i]);
	}
	unsigned n = 0;
	IS(OK, NV(nvmlDeviceGetCount_v2, unsigned *)(&n)); /* and all is well */
	assert_int_equal(n, 1);
}

static void test_nothing_answers_before_init_and_after_the_last_shutdown(void **state)
{
	(void)state;
	unsigned n = 0;
	begin("gpus: 2");
	IS(OK, NV(nvmlInit_v2, void)());
	IS(OK, NV(nvmlShutdown, void)());
	IS(OK, NV(nvmlDeviceGetCount_v2, unsigned *)(&n)); /* counted: one is left */
	assert_int_equal(n, 2);
	device d = board(0);
	IS(OK, NV(nvmlShutdown, void)());
	IS(UNINITIALIZED, NV(nvmlDeviceGetCount_v2, unsigned *)(&n));
	IS(UNINITIALIZED, NV(nvmlDeviceGetMinorNumber, device, unsigned *)(d, &n));
	IS(UNINITIALIZED, NV(nvmlShutdown, void)());
	IS(OK, NV(nvmlInitWithFlags, unsigned)(0));
	IS(INVALID, NV(nvmlDeviceGetMinorNumber, device, unsigned *)(d, &n)); /* handles die with the session */
	IS(OK, NV(nvmlDeviceGetMinorNumber, device, unsigned *)(board(0), &n));
	IS(INVALID, NV(nvmlInitWithFlags, unsigned)(64));
}

static void test_error_string_knows_every_code_and_no_other(void **state)
{
	(void)state;
	const char *(*text)(int) = (const char *(*)(int))(uintptr_t)symbol("nvmlErrorString");
	assert_string_equal(text(0), "Success");
	assert_string_equal(text(15), "GPU is lost");
	assert_string_equal(text(777), text(999));
}

static void test_a_handle_that_is_none_is_refused_unread(void **state)
{
	(void)state;
	static const uint64_t wild[] = { 0, 1, 0x10, 0xdeadbeefdeadbeef, UINT64_MAX, 0x7fffffffffff };
	unsigned n = 0;
	char local[64] = "";
	begin("gpus: 1");
	for (size_t i = 0; i < GM_LEN(wild); i++) {
		IS(INVALID, NV(nvmlDeviceGetMinorNumber, device, unsigned *)((device)(uintptr_t)wild[i], &n));
		IS(INVALID, NV(nvmlGpuInstanceDestroy, void *)((void *)(uintptr_t)wild[i]));
		IS(INVALID, NV(nvmlEventSetFree, void *)((void *)(uintptr_t)wild[i]));
		IS(INVALID, NV(nvmlGpmSampleFree, void *)((void *)(uintptr_t)wild[i]));
	}
	IS(INVALID, NV(nvmlDeviceGetMinorNumber, device, unsigned *)(local, &n));
	IS(INVALID, NV(nvmlGpuInstanceDestroy, void *)(board(0))); /* of another kind */
	for (unsigned bit = 0; bit < 64; bit++) {
		device d = (device)((uintptr_t)board(0) ^ UINT64_C(1) << bit);
		IS(INVALID, NV(nvmlDeviceGetMinorNumber, device, unsigned *)(d, &n));
	}
}

/* Calls that fill one thing behind (device, out): NULL is refused, and exactly so many bytes are written. */
static const struct one_output {
	const char *symbol;
	size_t size;
	uint32_t version; /* goes to the first four bytes; 0: none */
} one_output[] = {
	{ "nvmlDeviceGetPciInfo", 32, 0 },
	{ "nvmlDeviceGetPciInfo_v2", 52, 0 },
	{ "nvmlDeviceGetPciInfo_v3", 68, 0 },
	{ "nvmlDeviceGetPciInfoExt", 64, 0x01000040 },
	{ "nvmlDeviceGetArchitecture", 4, 0 },
	{ "nvmlDeviceGetBoardId", 4, 0 },
	{ "nvmlDeviceGetMinorNumber", 4, 0 },
	{ "nvmlDeviceGetMemoryInfo", 24, 0 },
	{ "nvmlDeviceGetMemoryInfo_v2", 40, 0x02000028 },
	{ "nvmlDeviceGetBAR1MemoryInfo", 24, 0 },
	{ "nvmlDeviceGetUtilizationRates", 8, 0 },
	{ "nvmlDeviceGetTemperatureV", 12, 0x0100000c },
	{ "nvmlDeviceGetMarginTemperature", 8, 0x01000008 },
	{ "nvmlDeviceGetPowerUsage", 4, 0 },
	{ "nvmlDeviceGetTotalEnergyConsumption", 8, 0 },
	{ "nvmlDeviceGetPerformanceState", 4, 0 },
	{ "nvmlDeviceGetCurrentClocksEventReasons", 8, 0 },
	{ "nvmlDeviceGetSramEccErrorStatus", 104, 0x01000068 },
	{ "nvmlDeviceGetRowRemapperHistogram", 20, 0 },
	{ "nvmlDeviceGetGpuFabricInfoV", 40, 0x03000028 },
	{ "nvmlDeviceGetGpuFabricInfoV", 36, 0x02000024 },
	{ "nvmlDeviceGetSupportedEventTypes", 8, 0 },
	{ "nvmlGpmQueryDeviceSupport", 8, 1 },
	{ "nvmlDeviceIsMigDeviceHandle", 4, 0 },
	{ "nvmlDeviceGetMaxMigDeviceCount", 4, 0 },
	{ "nvmlDeviceGetNumFans", 4, 0 },
};

static void test_outputs_have_their_size_and_null_is_refused(void **state)
{
	(void)state;
	begin("gpus: 1");
	for (size_t i = 0; i < GM_LEN(one_output); i++) {
		const struct one_output *o = &one_output[i];
		int (*call)(device, void *) = (int (*)(device, void *))(uintptr_t)symbol(o->symbol);
		unsigned char bytes[256];
		memset(bytes, GUARD, sizeof(bytes));
		if (o->version)
			put_u32(bytes, 0, o->version);
		if (strcmp(o->symbol, "nvmlDeviceGetTemperatureV") == 0)
			put_u32(bytes, 4, 0); /* the sensor is asked for */
		if (call(board(0), bytes) != OK)
			fail_msg("%s: %d", o->symbol, call(board(0), bytes));
		for (size_t k = o->size; k < sizeof(bytes); k++) {
			if (bytes[k] != GUARD)
				fail_msg("%s wrote past its %zu bytes", o->symbol, o->size);
		}
		bool whole = false; /* the last member was written: its last four bytes are no guard */
		for (size_t k = o->size - 4; k < o->size; k++)
			whole |= bytes[k] != GUARD;
		if (!whole)
			fail_msg("%s did not fill its %zu bytes", o->symbol, o->size);
		if (o->version && u32_at(bytes, 0) != o->version)
			fail_msg("%s changed the version", o->symbol);
		if (call(board(0), NULL) != INVALID)
			fail_msg("%s takes NULL", o->symbol);
	}
}

static void test_other_version_words_are_refused(void **state)
{
	(void)state;
	begin("gpus: 1");
	for (size_t i = 0; i < GM_LEN(one_output); i++) {
		const struct one_output *o = &one_output[i];
		if (!o->version)
			continue;
		int (*call)(device, void *) = (int (*)(device, void *))(uintptr_t)symbol(o->symbol);
		const uint32_t wrong[] = { 0, o->version + 1, o->version + 0x07000000, o->version & 0xffff0000 };
		for (size_t k = 0; k < GM_LEN(wrong); k++) {
			unsigned char bytes[256] = { 0 };
			put_u32(bytes, 0, wrong[k]);
			if (wrong[k] != o->version && call(board(0), bytes) != WRONG_VERSION)
				fail_msg("%s takes the version word %#x", o->symbol, wrong[k]);
		}
	}
}

static void test_texts_need_room_for_their_end(void **state)
{
	(void)state;
	static const char *const texts[] = { "nvmlDeviceGetName", "nvmlDeviceGetUUID", "nvmlDeviceGetSerial",
					     "nvmlDeviceGetVbiosVersion" };
	begin("gpus: 1");
	for (size_t i = 0; i < GM_LEN(texts); i++) {
		int (*call)(device, char *, unsigned) = (int (*)(device, char *, unsigned))(uintptr_t)symbol(texts[i]);
		char text[96] = "", exact[96] = "";
		IS(OK, call(board(0), text, sizeof(text)));
		unsigned need = (unsigned)strlen(text) + 1;
		IS(OK, call(board(0), exact, need));
		assert_string_equal(exact, text);
		IS(TOO_SMALL, call(board(0), exact, need - 1));
		IS(INVALID, call(board(0), NULL, need));
	}
	char version[80];
	IS(OK, NV(nvmlSystemGetDriverVersion, char *, unsigned)(version, sizeof(version)));
	IS(TOO_SMALL, NV(nvmlSystemGetDriverVersion, char *, unsigned)(version, 3));
}

static void test_members_lie_where_the_driver_has_them(void **state)
{
	(void)state;
	unsigned char v1[24], v2[40], pci[68];
	begin("gpus: 1");
	IS(OK, NV(nvmlDeviceGetMemoryInfo, device, void *)(board(0), v1));
	put_u32(v2, 0, 0x02000028);
	IS(OK, NV(nvmlDeviceGetMemoryInfo_v2, device, void *)(board(0), v2));
	assert_int_equal(u64_at(v1, 0), u64_at(v2, 8));			   /* total */
	assert_int_equal(u64_at(v1, 8), u64_at(v2, 24));		   /* free */
	assert_int_equal(u64_at(v1, 16), u64_at(v2, 32) + u64_at(v2, 16)); /* used and reserved */
	assert_int_equal(u64_at(v1, 0), u64_at(v1, 8) + u64_at(v1, 16));
	assert_int_equal(u64_at(v2, 8) >> 20, 81559);
	IS(OK, NV(nvmlDeviceGetPciInfo_v3, device, void *)(board(0), pci));
	char legacy[17] = "";
	assert_int_equal(u32_at(pci, 16), 0);
	assert_int_equal(u32_at(pci, 28), 0x233010de);
	(void)snprintf(legacy, sizeof(legacy), "0000:%02X:00.0", u32_at(pci, 20));
	assert_string_equal((char *)pci, legacy);
	assert_int_equal(strncmp((char *)pci + 36, "00000000:", 9), 0);
}

static void test_boards_are_found_by_all_their_names(void **state)
{
	(void)state;
	char uuid[96], serial[32];
	unsigned char pci[68], ask[52] = { 0 };
	begin("gpus: 3");
	for (unsigned i = 0; i < 3; i++) {
		device d = NULL;
		IS(OK, NV(nvmlDeviceGetUUID, device, char *, unsigned)(board(i), uuid, sizeof(uuid)));
		IS(OK, NV(nvmlDeviceGetHandleByUUID, const char *, device *)(uuid, &d));
		assert_ptr_equal(d, board(i));
		put_u32(ask, 0, 0x01000034);
		put_u32(ask, 4, 1);
		memcpy(ask + 8, uuid, 41);
		IS(OK, NV(nvmlDeviceGetHandleByUUIDV, void *, device *)(ask, &d));
		assert_ptr_equal(d, board(i));
		IS(OK, NV(nvmlDeviceGetPciInfo_v3, device, void *)(board(i), pci));
		IS(OK, NV(nvmlDeviceGetHandleByPciBusId_v2, const char *, device *)((char *)pci + 36, &d));
		assert_ptr_equal(d, board(i));
		IS(OK, NV(nvmlDeviceGetHandleByPciBusId, const char *, device *)((char *)pci, &d));
		assert_ptr_equal(d, board(i));
		IS(OK, NV(nvmlDeviceGetSerial, device, char *, unsigned)(board(i), serial, sizeof(serial)));
		IS(OK, NV(nvmlDeviceGetHandleBySerial, const char *, device *)(serial, &d));
		assert_ptr_equal(d, board(i));
	}
	device d = NULL;
	IS(NOT_FOUND, NV(nvmlDeviceGetHandleByUUID, const char *, device *)("GPU-none", &d));
	IS(NOT_FOUND, NV(nvmlDeviceGetHandleByPciBusId_v2, const char *, device *)("0000:ff:00.0", &d));
	IS(INVALID, NV(nvmlDeviceGetHandleByPciBusId_v2, const char *, device *)("here", &d));
	IS(INVALID, NV(nvmlDeviceGetHandleByIndex_v2, unsigned, device *)(3, &d));
	assert_null(d);
}

static void test_a_driver_that_goes_and_comes_needs_a_new_session(void **state)
{
	(void)state;
	unsigned n;
	begin("gpus: 1");
	command("unload-driver");
	IS(NO_DRIVER, NV(nvmlDeviceGetCount_v2, unsigned *)(&n));
	command("load-driver");
	IS(NO_DRIVER, NV(nvmlDeviceGetCount_v2, unsigned *)(&n));
	shut_down();
	IS(OK, NV(nvmlInit_v2, void)());
	IS(OK, NV(nvmlDeviceGetCount_v2, unsigned *)(&n));
	command("unload-driver");
	shut_down();
	IS(NO_DRIVER, NV(nvmlInit_v2, void)());
	command("load-driver");
	IS(OK, NV(nvmlInit_v2, void)());
	command("mismatch on");
	IS(MISMATCH, NV(nvmlDeviceGetCount_v2, unsigned *)(&n));
	shut_down();
	IS(MISMATCH, NV(nvmlInit_v2, void)()); /* no session helps: only another library */
	command("mismatch off");
	IS(OK, NV(nvmlInit_v2, void)());
}

static void test_a_lost_board_leaves_the_others(void **state)
{
	(void)state;
	unsigned n;
	device d;
	begin("gpus: 2");
	device lost = board(0), other = board(1);
	command("lost 0");
	IS(LOST, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(lost, &n));
	IS(LOST, NV(nvmlDeviceGetHandleByIndex_v2, unsigned, device *)(0, &d));
	IS(OK, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(other, &n));
	IS(OK, NV(nvmlDeviceGetCount_v2, unsigned *)(&n));
	assert_int_equal(n, 2);
	IS(OK, NV(nvmlDeviceGetCount, unsigned *)(&n)); /* the first form counts those it can reach, and numbers them */
	assert_int_equal(n, 1);
	IS(OK, NV(nvmlDeviceGetHandleByIndex, unsigned, device *)(0, &d));
	assert_ptr_equal(d, other);
	command("back 0");
	IS(INVALID,
	   NV(nvmlDeviceGetPowerUsage, device, unsigned *)(lost, &n)); /* a reset: handles of before are stale */
	IS(OK, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(board(0), &n));
}

static void test_what_is_roots_is_refused_to_others(void **state)
{
	(void)state;
	unsigned char sram[104];
	unsigned count;
	int activation;
	begin("gpus: 1\nunprivileged: true");
	put_u32(sram, 0, 0x01000068);
	IS(NO_PERMISSION, NV(nvmlDeviceSetMigMode, device, unsigned, int *)(board(0), 1, &activation));
	IS(NO_PERMISSION, NV(nvmlDeviceGetSramEccErrorStatus, device, void *)(board(0), sram));
	IS(NO_PERMISSION, NV(nvmlDeviceSetPersistenceMode, device, unsigned)(board(0), 1));
	IS(NO_PERMISSION, NV(nvmlDeviceGetGpuInstancePossiblePlacements_v2, device, unsigned, void *,
			     unsigned *)(board(0), 19, NULL, &count));
	unsigned char v1[24];
	IS(OK, NV(nvmlDeviceGetMemoryInfo, device, void *)(board(0), v1));
	command("mig 0 on");
	IS(NO_PERMISSION, NV(nvmlDeviceGetMemoryInfo, device, void *)(board(0), v1)); /* an aggregate over slices */
	IS(NO_PERMISSION, NV(nvmlDeviceCreateGpuInstance, device, unsigned, void **)(board(0), 19, (void **)v1));
	command("privileged on");
	IS(OK, NV(nvmlDeviceGetMemoryInfo, device, void *)(board(0), v1));
	IS(OK, NV(nvmlDeviceGetSramEccErrorStatus, device, void *)(board(0), sram));
}

static void test_commanded_codes_and_garbage_come_through(void **state)
{
	(void)state;
	unsigned mw = 0, other = 0;
	char name[96];
	begin("gpus: 2");
	command("fault nvmlDeviceGetPowerUsage gpu=0 error 999 times=2");
	IS(999, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(board(0), &mw));
	IS(OK, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(board(1), &other));
	IS(999, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(board(0), &mw));
	IS(OK, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(board(0), &mw));
	assert_in_range(mw, 50000, 700000);
	command("fault * gpu=0 garbage");
	IS(OK, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(board(0), &mw));
	assert_true(mw > 1000000000);
	IS(OK, NV(nvmlDeviceGetName, device, char *, unsigned)(board(0), name, sizeof(name)));
	assert_null(strstr(name, "NVIDIA"));
	assert_non_null(memchr(name, '\0', sizeof(name)));
	command("clear all");
	IS(OK, NV(nvmlDeviceGetName, device, char *, unsigned)(board(0), name, sizeof(name)));
	assert_string_equal(name, "NVIDIA H100 80GB HBM3");
}

static void test_world_that_begins_anew_makes_handles_stale(void **state)
{
	(void)state;
	unsigned n;
	begin("gpus: 2");
	device d = board(1);
	command("reset");
	IS(INVALID, NV(nvmlDeviceGetMinorNumber, device, unsigned *)(d, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_symbol_is_there),
		cmocka_unit_test(test_every_call_refuses_null),
		cmocka_unit_test(test_nothing_answers_before_init_and_after_the_last_shutdown),
		cmocka_unit_test(test_error_string_knows_every_code_and_no_other),
		cmocka_unit_test(test_a_handle_that_is_none_is_refused_unread),
		cmocka_unit_test(test_outputs_have_their_size_and_null_is_refused),
		cmocka_unit_test(test_other_version_words_are_refused),
		cmocka_unit_test(test_texts_need_room_for_their_end),
		cmocka_unit_test(test_members_lie_where_the_driver_has_them),
		cmocka_unit_test(test_boards_are_found_by_all_their_names),
		cmocka_unit_test(test_a_driver_that_goes_and_comes_needs_a_new_session),
		cmocka_unit_test(test_a_lost_board_leaves_the_others),
		cmocka_unit_test(test_what_is_roots_is_refused_to_others),
		cmocka_unit_test(test_commanded_codes_and_garbage_come_through),
		cmocka_unit_test(test_world_that_begins_anew_makes_handles_stale),
	};
	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
