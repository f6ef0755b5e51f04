/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The top table of formats that grow. Part of an instance (instance.c).
 *
 * A top word (domain.h) is changed by one compare-and-exchange. The old top becomes the new one's
 * first child, so that whoever still walks from it finds all that is mapped there. Two words:
 * newest, which iopt_hw() reads, and top, which the device was told of. Nothing is mapped where
 * only newest leads; a mapper that needs it there announces it, whoever made it.
 */
#ifndef ENGINE_TOP_H
#define ENGINE_TOP_H

#include "engine/lines.h"
#include "engine/table.h"

/*
 * Tell the device of the newest top. Whatever top the callback reads, under its lock, is this one
 * or a later one; several may do so at once, and the last to write top leaves the highest.
 */
static void top_announce(struct iopt_domain *domain)
{
	uint64_t newest = __atomic_load_n(&domain->newest, __ATOMIC_ACQUIRE);
	uint64_t top = __atomic_load_n(&domain->top, __ATOMIC_RELAXED);

	if (top_levels(top) >= top_levels(newest))
		return;
	iopt_host_publish();
	domain->callbacks.top_changed(domain->ctx, domain);
	while (top_levels(top) < top_levels(newest) && !cas_release(&domain->top, &top, newest))
		;
}

/*
 * Put a table above the newest top. Returns false if another thread was faster: then the table is
 * still the caller's, empty.
 */
static bool top_raise(struct iopt_domain *domain, uint64_t newest, struct iopt_table *table)
{
	unsigned level = top_levels(newest);
	uint64_t pa = iopt_host_table_pa(table);
	void *slot = iopt_host_va(pa);

	table->level = (uint8_t)level;
	entry_store(slot, F->table(top_pa(newest), level));
	entries_writeback(domain, slot, table_entries());
	if (!cas_acq_rel(&domain->newest, &newest, top_make(pa, level + 1))) {
		entry_store(slot, 0);
		return false;
	}
	count_linked(domain, level, 1);
	__atomic_fetch_add(&domain->counts.grown, 1, __ATOMIC_RELAXED);
	return true;
}

#endif
