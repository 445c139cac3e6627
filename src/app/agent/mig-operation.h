/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_OPERATION_H
#define GM_APP_AGENT_MIG_OPERATION_H

#include "app/agent/mig-job.h"
#include "base/json.h"

/* What became of a change: kept for the last 32, told by GET /v1/mig/operations/{id}. */
#define GM_MIG_OPERATIONS_MAX 32
#define GM_MIG_MESSAGES_MAX 6

enum gm_mig_op_state {
	GM_MIG_OP_WAITING, /* for our own handles to be released */
	GM_MIG_OP_RUNNING,
	GM_MIG_OP_SUCCEEDED,
	GM_MIG_OP_UNDONE, /* it failed, and all is as before */
	GM_MIG_OP_STUCK	  /* it failed half way */
};
struct gm_mig_operation {
	char id[GM_MIG_ID_SIZE];
	enum gm_mig_kind kind;
	enum gm_mig_op_state state;
	bool going_back, resets;
	int64_t created_ms, ended_ms;
	uint32_t step, steps;
	int32_t code; /* enum gm_err_code; 0: none */
	uint32_t board_count;
	struct {
		char uuid[GM_MIG_UUID_SIZE];
	} boards[GM_MIG_BOARDS_MAX];
	uint32_t message_count; /* the last ones are kept */
	struct {
		int64_t at_ms;
		char text[440];
	} messages[GM_MIG_MESSAGES_MAX];
};
struct gm_mig_operations {
	uint32_t made; /* ever; the newest is items[(made - 1) % 32] */
	struct gm_mig_operation *items[GM_MIG_OPERATIONS_MAX];
};

struct gm_mig_operation *gm_mig_operations_add(struct gm_mig_operations *ops, const char *id, enum gm_mig_kind kind,
					       int64_t now_ms);
struct gm_mig_operation *gm_mig_operations_find(struct gm_mig_operations *ops, struct gm_str id);
void gm_mig_operations_fini(struct gm_mig_operations *ops);
void gm_mig_operation_say(struct gm_mig_operation *op, int64_t now_ms, const char *fmt, ...) GM_PRINTF(3, 4);
/* `job` not NULL: the one that carries this operation out now; its progress is read from there. */
void gm_mig_operation_write(const struct gm_mig_operation *op, struct gm_mig_job *job, struct gm_json *w);
const char *gm_mig_op_state_name(enum gm_mig_op_state s);

#endif
