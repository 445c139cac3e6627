/* SPDX-License-Identifier: MIT */
#ifndef TESTS_ADAPTER_NVML_FAKE_H
#define TESTS_ADAPTER_NVML_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapter/nvml/reading.h"
#include "fake-nvml.h"

#define MIB (INT64_C(1) << 20)
#define UUID_A "GPU-11111111-aaaa-bbbb-cccc-000000000001"
#define UUID_B "GPU-11111111-aaaa-bbbb-cccc-000000000002"
#define MIG_A "MIG-22222222-aaaa-bbbb-cccc-000000000001"
#define MIG_B "MIG-22222222-aaaa-bbbb-cccc-000000000002"
#define MIG_C "MIG-22222222-aaaa-bbbb-cccc-000000000003"

/* The opened fake, the reader of its first board, and the reading; a round is a second unless a test says otherwise. */
struct fake {
	struct gm_nvml lib;
	struct fake_nvml *state;
	struct gm_nvml_reader *reader;
	int64_t mono_ms;
	struct gm_reading out;
};
/* What nvmlDeviceGetFieldValues tells of a field. */
void fake_field(struct fake *f, unsigned id, int64_t value, uint32_t type);

/* An H100 with sensible answers; `path` is one of the libraries. */
void fake_open(struct fake *f, const char *path);
void fake_close(struct fake *f);
/* A round after so many ms; NVML's code. */
int fake_round(struct fake *f, int64_t after_ms);
/* The board in MIG mode with two 3g instances, GPU instance 1 and 2. */
void fake_mig(struct fake *f);

#define assert_value(sample, name, expected)                                                                           \
	do {                                                                                                           \
		assert_int_equal((sample).validity[GM_FIELD_##name], GM_MEASURED);                                     \
		assert_true(gm_sample_has(&(sample), GM_FIELD_##name));                                                \
		assert_int_equal((sample).value[GM_FIELD_##name], expected);                                           \
	} while (0)
#define assert_missed(sample, name, why)                                                                               \
	do {                                                                                                           \
		assert_false(gm_sample_has(&(sample), GM_FIELD_##name));                                               \
		assert_int_equal((sample).validity[GM_FIELD_##name], why);                                             \
	} while (0)

#endif
