/* SPDX-License-Identifier: MIT */
#include "app/server/openapi.h"

#include "app/server/values.h"
#include "base/json.h"
#include "core/auth/auth.h"

static void write_ref(struct gm_json *w, const char *schema)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	gm_buf_addf(&b, "#/components/schemas/%s", schema);
	gm_json_key(w, "$ref");
	gm_json_str(w, gm_buf_str(&b));
}

static void write_type(struct gm_json *w, const char *type, bool nullable)
{
	gm_json_key(w, "type");
	if (!nullable) {
		gm_json_cstr(w, type);
		return;
	}
	gm_json_array(w);
	gm_json_cstr(w, type);
	gm_json_cstr(w, "null");
	gm_json_end_array(w);
}

static void write_choices(struct gm_json *w, const char *choices, bool nullable)
{
	struct gm_str rest = gm_str(choices), part;

	gm_json_key(w, "enum");
	gm_json_array(w);
	while (gm_str_split(&rest, '|', &part))
		gm_json_str(w, part);
	if (nullable)
		gm_json_null(w);
	gm_json_end_array(w);
}

/* A map without `ref` is any object. */
static void write_map(struct gm_json *w, const struct gm_schema_field *f)
{
	write_type(w, "object", f->nullable);
	gm_json_key(w, "additionalProperties");
	if (!f->ref) {
		gm_json_bool(w, true);
		return;
	}
	gm_json_object(w);
	if (f->ref[0] >= 'A' && f->ref[0] <= 'Z')
		write_ref(w, f->ref);
	else
		gm_json_kcstr(w, "type", f->ref);
	gm_json_end_object(w);
}

static void write_item(struct gm_json *w, const struct gm_schema_field *f, bool nullable)
{
	switch (f->type) {
	case GM_SCHEMA_TEXT:
		write_type(w, "string", nullable);
		if (f->choices)
			write_choices(w, f->choices, nullable);
		return;
	case GM_SCHEMA_TIME:
		write_type(w, "string", nullable);
		gm_json_kcstr(w, "format", "date-time");
		return;
	case GM_SCHEMA_INTEGER:
		write_type(w, "integer", nullable);
		return;
	case GM_SCHEMA_NUMBER:
		write_type(w, "number", nullable);
		return;
	case GM_SCHEMA_BOOLEAN:
		write_type(w, "boolean", nullable);
		return;
	case GM_SCHEMA_REF:
		if (!nullable) {
			write_ref(w, f->ref);
			return;
		}
		gm_json_key(w, "oneOf");
		gm_json_array(w);
		gm_json_object(w);
		write_ref(w, f->ref);
		gm_json_end_object(w);
		gm_json_object(w);
		gm_json_kcstr(w, "type", "null");
		gm_json_end_object(w);
		gm_json_end_array(w);
		return;
	case GM_SCHEMA_MAP:
		write_map(w, f);
		return;
	case GM_SCHEMA_VALUES:
		return;
	}
}

static void write_field(struct gm_json *w, const struct gm_schema_field *f)
{
	/* In a list of numbers null is a gap; a list of texts is null as a whole. */
	const bool null_items = f->array && f->nullable && f->type == GM_SCHEMA_NUMBER;

	gm_json_key_str(w, gm_str(f->name));
	gm_json_object(w);
	if (f->help)
		gm_json_kcstr(w, "description", f->help);
	if (f->array) {
		write_type(w, "array", f->nullable && !null_items);
		gm_json_key(w, "items");
		gm_json_object(w);
		write_item(w, f, null_items);
		gm_json_end_object(w);
	} else {
		write_item(w, f, f->nullable);
	}
	gm_json_end_object(w);
}

static enum gm_value_place value_place(const struct gm_schema_field *f)
{
	return strcmp(f->name, "detail") == 0 ? GM_VALUE_DETAIL : GM_VALUE_ITEM;
}

static void write_values(struct gm_json *w, enum gm_value_place place)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf help = { 0 };

	for (size_t i = 0; i < gm_value_count; i++) {
		const struct gm_value_def *v = &gm_value_table[i];
		if (v->place != place)
			continue;
		gm_buf_reset(&help);
		gm_buf_addf(&help, "%s (%s)", v->help, v->unit);
		gm_json_key_n(w, v->name, v->name_n);
		gm_json_object(w);
		gm_json_kstr(w, "description", gm_buf_str(&help));
		write_type(w, v->decimals ? "number" : "integer", true);
		gm_json_end_object(w);
	}
}

static const struct gm_schema *find_schema(const char *name)
{
	for (size_t i = 0; i < gm_schema_count; i++) {
		if (strcmp(gm_schema_table[i].name, name) == 0)
			return &gm_schema_table[i];
	}
	return NULL;
}

static void write_properties(struct gm_json *w, const struct gm_schema *s)
{
	if (s->base)
		write_properties(w, find_schema(s->base));
	for (const struct gm_schema_field *f = s->fields; f->name; f++) {
		if (f->type == GM_SCHEMA_VALUES)
			write_values(w, value_place(f));
		else
			write_field(w, f);
	}
}

static void write_required(struct gm_json *w, const struct gm_schema *s)
{
	if (s->base)
		write_required(w, find_schema(s->base));
	for (const struct gm_schema_field *f = s->fields; f->name; f++) {
		if (f->type != GM_SCHEMA_VALUES) {
			if (!f->optional)
				gm_json_cstr(w, f->name);
			continue;
		}
		for (size_t i = 0; i < gm_value_count; i++) {
			if (gm_value_table[i].place == value_place(f))
				gm_json_cstr(w, gm_value_table[i].name);
		}
	}
}

static void write_schemas(struct gm_json *w)
{
	gm_json_key(w, "schemas");
	gm_json_object(w);
	for (size_t i = 0; i < gm_schema_count; i++) {
		const struct gm_schema *s = &gm_schema_table[i];

		gm_json_key_str(w, gm_str(s->name));
		gm_json_object(w);
		gm_json_kcstr(w, "description", s->help);
		gm_json_kcstr(w, "type", "object");
		gm_json_key(w, "properties");
		gm_json_object(w);
		write_properties(w, s);
		gm_json_end_object(w);
		gm_json_key(w, "required");
		gm_json_array(w);
		write_required(w, s);
		gm_json_end_array(w);
		gm_json_kbool(w, "additionalProperties", false);
		gm_json_end_object(w);
	}
	gm_json_end_object(w);
}

static void write_param_schema(struct gm_json *w, const struct gm_route_param *p)
{
	static const char *const types[] = {
		[GM_PARAM_TEXT] = "string", [GM_PARAM_INT] = "integer",	    [GM_PARAM_BOOL] = "boolean",
		[GM_PARAM_TIME] = "string", [GM_PARAM_DURATION] = "string", [GM_PARAM_CHOICE] = "string"
	};

	gm_json_key(w, "schema");
	gm_json_object(w);
	gm_json_kcstr(w, "type", types[p->type]);
	if (p->type == GM_PARAM_INT && (p->min || p->max)) {
		gm_json_ki64(w, "minimum", p->min);
		gm_json_ki64(w, "maximum", p->max);
	}
	if (p->type == GM_PARAM_TEXT)
		gm_json_ki64(w, "maxLength", p->max ? p->max : 256);
	if (p->choices) {
		gm_json_key(w, "enum");
		gm_json_array(w);
		for (const char *const *c = p->choices; *c; c++)
			gm_json_cstr(w, *c);
		gm_json_end_array(w);
	}
	if (p->def) {
		gm_json_key(w, "default");
		if (p->type == GM_PARAM_INT)
			gm_json_raw(w, gm_str(p->def));
		else
			gm_json_cstr(w, p->def);
	}
	gm_json_end_object(w);
}

static void write_path_parameters(struct gm_json *w, const char *path)
{
	for (const char *open = strchr(path, '{'); open; open = strchr(open + 1, '{')) {
		const char *end = strchr(open, '}');

		gm_json_object(w);
		gm_json_key(w, "name");
		gm_json_str(w, gm_str_n(open + 1, (size_t)(end - open - 1)));
		gm_json_kcstr(w, "in", "path");
		gm_json_kbool(w, "required", true);
		gm_json_key(w, "schema");
		gm_json_object(w);
		gm_json_kcstr(w, "type", "string");
		gm_json_end_object(w);
		gm_json_end_object(w);
	}
}

static void write_parameters(struct gm_json *w, const struct gm_route *r)
{
	gm_json_key(w, "parameters");
	gm_json_array(w);
	write_path_parameters(w, r->path);
	for (const struct gm_route_param *p = r->params; p && p->name; p++) {
		gm_json_object(w);
		gm_json_kcstr(w, "name", p->name);
		gm_json_kcstr(w, "in", "query");
		gm_json_kbool(w, "required", p->required);
		gm_json_kcstr(w, "description", p->help);
		write_param_schema(w, p);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

static void write_content(struct gm_json *w, const char *type, const char *schema)
{
	gm_json_key(w, "content");
	gm_json_object(w);
	gm_json_key_str(w, gm_str(type));
	gm_json_object(w);
	gm_json_key(w, "schema");
	gm_json_object(w);
	if (schema)
		write_ref(w, schema);
	else
		gm_json_kcstr(w, "type", strcmp(type, "application/json") == 0 ? "object" : "string");
	gm_json_end_object(w);
	gm_json_end_object(w);
	gm_json_end_object(w);
}

static void write_responses(struct gm_json *w, const struct gm_route *r)
{
	const int success = r->success ? r->success : r->method == GM_HTTP_DELETE ? 204 : 200;
	char status[8];

	(void)snprintf(status, sizeof(status), "%d", success);
	gm_json_key(w, "responses");
	gm_json_object(w);
	gm_json_key_str(w, gm_str(status));
	gm_json_object(w);
	gm_json_kcstr(w, "description", success == 204 ? "Done" : "The answer");
	if (success != 204)
		write_content(w,
			      r->flags & GM_ROUTE_STREAM ? "text/event-stream"
			      : r->flags & GM_ROUTE_TEXT ? "text/plain"
							 : "application/json",
			      r->response);
	gm_json_end_object(w);
	gm_json_key(w, "default");
	gm_json_object(w);
	gm_json_kcstr(w, "description", "An error");
	write_content(w, "application/problem+json", "Problem");
	gm_json_end_object(w);
	gm_json_end_object(w);
}

static void write_operation(struct gm_json *w, const struct gm_route *r)
{
	static const char *const methods[] = { [GM_HTTP_GET] = "get",
					       [GM_HTTP_POST] = "post",
					       [GM_HTTP_PUT] = "put",
					       [GM_HTTP_PATCH] = "patch",
					       [GM_HTTP_DELETE] = "delete" };

	gm_json_key_str(w, gm_str(methods[r->method]));
	gm_json_object(w);
	gm_json_kcstr(w, "operationId", r->operation);
	gm_json_key(w, "tags");
	gm_json_array(w);
	gm_json_cstr(w, r->tag);
	gm_json_end_array(w);
	gm_json_kcstr(w, "summary", r->summary);
	if (r->description)
		gm_json_kcstr(w, "description", r->description);
	gm_json_kcstr(w, "x-least-role", gm_role_name(r->role));
	gm_json_key(w, "security");
	gm_json_array(w);
	if (r->role != GM_ROLE_NONE) {
		gm_json_object(w);
		gm_json_key(w, "apiKey");
		gm_json_array(w);
		gm_json_end_array(w);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
	write_parameters(w, r);
	if (r->request) {
		gm_json_key(w, "requestBody");
		gm_json_object(w);
		gm_json_kbool(w, "required", true);
		write_content(w, "application/json", r->request);
		gm_json_end_object(w);
	}
	write_responses(w, r);
	gm_json_end_object(w);
}

static bool path_before(const struct gm_route *routes, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (strcmp(routes[k].path, routes[i].path) == 0)
			return true;
	}
	return false;
}

static void write_paths(struct gm_json *w, const struct gm_route *routes, size_t count)
{
	gm_json_key(w, "paths");
	gm_json_object(w);
	for (size_t i = 0; i < count; i++) {
		if (path_before(routes, i))
			continue;
		gm_json_key_str(w, gm_str(routes[i].path));
		gm_json_object(w);
		for (size_t k = i; k < count; k++) {
			if (strcmp(routes[k].path, routes[i].path) == 0)
				write_operation(w, &routes[k]);
		}
		gm_json_end_object(w);
	}
	gm_json_end_object(w);
}

void gm_openapi_write(struct gm_buf *out, const struct gm_route *routes, size_t count)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_kcstr(&w, "openapi", "3.1.0");
	gm_json_key(&w, "info");
	gm_json_object(&w);
	gm_json_kcstr(&w, "title", "k8s-gpu-management");
	gm_json_kcstr(&w, "version", GM_VERSION);
	gm_json_kcstr(&w, "description",
		      "Paths lie under the context path of the installation, /k8s-monitor by default.");
	gm_json_end_object(&w);
	gm_json_key(&w, "servers");
	gm_json_array(&w);
	gm_json_object(&w);
	gm_json_kcstr(&w, "url", "/k8s-monitor");
	gm_json_end_object(&w);
	gm_json_end_array(&w);
	write_paths(&w, routes, count);
	gm_json_key(&w, "components");
	gm_json_object(&w);
	write_schemas(&w);
	gm_json_key(&w, "securitySchemes");
	gm_json_object(&w);
	gm_json_key(&w, "apiKey");
	gm_json_object(&w);
	gm_json_kcstr(&w, "type", "http");
	gm_json_kcstr(&w, "scheme", "bearer");
	gm_json_end_object(&w);
	gm_json_end_object(&w);
	gm_json_end_object(&w);
	gm_json_end_object(&w);
	gm_buf_add_char(out, '\n');
}
