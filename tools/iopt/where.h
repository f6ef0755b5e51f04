/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where an IOMMU's tables begin, for the subcommands that read memory, of dumps and of running
 * machines: their common options, and opening what these name.
 */
#ifndef TOOLS_IOPT_WHERE_H
#define TOOLS_IOPT_WHERE_H

#include <argp.h>

#include <iopt/decode.h>

#include "tools/iopt/dump.h"
#include "tools/iopt/mappings.h"

#define WHERE_SOURCES 2u

/**
 * struct where - of the command line
 * @command: in errors, "iopt decode"
 * @regs:    files of registers, one for all sources or one for each
 * @nr_regs: how many
 * @root:    given by an option instead, and is in @source
 * @raw:     sources are raw images from @base on
 * @qmp:     sockets of running machines, sources behind the files
 * @nr_qmp:  how many
 * @first_qmp: number of the first such source; where_add_live() says
 * @no_pause: these go on meanwhile
 * @chosen:  of several units the one at @unit
 * @acpi:    units are to be found by ACPI, and shown
 * @has_rsdp: its tables begin at @rsdp
 */
struct where {
	const char *command;
	const char *regs[WHERE_SOURCES];
	unsigned nr_regs;
	bool root;
	bool raw;
	uint64_t base;
	const char *qmp[WHERE_SOURCES];
	unsigned nr_qmp;
	unsigned first_qmp;
	bool no_pause;
	bool chosen;
	uint64_t unit;
	bool acpi;
	bool has_rsdp;
	uint64_t rsdp;
	struct iopt_decode_source source;
};

/* The options, as the children of a subcommand's; their input is a struct where. */
extern const struct argp_child where_children[];

/** where_address() - a number that an option has; a usage error ends the program */
uint64_t where_address(const struct where *where, const char *option, const char *text);

/** where_span() - likewise, "A" or "A-B", both ends included */
struct span where_span(const struct where *where, const char *option, const char *text);

/** where_device() - likewise, a device: bus:device.function, hexadecimal, or a stream's number */
uint32_t where_device(const struct where *where, const char *option, const char *text);

/**
 * where_add_live() - put running machines behind the files that were named
 * @where:   of the command line
 * @paths:   of the sources, NULL those that were not named; filled up with sockets
 * @sources: how many there may be
 *
 * A usage error ends the program.
 */
void where_add_live(struct where *where, const char **paths, unsigned sources);

/** where_check() - are the options enough for so many sources? A usage error ends the program */
void where_check(const struct where *where, unsigned sources);

/**
 * where_open() - open a source
 * @where:  of the command line, checked
 * @number: of the source, 0 and up
 * @path:   of it
 * @source: filled in, for libiopt-decode
 * @off:    set to whether its registers say that the unit does not translate; may be NULL
 *
 * If no option says where the tables begin, the unit is looked for. A running machine is paused
 * until dump_close(): whoever waits for somebody to read what it prints should print it later.
 *
 * Return: the memory, for dump_close(); NULL if it can't be had, which was told.
 */
struct dump *where_open(const struct where *where, unsigned number, const char *path,
			struct iopt_decode_source *source, bool *off);

/**
 * where_take_one() - both of that, for a command of one source, which has to be named
 * @path: of the file, NULL: none was named; set to the socket then
 */
void where_take_one(struct where *where, const char **path);

/** where_is_live() - whether a source is a running machine; where_add_live() was called */
bool where_is_live(const struct where *where, unsigned number);

#endif
