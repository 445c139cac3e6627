/* SPDX-License-Identifier: MIT */
/* A cgroup path: a pod that is found has a uid of its shape and a container id that is hexadecimal; else both are empty. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/host/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char uid[40], container[80];

	memset(uid, 'x', sizeof(uid));
	memset(container, 'x', sizeof(container));
	bool found = gm_cgroup_pod(gm_str_n((const char *)data, size), uid, container);
	must(memchr(uid, '\0', sizeof(uid)) && memchr(container, '\0', sizeof(container)));
	must(strlen(uid) == 36 || (strlen(uid) == 32 && found) || (uid[0] == '\0' && !found));
	must(found || container[0] == '\0');
	must(strspn(uid, "0123456789abcdefABCDEF-") == strlen(uid));
	must(strspn(container, "0123456789abcdefABCDEF") == strlen(container));
	return 0;
}
