/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is measured beside the table: AMD v1 under dirty tracking with leaves of every power of two
 * and with 4K, 2M and 1G alone, and the memory that tables take.
 *
 * A device that writes one page sets dirty in the one entry that its walk ends at; the whole leaf
 * is then dirty. Small leaves report what was written, large ones more.
 */
#include "bench/bench.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "iopt/posix.h"

#define REGION	GIB(64)
#define LENGTH	GIB(1)
#define PA_PLUS GIB(4)
#define PAGES	(LENGTH / KIB(4))
#define WRITTEN (PAGES / 100)

static const uint64_t buffers[NR_SIZES / 2] = { KIB(64), KIB(256), MIB(1), MIB(8) };

/* A domain with what its sweeps and unmaps report. */
struct sized {
	struct space space;
	struct iopt_sink sink;
	uint64_t *order;
	size_t nr;
};

void sizes_setup(struct sizes_result results[NR_SIZES])
{
	for (unsigned i = 0; i < NR_SIZES; i++) {
		results[i] = (struct sizes_result){ 0 };
		results[i].buffer = buffers[i / 2];
		results[i].all_sizes = i % 2 == 0;
	}
}

static void sized_init(struct sized *s, const struct sizes_result *result)
{
	struct iopt_config config = {
		.format = "amd-v1",
		.levels = 4,
		.max_levels = 4,
		.page_sizes = result->all_sizes ? 0 : KIB(4) | MIB(2) | GIB(1),
		.flags = IOPT_TRACK,
		.callbacks = { .invalidate = bench_invalidate, .top_changed = bench_top_changed },
	};
	uint32_t *order;
	int error = iopt_create(&config, &s->space.domain);

	if (error)
		DIE("iopt_create amd-v1: %s", strerror(-error));
	s->sink = (struct iopt_sink){
		.words = bench_alloc(PAGES / 8),
		.first = REGION,
		.pages = PAGES,
		.page_lg2 = 12,
	};
	iopt_gather_init(&s->space.gather, s->space.domain, &s->sink);
	s->nr = LENGTH / result->buffer;
	s->order = bench_alloc(s->nr * sizeof(*s->order));
	order = rng_order(&bench.rng, s->nr);
	for (size_t i = 0; i < s->nr; i++)
		s->order[i] = REGION + order[i] * result->buffer;
	free(order);
}

static void sized_fini(struct sized *s)
{
	space_fini(&s->space);
	free(s->sink.words);
	free(s->order);
}

/*
 * The entry that a walk of the device ends at gets its dirty bit. The level is in each entry: next
 * level 1 to 6 is a table, 0 and 7 a leaf; as in Linux drivers/iommu/generic_pt/fmt/amdv1.h,
 * amdv1pt_load_entry_raw().
 */
static void device_writes(struct iopt_domain *domain, uint64_t iova)
{
	struct iopt_hw hw;
	uint64_t *entry, pa;
	unsigned level;

	iopt_hw(domain, &hw);
	pa = hw.root;
	level = hw.levels;
	for (;;) {
		unsigned next;
		uint64_t value;

		entry = (uint64_t *)iopt_posix_va(pa) + (iova >> (3 + 9 * level)) % FLOOR_ENTRIES;
		value = __atomic_load_n(entry, __ATOMIC_RELAXED);
		next = (value >> 9) & FLOOR_AMD_NL_SIZE;
		if (!(value & FLOOR_AMD_PR))
			DIE("nothing is mapped at %#llx", (unsigned long long)iova);
		if (next == 0 || next == FLOOR_AMD_NL_SIZE)
			break;
		pa = value & FLOOR_OA;
		level = next;
	}
	__atomic_fetch_or(entry, FLOOR_AMD_D, __ATOMIC_RELAXED);
}

static uint64_t take_reported(struct sized *s)
{
	uint64_t reported = 0;

	for (size_t i = 0; i < PAGES / 64; i++)
		reported += (uint64_t)__builtin_popcountll(s->sink.words[i]);
	memset(s->sink.words, 0, PAGES / 8);
	return reported;
}

static double sized_map_ns(struct sized *s, uint64_t bytes)
{
	double start = now_ns();

	for (size_t i = 0; i < s->nr; i++)
		engine_map(&s->space, s->order[i], bytes, s->order[i] + PA_PLUS);
	return (now_ns() - start) / (double)s->nr;
}

static double sized_unmap_ns(struct sized *s, uint64_t bytes)
{
	double start = now_ns();

	for (size_t i = 0; i < s->nr; i++)
		engine_unmap(&s->space, s->order[i], bytes);
	iopt_sync(&s->space.gather);
	return (now_ns() - start) / (double)s->nr;
}

static double sized_sweep_ns(struct sized *s)
{
	double start = now_ns();
	int error = iopt_sweep(s->space.domain, REGION, REGION + LENGTH - 1, IOPT_SWEEP_CLEAR,
			       &s->sink, &s->space.gather, 0, NULL);

	if (error)
		DIE("iopt_sweep: %s", strerror(-error));
	iopt_sync(&s->space.gather);
	return now_ns() - start;
}

static void sized_round(struct sizes_result *result)
{
	struct iopt_stats stats;
	struct sized s;

	sized_init(&s, result);
	sized_map_ns(&s, result->buffer);
	sized_unmap_ns(&s, result->buffer);
	samples_add(&result->map_ns, sized_map_ns(&s, result->buffer));
	iopt_stats(s.space.domain, &stats);
	result->tables = stats.tables;

	for (size_t i = 0; i < WRITTEN; i++)
		device_writes(s.space.domain, REGION + rng_next(&bench.rng) % LENGTH);
	samples_add(&result->sweep_ns, sized_sweep_ns(&s));
	result->reported_per_written = (double)take_reported(&s) / WRITTEN;

	samples_add(&result->unmap_ns, sized_unmap_ns(&s, result->buffer));
	sized_fini(&s);
}

void sizes_round(struct sizes_result results[NR_SIZES])
{
	for (unsigned i = 0; i < NR_SIZES; i++)
		sized_round(&results[i]);
}

#define MEMORY_TABLES	4096u
#define MEMORY_MAPPINGS (MEMORY_TABLES * FLOOR_ENTRIES)

/* What the process has taken from the C library, in bytes. */
static uint64_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

void memory_measure(struct memory_result *memory)
{
	struct iopt_posix_memory before, after;
	struct space space;
	struct iopt_stats stats;
	uint64_t heap;

	space_init(&space, "vtd-ss", 0);
	for (uint64_t i = 0; i < MEMORY_TABLES; i++)
		engine_map(&space, REGION + i * MIB(2), KIB(4), PA_PLUS);
	iopt_stats(space.domain, &stats);
	iopt_posix_memory(&before);
	heap = heap_bytes();
	for (uint64_t i = 0; i < MEMORY_TABLES; i++)
		engine_map(&space, REGION + i * MIB(2) + KIB(4), MIB(2) - KIB(4),
			   PA_PLUS + i * MIB(2));
	iopt_posix_memory(&after);

	memory->table_bytes = stats.table_bytes / stats.tables;
	memory->beside_table = after.descriptor_bytes;
	memory->per_mapping = (double)(after.live - before.live + heap_bytes() - heap) /
			      (MEMORY_MAPPINGS - MEMORY_TABLES);
	space_fini(&space);
}
