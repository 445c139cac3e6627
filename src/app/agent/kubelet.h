/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_KUBELET_H
#define GM_APP_AGENT_KUBELET_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/kube/podresources.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"

/* A thread that asks the kubelet for its pods' devices every few seconds; the main thread takes the newest answer. */
struct gm_kubelet;
struct gm_kubelet_conf {
	const char *socket; /* copied */
	int64_t interval_ms;
	const struct gm_clock *clock;
};
/* What it last said. Kept by the main thread until the next take. */
struct gm_kubelet_answer {
	struct gm_arena arena; /* of the texts in `pods` */
	struct gm_podresources pods;
	int64_t at_ms;	 /* wall time of the answer */
	char error[160]; /* "": it answered */
	int code;	 /* GM_ERR_...; 0 */
};
int gm_kubelet_start(const struct gm_kubelet_conf *conf, struct gm_kubelet **out, struct gm_err *err) GM_CHECKED;
/* Waits for the call in flight, which has a deadline. */
void gm_kubelet_free(struct gm_kubelet *k);
/* The newest answer that carried pods, and the error since then ("" none); NULL: it never answered. Main thread only. */
const struct gm_kubelet_answer *gm_kubelet_newest(struct gm_kubelet *k, const char **out_error);

GM_DEFINE_AUTO(struct gm_kubelet, gm_kubelet_free)

#endif
