/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Whether devices have the same tables: `iopt decode' shows these once, `iopt check' goes through
 * them once.
 */
#ifndef TOOLS_IOPT_SAME_H
#define TOOLS_IOPT_SAME_H

#include <stdbool.h>
#include <stdint.h>

#include <iopt/decode.h>

/**
 * same_tables() - the same roots of the same formats, in both stages
 * What their leaves say may differ, for one by what each device's own entry grants. Devices that
 * pass through have the same, none.
 */
bool same_tables(const struct iopt_decode_device *a, const struct iopt_decode_device *b);

/** same_leaves() - the same, and the leaves say the same: all is equal that a walk asks for */
bool same_leaves(const struct iopt_decode_device *a, const struct iopt_decode_device *b);

/* Of an entry, that hardware sets them: marks_set(). */
#define MARK_ACCESSED 1u
#define MARK_DIRTY    2u

/** marks_set() - which marks hardware sets in the entries of tables that were told to it so */
unsigned marks_set(const char *format, const struct iopt_hw *hw);

/** same_key() - a hash, less than UINT64_MAX; that of devices with the same leaves is the same */
uint64_t same_key(const struct iopt_decode_device *device);

#endif
