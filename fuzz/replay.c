/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over every file of the folders given: crashes found once stay found in every build. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILE_MAX (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* False when the file could not be read. The bytes are at the end of their block, so that reading past them is seen. */
static bool replay_file(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	bool ok = false;

	if (f && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX) {
		size_t size = (size_t)st.st_size;
		uint8_t *data = malloc(size ? size : 1);
		ok = data && fread(data, 1, size, f) == size;
		if (ok)
			(void)LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	if (f)
		(void)fclose(f);
	if (!ok)
		(void)fprintf(stderr, "%s: cannot be read\n", path);
	return ok;
}

/* In the order of names, so that a crash comes at the same place each time. Returns how many files ran, -1 on failure. */
static int replay_folder(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, not_hidden, alphasort);
	int done = 0;

	for (int i = 0; i < count; i++) {
		char path[4096];
		int n = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (done >= 0 && n > 0 && (size_t)n < sizeof(path) && replay_file(path))
			done++;
		else
			done = -1;
		free(entries[i]);
	}
	if (count < 0)
		perror(folder);
	else
		free(entries);
	return count < 0 ? -1 : done;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int done = replay_folder(argv[i]);
		if (done <= 0) {
			(void)fprintf(stderr, "%s: %s\n", argv[i], done == 0 ? "no files to replay" : "failed");
			return EXIT_FAILURE;
		}
		(void)printf("%s: %d files replayed\n", argv[i], done);
	}
	if (argc < 2)
		(void)fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
	return argc < 2 ? EXIT_FAILURE : EXIT_SUCCESS;
}
