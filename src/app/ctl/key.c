/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "app/ctl/context.h"

/* The first line of what is read; all of it is wiped. */
static int read_line(int fd, const char *where, struct gm_secret *out, struct gm_err *err)
{
	char text[GM_CTL_KEY_MAX + 2];
	size_t have = 0;
	struct gm_str line;
	ssize_t n;
	int rc;

	do {
		n = read(fd, text + have, sizeof(text) - have);
		have += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && have < sizeof(text) && !memchr(text, '\n', have)) || (n < 0 && errno == EINTR));
	if (n < 0) {
		rc = gm_fail_errno(err, errno, "%s", where);
	} else {
		line = gm_str_n(text, have);
		line = gm_str_trim(gm_str_n(text, gm_str_find(line, '\n')));
		rc = gm_ctl_key_check(line, where, err);
		if (rc == 0) {
			gm_secret_fini(out);
			gm_secret_set(out, line);
		}
	}
	gm_wipe(text, sizeof(text));
	return rc;
}

int gm_ctl_key_read(const char *path, struct gm_secret *out, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = -1;
	int rc;

	if (strcmp(path, "-") == 0)
		return read_line(STDIN_FILENO, "standard input", out, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return read_line(fd, path, out, err);
	rc = gm_fail_errno(err, errno, "the file with the key");
	(void)gm_str_copy(gm_str(path), err->where, sizeof(err->where));
	return rc;
}

int gm_ctl_key_ask(struct gm_secret *out, struct gm_err *err)
{
	struct termios shown, silent;
	int rc;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &shown) != 0)
		return read_line(STDIN_FILENO, "standard input", out, err);
	silent = shown;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs("API key: ", stderr);
	(void)fflush(stderr);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	rc = read_line(STDIN_FILENO, "the key", out, err);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	(void)fputc('\n', stderr);
	return rc;
}
