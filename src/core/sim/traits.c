/* SPDX-License-Identifier: MIT */
#include "core/sim/sim-internal.h"

#include <string.h>

#define MIB (INT64_C(1) << 20)

/* Clocks by family; a form factor or name decides where a family has several. First match wins. */
static const struct {
	const char *family, *id_part; /* id_part: of the variant's id; "" is any */
	int32_t max_mhz, memory_mhz, idle_mhz, idle_memory_mhz;
} clocks[] = {
	{ "pascal", "P100", 1480, 715, 405, 715 },
	{ "pascal", "", 1733, 5005, 139, 405 },
	{ "volta", "", 1530, 877, 135, 877 },
	{ "turing", "T4", 1590, 5000, 300, 405 },
	{ "turing", "", 1845, 7000, 300, 405 },
	{ "ampere", "80GB", 1410, 1593, 210, 1593 },
	{ "ampere", "A100", 1410, 1215, 210, 1215 },
	{ "ampere", "A30", 1440, 1215, 210, 1215 },
	{ "ampere", "RTX3", 1695, 9751, 210, 405 },
	{ "ampere", "", 1695, 7250, 210, 405 },
	{ "ada-lovelace", "RTX40", 2520, 10501, 210, 405 },
	{ "ada-lovelace", "", 2520, 9001, 210, 405 },
	{ "hopper", "PCIE", 1755, 1593, 345, 1593 },
	{ "hopper", "", 1980, 2619, 345, 2619 },
	{ "blackwell", "RTX", 2617, 14001, 180, 405 },
	{ "blackwell", "", 1965, 3996, 120, 3996 },
	{ "", "", 1500, 5000, 210, 405 },
};

static bool same_word(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

static void init_clocks(struct sim_traits *t)
{
	for (size_t i = 0; i < GM_LEN(clocks); i++) {
		if (clocks[i].family[0] && !same_word(t->variant->family, clocks[i].family))
			continue;
		if (!strstr(t->variant->id, clocks[i].id_part))
			continue;
		t->max_mhz = clocks[i].max_mhz;
		t->memory_mhz = clocks[i].memory_mhz;
		t->idle_mhz = clocks[i].idle_mhz;
		t->idle_memory_mhz = clocks[i].idle_memory_mhz;
		return;
	}
}

static bool is_consumer(const struct gm_variant *v)
{
	for (const char *const *name = v->names; name && *name; name++) {
		if (strstr(*name, "GeForce") || strstr(*name, "TITAN") || strstr(*name, "Titan"))
			return true;
	}
	return false;
}

/* Where the catalogue does not know: a usual board's. */
void sim_traits_init(struct sim_traits *t, const struct gm_variant *v)
{
	*t = (struct sim_traits){ .variant = v };
	t->consumer = is_consumer(v);
	t->hbm = v->memory_type && strncmp(v->memory_type, "HBM", 3) == 0;
	t->ecc = !t->consumer && !same_word(v->family, "pascal");
	t->energy = !same_word(v->family, "pascal"); /* NVML counts it from Volta on */
	t->fan = t->consumer || strncmp(v->id, "RTX", 3) == 0;
	t->nvlink = v->nvlink && !t->consumer;
	t->limit_mw = (int64_t)(v->tdp_watts > 0 ? v->tdp_watts : 250) * 1000;
	t->idle_mw = t->limit_mw * (t->consumer ? 5 : 13) / 100;
	t->memory_bytes = (v->memory_mib > 0 ? v->memory_mib : (int64_t)v->memory_gb * 1024) * MIB;
	t->reserved_bytes = t->memory_bytes / 128 / MIB * MIB;
	t->slowdown_mc = (v->slowdown_c > 0 ? v->slowdown_c : t->consumer ? 91 : 89) * 1000;
	t->ceiling_mc = t->slowdown_mc + 3000;
	if (v->shutdown_c > 0 && t->ceiling_mc >= v->shutdown_c * 1000)
		t->ceiling_mc = (v->shutdown_c - 1) * 1000;
	t->rise_mc = t->consumer ? 41000 : 37000;
	init_clocks(t);
}
