/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

/*
 * What programs look for but the simulated boards do not do: settings, which are root's alone to try, and the parts of
 * the library for other systems and other hardware.
 */

static int refuse(const struct front_call *c)
{
	(void)c;
	return GM_NVML_ERROR_NOT_SUPPORTED;
}

#define DEVICE struct gm_nvml_device *device
#define REFUSED(X)                                                                                                     \
	X(nvmlDeviceClearEccErrorCounts, FRONT_ROOT, DEVICE, unsigned counter)                                         \
	X(nvmlDeviceGetClkMonStatus, FRONT_ROOT, DEVICE, void *out)                                                    \
	X(nvmlDeviceGetDriverModel, 0, DEVICE, unsigned *out_current, unsigned *out_pending)                           \
	X(nvmlDeviceGetDriverModel_v2, 0, DEVICE, unsigned *out_current, unsigned *out_pending)                        \
	X(nvmlDeviceResetGpuLockedClocks, FRONT_ROOT, DEVICE)                                                          \
	X(nvmlDeviceSetComputeMode, FRONT_ROOT, DEVICE, unsigned mode)                                                 \
	X(nvmlDeviceSetEccMode, FRONT_ROOT, DEVICE, unsigned mode)                                                     \
	X(nvmlDeviceSetDefaultFanSpeed_v2, FRONT_ROOT, DEVICE, unsigned fan)                                           \
	X(nvmlDeviceSetFanControlPolicy, FRONT_ROOT, DEVICE, unsigned fan, unsigned policy)                            \
	X(nvmlDeviceSetFanSpeed_v2, FRONT_ROOT, DEVICE, unsigned fan, unsigned speed)                                  \
	X(nvmlDeviceSetGpuLockedClocks, FRONT_ROOT, DEVICE, unsigned min_mhz, unsigned max_mhz)                        \
	X(nvmlDeviceSetPowerManagementLimit, FRONT_ROOT, DEVICE, unsigned limit_mw)

#define REFUSE(name, flags, ...)                                                                                       \
	NVML(name, __VA_ARGS__)                                                                                        \
	{                                                                                                              \
		FRONT_DEVICE(c, device, flags);                                                                        \
		return refuse(&c);                                                                                     \
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* of what is refused whatever it is */
REFUSED(REFUSE)
#pragma GCC diagnostic pop

/* It is on, and stays. */
NVML(nvmlDeviceSetPersistenceMode, struct gm_nvml_device *device, unsigned mode)
{
	FRONT_DEVICE(c, device, FRONT_ROOT);
	if (mode > GM_NVML_ENABLED)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	return mode == GM_NVML_ENABLED ? 0 : GM_NVML_ERROR_NOT_SUPPORTED;
}

NVML(nvmlDeviceGetAccountingMode, struct gm_nvml_device *device, unsigned *out)
{
	FRONT_DEVICE(c, device, FRONT_NOT_IN_MIG);
	FRONT_OUT(c, out);
	*out = GM_NVML_DISABLED;
	return 0;
}

NVML(nvmlDeviceGetVirtualizationMode, struct gm_nvml_device *device, unsigned *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	*out = 0; /* bare metal */
	return 0;
}

/* Sessions of the encoder: nothing here encodes. */
NVML(nvmlDeviceGetEncoderStats, struct gm_nvml_device *device, unsigned *out_sessions, unsigned *out_fps,
     unsigned *out_latency_us)
{
	FRONT_DEVICE(c, device, FRONT_NOT_IN_MIG);
	FRONT_OUT(c, out_sessions);
	FRONT_OUT(c, out_fps);
	FRONT_OUT(c, out_latency_us);
	*out_sessions = *out_fps = *out_latency_us = 0;
	return 0;
}

NVML(nvmlUnitGetCount, unsigned *out)
{
	FRONT_SYSTEM(c);
	FRONT_OUT(c, out);
	*out = 0;
	return 0;
}

NVML(nvmlSystemGetCPER_v1, void *io)
{
	FRONT_SYSTEM(c);
	if (!io)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	return c.shared->unprivileged ? GM_NVML_ERROR_NO_PERMISSION : GM_NVML_ERROR_NOT_SUPPORTED;
}
