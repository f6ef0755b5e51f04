/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * AMD v1 (host) tables, as hardware reads them.
 *
 * Read for this: VirtualBox src/VBox/Devices/Bus/DevIommuAmd.cpp (iommuAmdWalkIoPageTable), a
 * walker that makes the specification's checks one by one, and include/VBox/iommu-amd.h (IOPTE_T,
 * IOPDE_T, IOMMU_PTE_RSVD_MASK, IOMMU_PDE_RSVD_MASK); Linux drivers/iommu/amd/amd_iommu_types.h and
 * drivers/iommu/generic_pt/fmt/amdv1.h. Levels there count from 1; here from 0.
 */
#include <errno.h>

#include "internal.h"

#define PAGE_LG2  12u
#define INDEX_LG2 9u

#define PRESENT	       (1ull << 0)			 /* as in Linux, IOMMU_PTE_PR */
#define ACCESSED       (1ull << 5)			 /* as in VirtualBox, IOPDE_T.u1Accessed */
#define DIRTY	       (1ull << 6)			 /* as in Linux, IOMMU_PTE_HD */
#define FORCE_COHERENT (1ull << 60)			 /* as in Linux, IOMMU_PTE_FC */
#define R	       (1ull << 61)			 /* as in Linux, IOMMU_PTE_IR */
#define W	       (1ull << 62)			 /* as in Linux, IOMMU_PTE_IW */
#define IGNORED	       (0x1eull | 0x180ull | 1ull << 63) /* as in VirtualBox, IOPTE_T.*Ign* */

#define ADDRESS	       0x000ffffffffff000ull /* as in VirtualBox, IOMMU_PTENTITY_ADDR_MASK */
#define RESERVED_LEAF  0x07f0000000000000ull /* as in VirtualBox, IOMMU_PTE_RSVD_MASK */
#define RESERVED_TABLE 0x1ff0000000000000ull /* as in VirtualBox, IOMMU_PDE_RSVD_MASK */

#define NEXT_LEVEL(entry) ((unsigned)((entry) >> 9) & 7) /* as in Linux, IOMMU_PTE_MODE */
#define NEXT_DEFAULT	  0u /* as in Linux amdv1.h, AMDV1PT_FMT_NL_DEFAULT: a leaf of its level */
#define NEXT_SIZED	  7u /* as in Linux amdv1.h, AMDV1PT_FMT_NL_SIZE: size in the address */

/*
 * As in VirtualBox, iommuAmdWalkIoPageTable: mode 0 is no translation, more than 6 levels don't
 * exist. HAD as in Linux amd_iommu_types.h, DTE_FLAG_HAD: two bits, read as accessed and dirty.
 * Dirty without accessed is refused: Linux writes 0 or 3. VirtualBox has the accessed bit in table
 * entries, too; nothing read says when hardware sets it there, this one does whenever it passes.
 */
static int read_root(const struct soft_format *format, const struct iopt_hw *hw,
		     struct soft_root *root)
{
	(void)format;
	if (hw->amd_v1.root_ptr & ~ADDRESS || hw->amd_v1.mode < 1 ||
	    hw->amd_v1.mode > SOFT_MAX_LEVELS || hw->amd_v1.had > 3 || hw->amd_v1.had == 2)
		return -EINVAL;
	root->pa = hw->amd_v1.root_ptr;
	root->levels = hw->amd_v1.mode;
	root->accessed = hw->amd_v1.had & 1;
	root->dirty = hw->amd_v1.had & 2;
	return 0;
}

/* Levels may be skipped, the IOVA bits of which are to be 0: as in VirtualBox, see above. */
static struct soft_entry decode_table(uint64_t entry, unsigned level, uint64_t beyond)
{
	unsigned below = NEXT_LEVEL(entry) - 1;

	if (entry & (RESERVED_TABLE | beyond))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	if (below >= level)
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	return (struct soft_entry){
		.kind = SOFT_TABLE,
		.pa = entry & ADDRESS,
		.prot = (entry & R ? IOPT_READ : 0) | (entry & W ? IOPT_WRITE : 0),
		.skips = (uint8_t)(level - 1 - below),
	};
}

static struct soft_entry decode_leaf(const struct soft_format *format, uint64_t entry,
				     unsigned level, uint64_t beyond)
{
	struct soft_entry found = { .kind = SOFT_LEAF, .pa = entry & ADDRESS };
	unsigned lg2 = soft_entry_lg2(format, level);

	/* As in Linux amdv1.h, amdv1pt_can_have_leaf: the sixth level has none. */
	if (level == SOFT_MAX_LEVELS - 1)
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	if (NEXT_LEVEL(entry) == NEXT_SIZED) {
		/* As in Linux, PTE_PAGE_SIZE: all ones below the bit that is half the size. */
		unsigned ones = (unsigned)__builtin_ctzll(~(entry >> PAGE_LG2));
		unsigned sized = PAGE_LG2 + ones + 1;

		/* As in VirtualBox: more than the level's own size, less than the next one's. */
		if (sized <= lg2 || sized >= lg2 + INDEX_LG2)
			return soft_wrong(SOFT_IOMMU_BAD_SIZE);
		lg2 = sized;
		found.pa &= ~((1ull << lg2) - 1);
	}
	if (found.pa & ((1ull << lg2) - 1))
		return soft_wrong(SOFT_IOMMU_MISALIGNED);
	if (entry & RESERVED_LEAF || found.pa & beyond)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	found.lg2 = (uint8_t)lg2;
	found.prot = (entry & R ? IOPT_READ : 0) | (entry & W ? IOPT_WRITE : 0) |
		     (entry & FORCE_COHERENT ? IOPT_SNOOP : 0);
	return found;
}

static struct soft_entry decode(const struct soft_format *format, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	unsigned next = NEXT_LEVEL(entry);

	if (!(entry & PRESENT))
		return (struct soft_entry){ .lg2 = (uint8_t)soft_entry_lg2(format, level) };
	if (next == NEXT_DEFAULT || next == NEXT_SIZED)
		return decode_leaf(format, entry, level, beyond);
	return decode_table(entry, level, beyond);
}

const struct soft_format soft_amd_v1 = {
	.name = "amd-v1",
	.granule_lg2 = PAGE_LG2,
	.index_lg2 = INDEX_LG2,
	.entry_lg2 = 3,
	.accessed = ACCESSED,
	.accessed_table = ACCESSED,
	.dirty = DIRTY,
	.significant = ~(IGNORED | ACCESSED | DIRTY),
	.read_root = read_root,
	.decode = decode,
};
