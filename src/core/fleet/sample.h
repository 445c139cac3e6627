/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_SAMPLE_H
#define GM_CORE_FLEET_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * What is sampled of a device or a MIG instance. Values are int64 in the unit named here; `decimals` says how many
 * decimal digits of the API's unit the integer carries (8523 with 2 is 85.23).
 *   X(name, api name, unit of the API, decimals, kind)
 * The order is kept for ever: store blocks name fields by their number. New ones go to the end.
 */
#define GM_FIELD_LIST(X)                                                                                               \
	X(UTILIZATION, "utilization", "percent", 2, GAUGE)                                                             \
	X(MEMORY_COPY_UTILIZATION, "memoryCopyUtilization", "percent", 2, GAUGE)                                       \
	X(ENCODER_UTILIZATION, "encoderUtilization", "percent", 2, GAUGE)                                              \
	X(DECODER_UTILIZATION, "decoderUtilization", "percent", 2, GAUGE)                                              \
	X(GR_ENGINE_ACTIVE, "grEngineActive", "percent", 2, GAUGE)                                                     \
	X(SM_ACTIVE, "smActive", "percent", 2, GAUGE)                                                                  \
	X(SM_OCCUPANCY, "smOccupancy", "percent", 2, GAUGE)                                                            \
	X(TENSOR_ACTIVE, "tensorActive", "percent", 2, GAUGE)                                                          \
	X(DRAM_ACTIVE, "dramActive", "percent", 2, GAUGE)                                                              \
	X(MEMORY_USED, "memoryUsed", "bytes", 0, GAUGE)                                                                \
	X(MEMORY_FREE, "memoryFree", "bytes", 0, GAUGE)                                                                \
	X(MEMORY_RESERVED, "memoryReserved", "bytes", 0, GAUGE)                                                        \
	X(TEMPERATURE, "temperature", "celsius", 1, GAUGE)                                                             \
	X(MEMORY_TEMPERATURE, "memoryTemperature", "celsius", 1, GAUGE)                                                \
	X(POWER, "power", "watts", 3, GAUGE)                                                                           \
	X(ENERGY, "energy", "joules", 3, COUNTER)                                                                      \
	X(SM_CLOCK, "smClock", "megahertz", 0, GAUGE)                                                                  \
	X(MEMORY_CLOCK, "memoryClock", "megahertz", 0, GAUGE)                                                          \
	X(PCIE_TX, "pcieTx", "bytes_per_second", 0, GAUGE)                                                             \
	X(PCIE_RX, "pcieRx", "bytes_per_second", 0, GAUGE)                                                             \
	X(NVLINK, "nvlink", "bytes_per_second", 0, GAUGE)                                                              \
	X(NVLINK_TOTAL, "nvlinkTotal", "bytes", 0, COUNTER)                                                            \
	X(PCIE_REPLAY, "pcieReplay", "count", 0, COUNTER)                                                              \
	X(XID, "xid", "code", 0, GAUGE)		  /* the last XID; 0: none; keeps the old number */                    \
	X(ECC_SBE, "eccSbe", "count", 0, COUNTER) /* corrected, since driver load */                                   \
	X(ECC_DBE, "eccDbe", "count", 0, COUNTER) /* uncorrected, since driver load */                                 \
	X(REMAPPED_CORRECTABLE, "remappedRowsCorrectable", "count", 0, COUNTER)                                        \
	X(REMAPPED_UNCORRECTABLE, "remappedRowsUncorrectable", "count", 0, COUNTER)                                    \
	X(ROW_REMAP_PENDING, "rowRemapPending", "flag", 0, GAUGE)                                                      \
	X(ROW_REMAP_FAILURE, "rowRemapFailure", "flag", 0, GAUGE)                                                      \
	X(RETIRED_PAGES, "retiredPages", "count", 0, COUNTER)                                                          \
	X(THROTTLE_REASONS, "throttleReasons", "bits", 0, GAUGE) /* NVML's bits, facts of NVML: 0x4 sw power cap... */ \
	X(POWER_VIOLATION, "powerViolation", "nanoseconds", 0, COUNTER)                                                \
	X(THERMAL_VIOLATION, "thermalViolation", "nanoseconds", 0, COUNTER)                                            \
	X(POWER_LIMIT, "powerLimit", "watts", 3, GAUGE)                                                                \
	X(FAN, "fan", "percent", 2, GAUGE)                                                                             \
	X(VGPU_LICENSE, "vgpuLicense", "flag", 0, GAUGE)

enum gm_field {
#define GM_FIELD_ENUM(name, api, unit, decimals, kind) GM_FIELD_##name,
	GM_FIELD_LIST(GM_FIELD_ENUM)
#undef GM_FIELD_ENUM
		GM_FIELD_COUNT
};
_Static_assert(GM_FIELD_COUNT <= 64, "validity is a 64-bit mask");

#define GM_MIB (INT64_C(1) << 20) /* memory is bytes here, and MiB in product tables and the API */

enum gm_field_kind { GM_FIELD_GAUGE, GM_FIELD_COUNTER };

struct gm_field_info {
	const char *name; /* in JSON, queries, docs */
	const char *unit;
	unsigned decimals;
	enum gm_field_kind kind;
};
extern const struct gm_field_info gm_field_table[GM_FIELD_COUNT];
/* By API name; GM_FIELD_COUNT when there is none. */
enum gm_field gm_field_find(struct gm_str name);

/* How good a value is. Only MEASURED, DERIVED and ESTIMATED have one; the others say why there is none. */
enum gm_validity {
	GM_ABSENT = 0, /* the source never spoke of it */
	GM_MEASURED,
	GM_DERIVED, /* computed from measured values, e.g. a board from its slices */
	GM_ESTIMATED,
	GM_STALE,	/* was measured, the source is silent; the old value is kept for showing, marked */
	GM_UNSUPPORTED, /* this board, mode or source cannot tell */
	GM_ERROR,	/* the source tried and failed, or sent a blank sentinel */
	GM_VALIDITY_COUNT
};
enum gm_source {
	GM_SOURCE_NONE = 0,
	GM_SOURCE_NVML,
	GM_SOURCE_GPM,
	GM_SOURCE_DCGM,
	GM_SOURCE_KUBE,
	GM_SOURCE_ENGINE,
	GM_SOURCE_SIM,
	GM_SOURCE_COUNT
};
/* "measured", "not_reported" (ABSENT), "derived", "estimated", "stale", "unsupported", "error". */
const char *gm_validity_name(enum gm_validity v);
const char *gm_source_name(enum gm_source s);

/* One round of values of one thing. `valid` has a bit for each field whose value may be used now. */
struct gm_sample {
	int64_t at_ms; /* when it was sampled, by the source's page; 0: never */
	uint64_t valid;
	int64_t value[GM_FIELD_COUNT];
	uint8_t validity[GM_FIELD_COUNT]; /* enum gm_validity */
	uint8_t source[GM_FIELD_COUNT];	  /* enum gm_source */
};

static inline bool gm_sample_has(const struct gm_sample *s, enum gm_field f)
{
	return (s->valid >> f & 1) != 0;
}
static inline void gm_sample_set(struct gm_sample *s, enum gm_field f, int64_t value, enum gm_validity validity,
				 enum gm_source source)
{
	s->valid |= UINT64_C(1) << f;
	s->value[f] = value;
	s->validity[f] = (uint8_t)validity;
	s->source[f] = (uint8_t)source;
}
/* No value, and why. */
static inline void gm_sample_miss(struct gm_sample *s, enum gm_field f, enum gm_validity why, enum gm_source source)
{
	s->valid &= ~(UINT64_C(1) << f);
	s->value[f] = 0;
	s->validity[f] = (uint8_t)why;
	s->source[f] = (uint8_t)source;
}

#endif
