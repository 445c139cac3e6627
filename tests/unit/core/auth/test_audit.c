/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/auth/auth.h"

static struct gm_audit row_of(int64_t seq, const struct gm_audit *before)
{
	struct gm_audit row = { .seq = seq,
				.at_ms = 1764000000000 + seq,
				.actor = GM_STR("ops"),
				.role = GM_STR("admin"),
				.address = GM_STR("10.0.0.7"),
				.action = GM_STR("key.create"),
				.object = GM_STR("12"),
				.after = GM_STR("{\"name\":\"ci\"}"),
				.request_id = GM_STR("r-1") };

	if (before)
		memcpy(row.previous, before->digest, sizeof(row.previous));
	gm_audit_digest(&row, row.digest);
	return row;
}

static void chain_of_three(struct gm_audit rows[3])
{
	for (int i = 0; i < 3; i++)
		rows[i] = row_of(i + 1, i ? &rows[i - 1] : NULL);
}

static int prove(const struct gm_audit *rows, size_t count, int64_t *out_seq)
{
	struct gm_audit_chain chain = { 0 };
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = gm_audit_chain_next(&chain, &rows[i], NULL);
	*out_seq = chain.seq;
	return rc;
}

static void test_audit_chain_of_true_rows_is_proved(void **state)
{
	struct gm_audit rows[3];
	struct gm_audit_chain chain = { 0 };
	int64_t seq = 0;

	(void)state;
	chain_of_three(rows);
	assert_int_equal(prove(rows, 3, &seq), 0);
	assert_int_equal(seq, 3);
	assert_int_equal(gm_audit_chain_next(&chain, &rows[0], NULL), 0);
	assert_memory_equal(chain.head, rows[0].digest, GM_DIGEST_BYTES);
}

static void test_audit_chain_finds_each_changed_member(void **state)
{
	(void)state;
	for (int member = 0; member < 10; member++) {
		struct gm_audit rows[3];
		struct gm_str *const texts[] = {
			&rows[1].actor,	 &rows[1].role,	  &rows[1].address, &rows[1].action,
			&rows[1].object, &rows[1].before, &rows[1].after,   &rows[1].request_id
		};
		int64_t seq = 0;

		chain_of_three(rows);
		if (member < 8)
			*texts[member] = GM_STR("x");
		else if (member == 8)
			rows[1].at_ms++;
		else
			rows[1].digest[31] ^= 1;
		assert_int_equal(prove(rows, 3, &seq), GM_ERR_CORRUPT);
		assert_int_equal(seq, 1);
	}
}

static void test_audit_chain_finds_missing_and_moved_rows(void **state)
{
	struct gm_audit rows[3], other[3];
	int64_t seq = 0;

	(void)state;
	chain_of_three(rows);
	other[0] = rows[0];
	other[1] = rows[2];
	assert_int_equal(prove(other, 2, &seq), GM_ERR_CORRUPT);
	assert_int_equal(prove(rows + 1, 2, &seq), GM_ERR_CORRUPT);
	assert_int_equal(seq, 0);
	/* A row rewritten with a fitting digest still breaks the row behind it. */
	other[0] = rows[0];
	other[0].actor = GM_STR("somebody else");
	gm_audit_digest(&other[0], other[0].digest);
	other[1] = rows[1];
	assert_int_equal(prove(other, 2, &seq), GM_ERR_CORRUPT);
	assert_int_equal(seq, 1);
}

static void test_audit_digest_keeps_members_apart(void **state)
{
	struct gm_audit a = { .seq = 1, .actor = GM_STR("ab"), .role = GM_STR("c") };
	struct gm_audit b = { .seq = 1, .actor = GM_STR("a"), .role = GM_STR("bc") };
	uint8_t of_a[GM_DIGEST_BYTES], of_b[GM_DIGEST_BYTES];

	(void)state;
	gm_audit_digest(&a, of_a);
	gm_audit_digest(&b, of_b);
	assert_memory_not_equal(of_a, of_b, GM_DIGEST_BYTES);
}

/* The stored form must never change: logs of older versions are proved too. */
static void test_audit_digest_is_the_stored_one(void **state)
{
	struct gm_audit row = row_of(1, NULL);
	char hex[2 * GM_DIGEST_BYTES + 1];

	(void)state;
	gm_hex(row.digest, GM_DIGEST_BYTES, hex);
	assert_string_equal(hex, "90c06ac1be5ad6ccae6d8925809e3bca7bfcc66203386cca4da21cea5e01f279");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_audit_chain_of_true_rows_is_proved),
		cmocka_unit_test(test_audit_chain_finds_each_changed_member),
		cmocka_unit_test(test_audit_chain_finds_missing_and_moved_rows),
		cmocka_unit_test(test_audit_digest_keeps_members_apart),
		cmocka_unit_test(test_audit_digest_is_the_stored_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
