/* SPDX-License-Identifier: MIT */
#include "app/agent/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/conf/conf.h"
#include "base/alloc.h"
#include "base/parse.h"

/* "[::1]:9410", "127.0.0.1:9410", ":9410": the port stands behind the last colon. */
static bool split_port(struct gm_str text, struct gm_str *address, uint16_t *port)
{
	size_t colon = text.n;
	uint64_t n = 0;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !gm_parse_u64(gm_str_n(text.p + colon, text.n - colon), 0, 65535, &n))
		return false;
	*port = (uint16_t)n;
	*address = gm_str_n(text.p, colon - 1);
	if (address->n >= 2 && address->p[0] == '[' && address->p[address->n - 1] == ']')
		*address = gm_str_n(address->p + 1, address->n - 2);
	else if (gm_str_find(*address, ':') < address->n)
		return false; /* an IPv6 address without brackets: where it ends is anybody's guess */
	return true;
}

int gm_agent_listen_parse(struct gm_str text, struct gm_agent_listen *out, struct gm_err *err)
{
	const struct gm_str unix_ = GM_STR("unix:");
	struct gm_agent_listen l = { 0 };
	struct gm_str address;
	unsigned char bytes[16];

	if (gm_str_starts(text, unix_)) {
		const struct gm_str path = gm_str_n(text.p + unix_.n, text.n - unix_.n);

		if (path.n == 0 || path.p[0] != '/' || !gm_str_copy(path, l.unix_path, sizeof(l.unix_path)))
			return gm_fail(err, GM_ERR_INVALID, "'%.*s': behind unix: stands a path of at most %zu bytes",
				       GM_STR_ARG(text), sizeof(l.unix_path) - 1);
		*out = l;
		return 0;
	}
	if (!split_port(text, &address, &l.port))
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not ADDRESS:PORT, [ADDRESS]:PORT, :PORT or unix:PATH",
			       GM_STR_ARG(text));
	if (address.n == 0)
		address = GM_STR("::");
	if (!gm_str_copy(address, l.address, sizeof(l.address)) ||
	    (inet_pton(AF_INET, l.address, bytes) != 1 && inet_pton(AF_INET6, l.address, bytes) != 1))
		return gm_fail(err, GM_ERR_INVALID, "'%.*s': '%.*s' is not a numeric address", GM_STR_ARG(text),
			       GM_STR_ARG(address));
	*out = l;
	return 0;
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = gm_xstrdup(with);
}

/* The folder of the default socket: a unit's RuntimeDirectory is there, a container's root makes it. */
static void settle_socket(const struct gm_agent_command *c, struct gm_agent_settings *s)
{
	static const char folder[] = "/run/gpu-agent";

	if (s->socket[0])
		return;
	if (c->action == GM_AGENT_ACTION_RUN)
		(void)mkdir(folder, 0700);
	if (access(folder, W_OK) == 0 || (errno == ENOENT && access("/run", W_OK) == 0))
		replace(&s->socket, GM_AGENT_SOCKET);
	else
		replace(&s->socket, "none");
}

static void settle_node_name(struct gm_agent_settings *s)
{
	char name[256] = "";

	if (s->node_name[0])
		return;
	if (gethostname(name, sizeof(name) - 1) != 0 || !name[0])
		(void)snprintf(name, sizeof(name), "localhost");
	replace(&s->node_name, name);
}

static const struct gm_origin *origin(const struct gm_options *o, const char *key)
{
	return gm_option_origin(o, gm_option_find(o, gm_str(key)));
}

/* A hang is to be told within three seconds; but a call of a slow interval may well last longer than a fast one's. */
static int check_together(struct gm_agent_settings *s, const struct gm_options *o, struct gm_err *err)
{
	int rc = gm_conf_check_pair(o, "tls.cert-file", "tls.key-file", err);

	if (rc == 0 && s->tls_client_ca_file[0] && !s->tls_cert_file[0])
		rc = gm_conf_fail(o, "tls.client-ca-file", err,
				  "clients show certificates over TLS only: tls.cert-file is not set");
	if (rc == 0 && s->window_ms < s->interval_ms) {
		if (origin(o, "window")->kind != GM_ORIGIN_DEFAULT)
			rc = gm_conf_fail(o, "window", err, "shorter than interval");
		else
			s->window_ms = s->interval_ms;
	}
	if (rc == 0 && s->simulate[0] && s->nvml_library[0])
		rc = gm_conf_fail(o, "simulate", err, "nvml.library is set too: it is one or the other");
	return rc;
}

static bool is_loopback(const struct gm_agent_listen *l)
{
	return l->unix_path[0] || strncmp(l->address, "127.", 4) == 0 || strcmp(l->address, "::1") == 0;
}

static void warn_open(const struct gm_agent_settings *s, const struct gm_options *o, struct gm_option_list *warnings)
{
	for (size_t i = 0; i < s->listen.count; i++) {
		struct gm_agent_listen l = { 0 };

		if (gm_agent_listen_parse(gm_str(s->listen.items[i]), &l, NULL) || is_loopback(&l))
			continue;
		if (s->token_file[0] && !s->tls_cert_file[0])
			gm_conf_warn(
				warnings,
				"%s: listen: the token goes over the network in clear text: tls.cert-file is not set",
				origin(o, "listen")->where);
		else if (!s->token_file[0] && !s->tls_cert_file[0])
			gm_conf_warn(warnings,
				     "%s: listen: whoever reaches this node can read all of it: token-file is not set",
				     origin(o, "listen")->where);
		return; /* of one it is said, not of each */
	}
}

int gm_agent_settings_load(const struct gm_agent_command *c, char *const *environment, struct gm_agent_settings *s,
			   struct gm_options *o, struct gm_option_list *warnings, struct gm_err *err)
{
	const struct gm_conf_profiles none = { 0 };
	const struct gm_conf_sources from = { .file = c->config,
					      .profiles = &none,
					      .environment = environment,
					      .settings = (const char *const *)c->settings,
					      .setting_count = c->setting_count };

	gm_options_init(o, gm_agent_settings_table, gm_agent_settings_count, s);
	int rc = gm_conf_load(o, &from, err);
	if (rc == 0)
		rc = check_together(s, o, err);
	if (rc < 0) {
		gm_options_fini(o);
		return rc;
	}
	warn_open(s, o, warnings);
	gm_conf_warn_environment(o, environment, "GPU_AGENT_", warnings);
	settle_socket(c, s);
	settle_node_name(s);
	return 0;
}

int gm_agent_settings_reload(const struct gm_agent_command *c, char *const *environment,
			     const struct gm_options *before, struct gm_agent_settings *s, struct gm_options *o,
			     struct gm_conf_changes *changes, struct gm_option_list *warnings, struct gm_err *err)
{
	int rc = gm_agent_settings_load(c, environment, s, o, warnings, err);

	if (rc == 0)
		gm_conf_changes_find(before, o, changes);
	return rc;
}

/* Where this program lies; the simulator is built into nvml-sim/ beside it. */
static int simulator_path(char out[static 4096], struct gm_err *err)
{
	char self[4000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));

	if (n < 0)
		return gm_fail_errno(err, errno, "/proc/self/exe");
	while (n > 0 && self[n - 1] != '/')
		n--;
	(void)snprintf(out, 4096, "%.*snvml-sim/libnvidia-ml.so.1", (int)n, self);
	if (access(out, R_OK) != 0)
		return gm_fail_at(err, GM_ERR_INVALID, "simulate", "the simulator is not there: %s", out);
	return 0;
}

int gm_agent_settings_library(const struct gm_agent_settings *s, char out[static 4096], const char **out_path,
			      struct gm_err *err)
{
	char *scenario;
	int rc;

	if (!s->simulate[0]) {
		*out_path = s->nvml_library[0] ? s->nvml_library : NULL;
		return 0;
	}
	rc = simulator_path(out, err);
	if (rc)
		return rc;
	scenario = realpath(s->simulate, NULL);
	if (!scenario)
		return gm_fail_errno(err, errno, "simulate: '%s'", s->simulate);
	(void)setenv("NVML_SIM_SCENARIO", scenario, 1);
	free(scenario);
	*out_path = out;
	return 0;
}
