/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <string.h>

static void test_each_value_lands_in_its_field(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	assert_int_equal(fake_round(&f, 0), 0);
	f.state->fields[GM_NVML_FI_PCIE_TX_BYTES].value += 3000000;
	f.state->fields[GM_NVML_FI_PCIE_RX_BYTES].value += 1000000;
	f.state->fields[GM_NVML_FI_NVLINK_DATA_TX_KIB].value += 10;
	f.state->fields[GM_NVML_FI_NVLINK_DATA_RX_KIB].value += 20;
	assert_int_equal(fake_round(&f, 2000), 0);
	const struct gm_sample *s = &f.out.sample;
	assert_value(*s, UTILIZATION, 8700);
	assert_value(*s, MEMORY_COPY_UTILIZATION, 3300);
	assert_value(*s, ENCODER_UTILIZATION, 1100);
	assert_value(*s, DECODER_UTILIZATION, 1200);
	assert_value(*s, MEMORY_USED, 40000 * MIB);
	assert_value(*s, MEMORY_FREE, 41320 * MIB);
	assert_value(*s, MEMORY_RESERVED, 600 * MIB);
	assert_value(*s, TEMPERATURE, 610);
	assert_value(*s, MEMORY_TEMPERATURE, 700);
	assert_value(*s, POWER, 500001);
	assert_value(*s, ENERGY, 987654321);
	assert_value(*s, SM_CLOCK, 1755);
	assert_value(*s, MEMORY_CLOCK, 2619);
	assert_value(*s, PCIE_TX, 1500000);
	assert_value(*s, PCIE_RX, 500000);
	assert_value(*s, NVLINK, 30 * 1024 / 2);
	assert_value(*s, NVLINK_TOTAL, 330 * 1024);
	assert_value(*s, PCIE_REPLAY, 7);
	assert_value(*s, ECC_SBE, 1);
	assert_value(*s, ECC_DBE, 2);
	assert_value(*s, REMAPPED_CORRECTABLE, 3);
	assert_value(*s, REMAPPED_UNCORRECTABLE, 4);
	assert_value(*s, ROW_REMAP_PENDING, 1);
	assert_value(*s, ROW_REMAP_FAILURE, 0);
	assert_value(*s, RETIRED_PAGES, 2); /* the field is not there: by the call */
	assert_value(*s, THROTTLE_REASONS, 5);
	assert_value(*s, POWER_VIOLATION, 1234567890);
	assert_value(*s, THERMAL_VIOLATION, 99);
	assert_value(*s, POWER_LIMIT, 650000);
	assert_value(*s, FAN, 4400);
	assert_missed(*s, GR_ENGINE_ACTIVE, GM_UNSUPPORTED); /* no GPM on this one */
	assert_missed(*s, XID, GM_ABSENT);
	assert_int_equal(f.out.pstate, 2);
	assert_int_equal(f.out.pcie_gen, 4);
	assert_int_equal(f.out.pcie_width, 16);
	assert_int_equal(f.out.recovery_action, 1);
	assert_int_equal(f.out.margin_c, 42);
	assert_int_equal(f.out.retired_pending, 0);
	assert_int_equal(f.out.bar1_used_bytes, 400);
	assert_int_equal(f.out.ecc_corrected_ever, 15); /* the fields are not there: by the call */
	assert_int_equal(f.out.ecc_uncorrected_ever, 16);
	assert_int_equal(f.out.nvlinks_up, -1);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_pcie_throughput], 0);
	assert_int_equal(f.out.pcie_rx_source_blocks, 0);
	fake_close(&f);
}

static void test_links_up_and_errors_of_a_life_are_told_where_the_driver_tells_them(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_field(&f, GM_NVML_FI_NVLINK_STATE, 1, GM_NVML_VALUE_UINT);
	fake_field(&f, GM_NVML_FI_ECC_SBE_AGGREGATE, 1000, GM_NVML_VALUE_ULONG_LONG);
	fake_field(&f, GM_NVML_FI_ECC_DBE_AGGREGATE, 0, GM_NVML_VALUE_ULONG_LONG);
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(f.out.nvlinks_up, 18);
	assert_int_equal(f.out.ecc_corrected_ever, 1000);
	assert_int_equal(f.out.ecc_uncorrected_ever, 0);
	f.state->fields[GM_NVML_FI_NVLINK_STATE].value = 0;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.nvlinks_up, 18); /* not looked at each round */
	assert_int_equal(fake_round(&f, 5000), 0);
	assert_int_equal(f.out.nvlinks_up, 0);
	f.state->fields[GM_NVML_FI_NVLINK_STATE].value = 7; /* no state that we know */
	assert_int_equal(fake_round(&f, 5000), 0);
	assert_int_equal(f.out.nvlinks_up, -1);
	fake_close(&f);
}

static void test_facts_are_told_with_both_models_of_thresholds(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	assert_int_equal(fake_round(&f, 0), 0);
	const struct gm_reading_facts *t = &f.out.facts;
	assert_string_equal(t->uuid, UUID_A);
	assert_string_equal(t->name, "NVIDIA H100 80GB HBM3");
	assert_string_equal(t->serial, "1650522003820");
	assert_string_equal(t->pci_bus_id, "0000:1a:00.0");
	assert_string_equal(t->vbios, "96.00.89.00.01");
	assert_string_equal(t->architecture, "Hopper");
	assert_string_equal(t->driver_version, "550.54.15");
	assert_string_equal(t->nvml_version, "12.550.54.15");
	assert_int_equal(t->cuda_version, 12040);
	assert_int_equal(t->cc_major, 9);
	assert_int_equal(t->numa_node, 1);
	assert_int_equal(t->memory_total_bytes, 81920 * MIB);
	assert_int_equal(t->bar1_total_bytes, 1000);
	assert_int_equal(t->temp_shutdown_c, 85);
	assert_int_equal(t->temp_slowdown_c, 86);
	assert_int_equal(t->temp_memory_max_c, 87);
	assert_int_equal(t->temp_gpu_max_c, 88);
	assert_int_equal(t->tlimit_shutdown_c, -7);
	assert_int_equal(t->tlimit_slowdown_c, -2);
	assert_int_equal(t->tlimit_memory_c, INT32_MIN);
	assert_int_equal(t->power_default_mw, 700000);
	assert_int_equal(t->power_min_mw, 200000);
	assert_int_equal(t->power_max_mw, 700000);
	assert_int_equal(t->max_sm_mhz, 1980);
	assert_int_equal(t->max_memory_mhz, 2619);
	assert_int_equal(t->pcie_max_gen, 5);
	assert_int_equal(t->nvlink_count, 18);
	assert_int_equal(t->ecc_enabled, 1);
	assert_int_equal(t->persistence, 1);
	assert_int_equal(t->mig_capable, 1);
	assert_int_equal(t->mig_resetless, 1);
	assert_int_equal(t->gpm, 0);
	assert_int_equal(f.out.mig_current, 0);
	unsigned names = f.state->calls[GM_NVML_SYMBOL_name];
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_name], names); /* not asked each round */
	assert_int_equal(fake_round(&f, 60000), 0);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_name], names + 1);
	fake_close(&f);
}

/* Which field is missed when its calls fail, and what stands in when there is another source. */
static const struct {
	enum gm_nvml_symbol symbol;
	enum gm_field field;
	bool has_other; /* a second source takes over */
	int64_t other;
} sources[] = {
	{ GM_NVML_SYMBOL_utilization, GM_FIELD_UTILIZATION, false, 0 },
	{ GM_NVML_SYMBOL_utilization, GM_FIELD_MEMORY_COPY_UTILIZATION, false, 0 },
	{ GM_NVML_SYMBOL_encoder, GM_FIELD_ENCODER_UTILIZATION, false, 0 },
	{ GM_NVML_SYMBOL_decoder, GM_FIELD_DECODER_UTILIZATION, false, 0 },
	{ GM_NVML_SYMBOL_clock, GM_FIELD_SM_CLOCK, false, 0 },
	{ GM_NVML_SYMBOL_clock, GM_FIELD_MEMORY_CLOCK, false, 0 },
	{ GM_NVML_SYMBOL_throttle, GM_FIELD_THROTTLE_REASONS, false, 0 },
	{ GM_NVML_SYMBOL_power_enforced, GM_FIELD_POWER_LIMIT, false, 0 },
	{ GM_NVML_SYMBOL_retired, GM_FIELD_RETIRED_PAGES, false, 0 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_MEMORY_TEMPERATURE, false, 0 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_POWER_VIOLATION, false, 0 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_POWER, true, 412345 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_ENERGY, true, 123456789 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_PCIE_REPLAY, true, 9 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_ECC_SBE, true, 5 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_ECC_DBE, true, 6 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_REMAPPED_CORRECTABLE, true, 3 },
	{ GM_NVML_SYMBOL_fields, GM_FIELD_ROW_REMAP_PENDING, true, 1 },
};

/* Every code that is not the end of the round, for every source: the right reason, and everything else untouched. */
static void test_each_error_code_is_told_where_it_belongs(void **state)
{
	(void)state;
#define CODE(name, number, text) number,
	static const int codes[] = { GM_NVML_RESULT_LIST(CODE) 77 };
#undef CODE
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		for (size_t c = 1; c < sizeof(codes) / sizeof(codes[0]); c++) {
			int rc = codes[c];
			if (rc == GM_NVML_ERROR_GPU_IS_LOST || gm_nvml_is_driver_gone(rc) ||
			    (rc == GM_NVML_ERROR_INSUFFICIENT_SIZE && sources[i].symbol == GM_NVML_SYMBOL_retired))
				continue;
			struct fake f;
			fake_open(&f, FAKE_NVML);
			f.state->rc[sources[i].symbol] = rc;
			assert_int_equal(fake_round(&f, 0), 0);
			assert_int_equal(fake_round(&f, 1000), 0);
			enum gm_validity expected = gm_nvml_is_unsupported(rc) ? GM_UNSUPPORTED : GM_ERROR;
			if (sources[i].has_other) {
				assert_int_equal(f.out.sample.validity[sources[i].field], GM_MEASURED);
				assert_int_equal(f.out.sample.value[sources[i].field], sources[i].other);
			} else if (f.out.sample.validity[sources[i].field] != expected) {
				fail_msg("%s answers %s: %s is %s", gm_nvml_symbol_name(sources[i].symbol),
					 gm_nvml_result_name(rc), gm_field_table[sources[i].field].name,
					 gm_validity_name((enum gm_validity)f.out.sample.validity[sources[i].field]));
			}
			assert_value(f.out.sample, TEMPERATURE, 610);
			assert_value(f.out.sample, MEMORY_USED, 40000 * MIB);
			fake_close(&f);
		}
}

/* Nothing but the needed symbols, then each alone gone: a reading stays whole, and what it lacks says why. */
static void test_each_missing_symbol_leaves_a_whole_reading(void **state)
{
	(void)state;
	static const size_t members[] = {
#define OFFSET(need, member, type, names) offsetof(struct gm_nvml, member),
		GM_NVML_SYMBOLS(OFFSET)
#undef OFFSET
	};
	static const bool needed[] = {
#define NEEDED(need, member, type, names) sizeof(#need) == sizeof("req") && #need[0] == 'r',
		GM_NVML_SYMBOLS(NEEDED)
#undef NEEDED
	};
	for (unsigned gone = 0; gone <= GM_NVML_SYMBOL_COUNT; gone++) {
		struct fake f;
		fake_open(&f, FAKE_NVML);
		const struct gm_nvml whole = f.lib;
		if (gone % 2)
			fake_mig(&f);
		for (unsigned i = 0; i < GM_NVML_SYMBOL_COUNT; i++)
			if (!needed[i] && (gone == GM_NVML_SYMBOL_COUNT || i == gone))
				memset((char *)&f.lib + members[i], 0, sizeof(void *));
		int rc = fake_round(&f, 0);
		rc = rc ? rc : fake_round(&f, 1000);
		rc = rc ? rc : fake_round(&f, 1000);
		if (rc)
			fail_msg("without %s: %s", gm_nvml_symbol_name(gone), gm_nvml_result_name(rc));
		for (int i = 0; i < GM_FIELD_COUNT; i++) {
			enum gm_validity v = (enum gm_validity)f.out.sample.validity[i];
			if (v == GM_ERROR || (v == GM_ABSENT && i != GM_FIELD_XID && i != GM_FIELD_VGPU_LICENSE))
				fail_msg("without %s: %s is %s", gm_nvml_symbol_name(gone), gm_field_table[i].name,
					 gm_validity_name(v));
		}
		assert_string_equal(f.out.facts.uuid, UUID_A);
		if (gone == GM_NVML_SYMBOL_COUNT) {
			assert_int_equal(f.out.sample.valid, 0);
			assert_int_equal(f.out.mig_current, -1);
			assert_int_equal(f.out.process_rc, GM_NVML_ERROR_FUNCTION_NOT_FOUND);
		}
		f.lib.gpm_free = whole.gpm_free;
		fake_close(&f);
	}
}

/* Success with nonsense: never a value. */
static void test_nonsense_becomes_an_error_and_never_a_value(void **state)
{
	(void)state;
	static const struct {
		enum gm_nvml_symbol symbol;
		enum gm_field field;
	} rows[] = {
		{ GM_NVML_SYMBOL_utilization, GM_FIELD_UTILIZATION },
		{ GM_NVML_SYMBOL_encoder, GM_FIELD_ENCODER_UTILIZATION },
		{ GM_NVML_SYMBOL_memory_v2, GM_FIELD_MEMORY_USED },
		{ GM_NVML_SYMBOL_memory_v2, GM_FIELD_MEMORY_FREE },
		{ GM_NVML_SYMBOL_temperature_v, GM_FIELD_TEMPERATURE },
		{ GM_NVML_SYMBOL_clock, GM_FIELD_SM_CLOCK },
		{ GM_NVML_SYMBOL_throttle, GM_FIELD_THROTTLE_REASONS },
		{ GM_NVML_SYMBOL_power_enforced, GM_FIELD_POWER_LIMIT },
		{ GM_NVML_SYMBOL_fan_v2, GM_FIELD_FAN },
		{ GM_NVML_SYMBOL_fields, GM_FIELD_MEMORY_TEMPERATURE },
		{ GM_NVML_SYMBOL_fields, GM_FIELD_PCIE_TX },
		{ GM_NVML_SYMBOL_fields, GM_FIELD_POWER_VIOLATION },
		{ GM_NVML_SYMBOL_gpm_metrics, GM_FIELD_GR_ENGINE_ACTIVE },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake f;
		fake_open(&f, FAKE_NVML);
		f.state->has_gpm = true;
		f.state->garbage[rows[i].symbol] = true;
		assert_int_equal(fake_round(&f, 0), 0);
		assert_int_equal(fake_round(&f, 1000), 0);
		if (f.out.sample.validity[rows[i].field] != GM_ERROR)
			fail_msg("nonsense of %s: %s is %s", gm_nvml_symbol_name(rows[i].symbol),
				 gm_field_table[rows[i].field].name,
				 gm_validity_name((enum gm_validity)f.out.sample.validity[rows[i].field]));
		fake_close(&f);
	}
}

static void test_nonsense_texts_are_not_shown(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	static const enum gm_nvml_symbol all[] = { GM_NVML_SYMBOL_name,		  GM_NVML_SYMBOL_serial,
						   GM_NVML_SYMBOL_driver_version, GM_NVML_SYMBOL_pci,
						   GM_NVML_SYMBOL_minor,	  GM_NVML_SYMBOL_pcie_max_gen };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		f.state->garbage[all[i]] = true;
	assert_int_equal(fake_round(&f, 0), 0);
	assert_string_equal(f.out.facts.name, "");
	assert_string_equal(f.out.facts.serial, "");
	assert_string_equal(f.out.facts.driver_version, "");
	assert_string_equal(f.out.facts.pci_bus_id, "");
	assert_int_equal(f.out.facts.minor, -1);
	assert_int_equal(f.out.facts.pcie_max_gen, -1);
	fake_close(&f);
}

static void test_a_lost_board_has_no_value_and_comes_back(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(f.out.instance_count, 2);
	f.state->lost[0] = true;
	for (int i = 0; i < 2; i++) {
		unsigned calls = 0, before = 0;
		for (unsigned k = 0; k < GM_NVML_SYMBOL_COUNT; k++)
			before += f.state->calls[k];
		assert_int_equal(fake_round(&f, 1000), GM_NVML_ERROR_GPU_IS_LOST);
		for (unsigned k = 0; k < GM_NVML_SYMBOL_COUNT; k++)
			calls += f.state->calls[k];
		assert_true(calls - before <= 2); /* the first that says so ends the round */
		assert_int_equal(f.out.sample.valid, 0);
		assert_missed(f.out.sample, TEMPERATURE, GM_ERROR);
		assert_string_equal(f.out.facts.uuid, UUID_A); /* who it is stays known */
		assert_int_equal(f.out.instance_count, 2);
		assert_int_equal(f.out.instances[0].sample.valid, 0);
		assert_string_equal(f.out.instances[1].uuid, MIG_B);
	}
	f.state->lost[0] = false;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_value(f.out.sample, TEMPERATURE, 610);
	assert_missed(f.out.sample, PCIE_TX, GM_ABSENT); /* counters may have begun anew */
	assert_int_equal(f.out.instance_count, 2);
	fake_close(&f);
}

static void test_a_board_is_found_again_by_its_uuid_when_the_order_changed(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	assert_int_equal(fake_round(&f, 0), 0);
	for (int with_call = 0; with_call < 2; with_call++) {
		f.state->rc[GM_NVML_SYMBOL_temperature_v] = GM_NVML_ERROR_GPU_IS_LOST;
		assert_int_equal(fake_round(&f, 1000), GM_NVML_ERROR_GPU_IS_LOST);
		f.state->rc[GM_NVML_SYMBOL_temperature_v] = 0;
		f.state->boards = 2;
		memcpy(f.state->uuid[0], UUID_B, sizeof(UUID_B));
		memcpy(f.state->uuid[1], UUID_A, sizeof(UUID_A));
		f.state->lost[0] = true; /* the other board being dead is no news of this one */
		if (!with_call)
			f.lib.by_uuid = NULL;
		assert_int_equal(fake_round(&f, 1000), 0);
		assert_string_equal(f.out.facts.uuid, UUID_A);
		assert_int_equal(f.out.facts.index, 1);
	}
	fake_close(&f);
}

static void test_a_driver_that_is_gone_ends_the_round(void **state)
{
	(void)state;
	static const int codes[] = { 1, 9, 18 };
	for (size_t i = 0; i < 3; i++) {
		struct fake f;
		fake_open(&f, FAKE_NVML);
		assert_int_equal(fake_round(&f, 0), 0);
		f.state->rc[GM_NVML_SYMBOL_utilization] = codes[i];
		assert_int_equal(fake_round(&f, 1000), codes[i]);
		assert_int_equal(f.out.sample.valid, 0);
		assert_int_equal(f.out.process_rc, codes[i]);
		f.state->rc[GM_NVML_SYMBOL_utilization] = 0;
		assert_int_equal(fake_round(&f, 1000), 0);
		fake_close(&f);
	}
}

static void test_a_board_whose_every_call_fails_has_failed(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	assert_int_equal(fake_round(&f, 0), 0);
	for (unsigned i = 0; i < GM_NVML_SYMBOL_COUNT; i++)
		f.state->rc[i] = GM_NVML_ERROR_UNKNOWN;
	assert_int_equal(fake_round(&f, 61000), GM_NVML_ERROR_UNKNOWN);
	assert_int_equal(f.out.sample.valid, 0);
	fake_close(&f);
}

static void test_what_cannot_be_told_is_asked_once_a_minute(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	f.state->rc[GM_NVML_SYMBOL_encoder] = GM_NVML_ERROR_NOT_SUPPORTED;
	for (int i = 0; i < 59; i++)
		assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_encoder], 1);
	f.state->rc[GM_NVML_SYMBOL_encoder] = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(fake_round(&f, 1000), 0);
	assert_value(f.out.sample, ENCODER_UTILIZATION, 1100);
	fake_close(&f);
}

static void test_a_rate_survives_resets_wraps_and_hangs(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	int64_t *tx = &f.state->fields[GM_NVML_FI_PCIE_TX_BYTES].value;
	int64_t *at = &f.state->fields[GM_NVML_FI_PCIE_TX_BYTES].at_us;
	*tx = 5000000;
	*at = 1000000000;
	assert_int_equal(fake_round(&f, 0), 0);
	assert_missed(f.out.sample, PCIE_TX, GM_ABSENT); /* one end only */
	*tx += 1000000;
	*at += 1000000;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_value(f.out.sample, PCIE_TX, 1000000);
	*tx = 10; /* began anew */
	*at += 1000000;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_missed(f.out.sample, PCIE_TX, GM_ABSENT);
	*tx += 2000000;
	*at += 1000000;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_value(f.out.sample, PCIE_TX, 2000000);
	*tx += 2000000; /* a call hung for nine seconds after our stamp: neither clock is to be trusted */
	*at += 10000000;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_missed(f.out.sample, PCIE_TX, GM_ABSENT);
	*tx += INT64_C(1) << 46; /* beyond every link */
	*at += 1000000;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_missed(f.out.sample, PCIE_TX, GM_ERROR);
	fake_close(&f);
}

/* A counter of 32 bits on a link of 64 GB/s goes round ten times a second: the call that blocks is all there is. */
static void test_a_narrow_counter_on_a_fast_link_is_not_believed(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	f.state->fields[GM_NVML_FI_PCIE_TX_BYTES].type = GM_NVML_VALUE_UINT;
	for (int i = 0; i < 3; i++)
		assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.sample.validity[GM_FIELD_PCIE_TX], GM_ESTIMATED);
	assert_int_equal(f.out.sample.value[GM_FIELD_PCIE_TX], 5000000);
	assert_int_equal(f.out.pcie_rx_source_blocks, 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(fake_round(&f, 1000), 0);
	/* two directions, every ten seconds */
	assert_in_range(f.state->calls[GM_NVML_SYMBOL_pcie_throughput], 4, 6);
	fake_close(&f);
}

static void test_old_drivers_are_read_by_old_calls(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML_OLD);
	assert_int_equal(fake_round(&f, 0), 0);
	assert_value(f.out.sample, MEMORY_USED, 40600 * MIB); /* what is reserved counts as used there */
	assert_missed(f.out.sample, MEMORY_RESERVED, GM_UNSUPPORTED);
	assert_value(f.out.sample, TEMPERATURE, 610);
	assert_value(f.out.sample, THROTTLE_REASONS, 5);
	assert_int_equal(f.out.margin_c, INT32_MIN);
	assert_int_equal(f.out.mig_current, -1);
	assert_int_equal(f.out.facts.mig_capable, 0);
	assert_int_equal(f.out.facts.gpm, 0);
	fake_close(&f);
}

static void test_links_are_summed_where_the_driver_does_not(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	f.state->fields[GM_NVML_FI_NVLINK_DATA_TX_KIB].all_links = false;
	f.state->fields[GM_NVML_FI_NVLINK_DATA_RX_KIB].all_links = false;
	assert_int_equal(fake_round(&f, 0), 0);
	assert_value(f.out.sample, NVLINK_TOTAL, INT64_C(18) * 300 * 1024);
	f.state->fields[GM_NVML_FI_NVLINK_DATA_RX_KIB].value += 100;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_value(f.out.sample, NVLINK, INT64_C(18) * 100 * 1024);
	fake_close(&f);
}

static void test_profiling_needs_two_samples_far_enough_apart(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	f.state->has_gpm = true;
	f.state->board_graphics = 40;
	assert_int_equal(fake_round(&f, 0), 0);
	assert_missed(f.out.sample, GR_ENGINE_ACTIVE, GM_ABSENT);
	f.state->board_graphics = 60;
	assert_int_equal(fake_round(&f, 100), 0); /* too near: no sample is taken */
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_gpm_sample], 1);
	assert_int_equal(fake_round(&f, 100), 0);
	assert_value(f.out.sample, GR_ENGINE_ACTIVE, 5000);
	assert_int_equal(f.out.sample.source[GM_FIELD_GR_ENGINE_ACTIVE], GM_SOURCE_GPM);
	f.state->board_graphics = 80;
	assert_int_equal(fake_round(&f, 100), 0); /* the value of the round before stands */
	assert_value(f.out.sample, GR_ENGINE_ACTIVE, 5000);
	assert_int_equal(fake_round(&f, 100), 0);
	assert_value(f.out.sample, GR_ENGINE_ACTIVE, 7000);
	assert_int_equal(fake_round(&f, 600000), 0); /* a mean over ten minutes is no news */
	assert_missed(f.out.sample, GR_ENGINE_ACTIVE, GM_ABSENT);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_value_lands_in_its_field),
		cmocka_unit_test(test_links_up_and_errors_of_a_life_are_told_where_the_driver_tells_them),
		cmocka_unit_test(test_facts_are_told_with_both_models_of_thresholds),
		cmocka_unit_test(test_each_error_code_is_told_where_it_belongs),
		cmocka_unit_test(test_each_missing_symbol_leaves_a_whole_reading),
		cmocka_unit_test(test_nonsense_becomes_an_error_and_never_a_value),
		cmocka_unit_test(test_nonsense_texts_are_not_shown),
		cmocka_unit_test(test_a_lost_board_has_no_value_and_comes_back),
		cmocka_unit_test(test_a_board_is_found_again_by_its_uuid_when_the_order_changed),
		cmocka_unit_test(test_a_driver_that_is_gone_ends_the_round),
		cmocka_unit_test(test_a_board_whose_every_call_fails_has_failed),
		cmocka_unit_test(test_what_cannot_be_told_is_asked_once_a_minute),
		cmocka_unit_test(test_a_rate_survives_resets_wraps_and_hangs),
		cmocka_unit_test(test_a_narrow_counter_on_a_fast_link_is_not_believed),
		cmocka_unit_test(test_old_drivers_are_read_by_old_calls),
		cmocka_unit_test(test_links_are_summed_where_the_driver_does_not),
		cmocka_unit_test(test_profiling_needs_two_samples_far_enough_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
