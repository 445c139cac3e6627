/* SPDX-License-Identifier: MIT */
#include "core/fleet/fleet-internal.h"

#include "base/alloc.h"

#define STALE_GRACE_MS 5000
#define LOST_KEPT_MS (INT64_C(24) * 3600 * 1000)

/* ---- where nodes are */

static int name_cmp(const struct fleet_node_name *n, struct gm_str cluster, struct gm_str name)
{
	int c = gm_str_cmp(gm_str(n->cluster), cluster);
	return c ? c : gm_str_cmp(gm_str(n->name), name);
}

static size_t order_place(const struct gm_fleet *f, struct gm_str cluster, struct gm_str name)
{
	size_t from = 0;
	size_t to = f->order.count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (name_cmp(f->order.items[middle]->name, cluster, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static uint32_t slot_take(struct gm_fleet *f, struct fleet_node *n)
{
	if (f->free_slots.count > 0) {
		uint32_t slot = f->free_slots.items[--f->free_slots.count];
		f->slots.items[slot] = n;
		return slot;
	}
	gm_vec_push(&f->slots, n);
	gm_vec_push(&f->deadlines, INT64_MAX);
	return (uint32_t)(f->slots.count - 1);
}

static size_t key_put(char *key, struct gm_str cluster, struct gm_str name)
{
	memcpy(key, cluster.p, cluster.n);
	key[cluster.n] = '\0';
	memcpy(key + cluster.n + 1, name.p, name.n);
	return cluster.n + 1 + name.n;
}

static struct gm_str key_of(const struct fleet_node_name *n)
{
	return gm_str_n(n->text, strlen(n->cluster) + 1 + strlen(n->name));
}

static struct fleet_node *node_new(struct gm_fleet *f, struct gm_str cluster, struct gm_str name)
{
	struct fleet_node_name *text = gm_xalloc(sizeof(*text) + cluster.n + name.n + 2);
	text->shared.refs = 1;
	(void)key_put(text->text, cluster, name);
	text->cluster = text->text;
	text->name = text->text + cluster.n + 1;
	struct fleet_node *n = gm_xalloc(sizeof(*n));
	n->name = text;
	n->slot = slot_take(f, n);
	f->deadlines.items[n->slot] = INT64_MAX;
	(void)gm_map_put(&f->nodes, key_of(text), n);

	size_t at = order_place(f, cluster, name);
	gm_vec_push(&f->order, n);
	memmove(f->order.items + at + 1, f->order.items + at, (f->order.count - 1 - at) * sizeof(struct fleet_node *));
	f->order.items[at] = n;
	return n;
}

struct fleet_node *gm_fleet_node_get(struct gm_fleet *f, struct gm_str cluster, struct gm_str name)
{
	char key[2 * GM_PAGE_TEXT_MAX + 2];
	struct fleet_node *n = gm_map_get(&f->nodes, gm_str_n(key, key_put(key, cluster, name)));
	return n ? n : node_new(f, cluster, name);
}

void gm_fleet_node_free(struct gm_fleet *f, struct fleet_node *n)
{
	size_t at = order_place(f, gm_str(n->name->cluster), gm_str(n->name->name));
	f->order.count--;
	memmove(f->order.items + at, f->order.items + at + 1, (f->order.count - at) * sizeof(struct fleet_node *));
	f->slots.items[n->slot] = NULL;
	f->deadlines.items[n->slot] = INT64_MAX;
	gm_vec_push(&f->free_slots, n->slot);
	(void)gm_map_remove(&f->nodes, key_of(n->name));
	gm_fleet_version_free(n->work);
	gm_shared_unref(n->name);
	gm_vec_fini(&n->devices);
	free(n);
}

void gm_fleet_node_mark(struct gm_fleet *f, struct fleet_node *n)
{
	if (n->dirty)
		return;
	n->dirty = true;
	gm_vec_push(&f->dirty, n);
}

static int device_cmp(const struct fleet_device *a, const struct fleet_device *b)
{
	int c = (a->facts->index > b->facts->index) - (a->facts->index < b->facts->index);
	return c ? c : strcmp(a->uuid, b->uuid);
}

void gm_fleet_node_add(struct gm_fleet *f, struct fleet_node *n, struct fleet_device *d)
{
	gm_vec_push(&n->devices, d);
	size_t i = n->devices.count - 1;
	for (; i > 0 && device_cmp(n->devices.items[i - 1], d) > 0; i--)
		n->devices.items[i] = n->devices.items[i - 1];
	n->devices.items[i] = d;
	d->node = n;
	n->reshape = true;
	f->layout_changed = true;
	gm_fleet_node_mark(f, n);
}

void gm_fleet_node_remove(struct gm_fleet *f, struct fleet_node *n, struct fleet_device *d)
{
	size_t kept = 0;
	for (size_t i = 0; i < n->devices.count; i++)
		if (n->devices.items[i] != d)
			n->devices.items[kept++] = n->devices.items[i];
	n->devices.count = kept;
	d->node = NULL;
	n->reshape = true;
	f->layout_changed = true;
	gm_fleet_node_mark(f, n);
}

/* ---- versions */

static size_t instances_of(const struct fleet_device *d)
{
	return d->layout ? d->layout->count : 0;
}

static struct fleet_version *version_new(const struct fleet_node *n)
{
	size_t devices = n->devices.count;
	size_t instances = 0;
	for (size_t i = 0; i < devices; i++)
		instances += instances_of(n->devices.items[i]);
	size_t held = 1 + 3 * devices;
	struct fleet_version *v =
		gm_xalloc(sizeof(*v) + devices * (sizeof(struct gm_device) + sizeof(struct gm_cache_slot)) +
			  instances * sizeof(struct gm_instance) + held * sizeof(struct gm_shared *));
	v->devices = (struct gm_device *)(v + 1);
	v->node = (struct gm_node){
		.cluster = n->name->cluster,
		.name = n->name->name,
		.devices = v->devices,
		.device_count = devices,
	};
	return v;
}

static void hold(struct fleet_version *v, void *block)
{
	if (block)
		v->held[v->held_count++] = gm_shared_ref(block);
}

/* The samples of instances that are still the same ones; the others begin empty. */
static void instances_fill(const struct fleet_device *d, const struct gm_device *old, struct gm_instance *list)
{
	const struct gm_pod_ref *pods = d->pods ? d->pods->refs + d->pods->counts[0] : NULL;
	for (size_t i = 0; i < instances_of(d); i++) {
		const struct fleet_layout_item *it = &d->layout->items[i];
		list[i] = (struct gm_instance){
			.series = it->series,
			.gi_id = it->gi_id,
			.ci_id = it->ci_id,
			.id = it->id,
			.uuid = it->uuid,
			.profile = it->profile,
			.known = it->known,
			.placement_start = it->placement_start,
			.placement_size = it->placement_size,
			.memory_total_bytes = it->memory_total,
			.pods = pods,
			.pod_count = d->pods ? d->pods->counts[i + 1] : 0,
		};
		if (pods)
			pods += list[i].pod_count;
		if (old && i < old->instance_count && old->instances[i].series == it->series)
			list[i].sample = old->instances[i].sample;
	}
}

static void record_fill(const struct fleet_device *d, struct gm_device *r)
{
	const struct fleet_facts *facts = d->facts;
	r->series = d->series;
	r->id = facts->id;
	r->uuid = facts->uuid;
	r->cluster = d->node->name->cluster;
	r->node = d->node->name->name;
	r->index = facts->index;
	r->model = facts->model;
	r->variant = facts->variant;
	r->product_name = facts->product_name;
	r->driver_version = facts->driver_version;
	r->pci_bus_id = facts->pci_bus_id;
	r->serial = facts->serial;
	r->target = facts->target;
	r->memory_total_bytes = facts->memory_total;
	r->mig_mode = d->mig_mode;
	r->managed = d->managed;
	r->hourly_micros = d->hourly_micros;
	r->health = d->health;
	r->health_reasons = d->reasons;
	r->source = d->kind;
	r->first_seen_ms = d->first_seen_ms;
	r->last_seen_ms = d->seen_at_ms;
	r->pods = d->pods ? d->pods->refs : NULL;
	r->pod_count = d->pods ? d->pods->counts[0] : 0;
}

static void version_fill(struct fleet_version *v, const struct fleet_node *n)
{
	struct gm_instance *instances = (struct gm_instance *)(v->devices + n->devices.count);
	size_t instance_count = 0;
	for (size_t i = 0; i < n->devices.count; i++)
		instance_count += instances_of(n->devices.items[i]);
	struct gm_cache_slot *slots = (struct gm_cache_slot *)(instances + instance_count);
	v->held = (struct gm_shared **)(slots + n->devices.count);
	hold(v, n->name);
	for (size_t i = 0; i < n->devices.count; i++) {
		struct fleet_device *d = n->devices.items[i];
		struct gm_device *r = &v->devices[i];
		const struct gm_device *old = d->record;
		if (old)
			r->sample = old->sample;
		record_fill(d, r);
		instances_fill(d, old, instances);
		r->instances = instances;
		r->instance_count = instances_of(d);
		r->cache = &slots[i];
		instances += r->instance_count;
		hold(v, d->facts);
		hold(v, d->layout);
		hold(v, d->pods);
		d->record = r;
	}
}

void gm_fleet_node_open(struct gm_fleet *f, struct fleet_node *n)
{
	if (n->work && !n->reshape)
		return;
	struct fleet_version *v = version_new(n);
	version_fill(v, n);
	gm_fleet_version_free(n->work);
	n->work = v;
	n->recount |= n->reshape;
	n->reshape = false;
	gm_fleet_node_mark(f, n);
}

static enum gm_node_state state_of(const struct fleet_node *n)
{
	size_t fresh = 0;
	size_t silent = 0;
	size_t bad = 0;
	for (size_t i = 0; i < n->devices.count; i++) {
		const struct fleet_device *d = n->devices.items[i];
		bool spoken_for = d->lost || (d->reasons & GM_REASON(DRIVER_HUNG)) != 0;
		fresh += d->phase == FLEET_FRESH || (spoken_for && d->phase == FLEET_STALE);
		silent += d->phase == FLEET_SILENT;
		bad += d->health != GM_HEALTH_OK;
	}
	if (silent == n->devices.count)
		return GM_NODE_UNKNOWN;
	if (fresh == 0)
		return GM_NODE_STALE;
	return bad > 0 ? GM_NODE_DEGRADED : GM_NODE_READY;
}

void gm_fleet_node_sum(struct fleet_node *n)
{
	struct gm_node *to = &n->work->node;
	to->totals = (struct gm_totals){ 0 };
	to->last_seen_ms = 0;
	for (size_t i = 0; i < to->device_count; i++) {
		const struct gm_device *d = &to->devices[i];
		gm_totals_count(&to->totals, d);
		if (d->last_seen_ms > to->last_seen_ms)
			to->last_seen_ms = d->last_seen_ms;
	}
	to->state = state_of(n);
}

/* ---- what silence does and when */

int64_t gm_fleet_stale_after_ms(const struct fleet_device *d)
{
	return 2 * d->interval_ms + STALE_GRACE_MS;
}

int64_t gm_fleet_silent_after_ms(const struct fleet_device *d)
{
	int64_t stale = gm_fleet_stale_after_ms(d);
	return 5 * d->interval_ms > stale ? 5 * d->interval_ms : stale;
}

int64_t gm_fleet_gone_after_ms(const struct gm_fleet *f, const struct fleet_device *d)
{
	return d->lost && f->conf.forget_ms > LOST_KEPT_MS ? LOST_KEPT_MS : f->conf.forget_ms;
}

int64_t gm_fleet_heard_at_ms(const struct fleet_device *d)
{
	return d->lost && d->source && d->source->page_at_ms > d->seen_at_ms ? d->source->page_at_ms : d->seen_at_ms;
}

static int64_t deadline_of(const struct gm_fleet *f, const struct fleet_device *d)
{
	int64_t gone = d->seen_at_ms + gm_fleet_gone_after_ms(f, d);
	int64_t next = INT64_MAX;
	if (d->phase == FLEET_FRESH)
		next = d->seen_at_ms + gm_fleet_stale_after_ms(d);
	else if (d->phase == FLEET_STALE)
		next = gm_fleet_heard_at_ms(d) + gm_fleet_silent_after_ms(d);
	return next < gone ? next : gone;
}

void gm_fleet_node_schedule(struct gm_fleet *f, struct fleet_node *n)
{
	int64_t first = INT64_MAX;
	for (size_t i = 0; i < n->devices.count; i++) {
		int64_t at = deadline_of(f, n->devices.items[i]);
		first = at < first ? at : first;
	}
	f->deadlines.items[n->slot] = first;
}
