/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * x86-64 page tables as IOMMUs walk them: VT-d first stage and AMD v2 (guest) tables. 4 or 5
 * levels, leaves of 4 KiB, 2 MiB and 1 GiB.
 *
 * Sources:
 *   VT-d: "Intel Virtualization Technology for Directed I/O, Architecture Specification", order
 *     number D51397-018, revision 5.10, November 2025, sections 3.5 (hierarchical translation
 *     structures), 3.6 (first-stage translation), 3.6.1 (access rights), 3.6.2 (accessed and dirty
 *     flags), 3.10 (snoop behavior), 9.6 (scalable-mode PASID table entry) and 9.7 (first-stage
 *     paging entries);
 *   APM: "AMD64 Architecture Programmer's Manual, Volume 2", sections 5.3 (long-mode page
 *     translation), 5.4.1 (field definitions) and 5.4.2 (notes on accessed and dirty bits): the
 *     format that AMD's v2 tables share with the processor's.
 * The text of AMD's IOMMU specification (48882) was not at hand: what is said of AMD units beyond
 * the APM is as in Linux drivers/iommu/amd/io_pgtable_v2.c and amd_iommu_types.h.
 *
 * Levels here and there (VT-d section 3.6, table 3; tables 34 to 40 of section 9.7; APM figures of
 * section 5.3):
 *
 *   level  entry  selected by  as a leaf        as a table entry
 *   4      PML5E  56:48        -                table 34, figure 5-19
 *   3      PML4E  47:39        -                table 35, figure 5-20
 *   2      PDPE   38:30        1 GiB, table 36  table 37, figure 5-21
 *   1      PDE    29:21        2 MiB, table 38  table 39, figure 5-22
 *   0      PTE    20:12        4 KiB, table 40  -
 *
 * Bits of a present entry (P = 1). Where VT-d and the APM differ both are named; HAW is the
 * platform's physical address width, at most 52:
 *
 *   bits      table entry             leaf of 1G or 2M         leaf of 4K
 *   63        VT-d ignored, APM NX    VT-d ignored, APM NX     VT-d ignored, APM NX    (1)
 *   62:59     ignored                 ignored; APM key         ignored; APM key        (2)
 *   58:52     ignored                 ignored                  ignored
 *   51:HAW    reserved (0)            reserved (0)             reserved (0)
 *   HAW-1:12  address                 address; 29:13 or 20:13  address
 *                                     reserved (0), 12 PAT
 *   11        ignored                 ignored                  ignored
 *   10        VT-d EA, APM ignored    VT-d EA, APM ignored     VT-d EA, APM ignored    (3)
 *   9         ignored                 ignored                  ignored
 *   8         ignored                 G                        G                       (4)
 *   7         PS: 0                   PS: 1                    PAT
 *   6         ignored                 D, dirty                 D, dirty
 *   5         A, accessed             A, accessed              A, accessed
 *   4:3       memory type             memory type              memory type             (5)
 *   2         U/S, user               U/S, user                U/S, user
 *   1         R/W, write              R/W, write               R/W, write
 *   0         P, present              P, present               P, present
 *
 *   (1) APM: reserved while no-execute is off (EFER.NXE). IOPT_EXEC leaves it 0, for AMD units
 *       without no-execute support. Reads and writes do not look at it.
 *   (2) The memory protection key of a processor with CR4.PKE.
 *   (3) Extended accessed: with EAFE in the PASID-table entry hardware sets it together with A.
 *   (4) VT-d ignores it. APM: must be zero in some table entries. 0 here.
 *   (5) PCD and PWT, with PAT the index of the memory type; all 0 here, as in Linux
 *       io_pgtable_v2.c, set_pte_attr. VT-d ignores them in table entries.
 *
 * Addresses. VT-d checks that bits 63:N equal bit N - 1, N being 48 or 57, and tells software to
 * stay in the lower half (section 3.6); APM section 5.3.1 is alike. AMD units do not sign-extend
 * for PASID 0 (Linux drivers/iommu/generic_pt/fmt/x86_64.h, PT_FEAT_SIGN_EXTEND and
 * x86_64_kunit_fmt_cfgs). Hence IOPT_SIGN_EXTEND is the domain's choice; entries look the same with
 * and without.
 *
 * Permissions. A present leaf can always be read: there is no writing without reading. R/W and U/S
 * are ANDed over all entries of the walk for user requests (VT-d section 3.6.1), so that table
 * entries grant both and the leaf decides. IOPT_PRIV clears U/S: only requests that ask for
 * supervisor privilege get through, and VT-d blocks those unless SRE is set in the PASID-table
 * entry (section 9.6); it lets them write to read-only leaves unless WPE is set there.
 *
 * Software values. With P = 0 all other bits are the software's (APM section 5.4.1; in VT-d section
 * 3.6 each reserved bit is one "if the P field is 1"). Ignored also in present entries, in tables
 * and leaves, by both, are bits 9, 11 and 58:52; not 10 and 63:59, for (1), (2), (3). Bits 53:52
 * are the tag of a software value; P, A and D are 0 in all of them, and hardware never sets A or D
 * in an entry that is not present (APM section 5.4.2):
 *
 *   tag 1: dead.
 *   tag 2: frozen, its generation in bits 35:12; reserved bits 51:HAW are kept off.
 *   tag 3: retiring, the table's address where a table entry has it.
 *
 * Bit 54 of a leaf is the mark "pending", bit 55 of a table entry "touched", bit 56 "unwritten".
 *
 * What is not present and not all zero counts as a software value, whoever wrote it.
 *
 * Clearing dirty. One atomic AND with ~D is enough, at every level:
 *   - What a sweep records is known from the slot alone: a leaf at level L always has 2^(12 + 9 L)
 *     bytes, there are no runs. It may record the slot's range first and clear then, even if the
 *     leaf was replaced by another in between: that one's dirty bit is about the same range.
 *   - The AND can't damage what else it may meet: D is ignored and 0 in table entries (VT-d tables
 *     34, 35, 37, 39), and 0 in empty entries and software values. It changes no other bit.
 *   - The value that it returns says what it met. A table at level 1 or 2 had no dirty bit to lose.
 * Hardware sets D by an atomic operation of its own (VT-d section 3.6.2), so that either the AND
 * comes first and D stays set for the next sweep, or the AND returns it. A compare-and-exchange is
 * needed only where a whole entry is replaced.
 */
#ifndef FORMATS_X86_64_H
#define FORMATS_X86_64_H

#include "engine/format.h"

/* VT-d section 9.7, tables 34 to 40, and APM section 5.4.1, unless said otherwise. */
#define X86_64_P  (1ull << 0)
#define X86_64_RW (1ull << 1)
#define X86_64_US (1ull << 2)
#define X86_64_A  (1ull << 5)
#define X86_64_D  (1ull << 6)  /* tables 36, 38 and 40 */
#define X86_64_PS (1ull << 7)  /* tables 36 and 38; 0 in tables 37 and 39 */
#define X86_64_EA (1ull << 10) /* VT-d section 3.6.2 */
#define X86_64_NX (1ull << 63) /* APM section 5.4.1 */

/* Address field with the widest HAW: VT-d section 9.7, APM section 5.4.1. */
#define X86_64_ADDR 0x000ffffffffff000ull

/* The engine's own bits, see above. */
#define X86_64_TAG	 (3ull << 52)
#define X86_64_DEAD	 (1ull << 52)
#define X86_64_FROZEN	 (2ull << 52)
#define X86_64_RETIRING	 (3ull << 52)
#define X86_64_PENDING	 (1ull << 54)
#define X86_64_TOUCHED	 (1ull << 55)
#define X86_64_UNWRITTEN (1ull << 56)

#define X86_64_PAGE_LG2	   12u /* VT-d section 3.6: a PTE maps 4 KiB */
#define X86_64_INDEX_LG2   9u  /* VT-d section 3.5: 512 entries a table */
#define X86_64_LEAF_LEVELS 3u  /* VT-d section 3.6, table 3: 4 KiB, 2 MiB, 1 GiB */

static inline enum iopt_kind x86_64_kind(uint64_t entry, unsigned level)
{
	if (!(entry & X86_64_P))
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	if (level == 0)
		return IOPT_LEAF;
	/* PS is reserved in PML4E and PML5E and never written there. */
	return level < X86_64_LEAF_LEVELS && (entry & X86_64_PS) ? IOPT_LEAF : IOPT_TABLE;
}

static inline enum iopt_soft x86_64_soft(uint64_t entry)
{
	switch (entry & X86_64_TAG) {
	case X86_64_FROZEN: return IOPT_FROZEN;
	case X86_64_RETIRING: return IOPT_RETIRING;
	default: return IOPT_DEAD;
	}
}

static inline uint64_t x86_64_frozen(uint32_t generation)
{
	return X86_64_FROZEN | (uint64_t)generation << X86_64_PAGE_LG2;
}

static inline uint32_t x86_64_frozen_generation(uint64_t entry)
{
	return (uint32_t)(entry >> X86_64_PAGE_LG2) & ((1u << IOPT_GENERATION_BITS) - 1);
}

static inline uint64_t x86_64_retiring(uint64_t pa)
{
	return X86_64_RETIRING | pa;
}

static inline uint64_t x86_64_retiring_pa(uint64_t entry)
{
	return entry & X86_64_ADDR;
}

/*
 * Hardware keeps A and D in these tables whether asked or not. Where a domain may be tracked they
 * start clear and tell what happened; elsewhere they start set, which saves the hardware the write
 * and is a must where the walker does not snoop: it would fault (VT-d section 3.10). D stays clear
 * where nothing can be written.
 */
static inline int x86_64_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	uint64_t bits = X86_64_P;

	if (prot & ~(IOPT_READ | IOPT_WRITE | IOPT_EXEC | IOPT_PRIV))
		return -IOPT_EINVAL;
	if (!(prot & IOPT_READ))
		return -IOPT_EINVAL;
	if (!(config_flags & (IOPT_TRACKABLE | IOPT_TRACK)))
		bits |= X86_64_A | (prot & IOPT_WRITE ? X86_64_D : 0);
	if (prot & IOPT_WRITE)
		bits |= X86_64_RW;
	if (!(prot & IOPT_PRIV))
		bits |= X86_64_US;
	if (!(prot & IOPT_EXEC))
		bits |= X86_64_NX;
	*attr = bits;
	return 0;
}

static inline uint64_t x86_64_leaf(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
				   unsigned slot)
{
	(void)size_lg2; /* level says it all */
	(void)slot;
	return pa | (attr | (level ? X86_64_PS : 0));
}

static inline uint64_t x86_64_leaf_attrs(uint64_t entry, unsigned level)
{
	return entry & ~(X86_64_ADDR | (level ? X86_64_PS : 0));
}

static inline unsigned x86_64_leaf_lg2(uint64_t entry, unsigned level)
{
	(void)entry;
	return X86_64_PAGE_LG2 + level * X86_64_INDEX_LG2;
}

/* The size's mask also takes out PAT, bit 12 of the larger leaves. */
static inline uint64_t x86_64_leaf_pa(uint64_t entry, unsigned level)
{
	return entry & X86_64_ADDR & ~((1ull << x86_64_leaf_lg2(entry, level)) - 1);
}

static inline unsigned x86_64_leaf_prot(uint64_t entry)
{
	return IOPT_READ | (entry & X86_64_RW ? IOPT_WRITE : 0) |
	       (entry & X86_64_US ? 0 : IOPT_PRIV) | (entry & X86_64_NX ? 0 : IOPT_EXEC);
}

static inline uint64_t x86_64_leaf_hw(uint64_t entry)
{
	(void)entry;
	return X86_64_A | X86_64_EA | X86_64_D;
}

static inline bool x86_64_leaf_dirty(uint64_t entry)
{
	return entry & X86_64_D;
}

static inline bool x86_64_leaf_accessed(uint64_t entry)
{
	return entry & X86_64_A;
}

static inline uint64_t x86_64_leaf_clean(uint64_t entry)
{
	return entry & ~X86_64_D;
}

static inline uint64_t x86_64_leaf_dirtied(uint64_t entry)
{
	return entry | X86_64_D;
}

/* As in Linux io_pgtable_v2.c, set_pgtable_attr. */
static inline uint64_t x86_64_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa | X86_64_P | X86_64_RW | X86_64_US | X86_64_A;
}

static inline uint64_t x86_64_table_pa(uint64_t entry)
{
	return entry & X86_64_ADDR;
}

static inline bool x86_64_table_accessed(uint64_t entry)
{
	return entry & X86_64_A;
}

/*
 * FSPTPTR: VT-d section 9.6, bits HAW+127:140. FSPM: bits 131:130, 00b is 4 levels, 01b is 5.
 * PWSNP: bit 87. AMD's guest paging mode: as in Linux amd_iommu_types.h, GUEST_PGTABLE_4_LEVEL and
 * GUEST_PGTABLE_5_LEVEL.
 */
static inline void x86_64_hw(uint64_t root, const struct iopt_geometry *geometry,
			     uint32_t config_flags, struct iopt_hw *hw)
{
	hw->x86_64.fsptptr = root;
	hw->x86_64.fspm = (uint8_t)(geometry->levels - 4);
	hw->x86_64.guest_paging_mode = (uint8_t)(geometry->levels - 4);
	hw->x86_64.pwsnp = !(config_flags & IOPT_NONCOHERENT);
}

static const struct iopt_format x86_64_format = {
	.info = {
		.name = "x86-64",
		.title = "x86-64: VT-d first stage, AMD v2",
		.walkers = "intel-iommu",
		.abilities = IOPT_CAN_TRACK_DIRTY | IOPT_CAN_ACCESSED_TABLES |
			     IOPT_CAN_SIGN_EXTEND | IOPT_CAN_EXEC | IOPT_CAN_PRIV |
			     IOPT_CAN_RESIZE | IOPT_CAN_TRIM,
		.page_sizes = 1ull << 12 | 1ull << 21 | 1ull << 30,
		.min_levels = 4, /* VT-d section 9.6, FSPM */
		.max_levels = 5,
		.default_levels = 4,
		.granule_lg2 = X86_64_PAGE_LG2,
		.index_lg2 = X86_64_INDEX_LG2,
		.entry_lg2 = 3, /* VT-d section 3.5: 8-byte entries */
		.pa_lg2 = 52,
		.stage = 1,
	},
	.soft_dead = X86_64_DEAD,
	.table_hw = X86_64_A | X86_64_EA | X86_64_TOUCHED,
	.table_a = X86_64_A,
	.table_touched = X86_64_TOUCHED,
	.table_unwritten = X86_64_UNWRITTEN,
	.leaf_a = X86_64_A | X86_64_EA,
	.leaf_pending = X86_64_PENDING,
	.dirty_and = X86_64_D,
	.kind = x86_64_kind,
	.soft = x86_64_soft,
	.frozen = x86_64_frozen,
	.frozen_generation = x86_64_frozen_generation,
	.retiring = x86_64_retiring,
	.retiring_pa = x86_64_retiring_pa,
	.leaf_attr = x86_64_leaf_attr,
	.leaf = x86_64_leaf,
	.leaf_attrs = x86_64_leaf_attrs,
	.leaf_lg2 = x86_64_leaf_lg2,
	.leaf_pa = x86_64_leaf_pa,
	.leaf_prot = x86_64_leaf_prot,
	.leaf_hw = x86_64_leaf_hw,
	.leaf_dirty = x86_64_leaf_dirty,
	.leaf_accessed = x86_64_leaf_accessed,
	.leaf_clean = x86_64_leaf_clean,
	.leaf_dirtied = x86_64_leaf_dirtied,
	.table = x86_64_table,
	.table_pa = x86_64_table_pa,
	.table_accessed = x86_64_table_accessed,
	.hw = x86_64_hw,
};

#endif
