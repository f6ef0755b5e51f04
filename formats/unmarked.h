/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For formats whose hardware marks nothing: there are no accessed and no dirty bits in entries.
 * UNMARKED_FUNCTIONS are the members of struct iopt_format that say so.
 */
#ifndef FORMATS_UNMARKED_H
#define FORMATS_UNMARKED_H

#include "engine/format.h"

static inline uint64_t unmarked_leaf_hw(uint64_t entry)
{
	(void)entry;
	return 0;
}

static inline bool unmarked_never(uint64_t entry)
{
	(void)entry;
	return false;
}

static inline uint64_t unmarked_same(uint64_t entry)
{
	return entry;
}

/* clang-format off */
#define UNMARKED_FUNCTIONS \
	.leaf_hw = unmarked_leaf_hw, \
	.leaf_dirty = unmarked_never, \
	.leaf_accessed = unmarked_never, \
	.leaf_clean = unmarked_same, \
	.leaf_dirtied = unmarked_same, \
	.table_accessed = unmarked_never
/* clang-format on */

#endif
