/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_VIEWS_H
#define GM_APP_CTL_VIEWS_H

#include "app/ctl/view.h"

/* views-fleet.c */
extern const struct gm_ctl_view gm_ctl_view_overview, gm_ctl_view_nodes, gm_ctl_view_devices, gm_ctl_view_mig,
	gm_ctl_view_models, gm_ctl_view_targets, gm_ctl_view_keys, gm_ctl_view_node, gm_ctl_view_device,
	gm_ctl_view_key_created;
/* views-alloc.c */
extern const struct gm_ctl_view gm_ctl_view_allocations, gm_ctl_view_allocation, gm_ctl_view_quote,
	gm_ctl_view_explanation, gm_ctl_view_teams, gm_ctl_view_team, gm_ctl_view_queues, gm_ctl_view_queue;
/* views-mig.c */
extern const struct gm_ctl_view gm_ctl_view_plan, gm_ctl_view_operations, gm_ctl_view_operation;

#define GM_CTL_COLUMNS(...)                                                                                            \
	.columns = (const struct gm_ctl_column[]){ __VA_ARGS__ },                                                      \
	.column_count = GM_LEN(((const struct gm_ctl_column[]){ __VA_ARGS__ }))
#define GM_CTL_SECTIONS(...)                                                                                           \
	.sections = (const struct gm_ctl_section[]){ __VA_ARGS__ },                                                    \
	.section_count = GM_LEN(((const struct gm_ctl_section[]){ __VA_ARGS__ }))
#define GM_CTL_WIDE true

#endif
