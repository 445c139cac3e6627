/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HOST_SANDBOX_H
#define GM_ADAPTER_HOST_SANDBOX_H

#include "base/err.h"

/*
 * Gives up what a process does not need: no new privileges, and a seccomp filter. Before the first thread. A kernel
 * without seccomp is UNSUPPORTED: the caller warns and goes on.
 */
enum gm_sandbox {
	GM_SANDBOX_SERVE, /* files, sockets, threads; no exec, no ptrace, no mount, no module, no bpf, no device ioctl */
	GM_SANDBOX_DRIVER /* what NVML needs: all but exec, ptrace, mount, modules, bpf, keyrings, clocks */
};
int gm_sandbox_enter(enum gm_sandbox kind, struct gm_err *err) GM_CHECKED;

#endif
