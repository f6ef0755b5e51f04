/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where memory lies in an ELF core, so that it can be read with a call each. libkdumpfile maps such
 * files: what a fault reads around a table is mostly in vain, and reading without mapping takes it
 * several times as long. What is said of the machine beside its memory stays libkdumpfile's.
 */
#ifndef TOOLS_IOPT_ELF_CORE_H
#define TOOLS_IOPT_ELF_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct elf_segment - memory from @pa on, of @bytes, at @offset of the file */
struct elf_segment {
	uint64_t pa;
	uint64_t bytes;
	uint64_t offset;
};

/**
 * elf_segments() - find them
 * @fd: of the file
 * @nr: set to how many there are
 *
 * Return: ascending ones that do not overlap, for free(); NULL where there are none, or the file is
 * of another kind.
 */
struct elf_segment *elf_segments(int fd, size_t *nr);

/**
 * elf_read() - read memory
 * @fd:       of the file
 * @segments: of it, @nr of them
 * @pa:       physical address
 * @to:       filled in
 * @bytes:    how many
 *
 * Return: false where one segment does not have all of it.
 */
bool elf_read(int fd, const struct elf_segment *segments, size_t nr, uint64_t pa, void *to,
	      size_t bytes);

#endif
