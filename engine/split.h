/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Split: leaves become smaller while hardware uses them. Part of an instance (instance.c). Runs are
 * taken apart where they stand (reshape.h); a single entry becomes a table.
 *
 * The caller owns all of each leaf. What hangs below the entry is built where nobody sees it, out
 * of read sections since it takes memory, and becomes visible by one compare-and-exchange of the
 * entry as it is then: a dirty bit that hardware set meanwhile is in every piece before. The new
 * tables say the same as the leaf, so that a device may use the one or the other; stale
 * translations of the leaf are the gather's. They are dropped by an invalidation of any piece,
 * which for that gives no leaf-only hint where dirty bits are cleared.
 */
#ifndef ENGINE_SPLIT_H
#define ENGINE_SPLIT_H

#include "engine/read.h"
#include "engine/reshape.h"

/**
 * struct filling - tables that take the place of one leaf, not visible yet
 * @domain: the domain
 * @shape:  what leaves are to look like
 * @attr:   the leaf's attributes, accessed and dirty included
 * @offset: what is added to an IOVA to get its physical address
 * @most:   the leaf's size
 * @tables: all of them
 * @nr:     how many, by level
 */
struct filling {
	struct iopt_domain *domain;
	const struct shape *shape;
	uint64_t attr;
	uint64_t offset;
	unsigned most;
	struct iopt_table *tables;
	unsigned nr[IOPT_MAX_LEVELS];
};

static void filling_init(struct filling *f, struct iopt_domain *domain, const struct shape *shape,
			 const struct leaf *leaf, uint64_t attr)
{
	f->domain = domain;
	f->shape = shape;
	f->attr = attr;
	f->offset = leaf->pa - leaf->first;
	f->most = leaf->size_lg2;
	f->tables = NULL;
	for (unsigned i = 0; i < IOPT_MAX_LEVELS; i++)
		f->nr[i] = 0;
}

/*
 * How many leaves of the size chosen for an IOVA follow each other from there, as far as its table
 * goes: up to an end of the shape's range where no larger one may come, else this one.
 */
static unsigned fill_length(const struct filling *f, uint64_t iova, unsigned level, unsigned lg2)
{
	const struct shape *shape = f->shape;
	uint64_t sizes = shape->sizes & entry_mask(level + 1) & ~entry_mask(level);
	uint64_t until = iova | entry_mask(level + 1);
	bool inside = iova >= shape->first && iova <= shape->last;

	if (sizes != 1ull << lg2 && !(inside && lg2 == shape->leaf_lg2))
		return 1;
	if (iova < shape->first && until >= shape->first)
		until = shape->first - 1;
	else if (inside && until > shape->last)
		until = shape->last;
	return (unsigned)((until - iova + 1) >> lg2);
}

/* Entries of level 0 that are a leaf each: nearly all that a split writes. */
static void fill_singles(const struct filling *f, void *slot, unsigned nr, uint64_t pa)
{
	const uint64_t attr = f->attr;

	for (; nr; nr--, pa += 1ull << F->info.granule_lg2, slot = slot_at(slot, 1))
		entry_store(slot, F->leaf(attr, pa, 0, F->info.granule_lg2, 0));
}

static void fill_leaves(const struct filling *f, void *slot, unsigned nr, unsigned level,
			unsigned lg2, uint64_t pa)
{
	unsigned run = run_length(lg2, level);

	if (level == 0 && run == 1) {
		fill_singles(f, slot, nr, pa);
		return;
	}
	for (; nr; nr--, pa += 1ull << lg2)
		for (unsigned k = 0; k < run; k++, slot = slot_at(slot, 1))
			entry_store(slot, F->leaf(f->attr, pa, level, lg2, k));
}

/*
 * A table of a level and all below it, from an IOVA on. Sets *entry to what leads to it. Returns 0
 * or -ENOMEM; what was filled until then is in f->tables.
 * Context: outside read sections.
 */
static int fill_table(struct filling *f, unsigned level, uint64_t iova, uint64_t *entry)
{
	struct iopt_table *table =
		table_alloc(f->domain, &F->info, F->info.index_lg2 + F->info.entry_lg2, 0);
	void *entries;

	if (!table)
		return -IOPT_ENOMEM;
	iopt_host_breathe();
	table->level = (uint8_t)level;
	table_push(&f->tables, table);
	f->nr[level]++;
	entries = iopt_host_va(iopt_host_table_pa(table));
	for (unsigned i = 0; i < table_entries();) {
		uint64_t at = iova + ((uint64_t)i << entry_span_lg2(level)), below;
		unsigned lg2 = shape_lg2(f->shape, at, f->most), nr;
		int error;

		if (lg2 >= entry_span_lg2(level)) {
			nr = fill_length(f, at, level, lg2);
			fill_leaves(f, slot_at(entries, i), nr, level, lg2, at + f->offset);
			i += nr * run_length(lg2, level);
			continue;
		}
		error = fill_table(f, level - 1, at, &below);
		if (error)
			return error;
		entry_store(slot_at(entries, i++), below);
	}
	entries_writeback(f->domain, entries, table_entries());
	/* Linked by a table that goes to memory whole, too, or by split_link(). */
	*entry = F->table(iopt_host_table_pa(table), level + 1);
	return 0;
}

/* Hardware, or a sweep, changed the leaf's bits since: they are those of all pieces. */
static void fill_again(uint64_t pa, unsigned level, uint64_t bits)
{
	void *entries = iopt_host_va(pa);

	for (unsigned i = 0; i < table_entries(); i++) {
		uint64_t entry = entry_load(slot_at(entries, i));

		if (level > 0 && F->kind(entry, level) == IOPT_TABLE)
			fill_again(F->table_pa(entry), level - 1, bits);
		else
			entry_store(slot_at(entries, i), (entry & ~F->leaf_hw(entry)) | bits);
	}
}

/**
 * struct splitting - one call of split(), or what unmap and protect need of it
 * @scan:   where it is; counts tables looked into and filled
 * @shape:  what leaves are to look like
 * @gather: gets what is owed
 * @budget: tables to look into or fill before it stops; 0: no limit
 * @owned:  the range that is the caller's
 */
struct splitting {
	struct scan scan;
	struct shape shape;
	struct iopt_gather *gather;
	uint64_t budget;
	struct iopt_range owned;
};

static inline void splitting_init(struct splitting *s, struct iopt_domain *domain, uint64_t first,
				  uint64_t last, unsigned leaf_lg2, struct iopt_gather *gather)
{
	scan_start(&s->scan, domain, first, last);
	s->shape = (struct shape){ first, last, domain->page_sizes, leaf_lg2 };
	s->gather = gather;
	s->budget = 0;
	s->owned = (struct iopt_range){ 0, ~0ull };
}

static bool split_spent(const struct splitting *s)
{
	return s->budget && s->scan.tables >= s->budget;
}

/* A leaf was split: its stale translations are owed, and what is dirty is to be found. */
static void split_owes(struct splitting *s, const struct leaf *leaf, bool dirty)
{
	struct iopt_domain *domain = s->scan.domain;

	gather_owe(s->gather, leaf->first, leaf->last,
		   IOPT_OWES_LEAVES | IOPT_OWES_DIRTY | IOPT_OWES_DEVICE_TLB, leaf->size_lg2);
	__atomic_fetch_add(&domain->counts.split, 1, __ATOMIC_RELAXED);
	if (dirty)
		path_touch(domain, leaf->first);
}

/* Whether an entry still is the leaf that was seen, whatever hardware marked in it. */
static bool same_leaf(uint64_t entry, uint64_t seen, unsigned level)
{
	return F->kind(entry, level) == IOPT_LEAF && !((entry ^ seen) & ~F->leaf_hw(seen));
}

/*
 * Put the tables in the leaf's place. False if another leaf is there, which the contract forbids.
 */
static bool split_link(struct splitting *s, const struct leaf *leaf, uint64_t seen, unsigned level,
		       uint64_t table)
{
	uint64_t top = __atomic_load_n(&s->scan.domain->top, __ATOMIC_ACQUIRE), bits = seen, entry;
	const uint64_t link = entry_link(s->scan.domain, F->table_pa(table), level);
	struct place place;

	entry = place_find(top, leaf->first, level, &place);
	while (place.level == level && same_leaf(entry, seen, level)) {
		if (entry != bits) {
			bits = entry;
			fill_again(F->table_pa(table), level - 1, bits & F->leaf_hw(bits));
		}
		if (!entry_cas_release(place_slot(&place), &entry, link))
			continue;
		entries_writeback(s->scan.domain, place_slot(&place), 1);
		entry_unmark(place_slot(&place), link);
		split_owes(s, leaf, F->leaf_dirty(bits));
		return true;
	}
	return false;
}

/* Tables that an entry of a level needs to become leaves of 2^lg2 bytes. */
static uint64_t split_tables(unsigned level, unsigned lg2)
{
	uint64_t tables = 0;

	for (unsigned below = leaf_level(lg2); below < level; below++)
		tables += 1ull << (level - 1 - below) * F->info.index_lg2;
	return tables;
}

/*
 * An entry becomes a table. Returns 0: all of it is as it is to be; 1: look again; -ENOMEM.
 */
static int split_entry(struct splitting *s, const struct leaf *leaf, uint64_t entry, unsigned level)
{
	struct iopt_domain *domain = s->scan.domain;
	struct shape shape = s->shape;
	struct filling f;
	unsigned below = entry_span_lg2(level - 1);
	uint64_t table;
	bool linked;
	int result;

	/* One level at a time, where all of them are more than what is left to do. */
	if (s->budget && shape.leaf_lg2 < below && (shape.sizes >> below & 1) &&
	    s->scan.tables + split_tables(level, shape.leaf_lg2) > s->budget)
		shape.leaf_lg2 = below;

	filling_init(&f, domain, &shape, leaf, F->leaf_attrs(entry, level));
	result = fill_table(&f, level - 1, leaf->first, &table);
	if (result) {
		iopt_host_table_free(f.tables);
		return result;
	}
	iopt_host_read_lock();
	linked = split_link(s, leaf, entry, level, table);
	iopt_host_read_unlock();
	if (!linked) {
		iopt_host_table_free(f.tables);
		return 1;
	}
	for (unsigned i = 0; i < level; i++) {
		count_linked(domain, i, f.nr[i]);
		s->scan.tables += f.nr[i];
	}
	return shape.leaf_lg2 != s->shape.leaf_lg2;
}

/*
 * The leaf at an IOVA is made of smaller ones if the shape does not allow it. Returns 0: all of it
 * is as it is to be; 1: look again; -ENOMEM; -EOPNOTSUPP.
 * Context: outside read sections; the caller owns the leaf.
 */
static int split_leaf(struct splitting *s, uint64_t iova)
{
	struct iopt_domain *domain = s->scan.domain;
	struct reshape r = { .domain = domain };
	struct leaf leaf;
	uint64_t top, entry;
	int result = 0;

	iopt_host_read_lock();
	top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE);
	entry = place_find(top, iova, 0, &r.place);
	if (F->kind(entry, r.place.level) != IOPT_LEAF)
		goto out;
	leaf_read(&r.place, entry, iova, &leaf);
	if (shape_allows(&s->shape, leaf.first, leaf.last, leaf.size_lg2))
		goto out;
	/* Another one than was claimed, by now. */
	result = leaf.first < s->owned.first || leaf.last > s->owned.last;
	if (result)
		goto out;
	if (leaf.run == 1) {
		iopt_host_read_unlock();
		return split_entry(s, &leaf, entry, r.place.level);
	}
	r.place.index = leaf.index;
	r.nr = leaf.run;
	r.iova = leaf.first;
	r.pa = leaf.pa;
	result = -IOPT_EOPNOTSUPP;
	if (!reshape_possible(&r, &s->shape, leaf.size_lg2))
		goto out;
	reshape(&r, &s->shape, leaf.size_lg2);
	split_owes(s, &leaf, false);
	result = 1;
out:
	iopt_host_read_unlock();
	return result;
}

/* The next leaf that is not as it is to be; false at the end, or when the budget is spent. */
static bool split_find(struct splitting *s, struct leaf *leaf)
{
	struct place place;
	uint64_t entry;

	while (!s->scan.done && !split_spent(s) && scan_table(&s->scan, &place, &entry)) {
		if (place.level == 0 && !has_runs()) {
			scan_pass(&s->scan, s->scan.next | entry_mask(1));
			continue;
		}
		do {
			uint64_t last = s->scan.next | entry_mask(place.level);

			if (F->kind(entry, place.level) == IOPT_LEAF) {
				leaf_read(&place, entry, s->scan.next, leaf);
				if (!shape_allows(&s->shape, leaf->first, leaf->last,
						  leaf->size_lg2))
					return true;
				last = leaf->last;
				place.index = leaf->index + leaf->run - 1;
			}
			scan_pass(&s->scan, last);
		} while (scan_entry(&s->scan, &place, place.index + 1, &entry));
	}
	return false;
}

static int split_run(struct splitting *s, bool claim)
{
	struct iopt_domain *domain = s->scan.domain;
	int result = 0;

	while (result >= 0 && !s->scan.done && !split_spent(s)) {
		struct leaf leaf = { .run = 0 };
		bool found;

		iopt_host_read_lock();
		found = split_find(s, &leaf);
		iopt_host_read_unlock();
		if (!found)
			continue;
		if (claim && !domain->callbacks.try_claim(domain->ctx, leaf.first, leaf.last)) {
			scan_pass(&s->scan, leaf.last);
			continue;
		}
		if (claim)
			s->owned = (struct iopt_range){ leaf.first, leaf.last };
		result = split_leaf(s, s->scan.next);
		if (claim)
			domain->callbacks.release(domain->ctx, leaf.first, leaf.last);
		if (!result)
			scan_pass(&s->scan, leaf.last);
	}
	return result < 0 ? result : !s->scan.done;
}

/* What split() and merge() are asked for: a range, a leaf size of the domain's, flags. */
static int resize_check(const struct iopt_domain *domain, uint64_t first, uint64_t last,
			unsigned leaf_lg2, unsigned flags, unsigned known,
			const struct iopt_gather *gather)
{
	bool claims = domain->callbacks.try_claim && domain->callbacks.release;

	if (((first | ~last) & entry_mask(0)) || first > last || gather->domain != domain ||
	    (flags & ~known) || ((flags & IOPT_CLAIM) && !claims))
		return -IOPT_EINVAL;
	if (leaf_lg2 != ~0u && (leaf_lg2 > 63 || !(domain->page_sizes >> leaf_lg2 & 1)))
		return -IOPT_EINVAL;
	if (!resizes(domain))
		return -IOPT_EOPNOTSUPP;
	return domain_has(domain, first, last) ? 0 : -IOPT_ERANGE;
}

static int split(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned leaf_lg2,
		 unsigned flags, struct iopt_gather *gather, uint64_t budget, uint64_t *next)
{
	int result = resize_check(domain, first, last, leaf_lg2, flags, IOPT_CLAIM, gather);
	struct splitting s;

	if (result)
		return result;
	splitting_init(&s, domain, first, last, leaf_lg2, gather);
	s.scan.sleeps = true;
	s.budget = budget;
	result = split_run(&s, flags & IOPT_CLAIM);
	if (next)
		*next = s.scan.next;
	return result;
}

/* Whether one of a range's ends lies in the middle of a leaf: then *iova is in that leaf. */
static bool range_cuts(uint64_t top, uint64_t first, uint64_t last, uint64_t *iova)
{
	struct place place;
	struct leaf leaf;
	uint64_t entry;

	*iova = first;
	entry = place_find(top, first, 0, &place);
	if (F->kind(entry, place.level) == IOPT_LEAF) {
		leaf_read(&place, entry, first, &leaf);
		if (leaf.first < first || leaf.last > last)
			return true;
	}
	if (!top_covers(top, last))
		return false;
	*iova = last;
	entry = place_find(top, last, 0, &place);
	if (F->kind(entry, place.level) != IOPT_LEAF)
		return false;
	leaf_read(&place, entry, last, &leaf);
	return leaf.last > last;
}

/*
 * Split the leaves that the ends of a range cut, into the largest that fit. Returns 0, -ENOMEM, or
 * -EOPNOTSUPP where the domain has no such policy.
 * Context: outside read sections; the caller owns those leaves.
 */
static int split_ends(struct iopt_domain *domain, uint64_t first, uint64_t last,
		      struct iopt_gather *gather)
{
	struct splitting s;
	int result = 0;

	splitting_init(&s, domain, first, last, ~0u, gather);
	while (result >= 0) {
		uint64_t iova, top;
		bool cut;

		iopt_host_read_lock();
		top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE);
		cut = top_covers(top, first) && range_cuts(top, first, last, &iova);
		iopt_host_read_unlock();
		if (!cut)
			return 0;
		if (!(domain->flags & IOPT_SPLIT) || !resizes(domain))
			return -IOPT_EOPNOTSUPP;
		result = split_leaf(&s, iova);
	}
	return result;
}

#endif
