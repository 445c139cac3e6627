/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void fake_field(struct fake *f, unsigned id, int64_t value, uint32_t type)
{
	f->state->fields[id].has = true;
	f->state->fields[id].value = value;
	f->state->fields[id].type = type;
}

void fake_open(struct fake *f, const char *path)
{
	struct gm_err err = { 0 };
	*f = (struct fake){ .mono_ms = 1000000 };
	if (gm_nvml_open(path, &f->lib, &err) != 0)
		fail_msg("%s", err.text);
	f->state = dlsym(f->lib.handle, "fake_nvml");
	assert_non_null(f->state);
	*f->state = (struct fake_nvml){
		.boards = 1,
		.uuid = { UUID_A, UUID_B },
		.memory = { .version = 0x02000028,
			    .total = 81920 * MIB,
			    .reserved = 600 * MIB,
			    .free = 41320 * MIB,
			    .used = 40000 * MIB },
		.gpu_percent = 87,
		.memory_percent = 33,
		.celsius = 61,
		.milliwatts = 412345,
		.fan_percent = 44,
		.pcie_kib_s = 5000,
		.process_stride = 24,
		.board_graphics = 50,
	};
	fake_field(f, GM_NVML_FI_MEMORY_TEMPERATURE_C, 70, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_POWER_INSTANT_MW, 500001, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_ENERGY_MJ, 987654321, GM_NVML_VALUE_ULONG_LONG);
	fake_field(f, GM_NVML_FI_PCIE_TX_BYTES, 1000, GM_NVML_VALUE_ULONG_LONG);
	fake_field(f, GM_NVML_FI_PCIE_RX_BYTES, 2000, GM_NVML_VALUE_ULONG_LONG);
	fake_field(f, GM_NVML_FI_NVLINK_DATA_TX_KIB, 100, GM_NVML_VALUE_ULONG_LONG);
	fake_field(f, GM_NVML_FI_NVLINK_DATA_RX_KIB, 200, GM_NVML_VALUE_ULONG_LONG);
	f->state->fields[GM_NVML_FI_NVLINK_DATA_TX_KIB].all_links = true;
	f->state->fields[GM_NVML_FI_NVLINK_DATA_RX_KIB].all_links = true;
	fake_field(f, GM_NVML_FI_NVLINK_COUNT, 18, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_PCIE_REPLAY, 7, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_ECC_SBE_VOLATILE, 1, GM_NVML_VALUE_ULONG_LONG);
	fake_field(f, GM_NVML_FI_ECC_DBE_VOLATILE, 2, GM_NVML_VALUE_ULONG_LONG);
	fake_field(f, GM_NVML_FI_REMAPPED_CORRECTABLE, 3, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_REMAPPED_UNCORRECTABLE, 4, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_REMAPPED_PENDING, 1, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_REMAPPED_FAILURE, 0, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_VIOLATION_POWER_NS, 1234567890, GM_NVML_VALUE_ULONG_LONG);
	fake_field(f, GM_NVML_FI_VIOLATION_THERMAL_NS, 99, GM_NVML_VALUE_ULONG_LONG);
	fake_field(f, GM_NVML_FI_RECOVERY_ACTION, 1, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_MIG_RESETLESS, 1, GM_NVML_VALUE_UINT);
	fake_field(f, GM_NVML_FI_TLIMIT_SHUTDOWN_C, -7, GM_NVML_VALUE_INT);
	fake_field(f, GM_NVML_FI_TLIMIT_SLOWDOWN_C, -2, GM_NVML_VALUE_INT);
	f->reader = gm_nvml_reader_new(&f->lib, NULL, NULL, 0);
	memset(&f->out, 0xaa, sizeof(f->out)); /* a reading is whole whatever was there before */
}

void fake_close(struct fake *f)
{
	gm_nvml_reader_free(f->reader);
	assert_int_equal(f->state->gpm_samples, 0);
	gm_nvml_close(&f->lib);
}

int fake_round(struct fake *f, int64_t after_ms)
{
	f->mono_ms += after_ms;
	int rc = gm_nvml_read(f->reader, 1700000000000 + f->mono_ms, f->mono_ms, &f->out);
	assert_int_equal(f->out.rc, rc);
	assert_int_equal(f->out.sample.at_ms, 1700000000000 + f->mono_ms);
	/* What every reading is held to, whatever went wrong. */
	for (int i = 0; i < GM_FIELD_COUNT; i++) {
		bool has = f->out.sample.validity[i] >= GM_MEASURED && f->out.sample.validity[i] <= GM_ESTIMATED;
		assert_int_equal(gm_sample_has(&f->out.sample, (enum gm_field)i), has);
	}
	assert_true(f->out.instance_count <= GM_READING_INSTANCES_MAX);
	assert_true(f->out.process_count <= GM_READING_PROCESSES_MAX);
	assert_true(f->out.profile_count <= GM_READING_PROFILES_MAX);
	return rc;
}

void fake_mig(struct fake *f)
{
	f->state->has_gpm = true;
	f->state->mig_current = f->state->mig_pending = 1;
	f->state->board_graphics = -1;
	f->state->instances[0] = (struct fake_instance){ true, 1, 0, MIG_A, "NVIDIA H100 80GB HBM3 MIG 3g.40gb", 40 };
	f->state->instances[2] = (struct fake_instance){ true, 2, 0, MIG_B, "NVIDIA H100 80GB HBM3 MIG 3g.40gb", 80 };
}
