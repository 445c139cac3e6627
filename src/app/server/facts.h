/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_FACTS_H
#define GM_APP_SERVER_FACTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/server/settings.h"
#include "base/option.h"

/*
 * The settings in force, for any thread: immutable once put into the box, replaced as a whole on SIGHUP. Old ones are
 * kept until the end (a reload is rare and small), so that nobody counts references to read a setting.
 */
struct gm_facts {
	struct gm_settings settings;
	struct gm_options options;
	char *profiles; /* JSON array of the active profiles' names */
	bool open;	/* anonymous requests are let in (development) */
	uint64_t generation;
	struct gm_facts *older;
};

struct gm_facts_box {
	_Atomic(const struct gm_facts *) current;
};
static inline const struct gm_facts *gm_facts(const struct gm_facts_box *box)
{
	return atomic_load_explicit(&box->current, memory_order_acquire);
}

#endif
