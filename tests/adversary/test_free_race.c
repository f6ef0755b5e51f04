/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The first way in which a live domain frees a table: the race to install it is lost. Several
 * writers map neighbours in places without tables, all at the same moment, while devices, a sweep
 * and a dump run; then the tables go again, as a whole, with all that the writers mapped in them.
 *
 * Without two processors nobody ever loses, but for the bad luck of one who is interrupted in the
 * middle.
 */
#include <unistd.h>

#include "crew.h"

#define WRITERS 3u
#define TABLES	2u /* below one that is missing, too, at times */

/* A writer's own units in a stretch: those of the others lie on both sides. */
#define OWN	31u
#define STRETCH (OWN * WRITERS)

struct race {
	struct meeting start;
	struct meeting end;
	bool over;
	double latest;
	uint64_t above;
};

static void map_neighbours(struct writer *writer, struct region *region, unsigned number)
{
	unsigned units = region->nr / TABLES; /* of a table */
	unsigned table = (unsigned)random_below(&writer->random, TABLES) * units;
	unsigned most = units / STRETCH < 4 ? units / STRETCH : 4;
	unsigned stretches = 1 + (unsigned)random_below(&writer->random, most);

	for (unsigned i = 0; i < stretches; i++) {
		unsigned skip = (unsigned)random_below(&writer->random, 8);
		unsigned nr = 1 + (unsigned)random_below(&writer->random, OWN - 8);

		writer_map(writer, region, table + i * STRETCH + number * OWN + skip, nr, 0);
	}
}

static bool work(struct shift *shift, struct writer *writer, unsigned number)
{
	struct region *region = &shift->ledger->regions[0];
	struct race *race = shift->ctx;
	struct iopt_stats stats;

	shift_meet(shift, &race->start);
	if (race->over)
		return false;
	map_neighbours(writer, region, number);
	shift_meet(shift, &race->end);
	if (number)
		return true;
	/* The others wait for the next start: all of it is this writer's now. */
	if (random_next(&writer->random) & 1) {
		writer_unmap(writer, region, 0, region->nr);
	} else { /* with the table above, if that is not the top */
		writer_unmap_range(writer, region, 0, region->nr, region->first,
				   region->first + race->above - 1);
	}
	writer_sync(writer, region, 0, region->nr);
	/* With few processors, and those busy, it may take longer to lose a race. */
	iopt_stats(shift->ledger->rig->domain, &stats);
	race->over = complained() || (shift_over(shift) && (stats.freed[IOPT_FREED_RACE] ||
							    seconds_now() > race->latest));
	return true;
}

static void test_install_race_lost(const struct iopt_format_info *format)
{
	uint64_t first = space_of(format, format->default_levels) / 2;
	uint64_t table = 1ull << span_lg2(format, 1);
	struct race race = {
		.latest = seconds_now() + 10 * test_scale(),
		.above = format->default_levels > 2 ? table << format->index_lg2 : TABLES * table,
	};
	struct iopt_stats stats;
	struct ledger ledger;
	struct crew crew;
	struct rig rig;
	struct shift shift = {
		.ledger = &ledger,
		.seconds = 1,
		.nr = WRITERS,
		.work = work,
		.ctx = &race,
	};

	crew_rig(&rig, rig_defaults(format->name));
	ledger_init(&ledger, &rig);
	ledger_add(&ledger, first, format->granule_lg2, TABLES << format->index_lg2, true);
	crew_init(&crew, &ledger);
	crew.naps = 300;
	crew_start(&crew);
	shift_run(&shift);
	crew_stop(&crew);
	iopt_stats(rig.domain, &stats);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		assert_met(stats.freed[IOPT_FREED_RACE]);
	assert_met(stats.freed[IOPT_FREED_UNMAP]);
	rig_close(&rig);
	ledger_fini(&ledger);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "install race lost", test_install_race_lost, 0, NULL, false },
	};

	return run_shape_tests(argc, argv, "free by race", tests, sizeof(tests) / sizeof(*tests));
}
