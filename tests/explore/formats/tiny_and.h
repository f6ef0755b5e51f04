/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A format like vtd-ss, in two or three levels of two entries: one size of leaf at each level,
 * hardware marks tables accessed, an AND clears dirty. See tiny.h.
 */
#ifndef TESTS_EXPLORE_FORMATS_TINY_AND_H
#define TESTS_EXPLORE_FORMATS_TINY_AND_H

#define TINY_INDEX_LG2 1u
#include "tests/explore/formats/tiny.h"

static const struct iopt_format tiny_and_format = {
	.info = {
		.name = "tiny-and",
		.title = "two entries a table, cleaned by AND",
		.abilities = IOPT_CAN_TRACK_DIRTY | IOPT_CAN_RESIZE |
			     IOPT_CAN_ACCESSED_TABLES | IOPT_CAN_TRIM,
		.page_sizes = 1ull << 12 | 1ull << 13 | 1ull << 14,
		.min_levels = 2,
		.max_levels = 3,
		.default_levels = 2,
		.granule_lg2 = TINY_PAGE_LG2,
		.index_lg2 = TINY_INDEX_LG2,
		.entry_lg2 = 3,
		.pa_lg2 = 52,
	},
	.table_a = TINY_A,
	.table_touched = TINY_TOUCHED,
	.dirty_and = TINY_D,
	.table_unwritten = TINY_UNWRITTEN,
	TINY_FUNCTIONS
};

#endif
