/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Physical memory in a file: an ELF core (QEMU's dump-guest-memory, a vmcore), a kdump-compressed
 * file, or a raw image (QEMU's pmemsave); plain, gzip or zstd. Or of a running machine, which is
 * machine.c's. kdump files are libkdumpfile's, ELF cores, too, but for their memory: elf_core.c.
 */
#ifndef TOOLS_IOPT_DUMP_H
#define TOOLS_IOPT_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dump;
struct units;

#define DUMP_ERROR_BYTES 320

/**
 * dump_open() - open one
 * @path:  of the file; "-": standard input
 * @raw:   it is a raw image
 * @base:  of a raw image: the physical address of its first byte, a multiple of 4096
 * @error: filled in if this fails: one line without the path
 *
 * What is compressed, or no file that can be read anywhere, is copied into a temporary file first,
 * in which pages of zeros take no room.
 *
 * Return: the dump; NULL on an error.
 */
struct dump *dump_open(const char *path, bool raw, uint64_t base, char error[DUMP_ERROR_BYTES]);

/**
 * dump_read() - read memory
 * @ctx:   the dump
 * @pa:    physical address
 * @to:    filled in
 * @bytes: how many, in one page of 4 KiB
 *
 * Return: whether the file has them.
 */
bool dump_read(void *ctx, uint64_t pa, void *to, size_t bytes);

/**
 * dump_has() - is memory there? Cheaper than reading it
 * @dump:  the dump
 * @first: physical address
 * @last:  the last one
 *
 * Return: whether the file has all of it. Where it can't tell for all, whether it has both ends.
 */
bool dump_has(struct dump *dump, uint64_t first, uint64_t last);

/** dump_is_cut() - whether an ELF core was cut off: its segments go on behind the file's end */
bool dump_is_cut(const struct dump *dump);

#define DUMP_MACHINE_BYTES 32

/**
 * dump_machine() - whose memory is it?
 * @dump: the dump
 * @text: for the name
 *
 * Return: its architecture, as uname(2) has it, "x86_64"; or "machine 20", by ELF's number;
 * NULL: the file does not say.
 */
const char *dump_machine(const struct dump *dump, char text[DUMP_MACHINE_BYTES]);

/** dump_vmcoreinfo() - the note that a Linux kernel leaves, for free(); NULL: there is none */
char *dump_vmcoreinfo(struct dump *dump);

/**
 * dump_open_live() - memory of a running machine
 * @path:  of QEMU's QMP socket
 * @stop:  pause it until dump_close()
 * @error: filled in if this fails: one line without the path
 *
 * Return: the dump; NULL on an error.
 */
struct dump *dump_open_live(const char *path, bool stop, char error[DUMP_ERROR_BYTES]);

/**
 * dump_load() - read a register of a device
 * @ctx:   the dump
 * @pa:    physical address
 * @bytes: 4 or 8
 * @value: set
 *
 * Return: whether it is there. In files few are.
 */
bool dump_load(void *ctx, uint64_t pa, unsigned bytes, uint64_t *value);

/** dump_units() - the IOMMUs that a running machine's QEMU says it has; in a file none */
void dump_units(const struct dump *dump, struct units *units);

/** dump_is_broken() - whether a running machine could not be read any more: dump_close() tells */
bool dump_is_broken(const struct dump *dump);

/**
 * dump_close() - NULL is allowed
 *
 * Return: false if a running machine could not be read any more, or stays paused, which was told.
 */
bool dump_close(struct dump *dump);

#endif
