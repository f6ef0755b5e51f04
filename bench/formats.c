/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rows of each format beside vtd-ss, with the same number of entries: one granule, 64 of them that
 * make up nothing larger, and its runs. Both sides are the engine; the left column is vtd-ss, where
 * a run of n entries is n pages that make up no block.
 *
 * Tables are there and stay, pieces are taken in random order, as in map.c. Domains are as four
 * levels as the format lets them be.
 */
#define _GNU_SOURCE
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Low enough for 32 bits. */
#define PA_PLUS	   GIB(1)
#define PIECES	   4096u
#define RUN_PIECES 1024u /* of 128 entries of 16K at most: 2 GiB */
#define LEVELS	   4u

enum what { ONE, SEVERAL, RUN, NR_WHATS };

#define SEVERAL_ENTRIES 64u

/**
 * struct beside - one domain of two that do the same
 * @domain, @gather: the domain's
 * @order:  first IOVAs of the pieces
 * @bytes:  of a piece
 * @offset: physical address less IOVA
 */
struct beside {
	struct iopt_domain *domain;
	struct iopt_gather gather;
	uint64_t *map_order, *unmap_order;
	size_t nr;
	uint64_t bytes, offset;
};

static const struct iopt_format_info *format_of(const struct scenario *scenario)
{
	return iopt_format_info(scenario->arg / NR_WHATS);
}

static enum what what_of(const struct scenario *scenario)
{
	return scenario->arg % NR_WHATS;
}

/* Entries of the largest run in the lowest tables; 1: there are no runs. */
static unsigned run_entries(const struct iopt_format_info *info)
{
	uint64_t below = (1ull << (info->granule_lg2 + info->index_lg2)) - 1;
	uint64_t sizes = info->page_sizes & below;

	return 1u << (63 - (unsigned)__builtin_clzll(sizes) - info->granule_lg2);
}

static unsigned entries_of(const struct scenario *scenario)
{
	switch (what_of(scenario)) {
	case ONE: return 1;
	case SEVERAL: return SEVERAL_ENTRIES;
	default: return run_entries(format_of(scenario));
	}
}

/* ---- one side ------------------------------------------------------------------------------ */

static void beside_create(struct beside *side, const struct iopt_format_info *info)
{
	bool grows = info->abilities & IOPT_CAN_GROW;
	unsigned levels = info->max_levels < LEVELS ? info->max_levels : LEVELS;
	struct iopt_config config = {
		.format = info->name,
		.levels = (uint8_t)levels,
		.max_levels = grows ? (uint8_t)levels : 0,
		.bbm = info->abilities & IOPT_CAN_BBM ? 2 : 0,
		.callbacks = { .invalidate = bench_invalidate,
			       .top_changed = grows ? bench_top_changed : NULL },
	};
	int error = iopt_create(&config, &side->domain);

	if (error)
		DIE("iopt_create %s: %s", info->name, strerror(-error));
	iopt_gather_init(&side->gather, side->domain, NULL);
}

static uint64_t *pieces(size_t nr, uint64_t bytes)
{
	uint32_t *order = rng_order(&bench.rng, nr);
	uint64_t *iovas = bench_alloc(nr * sizeof(*iovas));

	for (size_t i = 0; i < nr; i++)
		iovas[i] = order[i] * bytes;
	free(order);
	return iovas;
}

static void beside_init(struct beside *side, const struct iopt_format_info *info, enum what what,
			unsigned entries, bool run)
{
	uint64_t granule = 1ull << info->granule_lg2;

	beside_create(side, info);
	side->bytes = entries * granule;
	side->nr = what == ONE ? PIECES * SEVERAL_ENTRIES / 4 : what == RUN ? RUN_PIECES : PIECES;
	side->map_order = pieces(side->nr, side->bytes);
	side->unmap_order = pieces(side->nr, side->bytes);
	side->offset = PA_PLUS + (run ? 0 : granule); /* aligned like nothing larger */
}

static void beside_fini(struct beside *side)
{
	iopt_sync(&side->gather);
	iopt_destroy(side->domain);
	free(side->map_order);
	free(side->unmap_order);
}

static double map_pass(struct beside *side)
{
	double start = now_ns();
	size_t failed = 0;

	for (size_t i = 0; i < side->nr; i++) {
		uint64_t iova = side->map_order[i];

		failed += iopt_map(side->domain, iova, iova + side->bytes - 1, iova + side->offset,
				   PROT, NULL) != 0;
	}
	if (failed)
		DIE("%zu of %zu maps failed", failed, side->nr);
	return (now_ns() - start) / (double)side->nr;
}

static double unmap_pass(struct beside *side)
{
	double start = now_ns();
	size_t failed = 0;

	for (size_t i = 0; i < side->nr; i++) {
		uint64_t iova = side->unmap_order[i];

		failed += iopt_unmap(side->domain, iova, iova + side->bytes - 1, 0, &side->gather,
				     NULL) != 0;
	}
	iopt_sync(&side->gather);
	if (failed)
		DIE("%zu of %zu unmaps failed", failed, side->nr);
	return (now_ns() - start) / (double)side->nr;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void setup(struct scenario *scenario)
{
	struct beside *sides = bench_alloc(NR_SIDES * sizeof(*sides));
	enum what what = what_of(scenario);
	unsigned entries = entries_of(scenario);

	beside_init(&sides[FLOOR], iopt_format_find("vtd-ss"), what, entries, false);
	beside_init(&sides[ENGINE], format_of(scenario), what, entries, what == RUN);
	scenario->state = sides;
}

static void teardown(struct scenario *scenario)
{
	struct beside *sides = scenario->state;

	beside_fini(&sides[FLOOR]);
	beside_fini(&sides[ENGINE]);
	free(sides);
	scenario->state = NULL;
}

/* One pass before the one that counts: tables are there then. */
static void round_of(struct scenario *scenario, enum side which, double *values)
{
	struct beside *side = &((struct beside *)scenario->state)[which];

	map_pass(side);
	unmap_pass(side);
	values[0] = map_pass(side);
	values[1] = unmap_pass(side);
}

static struct row row_of(const struct scenario *scenario, const char *call)
{
	static const char *const texts[NR_WHATS] = { "one", "64", "run" };
	struct row row = { .unit = "ns", .target = 1.25, .base = "vtd-ss" };
	char *name;

	if (asprintf(&name, "%s %s %s", format_of(scenario)->name, call, texts[what_of(scenario)]) <
	    0)
		DIE("no memory");
	row.name = name;
	return row;
}

#define MOST_FORMATS 64u

struct scenario *format_scenarios(void)
{
	static struct scenario all[MOST_FORMATS * NR_WHATS + 1];
	size_t nr = 0;

	for (unsigned arg = 0; iopt_format_info(arg / NR_WHATS); arg++) {
		struct scenario *scenario = &all[nr];

		*scenario = (struct scenario){
			.setup = setup,
			.round = round_of,
			.teardown = teardown,
			.arg = arg,
			.nr_rows = 2,
		};
		if (arg / NR_WHATS == MOST_FORMATS)
			DIE("more than %u formats", MOST_FORMATS);
		if (what_of(scenario) == RUN && run_entries(format_of(scenario)) == 1)
			continue;
		scenario->rows[0] = row_of(scenario, "map");
		scenario->rows[1] = row_of(scenario, "unmap");
		nr++;
	}
	all[nr].nr_rows = 0;
	return all;
}
