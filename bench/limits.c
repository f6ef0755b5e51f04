/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Raw limits: what the memory and the processor of this machine do, whatever the tables. */
#include "bench/bench.h"

#include <string.h>
#include <sys/mman.h>

#define LIMIT_BYTES MIB(256)
#define LIMIT_CAS   4096

static uint64_t sink;

static double fill_ns(void *memory)
{
	double start = now_ns();

	memset(memory, 1, LIMIT_BYTES);
	__asm__ volatile("" : : "r"(memory) : "memory");
	return now_ns() - start;
}

/* One load a cache line: the read bandwidth, not the loads that the core can do. */
static double read_ns(const uint64_t *memory)
{
	double start = now_ns();
	uint64_t sum = 0;

	for (size_t i = 0; i < LIMIT_BYTES / sizeof(*memory); i += 8)
		sum += memory[i];
	sink += sum;
	return now_ns() - start;
}

/* Entries of one table in the first-level cache, uncontended. */
static double cas_ns(uint64_t *table)
{
	double start = now_ns();

	for (unsigned i = 0; i < LIMIT_CAS; i++) {
		uint64_t old = 0;

		__atomic_compare_exchange_n(&table[i % FLOOR_ENTRIES], &old, 0, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	return (now_ns() - start) / LIMIT_CAS;
}

void limits_measure(struct limits *limits)
{
	uint64_t *memory = bench_map(LIMIT_BYTES), table[FLOOR_ENTRIES] = { 0 };
	struct samples fill = { 0 }, read = { 0 }, cas = { 0 };

	for (unsigned i = 0; i < 10; i++) {
		samples_add(&fill, fill_ns(memory));
		samples_add(&read, read_ns(memory));
	}
	for (unsigned i = 0; i < 100; i++)
		samples_add(&cas, cas_ns(table));

	limits->fill_gbs = (double)LIMIT_BYTES / samples_best(&fill, false);
	limits->read_gbs = (double)LIMIT_BYTES / samples_best(&read, false);
	limits->cas_ns = samples_best(&cas, false);
	samples_free(&fill);
	samples_free(&read);
	samples_free(&cas);
	munmap(memory, LIMIT_BYTES);
}
