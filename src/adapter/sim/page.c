/* SPDX-License-Identifier: MIT */
#include "adapter/sim/feed-internal.h"

/* A value below zero is how the world says "this board has none". */
static void put(struct gm_sample *s, enum gm_field field, int64_t value)
{
	if (value < 0)
		gm_sample_miss(s, field, GM_UNSUPPORTED, GM_SOURCE_SIM);
	else
		gm_sample_set(s, field, value, GM_MEASURED, GM_SOURCE_SIM);
}

/* In MIG mode NVML has no utilisation of a board, and a GeForce has no profiling fields. */
static void put_load(struct gm_sample *s, const struct gm_sim_device *d)
{
	bool board = !d->mig_enabled, profiling = board && !d->consumer;
	put(s, GM_FIELD_UTILIZATION, board ? d->utilization_centi : -1);
	put(s, GM_FIELD_MEMORY_COPY_UTILIZATION, board ? d->memory_copy_centi : -1);
	put(s, GM_FIELD_ENCODER_UTILIZATION, board ? d->encoder_centi : -1);
	put(s, GM_FIELD_DECODER_UTILIZATION, board ? d->decoder_centi : -1);
	put(s, GM_FIELD_GR_ENGINE_ACTIVE, profiling ? d->utilization_centi : -1);
	put(s, GM_FIELD_SM_ACTIVE, profiling ? d->sm_active_centi : -1);
	put(s, GM_FIELD_SM_OCCUPANCY, profiling ? d->sm_occupancy_centi : -1);
	put(s, GM_FIELD_TENSOR_ACTIVE, profiling ? d->tensor_active_centi : -1);
	put(s, GM_FIELD_DRAM_ACTIVE, profiling ? d->dram_active_centi : -1);
}

static void put_state(struct gm_sample *s, const struct gm_sim_device *d)
{
	put(s, GM_FIELD_MEMORY_USED, d->memory_used_bytes);
	put(s, GM_FIELD_MEMORY_FREE, d->memory_total_bytes - d->memory_reserved_bytes - d->memory_used_bytes);
	put(s, GM_FIELD_MEMORY_RESERVED, d->memory_reserved_bytes);
	put(s, GM_FIELD_TEMPERATURE, d->temperature_deci);
	put(s, GM_FIELD_MEMORY_TEMPERATURE, d->memory_temperature_deci);
	put(s, GM_FIELD_POWER, d->power_mw);
	put(s, GM_FIELD_ENERGY, d->energy_mj);
	put(s, GM_FIELD_SM_CLOCK, d->sm_clock_mhz);
	put(s, GM_FIELD_MEMORY_CLOCK, d->memory_clock_mhz);
	put(s, GM_FIELD_PCIE_TX, d->pcie_tx_bps);
	put(s, GM_FIELD_PCIE_RX, d->pcie_rx_bps);
	put(s, GM_FIELD_NVLINK, d->nvlink_bps);
	put(s, GM_FIELD_PCIE_REPLAY, d->pcie_replay);
	put(s, GM_FIELD_POWER_LIMIT, d->power_limit_mw);
	put(s, GM_FIELD_FAN, d->fan_centi);
}

static void put_faults(struct gm_sample *s, const struct gm_sim_device *d)
{
	bool ecc = d->ecc_dbe >= 0;
	put(s, GM_FIELD_XID, d->xid);
	put(s, GM_FIELD_ECC_SBE, d->ecc_sbe);
	put(s, GM_FIELD_ECC_DBE, d->ecc_dbe);
	put(s, GM_FIELD_REMAPPED_CORRECTABLE, d->remapped_correctable);
	put(s, GM_FIELD_REMAPPED_UNCORRECTABLE, d->remapped_uncorrectable);
	put(s, GM_FIELD_ROW_REMAP_PENDING, ecc ? d->row_remap_pending : -1);
	put(s, GM_FIELD_ROW_REMAP_FAILURE, ecc ? d->row_remap_failure : -1);
	put(s, GM_FIELD_THROTTLE_REASONS, (int64_t)d->throttle_reasons);
}

static size_t add_pod(struct sim_page *room, const struct gm_sim *sim, int index, struct gm_page *page)
{
	const struct gm_sim_pod *p = gm_sim_pod(sim, index);
	if (!p)
		return 0;
	room->pods[page->pod_count++] = (struct gm_obs_pod){ .namespace_ = gm_str(p->namespace_),
							     .pod = gm_str(p->pod),
							     .container = gm_str(p->container),
							     .uid = gm_str(p->uid) };
	return 1;
}

static void add_instance(struct sim_page *room, const struct gm_sim *sim, const struct gm_sim_instance *in,
			 struct gm_page *page)
{
	struct gm_obs_instance *o = &room->instances[page->instance_count++];
	*o = (struct gm_obs_instance){ .gi_id = in->gi_id,
				       .ci_id = in->ci_id,
				       .uuid = gm_str(in->uuid),
				       .profile = gm_str(in->profile->name),
				       .placement_start = in->placement_start,
				       .placement_size = in->profile->size,
				       .memory_total_bytes = in->memory_total_bytes,
				       .pods_first = page->pod_count };
	o->sample.at_ms = page->at_ms;
	put(&o->sample, GM_FIELD_UTILIZATION, -1); /* a slice is measured by its engine's activity only */
	put(&o->sample, GM_FIELD_GR_ENGINE_ACTIVE, in->gr_active_centi);
	put(&o->sample, GM_FIELD_TENSOR_ACTIVE, in->tensor_active_centi);
	put(&o->sample, GM_FIELD_DRAM_ACTIVE, in->dram_active_centi);
	put(&o->sample, GM_FIELD_MEMORY_USED, in->memory_used_bytes);
	put(&o->sample, GM_FIELD_MEMORY_FREE, in->memory_total_bytes - in->memory_used_bytes);
	o->pods_count = add_pod(room, sim, in->pod, page);
}

static void add_device(struct sim_page *room, const struct gm_sim *sim, const struct gm_sim_node *node,
		       const struct gm_sim_device *d, struct gm_page *page)
{
	struct gm_obs_device *o = &room->devices[page->device_count++];
	*o = (struct gm_obs_device){ .uuid = gm_str(d->uuid),
				     .pci_bus_id = gm_str(d->pci_bus_id),
				     .product_name = gm_str(d->variant->names ? d->variant->names[0] : d->variant->id),
				     .driver_version = gm_str(node->driver_version),
				     .serial = gm_str(d->consumer ? "" : d->serial),
				     .index = d->index,
				     .mig_mode = d->mig_enabled		   ? GM_MIG_ON
						 : d->variant->mig_capable ? GM_MIG_OFF
									   : GM_MIG_UNABLE,
				     .memory_total_bytes = d->memory_total_bytes,
				     .temperature_limit_c = d->variant->slowdown_c,
				     .instances_first = page->instance_count,
				     .instances_count = (size_t)d->instance_count,
				     .pods_first = page->pod_count };
	o->sample.at_ms = page->at_ms;
	put_load(&o->sample, d);
	put_state(&o->sample, d);
	put_faults(&o->sample, d);
	o->pods_count = add_pod(room, sim, d->pod, page);
	for (int i = 0; i < d->instance_count; i++)
		add_instance(room, sim, &d->instances[i], page);
}

void sim_page_fill(struct sim_page *room, const struct gm_sim *sim, const struct gm_sim_node *node,
		   struct gm_page *page)
{
	for (size_t i = 0; i < node->device_count && i < SIM_PAGE_DEVICES; i++) {
		if (!node->devices[i].lost)
			add_device(room, sim, node, &node->devices[i], page);
	}
	page->devices = room->devices;
	page->instances = room->instances;
	page->pods = room->pods;
}
