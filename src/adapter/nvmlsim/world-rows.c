/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "adapter/nvml/nvml-abi.h"
#include "adapter/nvmlsim/world-internal.h"
#include "base/parse.h"

#define PID_MAX 4194304
#define TIMES_MAX 1000000000

const char *const nvs_does_names[NVS_DOES_COUNT] = {
#define NAME(name, text) [NVS_DOES_##name] = text,
	NVS_DOES_LIST(NAME)
#undef NAME
};

static const struct {
	const char *name;
	int code;
} results[] = {
#define RESULT(name, code, text) { #name, code },
	GM_NVML_RESULT_LIST(RESULT)
#undef RESULT
};

/* Letter case and '-' for '_' do not matter. */
static bool same_word(struct gm_str a, const char *b)
{
	if (a.n != strlen(b))
		return false;
	for (size_t i = 0; i < a.n; i++) {
		char c = a.p[i] == '-' ? '_' : a.p[i];
		c = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
		if (c != b[i])
			return false;
	}
	return true;
}

bool nvs_read_code(struct gm_str value, int64_t *out)
{
	for (size_t i = 0; i < GM_LEN(results); i++) {
		if (!same_word(value, results[i].name))
			continue;
		*out = results[i].code;
		return true;
	}
	return gm_parse_i64(value, 1, 999, out);
}

bool nvs_read_gpu(struct gm_str value, int *out)
{
	int64_t gpu;
	if (!gm_parse_i64(value, 0, NVS_BOARDS_MAX - 1, &gpu))
		return false;
	*out = (int)gpu;
	return true;
}

static int wrong(struct gm_err *err, const char *wanted)
{
	return gm_fail(err, GM_ERR_INVALID, "%s", wanted);
}

static int gpu_or_all(struct gm_str v, int *out, struct gm_err *err)
{
	if (gm_str_is(v, "all")) {
		*out = -1;
		return 0;
	}
	return nvs_read_gpu(v, out) ? 0 : wrong(err, "not an index from 0 to 31, or all");
}

static int duration(struct gm_str v, int64_t *out, struct gm_err *err)
{
	return gm_parse_duration_ms(v, out) ? 0 : wrong(err, "not a duration as 500ms, 90s or 2h");
}

static int text(struct gm_str v, char *out, size_t size, struct gm_err *err)
{
	if (v.n && gm_str_plain_ok(v) && gm_str_copy(v, out, size))
		return 0;
	return gm_fail(err, GM_ERR_INVALID, "not a text of 1 to %zu bytes", size - 1);
}

/* --- MIG at the beginning --- */

static int mig_gpu(struct gm_str v, void *row, struct gm_err *err)
{
	return gpu_or_all(v, &((struct nvs_mig_row *)row)->gpu, err);
}

static int mig_mode(struct gm_str v, void *row, struct gm_err *err)
{
	bool on;
	if (!gm_parse_bool(v, &on))
		return wrong(err, "not on or off");
	((struct nvs_mig_row *)row)->mode = on;
	return 0;
}

static int mig_layout(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_mig_row *r = row;
	r->has_layout = true;
	return text(v, r->layout, sizeof(r->layout), err);
}

static int mig_finish(void *row, struct gm_err *err)
{
	struct nvs_mig_row *r = row;
	if (r->has_layout && r->mode == 0)
		return wrong(err, "a layout with the mode off");
	if (r->mode < 0)
		r->mode = 1;
	return 0;
}

static const struct nvs_row_key mig_keys[] = {
	{ "gpu", false, mig_gpu },
	{ "layout", false, mig_layout },
	{ "mode", false, mig_mode },
};
const struct nvs_row_kind nvs_mig_rows = { "a MIG row", mig_keys, GM_LEN(mig_keys), mig_finish };

/* --- processes --- */

static int process_pid(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_process_row *r = row;
	if (gm_str_is(v, "self")) {
		r->pid = NVS_PID_SELF;
		return 0;
	}
	return gm_parse_i64(v, 1, PID_MAX, &r->pid) ? 0 : wrong(err, "not a pid from 1 to 4194304, or self");
}

static int process_gpu(struct gm_str v, void *row, struct gm_err *err)
{
	return nvs_read_gpu(v, &((struct nvs_process_row *)row)->gpu) ? 0 : wrong(err, "not an index from 0 to 31");
}

/* "3", "3.0": GPU instance, compute instance. */
static bool read_instance(struct gm_str v, int *gi, int *ci)
{
	size_t dot = gm_str_find(v, '.');
	int64_t a, b = 0;
	if (!gm_parse_i64(gm_str_n(v.p, dot), 0, NVS_GI_MAX - 1, &a))
		return false;
	if (dot < v.n && !gm_parse_i64(gm_str_n(v.p + dot + 1, v.n - dot - 1), 0, NVS_CI_MAX - 1, &b))
		return false;
	*gi = (int)a;
	*ci = (int)b;
	return true;
}

static int process_instance(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_process_row *r = row;
	return read_instance(v, &r->gi, &r->ci)
		       ? 0
		       : wrong(err, "not a GPU instance as 3, or with a compute instance as 3.0");
}

static int process_kind(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_process_row *r = row;
	struct gm_str one;
	r->kinds = 0;
	while (gm_str_split(&v, '+', &one)) {
		if (gm_str_is(one, "compute"))
			r->kinds |= NVS_KIND_COMPUTE;
		else if (gm_str_is(one, "graphics"))
			r->kinds |= NVS_KIND_GRAPHICS;
		else if (gm_str_is(one, "mps"))
			r->kinds |= NVS_KIND_MPS;
		else
			return wrong(err, "not of compute, graphics, mps, joined by '+'");
	}
	return r->kinds ? 0 : wrong(err, "no kind");
}

static int process_memory(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_process_row *r = row;
	if (gm_str_is(v, "unknown")) {
		r->memory = -1;
		return 0;
	}
	return gm_parse_bytes(v, &r->memory) && r->memory >= 0 ? 0 : wrong(err, "not a size as 512MiB, or unknown");
}

static int process_load(struct gm_str v, void *row, struct gm_err *err)
{
	return gm_parse_i64(v, 0, 100, &((struct nvs_process_row *)row)->load) ? 0 : wrong(err, "not from 0 to 100");
}

static int process_name(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_process_row *r = row;
	return text(v, r->name, sizeof(r->name), err);
}

static int process_channel(struct gm_str v, void *row, struct gm_err *err)
{
	return gm_parse_bool(v, &((struct nvs_process_row *)row)->channel) ? 0 : wrong(err, "not true or false");
}

static const struct nvs_row_key process_keys[] = {
	{ "channel", false, process_channel }, { "gpu", true, process_gpu },	{ "instance", false, process_instance },
	{ "kind", false, process_kind },       { "load", false, process_load }, { "memory", false, process_memory },
	{ "name", false, process_name },       { "pid", true, process_pid },
};
const struct nvs_row_kind nvs_process_rows = { "a process", process_keys, GM_LEN(process_keys), NULL };

/* --- faults of calls --- */

static int fault_function(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_fault_row *r = row;
	bool ok = gm_str_is(v, "*") || gm_str_starts(v, GM_STR("nvml"));
	for (size_t i = 0; i < v.n && ok; i++) {
		char c = v.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
		ok = letter || (c == '*' && i == v.n - 1);
	}
	if (ok && gm_str_copy(v, r->function, sizeof(r->function)))
		return 0;
	return wrong(err, "not a function as nvmlDeviceGetName, nvmlDeviceGet* or *");
}

static int fault_gpu(struct gm_str v, void *row, struct gm_err *err)
{
	return gpu_or_all(v, &((struct nvs_fault_row *)row)->gpu, err);
}

static int fault_does(struct gm_str v, void *row, struct gm_err *err)
{
	for (unsigned i = 0; i < NVS_DOES_COUNT; i++) {
		if (!gm_str_is(v, nvs_does_names[i]))
			continue;
		((struct nvs_fault_row *)row)->does = (enum nvs_does)i;
		return 0;
	}
	return wrong(err, "not one of block, block-library, block-driver, slow, error, garbage, crash");
}

static int fault_value(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_fault_row *r = row;
	return text(v, r->text, sizeof(r->text), err);
}

static int fault_after(struct gm_str v, void *row, struct gm_err *err)
{
	return duration(v, &((struct nvs_fault_row *)row)->after_ms, err);
}

static int fault_for(struct gm_str v, void *row, struct gm_err *err)
{
	return duration(v, &((struct nvs_fault_row *)row)->for_ms, err);
}

static int fault_times(struct gm_str v, void *row, struct gm_err *err)
{
	return gm_parse_i64(v, 1, TIMES_MAX, &((struct nvs_fault_row *)row)->times)
		       ? 0
		       : wrong(err, "not a number from 1 to 1000000000");
}

/* What the value is depends on what is done, and keys come in any order. */
static int fault_finish(void *row, struct gm_err *err)
{
	struct nvs_fault_row *r = row;
	struct gm_str value = gm_str(r->text);
	switch (r->does) {
	case NVS_DOES_ERROR:
		return nvs_read_code(value, &r->value) ? 0
						       : wrong(err, "error: its value is no NVML code or name of one");
	case NVS_DOES_SLOW:
		return gm_parse_duration_ms(value, &r->value) && r->value > 0
			       ? 0
			       : wrong(err, "slow: its value is no duration as 20ms");
	case NVS_DOES_BLOCK:
	case NVS_DOES_BLOCK_LIBRARY:
	case NVS_DOES_BLOCK_DRIVER:
		return !value.n || gm_parse_duration_ms(value, &r->value)
			       ? 0
			       : wrong(err, "block: its value is no duration as 5s");
	case NVS_DOES_GARBAGE:
	case NVS_DOES_CRASH:
		return !value.n ? 0 : wrong(err, "this has no value");
	case NVS_DOES_COUNT:
		break;
	}
	return wrong(err, "does nothing");
}

static const struct nvs_row_key fault_keys[] = {
	{ "after", false, fault_after },      { "does", true, fault_does }, { "for", false, fault_for },
	{ "function", true, fault_function }, { "gpu", false, fault_gpu },  { "times", false, fault_times },
	{ "value", false, fault_value },
};
const struct nvs_row_kind nvs_fault_rows = { "a call fault", fault_keys, GM_LEN(fault_keys), fault_finish };

/* --- faults of boards: core/sim's --- */

static int board_fault_kind(struct gm_str v, void *row, struct gm_err *err)
{
	struct gm_sim_fault *f = row;
	f->kind = gm_sim_fault_find(v);
	if (f->kind != GM_SIM_FAULT_COUNT && f->kind != GM_SIM_FAULT_NODE_AWAY)
		return 0;
	return wrong(err, "not one of overheat, throttle, xid, ecc-sbe, ecc-dbe, lost");
}

static int board_fault_gpu(struct gm_str v, void *row, struct gm_err *err)
{
	return gpu_or_all(v, &((struct gm_sim_fault *)row)->gpu, err);
}

static int board_fault_after(struct gm_str v, void *row, struct gm_err *err)
{
	return duration(v, &((struct gm_sim_fault *)row)->after_ms, err);
}

static int board_fault_for(struct gm_str v, void *row, struct gm_err *err)
{
	return duration(v, &((struct gm_sim_fault *)row)->lasts_ms, err);
}

static int board_fault_value(struct gm_str v, void *row, struct gm_err *err)
{
	return gm_parse_i64(v, 0, 1000000, &((struct gm_sim_fault *)row)->value)
		       ? 0
		       : wrong(err, "not a number from 0 to 1000000");
}

static const struct nvs_row_key board_fault_keys[] = {
	{ "after", false, board_fault_after }, { "fault", true, board_fault_kind },   { "for", false, board_fault_for },
	{ "gpu", false, board_fault_gpu },     { "value", false, board_fault_value },
};
const struct nvs_row_kind nvs_board_fault_rows = { "a board fault", board_fault_keys, GM_LEN(board_fault_keys), NULL };

/* --- loads --- */

/* "2", "2/3": a board, a GPU instance of it. */
static int load_target(struct gm_str v, void *row, struct gm_err *err)
{
	struct nvs_load_row *r = row;
	size_t slash = gm_str_find(v, '/');
	int ci;
	if (nvs_read_gpu(gm_str_n(v.p, slash), &r->gpu) &&
	    (slash == v.n || read_instance(gm_str_n(v.p + slash + 1, v.n - slash - 1), &r->gi, &ci)))
		return 0;
	return wrong(err, "not a GPU as 2, or a GPU instance of it as 2/3");
}

static int load_percent(struct gm_str v, void *row, struct gm_err *err)
{
	int64_t percent = -1;
	if (!gm_str_is(v, "auto") && !gm_parse_i64(v, 0, 100, &percent))
		return wrong(err, "not from 0 to 100, or auto");
	((struct nvs_load_row *)row)->percent = (int)percent;
	return 0;
}

static const struct nvs_row_key load_keys[] = {
	{ "gpu", true, load_target },
	{ "percent", true, load_percent },
};
const struct nvs_row_kind nvs_load_rows = { "a load", load_keys, GM_LEN(load_keys), NULL };

/* --- any row --- */

static int unknown_key(const struct nvs_row_kind *kind, const struct gm_option_pair *p, struct gm_err *err)
{
	char known[200] = "";
	size_t n = 0;
	for (size_t i = 0; i < kind->count; i++) {
		int more = snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "", kind->keys[i].key);
		n += more > 0 && (size_t)more < sizeof(known) - n ? (size_t)more : 0;
	}
	return gm_fail_at(err, GM_ERR_INVALID, p->where ? p->where : "", "%.60s: unknown key; %s has %s", p->key,
			  kind->what, known);
}

int nvs_row_read(const struct nvs_row_kind *kind, const struct gm_option_map *pairs, void *row, struct gm_err *err)
{
	const char *first = pairs->count && pairs->items[0].where ? pairs->items[0].where : "";
	unsigned seen = 0;
	struct gm_err why = { 0 };
	for (size_t i = 0; i < pairs->count; i++) {
		const struct gm_option_pair *p = &pairs->items[i];
		size_t k = 0;
		while (k < kind->count && strcmp(p->key, kind->keys[k].key) != 0)
			k++;
		if (k == kind->count)
			return unknown_key(kind, p, err);
		if (seen >> k & 1)
			return gm_fail_at(err, GM_ERR_INVALID, p->where ? p->where : "", "%s is given twice", p->key);
		int rc = kind->keys[k].read(gm_str(p->value), row, &why);
		if (rc < 0)
			return gm_fail_at(err, rc, p->where ? p->where : "", "%s: '%.100s': %s", p->key, p->value,
					  why.text);
		seen |= 1U << k;
	}
	for (size_t k = 0; k < kind->count; k++) {
		if (kind->keys[k].needed && !(seen >> k & 1))
			return gm_fail_at(err, GM_ERR_INVALID, first, "%s without '%s'", kind->what, kind->keys[k].key);
	}
	int rc = kind->finish ? kind->finish(row, &why) : 0;
	return rc < 0 ? gm_fail_at(err, rc, first, "%s: %s", kind->what, why.text) : 0;
}
