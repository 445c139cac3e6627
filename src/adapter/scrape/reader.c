/* SPDX-License-Identifier: MIT */
#include "adapter/scrape/reader.h"

#include "adapter/scrape/cache.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/parse.h"
#include "base/vec.h"

/* How far a line may have moved since last time without the page being learnt anew. */
#define MOVED_MAX 128

struct gm_page_reader {
	GM_VEC(struct gm_obs_device) devices;
	GM_VEC(struct gm_obs_instance) instances;
	GM_VEC(struct gm_obs_pod) pods;
	GM_VEC(uint64_t) seen; /* a bit a cached line */
};

struct gm_page_reader *gm_page_reader_new(void)
{
	return gm_xalloc(sizeof(struct gm_page_reader));
}

void gm_page_reader_free(struct gm_page_reader *r)
{
	if (!r)
		return;
	gm_vec_fini(&r->devices);
	gm_vec_fini(&r->instances);
	gm_vec_fini(&r->pods);
	gm_vec_fini(&r->seen);
	free(r);
}

void gm_page_cache_free(struct gm_page_cache *cache)
{
	free(cache);
}

size_t gm_page_cache_bytes(const struct gm_page_cache *cache)
{
	return cache ? cache->bytes : 0;
}

static void start_pods(struct gm_page_reader *r, const struct gm_page_cache *c)
{
	gm_vec_reset(&r->pods);
	for (size_t i = 0; i < c->pod_count; i++) {
		const struct gm_cached_pod *p = &c->pods[i];

		gm_vec_push(&r->pods, ((struct gm_obs_pod){ .namespace_ = gm_cache_text(c, p->namespace_),
							    .pod = gm_cache_text(c, p->pod),
							    .container = gm_cache_text(c, p->container),
							    .uid = gm_cache_text(c, p->uid) }));
	}
}

static void start_devices(struct gm_page_reader *r, const struct gm_page_cache *c)
{
	gm_vec_reset(&r->devices);
	for (size_t i = 0; i < c->device_count; i++) {
		const struct gm_cached_device *from = &c->devices[i];
		struct gm_obs_device *d = gm_vec_add(&r->devices);

		d->uuid = gm_cache_text(c, from->uuid);
		d->pci_bus_id = gm_cache_text(c, from->pci_bus_id);
		d->product_name = gm_cache_text(c, from->product_name);
		d->driver_version = gm_cache_text(c, from->driver_version);
		d->serial = gm_cache_text(c, from->serial);
		d->index = from->index;
		d->mig_mode = from->mig_mode;
		d->memory_total_bytes = -1;
		d->temperature_limit_c = -1;
		d->instances_first = from->instances_first;
		d->instances_count = from->instances_count;
		d->pods_first = from->pods_first;
		d->pods_count = from->pods_count;
	}
}

static void start_instances(struct gm_page_reader *r, const struct gm_page_cache *c)
{
	gm_vec_reset(&r->instances);
	for (size_t i = 0; i < c->instance_count; i++) {
		const struct gm_cached_instance *from = &c->instances[i];
		struct gm_obs_instance *it = gm_vec_add(&r->instances);

		it->gi_id = from->gi_id;
		it->ci_id = from->ci_id;
		it->uuid = gm_cache_text(c, from->uuid);
		it->profile = gm_cache_text(c, from->profile);
		it->placement_start = from->placement_start;
		it->placement_size = from->placement_size;
		it->memory_total_bytes = -1;
		it->pods_first = from->pods_first;
		it->pods_count = from->pods_count;
	}
}

/*
 * DCGM's blanks leak out as numbers: four of each width, in this order: blank, not found, not supported, not permitted.
 * 0 when `text` is none of them.
 */
static enum gm_validity blank_of(struct gm_str text)
{
	static const int64_t first[] = { INT64_C(2147483632), INT64_C(140737488355328), INT64_C(9223372036854775792) };
	int64_t v = 0;

	if (!gm_parse_fixed(text, 0, &v))
		return GM_ABSENT;
	for (size_t i = 0; i < GM_LEN(first); i++) {
		if (v >= first[i] && v - first[i] <= 3)
			return v - first[i] == 2 ? GM_UNSUPPORTED : GM_ERROR;
	}
	return GM_ABSENT;
}

/*
 * A number that is not plainly within its unit's bounds. True: it can be used after all (rounding pushed a share a little
 * over the whole; a counter is just large).
 */
static bool odd_value(const struct gm_series_rule *rule, struct gm_str text, bool parsed, int64_t *value,
		      enum gm_validity *out_why)
{
	int64_t max = gm_unit_table[rule->unit].max;

	*out_why = blank_of(text);
	if (*out_why != GM_ABSENT)
		return false;
	*out_why = GM_ERROR;
	if (!parsed)
		return false;
	if ((rule->unit == GM_UNIT_PERCENT || rule->unit == GM_UNIT_RATIO) && *value > max &&
	    *value <= max + max / 20) {
		*value = max;
		return true;
	}
	if (rule->unit == GM_UNIT_CELSIUS && *value < 0 && *value >= -1000)
		return true;
	return (rule->unit == GM_UNIT_COUNT || rule->unit == GM_UNIT_BITS) && *value > max;
}

static void put_fact(struct gm_page_reader *r, const struct gm_series_rule *rule, size_t slot, int64_t value)
{
	struct gm_obs_device *d = slot < r->devices.count ? &r->devices.items[slot] : NULL;
	struct gm_obs_instance *it = d ? NULL : &r->instances.items[slot - r->devices.count];

	switch (rule->what) {
	case GM_WHAT_MEMORY_TOTAL:
		*(d ? &d->memory_total_bytes : &it->memory_total_bytes) = value;
		break;
	case GM_WHAT_TEMPERATURE_LIMIT:
		if (d && value > 0)
			d->temperature_limit_c = value / 10;
		break;
	case GM_WHAT_MIG_MODE:
		if (d && d->instances_count == 0)
			d->mig_mode = value ? GM_MIG_ON : GM_MIG_OFF;
		break;
	case GM_WHAT_SAMPLE_TIME:
		(d ? &d->sample : &it->sample)->at_ms = value;
		break;
	case GM_WHAT_DRIVER_HUNG:
		if (d)
			d->driver_hung = value != 0;
		break;
	default:
		break;
	}
}

static struct gm_sample *sample_of(struct gm_page_reader *r, size_t slot)
{
	return slot < r->devices.count ? &r->devices.items[slot].sample
				       : &r->instances.items[slot - r->devices.count].sample;
}

static void put_value(struct gm_page_reader *r, const struct gm_series_rule *rule, const struct gm_line *line,
		      struct gm_str text)
{
	const struct gm_unit_info *unit = &gm_unit_table[rule->unit];
	struct gm_sample *sample;
	enum gm_validity why;
	int64_t value = 0;
	bool parsed = gm_parse_fixed(text, unit->decimals, &value);

	if (gm_unlikely(!parsed || value < 0 || value > unit->max) && !odd_value(rule, text, parsed, &value, &why)) {
		if (rule->what < GM_FIELD_COUNT)
			gm_sample_miss(sample_of(r, line->slot), rule->what, why, line->source);
		return;
	}
	if (unit->mul != 1)
		value *= unit->mul;
	else if (unit->div != 1)
		value /= unit->div;
	if (gm_unlikely(rule->what >= GM_FIELD_COUNT)) {
		put_fact(r, rule, line->slot, value);
		return;
	}
	sample = sample_of(r, line->slot);
	if (rule->add && gm_sample_has(sample, rule->what) &&
	    __builtin_add_overflow(value, sample->value[rule->what], &value))
		value = INT64_MAX;
	gm_sample_set(sample, rule->what, value, line->validity, line->source);
}

static void put_line(struct gm_page_reader *r, const struct gm_page_cache *c, const struct gm_line *line,
		     struct gm_str text)
{
	const struct gm_series_rule *rule = &gm_cache_rules(c)[line->rule];

	if (gm_unlikely(rule->what == GM_WHAT_UNAVAILABLE))
		gm_sample_miss(sample_of(r, line->slot), line->field, line->validity, line->source);
	else
		put_value(r, rule, line, text);
}

static bool seen_before(struct gm_page_reader *r, size_t line)
{
	uint64_t bit = UINT64_C(1) << (line % 64);
	bool before = (r->seen.items[line / 64] & bit) != 0;

	r->seen.items[line / 64] |= bit;
	return before;
}

/* Where the line stood last time, near to where it is expected; line_count when it did not. */
static size_t moved_line(struct gm_page_reader *r, const struct gm_page_cache *c, size_t expected, uint64_t hash)
{
	size_t first = expected > MOVED_MAX ? expected - MOVED_MAX : 0;
	size_t end = c->line_count - expected > MOVED_MAX ? expected + MOVED_MAX : c->line_count;

	for (size_t i = first; i < end; i++) {
		if (c->lines[i].hash == hash && !(r->seen.items[i / 64] >> (i % 64) & 1))
			return i;
	}
	return c->line_count;
}

/*
 * Reads the values of a page whose series are known. False: it has others than those of the cache. The lines' order is
 * free, since exporters with several pods on a device write them in any.
 */
static bool read_values(struct gm_page_reader *r, const struct gm_page_cache *c, struct gm_promtext_reader *text,
			struct gm_page_read *out)
{
	struct gm_promtext_sample s;
	size_t expected = 0, found = 0;
	int rc;

	while ((rc = gm_promtext_next(text, &s, out->bad_lines ? NULL : &out->bad)) != 0) {
		uint64_t hash;

		if (gm_unlikely(rc < 0)) {
			if (++out->bad_lines > GM_PAGE_BAD_LINES_MAX)
				break;
			continue;
		}
		if (gm_series_is_dcgm(s.series)) {
			if (c->kind != GM_PAGE_DCGM)
				continue;
		} else if (!gm_series_is_agent(s.series)) {
			continue;
		} else if (c->kind != GM_PAGE_AGENT) {
			return false;
		}
		hash = gm_hash(s.series);
		if (gm_unlikely(expected >= c->line_count || c->lines[expected].hash != hash))
			expected = moved_line(r, c, expected < c->line_count ? expected : c->line_count, hash);
		if (gm_unlikely(expected >= c->line_count || seen_before(r, expected)))
			return false;
		if (c->lines[expected].rule != GM_LINE_IGNORED) {
			put_line(r, c, &c->lines[expected], s.value);
			out->samples++;
		}
		expected++;
		found++;
	}
	return found == c->line_count || out->bad_lines > GM_PAGE_BAD_LINES_MAX;
}

/*
 * The total of its parts. Each part is rounded to whole MiB, so the sum wavers by a few; the first one is kept, since a
 * board whose size changes from scrape to scrape would be news each time.
 */
static int64_t total_of(const struct gm_sample *s, int64_t *kept)
{
	const int64_t waver = INT64_C(4) << 20;
	int64_t total;

	if (!gm_sample_has(s, GM_FIELD_MEMORY_USED) || !gm_sample_has(s, GM_FIELD_MEMORY_FREE))
		return *kept > 0 ? *kept : -1;
	total = s->value[GM_FIELD_MEMORY_USED] + s->value[GM_FIELD_MEMORY_FREE] +
		(gm_sample_has(s, GM_FIELD_MEMORY_RESERVED) ? s->value[GM_FIELD_MEMORY_RESERVED] : 0);
	if (total < *kept - waver || total > *kept + waver)
		*kept = total;
	return *kept;
}

/* DCGM gives a slice no utilisation; the share of time its engine was active is one. Without it: unsupported, not 0. */
static void use_engine_time(struct gm_sample *s)
{
	if (s->validity[GM_FIELD_UTILIZATION] != GM_ABSENT)
		return;
	if (gm_sample_has(s, GM_FIELD_GR_ENGINE_ACTIVE))
		gm_sample_set(s, GM_FIELD_UTILIZATION, s->value[GM_FIELD_GR_ENGINE_ACTIVE], GM_DERIVED, GM_SOURCE_DCGM);
	else
		gm_sample_miss(s, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, GM_SOURCE_DCGM);
}

static void finish_dcgm_device(struct gm_page_reader *r, struct gm_obs_device *d)
{
	struct gm_sample *s = &d->sample;
	bool told = s->validity[GM_FIELD_UTILIZATION] != GM_ABSENT;

	/* Utilisation is not emitted in MIG mode: where it is, the mode is off (or there is none). */
	if (d->mig_mode == GM_MIG_UNKNOWN && gm_sample_has(s, GM_FIELD_UTILIZATION))
		d->mig_mode = GM_MIG_OFF;
	/* The board's engine time is any slice's: as the board's utilisation it would be far too high. */
	if (d->mig_mode == GM_MIG_ON && !told)
		gm_sample_miss(s, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, GM_SOURCE_DCGM);
	else if (!told && gm_sample_has(s, GM_FIELD_GR_ENGINE_ACTIVE))
		use_engine_time(s);
	/* Boards without the sensor say 0. */
	if (gm_sample_has(s, GM_FIELD_MEMORY_TEMPERATURE) && s->value[GM_FIELD_MEMORY_TEMPERATURE] == 0)
		gm_sample_miss(s, GM_FIELD_MEMORY_TEMPERATURE, GM_UNSUPPORTED, GM_SOURCE_DCGM);
	for (size_t i = 0; i < d->instances_count; i++)
		use_engine_time(&r->instances.items[d->instances_first + i].sample);
}

static void finish(struct gm_page_reader *r, struct gm_page_cache *c, int64_t at_ms)
{
	for (size_t i = 0; i < r->devices.count; i++) {
		struct gm_obs_device *d = &r->devices.items[i];

		if (c->kind == GM_PAGE_DCGM)
			finish_dcgm_device(r, d);
		if (d->memory_total_bytes < 0)
			d->memory_total_bytes = total_of(&d->sample, &c->devices[i].memory_total_bytes);
		if (d->sample.at_ms == 0)
			d->sample.at_ms = at_ms;
		for (size_t k = 0; k < d->instances_count; k++) {
			struct gm_obs_instance *it = &r->instances.items[d->instances_first + k];

			if (it->memory_total_bytes < 0)
				it->memory_total_bytes =
					total_of(&it->sample, &c->instances[d->instances_first + k].memory_total_bytes);
			if (it->sample.at_ms == 0)
				it->sample.at_ms = d->sample.at_ms;
		}
	}
}

/* What the page itself does not hold outlives its being learnt anew. */
static void keep_totals(const struct gm_page_cache *old, struct gm_page_cache *c)
{
	for (size_t i = 0; old && i < c->device_count; i++) {
		struct gm_cached_device *d = &c->devices[i];
		const struct gm_cached_device *o = old->devices;

		while (o < old->devices + old->device_count &&
		       !gm_str_eq(gm_cache_text(old, o->uuid), gm_cache_text(c, d->uuid)))
			o++;
		if (o == old->devices + old->device_count)
			continue;
		d->memory_total_bytes = o->memory_total_bytes;
		for (size_t k = 0; k < d->instances_count; k++) {
			struct gm_cached_instance *it = &c->instances[d->instances_first + k];

			for (size_t n = 0; n < o->instances_count; n++) {
				const struct gm_cached_instance *was = &old->instances[o->instances_first + n];

				if (was->gi_id == it->gi_id && was->ci_id == it->ci_id &&
				    gm_str_eq(gm_cache_text(old, was->profile), gm_cache_text(c, it->profile)))
					it->memory_total_bytes = was->memory_total_bytes;
			}
		}
	}
}

static bool read_known(struct gm_page_reader *r, const struct gm_page_cache *c, struct gm_str body, bool openmetrics,
		       struct gm_page_read *out)
{
	struct gm_promtext_reader text;

	*out = (struct gm_page_read){ 0 };
	gm_vec_reset(&r->seen);
	for (size_t i = 0; i < (c->line_count + 63) / 64; i++)
		gm_vec_push(&r->seen, 0);
	start_pods(r, c);
	start_devices(r, c);
	start_instances(r, c);
	gm_promtext_reader_init(&text, body, openmetrics);
	return read_values(r, c, &text, out);
}

int gm_page_fail_bad(const struct gm_err *first, struct gm_err *err)
{
	return gm_fail_at(err, GM_ERR_PARSE, first->where, "more than %d malformed lines, the first: %s: %s",
			  GM_PAGE_BAD_LINES_MAX, first->where, first->text);
}

/* A page must end with its last line's end; without it that line was cut, perhaps in the midst of its number. */
static struct gm_str whole_lines(struct gm_str body, struct gm_page_read *out)
{
	size_t n = body.n;

	while (n > 0 && body.p[n - 1] != '\n')
		n--;
	if (n < body.n) {
		if (out->bad_lines++ == 0)
			(void)gm_fail(&out->bad, GM_ERR_PARSE, "the last line has no end");
	}
	return gm_str_n(body.p, n);
}

int gm_page_read(struct gm_page_reader *r, struct gm_page_cache **cache, struct gm_str body, bool openmetrics,
		 int64_t at_ms, struct gm_page_read *out, struct gm_err *err)
{
	struct gm_page_read read = { 0 }, cut = { 0 };
	struct gm_page_cache *learnt = NULL;
	bool known;
	int rc;

	body = whole_lines(body, &cut);
	known = *cache && read_known(r, *cache, body, openmetrics, &read);
	if (!known) {
		rc = gm_page_learn(body, openmetrics, &learnt, err);
		if (rc)
			return rc;
		keep_totals(*cache, learnt);
		gm_page_cache_free(*cache);
		*cache = learnt;
		if (!read_known(r, learnt, body, openmetrics, &read))
			return gm_fail(err, GM_ERR_INTERNAL, "a page just learnt is not known");
	}
	if (read.bad_lines > GM_PAGE_BAD_LINES_MAX)
		return gm_page_fail_bad(&read.bad, err);
	finish(r, *cache, at_ms);
	read.learnt = !known;
	if (cut.bad_lines && read.bad_lines++ == 0)
		read.bad = cut.bad;
	read.page = (struct gm_page){ .kind = (*cache)->kind,
				      .node = gm_cache_text(*cache, (*cache)->node),
				      .at_ms = at_ms,
				      .devices = r->devices.items,
				      .device_count = r->devices.count,
				      .instances = r->instances.items,
				      .instance_count = r->instances.count,
				      .pods = r->pods.items,
				      .pod_count = r->pods.count };
	*out = read;
	return 0;
}
