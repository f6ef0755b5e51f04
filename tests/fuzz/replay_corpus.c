/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Runs a fuzzer's function on files, for compilers without libFuzzer: what was found once stays
 * tested in every build. Arguments: files, or folders of files.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned nr_run;

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;
	struct stat stat_of;
	size_t size;

	if (!file || fstat(fileno(file), &stat_of)) {
		perror(path);
		return 1;
	}
	/* Of the exact size: a sanitizer sees one byte too many. */
	bytes = malloc(stat_of.st_size ? (size_t)stat_of.st_size : 1);
	size = bytes ? fread(bytes, 1, (size_t)stat_of.st_size, file) : 0;
	fclose(file);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	nr_run++;
	return 0;
}

static int run_folder(const char *path)
{
	struct dirent **entries;
	int nr = scandir(path, &entries, NULL, alphasort), failed = 0;
	char name[4096];

	if (nr < 0)
		return run_file(path);
	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			failed |= run_file(name);
		free(entries[i]);
	}
	free(entries);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= run_folder(argv[i]);
	printf("%u inputs\n", nr_run);
	return failed || !nr_run;
}
