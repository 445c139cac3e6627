/* SPDX-License-Identifier: MIT */
#include "mig-testing.h"

static void test_text_round_trip_of_every_layout(void **state)
{
	const struct gm_mig_table *t;

	(void)state;
	for (size_t at = 0; (t = next_table(&at)) != NULL;) {
		const struct layouts *all = all_layouts(t);
		GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };

		for (size_t i = 0; i < all->count; i++) {
			struct gm_mig_layout back;
			struct gm_err err = { 0 };

			gm_buf_reset(&text);
			gm_mig_layout_print(t, &all->items[i], &text);
			if (gm_mig_layout_parse(t, gm_buf_str(&text), &back, &err))
				fail_msg("%s: %s", gm_buf_cstr(&text), err.text);
			assert_true(gm_mig_layout_same(&back, &all->items[i]));
		}
	}
}

static void test_text_forms(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *says; /* the layout, or a part of the error */
	} rows[] = {
		{ "", 0, "" },
		{ "  ", 0, "" },
		{ "1g.10gb*7", 0, "1g.10gb@0, 1g.10gb@1, 1g.10gb@2, 1g.10gb@3, 1g.10gb@4, 1g.10gb@5, 1g.10gb@6" },
		{ " 3g.40gb@4 ,2g.20gb @ 0", 0, "2g.20gb@0, 3g.40gb@4" },
		{ "H100_3G40GB*2", 0, "3g.40gb@0, 3g.40gb@4" },
		{ "3g.40gb, 4g.40gb", 0, "4g.40gb@0, 3g.40gb@4" },
		/* In the order given a driver runs into a dead end here. */
		{ "1g.10gb*2, 2g.20gb, 3g.40gb", 0, "2g.20gb@0, 1g.10gb@2, 1g.10gb@3, 3g.40gb@4" },
		{ "1g.10gb.me, 2g.20gb@2", 0, "1g.10gb+me@0, 2g.20gb@2" },
		{ "7g.80gb, 1g.10gb", GM_ERR_CONFLICT, "do not fit together" },
		{ "4g.40gb*2", GM_ERR_CONFLICT, "do not fit" },
		{ "4g.40gb@0, 4g.40gb", GM_ERR_CONFLICT, "beside 1" },
		{ "3g.40gb@0, 2g.20gb@2", GM_ERR_CONFLICT, "2g.20gb@2" },
		{ "3g.40gb@1", GM_ERR_NOT_FOUND, "3g.40gb@1" },
		{ "5g.50gb", GM_ERR_NOT_FOUND, "5g.50gb" },
		{ "1g.10gb*", GM_ERR_PARSE, "1g.10gb*" },
		{ "1g.10gb*0", GM_ERR_PARSE, "1g.10gb*0" },
		{ "1g.10gb*17", GM_ERR_PARSE, "1g.10gb*17" },
		{ "1g.10gb*9, 1g.10gb*9", GM_ERR_CONFLICT, "more than" },
		{ "1g.10gb@x", GM_ERR_PARSE, "1g.10gb@x" },
		{ "1g.10gb@32", GM_ERR_PARSE, "1g.10gb@32" },
		{ "1g.10gb*2@1", GM_ERR_PARSE, "1g.10gb*2@1" },
		{ "1g.10gb,", GM_ERR_PARSE, "comma" },
		{ "1g.10gb,,1g.10gb", GM_ERR_NOT_FOUND, "''" },
		{ "@", GM_ERR_PARSE, "@" },
	};
	const struct gm_mig_table *t = table_of("H100_SXM5_80GB");

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
		struct gm_mig_layout l = { .count = 77 };
		struct gm_err err = { 0 };

		assert_int_equal(gm_mig_layout_parse(t, gm_str(rows[i].text), &l, &err), rows[i].code);
		if (rows[i].code) {
			assert_int_equal(l.count, 77);
			if (!strstr(err.text, rows[i].says))
				fail_msg("'%s': '%s' lacks '%s'", rows[i].text, err.text, rows[i].says);
			continue;
		}
		gm_mig_layout_print(t, &l, &text);
		assert_string_equal(gm_buf_cstr(&text), rows[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_round_trip_of_every_layout),
		cmocka_unit_test(test_text_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
