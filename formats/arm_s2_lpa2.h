/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm VMSAv8-64, stage 2, 4 KiB granule, 52-bit addresses (LPA2, DS = 1). What its bits are is in
 * arm_64.h.
 */
#ifndef FORMATS_ARM_S2_LPA2_H
#define FORMATS_ARM_S2_LPA2_H

#include "formats/arm_64.h"

#define ARM_64_NAME(x) arm_s2_lpa2_##x

static const struct arm_64 arm_s2_lpa2_is = {
	.stage = 2,
	.oa = ARM_64_OA_LPA2,
	.granule_lg2 = 12,
	.blocks = 3,
	.run_lg2 = { 4, 4, 4 },
};

#include "formats/arm_64_functions.h"

static const struct iopt_format arm_s2_lpa2_format = {
	.info = {
		.name = "arm-s2-lpa2",
		.title = "Arm VMSAv8-64 stage 2, 4K, 52 bits",
		.abilities = ARM_64_S2_ABILITIES,
		.page_sizes = 1ull << 12 | 1ull << 16 | 1ull << 21 | 1ull << 25 | 1ull << 30 |
			      1ull << 34 | 1ull << 39,
		.min_levels = 2,
		.max_levels = 5,
		.default_levels = 4,
		.granule_lg2 = 12,
		.index_lg2 = 9,
		.top_lg2 = 4, /* 16 concatenated tables */
		.iova_lg2 = 52,
		.entry_lg2 = 3,
		.pa_lg2 = 52,
		.stage = 2,
	},
	ARM_64_FUNCTIONS,
	ARM_64_MARKS,
};

#undef ARM_64_NAME
#endif
