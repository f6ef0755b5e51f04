/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One table of a format: how large it is, its entries, and a copy of it. For what walks tables from
 * the root down (walk.c) and what looks addresses up in a second stage (second.c).
 */
#ifndef DECODE_TABLE_H
#define DECODE_TABLE_H

#include "decode/internal.h"
#include "soft-iommu/internal.h"

/**
 * struct shape - tables of a format, from a root on
 * @unused:  bits of entries that say nothing with this root
 * @mair:    Arm's stage 1: what the entries' indices of attributes stand for
 * @indirect: there is @mair
 * @width:   bits of an address that they translate
 * @extends: addresses have all bits above these as the highest of these
 */
struct shape {
	const struct soft_format *format;
	struct soft_root root;
	uint64_t unused;
	uint64_t mair;
	bool indirect;
	unsigned width;
	bool extends;
};

/**
 * struct copy - a table that was read, of entries of eight bytes as all of these formats have them
 * @entries: them
 * @pages:   where its pages are in physical memory, the first one to the byte
 * @room:    how many entries there is room for
 * @nr:      how many there are
 */
struct copy {
	uint64_t *entries;
	uint64_t *pages;
	unsigned room;
	unsigned nr;
};

/**
 * shape_set() - take a format and what hardware is told of it
 * Return: 0, -EINVAL: no such format, -ERANGE: hardware would not take this root.
 */
int shape_set(struct shape *shape, const char *format, const struct iopt_hw *hw);

/*
 * Whoever made the tables has chosen the attributes: a processor's are not the library's. The
 * soft-IOMMU knows the library's (struct iopt_hw_arm): the index of the one that is alike.
 */
#define ATTR_LG2 2u

enum { ATTR_UNCACHED, ATTR_CACHED, ATTR_DEVICE };

/* Arm IHI 0070 (SMMUv3), 5.4, MAIR0 and MAIR1: as VMSAv8-64's; of memory 0100 is non-cacheable. */
static inline uint64_t attribute_alike(uint64_t mair, unsigned index)
{
	const unsigned attribute = mair >> (8 * index) & 0xff;

	if (!(attribute >> 4))
		return ATTR_DEVICE;
	return attribute == 0x44 ? ATTR_UNCACHED : ATTR_CACHED;
}

/* What an entry of a table of this level says. */
static inline struct soft_entry shape_decode(const struct shape *shape, uint64_t entry,
					     unsigned level)
{
	const uint64_t mask = 7ull << ATTR_LG2;

	entry &= ~shape->unused;
	if (shape->indirect)
		entry = (entry & ~mask) | attribute_alike(shape->mair, (entry & mask) >> ATTR_LG2)
						  << ATTR_LG2;
	return shape->format->decode(shape->format, entry, level, 0);
}

/* The top may have fewer or more than the others, and no more than addresses have bits for. */
static inline unsigned shape_entries(const struct shape *shape, unsigned level)
{
	const unsigned span_lg2 = soft_entry_lg2(shape->format, level);
	unsigned lg2 = shape->format->index_lg2;

	if (shape->root.width && level + 1u == shape->root.levels)
		lg2 = shape->root.width - span_lg2;
	return 1u << (span_lg2 + lg2 > 64 ? 64 - span_lg2 : lg2);
}

static inline uint64_t copy_entry_pa(const struct copy *copy, unsigned index)
{
	uint64_t offset = (uint64_t)index * sizeof(*copy->entries);

	return copy->pages[offset / PAGE_BYTES] + offset % PAGE_BYTES;
}

/**
 * copy_read() - read the table of a level
 * @pa:   its address, of a first stage over a second one as the second one is asked
 * @iova: for who is told
 * Return: as reading_pages(), also false without memory of one's own.
 */
bool copy_read(struct reading *reading, const struct shape *shape, struct copy *copy, uint64_t pa,
	       unsigned level, uint64_t iova);

void copy_free(struct copy *copy);

/* The address that one entry of a leaf's run translates to: its own, where entries have such. */
uint64_t leaf_own(const struct shape *shape, const struct soft_entry *leaf, unsigned index,
		  unsigned level);

/**
 * copy_run() - how many entries from one on are the run of a leaf
 * @level: of the table
 * @leaf:  the entry at @index, decoded
 * @run:   entries that the run has
 * Return: @run, or 1 where they differ.
 */
unsigned copy_run(const struct shape *shape, const struct copy *copy, unsigned level,
		  unsigned index, const struct soft_entry *leaf, unsigned run);

/* What is wrong with an entry. */
enum iopt_decode_wrong wrong_of(enum soft_iommu_reason reason);

#endif
