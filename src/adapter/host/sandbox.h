/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HOST_SANDBOX_H
#define GM_ADAPTER_HOST_SANDBOX_H

#include "base/err.h"

/*
 * Gives up what a process does not need, for itself and all its children: no new privileges, a seccomp filter, and root's
 * rights beyond those to files, other processes, and low ports (serving) or devices and administration (driver). Before the first thread. What is
 * forbidden fails with EPERM, what a server has no use for with ENOSYS: nobody is killed for it. Entering again, also a
 * narrower one, is harmless. A kernel without seccomp is UNSUPPORTED: the caller warns and goes on.
 */
enum gm_sandbox {
	GM_SANDBOX_SERVE, /* files, sockets, threads; no exec, no ptrace, no mount, no module, no bpf, no device ioctl */
	GM_SANDBOX_DRIVER /* what NVML needs: all but exec, ptrace, mount, modules, bpf, keyrings, clocks */
};
int gm_sandbox_enter(enum gm_sandbox kind, struct gm_err *err) GM_CHECKED;

#endif
