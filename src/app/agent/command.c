/* SPDX-License-Identifier: MIT */
#include "app/agent/command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/conf/changes.h"
#include "app/agent/settings.h"
#include "base/alloc.h"

enum {
	OPT_CONFIG = 1000,
	OPT_SET,
	OPT_LISTEN,
	OPT_INTERVAL,
	OPT_SIMULATE,
	OPT_PRINT_CONFIG,
	OPT_VERSION,
	OPT_HELP,
	OPT_DOCS,
};

static const struct option FLAGS[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },     { "listen", required_argument, NULL, OPT_LISTEN },
	{ "interval", required_argument, NULL, OPT_INTERVAL }, { "simulate", required_argument, NULL, OPT_SIMULATE },
	{ "set", required_argument, NULL, OPT_SET },	       { "print-config", no_argument, NULL, OPT_PRINT_CONFIG },
	{ "version", no_argument, NULL, OPT_VERSION },	       { "help", no_argument, NULL, OPT_HELP },
	{ "docs-configuration", no_argument, NULL, OPT_DOCS }, { 0 },
};

static const char USAGE[] =
	"usage: gpu-agent [--config FILE] [--listen ADDRESS:PORT|unix:PATH].. [--interval 1s] [--simulate FILE]\n"
	"                 [--set KEY=VALUE].. [--print-config] [--version] [--help]\n"
	"\n"
	"  --config FILE    read this file instead of " GM_AGENT_CONFIG "\n"
	"  --listen PLACE   serve here: 0.0.0.0:9410, [::1]:9410, :9410, unix:/run/x.sock; may be given more than "
	"once\n"
	"  --interval TIME  time between two samples, 100ms to 60s\n"
	"  --simulate FILE  use the NVML simulator beside this program, with this scenario (an empty file: 8 idle "
	"H100)\n"
	"  --set KEY=VALUE  set one key; lists as a,b\n"
	"  --print-config   show each effective value and where it comes from\n"
	"\n"
	"Later sources win: file, environment (GPU_AGENT_ and the key), flags. SIGHUP reads all of them again. Keys:\n"
	"\n";

static int add_setting(struct gm_agent_command *c, const char *prefix, const char *value, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };

	if (c->setting_count == GM_AGENT_COMMAND_SETTINGS_MAX)
		return gm_fail_at(err, GM_ERR_INVALID, "--set", "more than %d of them", GM_AGENT_COMMAND_SETTINGS_MAX);
	gm_buf_add_cstr(&text, prefix);
	gm_buf_add_cstr(&text, value);
	c->settings[c->setting_count++] = gm_xstrdup(gm_buf_cstr(&text));
	return 0;
}

/* Each --listen adds a place: what they amount to is one setting of the key. */
static void add_place(struct gm_buf *places, const char *place)
{
	gm_buf_add_cstr(places, places->n ? ", " : "listen=[");
	gm_option_quote(gm_str(place), places);
}

static int take_flag(struct gm_agent_command *c, int flag, char *const *argv, struct gm_buf *places, struct gm_err *err)
{
	switch (flag) {
	case OPT_CONFIG:
		free(c->config);
		c->config = gm_xstrdup(optarg);
		return 0;
	case OPT_LISTEN:
		add_place(places, optarg);
		return 0;
	case OPT_INTERVAL:
		return add_setting(c, "interval=", optarg, err);
	case OPT_SIMULATE:
		return add_setting(c, "simulate=", optarg, err);
	case OPT_SET:
		return add_setting(c, "", optarg, err);
	case OPT_PRINT_CONFIG:
		c->action = GM_AGENT_ACTION_PRINT_CONFIG;
		return 0;
	case OPT_VERSION:
		c->action = GM_AGENT_ACTION_VERSION;
		return 0;
	case OPT_HELP:
	case 'h':
		c->action = GM_AGENT_ACTION_HELP;
		return 0;
	case OPT_DOCS:
		c->action = GM_AGENT_ACTION_DOCS;
		return 0;
	case ':':
		return gm_fail(err, GM_ERR_INVALID, "%s wants a value", argv[optind - 1]);
	default:
		if (optopt > 0 && optopt < OPT_CONFIG)
			return gm_fail(err, GM_ERR_INVALID, "unknown option '-%c'; --help lists all", optopt);
		return gm_fail(err, GM_ERR_INVALID, "option '%s' is not known or takes no value; --help lists all",
			       argv[optind - 1]);
	}
}

static int take_flags(struct gm_agent_command *c, int argc, char *const *argv, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf places = { 0 };
	int flag, rc = 0;

	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while (rc == 0 && (flag = getopt_long(argc, argv, "+:h", FLAGS, NULL)) != -1)
		rc = take_flag(c, flag, argv, &places, err);
	if (rc == 0 && optind < argc)
		rc = gm_fail(err, GM_ERR_INVALID, "'%s' is not expected; --help says how", argv[optind]);
	if (rc == 0 && places.n) {
		gm_buf_add_char(&places, ']');
		rc = add_setting(c, "", gm_buf_cstr(&places), err);
	}
	return rc;
}

int gm_agent_command_parse(int argc, char *const *argv, struct gm_agent_command *out, struct gm_err *err)
{
	GM_AUTO(gm_agent_command_fini_p) struct gm_agent_command c = { 0 };
	int rc = take_flags(&c, argc, argv, err);

	if (rc < 0)
		return rc;
	if (!c.config && access(GM_AGENT_CONFIG, F_OK) == 0)
		c.config = gm_xstrdup(GM_AGENT_CONFIG);
	*out = c;
	c = (struct gm_agent_command){ 0 };
	return 0;
}

void gm_agent_command_fini(struct gm_agent_command *c)
{
	for (size_t i = 0; i < c->setting_count; i++)
		free(c->settings[i]);
	free(c->config);
	*c = (struct gm_agent_command){ 0 };
}

void gm_agent_command_answer(const struct gm_agent_command *c, const struct gm_options *o, struct gm_buf *out)
{
	switch (c->action) {
	case GM_AGENT_ACTION_RUN:
		break;
	case GM_AGENT_ACTION_PRINT_CONFIG:
		gm_conf_print(o, out);
		break;
	case GM_AGENT_ACTION_VERSION:
		gm_buf_add_cstr(out, "gpu-agent " GM_VERSION "\n");
		break;
	case GM_AGENT_ACTION_HELP:
		gm_buf_add_cstr(out, USAGE);
		gm_options_help(gm_agent_settings_table, gm_agent_settings_count, out);
		break;
	case GM_AGENT_ACTION_DOCS:
		gm_agent_settings_docs(out);
		break;
	}
}
