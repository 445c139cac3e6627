/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_STORE_TEST_H
#define GM_TESTS_STORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapter/store/store.h"
#include "base/clock.h"

/* 2026-03-01T00:00:00Z, a whole hour, day, but no whole 32 days. */
#define T0 INT64_C(1772323200000)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* A folder of its own that goes away with all that is in it, a clock set by hand, and a store in it. */
struct place {
	char folder[64];
	char url[96];
	char path[88];
	struct gm_manual_clock clock;
	struct gm_clock ticking; /* the same, but a millisecond of monotonic time passes whenever it is asked for */
	struct gm_store_conf conf;
	struct gm_store *store;
};
void place_init(struct place *p);
void place_fini(struct place *p);
/* Closes the store when it is open, opens it again with p->conf. */
void place_open(struct place *p);
void place_close(struct place *p);
const struct gm_fleet_store *fleet(struct place *p);
const struct gm_auth_store *auth(struct place *p);

/* maintain until there is nothing more to do; the clock stands at now_ms then. */
void settle(struct place *p, int64_t now_ms);
/* Values that can be told from series, time and field; some fields, some of them not always there. */
struct gm_sample sample_at(uint32_t series, int64_t at_ms);
void append_one(struct place *p, uint32_t series, int64_t at_ms);
/* `count` samples of each series first..last, step_ms apart, one append a time; the clock goes with them. */
void append_range(struct place *p, uint32_t first, uint32_t last, int64_t from_ms, int64_t step_ms, size_t count);

/* Compares the store's chart of a field with one made of sample_at for the times given (which rise). */
void check_chart(struct place *p, uint32_t series, enum gm_field field, int64_t from_ms, int64_t to_ms, int64_t step_ms,
		 enum gm_tier tier, const int64_t *times, size_t count);
/* A series that says what a test wants and else plain things. */
struct gm_series_def series_def(uint32_t series, const char *uuid);

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		struct gm_err err_ = { 0 };                                                                            \
		struct gm_err *err = &err_;                                                                            \
		if ((call) != 0)                                                                                       \
			fail_msg("%s: %s", #call, err_.text);                                                          \
	} while (0)

#endif
