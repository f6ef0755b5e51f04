/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-bench: what its parts share. Rows of the table, scenarios that fill them, the clock and
 * samples, and the tables that both sides of a ratio work on.
 *
 * A scenario is a set of rows that are measured together. Each round calls it once for the floor
 * and once for the engine, in random order, and gets one value per row.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/floor.h"
#include "iopt/iopt.h"

/* ---- samples and time (measure.c) ---------------------------------------------------------- */

struct samples {
	double *values;
	unsigned nr, room;
};

void samples_add(struct samples *samples, double value);
void samples_free(struct samples *samples);
double samples_median(const struct samples *samples);
/* The least, or the most where more is better. NAN of no samples. */
double samples_best(const struct samples *samples, bool higher);

/* Nanoseconds of a clock that does not jump. */
double now_ns(void);
/* A counter that is cheap to read, ordered after the loads before it, and what a tick of it is. */
uint64_t ticks(void);
double ns_per_tick(void);

/* Numbers that look random: xorshift64, seeded by --seed. */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);
void rng_shuffle(struct rng *rng, uint32_t *items, size_t nr);
/* 0..nr-1 in random order; free() it. */
uint32_t *rng_order(struct rng *rng, size_t nr);

/* Zeroed; the second one in pairs of cache lines of its own. */
void *bench_alloc(size_t bytes);
void *bench_alloc_aligned(size_t bytes);
/* Memory in huge pages where the system gives them, touched; munmap() it. */
void *bench_map(size_t bytes);
/* Bytes that can be had without pushing others out; 0: not known. */
uint64_t memory_available(void);
void pin_to_cpu(unsigned cpu);
unsigned cpus(void);
/* Pushes whatever is cached out, by reading other memory. */
void evict_caches(void);

#define DIE(...) bench_die(__func__, __VA_ARGS__)
_Noreturn void bench_die(const char *where, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- rows and scenarios -------------------------------------------------------------------- */

enum side { FLOOR, ENGINE, NR_SIDES };

/**
 * struct row - a line of the table
 * @name:    as printed, and as --rows matches it
 * @unit:    of the values
 * @target:  the ratio, engine by floor, to reach; 0: only measured
 * @higher:  more is better, and @target is a lower bound
 * @base:    what the left column is where it isn't the floor doing the same; NULL: it is
 * @per, @of: instead of samples of its own the row is @of's values divided by @per's
 * @samples: of both sides
 */
struct row {
	const char *name;
	const char *unit;
	double target;
	bool higher;
	const char *base;
	const struct row *per, *of;
	struct samples samples[NR_SIDES];
};

double row_median(const struct row *row, enum side side);
double row_best(const struct row *row, enum side side);

#define MAX_ROWS 4

/**
 * struct scenario - rows measured together
 * @setup:    makes tables and mappings; NULL state before
 * @round:    measures one side once: a value for each row that has samples, in order
 * @teardown: frees everything
 * @rows:     @nr_rows of them; a derived row (@per) comes after those that are measured
 */
struct scenario {
	void (*setup)(struct scenario *scenario);
	void (*round)(struct scenario *scenario, enum side side, double *values);
	void (*teardown)(struct scenario *scenario);
	void *state;
	unsigned arg;
	unsigned nr_rows;
	struct row rows[MAX_ROWS];
};

/* Set by the options before anything is set up. */
struct bench {
	struct rng rng;
	unsigned rounds;
	const char *pattern;
};

extern struct bench bench;

/* Whether --rows names it. */
bool row_wanted(const char *name);

/* ---- tables (space.c) ---------------------------------------------------------------------- */

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)

#define PROT (IOPT_READ | IOPT_WRITE)

/**
 * struct space - one IOVA space, twice
 * @floor:  the floor's tables
 * @domain: the engine's
 * @gather: for the engine's unmaps
 */
struct space {
	struct floor floor;
	struct iopt_domain *domain;
	struct iopt_gather gather;
};

/* The floor's tables are handed out in random order from memory of this many bytes. */
void pool_init(size_t bytes);

/* The embedder's callbacks: hardware that is always done. */
void bench_invalidate(void *ctx, const struct iopt_gather *gather);
void bench_top_changed(void *ctx, struct iopt_domain *domain);

/**
 * space_init() - both sides with four levels and nothing mapped
 * @format: of the engine's domain
 * @flags:  IOPT_TRACK and so on
 */
void space_init(struct space *space, const char *format, uint32_t flags);
void space_fini(struct space *space);

/* Have the floor's tables down to a level for first..last. */
void space_tables(struct space *space, uint64_t first, uint64_t last, unsigned level);

/* The engine's tables as the floor sees them. For 4 levels of vtd-ss only. */
struct floor engine_view(struct iopt_domain *domain);
/* The level-0 table of an IOVA. */
const uint64_t *view_table(const struct floor *f, uint64_t iova);

/* Calls of the engine that must not fail. */
void engine_map(struct space *space, uint64_t first, uint64_t bytes, uint64_t pa);
void engine_unmap(struct space *space, uint64_t first, uint64_t bytes);

/**
 * device_read(), device_write() - what a device's accesses leave in vtd-ss tables of 4K leaves
 * @f:      whose tables
 * @iova:   multiple of 2 MiB
 * @tables: how many level-0 tables are read through
 * @pages:  page numbers from @iova on that are written; NULL: 0 to @nr - 1
 * @nr:     how many
 *
 * A write sets dirty in the leaf; then, as a read does, accessed in the table entries that lead
 * there, bottom up. Atomically.
 */
void device_read(const struct floor *f, uint64_t iova, unsigned long tables);
void device_write(const struct floor *f, uint64_t iova, const uint32_t *pages, size_t nr);

/* ---- the parts ----------------------------------------------------------------------------- */

/* Raw limits of the machine (limits.c). */
struct limits {
	double fill_gbs;
	double read_gbs;
	double cas_ns;
};

void limits_measure(struct limits *limits);

/* map.c, lines.c, resize.c, sweep.c, scan.c, threads.c: scenarios, ended by one without rows. */
extern struct scenario map_scenarios[];
extern struct scenario lines_scenarios[];
extern struct scenario resize_scenarios[];
extern struct scenario sweep_scenarios[];
extern struct scenario scan_scenarios[];
extern struct scenario thread_scenarios[];
/* formats.c: the same, made by a call, once: each format beside vtd-ss. */
struct scenario *format_scenarios(void);

/*
 * AMD v1 under dirty tracking, with leaves of every power of two and with 4K, 2M and 1G alone, for
 * one size of buffers (sizes.c).
 */
struct sizes_result {
	uint64_t buffer;
	bool all_sizes;
	struct samples map_ns, unmap_ns, sweep_ns;
	uint64_t tables;
	double reported_per_written;
};

#define NR_SIZES 8

void sizes_setup(struct sizes_result results[NR_SIZES]);
void sizes_round(struct sizes_result results[NR_SIZES]);

/* Bytes of a table, beside a table, and beside tables for each 4K mapping (sizes.c). */
struct memory_result {
	uint64_t table_bytes;
	double beside_table;
	double per_mapping;
};

void memory_measure(struct memory_result *memory);

/* ---- what is printed (report.c) ------------------------------------------------------------ */

enum verdict { MEASURED, REACHED, REACHED_AT_BEST, MISSED };

enum verdict row_verdict(const struct row *row);

struct report {
	struct limits limits;
	struct scenario **scenarios;
	unsigned nr_scenarios;
	struct sizes_result *sizes; /* NULL: not measured */
	struct memory_result *memory;
	uint64_t seed;
};

void report_print(const struct report *report);
/* Returns 0, or -1 with errno set. */
int report_json(const struct report *report, const char *path);
/* Whether a row or the memory missed what it must reach. */
bool report_missed(const struct report *report);

#endif
