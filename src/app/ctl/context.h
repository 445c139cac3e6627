/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_CONTEXT_H
#define GM_APP_CTL_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/vec.h"

/*
 * The file of contexts: a server and who we are to it, by name. It holds keys, so nobody else may read it: it is written
 * with mode 0600, in one step, and refused otherwise.
 */
#define GM_CTL_CONTEXTS_MAX 64
#define GM_CTL_KEY_MAX 1024

struct gm_ctl_context {
	char *name;
	char *server; /* none of the texts is NULL; empty: not set */
	struct gm_secret key;
	char *ca_file, *client_cert, *client_key;
	bool insecure;
};
struct gm_ctl_contexts {
	char *path;    /* of the file */
	char *current; /* name, or "" */
	GM_VEC(struct gm_ctl_context) all;
};

/* Where the file is: $GPUCTL_CONFIG, $XDG_CONFIG_HOME/gpuctl/config.yml, ~/.config/gpuctl/config.yml. */
int gm_ctl_contexts_path(struct gm_buf *out, struct gm_err *err) GM_CHECKED;
/* A file that is not there has no contexts. `*out` is to be ended whatever is answered. */
int gm_ctl_contexts_load(struct gm_ctl_contexts *out, struct gm_err *err) GM_CHECKED;
int gm_ctl_contexts_read(struct gm_str yaml, const char *name, struct gm_ctl_contexts *out,
			 struct gm_err *err) GM_CHECKED;
int gm_ctl_contexts_save(const struct gm_ctl_contexts *c, struct gm_err *err) GM_CHECKED;
void gm_ctl_contexts_fini(struct gm_ctl_contexts *c);

struct gm_ctl_context *gm_ctl_context_find(const struct gm_ctl_contexts *c, struct gm_str name);
/* The one of this name, made when there is none. */
int gm_ctl_context_make(struct gm_ctl_contexts *c, struct gm_str name, struct gm_ctl_context **out,
			struct gm_err *err) GM_CHECKED;
void gm_ctl_context_remove(struct gm_ctl_contexts *c, struct gm_ctl_context *context);

/* One line of a file, "-" being standard input. INVALID: empty, too long or not plain ASCII. */
int gm_ctl_key_read(const char *path, struct gm_secret *out, struct gm_err *err) GM_CHECKED;
/* The same, asked for on the terminal without being shown, or from standard input where that is none. */
int gm_ctl_key_ask(struct gm_secret *out, struct gm_err *err) GM_CHECKED;
int gm_ctl_key_check(struct gm_str key, const char *where, struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO_VALUE(struct gm_ctl_contexts, gm_ctl_contexts_fini)

#endif
