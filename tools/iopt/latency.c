/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reading latency histograms. Counting is inline in latency.h.
 */
#include "tools/iopt/latency.h"

void latency_merge(struct latency *into, const struct latency *from)
{
	into->nr += from->nr;
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

uint64_t latency_quantile(const struct latency *latency, uint32_t per_million)
{
	uint64_t rank =
		(uint64_t)((__extension__(unsigned __int128) latency->nr * per_million + 999999) /
			   1000000);
	uint64_t seen = 0;

	if (!latency->nr)
		return 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += latency->buckets[i];
		if (seen >= rank) {
			/* The middle of the bucket, but nothing that was never seen. */
			uint64_t value = latency_value(i);

			if (i + 1 < LATENCY_BUCKETS)
				value += (latency_value(i + 1) - value) / 2;
			return value < latency->max ? value : latency->max;
		}
	}
	return latency->max;
}
