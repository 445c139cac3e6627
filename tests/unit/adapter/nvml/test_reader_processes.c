/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <stdio.h>
#include <string.h>

static void fill(struct fake *f, uint32_t count)
{
	f->state->process_count = count;
	for (uint32_t i = 0; i < count; i++)
		f->state->processes[i] = (struct gm_nvml_process_detail_v1){
			.pid = 1000 + i,
			.used = (uint64_t)(100 + i) * (uint64_t)MIB,
			.gi = GM_NVML_NO_INSTANCE,
			.ci = GM_NVML_NO_INSTANCE,
		};
}

static void check(const struct fake *f, uint32_t count)
{
	assert_int_equal(f->out.process_rc, 0);
	assert_int_equal(f->out.process_count, count);
	for (uint32_t i = 0; i < count; i++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "/usr/bin/job-%u", 1000 + i);
		assert_int_equal(f->out.processes[i].pid, 1000 + i);
		assert_int_equal(f->out.processes[i].used_bytes, (100 + i) * MIB);
		assert_int_equal(f->out.processes[i].gi, -1);
		assert_int_equal(f->out.processes[i].kinds, GM_PROCESS_COMPUTE);
		assert_string_equal(f->out.processes[i].name, name);
	}
}

static void test_both_record_sizes_behind_v3_are_read(void **state)
{
	(void)state;
	static const size_t strides[] = { 24, 32, 40, 48 };
	static const uint32_t counts[] = { 1, 2, 3, 64, 100 };
	for (size_t s = 0; s < 4; s++)
		for (size_t c = 0; c < 5; c++) {
			struct fake f;
			fake_open(&f, FAKE_NVML);
			f.lib.process_details = NULL;
			f.state->process_stride = strides[s];
			fill(&f, counts[c]);
			assert_int_equal(fake_round(&f, 0), 0);
			check(&f, counts[c]);
			assert_int_equal(f.out.process_list_odd, strides[s] != 24);
			fake_close(&f);
		}
}

static void test_the_detail_list_is_preferred(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	f.state->process_stride = 32;
	fill(&f, 3);
	assert_int_equal(fake_round(&f, 0), 0);
	check(&f, 3);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_compute_v3], 0);
	assert_false(f.out.process_list_odd);
	fake_close(&f);
}

static void test_drivers_without_v3_are_read_by_v2(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML_OLD);
	fill(&f, 2);
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(f.out.process_count, 2);
	assert_int_equal(f.out.processes[1].pid, 1001);
	assert_string_equal(f.out.processes[1].name, ""); /* that driver does not name them */
	fake_close(&f);
}

static void test_a_list_that_makes_no_sense_is_not_believed(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	f.lib.process_details = NULL;
	fill(&f, 2);
	assert_int_equal(fake_round(&f, 0), 0);
	check(&f, 2);
	f.state->processes[1].pid = 0x7fffffff;
	f.state->processes[0].used = UINT64_C(1) << 60;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.process_rc, GM_NVML_ERROR_UNKNOWN);
	assert_int_equal(f.out.process_count, 2); /* the last that was whole */
	assert_int_equal(f.out.processes[1].pid, 1001);
	fill(&f, 1);
	assert_int_equal(fake_round(&f, 100), 0); /* asked again at once */
	check(&f, 1);
	fake_close(&f);
}

static void test_more_than_fit_are_counted_as_truncated(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fill(&f, 200);
	assert_int_equal(fake_round(&f, 0), 0);
	check(&f, GM_READING_PROCESSES_MAX);
	assert_true(f.out.processes_truncated);
	fake_close(&f);
}

static void test_unknown_memory_is_not_a_number(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fill(&f, 1);
	f.state->processes[0].used = GM_NVML_VALUE_UNKNOWN;
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(f.out.processes[0].used_bytes, -1);
	fake_close(&f);
}

static void test_names_are_asked_once(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fill(&f, 3);
	for (int i = 0; i < 5; i++)
		assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_process_name], 3);
	fill(&f, 4);
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_process_name], 4);
	check(&f, 4);
	fake_close(&f);
}

/* In a pod that sees one slice the board's list is refused; each slice is asked, and says which it is by being asked. */
static void test_slices_are_asked_where_the_board_may_not_be(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	f.state->instances[2].alive = false;
	fill(&f, 1);
	assert_int_equal(fake_round(&f, 0), 0);
	check(&f, 1); /* of the board: the driver gave no instance */
	f.state->rc[GM_NVML_SYMBOL_process_details] = GM_NVML_ERROR_NO_PERMISSION;
	f.state->rc[GM_NVML_SYMBOL_compute_v3] = GM_NVML_ERROR_NO_PERMISSION;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.process_count, 0);
	assert_int_equal(f.out.process_rc, GM_NVML_ERROR_NO_PERMISSION);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_record_sizes_behind_v3_are_read),
		cmocka_unit_test(test_the_detail_list_is_preferred),
		cmocka_unit_test(test_drivers_without_v3_are_read_by_v2),
		cmocka_unit_test(test_a_list_that_makes_no_sense_is_not_believed),
		cmocka_unit_test(test_more_than_fit_are_counted_as_truncated),
		cmocka_unit_test(test_unknown_memory_is_not_a_number),
		cmocka_unit_test(test_names_are_asked_once),
		cmocka_unit_test(test_slices_are_asked_where_the_board_may_not_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
