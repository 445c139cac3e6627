/* SPDX-License-Identifier: MIT */
#include "core/fleet/fleet-internal.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"

#define ID_TAIL 32 /* "-GPU-" or "-MIG-", two numbers, NUL */

/* Copies texts one behind the other into the tail of a block that was measured before. */
static const char *put(char **at, struct gm_str s)
{
	char *begin = *at;
	if (s.n)
		memcpy(begin, s.p, s.n);
	begin[s.n] = '\0';
	*at = begin + s.n + 1;
	return begin;
}

/* What is not told stays as it was. */
static struct gm_str told_or(struct gm_str told, const char *before)
{
	return told.n ? told : gm_str(before ? before : "");
}

/* ---- facts: texts of the board itself */

static bool facts_hold(const struct fleet_facts *f, const struct fleet_facts_news *n, const char *id)
{
	return f && f->index == n->index && f->memory_told == n->memory_told && strcmp(f->id, id) == 0 &&
	       gm_str_is(n->product_name, f->product_name) && gm_str_is(n->driver_version, f->driver_version) &&
	       gm_str_is(n->pci_bus_id, f->pci_bus_id) && gm_str_is(n->serial, f->serial) &&
	       gm_str_is(n->target, f->target);
}

static struct gm_str model_of(const struct fleet_facts_news *n, const struct gm_variant *variant, struct gm_buf *made)
{
	if (variant)
		return gm_str(variant->model);
	if (n->model)
		return gm_str(n->model);
	gm_catalog_model_from_name(n->product_name, made);
	return gm_buf_str(made);
}

static struct fleet_facts *facts_new(const char *uuid, const struct fleet_facts_news *n, const char *id)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf made = { 0 };
	int64_t memory_mib = n->memory_told < 0 ? -1 : n->memory_told / GM_MIB;
	const struct gm_variant *variant = n->product_name.n ? gm_catalog_match(n->product_name, memory_mib) : NULL;
	const struct gm_str texts[] = { gm_str(id),	 gm_str(uuid),	    model_of(n, variant, &made),
					n->product_name, n->driver_version, n->pci_bus_id,
					n->serial,	 n->target };
	size_t bytes = 0;
	for (size_t i = 0; i < GM_LEN(texts); i++)
		bytes += texts[i].n + 1;
	struct fleet_facts *f = gm_xalloc(sizeof(*f) + bytes);
	const char **const fields[] = { &f->id,		&f->uuid,   &f->model, &f->product_name, &f->driver_version,
					&f->pci_bus_id, &f->serial, &f->target };
	_Static_assert(GM_LEN(fields) == GM_LEN(texts), "a place for each text");
	char *at = f->text;
	for (size_t i = 0; i < GM_LEN(texts); i++)
		*fields[i] = put(&at, texts[i]);
	f->shared.refs = 1;
	f->variant = variant;
	f->index = n->index;
	f->memory_told = n->memory_told;
	f->memory_total = n->memory_told >= 0 || !variant || variant->memory_mib < 0 ? n->memory_told
										     : variant->memory_mib * GM_MIB;
	return f;
}

bool gm_fleet_facts_update(struct fleet_device *d, const struct fleet_facts_news *news, bool *out_series)
{
	const struct fleet_facts *old = d->facts;
	char id[GM_PAGE_TEXT_MAX + ID_TAIL];
	(void)snprintf(id, sizeof(id), "%s-GPU-%02d", news->node, news->index);
	struct fleet_facts_news n = *news;
	if (old) {
		n.product_name = told_or(n.product_name, old->product_name);
		n.driver_version = told_or(n.driver_version, old->driver_version);
		n.pci_bus_id = told_or(n.pci_bus_id, old->pci_bus_id);
		n.serial = told_or(n.serial, old->serial);
		n.target = told_or(n.target, old->target);
		n.memory_told = n.memory_told >= 0 ? n.memory_told : old->memory_told;
		/* A model known without a product's name (from the store) holds until there is one. */
		if (!n.model && n.product_name.n == 0)
			n.model = old->model;
	}
	*out_series = false;
	if (facts_hold(old, &n, id))
		return false;
	struct fleet_facts *made = facts_new(d->uuid, &n, id);
	*out_series = !old || strcmp(old->id, made->id) != 0 || old->index != made->index ||
		      strcmp(old->model, made->model) != 0 || strcmp(old->product_name, made->product_name) != 0 ||
		      old->memory_total != made->memory_total;
	gm_shared_unref(d->facts);
	d->facts = made;
	return true;
}

/* ---- layout: the MIG instances */

void gm_fleet_layout_order(const struct gm_page *page, const struct gm_obs_device *obs,
			   uint8_t order[static GM_PAGE_DEVICE_INSTANCES_MAX])
{
	const struct gm_obs_instance *list = gm_page_instances(page, obs);
	for (size_t i = 0; i < obs->instances_count; i++) {
		size_t k = i;
		for (; k > 0; k--) {
			const struct gm_obs_instance *before = &list[order[k - 1]];
			if (before->gi_id < list[i].gi_id ||
			    (before->gi_id == list[i].gi_id && before->ci_id < list[i].ci_id))
				break;
			order[k] = order[k - 1];
		}
		order[k] = (uint8_t)i;
	}
}

static bool text_agrees(struct gm_str told, const char *known)
{
	return told.n == 0 || known[0] == '\0' || gm_str_is(told, known);
}

static bool number_agrees(int told, int known)
{
	return told < 0 || known < 0 || told == known;
}

static bool is_same_instance(const struct gm_obs_instance *o, int gi_id, int ci_id, const char *uuid,
			     const char *profile, int start, int size)
{
	return o->gi_id == gi_id && o->ci_id == ci_id && text_agrees(o->uuid, uuid) &&
	       text_agrees(o->profile, profile) && number_agrees(o->placement_start, start) &&
	       number_agrees(o->placement_size, size);
}

/* Nothing in the page that the item does not say already. */
static bool item_holds(const struct fleet_layout_item *it, const struct gm_obs_instance *o)
{
	return it->gi_id == o->gi_id && it->ci_id == o->ci_id && (o->uuid.n == 0 || gm_str_is(o->uuid, it->uuid)) &&
	       (o->profile.n == 0 || gm_str_is(o->profile, it->profile)) &&
	       (o->placement_start < 0 || o->placement_start == it->placement_start) &&
	       (o->placement_size < 0 || o->placement_size == it->placement_size) &&
	       (o->memory_total_bytes < 0 || o->memory_total_bytes == it->memory_told);
}

static bool layout_holds(const struct fleet_layout *l, const struct gm_obs_instance *list, size_t count,
			 const uint8_t *order)
{
	if ((l ? l->count : 0) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!item_holds(&l->items[i], &list[order[i]]))
			return false;
	return true;
}

void gm_fleet_former_add(struct fleet_device *d, const struct fleet_former *take_former)
{
	if (d->former.count == FLEET_FORMER_MAX) {
		free(d->former.items[0].uuid);
		free(d->former.items[0].profile);
		memmove(d->former.items, d->former.items + 1, --d->former.count * sizeof(d->former.items[0]));
	}
	gm_vec_push(&d->former, *take_former);
}

static void former_add_item(struct fleet_device *d, const struct fleet_layout_item *it)
{
	const struct fleet_former former = {
		.series = it->series,
		.gi_id = it->gi_id,
		.ci_id = it->ci_id,
		.placement_start = it->placement_start,
		.placement_size = it->placement_size,
		.uuid = gm_xstrdup(it->uuid),
		.profile = gm_xstrdup(it->profile),
	};
	gm_fleet_former_add(d, &former);
}

/* The latest that may be the same; it is no former one any more. The caller frees its texts. */
static bool former_take(struct fleet_device *d, const struct gm_obs_instance *o, struct fleet_former *out)
{
	for (size_t i = d->former.count; i-- > 0;) {
		const struct fleet_former *it = &d->former.items[i];
		if (!is_same_instance(o, it->gi_id, it->ci_id, it->uuid, it->profile, it->placement_start,
				      it->placement_size))
			continue;
		*out = *it;
		d->former.count--;
		memmove(&d->former.items[i], &d->former.items[i + 1],
			(d->former.count - i) * sizeof(d->former.items[0]));
		return true;
	}
	return false;
}

/* What is known of an instance before its texts have found their place. */
struct item_draft {
	struct fleet_layout_item item;
	struct gm_str uuid, profile;
	struct fleet_former former; /* holds the texts when it came back */
	bool kept;		    /* was in the layout before */
	bool tell;		    /* new or said better: the store is to know */
};

static void draft_fill(struct item_draft *t, const struct gm_obs_instance *o, uint32_t series, const char *uuid,
		       const char *profile, int start, int size, int64_t memory)
{
	t->uuid = told_or(o->uuid, uuid);
	t->profile = told_or(o->profile, profile);
	t->item = (struct fleet_layout_item){
		.series = series,
		.gi_id = o->gi_id,
		.ci_id = o->ci_id,
		.placement_start = o->placement_start >= 0 ? o->placement_start : start,
		.placement_size = o->placement_size >= 0 ? o->placement_size : size,
		.memory_told = o->memory_total_bytes >= 0 ? o->memory_total_bytes : memory,
	};
}

static const struct fleet_layout_item *item_of(const struct fleet_layout *l, const struct gm_obs_instance *o)
{
	for (size_t i = 0; l && i < l->count; i++) {
		const struct fleet_layout_item *it = &l->items[i];
		if (is_same_instance(o, it->gi_id, it->ci_id, it->uuid, it->profile, it->placement_start,
				     it->placement_size))
			return it;
	}
	return NULL;
}

static void draft_make(struct gm_fleet *f, struct fleet_device *d, const struct gm_obs_instance *o,
		       struct item_draft *t)
{
	const struct fleet_layout_item *it = item_of(d->layout, o);
	if (it) {
		t->kept = true;
		t->tell = !item_holds(it, o);
		draft_fill(t, o, it->series, it->uuid, it->profile, it->placement_start, it->placement_size,
			   it->memory_told);
	} else if (former_take(d, o, &t->former)) {
		draft_fill(t, o, t->former.series, t->former.uuid, t->former.profile, t->former.placement_start,
			   t->former.placement_size, -1);
		t->tell = true;
	} else {
		draft_fill(t, o, f->next_series++, "", "", -1, -1, -1);
		t->tell = true;
	}
}

static void item_finish(const struct fleet_device *d, struct fleet_layout_item *it, const struct item_draft *t,
			char **at)
{
	char id[GM_PAGE_TEXT_MAX + 2 * ID_TAIL];
	const struct gm_variant *v = d->facts->variant;
	*it = t->item;
	(void)snprintf(id, sizeof(id), "%s-MIG-%d.%d", d->facts->id, it->gi_id, it->ci_id);
	it->id = put(at, gm_str(id));
	it->uuid = put(at, t->uuid);
	it->profile = put(at, t->profile);
	it->known = v && v->mig && t->profile.n ? gm_mig_profile_find(v->mig, t->profile) : NULL;
	it->memory_total = it->memory_told >= 0 || !it->known || it->known->memory_mib < 0
				   ? it->memory_told
				   : it->known->memory_mib * GM_MIB;
}

static struct fleet_layout *layout_new(const struct fleet_device *d, const struct item_draft *drafts, size_t count)
{
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += strlen(d->facts->id) + ID_TAIL + drafts[i].uuid.n + drafts[i].profile.n + 2;
	struct fleet_layout *l = gm_xalloc(sizeof(*l) + count * sizeof(l->items[0]) + bytes);
	l->shared.refs = 1;
	l->count = count;
	char *at = (char *)&l->items[count];
	for (size_t i = 0; i < count; i++)
		item_finish(d, &l->items[i], &drafts[i], &at);
	return l;
}

/* Those of the old layout that are not in the new one may come back. */
static bool retire_missing(struct fleet_device *d, const struct item_draft *drafts, size_t count)
{
	bool some = false;
	for (size_t i = 0; d->layout && i < d->layout->count; i++) {
		bool stays = false;
		for (size_t k = 0; k < count; k++)
			stays |= drafts[k].kept && drafts[k].item.series == d->layout->items[i].series;
		if (!stays)
			former_add_item(d, &d->layout->items[i]);
		some |= !stays;
	}
	return some;
}

bool gm_fleet_layout_update(struct gm_fleet *f, struct fleet_device *d, const struct gm_page *page,
			    const struct gm_obs_device *obs, const uint8_t *order, bool ids, bool *out_came_or_went)
{
	const struct gm_obs_instance *list = gm_page_instances(page, obs);
	size_t count = obs->instances_count;
	*out_came_or_went = false;
	if (layout_holds(d->layout, list, count, order) && !ids)
		return false;
	struct item_draft drafts[GM_PAGE_DEVICE_INSTANCES_MAX] = { 0 };
	bool came = false;
	for (size_t i = 0; i < count; i++) {
		draft_make(f, d, &list[order[i]], &drafts[i]);
		came |= !drafts[i].kept;
	}
	bool went = retire_missing(d, drafts, count);
	struct fleet_layout *made = count ? layout_new(d, drafts, count) : NULL;
	gm_shared_unref(d->layout);
	d->layout = made;
	for (size_t i = 0; i < count; i++) {
		if (drafts[i].tell || ids)
			gm_fleet_tell_series(f, d, &made->items[i]);
		free(drafts[i].former.uuid);
		free(drafts[i].former.profile);
	}
	*out_came_or_went = came || went;
	return true;
}

void gm_fleet_layout_retire(struct fleet_device *d)
{
	(void)retire_missing(d, NULL, 0);
	gm_shared_unref(d->layout);
	gm_shared_unref(d->pods);
	d->layout = NULL;
	d->pods = NULL;
}

/* ---- pods */

static bool pod_holds(const struct gm_pod_ref *r, const struct gm_obs_pod *o)
{
	return gm_str_is(o->pod, r->pod) && gm_str_is(o->namespace_, r->namespace_) &&
	       gm_str_is(o->container, r->container) && gm_str_is(o->uid, r->uid);
}

/* The owners of pods in a device: 0 is the board, i + 1 the i-th instance. */
static const struct gm_obs_pod *owner_pods(const struct gm_page *page, const struct gm_obs_device *obs,
					   const uint8_t *order, size_t owner, size_t *out_count)
{
	size_t first = obs->pods_first;
	*out_count = obs->pods_count;
	if (owner > 0) {
		const struct gm_obs_instance *in = &page->instances[obs->instances_first + order[owner - 1]];
		first = in->pods_first;
		*out_count = in->pods_count;
	}
	return *out_count ? page->pods + first : NULL;
}

static bool pods_hold(const struct fleet_device *d, const struct gm_page *page, const struct gm_obs_device *obs,
		      const uint8_t *order)
{
	size_t at = 0;
	size_t owners = obs->instances_count + 1;
	if (d->pods && d->pods->owners != owners)
		return false;
	for (size_t w = 0; w < owners; w++) {
		size_t count;
		const struct gm_obs_pod *list = owner_pods(page, obs, order, w, &count);
		if (count != (d->pods ? d->pods->counts[w] : 0))
			return false;
		for (size_t i = 0; i < count; i++)
			if (!pod_holds(&d->pods->refs[at++], &list[i]))
				return false;
	}
	return true;
}

static void pods_fill(struct fleet_pods *p, const struct gm_page *page, const struct gm_obs_device *obs,
		      const uint8_t *order)
{
	struct gm_pod_ref *ref = p->refs;
	char *at = (char *)&p->refs[p->count];
	for (size_t w = 0; w < p->owners; w++) {
		size_t count;
		const struct gm_obs_pod *list = owner_pods(page, obs, order, w, &count);
		p->counts[w] = (uint16_t)count;
		for (size_t i = 0; i < count; i++, ref++) {
			ref->namespace_ = put(&at, list[i].namespace_);
			ref->pod = put(&at, list[i].pod);
			ref->container = put(&at, list[i].container);
			ref->uid = put(&at, list[i].uid);
		}
	}
}

bool gm_fleet_pods_update(struct fleet_device *d, const struct gm_page *page, const struct gm_obs_device *obs,
			  const uint8_t *order)
{
	if (pods_hold(d, page, obs, order))
		return false;
	size_t total = 0;
	size_t bytes = 0;
	for (size_t w = 0; w <= obs->instances_count; w++) {
		size_t count;
		const struct gm_obs_pod *list = owner_pods(page, obs, order, w, &count);
		total += count;
		for (size_t i = 0; i < count; i++)
			bytes += list[i].namespace_.n + list[i].pod.n + list[i].container.n + list[i].uid.n + 4;
	}
	gm_shared_unref(d->pods);
	d->pods = NULL;
	if (total == 0)
		return true;
	d->pods = gm_xalloc(sizeof(*d->pods) + total * sizeof(d->pods->refs[0]) + bytes);
	d->pods->shared.refs = 1;
	d->pods->count = total;
	d->pods->owners = obs->instances_count + 1;
	pods_fill(d->pods, page, obs, order);
	return true;
}

void gm_fleet_device_free_facts(struct fleet_device *d)
{
	gm_shared_unref(d->facts);
	gm_shared_unref(d->layout);
	gm_shared_unref(d->pods);
	for (size_t i = 0; i < d->former.count; i++) {
		free(d->former.items[i].uuid);
		free(d->former.items[i].profile);
	}
	gm_vec_fini(&d->former);
	gm_vec_fini(&d->rivals);
}
