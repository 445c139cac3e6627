/* SPDX-License-Identifier: MIT */
#include "core/auth/auth.h"

#include "core/auth/auth-internal.h"

static void identity_set(struct gm_identity *who, enum gm_role role, int64_t key_id, const char *name)
{
	*who = (struct gm_identity){ .role = role, .key_id = key_id };
	(void)gm_str_copy(gm_str(name), who->name, sizeof(who->name));
}

int gm_auth_identify(const struct gm_keyring *ring, struct gm_str bearer, enum gm_role anonymous, int64_t now_ms,
		     struct gm_identity *out, struct gm_err *err)
{
	uint8_t digest[GM_DIGEST_BYTES];
	const struct gm_ring_key *key = NULL;

	if (bearer.n == 0) {
		identity_set(out, anonymous, 0, anonymous == GM_ROLE_NONE ? "" : "anonymous");
		out->anonymous = anonymous != GM_ROLE_NONE;
		return 0;
	}
	if (ring) {
		gm_digest(bearer, digest);
		key = gm_keyring_find(ring, digest);
	}
	if (!key)
		return gm_fail(err, GM_ERR_UNAUTHENTICATED, "this API key is not known or was revoked");
	if (!gm_key_good_at(key->expires_ms, now_ms))
		return gm_fail(err, GM_ERR_UNAUTHENTICATED, "API key '%s' has expired", key->name);
	identity_set(out, key->role, key->id, key->name);
	out->expires_ms = key->expires_ms;
	return 0;
}

struct gm_str gm_auth_bearer(struct gm_str authorization)
{
	const struct gm_str scheme = GM_STR("Bearer ");

	if (authorization.n <= scheme.n || !gm_str_ieq(gm_str_n(authorization.p, scheme.n), scheme))
		return gm_str_n(NULL, 0);
	return gm_str_trim(gm_str_n(authorization.p + scheme.n, authorization.n - scheme.n));
}

int gm_auth_allows(const struct gm_identity *who, enum gm_role least, struct gm_err *err)
{
	if (who->role >= least)
		return 0;
	if (who->role == GM_ROLE_NONE)
		return gm_fail(err, GM_ERR_UNAUTHENTICATED, "an API key is needed: Authorization: Bearer gmk_...");
	return gm_fail(err, GM_ERR_FORBIDDEN, "this needs the role %s, '%s' is %s", gm_role_name(least), who->name,
		       gm_role_name(who->role));
}

bool gm_auth_address_is_loopback(struct gm_str address)
{
	const struct gm_str mapped = GM_STR("::ffff:");
	unsigned dots = 0;

	if (gm_str_is(address, "::1"))
		return true;
	if (address.n > mapped.n && gm_str_ieq(gm_str_n(address.p, mapped.n), mapped))
		address = gm_str_n(address.p + mapped.n, address.n - mapped.n);
	if (!gm_str_starts(address, GM_STR("127.")))
		return false;
	for (size_t i = 0; i < address.n; i++) {
		if (address.p[i] == '.')
			dots++;
		else if (address.p[i] < '0' || address.p[i] > '9')
			return false; /* "127.0.0.1.example.org" is a name */
	}
	return dots == 3;
}
