/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V first-stage tables (Sv39, Sv48, Sv57), as hardware reads them.
 *
 * Read for this: the reference model of the RISC-V IOMMU specification, iommu_ref_model/libiommu/
 * src/iommu_two_stage_trans.c (two_stage_address_translation), which goes through the steps of the
 * privileged specification's algorithm one by one; what it does not check (D, A, U and N of a table
 * entry) is as in that specification, "Sv32" and "Svnapot". iosatp is as in the IOMMU
 * specification, "First-Stage context".
 */
#include <errno.h>

#include "internal.h"

#define PAGE_LG2  12u
#define INDEX_LG2 9u

/* As in the reference model, pte_t and step 3. */
#define VALID	 (1ull << 0)
#define R	 (1ull << 1)
#define W	 (1ull << 2)
#define X	 (1ull << 3)
#define USER	 (1ull << 4)
#define ACCESSED (1ull << 6)
#define DIRTY	 (1ull << 7)
#define SOFTWARE (3ull << 8)
#define PPN	 (((1ull << 44) - 1) << 10)
#define RESERVED (0x7full << 54) /* pte_t.reserved */
#define PBMT	 (3ull << 61)	 /* this one has no Svpbmt: step 3 */
#define NAPOT	 (1ull << 63)

#define NAPOT_LG2     16u   /* as in the reference model, step 6: 64 KiB is all that there is */
#define NAPOT_LOW     15ull /* PPN bits that say so ... */
#define NAPOT_LOW_64K 8ull  /* ... by this value */

#define MODE_SV39 8u  /* IOMMU specification, encodings of iosatp.MODE */
#define MODE_SV57 10u /* the same */

static int read_root(const struct soft_format *format, const struct iopt_hw *hw,
		     struct soft_root *root)
{
	(void)format;
	if (hw->riscv_s1.ppn >> 44 || hw->riscv_s1.mode < MODE_SV39 ||
	    hw->riscv_s1.mode > MODE_SV57)
		return -EINVAL;
	root->pa = hw->riscv_s1.ppn << PAGE_LG2;
	root->levels = (uint8_t)(hw->riscv_s1.mode - MODE_SV39 + 3);
	root->accessed = hw->riscv_s1.sade;
	root->dirty = hw->riscv_s1.sade;
	return 0;
}

/* Address bits that this hardware lacks; entries here have four more than the others'. */
static uint64_t lacking(uint64_t beyond)
{
	return beyond ? beyond | 15ull << SOFT_ADDRESS_END : 0;
}

static struct soft_entry decode_leaf(const struct soft_format *format, uint64_t entry,
				     unsigned level, uint64_t pa)
{
	struct soft_entry found = { .kind = SOFT_LEAF,
				    .lg2 = (uint8_t)soft_entry_lg2(format, level) };

	if (entry & NAPOT) {
		/* Step 3: not above the last level; step 6: of one size only. */
		if (level)
			return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
		if ((pa >> PAGE_LG2 & NAPOT_LOW) != NAPOT_LOW_64K)
			return soft_wrong(SOFT_IOMMU_BAD_SIZE);
		found.lg2 = NAPOT_LG2;
		pa &= ~((1ull << NAPOT_LG2) - 1);
	}
	if (pa & ((1ull << found.lg2) - 1))
		return soft_wrong(SOFT_IOMMU_MISALIGNED); /* step 6 */
	found.pa = pa;
	found.prot = (entry & R ? IOPT_READ : 0) | (entry & W ? IOPT_WRITE : 0) |
		     (entry & X ? IOPT_EXEC : 0) | (entry & USER ? 0 : IOPT_PRIV);
	return found;
}

static struct soft_entry decode(const struct soft_format *format, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	uint64_t pa = (entry & PPN) >> 10 << PAGE_LG2;

	if (!(entry & VALID))
		return (struct soft_entry){ .lg2 = (uint8_t)soft_entry_lg2(format, level) };
	/* Step 3; the last one is an access fault there. */
	if (entry & (RESERVED | PBMT) || (entry & (R | W)) == W || pa & lacking(beyond))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	if (entry & (R | X))
		return decode_leaf(format, entry, level, pa);
	/* Step 4; D, A and U of a table entry are reserved, and N is. */
	if (!level)
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	if (entry & (DIRTY | ACCESSED | USER | NAPOT))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	return (struct soft_entry){
		.kind = SOFT_TABLE,
		.pa = pa,
		.prot = IOPT_READ | IOPT_WRITE | IOPT_EXEC,
	};
}

const struct soft_format soft_riscv_s1 = {
	.name = "riscv-s1",
	.granule_lg2 = PAGE_LG2,
	.index_lg2 = INDEX_LG2,
	.entry_lg2 = 3,
	.accessed = ACCESSED,
	.dirty = DIRTY,
	.significant = ~(SOFTWARE | ACCESSED | DIRTY),
	.fetches = true,
	.demands_marks = true,
	.read_root = read_root,
	.decode = decode,
};
