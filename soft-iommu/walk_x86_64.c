/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * x86-64 tables (VT-d first stage, AMD v2), as hardware reads them.
 *
 * Read for this: Intel 64 and IA-32 Architectures Software Developer's Manual, Volume 3A ("SDM"),
 * order number 253668-032US, sections 4.5 (tables 4-13 to 4-17), 4.8 and 4.10; QEMU
 * hw/i386/intel_iommu_internal.h (VTD_FPTE_PAGE_L1_RSVD_MASK to VTD_FPTE_LPAGE_L3_RSVD_MASK) for
 * what an IOMMU checks. Five levels are not in that edition of the SDM: the fifth is read as the
 * fourth is.
 */
#include <errno.h>

#include "internal.h"

#define PAGE_LG2  12u
#define INDEX_LG2 9u

#define PRESENT	  (1ull << 0)  /* SDM section 4.5, table 4-17 */
#define WRITABLE  (1ull << 1)  /* SDM section 4.5, table 4-17: R/W */
#define USER	  (1ull << 2)  /* SDM section 4.5, table 4-17: U/S */
#define ACCESSED  (1ull << 5)  /* SDM section 4.5, table 4-17, and section 4.8 */
#define DIRTY	  (1ull << 6)  /* SDM section 4.5, table 4-17, and section 4.8 */
#define LARGE	  (1ull << 7)  /* SDM section 4.5, table 4-15: PS; in a PTE it is PAT */
#define NO_FETCH  (1ull << 63) /* SDM section 4.5, table 4-17: XD */
#define PAT_BLOCK (1ull << 12) /* SDM section 4.5, table 4-15: PAT of a block, not an address bit */

/* SDM section 4.5, tables 4-13 to 4-17: bits M-1:12, M is at most 52. */
#define ADDRESS (((1ull << SOFT_ADDRESS_END) - 1) & ~((1ull << PAGE_LG2) - 1))

#define BLOCK_LEVELS 3u /* as in QEMU, VTD_FPTE_LPAGE_L3_RSVD_MASK: 1 GiB is the largest leaf */

/*
 * As in Linux drivers/iommu/intel/pasid.c, intel_pasid_setup_first_level (FLPM), and
 * amd_iommu_types.h, GUEST_PGTABLE_4_LEVEL: both count 0 for 4 levels and 1 for 5. These tables
 * keep accessed and dirty bits always (SDM section 4.8).
 */
static int read_root(const struct soft_format *format, const struct iopt_hw *hw,
		     struct soft_root *root)
{
	(void)format;
	if (hw->x86_64.fsptptr & ~ADDRESS || hw->x86_64.fspm > 1 ||
	    hw->x86_64.guest_paging_mode != hw->x86_64.fspm)
		return -EINVAL;
	root->pa = hw->x86_64.fsptptr;
	root->levels = hw->x86_64.fspm + 4;
	root->accessed = true;
	root->dirty = true;
	return 0;
}

static struct soft_entry decode(const struct soft_format *format, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	struct soft_entry found = { .lg2 = (uint8_t)soft_entry_lg2(format, level) };
	bool leaf = !level || (level < BLOCK_LEVELS && entry & LARGE);

	if (!(entry & PRESENT))
		return found;
	/* SDM section 4.5, table 4-13: bit 7 is reserved where there are no leaves. */
	if (entry & (beyond | (level >= BLOCK_LEVELS ? LARGE : 0)))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);

	found.kind = leaf ? SOFT_LEAF : SOFT_TABLE;
	found.pa = entry & ADDRESS;
	found.prot = IOPT_READ | (entry & WRITABLE ? IOPT_WRITE : 0) |
		     (entry & NO_FETCH ? 0 : IOPT_EXEC) | (entry & USER ? 0 : IOPT_PRIV);
	if (!leaf)
		return found;
	if (level)
		found.pa &= ~PAT_BLOCK;
	/* SDM section 4.5, table 4-15: bits 20:13 of a 2 MiB block are reserved. */
	if (found.pa & ((1ull << found.lg2) - 1))
		return soft_wrong(SOFT_IOMMU_MISALIGNED);
	return found;
}

const struct soft_format soft_x86_64 = {
	.name = "x86-64",
	.granule_lg2 = PAGE_LG2,
	.index_lg2 = INDEX_LG2,
	.entry_lg2 = 3,
	.accessed = ACCESSED,
	.accessed_table = ACCESSED,
	.dirty = DIRTY,
	.fetches = true,
	.read_root = read_root,
	.decode = decode,
};
