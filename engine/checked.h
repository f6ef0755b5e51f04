/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a checked build (IOPT_CHECKED) does beside: it finds embedders that break the contract, and
 * tells the host (iopt_host_breach). Two rules are watched: operations that write the same range do
 * not overlap in time, by a read-modify-write on every entry (entry.h); and a range is mapped again
 * only after the gather of its unmap was synced, by a list of what is owed. In other builds nothing
 * of this is left.
 *
 * Context: everything here takes a spinning lock of the domain's for some instructions.
 */
#ifndef ENGINE_CHECKED_H
#define ENGINE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

struct iopt_gather;

#ifdef IOPT_CHECKED
#define CHECKED 1
#else
#define CHECKED 0
#endif

#define CHECKED_DEBTS 256u

/**
 * struct debt - a range that was unmapped and not synced yet
 * @gather: who owes it
 * @first:  first IOVA
 * @last:   last IOVA
 */
struct debt {
	const struct iopt_gather *gather;
	uint64_t first;
	uint64_t last;
};

/**
 * struct debts - all of a domain
 * @lock:  spinning
 * @nr:    how many there are
 * @list:  in no order. What does not fit any more is not watched.
 */
struct debts {
	bool lock;
	unsigned nr;
	struct debt list[CHECKED ? CHECKED_DEBTS : 1];
};

static inline void debts_lock(struct debts *debts)
{
	while (__atomic_test_and_set(&debts->lock, __ATOMIC_ACQUIRE))
		;
}

static inline void debts_unlock(struct debts *debts)
{
	__atomic_clear(&debts->lock, __ATOMIC_RELEASE);
}

static inline void debts_add(struct debts *debts, const struct iopt_gather *gather, uint64_t first,
			     uint64_t last)
{
	if (!CHECKED)
		return;
	debts_lock(debts);
	if (debts->nr < CHECKED_DEBTS)
		debts->list[debts->nr++] = (struct debt){ gather, first, last };
	debts_unlock(debts);
}

/* What `from` owes is paid, or owed by `to` from now on. */
static inline void debts_pass(struct debts *debts, const struct iopt_gather *from,
			      const struct iopt_gather *to)
{
	if (!CHECKED)
		return;
	debts_lock(debts);
	for (unsigned i = 0; i < debts->nr; i++) {
		if (debts->list[i].gather != from)
			continue;
		if (to)
			debts->list[i].gather = to;
		else
			debts->list[i--] = debts->list[--debts->nr];
	}
	debts_unlock(debts);
}

/* Whether something in first..last is still owed. */
static inline bool debts_hold(struct debts *debts, uint64_t first, uint64_t last)
{
	bool hold = false;

	if (!CHECKED)
		return false;
	debts_lock(debts);
	for (unsigned i = 0; i < debts->nr && !hold; i++)
		hold = debts->list[i].first <= last && debts->list[i].last >= first;
	debts_unlock(debts);
	return hold;
}

#endif
