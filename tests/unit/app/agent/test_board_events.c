/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/agent/board-events.h"

#define AT INT64_C(1764000000000)

static struct gm_reading_event event(uint64_t type, uint64_t data, int64_t after_ms)
{
	return (struct gm_reading_event){ .at_ms = AT + after_ms, .type = type, .data = data, .gi = -1, .ci = -1 };
}

static bool add(struct gm_board_events *events, unsigned child, uint64_t type, uint64_t data, int64_t after_ms)
{
	const struct gm_reading_event e = event(type, data, after_ms);

	return gm_board_events_add(events, child, &e);
}

static uint32_t xids(const struct gm_board_events *events, uint32_t code)
{
	for (unsigned i = 0; i < GM_BOARD_XIDS_MAX && events->xids[i].count; i++)
		if (events->xids[i].code == code)
			return events->xids[i].count;
	return 0;
}

static void test_board_events_are_counted_by_kind_and_code(void **state)
{
	struct gm_board_events events = { 0 };

	(void)state;
	assert_true(add(&events, 0, GM_NVML_EVENT_XID, 48, 0));
	assert_true(add(&events, 0, GM_NVML_EVENT_XID, 63, 1));
	assert_true(add(&events, 0, GM_NVML_EVENT_XID, 48, 2));
	assert_true(add(&events, 0, GM_NVML_EVENT_DBE, 0, 3));
	assert_true(add(&events, 0, UINT64_C(1) << 40, 0, 4));
	assert_int_equal(events.counts[GM_BOARD_EVENT_XID], 3);
	assert_int_equal(events.counts[GM_BOARD_EVENT_ECC_UNCORRECTED], 1);
	assert_int_equal(events.counts[GM_BOARD_EVENT_OTHER], 1);
	assert_int_equal(xids(&events, 48), 2);
	assert_int_equal(xids(&events, 63), 1);
	assert_int_equal(xids(&events, 79), 0);
}

static void test_board_events_keep_the_newest(void **state)
{
	struct gm_board_events events = { 0 };

	(void)state;
	assert_null(gm_board_events_get(&events, 0));
	for (uint64_t i = 0; i < GM_BOARD_EVENTS_KEPT + 5; i++)
		assert_true(add(&events, 0, GM_NVML_EVENT_XID, i, (int64_t)i));
	for (unsigned age = 0; age < GM_BOARD_EVENTS_KEPT; age++)
		assert_int_equal(gm_board_events_get(&events, age)->data, GM_BOARD_EVENTS_KEPT + 4 - age);
	assert_null(gm_board_events_get(&events, GM_BOARD_EVENTS_KEPT));
}

static void test_board_events_more_codes_than_fit_are_counted_as_xids_still(void **state)
{
	struct gm_board_events events = { 0 };

	(void)state;
	for (uint64_t code = 1; code <= GM_BOARD_XIDS_MAX + 3; code++)
		assert_true(add(&events, 0, GM_NVML_EVENT_XID, code, 0));
	assert_true(add(&events, 0, GM_NVML_EVENT_XID, 1, 0));
	assert_int_equal(events.counts[GM_BOARD_EVENT_XID], GM_BOARD_XIDS_MAX + 4);
	assert_int_equal(xids(&events, 1), 2);
	assert_int_equal(xids(&events, GM_BOARD_XIDS_MAX), 1);
	assert_int_equal(xids(&events, GM_BOARD_XIDS_MAX + 1), 0);
}

/* While one child takes over from another both are told of the same event. */
static void test_board_events_told_by_two_children_are_one(void **state)
{
	struct gm_board_events events = { 0 };

	(void)state;
	assert_true(add(&events, 0, GM_NVML_EVENT_XID, 48, 0));
	assert_true(add(&events, 0, GM_NVML_EVENT_XID, 48, 10)); /* the same child says so: it happened twice */
	assert_false(add(&events, 1, GM_NVML_EVENT_XID, 48, 12));
	assert_true(add(&events, 1, GM_NVML_EVENT_XID, 31, 13));
	assert_false(add(&events, 0, GM_NVML_EVENT_XID, 31, 9));
	assert_true(add(&events, 1, GM_NVML_EVENT_XID, 48, 5000));
	assert_int_equal(events.counts[GM_BOARD_EVENT_XID], 4);
}

static void test_board_events_every_kind_has_its_own_bit_and_name(void **state)
{
	(void)state;
	for (unsigned k = 0; k < GM_BOARD_EVENT_OTHER; k++) {
		const uint64_t bit = gm_board_event_bit((enum gm_board_event_kind)k);

		assert_int_equal(__builtin_popcountll(bit), 1);
		assert_true(bit & GM_NVML_EVENTS_WANTED);
		assert_int_equal(gm_board_event_kind(bit), k);
		for (unsigned other = 0; other < k; other++)
			assert_string_not_equal(gm_board_event_name((enum gm_board_event_kind)k),
						gm_board_event_name((enum gm_board_event_kind)other));
	}
	assert_int_equal(gm_board_event_kind(0), GM_BOARD_EVENT_OTHER);
	assert_int_equal(gm_board_event_bit(GM_BOARD_EVENT_OTHER), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_board_events_are_counted_by_kind_and_code),
		cmocka_unit_test(test_board_events_keep_the_newest),
		cmocka_unit_test(test_board_events_more_codes_than_fit_are_counted_as_xids_still),
		cmocka_unit_test(test_board_events_told_by_two_children_are_one),
		cmocka_unit_test(test_board_events_every_kind_has_its_own_bit_and_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
