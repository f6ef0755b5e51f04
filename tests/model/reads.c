/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* translate, visit and statistics against the model: see model.h. */
#include "tests/model/model.h"

void run_read(struct model *m, const struct op *op)
{
	struct leaf *leaf = leaves_at(&m->leaves, op->first);
	struct iopt_translation t = { 0 };
	int result = iopt_translate(m->domain, op->first, &t);

	if (!model_has(m, op->first, op->first)) {
		check_result(m, "iopt_translate", result, MAY_ERANGE);
	} else if (!leaf) {
		check_result(m, "iopt_translate", result, MAY_ENOENT);
	} else {
		uint64_t pa = leaf->pa + (op->first - leaf->first);

		check_result(m, "iopt_translate", result, MAY_OK);
		CHECK(m, t.pa == pa && t.leaf_lg2 == leaf->lg2 && t.prot == leaf->prot,
		      "0x%jx translates to 0x%jx, 2^%u, prot 0x%x; expected 0x%jx, 2^%u, 0x%x",
		      (uintmax_t)op->first, (uintmax_t)t.pa, t.leaf_lg2, t.prot, (uintmax_t)pa,
		      leaf->lg2, leaf->prot);
	}
}

void visit_range(struct model *m, uint64_t first, uint64_t last, unsigned flags, unsigned nr)
{
	struct iopt_visit visit;

	m->nr_items = 0;
	iopt_visit_init(&visit, first, last, flags);
	while (!visit.done) {
		size_t got;

		CHECK(m, m->nr_items + nr <= MAX_ITEMS, "a visit finds too much or does not end");
		got = iopt_visit(m->domain, &visit, &m->items[m->nr_items], nr);
		CHECK(m, got <= nr, "visit filled in %zu of %u", got, nr);
		CHECK(m, got == nr || visit.done, "visit filled in %zu of %u and is not done", got,
		      nr);
		m->nr_items += (unsigned)got;
	}
}

/* An entry as it lies in memory. */
static uint64_t entry_of(const struct model *m, const void *slot)
{
	return m->info->entry_lg2 == 2 ? *(const uint32_t *)slot : *(const uint64_t *)slot;
}

static void check_leaf(struct model *m, const struct iopt_item *item, const struct leaf *leaf)
{
	const void *slot = iopt_posix_va(item->entry_pa);
	unsigned level = (leaf->lg2 - m->info->granule_lg2) / m->info->index_lg2;
	unsigned flags = (leaf->dirty ? IOPT_ITEM_DIRTY : 0) |
			 (leaf->accessed ? IOPT_ITEM_ACCESSED : 0);

	CHECK(m, item->first == leaf->first && item->last == leaf->last,
	      "visited leaf 0x%jx..0x%jx, expected 0x%jx..0x%jx", (uintmax_t)item->first,
	      (uintmax_t)item->last, (uintmax_t)leaf->first, (uintmax_t)leaf->last);
	CHECK(m, item->pa == leaf->pa && item->prot == leaf->prot && item->leaf_lg2 == leaf->lg2,
	      "leaf 0x%jx leads to 0x%jx, 2^%u, prot 0x%x; expected 0x%jx, 2^%u, 0x%x",
	      (uintmax_t)leaf->first, (uintmax_t)item->pa, item->leaf_lg2, item->prot,
	      (uintmax_t)leaf->pa, leaf->lg2, leaf->prot);
	CHECK(m, item->flags == flags, "leaf 0x%jx has flags 0x%x, expected 0x%x",
	      (uintmax_t)leaf->first, item->flags, flags);
	CHECK(m, item->level == level, "leaf 0x%jx at level %u", (uintmax_t)leaf->first,
	      item->level);
	CHECK(m, slot && entry_of(m, slot) == item->entry,
	      "leaf 0x%jx: the entry is not where it should be", (uintmax_t)leaf->first);
}

/* The leaves among the items, from i on, are the model's. */
static void check_leaves(struct model *m, uint64_t first, uint64_t last)
{
	unsigned from = leaves_from(&m->leaves, first), nr = 0;

	for (unsigned i = 0; i < m->nr_items; i++) {
		const struct iopt_item *item = &m->items[i];

		if (item->flags & IOPT_ITEM_TABLE)
			continue;
		CHECK(m, from + nr < m->leaves.nr && m->leaves.at[from + nr].first <= last,
		      "visited leaf 0x%jx..0x%jx, expected no more", (uintmax_t)item->first,
		      (uintmax_t)item->last);
		check_leaf(m, item, &m->leaves.at[from + nr]);
		nr++;
	}
	CHECK(m, nr == leaves_in(&m->leaves, first, last), "visited %u leaves, expected %u", nr,
	      leaves_in(&m->leaves, first, last));
}

void check_range(struct model *m, uint64_t first, uint64_t last)
{
	visit_range(m, first, last, IOPT_VISIT_LEAVES, 64);
	check_leaves(m, first, last);
}

/* Bytes of a table below the top. */
static uint64_t table_bytes(const struct model *m)
{
	return 1ull << (m->info->index_lg2 + m->info->entry_lg2);
}

/* Bytes that entries may be found in; the top's decide where the space ends. */
static uint64_t parent_bytes(const struct model *m, bool below)
{
	return table_bytes(m) << (below ? 0 : m->info->top_lg2);
}

/*
 * Bytes of the top beyond those of another table: it has entries for all of the space, or for all
 * that hardware knows.
 */
static uint64_t bytes_beyond(const struct model *m)
{
	uint64_t all = 1ull << (m->info->index_lg2 + m->info->top_lg2);
	uint64_t used = (m->space >> span_lg2(m->info, m->levels - 1)) + 1;
	uint64_t bytes = (m->hw->full_top ? all : used) << m->info->entry_lg2;

	return m->info->top_lg2 && bytes > table_bytes(m) ? bytes - table_bytes(m) : 0;
}

/* Each item hangs in the table that was visited last one level up. */
static void check_nesting(struct model *m)
{
	const struct iopt_item *path[IOPT_MAX_LEVELS + 1] = { 0 };

	for (unsigned i = 0; i < m->nr_items; i++) {
		const struct iopt_item *item = &m->items[i], *parent;
		bool table = item->flags & IOPT_ITEM_TABLE;

		if (table)
			CHECK(m, iopt_posix_table_state(item->pa, NULL) == IOPT_POSIX_LIVE,
			      "visited a table that is not live, 0x%jx", (uintmax_t)item->first);
		if (table && !item->entry_pa) {
			CHECK(m, i == 0 && item->level + 1u == m->levels,
			      "visited a top at level %u", item->level);
			path[item->level] = item;
			continue;
		}
		parent = path[table ? item->level + 1 : item->level];
		CHECK(m,
		      parent &&
			      item->entry_pa - parent->pa < parent_bytes(m, parent->entry_pa != 0),
		      "0x%jx at level %u is not in the table before it", (uintmax_t)item->first,
		      item->level);
		CHECK(m,
		      (m->config->flags & IOPT_SIGN_EXTEND) ||
			      (item->first >= parent->first && item->last <= parent->last),
		      "0x%jx is not in the range of its table", (uintmax_t)item->first);
		CHECK(m, item->first >= m->items[i - 1].first, "0x%jx visited after 0x%jx",
		      (uintmax_t)item->first, (uintmax_t)m->items[i - 1].first);
		if (table)
			path[item->level] = item;
	}
}

static void check_live(struct model *m)
{
	uint64_t live[IOPT_MAX_LEVELS] = { 0 };
	struct iopt_stats stats;

	iopt_stats(m->domain, &stats);
	for (unsigned i = 0; i < m->nr_items; i++)
		if (m->items[i].flags & IOPT_ITEM_TABLE)
			live[m->items[i].level]++;
	/* A top that was not announced is not used yet. */
	for (unsigned i = 0; i < m->levels; i++)
		CHECK(m, live[i] == stats.live[i],
		      "%ju tables of level %u visited, %ju are counted", (uintmax_t)live[i], i,
		      (uintmax_t)stats.live[i]);
}

void check_statistics(struct model *m)
{
	struct iopt_posix_memory memory;
	struct iopt_stats stats;
	uint64_t sum = 0;

	iopt_stats(m->domain, &stats);
	for (unsigned i = 0; i < IOPT_MAX_LEVELS; i++)
		sum += stats.live[i];
	CHECK(m, stats.tables == sum, "%ju tables, by level %ju", (uintmax_t)stats.tables,
	      (uintmax_t)sum);
	CHECK(m,
	      stats.table_bytes == sum * table_bytes(m) + bytes_beyond(m) &&
		      stats.tables_peak >= sum && stats.table_bytes_peak >= stats.table_bytes,
	      "%ju tables, peak %ju, bytes 0x%jx, peak 0x%jx", (uintmax_t)sum,
	      (uintmax_t)stats.tables_peak, (uintmax_t)stats.table_bytes,
	      (uintmax_t)stats.table_bytes_peak);
	CHECK(m, !stats.freed[IOPT_FREED_RACE], "a race was lost with nobody there");
	for (unsigned i = 0; i < NR_DEBTS; i++)
		sum += m->debts[i].gather.nr_tables;
	iopt_posix_memory(&memory);
	CHECK(m, memory.tables == sum, "%ju tables are allocated, %ju are linked or owed",
	      (uintmax_t)memory.tables, (uintmax_t)sum);
}

void run_visit(struct model *m, const struct op *op)
{
	visit_range(m, op->first, op->last, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES,
		    op->n ? op->n : 1);
	check_leaves(m, op->first, op->last);
	check_nesting(m);
	if (op->first == 0 && op->last == ~0ull)
		check_live(m);
	check_statistics(m);
}
