/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "adapter/nvml/nvml-abi.h"
#include "adapter/nvmlsim/world-internal.h"
#include "base/parse.h"

/*
 * Commands: a line of words, "..." around those with blanks. A word "key=value" is named, the others stand for the
 * command's own keys in their order. What rows of scenario files read, commands read with the same code.
 */
#define LINE_MAX_BYTES 1000
#define WORDS_MAX 16

struct call {
	struct nvs_world *w;
	struct nvs_shared *s;
	struct gm_option_pair pairs[WORDS_MAX];
	struct gm_option_map map; /* of pairs */
	struct gm_buf *out;
	struct gm_err *err;
};
struct command {
	const char *name, *usage, *help;
	const char *keys[4]; /* of the words without a name */
	int (*run)(struct call *c);
};

static const char *value_of(const struct call *c, const char *key)
{
	for (size_t i = 0; i < c->map.count; i++) {
		if (strcmp(c->map.items[i].key, key) == 0)
			return c->map.items[i].value;
	}
	return NULL;
}

static int wrong(struct call *c, const char *what)
{
	return gm_fail(c->err, GM_ERR_INVALID, "%s", what);
}

static int refused(struct call *c, int rc, const char *why)
{
	return gm_fail(c->err, GM_ERR_CONFLICT, "refused, code %d (%s)", rc, why);
}

/* The key "gpu" as an index of a board that is there; negative: *c->err says why. */
static int board_of(struct call *c)
{
	const char *text = value_of(c, "gpu");
	int gpu;
	if (!text || !nvs_read_gpu(gm_str(text), &gpu))
		return gm_fail(c->err, GM_ERR_INVALID, "gpu: '%.40s': not an index", text ? text : "");
	if (gpu >= (int)c->s->board_count)
		return gm_fail(c->err, GM_ERR_NOT_FOUND, "GPU %d: there are %u", gpu, c->s->board_count);
	return gpu;
}

static int switch_of(struct call *c, bool *out)
{
	const char *text = value_of(c, "mode");
	return text && gm_parse_bool(gm_str(text), out) ? 0 : wrong(c, "not on or off");
}

/* A board's state that was changed past nvs_reshape. */
static void note(struct call *c, unsigned board)
{
	c->w->shown_ms[board] = -1;
	nvs_save(c->w);
}

static int run_show(struct call *c)
{
	const char *format = value_of(c, "format");
	if (format && strcmp(format, "-o") == 0)
		format = value_of(c, "name");
	if (!format)
		nvs_show_text(c->w, c->out);
	else if (strcmp(format, "json") == 0)
		nvs_show_json(c->w, c->out);
	else
		return wrong(c, "show, or show -o json");
	return 0;
}

static int run_fault(struct call *c)
{
	struct nvs_fault_row row = { .gpu = -1 };
	uint32_t id = 0;
	int rc = nvs_row_read(&nvs_fault_rows, &c->map, &row, c->err);
	if (rc == 0)
		rc = nvs_fault_add(c->s, &row, &id, c->err);
	if (rc < 0)
		return rc;
	nvs_fault_recount(c->w->file);
	gm_buf_addf(c->out, "%u\n", id);
	return 0;
}

static int run_clear(struct call *c)
{
	const char *text = value_of(c, "id");
	uint64_t id = 0;
	if (text && strcmp(text, "all") != 0 && !gm_parse_u64(gm_str(text), 1, UINT32_MAX, &id))
		return wrong(c, "not the number of a fault, or all");
	if (!nvs_fault_clear(c->w, (uint32_t)id) && id)
		return gm_fail(c->err, GM_ERR_NOT_FOUND, "there is no fault %s", text);
	return 0;
}

static int run_xid(struct call *c)
{
	const char *text = value_of(c, "code");
	int64_t code;
	int board = board_of(c);
	if (board < 0)
		return board;
	if (!text || !gm_parse_i64(gm_str(text), 1, 1000000, &code))
		return wrong(c, "code: not from 1 to 1000000");
	gm_sim_live_fault(c->w->sim, (size_t)board, GM_SIM_FAULT_XID, code);
	nvs_event_raise(c->w, (unsigned)board, NVS_EVENT_XID, (uint64_t)code, -1, -1);
	note(c, (unsigned)board);
	return 0;
}

static int run_ecc(struct call *c)
{
	const char *kind = value_of(c, "kind"), *text = value_of(c, "count");
	int64_t count = 1;
	int board = board_of(c);
	if (board < 0)
		return board;
	if (!kind || (strcmp(kind, "sbe") != 0 && strcmp(kind, "dbe") != 0))
		return wrong(c, "not sbe or dbe");
	if (text && !gm_parse_i64(gm_str(text), 1, 1000000, &count))
		return wrong(c, "count: not from 1 to 1000000");
	if (nvs_static_device(c->w, (unsigned)board)->ecc_sbe < 0)
		return gm_fail(c->err, GM_ERR_UNSUPPORTED, "GPU %d has no ECC", board);
	bool sbe = kind[0] == 's';
	gm_sim_live_fault(c->w->sim, (size_t)board, sbe ? GM_SIM_FAULT_ECC_SBE : GM_SIM_FAULT_ECC_DBE, count);
	nvs_event_raise(c->w, (unsigned)board, sbe ? NVS_EVENT_SBE : NVS_EVENT_DBE, 0, -1, -1);
	note(c, (unsigned)board);
	return 0;
}

static int run_lost(struct call *c)
{
	int board = board_of(c);
	if (board < 0)
		return board;
	c->s->boards[board].lost = true;
	gm_sim_live_fault(c->w->sim, (size_t)board, GM_SIM_FAULT_XID, 79);
	nvs_event_raise(c->w, (unsigned)board, NVS_EVENT_XID, 79, -1, -1);
	note(c, (unsigned)board);
	return 0;
}

static int run_back(struct call *c)
{
	int board = board_of(c);
	if (board < 0)
		return board;
	if (!c->s->boards[board].lost)
		return gm_fail(c->err, GM_ERR_CONFLICT, "GPU %d was not lost by command", board);
	c->s->boards[board].lost = false;
	nvs_board_renew(c->w, (unsigned)board);
	return 0;
}

static int run_reset_gpu(struct call *c)
{
	const char *how = value_of(c, "how");
	int board = board_of(c);
	if (board < 0)
		return board;
	if (how && strcmp(how, "force") != 0)
		return wrong(c, "reset-gpu GPU [force]");
	if (how)
		nvs_board_renew(c->w, (unsigned)board);
	else if (nvs_reset(c->w, (unsigned)board))
		return refused(c, GM_NVML_ERROR_IN_USE,
			       "in use by processes or other clients; force does it all the same");
	return 0;
}

static int run_reload(struct call *c)
{
	nvs_driver_reload(c->w);
	return 0;
}

static int run_unload(struct call *c)
{
	nvs_driver_unload(c->w);
	return 0;
}

static int run_load_driver(struct call *c)
{
	nvs_driver_load(c->w);
	return 0;
}

static int run_mismatch(struct call *c)
{
	return switch_of(c, &c->s->driver_mismatch);
}

static int run_privileged(struct call *c)
{
	bool on = false;
	int rc = switch_of(c, &on);
	if (rc == 0)
		c->s->unprivileged = !on;
	return rc;
}

static int run_mig(struct call *c)
{
	bool on = false;
	int activation = 0, board = board_of(c);
	if (board < 0)
		return board;
	int rc = switch_of(c, &on);
	if (rc < 0)
		return rc;
	rc = nvs_mig_set_mode(c->w, (unsigned)board, on, &activation);
	if (rc)
		return refused(c, rc, "not MIG-capable");
	return activation ? refused(c, activation, "in use: the mode is pending until a reset") : 0;
}

/* All that goes must be free, before anything does. */
static int may_destroy(struct call *c, unsigned board, const struct gm_mig_layout *gone)
{
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		const struct nvs_gi *gi = &c->s->boards[board].gis[i];
		for (size_t k = 0; k < gone->count && gi->alive; k++) {
			if (gi->slot.start == gone->slots[k].start && nvs_processes_on(c->s, board, gi->id, -1))
				return gm_fail(c->err, GM_ERR_BUSY, "GPU instance %u is in use", gi->id);
		}
	}
	return 0;
}

static void destroy(struct nvs_board *b, const struct gm_mig_layout *gone)
{
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		struct nvs_gi *gi = &b->gis[i];
		for (size_t k = 0; k < gone->count && gi->alive; k++) {
			if (gi->slot.start == gone->slots[k].start)
				gi->alive = false;
		}
	}
}

static int run_layout(struct call *c)
{
	struct gm_mig_layout to, from;
	struct gm_mig_diff diff;
	int board = board_of(c);
	if (board < 0)
		return board;
	const struct gm_mig_table *t = nvs_table(c->w, (unsigned)board);
	if (!t || !c->s->boards[board].mig_current)
		return gm_fail(c->err, GM_ERR_CONFLICT, "GPU %d is not in MIG mode", board);
	const char *text = value_of(c, "layout");
	int rc = gm_mig_layout_parse(t, gm_str(text ? text : ""), &to, c->err);
	if (rc == 0)
		rc = gm_mig_layout_check(t, &to, c->err);
	if (rc < 0)
		return rc;
	nvs_board_layout(&c->s->boards[board], &from);
	gm_mig_layout_diff(&from, &to, &diff);
	rc = may_destroy(c, (unsigned)board, &diff.destroy);
	if (rc < 0)
		return rc;
	destroy(&c->s->boards[board], &diff.destroy);
	rc = nvs_layout_add(c->w, c->s, (unsigned)board, &diff.create);
	nvs_mig_changed(c->w, (unsigned)board, -1, -1);
	return rc ? refused(c, rc, "the layout does not fit") : 0;
}

static int add_process(struct call *c)
{
	struct nvs_process_row row = nvs_process_row_default;
	int rc = nvs_row_read(&nvs_process_rows, &c->map, &row, c->err);
	if (rc == 0)
		rc = nvs_process_add(c->s, &row, c->err);
	if (rc == 0)
		nvs_reshape(c->w, (unsigned)row.gpu);
	return rc;
}

static int remove_process(struct call *c)
{
	const char *text = value_of(c, "pid");
	uint64_t pid = NVS_PID_SELF;
	int board = value_of(c, "gpu") ? board_of(c) : -1;
	if (value_of(c, "gpu") && board < 0)
		return board;
	if (!text || (strcmp(text, "self") != 0 && !gm_parse_u64(gm_str(text), 1, UINT32_MAX, &pid)))
		return wrong(c, "pid: not a number, or self");
	if (!nvs_process_remove(c->w, (uint32_t)pid, board))
		return gm_fail(c->err, GM_ERR_NOT_FOUND, "there is no process %s", text);
	return 0;
}

/* The word behind "process" is no key of the row. */
static int run_process(struct call *c)
{
	const char *what = value_of(c, "what");
	for (size_t i = 0; i < c->map.count; i++) {
		if (strcmp(c->map.items[i].key, "what") != 0)
			continue;
		c->map.count--;
		memmove(&c->map.items[i], &c->map.items[i + 1], (c->map.count - i) * sizeof(c->map.items[0]));
		break;
	}
	if (what && strcmp(what, "add") == 0)
		return add_process(c);
	if (what && strcmp(what, "remove") == 0)
		return remove_process(c);
	return wrong(c, "process add or process remove");
}

static int run_load(struct call *c)
{
	struct nvs_load_row row = { .gi = -1 };
	int rc = nvs_row_read(&nvs_load_rows, &c->map, &row, c->err);
	if (rc < 0)
		return rc;
	if (row.gpu >= (int)c->s->board_count)
		return gm_fail(c->err, GM_ERR_NOT_FOUND, "GPU %d: there are %u", row.gpu, c->s->board_count);
	struct nvs_gi *gi = row.gi < 0 ? NULL : nvs_gi_find(c->s, (unsigned)row.gpu, row.gi);
	if (row.gi >= 0 && !gi)
		return gm_fail(c->err, GM_ERR_NOT_FOUND, "GPU %d has no GPU instance %d", row.gpu, row.gi);
	if (gi)
		gi->load_percent = (int16_t)row.percent;
	else
		c->s->boards[row.gpu].load_percent = (int16_t)row.percent;
	nvs_reshape(c->w, (unsigned)row.gpu);
	return 0;
}

static int run_abi(struct call *c)
{
	static const char *const names[] = { "24", "32-as-v3", "no-v3" };
	const char *text = value_of(c, "abi");
	for (unsigned i = 0; text && i < GM_LEN(names); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		c->s->process_abi = (enum nvs_process_abi)i;
		return 0;
	}
	return wrong(c, "not one of 24, 32-as-v3, no-v3");
}

static int run_reset(struct call *c)
{
	return nvs_restart(c->w, c->err);
}

static int run_help(struct call *c)
{
	nvs_command_help(c->out);
	return 0;
}

static const struct command commands[] = {
	{ "abi", "24|32-as-v3|no-v3", "which records process lists have", { "abi" }, run_abi },
	{ "back", "GPU", "a lost GPU comes back, as after a reset", { "gpu" }, run_back },
	{ "clear", "[ID|all]", "ends faults of calls; who is blocked in them goes on", { "id" }, run_clear },
	{ "ecc", "GPU sbe|dbe [COUNT]", "ECC errors are counted and reported", { "gpu", "kind", "count" }, run_ecc },
	{ "fault",
	  "FUNCTION [gpu=N] DOES [VALUE] [after=T] [for=T] [times=N]",
	  "calls do something instead of answering; says the fault's number",
	  { "function", "does", "value" },
	  run_fault },
	{ "help", "", "this list", { 0 }, run_help },
	{ "layout",
	  "GPU LAYOUT",
	  "makes the layout (\"3g.40gb@4, 1g.10gb*4\"), each instance with one compute instance",
	  { "gpu", "layout" },
	  run_layout },
	{ "load", "GPU[/GI] PERCENT|auto", "holds the load of a GPU or GPU instance", { "gpu", "percent" }, run_load },
	{ "load-driver", "", "the driver is there again", { 0 }, run_load_driver },
	{ "lost", "GPU", "the GPU falls off the bus", { "gpu" }, run_lost },
	{ "mig", "GPU on|off", "switches the MIG mode", { "gpu", "mode" }, run_mig },
	{ "mismatch",
	  "on|off",
	  "programs that run see another driver than theirs, as after an upgrade",
	  { "mode" },
	  run_mismatch },
	{ "privileged", "on|off", "whether callers count as root", { "mode" }, run_privileged },
	{ "process",
	  "add pid=N|self gpu=N [instance=GI[.CI]] [kind=K] [memory=SIZE] [name=T] [load=P] [channel=BOOL] | remove "
	  "PID [gpu=N]",
	  "a process uses a GPU or instance, or does not any more",
	  { "what", "pid" },
	  run_process },
	{ "reload-driver", "", "unloads and loads the driver", { 0 }, run_reload },
	{ "reset", "", "the world begins anew, as the scenario says", { 0 }, run_reset },
	{ "reset-gpu",
	  "GPU [force]",
	  "resets a GPU: instances end, a pending mode settles",
	  { "gpu", "how" },
	  run_reset_gpu },
	{ "show", "[-o json]", "the world as it is", { "format", "name" }, run_show },
	{ "unload-driver", "", "the driver is gone: instances end", { 0 }, run_unload },
	{ "xid", "GPU CODE", "an XID is counted and reported", { "gpu", "code" }, run_xid },
};

void nvs_command_help(struct gm_buf *out)
{
	for (size_t i = 0; i < GM_LEN(commands); i++)
		gm_buf_addf(out, "  %s %s\n      %s\n", commands[i].name, commands[i].usage, commands[i].help);
}

/* Cuts the next word off *at, in place; false at the end. NULL in *out: a quote without its end. */
static bool next_word(char **at, char **out)
{
	char *p = *at, *to;
	while (*p == ' ' || *p == '\t')
		p++;
	if (!*p)
		return false;
	*out = to = p;
	bool quoted = false;
	for (; *p && (quoted || (*p != ' ' && *p != '\t')); p++) {
		if (*p == '"')
			quoted = !quoted;
		else
			*to++ = *p;
	}
	*at = *p ? p + 1 : p;
	*to = '\0';
	if (quoted)
		*out = NULL;
	return true;
}

/* "for=5s" has a name: small letters and dashes before the first '='. */
static char *name_end(char *word)
{
	char *p = word;
	while ((*p >= 'a' && *p <= 'z') || *p == '-')
		p++;
	return p > word && *p == '=' ? p : NULL;
}

static int read_words(struct call *c, const struct command *command, char *rest)
{
	size_t unnamed = 0;
	char *word;
	while (next_word(&rest, &word)) {
		if (!word)
			return wrong(c, "a quote without its end");
		if (c->map.count == WORDS_MAX)
			return gm_fail(c->err, GM_ERR_TOO_LARGE, "more than %d words", WORDS_MAX);
		char *equals = name_end(word);
		struct gm_option_pair *p = &c->pairs[c->map.count++];
		if (equals)
			*equals = '\0';
		if (!equals && (unnamed == GM_LEN(command->keys) || !command->keys[unnamed]))
			return gm_fail(c->err, GM_ERR_INVALID, "'%.60s' is too much: %s %s", word, command->name,
				       command->usage);
		*p = (struct gm_option_pair){ .key = equals ? word : (char *)(uintptr_t)command->keys[unnamed++],
					      .value = equals ? equals + 1 : word };
	}
	return 0;
}

static int run_line(struct call *c, char *line)
{
	char *name;
	if (!next_word(&line, &name))
		return wrong(c, "no command");
	for (size_t i = 0; name && i < GM_LEN(commands); i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		int rc = read_words(c, &commands[i], line);
		if (rc < 0)
			return rc;
		c->s = nvs_world_lock(c->w);
		rc = commands[i].run(c);
		nvs_world_unlock(c->w);
		return rc;
	}
	return gm_fail(c->err, GM_ERR_NOT_FOUND, "unknown command '%.60s'; help lists them", name ? name : "");
}

int nvs_command(struct nvs_world *w, struct gm_str line, struct gm_buf *out, struct gm_err *err)
{
	char copy[LINE_MAX_BYTES];
	GM_AUTO(gm_buf_fini_p) struct gm_buf nowhere = { 0 };
	struct call c = { .w = w, .out = out ? out : &nowhere, .err = err };
	c.map.items = c.pairs;
	line = gm_str_trim(line);
	if (!gm_str_plain_ok(line))
		return gm_fail(err, GM_ERR_PARSE, "the command is not plain text");
	if (!gm_str_copy(line, copy, sizeof(copy)))
		return gm_fail(err, GM_ERR_TOO_LARGE, "the command is longer than %d bytes", LINE_MAX_BYTES - 1);
	return run_line(&c, copy);
}
