/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_OUTPUT_H
#define GM_APP_CTL_OUTPUT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/jsonv.h"

/* What the server said, for people and for scripts: numbers keep their text, members their order. */

/* A value a line, two blanks a level. */
void gm_ctl_json(const struct gm_jsonv *v, struct gm_buf *out);
/* In one line. */
void gm_ctl_json_line(const struct gm_jsonv *v, struct gm_buf *out);
/* YAML 1.2, which reads back as the same JSON. */
void gm_ctl_yaml(const struct gm_jsonv *v, struct gm_buf *out);
int gm_ctl_yaml_of(struct gm_str json, struct gm_buf *out, struct gm_err *err) GM_CHECKED;

#endif
