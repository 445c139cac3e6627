/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "adapter/httpc/httpc.h"
#include "app/ctl/command-table.h"
#include "app/ctl/context.h"
#include "app/ctl/view.h"
#include "app/ctl/request.h"
#include "app/ctl/views.h"
#include "base/alloc.h"
#include "base/jsonv.h"

struct context_args {
	char *name;
	char *server, *ca_file, *client_cert, *client_key;
	bool key, no_key, insecure, use;
};

static void write_context(const struct gm_ctl_contexts *all, const struct gm_ctl_context *c, struct gm_json *w)
{
	gm_json_object(w);
	gm_json_kcstr(w, "name", c->name);
	gm_json_kbool(w, "current", strcmp(all->current, c->name) == 0);
	gm_json_kcstr(w, "server", c->server[0] ? c->server : NULL);
	/* Whether there is one, never which. */
	gm_json_kbool(w, "key", c->key.n > 0);
	gm_json_kcstr(w, "caFile", c->ca_file[0] ? c->ca_file : NULL);
	gm_json_kcstr(w, "clientCert", c->client_cert[0] ? c->client_cert : NULL);
	gm_json_kcstr(w, "clientKey", c->client_key[0] ? c->client_key : NULL);
	gm_json_kbool(w, "insecure", c->insecure);
	gm_json_end_object(w);
}

/* clang-format off: a row a column. */
static const struct gm_ctl_view list_view = {
	.items = "items",
	.name = "name",
	GM_CTL_COLUMNS({ "CONTEXT", "name", GM_CTL_TEXT }, { "CURRENT", "current", GM_CTL_TEXT },
		       { "SERVER", "server", GM_CTL_TEXT }, { "KEY", "key", GM_CTL_TEXT },
		       { "CA FILE", "caFile", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "CERTIFICATE", "clientCert", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "INSECURE", "insecure", GM_CTL_TEXT, GM_CTL_WIDE })
};
static const struct gm_ctl_view one_view = {
	.name = "name",
	.upright = true,
	GM_CTL_COLUMNS({ "Context", "name", GM_CTL_TEXT }, { "Current", "current", GM_CTL_TEXT },
		       { "Server", "server", GM_CTL_TEXT }, { "Has a key", "key", GM_CTL_TEXT },
		       { "CA file", "caFile", GM_CTL_TEXT }, { "Client certificate", "clientCert", GM_CTL_TEXT },
		       { "Client key", "clientKey", GM_CTL_TEXT }, { "Believes anyone", "insecure", GM_CTL_TEXT })
};
/* clang-format on */

/* The JSON itself, or a table of it. */
static int show(const struct gm_ctl_run *run, const struct gm_ctl_view *view, struct gm_str json, struct gm_err *err)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_jsonv *v;
	int rc = gm_jsonv_parse(json, &arena, &v, err);

	return rc == 0 ? gm_ctl_show(run, view, v, err) : rc;
}

static int context_list(const struct gm_ctl_run *run, struct gm_err *err)
{
	GM_AUTO(gm_ctl_contexts_fini_p) struct gm_ctl_contexts all = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf json = { 0 };
	struct gm_json w;
	int rc = gm_ctl_contexts_load(&all, err);

	if (rc < 0)
		return rc;
	gm_json_init(&w, &json);
	gm_json_object(&w);
	gm_json_key(&w, "items");
	gm_json_array(&w);
	gm_vec_each (&all.all, one)
		write_context(&all, one, &w);
	gm_json_end_array(&w);
	gm_json_end_object(&w);
	return show(run, &list_view, gm_buf_str(&json), err);
}

static int no_context(const struct gm_ctl_contexts *all, const char *name, struct gm_err *err)
{
	return gm_fail_at(err, GM_ERR_NOT_FOUND, all->path,
			  "there is no context '%s'; 'gpuctl context list' shows them", name);
}

static int context_show(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct context_args *a = run->args;
	GM_AUTO(gm_ctl_contexts_fini_p) struct gm_ctl_contexts all = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf json = { 0 };
	const struct gm_ctl_context *c;
	const char *name;
	struct gm_json w;
	int rc = gm_ctl_contexts_load(&all, err);

	if (rc < 0)
		return rc;
	name = a->name[0] ? a->name : all.current;
	if (!name[0])
		return gm_fail_at(err, GM_ERR_NOT_FOUND, all.path, "no context is current");
	c = gm_ctl_context_find(&all, gm_str(name));
	if (!c)
		return no_context(&all, name, err);
	gm_json_init(&w, &json);
	write_context(&all, c, &w);
	return show(run, &one_view, gm_buf_str(&json), err);
}

static int save(const struct gm_ctl_run *run, const struct gm_ctl_contexts *all, const char *what, const char *name,
		struct gm_err *err)
{
	int rc = run->globals->dry_run ? 0 : gm_ctl_contexts_save(all, err);

	if (rc == 0 && run->output == GM_CTL_OUTPUT_TABLE)
		gm_buf_addf(run->out, "context %s %s in %s\n", name, what, all->path);
	return rc;
}

static int context_use(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct context_args *a = run->args;
	GM_AUTO(gm_ctl_contexts_fini_p) struct gm_ctl_contexts all = { 0 };
	int rc = gm_ctl_contexts_load(&all, err);

	if (rc < 0)
		return rc;
	if (!gm_ctl_context_find(&all, gm_str(a->name)))
		return no_context(&all, a->name, err);
	free(all.current);
	all.current = gm_xstrdup(a->name);
	return save(run, &all, "is current", a->name, err);
}

static int context_remove(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct context_args *a = run->args;
	GM_AUTO(gm_ctl_contexts_fini_p) struct gm_ctl_contexts all = { 0 };
	struct gm_ctl_context *c;
	int rc = gm_ctl_contexts_load(&all, err);

	if (rc < 0)
		return rc;
	c = gm_ctl_context_find(&all, gm_str(a->name));
	if (!c)
		return no_context(&all, a->name, err);
	gm_ctl_context_remove(&all, c);
	return save(run, &all, "is removed", a->name, err);
}

static void set_text(char **text, const struct gm_ctl_run *run, const char *key, const char *value)
{
	if (!gm_ctl_given(run, key))
		return;
	free(*text);
	*text = gm_xstrdup(value);
}

static int check_server(struct gm_str text, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf url = { 0 };
	char host[GM_HTTPC_HOST_SIZE];

	return gm_httpc_url(text, "/k8s-monitor", &url, host, err);
}

static int context_set(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct context_args *a = run->args;
	GM_AUTO(gm_ctl_contexts_fini_p) struct gm_ctl_contexts all = { 0 };
	struct gm_ctl_context *c;
	int rc = gm_ctl_contexts_load(&all, err);

	if (rc == 0)
		rc = gm_ctl_context_make(&all, gm_str(a->name), &c, err);
	if (rc)
		return rc;
	set_text(&c->server, run, "server", a->server);
	set_text(&c->ca_file, run, "ca-file", a->ca_file);
	set_text(&c->client_cert, run, "client-cert", a->client_cert);
	set_text(&c->client_key, run, "client-key", a->client_key);
	if (gm_ctl_given(run, "insecure"))
		c->insecure = a->insecure;
	if (!c->server[0])
		return gm_fail(err, GM_ERR_INVALID, "a new context wants --server");
	if (!c->client_cert[0] != !c->client_key[0])
		return gm_fail(err, GM_ERR_INVALID, "--client-cert and --client-key belong together");
	if (a->no_key)
		gm_secret_fini(&c->key);
	if (a->key)
		rc = gm_ctl_key_ask(&c->key, err);
	/* The first one is the one that is meant. */
	if (a->use || !all.current[0]) {
		free(all.current);
		all.current = gm_xstrdup(a->name);
	}
	return rc == 0 ? save(run, &all, "is set", a->name, err) : rc;
}

#define ROW(k, t, member, ...)                                                                                         \
	.option = { .key = k, .type = GM_OPTION_##t, .offset = offsetof(struct context_args, member), __VA_ARGS__ }

static const struct gm_ctl_option NAME[] = {
	{ ROW("name", TEXT, name, .max = "64", .help = "The context's name"), .value = "NAME", .required = true },
};
static const struct gm_ctl_option NAME_OR_CURRENT[] = {
	{ ROW("name", TEXT, name, .max = "64", .help = "The context's name; without it the current one"),
	  .value = "NAME" },
};
static const struct gm_ctl_option SET[] = {
	{ ROW("server", TEXT, server, .max = "2048", .check = check_server, .help = "Address with the context path"),
	  .value = "URL" },
	{ ROW("key", BOOL, key, .def = "false",
	      .help = "Ask for the API key on the terminal, unseen, or take the first line of standard input") },
	{ ROW("no-key", BOOL, no_key, .def = "false", .help = "Forget the key") },
	{ ROW("ca-file", TEXT, ca_file, .max = "4096",
	      .help = "Certificates that are believed instead of the system's"),
	  .value = "FILE" },
	{ ROW("client-cert", TEXT, client_cert, .max = "4096", .help = "Our certificate"), .value = "FILE" },
	{ ROW("client-key", TEXT, client_key, .max = "4096", .help = "The key of our certificate"), .value = "FILE" },
	{ ROW("insecure", BOOL, insecure, .def = "false", .help = "Believe any certificate") },
	{ ROW("use", BOOL, use, .def = "false", .help = "Make it the current one") },
};

static const char NOTES[] =
	"The file is $GPUCTL_CONFIG, or $XDG_CONFIG_HOME/gpuctl/config.yml, or ~/.config/gpuctl/config.yml. It holds\n"
	"keys: it is written with mode 0600, and not read when others may read it.\n";

#define CONTEXT(word, summary_, flags_, run_, ...)                                                                     \
	{                                                                                                              \
		.path = "context " word, .summary = summary_, .notes = NOTES, .flags = GM_CTL_CONTEXTS | (flags_),     \
		.args_size = sizeof(struct context_args), .run = run_, __VA_ARGS__                                     \
	}
#define OPERANDS(operands_) .operands = operands_, .operand_count = GM_LEN(operands_)

const struct gm_ctl_command gm_ctl_context_commands[] = {
	CONTEXT("list", "All contexts", GM_CTL_TABLE, context_list, .operand_count = 0),
	CONTEXT("remove", "Forget a context and its key", GM_CTL_CHANGE, context_remove, OPERANDS(NAME)),
	CONTEXT("set", "Make a context or change it", GM_CTL_CHANGE, context_set, OPERANDS(NAME), .options = SET,
		.option_count = GM_LEN(SET)),
	CONTEXT("show", "A context without its key", 0, context_show, OPERANDS(NAME_OR_CURRENT)),
	CONTEXT("use", "Make a context the current one", GM_CTL_CHANGE, context_use, OPERANDS(NAME)),
};
const size_t gm_ctl_context_command_count = GM_LEN(gm_ctl_context_commands);
