/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A second stage, asked address by address: where do a first stage's tables and leaves lie? It is
 * not told of as such; iopt_decode_tables() does that where it is the only stage.
 */
#ifndef DECODE_SECOND_H
#define DECODE_SECOND_H

#include "decode/internal.h"

/**
 * struct piece - what a second stage makes of neighbouring addresses
 * @first:  first address before it
 * @last:   last one
 * @mapped: it leads somewhere
 * @pa:     physical address of @first
 * @prot:   IOPT_READ and so on
 * @lg2:    log2 of the leaf's bytes
 * @accessed: the entry says so
 * @dirty:  the entry says so
 */
struct piece {
	uint64_t first;
	uint64_t last;
	bool mapped;
	uint64_t pa;
	uint8_t prot;
	uint8_t lg2;
	bool accessed;
	bool dirty;
};

/**
 * second_make() - by a device's iopt_decode_device::format and ::hw
 * Return: 0, -ENOMEM, -EINVAL: no such format, -ERANGE: hardware would not take this root.
 */
int second_make(struct second **second, const struct iopt_decode_device *device);

/* NULL is allowed. */
void second_free(struct second *second);

/**
 * second_find() - look an address up
 *
 * The tables of the last look-up are at hand: looking up address after address reads each once.
 * What is wrong on the way is told, as of the second stage's own addresses.
 */
struct piece second_find(struct reading *reading, struct second *second, uint64_t address);

#endif
