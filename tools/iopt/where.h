/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where an IOMMU's tables begin, for the subcommands that read dumps: their common options, and
 * opening what these name.
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
 */
struct where {
	const char *command;
	const char *regs[WHERE_SOURCES];
	unsigned nr_regs;
	bool root;
	bool raw;
	uint64_t base;
	struct iopt_decode_source source;
};

/* The options, as the children of a subcommand's; their input is a struct where. */
extern const struct argp_child where_children[];

/** where_address() - a number that an option has; a usage error ends the program */
uint64_t where_address(const struct where *where, const char *option, const char *text);

/** where_span() - likewise, "A" or "A-B", both ends included */
struct span where_span(const struct where *where, const char *option, const char *text);

/** where_check() - are the options enough for so many sources? A usage error ends the program */
void where_check(const struct where *where, unsigned sources);

/**
 * where_open() - open a source
 * @where:  of the command line, checked
 * @number: of the source, 0 and up
 * @path:   of it
 * @source: filled in, for libiopt-decode
 *
 * Return: the memory, for dump_close(); NULL if it can't be had, which was told.
 */
struct dump *where_open(const struct where *where, unsigned number, const char *path,
			struct iopt_decode_source *source);

#endif
