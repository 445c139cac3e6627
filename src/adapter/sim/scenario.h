/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SIM_SCENARIO_H
#define GM_ADAPTER_SIM_SCENARIO_H

#include <stddef.h>

#include "base/err.h"
#include "base/option.h"
#include "core/sim/sim.h"

/*
 * A scenario file: a list of faults, YAML or JSON.
 *     - {fault: overheat, node: worker-01, gpu: 0, after: 2m, for: 10m, value: 35}
 * fault (a name of gm_sim_fault_find) and node must be there. gpu: index, default all of the node. after: from the
 * world's beginning, default 0. for: default to the end. value: what the fault means by it, default its own.
 * Whether the nodes exist is for gm_sim_new to say.
 */
struct gm_sim_scenario {
	struct gm_sim_fault *faults;
	size_t count;
};
void gm_sim_scenario_fini(struct gm_sim_scenario *s);
/* Errors have where = "file:line:col". */
int gm_sim_scenario_read(const char *path, struct gm_sim_scenario *out, struct gm_err *err) GM_CHECKED;
int gm_sim_scenario_from_maps(const struct gm_option_maps *maps, struct gm_sim_scenario *out,
			      struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO_VALUE(struct gm_sim_scenario, gm_sim_scenario_fini)

#endif
