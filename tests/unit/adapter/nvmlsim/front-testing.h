/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_NVMLSIM_FRONT_TESTING_H
#define GM_TESTS_NVMLSIM_FRONT_TESTING_H

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "adapter/nvmlsim/world.h"
#include "base/buf.h"

/*
 * The library as a client has it: by dlopen and exact names, with declarations of its own (bytes and offsets), not those
 * that library and agent share. The world is changed from outside, as another process would.
 */
struct bench {
	char folder[64];
	void *library;
	struct nvs_world *control;
};
static struct bench bench;

typedef void *device;

static inline void *symbol(const char *name)
{
	void *found = dlsym(bench.library, name);
	if (!found)
		fail_msg("%s is missing", name);
	return found;
}
/* NV(nvmlDeviceGetMinorNumber, device, unsigned *)(d, &minor) */
#define NV(name, ...) ((int (*)(__VA_ARGS__))(uintptr_t)symbol(#name))

#define IS(rc, call) assert_int_equal((call), (rc))
enum {
	OK = 0,
	UNINITIALIZED = 1,
	INVALID = 2,
	UNSUPPORTED = 3,
	NO_PERMISSION = 4,
	NOT_FOUND = 6,
	TOO_SMALL = 7,
	NO_DRIVER = 9,
	TIMEOUT = 10,
	NO_FUNCTION = 13,
	LOST = 15,
	MISMATCH = 18,
	IN_USE = 19,
	NO_DATA = 21,
	NO_ROOM = 23,
	WRONG_VERSION = 25,
	DEPRECATED = 26,
};

static inline void command(const char *line)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_err err = { 0 };
	if (nvs_command(bench.control, gm_str(line), &out, &err) < 0)
		fail_msg("%s: %s", line, err.text);
}

static inline device board(unsigned index)
{
	device d = NULL;
	IS(OK, NV(nvmlDeviceGetHandleByIndex_v2, unsigned, device *)(index, &d));
	return d;
}

static inline void shut_down(void)
{
	while (NV(nvmlShutdown, void)() == OK) {
	}
}

/* A new world of this scenario (YAML), and the library initialised in it. */
static inline void begin(const char *scenario)
{
	char path[96];
	struct gm_err err = { 0 };

	shut_down();
	(void)snprintf(path, sizeof(path), "%s/scenario.yml", bench.folder);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(scenario, f) >= 0);
	assert_int_equal(fclose(f), 0);
	if (nvs_world_reset_at(path, bench.folder, &err) < 0)
		fail_msg("%s %s", err.where, err.text);
	nvs_world_close(bench.control);
	bench.control = NULL;
	if (nvs_world_open_at(NULL, bench.folder, &bench.control, &err) < 0)
		fail_msg("%s %s", err.where, err.text);
	IS(OK, NV(nvmlInit_v2, void)());
}

static inline int bench_open(void **state)
{
	const char *path = getenv("NVML_SIM_LIBRARY");
	(void)state;
	(void)snprintf(bench.folder, sizeof(bench.folder), "/tmp/nvmlsim-front-XXXXXX");
	if (!path || !mkdtemp(bench.folder) || setenv("NVML_SIM_STATE", bench.folder, 1) != 0 ||
	    unsetenv("NVML_SIM_SCENARIO") != 0)
		return -1;
	bench.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!bench.library)
		(void)fprintf(stderr, "%s\n", dlerror());
	return bench.library ? 0 : -1;
}

static inline int bench_close(void **state)
{
	static const char *const files[] = { "world", "scenario.yml" };
	char path[96];
	(void)state;
	shut_down();
	nvs_world_close(bench.control);
	for (size_t i = 0; i < GM_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", bench.folder, files[i]);
		(void)unlink(path);
	}
	return rmdir(bench.folder);
}

/* Bytes as the driver lays them out. */
static inline uint32_t u32_at(const void *p, size_t offset)
{
	uint32_t v;
	memcpy(&v, (const char *)p + offset, sizeof(v));
	return v;
}
static inline uint64_t u64_at(const void *p, size_t offset)
{
	uint64_t v;
	memcpy(&v, (const char *)p + offset, sizeof(v));
	return v;
}
static inline void put_u32(void *p, size_t offset, uint32_t v)
{
	memcpy((char *)p + offset, &v, sizeof(v));
}
static inline void put_ptr(void *p, size_t offset, const void *v)
{
	memcpy((char *)p + offset, &v, sizeof(v));
}

#endif
