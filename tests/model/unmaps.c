/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * unmap, gathers and sync on both sides, and the device: what it must be told before a gather is
 * paid, and what it may still write until then. See model.h.
 */
#include "tests/model/model.h"

/* ---- what was unmapped --------------------------------------------------------------------- */

static void debt_clear(struct debt *debt)
{
	debt->nr_gone = 0;
	debt->nr_cleaned = 0;
	debt->nr_tables = 0;
	debt->nr_retired = 0;
	debt->nr_asked = 0;
}

void debts_init(struct model *m)
{
	for (unsigned i = 0; i < NR_DEBTS; i++) {
		struct debt *debt = &m->debts[i];

		debt_clear(debt);
		iopt_gather_init(&debt->gather, m->domain,
				 i + 1 < NR_DEBTS ? &m->sink : &m->bitmap_sink);
	}
}

/*
 * A device may have kept the way to the table and write to the entry, as long as that is table
 * memory which it wasn't told to forget. Nothing comes of it unless the entry is still a leaf.
 */
void write_gone(struct model *m, struct debt *debt, struct gone *gone, unsigned entry)
{
	uint64_t slot = gone->entry_pa + (entry % gone->entries) * sizeof(uint64_t);
	uint32_t generation;

	if (!m->trackable || !gone->cached || !(gone->leaf.prot & IOPT_WRITE) ||
	    iopt_posix_table_state(slot, &generation) != IOPT_POSIX_LIVE ||
	    generation != gone->generation || !hardware_writes(m->hw, slot))
		return;
	if (gone->reported)
		fail(m, "leaf 0x%jx was reported and could still be written",
		     (uintmax_t)gone->leaf.first);
	gone->leaf.dirty = true;
	if (gone->exact && debt->gather.sink == &m->bitmap_sink)
		bitmap_mark(&m->unmapped_expected, &m->bitmap_sink, gone->leaf.first,
			    gone->leaf.last);
}

void forget_cached(struct model *m)
{
	for (unsigned i = 0; i < NR_DEBTS; i++)
		for (unsigned k = 0; k < m->debts[i].nr_gone; k++)
			m->debts[i].gone[k].cached = false;
}

/* The invalidation is done: devices walk from the top again where it said so. */
static void forget_covered(struct model *m, const struct iopt_gather *gather)
{
	for (unsigned i = 0; i < NR_DEBTS; i++) {
		for (unsigned k = 0; k < m->debts[i].nr_gone; k++) {
			struct gone *gone = &m->debts[i].gone[k];

			if (gather_covers(gather, gone->leaf.first, gone->leaf.last))
				gone->cached = false;
		}
	}
}

/* ---- reports ------------------------------------------------------------------------------- */

/* The function of the first three gathers: exactly leaves that are dirty, each once. */
static int record(void *ctx, uint64_t first, uint64_t last)
{
	struct model *m = ctx;
	struct debt *debt = m->syncing ? m->syncing : m->using;
	uint64_t left = last - first + 1;

	CHECK(m, debt, "0x%jx..0x%jx reported out of turn", (uintmax_t)first, (uintmax_t)last);
	for (unsigned i = 0; i < debt->nr_gone; i++) {
		struct gone *gone = &debt->gone[i];

		if (!gone->exact || gone->leaf.first < first || gone->leaf.last > last)
			continue;
		CHECK(m, gone->leaf.dirty, "0x%jx reported and was never written",
		      (uintmax_t)gone->leaf.first);
		CHECK(m, !gone->reported, "0x%jx reported twice", (uintmax_t)gone->leaf.first);
		gone->reported = true;
		left -= gone->leaf.last - gone->leaf.first + 1;
	}
	CHECK(m, !left, "0x%jx..0x%jx reported, which is more than was unmapped", (uintmax_t)first,
	      (uintmax_t)last);
	return 0;
}

static void check_reported(struct model *m, const struct debt *debt)
{
	if (debt->gather.sink == &m->bitmap_sink) {
		for (unsigned i = 0; i < MAX_BITS / 64 + 2; i++)
			CHECK(m, m->unmapped.words[i] == m->unmapped_expected.words[i],
			      "word %u of the bitmap is 0x%jx, expected 0x%jx", i,
			      (uintmax_t)m->unmapped.words[i],
			      (uintmax_t)m->unmapped_expected.words[i]);
		return;
	}
	for (unsigned i = 0; i < debt->nr_gone; i++)
		CHECK(m, !debt->gone[i].exact || debt->gone[i].reported == debt->gone[i].leaf.dirty,
		      "0x%jx was written, unmapped and not reported",
		      (uintmax_t)debt->gone[i].leaf.first);
}

/* ---- the device's callbacks ---------------------------------------------------------------- */

static void check_form(struct model *m, const struct iopt_gather *gather)
{
	CHECK(m, gather->domain == m->domain, "invalidate for another domain");
	CHECK(m, gather->owes, "invalidate, and nothing is owed");
	CHECK(m, gather->nr_ranges <= IOPT_GATHER_RANGES, "%u ranges", gather->nr_ranges);
	for (unsigned i = 0; i < gather->nr_ranges; i++)
		CHECK(m, gather->ranges[i].first <= gather->ranges[i].last,
		      "the range 0x%jx..0x%jx is backward", (uintmax_t)gather->ranges[i].first,
		      (uintmax_t)gather->ranges[i].last);
}

/* All that the gather's unmaps and sweeps owe is named, and no table went yet. */
static void check_debt(struct model *m, const struct debt *debt, const struct iopt_gather *gather)
{
	const uint32_t leaves = IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB;
	const uint32_t cleaned = IOPT_OWES_DIRTY | IOPT_OWES_DEVICE_TLB;

	CHECK(m, !debt->nr_gone || (gather->owes & leaves) == leaves, "owes 0x%x, leaves went",
	      gather->owes);
	CHECK(m, !debt->nr_cleaned || (gather->owes & cleaned) == cleaned,
	      "owes 0x%x, dirty bits were cleared", gather->owes);
	CHECK(m, !debt->nr_tables || (gather->owes & IOPT_OWES_TABLES), "owes 0x%x, tables went",
	      gather->owes);
	for (unsigned i = 0; i < debt->nr_gone; i++) {
		const struct leaf *leaf = &debt->gone[i].leaf;

		CHECK(m, gather_covers(gather, leaf->first, leaf->last),
		      "0x%jx..0x%jx was unmapped and is not invalidated", (uintmax_t)leaf->first,
		      (uintmax_t)leaf->last);
		CHECK(m, gather->leaf_lg2 <= leaf->lg2, "the stride is 2^%u, a leaf was 2^%u",
		      gather->leaf_lg2, leaf->lg2);
	}
	for (unsigned i = 0; i < debt->nr_cleaned; i++)
		CHECK(m, gather_covers(gather, debt->cleaned[i].first, debt->cleaned[i].last),
		      "0x%jx..0x%jx was cleaned and is not invalidated",
		      (uintmax_t)debt->cleaned[i].first, (uintmax_t)debt->cleaned[i].last);
	for (unsigned i = 0; i < debt->nr_tables; i++) {
		const struct gone_table *table = &debt->tables[i];

		CHECK(m, gather_covers(gather, table->first, table->last),
		      "the table at 0x%jx went and its range is not invalidated",
		      (uintmax_t)table->first);
		CHECK(m, iopt_posix_table_state(table->pa, NULL) == IOPT_POSIX_LIVE,
		      "the table at 0x%jx was freed before the invalidation",
		      (uintmax_t)table->first);
	}
}

/* A map calls back: what it took back is gone, and what it replaces still there. */
static void check_map(struct model *m)
{
	struct iopt_translation t;

	for (unsigned i = 0; i < m->nr_replaced; i++)
		CHECK(m, iopt_posix_table_state(m->items[i].pa, NULL) == IOPT_POSIX_LIVE,
		      "the table at 0x%jx was freed before the invalidation",
		      (uintmax_t)m->items[i].first);
	if (m->undo)
		CHECK(m,
		      leaves_at(&m->leaves, m->op->first) ||
			      iopt_translate(m->domain, m->op->first, &t),
		      "a map that fails invalidated before it took back what it wrote");
}

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	struct model *m = ctx;

	check_form(m, gather);
	m->invalidations++;
	m->owed |= gather->owes;
	for (unsigned i = 0; i < gather->nr_ranges; i++)
		if (m->nr_seen < sizeof(m->seen) / sizeof(m->seen[0]))
			m->seen[m->nr_seen++] = gather->ranges[i];
	if (m->syncing) {
		check_debt(m, m->syncing, gather);
		/* Until this returns devices may write through the walks that they cached. */
		for (unsigned i = 0; m->op && m->op->flags & SYNC_WRITES && i < m->syncing->nr_gone;
		     i += 3)
			write_gone(m, m->syncing, &m->syncing->gone[i], i);
	} else {
		check_map(m);
	}
	forget_covered(m, gather);
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
	struct model *m = ctx;
	struct iopt_hw hw;

	iopt_hw(domain, &hw);
	CHECK(m, hw.levels > m->levels, "the top changed from %u to %u levels", m->levels,
	      hw.levels);
	CHECK(m, m->op && (levels_last(m, hw.levels - 1) < m->op->last || hw.levels == m->raised),
	      "the top grew to %u levels for 0x%jx", hw.levels,
	      (uintmax_t)(m->op ? m->op->last : 0));
	CHECK(m, iopt_posix_table_state(hw.root, NULL) == IOPT_POSIX_LIVE, "no table at the root");
	m->levels = hw.levels;
}

void device_init(struct model *m, struct iopt_callbacks *callbacks)
{
	callbacks->invalidate = invalidate;
	callbacks->top_changed = top_changed;
	m->sink = (struct iopt_sink){ .record = record, .ctx = m };
	bitmap_sink(&m->unmapped, &m->bitmap_sink, 0, m->info->granule_lg2 + 2u, MAX_BITS - 3);
	bitmap_clear(&m->unmapped);
	m->unmapped_expected = m->unmapped;
}

/* ---- sync and merge ------------------------------------------------------------------------ */

static void check_tables_gone(struct model *m, const struct gone_table *tables, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		uint32_t generation;

		CHECK(m,
		      iopt_posix_table_state(tables[i].pa, &generation) != IOPT_POSIX_LIVE ||
			      generation != tables[i].generation,
		      "the table at 0x%jx is still live after the sync",
		      (uintmax_t)tables[i].first);
	}
}

void sync_debt(struct model *m, struct debt *debt)
{
	unsigned before = m->invalidations;
	bool owes = debt->nr_gone || debt->nr_cleaned || debt->nr_tables;

	CHECK(m, !owes || debt->gather.owes, "the gather owes nothing");
	m->syncing = debt;
	iopt_sync(&debt->gather);
	m->syncing = NULL;
	CHECK(m, !owes || m->invalidations > before, "the sync invalidated nothing");
	CHECK(m, !debt->gather.owes && !debt->gather.nr_ranges && !debt->gather.nr_tables,
	      "the gather is not empty after the sync");
	check_reported(m, debt);
	check_tables_gone(m, debt->tables, debt->nr_tables);
	check_tables_gone(m, debt->retired, debt->nr_retired);
	debt_clear(debt);
}

void sync_range(struct model *m, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < NR_DEBTS; i++) {
		struct debt *debt = &m->debts[i];

		for (unsigned k = 0; k < debt->nr_asked; k++) {
			if (debt->asked[k].first <= last && debt->asked[k].last >= first) {
				sync_debt(m, debt);
				break;
			}
		}
	}
}

void run_sync(struct model *m, const struct op *op)
{
	sync_debt(m, &m->debts[op->debt]);
}

static bool debts_fit(const struct debt *into, const struct debt *from)
{
	return into->nr_gone + from->nr_gone <= MAX_LEAVES &&
	       into->nr_cleaned + from->nr_cleaned <= MAX_LEAVES &&
	       into->nr_tables + from->nr_tables <= MAX_TABLES &&
	       into->nr_retired + from->nr_retired <= MAX_TABLES &&
	       into->nr_asked + from->nr_asked <= MAX_ASKED;
}

void run_gather(struct model *m, const struct op *op)
{
	struct debt *into = &m->debts[op->debt], *from = &m->debts[op->flags % NR_DEBTS];
	bool other = into->gather.sink != from->gather.sink;
	int result;

	if (into == from || (!other && !debts_fit(into, from)))
		return;
	result = iopt_gather_merge(&into->gather, &from->gather);
	check_result(m, "iopt_gather_merge", result, other ? MAY_EINVAL : MAY_OK);
	if (other)
		return;
	CHECK(m, !from->gather.owes && !from->gather.nr_ranges && !from->gather.nr_tables,
	      "the gather is not empty after the merge");
	for (unsigned i = 0; i < from->nr_gone; i++)
		into->gone[into->nr_gone++] = from->gone[i];
	for (unsigned i = 0; i < from->nr_cleaned; i++)
		into->cleaned[into->nr_cleaned++] = from->cleaned[i];
	for (unsigned i = 0; i < from->nr_tables; i++)
		into->tables[into->nr_tables++] = from->tables[i];
	for (unsigned i = 0; i < from->nr_retired; i++)
		into->retired[into->nr_retired++] = from->retired[i];
	for (unsigned i = 0; i < from->nr_asked; i++)
		into->asked[into->nr_asked++] = from->asked[i];
	debt_clear(from);
}

/* ---- unmap --------------------------------------------------------------------------------- */

/* A sink with a bitmap takes only what the bitmap has bits for. */
static bool sink_takes(const struct model *m, const struct debt *debt, uint64_t first,
		       uint64_t last)
{
	const struct iopt_sink *sink = &m->bitmap_sink;

	return !m->tracking || debt->gather.sink != sink ||
	       (first >= sink->first && (last - sink->first) >> sink->page_lg2 < sink->pages);
}

static unsigned unmap_may(const struct model *m, const struct op *op)
{
	unsigned may = 0;

	if (((op->first | ~op->last) & granule_mask(m)) || op->first > op->last)
		may |= MAY_EINVAL;
	if (!model_has(m, op->first, op->last))
		may |= MAY_ERANGE;
	if (may)
		return may;
	/* What is wrong with the range itself: any of these. */
	if (!sink_takes(m, &m->debts[op->debt], op->first, op->last))
		may |= MAY_ERANGE;
	if ((op->flags & IOPT_UNMAP_FULL) && !leaves_full(&m->leaves, op->first, op->last))
		may |= MAY_ENOENT;
	if (leaves_cut(&m->leaves, op->first, op->last) &&
	    !(m->resizes && (m->config->flags & IOPT_SPLIT)))
		may |= MAY_EOPNOTSUPP;
	if ((op->flags & IOPT_UNMAP_TRIM) && !(m->info->abilities & IOPT_CAN_TRIM))
		may |= MAY_EOPNOTSUPP;
	return may ? may : MAY_OK;
}

/* The tables that lie wholly in the range will go, all but the top. Returns how many. */
static unsigned tables_go(struct model *m, const struct op *op, struct debt *debt)
{
	unsigned went = 0;

	for (unsigned i = 0; i < m->nr_items; i++) {
		const struct iopt_item *item = &m->items[i];
		struct gone_table *table = &debt->tables[debt->nr_tables];

		if (!(item->flags & IOPT_ITEM_TABLE) || !item->entry_pa ||
		    item->first < op->first || item->last > op->last)
			continue;
		went++;
		if (debt->nr_tables == MAX_TABLES)
			continue;
		*table = (struct gone_table){ .pa = item->pa,
					      .first = item->first,
					      .last = item->last };
		iopt_posix_table_state(item->pa, &table->generation);
		debt->nr_tables++;
	}
	return went;
}

/*
 * The visited leaf that begins with one of the model's and is as large; NULL: that was a larger
 * one's.
 */
static const struct iopt_item *item_of(const struct model *m, const struct leaf *leaf, unsigned *k)
{
	for (; *k < m->nr_items && m->items[*k].first <= leaf->first; (*k)++)
		if (!(m->items[*k].flags & IOPT_ITEM_TABLE) && m->items[*k].first == leaf->first &&
		    m->items[*k].last == leaf->last)
			return &m->items[*k];
	return NULL;
}

/*
 * The leaves of the range go: from the model to the debt. Of those that come of a split nobody
 * knows where their entries were.
 */
static void leaves_go(struct model *m, const struct op *op, struct debt *debt)
{
	unsigned from = leaves_from(&m->leaves, op->first), i, k = 0;
	unsigned nr = leaves_in(&m->leaves, op->first, op->last);

	for (i = from; i < from + nr; i++) {
		const struct iopt_item *item = item_of(m, &m->leaves.at[i], &k);
		struct gone *gone = &debt->gone[debt->nr_gone];

		*gone = (struct gone){ .leaf = m->leaves.at[i],
				       .entries = 1,
				       .exact = m->tracking };
		if (item) {
			gone->entry_pa = item->entry_pa;
			gone->entries = 1u << ((item->leaf_lg2 - m->info->granule_lg2) %
					       m->info->index_lg2);
			gone->cached = true;
			iopt_posix_table_state(item->entry_pa, &gone->generation);
		}
		if (gone->exact && gone->leaf.dirty && debt->gather.sink == &m->bitmap_sink)
			bitmap_mark(&m->unmapped_expected, &m->bitmap_sink, gone->leaf.first,
				    gone->leaf.last);
		debt->nr_gone++;
	}
	leaves_remove(&m->leaves, op->first, op->last);
}

/* Room for what an unmap may add, syncing what is there if need be. */
static void debt_make_room(struct model *m, const struct op *op, struct debt *debt)
{
	unsigned tables = 0;

	for (unsigned i = 0; i < m->nr_items; i++)
		tables += m->items[i].flags & IOPT_ITEM_TABLE;
	if (debt->nr_gone + leaves_in(&m->leaves, op->first, op->last) > MAX_LEAVES ||
	    debt->nr_tables + tables > MAX_TABLES || debt->nr_asked == MAX_ASKED)
		sync_debt(m, debt);
}

static void check_released(struct model *m, const struct op *op, const struct debt *debt,
			   unsigned nr_gone, unsigned went, const struct iopt_released *r)
{
	uint64_t bytes = 0;

	if (debt->nr_gone == nr_gone && !went)
		CHECK(m, r->last < r->first, "nothing was mapped, released 0x%jx..0x%jx",
		      (uintmax_t)r->first, (uintmax_t)r->last);
	else
		CHECK(m, r->first >= op->first && r->last <= op->last,
		      "released 0x%jx..0x%jx, which is more than was asked for",
		      (uintmax_t)r->first, (uintmax_t)r->last);
	for (unsigned i = nr_gone; i < debt->nr_gone; i++) {
		const struct leaf *leaf = &debt->gone[i].leaf;

		CHECK(m, r->first <= leaf->first && r->last >= leaf->last,
		      "released 0x%jx..0x%jx without the leaf 0x%jx", (uintmax_t)r->first,
		      (uintmax_t)r->last, (uintmax_t)leaf->first);
		bytes += leaf->last - leaf->first + 1;
	}
	if (!(op->flags & IOPT_UNMAP_COUNT))
		bytes = 0;
	CHECK(m, r->bytes == bytes, "released 0x%jx bytes, expected 0x%jx", (uintmax_t)r->bytes,
	      (uintmax_t)bytes);
}

/* Whole tables went with the range, and nothing else; unless it had to split, or was to trim. */
static void check_tables_left(struct model *m, const struct op *op, const struct iopt_stats *before,
			      unsigned went, bool cut)
{
	struct iopt_stats after;

	iopt_stats(m->domain, &after);
	CHECK(m, cut || (op->flags & IOPT_UNMAP_TRIM) || before->tables - after.tables == went,
	      "%ju tables before, %ju after, %u lay in the range", (uintmax_t)before->tables,
	      (uintmax_t)after.tables, went);
	/* A split may make tables that lie in the range: where a size between is left out. */
	CHECK(m, cut || after.freed[IOPT_FREED_UNMAP] - before->freed[IOPT_FREED_UNMAP] == went,
	      "%u tables went, %ju are counted", went,
	      (uintmax_t)(after.freed[IOPT_FREED_UNMAP] - before->freed[IOPT_FREED_UNMAP]));
	visit_range(m, op->first, op->last, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES, 64);
	for (unsigned i = 0; i < m->nr_items; i++)
		CHECK(m,
		      !m->items[i].entry_pa || m->items[i].first < op->first ||
			      m->items[i].last > op->last,
		      "0x%jx..0x%jx at level %u is still there", (uintmax_t)m->items[i].first,
		      (uintmax_t)m->items[i].last, m->items[i].level);
}

static void unmap_all_right(struct model *m, const struct op *op, struct debt *debt)
{
	struct iopt_released released;
	struct iopt_stats before;
	struct iopt_range hull = { op->first, op->last };
	bool cut = leaves_cut(&m->leaves, op->first, op->last), trims = op->flags & IOPT_UNMAP_TRIM;
	unsigned nr_gone, went;
	int result;

	if (cut && !model_cuts(m, op->first, op->last, &hull))
		return;
	visit_range(m, op->first, op->last, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES, 64);
	debt_make_room(m, op, debt);
	nr_gone = debt->nr_gone;
	went = tables_go(m, op, debt);
	if (cut)
		model_cut(m, op->first, op->last);
	leaves_go(m, op, debt);
	debt->asked[debt->nr_asked++] = (struct iopt_range){ op->first, op->last };

	iopt_stats(m->domain, &before);
	m->invalidations = 0;
	m->using = debt;
	iopt_posix_fail(cut ? 0 : 1, !cut);
	result = iopt_unmap(m->domain, op->first, op->last, op->flags, &debt->gather, &released);
	CHECK(m, !iopt_posix_fail(0, false) || cut, "unmap allocated");
	m->using = NULL;
	check_result(m, "iopt_unmap", result, MAY_OK);
	CHECK(m, !m->invalidations || cut || trims, "unmap invalidated by itself");
	check_released(m, op, debt, nr_gone, went, &released);
	check_tables_left(m, op, &before, went, cut);
	if (cut)
		model_adopt(m, hull.first, hull.last);
	if (trims && (debt->nr_gone > nr_gone || went))
		check_trimmed(m, op->first, op->last);
}

/* Whether a leaf has to be cut at an IOVA, and within one of its entries: that takes a table. */
static bool cut_takes_table(struct model *m, uint64_t iova)
{
	const struct leaf *leaf = leaves_at(&m->leaves, iova);
	unsigned level;

	if (!leaf || leaf->first == iova)
		return false;
	level = (leaf->lg2 - m->info->granule_lg2) / m->info->index_lg2;
	return iova & levels_last(m, level);
}

/* No table for a split: nothing is unmapped, and all translates as before. */
static void unmap_without_memory(struct model *m, const struct op *op, struct debt *debt)
{
	int result;

	iopt_posix_fail(1, true);
	result = iopt_unmap(m->domain, op->first, op->last, op->flags, &debt->gather, NULL);
	iopt_posix_fail(0, false);
	check_result(m, "iopt_unmap", result, MAY_ENOMEM);
	model_adopt(m, op->first, op->last);
}

void run_unmap(struct model *m, const struct op *op)
{
	struct debt *debt = &m->debts[op->debt];
	unsigned may = unmap_may(m, op);
	struct iopt_stats before, after;
	int result;

	check_range(m, op->first, op->last);
	if (may == MAY_OK && leaves_cut(&m->leaves, op->first, op->last) &&
	    model_forbids(m, op->first, op->last)) {
		result = iopt_unmap(m->domain, op->first, op->last, op->flags, &debt->gather, NULL);
		check_result(m, "iopt_unmap", result, MAY_EOPNOTSUPP);
		model_adopt(m, op->first, op->last);
		return;
	}
	if (may == MAY_OK && op->n &&
	    (cut_takes_table(m, op->first) || cut_takes_table(m, op->last + 1))) {
		unmap_without_memory(m, op, debt);
		return;
	}
	if (may == MAY_OK) {
		unmap_all_right(m, op, debt);
		return;
	}
	iopt_stats(m->domain, &before);
	result = iopt_unmap(m->domain, op->first, op->last, op->flags, &debt->gather, NULL);
	check_result(m, "iopt_unmap", result, may);
	iopt_stats(m->domain, &after);
	CHECK(m, before.tables == after.tables, "a refused unmap changed the tables");
	check_range(m, op->first, op->last);
}
