/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bytes of a file, decompressed on the way: a fixed amount of memory whatever the file's size.
 */
#include "tools/iopt/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define RAW_BYTES (64u << 10)

struct input {
	ssize_t (*read)(struct input *input, void *bytes, size_t size);
	int fd;		       /* -1: memory */
	const uint8_t *memory; /* what is left of it */
	size_t memory_left;
	uint64_t offset;	/* of the raw bytes that were read */
	bool raw_end;		/* the raw bytes are at their end */
	uint8_t raw[RAW_BYTES]; /* raw bytes, from raw_at to raw_nr not used yet */
	size_t raw_at, raw_nr;
	z_stream gzip;
	ZSTD_DStream *zstd;
	bool inside; /* a compressed stream has begun and not ended */
	char error[INPUT_ERROR_BYTES];
};

/* Raw bytes for the caller, from the file or from memory. */
static ssize_t raw_read(struct input *input, void *bytes, size_t size)
{
	ssize_t nr;

	if (input->fd < 0) {
		nr = (ssize_t)(size < input->memory_left ? size : input->memory_left);
		if (nr)
			memcpy(bytes, input->memory, (size_t)nr);
		input->memory += nr;
		input->memory_left -= (size_t)nr;
	} else {
		do
			nr = read(input->fd, bytes, size);
		while (nr < 0 && errno == EINTR);
		if (nr < 0) {
			snprintf(input->error, sizeof(input->error), "can't be read: %s",
				 strerror(errno));
			return -1;
		}
	}
	if (!nr)
		input->raw_end = true;
	input->offset += (uint64_t)nr;
	return nr;
}

/* Fill the raw buffer if nothing is left in it. Return: -1 on an error. */
static int refill(struct input *input)
{
	ssize_t nr;

	if (input->raw_at < input->raw_nr || input->raw_end)
		return 0;
	nr = raw_read(input, input->raw, RAW_BYTES);
	if (nr < 0)
		return -1;
	input->raw_at = 0;
	input->raw_nr = (size_t)nr;
	return 0;
}

static ssize_t plain_read(struct input *input, void *bytes, size_t size)
{
	size_t left = input->raw_nr - input->raw_at;

	if (!left)
		return input->raw_end ? 0 : raw_read(input, bytes, size);
	if (left > size)
		left = size;
	memcpy(bytes, input->raw + input->raw_at, left);
	input->raw_at += left;
	return (ssize_t)left;
}

static ssize_t cut_short(struct input *input, const char *what)
{
	snprintf(input->error, sizeof(input->error),
		 "the %s data end too early, after %llu bytes; expected the rest of the file", what,
		 (unsigned long long)input->offset);
	return -1;
}

static ssize_t damaged(struct input *input, const char *what, const char *why)
{
	snprintf(input->error, sizeof(input->error), "the %s data are damaged near byte %llu: %s",
		 what, (unsigned long long)(input->offset - (input->raw_nr - input->raw_at)), why);
	return -1;
}

/* One or more gzip members, one behind the other, as gzip itself takes them. */
static ssize_t gzip_read(struct input *input, void *bytes, size_t size)
{
	z_stream *gzip = &input->gzip;
	int status;

	gzip->next_out = bytes;
	gzip->avail_out = (unsigned)size;
	while (gzip->avail_out == size) {
		if (refill(input))
			return -1;
		if (input->raw_at == input->raw_nr)
			return input->inside ? cut_short(input, "gzip") : 0;
		if (!input->inside && inflateReset(gzip) != Z_OK)
			return damaged(input, "gzip", "zlib can't start again");
		input->inside = true;
		gzip->next_in = input->raw + input->raw_at;
		gzip->avail_in = (unsigned)(input->raw_nr - input->raw_at);
		status = inflate(gzip, Z_NO_FLUSH);
		input->raw_at = input->raw_nr - gzip->avail_in;
		if (status == Z_STREAM_END)
			input->inside = false;
		else if (status != Z_OK && status != Z_BUF_ERROR)
			return damaged(input, "gzip", gzip->msg ? gzip->msg : "not gzip");
	}
	return (ssize_t)(size - gzip->avail_out);
}

static ssize_t zstd_read(struct input *input, void *bytes, size_t size)
{
	ZSTD_outBuffer out = { bytes, size, 0 };
	ZSTD_inBuffer in;
	size_t status;

	while (!out.pos) {
		if (refill(input))
			return -1;
		in = (ZSTD_inBuffer){ input->raw + input->raw_at, input->raw_nr - input->raw_at,
				      0 };
		if (!in.size && !input->inside)
			return 0;
		status = ZSTD_decompressStream(input->zstd, &out, &in);
		input->raw_at += in.pos;
		if (ZSTD_isError(status))
			return damaged(input, "zstd", ZSTD_getErrorName(status));
		input->inside = status != 0;
		if (!in.size && !out.pos)
			return cut_short(input, "zstd");
	}
	return (ssize_t)out.pos;
}

static bool starts_with(const struct input *input, const char *magic, size_t bytes)
{
	return input->raw_nr >= bytes && !memcmp(input->raw, magic, bytes);
}

/* Choose how to read by the first bytes. Return: -1 on an error. */
static int detect(struct input *input)
{
	if (refill(input))
		return -1;
	/* The first read of a pipe may be short: no magic is longer than what one write brings. */
	input->read = plain_read;
	if (starts_with(input, "\x1f\x8b", 2)) {
		if (inflateInit2(&input->gzip, 15 + 16) != Z_OK)
			goto no_memory;
		input->read = gzip_read;
	} else if (starts_with(input, "\x28\xb5\x2f\xfd", 4)) {
		input->zstd = ZSTD_createDStream();
		if (!input->zstd)
			goto no_memory;
		input->read = zstd_read;
	} else if (starts_with(input, "\x17\x08\x44tracing", 10)) {
		snprintf(input->error, sizeof(input->error),
			 "this is a binary recording of trace-cmd; expected its text: "
			 "run `trace-cmd report' on it");
		return -1;
	} else if (starts_with(input, "PERFILE2", 8)) {
		snprintf(input->error, sizeof(input->error),
			 "this is a binary recording of perf; expected its text: "
			 "run `perf script' on it");
		return -1;
	}
	return 0;
no_memory:
	snprintf(input->error, sizeof(input->error), "no memory to decompress it");
	return -1;
}

static struct input *start(struct input *input, char error[INPUT_ERROR_BYTES])
{
	if (!detect(input))
		return input;
	memcpy(error, input->error, INPUT_ERROR_BYTES);
	input_close(input);
	return NULL;
}

struct input *input_open(const char *path, char error[INPUT_ERROR_BYTES])
{
	struct input *input = calloc(1, sizeof(*input));
	struct stat stat;

	if (!input) {
		snprintf(error, INPUT_ERROR_BYTES, "no memory to read it");
		return NULL;
	}
	input->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	if (input->fd < 0) {
		snprintf(error, INPUT_ERROR_BYTES, "can't be opened: %s", strerror(errno));
		free(input);
		return NULL;
	}
	if (!fstat(input->fd, &stat) && S_ISDIR(stat.st_mode)) {
		snprintf(error, INPUT_ERROR_BYTES, "is a directory; expected a file");
		input_close(input);
		return NULL;
	}
	return start(input, error);
}

struct input *input_memory(const void *bytes, size_t size, char error[INPUT_ERROR_BYTES])
{
	struct input *input = calloc(1, sizeof(*input));

	if (!input) {
		snprintf(error, INPUT_ERROR_BYTES, "no memory to read it");
		return NULL;
	}
	input->fd = -1;
	input->memory = bytes;
	input->memory_left = size;
	return start(input, error);
}

ssize_t input_read(struct input *input, void *bytes, size_t size)
{
	return input->read(input, bytes, size);
}

const char *input_error(const struct input *input)
{
	return input->error;
}

void input_close(struct input *input)
{
	if (!input)
		return;
	if (input->read == gzip_read)
		inflateEnd(&input->gzip);
	ZSTD_freeDStream(input->zstd);
	if (input->fd >= 0)
		close(input->fd);
	free(input);
}
