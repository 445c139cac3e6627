/* SPDX-License-Identifier: MIT */
#include "adapter/scrape/scraper-internal.h"

#include "base/alloc.h"
#include "base/hash.h"

/* How far apart new targets are asked for the first time, at most an interval for all. */
#define BEGIN_SPREAD_MS 2

static const char *const state_names[GM_TARGET_STATE_COUNT] = {
	[GM_TARGET_PENDING] = "pending",
	[GM_TARGET_UP] = "up",
	[GM_TARGET_DOWN] = "down",
};

const char *gm_target_state_name(enum gm_target_state state)
{
	return state_names[state];
}

void gm_access_free(struct gm_access *a)
{
	if (!a)
		return;
	gm_httpc_identity_free(a->identity);
	free(a->bearer_file);
	free(a->ca_file);
	free(a->cert_file);
	free(a->key_file);
	free(a);
}

int gm_access_open(struct gm_access *a, struct gm_httpc_identity **out, struct gm_err *err)
{
	const struct gm_httpc_identity_conf conf = { .bearer_file = a->bearer_file,
						     .ca_file = a->ca_file,
						     .cert_file = a->cert_file,
						     .key_file = a->key_file,
						     .insecure = a->insecure };
	int rc = 0;

	if (!a->identity)
		rc = gm_httpc_identity_new(&conf, &a->identity, err);
	if (rc)
		return rc;
	*out = a->identity;
	return 0;
}

void gm_target_free(struct gm_target *t)
{
	if (!t)
		return;
	free(t->key);
	free(t->url);
	free(t->host);
	free(t->node);
	free(t->cluster);
	free(t->error);
	gm_page_cache_free(t->cache);
	free(t);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static char *copy_text(const char *s)
{
	return s && s[0] ? gm_xstrdup(s) : NULL;
}

static const char *own_or(const char *own, const char *common)
{
	return own && own[0] ? own : common && common[0] ? common : NULL;
}

/* A list while it is made; it goes into the scraper as a whole, or not at all. */
struct new_list {
	const struct gm_scrape_conf *conf;
	struct gm_target_list targets;
	struct gm_access_list accesses;
};

static void new_list_fini(struct new_list *l)
{
	for (size_t i = 0; i < l->targets.count; i++)
		gm_target_free(l->targets.items[i]);
	for (size_t i = 0; i < l->accesses.count; i++)
		gm_access_free(l->accesses.items[i]);
	gm_vec_fini(&l->targets);
	gm_vec_fini(&l->accesses);
}

static struct gm_access *find_access(struct new_list *l, const struct gm_scrape_access *own)
{
	const struct gm_scrape_access *common = &l->conf->access;
	/* A certificate belongs to its key: the two are taken from one place. */
	const struct gm_scrape_access *pair = own->cert_file && own->cert_file[0] ? own : common;
	const char *bearer = own_or(own->bearer_file, common->bearer_file), *ca = own_or(own->ca_file, common->ca_file);
	const char *cert = own_or(pair->cert_file, NULL), *key = own_or(pair->key_file, NULL);
	struct gm_access *a;

	for (size_t i = 0; i < l->accesses.count; i++) {
		a = l->accesses.items[i];
		if (same_text(a->bearer_file, bearer) && same_text(a->ca_file, ca) && same_text(a->cert_file, cert) &&
		    same_text(a->key_file, key))
			return a;
	}
	a = gm_xalloc(sizeof(*a));
	a->bearer_file = copy_text(bearer);
	a->ca_file = copy_text(ca);
	a->cert_file = copy_text(cert);
	a->key_file = copy_text(key);
	a->insecure = l->conf->insecure;
	gm_vec_push(&l->accesses, a);
	return a;
}

static int add_target(struct new_list *l, const struct gm_scrape_target *from, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf url = { 0 };
	char host[GM_HTTPC_HOST_SIZE];
	struct gm_err why = { 0 };
	struct gm_target *t;
	struct gm_str cluster = from->cluster.n ? from->cluster : l->conf->cluster;

	if (gm_httpc_url(from->url, "/metrics", &url, host, &why)) {
		GM_AUTO(gm_free_p) char *shown = gm_str_dup(from->url);

		return gm_fail_at(err, GM_ERR_INVALID, shown, "%s", why.text);
	}
	t = gm_xalloc(sizeof(*t));
	t->key = gm_str_dup(from->url);
	t->url = gm_xstrdup(gm_buf_cstr(&url));
	t->host = gm_xstrdup(host);
	t->hash = gm_hash(from->url);
	t->node_told = from->node.n > 0;
	t->node = gm_str_dup(from->node);
	t->cluster = gm_str_dup(cluster);
	t->interval_ms = from->interval_ms > 0 ? from->interval_ms : l->conf->interval_ms;
	t->duration_ms = -1;
	t->access = find_access(l, &from->access);
	gm_vec_push(&l->targets, t);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(struct gm_target *const *)a)->key, (*(struct gm_target *const *)b)->key);
}

static int make_list(struct new_list *l, const struct gm_scrape_target *targets, size_t count, struct gm_err *err)
{
	for (size_t i = 0; i < count; i++) {
		int rc = add_target(l, &targets[i], err);

		if (rc)
			return rc;
	}
	if (l->targets.items)
		qsort(l->targets.items, count, sizeof(struct gm_target *), by_key);
	for (size_t i = 1; i < l->targets.count; i++) {
		if (strcmp(l->targets.items[i - 1]->key, l->targets.items[i]->key) == 0)
			return gm_fail_at(err, GM_ERR_INVALID, l->targets.items[i]->key, "given twice");
	}
	return 0;
}

static void swap_text(char **a, char **b)
{
	char *t = *a;

	*a = *b;
	*b = t;
}

/* A target that was there before: what is configured is new, what was seen stays. */
static void take_over(struct gm_scraper *s, struct gm_target *old, struct gm_target *fresh, int64_t now)
{
	bool rescheduled = old->interval_ms != fresh->interval_ms;

	old->keep = true;
	swap_text(&old->cluster, &fresh->cluster);
	if (fresh->node_told || old->node_told)
		swap_text(&old->node, &fresh->node);
	old->node_told = fresh->node_told;
	old->access = fresh->access;
	old->interval_ms = fresh->interval_ms;
	if (rescheduled && !old->slow_waiting)
		gm_schedule_put(&s->schedule, &old->item, gm_schedule_next(old->hash, old->interval_ms, now));
}

static void begin(struct gm_scraper *s, struct gm_target *t, int64_t spread_ms, int64_t now)
{
	t->scraper = s;
	t->keep = true;
	t->suspect = true; /* many new ones that hang must not hold up those that are known to be good */
	t->since_ms = gm_wall_ms(s->clock);
	s->stats.targets++;
	s->stats.state[GM_TARGET_PENDING]++;
	gm_schedule_put(&s->schedule, &t->item,
			gm_schedule_begin(t->hash, spread_ms < t->interval_ms ? spread_ms : t->interval_ms, now));
}

static void forget(struct gm_scraper *s, struct gm_target *t)
{
	if (t->in_flight) {
		gm_httpc_cancel(s->http, t);
		s->in_flight--;
		s->slow_in_flight -= t->slow_lane;
	}
	if (t->slow_waiting) {
		struct gm_target **at = &s->slow_first, *before = NULL;

		for (; *at != t; at = &(*at)->slow_next)
			before = *at;
		*at = t->slow_next;
		if (s->slow_last == t)
			s->slow_last = before;
	}
	gm_schedule_remove(&s->schedule, &t->item);
	s->stats.targets--;
	s->stats.state[t->state]--;
	s->stats.cache_bytes -= t->cache_bytes;
}

/* Both lists are sorted: old targets that are in the new list go there in place of their copies. */
static void merge(struct gm_scraper *s, struct new_list *l, int64_t now)
{
	int64_t spread_ms = (int64_t)l->targets.count * BEGIN_SPREAD_MS;
	size_t at = 0;

	for (size_t i = 0; i < s->targets.count; i++)
		s->targets.items[i]->keep = false;
	for (size_t i = 0; i < l->targets.count; i++) {
		struct gm_target **fresh = &l->targets.items[i];

		while (at < s->targets.count && strcmp(s->targets.items[at]->key, (*fresh)->key) < 0)
			at++;
		if (at == s->targets.count || strcmp(s->targets.items[at]->key, (*fresh)->key) != 0) {
			begin(s, *fresh, spread_ms, now);
			continue;
		}
		take_over(s, s->targets.items[at], *fresh, now);
		gm_target_free(*fresh);
		*fresh = s->targets.items[at];
	}
}

/* Leaves the old list, and what it holds alone, to the new_list for freeing. */
static void put_in_force(struct gm_scraper *s, struct new_list *l, int64_t now)
{
	struct new_list old = { 0 };

	(void)pthread_mutex_lock(&s->mu);
	merge(s, l, now);
	for (size_t i = 0; i < s->targets.count; i++) {
		if (s->targets.items[i]->keep)
			continue;
		forget(s, s->targets.items[i]);
		gm_vec_push(&old.targets, s->targets.items[i]);
	}
	old.accesses = s->accesses;
	free(s->targets.items);
	s->targets = l->targets;
	s->accesses = l->accesses;
	(void)pthread_mutex_unlock(&s->mu);
	for (size_t i = 0; s->removed && i < old.targets.count; i++)
		s->removed(s->sink->ctx, gm_str(old.targets.items[i]->key));
	new_list_fini(&old);
}

int gm_scraper_set(struct gm_scraper *s, const struct gm_scrape_conf *conf, const struct gm_scrape_target *targets,
		   size_t count, struct gm_err *err)
{
	struct new_list l = { .conf = conf };
	int rc = make_list(&l, targets, count, err);

	if (rc) {
		new_list_fini(&l);
		return rc;
	}
	s->one_at_a_time = conf->one_at_a_time;
	s->timeout_ms = conf->timeout_ms;
	gm_httpc_set_body_max(s->http, conf->page_max);
	gm_httpc_set_connections(s->http, count > s->slots ? count : s->slots);
	put_in_force(s, &l, gm_mono_ms(s->clock));
	return 0;
}

static size_t first_behind(const struct gm_scraper *s, struct gm_str after)
{
	size_t low = 0, high = s->targets.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (gm_str_cmp(gm_str(s->targets.items[middle]->key), after) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return after.n ? low : 0;
}

void gm_scraper_list(struct gm_scraper *s, struct gm_str after,
		     bool (*each)(void *ctx, const struct gm_target_status *status), void *ctx)
{
	bool go_on = true;

	(void)pthread_mutex_lock(&s->mu);
	for (size_t i = first_behind(s, after); go_on && i < s->targets.count; i++) {
		const struct gm_target *t = s->targets.items[i];
		const struct gm_target_status status = { .url = t->key,
							 .node = t->node,
							 .cluster = t->cluster,
							 .state = t->state,
							 .kind = t->kind,
							 .since_ms = t->since_ms,
							 .last_ms = t->last_ms,
							 .error = t->error ? t->error : "",
							 .interval_ms = t->interval_ms,
							 .duration_ms = t->duration_ms,
							 .bytes = t->bytes,
							 .devices = t->devices,
							 .samples = t->samples,
							 .bad_lines = t->bad_lines,
							 .scrapes = t->scrapes,
							 .failures = t->failures };

		go_on = each(ctx, &status);
	}
	(void)pthread_mutex_unlock(&s->mu);
}

void gm_scraper_stats(struct gm_scraper *s, struct gm_scraper_stats *out)
{
	(void)pthread_mutex_lock(&s->mu);
	*out = s->stats;
	(void)pthread_mutex_unlock(&s->mu);
}
