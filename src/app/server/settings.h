/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_SETTINGS_H
#define GM_APP_SERVER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/conf/changes.h"
#include "adapter/conf/conf.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/option.h"
#include "base/secret.h"
#include "core/auth/auth-store.h"

/*
 * Every setting of gpu-monitor, in the order of the option table (settings-table.c), which says what each means. Texts
 * are never NULL, the empty one is "not set". Owned by the gm_options that fills it: freed by gm_options_fini.
 */
struct gm_settings {
	/* gpu.management */
	bool enabled;
	struct gm_option_list supported_models; /* empty: all */
	bool mig_enabled;
	bool mig_auto_cleanup;
	int64_t collection_interval_ms;
	int64_t retention_days;
	int64_t batch_size;
	bool parallel_processing;
	bool cost_enabled;
	char *currency;
	struct gm_option_map default_rates; /* model or variant id -> amount an hour, read by gm_money_parse */
	struct gm_option_map pool_node_selector;
	struct gm_option_list pool_nodes;
	int64_t pool_max_devices; /* 0: no limit */

	/* gpu.management.allocation, .sharing */
	int64_t allocation_ttl_ms;
	int64_t allocation_pending_limit_ms; /* 0: none */
	int64_t allocation_gone_ms;
	bool allocation_preemption;
	int64_t allocation_preemption_grace_ms;
	int allocation_make; /* GM_ALLOC_MAKE_... */
	int64_t allocation_ageing_ms;
	int64_t allocation_retry_ms;
	int64_t allocation_attempts;
	int64_t allocation_hot_celsius;
	int64_t mig_cleanup_ms;
	struct gm_option_map sharing_replicas; /* model or variant id -> how many share a board */

	char *cluster_name;

	/* server */
	char *bind;
	int64_t port;
	char *context_path; /* "" for none, else "/k8s-monitor" */
	char *tls_cert_file;
	char *tls_key_file;
	int64_t max_connections;
	int64_t max_streams;
	int64_t max_streams_per_address;
	int64_t threads; /* 0: as many as the machine has cores, 4 at most */

	/* scrape */
	struct gm_option_maps targets; /* read one by gm_target_read (targets.h) */
	char *targets_file;
	int64_t scrape_timeout_ms; /* never more than collection_interval_ms */
	char *bearer_token_file;
	char *ca_file;
	char *client_cert_file;
	char *client_key_file;
	bool insecure_skip_verify;
	int64_t max_page_bytes;

	/* database */
	char *database_url;
	char *database_host;
	char *database_username;
	struct gm_secret database_password;
	bool database_network_files;

	/* security */
	int anonymous_role;	  /* enum gm_role: NONE or VIEWER */
	int anonymous_local_role; /* enum gm_role, of requests from this machine */
	struct gm_option_list local_addresses;
	char *admin_key_file;

	/* simulate */
	int64_t simulate_gpus;	/* 0: no simulation */
	int64_t simulate_nodes; /* 0: as the number of GPUs suggests */
	char *simulate_models;
	int64_t simulate_seed;
	int64_t simulate_speed;
	char *simulate_scenario;
	bool simulate_faults;
	int64_t simulate_interval_ms;

	/* logging */
	int log_level;	/* enum gm_log_level */
	int log_format; /* enum gm_log_format */
};

/* A text for those who know "not set" as NULL. */
static inline const char *gm_setting_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

extern const struct gm_option gm_settings_table[];
extern const size_t gm_settings_count;

/* What the command line asks for. */
enum gm_command_action {
	GM_COMMAND_RUN,
	GM_COMMAND_PRINT_CONFIG, /* needs the settings loaded */
	GM_COMMAND_VERSION,
	GM_COMMAND_HELP,
	GM_COMMAND_DOCS, /* docs/configuration.md */
};

#define GM_COMMAND_SETTINGS_MAX 256
struct gm_command {
	enum gm_command_action action;
	char *config; /* the base file: --config, else ./application.yml, else /etc/k8s-gpu-management/application.yml; NULL: none */
	struct gm_conf_profiles profiles;
	char *settings[GM_COMMAND_SETTINGS_MAX]; /* "KEY=VALUE" of --set and --simulate, in their order */
	size_t setting_count;
};
/* Environment: GPU_PROFILES_ACTIVE, else SPRING_PROFILES_ACTIVE, unless --profile is given. On failure the exit code is 2. */
int gm_command_parse(int argc, char *const *argv, char *const *environment, struct gm_command *out,
		     struct gm_err *err) GM_CHECKED;
void gm_command_fini(struct gm_command *c);
/* What an action other than RUN prints. `o` is needed by PRINT_CONFIG only. */
void gm_command_answer(const struct gm_command *c, const struct gm_options *o, struct gm_buf *out);

/*
 * Loads everything in the order that docs/configuration.md states and checks what one row cannot. `o` writes into *s,
 * which must stay where it is. Warnings are sentences for the log. On failure (exit code 2) nothing needs freeing but
 * the warnings; err->where names the place.
 */
int gm_settings_load(const struct gm_command *c, char *const *environment, struct gm_settings *s, struct gm_options *o,
		     struct gm_option_list *warnings, struct gm_err *err) GM_CHECKED;

/*
 * The same for SIGHUP: reads all sources again into fresh *s and *o. Rows that are not live keep the value (and origin)
 * they have in `before`.
 */
int gm_settings_reload(const struct gm_command *c, char *const *environment, const struct gm_options *before,
		       struct gm_settings *s, struct gm_options *o, struct gm_conf_changes *changes,
		       struct gm_option_list *warnings, struct gm_err *err) GM_CHECKED;

/* True for an address that is in security.local-addresses. Loopback is the caller's to know. */
bool gm_settings_is_local(const struct gm_settings *s, const char *address);

GM_DEFINE_AUTO_VALUE(struct gm_command, gm_command_fini)

#endif
