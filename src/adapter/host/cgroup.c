/* SPDX-License-Identifier: MIT */
#include "adapter/host/proc.h"

#include <ctype.h>

#define UUID_LENGTH 36
#define HASH_LENGTH 32 /* of a static pod: the digest of its file */
#define CONTAINER_ID_MIN 12

static bool is_hex(struct gm_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isxdigit((unsigned char)s.p[i]))
			return false;
	return s.n > 0;
}

/* systemd's names may hold no '-' inside a part, so it stands as '_' there. */
static bool take_uid(struct gm_str s, char uid[static 40])
{
	static const unsigned char dashes[] = { 8, 13, 18, 23 };
	char text[UUID_LENGTH];

	if (s.n == HASH_LENGTH && is_hex(s))
		return gm_str_copy(s, uid, 40);
	if (s.n != UUID_LENGTH)
		return false;
	memcpy(text, s.p, sizeof(text));
	for (size_t i = 0; i < sizeof(dashes); i++) {
		if (text[dashes[i]] != '-' && text[dashes[i]] != '_')
			return false;
		text[dashes[i]] = '-';
	}
	for (size_t i = 0; i < sizeof(text); i++)
		if (text[i] != '-' && !isxdigit((unsigned char)text[i]))
			return false;
	return gm_str_copy(gm_str_n(text, sizeof(text)), uid, 40);
}

/* "pod<uid>", "kubepods-burstable-pod<uid>.slice", "kubelet-kubepods-pod<uid>.slice". */
static bool is_pod_part(struct gm_str part, char uid[static 40])
{
	const struct gm_str slice = GM_STR(".slice"), pod = GM_STR("pod"), dash_pod = GM_STR("-pod");
	bool of_systemd = gm_str_ends(part, slice);
	size_t at = 0;

	if (!of_systemd)
		return gm_str_starts(part, pod) && take_uid(gm_str_n(part.p + pod.n, part.n - pod.n), uid);
	part.n -= slice.n;
	if (gm_str_starts(part, pod))
		return take_uid(gm_str_n(part.p + pod.n, part.n - pod.n), uid);
	/* The last "-pod": a folder may be called so, too. */
	for (size_t i = 0; i + dash_pod.n <= part.n; i++)
		if (gm_str_starts(gm_str_n(part.p + i, part.n - i), dash_pod))
			at = i + dash_pod.n;
	return at > 0 && take_uid(gm_str_n(part.p + at, part.n - at), uid);
}

/* "<id>", "cri-containerd-<id>.scope", "crio-<id>", "docker-<id>.scope". */
static void take_container(struct gm_str part, char container[static 80])
{
	const struct gm_str scope = GM_STR(".scope");
	struct gm_str id = part;

	if (gm_str_ends(id, scope))
		id.n -= scope.n;
	for (size_t i = id.n; i > 0; i--)
		if (id.p[i - 1] == '-') {
			id = gm_str_n(id.p + i, id.n - i);
			break;
		}
	if (id.n < CONTAINER_ID_MIN || !is_hex(id) || !gm_str_copy(id, container, 80))
		container[0] = '\0';
}

bool gm_cgroup_pod(struct gm_str path, char uid[static 40], char container[static 80])
{
	struct gm_str part;

	uid[0] = container[0] = '\0';
	while (gm_str_split(&path, '/', &part)) {
		/* A kubelet of systemd's naming over a containerd that is not: "<slice>:cri-containerd:<id>". */
		struct gm_str head = GM_STR(""), rest = part;
		bool joined = gm_str_find(part, ':') < part.n;
		(void)gm_str_split(&rest, ':', &head);
		if (!is_pod_part(head, uid))
			continue;
		struct gm_str last = GM_STR("");
		if (!joined)
			(void)gm_str_split(&path, '/', &last);
		else
			while (gm_str_split(&rest, ':', &head))
				last = head;
		take_container(last, container);
		return true;
	}
	return false;
}
