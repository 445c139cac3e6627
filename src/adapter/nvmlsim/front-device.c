/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* System, handles, identity. */

#define PCI_VENDOR 0x10deU
#define CPUS_PER_NODE 64U

NVML(nvmlSystemGetDriverVersion, char *version, unsigned length)
{
	FRONT_SYSTEM(c);
	return front_text(&c, version, length, c.shared->driver_version);
}

NVML(nvmlSystemGetNVMLVersion, char *version, unsigned length)
{
	FRONT_SYSTEM(c);
	return front_text(&c, version, length, c.shared->nvml_version);
}

NVML(nvmlSystemGetCudaDriverVersion, int *version)
{
	FRONT_SYSTEM(c);
	FRONT_OUT(c, version);
	*version = c.shared->cuda_version;
	return 0;
}

NVML(nvmlSystemGetCudaDriverVersion_v2, int *version)
{
	FRONT_SYSTEM(c);
	FRONT_OUT(c, version);
	*version = c.shared->cuda_version;
	return 0;
}

static int count(struct front_call *c, unsigned *out)
{
	FRONT_OUT(*c, out);
	*out = c->shared->board_count;
	return 0;
}

/* The first form leaves out boards that it cannot attach. */
NVML(nvmlDeviceGetCount, unsigned *out)
{
	FRONT_SYSTEM(c);
	int rc = count(&c, out);
	for (unsigned i = 0; !rc && i < c.shared->board_count; i++)
		*out -= nvs_board_lost(c.world, i);
	return rc;
}

NVML(nvmlDeviceGetCount_v2, unsigned *out)
{
	FRONT_SYSTEM(c);
	return count(&c, out);
}

static int give_board(struct front_call *c, unsigned board, struct gm_nvml_device **out)
{
	int rc = front_use_board(c, board);
	if (rc)
		return rc;
	nvs_attach(c->world, board);
	*out = front_board_handle(c, board);
	return 0;
}

/* The first form counts only boards that can be attached. */
NVML(nvmlDeviceGetHandleByIndex, unsigned index, struct gm_nvml_device **out)
{
	FRONT_SYSTEM(c);
	FRONT_OUT_HANDLE(c, out);
	for (unsigned i = 0, alive = 0; i < c.shared->board_count; i++) {
		if (!nvs_board_lost(c.world, i) && alive++ == index)
			return give_board(&c, i, out);
	}
	return GM_NVML_ERROR_INVALID_ARGUMENT;
}

NVML(nvmlDeviceGetHandleByIndex_v2, unsigned index, struct gm_nvml_device **out)
{
	FRONT_SYSTEM(c);
	FRONT_OUT_HANDLE(c, out);
	if (index >= c.shared->board_count)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	return give_board(&c, index, out);
}

static int find_mig_uuid(struct front_call *c, const char *uuid, struct gm_nvml_device **out)
{
	for (unsigned i = 0; i < c->shared->board_count; i++) {
		for (size_t k = 0; k < (size_t)NVS_GI_MAX * NVS_CI_MAX; k++) {
			const struct nvs_gi *gi = &c->shared->boards[i].gis[k / NVS_CI_MAX];
			const struct nvs_compute *ci = &gi->cis[k % NVS_CI_MAX];
			if (!gi->alive || !ci->alive || strcmp(ci->uuid, uuid) != 0)
				continue;
			int rc = front_use_board(c, i);
			if (!rc)
				*out = front_mig_handle(c, ci);
			return rc;
		}
	}
	return GM_NVML_ERROR_NOT_FOUND;
}

static int find_uuid(struct front_call *c, const char *uuid, struct gm_nvml_device **out)
{
	if (strncmp(uuid, "MIG-", 4) == 0)
		return find_mig_uuid(c, uuid, out);
	for (unsigned i = 0; i < c->shared->board_count; i++) {
		if (strcmp(nvs_world_device(c->world, i)->uuid, uuid) == 0)
			return give_board(c, i, out);
	}
	return GM_NVML_ERROR_NOT_FOUND;
}

NVML(nvmlDeviceGetHandleByUUID, const char *uuid, struct gm_nvml_device **out)
{
	FRONT_SYSTEM(c);
	FRONT_OUT_HANDLE(c, out);
	return uuid ? find_uuid(&c, uuid, out) : GM_NVML_ERROR_INVALID_ARGUMENT;
}

NVML(nvmlDeviceGetHandleByUUIDV, const struct gm_nvml_uuid_v1 *uuid, struct gm_nvml_device **out)
{
	enum { ASCII = 1 };
	FRONT_SYSTEM(c);
	FRONT_OUT_HANDLE(c, out);
	if (!uuid)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (uuid->version != GM_NVML_VERSION(struct gm_nvml_uuid_v1, 1))
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	char text[GM_NVML_UUID_ASCII_LEN + 1] = "";
	if (uuid->type != ASCII)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	memcpy(text, uuid->value, GM_NVML_UUID_ASCII_LEN);
	return find_uuid(&c, text, out);
}

NVML(nvmlDeviceGetHandleBySerial, const char *serial, struct gm_nvml_device **out)
{
	FRONT_SYSTEM(c);
	FRONT_OUT_HANDLE(c, out);
	if (!serial)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (unsigned i = 0; i < c.shared->board_count; i++) {
		const struct gm_sim_device *d = nvs_world_device(c.world, i);
		if (!d->consumer && strcmp(d->serial, serial) == 0)
			return give_board(&c, i, out);
	}
	return GM_NVML_ERROR_NOT_FOUND;
}

struct pci {
	unsigned domain, bus, device, function;
};

/* "[domain:]bus:device.function", any number of digits. */
static bool pci_read(const char *text, struct pci *out)
{
	int used = 0;

	*out = (struct pci){ 0 };
	if (sscanf(text, "%8x:%2x:%2x.%1x%n", &out->domain, &out->bus, &out->device, &out->function, &used) == 4 &&
	    !text[used])
		return true;
	*out = (struct pci){ 0 };
	used = 0;
	return sscanf(text, "%2x:%2x.%1x%n", &out->bus, &out->device, &out->function, &used) == 3 && !text[used];
}

static int find_pci(struct front_call *c, const char *bus_id, struct gm_nvml_device **out)
{
	struct pci want, have;

	FRONT_OUT_HANDLE(*c, out);
	if (!bus_id || !pci_read(bus_id, &want))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (unsigned i = 0; i < c->shared->board_count; i++) {
		if (pci_read(nvs_world_device(c->world, i)->pci_bus_id, &have) &&
		    memcmp(&want, &have, sizeof(want)) == 0)
			return give_board(c, i, out);
	}
	return GM_NVML_ERROR_NOT_FOUND;
}

NVML(nvmlDeviceGetHandleByPciBusId, const char *bus_id, struct gm_nvml_device **out)
{
	FRONT_SYSTEM(c);
	return find_pci(&c, bus_id, out);
}

NVML(nvmlDeviceGetHandleByPciBusId_v2, const char *bus_id, struct gm_nvml_device **out)
{
	FRONT_SYSTEM(c);
	return find_pci(&c, bus_id, out);
}

NVML(nvmlDeviceGetName, struct gm_nvml_device *device, char *name, unsigned length)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	char text[GM_NVML_NAME_SIZE], mig[32];
	const char *board = c.variant->names && c.variant->names[0] ? c.variant->names[0] : c.variant->id;
	if (c.ci) {
		front_mig_name(&c, c.gi, c.ci->slices, mig, sizeof(mig));
		(void)snprintf(text, sizeof(text), "%s MIG %s", board, mig);
	} else {
		(void)snprintf(text, sizeof(text), "%s", board);
	}
	return front_text(&c, name, length, text);
}

NVML(nvmlDeviceGetUUID, struct gm_nvml_device *device, char *uuid, unsigned length)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	return front_text(&c, uuid, length, c.ci ? c.ci->uuid : c.device->uuid);
}

NVML(nvmlDeviceGetSerial, struct gm_nvml_device *device, char *serial, unsigned length)
{
	FRONT_DEVICE(c, device, 0);
	return c.device->consumer ? GM_NVML_ERROR_NOT_SUPPORTED : front_text(&c, serial, length, c.device->serial);
}

NVML(nvmlDeviceGetVbiosVersion, struct gm_nvml_device *device, char *version, unsigned length)
{
	FRONT_DEVICE(c, device, 0);
	char text[GM_NVML_VBIOS_SIZE];
	front_vbios(&c, text, sizeof(text));
	return front_text(&c, version, length, text);
}

static unsigned device_id(const struct front_call *c)
{
	const char *id = c->variant->pci_ids && c->variant->pci_ids[0] ? c->variant->pci_ids[0] : "0";
	return (unsigned)strtoul(id, NULL, 16) << 16 | PCI_VENDOR;
}

/* The vendor's own board. */
static unsigned subsystem_id(const struct front_call *c)
{
	return 0x16c10000U | (c->device->consumer ? 0x1043U : PCI_VENDOR);
}

static void legacy_bus_id(const struct pci *p, char out[static GM_NVML_BUS_ID_LEGACY_SIZE])
{
	(void)snprintf(out, GM_NVML_BUS_ID_LEGACY_SIZE, "%04X:%02X:%02X.%X", p->domain & 0xffff, p->bus & 0xff,
		       p->device & 0x1f, p->function & 7);
}

static void long_bus_id(const struct pci *p, char out[static GM_NVML_BUS_ID_SIZE])
{
	(void)snprintf(out, GM_NVML_BUS_ID_SIZE, "%08X:%02X:%02X.%X", p->domain, p->bus & 0xff, p->device & 0x1f,
		       p->function & 7);
}

NVML(nvmlDeviceGetPciInfo, struct gm_nvml_device *device, struct gm_nvml_pci_v1 *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	struct pci p;
	(void)pci_read(c.device->pci_bus_id, &p);
	*out = (struct gm_nvml_pci_v1){
		.domain = p.domain, .bus = p.bus, .device = p.device, .device_id = device_id(&c)
	};
	legacy_bus_id(&p, out->bus_id);
	return 0;
}

NVML(nvmlDeviceGetPciInfo_v2, struct gm_nvml_device *device, struct gm_nvml_pci_v2 *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	struct pci p;
	(void)pci_read(c.device->pci_bus_id, &p);
	*out = (struct gm_nvml_pci_v2){ .domain = p.domain,
					.bus = p.bus,
					.device = p.device,
					.device_id = device_id(&c),
					.subsystem_id = subsystem_id(&c) };
	legacy_bus_id(&p, out->bus_id);
	return 0;
}

NVML(nvmlDeviceGetPciInfo_v3, struct gm_nvml_device *device, struct gm_nvml_pci_v3 *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	struct pci p;
	(void)pci_read(c.device->pci_bus_id, &p);
	*out = (struct gm_nvml_pci_v3){ .domain = p.domain,
					.bus = p.bus,
					.device = p.device,
					.device_id = device_id(&c),
					.subsystem_id = subsystem_id(&c) };
	legacy_bus_id(&p, out->bus_id_legacy);
	long_bus_id(&p, out->bus_id);
	return 0;
}

NVML(nvmlDeviceGetPciInfoExt, struct gm_nvml_device *device, struct gm_nvml_pci_ext_v1 *out)
{
	enum { DISPLAY_CLASS = 3, CONTROLLER_3D = 2, CONTROLLER_VGA = 0 };
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT_VERSION(c, out, gm_nvml_pci_ext_v1, 1);
	struct pci p;
	(void)pci_read(c.device->pci_bus_id, &p);
	*out = (struct gm_nvml_pci_ext_v1){ .version = out->version,
					    .domain = p.domain,
					    .bus = p.bus,
					    .device = p.device,
					    .device_id = device_id(&c),
					    .subsystem_id = subsystem_id(&c),
					    .base_class = DISPLAY_CLASS,
					    .sub_class = c.device->consumer ? CONTROLLER_VGA : CONTROLLER_3D };
	long_bus_id(&p, out->bus_id);
	return 0;
}

NVML(nvmlDeviceGetCudaComputeCapability, struct gm_nvml_device *device, int *major, int *minor)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	FRONT_OUT(c, major);
	FRONT_OUT(c, minor);
	*major = c.variant->cc_major;
	*minor = c.variant->cc_minor;
	return 0;
}

/* One bit a CPU; `size` words are the caller's, those behind the last CPU are cleared. */
NVML(nvmlDeviceGetCpuAffinity, struct gm_nvml_device *device, unsigned size, unsigned long *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	if (size == 0)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	unsigned first = front_numa_node(&c) * CPUS_PER_NODE;
	memset(out, 0, size * sizeof(*out));
	for (unsigned cpu = first; cpu < first + CPUS_PER_NODE && cpu / 64 < size; cpu++)
		out[cpu / 64] |= 1UL << cpu % 64;
	return 0;
}

NVML(nvmlDeviceOnSameBoard, struct gm_nvml_device *a, struct gm_nvml_device *b, int *out)
{
	FRONT_DEVICE(c, a, 0);
	FRONT_OUT(c, out);
	if (!b)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	*out = a == b;
	return 0;
}
