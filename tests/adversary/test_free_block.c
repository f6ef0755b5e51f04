/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The second way in which a live domain frees a table: a block is mapped over it when it is empty.
 * Writers put pages into slots of a block's size, empty them page by page, so that the tables stay,
 * and map blocks over one or several of them, while devices walk, a sweep and a dump run. A map
 * over slots of which one is still in use fails, and changes nothing.
 */
#include <sched.h>

#include "crew.h"

#define WRITERS 2u
#define SLOTS	192u
#define OWN	8u /* slots of a writer behind each other */

/* Some pages at the start of a slot: mapped by hand, so that the unit stays CHANGING. */
static unsigned map_pages(struct writer *writer, struct region *region, unsigned slot)
{
	uint32_t version = writer_begin(writer, region, slot);
	unsigned pages = 1 + (unsigned)random_below(&writer->random, 5);
	uint64_t first = unit_iova(region, slot);

	for (unsigned i = 0; i < pages; i++)
		if (iopt_map(writer->ledger->rig->domain, first + i * PAGE,
			     first + (i + 1) * PAGE - 1, unit_pa(region, slot, version) + i * PAGE,
			     READ_WRITE, NULL))
			complain("map of a page at 0x%llx fails", (unsigned long long)first);
	return pages;
}

/* Page by page, or all that was mapped: never the whole slot. */
static void unmap_pages(struct writer *writer, struct region *region, unsigned slot, unsigned pages)
{
	uint64_t first = unit_iova(region, slot);

	if (random_next(&writer->random) & 1) {
		writer_unmap_range(writer, region, slot, 1, first, first + pages * PAGE - 1);
	} else {
		for (unsigned i = pages; i-- > 0;)
			writer_unmap_range(writer, region, slot, 1, first + i * PAGE,
					   first + (i + 1) * PAGE - 1);
	}
	writer_sync(writer, region, slot, 1);
}

static void map_blocks(struct writer *writer, struct region *region, unsigned first, unsigned nr)
{
	writer_map(writer, region, first, nr, 0);
	sched_yield();
	/* One by one where none can be part of something larger. */
	if (!region->exact || random_next(&writer->random) & 1)
		writer_unmap(writer, region, first, nr);
	else
		for (unsigned i = first; i < first + nr; i++)
			writer_unmap(writer, region, i, 1);
	writer_sync(writer, region, first, nr);
}

static bool work(struct shift *shift, struct writer *writer, unsigned number)
{
	struct region *region =
		&shift->ledger->regions[random_below(&writer->random, shift->ledger->nr_regions)];
	unsigned stretch = (unsigned)random_below(&writer->random, SLOTS / OWN / WRITERS);
	unsigned first = (stretch * WRITERS + number) * OWN +
			 (unsigned)random_below(&writer->random, OWN / 2);
	unsigned nr = 1 + (unsigned)random_below(&writer->random, OWN / 2);
	unsigned used = (unsigned)random_below(&writer->random, 2 * nr), pages = 0;

	for (unsigned i = 0; i < nr; i++) {
		unsigned here = map_pages(writer, region, first + i);

		if (i == used)
			pages = here;
		else
			unmap_pages(writer, region, first + i, here);
	}
	if (pages) { /* blocks up to and over a table in use */
		if (used)
			writer_map_over(writer, region, first, used);
		unmap_pages(writer, region, first + used, pages);
	}
	map_blocks(writer, region, first, nr);
	return !shift_over(shift);
}

static void test_block_over_empty_table(const struct iopt_format_info *format)
{
	struct iopt_stats stats;
	struct ledger ledger;
	struct crew crew;
	struct rig rig;
	struct shift shift = {
		.ledger = &ledger,
		.seconds = 1,
		.nr = WRITERS,
		.work = work,
	};

	crew_rig(&rig, rig_defaults(format->name));
	ledger_init(&ledger, &rig);
	/* Blocks of a slot each, and where a format has them, larger ones over several slots. */
	ledger_add(&ledger, 64 * GIB, 21, SLOTS, true)->pieces = true;
	ledger_add(&ledger, 128 * GIB, 21, SLOTS, false)->pieces = true;
	crew_init(&crew, &ledger);
	crew_start(&crew);
	shift_run(&shift);
	crew_stop(&crew);
	iopt_stats(rig.domain, &stats);
	assert_met(stats.freed[IOPT_FREED_BLOCK]);
	rig_close(&rig);
	ledger_fini(&ledger);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "block over empty table", test_block_over_empty_table, 0, NULL, false },
	};

	return run_format_tests(argc, argv, "free by block", tests, sizeof(tests) / sizeof(*tests));
}
