/* SPDX-License-Identifier: MIT */
#include "core/fleet/fleet-internal.h"

/* ---- what silence does */

void gm_fleet_device_mark_stale(struct fleet_device *d)
{
	/* The node's newest version is open: nobody else sees it, though readers see its instances as const. */
	struct gm_instance *instances = (struct gm_instance *)(uintptr_t)d->record->instances;
	gm_fleet_mark_stale(&d->record->sample);
	for (size_t i = 0; i < d->record->instance_count; i++)
		gm_fleet_mark_stale(&instances[i].sample);
	d->touched = true;
}

static void go_stale(struct gm_fleet *f, struct fleet_device *d)
{
	gm_fleet_node_open(f, d->node);
	gm_fleet_device_mark_stale(d);
	d->phase = FLEET_STALE;
}

static void go_silent(struct gm_fleet *f, struct fleet_device *d, int64_t now_ms)
{
	if (d->phase == FLEET_FRESH)
		go_stale(f, d);
	gm_fleet_node_open(f, d->node);
	d->phase = FLEET_SILENT;
	d->touched = true;
	gm_fleet_device_judge(f, d, d->reasons | GM_REASON(SILENT), now_ms);
}

/* True when the device is gone. */
static bool age_device(struct gm_fleet *f, struct fleet_device *d, int64_t now_ms)
{
	if (now_ms - d->seen_at_ms >= gm_fleet_gone_after_ms(f, d)) {
		/* Of what went before this start nothing is said again. */
		if (!d->never_seen || f->seq > f->conf.seq_base)
			gm_fleet_event(f, d, GM_EVENT_DEVICE_GONE, now_ms, NULL, 0);
		gm_fleet_device_leave(f, d);
		return true;
	}
	int64_t silence = now_ms - gm_fleet_heard_at_ms(d);
	if (d->phase != FLEET_SILENT && silence >= gm_fleet_silent_after_ms(d))
		go_silent(f, d, now_ms);
	else if (d->phase == FLEET_FRESH && silence >= gm_fleet_stale_after_ms(d))
		go_stale(f, d);
	return false;
}

static void age_nodes(struct gm_fleet *f, int64_t now_ms)
{
	for (size_t slot = 0; slot < f->deadlines.count; slot++) {
		struct fleet_node *n = f->slots.items[slot];
		if (now_ms < f->deadlines.items[slot] || !n)
			continue;
		for (size_t i = 0; i < n->devices.count;)
			i += !age_device(f, n->devices.items[i], now_ms);
		gm_fleet_node_schedule(f, n);
	}
}

static void reprice(struct gm_fleet *f)
{
	f->reconfigured = false;
	for (size_t i = 0; i < f->order.count; i++) {
		struct fleet_node *n = f->order.items[i];
		for (size_t k = 0; k < n->devices.count; k++) {
			struct fleet_device *d = n->devices.items[k];
			if (!gm_fleet_device_price(f, d))
				continue;
			gm_fleet_node_open(f, n);
			d->record->managed = d->managed;
			d->record->hourly_micros = d->hourly_micros;
			d->touched = true;
		}
	}
}

/* ---- from the nodes that changed to a snapshot */

static void withdraw(struct gm_fleet *f, struct fleet_node *n, bool recount)
{
	if (!n->live)
		return;
	gm_totals_subtract(&f->totals, &n->live->node.totals);
	f->node_states[n->live->node.state]--;
	if (recount)
		gm_fleet_tally(f, &n->live->node, -1);
	gm_snapshot_pool_retire(f->pool, n->live, f->seq);
	n->live = NULL;
}

/* The new version takes the place of the published one; true unless the node has no device left and is no more. */
static bool settle(struct gm_fleet *f, struct fleet_node *n)
{
	if (n->devices.count == 0) {
		withdraw(f, n, true);
		gm_fleet_node_free(f, n);
		return false;
	}
	gm_fleet_node_open(f, n);
	gm_fleet_node_sum(n);
	/* In before out: what is in both stays in the maps. */
	if (n->recount)
		gm_fleet_tally(f, &n->work->node, 1);
	withdraw(f, n, n->recount);
	gm_totals_add(&f->totals, &n->work->node.totals);
	f->node_states[n->work->node.state]++;
	n->work->born = f->seq;
	n->live = n->work;
	n->work = NULL;
	n->recount = false;
	n->dirty = false;
	return true;
}

static size_t settle_dirty(struct gm_fleet *f)
{
	size_t kept = 0;
	size_t touched = 0;
	for (size_t i = 0; i < f->dirty.count; i++) {
		struct fleet_node *n = f->dirty.items[i];
		if (!settle(f, n))
			continue;
		f->dirty.items[kept++] = n;
		for (size_t k = 0; k < n->devices.count; k++)
			touched += n->devices.items[k]->touched;
	}
	f->dirty.count = kept;
	return touched;
}

static void fill_node(struct gm_snapshot_full *s, const struct fleet_node *n)
{
	s->nodes[n->rank] = &n->live->node;
	for (size_t i = 0; i < n->devices.count; i++)
		s->devices[n->first + i] = &n->live->devices[i];
}

static void fill_anew(struct gm_fleet *f, struct gm_snapshot_full *s)
{
	uint32_t first = 0;
	for (uint32_t rank = 0; rank < f->order.count; rank++) {
		struct fleet_node *n = f->order.items[rank];
		n->rank = rank;
		n->first = first;
		first += (uint32_t)n->devices.count;
		fill_node(s, n);
	}
}

static void fill_from(const struct gm_snapshot *before, struct gm_fleet *f, struct gm_snapshot_full *s)
{
	if (before->node_count > 0) {
		memcpy(s->nodes, before->nodes, before->node_count * sizeof(struct gm_node *));
		memcpy(s->devices, before->devices, before->device_count * sizeof(struct gm_device *));
	}
	for (size_t i = 0; i < f->dirty.count; i++)
		fill_node(s, f->dirty.items[i]);
}

static int position_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* Which devices differ from the snapshot before, and from here on none does. */
static void collect_touched(struct gm_fleet *f, struct gm_snapshot_full *s)
{
	size_t count = 0;
	for (size_t i = 0; i < f->dirty.count; i++) {
		struct fleet_node *n = f->dirty.items[i];
		for (size_t k = 0; k < n->devices.count; k++) {
			if (n->devices.items[k]->touched && !f->layout_changed)
				s->changed[count++] = n->first + (uint32_t)k;
			n->devices.items[k]->touched = false;
		}
	}
	qsort(s->changed, count, sizeof(s->changed[0]), position_cmp);
	s->public_.changed_count = count;
}

static void renew_shared(struct gm_fleet *f)
{
	if (f->tallies_changed || !f->tallies) {
		gm_shared_unref(f->tallies);
		f->tallies = gm_fleet_tallies_make(f);
	}
	if (f->layout_changed || f->instances_changed) {
		gm_snapshot_index_unref(f->index);
		f->index = gm_snapshot_index_new();
	}
	if (f->layout_changed)
		f->layout_seq = f->seq;
}

static void describe(struct gm_fleet *f, struct gm_snapshot *s, int64_t now_ms)
{
	s->seq = f->seq;
	s->layout_seq = f->layout_seq;
	s->at_ms = now_ms;
	s->totals = f->totals;
	s->workloads = (uint32_t)f->workloads.count;
	s->models = f->tallies->models;
	s->model_count = f->tallies->model_count;
	s->profiles = f->tallies->profiles;
	s->profile_count = f->tallies->profile_count;
	memcpy(s->node_states, f->node_states, sizeof(s->node_states));
}

bool gm_fleet_publish(struct gm_fleet *f, int64_t now_ms)
{
	if (f->reconfigured)
		reprice(f);
	age_nodes(f, now_ms);
	if (f->dirty.count == 0)
		return false;
	f->seq++;
	size_t touched = settle_dirty(f);
	renew_shared(f);
	struct gm_snapshot_full *s = gm_snapshot_new(f->order.count, f->device_count, touched,
						     gm_snapshot_index_ref(f->index), gm_shared_ref(f->tallies));
	if (f->layout_changed) {
		fill_anew(f, s);
	} else {
		const struct gm_snapshot *before = gm_fleet_snapshot(f);
		fill_from(before, f, s);
		gm_snapshot_unref(before);
	}
	collect_touched(f, s);
	describe(f, &s->public_, now_ms);
	f->layout_changed = f->instances_changed = f->tallies_changed = false;
	gm_vec_reset(&f->dirty);
	gm_snapshot_pool_publish(f->pool, s);
	return true;
}
