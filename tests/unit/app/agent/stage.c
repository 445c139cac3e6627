/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "app/agent/child.h"

static struct gm_child_conf child_conf;

static int run_child(void *ctx, enum gm_keeper_role role, int argument, int agent_gone_fd)
{
	(void)role;
	return gm_child_run(ctx, (unsigned)argument, agent_gone_fd);
}

int64_t stage_hung_after_ms(void)
{
	return getenv("GM_LONG") ? 2000 : 500;
}

/* The world of a stage that has not ended: a test that failed leaves processes behind that wait in its calls. */
static struct nvs_world *left;

static void let_go(void)
{
	struct gm_buf out = { 0 };

	if (left)
		(void)!nvs_command(left, GM_STR("clear all"), &out, NULL);
	left = NULL;
	gm_buf_fini(&out);
}

void stage_begin(struct stage *s, int64_t interval_ms, const char *library)
{
	struct gm_err err = { 0 };

	*s = (struct stage){ .dir = "/tmp/gm-stage-XXXXXX" };
	assert_non_null(getenv("NVML_SIM_LIBRARY"));
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(setenv("NVML_SIM_STATE", s->dir, 1), 0);
	assert_int_equal(unsetenv("NVML_SIM_SCENARIO"), 0);
	assert_int_equal(gm_agent_shared_map(&s->shared, &err), 0);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	child_conf = (struct gm_child_conf){ .shared = s->shared,
					     .library = library ? library : getenv("NVML_SIM_LIBRARY"),
					     .wake_fd = s->wake_fd };
	for (unsigned i = 0; i < GM_AGENT_CHILDREN_MAX; i++)
		child_conf.order_fds[i] = s->order_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const struct gm_keeper_work work = { .run = run_child, .ctx = &child_conf };
	assert_int_equal(gm_keeper_start(&work, &s->keeper, &err), 0);
	struct gm_samplers_conf conf = { .shared = s->shared,
					 .keeper = s->keeper,
					 .clock = gm_clock_system(),
					 .interval_ms = interval_ms,
					 .window_ms = 30000,
					 .hung_after_ms = stage_hung_after_ms() };
	memcpy(conf.order_fds, s->order_fds, sizeof(conf.order_fds));
	s->samplers = gm_samplers_new(&conf);
	if (nvs_world_open_at(NULL, s->dir, &s->world, &err))
		fail_msg("%s", err.text);
	static bool asked;
	if (!asked)
		asked = atexit(let_go) == 0;
	let_go();
	left = s->world;
}

void stage_turn(struct stage *s)
{
	struct pollfd fds[2] = { { .fd = s->wake_fd, .events = POLLIN },
				 { .fd = gm_keeper_fd(s->keeper), .events = POLLIN } };
	struct gm_keeper_end end;
	uint64_t n;
	bool changed;
	const int64_t wait_ms = gm_samplers_urgent(s->samplers) ? 0 : s->next_ms - gm_mono_ms(gm_clock_system());

	(void)poll(fds, 2, wait_ms < 0 ? 0 : (int)wait_ms);
	(void)!read(s->wake_fd, &n, sizeof(n));
	while (gm_keeper_next_end(s->keeper, &end) > 0)
		gm_samplers_child_ended(s->samplers, &end);
	s->next_ms = gm_samplers_tick(s->samplers, &changed);
}

const struct gm_agent_view *stage_view(const struct stage *s)
{
	return gm_samplers_view(s->samplers);
}

int64_t stage_until(struct stage *s, bool (*is)(const struct gm_agent_view *v), int64_t at_most_ms)
{
	const int64_t began = gm_mono_ms(gm_clock_system());

	while (!is(stage_view(s))) {
		const int64_t took = gm_mono_ms(gm_clock_system()) - began;
		if (took > at_most_ms)
			fail_msg("still %s (%s) after %d ms", gm_agent_state_name(stage_view(s)->state),
				 stage_view(s)->reason, (int)took);
		stage_turn(s);
	}
	return gm_mono_ms(gm_clock_system()) - began;
}

void stage_rounds(struct stage *s, unsigned rounds)
{
	uint64_t most = 0;

	for (unsigned b = 0; b < stage_view(s)->board_count; b++)
		most = stage_view(s)->boards[b].samples > most ? stage_view(s)->boards[b].samples : most;
	for (uint64_t now = most; now < most + rounds;) {
		stage_turn(s);
		for (unsigned b = 0; b < stage_view(s)->board_count; b++)
			now = stage_view(s)->boards[b].samples > now ? stage_view(s)->boards[b].samples : now;
	}
}

void stage_tell(struct stage *s, const char *command)
{
	struct gm_err err = { 0 };
	struct gm_buf out = { 0 };

	if (nvs_command(s->world, gm_str(command), &out, &err))
		fail_msg("%s: %s", command, err.text);
	gm_buf_fini(&out);
}

void stage_end(struct stage *s)
{
	char path[96];

	left = NULL;
	nvs_world_close(s->world);
	gm_samplers_free(s->samplers);
	gm_keeper_free(s->keeper);
	gm_agent_shared_unmap(s->shared);
	for (unsigned i = 0; i < GM_AGENT_CHILDREN_MAX; i++)
		(void)close(s->order_fds[i]);
	(void)close(s->wake_fd);
	(void)snprintf(path, sizeof(path), "%s/world", s->dir);
	(void)unlink(path);
	(void)rmdir(s->dir);
}
