/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A running machine's memory and registers, from QEMU over QMP (qmp.c). It is paused meanwhile, and
 * goes on when this ends, however it ends but by SIGKILL.
 */
#ifndef TOOLS_IOPT_MACHINE_H
#define TOOLS_IOPT_MACHINE_H

#include "tools/iopt/dump.h"
#include "tools/iopt/units.h"

struct machine;

/**
 * machine_open() - connect, and pause it if it runs
 * @path:  of QEMU's QMP socket
 * @stop:  false: it may go on
 * @error: filled in if this fails: one line without the path
 *
 * One at a time. From the first one on, a thread takes SIGHUP, SIGINT, SIGQUIT and SIGTERM, to end
 * the pause before the program.
 *
 * Return: the machine; NULL on an error.
 */
struct machine *machine_open(const char *path, bool stop, char error[DUMP_ERROR_BYTES]);

/**
 * machine_close() - let it go on if it did before, and forget it
 *
 * Return: false if it stays paused although it should not, which was told.
 */
bool machine_close(struct machine *machine);

/** machine_read() - dump_read(), of RAM only: reading a device's registers could change them */
bool machine_read(struct machine *machine, uint64_t pa, void *to, size_t bytes);

/**
 * machine_load() - read a register
 * @machine: the machine
 * @pa:      its address
 * @bytes:   4 or 8, read at once
 * @value:   set
 *
 * Return: whether there is something at this address.
 */
bool machine_load(struct machine *machine, uint64_t pa, unsigned bytes, uint64_t *value);

/** machine_units() - the IOMMUs that QEMU has in the address space of the processors */
void machine_units(const struct machine *machine, struct units *units);

/** machine_error() - why reading failed although there is memory; NULL: it did not */
const char *machine_error(const struct machine *machine);

#endif
