/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "core/fleet/fleet-internal.h"

#define TAKE_OVER_INTERVALS 3
#define LOST_PAGES 3
#define BACK_PAGES 3
#define BACK_MS (INT64_C(10) * 60 * 1000)
#define RIVAL_GAP_INTERVALS 5
#define SLOWDOWN_C_MAX 200
/* What the store knows of when a board was last seen: after a start it decides whether the board is still shown. */
#define TELL_EVERY_MS (INT64_C(6) * 3600 * 1000)

/* A device of the page whose values are taken. */
struct accepted {
	struct fleet_device *device;
	const struct gm_obs_device *obs;
	int64_t at_ms;
	int index;
	uint8_t order[GM_PAGE_DEVICE_INSTANCES_MAX]; /* of its instances */
};

struct round {
	struct gm_fleet *f;
	const struct gm_page *page;
	struct fleet_source *source;
	struct fleet_node *node;			   /* NULL while nothing was accepted */
	struct fleet_device *devices[GM_PAGE_DEVICES_MAX]; /* NULL: not known yet */
	struct accepted accepted[GM_PAGE_DEVICES_MAX];
	size_t accepted_count;
	size_t served_count; /* devices in the page that its source serves */
	struct gm_apply_result result;
};

/* ---- who is meant */

static struct fleet_device *device_find(const struct round *r, size_t i)
{
	const struct fleet_source *s = r->source;
	struct gm_str uuid = r->page->devices[i].uuid;
	if (s && s->generation == r->f->generation && i < s->order_count && gm_str_is(uuid, s->order[i]->uuid))
		return s->order[i];
	return gm_map_get(&r->f->devices, uuid);
}

static int find_devices(struct round *r, struct gm_err *err)
{
	uint32_t coming = 0;
	r->source = gm_map_get(&r->f->sources, r->page->target);
	for (size_t i = 0; i < r->page->device_count; i++) {
		r->devices[i] = device_find(r, i);
		coming += !r->devices[i] || !r->devices[i]->node;
	}
	if (coming > GM_FLEET_DEVICES_MAX - r->f->device_count)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d devices", GM_FLEET_DEVICES_MAX);
	return 0;
}

static struct fleet_source *source_new(struct gm_fleet *f, struct gm_str target)
{
	struct fleet_source *s = gm_xalloc(sizeof(*s) + target.n + 1);
	memcpy(s->target, target.p, target.n);
	s->id = f->next_source++;
	(void)gm_map_put(&f->sources, gm_str_n(s->target, target.n), s);
	return s;
}

/* ---- whether it is believed */

static bool may_take_over(const struct round *r, const struct fleet_device *d)
{
	if (!d->source || d->source == r->source || r->page->kind > d->kind)
		return true;
	return r->page->at_ms - d->seen_at_ms >= TAKE_OVER_INTERVALS * d->interval_ms;
}

/* True when the source's claim is known and did not pause: then it was said already. */
static bool is_known_rival(struct round *r, struct fleet_device *d)
{
	const struct gm_page *p = r->page;
	for (size_t i = 0; i < d->rivals.count; i++) {
		struct fleet_rival *it = &d->rivals.items[i];
		if (it->source != r->source->id)
			continue;
		bool paused = p->at_ms - it->at_ms > RIVAL_GAP_INTERVALS * p->interval_ms;
		it->at_ms = p->at_ms;
		return !paused;
	}
	if (d->rivals.count == FLEET_RIVALS_MAX)
		memmove(d->rivals.items, d->rivals.items + 1, --d->rivals.count * sizeof(d->rivals.items[0]));
	gm_vec_push(&d->rivals, ((struct fleet_rival){ .source = r->source->id, .at_ms = p->at_ms }));
	return false;
}

/* Another node claims the device while its own still speaks: said once, and again when the claim comes up anew. */
static void note_rival(struct round *r, struct fleet_device *d)
{
	const struct gm_page *p = r->page;
	if (gm_str_is(p->node, d->node->name->name) && gm_str_is(p->cluster, d->node->name->cluster))
		return;
	if (is_known_rival(r, d))
		return;
	char *other = gm_str_dup(p->node);
	gm_fleet_event(r->f, d, GM_EVENT_DUPLICATE, p->at_ms, other, 0);
	free(other);
}

/* Newer than the last, or for the third time, and still rising, far before it: then the clock was set. */
static bool time_goes_on(struct fleet_device *d, int64_t at_ms)
{
	if (at_ms > d->sample_at_ms) {
		d->back_pages = 0;
		return true;
	}
	if (d->sample_at_ms - at_ms <= BACK_MS || (d->back_pages > 0 && at_ms <= d->back_at_ms))
		return false;
	d->back_at_ms = at_ms;
	if (++d->back_pages < BACK_PAGES)
		return false;
	d->back_pages = 0;
	return true;
}

/*
 * Its source speaks for it, its driver does not: known at once, not after an interval of silence. What was measured stays,
 * marked stale. The next sample, which is newer, ends it.
 */
static void hang_device(struct round *r, struct fleet_device *d)
{
	struct gm_fleet *f = r->f;
	d->seen_at_ms = r->page->at_ms;
	if ((d->reasons & GM_REASON(DRIVER_HUNG)) != 0 && d->phase == FLEET_STALE)
		return;
	gm_fleet_node_open(f, d->node);
	gm_fleet_device_mark_stale(d);
	d->phase = FLEET_STALE;
	d->lost = false;
	gm_fleet_device_judge(f, d, (d->reasons | GM_REASON(DRIVER_HUNG)) & ~(GM_REASON(SILENT) | GM_REASON(LOST)),
			      r->page->at_ms);
	gm_fleet_node_schedule(f, d->node);
}

static void judge_device(struct round *r, size_t i)
{
	const struct gm_obs_device *obs = &r->page->devices[i];
	struct fleet_device *d = r->devices[i];
	int64_t at_ms = obs->sample.at_ms > 0 ? obs->sample.at_ms : r->page->at_ms;
	if (!d)
		d = r->devices[i] = gm_fleet_device_new(r->f, obs->uuid, r->f->next_series++);
	if (d->node && !may_take_over(r, d)) {
		note_rival(r, d);
		r->result.shadowed++;
		return;
	}
	bool serves = d->source == r->source;
	if (serves && obs->driver_hung && d->node && d->record) {
		hang_device(r, d);
		r->result.refused++;
		r->served_count++;
		d->page_no = r->source->page_no;
		return;
	}
	if (!time_goes_on(d, at_ms)) {
		r->result.refused++;
		r->served_count += serves;
		d->page_no = serves ? r->source->page_no : d->page_no;
		return;
	}
	struct accepted *a = &r->accepted[r->accepted_count++];
	a->device = d;
	a->obs = obs;
	a->at_ms = at_ms;
	a->index = obs->index >= 0 ? obs->index : (int)i;
	gm_fleet_layout_order(r->page, obs, a->order);
	r->served_count++;
	r->result.applied++;
}

/* ---- what is said of it besides samples */

static void place_device(struct round *r, struct fleet_device *d, const struct fleet_facts *before)
{
	struct gm_fleet *f = r->f;
	if (!d->node) {
		if (before) /* it was gone */
			gm_fleet_device_return(f, d);
		else
			d->first_seen_ms = r->page->at_ms;
		gm_fleet_node_add(f, r->node, d);
		gm_fleet_event(f, d, GM_EVENT_DEVICE_NEW, r->page->at_ms, NULL, 0);
	} else if (d->node != r->node || d->facts->index != before->index) {
		gm_fleet_node_remove(f, d->node, d);
		gm_fleet_node_add(f, r->node, d);
		gm_fleet_event(f, d, GM_EVENT_DEVICE_MOVED, r->page->at_ms, before->id, 0);
	}
}

static enum gm_mig_mode mig_mode_of(const struct fleet_device *d, const struct gm_obs_device *obs)
{
	if (obs->mig_mode != GM_MIG_UNKNOWN)
		return obs->mig_mode;
	if (obs->instances_count > 0)
		return GM_MIG_ON;
	return d->facts->variant && !d->facts->variant->mig_capable ? GM_MIG_UNABLE : GM_MIG_UNKNOWN;
}

static int64_t slowdown_of(const struct fleet_device *d, const struct gm_obs_device *obs)
{
	if (obs->temperature_limit_c > 0 && obs->temperature_limit_c <= SLOWDOWN_C_MAX)
		return obs->temperature_limit_c;
	return d->facts->variant ? d->facts->variant->slowdown_c : -1;
}

static void take_source(struct round *r, struct fleet_device *d, const struct fleet_facts *before)
{
	if (d->source != r->source) {
		gm_fleet_device_serve(d, r->source);
		gm_vec_reset(&d->rivals);
		if (before && before->target[0] && !gm_str_is(r->page->target, before->target))
			gm_fleet_event(r->f, d, GM_EVENT_SOURCE_CHANGED, r->page->at_ms, before->target, 0);
	}
	d->kind = r->page->kind;
	d->interval_ms = r->page->interval_ms;
	d->seen_at_ms = r->page->at_ms;
	d->page_no = r->source->page_no;
}

/* MIG instances and pods; true when the records do not fit any more. */
static bool take_parts(struct round *r, const struct accepted *a, bool ids, bool first)
{
	struct fleet_device *d = a->device;
	bool came_or_went;
	bool layout = gm_fleet_layout_update(r->f, d, r->page, a->obs, a->order, ids, &came_or_went);
	if (layout)
		r->f->instances_changed = true;
	if (came_or_went && !first)
		gm_fleet_event(r->f, d, GM_EVENT_MIG_CHANGED, r->page->at_ms, NULL, 0);
	return gm_fleet_pods_update(d, r->page, a->obs, a->order) || layout;
}

static void take_facts(struct round *r, const struct accepted *a)
{
	const struct gm_page *p = r->page;
	struct fleet_device *d = a->device;
	const struct fleet_facts_news news = {
		.node = r->node->name->name,
		.index = a->index,
		.product_name = a->obs->product_name,
		.driver_version = a->obs->driver_version,
		.pci_bus_id = a->obs->pci_bus_id,
		.serial = a->obs->serial,
		.target = p->target,
		.memory_told = a->obs->memory_total_bytes,
	};
	struct fleet_facts *before = gm_shared_ref(d->facts);
	bool first = !d->node || d->never_seen;
	bool series;
	bool changed = gm_fleet_facts_update(d, &news, &series);
	/* In another cluster, on a node of the same name, the facts are the same and the place is not. */
	series |= d->node != r->node;
	place_device(r, d, before);
	take_source(r, d, before);
	if (changed || series)
		(void)gm_fleet_device_price(r->f, d);
	if (series || d->seen_at_ms - d->told_at_ms >= TELL_EVERY_MS)
		gm_fleet_tell_series(r->f, d, NULL);
	bool ids = series && before;
	gm_shared_unref(before);
	changed |= take_parts(r, a, ids, first);
	d->slowdown_c = slowdown_of(d, a->obs);
	d->mig_mode = mig_mode_of(d, a->obs);
	r->node->reshape |= changed;
}

/* ---- samples */

static void write_samples(const struct round *r, const struct accepted *a, struct gm_device *to)
{
	/* The node's newest version is open: nobody else sees it, though readers see its instances as const. */
	struct gm_instance *instances = (struct gm_instance *)(uintptr_t)to->instances;
	const struct gm_obs_instance *list = gm_page_instances(r->page, a->obs);
	for (size_t i = 0; i < to->instance_count; i++) {
		struct gm_sample *s = &instances[i].sample;
		*s = list[a->order[i]].sample;
		s->at_ms = s->at_ms > 0 ? s->at_ms : a->at_ms;
		gm_fleet_derive_instance(s);
	}
	to->sample = a->obs->sample;
	to->sample.at_ms = a->at_ms;
	to->mig_mode = a->device->mig_mode;
	gm_fleet_derive_board(to);
}

static void tell_samples(const struct gm_fleet *f, const struct gm_device *d)
{
	if (!f->listener.sample)
		return;
	f->listener.sample(f->listener.ctx, d->series, &d->sample);
	for (size_t i = 0; i < d->instance_count; i++)
		f->listener.sample(f->listener.ctx, d->instances[i].series, &d->instances[i].sample);
}

static void write_device(struct round *r, const struct accepted *a)
{
	struct fleet_device *d = a->device;
	struct gm_device *to = d->record;
	write_samples(r, a, to);
	to->last_seen_ms = d->seen_at_ms;
	to->source = d->kind;
	d->sample_at_ms = a->at_ms;
	d->missing_pages = 0;
	d->lost = false;
	d->never_seen = false;
	d->phase = FLEET_FRESH;
	d->touched = true;
	bool xid = gm_health_learn(&d->health_memory, &to->sample);
	gm_fleet_device_judge(r->f, d, gm_health_reasons(&d->health_memory, &to->sample, d->slowdown_c), a->at_ms);
	if (xid)
		gm_fleet_event(r->f, d, GM_EVENT_XID, a->at_ms, gm_xid_class_name(gm_xid_class(d->health_memory.xid)),
			       d->health_memory.xid);
	tell_samples(r->f, to);
}

/* ---- who is missing */

static void lose_device(struct gm_fleet *f, struct fleet_device *d, int64_t at_ms)
{
	if (d->lost && d->phase == FLEET_STALE)
		return;
	gm_fleet_node_open(f, d->node);
	gm_fleet_device_mark_stale(d);
	d->lost = true;
	d->phase = FLEET_STALE;
	gm_fleet_device_judge(f, d, (d->reasons | GM_REASON(LOST)) & ~GM_REASON(SILENT), at_ms);
	gm_fleet_node_schedule(f, d->node);
}

/* The source answers, but leaves out devices that it serves. */
static void note_missing(struct round *r)
{
	struct fleet_source *s = r->source;
	if (r->served_count == s->served.count)
		return;
	for (size_t i = 0; i < s->served.count; i++) {
		struct fleet_device *d = s->served.items[i];
		if (d->page_no == s->page_no)
			continue;
		if (d->missing_pages < LOST_PAGES)
			d->missing_pages++;
		if (d->missing_pages == LOST_PAGES)
			lose_device(r->f, d, r->page->at_ms);
	}
}

/* ---- a page */

static void take_accepted(struct round *r)
{
	r->node = gm_fleet_node_get(r->f, r->page->cluster, r->page->node);
	for (size_t i = 0; i < r->accepted_count; i++)
		take_facts(r, &r->accepted[i]);
	gm_fleet_node_open(r->f, r->node);
	for (size_t i = 0; i < r->accepted_count; i++)
		write_device(r, &r->accepted[i]);
	gm_fleet_node_schedule(r->f, r->node);
}

static void remember_order(struct round *r)
{
	struct fleet_source *s = r->source;
	for (size_t i = 0; i < r->page->device_count; i++)
		s->order[i] = r->devices[i];
	s->order_count = r->page->device_count;
	s->generation = r->f->generation;
}

int gm_fleet_apply(struct gm_fleet *f, const struct gm_page *page, struct gm_apply_result *out, struct gm_err *err)
{
	struct round r;
	r.f = f;
	r.page = page;
	r.node = NULL;
	r.accepted_count = r.served_count = 0;
	r.result = (struct gm_apply_result){ 0 };
	int rc = gm_page_check(page, err);
	if (rc == 0)
		rc = find_devices(&r, err);
	if (rc)
		return rc;
	if (!f->applied)
		gm_fleet_restored(f);
	if (!r.source)
		r.source = source_new(f, page->target);
	bool again = r.source->page_at_ms == page->at_ms;
	r.source->page_at_ms = page->at_ms;
	r.source->page_no++;
	for (size_t i = 0; i < page->device_count; i++)
		judge_device(&r, i);
	remember_order(&r);
	if (r.accepted_count > 0)
		take_accepted(&r);
	if (!again)
		note_missing(&r);
	if (out)
		*out = r.result;
	return 0;
}
