/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V first-stage page tables: Sv39, Sv48 and Sv57 (3, 4 or 5 levels), leaves at every level and
 * 64 KiB runs (Svnapot).
 *
 * Sources:
 *   Privileged: "The RISC-V Instruction Set Manual, Volume II: Privileged Architecture", chapter
 *     "Supervisor-Level ISA" (src/supervisor.adoc of its public sources, which do not number
 *     sections): "Sv32: Page-Based 32-bit Virtual-Memory Systems" with "Addressing and Memory
 *     Protection" and "Virtual Address Translation Process"; "Sv39", "Sv48" and "Sv57:
 *     Page-Based ... Virtual-Memory System"; "Svnapot" and "Svpbmt".
 *   IOMMU: "RISC-V IOMMU Architecture Specification" (iommu_data_structures.adoc), "Device-context
 *     fields": "Translation control (tc)" for SADE, "First-Stage context (fsc)" for iosatp.
 *
 * Levels (Privileged, Sv39, Sv48 and Sv57); index i there is the level here:
 *
 *   level  selected by  as a leaf  in
 *   4      56:48        256 TiB    Sv57
 *   3      47:39        512 GiB    Sv48, Sv57
 *   2      38:30        1 GiB      all
 *   1      29:21        2 MiB      all
 *   0      20:12        4 KiB, or one entry of a 64 KiB run
 *
 * Bits of a valid entry (V = 1; Privileged, Sv32 for 9:0, Sv39 for the rest):
 *
 *   bits    table entry          leaf
 *   63      N: reserved (0)      N, NAPOT                                              (1)
 *   62:61   PBMT: reserved (0)   PBMT, memory type; 0 here: the platform's own         (2)
 *   60:54   reserved (0)         reserved (0)
 *   53:10   PPN                  PPN, aligned to the leaf
 *   9:8     RSW: ignored         RSW: ignored
 *   7       reserved (0)         D, dirty
 *   6       reserved (0)         A, accessed
 *   5       G, global; 0 here    G, global; 0 here
 *   4       reserved (0)         U, user
 *   3       X: 0                 X, execute
 *   2       W: 0                 W, write; without R it is reserved
 *   1       R: 0                 R, read
 *   0       V, valid             V, valid
 *
 *   (1) Reserved where the hardware has no Svnapot: the embedder leaves 64 KiB out of
 *       iopt_config::page_sizes there. Set at level 0 only; PPN bits 3:0 are then 1000b.
 *   (2) Reserved where the hardware has no Svpbmt.
 *
 * An entry with R, W and X all 0 leads to a table, at level 0 it faults (Privileged, "Virtual
 * Address Translation Process", step 4): there it counts as not present, like all that the engine
 * did not write.
 *
 * Runs. The 16 entries of a run are equal (Svnapot: the same PPNs and the same bits 5:0). Hardware
 * may set A and D in any of them, and software "must query all NAPOT aliases" (Svnapot): a run is
 * dirty if one of its entries is. Of entries that overlap with different sizes "one of the
 * translations will be chosen" (Svnapot), and of a table and a leaf that took its place "it is
 * unpredictable whether the old non-leaf PTE or the new leaf PTE is used, but the behavior is
 * otherwise well defined" (Virtual Address Translation Process): where both lead to the same bytes
 * with the same permissions sizes may change live.
 *
 * Addresses. Hardware checks that IOVA bits above the highest that is translated equal it (Sv39,
 * Sv48, Sv57), always: a domain either has IOPT_SIGN_EXTEND or stays in the lower half, with an
 * iova_lg2 of at most 38, 47 or 56. Entries look the same.
 *
 * Permissions are the leaf's own. IOPT_PRIV clears U: requests without supervisor privilege fault.
 *
 * Accessed and dirty. With SADE in the device context hardware sets A and D of leaves, never in
 * table entries; without it, it faults where A is 0 or, for a write, D is (IOMMU, SADE). So leaves
 * start with both set where no dirty bits are tracked, and clear where they are.
 *
 * Software values. With V = 0 all other bits are the software's (Privileged, Sv32). Ignored also in
 * valid entries, in tables and leaves, are bits 9:8 alone:
 *
 *   bit 9: a software value. Which one is in X and G, which are reserved in no valid entry and not
 *   looked at where V is 0. Neither: dead; X: frozen, its generation in bits 33:10; G: retiring,
 *   the table's address where a table entry has it.
 *
 * Bit 8 of a leaf is the mark "pending", of a table entry "unwritten". 0 in all software values are
 * A, D and the bits that are reserved in valid entries.
 *
 * What is not valid and not all zero counts as a software value, whoever wrote it.
 *
 * Clearing dirty. One atomic AND is not enough: an entry at level 0 may be of a 4 KiB leaf or of a
 * 64 KiB run, so that what to record is known from the value only. Compare-and-exchange.
 */
#ifndef FORMATS_RISCV_S1_H
#define FORMATS_RISCV_S1_H

#include "engine/format.h"

/* Privileged, Sv32, "Addressing and Memory Protection". */
#define RISCV_S1_V (1ull << 0)
#define RISCV_S1_R (1ull << 1)
#define RISCV_S1_W (1ull << 2)
#define RISCV_S1_X (1ull << 3)
#define RISCV_S1_U (1ull << 4)
#define RISCV_S1_G (1ull << 5)
#define RISCV_S1_A (1ull << 6)
#define RISCV_S1_D (1ull << 7)

#define RISCV_S1_PPN	   0x003ffffffffffc00ull /* Privileged, Sv39: bits 53:10 */
#define RISCV_S1_PPN_SHIFT 2u /* from a PPN in bits 53:10 to an address in bits 55:12 */

#define RISCV_S1_N	 (1ull << 63) /* Privileged, Svnapot */
#define RISCV_S1_64K	 (8ull << 10) /* Privileged, Svnapot, encodings: PPN bits 3:0 are 1000b */
#define RISCV_S1_64K_LG2 16u

#define RISCV_S1_LEAF (RISCV_S1_R | RISCV_S1_X) /* either: Privileged, translation, step 4 */

/* The engine's own bits, see above. */
#define RISCV_S1_SOFT	   (1ull << 9)
#define RISCV_S1_PENDING   (1ull << 8) /* of a leaf */
#define RISCV_S1_UNWRITTEN (1ull << 8) /* of a table entry */
#define RISCV_S1_FROZEN	   (RISCV_S1_SOFT | RISCV_S1_X)
#define RISCV_S1_RETIRING  (RISCV_S1_SOFT | RISCV_S1_G)

#define RISCV_S1_GENERATION_SHIFT 10u

#define RISCV_S1_PAGE_LG2  12u /* Privileged, Sv39: the page offset is 12 bits */
#define RISCV_S1_INDEX_LG2 9u  /* Privileged, Sv39: 2^9 entries a table */

/* The address that a page number in an entry's bits 53:10 names. */
static inline uint64_t riscv_s1_pa(uint64_t entry)
{
	return (entry & RISCV_S1_PPN) << RISCV_S1_PPN_SHIFT;
}

static inline enum iopt_kind riscv_s1_kind(uint64_t entry, unsigned level)
{
	if (!(entry & RISCV_S1_V))
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	if (entry & RISCV_S1_LEAF)
		return IOPT_LEAF;
	return level ? IOPT_TABLE : IOPT_SOFT;
}

static inline enum iopt_soft riscv_s1_soft(uint64_t entry)
{
	switch (entry & (RISCV_S1_SOFT | RISCV_S1_X | RISCV_S1_G | RISCV_S1_V)) {
	case RISCV_S1_FROZEN: return IOPT_FROZEN;
	case RISCV_S1_RETIRING: return IOPT_RETIRING;
	default: return IOPT_DEAD;
	}
}

static inline uint64_t riscv_s1_frozen(uint32_t generation)
{
	return RISCV_S1_FROZEN | (uint64_t)generation << RISCV_S1_GENERATION_SHIFT;
}

static inline uint32_t riscv_s1_frozen_generation(uint64_t entry)
{
	return (uint32_t)(entry >> RISCV_S1_GENERATION_SHIFT) & ((1u << IOPT_GENERATION_BITS) - 1);
}

static inline uint64_t riscv_s1_retiring(uint64_t pa)
{
	return RISCV_S1_RETIRING | pa >> RISCV_S1_PPN_SHIFT;
}

static inline uint64_t riscv_s1_retiring_pa(uint64_t entry)
{
	return riscv_s1_pa(entry);
}

/* W without R is reserved, so that what can be written can be read. */
static inline int riscv_s1_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	uint64_t bits = RISCV_S1_V | RISCV_S1_R;

	if (prot & ~(IOPT_READ | IOPT_WRITE | IOPT_EXEC | IOPT_PRIV))
		return -IOPT_EINVAL;
	if (!(prot & IOPT_READ))
		return -IOPT_EINVAL;
	if (!(config_flags & (IOPT_TRACKABLE | IOPT_TRACK)))
		bits |= RISCV_S1_A | (prot & IOPT_WRITE ? RISCV_S1_D : 0);
	if (prot & IOPT_WRITE)
		bits |= RISCV_S1_W;
	if (prot & IOPT_EXEC)
		bits |= RISCV_S1_X;
	if (!(prot & IOPT_PRIV))
		bits |= RISCV_S1_U;
	*attr = bits;
	return 0;
}

static inline uint64_t riscv_s1_leaf(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
				     unsigned slot)
{
	uint64_t entry = pa >> RISCV_S1_PPN_SHIFT | attr;

	(void)slot; /* replicas are equal */
	if (level == 0 && size_lg2 == RISCV_S1_64K_LG2)
		entry |= RISCV_S1_N | RISCV_S1_64K;
	return entry;
}

static inline uint64_t riscv_s1_leaf_attrs(uint64_t entry, unsigned level)
{
	(void)level;
	return entry & ~(RISCV_S1_PPN | RISCV_S1_N);
}

/* N above level 0 is reserved and never written there. */
static inline unsigned riscv_s1_leaf_lg2(uint64_t entry, unsigned level)
{
	if (level == 0 && (entry & RISCV_S1_N))
		return RISCV_S1_64K_LG2;
	return RISCV_S1_PAGE_LG2 + level * RISCV_S1_INDEX_LG2;
}

static inline uint64_t riscv_s1_leaf_pa(uint64_t entry, unsigned level)
{
	return riscv_s1_pa(entry) & ~((1ull << riscv_s1_leaf_lg2(entry, level)) - 1);
}

static inline unsigned riscv_s1_leaf_prot(uint64_t entry)
{
	return (entry & RISCV_S1_R ? IOPT_READ : 0) | (entry & RISCV_S1_W ? IOPT_WRITE : 0) |
	       (entry & RISCV_S1_X ? IOPT_EXEC : 0) | (entry & RISCV_S1_U ? 0 : IOPT_PRIV);
}

static inline bool riscv_s1_leaf_dirty(uint64_t entry)
{
	return entry & RISCV_S1_D;
}

static inline bool riscv_s1_leaf_accessed(uint64_t entry)
{
	return entry & RISCV_S1_A;
}

static inline uint64_t riscv_s1_leaf_clean(uint64_t entry)
{
	return entry & ~RISCV_S1_D;
}

static inline uint64_t riscv_s1_leaf_dirtied(uint64_t entry)
{
	return entry | RISCV_S1_D;
}

/* D, A and U are reserved here (Privileged, Sv32). */
static inline uint64_t riscv_s1_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa >> RISCV_S1_PPN_SHIFT | RISCV_S1_V;
}

static inline uint64_t riscv_s1_table_pa(uint64_t entry)
{
	return riscv_s1_pa(entry);
}

static inline bool riscv_s1_table_accessed(uint64_t entry)
{
	(void)entry;
	return false;
}

/*
 * iosatp: PPN in bits 43:0, MODE in bits 63:60, 8, 9 and 10 for Sv39, Sv48 and Sv57 with SXL 0
 * (IOMMU, "First-Stage context", encodings of iosatp.MODE). SADE: IOMMU, "Translation control".
 */
static inline void riscv_s1_hw(uint64_t root, const struct iopt_geometry *geometry,
			       uint32_t config_flags, struct iopt_hw *hw)
{
	hw->riscv_s1.ppn = root >> RISCV_S1_PAGE_LG2;
	hw->riscv_s1.mode = (uint8_t)(geometry->levels + 5);
	hw->riscv_s1.sade = config_flags & (IOPT_TRACKABLE | IOPT_TRACK);
}

static const struct iopt_format riscv_s1_format = {
	.info = {
		.name = "riscv-s1",
		.title = "RISC-V first stage: Sv39, Sv48, Sv57",
		.abilities = IOPT_CAN_TRACK_DIRTY | IOPT_CAN_RUNS | IOPT_CAN_SIGN_EXTEND |
			     IOPT_CAN_EXEC | IOPT_CAN_PRIV | IOPT_CAN_RESIZE,
		.page_sizes = 1ull << 12 | 1ull << 16 | 1ull << 21 | 1ull << 30 | 1ull << 39 |
			      1ull << 48,
		.min_levels = 3, /* Sv39 */
		.max_levels = 5, /* Sv57 */
		.default_levels = 4,
		.granule_lg2 = RISCV_S1_PAGE_LG2,
		.index_lg2 = RISCV_S1_INDEX_LG2,
		.entry_lg2 = 3, /* Privileged, Sv39: eight bytes each */
		.pa_lg2 = 56, /* Privileged, Sv39: a 44-bit PPN */
	},
	.soft_dead = RISCV_S1_SOFT,
	.table_hw = 0,
	.table_a = 0,
	.table_touched = 0,
	.table_unwritten = RISCV_S1_UNWRITTEN,
	.leaf_hw = RISCV_S1_A | RISCV_S1_D,
	.leaf_pending = RISCV_S1_PENDING,
	.dirty_and = 0,
	.kind = riscv_s1_kind,
	.soft = riscv_s1_soft,
	.frozen = riscv_s1_frozen,
	.frozen_generation = riscv_s1_frozen_generation,
	.retiring = riscv_s1_retiring,
	.retiring_pa = riscv_s1_retiring_pa,
	.leaf_attr = riscv_s1_leaf_attr,
	.leaf = riscv_s1_leaf,
	.leaf_attrs = riscv_s1_leaf_attrs,
	.leaf_lg2 = riscv_s1_leaf_lg2,
	.leaf_pa = riscv_s1_leaf_pa,
	.leaf_prot = riscv_s1_leaf_prot,
	.leaf_dirty = riscv_s1_leaf_dirty,
	.leaf_accessed = riscv_s1_leaf_accessed,
	.leaf_clean = riscv_s1_leaf_clean,
	.leaf_dirtied = riscv_s1_leaf_dirtied,
	.table = riscv_s1_table,
	.table_pa = riscv_s1_table_pa,
	.table_accessed = riscv_s1_table_accessed,
	.hw = riscv_s1_hw,
};

#endif
