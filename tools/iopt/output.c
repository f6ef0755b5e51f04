/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files that are there whole or not at all. See output.h.
 */
#include "tools/iopt/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/iopt/command.h"

/* Something that can't be replaced, but written to. */
static bool is_special(const char *path)
{
	struct stat stat_of;

	return !stat(path, &stat_of) && !S_ISREG(stat_of.st_mode) && !S_ISDIR(stat_of.st_mode);
}

/* Its name is gone before a signal may end the program. */
static int open_nameless(char *path)
{
	sigset_t all, before;
	int fd, error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	fd = mkostemp(path, O_CLOEXEC);
	error = errno;
	if (fd >= 0)
		unlink(path);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return fd;
}

FILE *temporary_file(void)
{
	const char *folder = getenv("TMPDIR");
	FILE *file = NULL;
	char *path;
	int fd, error;

	if (asprintf(&path, "%s/iopt.XXXXXX", folder && *folder ? folder : "/tmp") < 0)
		return NULL;
	fd = open_nameless(path);
	if (fd >= 0)
		file = fdopen(fd, "w+");
	error = errno;
	if (fd >= 0 && !file)
		close(fd);
	free(path);
	errno = error;
	return file;
}

bool output_writable(const char *path, const char **why)
{
	char *copy = strdup(path);
	struct stat stat_of;
	bool writable = false;

	if (!copy)
		*why = strerror(ENOMEM);
	else if (!*path)
		*why = "its name is empty";
	else if (!stat(path, &stat_of) && S_ISDIR(stat_of.st_mode))
		*why = "is a directory";
	else if (access(is_special(path) ? path : dirname(copy), W_OK))
		*why = strerror(errno);
	else
		writable = true;
	free(copy);
	return writable;
}

static bool tell(struct output *output)
{
	content_error("%s: can't be written: %s", output->path, strerror(errno));
	if (output->temporary)
		unlink(output->temporary);
	free(output->temporary);
	return false;
}

bool output_open(struct output *output, const char *path)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	*output = (struct output){ .path = path };
	if (!strcmp(path, "-")) {
		output->stream = stdout;
		return true;
	}
	if (is_special(path)) {
		output->stream = fopen(path, "w");
		return output->stream ? true : tell(output);
	}
	if (asprintf(&output->temporary, "%s.XXXXXX", path) < 0) {
		output->temporary = NULL;
		return tell(output);
	}
	fd = mkstemp(output->temporary);
	if (fd >= 0 && (fchmod(fd, 0666 & ~mask) || !(output->stream = fdopen(fd, "w"))))
		close(fd);
	return output->stream ? true : tell(output);
}

bool output_close(struct output *output)
{
	bool failed = fflush(output->stream) || ferror(output->stream);

	if (output->stream != stdout)
		failed |= fclose(output->stream) != 0;
	if (!failed && output->temporary)
		failed = rename(output->temporary, output->path) != 0;
	if (failed)
		return tell(output);
	free(output->temporary);
	return true;
}

int output_copy(FILE *aside, FILE *stream)
{
	char buffer[65536];
	size_t bytes;

	if (fflush(aside))
		return -errno;
	/* Of a write before, whose errno is gone. */
	if (ferror(aside))
		return -EIO;
	if (fseek(aside, 0, SEEK_SET))
		return -errno;
	while ((bytes = fread(buffer, 1, sizeof(buffer), aside)) && !ferror(stream))
		fwrite(buffer, 1, bytes, stream);
	return ferror(aside) ? -EIO : 0;
}
