/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A format like amd-v1, in up to three levels of four entries: runs of two equal entries at each
 * level, a top that grows, compare-and-exchange to clear dirty. See tiny.h.
 */
#ifndef TESTS_EXPLORE_FORMATS_TINY_RUN_H
#define TESTS_EXPLORE_FORMATS_TINY_RUN_H

#define TINY_INDEX_LG2 2u
#include "tests/explore/formats/tiny.h"

static const struct iopt_format tiny_run_format = {
	.info = {
		.name = "tiny-run",
		.title = "four entries a table, runs of two, growing",
		.abilities = IOPT_CAN_TRACK_DIRTY | IOPT_CAN_RESIZE | IOPT_CAN_GROW |
			     IOPT_CAN_RUNS | IOPT_CAN_TRIM,
		.page_sizes = 1ull << 12 | 1ull << 13 | 1ull << 14 | 1ull << 15 | 1ull << 16,
		.min_levels = 1,
		.max_levels = 3,
		.default_levels = 2,
		.granule_lg2 = TINY_PAGE_LG2,
		.index_lg2 = TINY_INDEX_LG2,
		.entry_lg2 = 3,
		.pa_lg2 = 52,
	},
	.dirty_and = 0, /* what a slot is part of is not fixed by its level */
	TINY_FUNCTIONS
};

#endif
