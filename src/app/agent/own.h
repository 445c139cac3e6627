/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_OWN_H
#define GM_APP_AGENT_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * What a process of ours has cost so far, from /proc/PID/stat. That file, unlike smaps or cmdline, is told without a lock of
 * the process' memory: one that is stuck in the driver does not make us stuck.
 */
bool gm_own_read(int32_t pid, int64_t *out_cpu_ms, int64_t *out_resident_bytes);
/* The file's text alone. */
bool gm_own_parse(struct gm_str stat, int64_t ticks_per_second, int64_t page_bytes, int64_t *out_cpu_ms,
		  int64_t *out_resident_bytes);

#endif
