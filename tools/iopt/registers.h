/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An IOMMU's registers in a file: a JSON object of names and hexadecimal strings, for each unit
 * those that its driver knows them by (Intel: RTADDR, GSTS; AMD: DEVTAB, CONTROL; Arm: STRTAB_BASE,
 * STRTAB_BASE_CFG, CR0; RISC-V: DDTP, CAPABILITIES).
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

#endif
