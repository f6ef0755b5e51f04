/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Lists of table descriptors and the counting of tables. Lists are private to one thread; the
 * counters are atomics that no map or unmap touches which finds its tables in place.
 */
#ifndef ENGINE_TABLE_H
#define ENGINE_TABLE_H

#include "engine/domain.h"

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

static inline void count_max(uint64_t *peak, uint64_t value)
{
	uint64_t old = __atomic_load_n(peak, __ATOMIC_RELAXED);

	while (old < value && !__atomic_compare_exchange_n(peak, &old, value, true,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* The table was linked. */
static inline void count_linked(struct iopt_domain *domain, const struct iopt_table *table)
{
	struct iopt_stats *stats = &domain->stats;
	uint64_t bytes = 1ull << table->size_lg2;

	__atomic_fetch_add(&stats->live[table->level], 1, __ATOMIC_RELAXED);
	count_max(&stats->tables_peak, __atomic_add_fetch(&stats->tables, 1, __ATOMIC_RELAXED));
	count_max(&stats->table_bytes_peak,
		  __atomic_add_fetch(&stats->table_bytes, bytes, __ATOMIC_RELAXED));
}

/* The table was unlinked, for that reason. */
static inline void count_unlinked(struct iopt_domain *domain, const struct iopt_table *table,
				  enum iopt_freed why)
{
	struct iopt_stats *stats = &domain->stats;

	__atomic_fetch_sub(&stats->live[table->level], 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&stats->tables, 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&stats->table_bytes, 1ull << table->size_lg2, __ATOMIC_RELAXED);
	__atomic_fetch_add(&stats->freed[why], 1, __ATOMIC_RELAXED);
}

#endif
