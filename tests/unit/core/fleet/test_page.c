/* SPDX-License-Identifier: MIT */
#include "fleet-world.h"

#include "core/fleet/page.h"

static struct draft m;
static char long_text[GM_PAGE_TEXT_MAX + 2];

static void good_page(void)
{
	draft_begin(&m, "http://10.0.0.1:9400/metrics", GM_PAGE_DCGM, "worker-01", T0);
	struct gm_obs_device *d = draft_board(&m, "GPU-a", 0);
	draft_pod(&m, &d->pods_count, "trainer");
	struct gm_obs_instance *in = draft_slice(&m, 1, "1g.10gb");
	draft_pod(&m, &in->pods_count, "server");
	draft_slice(&m, 2, "2g.20gb");
	draft_board(&m, "GPU-b", 1);
}

static void refused(int code, const char *part)
{
	struct gm_err err = { 0 };
	assert_int_equal(gm_page_check(&m.page, &err), code);
	if (!strstr(err.text, part))
		fail_msg("'%s' does not say '%s'", err.text, part);
	assert_int_equal(gm_page_check(&m.page, NULL), code);
}

static void test_good_page_is_taken(void **state)
{
	(void)state;
	good_page();
	assert_int_equal(gm_page_check(&m.page, NULL), 0);
	m.page.device_count = 0;
	assert_int_equal(gm_page_check(&m.page, NULL), 0);
}

static void test_head_must_be_told(void **state)
{
	(void)state;
	good_page();
	m.page.target = GM_STR("");
	refused(GM_ERR_INVALID, "target");
	good_page();
	m.page.cluster = GM_STR("");
	refused(GM_ERR_INVALID, "cluster");
	good_page();
	m.page.node = GM_STR("");
	refused(GM_ERR_INVALID, "node");
	good_page();
	m.devices[1].uuid = GM_STR("");
	refused(GM_ERR_INVALID, "device 1");
}

static void test_times_have_ends(void **state)
{
	(void)state;
	good_page();
	m.page.at_ms = 0;
	refused(GM_ERR_INVALID, "time");
	m.page.at_ms = INT64_MAX;
	refused(GM_ERR_INVALID, "time");
	good_page();
	m.devices[0].sample.at_ms = -1;
	refused(GM_ERR_INVALID, "time");
	good_page();
	m.instances[0].sample.at_ms = INT64_MAX;
	refused(GM_ERR_INVALID, "MIG instance 1.0");
	good_page();
	m.page.interval_ms = 0;
	refused(GM_ERR_INVALID, "interval");
	m.page.interval_ms = DAY + 1;
	refused(GM_ERR_INVALID, "interval");
	m.page.interval_ms = DAY;
	assert_int_equal(gm_page_check(&m.page, NULL), 0);
}

static void test_page_has_at_most_64_devices(void **state)
{
	static char uuids[GM_PAGE_DEVICES_MAX + 1][16];
	(void)state;
	draft_begin(&m, "t", GM_PAGE_SIM, "n", T0);
	for (int i = 0; i <= GM_PAGE_DEVICES_MAX; i++) {
		(void)snprintf(uuids[i], sizeof(uuids[i]), "GPU-%d", i);
		draft_board(&m, uuids[i], i);
	}
	refused(GM_ERR_TOO_LARGE, "65 devices");
	m.page.device_count--;
	assert_int_equal(gm_page_check(&m.page, NULL), 0);
}

static void test_device_has_at_most_16_instances(void **state)
{
	(void)state;
	draft_begin(&m, "t", GM_PAGE_SIM, "n", T0);
	draft_board(&m, "GPU-a", 0);
	for (int i = 0; i <= GM_PAGE_DEVICE_INSTANCES_MAX; i++)
		draft_slice(&m, i, "1g.10gb");
	refused(GM_ERR_TOO_LARGE, "17 MIG instances");
	m.devices[0].instances_count--;
	assert_int_equal(gm_page_check(&m.page, NULL), 0);
}

static void test_owner_has_at_most_256_pods(void **state)
{
	(void)state;
	draft_begin(&m, "t", GM_PAGE_SIM, "n", T0);
	struct gm_obs_device *d = draft_board(&m, "GPU-a", 0);
	for (int i = 0; i <= GM_PAGE_OWNER_PODS_MAX; i++)
		draft_pod(&m, &d->pods_count, "p");
	refused(GM_ERR_TOO_LARGE, "257 pods");
	d->pods_count--;
	assert_int_equal(gm_page_check(&m.page, NULL), 0);
}

static void test_ranges_lie_in_their_arrays(void **state)
{
	(void)state;
	good_page();
	m.devices[0].pods_count = m.page.pod_count + 1;
	refused(GM_ERR_INVALID, "pods");
	good_page();
	m.devices[1].pods_first = SIZE_MAX;
	m.devices[1].pods_count = 2;
	refused(GM_ERR_INVALID, "pods");
	good_page();
	m.devices[0].instances_count = 3;
	refused(GM_ERR_INVALID, "MIG instances");
	good_page();
	m.instances[0].pods_first = 3;
	refused(GM_ERR_INVALID, "MIG instance 1.0");
}

static void test_nothing_is_there_twice(void **state)
{
	(void)state;
	good_page();
	m.devices[1].uuid = GM_STR("GPU-a");
	refused(GM_ERR_INVALID, "twice");
	good_page();
	m.instances[1].gi_id = 1;
	refused(GM_ERR_INVALID, "twice");
	m.instances[1].ci_id = 1;
	assert_int_equal(gm_page_check(&m.page, NULL), 0);
}

static void test_texts_are_clean(void **state)
{
	(void)state;
	static const struct {
		struct gm_str text;
		bool ok;
	} rows[] = {
		{ GM_STR("NVIDIA H100"), true }, { GM_STR("엔비디아"), true }, { GM_STR("line\nbreak"), false },
		{ GM_STR("nul\0byte"), false },	 { GM_STR("\x7f"), false },    { GM_STR("\xc3\x28"), false },
		{ GM_STR("\xff"), false },
	};
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		good_page();
		m.devices[0].product_name = rows[i].text;
		assert_int_equal(gm_page_check(&m.page, NULL), rows[i].ok ? 0 : GM_ERR_INVALID);
		good_page();
		m.pods[1].uid = rows[i].text;
		assert_int_equal(gm_page_check(&m.page, NULL), rows[i].ok ? 0 : GM_ERR_INVALID);
	}
	memset(long_text, 'x', sizeof(long_text));
	good_page();
	m.instances[0].profile = gm_str_n(long_text, GM_PAGE_TEXT_MAX);
	assert_int_equal(gm_page_check(&m.page, NULL), 0);
	m.instances[0].profile.n++;
	refused(GM_ERR_INVALID, "MIG profile");
}

static void test_numbers_are_ids(void **state)
{
	(void)state;
	good_page();
	m.devices[0].index = -2;
	refused(GM_ERR_INVALID, "index");
	good_page();
	m.instances[0].ci_id = -1;
	refused(GM_ERR_INVALID, "ids");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_page_is_taken),
		cmocka_unit_test(test_head_must_be_told),
		cmocka_unit_test(test_times_have_ends),
		cmocka_unit_test(test_page_has_at_most_64_devices),
		cmocka_unit_test(test_device_has_at_most_16_instances),
		cmocka_unit_test(test_owner_has_at_most_256_pods),
		cmocka_unit_test(test_ranges_lie_in_their_arrays),
		cmocka_unit_test(test_nothing_is_there_twice),
		cmocka_unit_test(test_texts_are_clean),
		cmocka_unit_test(test_numbers_are_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
