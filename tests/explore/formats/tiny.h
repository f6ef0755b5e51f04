/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the explorer's formats have in common: entries like those of real hardware, in tables so
 * small that all schedules of a few threads can be tried. A format sets TINY_INDEX_LG2 before it
 * includes this.
 *
 *   bit    table entry        leaf               not present
 *   0      1                  1                  0
 *   1      -                  writable           -
 *   6      0                  one of a run of 2  -
 *   7      0                  1 above level 0    -
 *   8      accessed           accessed           0
 *   9      0                  dirty              0
 *   51:12  address            address            -
 *   53:52  0                  0                  1: dead, 2: frozen, 3: retiring
 *   54     0                  pending            0
 *   55     touched            0                  0
 *   56     unwritten          0                  0
 *
 * A frozen entry has its generation in bits 35:12, a retiring one the address of the table.
 */
#ifndef TESTS_EXPLORE_FORMATS_TINY_H
#define TESTS_EXPLORE_FORMATS_TINY_H

#include "engine/format.h"
#include "tests/explore/tiny_bits.h"

static inline enum iopt_kind tiny_kind(uint64_t entry, unsigned level)
{
	if (!(entry & TINY_P))
		return entry ? IOPT_SOFT : IOPT_EMPTY;
	return level == 0 || (entry & TINY_BLOCK) ? IOPT_LEAF : IOPT_TABLE;
}

static inline enum iopt_soft tiny_soft(uint64_t entry)
{
	switch (entry & TINY_TAG) {
	case TINY_FROZEN: return IOPT_FROZEN;
	case TINY_RETIRING: return IOPT_RETIRING;
	default: return IOPT_DEAD;
	}
}

static inline uint64_t tiny_frozen(uint32_t generation)
{
	return TINY_FROZEN | (uint64_t)generation << TINY_PAGE_LG2;
}

static inline uint32_t tiny_frozen_generation(uint64_t entry)
{
	return (uint32_t)(entry >> TINY_PAGE_LG2) & ((1u << IOPT_GENERATION_BITS) - 1);
}

static inline uint64_t tiny_retiring(uint64_t pa)
{
	return TINY_RETIRING | pa;
}

static inline uint64_t tiny_retiring_pa(uint64_t entry)
{
	return entry & TINY_ADDR;
}

static inline int tiny_leaf_attr(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	(void)config_flags;
	if ((prot & ~(IOPT_READ | IOPT_WRITE)) || !(prot & IOPT_READ))
		return -IOPT_EINVAL;
	*attr = TINY_P | (prot & IOPT_WRITE ? TINY_W : 0);
	return 0;
}

static inline unsigned tiny_leaf_lg2(uint64_t entry, unsigned level)
{
	return TINY_PAGE_LG2 + level * TINY_INDEX_LG2 + (entry & TINY_RUN ? 1 : 0);
}

static inline uint64_t tiny_leaf(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
				 unsigned slot)
{
	(void)slot; /* the entries of a run are equal */
	return pa | attr | (level ? TINY_BLOCK : 0) |
	       (size_lg2 > TINY_PAGE_LG2 + level * TINY_INDEX_LG2 ? TINY_RUN : 0);
}

static inline uint64_t tiny_leaf_pa(uint64_t entry, unsigned level)
{
	(void)level;
	return entry & TINY_ADDR;
}

static inline unsigned tiny_leaf_prot(uint64_t entry)
{
	return IOPT_READ | (entry & TINY_W ? IOPT_WRITE : 0);
}

static inline uint64_t tiny_leaf_hw(uint64_t entry)
{
	(void)entry;
	return TINY_A | TINY_D;
}

static inline bool tiny_leaf_dirty(uint64_t entry)
{
	return entry & TINY_D;
}

static inline bool tiny_leaf_accessed(uint64_t entry)
{
	return entry & TINY_A;
}

static inline uint64_t tiny_leaf_clean(uint64_t entry)
{
	return entry & ~TINY_D;
}

static inline uint64_t tiny_leaf_dirtied(uint64_t entry)
{
	return entry | TINY_D;
}

static inline uint64_t tiny_leaf_attrs(uint64_t entry, unsigned level)
{
	(void)level;
	return entry & ~(TINY_ADDR | TINY_BLOCK | TINY_RUN);
}

static inline uint64_t tiny_table(uint64_t pa, unsigned level)
{
	(void)level;
	return pa | TINY_P | TINY_A;
}

static inline uint64_t tiny_table_pa(uint64_t entry)
{
	return entry & TINY_ADDR;
}

static inline bool tiny_table_accessed(uint64_t entry)
{
	return entry & TINY_A;
}

/* Root and levels are all that the explorer's device wants to know. */
static inline void tiny_hw(uint64_t root, const struct iopt_geometry *geometry,
			   uint32_t config_flags, struct iopt_hw *hw)
{
	(void)root;
	(void)geometry;
	(void)config_flags;
	(void)hw;
}

/* The members that are the same in every format. */
/* clang-format off */
#define TINY_FUNCTIONS \
	.soft_dead = TINY_DEAD, \
	.table_hw = TINY_A | TINY_TOUCHED, \
	.leaf_a = TINY_A, \
	.leaf_pending = TINY_PENDING, \
	.kind = tiny_kind, \
	.soft = tiny_soft, \
	.frozen = tiny_frozen, \
	.frozen_generation = tiny_frozen_generation, \
	.retiring = tiny_retiring, \
	.retiring_pa = tiny_retiring_pa, \
	.leaf_attr = tiny_leaf_attr, \
	.leaf_attrs = tiny_leaf_attrs, \
	.leaf_dirtied = tiny_leaf_dirtied, \
	.leaf = tiny_leaf, \
	.leaf_lg2 = tiny_leaf_lg2, \
	.leaf_pa = tiny_leaf_pa, \
	.leaf_prot = tiny_leaf_prot, \
	.leaf_hw = tiny_leaf_hw, \
	.leaf_dirty = tiny_leaf_dirty, \
	.leaf_accessed = tiny_leaf_accessed, \
	.leaf_clean = tiny_leaf_clean, \
	.table = tiny_table, \
	.table_pa = tiny_table_pa, \
	.table_accessed = tiny_table_accessed, \
	.hw = tiny_hw,
/* clang-format on */

#endif
