/* SPDX-License-Identifier: MIT */
#include "sim-testing.h"

#include <string.h>

/* Is `start` among the catalogue's, and do all placements of the board lie side by side? */
static void assert_legal(const struct gm_sim_device *d)
{
	const struct gm_mig_table *table = d->variant->mig;
	uint32_t used = 0, gi_ids = 0;
	int compute = 0;
	assert_non_null(table);
	assert_true(d->variant->mig_capable);
	for (int i = 0; i < d->instance_count; i++) {
		const struct gm_sim_instance *in = &d->instances[i];
		const struct gm_mig_profile *p = in->profile;
		bool in_table = false, allowed = false;
		int same = 0;
		for (size_t k = 0; k < table->profile_count; k++)
			in_table |= p == &table->profiles[k];
		for (size_t k = 0; k < p->start_count; k++)
			allowed |= p->starts[k] == in->placement_start;
		for (int k = 0; k < d->instance_count; k++)
			same += d->instances[k].profile == p;
		assert_true(in_table && allowed);
		assert_in_range(same, 1, p->max_instances);
		assert_in_range(in->placement_start + p->size, 1, table->placement_units);
		uint32_t mask = ((UINT32_C(1) << p->size) - 1) << in->placement_start;
		assert_int_equal(used & mask, 0);
		used |= mask;
		assert_int_equal(gi_ids >> in->gi_id & 1, 0);
		gi_ids |= UINT32_C(1) << in->gi_id;
		compute += p->compute_slices;
		assert_memory_equal(in->uuid, "MIG-", 4);
	}
	assert_in_range(compute, 1, table->compute_slices);
}

static void test_layout_is_legal_on_every_variant(void **state)
{
	(void)state;
	size_t count, with_mig = 0;
	const struct gm_variant *all = gm_catalog_variants(&count);
	for (size_t i = 0; i < count; i++) {
		struct gm_sim_spec spec = { .seed = i, .gpus = 24, .models = gm_str(all[i].id) };
		GM_AUTO(gm_sim_free_p) struct gm_sim *s = world(spec);
		int mig = 0;
		for (size_t k = 0; k < 24; k++) {
			const struct gm_sim_device *d = device(s, k);
			assert_true(d->mig_enabled == (d->instance_count > 0));
			if (!d->mig_enabled)
				continue;
			mig++;
			assert_legal(d);
		}
		assert_true(mig == 0 || mig == 8);
		with_mig += mig > 0;
		if (!all[i].mig_capable)
			assert_int_equal(mig, 0);
	}
	assert_true(with_mig >= 6);
}

static void test_layout_numbers_instances_as_the_driver(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = world((struct gm_sim_spec){ .seed = 1, .gpus = 24 });
	const struct gm_sim_device *d = device(s, 4); /* worker-02: 3g, 2g, 1g, 1g */
	assert_int_equal(d->instance_count, 4);
	assert_string_equal(d->instances[0].profile->name, "3g.40gb");
	assert_int_equal(d->instances[0].placement_start, 4);
	assert_int_equal(d->instances[0].gi_id, 1);
	assert_string_equal(d->instances[1].profile->name, "2g.20gb");
	assert_int_equal(d->instances[1].gi_id, 3);
	assert_int_equal(d->instances[1].placement_start, 0);
	assert_string_equal(d->instances[3].profile->name, "1g.10gb");
	assert_int_equal(d->instances[3].gi_id, 8);
	assert_int_equal(d->instances[3].placement_start, 3);
	assert_int_equal(device(s, 5)->instance_count, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout_is_legal_on_every_variant),
		cmocka_unit_test(test_layout_numbers_instances_as_the_driver),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
