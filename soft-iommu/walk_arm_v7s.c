/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Armv7 short-descriptor tables, as hardware reads them; also MediaTek's, with more address bits
 * and without permissions.
 *
 * Read for this: Linux 6.12 drivers/iommu/io-pgtable-arm-v7s.c, arm_v7s_iova_to_phys,
 * iopte_to_paddr, arm_v7s_pte_to_prot and arm_v7s_cont_to_pte, and the registers that
 * arm_v7s_alloc_pgtable makes;
 * arch/arm/include/asm/pgtable-2level-hwdef.h for the fields by name.
 */
#include <errno.h>

#include "internal.h"

#define PAGE_LG2     12u
#define INDEX_LG2    8u
#define REPLICAS_LG2 4u

#define B (1u << 2)
#define C (1u << 3)

/* AP, TEX, S and nG as one field: at bit 4 of a page, at bit 10 of a section. */
#define ACCESS	 (1u << 0)
#define UNPRIV	 (1u << 1)
#define TEX0	 (1u << 2)
#define TEX_HIGH (3u << 3)
#define READONLY (1u << 5)

/* Of a section, as in pgtable-2level-hwdef.h, PMD_SECT_*. */
#define SECTION_XN (1u << 4)
#define SUPER	   (1u << 18)
#define DOMAIN	   (0xfu << 5)
#define BIT_9	   (1u << 9)

/* Of a table entry: PXN, NS, SBZ, domain and bit 9. This unit's tables have none of them. */
#define TABLE_ZERO 0x3fcu

#define LARGE_XN   (1u << 15)
#define LARGE_ZERO (7u << 6)

#define TTBR_LOW   0x3fffu
#define PRRR_KNOWN 0x800b8204u
#define NMRR_KNOWN 0x40004000u

/* The unit has no other meaning of TEX remap than this one. */
static int read_root(const struct soft_format *format, const struct iopt_hw *hw,
		     struct soft_root *root)
{
	uint32_t low = hw->arm_v7s.ttbr & TTBR_LOW;

	(void)format;
	/* S; or S, NOS and both caches write-back. */
	if ((low != 0x2 && low != 0x6a) || hw->arm_v7s.tcr || hw->arm_v7s.prrr != PRRR_KNOWN ||
	    hw->arm_v7s.nmrr != NMRR_KNOWN)
		return -EINVAL;
	root->pa = hw->arm_v7s.ttbr & ~TTBR_LOW;
	root->levels = 2;
	root->width = 32; /* TTBCR.N is 0: TTBR0 translates all */
	return 0;
}

/* Permissions and the memory type, out of the field above and what stands beside it. */
static struct soft_entry leaf(uint32_t field, uint32_t entry, bool xn, unsigned lg2)
{
	unsigned type = (field & TEX0 ? 4u : 0) | (entry & C ? 2u : 0) | (entry & B ? 1u : 0);
	struct soft_entry found = { .kind = SOFT_LEAF,
				    .lg2 = (uint8_t)lg2,
				    .pa = entry & ~((1u << lg2) - 1),
				    .prot = IOPT_READ };

	/* The access flag is the software's to set; types other than these are not set up. */
	if (!(field & ACCESS) || field & TEX_HIGH || (type != 1 && type != 4 && type != 7))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	if (!(field & READONLY))
		found.prot |= IOPT_WRITE;
	if (!xn)
		found.prot |= IOPT_EXEC;
	if (!(field & UNPRIV))
		found.prot |= IOPT_PRIV;
	if (type == 1)
		found.prot |= IOPT_DEVICE;
	else if (type == 4)
		found.prot |= IOPT_UNCACHED;
	return found;
}

static struct soft_entry decode_top(uint32_t entry)
{
	switch (entry & 3) {
	case 1:
		if (entry & TABLE_ZERO)
			return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
		return (struct soft_entry){ .kind = SOFT_TABLE,
					    .pa = entry & ~0x3ffu,
					    .prot = IOPT_READ | IOPT_WRITE | IOPT_EXEC };
	case 2:
		if (entry & (DOMAIN | BIT_9))
			return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
		if (entry & SUPER && entry & 0xf00000u)
			return soft_wrong(SOFT_IOMMU_MISALIGNED);
		return leaf(entry >> 10, entry, entry & SECTION_XN,
			    entry & SUPER ? PAGE_LG2 + INDEX_LG2 + REPLICAS_LG2
					  : PAGE_LG2 + INDEX_LG2);
	case 3: return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	default: return (struct soft_entry){ .lg2 = PAGE_LG2 + INDEX_LG2 };
	}
}

static struct soft_entry decode_page(uint32_t entry)
{
	uint32_t tex = entry >> 12 & 7;

	if (entry & 2)
		return leaf(entry >> 4, entry, entry & 1, PAGE_LG2);
	if (!(entry & 1))
		return (struct soft_entry){ .lg2 = PAGE_LG2 };
	if (entry & LARGE_ZERO)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	return leaf(entry >> 4 | tex << 2, entry, entry & LARGE_XN, PAGE_LG2 + REPLICAS_LG2);
}

static struct soft_entry decode(const struct soft_format *format, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	struct soft_entry found = level ? decode_top((uint32_t)entry)
					: decode_page((uint32_t)entry);

	(void)format;
	if (found.kind != SOFT_WRONG && found.pa & beyond)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	return found;
}

/* ---- MediaTek ------------------------------------------------------------------------------ */

/* As in Linux, iopte_to_paddr. */
#define MTK_PA_32    (1u << 9)
#define MTK_PA_33_34 (3u << 4)

static int read_root_mtk(const struct soft_format *format, const struct iopt_hw *hw,
			 struct soft_root *root)
{
	uint32_t low = hw->arm_v7s.ttbr & 0xffffu;

	(void)format;
	if (low > 7)
		return -EINVAL;
	root->pa = (uint64_t)low << 32 | (hw->arm_v7s.ttbr & ~0xffffu);
	root->levels = 2;
	root->width = 34;
	return 0;
}

/* The same entry without these bits, and as if it forbade nothing. */
static struct soft_entry decode_mtk(const struct soft_format *format, uint64_t entry,
				    unsigned level, uint64_t beyond)
{
	uint32_t bits = (uint32_t)entry & ~(MTK_PA_32 | MTK_PA_33_34);
	uint64_t high = (entry & MTK_PA_32 ? 1ull << 32 : 0) | (entry & MTK_PA_33_34) << (33 - 4);
	struct soft_entry found;

	if (level ? (bits & 3) == 2 : bits & 3)
		bits |= (ACCESS | UNPRIV) << (level ? 10 : 4);
	found = decode(format, bits, level, 0);
	if (found.kind != SOFT_LEAF && found.kind != SOFT_TABLE)
		return found;
	found.pa |= high;
	found.prot = (found.prot | IOPT_WRITE) & (uint8_t) ~(IOPT_EXEC | IOPT_PRIV);
	return found.pa & beyond ? soft_wrong(SOFT_IOMMU_RESERVED_BITS) : found;
}

const struct soft_format soft_arm_v7s = {
	.name = "arm-v7s",
	.granule_lg2 = PAGE_LG2,
	.index_lg2 = INDEX_LG2,
	.entry_lg2 = 2,
	.significant = ~0u,
	.fetches = true,
	.read_root = read_root,
	.decode = decode,
};

const struct soft_format soft_arm_v7s_mtk = {
	.name = "arm-v7s-mtk",
	.granule_lg2 = PAGE_LG2,
	.index_lg2 = INDEX_LG2,
	.entry_lg2 = 2,
	.significant = ~0u,
	.read_root = read_root_mtk,
	.decode = decode_mtk,
};
