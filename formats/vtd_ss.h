/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Intel VT-d second-stage page tables: 3, 4 or 5 levels, leaves of 4 KiB, 2 MiB and 1 GiB.
 *
 * Source: "Intel Virtualization Technology for Directed I/O, Architecture Specification", order
 * number D51397-018, revision 5.10, November 2025 ("the specification"), sections 3.7 (second-stage
 * translation), 3.7.1 (access rights), 3.7.2 (accessed and dirty flags), 3.10 (snoop behavior), 9.3
 * (context entry), 9.6 (scalable-mode PASID table entry) and 9.8 (second-stage paging entries).
 *
 * Levels here and there (section 3.7, table 4; section 9.8, tables 41 to 47):
 *
 *   level  entry     selected by  as a leaf        as a table entry
 *   4      SS-PML5E  56:48        -                table 41
 *   3      SS-PML4E  47:39        -                table 42
 *   2      SS-PDPE   38:30        1 GiB, table 43  table 44
 *   1      SS-PDE    29:21        2 MiB, table 45  table 46
 *   0      SS-PTE    20:12        4 KiB, table 47  -
 *
 * Bits of an entry (tables 41 to 47; HAW is the platform's host address width, at most 52):
 *
 *   bits       table entry         leaf of 1G or 2M     leaf of 4K
 *   63         ignored             ignored              ignored
 *   62         IW: reserved (0)    IW: reserved (0)     IW: reserved (0)      (1)
 *   61         IR: ignored         IR: ignored          IR: ignored           (1)
 *   60:52      ignored             ignored              ignored
 *   51:HAW     reserved (0)        reserved (0)         reserved (0)
 *   HAW-1:12   address             address              address
 *              -                   29:12 or 20:12 reserved (0)
 *   11         reserved (0)        SNP, snoop           SNP, snoop            (2)
 *   10         ignored             ignored              ignored
 *   9          ignored             D, dirty             D, dirty              (3)
 *   8          A, accessed         A, accessed          A, accessed           (3)
 *   7          PS: 0               PS: 1                ignored
 *   6          ignored             IPAT                 IPAT                  (4)
 *   5:3        ignored             EMT                  EMT                   (4)
 *   2          ignored             ignored              ignored
 *   1          W, write            W, write             W, write
 *   0          R, read             R, read              R, read
 *
 *   (1) With the "second-stage I/O read/write bits" enabled, IR and IW grant the permissions and R
 *       and W are ignored. This format is for hardware where they are not enabled.
 *   (2) Reserved where the hardware reports no snoop control (ECAP_REG.SC is 0): the embedder asks
 *       for IOPT_SNOOP only where it is 1.
 *   (3) Ignored unless SSADE is set in the PASID-table entry. Legacy context entries have no SSADE.
 *   (4) Ignored while EMTE is clear in the PASID-table entry and in legacy mode; 0 here.
 *
 * Not present: there is no present bit. An entry whose read and write permissions are both 0 is
 * used neither to reference another entry nor to map a page (section 3.7), and each reserved bit in
 * the same section is one "if either the R or W field is 1": with both 0, every other bit is the
 * software's. Permission to write without permission to read is fine: reads and writes are checked
 * apart from each other, in every entry of the walk (section 3.7.1).
 *
 * Software values. Ignored in every state of an entry, present or not, table or leaf, are bits 2,
 * 10, 60:52 and 63. (61 is not among them, since (1) gives it a meaning; 62 is reserved.) Bits
 * 53:52 are the tag of a software value; R and W are 0 in all of them, and so are A (8) and D (9),
 * which hardware sets only in entries that it uses for a translation (section 3.7.2):
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
 *   - The AND can't damage what else it may meet: D is ignored and 0 in table entries (tables 41,
 *     42, 44, 46), and 0 in empty entries and software values. It changes no other bit, so that
 *     permissions, address and A that anyone wrote meanwhile stay.
 *   - The value that it returns says what it met. A table at level 1 or 2 had no dirty bit to lose.
 * Hardware sets D by an atomic operation of its own (section 3.7.2), so that either the AND comes
 * first and D stays set for the next sweep, or the AND returns it. A compare-and-exchange is needed
 * only where a whole entry is replaced.
 */
#ifndef FORMATS_VTD_SS_H
#define FORMATS_VTD_SS_H

#include "engine/format.h"

#define VTD_SS_R   (1ull << 0)	/* section 9.8, tables 41 to 47 */
#define VTD_SS_W   (1ull << 1)	/* section 9.8, tables 41 to 47 */
#define VTD_SS_PS  (1ull << 7)	/* section 9.8, tables 43 and 45; 0 in tables 44 and 46 */
#define VTD_SS_A   (1ull << 8)	/* section 9.8, tables 41 to 47; section 3.7.2 */
#define VTD_SS_D   (1ull << 9)	/* section 9.8, tables 43, 45 and 47; section 3.7.2 */
#define VTD_SS_SNP (1ull << 11) /* section 9.8, tables 43, 45 and 47; section 3.10 */

/* Address field with the widest HAW: section 9.8, tables 41 to 47. */
#define VTD_SS_ADDR 0x000ffffffffff000ull

#define VTD_SS_PRESENT (VTD_SS_R | VTD_SS_W) /* either: section 3.7 */

/* The engine's own bits, see above. */
#define VTD_SS_TAG	 (3ull << 52)
#define VTD_SS_DEAD	 (1ull << 52)
#define VTD_SS_FROZEN	 (2ull << 52)
#define VTD_SS_RETIRING	 (3ull << 52)
#define VTD_SS_PENDING	 (1ull << 54)
#define VTD_SS_TOUCHED	 (1ull << 55)
#define VTD_SS_UNWRITTEN (1ull << 56)

#define VTD_SS_PAGE_LG2	   12u /* section 3.7: SS-PTE maps 4 KiB */
#define VTD_SS_INDEX_LG2   9u  /* section 3.5: 512 entries a table */
#define VTD_SS_LEAF_LEVELS 3u  /* section 3.7, table 4: 4 KiB, 2 MiB, 1 GiB */

static inline enum iopt_kind vtd_ss_kind(uint64_t entry, unsigned level)
{
	if (!(entry & VTD_SS_PRESENT))
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	if (level == 0)
		return IOPT_LEAF;
	/* PS is reserved in SS-PML4E and SS-PML5E and never written there. */
	return level < VTD_SS_LEAF_LEVELS && (entry & VTD_SS_PS) ? IOPT_LEAF : IOPT_TABLE;
}

static inline enum iopt_soft vtd_ss_soft(uint64_t entry)
{
	switch (entry & VTD_SS_TAG) {
	case VTD_SS_FROZEN: return IOPT_FROZEN;
	case VTD_SS_RETIRING: return IOPT_RETIRING;
	default: return IOPT_DEAD;
	}
}

static inline uint64_t vtd_ss_frozen(uint32_t generation)
{
	return VTD_SS_FROZEN | (uint64_t)generation << VTD_SS_PAGE_LG2;
}

static inline uint32_t vtd_ss_frozen_generation(uint64_t entry)
{
	return (uint32_t)(entry >> VTD_SS_PAGE_LG2) & ((1u << IOPT_GENERATION_BITS) - 1);
}

static inline uint64_t vtd_ss_retiring(uint64_t pa)
{
	return VTD_SS_RETIRING | pa;
}

static inline uint64_t vtd_ss_retiring_pa(uint64_t entry)
{
	return entry & VTD_SS_ADDR;
}

/*
 * A and D start clear: hardware keeps them only in domains that may be tracked (SSADE), and there
 * they must tell what happened. Neither is looked at elsewhere.
 */
static inline int vtd_ss_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	uint64_t bits = 0;

	(void)config_flags;
	if (prot & ~(IOPT_READ | IOPT_WRITE | IOPT_SNOOP))
		return -IOPT_EINVAL;
	if (prot & IOPT_READ)
		bits |= VTD_SS_R;
	if (prot & IOPT_WRITE)
		bits |= VTD_SS_W;
	if (!bits) /* would not be present */
		return -IOPT_EINVAL;
	if (prot & IOPT_SNOOP)
		bits |= VTD_SS_SNP;
	*attr = bits;
	return 0;
}

static inline uint64_t vtd_ss_leaf(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
				   unsigned slot)
{
	(void)size_lg2; /* level says it all */
	(void)slot;
	return pa | (attr | (level ? VTD_SS_PS : 0));
}

static inline uint64_t vtd_ss_leaf_attrs(uint64_t entry, unsigned level)
{
	return entry & ~(VTD_SS_ADDR | (level ? VTD_SS_PS : 0));
}

static inline unsigned vtd_ss_leaf_lg2(uint64_t entry, unsigned level)
{
	(void)entry;
	return VTD_SS_PAGE_LG2 + level * VTD_SS_INDEX_LG2;
}

static inline uint64_t vtd_ss_leaf_pa(uint64_t entry, unsigned level)
{
	return entry & VTD_SS_ADDR & ~((1ull << vtd_ss_leaf_lg2(entry, level)) - 1);
}

static inline unsigned vtd_ss_leaf_prot(uint64_t entry)
{
	return (entry & VTD_SS_R ? IOPT_READ : 0) | (entry & VTD_SS_W ? IOPT_WRITE : 0) |
	       (entry & VTD_SS_SNP ? IOPT_SNOOP : 0);
}

static inline uint64_t vtd_ss_leaf_hw(uint64_t entry)
{
	(void)entry;
	return VTD_SS_A | VTD_SS_D;
}

static inline bool vtd_ss_leaf_dirty(uint64_t entry)
{
	return entry & VTD_SS_D;
}

static inline bool vtd_ss_leaf_accessed(uint64_t entry)
{
	return entry & VTD_SS_A;
}

static inline uint64_t vtd_ss_leaf_clean(uint64_t entry)
{
	return entry & ~VTD_SS_D;
}

static inline uint64_t vtd_ss_leaf_dirtied(uint64_t entry)
{
	return entry | VTD_SS_D;
}

/*
 * Table entries grant everything, the leaf decides: permissions of all entries of a walk are ANDed
 * (section 3.7.1). SNP is reserved here.
 */
static inline uint64_t vtd_ss_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa | VTD_SS_R | VTD_SS_W | VTD_SS_A;
}

static inline uint64_t vtd_ss_table_pa(uint64_t entry)
{
	return entry & VTD_SS_ADDR;
}

static inline bool vtd_ss_table_accessed(uint64_t entry)
{
	return entry & VTD_SS_A;
}

/*
 * SSPTPTR and AW: section 9.3 (bits 63:12 and 66:64 of a context entry) and section 9.6 (bits 63:12
 * and 4:2 of a PASID-table entry); AW 001b, 010b, 011b for 3, 4, 5 levels. SSADE: section 9.6,
 * bit 9. PWSNP: section 9.6, bit 87; without it hardware faults where it has to set A or D (section
 * 3.10): tracking and a walker that does not snoop exclude each other.
 */
static inline void vtd_ss_hw(uint64_t root, const struct iopt_geometry *geometry,
			     uint32_t config_flags, struct iopt_hw *hw)
{
	hw->vtd_ss.ssptptr = root;
	hw->vtd_ss.aw = (uint8_t)(geometry->levels - 2);
	hw->vtd_ss.ssade = config_flags & (IOPT_TRACKABLE | IOPT_TRACK);
	hw->vtd_ss.pwsnp = !(config_flags & IOPT_NONCOHERENT);
}

static const struct iopt_format vtd_ss_format = {
	.info = {
		.name = "vtd-ss",
		.title = "Intel VT-d second stage",
		.walkers = "intel-iommu",
		.abilities = IOPT_CAN_TRACK_DIRTY | IOPT_CAN_ACCESSED_TABLES |
			     IOPT_CAN_WRITE_ONLY | IOPT_CAN_SNOOP | IOPT_CAN_RESIZE | IOPT_CAN_TRIM,
		.page_sizes = 1ull << 12 | 1ull << 21 | 1ull << 30,
		.min_levels = 3, /* section 9.6, AW: 39, 48 and 57 bits */
		.max_levels = 5,
		.default_levels = 4,
		.granule_lg2 = VTD_SS_PAGE_LG2,
		.index_lg2 = VTD_SS_INDEX_LG2,
		.entry_lg2 = 3, /* section 3.5: 8-byte entries */
		.pa_lg2 = 52,
		.stage = 2,
	},
	.soft_dead = VTD_SS_DEAD,
	.table_hw = VTD_SS_A | VTD_SS_TOUCHED,
	.table_a = VTD_SS_A,
	.table_touched = VTD_SS_TOUCHED,
	.table_unwritten = VTD_SS_UNWRITTEN,
	.leaf_a = VTD_SS_A,
	.leaf_pending = VTD_SS_PENDING,
	.dirty_and = VTD_SS_D,
	.kind = vtd_ss_kind,
	.soft = vtd_ss_soft,
	.frozen = vtd_ss_frozen,
	.frozen_generation = vtd_ss_frozen_generation,
	.retiring = vtd_ss_retiring,
	.retiring_pa = vtd_ss_retiring_pa,
	.leaf_attr = vtd_ss_leaf_attr,
	.leaf = vtd_ss_leaf,
	.leaf_attrs = vtd_ss_leaf_attrs,
	.leaf_lg2 = vtd_ss_leaf_lg2,
	.leaf_pa = vtd_ss_leaf_pa,
	.leaf_prot = vtd_ss_leaf_prot,
	.leaf_hw = vtd_ss_leaf_hw,
	.leaf_dirty = vtd_ss_leaf_dirty,
	.leaf_accessed = vtd_ss_leaf_accessed,
	.leaf_clean = vtd_ss_leaf_clean,
	.leaf_dirtied = vtd_ss_leaf_dirtied,
	.table = vtd_ss_table,
	.table_pa = vtd_ss_table_pa,
	.table_accessed = vtd_ss_table_accessed,
	.hw = vtd_ss_hw,
};

#endif
