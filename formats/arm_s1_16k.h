/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm VMSAv8-64, stage 1, 16 KiB granule, 48-bit addresses. What its bits are is in arm_64.h.
 */
#ifndef FORMATS_ARM_S1_16K_H
#define FORMATS_ARM_S1_16K_H

#include "formats/arm_64.h"

#define ARM_64_NAME(x) arm_s1_16k_##x

static const struct arm_64 arm_s1_16k_is = {
	.stage = 1,
	.oa = ARM_64_OA_48,
	.granule_lg2 = 14,
	.blocks = 1,
	.run_lg2 = { 7, 5 },
};

#include "formats/arm_64_functions.h"

static const struct iopt_format arm_s1_16k_format = {
	.info = {
		.name = "arm-s1-16k",
		.title = "Arm VMSAv8-64 stage 1, 16K",
		.walkers = "arm-smmuv3",
		.abilities = ARM_64_S1_ABILITIES,
		.page_sizes = 1ull << 14 | 1ull << 21 | 1ull << 25 | 1ull << 30,
		.min_levels = 2,
		.max_levels = 4,
		.default_levels = 4,
		.granule_lg2 = 14,
		.index_lg2 = 11,
		.iova_lg2 = 48,
		.entry_lg2 = 3,
		.pa_lg2 = 48,
		.stage = 1,
	},
	ARM_64_FUNCTIONS,
	ARM_64_MARKS,
};

#undef ARM_64_NAME
#endif
