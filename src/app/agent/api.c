/* SPDX-License-Identifier: MIT */
#include "app/agent/api-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "core/auth/auth.h"

#define TOKEN_MAX 4096
#define BODY_MAX (256 * 1024) /* a layout of 64 boards is a tenth of it */

#define GET(path_, role_, handler_, operation_, flags_, summary_)                                                      \
	{                                                                                                              \
		.method = GM_HTTP_GET, .path = path_, .role = GM_ROLE_##role_, .handler = handler_,                    \
		.operation = operation_, .tag = "agent", .flags = flags_, .summary = summary_                          \
	}
#define POST(path_, handler_, operation_, request_, summary_)                                                          \
	{                                                                                                              \
		.method = GM_HTTP_POST, .path = path_, .role = GM_ROLE_ADMIN, .handler = handler_,                     \
		.operation = operation_, .tag = "agent", .request = request_, .summary = summary_                      \
	}

/* clang-format off: a row a route. */
const struct gm_route gm_agent_route_table[] = {
	GET("/metrics", VIEWER, gm_agent_get_metrics, "getMetrics", GM_ROUTE_TEXT,
	    "Prometheus text, OpenMetrics when asked"),
	GET("/healthz", NONE, gm_agent_get_health, "getHealth", 0, "All boards are read, and in time"),
	GET("/livez", NONE, gm_agent_get_live, "getLive", 0, "The agent itself turns, whatever the driver does"),
	GET("/readyz", NONE, gm_agent_get_ready, "getReady", 0,
	    "The first round is made and the wanted MIG layout is there"),
	GET("/v1/inventory", VIEWER, gm_agent_get_inventory, "getInventory", 0,
	    "Boards, instances, profiles, who uses them"),
	GET("/v1/mig", VIEWER, gm_agent_get_mig, "getMig", 0, "MIG modes, layouts and what may be done"),
	POST("/v1/mig/apply", gm_agent_post_mig_apply, "applyMig", "MigApplyRequest", "Change MIG layouts"),
	GET("/v1/mig/operations", VIEWER, gm_agent_get_mig_operations, "listMigOperations", 0, "The last changes"),
	GET("/v1/mig/operations/{id}", VIEWER, gm_agent_get_mig_operation, "getMigOperation", 0,
	    "A change and how far it is"),
	GET("/v1/events", VIEWER, gm_agent_get_events, "streamEvents", GM_ROUTE_STREAM, "Progress of MIG changes"),
	POST("/v1/pause", gm_agent_post_pause, "pause", "PauseRequest", "Close the driver for a while"),
	POST("/v1/resume", gm_agent_post_resume, "resume", NULL, "Use the driver again"),
};
/* clang-format on */
const size_t gm_agent_route_count = GM_LEN(gm_agent_route_table);

void gm_agent_api_init(struct gm_agent_api *api)
{
	(void)pthread_mutex_init(&api->mu, NULL);
}

void gm_agent_api_fini(struct gm_agent_api *api)
{
	for (size_t i = 0; i < GM_AGENT_STREAMS_MAX; i++)
		gm_http_stream_unref(api->streams[i]);
	gm_wipe(api->token, sizeof(api->token));
	(void)pthread_mutex_destroy(&api->mu);
}

static int read_token(const char *path, char text[static TOKEN_MAX + 1], struct gm_str *out, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, TOKEN_MAX + 1);

	if (n < 0)
		return gm_fail_errno(err, errno, "token-file '%s'", path);
	if (n > TOKEN_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "token-file '%s': more than %d bytes", path, TOKEN_MAX);
	*out = gm_str_trim(gm_str_n(text, (size_t)n));
	if (out->n == 0)
		return gm_fail(err, GM_ERR_INVALID, "token-file '%s': empty", path);
	return 0;
}

int gm_agent_api_token(struct gm_agent_api *api, const char *path, struct gm_err *err)
{
	char text[TOKEN_MAX + 1];
	struct gm_file_stamp stamp = { 0 };
	struct gm_str token = { 0 };
	uint8_t digest[GM_DIGEST_BYTES] = { 0 };
	int rc = 0;

	if (path[0] && gm_file_stamp_read(path, &stamp) && gm_file_stamp_same(&stamp, &api->token_stamp))
		return 0;
	if (path[0])
		rc = read_token(path, text, &token, err);
	if (rc == 0) {
		gm_digest(token, digest);
		api->token_stamp = stamp;
		(void)pthread_mutex_lock(&api->mu);
		api->token_wanted = path[0] != '\0';
		memcpy(api->token, digest, sizeof(digest));
		(void)pthread_mutex_unlock(&api->mu);
	}
	gm_wipe(text, sizeof(text));
	return rc;
}

static void identity_set(struct gm_identity *out, enum gm_role role, bool anonymous, const char *name)
{
	*out = (struct gm_identity){ .role = role, .anonymous = anonymous };
	(void)snprintf(out->name, sizeof(out->name), "%s", name);
}

static void identity_of_socket(const struct gm_http_peer *peer, struct gm_identity *out)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "uid %u", peer->uid);
	identity_set(out, GM_ROLE_ADMIN, false, name);
}

int gm_agent_identify(void *ctx, const struct gm_http_peer *peer, struct gm_str authorization, struct gm_identity *out,
		      struct gm_err *err)
{
	struct gm_agent_api *api = ctx;
	const struct gm_str bearer = gm_auth_bearer(authorization);
	uint8_t wanted[GM_DIGEST_BYTES], given[GM_DIGEST_BYTES];
	bool token_wanted;

	if (peer->unix_socket) {
		identity_of_socket(peer, out);
		return 0;
	}
	if (peer->client_cert == GM_HTTP_CERT_VERIFIED) {
		identity_set(out, GM_ROLE_ADMIN, false, peer->client_name);
		return 0;
	}
	(void)pthread_mutex_lock(&api->mu);
	token_wanted = api->token_wanted;
	memcpy(wanted, api->token, sizeof(wanted));
	(void)pthread_mutex_unlock(&api->mu);
	if (!token_wanted) {
		identity_set(out, GM_ROLE_VIEWER, true, "anonymous");
		return 0;
	}
	if (bearer.n == 0)
		return gm_fail(err, GM_ERR_UNAUTHENTICATED, "reading needs a token: Authorization: Bearer ...");
	gm_digest(bearer, given);
	if (!gm_secret_eq(given, wanted, sizeof(given)))
		return gm_fail(err, GM_ERR_UNAUTHENTICATED, "the token is not the one in this agent's token-file");
	identity_set(out, GM_ROLE_VIEWER, false, "token");
	return 0;
}

static void on_http_line(void *ctx, const char *line)
{
	(void)ctx;
	gm_warn("HTTP library", { "line", line });
}

void gm_agent_api_conf(struct gm_agent_api *api, struct gm_http_conf *out)
{
	*out = (struct gm_http_conf){
		.threads = 2,
		.context = "",
		.routes = gm_agent_route_table,
		.route_count = gm_agent_route_count,
		.ctx = api,
		.identify = gm_agent_identify,
		.forbidden =
			"changes are taken on the agent's unix socket, and over TLS from clients with a certificate "
			"of the authority in tls.client-ca-file",
		.streams_max = GM_AGENT_STREAMS_MAX,
		.streams_per_address_max = GM_AGENT_STREAMS_MAX,
		.body_max_bytes = BODY_MAX,
		.clock = api->clock,
		.log = on_http_line,
	};
}
