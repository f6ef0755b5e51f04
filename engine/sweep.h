/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sweep: read and clear dirty bits; and the last look into unlinked tables. Part of an instance
 * (instance.c).
 *
 * A sweep never waits for a writer, nor a writer for it. It records before it clears, and what it
 * clears it clears by one atomic operation on the entry as it is then:
 *
 * - Where the format says so (dirty_and), leaves of level 0 by an AND. The slot always translates
 *   the same range, which was recorded before; the AND changes nothing in an empty entry or a
 *   software value, and if another leaf is there by now, that range was recorded for it just as
 *   well.
 * - Elsewhere by compare-and-exchange, over nothing but a leaf of the size that was recorded.
 *
 * So a page that an unmap takes at the same moment may be reported by both, never by neither.
 */
#ifndef ENGINE_SWEEP_H
#define ENGINE_SWEEP_H

#include "engine/gather.h"
#include "engine/read.h"
#include "engine/sink.h"

/**
 * struct sweeping - one call of sweep()
 * @scan:   where it is
 * @first:  first IOVA of the range
 * @clear:  clear what is recorded
 * @sink:   where to
 * @gather: gets what clearing owes
 * @error:  what the sink said
 */
struct sweeping {
	struct scan scan;
	uint64_t first;
	bool clear;
	const struct iopt_sink *sink;
	struct iopt_gather *gather;
	int error;
};

/* Dirty bits of up to 64 entries of level 0, from a slot on. */
static inline uint64_t dirty_mask(const void *slot, unsigned n)
{
	const unsigned shift = bits_low(F->dirty_and);
	uint64_t any = 0, mask = 0;

	for (unsigned i = 0; i < n; i++)
		any |= entry_load((const char *)slot + ((size_t)i << F->info.entry_lg2));
	if (!(any & F->dirty_and))
		return 0;
	for (unsigned i = 0; i < n; i++)
		mask |= (entry_load((const char *)slot + ((size_t)i << F->info.entry_lg2)) >>
				 shift &
			 1)
			<< i;
	return mask;
}

static inline void clear_mask(struct sweeping *s, void *slot, uint64_t mask, uint64_t iova)
{
	unsigned low = bits_low(mask), high = bits_high(mask);

	for (uint64_t left = mask; left; left &= left - 1)
		entry_and(slot_at(slot, bits_low(left)), ~F->dirty_and);
	gather_add(s->gather, iova + ((uint64_t)low << F->info.granule_lg2),
		   iova + ((uint64_t)(high + 1) << F->info.granule_lg2) - 1,
		   IOPT_OWES_LEAVES | IOPT_OWES_DIRTY | IOPT_OWES_DEVICE_TLB, F->info.granule_lg2);
}

/*
 * A table of level 0 whose leaves are one entry each, 64 entries at a time. Leaves that lie only
 * partly in the range are left to sweep_leaf().
 */
static void sweep_words(struct sweeping *s, struct place *place)
{
	while (!s->scan.done && place->index < table_entries()) {
		uint64_t left_1 = (s->scan.last - s->scan.next) >> F->info.granule_lg2;
		unsigned n = table_entries() - place->index;
		uint64_t mask;

		if (n > 64)
			n = 64;
		if (left_1 < n - 1)
			n = (unsigned)left_1 + 1;
		mask = dirty_mask(place_slot(place), n);
		if (mask) {
			mask = sink_mask(s->sink, s->scan.next, F->info.granule_lg2, mask,
					 &s->error);
			if (s->clear && mask)
				clear_mask(s, place_slot(place), mask, s->scan.next);
			if (s->error)
				return;
		}
		place->index += n;
		scan_pass(&s->scan, s->scan.next + ((uint64_t)n << F->info.granule_lg2) - 1);
	}
}

/*
 * Clear the dirty bit of an entry while it is of a leaf of that size. Returns false if it no longer
 * is: then whoever changed it knows of the bit, or it is a new leaf's.
 */
static bool clean_entry(const struct place *place, unsigned index, unsigned size_lg2)
{
	void *slot = slot_at(place->table, index);
	uint64_t entry = entry_load(slot);

	while (F->kind(entry, place->level) == IOPT_LEAF &&
	       F->leaf_lg2(entry, place->level) == size_lg2) {
		if (!F->leaf_dirty(entry) || entry_cas(slot, &entry, F->leaf_clean(entry)))
			return true;
	}
	return false;
}

/* A leaf of any size: dirty if one of its entries is; all are cleared, or none. */
static void sweep_leaf(struct sweeping *s, const struct place *place, const struct leaf *leaf)
{
	uint64_t first = leaf->first > s->first ? leaf->first : s->first;
	uint64_t last = leaf->last < s->scan.last ? leaf->last : s->scan.last;

	if (!(run_flags(place, leaf) & IOPT_ITEM_DIRTY))
		return;
	s->error = sink_record(s->sink, first, last);
	if (s->error || !s->clear || first != leaf->first || last != leaf->last)
		return;
	for (unsigned i = 0; i < leaf->run; i++)
		clean_entry(place, leaf->index + i, leaf->size_lg2);
	gather_add(s->gather, first, last,
		   IOPT_OWES_LEAVES | IOPT_OWES_DIRTY | IOPT_OWES_DEVICE_TLB, leaf->size_lg2);
}

static void sweep_entries(struct sweeping *s, struct place *place, uint64_t entry)
{
	do {
		uint64_t last = s->scan.next | entry_mask(place->level);

		if (F->kind(entry, place->level) == IOPT_LEAF) {
			struct leaf leaf;

			leaf_read(place, entry, s->scan.next, &leaf);
			sweep_leaf(s, place, &leaf);
			if (s->error)
				return;
			last = leaf.last;
			place->index = leaf.index + leaf.run - 1;
		}
		scan_pass(&s->scan, last);
	} while (scan_entry(&s->scan, place, place->index + 1, &entry));
}

/* Whether the whole of level 0 can be taken in words from here: whole granules, no runs. */
static inline bool sweeps_words(const struct sweeping *s)
{
	return F->dirty_and && !has_runs() && !(s->scan.next & entry_mask(0)) &&
	       s->scan.last - s->scan.next >= entry_mask(0) && !(~s->scan.last & entry_mask(0));
}

static void sweep_table(struct sweeping *s)
{
	struct place place;
	uint64_t entry;

	if (!scan_table(&s->scan, &place, &entry))
		return;
	if (place.level == 0 && sweeps_words(s))
		sweep_words(s, &place);
	else
		sweep_entries(s, &place, entry);
}

static int sweep_check(const struct iopt_domain *domain, uint64_t first, uint64_t last,
		       unsigned flags, const struct iopt_sink *sink,
		       const struct iopt_gather *gather)
{
	if (first > last || (flags & ~IOPT_SWEEP_CLEAR))
		return -IOPT_EINVAL;
	if ((flags & IOPT_SWEEP_CLEAR) && (!gather || gather->domain != domain))
		return -IOPT_EINVAL;
	if (!(domain->flags & IOPT_TRACKABLE))
		return -IOPT_EOPNOTSUPP;
	return domain_has(domain, first, last) && sink_covers(sink, first, last) ? 0 : -IOPT_ERANGE;
}

/* Returns 1 if the budget was spent, else 0 or an error; where it stopped is in s->scan. */
static int sweep_run(struct sweeping *s, uint64_t budget)
{
	iopt_host_read_lock();
	while (!s->scan.done && !s->error && !(budget && s->scan.tables == budget))
		sweep_table(s);
	iopt_host_read_unlock();
	return s->error ? s->error : !s->scan.done;
}

static int sweep(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags,
		 const struct iopt_sink *sink, struct iopt_gather *gather, uint64_t budget,
		 uint64_t *next)
{
	int result = sweep_check(domain, first, last, flags, sink, gather);
	struct sweeping s;

	if (result)
		return result;
	s.first = first;
	s.clear = flags & IOPT_SWEEP_CLEAR;
	s.sink = sink;
	s.gather = gather;
	s.error = 0;
	scan_start(&s.scan, domain, first, last);
	if (s.clear)
		iopt_host_lock(&domain->sweep_lock);
	result = sweep_run(&s, budget);
	if (s.clear)
		iopt_host_unlock(&domain->sweep_lock);
	if (next)
		*next = s.scan.next;
	return result;
}

/*
 * Report what is dirty in a table of level 0 that was unlinked whole; no hardware reaches it now.
 */
static void collect(const struct iopt_table *table, const struct iopt_sink *sink)
{
	struct place place = {
		.table = iopt_host_va(iopt_host_table_pa(table)),
	};

	while (place.index < table_entries()) {
		uint64_t iova = table->first + ((uint64_t)place.index << F->info.granule_lg2);
		uint64_t entry = entry_load(place_slot(&place));
		struct leaf leaf;

		place.index++;
		if (F->kind(entry, 0) != IOPT_LEAF)
			continue;
		place.index--;
		leaf_read(&place, entry, iova, &leaf);
		if (run_flags(&place, &leaf) & IOPT_ITEM_DIRTY)
			sink_record(sink, leaf.first, leaf.last);
		place.index = leaf.index + leaf.run;
	}
}

#endif
