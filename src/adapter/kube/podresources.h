/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_KUBE_PODRESOURCES_H
#define GM_ADAPTER_KUBE_PODRESOURCES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/*
 * The kubelet's PodResources API: which device ids a container was given. gRPC over its unix socket: HTTP/2 by nghttp2,
 * messages by protobuf-c from our own description of the fields we read.
 */
#define GM_PODRESOURCES_SOCKET "/var/lib/kubelet/pod-resources/kubelet.sock"
#define GM_PODRESOURCES_BYTES_MAX (16 << 20) /* of an answer: the kubelet's own limit */
#define GM_PODRESOURCES_DEVICES_MAX 65536

/* One device of one container. Texts live in the arena of the call. */
struct gm_pod_device {
	const char *namespace_, *pod, *container;
	const char *resource; /* "nvidia.com/gpu"; DRA: the driver, "gpu.nvidia.com" */
	const char *
		device_id; /* "GPU-...", "MIG-...", "GPU-...::2", "nvidia0/gi1"; DRA: pool device name "gpu-0-mig-1g10gb-19-2" */
	const char *claim; /* DRA: "namespace/name"; else "" */
	const char *cdi;   /* DRA: the first CDI device name, "" when none */
};
struct gm_podresources {
	const struct gm_pod_device *devices;
	size_t count;
};

/*
 * Asks once; blocks at most deadline_ms. UNAVAILABLE: no socket, nobody listens, or the kubelet's own refusal;
 * DEADLINE; TOO_LARGE; PARSE: not gRPC, or not such a message. Resources other than nvidia.com/... and DRA driver
 * gpu.nvidia.com are left out.
 */
int gm_podresources_list(const char *socket_path, int64_t deadline_ms, struct gm_arena *arena,
			 struct gm_podresources *out, struct gm_err *err) GM_CHECKED;
/* The message alone (after gRPC's five bytes): for tests and the fuzzer. */
int gm_podresources_parse(struct gm_str message, struct gm_arena *arena, struct gm_podresources *out,
			  struct gm_err *err) GM_CHECKED;

/* A device id taken apart. */
enum gm_device_id_kind { GM_DEVICE_ID_OTHER, GM_DEVICE_ID_GPU, GM_DEVICE_ID_MIG, GM_DEVICE_ID_INDEX, GM_DEVICE_ID_DRA };
struct gm_device_id {
	enum gm_device_id_kind kind;
	struct gm_str uuid;    /* GPU, MIG: without "::n" */
	int replica;	       /* -1: not shared */
	int index;	       /* INDEX (GKE nvidiaN), DRA (minor) */
	int gi;		       /* INDEX: nvidia0/gi1; -1: none */
	int profile_id, start; /* DRA MIG; -1: a whole board */
};
void gm_device_id_parse(struct gm_str id, struct gm_device_id *out);

#endif
