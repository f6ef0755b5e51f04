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

/** enum elf_found - what became of reading */
enum elf_found {
	ELF_READ,
	ELF_NOWHERE, /* segments do not have all of it */
	ELF_LOST,    /* they do, but the file ends before it, or can't be read there */
};

/**
 * elf_machine() - whose core it is
 * @fd:	     of the file
 * @machine: set to e_machine, EM_X86_64 and so on
 *
 * Return: whether the file is an ELF file of 64 bits and little endianness.
 */
bool elf_machine(int fd, unsigned *machine);

/**
 * elf_segments() - find them
 * @fd:  of the file
 * @nr:  set to how many there are
 * @end: set to where in the file the last byte of them ends, overlapping or not; 0: there are none
 *
 * Return: ascending ones that do not overlap, for free(); NULL where there are none, or the file is
 * of another kind.
 */
struct elf_segment *elf_segments(int fd, size_t *nr, uint64_t *end);

/**
 * elf_read() - read memory
 * @fd:       of the file
 * @segments: of it, @nr of them
 * @pa:       physical address
 * @to:       filled in, if all of it can be read
 * @bytes:    how many
 *
 * Return: what became of it.
 */
enum elf_found elf_read(int fd, const struct elf_segment *segments, size_t nr, uint64_t pa,
			void *to, size_t bytes);

#endif
