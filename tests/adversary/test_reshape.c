/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Leaves that change under devices: random sequences of map, unmap, split, merge, protect, trim and
 * sweeps, with gathers that are synced late, while devices that keep all they ever saw read and
 * write. One thread; the seed of a sequence is its number, so that it is the same every time.
 *
 * What must be true, page by page: an access that is allowed gets through, to the right page; one
 * that was forbidden, or unmapped, and synced does not; every page that was written is reported by
 * a gather that is synced after the write; in the end there are no tables but the top.
 */
#include <errno.h>
#include <string.h>

#include "rig.h"

#define AREAS	  4u
#define PAGES	  1024u /* of an area */
#define ALL_PAGES (AREAS * PAGES)
#define DEBTS	  3u
#define STEPS	  6000u
#define SEQUENCES 4u

/* Places where tables of every level begin or end, and neighbours. */
static const uint64_t areas[AREAS] = { 0, GIB - 2 * MIB, GIB + 2 * MIB, 512 * GIB };

/**
 * struct page - what is expected of a page
 * @mapped:   it is
 * @writable: so that it may be written
 * @owed:     by a gather that is not synced: what was before may still be seen
 * @written:  since its last report
 */
struct page {
	bool mapped;
	bool writable;
	bool owed;
	bool written;
};

/**
 * struct debt - a gather and what was reported to it
 * @gather:   the engine's
 * @reported: pages; to be copied when the gather is synced
 */
struct debt {
	struct iopt_gather gather;
	bool reported[ALL_PAGES];
};

/**
 * struct world - a sequence
 * @rig:    the domain and its devices
 * @random: state
 * @sink:   of all gathers: reports go to @reports
 * @reports: the debt of the operation under way
 * @refuse: that report is refused (1: the next one); 0: none
 */
struct world {
	struct rig rig;
	uint64_t random;
	struct iopt_sink sink;
	struct debt *reports;
	unsigned refuse;
	struct debt debts[DEBTS];
	struct page pages[ALL_PAGES];
};

static unsigned below(struct world *w, unsigned n)
{
	return (unsigned)random_below(&w->random, n);
}

/* A page's IOVA, and where it leads: the same physical page every time. */
static uint64_t iova_of(unsigned page)
{
	return areas[page / PAGES] + page % PAGES * PAGE;
}

static uint64_t pa_of(unsigned page)
{
	return (1ull << 40) + iova_of(page);
}

/* Pages of one area, from one on: few or many, often aligned as leaves are. */
static void draw(struct world *w, unsigned *first, unsigned *nr)
{
	unsigned lg2 = below(w, 11), base = below(w, AREAS) * PAGES;

	if (below(w, 3)) {
		*first = base + (below(w, PAGES) >> lg2 << lg2);
		*nr = 1u << lg2;
		return;
	}
	*first = base + below(w, PAGES);
	*nr = 1 + below(w, base + PAGES - *first);
}

/* ---- reports ------------------------------------------------------------------------------- */

static int record(void *ctx, uint64_t first, uint64_t last)
{
	struct world *w = ctx;

	if (w->refuse && --w->refuse == 0)
		return -ENOSPC;
	for (unsigned i = 0; i < ALL_PAGES; i++)
		if (iova_of(i) >= (first & ~(PAGE - 1)) && iova_of(i) <= last)
			w->reports->reported[i] = true;
	return 0;
}

static void sync_debt(struct world *w, struct debt *debt)
{
	w->reports = debt;
	iopt_sync(&debt->gather);
	for (unsigned i = 0; i < ALL_PAGES; i++)
		if (debt->reported[i])
			w->pages[i].written = false;
	memset(debt->reported, 0, sizeof(debt->reported));
}

static void sync_all(struct world *w)
{
	for (unsigned i = 0; i < DEBTS; i++)
		sync_debt(w, &w->debts[i]);
	for (unsigned i = 0; i < ALL_PAGES; i++)
		w->pages[i].owed = false;
}

/* One debt for another's worries. */
static void merge_debts(struct world *w)
{
	struct debt *into = &w->debts[below(w, DEBTS)], *from = &w->debts[below(w, DEBTS)];

	if (into == from)
		return;
	assert_int_equal(iopt_gather_merge(&into->gather, &from->gather), 0);
	for (unsigned i = 0; i < ALL_PAGES; i++)
		into->reported[i] |= from->reported[i];
	memset(from->reported, 0, sizeof(from->reported));
}

/* ---- writers ------------------------------------------------------------------------------- */

static struct debt *any_debt(struct world *w)
{
	w->reports = &w->debts[below(w, DEBTS)];
	return w->reports;
}

static void do_map(struct world *w, unsigned first, unsigned nr)
{
	unsigned prot = below(w, 8) ? READ_WRITE : IOPT_READ;

	for (unsigned i = first; i < first + nr; i++)
		if (w->pages[i].mapped)
			return;
	for (unsigned i = first; i < first + nr; i++)
		if (w->pages[i].owed)
			sync_all(w);
	assert_int_equal(iopt_map(w->rig.domain, iova_of(first), iova_of(first + nr - 1) + PAGE - 1,
				  pa_of(first), prot, NULL),
			 0);
	for (unsigned i = first; i < first + nr; i++)
		w->pages[i] = (struct page){ .mapped = true, .writable = prot & IOPT_WRITE };
}

static void do_unmap(struct world *w, unsigned first, unsigned nr)
{
	struct debt *debt = any_debt(w);

	assert_int_equal(iopt_unmap(w->rig.domain, iova_of(first),
				    iova_of(first + nr - 1) + PAGE - 1,
				    below(w, 2) ? IOPT_UNMAP_TRIM : 0, &debt->gather, NULL),
			 0);
	for (unsigned i = first; i < first + nr; i++) {
		/* Holes, too: a table may have gone with what was beside them. */
		w->pages[i].owed = true;
		w->pages[i].mapped = false;
	}
}

static void do_protect(struct world *w, unsigned first, unsigned nr)
{
	unsigned prot = below(w, 2) ? READ_WRITE : IOPT_READ;
	struct debt *debt = any_debt(w);

	assert_int_equal(iopt_protect(w->rig.domain, iova_of(first),
				      iova_of(first + nr - 1) + PAGE - 1, prot, &debt->gather),
			 0);
	for (unsigned i = first; i < first + nr; i++) {
		if (!w->pages[i].mapped)
			continue;
		w->pages[i].owed |= w->pages[i].writable != !!(prot & IOPT_WRITE);
		w->pages[i].writable = prot & IOPT_WRITE;
	}
}

/* Sizes of the domain that a few megabytes may have. */
static unsigned any_size(struct world *w)
{
	unsigned lg2;

	do
		lg2 = 12 + below(w, 11);
	while (!(w->rig.format->page_sizes >> lg2 & 1));
	return lg2;
}

static void do_resize(struct world *w, unsigned first, unsigned nr, bool merge)
{
	uint64_t next = iova_of(first), last = iova_of(first + nr - 1) + PAGE - 1;
	uint64_t budget = below(w, 3) ? 0 : 1 + below(w, 4);
	unsigned lg2 = below(w, 3) ? any_size(w) : ~0u;
	struct debt *debt = any_debt(w);
	int result;

	/* Whole leaves are the caller's, also beyond the range: here everything is. */
	do {
		result = merge ? iopt_merge(w->rig.domain, next, last, lg2, 0, &debt->gather,
					    budget, &next)
			       : iopt_split(w->rig.domain, next, last, lg2, 0, &debt->gather,
					    budget, &next);
		assert_in_range(result, 0, 1);
	} while (result && below(w, 8));
}

static void do_trim(struct world *w, unsigned first, unsigned nr)
{
	struct debt *debt = any_debt(w);
	uint64_t next;

	assert_in_range(iopt_trim(w->rig.domain, iova_of(first), iova_of(first + nr - 1),
				  &debt->gather, below(w, 4), &next),
			0, 1);
}

/* ---- sweeps -------------------------------------------------------------------------------- */

/*
 * Of everything, or of a part; in steps, of which the last may be left out; or refused somewhere.
 */
static void do_sweep(struct world *w, unsigned first, unsigned nr)
{
	uint64_t last = iova_of(first + nr - 1) + PAGE - 1,
		 budget = below(w, 3) ? 0 : 1 + below(w, 5);
	struct debt *debt = any_debt(w);
	uint64_t next = iova_of(first);
	int result;

	if (!below(w, 2)) {
		next = 0;
		last = iova_of(ALL_PAGES - 1) + PAGE - 1;
	}
	w->refuse = below(w, 4) ? 0 : 1 + below(w, 20);
	do {
		result = iopt_sweep(w->rig.domain, next, last, below(w, 5) ? IOPT_SWEEP_CLEAR : 0,
				    &w->sink, &debt->gather, budget, &next);
		if (result != -ENOSPC)
			assert_in_range(result, 0, 1);
	} while (result == 1 && below(w, 8));
	w->refuse = 0;
}

/* Devices rest: after a sweep of everything nothing that was written is unknown, nor dirty. */
static void checkpoint(struct world *w)
{
	uint64_t last = iova_of(ALL_PAGES - 1) + PAGE - 1;
	struct iopt_item items[64];
	struct iopt_visit visit;

	if (w->rig.tracked) {
		w->reports = &w->debts[0];
		assert_int_equal(iopt_sweep(w->rig.domain, 0, last, IOPT_SWEEP_CLEAR, &w->sink,
					    &w->debts[0].gather, 0, NULL),
				 0);
	}
	sync_all(w);
	for (unsigned i = 0; w->rig.tracked && i < ALL_PAGES; i++)
		if (w->pages[i].written)
			complain("the page at 0x%llx was written, and nobody reported it",
				 (unsigned long long)iova_of(i));
	iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_LEAVES);
	while (w->rig.tracked && !visit.done) {
		size_t nr = iopt_visit(w->rig.domain, &visit, items, 64);

		for (size_t i = 0; i < nr; i++)
			if (items[i].flags & IOPT_ITEM_DIRTY)
				complain("the leaf at 0x%llx stays dirty",
					 (unsigned long long)items[i].first);
	}
	assert_no_complaint();
}

/* ---- devices ------------------------------------------------------------------------------- */

static void access_page(struct world *w, unsigned device, unsigned page, bool write)
{
	struct page *p = &w->pages[page];
	bool done = (write ? rig_write(&w->rig, device, iova_of(page))
			   : rig_read(&w->rig, device, iova_of(page))) == SOFT_IOMMU_DONE;

	if (done && rig_touched() != pa_of(page))
		complain("0x%llx leads elsewhere", (unsigned long long)iova_of(page));
	if (!done && p->mapped && (!write || (p->writable && !p->owed)))
		complain("0x%llx can't be %s", (unsigned long long)iova_of(page),
			 write ? "written" : "read");
	if (done && !p->owed && !(p->mapped && (!write || p->writable)))
		complain("0x%llx can be %s", (unsigned long long)iova_of(page),
			 write ? "written" : "read");
	p->written |= done && write;
}

/* Around a page: what is near shares translations and tables. */
static void do_accesses(struct world *w, unsigned first, unsigned nr)
{
	for (unsigned i = 0; i < 8; i++)
		access_page(w, below(w, w->rig.nr_devices), first + below(w, nr), below(w, 3));
}

/* ---- sequences ----------------------------------------------------------------------------- */

static void step(struct world *w)
{
	unsigned dice = below(w, 100), first, nr;

	draw(w, &first, &nr);
	if (dice < 14)
		do_map(w, first, nr);
	else if (dice < 19)
		do_unmap(w, first, nr);
	else if (dice < 26)
		do_protect(w, first, nr);
	else if (dice < 33)
		do_resize(w, first, nr, false);
	else if (dice < 42)
		do_resize(w, first, nr, true);
	else if (dice < 45)
		do_trim(w, first, nr);
	else if (dice < 55 && w->rig.tracked)
		do_sweep(w, first, nr);
	else if (dice < 60)
		sync_debt(w, &w->debts[below(w, DEBTS)]);
	else if (dice < 62)
		merge_debts(w);
	else if (dice < 63)
		checkpoint(w);
	else
		do_accesses(w, first, nr);
	assert_no_complaint();
}

/* All goes, and so do the tables. */
static void end(struct world *w)
{
	for (unsigned i = 0; i < AREAS; i++)
		do_unmap(w, i * PAGES, PAGES);
	checkpoint(w);
	assert_int_equal(iopt_trim(w->rig.domain, 0, iova_of(ALL_PAGES - 1) + PAGE - 1,
				   &w->debts[0].gather, 0, NULL),
			 0);
	iopt_sync(&w->debts[0].gather);
	assert_int_equal(rig_visited_tables(&w->rig), 1);
}

static void run(const struct iopt_format_info *format, uint32_t flags, uint64_t seed)
{
	static struct world world;
	struct rig_config config = rig_defaults(format->name);

	memset(&world, 0, sizeof(world));
	world.random = seed;
	world.sink = (struct iopt_sink){ .record = record, .ctx = &world };
	config.domain.flags |= IOPT_SPLIT | flags;
	config.nr_devices = 3;
	config.devices[1] = SOFT_IOMMU_ATS;
	config.devices[2] = SOFT_IOMMU_RANDOM;
	rig_open(&world.rig, &config);
	for (unsigned i = 0; i < DEBTS; i++)
		iopt_gather_init(&world.debts[i].gather, world.rig.domain, &world.sink);
	for (unsigned i = 0; i < STEPS; i++)
		step(&world);
	end(&world);
	rig_close(&world.rig);
}

static void test_sequences(const struct iopt_format_info *format)
{
	for (uint64_t seed = 1; seed <= SEQUENCES * test_scale(); seed++)
		run(format, 0, seed);
}

static void test_sequences_that_skip(const struct iopt_format_info *format)
{
	for (uint64_t seed = 1; seed <= SEQUENCES * test_scale(); seed++)
		run(format, IOPT_ACCESSED_TABLES, seed);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "leaves that change under devices", test_sequences, 0, NULL, false },
		{ "leaves that change, tables that are skipped", test_sequences_that_skip,
		  IOPT_CAN_ACCESSED_TABLES, NULL, true },
	};

	return run_format_tests(argc, argv, "reshape", tests, sizeof(tests) / sizeof(*tests));
}
