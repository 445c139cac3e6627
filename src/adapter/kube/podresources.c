/* SPDX-License-Identifier: MIT */
#include "adapter/kube/podresources.h"

#include "adapter/kube/grpc-internal.h"
#include "base/buf.h"

int gm_podresources_list(const char *socket_path, int64_t deadline_ms, struct gm_arena *arena,
			 struct gm_podresources *out, struct gm_err *err)
{
	const struct gm_grpc_ask ask = { .socket_path = socket_path,
					 .method = "/v1.PodResourcesLister/List",
					 .deadline_ms = deadline_ms,
					 .bytes_max = GM_PODRESOURCES_BYTES_MAX };
	GM_AUTO(gm_buf_fini_p) struct gm_buf message = { 0 };
	int rc = gm_grpc_call(&ask, &message, err);

	if (rc == 0 && (rc = gm_podresources_parse(gm_buf_str(&message), arena, out, err)) != 0)
		rc = gm_err_wrap(err, "'%s'", socket_path);
	return rc;
}
