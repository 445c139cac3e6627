/* SPDX-License-Identifier: MIT */
#include "suite.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/parse.h"

static struct {
	int passed, failed;
} counted;

bool suite_check(bool good, const char *what, const char *detail, ...)
{
	char text[512] = "";
	va_list args;
	va_start(args, detail);
	(void)vsnprintf(text, sizeof(text), detail, args);
	va_end(args);
	good ? counted.passed++ : counted.failed++;
	printf("%-7s %s%s%s\n", good ? "ok" : "FAILED", what, text[0] ? ": " : "", text);
	return good;
}

void suite_note(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)fputs("        ", stdout);
	(void)vprintf(fmt, args);
	(void)fputs("\n", stdout);
	va_end(args);
}

void suite_figure(const char *name, double value, const char *unit)
{
	printf("figure %s %.1f %s\n", name, value, unit);
}

int suite_finish(void)
{
	printf("%d passed, %d failed\n", counted.passed, counted.failed);
	return counted.failed == 0 && counted.passed > 0 ? 0 : 1;
}

int64_t suite_pss_kib(pid_t pid)
{
	char path[64], line[128];
	uint64_t kib;
	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	int64_t found = -1;
	while (found < 0 && fgets(line, sizeof(line), f)) {
		struct gm_str s = gm_str(line);
		if (!gm_str_starts(s, GM_STR("Pss:")) || s.n < 8)
			continue;
		s = gm_str_trim(gm_str_n(s.p + 4, s.n - 4));
		s.n = gm_str_find(s, ' ');
		if (gm_parse_u64(s, 0, INT64_MAX, &kib))
			found = (int64_t)kib;
	}
	(void)fclose(f);
	return found;
}

/* The agent of the bundle that this lies in: bin/gpu-suite is started by lib/ld-linux..., so the folder above. */
static void beside_us(const char *name, char *out, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct gm_str folder = gm_str_n(self, n > 0 ? (size_t)n : 0);
	while (folder.n && folder.p[folder.n - 1] != '/')
		folder.n--;
	if (gm_str_ends(folder, GM_STR("/lib/")))
		folder.n -= 4;
	(void)snprintf(out, size, "%.*s%s", GM_STR_ARG(folder), name);
}

static void usage(FILE *to)
{
	(void)fputs(
		"usage: gpu-suite [--seconds N] [--agent PROGRAM] [--nvml LIBRARY] [--nvidia-smi PROGRAM]\n"
		"\n"
		"Holds the agent against the GPU and the driver of this machine, and changes nothing; run it as root.\n"
		"  --seconds N            how long the agent samples at 100 ms (default 180)\n"
		"  --agent PROGRAM        gpu-agent (default: the one of this bundle)\n"
		"  --nvml LIBRARY         instead of the driver's libnvidia-ml.so.1\n"
		"  --nvidia-smi PROGRAM   instead of the one that PATH has\n"
		"Without a GPU it says so and ends with 77.\n",
		to);
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct suite *s)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' }, { "agent", required_argument, NULL, 'a' },
		{ "nvml", required_argument, NULL, 'n' },    { "nvidia-smi", required_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },	     { 0 },
	};
	for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (c) {
		case 's':
			if (!gm_parse_i64(gm_str(optarg), 1, 86400, &s->seconds))
				return (void)fputs("--seconds wants 1 to 86400\n", stderr), 2;
			break;
		case 'a':
			s->agent = optarg;
			break;
		case 'n':
			s->nvml_path = optarg;
			break;
		case 'x':
			s->smi = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	return -1;
}

/* False: there is nothing to hold the agent against. */
static bool find_boards(struct suite *s)
{
	struct gm_err err;
	if (gm_nvml_open(s->nvml_path, &s->lib, &err) < 0) {
		printf("skipped: %s\n", err.text);
		return false;
	}
	int rc = s->lib.init();
	uint32_t n = 0;
	if (rc == GM_NVML_SUCCESS)
		rc = s->lib.count(&n);
	if (rc != GM_NVML_SUCCESS || n == 0) {
		printf("skipped: no GPU: %s\n", rc ? gm_nvml_result_name(rc) : "the driver counts none");
		return false;
	}
	s->boards = n;
	return true;
}

int main(int argc, char **argv)
{
	static char agent[PATH_MAX + 16];
	beside_us("gpu-agent", agent, sizeof(agent));
	struct suite s = { .smi = "nvidia-smi", .agent = agent, .seconds = 180 };
	int rc = read_options(argc, argv, &s);
	if (rc >= 0)
		return rc;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);

	suite_memory(&s);
	if (!find_boards(&s))
		return 77;
	printf("# %u GPUs, %s\n", s.boards, s.lib.path);
	GM_AUTO(gm_buf_fini_p) struct gm_buf before = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf after = { 0 };
	bool told = suite_smi(&s, &before);
	suite_symbols(&s);
	suite_abi(&s);
	suite_readings(&s);
	suite_agent(&s);
	if (told && suite_smi(&s, &after))
		suite_unchanged(gm_buf_str(&before), gm_buf_str(&after));
	(void)s.lib.shutdown();
	gm_nvml_close(&s.lib);
	return suite_finish();
}
