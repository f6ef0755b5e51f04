/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm VMSAv8-64, stage 2, 16 KiB granule, 52-bit addresses (LPA2, DS = 1). What its bits are is in
 * arm_64.h.
 */
#ifndef FORMATS_ARM_S2_16K_LPA2_H
#define FORMATS_ARM_S2_16K_LPA2_H

#include "formats/arm_64.h"

#define ARM_64_NAME(x) arm_s2_16k_lpa2_##x

static const struct arm_64 arm_s2_16k_lpa2_is = {
	.stage = 2,
	.oa = ARM_64_OA_LPA2,
	.granule_lg2 = 14,
	.blocks = 2,
	.run_lg2 = { 7, 5 },
};

#include "formats/arm_64_functions.h"

static const struct iopt_format arm_s2_16k_lpa2_format = {
	.info = {
		.name = "arm-s2-16k-lpa2",
		.title = "Arm VMSAv8-64 stage 2, 16K, 52 bits",
		.abilities = ARM_64_S2_ABILITIES,
		.page_sizes = 1ull << 14 | 1ull << 21 | 1ull << 25 | 1ull << 30 | 1ull << 36,
		.min_levels = 2,
		.max_levels = 4,
		.default_levels = 4,
		.granule_lg2 = 14,
		.index_lg2 = 11,
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
