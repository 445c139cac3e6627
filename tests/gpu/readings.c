/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter/nvml/reading.h"
#include "base/clock.h"
#include "base/parse.h"
#include "suite.h"
#include "xml.h"

/*
 * One row a reading: where nvidia-smi prints it ('|': newer or older names of the same; '+': a sum of those that are
 * there), what ours is to be divided by, and how far the two may be apart: moving values are asked for one after the
 * other. Ours is of a sample, or a number of the facts.
 */
struct row {
	const char *name, *paths;
	double unit;	    /* nvidia-smi's, in ours */
	double near, ratio; /* |difference| <= near + ratio * theirs, in its unit */
	enum gm_field field;
	size_t number; /* offset of an int32_t in struct gm_reading, where field is GM_FIELD_COUNT */
};
#define SAMPLE(f) .field = GM_FIELD_##f
#define NUMBER(m) .field = GM_FIELD_COUNT, .number = offsetof(struct gm_reading, m)
#define ECC(kind) "ecc_errors/volatile/" kind
static const struct row rows[] = {
	{ "utilisation, %", "utilization/gpu_util", 1, 25, 0, SAMPLE(UTILIZATION) },
	{ "memory copy utilisation, %", "utilization/memory_util", 1, 25, 0, SAMPLE(MEMORY_COPY_UTILIZATION) },
	{ "encoder, %", "utilization/encoder_util", 1, 25, 0, SAMPLE(ENCODER_UTILIZATION) },
	{ "decoder, %", "utilization/decoder_util", 1, 25, 0, SAMPLE(DECODER_UTILIZATION) },
	{ "memory used, MiB", "fb_memory_usage/used", GM_MIB, 64, 0.02, SAMPLE(MEMORY_USED) },
	{ "memory free, MiB", "fb_memory_usage/free", GM_MIB, 64, 0.02, SAMPLE(MEMORY_FREE) },
	{ "memory reserved, MiB", "fb_memory_usage/reserved", GM_MIB, 2, 0, SAMPLE(MEMORY_RESERVED) },
	{ "temperature, C", "temperature/gpu_temp", 1, 3, 0, SAMPLE(TEMPERATURE) },
	{ "memory temperature, C", "temperature/memory_temp", 1, 3, 0, SAMPLE(MEMORY_TEMPERATURE) },
	{ "power, W", "gpu_power_readings/instant_power_draw|gpu_power_readings/power_draw|power_readings/power_draw",
	  1, 20, 0.2, SAMPLE(POWER) },
	{ "power limit, W",
	  "gpu_power_readings/current_power_limit|power_readings/enforced_power_limit|power_readings/power_limit", 1,
	  0.01, 0, SAMPLE(POWER_LIMIT) },
	{ "clock of the multiprocessors, MHz", "clocks/sm_clock", 1, 150, 0.2, SAMPLE(SM_CLOCK) },
	{ "clock of the memory, MHz", "clocks/mem_clock", 1, 150, 0.2, SAMPLE(MEMORY_CLOCK) },
	{ "PCIe replays", "pci/replay_counter", 1, 1, 0, SAMPLE(PCIE_REPLAY) },
	{ "fan, %", "fan_speed", 1, 5, 0, SAMPLE(FAN) },
	{ "ECC, corrected", ECC("sram_correctable+") ECC("dram_correctable"), 1, 0, 0, SAMPLE(ECC_SBE) },
	{ "ECC, uncorrected",
	  ECC("sram_uncorrectable+") ECC("sram_uncorrectable_parity+") ECC("sram_uncorrectable_secded+")
		  ECC("dram_uncorrectable"),
	  1, 0, 0, SAMPLE(ECC_DBE) },
	{ "rows remapped, correctable", "remapped_rows/remapped_row_corr", 1, 0, 0, SAMPLE(REMAPPED_CORRECTABLE) },
	{ "rows remapped, uncorrectable", "remapped_rows/remapped_row_unc", 1, 0, 0, SAMPLE(REMAPPED_UNCORRECTABLE) },
	{ "row remap pending", "remapped_rows/remapped_row_pending", 1, 0, 0, SAMPLE(ROW_REMAP_PENDING) },
	{ "row remap failed", "remapped_rows/remapped_row_failure", 1, 0, 0, SAMPLE(ROW_REMAP_FAILURE) },
	{ "pages retired",
	  "retired_pages/multiple_single_bit_retirement/retired_count+"
	  "retired_pages/double_bit_retirement/retired_count",
	  1, 0, 0, SAMPLE(RETIRED_PAGES) },
	{ "P-state", "performance_state", 1, 2, 0, NUMBER(pstate) },
	{ "PCIe generation", "pci/pci_gpu_link_info/pcie_gen/current_link_gen", 1, 4, 0, NUMBER(pcie_gen) },
	{ "PCIe lanes", "pci/pci_gpu_link_info/link_widths/current_link_width", 1, 0, 0, NUMBER(pcie_width) },
	{ "most PCIe lanes", "pci/pci_gpu_link_info/link_widths/max_link_width", 1, 0, 0,
	  NUMBER(facts.pcie_max_width) },
	{ "highest SM clock, MHz", "max_clocks/sm_clock", 1, 0, 0, NUMBER(facts.max_sm_mhz) },
	{ "highest memory clock, MHz", "max_clocks/mem_clock", 1, 0, 0, NUMBER(facts.max_memory_mhz) },
	{ "minor number", "minor_number", 1, 0, 0, NUMBER(facts.minor) },
	{ "MIG mode", "mig_mode/current_mig", 1, 0, 0, NUMBER(mig_current) },
	{ "MIG mode, pending", "mig_mode/pending_mig", 1, 0, 0, NUMBER(mig_pending) },
	{ "ECC mode", "ecc_mode/current_ecc", 1, 0, 0, NUMBER(facts.ecc_enabled) },
	{ "persistence mode", "persistence_mode", 1, 0, 0, NUMBER(facts.persistence) },
	{ "margin to the slow-down, C", "temperature/gpu_temp_tlimit", 1, 3, 0, NUMBER(margin_c) },
};

static const struct {
	const char *name, *path;
	size_t text; /* offset of a char array in struct gm_reading */
} texts[] = {
	{ "product", "product_name", offsetof(struct gm_reading, facts.name) },
	{ "UUID", "uuid", offsetof(struct gm_reading, facts.uuid) },
	{ "serial number", "serial", offsetof(struct gm_reading, facts.serial) },
	{ "VBIOS", "vbios_version", offsetof(struct gm_reading, facts.vbios) },
};

/* "81559 MiB", "71.50 W", "16x", "P0", "Enabled", "Yes"; false for "N/A", "[Unknown Error]", "". */
static bool number_of(struct gm_str text, double *out)
{
	static const struct {
		const char *word;
		double value;
	} words[] = { { "Enabled", 1 }, { "Disabled", 0 }, { "Yes", 1 },
		      { "No", 0 },	{ "Active", 1 },   { "Not Active", 0 } };
	for (size_t i = 0; i < GM_LEN(words); i++)
		if (gm_str_is(text, words[i].word)) {
			*out = words[i].value;
			return true;
		}
	if (text.n && text.p[0] == 'P')
		text = gm_str_n(text.p + 1, text.n - 1);
	size_t n = 0;
	while (n < text.n && (text.p[n] == '-' || text.p[n] == '.' || (text.p[n] >= '0' && text.p[n] <= '9')))
		n++;
	return n > 0 && gm_parse_f64(gm_str_n(text.p, n), out);
}

enum told { NOT_THERE, NO_VALUE, VALUE };

/* What nvidia-smi says for a row. */
static enum told their_value(struct gm_str gpu, const struct row *r, double *out)
{
	struct gm_str paths = gm_str(r->paths), way;
	enum told best = NOT_THERE;
	while (gm_str_split(&paths, '|', &way)) {
		struct gm_str parts = way, part;
		double sum = 0;
		unsigned values = 0;
		while (gm_str_split(&parts, '+', &part)) {
			char path[128];
			struct gm_str text;
			double v;
			if (!gm_str_copy(part, path, sizeof(path)) || !xml_text(gpu, path, &text))
				continue;
			best = NO_VALUE;
			if (!number_of(text, &v))
				continue;
			sum += v;
			values++;
		}
		if (values) {
			*out = sum;
			return VALUE;
		}
	}
	return best;
}

static bool our_value(const struct gm_reading *r, const struct row *row, double *out)
{
	if (row->field == GM_FIELD_COUNT) {
		int32_t v;
		memcpy(&v, (const char *)r + row->number, sizeof(v));
		*out = v;
		return v != INT32_MIN && (v != -1 || row->number == offsetof(struct gm_reading, margin_c));
	}
	*out = (double)r->sample.value[row->field] / pow(10, gm_field_table[row->field].decimals) / row->unit;
	return gm_sample_has(&r->sample, row->field);
}

/* How one attempt went for one row; the best of several counts, since values move. */
struct verdict {
	bool good, compared;
	char detail[160];
};

static void judge(const struct row *row, struct gm_str gpu, const struct gm_reading *before,
		  const struct gm_reading *after, struct verdict *v)
{
	double theirs = 0, a = 0, b = 0;
	enum told told = their_value(gpu, row, &theirs);
	bool ours = our_value(before, row, &a) && our_value(after, row, &b);
	v->compared = told != NOT_THERE;
	v->good = false;
	if (told == NO_VALUE) {
		v->good = !ours;
		(void)snprintf(v->detail, sizeof(v->detail),
			       ours ? "nvidia-smi has none, we say %g" : "unsupported, as nvidia-smi says", a);
	} else if (told == VALUE && !ours) {
		(void)snprintf(v->detail, sizeof(v->detail), "nvidia-smi says %.10g, we have none", theirs);
	} else {
		double slack = row->near + row->ratio * fabs(theirs) + 1e-9;
		v->good = theirs >= fmin(a, b) - slack && theirs <= fmax(a, b) + slack;
		(void)snprintf(v->detail, sizeof(v->detail), "%.10g, we say %.10g (within %.6g)", theirs, a, slack);
	}
}

/* MIG devices by their ids, and each one's memory. */
static void compare_instances(struct gm_str gpu, const struct gm_reading *r, unsigned index)
{
	struct gm_str list = { 0 }, device, gi, ci, total;
	unsigned theirs = 0, found = 0;
	(void)xml_child(gpu, GM_STR("mig_devices"), 0, &list);
	for (; xml_child(list, GM_STR("mig_device"), theirs, &device); theirs++) {
		double gi_id, ci_id, mib;
		if (!xml_text(device, "gpu_instance_id", &gi) || !xml_text(device, "compute_instance_id", &ci) ||
		    !xml_text(device, "fb_memory_usage/total", &total) || !number_of(gi, &gi_id) ||
		    !number_of(ci, &ci_id) || !number_of(total, &mib))
			continue;
		for (uint32_t i = 0; i < r->instance_count; i++)
			if (fabs(r->instances[i].gi - gi_id) < 0.5 && fabs(r->instances[i].ci - ci_id) < 0.5 &&
			    fabs((double)r->instances[i].memory_bytes / GM_MIB - mib) <= 1 + mib / 50)
				found++;
	}
	(void)suite_check(theirs == found && found == r->instance_count, "MIG devices",
			  "GPU %u: nvidia-smi lists %u, %u of them as we have them, of our %u", index, theirs, found,
			  r->instance_count);
}

static void compare_processes(struct gm_str gpu, const struct gm_reading *before, const struct gm_reading *after,
			      unsigned index)
{
	struct gm_str list = { 0 }, process, pid;
	unsigned theirs = 0, found = 0;
	(void)xml_child(gpu, GM_STR("processes"), 0, &list);
	for (; xml_child(list, GM_STR("process_info"), theirs, &process); theirs++) {
		double number = -1;
		bool is_known = false;
		if (xml_text(process, "pid", &pid) && number_of(pid, &number))
			for (unsigned k = 0; k < 2 && !is_known; k++) {
				const struct gm_reading *r = k ? after : before;
				for (uint32_t i = 0; i < r->process_count; i++)
					is_known = is_known || fabs(r->processes[i].pid - number) < 0.5;
			}
		found += is_known ? 1 : 0;
	}
	(void)suite_check(found == theirs, "processes", "GPU %u: nvidia-smi lists %u, we know %u of them", index,
			  theirs, found);
}

static void compare_texts(struct gm_str gpu, const struct gm_reading *r, unsigned index)
{
	for (size_t i = 0; i < GM_LEN(texts); i++) {
		struct gm_str theirs;
		const char *ours = (const char *)r + texts[i].text;
		if (!xml_text(gpu, texts[i].path, &theirs))
			continue;
		bool none = gm_str_is(theirs, "N/A");
		(void)suite_check(none ? !*ours : gm_str_is(theirs, ours), texts[i].name, "GPU %u: '%.*s', we say '%s'",
				  index, GM_STR_ARG(theirs), ours);
	}
	/* 00000000:1B:00.0 there, 0000:1b:00.0 here, as in sysfs. */
	struct gm_str bus, ours = gm_str(r->facts.pci_bus_id);
	if (xml_text(gpu, "pci/pci_bus_id", &bus))
		(void)suite_check(ours.n == 12 && bus.n == 16 && gm_str_ieq(gm_str_n(bus.p + 4, 12), ours),
				  "PCI address", "GPU %u: %.*s, we say %s", index, GM_STR_ARG(bus),
				  r->facts.pci_bus_id);
}

/* The board of this UUID in nvidia-smi's document: its order need not be the library's. */
static bool board_in(struct gm_str document, const char *uuid, struct gm_str *out)
{
	struct gm_str log, gpu, text;
	if (!xml_child(document, GM_STR("nvidia_smi_log"), 0, &log))
		return false;
	for (unsigned n = 0; xml_child(log, GM_STR("gpu"), n, &gpu); n++)
		if (xml_text(gpu, "uuid", &text) && gm_str_is(text, uuid)) {
			*out = gpu;
			return true;
		}
	return false;
}

static int read_now(struct gm_nvml_reader *reader, struct gm_reading *out)
{
	const struct gm_clock *clock = gm_clock_system();
	return gm_nvml_read(reader, gm_wall_ms(clock), gm_mono_ms(clock), out);
}

#define ATTEMPTS 4
static void compare_board(const struct suite *s, unsigned index)
{
	static struct gm_reading now, before; /* large */
	static struct verdict verdicts[GM_LEN(rows)];
	GM_AUTO(gm_buf_fini_p) struct gm_buf document = { 0 };
	struct gm_nvml_reader *reader = gm_nvml_reader_new(&s->lib, NULL, NULL, index);
	struct gm_str gpu = { 0 };
	memset(&now, 0, sizeof(now));
	memset(verdicts, 0, sizeof(verdicts));
	(void)read_now(reader, &now); /* the first has no rates, and no GPM */
	for (unsigned attempt = 0, open = 1; attempt < ATTEMPTS && open; attempt++) {
		(void)poll(NULL, 0, 200);
		int rc = read_now(reader, &now);
		before = now;
		if (!suite_smi(s, &document))
			goto out;
		int rc_after = read_now(reader, &now);
		if (rc != GM_NVML_SUCCESS || rc_after != GM_NVML_SUCCESS) {
			(void)suite_check(false, "reading", "GPU %u: %s", index,
					  gm_nvml_result_name(rc ? rc : rc_after));
			goto out;
		}
		if (!board_in(gm_buf_str(&document), now.facts.uuid, &gpu)) {
			(void)suite_check(false, "reading", "nvidia-smi has no GPU %s", now.facts.uuid);
			goto out;
		}
		open = 0;
		for (size_t i = 0; i < GM_LEN(rows); i++) {
			if (!verdicts[i].good)
				judge(&rows[i], gpu, &before, &now, &verdicts[i]);
			open += verdicts[i].compared && !verdicts[i].good;
		}
	}
	for (size_t i = 0; i < GM_LEN(rows); i++)
		if (verdicts[i].compared)
			(void)suite_check(verdicts[i].good, rows[i].name, "GPU %u: %s", index, verdicts[i].detail);
		else
			suite_note("%s: this nvidia-smi does not print it", rows[i].name);
	compare_texts(gpu, &now, index);
	compare_instances(gpu, &now, index);
	compare_processes(gpu, &before, &now, index);
out:
	gm_nvml_reader_free(reader);
}

void suite_readings(const struct suite *s)
{
	for (unsigned i = 0; i < s->boards; i++)
		compare_board(s, i);
}
