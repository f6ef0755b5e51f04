/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Entries in memory: where they lie, and every load and store of one. Part of an instance
 * (instance.c): F is its format, a compile-time constant, so that the tests of its members below
 * leave no code.
 *
 * All accesses are single-copy atomic: hardware and other threads read and write the same entries.
 * Relaxed is enough unless the name says more; who needs which order, and why, is said where it is
 * used.
 */
#ifndef ENGINE_ENTRY_H
#define ENGINE_ENTRY_H

#include "engine/bits.h"
#include "engine/domain.h"
#include "engine/format.h"
#include "engine/order.h"

static const struct iopt_format *const F = &IOPT_INSTANCE_FORMAT;

/* IOVA bits below the index of a table of that level: what one of its entries translates. */
static inline unsigned entry_span_lg2(unsigned level)
{
	return F->info.granule_lg2 + level * F->info.index_lg2;
}

/* The IOVA offsets inside one entry of that level: its span less one, all of 64 bits if need be. */
static inline uint64_t entry_mask(unsigned level)
{
	unsigned lg2 = entry_span_lg2(level);

	return lg2 < 64 ? (1ull << lg2) - 1 : ~0ull;
}

/* The level whose entries make up leaves of that size, and how many of them it takes (a run). */
static inline unsigned leaf_level(unsigned size_lg2)
{
	unsigned level = 0;

	while (level + 1 < F->info.max_levels && entry_span_lg2(level + 1) <= size_lg2)
		level++;
	return level;
}

static inline unsigned run_length(unsigned size_lg2, unsigned level)
{
	return 1u << (size_lg2 - entry_span_lg2(level));
}

/* Whether software values, other than dead, lie in tables that are in use. */
static inline bool has_trim(void)
{
	return F->info.abilities & IOPT_CAN_TRIM;
}

static inline bool has_runs(void)
{
	return F->info.abilities & IOPT_CAN_RUNS;
}

/* Whether hardware allows that leaves change their size while it uses them. */
static inline bool resizes(const struct iopt_domain *domain)
{
	return (F->info.abilities & IOPT_CAN_RESIZE) &&
	       (!(F->info.abilities & IOPT_CAN_BBM) || domain->resizes);
}

/* Entries of a table below the top. */
static inline unsigned table_entries(void)
{
	return 1u << F->info.index_lg2;
}

static inline unsigned table_index(uint64_t iova, unsigned level)
{
	return (iova >> entry_span_lg2(level)) & (table_entries() - 1);
}

/* Whether a range is one entry of that level, whole, and an address such an entry can hold. */
static inline bool is_entry(uint64_t first, uint64_t last, uint64_t pa, unsigned level)
{
	return last - first == entry_mask(level) && !((first | pa) & entry_mask(level));
}

static inline void *slot_at(void *table, unsigned index)
{
	return (char *)table + ((size_t)index << F->info.entry_lg2);
}

static inline const void *slot_after(const void *slot, unsigned nr)
{
	return (const char *)slot + ((size_t)nr << F->info.entry_lg2);
}

/* The table that an entry lies in: tables are aligned to their size. */
static inline void *slot_table(void *slot)
{
	return (void *)((uintptr_t)slot &
			(~(uintptr_t)0 << (F->info.index_lg2 + F->info.entry_lg2)));
}

/* Whether an entry is that value of the engine's own: frozen or retiring. */
static inline bool entry_is(uint64_t entry, unsigned level, enum iopt_soft soft)
{
	return has_trim() && F->kind(entry, level) == IOPT_SOFT && F->soft(entry) == soft;
}

/* Whether an entry still leads to the table that it led to when `seen` was loaded. */
static inline bool entry_same_table(uint64_t entry, uint64_t seen, unsigned level)
{
	return F->kind(entry, level) == IOPT_TABLE &&
	       !((entry ^ seen) & ~(F->table_hw | F->table_unwritten));
}

/* What a writer that holds an anchor in the table may store over: empty, or frozen in vain. */
static inline bool entry_free(uint64_t entry, unsigned level)
{
	return __builtin_expect(!entry, 1) || entry_is(entry, level, IOPT_FROZEN);
}

/* Whether a leaf counts as dirty: its mark is set while stale caches may have written it. */
static inline bool entry_dirty(uint64_t leaf)
{
	return F->leaf_dirty(leaf) || (leaf & F->leaf_pending);
}

/* New attributes for a leaf, with what is marked in it. */
static inline uint64_t attr_marked(uint64_t attr, uint64_t leaf)
{
	attr |= leaf & (F->leaf_a | F->leaf_pending);
	return F->leaf_dirty(leaf) ? F->leaf_dirtied(attr) : attr;
}

/* Whether entries have four bytes in memory, else eight; their values are carried alike. */
static inline bool is_narrow(void)
{
	return F->info.entry_lg2 == 2;
}

static inline uint64_t entry_load(const void *slot)
{
	if (is_narrow())
		return __atomic_load_n((const uint32_t *)slot, __ATOMIC_RELAXED);
	return __atomic_load_n((const uint64_t *)slot, __ATOMIC_RELAXED);
}

/* A load whose value may lead to a table: what the installer wrote there comes with it. */
static inline uint64_t entry_load_table(const void *slot)
{
	if (is_narrow())
		return __atomic_load_n((const uint32_t *)slot, __ATOMIC_ACQUIRE);
	return __atomic_load_n((const uint64_t *)slot, __ATOMIC_ACQUIRE);
}

static inline void entry_store(void *slot, uint64_t entry)
{
	if (is_narrow())
		__atomic_store_n((uint32_t *)slot, (uint32_t)entry, __ATOMIC_RELAXED);
	else
		__atomic_store_n((uint64_t *)slot, entry, __ATOMIC_RELAXED);
}

/* On failure *old is what was found. */
static inline bool entry_cas(void *slot, uint64_t *old, uint64_t entry)
{
	return is_narrow() ? cas32_relaxed(slot, old, entry) : cas_relaxed(slot, old, entry);
}

/* The same, after all stores to the table that the new entry leads to. */
static inline bool entry_cas_release(void *slot, uint64_t *old, uint64_t entry)
{
	return is_narrow() ? cas32_release(slot, old, entry) : cas_release(slot, old, entry);
}

/* The same, before all that this thread does next. */
static inline bool entry_cas_acquire(void *slot, uint64_t *old, uint64_t entry)
{
	return is_narrow() ? cas32_acquire(slot, old, entry) : cas_acquire(slot, old, entry);
}

/* Both: after what this thread wrote, and with what others did. */
static inline bool entry_cas_acq_rel(void *slot, uint64_t *old, uint64_t entry)
{
	return is_narrow() ? cas32_acq_rel(slot, old, entry) : cas_acq_rel(slot, old, entry);
}

/*
 * Exchange an entry for another. Takes what others wrote (acquire) and comes after what this thread
 * wrote (release). A retiring entry is left to its helpers, and returned: it may never be stored
 * over (rule 5).
 */
static inline uint64_t entry_take(void *slot, unsigned level, uint64_t entry)
{
	uint64_t found = entry_load(slot);

	while (!entry_is(found, level, IOPT_RETIRING) && !entry_cas_acq_rel(slot, &found, entry))
		;
	return found;
}

static inline void entry_and(void *slot, uint64_t mask)
{
	if (is_narrow())
		__atomic_fetch_and((uint32_t *)slot, (uint32_t)mask, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and((uint64_t *)slot, mask, __ATOMIC_RELAXED);
}

/* Leave an entry empty, after all that this thread did; what was there. */
static inline uint64_t entry_empty(void *slot)
{
	if (is_narrow())
		return __atomic_exchange_n((uint32_t *)slot, 0, __ATOMIC_RELEASE);
	return __atomic_exchange_n((uint64_t *)slot, 0, __ATOMIC_RELEASE);
}

/*
 * A leaf entry, seen a moment ago, becomes empty. A checked build looks at what it takes: hardware
 * may have set bits meanwhile, but nobody else may have changed it.
 */
static inline void entry_clear(void *slot, uint64_t seen, unsigned level, uint64_t iova)
{
	uint64_t old;

	if (!CHECKED) {
		entry_store(slot, 0);
		return;
	}
	old = entry_empty(slot);
	if (F->kind(old, level) != IOPT_LEAF || F->leaf_pa(old, level) != F->leaf_pa(seen, level))
		iopt_host_breach("two operations write one range: unmap found its entry changed",
				 iova);
}

/* The same, after all stores of whoever mapped it (rule 3). */
static inline void entry_clear_release(void *slot, uint64_t seen, unsigned level, uint64_t iova)
{
	if (CHECKED)
		entry_clear(slot, seen, level, iova);
	else if (is_narrow())
		__atomic_store_n((uint32_t *)slot, 0, __ATOMIC_RELEASE);
	else
		__atomic_store_n((uint64_t *)slot, 0, __ATOMIC_RELEASE);
}

#endif
