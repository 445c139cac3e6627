/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_COMMAND_H
#define GM_APP_CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/ctl/progress.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/option.h"

/*
 * gpuctl's commands: one row each (command-table.c), one file each. Parsing, --help at every level and the checks come
 * from the rows.
 */
#define GM_CTL_EXIT_LIST(X)                                                                                            \
	X(OK, 0, "done")                                                                                               \
	X(FAILED, 1, "it could not be done")                                                                           \
	X(USAGE, 2, "the command line is wrong")                                                                       \
	X(INPUT, 3, "a file that was given cannot be read or is wrong; its place is named")
enum gm_ctl_exit {
#define GM_CTL_EXIT_CODE(name, code, text) GM_CTL_EXIT_##name = code,
	GM_CTL_EXIT_LIST(GM_CTL_EXIT_CODE)
#undef GM_CTL_EXIT_CODE
};

enum gm_ctl_output { GM_CTL_OUTPUT_TABLE, GM_CTL_OUTPUT_JSON };

#define GM_CTL_OPTIONS_MAX 32
/* `--key VALUE` or `--key=VALUE`; a BOOL is `--key` alone. */
struct gm_ctl_option {
	struct gm_option option;
	const char *value; /* what stands for the value in the help: "FILE"; NULL: the choices, or nothing for a BOOL */
	bool required;
};

/* One run of a command. */
struct gm_ctl_run {
	enum gm_ctl_output output;
	const void *args;   /* the command's struct, filled from its options */
	struct gm_buf *out; /* goes to standard output when the command has succeeded */
	struct gm_ctl_progress *progress;
};

struct gm_ctl_command {
	const char *path;    /* "replay openb"; the words before the last are groups */
	const char *summary; /* one line, no full stop */
	const char *notes;   /* further text for --help: formats, limits; lines of at most 100 columns; NULL: none */
	const struct gm_ctl_option *options;
	size_t option_count;
	size_t args_size;
	/* PARSE, TOO_LARGE and IO failures with err->where are those of a file and end with exit code 3. */
	int (*run)(const struct gm_ctl_run *run, struct gm_err *err);
};
struct gm_ctl_group {
	const char *path;
	const char *summary;
};

/* command-table.c; sorted by path. */
extern const struct gm_ctl_command *const gm_ctl_commands[];
extern const size_t gm_ctl_command_count;
extern const struct gm_ctl_group gm_ctl_groups[];
extern const size_t gm_ctl_group_count;

/* What --help prints for a command, a group, or ("") the whole program. */
void gm_ctl_help(struct gm_str path, struct gm_buf *out);
/* The program without its name: reads the flags, runs the command, writes to standard output and error. An exit code. */
int gm_ctl_main(int argc, char *const *argv);

/* "42..51" or "42": a range of seeds or streams, at most GM_CTL_RANGE_MAX of them. For gm_option.check. */
struct gm_ctl_range {
	uint64_t first, last;
};
#define GM_CTL_RANGE_MAX 10000
int gm_ctl_range_parse(struct gm_str text, struct gm_ctl_range *out, struct gm_err *err) GM_CHECKED;
int gm_ctl_range_check(struct gm_str text, struct gm_err *err);

#endif
