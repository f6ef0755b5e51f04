/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rows of one thread that maps, unmaps and translates.
 *
 * "Warm" tables stay from one pass to the next: no unmap here covers a table's whole range, but
 * those that are there to take tables out. A pass maps every piece of a region once, in random
 * order, then unmaps all of them in another order. The engine's unmaps of a pass share one gather,
 * and its sync is inside the time taken.
 */
#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>

#include "iopt/posix.h"

/* Where the region lies, and physical memory against IOVAs. */
#define REGION	GIB(64)
#define PA_PLUS GIB(4)
#define PA_ODD	(PA_PLUS + KIB(4)) /* aligned like no block: only 4K leaves fit */

struct maps;

/**
 * struct kind - what one call maps
 * @format:    the domain's
 * @bytes:     of one call
 * @step:      from one piece to the next, at least @bytes
 * @start:     of the first piece, from REGION on
 * @nr:        pieces
 * @pa_offset: physical address less IOVA
 * @level:     of the leaves' table
 * @passes:    in one round
 * @unlinks:   unmapping a piece takes its table out: made anew before each pass
 * @floor_map, @floor_unmap: the floor's pass; how many calls did not do what they had to
 */
struct kind {
	const char *format;
	uint64_t bytes, step, start;
	size_t nr;
	uint64_t pa_offset;
	unsigned level;
	unsigned passes;
	bool unlinks;
	size_t (*floor_map)(const struct maps *maps);
	size_t (*floor_unmap)(const struct maps *maps);
};

/* A scenario's state. The orders hold the pieces' first IOVAs. */
struct maps {
	const struct kind *kind;
	struct space space;
	uint64_t *map_order, *unmap_order;
	size_t nr;
	uint64_t *unlinked;
	struct maps *single; /* for the floor's single unmap */
};

/* ---- the floor's passes -------------------------------------------------------------------- */

/* What an IOVA becomes a leaf by: its bits below 12 are zero. */
static uint64_t leaf_plus(const struct maps *maps, uint64_t bits)
{
	return maps->kind->pa_offset + bits;
}

static size_t map_4k(const struct maps *maps)
{
	uint64_t plus = leaf_plus(maps, FLOOR_RW);
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++)
		failed += !floor_map_4k(&maps->space.floor, maps->map_order[i],
					maps->map_order[i] + plus);
	return failed;
}

static size_t unmap_4k(const struct maps *maps)
{
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++)
		failed += !floor_unmap_4k(&maps->space.floor, maps->unmap_order[i]);
	return failed;
}

static size_t map_run_4k(const struct maps *maps)
{
	unsigned n = (unsigned)(maps->kind->bytes / KIB(4));
	uint64_t plus = leaf_plus(maps, FLOOR_RW);
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++)
		failed += floor_map_run_4k(&maps->space.floor, maps->map_order[i],
					   maps->map_order[i] + plus, n) != n;
	return failed;
}

static size_t unmap_run_4k(const struct maps *maps)
{
	unsigned n = (unsigned)(maps->kind->bytes / KIB(4));
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++)
		failed += floor_unmap_run_4k(&maps->space.floor, maps->unmap_order[i], n) != n;
	return failed;
}

static size_t unlink_table(const struct maps *maps)
{
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++) {
		maps->unlinked[i] = floor_unlink_2m(&maps->space.floor, maps->unmap_order[i]);
		failed += !maps->unlinked[i];
	}
	return failed;
}

static size_t map_2m(const struct maps *maps)
{
	uint64_t plus = leaf_plus(maps, FLOOR_RW | FLOOR_PS);
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++)
		failed += !floor_map_2m(&maps->space.floor, maps->map_order[i],
					maps->map_order[i] + plus);
	return failed;
}

static size_t unmap_2m(const struct maps *maps)
{
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++)
		failed += !floor_unmap_2m(&maps->space.floor, maps->unmap_order[i]);
	return failed;
}

/* A piece lies in the upper half of one table and the lower half of the next. */
static size_t map_run_2m(const struct maps *maps)
{
	uint64_t half = maps->kind->bytes / 2, plus = leaf_plus(maps, FLOOR_RW | FLOOR_PS);
	unsigned n = (unsigned)(half / MIB(2));
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++) {
		uint64_t iova = maps->map_order[i], leaf = iova + plus;

		failed += floor_map_run_2m(&maps->space.floor, iova, leaf, n) != n;
		failed += floor_map_run_2m(&maps->space.floor, iova + half, leaf + half, n) != n;
	}
	return failed;
}

static size_t unmap_run_2m(const struct maps *maps)
{
	uint64_t half = maps->kind->bytes / 2;
	unsigned n = (unsigned)(half / MIB(2));
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++) {
		uint64_t iova = maps->unmap_order[i];

		failed += floor_unmap_run_2m(&maps->space.floor, iova, n) != n;
		failed += floor_unmap_run_2m(&maps->space.floor, iova + half, n) != n;
	}
	return failed;
}

static size_t map_amd(const struct maps *maps)
{
	unsigned n = (unsigned)(maps->kind->bytes / KIB(4));
	uint64_t plus = leaf_plus(maps, FLOOR_AMD_256K);
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++)
		failed += floor_map_amd(&maps->space.floor, maps->map_order[i],
					maps->map_order[i] + plus, n) != n;
	return failed;
}

static size_t unmap_amd(const struct maps *maps)
{
	unsigned n = (unsigned)(maps->kind->bytes / KIB(4));
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++)
		failed += floor_unmap_amd(&maps->space.floor, maps->unmap_order[i], n) != n;
	return failed;
}

/* ---- the engine's passes ------------------------------------------------------------------- */

static size_t engine_map_pass(struct maps *maps)
{
	struct iopt_domain *domain = maps->space.domain;
	uint64_t bytes = maps->kind->bytes, offset = maps->kind->pa_offset;
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++) {
		uint64_t iova = maps->map_order[i];

		failed += iopt_map(domain, iova, iova + bytes - 1, iova + offset, PROT, NULL) != 0;
	}
	return failed;
}

static size_t engine_unmap_pass(struct maps *maps, unsigned flags)
{
	struct iopt_domain *domain = maps->space.domain;
	uint64_t bytes = maps->kind->bytes;
	size_t failed = 0;

	for (size_t i = 0; i < maps->nr; i++) {
		uint64_t iova = maps->unmap_order[i];

		failed += iopt_unmap(domain, iova, iova + bytes - 1, flags, &maps->space.gather,
				     NULL) != 0;
	}
	iopt_sync(&maps->space.gather);
	return failed;
}

/* ---- passes of both ------------------------------------------------------------------------ */

static double per_call(const struct maps *maps, double start, size_t failed)
{
	double ns = now_ns() - start;

	if (failed)
		DIE("%zu of %zu calls failed", failed, maps->nr);
	return ns / (double)maps->nr;
}

static double map_ns(struct maps *maps, enum side side)
{
	double start = now_ns();

	return per_call(maps, start,
			side == FLOOR ? maps->kind->floor_map(maps) : engine_map_pass(maps));
}

static double unmap_ns(struct maps *maps, enum side side, unsigned flags)
{
	double start = now_ns();

	return per_call(maps, start,
			side == FLOOR ? maps->kind->floor_unmap(maps)
				      : engine_unmap_pass(maps, flags));
}

/* Empty tables for the pieces, where the last pass took them out. Not timed. */
static void make_tables(struct maps *maps, enum side side)
{
	if (!maps->kind->unlinks)
		return;
	if (side == ENGINE) {
		iopt_posix_barrier();
		for (size_t i = 0; i < maps->nr; i++) {
			engine_map(&maps->space, maps->map_order[i], KIB(4), PA_ODD);
			engine_unmap(&maps->space, maps->map_order[i], KIB(4));
		}
		iopt_sync(&maps->space.gather);
		return;
	}
	for (size_t i = 0; i < maps->nr && maps->unlinked[i]; i++) {
		uint64_t iova = maps->unmap_order[i];

		floor_map_2m(&maps->space.floor, iova, maps->unlinked[i]);
		floor_unmap_run_4k(&maps->space.floor, iova, FLOOR_ENTRIES);
		maps->unlinked[i] = 0;
	}
}

/* One pass before those that count. */
static void average_passes(struct maps *maps, enum side side, unsigned flags, double *map_sum,
			   double *unmap_sum)
{
	*map_sum = 0;
	*unmap_sum = 0;
	for (unsigned pass = 0; pass <= maps->kind->passes; pass++) {
		double map, unmap;

		make_tables(maps, side);
		map = map_ns(maps, side);
		unmap = unmap_ns(maps, side, flags);
		if (pass) {
			*map_sum += map / maps->kind->passes;
			*unmap_sum += unmap / maps->kind->passes;
		}
	}
}

static void map_round(struct scenario *scenario, enum side side, double *values)
{
	struct maps *maps = scenario->state;

	average_passes(maps, side, 0, &values[0], &values[1]);
}

/* Third row: the same unmap against the floor's unlink; the second is against a single unmap. */
static void table_round(struct scenario *scenario, enum side side, double *values)
{
	struct maps *maps = scenario->state;
	double ignored;

	map_round(scenario, side, values);
	values[2] = values[1];
	if (side == FLOOR)
		average_passes(maps->single, side, 0, &ignored, &values[1]);
}

static void flags_round(struct scenario *scenario, enum side side, double *values)
{
	static const unsigned flags[] = { IOPT_UNMAP_COUNT, IOPT_UNMAP_FULL };
	double ignored;

	for (unsigned i = 0; i < 2; i++)
		average_passes(scenario->state, side, flags[i], &ignored, &values[i]);
}

static double translate_pass(const struct maps *maps, enum side side, uint64_t *sum)
{
	double start = now_ns();
	size_t failed = 0;

	*sum = 0;
	for (size_t i = 0; side == FLOOR && i < maps->nr; i++)
		*sum += floor_translate(&maps->space.floor, maps->unmap_order[i] + 5);
	for (size_t i = 0; side == ENGINE && i < maps->nr; i++) {
		struct iopt_translation found;

		failed += iopt_translate(maps->space.domain, maps->unmap_order[i] + 5, &found) != 0;
		*sum += found.pa;
	}
	return per_call(maps, start, failed);
}

static void translate_round(struct scenario *scenario, enum side side, double *values)
{
	const struct maps *maps = scenario->state;
	uint64_t sum, expected = 0;

	translate_pass(maps, side, &sum);
	values[0] = translate_pass(maps, side, &sum);
	for (size_t i = 0; i < maps->nr; i++)
		expected += maps->unmap_order[i] + 5 + maps->kind->pa_offset;
	if (sum != expected)
		DIE("a translation was wrong");
}

/* ---- set-up -------------------------------------------------------------------------------- */

enum { ONE_4K, RUN_64, RUN_512, TABLE_512, ONE_2M, RUN_2M, AMD_256K };

static const struct kind kinds[] = {
	[ONE_4K] = { .format = "vtd-ss",
		     .bytes = KIB(4),
		     .step = KIB(4),
		     .nr = 1 << 18,
		     .pa_offset = PA_PLUS,
		     .passes = 1,
		     .floor_map = map_4k,
		     .floor_unmap = unmap_4k },
	[RUN_64] = { .format = "vtd-ss",
		     .bytes = KIB(256),
		     .step = KIB(256),
		     .nr = 4096,
		     .pa_offset = PA_ODD,
		     .passes = 4,
		     .floor_map = map_run_4k,
		     .floor_unmap = unmap_run_4k },
	[RUN_512] = { .format = "vtd-ss",
		      .bytes = MIB(2),
		      .step = MIB(2),
		      .nr = 512,
		      .pa_offset = PA_ODD,
		      .passes = 4,
		      .unlinks = true,
		      .floor_map = map_run_4k,
		      .floor_unmap = unmap_run_4k },
	[TABLE_512] = { .format = "vtd-ss",
			.bytes = MIB(2),
			.step = MIB(2),
			.nr = 512,
			.pa_offset = PA_ODD,
			.passes = 4,
			.unlinks = true,
			.floor_map = map_run_4k,
			.floor_unmap = unlink_table },
	[ONE_2M] = { .format = "vtd-ss",
		     .bytes = MIB(2),
		     .step = MIB(2),
		     .nr = 4096,
		     .pa_offset = PA_PLUS,
		     .level = 1,
		     .passes = 16,
		     .floor_map = map_2m,
		     .floor_unmap = unmap_2m },
	[RUN_2M] = { .format = "vtd-ss",
		     .bytes = GIB(1),
		     .step = GIB(2),
		     .start = MIB(512),
		     .nr = 8,
		     .pa_offset = PA_PLUS,
		     .level = 1,
		     .passes = 64,
		     .floor_map = map_run_2m,
		     .floor_unmap = unmap_run_2m },
	[AMD_256K] = { .format = "amd-v1",
		       .bytes = KIB(256),
		       .step = KIB(256),
		       .nr = 4096,
		       .pa_offset = PA_PLUS,
		       .passes = 4,
		       .floor_map = map_amd,
		       .floor_unmap = unmap_amd },
};

static uint64_t *random_order(const struct kind *kind)
{
	uint64_t *iovas = bench_alloc(kind->nr * sizeof(*iovas));
	uint32_t *order = rng_order(&bench.rng, kind->nr);

	for (size_t i = 0; i < kind->nr; i++)
		iovas[i] = REGION + kind->start + order[i] * kind->step;
	free(order);
	return iovas;
}

static struct maps *maps_new(const struct kind *kind)
{
	struct maps *maps = bench_alloc(sizeof(*maps));

	maps->kind = kind;
	maps->nr = kind->nr;
	maps->map_order = random_order(kind);
	maps->unmap_order = random_order(kind);
	maps->unlinked = bench_alloc(kind->nr * sizeof(*maps->unlinked));
	space_init(&maps->space, kind->format, 0);
	space_tables(&maps->space, REGION + kind->start,
		     REGION + kind->start + (kind->nr - 1) * kind->step + kind->bytes - 1,
		     kind->level);
	return maps;
}

static void maps_free(struct maps *maps)
{
	if (!maps)
		return;
	maps_free(maps->single);
	space_fini(&maps->space);
	free(maps->map_order);
	free(maps->unmap_order);
	free(maps->unlinked);
	free(maps);
}

static void setup(struct scenario *scenario)
{
	scenario->state = maps_new(&kinds[scenario->arg]);
}

static void table_setup(struct scenario *scenario)
{
	struct maps *maps = maps_new(&kinds[TABLE_512]);

	maps->single = maps_new(&kinds[ONE_4K]);
	scenario->state = maps;
}

/* Each page by a call of its own, as far as the passes go: all of the region. */
static void translate_setup(struct scenario *scenario)
{
	struct maps *maps = maps_new(&kinds[ONE_4K]);

	if (maps->kind->floor_map(maps) || engine_map_pass(maps))
		DIE("the region can't be mapped");
	scenario->state = maps;
}

static void teardown(struct scenario *scenario)
{
	maps_free(scenario->state);
	scenario->state = NULL;
}

struct scenario map_scenarios[] = {
	{ .setup = setup,
	  .round = map_round,
	  .teardown = teardown,
	  .arg = ONE_4K,
	  .nr_rows = 2,
	  .rows = { { .name = "map 4K", .unit = "ns", .target = 1.6 },
		    { .name = "unmap 4K", .unit = "ns", .target = 1.6 } } },
	{ .setup = setup,
	  .round = map_round,
	  .teardown = teardown,
	  .arg = RUN_64,
	  .nr_rows = 2,
	  .rows = { { .name = "map 64x4K", .unit = "ns", .target = 1.5 },
		    { .name = "unmap 64x4K", .unit = "ns", .target = 1.5 } } },
	{ .setup = table_setup,
	  .round = table_round,
	  .teardown = teardown,
	  .nr_rows = 3,
	  .rows = { { .name = "map 512x4K", .unit = "ns", .target = 1.5 },
		    { .name = "unmap 512x4K, a table",
		      .unit = "ns",
		      .target = 8,
		      .base = "one 4K unmap" },
		    { .name = "unmap 512x4K, unlink", .unit = "ns", .base = "bare unlink" } } },
	{ .setup = setup,
	  .round = flags_round,
	  .teardown = teardown,
	  .arg = RUN_64,
	  .nr_rows = 2,
	  .rows = { { .name = "unmap 64x4K, count", .unit = "ns" },
		    { .name = "unmap 64x4K, no holes", .unit = "ns" } } },
	{ .setup = setup,
	  .round = flags_round,
	  .teardown = teardown,
	  .arg = RUN_512,
	  .nr_rows = 2,
	  .rows = { { .name = "unmap 512x4K, count", .unit = "ns", .base = "clear 512" },
		    { .name = "unmap 512x4K, no holes", .unit = "ns", .base = "clear 512" } } },
	{ .setup = setup,
	  .round = map_round,
	  .teardown = teardown,
	  .arg = ONE_2M,
	  .nr_rows = 2,
	  .rows = { { .name = "map 2M", .unit = "ns", .target = 1.6 },
		    { .name = "unmap 2M", .unit = "ns", .target = 1.6 } } },
	{ .setup = setup,
	  .round = map_round,
	  .teardown = teardown,
	  .arg = RUN_2M,
	  .nr_rows = 2,
	  .rows = { { .name = "map 512x2M", .unit = "ns", .target = 1.5 },
		    { .name = "unmap 512x2M", .unit = "ns", .target = 1.5 } } },
	{ .setup = setup,
	  .round = map_round,
	  .teardown = teardown,
	  .arg = AMD_256K,
	  .nr_rows = 2,
	  .rows = { { .name = "amd-v1 map 256K", .unit = "ns", .target = 1.5 },
		    { .name = "amd-v1 unmap 256K", .unit = "ns", .target = 1.5 } } },
	{ .setup = translate_setup,
	  .round = translate_round,
	  .teardown = teardown,
	  .nr_rows = 1,
	  .rows = { { .name = "translate", .unit = "ns", .target = 1.4 } } },
	{ .nr_rows = 0 },
};
