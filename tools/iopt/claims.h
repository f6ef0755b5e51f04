/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who owns which IOVA range of a domain: what an embedder keeps so that its drivers' calls and the
 * engine's background work don't write one range at once. Drivers wait for their range, and are
 * owed to get it soon; background work asks, and leaves alone what somebody has.
 */
#ifndef TOOLS_IOPT_CLAIMS_H
#define TOOLS_IOPT_CLAIMS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <iopt/iopt.h>

/* A merge holds one for each table of a table; mappers and another one beside it. */
#define CLAIMS_PLACES 768u

/**
 * struct claims - ranges that somebody owns
 * @lock:   held for a look at all of them
 * @nr:     how many
 * @ranges: in no order
 */
struct claims {
	pthread_mutex_t lock;
	unsigned nr;
	struct iopt_range ranges[CLAIMS_PLACES];
};

void claims_init(struct claims *claims);
void claims_destroy(struct claims *claims);

/** claims_take() - own a range; waits while somebody has part of it. Return: whether it waited. */
bool claims_take(struct claims *claims, uint64_t first, uint64_t last);
/** claims_try() - own a range, or leave it; never waits. Return: whether it is the caller's now. */
bool claims_try(struct claims *claims, uint64_t first, uint64_t last);
/** claims_drop() - give a range back, the same as was taken */
void claims_drop(struct claims *claims, uint64_t first, uint64_t last);

#endif
