/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Those who never stop while writers work: devices, a sweep, a dump, each on a thread of its own,
 * all over a ledger; and writers' threads, for a bounded time.
 */
#ifndef TESTS_ADVERSARY_CREW_H
#define TESTS_ADVERSARY_CREW_H

#include "ledger.h"

#define CREW_THREADS (RIG_DEVICES + 2u)
#define CREW_STRAY   3u

/**
 * struct crew_member - a thread of the crew
 * @crew:   whose
 * @thread: its own
 * @device: number of the device
 * @random: state
 * @turns:  what it did so far; atomic
 */
struct crew_member {
	struct crew *crew;
	pthread_t thread;
	unsigned device;
	uint64_t random;
	uint64_t turns;
};

/**
 * struct crew - see the head of this file
 * @ledger: where
 * @stray:  devices also go here, where nothing is promised
 * @nr_stray: how many of these ranges
 * @naps:   microseconds that each rests between its turns; 0: none
 * @stop:   they end soon after it is set; atomic
 * @nr:     how many threads
 * @members: the threads
 */
struct crew {
	struct ledger *ledger;
	struct iopt_range stray[CREW_STRAY];
	unsigned nr_stray;
	unsigned naps;
	bool stop;
	unsigned nr;
	struct crew_member members[CREW_THREADS];
};

/* A crew that is not at work yet; @stray and @naps may be set then. */
void crew_init(struct crew *crew, struct ledger *ledger);

/* Starts all devices of the rig and a dump, and a sweep where the rig tracks. */
void crew_start(struct crew *crew);

/* Ends them, once each has had a turn. */
void crew_stop(struct crew *crew);

#define CREW_WRITERS 4u

/**
 * struct shift - writers at work
 * @ledger:   where
 * @seconds:  for how long, before it is scaled (test_scale())
 * @nr:       how many
 * @work:     one turn of a writer; false: it was the last one
 * @end:      after its last turn: unmap all that is left; may be NULL
 * @ctx:      for them
 * @until:    set by shift_run()
 */
struct shift {
	struct ledger *ledger;
	double seconds;
	unsigned nr;
	bool (*work)(struct shift *shift, struct writer *writer, unsigned number);
	void (*end)(struct shift *shift, struct writer *writer, unsigned number);
	void *ctx;
	double until;
};

/* Runs writers on threads of their own, and waits for their end. */
void shift_run(struct shift *shift);

/* The time is over, or somebody complained. */
bool shift_over(const struct shift *shift);

/**
 * struct meeting - where all writers of a shift wait for each other; starts zeroed
 * @waiting: how many wait, @round: how often all came; atomic
 */
struct meeting {
	unsigned waiting;
	unsigned round;
};

/* Returns when all of the shift's writers are here, at about the same moment on all. */
void shift_meet(const struct shift *shift, struct meeting *meeting);

/* How often something happens in the shift at all: a test that met it never has tested nothing. */
#define assert_met(what) assert_true((what) > 0)

/*
 * A rig whose devices are of all kinds: one keeps all, one has a device TLB, one forgets at random.
 */
void crew_rig(struct rig *rig, struct rig_config config);

#endif
