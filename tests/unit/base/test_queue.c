/* SPDX-License-Identifier: MIT */
#include "base/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "test-random.h"

static atomic_size_t dropped;

static void drop(void *item)
{
	atomic_fetch_add(&dropped, 1);
	free(item);
}

static int *number(int v)
{
	int *p = gm_xalloc(sizeof(*p));
	*p = v;
	return p;
}

static int pop(struct gm_queue *q)
{
	int *p = gm_queue_pop(q, 0);
	int v = p ? *p : -1;
	free(p);
	return v;
}

static struct gm_queue_stats stats(struct gm_queue *q)
{
	struct gm_queue_stats s;
	gm_queue_stats(q, &s);
	return s;
}

static int setup(void **state)
{
	(void)state;
	atomic_store(&dropped, 0);
	return 0;
}

static void test_first_in_first_out_over_both_classes(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(1000, drop);
	for (int i = 0; i < 200; i++)
		assert_true(gm_queue_push(q, number(i), (uint64_t)i % 3, i % 7 % 2 ? GM_QUEUE_WAIT : GM_QUEUE_DROP));
	assert_int_equal(stats(q).items, 200);
	for (int i = 0; i < 200; i++)
		assert_int_equal(pop(q), i);
	assert_int_equal(pop(q), -1);
	assert_int_equal(stats(q).weight, 0);
	assert_int_equal(dropped, 0);
}

static void test_the_oldest_droppable_make_room(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(10, drop);
	gm_queue_push(q, number(0), 2, GM_QUEUE_DROP);
	gm_queue_push(q, number(1), 3, GM_QUEUE_WAIT);
	gm_queue_push(q, number(2), 2, GM_QUEUE_DROP);
	gm_queue_push(q, number(3), 3, GM_QUEUE_DROP);
	assert_true(gm_queue_push(q, number(4), 3, GM_QUEUE_DROP)); /* 0 and 2 go */
	struct gm_queue_stats s = stats(q);
	assert_int_equal(s.items, 3);
	assert_int_equal(s.weight, 9);
	assert_int_equal(s.limit, 10);
	assert_int_equal(s.dropped_items, 2);
	assert_int_equal(s.dropped_weight, 4);
	assert_int_equal(dropped, 2);
	assert_int_equal(pop(q), 1);
	assert_int_equal(pop(q), 3);
	assert_int_equal(pop(q), 4);
}

static void test_a_droppable_that_cannot_fit_goes_itself(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(10, drop);
	gm_queue_push(q, number(0), 8, GM_QUEUE_WAIT);
	gm_queue_push(q, number(1), 2, GM_QUEUE_DROP);
	assert_true(gm_queue_push(q, number(2), 3, GM_QUEUE_DROP)); /* even without 1 there is room for 2 only */
	assert_int_equal(dropped, 1);
	assert_int_equal(stats(q).dropped_weight, 3);
	assert_int_equal(pop(q), 0);
	assert_int_equal(pop(q), 1);
	assert_int_equal(pop(q), -1);
}

static void test_an_item_over_the_limit_is_taken_alone(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(10, drop);
	assert_true(gm_queue_push(q, number(0), 100, GM_QUEUE_WAIT));
	assert_true(gm_queue_push(q, number(1), 1, GM_QUEUE_DROP));
	assert_int_equal(dropped, 1);
	assert_int_equal(pop(q), 0);
	assert_true(gm_queue_push(q, number(2), 4, GM_QUEUE_DROP));
	assert_true(gm_queue_push(q, number(3), 100, GM_QUEUE_DROP)); /* 2 goes */
	assert_int_equal(pop(q), 3);
	assert_int_equal(pop(q), -1);
	assert_int_equal(dropped, 2);
}

static void test_after_close_what_is_left_comes_out(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(10, drop);
	gm_queue_push(q, number(0), 1, GM_QUEUE_WAIT);
	assert_false(gm_queue_done(q));
	gm_queue_close(q);
	assert_false(gm_queue_done(q));
	assert_false(gm_queue_push(q, number(1), 1, GM_QUEUE_WAIT));
	assert_false(gm_queue_push(q, number(2), 1, GM_QUEUE_DROP));
	assert_int_equal(dropped, 2);
	assert_int_equal(stats(q).dropped_items, 0); /* refused, not lost for want of room */
	assert_int_equal(pop(q), 0);
	assert_true(gm_queue_done(q));
	assert_null(gm_queue_pop(q, -1));
}

static void test_free_drops_what_is_left(void **state)
{
	(void)state;
	struct gm_queue *q = gm_queue_new(10, drop);
	for (int i = 0; i < 5; i++)
		gm_queue_push(q, number(i), 1, i % 2 ? GM_QUEUE_WAIT : GM_QUEUE_DROP);
	gm_queue_free(q);
	assert_int_equal(dropped, 5);
	gm_queue_free(NULL);
}

static void test_pop_gives_up_after_its_time(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(10, drop);
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_null(gm_queue_pop(q, 30));
	clock_gettime(CLOCK_MONOTONIC, &b);
	int64_t ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	assert_true(ms >= 29);
	assert_true(ms < 20000);
}

/* Any order of pushes and pops by one thread: sums hold, order holds, what is not popped was dropped. */
static void test_sums_hold_whatever_is_done(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(50, drop);
	int pushed = 0, popped = 0, last = -1;
	for (int step = 0; step < 20000; step++) {
		struct gm_queue_stats s = stats(q);
		assert_true(s.weight <= 50 || s.items == 1);
		assert_int_equal(s.dropped_items, dropped);
		assert_int_equal(s.items, pushed - popped - (int)s.dropped_items);
		uint64_t weight = test_random_below(20);
		if (test_random_below(3) == 0) {
			int v = pop(q);
			assert_true(v == -1 ? s.items == 0 : v > last);
			popped += v != -1;
			last = v == -1 ? last : v;
		} else {
			bool fits = s.items == 0 || s.weight + weight <= 50;
			assert_true(gm_queue_push(q, number(pushed++), weight,
						  fits && test_random_below(4) == 0 ? GM_QUEUE_WAIT : GM_QUEUE_DROP));
		}
	}
	assert_true(popped > 1000 && dropped > 100);
}

#define PRODUCERS 3
#define CONSUMERS 2
#define EACH 4000

struct job {
	int producer, number;
};

struct run {
	struct gm_queue *q;
	int producer; /* also the class: the last one's items may be dropped */
	atomic_int *popped;
	atomic_int *out_of_order;
};

static atomic_int seen[PRODUCERS][EACH];

static void *produce(void *arg)
{
	struct run *r = arg;
	for (int i = 0; i < EACH; i++) {
		struct job *j = gm_xalloc(sizeof(*j));
		*j = (struct job){ .producer = r->producer, .number = i };
		if (!gm_queue_push(r->q, j, 1 + (uint64_t)i % 3,
				   r->producer == PRODUCERS - 1 ? GM_QUEUE_DROP : GM_QUEUE_WAIT))
			abort();
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct run *r = arg;
	int last[PRODUCERS] = { -1, -1, -1 };
	for (struct job *j; (j = gm_queue_pop(r->q, -1));) {
		atomic_fetch_add(&seen[j->producer][j->number], 1);
		if (j->number <= last[j->producer])
			atomic_fetch_add(r->out_of_order, 1);
		last[j->producer] = j->number;
		atomic_fetch_add(r->popped, 1);
		free(j);
	}
	return NULL;
}

static void test_between_threads_nothing_is_lost_or_doubled(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(20, drop);
	atomic_int popped = 0, out_of_order = 0;
	struct run runs[PRODUCERS + CONSUMERS];
	pthread_t threads[PRODUCERS + CONSUMERS];
	for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
		runs[i] = (struct run){ .q = q, .producer = i, .popped = &popped, .out_of_order = &out_of_order };
		assert_int_equal(pthread_create(&threads[i], NULL, i < PRODUCERS ? produce : consume, &runs[i]), 0);
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	gm_queue_close(q);
	for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(gm_queue_done(q));
	struct gm_queue_stats s = stats(q);
	assert_int_equal(popped + (int)s.dropped_items, PRODUCERS * EACH);
	assert_int_equal(s.dropped_items, dropped);
	assert_int_equal(s.weight, 0);
	assert_int_equal(out_of_order, 0);
	for (int p = 0; p < PRODUCERS; p++)
		for (int i = 0; i < EACH; i++)
			assert_in_range(seen[p][i], p == PRODUCERS - 1 ? 0 : 1, 1);
}

static void *push_one(void *arg)
{
	return gm_queue_push(arg, number(1), 10, GM_QUEUE_WAIT) ? arg : NULL;
}

static void test_close_wakes_who_waits_for_room(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(10, drop);
	gm_queue_push(q, number(0), 10, GM_QUEUE_WAIT);
	pthread_t thread;
	void *result = q;
	assert_int_equal(pthread_create(&thread, NULL, push_one, q), 0);
	gm_queue_close(q); /* before or while it waits: refused either way */
	pthread_join(thread, &result);
	assert_null(result);
	assert_int_equal(dropped, 1);
}

static void test_pop_makes_room_for_who_waits(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(10, drop);
	gm_queue_push(q, number(0), 10, GM_QUEUE_WAIT);
	pthread_t thread;
	void *result = NULL;
	assert_int_equal(pthread_create(&thread, NULL, push_one, q), 0);
	assert_int_equal(pop(q), 0);
	int *second = gm_queue_pop(q, -1);
	assert_int_equal(*second, 1);
	free(second);
	pthread_join(thread, &result);
	assert_ptr_equal(result, q);
}

static void *close_it(void *arg)
{
	gm_queue_close(arg);
	return NULL;
}

static void test_close_wakes_who_waits_for_an_item(void **state)
{
	(void)state;
	GM_AUTO(gm_queue_free_p) struct gm_queue *q = gm_queue_new(10, drop);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, close_it, q), 0);
	assert_null(gm_queue_pop(q, -1));
	pthread_join(thread, NULL);
	assert_true(gm_queue_done(q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first_in_first_out_over_both_classes, setup),
		cmocka_unit_test_setup(test_the_oldest_droppable_make_room, setup),
		cmocka_unit_test_setup(test_a_droppable_that_cannot_fit_goes_itself, setup),
		cmocka_unit_test_setup(test_an_item_over_the_limit_is_taken_alone, setup),
		cmocka_unit_test_setup(test_after_close_what_is_left_comes_out, setup),
		cmocka_unit_test_setup(test_free_drops_what_is_left, setup),
		cmocka_unit_test_setup(test_pop_gives_up_after_its_time, setup),
		cmocka_unit_test_setup(test_sums_hold_whatever_is_done, setup),
		cmocka_unit_test_setup(test_between_threads_nothing_is_lost_or_doubled, setup),
		cmocka_unit_test_setup(test_close_wakes_who_waits_for_room, setup),
		cmocka_unit_test_setup(test_pop_makes_room_for_who_waits, setup),
		cmocka_unit_test_setup(test_close_wakes_who_waits_for_an_item, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
