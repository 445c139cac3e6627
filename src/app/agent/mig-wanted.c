/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-wanted.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/parse.h"

#define WANTED_MAX_BYTES (1 << 18)

void gm_mig_wanted_print(const struct gm_mig_wanted *w, struct gm_buf *out)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };

	gm_buf_addf(&body, "wanted %" PRIu32 " %s", w->count, w->last[0] ? w->last : "-");
	gm_mig_line_add(out, 1, gm_buf_str(&body));
	for (uint32_t i = 0; i < w->count; i++) {
		gm_buf_reset(&body);
		gm_buf_addf(&body, "board %s %s ", w->boards[i].uuid, w->boards[i].yielded ? "yielded" : "ours");
		gm_mig_state_print(&w->boards[i].state, &body);
		gm_mig_line_add(out, i + 2, gm_buf_str(&body));
	}
	out->failed |= body.failed;
}

static bool parse_board(struct gm_str body, struct gm_mig_wanted_board *out)
{
	struct gm_str word, uuid, whose, state;

	if (!gm_str_split(&body, ' ', &word) || !gm_str_is(word, "board") || !gm_str_split(&body, ' ', &uuid) ||
	    !gm_str_split(&body, ' ', &whose) || !gm_str_split(&body, ' ', &state))
		return false;
	out->yielded = gm_str_is(whose, "yielded");
	return gm_str_copy(uuid, out->uuid, sizeof(out->uuid)) && gm_mig_state_parse(state, &out->state);
}

static bool parse_head(struct gm_str body, uint64_t *out_count, char last[static GM_MIG_ID_SIZE])
{
	struct gm_str word, count;

	if (!gm_str_split(&body, ' ', &word) || !gm_str_is(word, "wanted") || !gm_str_split(&body, ' ', &count) ||
	    !gm_parse_u64(count, 0, GM_MIG_BOARDS_MAX, out_count) || body.n == 0)
		return false;
	return gm_str_copy(gm_str_is(body, "-") ? GM_STR("") : body, last, GM_MIG_ID_SIZE);
}

int gm_mig_wanted_parse(struct gm_str text, struct gm_mig_wanted *out, struct gm_err *err)
{
	struct gm_mig_wanted *w = out;
	struct gm_str line, body;
	uint32_t n = 0;
	uint64_t count = 0;

	*w = (struct gm_mig_wanted){ 0 };
	if (text.n == 0 || text.p[text.n - 1] != '\n')
		goto damaged;
	for (; gm_str_split(&text, '\n', &line); n++) {
		if (n > GM_MIG_BOARDS_MAX || !gm_mig_line_read(line, n + 1, &body))
			goto damaged;
		if (n > 0 && !parse_board(body, &w->boards[n - 1]))
			goto damaged;
		if (n == 0 && !parse_head(body, &count, w->last))
			goto damaged;
	}
	if (n != count + 1)
		goto damaged;
	w->count = n - 1;
	return 0;
damaged:
	*w = (struct gm_mig_wanted){ 0 };
	return gm_fail(err, GM_ERR_CORRUPT, "line %" PRIu32 " of the file of wanted layouts is damaged", n + 1);
}

static bool path_of(const char *dir, char path[static 512])
{
	return (size_t)snprintf(path, 512, "%s/mig-wanted", dir) < 512;
}

int gm_mig_wanted_load(const char *dir, struct gm_mig_wanted *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { .limit = WANTED_MAX_BYTES };
	char path[512];

	*out = (struct gm_mig_wanted){ 0 };
	if (!path_of(dir, path))
		return gm_fail(err, GM_ERR_INVALID, "%s: the path is too long", dir);
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : gm_fail_errno(err, errno, "%s", path);
	for (;;) {
		char *room = gm_buf_reserve(&text, 4096);
		ssize_t n = room ? read(fd, room, 4096) : 0;

		if (!room)
			return gm_fail(err, GM_ERR_CORRUPT, "%s is longer than any that is ours", path);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gm_fail_errno(err, errno, "%s", path);
		if (n == 0)
			return gm_mig_wanted_parse(gm_buf_str(&text), out, err);
		gm_buf_advance(&text, (size_t)n);
	}
}

int gm_mig_wanted_save(const char *dir, const struct gm_mig_wanted *w, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	char path[512];

	gm_mig_wanted_print(w, &text);
	if (text.failed || !path_of(dir, path))
		return gm_fail(err, GM_ERR_NO_MEMORY, "%s: cannot write the wanted layouts", dir);
	return gm_mig_file_replace(path, gm_buf_str(&text), err);
}

static uint32_t index_of(const struct gm_mig_wanted *w, const char *uuid)
{
	uint32_t i = 0;

	while (i < w->count && strcmp(w->boards[i].uuid, uuid) != 0)
		i++;
	return i;
}

const struct gm_mig_wanted_board *gm_mig_wanted_find(const struct gm_mig_wanted *w, const char *uuid)
{
	uint32_t i = index_of(w, uuid);

	return i < w->count ? &w->boards[i] : NULL;
}

bool gm_mig_wanted_set(struct gm_mig_wanted *w, const char *uuid, const struct gm_mig_state *state)
{
	uint32_t i = index_of(w, uuid);

	if (i >= GM_MIG_BOARDS_MAX)
		return false;
	if (i == w->count)
		w->count++;
	w->boards[i] = (struct gm_mig_wanted_board){ .state = *state };
	return gm_str_copy(gm_str(uuid), w->boards[i].uuid, sizeof(w->boards[i].uuid));
}

void gm_mig_wanted_drop(struct gm_mig_wanted *w, const char *uuid)
{
	uint32_t i = index_of(w, uuid);

	if (i < w->count)
		w->boards[i] = w->boards[--w->count];
}
