/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Apple DART 2 with pages of 16 KiB: see apple_dart_common.h, which has the bits and their sources.
 */
#ifndef FORMATS_APPLE_DART2_H
#define FORMATS_APPLE_DART2_H

#include "formats/apple_dart_common.h"

#define APPLE_DART2_PAGE_LG2 14u

static inline unsigned apple_dart2_leaf_lg2(uint64_t entry, unsigned level)
{
	(void)entry;
	(void)level;
	return APPLE_DART2_PAGE_LG2;
}

static inline uint64_t apple_dart2_leaf_pa(uint64_t entry, unsigned level)
{
	(void)level;
	return apple_dart2_pa(entry) & ~((1ull << APPLE_DART2_PAGE_LG2) - 1);
}

static inline void apple_dart2_hw(uint64_t root, const struct iopt_geometry *geometry,
				  uint32_t config_flags, struct iopt_hw *hw)
{
	(void)config_flags;
	apple_dart_ttbrs(root, geometry, APPLE_DART2_PAGE_LG2, hw);
}

static const struct iopt_format apple_dart2_format = {
	.info = {
		.name = "apple-dart2",
		.title = "Apple DART 2, 16K pages",
		.abilities = IOPT_CAN_WRITE_ONLY | IOPT_CAN_UNCACHED,
		.page_sizes = 1ull << 14,
		.min_levels = 2,
		.max_levels = 3,
		.default_levels = 2,
		.granule_lg2 = APPLE_DART2_PAGE_LG2,
		.index_lg2 = APPLE_DART2_PAGE_LG2 - 3,
		.iova_lg2 = 42, /* as in Linux, apple_dart_alloc_pgtable: ias <= oas */
		.entry_lg2 = 3,
		.pa_lg2 = 42,
	},
	.leaf_fixed = APPLE_DART2_NO_CACHE, /* nobody says that it may change */
	.leaf_attr = apple_dart2_leaf_attr,
	.leaf = apple_dart2_leaf,
	.leaf_attrs = apple_dart2_leaf_attrs,
	.leaf_lg2 = apple_dart2_leaf_lg2,
	.leaf_pa = apple_dart2_leaf_pa,
	.leaf_prot = apple_dart2_leaf_prot,
	.table = apple_dart2_table,
	.table_pa = apple_dart2_pa,
	.hw = apple_dart2_hw,
	APPLE_DART_FUNCTIONS,
};

#endif
