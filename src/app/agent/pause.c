/* SPDX-License-Identifier: MIT */
#include "app/agent/pause.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

struct gm_agent_pause {
	const struct gm_clock *clock;
	char *marker;
	pthread_mutex_t mu;
	int64_t limit_ms;	/* guarded by mu */
	int64_t requested_ends; /* guarded by mu; monotonic, 0: no request */
	char reason[101];	/* guarded by mu; of the request */
	bool marker_there;	/* guarded by mu */
	int64_t marker_ends;	/* guarded by mu; monotonic */
};

struct gm_agent_pause *gm_agent_pause_new(const struct gm_clock *clock, const char *marker, int64_t limit_ms)
{
	struct gm_agent_pause *p = gm_xalloc(sizeof(*p));

	p->clock = clock;
	p->marker = gm_xstrdup(marker);
	p->limit_ms = limit_ms;
	(void)pthread_mutex_init(&p->mu, NULL);
	return p;
}

void gm_agent_pause_free(struct gm_agent_pause *p)
{
	if (!p)
		return;
	(void)pthread_mutex_destroy(&p->mu);
	free(p->marker);
	free(p);
}

void gm_agent_pause_set_limit(struct gm_agent_pause *p, int64_t limit_ms)
{
	(void)pthread_mutex_lock(&p->mu);
	p->limit_ms = limit_ms;
	(void)pthread_mutex_unlock(&p->mu);
}

int gm_agent_pause_request(struct gm_agent_pause *p, int64_t for_ms, struct gm_str reason, int64_t *out_until_ms,
			   struct gm_err *err)
{
	(void)pthread_mutex_lock(&p->mu);
	const int64_t limit_ms = p->limit_ms;
	if (for_ms > 0 && for_ms <= limit_ms) {
		p->requested_ends = gm_mono_ms(p->clock) + for_ms;
		(void)snprintf(p->reason, sizeof(p->reason), "%.*s", GM_STR_ARG(reason));
	}
	(void)pthread_mutex_unlock(&p->mu);
	if (for_ms <= 0 || for_ms > limit_ms)
		return gm_fail(err, GM_ERR_INVALID, "a pause lasts from 1 to %" PRId64 " s", limit_ms / 1000);
	*out_until_ms = gm_wall_ms(p->clock) + for_ms;
	return 0;
}

int gm_agent_pause_resume(struct gm_agent_pause *p, struct gm_err *err)
{
	(void)pthread_mutex_lock(&p->mu);
	p->requested_ends = 0;
	const bool held = p->marker_there && gm_mono_ms(p->clock) < p->marker_ends;
	(void)pthread_mutex_unlock(&p->mu);
	if (held)
		return gm_fail(err, GM_ERR_CONFLICT, "%s is there: remove it to end the pause", p->marker);
	return 0;
}

void gm_agent_pause_look(struct gm_agent_pause *p, struct gm_agent_pause_state *out)
{
	/* The file system is asked without the lock. */
	const bool there = p->marker[0] && access(p->marker, F_OK) == 0;
	const int64_t now = gm_mono_ms(p->clock);
	int64_t ends = 0;

	(void)pthread_mutex_lock(&p->mu);
	if (there && !p->marker_there)
		p->marker_ends = now + p->limit_ms;
	p->marker_there = there;
	if (p->requested_ends <= now)
		p->requested_ends = 0;
	*out = (struct gm_agent_pause_state){ .next_mono_ms = INT64_MAX };
	if (there && p->marker_ends > now) {
		ends = p->marker_ends;
		(void)snprintf(out->reason, sizeof(out->reason), "%s is there", p->marker);
	}
	if (p->requested_ends > ends) {
		ends = p->requested_ends;
		(void)snprintf(out->reason, sizeof(out->reason), "asked for%s%s", p->reason[0] ? ": " : "", p->reason);
	}
	(void)pthread_mutex_unlock(&p->mu);
	if (ends == 0)
		return;
	out->on = true;
	out->next_mono_ms = ends;
	out->until_ms = gm_wall_ms(p->clock) + (ends - now);
}
