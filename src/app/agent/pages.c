/* SPDX-License-Identifier: MIT */
#include "app/agent/pages.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/http/http.h"
#include "app/agent/health.h"
#include "app/agent/inventory.h"
#include "app/agent/mig-manager.h"
#include "app/agent/own.h"
#include "app/agent/render.h"
#include "base/alloc.h"

#define INVENTORY_MS 1000	   /* facts change seldom: not with every sample of a fast interval */
#define OWN_MS 5000		   /* so often the agent looks at its own cost */
#define OPENMETRICS_KEEP_MS 120000 /* made for so long after it was last asked for */

struct slot {
	struct gm_http_shared *shared;
	int status;
};

struct gm_agent_pages {
	const struct gm_clock *clock;
	char *node_name;
	int64_t interval_ms, window_ms;
	bool dcgm_names;
	/* main thread */
	struct gm_render *render;
	int64_t inventory_at_ms, own_at_ms;
	enum gm_agent_state inventory_state; /* that it tells */
	struct gm_render_own own[GM_AGENT_PROCESSES_MAX];
	size_t own_count;
	size_t sizes[GM_AGENT_PAGES]; /* of those made last */
	int64_t started_ms;
	uint64_t made;
	_Atomic int64_t openmetrics_asked_ms; /* monotonic; INT64_MIN: never */

	pthread_mutex_t mu;
	struct slot slots[GM_AGENT_PAGES]; /* guarded by mu */
	int64_t made_at_ms;		   /* guarded by mu; monotonic, of the newest */
};

struct gm_agent_pages *gm_agent_pages_new(const struct gm_agent_pages_conf *conf)
{
	struct gm_agent_pages *p = gm_xalloc(sizeof(*p));

	p->clock = conf->clock;
	p->node_name = gm_xstrdup(conf->node_name);
	p->interval_ms = conf->interval_ms;
	p->window_ms = conf->window_ms;
	p->dcgm_names = conf->dcgm_names;
	p->render = gm_render_new();
	p->inventory_at_ms = p->own_at_ms = -OWN_MS;
	p->started_ms = gm_wall_ms(conf->clock);
	atomic_init(&p->openmetrics_asked_ms, INT64_MIN);
	(void)pthread_mutex_init(&p->mu, NULL);
	return p;
}

void gm_agent_pages_free(struct gm_agent_pages *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < GM_AGENT_PAGES; i++)
		gm_http_shared_unref(p->slots[i].shared);
	gm_render_free(p->render);
	(void)pthread_mutex_destroy(&p->mu);
	free(p->node_name);
	free(p);
}

void gm_agent_pages_set_dcgm_names(struct gm_agent_pages *p, bool on)
{
	p->dcgm_names = on;
}

void gm_agent_pages_set_interval(struct gm_agent_pages *p, int64_t interval_ms, int64_t window_ms)
{
	p->interval_ms = interval_ms;
	p->window_ms = window_ms;
}

/* Takes the reference over; the old page goes when its last reader has it sent. */
static void put(struct gm_agent_pages *p, enum gm_agent_page which, struct gm_http_shared *take_shared, int status)
{
	struct gm_http_shared *old;

	(void)pthread_mutex_lock(&p->mu);
	old = p->slots[which].shared;
	p->slots[which] = (struct slot){ .shared = take_shared, .status = status };
	(void)pthread_mutex_unlock(&p->mu);
	gm_http_shared_unref(old);
}

/* A page that could not be made whole, for want of memory, is none: the old one, growing old, is the better one. */
static void publish(struct gm_agent_pages *p, enum gm_agent_page which, struct gm_buf *take_body, int status)
{
	char etag[48];

	if (take_body->failed) {
		gm_buf_fini(take_body);
		return;
	}
	p->sizes[which] = take_body->n;
	(void)snprintf(etag, sizeof(etag), "%llx-%llx-%d", (unsigned long long)p->started_ms,
		       (unsigned long long)p->made, (int)which);
	const bool text = which == GM_AGENT_PAGE_METRICS || which == GM_AGENT_PAGE_OPENMETRICS;
	const enum gm_promtext_format format =
		which == GM_AGENT_PAGE_METRICS ? GM_PROMTEXT_004 : GM_PROMTEXT_OPENMETRICS;
	const struct gm_http_shared_info info = { .content_type = text ? gm_promtext_content_type(format) : NULL,
						  .cache_control = "no-cache",
						  .gzip = GM_HTTP_GZIP_LAZY,
						  .gzip_level = 1,
						  .etag = gm_str(etag) };
	put(p, which, gm_http_shared_new(take_body, &info), status);
}

/* An empty page with room for one as large as the last, and some more. */
static void begin(const struct gm_agent_pages *p, enum gm_agent_page which, struct gm_buf *out)
{
	*out = (struct gm_buf){ 0 };
	if (p->sizes[which])
		(void)gm_buf_reserve(out, p->sizes[which] + p->sizes[which] / 8);
}

static void look_at_own(struct gm_agent_pages *p, const struct gm_agent_round *round, int64_t mono_ms)
{
	if (mono_ms - p->own_at_ms < OWN_MS)
		return;
	p->own_at_ms = mono_ms;
	p->own_count = 0;
	for (size_t i = 0; i < round->process_count; i++) {
		const struct gm_agent_process *process = &round->processes[i];
		struct gm_render_own *own = &p->own[p->own_count];

		own->role = process->role;
		own->number = process->number;
		p->own_count += gm_own_read(process->pid, &own->cpu_ms, &own->resident_bytes);
	}
}

static void make_metrics(struct gm_agent_pages *p, const struct gm_agent_round *round, int64_t mono_ms, int mig_ready)
{
	struct gm_mig_wanted_seen wanted[GM_AGENT_BOARDS_MAX];
	size_t wanted_count = 0;

	while (round->mig && wanted_count < GM_LEN(wanted) &&
	       gm_mig_manager_wanted_seen(round->mig, (unsigned)wanted_count, &wanted[wanted_count]))
		wanted_count++;
	const struct gm_render_input in = { .view = round->view,
					    .holders = round->holders,
					    .node_name = p->node_name,
					    .mono_ms = mono_ms,
					    .window_ms = p->window_ms,
					    .healthy = gm_health_ok(round->view, p->interval_ms),
					    .mig_ready = mig_ready,
					    .mig_wanted = wanted,
					    .mig_wanted_count = wanted_count,
					    .mig_other_owner = round->mig ? gm_mig_manager_other_owner(round->mig)
									  : gm_str_n(NULL, 0),
					    .own = p->own,
					    .own_count = p->own_count,
					    .dcgm_names = p->dcgm_names };
	const int64_t asked_ms = atomic_load_explicit(&p->openmetrics_asked_ms, memory_order_relaxed);
	struct gm_buf b;

	begin(p, GM_AGENT_PAGE_METRICS, &b);
	gm_render_metrics(p->render, &in, GM_PROMTEXT_004, &b);
	publish(p, GM_AGENT_PAGE_METRICS, &b, 200);
	if (asked_ms == INT64_MIN || mono_ms - asked_ms > OPENMETRICS_KEEP_MS) {
		put(p, GM_AGENT_PAGE_OPENMETRICS, NULL, 0);
		return;
	}
	begin(p, GM_AGENT_PAGE_OPENMETRICS, &b);
	gm_render_metrics(p->render, &in, GM_PROMTEXT_OPENMETRICS, &b);
	publish(p, GM_AGENT_PAGE_OPENMETRICS, &b, 200);
}

static void make_inventory(struct gm_agent_pages *p, const struct gm_agent_round *round, int64_t mono_ms)
{
	struct gm_buf b;

	if (mono_ms - p->inventory_at_ms < INVENTORY_MS && round->view->state == p->inventory_state)
		return;
	p->inventory_at_ms = mono_ms;
	p->inventory_state = round->view->state;
	begin(p, GM_AGENT_PAGE_INVENTORY, &b);
	gm_inventory_write(round->view, round->holders, p->node_name, &b);
	publish(p, GM_AGENT_PAGE_INVENTORY, &b, 200);
}

static void make_health(struct gm_agent_pages *p, const struct gm_agent_view *view, const char *mig_why)
{
	static const struct {
		enum gm_health_detail detail;
		enum gm_agent_page health, ready;
	} kinds[] = { { GM_HEALTH_WHOLE, GM_AGENT_PAGE_HEALTH, GM_AGENT_PAGE_READY },
		      { GM_HEALTH_BRIEF, GM_AGENT_PAGE_HEALTH_BRIEF, GM_AGENT_PAGE_READY_BRIEF } };

	for (size_t i = 0; i < GM_LEN(kinds); i++) {
		struct gm_buf b;
		int status;

		begin(p, kinds[i].health, &b);
		status = gm_health_write(view, p->interval_ms, kinds[i].detail, &b);
		publish(p, kinds[i].health, &b, status);
		begin(p, kinds[i].ready, &b);
		status = gm_ready_write(view, mig_why, kinds[i].detail, &b);
		publish(p, kinds[i].ready, &b, status);
	}
}

void gm_agent_pages_make(struct gm_agent_pages *p, const struct gm_agent_round *round)
{
	const int64_t mono_ms = gm_mono_ms(p->clock);
	const char *mig_why = NULL;
	const bool mig_ready = !round->mig || gm_mig_manager_ready(round->mig, &mig_why);
	struct gm_buf b;

	p->made++;
	look_at_own(p, round, mono_ms);
	make_metrics(p, round, mono_ms, round->mig ? mig_ready : -1);
	make_inventory(p, round, mono_ms);
	if (round->mig) {
		begin(p, GM_AGENT_PAGE_MIG, &b);
		gm_mig_manager_describe(round->mig, &b);
		publish(p, GM_AGENT_PAGE_MIG, &b, 200);
	}
	make_health(p, round->view, mig_ready ? NULL : mig_why ? mig_why : "not known");
	(void)pthread_mutex_lock(&p->mu);
	p->made_at_ms = mono_ms;
	(void)pthread_mutex_unlock(&p->mu);
}

struct gm_http_shared *gm_agent_pages_get(struct gm_agent_pages *p, enum gm_agent_page which, int *out_status,
					  int64_t *out_age_ms)
{
	struct gm_http_shared *shared;
	const int64_t now_ms = gm_mono_ms(p->clock);

	if (which == GM_AGENT_PAGE_OPENMETRICS)
		atomic_store_explicit(&p->openmetrics_asked_ms, now_ms, memory_order_relaxed);
	(void)pthread_mutex_lock(&p->mu);
	shared = p->slots[which].shared ? gm_http_shared_ref(p->slots[which].shared) : NULL;
	*out_status = p->slots[which].status;
	if (out_age_ms)
		*out_age_ms = now_ms - p->made_at_ms;
	(void)pthread_mutex_unlock(&p->mu);
	return shared;
}
