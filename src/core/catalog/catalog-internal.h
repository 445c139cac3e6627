/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_CATALOG_CATALOG_INTERNAL_H
#define GM_CORE_CATALOG_CATALOG_INTERNAL_H

#include "core/catalog/catalog.h"

/* What tools/gen-catalog makes of models.json and mig.json. */
extern const struct gm_variant gm_catalog_rows[]; /* sorted by id */
extern const size_t gm_catalog_row_count;
extern const struct gm_mig_table gm_catalog_mig_tables[];
extern const size_t gm_catalog_mig_table_count;

/* Names in the form of name_key, sorted; of equal ones the more trusted first. */
struct gm_catalog_key {
	const char *key;
	const struct gm_variant *variant;
};
extern const struct gm_catalog_key gm_catalog_keys[];
extern const size_t gm_catalog_key_count;

#endif
