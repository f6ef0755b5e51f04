/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rows of dirty sweeps: 16 GiB in 4K leaves, read and cleared into a bitmap.
 *
 * Before each sweep a device writes the share of pages that the row says, and reads in every 2 MiB:
 * accessed is set in all table entries, so that no sweep may skip a table. (One row leaves them
 * alone, to see what skipping gives.) Caches hold neither side's tables when a sweep starts. The
 * engine's time has its sync inside.
 */
#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>

#define SWEPT	GIB(16)
#define REGION	GIB(64)
#define TABLES	(SWEPT / MIB(2))
#define PAGES	(SWEPT / KIB(4))
#define PA_ODD	(GIB(4) + KIB(4)) /* aligned like no block: only 4K leaves fit */
#define PERCENT (PAGES / 100)

struct sweeps {
	struct space space;
	struct floor views[NR_SIDES];
	uint32_t *pages;
	uint64_t *bitmap;
};

static uint64_t bits_set(const uint64_t *bitmap)
{
	uint64_t set = 0;

	for (size_t i = 0; i < PAGES / 64; i++)
		set += (uint64_t)__builtin_popcountll(bitmap[i]);
	return set;
}

static void engine_sweep(struct sweeps *sweeps)
{
	const struct iopt_sink sink = {
		.words = sweeps->bitmap,
		.first = REGION,
		.pages = PAGES,
		.page_lg2 = 12,
	};
	int error = iopt_sweep(sweeps->space.domain, REGION, REGION + SWEPT - 1, IOPT_SWEEP_CLEAR,
			       &sink, &sweeps->space.gather, 0, NULL);

	if (error)
		DIE("iopt_sweep: %s", strerror(-error));
	iopt_sync(&sweeps->space.gather);
}

/* Nanoseconds an entry. `dirty` pages were written since the last sweep. */
static double sweep_ns(struct sweeps *sweeps, enum side side, size_t dirty)
{
	double start, ns;

	memset(sweeps->bitmap, 0, PAGES / 8);
	evict_caches();
	start = now_ns();
	if (side == FLOOR)
		floor_sweep(&sweeps->space.floor, REGION, TABLES, sweeps->bitmap);
	else
		engine_sweep(sweeps);
	ns = now_ns() - start;
	if (bits_set(sweeps->bitmap) != dirty)
		DIE("%llu pages are in the bitmap, %zu were written",
		    (unsigned long long)bits_set(sweeps->bitmap), dirty);
	return ns / PAGES;
}

static void sweep_round(struct scenario *scenario, enum side side, double *values)
{
	struct sweeps *sweeps = scenario->state;
	const struct floor *view = &sweeps->views[side];

	values[0] = sweep_ns(sweeps, side, 0);

	device_read(view, REGION, TABLES);
	values[1] = sweep_ns(sweeps, side, 0);

	device_read(view, REGION, TABLES);
	device_write(view, REGION, sweeps->pages, PERCENT);
	values[2] = sweep_ns(sweeps, side, PERCENT);

	device_write(view, REGION, NULL, PAGES);
	values[3] = sweep_ns(sweeps, side, PAGES);

	/* What still counts as touched lately is settled before the next round's first row. */
	sweep_ns(sweeps, side, 0);
	sweep_ns(sweeps, side, 0);
}

static void setup(struct scenario *scenario)
{
	struct sweeps *sweeps = bench_alloc(sizeof(*sweeps));

	space_init(&sweeps->space, "vtd-ss", IOPT_TRACK);
	space_tables(&sweeps->space, REGION, REGION + SWEPT - 1, 0);
	for (uint64_t iova = REGION; iova < REGION + SWEPT; iova += MIB(2))
		floor_map_run_4k(&sweeps->space.floor, iova, (iova + PA_ODD) | FLOOR_RW,
				 FLOOR_ENTRIES);
	engine_map(&sweeps->space, REGION, SWEPT, REGION + PA_ODD);
	sweeps->views[FLOOR] = sweeps->space.floor;
	sweeps->views[ENGINE] = engine_view(sweeps->space.domain);
	sweeps->pages = rng_order(&bench.rng, PAGES);
	sweeps->bitmap = bench_map(PAGES / 8);
	scenario->state = sweeps;
}

static void teardown(struct scenario *scenario)
{
	struct sweeps *sweeps = scenario->state;

	space_fini(&sweeps->space);
	free(sweeps->pages);
	free(sweeps);
	scenario->state = NULL;
}

struct scenario sweep_scenarios[] = {
	{ .setup = setup,
	  .round = sweep_round,
	  .teardown = teardown,
	  .nr_rows = 4,
	  .rows = { { .name = "sweep 16G, untouched", .unit = "ns/entry", .base = "0 % dirty" },
		    { .name = "sweep 16G, 0 % dirty", .unit = "ns/entry", .target = 1.3 },
		    { .name = "sweep 16G, 1 % dirty", .unit = "ns/entry", .target = 1.3 },
		    { .name = "sweep 16G, 100 % dirty", .unit = "ns/entry", .target = 1.3 } } },
	{ .nr_rows = 0 },
};
