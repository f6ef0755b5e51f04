/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Adding to a gather, inline for the hot path. Paying and merging it is in gather.c.
 */
#ifndef ENGINE_GATHER_H
#define ENGINE_GATHER_H

#include "engine/domain.h"

/* The range grows to hold first..last, too, over a gap if there is one. */
static inline void range_grow(struct iopt_range *range, uint64_t first, uint64_t last)
{
	if (first < range->first)
		range->first = first;
	if (last > range->last)
		range->last = last;
}

/* Whether what begins at first continues the range at its end. */
static inline bool range_continues(const struct iopt_range *range, uint64_t first)
{
	return first && first - 1 == range->last;
}

/* Whether first..last continues the range at one of its ends, or lies in it. */
static inline bool range_touches(const struct iopt_range *range, uint64_t first, uint64_t last)
{
	return range_continues(range, first) || (range->first && range->first - 1 == last) ||
	       (first >= range->first && last <= range->last);
}

/*
 * A caller that goes up or down a scatter list keeps one range. Once all are in use the newest one
 * grows: more than needed, never less; not over the gap between the halves of a sign-extended
 * space, that would be all of it.
 */
static inline __attribute__((always_inline)) void gather_range_add(struct iopt_gather *gather,
								   uint64_t first, uint64_t last)
{
	struct iopt_range *newest = &gather->ranges[IOPT_GATHER_RANGES - 1];
	size_t nr = gather->nr_ranges;

	if (nr == IOPT_GATHER_RANGES) {
		const uint64_t high_after = gather->domain->high_after;

		if ((first > high_after) != (newest->first > high_after))
			gather->owes |= IOPT_OWES_ALL;
		else
			range_grow(newest, first, last);
	} else if (nr && range_continues(&gather->ranges[nr - 1], first)) {
		gather->ranges[nr - 1].last = last; /* the usual case, at the least cost */
	} else if (nr && range_touches(&gather->ranges[nr - 1], first, last)) {
		range_grow(&gather->ranges[nr - 1], first, last);
	} else {
		gather->ranges[nr].first = first;
		gather->ranges[nr].last = last;
		gather->nr_ranges++;
	}
}

/* iopt_gather::leaf_lg2 while no leaf went. */
#define NO_LEAF 0xffu

/**
 * gather_owe() - stale translations of a range are owed
 * @gather:   the caller's own
 * @first:    first IOVA
 * @last:     last IOVA: all of every leaf that changed, whole runs included (design hazard 4)
 * @owes:     IOPT_OWES_*
 * @leaf_lg2: smallest leaf that changed, or NO_LEAF
 */
static inline void gather_owe(struct iopt_gather *gather, uint64_t first, uint64_t last,
			      uint32_t owes, unsigned leaf_lg2)
{
	gather_range_add(gather, first, last);
	gather->owes |= owes;
	if (leaf_lg2 < gather->leaf_lg2)
		gather->leaf_lg2 = (uint8_t)leaf_lg2;
}

/* The same for a range that was unmapped: it may be mapped again only when this is paid. */
static inline void gather_add(struct iopt_gather *gather, uint64_t first, uint64_t last,
			      uint32_t owes, unsigned leaf_lg2)
{
	debts_add(&gather->domain->debts, gather, first, last);
	gather_owe(gather, first, last, owes, leaf_lg2);
}

/**
 * invalidate_now() - have the hardware drop a range in the middle of an operation
 * @domain: the domain
 * @first:  first IOVA
 * @last:   last IOVA
 * @owes:   IOPT_OWES_*
 *
 * Stores to entries before it are visible to the device before it, and what the device wrote until
 * then is read after it.
 * Context: inside a read section or not; the callback does not sleep.
 */
void invalidate_now(struct iopt_domain *domain, uint64_t first, uint64_t last, uint32_t owes);

/* An unlinked table: freed through RCU once the gather is synced. */
static inline void gather_table(struct iopt_gather *gather, struct iopt_table *table)
{
	table->next = gather->tables;
	if (!gather->tables)
		gather->last_table = table;
	gather->tables = table;
	gather->nr_tables++;
}

#endif
