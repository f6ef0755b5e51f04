/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The scheduler: runs a scenario's threads in all orders of their accesses. See sched.c for what is
 * covered.
 */
#ifndef TESTS_EXPLORE_SCHED_H
#define TESTS_EXPLORE_SCHED_H

#include "tests/explore/world.h"

/**
 * struct limits - how far to go
 * @preemptions: most switches away from a thread that could go on; negative: any number
 * @states:      most states to look at; 0: any number
 * @each:        play each schedule to its end, whether or not a state was seen before
 * @steps:       most accesses of one thread in a run: it is to finish alone before
 * @replay:      play only this schedule, see explore_print(); NULL: all
 */
struct limits {
	int preemptions;
	uint64_t states;
	bool each;
	unsigned steps;
	const char *replay;
};

/**
 * struct explored - what came out
 * @runs:      executions
 * @states:    different states at points
 * @points:    words of shared memory at which threads were switched
 * @schedules: orders of the points that this stands for
 * @deepest:   most points in a run
 * @cut:       @limits::states was reached
 * @failure:   what went wrong, or an empty string
 * @preemptions, @schedule: of the run that failed
 */
struct explored {
	uint64_t runs;
	uint64_t states;
	unsigned points;
	double schedules;
	unsigned deepest;
	bool cut;
	char failure[256];
	unsigned preemptions;
	char schedule[512];
};

/**
 * struct cast - the threads
 * @nr:    how many
 * @name:  of each
 * @body:  what each does; called with its number
 * @check: at the end of each run, when all have ended
 */
struct cast {
	unsigned nr;
	const char *name[MAX_THREADS];
	void (*body)(unsigned thread);
	void (*check)(void);
};

/**
 * sched_explore() - try all schedules, starting each time from the world as it is now
 *
 * Stops at the first failure. With limits->replay, prints each access as it happens.
 */
void sched_explore(const struct cast *cast, const struct limits *limits, struct explored *result);

/* The thread that runs, or NOBODY. */
unsigned sched_self(void);

/* Whether threads are under way (else someone sets up or checks). */
bool sched_running(void);

/**
 * sched_wait() - go on only when a condition holds
 * @holds: the condition, of shared memory alone
 * @data:  its argument
 * @start, @bytes: the memory
 * @kind:  what the caller does there next, in the same step
 * @what:  for people
 */
void sched_wait(bool (*holds)(uint64_t data), uint64_t data, const void *start, size_t bytes,
		enum access kind, const char *what);

/*
 * One step that accesses several places: sched_touch() each of them, then sched_step(), which lets
 * others run first; then all accesses, with what was read given to sched_learn().
 */
void sched_touch(const void *start, size_t bytes, enum access kind);
void sched_step(void);
void sched_learn(uint64_t value);

/* The thread may read all of the engine's domain now, since it holds a lock. */
void sched_learn_domain(void);

/* The scenario failed: does not return. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* While a schedule is replayed: a line of what goes on. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
