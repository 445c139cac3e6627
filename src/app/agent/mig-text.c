/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>

#include "base/hash.h"
#include "base/parse.h"

static const char *const outcome_names[] = { "", "new", "old", "stuck" };
static const char *const kind_names[] = { "apply", "restore", "recover" };
static const char *const verb_names[] = { "", "mode on", "destroy", "create", "mode off" };

const char *gm_mig_outcome_name(enum gm_mig_outcome o)
{
	return (size_t)o < GM_LEN(outcome_names) ? outcome_names[o] : "";
}

const char *gm_mig_kind_name(enum gm_mig_kind k)
{
	return (size_t)k < GM_LEN(kind_names) ? kind_names[k] : "";
}

const char *gm_mig_verb_name(enum gm_mig_verb v)
{
	return (size_t)v < GM_LEN(verb_names) ? verb_names[v] : "";
}

void gm_mig_state_print(const struct gm_mig_state *s, struct gm_buf *out)
{
	gm_buf_add_cstr(out, s->on ? "on:" : "off:");
	for (unsigned i = 0; i < s->count; i++) {
		const struct gm_mig_slice *slice = &s->slices[i];

		gm_buf_addf(out, "%s%d@%u+%u=%s", i ? "," : "", slice->profile_id, slice->start, slice->size,
			    slice->name);
	}
}

/* "9@4+4=3g.40gb" */
static bool slice_parse(struct gm_str text, struct gm_mig_slice *out)
{
	struct gm_mig_slice slice = { 0 };
	struct gm_str id, start, size;
	uint64_t n_id, n_start, n_size;

	if (!gm_str_split(&text, '@', &id) || !gm_str_split(&text, '+', &start) || !gm_str_split(&text, '=', &size))
		return false;
	if (!gm_parse_u64(id, 0, INT16_MAX, &n_id) || !gm_parse_u64(start, 0, GM_MIG_UNITS_MAX - 1, &n_start) ||
	    !gm_parse_u64(size, 1, GM_MIG_UNITS_MAX, &n_size))
		return false;
	if (text.n == 0 || !gm_str_copy(text, slice.name, sizeof(slice.name)))
		return false;
	slice.profile_id = (int16_t)n_id;
	slice.start = (uint8_t)n_start;
	slice.size = (uint8_t)n_size;
	*out = slice;
	return true;
}

bool gm_mig_state_parse(struct gm_str text, struct gm_mig_state *out)
{
	struct gm_mig_state s = { 0 };
	struct gm_str mode, item;

	if (gm_str_find(text, ':') == text.n || !gm_str_split(&text, ':', &mode))
		return false;
	s.on = gm_str_is(mode, "on");
	if (!s.on && !gm_str_is(mode, "off"))
		return false;
	while (gm_str_split(&text, ',', &item)) {
		struct gm_mig_slice slice;

		if (!slice_parse(item, &slice) || !gm_mig_state_add(&s, &slice))
			return false;
	}
	if (!s.on && s.count)
		return false;
	*out = s;
	return true;
}

void gm_mig_line_add(struct gm_buf *out, uint32_t number, struct gm_str body)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf line = { 0 };

	gm_buf_addf(&line, "%" PRIu32 " ", number);
	for (size_t i = 0; i < body.n; i++)
		gm_buf_add_char(&line, (unsigned char)body.p[i] < ' ' ? ' ' : body.p[i]);
	gm_buf_addf(out, "%016" PRIx64 " ", gm_hash(gm_buf_str(&line)));
	gm_buf_add_str(out, gm_buf_str(&line));
	gm_buf_add_char(out, '\n');
	out->failed |= line.failed;
}

bool gm_mig_line_read(struct gm_str line, uint32_t number, struct gm_str *out_body)
{
	struct gm_str rest = line, check, count;
	uint64_t sum, n;

	if (!gm_str_split(&rest, ' ', &check) || check.n != 16 || !gm_parse_hex64(check, &sum) || sum != gm_hash(rest))
		return false;
	if (!gm_str_split(&rest, ' ', &count) || !gm_parse_u64(count, 1, UINT32_MAX, &n) || n != number)
		return false;
	*out_body = rest;
	return true;
}

static int sync_folder(const char *path, struct gm_err *err)
{
	char copy[512];

	if (!gm_str_copy(gm_str(path), copy, sizeof(copy)))
		return gm_fail(err, GM_ERR_INVALID, "%s: the path is too long", path);
	GM_AUTO(gm_fd_close_p) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		return gm_fail_errno(err, errno, "%s: cannot sync its folder", path);
	return 0;
}

int gm_mig_file_replace(const char *path, struct gm_str bytes, struct gm_err *err)
{
	char draft[512];
	size_t at = 0;

	if ((size_t)snprintf(draft, sizeof(draft), "%s.new", path) >= sizeof(draft))
		return gm_fail(err, GM_ERR_INVALID, "%s: the path is too long", path);
	GM_AUTO(gm_fd_close_p) int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return gm_fail_errno(err, errno, "%s: cannot write it", draft);
	while (at < bytes.n) {
		ssize_t n = write(fd, bytes.p + at, bytes.n - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gm_fail_errno(err, n < 0 ? errno : EIO, "%s: cannot write it", draft);
		at += (size_t)n;
	}
	if (fsync(fd) != 0)
		return gm_fail_errno(err, errno, "%s: cannot sync it", draft);
	if (rename(draft, path) != 0)
		return gm_fail_errno(err, errno, "%s: cannot put it in place", path);
	return sync_folder(path, err);
}
