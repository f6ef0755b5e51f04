/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The way down a table. Part of an instance (instance.c).
 *
 * Context of everything here: inside a read section, for as long as a place is used.
 */
#ifndef ENGINE_WALK_H
#define ENGINE_WALK_H

#include "engine/entry.h"

/**
 * struct place - an entry in a table
 * @table: the table
 * @level: its level
 * @index: the entry's number
 * @entries: how many entries the table has
 */
struct place {
	void *table;
	unsigned level;
	unsigned index;
	unsigned entries;
};

static inline void *place_slot(const struct place *place)
{
	return slot_at(place->table, place->index);
}

/* Whether a top with that many levels translates the IOVA; one that cannot grow was checked. */
static inline bool top_covers(uint64_t top, uint64_t iova)
{
	return !(F->info.abilities & IOPT_CAN_GROW) ||
	       iova <= entry_mask(top_levels(top));
}

/* The entry of the top table that an IOVA selects. top_covers() holds. */
static inline void place_top(const struct iopt_domain *domain, uint64_t top, uint64_t iova,
			     struct place *place)
{
	uint64_t indexed = iova & domain->index_mask;

	place->level = top_levels(top) - 1;
	place->table = iopt_host_va(top_pa(top));
	place->index = (unsigned)(indexed >> entry_span_lg2(place->level));
	place->entries = (unsigned)((domain->index_mask & entry_mask(place->level + 1)) >>
				    entry_span_lg2(place->level)) + 1;
}

/* From an entry that leads to a table to the entry in it that the IOVA selects. */
static inline void place_down(struct place *place, uint64_t entry, uint64_t iova)
{
	place->table = iopt_host_va(F->table_pa(entry));
	place->level--;
	place->index = table_index(iova, place->level);
	place->entries = table_entries();
}

/* First IOVA of the place's entry, given any IOVA in it. */
static inline uint64_t place_first(const struct place *place, uint64_t iova)
{
	return iova & ~entry_mask(place->level);
}

/**
 * place_find() - go down as far as tables lead
 * @domain: the domain
 * @top:    a top that covers @iova
 * @iova:   where to
 * @stop:   the level to stop at
 * @place:  set to the entry that was reached: at @stop, or above it where no table leads on
 *
 * Return: the entry there, as loaded.
 */
static inline uint64_t place_find(const struct iopt_domain *domain, uint64_t top, uint64_t iova,
				  unsigned stop, struct place *place)
{
	uint64_t entry;

	place_top(domain, top, iova, place);
	for (;;) {
		entry = entry_load_table(place_slot(place));
		if (place->level <= stop || F->kind(entry, place->level) != IOPT_TABLE)
			return entry;
		place_down(place, entry, iova);
	}
}

/**
 * struct leaf - a leaf and where it is
 * @first:   first IOVA
 * @last:    last IOVA
 * @pa:      physical address of @first
 * @index:   its lowest entry in the table
 * @run:     number of its entries
 * @size_lg2: bytes, lg2
 */
struct leaf {
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	unsigned index;
	unsigned run;
	unsigned size_lg2;
};

/* What leaf the entry at a place is of; iova is any that selects the entry. */
static inline void leaf_read(const struct place *place, uint64_t entry, uint64_t iova,
			     struct leaf *leaf)
{
	uint64_t mask;

	leaf->size_lg2 = F->leaf_lg2(entry, place->level);
	mask = leaf->size_lg2 < 64 ? (1ull << leaf->size_lg2) - 1 : ~0ull;
	leaf->first = iova & ~mask;
	leaf->last = iova | mask;
	leaf->pa = F->leaf_pa(entry, place->level);
	leaf->run = run_length(leaf->size_lg2, place->level);
	leaf->index = place->index & ~(leaf->run - 1);
}

#endif
