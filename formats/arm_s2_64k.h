/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm VMSAv8-64, stage 2, 64 KiB granule, 52-bit addresses (LPA). What its bits are is in arm_64.h.
 */
#ifndef FORMATS_ARM_S2_64K_H
#define FORMATS_ARM_S2_64K_H

#include "formats/arm_64.h"

#define ARM_64_NAME(x) arm_s2_64k_##x

static const struct arm_64 arm_s2_64k_is = {
	.stage = 2,
	.oa = ARM_64_OA_LPA,
	.granule_lg2 = 16,
	.blocks = 2,
	.run_lg2 = { 5, 5 },
};

#include "formats/arm_64_functions.h"

static const struct iopt_format arm_s2_64k_format = {
	.info = {
		.name = "arm-s2-64k",
		.title = "Arm VMSAv8-64 stage 2, 64K",
		.walkers = "arm-smmuv3",
		.abilities = ARM_64_S2_ABILITIES,
		.page_sizes = 1ull << 16 | 1ull << 21 | 1ull << 29 | 1ull << 34 | 1ull << 42,
		.wide_sizes = 1ull << 42, /* QEMU, lpae_block_desc_valid() */
		.min_levels = 2,
		.max_levels = 3,
		.default_levels = 3,
		.granule_lg2 = 16,
		.index_lg2 = 13,
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
