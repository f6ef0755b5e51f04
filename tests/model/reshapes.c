/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * split, merge, protect and trim on both sides: see model.h.
 *
 * What any of them leaves is read back (adopt()) and must say the same as before, byte by byte.
 * Where the rule says which leaves there are, those it is compared with: the largest that fit.
 */
#include "tests/model/model.h"

#define MAX_GROWTH 1600u /* leaves that one operation may add */

static struct leaves expected;

static uint64_t below(unsigned lg2)
{
	return lg2 < 64 ? (1ull << lg2) - 1 : ~0ull;
}

/* Whether the end of a leaf, or its size, is not as a split wants it. */
static bool splits(const struct leaf *leaf, uint64_t first, uint64_t last, unsigned lg2)
{
	return leaf->last >= first && leaf->first <= last &&
	       (leaf->first < first || leaf->last > last || leaf->lg2 > lg2);
}

/* A part of a leaf, in the largest leaves that fit. Adds to the expected ones. */
static bool expect_part(const struct model *m, const struct leaf *leaf, uint64_t first,
			uint64_t last, unsigned lg2)
{
	struct leaf *plan = &expected.at[expected.nr];
	unsigned room = MAX_LEAVES - expected.nr, nr;

	nr = leaves_plan(m->sizes & (below(lg2) << 1 | 1), first, last,
			 leaf->pa + (first - leaf->first), leaf->prot, plan, room);
	if (nr > room)
		return false;
	expected.nr += nr;
	return true;
}

/*
 * Whether a leaf is a run whose entries are to become smaller leaves than an entry is, and an entry
 * is no leaf of the domain's: such a run can't be taken apart.
 */
static bool splits_entries(const struct model *m, const struct leaf *leaf, uint64_t first,
			   uint64_t last, unsigned lg2)
{
	unsigned granule = m->info->granule_lg2, index = m->info->index_lg2;
	unsigned span = granule + (leaf->lg2 - granule) / index * index;

	return leaf->lg2 > span && !(m->sizes >> span & 1) &&
	       (lg2 < span || (leaf->first < first && (first & below(span))) ||
		(leaf->last > last && ((last + 1) & below(span))));
}

/*
 * What a split makes of the leaves that lie in a range at least partly, in `expected`. False if
 * that is too much for a trial.
 */
static bool expect_split(const struct model *m, uint64_t first, uint64_t last, unsigned lg2)
{
	unsigned i = leaves_from(&m->leaves, first), nr = leaves_in(&m->leaves, first, last);

	for (expected.nr = 0; nr; nr--, i++) {
		const struct leaf *leaf = &m->leaves.at[i];
		uint64_t from = leaf->first > first ? leaf->first : first;
		uint64_t to = leaf->last < last ? leaf->last : last;

		if (expected.nr + 1 >= MAX_LEAVES || splits_entries(m, leaf, first, last, lg2))
			return false;
		if (!splits(leaf, first, last, lg2)) {
			expected.at[expected.nr++] = *leaf;
			continue;
		}
		if ((leaf->first < from && !expect_part(m, leaf, leaf->first, from - 1, 63)) ||
		    !expect_part(m, leaf, from, to, lg2) ||
		    (leaf->last > to && !expect_part(m, leaf, to + 1, leaf->last, 63)))
			return false;
	}
	nr = leaves_in(&m->leaves, first, last);
	return m->leaves.nr - nr + expected.nr <= MAX_LEAVES && expected.nr - nr <= MAX_GROWTH;
}

/*
 * Leaves of a level below are made larger ones of a level one by one: each must be a leaf's size.
 */
static bool level_reached(const struct model *m, unsigned from, unsigned to)
{
	unsigned granule = m->info->granule_lg2, index = m->info->index_lg2;

	for (unsigned level = (from - granule) / index + 1; level <= (to - granule) / index;
	     level++)
		if (!(m->sizes >> (granule + level * index) & 1))
			return false;
	return true;
}

/*
 * How many leaves from one on make up one of 2^lg2 bytes; 0: they do not. Sets *smallest to the
 * size of the smallest of them.
 */
static unsigned joins(const struct model *m, unsigned i, uint64_t last, unsigned lg2,
		      unsigned *smallest)
{
	const struct leaf *first = &m->leaves.at[i], *leaf = first;
	uint64_t end;

	*smallest = first->lg2;
	if (((first->first | first->pa) & below(lg2)) || last - first->first < below(lg2))
		return 0;
	for (end = first->first + below(lg2); leaf->last < end; leaf++) {
		const struct leaf *next = leaf + 1;

		if (next == &m->leaves.at[m->leaves.nr] || next->first != leaf->last + 1 ||
		    next->prot != first->prot || next->pa - first->pa != next->first - first->first)
			return 0;
		*smallest = next->lg2 < *smallest ? next->lg2 : *smallest;
	}
	return (unsigned)(leaf - first) + 1;
}

/* What a merge makes of a range, in `expected`. */
static void expect_merge(const struct model *m, uint64_t first, uint64_t last, unsigned most)
{
	unsigned i = leaves_from(&m->leaves, first), end = i + leaves_in(&m->leaves, first, last);
	uint64_t sizes = m->sizes & (below(most) << 1 | 1);

	if (m->info->abilities & IOPT_CAN_GROW)
		sizes &= levels_last(m, m->levels);
	for (expected.nr = 0; i < end;) {
		struct leaf *leaf = &expected.at[expected.nr++];
		unsigned lg2, nr = 0, smallest = 0;

		*leaf = m->leaves.at[i];
		for (lg2 = 63; leaf->first >= first && lg2 > leaf->lg2 && !nr; lg2--) {
			nr = sizes >> lg2 & 1 ? joins(m, i, last, lg2, &smallest) : 0;
			nr = nr && level_reached(m, smallest, lg2) ? nr : 0;
		}
		if (nr) {
			leaf->lg2 = (uint8_t)(lg2 + 1);
			leaf->last = leaf->first + below(leaf->lg2);
		}
		i += nr ? nr : 1;
	}
}

/*
 * One visited leaf: alike with all that the model has there. Returns how many of those there are.
 */
static unsigned check_alike(struct model *m, const struct iopt_item *item, struct leaf *leaf)
{
	unsigned i = leaves_from(&m->leaves, item->first), nr;
	uint64_t next = item->first;
	bool dirty = false, accessed = false;

	nr = leaves_in(&m->leaves, item->first, item->last);
	CHECK(m, nr, "a leaf at 0x%jx where nothing was", (uintmax_t)item->first);
	for (unsigned k = i; k < i + nr; k++) {
		const struct leaf *old = &m->leaves.at[k];

		CHECK(m,
		      old->first <= next && item->prot == old->prot &&
			      item->pa - old->pa == item->first - old->first,
		      "0x%jx translates otherwise than before", (uintmax_t)next);
		dirty |= old->dirty;
		accessed |= old->accessed;
		next = old->last + 1;
	}
	CHECK(m, next - 1 >= item->last, "0x%jx was not mapped before", (uintmax_t)next);
	CHECK(m, !(item->flags & IOPT_ITEM_DIRTY) == !dirty, "the leaf at 0x%jx is %s",
	      (uintmax_t)item->first, dirty ? "clean" : "dirty");
	CHECK(m, accessed || !(item->flags & IOPT_ITEM_ACCESSED), "0x%jx is accessed",
	      (uintmax_t)item->first);
	*leaf = (struct leaf){ .first = item->first,
			       .last = item->last,
			       .pa = item->pa,
			       .lg2 = item->leaf_lg2,
			       .prot = item->prot,
			       .dirty = dirty,
			       .accessed = item->flags & IOPT_ITEM_ACCESSED };
	return nr;
}

/*
 * The leaves of a range as they are now, which must be alike with the model's before: each lies in
 * one of these, or is made of some. They are the model's from then on. Which entry of a run has an
 * accessed bit is not modelled: that is taken as it is found.
 */
static void adopt(struct model *m, uint64_t first, uint64_t last)
{
	static struct leaves now;
	unsigned from = leaves_from(&m->leaves, first), nr;
	uint64_t begin, end;

	nr = leaves_in(&m->leaves, first, last);
	if (!nr)
		return;
	begin = m->leaves.at[from].first;
	end = m->leaves.at[from + nr - 1].last;
	visit_range(m, begin, end, IOPT_VISIT_LEAVES, 64);
	CHECK(m, m->nr_items && m->leaves.nr - nr + m->nr_items <= MAX_LEAVES, "%u leaves",
	      m->nr_items);
	for (now.nr = 0; now.nr < m->nr_items; now.nr++) {
		check_alike(m, &m->items[now.nr], &now.at[now.nr]);
		CHECK(m, !now.nr || now.at[now.nr].first > now.at[now.nr - 1].last,
		      "leaves overlap at 0x%jx", (uintmax_t)now.at[now.nr].first);
	}
	CHECK(m, leaves_bytes(&now, begin, end) == leaves_bytes(&m->leaves, begin, end),
	      "something between 0x%jx and 0x%jx is missing", (uintmax_t)begin, (uintmax_t)end);
	leaves_remove(&m->leaves, begin, end);
	leaves_insert(&m->leaves, now.at, now.nr);
	check_range(m, begin, end);
}

/*
 * The model's leaves, adopted by now, are those that were expected: all of them or, of a split that
 * stopped, those of the range that lie before where it did.
 */
static void check_expected(struct model *m, uint64_t first, uint64_t until)
{
	for (unsigned k = 0; k < expected.nr && expected.at[k].last < until; k++) {
		const struct leaf *leaf = leaves_at(&m->leaves, expected.at[k].first);

		if (until != ~0ull && expected.at[k].first < first)
			continue;
		CHECK(m,
		      leaf && leaf->first == expected.at[k].first &&
			      leaf->lg2 == expected.at[k].lg2,
		      "at 0x%jx there should be a leaf of 2^%u", (uintmax_t)expected.at[k].first,
		      expected.at[k].lg2);
	}
}

/* What a call for other sizes may return for its arguments alone. */
static unsigned resize_may(const struct model *m, const struct op *op, unsigned lg2, unsigned known)
{
	unsigned may = 0;

	if (((op->first | ~op->last) & granule_mask(m)) || op->first > op->last ||
	    (op->flags & ~known) || (lg2 != ~0u && (lg2 > 63 || !(m->sizes >> lg2 & 1))))
		may |= MAY_EINVAL;
	if (!model_has(m, op->first, op->last))
		may |= MAY_ERANGE;
	if (!m->resizes)
		may |= MAY_EOPNOTSUPP;
	return may;
}

/* ---- tables that a call takes by itself ---------------------------------------------------- */

/* Tables of the whole domain, before; those that are gone after it wait for the gather's sync. */
static void tables_before(struct model *m)
{
	visit_range(m, 0, ~0ull, IOPT_VISIT_TABLES, 64);
	m->nr_before = 0;
	for (unsigned i = 0; i < m->nr_items && i < MAX_TABLES; i++) {
		struct gone_table *table = &m->before[m->nr_before++];

		*table = (struct gone_table){ .pa = m->items[i].pa,
					      .first = m->items[i].first,
					      .last = m->items[i].last };
		iopt_posix_table_state(table->pa, &table->generation);
	}
}

static bool visited(const struct model *m, uint64_t pa)
{
	for (unsigned i = 0; i < m->nr_items; i++)
		if (m->items[i].pa == pa)
			return true;
	return false;
}

static void tables_after(struct model *m, struct debt *debt)
{
	visit_range(m, 0, ~0ull, IOPT_VISIT_TABLES, 64);
	for (unsigned i = 0; i < m->nr_before; i++) {
		const struct gone_table *table = &m->before[i];
		uint32_t generation;

		if (visited(m, table->pa))
			continue;
		CHECK(m,
		      iopt_posix_table_state(table->pa, &generation) == IOPT_POSIX_LIVE &&
			      generation == table->generation,
		      "the table at 0x%jx was freed before the sync", (uintmax_t)table->first);
		CHECK(m,
		      (m->owed & IOPT_OWES_TABLES) &&
			      (m->nr_seen == sizeof(m->seen) / sizeof(m->seen[0]) ||
			       ranges_cover(m->seen, m->nr_seen, table->first, table->last)),
		      "the table at 0x%jx was taken and its range not invalidated",
		      (uintmax_t)table->first);
		if (debt->nr_retired < MAX_TABLES)
			debt->retired[debt->nr_retired++] = *table;
	}
	check_statistics(m);
}

/* ---- split --------------------------------------------------------------------------------- */

/*
 * In as many calls as the budget makes of it. Returns the last result; *next is where it stopped.
 */
static int split_calls(struct model *m, const struct op *op, unsigned lg2, uint64_t *next)
{
	struct iopt_gather *gather = &m->debts[op->debt].gather;
	unsigned calls = 0;
	int result;

	*next = op->first;
	do {
		uint64_t first = *next;

		result = iopt_split(m->domain, first, op->last, lg2, op->flags, gather, op->aux,
				    next);
		CHECK(m, result != 1 || op->aux, "a split without a budget stopped early");
		CHECK(m, *next >= first || !*next, "a split went back to 0x%jx", (uintmax_t)*next);
		CHECK(m, ++calls < 100000, "the split does not end");
	} while (result == 1);
	return result;
}

/* All leaves that changed are owed as dirty bits are that were cleared. */
static void owe_splits(struct model *m, const struct op *op, unsigned lg2)
{
	struct debt *debt = &m->debts[op->debt];
	unsigned i = leaves_from(&m->leaves, op->first), nr;

	for (nr = leaves_in(&m->leaves, op->first, op->last); nr; nr--, i++) {
		const struct leaf *leaf = &m->leaves.at[i];

		if (splits(leaf, op->first, op->last, lg2))
			debt->cleaned[debt->nr_cleaned++] =
				(struct iopt_range){ leaf->first, leaf->last };
	}
}

void run_split(struct model *m, const struct op *op)
{
	unsigned lg2 = op->pa ? (unsigned)op->pa : ~0u, may = resize_may(m, op, lg2, 0);
	struct debt *debt = &m->debts[op->debt];
	uint64_t next;
	int result;

	if (may) {
		result = iopt_split(m->domain, op->first, op->last, lg2, op->flags, &debt->gather,
				    0, NULL);
		check_result(m, "iopt_split", result, may);
		check_range(m, op->first, op->last);
		return;
	}
	if (!expect_split(m, op->first, op->last, lg2))
		return;
	if (debt->nr_cleaned + m->leaves.nr > MAX_LEAVES)
		sync_debt(m, debt);
	iopt_posix_fail(op->n, false);
	result = split_calls(m, op, lg2, &next);
	iopt_posix_fail(0, false);
	check_result(m, "iopt_split", result, op->n ? MAY_OK | MAY_ENOMEM : MAY_OK);
	if (!result)
		owe_splits(m, op, lg2);
	adopt(m, op->first, op->last);
	check_expected(m, op->first, result ? next : ~0ull);
	check_statistics(m);
}

bool model_forbids(const struct model *m, uint64_t first, uint64_t last)
{
	unsigned i = leaves_from(&m->leaves, first), nr = leaves_in(&m->leaves, first, last);

	for (; nr; nr--, i++)
		if (splits_entries(m, &m->leaves.at[i], first, last, ~0u))
			return true;
	return false;
}

bool model_cuts(struct model *m, uint64_t first, uint64_t last, struct iopt_range *hull)
{
	unsigned i = leaves_from(&m->leaves, first), nr = leaves_in(&m->leaves, first, last);

	hull->first = m->leaves.at[i].first;
	hull->last = m->leaves.at[i + nr - 1].last;
	return expect_split(m, first, last, ~0u);
}

bool model_fits(struct model *m, unsigned lg2)
{
	return expect_split(m, 0, ~0ull, lg2);
}

void model_adopt(struct model *m, uint64_t first, uint64_t last)
{
	adopt(m, first, last);
}

void model_cut(struct model *m, uint64_t first, uint64_t last)
{
	unsigned i = leaves_from(&m->leaves, first), nr = leaves_in(&m->leaves, first, last);

	for (unsigned k = 0; k < expected.nr; k++) {
		const struct leaf *old = leaves_at(&m->leaves, expected.at[k].first);

		expected.at[k].dirty = old->dirty;
		expected.at[k].accessed = old->accessed;
	}
	leaves_remove(&m->leaves, m->leaves.at[i].first, m->leaves.at[i + nr - 1].last);
	leaves_insert(&m->leaves, expected.at, expected.nr);
}

/* ---- merge --------------------------------------------------------------------------------- */

/* Why a range can't be one leaf, as far as the model knows; MAY_OK: it can. */
static unsigned merge_one_may(const struct model *m, const struct op *op, unsigned most)
{
	unsigned i = leaves_from(&m->leaves, op->first), lg2 = 0, may = 0, smallest;

	while (lg2 < 63 && below(lg2) < op->last - op->first)
		lg2++;
	if (below(lg2) != op->last - op->first || (op->first & below(lg2)) ||
	    !(m->sizes >> lg2 & 1) || lg2 > most)
		return MAY_EINVAL;
	if (!leaves_full(&m->leaves, op->first, op->last))
		may |= MAY_ENOENT;
	if (i < m->leaves.nr && m->leaves.at[i].first <= op->first && m->leaves.at[i].lg2 >= lg2)
		return MAY_OK | MAY_EXDEV; /* a part of a larger one: wherever that lies */
	if (i < m->leaves.nr && m->leaves.at[i].first == op->first &&
	    joins(m, i, op->last, lg2, &smallest))
		return level_reached(m, smallest, lg2) ? MAY_OK : MAY_EOPNOTSUPP;
	return may | MAY_EXDEV;
}

void run_merge(struct model *m, const struct op *op)
{
	unsigned lg2 = op->pa ? (unsigned)op->pa : ~0u;
	unsigned may = resize_may(m, op, lg2, IOPT_MERGE_ONE);
	struct debt *debt = &m->debts[op->debt];
	uint64_t next = op->first;
	int result;

	if (!may)
		may = op->flags & IOPT_MERGE_ONE ? merge_one_may(m, op, lg2) : MAY_OK;
	expect_merge(m, op->first, op->last, lg2 < 63 ? lg2 : 63);
	tables_before(m);
	iopt_posix_fail(1, true);
	do
		result = iopt_merge(m->domain, next, op->last, lg2, op->flags, &debt->gather,
				    op->aux, &next);
	while (result == 1 && op->aux);
	CHECK(m, !iopt_posix_fail(0, false), "merge allocated");
	check_result(m, "iopt_merge", result, may);
	if ((may & (MAY_EINVAL | MAY_ERANGE)) || !m->resizes) {
		check_range(m, op->first, op->last);
		return;
	}
	adopt(m, op->first, op->last);
	if (!op->aux && !result)
		check_expected(m, op->first, ~0ull);
	tables_after(m, debt);
}

/* ---- trim ---------------------------------------------------------------------------------- */

/*
 * Whether a table that was visited is to go with a trim of a range: some of it is in the range, no
 * leaf is in it, and all the tables below it go.
 */
static bool trims(const struct model *m, unsigned i, uint64_t first, uint64_t last)
{
	const struct iopt_item *table = &m->items[i];

	if (!table->entry_pa || table->last < first || table->first > last ||
	    leaves_in(&m->leaves, table->first, table->last))
		return false;
	for (unsigned k = i + 1; k < m->nr_items && m->items[k].first <= table->last; k++)
		if (m->items[k].level < table->level &&
		    (m->items[k].last < first || m->items[k].first > last))
			return false;
	return true;
}

void check_trimmed(struct model *m, uint64_t first, uint64_t last)
{
	visit_range(m, 0, ~0ull, IOPT_VISIT_TABLES, 64);
	for (unsigned i = 0; i < m->nr_items; i++)
		CHECK(m, !trims(m, i, first, last),
		      "the table at 0x%jx, level %u, was not given back",
		      (uintmax_t)m->items[i].first, m->items[i].level);
}

void run_trim(struct model *m, const struct op *op)
{
	struct debt *debt = &m->debts[op->debt];
	uint64_t next = op->first;
	unsigned may = MAY_OK;
	int result;

	if (op->first > op->last)
		may = MAY_EINVAL;
	else if (!model_has(m, op->first, op->last))
		may = MAY_ERANGE;
	else if (!(m->info->abilities & IOPT_CAN_TRIM))
		may = MAY_EOPNOTSUPP;
	tables_before(m);
	iopt_posix_fail(1, true);
	do
		result = iopt_trim(m->domain, next, op->last, &debt->gather, op->aux, &next);
	while (result == 1 && op->aux);
	CHECK(m, !iopt_posix_fail(0, false), "trim allocated");
	check_result(m, "iopt_trim", result, may);
	if (result)
		return;
	/* A budget that ends between two tables leaves those above them to a later trim. */
	if (!op->aux)
		check_trimmed(m, op->first, op->last);
	check_range(m, op->first, op->last);
	tables_after(m, debt);
}

/* ---- protect ------------------------------------------------------------------------------- */

static void protect_leaves(struct model *m, const struct op *op)
{
	unsigned i = leaves_from(&m->leaves, op->first), nr;
	bool set = m->hw->starts & IOPT_ITEM_DIRTY && !m->trackable;

	for (nr = leaves_in(&m->leaves, op->first, op->last); nr; nr--, i++) {
		struct leaf *leaf = &m->leaves.at[i];
		const struct iopt_gather *gather = &m->debts[op->debt].gather;

		leaf->prot = op->prot;
		leaf->dirty |= set && (op->prot & IOPT_WRITE);
		CHECK(m,
		      gather_covers(gather, leaf->first, leaf->last) &&
			      (gather->owes & IOPT_OWES_LEAVES) &&
			      (gather->owes & IOPT_OWES_DEVICE_TLB),
		      "the permissions of 0x%jx changed and its translation is not owed",
		      (uintmax_t)leaf->first);
	}
}

/* Hardware that wants a break before another size wants one before another memory type, too. */
static bool types_fixed(const struct model *m, const struct op *op)
{
	const unsigned types = IOPT_UNCACHED | IOPT_DEVICE;
	unsigned i = leaves_from(&m->leaves, op->first);
	unsigned nr = leaves_in(&m->leaves, op->first, op->last);

	if ((m->info->abilities & IOPT_CAN_RESIZE) && !(m->info->abilities & IOPT_CAN_BBM))
		return false;
	for (; nr; nr--, i++)
		if ((m->leaves.at[i].prot ^ op->prot) & types)
			return true;
	return false;
}

static unsigned protect_may(const struct model *m, const struct op *op, bool cut)
{
	unsigned may = 0;

	if (((op->first | ~op->last) & granule_mask(m)) || op->first > op->last ||
	    !prot_valid(m, op->prot))
		may |= MAY_EINVAL;
	if (!model_has(m, op->first, op->last))
		may |= MAY_ERANGE;
	if (!may && types_fixed(m, op))
		may |= MAY_EOPNOTSUPP;
	if (!may && cut && !(m->resizes && (m->config->flags & IOPT_SPLIT)))
		may |= MAY_EOPNOTSUPP;
	return may;
}

void run_protect(struct model *m, const struct op *op)
{
	bool cut = op->first <= op->last && leaves_cut(&m->leaves, op->first, op->last);
	struct iopt_gather *gather = &m->debts[op->debt].gather;
	unsigned may = protect_may(m, op, cut);
	struct iopt_range hull;
	int result;

	if (may) {
		result = iopt_protect(m->domain, op->first, op->last, op->prot, gather);
		check_result(m, "iopt_protect", result, may);
		check_range(m, op->first, op->last);
		return;
	}
	if (cut && model_forbids(m, op->first, op->last)) {
		result = iopt_protect(m->domain, op->first, op->last, op->prot, gather);
		check_result(m, "iopt_protect", result, MAY_EOPNOTSUPP);
		adopt(m, op->first, op->last);
		return;
	}
	if (cut && !model_cuts(m, op->first, op->last, &hull))
		return;
	iopt_posix_fail(cut ? op->n : 1, !cut);
	result = iopt_protect(m->domain, op->first, op->last, op->prot, gather);
	iopt_posix_fail(0, false);
	check_result(m, "iopt_protect", result, cut && op->n ? MAY_OK | MAY_ENOMEM : MAY_OK);
	if (result) {
		adopt(m, op->first, op->last);
		return;
	}
	if (cut)
		model_cut(m, op->first, op->last);
	protect_leaves(m, op);
	if (cut)
		adopt(m, hull.first, hull.last);
	check_range(m, op->first, op->last);
}
