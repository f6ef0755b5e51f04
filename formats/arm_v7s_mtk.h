/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Armv7 short descriptors as MediaTek's M4U extends them: arm_v7s.h with more address bits and
 * without permissions. No specification was at hand: all of it is as in Linux 6.12
 * drivers/iommu/io-pgtable-arm-v7s.c with IO_PGTABLE_QUIRK_ARM_MTK_EXT, _ARM_MTK_TTBR_EXT and
 * _NO_PERMS, which it demands.
 *
 * In entries of each kind, and at both levels (to_mtk_iopte(), also for tables):
 *
 *   bit 9   address bit 32 (ARM_V7S_ATTR_MTK_PA_BIT32)
 *   bit 4   address bit 33 (ARM_V7S_ATTR_MTK_PA_BIT33)
 *   bit 5   address bit 34 (ARM_V7S_ATTR_MTK_PA_BIT34)
 *
 * where arm_v7s.h has XN, domain and AP. So there is no access flag, no XN and no AP
 * (arm_v7s_prot_to_pte()): every leaf may be read and written, IOPT_ALWAYS_RW. In the TTBR these
 * bits are 2:0, and there are no others (arm_v7s_alloc_pgtable()).
 *
 * The top has 14 bits, for 34 of IOVA. Hardware of 32 bits reads its first quarter.
 *
 * A retiring entry has its table's address where a table entry has it, these bits included.
 */
#ifndef FORMATS_ARM_V7S_MTK_H
#define FORMATS_ARM_V7S_MTK_H

#include "formats/arm_v7s.h"

#define ARM_V7S_MTK_PA_32    (1ull << 9)
#define ARM_V7S_MTK_PA_33_34 (3ull << 4)
#define ARM_V7S_MTK_PA	     (ARM_V7S_MTK_PA_32 | ARM_V7S_MTK_PA_33_34)

/* Address bits 34:32 in an entry, and 31:0. */
static inline uint64_t arm_v7s_mtk_high(uint64_t pa)
{
	return (pa >> 32 & 1) << 9 | (pa >> 33 & 3) << 4;
}

static inline uint64_t arm_v7s_mtk_low(uint64_t pa)
{
	return pa & 0xffffffffull;
}

static inline uint64_t arm_v7s_mtk_high_pa(uint64_t entry)
{
	return (entry >> 9 & 1) << 32 | (entry >> 4 & 3) << 33;
}

static inline uint64_t arm_v7s_mtk_retiring(uint64_t pa)
{
	return arm_v7s_retiring(arm_v7s_mtk_low(pa)) | arm_v7s_mtk_high(pa);
}

static inline uint64_t arm_v7s_mtk_table(uint64_t pa, unsigned level)
{
	return arm_v7s_table(arm_v7s_mtk_low(pa), level) | arm_v7s_mtk_high(pa);
}

static inline uint64_t arm_v7s_mtk_table_pa(uint64_t entry)
{
	return arm_v7s_table_pa(entry) | arm_v7s_mtk_high_pa(entry);
}

/* As in Linux, arm_v7s_prot_to_pte() with NO_PERMS. */
static inline int arm_v7s_mtk_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	const unsigned all = IOPT_READ | IOPT_WRITE;
	uint64_t bits;

	if ((prot & all) != all || (prot & (IOPT_EXEC | IOPT_PRIV)) ||
	    arm_v7s_leaf_attr(prot, config_flags, &bits))
		return -IOPT_EINVAL;
	*attr = bits & ~(ARM_V7S_AF | ARM_V7S_AP_UNPRIV | ARM_V7S_XN);
	return 0;
}

static inline uint64_t arm_v7s_mtk_leaf(uint64_t attr, uint64_t pa, unsigned level,
					unsigned size_lg2, unsigned slot)
{
	return arm_v7s_leaf(attr, arm_v7s_mtk_low(pa), level, size_lg2, slot) |
	       arm_v7s_mtk_high(pa);
}

static inline uint64_t arm_v7s_mtk_leaf_attrs(uint64_t entry, unsigned level)
{
	return arm_v7s_leaf_attrs(entry & ~ARM_V7S_MTK_PA, level);
}

static inline uint64_t arm_v7s_mtk_leaf_pa(uint64_t entry, unsigned level)
{
	return arm_v7s_leaf_pa(entry, level) | arm_v7s_mtk_high_pa(entry);
}

static inline unsigned arm_v7s_mtk_leaf_prot(uint64_t attr)
{
	const unsigned types = IOPT_UNCACHED | IOPT_DEVICE;

	return IOPT_READ | IOPT_WRITE | (arm_v7s_leaf_prot(attr) & types);
}

static inline void arm_v7s_mtk_hw(uint64_t root, const struct iopt_geometry *geometry,
				  uint32_t config_flags, struct iopt_hw *hw)
{
	arm_v7s_hw(root, geometry, config_flags, hw);
	hw->arm_v7s.ttbr = (uint32_t)root | (uint32_t)(root >> 32);
}

static const struct iopt_format arm_v7s_mtk_format = {
	.info = {
		.name = "arm-v7s-mtk",
		.title = "Armv7 short descriptors, MediaTek",
		.abilities = IOPT_CAN_RUNS | IOPT_CAN_MEMORY_TYPES | IOPT_CAN_TRIM | IOPT_ALWAYS_RW,
		.page_sizes = 1ull << 12 | 1ull << 16 | 1ull << 20 | 1ull << 24,
		.min_levels = 2,
		.max_levels = 2,
		.default_levels = 2,
		.granule_lg2 = ARM_V7S_PAGE_LG2,
		.index_lg2 = 8, /* as in Linux, _ARM_V7S_LVL_BITS(2) */
		.top_lg2 = 6, /* as in Linux, _ARM_V7S_LVL_BITS(1): ias - 20, 14 */
		.entry_lg2 = 2, /* as in Linux, arm_v7s_iopte */
		.pa_lg2 = 35,
	},
	.soft_dead = ARM_V7S_SOFT,
	.leaf_fixed = ARM_V7S_TEX | ARM_V7S_C | ARM_V7S_B,
	.kind = arm_v7s_kind,
	.soft = arm_v7s_soft,
	.frozen = arm_v7s_frozen,
	.frozen_generation = arm_v7s_frozen_generation,
	.retiring = arm_v7s_mtk_retiring,
	.retiring_pa = arm_v7s_mtk_table_pa,
	.leaf_attr = arm_v7s_mtk_leaf_attr,
	.leaf = arm_v7s_mtk_leaf,
	.leaf_attrs = arm_v7s_mtk_leaf_attrs,
	.leaf_lg2 = arm_v7s_leaf_lg2,
	.leaf_pa = arm_v7s_mtk_leaf_pa,
	.leaf_prot = arm_v7s_mtk_leaf_prot,
	.table = arm_v7s_mtk_table,
	.table_pa = arm_v7s_mtk_table_pa,
	.hw = arm_v7s_mtk_hw,
	UNMARKED_FUNCTIONS,
};

#endif
