/* SPDX-License-Identifier: MIT */
#include "core/sim/sim-internal.h"

#include "core/sim/noise.h"

#define MIB (INT64_C(1) << 20)
#define LAG_MS 40000 /* in which a board covers most of the way to its new temperature */

/* NVML's bits. */
#define REASON_IDLE UINT64_C(0x1)
#define REASON_SW_POWER_CAP UINT64_C(0x4)
#define REASON_HW_SLOWDOWN UINT64_C(0x8)
#define REASON_SW_THERMAL UINT64_C(0x20)
#define REASON_HW_THERMAL UINT64_C(0x40)
#define REASON_HW_POWER_BRAKE UINT64_C(0x80)

#define BIT(kind) (UINT32_C(1) << GM_SIM_FAULT_##kind)
#define BOARD_FAULTS (BIT(OVERHEAT) | BIT(THROTTLE) | BIT(LOST))
#define ECC_FAULTS (BIT(ECC_SBE) | BIT(ECC_DBE))

enum { ASK_SHAKE = 0x31, ASK_SKEW, ASK_REPLAY, ASK_AGE, ASK_ROWS };

/* What a commanded load looks like where there is no workload to take its manners from. */
static const struct sim_work steady = { .power = SIM_ONE * 85 / 100,
					.sm = SIM_ONE * 80 / 100,
					.tensor = SIM_ONE * 40 / 100,
					.dram = SIM_ONE * 50 / 100,
					.pcie_bps = 500000000,
					.nvlink_bps = 0 };

/* slice -1: the whole board. */
static int held_percent(const struct gm_sim *s, size_t index, int slice)
{
	if (gm_likely(!s->live))
		return -1;
	return slice < 0 ? s->live[index].board.load_percent : s->live[index].uses[slice].load_percent;
}

static const struct sim_work *work_of(const struct gm_sim *s, size_t index, int slice)
{
	const struct sim_board *b = &s->boards[index];
	int work = slice < 0 ? b->work : b->instance_work[slice];
	if (work >= 0)
		return &s->works[work];
	return held_percent(s, index, slice) >= 0 ? &steady : NULL;
}

static int32_t work_load(const struct gm_sim *s, size_t index, int slice, const struct sim_work *w, int64_t t_ms)
{
	int percent = held_percent(s, index, slice);
	return percent >= 0 ? (percent * SIM_ONE + 99) / 100 : w ? sim_work_load(w, t_ms) : 0;
}

/* Sets the knot's loads; the answer is the part of the board's power range that they ask for. */
static int64_t load_board(const struct gm_sim *s, size_t index, int64_t t_ms, struct sim_knot *k)
{
	const struct gm_sim_device *d = &s->devices[index];
	int64_t load = 0, demand = 0;
	if (d->mig_enabled) {
		for (int i = 0; i < d->instance_count; i++) {
			const struct sim_work *w = work_of(s, index, i);
			int64_t slices = d->instances[i].slices;
			k->instance_load[i] = work_load(s, index, i, w, t_ms);
			load += k->instance_load[i] * slices;
			demand += w ? k->instance_load[i] * slices * w->power / SIM_ONE : 0;
		}
		load /= d->variant->mig->compute_slices;
		demand /= d->variant->mig->compute_slices;
	} else {
		const struct sim_work *w = work_of(s, index, -1);
		load = work_load(s, index, -1, w, t_ms);
		if (held_percent(s, index, -1) < 0) /* boards of one job do not run quite alike */
			load -= load * (int64_t)(s->boards[index].seed & 0x3ff) / (SIM_ONE / 2);
		demand = w ? load * w->power / SIM_ONE : 0;
	}
	k->load = (int32_t)load;
	return demand;
}

static int32_t settled_mc(const struct sim_board *b, int64_t power_mw, const struct sim_faults *f)
{
	return b->ambient_mc + (int32_t)(b->traits->rise_mc * power_mw / b->traits->limit_mw) + f->overheat_c * 1000;
}

/* What keeps a board just above its threshold: slowed for as long as it would be too hot, without flapping. */
static int64_t cool_mw(const struct sim_board *b, const struct sim_faults *f)
{
	const struct sim_traits *t = b->traits;
	int64_t room_mc = t->slowdown_mc + 1500 - b->ambient_mc - (int64_t)f->overheat_c * 1000;
	return sim_clamp(t->limit_mw * room_mc / t->rise_mc, t->limit_mw * 3 / 10, t->limit_mw);
}

/* Power within what faults, heat and the limit leave; why it is held back goes to the reasons. */
static void power_board(const struct sim_board *b, int64_t demand, int32_t before_mc, struct sim_knot *k)
{
	const struct sim_traits *t = b->traits;
	int64_t cap = t->limit_mw;
	k->throttle = 0;
	if (before_mc >= t->slowdown_mc) {
		cap = cool_mw(b, &k->faults);
		k->throttle |= REASON_SW_THERMAL;
		if (before_mc >= t->slowdown_mc + 2000)
			k->throttle |= REASON_HW_THERMAL | REASON_HW_SLOWDOWN;
	}
	if (k->faults.active & BIT(THROTTLE)) {
		int64_t braked = t->limit_mw * sim_clamp(k->faults.brake_percent, 10, 100) / 100;
		cap = braked < cap ? braked : cap;
		k->throttle |= REASON_HW_POWER_BRAKE | REASON_HW_SLOWDOWN;
	}
	k->power_mw = t->idle_mw + (t->limit_mw - t->idle_mw) * demand / SIM_ONE;
	if (k->power_mw > cap) {
		k->power_mw = cap;
		if (!k->throttle)
			k->throttle = REASON_SW_POWER_CAP;
	}
	if (!k->throttle && k->load < SIM_ONE / 200)
		k->throttle = REASON_IDLE;
}

void sim_board_faults(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t t_ms, struct sim_faults *out)
{
	struct sim_board *b = &s->boards[index];
	uint32_t kinds = BOARD_FAULTS | (b->traits->ecc ? ECC_FAULTS : 0);
	if (b->work >= 0 || s->devices[index].mig_enabled) /* it takes a program to fault like one */
		kinds |= BIT(XID);
	sim_faults_at(&s->plan, &b->cache, b->seed, kinds, t_ms, out);
	if (!node->scenario_count)
		return;
	sim_scenario_at(node->scenario, node->scenario_count, s->devices[index].index, t_ms, s->step_ms, out);
	if (!b->traits->ecc) {
		out->active &= ~ECC_FAULTS;
		out->begins &= ~ECC_FAULTS;
		out->ends &= ~ECC_FAULTS;
	}
}

/* What the faults of the knot do to the counters; a reset at the end of the worst ones begins them anew. */
void sim_board_count(struct sim_board *b, const struct sim_faults *f)
{
	if (gm_likely(!(f->begins | f->ends)))
		return;
	if (f->ends & (BIT(LOST) | BIT(ECC_DBE))) {
		b->energy_uj = b->xid = b->sbe = b->dbe = b->replay = 0;
		b->remap_pending = false;
	}
	if (f->begins & BIT(XID))
		b->xid = f->xid;
	if (f->begins & BIT(ECC_SBE))
		b->sbe += f->sbe;
	if (f->begins & BIT(ECC_DBE)) {
		b->dbe += f->dbe;
		b->remapped++;
		b->remap_pending = true;
		b->xid = b->seed & 1 ? 48 : 94;
	}
	if (f->begins & BIT(LOST))
		b->xid = 79;
}

/* When `now` is, given the number of its knot: at the knot, or later when it was cut. */
static int64_t from_ms(const struct gm_sim *s, size_t index, int64_t knot)
{
	return gm_unlikely(s->live != NULL) ? s->live[index].from_ms : knot * s->step_ms;
}

/* Load, power and temperature of the knot `knot`, whose faults are known. */
static void aim_knot(const struct gm_sim *s, size_t index, int64_t knot)
{
	struct sim_board *b = &s->boards[index];
	int64_t t_ms = knot * s->step_ms;
	int64_t demand = load_board(s, index, s->start_ms + t_ms, &b->next);
	power_board(b, demand, b->now.temperature_mc, &b->next);
	int32_t aim = settled_mc(b, b->next.power_mw, &b->next.faults), had = b->now.temperature_mc;
	int32_t moved = had + (int32_t)((aim - had) * (t_ms - from_ms(s, index, knot - 1)) / LAG_MS);
	b->next.temperature_mc = moved < b->traits->ceiling_mc ? moved : b->traits->ceiling_mc;
}

static void next_knot(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t knot)
{
	sim_board_faults(s, node, index, knot * s->step_ms, &s->boards[index].next.faults);
	aim_knot(s, index, knot);
}

void sim_board_begin(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t knot)
{
	struct sim_board *b = &s->boards[index];
	int64_t t_ms = knot * s->step_ms;
	b->cache = (struct sim_fault_cache){ 0 };
	b->now = (struct sim_knot){ 0 };
	sim_board_faults(s, node, index, t_ms, &b->now.faults);
	power_board(b, load_board(s, index, s->start_ms + t_ms, &b->now), 0, &b->now);
	b->now.temperature_mc =
		(int32_t)sim_clamp(settled_mc(b, b->now.power_mw, &b->now.faults), 0, b->traits->ceiling_mc);
	b->energy_uj = b->xid = b->sbe = b->dbe = b->replay = 0;
	b->remap_pending = false;
	if (knot == 0) { /* the world does not begin with new boards */
		int64_t age_s = sim_between(sim_hash(b->seed, ASK_AGE, 0), 3600, 40 * 86400);
		b->energy_uj = (b->traits->idle_mw + b->traits->limit_mw) / 2 * 1000 * age_s;
	}
	b->remapped = sim_hash(b->seed, ASK_ROWS, 0) % 40 == 0;
	if (b->traits->ecc && t_ms > 0)
		b->remapped += sim_faults_remapped(&s->plan, b->seed, t_ms - 1);
	sim_board_count(b, &b->now.faults);
	if (s->live)
		s->live[index].from_ms = t_ms;
	next_knot(s, node, index, knot + 1);
}

/* What goes over the links at a knot. */
static void traffic_at(const struct gm_sim *s, size_t index, const struct sim_knot *k, int64_t *out_pcie_bps,
		       int64_t *out_nvlink_bps)
{
	const struct gm_sim_device *d = &s->devices[index];
	*out_pcie_bps = *out_nvlink_bps = 0;
	for (int i = 0; d->mig_enabled && i < d->instance_count; i++) {
		const struct sim_work *w = work_of(s, index, i);
		*out_pcie_bps += w ? w->pcie_bps / 4 * k->instance_load[i] / SIM_ONE : 0;
	}
	const struct sim_work *w = d->mig_enabled ? NULL : work_of(s, index, -1);
	if (!w)
		return;
	*out_pcie_bps = w->pcie_bps * k->load / SIM_ONE;
	*out_nvlink_bps = s->boards[index].traits->nvlink ? w->nvlink_bps * k->load / SIM_ONE : 0;
}

void sim_board_traffic(const struct gm_sim *s, size_t index, int64_t part, int64_t ms, struct sim_counts *io)
{
	const struct sim_board *b = &s->boards[index];
	int64_t pcie[2], nvlink[2];
	traffic_at(s, index, &b->now, &pcie[0], &nvlink[0]);
	traffic_at(s, index, &b->next, &pcie[1], &nvlink[1]);
	io->pcie_rx_bytes += (pcie[0] + sim_lerp(pcie[0], pcie[1], part)) / 2 * ms / 1000;
	io->nvlink_bytes += (nvlink[0] + sim_lerp(nvlink[0], nvlink[1], part)) / 2 * ms / 1000;
	for (int i = 0; i < GM_SIM_REASONS; i++)
		io->throttle_ms[i] += b->now.throttle >> i & 1 ? ms : 0;
}

void sim_board_step(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t knot)
{
	struct sim_board *b = &s->boards[index];
	int64_t t_ms = knot * s->step_ms;
	b->energy_uj += (b->now.power_mw + b->next.power_mw) * (t_ms - from_ms(s, index, knot - 1)) / 2;
	if (s->live)
		sim_board_traffic(s, index, SIM_ONE, t_ms - s->live[index].from_ms, &s->live[index].counts);
	b->now = b->next;
	sim_board_count(b, &b->now.faults);
	if (s->live) {
		s->live[index].from_ms = t_ms;
		if (b->now.faults.ends & (BIT(LOST) | BIT(ECC_DBE)))
			s->live[index].counts = (struct sim_counts){ 0 };
	}
	if ((sim_hash(b->seed, ASK_REPLAY, (uint64_t)knot) & 0x7fff) == 0)
		b->replay++;
	next_knot(s, node, index, knot + 1);
}

void sim_board_cut(struct gm_sim *s, size_t index, int64_t t_ms, int64_t knot)
{
	struct sim_board *b = &s->boards[index];
	int64_t from = s->live[index].from_ms, part = (t_ms - from) * SIM_ONE / ((knot + 1) * s->step_ms - from);
	int64_t power = sim_lerp(b->now.power_mw, b->next.power_mw, part);
	b->energy_uj += (b->now.power_mw + power) * (t_ms - from) / 2;
	sim_board_traffic(s, index, part, t_ms - from, &s->live[index].counts);
	b->now.power_mw = power;
	b->now.temperature_mc = (int32_t)sim_lerp(b->now.temperature_mc, b->next.temperature_mc, part);
	s->live[index].from_ms = t_ms;
}

void sim_board_bend(struct gm_sim *s, size_t index, int64_t t_ms, int64_t knot)
{
	struct sim_board *b = &s->boards[index];
	power_board(b, load_board(s, index, s->start_ms + t_ms, &b->now), b->now.temperature_mc, &b->now);
	aim_knot(s, index, knot + 1);
}

/* Part of one in hundredths of a per cent. */
static int centi(int64_t part)
{
	return (int)(sim_clamp(part, 0, SIM_ONE) * 10000 / SIM_ONE);
}

/* A shake of +-1.6 % of a load that is neither nothing nor all, from 6 bits of chance. */
static int64_t shake(int64_t load, uint64_t bits)
{
	if (load < SIM_ONE / 64)
		return load;
	return sim_clamp(load + ((int64_t)(bits & 63) - 32) * load / 2048, 0, SIM_ONE);
}

/* A load that is held does not shake. */
static int64_t shown_load(const struct gm_sim *s, size_t index, int slice, int64_t load, uint64_t chance)
{
	return held_percent(s, index, slice) >= 0 ? load : shake(load, chance);
}

static int64_t show_slices(const struct gm_sim *s, size_t index, struct gm_sim_device *d, int64_t part, uint64_t chance)
{
	const struct sim_board *b = &s->boards[index];
	int64_t pcie_bps = 0;
	for (int i = 0; i < d->instance_count; i++) {
		struct gm_sim_instance *in = &d->instances[i];
		const struct sim_work *w = work_of(s, index, i);
		int64_t load = sim_lerp(b->now.instance_load[i], b->next.instance_load[i], part);
		load = shown_load(s, index, i, load, chance >> 6 * i);
		in->gr_active_centi = centi(load);
		in->tensor_active_centi = w ? centi(load * w->tensor / SIM_ONE) : 0;
		in->dram_active_centi = w ? centi(load * w->dram / SIM_ONE) : 0;
		pcie_bps += w ? w->pcie_bps / 4 * load / SIM_ONE : 0;
	}
	return pcie_bps;
}

/* What NVML and DCGM would tell: of a board in MIG mode its slices and its bus only. */
static void show_load(const struct gm_sim *s, size_t index, struct gm_sim_device *d, int64_t part, uint64_t chance)
{
	const struct sim_board *b = &s->boards[index];
	if (d->mig_enabled) {
		d->pcie_rx_bps = show_slices(s, index, d, part, chance);
		d->pcie_tx_bps = d->pcie_rx_bps / 3;
		return;
	}
	const struct sim_work *w = work_of(s, index, -1);
	int64_t load = shown_load(s, index, -1, sim_lerp(b->now.load, b->next.load, part), chance);
	d->utilization_centi = (int)((load * 100 + SIM_ONE / 2) / SIM_ONE) * 100; /* NVML says whole per cents */
	d->sm_active_centi = w ? centi(load * w->sm / SIM_ONE) : 0;
	d->sm_occupancy_centi = d->sm_active_centi * 2 / 5;
	d->tensor_active_centi = w ? centi(load * w->tensor / SIM_ONE) : 0;
	d->dram_active_centi = w ? centi(load * w->dram / SIM_ONE) : 0;
	d->memory_copy_centi = d->dram_active_centi / 100 * 100;
	int64_t traffic = w ? shown_load(s, index, -1, load, chance >> 12) : 0;
	d->pcie_rx_bps = traffic ? w->pcie_bps * traffic / SIM_ONE : 0;
	d->pcie_tx_bps = d->pcie_rx_bps / 3;
	if (b->traits->nvlink)
		d->nvlink_bps = traffic ? w->nvlink_bps * traffic / SIM_ONE : 0;
}

static int sm_clock(const struct sim_board *b, int64_t power_mw)
{
	const struct sim_traits *t = b->traits;
	const struct sim_knot *k = &b->now;
	if (k->throttle & REASON_IDLE)
		return t->idle_mhz;
	int64_t mhz = t->max_mhz - t->max_mhz * power_mw / t->limit_mw / 16;
	if (k->throttle & REASON_HW_POWER_BRAKE)
		mhz = mhz * 55 / 100;
	else if (k->throttle & (REASON_SW_THERMAL | REASON_HW_THERMAL))
		mhz = mhz * 75 / 100;
	else if (k->throttle & REASON_SW_POWER_CAP)
		mhz = mhz * 93 / 100;
	return (int)sim_clamp(mhz / 15 * 15, t->idle_mhz, t->max_mhz);
}

static void show_power(const struct sim_board *b, struct gm_sim_device *d, int64_t in_step_ms, int64_t part,
		       uint64_t chance)
{
	const struct sim_traits *t = b->traits;
	int64_t power = sim_lerp(b->now.power_mw, b->next.power_mw, part);
	int64_t celsius = sim_lerp(b->now.temperature_mc, b->next.temperature_mc, part) / 1000;
	d->energy_mj = t->energy ? (b->energy_uj + (b->now.power_mw + power) * in_step_ms / 2) / 1000 : -1;
	d->power_mw =
		sim_clamp(power + ((int64_t)(chance >> 48 & 0xff) - 128) * power / 16384, t->idle_mw / 2, t->limit_mw);
	d->temperature_deci = (int)celsius * 10; /* NVML says whole degrees */
	d->memory_temperature_deci = t->hbm ? (int)(celsius + 4 + 10 * power / t->limit_mw) * 10 : -1;
	d->sm_clock_mhz = sm_clock(b, power);
	d->memory_clock_mhz = b->now.throttle & REASON_IDLE ? t->idle_memory_mhz : t->memory_mhz;
	d->throttle_reasons = b->now.throttle;
	d->fan_centi = !t->fan ? -1 : celsius < 45 ? 0 : (int)sim_clamp((celsius - 30) * 200, 3000, 10000);
	d->lost = (b->now.faults.active & BIT(LOST)) != 0;
	d->pcie_replay = b->replay;
	d->xid = b->xid;
	d->ecc_sbe = t->ecc ? b->sbe : -1;
	d->ecc_dbe = t->ecc ? b->dbe : -1;
	d->remapped_uncorrectable = t->ecc ? b->remapped : -1;
	d->remapped_correctable = t->ecc ? (int64_t)(b->seed >> 20) % 16 / 15 : -1;
	d->row_remap_pending = b->remap_pending;
}

static int64_t whole_mib(int64_t bytes)
{
	return bytes / MIB * MIB;
}

/* Pods and what they hold: as of the last knot. */
static void show_pods(struct gm_sim *s, const struct sim_board *b, struct gm_sim_device *d, int64_t knot_ms)
{
	d->memory_used_bytes = 0;
	for (int i = 0; i < d->instance_count; i++) {
		struct gm_sim_instance *in = &d->instances[i];
		struct sim_work *w = b->instance_work[i] < 0 ? NULL : &s->works[b->instance_work[i]];
		bool runs = w && sim_work_name(w, knot_ms);
		int64_t total = in->memory_total_bytes;
		in->pod = runs ? b->instance_work[i] : -1;
		in->memory_used_bytes = whole_mib(runs ? total * sim_work_memory(w, knot_ms) / SIM_ONE : total / 512);
		d->memory_used_bytes += in->memory_used_bytes;
	}
	if (d->mig_enabled)
		return;
	struct sim_work *w = b->work < 0 ? NULL : &s->works[b->work];
	bool runs = w && sim_work_name(w, knot_ms);
	int64_t total = d->memory_total_bytes - d->memory_reserved_bytes;
	d->pod = runs ? b->work : -1;
	d->memory_used_bytes = runs ? whole_mib(total * sim_work_memory(w, knot_ms) / SIM_ONE) : 4 * MIB;
}

/* What processes hold beside the workloads; more than there is cannot be held. */
static void show_held(const struct sim_live *live, struct gm_sim_device *d)
{
	int64_t room = d->memory_total_bytes - d->memory_reserved_bytes;
	d->memory_used_bytes = sim_clamp(d->memory_used_bytes + live->board.held_bytes, 0, room);
	for (int i = 0; i < d->instance_count; i++) {
		struct gm_sim_instance *in = &d->instances[i];
		int64_t used = sim_clamp(in->memory_used_bytes + live->uses[i].held_bytes, 0, in->memory_total_bytes);
		d->memory_used_bytes += used - in->memory_used_bytes;
		in->memory_used_bytes = used;
	}
}

static void show_counts(const struct gm_sim *s, size_t index, int64_t part, int64_t in_step_ms)
{
	struct gm_sim_device *d = &s->devices[index];
	struct sim_counts counts = s->live[index].counts;
	sim_board_traffic(s, index, part, in_step_ms, &counts);
	d->pcie_rx_bytes = counts.pcie_rx_bytes;
	d->pcie_tx_bytes = counts.pcie_rx_bytes / 3;
	d->nvlink_bytes = counts.nvlink_bytes;
	for (int i = 0; i < GM_SIM_REASONS; i++)
		d->throttle_ns[i] = counts.throttle_ms[i] * 1000000;
}

void sim_board_show(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t t_ms)
{
	const struct sim_board *b = &s->boards[index];
	struct gm_sim_device *d = &s->devices[index];
	int64_t knot_ms = node->knot * s->step_ms, from = from_ms(s, index, node->knot), in_step_ms = t_ms - from;
	int64_t part = in_step_ms * SIM_ONE / (knot_ms + s->step_ms - from);
	uint64_t chance = sim_hash(b->seed, ASK_SHAKE, (uint64_t)(t_ms / 1000));
	show_load(s, index, d, part, chance);
	show_power(b, d, in_step_ms, part, chance);
	show_pods(s, b, d, s->start_ms + knot_ms);
	if (!s->live)
		return;
	show_held(&s->live[index], d);
	show_counts(s, index, part, in_step_ms);
}
