/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt decode`: what each device behind an IOMMU can reach, from memory in a file. Arguments and
 * errors; memory is dump.c's, reading tables libiopt-decode's, showing mappings.c's.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/dump.h"
#include "tools/iopt/mappings.h"
#include "tools/iopt/output.h"
#include "tools/iopt/registers.h"

#define NAME "iopt decode"

enum {
	OPT_REGS = 256,
	OPT_ROOT,
	OPT_DEVICE_TABLE,
	OPT_STREAM_TABLE,
	OPT_DDT,
	OPT_BASE,
	OPT_LEAVES,
	OPT_DEVICE,
	OPT_IOVA,
	OPT_PA,
	OPT_ACCESSED,
	OPT_DIRTY
};

/**
 * struct arguments - of the command line
 * @path:  of the memory
 * @regs:  of the registers' file, or NULL
 * @root:  where tables begin was given
 * @raw:   --base was given
 */
struct arguments {
	const char *path;
	const char *regs;
	bool root;
	bool raw;
	uint64_t base;
	const char *output;
	struct iopt_decode_source source;
	struct mappings_wish wish;
};

static uint64_t parse_address(const char *option, const char *text)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (!isdigit((unsigned char)text[0]) || *end || errno)
		usage_error(NAME, "--%s: '%s' is no address, expected a number such as 0x46b7000",
			    option, text);
	return value;
}

/* "A" or "A-B", both ends included. */
static struct span parse_span(const char *option, const char *text)
{
	const char *dash = strchr(text, '-');
	char *first = dash ? strndup(text, (size_t)(dash - text)) : strdup(text);
	struct span span;

	if (!first)
		usage_error(NAME, "--%s: %s", option, strerror(errno));
	span.first = parse_address(option, first);
	span.last = dash ? parse_address(option, dash + 1) : span.first;
	free(first);
	if (span.first > span.last)
		usage_error(NAME, "--%s: '%s' ends before it begins", option, text);
	return span;
}

/* bus:device.function, hexadecimal, or a stream's number. */
static uint32_t parse_device(const char *text)
{
	unsigned bus, device, function;
	uint64_t number;
	int end = 0;

	if (!strncmp(text, "0x", 2)) {
		number = parse_address("device", text);
		if (number <= UINT32_MAX)
			return (uint32_t)number;
	}
	if (sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) != 3 || text[end] ||
	    device > 0x1f || function > 7)
		usage_error(NAME,
			    "--device: '%s' is no device, expected bus:device.function such as "
			    "00:1f.0",
			    text);
	return bus << 8 | device << 3 | function;
}

static void parse_output(struct arguments *arguments, const char *text)
{
	static const char *const forms[] = {
		[MAPPINGS_TREE] = "tree",
		[MAPPINGS_TSV] = "tsv",
		[MAPPINGS_JSON] = "json",
	};

	for (unsigned i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (!strcmp(text, forms[i])) {
			arguments->wish.form = (enum mappings_form)i;
			return;
		}
	usage_error(NAME, "--output: '%s', expected tree, tsv or json", text);
}

static void set_root(struct arguments *arguments, enum iopt_decode_unit unit, uint64_t root)
{
	if (arguments->root)
		usage_error(
			NAME,
			"--root, --device-table, --stream-table, --ddt: expected one of them, once");
	arguments->root = true;
	arguments->source.unit = unit;
	arguments->source.root = root;
}

/* Two registers, with a comma between. */
static void parse_two(struct arguments *arguments, enum iopt_decode_unit unit, const char *option,
		      const char *expected, const char *text)
{
	const char *comma = strchr(text, ',');
	char *base = comma ? strndup(text, (size_t)(comma - text)) : NULL;

	if (!base)
		usage_error(NAME, "--%s: '%s', expected %s", option, text, expected);
	set_root(arguments, unit, parse_address(option, base));
	arguments->source.config = parse_address(option, comma + 1);
	free(base);
}

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct mappings_wish *wish = &arguments->wish;

	switch (key) {
	case OPT_REGS: arguments->regs = arg; return 0;
	case OPT_ROOT: set_root(arguments, IOPT_DECODE_VTD, parse_address("root", arg)); return 0;
	case OPT_DEVICE_TABLE:
		set_root(arguments, IOPT_DECODE_AMD, parse_address("device-table", arg));
		return 0;
	case OPT_STREAM_TABLE:
		parse_two(arguments, IOPT_DECODE_SMMUV3, "stream-table",
			  "STRTAB_BASE,STRTAB_BASE_CFG", arg);
		return 0;
	case OPT_DDT:
		parse_two(arguments, IOPT_DECODE_RISCV, "ddt", "DDTP,CAPABILITIES", arg);
		return 0;
	case OPT_BASE:
		arguments->raw = true;
		arguments->base = parse_address("base", arg);
		return 0;
	case 'o': parse_output(arguments, arg); return 0;
	case OPT_LEAVES: wish->leaves = true; return 0;
	case OPT_DEVICE:
		wish->one = true;
		wish->id = parse_device(arg);
		return 0;
	case OPT_IOVA: wish->iova = parse_span("iova", arg); return 0;
	case OPT_PA:
		wish->by_pa = true;
		wish->pa = parse_span("pa", arg);
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
	{ NULL, 0, NULL, 0, "Where the tables begin:", 1 },
	{ "regs", OPT_REGS, "FILE", 0, "the unit's registers, a JSON object of hexadecimal strings",
	  1 },
	{ "root", OPT_ROOT, "VALUE", 0, "Intel: the register RTADDR", 1 },
	{ "device-table", OPT_DEVICE_TABLE, "VALUE", 0,
	  "AMD: the device table base address register", 1 },
	{ "stream-table", OPT_STREAM_TABLE, "BASE,CFG", 0,
	  "Arm: the registers STRTAB_BASE and STRTAB_BASE_CFG", 1 },
	{ "ddt", OPT_DDT, "DDTP,CAPS", 0, "RISC-V: the registers ddtp and capabilities", 1 },
	{ "base", OPT_BASE, "ADDRESS", 0,
	  "SOURCE is a raw image of memory that begins at this physical address", 1 },
	{ NULL, 0, NULL, 0, "What is of interest:", 2 },
	{ "device", OPT_DEVICE, "BUS:DEV.FN", 0, "only this device", 2 },
	{ "iova", OPT_IOVA, "A[-B]", 0, "only these addresses of a device's", 2 },
	{ "pa", OPT_PA, "A[-B]", 0,
	  "only what leads to this memory: who can reach it, and by which addresses", 2 },
	{ "accessed", OPT_ACCESSED, NULL, 0, "only leaves whose accessed bit is set", 2 },
	{ "dirty", OPT_DIRTY, NULL, 0, "only leaves that are dirty", 2 },
	{ NULL, 0, NULL, 0, "How it is shown:", 3 },
	{ "output", 'o', "FORM", 0,
	  "tree, for people; tsv: device, pasid, iova, pa, size, perm; json", 3 },
	{ "leaves", OPT_LEAVES, NULL, 0, "each leaf by itself, neighbours not put together", 3 },
	{ 0 },
};

static const struct argp argp = {
	options,
	parser,
	"SOURCE",
	"Show what each device behind an IOMMU can reach, from its tables in memory: an ELF core, "
	"a kdump file or a raw image, plain, gzip or zstd; \"-\": standard input. Intel VT-d, "
	"AMD v1, Arm SMMUv3 and RISC-V.\v"
	"Exit status: 0 if all could be read and nothing in it is wrong, 1 if not, 2 for the "
	"command line.",
	NULL,
	NULL,
	NULL,
};

static void read_arguments(int argc, char **argv, struct arguments *arguments)
{
	parse_arguments(&argp, argc, argv, 0, NULL, arguments);
	if (!arguments->path)
		usage_error(NAME, "no SOURCE, expected a dump of memory");
	if (arguments->regs && arguments->root)
		usage_error(
			NAME,
			"--regs and --root, --device-table, --stream-table or --ddt: expected one "
			"of them");
	if (!arguments->regs && !arguments->root)
		usage_error(NAME, "where do the tables begin? Expected --regs, --root (Intel), "
				  "--device-table (AMD), --stream-table (Arm) or --ddt (RISC-V)");
	if (arguments->base % 4096)
		usage_error(NAME, "--base: expected a multiple of 4096");
}

int command_decode(int argc, char **argv)
{
	struct arguments arguments = { .wish = { .iova = { 0, ~0ull }, .pa = { 0, ~0ull } } };
	char error[DUMP_ERROR_BYTES];
	uint64_t troubles = 0;
	bool off = false, shown;
	struct dump *dump;

	read_arguments(argc, argv, &arguments);
	if (arguments.regs && !registers_read(arguments.regs, &arguments.source, &off))
		return EXIT_CONTENT;
	dump = dump_open(arguments.path, arguments.raw, arguments.base, error);
	if (!dump)
		return content_error("%s: %s", arguments.path, error);
	if (off)
		fprintf(stderr,
			"iopt: %s: the unit does not translate: all devices reach all memory\n",
			arguments.regs);
	arguments.source.read = dump_read;
	arguments.source.ctx = dump;
	shown = mappings_show(&arguments.source, &arguments.wish, stdout, &troubles);
	dump_close(dump);
	if (!shown)
		return content_error("%s: %s", arguments.path, strerror(ENOMEM));
	if (fflush(stdout) || ferror(stdout))
		return content_error("standard output: %s", strerror(errno));
	if (troubles)
		return content_error("%s: %llu wrong or missing", arguments.path,
				     (unsigned long long)troubles);
	return EXIT_OKAY;
}
