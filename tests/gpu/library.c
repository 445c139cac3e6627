/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "suite.h"

/* In a process of its own, which ends with it: nothing else is to be counted in. */
static int measure_memory(const struct suite *s)
{
	struct gm_nvml lib;
	struct gm_err err;
	uint32_t n = 0;
	int64_t before = suite_pss_kib(getpid());
	if (gm_nvml_open(s->nvml_path, &lib, &err) < 0)
		return 0; /* said by who looks for boards */
	int64_t opened = suite_pss_kib(getpid());
	if (lib.init() != GM_NVML_SUCCESS || lib.count(&n) != GM_NVML_SUCCESS)
		return 0;
	int64_t initialised = suite_pss_kib(getpid());
	for (uint32_t i = 0; i < n; i++) {
		struct gm_nvml_device *device;
		if (lib.by_index(i, &device) != GM_NVML_SUCCESS)
			suite_note("GPU %u: no handle", i);
	}
	int64_t attached = suite_pss_kib(getpid());
	if (before < 0 || attached < 0)
		return 1;
	suite_figure("nvml.memory_loaded", (double)(opened - before) / 1024, "MiB");
	suite_figure("nvml.memory_initialised", (double)(initialised - before) / 1024, "MiB");
	suite_figure("nvml.memory_with_all_handles", (double)(attached - before) / 1024, "MiB");
	(void)lib.shutdown();
	return 0;
}

void suite_memory(const struct suite *s)
{
	int status = 0;
	(void)fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		exit(measure_memory(s));
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		(void)suite_check(false, "memory of NVML", "could not be measured (status %d)", status);
}

static void tell_symbol(void *ctx, const char *wanted, const char *found, bool needed)
{
	unsigned *older = ctx;
	if (!found)
		suite_note("%s lacks %s", needed ? "the driver" : "this driver", wanted);
	else if (strcmp(wanted, found) != 0 && ++*older)
		suite_note("%s is used for %s", found, wanted);
}

void suite_symbols(const struct suite *s)
{
	unsigned older = 0;
	int missing = gm_nvml_list_symbols(&s->lib, tell_symbol, &older);
	/* Those that cannot be done without: opening refuses a library that lacks one. */
	(void)suite_check(missing < GM_NVML_SYMBOL_COUNT / 4, "symbols", "%d of %d found, %u by an older name",
			  GM_NVML_SYMBOL_COUNT - missing, GM_NVML_SYMBOL_COUNT, older);
}

/*
 * Every struct that is handed to the driver: the call with which it is tried, and the last member, which a driver whose
 * struct is shorter than ours would leave alone. `newer`: drivers in use are older than this version of it.
 */
#define LAST(type, member)                                                                                             \
	sizeof(struct gm_nvml_##type), offsetof(struct gm_nvml_##type, member),                                        \
		sizeof(((struct gm_nvml_##type *)0)->member)
#define WORD(type, number) GM_NVML_VERSION(struct gm_nvml_##type, number)
static const struct row {
	const char *function;
	size_t size, last, last_size;
	uint32_t word; /* of the version; 0: the struct has none */
	bool by_number, newer;
} rows[] = {
	{ "nvmlDeviceGetAttributes_v2", LAST(attributes, memory_mib), 0, false, true },
	{ "nvmlDeviceGetBAR1MemoryInfo", LAST(bar1, used), 0, false, false },
	{ "nvmlDeviceGetGpuFabricInfoV", LAST(fabric_v2, health_mask), WORD(fabric_v2, 2), false, true },
	{ "nvmlDeviceGetGpuFabricInfoV", LAST(fabric_v3, health_summary), WORD(fabric_v3, 3), false, true },
	{ "nvmlDeviceGetGpuInstanceProfileInfo", LAST(gi_profile_v1, memory_mib), 0, true, false },
	{ "nvmlDeviceGetGpuInstanceProfileInfoV", LAST(gi_profile_v2, name), WORD(gi_profile_v2, 2), true, false },
	{ "nvmlDeviceGetGpuInstanceProfileInfoV", LAST(gi_profile_v3, capabilities), WORD(gi_profile_v3, 3), true,
	  true },
	{ "nvmlDeviceGetMarginTemperature", LAST(margin_v1, margin), WORD(margin_v1, 1), false, false },
	{ "nvmlDeviceGetMemoryInfo", LAST(memory_v1, used), 0, false, false },
	{ "nvmlDeviceGetMemoryInfo_v2", LAST(memory_v2, used), WORD(memory_v2, 2), false, false },
	{ "nvmlDeviceGetPciInfo_v3", LAST(pci_v3, bus_id), 0, false, false },
	{ "nvmlDeviceGetPciInfoExt", LAST(pci_ext_v1, bus_id), WORD(pci_ext_v1, 1), false, false },
	{ "nvmlDeviceGetPlatformInfo", LAST(platform_v2, module), WORD(platform_v2, 2), false, true },
	{ "nvmlDeviceGetRepairStatus", LAST(repair_v1, tpc_pending), WORD(repair_v1, 1), false, true },
	{ "nvmlDeviceGetSramEccErrorStatus", LAST(sram_ecc_v1, threshold_exceeded), WORD(sram_ecc_v1, 1), false, true },
	{ "nvmlDeviceGetTemperatureV", LAST(temperature_v1, temperature), WORD(temperature_v1, 1), false, false },
	{ "nvmlDeviceGetUtilizationRates", LAST(utilization, memory), 0, false, false },
	{ "nvmlGpmQueryDeviceSupport", LAST(gpm_support, supported), GM_NVML_GPM_VERSION, false, false },
};

#define GUARD 128
#define PATTERN 0xa5
struct trial {
	int rc;
	bool overrun, filled;
};

static bool all_pattern(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != PATTERN)
			return false;
	return true;
}

/* A call with a struct that stands before bytes of a pattern, and is itself made of it. */
static struct trial try_row(const struct row *r, void *function, struct gm_nvml_device *device, uint32_t word)
{
	union {
		uint64_t aligned;
		unsigned char bytes[512 + GUARD];
	} u;
	_Static_assert(sizeof(u.bytes) >= sizeof(struct gm_nvml_gi_profile_v3) + GUARD, "the largest fits");
	memset(&u, PATTERN, sizeof(u));
	if (word)
		memcpy(u.bytes, &word, sizeof(word));
	if (strcmp(r->function, "nvmlDeviceGetTemperatureV") == 0) /* its second member says which sensor */
		memset(u.bytes + sizeof(word), 0, sizeof(uint32_t));
	struct trial t;
	if (r->by_number) {
		int (*call)(struct gm_nvml_device *, uint32_t, void *);
		memcpy(&call, &function, sizeof(call));
		t.rc = call(device, 0, u.bytes);
	} else {
		int (*call)(struct gm_nvml_device *, void *);
		memcpy(&call, &function, sizeof(call));
		t.rc = call(device, u.bytes);
	}
	t.overrun = !all_pattern(u.bytes + r->size, GUARD);
	/* Names and bus ids need not fill their arrays: their beginning counts. */
	t.filled = !all_pattern(u.bytes + r->last, r->last_size > 8 ? 1 : r->last_size);
	return t;
}

static void check_row(const struct suite *s, const struct row *r, struct gm_nvml_device *device, unsigned *refusals)
{
	char what[128];
	(void)snprintf(what, sizeof(what), "struct of %zu bytes, %s", r->size, r->function);
	void *function = dlsym(s->lib.handle, r->function);
	if (!function) {
		suite_note("%s: not in this driver", r->function);
		return;
	}
	struct trial t = try_row(r, function, device, r->word);
	const char *name = gm_nvml_result_name(t.rc);
	if (t.rc == GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH && r->newer)
		suite_note("%s: this driver does not know version word %08x", r->function, r->word);
	else if (t.rc != GM_NVML_SUCCESS)
		(void)suite_check(gm_nvml_is_unsupported(t.rc) && t.rc != GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH &&
					  !t.overrun,
				  what, "%s%s", name, t.overrun ? ", and wrote past it" : "");
	else
		(void)suite_check(!t.overrun && t.filled, what, "%s",
				  t.overrun   ? "the driver writes past it"
				  : !t.filled ? "the driver leaves its last member alone"
					      : "filled to its end, not past it");
	if (r->word && try_row(r, function, device, r->word + 8).rc != GM_NVML_SUCCESS)
		++*refusals;
}

/* The driver writes as many metrics as are asked for into an array that our struct has room for. */
static void check_gpm(const struct suite *s, struct gm_nvml_device *device)
{
	const struct gm_nvml *lib = &s->lib;
	struct gm_nvml_gpm_support support = { .version = GM_NVML_GPM_VERSION };
	struct gm_nvml_gpm_sample *a = NULL, *b = NULL;
	if (!lib->gpm_support || lib->gpm_support(device, &support) != GM_NVML_SUCCESS || !support.supported) {
		suite_note("no GPM on this board");
		return;
	}
	static struct gm_nvml_gpm_get get;
	memset(&get, PATTERN, sizeof(get));
	get.version = GM_NVML_GPM_VERSION;
	get.count = 2;
	get.metrics[0].id = GM_NVML_GPM_GRAPHICS_UTIL;
	get.metrics[1].id = GM_NVML_GPM_DRAM_UTIL;
	int rc = lib->gpm_alloc(&a);
	if (rc == GM_NVML_SUCCESS)
		rc = lib->gpm_alloc(&b);
	if (rc == GM_NVML_SUCCESS)
		rc = lib->gpm_sample(device, a);
	(void)poll(NULL, 0, 200); /* two samples want 100 ms between them */
	if (rc == GM_NVML_SUCCESS)
		rc = lib->gpm_sample(device, b);
	get.older = a;
	get.newer = b;
	if (rc == GM_NVML_SUCCESS)
		rc = lib->gpm_metrics(&get);
	bool past = !all_pattern((const unsigned char *)&get.metrics[2], sizeof(get.metrics[2]));
	bool answered =
		get.metrics[0].rc == GM_NVML_SUCCESS && get.metrics[0].value >= 0 && get.metrics[0].value <= 100;
	(void)suite_check((rc == GM_NVML_SUCCESS && !past && answered) || gm_nvml_is_unsupported(rc), "GPM metrics",
			  "%s, graphics %.1f %%%s", gm_nvml_result_name(rc), answered ? get.metrics[0].value : -1.0,
			  past ? ", and wrote past those asked for" : "");
	if (a)
		(void)lib->gpm_free(a);
	if (b)
		(void)lib->gpm_free(b);
}

static void check_fields(const struct suite *s, struct gm_nvml_device *device)
{
	struct gm_nvml_field f[4];
	memset(f, PATTERN, sizeof(f));
	static const uint32_t ids[3] = { GM_NVML_FI_ENERGY_MJ, GM_NVML_FI_POWER_INSTANT_MW,
					 GM_NVML_FI_MEMORY_TEMPERATURE_C };
	for (unsigned i = 0; i < 3; i++)
		f[i] = (struct gm_nvml_field){ .id = ids[i], .rc = UINT32_MAX };
	int rc = s->lib.fields ? s->lib.fields(device, 3, f) : GM_NVML_ERROR_FUNCTION_NOT_FOUND;
	bool each = true;
	for (unsigned i = 0; i < 3; i++)
		each = each && f[i].id == ids[i] && f[i].rc != UINT32_MAX;
	(void)suite_check(rc == GM_NVML_SUCCESS && each && all_pattern((const unsigned char *)&f[3], sizeof(f[3])),
			  "array of 40-byte fields", "%s%s", gm_nvml_result_name(rc),
			  each ? "" : ", not each answered");
}

void suite_abi(const struct suite *s)
{
	struct gm_nvml_device *device;
	unsigned refusals = 0;
	int rc = s->lib.by_index(0, &device);
	if (!suite_check(rc == GM_NVML_SUCCESS, "handle of the first GPU", "%s", gm_nvml_result_name(rc)))
		return;
	for (size_t i = 0; i < GM_LEN(rows); i++)
		check_row(s, &rows[i], device, &refusals);
	(void)suite_check(refusals > 0, "a wrong version word is refused", "by %u calls", refusals);
	check_fields(s, device);
	check_gpm(s, device);
}
