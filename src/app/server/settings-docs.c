/* SPDX-License-Identifier: MIT */
#include "app/server/settings-internal.h"

static const char HEAD[] =
	"# Configuration of gpu-monitor\n"
	"\n"
	"This page is printed by `gpu-monitor --docs-configuration`: the table of keys is the one the program checks "
	"by.\n"
	"Change the program, not the page.\n"
	"\n"
	"## Where values come from\n"
	"\n"
	"Later sources win:\n"
	"\n"
	"1. defaults, as in the table below;\n"
	"2. what an active profile sets (next section);\n"
	"3. the base file: `--config FILE`, else `./application.yml`, else `/etc/k8s-gpu-management/application.yml`, "
	"else none;\n"
	"4. `application-<profile>.yml` beside the base file, for each active profile in the order they are named;\n"
	"5. environment variables;\n"
	"6. flags: `--set KEY=VALUE`, `--simulate N` (short for `--set simulate.gpus=N`).\n"
	"\n"
	"`gpu-monitor --print-config` shows every effective value with the place it comes from, secrets masked. Its "
	"output is\n"
	"itself a configuration file. A key that does not exist, a key given twice, a value of the wrong type or out "
	"of range\n"
	"stops the start with exit code 2 and the place:\n"
	"\n"
	"```\n"
	"gpu-monitor: application.yml:4:28: gpu.management.metrics.collection-interval: 500ms is less than 1s\n"
	"```\n"
	"\n"
	"SIGHUP reads all sources again. Keys marked *live* take effect at once; others are named in the log and wait "
	"for a\n"
	"restart. When the new configuration has an error, the old one stays in force.\n"
	"\n"
	"## Profiles\n"
	"\n"
	"`--profile NAME,..`, or the variable `GPU_PROFILES_ACTIVE`, or `SPRING_PROFILES_ACTIVE`; the first of them "
	"that is set\n"
	"counts. These are built in and need no file of their own; any other name needs its `application-<name>.yml`.\n"
	"\n"
	"| Profile | Sets |\n"
	"|---|---|\n";

static const char BODY[] =
	"| `gpu-management` | nothing; accepted for those who follow the original document |\n"
	"\n"
	"Without a profile security is that of production: no request is let in without a key.\n"
	"In development, when neither `scrape.targets` nor `scrape.targets-file` nor `simulate.gpus` is set, a cluster "
	"of\n" GM_SETTINGS_DEMO_GPUS " GPUs is simulated.\n"
	"\n"
	"## Files\n"
	"\n"
	"YAML, one document, at most 8 MiB. Keys may be nested or dotted, and both may be mixed:\n"
	"\n"
	"```yaml\n"
	"gpu:\n"
	"  management:\n"
	"    enabled: true\n"
	"    supported-models: [H100_80GB, A100_80GB, RTX4090]\n"
	"    mig: {enabled: true, auto-cleanup: true}\n"
	"    metrics: {collection-interval: 30s, retention-days: 30, batch-size: 500, parallel-processing: true}\n"
	"    cost: {enabled: true, default-rates: {H100_80GB: 8.0, A100_80GB: 6.0, RTX4090: 2.0}}\n"
	"scrape.targets:\n"
	"  - http://worker-01:9400/metrics\n"
	"  - url: https://worker-02:9400/metrics\n"
	"    node: worker-02\n"
	"    interval: 10s\n"
	"    ca-file: /etc/k8s-gpu-management/ca.pem\n"
	"    bearer-token-file: /var/run/secrets/token\n"
	"```\n"
	"\n"
	"Lists and maps are replaced whole by a later source, never merged. A key without a value leaves what was "
	"there.\n"
	"Quotes make text: `enabled: \"true\"` is a text and refused where true or false is wanted. Anchors, aliases "
	"and tags\n"
	"are refused.\n"
	"\n"
	"Values of the types: *duration* `500ms`, `30s`, `5m`, `1h30m`, `7d`; *size* `64KiB`, `1.5GiB`, `100MB`; "
	"*amount* a decimal\n"
	"number of at most six places; *list* `[a, b]`, in variables and flags also `a,b`; *map* `{k: v}`, there also "
	"`k=v,l=w`.\n"
	"\n"
	"`scrape.targets-file` holds one list of the same entries as `scrape.targets`, as YAML or JSON:\n"
	"\n"
	"```json\n"
	"[\"http://worker-03:9400/metrics\", {\"url\": \"http://worker-04:9400/metrics\", \"node\": \"worker-04\"}]\n"
	"```\n"
	"\n"
	"## Environment\n"
	"\n"
	"Each key has a variable: upper case, dots become `_`, dashes are dropped, so "
	"`gpu.management.mig.auto-cleanup` is\n"
	"`GPU_MANAGEMENT_MIG_AUTOCLEANUP`. Variables that are empty count as not set. The names of the original "
	"document work too:\n"
	"\n"
	"| Variable | Meaning |\n"
	"|---|---|\n"
	"| `GPU_PROFILES_ACTIVE`, `SPRING_PROFILES_ACTIVE` | active profiles, separated by commas |\n";

static const char KEYS_HEAD[] = "\n"
				"## Keys\n"
				"\n";

/* One row a built-in profile that sets something, its presets in one cell. */
static void add_profiles(struct gm_buf *out)
{
	for (const char *const *name = gm_settings_profiles; *name; name++) {
		struct gm_str profile = gm_str(*name);
		size_t count = 0;
		if (gm_str_is(profile, "gpu-management"))
			continue;
		gm_buf_addf(out, "| `%s` | ", *name);
		for (size_t i = 0; i < gm_settings_preset_count; i++) {
			const struct gm_conf_preset *preset = &gm_settings_presets[i];
			if (gm_str_is(profile, preset->profile))
				gm_buf_addf(out, "%s`%s: %s`", count++ ? ", " : "", preset->key, preset->value);
		}
		gm_buf_add_cstr(out, count ? " |\n" : "nothing |\n");
	}
}

static void add_variables(struct gm_buf *out)
{
	for (size_t i = 0; i < gm_settings_count; i++)
		if (gm_settings_table[i].env)
			gm_buf_addf(out, "| `%s` | `%s` |\n", gm_settings_table[i].env, gm_settings_table[i].key);
}

void gm_settings_docs(struct gm_buf *out)
{
	gm_buf_add_cstr(out, HEAD);
	add_profiles(out);
	gm_buf_add_cstr(out, BODY);
	add_variables(out);
	gm_buf_add_cstr(out, KEYS_HEAD);
	gm_options_markdown(gm_settings_table, gm_settings_count, out);
}
