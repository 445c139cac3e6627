/* SPDX-License-Identifier: MIT */
#include "adapter/nvml/reader-internal.h"
#include "base/auto.h"

/* A board with more memory than this does not exist: 16 TiB. */
#define MEMORY_MAX (UINT64_C(1) << 44)

static int one_u32(int rc, uint32_t n, int64_t value[4])
{
	value[0] = n;
	return rc;
}

static int call_utilization(struct gm_nvml_reader *r, int64_t value[4])
{
	struct gm_nvml_utilization u = { 0 };
	int rc = GM_READER_CALL(r, utilization, r->device, &u);
	value[0] = u.gpu;
	value[1] = u.memory;
	return rc;
}

static int call_encoder(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0, over_us = 0;
	int rc = GM_READER_CALL(r, encoder, r->device, &n, &over_us);
	return one_u32(rc, n, value);
}

static int call_decoder(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0, over_us = 0;
	int rc = GM_READER_CALL(r, decoder, r->device, &n, &over_us);
	return one_u32(rc, n, value);
}

int gm_reader_memory(struct gm_nvml_reader *r, struct gm_nvml_device *d, int64_t value[4])
{
	struct gm_nvml_memory_v2 m = { .version = GM_NVML_VERSION(struct gm_nvml_memory_v2, 2) };
	int rc = GM_READER_CALL(r, memory_v2, d, &m);
	bool is_split = rc == GM_NVML_SUCCESS;
	if (rc == GM_NVML_ERROR_FUNCTION_NOT_FOUND || rc == GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH ||
	    rc == GM_NVML_ERROR_NOT_SUPPORTED) {
		struct gm_nvml_memory_v1 old = { 0 }; /* what the driver reserves counts as used there */
		rc = GM_READER_CALL(r, memory, d, &old);
		m = (struct gm_nvml_memory_v2){ .total = old.total, .free = old.free, .used = old.used };
	}
	if (rc != GM_NVML_SUCCESS)
		return rc;
	if (m.total == 0 || m.total > MEMORY_MAX || m.used > m.total || m.free > m.total || m.reserved > m.total ||
	    m.used + m.free > m.total)
		return GM_NVML_ERROR_UNKNOWN;
	value[0] = (int64_t)m.used;
	value[1] = (int64_t)m.free;
	value[2] = is_split ? (int64_t)m.reserved : -1;
	value[3] = (int64_t)m.total;
	return GM_NVML_SUCCESS;
}

static int call_memory(struct gm_nvml_reader *r, int64_t value[4])
{
	int rc = gm_reader_memory(r, r->device, value);
	if (rc == GM_NVML_SUCCESS)
		r->facts.memory_total_bytes = value[3];
	return rc;
}

static int call_bar1(struct gm_nvml_reader *r, int64_t value[4])
{
	struct gm_nvml_bar1 b = { 0 };
	int rc = GM_READER_CALL(r, bar1, r->device, &b);
	if (rc == GM_NVML_SUCCESS && (b.total > MEMORY_MAX || b.used > b.total))
		return GM_NVML_ERROR_UNKNOWN;
	value[0] = (int64_t)b.used;
	return rc;
}

static int call_temperature(struct gm_nvml_reader *r, int64_t value[4])
{
	struct gm_nvml_temperature_v1 t = {
		.version = GM_NVML_VERSION(struct gm_nvml_temperature_v1, 1),
		.sensor = GM_NVML_TEMPERATURE_GPU,
	};
	int rc = GM_READER_CALL(r, temperature_v, r->device, &t);
	value[0] = t.temperature;
	if (!gm_nvml_is_unsupported(rc))
		return rc;
	uint32_t n = 0;
	rc = GM_READER_CALL(r, temperature, r->device, GM_NVML_TEMPERATURE_GPU, &n);
	value[0] = (int32_t)n;
	return rc;
}

static int call_margin(struct gm_nvml_reader *r, int64_t value[4])
{
	struct gm_nvml_margin_v1 m = { .version = GM_NVML_VERSION(struct gm_nvml_margin_v1, 1) };
	int rc = GM_READER_CALL(r, margin, r->device, &m);
	value[0] = m.margin;
	return rc;
}

static int call_power(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0;
	int rc = GM_READER_CALL(r, power, r->device, &n);
	return one_u32(rc, n, value);
}

static int call_power_limit(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0;
	int rc = GM_READER_CALL(r, power_enforced, r->device, &n);
	return one_u32(rc, n, value);
}

static int call_energy(struct gm_nvml_reader *r, int64_t value[4])
{
	uint64_t n = 0;
	int rc = GM_READER_CALL(r, energy, r->device, &n);
	value[0] = n <= INT64_MAX ? (int64_t)n : -1;
	return rc;
}

static int call_sm_clock(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0;
	int rc = GM_READER_CALL(r, clock, r->device, GM_NVML_CLOCK_SM, &n);
	return one_u32(rc, n, value);
}

static int call_memory_clock(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0;
	int rc = GM_READER_CALL(r, clock, r->device, GM_NVML_CLOCK_MEM, &n);
	return one_u32(rc, n, value);
}

static int call_pstate(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0;
	int rc = GM_READER_CALL(r, pstate, r->device, &n);
	return one_u32(rc == GM_NVML_SUCCESS && n == GM_NVML_PSTATE_UNKNOWN ? GM_NVML_ERROR_NOT_SUPPORTED : rc, n,
		       value);
}

static int call_throttle(struct gm_nvml_reader *r, int64_t value[4])
{
	uint64_t bits = 0;
	int rc = GM_READER_CALL(r, throttle, r->device, &bits);
	value[0] = bits <= INT64_MAX ? (int64_t)bits : -1;
	return rc;
}

/* The fastest of its fans. */
static int call_fan(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t count = 1, n = 0, most = 0;
	if (GM_READER_CALL(r, fan_count, r->device, &count) != GM_NVML_SUCCESS || count > 16)
		count = 1;
	int rc = count == 0 ? GM_NVML_ERROR_NOT_SUPPORTED : GM_NVML_SUCCESS;
	for (uint32_t i = 0; i < count && rc == GM_NVML_SUCCESS; i++) {
		rc = GM_READER_CALL(r, fan_v2, r->device, i, &n);
		most = n > most ? n : most;
	}
	if (rc == GM_NVML_ERROR_FUNCTION_NOT_FOUND)
		rc = GM_READER_CALL(r, fan, r->device, &most);
	return one_u32(rc, most, value);
}

static int ecc_totals(struct gm_nvml_reader *r, enum gm_nvml_ecc_counter counter, int64_t value[4])
{
	uint64_t n[2] = { 0, 0 };
	int rc = GM_READER_CALL(r, ecc_total, r->device, GM_NVML_ECC_CORRECTED, counter, &n[0]);
	if (rc == GM_NVML_SUCCESS)
		rc = GM_READER_CALL(r, ecc_total, r->device, GM_NVML_ECC_UNCORRECTED, counter, &n[1]);
	for (int i = 0; i < 2; i++)
		value[i] = n[i] <= INT64_MAX ? (int64_t)n[i] : -1;
	return rc;
}

static int call_ecc(struct gm_nvml_reader *r, int64_t value[4])
{
	return ecc_totals(r, GM_NVML_ECC_VOLATILE, value);
}

static int call_ecc_ever(struct gm_nvml_reader *r, int64_t value[4])
{
	return ecc_totals(r, GM_NVML_ECC_AGGREGATE, value);
}

static int call_remapped(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n[4] = { 0 };
	int rc = GM_READER_CALL(r, remapped, r->device, &n[0], &n[1], &n[2], &n[3]);
	for (int i = 0; i < 4; i++)
		value[i] = n[i];
	return rc;
}

static int call_retired(struct gm_nvml_reader *r, int64_t value[4])
{
	int64_t sum = 0;
	for (uint32_t cause = GM_NVML_RETIRED_MULTIPLE_SBE; cause <= GM_NVML_RETIRED_DBE; cause++) {
		uint32_t n = 0; /* no room for addresses: the count alone is wanted */
		int rc = GM_READER_CALL(r, retired, r->device, cause, &n, NULL);
		if (rc != GM_NVML_SUCCESS && rc != GM_NVML_ERROR_INSUFFICIENT_SIZE)
			return rc;
		sum += n;
	}
	value[0] = sum;
	return GM_NVML_SUCCESS;
}

static int call_retired_pending(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0;
	int rc = GM_READER_CALL(r, retired_pending, r->device, &n);
	return one_u32(rc, n, value);
}

static int call_pcie_link(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t gen = 0, width = 0;
	int rc = GM_READER_CALL(r, pcie_gen, r->device, &gen);
	if (rc == GM_NVML_SUCCESS)
		rc = GM_READER_CALL(r, pcie_width, r->device, &width);
	value[0] = gen;
	value[1] = width;
	return rc;
}

static int call_pcie_replay(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t n = 0;
	int rc = GM_READER_CALL(r, pcie_replay, r->device, &n);
	return one_u32(rc, n, value);
}

/* Each blocks 20 ms. KB/s. */
static int call_pcie_throughput(struct gm_nvml_reader *r, int64_t value[4])
{
	uint32_t tx = 0, rx = 0;
	int rc = GM_READER_CALL(r, pcie_throughput, r->device, GM_NVML_PCIE_TX, &tx);
	if (rc == GM_NVML_SUCCESS)
		rc = GM_READER_CALL(r, pcie_throughput, r->device, GM_NVML_PCIE_RX, &rx);
	value[0] = tx;
	value[1] = rx;
	return rc;
}

/* Bytes of all links since the driver was loaded, for drivers that tell them link by link only. */
static int call_nvlink(struct gm_nvml_reader *r, int64_t value[4])
{
	struct gm_nvml_field fields[2 * GM_NVML_LINKS_MAX] = { 0 };
	int32_t links = r->facts.nvlink_count;
	if (links <= 0)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	for (int32_t i = 0; i < links; i++) {
		fields[2 * i].id = GM_NVML_FI_NVLINK_DATA_TX_KIB;
		fields[2 * i + 1].id = GM_NVML_FI_NVLINK_DATA_RX_KIB;
		fields[2 * i].scope = fields[2 * i + 1].scope = (uint32_t)i;
	}
	int rc = gm_reader_fields(r, fields, 2 * (unsigned)links);
	int64_t sum = 0, each;
	bool told = false;
	for (int32_t i = 0; rc == GM_NVML_SUCCESS && i < 2 * links; i++) {
		/* Links that are down say so. */
		if (fields[i].rc != GM_NVML_SUCCESS)
			continue;
		if (!gm_reader_field_value(&fields[i], &each) || each < 0 || __builtin_add_overflow(sum, each, &sum))
			return GM_NVML_ERROR_UNKNOWN;
		told = true;
	}
	value[0] = sum;
	return rc == GM_NVML_SUCCESS && !told ? GM_NVML_ERROR_NOT_SUPPORTED : rc;
}

/* Links come and go with fabrics and cables, not with load: a look now and then is enough. */
#define LINKS_EVERY_MS 5000

static int call_nvlinks_up(struct gm_nvml_reader *r, int64_t value[4])
{
	struct gm_nvml_field fields[GM_NVML_LINKS_MAX] = { 0 };
	const int32_t links = r->facts.nvlink_count;
	bool told = false;
	int64_t each;

	if (links <= 0)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	for (int32_t i = 0; i < links; i++) {
		fields[i].id = GM_NVML_FI_NVLINK_STATE;
		fields[i].scope = (uint32_t)i;
	}
	const int rc = gm_reader_fields(r, fields, (unsigned)links);
	value[0] = 0;
	for (int32_t i = 0; rc == GM_NVML_SUCCESS && i < links; i++) {
		if (fields[i].rc != GM_NVML_SUCCESS)
			continue;
		if (!gm_reader_field_value(&fields[i], &each) || each < 0 || each > 1)
			return GM_NVML_ERROR_UNKNOWN;
		value[0] += each;
		told = true;
	}
	return rc == GM_NVML_SUCCESS && !told ? GM_NVML_ERROR_NOT_SUPPORTED : rc;
}

/* Sampled over 20 ms each time, so once in ten seconds is as good as it gets for what it costs. */
#define THROUGHPUT_EVERY_MS 10000

static const struct {
	int (*read)(struct gm_nvml_reader *r, int64_t value[4]);
	int64_t every_ms;
} calls[GM_READER_CALL_COUNT] = {
	[GM_READER_CALL_UTILIZATION] = { call_utilization },
	[GM_READER_CALL_ENCODER] = { call_encoder },
	[GM_READER_CALL_DECODER] = { call_decoder },
	[GM_READER_CALL_MEMORY] = { call_memory },
	[GM_READER_CALL_BAR1] = { call_bar1 },
	[GM_READER_CALL_TEMPERATURE] = { call_temperature },
	[GM_READER_CALL_MARGIN] = { call_margin },
	[GM_READER_CALL_POWER] = { call_power },
	[GM_READER_CALL_POWER_LIMIT] = { call_power_limit },
	[GM_READER_CALL_ENERGY] = { call_energy },
	[GM_READER_CALL_SM_CLOCK] = { call_sm_clock },
	[GM_READER_CALL_MEMORY_CLOCK] = { call_memory_clock },
	[GM_READER_CALL_PSTATE] = { call_pstate },
	[GM_READER_CALL_THROTTLE] = { call_throttle },
	[GM_READER_CALL_FAN] = { call_fan },
	[GM_READER_CALL_ECC] = { call_ecc },
	[GM_READER_CALL_ECC_EVER] = { call_ecc_ever },
	[GM_READER_CALL_REMAPPED] = { call_remapped },
	[GM_READER_CALL_RETIRED] = { call_retired },
	[GM_READER_CALL_RETIRED_PENDING] = { call_retired_pending },
	[GM_READER_CALL_PCIE_LINK] = { call_pcie_link },
	[GM_READER_CALL_PCIE_REPLAY] = { call_pcie_replay },
	[GM_READER_CALL_PCIE_THROUGHPUT] = { call_pcie_throughput, THROUGHPUT_EVERY_MS },
	[GM_READER_CALL_NVLINK] = { call_nvlink },
	[GM_READER_CALL_NVLINKS_UP] = { call_nvlinks_up, LINKS_EVERY_MS },
};

void gm_reader_calls_begin(struct gm_nvml_reader *r)
{
	for (unsigned i = 0; i < GM_READER_CALL_COUNT; i++) {
		struct gm_reader_memo *m = &r->memos[i];
		if (calls[i].every_ms == 0 || r->mono_ms - m->at_ms >= calls[i].every_ms)
			m->is_done = false;
	}
}

const struct gm_reader_memo *gm_reader_call(struct gm_nvml_reader *r, enum gm_reader_call call)
{
	struct gm_reader_memo *m = &r->memos[call];
	if (!m->is_done) {
		m->rc = calls[call].read(r, m->value);
		m->is_done = true;
		m->at_ms = r->mono_ms;
	}
	return m;
}
