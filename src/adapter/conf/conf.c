/* SPDX-License-Identifier: MIT */
#include "adapter/conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter/conf/conf-internal.h"
#include "base/buf.h"

static int read_all(int fd, const char *path, struct gm_buf *out, struct gm_err *err)
{
	for (;;) {
		char *to = gm_buf_reserve(out, 16 * 1024);
		if (!to)
			return gm_fail_at(err, GM_ERR_TOO_LARGE, path, "larger than 8 MiB");
		ssize_t n = read(fd, to, 16 * 1024);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gm_fail_errno(err, errno, "%s", path);
		if (n == 0)
			return 0;
		gm_buf_advance(out, (size_t)n);
	}
}

int conf_read_file(const char *path, struct gm_buf *out, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return gm_fail_errno(err, errno, "%s", path);
	out->limit = GM_CONF_FILE_MAX + 16 * 1024;
	return read_all(fd, path, out, err);
}

int gm_conf_apply_file(struct gm_options *o, const char *path, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	int rc = conf_read_file(path, &text, err);

	return rc < 0 ? rc : gm_conf_apply_yaml(o, gm_buf_str(&text), path, err);
}

int gm_conf_maps_read(const char *path, struct gm_option_maps *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	int rc = conf_read_file(path, &text, err);

	return rc < 0 ? rc : gm_conf_maps_parse(gm_buf_str(&text), path, out, err);
}

/* Environment and flags. */

const char *gm_conf_environment_get(char *const *environment, const char *name)
{
	size_t n = strlen(name);

	for (char *const *e = environment; e && *e; e++)
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
			return (*e)[n + 1] ? *e + n + 1 : NULL;
	return NULL;
}

static int apply_variable(struct gm_options *o, const struct gm_option *opt, const char *name, const char *value,
			  struct gm_err *err)
{
	struct gm_origin origin = { .kind = GM_ORIGIN_ENV };

	(void)gm_str_copy(gm_str(name), origin.where, sizeof(origin.where));
	return gm_option_set(o, opt, gm_str(value), &origin, err);
}

/* Kubernetes sets NAME_PORT=tcp://10.0.0.1:80 for a service called NAME, in every pod beside it: not meant for us. */
static bool is_service_link(const struct gm_option *opt, const char *value)
{
	return opt->type == GM_OPTION_INT && value &&
	       (gm_str_starts(gm_str(value), GM_STR("tcp://")) || gm_str_starts(gm_str(value), GM_STR("udp://")));
}

int gm_conf_apply_environment(struct gm_options *o, char *const *environment, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf name = { 0 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < o->count; i++) {
		const struct gm_option *opt = &o->table[i];
		gm_buf_reset(&name);
		gm_option_env_name(opt, &name);
		const char *relaxed = gm_conf_environment_get(environment, gm_buf_cstr(&name));
		const char *further = opt->env ? gm_conf_environment_get(environment, opt->env) : NULL;
		if (relaxed && !is_service_link(opt, relaxed))
			rc = apply_variable(o, opt, gm_buf_cstr(&name), relaxed, err);
		else if (further)
			rc = apply_variable(o, opt, opt->env, further, err);
	}
	return rc;
}

int gm_conf_apply_setting(struct gm_options *o, const char *setting, struct gm_err *err)
{
	const struct gm_origin origin = { .kind = GM_ORIGIN_FLAG, .where = "--set" };
	struct gm_str text = gm_str(setting);
	size_t eq = gm_str_find(text, '=');

	if (eq == text.n || eq == 0)
		return gm_fail_at(err, GM_ERR_INVALID, "--set", "'%s' is not KEY=VALUE", setting);
	struct gm_str key = gm_str_n(text.p, eq);
	const struct gm_option *opt = gm_option_find(o, key);
	if (!opt) {
		const char *nearest = gm_option_nearest(o, key);
		return gm_fail_at(err, GM_ERR_INVALID, "--set", "unknown key '%.*s'%s%s%s", GM_STR_ARG(key),
				  nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	}
	return gm_option_set(o, opt, gm_str_n(text.p + eq + 1, text.n - eq - 1), &origin, err);
}

/* Profiles. */

static bool profile_name_ok(struct gm_str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' &&
		    c != '_')
			return false;
	}
	return name.n > 0 && name.n <= 64;
}

bool gm_conf_profiles_has(const struct gm_conf_profiles *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->names[i], name) == 0)
			return true;
	return false;
}

int gm_conf_profiles_add(struct gm_conf_profiles *p, struct gm_str text, const char *where, struct gm_err *err)
{
	struct gm_str part;

	while (gm_str_split(&text, ',', &part)) {
		struct gm_str name = gm_str_trim(part);
		if (name.n == 0)
			continue;
		if (!profile_name_ok(name))
			return gm_fail_at(err, GM_ERR_INVALID, where,
					  "profile '%.*s': a name holds letters, digits, '-' and '_' only",
					  GM_STR_ARG(name));
		char *copy = gm_str_dup(name);
		if (gm_conf_profiles_has(p, copy)) {
			free(copy);
		} else if (p->count == GM_CONF_PROFILES_MAX) {
			free(copy);
			return gm_fail_at(err, GM_ERR_INVALID, where, "more than %d profiles", GM_CONF_PROFILES_MAX);
		} else {
			p->names[p->count++] = copy;
		}
	}
	return 0;
}

void gm_conf_profiles_fini(struct gm_conf_profiles *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->names[i]);
	*p = (struct gm_conf_profiles){ 0 };
}

int gm_conf_apply_preset(struct gm_options *o, const struct gm_conf_preset *preset, struct gm_err *err)
{
	struct gm_origin origin = { .kind = GM_ORIGIN_PROFILE };
	const struct gm_option *opt = gm_option_find(o, gm_str(preset->key));

	(void)snprintf(origin.where, sizeof(origin.where), "profile %s", preset->profile);
	if (!opt)
		return gm_fail_at(err, GM_ERR_INTERNAL, origin.where, "unknown key '%s'", preset->key);
	return gm_option_set(o, opt, gm_str(preset->value), &origin, err);
}

static int apply_presets(struct gm_options *o, const struct gm_conf_sources *from, const char *profile,
			 struct gm_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < from->preset_count; i++)
		if (strcmp(from->presets[i].profile, profile) == 0)
			rc = gm_conf_apply_preset(o, &from->presets[i], err);
	return rc;
}

/* The folder of `file` with its slash: "" for "application.yml". */
static struct gm_str folder_of(const struct gm_conf_sources *from, struct gm_buf *scratch)
{
	if (from->file) {
		const char *slash = strrchr(from->file, '/');
		gm_buf_add(scratch, from->file, slash ? (size_t)(slash - from->file) + 1 : 0);
	} else if (from->folder) {
		gm_buf_add_cstr(scratch, from->folder);
		gm_buf_add_char(scratch, '/');
	}
	return gm_buf_str(scratch);
}

static bool is_known_profile(const struct gm_conf_sources *from, const char *profile)
{
	for (const char *const *known = from->known_profiles; known && *known; known++)
		if (strcmp(*known, profile) == 0)
			return true;
	return false;
}

static int apply_profile_file(struct gm_options *o, const struct gm_conf_sources *from, const char *profile,
			      struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf path = { 0 };

	(void)folder_of(from, &path);
	gm_buf_addf(&path, "application-%s.yml", profile);
	if (access(gm_buf_cstr(&path), F_OK) == 0)
		return gm_conf_apply_file(o, gm_buf_cstr(&path), err);
	if (is_known_profile(from, profile))
		return 0;
	return gm_fail(err, GM_ERR_NOT_FOUND, "profile '%s': there is no file '%s', and it is none of our own", profile,
		       gm_buf_cstr(&path));
}

int gm_conf_load(struct gm_options *o, const struct gm_conf_sources *from, struct gm_err *err)
{
	static const struct gm_conf_profiles NONE = { 0 };
	const struct gm_conf_profiles *profiles = from->profiles ? from->profiles : &NONE;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < profiles->count; i++)
		rc = apply_presets(o, from, profiles->names[i], err);
	if (rc == 0 && from->file)
		rc = gm_conf_apply_file(o, from->file, err);
	for (size_t i = 0; rc == 0 && i < profiles->count; i++)
		rc = apply_profile_file(o, from, profiles->names[i], err);
	if (rc == 0)
		rc = gm_conf_apply_environment(o, from->environment, err);
	for (size_t i = 0; rc == 0 && i < from->setting_count; i++)
		rc = gm_conf_apply_setting(o, from->settings[i], err);
	return rc;
}
