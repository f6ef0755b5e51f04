/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bytes of a file: plain, gzip or zstd (told apart by their first bytes), standard input, or
 * memory. What the bytes mean is trace.h's.
 */
#ifndef TOOLS_IOPT_INPUT_H
#define TOOLS_IOPT_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct input;

#define INPUT_ERROR_BYTES 320

/**
 * input_open() - open a file for reading
 * @path:  of the file; "-": standard input
 * @error: filled in if this fails: one line without the path
 *
 * Return: the input; NULL on an error.
 */
struct input *input_open(const char *path, char error[INPUT_ERROR_BYTES]);

/**
 * input_memory() - read from memory, which must live as long
 * @bytes: what to read, compressed or not
 * @size:  how much
 * @error: as input_open()
 *
 * Return: the input; NULL on an error.
 */
struct input *input_memory(const void *bytes, size_t size, char error[INPUT_ERROR_BYTES]);

/**
 * input_read() - read on
 * @input: where from
 * @bytes: filled in
 * @size:  room in @bytes
 *
 * Return: how many bytes were read, 0 at the end, -1 on an error, which input_error() tells.
 */
ssize_t input_read(struct input *input, void *bytes, size_t size);

/** input_error() - why input_read() failed: one line without the path */
const char *input_error(const struct input *input);

/** input_close() - NULL is allowed */
void input_close(struct input *input);

#endif
