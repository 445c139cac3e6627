/* SPDX-License-Identifier: MIT */
#include "app/ctl/progress.h"

#include <inttypes.h>
#include <unistd.h>

#define SILENT_MS 1000
#define BETWEEN_MS 200

void gm_ctl_progress_init(struct gm_ctl_progress *p, FILE *to, const struct gm_clock *clock)
{
	*p = (struct gm_ctl_progress){ .clock = clock };
	if (!to || !isatty(fileno(to)))
		return;
	p->to = to;
	p->began_ms = gm_mono_ms(clock);
}

void gm_ctl_progress_step(struct gm_ctl_progress *p, const char *what, uint64_t done, uint64_t total)
{
	int64_t now;

	if (!p->to)
		return;
	now = gm_mono_ms(p->clock);
	if (now - p->began_ms < SILENT_MS || (p->shown && now - p->shown_ms < BETWEEN_MS))
		return;
	(void)fprintf(p->to, "\r\033[K%s %" PRIu64 " of %" PRIu64, what, done, total);
	(void)fflush(p->to);
	p->shown_ms = now;
	p->shown = true;
}

void gm_ctl_progress_end(struct gm_ctl_progress *p)
{
	if (!p->shown)
		return;
	(void)fputs("\r\033[K", p->to);
	(void)fflush(p->to);
	p->shown = false;
}
