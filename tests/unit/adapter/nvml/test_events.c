/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <string.h>

static void test_an_event_is_told_with_its_board(void **state)
{
	(void)state;
	struct fake f;
	char uuid[48];
	struct gm_reading_event event;
	fake_open(&f, FAKE_NVML);
	f.state->boards = 2;
	struct gm_nvml_events *e = gm_nvml_events_new(&f.lib, NULL);
	assert_int_equal(gm_nvml_events_wait(e, 0, &event, uuid), GM_NVML_ERROR_NO_DATA);
	assert_int_equal(gm_nvml_events_add(e, UUID_A), 0);
	assert_int_equal(gm_nvml_events_add(e, UUID_B), 0);
	assert_int_equal(f.state->registered, 3);
	assert_int_equal(gm_nvml_events_wait(e, 0, &event, uuid), GM_NVML_ERROR_TIMEOUT);
	f.state->has_event = true;
	f.state->event = (struct gm_nvml_event_v2){ .type = GM_NVML_EVENT_XID, .data = 79, .gi = 3, .ci = 0 };
	assert_int_equal(gm_nvml_events_wait(e, 0, &event, uuid), 0);
	assert_string_equal(uuid, UUID_B);
	assert_int_equal(event.type, GM_NVML_EVENT_XID);
	assert_int_equal(event.data, 79);
	assert_int_equal(event.gi, 3);
	assert_int_equal(event.ci, 0);
	gm_nvml_events_free(e);
	assert_int_equal(f.state->sets, 0);
	fake_close(&f);
}

/* The old call fills neither instance: they are nobody's, not number nothing. */
static void test_the_old_wait_leaves_instances_unknown(void **state)
{
	(void)state;
	struct fake f, old;
	char uuid[48];
	struct gm_reading_event event;
	fake_open(&f, FAKE_NVML);
	fake_open(&old, FAKE_NVML_OLD);
	f.lib.events_wait = old.lib.events_wait;
	struct gm_nvml_events *e = gm_nvml_events_new(&f.lib, NULL);
	assert_int_equal(gm_nvml_events_add(e, UUID_A), 0);
	old.state->has_event = true;
	old.state->event = (struct gm_nvml_event_v2){ .type = GM_NVML_EVENT_XID, .data = 31 };
	assert_int_equal(gm_nvml_events_wait(e, 0, &event, uuid), 0);
	assert_int_equal(event.data, 31);
	assert_int_equal(event.gi, -1);
	assert_int_equal(event.ci, -1);
	gm_nvml_events_free(e);
	fake_close(&old);
	fake_close(&f);
}

static void test_a_lost_board_is_left_out_and_comes_back(void **state)
{
	(void)state;
	struct fake f;
	char uuid[48];
	struct gm_reading_event event;
	fake_open(&f, FAKE_NVML);
	f.state->boards = 2;
	struct gm_nvml_events *e = gm_nvml_events_new(&f.lib, NULL);
	assert_int_equal(gm_nvml_events_add(e, UUID_A), 0);
	assert_int_equal(gm_nvml_events_add(e, UUID_B), 0);
	f.state->lost[0] = true;
	assert_int_equal(gm_nvml_events_wait(e, 0, &event, uuid), GM_NVML_ERROR_GPU_IS_LOST);
	assert_string_equal(uuid, UUID_A);
	assert_int_equal(f.state->registered, 2);
	assert_int_equal(f.state->sets, 1);
	/* No second time: the others go on. */
	assert_int_equal(gm_nvml_events_wait(e, 0, &event, uuid), GM_NVML_ERROR_TIMEOUT);
	assert_int_equal(gm_nvml_events_add(e, UUID_A), GM_NVML_ERROR_GPU_IS_LOST);
	f.state->lost[0] = false;
	assert_int_equal(gm_nvml_events_add(e, UUID_A), 0);
	assert_int_equal(f.state->registered, 3);
	/* One that was away and is registered still may have another handle: the set is made anew. */
	assert_int_equal(gm_nvml_events_add(e, UUID_A), 0);
	assert_int_equal(f.state->registered, 3);
	assert_int_equal(f.state->sets, 1);
	gm_nvml_events_free(e);
	assert_int_equal(f.state->sets, 0);
	fake_close(&f);
}

static void test_a_board_without_events_is_told(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	struct gm_nvml_events *e = gm_nvml_events_new(&f.lib, NULL);
	f.state->rc[GM_NVML_SYMBOL_events_supported] = GM_NVML_ERROR_NOT_SUPPORTED;
	assert_int_equal(gm_nvml_events_add(e, UUID_A), GM_NVML_ERROR_NOT_SUPPORTED);
	assert_int_equal(gm_nvml_events_add(e, "GPU-nobody"), GM_NVML_ERROR_NOT_FOUND);
	gm_nvml_events_free(e);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_is_told_with_its_board),
		cmocka_unit_test(test_the_old_wait_leaves_instances_unknown),
		cmocka_unit_test(test_a_lost_board_is_left_out_and_comes_back),
		cmocka_unit_test(test_a_board_without_events_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
