/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Tables that trim takes (rules 4 and 5), as far as writers have a part in it: a writer that meets
 * a frozen entry wins it, one that meets a table that is closed, or a retiring entry, does what is
 * left to do. Part of an instance (instance.c); trim itself is in trim.h.
 *
 * A table's descriptor holds one word, freeze: a generation and a phase.
 *
 *   open -> freezing(g) -> closed      trim froze every entry: nobody is inside, nobody gets in
 *              |
 *              v
 *           aborted(g) -> open         by trim, or by a writer that met frozen(g); trim rolls back
 *
 * The generation grows by one with each try and never wraps: a table that used all of them up is
 * not tried again. So a frozen value names one try, and a writer that was stopped between reading
 * it and taking it is not mistaken for one of today.
 *
 * Context of everything here: in a read section, which holds from loading an entry until the last
 * step about it, so that no table's address comes back meanwhile.
 */
#ifndef ENGINE_RETIRE_H
#define ENGINE_RETIRE_H

#include "engine/gather.h"
#include "engine/lines.h"
#include "engine/table.h"

enum freeze_phase { FREEZE_OPEN, FREEZE_FREEZING, FREEZE_ABORTED, FREEZE_CLOSED };

#define FREEZE_PHASE_BITS 2u

static inline uint64_t freeze_word(uint64_t generation, enum freeze_phase phase)
{
	return generation << FREEZE_PHASE_BITS | phase;
}

/* Whether the try that froze an entry has been called off, by this writer or another. */
static bool freeze_abort(struct iopt_table *table, uint64_t frozen)
{
	uint32_t generation = F->frozen_generation(frozen);
	uint64_t word = freeze_word(generation, FREEZE_FREEZING);

	return cas_acq_rel(&table->freeze, &word, freeze_word(generation, FREEZE_ABORTED)) ||
	       word == freeze_word(generation, FREEZE_ABORTED);
}

static bool freeze_closed(const struct iopt_table *table, uint64_t frozen)
{
	return __atomic_load_n(&table->freeze, __ATOMIC_ACQUIRE) ==
	       freeze_word(F->frozen_generation(frozen), FREEZE_CLOSED);
}

/*
 * A writer's entry over the value that a trim left, which now has to give up (rule 4). Rare: kept
 * out of the functions that write leaves.
 */
static __attribute__((__noinline__, __cold__)) bool entry_steal(void *slot, unsigned level,
								uint64_t found, uint64_t entry)
{
	return entry_is(found, level, IOPT_FROZEN) &&
	       freeze_abort(iopt_host_table_at(slot_table(slot)), found) &&
	       entry_cas_release(slot, &found, entry);
}

/*
 * A writer's first entry in a table that others see (rule 1): over an empty entry, or over a frozen
 * one. An entry that leads to a table comes after all stores to that table.
 */
static inline bool entry_anchor(void *slot, unsigned level, uint64_t entry, bool table)
{
	uint64_t found = 0;

	if (table ? entry_cas_release(slot, &found, entry) : entry_cas(slot, &found, entry))
		return true;
	return entry_steal(slot, level, found, entry);
}

/*
 * Hardware forgets the table that an entry led to, which leads nowhere now. A walker that does not
 * snoop sees that before it is told to, whoever wrote it.
 */
static void entry_break(struct iopt_domain *domain, const struct place *place, uint64_t iova)
{
	entries_writeback(domain, place_slot(place), 1);
	invalidate_now(domain, iova & ~entry_mask(place->level), iova | entry_mask(place->level),
		       IOPT_OWES_LEAVES | IOPT_OWES_TABLES);
}

/*
 * The last steps about an entry that is retiring, by whoever meets it: no cache leads to the table
 * any more once it is empty.
 */
static void retire_finish(struct iopt_domain *domain, const struct place *place, uint64_t retiring,
			  uint64_t iova)
{
	entry_break(domain, place, iova);
	entry_cas_release(place_slot(place), &retiring, 0);
}

/*
 * Take the closed table that an entry leads to out of it. Returns the retiring entry that is there
 * now, or 0 if the table was taken by somebody else. Whoever takes it frees it (rule 7).
 */
static uint64_t retire_take(struct iopt_domain *domain, const struct place *place, uint64_t entry)
{
	uint64_t found = entry, retiring = F->retiring(F->table_pa(entry));

	while (!entry_cas_release(place_slot(place), &found, retiring))
		if (!entry_same_table(found, entry, place->level))
			return 0;
	count_unlinked(domain, place->level - 1, IOPT_FREED_TRIM);
	return retiring;
}

/*
 * A writer found the table of a level closed on its way to an IOVA: do the rest of trim's work. The
 * table may hang nowhere by now, or have been the top when the writer loaded that; in any case the
 * writer looks again from the top. Returns the table if this call took it, else NULL.
 */
static struct iopt_table *retire_closed(struct iopt_domain *domain, const void *closed,
					unsigned level, uint64_t iova)
{
	uint64_t top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE), entry, retiring = 0;
	struct place place;

	if (top_levels(top) <= level + 1)
		return NULL;
	entry = place_find(top, iova, level + 1, &place);
	if (place.level != level + 1)
		return NULL;
	if (F->kind(entry, place.level) == IOPT_TABLE &&
	    iopt_host_va(F->table_pa(entry)) == closed) {
		retiring = retire_take(domain, &place, entry);
		if (retiring)
			retire_finish(domain, &place, retiring, iova);
	}
	return retiring ? iopt_host_table(F->table_pa(entry)) : NULL;
}

#endif
