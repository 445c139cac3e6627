/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/fleet/health.h"

static struct gm_health_memory memory;

static int fresh(void **state)
{
	(void)state;
	gm_health_memory_init(&memory);
	return 0;
}

static struct gm_sample with(enum gm_field f, int64_t value)
{
	struct gm_sample s = { .at_ms = 1 };
	gm_sample_set(&s, f, value, GM_MEASURED, GM_SOURCE_NVML);
	return s;
}

static uint32_t learn(enum gm_field f, int64_t value)
{
	struct gm_sample s = with(f, value);
	(void)gm_health_learn(&memory, &s);
	return gm_health_reasons(&memory, &s, -1);
}

static void test_nothing_told_is_no_reason(void **state)
{
	(void)state;
	struct gm_sample s = { 0 };
	assert_false(gm_health_learn(&memory, &s));
	assert_int_equal(gm_health_reasons(&memory, &s, -1), 0);
	assert_int_equal(gm_health_of(&memory, 0), GM_HEALTH_OK);
}

static void test_hot_at_the_boards_threshold_or_90(void **state)
{
	static const struct {
		int64_t deci, slowdown_c;
		bool hot;
	} rows[] = {
		{ 899, -1, false }, { 900, -1, true }, { 900, 92, false }, { 919, 92, false },
		{ 920, 92, true },  { 870, 87, true }, { 869, 87, false },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct gm_sample s = with(GM_FIELD_TEMPERATURE, rows[i].deci);
		assert_int_equal(gm_health_reasons(&memory, &s, rows[i].slowdown_c), rows[i].hot ? GM_REASON(HOT) : 0);
		/* A value that is only kept for showing is no reason. */
		s.valid = 0;
		assert_int_equal(gm_health_reasons(&memory, &s, rows[i].slowdown_c), 0);
	}
	assert_int_equal(gm_health_of(&memory, GM_REASON(HOT)), GM_HEALTH_DEGRADED);
}

static void test_xid_codes_have_their_class(void **state)
{
	static const struct {
		int64_t code;
		enum gm_xid_class class_;
		enum gm_health health;
	} rows[] = {
		{ 0, GM_XID_NONE, GM_HEALTH_OK },
		{ -1, GM_XID_NONE, GM_HEALTH_OK },
		{ 13, GM_XID_APPLICATION, GM_HEALTH_OK },
		{ 31, GM_XID_APPLICATION, GM_HEALTH_OK },
		{ 43, GM_XID_APPLICATION, GM_HEALTH_OK },
		{ 45, GM_XID_APPLICATION, GM_HEALTH_OK },
		{ 68, GM_XID_APPLICATION, GM_HEALTH_OK },
		{ 109, GM_XID_APPLICATION, GM_HEALTH_OK },
		{ 48, GM_XID_HARDWARE, GM_HEALTH_FAILED },
		{ 63, GM_XID_HARDWARE, GM_HEALTH_DEGRADED },
		{ 64, GM_XID_HARDWARE, GM_HEALTH_FAILED },
		{ 74, GM_XID_HARDWARE, GM_HEALTH_DEGRADED },
		{ 79, GM_XID_HARDWARE, GM_HEALTH_FAILED },
		{ 92, GM_XID_HARDWARE, GM_HEALTH_DEGRADED },
		{ 94, GM_XID_HARDWARE, GM_HEALTH_DEGRADED },
		{ 95, GM_XID_HARDWARE, GM_HEALTH_FAILED },
		{ 119, GM_XID_HARDWARE, GM_HEALTH_FAILED },
		{ 120, GM_XID_HARDWARE, GM_HEALTH_FAILED },
		{ 32, GM_XID_OTHER, GM_HEALTH_OK },
		{ 65536 + 79, GM_XID_OTHER, GM_HEALTH_OK },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		fresh(NULL);
		uint32_t reasons = learn(GM_FIELD_XID, rows[i].code);
		assert_int_equal(gm_xid_class(rows[i].code), rows[i].class_);
		assert_int_equal(reasons, rows[i].health == GM_HEALTH_OK ? 0 : GM_REASON(XID_HARDWARE));
		assert_int_equal(gm_health_of(&memory, reasons), rows[i].health);
	}
}

static void test_xid_is_news_only_when_it_changes(void **state)
{
	static const struct {
		int64_t code;
		bool news;
	} rows[] = { { 31, false /* it may be old */ },
		     { 31, false },
		     { 79, true },
		     { 79, false },
		     { 0, false },
		     { 79, true } };
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct gm_sample s = with(GM_FIELD_XID, rows[i].code);
		assert_int_equal(gm_health_learn(&memory, &s), rows[i].news);
	}
}

static void test_hardware_xid_holds_until_the_gauge_is_zero(void **state)
{
	(void)state;
	assert_int_equal(learn(GM_FIELD_XID, 79), GM_REASON(XID_HARDWARE));
	assert_int_equal(learn(GM_FIELD_XID, 31), GM_REASON(XID_HARDWARE));
	assert_int_equal(gm_health_of(&memory, GM_REASON(XID_HARDWARE)), GM_HEALTH_FAILED);
	assert_int_equal(learn(GM_FIELD_XID, 63), GM_REASON(XID_HARDWARE));
	assert_int_equal(gm_health_of(&memory, GM_REASON(XID_HARDWARE)), GM_HEALTH_FAILED);
	assert_int_equal(learn(GM_FIELD_TEMPERATURE, 400), GM_REASON(XID_HARDWARE));
	assert_int_equal(learn(GM_FIELD_XID, 0), 0);
}

static void test_uncorrected_errors_count_when_they_rise(void **state)
{
	(void)state;
	assert_int_equal(learn(GM_FIELD_ECC_DBE, 4), 0);
	assert_int_equal(learn(GM_FIELD_ECC_DBE, 4), 0);
	assert_int_equal(learn(GM_FIELD_ECC_DBE, 5), GM_REASON(ECC_UNCORRECTED));
	assert_int_equal(learn(GM_FIELD_ECC_DBE, 5), GM_REASON(ECC_UNCORRECTED));
	/* The driver was loaded anew. */
	assert_int_equal(learn(GM_FIELD_ECC_DBE, 0), 0);
	assert_int_equal(gm_health_of(&memory, GM_REASON(ECC_UNCORRECTED)), GM_HEALTH_DEGRADED);
}

static void test_row_remap_pending_degrades_and_failure_fails(void **state)
{
	(void)state;
	assert_int_equal(learn(GM_FIELD_ROW_REMAP_PENDING, 1), GM_REASON(ROW_REMAP_PENDING));
	assert_int_equal(learn(GM_FIELD_ROW_REMAP_PENDING, 0), 0);
	assert_int_equal(learn(GM_FIELD_ROW_REMAP_FAILURE, 1), GM_REASON(ROW_REMAP_FAILURE));
	assert_int_equal(gm_health_of(&memory, GM_REASON(ROW_REMAP_PENDING)), GM_HEALTH_DEGRADED);
	assert_int_equal(gm_health_of(&memory, GM_REASON(ROW_REMAP_FAILURE)), GM_HEALTH_FAILED);
}

static void test_only_hardware_throttling_counts(void **state)
{
	static const struct {
		int64_t bits;
		bool throttled;
	} rows[] = {
		{ 0x0, false },	 { 0x1, false }, { 0x2, false }, { 0x4, false },   { 0x8, true },  { 0x10, false },
		{ 0x20, false }, { 0x40, true }, { 0x80, true }, { 0x100, false }, { 0x44, true },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++)
		assert_int_equal(learn(GM_FIELD_THROTTLE_REASONS, rows[i].bits),
				 rows[i].throttled ? GM_REASON(THROTTLED) : 0);
}

static void test_worst_reason_decides_and_unknown_is_worst(void **state)
{
	static const struct {
		uint32_t reasons;
		enum gm_health health;
	} rows[] = {
		{ GM_REASON(HOT) | GM_REASON(THROTTLED), GM_HEALTH_DEGRADED },
		{ GM_REASON(HOT) | GM_REASON(LOST), GM_HEALTH_FAILED },
		{ GM_REASON(LOST) | GM_REASON(SILENT), GM_HEALTH_UNKNOWN },
		{ GM_REASON(NEVER_SEEN), GM_HEALTH_UNKNOWN },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++)
		assert_int_equal(gm_health_of(&memory, rows[i].reasons), rows[i].health);
}

static void test_names_are_those_of_the_wire(void **state)
{
	(void)state;
	assert_string_equal(gm_health_name(GM_HEALTH_DEGRADED), "degraded");
	assert_string_equal(gm_health_reason_name(GM_HEALTH_REASON_POSITION_XID_HARDWARE), "xid_hardware");
	assert_string_equal(gm_health_reason_name(GM_HEALTH_REASON_COUNT), "");
	assert_string_equal(gm_xid_class_name(GM_XID_APPLICATION), "application");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_told_is_no_reason, fresh),
		cmocka_unit_test_setup(test_hot_at_the_boards_threshold_or_90, fresh),
		cmocka_unit_test_setup(test_xid_codes_have_their_class, fresh),
		cmocka_unit_test_setup(test_xid_is_news_only_when_it_changes, fresh),
		cmocka_unit_test_setup(test_hardware_xid_holds_until_the_gauge_is_zero, fresh),
		cmocka_unit_test_setup(test_uncorrected_errors_count_when_they_rise, fresh),
		cmocka_unit_test_setup(test_row_remap_pending_degrades_and_failure_fails, fresh),
		cmocka_unit_test_setup(test_only_hardware_throttling_counts, fresh),
		cmocka_unit_test_setup(test_worst_reason_decides_and_unknown_is_worst, fresh),
		cmocka_unit_test_setup(test_names_are_those_of_the_wire, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
