/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Everything at once: writers of ranges that share tables, devices of all kinds, a sweep and a
 * dump, on one domain; in leaves of several sizes, by single calls and long ones, some of which
 * fail.
 */
#include <errno.h>

#include "crew.h"

/* Neighbouring pieces of a region belong to different writers. */
#define PIECE 24u

/* Whether the piece that a unit lies in is the writer's. */
static bool owns(const struct shift *shift, unsigned unit, unsigned number)
{
	return unit / PIECE % shift->nr == number;
}

/*
 * Units of the piece from first on that are mapped, or that are not, up to the first that differs.
 */
static unsigned alike(const struct region *region, unsigned first, unsigned end)
{
	unsigned unit = first;

	while (unit < end && unit_phase(region, unit) == unit_phase(region, first))
		unit++;
	return unit - first;
}

/*
 * Unmap several mappings of a piece, and holes between them, with one or several calls and one
 * sync.
 */
static void unmap_some(struct writer *writer, struct region *region, unsigned first, unsigned end)
{
	unsigned unit = first;

	while (unit < end) {
		unsigned nr = 1 + (unsigned)random_below(&writer->random, end - unit);

		writer_unmap(writer, region, unit, nr);
		unit += nr;
	}
	writer_sync(writer, region, first, end - first);
}

/* A map over one of the writer's own mappings fails and changes nothing. */
static void map_over(struct writer *writer, struct region *region, unsigned first, unsigned end)
{
	unsigned nr = alike(region, first, end);

	if (unit_phase(region, first) != UNIT_UNMAPPED || first + nr == end)
		return;
	writer_map_over(writer, region, first, nr);
}

/*
 * No table to be had: a map that needs one fails, and changes nothing; one that doesn't succeeds.
 */
static void map_without_memory(struct writer *writer, struct region *region, unsigned first,
			       unsigned nr)
{
	writer->no_memory = true;
	iopt_posix_fail(1, true);
	writer_map(writer, region, first, nr, -ENOMEM);
	iopt_posix_fail(0, false);
	writer->no_memory = false;
}

static bool work(struct shift *shift, struct writer *writer, unsigned number)
{
	struct ledger *ledger = shift->ledger;
	struct region *region = &ledger->regions[random_below(&writer->random, ledger->nr_regions)];
	unsigned unit = (unsigned)random_below(&writer->random, region->nr);
	unsigned end = (unit / PIECE + 1) * PIECE < region->nr ? (unit / PIECE + 1) * PIECE
							       : region->nr;
	uint64_t dice = random_below(&writer->random, 16);

	if (!owns(shift, unit, number))
		return true;
	if (unit_phase(region, unit) == UNIT_MAPPED)
		unmap_some(writer, region, unit, dice < 12 ? end : unit + 1);
	else if (dice < 2)
		map_over(writer, region, unit, end);
	else if (dice < 3)
		map_without_memory(writer, region, unit, alike(region, unit, end));
	else
		writer_map(writer, region, unit, alike(region, unit, end), 0);
	return !shift_over(shift);
}

/* The rest of a writer's own. */
static void unmap_rest(struct shift *shift, struct writer *writer, unsigned number)
{
	for (unsigned i = 0; i < shift->ledger->nr_regions; i++) {
		struct region *region = &shift->ledger->regions[i];

		for (unsigned unit = 0; unit < region->nr; unit += PIECE) {
			unsigned nr = region->nr - unit < PIECE ? region->nr - unit : PIECE;

			if (!owns(shift, unit, number))
				continue;
			writer_unmap(writer, region, unit, nr);
			writer_sync(writer, region, unit, nr);
		}
	}
}

/*
 * The same for any shape: the smallest sizes, each on both sides of a border of tables of the level
 * that holds the smallest.
 */
static void add_regions_of(struct ledger *ledger)
{
	const struct iopt_format_info *format = ledger->rig->format;
	uint64_t part = space_of(format, format->default_levels) / 4;
	/* So that versions can be told apart by physical addresses. */
	uint64_t most = 1ull << (format->pa_lg2 - 8);
	unsigned nr = 0;

	for (unsigned lg2 = format->granule_lg2; lg2 < 64 && nr < 3; lg2++) {
		unsigned units = lg2 == format->granule_lg2 ? 1536 : 192;

		if ((format->page_sizes >> lg2 & 1) && (uint64_t)units << lg2 < part &&
		    (uint64_t)units << lg2 < most)
			ledger_add(ledger, ++nr * part - ((uint64_t)units << lg2) / 2, lg2, units,
				   true);
	}
}

/* Leaves of other sizes beside those of a page: blocks, and runs where there are some. */
static void add_regions(struct ledger *ledger)
{
	const struct iopt_format_info *format = ledger->rig->format;
	unsigned sizes_lg2[] = { 12, 16, 21, 23 };

	if (!is_usual(format)) {
		add_regions_of(ledger);
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		if (format->page_sizes >> sizes_lg2[i] & 1)
			ledger_add(ledger, (i + 1) * 64 * GIB, sizes_lg2[i],
				   sizes_lg2[i] == 12 ? 1536 : 192, true);
}

static void run_storm(const struct rig_config *config,
		      bool (*how)(struct shift *shift, struct writer *writer, unsigned number))
{
	struct ledger ledger;
	struct crew crew;
	struct rig rig;
	struct shift shift = {
		.ledger = &ledger,
		.seconds = 0.6,
		.nr = 3,
		.work = how,
		.end = unmap_rest,
	};

	crew_rig(&rig, *config);
	ledger_init(&ledger, &rig);
	add_regions(&ledger);
	crew_init(&crew, &ledger);
	crew_start(&crew);
	shift_run(&shift);
	crew_stop(&crew);
	rig_close(&rig);
	ledger_fini(&ledger);
}

static void test_everything_at_once(const struct iopt_format_info *format)
{
	struct rig_config config = rig_defaults(format->name);

	run_storm(&config, work);
}

/* Hardware that caches what is not present: it must be told of what is new. */
static void test_empty_entries_cached(const struct iopt_format_info *format)
{
	struct rig_config config = rig_defaults(format->name);

	config.domain.flags |= IOPT_CACHES_EMPTY;
	for (unsigned i = 0; i < RIG_DEVICES; i++)
		config.devices[i] = SOFT_IOMMU_CACHE_EMPTY;
	run_storm(&config, work);
}

/*
 * Rollback beside neighbours: one writer's maps fail all the time, at their last unit or for want
 * of a table, in pieces that lie over the borders of tables; the others come and go on both sides
 * of them.
 */
static bool work_or_fail(struct shift *shift, struct writer *writer, unsigned number)
{
	struct region *region =
		&shift->ledger->regions[random_below(&writer->random, shift->ledger->nr_regions)];
	unsigned pieces = (region->nr - PIECE) / PIECE / shift->nr;
	unsigned first =
		((unsigned)random_below(&writer->random, pieces) * shift->nr + number) * PIECE;
	unsigned last = first + PIECE - 1;

	if (number)
		return work(shift, writer, number);
	if (unit_phase(region, last) == UNIT_UNMAPPED)
		writer_map(writer, region, last, 1, 0);
	for (unsigned i = 0; i < 4; i++) {
		unsigned from = first + (unsigned)random_below(&writer->random, PIECE - 1);

		writer_map_over(writer, region, from, last - from);
	}
	if (random_below(&writer->random, 8) == 0) {
		writer_unmap(writer, region, last, 1);
		writer_sync(writer, region, last, 1);
	}
	return !shift_over(shift);
}

static void test_rollback_beside_neighbours(const struct iopt_format_info *format)
{
	struct rig_config config = rig_defaults(format->name);

	run_storm(&config, work_or_fail);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "everything at once", test_everything_at_once, 0, NULL, false },
		{ "empty entries cached", test_empty_entries_cached, 0, NULL, true },
		{ "rollback beside neighbours", test_rollback_beside_neighbours, 0, NULL, false },
	};

	return run_shape_tests(argc, argv, "storm", tests, sizeof(tests) / sizeof(*tests));
}
