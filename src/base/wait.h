/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_WAIT_H
#define GM_BASE_WAIT_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Waiting with a deadline on the monotonic clock, which no step of the wall clock touches. */

/* Aborts for want of memory, the only way this fails. pthread_cond_destroy ends it. */
void gm_cond_init(pthread_cond_t *cond);
/* For pthread_cond_timedwait on such a condition; ms up to INT64_MAX: for ever. */
struct timespec gm_deadline_in(int64_t ms);

#endif
