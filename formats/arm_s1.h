/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Arm VMSAv8-64, stage 1, 4 KiB granule, 48-bit addresses. What its bits are is in arm_64.h. */
#ifndef FORMATS_ARM_S1_H
#define FORMATS_ARM_S1_H

#include "formats/arm_64.h"

#define ARM_64_NAME(x) arm_s1_##x

static const struct arm_64 arm_s1_is = {
	.stage = 1,
	.oa = ARM_64_OA_48,
	.granule_lg2 = 12,
	.blocks = 2,
	.run_lg2 = { 4, 4, 4 },
};

#include "formats/arm_64_functions.h"

static const struct iopt_format arm_s1_format = {
	.info = {
		.name = "arm-s1",
		.title = "Arm VMSAv8-64 stage 1, 4K",
		.walkers = "arm-smmuv3",
		.abilities = ARM_64_S1_ABILITIES,
		.page_sizes = 1ull << 12 | 1ull << 16 | 1ull << 21 | 1ull << 25 | 1ull << 30 |
			      1ull << 34,
		.min_levels = 2,
		.max_levels = 4,
		.default_levels = 4,
		.granule_lg2 = 12,
		.index_lg2 = 9,
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
