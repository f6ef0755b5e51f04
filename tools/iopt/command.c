/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Errors in one line, numbers and sizes as people write them. See command.h.
 */
#include "tools/iopt/command.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/output.h"

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
	/* What is said of the whole is said once. */
	const struct argp inner = { argp->options,     argp->parser,	 NULL, NULL, argp->children,
				    argp->help_filter, argp->argp_domain };
	const struct argp_child children[] = { { &inner, 0, NULL, 0 }, { 0 } };
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

/* Milliseconds, perhaps with a fraction. */
uint64_t parse_interval(const char *name, const char *option, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < 0 || value > 60000)
		usage_error(name, "--%s: '%s', expected milliseconds from 0 to 60000", option,
			    text);
	if (value > 0 && value < 0.001)
		usage_error(name, "--%s: '%s', expected 0 or at least 0.001 milliseconds", option,
			    text);
	return (uint64_t)(value * 1e6);
}

uint64_t parse_count(const char *name, const char *option, const char *text, uint64_t low,
		     uint64_t high)
{
	uint64_t value;

	if (!parse_number(text, low, high, &value))
		usage_error(name, "--%s: '%s', expected a number from %" PRIu64 " to %" PRIu64,
			    option, text, low, high);
	return value;
}

void check_output(const char *name, const char *option, const char *path)
{
	const char *why;

	if (path && !output_writable(path, &why))
		usage_error(name, "--%s: %s can't be written: %s", option, path, why);
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

const char *span_text(uint64_t first, uint64_t last, char text[SIZE_TEXT_BYTES])
{
	return last - first == UINT64_MAX ? "all" : size_text(last - first + 1, text);
}

const char *span_bytes(uint64_t first, uint64_t last, char text[SIZE_TEXT_BYTES])
{
	if (last - first == UINT64_MAX)
		return "18446744073709551616";
	snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64, last - first + 1);
	return text;
}

const char *amount_text(uint64_t bytes, char text[SIZE_TEXT_BYTES])
{
	double value = (double)bytes;
	unsigned unit = 0;

	while (unit < 6 && value >= 999.5) {
		value /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT_BYTES, "%.*f%.*s",
		 !unit || value >= 99.95 ? 0
		 : value >= 9.995	 ? 1
					 : 2,
		 value, unit != 0, &units[unit]);
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

bool parse_bytes(const char *text, uint64_t *bytes)
{
	unsigned unit = 0;
	double number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	number = strtod(text, &end);
	if (*end) {
		for (unit = 1; unit < 7 && units[unit] != toupper((unsigned char)*end); unit++)
			;
		if (unit == 7 || end[1])
			return false;
	}
	number *= (double)(1ULL << (10 * unit));
	if (!(number < 0x1p63))
		return false;
	*bytes = (uint64_t)number;
	return true;
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
