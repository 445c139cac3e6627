/* SPDX-License-Identifier: MIT */
#include "alloc-testing.h"

#include <stdio.h>

#include "base/alloc.h"
#include "core/alloc/queue.h"

enum { TEAMS = 4, AGEING_MS = 1000 };
struct teams {
	int64_t used[TEAMS], weight[TEAMS];
};

static int64_t used_of(void *ctx, uint32_t team)
{
	return ((struct teams *)ctx)->used[team];
}
static int64_t weight_of(void *ctx, uint32_t team)
{
	return ((struct teams *)ctx)->weight[team];
}

/* The order of the ids, as one text. */
static const char *order_of(const struct gm_queue *q, struct teams *t, int64_t now_ms)
{
	static char text[256];
	struct gm_queue_share share = { .used_milli = used_of, .weight = weight_of, .ctx = t };
	GM_AUTO(gm_queue_walk_fini_p) struct gm_queue_walk w;
	struct gm_queue_item *item;
	size_t n = 0;

	text[0] = 0;
	gm_queue_walk_begin(&w, q, &share, now_ms, AGEING_MS);
	while ((item = gm_queue_walk_next(&w)))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", item->id);
	return text;
}

#define ITEM(name, team_, priority_, since, adds)                                                                      \
	{                                                                                                              \
		.id = (name), .team = (team_), .priority = (priority_), .since_ms = (since), .adds_milli = (adds)      \
	}

static void test_order(void **state)
{
	static const struct {
		const char *rule;
		struct gm_queue_item items[4];
		struct teams teams;
		int64_t now_ms;
		const char *order;
	} ROWS[] = {
		{ "priority first",
		  { ITEM("a", 0, 1, 0, 0), ITEM("b", 0, 3, 5, 0), ITEM("c", 0, 2, 3, 0) },
		  { .used = { 0 }, .weight = { 1 } },
		  10,
		  "b c a " },
		{ "then who waits longer, then the id",
		  { ITEM("b", 0, 1, 7, 0), ITEM("c", 0, 1, 3, 0), ITEM("a", 0, 1, 7, 0) },
		  { .weight = { 1 } },
		  10,
		  "c a b " },
		{ "the team that holds less",
		  { ITEM("a", 0, 1, 0, 100), ITEM("b", 1, 1, 9, 100) },
		  { .used = { 500, 400 }, .weight = { 1, 1 } },
		  10,
		  "b a " },
		{ "by weight",
		  { ITEM("a", 0, 1, 0, 100), ITEM("b", 1, 1, 9, 100) },
		  { .used = { 500, 400 }, .weight = { 2, 1 } },
		  10,
		  "a b " },
		{ "what it would add counts",
		  { ITEM("a", 0, 1, 0, 1000), ITEM("b", 1, 1, 9, 125) },
		  { .used = { 0, 500 }, .weight = { 1, 1 } },
		  10,
		  "b a " },
		{ "waiting lifts above priority",
		  { ITEM("a", 0, 1, 0, 0), ITEM("b", 1, 3, 2900, 0) },
		  { .used = { 9000, 0 }, .weight = { 1, 1 } },
		  3000,
		  "a b " },
		{ "but not a moment early",
		  { ITEM("a", 0, 1, 0, 0), ITEM("b", 1, 3, 2900, 0) },
		  { .used = { 9000, 0 }, .weight = { 1, 1 } },
		  1999,
		  "b a " },
	};

	(void)state;
	for (size_t r = 0; r < GM_LEN(ROWS); r++) {
		GM_AUTO(gm_queue_fini_p) struct gm_queue q = { 0 };
		struct gm_queue_item items[4];
		struct teams teams = ROWS[r].teams;

		memcpy(items, ROWS[r].items, sizeof(items));
		for (size_t i = 0; i < 4 && items[i].id; i++)
			gm_queue_add(&q, &items[i]);
		if (strcmp(order_of(&q, &teams, ROWS[r].now_ms), ROWS[r].order))
			fail_msg("%s: %s", ROWS[r].rule, order_of(&q, &teams, ROWS[r].now_ms));
	}
}

/* A backlog of one team does not keep another one waiting while it is being served itself. */
static void test_a_line_that_is_served_does_not_age(void **state)
{
	GM_AUTO(gm_queue_fini_p) struct gm_queue q = { 0 };
	struct gm_queue_item old[2] = { ITEM("a", 0, 1, 0, 0), ITEM("b", 0, 1, 1, 0) },
			     young = ITEM("c", 1, 1, 9000, 0);
	struct teams teams = { .used = { 1000, 0 }, .weight = { 1, 1 } };

	(void)state;
	gm_queue_add(&q, &old[0]);
	gm_queue_add(&q, &old[1]);
	gm_queue_add(&q, &young);
	assert_string_equal(order_of(&q, &teams, 9500), "a b c ");
	gm_queue_served(&q, 0, 1, 9000);
	assert_string_equal(order_of(&q, &teams, 9500), "c a b ");
	assert_string_equal(order_of(&q, &teams, 9999), "c a b ");
	/* Older news do not count. */
	gm_queue_served(&q, 0, 1, 100);
	assert_string_equal(order_of(&q, &teams, 9500), "c a b ");
	/* Another priority is another line. */
	gm_queue_served(&q, 1, 2, 9400);
	assert_string_equal(order_of(&q, &teams, 20000), "c a b ");
}

/* Serving on the way: the shares of two teams grow, and they take turns. */
static void test_teams_take_turns_in_one_walk(void **state)
{
	GM_AUTO(gm_queue_fini_p) struct gm_queue q = { 0 };
	GM_AUTO(gm_queue_walk_fini_p) struct gm_queue_walk w;
	struct teams teams = { .weight = { 1, 2 } };
	struct gm_queue_share share = { .used_milli = used_of, .weight = weight_of, .ctx = &teams };
	struct gm_queue_item items[12], *item;
	char ids[12][8], got[13] = { 0 };
	size_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "%02u", i);
		items[i] = (struct gm_queue_item)ITEM(ids[i], i < 6 ? 0U : 1U, 1, i, 1000);
		gm_queue_add(&q, &items[i]);
	}
	gm_queue_walk_begin(&w, &q, &share, 100, AGEING_MS);
	while ((item = gm_queue_walk_next(&w))) {
		got[n++] = item->team ? 'b' : 'a';
		teams.used[item->team] += item->adds_milli;
		gm_queue_served(&q, item->team, item->priority, 100);
		gm_queue_remove(&q, item);
	}
	/* The second has twice the weight, until its line is empty. */
	assert_string_equal(got, "babbabbabaaa");
	assert_int_equal(q.count, 0);
}

/* Against sorting everything anew with the rule as the header states it. */
static struct teams *sort_teams;
static int64_t sort_now, sort_served[TEAMS][3];

static int64_t rank_of(const struct gm_queue_item *i)
{
	int64_t served = sort_served[i->team][i->priority];
	int64_t since = i->since_ms > served ? i->since_ms : served;

	return i->priority + (sort_now - since) / AGEING_MS;
}
static int compare(const void *pa, const void *pb)
{
	const struct gm_queue_item *a = *(struct gm_queue_item *const *)pa, *b = *(struct gm_queue_item *const *)pb;
	int64_t ra = rank_of(a), rb = rank_of(b);
	int64_t sa = (sort_teams->used[a->team] + a->adds_milli) * 1000000 / sort_teams->weight[a->team];
	int64_t sb = (sort_teams->used[b->team] + b->adds_milli) * 1000000 / sort_teams->weight[b->team];

	if (ra != rb)
		return ra > rb ? -1 : 1;
	if (sa != sb)
		return sa < sb ? -1 : 1;
	if (a->since_ms != b->since_ms)
		return a->since_ms < b->since_ms ? -1 : 1;
	return strcmp(a->id, b->id);
}

static void test_random_queues_against_sorting(void **state)
{
	enum { ITEMS = 60 };
	uint64_t random = 5;

	(void)state;
	for (int round = 0; round < 500; round++) {
		GM_AUTO(gm_queue_fini_p) struct gm_queue q = { 0 };
		GM_AUTO(gm_queue_walk_fini_p) struct gm_queue_walk w;
		struct teams teams;
		struct gm_queue_share share = { .used_milli = used_of, .weight = weight_of, .ctx = &teams };
		struct gm_queue_item items[ITEMS], *rest[ITEMS], *item;
		char ids[ITEMS][8];
		size_t n = 0;

		for (uint32_t t = 0; t < TEAMS; t++) {
			teams.used[t] = draw(&random, 5) * 500;
			teams.weight[t] = 1 + draw(&random, 3);
			for (int p = 0; p < 3; p++) {
				sort_served[t][p] = draw(&random, 5000);
				gm_queue_served(&q, t, p, sort_served[t][p]);
			}
		}
		for (size_t i = 0; i < ITEMS; i++) {
			(void)snprintf(ids[i], sizeof(ids[i]), "%02zu", i);
			items[i] = (struct gm_queue_item)ITEM(ids[i], draw(&random, TEAMS), draw(&random, 3),
							      draw(&random, 5000), 500);
			gm_queue_add(&q, &items[i]);
			rest[n++] = &items[i];
		}
		for (int i = 0; i < 10; i++) {
			uint32_t k = draw(&random, (uint32_t)n);

			gm_queue_remove(&q, rest[k]);
			rest[k] = rest[--n];
		}
		sort_now = 5000 + draw(&random, 3000);
		sort_teams = &teams;
		gm_queue_walk_begin(&w, &q, &share, sort_now, AGEING_MS);
		/* Adds are alike, so that lines are first come, first served also by share. */
		qsort(rest, n, sizeof(rest[0]), compare);
		for (size_t i = 0; i < n; i++) {
			item = gm_queue_walk_next(&w);
			if (item != rest[i])
				fail_msg("round %d, %zu: %s instead of %s", round, i, item->id, rest[i]->id);
		}
		assert_null(gm_queue_walk_next(&w));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_a_line_that_is_served_does_not_age),
		cmocka_unit_test(test_teams_take_turns_in_one_walk),
		cmocka_unit_test(test_random_queues_against_sorting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
