/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The arithmetic of a live migration's pre-copy. See precopy.h.
 */
#include "tools/iopt/precopy.h"

#include <stdlib.h>

#define SECOND_NS 1000000000u

uint64_t precopy_ns(uint64_t bytes, uint64_t bandwidth)
{
	unsigned __int128 ns = (unsigned __int128)bytes * SECOND_NS;

	ns = (ns + bandwidth - 1) / bandwidth;
	return ns < UINT64_MAX ? (uint64_t)ns : UINT64_MAX;
}

uint64_t precopy_allowed(const struct precopy_limits *limits)
{
	unsigned __int128 bytes = (unsigned __int128)limits->bandwidth * limits->downtime_ns;

	bytes /= SECOND_NS;
	return bytes < UINT64_MAX ? (uint64_t)bytes : UINT64_MAX;
}

static void begin_round(struct precopy *precopy, uint64_t bytes, uint64_t now_ns)
{
	uint64_t ns = precopy_ns(bytes, precopy->limits.bandwidth);

	precopy->rounds[precopy->nr++] = (struct precopy_round){
		.start_ns = now_ns,
		.end_ns = ns < UINT64_MAX - now_ns ? now_ns + ns : UINT64_MAX,
		.copied = bytes,
	};
}

bool precopy_start(struct precopy *precopy, const struct precopy_limits *limits, uint64_t bytes,
		   uint64_t now_ns)
{
	*precopy = (struct precopy){ .limits = *limits };
	precopy->rounds = calloc(limits->rounds, sizeof(*precopy->rounds));
	if (!precopy->rounds)
		return false;
	begin_round(precopy, bytes, now_ns);
	return true;
}

uint64_t precopy_next(const struct precopy *precopy)
{
	return precopy->end == PRECOPY_GOES_ON ? precopy->rounds[precopy->nr - 1].end_ns
					       : UINT64_MAX;
}

void precopy_step(struct precopy *precopy, uint64_t left, uint64_t written)
{
	struct precopy_round *round = &precopy->rounds[precopy->nr - 1];

	round->left = left;
	round->written = written;
	if (left <= precopy_allowed(&precopy->limits))
		precopy->end = PRECOPY_FITS;
	else if (precopy->nr < precopy->limits.rounds)
		begin_round(precopy, left, round->end_ns);
	else
		precopy->end = left < round->copied ? PRECOPY_NO_ROUNDS : PRECOPY_NO_LESS;
}

uint64_t precopy_downtime(const struct precopy *precopy)
{
	return precopy_ns(precopy->rounds[precopy->nr - 1].left, precopy->limits.bandwidth);
}

void precopy_sum(const struct precopy *precopy, struct precopy_sums *sums)
{
	const struct precopy_round *last = &precopy->rounds[precopy->nr - 1];

	*sums = (struct precopy_sums){ .copied = last->left };
	for (unsigned i = 0; i < precopy->nr; i++) {
		sums->copied += precopy->rounds[i].copied;
		sums->left += precopy->rounds[i].left;
		sums->written += precopy->rounds[i].written;
	}
	sums->stop_ns = last->end_ns - precopy->rounds[0].start_ns;
	sums->total_ns = sums->stop_ns + precopy_downtime(precopy);
}

double precopy_amplification(const struct precopy_sums *sums)
{
	return sums->written ? (double)sums->left / (double)sums->written : 0;
}

void precopy_free(struct precopy *precopy)
{
	free(precopy->rounds);
	precopy->rounds = NULL;
}
