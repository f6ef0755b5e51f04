/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rows of sweeps over much memory: how fast tables are scanned beside what one core reads, on one
 * thread and on two, and what a sweep costs that may skip what no device touched. What an entry
 * costs beside the floor's loop is in sweep.c.
 */
#include "bench/bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REGION	    TIB(1)
#define PA_ODD	    (GIB(4) + KIB(4)) /* aligned like no block: only 4K leaves fit */
#define TABLE_BYTES KIB(4)

/* 4K pages in 4K leaves from REGION on: a domain, and a bitmap of it. */
struct range {
	struct space space;
	uint64_t bytes;
	uint64_t *bitmap;
};

static void range_init(struct range *range, uint64_t bytes, uint32_t flags)
{
	space_init(&range->space, "vtd-ss", flags);
	range->bytes = bytes;
	range->bitmap = bench_map(bytes / KIB(4) / 8);
	engine_map(&range->space, REGION, bytes, REGION + PA_ODD);
}

static void range_fini(struct range *range)
{
	space_fini(&range->space);
	munmap(range->bitmap, range->bytes / KIB(4) / 8);
}

static void range_sweep(const struct range *range, uint64_t first, uint64_t last, unsigned flags,
			struct iopt_gather *gather)
{
	const struct iopt_sink sink = {
		.words = range->bitmap,
		.first = REGION,
		.pages = range->bytes / KIB(4),
		.page_lg2 = 12,
	};
	int error = iopt_sweep(range->space.domain, first, last, flags, &sink, gather, 0, NULL);

	if (error)
		DIE("iopt_sweep: %s", strerror(-error));
}

/* Nanoseconds of a clearing sweep over all of it, its sync inside; caches are cold. */
static double range_sweep_ns(struct range *range)
{
	double start;

	evict_caches();
	start = now_ns();
	range_sweep(range, REGION, REGION + range->bytes - 1, IOPT_SWEEP_CLEAR,
		    &range->space.gather);
	iopt_sync(&range->space.gather);
	return now_ns() - start;
}

/* ---- bandwidth ----------------------------------------------------------------------------- */

/**
 * struct scans - the state of a scenario
 * @range:  what is swept; clean
 * @tables: the engine's tables of level 0 by IOVA, and FLOOR_AHEAD more
 * @memory: as much memory as they are
 * @bytes:  how much
 */
struct scans {
	struct range range;
	const void **tables;
	uint64_t *memory;
	size_t bytes;
};

static double pages_ns(const struct scans *scans)
{
	double start;

	evict_caches();
	start = now_ns();
	floor_read_pages(scans->tables, scans->bytes / TABLE_BYTES);
	return now_ns() - start;
}

static double memory_ns(const struct scans *scans)
{
	double start;

	evict_caches();
	start = now_ns();
	floor_read(scans->memory, scans->bytes);
	return now_ns() - start;
}

/* Every entry once; bits are read, not cleared: clearing sweeps take turns. */
struct shard {
	const struct range *range;
	uint64_t first, last;
	unsigned cpu;
};

static void *shard_run(void *arg)
{
	const struct shard *shard = arg;

	pin_to_cpu(shard->cpu);
	range_sweep(shard->range, shard->first, shard->last, 0, NULL);
	return NULL;
}

static double shards_ns(const struct scans *scans, unsigned nr)
{
	uint64_t bytes = scans->range.bytes / nr;
	struct shard shards[2];
	pthread_t threads[2];
	double start;

	evict_caches();
	start = now_ns();
	for (unsigned i = 0; i < nr; i++) {
		shards[i] = (struct shard){ &scans->range, REGION + i * bytes,
					    REGION + (i + 1) * bytes - 1, i };
		if (pthread_create(&threads[i], NULL, shard_run, &shards[i]))
			DIE("a thread can't be started");
	}
	for (unsigned i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	return now_ns() - start;
}

static void scan_round(struct scenario *scenario, enum side side, double *values)
{
	struct scans *scans = scenario->state;
	double bytes = (double)scans->bytes;

	if (side == FLOOR) {
		values[0] = bytes / pages_ns(scans);
		values[1] = bytes / memory_ns(scans);
		values[2] = bytes / shards_ns(scans, 1);
	} else {
		values[0] = bytes / range_sweep_ns(&scans->range);
		values[1] = values[0];
		values[2] = bytes / shards_ns(scans, cpus() > 1 ? 2 : 1);
	}
}

static void scan_setup(struct scenario *scenario)
{
	struct scans *scans = bench_alloc(sizeof(*scans));
	size_t nr = GIB((uint64_t)scenario->arg) / MIB(2);
	struct floor view;

	range_init(&scans->range, GIB((uint64_t)scenario->arg), IOPT_TRACK);
	view = engine_view(scans->range.space.domain);
	scans->bytes = nr * TABLE_BYTES;
	scans->memory = bench_map(scans->bytes);
	scans->tables = bench_alloc((nr + FLOOR_AHEAD) * sizeof(*scans->tables));
	for (size_t i = 0; i < nr + FLOOR_AHEAD; i++)
		scans->tables[i] = view_table(&view, REGION + i % nr * MIB(2));
	scenario->state = scans;
}

static void scan_teardown(struct scenario *scenario)
{
	struct scans *scans = scenario->state;

	range_fini(&scans->range);
	munmap(scans->memory, scans->bytes);
	free(scans->tables);
	free(scans);
	scenario->state = NULL;
}

/* ---- skipping ------------------------------------------------------------------------------ */

#define SKIPPED TIB(1)
#define REGIONS (SKIPPED / MIB(2))
#define TOUCHED (REGIONS / 1000)

/* A state: what is swept, and a page in each of the regions that a device writes. */
struct skips {
	struct range range;
	struct floor view;
	uint32_t pages[TOUCHED];
};

static void choose_pages(struct skips *skips)
{
	for (size_t i = 0; i < TOUCHED; i++)
		skips->pages[i] = (uint32_t)(rng_next(&bench.rng) % (SKIPPED / KIB(4)));
}

/* Milliseconds of a sweep after a device wrote the pages. */
static double touched_ms(struct skips *skips)
{
	uint64_t *bitmap = skips->range.bitmap;
	double ns;

	device_write(&skips->view, REGION, skips->pages, TOUCHED);
	ns = range_sweep_ns(&skips->range);
	for (size_t i = 0; i < TOUCHED; i++)
		if (!(bitmap[skips->pages[i] / 64] >> skips->pages[i] % 64 & 1))
			DIE("page %u was written and is not in the bitmap", skips->pages[i]);
	for (size_t i = 0; i < TOUCHED; i++)
		bitmap[skips->pages[i] / 64] = 0;
	return ns / 1e6;
}

static void skip_round(struct scenario *scenario, enum side side, double *values)
{
	struct skips *skips = scenario->state;

	if (side == FLOOR) {
		/* Read through every table: nothing is skipped. */
		device_read(&skips->view, REGION, REGIONS);
		values[0] = range_sweep_ns(&skips->range) / 1e6;
		values[1] = values[2] = values[0];
		return;
	}
	/* What was before is settled by the second sweep. */
	choose_pages(skips);
	for (unsigned i = 0; i < 3; i++)
		values[0] = touched_ms(skips);
	for (unsigned i = 0; i < 2; i++) {
		choose_pages(skips);
		values[1] = touched_ms(skips);
	}
	for (unsigned i = 0; i < 3; i++)
		values[2] = range_sweep_ns(&skips->range) / 1e6;
}

static void skip_setup(struct scenario *scenario)
{
	struct skips *skips = bench_alloc(sizeof(*skips));

	range_init(&skips->range, SKIPPED, IOPT_TRACK | IOPT_ACCESSED_TABLES);
	skips->view = engine_view(skips->range.space.domain);
	scenario->state = skips;
}

static void skip_teardown(struct scenario *scenario)
{
	struct skips *skips = scenario->state;

	range_fini(&skips->range);
	free(skips);
	scenario->state = NULL;
}

#define PAGES	    "reading the same pages"
#define SEQUENCE    "reading in sequence"
#define ALL_TOUCHED "all touched"

struct scenario scan_scenarios[] = {
	{ .setup = scan_setup,
	  .round = scan_round,
	  .teardown = scan_teardown,
	  .arg = 16,
	  .nr_rows = 3,
	  .rows = { { .name = "scan 16G",
		      .unit = "GB/s",
		      .target = 0.8,
		      .higher = true,
		      .base = PAGES },
		    { .name = "scan 16G, sequence",
		      .unit = "GB/s",
		      .target = 0.8,
		      .higher = true,
		      .base = SEQUENCE },
		    { .name = "scan 16G, two threads",
		      .unit = "GB/s",
		      .higher = true,
		      .base = "one thread" } } },
	{ .setup = scan_setup,
	  .round = scan_round,
	  .teardown = scan_teardown,
	  .arg = 256,
	  .nr_rows = 3,
	  .rows = { { .name = "scan 256G",
		      .unit = "GB/s",
		      .target = 0.8,
		      .higher = true,
		      .base = PAGES },
		    { .name = "scan 256G, sequence",
		      .unit = "GB/s",
		      .target = 0.8,
		      .higher = true,
		      .base = SEQUENCE },
		    { .name = "scan 256G, two threads",
		      .unit = "GB/s",
		      .higher = true,
		      .base = "one thread" } } },
	{ .setup = skip_setup,
	  .round = skip_round,
	  .teardown = skip_teardown,
	  .nr_rows = 3,
	  .rows = { { .name = "sweep 1T, 0.1 % touched",
		      .unit = "ms",
		      .target = 0.01,
		      .base = ALL_TOUCHED },
		    { .name = "sweep 1T, another 0.1 %",
		      .unit = "ms",
		      .target = 0.01,
		      .base = ALL_TOUCHED },
		    { .name = "sweep 1T, 0 % touched", .unit = "ms", .base = ALL_TOUCHED } } },
	{ .nr_rows = 0 },
};
