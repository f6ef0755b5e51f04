/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See where.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/acpi.h"
#include "tools/iopt/command.h"
#include "tools/iopt/registers.h"
#include "tools/iopt/units.h"
#include "tools/iopt/where.h"

enum {
	OPT_REGS = 512,
	OPT_ROOT,
	OPT_DEVICE_TABLE,
	OPT_STREAM_TABLE,
	OPT_DDT,
	OPT_BASE,
	OPT_QMP,
	OPT_NO_PAUSE,
	OPT_UNIT,
	OPT_ACPI,
};

uint64_t where_address(const struct where *where, const char *option, const char *text)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (!isdigit((unsigned char)text[0]) || *end || errno)
		usage_error(where->command,
			    "--%s: '%s' is no address, expected a number such as 0x46b7000", option,
			    text);
	return value;
}

struct span where_span(const struct where *where, const char *option, const char *text)
{
	const char *dash = strchr(text, '-');
	char *first = dash ? strndup(text, (size_t)(dash - text)) : strdup(text);
	struct span span;

	if (!first)
		usage_error(where->command, "--%s: %s", option, strerror(errno));
	span.first = where_address(where, option, first);
	span.last = dash ? where_address(where, option, dash + 1) : span.first;
	free(first);
	if (span.first > span.last)
		usage_error(where->command, "--%s: '%s' ends before it begins", option, text);
	return span;
}

uint32_t where_device(const struct where *where, const char *option, const char *text)
{
	unsigned bus, device, function;
	uint64_t number;
	int end = 0;

	if (!strncmp(text, "0x", 2)) {
		number = where_address(where, option, text);
		if (number <= UINT32_MAX)
			return (uint32_t)number;
	}
	/* sscanf() would take signs and spaces. */
	if (text[strspn(text, "0123456789abcdefABCDEF:.")] ||
	    sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) != 3 || text[end] ||
	    device > 0x1f || function > 7)
		usage_error(where->command,
			    "--%s: '%s' is no device, expected bus:device.function such as "
			    "00:1f.0",
			    option, text);
	return bus << 8 | device << 3 | function;
}

static void set_root(struct where *where, enum iopt_decode_unit unit, uint64_t root)
{
	if (where->root)
		usage_error(where->command,
			    "--root, --device-table, --stream-table, --ddt: expected one of them, "
			    "once");
	where->root = true;
	where->source.unit = unit;
	where->source.root = root;
}

/* Two registers, with a comma between. */
static void parse_two(struct where *where, enum iopt_decode_unit unit, const char *option,
		      const char *expected, const char *text)
{
	const char *comma = strchr(text, ',');
	char *base = comma ? strndup(text, (size_t)(comma - text)) : NULL;

	if (!base)
		usage_error(where->command, "--%s: '%s', expected %s", option, text, expected);
	set_root(where, unit, where_address(where, option, base));
	where->source.config = where_address(where, option, comma + 1);
	free(base);
}

static void add_regs(struct where *where, const char *path)
{
	if (where->nr_regs == WHERE_SOURCES)
		usage_error(where->command, "--regs: one file too many: '%s'", path);
	where->regs[where->nr_regs++] = path;
}

static void add_qmp(struct where *where, const char *path)
{
	if (where->nr_qmp == WHERE_SOURCES)
		usage_error(where->command, "--qmp: one socket too many: '%s'", path);
	where->qmp[where->nr_qmp++] = path;
}

static void set_acpi(struct where *where, const char *text)
{
	where->acpi = true;
	where->has_rsdp = text;
	if (text)
		where->rsdp = where_address(where, "acpi", text);
}

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct where *where = state->input;

	switch (key) {
	case OPT_REGS: add_regs(where, arg); return 0;
	case OPT_ROOT:
		set_root(where, IOPT_DECODE_VTD, where_address(where, "root", arg));
		return 0;
	case OPT_DEVICE_TABLE:
		if (strchr(arg, ','))
			parse_two(where, IOPT_DECODE_AMD, "device-table", "DEVTAB,CONTROL", arg);
		else
			set_root(where, IOPT_DECODE_AMD, where_address(where, "device-table", arg));
		return 0;
	case OPT_STREAM_TABLE:
		parse_two(where, IOPT_DECODE_SMMUV3, "stream-table", "STRTAB_BASE,STRTAB_BASE_CFG",
			  arg);
		return 0;
	case OPT_DDT:
		parse_two(where, IOPT_DECODE_RISCV, "ddt", "DDTP,CAPABILITIES", arg);
		return 0;
	case OPT_BASE:
		where->raw = true;
		where->base = where_address(where, "base", arg);
		return 0;
	case OPT_QMP: add_qmp(where, arg); return 0;
	case OPT_NO_PAUSE: where->no_pause = true; return 0;
	case OPT_UNIT:
		where->chosen = true;
		where->unit = where_address(where, "unit", arg);
		return 0;
	case OPT_ACPI: set_acpi(where, arg); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "regs", OPT_REGS, "FILE", 0,
	  "the unit's registers, a JSON object of hexadecimal strings; of two sources one for "
	  "both, or twice",
	  0 },
	{ "root", OPT_ROOT, "VALUE", 0, "Intel: the register RTADDR", 0 },
	{ "device-table", OPT_DEVICE_TABLE, "BASE[,CONTROL]", 0,
	  "AMD: the device table base address register", 0 },
	{ "stream-table", OPT_STREAM_TABLE, "BASE,CFG", 0,
	  "Arm: the registers STRTAB_BASE and STRTAB_BASE_CFG", 0 },
	{ "ddt", OPT_DDT, "DDTP,CAPS", 0, "RISC-V: the registers ddtp and capabilities", 0 },
	{ "base", OPT_BASE, "ADDRESS", 0,
	  "SOURCE is a raw image of memory that begins at this physical address", 0 },
	{ "qmp", OPT_QMP, "SOCKET", 0,
	  "a running QEMU instead of a SOURCE: it is paused, read, and goes on", 0 },
	{ "no-pause", OPT_NO_PAUSE, NULL, 0, "it goes on meanwhile", 0 },
	{ "unit", OPT_UNIT, "ADDRESS", 0,
	  "of several units that are found the one whose registers are here", 0 },
	{ "acpi", OPT_ACPI, "RSDP", OPTION_ARG_OPTIONAL,
	  "look for units in ACPI tables, and show which there are; RSDP: where these begin, of "
	  "a machine with UEFI",
	  0 },
	{ 0 },
};

static const struct argp argp = { options, parser, NULL, NULL, NULL, NULL, NULL };

const struct argp_child where_children[] = {
	{ &argp, 0, "Where the tables begin:", 1 },
	{ 0 },
};

void where_add_live(struct where *where, const char **paths, unsigned sources)
{
	unsigned files = 0;

	while (files < sources && paths[files])
		files++;
	if (where->nr_qmp > sources - files)
		usage_error(where->command, "--qmp: one source too many: '%s'",
			    where->qmp[sources - files]);
	if (where->raw && where->nr_qmp && !files)
		usage_error(where->command, "--base: expected a SOURCE that is a file");
	if (where->no_pause && !where->nr_qmp)
		usage_error(where->command, "--no-pause: expected --qmp, too");
	where->first_qmp = files;
	for (unsigned i = 0; i < where->nr_qmp; i++)
		paths[files + i] = where->qmp[i];
}

bool where_is_live(const struct where *where, unsigned number)
{
	return where->nr_qmp && number >= where->first_qmp;
}

void where_check(const struct where *where, unsigned sources)
{
	const bool given = where->nr_regs || where->root;

	if (where->nr_regs && where->root)
		usage_error(where->command,
			    "--regs and --root, --device-table, --stream-table or --ddt: expected "
			    "one of them");
	if (given && (where->acpi || where->chosen))
		usage_error(where->command,
			    "--%s: expected no --regs, --root, --device-table, --stream-table or "
			    "--ddt beside",
			    where->acpi ? "acpi" : "unit");
	if (where->nr_regs > sources)
		usage_error(where->command, "--regs: one file too many: '%s'",
			    where->regs[where->nr_regs - 1]);
	if (where->base % 4096)
		usage_error(where->command, "--base: expected a multiple of 4096");
}

void where_take_one(struct where *where, const char **path)
{
	where_add_live(where, path, 1);
	if (!*path)
		usage_error(where->command, "no SOURCE, expected a dump of memory, or --qmp");
	where_check(where, 1);
}

/* ---- units that are looked for ------------------------------------------------------------- */

static void tell_off(const char *path)
{
	fprintf(stderr, "iopt: %s: the unit does not translate: all devices reach all memory\n",
		path);
}

/* QEMU says which there are; else what firmware wrote does. */
static bool find_units(const struct where *where, struct dump *dump, const char *path,
		       struct units *units)
{
	char why[ACPI_WHY_BYTES] = "";

	if (!where->acpi)
		dump_units(dump, units);
	if (!units->nr)
		acpi_find(dump_read, dump, where->has_rsdp ? &where->rsdp : NULL, units, why);
	if (where->acpi)
		units_print(units, path);
	if (!units->nr && !dump_is_broken(dump))
		content_error("%s: where do the tables begin? %s; expected --regs, --root "
			      "(Intel), --device-table (AMD), --stream-table (Arm) or --ddt "
			      "(RISC-V)",
			      path, why);
	return units->nr;
}

static bool read_registers(struct dump *dump, const struct unit *unit, const char *path,
			   struct iopt_decode_source *source, bool *off)
{
	char option[REGISTERS_OPTION_BYTES];

	if (registers_load(dump_load, dump, unit->kind, unit->base, source, off))
		return true;
	if (!dump_is_broken(dump))
		content_error("%s: %s: a %s at 0x%llx, whose registers are not in it: expected "
			      "%s or --regs",
			      path, unit->found, registers_kind_text(unit->kind),
			      (unsigned long long)unit->base,
			      registers_option(unit->kind, unit->base, option));
	return false;
}

/* By the registers of a unit that was found. */
static bool find_tables(const struct where *where, struct dump *dump, const char *path,
			struct iopt_decode_source *source, bool *off)
{
	struct units units = { .nr = 0 };
	const struct unit *unit;

	if (!find_units(where, dump, path, &units))
		return false;
	unit = units_choose(&units, where->chosen ? &where->unit : NULL, path);
	if (!unit || !read_registers(dump, unit, path, source, off))
		return false;
	if (*off && !source->root) {
		content_error("%s: the unit at 0x%llx does not translate and never did: it has no "
			      "tables",
			      path, (unsigned long long)unit->base);
		return false;
	}
	if (*off)
		tell_off(path);
	return true;
}

/* Tables of one architecture's unit are nothing but numbers in another one's memory. */
static bool fits_machine(const struct dump *dump, const char *path, enum iopt_decode_unit unit)
{
	static const char *const machines[][2] = {
		[IOPT_DECODE_VTD] = { "x86_64", "i686" },
		[IOPT_DECODE_AMD] = { "x86_64", "i686" },
		[IOPT_DECODE_SMMUV3] = { "aarch64" },
		[IOPT_DECODE_RISCV] = { "riscv64" },
	};
	char text[DUMP_MACHINE_BYTES];
	const char *machine = dump_machine(dump, text);

	if (!machine)
		return true;
	for (unsigned i = 0; i < 2 && machines[unit][i]; i++)
		if (!strcmp(machine, machines[unit][i]))
			return true;
	content_error("%s: memory of %s, expected %s: the unit is %s", path, machine,
		      machines[unit][0], registers_kind_text(unit));
	return false;
}

static struct dump *open_source(const struct where *where, unsigned number, const char *path)
{
	char error[DUMP_ERROR_BYTES];
	struct dump *dump = where_is_live(where, number)
				    ? dump_open_live(path, !where->no_pause, error)
				    : dump_open(path, where->raw, where->base, error);

	if (!dump)
		content_error("%s: %s", path, error);
	return dump;
}

struct dump *where_open(const struct where *where, unsigned number, const char *path,
			struct iopt_decode_source *source, bool *off)
{
	const char *regs = where->nr_regs ? where->regs[number < where->nr_regs ? number : 0]
					  : NULL;
	bool is_off = false;
	struct dump *dump;

	off = off ? off : &is_off;
	*off = false;
	*source = where->source;
	if (regs && !registers_read(regs, source, off))
		return NULL;
	dump = open_source(where, number, path);
	if (!dump)
		return NULL;
	if (*off)
		tell_off(regs);
	source->read = dump_read;
	source->ctx = dump;
	if (dump_is_cut(dump))
		fprintf(stderr, "iopt: %s: the file ends before its segments do: it was cut off\n",
			path);
	if ((regs || where->root || find_tables(where, dump, path, source, off)) &&
	    fits_machine(dump, path, source->unit))
		return dump;
	dump_close(dump);
	return NULL;
}
