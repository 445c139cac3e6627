/* SPDX-License-Identifier: MIT */
#include "alloc-test.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"

void id_of(int number, char out[static GM_ALLOC_ID_SIZE])
{
	(void)snprintf(out, GM_ALLOC_ID_SIZE, "al-%06d", number);
}

const struct gm_alloc_record *record_of(const struct plain *p)
{
	struct gm_alloc_record r = { .version = p->version, .state = p->state };
	struct gm_alloc_device devices[HOLD_MAX] = { 0 };
	char uuids[HOLD_MAX][16], pod[32];

	id_of(p->number, r.id);
	(void)snprintf(pod, sizeof(pod), "pod-%d", p->number);
	gm_alloc_request_init(&r.request);
	r.request.namespace_ = gm_str(p->namespace_ ? p->namespace_ : "ml");
	r.request.pod = gm_str(pod);
	r.request.team = gm_str(p->team);
	r.request.project = gm_str(p->project);
	r.created_by = GM_STR("root");
	r.created_ms = p->created_ms ? p->created_ms : T0;
	if (gm_alloc_state_ended(p->state))
		r.ended_ms = p->ended_ms ? p->ended_ms : r.created_ms + SECOND;
	for (; r.device_count < HOLD_MAX && p->holds[r.device_count].units; r.device_count++) {
		struct gm_alloc_device *d = &devices[r.device_count];
		const struct hold *h = &p->holds[r.device_count];
		(void)snprintf(uuids[r.device_count], sizeof(uuids[0]), "GPU-%d", h->device);
		*d = (struct gm_alloc_device){ .uuid = gm_str(uuids[r.device_count]),
					       .model = GM_STR("H100_80GB"),
					       .start = -1,
					       .size = -1,
					       .units = h->units,
					       .unit_count = 8,
					       .share_milli = 1000,
					       .hourly_micros = -1 };
	}
	r.devices = devices;
	r.request.gpu_count = r.device_count ? (int64_t)r.device_count : 1;
	return gm_alloc_record_new(&r);
}

const struct gm_alloc_store *allocs(struct place *p)
{
	return gm_store_alloc(p->store);
}

int write_plain(struct place *p, const struct plain *plain, struct gm_err *err)
{
	GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *record = record_of(plain);
	const struct gm_alloc_write w = { .records = &record, .record_count = 1 };

	return allocs(p)->write(allocs(p)->ctx, &w, err);
}

const struct gm_alloc_record *stored(struct place *p, int number)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf bytes = { 0 };
	struct gm_alloc_record *record = NULL;
	char id[GM_ALLOC_ID_SIZE];

	id_of(number, id);
	const int r = allocs(p)->get(allocs(p)->ctx, gm_str(id), &bytes, NULL);
	if (r == GM_ERR_NOT_FOUND)
		return NULL;
	assert_int_equal(r, 0);
	assert_ok(gm_alloc_record_decode(gm_buf_str(&bytes), &record, err));
	return record;
}
