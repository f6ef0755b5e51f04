/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where table memory comes from: the arena, its chunks, and pools of free tables. Who uses a table,
 * and what is counted, is in memory.c.
 *
 * The arena is address space without access. Chunks of it are made accessible one after the other,
 * from its start, so that a walk that went astray crashes rather than reads something; they are
 * never given back. A chunk holds tables of one order, behind its descriptors (see host.h).
 *
 * A pool is a ring of numbers of units of 1 KiB. Normally tables are taken where they were put
 * last, for they may still be in a processor's cache; with poison the other end is used, and fresh
 * chunks are preferred, so that a freed table is left alone for long. One lock guards all of this:
 * threads come here once in many tables only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "hosts/posix/internal.h"

#define ARENA_BYTES_DEFAULT (64ull << 30)
#define ARENA_BYTES_LEAST   (256ull << 20)

/* Numbers of units have 32 bits. */
#define ARENA_BYTES_MAX (4ull << 40)

/* Physical addresses end here: IOPT_POSIX_POISON cut to 52 bits, as entries hold, lies above. */
#define ARENA_PA_END (1ull << 51)

#define CHUNK_UNITS (1u << (IOPT_POSIX_CHUNK_LG2 - IOPT_POSIX_UNIT_LG2))

/* A random order of 4 KiB tables is one over this much memory; of larger ones, over a chunk. */
#define SHUFFLE_CHUNKS 16u

/* With poison, free tables are used again when there are this many, or no fresh ones. */
#define QUARANTINE_TABLES (1u << 16)

/**
 * struct pool - free tables of one order
 * @ring:     numbers of their first units; space for all that the arena can hold
 * @capacity: of the ring
 * @oldest:   where it begins
 * @nr:       how many there are
 * @nr_fresh: how many of them, the oldest, were never used; with poison only
 */
struct pool {
	uint32_t *ring;
	uint64_t capacity;
	uint64_t oldest;
	uint64_t nr;
	uint64_t nr_fresh;
};

uint64_t iopt_posix_offset;
uint64_t iopt_posix_base;
bool iopt_posix_poison;
uintptr_t iopt_posix_image;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/**
 * struct arena - the address space that an arena takes
 * @start:       where it is mapped
 * @bytes:       how large it is
 * @image:       where its image is mapped, or NULL
 * @rings:       of the pools, one behind the other
 * @rings_bytes: size of that mapping
 */
struct arena {
	char *start;
	uint64_t bytes;
	char *image;
	uint32_t *rings;
	size_t rings_bytes;
};

/* There is an arena; atomic, stored under the lock when all of it is set up. */
static bool made;

/* Chunks that are accessible; atomic, stored under the lock when they are. */
static uint64_t nr_chunks;

/* Constant while there is an arena. */
static struct arena arena;
static bool shuffling;

/* Under the lock. */
static struct pool pools[IOPT_POSIX_ORDERS];
static unsigned short random_state[3];

/* ---- the arena ----------------------------------------------------------------------------- */

/* Address space of a multiple of a chunk, aligned to chunks, without access. */
static void *reserve(uint64_t bytes)
{
	uint64_t slack = IOPT_POSIX_CHUNK_BYTES;
	char *start, *aligned;

	start = mmap(NULL, bytes + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		     -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	aligned = (char *)(((uintptr_t)start + slack - 1) & ~(uintptr_t)(slack - 1));
	if (aligned > start)
		munmap(start, (size_t)(aligned - start));
	munmap(aligned + bytes, (size_t)(start + slack - aligned));
	return aligned;
}

/* Puts the file there instead. Mapped with access first, so that a file that can't be written fails
 * now and not at the first chunk. */
static int map_file(void *start, const struct iopt_posix_config *config)
{
	if (mmap(start, config->bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, config->fd,
		 (off_t)config->offset) == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : -EINVAL;
	return mprotect(start, config->bytes, PROT_NONE) ? -ENOMEM : 0;
}

static void unmap_arena(const struct arena *old)
{
	munmap(old->start, old->bytes);
	if (old->image)
		munmap(old->image, old->bytes);
	if (old->rings)
		munmap(old->rings, old->rings_bytes);
}

/* The rings' pages come into being when they are used: all orders together need at most twice what
 * the smallest one does. */
static int map_rings(struct arena *fresh)
{
	void *rings;

	fresh->rings_bytes = 2 * (fresh->bytes >> IOPT_POSIX_UNIT_LG2) * sizeof(*fresh->rings);
	rings = mmap(NULL, fresh->rings_bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (rings == MAP_FAILED)
		return -ENOMEM;
	fresh->rings = rings;
	return 0;
}

static int map_image(struct arena *fresh)
{
	void *image = mmap(NULL, fresh->bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (image == MAP_FAILED)
		return -ENOMEM;
	fresh->image = image;
	return 0;
}

static int map_arena(const struct iopt_posix_config *config, struct arena *fresh)
{
	int error = 0;

	iopt_posix_rcu_start();
	*fresh = (struct arena){ .start = reserve(config->bytes), .bytes = config->bytes };
	if (!fresh->start)
		return -ENOMEM;
	if (config->fd >= 0)
		error = map_file(fresh->start, config);
	if (!error && config->image)
		error = map_image(fresh);
	if (!error)
		error = map_rings(fresh);
	if (error) {
		unmap_arena(fresh);
		return error;
	}
	/* Worth having; where the system has no huge pages, small ones do. */
	(void)madvise(fresh->start, fresh->bytes, MADV_HUGEPAGE);
	return 0;
}

static void seed_random(uint64_t seed)
{
	random_state[0] = (unsigned short)seed;
	random_state[1] = (unsigned short)(seed >> 16);
	random_state[2] = (unsigned short)(seed >> 32 ^ seed >> 48);
}

/* Under the lock; nobody uses tables. */
static void use_arena(const struct iopt_posix_config *config, const struct arena *fresh)
{
	uint64_t tables = fresh->bytes >> IOPT_POSIX_UNIT_LG2;
	uint32_t *ring = fresh->rings;
	unsigned order;

	arena = *fresh;
	iopt_posix_base = config->base;
	iopt_posix_offset = (uintptr_t)fresh->start - config->base;
	iopt_posix_poison = config->poison;
	iopt_posix_image = fresh->image ? (uintptr_t)fresh->image - (uintptr_t)fresh->start : 0;
	shuffling = config->shuffle;
	seed_random(config->shuffle);
	for (order = 0; order < IOPT_POSIX_ORDERS; order++) {
		pools[order] = (struct pool){ .ring = ring, .capacity = tables >> order };
		ring += tables >> order;
	}
	__atomic_store_n(&nr_chunks, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&made, true, __ATOMIC_RELEASE);
}

bool iopt_posix_arena_make(void)
{
	struct iopt_posix_config config = { .bytes = ARENA_BYTES_DEFAULT, .fd = -1 };
	struct arena fresh;
	int error = -ENOMEM;

	if (__atomic_load_n(&made, __ATOMIC_ACQUIRE))
		return true;
	pthread_mutex_lock(&lock);
	/* Less of it where address space is short: under a limit, or under valgrind. */
	for (; !made && error && config.bytes >= ARENA_BYTES_LEAST; config.bytes /= 2) {
		error = map_arena(&config, &fresh);
		if (!error)
			use_arena(&config, &fresh);
	}
	pthread_mutex_unlock(&lock);
	return __atomic_load_n(&made, __ATOMIC_ACQUIRE);
}

static bool chunk_aligned(uint64_t value)
{
	return value % IOPT_POSIX_CHUNK_BYTES == 0;
}

static bool file_holds(const struct iopt_posix_config *config)
{
	struct stat stat;

	return config->fd == -1 ||
	       (fstat(config->fd, &stat) == 0 && config->bytes <= (uint64_t)stat.st_size &&
		config->offset <= (uint64_t)stat.st_size - config->bytes);
}

/* 0, or why this arena can't be. */
static int check_config(const struct iopt_posix_config *config)
{
	if (!chunk_aligned(config->bytes) || !chunk_aligned(config->base) ||
	    !chunk_aligned(config->offset) || config->base >= ARENA_PA_END)
		return -EINVAL;
	if (config->bytes > ARENA_BYTES_MAX)
		return -ENOMEM;
	if (config->bytes > ARENA_PA_END - config->base || !file_holds(config))
		return -EINVAL;
	return 0;
}

/* The old arena stays until nothing can fail any more. */
int iopt_posix_setup(const struct iopt_posix_config *config)
{
	struct iopt_posix_config wanted;
	struct arena fresh;
	int error;

	if (!config)
		return -EINVAL;
	wanted = *config;
	if (!wanted.bytes)
		wanted.bytes = ARENA_BYTES_DEFAULT;
	error = check_config(&wanted);
	if (!error)
		error = map_arena(&wanted, &fresh);
	if (error)
		return error;

	iopt_posix_barrier();
	if (!iopt_posix_memory_reset()) {
		unmap_arena(&fresh);
		return -EBUSY;
	}
	pthread_mutex_lock(&lock);
	if (made)
		unmap_arena(&arena);
	use_arena(&wanted, &fresh);
	pthread_mutex_unlock(&lock);
	return 0;
}

uint64_t iopt_posix_arena_chunks(void)
{
	return __atomic_load_n(&nr_chunks, __ATOMIC_ACQUIRE) << IOPT_POSIX_CHUNK_LG2;
}

void *iopt_posix_va(uint64_t pa)
{
	if (!__atomic_load_n(&made, __ATOMIC_ACQUIRE) || pa - iopt_posix_base >= arena.bytes)
		return NULL;
	return iopt_host_va(pa);
}

void *iopt_posix_image_va(uint64_t pa)
{
	char *va = iopt_posix_va(pa);

	return va && iopt_posix_image ? va + iopt_posix_image : NULL;
}

/* ---- pools --------------------------------------------------------------------------------- */

/* Modulo is fair enough for this. */
static uint64_t random_below(uint64_t limit)
{
	return (uint64_t)nrand48(random_state) % limit;
}

static uint32_t *pool_at(const struct pool *pool, uint64_t index)
{
	uint64_t at = pool->oldest + index;

	return &pool->ring[at < pool->capacity ? at : at - pool->capacity];
}

static void pool_put_newest(struct pool *pool, uint32_t unit)
{
	*pool_at(pool, pool->nr++) = unit;
}

static void pool_put_oldest(struct pool *pool, uint32_t unit)
{
	pool->oldest = (pool->oldest ? pool->oldest : pool->capacity) - 1;
	pool->nr++;
	*pool_at(pool, 0) = unit;
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t was = *a;

	*a = *b;
	*b = was;
}

static uint32_t pool_take_newest(struct pool *pool)
{
	uint32_t *newest = pool_at(pool, pool->nr - 1);

	if (shuffling)
		swap(newest, pool_at(pool, random_below(pool->nr)));
	pool->nr--;
	return *newest;
}

/* Fresh ones, if any; in a random order if wanted. Those that were used keep theirs, so that each
 * is left alone as long as the others. */
static uint32_t pool_take_oldest(struct pool *pool)
{
	uint32_t *oldest = pool_at(pool, 0);
	uint32_t unit;

	if (shuffling && pool->nr_fresh)
		swap(oldest, pool_at(pool, random_below(pool->nr_fresh)));
	unit = *oldest;
	if (pool->nr_fresh)
		pool->nr_fresh--;
	pool->nr--;
	pool->oldest = pool->oldest + 1 < pool->capacity ? pool->oldest + 1 : 0;
	return unit;
}

/* Bytes at the start of a chunk that hold its descriptors: one a page, or one a unit. */
static unsigned head_bytes(unsigned order)
{
	unsigned nr = order < IOPT_POSIX_PAGE_ORDER ? CHUNK_UNITS : IOPT_POSIX_CHUNK_PAGES;

	return nr * (unsigned)sizeof(struct iopt_table);
}

static void poison(char *start, size_t bytes)
{
	uint64_t *words = (uint64_t *)start;

	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = IOPT_POSIX_POISON;
}

/* Makes a chunk accessible and puts its tables into a pool, so that lower ones are taken first.
 * Descriptors start zeroed: a file may hold anything. */
static bool take_chunk(struct pool *pool, unsigned order)
{
	uint64_t chunk = nr_chunks;
	uint32_t first = (uint32_t)(chunk * CHUNK_UNITS);
	uint32_t step = 1u << order;
	char *start = arena.start + (chunk << IOPT_POSIX_CHUNK_LG2);
	uint32_t head = head_bytes(order), unit;

	if (chunk << IOPT_POSIX_CHUNK_LG2 >= arena.bytes)
		return false;
	if (mprotect(start, IOPT_POSIX_CHUNK_BYTES, PROT_READ | PROT_WRITE))
		return false;
	memset(start, 0, head);
	((struct iopt_table *)(void *)start)->size_lg2 = (uint8_t)(IOPT_POSIX_UNIT_LG2 + order);
	if (iopt_posix_poison && iopt_posix_image)
		poison(start + iopt_posix_image, IOPT_POSIX_CHUNK_BYTES);
	__atomic_store_n(&nr_chunks, chunk + 1, __ATOMIC_RELEASE);

	for (unit = CHUNK_UNITS - step; unit << IOPT_POSIX_UNIT_LG2 >= head; unit -= step) {
		if (iopt_posix_poison) {
			pool_put_oldest(pool, first + unit);
			pool->nr_fresh++;
		} else {
			pool_put_newest(pool, first + unit);
		}
	}
	return true;
}

static void pool_grow(struct pool *pool, unsigned order)
{
	unsigned nr = shuffling && order <= IOPT_POSIX_PAGE_ORDER ? SHUFFLE_CHUNKS : 1;

	while (nr && take_chunk(pool, order))
		nr--;
}

static bool pool_should_grow(const struct pool *pool)
{
	return !pool->nr || (iopt_posix_poison && !pool->nr_fresh && pool->nr < QUARANTINE_TABLES);
}

unsigned iopt_posix_pool_take(unsigned order, uint32_t *units, unsigned nr)
{
	struct pool *pool = &pools[order];
	unsigned taken = 0;

	pthread_mutex_lock(&lock);
	while (taken < nr) {
		/* The rest of a batch is worth no chunk, unless used ones would have to serve. */
		if ((!taken || iopt_posix_poison) && pool_should_grow(pool))
			pool_grow(pool, order);
		if (!pool->nr)
			break;
		units[taken++] = iopt_posix_poison ? pool_take_oldest(pool)
						   : pool_take_newest(pool);
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

void iopt_posix_pool_put(unsigned order, const uint32_t *units, unsigned nr)
{
	struct pool *pool = &pools[order];
	unsigned i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < nr; i++)
		pool_put_newest(pool, units[i]);
	pthread_mutex_unlock(&lock);
}
