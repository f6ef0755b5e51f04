/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * IOMMUs that were found in a machine, and the choice of one of them. Who finds them: acpi.c, and
 * machine.c of a running one.
 */
#ifndef TOOLS_IOPT_UNITS_H
#define TOOLS_IOPT_UNITS_H

#include <stdbool.h>
#include <stdio.h>

#include <iopt/decode.h>

#define UNITS_MAX	 64u
#define UNIT_SCOPE_BYTES 96

/**
 * struct unit - an IOMMU
 * @kind:  whose
 * @base:  physical address of its registers
 * @found: by what, "DMAR"
 * @scope: what is known of its devices, "segment 0"; may be empty
 */
struct unit {
	enum iopt_decode_unit kind;
	uint64_t base;
	const char *found;
	char scope[UNIT_SCOPE_BYTES];
};

/** struct units - @nr of them */
struct units {
	struct unit of[UNITS_MAX];
	unsigned nr;
};

/** units_add() - one more, but each address once, and no more than there is room for */
void units_add(struct units *units, const struct unit *unit);

/**
 * units_choose() - the one that is meant
 * @units: found
 * @base:  its address, or NULL: the only one
 * @path:  of the source, for errors
 *
 * Return: it; NULL if there is none or the choice is open, which was told.
 */
const struct unit *units_choose(const struct units *units, const uint64_t *base, const char *path);

/** units_print() - a line for each, on standard error */
void units_print(const struct units *units, const char *path);

#endif
