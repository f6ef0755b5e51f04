/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A domain with devices attached: the engine on one side, the soft-iommu on the other, joined by
 * callbacks that a test can hook into. Also what every test of this folder shares: complaints from
 * any thread, the clock, random numbers, and running the same test for every format.
 *
 * Table memory is poisoned and watched from the first rig on (iopt_posix_config::poison). Devices
 * of a domain with IOPT_NONCOHERENT read what was written back, and nothing else.
 */
#ifndef TESTS_ADVERSARY_RIG_H
#define TESTS_ADVERSARY_RIG_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "iopt/iopt.h"
#include "iopt/posix.h"
#include "soft-iommu/soft_iommu.h"
#include "tests/support/shape.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)
#define GIB (1ull << 30)

#define PAGE	   4096ull
#define READ_WRITE (IOPT_READ | IOPT_WRITE)

/* ---- complaints --------------------------------------------------------------------------- */

/**
 * complain() - a test has failed
 * @format: what happened, as for printf
 *
 * The first complaint is kept, later ones are dropped. Context: any thread.
 */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether somebody complained: threads end then. */
bool complained(void);

/* Fail the running test with the first complaint, if there is one. The main thread's. */
void assert_no_complaint(void);

/* ---- time and chance ---------------------------------------------------------------------- */

/* Ticks at every call; what is later has a higher number, on whatever thread. */
uint64_t clock_tick(void);

/* What a duration is multiplied by: the environment's IOPT_TEST_SCALE, 1 without. */
double test_scale(void);

/* Seconds since some start. */
double seconds_now(void);

/* Numbers that look random; the state starts as any number. */
uint64_t random_next(uint64_t *state);

static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
	return random_next(state) % limit;
}

/*
 * The run's seed: the environment's IOPT_TEST_SEED, else of the time. Printed when first asked for.
 */
uint64_t test_seed(void);

/* ---- the rig ------------------------------------------------------------------------------ */

#define RIG_DEVICES 3u

/**
 * struct rig_config - a domain and its devices
 * @domain:      as for iopt_create(); callbacks and ctx are the rig's, leave them out
 * @nr_devices:  RIG_DEVICES at most
 * @devices:     SOFT_IOMMU_ATS and so on, for each
 * @touch:       the devices' accesses
 */
struct rig_config {
	struct iopt_config domain;
	unsigned nr_devices;
	uint32_t devices[RIG_DEVICES];
	void (*touch)(void *ctx, uint64_t iova, uint64_t pa, bool write);
};

/**
 * struct rig - see the head of this file
 * @domain:     the engine's side
 * @unit, @side, @devices: the soft-iommu's
 * @format:     of the domain
 * @root_lock:  the embedder's lock around a change of the root
 * @before_invalidate, @after_invalidate: hooks, on the thread that syncs; may be NULL
 * @before_top: hook, before the devices are told of a new top; may be NULL
 * @ctx:        for the hooks
 * @tracked:    dirty tracking is on
 * @may_breach: the test breaks the contract on purpose
 * @tables_before: tables in the process before the rig was made
 * @breaches_before: breaches that a checked engine had found by then
 */
struct rig {
	struct iopt_domain *domain;
	struct soft_iommu *unit;
	struct soft_iommu_domain *side;
	struct soft_iommu_device *devices[RIG_DEVICES];
	unsigned nr_devices;
	const struct iopt_format_info *format;
	pthread_mutex_t root_lock;
	void (*before_invalidate)(struct rig *rig, const struct iopt_gather *gather);
	void (*after_invalidate)(struct rig *rig, const struct iopt_gather *gather);
	void (*before_top)(struct rig *rig);
	void *ctx;
	bool tracked;
	bool may_breach;
	uint64_t tables_before;
	uint64_t breaches_before;
};

/**
 * rig_open() - make a domain with devices
 * @rig:    filled in, hooks empty
 * @config: how it is to be
 *
 * The main thread's: fails the test if that can't be.
 */
void rig_open(struct rig *rig, const struct rig_config *config);

/**
 * rig_close() - the end of a rig, and what must hold then
 * @rig: nobody uses it any more, all gathers are synced
 *
 * Fails the test unless: nobody complained; the devices met no breach, and a checked engine found
 * none of the contract (but see rig::may_breach); as many tables are linked as
 * a visit finds, and no others exist in the process; after iopt_destroy() and a grace period none
 * is left. rig_close_leaky() (contract broken on purpose): tables may be left, but not fewer than
 * none.
 */
void rig_close(struct rig *rig);
void rig_close_leaky(struct rig *rig);

/*
 * The default configuration for a format: dirty tracking on (off in the untracked turn of a test,
 * and in the one with IOPT_NONCOHERENT, see struct format_test), and one device that keeps all.
 */
struct rig_config rig_defaults(const char *format);

/* Breaches that devices met so far are complained of, with the first event's text. */
void rig_check_breaches(struct rig *rig, uint32_t reasons);

/* When the last invalidation that this thread asked for had ended; 0: it asked for none. */
uint64_t rig_invalidated_at(void);

/* Tables that a visit of everything finds. */
uint64_t rig_visited_tables(struct rig *rig);

/* The physical address of the table of that level which translates an IOVA; 0: there is none. */
uint64_t rig_table(struct rig *rig, uint64_t iova, unsigned level);

/* Single accesses by a device, for tests with one thread: DONE or why not. */
enum soft_iommu_reason rig_write(struct rig *rig, unsigned device, uint64_t iova);
enum soft_iommu_reason rig_read(struct rig *rig, unsigned device, uint64_t iova);

/* Whether the device can still read or write there. */
bool rig_reaches(struct rig *rig, unsigned device, uint64_t iova);

/* Where the last access of this thread by rig_write() or rig_read() ended, if it was DONE. */
uint64_t rig_touched(void);

/* Map and unmap that must succeed; rig_unmap() syncs. */
void rig_map(struct rig *rig, uint64_t first, uint64_t bytes, uint64_t pa);
void rig_unmap(struct rig *rig, uint64_t first, uint64_t bytes);

/* ---- dirty reports, for tests with one thread --------------------------------------------- */

#define NOTES 1100u

/**
 * struct notes - what was reported, one range each, in order
 * @sink:   to be given to the engine
 * @nr:     how many reports there were
 * @ranges: the first NOTES of them
 * @accept: reports to take before any is refused
 * @refuse: how many to refuse then, with @error
 * @error:  see @refuse
 */
struct notes {
	struct iopt_sink sink;
	unsigned nr;
	struct iopt_range ranges[NOTES];
	unsigned accept;
	unsigned refuse;
	int error;
};

/* An empty one whose sink is a function. */
void notes_init(struct notes *notes);

/* How many of the reports name this byte. */
unsigned notes_count(const struct notes *notes, uint64_t iova);

/* Sweep all of first..last into fresh notes, and sync if it clears; it must succeed. */
void rig_sweep(struct rig *rig, uint64_t first, uint64_t last, unsigned flags, struct notes *notes);

/* ---- the same test for every format ------------------------------------------------------- */

/**
 * struct format_test - a test that is given a format
 * @name:     without the format
 * @run:      the test
 * @wants:    abilities that the format must have, IOPT_CAN_*; others are left out
 * @ctx:      for @run, which finds it by test_running()
 * @tracked:  only with dirty tracking; else it is run with, where the format has it, and without,
 *            and once more with a walker that does not snoop
 */
struct format_test {
	const char *name;
	void (*run)(const struct iopt_format_info *format);
	uint32_t wants;
	const void *ctx;
	bool tracked;
};

/* The test that is running. */
const struct format_test *test_running(void);

/**
 * run_format_tests() - run each of some tests for every format that is_usual()
 * @argc, @argv: of main(): a pattern of names (cmocka_set_test_filter) may be given
 * @group: name of the group
 * @tests: array of @nr
 *
 * Return: main()'s.
 */
int run_format_tests(int argc, char **argv, const char *group, const struct format_test *tests,
		     size_t nr);

/* The same for every format: the tests take their addresses from its description. */
int run_shape_tests(int argc, char **argv, const char *group, const struct format_test *tests,
		    size_t nr);

#endif
