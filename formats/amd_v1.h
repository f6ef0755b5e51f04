/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * AMD IOMMU v1 (host) page tables: 1 to 6 levels that grow while in use, leaves of every power of
 * two from 4 KiB through runs of replicated entries.
 *
 * Sources: the text of AMD's specification (48882) was not at hand. What is below is as in
 *   Linux 6.12 drivers/iommu/amd/amd_iommu_types.h and io_pgtable.c, and Linux
 *     drivers/iommu/generic_pt/fmt/amdv1.h, cited with the symbol;
 *   Xen xen/drivers/passthrough/amd/iommu-defs.h, (struct or union) amd_iommu_pte;
 *   VirtualBox include/VBox/iommu-amd.h, IOPTE_T and IOPDE_T, and Devices/Bus/DevIommuAmd.cpp,
 *     iommuAmdIoPageTableWalk(): a walker that checks what the specification lets hardware check.
 * The three agree on every bit used here.
 *
 * Levels: level L here is level L + 1 there. Its entries translate 2^(12 + 9 L) bytes; those of
 * level 5 translate IOVA bits 63:57, so that such a table uses 128 entries only (Linux amdv1.h,
 * amdv1pt_num_items_lg2).
 *
 * Bits of a present entry (PR = 1):
 *
 *   bits   table entry (PDE)         leaf entry (PTE)
 *   63     ignored                   ignored
 *   62     IW, write                 IW, write
 *   61     IR, read                  IR, read
 *   60     reserved (0)              FC, force coherent
 *   59     reserved (0)              U, untranslated access only; 0 here
 *   58:52  reserved (0)              reserved (0)
 *   51:12  address                   address, with the size in its low bits if next level is 7
 *   11:9   next level, 1 to 6        next level, 0 or 7
 *   8:7    ignored                   ignored
 *   6      ignored                   D, dirty
 *   5      A, accessed               A, accessed
 *   4:1    ignored                   ignored
 *   0      PR, present               PR, present
 *
 *   As in Linux, IOMMU_PTE_PR, IOMMU_PTE_HD, PM_LEVEL_ENC, PM_ADDR_MASK, IOMMU_PTE_U, IOMMU_PTE_FC,
 *   IOMMU_PTE_IR, IOMMU_PTE_IW; ignored and reserved bits as in Xen, amd_iommu_pte, and VirtualBox,
 *   IOPTE_T, IOPDE_T, IOMMU_PTE_RSVD_MASK (58:52), IOMMU_PDE_RSVD_MASK (60:52).
 *
 * Next level n of an entry at level L:
 *   0        a leaf of the level's default size, 2^(12 + 9 L).
 *   7        a leaf of 2^s bytes, 12 + 9 L < s < 12 + 9 (L + 1), in a run of 2^(s - 12 - 9 L) equal
 *            entries. The size is in the address: bit s - 1 is 0, bits s - 2 to 12 are 1. For the
 *            default size 7 must not be used (Linux commit d4b036648402: hardware enforces it).
 *            As in Linux, PAGE_SIZE_PTE, PTE_PAGE_SIZE, PAGE_SIZE_PTE_COUNT.
 *   1 to L   leads to a table of level n - 1. With n < L levels are skipped, and the IOVA bits that
 *            these would have translated must be 0, else the walk faults (VirtualBox,
 *            iommuAmdIoPageTableWalk). The engine never writes such entries; `iopt decode`, which
 *            reads tables of others, follows them.
 *   else     faults: counts as not present.
 *
 * Sizes: 2^12 to 2^51, from levels 0 to 4. Level 5 holds tables only (Linux amdv1.h,
 * amdv1pt_can_have_leaf), 2^52 is the whole physical space (Linux amd_iommu_types.h,
 * AMD_IOMMU_PGSIZES), and 512 GiB is left out like there: "not supported due to a hardware bug".
 * It is read like any other, but never written.
 *
 * Permissions: IR and IW are ANDed over all entries of the walk and the device-table entry (Linux
 * amdv1.h, amdv1pt_install_table). Table entries grant both, the leaf decides.
 *
 * Software values. Ignored in every state of an entry are bits 4:1, 8:7 and 63: Xen keeps markers
 * of its own in 4:1 of live entries, present or not, tables and leaves (IOMMU_PTE_CONTIG_MASK).
 * With PR = 0 no other bit is looked at (VirtualBox, iommuAmdIoPageTableWalk). Bits 2:1 are the tag
 * of a software value; PR, A and D are 0 in all of them:
 *
 *   tag 1: dead.
 *   tag 2: frozen, its generation in bits 35:12; those are address bits in a present entry, and the
 *          reserved 60:52 are kept off.
 *   tag 3: retiring, the table's address where a table entry has it.
 *
 * Bit 3 of a leaf is the mark "pending", bit 4 of a table entry "unwritten".
 *
 * Clearing dirty. A compare-and-exchange is needed at every level, an AND is not enough: what a
 * slot is part of isn't fixed by its level. A sweep that read a 4 KiB leaf and recorded 4 KiB
 * could, by an AND, take the bit of a run that was mapped over it meanwhile, without having
 * recorded the rest of that run. Hence dirty_and is 0 here. A run is dirty if any of its entries
 * is; hardware need not set them all, and all are to be cleared (Linux io_pgtable.c,
 * pte_test_and_clear_dirty).
 *
 * Accessed bits in tables: Xen and VirtualBox have bit 5 as A in table entries too, but nothing
 * read says when hardware sets it there, so that the format does not claim IOPT_CAN_ACCESSED_TABLES
 * and nothing may be concluded from a clear one.
 */
#ifndef FORMATS_AMD_V1_H
#define FORMATS_AMD_V1_H

#include "engine/format.h"

#define AMD_V1_PR (1ull << 0)  /* as in Linux amd_iommu_types.h, IOMMU_PTE_PR */
#define AMD_V1_A  (1ull << 5)  /* as in Xen iommu-defs.h, amd_iommu_pte.a */
#define AMD_V1_D  (1ull << 6)  /* as in Linux amd_iommu_types.h, IOMMU_PTE_HD */
#define AMD_V1_FC (1ull << 60) /* as in Linux amd_iommu_types.h, IOMMU_PTE_FC */
#define AMD_V1_IR (1ull << 61) /* as in Linux amd_iommu_types.h, IOMMU_PTE_IR */
#define AMD_V1_IW (1ull << 62) /* as in Linux amd_iommu_types.h, IOMMU_PTE_IW */

#define AMD_V1_ADDR 0x000ffffffffff000ull /* as in Linux amd_iommu_types.h, PM_ADDR_MASK */

/* Next level: as in Linux amd_iommu_types.h, PM_LEVEL_ENC, PM_PTE_LEVEL, PAGE_MODE_7_LEVEL. */
#define AMD_V1_NEXT_SHIFT   9
#define AMD_V1_NEXT_MASK    7u
#define AMD_V1_NEXT_DEFAULT 0u
#define AMD_V1_NEXT_SIZED   7u

/* The engine's own bits, see above. */
#define AMD_V1_TAG	 (3ull << 1)
#define AMD_V1_DEAD	 (1ull << 1)
#define AMD_V1_FROZEN	 (2ull << 1)
#define AMD_V1_RETIRING	 (3ull << 1)
#define AMD_V1_PENDING	 (1ull << 3)
#define AMD_V1_UNWRITTEN (1ull << 4)

#define AMD_V1_PAGE_LG2	 12u /* as in Linux amd_iommu_types.h, PM_LEVEL_SHIFT */
#define AMD_V1_INDEX_LG2 9u  /* as in Linux amd_iommu_types.h, PM_LEVEL_SHIFT */

/* As in Linux amd_iommu_types.h, AMD_IOMMU_PGSIZES. */
#define AMD_V1_PAGE_SIZES (((1ull << 52) - (1ull << 12)) & ~(1ull << 39))

static inline unsigned amd_v1_next(uint64_t entry)
{
	return (unsigned)(entry >> AMD_V1_NEXT_SHIFT) & AMD_V1_NEXT_MASK;
}

static inline unsigned amd_v1_default_lg2(unsigned level)
{
	return AMD_V1_PAGE_LG2 + level * AMD_V1_INDEX_LG2;
}

static inline enum iopt_kind amd_v1_kind(uint64_t entry, unsigned level)
{
	/*
	 * The two next levels of a leaf, 0 and 7, are the ones that are 1 and 0 after counting on.
	 */
	const uint64_t other = (entry + (1ull << AMD_V1_NEXT_SHIFT)) &
			       ((AMD_V1_NEXT_MASK & ~1ull) << AMD_V1_NEXT_SHIFT);

	if (!(entry & AMD_V1_PR))
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	/* Nothing is below level 0, whatever an entry says: as in amdv1pt_load_entry_raw(). */
	if (level == 0 || !other)
		return IOPT_LEAF;
	/* A level that is not below faults: a value that translates nothing. */
	return amd_v1_next(entry) <= level ? IOPT_TABLE : IOPT_SOFT;
}

static inline enum iopt_soft amd_v1_soft(uint64_t entry)
{
	switch (entry & AMD_V1_TAG) {
	case AMD_V1_FROZEN: return IOPT_FROZEN;
	case AMD_V1_RETIRING: return IOPT_RETIRING;
	default: return IOPT_DEAD;
	}
}

static inline uint64_t amd_v1_frozen(uint32_t generation)
{
	return AMD_V1_FROZEN | (uint64_t)generation << AMD_V1_PAGE_LG2;
}

static inline uint32_t amd_v1_frozen_generation(uint64_t entry)
{
	return (uint32_t)(entry >> AMD_V1_PAGE_LG2) & ((1u << IOPT_GENERATION_BITS) - 1);
}

static inline uint64_t amd_v1_retiring(uint64_t pa)
{
	return AMD_V1_RETIRING | pa;
}

static inline uint64_t amd_v1_retiring_pa(uint64_t entry)
{
	return entry & AMD_V1_ADDR;
}

/*
 * IOPT_SNOOP is FC: DMA is coherent whatever the request says (VirtualBox, IOPTE_T, ForceCoherent).
 * A and D start clear; hardware keeps them only where the device-table entry says so (HAD).
 */
static inline int amd_v1_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	uint64_t bits = 0;

	(void)config_flags;
	if (prot & ~(IOPT_READ | IOPT_WRITE | IOPT_SNOOP))
		return -IOPT_EINVAL;
	if (prot & IOPT_READ)
		bits |= AMD_V1_IR;
	if (prot & IOPT_WRITE)
		bits |= AMD_V1_IW;
	if (!bits) /* could be written, but would grant nothing */
		return -IOPT_EINVAL;
	if (prot & IOPT_SNOOP)
		bits |= AMD_V1_FC;
	*attr = bits | AMD_V1_PR;
	return 0;
}

static inline uint64_t amd_v1_leaf(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
				   unsigned slot)
{
	uint64_t size = 1ull << size_lg2;

	(void)slot; /* replicas are equal */
	if (size_lg2 == amd_v1_default_lg2(level))
		return pa | attr;
	return ((pa | (size - 1)) & ~(size >> 1) & AMD_V1_ADDR) |
	       (uint64_t)AMD_V1_NEXT_SIZED << AMD_V1_NEXT_SHIFT | attr;
}

static inline uint64_t amd_v1_leaf_attrs(uint64_t entry, unsigned level)
{
	(void)level;
	return entry & ~(AMD_V1_ADDR | (uint64_t)AMD_V1_NEXT_MASK << AMD_V1_NEXT_SHIFT);
}

/* With next level 7, the lowest 0 from bit 12 up is bit s - 1. */
static inline unsigned amd_v1_leaf_lg2(uint64_t entry, unsigned level)
{
	if (amd_v1_next(entry) != AMD_V1_NEXT_SIZED)
		return amd_v1_default_lg2(level);
	return bits_low(~((entry & AMD_V1_ADDR) >> AMD_V1_PAGE_LG2)) + AMD_V1_PAGE_LG2 + 1;
}

/* With next level 7 the size's ones are carried away; the 0 above them is the address's own. */
static inline uint64_t amd_v1_leaf_pa(uint64_t entry, unsigned level)
{
	uint64_t pa = entry & AMD_V1_ADDR;

	if (amd_v1_next(entry) != AMD_V1_NEXT_SIZED)
		return pa & ~((1ull << amd_v1_default_lg2(level)) - 1);
	return pa & (pa + (1ull << AMD_V1_PAGE_LG2));
}

static inline unsigned amd_v1_leaf_prot(uint64_t entry)
{
	return (entry & AMD_V1_IR ? IOPT_READ : 0) | (entry & AMD_V1_IW ? IOPT_WRITE : 0) |
	       (entry & AMD_V1_FC ? IOPT_SNOOP : 0);
}

static inline uint64_t amd_v1_leaf_hw(uint64_t entry)
{
	(void)entry;
	return AMD_V1_A | AMD_V1_D;
}

static inline bool amd_v1_leaf_dirty(uint64_t entry)
{
	return entry & AMD_V1_D;
}

static inline bool amd_v1_leaf_accessed(uint64_t entry)
{
	return entry & AMD_V1_A;
}

static inline uint64_t amd_v1_leaf_clean(uint64_t entry)
{
	return entry & ~AMD_V1_D;
}

static inline uint64_t amd_v1_leaf_dirtied(uint64_t entry)
{
	return entry | AMD_V1_D;
}

/* As in Linux amd_iommu_types.h, PM_LEVEL_PDE: their level of the table below is level. */
static inline uint64_t amd_v1_table(uint64_t pa, unsigned level)
{
	return pa | (uint64_t)level << AMD_V1_NEXT_SHIFT | AMD_V1_IR | AMD_V1_IW | AMD_V1_PR;
}

static inline uint64_t amd_v1_table_pa(uint64_t entry)
{
	return entry & AMD_V1_ADDR;
}

static inline bool amd_v1_table_accessed(uint64_t entry)
{
	return entry & AMD_V1_A;
}

/*
 * Mode is the number of levels, in bits 11:9 of the device-table entry, the root pointer in 51:12
 * (Linux amdv1.h, amdv1pt_iommu_fmt_hw_info, PT_TOP_PHYS_MASK; amd_iommu_types.h,
 * DEV_ENTRY_MODE_SHIFT). HAD is bits 8:7, 3 for accessed and dirty (amd_iommu_types.h,
 * DTE_FLAG_HAD). SD is bit 102 (VirtualBox, DTE_T, SnoopDisable).
 */
static inline void amd_v1_hw(uint64_t root, const struct iopt_geometry *geometry,
			     uint32_t config_flags, struct iopt_hw *hw)
{
	hw->amd_v1.root_ptr = root;
	hw->amd_v1.mode = (uint8_t)geometry->levels;
	hw->amd_v1.had = config_flags & (IOPT_TRACKABLE | IOPT_TRACK) ? 3 : 0;
	hw->amd_v1.sd = config_flags & IOPT_NONCOHERENT;
}

static const struct iopt_format amd_v1_format = {
	.info = {
		.name = "amd-v1",
		.title = "AMD IOMMU v1, host tables",
		.walkers = "amd-iommu",
		.abilities = IOPT_CAN_TRACK_DIRTY | IOPT_CAN_GROW | IOPT_CAN_RUNS |
			     IOPT_CAN_WRITE_ONLY | IOPT_CAN_SNOOP | IOPT_CAN_RESIZE | IOPT_CAN_TRIM,
		.page_sizes = AMD_V1_PAGE_SIZES,
		.min_levels = 1, /* as in Linux amd_iommu_types.h, PAGE_MODE_1_LEVEL */
		.max_levels = 6, /* as in Linux amd_iommu_types.h, PAGE_MODE_6_LEVEL */
		.default_levels = 3, /* to start with, as in Linux io_pgtable.c, v1_alloc_pgtable */
		.granule_lg2 = AMD_V1_PAGE_LG2,
		.index_lg2 = AMD_V1_INDEX_LG2,
		.entry_lg2 = 3, /* as in Xen iommu-defs.h, IOMMU_PAGE_TABLE_ENTRY_SIZE */
		.pa_lg2 = 52, /* as in Linux amdv1.h, PT_MAX_OUTPUT_ADDRESS_LG2 */
		.stage = 2,
	},
	.soft_dead = AMD_V1_DEAD,
	.table_hw = AMD_V1_A,
	.table_a = 0,
	.table_touched = 0,
	.table_unwritten = AMD_V1_UNWRITTEN,
	.leaf_a = AMD_V1_A,
	.leaf_pending = AMD_V1_PENDING,
	.dirty_and = 0,
	.kind = amd_v1_kind,
	.soft = amd_v1_soft,
	.frozen = amd_v1_frozen,
	.frozen_generation = amd_v1_frozen_generation,
	.retiring = amd_v1_retiring,
	.retiring_pa = amd_v1_retiring_pa,
	.leaf_attr = amd_v1_leaf_attr,
	.leaf = amd_v1_leaf,
	.leaf_attrs = amd_v1_leaf_attrs,
	.leaf_lg2 = amd_v1_leaf_lg2,
	.leaf_pa = amd_v1_leaf_pa,
	.leaf_prot = amd_v1_leaf_prot,
	.leaf_hw = amd_v1_leaf_hw,
	.leaf_dirty = amd_v1_leaf_dirty,
	.leaf_accessed = amd_v1_leaf_accessed,
	.leaf_clean = amd_v1_leaf_clean,
	.leaf_dirtied = amd_v1_leaf_dirtied,
	.table = amd_v1_table,
	.table_pa = amd_v1_table_pa,
	.table_accessed = amd_v1_table_accessed,
	.hw = amd_v1_hw,
};

#endif
