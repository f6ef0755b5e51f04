/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Accessed bits of table entries where software sets them. Part of an instance (instance.c).
 *
 * In a domain with IOPT_ACCESSED_TABLES a sweep skips what lies below an entry that is neither
 * accessed nor touched. So a leaf that is dirty, or may become so by what an operation still has to
 * collect, has one of the two marks in every table entry above it, or a sweep is under way that
 * will put it there.
 */
#ifndef ENGINE_TOUCH_H
#define ENGINE_TOUCH_H

#include "engine/walk.h"

static inline bool skips_tables(const struct iopt_domain *domain)
{
	return F->table_a && (domain->flags & IOPT_ACCESSED_TABLES);
}

/*
 * Set accessed in all table entries above an IOVA, from the lowest up: a sweep that comes down
 * while this goes up meets the marks in the order in which it looks for them. Unconditionally,
 * after the stores before it: a bit that is set already may be one that a sweep is about to clear.
 * Only while the entry leads to a table: no value of the engine's own is spoilt.
 * Context: in a read section.
 */
static void path_touch(const struct iopt_domain *domain, uint64_t iova)
{
	uint64_t top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE), entry;
	struct place places[IOPT_MAX_LEVELS];
	unsigned nr = 0;

	if (!skips_tables(domain) || !top_covers(top, iova))
		return;
	place_top(&places[0], top, iova);
	while (places[nr].level > 0) {
		entry = entry_load_table(place_slot(&places[nr]));
		if (F->kind(entry, places[nr].level) != IOPT_TABLE)
			break;
		places[nr + 1] = places[nr];
		place_down(&places[++nr], entry, iova);
	}
	while (nr-- > 0) {
		entry = entry_load(place_slot(&places[nr]));
		while (F->kind(entry, places[nr].level) == IOPT_TABLE &&
		       !entry_cas_release(place_slot(&places[nr]), &entry, entry | F->table_a))
			;
	}
}

#endif
