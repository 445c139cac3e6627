/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "adapter/kube/podresources.h"
#include "app/agent/settings.h"

static int check_listen(struct gm_str value, struct gm_err *err)
{
	struct gm_agent_listen listen;

	return gm_agent_listen_parse(value, &listen, err);
}

static int check_path(struct gm_str value, struct gm_err *err)
{
	if (value.p[0] != '/')
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not a path from the root", GM_STR_ARG(value));
	return 0;
}

static int check_path_or_none(struct gm_str value, struct gm_err *err)
{
	return gm_str_is(value, "none") ? 0 : check_path(value, err);
}

/* A socket's path has to fit the kernel's struct. */
static int check_socket(struct gm_str value, struct gm_err *err)
{
	if (value.n > 107)
		return gm_fail(err, GM_ERR_INVALID, "'%.*s': a socket's path has at most 107 bytes", GM_STR_ARG(value));
	return check_path_or_none(value, err);
}

static int check_node_name(struct gm_str value, struct gm_err *err)
{
	if (!gm_str_plain_ok(value))
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not a name", GM_STR_ARG(value));
	return 0;
}

#define ROW(k, t, field, ...)                                                                                          \
	{                                                                                                              \
		.key = k, .type = GM_OPTION_##t, .offset = offsetof(struct gm_agent_settings, field),                  \
		.env_prefix = "GPU_AGENT_", __VA_ARGS__                                                                \
	}

const struct gm_option gm_agent_settings_table[] = {
	ROW("listen", LIST, listen, .def = "[\"127.0.0.1:9410\"]", .max = "8", .check = check_listen,
	    .help = "Where metrics and the API are served: ADDRESS:PORT, [ADDRESS]:PORT, :PORT for every address, or "
		    "unix:PATH"),
	ROW("socket", TEXT, socket, .max = "107", .check = check_socket,
	    .help = "Unix socket whose users may change things (pause, MIG); none: there is none. Not set: "
		    "/run/gpu-agent/agent.sock where that can be made"),
	ROW("token-file", TEXT, token_file, .max = "4095", .live = true, .check = check_path,
	    .help = "File with the bearer token that reading needs; not set: whoever can connect may read. Read again "
		    "when it changes"),
	ROW("tls.cert-file", TEXT, tls_cert_file, .max = "4095",
	    .help = "PEM file with certificate and chain; with it TCP is served as HTTPS. Read again when it changes"),
	ROW("tls.key-file", TEXT, tls_key_file, .max = "4095", .help = "PEM file with the certificate's private key"),
	ROW("tls.client-ca-file", TEXT, tls_client_ca_file, .max = "4095",
	    .help = "PEM file with the authority whose clients may change things; not set: only the socket's users "
		    "may"),
	ROW("max-connections", INT, max_connections, .def = "64", .min = "4", .max = "4096",
	    .help = "Connections open at once on each place that is listened on; more wait until one ends"),
	ROW("node-name", TEXT, node_name, .max = "253", .env = "NODE_NAME", .check = check_node_name,
	    .help = "Name of the node on every page; not set: the host's name"),
	ROW("interval", DURATION, interval_ms, .def = "1s", .min = "100ms", .max = "60s", .live = true,
	    .help = "Time between two samples of a board"),
	ROW("window", DURATION, window_ms, .def = "30s", .min = "1s", .max = "10m", .live = true,
	    .help = "Time that the least, mean and most of a value are of: at least the interval of who scrapes"),
	ROW("hung-after", DURATION, hung_after_ms, .def = "2s", .min = "200ms", .max = "60s",
	    .help = "A driver call that lasts longer counts as hanging"),
	ROW("nvml.library", TEXT, nvml_library, .max = "4095", .check = check_path,
	    .help = "Path of libnvidia-ml.so.1; not set: it is looked for where drivers put it"),
	ROW("simulate", TEXT, simulate, .max = "4095",
	    .help = "Scenario file of a simulated node: the simulator's library beside the program is used in place of "
		    "the driver's"),
	ROW("kubelet.socket", TEXT, kubelet_socket, .def = GM_PODRESOURCES_SOCKET, .max = "107", .check = check_socket,
	    .help = "The kubelet's PodResources socket, seen from here; none: it is not asked"),
	ROW("kubelet.interval", DURATION, kubelet_interval_ms, .def = "10s", .min = "1s", .max = "10m",
	    .help = "Time between two questions to the kubelet"),
	ROW("host-root", TEXT, host_root, .max = "1024", .check = check_path,
	    .help = "Where the host's file system is mounted in a container, /host; not set: it is the agent's own"),
	ROW("state-dir", TEXT, state_dir, .def = "/var/lib/gpu-agent", .min = "1", .max = "1024", .check = check_path,
	    .help = "Folder of the wanted MIG layouts and the journal of changes"),
	ROW("dcgm-names", BOOL, dcgm_names, .def = "false", .live = true,
	    .help = "Serve DCGM_FI_... families as well; off where a dcgm-exporter runs, or every sum is doubled"),
	ROW("mig.enabled", BOOL, mig_enabled, .def = "true",
	    .help = "Change MIG layouts when told to; false: they are shown, never changed"),
	ROW("pause.limit", DURATION, pause_limit_ms, .def = "1h", .min = "10s", .max = "24h", .live = true,
	    .help = "Longest pause: after it the driver is used again, whoever forgot to resume"),
	ROW("pause.file", TEXT, pause_file, .def = "/run/gpu-agent/pause", .max = "1024", .check = check_path_or_none,
	    .help = "While this file is there the agent is paused (and at most pause.limit); none: no such file"),
	ROW("sandbox", BOOL, sandbox, .def = "true",
	    .help = "Give up rights and system calls that are not needed; false: for tracing and debugging"),
	ROW("logging.level", ENUM, log_level, .def = "info", .choices = "debug|info|warn|error", .live = true,
	    .help = "Least level that is logged"),
	ROW("logging.format", ENUM, log_format, .def = "logfmt", .choices = "logfmt|json", .help = "Form of log lines"),
};
const size_t gm_agent_settings_count = GM_LEN(gm_agent_settings_table);

_Static_assert(GM_LOG_DEBUG == 0 && GM_LOG_INFO == 1 && GM_LOG_WARN == 2 && GM_LOG_ERROR == 3 && GM_LOG_LOGFMT == 0 &&
		       GM_LOG_JSON == 1,
	       "the choices of the logging rows are in the order of their enums");
