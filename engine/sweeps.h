/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What clearing sweeps of a domain have to do with each other: those of overlapping ranges take
 * turns, and each first pays what earlier ones of its range left owed. Nothing here knows an entry.
 * The sweep itself is in sweep.h.
 *
 * Locks here are taken by clearing sweeps alone, so that no writer and no reader ever waits for a
 * sweep.
 */
#ifndef ENGINE_SWEEPS_H
#define ENGINE_SWEEPS_H

#include <stdbool.h>

#include "engine/host.h"
#include "iopt/iopt.h"

#define SWEEP_TURNS 16u
#define SWEEP_DEBTS 32u

/**
 * struct sweep_turn - a clearing sweep under way
 * @lock:  held by it for as long as it is; others wait for it here
 * @range: what it sweeps
 * @busy:  the two above are in use
 * @users: sweeps that have the lock or wait for it
 */
struct sweep_turn {
	struct iopt_host_lock lock;
	struct iopt_range range;
	bool busy;
	unsigned users;
};

/**
 * struct sweeps - clearing sweeps of a domain
 * @lock:   guards all but @held and @owed, for some instructions
 * @turns:  those that are under way; no two ranges overlap
 * @held:   bit n: place n belongs to a gather that is not synced yet; atomic
 * @owed:   bit n: the walk caches of range n are not invalidated yet, since a sweep took accessed
 *          bits there; atomic
 * @ranges: the places
 *
 * A sync clears the bits of its gather in both words, when the hardware has done it.
 */
struct sweeps {
	struct iopt_host_lock lock;
	struct sweep_turn turns[SWEEP_TURNS];
	uint32_t held;
	uint32_t owed;
	struct iopt_range ranges[SWEEP_DEBTS];
};

void sweeps_init(struct sweeps *sweeps);
void sweeps_fini(struct sweeps *sweeps);

/**
 * sweeps_enter() - begin a clearing sweep
 * @domain: the domain
 * @first:  first IOVA that it sweeps
 * @last:   last IOVA
 *
 * Waits for others of overlapping ranges, and pays what such ones left owed.
 * Return: the turn, for sweeps_leave().
 * Context: outside read sections; may sleep, calls back.
 */
struct sweep_turn *sweeps_enter(struct iopt_domain *domain, uint64_t first, uint64_t last);

/**
 * sweeps_leave() - end a clearing sweep
 * @domain: the domain
 * @turn:   from sweeps_enter()
 * @gather: the sweep's; owes the walk caches of @taken from now on
 * @taken:  where accessed bits were taken; first > last: nowhere
 *
 * Context: outside read sections; may sleep, may call back.
 */
void sweeps_leave(struct iopt_domain *domain, struct sweep_turn *turn, struct iopt_gather *gather,
		  const struct iopt_range *taken);

/* The hardware has invalidated what a gather named. */
void sweeps_synced(struct sweeps *sweeps, uint32_t places);

#endif
