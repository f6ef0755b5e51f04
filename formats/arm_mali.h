/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm Mali: the page tables of Midgard and Bifrost GPUs, which are like LPAE and not the same. No
 * specification was at hand: all of it is as in Linux 6.12 drivers/iommu/io-pgtable-arm.c, where
 * fmt is ARM_MALI_LPAE.
 *
 * Always four levels of 4 KiB tables, 48 bits of IOVA (arm_mali_lpae_alloc_pgtable()), of which a
 * domain may use fewer. Level L here is level 3 - L there. Leaves of 4K, 2M and 1G at levels 0, 1
 * and 2, all of the same type, pages included (iopte_leaf()):
 *
 *   bits    table                leaf
 *   55      unwritten (1)        0
 *   54:53   0                    XN, both bits for "execute never"
 *   39:12   address              address
 *   9:8     0                    SH: 2, outer shareable, always (arm_lpae_prot_to_pte())
 *   7       0                    write
 *   6       0                    read
 *   4:2     0                    index into MEMATTR: 0 caching as implemented, 1 write-allocate,
 *                                2 the same as 0, for what Linux asks for as a device's
 *   1:0     3                    1
 *
 *   (1) ARM_LPAE_PTE_SW_SYNC, the other way round: a bit that hardware ignores in tables.
 *
 * Permissions are as at stage 2, attributes as at stage 1. There are no accessed and dirty bits, no
 * runs. Nobody says that sizes, or attributes but permissions, may change while hardware uses them.
 *
 * Whether hardware ignores the other bits of what is not valid is not known either: in tables that
 * are in use there is nothing but 0 and valid entries, so no trim. One value of the engine's own is
 * left, dead, in interior tables that an unmap has unlinked, until its sync: bit 56 alone. What is
 * not valid and not all zero counts as dead, whoever wrote it.
 */
#ifndef FORMATS_ARM_MALI_H
#define FORMATS_ARM_MALI_H

#include "formats/unmarked.h"

/* ARM_LPAE_PTE_*; ARM_LPAE_MAIR_ATTR_IDX_*; ARM_MALI_LPAE_*. */
#define ARM_MALI_TYPE	     (3ull << 0)
#define ARM_MALI_LEAF	     (1ull << 0)
#define ARM_MALI_TABLE	     (3ull << 0)
#define ARM_MALI_ATTRINDX(n) ((uint64_t)(n) << 2)
#define ARM_MALI_ATTRS	     (7ull << 2)
#define ARM_MALI_READ	     (1ull << 6)
#define ARM_MALI_WRITE	     (1ull << 7)
#define ARM_MALI_SH_OS	     (2ull << 8)
#define ARM_MALI_ADDR	     0x000000fffffff000ull
#define ARM_MALI_XN	     (3ull << 53)

#define ARM_MALI_IDX_NC	   0u
#define ARM_MALI_IDX_CACHE 1u
#define ARM_MALI_IDX_DEV   2u
#define ARM_MALI_MEMATTR   0x888d88ull

/* The engine's own bits, see above. */
#define ARM_MALI_UNWRITTEN (1ull << 55)
#define ARM_MALI_DEAD	   (1ull << 56)

#define ARM_MALI_PAGE_LG2  12u
#define ARM_MALI_INDEX_LG2 9u

/* ---- what an entry is ---------------------------------------------------------------------- */

static inline enum iopt_kind arm_mali_kind(uint64_t entry, unsigned level)
{
	switch (entry & ARM_MALI_TYPE) {
	case ARM_MALI_LEAF: return level < 3 ? IOPT_LEAF : IOPT_SOFT;
	case ARM_MALI_TABLE: return level > 0 ? IOPT_TABLE : IOPT_SOFT;
	default: return entry ? IOPT_SOFT : IOPT_EMPTY;
	}
}

static inline enum iopt_soft arm_mali_soft(uint64_t entry)
{
	(void)entry;
	return IOPT_DEAD;
}

/* ---- leaves -------------------------------------------------------------------------------- */

static inline int arm_mali_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	const unsigned types = IOPT_UNCACHED | IOPT_DEVICE;

	(void)config_flags;
	if ((prot & ~(IOPT_READ | IOPT_WRITE | IOPT_EXEC | types)) || (prot & types) == types ||
	    !(prot & (IOPT_READ | IOPT_WRITE)))
		return -IOPT_EINVAL;
	*attr = ARM_MALI_LEAF | ARM_MALI_SH_OS | (prot & IOPT_READ ? ARM_MALI_READ : 0) |
		(prot & IOPT_WRITE ? ARM_MALI_WRITE : 0) | (prot & IOPT_EXEC ? 0 : ARM_MALI_XN) |
		ARM_MALI_ATTRINDX(prot & IOPT_DEVICE	 ? ARM_MALI_IDX_DEV
				  : prot & IOPT_UNCACHED ? ARM_MALI_IDX_NC
							 : ARM_MALI_IDX_CACHE);
	return 0;
}

static inline uint64_t arm_mali_leaf(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
				     unsigned slot)
{
	(void)level;
	(void)size_lg2;
	(void)slot;
	return attr | pa;
}

static inline uint64_t arm_mali_leaf_attrs(uint64_t entry, unsigned level)
{
	(void)level;
	return entry & ~ARM_MALI_ADDR;
}

static inline unsigned arm_mali_leaf_lg2(uint64_t entry, unsigned level)
{
	(void)entry;
	return ARM_MALI_PAGE_LG2 + level * ARM_MALI_INDEX_LG2;
}

static inline uint64_t arm_mali_leaf_pa(uint64_t entry, unsigned level)
{
	return entry & ARM_MALI_ADDR & ~((1ull << arm_mali_leaf_lg2(entry, level)) - 1);
}

static inline unsigned arm_mali_leaf_prot(uint64_t entry)
{
	uint64_t index = (entry & ARM_MALI_ATTRS) >> 2;

	return (entry & ARM_MALI_READ ? IOPT_READ : 0) | (entry & ARM_MALI_WRITE ? IOPT_WRITE : 0) |
	       (entry & ARM_MALI_XN ? 0 : IOPT_EXEC) |
	       (index == ARM_MALI_IDX_DEV  ? IOPT_DEVICE
		: index == ARM_MALI_IDX_NC ? IOPT_UNCACHED
					   : 0);
}

/* ---- tables, and what the hardware is told -------------------------------------------------- */

static inline uint64_t arm_mali_table(uint64_t pa, unsigned level)
{
	(void)level;
	return ARM_MALI_TABLE | pa;
}

static inline uint64_t arm_mali_table_pa(uint64_t entry)
{
	return entry & ARM_MALI_ADDR;
}

/* TRANSTAB: address mode table (3), read inner (bit 2), share outer (4) if walks snoop. */
static inline void arm_mali_hw(uint64_t root, const struct iopt_geometry *geometry,
			       uint32_t config_flags, struct iopt_hw *hw)
{
	(void)geometry;
	hw->arm_mali.transtab = root | (config_flags & IOPT_NONCOHERENT ? 0x7 : 0x17);
	hw->arm_mali.memattr = ARM_MALI_MEMATTR;
}

static const struct iopt_format arm_mali_format = {
	.info = {
		.name = "arm-mali",
		.title = "Arm Mali: Midgard, Bifrost",
		.abilities = IOPT_CAN_WRITE_ONLY | IOPT_CAN_EXEC | IOPT_CAN_MEMORY_TYPES,
		.page_sizes = 1ull << 12 | 1ull << 21 | 1ull << 30,
		.min_levels = 4,
		.max_levels = 4,
		.default_levels = 4,
		.granule_lg2 = ARM_MALI_PAGE_LG2,
		.index_lg2 = ARM_MALI_INDEX_LG2,
		.entry_lg2 = 3,
		.pa_lg2 = 40,
	},
	.soft_dead = ARM_MALI_DEAD,
	.table_unwritten = ARM_MALI_UNWRITTEN,
	.leaf_fixed = ARM_MALI_ATTRS,
	.kind = arm_mali_kind,
	.soft = arm_mali_soft,
	.leaf_attr = arm_mali_leaf_attr,
	.leaf = arm_mali_leaf,
	.leaf_attrs = arm_mali_leaf_attrs,
	.leaf_lg2 = arm_mali_leaf_lg2,
	.leaf_pa = arm_mali_leaf_pa,
	.leaf_prot = arm_mali_leaf_prot,
	.table = arm_mali_table,
	.table_pa = arm_mali_table_pa,
	.hw = arm_mali_hw,
	UNMARKED_FUNCTIONS,
};

#endif
