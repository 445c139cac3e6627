/* SPDX-License-Identifier: MIT */
/* Reads a layout as people write it, on three kinds of boards: what is read is legal, and printed reads back alike. */
#include <stdint.h>
#include <stdlib.h>

#include "core/mig/mig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void read_on(const char *variant, struct gm_str text)
{
	const struct gm_mig_table *t = gm_catalog_variant(gm_str(variant))->mig;
	GM_AUTO(gm_buf_fini_p) struct gm_buf printed = { 0 };
	struct gm_mig_layout l = { .count = 99 }, again;
	struct gm_err err = { 0 };
	int rc = gm_mig_layout_parse(t, text, &l, &err);

	if (rc) {
		must(l.count == 99 && err.code == rc && err.text[0]);
		return;
	}
	must(gm_mig_layout_check(t, &l, NULL) == 0);
	gm_mig_layout_print(t, &l, &printed);
	must(gm_mig_layout_parse(t, gm_buf_str(&printed), &again, NULL) == 0);
	must(gm_mig_layout_same(&l, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gm_str text = gm_str_n((const char *)data, size);

	if (size > 512)
		return 0;
	read_on("H100_SXM5_80GB", text);
	read_on("A30", text);
	read_on("RTX_PRO_6000_BLACKWELL_SE", text);
	return 0;
}
