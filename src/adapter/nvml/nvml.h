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
	uint8_t found[GM_NVML_SYMBOL_COUNT]; /* which of its names it has, from 1; 0: none */
#define GM_NVML_MEMBER(need, field, type, names) __typeof__(type) *field;
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

/* "nvmlDeviceGetMemoryInfo_v2": the name a call has by preference; "?" past the end. Static text per thread. */
const char *gm_nvml_symbol_name(unsigned symbol);
/*
 * Every symbol once, in the order of the list: `found` is the exact name that the library has, NULL for none of its
 * names. Answers how many are missing.
 */
int gm_nvml_list_symbols(const struct gm_nvml *lib,
			 void (*each)(void *ctx, const char *wanted, const char *found, bool needed), void *ctx);

/* "NOT_SUPPORTED"; "code 77" for one that is not known (static text per thread). */
const char *gm_nvml_result_name(int rc);
/* No value because board, mode, driver or rights cannot give it, as opposed to one that failed: 3, 4, 13, 25, 26. */
bool gm_nvml_is_unsupported(int rc);
/* The whole library must be initialised anew (1, 9), or the program started anew (18). */
bool gm_nvml_is_driver_gone(int rc);

/*
 * A hook around every call: the watchdog reads from shared memory which call a thread is in. `symbol` is an enum
 * gm_nvml_symbol. The probe and each of its functions may be NULL.
 */
struct gm_nvml_probe {
	void *ctx;
	void (*enter)(void *ctx, unsigned symbol);
	void (*leave)(void *ctx, unsigned symbol, int rc);
};

/* A call through the probe; FUNCTION_NOT_FOUND where the library lacks it. GM_NVML_CALL(lib, probe, count, &n). */
#define GM_NVML_CALL(lib_, probe_, member, ...)                                                                        \
	({                                                                                                             \
		const struct gm_nvml *gm_lib_ = (lib_);                                                                \
		const struct gm_nvml_probe *gm_probe_ = (probe_);                                                      \
		int gm_rc_ = GM_NVML_ERROR_FUNCTION_NOT_FOUND;                                                         \
		if (gm_lib_->member) {                                                                                 \
			if (gm_probe_ && gm_probe_->enter)                                                             \
				gm_probe_->enter(gm_probe_->ctx, GM_NVML_SYMBOL_##member);                             \
			gm_rc_ = gm_lib_->member(__VA_ARGS__);                                                         \
			if (gm_probe_ && gm_probe_->leave)                                                             \
				gm_probe_->leave(gm_probe_->ctx, GM_NVML_SYMBOL_##member, gm_rc_);                     \
		}                                                                                                      \
		gm_rc_;                                                                                                \
	})

#endif
