/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V page tables: what the formats riscv_s1.h (first stage: Sv39, Sv48 and Sv57) and riscv_g.h
 * (second, or G-stage: Sv39x4, Sv48x4 and Sv57x4) share. 3, 4 or 5 levels, leaves at every level,
 * 64 KiB runs (Svnapot) and memory types (Svpbmt). Entries of both stages have one format
 * (Hypervisor, "Guest Physical Address Translation").
 *
 * Sources:
 *   Privileged: "The RISC-V Instruction Set Manual, Volume II: Privileged Architecture", chapter
 *     "Supervisor-Level ISA" (src/supervisor.adoc of its public sources, which do not number
 *     sections): "Sv32: Page-Based 32-bit Virtual-Memory Systems" with "Addressing and Memory
 *     Protection" and "Virtual Address Translation Process"; "Sv39", "Sv48" and "Sv57:
 *     Page-Based ... Virtual-Memory System"; "Svnapot" and "Svpbmt".
 *   Hypervisor: the same manual, chapter "Hypervisor Extension" (src/hypervisor.adoc), "Two-Stage
 *     Address Translation", "Guest Physical Address Translation".
 *   IOMMU: "RISC-V IOMMU Architecture Specification" (iommu_data_structures.adoc), "Device-context
 *     fields": "Translation control (tc)" for SADE and GADE, "First-Stage context (fsc)" for
 *     iosatp, "IO hypervisor guest address translation and protection (iohgatp)".
 *
 * Levels (Privileged, Sv39, Sv48 and Sv57); index i there is the level here:
 *
 *   level  selected by  as a leaf  in
 *   4      56:48        256 TiB    Sv57, Sv57x4
 *   3      47:39        512 GiB    Sv48, Sv57, Sv48x4, Sv57x4
 *   2      38:30        1 GiB      all
 *   1      29:21        2 MiB      all
 *   0      20:12        4 KiB, or one entry of a 64 KiB run
 *
 * At the G-stage two more bits select an entry of the top, which is 16 KiB and aligned to that
 * (Hypervisor): 58:48, 49:39 or 40:30.
 *
 * Bits of a valid entry (V = 1; Privileged, Sv32 for 9:0, Sv39 for the rest):
 *
 *   bits    table entry          leaf
 *   63      N: reserved (0)      N, NAPOT                                              (1)
 *   62:61   PBMT: reserved (0)   PBMT, memory type: 0 the platform's own, 1 NC, 2 IO   (2)
 *   60:54   reserved (0)         reserved (0)
 *   53:10   PPN                  PPN, aligned to the leaf
 *   9:8     RSW: ignored         RSW: ignored
 *   7       reserved (0)         D, dirty
 *   6       reserved (0)         A, accessed
 *   5       G, global; 0 here    G, global; 0 here                                     (3)
 *   4       reserved (0)         U, user; 1 at the G-stage                             (4)
 *   3       X: 0                 X, execute
 *   2       W: 0                 W, write; without R it is reserved
 *   1       R: 0                 R, read
 *   0       V, valid             V, valid
 *
 *   (1) Reserved where the hardware has no Svnapot: the embedder leaves 64 KiB out of
 *       iopt_config::page_sizes there. Set at level 0 only; PPN bits 3:0 are then 1000b.
 *   (2) Reserved where the hardware has no Svpbmt: the embedder asks for IOPT_UNCACHED (NC) and
 *       IOPT_DEVICE (IO) only where there is. 3 is reserved.
 *   (3) At the G-stage "it should be cleared by software" and "must be ignored by hardware".
 *   (4) All accesses are user-level at the G-stage (Hypervisor).
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
 * Permissions are the leaf's own.
 *
 * Accessed and dirty. With SADE (G-stage: GADE) in the device context hardware sets A and D of
 * leaves, never in table entries; without it, it faults where A is 0 or, for a write, D is (IOMMU,
 * SADE and GADE). So leaves start with both set where no dirty bits are tracked, and clear where
 * they are.
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
#ifndef FORMATS_RISCV_H
#define FORMATS_RISCV_H

#include "engine/format.h"

/* Privileged, Sv32, "Addressing and Memory Protection". */
#define RISCV_V (1ull << 0)
#define RISCV_R (1ull << 1)
#define RISCV_W (1ull << 2)
#define RISCV_X (1ull << 3)
#define RISCV_U (1ull << 4)
#define RISCV_G (1ull << 5)
#define RISCV_A (1ull << 6)
#define RISCV_D (1ull << 7)

#define RISCV_PPN	0x003ffffffffffc00ull /* Privileged, Sv39: bits 53:10 */
#define RISCV_PPN_SHIFT 2u /* from a PPN in bits 53:10 to an address in bits 55:12 */

#define RISCV_N	      (1ull << 63) /* Privileged, Svnapot */
#define RISCV_64K     (8ull << 10) /* Privileged, Svnapot, encodings: PPN bits 3:0 are 1000b */
#define RISCV_64K_LG2 16u

#define RISCV_PBMT    (3ull << 61) /* Privileged, Svpbmt */
#define RISCV_PBMT_NC (1ull << 61)
#define RISCV_PBMT_IO (2ull << 61)

#define RISCV_LEAF (RISCV_R | RISCV_X) /* either: Privileged, translation, step 4 */

/* The engine's own bits, see above. */
#define RISCV_SOFT	(1ull << 9)
#define RISCV_PENDING	(1ull << 8) /* of a leaf */
#define RISCV_UNWRITTEN (1ull << 8) /* of a table entry */
#define RISCV_FROZEN	(RISCV_SOFT | RISCV_X)
#define RISCV_RETIRING	(RISCV_SOFT | RISCV_G)

#define RISCV_GENERATION_SHIFT 10u

#define RISCV_PAGE_LG2	12u /* Privileged, Sv39: the page offset is 12 bits */
#define RISCV_INDEX_LG2 9u  /* Privileged, Sv39: 2^9 entries a table */

/* The address that a page number in an entry's bits 53:10 names. */
static inline uint64_t riscv_pa(uint64_t entry)
{
	return (entry & RISCV_PPN) << RISCV_PPN_SHIFT;
}

static inline enum iopt_kind riscv_kind(uint64_t entry, unsigned level)
{
	if (!(entry & RISCV_V))
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	if (entry & RISCV_LEAF)
		return IOPT_LEAF;
	return level ? IOPT_TABLE : IOPT_SOFT;
}

static inline enum iopt_soft riscv_soft(uint64_t entry)
{
	switch (entry & (RISCV_SOFT | RISCV_X | RISCV_G | RISCV_V)) {
	case RISCV_FROZEN: return IOPT_FROZEN;
	case RISCV_RETIRING: return IOPT_RETIRING;
	default: return IOPT_DEAD;
	}
}

static inline uint64_t riscv_frozen(uint32_t generation)
{
	return RISCV_FROZEN | (uint64_t)generation << RISCV_GENERATION_SHIFT;
}

static inline uint32_t riscv_frozen_generation(uint64_t entry)
{
	return (uint32_t)(entry >> RISCV_GENERATION_SHIFT) & ((1u << IOPT_GENERATION_BITS) - 1);
}

static inline uint64_t riscv_retiring(uint64_t pa)
{
	return RISCV_RETIRING | pa >> RISCV_PPN_SHIFT;
}

static inline uint64_t riscv_retiring_pa(uint64_t entry)
{
	return riscv_pa(entry);
}

/*
 * All but U, which is the stage's own. W without R is reserved, so that what can be written can be
 * read.
 */
static inline int riscv_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	const unsigned types = IOPT_UNCACHED | IOPT_DEVICE;
	uint64_t bits = RISCV_V | RISCV_R;

	if (prot & ~(IOPT_READ | IOPT_WRITE | IOPT_EXEC | types))
		return -IOPT_EINVAL;
	if (!(prot & IOPT_READ) || (prot & types) == types)
		return -IOPT_EINVAL;
	if (!(config_flags & (IOPT_TRACKABLE | IOPT_TRACK)))
		bits |= RISCV_A | (prot & IOPT_WRITE ? RISCV_D : 0);
	if (prot & IOPT_WRITE)
		bits |= RISCV_W;
	if (prot & IOPT_EXEC)
		bits |= RISCV_X;
	if (prot & types)
		bits |= prot & IOPT_DEVICE ? RISCV_PBMT_IO : RISCV_PBMT_NC;
	*attr = bits;
	return 0;
}

static inline uint64_t riscv_leaf(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
				  unsigned slot)
{
	uint64_t entry = pa >> RISCV_PPN_SHIFT | attr;

	(void)slot; /* replicas are equal */
	if (level == 0 && size_lg2 == RISCV_64K_LG2)
		entry |= RISCV_N | RISCV_64K;
	return entry;
}

static inline uint64_t riscv_leaf_attrs(uint64_t entry, unsigned level)
{
	(void)level;
	return entry & ~(RISCV_PPN | RISCV_N);
}

/* N above level 0 is reserved and never written there. */
static inline unsigned riscv_leaf_lg2(uint64_t entry, unsigned level)
{
	if (level == 0 && (entry & RISCV_N))
		return RISCV_64K_LG2;
	return RISCV_PAGE_LG2 + level * RISCV_INDEX_LG2;
}

static inline uint64_t riscv_leaf_pa(uint64_t entry, unsigned level)
{
	return riscv_pa(entry) & ~((1ull << riscv_leaf_lg2(entry, level)) - 1);
}

static inline unsigned riscv_leaf_prot(uint64_t entry)
{
	return (entry & RISCV_R ? IOPT_READ : 0) | (entry & RISCV_W ? IOPT_WRITE : 0) |
	       (entry & RISCV_X ? IOPT_EXEC : 0) | (entry & RISCV_U ? 0 : IOPT_PRIV) |
	       ((entry & RISCV_PBMT) == RISCV_PBMT_NC ? IOPT_UNCACHED : 0) |
	       ((entry & RISCV_PBMT) == RISCV_PBMT_IO ? IOPT_DEVICE : 0);
}

static inline uint64_t riscv_leaf_hw(uint64_t entry)
{
	(void)entry;
	return RISCV_A | RISCV_D;
}

static inline bool riscv_leaf_dirty(uint64_t entry)
{
	return entry & RISCV_D;
}

static inline bool riscv_leaf_accessed(uint64_t entry)
{
	return entry & RISCV_A;
}

static inline uint64_t riscv_leaf_clean(uint64_t entry)
{
	return entry & ~RISCV_D;
}

static inline uint64_t riscv_leaf_dirtied(uint64_t entry)
{
	return entry | RISCV_D;
}

/* D, A and U are reserved here (Privileged, Sv32). */
static inline uint64_t riscv_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa >> RISCV_PPN_SHIFT | RISCV_V;
}

static inline uint64_t riscv_table_pa(uint64_t entry)
{
	return riscv_pa(entry);
}

static inline bool riscv_table_accessed(uint64_t entry)
{
	(void)entry;
	return false;
}

/* iosatp.MODE and iohgatp.MODE: 8, 9 and 10 for 3, 4 and 5 levels (IOMMU, their encodings). */
static inline uint8_t riscv_mode(unsigned levels)
{
	return (uint8_t)(levels + 5);
}

/* What the descriptions of both have in common. */
#define RISCV_PAGE_SIZES \
	(1ull << 12 | 1ull << 16 | 1ull << 21 | 1ull << 30 | 1ull << 39 | 1ull << 48)
#define RISCV_PA_LG2	56u /* Privileged, Sv39: a 44-bit PPN */
#define RISCV_ENTRY_LG2 3u  /* Privileged, Sv39: eight bytes each */

/* clang-format off */
#define RISCV_FUNCTIONS \
	.soft_dead = RISCV_SOFT, \
	.table_hw = 0, \
	.table_a = 0, \
	.table_touched = 0, \
	.table_unwritten = RISCV_UNWRITTEN, \
	.leaf_a = RISCV_A, \
	.leaf_pending = RISCV_PENDING, \
	.dirty_and = 0, \
	.kind = riscv_kind, \
	.soft = riscv_soft, \
	.frozen = riscv_frozen, \
	.frozen_generation = riscv_frozen_generation, \
	.retiring = riscv_retiring, \
	.retiring_pa = riscv_retiring_pa, \
	.leaf = riscv_leaf, \
	.leaf_attrs = riscv_leaf_attrs, \
	.leaf_lg2 = riscv_leaf_lg2, \
	.leaf_pa = riscv_leaf_pa, \
	.leaf_prot = riscv_leaf_prot, \
	.leaf_hw = riscv_leaf_hw, \
	.leaf_dirty = riscv_leaf_dirty, \
	.leaf_accessed = riscv_leaf_accessed, \
	.leaf_clean = riscv_leaf_clean, \
	.leaf_dirtied = riscv_leaf_dirtied, \
	.table = riscv_table, \
	.table_pa = riscv_table_pa, \
	.table_accessed = riscv_table_accessed
/* clang-format on */

#endif
