/* SPDX-License-Identifier: MIT */
#include "adapter/scrape/cache.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/vec.h"

#define RULES_MAX 128
#define NO_INSTANCE UINT16_MAX

/* A device or an instance while the page is learnt. */
struct thing {
	uint64_t seen[RULES_MAX / 64]; /* rules that have a line already: what is repeated counts once */
	uint8_t rank[GM_WHAT_COUNT];   /* the best rule of each field, plus one */
};

struct builder_device {
	struct gm_cached_device facts;
	struct thing thing;
	uint16_t instances;
};

struct builder_instance {
	struct gm_cached_instance facts;
	struct thing thing;
	uint16_t final; /* its place in the order of devices */
};

struct builder_pod {
	struct gm_cached_pod facts;
	uint16_t device, instance; /* instance NO_INSTANCE: the board's */
	bool exported;
};

struct builder_line {
	struct gm_line line;
	uint16_t device, instance;
};

struct builder {
	enum gm_page_kind kind;
	GM_VEC(struct builder_line) lines;
	GM_VEC(struct builder_device) devices;
	GM_VEC(struct builder_instance) instances;
	GM_VEC(struct builder_pod) pods;
	struct gm_buf texts;
	struct gm_buf scratch;
	struct gm_text_ref node;
	bool exported;
};

static void builder_fini(struct builder *b)
{
	gm_vec_fini(&b->lines);
	gm_vec_fini(&b->devices);
	gm_vec_fini(&b->instances);
	gm_vec_fini(&b->pods);
	gm_buf_fini(&b->texts);
	gm_buf_fini(&b->scratch);
}

static struct gm_str text_of(const struct builder *b, struct gm_text_ref ref)
{
	return gm_str_n(b->texts.p + ref.at, ref.n);
}

/* Facts stand on many lines; the first that tells one sets it. */
static void keep_text(struct builder *b, struct gm_text_ref *ref, struct gm_str text)
{
	if (ref->n > 0 || text.n == 0)
		return;
	*ref = (struct gm_text_ref){ .at = (uint32_t)b->texts.n, .n = (uint32_t)text.n };
	gm_buf_add_str(&b->texts, text);
}

static int find_device(struct builder *b, const struct gm_series *s, uint16_t *out, struct gm_err *err)
{
	struct gm_cached_device *d;
	size_t i = b->devices.count;

	/* From the last one back: pages go device by device, or family by family over few devices. */
	while (i > 0 && !gm_str_eq(text_of(b, b->devices.items[i - 1].facts.uuid), s->uuid))
		i--;
	if (i == 0) {
		if (b->devices.count == GM_PAGE_DEVICES_MAX)
			return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d devices on the page", GM_PAGE_DEVICES_MAX);
		d = &gm_vec_add(&b->devices)->facts;
		d->index = -1;
		keep_text(b, &d->uuid, s->uuid);
		i = b->devices.count;
	}
	d = &b->devices.items[i - 1].facts;
	keep_text(b, &d->pci_bus_id, s->pci_bus_id);
	keep_text(b, &d->product_name, s->product_name);
	keep_text(b, &d->driver_version, s->driver_version);
	keep_text(b, &d->serial, s->serial);
	if (d->index < 0)
		d->index = s->index;
	if (d->mig_mode == GM_MIG_UNKNOWN)
		d->mig_mode = (uint8_t)s->mig_mode;
	*out = (uint16_t)(i - 1);
	return 0;
}

static int find_instance(struct builder *b, const struct gm_series *s, uint16_t device, uint16_t *out,
			 struct gm_err *err)
{
	struct gm_cached_instance *it;
	size_t i = b->instances.count;

	while (i > 0) {
		it = &b->instances.items[i - 1].facts;
		if (it->device == device && it->gi_id == s->gi_id && it->ci_id == s->ci_id)
			break;
		i--;
	}
	if (i == 0) {
		struct builder_device *d = &b->devices.items[device];

		if (d->instances == GM_PAGE_DEVICE_INSTANCES_MAX)
			return gm_fail(err, GM_ERR_TOO_LARGE, "device %.*s: more than %d MIG instances",
				       GM_STR_ARG(s->uuid), GM_PAGE_DEVICE_INSTANCES_MAX);
		d->instances++;
		d->facts.mig_mode = GM_MIG_ON;
		it = &gm_vec_add(&b->instances)->facts;
		*it = (struct gm_cached_instance){ .gi_id = (int16_t)s->gi_id,
						   .ci_id = (int16_t)s->ci_id,
						   .device = device,
						   .placement_start = -1,
						   .placement_size = -1 };
		i = b->instances.count;
	}
	it = &b->instances.items[i - 1].facts;
	keep_text(b, &it->uuid, s->mig_uuid);
	keep_text(b, &it->profile, s->profile);
	if (s->placement_start >= 0)
		it->placement_start = (int16_t)s->placement_start;
	if (s->placement_size >= 0)
		it->placement_size = (int16_t)s->placement_size;
	*out = (uint16_t)(i - 1);
	return 0;
}

static int add_pod(struct builder *b, const struct gm_series *s, uint16_t device, uint16_t instance, struct gm_err *err)
{
	struct builder_pod *pod;

	if (s->pod.pod.n == 0)
		return 0;
	b->exported |= s->pod_exported;
	for (size_t i = b->pods.count; i > 0; i--) {
		pod = &b->pods.items[i - 1];
		if (pod->device == device && pod->instance == instance && pod->exported == s->pod_exported &&
		    gm_str_eq(text_of(b, pod->facts.pod), s->pod.pod) &&
		    gm_str_eq(text_of(b, pod->facts.namespace_), s->pod.namespace_) &&
		    gm_str_eq(text_of(b, pod->facts.container), s->pod.container))
			return 0;
	}
	if (b->pods.count == GM_PAGE_PODS_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d pods on the page", GM_PAGE_PODS_MAX);
	pod = gm_vec_add(&b->pods);
	pod->device = device;
	pod->instance = instance;
	pod->exported = s->pod_exported;
	keep_text(b, &pod->facts.namespace_, s->pod.namespace_);
	keep_text(b, &pod->facts.pod, s->pod.pod);
	keep_text(b, &pod->facts.container, s->pod.container);
	keep_text(b, &pod->facts.uid, s->pod.uid);
	return 0;
}

static struct thing *thing_of(struct builder *b, const struct builder_line *l)
{
	return l->instance == NO_INSTANCE ? &b->devices.items[l->device].thing : &b->instances.items[l->instance].thing;
}

/* Whose value the line is, once a line: the second of the same family for the same thing (a further pod) is ignored. */
static void claim_value(struct builder *b, const struct gm_series *s, size_t rule, struct builder_line *l)
{
	struct thing *thing;

	if (s->rule->scope == GM_SCOPE_BOARD)
		l->instance = NO_INSTANCE;
	thing = thing_of(b, l);
	if (s->rule->what == GM_WHAT_NOTHING)
		return;
	if (s->rule->what != GM_WHAT_UNAVAILABLE) {
		if (thing->seen[rule / 64] >> (rule % 64) & 1)
			return;
		thing->seen[rule / 64] |= UINT64_C(1) << (rule % 64);
	}
	if (thing->rank[s->rule->what] < s->rule->rank + 1)
		thing->rank[s->rule->what] = (uint8_t)(s->rule->rank + 1);
	l->line.rule = (uint8_t)rule;
	l->line.field = s->field;
	l->line.source = s->source;
	l->line.validity = s->validity;
}

static int learn_line(struct builder *b, struct gm_str series, struct gm_err *err)
{
	struct builder_line l = { .line = { .hash = gm_hash(series), .rule = GM_LINE_IGNORED },
				  .instance = NO_INSTANCE };
	struct gm_promtext_label labels[GM_PROMTEXT_LABELS_MAX];
	const struct gm_series_rule *rules = b->kind == GM_PAGE_AGENT ? gm_agent_rules : gm_dcgm_rules;
	struct gm_series s = { 0 };
	struct gm_str name;
	size_t count = 0;
	bool known = false;
	int rc = 0;

	if (b->lines.count == GM_PAGE_LINES_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d lines of GPU metrics", GM_PAGE_LINES_MAX);
	gm_buf_reset(&b->scratch);
	/* Labels that cannot be read make a line that is passed over, as a malformed one is. */
	if (gm_promtext_labels(series, &b->scratch, &name, labels, &count, NULL) == 0)
		known = b->kind == GM_PAGE_AGENT ? gm_agent_series(name, labels, count, &s)
						 : gm_dcgm_series(name, labels, count, &s);
	if (known)
		keep_text(b, &b->node, s.node);
	if (known && s.uuid.n > 0) {
		rc = find_device(b, &s, &l.device, err);
		if (rc == 0 && s.gi_id >= 0)
			rc = find_instance(b, &s, l.device, &l.instance, err);
		if (rc == 0)
			rc = add_pod(b, &s, l.device, l.instance, err);
		if (rc)
			return rc;
		if (s.rule)
			claim_value(b, &s, (size_t)(s.rule - rules), &l);
	}
	gm_vec_push(&b->lines, l);
	return 0;
}

/* Gives each instance its place behind those of the devices before it. */
static void order_instances(struct builder *b)
{
	uint16_t first = 0;

	for (size_t d = 0; d < b->devices.count; d++) {
		struct gm_cached_device *device = &b->devices.items[d].facts;

		device->instances_first = first;
		for (size_t i = 0; i < b->instances.count; i++) {
			if (b->instances.items[i].facts.device == d)
				b->instances.items[i].final = first++;
		}
		device->instances_count = (uint16_t)(first - device->instances_first);
	}
}

static uint16_t copy_pods(const struct builder *b, uint16_t device, uint16_t instance, struct gm_page_cache *c)
{
	uint16_t before = c->pod_count;

	for (size_t i = 0; i < b->pods.count; i++) {
		const struct builder_pod *pod = &b->pods.items[i];

		if (pod->device == device && pod->instance == instance && pod->exported == b->exported)
			c->pods[c->pod_count++] = pod->facts;
	}
	return (uint16_t)(c->pod_count - before);
}

static void copy_lines(struct builder *b, struct gm_page_cache *c)
{
	const struct gm_series_rule *rules = gm_cache_rules(c);

	for (size_t i = 0; i < b->lines.count; i++) {
		struct builder_line *l = &b->lines.items[i];

		c->lines[i] = l->line;
		if (l->line.rule == GM_LINE_IGNORED)
			continue;
		if (thing_of(b, l)->rank[rules[l->line.rule].what] != rules[l->line.rule].rank + 1)
			c->lines[i].rule = GM_LINE_IGNORED; /* a better family for the same field is there */
		c->lines[i].slot = l->instance == NO_INSTANCE
					   ? l->device
					   : (uint16_t)(b->devices.count + b->instances.items[l->instance].final);
	}
}

/* Takes `n` bytes of the allocation, aligned for what follows. */
static void *carve(char **at, size_t n)
{
	void *p = *at;

	*at += (n + 7) & ~(size_t)7;
	return p;
}

static struct gm_page_cache *cache_alloc(const struct builder *b)
{
	const size_t sizes[] = { sizeof(struct gm_page_cache),
				 b->lines.count * sizeof(struct gm_line),
				 b->devices.count * sizeof(struct gm_cached_device),
				 b->instances.count * sizeof(struct gm_cached_instance),
				 b->pods.count * sizeof(struct gm_cached_pod),
				 b->texts.n };
	size_t total = 0;
	struct gm_page_cache *c;
	char *at;

	for (size_t i = 0; i < GM_LEN(sizes); i++)
		total += (sizes[i] + 7) & ~(size_t)7;
	at = gm_try_alloc(total);
	if (!at)
		return NULL;
	c = carve(&at, sizes[0]);
	c->bytes = total;
	c->lines = carve(&at, sizes[1]);
	c->devices = carve(&at, sizes[2]);
	c->instances = carve(&at, sizes[3]);
	c->pods = carve(&at, sizes[4]);
	c->texts = carve(&at, sizes[5]);
	if (b->texts.n > 0)
		memcpy(c->texts, b->texts.p, b->texts.n);
	return c;
}

static struct gm_page_cache *builder_finish(struct builder *b)
{
	struct gm_page_cache *c = b->texts.failed ? NULL : cache_alloc(b);

	if (!c)
		return NULL;
	order_instances(b);
	c->kind = b->kind;
	c->node = b->node;
	c->line_count = (uint32_t)b->lines.count;
	c->device_count = (uint16_t)b->devices.count;
	c->instance_count = (uint16_t)b->instances.count;
	copy_lines(b, c);
	for (uint16_t d = 0; d < b->devices.count; d++) {
		c->devices[d] = b->devices.items[d].facts;
		c->devices[d].pods_first = c->pod_count;
		c->devices[d].pods_count = copy_pods(b, d, NO_INSTANCE, c);
	}
	for (uint16_t i = 0; i < b->instances.count; i++) {
		struct gm_cached_instance *it = &c->instances[b->instances.items[i].final];

		*it = b->instances.items[i].facts;
		it->pods_first = c->pod_count;
		it->pods_count = copy_pods(b, it->device, i, c);
	}
	return c;
}

/*
 * Our agent's page as soon as one line is its own, else an exporter's. A page that is no text at all is given up early:
 * it may have millions of "lines".
 */
static int find_kind(struct gm_str body, bool openmetrics, enum gm_page_kind *out, struct gm_err *err)
{
	struct gm_promtext_reader r;
	struct gm_promtext_sample s;
	struct gm_err bad = { 0 };
	unsigned bad_lines = 0;
	int rc;

	*out = GM_PAGE_UNKNOWN;
	gm_promtext_reader_init(&r, body, openmetrics);
	while ((rc = gm_promtext_next(&r, &s, bad_lines ? NULL : &bad)) != 0) {
		if (rc < 0 && ++bad_lines > GM_PAGE_BAD_LINES_MAX)
			return gm_page_fail_bad(&bad, err);
		if (rc > 0 && gm_series_is_agent(s.series)) {
			*out = GM_PAGE_AGENT;
			return 0;
		}
		if (rc > 0 && gm_series_is_dcgm(s.series))
			*out = GM_PAGE_DCGM;
	}
	if (*out != GM_PAGE_UNKNOWN)
		return 0;
	if (bad_lines)
		return gm_fail_at(err, GM_ERR_PARSE, bad.where, "not a page of metrics: %s: %s", bad.where, bad.text);
	return gm_fail(err, GM_ERR_PARSE, "no GPU metrics on the page (neither DCGM_... nor gpu_agent_...)");
}

int gm_page_learn(struct gm_str body, bool openmetrics, struct gm_page_cache **out, struct gm_err *err)
{
	struct builder b = { 0 };
	struct gm_promtext_reader r;
	struct gm_promtext_sample s;
	struct gm_page_cache *c = NULL;
	int rc = find_kind(body, openmetrics, &b.kind, err);
	int next;

	_Static_assert(RULES_MAX < GM_LINE_IGNORED, "a rule's number fits a line");
	if (rc)
		return rc;
	gm_promtext_reader_init(&r, body, openmetrics);
	while (rc == 0 && (next = gm_promtext_next(&r, &s, NULL)) != 0) {
		if (next > 0 && (b.kind == GM_PAGE_AGENT ? gm_series_is_agent(s.series) : gm_series_is_dcgm(s.series)))
			rc = learn_line(&b, s.series, err);
	}
	if (rc == 0) {
		c = builder_finish(&b);
		if (!c)
			rc = gm_fail(err, GM_ERR_NO_MEMORY, "no memory to remember the page");
	}
	builder_fini(&b);
	if (rc)
		return rc;
	*out = c;
	return 0;
}
