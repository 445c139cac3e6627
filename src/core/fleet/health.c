/* SPDX-License-Identifier: MIT */
#include "core/fleet/health.h"

#include "base/auto.h"

#define HOT_DECI 900 /* where a board's own threshold is not known */
/* NVML's clock event reasons: hardware slowdown, hardware thermal slowdown, hardware power brake. */
#define THROTTLE_HARDWARE (UINT64_C(0x8) | UINT64_C(0x40) | UINT64_C(0x80))

/* What NVIDIA's device plugin ignores is the application's fault; what wants a reset or a new board is hardware's. */
static const struct {
	uint16_t code;
	uint8_t class_;
	uint8_t health;
} xid_table[] = {
	{ 13, GM_XID_APPLICATION, GM_HEALTH_OK },    /* graphics engine exception */
	{ 31, GM_XID_APPLICATION, GM_HEALTH_OK },    /* memory page fault */
	{ 43, GM_XID_APPLICATION, GM_HEALTH_OK },    /* stopped processing */
	{ 45, GM_XID_APPLICATION, GM_HEALTH_OK },    /* preemptive clean-up */
	{ 48, GM_XID_HARDWARE, GM_HEALTH_FAILED },   /* double-bit ECC error */
	{ 63, GM_XID_HARDWARE, GM_HEALTH_DEGRADED }, /* row remapping or page retirement noted */
	{ 64, GM_XID_HARDWARE, GM_HEALTH_FAILED },   /* row remapping failed */
	{ 68, GM_XID_APPLICATION, GM_HEALTH_OK },    /* video processor exception */
	{ 74, GM_XID_HARDWARE, GM_HEALTH_DEGRADED }, /* NVLink error */
	{ 79, GM_XID_HARDWARE, GM_HEALTH_FAILED },   /* fell off the bus */
	{ 92, GM_XID_HARDWARE, GM_HEALTH_DEGRADED }, /* high rate of single-bit errors */
	{ 94, GM_XID_HARDWARE, GM_HEALTH_DEGRADED }, /* contained memory error */
	{ 95, GM_XID_HARDWARE, GM_HEALTH_FAILED },   /* uncontained memory error */
	{ 109, GM_XID_APPLICATION, GM_HEALTH_OK },   /* context switch timeout */
	{ 119, GM_XID_HARDWARE, GM_HEALTH_FAILED },  /* GSP does not answer */
	{ 120, GM_XID_HARDWARE, GM_HEALTH_FAILED },  /* GSP error */
};

static enum gm_health xid_health(int64_t code)
{
	for (size_t i = 0; i < GM_LEN(xid_table); i++)
		if (xid_table[i].code == code)
			return (enum gm_health)xid_table[i].health;
	return GM_HEALTH_OK;
}

enum gm_xid_class gm_xid_class(int64_t code)
{
	for (size_t i = 0; i < GM_LEN(xid_table); i++)
		if (xid_table[i].code == code)
			return (enum gm_xid_class)xid_table[i].class_;
	return code > 0 ? GM_XID_OTHER : GM_XID_NONE;
}

const char *gm_xid_class_name(enum gm_xid_class c)
{
	static const char *const names[] = {
		[GM_XID_NONE] = "none",
		[GM_XID_APPLICATION] = "application",
		[GM_XID_HARDWARE] = "hardware",
		[GM_XID_OTHER] = "other",
	};
	return (unsigned)c < GM_LEN(names) ? names[c] : names[GM_XID_OTHER];
}

void gm_health_memory_init(struct gm_health_memory *m)
{
	*m = (struct gm_health_memory){ .xid = -1, .ecc_dbe = -1, .xid_health = GM_HEALTH_OK };
}

static void learn_ecc(struct gm_health_memory *m, int64_t count)
{
	if (m->ecc_dbe >= 0 && count > m->ecc_dbe)
		m->ecc_rose = true;
	else if (count < m->ecc_dbe)
		m->ecc_rose = false;
	m->ecc_dbe = count;
}

/* An application's XID does not take away what a hardware one said; only the 0 of a freshly loaded driver does. */
static bool learn_xid(struct gm_health_memory *m, int64_t code)
{
	bool news = m->xid >= 0 && code != m->xid && code > 0;
	enum gm_health health = xid_health(code);
	if (code == 0 || health > m->xid_health)
		m->xid_health = health;
	m->xid = code;
	return news;
}

bool gm_health_learn(struct gm_health_memory *m, const struct gm_sample *sample)
{
	if (gm_sample_has(sample, GM_FIELD_ECC_DBE))
		learn_ecc(m, sample->value[GM_FIELD_ECC_DBE]);
	return gm_sample_has(sample, GM_FIELD_XID) && learn_xid(m, sample->value[GM_FIELD_XID]);
}

struct rule_input {
	const struct gm_health_memory *memory;
	const struct gm_sample *sample;
	int64_t slowdown_c;
};

static bool is_hot(const struct rule_input *in)
{
	int64_t limit = in->slowdown_c > 0 ? in->slowdown_c * 10 : HOT_DECI;
	return gm_sample_has(in->sample, GM_FIELD_TEMPERATURE) && in->sample->value[GM_FIELD_TEMPERATURE] >= limit;
}

static bool had_hardware_xid(const struct rule_input *in)
{
	return in->memory->xid_health != GM_HEALTH_OK;
}

static bool had_uncorrected_error(const struct rule_input *in)
{
	return in->memory->ecc_rose;
}

static bool is_set(const struct gm_sample *s, enum gm_field flag)
{
	return gm_sample_has(s, flag) && s->value[flag] != 0;
}

static bool remap_failed(const struct rule_input *in)
{
	return is_set(in->sample, GM_FIELD_ROW_REMAP_FAILURE);
}

static bool remap_pending(const struct rule_input *in)
{
	return is_set(in->sample, GM_FIELD_ROW_REMAP_PENDING);
}

static bool is_throttled(const struct rule_input *in)
{
	return gm_sample_has(in->sample, GM_FIELD_THROTTLE_REASONS) &&
	       ((uint64_t)in->sample->value[GM_FIELD_THROTTLE_REASONS] & THROTTLE_HARDWARE) != 0;
}

/* One row a reason; without a rule it follows from time, and XID_HARDWARE is at least what is said here. */
static const struct {
	enum gm_health health;
	bool (*holds)(const struct rule_input *in);
} rule_table[GM_HEALTH_REASON_COUNT] = {
	[GM_HEALTH_REASON_POSITION_SILENT] = { GM_HEALTH_UNKNOWN, NULL },
	[GM_HEALTH_REASON_POSITION_HOT] = { GM_HEALTH_DEGRADED, is_hot },
	[GM_HEALTH_REASON_POSITION_XID_HARDWARE] = { GM_HEALTH_DEGRADED, had_hardware_xid },
	[GM_HEALTH_REASON_POSITION_ECC_UNCORRECTED] = { GM_HEALTH_DEGRADED, had_uncorrected_error },
	[GM_HEALTH_REASON_POSITION_ROW_REMAP_FAILURE] = { GM_HEALTH_FAILED, remap_failed },
	[GM_HEALTH_REASON_POSITION_ROW_REMAP_PENDING] = { GM_HEALTH_DEGRADED, remap_pending },
	[GM_HEALTH_REASON_POSITION_THROTTLED] = { GM_HEALTH_DEGRADED, is_throttled },
	[GM_HEALTH_REASON_POSITION_LOST] = { GM_HEALTH_FAILED, NULL },
	[GM_HEALTH_REASON_POSITION_NEVER_SEEN] = { GM_HEALTH_UNKNOWN, NULL },
	[GM_HEALTH_REASON_POSITION_DRIVER_HUNG] = { GM_HEALTH_FAILED, NULL },
};

uint32_t gm_health_reasons(const struct gm_health_memory *m, const struct gm_sample *sample, int64_t slowdown_c)
{
	const struct rule_input in = { .memory = m, .sample = sample, .slowdown_c = slowdown_c };
	uint32_t reasons = 0;
	for (unsigned i = 0; i < GM_HEALTH_REASON_COUNT; i++)
		if (rule_table[i].holds && rule_table[i].holds(&in))
			reasons |= UINT32_C(1) << i;
	return reasons;
}

enum gm_health gm_health_of(const struct gm_health_memory *m, uint32_t reasons)
{
	enum gm_health worst = GM_HEALTH_OK;
	for (unsigned i = 0; i < GM_HEALTH_REASON_COUNT; i++)
		if ((reasons >> i & 1) != 0 && rule_table[i].health > worst)
			worst = rule_table[i].health;
	if ((reasons & GM_REASON(XID_HARDWARE)) != 0 && m->xid_health > worst)
		worst = m->xid_health;
	return worst;
}

const char *gm_health_name(enum gm_health h)
{
	static const char *const names[] = {
		[GM_HEALTH_OK] = "ok",
		[GM_HEALTH_DEGRADED] = "degraded",
		[GM_HEALTH_FAILED] = "failed",
		[GM_HEALTH_UNKNOWN] = "unknown",
	};
	_Static_assert(GM_LEN(names) == GM_HEALTH_COUNT, "a name for each");
	return (unsigned)h < GM_LEN(names) ? names[h] : names[GM_HEALTH_UNKNOWN];
}

const char *gm_health_reason_name(unsigned position)
{
	static const char *const names[] = {
#define REASON_NAME(name, text) [GM_HEALTH_REASON_POSITION_##name] = (text),
		GM_HEALTH_REASON_LIST(REASON_NAME)
#undef REASON_NAME
	};
	_Static_assert(GM_LEN(names) == GM_HEALTH_REASON_COUNT, "a name for each");
	return position < GM_LEN(names) ? names[position] : "";
}
