/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V tables, of the first stage (Sv39, Sv48, Sv57) and the G-stage (Sv39x4, Sv48x4, Sv57x4), as
 * hardware reads them.
 *
 * Read for this: the reference model of the RISC-V IOMMU specification, iommu_ref_model/libiommu/
 * src/iommu_two_stage_trans.c (two_stage_address_translation), which goes through the steps of the
 * privileged specification's algorithm one by one; what it does not check (D, A, U and N of a table
 * entry) is as in that specification, "Sv32" and "Svnapot". iosatp is as in the IOMMU
 * specification, "First-Stage context", iohgatp as in "IO hypervisor guest address translation and
 * protection".
 */
#include <errno.h>

#include "internal.h"

#define PAGE_LG2  12u
#define INDEX_LG2 9u
#define TOP_LG2	  2u /* hypervisor.adoc, "Guest Physical Address Translation" */

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
#define PBMT	 (3ull << 61)
#define PBMT_NC	 (1ull << 61)
#define PBMT_IO	 (2ull << 61)
#define NAPOT	 (1ull << 63)

#define NAPOT_LG2     16u   /* as in the reference model, step 6: 64 KiB is all that there is */
#define NAPOT_LOW     15ull /* PPN bits that say so ... */
#define NAPOT_LOW_64K 8ull  /* ... by this value */

#define MODE_SV39 8u  /* IOMMU specification, encodings of iosatp.MODE */
#define MODE_SV57 10u /* the same; iohgatp.MODE has the same for Sv39x4 and so on */

static int read_context(uint64_t ppn, uint8_t mode, bool marks, struct soft_root *root)
{
	if (ppn >> 44 || mode < MODE_SV39 || mode > MODE_SV57)
		return -EINVAL;
	root->pa = ppn << PAGE_LG2;
	root->levels = (uint8_t)(mode - MODE_SV39 + 3);
	root->accessed = marks;
	root->dirty = marks;
	return 0;
}

static int read_iosatp(const struct soft_format *format, const struct iopt_hw *hw,
		       struct soft_root *root)
{
	(void)format;
	return read_context(hw->riscv_s1.ppn, hw->riscv_s1.mode, hw->riscv_s1.sade, root);
}

/* The root of the G-stage is 16 KiB and aligned to that: two more bits select an entry of it. */
static int read_iohgatp(const struct soft_format *format, const struct iopt_hw *hw,
			struct soft_root *root)
{
	int error = read_context(hw->riscv_g.ppn, hw->riscv_g.mode, hw->riscv_g.gade, root);

	if (error || hw->riscv_g.ppn & ((1u << TOP_LG2) - 1))
		return -EINVAL;
	root->width = (uint8_t)(soft_entry_lg2(format, root->levels) + TOP_LG2);
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
		     (entry & X ? IOPT_EXEC : 0) | (entry & USER ? 0 : IOPT_PRIV) |
		     (entry & PBMT_NC ? IOPT_UNCACHED : 0) | (entry & PBMT_IO ? IOPT_DEVICE : 0);
	return found;
}

static struct soft_entry decode(const struct soft_format *format, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	uint64_t pa = (entry & PPN) >> 10 << PAGE_LG2;

	if (!(entry & VALID))
		return (struct soft_entry){ .lg2 = (uint8_t)soft_entry_lg2(format, level) };
	/* Step 3; the last one is an access fault there. */
	if (entry & RESERVED || (entry & PBMT) == PBMT || (entry & (R | W)) == W ||
	    pa & lacking(beyond))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	if (entry & (R | X))
		return decode_leaf(format, entry, level, pa);
	/* Step 4; D, A and U of a table entry are reserved, and N and PBMT are. */
	if (!level)
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	if (entry & (DIRTY | ACCESSED | USER | NAPOT | PBMT))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	return (struct soft_entry){
		.kind = SOFT_TABLE,
		.pa = pa,
		.prot = IOPT_READ | IOPT_WRITE | IOPT_EXEC,
	};
}

/* The same, but all requests are a user's: nothing without U is reached (hypervisor.adoc). */
static struct soft_entry decode_g(const struct soft_format *format, uint64_t entry, unsigned level,
				  uint64_t beyond)
{
	struct soft_entry found = decode(format, entry, level, beyond);

	if (found.kind == SOFT_LEAF && found.prot & IOPT_PRIV)
		return soft_wrong(SOFT_IOMMU_NO_USER);
	return found;
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
	.read_root = read_iosatp,
	.decode = decode,
};

const struct soft_format soft_riscv_g = {
	.name = "riscv-g",
	.granule_lg2 = PAGE_LG2,
	.index_lg2 = INDEX_LG2,
	.entry_lg2 = 3,
	.accessed = ACCESSED,
	.dirty = DIRTY,
	.significant = ~(SOFTWARE | ACCESSED | DIRTY),
	.fetches = true,
	.demands_marks = true,
	.read_root = read_iohgatp,
	.decode = decode_g,
};
