/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_GPU_SUITE_H
#define GM_TESTS_GPU_SUITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "adapter/nvml/nvml.h"
#include "base/auto.h"
#include "base/buf.h"

/*
 * The suite for a machine with a GPU: one program in the bundle, that needs nothing else there but the driver with its
 * nvidia-smi. It holds what our code reads against the driver, and changes nothing.
 */
struct suite {
	const char *nvml_path; /* NULL: as the agent finds it */
	const char *smi;       /* nvidia-smi, or what stands in for it */
	const char *agent;     /* the program */
	int64_t seconds;       /* how long the agent runs */
	struct gm_nvml lib;
	unsigned boards;
};

/* What was found, one line each; suite_check answers `good`. */
bool suite_check(bool good, const char *what, const char *detail, ...) GM_PRINTF(3, 4);
void suite_note(const char *fmt, ...) GM_PRINTF(1, 2);
void suite_figure(const char *name, double value, const char *unit);
/* The last line and the exit status. */
int suite_finish(void);

/* The parts, in the order they run. */
void suite_memory(const struct suite *s);   /* of the library itself; in a process of its own */
void suite_symbols(const struct suite *s);  /* what the driver has of what we look up */
void suite_abi(const struct suite *s);	    /* sizes and version words, call by call */
void suite_readings(const struct suite *s); /* beside what nvidia-smi prints */
void suite_agent(const struct suite *s);    /* minutes of the real program at 100 ms */

/* What `nvidia-smi -q -x` prints; false, with a failed check, when it cannot be had. */
bool suite_smi(const struct suite *s, struct gm_buf *out);
/* What nobody may have changed between two such documents. */
void suite_unchanged(struct gm_str before, struct gm_str after);

/* KiB of proportional memory of a process; -1 when it cannot be read. */
int64_t suite_pss_kib(pid_t pid);

#endif
