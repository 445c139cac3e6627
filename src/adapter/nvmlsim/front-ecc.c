/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

/* Errors of the memory, and what the board did about them. */

NVML(nvmlDeviceGetEccMode, struct gm_nvml_device *device, unsigned *out_current, unsigned *out_pending)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out_current);
	FRONT_OUT(c, out_pending);
	int rc = front_put_u32(front_ecc_mode(&c, 0), out_current);
	return rc ? rc : front_put_u32(front_ecc_mode(&c, 0), out_pending);
}

NVML(nvmlDeviceGetDefaultEccMode, struct gm_nvml_device *device, unsigned *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	return front_put_u32(front_ecc_mode(&c, 0), out);
}

static int64_t total(const struct front_call *c, unsigned type, unsigned counter)
{
	switch (counter) {
	case GM_NVML_ECC_VOLATILE:
		return front_ecc_volatile(c, type);
	case GM_NVML_ECC_AGGREGATE:
		return front_ecc_aggregate(c, type);
	default:
		return FRONT_BAD;
	}
}

NVML(nvmlDeviceGetTotalEccErrors, struct gm_nvml_device *device, unsigned type, unsigned counter, uint64_t *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	FRONT_OUT(c, out);
	return front_put_u64(total(&c, type, counter), out);
}

/* All of a board's simulated errors are in its DRAM. From Ampere on the caches are told of as SRAM. */
NVML(nvmlDeviceGetMemoryErrorCounter, struct gm_nvml_device *device, unsigned type, unsigned counter, unsigned location,
     uint64_t *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	FRONT_OUT(c, out);
	if (location >= GM_NVML_LOCATION_COUNT)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	int64_t value = total(&c, type, counter);
	bool told = location == GM_NVML_LOCATION_DRAM ||
		    (c.arch >= GM_NVML_ARCH_AMPERE) == (location == GM_NVML_LOCATION_SRAM);
	if (value >= 0 && !told)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	return front_put_u64(value >= 0 && location != GM_NVML_LOCATION_DRAM ? 0 : value, out);
}

NVML(nvmlDeviceGetSramEccErrorStatus, struct gm_nvml_device *device, struct gm_nvml_sram_ecc_v1 *out)
{
	FRONT_DEVICE(c, device, FRONT_ROOT);
	FRONT_OUT_VERSION(c, out, gm_nvml_sram_ecc_v1, 1);
	if (c.arch < GM_NVML_ARCH_AMPERE || c.device->ecc_sbe < 0)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*out = (struct gm_nvml_sram_ecc_v1){ .version = out->version };
	return 0;
}

NVML(nvmlDeviceGetRemappedRows, struct gm_nvml_device *device, unsigned *out_correctable, unsigned *out_uncorrectable,
     unsigned *out_pending, unsigned *out_failure)
{
	static const uint32_t fields[] = { GM_NVML_FI_REMAPPED_CORRECTABLE, GM_NVML_FI_REMAPPED_UNCORRECTABLE,
					   GM_NVML_FI_REMAPPED_PENDING, GM_NVML_FI_REMAPPED_FAILURE };
	unsigned *outs[] = { out_correctable, out_uncorrectable, out_pending, out_failure };
	FRONT_DEVICE(c, device, 0);
	int rc = 0;
	for (size_t i = 0; i < GM_LEN(fields); i++)
		FRONT_OUT(c, outs[i]);
	for (size_t i = 0; !rc && i < GM_LEN(fields); i++)
		rc = front_put_u32(front_remapped(&c, fields[i]), outs[i]);
	return rc;
}

/* Banks by what spare rows they have left. */
NVML(nvmlDeviceGetRowRemapperHistogram, struct gm_nvml_device *device, struct gm_nvml_row_histogram *out)
{
	enum { BANKS_AN_SM = 10 };
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	int64_t used = front_remapped(&c, GM_NVML_FI_REMAPPED_UNCORRECTABLE);
	int rc = front_value_rc(used);
	if (rc)
		return rc;
	uint32_t banks = (uint32_t)c.variant->memory_gb * BANKS_AN_SM;
	uint32_t touched = (uint32_t)used < banks ? (uint32_t)used : banks;
	*out = (struct gm_nvml_row_histogram){ .max = banks - touched, .high = touched };
	return 0;
}

/* Addresses are made up, but each page keeps its own. `times` may be NULL. */
static int retired(struct front_call *c, unsigned cause, unsigned *io_count, uint64_t *addresses, uint64_t *times)
{
	enum { PAGE = 0x10000 };
	if (!io_count)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	int64_t pages = front_retired(c, cause);
	int rc = front_value_rc(pages);
	if (rc)
		return rc;
	unsigned room = *io_count;
	*io_count = (unsigned)pages;
	if (room < (unsigned)pages)
		return GM_NVML_ERROR_INSUFFICIENT_SIZE;
	if (pages && !addresses)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (unsigned i = 0; i < (unsigned)pages; i++) {
		addresses[i] = (uint64_t)(cause + 1) * 0x1000000 + (uint64_t)i * PAGE;
		if (times)
			times[i] = (uint64_t)c->shared->start_ms / 1000;
	}
	front_fills(c, addresses, (size_t)pages * sizeof(*addresses), false);
	return 0;
}

NVML(nvmlDeviceGetRetiredPages, struct gm_nvml_device *device, unsigned cause, unsigned *io_count, uint64_t *addresses)
{
	FRONT_DEVICE(c, device, 0);
	return retired(&c, cause, io_count, addresses, NULL);
}

NVML(nvmlDeviceGetRetiredPages_v2, struct gm_nvml_device *device, unsigned cause, unsigned *io_count,
     uint64_t *addresses, uint64_t *times)
{
	FRONT_DEVICE(c, device, 0);
	return retired(&c, cause, io_count, addresses, times);
}

NVML(nvmlDeviceGetRepairStatus, struct gm_nvml_device *device, struct gm_nvml_repair_v1 *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT_VERSION(c, out, gm_nvml_repair_v1, 1);
	if (c.arch < GM_NVML_ARCH_BLACKWELL || c.device->consumer)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*out = (struct gm_nvml_repair_v1){ .version = out->version, .channel_pending = c.device->row_remap_pending };
	return 0;
}
