/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>

#include "adapter/scrape/scraper-internal.h"
#include "hostile_server.h"

#define INTERVAL_MS 100
#define PAGE "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\",gpu=\"0\",Hostname=\"node-x\"} 42\n"
#define PAGE_MAX (2 << 20)
#define TARGETS_MAX 64

/* What the sink saw of one target. */
struct seen {
	char target[128], node[64], cluster[64], error[400];
	unsigned pages, failures;
	int64_t utilization;
};

struct fixture {
	struct hostile_server *server;
	struct gm_scraper *scraper;
	struct gm_page_sink sink;
	struct seen seen[TARGETS_MAX];
	size_t seen_count;
	char removed[256];
	size_t most_in_flight, most_slow;
	struct gm_scrape_conf conf;
	char urls[TARGETS_MAX][64];
	struct gm_scrape_target targets[TARGETS_MAX];
	size_t target_count;
};

static struct seen *seen_of(struct fixture *f, struct gm_str target)
{
	for (size_t i = 0; i < f->seen_count; i++) {
		if (gm_str_is(target, f->seen[i].target))
			return &f->seen[i];
	}
	assert_true(f->seen_count < TARGETS_MAX);
	(void)gm_str_copy(target, f->seen[f->seen_count].target, sizeof(f->seen[0].target));
	return &f->seen[f->seen_count++];
}

static void on_page(void *ctx, const struct gm_page *page)
{
	struct seen *s = seen_of(ctx, page->target);

	s->pages++;
	(void)gm_str_copy(page->node, s->node, sizeof(s->node));
	(void)gm_str_copy(page->cluster, s->cluster, sizeof(s->cluster));
	assert_int_equal(page->interval_ms, ((struct fixture *)ctx)->conf.interval_ms);
	assert_int_equal(page->device_count, 1);
	s->utilization = page->devices[0].sample.value[GM_FIELD_UTILIZATION];
}

static void on_failed(void *ctx, struct gm_str target, int64_t at_ms, const struct gm_err *why)
{
	struct seen *s = seen_of(ctx, target);

	assert_true(at_ms > 0);
	s->failures++;
	(void)gm_str_copy(gm_str(why->text), s->error, sizeof(s->error));
}

static void on_removed(void *ctx, struct gm_str target)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->removed);

	(void)snprintf(f->removed + n, sizeof(f->removed) - n, "%.*s ", GM_STR_ARG(target));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->server = hostile_server_start(PAGE);
	f->sink = (struct gm_page_sink){ .ctx = f, .page = on_page, .failed = on_failed };
	f->conf = (struct gm_scrape_conf){ .cluster = GM_STR("main"),
					   .interval_ms = INTERVAL_MS,
					   .timeout_ms = 90,
					   .page_max = PAGE_MAX,
					   .in_flight_max = 16 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gm_scraper_free(f->scraper);
	hostile_server_stop(f->server);
	free(f);
	return 0;
}

static struct gm_scrape_target *add(struct fixture *f, const char *path)
{
	struct gm_scrape_target *t = &f->targets[f->target_count];
	char *url = f->urls[f->target_count++];

	(void)snprintf(url, sizeof(f->urls[0]), "http://127.0.0.1:%d%s", hostile_server_port(f->server), path);
	*t = (struct gm_scrape_target){ .url = gm_str(url) };
	return t;
}

static void begin(struct fixture *f)
{
	assert_int_equal(gm_scraper_new(&f->conf, &f->sink, on_removed, gm_clock_system(), &f->scraper, NULL), 0);
	assert_int_equal(gm_scraper_set(f->scraper, &f->conf, f->targets, f->target_count, NULL), 0);
}

static void step(struct fixture *f)
{
	int64_t now = gm_mono_ms(gm_clock_system());
	int64_t next = gm_scraper_step(f->scraper, now);
	int64_t wait = next - now > 20 ? 20 : next - now;
	struct pollfd fd = { .fd = gm_scraper_fd(f->scraper), .events = POLLIN };

	if (f->scraper->in_flight > f->most_in_flight)
		f->most_in_flight = f->scraper->in_flight;
	if (f->scraper->slow_in_flight > f->most_slow)
		f->most_slow = f->scraper->slow_in_flight;
	(void)poll(&fd, 1, wait > 0 ? (int)wait : 0);
}

/* Steps until the condition holds; a machine under load may take its time. */
#define until(f, condition)                                                                                            \
	do {                                                                                                           \
		int64_t end_ = gm_mono_ms(gm_clock_system()) + 30000;                                                  \
		while (!(condition)) {                                                                                 \
			assert_true(gm_mono_ms(gm_clock_system()) < end_);                                             \
			step(f);                                                                                       \
		}                                                                                                      \
	} while (0)

/* Until each target has been asked `rounds` times. */
static void run_rounds(struct fixture *f, unsigned rounds)
{
	for (size_t i = 0; i < f->target_count; i++) {
		const struct seen *s = seen_of(f, f->targets[i].url);

		until(f, s->pages + s->failures >= rounds);
	}
}

struct status_copy {
	char want[128];
	bool found;
	struct gm_target_status status;
	char node[64], error[400];
};

static bool copy_status(void *ctx, const struct gm_target_status *status)
{
	struct status_copy *c = ctx;

	if (strcmp(status->url, c->want) != 0)
		return true;
	c->found = true;
	c->status = *status;
	(void)gm_str_copy(gm_str(status->node), c->node, sizeof(c->node));
	(void)gm_str_copy(gm_str(status->error), c->error, sizeof(c->error));
	return false;
}

static struct status_copy status_of(struct fixture *f, size_t target)
{
	struct status_copy c = { 0 };

	(void)gm_str_copy(f->targets[target].url, c.want, sizeof(c.want));
	gm_scraper_list(f->scraper, GM_STR(""), copy_status, &c);
	assert_true(c.found);
	return c;
}

static void test_scraper_delivers_pages_over_one_connection(void **state)
{
	struct fixture *f = *state;
	struct status_copy c;
	struct gm_scraper_stats stats;

	add(f, "/metrics");
	f->conf.interval_ms = 300;
	f->conf.timeout_ms = 290;
	begin(f);
	c = status_of(f, 0);
	assert_int_equal(c.status.state, GM_TARGET_PENDING);
	assert_int_equal(c.status.duration_ms, -1);
	run_rounds(f, 2);
	hostile_server_set_page(f->server, "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\",gpu=\"0\",Hostname=\"node-x\"} 43\n");
	until(f, f->seen[0].pages >= 4 && f->seen[0].utilization == 4300);
	assert_int_equal(f->seen[0].utilization, 4300);
	assert_string_equal(f->seen[0].node, "node-x");
	assert_string_equal(f->seen[0].cluster, "main");
	/* A scrape that came too late, on a machine under load, costs its connection; no other does. */
	assert_true(hostile_server_connections(f->server) <= 1 + f->seen[0].failures);
	c = status_of(f, 0);
	assert_int_equal(c.status.state, GM_TARGET_UP);
	assert_int_equal(c.status.kind, GM_PAGE_DCGM);
	assert_string_equal(c.node, "node-x");
	assert_string_equal(c.error, "");
	assert_int_equal(c.status.bytes, sizeof(PAGE) - 1);
	assert_int_equal(c.status.samples, 1);
	assert_int_equal(c.status.devices, 1);
	assert_int_equal(c.status.scrapes, f->seen[0].pages + f->seen[0].failures);
	assert_true(c.status.last_ms >= c.status.since_ms && c.status.since_ms > 0);
	gm_scraper_stats(f->scraper, &stats);
	assert_int_equal(stats.targets, 1);
	assert_int_equal(stats.state[GM_TARGET_UP], 1);
	assert_int_equal(stats.learnt, 1);
	assert_true(stats.connects <= 1 + f->seen[0].failures);
	assert_int_equal(stats.samples, f->seen[0].pages);
	assert_int_equal(stats.cache_bytes, gm_page_cache_bytes(f->scraper->targets.items[0]->cache));
}

static void test_scraper_keeps_good_targets_on_time_beside_bad_ones(void **state)
{
	static const struct {
		const char *path, *says;
	} rows[] = {
		{ "/hang", "no answer within 450 ms" },
		{ "/trickle", "within 450 ms" },
		{ "/short", "closed early" },
		{ "/close", "closed early" },
		{ "/nothing", "closed without an answer" },
		{ "/huge", "" },
		{ "/endless", "" },
		{ "/bomb", "" },
		{ "/headers", "" },
		{ "/binary", "malformed lines" },
		{ "/garbage", "not an HTTP answer" },
		{ "/status", "HTTP status 503" },
		{ "/broken", "compressed page" },
		{ "/echo", "not a page of metrics" },
	};
	struct fixture *f = *state;
	size_t good;

	for (size_t i = 0; i < GM_LEN(rows); i++)
		add(f, rows[i].path);
	good = f->target_count;
	add(f, "/metrics");
	add(f, "/gzip");
	f->conf.interval_ms = 500;
	f->conf.timeout_ms = 450;
	begin(f);
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		const struct seen *s = seen_of(f, f->targets[i].url);

		until(f, s->failures >= 1 && strstr(s->error, rows[i].says));
		assert_int_equal(s->pages, 0);
		assert_int_equal(status_of(f, i).status.state, GM_TARGET_DOWN);
	}
	for (size_t i = good; i < f->target_count; i++) {
		const struct seen *s = seen_of(f, f->targets[i].url);

		until(f, s->pages >= 3);
		assert_true(s->failures < s->pages);
	}
}

/* More targets hang than there are requests: they share half of them, the others keep their times. */
static void test_scraper_bounds_what_hanging_targets_take(void **state)
{
	struct fixture *f = *state;
	struct seen *good;
	unsigned before;

	for (int i = 0; i < 12; i++) {
		char path[24];

		(void)snprintf(path, sizeof(path), "/hang?%d", i);
		add(f, path);
		f->targets[i].node = GM_STR("far");
	}
	add(f, "/metrics");
	f->conf.in_flight_max = 8;
	f->conf.interval_ms = 500;
	f->conf.timeout_ms = 400;
	begin(f);
	run_rounds(f, 1);
	good = seen_of(f, f->targets[12].url);
	before = good->pages;
	f->most_in_flight = f->most_slow = 0;
	until(f, good->pages >= before + 3);
	assert_int_equal(f->most_slow, 4);
	assert_true(f->most_in_flight <= 5);
	assert_true(good->failures < good->pages);
	/* In one queue with the twelve it would have come as seldom as they. */
	for (size_t i = 0; i < 12; i++)
		assert_true(seen_of(f, f->targets[i].url)->failures <= 1 + (good->pages - before) * 2 / 3 + 1);
}

static void test_scraper_tells_down_and_up_again(void **state)
{
	struct fixture *f = *state;
	struct status_copy down, up;

	add(f, "/metrics");
	begin(f);
	run_rounds(f, 1);
	hostile_server_set_down(f->server, true);
	until(f, f->seen[0].failures >= 3);
	down = status_of(f, 0);
	assert_int_equal(down.status.state, GM_TARGET_DOWN);
	assert_true(down.status.failures >= 3);
	assert_true(down.status.last_ms > down.status.since_ms); /* since the first failure, not the last */
	assert_true(down.error[0] != 0);
	assert_int_equal(down.status.devices, 1); /* on the last page that came */
	hostile_server_set_down(f->server, false);
	until(f, (up = status_of(f, 0), up.status.state == GM_TARGET_UP));
	assert_int_equal(up.status.state, GM_TARGET_UP);
	assert_true(up.status.since_ms > down.status.since_ms);
	assert_string_equal(up.error, "");
}

static void test_scraper_takes_a_new_list_live(void **state)
{
	struct fixture *f = *state;
	struct gm_scraper_stats stats;
	uint64_t scrapes;
	size_t in_flight;
	char expect[256];

	add(f, "/metrics?a");
	add(f, "/hang?b");
	add(f, "/metrics?c");
	begin(f);
	run_rounds(f, 2);
	until(f, f->scraper->slow_in_flight > 0); /* so that the second is removed in flight */
	scrapes = status_of(f, 2).status.scrapes;
	in_flight = f->scraper->in_flight;
	f->targets[0].node = GM_STR("named");
	f->targets[0].cluster = GM_STR("other");
	(void)snprintf(expect, sizeof(expect), "%s ", f->urls[1]);
	f->targets[1] = f->targets[2];
	f->target_count = 2;
	assert_int_equal(gm_scraper_set(f->scraper, &f->conf, f->targets, 2, NULL), 0);
	assert_string_equal(f->removed, expect);
	assert_int_equal(f->scraper->in_flight, in_flight - 1);
	assert_int_equal(f->scraper->slow_in_flight, 0);
	assert_int_equal(status_of(f, 1).status.scrapes, scrapes);
	until(f, strcmp(seen_of(f, f->targets[0].url)->node, "named") == 0);
	assert_string_equal(seen_of(f, f->targets[0].url)->cluster, "other");
	assert_string_equal(status_of(f, 0).node, "named");
	until(f, (gm_scraper_stats(f->scraper, &stats), stats.state[GM_TARGET_UP] == 2));
	assert_int_equal(stats.targets, 2);
	assert_int_equal(stats.state[GM_TARGET_DOWN], 0);
	assert_int_equal(stats.state[GM_TARGET_PENDING], 0);
	assert_int_equal(gm_scraper_set(f->scraper, &f->conf, NULL, 0, NULL), 0);
	gm_scraper_stats(f->scraper, &stats);
	assert_int_equal(stats.targets, 0);
	assert_int_equal(stats.cache_bytes, 0);
	assert_true(gm_scraper_step(f->scraper, gm_mono_ms(gm_clock_system())) > 0);
}

static void test_scraper_refuses_a_bad_list_whole(void **state)
{
	struct fixture *f = *state;
	struct gm_err err = { 0 };
	struct gm_scraper_stats stats;

	add(f, "/metrics");
	begin(f);
	add(f, "/metrics");
	assert_int_equal(gm_scraper_set(f->scraper, &f->conf, f->targets, 2, &err), GM_ERR_INVALID);
	assert_string_equal(err.where, f->urls[0]);
	assert_non_null(strstr(err.text, "twice"));
	f->targets[1].url = GM_STR("ftp://x/");
	assert_int_equal(gm_scraper_set(f->scraper, &f->conf, f->targets, 2, &err), GM_ERR_INVALID);
	assert_string_equal(err.where, "ftp://x/");
	gm_scraper_stats(f->scraper, &stats);
	assert_int_equal(stats.targets, 1);
	f->target_count = 1;
	until(f, f->seen_count == 1 && f->seen[0].pages > 0);
}

static void test_scraper_asks_one_at_a_time_when_told(void **state)
{
	struct fixture *f = *state;

	add(f, "/metrics?1");
	add(f, "/metrics?2");
	add(f, "/hang");
	add(f, "/metrics?3");
	f->conf.one_at_a_time = true;
	f->conf.timeout_ms = 10;
	begin(f);
	run_rounds(f, 3);
	assert_int_equal(f->most_in_flight, 1);
}

static void test_scraper_waits_for_a_token_file(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/gm-token-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)unlink(path);
	add(f, "/metrics")->access.bearer_file = path;
	add(f, "/metrics?open");
	begin(f);
	run_rounds(f, 2);
	assert_int_equal(f->scraper->accesses.count, 2);
	assert_int_equal(seen_of(f, f->targets[0].url)->pages, 0);
	assert_non_null(strstr(seen_of(f, f->targets[0].url)->error, "token file"));
	until(f, seen_of(f, f->targets[1].url)->pages > 0);
	(void)close(fd);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "secret\n", 7), 7);
	(void)close(fd);
	until(f, seen_of(f, f->targets[0].url)->pages > 0);
	(void)unlink(path);
}

struct page_of_list {
	char urls[8][64];
	size_t count, limit;
};

static bool take_url(void *ctx, const struct gm_target_status *status)
{
	struct page_of_list *p = ctx;

	if (p->count == p->limit)
		return false;
	(void)gm_str_copy(gm_str(status->url), p->urls[p->count++], sizeof(p->urls[0]));
	return true;
}

static void test_scraper_lists_by_url_and_page(void **state)
{
	struct fixture *f = *state;
	struct page_of_list p = { .limit = 2 };

	add(f, "/c");
	add(f, "/a");
	add(f, "/b");
	begin(f);
	gm_scraper_list(f->scraper, GM_STR(""), take_url, &p);
	assert_int_equal(p.count, 2);
	assert_string_equal(p.urls[0], f->urls[1]);
	assert_string_equal(p.urls[1], f->urls[2]);
	p.count = 0;
	gm_scraper_list(f->scraper, gm_str(f->urls[2]), take_url, &p);
	assert_int_equal(p.count, 1);
	assert_string_equal(p.urls[0], f->urls[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scraper_delivers_pages_over_one_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scraper_keeps_good_targets_on_time_beside_bad_ones, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_scraper_bounds_what_hanging_targets_take, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scraper_tells_down_and_up_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scraper_takes_a_new_list_live, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scraper_refuses_a_bad_list_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scraper_asks_one_at_a_time_when_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scraper_waits_for_a_token_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scraper_lists_by_url_and_page, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
