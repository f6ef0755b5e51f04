/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rows of walkers that do not snoop: cache lines that a map writes back for each page. Beside them
 * the lines that hold what it writes, each once, which no engine can do with fewer of.
 */
#include "bench/bench.h"

#include <stdlib.h>

#include "iopt/posix.h"

#define REGION	GIB(64)
#define TABLES	64u
#define PAGES	512u /* of a table */
#define IN_LINE 8u   /* entries of a line */
#define IN_ALL	((double)TABLES * PAGES)

/* Physical pages that do not continue each other, and in which no block fits. */
static uint64_t page_pa(unsigned page)
{
	return GIB(4) + KIB(8) * page + KIB(4);
}

static uint64_t lines_now(void)
{
	struct iopt_posix_writebacks now;

	iopt_posix_writebacks(&now);
	return now.lines;
}

/* Leaves the tables, but no page. */
static void unmap_pages(struct space *space)
{
	for (unsigned i = 0; i < TABLES; i++) {
		engine_unmap(space, REGION + MIB(2) * i, MIB(1));
		engine_unmap(space, REGION + MIB(2) * i + MIB(1), MIB(1));
	}
	iopt_sync(&space->gather);
}

static void unmap_tables(struct space *space)
{
	engine_unmap(space, REGION, MIB(2) * TABLES);
	iopt_sync(&space->gather);
}

static void map_singly(struct space *space)
{
	for (unsigned i = 0; i < TABLES * PAGES; i++)
		engine_map(space, REGION + KIB(4) * i, KIB(4), page_pa(i));
}

static void map_in_one(struct space *space)
{
	for (unsigned i = 0; i < TABLES; i++)
		engine_map(space, REGION + MIB(2) * i, MIB(2), page_pa(i));
}

static void map_scattered(struct space *space)
{
	struct iopt_segment segments[PAGES];

	for (unsigned i = 0; i < PAGES; i++)
		segments[i] = (struct iopt_segment){ page_pa(i), KIB(4) };
	for (unsigned i = 0; i < TABLES; i++)
		if (iopt_map_sg(space->domain, REGION + MIB(2) * i, segments, PAGES, PROT, NULL,
				NULL))
			DIE("iopt_map_sg");
}

/* Lines a page of one way to map all of the region, which is unmapped after. */
static double lines_a_page(struct space *space, void (*map)(struct space *space),
			   void (*unmap)(struct space *space))
{
	uint64_t before = lines_now();
	double lines;

	map(space);
	lines = (double)(lines_now() - before);
	unmap(space);
	return lines / IN_ALL;
}

static void lines_round(struct scenario *scenario, enum side side, double *values)
{
	struct space *space = scenario->state;

	if (side == FLOOR) {
		values[0] = 1;
		values[1] = 1.0 / IN_LINE;
		values[2] = 1.0 / IN_LINE;
		values[3] = 1.0 / IN_LINE + 1.0 / PAGES; /* and the entry that leads there */
		return;
	}
	values[0] = lines_a_page(space, map_singly, unmap_pages);
	values[1] = lines_a_page(space, map_in_one, unmap_pages);
	values[2] = lines_a_page(space, map_scattered, unmap_tables);
	iopt_posix_barrier();
	values[3] = lines_a_page(space, map_in_one, unmap_pages);
}

static void setup(struct scenario *scenario)
{
	struct space *space = bench_alloc(sizeof(*space));

	space_init(space, "vtd-ss", IOPT_NONCOHERENT);
	map_in_one(space);
	unmap_pages(space);
	scenario->state = space;
}

static void teardown(struct scenario *scenario)
{
	space_fini(scenario->state);
	free(scenario->state);
	scenario->state = NULL;
}

#define AGAINST .target = 1, .base = "those that hold the entries"

struct scenario lines_scenarios[] = {
	{ .setup = setup,
	  .round = lines_round,
	  .teardown = teardown,
	  .nr_rows = 4,
	  .rows = { { .name = "lines, map 4K", .unit = "lines a page", AGAINST },
		    { .name = "lines, map 512x4K", .unit = "lines a page", AGAINST },
		    { .name = "lines, map_sg 512x4K", .unit = "lines a page", AGAINST },
		    { .name = "lines, map 512x4K, a table", .unit = "lines a page", AGAINST } } },
	{ .nr_rows = 0 },
};
