/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVML_READER_INTERNAL_H
#define GM_ADAPTER_NVML_READER_INTERNAL_H

#include "adapter/nvml/reading.h"

/* What a board said that it cannot tell is asked again after this; facts are as old as that at most. */
#define GM_READER_AGAIN_MS 60000
#define GM_READER_ROWS_MAX 80
#define GM_READER_BATCH_MAX 40

/* The GPM metrics that are asked, by slot. */
#define GM_READER_GPM_LIST(X)                                                                                          \
	X(GRAPHICS, GM_NVML_GPM_GRAPHICS_UTIL)                                                                         \
	X(SM, GM_NVML_GPM_SM_UTIL)                                                                                     \
	X(OCCUPANCY, GM_NVML_GPM_SM_OCCUPANCY)                                                                         \
	X(TENSOR, GM_NVML_GPM_TENSOR_UTIL)                                                                             \
	X(DRAM, GM_NVML_GPM_DRAM_UTIL)                                                                                 \
	X(PCIE_TX, GM_NVML_GPM_PCIE_TX_MIB_S)                                                                          \
	X(PCIE_RX, GM_NVML_GPM_PCIE_RX_MIB_S)                                                                          \
	X(NVLINK_RX, GM_NVML_GPM_NVLINK_RX_MIB_S)                                                                      \
	X(NVLINK_TX, GM_NVML_GPM_NVLINK_TX_MIB_S)
enum gm_reader_gpm_slot {
#define GM_READER_GPM_ENUM(name, id) GM_READER_GPM_##name,
	GM_READER_GPM_LIST(GM_READER_GPM_ENUM)
#undef GM_READER_GPM_ENUM
		GM_READER_GPM_COUNT
};

/* Two samples of the board (gi -1) or of a GPU instance, and what came of them. */
struct gm_reader_gpm {
	bool used, is_read; /* is_read: this round */
	int16_t gi;
	uint64_t key; /* of the instances' UUIDs: another one is another GPU instance under the same id */
	struct gm_nvml_gpm_sample *samples[2];
	unsigned newest;
	bool has_sample;
	int64_t at_ms;	  /* of the newest */
	int64_t again_ms; /* not asked before this */
	int rc;		  /* of the last round; NO_DATA while there is one sample only */
	int metric_rc[GM_READER_GPM_COUNT];
	double value[GM_READER_GPM_COUNT];
};

/* A compute instance as it was met: asked again only when the handle at its index has another UUID. */
struct gm_reader_mig_entry {
	struct gm_nvml_device *device; /* NULL: a hole */
	bool whole;		       /* everything about it was told */
	struct gm_reading_instance told;
};

/* A counter that becomes a rate. */
struct gm_reader_rate {
	bool has_last;
	uint64_t last;
	int64_t mono_ms, at_us;
};

/* Calls that the values of a round come of. */
enum gm_reader_call {
	GM_READER_CALL_UTILIZATION, /* board, memory controller */
	GM_READER_CALL_ENCODER,
	GM_READER_CALL_DECODER,
	GM_READER_CALL_MEMORY, /* used, free, reserved, total */
	GM_READER_CALL_BAR1,
	GM_READER_CALL_TEMPERATURE,
	GM_READER_CALL_MARGIN,
	GM_READER_CALL_POWER,
	GM_READER_CALL_POWER_LIMIT,
	GM_READER_CALL_ENERGY,
	GM_READER_CALL_SM_CLOCK,
	GM_READER_CALL_MEMORY_CLOCK,
	GM_READER_CALL_PSTATE,
	GM_READER_CALL_THROTTLE,
	GM_READER_CALL_FAN,
	GM_READER_CALL_ECC,	 /* corrected, uncorrected */
	GM_READER_CALL_ECC_EVER, /* the same, of the board's life */
	GM_READER_CALL_REMAPPED, /* correctable, uncorrectable, pending, failure */
	GM_READER_CALL_RETIRED,
	GM_READER_CALL_RETIRED_PENDING,
	GM_READER_CALL_PCIE_LINK, /* generation, width */
	GM_READER_CALL_PCIE_REPLAY,
	GM_READER_CALL_PCIE_THROUGHPUT, /* TX, RX */
	GM_READER_CALL_NVLINK,
	GM_READER_CALL_NVLINKS_UP,
	GM_READER_CALL_COUNT
};

/* What a call answered; several values of a reading may come of one call. */
struct gm_reader_memo {
	bool is_done;
	int64_t at_ms;
	int rc;
	int64_t value[4];
};

struct gm_nvml_reader {
	const struct gm_nvml *lib;
	const struct gm_nvml_probe *probe;
	char uuid[48];
	unsigned index;
	struct gm_nvml_device *device; /* NULL: to be taken */

	/* of the round */
	int64_t now_ms, mono_ms;
	int fatal;	   /* a code that ends the round: no further call is made */
	int last_error;	   /* of a call that failed in earnest */
	bool has_answered; /* one call at least succeeded */

	struct gm_reading_facts facts;
	int64_t facts_due_ms;
	bool is_pcie_blocking; /* this round's PCIe values are of the call that blocks */

	int64_t row_again_ms[GM_READER_ROWS_MAX];
	struct gm_reader_rate rates[GM_READER_ROWS_MAX];
	struct gm_reader_memo memos[GM_READER_CALL_COUNT];
	struct gm_nvml_field batch[GM_READER_BATCH_MAX];
	unsigned batch_count;
	int batch_rc;

	int32_t mig_current, mig_pending;
	int64_t mig_again_ms;
	uint32_t mig_max;
	uint32_t profile_count;
	struct gm_reading_profile profiles[GM_READING_PROFILES_MAX];
	struct gm_reader_mig_entry mig[GM_READING_INSTANCES_MAX];
	struct gm_reader_gpm gpm, gi_gpm[GM_READING_INSTANCES_MAX];

	int64_t processes_due_ms;
	int64_t processes_again_ms[3], details_again_ms;
	struct gm_reading_process
		processes[2][GM_READING_PROCESSES_MAX]; /* the list, and the one before or in the making */
	unsigned processes_now;
	uint32_t process_count;
	int process_rc;
	bool processes_truncated, process_list_odd;
	void *process_buffer;
	uint32_t process_capacity;
};

/* A call of the reader: none is made once the board or the driver is gone in this round. */
#define GM_READER_CALL(reader_, member, ...)                                                                           \
	({                                                                                                             \
		struct gm_nvml_reader *gm_reader_ = (reader_);                                                         \
		gm_reader_->fatal                                                                                      \
			? gm_reader_->fatal                                                                            \
			: gm_reader_note(gm_reader_, GM_NVML_SYMBOL_##member,                                          \
					 GM_NVML_CALL(gm_reader_->lib, gm_reader_->probe, member, __VA_ARGS__));       \
	})
/* Remembers what the answer means for the round, and gives it back. */
int gm_reader_note(struct gm_nvml_reader *r, enum gm_nvml_symbol symbol, int rc);

/* reader-facts.c. The board's handle is there. */
void gm_reader_facts(struct gm_nvml_reader *r);
void gm_reader_profiles(struct gm_nvml_reader *r);
/* Copies a text that the library filled, if it is one that may be shown; else "". */
void gm_reader_text(char *out, size_t size, const char *text, size_t text_size);
/* `count` fields asked at once, with what is in id and scope; their rc is 999 where the library left it. */
int gm_reader_fields(struct gm_nvml_reader *r, struct gm_nvml_field *fields, unsigned count);
/* A whole number of what the library says; false for a type or number that makes no sense. */
bool gm_reader_field_value(const struct gm_nvml_field *f, int64_t *out);

/* reader-values.c: the board's own values, by the table. */
void gm_reader_values(struct gm_nvml_reader *r, struct gm_reading *out);

/* reader-calls.c. Forgets the answers of the round before, but those that are asked less often. */
void gm_reader_calls_begin(struct gm_nvml_reader *r);
/* The answer, asked for at most once a round. */
const struct gm_reader_memo *gm_reader_call(struct gm_nvml_reader *r, enum gm_reader_call call);
/* used, free, reserved (-1: not told), total; of a board or an instance. */
int gm_reader_memory(struct gm_nvml_reader *r, struct gm_nvml_device *d, int64_t value[4]);

/* reader-mig.c */
void gm_reader_mig_mode(struct gm_nvml_reader *r);
void gm_reader_mig(struct gm_nvml_reader *r, struct gm_reading *out);
/* A slice's sample without any value. */
void gm_reader_mig_miss(struct gm_sample *out, int64_t now_ms, bool has_gpm);

/* reader-gpm.c */
void gm_reader_gpm(struct gm_nvml_reader *r, struct gm_reader_gpm *g);
/* The state for a GPU instance; a new one when the key is not that of before. NULL: no room. */
struct gm_reader_gpm *gm_reader_gpm_of(struct gm_nvml_reader *r, int16_t gi, uint64_t key);
/* A percentage in hundredths, or MiB/s in bytes/s. 0, or why not: NVML's code. */
int gm_reader_gpm_value(const struct gm_reader_gpm *g, enum gm_reader_gpm_slot slot, int64_t *out);
/* Gives the place of GPU instances that were not read this round to others. */
void gm_reader_gpm_retire(struct gm_nvml_reader *r);
void gm_reader_gpm_drop(struct gm_nvml_reader *r);
void gm_reader_gpm_free(struct gm_nvml_reader *r);

/* reader-processes.c */
void gm_reader_processes(struct gm_nvml_reader *r, struct gm_reading *out);
struct gm_reader_record {
	uint32_t pid, gi, ci;
	uint64_t used;
};
/*
 * Which record size the library wrote into `buffer`, which was filled with GM_READER_FILL before: 24 as documented, 32 in
 * R535.43 to 535.86, or another that makes sense of it. 0: none does.
 */
#define GM_READER_FILL 0xa5
#define GM_READER_STRIDE_MAX 48
size_t gm_reader_stride(const uint8_t *buffer, uint32_t count, int64_t memory_total);
struct gm_reader_record gm_reader_record_at(const uint8_t *buffer, size_t stride, uint32_t i);

#endif
