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
 * Also long descriptors of AArch32, LPAE, which Linux makes by the same functions.
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

/* Where the high bits of an output address are: QEMU, get_phys_addr_lpae(), descaddr. */
enum output {
	OUTPUT_40,   /* AArch32: Linux 6.12 io-pgtable-arm.c, arm_32_lpae_alloc_pgtable_s1() */
	OUTPUT_48,   /* there are none */
	OUTPUT_LPA,  /* 51:48 in bits 15:12 */
	OUTPUT_LPA2, /* 49:48 in place, 51:50 in bits 9:8 */
};

/**
 * struct arm_64 - one of the formats
 * @stage:   1 or 2
 * @output:  enum output
 * @blocks:  highest level that may have blocks: QEMU, lpae_block_desc_valid()
 * @run_lg2: entries of a contiguous run by level: armv8.h, armv8pt_contig_count_lg2(); Kconfig
 */
struct arm_64 {
	uint8_t stage;
	uint8_t output;
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
	/* MemAttr, as in QEMU, convert_stage2_attrs(): high half 0 is Device, 1 non-cacheable. */
	if (!(S2_TYPE(entry) >> 2))
		prot |= IOPT_DEVICE;
	else if (S2_TYPE(entry) == 5)
		prot |= IOPT_UNCACHED;
	return prot;
}

static bool leaf_reserved(const struct arm_64 *a, uint64_t entry)
{
	if (entry & GP || (a->output == OUTPUT_40 && entry & DBM))
		return true;
	if (a->stage == 1)
		return S1_TYPE(entry) >= MAIR_END;
	return entry & S2_BIT_11 || S2_TYPE(entry) == 4 || S2_TYPE(entry) == 8 ||
	       S2_TYPE(entry) == 12;
}

static struct soft_entry decode_leaf(const struct soft_format *format, uint64_t entry,
				     unsigned level, uint64_t pa, uint64_t beyond)
{
	const struct arm_64 *a = format->variant;
	struct soft_entry found = { .kind = SOFT_LEAF, .own = pa };
	unsigned lg2 = soft_entry_lg2(format, level);

	/* The reserved encoding of level 0, and levels without blocks: a translation fault. */
	if (level ? level > a->blocks : !(entry & TABLE))
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	/* QEMU, lpae_block_desc_valid(): with LPA the largest are for 52 bits alone. */
	if (a->output == OUTPUT_LPA && level == a->blocks && beyond)
		return soft_wrong(SOFT_IOMMU_BAD_LEVEL);
	if (leaf_reserved(a, entry))
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	if (pa & ((1ull << lg2) - 1))
		return soft_wrong(SOFT_IOMMU_MISALIGNED);
	if (entry & CONTIGUOUS && !a->run_lg2[level])
		return soft_wrong(SOFT_IOMMU_BAD_SIZE);
	found.lg2 = (uint8_t)(lg2 + (entry & CONTIGUOUS ? a->run_lg2[level] : 0));
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

static uint64_t bits(unsigned high, unsigned low)
{
	return (2ull << high) - (1ull << low);
}

/* The output address, or false if a bit is set that no address is made of. */
static bool output_address(const struct soft_format *format, uint64_t entry, uint64_t *pa)
{
	const struct arm_64 *a = format->variant;
	unsigned granule = format->granule_lg2;

	switch (a->output) {
	case OUTPUT_40: *pa = entry & bits(39, granule); return !(entry & bits(50, 40));
	case OUTPUT_LPA:
		*pa = (entry & bits(47, granule)) | (entry >> 12 & 15) << 48;
		return !(entry & bits(50, 48));
	case OUTPUT_LPA2:
		*pa = (entry & bits(49, granule)) | (entry >> 8 & 3) << 50;
		return !(entry & (1ull << 50 | (bits(granule, 12) & ~(1ull << granule))));
	default:
		*pa = entry & bits(47, granule);
		return !(entry & (bits(50, 48) | (bits(granule, 12) & ~(1ull << granule))));
	}
}

static struct soft_entry decode(const struct soft_format *format, uint64_t entry, unsigned level,
				uint64_t beyond)
{
	uint64_t pa;

	if (!(entry & VALID))
		return (struct soft_entry){ .lg2 = (uint8_t)soft_entry_lg2(format, level) };
	if (!output_address(format, entry, &pa) || pa & beyond)
		return soft_wrong(SOFT_IOMMU_RESERVED_BITS);
	return level && entry & TABLE ? decode_table(format->variant, entry, pa)
				      : decode_leaf(format, entry, level, pa, beyond);
}

/* IPS: as in QEMU, pamax_map. */
static unsigned output_width(unsigned ps)
{
	static const uint8_t widths[] = { 32, 36, 40, 42, 44, 48, 52 };

	return ps < sizeof(widths) ? widths[ps] : 0;
}

/* TG0 and TG1: QEMU helper.c, tg0_to_gran_size() and tg1_to_gran_size(). */
static bool is_granule(const struct soft_format *format, unsigned tg, bool upper)
{
	static const uint8_t tg0[] = { 12, 16, 14, 0 }, tg1[] = { 0, 14, 12, 16 };

	return tg < 4 && (upper ? tg1 : tg0)[tg] == format->granule_lg2;
}

/*
 * What both stages have. The access flag and dirty state are hardware's with HA and HD; HD needs
 * HA. T0SZ as in QEMU helper.c, aa64_va_parameters(): 16 to 39, from 12 with 52 bits. A top is
 * aligned to its size, and to 64 bytes.
 */
static int read_common(const struct soft_format *format, const struct iopt_hw_arm *arm,
		       unsigned levels, struct soft_root *root)
{
	const struct arm_64 *a = format->variant;
	unsigned output = output_width(arm->ps), width = 64u - arm->tsz, size_lg2;

	/* As in Linux, arm_32_lpae_alloc_pgtable_s1() and _s2(): ias. */
	if (a->output == OUTPUT_40 && (arm->ha || output > 40 || width > (a->stage == 1 ? 32 : 40)))
		return -EINVAL;
	if (!is_granule(format, arm->tg, arm->upper) || arm->ds != (a->output == OUTPUT_LPA2) ||
	    (arm->hd && !arm->ha) || arm->tsz > 39 ||
	    arm->tsz < (a->output <= OUTPUT_48 ? 16 : 12) || !output ||
	    output > (a->output <= OUTPUT_48 ? 48 : 52) || arm->ttb >> output)
		return -EINVAL;
	size_lg2 = width - soft_entry_lg2(format, levels - 1) + 3;
	if (arm->ttb & ((1ull << (size_lg2 < 6 ? 6 : size_lg2)) - 1))
		return -EINVAL;
	root->pa = arm->ttb;
	root->levels = (uint8_t)levels;
	root->width = (uint8_t)width;
	root->accessed = arm->ha;
	root->dirty = arm->hd;
	root->upper = arm->upper;
	return 0;
}

/* QEMU, get_phys_addr_lpae(): as many strides as it takes. */
static int read_root_s1(const struct soft_format *format, const struct iopt_hw *hw,
			struct soft_root *root)
{
	unsigned width = 64u - hw->arm.tsz;

	if (hw->arm.tsz > 39)
		return -EINVAL;
	return read_common(
		format, &hw->arm,
		(width - format->granule_lg2 + format->index_lg2 - 1) / format->index_lg2, root);
}

/* QEMU, check_s2_mmu_setup(): levels by SL0 and SL2; 0: there is no such start. */
static unsigned start_levels(const struct soft_format *format, const struct iopt_hw_arm *arm)
{
	if (arm->sl2)
		return format->granule_lg2 == 12 && arm->ds && !arm->sl0 ? 5 : 0;
	if (format->granule_lg2 == 12)
		return arm->sl0 < 3 ? arm->sl0 + 2u : 0;
	return arm->sl0 < 3 || (arm->sl0 == 3 && format->granule_lg2 == 14 && arm->ds)
		       ? arm->sl0 + 1u
		       : 0;
}

/*
 * The same: the first table translates at least one bit, and four more than another at most, then
 * in tables that lie one behind the other.
 */
static int read_root_s2(const struct soft_format *format, const struct iopt_hw *hw,
			struct soft_root *root)
{
	unsigned levels = start_levels(format, &hw->arm), width = 64u - hw->arm.tsz, below;

	if (!levels || hw->arm.upper || hw->arm.tsz > 39)
		return -EINVAL;
	below = soft_entry_lg2(format, levels - 1);
	if (width <= below || width > below + format->index_lg2 + 4)
		return -EINVAL;
	return read_common(format, &hw->arm, levels, root);
}

static const struct arm_64 s1 = { 1, OUTPUT_48, 2, { 4, 4, 4 } };
static const struct arm_64 s1_16k = { 1, OUTPUT_48, 1, { 7, 5 } };
static const struct arm_64 s1_64k = { 1, OUTPUT_LPA, 2, { 5, 5 } };
static const struct arm_64 s1_lpa2 = { 1, OUTPUT_LPA2, 3, { 4, 4, 4 } };
static const struct arm_64 s1_16k_lpa2 = { 1, OUTPUT_LPA2, 2, { 7, 5 } };
static const struct arm_64 lpae32_s1 = { 1, OUTPUT_40, 2, { 0 } };
static const struct arm_64 lpae32_s2 = { 2, OUTPUT_40, 2, { 0 } };
static const struct arm_64 s2 = { 2, OUTPUT_48, 2, { 4, 4, 4 } };
static const struct arm_64 s2_16k = { 2, OUTPUT_48, 1, { 7, 5 } };
static const struct arm_64 s2_64k = { 2, OUTPUT_LPA, 2, { 5, 5 } };
static const struct arm_64 s2_lpa2 = { 2, OUTPUT_LPA2, 3, { 4, 4, 4 } };
static const struct arm_64 s2_16k_lpa2 = { 2, OUTPUT_LPA2, 2, { 7, 5 } };

/* What all of a stage share, and an entry's eight bytes. */
/* clang-format off */
#define S1_FORMAT \
	.entry_lg2 = 3, .accessed = ACCESSED, .dirty = S1_RO, .inverted = S1_RO, \
	.own_addresses = true, .fetches = true, .demands_marks = true, \
	.read_root = read_root_s1, .decode = decode
#define S2_FORMAT \
	.entry_lg2 = 3, .accessed = ACCESSED, .dirty = S2_WRITE, \
	.own_addresses = true, .fetches = true, .demands_marks = true, \
	.read_root = read_root_s2, .decode = decode
/* clang-format on */

const struct soft_format soft_arm_s1 = {
	.name = "arm-s1",
	.granule_lg2 = 12,
	.index_lg2 = 9,
	.variant = &s1,
	S1_FORMAT,
};

const struct soft_format soft_arm_s1_16k = {
	.name = "arm-s1-16k",
	.granule_lg2 = 14,
	.index_lg2 = 11,
	.variant = &s1_16k,
	S1_FORMAT,
};

const struct soft_format soft_arm_s1_64k = {
	.name = "arm-s1-64k",
	.granule_lg2 = 16,
	.index_lg2 = 13,
	.variant = &s1_64k,
	S1_FORMAT,
};

const struct soft_format soft_arm_s1_lpa2 = {
	.name = "arm-s1-lpa2",
	.granule_lg2 = 12,
	.index_lg2 = 9,
	.variant = &s1_lpa2,
	S1_FORMAT,
};

const struct soft_format soft_arm_s1_16k_lpa2 = {
	.name = "arm-s1-16k-lpa2",
	.granule_lg2 = 14,
	.index_lg2 = 11,
	.variant = &s1_16k_lpa2,
	S1_FORMAT,
};

const struct soft_format soft_arm_s2 = {
	.name = "arm-s2",
	.granule_lg2 = 12,
	.index_lg2 = 9,
	.variant = &s2,
	S2_FORMAT,
};

const struct soft_format soft_arm_s2_16k = {
	.name = "arm-s2-16k",
	.granule_lg2 = 14,
	.index_lg2 = 11,
	.variant = &s2_16k,
	S2_FORMAT,
};

const struct soft_format soft_arm_s2_64k = {
	.name = "arm-s2-64k",
	.granule_lg2 = 16,
	.index_lg2 = 13,
	.variant = &s2_64k,
	S2_FORMAT,
};

const struct soft_format soft_arm_s2_lpa2 = {
	.name = "arm-s2-lpa2",
	.granule_lg2 = 12,
	.index_lg2 = 9,
	.variant = &s2_lpa2,
	S2_FORMAT,
};

const struct soft_format soft_arm_s2_16k_lpa2 = {
	.name = "arm-s2-16k-lpa2",
	.granule_lg2 = 14,
	.index_lg2 = 11,
	.variant = &s2_16k_lpa2,
	S2_FORMAT,
};

const struct soft_format soft_arm_lpae32_s1 = {
	.name = "arm-lpae32-s1",
	.granule_lg2 = 12,
	.index_lg2 = 9,
	.variant = &lpae32_s1,
	S1_FORMAT,
};

const struct soft_format soft_arm_lpae32_s2 = {
	.name = "arm-lpae32-s2",
	.granule_lg2 = 12,
	.index_lg2 = 9,
	.variant = &lpae32_s2,
	S2_FORMAT,
};
