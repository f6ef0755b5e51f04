/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Dirty bits that hardware sets: each page that a device wrote to is reported by one sweep or one
 * unmap, and no other is. On VT-d's first stage, the only one that a model of QEMU's marks.
 *
 * Of the model, found by trying: it sets accessed and dirty bits by storing the whole entry that
 * it has read (QEMU hw/i386/intel_iommu.c, vtd_set_flag_in_pte()), not by an atomic operation as
 * hardware does, so that what the engine changes meanwhile would be lost: here nothing changes
 * while a device writes. It sets dirty only in a leaf that is not accessed yet: here accessed
 * bits are cleared after each sweep, which hardware does not need (forget_accessed()). A write
 * through a translation that a read has brought into its cache sets no dirty bit: here devices
 * only write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"

#define PAGES	   2048u /* of 4 KiB: the first half are such leaves, the others blocks of 2 MiB */
#define BLOCK	   512u
#define FIRST	   0x40000000ull
#define PAGE_LG2   12u
#define ROUNDS	   60u
#define MOST_DIRTY 48u

/**
 * struct tracked - a domain whose dirty pages are known
 * @hw:     the machine
 * @domain: the domain
 * @random: state of chance
 * @dirty:  bitmap of pages: those of leaves that were written to since they were last reported
 * @found:  what the engine reports
 * @sink:   into it
 */
struct tracked {
	struct hw *hw;
	struct hw_domain domain;
	struct random random;
	uint64_t dirty[PAGES / 64];
	uint64_t found[PAGES / 64];
	struct iopt_sink sink;
};

static uint64_t iova_of(unsigned page)
{
	return FIRST + ((uint64_t)page << PAGE_LG2);
}

static void map_pages(struct tracked *t, unsigned page, unsigned nr)
{
	/* Pages lie so that they make up no block, blocks so that they do. */
	uint64_t pa = t->hw->ram_base + HW_DATA + HW_MIB(64) + ((uint64_t)page << PAGE_LG2) +
		      (page < PAGES / 2 ? 0x1000 : 0);

	assert_int_equal(
		iopt_map(t->domain.iopt, iova_of(page), iova_of(page + nr) - 1, pa, RW, NULL), 0);
}

static void start(struct tracked *t)
{
	const struct iopt_config config = {
		.format = "x86-64",
		.levels = 4,
		.flags = IOPT_TRACK | IOPT_SIGN_EXTEND,
	};

	memset(t, 0, sizeof(*t));
	random_seed(&t->random, hw_seed());
	t->sink = (struct iopt_sink){
		.words = t->found, .first = FIRST, .pages = PAGES, .page_lg2 = PAGE_LG2
	};
	t->hw = hw_start(&hw_vtd_scalable, 1);
	assert_int_equal(hw_domain_init(&t->domain, t->hw, &config, 3), 0);
	hw_attach(t->hw, &t->hw->devices[0], &t->domain);
	map_pages(t, 0, PAGES / 2);
	map_pages(t, PAGES / 2, PAGES / 2);
}

/* Pages that are dirty when one of them was written to: all of its leaf. */
static void note_written(struct tracked *t, unsigned page)
{
	unsigned first = page < PAGES / 2 ? page : page & ~(BLOCK - 1);
	unsigned nr = page < PAGES / 2 ? 1 : BLOCK;

	for (unsigned i = first; i < first + nr; i++)
		t->dirty[i / 64] |= 1ull << i % 64;
}

static void write_some(struct tracked *t)
{
	struct hw_dma dma[MOST_DIRTY];
	unsigned nr = (unsigned)random_below(&t->random, MOST_DIRTY + 1);

	for (unsigned i = 0; i < nr; i++) {
		unsigned page = (unsigned)random_below(&t->random, PAGES);
		struct iopt_translation at;

		assert_int_equal(iopt_translate(t->domain.iopt, iova_of(page), &at), 0);
		dma[i] = (struct hw_dma){ .iova = iova_of(page), .pa = at.pa, .bytes = 4 };
		note_written(t, page);
	}
	hw_dma(t->hw, dma, nr);
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(dma[i].result, HW_LANDED);
}

/* What was found among nr pages is what was dirty there, and is so no longer. */
static void check_found(struct tracked *t, unsigned page, unsigned nr)
{
	for (unsigned i = 0; i < PAGES; i++) {
		bool asked = i >= page && i < page + nr;
		bool expected = asked && t->dirty[i / 64] >> i % 64 & 1;

		if ((t->found[i / 64] >> i % 64 & 1) != expected)
			fail_msg("page %u, %s, is %s", i, expected ? "written to" : "clean",
				 expected ? "not reported" : "reported");
		if (asked)
			t->dirty[i / 64] &= ~(1ull << i % 64);
	}
	memset(t->found, 0, sizeof(t->found));
}

/* Whole blocks: a part of one would be reported and stay dirty. */
static void some_pages(struct tracked *t, unsigned *page, unsigned *nr)
{
	unsigned blocks = PAGES / BLOCK, first = (unsigned)random_below(&t->random, blocks);

	*page = first * BLOCK;
	*nr = (1 + (unsigned)random_below(&t->random, blocks - first)) * BLOCK;
}

/* For the model alone, see above. Its cached translations are gone: the sweep was synced. */
static void forget_accessed(struct tracked *t)
{
	const uint64_t accessed = 1ull << 5; /* as in formats/x86_64.h */
	struct iopt_item items[64];
	struct iopt_visit visit;

	iopt_visit_init(&visit, FIRST, iova_of(PAGES) - 1, IOPT_VISIT_LEAVES);
	while (!visit.done) {
		size_t nr = iopt_visit(t->domain.iopt, &visit, items, 64);

		for (size_t i = 0; i < nr; i++)
			if (!(items[i].flags & IOPT_ITEM_DIRTY))
				__atomic_fetch_and((uint64_t *)hw_at(t->hw, items[i].entry_pa),
						   ~accessed, __ATOMIC_RELAXED);
	}
}

static void sweep_some(struct tracked *t, struct iopt_gather *gather)
{
	unsigned page, nr;

	some_pages(t, &page, &nr);
	assert_int_equal(iopt_sweep(t->domain.iopt, iova_of(page), iova_of(page + nr) - 1,
				    IOPT_SWEEP_CLEAR, &t->sink, gather, 0, NULL),
			 0);
	iopt_sync(gather);
	forget_accessed(t);
	check_found(t, page, nr);
}

static void unmap_some(struct tracked *t, struct iopt_gather *gather)
{
	unsigned page, nr;

	some_pages(t, &page, &nr);
	assert_int_equal(iopt_unmap(t->domain.iopt, iova_of(page), iova_of(page + nr) - 1, 0,
				    gather, NULL),
			 0);
	iopt_sync(gather);
	check_found(t, page, nr);
	/* As they were: the halves are mapped apart. */
	for (; nr; page += BLOCK, nr -= BLOCK)
		map_pages(t, page, BLOCK);
}

static void exactly_what_was_written(void **state)
{
	struct iopt_gather gather;
	struct tracked t;

	(void)state;
	start(&t);
	iopt_gather_init(&gather, t.domain.iopt, &t.sink);
	for (unsigned round = 0; round < ROUNDS; round++) {
		write_some(&t);
		if (random_below(&t.random, 3))
			sweep_some(&t, &gather);
		else
			unmap_some(&t, &gather);
	}
	hw_attach(t.hw, &t.hw->devices[0], NULL);
	hw_domain_fini(&t.domain);
	hw_stop(t.hw);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(exactly_what_was_written) };

	if (hw_missing(hw_available()))
		return 77;
	return cmocka_run_group_tests_name("hw: dirty", tests, NULL, NULL);
}
