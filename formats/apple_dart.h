/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Apple DART 1 with pages of 16 KiB: see apple_dart_common.h, which has the bits and their sources.
 */
#ifndef FORMATS_APPLE_DART_H
#define FORMATS_APPLE_DART_H

#include "formats/apple_dart_common.h"

#define APPLE_DART_PAGE_LG2 14u

static inline unsigned apple_dart_leaf_lg2(uint64_t entry, unsigned level)
{
	(void)entry;
	(void)level;
	return APPLE_DART_PAGE_LG2;
}

static inline uint64_t apple_dart_leaf_pa(uint64_t entry, unsigned level)
{
	(void)level;
	return apple_dart1_pa(entry) & ~((1ull << APPLE_DART_PAGE_LG2) - 1);
}

static inline void apple_dart_hw(uint64_t root, const struct iopt_geometry *geometry,
				 uint32_t config_flags, struct iopt_hw *hw)
{
	(void)config_flags;
	apple_dart_ttbrs(root, geometry, APPLE_DART_PAGE_LG2, hw);
}

static const struct iopt_format apple_dart_format = {
	.info = {
		.name = "apple-dart",
		.title = "Apple DART 1, 16K pages",
		.abilities = IOPT_CAN_WRITE_ONLY,
		.page_sizes = 1ull << 14,
		.min_levels = 2,
		.max_levels = 2,
		.default_levels = 2,
		.granule_lg2 = APPLE_DART_PAGE_LG2,
		.index_lg2 = APPLE_DART_PAGE_LG2 - 3,
		.entry_lg2 = 3,
		.pa_lg2 = 36,
	},
	.leaf_lg2 = apple_dart_leaf_lg2,
	.leaf_pa = apple_dart_leaf_pa,
	.hw = apple_dart_hw,
	APPLE_DART1_FUNCTIONS,
};

#endif
