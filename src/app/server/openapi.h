/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_OPENAPI_H
#define GM_APP_SERVER_OPENAPI_H

#include <stdbool.h>
#include <stddef.h>

#include "adapter/http/route.h"
#include "base/buf.h"

/* The shapes of bodies and answers, one row a field, and the OpenAPI 3.1 document made of them and of the routes. */
enum gm_schema_type {
	GM_SCHEMA_TEXT,
	GM_SCHEMA_TIME, /* text, date-time */
	GM_SCHEMA_INTEGER,
	GM_SCHEMA_NUMBER,
	GM_SCHEMA_BOOLEAN,
	GM_SCHEMA_REF,	  /* another schema: `ref` */
	GM_SCHEMA_MAP,	  /* text to what `ref` names: a schema, or "string", "integer" */
	GM_SCHEMA_VALUES, /* the sampled values of that place, from values.h; `name` is "item" or "detail" */
};

struct gm_schema_field {
	const char *name;
	enum gm_schema_type type;
	bool array;
	bool nullable;
	bool optional;
	const char *ref;
	const char *choices; /* of texts, separated by '|' */
	const char *help;
};

struct gm_schema {
	const char *name;
	const char *base; /* a schema whose fields come first; NULL: none */
	const char *help;
	const struct gm_schema_field *fields; /* ends with name == NULL */
};

extern const struct gm_schema gm_schema_table[];
extern const size_t gm_schema_count;

void gm_openapi_write(struct gm_buf *out, const struct gm_route *routes, size_t count);

#endif
