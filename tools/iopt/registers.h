/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An IOMMU's registers: those that say where its tables begin. In a file: a JSON object of names
 * and hexadecimal strings, for each unit those that its driver knows them by (Intel: RTADDR, GSTS;
 * AMD: DEVTAB, CONTROL; Arm: STRTAB_BASE, STRTAB_BASE_CFG, CR0; RISC-V: DDTP, CAPABILITIES). Or
 * where the unit has them.
 */
#ifndef TOOLS_IOPT_REGISTERS_H
#define TOOLS_IOPT_REGISTERS_H

#include <iopt/decode.h>

/**
 * registers_read() - read such a file
 * @path:   of it
 * @source: unit and root are set
 * @off:    set to whether the unit does not translate
 *
 * Return: whether it worked; if not, the error was told.
 */
bool registers_read(const char *path, struct iopt_decode_source *source, bool *off);

/**
 * registers_load() - read them from the unit
 * @load:   reads one: its address, 4 or 8 bytes, the value; false if there is nothing
 * @ctx:    for @load
 * @kind:   of the unit
 * @base:   where its registers are
 * @source: unit and root are set
 * @off:    set to whether the unit does not translate
 *
 * Return: whether they are there.
 */
bool registers_load(bool (*load)(void *ctx, uint64_t pa, unsigned bytes, uint64_t *value),
		    void *ctx, enum iopt_decode_unit kind, uint64_t base,
		    struct iopt_decode_source *source, bool *off);

/** registers_kind_text() - "VT-d" */
const char *registers_kind_text(enum iopt_decode_unit kind);

/**
 * registers_kind_of() - whose registers are in a region of QEMU's
 * @region: its name
 * @kind:   set
 *
 * Return: whether it is one.
 */
bool registers_kind_of(const char *region, enum iopt_decode_unit *kind);

/** registers_option() - what names the first register of a unit instead, "--root (RTADDR at 0x...)"
 * @kind: of the unit
 * @base: where its registers are
 * @text: filled in
 *
 * Return: @text.
 */
#define REGISTERS_OPTION_BYTES 128
const char *registers_option(enum iopt_decode_unit kind, uint64_t base,
			     char text[REGISTERS_OPTION_BYTES]);

#endif
