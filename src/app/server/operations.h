/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_OPERATIONS_H
#define GM_APP_SERVER_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/*
 * What takes a while, and how far it has got: the answer to who began it, to those who watch, and to those who ask later. The newest
 * GM_OPERATIONS_MAX are kept; one that has not ended is never dropped. Any thread.
 */
struct gm_operations;

/* X(name, wire name, has ended) */
#define GM_OPERATION_STATE_LIST(X)                                                                                     \
	X(WAITING, "waiting", false) /* behind another change of the same node */                                      \
	X(RUNNING, "running", false)                                                                                   \
	X(SUCCEEDED, "succeeded", true)                                                                                \
	X(UNDONE, "undone", true) /* it failed, and all is as before */                                                \
	X(FAILED, "failed", true) /* nothing was done, or some of the nodes did and others did not */                  \
	X(STUCK, "stuck", true)	  /* it is not known how it ended, or it ended half way */
enum gm_operation_state {
#define GM_OPERATION_STATE_ENUM(name, text, ended) GM_OPERATION_##name,
	GM_OPERATION_STATE_LIST(GM_OPERATION_STATE_ENUM)
#undef GM_OPERATION_STATE_ENUM
		GM_OPERATION_STATE_COUNT
};
const char *gm_operation_state_name(enum gm_operation_state s);
bool gm_operation_state_ended(enum gm_operation_state s);

#define GM_OPERATION_ID_SIZE 32
#define GM_OPERATIONS_MAX 1000
#define GM_OPERATION_DEVICES_MAX 4096 /* of one operation */
#define GM_OPERATION_TEXT 440

struct gm_operation_device {
	char id[128], uuid[64], node[254]; /* longer ones are cut */
	enum gm_operation_state state;
	int step, steps;
	char now[96];			 /* what is being done; "" */
	char message[GM_OPERATION_TEXT]; /* why it ended so; "" */
};

struct gm_operations_conf {
	const struct gm_clock *clock;
	/* Something of it changed: MigOperation as one line of JSON. Called by the thread that told, not under a lock. */
	void (*changed)(void *ctx, struct gm_str json);
	void *ctx;
};
struct gm_operations *gm_operations_new(const struct gm_operations_conf *conf);
void gm_operations_free(struct gm_operations *o);

struct gm_operation_def {
	const char *id;		/* NULL: a new one is made */
	const char *plan;	/* "": none */
	const char *allocation; /* "": none */
	const char *by;
	int64_t created_ms; /* 0: now */
	const struct gm_operation_device *devices;
	size_t device_count;
};
/* GM_ERR_LIMITED: too many that have not ended. */
int gm_operations_begin(struct gm_operations *o, const struct gm_operation_def *def,
			char out_id[static GM_OPERATION_ID_SIZE], struct gm_err *err) GM_CHECKED;
/*
 * A device got on. The operation's own state follows: it runs while one runs, and ends when all have ended, with the worst
 * of their ends. True when it has ended by this.
 */
bool gm_operations_tell(struct gm_operations *o, const char *id, const struct gm_operation_device *device);
/* How it ended, and in which words; WAITING and RUNNING: it has not. */
enum gm_operation_state gm_operations_state(struct gm_operations *o, const char *id,
					    char out_message[static GM_OPERATION_TEXT]);
/* As MigOperation. NOT_FOUND. */
int gm_operations_write(struct gm_operations *o, struct gm_str id, struct gm_json *w, struct gm_err *err) GM_CHECKED;
/* The newest first, as items of a list. */
void gm_operations_list(struct gm_operations *o, size_t limit, struct gm_json *w);

GM_DEFINE_AUTO(struct gm_operations, gm_operations_free)

#endif
