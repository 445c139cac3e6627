/* SPDX-License-Identifier: MIT */
#include "core/auth/auth.h"

#define KEY_MARK "gmk_"
#define KEY_RANDOM_BYTES 32
#define KEY_TEXT_MAX 128

_Static_assert(GM_KEY_TEXT_SIZE == sizeof(KEY_MARK) + (KEY_RANDOM_BYTES * 8 + 5) / 6,
	       "mark, base64url of 256 bits, NUL");

static const char *const role_names[GM_ROLE_COUNT] = {
	[GM_ROLE_NONE] = "none",
	[GM_ROLE_VIEWER] = "viewer",
	[GM_ROLE_OPERATOR] = "operator",
	[GM_ROLE_ADMIN] = "admin",
};

const char *gm_role_name(enum gm_role role)
{
	return (unsigned)role < GM_ROLE_COUNT ? role_names[role] : "none";
}

bool gm_role_parse(struct gm_str name, enum gm_role *out)
{
	for (unsigned role = GM_ROLE_VIEWER; role < GM_ROLE_COUNT; role++) {
		if (gm_str_is(name, role_names[role])) {
			*out = (enum gm_role)role;
			return true;
		}
	}
	return false;
}

static int check_name(struct gm_str name, struct gm_err *err)
{
	if (name.n == 0 || name.n > GM_KEY_NAME_MAX)
		return gm_fail(err, GM_ERR_INVALID, "name: %zu bytes, 1 to %d are allowed", name.n, GM_KEY_NAME_MAX);
	if (gm_str_trim(name).n != name.n)
		return gm_fail(err, GM_ERR_INVALID, "name: begins or ends with a blank");
	if (!gm_str_plain_ok(name))
		return gm_fail(err, GM_ERR_INVALID, "name: %s",
			       gm_str_utf8_ok(name) ? "has a control character" : "not UTF-8");
	return 0;
}

static bool is_base64url(struct gm_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
		      c == '_'))
			return false;
	}
	return true;
}

int gm_key_from_text(struct gm_str text, struct gm_str name, enum gm_role role, struct gm_str created_by,
		     int64_t now_ms, int64_t expires_ms, struct gm_key *out, struct gm_err *err)
{
	const struct gm_str mark = GM_STR(KEY_MARK);
	struct gm_key key = { .role = role, .created_ms = now_ms, .expires_ms = expires_ms };
	int rc;

	if (!gm_str_starts(text, mark) || text.n < GM_KEY_TEXT_SIZE - 1 || text.n > KEY_TEXT_MAX ||
	    !is_base64url(gm_str_n(text.p + mark.n, text.n - mark.n)))
		return gm_fail(err, GM_ERR_INVALID, "key: not \"%s\" and 43 to %zu characters of base64url", KEY_MARK,
			       KEY_TEXT_MAX - mark.n);
	rc = check_name(name, err);
	if (rc)
		return rc;
	if (role <= GM_ROLE_NONE || role >= GM_ROLE_COUNT)
		return gm_fail(err, GM_ERR_INVALID, "role: one of viewer, operator, admin");
	if (expires_ms != 0 && expires_ms <= now_ms)
		return gm_fail(err, GM_ERR_INVALID, "expires: lies in the past");
	gm_digest(text, key.digest);
	(void)gm_str_copy(text, key.prefix, sizeof(key.prefix));
	(void)gm_str_copy(name, key.name, sizeof(key.name));
	(void)gm_str_copy(created_by, key.created_by, sizeof(key.created_by));
	*out = key;
	return 0;
}

int gm_key_make(struct gm_str name, enum gm_role role, struct gm_str created_by, int64_t now_ms, int64_t expires_ms,
		struct gm_key *out, char out_text[static GM_KEY_TEXT_SIZE], struct gm_err *err)
{
	uint8_t random[KEY_RANDOM_BYTES];
	char text[GM_KEY_TEXT_SIZE] = KEY_MARK;
	int rc;

	gm_random_bytes(random, sizeof(random));
	(void)gm_base64url(random, sizeof(random), text + sizeof(KEY_MARK) - 1);
	gm_wipe(random, sizeof(random));
	rc = gm_key_from_text(gm_str_n(text, sizeof(text) - 1), name, role, created_by, now_ms, expires_ms, out, err);
	if (rc == 0)
		memcpy(out_text, text, sizeof(text));
	gm_wipe(text, sizeof(text));
	return rc;
}
