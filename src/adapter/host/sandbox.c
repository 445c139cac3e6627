/* SPDX-License-Identifier: MIT */
#include "adapter/host/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"

/* A sanitizer's leak check stops its own threads by ptrace. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Forbidden to every process of ours: EPERM, so that a library that tries goes on without. */
static const char forbidden[] =
	"acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module execve execveat finit_module "
	"fsconfig fsmount fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp "
	"kexec_file_load kexec_load keyctl lookup_dcookie modify_ldt mount mount_setattr move_mount open_by_handle_at "
	"open_tree perf_event_open pidfd_getfd pivot_root process_vm_readv process_vm_writev quotactl quotactl_fd "
	"reboot request_key setdomainname sethostname setns settimeofday stime swapoff swapon syslog umount umount2 "
	"unshare userfaultfd uselib vhangup";

/* All that the serving process calls: what is not here is answered as an older kernel would, with ENOSYS. */
static const char allowed[] =
	/* files */
	"access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 "
	"fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flock fstat "
	"fstatfs fsync ftruncate getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 "
	"inotify_rm_watch lchown lgetxattr link linkat lseek lstat memfd_create mkdir mkdirat newfstatat open openat "
	"openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv "
	"rename renameat renameat2 rmdir sendfile splice stat statfs statx symlink symlinkat sync_file_range syncfs "
	"tee truncate umask unlink unlinkat utime utimensat utimes write writev "
	/* sockets and waiting; socket and ioctl by their arguments */
	"accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd "
	"eventfd2 getpeername getsockname getsockopt listen poll ppoll pselect6 recvfrom recvmmsg recvmsg select "
	"sendmmsg sendmsg sendto setsockopt shutdown signalfd signalfd4 socketpair timerfd_create timerfd_gettime "
	"timerfd_settime "
	/* memory */
	"brk madvise membarrier mincore mlock mlock2 mmap mprotect mremap msync munlock munmap pkey_alloc pkey_free "
	"pkey_mprotect "
	/* threads, processes, signals; clone by its flags */
	"exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake get_robust_list get_thread_area "
	"kill pause pidfd_open pidfd_send_signal restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask "
	"rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max "
	"sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_setaffinity "
	"sched_yield set_robust_list set_tid_address sigaltstack tgkill tkill vfork wait4 waitid "
	/* time */
	"alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time "
	"timer_create timer_delete timer_getoverrun timer_gettime timer_settime times "
	/* itself */
	"arch_prctl capget capset getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority "
	"getrandom getresgid getresuid getrlimit getrusage getsid gettid getuid landlock_add_rule "
	"landlock_create_ruleset landlock_restrict_self prctl prlimit64 seccomp setpgid setpriority setrlimit setsid "
	"sysinfo uname";

/* Of sockets and terminals; none of a device. */
static const unsigned long ioctls[] = { FIOCLEX, FIONBIO, FIONCLEX, FIONREAD, TCGETS, TIOCGWINSZ };

#define NAMESPACES                                                                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
static const int namespaces[] = { CLONE_NEWNS,	 CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
				  CLONE_NEWUSER, CLONE_NEWPID,	  CLONE_NEWNET };

static void filter_free(void *filter)
{
	if (filter)
		seccomp_release(filter);
}
GM_DEFINE_AUTO(void, filter_free)

/* The names are of many kernels and machines: one that this library does not know, no call of this machine can mean. */
static int add(scmp_filter_ctx filter, uint32_t action, const char *names)
{
	struct gm_str rest = gm_str(names), word;
	char name[32];
	int rc = 0;

	while (rc == 0 && gm_str_split(&rest, ' ', &word)) {
		int number = gm_str_copy(word, name, sizeof(name)) ? seccomp_syscall_resolve_name(name) : -1;
		if (number >= 0)
			rc = seccomp_rule_add(filter, action, number, 0);
	}
	return rc;
}

/* A new namespace is a new set of rights. clone3 hides its flags from filters; told that it is not there, libc uses clone. */
static int add_clone(scmp_filter_ctx filter, bool allow)
{
	/* Where that is the answer to all that is not named, the library takes no rule for it. */
	int rc = allow ? 0 : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; i < GM_LEN(namespaces) && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, (scmp_datum_t)namespaces[i],
					      (scmp_datum_t)namespaces[i]));
	if (rc == 0 && allow)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES, 0));
	return rc;
}

static int add_socket(scmp_filter_ctx filter)
{
	int rc = 0;

	for (scmp_datum_t family = 0; family <= AF_INET6 && rc == 0; family++) {
		bool ours = family == AF_UNIX || family == AF_INET || family == AF_INET6;
		rc = seccomp_rule_add(filter, ours ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
				      SCMP_A0(SCMP_CMP_EQ, family));
	}
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
				      SCMP_A0(SCMP_CMP_GT, AF_INET6));
	return rc;
}

static int add_ioctl(scmp_filter_ctx filter)
{
	int rc = 0;

	for (size_t i = 0; i < GM_LEN(ioctls) && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
	return rc;
}

static int fill(scmp_filter_ctx filter, enum gm_sandbox kind)
{
	uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	int rc = add(filter, refuse, forbidden);

	/* Another machine's numbers (i386, x32) would be a way around. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, refuse);
	if (rc == 0 && !SANITIZED)
		rc = add(filter, refuse, "ptrace");
	if (rc == 0)
		rc = add_clone(filter, kind == GM_SANDBOX_SERVE);
	if (rc != 0 || kind == GM_SANDBOX_DRIVER)
		return rc;
	/* A search tree instead of a list: it is walked on each call. Where the library cannot, a list will do. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	rc = add(filter, SCMP_ACT_ALLOW, allowed);
	if (rc == 0 && SANITIZED)
		rc = add(filter, SCMP_ACT_ALLOW, "ptrace");
	if (rc == 0)
		rc = add_socket(filter);
	return rc == 0 ? add_ioctl(filter) : rc;
}

/* What root keeps to serve: files of others (the kubelet's socket, logs of pods), ports below 1024, processes of others. */
static const unsigned kept_to_serve[] = { CAP_CHOWN, CAP_DAC_OVERRIDE,	   CAP_DAC_READ_SEARCH, CAP_FOWNER,
					  CAP_KILL,  CAP_NET_BIND_SERVICE, CAP_SYS_PTRACE };
/*
 * What it keeps for the driver: administration is what the driver asks of who changes MIG; device files of any owner, made
 * by the library where they are missing; the journal; whose process it is. The unit for systemd allows the same.
 */
static const unsigned kept_for_driver[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
					    CAP_MKNOD, CAP_SYS_ADMIN,	 CAP_SYS_PTRACE };

/* Nothing here is worth failing for: the filter bars what these rights would allow. */
static void drop_capabilities(const unsigned *kept, size_t count)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint64_t keep = 0;

	for (size_t i = 0; i < count; i++)
		keep |= UINT64_C(1) << kept[i];
	if (syscall(SYS_capget, &head, data) != 0)
		return;
	for (size_t i = 0; i < GM_LEN(data); i++) {
		const uint32_t mask = (uint32_t)(keep >> (32 * i));
		data[i].effective &= mask;
		data[i].permitted &= mask;
		data[i].inheritable = 0;
	}
	(void)syscall(SYS_capset, &head, data);
}

int gm_sandbox_enter(enum gm_sandbox kind, struct gm_err *err)
{
	bool serve = kind == GM_SANDBOX_SERVE;
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return gm_fail_errno(err, errno, "no new privileges");
	if (serve)
		drop_capabilities(kept_to_serve, GM_LEN(kept_to_serve));
	else
		drop_capabilities(kept_for_driver, GM_LEN(kept_for_driver));
	GM_AUTO(filter_free_p) void *filter = seccomp_init(serve ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW);
	if (!filter)
		return gm_fail(err, GM_ERR_UNSUPPORTED, "this kernel filters no system calls");
	rc = fill(filter, kind);
	if (rc != 0)
		return gm_fail_errno(err, -rc, "filter of system calls");
	rc = seccomp_load(filter);
	if (rc == -EINVAL || rc == -ENOSYS || rc == -EOPNOTSUPP)
		return gm_fail(err, GM_ERR_UNSUPPORTED, "this kernel filters no system calls");
	return rc == 0 ? 0 : gm_fail_errno(err, -rc, "filter of system calls");
}
