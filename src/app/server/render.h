/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_RENDER_H
#define GM_APP_SERVER_RENDER_H

#include "base/buf.h"
#include "base/json.h"
#include "core/fleet/snapshot.h"

/*
 * JSON of the fleet's objects. An item of a list is rendered once for each version of a device and kept in the
 * device's cache slot, since a page of a list is little more than those put one behind the other.
 */
struct gm_str gm_render_device_item(const struct gm_device *d, const char *currency);
/* An item's fields and those that only the answer about one device has. */
void gm_render_device_detail(struct gm_json *w, const struct gm_device *d, const char *currency);
/* `device`: with the fields that place it, for lists of instances. */
void gm_render_instance(struct gm_json *w, const struct gm_instance *i, const struct gm_device *d, bool device);
void gm_render_node(struct gm_json *w, const struct gm_node *n, const char *currency);
/* The MIG profiles of the board's table, `migProfiles` and `migPlacementUnits`. */
void gm_render_mig_table(struct gm_json *w, const struct gm_variant *v);
/* "" or NULL is null on the wire: what a source may leave out. */
void gm_render_text(struct gm_json *w, const char *s);
/* Negative: null, not known. */
void gm_render_number(struct gm_json *w, int64_t v);
/* Bytes in whole MiB; negative: null. */
void gm_render_mib(struct gm_json *w, int64_t bytes);
/* `health`: how many devices are in which. */
void gm_render_health(struct gm_json *w, const struct gm_totals *t);
/* "name": micros as currency units, null when not known (negative). */
void gm_render_micros(struct gm_json *w, int64_t micros);
/* `pods`: [...] */
void gm_render_pods(struct gm_json *w, const struct gm_pod_ref *pods, size_t count);

#endif
