/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Apple DART tables, as hardware reads them, as far as anybody knows.
 *
 * Read for this: m1n1 proxyclient/m1n1/hw/dart.py (DART 1: R_TTBR, PTE, L0_OFF to L2_OFF,
 * iotranslate) and dart8110.py (DART 2: PTE, R_TCR.FOUR_LEVELS, iotranslate), which walk live
 * hardware's tables; Linux 6.12 drivers/iommu/io-pgtable-dart.c for the protection bits of DART 1
 * and what it leaves 0.
 *
 * None of them says what is reserved or ignored. This one is strict: a bit that their tables never
 * have is reserved here, also in an entry that is not valid: those are 0 in their tables. But for
 * interior tables of four levels, which, unlinked, a device may still get to through its caches.
 */
#include <errno.h>

#include "internal.h"

#define VALID	 (1ull << 0)	  /* as in m1n1, PTE.VALID */
#define SP_START (0xfffull << 52) /* as in m1n1 dart8110.py, PTE.SP_START */
#define SP_END	 (0xfffull << 40) /* as in m1n1 dart8110.py, PTE.SP_END */

#define DART1_OFFSET   0x0000000ffffff000ull /* as in Linux, APPLE_DART1_PADDR_MASK */
#define DART1_NO_READ  (1ull << 8)	     /* as in Linux, APPLE_DART1_PTE_PROT_NO_READ */
#define DART1_NO_WRITE (1ull << 7)	     /* as in Linux, APPLE_DART1_PTE_PROT_NO_WRITE */
#define DART1_SP_DIS   (1ull << 1)	     /* as in Linux, APPLE_DART1_PTE_PROT_SP_DIS */

#define DART2_OFFSET	 0x0000003ffffffc00ull /* as in m1n1 dart8110.py, PTE.OFFSET */
#define DART2_RDPROT	 (1ull << 3)	       /* as in m1n1 dart8110.py */
#define DART2_WRPROT	 (1ull << 2)	       /* as in m1n1 dart8110.py */
#define DART2_UNCACHABLE (1ull << 1)	       /* as in m1n1 dart8110.py */

/*
 * The tables of the TTBRs are walked as one large one: they must follow each other, which those of
 * real hardware need not.
 */
static int read_ttbrs(const struct soft_format *format, const struct iopt_hw *hw,
		      unsigned most_ttbrs, struct soft_root *root)
{
	uint64_t first = hw->apple_dart.ttbr[0];
	unsigned nr = hw->apple_dart.nr_ttbrs;

	if (!nr || nr & (nr - 1) || nr > most_ttbrs || first & ((1ull << format->granule_lg2) - 1))
		return -EINVAL;
	for (unsigned i = 1; i < nr; i++)
		if (hw->apple_dart.ttbr[i] != first + ((uint64_t)i << format->granule_lg2))
			return -EINVAL;
	root->pa = first;
	root->levels = hw->apple_dart.four_levels ? 3 : 2;
	root->width = (uint8_t)(soft_entry_lg2(format, root->levels) + (unsigned)__builtin_ctz(nr));
	return 0;
}

/* As in Linux, DART_MAX_TABLE_BITS: four where pages have 4 KiB. Four levels are DART 2's. */
static int read_root1(const struct soft_format *format, const struct iopt_hw *hw,
		      struct soft_root *root)
{
	return hw->apple_dart.four_levels
		       ? -EINVAL
		       : read_ttbrs(format, hw, format->granule_lg2 == 12 ? 4 : 1, root);
}

static int read_root2(const struct soft_format *format, const struct iopt_hw *hw,
		      struct soft_root *root)
{
	return read_ttbrs(format, hw, 1, root);
}

/* A valid entry, with the address in it; @known: bits beside that and the range of sub-pages. */
static struct soft_entry decode_valid(const struct soft_format *format, uint64_t entry, uint64_t pa,
				      unsigned level, uint64_t known)
{
	struct soft_entry found = { .kind = level ? SOFT_TABLE : SOFT_LEAF, .pa = pa };
	uint64_t range = level ? 0 : SP_END;

	found.lg2 = (uint8_t)soft_entry_lg2(format, level);
	found.prot = IOPT_READ | IOPT_WRITE;
	/* Leaves that may be used in part: not offered. */
	if (entry & ~known & ~(SP_START | SP_END) || (entry & (SP_START | SP_END)) != range)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	/* As in m1n1: a table fills a page. */
	if (pa & ((1ull << format->granule_lg2) - 1))
		return soft_wrong(SOFT_IOMMU_MISALIGNED);
	return found;
}

static struct soft_entry decode1(const struct soft_format *format, uint64_t entry, unsigned level,
				 uint64_t beyond)
{
	uint64_t pa = entry & DART1_OFFSET, known = VALID | DART1_OFFSET;
	struct soft_entry found;

	if (!(entry & VALID))
		return entry ? soft_wrong(SOFT_IOMMU_RESERVED_BITS)
			     : (struct soft_entry){ .lg2 = (uint8_t)soft_entry_lg2(format, level) };
	if (!level)
		known |= DART1_NO_READ | DART1_NO_WRITE | DART1_SP_DIS;
	if (pa & beyond)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	found = decode_valid(format, entry, pa, level, known);
	if (entry & DART1_NO_READ)
		found.prot &= (uint8_t)~IOPT_READ;
	if (entry & DART1_NO_WRITE)
		found.prot &= (uint8_t)~IOPT_WRITE;
	return found;
}

static struct soft_entry decode2(const struct soft_format *format, uint64_t entry, unsigned level,
				 uint64_t beyond)
{
	uint64_t pa = (entry & DART2_OFFSET) << 4, known = VALID | DART2_OFFSET;
	struct soft_entry found;

	if (!(entry & VALID))
		return entry && !level
			       ? soft_wrong(SOFT_IOMMU_RESERVED_BITS)
			       : (struct soft_entry){ .lg2 = (uint8_t)soft_entry_lg2(format,
										     level) };
	if (!level)
		known |= DART2_RDPROT | DART2_WRPROT | DART2_UNCACHABLE;
	if (pa & beyond)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	found = decode_valid(format, entry, pa, level, known);
	if (entry & DART2_RDPROT)
		found.prot &= (uint8_t)~IOPT_READ;
	if (entry & DART2_WRPROT)
		found.prot &= (uint8_t)~IOPT_WRITE;
	if (!level && entry & DART2_UNCACHABLE)
		found.prot |= IOPT_UNCACHED;
	return found;
}

const struct soft_format soft_apple_dart = {
	.name = "apple-dart",
	.granule_lg2 = 14,
	.index_lg2 = 11,
	.entry_lg2 = 3,
	.read_root = read_root1,
	.decode = decode1,
};

const struct soft_format soft_apple_dart_4k = {
	.name = "apple-dart-4k",
	.granule_lg2 = 12,
	.index_lg2 = 9,
	.entry_lg2 = 3,
	.read_root = read_root1,
	.decode = decode1,
};

const struct soft_format soft_apple_dart2 = {
	.name = "apple-dart2",
	.granule_lg2 = 14,
	.index_lg2 = 11,
	.entry_lg2 = 3,
	.read_root = read_root2,
	.decode = decode2,
};
