/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_SERVING_INPUT_H
#define GM_APP_CTL_SERVING_INPUT_H

#include "base/vec.h"
#include "core/serve/serve.h"

#define GM_CTL_SCENARIOS_MAX 1000

struct gm_ctl_serving_profile {
	char *model; /* the file's name without ".csv" */
	GM_VEC(struct gm_serve_point) points;
};

/* What `gpuctl replay serving` reads. Owns all that demands point at. */
struct gm_ctl_serving_input {
	GM_VEC(struct gm_ctl_serving_profile) profiles; /* by model */
	GM_VEC(struct gm_serve_demand) demands;		/* the models of the scenario */
};

/* PARSE, TOO_LARGE, IO, NOT_FOUND (also: no such scenario) with the file and mostly the place in it. */
int gm_ctl_serving_read(const char *profiles, const char *rates, const char *latencies, const char *scenario,
			struct gm_ctl_serving_input *out, struct gm_err *err) GM_CHECKED;
void gm_ctl_serving_input_fini(struct gm_ctl_serving_input *in);
GM_DEFINE_AUTO_VALUE(struct gm_ctl_serving_input, gm_ctl_serving_input_fini)

#endif
