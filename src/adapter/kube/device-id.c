/* SPDX-License-Identifier: MIT */
#include "adapter/kube/podresources.h"

#include <stdbool.h>

#include "base/parse.h"

#define NUMBER_MAX 65535

/* "<word><number>": the number. */
static bool take_numbered(struct gm_str s, struct gm_str word, int *out)
{
	uint64_t n;

	if (!gm_str_starts(s, word) || !gm_parse_u64(gm_str_n(s.p + word.n, s.n - word.n), 0, NUMBER_MAX, &n))
		return false;
	*out = (int)n;
	return true;
}

/* Cuts "-<number>" off the end. */
static bool cut_number(struct gm_str *s, int *out)
{
	size_t at = s->n;

	while (at > 0 && s->p[at - 1] != '-')
		at--;
	if (at == 0 || !take_numbered(gm_str_n(s->p + at, s->n - at), GM_STR(""), out))
		return false;
	s->n = at - 1;
	return true;
}

/* "GPU-<uuid>", "MIG-<uuid>", "MIG-GPU-<uuid>/<gi>/<ci>"; shared: "::<replica>" behind it. */
static bool parse_uuid(struct gm_str id, struct gm_device_id *out)
{
	bool mig = gm_str_starts(id, GM_STR("MIG-"));
	size_t n = id.n;

	if (!mig && !gm_str_starts(id, GM_STR("GPU-")))
		return false;
	for (size_t i = 0; i + 2 <= id.n; i++)
		if (id.p[i] == ':' && id.p[i + 1] == ':') {
			n = i;
			break;
		}
	if (n == sizeof("GPU-") - 1)
		return false;
	if (n < id.n && !take_numbered(gm_str_n(id.p + n, id.n - n), GM_STR("::"), &out->replica))
		return false;
	out->uuid = gm_str_n(id.p, n);
	out->kind = mig ? GM_DEVICE_ID_MIG : GM_DEVICE_ID_GPU;
	return true;
}

/* "nvidia0", "nvidia0/gi1"; shared: "/vgpu<replica>" behind it. */
static bool parse_index(struct gm_str id, struct gm_device_id *out)
{
	struct gm_str part;

	if (!gm_str_split(&id, '/', &part) || !take_numbered(part, GM_STR("nvidia"), &out->index))
		return false;
	if (gm_str_split(&id, '/', &part)) {
		bool slice = take_numbered(part, GM_STR("gi"), &out->gi);
		bool more = slice && gm_str_split(&id, '/', &part);
		if ((!slice || more) && !take_numbered(part, GM_STR("vgpu"), &out->replica))
			return false;
	}
	out->kind = GM_DEVICE_ID_INDEX;
	return id.n == 0;
}

/* "gpu-<minor>", "gpu-<minor>-mig-<profile>-<profile id>-<start>". */
static bool parse_dra(struct gm_str id, struct gm_device_id *out)
{
	const struct gm_str word = GM_STR("gpu-"), mig = GM_STR("-mig-");

	if (!gm_str_starts(id, word))
		return false;
	out->kind = GM_DEVICE_ID_DRA;
	if (take_numbered(id, word, &out->index))
		return true;
	size_t minor_end = word.n + gm_str_find(gm_str_n(id.p + word.n, id.n - word.n), '-');
	struct gm_str rest = gm_str_n(id.p + minor_end, id.n - minor_end);
	return take_numbered(gm_str_n(id.p, minor_end), word, &out->index) && gm_str_starts(rest, mig) &&
	       cut_number(&rest, &out->start) && cut_number(&rest, &out->profile_id) && rest.n > mig.n;
}

void gm_device_id_parse(struct gm_str id, struct gm_device_id *out)
{
	static const struct gm_device_id none = { .replica = -1, .index = -1, .gi = -1, .profile_id = -1, .start = -1 };
	static bool (*const forms[])(struct gm_str, struct gm_device_id *) = { parse_uuid, parse_index, parse_dra };

	for (size_t i = 0; i < GM_LEN(forms); i++) {
		*out = none;
		if (forms[i](id, out))
			return;
	}
	*out = none;
}
