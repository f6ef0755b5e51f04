/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files that are there whole or not at all: written under another name beside, then renamed. And
 * files that nobody but this program sees, and what was put aside in one, which comes out later.
 */
#ifndef TOOLS_IOPT_OUTPUT_H
#define TOOLS_IOPT_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/** struct output - a file being written */
struct output {
	FILE *stream;
	const char *path;
	char *temporary; /* NULL: written in place (a pipe, a device) */
};

/**
 * temporary_file() - a file without a name, below the folder that the environment's TMPDIR names,
 * or /tmp
 *
 * Return: it, to write and to read; NULL, and errno is set.
 */
FILE *temporary_file(void);

/**
 * output_writable() - could a file be written here?
 * @path: of the file
 * @why:  set to the reason if not: one line
 */
bool output_writable(const char *path, const char **why);

/**
 * output_open() - start writing
 * @output: filled in
 * @path:   of the file, "-": standard output; must live as long
 *
 * Return: whether it worked; if not, the error is told.
 */
bool output_open(struct output *output, const char *path);

/**
 * output_close() - the file is complete: put it in place
 * @output: from output_open()
 *
 * Return: whether it worked; if not, the error is told and nothing is left behind.
 */
bool output_close(struct output *output);

/**
 * output_copy() - copy what was put aside
 * @aside:  from its beginning to its end, written or not
 * @stream: where to; whether that worked is for whoever closes it
 *
 * Return: 0, or -errno if @aside could not be written or read.
 */
int output_copy(FILE *aside, FILE *stream);

#endif
