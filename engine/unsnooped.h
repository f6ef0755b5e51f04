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

/* Whether a range is some entries, of one table of level 0, with a leaf each. */
static inline bool is_few(uint64_t first, uint64_t last, uint64_t pa)
{
	return !((first | pa | ~last) & entry_mask(0)) && first <= last && !has_runs() &&
	       (first ^ last) < entry_mask(1);
}

/* ---- map ----------------------------------------------------------------------------------- */

/*
 * As map_entry(), of several. Returns how many were written, from the first one on; if these are
 * not all of them, their lines are still owed.
 */
static inline unsigned map_few(const struct iopt_domain *domain, struct writing *w, uint64_t last)
{
	uint64_t top, seen;
	struct place place = { .level = 0 }; /* as in unmap_entry() */
	unsigned written = 0;

	iopt_host_read_lock();
	top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE);
	if (top_covers(top, last)) {
		place_find_way(top, w->iova, 0, &place, &seen);
		if (place.level == 0 && !(seen & F->table_unwritten)) {
			w->slot = place_slot(&place);
			written = write_singles(w);
			if (written == w->nr)
				slots_writeback(w->slot, slot_at(w->slot, written));
		}
	}
	iopt_host_publish();
	iopt_host_read_unlock();
	return written;
}

/* The long way for a range of which map_few() wrote only so many entries, from that slot on. */
static __attribute__((__noinline__, __cold__)) int
map_rest(struct iopt_domain *domain, uint64_t attr, uint64_t first, uint64_t last, uint64_t pa,
	 struct iopt_reserve *reserve, void *slot, unsigned written)
{
	struct writing w; /* what map_from() reads of it; zeroing all would take a memset() */

	w.slot = slot;
	w.level = 0;
	w.size_lg2 = F->info.granule_lg2;
	w.conflict = written;
	return map_from(domain, attr, first, last, pa, reserve, written ? &w : NULL);
}

static __attribute__((__noinline__)) int map_several(struct iopt_domain *domain, uint64_t first,
						     uint64_t last, uint64_t pa, unsigned prot,
						     struct iopt_reserve *reserve)
{
	/* No pointer to it goes to a function that is not inline, for it to be in registers. */
	struct writing w;
	unsigned written;

	if (!is_few(first, last, pa) || !map_is_short(domain, first, last, pa, prot, &w.attr) ||
	    last - first > domain->pa_last - pa)
		return map_long(domain, first, last, pa, prot, reserve);
	w.nr = (unsigned)((last - first) >> F->info.granule_lg2) + 1;
	w.iova = first;
	w.anchor = true;
	w.pa = pa;
	w.slot = NULL;
	w.level = 0;
	w.size_lg2 = F->info.granule_lg2;
	if (!writing_is_even(&w))
		return map_long(domain, first, last, pa, prot, reserve);
	written = map_few(domain, &w, last);
	if (written == w.nr)
		return 0;
	return map_rest(domain, w.attr, first, last, pa, reserve, w.slot, written);
}

static int map_unsnooped(struct iopt_domain *domain, uint64_t first, uint64_t last, uint64_t pa,
			 unsigned prot, struct iopt_reserve *reserve)
{
	if (!F->table_unwritten)
		return map_long(domain, first, last, pa, prot, reserve);
	return map_short(domain, first, last, pa, prot, reserve, false, map_several);
}

/* ---- unmap --------------------------------------------------------------------------------- */

/* Whether nr entries from a slot on are leaves of their own. They are this caller's. */
static inline bool few_are_leaves(void *slot, unsigned nr, unsigned level)
{
	for (; nr; nr--, slot = slot_at(slot, 1)) {
		uint64_t entry = entry_load(slot);

		if (F->kind(entry, level) != IOPT_LEAF ||
		    (has_runs() && F->leaf_lg2(entry, level) != entry_span_lg2(level)))
			return false;
	}
	return true;
}

static inline void clear_few(void *start, unsigned nr, unsigned level, uint64_t iova)
{
	void *slot = start;

	for (; nr; nr--, slot = slot_at(slot, 1))
		entry_clear_release(slot, entry_load(slot), level, iova);
	slots_writeback(start, slot);
}

/*
 * All of a range that is nr leaves of one table. Returns false, having changed nothing, if not.
 * Context: in a read section.
 */
static inline __attribute__((always_inline)) bool unmap_few(struct iopt_domain *domain,
							    uint64_t first, unsigned nr,
							    const unsigned level,
							    struct iopt_gather *gather)
{
	uint64_t last = first + ((uint64_t)nr << entry_span_lg2(level)) - 1;
	uint64_t top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE);
	struct place place;

	if (!top_covers(top, last))
		return false;
	place_find(top, first, level, &place);
	if (place.level != level || !few_are_leaves(place_slot(&place), nr, level))
		return false;
	clear_few(place_slot(&place), nr, level, first);
	gather_add(gather, first, last, IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB,
		   entry_span_lg2(level));
	return true;
}

static __attribute__((__noinline__)) int unmap_several(struct iopt_domain *domain, uint64_t first,
						       uint64_t last, unsigned flags,
						       struct iopt_gather *gather,
						       struct iopt_released *result)
{
	bool done;

	if (flags || result || CHECKED || !is_few(first, last, 0) ||
	    !unmap_is_short(domain, first, last, flags, gather))
		return unmap_long(domain, first, last, flags, gather, result);
	iopt_host_read_lock();
	done = unmap_few(domain, first, (unsigned)((last - first) >> F->info.granule_lg2) + 1, 0,
			 gather);
	iopt_host_read_unlock();
	return done ? 0 : unmap_long(domain, first, last, flags, gather, result);
}

static int unmap_unsnooped(struct iopt_domain *domain, uint64_t first, uint64_t last,
			   unsigned flags, struct iopt_gather *gather, struct iopt_released *result)
{
	if (CHECKED || flags || result || !unmap_is_short(domain, first, last, flags, gather))
		return unmap_several(domain, first, last, flags, gather, result);
	if (is_entry(first, last, 0, 0)) {
		iopt_host_brief_lock();
		if (!unmap_few(domain, first, 1, 0, gather))
			return unmap_again(domain, first, last, flags, gather, result);
	} else if (is_entry(first, last, 0, 1)) {
		iopt_host_brief_lock();
		if (!unmap_few(domain, first, 1, 1, gather))
			return unmap_again(domain, first, last, flags, gather, result);
	} else {
		return unmap_several(domain, first, last, flags, gather, result);
	}
	iopt_host_brief_unlock();
	return 0;
}

#endif
