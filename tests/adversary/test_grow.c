/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The top grows while devices walk from it: several writers map at heights that the domain has no
 * level for yet, all at once, while others map and unmap below, and take the old top out with all
 * that is in it. Each round has a new domain, which starts with one level.
 */
#include "crew.h"

#define WRITERS	  4u
#define HIGH	  3u /* writers that grow; the last one stays below */
#define LOW_UNITS 64u

struct round {
	struct meeting start;
	unsigned turns[WRITERS];
};

/* Map where no level leads yet; on return the device's own walk finds it. */
static bool grow(struct shift *shift, struct writer *writer, unsigned number)
{
	struct region *region = &shift->ledger->regions[1 + number];
	unsigned unit = (unsigned)random_below(&writer->random, region->nr);
	struct round *round = shift->ctx;

	shift_meet(shift, &round->start);
	writer_map(writer, region, unit, 1, 0);
	ledger_translate(shift->ledger, region, unit, 0);
	return false;
}

/* Up to the border of the first level, whole: with growth under way that is a table like others. */
static void stay_below(struct shift *shift, struct writer *writer)
{
	struct region *region = &shift->ledger->regions[0];
	struct round *round = shift->ctx;

	shift_meet(shift, &round->start);
	for (unsigned i = 0; i < 4; i++) {
		writer_map(writer, region, 0, 1 + (unsigned)random_below(&writer->random, 40), 0);
		ledger_translate(shift->ledger, region, 0, 0);
		writer_unmap_range(writer, region, 0, LOW_UNITS, 0, 2 * MIB - 1);
		writer_sync(writer, region, 0, LOW_UNITS);
	}
}

static bool work(struct shift *shift, struct writer *writer, unsigned number)
{
	if (number < HIGH)
		return grow(shift, writer, number);
	stay_below(shift, writer);
	return false;
}

static void unmap_high(struct shift *shift, struct writer *writer, unsigned number)
{
	struct region *region = &shift->ledger->regions[1 + number];

	if (number >= HIGH)
		return;
	writer_unmap(writer, region, 0, region->nr);
	writer_sync(writer, region, 0, region->nr);
}

/* First IOVA that so many levels do not translate. */
static uint64_t beyond(const struct iopt_format_info *format, unsigned levels)
{
	return 1ull << (format->granule_lg2 + levels * format->index_lg2);
}

/* One domain that grows, from one level to as many as some heights need. */
static void grow_one(const struct iopt_format_info *format, uint64_t *random, uint64_t *grown)
{
	struct rig_config config = rig_defaults(format->name);
	struct round round = { 0 };
	struct iopt_stats stats;
	struct ledger ledger;
	struct crew crew;
	struct rig rig;
	struct shift shift = {
		.ledger = &ledger,
		.nr = WRITERS,
		.work = work,
		.end = unmap_high,
		.ctx = &round,
	};

	config.domain.levels = 1;
	crew_rig(&rig, config);
	ledger_init(&ledger, &rig);
	ledger_add(&ledger, 0, 12, LOW_UNITS, true);
	for (unsigned i = 0; i < HIGH; i++) {
		unsigned levels = 1 + (unsigned)random_below(random, format->max_levels - 1);

		/* Those of one height lie beside each other. */
		ledger_add(&ledger, beyond(format, levels) + i * MIB, 12, LOW_UNITS, true);
	}
	crew_init(&crew, &ledger);
	crew_start(&crew);
	shift_run(&shift);
	crew_stop(&crew);
	iopt_stats(rig.domain, &stats);
	*grown += stats.grown;
	rig_close(&rig);
	ledger_fini(&ledger);
}

static void test_growth_under_devices(const struct iopt_format_info *format)
{
	double until = seconds_now() + 2 * test_scale();
	uint64_t random = test_seed(), grown = 0;

	while (seconds_now() < until)
		grow_one(format, &random, &grown);
	assert_met(grown);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "growth under devices", test_growth_under_devices, IOPT_CAN_GROW, NULL, false },
	};

	return run_format_tests(argc, argv, "grow", tests, sizeof(tests) / sizeof(*tests));
}
