/* SPDX-License-Identifier: MIT */
#include "adapter/nvml/nvml.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define LIBRARY "libnvidia-ml.so.1"

/* By preference: what the loader finds (LD_LIBRARY_PATH, ld.so.cache), distributions, GKE, driver containers, WSL. */
static const char *const places[] = {
	LIBRARY,
	"/usr/lib/x86_64-linux-gnu/" LIBRARY,
	"/usr/lib64/" LIBRARY,
	"/usr/lib/" LIBRARY,
	"/usr/local/nvidia/lib64/" LIBRARY,
	"/home/kubernetes/bin/nvidia/lib64/" LIBRARY,
	"/run/nvidia/driver/usr/lib/x86_64-linux-gnu/" LIBRARY,
	"/run/nvidia/driver/usr/lib64/" LIBRARY,
	"/usr/lib/wsl/lib/" LIBRARY,
};

enum need { NEED_req, NEED_opt };
static const struct {
	const char *names; /* divided by '|' */
	size_t offset;
	enum need need;
} symbols[] = {
#define ROW(need_, member, type, names_) { names_, offsetof(struct gm_nvml, member), NEED_##need_ },
	GM_NVML_SYMBOLS(ROW)
#undef ROW
};
_Static_assert(GM_LEN(symbols) == GM_NVML_SYMBOL_COUNT, "a row a symbol");

/* The n-th of the names, from 1, in a buffer; false when there are fewer. */
static bool name_at(const char *names, unsigned n, char *out, size_t size)
{
	struct gm_str rest = gm_str(names), part;
	while (gm_str_split(&rest, '|', &part))
		if (--n == 0)
			return gm_str_copy(part, out, size);
	return false;
}

static bool load(struct gm_nvml *lib, unsigned i)
{
	char name[80];
	for (unsigned n = 1; name_at(symbols[i].names, n, name, sizeof(name)); n++) {
		void *p = dlsym(lib->handle, name);
		if (!p)
			continue;
		memcpy((char *)lib + symbols[i].offset, &p, sizeof(p));
		lib->found[i] = (uint8_t)n;
		return true;
	}
	return false;
}

/* False with the loader's words appended to `tried`. */
static bool open_one(const char *path, struct gm_nvml *lib, struct gm_buf *tried)
{
	lib->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (lib->handle) {
		(void)snprintf(lib->path, sizeof(lib->path), "%s", path);
		return true;
	}
	const char *why = dlerror();
	gm_buf_addf(tried, "%s%s", tried->n ? "; " : "", why ? why : path);
	return false;
}

int gm_nvml_open(const char *path, struct gm_nvml *out, struct gm_err *err)
{
	struct gm_nvml lib = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf tried = { 0 };
	bool is_open = path && open_one(path, &lib, &tried);
	for (size_t i = 0; !path && !is_open && i < GM_LEN(places); i++)
		is_open = open_one(places[i], &lib, &tried);
	if (!is_open)
		return gm_fail(err, GM_ERR_NOT_FOUND, "NVML: %s", gm_buf_cstr(&tried));
	for (unsigned i = 0; i < GM_NVML_SYMBOL_COUNT; i++) {
		if (load(&lib, i) || symbols[i].need == NEED_opt)
			continue;
		int rc = gm_fail(err, GM_ERR_UNSUPPORTED, "%s: has no %s: too old, or not NVML", lib.path,
				 gm_nvml_symbol_name(i));
		gm_nvml_close(&lib);
		return rc;
	}
	*out = lib;
	return 0;
}

void gm_nvml_close(struct gm_nvml *lib)
{
	if (lib->handle)
		(void)dlclose(lib->handle);
	*lib = (struct gm_nvml){ 0 };
}

const char *gm_nvml_symbol_name(unsigned symbol)
{
	static _Thread_local char name[80];
	if (symbol >= GM_NVML_SYMBOL_COUNT || !name_at(symbols[symbol].names, 1, name, sizeof(name)))
		return "?";
	return name;
}

int gm_nvml_list_symbols(const struct gm_nvml *lib,
			 void (*each)(void *ctx, const char *wanted, const char *found, bool needed), void *ctx)
{
	int missing = 0;
	for (unsigned i = 0; i < GM_NVML_SYMBOL_COUNT; i++) {
		char name[80];
		bool found = lib->found[i] && name_at(symbols[i].names, lib->found[i], name, sizeof(name));
		missing += found ? 0 : 1;
		each(ctx, gm_nvml_symbol_name(i), found ? name : NULL, symbols[i].need == NEED_req);
	}
	return missing;
}

const char *gm_nvml_result_name(int rc)
{
	switch (rc) {
#define RESULT(name, number, text)                                                                                     \
	case number:                                                                                                   \
		return #name;
		GM_NVML_RESULT_LIST(RESULT)
#undef RESULT
	}
	static _Thread_local char other[24];
	(void)snprintf(other, sizeof(other), "code %d", rc);
	return other;
}

bool gm_nvml_is_unsupported(int rc)
{
	return rc == GM_NVML_ERROR_NOT_SUPPORTED || rc == GM_NVML_ERROR_NO_PERMISSION ||
	       rc == GM_NVML_ERROR_FUNCTION_NOT_FOUND || rc == GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH ||
	       rc == GM_NVML_ERROR_DEPRECATED;
}

bool gm_nvml_is_driver_gone(int rc)
{
	return rc == GM_NVML_ERROR_UNINITIALIZED || rc == GM_NVML_ERROR_DRIVER_NOT_LOADED ||
	       rc == GM_NVML_ERROR_LIB_RM_VERSION_MISMATCH;
}
