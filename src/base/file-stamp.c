/* SPDX-License-Identifier: MIT */
#include "base/file-stamp.h"

struct gm_file_stamp gm_file_stamp_of(const struct stat *st)
{
	return (struct gm_file_stamp){
		.dev = st->st_dev, .ino = st->st_ino, .size = st->st_size, .changed = st->st_mtim
	};
}

bool gm_file_stamp_read(const char *path, struct gm_file_stamp *out)
{
	struct stat st;
	*out = (struct gm_file_stamp){ 0 };
	if (stat(path, &st) != 0)
		return false;
	*out = gm_file_stamp_of(&st);
	return true;
}

bool gm_file_stamp_same(const struct gm_file_stamp *a, const struct gm_file_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}
