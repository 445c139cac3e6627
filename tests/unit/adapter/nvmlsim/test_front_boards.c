/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "front-testing.h"

/* What each kind of board answers, and what it does not have. */

enum question {
	SERIAL,
	ECC_MODE,
	REMAPPED,
	RETIRED,
	ENERGY,
	MEMORY_TEMPERATURE,
	MARGIN,
	THRESHOLD_GPU_MAX,
	FAN,
	GPM,
	MIG_MODE,
	FABRIC,
	QUESTIONS
};
static const char *const question_names[QUESTIONS] = {
	"serial", "ECC mode",		"remapped rows", "retired pages",
	"energy", "memory temperature", "margin",	 "maximum as threshold",
	"fan",	  "profiling",		"MIG mode",	 "fabric",
};

static uint32_t field_rc(device d, uint32_t id, uint32_t scope, uint64_t *out)
{
	unsigned char f[40] = { 0 };
	put_u32(f, 0, id);
	put_u32(f, 4, scope);
	put_u32(f, 28, 555);
	IS(OK, NV(nvmlDeviceGetFieldValues, device, int, void *)(d, 1, f));
	if (out)
		*out = u64_at(f, 32);
	return u32_at(f, 28);
}

static int ask(device d, enum question what)
{
	unsigned char bytes[128] = { 0 };
	unsigned a, b, c, e;
	switch (what) {
	case SERIAL:
		return NV(nvmlDeviceGetSerial, device, char *, unsigned)(d, (char *)bytes, 30);
	case ECC_MODE:
		return NV(nvmlDeviceGetEccMode, device, unsigned *, unsigned *)(d, &a, &b);
	case REMAPPED:
		return NV(nvmlDeviceGetRemappedRows, device, unsigned *, unsigned *, unsigned *, unsigned *)(d, &a, &b,
													     &c, &e);
	case RETIRED:
		return NV(nvmlDeviceGetRetiredPagesPendingStatus, device, unsigned *)(d, &a);
	case ENERGY:
		return NV(nvmlDeviceGetTotalEnergyConsumption, device, void *)(d, bytes);
	case MEMORY_TEMPERATURE:
		return (int)field_rc(d, 82, 0, NULL);
	case MARGIN:
		put_u32(bytes, 0, 0x01000008);
		return NV(nvmlDeviceGetMarginTemperature, device, void *)(d, bytes);
	case THRESHOLD_GPU_MAX:
		return NV(nvmlDeviceGetTemperatureThreshold, device, unsigned, unsigned *)(d, 3, &a);
	case FAN:
		return NV(nvmlDeviceGetFanSpeed, device, unsigned *)(d, &a);
	case GPM:
		put_u32(bytes, 0, 1);
		IS(OK, NV(nvmlGpmQueryDeviceSupport, device, void *)(d, bytes));
		return u32_at(bytes, 4) ? OK : UNSUPPORTED;
	case MIG_MODE:
		return NV(nvmlDeviceGetMigMode, device, unsigned *, unsigned *)(d, &a, &b);
	case FABRIC:
		put_u32(bytes, 0, 0x03000028);
		return NV(nvmlDeviceGetGpuFabricInfoV, device, void *)(d, bytes);
	case QUESTIONS:
		break;
	}
	return -1;
}

#define Y OK
#define N UNSUPPORTED
static const struct kind {
	const char *variant;
	unsigned architecture, links;
	int answers[QUESTIONS];
} kinds[] = {
	/*                               serial ECC rows pages energy memT margin max fan GPM MIG fabric */
	{ "P100", 4, 0, { Y, N, N, N, N, Y, N, Y, N, N, N, N } },
	{ "V100_16GB", 5, 6, { Y, Y, N, Y, Y, Y, N, Y, N, N, N, N } },
	{ "T4", 6, 0, { Y, Y, N, Y, Y, N, N, Y, N, N, N, N } },
	{ "RTX3090", 7, 0, { N, N, N, N, Y, N, N, Y, Y, N, N, N } },
	{ "A100_SXM4_80GB", 7, 12, { Y, Y, Y, N, Y, Y, N, Y, N, N, Y, N } },
	{ "A30", 7, 0, { Y, Y, Y, N, Y, Y, N, Y, N, N, Y, N } },
	{ "RTX4090", 8, 0, { N, N, N, N, Y, N, Y, N, Y, N, N, N } },
	{ "L40S", 8, 0, { Y, Y, Y, N, Y, N, Y, N, N, N, N, N } },
	{ "H100_PCIE_80GB", 9, 0, { Y, Y, Y, N, Y, Y, Y, N, N, Y, Y, N } },
	{ "H100_SXM5_80GB", 9, 18, { Y, Y, Y, N, Y, Y, Y, N, N, Y, Y, Y } },
	{ "B200", 10, 18, { Y, Y, Y, N, Y, Y, Y, N, N, Y, Y, Y } },
	{ "RTX5090", 10, 0, { N, N, N, N, Y, N, Y, N, Y, N, N, N } },
};

static unsigned links_of(device d)
{
	unsigned n = 0, state;
	while (NV(nvmlDeviceGetNvLinkState, device, unsigned, unsigned *)(d, n, &state) == OK)
		n += state == 1;
	return n;
}

static void test_boards_answer_by_their_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];
		char scenario[80];
		unsigned architecture = 0;
		(void)snprintf(scenario, sizeof(scenario), "gpus: 1\nmodels: %s", k->variant);
		begin(scenario);
		device d = board(0);
		IS(OK, NV(nvmlDeviceGetArchitecture, device, unsigned *)(d, &architecture));
		assert_int_equal(architecture, k->architecture);
		if (links_of(d) != k->links)
			fail_msg("%s: %u links, not %u", k->variant, links_of(d), k->links);
		for (int w = 0; w < QUESTIONS; w++) {
			int rc = ask(d, (enum question)w);
			if (rc != k->answers[w])
				fail_msg("%s: %s: %d, not %d", k->variant, question_names[w], rc, k->answers[w]);
		}
	}
}

static void test_fans_are_told_one_by_one(void **state)
{
	(void)state;
	unsigned n = 0, speed = 0, target = 0, least = 0, most = 0, policy = 7;
	begin("gpus: 2\nmodels: RTX4090=1,H100_SXM5_80GB=1");
	device fanned = board(0), without = board(1);
	command("load 0 90");
	IS(OK, NV(nvmlDeviceGetNumFans, device, unsigned *)(fanned, &n));
	assert_int_equal(n, 2);
	for (unsigned fan = 0; fan < n; fan++) {
		IS(OK, NV(nvmlDeviceGetFanSpeed_v2, device, unsigned, unsigned *)(fanned, fan, &speed));
		IS(OK, NV(nvmlDeviceGetTargetFanSpeed, device, unsigned, unsigned *)(fanned, fan, &target));
		IS(OK, NV(nvmlDeviceGetFanControlPolicy_v2, device, unsigned, unsigned *)(fanned, fan, &policy));
		assert_in_range(speed, 0, 100);
		assert_in_range(target, 0, 100);
		assert_int_equal(policy, 0);
	}
	IS(INVALID, NV(nvmlDeviceGetTargetFanSpeed, device, unsigned, unsigned *)(fanned, n, &target));
	IS(INVALID, NV(nvmlDeviceGetFanControlPolicy_v2, device, unsigned, unsigned *)(fanned, n, &policy));
	IS(OK, NV(nvmlDeviceGetMinMaxFanSpeed, device, unsigned *, unsigned *)(fanned, &least, &most));
	assert_true(least < most && most == 100);
	IS(UNSUPPORTED, NV(nvmlDeviceSetFanSpeed_v2, device, unsigned, unsigned)(fanned, 0, 80));
	IS(UNSUPPORTED, NV(nvmlDeviceGetMinMaxFanSpeed, device, unsigned *, unsigned *)(without, &least, &most));
	IS(UNSUPPORTED, NV(nvmlDeviceGetTargetFanSpeed, device, unsigned, unsigned *)(without, 0, &target));
	command("privileged off");
	IS(NO_PERMISSION, NV(nvmlDeviceSetFanSpeed_v2, device, unsigned, unsigned)(fanned, 0, 80));
}

static void test_temperature_limits_are_offsets_from_ada_on(void **state)
{
	(void)state;
	uint64_t value = 0;
	unsigned char margin[8];
	unsigned now = 0, shutdown = 0;
	begin("gpus: 1");
	device d = board(0);
	assert_int_equal(field_rc(d, 193, 0, &value), OK);
	assert_int_equal((int32_t)value, -8); /* shuts down at 95, works up to 87 */
	assert_int_equal(field_rc(d, 194, 0, &value), OK);
	assert_int_equal((int32_t)value, -2);
	assert_int_equal(field_rc(d, 196, 0, &value), OK);
	assert_int_equal((int32_t)value, 0);
	put_u32(margin, 0, 0x01000008);
	IS(OK, NV(nvmlDeviceGetMarginTemperature, device, void *)(d, margin));
	IS(OK, NV(nvmlDeviceGetTemperature, device, unsigned, unsigned *)(d, 0, &now));
	assert_int_equal(u32_at(margin, 4) + now, 87);
	IS(OK, NV(nvmlDeviceGetTemperatureThreshold, device, unsigned, unsigned *)(d, 0, &shutdown));
	assert_int_equal(shutdown, 95);
	IS(INVALID, NV(nvmlDeviceGetTemperature, device, unsigned, unsigned *)(d, 1, &now));
	begin("gpus: 1\nmodels: A100_SXM4_80GB");
	assert_int_equal(field_rc(board(0), 193, 0, &value), UNSUPPORTED);
}

static void test_each_field_says_for_itself_whether_it_is_there(void **state)
{
	(void)state;
	static const struct {
		uint32_t id, type, rc;
	} rows[] = {
		{ 1, 1, OK },		{ 3, 3, OK },	      { 82, 1, OK },	 { 83, 3, OK },	 { 91, 1, OK },
		{ 29, 0, UNSUPPORTED }, { 9999, 0, INVALID }, { 186, 1, OK },	 { 194, 5, OK }, { 197, 3, OK },
		{ 230, 1, OK },		{ 271, 3, OK },	      { 0, 0, INVALID },
	};
	unsigned char f[GM_LEN(rows)][40] = { 0 };
	begin("gpus: 1");
	for (size_t i = 0; i < GM_LEN(rows); i++)
		put_u32(f[i], 0, rows[i].id);
	IS(OK, NV(nvmlDeviceGetFieldValues, device, int, void *)(board(0), GM_LEN(rows), f));
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		if (u32_at(f[i], 28) != rows[i].rc || (rows[i].rc == OK && u32_at(f[i], 24) != rows[i].type))
			fail_msg("field %u: code %u, type %u", rows[i].id, u32_at(f[i], 28), u32_at(f[i], 24));
		assert_true(u64_at(f[i], 8) > 0); /* when */
	}
	IS(INVALID, NV(nvmlDeviceGetFieldValues, device, int, void *)(board(0), 0, f));
	IS(INVALID, NV(nvmlDeviceGetFieldValues, device, int, void *)(board(0), 1, NULL));
	assert_int_equal(field_rc(board(0), 165, 17, NULL), OK);
	assert_int_equal(field_rc(board(0), 165, 18, NULL), INVALID);
	assert_int_equal(field_rc(board(0), 138, UINT32_MAX, NULL), OK);
}

static void test_a_held_load_shows_in_every_number(void **state)
{
	(void)state;
	unsigned char use[8];
	unsigned mw, clock, p;
	uint64_t energy = 0, again = 0, reasons = 0;
	begin("gpus: 1\nspeed: 100");
	device d = board(0);
	IS(OK, NV(nvmlDeviceGetCurrentClocksEventReasons, device, uint64_t *)(d, &reasons));
	assert_int_equal(reasons, 1);
	command("load 0 70");
	IS(OK, NV(nvmlDeviceGetUtilizationRates, device, void *)(d, use));
	assert_int_equal(u32_at(use, 0), 70);
	IS(OK, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(d, &mw));
	assert_in_range(mw, 300000, 700000);
	IS(OK, NV(nvmlDeviceGetClockInfo, device, unsigned, unsigned *)(d, 1, &clock));
	assert_in_range(clock, 1000, 1980);
	IS(INVALID, NV(nvmlDeviceGetClockInfo, device, unsigned, unsigned *)(d, 9, &clock));
	IS(OK, NV(nvmlDeviceGetPerformanceState, device, unsigned *)(d, &p));
	assert_int_equal(p, 0);
	IS(DEPRECATED, NV(nvmlDeviceGetPowerState, device, unsigned *)(d, &p));
	IS(OK, NV(nvmlDeviceGetTotalEnergyConsumption, device, uint64_t *)(d, &energy));
	uint64_t rx = 0, later = 0;
	assert_int_equal(field_rc(d, 198, 0, &rx), OK);
	IS(OK, NV(nvmlDeviceGetPcieThroughput, device, unsigned, unsigned *)(d, 1, &p)); /* 2 s of this world */
	assert_true(p > 0);
	IS(OK, NV(nvmlDeviceGetTotalEnergyConsumption, device, uint64_t *)(d, &again));
	assert_true(again >= energy + 300000); /* mJ */
	assert_int_equal(field_rc(d, 198, 0, &later), OK);
	assert_true(later > rx);
}

static void test_pcie_throughput_takes_its_time_and_lets_others_in(void **state)
{
	(void)state;
	struct timespec a, b;
	unsigned kib;
	begin("gpus: 1");
	device d = board(0);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	IS(OK, NV(nvmlDeviceGetPcieThroughput, device, unsigned, unsigned *)(d, 0, &kib));
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 20000000);
	IS(INVALID, NV(nvmlDeviceGetPcieThroughput, device, unsigned, unsigned *)(d, 2, &kib));
}

static void test_errors_of_memory_are_counted_and_remapped(void **state)
{
	(void)state;
	uint64_t n = 0;
	unsigned rows[4];
	begin("gpus: 1");
	device d = board(0);
	command("ecc 0 sbe 5");
	IS(OK, NV(nvmlDeviceGetTotalEccErrors, device, unsigned, unsigned, uint64_t *)(d, 0, 0, &n));
	assert_int_equal(n, 5);
	IS(OK, NV(nvmlDeviceGetMemoryErrorCounter, device, unsigned, unsigned, unsigned, uint64_t *)(d, 0, 0, 2, &n));
	assert_int_equal(n, 5);
	IS(OK, NV(nvmlDeviceGetMemoryErrorCounter, device, unsigned, unsigned, unsigned, uint64_t *)(d, 0, 0, 7, &n));
	assert_int_equal(n, 0);
	IS(UNSUPPORTED,
	   NV(nvmlDeviceGetMemoryErrorCounter, device, unsigned, unsigned, unsigned, uint64_t *)(d, 0, 0, 0, &n));
	IS(INVALID, NV(nvmlDeviceGetTotalEccErrors, device, unsigned, unsigned, uint64_t *)(d, 2, 0, &n));
	command("ecc 0 dbe 1");
	IS(OK, NV(nvmlDeviceGetRemappedRows, device, unsigned *, unsigned *, unsigned *,
		  unsigned *)(d, &rows[0], &rows[1], &rows[2], &rows[3]));
	assert_true(rows[1] >= 1);
	assert_int_equal(rows[2], 1);
	uint64_t action = 0;
	assert_int_equal(field_rc(d, 230, 0, &action), OK);
	assert_int_equal((uint32_t)action, 1); /* reset */
}

static void test_two_boards_know_how_they_lie(void **state)
{
	(void)state;
	unsigned v;
	begin("gpus: 8");
	IS(OK, NV(nvmlDeviceGetTopologyCommonAncestor, device, device, unsigned *)(board(0), board(0), &v));
	assert_int_equal(v, 0);
	IS(OK, NV(nvmlDeviceGetTopologyCommonAncestor, device, device, unsigned *)(board(0), board(7), &v));
	assert_int_equal(v, 50);
	IS(OK, NV(nvmlDeviceGetP2PStatus, device, device, unsigned, unsigned *)(board(0), board(7), 2, &v));
	assert_int_equal(v, 0);
	command("mig 7 on");
	IS(OK, NV(nvmlDeviceGetP2PStatus, device, device, unsigned, unsigned *)(board(0), board(7), 2, &v));
	assert_int_not_equal(v, 0);
	IS(INVALID, NV(nvmlDeviceGetTopologyCommonAncestor, device, device, unsigned *)(board(0), NULL, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boards_answer_by_their_kind),
		cmocka_unit_test(test_fans_are_told_one_by_one),
		cmocka_unit_test(test_temperature_limits_are_offsets_from_ada_on),
		cmocka_unit_test(test_each_field_says_for_itself_whether_it_is_there),
		cmocka_unit_test(test_a_held_load_shows_in_every_number),
		cmocka_unit_test(test_pcie_throughput_takes_its_time_and_lets_others_in),
		cmocka_unit_test(test_errors_of_memory_are_counted_and_remapped),
		cmocka_unit_test(test_two_boards_know_how_they_lie),
	};
	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
