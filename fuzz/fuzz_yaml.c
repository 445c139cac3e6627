/* SPDX-License-Identifier: MIT */
/*
 * Configuration files and target files. The first byte chooses which; the rest is the file. What is refused is refused
 * with a place in the file; what is taken prints as text that reads back as the same value.
 */
#include <stdint.h>
#include <stdlib.h>

#include "adapter/conf/conf.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct conf {
	bool on;
	int64_t number, duration_ms, bytes, micros;
	char *name;
	struct gm_secret password;
	int level;
	struct gm_option_list list;
	struct gm_option_map map;
	struct gm_option_maps maps;
};

#define ROW(k, t, field, ...)                                                                                          \
	{                                                                                                              \
		.key = k, .type = GM_OPTION_##t, .offset = offsetof(struct conf, field), __VA_ARGS__                   \
	}
static const struct gm_option TABLE[] = {
	ROW("a.on", BOOL, on, .def = "true"),
	ROW("a.b.number", INT, number, .def = "1", .min = "0", .max = "100"),
	ROW("a.b.duration", DURATION, duration_ms, .def = "30s", .min = "1s"),
	ROW("a.bytes", BYTES, bytes, .def = "64KiB"),
	ROW("a.amount", MONEY, micros, .def = "2.5"),
	ROW("a.name", TEXT, name, .max = "100"),
	ROW("a.password", SECRET, password),
	ROW("a.level", ENUM, level, .def = "info", .choices = "debug|info"),
	ROW("a.list", LIST, list, .max = "100"),
	ROW("a.map", MAP, map, .max = "100"),
	ROW("a.maps", MAPS, maps, .max = "100"),
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_error(const struct gm_err *err, int rc)
{
	must(rc == err->code && err->text[0] && gm_str_starts(gm_str(err->where), GM_STR("f.yml")));
}

static void check_read_back(const struct gm_options *o)
{
	struct conf again;
	struct gm_options other;
	struct gm_err err = { 0 };
	const struct gm_origin origin = { .kind = GM_ORIGIN_FLAG, .where = "again" };

	gm_options_init(&other, TABLE, GM_LEN(TABLE), &again);
	for (size_t i = 0; i < GM_LEN(TABLE); i++) {
		struct gm_buf text = { 0 };
		gm_option_print(o, &TABLE[i], &text);
		if (TABLE[i].type != GM_OPTION_SECRET) {
			must(gm_option_set(&other, &TABLE[i], gm_buf_str(&text), &origin, &err) == 0);
			must(gm_option_same(o, &other, &TABLE[i]));
		}
		gm_option_copy(&other, o, &TABLE[i]);
		must(gm_option_same(o, &other, &TABLE[i]));
		gm_buf_fini(&text);
	}
	gm_options_fini(&other);
}

static void fuzz_options(struct gm_str text)
{
	struct conf conf;
	struct gm_options o;
	struct gm_err err = { 0 };

	gm_options_init(&o, TABLE, GM_LEN(TABLE), &conf);
	int rc = gm_conf_apply_yaml(&o, text, "f.yml", &err);
	if (rc < 0)
		check_error(&err, rc);
	else
		check_read_back(&o);
	gm_options_fini(&o);
}

static void fuzz_maps(struct gm_str text)
{
	struct gm_option_maps maps = { 0 };
	struct gm_err err = { 0 };
	int rc = gm_conf_maps_parse(text, "f.yml", &maps, &err);

	if (rc < 0)
		check_error(&err, rc);
	for (size_t i = 0; i < maps.count; i++)
		for (size_t j = 0; j < maps.items[i].count; j++)
			must(gm_str_starts(gm_str(maps.items[i].items[j].where), GM_STR("f.yml:")));
	gm_option_maps_fini(&maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct gm_str text = gm_str_n((const char *)data + 1, size - 1);
	if ((data[0] & 1) != 0)
		fuzz_maps(text);
	else
		fuzz_options(text);
	return 0;
}
