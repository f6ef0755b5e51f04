/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Intel VT-d second stage, as hardware reads it.
 *
 * Read for this: QEMU hw/i386/intel_iommu_internal.h (VTD_SPTE_PAGE_L1_RSVD_MASK to
 * VTD_SPTE_LPAGE_L3_RSVD_MASK, VTD_SL_*), which is a walker's list of reserved bits; VirtualBox
 * include/VBox/iommu-intel.h (VTD_BF_SL_PTE_*, VTD_BF_SL_PDE_*, VTD_BF_SL_PDE2M_*), field by field
 * after the specification; Linux drivers/iommu/generic_pt/fmt/vtdss.h. Snoop (bit 11) is reserved
 * in those two walkers' leaves because their hardware reports no snoop control; this one reports
 * it.
 */
#include <errno.h>

#include "internal.h"

#define PAGE_LG2  12u
#define INDEX_LG2 9u

#define R	 (1ull << 0)  /* as in QEMU, VTD_SL_R */
#define W	 (1ull << 1)  /* as in QEMU, VTD_SL_W */
#define LARGE	 (1ull << 7)  /* as in QEMU, VTD_SL_PT_PAGE_SIZE_MASK */
#define ACCESSED (1ull << 8)  /* as in VirtualBox, VTD_BF_SL_PDE_A_MASK */
#define DIRTY	 (1ull << 9)  /* as in VirtualBox, VTD_BF_SL_PTE_D_MASK */
#define SNOOP	 (1ull << 11) /* as in Linux vtdss.h, VTDSS_FMT_SNP */

/* As in VirtualBox, VTD_BF_SL_PDE_ADDR_MASK. */
#define ADDRESS (((1ull << SOFT_ADDRESS_END) - 1) & ~((1ull << PAGE_LG2) - 1))

/* As in VirtualBox, VTD_BF_SL_PTE_RSVD_62_MASK: transient mappings (TM) are not offered. */
#define RESERVED       (1ull << 62)
/* As in VirtualBox, VTD_BF_SL_PDE_RSVD_11_MASK: no snoop bit in what leads to a table. */
#define RESERVED_TABLE (1ull << 11)
/* As in QEMU, VTD_SPTE_PAGE_L4_RSVD_MASK: no leaves from that level on. */
#define RESERVED_TOP   (1ull << 7)

#define BLOCK_LEVELS 3u /* as in QEMU, VTD_SL_PDP_LEVEL: 1 GiB is the largest leaf */

/*
 * As in Linux vtdss.h, vtdss_pt_iommu_fmt_hw_info: an address width of 1, 2, 3 means 3, 4, 5
 * levels. With SSADE hardware keeps accessed and dirty bits, in table entries accessed ones
 * (VirtualBox, VTD_BF_SL_PDE_A_MASK).
 */
static int read_root(const struct soft_format *format, const struct iopt_hw *hw,
		     struct soft_root *root)
{
	(void)format;
	if (hw->vtd_ss.ssptptr & ~ADDRESS || hw->vtd_ss.aw < 1 || hw->vtd_ss.aw > 3)
		return -EINVAL;
	root->pa = hw->vtd_ss.ssptptr;
	root->levels = hw->vtd_ss.aw + 2;
	root->accessed = hw->vtd_ss.ssade;
	root->dirty = hw->vtd_ss.ssade;
	return 0;
}

static struct soft_entry decode(const struct soft_format *format, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	struct soft_entry found = { .lg2 = (uint8_t)soft_entry_lg2(format, level) };
	bool leaf = !level || (level < BLOCK_LEVELS && entry & LARGE);
	uint64_t reserved = RESERVED | beyond;

	/* No present bit: as in Linux vtdss.h, vtdss_pt_iommu_set_prot. */
	if (!(entry & (R | W)))
		return found;
	if (!leaf)
		reserved |= RESERVED_TABLE;
	if (level >= BLOCK_LEVELS)
		reserved |= RESERVED_TOP;
	if (entry & reserved)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);

	found.kind = leaf ? SOFT_LEAF : SOFT_TABLE;
	found.pa = entry & ADDRESS;
	found.prot = (entry & R ? IOPT_READ : 0) | (entry & W ? IOPT_WRITE : 0);
	if (!leaf)
		return found;
	if (found.pa & ((1ull << found.lg2) - 1))
		return soft_wrong(SOFT_IOMMU_MISALIGNED);
	if (entry & SNOOP)
		found.prot |= IOPT_SNOOP;
	return found;
}

const struct soft_format soft_vtd_ss = {
	.name = "vtd-ss",
	.granule_lg2 = PAGE_LG2,
	.index_lg2 = INDEX_LG2,
	.entry_lg2 = 3,
	.accessed = ACCESSED,
	.accessed_table = ACCESSED,
	.dirty = DIRTY,
	.read_root = read_root,
	.decode = decode,
};
