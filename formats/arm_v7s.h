/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Armv7 short descriptors: entries of 4 bytes, two levels, leaves of 4 KiB and 1 MiB, and of 64 KiB
 * and 16 MiB as runs of 16 equal entries.
 *
 * Sources: the text of the Arm architecture reference manual was not at hand. What is below is as
 * in
 *   Linux 6.12 drivers/iommu/io-pgtable-arm-v7s.c, cited with the symbol;
 *   Linux 6.12 arch/arm/include/asm/pgtable-2level-hwdef.h, PMD_* and PTE_*, for the fields that
 *     the former leaves 0.
 *
 * Levels (as in Linux io-pgtable-arm-v7s.c, ARM_V7S_LVL_SHIFT, _ARM_V7S_LVL_BITS; level 1 is their
 * level 1, level 0 their level 2):
 *
 *   level  selected by  entries         as a leaf
 *   1      31:20        4096 (16 KiB)   1 MiB (section), or one entry of 16 MiB (supersection)
 *   0      19:12        256 (1 KiB)     4 KiB (small page), or one entry of 64 KiB (large page)
 *
 * Bits of an entry, with the type in 1:0 (as in Linux, ARM_V7S_PTE_* and ARM_V7S_ATTR_*):
 *
 *   bits   table, 01    (super)section, 10   large page, 01   small page, 1x
 *   31:20  address      address              address          address
 *   19     address      NS; 0 here           address          address
 *   18     address      supersection         address          address
 *   17     address      nG                   address          address
 *   16     address      S                    address          address
 *   15     address      AP[2]                XN               address
 *   14:12  address      TEX                  TEX              address
 *   11:10  address      AP[1:0]              nG, S            nG, S
 *   9      0            0                    AP[2]            AP[2]
 *   8:6    0            domain; 0 here       0                TEX
 *   5:4    0            domain; XN           AP[1:0]          AP[1:0]
 *   3:2    NS, PXN; 0   C, B                 C, B             C, B
 *   1:0    01           10                   01               10, 11: XN
 *
 * Permissions are the simplified ones (as in Linux, ARM_V7S_PTE_AF, _AP_UNPRIV, _AP_RDONLY): AP[0]
 * is an access flag, which is always set; AP[1] admits requests without privilege, AP[2] forbids
 * writing. XN forbids instruction fetches.
 *
 * Memory types by TEX remap (as in Linux, arm_v7s_prot_to_pte and prrr, nmrr of
 * arm_v7s_alloc_pgtable): TEX[0], C and B are a number, whose meaning the registers give: 7 is
 * normal memory, write-back, 4 normal memory that is not cached, 1 a device's. Another one needs a
 * break.
 *
 * Attributes are carried as bits 11:0 of a small page, whatever the leaf's size is.
 *
 * Accessed and dirty. There are no such bits.
 *
 * Sizes do not change while hardware may use a leaf: nothing read says that they may.
 *
 * Software values. An entry of type 00 is not valid, and no other bit of it is looked at (as in
 * Linux, ARM_V7S_PTE_IS_VALID). None is ignored in present entries; but these leave bit 7 clear:
 *
 *   bit 7: a software value. Neither of bits 3:2: dead; bit 2: frozen, its generation in bits 31:8;
 *   bit 3: retiring, the table's address where a table entry has it.
 *
 * What is of type 00 and not all zero counts as a software value, whoever wrote it; and so does, at
 * level 1, type 11, which a (super)section with PXN has: the engine writes none.
 */
#ifndef FORMATS_ARM_V7S_H
#define FORMATS_ARM_V7S_H

#include "formats/unmarked.h"

#define ARM_V7S_TYPE	3ull /* as in Linux, ARM_V7S_PTE_IS_VALID */
#define ARM_V7S_TABLE	1ull /* as in Linux, ARM_V7S_PTE_TYPE_TABLE */
#define ARM_V7S_LARGE	1ull /* as in Linux, ARM_V7S_PTE_TYPE_CONT_PAGE */
#define ARM_V7S_PAGE	2ull /* as in Linux, ARM_V7S_PTE_TYPE_PAGE: of sections, too */
#define ARM_V7S_SECTION 2ull

/* Of a small page, as in Linux, ARM_V7S_ATTR_*, at ARM_V7S_ATTR_SHIFT(2). */
#define ARM_V7S_XN	  (1ull << 0)
#define ARM_V7S_B	  (1ull << 2)
#define ARM_V7S_C	  (1ull << 3)
#define ARM_V7S_AF	  (1ull << 4)
#define ARM_V7S_AP_UNPRIV (1ull << 5)
#define ARM_V7S_TEX0	  (1ull << 6)
#define ARM_V7S_TEX	  (7ull << 6)
#define ARM_V7S_AP_RDONLY (1ull << 9)
#define ARM_V7S_S	  (1ull << 10)
#define ARM_V7S_NG	  (1ull << 11)
#define ARM_V7S_ATTRS	  0xfffull
#define ARM_V7S_MIDDLE	  0xff0ull /* AP, TEX, S and nG: these move together */

/* What differs elsewhere. */
#define ARM_V7S_SECTION_SHIFT 6u	   /* of the middle: as in Linux, ARM_V7S_ATTR_SHIFT(1) */
#define ARM_V7S_SECTION_XN    (1ull << 4)  /* as in Linux, ARM_V7S_ATTR_XN(1) */
#define ARM_V7S_SUPERSECTION  (1ull << 18) /* as in Linux, ARM_V7S_CONT_SECTION */
#define ARM_V7S_LARGE_XN      (1ull << 15) /* as in Linux, ARM_V7S_CONT_PAGE_XN_SHIFT */
#define ARM_V7S_LARGE_SHIFT   6u	   /* of TEX: as in Linux, ARM_V7S_CONT_PAGE_TEX_SHIFT */

#define ARM_V7S_TABLE_ADDR 0xfffffc00ull /* as in Linux, ARM_V7S_TABLE_MASK */
#define ARM_V7S_ADDR_BITS  32u		 /* as in Linux, ARM_V7S_ADDR_BITS */

/* The engine's own bits, see above. */
#define ARM_V7S_SOFT	 (1ull << 7)
#define ARM_V7S_FROZEN	 (ARM_V7S_SOFT | 1ull << 2)
#define ARM_V7S_RETIRING (ARM_V7S_SOFT | 1ull << 3)

#define ARM_V7S_GENERATION_SHIFT 8u

#define ARM_V7S_PAGE_LG2	 12u /* as in Linux, ARM_V7S_LVL_SHIFT(2) */
#define ARM_V7S_LARGE_LG2	 16u /* 16 of them: as in Linux, ARM_V7S_CONT_PAGES */
#define ARM_V7S_SECTION_LG2	 20u /* as in Linux, ARM_V7S_LVL_SHIFT(1) */
#define ARM_V7S_SUPERSECTION_LG2 24u /* 16 of them: as in Linux, ARM_V7S_CONT_PAGES */

static inline enum iopt_kind arm_v7s_kind(uint64_t entry, unsigned level)
{
	uint64_t type = entry & ARM_V7S_TYPE;

	if (!type)
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	if (!level)
		return IOPT_LEAF;
	if (type == ARM_V7S_TABLE)
		return IOPT_TABLE;
	return type == ARM_V7S_SECTION ? IOPT_LEAF : IOPT_SOFT;
}

static inline enum iopt_soft arm_v7s_soft(uint64_t entry)
{
	switch (entry & (ARM_V7S_FROZEN | ARM_V7S_RETIRING | ARM_V7S_TYPE)) {
	case ARM_V7S_FROZEN: return IOPT_FROZEN;
	case ARM_V7S_RETIRING: return IOPT_RETIRING;
	default: return IOPT_DEAD;
	}
}

static inline uint64_t arm_v7s_frozen(uint32_t generation)
{
	return ARM_V7S_FROZEN | (uint64_t)generation << ARM_V7S_GENERATION_SHIFT;
}

static inline uint32_t arm_v7s_frozen_generation(uint64_t entry)
{
	return (uint32_t)(entry >> ARM_V7S_GENERATION_SHIFT) & ((1u << IOPT_GENERATION_BITS) - 1);
}

static inline uint64_t arm_v7s_retiring(uint64_t pa)
{
	return ARM_V7S_RETIRING | pa;
}

static inline uint64_t arm_v7s_table_pa(uint64_t entry)
{
	return entry & ARM_V7S_TABLE_ADDR;
}

/* As in Linux, arm_v7s_prot_to_pte. What can be written can be read. */
static inline int arm_v7s_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	const unsigned types = IOPT_UNCACHED | IOPT_DEVICE;
	uint64_t bits = ARM_V7S_PAGE | ARM_V7S_AF | ARM_V7S_S | ARM_V7S_NG;

	(void)config_flags;
	if ((prot & ~(IOPT_READ | IOPT_WRITE | IOPT_EXEC | IOPT_PRIV | types)) ||
	    !(prot & IOPT_READ) || (prot & types) == types)
		return -IOPT_EINVAL;
	if (!(prot & IOPT_WRITE))
		bits |= ARM_V7S_AP_RDONLY;
	if (!(prot & IOPT_EXEC))
		bits |= ARM_V7S_XN;
	if (!(prot & IOPT_PRIV))
		bits |= ARM_V7S_AP_UNPRIV;
	if (prot & IOPT_DEVICE)
		bits |= ARM_V7S_B;
	else
		bits |= ARM_V7S_TEX0 | (prot & IOPT_UNCACHED ? 0 : ARM_V7S_C | ARM_V7S_B);
	*attr = bits;
	return 0;
}

/* As in Linux, arm_v7s_pte_to_cont; of sections as in arm_v7s_prot_to_pte. */
static inline uint64_t arm_v7s_leaf(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
				    unsigned slot)
{
	const uint64_t cache = attr & (ARM_V7S_C | ARM_V7S_B), xn = attr & ARM_V7S_XN;

	(void)slot; /* replicas are equal */
	if (level)
		return pa | (attr & ARM_V7S_MIDDLE) << ARM_V7S_SECTION_SHIFT | cache |
		       (xn ? ARM_V7S_SECTION_XN : 0) | ARM_V7S_SECTION |
		       (size_lg2 == ARM_V7S_SUPERSECTION_LG2 ? ARM_V7S_SUPERSECTION : 0);
	if (size_lg2 == ARM_V7S_LARGE_LG2)
		return pa | (attr & ARM_V7S_MIDDLE & ~ARM_V7S_TEX) |
		       (attr & ARM_V7S_TEX) << ARM_V7S_LARGE_SHIFT | cache |
		       (xn ? ARM_V7S_LARGE_XN : 0) | ARM_V7S_LARGE;
	return pa | attr;
}

static inline uint64_t arm_v7s_leaf_attrs(uint64_t entry, unsigned level)
{
	const uint64_t cache = entry & (ARM_V7S_C | ARM_V7S_B);

	if (level)
		return (entry >> ARM_V7S_SECTION_SHIFT & ARM_V7S_MIDDLE) | cache | ARM_V7S_PAGE |
		       (entry & ARM_V7S_SECTION_XN ? ARM_V7S_XN : 0);
	if (!(entry & ARM_V7S_PAGE))
		return (entry & ARM_V7S_MIDDLE & ~ARM_V7S_TEX) |
		       (entry >> ARM_V7S_LARGE_SHIFT & ARM_V7S_TEX) | cache | ARM_V7S_PAGE |
		       (entry & ARM_V7S_LARGE_XN ? ARM_V7S_XN : 0);
	return entry & ARM_V7S_ATTRS;
}

static inline unsigned arm_v7s_leaf_lg2(uint64_t entry, unsigned level)
{
	if (level)
		return entry & ARM_V7S_SUPERSECTION ? ARM_V7S_SUPERSECTION_LG2
						    : ARM_V7S_SECTION_LG2;
	return entry & ARM_V7S_PAGE ? ARM_V7S_PAGE_LG2 : ARM_V7S_LARGE_LG2;
}

static inline uint64_t arm_v7s_leaf_pa(uint64_t entry, unsigned level)
{
	return entry & ~((1ull << arm_v7s_leaf_lg2(entry, level)) - 1);
}

/* Of attributes, see above. */
static inline unsigned arm_v7s_leaf_prot(uint64_t attr)
{
	unsigned prot = IOPT_READ;

	if (!(attr & ARM_V7S_AP_RDONLY))
		prot |= IOPT_WRITE;
	if (!(attr & ARM_V7S_XN))
		prot |= IOPT_EXEC;
	if (!(attr & ARM_V7S_AP_UNPRIV))
		prot |= IOPT_PRIV;
	if (!(attr & ARM_V7S_TEX0))
		prot |= IOPT_DEVICE;
	else if (!(attr & ARM_V7S_C))
		prot |= IOPT_UNCACHED;
	return prot;
}

static inline uint64_t arm_v7s_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa | ARM_V7S_TABLE;
}

/*
 * As in Linux, arm_v7s_alloc_pgtable: TTBR with S (bit 1), and for walkers that snoop NOS (bit 5),
 * IRGN (bits 0 and 6) and ORGN (4:3) 1, write-back. PRRR: type 1 is a device's, 4 and 7 normal
 * memory; DS0, DS1, NS1, NOS7. NMRR: inner and outer of type 7 write-back, write-allocate.
 */
static inline void arm_v7s_hw(uint64_t root, const struct iopt_geometry *geometry,
			      uint32_t config_flags, struct iopt_hw *hw)
{
	(void)geometry;
	hw->arm_v7s.ttbr = (uint32_t)root | (config_flags & IOPT_NONCOHERENT ? 0x2 : 0x6a);
	hw->arm_v7s.tcr = 0;
	hw->arm_v7s.prrr = 0x800b8204;
	hw->arm_v7s.nmrr = 0x40004000;
}

static const struct iopt_format arm_v7s_format = {
	.info = {
		.name = "arm-v7s",
		.title = "Armv7 short descriptors",
		.abilities = IOPT_CAN_RUNS | IOPT_CAN_EXEC | IOPT_CAN_PRIV | IOPT_CAN_MEMORY_TYPES |
			     IOPT_CAN_TRIM,
		.page_sizes = 1ull << 12 | 1ull << 16 | 1ull << 20 | 1ull << 24,
		.min_levels = 2,
		.max_levels = 2,
		.default_levels = 2,
		.granule_lg2 = ARM_V7S_PAGE_LG2,
		.index_lg2 = 8, /* as in Linux, _ARM_V7S_LVL_BITS(2) */
		.top_lg2 = 4, /* as in Linux, _ARM_V7S_LVL_BITS(1): 12 */
		.entry_lg2 = 2, /* as in Linux, arm_v7s_iopte */
		.pa_lg2 = ARM_V7S_ADDR_BITS,
		.stage = 1,
	},
	.soft_dead = ARM_V7S_SOFT,
	.leaf_fixed = ARM_V7S_TEX | ARM_V7S_C | ARM_V7S_B,
	.kind = arm_v7s_kind,
	.soft = arm_v7s_soft,
	.frozen = arm_v7s_frozen,
	.frozen_generation = arm_v7s_frozen_generation,
	.retiring = arm_v7s_retiring,
	.retiring_pa = arm_v7s_table_pa,
	.leaf_attr = arm_v7s_leaf_attr,
	.leaf = arm_v7s_leaf,
	.leaf_attrs = arm_v7s_leaf_attrs,
	.leaf_lg2 = arm_v7s_leaf_lg2,
	.leaf_pa = arm_v7s_leaf_pa,
	.leaf_prot = arm_v7s_leaf_prot,
	.table = arm_v7s_table,
	.table_pa = arm_v7s_table_pa,
	.hw = arm_v7s_hw,
	UNMARKED_FUNCTIONS,
};

#endif
