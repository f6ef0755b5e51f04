/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Tables of the posix host: allocating, deferring and freeing them, their states, the numbers of
 * iopt_posix_memory(), and the engine's own objects. Where the memory comes from is in arena.c.
 *
 * Each thread keeps some free tables of 1 KiB and of 4 KiB, and gets and gives them in batches.
 * Tables whose grace period is over come back on RCU's own thread and go to the pool at once, as do
 * tables of other sizes, which are few, and all tables while freed ones are poisoned.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "hosts/posix/internal.h"

#define CACHE_TABLES 64u
#define CACHE_BATCH  32u

/**
 * struct kept - free tables of one size
 * @nr:    how many
 * @units: numbers, in the arena, of their first units
 */
struct kept {
	unsigned nr;
	uint32_t units[CACHE_TABLES];
};

/**
 * struct cache - a thread's free tables
 * @small:          of 1 KiB
 * @pages:          of 4 KiB
 * @next, @previous: all caches, under caches_lock
 */
struct cache {
	struct kept small;
	struct kept pages;
	struct cache *next, *previous;
};

static _Thread_local struct cache *cache;

static pthread_mutex_t caches_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cache *caches;

/**
 * struct counters - what is in use, all atomic
 * @units: units of 1 KiB of all tables, live and waiting, in the low 32 bits; of those that wait in
 *         the high ones: one word, so that both belong together
 * @peak:  most units of both
 * @extra: units of live tables beyond the four of a page for each, or less than that: what makes a
 *         number of tables out of units. It stays alone while all tables are pages.
 */
static struct counters {
	uint64_t units;
	uint64_t peak;
	uint64_t extra;
} counters __attribute__((aligned(64)));

#define WAITING_SHIFT 32

#define STATE_BITS 2
#define STATE_MASK ((1u << STATE_BITS) - 1)

static unsigned order_of(unsigned size_lg2)
{
	return size_lg2 > IOPT_POSIX_UNIT_LG2 ? size_lg2 - IOPT_POSIX_UNIT_LG2 : 0;
}

static uint64_t units_of(const struct iopt_table *table)
{
	return 1ull << order_of(table->size_lg2);
}

/* What struct counters counts in extra. */
static uint64_t extra_of(uint64_t units)
{
	return units - IOPT_POSIX_PAGE_UNITS;
}

static uint64_t unit_pa(uint32_t unit)
{
	return iopt_posix_base + ((uint64_t)unit << IOPT_POSIX_UNIT_LG2);
}

static uint32_t unit_of(const struct iopt_table *table)
{
	return (uint32_t)((iopt_host_table_pa(table) - iopt_posix_base) >> IOPT_POSIX_UNIT_LG2);
}

/* ---- states -------------------------------------------------------------------------------- */

/* In all descriptors of a table. Only its owner changes it; anyone may look. */
static void set_state(struct iopt_table *table, enum iopt_posix_state state)
{
	unsigned step_lg2 = table->size_lg2 < IOPT_POSIX_PAGE_LG2 ? IOPT_POSIX_UNIT_LG2
								  : IOPT_POSIX_PAGE_LG2;
	uint64_t i, pa = iopt_host_table_pa(table), bytes = units_of(table) << IOPT_POSIX_UNIT_LG2;
	uint32_t was;

	for (i = 0; i < bytes >> step_lg2; i++) {
		uint32_t *word = &iopt_host_table(pa + (i << step_lg2))->state;

		was = __atomic_load_n(word, __ATOMIC_RELAXED) & ~STATE_MASK;
		if (state == IOPT_POSIX_LIVE)
			was += 1u << STATE_BITS;
		__atomic_store_n(word, was | state, __ATOMIC_RELEASE);
	}
}

/*
 * The descriptor that speaks for an address of a chunk: of its KiB where the chunk is of tables
 * smaller than a page, else of its page. Its first descriptor is of no table, and says which.
 */
static const struct iopt_table *descriptor_at(uint64_t pa)
{
	const struct iopt_table *chunk = iopt_host_va(pa & ~(IOPT_POSIX_CHUNK_BYTES - 1));
	uint64_t mask = (1ull << IOPT_POSIX_PAGE_LG2) - 1;

	return iopt_host_table(chunk->size_lg2 < IOPT_POSIX_PAGE_LG2 ? pa : pa & ~mask);
}

enum iopt_posix_state iopt_posix_table_state(uint64_t pa, uint32_t *generation)
{
	uint32_t state = IOPT_POSIX_NO_TABLE;

	if (iopt_posix_va(pa) && pa - iopt_posix_base < iopt_posix_arena_chunks())
		state = __atomic_load_n(&descriptor_at(pa)->state, __ATOMIC_ACQUIRE);
	if (generation)
		*generation = state >> STATE_BITS;
	return state & STATE_MASK;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static void count_alloc(uint64_t nr)
{
	uint64_t units = (uint32_t)__atomic_add_fetch(&counters.units, nr, __ATOMIC_RELAXED);
	uint64_t peak = __atomic_load_n(&counters.peak, __ATOMIC_RELAXED);

	while (units > peak && !__atomic_compare_exchange_n(&counters.peak, &peak, units, true,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	if (extra_of(nr))
		__atomic_fetch_add(&counters.extra, extra_of(nr), __ATOMIC_RELAXED);
}

static void count_free(uint64_t nr)
{
	__atomic_fetch_sub(&counters.units, nr, __ATOMIC_RELAXED);
	if (extra_of(nr))
		__atomic_fetch_sub(&counters.extra, extra_of(nr), __ATOMIC_RELAXED);
}

static void count_defer(uint64_t nr, uint64_t extra)
{
	__atomic_fetch_add(&counters.units, nr << WAITING_SHIFT, __ATOMIC_RELAXED);
	if (extra)
		__atomic_fetch_sub(&counters.extra, extra, __ATOMIC_RELAXED);
}

static void count_reclaim(uint64_t nr)
{
	__atomic_fetch_sub(&counters.units, nr << WAITING_SHIFT | nr, __ATOMIC_RELAXED);
}

void iopt_posix_memory(struct iopt_posix_memory *memory)
{
	uint64_t units = __atomic_load_n(&counters.units, __ATOMIC_RELAXED);
	uint64_t peak = __atomic_load_n(&counters.peak, __ATOMIC_RELAXED);
	uint64_t extra = __atomic_load_n(&counters.extra, __ATOMIC_RELAXED);
	uint64_t waiting = units >> WAITING_SHIFT;
	uint64_t live = (uint32_t)units - waiting;

	*memory = (struct iopt_posix_memory){
		.live = live << IOPT_POSIX_UNIT_LG2,
		.waiting = waiting << IOPT_POSIX_UNIT_LG2,
		.peak = peak << IOPT_POSIX_UNIT_LG2,
		.chunks = iopt_posix_arena_chunks(),
		.tables = (live - extra) / IOPT_POSIX_PAGE_UNITS,
		.descriptor_bytes = sizeof(struct iopt_table),
	};
}

/* ---- caches -------------------------------------------------------------------------------- */

bool iopt_posix_cache_make(void)
{
	if (cache)
		return true;
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return false;
	pthread_mutex_lock(&caches_lock);
	cache->next = caches;
	if (caches)
		caches->previous = cache;
	caches = cache;
	pthread_mutex_unlock(&caches_lock);
	iopt_posix_thread_watch();
	return true;
}

void iopt_posix_cache_drop(void)
{
	if (!cache)
		return;
	pthread_mutex_lock(&caches_lock);
	if (cache->next)
		cache->next->previous = cache->previous;
	if (cache->previous)
		cache->previous->next = cache->next;
	else
		caches = cache->next;
	pthread_mutex_unlock(&caches_lock);
	iopt_posix_pool_put(0, cache->small.units, cache->small.nr);
	iopt_posix_pool_put(IOPT_POSIX_PAGE_ORDER, cache->pages.units, cache->pages.nr);
	free(cache);
	cache = NULL;
}

bool iopt_posix_memory_reset(void)
{
	struct cache *each;

	if (__atomic_load_n(&counters.units, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&caches_lock);
	for (each = caches; each; each = each->next)
		each->small.nr = each->pages.nr = 0;
	pthread_mutex_unlock(&caches_lock);
	__atomic_store_n(&counters.peak, 0, __ATOMIC_RELAXED);
	return true;
}

/* ---- tables -------------------------------------------------------------------------------- */

/* The pool's first choice last: that's where the cache takes from. */
static void refill(struct kept *kept, unsigned order)
{
	uint32_t units[CACHE_BATCH];
	unsigned i, nr = iopt_posix_pool_take(order, units, CACHE_BATCH);

	for (i = 0; i < nr; i++)
		kept->units[i] = units[nr - 1 - i];
	kept->nr = nr;
}

static bool is_kept(unsigned order)
{
	return order == IOPT_POSIX_PAGE_ORDER || order == 0;
}

/* Where the calling thread, which has a cache, keeps tables of such an order. */
static struct kept *kept_of(unsigned order)
{
	return order ? &cache->pages : &cache->small;
}

static bool take_unit(unsigned order, uint32_t *unit)
{
	struct kept *kept;

	if (!is_kept(order))
		return iopt_posix_pool_take(order, unit, 1);
	if (!iopt_posix_cache_make())
		return false;
	kept = kept_of(order);
	if (!kept->nr)
		refill(kept, order);
	if (!kept->nr)
		return false;
	*unit = kept->units[--kept->nr];
	return true;
}

/* When all is in use, what waits for RCU is waited for: there is no memory only if nothing waited,
 * and nothing came back, while we looked. */
static bool take_unit_or_wait(unsigned order, uint32_t *unit)
{
	uint64_t reclaimed = iopt_posix_rcu_reclaimed();

	while (!take_unit(order, unit)) {
		if (iopt_posix_rcu_deferred() == reclaimed)
			return false;
		iopt_posix_rcu_barrier();
		reclaimed = iopt_posix_rcu_reclaimed();
	}
	return true;
}

/* There is one arena, which grows upward from its base, and any thread may wait: no choice. */
struct iopt_table *iopt_host_table_alloc(unsigned size_lg2, unsigned pa_lg2, uintptr_t memory,
					 uintptr_t how)
{
	unsigned order = order_of(size_lg2);
	struct iopt_table *table;
	uint32_t unit;

	(void)pa_lg2;
	(void)memory;
	(void)how;
	if (iopt_posix_fails() || order >= IOPT_POSIX_ORDERS || !iopt_posix_arena_make() ||
	    !take_unit_or_wait(order, &unit))
		return NULL;
	table = iopt_host_table(unit_pa(unit));
	table->next = NULL;
	table->first = 0;
	table->level = 0;
	table->collect = 0;
	table->freeze = 0;
	table->size_lg2 = (uint8_t)size_lg2;
	memset(iopt_host_va(iopt_host_table_pa(table)), 0, 1ull << (IOPT_POSIX_UNIT_LG2 + order));
	set_state(table, IOPT_POSIX_LIVE);
	count_alloc(1ull << order);
	return table;
}

/* The state first: who reads poison and looks what it was is told that the table is free. */
static void retire(struct iopt_table *table)
{
	uint64_t *words = iopt_host_va(iopt_host_table_pa(table));
	uint64_t i, nr = (units_of(table) << IOPT_POSIX_UNIT_LG2) / sizeof(*words);

	set_state(table, IOPT_POSIX_FREE);
	if (iopt_posix_poison)
		for (i = 0; i < nr; i++)
			words[i] = IOPT_POSIX_POISON;
}

/* Keeps a table in the thread's cache, if that is where it goes. */
static bool keep(unsigned order, uint32_t unit)
{
	struct kept *kept;

	if (!is_kept(order) || iopt_posix_poison || !cache)
		return false;
	kept = kept_of(order);
	if (kept->nr == CACHE_TABLES) {
		kept->nr -= CACHE_BATCH;
		iopt_posix_pool_put(order, kept->units + kept->nr, CACHE_BATCH);
	}
	kept->units[kept->nr++] = unit;
	return true;
}

void iopt_host_table_free(struct iopt_table *list)
{
	struct iopt_table *next;
	unsigned order;
	uint32_t unit;

	for (; list; list = next) {
		next = list->next;
		order = order_of(list->size_lg2);
		unit = unit_of(list);
		retire(list);
		count_free(1ull << order);
		if (!keep(order, unit))
			iopt_posix_pool_put(order, &unit, 1);
	}
}

/* Puts what it collects whenever the order changes: nearly never. */
void iopt_posix_reclaim(struct iopt_table *list)
{
	struct iopt_table *next;
	uint32_t units[CACHE_TABLES];
	unsigned nr = 0, order = 0;

	for (; list; list = next) {
		next = list->next;
		if (nr == CACHE_TABLES || (nr && order != order_of(list->size_lg2))) {
			iopt_posix_pool_put(order, units, nr);
			nr = 0;
		}
		order = order_of(list->size_lg2);
		retire(list);
		count_reclaim(1ull << order);
		units[nr++] = unit_of(list);
	}
	iopt_posix_pool_put(order, units, nr);
}

void iopt_host_table_defer(struct iopt_table *list)
{
	struct iopt_table *table;
	uint64_t nr = 0, extra = 0;

	for (table = list; table; table = table->next) {
		set_state(table, IOPT_POSIX_WAITING);
		nr += units_of(table);
		extra += extra_of(units_of(table));
	}
	count_defer(nr, extra);
#ifdef IOPT_MUTANT_FREE_WITHOUT_RCU
	iopt_posix_reclaim(list);
#else
	iopt_posix_rcu_defer(list);
#endif
}

void iopt_posix_barrier(void)
{
	iopt_posix_rcu_barrier();
}

/* ---- the engine's own objects -------------------------------------------------------------- */

void *iopt_host_alloc(size_t bytes)
{
	void *memory = NULL;

	if (!iopt_posix_fails() && !posix_memalign(&memory, IOPT_HOST_LINE, bytes))
		memset(memory, 0, bytes);
	return memory;
}

void iopt_host_free(void *memory)
{
	free(memory);
}
