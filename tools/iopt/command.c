/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Errors in one line, numbers and sizes as people write them. See command.h.
 */
#include "tools/iopt/command.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void usage_error(const char *name, const char *format, ...)
{
	va_list list;

	fprintf(stderr, "%s: ", name);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, " (see %s --help)\n", name);
	exit(EXIT_USAGE);
}

int content_error(const char *format, ...)
{
	va_list list;

	fputs("iopt: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	return EXIT_CONTENT;
}

/*
 * getopt names an option that it doesn't know in one line of its own; argp would add a second one
 * with advice. The stream it writes that to is ours to choose, from the first call of the parser
 * on.
 */
struct quiet {
	const struct argp *argp;
	void *input;
	FILE *nowhere;
};

static error_t quiet_parser(int key, char *arg, struct argp_state *state)
{
	struct quiet *quiet = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = quiet->nowhere;
		state->child_inputs[0] = quiet->input;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

void parse_arguments(const struct argp *argp, int argc, char **argv, unsigned flags, int *index,
		     void *input)
{
	struct quiet quiet = { argp, input, fopen("/dev/null", "w") };
	const struct argp_child children[] = { { argp, 0, NULL, 0 }, { 0 } };
	const struct argp outer = { NULL, quiet_parser, argp->args_doc, argp->doc, children,
				    NULL, NULL };
	error_t error;

	if (!quiet.nowhere)
		quiet.nowhere = stderr;
	argp_err_exit_status = EXIT_USAGE;
	error = argp_parse(&outer, argc, argv, flags, index, &quiet);
	if (quiet.nowhere != stderr)
		fclose(quiet.nowhere);
	if (error)
		exit(EXIT_USAGE);
}

bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	unsigned long long number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || number < low || number > high)
		return false;
	*value = number;
	return true;
}

static const char units[] = "\0KMGTPE";

const char *size_text(uint64_t bytes, char text[SIZE_TEXT_BYTES])
{
	unsigned unit = 0;

	while (unit < 6 && bytes >> (10 * (unit + 1)))
		unit++;
	if (unit && bytes & ((1ULL << (10 * unit)) - 1))
		snprintf(text, SIZE_TEXT_BYTES, "%.1f%c",
			 (double)bytes / (double)(1ULL << (10 * unit)), units[unit]);
	else if (unit)
		snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64 "%c", bytes >> (10 * unit), units[unit]);
	else
		snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64, bytes);
	return text;
}

bool parse_size(const char *text, unsigned *lg2)
{
	unsigned long long number;
	unsigned unit = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || !number || number & (number - 1))
		return false;
	if (*end) {
		for (unit = 1; unit < 7 && units[unit] != toupper((unsigned char)*end); unit++)
			;
		if (unit == 7 || end[1])
			return false;
	}
	*lg2 = 10 * unit + (unsigned)__builtin_ctzll(number);
	return *lg2 < 64;
}

const char *grouped(uint64_t value, char text[SIZE_TEXT_BYTES])
{
	char digits[SIZE_TEXT_BYTES];
	int nr = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	char *to = text;

	for (int i = 0; i < nr; i++) {
		if (i && (nr - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return text;
}
