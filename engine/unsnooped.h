/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Map and unmap where walkers do not snoop: the short way of what most calls are, one entry, or
 * several of one table of level 0. Part of an instance (instance.c), whose operations these are for
 * domains with IOPT_NONCOHERENT; all else goes the long way, with what other domains do. Here is
 * nothing of dirty bits: such domains are not tracked (iopt_create()).
 */
#ifndef ENGINE_UNSNOOPED_H
#define ENGINE_UNSNOOPED_H

#include "engine/map.h"
#include "engine/unmap.h"

/* Level of the table of which first..last is some entries, one if it is not the lowest; or none. */
#define NO_LEVEL IOPT_MAX_LEVELS

static inline unsigned level_of_few(uint64_t first, uint64_t last, uint64_t pa)
{
	if (is_entry(first, last, pa, 1))
		return 1;
	if (((first | pa | ~last) & entry_mask(0)) || first > last ||
	    (first ^ last) > entry_mask(1) || (has_runs() && last - first != entry_mask(0)))
		return NO_LEVEL;
	return 0;
}

/* The lines of the entries from one slot up to another. */
static inline void slots_writeback(const void *start, const void *end)
{
	uintptr_t line = (uintptr_t)start & ~(uintptr_t)(IOPT_HOST_LINE - 1);

	iopt_host_writeback((const void *)line, (uintptr_t)end - line);
}

/*
 * Write leaves from an IOVA on into a table that is there. The way must be in memory already, that
 * is, without marks, so that their own lines are all that is owed. Returns how many, from the first
 * one on, none for whatever reason among them.
 */
static inline unsigned map_few(const struct iopt_domain *domain, struct writing *w)
{
	uint64_t top, seen;
	struct place place;
	unsigned written = 0;

	iopt_host_read_lock();
	top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE);
	if (top_covers(top, w->iova + ((uint64_t)w->nr << w->size_lg2) - 1)) {
		place_find_way(top, w->iova, w->level, &place, &seen);
		if (place.level == w->level && !(seen & F->table_unwritten)) {
			w->slot = place_slot(&place);
			written = write_singles(w);
		}
	}
	if (written)
		slots_writeback(w->slot, slot_at(w->slot, written));
	iopt_host_publish();
	iopt_host_read_unlock();
	return written;
}

static __attribute__((__noinline__)) int map_several(struct iopt_domain *domain, uint64_t first,
						     uint64_t last, uint64_t pa, unsigned prot,
						     struct iopt_reserve *reserve)
{
	struct writing w = { .iova = first, .pa = pa, .anchor = true };
	unsigned written;

	w.level = level_of_few(first, last, pa);
	if (w.level == NO_LEVEL || !F->table_unwritten || last - first > domain->pa_last - pa ||
	    (w.level &&
	     !(__atomic_load_n(&domain->map_sizes, __ATOMIC_RELAXED) & (entry_mask(1) + 1))) ||
	    !map_is_short(domain, first, last, pa, prot, &w.attr))
		return map_long(domain, first, last, pa, prot, reserve);
	w.size_lg2 = entry_span_lg2(w.level);
	w.nr = (unsigned)((last - first) >> w.size_lg2) + 1;
	if (w.nr > 1 && !writing_is_even(&w))
		return map_long(domain, first, last, pa, prot, reserve);
	written = map_few(domain, &w);
	if (written == w.nr)
		return 0;
	return map_from(domain, w.attr, first, first + ((uint64_t)written << w.size_lg2), last, pa,
			reserve);
}

/* As map_entry(), of the lowest level. Context: in a read section. */
static inline bool map_entry_unsnooped(const struct iopt_domain *domain, uint64_t attr,
				       uint64_t iova, uint64_t pa)
{
	uint64_t top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE), seen, empty = 0;
	struct place place;

	if (!top_covers(top, iova | entry_mask(0)))
		return false;
	place_find_way(top, iova, 0, &place, &seen);
	if (place.level != 0 || (seen & F->table_unwritten) ||
	    !entry_cas(place_slot(&place), &empty, F->leaf(attr, pa, 0, F->info.granule_lg2, 0)))
		return false;
	slots_writeback(place_slot(&place), slot_after(place_slot(&place), 1));
	return true;
}

static int map_unsnooped(struct iopt_domain *domain, uint64_t first, uint64_t last, uint64_t pa,
			 unsigned prot, struct iopt_reserve *reserve)
{
	uint64_t attr;

	if (!F->table_unwritten || !is_entry(first, last, pa, 0) ||
	    !map_is_short(domain, first, last, pa, prot, &attr))
		return map_several(domain, first, last, pa, prot, reserve);
	iopt_host_read_lock();
	if (!map_entry_unsnooped(domain, attr, first, pa))
		return map_again(domain, first, last, pa, prot, reserve);
	iopt_host_publish();
	iopt_host_read_unlock();
	return 0;
}

/* Clear leaves from a slot on, up to the first entry that is none. Returns how many. */
static inline unsigned clear_few(void *start, unsigned nr, unsigned level, uint64_t iova)
{
	void *slot = start;
	unsigned cleared = 0;

	for (; cleared < nr; cleared++, slot = slot_at(slot, 1)) {
		uint64_t entry = entry_load(slot);

		if (F->kind(entry, level) != IOPT_LEAF ||
		    (has_runs() && F->leaf_lg2(entry, level) != entry_span_lg2(level)))
			break;
		entry_clear_release(slot, entry, level, iova);
	}
	if (cleared)
		slots_writeback(start, slot);
	return cleared;
}

static int unmap_unsnooped(struct iopt_domain *domain, uint64_t first, uint64_t last,
			   unsigned flags, struct iopt_gather *gather, struct iopt_released *result)
{
	unsigned level = level_of_few(first, last, 0), span_lg2, nr, cleared = 0;
	struct place place;
	uint64_t top;

	if (level == NO_LEVEL || flags || result || CHECKED || !domain_has(domain, first, last) ||
	    gather->domain != domain)
		return unmap_long(domain, first, last, flags, gather, result);
	span_lg2 = entry_span_lg2(level);
	nr = (unsigned)((last - first) >> span_lg2) + 1;
	iopt_host_read_lock();
	top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE);
	if (top_covers(top, last)) {
		place_find(top, first, level, &place);
		if (place.level == level)
			cleared = clear_few(place_slot(&place), nr, level, first);
	}
	if (cleared)
		gather_add(gather, first, first + ((uint64_t)cleared << span_lg2) - 1,
			   IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB, span_lg2);
	iopt_host_read_unlock();
	if (cleared == nr)
		return 0;
	return unmap_long(domain, first + ((uint64_t)cleared << span_lg2), last, 0, gather, NULL);
}

#endif
