/* SPDX-License-Identifier: MIT */
#include "app/ctl/command-line.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

void gm_ctl_line_fini(struct gm_ctl_line *l)
{
	gm_options_fini(&l->options);
	gm_options_fini(&l->global_options);
	free(l->global_rows);
	free(l->args);
	*l = (struct gm_ctl_line){ 0 };
}

void gm_ctl_line_init(struct gm_ctl_line *l, const struct gm_ctl_command *command)
{
	size_t count = command->option_count + command->operand_count;

	assert(count <= GM_CTL_OPTIONS_MAX);
	*l = (struct gm_ctl_line){ .command = command, .args = gm_xalloc(command->args_size + 1) };
	l->global_rows = gm_xalloc(gm_ctl_global_count * sizeof(*l->global_rows));
	for (size_t i = 0; i < command->option_count; i++)
		l->rows[i] = command->options[i].option;
	for (size_t i = 0; i < command->operand_count; i++)
		l->rows[command->option_count + i] = command->operands[i].option;
	for (size_t i = 0; i < gm_ctl_global_count; i++)
		l->global_rows[i] = gm_ctl_global_options[i].option;
	gm_options_init(&l->options, l->rows, count, l->args);
	gm_options_init(&l->global_options, l->global_rows, gm_ctl_global_count, &l->globals);
}

static int unknown(const struct gm_ctl_line *l, struct gm_str name, struct gm_err *err)
{
	/* Operands have no flag of their name. */
	struct gm_options named = l->options;
	const char *near;

	named.count = l->command->option_count;
	near = gm_option_nearest(&named, name);
	if (near)
		return gm_fail(err, GM_ERR_INVALID, "unknown option '--%.*s'; did you mean '--%s'?", GM_STR_ARG(name),
			       near);
	return gm_fail(err, GM_ERR_INVALID, "unknown option '--%.*s'; --help lists all", GM_STR_ARG(name));
}

/* The option of this name or letter, and the table it is in; NULL when the command has none. */
static const struct gm_option *find(struct gm_ctl_line *l, struct gm_str name, char letter,
				    struct gm_options **out_table)
{
	const struct gm_ctl_command *c = l->command;

	for (size_t i = 0; i < c->option_count; i++)
		if (letter ? c->options[i].letter == letter : gm_str_is(name, l->rows[i].key)) {
			*out_table = &l->options;
			return &l->rows[i];
		}
	for (size_t i = 0; i < gm_ctl_global_count; i++) {
		const struct gm_ctl_option *o = &gm_ctl_global_options[i];

		if (gm_ctl_global_applies(o, c) &&
		    (letter ? o->letter == letter : gm_str_is(name, l->global_rows[i].key))) {
			*out_table = &l->global_options;
			return &l->global_rows[i];
		}
	}
	return NULL;
}

/* One flag at argv[*at]; *at is left on the last argument it took. */
static int take_flag(struct gm_ctl_line *l, int argc, char *const *argv, int *at, struct gm_err *err)
{
	struct gm_str text = gm_str(argv[*at]), name = { 0 };
	struct gm_origin origin = { .kind = GM_ORIGIN_FLAG };
	struct gm_options *table = NULL;
	const struct gm_option *row;
	size_t equals = text.n;

	if (text.n == 2 && text.p[1] != '-') {
		row = find(l, name, text.p[1], &table);
	} else if (gm_str_starts(text, GM_STR("--"))) {
		equals = gm_str_find(text, '=');
		name = gm_str_n(text.p + 2, equals - 2);
		row = find(l, name, 0, &table);
		if (!row)
			return unknown(l, name, err);
	} else {
		row = NULL;
	}
	if (!row)
		return gm_fail(err, GM_ERR_INVALID, "'%s' is not expected; --help says how", argv[*at]);
	(void)snprintf(origin.where, sizeof(origin.where), "--%s", row->key);
	if (equals < text.n)
		text = gm_str_n(text.p + equals + 1, text.n - equals - 1);
	else if (row->type == GM_OPTION_BOOL)
		text = GM_STR("true");
	else if (*at + 1 < argc)
		text = gm_str(argv[++*at]);
	else
		return gm_fail_at(err, GM_ERR_INVALID, origin.where, "wants a value");
	return gm_option_set(table, row, text, &origin, err);
}

/* An argument that is no flag. One of type LIST takes this and all later ones. */
static int take_operand(struct gm_ctl_line *l, const char *text, struct gm_err *err)
{
	const struct gm_ctl_command *c = l->command;
	struct gm_origin origin = { .kind = GM_ORIGIN_FLAG };
	const struct gm_option *row;
	struct gm_option_list *have, longer;
	int rc;

	if (l->operand >= c->operand_count)
		return gm_fail(err, GM_ERR_INVALID, "'%s' is not expected; --help says how", text);
	row = &l->rows[c->option_count + l->operand];
	(void)snprintf(origin.where, sizeof(origin.where), "-- %s", c->operands[l->operand].value);
	if (row->type != GM_OPTION_LIST) {
		l->operand++;
		if (!text[0])
			return gm_fail_at(err, GM_ERR_INVALID, origin.where, "is empty");
		return gm_option_set(&l->options, row, gm_str(text), &origin, err);
	}
	have = (struct gm_option_list *)((char *)l->args + row->offset);
	longer.count = have->count + 1;
	longer.items = gm_xalloc(longer.count * sizeof(char *));
	for (size_t i = 0; i < have->count; i++)
		longer.items[i] = gm_xstrdup(have->items[i]);
	longer.items[have->count] = gm_xstrdup(text);
	rc = gm_option_set_list(&l->options, row, &longer, &origin, err);
	gm_option_list_fini(&longer);
	return rc;
}

static bool is_given(const struct gm_ctl_line *l, size_t row)
{
	return gm_option_origin(&l->options, &l->rows[row])->kind != GM_ORIGIN_DEFAULT;
}

static int check_required(const struct gm_ctl_line *l, struct gm_err *err)
{
	const struct gm_ctl_command *c = l->command;

	for (size_t i = 0; i < c->operand_count; i++)
		if (c->operands[i].required && !is_given(l, c->option_count + i))
			return gm_fail(err, GM_ERR_INVALID, "%s is missing; 'gpuctl %s --help' says how",
				       c->operands[i].value, c->path);
	for (size_t i = 0; i < c->option_count; i++)
		if (c->options[i].required && !is_given(l, i))
			return gm_fail(err, GM_ERR_INVALID, "'--%s' is missing; 'gpuctl %s --help' says how",
				       l->rows[i].key, c->path);
	return 0;
}

int gm_ctl_line_read(struct gm_ctl_line *l, int argc, char *const *argv, struct gm_err *err)
{
	bool flags_over = false;
	int rc = 0;

	for (int i = 0; i < argc && rc == 0; i++) {
		const char *text = argv[i];

		if (!flags_over && strcmp(text, "--") == 0)
			flags_over = true;
		else if (!flags_over && text[0] == '-' && text[1])
			rc = take_flag(l, argc, argv, &i, err);
		else
			rc = take_operand(l, text, err);
	}
	if (rc == 0 && !l->globals.help)
		rc = check_required(l, err);
	return rc;
}
