/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_SETTINGS_H
#define GM_APP_AGENT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/conf/changes.h"
#include "app/agent/command.h"
#include "base/log.h"
#include "base/option.h"

/*
 * Every setting of gpu-agent, in the order of the option table (settings-table.c), which says what each means. Texts are
 * never NULL, the empty one is "not set". Owned by the gm_options that fills it: freed by gm_options_fini.
 */
struct gm_agent_settings {
	struct gm_option_list listen; /* each read by gm_agent_listen_parse */
	char *socket;		      /* "none": no socket; after loading never empty */
	char *token_file;
	char *tls_cert_file, *tls_key_file, *tls_client_ca_file;
	int64_t max_connections;

	char *node_name; /* after loading never empty */
	int64_t interval_ms, window_ms, hung_after_ms;
	char *nvml_library;
	char *simulate;

	char *kubelet_socket; /* "none": no kubelet is asked */
	int64_t kubelet_interval_ms;
	char *host_root;
	char *state_dir;

	bool dcgm_names;
	bool mig_enabled;
	int64_t pause_limit_ms;
	char *pause_file;
	bool sandbox;

	int log_level;	/* enum gm_log_level */
	int log_format; /* enum gm_log_format */
};

extern const struct gm_option gm_agent_settings_table[];
extern const size_t gm_agent_settings_count;

/*
 * Loads defaults, file, environment and flags, later ones win. `o` writes into *s, which must stay where it is. Warnings
 * are sentences for the log. On failure (exit code 2) nothing needs freeing but the warnings; err->where names the place.
 */
int gm_agent_settings_load(const struct gm_agent_command *c, char *const *environment, struct gm_agent_settings *s,
			   struct gm_options *o, struct gm_option_list *warnings, struct gm_err *err) GM_CHECKED;
/* The same for SIGHUP, into fresh *s and *o: rows that are not live keep the value they have in `before`. */
int gm_agent_settings_reload(const struct gm_agent_command *c, char *const *environment,
			     const struct gm_options *before, struct gm_agent_settings *s, struct gm_options *o,
			     struct gm_conf_changes *changes, struct gm_option_list *warnings,
			     struct gm_err *err) GM_CHECKED;
/* docs/agent-configuration.md */
void gm_agent_settings_docs(struct gm_buf *out);

#define GM_AGENT_PORT 9410
#define GM_AGENT_SOCKET "/run/gpu-agent/agent.sock"

/* One place to listen on: "127.0.0.1:9410", "[::1]:9410", ":9410" (all addresses of both families), "unix:/run/x.sock". */
struct gm_agent_listen {
	char unix_path[108]; /* "": TCP */
	char address[46];
	uint16_t port; /* 0: any free one */
};
int gm_agent_listen_parse(struct gm_str text, struct gm_agent_listen *out, struct gm_err *err) GM_CHECKED;

/*
 * The NVML library to open: nvml.library, or with `simulate` the one beside this program, whose scenario is then set in
 * the environment (for the children: call it before the keeper is forked). NULL: the loader's search.
 */
int gm_agent_settings_library(const struct gm_agent_settings *s, char out[static 4096], const char **out_path,
			      struct gm_err *err) GM_CHECKED;

#endif
