/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_MIGRATE_H
#define GM_ADAPTER_STORE_MIGRATE_H

#include "adapter/store/db.h"
#include "base/err.h"

/*
 * Brings the database to the newest form, in one transaction. One version newer than ours is taken as it is (migrations
 * only add), two newer is GM_ERR_NEWER; a database of something else is GM_ERR_INVALID.
 */
int gm_migrate(struct gm_db *db, const char *path, int64_t now_ms, struct gm_err *err) GM_CHECKED;
/* The newest version this program knows. */
int gm_migrate_newest(void);

#endif
