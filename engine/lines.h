/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Write-back of entries for walkers that do not snoop: which cache lines an operation owes to
 * memory, merged, so that each goes once. Part of an instance (instance.c). Domains whose walkers
 * snoop pay one test of a flag for all of it, and none where they go the short way.
 *
 * Before the hardware can need them, in memory are: a new table before it is linked; what a map
 * wrote, and the way to it, before the map returns; what an unmap cleared before the unmap returns,
 * and so before its gather's invalidation; a retiring entry before the invalidation, by whoever
 * invalidates. Nothing is owed for a change that no hardware can tell: of a bit that it ignores, or
 * from one value that is not present to another.
 *
 * A new table's entry carries a mark, iopt_format::table_unwritten, until its line has been written
 * back. Two mappers meet there: the one that linked the table may be stopped before its write-back
 * while the other maps below and returns. So whoever maps below an entry that is marked writes its
 * line back, too, before it returns, and only then takes the mark off. Without one in the format
 * all of the way is written back by each map.
 */
#ifndef ENGINE_LINES_H
#define ENGINE_LINES_H

#include "engine/walk.h"

/**
 * struct lines - lines of one table that are not in memory yet
 * @first: the first byte
 * @end:   behind the last one; @first: there are none
 *
 * Addresses that are only ever written back, which is no access: a table that somebody who breaks
 * the contract took away meanwhile is not spoilt.
 */
struct lines {
	uintptr_t first;
	uintptr_t end;
};

/** struct written - of a table of each level: what an operation on ascending IOVAs is at */
struct written {
	struct lines level[IOPT_MAX_LEVELS];
};

static inline bool unsnooped(const struct iopt_domain *domain)
{
	return domain->flags & IOPT_NONCOHERENT;
}

static inline void lines_flush(struct lines *lines)
{
	if (lines->end != lines->first)
		iopt_host_writeback((const void *)lines->first, lines->end - lines->first);
	lines->first = lines->end;
}

/*
 * nr entries, at least one, from a slot on were written. What does not touch the lines from before
 * sends those to memory.
 */
static __attribute__((__noinline__)) void lines_add(struct lines *lines, const void *slot,
						    unsigned nr)
{
	const uintptr_t mask = IOPT_HOST_LINE - 1;
	const uintptr_t table = ((uintptr_t)table_entries() << F->info.entry_lg2) - 1;
	uintptr_t first = (uintptr_t)slot & ~mask;
	uintptr_t end = ((uintptr_t)slot_after(slot, nr) + mask) & ~mask;

	if (first > lines->end || end < lines->first || ((first ^ lines->first) & ~table)) {
		lines_flush(lines);
		lines->first = first;
		lines->end = end;
		return;
	}
	if (first < lines->first)
		lines->first = first;
	if (end > lines->end)
		lines->end = end;
}

/* The same at once, as an operation of its own. */
static inline void entries_writeback(const struct iopt_domain *domain, const void *slot,
				     unsigned nr)
{
	struct lines lines = { 0, 0 };

	if (!unsnooped(domain))
		return;
	lines_add(&lines, slot, nr);
	lines_flush(&lines);
}

/* The lines of the entries from one slot up to another. */
static inline void slots_writeback(const void *start, const void *end)
{
	const uintptr_t mask = IOPT_HOST_LINE - 1;
	uintptr_t line = (uintptr_t)start & ~mask;

	iopt_host_writeback((const void *)line, (((uintptr_t)end + mask) & ~mask) - line);
}

static inline void written_init(struct written *written)
{
	for (unsigned level = 0; level < IOPT_MAX_LEVELS; level++)
		written->level[level] = (struct lines){ 0, 0 };
}

static void written_flush(struct written *written)
{
	for (unsigned level = 0; level < IOPT_MAX_LEVELS; level++)
		lines_flush(&written->level[level]);
}

/* ---- the mark of new tables ---------------------------------------------------------------- */

/* The entry that links a new table, which is in memory itself. */
static inline uint64_t entry_link(const struct iopt_domain *domain, uint64_t pa, unsigned level)
{
	return F->table(pa, level) | (unsnooped(domain) ? F->table_unwritten : 0);
}

/*
 * An entry's line was written back after it was seen to be marked. Its release comes after that for
 * whoever finds no mark any more. Memory keeps the mark, and the line is not owed again: hardware
 * ignores it, and who looks for it looks into the cache. A mark that stays, since the entry has
 * changed otherwise, costs somebody another write-back.
 */
static inline void entry_unmark(void *slot, uint64_t entry)
{
	if (entry & F->table_unwritten)
		entry_cas_release(slot, &entry, entry & ~F->table_unwritten);
}

/*
 * Take the marks off the ways to a range, all of whose entries hold something of this caller's, so
 * that none can have become another one since it was seen, and whose marked ones were written back
 * since.
 * Context: outside read sections.
 */
static void marks_clear(const struct iopt_domain *domain, uint64_t first, uint64_t last)
{
	struct place place;
	uint64_t end;

	do {
		iopt_host_read_lock();
		place_top(&place, __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE), first);
		while (place.level > 0) {
			uint64_t entry = entry_load_table(place_slot(&place));

			if (F->kind(entry, place.level) != IOPT_TABLE)
				break;
			entry_unmark(place_slot(&place), entry);
			place_down(&place, entry, first);
		}
		end = first | place_mask(&place);
		iopt_host_read_unlock();
		first = end + 1;
	} while (end < last);
}

#endif
