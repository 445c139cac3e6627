/* SPDX-License-Identifier: MIT */
/*
 * What it costs that an allocation is on disk before it is answered: clients that each wait for theirs, all of them served
 * by the one thread that writes; and pages of a long history.
 *   bench-alloc-store [--dir DIR] [--clients N] [--seconds N] [--rows N]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter/store/store.h"
#include "adapter/store/writer.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "core/alloc/alloc-store.h"

#define SLICES 7	       /* of a board: each allocation takes one */
#define BOARDS_OF_A_CLIENT 160 /* 10,240 boards for 64 clients */
#define HISTORY_A_WRITE 1000

static void die(const struct gm_err *err)
{
	(void)fprintf(stderr, "bench-alloc-store: %s\n", err->text);
	exit(1);
}

struct client {
	pthread_t thread;
	struct gm_store *store;
	struct gm_store_writer *writer;
	int64_t end_ns;
	size_t number, grants, capacity;
	uint64_t *took_ns;
	struct gm_err err;
};

/* The n-th allocation of a client, as a server would make it. */
struct made {
	char id[GM_ALLOC_ID_SIZE], uuid[48], pod[48];
	size_t client, n;
	enum gm_alloc_state state;
};

static const struct gm_alloc_record *record_of(struct made *m)
{
	const size_t place = m->n % (BOARDS_OF_A_CLIENT * SLICES), board = place / SLICES, unit = place % SLICES;
	struct gm_alloc_record r = { .version = m->state == GM_ALLOC_STATE_RESERVED ? 1 : 2, .state = m->state };

	(void)snprintf(m->id, sizeof(m->id), "al-%017zu-%08zx", m->n, m->client);
	(void)snprintf(m->uuid, sizeof(m->uuid), "GPU-%08zx-bce5-4d2a-91f0-%012zx", m->client, board);
	(void)snprintf(m->pod, sizeof(m->pod), "vllm-7d9f6c5b4-%05zx", m->n);
	(void)memcpy(r.id, m->id, sizeof(r.id));
	gm_alloc_request_init(&r.request);
	r.request.namespace_ = GM_STR("ml-serving");
	r.request.pod = gm_str(m->pod);
	r.request.team = GM_STR("vision");
	r.request.owner = GM_STR("Deployment/vllm");
	r.request.profile = GM_STR("1g.10gb");
	r.created_by = GM_STR("scheduler");
	r.created_ms = r.granted_ms = 1772323200000 + (int64_t)m->n;
	r.ended_ms = m->state == GM_ALLOC_STATE_RELEASED ? r.created_ms + 60000 : 0;
	struct gm_alloc_device device = {
		.uuid = gm_str(m->uuid),
		.device_id = GM_STR("worker-0042-GPU-03"),
		.node = GM_STR("worker-0042"),
		.cluster = GM_STR("default"),
		.model = GM_STR("H100_80GB"),
		.profile = GM_STR("1g.10gb"),
		.start = (int64_t)unit,
		.size = 1,
		.units = INT64_C(1) << unit,
		.unit_count = 8,
		.share_milli = 1000,
		.hourly_micros = 400000,
	};
	r.devices = &device;
	r.device_count = 1;
	return gm_alloc_record_new(&r);
}

static int write_made(struct gm_store *store, struct made *m, struct gm_err *err)
{
	const struct gm_alloc_store *a = gm_store_alloc(store);
	GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *record = record_of(m);
	struct gm_alloc_once once = { .at_ms = record->created_ms };
	const struct gm_audit audit = {
		.at_ms = record->created_ms,
		.actor = GM_STR("scheduler"),
		.role = GM_STR("operator"),
		.address = GM_STR("10.0.0.7"),
		.action = GM_STR("allocation.create"),
		.object = gm_str(record->id),
		.request_id = gm_str(record->id),
	};
	struct gm_alloc_write w = { .records = &record, .record_count = 1, .audits = &audit, .audit_count = 1 };

	if (m->state == GM_ALLOC_STATE_RESERVED) {
		gm_digest(gm_str(record->id), once.key);
		(void)memcpy(once.id, record->id, sizeof(once.id));
		w.once = &once;
	}
	return a->write(a->ctx, &w, err);
}

struct job {
	struct gm_store *store;
	struct made made;
};

static int run_job(void *ctx, struct gm_err *err)
{
	struct job *j = ctx;

	return write_made(j->store, &j->made, err);
}

static int ask(struct client *c, size_t n, enum gm_alloc_state state)
{
	struct job j = { .store = c->store, .made = { .client = c->number, .n = n, .state = state } };
	const struct gm_store_job job = { .run = run_job, .ctx = &j };

	return gm_store_writer_do(c->writer, &job, INT64_MAX, &c->err);
}

static void *run_client(void *ctx)
{
	struct client *c = ctx;
	const size_t room = BOARDS_OF_A_CLIENT * SLICES;

	while (c->grants < c->capacity) {
		/* When all is given, the oldest goes first; the time of that is not counted as a grant's. */
		if (c->grants >= room && ask(c, c->grants - room, GM_ALLOC_STATE_RELEASED))
			return NULL;
		const int64_t begin = gm_clock_mono_ns();
		if (begin >= c->end_ns || ask(c, c->grants, GM_ALLOC_STATE_RESERVED))
			return NULL;
		c->took_ns[c->grants++] = (uint64_t)(gm_clock_mono_ns() - begin);
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void report(struct client *clients, size_t count, double seconds, const struct gm_store_writer_stats *stats)
{
	size_t all = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		all += clients[i].grants;
	GM_AUTO(gm_free_p) uint64_t *took = gm_xalloc((all + 1) * sizeof(*took));
	for (size_t i = 0; i < count; i++) {
		(void)memcpy(took + at, clients[i].took_ns, clients[i].grants * sizeof(*took));
		at += clients[i].grants;
	}
	qsort(took, all, sizeof(*took), by_size);
	printf("figure alloc.durable.%zu-clients.rate %.0f allocations/s\n", count, (double)all / seconds);
	printf("figure alloc.durable.%zu-clients.p50 %.2f ms\n", count, (double)took[all / 2] / 1e6);
	printf("figure alloc.durable.%zu-clients.p99 %.2f ms\n", count, (double)took[all * 99 / 100] / 1e6);
	printf("figure alloc.durable.%zu-clients.jobs-a-commit %.1f jobs\n", count,
	       (double)stats->jobs / (double)stats->commits);
}

static void bench_durable(struct gm_store *store, size_t count, int64_t seconds)
{
	GM_AUTO(gm_free_p) struct client *clients = gm_xalloc(count * sizeof(*clients));
	const struct gm_store_writer_conf conf = { .store = store, .clock = gm_clock_system() };
	struct gm_store_writer *writer = gm_store_writer_new(&conf);
	struct gm_store_writer_stats stats;
	struct gm_err err;

	if (gm_store_writer_start(writer, &err))
		die(&err);
	const int64_t begin = gm_clock_mono_ns();
	for (size_t i = 0; i < count; i++) {
		clients[i] = (struct client){ .store = store,
					      .writer = writer,
					      .end_ns = begin + seconds * 1000000000,
					      .number = count * 1000 + i,
					      .capacity = (size_t)seconds * 2000 };
		clients[i].took_ns = gm_xalloc(clients[i].capacity * sizeof(uint64_t));
		if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]))
			exit(1);
	}
	for (size_t i = 0; i < count; i++) {
		(void)pthread_join(clients[i].thread, NULL);
		if (clients[i].err.code)
			die(&clients[i].err);
	}
	const double took = (double)(gm_clock_mono_ns() - begin) / 1e9;
	gm_store_writer_stats(writer, &stats);
	(void)gm_store_writer_stop(writer, 10000);
	gm_store_writer_free(writer);
	report(clients, count, took, &stats);
	for (size_t i = 0; i < count; i++)
		free(clients[i].took_ns);
}

/* --- A long history: ended ones, of many teams, in large writes. */
static int write_history(struct gm_store *store, size_t from, struct gm_err *err)
{
	const struct gm_alloc_store *a = gm_store_alloc(store);
	const struct gm_alloc_record *records[HISTORY_A_WRITE];
	const struct gm_alloc_write w = { .records = records, .record_count = HISTORY_A_WRITE };

	for (size_t i = 0; i < HISTORY_A_WRITE; i++) {
		struct made m = { .client = 1, .n = from + i, .state = GM_ALLOC_STATE_RESERVED };
		GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *like = record_of(&m);
		struct gm_alloc_record r = *like;
		char team[32];
		(void)snprintf(team, sizeof(team), "team-%zu", (from + i) * 7919 % 500);
		r.request.team = gm_str(team);
		r.state = (from + i) % 100000 == 77 ? GM_ALLOC_STATE_FAILED : GM_ALLOC_STATE_RELEASED;
		r.ended_ms = r.created_ms + 60000;
		records[i] = gm_alloc_record_new(&r);
	}
	const int r = a->write(a->ctx, &w, err);
	for (size_t i = 0; i < HISTORY_A_WRITE; i++)
		gm_alloc_record_unref(records[i]);
	return r;
}

static int count_record(void *ctx, int64_t seq, struct gm_str bytes, struct gm_err *err)
{
	(void)seq;
	(void)bytes;
	(void)err;
	++*(size_t *)ctx;
	return 0;
}

static void bench_page(struct gm_store *store, const char *name, const struct gm_alloc_query *q, size_t want)
{
	enum { TIMES = 9 };
	const struct gm_alloc_store *a = gm_store_alloc(store);
	uint64_t took[TIMES];
	struct gm_err err;

	for (size_t i = 0; i < TIMES; i++) {
		size_t n = 0;
		const int64_t begin = gm_clock_mono_ns();
		if (a->read(a->ctx, q, count_record, &n, &err))
			die(&err);
		took[i] = (uint64_t)(gm_clock_mono_ns() - begin);
		if (n != want) {
			(void)fprintf(stderr, "bench-alloc-store: %s: %zu rows instead of %zu\n", name, n, want);
			exit(1);
		}
	}
	qsort(took, TIMES, sizeof(took[0]), by_size);
	printf("figure alloc.page.%s %.2f ms\n", name, (double)took[TIMES / 2] / 1e6);
}

static void bench_history(struct gm_store *store, size_t rows)
{
	struct gm_err err;
	const int64_t begin = gm_clock_mono_ns();
	const struct gm_fleet_store *f = gm_store_fleet(store);
	bool more = false;

	for (size_t n = 0; n < rows; n += HISTORY_A_WRITE) {
		if (write_history(store, n, &err) || f->maintain(f->ctx, gm_wall_ms(gm_clock_system()), &more, &err))
			die(&err);
	}
	printf("figure alloc.history.rows %zu rows\n", rows);
	printf("figure alloc.history.write %.1f us/row\n", (double)(gm_clock_mono_ns() - begin) / 1e3 / (double)rows);
	bench_page(store, "newest", &(struct gm_alloc_query){ .limit = 100 }, 100);
	bench_page(store, "middle", &(struct gm_alloc_query){ .limit = 100, .before_seq = (int64_t)rows / 2 }, 100);
	bench_page(store, "team", &(struct gm_alloc_query){ .limit = 100, .team = GM_STR("team-7") }, 100);
	bench_page(store, "failed-rare",
		   &(struct gm_alloc_query){ .limit = 100, .states = 1U << GM_ALLOC_STATE_FAILED },
		   (rows + 99922) / 100000);
	bench_page(store, "team-unknown", &(struct gm_alloc_query){ .limit = 100, .team = GM_STR("nobody") }, 0);
}

static struct gm_store *store_in(const char *dir)
{
	static const char *const names[] = { "bench.db", "bench.db-wal", "bench.db-shm", "bench.db-lock" };
	char url[300], path[300];
	const struct gm_store_conf conf = { .url = url, .clock = gm_clock_system() };
	struct gm_store *s = NULL;
	struct gm_err err;

	for (size_t i = 0; i < GM_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)snprintf(url, sizeof(url), "sqlite:%s/bench.db", dir);
	if (gm_store_open(&conf, &s, &err))
		die(&err);
	return s;
}

int main(int argc, char **argv)
{
	char own[] = "/var/tmp/gm-bench-XXXXXX";
	const char *dir = NULL;
	uint64_t clients = 64, seconds = 10, rows = 1000000;

	for (int i = 1; i < argc; i += 2) {
		const struct gm_str value = gm_str(i + 1 < argc ? argv[i + 1] : "");
		if (strcmp(argv[i], "--dir") == 0 && value.n)
			dir = value.p;
		else if (!((strcmp(argv[i], "--clients") == 0 && gm_parse_u64(value, 1, 1000, &clients)) ||
			   (strcmp(argv[i], "--seconds") == 0 && gm_parse_u64(value, 1, 600, &seconds)) ||
			   (strcmp(argv[i], "--rows") == 0 && gm_parse_u64(value, 0, 100000000, &rows))))
			return fprintf(stderr, "usage: bench-alloc-store [--dir DIR] [--clients N] [--seconds N] "
					       "[--rows N]\n"),
			       2;
	}
	if (!dir && !(dir = mkdtemp(own)))
		return perror("bench-alloc-store"), 1;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	struct gm_store *s = store_in(dir);
	bench_durable(s, 1, 2);
	bench_durable(s, (size_t)clients, (int64_t)seconds);
	gm_store_close(s);
	s = store_in(dir);
	if (rows)
		bench_history(s, (size_t)rows / HISTORY_A_WRITE * HISTORY_A_WRITE);
	gm_store_close(s);
	gm_store_close(store_in(dir)); /* leaves an empty one */
	return 0;
}
