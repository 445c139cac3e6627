/* SPDX-License-Identifier: MIT */
#include "app/ctl/command.h"

#define GLOBAL(k, t, field, ...)                                                                                       \
	{                                                                                                              \
		.option = {                                                                                            \
			.key = k,                                                                                      \
			.type = GM_OPTION_##t,                                                                         \
			.offset = offsetof(struct gm_ctl_globals, field),                                              \
			__VA_ARGS__                                                                                    \
		}

const struct gm_ctl_option gm_ctl_global_options[] = { GLOBAL("output", ENUM, output, .choices = "table|wide|json|yaml",
							      .def = "table", .help = "How the answer is written"),
						       .letter = 'o' },
			   GLOBAL("limit", INT, limit, .def = "1000", .min = "1", .max = "1000000",
				  .help = "How many items at most"),
			   .value = "N", .needs = GM_CTL_PAGES
}
, GLOBAL("names", BOOL, names_only, .def = "false", .help = "Only the names, one a line"), .letter = 'q',
											   .needs = GM_CTL_TABLE
}
, GLOBAL("no-headers", BOOL, no_headers, .def = "false", .help = "No line of titles above a table"),
	.needs = GM_CTL_TABLE
}
,
	GLOBAL("watch", BOOL, watch, .def = "false",
	       .help = "Stay and show it again when it changes: anew on a terminal, else what is new"),
	.letter = 'w', .needs = GM_CTL_WATCH
}
,
	GLOBAL("interval", DURATION, interval_ms, .def = "2s", .min = "200ms", .max = "1h",
	       .help = "Time between two looks of --watch"),
	.value = "TIME", .needs = GM_CTL_WATCH
}
, GLOBAL("dry-run", BOOL, dry_run, .def = "false", .help = "Show what would be done, and do nothing"),
	.needs = GM_CTL_CHANGE
}
, GLOBAL("yes", BOOL, yes, .def = "false", .help = "Do not ask"), .letter = 'y', .needs = GM_CTL_CONFIRM
}
, GLOBAL("server", TEXT, server, .max = "2048", .help = "The server's address with its context path"),
	.value = "URL", .needs = GM_CTL_REMOTE
}
, GLOBAL("key-file", TEXT, key_file, .max = "4096", .help = "File with the API key; - is standard input"),
	.value = "FILE", .needs = GM_CTL_REMOTE
}
, GLOBAL("context", TEXT, context, .max = "64", .help = "Server and key by their name in the file of contexts"),
	.value = "NAME", .needs = GM_CTL_REMOTE
}
,
	GLOBAL("timeout", DURATION, timeout_ms, .def = "30s", .min = "100ms", .max = "1h",
	       .help = "How long an answer may take"),
	.value = "TIME", .needs = GM_CTL_REMOTE
}
, GLOBAL("help", BOOL, help, .def = "false", .help = "This text"), .letter = 'h'
}
,
}
;
const size_t gm_ctl_global_count = GM_LEN(gm_ctl_global_options);

bool gm_ctl_global_applies(const struct gm_ctl_option *global, const struct gm_ctl_command *command)
{
	return global->needs == 0 || (command && (command->flags & global->needs) != 0);
}
