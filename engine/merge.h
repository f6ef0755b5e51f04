/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Merge: leaves that continue each other become one larger leaf while hardware uses them. Part of
 * an instance (instance.c). Within a table they become a run where they stand (reshape.h); a table
 * full of them becomes a block.
 *
 * The caller owns the leaves, or claims them. The block says the same as the table, so that no
 * device faults: it takes the table's place in one compare-and-exchange and is pending from then
 * on. Hardware may go on writing dirty bits into the table through cached walks; after an
 * invalidation of these it does no more, what is in the table then goes into the block, and only
 * then is the mark taken off. The table's own entries are never written. So a sweep finds a dirty
 * bit in the table, or the mark, or the bit in the block.
 *
 * Looking for candidates costs a load or two where there is none: a table's first leaf must lie at
 * a physical address of the block's alignment, which of pages from all over memory one in 512 does;
 * then its last entry must continue the first; only then are all looked at.
 */
#ifndef ENGINE_MERGE_H
#define ENGINE_MERGE_H

#include "engine/split.h"

/**
 * struct merging - one call of merge()
 * @scan:    where it is
 * @first:   first IOVA of the range
 * @sizes:   bit n: leaves of 2^n bytes may be made
 * @claim:   each leaf's range is claimed first
 * @gather:  gets tables that are not needed any more
 * @budget:  tables to look into before it stops; 0: no limit
 * @section: how many are left before it leaves this read section
 * @stop:    leave the read section: come back by address, if at all
 */
struct merging {
	struct scan scan;
	uint64_t first;
	uint64_t sizes;
	bool claim;
	struct iopt_gather *gather;
	uint64_t budget;
	unsigned section;
	bool stop;
};

/**
 * struct joint - leaves that continue each other
 * @pa:   physical address of the first one
 * @attr: their attributes, with accessed and dirty as in the first one
 */
struct joint {
	uint64_t pa;
	uint64_t attr;
};

/* Physical address of the part of a leaf that entry number @index of a table translates. */
static uint64_t entry_pa(uint64_t entry, unsigned level, unsigned index)
{
	unsigned run = run_length(F->leaf_lg2(entry, level), level);

	return F->leaf_pa(entry, level) + ((uint64_t)(index & (run - 1)) << entry_span_lg2(level));
}

/* Whether an entry of a table is i entries behind the first one of a joint. */
static bool joins(const void *table, unsigned level, unsigned index, unsigned i,
		  const struct joint *joint)
{
	uint64_t entry = entry_load(slot_after(table, index + i));

	return F->kind(entry, level) == IOPT_LEAF &&
	       !((F->leaf_attrs(entry, level) ^ joint->attr) & ~F->leaf_hw(joint->attr)) &&
	       entry_pa(entry, level, index + i) ==
		       joint->pa + ((uint64_t)i << entry_span_lg2(level));
}

/*
 * Whether nr entries of a table, from one on, are leaves that make up one of 2^lg2 bytes. None may
 * be pending: somebody is at it.
 */
static bool find_joint(const void *table, unsigned level, unsigned index, unsigned nr, unsigned lg2,
		       struct joint *joint)
{
	uint64_t entry = entry_load(slot_after(table, index));

	if (F->kind(entry, level) != IOPT_LEAF || (entry & F->leaf_pending))
		return false;
	joint->pa = entry_pa(entry, level, index);
	joint->attr = F->leaf_attrs(entry, level);
	if ((joint->pa & leaf_mask(lg2)) || !joins(table, level, index, nr - 1, joint))
		return false;
	for (unsigned i = 1; i + 1 < nr; i++)
		if (!joins(table, level, index, i, joint))
			return false;
	return true;
}

static bool merge_claims(const struct merging *m, uint64_t first, uint64_t last)
{
	const struct iopt_domain *domain = m->scan.domain;

	return !m->claim || domain->callbacks.try_claim(domain->ctx, first, last);
}

static void merge_releases(const struct merging *m, uint64_t first, uint64_t last)
{
	const struct iopt_domain *domain = m->scan.domain;

	if (m->claim)
		domain->callbacks.release(domain->ctx, first, last);
}

/* ---- a table becomes a block --------------------------------------------------------------- */

/**
 * struct promotion - tables under one parent that became blocks, which are pending
 * @list:  the tables' descriptors, each with the IOVA where it begins
 * @first: first IOVA
 * @last:  last IOVA
 * @lines: of the blocks
 */
struct promotion {
	struct iopt_table *list;
	uint64_t first;
	uint64_t last;
	struct lines lines;
};

/* Whether hardware marked a leaf in a table that nothing leads to any more. */
static bool table_dirty(const void *table, unsigned level)
{
	bool dirty = false;

	for (unsigned i = 0; i < table_entries(); i++) {
		uint64_t entry = entry_load(slot_after(table, i));

		dirty |= F->kind(entry, level) == IOPT_LEAF && F->leaf_dirty(entry);
	}
	return dirty;
}

/* The block of one table, after the invalidation. */
static void promote_finish(struct merging *m, const struct place *parent, struct iopt_table *table)
{
	struct iopt_domain *domain = m->scan.domain;
	void *slot = slot_at(parent->table, place_index(parent, table->first));
	bool dirty = table_dirty(iopt_host_va(iopt_host_table_pa(table)), parent->level - 1);

	leaf_change(slot, parent->level, unmark_pending, dirty);
	if (dirty)
		path_touch(domain, table->first);
	__atomic_fetch_add(&domain->counts.merged, 1, __ATOMIC_RELAXED);
	count_unlinked(domain, parent->level - 1, IOPT_FREED_MERGE);
	merge_releases(m, table->first, table->first | entry_mask(parent->level));
	gather_table(m->gather, table);
}

/* One invalidation for all of them; then what is in the tables goes into the blocks. */
static void promote_all(struct merging *m, const struct place *parent, struct promotion *p)
{
	struct iopt_table *table;

	if (!p->list)
		return;
	lines_flush(&p->lines);
	invalidate_now(m->scan.domain, p->first, p->last,
		       IOPT_OWES_LEAVES | IOPT_OWES_TABLES | IOPT_OWES_DIRTY);
	while ((table = table_pop(&p->list)))
		promote_finish(m, parent, table);
}

/*
 * The block takes the table's place, unless another operation took it meanwhile. Where dirty bits
 * are kept its own comes with what is collected; elsewhere it stays set from the start: a walker
 * that does not snoop would fault where it had to set it.
 */
static bool promote_switch(const struct iopt_domain *domain, const struct place *place,
			   uint64_t entry, const struct joint *joint)
{
	uint64_t block =
		F->leaf(joint->attr, joint->pa, place->level, entry_span_lg2(place->level), 0);
	uint64_t found = entry;

	if (domain->flags & IOPT_TRACKABLE)
		block = F->leaf_clean(block);
	block |= F->leaf_pending;
	while (!entry_cas_release(place_slot(place), &found, block))
		if (!entry_same_table(found, entry, place->level))
			return false;
	return true;
}

/* Whether the table that an entry leads to became a block. */
static bool promote(struct merging *m, const struct place *place, uint64_t entry, uint64_t first,
		    struct promotion *p)
{
	const void *entries = iopt_host_va(F->table_pa(entry));
	struct iopt_table *table = iopt_host_table(F->table_pa(entry));
	unsigned lg2 = entry_span_lg2(place->level), nr = table_entries();
	uint64_t last = first | entry_mask(place->level);
	struct joint joint;

	if (lg2 > 63 || !(m->sizes >> lg2 & 1) || first < m->first || last > m->scan.last ||
	    !find_joint(entries, place->level - 1, 0, nr, lg2, &joint) ||
	    !merge_claims(m, first, last))
		return false;
	/* It is ours from here on: once more, if somebody had it before. */
	if ((m->claim && !find_joint(entries, place->level - 1, 0, nr, lg2, &joint)) ||
	    !promote_switch(m->scan.domain, place, entry, &joint)) {
		merge_releases(m, first, last);
		return false;
	}
	if (!p->list)
		p->first = first;
	p->last = last;
	table->first = first;
	table_push(&p->list, table);
	if (unsnooped(m->scan.domain))
		lines_add(&p->lines, place_slot(place), 1);
	return true;
}

/* ---- entries become a run ------------------------------------------------------------------ */

/* Make a run of 2^lg2 bytes of the entries from place on, if they are leaves that make it up. */
static bool merge_run(struct merging *m, const struct place *place, uint64_t iova, unsigned lg2)
{
	struct reshape r = {
		.domain = m->scan.domain,
		.place = *place,
		.nr = run_length(lg2, place->level),
		.iova = iova,
	};
	const struct shape shape = { iova, iova | leaf_mask(lg2), m->sizes, lg2 };
	struct joint joint;
	bool found;

	if (!find_joint(place->table, place->level, place->index, r.nr, lg2, &joint) ||
	    !merge_claims(m, iova, shape.last))
		return false;
	found = !m->claim ||
		find_joint(place->table, place->level, place->index, r.nr, lg2, &joint);
	if (found) {
		r.pa = joint.pa;
		reshape(&r, &shape, lg2);
		__atomic_fetch_add(&r.domain->counts.merged, 1, __ATOMIC_RELAXED);
	}
	merge_releases(m, iova, shape.last);
	return found;
}

/* The largest run that begins at an entry, a leaf. Returns the entries of the leaf there now. */
static unsigned merge_at(struct merging *m, const struct place *place, uint64_t iova, uint64_t last)
{
	uint64_t entry = entry_load(place_slot(place)), both, sizes;
	unsigned run;

	if (F->kind(entry, place->level) != IOPT_LEAF)
		return 1;
	run = run_length(F->leaf_lg2(entry, place->level), place->level);
	both = iova | entry_pa(entry, place->level, place->index);
	/* What divides both addresses, is this table's, and is larger than the leaf. */
	sizes = m->sizes & (both ? (both & -both) * 2 - 1 : ~0ull) & entry_mask(place->level + 1) &
		~(leaf_mask(F->leaf_lg2(entry, place->level)) * 2 + 1);
	for (; sizes; sizes &= ~(1ull << bits_high(sizes))) {
		unsigned lg2 = bits_high(sizes);

		if (last - iova >= leaf_mask(lg2) && merge_run(m, place, iova, lg2))
			return run_length(lg2, place->level);
	}
	return run - (place->index & (run - 1));
}

/* All of the table of a place that lies in the range; iova is any in the table. */
static void merge_runs(struct merging *m, struct place place, uint64_t iova)
{
	uint64_t first = iova & ~place_mask(&place), last = iova | place_mask(&place);
	const unsigned level = place.level;
	unsigned end;

	if (!has_runs())
		return;
	first = first > m->first ? first : m->first;
	last = last < m->scan.last ? last : m->scan.last;
	/* An entry that begins before the range is no part of a leaf that lies in it. */
	if ((first | entry_mask(level)) >= last)
		return;
	if (first & entry_mask(level))
		first = (first | entry_mask(level)) + 1;
	end = place_index(&place, last);
	for (place.index = place_index(&place, first); place.index <= end;) {
		unsigned n = merge_at(m, &place, first, last);

		first += (uint64_t)n << entry_span_lg2(level);
		place.index += n;
	}
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* Whether another table may be looked into. */
static bool merge_goes_on(struct merging *m)
{
	m->stop = !m->section || (m->budget && m->scan.tables >= m->budget);
	return !m->stop;
}

static void merge_below(struct merging *m, struct place place);

/* The table that an entry leads to, its own tables first. */
static void merge_table(struct merging *m, const struct place *place, uint64_t entry,
			struct promotion *p)
{
	uint64_t first = m->scan.next & ~entry_mask(place->level);
	struct place below = *place;
	bool done;

	if (!merge_goes_on(m))
		return;
	done = promote(m, place, entry, first, p);
	if (!done && place->level > 1) {
		place_down(&below, entry, m->scan.next);
		merge_below(m, below);
		if (m->stop)
			return;
		promote(m, place, entry, first, p);
	} else {
		if (!done)
			merge_runs(m, place_table(iopt_host_va(F->table_pa(entry)), 0), first);
		scan_pass(&m->scan, first | entry_mask(place->level));
	}
	m->section -= m->section > 0;
	m->scan.tables++;
}

/*
 * From scan.next on, what a table translates, bottom up; with m->stop not to its end. All that
 * became pending here is finished before this returns, in the same read section.
 */
static void merge_below(struct merging *m, struct place place)
{
	struct promotion p = { .list = NULL };
	uint64_t start = m->scan.next;

	do {
		uint64_t entry = entry_load_table(place_slot(&place));

		if (place.level > 0 && F->kind(entry, place.level) == IOPT_TABLE)
			merge_table(m, &place, entry, &p);
		else
			scan_pass(&m->scan, m->scan.next | entry_mask(place.level));
	} while (!m->stop && !m->scan.done && ++place.index < place_entries(&place) &&
		 place_index(&place, m->scan.next) == place.index);
	promote_all(m, &place, &p);
	if (!m->stop)
		merge_runs(m, place, start);
}

static int merge_run_all(struct merging *m)
{
	while (!m->scan.done && !(m->budget && m->scan.tables >= m->budget)) {
		struct place place;
		uint64_t top;

		iopt_host_read_lock();
		m->section = TABLES_A_SECTION;
		m->stop = false;
		top = __atomic_load_n(&m->scan.domain->top, __ATOMIC_ACQUIRE);
		if (top_covers(top, m->scan.next)) {
			place_top(&place, top, m->scan.next);
			merge_below(m, place);
		} else {
			m->scan.done = true;
		}
		iopt_host_read_unlock();
	}
	return !m->scan.done;
}

/*
 * Whether a leaf that an IOVA of a joint leads to is part of it, a leaf of 2^lg2 bytes: 0, or why
 * not. The joint begins at first.
 */
static int merge_one_entry(const struct place *place, uint64_t entry, uint64_t iova, uint64_t first,
			   struct joint *joint, unsigned lg2)
{
	uint64_t attr, pa;

	if (F->kind(entry, place->level) != IOPT_LEAF)
		return -IOPT_ENOENT;
	attr = F->leaf_attrs(entry, place->level);
	pa = entry_pa(entry, place->level, place->index) | (iova & entry_mask(place->level));
	if (iova == first)
		*joint = (struct joint){ pa, attr };
	if ((joint->pa & leaf_mask(lg2)) || pa - joint->pa != iova - first ||
	    ((attr ^ joint->attr) & ~F->leaf_hw(joint->attr)))
		return -IOPT_EXDEV;
	return 0;
}

/*
 * Whether all of a range could be one leaf of 2^lg2 bytes: 0, or why not. Leaves grow level by
 * level, so that the domain must have the sizes in between.
 */
static int merge_one_check(const struct merging *m, unsigned lg2)
{
	struct iopt_domain *domain = m->scan.domain;
	struct joint joint = { .attr = 0 };
	unsigned lowest = IOPT_MAX_LEVELS;
	struct scan scan;
	int error = 0;

	scan_start(&scan, domain, m->first, m->scan.last);
	iopt_host_read_lock();
	while (!error && !scan.done) {
		struct place place;
		uint64_t entry;

		if (!scan_table(&scan, &place, &entry)) {
			error = -IOPT_ENOENT;
			break;
		}
		error = merge_one_entry(&place, entry, scan.next, m->first, &joint, lg2);
		lowest = place.level < lowest ? place.level : lowest;
		scan_pass(&scan, scan.next | entry_mask(place.level));
	}
	iopt_host_read_unlock();
	while (!error && ++lowest <= leaf_level(lg2))
		if (!(m->sizes >> entry_span_lg2(lowest) & 1))
			error = -IOPT_EOPNOTSUPP;
	return error;
}

/* The whole range becomes one leaf, or nothing changes. */
static int merge_one(struct merging *m)
{
	const struct iopt_callbacks *callbacks = &m->scan.domain->callbacks;
	uint64_t first = m->first, last = m->scan.last;
	unsigned lg2 = last - first ? bits_high(last - first) + 1 : 0;
	bool claim = m->claim;
	int result;

	if (lg2 > 63 || last - first != leaf_mask(lg2) || (first & leaf_mask(lg2)) ||
	    !(m->sizes >> lg2 & 1))
		return -IOPT_EINVAL;
	if (!merge_claims(m, first, last))
		return -IOPT_EBUSY;
	/* All of it is claimed. */
	m->claim = false;
	m->sizes &= leaf_mask(lg2) << 1 | 1;
	m->budget = 0;
	result = merge_one_check(m, lg2);
	if (!result)
		result = merge_run_all(m);
	if (claim)
		callbacks->release(m->scan.domain->ctx, first, last);
	return result;
}

static int merge(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned leaf_lg2,
		 unsigned flags, struct iopt_gather *gather, uint64_t budget, uint64_t *next)
{
	int result = resize_check(domain, first, last, leaf_lg2, flags, IOPT_CLAIM | IOPT_MERGE_ONE,
				  gather);
	struct merging m;

	if (result)
		return result;
	m.first = first;
	m.sizes = domain->page_sizes;
	m.claim = flags & IOPT_CLAIM;
	m.gather = gather;
	m.budget = budget;
	if (leaf_lg2 != ~0u)
		m.sizes &= leaf_mask(leaf_lg2) << 1 | 1;
	scan_start(&m.scan, domain, first, last);
	result = flags & IOPT_MERGE_ONE ? merge_one(&m) : merge_run_all(&m);
	if (next)
		*next = m.scan.next;
	return result;
}

#endif
