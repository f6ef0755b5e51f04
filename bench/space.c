/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The tables that are measured: the floor's from a shuffled pool, the engine's from its host. */
#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>

#include "iopt/posix.h"

#define PAGE_LG2 12u
#define LEVELS	 4u

/* "Physical" addresses of the floor are offsets in the pool. */
static struct {
	char *memory;
	uint32_t *pages;
	size_t left;
} pool;

void pool_init(size_t bytes)
{
	pool.memory = bench_map(bytes);
	pool.left = bytes >> PAGE_LG2;
	pool.pages = rng_order(&bench.rng, pool.left);
}

static uint64_t pool_table(void)
{
	if (!pool.left)
		DIE("the pool of tables is too small");
	return (uint64_t)pool.pages[--pool.left] << PAGE_LG2;
}

static unsigned span_lg2(unsigned level)
{
	return PAGE_LG2 + 9 * level;
}

static uint64_t *slot(uint64_t *table, uint64_t iova, unsigned level)
{
	return &table[(iova >> span_lg2(level)) % FLOOR_ENTRIES];
}

static uint64_t *child(const struct floor *f, const uint64_t *entry)
{
	return (uint64_t *)(f->base + (__atomic_load_n(entry, __ATOMIC_RELAXED) & FLOOR_OA));
}

void space_tables(struct space *space, uint64_t first, uint64_t last, unsigned level)
{
	const struct floor *f = &space->floor;
	uint64_t step = 1ull << span_lg2(level + 1);

	for (uint64_t iova = first & ~(step - 1); iova <= last; iova += step) {
		uint64_t *table = f->root;

		for (unsigned l = LEVELS - 1; l > level; l--) {
			uint64_t *entry = slot(table, iova, l);

			if (!*entry)
				*entry = pool_table() | FLOOR_RW;
			table = child(f, entry);
		}
	}
}

void bench_invalidate(void *ctx, const struct iopt_gather *gather)
{
	(void)ctx;
	(void)gather;
}

void bench_top_changed(void *ctx, struct iopt_domain *domain)
{
	(void)ctx;
	(void)domain;
}

void space_init(struct space *space, const char *format, uint32_t flags)
{
	bool grows = iopt_format_find(format)->abilities & IOPT_CAN_GROW;
	struct iopt_config config = {
		.format = format,
		.levels = LEVELS,
		.max_levels = grows ? LEVELS : 0,
		.flags = flags,
		.callbacks = { .invalidate = bench_invalidate,
			       .top_changed = grows ? bench_top_changed : NULL },
	};
	int error = iopt_create(&config, &space->domain);

	if (error)
		DIE("iopt_create %s: %s", format, strerror(-error));
	iopt_gather_init(&space->gather, space->domain, NULL);
	space->floor.base = (uintptr_t)pool.memory;
	space->floor.root = (uint64_t *)(pool.memory + pool_table());
}

void space_fini(struct space *space)
{
	iopt_sync(&space->gather);
	iopt_destroy(space->domain);
}

struct floor engine_view(struct iopt_domain *domain)
{
	struct iopt_hw hw;
	struct floor view;

	iopt_hw(domain, &hw);
	view.root = iopt_posix_va(hw.root);
	view.base = (uintptr_t)view.root - hw.root;
	return view;
}

void engine_map(struct space *space, uint64_t first, uint64_t bytes, uint64_t pa)
{
	int error = iopt_map(space->domain, first, first + bytes - 1, pa, PROT, NULL);

	if (error)
		DIE("iopt_map %#llx: %s", (unsigned long long)first, strerror(-error));
}

void engine_unmap(struct space *space, uint64_t first, uint64_t bytes)
{
	int error = iopt_unmap(space->domain, first, first + bytes - 1, 0, &space->gather, NULL);

	if (error)
		DIE("iopt_unmap %#llx: %s", (unsigned long long)first, strerror(-error));
}

static void set_bits(uint64_t *entry, uint64_t bits)
{
	__atomic_fetch_or(entry, bits, __ATOMIC_RELAXED);
}

/* The level-0 table of iova, and the entries that lead to it by level. */
static uint64_t *walk(const struct floor *f, uint64_t iova, uint64_t *entries[LEVELS])
{
	uint64_t *table = f->root;

	for (unsigned l = LEVELS - 1; l > 0; l--) {
		entries[l] = slot(table, iova, l);
		table = child(f, entries[l]);
	}
	return table;
}

const uint64_t *view_table(const struct floor *f, uint64_t iova)
{
	uint64_t *entries[LEVELS];

	return walk(f, iova, entries);
}

static void access_tables(uint64_t *entries[LEVELS])
{
	for (unsigned l = 1; l < LEVELS; l++)
		set_bits(entries[l], FLOOR_A);
}

void device_read(const struct floor *f, uint64_t iova, unsigned long tables)
{
	uint64_t *entries[LEVELS];

	for (; tables; tables--, iova += MIB(2)) {
		walk(f, iova, entries);
		access_tables(entries);
	}
}

void device_write(const struct floor *f, uint64_t iova, const uint32_t *pages, size_t nr)
{
	uint64_t *entries[LEVELS];

	for (size_t i = 0; i < nr; i++) {
		uint64_t page = iova + ((uint64_t)(pages ? pages[i] : i) << PAGE_LG2);

		set_bits(slot(walk(f, page, entries), page, 0), FLOOR_A | FLOOR_D);
		access_tables(entries);
	}
}
