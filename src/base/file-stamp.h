/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_FILE_STAMP_H
#define GM_BASE_FILE_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Tells whether a file is still the one that was read. Mounted ConfigMaps and Secrets are replaced by renaming folders:
 * there the inode tells. A zeroed stamp is that of no file.
 */
struct gm_file_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct gm_file_stamp gm_file_stamp_of(const struct stat *st);
/* False, and *out is zeroed, when there is no such file. */
bool gm_file_stamp_read(const char *path, struct gm_file_stamp *out);
bool gm_file_stamp_same(const struct gm_file_stamp *a, const struct gm_file_stamp *b);

#endif
