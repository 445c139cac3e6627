/* SPDX-License-Identifier: MIT */
#include "app/ctl/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "adapter/conf/conf.h"
#include "base/alloc.h"

#define FILE_MAX (1024 * 1024)
#define NAME_MAX_BYTES 64

/* The file as an option table has it. */
struct file {
	char *current;
	struct gm_option_maps contexts;
};
static const struct gm_option TABLE[] = {
	{ .key = "current",
	  .type = GM_OPTION_TEXT,
	  .offset = offsetof(struct file, current),
	  .help = "The context that is used when none is named" },
	{ .key = "contexts",
	  .type = GM_OPTION_MAPS,
	  .offset = offsetof(struct file, contexts),
	  .max = "64",
	  .help = "name, server, key, caFile, clientCert, clientKey, insecure" },
};
_Static_assert(GM_CTL_CONTEXTS_MAX == 64, "the table says it too");

/* The texts of a context, in the order in which they are written. */
static const struct {
	const char *key;
	size_t offset;
} TEXTS[] = {
	{ "name", offsetof(struct gm_ctl_context, name) },
	{ "server", offsetof(struct gm_ctl_context, server) },
	{ "caFile", offsetof(struct gm_ctl_context, ca_file) },
	{ "clientCert", offsetof(struct gm_ctl_context, client_cert) },
	{ "clientKey", offsetof(struct gm_ctl_context, client_key) },
};

static char **text_of(const struct gm_ctl_context *c, size_t i)
{
	return (char **)((uintptr_t)c + TEXTS[i].offset);
}

static void context_fini(struct gm_ctl_context *c)
{
	for (size_t i = 0; i < GM_LEN(TEXTS); i++)
		free(*text_of(c, i));
	gm_secret_fini(&c->key);
}

void gm_ctl_contexts_fini(struct gm_ctl_contexts *c)
{
	gm_vec_each (&c->all, one)
		context_fini(one);
	gm_vec_fini(&c->all);
	free(c->current);
	free(c->path);
	*c = (struct gm_ctl_contexts){ 0 };
}

int gm_ctl_contexts_path(struct gm_buf *out, struct gm_err *err)
{
	const char *file = getenv("GPUCTL_CONFIG"), *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (file && file[0])
		gm_buf_add_cstr(out, file);
	else if (xdg && xdg[0])
		gm_buf_addf(out, "%s/gpuctl/config.yml", xdg);
	else if (home && home[0])
		gm_buf_addf(out, "%s/.config/gpuctl/config.yml", home);
	else
		return gm_fail(err, GM_ERR_INVALID, "GPUCTL_CONFIG or HOME must say where the file of contexts is");
	return 0;
}

struct gm_ctl_context *gm_ctl_context_find(const struct gm_ctl_contexts *c, struct gm_str name)
{
	for (size_t i = 0; i < c->all.count; i++)
		if (gm_str_is(name, c->all.items[i].name))
			return &c->all.items[i];
	return NULL;
}

static bool name_ok(struct gm_str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		if (c <= ' ' || c == 0x7f)
			return false;
	}
	return name.n > 0 && name.n <= NAME_MAX_BYTES && name.p[0] != '-' && gm_str_plain_ok(name);
}

int gm_ctl_context_make(struct gm_ctl_contexts *c, struct gm_str name, struct gm_ctl_context **out, struct gm_err *err)
{
	struct gm_ctl_context *context = gm_ctl_context_find(c, name);

	if (!context) {
		if (!name_ok(name))
			return gm_fail(err, GM_ERR_INVALID, "a context's name has 1 to %d bytes and no blanks",
				       NAME_MAX_BYTES);
		if (c->all.count >= GM_CTL_CONTEXTS_MAX)
			return gm_fail(err, GM_ERR_TOO_LARGE, "there are %d contexts already", GM_CTL_CONTEXTS_MAX);
		context = gm_vec_add(&c->all);
		for (size_t i = 0; i < GM_LEN(TEXTS); i++)
			*text_of(context, i) = i == 0 ? gm_str_dup(name) : gm_xstrdup("");
	}
	*out = context;
	return 0;
}

void gm_ctl_context_remove(struct gm_ctl_contexts *c, struct gm_ctl_context *context)
{
	size_t at = (size_t)(context - c->all.items);

	if (strcmp(c->current, context->name) == 0)
		c->current[0] = 0;
	context_fini(context);
	memmove(context, context + 1, (c->all.count - at - 1) * sizeof(*context));
	c->all.count--;
}

int gm_ctl_key_check(struct gm_str key, const char *where, struct gm_err *err)
{
	if (key.n == 0 || key.n > GM_CTL_KEY_MAX)
		return gm_fail_at(err, GM_ERR_INVALID, where, "a key has 1 to %d bytes", GM_CTL_KEY_MAX);
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] > '~')
			return gm_fail_at(err, GM_ERR_INVALID, where, "a key has no blanks and nothing but ASCII");
	return 0;
}

static int take_pair(struct gm_ctl_context *context, const struct gm_option_pair *pair, struct gm_err *err)
{
	for (size_t i = 1; i < GM_LEN(TEXTS); i++)
		if (strcmp(pair->key, TEXTS[i].key) == 0) {
			free(*text_of(context, i));
			*text_of(context, i) = gm_xstrdup(pair->value);
			return 0;
		}
	if (strcmp(pair->key, "key") == 0) {
		gm_secret_fini(&context->key);
		gm_secret_set(&context->key, gm_str(pair->value));
		return gm_ctl_key_check(gm_str(pair->value), pair->where, err);
	}
	if (strcmp(pair->key, "insecure") == 0 &&
	    (strcmp(pair->value, "true") == 0 || strcmp(pair->value, "false") == 0)) {
		context->insecure = pair->value[0] == 't';
		return 0;
	}
	if (strcmp(pair->key, "insecure") == 0)
		return gm_fail_at(err, GM_ERR_INVALID, pair->where, "insecure is true or false");
	return gm_fail_at(err, GM_ERR_INVALID, pair->where, "unknown key '%s' of a context", pair->key);
}

static int take_map(struct gm_ctl_contexts *out, const struct gm_option_map *map, const char *file, struct gm_err *err)
{
	const struct gm_option_pair *name = NULL;
	struct gm_ctl_context *context;
	int rc;

	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->items[i].key, "name") == 0)
			name = &map->items[i];
	if (!name)
		return gm_fail_at(err, GM_ERR_INVALID, map->count ? map->items[0].where : file,
				  "a context has no name");
	if (gm_ctl_context_find(out, gm_str(name->value)))
		return gm_fail_at(err, GM_ERR_INVALID, name->where, "context '%s' is there twice", name->value);
	rc = gm_ctl_context_make(out, gm_str(name->value), &context, err);
	for (size_t i = 0; i < map->count && rc == 0; i++)
		if (&map->items[i] != name)
			rc = take_pair(context, &map->items[i], err);
	return rc;
}

int gm_ctl_contexts_read(struct gm_str yaml, const char *name, struct gm_ctl_contexts *out, struct gm_err *err)
{
	struct file file = { 0 };
	GM_AUTO(gm_options_fini_p) struct gm_options options = { 0 };
	int rc;

	gm_options_init(&options, TABLE, GM_LEN(TABLE), &file);
	rc = gm_conf_apply_yaml(&options, yaml, name, err);
	free(out->current);
	out->current = gm_xstrdup(rc == 0 ? file.current : "");
	for (size_t i = 0; i < file.contexts.count && rc == 0; i++)
		rc = take_map(out, &file.contexts.items[i], name, err);
	for (size_t i = 0; i < file.contexts.count; i++)
		for (size_t j = 0; j < file.contexts.items[i].count; j++)
			gm_wipe(file.contexts.items[i].items[j].value, strlen(file.contexts.items[i].items[j].value));
	return rc;
}

/* The file that is open is the one that is looked at. */
static int check_file(int fd, const char *path, struct gm_err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return gm_fail_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return gm_fail_at(err, GM_ERR_INVALID, path, "is not a file");
	if (st.st_size > FILE_MAX)
		return gm_fail_at(err, GM_ERR_TOO_LARGE, path, "has more than %d bytes", FILE_MAX);
	if (st.st_mode & 077)
		return gm_fail_at(err, GM_ERR_INVALID, path,
				  "holds keys and others may read or write it (mode %04o): chmod 600 '%s'",
				  (unsigned)(st.st_mode & 07777), path);
	return 0;
}

static int read_all(int fd, const char *path, struct gm_buf *out, struct gm_err *err)
{
	ssize_t n;

	do {
		char *to = gm_buf_reserve(out, 65536);
		n = to ? read(fd, to, 65535) : -1;
		if (n > 0)
			gm_buf_advance(out, (size_t)n);
	} while (n > 0 && out->n <= FILE_MAX);
	return n < 0 ? gm_fail_errno(err, errno, "%s", path) : 0;
}

int gm_ctl_contexts_load(struct gm_ctl_contexts *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf path = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	GM_AUTO(gm_fd_close_p) int fd = -1;
	int rc = gm_ctl_contexts_path(&path, err);

	*out = (struct gm_ctl_contexts){ .current = gm_xstrdup("") };
	if (rc)
		return rc;
	out->path = gm_str_dup(gm_buf_str(&path));
	fd = open(out->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0) {
		rc = gm_fail_errno(err, errno, "the file of contexts");
		(void)gm_str_copy(gm_str(out->path), err ? err->where : (char[1]){ 0 }, err ? sizeof(err->where) : 1);
		return rc;
	}
	rc = check_file(fd, out->path, err);
	if (rc == 0)
		rc = read_all(fd, out->path, &text, err);
	if (rc == 0)
		rc = gm_ctl_contexts_read(gm_buf_str(&text), out->path, out, err);
	gm_wipe(text.p, text.n);
	return rc;
}

static void add_text(struct gm_buf *out, const char *begin, const char *key, struct gm_str value)
{
	gm_buf_addf(out, "%s%s: ", begin, key);
	gm_option_quote(value, out);
	gm_buf_add_char(out, '\n');
}

static void print_file(const struct gm_ctl_contexts *c, struct gm_buf *out)
{
	gm_buf_add_cstr(out, "# Written by gpuctl context. It holds keys: mode 0600.\n");
	if (c->current[0])
		add_text(out, "", "current", gm_str(c->current));
	gm_buf_add_cstr(out, c->all.count ? "contexts:\n" : "contexts: []\n");
	for (size_t n = 0; n < c->all.count; n++) {
		const struct gm_ctl_context *one = &c->all.items[n];

		for (size_t i = 0; i < GM_LEN(TEXTS); i++)
			if ((*text_of(one, i))[0])
				add_text(out, i == 0 ? "  - " : "    ", TEXTS[i].key, gm_str(*text_of(one, i)));
		if (one->key.n)
			add_text(out, "    ", "key", gm_str_n(one->key.p, one->key.n));
		if (one->insecure)
			gm_buf_add_cstr(out, "    insecure: true\n");
	}
}

/* The folders above the file, those that are missing for nobody else. */
static int make_folders(const char *path, struct gm_err *err)
{
	GM_AUTO(gm_free_p) char *copy = gm_xstrdup(path);

	for (char *slash = strchr(copy + 1, '/'); copy[0] && slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			return gm_fail_errno(err, errno, "folder %s", copy);
		*slash = '/';
	}
	return 0;
}

static bool write_all(int fd, struct gm_str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		s = gm_str_n(s.p + n, s.n - (size_t)n);
	}
	return fsync(fd) == 0;
}

int gm_ctl_contexts_save(const struct gm_ctl_contexts *c, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf next = { 0 };
	GM_AUTO(gm_fd_close_p) int fd = -1;
	bool ok;
	int rc = make_folders(c->path, err);

	if (rc)
		return rc;
	gm_buf_addf(&next, "%s.XXXXXX", c->path);
	fd = mkostemp(next.p, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return gm_fail_errno(err, errno, "%s", gm_buf_cstr(&next));
	print_file(c, &text);
	ok = write_all(fd, gm_buf_str(&text)) && rename(gm_buf_cstr(&next), c->path) == 0;
	gm_wipe(text.p, text.n);
	if (ok)
		return 0;
	rc = gm_fail_errno(err, errno, "%s", c->path);
	(void)unlink(gm_buf_cstr(&next));
	return rc;
}
