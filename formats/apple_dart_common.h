/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Apple DART page tables: what the formats of that name share. Each has a header of its own with
 * its description: apple_dart.h (DART 1, 16 KiB pages), apple_dart_4k.h (DART 1, 4 KiB pages),
 * apple_dart2.h (DART 2, 16 KiB pages).
 *
 * Sources. Apple documents none of this. Read for it:
 *   Linux: drivers/iommu/io-pgtable-dart.c (APPLE_DART, APPLE_DART2) and apple-dart.c of Linux
 *     6.12, and a later io-pgtable-dart.c, with DART_MAX_LEVELS, commit a4a508df2aa3.
 *   m1n1: proxyclient/m1n1/hw/dart.py and dart8110.py, which read the tables of other systems, too.
 * Where they differ from each other it is said here.
 *
 * Tables fill a page: 2048 entries of 8 bytes where pages have 16 KiB, 512 where they have 4 KiB.
 * Leaves are at level 0 alone: there are no blocks. A table of level 1, or of level 2 where DART 2
 * is told of four levels (m1n1 dart8110.py, R_TCR.FOUR_LEVELS), hangs in a translation table base
 * register, TTBR, which counts as a level there and not here. DART 1 with 4 KiB pages has four of
 * these (Linux, DART_MAX_TABLE_BITS and dart_alloc_pgtable: "Old 4K page DARTs can use up to 4
 * top-level tables. Newer ones only ever use a maximum of 1"): here one top table, four pages
 * large, and TTBR number i leads to its page i.
 *
 *   format         IOVA bits  level 2  level 1  level 0
 *   apple-dart     36         -        35:25    24:14
 *   apple-dart-4k  32         -        31:21    20:12
 *   apple-dart2    36, 42     41:36    35:25    24:14
 *
 * Bits of a valid entry (as in Linux, APPLE_DART_PTE_*, APPLE_DART1_* and APPLE_DART2_*):
 *
 *   bits    DART 1                           DART 2
 *   63:52   start of what may be accessed    the same                                  (1)
 *   51:40   its end                          the same                                  (1)
 *   37:10   35:12: address bits 35:12        address bits 41:14
 *   8       leaf: may not be read            -
 *   7       leaf: may not be written         -
 *   3       -                                leaf: may not be read
 *   2       -                                leaf: may not be written
 *   1       leaf: sub-page protection off    leaf: not cached                          (2)
 *   0       valid                            valid
 *
 *   (1) Of a leaf, in units of 1/4096 page: 0 to 0xfff is all of it. 0 in table entries, as in
 *       Linux, dart_install_table.
 *   (2) Linux 6.12 sets this bit in DART 2, too, where it then says "not cached"; the later one
 *       does not. m1n1 dart8110.py calls it UNCACHABLE, dart.py, of DART 1, VALID2.
 *
 * A DART 2 with pages of 4 KiB is not among the formats: its entries have no address bits 13:12.
 *
 * Accessed and dirty. There are no such bits.
 *
 * Software values. Which bits hardware ignores in an entry that is not valid nobody says; Linux
 * leaves 0 there and nothing else. It takes an entry for free by bit 0 alone, though
 * (dart_init_pte), and m1n1 takes it for not valid so (dart8110.py, iotranslate). So in tables that
 * are in use there is nothing but 0 and valid entries: no trim, which would leave frozen and
 * retiring entries there, and no break before a block, since there are no blocks. One value is
 * left, dead, in interior tables that an unmap has unlinked, until its sync: with four levels only.
 * What may still get there is a walk through stale caches, of a device that uses an address which
 * is being unmapped. If bit 0 is what hardware looks at it faults, as it does for 0. If it were
 * not, the address is 0.
 *
 *   bit 4, which Linux uses in no entry: dead. Bit 0 is clear, so are all other bits.
 *
 * What is not valid and not all zero counts as dead, whoever wrote it.
 */
#ifndef FORMATS_APPLE_DART_COMMON_H
#define FORMATS_APPLE_DART_COMMON_H

#include "formats/unmarked.h"

/* As in Linux, APPLE_DART_PTE_*. */
#define APPLE_DART_VALID (1ull << 0)
#define APPLE_DART_WHOLE (0xfffull << 40) /* SUBPAGE_START 0, SUBPAGE_END 0xfff */

/* As in Linux, APPLE_DART1_*. */
#define APPLE_DART1_ADDRESS  0x0000000ffffff000ull
#define APPLE_DART1_NO_READ  (1ull << 8)
#define APPLE_DART1_NO_WRITE (1ull << 7)
#define APPLE_DART1_SP_OFF   (1ull << 1) /* PROT_SP_DIS */

/* As in Linux, APPLE_DART2_*. */
#define APPLE_DART2_ADDRESS  0x0000003ffffffc00ull
#define APPLE_DART2_SHIFT    4u
#define APPLE_DART2_NO_READ  (1ull << 3)
#define APPLE_DART2_NO_WRITE (1ull << 2)
#define APPLE_DART2_NO_CACHE (1ull << 1)

/* The engine's own bit, see above. */
#define APPLE_DART_DEAD (1ull << 4)

static inline enum iopt_kind apple_dart_kind(uint64_t entry, unsigned level)
{
	if (!(entry & APPLE_DART_VALID))
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	return level ? IOPT_TABLE : IOPT_LEAF;
}

static inline enum iopt_soft apple_dart_soft(uint64_t entry)
{
	(void)entry;
	return IOPT_DEAD;
}

/* ---- DART 1 -------------------------------------------------------------------------------- */

static inline uint64_t apple_dart1_pa(uint64_t entry)
{
	return entry & APPLE_DART1_ADDRESS;
}

static inline int apple_dart1_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	(void)config_flags;
	if ((prot & ~(IOPT_READ | IOPT_WRITE)) || !(prot & (IOPT_READ | IOPT_WRITE)))
		return -IOPT_EINVAL;
	*attr = APPLE_DART_VALID | APPLE_DART_WHOLE | APPLE_DART1_SP_OFF |
		(prot & IOPT_READ ? 0 : APPLE_DART1_NO_READ) |
		(prot & IOPT_WRITE ? 0 : APPLE_DART1_NO_WRITE);
	return 0;
}

static inline uint64_t apple_dart1_leaf(uint64_t attr, uint64_t pa, unsigned level,
					unsigned size_lg2, unsigned slot)
{
	(void)level;
	(void)size_lg2;
	(void)slot;
	return pa | attr;
}

static inline uint64_t apple_dart1_leaf_attrs(uint64_t entry, unsigned level)
{
	(void)level;
	return entry & ~APPLE_DART1_ADDRESS;
}

static inline unsigned apple_dart1_leaf_prot(uint64_t entry)
{
	return (entry & APPLE_DART1_NO_READ ? 0 : IOPT_READ) |
	       (entry & APPLE_DART1_NO_WRITE ? 0 : IOPT_WRITE);
}

static inline uint64_t apple_dart1_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa | APPLE_DART_VALID;
}

/* ---- DART 2 -------------------------------------------------------------------------------- */

static inline uint64_t apple_dart2_pa(uint64_t entry)
{
	return (entry & APPLE_DART2_ADDRESS) << APPLE_DART2_SHIFT;
}

static inline int apple_dart2_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	(void)config_flags;
	if ((prot & ~(IOPT_READ | IOPT_WRITE | IOPT_UNCACHED)) ||
	    !(prot & (IOPT_READ | IOPT_WRITE)))
		return -IOPT_EINVAL;
	*attr = APPLE_DART_VALID | APPLE_DART_WHOLE | (prot & IOPT_READ ? 0 : APPLE_DART2_NO_READ) |
		(prot & IOPT_WRITE ? 0 : APPLE_DART2_NO_WRITE) |
		(prot & IOPT_UNCACHED ? APPLE_DART2_NO_CACHE : 0);
	return 0;
}

static inline uint64_t apple_dart2_leaf(uint64_t attr, uint64_t pa, unsigned level,
					unsigned size_lg2, unsigned slot)
{
	(void)level;
	(void)size_lg2;
	(void)slot;
	return pa >> APPLE_DART2_SHIFT | attr;
}

static inline uint64_t apple_dart2_leaf_attrs(uint64_t entry, unsigned level)
{
	(void)level;
	return entry & ~APPLE_DART2_ADDRESS;
}

static inline unsigned apple_dart2_leaf_prot(uint64_t entry)
{
	return (entry & APPLE_DART2_NO_READ ? 0 : IOPT_READ) |
	       (entry & APPLE_DART2_NO_WRITE ? 0 : IOPT_WRITE) |
	       (entry & APPLE_DART2_NO_CACHE ? IOPT_UNCACHED : 0);
}

static inline uint64_t apple_dart2_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa >> APPLE_DART2_SHIFT | APPLE_DART_VALID;
}

/* ---- registers ----------------------------------------------------------------------------- */

/*
 * The top has a page for each TTBR; a width that one page is enough for takes one. FOUR_LEVELS: as
 * in m1n1 dart8110.py, R_TCR; it counts the TTBRs as one.
 */
static inline void apple_dart_ttbrs(uint64_t root, const struct iopt_geometry *geometry,
				    unsigned page_lg2, struct iopt_hw *hw)
{
	unsigned one_lg2 = page_lg2 + geometry->levels * (page_lg2 - 3);
	unsigned nr_lg2 = geometry->iova_lg2 > one_lg2 ? geometry->iova_lg2 - one_lg2 : 0;

	hw->apple_dart.nr_ttbrs = (uint8_t)(1u << nr_lg2);
	for (unsigned i = 0; i < IOPT_DART_TTBRS; i++)
		hw->apple_dart.ttbr[i] = i < 1u << nr_lg2 ? root + ((uint64_t)i << page_lg2) : 0;
	hw->apple_dart.four_levels = geometry->levels == 3;
}

/* ---- members of struct iopt_format ----------------------------------------------------------- */

/* clang-format off */
#define APPLE_DART_FUNCTIONS \
	.soft_dead = APPLE_DART_DEAD, \
	.kind = apple_dart_kind, \
	.soft = apple_dart_soft, \
	UNMARKED_FUNCTIONS
#define APPLE_DART1_FUNCTIONS \
	APPLE_DART_FUNCTIONS, \
	.leaf_attr = apple_dart1_leaf_attr, \
	.leaf = apple_dart1_leaf, \
	.leaf_attrs = apple_dart1_leaf_attrs, \
	.leaf_prot = apple_dart1_leaf_prot, \
	.table = apple_dart1_table, \
	.table_pa = apple_dart1_pa
/* clang-format on */

#endif
