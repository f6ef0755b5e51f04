/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Gathers: what operations owe, how it is merged and paid. Format-independent; the one step that
 * reads entries (dirty bits of unlinked tables) goes through the format's instance.
 */
#include "engine/gather.h"

static void gather_clear(struct iopt_gather *gather)
{
	gather->owes = 0;
	gather->nr_ranges = 0;
	gather->leaf_lg2 = NO_LEAF;
	gather->tables = NULL;
	gather->last_table = NULL;
	gather->nr_tables = 0;
	gather->sweeps = 0;
}

void iopt_gather_init(struct iopt_gather *gather, struct iopt_domain *domain,
		      const struct iopt_sink *sink)
{
	gather->domain = domain;
	gather->sink = sink;
	gather_clear(gather);
}

int iopt_gather_merge(struct iopt_gather *into, struct iopt_gather *from)
{
	if (into->domain != from->domain || into->sink != from->sink)
		return -IOPT_EINVAL;
	if (into == from)
		return 0;

	into->owes |= from->owes;
	for (uint32_t i = 0; i < from->nr_ranges; i++)
		gather_range_add(into, from->ranges[i].first, from->ranges[i].last);
	into->sweeps |= from->sweeps;
	if (from->leaf_lg2 < into->leaf_lg2)
		into->leaf_lg2 = from->leaf_lg2;
	if (from->tables) {
		from->last_table->next = into->tables;
		if (!into->tables)
			into->last_table = from->last_table;
		into->tables = from->tables;
		into->nr_tables += from->nr_tables;
	}
	debts_pass(&into->domain->debts, from, into);
	gather_clear(from);
	return 0;
}

/*
 * What hardware wrote through cached walks into tables that were unlinked whole is complete only
 * now: the invalidation has ended, so no walk is left that could set another bit.
 */
static void collect_dirty(const struct iopt_gather *gather)
{
	const struct iopt_ops *ops = gather->domain->ops;

	if (!gather->sink)
		return;
	for (const struct iopt_table *table = gather->tables; table; table = table->next)
		if (table->collect)
			ops->collect(table, gather->sink);
}

/* Entries are in memory before the hardware looks again, what it wrote is read after it is done. */
static void invalidate(const struct iopt_gather *gather)
{
	struct iopt_domain *domain = gather->domain;

	iopt_host_publish();
	domain->callbacks.invalidate(domain->ctx, gather);
	iopt_host_observe();
}

void invalidate_now(struct iopt_domain *domain, uint64_t first, uint64_t last, uint32_t owes)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, domain, NULL);
	gather.owes = owes | IOPT_OWES_NOW;
	gather_range_add(&gather, first, last);
	invalidate(&gather);
}

void iopt_sync(struct iopt_gather *gather)
{
	struct iopt_domain *domain = gather->domain;

	if (gather->owes)
		invalidate(gather);
	if (gather->sweeps)
		sweeps_synced(&domain->sweeps, gather->sweeps);
	if (gather->tables) {
		collect_dirty(gather);
		iopt_host_table_defer(gather->tables);
	}
	debts_pass(&domain->debts, gather, NULL);
	gather_clear(gather);
}
