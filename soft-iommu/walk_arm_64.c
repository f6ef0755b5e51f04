/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm VMSAv8-64 tables, stage 1 and stage 2, as hardware reads them.
 *
 * Read for this: QEMU target/arm/ptw.c, get_phys_addr_lpae() and lpae_block_desc_valid(), which
 * follow the pseudocode of Arm's manual; for what they leave out (the contiguous bit, bits that are
 * reserved) Linux drivers/iommu/generic_pt/fmt/armv8.h and Linux 6.12
 * arch/arm64/include/asm/pgtable-hwdef.h and arch/arm64/Kconfig (ARM64_CONT_PTE_SHIFT). This unit
 * faults where a reserved bit is set, and where a run's entries do not continue each other.
 *
 * Levels count from the pages here: level L is level 3 - L there.
 */
#include <errno.h>

#include "internal.h"

/* As in QEMU, get_phys_addr_lpae(). */
#define VALID	 (1ull << 0)
#define TABLE	 (1ull << 1) /* above level 0; at level 0 a page */
#define S1_EL0	 (1ull << 6) /* AP[1] */
#define S1_RO	 (1ull << 7) /* AP[2] */
#define S2_READ	 (1ull << 6) /* S2AP */
#define S2_WRITE (1ull << 7)
#define ACCESSED (1ull << 10)
#define DBM	 (1ull << 51)
#define S1_PXN	 (1ull << 53)
#define S1_XN	 (1ull << 54)
#define S2_XN_0	 (1ull << 53)
#define S2_XN_1	 (1ull << 54)

/* The same: tableattrs, bits 63:59 of a table descriptor. */
#define PXN_TABLE   (1ull << 59)
#define XN_TABLE    (1ull << 60)
#define AP_TABLE_0  (1ull << 61) /* nothing unprivileged */
#define AP_TABLE_1  (1ull << 62) /* nothing written */
#define NS_TABLE    (1ull << 63)
#define S2_RESERVED (0x1full << 59) /* of a table at stage 2, which has no attributes */

#define CONTIGUOUS (1ull << 52) /* Linux, PTE_CONT */
#define GP	   (1ull << 50) /* armv8.h, Table D8-52: guarded page; this unit has none */
#define S2_BIT_11  (1ull << 11) /* reserved at stage 2, where it is nG at stage 1 */

#define S1_TYPE(entry) ((entry) >> 2 & 7)
#define S2_TYPE(entry) ((entry) >> 2 & 15)

/**
 * struct arm_64 - one of the formats
 * @stage:   1 or 2
 * @blocks:  highest level that may have blocks: QEMU, lpae_block_desc_valid()
 * @run_lg2: entries of a contiguous run by level: armv8.h, armv8pt_contig_count_lg2(); Kconfig
 */
struct arm_64 {
	uint8_t stage;
	uint8_t blocks;
	uint8_t run_lg2[SOFT_MAX_LEVELS];
};

/* MAIR as the formats are to be used with: attributes 4 and up are not there. */
#define MAIR_DEVICE 2u
#define MAIR_NC	    0u
#define MAIR_END    4u

static unsigned s1_prot(uint64_t entry)
{
	unsigned prot = IOPT_READ | (entry & S1_EL0 ? 0 : IOPT_PRIV);

	/* A write gets the permission from hardware where DBM is set: use_leaf() marks it. */
	if (entry & DBM || !(entry & S1_RO))
		prot |= IOPT_WRITE;
	if (!(entry & (entry & S1_EL0 ? S1_XN : S1_PXN)))
		prot |= IOPT_EXEC;
	if (S1_TYPE(entry) == MAIR_DEVICE)
		prot |= IOPT_DEVICE;
	else if (S1_TYPE(entry) == MAIR_NC)
		prot |= IOPT_UNCACHED;
	return prot;
}

static unsigned s2_prot(uint64_t entry)
{
	unsigned prot = entry & S2_READ ? IOPT_READ : 0;

	if (entry & (DBM | S2_WRITE))
		prot |= IOPT_WRITE;
	/* XN[1:0]: 0 both may execute, 2 nobody; others tell privileges apart. */
	if (!(entry & (S2_XN_1 | S2_XN_0)))
		prot |= IOPT_EXEC;
	/* MemAttr, as in QEMU, convert_stage2_attrs(): the high half 0 is Device, 1 non-cacheable. */
	if (!(S2_TYPE(entry) >> 2))
		prot |= IOPT_DEVICE;
	else if (S2_TYPE(entry) == 5)
		prot |= IOPT_UNCACHED;
	return prot;
}

static bool leaf_reserved(const struct arm_64 *a, uint64_t entry)
{
	if (entry & GP)
		return true;
	if (a->stage == 1)
		return S1_TYPE(entry) >= MAIR_END;
	return entry & (S2_BIT_11 | S2_XN_0) || S2_TYPE(entry) == 4 || S2_TYPE(entry) == 8 ||
	       S2_TYPE(entry) == 12;
}

static struct soft_entry decode_leaf(const struct arm_64 *a, uint64_t entry, unsigned level,
				     uint64_t pa)
{
	struct soft_entry found = { .kind = SOFT_LEAF, .own = pa };

	/* The reserved encoding of level 0, and levels without blocks: a translation fault. */
	if (level ? level > a->blocks : !(entry & TABLE))
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	if (leaf_reserved(a, entry))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	if (pa & ((1ull << soft_entry_lg2(level)) - 1))
		return soft_wrong(SOFT_IOMMU_MISALIGNED);
	if (entry & CONTIGUOUS && !a->run_lg2[level])
		return soft_wrong(SOFT_IOMMU_BAD_SIZE);
	found.lg2 = (uint8_t)(soft_entry_lg2(level) + (entry & CONTIGUOUS ? a->run_lg2[level] : 0));
	found.pa = pa & ~((1ull << found.lg2) - 1);
	found.prot = (uint8_t)(a->stage == 1 ? s1_prot(entry) : s2_prot(entry));
	return found;
}

static struct soft_entry decode_table(const struct arm_64 *a, uint64_t entry, uint64_t pa)
{
	struct soft_entry found = { .kind = SOFT_TABLE,
				    .pa = pa,
				    .prot = IOPT_READ | IOPT_WRITE | IOPT_EXEC };

	if (a->stage == 2)
		return entry & S2_RESERVED ? soft_wrong(SOFT_IOMMU_RESERVED_BITS) : found;
	if (entry & NS_TABLE)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS); /* this one is not secure */
	if (entry & AP_TABLE_0)
		found.prot |= IOPT_PRIV;
	if (entry & AP_TABLE_1)
		found.prot &= (uint8_t)~IOPT_WRITE;
	if (entry & (XN_TABLE | PXN_TABLE))
		found.prot &= (uint8_t)~IOPT_EXEC;
	return found;
}

/* Output addresses of 48 bits; 50:48 are reserved. */
static struct soft_entry decode(const struct arm_64 *a, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	uint64_t pa = entry & ((1ull << 48) - (1ull << SOFT_PAGE_LG2));

	if (!(entry & VALID))
		return (struct soft_entry){ .lg2 = (uint8_t)soft_entry_lg2(level) };
	if (entry >> 48 & 7 || pa & beyond)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	return level && entry & TABLE ? decode_table(a, entry, pa)
				      : decode_leaf(a, entry, level, pa);
}

/* IPS: as in QEMU, pamax_map. */
static unsigned output_width(unsigned ps)
{
	static const uint8_t widths[] = { 32, 36, 40, 42, 44, 48, 52 };

	return ps < sizeof(widths) ? widths[ps] : 0;
}

/*
 * What both stages have. The access flag and dirty state are hardware's with HA and HD; HD needs HA.
 * T0SZ as in QEMU helper.c, aa64_va_parameters(): 16 to 39. Tables of less than 64 bytes are aligned
 * to that; those here are pages at least.
 */
static int read_root(const struct iopt_hw_arm *arm, unsigned levels, struct soft_root *root)
{
	unsigned output = output_width(arm->ps), width = 64u - arm->tsz;

	if (arm->ds || (arm->hd && !arm->ha) || arm->tsz < 16 || arm->tsz > 39 || !output ||
	    output > 48 || arm->ttb >> output || levels > SOFT_MAX_LEVELS)
		return -EINVAL;
	if (arm->ttb & ((1ull << SOFT_PAGE_LG2) - 1))
		return -EINVAL;
	root->pa = arm->ttb;
	root->levels = (uint8_t)levels;
	root->width = (uint8_t)width;
	root->accessed = arm->ha;
	root->dirty = arm->hd;
	return 0;
}

/* QEMU, get_phys_addr_lpae(): as many strides as it takes. TG1 has other numbers than TG0. */
static int read_root_s1(const struct iopt_hw *hw, struct soft_root *root)
{
	const struct iopt_hw_arm *arm = &hw->arm;
	unsigned bits = 64u - arm->tsz - SOFT_PAGE_LG2;

	if (arm->tg != (arm->upper ? 2 : 0))
		return -EINVAL;
	root->upper = arm->upper;
	return read_root(arm, (bits + SOFT_INDEX_LG2 - 1) / SOFT_INDEX_LG2, root);
}

/*
 * QEMU, check_s2_mmu_setup(): with 4K granules SL0 is 0 for two levels and up to 2 for four; the
 * first one translates at least one bit, and four more than another at most, in tables that lie one
 * behind the other.
 */
static int read_root_s2(const struct iopt_hw *hw, struct soft_root *root)
{
	const struct iopt_hw_arm *arm = &hw->arm;
	unsigned below = soft_entry_lg2(arm->sl0 + 1u), width = 64u - arm->tsz, size;

	if (arm->tg || arm->upper || arm->sl0 > 2 || arm->sl2 || width <= below ||
	    width > below + SOFT_INDEX_LG2 + 4)
		return -EINVAL;
	/* All of it is aligned to its size. */
	size = width - below + 3;
	if (size > SOFT_PAGE_LG2 && arm->ttb & ((1ull << size) - 1))
		return -EINVAL;
	return read_root(arm, arm->sl0 + 2u, root);
}

static const struct arm_64 s1 = { .stage = 1, .blocks = 2, .run_lg2 = { 4, 4, 4 } };
static const struct arm_64 s2 = { .stage = 2, .blocks = 2, .run_lg2 = { 4, 4, 4 } };

static struct soft_entry decode_s1(uint64_t entry, unsigned level, uint64_t beyond)
{
	return decode(&s1, entry, level, beyond);
}

static struct soft_entry decode_s2(uint64_t entry, unsigned level, uint64_t beyond)
{
	return decode(&s2, entry, level, beyond);
}

const struct soft_format soft_arm_s1 = {
	.name = "arm-s1",
	.accessed = ACCESSED,
	.dirty = S1_RO,
	.inverted = S1_RO,
	.own_addresses = true,
	.fetches = true,
	.demands_marks = true,
	.read_root = read_root_s1,
	.decode = decode_s1,
};

const struct soft_format soft_arm_s2 = {
	.name = "arm-s2",
	.accessed = ACCESSED,
	.dirty = S2_WRITE,
	.own_addresses = true,
	.fetches = true,
	.demands_marks = true,
	.read_root = read_root_s2,
	.decode = decode_s2,
};
