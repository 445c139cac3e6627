/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/option.h"

struct conf {
	bool on;
	int64_t port;
	int64_t wait_ms;
	int64_t bytes;
	char *name;
	struct gm_secret password;
	int level;
	int64_t rate_micros;
	struct gm_option_list models;
	struct gm_option_map rates;
	struct gm_option_maps targets;
};

static int check_no_x(struct gm_str value, struct gm_err *err)
{
	if (gm_str_find(value, 'x') < value.n)
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' holds an x", GM_STR_ARG(value));
	return 0;
}

#define AT(field) offsetof(struct conf, field)
static const struct gm_option TABLE[] = {
	{ "a.on", GM_OPTION_BOOL, AT(on), .def = "true", .help = "Whether" },
	{ "a.port", GM_OPTION_INT, AT(port), .def = "8080", .min = "1", .max = "65535", .env = "PORT", .help = "Port" },
	{ "a.wait-time", GM_OPTION_DURATION, AT(wait_ms), .def = "30s", .min = "1s", .max = "1h", .live = true,
	  .help = "Wait" },
	{ "a.bytes", GM_OPTION_BYTES, AT(bytes), .def = "64MiB", .max = "1GiB", .help = "Size" },
	{ "a.name", GM_OPTION_TEXT, AT(name), .def = "default", .min = "1", .max = "8", .check = check_no_x,
	  .help = "Name" },
	{ "a.password", GM_OPTION_SECRET, AT(password), .help = "Password" },
	{ "a.level", GM_OPTION_ENUM, AT(level), .def = "info", .choices = "debug|info|warn", .help = "Level" },
	{ "a.rate", GM_OPTION_MONEY, AT(rate_micros), .def = "2.5", .min = "0", .help = "Rate" },
	{ "a.models", GM_OPTION_LIST, AT(models), .def = "[A, B]", .choices = "A|B|C", .max = "3", .help = "Models" },
	{ "a.rates", GM_OPTION_MAP, AT(rates), .def = "{A: 1.0, B: 2}", .max = "3", .check = check_no_x,
	  .help = "Rates" },
	{ "a.targets", GM_OPTION_MAPS, AT(targets), .max = "4", .check = check_no_x, .help = "Targets" },
};

struct fixture {
	struct conf conf;
	struct gm_options o;
	struct gm_err err;
};

static const struct gm_origin FLAG = { .kind = GM_ORIGIN_FLAG, .where = "--set" };

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f.conf, 0xa5, sizeof(f.conf)); /* init must not read what was there */
	gm_options_init(&f.o, TABLE, GM_LEN(TABLE), &f.conf);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	gm_options_fini(&f->o);
	gm_options_fini(&f->o);
	return 0;
}

static int set(struct fixture *f, const char *key, const char *text)
{
	const struct gm_option *opt = gm_option_find(&f->o, gm_str(key));

	assert_non_null(opt);
	return gm_option_set(&f->o, opt, gm_str(text), &FLAG, &f->err);
}

static void check_print(struct fixture *f, const char *key, const char *want)
{
	struct gm_buf out = { 0 };

	gm_option_print(&f->o, gm_option_find(&f->o, gm_str(key)), &out);
	assert_string_equal(gm_buf_cstr(&out), want);
	gm_buf_fini(&out);
}

static void test_option_init_sets_every_default(void **state)
{
	struct fixture *f = *state;

	assert_true(f->conf.on);
	assert_int_equal(f->conf.port, 8080);
	assert_int_equal(f->conf.wait_ms, 30000);
	assert_int_equal(f->conf.bytes, 64 << 20);
	assert_string_equal(f->conf.name, "default");
	assert_null(f->conf.password.p);
	assert_int_equal(f->conf.level, 1);
	assert_int_equal(f->conf.rate_micros, 2500000);
	assert_int_equal(f->conf.models.count, 2);
	assert_string_equal(f->conf.models.items[1], "B");
	assert_int_equal(f->conf.rates.count, 2);
	assert_string_equal(f->conf.rates.items[0].key, "A");
	assert_string_equal(f->conf.rates.items[0].value, "1.0");
	assert_int_equal(f->conf.targets.count, 0);
	for (size_t i = 0; i < GM_LEN(TABLE); i++)
		assert_int_equal(gm_option_origin(&f->o, &TABLE[i])->kind, GM_ORIGIN_DEFAULT);
}

static const struct {
	const char *key;
	const char *text;
	const char *printed;
} GOOD[] = {
	{ "a.on", "no", "false" },
	{ "a.port", "65535", "65535" },
	{ "a.port", " 1 ", "1" },
	{ "a.wait-time", "90s", "1m30s" },
	{ "a.bytes", "1536", "1536" },
	{ "a.bytes", "0", "0" },
	{ "a.bytes", "1.5MiB", "1536KiB" },
	{ "a.name", "h\xc3\xa9llo", "h\xc3\xa9llo" },
	{ "a.level", "WARN", "warn" },
	{ "a.rate", "0.000001", "0.000001" },
	{ "a.models", "C", "[C]" },
	{ "a.models", "A,B, C", "[A, B, C]" },
	{ "a.models", "[]", "[]" },
	{ "a.models", "", "[]" },
	{ "a.rates", "A=1,B=2", "{A: 1, B: 2}" },
	{ "a.rates", "{\"k, 1\": \"v \\\" =\"}", "{\"k, 1\": \"v \\\" =\"}" },
	{ "a.rates", "{}", "{}" },
	{ "a.targets", "http://a:1/m,http://[::1]:2/m", "[http://a:1/m, \"http://[::1]:2/m\"]" },
	{ "a.targets", "[{url: http://a/?b=c, node: n1}, d]", "[{url: \"http://a/?b=c\", node: n1}, d]" },
	{ "a.targets", "[{url=http://a}]", "[{url: http://a}]" },
};

static void test_option_set_prints_what_reads_back_alike(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(GOOD); i++) {
		if (set(f, GOOD[i].key, GOOD[i].text) != 0)
			fail_msg("%s=%s: %s", GOOD[i].key, GOOD[i].text, f->err.text);
		check_print(f, GOOD[i].key, GOOD[i].printed);
		assert_int_equal(set(f, GOOD[i].key, GOOD[i].printed), 0);
		check_print(f, GOOD[i].key, GOOD[i].printed);
		const struct gm_origin *origin = gm_option_origin(&f->o, gm_option_find(&f->o, gm_str(GOOD[i].key)));
		assert_int_equal(origin->kind, GM_ORIGIN_FLAG);
		assert_string_equal(origin->where, "--set");
	}
}

static const struct {
	const char *key;
	const char *text;
	const char *reason; /* a part of it */
} BAD[] = {
	{ "a.on", "perhaps", "true or false" },
	{ "a.on", "", "true or false" },
	{ "a.port", "0", "less than 1" },
	{ "a.port", "65536", "more than 65535" },
	{ "a.port", "80x", "whole number" },
	{ "a.port", "99999999999999999999", "whole number" },
	{ "a.wait-time", "30", "duration" },
	{ "a.wait-time", "500ms", "less than 1s" },
	{ "a.wait-time", "2h", "more than 1h" },
	{ "a.bytes", "2GiB", "more than 1GiB" },
	{ "a.bytes", "-1", "size" },
	{ "a.name", "", "at least 1" },
	{ "a.name", "123456789", "at most 8" },
	{ "a.name", "ax", "holds an x" },
	{ "a.name", "a\nb", "control character" },
	{ "a.name", "a\xff", "UTF-8" },
	{ "a.level", "loud", "debug, info, warn" },
	{ "a.rate", "-1", "less than 0" },
	{ "a.rate", "1.0000001", "amount" },
	{ "a.models", "A,D", "not one of A, B, C" },
	{ "a.models", "A,B,C,A", "at most 3" },
	{ "a.rates", "A", "map" },
	{ "a.rates", "=1", "map" },
	{ "a.rates", "A=1,A=2", "twice" },
	{ "a.rates", "A=x", "holds an x" },
	{ "a.targets", "a,b,c,d,e", "at most 4" },
	{ "a.targets", "xx", "holds an x" },
	{ "a.targets", "[{url}]", "list of maps" },
};

static void test_option_set_refuses_and_keeps_the_old_value(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(BAD); i++) {
		const struct gm_option *opt = gm_option_find(&f->o, gm_str(BAD[i].key));
		struct gm_buf before = { 0 };
		gm_option_print(&f->o, opt, &before);
		if (set(f, BAD[i].key, BAD[i].text) != GM_ERR_INVALID)
			fail_msg("%s=%s was taken", BAD[i].key, BAD[i].text);
		if (!strstr(f->err.text, BAD[i].reason) || !strstr(f->err.text, BAD[i].key))
			fail_msg("%s=%s: '%s'", BAD[i].key, BAD[i].text, f->err.text);
		assert_string_equal(f->err.where, "--set");
		check_print(f, BAD[i].key, gm_buf_cstr(&before));
		assert_int_equal(gm_option_origin(&f->o, opt)->kind, GM_ORIGIN_DEFAULT);
		gm_buf_fini(&before);
	}
}

static void test_option_never_prints_a_secret(void **state)
{
	struct fixture *f = *state;

	check_print(f, "a.password", "");
	assert_int_equal(set(f, "a.password", "hunter2"), 0);
	check_print(f, "a.password", "******");
	assert_string_equal(f->conf.password.p, "hunter2");
	assert_int_equal(set(f, "a.password", ""), 0);
	check_print(f, "a.password", "");
}

static void test_option_set_copies_lists_and_maps(void **state)
{
	struct fixture *f = *state;
	char a[] = "A", *items[] = { a };
	char key[] = "k", value[] = "v", where[] = "f.yml:3:4";
	struct gm_option_pair pair = { key, value, where };
	struct gm_option_map map = { &pair, 1 };
	struct gm_option_maps maps = { &map, 1 };
	const struct gm_origin file = { .kind = GM_ORIGIN_FILE, .where = "f.yml:1:1" };

	assert_int_equal(gm_option_set_list(&f->o, &TABLE[8], &(struct gm_option_list){ items, 1 }, &file, &f->err), 0);
	assert_int_equal(gm_option_set_map(&f->o, &TABLE[9], &map, &file, &f->err), 0);
	assert_int_equal(gm_option_set_maps(&f->o, &TABLE[10], &maps, &file, &f->err), 0);
	a[0] = key[0] = value[0] = where[0] = '?';
	assert_string_equal(f->conf.models.items[0], "A");
	assert_string_equal(f->conf.rates.items[0].key, "k");
	assert_string_equal(f->conf.rates.items[0].value, "v");
	assert_string_equal(f->conf.targets.items[0].items[0].where, "f.yml:3:4");
}

static void test_option_names_the_place_of_a_pair(void **state)
{
	struct fixture *f = *state;
	char k[] = "k", v[] = "v", k_at[] = "f.yml:3:4", l[] = "l", x[] = "x", l_at[] = "f.yml:4:4";
	struct gm_option_pair pairs[] = { { k, v, k_at }, { l, x, l_at } };
	struct gm_option_map map = { pairs, 2 };
	const struct gm_origin file = { .kind = GM_ORIGIN_FILE, .where = "f.yml:1:1" };

	assert_int_equal(gm_option_set_map(&f->o, &TABLE[9], &map, &file, &f->err), GM_ERR_INVALID);
	assert_string_equal(f->err.where, "f.yml:4:4");
	check_print(f, "a.rates", "{A: 1.0, B: 2}");
}

static void test_option_same_compares_values(void **state)
{
	struct fixture *f = *state;
	struct conf other_conf;
	struct gm_options other;

	gm_options_init(&other, TABLE, GM_LEN(TABLE), &other_conf);
	for (size_t i = 0; i < GM_LEN(TABLE); i++)
		assert_true(gm_option_same(&f->o, &other, &TABLE[i]));
	assert_int_equal(set(f, "a.password", "p1"), 0);
	assert_int_equal(set(f, "a.models", "A"), 0);
	assert_int_equal(set(f, "a.wait-time", "30000ms"), 0);
	assert_false(gm_option_same(&f->o, &other, &TABLE[5]));
	assert_false(gm_option_same(&f->o, &other, &TABLE[8]));
	assert_true(gm_option_same(&f->o, &other, &TABLE[2]));
	assert_int_equal(gm_option_set(&other, &TABLE[5], GM_STR("p2"), &FLAG, &f->err), 0);
	assert_false(gm_option_same(&f->o, &other, &TABLE[5]));
	gm_options_fini(&other);
}

static void test_option_copy_takes_value_and_origin(void **state)
{
	struct fixture *f = *state;
	struct conf other_conf;
	struct gm_options other;

	for (size_t i = 0; i < GM_LEN(GOOD); i++)
		assert_int_equal(set(f, GOOD[i].key, GOOD[i].text), 0);
	assert_int_equal(set(f, "a.password", "hunter2"), 0);
	gm_options_init(&other, TABLE, GM_LEN(TABLE), &other_conf);
	for (size_t i = 0; i < GM_LEN(TABLE); i++) {
		assert_false(gm_option_same(&f->o, &other, &TABLE[i]) && TABLE[i].type != GM_OPTION_BOOL);
		gm_option_copy(&other, &f->o, &TABLE[i]);
		assert_true(gm_option_same(&f->o, &other, &TABLE[i]));
		assert_string_equal(gm_option_origin(&other, &TABLE[i])->where, "--set");
	}
	assert_ptr_not_equal(f->conf.name, other_conf.name);
	gm_options_fini(&other);
}

static void test_option_nearest_offers_the_slip(void **state)
{
	struct fixture *f = *state;

	assert_null(gm_option_find(&f->o, GM_STR("a.prot")));
	assert_string_equal(gm_option_nearest(&f->o, GM_STR("a.prot")), "a.port");
	assert_string_equal(gm_option_nearest(&f->o, GM_STR("a.waitTime")), "a.wait-time");
	assert_string_equal(gm_option_nearest(&f->o, GM_STR("password")), "a.password");
	assert_null(gm_option_nearest(&f->o, GM_STR("something.else.entirely")));
	assert_null(gm_option_nearest(&f->o, GM_STR("")));
}

static void test_option_env_name_drops_dashes(void **state)
{
	struct gm_buf out = { 0 };

	(void)state;
	gm_option_env_name(&(struct gm_option){ .key = "gpu.management.mig.auto-cleanup" }, &out);
	assert_string_equal(gm_buf_cstr(&out), "GPU_MANAGEMENT_MIG_AUTOCLEANUP");
	gm_buf_reset(&out);
	gm_option_env_name(&(struct gm_option){ .key = "tls.cert-file", .env_prefix = "GPU_AGENT_" }, &out);
	assert_string_equal(gm_buf_cstr(&out), "GPU_AGENT_TLS_CERTFILE");
	gm_buf_fini(&out);
}

static void test_option_help_and_docs_name_every_row(void **state)
{
	struct gm_buf help = { 0 }, docs = { 0 };
	struct gm_str rest, line;

	(void)state;
	gm_options_help(TABLE, GM_LEN(TABLE), &help);
	gm_options_markdown(TABLE, GM_LEN(TABLE), &docs);
	for (size_t i = 0; i < GM_LEN(TABLE); i++) {
		assert_non_null(strstr(gm_buf_cstr(&help), TABLE[i].key));
		assert_non_null(strstr(gm_buf_cstr(&docs), TABLE[i].key));
	}
	assert_non_null(
		strstr(gm_buf_cstr(&help), "  a.port (number, 1 to 65535; default 8080; also PORT)\n      Port\n"));
	assert_non_null(strstr(gm_buf_cstr(&docs),
			       "| `a.wait-time` | Wait | duration, 1s to 1h | `30s` | `A_WAITTIME` | yes |\n"));
	for (rest = gm_buf_str(&help); gm_str_split(&rest, '\n', &line);)
		assert_true(line.n <= 100);
	gm_buf_fini(&help);
	gm_buf_fini(&docs);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_option_init_sets_every_default),
		TEST(test_option_set_prints_what_reads_back_alike),
		TEST(test_option_set_refuses_and_keeps_the_old_value),
		TEST(test_option_never_prints_a_secret),
		TEST(test_option_set_copies_lists_and_maps),
		TEST(test_option_names_the_place_of_a_pair),
		TEST(test_option_same_compares_values),
		TEST(test_option_copy_takes_value_and_origin),
		TEST(test_option_nearest_offers_the_slip),
		TEST(test_option_env_name_drops_dashes),
		TEST(test_option_help_and_docs_name_every_row),
	};
	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
