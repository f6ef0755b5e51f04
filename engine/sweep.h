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
 *
 * Where hardware marks tables accessed (IOPT_ACCESSED_TABLES), a clearing sweep costs what devices
 * touched. Of a table entry whose whole range it sweeps it takes the accessed bit and leaves
 * "touched" instead: a cached walk may still dirty leaves below without setting accessed again, so
 * that the next sweep looks once more, and takes "touched". The walk caches of that range are
 * invalidated in between: by the sync of this sweep's gather, else by the next sweep before it
 * starts (sweeps.h). What is neither accessed nor touched has nothing dirty below it.
 * A sweep that stops early, or leaves a leaf dirty, gives the whole way down to it accessed back.
 */
#ifndef ENGINE_SWEEP_H
#define ENGINE_SWEEP_H

#include "engine/gather.h"
#include "engine/read.h"
#include "engine/sink.h"
#include "engine/touch.h"

/**
 * struct sweeping - one call of sweep()
 * @scan:    where it is
 * @first:   first IOVA of the range
 * @clear:   clear what is recorded
 * @skips:   tables that no device touched are skipped
 * @sink:    where to
 * @gather:  gets what clearing owes
 * @error:   what the sink said
 * @budget:  tables to look into before it stops; 0: no limit
 * @section: how many are left before it leaves this read section
 * @stop:    leave the read section: come back by address, if at all
 * @entered: by level: last IOVA of the entry of that level that was decided to be looked below
 * @levels:  bit n: @entered of level n is valid
 * @taken:   where accessed bits were taken; first > last: nowhere
 */
struct sweeping {
	struct scan scan;
	uint64_t first;
	bool clear;
	bool skips;
	const struct iopt_sink *sink;
	struct iopt_gather *gather;
	int error;
	uint64_t budget;
	unsigned section;
	bool stop;
	uint64_t entered[IOPT_MAX_LEVELS];
	unsigned levels;
	struct iopt_range taken;
};

/* ---- accessed bits ------------------------------------------------------------------------- */

/*
 * Take the marks of a table entry whose whole range is swept: accessed becomes touched, and touched
 * goes. Returns what was there.
 */
static uint64_t marks_take(struct sweeping *s, const struct place *place, uint64_t entry)
{
	const uint64_t marks = F->table_a | F->table_touched;
	uint64_t first = s->scan.next & ~entry_mask(place->level);
	uint64_t last = s->scan.next | entry_mask(place->level);
	uint64_t left;

	if (!s->clear || first < s->first || last > s->scan.last)
		return entry & marks;
	do {
		if (F->kind(entry, place->level) != IOPT_TABLE)
			return marks;
		left = entry & F->table_a ? F->table_touched : 0;
	} while ((entry & marks) &&
		 !entry_cas_acquire(place_slot(place), &entry, (entry & ~marks) | left));
	if (entry & F->table_a) {
		/* Dirty below or not; and no leaf-only hint. */
		gather_owe(s->gather, first, last,
			   IOPT_OWES_LEAVES | IOPT_OWES_TABLES | IOPT_OWES_DIRTY, NO_LEAF);
		range_grow(&s->taken, first, last);
	}
	return entry & marks;
}

/* Whether to look below a table entry: decided once, however often the way leads through it. */
static bool sweep_enters(struct sweeping *s, const struct place *place, uint64_t entry)
{
	uint64_t last = s->scan.next | entry_mask(place->level);

	if (!s->skips || (s->levels >> place->level & 1 && s->entered[place->level] == last))
		return true;
	if (!marks_take(s, place, entry))
		return false;
	s->entered[place->level] = last;
	s->levels |= 1u << place->level;
	return true;
}

/* ---- which tables, and fetching them ahead -------------------------------------------------- */

#define LINE_ENTRIES 8u
#define WORD_ENTRIES 64u

/* What any of the entries of a cache line has set; two chains, as loads are faster than one. */
static inline uint64_t line_any(const void *slot)
{
	uint64_t even, odd;

	even = entry_load(slot) | entry_load(slot_after(slot, 2)) |
	       entry_load(slot_after(slot, 4)) | entry_load(slot_after(slot, 6));
	odd = entry_load(slot_after(slot, 1)) | entry_load(slot_after(slot, 3)) |
	      entry_load(slot_after(slot, 5)) | entry_load(slot_after(slot, 7));
	return even | odd;
}

/*
 * Whether a sweep that skips has nothing to do at an entry: no leaf, and no table that a device
 * touched. Of entries that are ORed: at none of them (iopt_format::kind).
 */
static inline bool untouched(uint64_t entry, unsigned level)
{
	return F->kind(entry, level) != IOPT_LEAF && !(entry & (F->table_a | F->table_touched));
}

/* The first entry from index on, before end, at which it has. */
static inline unsigned entry_touched(const void *table, unsigned level, unsigned index,
				     unsigned end)
{
	while (index < end) {
		const void *slot = slot_after(table, index);

		if (index % LINE_ENTRIES == 0 && end - index >= LINE_ENTRIES &&
		    untouched(line_any(slot), level)) {
			index += LINE_ENTRIES;
			continue;
		}
		if (!untouched(entry_load(slot), level))
			break;
		index++;
	}
	return index;
}

/* Behind the last entry of a table that the sweep gets to; the place is of scan.next. */
static inline unsigned sweep_end(const struct sweeping *s, const struct place *place)
{
	uint64_t left_1 = (s->scan.last - s->scan.next) >> entry_span_lg2(place->level);
	unsigned room = place_entries(place) - place->index;

	return place->index + (left_1 < room ? (unsigned)left_1 + 1 : room);
}

/*
 * Tables lie anywhere, and hardware that fetches memory ahead stops at the end of each: a scan that
 * leaves it at that waits for the first lines of every table. So it asks for the lines of the table
 * that is its fourth next while it looks at one, eight lines with every 64 entries.
 */
#define TABLES_AHEAD 4u

/* Of a table, what lies where in another one 64 entries from a number on do. */
static inline void word_fetch(const void *table, unsigned index)
{
	const void *slot = slot_after(table, index & ~(WORD_ENTRIES - 1));

	for (unsigned i = 0; i < WORD_ENTRIES; i += LINE_ENTRIES)
		__builtin_prefetch(slot_after(slot, i));
}

static inline void table_fetch(const void *table)
{
	for (unsigned i = 0; i < table_entries(); i += WORD_ENTRIES)
		word_fetch(table, i);
}

/**
 * struct ahead - which tables below one are asked for already
 * @index: entries before this one were looked at
 * @end:   behind the last one that the sweep gets to
 */
struct ahead {
	unsigned index;
	unsigned end;
};

/* The next table that will be looked into, as it seems now; NULL: none. */
static const void *ahead_next(const struct sweeping *s, const struct place *place,
			      struct ahead *ahead)
{
	while (ahead->index < ahead->end) {
		uint64_t entry;

		if (s->skips) {
			ahead->index =
				entry_touched(place->table, place->level, ahead->index, ahead->end);
			if (ahead->index == ahead->end)
				break;
		}
		entry = entry_load_table(slot_after(place->table, ahead->index++));
		if (F->kind(entry, place->level) == IOPT_TABLE)
			return iopt_host_va(F->table_pa(entry));
	}
	return NULL;
}

/* From the entry that comes next on. The first tables are asked for at once. */
static void ahead_start(const struct sweeping *s, const struct place *place, struct ahead *ahead)
{
	/* Tables of less than a few lines are not worth it. */
	bool worth = place->level > 0 && table_entries() >= WORD_ENTRIES;
	const void *tables[TABLES_AHEAD];
	unsigned nr;

	ahead->index = place->index;
	ahead->end = worth ? sweep_end(s, place) : place->index;
	/* One line of each first: then their addresses are translated at the same time. */
	for (nr = 0; nr < TABLES_AHEAD; nr++) {
		tables[nr] = ahead_next(s, place, ahead);
		if (!tables[nr])
			break;
		__builtin_prefetch(tables[nr]);
	}
	for (unsigned i = 0; i < nr; i++)
		table_fetch(tables[i]);
}

/* ---- leaves -------------------------------------------------------------------------------- */

/* Dirty bits of a few entries of level 0. */
static inline uint64_t dirty_bits(const void *slot, unsigned n)
{
	const unsigned shift = bits_low(F->dirty_and);
	uint64_t bits = 0;

	for (unsigned i = 0; i < n; i++)
		bits |= (entry_load(slot_after(slot, i)) >> shift & 1) << i;
	return bits;
}

/* Dirty bits of up to 64 entries of level 0, from a slot on: most cache lines hold none. */
static inline uint64_t dirty_mask(const void *slot, unsigned n)
{
	uint64_t mask = 0;
	unsigned i;

	for (i = 0; i + LINE_ENTRIES <= n; i += LINE_ENTRIES)
		if (line_any(slot_after(slot, i)) & F->dirty_and)
			mask |= dirty_bits(slot_after(slot, i), LINE_ENTRIES) << i;
	return i < n ? mask | dirty_bits(slot_after(slot, i), n - i) << i : mask;
}

static inline void clear_mask(struct sweeping *s, void *slot, uint64_t mask, uint64_t iova)
{
	unsigned low = bits_low(mask), high = bits_high(mask);

	for (uint64_t left = mask; left; left &= left - 1)
		entry_and(slot_at(slot, bits_low(left)), ~F->dirty_and);
	gather_owe(s->gather, iova + ((uint64_t)low << F->info.granule_lg2),
		   iova + ((uint64_t)(high + 1) << F->info.granule_lg2) - 1,
		   IOPT_OWES_LEAVES | IOPT_OWES_DIRTY | IOPT_OWES_DEVICE_TLB, F->info.granule_lg2);
}

/*
 * A table of level 0 whose leaves are one entry each, 64 entries at a time. Leaves that lie only
 * partly in the range are left to sweep_leaf(); none of these is ever pending, since nothing
 * smaller is made of it.
 */
static void sweep_words(struct sweeping *s, struct place *place, const void *ahead)
{
	while (!s->scan.done && place->index < table_entries()) {
		uint64_t left_1 = (s->scan.last - s->scan.next) >> F->info.granule_lg2;
		unsigned n = table_entries() - place->index;
		uint64_t mask;

		if (n > 64)
			n = 64;
		if (left_1 < n - 1)
			n = (unsigned)left_1 + 1;
		if (ahead)
			word_fetch(ahead, place->index);
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
 * is: then whoever changed it knows of the bit, or it is a new leaf's. One that is pending keeps
 * its bit, too: it may be about more than this leaf, and is still to be collected.
 */
static bool clean_entry(const struct place *place, unsigned index, unsigned size_lg2)
{
	void *slot = slot_at(place->table, index);
	uint64_t entry = entry_load(slot);

	while (F->kind(entry, place->level) == IOPT_LEAF &&
	       F->leaf_lg2(entry, place->level) == size_lg2 && !(entry & F->leaf_pending)) {
		if (!F->leaf_dirty(entry) || entry_cas(slot, &entry, F->leaf_clean(entry)))
			return true;
	}
	return false;
}

/*
 * A leaf of any size, of which an entry was just loaded: dirty if one of its entries is; all are
 * cleared, or none. What stays dirty, or may yet become so, is found by the next sweep.
 *
 * Returns false, having reported nothing, if the leaf was split or merged meanwhile: what was dirty
 * in one of its entries may be in another by now. Its own entry shows that, in form or by the mark
 * "pending"; if that is as before, the others are a new owner's.
 */
static bool sweep_leaf(struct sweeping *s, const struct place *place, uint64_t entry,
		       const struct leaf *leaf)
{
	uint64_t first = leaf->first > s->first ? leaf->first : s->first;
	uint64_t last = leaf->last < s->scan.last ? leaf->last : s->scan.last;
	unsigned flags = run_flags(place, leaf);
	bool stays = flags & ITEM_PENDING;

	if ((flags & ITEM_CHANGED) && entry_load(place_slot(place)) != entry)
		return false;
	if (!(flags & IOPT_ITEM_DIRTY))
		return true;
	s->error = sink_record(s->sink, first, last);
	if (s->error || !s->clear || first != leaf->first || last != leaf->last)
		return true;
	for (unsigned i = 0; i < leaf->run; i++)
		stays |= !clean_entry(place, leaf->index + i, leaf->size_lg2);
	gather_owe(s->gather, first, last,
		   IOPT_OWES_LEAVES | IOPT_OWES_DIRTY | IOPT_OWES_DEVICE_TLB, leaf->size_lg2);
	if (stays)
		path_touch(s->scan.domain, leaf->first);
	return true;
}

/* Whether the whole of level 0 can be taken in words from here: whole granules, no runs. */
static inline bool sweeps_words(const struct sweeping *s)
{
	return F->dirty_and && !has_runs() && !(s->scan.next & entry_mask(0)) &&
	       s->scan.last - s->scan.next >= entry_mask(0) && !(~s->scan.last & entry_mask(0));
}

/* Whether another table may be looked into. */
static bool sweep_goes_on(struct sweeping *s)
{
	s->stop = !s->section || (s->budget && s->scan.tables >= s->budget);
	return !s->stop;
}

/*
 * One entry that leads no further down, or is not looked below. If it changed, the scan does not
 * move, and comes back by address.
 */
static void sweep_entry(struct sweeping *s, struct place *place, uint64_t entry)
{
	uint64_t last = s->scan.next | entry_mask(place->level);
	struct leaf leaf;

	if (F->kind(entry, place->level) == IOPT_LEAF) {
		leaf_read(place, entry, s->scan.next, &leaf);
		if (!sweep_leaf(s, place, entry, &leaf) || s->error)
			return;
		last = leaf.last;
		place->index = leaf.index + leaf.run - 1;
	}
	scan_pass(&s->scan, last);
}

static void sweep_table(struct sweeping *s, struct place place, const void *ahead);

/*
 * The table that an entry leads to, asking for another one meanwhile. It counts when all of it was
 * looked at.
 */
static void sweep_below(struct sweeping *s, struct place place, uint64_t entry, const void *ahead)
{
	if (!sweep_goes_on(s))
		return;
	place_down(&place, entry, s->scan.next);
	sweep_table(s, place, ahead);
	if (s->stop || s->error)
		return;
	s->section -= s->section > 0;
	s->scan.tables++;
}

/*
 * Whether the sweep goes on in a table, at place then. What no device touched is passed over; not
 * the entry that a sweep came back to by address, which comes first: what was decided there stands.
 */
static inline bool sweep_next(struct sweeping *s, struct place *place)
{
	unsigned n;

	if (s->stop || s->error || s->scan.done || ++place->index == place_entries(place) ||
	    place_index(place, s->scan.next) != place->index)
		return false;
	if (!s->skips || place->level == 0)
		return true;
	n = entry_touched(place->table, place->level, place->index, sweep_end(s, place)) -
	    place->index;
	if (!n)
		return true;
	scan_pass(&s->scan, (s->scan.next | entry_mask(place->level)) +
				    ((uint64_t)(n - 1) << entry_span_lg2(place->level)));
	place->index += n;
	return !s->scan.done && place->index < place_entries(place) &&
	       place_index(place, s->scan.next) == place->index;
}

/* From scan.next on, what a table translates; with s->stop or s->error not to its end. */
static void sweep_table(struct sweeping *s, struct place place, const void *ahead)
{
	struct ahead below;

	if (place.level == 0 && sweeps_words(s)) {
		sweep_words(s, &place, ahead);
		return;
	}
	if (ahead)
		__builtin_prefetch(ahead);
	ahead_start(s, &place, &below);
	if (ahead)
		table_fetch(ahead);
	do {
		uint64_t entry = entry_load_table(place_slot(&place));

		if (place.level > 0 && F->kind(entry, place.level) == IOPT_TABLE &&
		    sweep_enters(s, &place, entry))
			sweep_below(s, place, entry, ahead_next(s, &place, &below));
		else
			sweep_entry(s, &place, entry);
	} while (sweep_next(s, &place));
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

/* What was decided on the way to scan.next is not looked below to its end. */
static void sweep_left(const struct sweeping *s)
{
	iopt_host_read_lock();
	path_touch(s->scan.domain, s->scan.next);
	iopt_host_read_unlock();
}

/* Returns 1 if the budget was spent, else 0 or an error; where it stopped is in s->scan. */
static int sweep_run(struct sweeping *s)
{
	struct place place;
	uint64_t top;

	while (!s->scan.done && !s->error && !(s->budget && s->scan.tables >= s->budget)) {
		iopt_host_read_lock();
		s->section = TABLES_A_SECTION;
		s->stop = false;
		top = __atomic_load_n(&s->scan.domain->top, __ATOMIC_ACQUIRE);
		if (top_covers(top, s->scan.next)) {
			place_top(&place, top, s->scan.next);
			sweep_table(s, place, NULL);
		} else {
			s->scan.done = true;
		}
		iopt_host_read_unlock();
		/* One that only reads may run where nobody may sleep. */
		if (s->clear)
			iopt_host_breathe();
	}
	if (s->clear && (s->error || !s->scan.done))
		sweep_left(s);
	return s->error ? s->error : !s->scan.done;
}

static int sweep(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags,
		 const struct iopt_sink *sink, struct iopt_gather *gather, uint64_t budget,
		 uint64_t *next)
{
	int result = sweep_check(domain, first, last, flags, sink, gather);
	struct sweep_turn *turn = NULL;
	struct sweeping s;

	if (result)
		return result;
	s.first = first;
	s.clear = flags & IOPT_SWEEP_CLEAR;
	s.skips = skips_tables(domain);
	s.sink = sink;
	s.gather = gather;
	s.error = 0;
	s.budget = budget;
	s.levels = 0;
	s.taken = (struct iopt_range){ ~0ull, 0 };
	scan_start(&s.scan, domain, first, last);
	if (s.clear)
		turn = sweeps_enter(domain, first, last);
	result = sweep_run(&s);
	if (s.clear)
		sweeps_leave(domain, turn, gather, &s.taken);
	if (next)
		*next = s.scan.next;
	return result;
}

/*
 * Report what is dirty in a table of level 0 that was unlinked whole; no hardware reaches it now.
 */
static void collect(const struct iopt_table *table, const struct iopt_sink *sink)
{
	struct place place = place_table(iopt_host_va(iopt_host_table_pa(table)), 0);

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
