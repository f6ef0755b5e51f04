/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Clock, samples, random numbers and memory of the benchmark. No row is measured here. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/bench.h"

#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

void bench_die(const char *where, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "iopt-bench: %s: ", where);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void *bench_alloc(size_t bytes)
{
	void *memory = calloc(1, bytes);

	if (!memory)
		DIE("no memory for %zu bytes", bytes);
	return memory;
}

void *bench_alloc_aligned(size_t bytes)
{
	size_t whole = (bytes + 127) & ~(size_t)127;
	void *memory = aligned_alloc(128, whole);

	if (!memory)
		DIE("no memory for %zu bytes", bytes);
	return memset(memory, 0, whole);
}

void *bench_map(size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		DIE("no memory for %zu bytes", bytes);
	madvise(memory, bytes, MADV_HUGEPAGE);
	memset(memory, 0, bytes);
	return memory;
}

void samples_add(struct samples *samples, double value)
{
	if (samples->nr == samples->room) {
		samples->room = samples->room ? 2 * samples->room : 64;
		samples->values = realloc(samples->values, samples->room * sizeof(double));
		if (!samples->values)
			DIE("no memory for samples");
	}
	samples->values[samples->nr++] = value;
}

void samples_free(struct samples *samples)
{
	free(samples->values);
	*samples = (struct samples){ 0 };
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double samples_median(const struct samples *samples)
{
	size_t bytes = samples->nr * sizeof(double);
	double *sorted, median;

	if (!samples->nr)
		return NAN;
	sorted = bench_alloc(bytes);
	memcpy(sorted, samples->values, bytes);
	qsort(sorted, samples->nr, sizeof(double), compare_doubles);
	median = (sorted[(samples->nr - 1) / 2] + sorted[samples->nr / 2]) / 2;
	free(sorted);
	return median;
}

double samples_best(const struct samples *samples, bool higher)
{
	double best = NAN;

	for (unsigned i = 0; i < samples->nr; i++)
		if (!i || (higher ? samples->values[i] > best : samples->values[i] < best))
			best = samples->values[i];
	return best;
}

double row_median(const struct row *row, enum side side)
{
	if (row->per)
		return samples_median(&row->of->samples[side]) /
		       samples_median(&row->per->samples[side]);
	return samples_median(&row->samples[side]);
}

double row_best(const struct row *row, enum side side)
{
	if (row->per)
		return samples_best(&row->of->samples[side], row->of->higher) /
		       samples_best(&row->per->samples[side], row->per->higher);
	return samples_best(&row->samples[side], row->higher);
}

double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

uint64_t ticks(void)
{
#ifdef __x86_64__
	__builtin_ia32_lfence();
	return __builtin_ia32_rdtsc();
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
#endif
}

double ns_per_tick(void)
{
	static double factor;
	double start = now_ns();
	uint64_t first = ticks();

	if (factor > 0)
		return factor;
	while (now_ns() - start < 2e7)
		;
	factor = (now_ns() - start) / (double)(ticks() - first);
	return factor;
}

uint64_t rng_next(struct rng *rng)
{
	rng->state ^= rng->state << 13;
	rng->state ^= rng->state >> 7;
	rng->state ^= rng->state << 17;
	return rng->state;
}

void rng_shuffle(struct rng *rng, uint32_t *items, size_t nr)
{
	for (size_t i = nr; i > 1; i--) {
		size_t j = rng_next(rng) % i;
		uint32_t item = items[i - 1];

		items[i - 1] = items[j];
		items[j] = item;
	}
}

uint32_t *rng_order(struct rng *rng, size_t nr)
{
	uint32_t *order = bench_alloc(nr * sizeof(*order));

	for (size_t i = 0; i < nr; i++)
		order[i] = (uint32_t)i;
	rng_shuffle(rng, order, nr);
	return order;
}

static cpu_set_t allowed_cpus(void)
{
	static cpu_set_t allowed;
	static bool known;

	if (!known && sched_getaffinity(0, sizeof(allowed), &allowed))
		DIE("the processors that may be used are not known");
	known = true;
	return allowed;
}

unsigned cpus(void)
{
	cpu_set_t allowed = allowed_cpus();

	return (unsigned)CPU_COUNT(&allowed);
}

void pin_to_cpu(unsigned cpu)
{
	cpu_set_t allowed = allowed_cpus(), one;

	CPU_ZERO(&one);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed) && !cpu--)
			CPU_SET(i, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

uint64_t memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return KIB(kib);
}

#define EVICT_BYTES MIB(64)

void evict_caches(void)
{
	static const volatile uint64_t *memory;

	if (!memory)
		memory = bench_map(EVICT_BYTES);
	for (size_t i = 0; i < EVICT_BYTES / sizeof(*memory); i += 8)
		(void)memory[i];
}
