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
 * @index_mask: the number of the table's entries, less one, where tops have another one than other
 *              tables; else not in use
 */
struct place {
	void *table;
	unsigned level;
	unsigned index;
	unsigned index_mask;
};

/* A table below the top, at its first entry. */
static inline struct place place_table(void *table, unsigned level)
{
	return (struct place){ .table = table, .level = level, .index_mask = table_entries() - 1 };
}

/* How many entries the table of a place has. */
static inline unsigned place_entries(const struct place *place)
{
	return has_own_top(F) ? place->index_mask + 1 : table_entries();
}

/* The number of the entry that an IOVA selects in the table of a place. */
static inline unsigned place_index(const struct place *place, uint64_t iova)
{
	return has_own_top(F) ? (unsigned)(iova >> entry_span_lg2(place->level)) & place->index_mask
			      : table_index(iova, place->level);
}

/* The IOVA offsets inside of all that the table of a place translates. */
static inline uint64_t place_mask(const struct place *place)
{
	unsigned lg2 = entry_span_lg2(place->level);

	return has_own_top(F) ? (uint64_t)place->index_mask << lg2 | entry_mask(place->level)
			      : entry_mask(place->level + 1);
}

static inline void *place_slot(const struct place *place)
{
	return slot_at(place->table, place->index);
}

/*
 * Whether a top with that many levels translates the IOVA; one that cannot grow was checked. The
 * usual number of levels is asked for, as in place_find(), so that its bound is a constant.
 */
static inline bool top_covers(uint64_t top, uint64_t iova)
{
	if (!(F->info.abilities & IOPT_CAN_GROW))
		return true;
	if (top_levels(top) == F->info.default_levels)
		return iova <= entry_mask(F->info.default_levels);
	return iova <= entry_mask(top_levels(top));
}

/* Entries of the top, less one. */
static inline unsigned top_mask(uint64_t top)
{
	return has_own_top(F) ? (1u << top_index_lg2(top)) - 1 : table_entries() - 1;
}

/* The entry that an IOVA selects in a table of that level. */
static inline void place_in(struct place *place, uint64_t table_pa, unsigned level,
			    unsigned index_mask, uint64_t iova)
{
	place->table = iopt_host_va(table_pa);
	place->level = level;
	if (has_own_top(F))
		place->index_mask = index_mask;
	place->index = place_index(place, iova);
}

/* In the top table. top_covers() holds. */
static inline void place_top(struct place *place, uint64_t top, uint64_t iova)
{
	place_in(place, top_pa(top), top_levels(top) - 1, top_mask(top), iova);
}

/* From an entry that leads to a table to the entry in it that the IOVA selects. */
static inline void place_down(struct place *place, uint64_t entry, uint64_t iova)
{
	place_in(place, F->table_pa(entry), place->level - 1, table_entries() - 1, iova);
}

/**
 * struct descent - place_find() under way
 * @iova:     where to
 * @stop:     the level to stop at
 * @index_mask: its entries, less one
 * @table_pa: the table to look into next
 * @entry:    what was found last
 * @seen:     bits that any entry on the way had, that one's among them
 */
struct descent {
	uint64_t iova;
	unsigned stop;
	unsigned index_mask;
	uint64_t table_pa;
	uint64_t entry;
	uint64_t seen;
};

/* Look into the table of one level, a constant here. Returns whether a table leads on. */
static inline __attribute__((always_inline)) bool descend(struct descent *way, struct place *place,
							  const unsigned level)
{
	place_in(place, way->table_pa, level, way->index_mask, way->iova);
	way->index_mask = table_entries() - 1;
	way->entry = entry_load_table(place_slot(place));
	way->seen |= way->entry;
	if (level <= way->stop || F->kind(way->entry, level) != IOPT_TABLE)
		return false;
	way->table_pa = F->table_pa(way->entry);
	return true;
}

/*
 * All of the way from a top of that many levels. Written out level by level, so that each has its
 * shift and its tests of the entry as constants; if levels is one, nothing else is left.
 */
static inline __attribute__((always_inline)) void
descend_all(struct descent *way, struct place *place, const unsigned levels)
{
	const unsigned most = F->info.max_levels;

	if ((most >= 6 && levels >= 6 && !descend(way, place, 5)) ||
	    (most >= 5 && levels >= 5 && !descend(way, place, 4)) ||
	    (most >= 4 && levels >= 4 && !descend(way, place, 3)) ||
	    (most >= 3 && levels >= 3 && !descend(way, place, 2)) ||
	    (most >= 2 && levels >= 2 && !descend(way, place, 1)))
		return;
	descend(way, place, 0);
}

/**
 * place_find_way() - go down as far as tables lead
 * @top:   a top that covers @iova
 * @iova:  where to
 * @stop:  the level to stop at
 * @place: set to the entry that was reached: at @stop, or above it where no table leads on
 * @seen:  set to all bits that the entries on the way have
 *
 * Return: the entry there, as loaded.
 */
static inline __attribute__((always_inline)) uint64_t
place_find_way(uint64_t top, uint64_t iova, unsigned stop, struct place *place, uint64_t *seen)
{
	struct descent way = {
		.iova = iova,
		.stop = stop,
		.index_mask = top_mask(top),
		.table_pa = top_pa(top),
	};

	/* The usual number of levels is asked for once, others at each. */
	if (top_levels(top) == F->info.default_levels)
		descend_all(&way, place, F->info.default_levels);
	else
		descend_all(&way, place, top_levels(top));
	*seen = way.seen;
	return way.entry;
}

/* The same, of the place alone. */
static inline __attribute__((always_inline)) uint64_t place_find(uint64_t top, uint64_t iova,
								 unsigned stop, struct place *place)
{
	uint64_t seen;

	return place_find_way(top, iova, stop, place, &seen);
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
