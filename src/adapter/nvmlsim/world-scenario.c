/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "adapter/conf/conf.h"
#include "adapter/nvmlsim/world-internal.h"
#include "base/alloc.h"
#include "base/parse.h"

#define ROW(TYPE, key_, member, ...)                                                                                   \
	{                                                                                                              \
		.key = key_, .type = GM_OPTION_##TYPE, .offset = offsetof(struct nvs_scenario, member), __VA_ARGS__    \
	}

static const struct gm_option options[] = {
	ROW(MAPS, "board-faults", board_faults, .max = "1000", .help = "What goes wrong with boards, and when"),
	ROW(MAPS, "call-faults", call_faults, .max = "128", .help = "What calls do instead of answering"),
	ROW(TEXT, "cuda", cuda, .def = "12.8", .max = "20", .help = "CUDA version of the driver"),
	ROW(TEXT, "driver", driver, .def = "570.133.20", .min = "1", .max = "79", .help = "Driver version"),
	ROW(INT, "gpus", gpus, .def = "8", .min = "1", .max = "32", .help = "How many boards"),
	ROW(MAPS, "mig", mig, .max = "64", .help = "MIG modes and layouts at the beginning"),
	ROW(TEXT, "models", models, .def = "H100_SXM5_80GB", .min = "1", .max = "1000",
	    .help = "Models or variants, with weights: A100_80GB=4,H100_80GB=4"),
	ROW(TEXT, "nvml", nvml, .def = "12.570.133.20", .min = "1", .max = "79", .help = "NVML version"),
	ROW(ENUM, "process-abi", process_abi, .def = "24", .choices = "24|32-as-v3|no-v3",
	    .help = "Which records process lists have"),
	ROW(MAPS, "processes", processes, .max = "256", .help = "Processes at the beginning"),
	ROW(BOOL, "random-faults", faults, .def = "false",
	    .help = "Boards overheat, throttle, report XIDs... now and then"),
	ROW(INT, "seed", seed, .def = "1", .min = "0", .max = "9223372036854775807",
	    .help = "From which identities, loads and faults follow"),
	ROW(TEXT, "speed", speed, .def = "1", .min = "1", .max = "20",
	    .help = "How many times faster time runs, 0.001 to 3600"),
	ROW(BOOL, "unprivileged", unprivileged, .def = "false", .help = "Callers count as not root"),
	ROW(BOOL, "workloads", workloads, .def = "false", .help = "Boards and slices have workloads with load curves"),
};

void nvs_scenario_free(struct nvs_scenario *c)
{
	if (!c)
		return;
	gm_options_fini(&c->options);
	free(c);
}

static int wrong(struct nvs_scenario *c, const char *key, const char *what, struct gm_err *err)
{
	const struct gm_option *opt = gm_option_find(&c->options, gm_str(key));
	return gm_fail_at(err, GM_ERR_INVALID, gm_option_origin(&c->options, opt)->where, "%s: %s", key, what);
}

/* "12.8" is 12080. */
static bool read_cuda(struct gm_str text, int32_t *out)
{
	size_t dot = gm_str_find(text, '.');
	int64_t major, minor = 0;
	if (!gm_parse_i64(gm_str_n(text.p, dot), 1, 99, &major))
		return false;
	if (dot < text.n && !gm_parse_i64(gm_str_n(text.p + dot + 1, text.n - dot - 1), 0, 9, &minor))
		return false;
	*out = (int32_t)(major * 1000 + minor * 10);
	return true;
}

static int derive(struct nvs_scenario *c, struct gm_err *err)
{
	if (!read_cuda(gm_str(c->cuda), &c->cuda_version))
		return wrong(c, "cuda", "not a version as 12.8", err);
	if (!gm_parse_fixed(gm_str(c->speed), 3, &c->speed_milli) || c->speed_milli < 1 || c->speed_milli > 3600000)
		return wrong(c, "speed", "not a number from 0.001 to 3600", err);
	return 0;
}

int nvs_scenario_parse(struct gm_str text, const char *name, struct nvs_scenario **out, struct gm_err *err)
{
	GM_AUTO(nvs_scenario_free_p) struct nvs_scenario *c = gm_xalloc(sizeof(*c));
	gm_options_init(&c->options, options, GM_LEN(options), c);
	int rc = text.n ? gm_conf_apply_yaml(&c->options, text, name, err) : 0;
	if (rc == 0)
		rc = derive(c, err);
	if (rc < 0)
		return rc;
	*out = gm_steal(&c);
	return 0;
}

int nvs_scenario_read(const char *path, struct gm_buf *out, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gm_fail_errno(err, errno, "%s", path);
	for (;;) {
		char *to = gm_buf_reserve(out, 4096);
		ssize_t n = to ? read(fd, to, 4096) : -1;
		if (n < 0)
			return gm_fail_errno(err, errno, "%s", path);
		if (n == 0)
			return 0;
		gm_buf_advance(out, (size_t)n);
		if (out->n > NVS_SCENARIO_MAX)
			return gm_fail(err, GM_ERR_TOO_LARGE, "%s: more than %d bytes", path, NVS_SCENARIO_MAX);
	}
}

void nvs_scenario_markdown(struct gm_buf *out)
{
	gm_buf_add_cstr(out, "| Key | Default | Meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < GM_LEN(options); i++) {
		gm_buf_addf(out, "| `%s` | ", options[i].key);
		if (options[i].def)
			gm_buf_addf(out, "`%s` ", options[i].def);
		gm_buf_addf(out, "| %s |\n", options[i].help);
	}
}
