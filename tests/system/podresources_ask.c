/* SPDX-License-Identifier: MIT */
/*
 * podresources-ask SOCKET DEADLINE_MS: asks once and prints "ok COUNT PEAK_KIB" and a line a device, or "CODE: text".
 * PEAK_KIB is what the most memory that was resident grew by.
 */
#include <inttypes.h>
#include <stdio.h>

#include "adapter/kube/podresources.h"
#include "base/parse.h"

/* Not getrusage: that one remembers the program that started this one. */
static long peak_kib(void)
{
	char line[128];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
			break;
	if (f)
		(void)fclose(f);
	return kib;
}

int main(int argc, char **argv)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_podresources pods = { 0 };
	struct gm_err err = { 0 };
	int64_t deadline_ms;

	if (argc != 3 || !gm_parse_i64(gm_str(argv[2]), 1, 600000, &deadline_ms))
		return 2;
	const long before = peak_kib();
	const int rc = gm_podresources_list(argv[1], deadline_ms, &arena, &pods, &err);
	if (rc != 0) {
		(void)printf("%s: %s\n", gm_err_name(rc), err.text);
		return 1;
	}
	(void)printf("ok %zu %ld\n", pods.count, peak_kib() - before);
	for (size_t i = 0; i < pods.count; i++) {
		const struct gm_pod_device *d = &pods.devices[i];
		(void)printf("%s|%s|%s|%s|%s|%s|%s\n", d->namespace_, d->pod, d->container, d->resource, d->device_id,
			     d->claim, d->cdi);
	}
	return 0;
}
