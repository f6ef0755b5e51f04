/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The readers: translate and visit, and the checks of a whole range that map and unmap make before
 * they change anything. Part of an instance (instance.c).
 *
 * Readers are wait-free: they hold nothing, and what they meet half-done they read as it stands. A
 * dead entry lies in a table that its owner unlinked, so that the range is not mapped any more.
 */
#ifndef ENGINE_READ_H
#define ENGINE_READ_H

#include "engine/walk.h"

/* Tables that a long walk looks into before it leaves its read section once (design hazard 3). */
#define TABLES_A_SECTION 64u

/* The same for leaves of level 0, whose level is a constant then, and for others. */
static inline int translated(uint64_t entry, unsigned level, uint64_t iova,
			     struct iopt_translation *result)
{
	unsigned size_lg2;

	if (F->kind(entry, level) != IOPT_LEAF)
		return -IOPT_ENOENT;
	size_lg2 = F->leaf_lg2(entry, level);
	result->leaf_lg2 = (uint8_t)size_lg2;
	result->prot = (uint8_t)F->leaf_prot(F->leaf_attrs(entry, level));
	result->pa = F->leaf_pa(entry, level) | (iova & ~(~0ull << size_lg2));
	return 0;
}

static int translate(struct iopt_domain *domain, uint64_t iova, struct iopt_translation *result)
{
	struct place place = { .level = 0 };
	uint64_t entry = 0;
	uint64_t top;
	int error;

	if (!domain_has(domain, iova, iova))
		return -IOPT_ERANGE;

	iopt_host_brief_lock();
	top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE);
	if (top_covers(top, iova))
		entry = place_find(top, iova, 0, &place);
	if (place.level == 0)
		error = translated(entry, 0, iova, result);
	else
		error = translated(entry, place.level, iova, result);
	iopt_host_brief_unlock();
	return error;
}

/**
 * struct scan - a walk over a range, a table at a time
 * @domain:  the domain
 * @next:    first IOVA that was not looked at yet
 * @last:    last IOVA of the range
 * @done:    nothing is left
 * @sleeps:  the operation may sleep
 * @tables:  tables looked into
 */
struct scan {
	struct iopt_domain *domain;
	uint64_t next;
	uint64_t last;
	bool done;
	bool sleeps;
	uint64_t tables;
};

/* A scan of what the domain can translate of first..last. */
static inline void scan_start(struct scan *scan, struct iopt_domain *domain, uint64_t first,
			      uint64_t last)
{
	bool upper = domain->high_after != ~0ull;

	scan->domain = domain;
	scan->next = first;
	scan->last = last;
	scan->sleeps = false;
	scan->tables = 0;
	/* Ends in the gap below the upper half, or above the only one. */
	if (!domain_has(domain, first, first) && upper)
		scan->next = domain->high_after + 1;
	if (!domain_has(domain, last, last))
		scan->last = domain->low_last;
	scan->done = scan->next > scan->last;
}

/* The scan goes on behind that IOVA, and behind the gap between the halves. */
static inline void scan_pass(struct scan *scan, uint64_t last)
{
	scan->done = last >= scan->last;
	scan->next = last + 1;
	if (!scan->done && !domain_has(scan->domain, scan->next, scan->next)) {
		scan->next = scan->domain->high_after + 1;
		scan->done = scan->next > scan->last;
	}
}

/*
 * Before each table: a long walk gives what was freed a chance to return to the host, and where it
 * may sleep others the processor. It comes back by address, so that nothing of it need survive
 * between two tables.
 */
static inline void scan_breathe(struct scan *scan)
{
	if (++scan->tables % TABLES_A_SECTION == 0) {
		iopt_host_read_unlock();
		if (scan->sleeps)
			iopt_host_breathe();
		iopt_host_read_lock();
	}
}

/* Go to scan->next: false if no top translates it, and then the scan is done. */
static inline bool scan_table(struct scan *scan, struct place *place, uint64_t *entry)
{
	uint64_t top;

	scan_breathe(scan);
	top = __atomic_load_n(&scan->domain->top, __ATOMIC_ACQUIRE);
	if (!top_covers(top, scan->next)) {
		scan->done = true;
		return false;
	}
	*entry = place_find(top, scan->next, 0, place);
	return true;
}

/*
 * The next entry of the table; false at its end, at one that leads further down, or where the scan
 * went over a gap: then the scan comes back by address. scan->next is the entry's first IOVA.
 */
static inline bool scan_entry(const struct scan *scan, struct place *place, unsigned index,
			      uint64_t *entry)
{
	if (scan->done || index >= place_entries(place) || place_index(place, scan->next) != index)
		return false;
	place->index = index;
	*entry = entry_load_table(place_slot(place));
	return place->level == 0 || F->kind(*entry, place->level) != IOPT_TABLE;
}

/* Entries of the table from the place on that are within the scan and on this side of its gap. */
static inline unsigned scan_entries(const struct scan *scan, const struct place *place)
{
	unsigned left = place_entries(place) - place->index;
	uint64_t last = scan->last, more;

	if (!domain_has(scan->domain, scan->next, last))
		last = scan->domain->low_last;
	more = (last - scan->next) >> entry_span_lg2(place->level);
	return more < left ? (unsigned)more + 1 : left;
}

/* The last IOVA of the nr-th entry from scan->next on; nr is not 0. */
static inline uint64_t scan_last(const struct scan *scan, const struct place *place, unsigned nr)
{
	return (scan->next | entry_mask(place->level)) +
	       ((uint64_t)(nr - 1) << entry_span_lg2(place->level));
}

/**
 * enum leaves - what a scan for leaves looks for
 * @FIND_LEAF: a leaf, to say that a range is in use
 * @FIND_HOLE: a place without one, to say that a range is not full
 */
enum leaves { FIND_LEAF, FIND_HOLE };

/*
 * Of up to nr entries from a place on that lead to no table, how many there are before a wanted
 * one.
 */
static inline unsigned entries_before(const struct place *place, unsigned nr, enum leaves wanted)
{
	unsigned i;

	for (i = 0; i < nr; i++) {
		uint64_t entry = entry_load(slot_at(place->table, place->index + i));
		enum iopt_kind kind = F->kind(entry, place->level);

		if ((place->level > 0 && kind == IOPT_TABLE) ||
		    (kind == IOPT_LEAF) == (wanted == FIND_LEAF))
			break;
	}
	return i;
}

/*
 * Whether a range holds a leaf, or a hole. The caller owns the range, so that the answer stays
 * true.
 * Context: outside read sections.
 */
static bool range_finds(struct iopt_domain *domain, uint64_t first, uint64_t last,
			enum leaves wanted)
{
	struct scan scan;
	bool found = false;

	scan_start(&scan, domain, first, last);
	iopt_host_read_lock();
	while (!scan.done && !found) {
		unsigned passed, nr;
		struct place place;
		enum iopt_kind kind;
		uint64_t entry;

		if (!scan_table(&scan, &place, &entry)) {
			found = wanted == FIND_HOLE; /* above every top */
			break;
		}
		/*
		 * What leads to a table only now was empty before, and is looked into next; what
		 * no longer does was taken by a trim.
		 */
		nr = scan_entries(&scan, &place);
		passed = entries_before(&place, nr, wanted);
		place.index += passed;
		if (passed)
			scan_pass(&scan, scan_last(&scan, &place, passed));
		if (passed == nr)
			continue;
		kind = F->kind(entry_load(place_slot(&place)), place.level);
		found = wanted == FIND_LEAF ? kind == IOPT_LEAF
					    : kind != IOPT_LEAF && kind != IOPT_TABLE;
	}
	iopt_host_read_unlock();
	return found;
}

/**
 * struct visiting - a call of visit()
 * @scan:  where it is
 * @visit: the caller's state
 * @items: the caller's array
 * @nr:    its size
 * @used:  filled in so far
 */
struct visiting {
	struct scan scan;
	struct iopt_visit *visit;
	struct iopt_item *items;
	size_t nr;
	size_t used;
};

static void visit_table(struct visiting *v, const struct place *place, uint64_t parent,
			uint64_t parent_pa, uint64_t pa)
{
	uint64_t mask = place_mask(place) & v->scan.domain->index_mask;
	struct iopt_item *item = &v->items[v->used++];

	item->first = v->scan.next & ~mask;
	item->last = v->scan.next | mask;
	item->pa = pa;
	item->entry = parent;
	item->entry_pa = parent_pa;
	item->level = (uint8_t)place->level;
	item->leaf_lg2 = 0;
	item->prot = 0;
	item->flags = IOPT_ITEM_TABLE;
	if (parent && F->table_accessed(parent))
		item->flags |= IOPT_ITEM_ACCESSED;
	v->visit->below = (uint8_t)place->level;
}

/*
 * For the engine, beside IOPT_ITEM_*: a leaf that is pending, which counts as dirty; one of which
 * an entry is not of that leaf any more.
 */
#define ITEM_PENDING 0x80u
#define ITEM_CHANGED 0x40u

/* The hardware need not set accessed or dirty in all entries of a run. */
static uint8_t run_flags(const struct place *place, const struct leaf *leaf)
{
	uint8_t flags = 0;

	for (unsigned i = 0; i < leaf->run; i++) {
		uint64_t entry = entry_load(slot_at(place->table, leaf->index + i));

		/* What is of another leaf by now speaks for that one. */
		if (F->kind(entry, place->level) != IOPT_LEAF ||
		    F->leaf_lg2(entry, place->level) != leaf->size_lg2) {
			flags |= ITEM_CHANGED;
			continue;
		}
		flags |= entry_dirty(entry) ? IOPT_ITEM_DIRTY : 0;
		flags |= entry & F->leaf_pending ? ITEM_PENDING : 0;
		flags |= F->leaf_accessed(entry) ? IOPT_ITEM_ACCESSED : 0;
	}
	return flags;
}

static void visit_leaf(struct visiting *v, const struct place *place, uint64_t table_pa,
		       const struct leaf *leaf, uint64_t entry)
{
	struct iopt_item *item = &v->items[v->used++];

	item->first = leaf->first;
	item->last = leaf->last;
	item->pa = leaf->pa;
	item->entry = leaf->index == place->index ? entry
						  : entry_load(slot_at(place->table, leaf->index));
	item->entry_pa = table_pa + ((uint64_t)leaf->index << F->info.entry_lg2);
	item->level = (uint8_t)place->level;
	item->leaf_lg2 = (uint8_t)leaf->size_lg2;
	item->prot = (uint8_t)F->leaf_prot(F->leaf_attrs(entry, place->level));
	item->flags = run_flags(place, leaf) & ~(ITEM_PENDING | ITEM_CHANGED);
}

/*
 * Go down to scan->next and report the tables on the way that were not reported yet. False if the
 * array is full. Sets table_pa to the physical address of the table reached.
 */
static bool visit_down(struct visiting *v, uint64_t top, struct place *place, uint64_t *entry,
		       uint64_t *table_pa)
{
	bool tables = v->visit->flags & IOPT_VISIT_TABLES;
	uint64_t parent = 0, parent_pa = 0;

	place_top(place, top, v->scan.next);
	*table_pa = top_pa(top);
	for (;;) {
		if (tables && place->level < v->visit->below) {
			if (v->used == v->nr)
				return false;
			visit_table(v, place, parent, parent_pa, *table_pa);
		}
		*entry = entry_load_table(place_slot(place));
		if (place->level == 0 || F->kind(*entry, place->level) != IOPT_TABLE)
			return true;
		parent = *entry;
		parent_pa = *table_pa + ((uint64_t)place->index << F->info.entry_lg2);
		*table_pa = F->table_pa(parent);
		place_down(place, parent, v->scan.next);
	}
}

/*
 * Behind last: tables that contain the next IOVA and begin before it were reported on the way to
 * what came before; those that begin there are new. A top that does not grow was reported first.
 */
static void visit_pass(struct visiting *v, uint64_t last)
{
	bool grows = F->info.abilities & IOPT_CAN_GROW;
	unsigned most = grows ? F->info.max_levels : v->scan.domain->max_levels - 1u;
	unsigned level = 0;

	scan_pass(&v->scan, last);
	while (level < most && !(v->scan.next & entry_mask(level + 1)))
		level++;
	v->visit->below = (uint8_t)level;
}

/* Report the leaves of one table from scan->next on. False if the array is full. */
static bool visit_entries(struct visiting *v, struct place *place, uint64_t table_pa,
			  uint64_t entry)
{
	do {
		uint64_t last;

		if (F->kind(entry, place->level) == IOPT_LEAF) {
			struct leaf leaf;

			leaf_read(place, entry, v->scan.next, &leaf);
			last = leaf.last;
			if (v->visit->flags & IOPT_VISIT_LEAVES) {
				if (v->used == v->nr)
					return false;
				visit_leaf(v, place, table_pa, &leaf, entry);
			}
			place->index = leaf.index + leaf.run - 1;
		} else {
			unsigned nr =
				entries_before(place, scan_entries(&v->scan, place), FIND_LEAF);

			/* One that became a leaf since it was read is passed as it was. */
			nr += !nr;
			last = scan_last(&v->scan, place, nr);
			place->index += nr - 1;
		}
		visit_pass(v, last);
	} while (scan_entry(&v->scan, place, place->index + 1, &entry));
	return true;
}

static size_t visit(struct iopt_domain *domain, struct iopt_visit *state, struct iopt_item *items,
		    size_t nr)
{
	struct visiting v = { .visit = state, .items = items, .nr = nr };
	uint64_t entry, table_pa;
	struct place place;
	bool room = true;

	scan_start(&v.scan, domain, state->first, state->last);
	v.scan.done |= state->done;
	iopt_host_read_lock();
	while (!v.scan.done && room) {
		uint64_t top;

		scan_breathe(&v.scan);
		top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE);
		if (!top_covers(top, v.scan.next)) {
			v.scan.done = true;
			break;
		}
		room = visit_down(&v, top, &place, &entry, &table_pa) &&
		       visit_entries(&v, &place, table_pa, entry);
	}
	iopt_host_read_unlock();

	state->first = v.scan.next;
	state->done = v.scan.done;
	return v.used;
}

#endif
