/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How long operations take: a histogram with logarithmic buckets (32 in each power of two, so that
 * a value is known to 3 %), of fixed size. One writer a histogram; merge them to read.
 */
#ifndef TOOLS_IOPT_LATENCY_H
#define TOOLS_IOPT_LATENCY_H

#include <stdint.h>
#include <time.h>

#define LATENCY_SUB_LG2 5u
#define LATENCY_SUBS	(1u << LATENCY_SUB_LG2)
#define LATENCY_BUCKETS ((64u - LATENCY_SUB_LG2 + 1) * LATENCY_SUBS)

/** struct latency - the histogram; starts zeroed; nanoseconds */
struct latency {
	uint64_t nr;
	uint64_t sum;
	uint64_t max;
	uint64_t buckets[LATENCY_BUCKETS];
};

/** now_ns() - a clock that never goes back */
static inline uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/** latency_bucket() - where a value is counted */
static inline unsigned latency_bucket(uint64_t ns)
{
	unsigned lg2;

	if (ns < LATENCY_SUBS)
		return (unsigned)ns;
	lg2 = 63u - (unsigned)__builtin_clzll(ns);
	return ((lg2 - LATENCY_SUB_LG2 + 1) << LATENCY_SUB_LG2) +
	       ((unsigned)(ns >> (lg2 - LATENCY_SUB_LG2)) & (LATENCY_SUBS - 1));
}

/** latency_value() - the least value of a bucket */
static inline uint64_t latency_value(unsigned bucket)
{
	unsigned octave = bucket >> LATENCY_SUB_LG2;

	if (!octave)
		return bucket;
	return (uint64_t)(LATENCY_SUBS + (bucket & (LATENCY_SUBS - 1))) << (octave - 1);
}

/** latency_add() - count one operation */
static inline void latency_add(struct latency *latency, uint64_t ns)
{
	latency->nr++;
	latency->sum += ns;
	latency->buckets[latency_bucket(ns)]++;
	if (ns > latency->max)
		latency->max = ns;
}

/** latency_merge() - add all that @from counted to @into */
void latency_merge(struct latency *into, const struct latency *from);

/**
 * latency_quantile() - the value that a share of the operations does not exceed
 * @latency:     the histogram
 * @per_million: the share, e.g. 500000 for the median
 *
 * Return: nanoseconds, to 3 %; 0 if nothing was counted.
 */
uint64_t latency_quantile(const struct latency *latency, uint32_t per_million);

#endif
