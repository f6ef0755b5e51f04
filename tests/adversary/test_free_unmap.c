/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The third way in which a live domain frees a table: an unmap covers all that it translates, be it
 * one mapping or many adjacent ones, with holes or without, one table or several and those above
 * them. Devices hold on to cached pointers into it, and write through them until the invalidation;
 * a sweep and a dump stand in it.
 */
#include <sched.h>

#include "crew.h"

#define WRITERS 3u
#define SLOTS	6u /* two of each writer, neighbours of the others' in the table above */

/* Several mappings behind each other, some with holes between. */
static void fill(struct writer *writer, struct region *region, unsigned first, unsigned nr)
{
	unsigned unit = first, end = first + nr;

	while (unit < end) {
		unsigned some = 1 + (unsigned)random_below(&writer->random, 200);

		if (some > end - unit)
			some = end - unit;
		if (random_next(&writer->random) & 3)
			writer_map(writer, region, unit, some, 0);
		unit += some;
	}
}

static bool work(struct shift *shift, struct writer *writer, unsigned number)
{
	struct region *region =
		&shift->ledger->regions[random_below(&writer->random, shift->ledger->nr_regions)];
	unsigned tables = region->nr / SLOTS;
	unsigned slot = number + WRITERS * (unsigned)random_below(&writer->random, 2);
	unsigned first = slot * tables;

	fill(writer, region, first, tables);
	sched_yield();
	if (random_next(&writer->random) & 7) {
		writer_unmap(writer, region, first, tables);
	} else { /* in two parts, by one gather: neither is the whole table */
		unsigned part = 1 + (unsigned)random_below(&writer->random, tables - 1);

		writer_unmap(writer, region, first, part);
		writer_unmap(writer, region, first + part, tables - part);
	}
	writer_sync(writer, region, first, tables);
	return !shift_over(shift);
}

static void test_unmap_of_whole_tables(const struct iopt_format_info *format)
{
	uint64_t base = space_of(format, format->default_levels) / 4;
	unsigned table = 1u << format->index_lg2, page_lg2 = format->granule_lg2;
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
	ledger_add(&ledger, base, page_lg2, SLOTS * table, true);
	/* A slot of this one is two tables. */
	ledger_add(&ledger, 2 * base, page_lg2, SLOTS * 2 * table, true);
	/* And of this one a table above, of blocks. */
	if (is_usual(format))
		ledger_add(&ledger, 256 * GIB, 21, SLOTS * table, true);
	if (is_usual(format) && format->abilities & IOPT_CAN_RUNS)
		ledger_add(&ledger, 192 * GIB, 16, SLOTS * 32, true);
	crew_init(&crew, &ledger);
	crew_start(&crew);
	shift_run(&shift);
	crew_stop(&crew);
	iopt_stats(rig.domain, &stats);
	assert_met(stats.freed[IOPT_FREED_UNMAP]);
	rig_close(&rig);
	ledger_fini(&ledger);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "unmap of whole tables", test_unmap_of_whole_tables, 0, NULL, false },
	};

	return run_shape_tests(argc, argv, "free by unmap", tests, sizeof(tests) / sizeof(*tests));
}
