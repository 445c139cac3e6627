/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HOST_PROC_H
#define GM_ADAPTER_HOST_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/*
 * What the host tells of a process. `root` is "" or where the host's file system is mounted ("/host"); pids are the host's,
 * so inside a container this needs hostPID or the host's /proc under root. Nothing is read that the kernel tells under a
 * lock of the process' memory (cmdline, environ, maps): one that hangs in a driver may hold it, and we would hang too.
 */
#define GM_PROC_COMM_MAX 15
struct gm_proc {
	char name[64];		       /* comm: at most GM_PROC_COMM_MAX bytes, further ones are cut by the kernel */
	char user[64];		       /* from root/etc/passwd, else the number */
	char pod_uid[40];	       /* "" when the process is of no pod */
	char container_id[80];	       /* "" */
	char namespace_[64], pod[256]; /* by root/var/log/pods, "" when not known */
};
/* NOT_FOUND: no such process. */
int gm_proc_read(const char *root, uint32_t pid, struct gm_proc *out, struct gm_err *err) GM_CHECKED;
bool gm_proc_exists(const char *root, uint32_t pid);
/*
 * The pod in a cgroup path, of every driver and runtime: "/kubepods.slice/kubepods-burstable.slice/
 * kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope", "/kubepods/besteffort/pod<uid>/<id>", v1 and v2.
 */
bool gm_cgroup_pod(struct gm_str path, char uid[static 40], char container[static 80]);

#endif
