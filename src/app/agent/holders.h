/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_HOLDERS_H
#define GM_APP_AGENT_HOLDERS_H

#include <stddef.h>
#include <stdint.h>

#include "adapter/kube/podresources.h"
#include "app/agent/view.h"
#include "base/arena.h"

/*
 * Who uses each board and slice: the kubelet's PodResources joined to devices; for processes that it does not know, pid ->
 * cgroup -> pod; without a kubelet, process names and users. Made by the main thread once a round, in its arena.
 */
struct gm_holder {
	uint8_t board;
	int16_t gi, ci; /* -1: the board itself */
	enum { GM_HOLDER_POD = 1, GM_HOLDER_PROCESS } kind;
	/* of a pod; "" where not known */
	const char *namespace_, *pod, *container, *pod_uid, *resource, *claim;
	/* of a process */
	uint32_t pid;
	int64_t used_bytes;
	const char *process, *user;
};
struct gm_holders {
	const struct gm_holder *items; /* sorted by board, gi, ci, pods first */
	size_t count;
	int64_t kubelet_at_ms;	   /* when the kubelet last answered; 0: never */
	const char *kubelet_error; /* NULL: it answers, or there is none */
};
#define GM_HOLDERS_MAX 16384 /* further ones are left out */
/*
 * What was read of /proc, kept from round to round: a process does not change its name. One that a round does not show is
 * forgotten, so a number used again is read again.
 */
struct gm_holders_cache;
struct gm_holders_cache *gm_holders_cache_new(void);
void gm_holders_cache_free(struct gm_holders_cache *c);
/*
 * Fresh one each round: items live in the cache until the next, texts in `arena`. `pods` NULL: no kubelet. host_root "" or "/host". `mono_ms`: now.
 * kubelet_at_ms and kubelet_error are the caller's to fill.
 */
void gm_holders_join(struct gm_holders_cache *cache, const struct gm_agent_view *view,
		     const struct gm_podresources *pods, const char *host_root, int64_t mono_ms, struct gm_arena *arena,
		     struct gm_holders *out);

GM_DEFINE_AUTO(struct gm_holders_cache, gm_holders_cache_free)

#endif
