/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static const struct family {
	const char *name;
	enum gm_nvml_architecture arch;
	int pcie_gen;
	int link_gbs;	  /* of one NVLink, both ways */
	int link_mbs;	  /* as field 164 says it, one way */
	int link_version; /* NVML's number of the NVLink version */
	const char *vbios;
} families[] = {
	{ "pascal", GM_NVML_ARCH_PASCAL, 3, 40, 20000, 1, "86.04" },
	{ "volta", GM_NVML_ARCH_VOLTA, 3, 50, 25781, 2, "88.00" },
	{ "turing", GM_NVML_ARCH_TURING, 3, 50, 25781, 3, "90.04" },
	{ "ampere", GM_NVML_ARCH_AMPERE, 4, 50, 25000, 4, "92.00" },
	{ "ada-lovelace", GM_NVML_ARCH_ADA, 4, 50, 26562, 6, "95.02" },
	{ "hopper", GM_NVML_ARCH_HOPPER, 5, 50, 26562, 6, "96.00" },
	{ "blackwell", GM_NVML_ARCH_BLACKWELL, 5, 100, 53125, 7, "97.00" },
	{ "rubin", GM_NVML_ARCH_RUBIN, 6, 200, 106250, 8, "98.00" },
};

static const struct family *family_of(const struct gm_variant *v)
{
	for (size_t i = 0; i < GM_LEN(families); i++) {
		if (v->family && strcmp(v->family, families[i].name) == 0)
			return &families[i];
	}
	return &families[3];
}

enum gm_nvml_architecture front_architecture(const struct gm_variant *v)
{
	return family_of(v)->arch;
}

bool front_is_hbm(const struct front_call *c)
{
	return c->variant->memory_type && strncmp(c->variant->memory_type, "HBM", 3) == 0;
}

/* SXM boards and superchips of Hopper and later hang on NVSwitches. */
bool front_has_nvswitch(const struct front_call *c)
{
	return c->arch >= GM_NVML_ARCH_HOPPER && front_nvlink_count(c, 0) > 0;
}

/* Two sockets share the boards out. */
unsigned front_numa_node(const struct front_call *c)
{
	return (unsigned)c->board * 2 / (c->shared->board_count > 1 ? c->shared->board_count : 2);
}

void front_vbios(const struct front_call *c, char *out, size_t size)
{
	(void)snprintf(out, size, "%s.%02X.00.%02X", family_of(c->variant)->vbios,
		       (unsigned)c->variant->memory_gb & 0xff, (unsigned)c->variant->sm_count & 0xff);
}

struct front_memory front_memory(const struct front_call *c)
{
	if (!c->gi)
		return (struct front_memory){ .total = (uint64_t)c->device->memory_total_bytes,
					      .reserved = (uint64_t)c->device->memory_reserved_bytes,
					      .used = (uint64_t)c->device->memory_used_bytes };
	const struct gm_sim_instance *in = nvs_world_instance(c->world, (unsigned)c->board, c->gi->id, -1);
	struct front_memory m = { .total = (uint64_t)front_profile(c, c->gi)->memory_mib * MIB };
	if (in && in->memory_used_bytes > 0)
		m.used = (uint64_t)in->memory_used_bytes < m.total ? (uint64_t)in->memory_used_bytes : m.total;
	return m;
}

void front_mig_name(const struct front_call *c, const struct nvs_gi *gi, int compute_slices, char *out, size_t size)
{
	const struct gm_mig_profile *p = front_profile(c, gi);

	if (compute_slices < p->compute_slices)
		(void)snprintf(out, size, "%dc.%s", compute_slices, p->name);
	else
		(void)snprintf(out, size, "%s", p->name);
}

int front_value_rc(int64_t value)
{
	return value == FRONT_NONE  ? GM_NVML_ERROR_NOT_SUPPORTED
	       : value == FRONT_BAD ? GM_NVML_ERROR_INVALID_ARGUMENT
				    : 0;
}

int front_put_u32(int64_t value, uint32_t *out)
{
	int rc = front_value_rc(value);
	if (!rc)
		*out = (uint32_t)value;
	return rc;
}

int front_put_u64(int64_t value, uint64_t *out)
{
	int rc = front_value_rc(value);
	if (!rc)
		*out = (uint64_t)value;
	return rc;
}

#define VALUE(name) int64_t front_##name(const struct front_call *c, uint32_t arg)
#define UNUSED_ARG (void)c, (void)arg

static int64_t known(int64_t value)
{
	return value < 0 ? FRONT_NONE : value;
}

static int64_t whole(const struct front_call *c, int64_t value)
{
	return c->state->mig_current ? FRONT_NONE : known(value);
}

VALUE(zero)
{
	UNUSED_ARG;
	return 0;
}

VALUE(power)
{
	UNUSED_ARG;
	return known(c->device->power_mw);
}

VALUE(power_limit)
{
	UNUSED_ARG;
	return known(c->device->power_limit_mw);
}

VALUE(power_default)
{
	UNUSED_ARG;
	return c->variant->tdp_watts > 0 ? c->variant->tdp_watts * INT64_C(1000) : front_power_limit(c, 0);
}

VALUE(power_min)
{
	UNUSED_ARG;
	return front_power_default(c, 0) * 2 / 7 / 1000 * 1000;
}

VALUE(power_max)
{
	UNUSED_ARG;
	return front_power_default(c, 0);
}

VALUE(energy)
{
	UNUSED_ARG;
	return known(c->device->energy_mj);
}

VALUE(temperature)
{
	return arg == GM_NVML_TEMPERATURE_GPU ? c->device->temperature_deci / 10 : FRONT_BAD;
}

VALUE(memory_temperature)
{
	UNUSED_ARG;
	return c->device->memory_temperature_deci < 0 ? FRONT_NONE : c->device->memory_temperature_deci / 10;
}

/* Where the catalogue does not know: a usual board's. */
static int slowdown_c(const struct front_call *c)
{
	return c->variant->slowdown_c > 0 ? c->variant->slowdown_c : c->device->consumer ? 91 : 89;
}

static int shutdown_c(const struct front_call *c)
{
	return c->variant->shutdown_c > 0 ? c->variant->shutdown_c : slowdown_c(c) + 5;
}

static int operating_c(const struct front_call *c)
{
	return c->variant->max_operating_c > 0 ? c->variant->max_operating_c : slowdown_c(c) - 2;
}

/* NVML: from Ada on the two maxima are told as T.Limit offsets only. */
VALUE(threshold)
{
	bool old = c->arch < GM_NVML_ARCH_ADA;

	switch (arg) {
	case GM_NVML_THRESHOLD_SHUTDOWN:
		return shutdown_c(c);
	case GM_NVML_THRESHOLD_SLOWDOWN:
		return slowdown_c(c);
	case GM_NVML_THRESHOLD_MEM_MAX:
		return old && front_is_hbm(c) ? 95 : FRONT_NONE;
	case GM_NVML_THRESHOLD_GPU_MAX:
		return old ? operating_c(c) : FRONT_NONE;
	default:
		return arg <= 7 ? FRONT_NONE : FRONT_BAD; /* acoustic ones and those of later drivers */
	}
}

/* Offsets to the maximum operating temperature, where T.Limit is 0; `arg` is the field. */
VALUE(tlimit)
{
	if (c->arch < GM_NVML_ARCH_ADA)
		return FRONT_NONE;
	switch (arg) {
	case GM_NVML_FI_TLIMIT_SHUTDOWN_C:
		return operating_c(c) - shutdown_c(c);
	case GM_NVML_FI_TLIMIT_SLOWDOWN_C:
		return operating_c(c) - slowdown_c(c);
	case GM_NVML_FI_TLIMIT_MEMORY_C:
		return front_is_hbm(c) ? 0 : FRONT_NONE;
	case GM_NVML_FI_TLIMIT_GPU_C:
		return 0;
	default:
		return FRONT_BAD;
	}
}

VALUE(tlimit_margin)
{
	UNUSED_ARG;
	return c->arch < GM_NVML_ARCH_ADA ? FRONT_NONE : operating_c(c) - c->device->temperature_deci / 10;
}

VALUE(clock)
{
	switch (arg) {
	case GM_NVML_CLOCK_GRAPHICS:
	case GM_NVML_CLOCK_SM:
		return known(c->device->sm_clock_mhz);
	case GM_NVML_CLOCK_MEM:
		return known(c->device->memory_clock_mhz);
	case GM_NVML_CLOCK_VIDEO: /* follows the SM clock */
		return c->device->sm_clock_mhz < 0 ? FRONT_NONE : c->device->sm_clock_mhz * INT64_C(78) / 100;
	default:
		return FRONT_BAD;
	}
}

VALUE(max_clock)
{
	switch (arg) {
	case GM_NVML_CLOCK_GRAPHICS:
	case GM_NVML_CLOCK_SM:
		return known(c->device->sm_clock_max_mhz);
	case GM_NVML_CLOCK_MEM:
		return known(c->device->memory_clock_max_mhz);
	case GM_NVML_CLOCK_VIDEO:
		return c->device->sm_clock_max_mhz * INT64_C(78) / 100;
	default:
		return FRONT_BAD;
	}
}

/* Boards with HBM stay in P0; the others fall asleep. */
VALUE(pstate)
{
	UNUSED_ARG;
	bool idle = c->device->throttle_reasons & GM_NVML_THROTTLE_IDLE;
	return !idle || front_is_hbm(c) ? 0 : 8;
}

VALUE(throttle)
{
	UNUSED_ARG;
	return (int64_t)c->device->throttle_reasons;
}

/* `arg`: one of NVML's bits. */
VALUE(throttle_ns)
{
	for (size_t i = 0; i < GM_SIM_REASONS; i++) {
		if (arg == UINT32_C(1) << i)
			return c->device->throttle_ns[i];
	}
	return FRONT_BAD;
}

VALUE(fan_count)
{
	UNUSED_ARG;
	return c->device->fan_centi < 0 ? 0 : c->device->consumer ? 2 : 1;
}

VALUE(fan)
{
	if (c->device->fan_centi < 0)
		return FRONT_NONE;
	return (int64_t)arg < front_fan_count(c, 0) ? c->device->fan_centi / 100 : FRONT_BAD;
}

VALUE(utilization)
{
	UNUSED_ARG;
	return whole(c, c->device->utilization_centi / 100);
}

VALUE(memory_utilization)
{
	UNUSED_ARG;
	return whole(c, c->device->memory_copy_centi / 100);
}

VALUE(encoder)
{
	UNUSED_ARG;
	return whole(c, c->device->encoder_centi / 100);
}

VALUE(decoder)
{
	UNUSED_ARG;
	return whole(c, c->device->decoder_centi / 100);
}

VALUE(ecc_mode)
{
	UNUSED_ARG;
	return c->device->ecc_sbe < 0 ? FRONT_NONE : GM_NVML_ENABLED;
}

/* `arg`: corrected or uncorrected. A slice tells of its own errors: none are charged to one. */
VALUE(ecc_volatile)
{
	if (arg > GM_NVML_ECC_UNCORRECTED)
		return FRONT_BAD;
	if (c->device->ecc_sbe < 0)
		return FRONT_NONE;
	return c->ci ? 0 : arg == GM_NVML_ECC_CORRECTED ? c->device->ecc_sbe : c->device->ecc_dbe;
}

/* Of the board's life. Each uncorrected error that is remembered took a row. */
VALUE(ecc_aggregate)
{
	int64_t now = front_ecc_volatile(c, arg);

	if (now < 0 || arg == GM_NVML_ECC_CORRECTED)
		return now;
	return c->device->remapped_uncorrectable > now ? c->device->remapped_uncorrectable : now;
}

/* `arg`: field 142 to 145. */
VALUE(remapped)
{
	if (c->arch < GM_NVML_ARCH_AMPERE || c->device->ecc_sbe < 0)
		return FRONT_NONE;
	switch (arg) {
	case GM_NVML_FI_REMAPPED_CORRECTABLE:
		return known(c->device->remapped_correctable);
	case GM_NVML_FI_REMAPPED_UNCORRECTABLE:
		return known(c->device->remapped_uncorrectable);
	case GM_NVML_FI_REMAPPED_PENDING:
		return c->device->row_remap_pending;
	case GM_NVML_FI_REMAPPED_FAILURE:
		return c->device->row_remap_failure;
	default:
		return FRONT_BAD;
	}
}

/* Before Ampere pages are retired in place of remapped rows: the same events, told in the older way. */
VALUE(retired)
{
	if (c->arch >= GM_NVML_ARCH_AMPERE || c->device->ecc_sbe < 0)
		return FRONT_NONE;
	switch (arg) {
	case GM_NVML_RETIRED_MULTIPLE_SBE:
		return known(c->device->remapped_correctable);
	case GM_NVML_RETIRED_DBE:
		return known(c->device->remapped_uncorrectable);
	default:
		return FRONT_BAD;
	}
}

VALUE(retired_pending)
{
	UNUSED_ARG;
	if (c->arch >= GM_NVML_ARCH_AMPERE || c->device->ecc_sbe < 0)
		return FRONT_NONE;
	return c->device->row_remap_pending;
}

VALUE(pcie_max_gen)
{
	UNUSED_ARG;
	return family_of(c->variant)->pcie_gen;
}

/* Links of boards that sleep slow down. */
VALUE(pcie_gen)
{
	UNUSED_ARG;
	return front_pstate(c, 0) == 8 ? 1 : front_pcie_max_gen(c, 0);
}

VALUE(pcie_width)
{
	UNUSED_ARG;
	return 16;
}

VALUE(pcie_replay)
{
	UNUSED_ARG;
	return known(c->device->pcie_replay);
}

/* `arg`: TX or RX. */
VALUE(pcie_bytes)
{
	return known(arg == GM_NVML_PCIE_TX ? c->device->pcie_tx_bytes : c->device->pcie_rx_bytes);
}

/* Only boards of a baseboard are taken to be linked: bridges between PCIe boards are not in the catalogue. */
VALUE(nvlink_count)
{
	UNUSED_ARG;
	const char *form = c->variant->form_factor ? c->variant->form_factor : "";
	bool based = strncmp(form, "SXM", 3) == 0 || strstr(form, "superchip");
	return based && c->variant->nvlink_gbs > 0 ? c->variant->nvlink_gbs / family_of(c->variant)->link_gbs : 0;
}

/* `arg`: a link, or ~0 for all of them together; both directions carry the same here. */
VALUE(nvlink_kib)
{
	int64_t links = front_nvlink_count(c, 0);

	if (links == 0 || c->state->mig_current || c->device->nvlink_bytes < 0)
		return FRONT_NONE;
	if (arg != UINT32_MAX && arg >= links)
		return FRONT_BAD;
	return c->device->nvlink_bytes / 2 / 1024 / (arg == UINT32_MAX ? 1 : links);
}

VALUE(nvlink_state)
{
	int64_t links = front_nvlink_count(c, 0);
	return links == 0 ? FRONT_NONE : arg >= links ? FRONT_BAD : !c->state->mig_current;
}

VALUE(nvlink_speed)
{
	int64_t state = front_nvlink_state(c, arg);
	return state == 1 ? family_of(c->variant)->link_mbs : state;
}

VALUE(nvlink_version)
{
	int64_t state = front_nvlink_state(c, arg);
	return front_value_rc(state) ? state : family_of(c->variant)->link_version;
}

VALUE(mig_resetless)
{
	UNUSED_ARG;
	return c->variant->mig ? nvs_board_resetless(c->world, (unsigned)c->board) : FRONT_NONE;
}

/* Ampere tells of profiles only while MIG is on. */
VALUE(mig_independent)
{
	UNUSED_ARG;
	return c->variant->mig ? c->arch >= GM_NVML_ARCH_HOPPER : FRONT_NONE;
}

VALUE(recovery)
{
	UNUSED_ARG;
	if (c->arch < GM_NVML_ARCH_AMPERE || c->device->consumer)
		return FRONT_NONE;
	bool reset = c->state->reset_required || c->device->row_remap_pending || c->device->row_remap_failure;
	return reset ? GM_NVML_RECOVERY_RESET : GM_NVML_RECOVERY_NONE;
}

VALUE(sm_count)
{
	UNUSED_ARG;
	return c->variant->sm_count > 0 ? c->variant->sm_count : FRONT_NONE;
}
