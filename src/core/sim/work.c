/* SPDX-License-Identifier: MIT */
#include "core/sim/sim-internal.h"

#include <stdio.h>

#include "core/sim/noise.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define PART(permille) ((int32_t)((int64_t)(permille)*SIM_ONE / 1000))

/* What the hash of a moment is asked for: one number a question, so that answers do not go together. */
enum { ASK_FAST = 1, ASK_SLOW, ASK_BURST, ASK_JOB, ASK_SESSION, ASK_CELL, ASK_TRAIT, ASK_NAME, ASK_UID };

/* The world's users live at UTC+9; per mille of the day's peak at each full hour there. */
#define ZONE_MS (9 * HOUR)
static const uint16_t day_curve[25] = { 260, 190, 150,	130, 120, 140, 210, 360, 580, 800, 920, 960, 820,
					850, 970, 1000, 980, 900, 770, 720, 740, 700, 540, 370, 260 };

static int32_t day_part(int64_t t_ms)
{
	int64_t local = t_ms + ZONE_MS, day = local / DAY, in_day = local - day * DAY, hour = in_day / HOUR;
	int64_t permille = sim_lerp(day_curve[hour], day_curve[hour + 1], (in_day - hour * HOUR) * SIM_ONE / HOUR);
	int64_t weekday = (day + 4) % 7; /* 0: Sunday */
	return (int32_t)(permille * SIM_ONE / 1000 * (weekday == 0 || weekday == 6 ? 70 : 100) / 100);
}

/* Requests come with the day, wander, and now and then in a burst of half a minute to three. */
static int64_t serving_load(const struct sim_work *w, int64_t t_ms)
{
	int64_t load = w->base + (int64_t)w->day * day_part(t_ms) / SIM_ONE;
	load += w->noise * sim_wander(w->seed, ASK_FAST, t_ms, 40 * SECOND) / SIM_ONE;
	load += w->noise * sim_wander(w->seed, ASK_SLOW, t_ms, 7 * MINUTE) / SIM_ONE;
	int64_t window = t_ms / (10 * MINUTE), at = t_ms % (10 * MINUTE);
	uint64_t h = sim_hash(w->seed, ASK_BURST, (uint64_t)window);
	if ((h & 0xff) < 60) {
		int64_t begin = sim_between(h >> 8 & 0xffffff, 0, 6 * MINUTE);
		int64_t lasts = sim_between(h >> 32, 30 * SECOND, 3 * MINUTE);
		if (at >= begin && at < begin + lasts)
			load += w->burst;
	}
	return sim_clamp(load, PART(5), PART(995));
}

bool sim_work_running(const struct sim_work *w, int64_t t_ms, int64_t *out_job)
{
	if (w->kind != SIM_TRAINING) {
		*out_job = 0;
		return true;
	}
	int64_t t = t_ms + w->phase_ms;
	*out_job = t / w->job_ms;
	return t - *out_job * w->job_ms < w->run_ms;
}

/* Reading data first, then a plateau with a dip at each checkpoint and an evaluation after every fourth. */
static int64_t training_load(const struct sim_work *w, int64_t t_ms)
{
	int64_t t = t_ms + w->phase_ms, in_job = t % w->job_ms;
	if (in_job >= w->run_ms)
		return 0;
	int64_t fast = sim_wander(w->seed, ASK_FAST, t_ms, 20 * SECOND), round = in_job / w->checkpoint_ms;
	if (in_job < 3 * MINUTE)
		return PART(170) + PART(90) * fast / SIM_ONE;
	int64_t in_round = in_job - round * w->checkpoint_ms;
	if (round > 0 && in_round < 45 * SECOND)
		return PART(60) + PART(30) * fast / SIM_ONE;
	if (round > 0 && round % 4 == 0 && in_round < 4 * MINUTE)
		return PART(640) + PART(80) * fast / SIM_ONE;
	int64_t load = PART(968) + PART(18) * fast / SIM_ONE;
	return load + PART(12) * sim_wander(w->seed, ASK_SLOW, t_ms, 11 * MINUTE) / SIM_ONE;
}

static uint64_t session(const struct sim_work *w, int64_t t_ms)
{
	return sim_hash(w->seed, ASK_SESSION, (uint64_t)(t_ms / (25 * MINUTE)));
}

/* Somebody works in a third of the sessions; a cell runs in half of its half minutes. */
static int64_t notebook_load(const struct sim_work *w, int64_t t_ms)
{
	if (session(w, t_ms) % 3)
		return 0;
	uint64_t h = sim_hash(w->seed, ASK_CELL, (uint64_t)(t_ms / (30 * SECOND)));
	if (h & 1)
		return 0;
	return sim_between(h >> 1, PART(250), PART(950));
}

int32_t sim_work_load(const struct sim_work *w, int64_t t_ms)
{
	switch (w->kind) {
	case SIM_SERVING:
		return (int32_t)serving_load(w, t_ms);
	case SIM_TRAINING:
		return (int32_t)training_load(w, t_ms);
	case SIM_NOTEBOOK:
		return (int32_t)notebook_load(w, t_ms);
	case SIM_IDLE:
		break;
	}
	return 0;
}

int32_t sim_work_memory(const struct sim_work *w, int64_t t_ms)
{
	int64_t job;
	if (!sim_work_running(w, t_ms, &job))
		return 0;
	if (w->kind == SIM_TRAINING) /* another batch size each job */
		return (int32_t)(w->memory - sim_between(sim_hash(w->seed, ASK_JOB, (uint64_t)job), 0, PART(150)));
	if (w->kind == SIM_NOTEBOOK)
		return (int32_t)sim_between(session(w, t_ms), PART(20), w->memory);
	return w->memory;
}

/* Names: what runs where. boards: how many it spans; gb: the least memory of each that it wants. */
struct program {
	enum sim_work_kind kind;
	int boards;
	int64_t least_gb, most_gb;
	const char *stem, *container, *namespace_;
};
static const struct program programs[] = {
	{ SIM_SERVING, 1, 0, 12, "vllm-qwen2-5-1-5b", "vllm", "model-serving" },
	{ SIM_SERVING, 1, 0, 12, "vllm-phi-3-mini", "vllm", "chat-prod" },
	{ SIM_SERVING, 1, 0, 12, "sglang-gemma-2b", "sglang", "rag-staging" },
	{ SIM_SERVING, 1, 0, 12, "vllm-bge-m3-embed", "vllm", "search-prod" },
	{ SIM_SERVING, 1, 0, 12, "vllm-bge-reranker", "vllm", "search-prod" },
	{ SIM_SERVING, 1, 13, 24, "vllm-llama2-7b", "vllm", "model-serving" },
	{ SIM_SERVING, 1, 13, 24, "vllm-mistral-7b", "vllm", "chat-prod" },
	{ SIM_SERVING, 1, 13, 24, "sglang-qwen2-5-7b", "sglang", "model-serving" },
	{ SIM_SERVING, 1, 13, 32, "vllm-llama3-8b", "vllm", "chat-prod" },
	{ SIM_SERVING, 1, 33, 48, "vllm-llama2-13b", "vllm", "model-serving" },
	{ SIM_SERVING, 1, 25, 48, "sglang-phi-3-medium", "sglang", "rag-staging" },
	{ SIM_SERVING, 1, 25, 48, "vllm-codellama-13b", "vllm", "code-assist" },
	{ SIM_SERVING, 1, 49, 1000, "vllm-qwen2-5-32b", "vllm", "chat-prod" },
	{ SIM_SERVING, 1, 49, 1000, "sglang-deepseek-coder-33b", "sglang", "code-assist" },
	{ SIM_SERVING, 1, 49, 1000, "vllm-yi-34b", "vllm", "model-serving" },
	{ SIM_SERVING, 2, 0, 1000, "vllm-llama3-70b", "vllm", "model-serving" },
	{ SIM_SERVING, 2, 0, 1000, "sglang-qwen2-72b", "sglang", "chat-prod" },
	{ SIM_SERVING, 4, 0, 1000, "vllm-mixtral-8x22b", "vllm", "model-serving" },
	{ SIM_SERVING, 4, 0, 1000, "sglang-deepseek-v2", "sglang", "chat-prod" },
	{ SIM_TRAINING, 0, 0, 1000, "llama3-8b-sft", "trainer", "ai-research" },
	{ SIM_TRAINING, 0, 0, 1000, "qwen2-dpo", "trainer", "ai-research" },
	{ SIM_TRAINING, 0, 0, 1000, "mixtral-lora", "trainer", "nlp-team" },
	{ SIM_TRAINING, 0, 0, 1000, "bert-ko-mlm", "pytorch", "nlp-team" },
	{ SIM_TRAINING, 0, 0, 1000, "whisper-ko-finetune", "pytorch", "speech-team" },
	{ SIM_TRAINING, 0, 0, 1000, "vit-pretrain", "pytorch", "vision-team" },
	{ SIM_NOTEBOOK, 0, 0, 1000, "jupyter-minji", "notebook", "notebooks" },
	{ SIM_NOTEBOOK, 0, 0, 1000, "jupyter-seojun", "notebook", "notebooks" },
	{ SIM_NOTEBOOK, 0, 0, 1000, "jupyter-haeun", "notebook", "notebooks" },
	{ SIM_NOTEBOOK, 0, 0, 1000, "jupyter-lena", "notebook", "notebooks" },
	{ SIM_IDLE, 0, 0, 1000, "sweep-agent", "main", "ai-research" },
	{ SIM_IDLE, 0, 0, 1000, "debug-shell", "main", "nlp-team" },
	{ SIM_IDLE, 0, 0, 1000, "old-demo", "main", "rag-staging" },
};
static const char *const kind_names[] = {
	[SIM_SERVING] = "serving", [SIM_TRAINING] = "training", [SIM_NOTEBOOK] = "notebook", [SIM_IDLE] = "idle"
};

static bool fits(const struct program *p, enum sim_work_kind kind, int boards, int64_t gb)
{
	return p->kind == kind && (!p->boards || p->boards == boards) && gb >= p->least_gb && gb <= p->most_gb;
}

static const struct program *choose(enum sim_work_kind kind, uint64_t seed, int boards, int64_t gb)
{
	uint64_t count = 0;
	for (size_t i = 0; i < GM_LEN(programs); i++)
		count += fits(&programs[i], kind, boards, gb);
	uint64_t nth = count ? sim_hash(seed, ASK_NAME, 0) % count : 0;
	for (size_t i = 0; i < GM_LEN(programs); i++) {
		if (fits(&programs[i], kind, boards, gb) && nth-- == 0)
			return &programs[i];
	}
	return &programs[0];
}

/* Letters that Kubernetes itself ends names with. */
static void suffix(uint64_t hash, char out[static 6])
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	for (int i = 0; i < 5; i++, hash /= sizeof(letters) - 1)
		out[i] = letters[hash % (sizeof(letters) - 1)];
	out[5] = '\0';
}

static void name_pod(struct sim_work *w, int64_t job)
{
	char tail[6];
	uint64_t h = sim_hash(w->seed, ASK_NAME, (uint64_t)job + 1);
	suffix(h, tail);
	w->job = job;
	if (w->kind == SIM_SERVING)
		(void)snprintf(w->pod_name, sizeof(w->pod_name), "%s-%08x%02x-%s", w->stem, (unsigned)(h >> 32),
			       (unsigned)(h >> 24 & 0xff), tail);
	else if (w->kind == SIM_TRAINING)
		(void)snprintf(w->pod_name, sizeof(w->pod_name), "%s-%lld-master-0", w->stem, (long long)(job % 10000));
	else
		(void)snprintf(w->pod_name, sizeof(w->pod_name), "%s-%s", w->stem, tail);
	sim_uuid(sim_hash(w->seed, ASK_UID, (uint64_t)job), "", '4', w->uid, sizeof(w->uid));
}

bool sim_work_name(struct sim_work *w, int64_t t_ms)
{
	int64_t job;
	bool running = sim_work_running(w, t_ms, &job);
	if (job != w->job)
		name_pod(w, job);
	return running;
}

/* Per mille from..to of a trait. */
static int32_t trait(const struct sim_work *w, unsigned which, int64_t from, int64_t to)
{
	return PART(sim_between(sim_hash(w->seed, ASK_TRAIT, which), from, to));
}

static void init_serving(struct sim_work *w, int boards)
{
	w->base = trait(w, 1, 60, 260);
	w->day = trait(w, 2, 250, 600);
	w->noise = trait(w, 3, 30, 90);
	w->burst = trait(w, 4, 150, 400);
	w->power = trait(w, 5, 480, 760); /* decoding waits for memory, so power stays below the limit */
	w->sm = trait(w, 6, 500, 800);
	w->tensor = trait(w, 7, 120, 380);
	w->dram = trait(w, 8, 450, 820);
	w->memory = trait(w, 9, 880, 930); /* vLLM and SGLang take a fixed part of the board at their start */
	w->pcie_bps = sim_between(sim_hash(w->seed, ASK_TRAIT, 10), 80, 900) * 1000000;
	w->nvlink_bps = boards > 1 ? sim_between(sim_hash(w->seed, ASK_TRAIT, 11), 4, 40) * 1000000000 : 0;
}

static void init_training(struct sim_work *w, int boards)
{
	w->job_ms = sim_between(sim_hash(w->seed, ASK_TRAIT, 1), 240, 720) * MINUTE;
	w->run_ms = w->job_ms / 1000 * sim_between(sim_hash(w->seed, ASK_TRAIT, 2), 880, 970);
	w->phase_ms = sim_between(sim_hash(w->seed, ASK_TRAIT, 3), 0, w->job_ms - 1);
	w->checkpoint_ms = sim_between(sim_hash(w->seed, ASK_TRAIT, 4), 15, 40) * MINUTE;
	w->power = trait(w, 5, 900, 1060); /* some reach the limit */
	w->sm = trait(w, 6, 820, 950);
	w->tensor = trait(w, 7, 380, 640);
	w->dram = trait(w, 8, 350, 600);
	w->memory = trait(w, 9, 780, 960);
	w->pcie_bps = sim_between(sim_hash(w->seed, ASK_TRAIT, 10), 1000, 6000) * 1000000;
	w->nvlink_bps = boards > 1 ? sim_between(sim_hash(w->seed, ASK_TRAIT, 11), 60, 200) * 1000000000 : 0;
}

void sim_work_init(struct sim_work *w, enum sim_work_kind kind, uint64_t seed, int boards, int64_t memory_gb)
{
	const struct program *p = choose(kind, seed, boards, memory_gb);
	*w = (struct sim_work){ .kind = kind, .seed = seed, .stem = p->stem, .job = -1 };
	w->pod = (struct gm_sim_pod){ .namespace_ = p->namespace_,
				      .pod = w->pod_name,
				      .container = p->container,
				      .uid = w->uid,
				      .workload = kind_names[kind] };
	switch (kind) {
	case SIM_SERVING:
		init_serving(w, boards);
		break;
	case SIM_TRAINING:
		init_training(w, boards);
		break;
	case SIM_NOTEBOOK:
	case SIM_IDLE:
		w->power = trait(w, 5, 400, 700);
		w->sm = trait(w, 6, 300, 700);
		w->tensor = trait(w, 7, 30, 250);
		w->dram = trait(w, 8, 150, 400);
		w->memory = trait(w, 9, 120, 700);
		w->pcie_bps = sim_between(sim_hash(w->seed, ASK_TRAIT, 10), 20, 400) * 1000000;
		break;
	}
	name_pod(w, 0);
}
