/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/world-internal.h"
#include "base/json.h"
#include "base/parse.h"

static const char *const abi_names[] = {
	[NVS_PROCESSES_24] = "24", [NVS_PROCESSES_32_AS_V3] = "32-as-v3", [NVS_PROCESSES_NO_V3] = "no-v3"
};

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

static const char *profile_name(const struct nvs_world *w, unsigned board, const struct nvs_gi *gi)
{
	return nvs_table(w, board)->profiles[gi->slot.profile].name;
}

static const char *name_of(const struct gm_sim_device *d)
{
	return d->variant->names && d->variant->names[0] ? d->variant->names[0] : d->variant->id;
}

/* --- text --- */

static void text_gi(struct nvs_world *w, unsigned board, const struct nvs_gi *gi, struct gm_buf *out)
{
	gm_buf_addf(out, "  gi %u %s@%u\n", gi->id, profile_name(w, board, gi), gi->slot.start);
	for (size_t k = 0; k < NVS_CI_MAX; k++) {
		const struct nvs_compute *ci = &gi->cis[k];
		const struct gm_sim_instance *in = ci->alive ? nvs_world_instance(w, board, gi->id, ci->id) : NULL;
		if (in)
			gm_buf_addf(out, "    ci %u %uc@%u %s load %d%% memory %lld MiB\n", ci->id, ci->slices,
				    ci->start, ci->uuid, in->gr_active_centi / 100,
				    (long long)(in->memory_used_bytes >> 20));
	}
}

static void text_board(struct nvs_world *w, unsigned board, struct gm_buf *out)
{
	const struct nvs_shared *s = &w->file->shared;
	const struct nvs_board *b = &s->boards[board];
	const struct gm_sim_device *d = nvs_world_device(w, board);
	gm_buf_addf(out, "gpu %u %s %s %s", board, name_of(d), d->uuid, d->pci_bus_id);
	if (nvs_table(w, board))
		gm_buf_addf(out, " mig %s%s", on_off(b->mig_current),
			    b->mig_current != b->mig_pending ? (b->mig_pending ? " (on pending)" : " (off pending)")
							     : "");
	gm_buf_addf(out, "%s\n", nvs_board_lost(w, board) ? " LOST" : "");
	gm_buf_addf(out, "  load %d%% memory %lld MiB power %lld mW %d C energy %lld mJ xid %lld\n",
		    d->utilization_centi / 100, (long long)(d->memory_used_bytes >> 20), (long long)d->power_mw,
		    d->temperature_deci / 10, (long long)d->energy_mj, (long long)d->xid);
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		if (b->gis[i].alive)
			text_gi(w, board, &b->gis[i], out);
	}
}

static void text_fault(const struct nvs_call_fault *f, int64_t now_ms, struct gm_buf *out)
{
	char for_[40] = "";
	gm_buf_addf(out, "fault %u %s %s", f->id, f->function, nvs_does_names[f->does]);
	if (f->board >= 0)
		gm_buf_addf(out, " gpu=%d", f->board);
	if (f->value)
		gm_buf_addf(out, " value=%lld", (long long)f->value);
	if (f->until_ms)
		gm_format_duration_ms(f->until_ms > now_ms ? f->until_ms - now_ms : 0, for_);
	if (f->until_ms)
		gm_buf_addf(out, " left=%s", for_);
	if (f->times)
		gm_buf_addf(out, " times=%lld", (long long)f->times);
	gm_buf_addf(out, " used=%lld blocked=%u\n", (long long)f->used, f->blocked);
}

void nvs_show_text(struct nvs_world *w, struct gm_buf *out)
{
	const struct nvs_shared *s = &w->file->shared;
	char time[GM_TIME_TEXT_SIZE];
	(void)gm_time_format(s->now_ms, time);
	gm_buf_addf(out, "world %llu of %s, %s; driver %s %s%s, process lists %s%s\n", (unsigned long long)s->epoch,
		    w->file->scenario_name, time, s->driver_version, s->driver_loaded ? "loaded" : "NOT LOADED",
		    s->driver_mismatch ? " MISMATCH" : "", abi_names[s->process_abi],
		    s->unprivileged ? ", unprivileged" : "");
	for (unsigned i = 0; i < s->board_count; i++)
		text_board(w, i, out);
	for (uint32_t i = 0; i < s->process_count; i++) {
		const struct nvs_process *p = &s->processes[i];
		gm_buf_addf(out, "process %u gpu %u", nvs_process_pid(p), p->board);
		if (p->gi >= 0)
			gm_buf_addf(out, " instance %d.%d", p->gi, p->ci);
		gm_buf_addf(out, " memory %lld load %u %s\n", (long long)p->used_bytes, p->load_percent, p->name);
	}
	for (size_t i = 0; i < NVS_CALLS_MAX; i++) {
		if (s->calls[i].alive)
			text_fault(&s->calls[i], s->now_ms, out);
	}
	for (size_t i = 0; i < NVS_CLIENTS_MAX; i++) {
		if (s->clients[i].pid)
			gm_buf_addf(out, "client %u boards 0x%x\n", s->clients[i].pid, s->clients[i].attached);
	}
	gm_buf_addf(out, "events %llu\n", (unsigned long long)s->events_made);
}

/* --- JSON --- */

static void json_gi(struct nvs_world *w, unsigned board, const struct nvs_gi *gi, struct gm_json *j)
{
	gm_json_object(j);
	gm_json_ki64(j, "id", gi->id);
	gm_json_kcstr(j, "profile", profile_name(w, board, gi));
	gm_json_ki64(j, "start", gi->slot.start);
	gm_json_key(j, "computeInstances");
	gm_json_array(j);
	for (size_t k = 0; k < NVS_CI_MAX; k++) {
		const struct nvs_compute *ci = &gi->cis[k];
		const struct gm_sim_instance *in = ci->alive ? nvs_world_instance(w, board, gi->id, ci->id) : NULL;
		if (!in)
			continue;
		gm_json_object(j);
		gm_json_ki64(j, "id", ci->id);
		gm_json_ki64(j, "slices", ci->slices);
		gm_json_ki64(j, "start", ci->start);
		gm_json_kcstr(j, "uuid", ci->uuid);
		gm_json_kfixed(j, "loadPercent", in->gr_active_centi, 2);
		gm_json_ki64(j, "memoryUsedBytes", in->memory_used_bytes);
		gm_json_end_object(j);
	}
	gm_json_end_array(j);
	gm_json_end_object(j);
}

static void json_board(struct nvs_world *w, unsigned board, struct gm_json *j)
{
	const struct nvs_board *b = &w->file->shared.boards[board];
	const struct gm_sim_device *d = nvs_world_device(w, board);
	gm_json_object(j);
	gm_json_ki64(j, "index", board);
	gm_json_kcstr(j, "name", name_of(d));
	gm_json_kcstr(j, "uuid", d->uuid);
	gm_json_kcstr(j, "pciBusId", d->pci_bus_id);
	gm_json_kbool(j, "lost", nvs_board_lost(w, board));
	gm_json_kbool(j, "migCapable", nvs_table(w, board) != NULL);
	gm_json_kbool(j, "migMode", b->mig_current);
	gm_json_kbool(j, "migPending", b->mig_pending);
	gm_json_kfixed(j, "loadPercent", d->utilization_centi, 2);
	gm_json_ki64(j, "memoryUsedBytes", d->memory_used_bytes);
	gm_json_ki64(j, "powerMilliwatts", d->power_mw);
	gm_json_ki64(j, "energyMillijoules", d->energy_mj);
	gm_json_kfixed(j, "temperatureCelsius", d->temperature_deci, 1);
	gm_json_ki64(j, "xid", d->xid);
	gm_json_key(j, "instances");
	gm_json_array(j);
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		if (b->gis[i].alive)
			json_gi(w, board, &b->gis[i], j);
	}
	gm_json_end_array(j);
	gm_json_end_object(j);
}

static void json_process(const struct nvs_process *p, struct gm_json *j)
{
	gm_json_object(j);
	gm_json_ki64(j, "pid", nvs_process_pid(p));
	gm_json_ki64(j, "gpu", p->board);
	if (p->gi >= 0) {
		gm_json_ki64(j, "gpuInstance", p->gi);
		gm_json_ki64(j, "computeInstance", p->ci);
	}
	gm_json_ki64(j, "memoryBytes", p->used_bytes);
	gm_json_ki64(j, "loadPercent", p->load_percent);
	gm_json_kcstr(j, "name", p->name);
	gm_json_kbool(j, "workload", p->workload);
	gm_json_end_object(j);
}

static void json_fault(const struct nvs_call_fault *f, struct gm_json *j)
{
	gm_json_object(j);
	gm_json_ki64(j, "id", f->id);
	gm_json_kcstr(j, "function", f->function);
	gm_json_kcstr(j, "does", nvs_does_names[f->does]);
	gm_json_ki64(j, "gpu", f->board);
	gm_json_ki64(j, "value", f->value);
	gm_json_ktime(j, "from", f->from_ms);
	gm_json_ktime(j, "until", f->until_ms);
	gm_json_ki64(j, "times", f->times);
	gm_json_ki64(j, "used", f->used);
	gm_json_ki64(j, "blocked", f->blocked);
	gm_json_end_object(j);
}

static void json_lists(const struct nvs_shared *s, struct gm_json *j)
{
	gm_json_key(j, "processes");
	gm_json_array(j);
	for (uint32_t i = 0; i < s->process_count; i++)
		json_process(&s->processes[i], j);
	gm_json_end_array(j);
	gm_json_key(j, "faults");
	gm_json_array(j);
	for (size_t i = 0; i < NVS_CALLS_MAX; i++) {
		if (s->calls[i].alive)
			json_fault(&s->calls[i], j);
	}
	gm_json_end_array(j);
	gm_json_key(j, "clients");
	gm_json_array(j);
	for (size_t i = 0; i < NVS_CLIENTS_MAX; i++) {
		if (!s->clients[i].pid)
			continue;
		gm_json_object(j);
		gm_json_ki64(j, "pid", s->clients[i].pid);
		gm_json_ki64(j, "boards", s->clients[i].attached);
		gm_json_end_object(j);
	}
	gm_json_end_array(j);
}

void nvs_show_json(struct nvs_world *w, struct gm_buf *out)
{
	const struct nvs_shared *s = &w->file->shared;
	struct gm_json j;
	gm_json_init(&j, out);
	gm_json_object(&j);
	gm_json_ku64(&j, "epoch", s->epoch);
	gm_json_kcstr(&j, "scenario", w->file->scenario_name);
	gm_json_ktime(&j, "time", s->now_ms);
	gm_json_kcstr(&j, "driverVersion", s->driver_version);
	gm_json_kbool(&j, "driverLoaded", s->driver_loaded);
	gm_json_kbool(&j, "driverMismatch", s->driver_mismatch);
	gm_json_kbool(&j, "unprivileged", s->unprivileged);
	gm_json_kcstr(&j, "processAbi", abi_names[s->process_abi]);
	gm_json_ku64(&j, "events", s->events_made);
	gm_json_key(&j, "gpus");
	gm_json_array(&j);
	for (unsigned i = 0; i < s->board_count; i++)
		json_board(w, i, &j);
	gm_json_end_array(&j);
	json_lists(s, &j);
	gm_json_end_object(&j);
	gm_buf_add_char(out, '\n');
}
