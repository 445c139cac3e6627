/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>

#include "app/server/settings-internal.h"
#include "base/money.h"
#include "base/parse.h"
#include "core/alloc/world.h"

/* Rules on one value. The empty text never comes here: it is "not set". */

/* No board costs a million an hour, and the sum over 200,000 boards stays far from overflow. */
#define RATE_MAX (INT64_C(1000000) * GM_MICROS)

static int check_rate(struct gm_str value, struct gm_err *err)
{
	int64_t micros;

	if (!gm_money_parse(value, &micros) || micros < 0 || micros > RATE_MAX)
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not an amount such as 8.0", GM_STR_ARG(value));
	return 0;
}

static int check_replicas(struct gm_str value, struct gm_err *err)
{
	uint64_t n;

	if (!gm_parse_u64(value, 2, 64, &n))
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not a whole number from 2 to 64", GM_STR_ARG(value));
	return 0;
}

static int check_currency(struct gm_str value, struct gm_err *err)
{
	if (!gm_currency_ok(value))
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not a currency code such as USD", GM_STR_ARG(value));
	return 0;
}

/* Names that are part of keys, metrics and paths: as Kubernetes has them, any case. */
static int check_name(struct gm_str value, struct gm_err *err)
{
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		bool inner = (c == '-' || c == '.' || c == '_') && i > 0 && i + 1 < value.n;
		if (!alnum && !inner)
			return gm_fail(err, GM_ERR_INVALID,
				       "'%.*s': letters, digits and, inside, '-', '.' and '_' are allowed",
				       GM_STR_ARG(value));
	}
	return 0;
}

static bool is_address(struct gm_str value, int *out_bits)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (!gm_str_copy(value, text, sizeof(text)))
		return false;
	*out_bits = inet_pton(AF_INET, text, bytes) == 1 ? 32 : 128;
	return *out_bits == 32 || inet_pton(AF_INET6, text, bytes) == 1;
}

static int check_address(struct gm_str value, struct gm_err *err)
{
	int bits;

	if (!is_address(value, &bits))
		return gm_fail(err, GM_ERR_INVALID,
			       "'%.*s' is not a numeric address such as 127.0.0.1, 0.0.0.0 or ::", GM_STR_ARG(value));
	return 0;
}

static int check_network(struct gm_str value, struct gm_err *err)
{
	size_t slash = gm_str_find(value, '/');
	uint64_t length = 0;
	int bits;

	if (!is_address(gm_str_n(value.p, slash), &bits) ||
	    (slash < value.n &&
	     !gm_parse_u64(gm_str_n(value.p + slash + 1, value.n - slash - 1), 0, (uint64_t)bits, &length)))
		return gm_fail(err, GM_ERR_INVALID,
			       "'%.*s' is neither an address nor a network such as 172.17.0.1 or 172.16.0.0/12",
			       GM_STR_ARG(value));
	return 0;
}

static int check_context_path(struct gm_str value, struct gm_err *err)
{
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
			  c == '.' || c == '_' || c == '~' || (c == '/' && (i == 0 || value.p[i - 1] != '/'));
		if (!ok)
			return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not a path such as /k8s-monitor",
				       GM_STR_ARG(value));
	}
	if (value.p[0] != '/' || (value.n > 1 && value.p[value.n - 1] == '/'))
		return gm_fail(err, GM_ERR_INVALID, "'%.*s': begins with '/' and does not end with one",
			       GM_STR_ARG(value));
	return 0;
}

static int check_database_url(struct gm_str value, struct gm_err *err)
{
	struct gm_str sqlite = GM_STR("sqlite:");

	if (!gm_str_starts(value, sqlite))
		return gm_fail(err, GM_ERR_INVALID, "'%.*s': this version stores in SQLite only, as sqlite:FILE",
			       GM_STR_ARG(value));
	if (value.n == sqlite.n)
		return gm_fail(err, GM_ERR_INVALID, "no file behind sqlite:");
	return 0;
}

#define ROW(k, t, field, ...)                                                                                          \
	{                                                                                                              \
		.key = k, .type = GM_OPTION_##t, .offset = offsetof(struct gm_settings, field), __VA_ARGS__            \
	}

#define ROLES "none|viewer|operator|admin" /* as enum gm_role */

const struct gm_option gm_settings_table[] = {
	ROW("gpu.management.enabled", BOOL, enabled, .def = "true", .live = true,
	    .help = "Collect, allocate and change; false: nothing of that is done, the API serves what is stored and "
		    "says so"),
	ROW("gpu.management.supported-models", LIST, supported_models, .max = "256", .live = true, .check = check_name,
	    .help = "Models or variants that are allocated and repartitioned; empty: every model of the catalogue. "
		    "Others are "
		    "watched and shown as not managed"),
	ROW("gpu.management.mig.enabled", BOOL, mig_enabled, .def = "true", .live = true,
	    .help = "Change MIG layouts; false: they are shown, never changed"),
	ROW("gpu.management.mig.auto-cleanup", BOOL, mig_auto_cleanup, .def = "true", .live = true,
	    .help = "Remove slices we made for an allocation after it ended and a grace time; never one in use or made "
		    "by others"),
	ROW("gpu.management.metrics.collection-interval", DURATION, collection_interval_ms, .def = "30s", .min = "1s",
	    .max = "1h", .live = true, .help = "Time between two scrapes of a target"),
	ROW("gpu.management.metrics.retention-days", INT, retention_days, .def = "30", .min = "1", .max = "3650",
	    .help = "Days for which samples are kept in full resolution; rollups are kept longer"),
	ROW("gpu.management.metrics.batch-size", INT, batch_size, .def = "500", .min = "1", .max = "10000",
	    .help = "Rows a database statement"),
	ROW("gpu.management.metrics.parallel-processing", BOOL, parallel_processing, .def = "true", .live = true,
	    .help = "Scrape many targets at once; false: one at a time"),
	ROW("gpu.management.cost.enabled", BOOL, cost_enabled, .def = "true", .live = true,
	    .help = "Compute what GPUs cost"),
	ROW("gpu.management.cost.currency", TEXT, currency, .def = "USD", .min = "3", .max = "3",
	    .check = check_currency, .help = "ISO 4217 code of the currency that rates are in"),
	ROW("gpu.management.cost.default-rates", MAP, default_rates,
	    .def = "{H100_80GB: 8.0, A100_80GB: 6.0, RTX4090: 2.0}", .max = "512", .live = true, .check = check_rate,
	    .help = "Currency units an hour and whole board, by model or variant; a board without a rate costs "
		    "unknown, never "
		    "0. The defaults are 2 to 4 times the market prices of 2026: set your own"),
	ROW("gpu.management.pool.node-selector", MAP, pool_node_selector, .max = "32", .live = true,
	    .help = "Labels of the nodes whose GPUs are allocated and repartitioned; empty: any"),
	ROW("gpu.management.pool.nodes", LIST, pool_nodes, .max = "10000", .live = true, .check = check_name,
	    .help = "Names of the nodes whose GPUs are allocated and repartitioned; empty: any"),
	ROW("gpu.management.pool.max-devices", INT, pool_max_devices, .def = "0", .min = "0", .max = "1000000",
	    .live = true, .help = "How many GPUs are allocated and repartitioned at most; 0: no limit"),
	ROW("gpu.management.allocation.ttl", DURATION, allocation_ttl_ms, .def = "10m", .min = "1s", .max = "30d",
	    .live = true,
	    .help = "How long devices are kept for a pod that does not come, where a request names no ttlSeconds"),
	ROW("gpu.management.allocation.pending-limit", DURATION, allocation_pending_limit_ms, .def = "24h", .min = "0s",
	    .max = "365d", .live = true, .help = "A request that waits for longer is expired; 0s: never"),
	ROW("gpu.management.allocation.pod-gone-after", DURATION, allocation_gone_ms, .def = "2m", .min = "1s",
	    .max = "24h", .live = true,
	    .help = "A pod that was seen on its devices and is not for so long is gone, and gives them back"),
	ROW("gpu.management.allocation.preemption", BOOL, allocation_preemption, .def = "true", .live = true,
	    .help = "Let allocations marked preemptible make room for higher priorities"),
	ROW("gpu.management.allocation.preemption-grace", DURATION, allocation_preemption_grace_ms, .def = "30s",
	    .min = "0s", .max = "1h", .live = true, .help = "Between the announcement of a preemption and the end"),
	ROW("gpu.management.allocation.make-slices", ENUM, allocation_make, .def = "beside",
	    .choices = "never|beside|instead", .live = true,
	    .help = "Make MIG instances for a request: never; beside what is there (idle ones that we made may go); "
		    "instead of "
		    "any idle one"),
	ROW("gpu.management.allocation.ageing", DURATION, allocation_ageing_ms, .def = "10m", .min = "1s", .max = "7d",
	    .live = true, .help = "Waiting so long counts like one point of priority more"),
	ROW("gpu.management.allocation.retry-after", DURATION, allocation_retry_ms, .def = "10m", .min = "1s",
	    .max = "24h", .live = true, .help = "A device on which a slice could not be made is left out for so long"),
	ROW("gpu.management.allocation.attempts", INT, allocation_attempts, .def = "3", .min = "1", .max = "100",
	    .live = true, .help = "How often slices for a request are tried to be made before it fails"),
	ROW("gpu.management.allocation.hot-celsius", INT, allocation_hot_celsius, .def = "85", .min = "1", .max = "200",
	    .live = true, .help = "Nothing new goes to a device at or above this temperature"),
	ROW("gpu.management.mig.cleanup-after", DURATION, mig_cleanup_ms, .def = "5m", .min = "0s", .max = "7d",
	    .live = true, .help = "How long a slice that we made stays unused before auto-cleanup removes it"),
	ROW("gpu.management.sharing.replicas", MAP, sharing_replicas, .max = "512", .live = true,
	    .check = check_replicas,
	    .help = "How many share a board of a model or variant, as the device plugin is set up "
		    "(time-slicing, MPS); none: gpuShare "
		    "is refused"),
	ROW("cluster.name", TEXT, cluster_name, .def = "default", .min = "1", .max = "63", .check = check_name,
	    .help = "Name of the cluster: part of every key, table and API object"),
	ROW("server.bind", TEXT, bind, .def = "0.0.0.0", .min = "1", .max = "45", .check = check_address,
	    .help = "Address to listen on; :: takes IPv4 and IPv6"),
	ROW("server.port", INT, port, .def = "8080", .min = "0", .max = "65535",
	    .help = "Port to listen on; 0: any free one"),
	ROW("server.context-path", TEXT, context_path, .def = "/k8s-monitor", .max = "100", .check = check_context_path,
	    .help = "Path under which everything lives; / for none"),
	ROW("server.tls.cert-file", TEXT, tls_cert_file, .max = "4095",
	    .help = "PEM file with certificate and chain; with it the server speaks HTTPS. Read again when it changes"),
	ROW("server.tls.key-file", TEXT, tls_key_file, .max = "4095",
	    .help = "PEM file with the certificate's private key"),
	ROW("server.max-connections", INT, max_connections, .def = "4096", .min = "16", .max = "65536",
	    .help = "Connections open at once; more wait until one ends"),
	ROW("server.max-streams", INT, max_streams, .def = "2500", .min = "1", .max = "65536",
	    .help = "Event streams open at once; more are refused"),
	ROW("server.max-streams-per-address", INT, max_streams_per_address, .def = "250", .min = "1", .max = "65536",
	    .help = "Event streams of one address; an ingress is one address for all behind it"),
	ROW("server.threads", INT, threads, .def = "0", .min = "0", .max = "64",
	    .help = "Threads that answer requests; 0: one a core, 4 at most"),
	ROW("scrape.targets", MAPS, targets, .max = "20000", .live = true, .check = gm_target_check_url,
	    .help = "What to scrape: URLs, or maps of url, node, cluster, interval, bearer-token-file, ca-file, "
		    "client-cert-file, client-key-file"),
	ROW("scrape.targets-file", TEXT, targets_file, .max = "4095", .live = true,
	    .help = "File with a list of further targets of the same form, YAML or JSON; read again when it changes"),
	ROW("scrape.timeout", DURATION, scrape_timeout_ms, .def = "10s", .min = "100ms", .max = "5m", .live = true,
	    .help = "Longest time one scrape may take; at most the collection interval, which it is lowered to when "
		    "not set"),
	ROW("scrape.bearer-token-file", TEXT, bearer_token_file, .max = "4095", .live = true,
	    .help = "File with the token that targets want; read for each scrape"),
	ROW("scrape.ca-file", TEXT, ca_file, .max = "4095", .live = true,
	    .help = "PEM file with the authorities that sign the targets' certificates; empty: the system's"),
	ROW("scrape.client-cert-file", TEXT, client_cert_file, .max = "4095", .live = true,
	    .help = "PEM file with the certificate shown to targets"),
	ROW("scrape.client-key-file", TEXT, client_key_file, .max = "4095", .live = true,
	    .help = "PEM file with its private key"),
	ROW("scrape.insecure-skip-verify", BOOL, insecure_skip_verify, .def = "false", .live = true,
	    .help = "Do not check the targets' certificates"),
	ROW("scrape.max-page-bytes", BYTES, max_page_bytes, .def = "32MiB", .min = "64KiB", .max = "1GiB", .live = true,
	    .help = "Largest page taken from a target, after decompression"),
	ROW("database.url", TEXT, database_url, .def = "sqlite:gpu-monitor.db", .min = "1", .max = "4095",
	    .check = check_database_url, .help = "Where state and history are stored: sqlite:FILE"),
	ROW("database.host", TEXT, database_host, .max = "255", .env = "DB_HOST",
	    .help = "Host of a database server; ignored with a warning beside SQLite"),
	ROW("database.username", TEXT, database_username, .max = "128", .env = "DB_USERNAME",
	    .help = "User at a database server; ignored beside SQLite"),
	ROW("database.password", SECRET, database_password, .max = "1024", .env = "DB_PASSWORD",
	    .help = "Password at a database server; ignored beside SQLite"),
	ROW("database.allow-network-files", BOOL, database_network_files, .def = "false",
	    .help = "Take an SQLite file on a network file system, where its locks cannot be trusted"),
	ROW("security.anonymous-role", ENUM, anonymous_role, .def = "none", .choices = "none|viewer",
	    .help = "What requests without a key may do, from anywhere; only in the profile development"),
	ROW("security.anonymous-local-role", ENUM, anonymous_local_role, .def = "none", .choices = ROLES,
	    .help = "What requests without a key may do when they come from this machine; only in the profile "
		    "development"),
	ROW("security.local-addresses", LIST, local_addresses, .max = "64", .check = check_network,
	    .help = "Further addresses and networks that count as this machine, such as a container's bridge when its "
		    "port is "
		    "published on the host's loopback only"),
	ROW("security.admin-key-file", TEXT, admin_key_file, .max = "4095",
	    .help = "File with the first admin key; empty: one is made and printed once when there is none"),
	ROW("simulate.gpus", INT, simulate_gpus, .def = "0", .min = "0", .max = "200000",
	    .help = "GPUs of a simulated cluster; 0: none is simulated"),
	ROW("simulate.nodes", INT, simulate_nodes, .def = "0", .min = "0", .max = "200000",
	    .help = "Nodes of the simulated cluster, 16 GPUs each at most; 0: as the number of GPUs suggests"),
	ROW("simulate.models", TEXT, simulate_models, .max = "1000",
	    .help = "The mix, as weights: H100_80GB=8,A100_80GB=12,RTX4090=4, which is also what empty means"),
	ROW("simulate.seed", INT, simulate_seed, .def = "1", .min = "0", .help = "The same seed gives the same world"),
	ROW("simulate.speed", INT, simulate_speed, .def = "1", .min = "1", .max = "3600",
	    .help = "Seconds of the simulated world a second"),
	ROW("simulate.scenario", TEXT, simulate_scenario, .max = "4095",
	    .help = "YAML file with further faults and when they happen"),
	ROW("simulate.faults", BOOL, simulate_faults, .def = "true",
	    .help = "Overheating, throttling, XID and ECC errors and nodes that go away, now and then"),
	ROW("simulate.interval", DURATION, simulate_interval_ms, .def = "1s", .min = "100ms", .max = "1h",
	    .help = "Time between two samples of the simulated cluster"),
	ROW("logging.level", ENUM, log_level, .def = "info", .choices = "debug|info|warn|error", .live = true,
	    .help = "Least level that is logged"),
	ROW("logging.format", ENUM, log_format, .def = "logfmt", .choices = "logfmt|json", .help = "Form of log lines"),
};
const size_t gm_settings_count = GM_LEN(gm_settings_table);

_Static_assert(GM_ROLE_NONE == 0 && GM_ROLE_VIEWER == 1 && GM_ROLE_OPERATOR == 2 && GM_ROLE_ADMIN == 3,
	       "the choices of the role rows are in the order of enum gm_role");
_Static_assert(GM_LOG_DEBUG == 0 && GM_LOG_INFO == 1 && GM_LOG_WARN == 2 && GM_LOG_ERROR == 3 && GM_LOG_LOGFMT == 0 &&
		       GM_LOG_JSON == 1,
	       "the choices of the logging rows are in the order of their enums");

_Static_assert(GM_ALLOC_MAKE_NEVER == 0 && GM_ALLOC_MAKE_BESIDE == 1 && GM_ALLOC_MAKE_INSTEAD == 2,
	       "the choices of make-slices are in the order of their enum");

/* What a profile sets before any file is read; a file, a variable or a flag overrides it. */
const struct gm_conf_preset gm_settings_presets[] = {
	{ "development", "server.bind", "127.0.0.1" },
	{ "development", "security.anonymous-role", "viewer" },
	{ "development", "security.anonymous-local-role", "admin" },
	{ "staging", "gpu.management.pool.max-devices", "8" },
};
const size_t gm_settings_preset_count = GM_LEN(gm_settings_presets);

const char *const gm_settings_profiles[] = { "development", "staging", "production", "gpu-management", NULL };
