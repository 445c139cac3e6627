/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <string.h>

static void test_open_names_what_it_tried(void **state)
{
	(void)state;
	struct gm_nvml lib = { .path = "untouched" };
	struct gm_err err = { 0 };
	assert_int_equal(gm_nvml_open("/nowhere/libnvidia-ml.so.1", &lib, &err), GM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "/nowhere/libnvidia-ml.so.1"));
	assert_string_equal(lib.path, "untouched");
}

static void test_open_refuses_a_library_without_a_needed_symbol(void **state)
{
	(void)state;
	struct gm_nvml lib = { 0 };
	struct gm_err err = { 0 };
	assert_int_equal(gm_nvml_open(FAKE_NVML_TOO_OLD, &lib, &err), GM_ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "nvmlDeviceGetCount_v2"));
	assert_null(lib.handle);
}

struct listing {
	int all, missing;
	const char *throttle, *wait, *processes;
	char text[3][64];
};

static void note(void *ctx, const char *wanted, const char *found, bool needed)
{
	struct listing *l = ctx;
	const char *wants[] = { "nvmlDeviceGetCurrentClocksEventReasons", "nvmlEventSetWait_v2",
				"nvmlDeviceGetComputeRunningProcesses_v2" };
	l->all++;
	l->missing += found == NULL;
	assert_true(found != NULL || !needed);
	for (int i = 0; i < 3; i++)
		if (strcmp(wanted, wants[i]) == 0)
			(void)gm_str_copy(gm_str(found), l->text[i], sizeof(l->text[i]));
}

static void test_list_symbols_tells_which_name_was_found(void **state)
{
	(void)state;
	struct fake f;
	struct listing l = { 0 };
	fake_open(&f, FAKE_NVML_OLD);
	int missing = gm_nvml_list_symbols(&f.lib, note, &l);
	assert_int_equal(missing, l.missing);
	assert_int_equal(l.all, GM_NVML_SYMBOL_COUNT);
	assert_true(l.missing > 10);
	assert_string_equal(l.text[0], "nvmlDeviceGetCurrentClocksThrottleReasons");
	assert_string_equal(l.text[1], "nvmlEventSetWait");
	assert_string_equal(l.text[2], "nvmlDeviceGetComputeRunningProcesses_v2");
	fake_close(&f);
}

static void test_results_have_names_and_classes(void **state)
{
	(void)state;
	assert_string_equal(gm_nvml_result_name(0), "SUCCESS");
	assert_string_equal(gm_nvml_result_name(15), "GPU_IS_LOST");
	assert_string_equal(gm_nvml_result_name(77), "code 77");
	static const int unsupported[] = { 3, 4, 13, 25, 26 }, gone[] = { 1, 9, 18 };
	int count = 0, gone_count = 0;
	for (int rc = 0; rc < 1000; rc++) {
		count += gm_nvml_is_unsupported(rc);
		gone_count += gm_nvml_is_driver_gone(rc);
	}
	assert_int_equal(count, 5);
	assert_int_equal(gone_count, 3);
	for (size_t i = 0; i < 5; i++)
		assert_true(gm_nvml_is_unsupported(unsupported[i]));
	for (size_t i = 0; i < 3; i++)
		assert_true(gm_nvml_is_driver_gone(gone[i]));
}

/* The unversioned symbol of these is another, older interface: asking for it corrupts memory on a real driver. */
static void test_no_symbol_is_asked_by_the_name_of_an_older_interface(void **state)
{
	(void)state;
	static const char *const older[] = {
		"nvmlInit",
		"nvmlDeviceGetCount",
		"nvmlDeviceGetHandleByIndex",
		"nvmlDeviceGetPciInfo",
		"nvmlDeviceGetComputeRunningProcesses",
		"nvmlDeviceGetGraphicsRunningProcesses",
		"nvmlDeviceGetAttributes",
		"nvmlComputeInstanceGetInfo",
		"nvmlDeviceGetMPSComputeRunningProcesses",
	};
#define NAMES(need, member, type, names) "|" names
	static const char all[] = GM_NVML_SYMBOLS(NAMES) "|";
#undef NAMES
	for (size_t i = 0; i < sizeof(older) / sizeof(older[0]); i++) {
		char name[80];
		(void)snprintf(name, sizeof(name), "|%s|", older[i]);
		assert_null(strstr(all, name));
	}
	assert_string_equal(gm_nvml_symbol_name(GM_NVML_SYMBOL_count), "nvmlDeviceGetCount_v2");
	assert_string_equal(gm_nvml_symbol_name(GM_NVML_SYMBOL_COUNT), "?");
}

static unsigned entered[GM_NVML_SYMBOL_COUNT], left[GM_NVML_SYMBOL_COUNT];
static unsigned depth;

static void enter(void *ctx, unsigned symbol)
{
	(void)ctx;
	entered[symbol]++;
	assert_int_equal(depth++, 0);
}

static void leave(void *ctx, unsigned symbol, int rc)
{
	(void)ctx;
	(void)rc;
	left[symbol]++;
	assert_int_equal(--depth, 0);
}

static void test_every_call_of_a_reader_passes_the_probe(void **state)
{
	(void)state;
	struct fake f;
	const struct gm_nvml_probe probe = { .enter = enter, .leave = leave };
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	gm_nvml_reader_free(f.reader);
	f.reader = gm_nvml_reader_new(&f.lib, &probe, UUID_A, 0);
	f.state->process_count = 1;
	f.state->processes[0] = (struct gm_nvml_process_detail_v1){ 4242, 1, 1, 0, 0 };
	for (int i = 0; i < 3; i++)
		assert_int_equal(fake_round(&f, 1000), 0);
	gm_nvml_reader_free(f.reader);
	f.reader = NULL;
	unsigned calls = 0;
	for (unsigned i = 0; i < GM_NVML_SYMBOL_COUNT; i++) {
		assert_int_equal(entered[i], f.state->calls[i]);
		assert_int_equal(entered[i], left[i]);
		calls += entered[i];
	}
	assert_true(calls > 100);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_names_what_it_tried),
		cmocka_unit_test(test_open_refuses_a_library_without_a_needed_symbol),
		cmocka_unit_test(test_list_symbols_tells_which_name_was_found),
		cmocka_unit_test(test_results_have_names_and_classes),
		cmocka_unit_test(test_no_symbol_is_asked_by_the_name_of_an_older_interface),
		cmocka_unit_test(test_every_call_of_a_reader_passes_the_probe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
