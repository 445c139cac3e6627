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
 * gpuctl's commands: one row each, in sets (command-table.c). Parsing, --help at every level and the checks come from the
 * rows; so do completion and the manual page.
 */
#define GM_CTL_EXIT_LIST(X)                                                                                            \
	X(OK, 0, "done")                                                                                               \
	X(FAILED, 1, "it could not be done")                                                                           \
	X(USAGE, 2, "the command line is wrong")                                                                       \
	X(INPUT, 3, "a file that was given cannot be read or is wrong; its place is named")                            \
	X(REFUSED, 4, "the server refused it: a conflict, a value it does not take, or nothing fits")                  \
	X(UNREACHABLE, 5, "the server cannot be reached, or did not answer in time or in JSON")                        \
	X(UNAUTHORIZED, 6, "the key is missing, wrong, or its role is too low")                                        \
	X(NOT_FOUND, 7, "the server knows no such thing")                                                              \
	X(LATE, 8, "it was still waiting or under way when the time of --wait was over")
enum gm_ctl_exit {
#define GM_CTL_EXIT_CODE(name, code, text) GM_CTL_EXIT_##name = code,
	GM_CTL_EXIT_LIST(GM_CTL_EXIT_CODE)
#undef GM_CTL_EXIT_CODE
};

/* A command without GM_CTL_REMOTE is asked for TABLE or JSON only; the others are made of these. */
enum gm_ctl_output { GM_CTL_OUTPUT_TABLE, GM_CTL_OUTPUT_WIDE, GM_CTL_OUTPUT_JSON, GM_CTL_OUTPUT_YAML };

#define GM_CTL_OPTIONS_MAX 48
/*
 * `--key VALUE` or `--key=VALUE`; a BOOL is `--key` alone. Operands, which stand without a name, are rows too: their text
 * in the help is `value`, and one of type LIST takes all that are left.
 */
struct gm_ctl_option {
	struct gm_option option;
	const char *value; /* what stands for the value in the help: "FILE"; NULL: the choices, or nothing for a BOOL */
	bool required;
	char letter;	   /* -o; 0: none */
	unsigned needs;	   /* of a global: the command's flags that it is for, any of them; 0: every command */
	const char *json;  /* the member of the request's body that it fills when it is given; NULL: none */
	const char *query; /* the parameter of the request's query; NULL: none */
};

enum gm_ctl_flag {
	GM_CTL_REMOTE = 1,    /* asks a server: --server, --context and so on */
	GM_CTL_TABLE = 2,     /* its answer is a table with a line an item: --no-headers, -q */
	GM_CTL_PAGES = 4,     /* a list that goes on behind a cursor: --limit */
	GM_CTL_WATCH = 8,     /* may be shown again and again: --watch, --interval */
	GM_CTL_CHANGE = 16,   /* changes something: --dry-run */
	GM_CTL_CONFIRM = 32,  /* destroys or disturbs: asks on a terminal unless --yes */
	GM_CTL_CONTEXTS = 64, /* reads or writes the file of contexts only */
};

/* What is in front of every command's own options. */
struct gm_ctl_globals {
	int output; /* enum gm_ctl_output */
	bool help;
	char *server, *key_file, *context;
	int64_t timeout_ms;
	bool no_headers, names_only, watch, dry_run, yes;
	int64_t limit, interval_ms;
};
extern const struct gm_ctl_option gm_ctl_global_options[];
extern const size_t gm_ctl_global_count;

struct gm_ctl_command;
struct gm_ctl_client;

/* One run of a command. */
struct gm_ctl_run {
	const struct gm_ctl_command *command;
	const struct gm_ctl_globals *globals;
	enum gm_ctl_output output;
	const void *args;		  /* the command's struct, filled from its options and operands */
	const struct gm_options *options; /* where each of args came from */
	struct gm_buf *out;		  /* goes to standard output when the command has succeeded */
	struct gm_ctl_progress *progress;
	const struct gm_clock *clock;
	struct gm_ctl_client *client; /* NULL unless GM_CTL_REMOTE */
	bool colors;		      /* standard output is a terminal that shows them */
	/* What a success ends with: REFUSED for a quote that nothing fits. */
	enum gm_ctl_exit *exit;
};

struct gm_ctl_request;
struct gm_ctl_command {
	const char *path;    /* "replay openb"; the words before the last are groups */
	const char *summary; /* one line, no full stop */
	const char *notes;   /* further text for --help: formats, limits; lines of at most 100 columns; NULL: none */
	const struct gm_ctl_option *options;
	size_t option_count;
	const struct gm_ctl_option *operands;
	size_t operand_count;
	size_t args_size;
	unsigned flags; /* enum gm_ctl_flag */
	/* PARSE, TOO_LARGE and IO failures with err->where are those of a file and end with exit code 3. */
	int (*run)(const struct gm_ctl_run *run, struct gm_err *err);
	const struct gm_ctl_request *request; /* for the runs of request.h; NULL: none */
};
struct gm_ctl_set {
	const struct gm_ctl_command *commands;
	const size_t *count;
};
struct gm_ctl_group {
	const char *path;
	const char *summary;
};

/* command-table.c; in the order in which --help lists them. */
extern const struct gm_ctl_set gm_ctl_sets[];
extern const size_t gm_ctl_set_count;
extern const struct gm_ctl_group gm_ctl_groups[];
extern const size_t gm_ctl_group_count;
/* The n-th of all commands; NULL behind the last. */
const struct gm_ctl_command *gm_ctl_command_at(size_t n);
/* True when this global option is one of the command's. command NULL: what every command has. */
bool gm_ctl_global_applies(const struct gm_ctl_option *global, const struct gm_ctl_command *command);

/* What --help prints for a command, a group, or ("") the whole program. */
void gm_ctl_help(struct gm_str path, struct gm_buf *out);
/* The program without its name: reads the flags, runs the command, writes to standard output and error. An exit code. */
int gm_ctl_main(int argc, char *const *argv);

/* Writes what is in run->out to standard output at once, for what goes on for long. */
int gm_ctl_flush(const struct gm_ctl_run *run, struct gm_err *err) GM_CHECKED;
/* True when the option of this key was given. */
bool gm_ctl_given(const struct gm_ctl_run *run, const char *key);
/*
 * Asks on the terminal whether to go on, unless --yes or --dry-run; `question` without its mark. Without a terminal it is
 * refused: INVALID, with the advice to say --yes.
 */
int gm_ctl_confirm(const struct gm_ctl_run *run, const char *question, struct gm_err *err) GM_CHECKED;

/* "42..51" or "42": a range of seeds or streams, at most GM_CTL_RANGE_MAX of them. For gm_option.check. */
struct gm_ctl_range {
	uint64_t first, last;
};
#define GM_CTL_RANGE_MAX 10000
int gm_ctl_range_parse(struct gm_str text, struct gm_ctl_range *out, struct gm_err *err) GM_CHECKED;
int gm_ctl_range_check(struct gm_str text, struct gm_err *err);

#endif
