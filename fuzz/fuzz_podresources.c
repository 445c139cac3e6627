/* SPDX-License-Identifier: MIT */
/*
 * The kubelet's answer. The first byte chooses: a message, read twice and once more with other memory, which must give the
 * same; or all the bytes of an HTTP/2 connection. Ids that come out are taken apart.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/kube/grpc-internal.h"
#include "adapter/kube/podresources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_id(struct gm_str text)
{
	struct gm_device_id id;

	gm_device_id_parse(text, &id);
	must(id.uuid.n <= text.n);
	must((id.uuid.n > 0) == (id.kind == GM_DEVICE_ID_GPU || id.kind == GM_DEVICE_ID_MIG));
	must((id.index >= 0) == (id.kind == GM_DEVICE_ID_INDEX || id.kind == GM_DEVICE_ID_DRA));
	must((id.profile_id >= 0) == (id.start >= 0));
}

static void check_message(struct gm_str message)
{
	struct gm_arena arenas[2] = { { 0 }, { 0 } };
	struct gm_podresources pods[2] = { { 0 }, { 0 } };
	struct gm_err err = { 0 };
	int rc = gm_podresources_parse(message, &arenas[0], &pods[0], &err);

	must(rc == 0 || rc == GM_ERR_PARSE || rc == GM_ERR_TOO_LARGE);
	must(gm_podresources_parse(message, &arenas[1], &pods[1], &err) == rc && pods[0].count == pods[1].count);
	must(pods[0].count <= GM_PODRESOURCES_DEVICES_MAX);
	for (size_t i = 0; i < pods[0].count; i++) {
		const struct gm_pod_device *a = &pods[0].devices[i], *b = &pods[1].devices[i];
		const char *const texts[][2] = {
			{ a->namespace_, b->namespace_ },
			{ a->pod, b->pod },
			{ a->container, b->container },
			{ a->resource, b->resource },
			{ a->device_id, b->device_id },
			{ a->claim, b->claim },
			{ a->cdi, b->cdi },
		};
		for (size_t k = 0; k < GM_LEN(texts); k++)
			must(strcmp(texts[k][0], texts[k][1]) == 0 && gm_str_plain_ok(gm_str(texts[k][0])));
		check_id(gm_str(a->device_id));
	}
	gm_arena_fini(&arenas[0]);
	gm_arena_fini(&arenas[1]);
}

static void check_connection(struct gm_str bytes)
{
	const struct gm_grpc_ask ask = { .socket_path = "", .method = "/m", .deadline_ms = 1000, .bytes_max = 4096 };
	struct gm_buf body = { 0 };
	struct gm_err err = { 0 };

	if (gm_grpc_replay(&ask, bytes, &body, &err) == 0)
		must(body.n <= ask.bytes_max && !body.failed);
	else
		must(err.text[0] && gm_str_utf8_ok(gm_str(err.text)));
	gm_buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gm_str rest = gm_str_n((const char *)data + 1, size ? size - 1 : 0);

	if (size == 0)
		return 0;
	if (data[0] & 1)
		check_connection(rest);
	else
		check_message(rest);
	check_id(rest);
	return 0;
}
