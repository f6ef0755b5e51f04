/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Leaves that change their size where they stand: a run becomes several smaller leaves of the same
 * table, or several become a run. Part of an instance (instance.c); split.h and merge.h choose.
 *
 * The caller owns the leaves. Hardware translates through the entries all the time, and each says
 * the same as before; but it may cache a whole run by one entry and set dirty in that one alone, so
 * that a bit found in one of them speaks for the larger of the two sizes. Therefore every entry is
 * pending, and counts as dirty to sweeps, from before the first one changes until no cache holds
 * the old size any more and what hardware marked meanwhile is in all entries that it may be about
 * (design section 5).
 */
#ifndef ENGINE_RESHAPE_H
#define ENGINE_RESHAPE_H

#include "engine/gather.h"
#include "engine/lines.h"
#include "engine/table.h"
#include "engine/touch.h"

/**
 * struct shape - what leaves are to look like
 * @first:   of this range, first IOVA
 * @last:    last IOVA. No leaf crosses an end of it.
 * @sizes:   bit n: leaves of 2^n bytes may be used
 * @leaf_lg2: none in the range is larger
 */
struct shape {
	uint64_t first;
	uint64_t last;
	uint64_t sizes;
	unsigned leaf_lg2;
};

static inline uint64_t leaf_mask(unsigned size_lg2)
{
	return size_lg2 < 64 ? (1ull << size_lg2) - 1 : ~0ull;
}

/* Whether a leaf looks as it is to. */
static inline bool shape_allows(const struct shape *shape, uint64_t first, uint64_t last,
				unsigned size_lg2)
{
	if (last < shape->first || first > shape->last)
		return true;
	return first >= shape->first && last <= shape->last && size_lg2 <= shape->leaf_lg2;
}

/* The largest leaf at an IOVA that is no larger than the one of 2^most bytes that is there. */
static unsigned shape_lg2(const struct shape *shape, uint64_t iova, unsigned most)
{
	uint64_t sizes = shape->sizes & (leaf_mask(most) << 1 | 1);

	for (;;) {
		unsigned lg2 = bits_high(sizes);

		if (!(iova & leaf_mask(lg2)) &&
		    shape_allows(shape, iova, iova | leaf_mask(lg2), lg2))
			return lg2;
		sizes &= ~(1ull << lg2);
	}
}

/**
 * struct reshape - entries of one table that get leaves of other sizes
 * @domain: the domain
 * @place:  the first entry
 * @nr:     how many
 * @iova:   IOVA of the first one
 * @pa:     its physical address
 */
struct reshape {
	struct iopt_domain *domain;
	struct place place;
	unsigned nr;
	uint64_t iova;
	uint64_t pa;
};

/* A leaf's entry becomes what `change` makes of it, whatever bits hardware sets meanwhile. */
static inline __attribute__((always_inline)) void
leaf_change(void *slot, unsigned level, uint64_t (*change)(uint64_t entry, uint64_t with),
	    uint64_t with)
{
	uint64_t entry = entry_load(slot);

	while (F->kind(entry, level) == IOPT_LEAF && !entry_cas(slot, &entry, change(entry, with)))
		;
}

static inline uint64_t mark_pending(uint64_t entry, uint64_t unused)
{
	(void)unused;
	return entry | F->leaf_pending;
}

/* No longer pending, and dirty if what was collected says so. */
static inline uint64_t unmark_pending(uint64_t entry, uint64_t dirty)
{
	entry &= ~F->leaf_pending;
	return dirty ? F->leaf_dirtied(entry) : entry;
}

/* The entries from one on, as a leaf of 2^size_lg2 bytes, each with its own accessed and dirty. */
static void reshape_leaf(const struct reshape *r, unsigned i, unsigned size_lg2)
{
	const unsigned level = r->place.level, run = run_length(size_lg2, level);
	uint64_t pa = r->pa + ((uint64_t)i << entry_span_lg2(level));

	for (unsigned k = 0; k < run; k++) {
		void *slot = slot_at(r->place.table, r->place.index + i + k);
		uint64_t entry = entry_load(slot);

		while (F->kind(entry, level) == IOPT_LEAF &&
		       !entry_cas(slot, &entry,
				  F->leaf(F->leaf_attrs(entry, level), pa, level, size_lg2, k)))
			;
	}
}

/* All entries, each in the largest leaf of this table that the shape allows. Returns how many. */
static unsigned reshape_leaves(const struct reshape *r, const struct shape *shape, unsigned most)
{
	const unsigned span_lg2 = entry_span_lg2(r->place.level);
	unsigned leaves = 0;

	for (unsigned i = 0; i < r->nr; leaves++) {
		unsigned lg2 = shape_lg2(shape, r->iova + ((uint64_t)i << span_lg2), most);

		/* What has to be smaller than an entry goes into a table of its own, later. */
		if (lg2 < span_lg2)
			lg2 = span_lg2;
		reshape_leaf(r, i, lg2);
		i += run_length(lg2, r->place.level);
	}
	return leaves;
}

/*
 * Whether that can be done: what has to be smaller than an entry needs leaves of an entry's size
 * for a moment, which not every domain has.
 */
static bool reshape_possible(const struct reshape *r, const struct shape *shape, unsigned most)
{
	const unsigned span_lg2 = entry_span_lg2(r->place.level);

	for (unsigned i = 0; !(shape->sizes >> span_lg2 & 1) && i < r->nr;) {
		unsigned lg2 = shape_lg2(shape, r->iova + ((uint64_t)i << span_lg2), most);

		if (lg2 < span_lg2)
			return false;
		i += run_length(lg2, r->place.level);
	}
	return true;
}

/* Until here hardware may have marked any of the entries for any of the pages. */
static void reshape_collect(const struct reshape *r)
{
	uint64_t dirty = 0;

	for (unsigned i = 0; i < r->nr; i++)
		dirty |= F->leaf_dirty(entry_load(slot_at(r->place.table, r->place.index + i)));
	for (unsigned i = 0; i < r->nr; i++)
		leaf_change(slot_at(r->place.table, r->place.index + i), r->place.level,
			    unmark_pending, dirty);
	if (dirty)
		path_touch(r->domain, r->iova);
}

/**
 * reshape() - give leaves other sizes
 * @r:     leaves that continue each other, with equal attributes: a run that is split, or what
 *         becomes a run
 * @shape: what they are to look like
 * @most:  no leaf larger than 2^@most bytes
 *
 * Where no dirty bits are kept, stale translations are all that is left over, and the caller's.
 * Return: how many leaves there are now.
 * Context: in a read section; calls back.
 */
static unsigned reshape(const struct reshape *r, const struct shape *shape, unsigned most)
{
	const bool dirty = r->domain->flags & IOPT_TRACKABLE;
	void *first = place_slot(&r->place);
	unsigned leaves;

	for (unsigned i = 0; dirty && i < r->nr; i++)
		leaf_change(slot_at(first, i), r->place.level, mark_pending, 0);
	leaves = reshape_leaves(r, shape, most);
	entries_writeback(r->domain, first, r->nr);
	if (dirty) {
		invalidate_now(r->domain, r->iova,
			       r->iova + ((uint64_t)r->nr << entry_span_lg2(r->place.level)) - 1,
			       IOPT_OWES_LEAVES | IOPT_OWES_DIRTY);
		reshape_collect(r);
	}
	return leaves;
}

#endif
