/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter/conf/changes.h"
#include "app/server/settings-internal.h"
#include "base/alloc.h"
#include "base/parse.h"

enum {
	OPT_CONFIG = 1000,
	OPT_PROFILE,
	OPT_SET,
	OPT_SIMULATE,
	OPT_PRINT_CONFIG,
	OPT_VERSION,
	OPT_HELP,
	OPT_DOCS,
};

static const struct option FLAGS[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "set", required_argument, NULL, OPT_SET },
	{ "simulate", required_argument, NULL, OPT_SIMULATE },
	{ "print-config", no_argument, NULL, OPT_PRINT_CONFIG },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "docs-configuration", no_argument, NULL, OPT_DOCS },
	{ 0 },
};

static const char USAGE[] =
	"usage: gpu-monitor [--config FILE] [--profile NAME,..] [--set KEY=VALUE].. [--simulate N]\n"
	"                   [--print-config] [--version] [--help]\n"
	"\n"
	"  --config FILE    read this file instead of ./application.yml or /etc/k8s-gpu-management/application.yml\n"
	"  --profile NAME   profiles, separated by commas: development, staging, production, or your own;\n"
	"                   without it GPU_PROFILES_ACTIVE or SPRING_PROFILES_ACTIVE\n"
	"  --set KEY=VALUE  set one key; lists as a,b and maps as k=v,k2=v2\n"
	"  --simulate N     a simulated cluster of N GPUs (24 are the usual demo)\n"
	"  --print-config   show each effective value and where it comes from\n"
	"\n"
	"Later sources win: profile, file, application-<profile>.yml beside it, environment, flags. Keys:\n"
	"\n";

static int add_setting(struct gm_command *c, const char *prefix, const char *value, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };

	if (c->setting_count == GM_COMMAND_SETTINGS_MAX)
		return gm_fail_at(err, GM_ERR_INVALID, "--set", "more than %d of them", GM_COMMAND_SETTINGS_MAX);
	gm_buf_add_cstr(&text, prefix);
	gm_buf_add_cstr(&text, value);
	c->settings[c->setting_count++] = gm_xstrdup(gm_buf_cstr(&text));
	return 0;
}

static int take_simulate(struct gm_command *c, const char *value, struct gm_err *err)
{
	int64_t gpus;

	if (!gm_parse_i64(gm_str(value), 0, 200000, &gpus))
		return gm_fail_at(err, GM_ERR_INVALID, "--simulate", "'%s' is not a number of GPUs from 0 to 200000",
				  value);
	return add_setting(c, "simulate.gpus=", value, err);
}

static int take_flag(struct gm_command *c, int flag, char *const *argv, struct gm_err *err)
{
	switch (flag) {
	case OPT_CONFIG:
		free(c->config);
		c->config = gm_xstrdup(optarg);
		return 0;
	case OPT_PROFILE:
		return gm_conf_profiles_add(&c->profiles, gm_str(optarg), "--profile", err);
	case OPT_SET:
		return add_setting(c, "", optarg, err);
	case OPT_SIMULATE:
		return take_simulate(c, optarg, err);
	case OPT_PRINT_CONFIG:
		c->action = GM_COMMAND_PRINT_CONFIG;
		return 0;
	case OPT_VERSION:
		c->action = GM_COMMAND_VERSION;
		return 0;
	case OPT_HELP:
	case 'h':
		c->action = GM_COMMAND_HELP;
		return 0;
	case OPT_DOCS:
		c->action = GM_COMMAND_DOCS;
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

static int take_flags(struct gm_command *c, int argc, char *const *argv, struct gm_err *err)
{
	int flag, rc = 0;

	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while (rc == 0 && (flag = getopt_long(argc, argv, "+:h", FLAGS, NULL)) != -1)
		rc = take_flag(c, flag, argv, err);
	if (rc == 0 && optind < argc)
		rc = gm_fail(err, GM_ERR_INVALID, "'%s' is not expected; --help says how", argv[optind]);
	return rc;
}

static int take_profiles(struct gm_command *c, char *const *environment, struct gm_err *err)
{
	static const char *const NAMES[] = { "GPU_PROFILES_ACTIVE", "SPRING_PROFILES_ACTIVE" };

	for (size_t i = 0; c->profiles.count == 0 && i < GM_LEN(NAMES); i++) {
		const char *value = gm_conf_environment_get(environment, NAMES[i]);
		if (value)
			return gm_conf_profiles_add(&c->profiles, gm_str(value), NAMES[i], err);
	}
	return 0;
}

static void find_config(struct gm_command *c)
{
	static const char *const PLACES[] = { "application.yml", "/etc/k8s-gpu-management/application.yml" };

	for (size_t i = 0; !c->config && i < GM_LEN(PLACES); i++)
		if (access(PLACES[i], F_OK) == 0)
			c->config = gm_xstrdup(PLACES[i]);
}

int gm_command_parse(int argc, char *const *argv, char *const *environment, struct gm_command *out, struct gm_err *err)
{
	GM_AUTO(gm_command_fini_p) struct gm_command c = { 0 };
	int rc = take_flags(&c, argc, argv, err);

	if (rc == 0)
		rc = take_profiles(&c, environment, err);
	if (rc < 0)
		return rc;
	find_config(&c);
	*out = c;
	c = (struct gm_command){ 0 };
	return 0;
}

void gm_command_fini(struct gm_command *c)
{
	for (size_t i = 0; i < c->setting_count; i++)
		free(c->settings[i]);
	free(c->config);
	gm_conf_profiles_fini(&c->profiles);
	*c = (struct gm_command){ 0 };
}

void gm_command_answer(const struct gm_command *c, const struct gm_options *o, struct gm_buf *out)
{
	switch (c->action) {
	case GM_COMMAND_RUN:
		break;
	case GM_COMMAND_PRINT_CONFIG:
		gm_conf_print(o, out);
		break;
	case GM_COMMAND_VERSION:
		gm_buf_add_cstr(out, "gpu-monitor " GM_VERSION "\n");
		break;
	case GM_COMMAND_HELP:
		gm_buf_add_cstr(out, USAGE);
		gm_options_help(gm_settings_table, gm_settings_count, out);
		break;
	case GM_COMMAND_DOCS:
		gm_settings_docs(out);
		break;
	}
}
