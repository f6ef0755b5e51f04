/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V second stage, or G-stage: Sv39x4, Sv48x4 and Sv57x4, whose 16 KiB top translates two more
 * bits of a guest physical address. What its bits are, and what was read, is in riscv.h.
 *
 * Addresses. Guest physical addresses are not sign-extended: bits above the 41, 50 or 59 that are
 * translated must be 0 (Hypervisor, "Guest Physical Address Translation").
 *
 * U is set in every leaf: all accesses are user-level here. There is no IOPT_PRIV.
 */
#ifndef FORMATS_RISCV_G_H
#define FORMATS_RISCV_G_H

#include "formats/riscv.h"

#define RISCV_G_TOP_LG2 2u /* Hypervisor: the root is 16 KiB instead of 4 KiB */

static inline int riscv_g_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	int error = riscv_leaf_attr(prot, config_flags, attr);

	if (!error)
		*attr |= RISCV_U;
	return error;
}

/* iohgatp: PPN in bits 43:0, MODE in bits 63:60 (IOMMU, iohgatp); tc.GADE. */
static inline void riscv_g_hw(uint64_t root, const struct iopt_geometry *geometry,
			      uint32_t config_flags, struct iopt_hw *hw)
{
	hw->riscv_g.ppn = root >> RISCV_PAGE_LG2;
	hw->riscv_g.mode = riscv_mode(geometry->levels);
	hw->riscv_g.gade = config_flags & (IOPT_TRACKABLE | IOPT_TRACK);
}

static const struct iopt_format riscv_g_format = {
	.info = {
		.name = "riscv-g",
		.title = "RISC-V G-stage: Sv39x4, Sv48x4, Sv57x4",
		.walkers = "riscv-iommu",
		.abilities = IOPT_CAN_TRACK_DIRTY | IOPT_CAN_RUNS | IOPT_CAN_EXEC |
			     IOPT_CAN_RESIZE | IOPT_CAN_MEMORY_TYPES | IOPT_CAN_TRIM,
		.page_sizes = RISCV_PAGE_SIZES,
		.min_levels = 3, /* Sv39x4 */
		.max_levels = 5, /* Sv57x4 */
		.default_levels = 4,
		.granule_lg2 = RISCV_PAGE_LG2,
		.index_lg2 = RISCV_INDEX_LG2,
		.top_lg2 = RISCV_G_TOP_LG2,
		.entry_lg2 = RISCV_ENTRY_LG2,
		.pa_lg2 = RISCV_PA_LG2,
		.stage = 2,
	},
	RISCV_FUNCTIONS,
	.leaf_attr = riscv_g_leaf_attr,
	.hw = riscv_g_hw,
};

#endif
