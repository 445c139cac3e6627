/* SPDX-License-Identifier: MIT */
#include "app/agent/api-internal.h"

#include "adapter/http/body.h"
#include "app/agent/mig-manager.h"
#include "base/json.h"
#include "base/log.h"
#include "base/promtext.h"
#include "core/auth/auth.h"

static int answer_page(struct gm_agent_api *api, enum gm_agent_page which, struct gm_http_response *res,
		       struct gm_err *err)
{
	GM_AUTO(gm_http_shared_unref_p)
	struct gm_http_shared *page = gm_agent_pages_get(api->pages, which, &res->status, NULL);

	if (!page)
		return gm_fail(err, GM_ERR_UNAVAILABLE, "the agent has just been started");
	gm_http_answer_shared(res, page);
	return 0;
}

/* Health is told by the main loop; one that does not turn any more cannot. */
static int fail_stuck(struct gm_agent_api *api, struct gm_err *err)
{
	int64_t age_ms = 0;
	int status;

	gm_http_shared_unref(gm_agent_pages_get(api->pages, GM_AGENT_PAGE_HEALTH, &status, &age_ms));
	if (age_ms > GM_AGENT_STUCK_MS)
		return gm_fail(err, GM_ERR_UNAVAILABLE, "the agent's main loop has not turned for %lld s",
			       (long long)(age_ms / 1000));
	return 0;
}

int gm_agent_get_metrics(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_agent_api *api = ctx;

	/* The first who asks for OpenMetrics gets plain text, which he takes too: from then on there is both. */
	if (gm_promtext_negotiate(gm_http_header(req, "Accept")) == GM_PROMTEXT_OPENMETRICS &&
	    answer_page(api, GM_AGENT_PAGE_OPENMETRICS, res, NULL) == 0)
		return 0;
	return answer_page(api, GM_AGENT_PAGE_METRICS, res, err);
}

int gm_agent_get_inventory(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	return answer_page(ctx, GM_AGENT_PAGE_INVENTORY, res, err);
}

/* Open routes ask nobody who he is unless he says so himself. */
static bool may_read(struct gm_agent_api *api, const struct gm_http_request *req)
{
	struct gm_identity who;

	return req->identity->role >= GM_ROLE_VIEWER || gm_agent_identify(api, req->peer, GM_STR(""), &who, NULL) == 0;
}

int gm_agent_get_health(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const int rc = fail_stuck(ctx, err);

	if (rc)
		return rc;
	return answer_page(ctx, may_read(ctx, req) ? GM_AGENT_PAGE_HEALTH : GM_AGENT_PAGE_HEALTH_BRIEF, res, err);
}

/* For who starts programs anew when they do not answer: a driver that hangs is no reason to. */
int gm_agent_get_live(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const int rc = fail_stuck(ctx, err);
	struct gm_json w;

	(void)req;
	if (rc)
		return rc;
	gm_json_init(&w, &res->body);
	gm_json_object(&w);
	gm_json_kcstr(&w, "status", "ok");
	gm_json_kcstr(&w, "version", GM_VERSION);
	gm_json_end_object(&w);
	return 0;
}

int gm_agent_get_ready(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const int rc = fail_stuck(ctx, err);

	if (rc)
		return rc;
	return answer_page(ctx, may_read(ctx, req) ? GM_AGENT_PAGE_READY : GM_AGENT_PAGE_READY_BRIEF, res, err);
}

/* Whoever changes something on a node is in its log. */
static void log_change(const struct gm_http_request *req, const char *what, const char *detail)
{
	gm_info("change asked for", { "what", what }, { "by", req->identity->name }, { "from", req->peer->address },
		{ "detail", detail });
}

struct pause_request {
	int64_t duration_ms;
	struct gm_str reason;
};
static const struct gm_body_field pause_fields[] = {
	{ .name = "duration",
	  .type = GM_BODY_DURATION,
	  .offset = offsetof(struct pause_request, duration_ms),
	  .min = 1000,
	  .max = INT64_C(24) * 3600 * 1000,
	  .help = "How long; at most pause.limit" },
	{ .name = "reason",
	  .type = GM_BODY_TEXT,
	  .offset = offsetof(struct pause_request, reason),
	  .max = 100,
	  .help = "For the page and the log" },
};
#define PAUSE_USUAL_MS (10 * 60 * 1000)

int gm_agent_post_pause(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const struct gm_agent_api *api = ctx;
	struct pause_request ask = { .duration_ms = PAUSE_USUAL_MS };
	int64_t until_ms = 0;
	struct gm_json w;
	int rc = gm_body_read(req->body, pause_fields, GM_LEN(pause_fields), sizeof(ask), req->arena, &ask, NULL,
			      req->issues, err);

	if (rc == 0)
		rc = api->control.pause(api->control.ctx, ask.duration_ms, ask.reason, &until_ms, err);
	if (rc)
		return rc;
	log_change(req, "pause", gm_arena_printf(req->arena, "%.*s", GM_STR_ARG(ask.reason)));
	gm_json_init(&w, &res->body);
	gm_json_object(&w);
	gm_json_kcstr(&w, "state", "pausing"); /* /healthz tells when it has come to that */
	gm_json_ktime(&w, "pausedUntil", until_ms);
	gm_json_end_object(&w);
	return 0;
}

int gm_agent_post_resume(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const struct gm_agent_api *api = ctx;
	const int rc = api->control.resume(api->control.ctx, err);
	struct gm_json w;

	if (rc)
		return rc;
	log_change(req, "resume", "");
	gm_json_init(&w, &res->body);
	gm_json_object(&w);
	gm_json_kcstr(&w, "state", "resumed");
	gm_json_end_object(&w);
	return 0;
}

static int fail_no_mig(struct gm_err *err)
{
	return gm_fail(err, GM_ERR_UNSUPPORTED, "this agent does not look after MIG");
}

int gm_agent_get_mig(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const struct gm_agent_api *api = ctx;

	(void)req;
	return api->mig ? answer_page(ctx, GM_AGENT_PAGE_MIG, res, err) : fail_no_mig(err);
}

int gm_agent_post_mig_apply(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_agent_api *api = ctx;
	const int rc = api->mig ? gm_mig_manager_apply(api->mig, req->body, &res->body, err) : fail_no_mig(err);

	log_change(req, "mig", rc ? gm_err_name(rc) : "taken");
	return rc;
}

int gm_agent_get_mig_operations(struct gm_http_request *req, struct gm_http_response *res, void *ctx,
				struct gm_err *err)
{
	struct gm_agent_api *api = ctx;

	(void)req;
	if (!api->mig)
		return fail_no_mig(err);
	gm_mig_manager_operations(api->mig, &res->body);
	return 0;
}

int gm_agent_get_mig_operation(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_agent_api *api = ctx;

	return api->mig ? gm_mig_manager_operation(api->mig, gm_http_path(req, "id"), &res->body, err)
			: fail_no_mig(err);
}
