/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "suite.h"
#include "xml.h"

#define SMI_MAX (8u << 20)
#define SMI_MS 60000

/* Reads until the end; false past the deadline. */
static bool drain(int fd, struct gm_buf *out)
{
	int64_t until = gm_clock_mono_ns() / 1000000 + SMI_MS;
	for (;;) {
		int64_t left = until - gm_clock_mono_ns() / 1000000;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (left <= 0 || poll(&p, 1, (int)left) < 0)
			return false;
		if (!p.revents)
			continue;
		char *room = gm_buf_reserve(out, 65536);
		if (!room)
			return false;
		ssize_t n = read(fd, room, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		gm_buf_advance(out, (size_t)n);
	}
}

bool suite_smi(const struct suite *s, struct gm_buf *out)
{
	int pipe_fds[2], status = 0;
	gm_buf_reset(out);
	out->limit = SMI_MAX;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return suite_check(false, s->smi, "no pipe");
	(void)fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		if (dup2(pipe_fds[1], STDOUT_FILENO) >= 0)
			(void)execlp(s->smi, s->smi, "-q", "-x", (char *)NULL);
		_exit(127);
	}
	(void)close(pipe_fds[1]);
	bool whole = child > 0 && drain(pipe_fds[0], out);
	(void)close(pipe_fds[0]);
	if (child > 0 && whole)
		(void)waitpid(child, &status, 0);
	struct gm_str log;
	if (whole && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	    xml_child(gm_buf_str(out), GM_STR("nvidia_smi_log"), 0, &log))
		return true;
	return suite_check(false, s->smi, "%s",
			   !whole			? "did not end within 60 s"
			   : WEXITSTATUS(status) == 127 ? "is not to be had"
							: "failed, or wrote no XML");
}

/* What only somebody who changes a GPU changes. */
static const char *const steady[] = {
	"product_name",
	"persistence_mode",
	"mig_mode",
	"mig_devices",
	"accounting_mode",
	"driver_model",
	"serial",
	"uuid",
	"minor_number",
	"vbios_version",
	"gpu_operation_mode",
	"compute_mode",
	"ecc_mode",
	"gpu_reset_status/reset_required",
	"gpu_power_readings/current_power_limit",
	"gpu_power_readings/requested_power_limit",
	"gpu_power_readings/default_power_limit",
	"power_readings/enforced_power_limit",
	"applications_clocks",
	"default_applications_clocks",
	"max_clocks",
	"max_customer_boost_clocks",
	"clock_policy",
};

/* Without what moves by itself in it: the memory use and error counts of MIG devices. */
static void keep_still(struct gm_str element, struct gm_buf *out)
{
	static const char *const kept[] = { "index", "gpu_instance_id", "compute_instance_id", "device_attributes" };
	struct gm_str device, value;
	for (unsigned n = 0; xml_child(element, GM_STR("mig_device"), n, &device); n++)
		for (size_t i = 0; i < GM_LEN(kept); i++)
			if (xml_text(device, kept[i], &value)) {
				gm_buf_add_str(out, value);
				gm_buf_add_char(out, '\n');
			}
}

static bool same(struct gm_str before, struct gm_str after, const char *path)
{
	struct gm_str a = { 0 }, b = { 0 };
	bool in_a = xml_text(before, path, &a), in_b = xml_text(after, path, &b);
	if (strcmp(path, "mig_devices") != 0)
		return in_a == in_b && gm_str_eq(a, b);
	GM_AUTO(gm_buf_fini_p) struct gm_buf still_a = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf still_b = { 0 };
	keep_still(a, &still_a);
	keep_still(b, &still_b);
	return in_a == in_b && gm_str_eq(gm_buf_str(&still_a), gm_buf_str(&still_b));
}

void suite_unchanged(struct gm_str before, struct gm_str after)
{
	struct gm_str log_a = { 0 }, log_b = { 0 }, a, b, v;
	unsigned differ = 0, compared = 0, n = 0;
	(void)xml_child(before, GM_STR("nvidia_smi_log"), 0, &log_a);
	(void)xml_child(after, GM_STR("nvidia_smi_log"), 0, &log_b);
	for (; xml_child(log_a, GM_STR("gpu"), n, &a) && xml_child(log_b, GM_STR("gpu"), n, &b); n++)
		for (size_t i = 0; i < GM_LEN(steady); i++) {
			compared += xml_text(a, steady[i], &v) ? 1 : 0;
			if (same(a, b, steady[i]))
				continue;
			suite_note("GPU %u: %s is not what it was", n, steady[i]);
			differ++;
		}
	(void)suite_check(n > 0 && compared >= 8 * n && differ == 0, "nothing on the GPUs changed",
			  "%u settings of %u GPUs compared, %u differ", compared, n, differ);
}
