/* SPDX-License-Identifier: MIT */
#include "app/agent/board-events.h"

#include "base/auto.h"

/* Both of two children that listen hear of an event within this time of each other. */
#define SAME_MS 2000

static const struct {
	uint64_t bit;
	const char *name;
} kinds[] = {
#define KIND(kind, bit, name) [GM_BOARD_EVENT_##kind] = { GM_NVML_EVENT_##bit, name },
	GM_BOARD_EVENT_LIST(KIND)
#undef KIND
		[GM_BOARD_EVENT_OTHER] = { 0, "other" },
};
_Static_assert(GM_LEN(kinds) == GM_BOARD_EVENT_KINDS, "each kind has a name");

enum gm_board_event_kind gm_board_event_kind(uint64_t type)
{
	unsigned k = 0;

	while (k < GM_BOARD_EVENT_OTHER && !(kinds[k].bit & type))
		k++;
	return (enum gm_board_event_kind)k;
}

const char *gm_board_event_name(enum gm_board_event_kind kind)
{
	return kinds[kind].name;
}

uint64_t gm_board_event_bit(enum gm_board_event_kind kind)
{
	return kinds[kind].bit;
}

const struct gm_reading_event *gm_board_events_get(const struct gm_board_events *events, unsigned age)
{
	if (age >= events->made || age >= GM_BOARD_EVENTS_KEPT)
		return NULL;
	return &events->kept[(events->made - 1 - age) % GM_BOARD_EVENTS_KEPT];
}

static bool is_told_again(const struct gm_board_events *events, unsigned child, const struct gm_reading_event *e)
{
	const struct gm_reading_event *known;

	if (child == events->last_child)
		return false;
	for (unsigned age = 0; (known = gm_board_events_get(events, age)) != NULL; age++)
		if (known->type == e->type && known->data == e->data && known->gi == e->gi && known->ci == e->ci &&
		    e->at_ms - known->at_ms < SAME_MS && known->at_ms - e->at_ms < SAME_MS)
			return true;
	return false;
}

static void count_xid(struct gm_board_events *events, uint64_t code)
{
	unsigned i = 0;

	while (i < GM_BOARD_XIDS_MAX && events->xids[i].count && events->xids[i].code != code)
		i++;
	if (i == GM_BOARD_XIDS_MAX || code > UINT32_MAX)
		return;
	events->xids[i].code = (uint32_t)code;
	events->xids[i].count++;
}

bool gm_board_events_add(struct gm_board_events *events, unsigned child, const struct gm_reading_event *e)
{
	const enum gm_board_event_kind kind = gm_board_event_kind(e->type);

	if (is_told_again(events, child, e))
		return false;
	events->last_child = child;
	events->kept[events->made++ % GM_BOARD_EVENTS_KEPT] = *e;
	events->counts[kind]++;
	if (kind == GM_BOARD_EVENT_XID)
		count_xid(events, e->data);
	return true;
}
