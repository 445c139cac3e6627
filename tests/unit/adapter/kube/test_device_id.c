/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "adapter/kube/podresources.h"

#define U "6e5b8a7f-2e3d-4c5b-6a79-880716253443"

static void test_each_form_is_taken_apart(void **state)
{
	static const struct {
		const char *id;
		enum gm_device_id_kind kind;
		const char *uuid;
		int replica, index, gi, profile_id, start;
	} rows[] = {
		{ "GPU-" U, GM_DEVICE_ID_GPU, "GPU-" U, -1, -1, -1, -1, -1 },
		{ "GPU-" U "::0", GM_DEVICE_ID_GPU, "GPU-" U, 0, -1, -1, -1, -1 },
		{ "GPU-" U "::12", GM_DEVICE_ID_GPU, "GPU-" U, 12, -1, -1, -1, -1 },
		{ "MIG-" U, GM_DEVICE_ID_MIG, "MIG-" U, -1, -1, -1, -1, -1 },
		{ "MIG-" U "::3", GM_DEVICE_ID_MIG, "MIG-" U, 3, -1, -1, -1, -1 },
		{ "MIG-GPU-" U "/7/0", GM_DEVICE_ID_MIG, "MIG-GPU-" U "/7/0", -1, -1, -1, -1, -1 },
		{ "nvidia0", GM_DEVICE_ID_INDEX, "", -1, 0, -1, -1, -1 },
		{ "nvidia15/gi13", GM_DEVICE_ID_INDEX, "", -1, 15, 13, -1, -1 },
		{ "nvidia1/vgpu2", GM_DEVICE_ID_INDEX, "", 2, 1, -1, -1, -1 },
		{ "nvidia1/gi7/vgpu2", GM_DEVICE_ID_INDEX, "", 2, 1, 7, -1, -1 },
		{ "gpu-3", GM_DEVICE_ID_DRA, "", -1, 3, -1, -1, -1 },
		{ "gpu-0-mig-1g10gb-19-2", GM_DEVICE_ID_DRA, "", -1, 0, -1, 19, 2 },
		{ "gpu-11-mig-1g10gb-me-20-6", GM_DEVICE_ID_DRA, "", -1, 11, -1, 20, 6 },
		/* no form of ours */
		{ "", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "GPU-", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "GPU-::1", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "GPU-" U "::", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "GPU-" U "::x", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "GPU-" U "::99999999999", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "nvidia", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "nvidiactl", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "nvidia-1", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "nvidia0/gi", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "nvidia0/gi1/x", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "nvidia0/gi1/vgpu0/x", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "gpu-", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "gpu-x", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "gpu-vfio-1", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "gpu-0-mig-19-2", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "gpu-0-mig-1g10gb-19", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "gpu-0-mig-1g10gb-19-", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "gpu-0-xig-1g10gb-19-2", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
		{ "0000:17:00.0", GM_DEVICE_ID_OTHER, "", -1, -1, -1, -1, -1 },
	};
	(void)state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct gm_device_id got = { .index = 77 };
		gm_device_id_parse(gm_str(rows[i].id), &got);
		if (got.kind != rows[i].kind)
			fail_msg("'%s': kind %d", rows[i].id, (int)got.kind);
		assert_true(gm_str_is(got.uuid, rows[i].uuid));
		if (got.replica != rows[i].replica || got.index != rows[i].index || got.gi != rows[i].gi ||
		    got.profile_id != rows[i].profile_id || got.start != rows[i].start)
			fail_msg("'%s': %d %d %d %d %d", rows[i].id, got.replica, got.index, got.gi, got.profile_id,
				 got.start);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_form_is_taken_apart) };

	return cmocka_run_group_tests_name("kube/device_id", tests, NULL, NULL);
}
