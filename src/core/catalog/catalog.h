/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_CATALOG_CATALOG_H
#define GM_CORE_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * What is known of GPU boards: facts as data. `model` is the word people configure and price by (H100_80GB), a variant
 * (H100_SXM5_80GB) the board form that decides bandwidth, power and MIG tables. Unknown numbers are -1, unknown texts NULL.
 */
enum gm_lifecycle { GM_LIFECYCLE_UNKNOWN, GM_LIFECYCLE_ACTIVE, GM_LIFECYCLE_EOL };

struct gm_mig_profile {
	const char *name; /* "1g.10gb+me" */
	int nvml_enum;	  /* NVML_GPU_INSTANCE_PROFILE_... */
	int profile_id;	  /* nvmlGpuInstanceProfileInfo_t.id */
	int compute_slices, memory_slices;
	int64_t memory_mib;
	int sm_count, max_instances;
	int copy_engines, decoders, encoders, jpeg, ofa;
	const uint8_t *starts; /* allowed first memory slices, rising */
	size_t start_count;
	int size;	      /* memory slices it occupies */
	const char *resource; /* "nvidia.com/mig-1g.10gb.me" */
};

struct gm_mig_table {
	const char *id; /* "H100_80GB" */
	int compute_slices, placement_units;
	const struct gm_mig_profile *profiles;
	size_t profile_count;
};

struct gm_variant {
	const char *id, *model;
	bool seed; /* one of the user's fourteen */
	enum gm_lifecycle lifecycle;
	const char *const *names;   /* as NVML says them, NULL-ended */
	const char *const *labels;  /* as GPU feature discovery says them, NULL-ended */
	const char *const *pci_ids; /* "2330", NULL-ended */
	const char *architecture;   /* "Hopper" */
	const char *family;	    /* "hopper" */
	int cc_major, cc_minor;
	const char *form_factor;
	int sm_count;
	int memory_gb;	    /* nominal, the word people know */
	int64_t memory_mib; /* NVML's total */
	const char *memory_type;
	int bandwidth_gbs, tdp_watts;
	int slowdown_c, shutdown_c, max_operating_c;
	int nvlink_gbs; /* -1: none or not known */
	bool fp8, bf16, nvlink;
	bool mig_capable;
	int mig_max_instances;
	const struct gm_mig_table *mig; /* NULL: none */
	const char *source;		/* where the figures are from */
};

/* All variants, sorted by id. */
const struct gm_variant *gm_catalog_variants(size_t *out_count);
/* By variant id; NULL when absent. */
const struct gm_variant *gm_catalog_variant(struct gm_str id);
/* True when some variant has this model id. */
bool gm_catalog_has_model(struct gm_str model);
/*
 * The variant behind a product name or label form: with or without "NVIDIA "/"Tesla ", blanks or dashes, case ignored,
 * suffixes "-MIG-<profile>", " MIG <profile>", "-SHARED" dropped; memory_mib (-1: not known) decides between equal names.
 * NULL when the catalogue has none.
 */
const struct gm_variant *gm_catalog_match(struct gm_str product, int64_t memory_mib);
/*
 * A model id made from a product name that the catalogue has not: "NVIDIA Foo X-9000 (rev 2)" is "FOO_X_9000_REV_2";
 * an empty name is "UNKNOWN". Appended to *out, at most 48 bytes.
 */
void gm_catalog_model_from_name(struct gm_str product, struct gm_buf *out);
/* "2g.20gb" or "H100_2G20GB" (any case) in this table; NULL when it has none. */
const struct gm_mig_profile *gm_mig_profile_find(const struct gm_mig_table *table, struct gm_str name);
/* The seed's form of a profile: model "H100_80GB" and "1g.10gb+me" give "H100_1G10GB_ME". */
void gm_mig_profile_id(const char *model, const char *profile, struct gm_buf *out);

#endif
