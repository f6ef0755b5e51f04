/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The floor of the benchmark table; floor.h says what it keeps and what it leaves out. */
#include "floor.h"

static inline uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void store(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline bool take(uint64_t *p, uint64_t old, uint64_t v)
{
	return __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static inline uint64_t *table(const struct floor *f, uint64_t entry)
{
	return (uint64_t *)(f->base + (entry & FLOOR_OA));
}

/* The level-1 entry of iova. */
static inline uint64_t *slot_2m(const struct floor *f, uint64_t iova)
{
	uint64_t *t = f->root;

	t = table(f, load(&t[(iova >> 39) & 511]));
	t = table(f, load(&t[(iova >> 30) & 511]));
	return &t[(iova >> 21) & 511];
}

/* The level-0 entry of iova. */
static inline uint64_t *slot_4k(const struct floor *f, uint64_t iova)
{
	return &table(f, load(slot_2m(f, iova)))[(iova >> 12) & 511];
}

static inline bool clear_leaf(uint64_t *p)
{
	if (!(load(p) & FLOOR_RW))
		return false;
	store(p, 0);
	return true;
}

static inline unsigned int fill(uint64_t *p, uint64_t leaf, uint64_t step, unsigned int n)
{
	unsigned int i;

	if (!take(p, 0, leaf))
		return 0;
	for (i = 1; i < n; i++) {
		leaf += step;
		if (load(&p[i]))
			break;
		store(&p[i], leaf);
	}
	return i;
}

static inline unsigned int empty(uint64_t *p, uint64_t present, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!(load(&p[i]) & present))
			break;
		store(&p[i], 0);
	}
	return i;
}

bool floor_map_4k(const struct floor *f, uint64_t iova, uint64_t leaf)
{
	return take(slot_4k(f, iova), 0, leaf);
}

bool floor_unmap_4k(const struct floor *f, uint64_t iova)
{
	return clear_leaf(slot_4k(f, iova));
}

unsigned int floor_map_run_4k(const struct floor *f, uint64_t iova, uint64_t leaf, unsigned int n)
{
	return fill(slot_4k(f, iova), leaf, 1ull << 12, n);
}

unsigned int floor_unmap_run_4k(const struct floor *f, uint64_t iova, unsigned int n)
{
	return empty(slot_4k(f, iova), FLOOR_RW, n);
}

bool floor_map_2m(const struct floor *f, uint64_t iova, uint64_t leaf)
{
	return take(slot_2m(f, iova), 0, leaf);
}

bool floor_unmap_2m(const struct floor *f, uint64_t iova)
{
	return clear_leaf(slot_2m(f, iova));
}

unsigned int floor_map_run_2m(const struct floor *f, uint64_t iova, uint64_t leaf, unsigned int n)
{
	return fill(slot_2m(f, iova), leaf, 1ull << 21, n);
}

unsigned int floor_unmap_run_2m(const struct floor *f, uint64_t iova, unsigned int n)
{
	return empty(slot_2m(f, iova), FLOOR_RW, n);
}

uint64_t floor_unlink_2m(const struct floor *f, uint64_t iova)
{
	uint64_t *p = slot_2m(f, iova);
	uint64_t e = load(p);

	return take(p, e, 0) ? e : 0;
}

unsigned int floor_map_amd(const struct floor *f, uint64_t iova, uint64_t leaf, unsigned int n)
{
	return fill(slot_4k(f, iova), leaf, 0, n);
}

unsigned int floor_unmap_amd(const struct floor *f, uint64_t iova, unsigned int n)
{
	return empty(slot_4k(f, iova), FLOOR_AMD_PR, n);
}

uint64_t floor_translate(const struct floor *f, uint64_t iova)
{
	uint64_t e = load(slot_4k(f, iova));

	return e & FLOOR_RW ? (e & FLOOR_OA) | (iova & 0xfff) : ~0ull;
}

unsigned long floor_sweep(const struct floor *f, uint64_t iova, unsigned long tables,
			  uint64_t *bitmap)
{
	unsigned long dirty = 0;

	for (; tables; tables--, iova += 1ull << 21, bitmap += FLOOR_ENTRIES / 64) {
		uint64_t *t = slot_4k(f, iova);

		for (unsigned int i = 0; i < FLOOR_ENTRIES; i++) {
			if (!(load(&t[i]) & FLOOR_D))
				continue;
			bitmap[i / 64] |= 1ull << (i % 64);
			/* One bit whose old value is used: compilers for x86 emit `lock btr`. */
			dirty +=
				!!(__atomic_fetch_and(&t[i], ~FLOOR_D, __ATOMIC_RELAXED) & FLOOR_D);
		}
	}
	return dirty;
}

bool floor_continues(const struct floor *f, uint64_t iova)
{
	const uint64_t *t = slot_4k(f, iova);
	uint64_t first = load(&t[0]), other = 0;

	for (unsigned int i = 1; i < FLOOR_ENTRIES; i++)
		other |= load(&t[i]) ^ (first + ((uint64_t)i << 12));
	return (first & FLOOR_RW) && !other;
}

bool floor_in_use(const struct floor *f, uint64_t iova)
{
	const uint64_t *t = slot_4k(f, iova);
	unsigned int i = 0;

	while (i < FLOOR_ENTRIES && !load(&t[i]))
		i++;
	return i < FLOOR_ENTRIES;
}

/* Words of a cache line. */
#define LINE 8

uint64_t floor_read(const uint64_t *memory, unsigned long bytes)
{
	uint64_t any = 0;

	for (unsigned long i = 0; i < bytes / sizeof(*memory); i += LINE)
		any |= load(&memory[i]);
	return any;
}

/* Eight lines at a time: fetches that are not mixed with loads finish sooner. */
static inline uint64_t read_word(const uint64_t *page, const uint64_t *ahead, unsigned int i)
{
	uint64_t any = 0;

	for (unsigned int j = i; j < i + 8 * LINE; j += LINE)
		__builtin_prefetch(&ahead[j]);
	for (unsigned int j = i; j < i + 8 * LINE; j += LINE)
		any |= load(&page[j]);
	return any;
}

uint64_t floor_read_pages(const void *const *pages, unsigned long nr)
{
	uint64_t any = 0;

	for (; nr; nr--, pages++)
		for (unsigned int i = 0; i < FLOOR_ENTRIES; i += 8 * LINE)
			any |= read_word(pages[0], pages[FLOOR_AHEAD], i);
	return any;
}
