/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rows of several threads: how two of them scale that map and unmap disjoint ranges in the same
 * tables, and what a sweep does to the tail of map and unmap.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REGION	GIB(64)
#define PA_PLUS GIB(4)
#define PA_ODD	(PA_PLUS + KIB(4)) /* aligned like no block: only 4K leaves fit */

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static pthread_t thread_start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg))
		DIE("a thread can't be started");
	return thread;
}

/* ---- two threads --------------------------------------------------------------------------- */

/* Every table is shared: 64 pages of it are the first thread's, the next 64 the second's. */
#define WORKERS 2
#define SHARED	GIB(1)
#define SHARE	64u
#define PIECES	((size_t)(SHARED / KIB(4) / WORKERS))

/* On cache lines of its own, those that the processor fetches in pairs included. */
struct worker {
	struct space *space;
	struct iopt_gather gather;
	uint64_t *map_order, *unmap_order;
	enum side side;
	unsigned cpu;
	unsigned *waiting; /* threads that are still to come before all start */
	double ns;	   /* a map and an unmap took */
} __attribute__((aligned(128)));

struct workers {
	struct space space;
	struct worker workers[WORKERS];
};

static size_t floor_work(const struct worker *w)
{
	const struct floor *f = &w->space->floor;
	size_t failed = 0;

	for (size_t i = 0; i < PIECES; i++)
		failed += !floor_map_4k(f, w->map_order[i], w->map_order[i] + PA_PLUS + FLOOR_RW);
	for (size_t i = 0; i < PIECES; i++)
		failed += !floor_unmap_4k(f, w->unmap_order[i]);
	return failed;
}

static size_t engine_work(struct worker *w)
{
	struct iopt_domain *domain = w->space->domain;
	size_t failed = 0;

	for (size_t i = 0; i < PIECES; i++) {
		uint64_t iova = w->map_order[i];

		failed += iopt_map(domain, iova, iova + 0xfff, iova + PA_PLUS, PROT, NULL) != 0;
	}
	for (size_t i = 0; i < PIECES; i++) {
		uint64_t iova = w->unmap_order[i];

		failed += iopt_unmap(domain, iova, iova + 0xfff, 0, &w->gather, NULL) != 0;
	}
	iopt_sync(&w->gather);
	return failed;
}

static size_t work(struct worker *w)
{
	return w->side == FLOOR ? floor_work(w) : engine_work(w);
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	double start;

	pin_to_cpu(w->cpu);
	if (work(w))
		DIE("a call failed");

	__atomic_sub_fetch(w->waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(w->waiting, __ATOMIC_ACQUIRE))
		relax();
	start = now_ns();
	if (work(w))
		DIE("a call failed");
	w->ns = (now_ns() - start) / (double)PIECES;
	return NULL;
}

/* Both workers at once, or the one and then the other; the mean of their times. */
static double work_ns(struct workers *workers, enum side side, bool together)
{
	unsigned waiting = together ? WORKERS : 1;
	pthread_t threads[WORKERS];
	double ns = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &workers->workers[i];

		w->side = side;
		w->waiting = &waiting;
		threads[i] = thread_start(worker_run, w);
		if (!together) {
			pthread_join(threads[i], NULL);
			waiting = 1;
		}
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		if (together)
			pthread_join(threads[i], NULL);
		ns += workers->workers[i].ns / WORKERS;
	}
	return ns;
}

static void workers_round(struct scenario *scenario, enum side side, double *values)
{
	struct workers *workers = scenario->state;

	values[0] = work_ns(workers, side, false);
	values[1] = work_ns(workers, side, true);
}

static uint64_t *share_order(unsigned worker)
{
	uint64_t *iovas = bench_alloc(PIECES * sizeof(*iovas));
	uint32_t *order = rng_order(&bench.rng, PIECES);

	for (size_t i = 0; i < PIECES; i++) {
		uint64_t share = order[i] / SHARE * WORKERS + worker;

		iovas[i] = REGION + KIB(4) * (share * SHARE + order[i] % SHARE);
	}
	free(order);
	return iovas;
}

static void workers_setup(struct scenario *scenario)
{
	struct workers *workers = bench_alloc_aligned(sizeof(*workers));

	space_init(&workers->space, "vtd-ss", 0);
	space_tables(&workers->space, REGION, REGION + SHARED - 1, 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &workers->workers[i];

		w->space = &workers->space;
		w->cpu = i;
		w->map_order = share_order(i);
		w->unmap_order = share_order(i);
		iopt_gather_init(&w->gather, workers->space.domain, NULL);
	}
	scenario->state = workers;
}

static void workers_teardown(struct scenario *scenario)
{
	struct workers *workers = scenario->state;

	for (unsigned i = 0; i < WORKERS; i++) {
		free(workers->workers[i].map_order);
		free(workers->workers[i].unmap_order);
	}
	space_fini(&workers->space);
	free(workers);
	scenario->state = NULL;
}

/* ---- the tail while sweeps run ------------------------------------------------------------- */

/*
 * 64 GiB of 4K leaves are swept back to back, but for 1 GiB in their middle, in which single pages
 * are mapped and unmapped. Against that the same with a neighbour that reads as much private memory
 * as the swept tables have, as a sweep does: 8 bytes at a time, a page at a time, in random order.
 */
#define SWEPT	    GIB(64)
#define HOLE	    (REGION + GIB(32))
#define HOLE_BYTES  GIB(1)
#define TABLE_BYTES (SWEPT / MIB(2) * KIB(4))
#define TAIL_OPS    (1u << 17)

struct tail {
	struct space space;
	struct floor view;
	uint64_t *orders[2];
	uint32_t *ticks[2]; /* of each map and each unmap */
	uint64_t *bitmap;
	uint64_t *memory; /* the neighbour's */
	uint32_t *pages;
	bool stop;
	uint64_t turns;
};

static void *neighbour_sweeps(void *arg)
{
	struct tail *tail = arg;
	const struct iopt_sink sink = {
		.words = tail->bitmap,
		.first = REGION,
		.pages = SWEPT / KIB(4),
		.page_lg2 = 12,
	};
	struct iopt_gather gather;

	pin_to_cpu(1);
	iopt_gather_init(&gather, tail->space.domain, NULL);
	while (!__atomic_load_n(&tail->stop, __ATOMIC_RELAXED)) {
		uint64_t next = REGION;
		int left;

		/* No sweep may skip a table. */
		device_read(&tail->view, REGION, SWEPT / MIB(2));
		do {
			left = iopt_sweep(tail->space.domain, next, REGION + SWEPT - 1,
					  IOPT_SWEEP_CLEAR, &sink, &gather, 1024, &next);
			if (left < 0)
				DIE("iopt_sweep: %s", strerror(-left));
			iopt_sync(&gather);
			__atomic_fetch_add(&tail->turns, 1, __ATOMIC_RELAXED);
		} while (left && !__atomic_load_n(&tail->stop, __ATOMIC_RELAXED));
	}
	return NULL;
}

static void *neighbour_reads(void *arg)
{
	struct tail *tail = arg;

	pin_to_cpu(1);
	for (size_t i = 0; !__atomic_load_n(&tail->stop, __ATOMIC_RELAXED); i++) {
		const uint64_t *page =
			tail->memory + (size_t)FLOOR_ENTRIES * tail->pages[i % (SWEPT / MIB(2))];

		for (unsigned n = 0; n < FLOOR_ENTRIES; n++)
			(void)__atomic_load_n(&page[n], __ATOMIC_RELAXED);
		__atomic_fetch_add(&tail->turns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void timed_calls(struct tail *tail)
{
	struct iopt_domain *domain = tail->space.domain;
	struct iopt_gather *gather = &tail->space.gather;
	int error = 0;

	for (size_t i = 0; i < TAIL_OPS; i++) {
		uint64_t iova = tail->orders[0][i], start = ticks();

		error |= iopt_map(domain, iova, iova + 0xfff, iova + PA_PLUS, PROT, NULL);
		tail->ticks[0][i] = (uint32_t)(ticks() - start);
	}
	for (size_t i = 0; i < TAIL_OPS; i++) {
		uint64_t iova = tail->orders[1][i], start = ticks();

		error |= iopt_unmap(domain, iova, iova + 0xfff, 0, gather, NULL);
		tail->ticks[1][i] = (uint32_t)(ticks() - start);
	}
	iopt_sync(gather);
	if (error)
		DIE("a call failed");
}

static int compare_ticks(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double p999_ns(uint32_t *values)
{
	qsort(values, TAIL_OPS, sizeof(*values), compare_ticks);
	return values[TAIL_OPS / 1000 * 999] * ns_per_tick();
}

static void *tail_caller(void *arg)
{
	struct tail *tail = arg;

	pin_to_cpu(0);
	while (!__atomic_load_n(&tail->turns, __ATOMIC_RELAXED))
		relax();
	timed_calls(tail);
	timed_calls(tail);
	return NULL;
}

static void tail_round(struct scenario *scenario, enum side side, double *values)
{
	struct tail *tail = scenario->state;
	pthread_t caller, neighbour;

	tail->stop = false;
	tail->turns = 0;
	neighbour = thread_start(side == FLOOR ? neighbour_reads : neighbour_sweeps, tail);
	caller = thread_start(tail_caller, tail);
	pthread_join(caller, NULL);
	__atomic_store_n(&tail->stop, true, __ATOMIC_RELAXED);
	pthread_join(neighbour, NULL);
	values[0] = p999_ns(tail->ticks[0]);
	values[1] = p999_ns(tail->ticks[1]);
}

static uint64_t *hole_order(void)
{
	uint64_t *iovas = bench_alloc(TAIL_OPS * sizeof(*iovas));
	uint32_t *order = rng_order(&bench.rng, TAIL_OPS);

	for (size_t i = 0; i < TAIL_OPS; i++)
		iovas[i] = HOLE + order[i] * (HOLE_BYTES / TAIL_OPS);
	free(order);
	return iovas;
}

static void tail_setup(struct scenario *scenario)
{
	struct tail *tail = bench_alloc(sizeof(*tail));

	space_init(&tail->space, "vtd-ss", IOPT_TRACK);
	engine_map(&tail->space, REGION, SWEPT, REGION + PA_ODD);
	/* By halves of a table, so that the tables stay. */
	for (uint64_t iova = HOLE; iova < HOLE + HOLE_BYTES; iova += MIB(1))
		engine_unmap(&tail->space, iova, MIB(1));
	iopt_sync(&tail->space.gather);
	tail->view = engine_view(tail->space.domain);
	for (unsigned i = 0; i < 2; i++) {
		tail->orders[i] = hole_order();
		tail->ticks[i] = bench_alloc(TAIL_OPS * sizeof(*tail->ticks[i]));
	}
	tail->bitmap = bench_map(SWEPT / KIB(4) / 8);
	tail->memory = bench_map(TABLE_BYTES);
	tail->pages = rng_order(&bench.rng, TABLE_BYTES / KIB(4));
	ns_per_tick();
	scenario->state = tail;
}

static void tail_teardown(struct scenario *scenario)
{
	struct tail *tail = scenario->state;

	space_fini(&tail->space);
	for (unsigned i = 0; i < 2; i++) {
		free(tail->orders[i]);
		free(tail->ticks[i]);
	}
	munmap(tail->bitmap, SWEPT / KIB(4) / 8);
	munmap(tail->memory, TABLE_BYTES);
	free(tail->pages);
	free(tail);
	scenario->state = NULL;
}

struct scenario thread_scenarios[] = {
	{ .setup = workers_setup,
	  .round = workers_round,
	  .teardown = workers_teardown,
	  .nr_rows = 3,
	  .rows = { { .name = "map + unmap 4K, one thread", .unit = "ns" },
		    { .name = "map + unmap 4K, two threads", .unit = "ns" },
		    { .name = "scaling of two threads",
		      .unit = "of 1",
		      .target = 0.95,
		      .higher = true,
		      .of = &thread_scenarios[0].rows[0],
		      .per = &thread_scenarios[0].rows[1] } } },
	{ .setup = tail_setup,
	  .round = tail_round,
	  .teardown = tail_teardown,
	  .nr_rows = 2,
	  .rows = { { .name = "map 4K p99.9, sweeps beside",
		      .unit = "ns",
		      .target = 1.2,
		      .base = "a reader beside" },
		    { .name = "unmap 4K p99.9, sweeps beside",
		      .unit = "ns",
		      .target = 1.2,
		      .base = "a reader beside" } } },
	{ .nr_rows = 0 },
};
