/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_PLACE_H
#define GM_ADAPTER_STORE_PLACE_H

#include <stdbool.h>

#include "base/auto.h"
#include "base/err.h"

/*
 * Where a database file lies: whether it may lie there, and that only one process has it. The lock is a file beside the
 * database, locked for as long as its descriptor is open; the system drops it with the process. (A lock on the database
 * itself would not do: closing any descriptor of that file drops SQLite's own locks.)
 */
struct gm_place_conf {
	const char *path;
	bool network_allowed;
	long fs_magic; /* tests: instead of the file system's own; 0: ask */
};
/* GM_ERR_BUSY names the process that has it. The caller closes *out_lock_fd. */
int gm_place_take(const struct gm_place_conf *conf, int *out_lock_fd, struct gm_err *err) GM_CHECKED;
/* "NFS", ... for a file system whose locks or shared memory cannot be trusted; NULL for others. */
const char *gm_place_network_name(long magic);

#endif
