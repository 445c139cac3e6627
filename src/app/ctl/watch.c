/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/ctl/output.h"
#include "app/ctl/request.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/map.h"

/* Events may come in bursts: between two looks there is at least this. */
#define LOOK_LEAST_MS 200

/* Lines that were shown before, so that only new ones are. */
struct seen {
	struct gm_map lines; /* the key is the line, the value its copy */
};

struct watch {
	const struct gm_ctl_run *run;
	const char *path;
	struct gm_str query;
	struct seen before;
	int64_t looked_ms; /* monotonic; 0: not yet */
	bool dirty, terminal;
	int rc;
	struct gm_err *err;
};

static void seen_fini(struct seen *s)
{
	struct gm_map_entry *e;

	for (size_t i = 0; (e = gm_map_next(&s->lines, &i)) != NULL;)
		free(e->value);
	gm_map_fini(&s->lines);
}

/* Shows those lines that were not in the last look; titles only once. */
static void show_new_lines(struct watch *w, struct gm_str text)
{
	struct seen now = { 0 };
	struct gm_str line;

	while (gm_str_split(&text, '\n', &line)) {
		char *copy = gm_str_dup(line);

		if (!gm_map_get(&w->before.lines, line)) {
			gm_buf_add_str(w->run->out, line);
			gm_buf_add_char(w->run->out, '\n');
		}
		free(gm_map_put(&now.lines, gm_str_n(copy, line.n), copy));
	}
	seen_fini(&w->before);
	w->before = now;
}

/* The screen is written over, not emptied first: it does not flicker. */
static void show_screen(struct watch *w, struct gm_str text)
{
	struct gm_str line;

	gm_buf_add_cstr(w->run->out, "\033[H");
	while (gm_str_split(&text, '\n', &line)) {
		gm_buf_add_str(w->run->out, line);
		gm_buf_add_cstr(w->run->out, "\033[K\n");
	}
	gm_buf_add_cstr(w->run->out, "\033[J");
}

static int show_answer(struct watch *w, const struct gm_jsonv *json)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	struct gm_ctl_run run = *w->run;
	int rc;

	if (run.output == GM_CTL_OUTPUT_JSON) {
		gm_ctl_json_line(json, run.out);
		return gm_ctl_flush(&run, w->err);
	}
	run.out = &text;
	rc = gm_ctl_show(&run, run.command->request->view, json, w->err);
	if (rc < 0)
		return rc;
	if (run.output == GM_CTL_OUTPUT_YAML) {
		gm_buf_add_cstr(w->run->out, "---\n");
		gm_buf_add_str(w->run->out, gm_buf_str(&text));
	} else if (w->terminal) {
		show_screen(w, gm_buf_str(&text));
	} else {
		show_new_lines(w, gm_buf_str(&text));
	}
	return gm_ctl_flush(w->run, w->err);
}

static bool look(struct watch *w)
{
	GM_AUTO(gm_ctl_answer_fini_p) struct gm_ctl_answer answer = { 0 };

	w->dirty = false;
	w->rc = gm_ctl_fetch(w->run, w->path, w->query, &answer, w->err);
	if (w->rc == 0 && answer.json)
		w->rc = show_answer(w, answer.json);
	w->looked_ms = gm_mono_ms(w->run->clock);
	return w->rc == 0;
}

static bool look_if_due(struct watch *w)
{
	int64_t now = gm_mono_ms(w->run->clock);

	return !w->dirty || now - w->looked_ms < LOOK_LEAST_MS || look(w);
}

static bool on_event(void *ctx, struct gm_str name, struct gm_str data)
{
	struct watch *w = ctx;

	(void)name, (void)data;
	w->dirty = true;
	return look_if_due(w);
}

static bool on_idle(void *ctx)
{
	return look_if_due(ctx);
}

static void rest(int64_t ms)
{
	(void)poll(NULL, 0, (int)ms);
}

int gm_ctl_watch(const struct gm_ctl_run *run, const char *path, struct gm_str query, struct gm_err *err)
{
	struct watch w = { .run = run, .path = path, .query = query, .err = err, .terminal = isatty(STDOUT_FILENO) };
	const char *topic = run->command->request->topic;
	struct gm_err no_stream = { 0 };

	if (w.terminal && run->output <= GM_CTL_OUTPUT_WIDE)
		gm_buf_add_cstr(run->out, "\033[H\033[J");
	while (look(&w)) {
		/* A server that has no such topic, or closes the stream, is asked each interval. */
		if (topic &&
		    gm_ctl_listen(run->client,
				  &(struct gm_ctl_listener){
					  .topics = topic, .on_event = on_event, .on_idle = on_idle, .ctx = &w },
				  &no_stream) < 0 &&
		    gm_ctl_client_exit(run->client) == GM_CTL_EXIT_REFUSED)
			topic = NULL;
		if (w.rc < 0)
			break;
		rest(run->globals->interval_ms);
	}
	seen_fini(&w.before);
	return w.rc;
}
