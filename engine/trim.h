/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Trim: giving back tables that hold nothing (rules 4 and 5). Part of an instance (instance.c).
 * What writers do when they meet it is in retire.h.
 *
 * Trim owns nothing: everybody may map and unmap in the tables that it looks at, other trims and
 * owners may take them. It goes through the tables bottom up, by address, so that it can leave its
 * read section and come back. The tables that it takes under one parent share an invalidation.
 */
#ifndef ENGINE_TRIM_H
#define ENGINE_TRIM_H

#include "engine/read.h"
#include "engine/retire.h"

/* Freeze the entries of a table, upward. Returns how many were empty before one that was not. */
static unsigned freeze_entries(void *table, uint64_t frozen)
{
	unsigned i;

	for (i = 0; i < table_entries(); i++) {
		uint64_t empty = 0;

		if (!entry_cas_acquire(slot_at(table, i), &empty, frozen))
			break;
	}
	return i;
}

/* Roll back: only what still is this try's. A writer may have stored over the rest. */
static void freeze_undo(void *table, unsigned nr, uint64_t frozen)
{
	for (unsigned i = 0; i < nr; i++) {
		uint64_t found = frozen;

		entry_cas(slot_at(table, i), &found, 0);
	}
}

/* Whether a table could be closed: it was empty, and no writer is or will be inside (rule 4). */
static bool freeze(struct iopt_table *table, void *entries)
{
	uint64_t word = __atomic_load_n(&table->freeze, __ATOMIC_RELAXED);
	uint64_t generation = (word >> FREEZE_PHASE_BITS) + 1;
	uint64_t frozen = F->frozen((uint32_t)generation);
	unsigned nr;

	if (generation >> IOPT_GENERATION_BITS ||
	    word != freeze_word(generation - 1, FREEZE_OPEN) ||
	    !cas_acq_rel(&table->freeze, &word, freeze_word(generation, FREEZE_FREEZING)))
		return false;
	nr = freeze_entries(entries, frozen);
	word = freeze_word(generation, FREEZE_FREEZING);
	if (nr == table_entries()) {
		if (cas_acq_rel(&table->freeze, &word, freeze_word(generation, FREEZE_CLOSED)))
			return true;
	} else {
		cas_acq_rel(&table->freeze, &word, freeze_word(generation, FREEZE_ABORTED));
	}
	freeze_undo(entries, nr, frozen);
	/* After the roll-back: the next try's entries are not taken for this one's. */
	__atomic_store_n(&table->freeze, freeze_word(generation, FREEZE_OPEN), __ATOMIC_RELEASE);
	return false;
}

/**
 * struct trimming - one call of trim()
 * @scan:    where it is
 * @gather:  gets the tables
 * @budget:  tables to look into before it stops; 0: no limit
 * @section: how many are left before it leaves this read section
 * @stop:    leave the read section: come back by address, if at all
 */
struct trimming {
	struct scan scan;
	struct iopt_gather *gather;
	uint64_t budget;
	unsigned section;
	bool stop;
};

/**
 * struct retirement - tables under one parent that are being taken
 * @list:  their descriptors, each with the IOVA where it begins
 * @first: first IOVA
 * @last:  last IOVA
 * @lines: of their entries
 */
struct retirement {
	struct iopt_table *list;
	uint64_t first;
	uint64_t last;
	struct lines lines;
};

/* One invalidation for all of them; then their entries are empty, and they go onto the gather. */
static void retire_all(struct trimming *t, const struct place *parent, struct retirement *r)
{
	struct iopt_domain *domain = t->scan.domain;
	struct iopt_table *table;

	if (!r->list)
		return;
	lines_flush(&r->lines);
	invalidate_now(domain, r->first, r->last, IOPT_OWES_LEAVES | IOPT_OWES_TABLES);
	while ((table = table_pop(&r->list))) {
		void *slot = slot_at(parent->table, place_index(parent, table->first));
		uint64_t retiring = F->retiring(iopt_host_table_pa(table));

		entry_cas_release(slot, &retiring, 0);
		gather_table(t->gather, table);
	}
}

static bool table_is_empty(const void *table)
{
	unsigned i;

	for (i = 0; i < table_entries(); i++)
		if (entry_load(slot_after(table, i)))
			break;
	return i == table_entries();
}

/* Take the table that an entry leads to if nothing is in it. */
static void retire_one(struct trimming *t, const struct place *place, uint64_t entry,
		       uint64_t first, struct retirement *r)
{
	struct iopt_table *table = iopt_host_table(F->table_pa(entry));
	void *entries = iopt_host_va(F->table_pa(entry));

	if (!table_is_empty(entries) || !freeze(table, entries) ||
	    !retire_take(t->scan.domain, place, entry))
		return;
	if (!r->list)
		r->first = first;
	r->last = first | entry_mask(place->level);
	table->first = first;
	table_push(&r->list, table);
	if (unsnooped(t->scan.domain))
		lines_add(&r->lines, place_slot(place), 1);
}

/* Whether another table may be looked into. */
static bool trim_goes_on(struct trimming *t)
{
	t->stop = !t->section || (t->budget && t->scan.tables >= t->budget);
	return !t->stop;
}

/* All of a table was looked at. Each counts once, however often the way leads through it. */
static void trim_looked(struct trimming *t)
{
	t->section -= t->section > 0;
	t->scan.tables++;
}

/*
 * The tables that the entries of a table lead to, from scan.next on, each after those below it.
 * Everything retired here is thawed before this returns: the read section is the one in which it
 * was taken.
 */
static void trim_below(struct trimming *t, struct place place)
{
	struct retirement r = { .list = NULL };

	for (;;) {
		uint64_t first = t->scan.next & ~entry_mask(place.level);
		uint64_t entry = entry_load_table(place_slot(&place));
		bool table = F->kind(entry, place.level) == IOPT_TABLE;

		if (table && !trim_goes_on(t))
			break;
		if (table && place.level > 1) {
			struct place below = place;

			place_down(&below, entry, t->scan.next);
			trim_below(t, below);
			if (t->stop)
				break;
		} else {
			scan_pass(&t->scan, first | entry_mask(place.level));
		}
		if (table) {
			trim_looked(t);
			retire_one(t, &place, entry, first, &r);
		}
		if (t->scan.done || ++place.index == place_entries(&place) ||
		    place_index(&place, t->scan.next) != place.index)
			break;
	}
	retire_all(t, &place, &r);
}

/* Bottom up, in one read section after the other. */
static void trim_run(struct trimming *t)
{
	while (!t->scan.done && !(t->budget && t->scan.tables >= t->budget)) {
		struct place place;
		uint64_t top;

		iopt_host_read_lock();
		t->section = TABLES_A_SECTION;
		t->stop = false;
		top = __atomic_load_n(&t->scan.domain->top, __ATOMIC_ACQUIRE);
		if (top_covers(top, t->scan.next) && top_levels(top) > 1) {
			place_top(&place, top, t->scan.next);
			trim_below(t, place);
		} else {
			t->scan.done = true;
		}
		iopt_host_read_unlock();
	}
}

static int trim(struct iopt_domain *domain, uint64_t first, uint64_t last,
		struct iopt_gather *gather, uint64_t budget, uint64_t *next)
{
	struct trimming t;

	if (first > last || gather->domain != domain)
		return -IOPT_EINVAL;
	if (!domain_has(domain, first, last))
		return -IOPT_ERANGE;
	if (!has_trim())
		return -IOPT_EOPNOTSUPP;
	t.gather = gather;
	t.budget = budget;
	scan_start(&t.scan, domain, first, last);
	trim_run(&t);
	if (next)
		*next = t.scan.next;
	return !t.scan.done;
}

#endif
