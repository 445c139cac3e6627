/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-plan.h"

#include "adapter/http/body.h"

struct body_slice {
	struct gm_str profile;
	int64_t placement;
};
struct body_board {
	struct gm_str uuid, state_hash;
	int mode;
	struct gm_body_objects layout;
};
struct body {
	struct gm_body_objects devices;
	bool dry_run, allow_in_use, remove_unused, take_ownership, keep;
};

static const struct body_slice blank_slice = { .placement = -1 };
static const struct body_board blank_board = { .mode = GM_MIG_MODE_AS_IS };
/* In the order of enum gm_mig_mode_wish. */
static const char *const modes[] = { "as-is", "on", "off", NULL };

static const struct gm_body_field slice_fields[] = {
	{ .name = "profile",
	  .type = GM_BODY_TEXT,
	  .offset = offsetof(struct body_slice, profile),
	  .required = true,
	  .min = 1,
	  .max = 31,
	  .help = "As the driver names it: 1g.10gb+me" },
	{ .name = "placement",
	  .type = GM_BODY_INT,
	  .offset = offsetof(struct body_slice, placement),
	  .nullable = true,
	  .max = GM_MIG_UNITS_MAX - 1,
	  .help = "First memory slice; without it the place is chosen" },
};
static const struct gm_body_field board_fields[] = {
	{ .name = "uuid",
	  .type = GM_BODY_TEXT,
	  .offset = offsetof(struct body_board, uuid),
	  .required = true,
	  .min = 1,
	  .max = GM_MIG_UUID_SIZE - 1,
	  .help = "GPU-..." },
	{ .name = "stateHash",
	  .type = GM_BODY_TEXT,
	  .offset = offsetof(struct body_board, state_hash),
	  .required = true,
	  .min = 16,
	  .max = 16,
	  .help = "Of the state that this was planned on" },
	{ .name = "mode",
	  .type = GM_BODY_CHOICE,
	  .offset = offsetof(struct body_board, mode),
	  .choices = modes,
	  .help = "MIG mode; left as it is when absent" },
	{ .name = "layout",
	  .type = GM_BODY_OBJECTS,
	  .offset = offsetof(struct body_board, layout),
	  .required = true,
	  .max = GM_MIG_INSTANCES_MAX,
	  .fields = slice_fields,
	  .field_count = GM_LEN(slice_fields),
	  .item_size = sizeof(struct body_slice),
	  .blank = &blank_slice,
	  .help = "All instances that are to be there" },
};
static const struct gm_body_field body_fields[] = {
	{ .name = "devices",
	  .type = GM_BODY_OBJECTS,
	  .offset = offsetof(struct body, devices),
	  .required = true,
	  .min = 1,
	  .max = GM_MIG_BOARDS_MAX,
	  .fields = board_fields,
	  .field_count = GM_LEN(board_fields),
	  .item_size = sizeof(struct body_board),
	  .blank = &blank_board },
	{ .name = "dryRun", .type = GM_BODY_BOOL, .offset = offsetof(struct body, dry_run) },
	{ .name = "allowInUse", .type = GM_BODY_BOOL, .offset = offsetof(struct body, allow_in_use) },
	{ .name = "removeUnused", .type = GM_BODY_BOOL, .offset = offsetof(struct body, remove_unused) },
	{ .name = "takeOwnership", .type = GM_BODY_BOOL, .offset = offsetof(struct body, take_ownership) },
	{ .name = "keep", .type = GM_BODY_BOOL, .offset = offsetof(struct body, keep) },
};

/* The lengths were checked against the tables above. */
static void take_board(const struct body_board *from, struct gm_mig_board_request *to)
{
	const struct body_slice *slices = from->layout.items;

	*to = (struct gm_mig_board_request){ .mode = (enum gm_mig_mode_wish)from->mode,
					     .count = (uint8_t)from->layout.count };
	(void)gm_str_copy(from->uuid, to->uuid, sizeof(to->uuid));
	(void)gm_str_copy(from->state_hash, to->state_hash, sizeof(to->state_hash));
	for (size_t i = 0; i < from->layout.count; i++) {
		(void)gm_str_copy(slices[i].profile, to->wishes[i].profile, sizeof(to->wishes[i].profile));
		to->wishes[i].start = (int)slices[i].placement;
	}
}

int gm_mig_request_parse(struct gm_str body, struct gm_mig_request *out, struct gm_err *err)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { .limit = 1 << 20 };
	struct body b = { .keep = true };
	const struct body_board *boards;
	int rc = gm_body_read(body, body_fields, GM_LEN(body_fields), sizeof(b), &arena, &b, NULL, NULL, err);

	if (rc)
		return rc;
	boards = b.devices.items;
	out->dry_run = b.dry_run;
	out->allow_in_use = b.allow_in_use;
	out->remove_unused = b.remove_unused;
	out->take_ownership = b.take_ownership;
	out->keep = b.keep;
	out->count = (uint32_t)b.devices.count;
	for (size_t i = 0; i < b.devices.count; i++)
		take_board(&boards[i], &out->boards[i]);
	return 0;
}
