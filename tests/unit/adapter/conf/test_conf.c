/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/conf/conf.h"
#include "base/buf.h"

struct conf {
	bool on;
	int64_t port;
	int64_t wait_ms;
	char *name;
	struct gm_secret password;
	int level;
	struct gm_option_list models;
	struct gm_option_map rates;
	struct gm_option_maps targets;
};

#define AT(field) offsetof(struct conf, field)
static const struct gm_option TABLE[] = {
	{ "a.on", GM_OPTION_BOOL, AT(on), .def = "false", .help = "On" },
	{ "a.b.port", GM_OPTION_INT, AT(port), .def = "8080", .min = "1", .max = "65535", .help = "Port" },
	{ "a.b.wait-time", GM_OPTION_DURATION, AT(wait_ms), .def = "30s", .min = "1s", .help = "Wait" },
	{ "a.name", GM_OPTION_TEXT, AT(name), .max = "20", .help = "Name" },
	{ "db.password", GM_OPTION_SECRET, AT(password), .env = "DB_PASSWORD", .help = "Password" },
	{ "a.level", GM_OPTION_ENUM, AT(level), .def = "info", .choices = "debug|info", .help = "Level" },
	{ "a.models", GM_OPTION_LIST, AT(models), .def = "[X]", .help = "Models" },
	{ "a.rates", GM_OPTION_MAP, AT(rates), .def = "{X: 1}", .help = "Rates" },
	{ "a.targets", GM_OPTION_MAPS, AT(targets), .help = "Targets" },
};

struct fixture {
	struct conf conf;
	struct gm_options o;
	struct gm_err err;
	char folder[64];
	char base[96];
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .folder = "/tmp/gm-conf-XXXXXX" };
	gm_options_init(&f.o, TABLE, GM_LEN(TABLE), &f.conf);
	assert_non_null(mkdtemp(f.folder));
	(void)snprintf(f.base, sizeof(f.base), "%s/application.yml", f.folder);
	*state = &f;
	return 0;
}

static const char *const FILES[] = { "application.yml", "application-one.yml", "application-two.yml" };

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char path[128];

	for (size_t i = 0; i < GM_LEN(FILES); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", f->folder, FILES[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->folder), 0);
	gm_options_fini(&f->o);
	return 0;
}

static void write_file(struct fixture *f, const char *name, const char *text)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
}

static void apply(struct fixture *f, const char *text)
{
	if (gm_conf_apply_yaml(&f->o, gm_str(text), "f.yml", &f->err) < 0)
		fail_msg("%s: %s", f->err.where, f->err.text);
}

static const char *origin(struct fixture *f, const char *key)
{
	return gm_option_origin(&f->o, gm_option_find(&f->o, gm_str(key)))->where;
}

static void test_conf_takes_nested_and_dotted_keys(void **state)
{
	struct fixture *f = *state;

	apply(f, "a:\n  on: true\n  b: {port: 81}\na.b.wait-time: 5m\n\"a.level\": debug\n");
	assert_true(f->conf.on);
	assert_int_equal(f->conf.port, 81);
	assert_int_equal(f->conf.wait_ms, 300000);
	assert_int_equal(f->conf.level, 0);
	assert_string_equal(origin(f, "a.on"), "f.yml:2:7");
	assert_string_equal(origin(f, "a.b.port"), "f.yml:3:13");
	assert_string_equal(origin(f, "a.b.wait-time"), "f.yml:4:16");
	assert_string_equal(origin(f, "a.name"), "default");
}

static void test_conf_takes_lists_maps_and_lists_of_maps(void **state)
{
	struct fixture *f = *state;

	apply(f, "a:\n"
		 "  models:\n  - A\n  - 'B, C'\n"
		 "  rates:\n    A: 8.0\n    B.c: \"x\"\n"
		 "  targets:\n  - http://a:1/m\n  - url: http://b\n    node: n1\n  - {url: http://c, interval: }\n");
	assert_int_equal(f->conf.models.count, 2);
	assert_string_equal(f->conf.models.items[1], "B, C");
	assert_int_equal(f->conf.rates.count, 2);
	assert_string_equal(f->conf.rates.items[0].value, "8.0");
	assert_string_equal(f->conf.rates.items[1].key, "B.c");
	assert_string_equal(f->conf.rates.items[1].where, "f.yml:7:5");
	assert_int_equal(f->conf.targets.count, 3);
	assert_int_equal(f->conf.targets.items[0].count, 1);
	assert_string_equal(f->conf.targets.items[0].items[0].key, "");
	assert_string_equal(f->conf.targets.items[0].items[0].value, "http://a:1/m");
	assert_string_equal(f->conf.targets.items[0].items[0].where, "f.yml:9:5");
	assert_string_equal(f->conf.targets.items[1].items[1].key, "node");
	assert_string_equal(f->conf.targets.items[1].items[1].where, "f.yml:11:5");
	assert_string_equal(f->conf.targets.items[2].items[1].value, "");
	apply(f, "a.models: A, B\na.targets: http://x\n");
	assert_int_equal(f->conf.models.count, 2);
	assert_string_equal(f->conf.models.items[1], "B");
	assert_int_equal(f->conf.targets.count, 1);
	apply(f, "a: {models: [], rates: {}, targets: []}");
	assert_int_equal(f->conf.models.count, 0);
	assert_int_equal(f->conf.rates.count, 0);
	assert_int_equal(f->conf.targets.count, 0);
}

static void test_conf_keeps_text_as_it_stands(void **state)
{
	struct fixture *f = *state;

	apply(f, "a.name: 007\ndb.password: '  p w '\n");
	assert_string_equal(f->conf.name, "007");
	assert_string_equal(f->conf.password.p, "  p w ");
	apply(f, "a.name: \"true\"\n");
	assert_string_equal(f->conf.name, "true");
	apply(f, "a.name: null\ndb: ~\na.b:\n");
	assert_string_equal(f->conf.name, "true"); /* a key without a value leaves what was there */
	apply(f, "a.name: 'null'\n");
	assert_string_equal(f->conf.name, "null");
}

static void test_conf_takes_empty_files(void **state)
{
	struct fixture *f = *state;

	apply(f, "");
	apply(f, "# nothing\n");
	apply(f, "---\n...\n");
	apply(f, "{}\n");
	apply(f, "\xef\xbb\xbf"
		 "a.on: true\n");
	assert_true(f->conf.on);
}

static const struct {
	const char *text;
	const char *where;
	const char *reason; /* a part of it */
} BAD[] = {
	{ "a:\n  no: 1\n", "f.yml:2:3", "unknown key 'a.no'; did you mean 'a.on'?" },
	{ "whatever-this-is: 1\n", "f.yml:1:1", "unknown key 'whatever-this-is'" },
	{ "a.b.prot: 1\n", "f.yml:1:1", "did you mean 'a.b.port'?" },
	{ "a:\n  on: true\n  on: false\n", "f.yml:3:3", "given twice, first in line 2" },
	{ "a: {on: true}\na.on: false\n", "f.yml:2:1", "'a.on' is given twice, first in line 1" },
	{ "a: {on: true}\na: {level: info}\n", "f.yml:2:1", "given twice" },
	{ "a.targets: [{url: x, url: y}]\n", "f.yml:1:22", "given twice" },
	{ "a.rates: {X: 1, X: 2}\n", "f.yml:1:17", "given twice" },
	{ "a.b.port: \"81\"\n", "f.yml:1:11", "in quotes is text, not a number" },
	{ "a.on: 'true'\n", "f.yml:1:7", "in quotes is text, not a true or false" },
	{ "a.name: true\n", "f.yml:1:9", "put it in quotes" },
	{ "a:\n  b:\n    port: 0\n", "f.yml:3:11", "a.b.port: 0 is less than 1" },
	{ "a.b.port: eighty\n", "f.yml:1:11", "whole number" },
	{ "a.b.wait-time: 30\n", "f.yml:1:16", "duration" },
	{ "a.b.port: [1]\n", "f.yml:1:11", "a single value is wanted, not a list" },
	{ "a.b.port: {x: 1}\n", "f.yml:1:11", "a single value is wanted, not a map" },
	{ "a.models: {x: 1}\n", "f.yml:1:11", "a list is wanted, not a map" },
	{ "a.models: [[x]]\n", "f.yml:1:12", "a single value is wanted here, not a list" },
	{ "a.rates: [1]\n", "f.yml:1:10", "a map is wanted, not a list" },
	{ "a.rates: 1\n", "f.yml:1:10", "a map is wanted, not a single value" },
	{ "a.rates: {x: {y: 1}}\n", "f.yml:1:14", "a single value is wanted here, not a map" },
	{ "a.targets: [{url: [x]}]\n", "f.yml:1:19", "a single value is wanted here" },
	{ "a: 5\n", "f.yml:1:4", "a: a map is wanted" },
	{ "a: [1]\n", "f.yml:1:4", "a: a map is wanted" },
	{ "- a\n", "f.yml:1:1", "a list, not a map of keys" },
	{ "just text\n", "f.yml:1:1", "not a map of keys" },
	{ "[a]: 1\n", "f.yml:1:1", "a key is plain text" },
	{ "a.name: x\n---\na.on: true\n", "f.yml:2:1", "more than one document" },
	{ "a.name: &n x\n", "f.yml:1:9", "anchors" },
	{ "a.name: &n x\na.models: [*n]\n", "f.yml:1:9", "anchors" },
	{ "a.name: *n\n", "f.yml:1:9", "aliases" },
	{ "a.name: !!str x\n", "f.yml:1:9", "tags" },
	{ "a.name: !x y\n", "f.yml:1:9", "tags" },
	{ "a:\n\tb: 1\n", "f.yml:2:1", "" },
	{ "a: {on: true\n", "f.yml:2:1", "" },
	{ "a.name: \"x\\0y\"\n", "f.yml:1:9", "control character" },
	{ "a.models: [\"x\\0y\"]\n", "f.yml:1:12", "control character" },
	{ "a.name: [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\n", "f.yml:1:24", "deeper than 16" },
	{ "a.name: 123456789012345678901\n", "f.yml:1:9", "at most 20" },
};

static void test_conf_refuses_with_the_place(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(BAD); i++) {
		gm_err_reset(&f->err);
		if (gm_conf_apply_yaml(&f->o, gm_str(BAD[i].text), "f.yml", &f->err) >= 0)
			fail_msg("taken: %s", BAD[i].text);
		if (strcmp(f->err.where, BAD[i].where) != 0 || !strstr(f->err.text, BAD[i].reason) || !f->err.text[0])
			fail_msg("%s: at %s: '%s'", BAD[i].text, f->err.where, f->err.text);
	}
}

static void test_conf_shows_the_end_of_a_long_file_name(void **state)
{
	struct fixture *f = *state;
	char name[300];

	memset(name, 'd', sizeof(name));
	memcpy(name + sizeof(name) - 7, "/f.yml", 7);
	assert_true(gm_conf_apply_yaml(&f->o, GM_STR("a:\n  x: 1\n"), name, &f->err) < 0);
	assert_true(gm_str_starts(gm_str(f->err.where), GM_STR("...d")));
	assert_true(gm_str_ends(gm_str(f->err.where), GM_STR("d/f.yml:2:3")));
}

static void test_conf_limits_a_file(void **state)
{
	struct fixture *f = *state;
	struct gm_buf text = { 0 };

	gm_buf_add_cstr(&text, "a.models: [");
	for (size_t i = 0; i < GM_CONF_NODES_MAX; i++)
		gm_buf_add_cstr(&text, "x,");
	gm_buf_add_cstr(&text, "]\n");
	assert_true(gm_conf_apply_yaml(&f->o, gm_buf_str(&text), "f.yml", &f->err) < 0);
	assert_non_null(strstr(f->err.text, "500,000 nodes"));
	gm_buf_reset(&text);
	while (text.n <= GM_CONF_FILE_MAX)
		gm_buf_add_cstr(&text,
				"# a long comment, again and again, that no reader would want to see a second time\n");
	assert_int_equal(gm_conf_apply_yaml(&f->o, gm_buf_str(&text), "f.yml", &f->err), GM_ERR_TOO_LARGE);
	write_file(f, "application.yml", gm_buf_cstr(&text));
	assert_int_equal(gm_conf_apply_file(&f->o, f->base, &f->err), GM_ERR_TOO_LARGE);
	gm_buf_fini(&text);
}

static int load(struct fixture *f, const char *profiles, char *const *environment, const char *setting)
{
	static const struct gm_conf_preset PRESETS[] = { { "one", "a.name", "preset" }, { "one", "a.b.port", "1" } };
	static const char *const KNOWN[] = { "one", "three", NULL };
	struct gm_conf_profiles p = { 0 };
	const char *settings[] = { setting };
	struct gm_conf_sources from = { .file = f->base,
					.profiles = &p,
					.known_profiles = KNOWN,
					.presets = PRESETS,
					.preset_count = GM_LEN(PRESETS),
					.environment = environment,
					.settings = settings,
					.setting_count = setting ? 1 : 0 };

	assert_int_equal(gm_conf_profiles_add(&p, gm_str(profiles), "--profile", &f->err), 0);
	int rc = gm_conf_load(&f->o, &from, &f->err);
	gm_conf_profiles_fini(&p);
	return rc;
}

static void test_conf_later_sources_win(void **state)
{
	struct fixture *f = *state;
	char port[] = "A_B_PORT=5", wait[] = "A_B_WAITTIME=6s", empty[] = "A_NAME=";
	char *environment[] = { port, wait, empty, NULL };

	write_file(f, "application.yml", "a: {name: base, on: true, b: {port: 2}, models: [A, B, C]}\n");
	write_file(f, "application-one.yml", "a.b.port: 3\na.models: [D]\n");
	write_file(f, "application-two.yml", "a.b.port: 4\n");
	assert_int_equal(load(f, "", NULL, NULL), 0);
	assert_int_equal(f->conf.port, 2);
	assert_string_equal(f->conf.name, "base");
	assert_int_equal(load(f, "one", NULL, NULL), 0);
	assert_int_equal(f->conf.port, 3);
	assert_int_equal(f->conf.models.count, 1); /* replaced, not merged */
	assert_int_equal(load(f, "one, two", NULL, NULL), 0);
	assert_int_equal(f->conf.port, 4);
	assert_int_equal(load(f, "two,one", NULL, NULL), 0);
	assert_int_equal(f->conf.port, 3);
	assert_int_equal(load(f, "one,two", environment, NULL), 0);
	assert_int_equal(f->conf.port, 5);
	assert_int_equal(f->conf.wait_ms, 6000);
	assert_string_equal(f->conf.name, "base"); /* an empty variable is none */
	assert_string_equal(origin(f, "a.b.port"), "A_B_PORT");
	assert_int_equal(load(f, "one,two", environment, "a.b.port=7"), 0);
	assert_int_equal(f->conf.port, 7);
	assert_string_equal(origin(f, "a.b.port"), "--set");
	assert_string_equal(origin(f, "a.b.wait-time"), "A_B_WAITTIME");
}

static void test_conf_presets_stand_below_files(void **state)
{
	struct fixture *f = *state;

	write_file(f, "application.yml", "a.b.port: 2\n");
	assert_int_equal(load(f, "one", NULL, NULL), 0); /* known: needs no file */
	assert_string_equal(f->conf.name, "preset");
	assert_string_equal(origin(f, "a.name"), "profile one");
	assert_int_equal(f->conf.port, 2);
}

static void test_conf_an_unknown_profile_needs_its_file(void **state)
{
	struct fixture *f = *state;
	char want[128];

	write_file(f, "application.yml", "");
	assert_int_equal(load(f, "three", NULL, NULL), 0);
	assert_int_equal(load(f, "two", NULL, NULL), GM_ERR_NOT_FOUND);
	(void)snprintf(want, sizeof(want), "%s/application-two.yml", f->folder);
	assert_non_null(strstr(f->err.text, want));
	write_file(f, "application-two.yml", "a.on: maybe\n");
	assert_int_equal(load(f, "two", NULL, NULL), GM_ERR_INVALID);
	(void)snprintf(want, sizeof(want), "%s/application-two.yml:1:7", f->folder);
	assert_string_equal(f->err.where, want);
}

static void test_conf_a_missing_base_file_is_an_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "", NULL, NULL), GM_ERR_NOT_FOUND);
	assert_non_null(strstr(f->err.text, f->base));
}

static void test_conf_environment_takes_further_names(void **state)
{
	struct fixture *f = *state;
	char further[] = "DB_PASSWORD=p1", relaxed[] = "DB_PASSWORD=p1", own[] = "A_LEVEL=loud",
	     list[] = "A_MODELS=A,B", map[] = "A_RATES=A=1,B=2";
	char *environment[] = { further, list, map, NULL };
	char *bad[] = { relaxed, own, NULL };

	assert_int_equal(gm_conf_apply_environment(&f->o, environment, &f->err), 0);
	assert_string_equal(f->conf.password.p, "p1");
	assert_int_equal(f->conf.models.count, 2);
	assert_int_equal(f->conf.rates.count, 2);
	char link[] = "A_B_PORT=tcp://10.0.0.1:80"; /* of a service called a-b */
	char *links[] = { link, NULL };
	assert_int_equal(gm_conf_apply_environment(&f->o, links, &f->err), 0);
	assert_int_equal(f->conf.port, 8080);
	assert_int_equal(gm_conf_apply_environment(&f->o, bad, &f->err), GM_ERR_INVALID);
	assert_string_equal(f->err.where, "A_LEVEL");
}

static void test_conf_settings_are_key_and_value(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gm_conf_apply_setting(&f->o, "a.name=x=y", &f->err), 0);
	assert_string_equal(f->conf.name, "x=y");
	assert_int_equal(gm_conf_apply_setting(&f->o, "a.name=", &f->err), 0);
	assert_string_equal(f->conf.name, "");
	assert_int_equal(gm_conf_apply_setting(&f->o, "a.name", &f->err), GM_ERR_INVALID);
	assert_string_equal(f->err.where, "--set");
	assert_int_equal(gm_conf_apply_setting(&f->o, "a.nam=x", &f->err), GM_ERR_INVALID);
	assert_non_null(strstr(f->err.text, "did you mean 'a.name'?"));
}

static void test_conf_profile_names_cannot_leave_the_folder(void **state)
{
	struct fixture *f = *state;
	struct gm_conf_profiles p = { 0 };

	assert_int_equal(gm_conf_profiles_add(&p, GM_STR("a, b_2,,a"), "--profile", &f->err), 0);
	assert_int_equal(p.count, 2);
	assert_true(gm_conf_profiles_has(&p, "b_2"));
	assert_int_equal(gm_conf_profiles_add(&p, GM_STR("../x"), "--profile", &f->err), GM_ERR_INVALID);
	assert_string_equal(f->err.where, "--profile");
	assert_int_equal(gm_conf_profiles_add(&p, GM_STR("c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), "--profile", &f->err),
			 GM_ERR_INVALID);
	assert_int_equal(p.count, GM_CONF_PROFILES_MAX);
	gm_conf_profiles_fini(&p);
}

static void test_conf_reads_a_targets_file(void **state)
{
	struct fixture *f = *state;
	struct gm_option_maps maps = { 0 };

	assert_int_equal(gm_conf_maps_parse(GM_STR("[\"http://a\",\n {\"url\": \"http://b\", \"interval\": \"5s\"}]"),
					    "t.json", &maps, &f->err),
			 0);
	assert_int_equal(maps.count, 2);
	assert_string_equal(maps.items[0].items[0].value, "http://a");
	assert_string_equal(maps.items[1].items[1].where, "t.json:2:22");
	gm_option_maps_fini(&maps);
	assert_int_equal(gm_conf_maps_parse(GM_STR("# none\n"), "t.yml", &maps, &f->err), 0);
	assert_int_equal(maps.count, 0);
	assert_int_equal(gm_conf_maps_parse(GM_STR("url: x\n"), "t.yml", &maps, &f->err), GM_ERR_INVALID);
	assert_string_equal(f->err.where, "t.yml:1:1");
	write_file(f, "application.yml", "- http://c\n");
	assert_int_equal(gm_conf_maps_read(f->base, &maps, &f->err), 0);
	assert_int_equal(maps.count, 1);
	gm_option_maps_fini(&maps);
	assert_int_equal(gm_conf_maps_read("/nonexistent", &maps, &f->err), GM_ERR_NOT_FOUND);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_conf_takes_nested_and_dotted_keys),
		TEST(test_conf_takes_lists_maps_and_lists_of_maps),
		TEST(test_conf_keeps_text_as_it_stands),
		TEST(test_conf_takes_empty_files),
		TEST(test_conf_refuses_with_the_place),
		TEST(test_conf_shows_the_end_of_a_long_file_name),
		TEST(test_conf_limits_a_file),
		TEST(test_conf_later_sources_win),
		TEST(test_conf_presets_stand_below_files),
		TEST(test_conf_an_unknown_profile_needs_its_file),
		TEST(test_conf_a_missing_base_file_is_an_error),
		TEST(test_conf_environment_takes_further_names),
		TEST(test_conf_settings_are_key_and_value),
		TEST(test_conf_profile_names_cannot_leave_the_folder),
		TEST(test_conf_reads_a_targets_file),
	};
	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
