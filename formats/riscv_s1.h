/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V first stage: Sv39, Sv48 and Sv57. What its bits are, and what was read, is in riscv.h.
 *
 * Addresses. Hardware checks that IOVA bits above the highest that is translated equal it
 * (Privileged, Sv39, Sv48, Sv57), always: a domain either has IOPT_SIGN_EXTEND or stays in the
 * lower half, with an iova_lg2 of at most 38, 47 or 56. Entries look the same.
 *
 * IOPT_PRIV clears U: requests without supervisor privilege fault.
 */
#ifndef FORMATS_RISCV_S1_H
#define FORMATS_RISCV_S1_H

#include "formats/riscv.h"

static inline int riscv_s1_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	int error = riscv_leaf_attr(prot & ~IOPT_PRIV, config_flags, attr);

	if (!error && !(prot & IOPT_PRIV))
		*attr |= RISCV_U;
	return error;
}

/* iosatp: PPN in bits 43:0, MODE in bits 63:60 (IOMMU, "First-Stage context"); tc.SADE. */
static inline void riscv_s1_hw(uint64_t root, const struct iopt_geometry *geometry,
			       uint32_t config_flags, struct iopt_hw *hw)
{
	hw->riscv_s1.ppn = root >> RISCV_PAGE_LG2;
	hw->riscv_s1.mode = riscv_mode(geometry->levels);
	hw->riscv_s1.sade = config_flags & (IOPT_TRACKABLE | IOPT_TRACK);
}

static const struct iopt_format riscv_s1_format = {
	.info = {
		.name = "riscv-s1",
		.title = "RISC-V first stage: Sv39, Sv48, Sv57",
		.walkers = "riscv-iommu",
		.abilities = IOPT_CAN_TRACK_DIRTY | IOPT_CAN_RUNS | IOPT_CAN_SIGN_EXTEND |
			     IOPT_CAN_EXEC | IOPT_CAN_PRIV | IOPT_CAN_RESIZE |
			     IOPT_CAN_MEMORY_TYPES | IOPT_CAN_TRIM,
		.page_sizes = RISCV_PAGE_SIZES,
		.min_levels = 3, /* Sv39 */
		.max_levels = 5, /* Sv57 */
		.default_levels = 4,
		.granule_lg2 = RISCV_PAGE_LG2,
		.index_lg2 = RISCV_INDEX_LG2,
		.entry_lg2 = RISCV_ENTRY_LG2,
		.pa_lg2 = RISCV_PA_LG2,
		.stage = 1,
	},
	RISCV_FUNCTIONS,
	.leaf_attr = riscv_s1_leaf_attr,
	.hw = riscv_s1_hw,
};

#endif
