/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt check`: what is wrong, open or wasteful in an IOMMU's tables, from memory in a file.
 * Arguments and exit status; see check.h for the files that do the work.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/check.h"
#include "tools/iopt/command.h"
#include "tools/iopt/where.h"

#define NAME "iopt check"

/* x86's interrupt-message window: Intel VT-d, section 3.14. */
#define MSI_FIRST 0xfee00000ull
#define MSI_LAST  0xfeefffffull

enum { OPT_PROTECT = 256, OPT_MSI, OPT_SEVERITY, OPT_ALLOW, OPT_STRICT, OPT_DEVICE, OPT_ALL };

/**
 * struct arguments - of the command line
 * @path:    of the memory
 * @where:   its tables begin
 * @least:   severity that is shown
 * @strict:  warnings fail, too
 * @check:   what of it options say
 */
struct arguments {
	const char *path;
	struct where where;
	enum check_form form;
	enum check_severity least;
	bool strict;
	struct check *check;
};

static bool add_area(struct check *check, enum check_kind kind, struct span span)
{
	struct check_area *more =
		realloc(check->areas, (check->nr_areas + 1) * sizeof(*check->areas));

	if (!more)
		return false;
	check->areas = more;
	check->areas[check->nr_areas++] = (struct check_area){ span, kind };
	return true;
}

static void parse_area(struct arguments *arguments, const char *option, enum check_kind kind,
		       const char *text)
{
	if (!add_area(arguments->check, kind, where_span(&arguments->where, option, text)))
		usage_error(NAME, "--%s: %s", option, strerror(ENOMEM));
}

static void parse_severity(struct arguments *arguments, const char *text)
{
	for (int severity = CHECK_NOTE; severity < CHECK_SEVERITIES; severity++)
		if (!strcmp(text, check_severity_name((enum check_severity)severity))) {
			arguments->least = (enum check_severity)severity;
			return;
		}
	usage_error(NAME, "--severity: '%s', expected note, warning or error", text);
}

static void parse_kind(struct arguments *arguments, const char *text)
{
	enum check_kind kind = check_kind_find(text);

	if (kind == CHECK_KINDS)
		usage_error(NAME, "--allow: there is no '%s', expected one that iopt-check(1) has",
			    text);
	arguments->check->allowed |= 1ull << kind;
}

static void parse_output(struct arguments *arguments, const char *text)
{
	static const char *const forms[] = {
		[CHECK_TEXT] = "text",
		[CHECK_TSV] = "tsv",
		[CHECK_JSON] = "json",
	};

	for (unsigned i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (!strcmp(text, forms[i])) {
			arguments->form = (enum check_form)i;
			return;
		}
	usage_error(NAME, "--output: '%s', expected text, tsv or json", text);
}

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->where; return 0;
	case 'o': parse_output(arguments, arg); return 0;
	case OPT_PROTECT: parse_area(arguments, "protect", CHECK_WRITES_PROTECTED, arg); return 0;
	case OPT_MSI: parse_area(arguments, "msi", CHECK_WRITES_MSI, arg); return 0;
	case OPT_SEVERITY: parse_severity(arguments, arg); return 0;
	case OPT_ALLOW: parse_kind(arguments, arg); return 0;
	case OPT_ALL: arguments->check->all = true; return 0;
	case OPT_DEVICE:
		arguments->check->one = true;
		arguments->check->id = where_device(&arguments->where, "device", arg);
		return 0;
	case OPT_STRICT: arguments->strict = true; return 0;
	case ARGP_KEY_ARG:
		if (arguments->path)
			usage_error(NAME, "unexpected argument '%s', expected one SOURCE", arg);
		arguments->path = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What is checked:", 2 },
	{ "device", OPT_DEVICE, "BUS:DEV.FN", 0,
	  "only this device's address spaces, and what others share with them", 2 },
	{ "protect", OPT_PROTECT, "A[-B]", 0,
	  "physical memory that no device is to write; may be repeated. The kernel's text besides, "
	  "where the dump says where that is",
	  2 },
	{ "msi", OPT_MSI, "A[-B]", 0,
	  "physical addresses where writes are interrupts; may be repeated. x86's are known", 2 },
	{ "allow", OPT_ALLOW, "KIND", 0,
	  "findings of this kind are all right: not shown and not counted; may be repeated", 2 },
	{ NULL, 0, NULL, 0, "How it is shown:", 3 },
	{ "severity", OPT_SEVERITY, "LEVEL", 0, "show nothing below: note, warning or error", 3 },
	{ "all", OPT_ALL, NULL, 0, "each finding by itself, not only the first of its kind", 3 },
	{ "strict", OPT_STRICT, NULL, 0, "warnings count as errors for the exit status", 3 },
	{ "output", 'o', "FORM", 0,
	  "text, for people; tsv: severity, kind, device, pasid, iova, level, entry's address, "
	  "entry, other devices, count, bytes, detail; json",
	  3 },
	{ 0 },
};

static const struct argp argp = {
	options,
	parser,
	"[SOURCE]",
	"Check the tables of an IOMMU in memory: what the hardware refuses, what is open that "
	"should not be, what is wasted. SOURCE is as `iopt decode' takes it; or, with --qmp, a "
	"running machine.\v"
	"Exit status: 0 if there are no errors, 1 if there are, or SOURCE can't be read, 2 for the "
	"command line.",
	where_children,
	NULL,
	NULL,
};

static void read_arguments(int argc, char **argv, struct arguments *arguments)
{
	parse_arguments(&argp, argc, argv, 0, NULL, arguments);
	where_take_one(&arguments->where, &arguments->path);
}

/* What is not to be written without an option that says so. */
static bool add_known_areas(struct check *check)
{
	const enum iopt_decode_unit unit = check->source.unit;
	struct span text;

	if ((unit == IOPT_DECODE_VTD || unit == IOPT_DECODE_AMD) &&
	    !add_area(check, CHECK_WRITES_MSI, (struct span){ MSI_FIRST, MSI_LAST }))
		return false;
	return !check_kernel_text(check->dump, &text) || add_area(check, CHECK_WRITES_KERNEL, text);
}

/* 0, or a negative errno value. */
static int run(struct check *check)
{
	int error = add_known_areas(check) ? check_tables(check) : -ENOMEM;

	if (!error)
		error = check_memory(check);
	if (!error && check->no_memory)
		error = -ENOMEM;
	if (!error)
		check_sort(check);
	return error;
}

static int check_source(struct arguments *arguments)
{
	struct check *check = arguments->check;
	const char *path = arguments->path;
	int error;

	check->dump = where_open(&arguments->where, 0, path, &check->source, &check->off);
	if (!check->dump)
		return EXIT_CONTENT;
	error = run(check);
	/* A running machine waits: not for who reads what is shown. */
	if (!dump_close(check->dump))
		return EXIT_CONTENT;
	if (!error && !check_show(check, arguments->form, arguments->least, stdout))
		error = -ENOMEM;
	if (error)
		return content_error("%s: %s", path, strerror(-error));
	if (fflush(stdout) || ferror(stdout))
		return content_error("standard output: %s", strerror(errno));
	return check->totals[CHECK_ERROR] || (arguments->strict && check->totals[CHECK_WARNING])
		       ? EXIT_CONTENT
		       : EXIT_OKAY;
}

int command_check(int argc, char **argv)
{
	struct check check = { 0 };
	struct arguments arguments = { .where.command = NAME, .check = &check };
	int status;

	read_arguments(argc, argv, &arguments);
	status = check_source(&arguments);
	check_free(&check);
	free(check.areas);
	return status;
}
