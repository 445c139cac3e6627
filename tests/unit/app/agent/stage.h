/* SPDX-License-Identifier: MIT */
#ifndef GM_TEST_AGENT_STAGE_H
#define GM_TEST_AGENT_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/nvmlsim/world.h"
#include "app/agent/samplers.h"

/* Sampling processes on a simulated node, and the test as the agent's main loop. */
struct stage {
	char dir[64];
	struct gm_agent_shared *shared;
	struct gm_keeper *keeper;
	struct gm_samplers *samplers;
	struct nvs_world *world;
	int order_fds[GM_AGENT_CHILDREN_MAX], wake_fd;
	int64_t next_ms; /* when the samplers want to be called again */
};
/* library NULL: the simulator. */
void stage_begin(struct stage *s, int64_t interval_ms, const char *library);
/* When a call counts as hanging: as the agent has it with GM_LONG, else sooner. */
int64_t stage_hung_after_ms(void);
void stage_end(struct stage *s);
/* A command to the simulated node. */
void stage_tell(struct stage *s, const char *command);
/* Turns the loop until `is` says so; fails the test when that takes longer. Answers how long it took. */
int64_t stage_until(struct stage *s, bool (*is)(const struct gm_agent_view *v), int64_t at_most_ms);
/* Turns the loop until that many more rounds are over. */
void stage_rounds(struct stage *s, unsigned rounds);
void stage_turn(struct stage *s);
const struct gm_agent_view *stage_view(const struct stage *s);

#endif
