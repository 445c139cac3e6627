/* SPDX-License-Identifier: MIT */
/*
 * Reads the agent's MIG state files and requests: the bytes as they are, and each line with its number and check sum made
 * right, so that what stands behind the checks is reached. States that read must survive being written.
 */
#include <stdint.h>
#include <stdlib.h>

#include "app/agent/mig-plan.h"
#include "app/agent/mig-wanted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gm_mig_past past;
static struct gm_mig_wanted wanted, wanted_again;
static struct gm_mig_request request;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_state(const struct gm_mig_state *s)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	struct gm_mig_state again;

	must(s->count <= GM_MIG_INSTANCES_MAX && (s->on || s->count == 0));
	gm_mig_state_print(s, &text);
	must(gm_mig_state_parse(gm_buf_str(&text), &again));
	must(gm_mig_state_same(s, &again));
}

static void read_journal(struct gm_str text)
{
	if (gm_mig_journal_parse(text, &past, NULL))
		return;
	must(past.good_bytes <= text.n && past.torn == (past.good_bytes < text.n));
	must(past.count <= GM_MIG_BOARDS_MAX && past.done <= past.begun);
	for (uint32_t i = 0; i < past.count; i++) {
		struct gm_mig_step steps[GM_MIG_STEPS_MAX];

		check_state(&past.changes[i].before);
		check_state(&past.changes[i].wanted);
		must(gm_mig_steps(&past.changes[i].before, &past.changes[i].wanted, steps) <= GM_MIG_STEPS_MAX);
	}
}

static void read_wanted(struct gm_str text)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf printed = { 0 };

	if (gm_mig_wanted_parse(text, &wanted, NULL)) {
		must(wanted.count == 0);
		return;
	}
	for (uint32_t i = 0; i < wanted.count; i++)
		check_state(&wanted.boards[i].state);
	gm_mig_wanted_print(&wanted, &printed);
	must(gm_mig_wanted_parse(gm_buf_str(&printed), &wanted_again, NULL) == 0);
	must(wanted_again.count == wanted.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf right = { 0 };
	struct gm_str text = gm_str_n((const char *)data, size), rest = text, line;
	uint32_t n = 0;

	if (size > 8192)
		return 0;
	read_journal(text);
	read_wanted(text);
	if (gm_mig_request_parse(text, &request, NULL) == 0)
		must(request.count > 0 && request.count <= GM_MIG_BOARDS_MAX);
	while (gm_str_split(&rest, '\n', &line))
		gm_mig_line_add(&right, ++n, line);
	read_journal(gm_buf_str(&right));
	read_wanted(gm_buf_str(&right));
	return 0;
}
