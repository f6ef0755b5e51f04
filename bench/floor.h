/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The floor: the least scalar code that does by hand the loads and stores which the engine must do
 * for one row of the benchmark table.
 *
 * Four levels, 512 entries of 8 bytes, every level known beforehand, every table there already. No
 * validation, no read section, no gather, no statistics, no dirty tracking, no second format. What
 * it keeps of the protocol is what costs memory traffic: the lowest entry of a run is taken by
 * compare-and-exchange, the others are loaded, seen to be empty and stored; unmap loads an entry
 * and sees that it is a leaf before it stores; a sweep records before it clears and clears by one
 * locked bit operation.
 *
 * It is its own translation unit, called like a library: both sides of a ratio pay the call.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

/* Second-stage entries, as in Linux drivers/iommu/generic_pt/fmt/vtdss.h, VTDSS_FMT_*. */
#define FLOOR_R	 (1ull << 0)
#define FLOOR_W	 (1ull << 1)
#define FLOOR_RW (FLOOR_R | FLOOR_W)
#define FLOOR_PS (1ull << 7)
#define FLOOR_A	 (1ull << 8)
#define FLOOR_D	 (1ull << 9)
#define FLOOR_OA 0x000ffffffffff000ull

/* AMD host-table entries, as in Linux drivers/iommu/generic_pt/fmt/amdv1.h, AMDV1PT_FMT_*. */
#define FLOOR_AMD_PR	  (1ull << 0)
#define FLOOR_AMD_D	  (1ull << 6)
#define FLOOR_AMD_NL(n)	  ((uint64_t)(n) << 9)
#define FLOOR_AMD_NL_SIZE 7
#define FLOOR_AMD_RW	  (3ull << 61)
/* A leaf of 256 KiB: the lowest zero of the address is bit 17, so bits 12 to 16 are ones. */
#define FLOOR_AMD_256K	  (FLOOR_AMD_PR | FLOOR_AMD_RW | FLOOR_AMD_NL(FLOOR_AMD_NL_SIZE) | 0x1f000)

#define FLOOR_ENTRIES 512u

/* root: the level-3 table. base: what to add to a physical address to reach the memory. */
struct floor {
	uint64_t *root;
	uintptr_t base;
};

/*
 * The run functions take an iova and a count that stay inside one table; `leaf` is the first
 * entry's value. All of them say how many entries they did: fewer than asked for means that one was
 * not what it had to be, and nothing is rolled back.
 */
bool floor_map_4k(const struct floor *f, uint64_t iova, uint64_t leaf);
bool floor_unmap_4k(const struct floor *f, uint64_t iova);
unsigned int floor_map_run_4k(const struct floor *f, uint64_t iova, uint64_t leaf, unsigned int n);
unsigned int floor_unmap_run_4k(const struct floor *f, uint64_t iova, unsigned int n);

bool floor_map_2m(const struct floor *f, uint64_t iova, uint64_t leaf);
bool floor_unmap_2m(const struct floor *f, uint64_t iova);
unsigned int floor_map_run_2m(const struct floor *f, uint64_t iova, uint64_t leaf, unsigned int n);
unsigned int floor_unmap_run_2m(const struct floor *f, uint64_t iova, unsigned int n);

/* Takes a whole level-0 table out of its parent; returns the entry removed, 0 if none was there. */
uint64_t floor_unlink_2m(const struct floor *f, uint64_t iova);

/* One AMD v1 leaf of n replicated entries (64 for 256 KiB), all of the same value. */
unsigned int floor_map_amd(const struct floor *f, uint64_t iova, uint64_t leaf, unsigned int n);
unsigned int floor_unmap_amd(const struct floor *f, uint64_t iova, unsigned int n);

/* Physical address behind iova (4K leaves only), ~0 where nothing is mapped. */
uint64_t floor_translate(const struct floor *f, uint64_t iova);

/*
 * Looks at every level-0 entry of the `tables` tables that begin at iova (a multiple of 2 MiB),
 * sets the bit of each dirty page in `bitmap` (bit 0 is the page at iova), clears its dirty bit and
 * says how many it cleared.
 */
unsigned long floor_sweep(const struct floor *f, uint64_t iova, unsigned long tables,
			  uint64_t *bitmap);

/* Whether the level-0 table of iova holds 512 leaves that continue each other. */
bool floor_continues(const struct floor *f, uint64_t iova);
/* Whether it holds anything: looks at its entries up to the first that is in use. */
bool floor_in_use(const struct floor *f, uint64_t iova);

/* Pages that floor_read_pages() is ahead of what it reads. */
#define FLOOR_AHEAD 4u

/*
 * What one core reads of memory, one load a cache line: in sequence; or page by page in the order
 * of a list, which holds FLOOR_AHEAD pages more than are read, since each is fetched that long
 * before. Both return something that depends on all of it.
 */
uint64_t floor_read(const uint64_t *memory, unsigned long bytes);
uint64_t floor_read_pages(const void *const *pages, unsigned long nr);

#endif
