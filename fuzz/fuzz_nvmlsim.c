/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>

#include "adapter/nvmlsim/world-internal.h"
#include "base/buf.h"

/* Input that begins with '!' is lines of commands, for a world with MIG and processes; else it is a scenario. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char prepared[] = "{gpus: 3, models: 'A100_SXM4_80GB=1,H100_SXM5_80GB=1,L40S=1', workloads: true,"
			       " mig: [{gpu: 1, layout: '3g.40gb@4, 1g.10gb*2'}]}";

static void run_commands(struct gm_str text)
{
	static struct nvs_world *w;
	struct gm_str line;
	if (!w && nvs_world_open_text(gm_str(prepared), "prepared", NULL, &w, NULL) < 0)
		abort();
	nvs_file_lock(w->file);
	if (nvs_restart(w, NULL) < 0)
		abort();
	nvs_world_unlock(w);
	for (int i = 0; i < 50 && gm_str_split(&text, '\n', &line); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
		struct gm_err err = { 0 };
		int rc = nvs_command(w, line, &out, &err);
		if ((rc < 0) != (err.text[0] != '\0')) /* who fails says why */
			abort();
	}
	/* Whatever was done, each board is a legal one, and can be shown. */
	struct nvs_shared *s = nvs_world_lock(w);
	for (unsigned i = 0; i < s->board_count; i++) {
		struct gm_mig_layout layout;
		nvs_board_layout(&s->boards[i], &layout);
		if (layout.count && gm_mig_layout_check(nvs_table(w, i), &layout, NULL) < 0)
			abort();
		(void)nvs_world_device(w, i);
	}
	nvs_world_unlock(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gm_str text = gm_str_n((const char *)data, size);
	struct nvs_world *w = NULL;
	struct gm_err err = { 0 };
	if (size > NVS_SCENARIO_MAX)
		return 0;
	if (size && data[0] == '!') {
		run_commands(gm_str_n(text.p + 1, text.n - 1));
		return 0;
	}
	int rc = nvs_world_open_text(text, "fuzz.yml", NULL, &w, &err);
	if ((rc < 0) != (err.text[0] != '\0'))
		abort();
	nvs_world_close(w);
	return 0;
}
