/* SPDX-License-Identifier: MIT */
#include "app/server/settings.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/server/settings-internal.h"
#include "app/server/targets.h"
#include "base/money.h"
#include "base/parse.h"
#include "core/catalog/catalog.h"

static const struct gm_option *row(const struct gm_options *o, const char *key)
{
	return gm_option_find(o, gm_str(key));
}

static const struct gm_origin *origin(const struct gm_options *o, const char *key)
{
	return gm_option_origin(o, row(o, key));
}

static int check_together(const struct gm_settings *s, const struct gm_options *o, struct gm_err *err)
{
	int rc = gm_conf_check_pair(o, "server.tls.cert-file", "server.tls.key-file", err);

	if (rc == 0)
		rc = gm_conf_check_pair(o, "scrape.client-cert-file", "scrape.client-key-file", err);
	if (rc == 0 && s->simulate_nodes > s->simulate_gpus)
		rc = gm_conf_fail(o, "simulate.nodes", err, "more nodes than simulate.gpus");
	if (rc == 0 && s->simulate_nodes > 0 && s->simulate_gpus > s->simulate_nodes * 16)
		rc = gm_conf_fail(o, "simulate.nodes", err,
				  "a node holds 16 GPUs at most, simulate.gpus asks for more");
	return rc == 0 ? gm_targets_check(&s->targets, err) : rc;
}

/* Only the profile development is open; elsewhere a request without a key is nobody's. */
static int check_open(const struct gm_command *c, const struct gm_settings *s, const struct gm_options *o,
		      struct gm_err *err)
{
	if (gm_conf_profiles_has(&c->profiles, "development"))
		return 0;
	if (s->anonymous_role != GM_ROLE_NONE)
		return gm_conf_fail(o, "security.anonymous-role", err,
				    "only the profile development lets requests in without a key");
	if (s->anonymous_local_role != GM_ROLE_NONE)
		return gm_conf_fail(o, "security.anonymous-local-role", err,
				    "only the profile development lets requests in without a key");
	return 0;
}

/* A timeout that nobody set follows a short interval; one that somebody set must fit. */
static int settle_timeout(struct gm_settings *s, const struct gm_options *o, struct gm_err *err)
{
	if (s->scrape_timeout_ms <= s->collection_interval_ms)
		return 0;
	if (origin(o, "scrape.timeout")->kind != GM_ORIGIN_DEFAULT)
		return gm_conf_fail(o, "scrape.timeout", err, "more than gpu.management.metrics.collection-interval");
	s->scrape_timeout_ms = s->collection_interval_ms;
	return 0;
}

/* In development something is to be seen: without anything to scrape, a simulated cluster. */
static int settle_simulation(const struct gm_command *c, const struct gm_settings *s, struct gm_options *o,
			     struct gm_err *err)
{
	static const struct gm_conf_preset DEMO = { "development", "simulate.gpus", GM_SETTINGS_DEMO_GPUS };

	if (!gm_conf_profiles_has(&c->profiles, DEMO.profile) || s->targets.count > 0 || s->targets_file[0] ||
	    origin(o, DEMO.key)->kind != GM_ORIGIN_DEFAULT)
		return 0;
	return gm_conf_apply_preset(o, &DEMO, err);
}

static bool is_known_model(const char *name)
{
	return gm_catalog_has_model(gm_str(name)) || gm_catalog_variant(gm_str(name)) != NULL;
}

/* A board newer than the catalogue may well be meant, so an unknown name is no error. */
static void warn_models(const struct gm_settings *s, const struct gm_options *o, struct gm_option_list *warnings)
{
	static const char *const SUPPORTED = "gpu.management.supported-models";
	static const char *const RATES = "gpu.management.cost.default-rates";

	for (size_t i = 0; i < s->supported_models.count; i++)
		if (!is_known_model(s->supported_models.items[i]))
			gm_conf_warn(warnings, "%s: %s: '%s' is no model or variant of the catalogue",
				     origin(o, SUPPORTED)->where, SUPPORTED, s->supported_models.items[i]);
	for (size_t i = 0; i < s->default_rates.count; i++)
		if (!is_known_model(s->default_rates.items[i].key))
			gm_conf_warn(warnings, "%s: %s: '%s' is no model or variant of the catalogue",
				     s->default_rates.items[i].where[0] ? s->default_rates.items[i].where
									: origin(o, RATES)->where,
				     RATES, s->default_rates.items[i].key);
}

static void warn_database(const struct gm_settings *s, const struct gm_options *o, struct gm_option_list *warnings)
{
	if (s->database_host[0])
		gm_conf_warn(warnings, "%s: database.host '%s' is ignored: the database is SQLite",
			     origin(o, "database.host")->where, s->database_host);
}

static void warn_security(const struct gm_settings *s, const struct gm_options *o, struct gm_option_list *warnings)
{
	if (s->insecure_skip_verify)
		gm_conf_warn(warnings, "%s: scrape.insecure-skip-verify: certificates of targets are not checked",
			     origin(o, "scrape.insecure-skip-verify")->where);
}

static int load_sources(const struct gm_command *c, char *const *environment, struct gm_options *o, struct gm_err *err)
{
	const struct gm_conf_sources from = {
		.file = c->config,
		.profiles = &c->profiles,
		.known_profiles = gm_settings_profiles,
		.presets = gm_settings_presets,
		.preset_count = gm_settings_preset_count,
		.environment = environment,
		.settings = (const char *const *)c->settings,
		.setting_count = c->setting_count,
	};

	return gm_conf_load(o, &from, err);
}

/* What one row cannot know of another. */
static int finish(const struct gm_command *c, struct gm_settings *s, struct gm_options *o, struct gm_err *err)
{
	int rc = settle_simulation(c, s, o, err);

	if (rc == 0)
		rc = settle_timeout(s, o, err);
	if (rc == 0)
		rc = check_together(s, o, err);
	if (rc == 0)
		rc = check_open(c, s, o, err);
	if (strcmp(s->context_path, "/") == 0)
		s->context_path[0] = '\0';
	return rc;
}

static void warn_all(char *const *environment, const struct gm_settings *s, const struct gm_options *o,
		     struct gm_option_list *warnings)
{
	warn_models(s, o, warnings);
	warn_database(s, o, warnings);
	warn_security(s, o, warnings);
	gm_conf_warn_environment(o, environment, "GPU_MANAGEMENT_", warnings);
}

int gm_settings_load(const struct gm_command *c, char *const *environment, struct gm_settings *s, struct gm_options *o,
		     struct gm_option_list *warnings, struct gm_err *err)
{
	gm_options_init(o, gm_settings_table, gm_settings_count, s);
	int rc = load_sources(c, environment, o, err);
	if (rc == 0)
		rc = finish(c, s, o, err);
	if (rc == 0)
		warn_all(environment, s, o, warnings);
	else
		gm_options_fini(o);
	return rc;
}

int gm_settings_reload(const struct gm_command *c, char *const *environment, const struct gm_options *before,
		       struct gm_settings *s, struct gm_options *o, struct gm_conf_changes *changes,
		       struct gm_option_list *warnings, struct gm_err *err)
{
	int rc = gm_settings_load(c, environment, s, o, warnings, err);

	if (rc < 0)
		return rc;
	gm_conf_changes_find(before, o, changes);
	return 0;
}

/* The address as 16 bytes, IPv4 as ::ffff:a.b.c.d; *out_shift is what a prefix length of its family grows by. */
static bool address_bytes(struct gm_str text, unsigned char out[static 16], unsigned *out_shift)
{
	char buf[INET6_ADDRSTRLEN];

	if (!gm_str_copy(text, buf, sizeof(buf)))
		return false;
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	*out_shift = 96;
	if (inet_pton(AF_INET, buf, out + 12) == 1)
		return true;
	*out_shift = 0;
	return inet_pton(AF_INET6, buf, out) == 1;
}

static bool same_prefix(const unsigned char *a, const unsigned char *b, uint64_t bits)
{
	size_t whole = bits / 8;
	unsigned rest = (unsigned)(bits % 8);

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] >> (8 - rest)) == (b[whole] >> (8 - rest));
}

bool gm_settings_is_local(const struct gm_settings *s, const char *address)
{
	unsigned char have[16], want[16];
	unsigned shift;

	if (!address_bytes(gm_str(address), have, &shift))
		return false;
	for (size_t i = 0; i < s->local_addresses.count; i++) {
		struct gm_str text = gm_str(s->local_addresses.items[i]);
		size_t slash = gm_str_find(text, '/');
		uint64_t bits = 128;
		if (!address_bytes(gm_str_n(text.p, slash), want, &shift))
			continue;
		if (slash < text.n &&
		    gm_parse_u64(gm_str_n(text.p + slash + 1, text.n - slash - 1), 0, 128 - shift, &bits))
			bits += shift;
		if (same_prefix(have, want, bits))
			return true;
	}
	return false;
}
