/* SPDX-License-Identifier: MIT */
#include "app/server/api-internal.h"

#include "adapter/http/body.h"
#include "base/parse.h"
#include "core/auth/auth.h"

int gm_api_me(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	const struct gm_facts *facts = gm_facts(api->facts);
	struct gm_json w;

	(void)err;
	gm_json_init(&w, &res->body);
	gm_json_object(&w);
	gm_json_kcstr(&w, "name", req->identity->name);
	gm_json_kcstr(&w, "role", gm_role_name(req->identity->role));
	gm_json_kbool(&w, "anonymous", req->identity->anonymous);
	gm_json_key(&w, "profile");
	gm_json_raw(&w, gm_str(facts->profiles));
	gm_json_kbool(&w, "open", facts->open);
	gm_json_end_object(&w);
	return 0;
}

static const struct gm_auth_store *auth_store(struct gm_api *api, struct gm_err *err)
{
	const struct gm_auth_store *s = gm_recorder_auth_store(api->recorder);

	if (!s)
		(void)gm_fail(err, GM_ERR_UNAVAILABLE, "the database is not open; see /readyz");
	return s;
}

static int write_key(void *ctx, const struct gm_key *key, struct gm_err *err)
{
	(void)err;
	gm_key_write(ctx, key);
	return 0;
}

int gm_api_keys(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const struct gm_auth_store *s = auth_store(ctx, err);
	struct gm_json w;

	(void)req;
	if (!s)
		return GM_ERR_UNAVAILABLE;
	gm_api_list_begin(&w, res);
	const int r = s->load_keys(s->ctx, write_key, &w, err);
	if (r)
		return r;
	gm_api_list_end(&w, gm_str_n(NULL, 0));
	return 0;
}

struct key_body {
	struct gm_str name;
	int role;
	int64_t expires_in_ms;
};
static const char *const role_choices[] = { "viewer", "operator", "admin", NULL };
static const struct gm_body_field key_fields[] = {
	{ .name = "name",
	  .type = GM_BODY_TEXT,
	  .offset = offsetof(struct key_body, name),
	  .required = true,
	  .min = 1,
	  .max = GM_KEY_NAME_MAX,
	  .help = "What the key is for" },
	{ .name = "role",
	  .type = GM_BODY_CHOICE,
	  .offset = offsetof(struct key_body, role),
	  .required = true,
	  .choices = role_choices,
	  .help = "What its holder may" },
	{ .name = "expiresIn",
	  .type = GM_BODY_DURATION,
	  .offset = offsetof(struct key_body, expires_in_ms),
	  .nullable = true,
	  .min = 60000,
	  .max = INT64_C(315360000000),
	  .help = "How long it is good, as 90d; never ends without it" },
};

static struct gm_actor actor_of(const struct gm_http_request *req)
{
	return (struct gm_actor){ .identity = req->identity,
				  .address = gm_str(req->peer->address),
				  .request_id = req->id };
}

int gm_api_key_create(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	const struct gm_actor actor = actor_of(req);
	struct key_body body = { 0 };
	char text[GM_KEY_TEXT_SIZE];
	struct gm_key key;
	struct gm_json w;
	int r = gm_body_read(req->body, key_fields, GM_LEN(key_fields), sizeof(body), req->arena, &body, NULL,
			     req->issues, err);

	if (r)
		return r;
	const int64_t expires = body.expires_in_ms ? gm_wall_ms(api->clock) + body.expires_in_ms : 0;
	r = gm_keys_create(api->keys, &actor, body.name, GM_ROLE_VIEWER + (enum gm_role)body.role, expires, &key, text,
			   err);
	if (r)
		return r;
	gm_json_init(&w, &res->body);
	gm_json_object(&w);
	gm_json_kcstr(&w, "key", text);
	gm_json_key(&w, "info");
	gm_key_write(&w, &key);
	gm_json_end_object(&w);
	gm_wipe(text, sizeof(text));
	gm_http_add_header(res, "Location",
			   gm_str(gm_arena_printf(req->arena, "%s/api/v1/auth/keys/%lld",
						  gm_facts(api->facts)->settings.context_path, (long long)key.id)));
	return 0;
}

int gm_api_key_revoke(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	const struct gm_actor actor = actor_of(req);
	const struct gm_str text = gm_http_path(req, "id");
	int64_t id;

	(void)res;
	if (!gm_parse_i64(text, 1, INT64_MAX, &id))
		return gm_fail(err, GM_ERR_NOT_FOUND, "no key '%.*s'", GM_STR_ARG(text));
	return gm_keys_revoke(api->keys, &actor, id, err);
}

struct audit_page {
	struct gm_json *w;
	size_t limit, count;
	int64_t last_seq;
	bool more;
};

static int write_audit(void *ctx, const struct gm_audit *row, struct gm_err *err)
{
	struct audit_page *p = ctx;

	(void)err;
	if (p->count == p->limit) {
		p->more = true;
		return 0;
	}
	gm_audit_write(p->w, row);
	p->last_seq = row->seq;
	p->count++;
	return 0;
}

int gm_api_audit(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	const struct gm_auth_store *s = auth_store(api, err);
	const struct gm_str text = gm_http_param_text(req, "cursor");
	struct gm_cursor c = { 0 };
	struct gm_json w;
	struct audit_page page = { .w = &w, .limit = (size_t)gm_http_param_number(req, "limit", 100) };

	if (!s)
		return GM_ERR_UNAVAILABLE;
	int r = text.n ? gm_cursor_read(req->arena, text, 'a', 0, &c, err) : 0;
	if (r)
		return r;
	gm_api_list_begin(&w, res);
	const struct gm_audit_query query = {
		.before_seq = c.number,
		.limit = page.limit + 1,
		.from_ms = gm_http_param_number(req, "from", 0),
		.to_ms = gm_http_param_number(req, "to", 0),
		.actor = gm_http_param_text(req, "actor"),
		.action = gm_http_param_text(req, "action"),
	};
	r = s->read_audit(s->ctx, &query, write_audit, &page, err);
	if (r)
		return r;
	gm_api_list_end(&w, !page.more ? gm_str_n(NULL, 0)
				       : gm_cursor_write(req->arena,
							 &(struct gm_cursor){ .kind = 'a', .number = page.last_seq }));
	return 0;
}

static int write_refused(void *ctx, const struct gm_refused *row, struct gm_err *err)
{
	struct gm_json *w = ctx;

	(void)err;
	gm_json_object(w);
	gm_json_ktime(w, "minute", row->minute_ms);
	gm_json_kstr(w, "address", row->address);
	gm_json_ki64(w, "status", row->status);
	gm_json_ki64(w, "count", row->count);
	gm_json_end_object(w);
	return 0;
}

int gm_api_refused(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const struct gm_auth_store *s = auth_store(ctx, err);
	struct gm_json w;

	if (!s)
		return GM_ERR_UNAVAILABLE;
	gm_api_list_begin(&w, res);
	const int r = s->read_refused(s->ctx, gm_http_param_number(req, "from", 0),
				      (size_t)gm_http_param_number(req, "limit", 100), write_refused, &w, err);
	if (r)
		return r;
	gm_api_list_end(&w, gm_str_n(NULL, 0));
	return 0;
}
