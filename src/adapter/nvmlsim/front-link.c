/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <stdio.h>
#include <string.h>

/* PCIe, NVLink, fabric, and how boards lie to each other. */

/* The driver watches the link for this long, and the caller waits. */
#define PCIE_WINDOW_MS 20

NVML(nvmlDeviceGetPcieThroughput, struct gm_nvml_device *device, unsigned counter, unsigned *out_kib_s)
{
	FRONT_DEVICE(c, device, FRONT_NOT_IN_MIG);
	FRONT_OUT(c, out_kib_s);
	if (counter != GM_NVML_PCIE_TX && counter != GM_NVML_PCIE_RX)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	front_rest(&c, PCIE_WINDOW_MS);
	if (c.rc)
		return c.rc;
	int64_t bps = counter == GM_NVML_PCIE_TX ? c.device->pcie_tx_bps : c.device->pcie_rx_bps;
	*out_kib_s = (unsigned)(bps / 1024);
	return 0;
}

static int remote_pci(struct front_call *c, unsigned link, struct gm_nvml_pci_v3 *out)
{
	int64_t state = front_nvlink_state(c, link);
	int rc = front_value_rc(state);

	FRONT_OUT(*c, out);
	if (rc)
		return rc;
	if (!front_has_nvswitch(c) && c->shared->board_count < 2)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	/* A switch of the baseboard each few links. */
	unsigned bus = (0x05 + link / 4) & 0xff;
	*out = (struct gm_nvml_pci_v3){ .bus = bus, .device_id = 0x22a310deU };
	(void)snprintf(out->bus_id_legacy, sizeof(out->bus_id_legacy), "0000:%02X:00.0", bus);
	(void)snprintf(out->bus_id, sizeof(out->bus_id), "00000000:%02X:00.0", bus);
	return 0;
}

NVML(nvmlDeviceGetNvLinkRemotePciInfo, struct gm_nvml_device *device, unsigned link, struct gm_nvml_pci_v2 *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	struct gm_nvml_pci_v3 now;
	int rc = remote_pci(&c, link, &now);
	c.fill_count = 1; /* not the local above */
	if (rc)
		return rc;
	*out = (struct gm_nvml_pci_v2){ .bus = now.bus, .device_id = now.device_id };
	memcpy(out->bus_id, now.bus_id_legacy, sizeof(out->bus_id));
	return 0;
}

NVML(nvmlDeviceGetNvLinkRemotePciInfo_v2, struct gm_nvml_device *device, unsigned link, struct gm_nvml_pci_v3 *out)
{
	FRONT_DEVICE(c, device, 0);
	return remote_pci(&c, link, out);
}

NVML(nvmlDeviceGetNvLinkRemoteDeviceType, struct gm_nvml_device *device, unsigned link, unsigned *out)
{
	enum { GPU = 0, SWITCH = 2 };
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	int rc = front_value_rc(front_nvlink_state(&c, link));
	if (!rc)
		*out = front_has_nvswitch(&c) ? SWITCH : GPU;
	return rc;
}

/* Replay, recovery, CRC of flits and data: links of the simulation do not err. */
NVML(nvmlDeviceGetNvLinkErrorCounter, struct gm_nvml_device *device, unsigned link, unsigned counter, uint64_t *out)
{
	enum { COUNTERS = 5 };
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	int rc = front_value_rc(front_nvlink_state(&c, link));
	if (rc)
		return rc;
	if (counter >= COUNTERS)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	*out = 0;
	return 0;
}

/* P2P, system and owned memory atomics, SLI, and whether the link may be used: what hardware of this kind can. */
NVML(nvmlDeviceGetNvLinkCapability, struct gm_nvml_device *device, unsigned link, unsigned capability, unsigned *out)
{
	enum { P2P, SYSTEM_MEMORY, P2P_ATOMICS, SYSTEM_ATOMICS, SLI, VALID, CAPABILITIES };
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	int64_t state = front_nvlink_state(&c, link);
	int rc = front_value_rc(state);
	if (rc)
		return rc;
	if (capability >= CAPABILITIES)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	*out = capability != SLI && state == 1;
	return 0;
}

/* One clique of all boards of a node with switches; racks of superchips have a cluster of their own. */
static void fabric(const struct front_call *c, struct gm_nvml_fabric_v3 *out)
{
	enum { HEALTHY = 1 };
	uint32_t version = out->version;

	*out = (struct gm_nvml_fabric_v3){ .version = version,
					   .state = GM_NVML_FABRIC_COMPLETED,
					   .health_summary = HEALTHY };
	if (c->variant->form_factor && strstr(c->variant->form_factor, "Blackwell superchip")) {
		uint64_t cluster = c->shared->scenario_hash;
		memcpy(out->cluster_uuid, &cluster, sizeof(cluster));
		memcpy(out->cluster_uuid + sizeof(cluster), &cluster, sizeof(cluster));
	}
}

NVML(nvmlDeviceGetGpuFabricInfoV, struct gm_nvml_device *device, struct gm_nvml_fabric_v3 *out)
{
	FRONT_DEVICE(c, device, 0);
	if (!out)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	bool old = out->version == GM_NVML_VERSION(struct gm_nvml_fabric_v2, 2);
	if (!old && out->version != GM_NVML_VERSION(struct gm_nvml_fabric_v3, 3))
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	if (!front_has_nvswitch(&c))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	struct gm_nvml_fabric_v3 now = { .version = out->version };
	size_t size = old ? sizeof(struct gm_nvml_fabric_v2) : sizeof(now);
	fabric(&c, &now);
	memcpy(out, &now, size); /* the older form is the newer one's beginning */
	front_fills(&c, out->cluster_uuid, size - offsetof(struct gm_nvml_fabric_v3, cluster_uuid), false);
	return 0;
}

NVML(nvmlDeviceGetPlatformInfo, struct gm_nvml_device *device, struct gm_nvml_platform_v2 *out)
{
	enum { SWITCH_CONNECTED = 1 };
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT_VERSION(c, out, gm_nvml_platform_v2, 2);
	if (c.arch < GM_NVML_ARCH_BLACKWELL || !front_has_nvswitch(&c))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*out = (struct gm_nvml_platform_v2){
		.version = out->version, .host = 1, .peer_type = SWITCH_CONNECTED, .module = (uint8_t)(c.board + 1)
	};
	return 0;
}

/* The other board of a question about two: its number, or what is wrong with the handle. */
static int other_board(struct front_call *c, struct gm_nvml_device *device, unsigned *out)
{
	for (unsigned i = 0; i < c->shared->board_count; i++) {
		if (front_board_handle(c, i) != device)
			continue;
		*out = i;
		return nvs_board_lost(c->world, i) ? GM_NVML_ERROR_GPU_IS_LOST : 0;
	}
	return GM_NVML_ERROR_INVALID_ARGUMENT;
}

/* Two boards behind each switch of the PCI bus, the rest by socket. */
static unsigned ancestor(const struct front_call *c, unsigned a, unsigned b)
{
	unsigned count = c->shared->board_count > 1 ? c->shared->board_count : 2;

	return a == b				? GM_NVML_TOPOLOGY_INTERNAL
	       : a / 2 == b / 2			? GM_NVML_TOPOLOGY_SINGLE
	       : a * 2 / count == b * 2 / count ? GM_NVML_TOPOLOGY_NODE
						: GM_NVML_TOPOLOGY_SYSTEM;
}

NVML(nvmlDeviceGetTopologyCommonAncestor, struct gm_nvml_device *a, struct gm_nvml_device *b, unsigned *out)
{
	FRONT_DEVICE(c, a, 0);
	FRONT_OUT(c, out);
	unsigned other = 0;
	int rc = other_board(&c, b, &other);
	if (!rc)
		*out = ancestor(&c, (unsigned)c.board, other);
	return rc;
}

NVML(nvmlDeviceGetTopologyNearestGpus, struct gm_nvml_device *device, unsigned level, unsigned *io_count,
     struct gm_nvml_device **out)
{
	FRONT_DEVICE(c, device, 0);
	if (!io_count || level > GM_NVML_TOPOLOGY_SYSTEM)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	unsigned found = 0, room = out ? *io_count : 0;
	for (unsigned i = 0; i < c.shared->board_count; i++) {
		if (i == (unsigned)c.board || ancestor(&c, (unsigned)c.board, i) > level)
			continue;
		if (found < room)
			out[found] = front_board_handle(&c, i);
		found++;
	}
	*io_count = found;
	return 0;
}

NVML(nvmlSystemGetTopologyGpuSet, unsigned cpu, unsigned *io_count, struct gm_nvml_device **out)
{
	enum { CPUS_PER_NODE = 64 };
	FRONT_SYSTEM(c);
	if (!io_count || cpu >= 2 * CPUS_PER_NODE)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	unsigned found = 0, room = out ? *io_count : 0;
	for (unsigned i = 0; i < c.shared->board_count; i++) {
		if (front_use_board(&c, i) != 0 || front_numa_node(&c) != cpu / CPUS_PER_NODE)
			continue;
		if (found < room)
			out[found] = front_board_handle(&c, i);
		found++;
	}
	*io_count = found;
	return 0;
}

NVML(nvmlDeviceGetP2PStatus, struct gm_nvml_device *a, struct gm_nvml_device *b, unsigned index, unsigned *out)
{
	enum { OK = 0, CHIPSET_NOT_SUPPORTED = 1, NOT_SUPPORTED = 5 };
	FRONT_DEVICE(c, a, 0);
	FRONT_OUT(c, out);
	unsigned other = 0;
	int rc = other_board(&c, b, &other);
	if (rc)
		return rc;
	if (index > GM_NVML_P2P_PCI)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	bool off = c.state->mig_current || c.shared->boards[other].mig_current || c.device->consumer;
	bool linked = front_nvlink_count(&c, 0) > 0;
	bool near = ancestor(&c, (unsigned)c.board, other) < GM_NVML_TOPOLOGY_SYSTEM;
	*out = off || (index == GM_NVML_P2P_NVLINK && !linked) ? NOT_SUPPORTED
	       : !linked && !near			       ? CHIPSET_NOT_SUPPORTED
							       : OK;
	return 0;
}
