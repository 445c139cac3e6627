/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_NVMLSIM_WORLD_TESTING_H
#define GM_TESTS_NVMLSIM_WORLD_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "adapter/nvmlsim/world-internal.h"
#include "base/buf.h"

#define START_MS INT64_C(1764000000000)

/* A state folder of one test. */
struct folder {
	char path[64];
};
static inline void folder_fini(struct folder *f)
{
	char world[80];
	(void)snprintf(world, sizeof(world), "%s/world", f->path);
	(void)unlink(world);
	(void)rmdir(f->path);
}
GM_DEFINE_AUTO_VALUE(struct folder, folder_fini)
static inline struct folder folder_make(void)
{
	struct folder f = { "/tmp/nvmlsim-test-XXXXXX" };
	assert_non_null(mkdtemp(f.path));
	return f;
}

/* `clock` NULL: the system's. */
static inline struct nvs_world *open_world(const char *text, const char *state, const struct gm_manual_clock *clock)
{
	struct nvs_world *w = NULL;
	struct gm_err err = { 0 };
	if (nvs_world_open_text(gm_str(text), "test.yml", state, &w, &err) < 0)
		fail_msg("%s %s", err.where, err.text);
	if (!clock)
		return w;
	w->clock = &clock->clock;
	if (state) /* one that is shared began before */
		return w;
	nvs_file_lock(w->file);
	assert_int_equal(nvs_restart(w, &err), 0);
	nvs_world_unlock(w);
	return w;
}

static inline int try_command(struct nvs_world *w, const char *line, char *said, size_t size)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_err err = { 0 };
	int rc = nvs_command(w, gm_str(line), &out, &err);
	(void)snprintf(said, size, "%s", rc < 0 ? err.text : gm_buf_cstr(&out));
	return rc;
}

static inline void command(struct nvs_world *w, const char *line)
{
	char said[400];
	if (try_command(w, line, said, sizeof(said)) < 0)
		fail_msg("%s: %s", line, said);
}

/* In a child: 0 when `body` came to its end. Asserts of cmocka are for parents. */
#define CHILD(pid, body)                                                                                               \
	do {                                                                                                           \
		(void)fflush(NULL);                                                                                    \
		(pid) = fork();                                                                                        \
		assert_true((pid) >= 0);                                                                               \
		if ((pid) == 0) {                                                                                      \
			(void)alarm(20);                                                                               \
			body;                                                                                          \
			_exit(0);                                                                                      \
		}                                                                                                      \
	} while (0)

static inline int wait_child(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#endif
