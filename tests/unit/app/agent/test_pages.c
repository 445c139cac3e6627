/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "adapter/http/http.h"
#include "app/agent/pages.h"
#include "views.h"

#define READERS 3
#define ROUNDS 200

struct race {
	struct gm_agent_pages *pages;
	_Atomic bool ended;
	_Atomic uint64_t read, wrong;
};

/* A page is whole, and each is from a later round than the one before or the same. */
static void *reader(void *arg)
{
	struct race *race = arg;
	uint64_t before = 0;

	while (!atomic_load(&race->ended)) {
		for (unsigned i = 0; i < GM_AGENT_PAGES; i++) {
			int status;
			GM_AUTO(gm_http_shared_unref_p)
			struct gm_http_shared *page =
				gm_agent_pages_get(race->pages, (enum gm_agent_page)i, &status, NULL);
			const struct gm_str text = page ? gm_http_shared_body(page) : GM_STR("");
			unsigned long long round = 0;

			if (!page)
				continue;
			atomic_fetch_add(&race->read, 1);
			if (i != GM_AGENT_PAGE_METRICS) {
				atomic_fetch_add(&race->wrong, text.p[text.n - 1] != '}' && text.p[text.n - 1] != '\n');
				continue;
			}
			const char *line = strstr(text.p, "\ngpu_agent_rounds_total ");
			if (!line || sscanf(line, "\ngpu_agent_rounds_total %llu", &round) != 1 || round < before)
				atomic_fetch_add(&race->wrong, 1);
			before = round;
		}
	}
	return NULL;
}

static void test_pages_are_whole_for_whoever_reads_while_they_are_made(void **state)
{
	struct gm_agent_view *view = view_new(2, 2);
	struct race race = { 0 };
	const struct gm_agent_round round = { .view = view };
	pthread_t threads[READERS];

	(void)state;
	race.pages = gm_agent_pages_new(&(struct gm_agent_pages_conf){
		.clock = gm_clock_system(), .node_name = "n", .interval_ms = 1000, .window_ms = 30000 });
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &race), 0);
	for (int i = 0; i < ROUNDS || atomic_load(&race.read) < ROUNDS; i++) {
		view->round++;
		gm_agent_pages_make(race.pages, &round);
	}
	atomic_store(&race.ended, true);
	for (int i = 0; i < READERS; i++)
		(void)pthread_join(threads[i], NULL);
	assert_true(atomic_load(&race.read) >= ROUNDS);
	assert_int_equal(atomic_load(&race.wrong), 0);
	gm_agent_pages_free(race.pages);
	free(view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_are_whole_for_whoever_reads_while_they_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
