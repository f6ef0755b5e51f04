/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the subcommands of `iopt` share: their entry points, exit codes and how errors are told.
 * What each does lies in its own file; nothing of replay's machinery is here.
 */
#ifndef TOOLS_IOPT_COMMAND_H
#define TOOLS_IOPT_COMMAND_H

#include <argp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <iopt/iopt.h>

/* Exit codes. */
enum {
	EXIT_OKAY = 0,
	EXIT_CONTENT = 1, /* a check failed, or what was read isn't what it should be */
	EXIT_USAGE = 2,	  /* the command line */
};

/* Subcommands: argv[0] is "iopt NAME". Return an exit code. */
int command_replay(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_decode(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_check(int argc, char **argv);
int command_formats(int argc, char **argv);
int command_record(int argc, char **argv);

/**
 * format_iova_bits() - IOVA bits of a domain that names no width
 * @format: its format
 * @levels: its levels
 */
unsigned format_iova_bits(const struct iopt_format_info *format, unsigned levels);

/**
 * usage_error() - refuse the command line: one line on standard error, exit 2
 * @name:   of the program or subcommand
 * @format: what is wrong and what was expected, as printf()
 */
__attribute__((format(printf, 2, 3), noreturn)) void usage_error(const char *name,
								 const char *format, ...);

/**
 * content_error() - say in one line what is wrong with something that was read
 * @format: place, what is wrong, what was expected, as printf()
 *
 * Return: EXIT_CONTENT.
 */
__attribute__((format(printf, 1, 2))) int content_error(const char *format, ...);

/**
 * parse_arguments() - argp_parse() that tells errors in one line and exits with 2
 * @argp: options and parser
 * @argc: as main()
 * @argv: as main(); argv[0] names the command in messages
 * @flags: of argp_parse()
 * @index: first argument that wasn't parsed, or NULL
 * @input: for the parser
 */
void parse_arguments(const struct argp *argp, int argc, char **argv, unsigned flags, int *index,
		     void *input);

/**
 * parse_number() - a decimal number with limits
 * @text: what was given
 * @low:  least allowed
 * @high: most allowed
 * @value: set on success
 *
 * Return: whether @text is such a number and nothing else.
 */
bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *value);

/**
 * parse_count() - an option's number; a usage error ends the program
 * @name:   of the subcommand
 * @option: without dashes
 * @text:   what was given
 * @low:    least allowed
 * @high:   most allowed
 */
uint64_t parse_count(const char *name, const char *option, const char *text, uint64_t low,
		     uint64_t high);

/**
 * parse_interval() - an option's milliseconds, perhaps with a fraction; likewise
 *
 * Return: nanoseconds.
 */
uint64_t parse_interval(const char *name, const char *option, const char *text);

/** check_output() - an option's file must be writable, else a usage error ends the program */
void check_output(const char *name, const char *option, const char *path);

/* Enough for what the functions below write. */
#define SIZE_TEXT_BYTES 32

/**
 * size_text() - a size in words, exact if it is a multiple of a binary unit, e.g. "4K", "2M",
 * "1.5G"
 * @bytes: the size
 * @text:  filled in
 *
 * Return: @text.
 */
const char *size_text(uint64_t bytes, char text[SIZE_TEXT_BYTES]);

/**
 * span_text() - the size of a span of addresses, as size_text() has it; "all" of all of 64 bits
 * @first: first address
 * @last:  last one
 * @text:  filled in
 *
 * Return: what it is.
 */
const char *span_text(uint64_t first, uint64_t last, char text[SIZE_TEXT_BYTES]);

/** span_bytes() - the same as a number of bytes, decimal. All of 64 bits are 2^64. */
const char *span_bytes(uint64_t first, uint64_t last, char text[SIZE_TEXT_BYTES]);

/**
 * amount_text() - a size to three digits: "784K", "13.7M", "1.00G"
 * @bytes: the size
 * @text:  filled in
 *
 * Return: @text.
 */
const char *amount_text(uint64_t bytes, char text[SIZE_TEXT_BYTES]);

/**
 * parse_size() - the inverse, for powers of two: "4K", "2M", "512G"
 * @text: what was given
 * @lg2:  set to the exponent on success
 *
 * Return: whether it is a power of two with an optional unit K, M, G, T, P, E.
 */
bool parse_size(const char *text, unsigned *lg2);

/**
 * parse_bytes() - any size, perhaps with a fraction: "1.5G", "300M", "4096"
 * @text:  what was given
 * @bytes: set on success
 *
 * Return: whether it is a decimal number with an optional unit and less than 2^63.
 */
bool parse_bytes(const char *text, uint64_t *bytes);

/**
 * grouped() - a number with a comma every three digits
 * @value: the number
 * @text:  filled in
 *
 * Return: @text.
 */
const char *grouped(uint64_t value, char text[SIZE_TEXT_BYTES]);

#endif
