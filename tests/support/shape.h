/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a format's tables are like, for tests that choose addresses by it.
 */
#ifndef TESTS_SHAPE_H
#define TESTS_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "iopt/iopt.h"

/*
 * Whether the addresses of most tests are written for such a format: granules of 4 KiB, 512 entries
 * a table, leaves of 2 MiB and 1 GiB, dirty bits, four levels unless others are asked for. The
 * model, what tests/adversary runs for any shape and tests/unit/test_shapes.c go through every
 * format, and take their addresses from its description.
 */
static inline bool is_usual(const struct iopt_format_info *info)
{
	const uint64_t leaves = 1ull << 12 | 1ull << 21 | 1ull << 30;

	return (info->abilities & IOPT_CAN_TRACK_DIRTY) && info->granule_lg2 == 12 &&
	       info->index_lg2 == 9 && info->entry_lg2 == 3 &&
	       (info->page_sizes & leaves) == leaves && info->min_levels <= 4 &&
	       info->max_levels >= 4;
}

/* What an entry of a table of that level translates, lg2. */
static inline unsigned span_lg2(const struct iopt_format_info *info, unsigned level)
{
	return info->granule_lg2 + level * info->index_lg2;
}

/* IOVA bits of a domain with so many levels that asks for no others. */
static inline unsigned width_of(const struct iopt_format_info *info, unsigned levels)
{
	unsigned bits = span_lg2(info, levels) + info->top_lg2;
	unsigned most = info->iova_lg2 ? info->iova_lg2 : 64;

	return bits < most ? bits : most;
}

/* IOVAs below that are translated by a domain of that width and its sign-extending kin alike. */
static inline uint64_t space_of(const struct iopt_format_info *info, unsigned levels)
{
	return 1ull << (width_of(info, levels) - 1);
}

#endif
