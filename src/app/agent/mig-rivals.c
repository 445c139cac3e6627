/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-rivals.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

/* What is there as long as somebody is at work (a socket), or is set up to be (a unit, a folder of its state). */
static const struct {
	const char *path, *owner;
} markers[] = {
	{ "/var/lib/kubelet/plugins/gpu.nvidia.com/dra.sock", "NVIDIA's DRA driver" },
	{ "/var/lib/kubelet/plugins_registry/gpu.nvidia.com-reg.sock", "NVIDIA's DRA driver" },
	{ "/etc/systemd/system/multi-user.target.wants/nvidia-mig-manager.service", "NVIDIA's mig-manager" },
	{ "/etc/systemd/system/nvidia-gpu-reset.target.wants/nvidia-mig-manager.service", "NVIDIA's mig-manager" },
	{ "/run/nvidia/validations/.mig-manager-ctr-ready", "NVIDIA's mig-manager" },
};
/* Names of processes as /proc/<pid>/comm cuts them: 15 bytes. */
static const struct {
	const char *comm, *owner;
} programs[] = {
	{ "nvidia-mig-mana", "NVIDIA's mig-manager" },
	{ "nvidia-mig-part", "nvidia-mig-parted" },
};

static bool process_found(int proc_fd, const char *pid, struct gm_buf *out)
{
	char path[64], comm[32] = { 0 };
	ssize_t n;

	if ((size_t)snprintf(path, sizeof(path), "%s/comm", pid) >= sizeof(path))
		return false;
	GM_AUTO(gm_fd_close_p) int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);
	if (n <= 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < GM_LEN(programs); i++) {
		if (strcmp(comm, programs[i].comm) != 0)
			continue;
		gm_buf_addf(out, "%s (process %s)", programs[i].owner, pid);
		return true;
	}
	return false;
}

static bool any_process(const char *host_root, struct gm_buf *out)
{
	char path[512];
	struct dirent *entry;
	bool found = false;
	DIR *proc;

	if ((size_t)snprintf(path, sizeof(path), "%s/proc", host_root) >= sizeof(path))
		return false;
	proc = opendir(path);
	while (proc && !found && (entry = readdir(proc)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]))
			found = process_found(dirfd(proc), entry->d_name, out);
	}
	if (proc)
		(void)closedir(proc);
	return found;
}

bool gm_mig_rival_find(const char *host_root, struct gm_buf *out)
{
	char path[512];
	struct stat st;

	for (size_t i = 0; i < GM_LEN(markers); i++) {
		if ((size_t)snprintf(path, sizeof(path), "%s%s", host_root, markers[i].path) >= sizeof(path))
			continue;
		/* The link itself: where it leads is another root's business. */
		if (lstat(path, &st) != 0)
			continue;
		gm_buf_addf(out, "%s (%s)", markers[i].owner, markers[i].path);
		return true;
	}
	return any_process(host_root, out);
}
