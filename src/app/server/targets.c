/* SPDX-License-Identifier: MIT */
#include "app/server/targets.h"

#include <string.h>

#include "app/server/settings-internal.h"
#include "base/map.h"
#include "base/parse.h"

/* Keys of a target's map that are texts; `interval` is the only other one. */
static const struct target_key {
	const char *name;
	size_t offset;
} KEYS[] = {
	{ "url", offsetof(struct gm_target_conf, url) },
	{ "node", offsetof(struct gm_target_conf, node) },
	{ "cluster", offsetof(struct gm_target_conf, cluster) },
	{ "bearer-token-file", offsetof(struct gm_target_conf, bearer_token_file) },
	{ "ca-file", offsetof(struct gm_target_conf, ca_file) },
	{ "client-cert-file", offsetof(struct gm_target_conf, client_cert_file) },
	{ "client-key-file", offsetof(struct gm_target_conf, client_key_file) },
};

int gm_target_check_url(struct gm_str value, struct gm_err *err)
{
	struct gm_str http = GM_STR("http://"), https = GM_STR("https://");
	size_t scheme = gm_str_starts(value, http) ? http.n : gm_str_starts(value, https) ? https.n : 0;

	if (scheme == 0)
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' does not begin with http:// or https://",
			       GM_STR_ARG(value));
	struct gm_str rest = gm_str_n(value.p + scheme, value.n - scheme);
	size_t host = 0;
	while (host < rest.n && rest.p[host] != '/' && rest.p[host] != '?' && rest.p[host] != '#')
		host++;
	if (host == 0 || rest.p[0] == ':')
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' names no host", GM_STR_ARG(value));
	/* It would be shown wherever the target is. */
	if (memchr(rest.p, '@', host))
		return gm_fail(err, GM_ERR_INVALID, "a URL with user and password is not taken; use bearer-token-file");
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] <= ' ' || (unsigned char)value.p[i] >= 0x7f || value.p[i] == '#')
			return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not a URL", GM_STR_ARG(value));
	return 0;
}

static int read_pair(const struct gm_option_pair *pair, struct gm_target_conf *out, struct gm_err *err)
{
	const char *key = pair->key[0] ? pair->key : "url"; /* a mere URL */
	const char *value = pair->value[0] ? pair->value : NULL;

	for (size_t i = 0; i < GM_LEN(KEYS); i++) {
		if (strcmp(KEYS[i].name, key) == 0) {
			memcpy((char *)out + KEYS[i].offset, &value, sizeof(value));
			return 0;
		}
	}
	if (strcmp(key, "interval") != 0)
		return gm_fail_at(
			err, GM_ERR_INVALID, pair->where,
			"unknown key '%s' of a target; they are url, node, cluster, interval, bearer-token-file, "
			"ca-file, client-cert-file, client-key-file",
			key);
	int64_t ms = 0;
	if (value && (!gm_parse_duration_ms(gm_str(value), &ms) || ms < 1000 || ms > 3600 * 1000))
		return gm_fail_at(err, GM_ERR_INVALID, pair->where, "interval '%s' is not a duration from 1s to 1h",
				  value);
	out->interval_ms = ms;
	return 0;
}

int gm_target_read(const struct gm_option_map *entry, struct gm_target_conf *out, struct gm_err *err)
{
	struct gm_target_conf t = { 0 };
	const char *where = entry->count > 0 ? entry->items[0].where : "";

	for (size_t i = 0; i < entry->count; i++) {
		int rc = read_pair(&entry->items[i], &t, err);
		if (rc < 0)
			return rc;
	}
	if (!t.url)
		return gm_fail_at(err, GM_ERR_INVALID, where, "a target without url");
	if (!t.client_cert_file != !t.client_key_file)
		return gm_fail_at(err, GM_ERR_INVALID, where,
				  "client-cert-file and client-key-file are given together or not at all");
	struct gm_err reason = { 0 };
	if (gm_target_check_url(gm_str(t.url), &reason) < 0)
		return gm_fail_at(err, GM_ERR_INVALID, where, "%s", reason.text);
	*out = t;
	return 0;
}

int gm_targets_check(const struct gm_option_maps *targets, struct gm_err *err)
{
	GM_AUTO(gm_map_fini_p) struct gm_map seen = { 0 };

	for (size_t i = 0; i < targets->count; i++) {
		struct gm_target_conf t = { 0 };
		const struct gm_option_map *entry = &targets->items[i];
		int rc = gm_target_read(entry, &t, err);
		if (rc < 0)
			return rc;
		if (gm_map_put(&seen, gm_str(t.url), &targets->items[i]))
			return gm_fail_at(err, GM_ERR_INVALID, entry->items[0].where, "target '%s' is given twice",
					  t.url);
	}
	return 0;
}
