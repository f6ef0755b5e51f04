/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rows of split, merge and trim: what a leaf costs that is made smaller or larger, what looking for
 * something to do costs where there is nothing, and what it costs to give tables back.
 *
 * Every call's gather is synced inside the time taken, with an invalidation that returns at once.
 */
#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>

#include "iopt/posix.h"

#define REGION	GIB(64)
#define PA_PLUS GIB(4)

static uint64_t table_iova(size_t i)
{
	return REGION + i * MIB(2);
}

static void must(int error, const char *what)
{
	if (error)
		DIE("%s: %s", what, strerror(-error));
}

/* ---- split and merge ----------------------------------------------------------------------- */

#define BLOCK	     GIB(1)
#define BLOCK_TABLES (BLOCK / MIB(2))
#define BLOCK_LEAVES (BLOCK / KIB(4))

static const char *const split_formats[] = { "vtd-ss", "x86-64", "amd-v1" };

static void split_setup(struct scenario *scenario)
{
	struct space *space = bench_alloc(sizeof(*space));

	space_init(space, split_formats[scenario->arg], IOPT_TRACK);
	space_tables(space, REGION, REGION + BLOCK - 1, 0);
	engine_map(space, REGION, BLOCK, REGION + PA_PLUS);
	scenario->state = space;
}

static void space_teardown(struct scenario *scenario)
{
	space_fini(scenario->state);
	free(scenario->state);
	scenario->state = NULL;
}

/* The floor: the tables are there, and empty; they are filled, then each entry is looked at. */
static void floor_split(const struct space *space, double *values)
{
	const struct floor *f = &space->floor;
	double start = now_ns(), filled;
	size_t failed = 0;

	for (size_t i = 0; i < BLOCK_TABLES; i++)
		failed += floor_map_run_4k(f, table_iova(i), (table_iova(i) + PA_PLUS) | FLOOR_RW,
					   FLOOR_ENTRIES) != FLOOR_ENTRIES;
	filled = now_ns();
	for (size_t i = 0; i < BLOCK_TABLES; i++)
		failed += !floor_continues(f, table_iova(i));
	values[0] = (filled - start) / BLOCK_LEAVES;
	values[1] = (now_ns() - filled) / BLOCK_LEAVES;
	for (size_t i = 0; i < BLOCK_TABLES; i++)
		floor_unmap_run_4k(f, table_iova(i), FLOOR_ENTRIES);
	if (failed)
		DIE("%zu tables are not as they should be", failed);
}

static void engine_split(struct space *space, double *values)
{
	uint64_t last = REGION + BLOCK - 1;
	double start = now_ns(), split;
	struct iopt_translation leaf;

	must(iopt_split(space->domain, REGION, last, 12, 0, &space->gather, 0, NULL), "iopt_split");
	iopt_sync(&space->gather);
	split = now_ns();
	must(iopt_translate(space->domain, REGION, &leaf), "iopt_translate");
	if (leaf.leaf_lg2 != 12)
		DIE("the block was not split");
	values[0] = (split - start) / BLOCK_LEAVES;

	split = now_ns();
	must(iopt_merge(space->domain, REGION, last, ~0u, 0, &space->gather, 0, NULL),
	     "iopt_merge");
	iopt_sync(&space->gather);
	values[1] = (now_ns() - split) / BLOCK_LEAVES;
	must(iopt_translate(space->domain, REGION, &leaf), "iopt_translate");
	if (leaf.leaf_lg2 != 30)
		DIE("the leaves were not merged");
	/* Tables come out of what the last round freed. */
	iopt_posix_barrier();
}

static void split_round(struct scenario *scenario, enum side side, double *values)
{
	if (side == FLOOR)
		floor_split(scenario->state, values);
	else
		engine_split(scenario->state, values);
}

/* ---- nothing to merge ---------------------------------------------------------------------- */

#define SCATTERED	 GIB(16)
#define SCATTERED_TABLES (SCATTERED / MIB(2))
#define SCATTERED_PAGES	 (SCATTERED / KIB(4))

/* Pages from all over memory: each page is used once, its neighbour's neighbour is not near. */
static void scattered_setup(struct scenario *scenario)
{
	struct space *space = bench_alloc(sizeof(*space));
	struct iopt_segment *segments = bench_alloc(SCATTERED_PAGES * sizeof(*segments));
	uint32_t *order = rng_order(&bench.rng, SCATTERED_PAGES);

	for (size_t i = 0; i < SCATTERED_PAGES; i++)
		segments[i] = (struct iopt_segment){ PA_PLUS + order[i] * KIB(4), KIB(4) };
	space_init(space, "vtd-ss", 0);
	must(iopt_map_sg(space->domain, REGION, segments, SCATTERED_PAGES, PROT, NULL, NULL),
	     "iopt_map_sg");
	free(order);
	free(segments);
	scenario->state = space;
}

static void scattered_round(struct scenario *scenario, enum side side, double *values)
{
	struct space *space = scenario->state;
	struct floor view = engine_view(space->domain);
	struct iopt_stats stats;
	double start;

	evict_caches();
	start = now_ns();
	if (side == FLOOR)
		for (size_t i = 0; i < SCATTERED_TABLES; i++)
			floor_translate(&view, table_iova(i));
	else
		must(iopt_merge(space->domain, REGION, REGION + SCATTERED - 1, ~0u, 0,
				&space->gather, 0, NULL),
		     "iopt_merge");
	values[0] = (now_ns() - start) / SCATTERED_TABLES;
	iopt_stats(space->domain, &stats);
	if (stats.merged)
		DIE("leaves were merged that do not continue each other");
}

/* ---- trim ---------------------------------------------------------------------------------- */

#define TRIM_TABLES 4096u

/* Pages in tables of level 0: one for the tables that stay in use, one for those that don't. */
struct trims {
	struct space used, empty;
	uint64_t *pages; /* one in each table */
	struct floor view;
};

static void trim_setup(struct scenario *scenario)
{
	struct trims *trims = bench_alloc(sizeof(*trims));

	space_init(&trims->used, "vtd-ss", 0);
	space_init(&trims->empty, "vtd-ss", 0);
	space_tables(&trims->empty, REGION, table_iova(TRIM_TABLES) - 1, 0);
	trims->pages = bench_alloc(TRIM_TABLES * sizeof(*trims->pages));
	for (size_t i = 0; i < TRIM_TABLES; i++) {
		trims->pages[i] = table_iova(i) + rng_next(&bench.rng) % FLOOR_ENTRIES * KIB(4);
		engine_map(&trims->used, trims->pages[i], KIB(4), PA_PLUS);
	}
	trims->view = engine_view(trims->used.domain);
	scenario->state = trims;
}

static void trim_teardown(struct scenario *scenario)
{
	struct trims *trims = scenario->state;

	space_fini(&trims->used);
	space_fini(&trims->empty);
	free(trims->pages);
	free(trims);
	scenario->state = NULL;
}

static uint64_t tables_of(const struct space *space)
{
	struct iopt_stats stats;

	iopt_stats(space->domain, &stats);
	return stats.tables;
}

/* Nanoseconds for each table: those of level 0; the few above them are not counted. */
static double trim_ns(struct space *space)
{
	double start = now_ns();

	must(iopt_trim(space->domain, REGION, table_iova(TRIM_TABLES) - 1, &space->gather, 0, NULL),
	     "iopt_trim");
	iopt_sync(&space->gather);
	return (now_ns() - start) / TRIM_TABLES;
}

static double engine_trim_empty(struct trims *trims)
{
	struct space *space = &trims->empty;
	double ns;

	for (size_t i = 0; i < TRIM_TABLES; i++) {
		engine_map(space, trims->pages[i], KIB(4), PA_PLUS);
		engine_unmap(space, trims->pages[i], KIB(4));
	}
	iopt_sync(&space->gather);
	if (tables_of(space) < TRIM_TABLES)
		DIE("there are no empty tables");
	ns = trim_ns(space);
	if (tables_of(space) > 1)
		DIE("empty tables were left");
	iopt_posix_barrier();
	return ns;
}

static double floor_trim_empty(struct trims *trims)
{
	const struct floor *f = &trims->empty.floor;
	uint64_t *taken = bench_alloc(TRIM_TABLES * sizeof(*taken));
	double start = now_ns(), ns;

	for (size_t i = 0; i < TRIM_TABLES; i++)
		taken[i] = floor_unlink_2m(f, table_iova(i));
	ns = (now_ns() - start) / TRIM_TABLES;
	for (size_t i = 0; i < TRIM_TABLES; i++)
		floor_map_2m(f, table_iova(i), taken[i]);
	free(taken);
	return ns;
}

static double floor_trim_used(const struct trims *trims)
{
	double start = now_ns(), ns;
	size_t found = 0;

	for (size_t i = 0; i < TRIM_TABLES; i++)
		found += floor_in_use(&trims->view, table_iova(i));
	ns = (now_ns() - start) / TRIM_TABLES;
	if (found != TRIM_TABLES)
		DIE("%zu tables are in use", found);
	return ns;
}

static void trim_round(struct scenario *scenario, enum side side, double *values)
{
	struct trims *trims = scenario->state;

	values[0] = side == FLOOR ? floor_trim_empty(trims) : engine_trim_empty(trims);
	values[1] = side == FLOOR ? floor_trim_used(trims) : trim_ns(&trims->used);
}

/*
 * Unmap with and without the option: of pages that leave their table empty, and of pages beside one
 * that keeps it in use. Nanoseconds of one call.
 */
static double unmap_ns(struct trims *trims, struct space *space, unsigned flags)
{
	double start, ns;

	for (size_t i = 0; i < TRIM_TABLES; i++)
		engine_map(space, trims->pages[i] ^ KIB(4), KIB(4), PA_PLUS);
	start = now_ns();
	for (size_t i = 0; i < TRIM_TABLES; i++)
		must(iopt_unmap(space->domain, trims->pages[i] ^ KIB(4),
				(trims->pages[i] ^ KIB(4)) + KIB(4) - 1, flags, &space->gather,
				NULL),
		     "iopt_unmap");
	iopt_sync(&space->gather);
	ns = (now_ns() - start) / TRIM_TABLES;
	iopt_posix_barrier();
	return ns;
}

static void unmap_trim_round(struct scenario *scenario, enum side side, double *values)
{
	struct trims *trims = scenario->state;
	unsigned flags = side == FLOOR ? 0 : IOPT_UNMAP_TRIM;

	values[0] = unmap_ns(trims, &trims->used, flags);
	values[1] = unmap_ns(trims, &trims->empty, flags);
}

#define FILL	"filling the tables"
#define LOOK	"looking at each"
#define WITHOUT "without"

struct scenario resize_scenarios[] = {
	{ .setup = split_setup,
	  .round = split_round,
	  .teardown = space_teardown,
	  .arg = 0,
	  .nr_rows = 2,
	  .rows = { { .name = "split 1G to 4K", .unit = "ns/leaf", .target = 1.5, .base = FILL },
		    { .name = "merge 4K to 1G", .unit = "ns/leaf", .base = LOOK } } },
	{ .setup = split_setup,
	  .round = split_round,
	  .teardown = space_teardown,
	  .arg = 1,
	  .nr_rows = 2,
	  .rows = { { .name = "x86-64 split 1G to 4K",
		      .unit = "ns/leaf",
		      .target = 1.5,
		      .base = FILL },
		    { .name = "x86-64 merge 4K to 1G", .unit = "ns/leaf", .base = LOOK } } },
	{ .setup = split_setup,
	  .round = split_round,
	  .teardown = space_teardown,
	  .arg = 2,
	  .nr_rows = 2,
	  .rows = { { .name = "amd-v1 split 1G to 4K",
		      .unit = "ns/leaf",
		      .target = 1.5,
		      .base = FILL },
		    { .name = "amd-v1 merge 4K to 1G", .unit = "ns/leaf", .base = LOOK } } },
	{ .setup = scattered_setup,
	  .round = scattered_round,
	  .teardown = space_teardown,
	  .nr_rows = 1,
	  .rows = { { .name = "merge, nothing fits",
		      .unit = "ns/table",
		      .base = "one look-up in each" } } },
	{ .setup = trim_setup,
	  .round = trim_round,
	  .teardown = trim_teardown,
	  .nr_rows = 2,
	  .rows = { { .name = "trim, empty tables", .unit = "ns/table", .base = "bare unlink" },
		    { .name = "trim, tables in use", .unit = "ns/table", .base = LOOK } } },
	{ .setup = trim_setup,
	  .round = unmap_trim_round,
	  .teardown = trim_teardown,
	  .nr_rows = 2,
	  .rows = { { .name = "unmap 4K, trim", .unit = "ns", .base = WITHOUT },
		    { .name = "unmap 4K and its table, trim", .unit = "ns", .base = WITHOUT } } },
	{ .nr_rows = 0 },
};
