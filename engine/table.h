/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Lists of table descriptors and the counting of tables. Lists are private to one thread; the
 * counters are atomics that no map or unmap touches which finds its tables in place.
 */
#ifndef ENGINE_TABLE_H
#define ENGINE_TABLE_H

#include "engine/domain.h"

/*
 * A table of the domain whose address an entry can hold; NULL if there is no memory, or none there.
 * Host memory may lie anywhere, and formats differ in how much of an address they keep.
 */
static inline struct iopt_table *table_alloc(const struct iopt_domain *domain,
					     const struct iopt_format_info *info, unsigned size_lg2,
					     uintptr_t how)
{
	struct iopt_table *table =
		iopt_host_table_alloc(size_lg2, info->pa_lg2, domain->memory, how);

	if (table && iopt_host_table_pa(table) >> info->pa_lg2) {
		iopt_host_table_free(table);
		return NULL;
	}
	return table;
}

static inline void table_push(struct iopt_table **list, struct iopt_table *table)
{
	table->next = *list;
	*list = table;
}

static inline struct iopt_table *table_pop(struct iopt_table **list)
{
	struct iopt_table *table = *list;

	if (table) {
		*list = table->next;
		table->next = NULL;
	}
	return table;
}

/*
 * Tables that are linked now. What is linked and unlinked again between the loads is counted as
 * gone only.
 */
static inline uint64_t count_live(const struct table_counts *counts, unsigned level)
{
	int64_t live = (int64_t)__atomic_load_n(&counts->linked[level], __ATOMIC_RELAXED);

	for (unsigned why = 0; why < IOPT_NR_FREED; why++)
		live -= (int64_t)__atomic_load_n(&counts->unlinked[why][level], __ATOMIC_RELAXED);
	return live > 0 ? (uint64_t)live : 0;
}

static inline uint64_t count_all_live(const struct table_counts *counts)
{
	uint64_t live = 0;

	for (unsigned level = 0; level < IOPT_MAX_LEVELS; level++)
		live += count_live(counts, level);
	return live;
}

/* So many of that level. The tables are not looked at: others may be at them by now. */
static inline void count_linked(struct iopt_domain *domain, unsigned level, unsigned nr)
{
	struct table_counts *counts = &domain->counts;
	uint64_t live, peak = __atomic_load_n(&counts->peak, __ATOMIC_RELAXED);

	__atomic_fetch_add(&counts->linked[level], nr, __ATOMIC_RELAXED);
	live = count_all_live(counts);
	/*
	 * Other counters may be read late: a peak is never more than all that were there together.
	 */
	while (peak < live && !__atomic_compare_exchange_n(&counts->peak, &peak, live, true,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static inline void count_unlinked(struct iopt_domain *domain, unsigned level, enum iopt_freed why)
{
	__atomic_fetch_add(&domain->counts.unlinked[why][level], 1, __ATOMIC_RELAXED);
}

#endif
