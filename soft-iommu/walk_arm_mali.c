/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Tables of Mali GPUs, as hardware reads them, as far as Linux tells.
 *
 * Read for this: Linux 6.12 drivers/iommu/io-pgtable-arm.c, ARM_MALI_LPAE, and
 * drivers/gpu/drm/panfrost/panfrost_mmu.c, panfrost_mmu_enable(). Nobody says what is reserved or
 * ignored: a bit that Linux's tables never have is reserved here, but in what is not valid. That
 * interior tables have, unlinked, while a device may still get to them through its caches.
 */
#include <errno.h>

#include "internal.h"

/* As in Linux, iopte_leaf(): leaves of all levels are blocks. */
#define TYPE	   (3ull << 0)
#define TYPE_BLOCK (1ull << 0)
#define TYPE_TABLE (3ull << 0)

/* As in Linux, ARM_LPAE_PTE_*. */
#define ATTRINDX(entry) ((entry) >> 2 & 7)
#define HAP_READ	(1ull << 6)
#define HAP_WRITE	(1ull << 7)
#define SH		(3ull << 8)
#define SH_OS		(2ull << 8)
#define XN		(3ull << 53)
#define SW_SYNC		(1ull << 55)
#define ADDRESS		0x000000fffffff000ull /* as in Linux, cfg->oas: 40 bits */

/* As in Linux, ARM_MALI_LPAE_TTBR_*. */
#define ADRMODE_TABLE (3ull << 0)
#define READ_INNER    (1ull << 2)
#define SHARE_OUTER   (1ull << 4)

/* Always four levels, of 48 bits. */
static int read_root(const struct soft_format *format, const struct iopt_hw *hw,
		     struct soft_root *root)
{
	uint64_t transtab = hw->arm_mali.transtab;

	(void)format;
	if ((transtab & 0xfff & ~SHARE_OUTER) != (ADRMODE_TABLE | READ_INNER) ||
	    transtab & ~(ADDRESS | 0xfff))
		return -EINVAL;
	root->pa = transtab & ADDRESS;
	root->levels = 4;
	root->width = 48;
	return 0;
}

static unsigned leaf_prot(uint64_t entry)
{
	static const unsigned types[] = { IOPT_UNCACHED, 0, IOPT_DEVICE };

	return (entry & HAP_READ ? IOPT_READ : 0) | (entry & HAP_WRITE ? IOPT_WRITE : 0) |
	       (entry & XN ? 0 : IOPT_EXEC) | types[ATTRINDX(entry)];
}

static struct soft_entry decode_leaf(const struct soft_format *format, uint64_t entry,
				     unsigned level)
{
	struct soft_entry found = { .kind = SOFT_LEAF, .pa = entry & ADDRESS };

	if (level > 2)
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	if (entry & ~(TYPE | 7ull << 2 | HAP_READ | HAP_WRITE | SH | ADDRESS | XN) ||
	    (entry & SH) != SH_OS || ATTRINDX(entry) > 2)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	found.lg2 = (uint8_t)soft_entry_lg2(format, level);
	if (found.pa & ((1ull << found.lg2) - 1))
		return soft_wrong(SOFT_IOMMU_MISALIGNED);
	found.prot = (uint8_t)leaf_prot(entry);
	return found;
}

static struct soft_entry decode(const struct soft_format *format, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	switch (entry & TYPE) {
	case TYPE_BLOCK:
	case TYPE_TABLE:
		if (entry & ADDRESS & beyond)
			return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
		break;
	default:
		return entry && !level
			       ? soft_wrong(SOFT_IOMMU_RESERVED_BITS)
			       : (struct soft_entry){ .lg2 = (uint8_t)soft_entry_lg2(format,
										     level) };
	}
	if ((entry & TYPE) == TYPE_BLOCK)
		return decode_leaf(format, entry, level);
	if (!level)
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	if (entry & ~(TYPE | ADDRESS | SW_SYNC))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	return (struct soft_entry){ .kind = SOFT_TABLE,
				    .pa = entry & ADDRESS,
				    .prot = IOPT_READ | IOPT_WRITE | IOPT_EXEC };
}

const struct soft_format soft_arm_mali = {
	.name = "arm-mali",
	.granule_lg2 = 12,
	.index_lg2 = 9,
	.entry_lg2 = 3,
	.fetches = true,
	.read_root = read_root,
	.decode = decode,
};
