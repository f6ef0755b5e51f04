/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm LPAE, long descriptors of AArch32, stage 2. What its bits are is in arm_64.h. Widths and
 * sizes as in Linux 6.12 drivers/iommu/io-pgtable-arm.c, arm_32_lpae_alloc_pgtable_s2().
 */
#ifndef FORMATS_ARM_LPAE32_S2_H
#define FORMATS_ARM_LPAE32_S2_H

#include "formats/arm_64.h"
#include "formats/unmarked.h"

#define ARM_64_NAME(x) arm_lpae32_s2_##x
#define ARM_64_IS_UNMARKED

static const struct arm_64 arm_lpae32_s2_is = {
	.stage = 2,
	.oa = ARM_64_OA_40,
	.granule_lg2 = 12,
	.blocks = 2,
};

#include "formats/arm_64_functions.h"

static const struct iopt_format arm_lpae32_s2_format = {
	.info = {
		.name = "arm-lpae32-s2",
		.title = "Arm LPAE (AArch32) stage 2",
		.abilities = IOPT_CAN_WRITE_ONLY | IOPT_CAN_EXEC | IOPT_CAN_MEMORY_TYPES |
			     IOPT_CAN_TRIM,
		.page_sizes = 1ull << 12 | 1ull << 21 | 1ull << 30,
		.min_levels = 2,
		.max_levels = 3,
		.default_levels = 3,
		.granule_lg2 = 12,
		.index_lg2 = 9,
		.top_lg2 = 4, /* 16 concatenated tables */
		.iova_lg2 = 40,
		.entry_lg2 = 3,
		.pa_lg2 = 40,
		.stage = 2,
	},
	ARM_64_FUNCTIONS,
	UNMARKED_FUNCTIONS,
};

#undef ARM_64_NAME
#undef ARM_64_IS_UNMARKED
#endif
