/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "adapter/nvml/reader-internal.h"
#include "base/str.h"

void gm_reader_text(char *out, size_t size, const char *text, size_t text_size)
{
	struct gm_str s = gm_str_n(text, strnlen(text, text_size));
	if (s.n >= size || !gm_str_plain_ok(s) || !gm_str_copy(s, out, size))
		out[0] = '\0';
}

int gm_reader_fields(struct gm_nvml_reader *r, struct gm_nvml_field *fields, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fields[i].rc = GM_NVML_ERROR_UNKNOWN;
	return count ? GM_READER_CALL(r, fields, r->device, (int32_t)count, fields) : GM_NVML_SUCCESS;
}

bool gm_reader_field_value(const struct gm_nvml_field *f, int64_t *out)
{
	uint64_t u = 0;
	switch (f->type) {
	case GM_NVML_VALUE_DOUBLE:
		if (!isfinite(f->value.d) || fabs(f->value.d) > 9e15)
			return false;
		*out = llround(f->value.d);
		return true;
	case GM_NVML_VALUE_LONG_LONG:
		*out = f->value.sll;
		return true;
	case GM_NVML_VALUE_INT:
		*out = f->value.si;
		return true;
	case GM_NVML_VALUE_UINT:
		u = f->value.ui;
		break;
	case GM_NVML_VALUE_USHORT:
		u = f->value.us;
		break;
	case GM_NVML_VALUE_ULONG:
	case GM_NVML_VALUE_ULONG_LONG:
		u = f->value.ull;
		break;
	default: /* a type this program does not know */
		return false;
	}
	*out = (int64_t)u;
	return u <= INT64_MAX;
}

/*
 * How a fact is kept: what the board cannot tell is none of it; what failed this time stays as it was, a minute later it
 * is asked again.
 */
static void keep_int(int32_t *fact, int rc, int64_t value, int64_t min, int64_t max, int32_t none)
{
	if (rc == GM_NVML_SUCCESS && value >= min && value <= max)
		*fact = (int32_t)value;
	else if (gm_nvml_is_unsupported(rc))
		*fact = none;
}

#define TEXT_MAX 128
static void keep_text(char *fact, size_t size, int rc, char text[static TEXT_MAX])
{
	text[TEXT_MAX - 1] = '\0';
	if (rc == GM_NVML_SUCCESS)
		gm_reader_text(fact, size, text, TEXT_MAX);
	else if (gm_nvml_is_unsupported(rc))
		fact[0] = '\0';
}

static void read_texts(struct gm_nvml_reader *r)
{
	struct gm_reading_facts *f = &r->facts;
	char text[TEXT_MAX] = { 0 };
	int rc;
#define SYSTEM(member, size)                                                                                           \
	rc = GM_READER_CALL(r, member, text, size);                                                                    \
	keep_text(f->member, sizeof(f->member), rc, text);                                                             \
	memset(text, 0, sizeof(text));
#define BOARD(member, size)                                                                                            \
	rc = GM_READER_CALL(r, member, r->device, text, size);                                                         \
	keep_text(f->member, sizeof(f->member), rc, text);                                                             \
	memset(text, 0, sizeof(text));
	SYSTEM(driver_version, GM_NVML_DRIVER_VERSION_SIZE)
	SYSTEM(nvml_version, GM_NVML_NVML_VERSION_SIZE)
	BOARD(name, GM_NVML_NAME_SIZE)
	BOARD(serial, GM_NVML_SERIAL_SIZE)
	BOARD(vbios, GM_NVML_VBIOS_SIZE)
#undef SYSTEM
#undef BOARD
	memcpy(f->uuid, r->uuid, sizeof(f->uuid));
	int32_t cuda = 0;
	rc = GM_READER_CALL(r, cuda_version, &cuda);
	keep_int(&f->cuda_version, rc, cuda, 1000, 1000000, -1);
}

static const char *architecture_name(uint32_t number)
{
	switch (number) {
	case GM_NVML_ARCH_KEPLER:
		return "Kepler";
	case GM_NVML_ARCH_MAXWELL:
		return "Maxwell";
	case GM_NVML_ARCH_PASCAL:
		return "Pascal";
	case GM_NVML_ARCH_VOLTA:
		return "Volta";
	case GM_NVML_ARCH_TURING:
		return "Turing";
	case GM_NVML_ARCH_AMPERE:
		return "Ampere";
	case GM_NVML_ARCH_ADA:
		return "Ada";
	case GM_NVML_ARCH_HOPPER:
		return "Hopper";
	case GM_NVML_ARCH_BLACKWELL:
		return "Blackwell";
	case GM_NVML_ARCH_RUBIN:
		return "Rubin";
	}
	return "";
}

/* "00000000:1A:00.0" -> "0000:1a:00.0", as the kernel spells it; "" when it is no address. */
static void keep_bus_id(char *out, size_t size, const char *bus_id)
{
	unsigned domain, bus, device, function;
	int end = 0;
	out[0] = '\0';
	if (sscanf(bus_id, "%8x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) != 4 || bus_id[end] != '\0')
		return;
	(void)snprintf(out, size, "%04x:%02x:%02x.%x", domain, bus, device, function);
}

static void read_identity(struct gm_nvml_reader *r)
{
	struct gm_reading_facts *f = &r->facts;
	struct gm_nvml_pci_v3 pci = { 0 };
	int rc = GM_READER_CALL(r, pci, r->device, &pci);
	if (rc == GM_NVML_SUCCESS) {
		pci.bus_id[sizeof(pci.bus_id) - 1] = pci.bus_id_legacy[sizeof(pci.bus_id_legacy) - 1] = '\0';
		keep_bus_id(f->pci_bus_id, sizeof(f->pci_bus_id), pci.bus_id);
		if (f->pci_bus_id[0] == '\0')
			keep_bus_id(f->pci_bus_id, sizeof(f->pci_bus_id), pci.bus_id_legacy);
	}
	uint32_t n = 0;
	rc = GM_READER_CALL(r, architecture, r->device, &n);
	if (rc == GM_NVML_SUCCESS)
		(void)snprintf(f->architecture, sizeof(f->architecture), "%s", architecture_name(n));
	int32_t major = -1, minor = -1;
	rc = GM_READER_CALL(r, compute_capability, r->device, &major, &minor);
	keep_int(&f->cc_major, rc, major, 1, 99, -1);
	keep_int(&f->cc_minor, rc, minor, 0, 99, -1);
	uint64_t events = 0;
	rc = GM_READER_CALL(r, events_supported, r->device, &events);
	f->supported_events = rc == GM_NVML_SUCCESS ? events : 0;
	uint32_t current = 0, pending = 0;
	rc = GM_READER_CALL(r, ecc_mode, r->device, &current, &pending);
	keep_int(&f->ecc_enabled, rc, current, 0, 1, -1);
	struct gm_nvml_gpm_support gpm = { .version = GM_NVML_GPM_VERSION };
	rc = GM_READER_CALL(r, gpm_support, r->device, &gpm);
	keep_int(&f->gpm, rc, gpm.supported, 0, 1, 0);
}

static void read_numbers(struct gm_nvml_reader *r)
{
	struct gm_reading_facts *f = &r->facts;
	uint32_t n = 0;
	int rc;
#define NUMBER(fact, member, min, max)                                                                                 \
	rc = GM_READER_CALL(r, member, r->device, &n);                                                                 \
	keep_int(&f->fact, rc, n, min, max, -1);
	NUMBER(index, index, 0, 1023)
	NUMBER(minor, minor, 0, 1023)
	NUMBER(numa_node, numa_node, 0, 4095)
	NUMBER(persistence, persistence, 0, 1)
	NUMBER(pcie_max_gen, pcie_max_gen, 1, 16)
	NUMBER(pcie_max_width, pcie_max_width, 1, 64)
#undef NUMBER
	if (f->index < 0)
		f->index = (int32_t)r->index;
}

static void read_limits(struct gm_nvml_reader *r)
{
	struct gm_reading_facts *f = &r->facts;
	uint32_t n = 0;
	int rc;
#define LIMIT(fact, member, which, max)                                                                                \
	rc = GM_READER_CALL(r, member, r->device, which, &n);                                                          \
	keep_int(&f->fact, rc, n, 1, max, -1);
	LIMIT(max_sm_mhz, max_clock, GM_NVML_CLOCK_SM, 20000)
	LIMIT(max_memory_mhz, max_clock, GM_NVML_CLOCK_MEM, 40000)
	LIMIT(temp_shutdown_c, threshold, GM_NVML_THRESHOLD_SHUTDOWN, 200)
	LIMIT(temp_slowdown_c, threshold, GM_NVML_THRESHOLD_SLOWDOWN, 200)
	LIMIT(temp_memory_max_c, threshold, GM_NVML_THRESHOLD_MEM_MAX, 200)
	LIMIT(temp_gpu_max_c, threshold, GM_NVML_THRESHOLD_GPU_MAX, 200)
#undef LIMIT
}

static void read_amounts(struct gm_nvml_reader *r)
{
	struct gm_reading_facts *f = &r->facts;
	uint32_t n = 0, more = 0;
	int rc;

	rc = GM_READER_CALL(r, power_default, r->device, &n);
	if (rc == GM_NVML_SUCCESS)
		f->power_default_mw = n;
	rc = GM_READER_CALL(r, power_constraints, r->device, &n, &more);
	if (rc == GM_NVML_SUCCESS && n <= more) {
		f->power_min_mw = n;
		f->power_max_mw = more;
	}
	struct gm_nvml_bar1 bar1 = { 0 };
	rc = GM_READER_CALL(r, bar1, r->device, &bar1);
	if (rc == GM_NVML_SUCCESS && bar1.total <= INT64_MAX)
		f->bar1_total_bytes = (int64_t)bar1.total;
	int64_t memory[4];
	if (gm_reader_memory(r, r->device, memory) == GM_NVML_SUCCESS)
		f->memory_total_bytes = memory[3];
}

/* Facts that only fields tell: T.Limit of Ada and later, links, MIG without a reset. */
static void read_field_facts(struct gm_nvml_reader *r)
{
	struct gm_reading_facts *f = &r->facts;
	const struct {
		uint32_t id;
		int32_t *fact;
		int32_t min, max, none;
	} rows[] = {
		{ GM_NVML_FI_NVLINK_COUNT, &f->nvlink_count, 0, GM_NVML_LINKS_MAX, -1 },
		{ GM_NVML_FI_MIG_RESETLESS, &f->mig_resetless, 0, 1, -1 },
		{ GM_NVML_FI_TLIMIT_SHUTDOWN_C, &f->tlimit_shutdown_c, -200, 200, INT32_MIN },
		{ GM_NVML_FI_TLIMIT_SLOWDOWN_C, &f->tlimit_slowdown_c, -200, 200, INT32_MIN },
		{ GM_NVML_FI_TLIMIT_MEMORY_C, &f->tlimit_memory_c, -200, 200, INT32_MIN },
		{ GM_NVML_FI_TLIMIT_GPU_C, &f->tlimit_gpu_c, -200, 200, INT32_MIN },
	};
	struct gm_nvml_field fields[GM_LEN(rows)] = { 0 };
	for (unsigned i = 0; i < GM_LEN(rows); i++)
		fields[i].id = rows[i].id;
	int rc = gm_reader_fields(r, fields, GM_LEN(rows));
	for (unsigned i = 0; i < GM_LEN(rows); i++) {
		int64_t value = 0;
		int each = rc == GM_NVML_SUCCESS ? (int)fields[i].rc : rc;
		if (each == GM_NVML_ERROR_INVALID_ARGUMENT) /* a driver that is older than the field */
			each = GM_NVML_ERROR_NOT_SUPPORTED;
		if (each == GM_NVML_SUCCESS && !gm_reader_field_value(&fields[i], &value))
			each = GM_NVML_ERROR_UNKNOWN;
		keep_int(rows[i].fact, each, value, rows[i].min, rows[i].max, rows[i].none);
	}
}

void gm_reader_facts(struct gm_nvml_reader *r)
{
	struct gm_reading_facts *f = &r->facts;
	if (f->uuid[0] == '\0')
		*f = (struct gm_reading_facts){
			.cuda_version = -1,
			.index = -1,
			.minor = -1,
			.cc_major = -1,
			.cc_minor = -1,
			.numa_node = -1,
			.memory_total_bytes = -1,
			.bar1_total_bytes = -1,
			.temp_slowdown_c = -1,
			.temp_shutdown_c = -1,
			.temp_memory_max_c = -1,
			.temp_gpu_max_c = -1,
			.tlimit_slowdown_c = INT32_MIN,
			.tlimit_shutdown_c = INT32_MIN,
			.tlimit_memory_c = INT32_MIN,
			.tlimit_gpu_c = INT32_MIN,
			.power_default_mw = -1,
			.power_min_mw = -1,
			.power_max_mw = -1,
			.max_sm_mhz = -1,
			.max_memory_mhz = -1,
			.pcie_max_gen = -1,
			.pcie_max_width = -1,
			.nvlink_count = -1,
			.ecc_enabled = -1,
			.persistence = -1,
			.mig_resetless = -1,
		};
	f->mig_capable = r->mig_current >= 0 ? 1 : 0;
	read_texts(r);
	read_identity(r);
	read_numbers(r);
	read_limits(r);
	read_amounts(r);
	read_field_facts(r);
}
