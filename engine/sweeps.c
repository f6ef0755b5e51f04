/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Clearing sweeps of a domain among each other; see sweeps.h.
 *
 * Between taking an accessed bit and the invalidation of the walk caches that led there, a device
 * may dirty leaves without a trace above them. The next sweep of that range still looks there
 * ("touched") but the one after it does not: so the next one must not begin before the
 * invalidation. Whoever synced the gather has done that; else the sweep does it itself.
 */
#include "engine/sweeps.h"
#include "engine/bits.h"
#include "engine/gather.h"

void sweeps_init(struct sweeps *sweeps)
{
	iopt_host_lock_init(&sweeps->lock);
	for (unsigned i = 0; i < SWEEP_TURNS; i++)
		iopt_host_lock_init(&sweeps->turns[i].lock);
}

void sweeps_fini(struct sweeps *sweeps)
{
	for (unsigned i = 0; i < SWEEP_TURNS; i++)
		iopt_host_lock_fini(&sweeps->turns[i].lock);
	iopt_host_lock_fini(&sweeps->lock);
}

static bool overlap(const struct iopt_range *range, uint64_t first, uint64_t last)
{
	return range->first <= last && range->last >= first;
}

/* A turn that is under way and has to be waited for. Context: the lock of sweeps. */
static struct sweep_turn *turn_overlap(struct sweeps *sweeps, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < SWEEP_TURNS; i++) {
		struct sweep_turn *turn = &sweeps->turns[i];

		if (turn->busy && overlap(&turn->range, first, last))
			return turn;
	}
	return NULL;
}

/* One that nobody uses; if there is none, any. Context: the lock of sweeps. */
static struct sweep_turn *turn_free(struct sweeps *sweeps)
{
	unsigned i;

	for (i = 0; i + 1 < SWEEP_TURNS && sweeps->turns[i].users; i++)
		;
	return &sweeps->turns[i];
}

/*
 * A turn is busy only while its lock is held: whoever finds an overlapping one sleeps until that
 * sweep has ended, and never looks again and again. The lock of a turn comes before that of all.
 */
static struct sweep_turn *turn_take(struct sweeps *sweeps, uint64_t first, uint64_t last)
{
	struct sweep_turn *turn, *other;

	iopt_host_lock(&sweeps->lock);
	turn = turn_overlap(sweeps, first, last);
	if (!turn)
		turn = turn_free(sweeps);
	for (;;) {
		turn->users++;
		iopt_host_unlock(&sweeps->lock);
		iopt_host_lock(&turn->lock);
		iopt_host_lock(&sweeps->lock);
		other = turn_overlap(sweeps, first, last);
		if (!other)
			break;
		turn->users--;
		iopt_host_unlock(&turn->lock);
		turn = other;
	}
	turn->busy = true;
	turn->range = (struct iopt_range){ first, last };
	iopt_host_unlock(&sweeps->lock);
	return turn;
}

/* The next place whose range overlaps and is owed, from a place on; SWEEP_DEBTS: none is left. */
static unsigned debt_find(struct sweeps *sweeps, unsigned place, uint64_t first, uint64_t last,
			  struct iopt_range *range)
{
	uint32_t owed;

	iopt_host_lock(&sweeps->lock);
	owed = __atomic_load_n(&sweeps->owed, __ATOMIC_ACQUIRE);
	while (place < SWEEP_DEBTS &&
	       !(owed >> place & 1 && overlap(&sweeps->ranges[place], first, last)))
		place++;
	if (place < SWEEP_DEBTS)
		*range = sweeps->ranges[place];
	iopt_host_unlock(&sweeps->lock);
	return place;
}

/* A range was invalidated. If the place has grown meanwhile, by a sweep beside, it stays owed. */
static void debt_paid(struct sweeps *sweeps, unsigned place, const struct iopt_range *range)
{
	const struct iopt_range *now = &sweeps->ranges[place];

	iopt_host_lock(&sweeps->lock);
	if (now->first == range->first && now->last == range->last)
		__atomic_fetch_and(&sweeps->owed, ~(1u << place), __ATOMIC_RELAXED);
	iopt_host_unlock(&sweeps->lock);
}

struct sweep_turn *sweeps_enter(struct iopt_domain *domain, uint64_t first, uint64_t last)
{
	struct sweeps *sweeps = &domain->sweeps;
	struct sweep_turn *turn = turn_take(sweeps, first, last);
	struct iopt_range range = { 0, 0 };

	for (unsigned place = 0;; place++) {
		place = debt_find(sweeps, place, first, last, &range);
		if (place == SWEEP_DEBTS)
			return turn;
		invalidate_now(domain, range.first, range.last,
			       IOPT_OWES_LEAVES | IOPT_OWES_TABLES);
		debt_paid(sweeps, place, &range);
	}
}

/*
 * A place for what a gather owes: one that it has already, or a free one. False if all are taken.
 * Context: the lock of sweeps.
 */
static bool debt_add(struct sweeps *sweeps, struct iopt_gather *gather,
		     const struct iopt_range *taken)
{
	uint32_t held = __atomic_load_n(&sweeps->held, __ATOMIC_ACQUIRE);
	uint32_t places = gather->sweeps ? gather->sweeps : ~held;
	uint32_t bit = places & -places;

	if (!bit)
		return false;
	if (__atomic_load_n(&sweeps->owed, __ATOMIC_RELAXED) & bit)
		range_grow(&sweeps->ranges[bits_low(bit)], taken->first, taken->last);
	else
		sweeps->ranges[bits_low(bit)] = *taken;
	gather->sweeps |= bit;
	__atomic_fetch_or(&sweeps->held, bit, __ATOMIC_RELAXED);
	__atomic_fetch_or(&sweeps->owed, bit, __ATOMIC_RELAXED);
	return true;
}

void sweeps_leave(struct iopt_domain *domain, struct sweep_turn *turn, struct iopt_gather *gather,
		  const struct iopt_range *taken)
{
	struct sweeps *sweeps = &domain->sweeps;
	bool owed = true;

	if (taken->first <= taken->last) {
		iopt_host_lock(&sweeps->lock);
		owed = debt_add(sweeps, gather, taken);
		iopt_host_unlock(&sweeps->lock);
	}
	if (!owed)
		invalidate_now(domain, taken->first, taken->last,
			       IOPT_OWES_LEAVES | IOPT_OWES_TABLES);
	iopt_host_lock(&sweeps->lock);
	turn->busy = false;
	turn->users--;
	iopt_host_unlock(&turn->lock);
	iopt_host_unlock(&sweeps->lock);
}

void sweeps_synced(struct sweeps *sweeps, uint32_t places)
{
	__atomic_fetch_and(&sweeps->owed, ~places, __ATOMIC_RELEASE);
	__atomic_fetch_and(&sweeps->held, ~places, __ATOMIC_RELEASE);
}
