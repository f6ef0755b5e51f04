/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is owed to the hardware covers what went, and what is dirty sets the bits of its pages and
 * no others: the arithmetic of gathers, bitmaps and the lowest and highest bit. No format is in
 * it.
 */
#include "engine/bits.h"
#include "engine/gather.h"
#include "engine/sink.h"
#include "tests/cbmc/prove.h"

#define WORDS 2u

static struct iopt_domain domain;
static struct iopt_gather gather;
static uint64_t words[WORDS];

void prove_highest_and_lowest_bit(void)
{
	uint64_t value = nondet_u64();

	assume(value);
	claim(bits_high(value) < 64 && value >> bits_high(value) == 1, "highest");
	claim(bits_low(value) < 64 && (value >> bits_low(value) & 1) &&
		      !(value & ((1ull << bits_low(value)) - 1)),
	      "lowest");
	reached();
}

static bool in_range(const struct iopt_range *range, uint64_t at)
{
	return at >= range->first && at <= range->last;
}

/* No range points backward, or lies in both halves of the space. */
static bool gather_sound(void)
{
	bool sound = gather.nr_ranges <= IOPT_GATHER_RANGES;

	for (uint32_t i = 0; i < IOPT_GATHER_RANGES; i++) {
		const struct iopt_range *range = &gather.ranges[i];

		sound &= i >= gather.nr_ranges || (range->first <= range->last &&
						   domain_has(&domain, range->first, range->last));
	}
	return sound;
}

/* A domain with a lower half, an upper one, or both; as domain_init_halves() has them. */
static void any_halves(void)
{
	uint64_t mask = ~0ull >> any_below(64);

	domain.low_half = nondet_bool() ? 0 : (mask >> 1) + 1;
	domain.high_after = domain.low_half && nondet_bool() ? ~0ull : ~mask - 1;
	assume(domain.high_after > mask || domain.high_after == ~0ull); /* there is a gap */
}

void prove_gather_covers_all_that_was_added(void)
{
	uint64_t first = nondet_u64(), last = nondet_u64();
	uint32_t old = any_below(IOPT_GATHER_RANGES);
	const struct iopt_range *newest;
	struct iopt_range was;

	any_halves();
	gather.domain = &domain;
	gather.owes = nondet_u32();
	gather.nr_ranges = nondet_u32();
	for (uint32_t i = 0; i < IOPT_GATHER_RANGES; i++)
		gather.ranges[i] = (struct iopt_range){ nondet_u64(), nondet_u64() };
	assume(gather_sound() && first <= last && domain_has(&domain, first, last));
	assume(old < gather.nr_ranges || !gather.nr_ranges);
	was = gather.ranges[old];
	gather_owe(&gather, first, last, IOPT_OWES_LEAVES, any_below(64));
	claim(gather_sound(), "sound");
	claim(gather.nr_ranges &&
		      (gather.nr_ranges == 1 || (gather.ranges[old].first <= was.first &&
						 gather.ranges[old].last >= was.last)),
	      "no range shrinks");
	newest = &gather.ranges[gather.nr_ranges - 1];
	claim((newest->first <= first && newest->last >= last) || (gather.owes & IOPT_OWES_ALL),
	      "the new one is covered");
	reached();
}

/* Where ranges continue each other, joining them adds nothing. */
void prove_touching_ranges_join_exactly(void)
{
	struct iopt_range range = { nondet_u64(), nondet_u64() }, joint = range;
	uint64_t first = nondet_u64(), last = nondet_u64(), at = nondet_u64();

	assume(range.first <= range.last && first <= last && range_touches(&range, first, last));
	range_grow(&joint, first, last);
	claim(in_range(&joint, at) == (in_range(&range, at) || (at >= first && at <= last)),
	      "no more and no less");
	reached();
}

static struct iopt_sink any_bitmap(void)
{
	struct iopt_sink sink = { .words = words, .first = nondet_u64(), .pages = nondet_u64() };

	sink.page_lg2 = (uint8_t)any_below(64);
	assume(sink.pages && sink.pages <= WORDS * 64);
	assume(!(sink.first & ((1ull << sink.page_lg2) - 1)));
	for (unsigned i = 0; i < WORDS; i++)
		words[i] = nondet_u64();
	return sink;
}

static bool bit_of(const uint64_t *of, unsigned bit)
{
	return of[bit / 64] >> bit % 64 & 1;
}

void prove_bitmap_gets_the_pages_of_a_range(void)
{
	struct iopt_sink sink = any_bitmap();
	uint64_t first = nondet_u64(), last = nondet_u64(), page;
	unsigned bit = any_below(WORDS * 64);
	bool was = bit_of(words, bit);

	assume(first <= last && sink_covers(&sink, first, last));
	claim(!sink_record(&sink, first, last), "recorded");
	page = (uint64_t)bit;
	claim(bit_of(words, bit) == (was || (page >= (first - sink.first) >> sink.page_lg2 &&
					     page <= (last - sink.first) >> sink.page_lg2)),
	      "these bits, and no others");
	reached();
}

/* A mask that may reach into a second word, wherever the bitmap begins. */
void prove_bitmap_gets_a_mask(void)
{
	struct iopt_sink sink = { .words = words, .pages = WORDS * 64, .page_lg2 = 12 };
	uint64_t mask = nondet_u64(), was[WORDS], low, high;
	unsigned start = any_below(WORDS * 64), word = start / 64, shift = start % 64;
	int error = 0;

	sink.first = nondet_u64() << 12;
	assume(mask && bits_high(mask) < WORDS * 64 - start);
	for (unsigned i = 0; i < WORDS; i++)
		words[i] = was[i] = nondet_u64();
	low = mask << shift;
	high = shift ? mask >> (64 - shift) : 0;
	claim(sink_mask(&sink, sink.first + ((uint64_t)start << 12), 12, mask, &error) == mask &&
		      !error,
	      "all of it");
	claim(words[word] == (was[word] | low), "the first word");
	claim(word ? words[0] == was[0] : words[1] == (was[1] | high), "the other one");
	reached();
}

/* What a sink's function was told, in pages behind the first. */
static uint64_t told;
static uint64_t told_first;
static unsigned told_lg2;
static bool told_twice;

static int tell(void *ctx, uint64_t first, uint64_t last)
{
	uint64_t from = (first - told_first) >> told_lg2, to = (last - told_first) >> told_lg2;
	uint64_t pages = (~0ull << from) & (~0ull >> (63 - to));

	(void)ctx;
	if (nondet_bool())
		return -1;
	told_twice |= told & pages;
	told |= pages;
	return 0;
}

void prove_function_is_told_a_mask(void)
{
	struct iopt_sink sink = { .record = tell };
	uint64_t first = nondet_u64(), mask = nondet_u64() & 0xff, taken;
	int error = 0;

	told_lg2 = 12 + any_below(3) * 9;
	told_first = first;
	assume(mask && !(first & ((1ull << told_lg2) - 1)) && first <= ~0ull - (8ull << told_lg2));
	taken = sink_mask(&sink, first, told_lg2, mask, &error);
	claim(taken == told && !told_twice, "what it took, once");
	claim(error ? taken != mask : taken == mask, "all, or an error");
	claim(!(taken & ~mask) && (!taken || !((mask & ~taken) & ((taken & -taken) - 1))),
	      "those before the refused ones");
	reached();
}

void prove_covers_does_not_wrap(void)
{
	struct iopt_sink sink = any_bitmap();
	uint64_t first = nondet_u64(), last = nondet_u64(), at = nondet_u64();

	assume(first <= last && sink_covers(&sink, first, last));
	assume(at >= first && at <= last);
	claim(at >= sink.first && (at - sink.first) >> sink.page_lg2 < sink.pages,
	      "each has a bit");
	reached();
}
