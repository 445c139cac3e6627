/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

#include "adapter/nvml/reader-internal.h"
#include "base/auto.h"

/*
 * Where each value of a board comes from. Rows of one target stand together, best source first; the next is asked when
 * those before it cannot tell. Raw values outside [min, max] are nonsense and become an error.
 */
enum from {
	FROM_FIELD, /* nvmlDeviceGetFieldValues, all in one call */
	FROM_CALL,
	FROM_GPM,
};
enum flag {
	RATE = 1,	  /* the difference to the last round, a second */
	PAIR = 2,	  /* together with the next field or GPM slot: both directions */
	ALL_LINKS = 4,	  /* summed over the links by the driver */
	ZERO_IS_NONE = 8, /* boards without the sensor say 0 */
	SLOW = 16,	  /* blocks: not asked because another source failed once */
	NONE_MIN = 32,	  /* the member is INT32_MIN, not -1, when there is no value */
};

struct row {
	uint8_t field;	 /* enum gm_field; GM_FIELD_COUNT: a member of the reading */
	uint8_t width;	 /* of that member */
	uint16_t member; /* its offset */
	uint8_t from, flags;
	uint16_t id;   /* NVML's field, enum gm_reader_call, enum gm_reader_gpm_slot */
	uint8_t index; /* which value of the call */
	int32_t mul;   /* raw * mul is the sample's unit */
	int64_t min, max;
};

#define SAMPLE(name) .field = GM_FIELD_##name
#define MEMBER(name)                                                                                                   \
	.field = GM_FIELD_COUNT, .member = offsetof(struct gm_reading, name),                                          \
	.width = sizeof(((struct gm_reading *)NULL)->name)
#define FIELD(name) .from = FROM_FIELD, .id = GM_NVML_FI_##name
#define CALL(name, i) .from = FROM_CALL, .id = GM_READER_CALL_##name, .index = i
#define GPM(name) .from = FROM_GPM, .id = GM_READER_GPM_##name, .mul = 1

#define PERCENT .mul = 100, .max = 100
#define HUNDREDTHS .max = 10000
#define BYTES .mul = 1, .max = INT64_C(1) << 44
#define CELSIUS .mul = 10, .min = -50, .max = 200
#define MILLIWATTS .mul = 1, .max = 10000000
#define COUNT .mul = 1, .max = INT64_C(1) << 48
#define FLAG .mul = 1, .max = 1
#define ENERGY .mul = 1, .max = INT64_C(1) << 53      /* mJ: ten kilowatts for thirty years */
#define NANOSECONDS .mul = 1, .max = INT64_C(1) << 60 /* thirty years */
#define ALL_BYTES .mul = 1, .max = INT64_C(1) << 62
#define KIB .mul = 1024, .max = INT64_C(1) << 51
#define RATE_BYTES .max = INT64_C(1) << 44 /* 16 TiB/s is beyond every link */

static const struct row rows[] = {
	{ SAMPLE(UTILIZATION), CALL(UTILIZATION, 0), PERCENT },
	{ SAMPLE(MEMORY_COPY_UTILIZATION), CALL(UTILIZATION, 1), PERCENT },
	{ SAMPLE(ENCODER_UTILIZATION), CALL(ENCODER, 0), PERCENT },
	{ SAMPLE(DECODER_UTILIZATION), CALL(DECODER, 0), PERCENT },
	{ SAMPLE(GR_ENGINE_ACTIVE), GPM(GRAPHICS), HUNDREDTHS },
	{ SAMPLE(SM_ACTIVE), GPM(SM), HUNDREDTHS },
	{ SAMPLE(SM_OCCUPANCY), GPM(OCCUPANCY), HUNDREDTHS },
	{ SAMPLE(TENSOR_ACTIVE), GPM(TENSOR), HUNDREDTHS },
	{ SAMPLE(DRAM_ACTIVE), GPM(DRAM), HUNDREDTHS },
	{ SAMPLE(MEMORY_USED), CALL(MEMORY, 0), BYTES },
	{ SAMPLE(MEMORY_FREE), CALL(MEMORY, 1), BYTES },
	{ SAMPLE(MEMORY_RESERVED), CALL(MEMORY, 2), BYTES },
	{ SAMPLE(TEMPERATURE), CALL(TEMPERATURE, 0), CELSIUS },
	{ SAMPLE(MEMORY_TEMPERATURE), FIELD(MEMORY_TEMPERATURE_C), CELSIUS, .flags = ZERO_IS_NONE },
	/* The call's value is of this instant or a second's mean by the board's generation, so it comes second. */
	{ SAMPLE(POWER), FIELD(POWER_INSTANT_MW), MILLIWATTS },
	{ SAMPLE(POWER), CALL(POWER, 0), MILLIWATTS },
	{ SAMPLE(POWER), FIELD(POWER_AVERAGE_MW), MILLIWATTS },
	{ SAMPLE(ENERGY), FIELD(ENERGY_MJ), ENERGY },
	{ SAMPLE(ENERGY), CALL(ENERGY, 0), ENERGY },
	{ SAMPLE(SM_CLOCK), CALL(SM_CLOCK, 0), .mul = 1, .max = 20000 },
	{ SAMPLE(MEMORY_CLOCK), CALL(MEMORY_CLOCK, 0), .mul = 1, .max = 40000 },
	{ SAMPLE(PCIE_TX), FIELD(PCIE_TX_BYTES), ALL_BYTES, .flags = RATE },
	{ SAMPLE(PCIE_TX), GPM(PCIE_TX), RATE_BYTES },
	{ SAMPLE(PCIE_TX), CALL(PCIE_THROUGHPUT, 0), .mul = 1000, .max = 1000000000, .flags = SLOW },
	{ SAMPLE(PCIE_RX), FIELD(PCIE_RX_BYTES), ALL_BYTES, .flags = RATE },
	{ SAMPLE(PCIE_RX), GPM(PCIE_RX), RATE_BYTES },
	{ SAMPLE(PCIE_RX), CALL(PCIE_THROUGHPUT, 1), .mul = 1000, .max = 1000000000, .flags = SLOW },
	{ SAMPLE(NVLINK), FIELD(NVLINK_DATA_TX_KIB), KIB, .flags = RATE | PAIR | ALL_LINKS },
	{ SAMPLE(NVLINK), CALL(NVLINK, 0), KIB, .flags = RATE },
	{ SAMPLE(NVLINK), GPM(NVLINK_RX), RATE_BYTES, .flags = PAIR },
	{ SAMPLE(NVLINK_TOTAL), FIELD(NVLINK_DATA_TX_KIB), KIB, .flags = PAIR | ALL_LINKS },
	{ SAMPLE(NVLINK_TOTAL), CALL(NVLINK, 0), KIB },
	{ SAMPLE(PCIE_REPLAY), FIELD(PCIE_REPLAY), COUNT },
	{ SAMPLE(PCIE_REPLAY), CALL(PCIE_REPLAY, 0), COUNT },
	{ SAMPLE(ECC_SBE), FIELD(ECC_SBE_VOLATILE), COUNT },
	{ SAMPLE(ECC_SBE), CALL(ECC, 0), COUNT },
	{ SAMPLE(ECC_DBE), FIELD(ECC_DBE_VOLATILE), COUNT },
	{ SAMPLE(ECC_DBE), CALL(ECC, 1), COUNT },
	{ SAMPLE(REMAPPED_CORRECTABLE), FIELD(REMAPPED_CORRECTABLE), COUNT },
	{ SAMPLE(REMAPPED_CORRECTABLE), CALL(REMAPPED, 0), COUNT },
	{ SAMPLE(REMAPPED_UNCORRECTABLE), FIELD(REMAPPED_UNCORRECTABLE), COUNT },
	{ SAMPLE(REMAPPED_UNCORRECTABLE), CALL(REMAPPED, 1), COUNT },
	{ SAMPLE(ROW_REMAP_PENDING), FIELD(REMAPPED_PENDING), FLAG },
	{ SAMPLE(ROW_REMAP_PENDING), CALL(REMAPPED, 2), FLAG },
	{ SAMPLE(ROW_REMAP_FAILURE), FIELD(REMAPPED_FAILURE), FLAG },
	{ SAMPLE(ROW_REMAP_FAILURE), CALL(REMAPPED, 3), FLAG },
	{ SAMPLE(RETIRED_PAGES), FIELD(RETIRED_SBE), COUNT, .flags = PAIR },
	{ SAMPLE(RETIRED_PAGES), CALL(RETIRED, 0), COUNT },
	{ SAMPLE(THROTTLE_REASONS), CALL(THROTTLE, 0), .mul = 1, .max = 0xffffff },
	{ SAMPLE(POWER_VIOLATION), FIELD(VIOLATION_POWER_NS), NANOSECONDS },
	{ SAMPLE(THERMAL_VIOLATION), FIELD(VIOLATION_THERMAL_NS), NANOSECONDS },
	{ SAMPLE(THERMAL_VIOLATION), FIELD(VIOLATION_SW_THERMAL_NS), NANOSECONDS },
	{ SAMPLE(POWER_LIMIT), CALL(POWER_LIMIT, 0), MILLIWATTS },
	{ SAMPLE(POWER_LIMIT), FIELD(POWER_CURRENT_LIMIT_MW), MILLIWATTS },
	{ SAMPLE(FAN), CALL(FAN, 0), .mul = 100, .max = 200 }, /* more than 100 is allowed to be said */
	{ MEMBER(pstate), CALL(PSTATE, 0), .mul = 1, .max = 15 },
	{ MEMBER(pcie_gen), CALL(PCIE_LINK, 0), .mul = 1, .max = 16 },
	{ MEMBER(pcie_width), CALL(PCIE_LINK, 1), .mul = 1, .max = 64 },
	{ MEMBER(recovery_action), FIELD(RECOVERY_ACTION), .mul = 1, .max = 255 },
	{ MEMBER(margin_c), CALL(MARGIN, 0), .mul = 1, .min = -200, .max = 200, .flags = NONE_MIN },
	{ MEMBER(retired_pending), FIELD(RETIRED_PENDING), FLAG },
	{ MEMBER(retired_pending), CALL(RETIRED_PENDING, 0), FLAG },
	{ MEMBER(bar1_used_bytes), CALL(BAR1, 0), BYTES },
	{ MEMBER(nvlinks_up), CALL(NVLINKS_UP, 0), .mul = 1, .max = GM_NVML_LINKS_MAX },
	{ MEMBER(ecc_corrected_ever), FIELD(ECC_SBE_AGGREGATE), COUNT },
	{ MEMBER(ecc_corrected_ever), CALL(ECC_EVER, 0), COUNT },
	{ MEMBER(ecc_uncorrected_ever), FIELD(ECC_DBE_AGGREGATE), COUNT },
	{ MEMBER(ecc_uncorrected_ever), CALL(ECC_EVER, 1), COUNT },
};
_Static_assert(GM_LEN(rows) <= GM_READER_ROWS_MAX, "row state");

enum got {
	GOT_VALUE,
	GOT_LATER,     /* a rate that has one end only */
	GOT_NOT_ASKED, /* the choice before it was thought to do */
	GOT_UNSUPPORTED,
	GOT_ERROR,
};

static bool same_target(const struct row *a, const struct row *b)
{
	return a->field == b->field && a->member == b->member;
}

static bool is_quiet(const struct gm_nvml_reader *r, size_t i)
{
	return r->mono_ms < r->row_again_ms[i];
}

static void batch_add(struct gm_nvml_reader *r, uint32_t id, uint32_t scope)
{
	for (unsigned i = 0; i < r->batch_count; i++)
		if (r->batch[i].id == id && r->batch[i].scope == scope)
			return;
	if (r->batch_count < GM_READER_BATCH_MAX)
		r->batch[r->batch_count++] = (struct gm_nvml_field){ .id = id, .scope = scope };
}

/* All fields that this round's rows are about to want, in one call. */
static void batch_read(struct gm_nvml_reader *r)
{
	r->batch_count = 0;
	bool is_first_choice = true;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		if (i == 0 || !same_target(&rows[i], &rows[i - 1]))
			is_first_choice = true;
		if (rows[i].from == FROM_FIELD && is_first_choice && !is_quiet(r, i)) {
			uint32_t scope = rows[i].flags & ALL_LINKS ? GM_NVML_SCOPE_ALL : 0;
			batch_add(r, rows[i].id, scope);
			if (rows[i].flags & PAIR)
				batch_add(r, rows[i].id + 1u, scope);
		}
		/* One that could not be told before is asked again each minute, without leaving a gap of a round. */
		is_first_choice = is_first_choice && r->row_again_ms[i] != 0;
	}
	r->batch_rc = gm_reader_fields(r, r->batch, r->batch_count);
}

#define NOT_ASKED (-1)
/* 0, NOT_ASKED, or NVML's code; an unknown field is one that this driver does not have. */
static int field_value(const struct gm_nvml_reader *r, const struct row *row, uint32_t id, int64_t *out, uint32_t *type,
		       int64_t *at_us)
{
	uint32_t scope = row->flags & ALL_LINKS ? GM_NVML_SCOPE_ALL : 0;
	if (r->batch_rc != GM_NVML_SUCCESS)
		return r->batch_rc;
	for (unsigned i = 0; i < r->batch_count; i++) {
		const struct gm_nvml_field *f = &r->batch[i];
		if (f->id != id || f->scope != scope)
			continue;
		int rc = (int)f->rc;
		if (rc == GM_NVML_ERROR_INVALID_ARGUMENT || rc == GM_NVML_ERROR_NOT_FOUND)
			return GM_NVML_ERROR_NOT_SUPPORTED;
		if (rc == GM_NVML_SUCCESS && !gm_reader_field_value(f, out))
			return GM_NVML_ERROR_UNKNOWN;
		*type = f->type;
		*at_us = f->at_us;
		return rc;
	}
	return NOT_ASKED;
}

/* What the link can carry, a little more; 0: not known. */
static int64_t pcie_bytes_per_s(const struct gm_nvml_reader *r)
{
	if (r->facts.pcie_max_gen < 1 || r->facts.pcie_max_gen > 8 || r->facts.pcie_max_width < 1)
		return 0;
	return (INT64_C(250000000) << (r->facts.pcie_max_gen - 1)) * r->facts.pcie_max_width;
}

/*
 * A counter of 32 bits may have gone round several times between two readings of a fast link: then it tells nothing, and
 * the next source is asked.
 */
static bool is_ambiguous(const struct gm_nvml_reader *r, int64_t elapsed_ms)
{
	int64_t most = pcie_bytes_per_s(r);
	return most == 0 || most / 1000 * elapsed_ms >= (INT64_C(1) << 32);
}

/* The time between two readings: the driver's stamps where ours agree; otherwise a call hung between, and 0 says so. */
static int64_t elapsed_us(const struct gm_reader_rate *last, int64_t mono_ms, int64_t at_us)
{
	int64_t ours = (mono_ms - last->mono_ms) * 1000, theirs = 0;
	if (at_us == 0 || last->at_us == 0 || __builtin_sub_overflow(at_us, last->at_us, &theirs) || theirs == 0)
		return ours;
	int64_t apart = theirs > ours ? theirs - ours : ours - theirs;
	return apart > ours / 5 + 20000 ? 0 : theirs;
}

static enum got rate_of(struct gm_nvml_reader *r, size_t i, uint64_t count, bool is_32_bit, int64_t at_us, int64_t *out)
{
	struct gm_reader_rate *rate = &r->rates[i], last = *rate;
	*rate = (struct gm_reader_rate){ .has_last = true, .last = count, .mono_ms = r->mono_ms, .at_us = at_us };
	if (!last.has_last || r->mono_ms <= last.mono_ms)
		return GOT_LATER;
	if (is_32_bit && rows[i].mul == 1 && is_ambiguous(r, r->mono_ms - last.mono_ms))
		return GOT_UNSUPPORTED;
	int64_t us = elapsed_us(&last, r->mono_ms, at_us);
	uint64_t more = is_32_bit ? (uint32_t)(count - last.last) : count - last.last;
	if (us <= 0 || (count < last.last && !is_32_bit)) /* it began anew */
		return GOT_LATER;
	double per_s = (double)more * 1e6 / (double)us * rows[i].mul;
	if (per_s > (double)(INT64_C(1) << 44))
		return GOT_ERROR;
	*out = (int64_t)per_s;
	return GOT_VALUE;
}

/* One raw value, before range and unit. */
static int raw_value(struct gm_nvml_reader *r, const struct row *row, int64_t *out, uint32_t *type, int64_t *at_us)
{
	int64_t more = 0;
	const struct gm_reader_memo *m;
	int rc;
	switch ((enum from)row->from) {
	case FROM_FIELD:
		rc = field_value(r, row, row->id, out, type, at_us);
		if (rc == GM_NVML_SUCCESS && row->flags & PAIR)
			rc = field_value(r, row, row->id + 1u, &more, type, at_us);
		break;
	case FROM_GPM:
		rc = gm_reader_gpm_value(&r->gpm, (enum gm_reader_gpm_slot)row->id, out);
		if (rc == GM_NVML_SUCCESS && row->flags & PAIR)
			rc = gm_reader_gpm_value(&r->gpm, (enum gm_reader_gpm_slot)(row->id + 1), &more);
		break;
	case FROM_CALL:
		m = gm_reader_call(r, (enum gm_reader_call)row->id);
		*out = m->value[row->index];
		rc = m->rc;
		if (rc == GM_NVML_SUCCESS && row->id == GM_READER_CALL_MEMORY && *out < 0)
			rc = GM_NVML_ERROR_NOT_SUPPORTED; /* the old call has no word for what is reserved */
		break;
	default:
		return GM_NVML_ERROR_UNKNOWN;
	}
	if (rc == GM_NVML_SUCCESS && (*out < row->min || more < 0 || __builtin_add_overflow(*out, more, out)))
		rc = GM_NVML_ERROR_UNKNOWN;
	return rc;
}

static enum got take(struct gm_nvml_reader *r, size_t i, int64_t *out)
{
	const struct row *row = &rows[i];
	uint32_t type = GM_NVML_VALUE_ULONG_LONG;
	int64_t at_us = 0, raw = 0;
	if (is_quiet(r, i))
		return GOT_UNSUPPORTED;
	int rc = raw_value(r, row, &raw, &type, &at_us);
	enum got got = GOT_VALUE;
	if (rc == NOT_ASKED)
		return GOT_NOT_ASKED;
	if (rc == GM_NVML_ERROR_NO_DATA && row->from == FROM_GPM)
		got = GOT_LATER;
	else if (gm_nvml_is_unsupported(rc) || (rc == GM_NVML_SUCCESS && raw == 0 && row->flags & ZERO_IS_NONE))
		got = GOT_UNSUPPORTED;
	else if (rc != GM_NVML_SUCCESS || raw < row->min || raw > row->max)
		got = GOT_ERROR;
	else if (row->flags & RATE)
		got = rate_of(r, i, (uint64_t)raw, type == GM_NVML_VALUE_UINT && row->from == FROM_FIELD, at_us, out);
	else
		*out = raw * row->mul;
	r->row_again_ms[i] = got == GOT_UNSUPPORTED ? r->mono_ms + GM_READER_AGAIN_MS : 0;
	return got;
}

static void put_member(struct gm_reading *out, const struct row *row, bool has, int64_t value)
{
	int32_t narrow = (int32_t)(has ? value : row->flags & NONE_MIN ? INT32_MIN : -1);
	int64_t wide = has ? value : -1;
	const void *from = row->width == sizeof(narrow) ? (const void *)&narrow : &wide;
	memcpy((char *)out + row->member, from, row->width);
}

static void put(struct gm_nvml_reader *r, struct gm_reading *out, const struct row *row, enum got got, int64_t value)
{
	if (row->field == GM_FIELD_COUNT) {
		put_member(out, row, got == GOT_VALUE, value);
		return;
	}
	enum gm_source source = row->from == FROM_GPM ? GM_SOURCE_GPM : GM_SOURCE_NVML;
	enum gm_field field = (enum gm_field)row->field;
	bool is_blocking = (row->flags & SLOW) != 0;
	switch (got) {
	case GOT_VALUE: /* 20 ms stand for ten seconds there */
		gm_sample_set(&out->sample, field, value, is_blocking ? GM_ESTIMATED : GM_MEASURED, source);
		r->is_pcie_blocking |= is_blocking;
		return;
	case GOT_LATER:
	case GOT_NOT_ASKED:
		gm_sample_miss(&out->sample, field, GM_ABSENT, source);
		return;
	case GOT_UNSUPPORTED:
		gm_sample_miss(&out->sample, field, GM_UNSUPPORTED, source);
		return;
	case GOT_ERROR:
		gm_sample_miss(&out->sample, field, GM_ERROR, source);
		return;
	}
}

/* The first of the rows that has a value; else the worst that was heard. Answers where the next target begins. */
static size_t put_target(struct gm_nvml_reader *r, struct gm_reading *out, size_t first)
{
	enum got heard = GOT_UNSUPPORTED;
	const struct row *told = &rows[first];
	int64_t value = 0;
	size_t i = first;
	for (; i < GM_LEN(rows) && same_target(&rows[i], &rows[first]); i++) {
		if (heard == GOT_VALUE || heard == GOT_LATER || (rows[i].flags & SLOW && heard == GOT_ERROR))
			continue;
		enum got got = take(r, i, &value);
		if (got == GOT_UNSUPPORTED || (heard == GOT_ERROR && got != GOT_VALUE))
			continue;
		heard = got;
		told = &rows[i];
	}
	put(r, out, told, heard, value);
	return i;
}

void gm_reader_values(struct gm_nvml_reader *r, struct gm_reading *out)
{
	gm_reader_calls_begin(r);
	batch_read(r);
	r->is_pcie_blocking = false;
	for (size_t i = 0; i < GM_LEN(rows);)
		i = put_target(r, out, i);
	out->pcie_rx_source_blocks = r->is_pcie_blocking ? 1 : 0;
}
