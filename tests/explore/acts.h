/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the threads of a scenario do, one act after the other, and scenarios themselves. Each act
 * keeps the ledger of what ought to be mapped and compares what it is told with it. Pages and
 * frames are numbers; a frame is never 0.
 */
#ifndef TESTS_EXPLORE_ACTS_H
#define TESTS_EXPLORE_ACTS_H

#include "tests/explore/sched.h"

#define MAX_ACTS 8u

/**
 * struct act - one step of a scenario
 * @run:   does it; NULL: the end of the list
 * @first: first page
 * @last:  last page
 * @frame: frame of @first, or another number
 * @want:  what the call is to return; ANY_RESULT: whatever
 * @flags: of the call
 */
struct act {
	void (*run)(const struct act *act);
	unsigned first;
	unsigned last;
	unsigned frame;
	int want;
	unsigned flags;
};

#define ANY_RESULT 1000
#define VISIT_ALL  (IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES)

/* How a sweep goes on, in struct act::frame. */
enum sweep_end { SWEEP_SYNCS, SWEEP_OWES, SWEEP_REFUSES };

void act_map(const struct act *act);
void act_unmap(const struct act *act);
void act_sweep(const struct act *act);
void act_sync(const struct act *act);
void act_split(const struct act *act);
void act_merge(const struct act *act);
void act_protect(const struct act *act);
void act_trim(const struct act *act);
void act_claim(const struct act *act);
void act_release(const struct act *act);
void act_translate(const struct act *act);
void act_visit(const struct act *act);
void act_access(const struct act *act);
void act_reported(const struct act *act);
void act_forget(const struct act *act);
void act_track(const struct act *act);
void act_raise(const struct act *act);
void act_wait(const struct act *act);
void act_fail_allocation(const struct act *act);

/* clang-format off */
#define MAP(page, frame_)            { act_map, page, page, frame_, 0, 0 }
#define MAP_RANGE(from, to, frame_)  { act_map, from, to, frame_, 0, 0 }
#define MAP_WANT(from, to, frame_, result) { act_map, from, to, frame_, result, 0 }
#define UNMAP(page)                  { act_unmap, page, page, 0, 0, 0 }
#define UNMAP_RANGE(from, to)        { act_unmap, from, to, 0, 0, 0 }
#define UNMAP_TRIM(from, to)         { act_unmap, from, to, 0, 0, IOPT_UNMAP_TRIM }
#define TRIM(from, to)               { act_trim, from, to, 0, 0, 0 }
/* Into leaves of 2^lg2 pages; claiming them first. */
#define SPLIT(from, to, lg2)         { act_split, from, to, lg2, 0, 0 }
#define SPLIT_CLAIM(from, to, lg2)   { act_split, from, to, lg2, 0, IOPT_CLAIM }
/* Into the largest leaves that there are; or all of it into one. */
#define MERGE(from, to)              { act_merge, from, to, 0, 0, 0 }
#define MERGE_CLAIM(from, to)        { act_merge, from, to, 0, 0, IOPT_CLAIM }
#define MERGE_ONE(from, to, result)  { act_merge, from, to, 0, result, IOPT_MERGE_ONE }
#define READ_ONLY(from, to)          { act_protect, from, to, 0, 0, IOPT_READ }
#define READ_WRITE(from, to)         { act_protect, from, to, 0, 0, IOPT_READ | IOPT_WRITE }
/* The range is this thread's until it is released: waits for whoever has it. */
#define CLAIM(from, to)              { act_claim, from, to, 0, 0, 0 }
#define RELEASE(from, to)            { act_release, from, to, 0, 0, 0 }
/* Reads dirty bits, or clears them; then syncs, and copies what was reported; or does so later. */
#define READ_DIRTY(from, to)         { act_sweep, from, to, SWEEP_SYNCS, 0, 0 }
#define SWEEP(from, to)              { act_sweep, from, to, SWEEP_SYNCS, 0, IOPT_SWEEP_CLEAR }
#define SWEEP_ONLY(from, to)         { act_sweep, from, to, SWEEP_OWES, 0, IOPT_SWEEP_CLEAR }
#define SYNC                         { act_sync, 0, 0, 0, 0, 0 }
/* The sink takes n reports, and refuses the next. */
#define SWEEP_REFUSED(from, to, n)   { act_sweep, from, to, SWEEP_REFUSES, n, IOPT_SWEEP_CLEAR }
#define TRANSLATE(page)              { act_translate, page, page, 0, 0, 0 }
#define VISIT(from, to)              { act_visit, from, to, 0, 0, VISIT_ALL }
#define READ(page)                   { act_access, page, page, 0, 0, 0 }
#define WRITE(page)                  { act_access, page, page, 0, 0, 1 }
/* Every write to the page was copied by now. */
#define REPORTED(page)               { act_reported, page, page, 0, 0, 0 }
#define FORGET                       { act_forget, 0, 0, 0, 0, 0 }
#define TRACK                        { act_track, 0, 0, 0, 0, 1 }
/* Tells others who WAIT_FOR the same number, 0 to 63. */
#define RAISE(flag)                  { act_raise, 0, 0, flag, 0, 0 }
#define WAIT_FOR(flag)               { act_wait, 0, 0, flag, 0, 0 }
/* The thread's n-th allocation from here on fails. */
#define FAIL_ALLOCATION(n)           { act_fail_allocation, 0, 0, n, 0, 0 }
/* clang-format on */

/**
 * struct part - what one thread does
 * @name: for people; NULL: no more threads
 * @acts: up to one without a function
 */
struct part {
	const char *name;
	struct act acts[MAX_ACTS];
};

/**
 * struct scenario - threads that meet
 * @name:    for people and the command line
 * @format:  of the domain
 * @levels:  to start with; 0: the default
 * @max_levels: for one that grows; 0: the same
 * @flags:   of the domain
 * @ats:     the device has a TLB of its own
 * @recycle: freed tables are taken again first
 * @broken:  pages, a bit each, at which the contract is broken: what is mapped there in the end is
 *           not said
 * @setup:   done before
 * @parts:   the threads
 */
struct scenario {
	const char *name;
	const char *format;
	unsigned levels;
	unsigned max_levels;
	unsigned flags;
	bool ats;
	bool recycle;
	uint64_t broken;
	struct act setup[MAX_ACTS];
	struct part parts[MAX_THREADS];
};

extern const struct scenario scenarios[];
extern const unsigned nr_scenarios;

/* Make the scenario's world; fill in the cast that plays it. */
void scenario_prepare(const struct scenario *scenario, struct cast *cast);

#endif
