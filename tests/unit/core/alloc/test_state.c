/* SPDX-License-Identifier: MIT */
#include "alloc-testing.h"

#include "core/alloc/alloc-state.h"

/* Every cell, written a second time and by name: state, event, where it leads. What is not here does not happen. */
static const struct {
	enum gm_alloc_state from;
	enum gm_alloc_event event;
	enum gm_alloc_state to;
} MOVES[] = {
#define ROW(from, event, to)                                                                                           \
	{                                                                                                              \
		GM_ALLOC_STATE_##from, GM_ALLOC_EVENT_##event, GM_ALLOC_STATE_##to                                     \
	}
	ROW(PENDING, GRANTED, RESERVED),      ROW(PENDING, GRANTED_TO_MAKE, PROVISIONING),
	ROW(PENDING, RELEASE, RELEASED),      ROW(PENDING, TIME_OUT, EXPIRED),
	ROW(PENDING, GIVEN_UP, FAILED),	      ROW(PROVISIONING, MADE, RESERVED),
	ROW(PROVISIONING, NOT_MADE, PENDING), ROW(PROVISIONING, RELEASE, RELEASED),
	ROW(PROVISIONING, TIME_OUT, EXPIRED), ROW(PROVISIONING, PREEMPTED, RELEASED),
	ROW(PROVISIONING, GIVEN_UP, FAILED),  ROW(RESERVED, SEEN, BOUND),
	ROW(RESERVED, RELEASE, RELEASED),     ROW(RESERVED, TIME_OUT, EXPIRED),
	ROW(RESERVED, PREEMPTED, RELEASED),   ROW(BOUND, GONE, RELEASED),
	ROW(BOUND, RELEASE, RELEASED),	      ROW(BOUND, TIME_OUT, EXPIRED),
	ROW(BOUND, PREEMPTED, RELEASED),
#undef ROW
};

static void test_every_event_in_every_state(void **state)
{
	(void)state;
	for (unsigned s = 0; s < GM_ALLOC_STATE_COUNT; s++) {
		for (unsigned e = 0; e < GM_ALLOC_EVENT_COUNT; e++) {
			unsigned to = GM_ALLOC_STATE_COUNT;

			for (size_t i = 0; i < GM_LEN(MOVES); i++)
				if (MOVES[i].from == s && MOVES[i].event == e)
					to = MOVES[i].to;
			assert_int_equal(gm_alloc_next((enum gm_alloc_state)s, (enum gm_alloc_event)e), to);
		}
	}
	assert_int_equal(gm_alloc_next(GM_ALLOC_STATE_COUNT, GM_ALLOC_EVENT_SEEN), GM_ALLOC_STATE_COUNT);
	assert_int_equal(gm_alloc_next(GM_ALLOC_STATE_BOUND, GM_ALLOC_EVENT_COUNT), GM_ALLOC_STATE_COUNT);
}

/* What ended stays so; what holds can be given back; every state is reached from the first one. */
static void test_the_table_has_no_way_back_and_no_dead_end(void **state)
{
	bool reached[GM_ALLOC_STATE_COUNT] = { [GM_ALLOC_STATE_PENDING] = true };

	(void)state;
	for (unsigned round = 0; round < GM_ALLOC_STATE_COUNT; round++)
		for (unsigned s = 0; s < GM_ALLOC_STATE_COUNT; s++)
			for (unsigned e = 0; reached[s] && e < GM_ALLOC_EVENT_COUNT; e++) {
				unsigned to = gm_alloc_next((enum gm_alloc_state)s, (enum gm_alloc_event)e);

				if (to < GM_ALLOC_STATE_COUNT)
					reached[to] = true;
			}
	for (unsigned s = 0; s < GM_ALLOC_STATE_COUNT; s++) {
		assert_true(reached[s]);
		assert_false(gm_alloc_state_holds((enum gm_alloc_state)s) &&
			     gm_alloc_state_ended((enum gm_alloc_state)s));
		for (unsigned e = 0; e < GM_ALLOC_EVENT_COUNT; e++)
			if (gm_alloc_state_ended((enum gm_alloc_state)s))
				assert_int_equal(gm_alloc_next((enum gm_alloc_state)s, (enum gm_alloc_event)e),
						 GM_ALLOC_STATE_COUNT);
		if (!gm_alloc_state_ended((enum gm_alloc_state)s))
			assert_int_equal(gm_alloc_next((enum gm_alloc_state)s, GM_ALLOC_EVENT_RELEASE),
					 GM_ALLOC_STATE_RELEASED);
	}
}

static void test_names_go_both_ways(void **state)
{
	enum gm_alloc_state s = GM_ALLOC_STATE_COUNT;

	(void)state;
	for (unsigned i = 0; i < GM_ALLOC_STATE_COUNT; i++) {
		assert_true(gm_alloc_state_parse(gm_str(gm_alloc_state_name((enum gm_alloc_state)i)), &s));
		assert_int_equal(s, i);
	}
	assert_true(gm_alloc_state_parse(GM_STR("bound"), &s));
	assert_int_equal(s, GM_ALLOC_STATE_BOUND);
	assert_false(gm_alloc_state_parse(GM_STR("Boundx"), &s));
	assert_false(gm_alloc_state_parse(GM_STR(""), &s));
}

/* A row for each event, a cell for each state. */
static void test_table_for_people_is_the_table(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	struct gm_str rest, line, cell;
	size_t lines = 0;

	(void)state;
	gm_alloc_state_table(&b);
	for (rest = gm_buf_str(&b); gm_str_split(&rest, '\n', &line); lines++) {
		size_t bars = 0;

		for (size_t i = 0; i < line.n; i++)
			bars += line.p[i] == '|';
		assert_int_equal(bars, GM_ALLOC_STATE_COUNT + 2);
		if (lines != 2 + GM_ALLOC_EVENT_SEEN)
			continue;
		for (size_t i = 0; gm_str_split(&line, '|', &cell); i++)
			if (i >= 2)
				assert_true(gm_str_is(gm_str_trim(cell), i == 4 ? "Bound" : ""));
	}
	assert_int_equal(lines, GM_ALLOC_EVENT_COUNT + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_in_every_state),
		cmocka_unit_test(test_the_table_has_no_way_back_and_no_dead_end),
		cmocka_unit_test(test_names_go_both_ways),
		cmocka_unit_test(test_table_for_people_is_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
