/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where dirty pages are reported: a bitmap or a function (struct iopt_sink). A bitmap is filled in
 * words; its bits are only ever set, by atomic OR, so that sweeps, unmaps and whoever reads it
 * share it without a lock.
 */
#ifndef ENGINE_SINK_H
#define ENGINE_SINK_H

#include "engine/bits.h"
#include "engine/domain.h"

/* Whether all of first..last can be recorded. */
static inline bool sink_covers(const struct iopt_sink *sink, uint64_t first, uint64_t last)
{
	if (sink->record)
		return true;
	return first >= sink->first && sink->page_lg2 < 64 &&
	       (last - sink->first) >> sink->page_lg2 < sink->pages;
}

/*
 * Set bits of one word of the bitmap, after the loads that found them in entries. Also where they
 * are set already: whoever takes them out at this moment copies pages that may not hold yet what
 * the sweep is about to clear dirty for, and must find the bits again.
 */
static inline void sink_or(uint64_t *word, uint64_t bits)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	__atomic_fetch_or(word, bits, __ATOMIC_RELEASE);
}

static inline void sink_set(const struct iopt_sink *sink, uint64_t first, uint64_t last)
{
	uint64_t bit = (first - sink->first) >> sink->page_lg2;
	uint64_t end = (last - sink->first) >> sink->page_lg2;

	for (; bit / 64 < end / 64; bit = (bit / 64 + 1) * 64)
		sink_or(&sink->words[bit / 64], ~0ull << bit % 64);
	sink_or(&sink->words[bit / 64], (~0ull << bit % 64) & (~0ull >> (63 - end % 64)));
}

/**
 * sink_record() - first..last is dirty
 *
 * Return: 0, or what the sink's function returned. A bitmap covers the range (sink_covers).
 */
static inline int sink_record(const struct iopt_sink *sink, uint64_t first, uint64_t last)
{
	if (sink->record)
		return sink->record(sink->ctx, first, last);
	sink_set(sink, first, last);
	return 0;
}

/**
 * sink_mask() - pages of one size are dirty
 * @sink:     where to
 * @first:    IOVA of the page of bit 0
 * @page_lg2: their size
 * @mask:     bit n: the page @first + n pages, not 0
 * @error:    set if the sink's function refused some
 *
 * Return: the bits of @mask that were recorded: all, or those before the ones that were refused.
 */
static inline uint64_t sink_mask(const struct iopt_sink *sink, uint64_t first, unsigned page_lg2,
				 uint64_t mask, int *error)
{
	uint64_t left = mask;

	if (!sink->record && sink->page_lg2 == page_lg2) {
		uint64_t bit = (first - sink->first) >> page_lg2;
		uint64_t high = bit % 64 ? mask >> (64 - bit % 64) : 0;

		if (mask << bit % 64)
			sink_or(&sink->words[bit / 64], mask << bit % 64);
		if (high)
			sink_or(&sink->words[bit / 64 + 1], high);
		return mask;
	}
	while (left) {
		unsigned start = bits_low(left);
		uint64_t gone = ~(left >> start);
		unsigned n = gone ? bits_low(gone) : 64;

		*error = sink_record(sink, first + ((uint64_t)start << page_lg2),
				     first + ((uint64_t)(start + n) << page_lg2) - 1);
		if (*error)
			return mask & ~left;
		left = start + n < 64 ? left & ~0ull << (start + n) : 0;
	}
	return mask;
}

#endif
