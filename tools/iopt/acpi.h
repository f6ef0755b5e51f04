/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* IOMMUs by a machine's ACPI tables, which firmware left in its memory: DMAR, IVRS, IORT, RIMT. */
#ifndef TOOLS_IOPT_ACPI_H
#define TOOLS_IOPT_ACPI_H

#include "tools/iopt/units.h"

#define ACPI_WHY_BYTES 160

/**
 * acpi_find() - find a machine's IOMMUs
 * @read:  as iopt_decode_source::read
 * @ctx:   for @read
 * @rsdp:  where the tables begin, or NULL: wherever a BIOS puts that; UEFI does not put it there
 * @units: found ones are added
 * @why:   set to why there is none, if so: one line
 *
 * Memory may hold anything.
 */
void acpi_find(bool (*read)(void *ctx, uint64_t pa, void *to, size_t bytes), void *ctx,
	       const uint64_t *rsdp, struct units *units, char why[ACPI_WHY_BYTES]);

#endif
