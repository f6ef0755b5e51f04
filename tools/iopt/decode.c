/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt decode`: what each device behind an IOMMU can reach, from memory in a file or of a running
 * machine. Arguments and errors; finding and opening memory is where.c's, reading tables
 * libiopt-decode's, showing mappings.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/mappings.h"
#include "tools/iopt/output.h"
#include "tools/iopt/where.h"

#define NAME "iopt decode"

enum { OPT_LEAVES = 256, OPT_DEVICE, OPT_IOVA, OPT_PA, OPT_ACCESSED, OPT_DIRTY };

/**
 * struct arguments - of the command line
 * @path:  of the memory
 * @where: its tables begin
 * @wish:  what is of interest
 */
struct arguments {
	const char *path;
	struct where where;
	struct mappings_wish wish;
};

static void parse_output(struct arguments *arguments, const char *text)
{
	arguments->wish.form = mappings_form(text);
	if (!arguments->wish.form)
		usage_error(NAME, "--output: '%s', expected tree, tsv, json, raw or html", text);
}

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct mappings_wish *wish = &arguments->wish;

	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->where; return 0;
	case 'o': parse_output(arguments, arg); return 0;
	case OPT_LEAVES: wish->leaves = true; return 0;
	case OPT_DEVICE:
		wish->one = true;
		wish->id = where_device(&arguments->where, "device", arg);
		return 0;
	case OPT_IOVA: wish->iova = where_span(&arguments->where, "iova", arg); return 0;
	case OPT_PA:
		wish->by_pa = true;
		wish->pa = where_span(&arguments->where, "pa", arg);
		return 0;
	case OPT_ACCESSED: wish->accessed = true; return 0;
	case OPT_DIRTY: wish->dirty = true; return 0;
	case ARGP_KEY_ARG:
		if (arguments->path)
			usage_error(NAME, "unexpected argument '%s', expected one SOURCE", arg);
		arguments->path = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What is of interest:", 2 },
	{ "device", OPT_DEVICE, "BUS:DEV.FN", 0, "only this device", 2 },
	{ "iova", OPT_IOVA, "A[-B]", 0, "only these addresses of a device's", 2 },
	{ "pa", OPT_PA, "A[-B]", 0,
	  "only what leads to this memory: who can reach it, and by which addresses", 2 },
	{ "accessed", OPT_ACCESSED, NULL, 0, "only leaves whose accessed bit is set", 2 },
	{ "dirty", OPT_DIRTY, NULL, 0, "only leaves that are dirty", 2 },
	{ NULL, 0, NULL, 0, "How it is shown:", 3 },
	{ "output", 'o', "FORM", 0,
	  "tree, for people; tsv: device, pasid, iova, pa, size, perm; json; raw: entries of all "
	  "levels, as Intel's debugfs has them; html: a page to look at",
	  3 },
	{ "leaves", OPT_LEAVES, NULL, 0, "each leaf by itself, neighbours not put together", 3 },
	{ 0 },
};

static const struct argp argp = {
	options,
	parser,
	"[SOURCE]",
	"Show what each device behind an IOMMU can reach, from its tables in memory: an ELF core, "
	"a kdump file or a raw image, plain, gzip or zstd; \"-\": standard input. Intel VT-d, "
	"AMD, Arm SMMUv3 and RISC-V. Or of a running machine, with --qmp and no SOURCE.\v"
	"Exit status: 0 if all could be read and nothing in it is wrong, 1 if not, 2 for the "
	"command line.",
	where_children,
	NULL,
	NULL,
};

static void read_arguments(int argc, char **argv, struct arguments *arguments)
{
	parse_arguments(&argp, argc, argv, 0, NULL, arguments);
	where_take_one(&arguments->where, &arguments->path);
	arguments->wish.name = arguments->path;
}

static int show(struct arguments *arguments, FILE *stream, uint64_t *troubles)
{
	struct iopt_decode_source source;
	struct dump *dump = where_open(&arguments->where, 0, arguments->path, &source, NULL);
	int error;

	if (!dump)
		return EXIT_CONTENT;
	error = mappings_show(&source, &arguments->wish, stream, troubles);
	if (!dump_close(dump))
		return EXIT_CONTENT;
	return error ? content_error("%s: %s", arguments->path, strerror(-error)) : EXIT_OKAY;
}

/*
 * A running machine waits meanwhile, but not for somebody who reads page by page: what is printed
 * is put aside until it goes on.
 */
static int show_live(struct arguments *arguments, uint64_t *troubles)
{
	FILE *aside = temporary_file();
	int status, error;

	if (!aside)
		return content_error("no temporary file: %s", strerror(errno));
	status = show(arguments, aside, troubles);
	error = status ? 0 : output_copy(aside, stdout);
	if (error)
		status = content_error("temporary file: %s", strerror(-error));
	fclose(aside);
	return status;
}

int command_decode(int argc, char **argv)
{
	struct arguments arguments = {
		.where.command = NAME,
		.wish = { .iova = { 0, ~0ull }, .pa = { 0, ~0ull } },
	};
	uint64_t troubles = 0;
	int status;

	read_arguments(argc, argv, &arguments);
	status = where_is_live(&arguments.where, 0) ? show_live(&arguments, &troubles)
						    : show(&arguments, stdout, &troubles);
	if (status)
		return status;
	if (fflush(stdout) || ferror(stdout))
		return content_error("standard output: %s", strerror(errno));
	if (troubles)
		return content_error("%s: %llu wrong or missing", arguments.path,
				     (unsigned long long)troubles);
	return EXIT_OKAY;
}
