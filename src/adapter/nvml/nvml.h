/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVML_NVML_H
#define GM_ADAPTER_NVML_NVML_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/nvml/nvml-abi.h"
#include "adapter/nvml/symbols.h"
#include "base/err.h"

/*
 * NVIDIA's management library, opened at run time: nothing of it is linked and no header of it is used. symbols.h is the
 * one list of what is looked up (exact versioned names, each with its fallbacks), nvml-abi.h the one place of its structs.
 */
struct gm_nvml {
	void *handle; /* of dlopen */
	char path[256];
#define GM_NVML_MEMBER(need, field, type, names) type *field;
	GM_NVML_SYMBOLS(GM_NVML_MEMBER)
#undef GM_NVML_MEMBER
};

/*
 * `path` NULL: libnvidia-ml.so.1 by the loader's search, then the places where containers and distributions keep it.
 * GM_ERR_NOT_FOUND: no such library (the text lists what was tried); GM_ERR_UNSUPPORTED: one that lacks a needed symbol.
 * Does not initialise: that is a call that may hang, like every other.
 */
int gm_nvml_open(const char *path, struct gm_nvml *out, struct gm_err *err) GM_CHECKED;
void gm_nvml_close(struct gm_nvml *lib);

/* "NOT_SUPPORTED"; "code 77" for one that is not known (static text per thread). */
const char *gm_nvml_result_name(int rc);
/* No value because board, mode, driver or rights cannot give it, as opposed to one that failed. */
bool gm_nvml_is_unsupported(int rc); /* 3, 4, 13, 26, 25; */
/* The whole library must be opened anew: 1, 9, 18 */
bool gm_nvml_is_driver_gone(int rc);

/*
 * A hook around every call: the watchdog reads from shared memory which call a thread is in. `symbol` is the index in
 * GM_NVML_SYMBOLS. Both may be NULL.
 */
struct gm_nvml_probe {
	void *ctx;
	void (*enter)(void *ctx, unsigned symbol);
	void (*leave)(void *ctx, unsigned symbol, int rc);
};

#endif
