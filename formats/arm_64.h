/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm VMSAv8-64 descriptors: what the formats arm_s1*.h and arm_s2*.h share, and the long
 * descriptors of AArch32, LPAE, arm_lpae32_s*.h. Each of those headers says what its granule and
 * its output addresses are (struct arm_64), what it is called, and includes arm_64_functions.h,
 * which makes functions of one entry out of those here.
 *
 * Sources: the text of the Arm Architecture Reference Manual was not at hand. What is below is as
 * in
 *   armv8.h: Linux drivers/iommu/generic_pt/fmt/armv8.h (newer than 6.12), which goes by chapter D8
 *     of that manual, edition L.b, and names its tables;
 *   Linux 6.12: drivers/iommu/io-pgtable-arm.c (.h), arch/arm64/include/asm/pgtable-hwdef.h and
 *     kvm_pgtable.h, arch/arm64/Kconfig (ARM64_CONT_PTE_SHIFT, ARM64_CONT_PMD_SHIFT);
 *   QEMU: target/arm/ptw.c, get_phys_addr_lpae(), lpae_block_desc_valid(): a walker.
 * They agree on every bit used here, but for two: armv8.h has the names UXN and PXN the other way
 * round. Here they are as in pgtable-hwdef.h, PTE_PXN and PTE_UXN, and QEMU.
 *
 * Levels. Level L here is level 3 - L in Arm's documents (armv8.h, ARML3 ... ARMLn1); as a leaf,
 * and in brackets as a run of entries with the contiguous bit (armv8.h, the table at its head and
 * armv8pt_can_have_leaf(); Kconfig for the runs):
 *
 *   level  4K granule      16K granule     64K granule
 *   4      - (LPA2)
 *   3      512G LPA2       -
 *   2      1G (16G)        64G LPA2        4T LPA
 *   1      2M (32M)        32M (1G)        512M (16G)
 *   0      4K (64K)        16K (2M)        64K (2M)
 *
 * No runs are made of the leaves that LPA and LPA2 add: the sources do not agree that there are
 * any.
 *
 * Bits of a valid descriptor (VALID = 1):
 *
 *   bits    table                      leaf, stage 1              leaf, stage 2
 *   63      NSTable; 0 here            ignored                    ignored
 *   62:61   APTable; 0 here            ignored, PBHA              ignored, PBHA
 *   60      UXNTable; 0 here           ignored, PBHA              ignored, PBHA
 *   59      PXNTable; 0 here           ignored, PBHA              ignored, PBHA
 *   58:56   ignored                    ignored, for software      ignored, for software
 *   55      ignored                    ignored, for software      NS in Realm state, else software
 *   54      ignored                    UXN                        XN[1]
 *   53      ignored                    PXN                        XN[0]; 0 here
 *   52      ignored                    contiguous                 contiguous
 *   51      ignored                    DBM                        DBM
 *   50      reserved (0)      (1)      GP; 0 here        (1)      reserved (0)      (1)
 *   49:12   address           (1)      address           (1)      address           (1)
 *   11      ignored                    nG                         reserved (0)
 *   10      ignored                    AF                         AF
 *   9:8     ignored           (1)      SH                (1)      SH                (1)
 *   7       ignored                    AP[2]: read only           S2AP[1]: write
 *   6       ignored                    AP[1]: unprivileged too    S2AP[0]: read
 *   5       ignored                    NS; 0 here                 MemAttr[3]
 *   4:2     ignored                    AttrIndx                   MemAttr[2:0]
 *   1       1                          1 at level 0, else 0       1 at level 0, else 0
 *   0       VALID                      VALID                      VALID
 *
 *   (1) Output addresses (enum arm_64_oa). 48 bits: 47 to the granule's size, 49:48 reserved
 *       (0). LPA (64K granule): 47:16, and 51:48 in bits 15:12. LPA2 (TCR.DS = 1): 49 to the
 *       granule's size, and 51:50 in bits 9:8; shareability comes from TCR then. Below the address
 *       0. AArch32: 39:12, 47:40 reserved (0).
 *
 *   As in armv8.h, ARMV8PT_FMT_*; ignored bits as in armv8.h, armv8pt_sw_bit() (of its Tables D8-50
 *   to D8-53: bits 58:56 in all descriptors, 55 but for stage 2 in Realm state).
 *
 * A descriptor of level 0 without bit 1, or of a level that has no blocks without it, is reserved
 * (QEMU: a translation fault): not present, like all that the engine did not write.
 *
 * Runs. Each entry of a run has its own address, and all of them the contiguous bit; the hint may
 * be used or not. Hardware marks the one that it walked by: a run is dirty if one of its entries
 * is.
 *
 * Permissions are the leaf's own: table descriptors restrict nothing. Stage 1: IOPT_PRIV clears
 * AP[1]. Without AP[1] unprivileged fetches are still a matter of UXN, which IOPT_PRIV therefore
 * sets; PXN is set where IOPT_EXEC is not asked for. This is for stage 1 of two privilege levels
 * (SMMU: NS-EL1, or EL2 with E2H). What can be written can be read. Stage 2: read and write are a
 * bit each. nG is set (as in Linux, arm_lpae_prot_to_pte()).
 *
 * Memory types: indices of MAIR (stage 1) or MemAttr itself (stage 2, without FWB); shareability is
 * inner for what is cacheable, outer for the rest (both as in Linux, arm_lpae_prot_to_pte()).
 *
 * Live changes. Permissions may change while hardware uses a leaf; another memory type wants a
 * break first (as in Linux 6.12 arch/arm64/mm/mmu.c, pgattr_change_is_safe()), and so does another
 * size below level 2 of FEAT_BBM (IOPT_CAN_BBM).
 *
 * Accessed and dirty. Where no dirty bits are tracked, AF starts set, DBM is clear and hardware
 * marks nothing. Where they are (HA and HD set), leaves start with AF clear, and those that may be
 * written with DBM set and the permission to write taken away: AP[2] = 1 or S2AP[1] = 0. The first
 * write makes hardware give the permission back, which is how it says dirty (QEMU; Linux,
 * iopte_writeable_dirty()). Dirty is thus:
 *
 *   DBM = 1: AP[2] = 0 or S2AP[1] = 1, hardware's.
 *   DBM = 0: bit 56, the software's: what was written before the permission was taken away for good
 *            stays to be told. No hardware changes these leaves but for AF.
 *
 * AArch32 has the same bits in 32-bit IOVA (stage 2: 40), without DBM, and no hardware that sets
 * AF, which is always set (as in Linux 6.12 io-pgtable-arm.c, arm_32_lpae_alloc_pgtable_s1(), which
 * is that of AArch64 with narrower addresses). Bits 58:55 are the software's there, too (as in
 * Linux arch/arm/include/asm/pgtable-3level.h, L_PTE_DIRTY to L_PTE_RDONLY). Sizes must not change
 * live: FEAT_BBM is of AArch64. Runs are left out, as Linux leaves them out.
 *
 * Software values. With VALID = 0 all other bits are the software's. One that all of them have and
 * no valid descriptor, so that they are told apart whatever valid is:
 *
 *   bit 58: a software value. Which one is in bits 3:2. 00: dead; 01: frozen, its generation in
 *   bits 35:12; 10: retiring, the table's address where a table descriptor has it.
 *
 * Bit 57 of a leaf is the mark "pending", bit 56 see above. Bit 55 of a table descriptor is the
 * mark "unwritten" (where Linux has one, the other way round: ARM_LPAE_PTE_SW_SYNC).
 *
 * What is not valid and not all zero counts as a software value, whoever wrote it.
 *
 * Clearing dirty. One atomic AND is not enough: at stage 1 a bit is set, and the entry may be of a
 * run or of a leaf of its own at both stages. Compare-and-exchange.
 */
#ifndef FORMATS_ARM_64_H
#define FORMATS_ARM_64_H

#include "engine/format.h"

/* armv8.h, ARMV8PT_FMT_*; Linux, ARM_LPAE_PTE_*. */
#define ARM_64_VALID (1ull << 0)
#define ARM_64_TABLE (1ull << 1) /* above level 0 */
#define ARM_64_PAGE  (1ull << 1) /* at level 0 */
#define ARM_64_SH_OS (2ull << 8)
#define ARM_64_SH_IS (3ull << 8)
#define ARM_64_AF    (1ull << 10)
/* AttrIndx and NS, or MemAttr; shareability changes with them, if it is in descriptors at all. */
#define ARM_64_FIXED (15ull << 2)
#define ARM_64_DBM   (1ull << 51)
#define ARM_64_CONT  (1ull << 52)

/* Stage 1: Linux pgtable-hwdef.h, PTE_*. */
#define ARM_64_ATTRINDX(n) ((uint64_t)(n) << 2)
#define ARM_64_EL0	   (1ull << 6) /* AP[1] */
#define ARM_64_RDONLY	   (1ull << 7) /* AP[2] */
#define ARM_64_NG	   (1ull << 11)
#define ARM_64_PXN	   (1ull << 53)
#define ARM_64_UXN	   (1ull << 54)

/* Which attribute is where in MAIR: Linux io-pgtable-arm.c, ARM_LPAE_MAIR_ATTR_*. */
#define ARM_64_MAIR_NC	  0u
#define ARM_64_MAIR_CACHE 1u
#define ARM_64_MAIR_DEV	  2u
#define ARM_64_MAIR	  0xf404ff44ull

/* Stage 2: Linux kvm_pgtable.h, KVM_PTE_LEAF_ATTR_*; io-pgtable-arm.c, ARM_LPAE_PTE_MEMATTR_*. */
#define ARM_64_MEMATTR(n)   ((uint64_t)(n) << 2)
#define ARM_64_MEMATTR_OIWB 0xfu
#define ARM_64_MEMATTR_NC   0x5u
#define ARM_64_MEMATTR_DEV  0x1u
#define ARM_64_S2_READ	    (1ull << 6)
#define ARM_64_S2_WRITE	    (1ull << 7)
#define ARM_64_S2_XN	    (1ull << 54)

/* The engine's own bits, see above. */
#define ARM_64_SOFT	 (1ull << 58)
#define ARM_64_PENDING	 (1ull << 57)
#define ARM_64_UNWRITTEN (1ull << 55)
#define ARM_64_WRITTEN	 (1ull << 56)
#define ARM_64_FROZEN	 (ARM_64_SOFT | 1ull << 2)
#define ARM_64_RETIRING	 (ARM_64_SOFT | 2ull << 2)
#define ARM_64_WHICH	 (3ull << 2)

#define ARM_64_GENERATION_SHIFT 12u

/* What IOPT_TRACKABLE domains are, IOPT_TRACK or not. */
#define ARM_64_TRACKS (IOPT_TRACKABLE | IOPT_TRACK)

/* What those of AArch64 can do. */
#define ARM_64_S1_ABILITIES                                                     \
	(IOPT_CAN_TRACK_DIRTY | IOPT_CAN_RUNS | IOPT_CAN_EXEC | IOPT_CAN_PRIV | \
	 IOPT_CAN_MEMORY_TYPES | IOPT_CAN_RESIZE | IOPT_CAN_TRIM | IOPT_CAN_BBM | IOPT_CAN_UPPER)
#define ARM_64_S2_ABILITIES                                                           \
	(IOPT_CAN_TRACK_DIRTY | IOPT_CAN_RUNS | IOPT_CAN_WRITE_ONLY | IOPT_CAN_EXEC | \
	 IOPT_CAN_MEMORY_TYPES | IOPT_CAN_RESIZE | IOPT_CAN_TRIM | IOPT_CAN_BBM)

/**
 * enum arm_64_oa - where the bits of an output address are
 * @ARM_64_OA_40:   39:granule, of AArch32
 * @ARM_64_OA_48:   47:granule
 * @ARM_64_OA_LPA:  47:16, and 51:48 in bits 15:12
 * @ARM_64_OA_LPA2: 49:granule, and 51:50 in bits 9:8
 */
enum arm_64_oa { ARM_64_OA_40, ARM_64_OA_48, ARM_64_OA_LPA, ARM_64_OA_LPA2 };

/**
 * struct arm_64 - which of these formats it is: constants, all of them
 * @stage:       1 or 2
 * @oa:          see enum arm_64_oa
 * @granule_lg2: smallest leaf, and a table's size
 * @blocks:      highest level that has leaves
 * @run_lg2:     entries of a run, by level; 0: no runs
 */
struct arm_64 {
	uint8_t stage;
	uint8_t oa;
	uint8_t granule_lg2;
	uint8_t blocks;
	uint8_t run_lg2[IOPT_MAX_LEVELS];
};

/* Hardware of AArch32 marks nothing. */
static inline bool arm_64_tracks(const struct arm_64 *a, uint32_t config_flags)
{
	return a->oa != ARM_64_OA_40 && config_flags & ARM_64_TRACKS;
}

static inline __attribute__((always_inline)) uint64_t arm_64_bits(unsigned high, unsigned low)
{
	return (~0ull >> (63 - high)) & (~0ull << low);
}

/* ---- addresses ----------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) uint64_t arm_64_oa_mask(const struct arm_64 *a)
{
	switch (a->oa) {
	case ARM_64_OA_40: return arm_64_bits(39, a->granule_lg2);
	case ARM_64_OA_LPA: return arm_64_bits(47, 12);
	case ARM_64_OA_LPA2: return arm_64_bits(49, a->granule_lg2) | arm_64_bits(9, 8);
	default: return arm_64_bits(47, a->granule_lg2);
	}
}

/*
 * By a branch where bits are elsewhere, here and below: few addresses have them, and a walk waits
 * for each table's address before it can read the next.
 */
static inline __attribute__((always_inline)) uint64_t arm_64_oa_put(const struct arm_64 *a,
								    uint64_t pa)
{
	switch (a->oa) {
	case ARM_64_OA_LPA:
		if (__builtin_expect(!(pa >> 48), 1))
			return pa;
		return (pa & arm_64_bits(47, 16)) | pa >> 48 << 12;
	case ARM_64_OA_LPA2:
		if (__builtin_expect(!(pa >> 50), 1))
			return pa;
		return (pa & arm_64_bits(49, 12)) | pa >> 50 << 8;
	default: return pa;
	}
}

static inline __attribute__((always_inline)) uint64_t arm_64_oa_get(const struct arm_64 *a,
								    uint64_t entry)
{
	const uint64_t low = entry & arm_64_oa_mask(a);

	switch (a->oa) {
	case ARM_64_OA_LPA:
		if (__builtin_expect(!(entry & 0xf000), 1))
			return entry & arm_64_bits(47, 16);
		return (low & ~0xf000ull) | (low & 0xf000) << 36;
	case ARM_64_OA_LPA2:
		if (__builtin_expect(!(entry & 0x300), 1))
			return entry & arm_64_bits(49, a->granule_lg2);
		return (low & ~0x300ull) | (low & 0x300) << 42;
	default: return low;
	}
}

/* ---- what an entry is ---------------------------------------------------------------------- */

static inline __attribute__((always_inline)) enum iopt_kind
arm_64_kind(const struct arm_64 *a, uint64_t entry, unsigned level)
{
	if (!(entry & ARM_64_VALID))
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	if (level == 0)
		return entry & ARM_64_PAGE ? IOPT_LEAF : IOPT_SOFT;
	if (entry & ARM_64_TABLE)
		return IOPT_TABLE;
	return level <= a->blocks ? IOPT_LEAF : IOPT_SOFT;
}

static inline enum iopt_soft arm_64_soft(uint64_t entry)
{
	switch (entry & (ARM_64_SOFT | ARM_64_WHICH | ARM_64_VALID)) {
	case ARM_64_FROZEN: return IOPT_FROZEN;
	case ARM_64_RETIRING: return IOPT_RETIRING;
	default: return IOPT_DEAD;
	}
}

static inline uint64_t arm_64_frozen(uint32_t generation)
{
	return ARM_64_FROZEN | (uint64_t)generation << ARM_64_GENERATION_SHIFT;
}

static inline uint32_t arm_64_frozen_generation(uint64_t entry)
{
	return (uint32_t)(entry >> ARM_64_GENERATION_SHIFT) & ((1u << IOPT_GENERATION_BITS) - 1);
}

static inline uint64_t arm_64_retiring(const struct arm_64 *a, uint64_t pa)
{
	return ARM_64_RETIRING | arm_64_oa_put(a, pa);
}

/* ---- attributes ---------------------------------------------------------------------------- */

/* As in Linux io-pgtable-arm.c, arm_lpae_prot_to_pte(). */
static inline __attribute__((always_inline)) uint64_t arm_64_memory(const struct arm_64 *a,
								    unsigned prot)
{
	const bool other = prot & (IOPT_UNCACHED | IOPT_DEVICE);
	uint64_t sh = a->oa == ARM_64_OA_LPA2 ? 0 : other ? ARM_64_SH_OS : ARM_64_SH_IS;

	if (a->stage == 1)
		return sh | ARM_64_ATTRINDX(prot & IOPT_DEVICE	   ? ARM_64_MAIR_DEV
					    : prot & IOPT_UNCACHED ? ARM_64_MAIR_NC
								   : ARM_64_MAIR_CACHE);
	return sh | ARM_64_MEMATTR(prot & IOPT_DEVICE	  ? ARM_64_MEMATTR_DEV
				   : prot & IOPT_UNCACHED ? ARM_64_MEMATTR_NC
							  : ARM_64_MEMATTR_OIWB);
}

static inline unsigned arm_64_memory_prot(const struct arm_64 *a, uint64_t entry)
{
	uint64_t type = entry >> 2 & (a->stage == 1 ? 7 : 15);

	if (a->stage == 1)
		return type == ARM_64_MAIR_DEV	? IOPT_DEVICE
		       : type == ARM_64_MAIR_NC ? IOPT_UNCACHED
						: 0;
	/* MemAttr[3:2] = 0 is Device, of one kind or another. */
	return type < 4 ? IOPT_DEVICE : type == ARM_64_MEMATTR_NC ? IOPT_UNCACHED : 0;
}

static inline __attribute__((always_inline)) uint64_t arm_64_s1_access(unsigned prot, bool tracks)
{
	uint64_t bits = ARM_64_NG;

	if (!(prot & IOPT_WRITE))
		bits |= ARM_64_RDONLY;
	else if (tracks)
		bits |= ARM_64_DBM | ARM_64_RDONLY;
	if (!(prot & IOPT_PRIV))
		bits |= ARM_64_EL0;
	if ((prot & IOPT_PRIV) || !(prot & IOPT_EXEC))
		bits |= ARM_64_UXN;
	if (!(prot & IOPT_EXEC))
		bits |= ARM_64_PXN;
	return bits;
}

static inline __attribute__((always_inline)) uint64_t arm_64_s2_access(unsigned prot, bool tracks)
{
	uint64_t bits = 0;

	if (prot & IOPT_READ)
		bits |= ARM_64_S2_READ;
	if (prot & IOPT_WRITE)
		bits |= tracks ? ARM_64_DBM : ARM_64_S2_WRITE;
	if (!(prot & IOPT_EXEC))
		bits |= ARM_64_S2_XN;
	return bits;
}

static inline __attribute__((always_inline)) int
arm_64_leaf_attr(const struct arm_64 *a, unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	const unsigned types = IOPT_UNCACHED | IOPT_DEVICE;
	const bool tracks = arm_64_tracks(a, config_flags);
	unsigned known = IOPT_READ | IOPT_WRITE | IOPT_EXEC | types;

	if (a->stage == 1)
		known |= IOPT_PRIV;
	if ((prot & ~known) || (prot & types) == types)
		return -IOPT_EINVAL;
	if (!(prot & (a->stage == 1 ? IOPT_READ : IOPT_READ | IOPT_WRITE)))
		return -IOPT_EINVAL;
	*attr = ARM_64_VALID | (tracks ? 0 : ARM_64_AF) | arm_64_memory(a, prot) |
		(a->stage == 1 ? arm_64_s1_access(prot, tracks) : arm_64_s2_access(prot, tracks));
	return 0;
}

/* ---- leaves -------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) unsigned arm_64_span_lg2(const struct arm_64 *a,
								      unsigned level)
{
	return a->granule_lg2 + level * (a->granule_lg2 - 3u);
}

static inline __attribute__((always_inline)) uint64_t arm_64_leaf(const struct arm_64 *a,
								  uint64_t attr, uint64_t pa,
								  unsigned level, unsigned size_lg2,
								  unsigned slot)
{
	const unsigned span_lg2 = arm_64_span_lg2(a, level);
	uint64_t entry = attr | (level ? 0 : ARM_64_PAGE);

	if (size_lg2 == span_lg2)
		return entry | arm_64_oa_put(a, pa);
	/* Its number in the run, wherever that lies in the table. */
	slot &= (1u << (size_lg2 - span_lg2)) - 1;
	return entry | ARM_64_CONT | arm_64_oa_put(a, pa + ((uint64_t)slot << span_lg2));
}

static inline uint64_t arm_64_leaf_attrs(const struct arm_64 *a, uint64_t entry)
{
	return entry & ~(arm_64_oa_mask(a) | ARM_64_CONT | ARM_64_PAGE);
}

static inline __attribute__((always_inline)) unsigned
arm_64_leaf_lg2(const struct arm_64 *a, uint64_t entry, unsigned level)
{
	return arm_64_span_lg2(a, level) + (entry & ARM_64_CONT ? a->run_lg2[level] : 0);
}

static inline uint64_t arm_64_leaf_pa(const struct arm_64 *a, uint64_t entry, unsigned level)
{
	return arm_64_oa_get(a, entry) & ~((1ull << arm_64_leaf_lg2(a, entry, level)) - 1);
}

static inline unsigned arm_64_leaf_prot(const struct arm_64 *a, uint64_t entry)
{
	unsigned prot = arm_64_memory_prot(a, entry);

	if (a->stage == 2)
		return prot | (entry & ARM_64_S2_READ ? IOPT_READ : 0) |
		       (entry & (ARM_64_S2_WRITE | ARM_64_DBM) ? IOPT_WRITE : 0) |
		       (entry & ARM_64_S2_XN ? 0 : IOPT_EXEC);
	prot |= IOPT_READ | (entry & ARM_64_EL0 ? 0 : IOPT_PRIV);
	if ((entry & ARM_64_DBM) || !(entry & ARM_64_RDONLY))
		prot |= IOPT_WRITE;
	if (!(entry & (prot & IOPT_PRIV ? ARM_64_PXN : ARM_64_UXN)))
		prot |= IOPT_EXEC;
	return prot;
}

/* ---- accessed and dirty -------------------------------------------------------------------- */

/* The bit that says dirty, and what it is when it does. */
static inline uint64_t arm_64_dirty_bit(uint64_t entry)
{
	return entry & ARM_64_DBM ? ARM_64_RDONLY /* and ARM_64_S2_WRITE */ : ARM_64_WRITTEN;
}

static inline uint64_t arm_64_dirty_value(const struct arm_64 *a, uint64_t entry)
{
	return entry & ARM_64_DBM && a->stage == 1 ? 0 : arm_64_dirty_bit(entry);
}

static inline uint64_t arm_64_leaf_hw(uint64_t entry)
{
	return ARM_64_AF | arm_64_dirty_bit(entry);
}

static inline uint64_t arm_64_leaf_dirtied(const struct arm_64 *a, uint64_t entry)
{
	return (entry & ~arm_64_dirty_bit(entry)) | arm_64_dirty_value(a, entry);
}

static inline uint64_t arm_64_leaf_clean(const struct arm_64 *a, uint64_t entry)
{
	return arm_64_leaf_dirtied(a, entry) ^ arm_64_dirty_bit(entry);
}

static inline bool arm_64_leaf_dirty(const struct arm_64 *a, uint64_t entry)
{
	return (entry & arm_64_dirty_bit(entry)) == arm_64_dirty_value(a, entry);
}

/* ---- geometry and what the hardware is told -------------------------------------------------- */

/* T0SZ is at most 39 without FEAT_TTST: QEMU helper.c, aa64_va_parameters(). */
#define ARM_64_IOVA_LG2_LEAST 25u

/*
 * Stage 2. Start levels are there only where physical addresses have so many bits (QEMU,
 * check_s2_mmu_setup(); armv8.h, armv8pt_s2_validate_level()). How many the hardware has is not
 * known here, but IOVAs have no more: what has these bits needs that level, or may have it. 16K
 * granules have four levels with LPA2 alone.
 */
static inline bool arm_64_s2_fits(const struct arm_64 *a, const struct iopt_geometry *geometry)
{
	switch (a->granule_lg2) {
	case 12: return geometry->levels < 4 || geometry->iova_lg2 >= 44;
	case 14:
		return geometry->levels < 3 ||
		       geometry->iova_lg2 >= (geometry->levels < 4 ? 42 : 49);
	default: return geometry->levels < 3 || geometry->iova_lg2 >= 44;
	}
}

static inline bool arm_64_fits(const struct arm_64 *a, const struct iopt_geometry *geometry)
{
	return geometry->iova_lg2 >= ARM_64_IOVA_LG2_LEAST &&
	       (a->stage == 1 || arm_64_s2_fits(a, geometry));
}

/* As in Linux io-pgtable-arm.h, ARM_LPAE_TCR_TG0_* and ARM_LPAE_TCR_TG1_*. */
static inline uint8_t arm_64_tg(const struct arm_64 *a, bool upper)
{
	switch (a->granule_lg2) {
	case 12: return upper ? 2 : 0;
	case 14: return upper ? 1 : 2;
	default: return upper ? 3 : 1;
	}
}

/* As in Linux io-pgtable-arm.h, ARM_LPAE_TCR_PS_*: the next that is enough. */
static inline uint8_t arm_64_ps(unsigned pa_lg2)
{
	static const uint8_t widths[] = { 32, 36, 40, 42, 44, 48 };
	uint8_t ps = 0;

	while (ps < sizeof(widths) && widths[ps] < pa_lg2)
		ps++;
	return ps;
}

/*
 * As in armv8.h, armv8pt_iommu_fmt_hw_info(): with 4K granules two levels are 0, and five are SL2;
 * with others one level is 0.
 */
static inline void arm_64_start(const struct arm_64 *a, unsigned levels, struct iopt_hw_arm *hw)
{
	hw->sl2 = a->granule_lg2 == 12 && levels == 5;
	hw->sl0 = hw->sl2 ? 0 : (uint8_t)(levels - (a->granule_lg2 == 12 ? 2 : 1));
}

/* Walks, as in Linux io-pgtable-arm.c, arm_64_lpae_alloc_pgtable_s1(), cfg->coherent_walk. */
static inline void arm_64_hw(const struct arm_64 *a, uint64_t root,
			     const struct iopt_geometry *geometry, uint32_t config_flags,
			     struct iopt_hw_arm *hw)
{
	const bool snoops = !(config_flags & IOPT_NONCOHERENT);

	*hw = (struct iopt_hw_arm){
		.ttb = root,
		.upper = config_flags & IOPT_UPPER,
		.mair = a->stage == 1 ? ARM_64_MAIR : 0,
		.tsz = (uint8_t)(64 - geometry->iova_lg2),
		.tg = arm_64_tg(a, config_flags & IOPT_UPPER),
		.ps = arm_64_ps(geometry->pa_lg2),
		.sh = snoops ? 3 : 2,	/* inner, outer shareable */
		.irgn = snoops ? 1 : 0, /* write-back, non-cacheable */
		.orgn = snoops ? 1 : 0,
		.ds = a->oa == ARM_64_OA_LPA2,
		.ha = arm_64_tracks(a, config_flags),
		.hd = arm_64_tracks(a, config_flags),
	};
	if (a->stage == 2)
		arm_64_start(a, geometry->levels, hw);
}

#endif
