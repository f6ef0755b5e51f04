/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* map and map_sg, on both sides: see model.h. */
#include <errno.h>

#include "tests/model/model.h"

#define MAX_SEGMENTS 8u

/**
 * struct outcome - what the model says of a map before it is called
 * @may:       what it may return
 * @nr:        leaves in m->plan
 * @nr_tables: tables that a leaf of the plan would replace, in m->items
 * @sync:      it has to invalidate
 */
struct outcome {
	unsigned may;
	unsigned nr;
	unsigned nr_tables;
	bool sync;
};

bool prot_valid(const struct model *m, unsigned prot)
{
	uint32_t abilities = m->info->abilities;

	if (!(prot & IOPT_READ) && !((prot & IOPT_WRITE) && (abilities & IOPT_CAN_WRITE_ONLY)))
		return false;
	if ((abilities & IOPT_ALWAYS_RW) && !(prot & IOPT_WRITE))
		return false;
	if ((prot & IOPT_UNCACHED) && (prot & IOPT_DEVICE))
		return false;
	return !(prot & ~127u) && (!(prot & IOPT_EXEC) || (abilities & IOPT_CAN_EXEC)) &&
	       (!(prot & IOPT_PRIV) || (abilities & IOPT_CAN_PRIV)) &&
	       (!(prot & IOPT_SNOOP) || (abilities & IOPT_CAN_SNOOP)) &&
	       (!(prot & IOPT_UNCACHED) ||
		(abilities & (IOPT_CAN_MEMORY_TYPES | IOPT_CAN_UNCACHED))) &&
	       (!(prot & IOPT_DEVICE) || (abilities & IOPT_CAN_MEMORY_TYPES));
}

/* Which of -EINVAL and -ERANGE the arguments deserve; it may be either if both. */
static unsigned map_refuses(const struct model *m, uint64_t first, uint64_t last, uint64_t pa,
			    unsigned prot)
{
	unsigned may = 0;

	if (((first | ~last | pa) & granule_mask(m)) || first > last || !prot_valid(m, prot))
		may |= MAY_EINVAL;
	if (!model_has(m, first, last) || pa > m->pa_last || last - first > m->pa_last - pa)
		may |= MAY_ERANGE;
	return may;
}

/*
 * Levels that the device has been told of once a range was mapped: a top that grew stays. No leaf
 * is as large as all that the top translates.
 */
static unsigned levels_for(const struct model *m, uint64_t last)
{
	unsigned levels = m->levels;

	if (!(m->info->abilities & IOPT_CAN_GROW) || levels_last(m, levels) >= last)
		return levels;
	while (levels_last(m, levels) < last)
		levels++;
	return levels > m->raised ? levels : m->raised;
}

static uint64_t sizes_for(const struct model *m, uint64_t last)
{
	if (!(m->info->abilities & IOPT_CAN_GROW))
		return m->map_sizes;
	return m->map_sizes & levels_last(m, levels_for(m, last));
}

/* Some that nobody may track start accessed and, where they can be written, dirty. */
static void plan_starts(struct model *m, unsigned nr)
{
	for (unsigned i = 0; !m->trackable && i < nr; i++) {
		m->plan[i].accessed = m->hw->starts & IOPT_ITEM_ACCESSED;
		m->plan[i].dirty = m->hw->starts & IOPT_ITEM_DIRTY && m->plan[i].prot & IOPT_WRITE;
	}
}

/* Tables of the range that hang where a leaf is to go, moved to the front of m->items. */
static unsigned tables_replaced(struct model *m, uint64_t first, uint64_t last, unsigned nr)
{
	unsigned found = 0;

	if (last - first < levels_last(m, 1))
		return 0; /* no table is that small */
	m->planned.nr = 0;
	leaves_insert(&m->planned, m->plan, nr);
	visit_range(m, first, last, IOPT_VISIT_TABLES, 64);
	for (unsigned i = 0; i < m->nr_items; i++) {
		struct leaf *leaf = leaves_at(&m->planned, m->items[i].first);

		if (leaf && leaf->first <= m->items[i].first && leaf->last >= m->items[i].last)
			m->items[found++] = m->items[i];
	}
	return found;
}

/* m->plan holds out->nr leaves for first..last. */
static void foresee(struct model *m, const struct op *op, uint64_t first, uint64_t last,
		    struct outcome *out)
{
	plan_starts(m, out->nr);
	if (leaves_in(&m->leaves, first, last))
		out->may = MAY_EEXIST;
	else
		out->may = MAY_OK;
	if (op->n && !(op->flags & MAP_RESERVED))
		out->may |= MAY_ENOMEM;
	out->nr_tables = out->may & MAY_OK ? tables_replaced(m, first, last, out->nr) : 0;
	m->nr_replaced = out->nr_tables;
	out->sync = out->nr_tables || (m->config->flags & IOPT_CACHES_EMPTY);
}

/* Set tables aside, or make an allocation fail. Returns whether the map is to be called. */
static bool prepare(struct model *m, const struct op *op, uint64_t first, uint64_t last,
		    struct iopt_reserve *reserve)
{
	/* Tables of every level for a wide range are too many to have at hand. */
	if (op->flags & MAP_RESERVED) {
		int result;

		if (last - first > 64 * levels_last(m, 1))
			return false;
		result = iopt_reserve(m->domain, first, last, reserve);
		CHECK(m, !result, "iopt_reserve returned %d", result);
		iopt_posix_fail(1, true);
	} else {
		iopt_posix_fail(op->n, false);
	}
	return true;
}

static void put_away(struct model *m, const struct op *op, struct iopt_reserve *reserve)
{
	uint64_t made = iopt_posix_fail(0, false);

	if (op->flags & MAP_RESERVED)
		CHECK(m, !made, "map with a reserve asked the host for %ju tables",
		      (uintmax_t)made);
	iopt_reserve_release(reserve);
}

/* What the device was told while the map ran. */
static void check_told(struct model *m, const struct outcome *out, uint64_t first, uint64_t last)
{
	CHECK(m, out->sync || !m->invalidations, "map over nothing invalidated");
	CHECK(m, !out->sync || m->invalidations, "map owed an invalidation and made none");
	if (m->config->flags & IOPT_CACHES_EMPTY)
		CHECK(m, ranges_cover(m->seen, m->nr_seen, first, last),
		      "not-present entries of the range were not invalidated");
	for (unsigned i = 0; i < out->nr_tables; i++) {
		const struct iopt_item *table = &m->items[i];

		CHECK(m, ranges_cover(m->seen, m->nr_seen, table->first, table->last),
		      "table at 0x%jx was replaced and its range not invalidated",
		      (uintmax_t)table->first);
		CHECK(m, m->owed & IOPT_OWES_TABLES, "a table was replaced, caches of tables kept");
		CHECK(m, iopt_posix_table_state(table->pa, NULL) != IOPT_POSIX_LIVE,
		      "the replaced table at 0x%jx is still live", (uintmax_t)table->first);
	}
}

/* Nothing is mapped above what the device was told of; a lack of memory may leave a higher top. */
static void check_levels(struct model *m, uint64_t last, bool mapped, bool memory)
{
	struct iopt_hw hw;

	iopt_hw(m->domain, &hw);
	CHECK(m, hw.levels == m->levels || (!memory && hw.levels > m->levels),
	      "%u levels, and the device was told of %u", hw.levels, m->levels);
	CHECK(m, !mapped || levels_for(m, last) == m->levels, "mapped above the announced top");
	m->raised = hw.levels;
}

/*
 * A failed map changed no translation. How far it came can't be seen from here; if it invalidated
 * what it took back, then at least its first leaf.
 */
static void check_failed(struct model *m, const struct outcome *out, uint64_t first, uint64_t last)
{
	unsigned i = leaves_from(&m->leaves, first);

	if (m->invalidations && out->may == MAY_EEXIST && m->plan[0].last < m->leaves.at[i].first)
		CHECK(m, ranges_cover(m->seen, m->nr_seen, first, m->plan[0].last),
		      "leaf 0x%jx was taken back and not invalidated", (uintmax_t)first);
	check_range(m, first, last);
}

static void compare(struct model *m, const struct outcome *out, uint64_t first, uint64_t last,
		    const char *call, int result)
{
	check_result(m, call, result, out->may);
	check_levels(m, last, !result, result != -ENOMEM && m->raised <= m->levels);
	if (result) {
		check_failed(m, out, first, last);
		return;
	}
	check_told(m, out, first, last);
	leaves_insert(&m->leaves, m->plan, out->nr);
	check_range(m, first, last);
}

/* A block that meets a table in use changes nothing at all: no table comes or goes. */
static bool single_block(const struct model *m, const struct outcome *out)
{
	return out->may == MAY_EEXIST && out->nr == 1 &&
	       m->plan[0].last - m->plan[0].first > granule_mask(m);
}

void run_map(struct model *m, const struct op *op)
{
	struct outcome out = { .may = map_refuses(m, op->first, op->last, op->pa, op->prot) };
	struct iopt_reserve reserve = { 0 };
	struct iopt_stats before, after;
	int result;

	if (out.may) {
		result = iopt_map(m->domain, op->first, op->last, op->pa, op->prot, NULL);
		check_result(m, "iopt_map", result, out.may);
		return;
	}
	sync_range(m, op->first, op->last);
	out.nr = leaves_plan(sizes_for(m, op->last), op->first, op->last, op->pa, op->prot, m->plan,
			     MAX_PLAN);
	if (out.nr > MAX_PLAN || m->leaves.nr + out.nr > MAX_LEAVES)
		return;
	foresee(m, op, op->first, op->last, &out);
	m->undo = out.may == MAY_EEXIST;
	m->nr_seen = m->invalidations = m->owed = 0;
	iopt_stats(m->domain, &before);
	if (!prepare(m, op, op->first, op->last, &reserve))
		return;
	result = iopt_map(m->domain, op->first, op->last, op->pa, op->prot,
			  op->flags & MAP_RESERVED ? &reserve : NULL);
	put_away(m, op, &reserve);
	m->undo = false;
	compare(m, &out, op->first, op->last, "iopt_map", result);
	iopt_stats(m->domain, &after);
	if (single_block(m, &out))
		CHECK(m, before.grown != after.grown || before.tables == after.tables,
		      "a refused block changed the tables from %ju to %ju",
		      (uintmax_t)before.tables, (uintmax_t)after.tables);
}

/* ---- map_sg -------------------------------------------------------------------------------- */

/*
 * Cut the operation's range into segments: at random places, some of them continuing the one
 * before. Returns how many.
 */
static unsigned segments_make(const struct model *m, const struct op *op,
			      struct iopt_segment *segments)
{
	unsigned granule_lg2 = m->info->granule_lg2, nr = 0;
	uint64_t left = ((op->last - op->first) >> granule_lg2) + 1;
	uint64_t pa = op->pa, first = op->first;
	struct random random;

	random_seed(&random, op->aux);
	while (left) {
		uint64_t take = nr + 1 == MAX_SEGMENTS ? left : 1 + random_below(&random, left);

		if (random_below(&random, 3)) /* alike in the bits that allow blocks, or anywhere */
			pa = (first & 0x3fffffff) | (random_next(&random) & ~0x3fffffffull);
		else if (random_below(&random, 2))
			pa = random_next(&random) & ~granule_mask(m);
		pa &= m->pa_last >> 1;
		segments[nr].pa = pa;
		segments[nr].bytes = take << granule_lg2;
		pa += segments[nr].bytes;
		first += segments[nr].bytes;
		left -= take;
		nr++;
	}
	if (random_below(&random, 32) == 0)
		segments[random_below(&random, nr)].bytes = 0;
	else if (random_below(&random, 32) == 0)
		segments[random_below(&random, nr)].pa |= 0x10;
	return nr;
}

static unsigned sg_refuses(const struct model *m, const struct op *op,
			   const struct iopt_segment *segments, unsigned nr)
{
	uint64_t first = op->first;
	unsigned may = 0;

	for (unsigned i = 0; i < nr; i++) {
		if (!segments[i].bytes)
			return may | MAY_EINVAL | MAY_ERANGE;
		may |= map_refuses(m, first, first + segments[i].bytes - 1, segments[i].pa,
				   op->prot);
		first += segments[i].bytes;
	}
	return may | (model_has(m, op->first, op->last) ? 0 : MAY_ERANGE);
}

/* Segments that continue each other are one. Returns the number of leaves, in m->plan. */
static unsigned sg_plan(struct model *m, const struct op *op, const struct iopt_segment *segments,
			unsigned nr)
{
	uint64_t first = op->first;
	unsigned leaves = 0;

	for (unsigned i = 0; i < nr && leaves <= MAX_PLAN; i++) {
		uint64_t pa = segments[i].pa, bytes = segments[i].bytes;

		for (; i + 1 < nr && segments[i + 1].pa == pa + bytes; i++)
			bytes += segments[i + 1].bytes;
		leaves += leaves_plan(sizes_for(m, op->last), first, first + bytes - 1, pa,
				      op->prot, m->plan + leaves, MAX_PLAN - leaves);
		first += bytes;
	}
	return leaves;
}

void run_sg(struct model *m, const struct op *op)
{
	struct iopt_segment segments[MAX_SEGMENTS];
	struct iopt_reserve reserve = { 0 };
	struct outcome out = { 0 };
	uint64_t last = 0;
	unsigned nr;
	int result;

	if (((op->first | ~op->last) & granule_mask(m)) || op->first > op->last)
		return; /* what is misaligned is up to the segments */
	nr = segments_make(m, op, segments);
	out.may = sg_refuses(m, op, segments, nr);
	if (out.may) {
		result = iopt_map_sg(m->domain, op->first, segments, nr, op->prot, NULL, NULL);
		check_result(m, "iopt_map_sg", result, out.may);
		return;
	}
	sync_range(m, op->first, op->last);
	out.nr = sg_plan(m, op, segments, nr);
	if (out.nr > MAX_PLAN || m->leaves.nr + out.nr > MAX_LEAVES)
		return;
	foresee(m, op, op->first, op->last, &out);
	m->undo = out.may == MAY_EEXIST;
	m->nr_seen = m->invalidations = m->owed = 0;
	if (!prepare(m, op, op->first, op->last, &reserve))
		return;
	result = iopt_map_sg(m->domain, op->first, segments, nr, op->prot,
			     op->flags & MAP_RESERVED ? &reserve : NULL, &last);
	put_away(m, op, &reserve);
	m->undo = false;
	CHECK(m, result || last == op->last, "iopt_map_sg ended at 0x%jx", (uintmax_t)last);
	compare(m, &out, op->first, op->last, "iopt_map_sg", result);
}
