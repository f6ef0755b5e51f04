/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Device writes, sweep and track, on both sides: see model.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

#define REFUSED (-ENOSPC) /* what the function of a sweep says to what it can't take */

/* ---- bitmaps ------------------------------------------------------------------------------- */

void bitmap_clear(struct bitmap *bitmap)
{
	memset(bitmap, 0, sizeof(*bitmap));
}

/* Bits that were set before, by somebody else: one a word. */
static void bitmap_prefill(struct bitmap *bitmap, unsigned words)
{
	for (unsigned i = 0; i < words + 2; i++)
		bitmap->words[i] = 1ull << i % 64;
}

void bitmap_mark(struct bitmap *bitmap, const struct iopt_sink *sink, uint64_t first, uint64_t last)
{
	uint64_t bit = (first - sink->first) >> sink->page_lg2;
	uint64_t end = (last - sink->first) >> sink->page_lg2;

	for (; bit <= end; bit++)
		bitmap->words[1 + bit / 64] |= 1ull << bit % 64;
}

void bitmap_sink(struct bitmap *bitmap, struct iopt_sink *sink, uint64_t first, unsigned page_lg2,
		 uint64_t pages)
{
	*sink = (struct iopt_sink){ .words = bitmap->words + 1,
				    .first = first,
				    .pages = pages,
				    .page_lg2 = (uint8_t)page_lg2 };
}

/* ---- device writes ------------------------------------------------------------------------- */

/* The walk that led to a write marked the tables on its way. */
static void mark_tables(struct model *m, uint64_t iova)
{
	visit_range(m, iova, iova, IOPT_VISIT_TABLES, 8);
	for (unsigned i = 0; i < m->nr_items; i++)
		if (m->items[i].entry_pa)
			__atomic_fetch_or((uint64_t *)iopt_posix_va(m->items[i].entry_pa),
					  m->hw->accessed, __ATOMIC_RELAXED);
}

static void write_mapped(struct model *m, const struct op *op, struct leaf *leaf)
{
	struct iopt_item item;
	unsigned entries;

	if (!m->trackable || !(leaf->prot & IOPT_WRITE))
		return;
	CHECK(m, find_leaf(m->domain, op->first, &item), "no leaf at 0x%jx", (uintmax_t)op->first);
	entries = 1u << ((leaf->lg2 - m->info->granule_lg2) % m->info->index_lg2);
	CHECK(m, hardware_writes(m->hw, item.entry_pa + op->n % entries * sizeof(uint64_t)),
	      "entry %u of leaf 0x%jx can't be written through", op->n % entries,
	      (uintmax_t)leaf->first);
	leaf->dirty = true;
	leaf->accessed = true;
	if (m->config->flags & IOPT_ACCESSED_TABLES)
		mark_tables(m, op->first);
}

void run_write(struct model *m, const struct op *op)
{
	struct leaf *leaf = leaves_at(&m->leaves, op->first);

	if (leaf && !op->aux) {
		write_mapped(m, op, leaf);
		return;
	}
	for (unsigned i = 0; i < NR_DEBTS; i++) {
		struct debt *debt = &m->debts[i];

		for (unsigned k = 0; k < debt->nr_gone; k++)
			if (debt->gone[k].leaf.first <= op->first &&
			    debt->gone[k].leaf.last >= op->first)
				write_gone(m, debt, &debt->gone[k], op->n);
	}
}

/* ---- sweep --------------------------------------------------------------------------------- */

/**
 * struct sweep - a sweep under way
 * @m:      the model
 * @sink:   what the engine gets
 * @got:    what it reported to the function
 * @nr_got: how often
 * @refuse: call of the function that refuses, 0: none
 * @refused: it did
 * @bitmap, @expected: with a bitmap
 */
struct sweep {
	struct model *m;
	struct iopt_sink sink;
	struct iopt_range got[MAX_LEAVES];
	unsigned nr_got;
	unsigned refuse;
	bool refused;
	struct bitmap bitmap, expected;
};

static struct sweep sweep;

static int take(void *ctx, uint64_t first, uint64_t last)
{
	struct sweep *s = ctx;

	CHECK(s->m, first <= last && first >= s->m->op->first && last <= s->m->op->last,
	      "0x%jx..0x%jx reported, not in the range", (uintmax_t)first, (uintmax_t)last);
	CHECK(s->m, !s->refused, "the sweep went on after the sink refused");
	if (s->refuse && s->nr_got + 1 == s->refuse) {
		s->refused = true;
		return REFUSED;
	}
	CHECK(s->m, s->nr_got < MAX_LEAVES, "more reports than leaves");
	s->got[s->nr_got].first = first;
	s->got[s->nr_got].last = last;
	s->nr_got++;
	return 0;
}

/* A bitmap with pages before the range and none behind it; or one page too short. */
static bool sink_make(struct model *m, const struct op *op, struct sweep *s)
{
	uint64_t before = op->first >> op->pa, pages;

	s->m = m;
	s->nr_got = 0;
	s->refused = false;
	s->refuse = op->pa ? 0 : op->n;
	s->sink = (struct iopt_sink){ .record = take, .ctx = s };
	if (!op->pa)
		return true;
	if (op->pa > 63 || op->first > op->last)
		return false;
	if (before > op->n)
		before = op->n;
	pages = (op->last >> op->pa) - (op->first >> op->pa) + 1 + before;
	if (pages > MAX_BITS)
		return false;
	bitmap_sink(&s->bitmap, &s->sink, ((op->first >> op->pa) - before) << op->pa,
		    (unsigned)op->pa, pages - (op->aux >> 63));
	bitmap_prefill(&s->bitmap, (unsigned)((pages + 63) / 64));
	bitmap_prefill(&s->expected, (unsigned)((pages + 63) / 64));
	return true;
}

static unsigned sweep_may(const struct model *m, const struct op *op)
{
	unsigned may = 0;

	if (op->first > op->last || (op->flags & ~IOPT_SWEEP_CLEAR))
		may |= MAY_EINVAL;
	if (!m->trackable)
		may |= MAY_EOPNOTSUPP;
	if (!model_has(m, op->first, op->last) || (op->pa && op->aux >> 63))
		may |= MAY_ERANGE;
	return may;
}

/* In as many calls as the budget makes of it. */
static int sweep_call(struct model *m, const struct op *op, struct sweep *s)
{
	struct iopt_gather *gather = op->flags ? &m->debts[op->debt].gather : NULL;
	uint64_t budget = op->aux & 0xff, first = op->first, next = 0;
	unsigned calls = 0;
	int result;

	for (;;) {
		result = iopt_sweep(m->domain, first, op->last, op->flags, &s->sink, gather, budget,
				    budget ? &next : NULL);
		if (result != 1)
			return result;
		CHECK(m, budget, "a sweep without a budget stopped early");
		CHECK(m, next > first && next <= op->last, "sweep from 0x%jx goes on at 0x%jx",
		      (uintmax_t)first, (uintmax_t)next);
		CHECK(m, ++calls < 100000, "the sweep does not end");
		first = next;
	}
}

/* Leaves as far as they lie in the range. */
static void part_of(const struct leaf *leaf, const struct op *op, uint64_t *first, uint64_t *last)
{
	*first = leaf->first > op->first ? leaf->first : op->first;
	*last = leaf->last < op->last ? leaf->last : op->last;
}

static bool part_reported(const struct sweep *s, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < s->nr_got; i++)
		if (s->got[i].first <= first && s->got[i].last >= last)
			return true;
	return false;
}

static int by_first(const void *a, const void *b)
{
	const struct iopt_range *left = a, *right = b;

	return left->first < right->first ? -1 : left->first > right->first;
}

static void check_disjoint(struct model *m, struct sweep *s)
{
	qsort(s->got, s->nr_got, sizeof(s->got[0]), by_first);
	for (unsigned i = 1; i < s->nr_got; i++)
		CHECK(m, s->got[i].first > s->got[i - 1].last, "0x%jx reported twice",
		      (uintmax_t)s->got[i].first);
}

static void leaf_swept(struct model *m, const struct op *op, struct leaf *leaf)
{
	struct debt *debt = &m->debts[op->debt];

	if (!op->flags || leaf->first < op->first || leaf->last > op->last)
		return;
	leaf->dirty = false;
	debt->cleaned[debt->nr_cleaned++] = (struct iopt_range){ leaf->first, leaf->last };
}

/* What was dirty is reported, all but what the sink refused, and that is what is cleared. */
static void compare(struct model *m, const struct op *op, struct sweep *s)
{
	unsigned i = leaves_from(&m->leaves, op->first);
	unsigned end = i + leaves_in(&m->leaves, op->first, op->last);
	uint64_t bytes = 0;

	check_disjoint(m, s);
	for (unsigned k = 0; k < s->nr_got; k++)
		bytes += s->got[k].last - s->got[k].first + 1;
	for (; i < end; i++) {
		struct leaf *leaf = &m->leaves.at[i];
		uint64_t first, last;

		if (!leaf->dirty)
			continue;
		part_of(leaf, op, &first, &last);
		if (op->pa) {
			bitmap_mark(&s->expected, &s->sink, first, last);
		} else if (part_reported(s, first, last)) {
			bytes -= last - first + 1;
		} else {
			CHECK(m, s->refused, "0x%jx..0x%jx is dirty and was not reported",
			      (uintmax_t)first, (uintmax_t)last);
			continue;
		}
		leaf_swept(m, op, leaf);
	}
	CHECK(m, !bytes, "0x%jx bytes reported that are not dirty", (uintmax_t)bytes);
}

static void compare_bitmap(struct model *m, const struct sweep *s)
{
	for (uint64_t i = 0; i < (s->sink.pages + 63) / 64 + 2; i++)
		CHECK(m, s->bitmap.words[i] == s->expected.words[i],
		      "word %jd of the bitmap is 0x%jx, expected 0x%jx", (intmax_t)i - 1,
		      (uintmax_t)s->bitmap.words[i], (uintmax_t)s->expected.words[i]);
}

void run_sweep(struct model *m, const struct op *op)
{
	struct debt *debt = &m->debts[op->debt];
	unsigned may = sweep_may(m, op);
	int result;

	if (!sink_make(m, op, &sweep))
		return;
	if (debt->nr_cleaned + m->leaves.nr > MAX_LEAVES)
		sync_debt(m, debt);
	m->invalidations = 0;
	result = sweep_call(m, op, &sweep);
	/* It may pay what an earlier one owes for accessed bits. */
	CHECK(m, !m->invalidations || (m->config->flags & IOPT_ACCESSED_TABLES),
	      "a sweep invalidated by itself");
	if (may) {
		check_result(m, "iopt_sweep", result, may);
		CHECK(m, !sweep.nr_got, "a sweep that was refused reported");
		return;
	}
	CHECK(m, result == (sweep.refused ? REFUSED : 0), "iopt_sweep returned %d", result);
	compare(m, op, &sweep);
	if (op->pa)
		compare_bitmap(m, &sweep);
	check_range(m, op->first, op->last);
}

/* Tracking at a granularity, in steps. Returns whether it is on. */
static bool track_split(struct model *m, const struct op *op)
{
	unsigned lg2 = (unsigned)op->pa;
	unsigned may = m->trackable && m->resizes ? MAY_OK : MAY_EOPNOTSUPP;
	uint64_t next = 0, all = m->high_after == ~0ull ? m->low_last : ~0ull;
	int result;

	if (may == MAY_OK && (lg2 > 63 || !(m->sizes >> lg2 & 1)))
		may = MAY_EINVAL;
	if (may == MAY_OK && !model_fits(m, lg2))
		return false;
	do
		result = iopt_track_split(m->domain, lg2, 0, op->aux, &next);
	while (result == 1);
	check_result(m, "iopt_track_split", result, may);
	if (result)
		return false;
	m->map_sizes = m->sizes & ((1ull << lg2) - 1 + (1ull << lg2));
	for (unsigned i = 0; !m->tracking && i < m->leaves.nr; i++)
		m->leaves.at[i].dirty = false; /* from before */
	model_adopt(m, 0, all);
	for (unsigned i = 0; i < m->leaves.nr; i++)
		CHECK(m, m->leaves.at[i].lg2 <= lg2, "a leaf of 2^%u at 0x%jx is tracked",
		      m->leaves.at[i].lg2, (uintmax_t)m->leaves.at[i].first);
	return true;
}

void run_track(struct model *m, const struct op *op)
{
	bool on = op->flags;
	int result;

	if (on && op->pa) {
		if (!track_split(m, op))
			return;
	} else {
		result = iopt_track(m->domain, on);
		check_result(m, "iopt_track", result, m->trackable ? MAY_OK : MAY_EOPNOTSUPP);
		if (result)
			return;
	}
	if (!on)
		m->map_sizes = m->sizes;
	if (on && !m->tracking) {
		CHECK(m, m->owed & IOPT_OWES_ALL, "tracking is on, not all was invalidated");
		for (unsigned i = 0; i < m->leaves.nr; i++)
			m->leaves.at[i].dirty = false;
		forget_cached(m);
	}
	m->tracking = on;
	check_range(m, 0, ~0ull);
}
