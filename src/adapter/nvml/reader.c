/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "adapter/nvml/reader-internal.h"
#include "base/alloc.h"

struct gm_nvml_reader *gm_nvml_reader_new(const struct gm_nvml *lib, const struct gm_nvml_probe *probe,
					  const char *uuid, unsigned index)
{
	struct gm_nvml_reader *r = gm_xalloc(sizeof(*r));
	r->lib = lib;
	r->probe = probe;
	r->index = index;
	r->mig_current = r->mig_pending = -1;
	(void)gm_str_copy(gm_str(uuid), r->uuid, sizeof(r->uuid));
	return r;
}

void gm_nvml_reader_free(struct gm_nvml_reader *r)
{
	if (!r)
		return;
	r->fatal = 0;
	gm_reader_gpm_free(r);
	free(r->process_buffer);
	free(r);
}

/* Answers that are no sign of life: of the library, not of the board; or by heart. */
static bool is_of_library(enum gm_nvml_symbol symbol)
{
	switch ((int)symbol) {
	case GM_NVML_SYMBOL_count:
	case GM_NVML_SYMBOL_by_index:
	case GM_NVML_SYMBOL_by_uuid:
	case GM_NVML_SYMBOL_uuid:
	case GM_NVML_SYMBOL_driver_version:
	case GM_NVML_SYMBOL_nvml_version:
	case GM_NVML_SYMBOL_cuda_version:
	case GM_NVML_SYMBOL_process_name:
	case GM_NVML_SYMBOL_gpm_alloc:
	case GM_NVML_SYMBOL_gpm_metrics:
	case GM_NVML_SYMBOL_gpm_free:
		return true;
	}
	return false;
}

int gm_reader_note(struct gm_nvml_reader *r, enum gm_nvml_symbol symbol, int rc)
{
	if (rc == GM_NVML_SUCCESS)
		r->has_answered |= !is_of_library(symbol);
	else if (rc == GM_NVML_ERROR_GPU_IS_LOST || gm_nvml_is_driver_gone(rc))
		r->fatal = rc;
	else if (!gm_nvml_is_unsupported(rc))
		r->last_error = rc;
	return rc;
}

/* Everything that speaks of handles, or of counters that may have begun anew. */
static void forget(struct gm_nvml_reader *r)
{
	r->device = NULL;
	r->facts_due_ms = 0;
	r->mig_again_ms = 0;
	r->mig_max = 0;
	memset(r->row_again_ms, 0, sizeof(r->row_again_ms));
	memset(r->rates, 0, sizeof(r->rates));
	memset(r->memos, 0, sizeof(r->memos));
	for (size_t i = 0; i < GM_LEN(r->mig); i++) {
		r->mig[i].device = NULL;
		r->mig[i].whole = false;
	}
	memset(r->processes_again_ms, 0, sizeof(r->processes_again_ms));
	r->processes_due_ms = r->details_again_ms = 0;
	gm_reader_gpm_drop(r);
}

static int uuid_of(struct gm_nvml_reader *r, struct gm_nvml_device *d, char out[static 48])
{
	char text[GM_NVML_UUID_SIZE] = { 0 };
	int rc = GM_READER_CALL(r, uuid, d, text, sizeof(text));
	if (rc == GM_NVML_SUCCESS)
		gm_reader_text(out, 48, text, sizeof(text));
	return rc == GM_NVML_SUCCESS && out[0] == '\0' ? GM_NVML_ERROR_UNKNOWN : rc;
}

/* For a library without the call by UUID: index order may change, so each is asked who it is. */
static int take_by_search(struct gm_nvml_reader *r)
{
	uint32_t count = 0;
	int rc = GM_READER_CALL(r, count, &count);
	for (uint32_t i = 0; rc == GM_NVML_SUCCESS && i < count; i++) {
		struct gm_nvml_device *d = NULL;
		char uuid[48] = "";
		/* Another board that is lost is no news of this one. */
		if (GM_NVML_CALL(r->lib, r->probe, by_index, i, &d) != GM_NVML_SUCCESS ||
		    uuid_of(r, d, uuid) != GM_NVML_SUCCESS || strcmp(uuid, r->uuid) != 0) {
			r->fatal = gm_nvml_is_driver_gone(r->fatal) ? r->fatal : 0;
			continue;
		}
		r->device = d;
		r->index = i;
		return GM_NVML_SUCCESS;
	}
	return rc == GM_NVML_SUCCESS ? (r->fatal ? r->fatal : GM_NVML_ERROR_NOT_FOUND) : rc;
}

static int take_handle(struct gm_nvml_reader *r)
{
	if (r->device)
		return GM_NVML_SUCCESS;
	struct gm_nvml_device *d = NULL;
	if (r->uuid[0] && !r->lib->by_uuid)
		return take_by_search(r);
	int rc = r->uuid[0] ? GM_READER_CALL(r, by_uuid, r->uuid, &d) : GM_READER_CALL(r, by_index, r->index, &d);
	if (rc == GM_NVML_SUCCESS && !d)
		rc = GM_NVML_ERROR_UNKNOWN;
	char uuid[48] = "";
	if (rc == GM_NVML_SUCCESS && r->uuid[0] == '\0') {
		rc = uuid_of(r, d, uuid);
		if (rc == GM_NVML_SUCCESS)
			memcpy(r->uuid, uuid, sizeof(uuid));
	}
	if (rc == GM_NVML_SUCCESS)
		r->device = d;
	return rc;
}

/* No value of anything: the round failed as a whole. */
static void miss_all(struct gm_nvml_reader *r, struct gm_reading *out)
{
	out->sample = (struct gm_sample){ .at_ms = r->now_ms };
	for (int f = 0; f < GM_FIELD_COUNT; f++)
		if (f != GM_FIELD_XID && f != GM_FIELD_VGPU_LICENSE)
			gm_sample_miss(&out->sample, (enum gm_field)f, GM_ERROR, GM_SOURCE_NVML);
	out->instance_count = 0;
	for (size_t i = 0; i < GM_LEN(r->mig); i++) {
		if (r->mig[i].told.uuid[0] == '\0')
			continue;
		struct gm_reading_instance *in = &out->instances[out->instance_count++];
		*in = r->mig[i].told;
		gm_reader_mig_miss(&in->sample, r->now_ms, r->facts.gpm == 1);
	}
	out->process_count = 0;
	out->process_rc = out->rc;
	out->processes_truncated = out->process_list_odd = false;
	out->pstate = out->pcie_gen = out->pcie_width = out->recovery_action = out->retired_pending = -1;
	out->nvlinks_up = -1;
	out->ecc_corrected_ever = out->ecc_uncorrected_ever = -1;
	out->margin_c = INT32_MIN;
	out->bar1_used_bytes = -1;
	out->pcie_rx_source_blocks = 0;
}

static void read_board(struct gm_nvml_reader *r, struct gm_reading *out)
{
	gm_reader_mig_mode(r);
	if (r->mono_ms >= r->facts_due_ms) {
		gm_reader_facts(r);
		gm_reader_profiles(r);
		r->facts_due_ms = r->mono_ms + GM_READER_AGAIN_MS;
	}
	gm_reader_gpm(r, &r->gpm);
	gm_reader_values(r, out);
	gm_reader_mig(r, out);
	gm_reader_processes(r, out);
}

static int read_once(struct gm_nvml_reader *r, struct gm_reading *out)
{
	r->fatal = r->last_error = 0;
	r->has_answered = false;
	out->sample = (struct gm_sample){ .at_ms = r->now_ms };
	int rc = take_handle(r);
	if (rc != GM_NVML_SUCCESS)
		return rc;
	read_board(r, out);
	return r->fatal ? r->fatal : r->has_answered ? 0 : r->last_error;
}

int gm_nvml_read(struct gm_nvml_reader *r, int64_t now_ms, int64_t mono_ms, struct gm_reading *out)
{
	r->now_ms = now_ms;
	r->mono_ms = mono_ms;
	bool is_handle_old = r->device != NULL;
	int rc = read_once(r, out);
	/* A switch of the MIG mode or a reset made the handle stale: that costs no round. */
	if (rc == GM_NVML_ERROR_INVALID_ARGUMENT && is_handle_old) {
		forget(r);
		rc = read_once(r, out);
	}
	out->rc = rc;
	if (rc != GM_NVML_SUCCESS) {
		miss_all(r, out);
		forget(r);
	}
	out->facts = r->facts;
	out->mig_current = r->mig_current;
	out->mig_pending = r->mig_pending;
	out->profile_count = r->profile_count;
	memcpy(out->profiles, r->profiles, sizeof(out->profiles));
	return rc;
}
