/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Unmap: clearing leaves, and taking whole tables out. Part of an instance (instance.c); map.h
 * rolls back with it.
 *
 * The caller owns the range: nobody else maps or unmaps in it. Others do so beside it in the same
 * tables, hardware sets accessed and dirty bits, readers and sweeps go about.
 */
#ifndef ENGINE_UNMAP_H
#define ENGINE_UNMAP_H

#include "engine/gather.h"
#include "engine/lines.h"
#include "engine/read.h"
#include "engine/sink.h"
#include "engine/split.h"
#include "engine/table.h"
#include "engine/trim.h"

/**
 * struct unmapping - one call of unmap()
 * @domain:  the domain
 * @gather:  gets what is owed
 * @sink:    where dirty pages go; NULL: they are not asked for
 * @count:   count bytes
 * @bytes:   counted so far
 * @why:     what tables are counted as that go
 * @range:   what is asked for
 * @went:    what went; first > last: nothing yet
 * @written: lines that go to memory; NULL: walkers snoop
 */
struct unmapping {
	struct iopt_domain *domain;
	struct iopt_gather *gather;
	const struct iopt_sink *sink;
	bool count;
	uint64_t bytes;
	enum iopt_freed why;
	struct iopt_range range;
	struct iopt_range went;
	struct written *written;
};

static inline void unmapping_init(struct unmapping *u, struct iopt_domain *domain,
				  struct iopt_gather *gather, enum iopt_freed why, uint64_t first,
				  uint64_t last)
{
	u->domain = domain;
	u->gather = gather;
	u->sink = NULL;
	u->count = false;
	u->bytes = 0;
	u->why = why;
	u->range = (struct iopt_range){ first, last };
	u->went = (struct iopt_range){ ~0ull, 0 };
	u->written = NULL;
}

/* first..last went, as far as it was asked for: the entry of a hole may reach beyond. */
static inline void released(struct unmapping *u, uint64_t first, uint64_t last, uint32_t owes,
			    unsigned leaf_lg2)
{
	if (first < u->range.first)
		first = u->range.first;
	if (last > u->range.last)
		last = u->range.last;
	gather_add(u->gather, first, last, owes | IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB,
		   leaf_lg2);
	if (first < u->went.first)
		u->went.first = first;
	if (last > u->went.last)
		u->went.last = last;
}

/*
 * A leaf that went was dirty. Where the contract was broken it may be the rest of a run that began
 * before the range, and a bitmap need not reach as far.
 */
static void dirty_found(const struct unmapping *u, const struct leaf *leaf)
{
	uint64_t first = leaf->first > u->range.first ? leaf->first : u->range.first;
	uint64_t last = leaf->last < u->range.last ? leaf->last : u->range.last;

	sink_record(u->sink, first, last);
}

/*
 * Bytes of the leaves in a table of level 0 that its owner took out; hardware changes no leaf's
 * size.
 */
static uint64_t table_bytes(const void *table)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < table_entries(); i++) {
		uint64_t entry = entry_load(slot_after(table, i));

		if (F->kind(entry, 0) == IOPT_LEAF)
			bytes += entry_mask(0) + 1;
	}
	return bytes;
}

/*
 * Take the rest of a run, whose entry at place->index was exchanged already and held `entry`, and
 * say whether the leaf was dirty. By exchange: no bit that hardware sets is lost, since it sets
 * none in an entry that is not present. place->index stands on the last entry taken: the run's end,
 * but never behind `end`, whatever the entries say.
 */
static bool take_run(struct place *place, const struct leaf *leaf, uint64_t entry, unsigned end,
		     uint64_t instead)
{
	bool dirty = entry_dirty(entry);

	while (place->index < end && place->index + 1 < leaf->index + leaf->run) {
		place->index++;
		dirty |= entry_dirty(entry_take(place_slot(place), place->level, instead));
	}
	return dirty;
}

/*
 * Everything below an unlinked table goes with it. In interior tables every entry but retiring ones
 * is exchanged for dead: whose exchange removes a table frees it (rule 7), and a mapper that breaks
 * the contract can't hang another one in after we passed (rule 6). A table of level 0 is left as it
 * is: its leaves are read after the invalidation, when no cached walk writes to them any more.
 */
static void take_table(struct unmapping *u, uint64_t pa, unsigned level, uint64_t first)
{
	struct place place = place_table(iopt_host_va(pa), level);
	struct iopt_table *table = iopt_host_table(pa);

	for (; level > 0 && place.index < table_entries(); place.index++) {
		uint64_t start = first + ((uint64_t)place.index << entry_span_lg2(level));
		uint64_t entry = entry_take(place_slot(&place), level, F->soft_dead);
		enum iopt_kind kind = F->kind(entry, level);
		struct leaf leaf;

		if (kind == IOPT_TABLE) {
			take_table(u, F->table_pa(entry), level - 1, start);
		} else if (kind == IOPT_LEAF) {
			leaf_read(&place, entry, start, &leaf);
			if (take_run(&place, &leaf, entry, table_entries() - 1, F->soft_dead) &&
			    u->sink)
				dirty_found(u, &leaf);
			u->bytes += leaf.last - leaf.first + 1;
		}
	}
	if (u->count && level == 0)
		u->bytes += table_bytes(place.table);

	table->first = first;
	table->collect = u->sink && level == 0;
	count_unlinked(u->domain, level, u->why);
	gather_table(u->gather, table);
}

/*
 * The owner's unlink (rule 6) of the table that an entry leads to, leaving `instead` there.
 * Hardware may set accessed meanwhile, so that the exchange is tried again. Returns false, and
 * changes nothing, if this table does not hang there any more. `entry` led to one when it was
 * loaded.
 */
static bool unlink_table(struct unmapping *u, const struct place *place, uint64_t entry,
			 uint64_t instead, uint64_t first)
{
	void *slot = place_slot(place);
	uint64_t found = entry;

	while (!entry_cas_release(slot, &found, instead))
		if (!entry_same_table(found, entry, place->level))
			return false;

	if (u->written)
		lines_add(&u->written->level[place->level], slot, 1);
	take_table(u, F->table_pa(entry), place->level - 1, first);
	return true;
}

/*
 * Whether an entry leads to a table, or caches may still lead to the one that hung there: then its
 * range is owed as a whole (rule 6).
 */
static inline bool leads_on(uint64_t entry, unsigned level)
{
	return level > 0 &&
	       (F->kind(entry, level) == IOPT_TABLE || entry_is(entry, level, IOPT_RETIRING));
}

/*
 * Clear the leaves among the entries index..end of a table, up to one that leads on. Only
 * entries that were seen to hold a leaf are stored to, each once. The first store, and the first
 * after a hole, is a release: it comes after the stores of whoever mapped the run (rule 3).
 *
 * Returns the entry behind the last one looked at; adds to *cleared how many held a leaf. Always
 * inline: the level is a constant where most leaves are.
 */
static inline __attribute__((always_inline)) unsigned clear_leaves(void *table,
								   const unsigned level,
								   unsigned index, unsigned end,
								   uint64_t iova, unsigned *cleared)
{
	void *slot = slot_at(table, index), *behind = slot_at(table, end + 1);
	unsigned holes = 0;

	while (slot != behind) {
		uint64_t entry = entry_load(slot);

		if (F->kind(entry, level) != IOPT_LEAF) {
			if (leads_on(entry, level))
				break;
			holes++;
			slot = slot_at(slot, 1);
			continue;
		}
		entry_clear_release(slot, entry, level, iova);
#pragma GCC unroll 4
		for (slot = slot_at(slot, 1); slot != behind; slot = slot_at(slot, 1)) {
			entry = entry_load(slot);
			if (F->kind(entry, level) != IOPT_LEAF)
				break;
			entry_clear(slot, entry, level, iova);
		}
	}
	end = (unsigned)(((char *)slot - (char *)table) >> F->info.entry_lg2);
	*cleared += end - index - holes;
	return end;
}

/* The same by exchange, reporting what was dirty: iova is the first of the entry place->index. */
static unsigned clear_leaves_exactly(struct unmapping *u, struct place *place, unsigned end,
				     uint64_t iova)
{
	unsigned start = place->index, cleared = 0, first;

	for (; place->index <= end; place->index++) {
		uint64_t entry = entry_load(place_slot(place));
		struct leaf leaf;

		if (leads_on(entry, place->level))
			break;
		if (F->kind(entry, place->level) != IOPT_LEAF)
			continue;
		leaf_read(place, entry,
			  iova + ((uint64_t)(place->index - start) << entry_span_lg2(place->level)),
			  &leaf);
		entry = entry_take(place_slot(place), place->level, 0);
		first = place->index;
		if (CHECKED && F->kind(entry, place->level) != IOPT_LEAF)
			iopt_host_breach("two operations write one range: unmap found its entry "
					 "changed",
					 leaf.first);
		if (take_run(place, &leaf, entry, end, 0))
			dirty_found(u, &leaf);
		cleared += place->index - first + 1;
	}
	return cleared;
}

/* The same for walkers that do not snoop: of what is cleared, stretch by stretch, the lines. */
static unsigned clear_leaves_unsnooped(struct unmapping *u, struct place *place, unsigned end,
				       uint64_t iova)
{
	struct lines *lines = &u->written->level[place->level];
	unsigned cleared = 0;

	while (place->index <= end) {
		void *slot = place_slot(place);
		unsigned stretch = 0;

		for (; place->index <= end; place->index++, stretch++) {
			uint64_t entry = entry_load(place_slot(place));

			if (F->kind(entry, place->level) != IOPT_LEAF)
				break;
			entry_clear_release(place_slot(place), entry, place->level, iova);
		}
		if (stretch)
			lines_add(lines, slot, stretch);
		else if (leads_on(entry_load(slot), place->level))
			break;
		else
			place->index++;
		cleared += stretch;
	}
	return cleared;
}

/* Where more is to be done about each leaf; out of line, so that the rest keeps its registers. */
static __attribute__((__noinline__)) unsigned
clear_leaves_slowly(struct unmapping *u, struct place *place, unsigned end, uint64_t iova)
{
	return u->sink ? clear_leaves_exactly(u, place, end, iova)
		       : clear_leaves_unsnooped(u, place, end, iova);
}

/*
 * Clear what is a leaf among the entries place->index..end, up to one that leads on; iova
 * is the first of the entry place->index. All leaves that begin there end there.
 *
 * Returns how many entries were passed.
 */
static inline __attribute__((always_inline)) unsigned
unmap_leaves(struct unmapping *u, struct place *place, unsigned end, uint64_t iova)
{
	unsigned start = place->index, span_lg2 = entry_span_lg2(place->level);
	unsigned cleared = 0, passed;

	if (u->sink || u->written)
		cleared = clear_leaves_slowly(u, place, end, iova);
	else if (place->level == 0)
		place->index = clear_leaves(place->table, 0, start, end, iova, &cleared);
	else
		place->index = clear_leaves(place->table, place->level, start, end, iova, &cleared);
	passed = place->index - start;
	if (cleared) {
		u->bytes += (uint64_t)cleared << span_lg2;
		released(u, iova, iova + ((uint64_t)passed << span_lg2) - 1, 0, span_lg2);
	}
	return passed;
}

static void unmap_table(struct unmapping *u, struct place *place, uint64_t first, uint64_t last);

/* An entry that leads on, of which first..last is asked for. */
static void unmap_below(struct unmapping *u, const struct place *place, uint64_t entry,
			uint64_t first, uint64_t last)
{
	struct place below = *place;

	if (F->kind(entry, place->level) != IOPT_TABLE) {
		/* Retiring: left to its helpers. Nothing is mapped there. */
		gather_add(u->gather, first, last, IOPT_OWES_LEAVES | IOPT_OWES_TABLES,
			   F->info.granule_lg2);
		return;
	}
	if (last - first == entry_mask(place->level)) {
		if (unlink_table(u, place, entry, 0, first))
			released(u, first, last, IOPT_OWES_TABLES, F->info.granule_lg2);
		else /* trim took it: nothing was in it */
			gather_add(u->gather, first, last, IOPT_OWES_LEAVES | IOPT_OWES_TABLES,
				   F->info.granule_lg2);
		return;
	}
	place_down(&below, entry, first);
	unmap_table(u, &below, first, last);
}

/* first..last of a table, whose ends cut no leaf; place is the entry of first. */
static void unmap_table(struct unmapping *u, struct place *place, uint64_t first, uint64_t last)
{
	uint64_t mask = entry_mask(place->level);
	unsigned end = place->index + (unsigned)((last >> entry_span_lg2(place->level)) -
						 (first >> entry_span_lg2(place->level)));

	while (place->index <= end) {
		uint64_t entry = entry_load_table(place_slot(place));

		if (leads_on(entry, place->level)) {
			unmap_below(u, place, entry, first,
				    (first | mask) < last ? (first | mask) : last);
			place->index++;
			first = (first | mask) + 1;
		} else {
			unsigned passed = unmap_leaves(u, place, end, first & ~mask);

			/* None: a neighbour hung a table in here since. It is looked into next. */
			if (passed)
				first = (first & ~mask) +
					((uint64_t)passed << entry_span_lg2(place->level));
		}
	}
}

/* Whether an end of the entries place->index..end of a table of level 0 cuts a leaf. */
static inline bool entries_cut(const struct place *place, unsigned end)
{
	uint64_t low = entry_load(place_slot(place));
	uint64_t high = entry_load(slot_at(place->table, end));

	return (F->kind(low, 0) == IOPT_LEAF &&
		place->index % run_length(F->leaf_lg2(low, 0), 0) != 0) ||
	       (F->kind(high, 0) == IOPT_LEAF &&
		(end + 1) % run_length(F->leaf_lg2(high, 0), 0) != 0);
}

/*
 * Unmap what the top that covers first translates. Most ranges lie in one table of level 0; what
 * spans several entries of a table above, or one that leads to a table, is unmap_table()'s. Returns
 * 0 or, having changed nothing, -EOPNOTSUPP.
 */
static inline int unmap_range(struct unmapping *u)
{
	uint64_t first = u->range.first, last = u->range.last;
	uint64_t top = __atomic_load_n(&u->domain->top, __ATOMIC_ACQUIRE);
	struct place place;
	unsigned stop = 0;
	uint64_t entry, cut;

	if (!top_covers(top, first))
		return 0;
	if (!top_covers(top, last))
		last = entry_mask(top_levels(top));

	/* Down to where the range is one entry whole, or more than one. */
	while (stop + 1 < F->info.max_levels && (first ^ last) >= entry_mask(stop + 1))
		stop++;
	entry = place_find(top, first, stop, &place);
	if (place.level > 0) {
		/* A range that is one table cuts nothing. */
		if (F->kind(entry, place.level) == IOPT_TABLE &&
		    is_entry(first, last, 0, place.level)) {
			unmap_below(u, &place, entry, first, last);
			return 0;
		}
		if (range_cuts(top, first, last, &cut))
			return -IOPT_EOPNOTSUPP;
		unmap_table(u, &place, first, last);
	} else {
		unsigned end = place.index + (unsigned)((last - first) >> F->info.granule_lg2);

		if (has_runs() && entries_cut(&place, end))
			return -IOPT_EOPNOTSUPP;
		unmap_leaves(u, &place, end, first);
	}
	return 0;
}

static int unmap_check(const struct iopt_domain *domain, uint64_t first, uint64_t last,
		       unsigned flags, const struct iopt_gather *gather)
{
	uint64_t mask = entry_mask(0);

	if ((first & mask) || (~last & mask) || first > last ||
	    (flags & ~(IOPT_UNMAP_COUNT | IOPT_UNMAP_FULL | IOPT_UNMAP_TRIM)) ||
	    gather->domain != domain)
		return -IOPT_EINVAL;
	if (!domain_has(domain, first, last))
		return -IOPT_ERANGE;
	return (flags & IOPT_UNMAP_TRIM) && !has_trim() ? -IOPT_EOPNOTSUPP : 0;
}

/*
 * One entry that is a leaf of its own, what most calls unmap, without the state of a longer one.
 * Returns false, having changed nothing, where it is not that simple.
 * Context: in a read section.
 */
static inline __attribute__((always_inline)) bool
unmap_entry(struct iopt_domain *domain, uint64_t first, unsigned level, struct iopt_gather *gather)
{
	uint64_t top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE), entry;
	/* Set: variables of the kernel start as zero, for which this one would be in memory. */
	struct place place = { .level = 0 };

	if (!__atomic_load_n(&domain->short_unmap, __ATOMIC_RELAXED) || !top_covers(top, first))
		return false;
	entry = place_find(top, first, level, &place);
	if (place.level != level || F->kind(entry, level) != IOPT_LEAF ||
	    (has_runs() && F->leaf_lg2(entry, level) != entry_span_lg2(level)))
		return false;
	entry_clear_release(place_slot(&place), entry, level, first);
	gather_add(gather, first, first + entry_mask(level),
		   IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB, entry_span_lg2(level));
	return true;
}

/*
 * All of it, in a read section. Whether pages are tracked is asked inside the section that takes
 * them: see iopt_track().
 */
static int unmap_section(struct unmapping *u)
{
	const struct iopt_sink *sink = u->gather->sink;
	int error;

	iopt_host_read_lock();
	u->sink = domain_tracks(u->domain) ? sink : NULL;
	if (u->sink && !sink_covers(sink, u->range.first, u->range.last))
		error = -IOPT_ERANGE;
	else
		error = unmap_range(u);
	if (unsnooped(u->domain))
		written_flush(u->written);
	iopt_host_read_unlock();
	return error;
}

/* Everything else. */
static __attribute__((__noinline__)) int unmap_long(struct iopt_domain *domain, uint64_t first,
						    uint64_t last, unsigned flags,
						    struct iopt_gather *gather,
						    struct iopt_released *result)
{
	int error = unmap_check(domain, first, last, flags, gather);
	struct written written;
	struct unmapping u;

	if (error)
		return error;
	unmapping_init(&u, domain, gather, IOPT_FREED_UNMAP, first, last);
	if (unsnooped(domain))
		written_init(u.written = &written);
	u.count = flags & IOPT_UNMAP_COUNT;
	if ((flags & IOPT_UNMAP_FULL) && range_finds(domain, first, last, FIND_HOLE))
		return -IOPT_ENOENT;

	error = unmap_section(&u);
	if (error == -IOPT_EOPNOTSUPP) {
		error = split_ends(domain, first, last, gather);
		if (!error)
			error = unmap_section(&u);
	}
	if (!error && (flags & IOPT_UNMAP_TRIM) && u.went.first <= u.went.last)
		trim(domain, first, last, gather, 0, NULL);
	if (!error && result)
		*result =
			(struct iopt_released){ u.went.first, u.went.last, u.count ? u.bytes : 0 };
	return error;
}

/* One entry did not go the short way: out of the read section, and the long way. */
static __attribute__((__noinline__)) int unmap_again(struct iopt_domain *domain, uint64_t first,
						     uint64_t last, unsigned flags,
						     struct iopt_gather *gather,
						     struct iopt_released *result)
{
	iopt_host_brief_unlock();
	return unmap_long(domain, first, last, flags, gather, result);
}

/* What all of a call's arguments must be for the short way; what is not may still be right. */
static inline bool unmap_is_short(const struct iopt_domain *domain, uint64_t first, uint64_t last,
				  unsigned flags, const struct iopt_gather *gather)
{
	return domain_has(domain, first, last) && gather->domain == domain &&
	       !(flags & ~IOPT_UNMAP_COUNT);
}

/* The end of the short way. */
static inline __attribute__((always_inline)) int
unmap_leave(uint64_t first, const unsigned level, unsigned flags, struct iopt_released *result)
{
	if (result) {
		result->first = first;
		result->last = first + entry_mask(level);
		result->bytes = flags & IOPT_UNMAP_COUNT ? entry_mask(level) + 1 : 0;
	}
	iopt_host_brief_unlock();
	return 0;
}

/*
 * Most calls unmap a granule or a block that is mapped. They go the short way, and leave it by a
 * jump from inside the section, so that nothing need be kept beyond its end. Flattened: a call left
 * in it would have it save all of its registers.
 */
static __attribute__((flatten)) int unmap(struct iopt_domain *domain, uint64_t first, uint64_t last,
					  unsigned flags, struct iopt_gather *gather,
					  struct iopt_released *result)
{
	if (is_entry(first, last, 0, 0) && unmap_is_short(domain, first, last, flags, gather)) {
		iopt_host_brief_lock();
		if (!unmap_entry(domain, first, 0, gather))
			return unmap_again(domain, first, last, flags, gather, result);
		return unmap_leave(first, 0, flags, result);
	}
	if (is_entry(first, last, 0, 1) && unmap_is_short(domain, first, last, flags, gather)) {
		iopt_host_brief_lock();
		if (!unmap_entry(domain, first, 1, gather))
			return unmap_again(domain, first, last, flags, gather, result);
		return unmap_leave(first, 1, flags, result);
	}
	return unmap_long(domain, first, last, flags, gather, result);
}

#endif
