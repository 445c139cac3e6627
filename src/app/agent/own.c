/* SPDX-License-Identifier: MIT */
#include "app/agent/own.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/parse.h"

/* Fields behind the name, which may hold blanks and brackets: the state is the third of all. */
enum { FIELD_STATE = 3, FIELD_UTIME = 14, FIELD_STIME = 15, FIELD_RSS = 24 };

bool gm_own_parse(struct gm_str stat, int64_t ticks_per_second, int64_t page_bytes, int64_t *out_cpu_ms,
		  int64_t *out_resident_bytes)
{
	size_t end = stat.n;
	struct gm_str rest, part;
	int64_t user = -1, system = -1, pages = -1;

	while (end > 0 && stat.p[end - 1] != ')')
		end--;
	if (end == 0)
		return false;
	rest = gm_str_trim(gm_str_n(stat.p + end, stat.n - end));
	for (int field = FIELD_STATE; gm_str_split(&rest, ' ', &part); field++) {
		int64_t *to = field == FIELD_UTIME   ? &user
			      : field == FIELD_STIME ? &system
			      : field == FIELD_RSS   ? &pages
						     : NULL;

		if (to && !gm_parse_i64(part, 0, INT64_MAX / 1000000, to))
			return false;
	}
	if (user < 0 || system < 0 || pages < 0)
		return false;
	*out_cpu_ms = (user + system) * 1000 / ticks_per_second;
	*out_resident_bytes = pages * page_bytes;
	return true;
}

bool gm_own_read(int32_t pid, int64_t *out_cpu_ms, int64_t *out_resident_bytes)
{
	GM_AUTO(gm_fd_close_p) int fd = -1;
	char path[32], text[1024];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	return n > 0 && gm_own_parse(gm_str_n(text, (size_t)n), sysconf(_SC_CLK_TCK), sysconf(_SC_PAGESIZE), out_cpu_ms,
				     out_resident_bytes);
}
