/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The arithmetic of a live migration's pre-copy: rounds, when one ends, when it is time to stop,
 * and what that costs. No tables and no clock are here: whoever sweeps says what was reported,
 * times are those of the simulated machine.
 *
 * Round 1 copies all memory. Copying takes bytes / bandwidth. When a round's copy is done, a sweep
 * says what was written since the round began. If that fits what the bandwidth copies in the
 * allowed downtime, or no round is left, the machine stops and this is copied while it stands
 * still: the downtime. Else the next round copies it.
 */
#ifndef TOOLS_IOPT_PRECOPY_H
#define TOOLS_IOPT_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

/* A migration that needs more rounds than this doesn't converge. */
#define PRECOPY_MAX_ROUNDS 1000u

/**
 * struct precopy_limits - what is allowed
 * @bandwidth:   bytes copied a second; not 0
 * @downtime_ns: how long the machine may stand still
 * @rounds:      most rounds before it stops whatever is left; 1 to PRECOPY_MAX_ROUNDS
 */
struct precopy_limits {
	uint64_t bandwidth;
	uint64_t downtime_ns;
	unsigned rounds;
};

/** enum precopy_end - why pre-copy ended */
enum precopy_end {
	PRECOPY_GOES_ON,
	PRECOPY_FITS,	   /* what is left fits the downtime: it converged */
	PRECOPY_NO_LESS,   /* no round is left, and the last one left no less than it copied */
	PRECOPY_NO_ROUNDS, /* no round is left, though the last one left less than it copied */
};

/**
 * struct precopy_round - one round
 * @start_ns: when its copy began
 * @end_ns:   when its copy was done
 * @copied:   bytes that it copied
 * @left:     bytes reported dirty at its end
 * @written:  bytes of the 4 KiB pages that devices wrote meanwhile: what had to be reported
 */
struct precopy_round {
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t copied;
	uint64_t left;
	uint64_t written;
};

/**
 * struct precopy - one migration
 * @limits: what is allowed
 * @rounds: begun so far; the last one is under way as long as @end is PRECOPY_GOES_ON
 * @nr:     how many
 * @end:    why it ended
 */
struct precopy {
	struct precopy_limits limits;
	struct precopy_round *rounds;
	unsigned nr;
	enum precopy_end end;
};

/** precopy_ns() - how long copying takes, rounded up; UINT64_MAX: longer than can be told */
uint64_t precopy_ns(uint64_t bytes, uint64_t bandwidth);

/** precopy_allowed() - bytes that fit the allowed downtime */
uint64_t precopy_allowed(const struct precopy_limits *limits);

/**
 * precopy_start() - begin the first round
 * @precopy: filled in
 * @limits:  what is allowed
 * @bytes:   all memory
 * @now_ns:  when
 *
 * Return: false if there is no memory.
 */
bool precopy_start(struct precopy *precopy, const struct precopy_limits *limits, uint64_t bytes,
		   uint64_t now_ns);

/** precopy_next() - when the round's copy is done; UINT64_MAX: it all ended */
uint64_t precopy_next(const struct precopy *precopy);

/**
 * precopy_step() - a round's copy is done and was followed by a sweep
 * @precopy: goes on with another round, or ends
 * @left:    bytes that were reported dirty
 * @written: bytes that devices wrote
 */
void precopy_step(struct precopy *precopy, uint64_t left, uint64_t written);

/** precopy_downtime() - of one that ended: how long the machine stands still */
uint64_t precopy_downtime(const struct precopy *precopy);

/**
 * struct precopy_sums - all of a migration that ended
 * @total_ns: from the first round's beginning until the other side may run
 * @stop_ns:  of that, until the machine stopped
 * @copied:   bytes, the final copy included
 * @left:     bytes reported dirty at the ends of rounds
 * @written:  bytes that devices wrote in them
 */
struct precopy_sums {
	uint64_t total_ns;
	uint64_t stop_ns;
	uint64_t copied;
	uint64_t left;
	uint64_t written;
};

void precopy_sum(const struct precopy *precopy, struct precopy_sums *sums);

/**
 * precopy_amplification() - bytes that had to be copied again for each byte that was written
 *
 * Return: 1 if dirty pages were reported as they were written; 0 if nothing was written.
 */
double precopy_amplification(const struct precopy_sums *sums);

void precopy_free(struct precopy *precopy);

#endif
