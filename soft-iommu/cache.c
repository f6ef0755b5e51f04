/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The caches of a device, and the gate before them. A cache is a hash of translations or table
 * pointers of any power-of-two size, with linear probing and without tombstones. It grows as it
 * must: what an IOMMU may keep, this one keeps.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#define FIRST_LG2  6u  /* slots of a cache when something is first put in */
#define KEPT_LG2   12u /* slots that a cache keeps even if they are empty */
#define SPARSE_LG2 4u  /* a larger one gives up half of them when fewer than 1 in 2^n is in use */

/* Neighbours lie in one another's cache line: devices and invalidations go through ranges. */
#define NEIGHBOURS_LG2 3u

static uint64_t make_key(uint64_t iova, unsigned lg2)
{
	return iova >> lg2 << 6 | lg2;
}

static uint64_t home(const struct soft_cache *cache, uint64_t key)
{
	uint64_t page = key >> 6;
	uint64_t hash = (page >> NEIGHBOURS_LG2) ^ (key & 63) << 58;

	/* Multiplicative hashing with 2^64 divided by the golden ratio. */
	hash = hash * 0x9e3779b97f4a7c15ull >> (64 - cache->lg2);
	return (hash ^ (page & ((1u << NEIGHBOURS_LG2) - 1))) & ((1ull << cache->lg2) - 1);
}

static uint64_t after(const struct soft_cache *cache, uint64_t index)
{
	return (index + 1) & ((1ull << cache->lg2) - 1);
}

void soft_cache_fini(struct soft_cache *cache)
{
	free(cache->slots);
	*cache = (struct soft_cache){ 0 };
}

static struct soft_slot *find(const struct soft_cache *cache, uint64_t key)
{
	uint64_t index;

	for (index = home(cache, key); cache->slots[index].key; index = after(cache, index))
		if (cache->slots[index].key == key)
			return &cache->slots[index];
	return NULL;
}

struct soft_slot *soft_cache_find(const struct soft_cache *cache, uint64_t iova, unsigned lg2)
{
	return cache->sizes >> lg2 & 1 ? find(cache, make_key(iova, lg2)) : NULL;
}

struct soft_slot *soft_cache_find_any(const struct soft_cache *cache, uint64_t iova)
{
	uint64_t sizes;

	for (sizes = cache->sizes; sizes; sizes &= sizes - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(sizes);
		struct soft_slot *slot = find(cache, make_key(iova, lg2));

		if (slot)
			return slot;
	}
	return NULL;
}

static void count(struct soft_cache *cache, unsigned lg2)
{
	cache->used++;
	cache->of_size[lg2]++;
	cache->sizes |= 1ull << lg2;
}

static void uncount(struct soft_cache *cache, unsigned lg2)
{
	cache->used--;
	if (!--cache->of_size[lg2])
		cache->sizes &= ~(1ull << lg2);
}

/* Where a key belongs that is not in yet. */
static struct soft_slot *vacancy(const struct soft_cache *cache, uint64_t key)
{
	uint64_t index = home(cache, key);

	while (cache->slots[index].key)
		index = after(cache, index);
	return &cache->slots[index];
}

static bool resize(struct soft_cache *cache, unsigned lg2)
{
	struct soft_cache other = *cache;
	uint64_t index;

	other.lg2 = lg2;
	other.slots = calloc(1ull << lg2, sizeof(*other.slots));
	if (!other.slots)
		return false;
	for (index = 0; cache->slots && index < 1ull << cache->lg2; index++)
		if (cache->slots[index].key)
			*vacancy(&other, cache->slots[index].key) = cache->slots[index];
	free(cache->slots);
	*cache = other;
	return true;
}

/* At most half full, so that probes stay short. */
static bool make_room(struct soft_cache *cache)
{
	if (!cache->slots)
		return resize(cache, FIRST_LG2);
	return cache->used < 1ull << (cache->lg2 - 1) || resize(cache, cache->lg2 + 1);
}

void soft_cache_put(struct soft_cache *cache, uint64_t iova, unsigned lg2, uint64_t pa,
		    uint32_t generation, uint32_t flags)
{
	struct soft_slot *slot = soft_cache_find(cache, iova, lg2);

	if (!slot) {
		if (!make_room(cache))
			return;
		slot = vacancy(cache, make_key(iova, lg2));
		count(cache, lg2);
	}
	*slot = (struct soft_slot){
		.key = make_key(iova, lg2),
		.pa = pa,
		.generation = generation,
		.flags = flags,
	};
}

/* Take a slot out and close the gap, so that no probe ends in it too early. */
static void take(struct soft_cache *cache, uint64_t hole)
{
	uint64_t mask = (1ull << cache->lg2) - 1;
	uint64_t index;

	uncount(cache, cache->slots[hole].key & 63);
	for (index = after(cache, hole); cache->slots[index].key; index = after(cache, index)) {
		uint64_t start = home(cache, cache->slots[index].key);

		/* It may move up unless its home lies behind the hole. */
		if (((index - start) & mask) >= ((index - hole) & mask)) {
			cache->slots[hole] = cache->slots[index];
			hole = index;
		}
	}
	cache->slots[hole].key = 0;
}

static void drop_by_scan(struct soft_cache *cache, unsigned lg2, uint64_t first, uint64_t last)
{
	uint64_t index = 0;

	while (index < 1ull << cache->lg2 && cache->of_size[lg2]) {
		uint64_t key = cache->slots[index].key;

		/* What take() moves here has yet to be looked at. */
		if (key && (key & 63) == lg2 && key >> 6 >= first && key >> 6 <= last)
			take(cache, index);
		else
			index++;
	}
}

static void drop_size(struct soft_cache *cache, unsigned lg2, uint64_t first, uint64_t last)
{
	uint64_t page;

	first >>= lg2;
	last >>= lg2;
	/* A look-up costs about as much as a few slots in a row. */
	if (last - first >= 1ull << cache->lg2 >> 2) {
		drop_by_scan(cache, lg2, first, last);
		return;
	}
	for (page = first; page <= last && cache->of_size[lg2]; page++) {
		struct soft_slot *slot = find(cache, page << 6 | lg2);

		if (slot)
			take(cache, (uint64_t)(slot - cache->slots));
	}
}

void soft_cache_drop(struct soft_cache *cache, uint64_t first, uint64_t last)
{
	uint64_t sizes;

	for (sizes = cache->sizes; sizes; sizes &= sizes - 1)
		drop_size(cache, (unsigned)__builtin_ctzll(sizes), first, last);
	while (cache->lg2 > KEPT_LG2 && cache->used < 1ull << cache->lg2 >> SPARSE_LG2)
		if (!resize(cache, cache->lg2 - 1))
			break;
}

void soft_cache_drop_all(struct soft_cache *cache)
{
	if (!cache->used)
		return;
	if (cache->lg2 > KEPT_LG2) {
		soft_cache_fini(cache);
		return;
	}
	memset(cache->slots, 0, sizeof(*cache->slots) << cache->lg2);
	memset(cache->of_size, 0, sizeof(cache->of_size));
	cache->used = 0;
	cache->sizes = 0;
}

void soft_cache_evict(struct soft_cache *cache, uint64_t random)
{
	uint64_t index;

	if (!cache->used)
		return;
	index = random & ((1ull << cache->lg2) - 1);
	if (cache->slots[index].key)
		take(cache, index);
}

/* Spin at first, then make room: the holder may have lost its processor. */
static void wait_a_moment(unsigned *turns)
{
	static const struct timespec nap = { .tv_nsec = 50000 };

	++*turns;
	if (*turns >= 256)
		nanosleep(&nap, NULL);
	else if (*turns >= 64)
		sched_yield();
}

static bool try_hold(struct soft_gate *gate)
{
	return !__atomic_load_n(&gate->held, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&gate->held, 1, __ATOMIC_ACQUIRE);
}

void soft_gate_enter(struct soft_gate *gate)
{
	unsigned turns = 0;

	/* Politeness has an end, else invalidations without a pause would starve the device. */
	while (__atomic_load_n(&gate->waiting, __ATOMIC_RELAXED) && turns < 300)
		wait_a_moment(&turns);
	while (!try_hold(gate))
		wait_a_moment(&turns);
}

void soft_gate_close(struct soft_gate *gate)
{
	unsigned turns = 0;

	if (try_hold(gate))
		return;
	__atomic_fetch_add(&gate->waiting, 1, __ATOMIC_RELAXED);
	while (!try_hold(gate))
		wait_a_moment(&turns);
	__atomic_fetch_sub(&gate->waiting, 1, __ATOMIC_RELAXED);
}
