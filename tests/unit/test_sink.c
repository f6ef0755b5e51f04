/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where dirty pages are reported: bitmaps that begin and end anywhere, with pages smaller and
 * larger than the leaves, compared bit by bit; and functions, which get the same in ranges.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/support.h"

#define PAGE  4096ull
#define WORDS 300u

static struct device device;
static struct iopt_gather gather;
static struct random dice;

/* With a word on either side that is nobody's. */
static uint64_t got[WORDS + 2], expected[WORDS + 2];

static struct iopt_domain *domain_of(const char *format)
{
	struct iopt_config config = { .format = format, .levels = 4, .flags = IOPT_TRACK };

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	iopt_gather_init(&gather, device.domain, NULL);
	return device.domain;
}

static void done(void)
{
	iopt_sync(&gather);
	assert_true(device_destroy(&device));
}

/* Not one leaf of several pages, in any format: every other physical page. */
static void map_pages(uint64_t first, unsigned nr)
{
	for (uint64_t i = 0; i < nr; i++)
		assert_int_equal(iopt_map(device.domain, first + i * PAGE,
					  first + i * PAGE + PAGE - 1, 2 * i * PAGE, RW, NULL),
				 0);
}

static void map_block(uint64_t first, uint64_t bytes)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1, first, RW, NULL), 0);
}

static void write_to(const char *format, uint64_t iova)
{
	assert_true(device_writes(hardware_of(format), device.domain, iova));
}

/* A bitmap of so many pages; some bits are set already, by others. */
static struct iopt_sink bitmap(uint64_t first, unsigned page_lg2, uint64_t pages)
{
	assert_true(pages <= WORDS * 64);
	for (unsigned i = 0; i < WORDS + 2; i++)
		expected[i] = got[i] = i % 3 ? 0 : 1ull << i % 64;
	return (struct iopt_sink){
		.words = got + 1, .first = first, .pages = pages, .page_lg2 = (uint8_t)page_lg2
	};
}

static void expect(const struct iopt_sink *sink, uint64_t first, uint64_t last)
{
	for (uint64_t page = 0; page < sink->pages; page++) {
		uint64_t start = sink->first + (page << sink->page_lg2);
		uint64_t end = start + ((1ull << sink->page_lg2) - 1);

		if (start <= last && end >= first)
			expected[1 + page / 64] |= 1ull << page % 64;
	}
}

static void check_bitmap(void)
{
	assert_memory_equal(got, expected, sizeof(got));
}

static int sweep(uint64_t first, uint64_t last, unsigned flags, const struct iopt_sink *sink)
{
	return iopt_sweep(device.domain, first, last, flags, sink, &gather, 0, NULL);
}

/* ---- pages of the leaves' size ------------------------------------------------------------- */

/* The same 130 pages, under a bitmap that begins at any bit before them, over the words' edges. */
static void any_first_bit(void **state)
{
	enum { PAGES = 130 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		const uint64_t first = 2 * MIB - 70 * PAGE; /* two tables */

		domain_of(formats[i]);
		map_pages(first, PAGES);
		for (unsigned shift = 0; shift < 130; shift++) {
			struct iopt_sink sink = bitmap(first - shift * PAGE, 12, shift + PAGES);

			for (unsigned k = 0; k < PAGES; k += 1 + (unsigned)random_below(&dice, 5)) {
				write_to(formats[i], first + k * PAGE);
				expect(&sink, first + k * PAGE, first + k * PAGE);
			}
			assert_int_equal(
				sweep(first, first + PAGES * PAGE - 1, IOPT_SWEEP_CLEAR, &sink), 0);
			check_bitmap();
		}
		done();
	}
}

/* All pages, none, and each by itself. */
static void dense_and_sparse(void **state)
{
	enum { PAGES = 200 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_sink sink;

		domain_of(formats[i]);
		map_pages(0, PAGES);
		sink = bitmap(0, 12, PAGES);
		assert_int_equal(sweep(0, PAGES * PAGE - 1, IOPT_SWEEP_CLEAR, &sink), 0);
		check_bitmap();
		for (unsigned k = 0; k < PAGES; k++)
			write_to(formats[i], k * PAGE);
		sink = bitmap(0, 12, PAGES);
		expect(&sink, 0, PAGES * PAGE - 1);
		assert_int_equal(sweep(0, PAGES * PAGE - 1, IOPT_SWEEP_CLEAR, &sink), 0);
		check_bitmap();
		for (unsigned k = 0; k < PAGES; k++) {
			write_to(formats[i], k * PAGE + 17);
			sink = bitmap(0, 12, PAGES);
			expect(&sink, k * PAGE, k * PAGE);
			assert_int_equal(sweep(0, PAGES * PAGE - 1, IOPT_SWEEP_CLEAR, &sink), 0);
			check_bitmap();
		}
		done();
	}
}

/* Only a part of the bitmap's pages is swept: the rest of the words' bits is nobody's business. */
static void any_part_of_the_range(void **state)
{
	enum { PAGES = 150 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i]);
		map_pages(0, PAGES);
		for (unsigned k = 0; k < PAGES; k++)
			write_to(formats[i], k * PAGE);
		for (unsigned turn = 0; turn < 300; turn++) {
			uint64_t a = random_below(&dice, PAGES), b = random_below(&dice, PAGES);
			struct iopt_sink sink = bitmap(0, 12, PAGES);
			uint64_t first = (a < b ? a : b) * PAGE, last = (a < b ? b : a) * PAGE;

			last += PAGE - 1;
			expect(&sink, first, last);
			assert_int_equal(sweep(first, last, 0, &sink), 0);
			check_bitmap();
		}
		done();
	}
}

/* ---- pages of other sizes ------------------------------------------------------------------ */

static void smaller_and_larger_pages(void **state)
{
	static const uint8_t sizes[] = { 8, 9, 11, 13, 14, 16, 20, 21, 25, 30, 40 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		const uint64_t first = 2 * MIB - 7 * PAGE;

		domain_of(formats[i]);
		map_pages(first, 20);
		for (size_t s = 0; s < sizeof(sizes); s++) {
			uint64_t mask = (1ull << sizes[s]) - 1;
			uint64_t pages =
				((first + 20 * PAGE - 1) >> sizes[s]) - (first >> sizes[s]) + 1;
			struct iopt_sink sink = bitmap(first & ~mask, sizes[s], pages);

			for (unsigned k = 0; k < 20; k += 3) {
				write_to(formats[i], first + k * PAGE);
				expect(&sink, first + k * PAGE, first + k * PAGE + PAGE - 1);
			}
			assert_int_equal(
				sweep(first, first + 20 * PAGE - 1, IOPT_SWEEP_CLEAR, &sink), 0);
			check_bitmap();
		}
		done();
	}
}

/* A block sets the bits of all its pages; those of a part of it, if only that is swept. */
static void blocks_in_small_pages(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_sink sink;

		domain_of(formats[i]);
		map_block(2 * MIB, 2 * MIB);
		write_to(formats[i], 3 * MIB);
		for (unsigned shift = 0; shift < 66; shift += 5) {
			sink = bitmap(2 * MIB - shift * PAGE, 12, shift + 512);
			expect(&sink, 2 * MIB, 4 * MIB - 1);
			assert_int_equal(sweep(2 * MIB, 4 * MIB - 1, 0, &sink), 0);
			check_bitmap();
		}
		sink = bitmap(0, 12, 1024);
		expect(&sink, 2 * MIB + 63 * PAGE, 2 * MIB + 129 * PAGE - 1);
		assert_int_equal(sweep(2 * MIB + 63 * PAGE, 2 * MIB + 129 * PAGE - 1, 0, &sink), 0);
		check_bitmap();
		done();
	}
}

/* The last bits of the space: no index wraps. */
static void last_page_of_64_bits(void **state)
{
	struct iopt_config config = { .format = "amd-v1", .levels = 6, .flags = IOPT_TRACK };
	const uint64_t first = -(70 * PAGE);
	struct iopt_sink sink;

	(void)state;
	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	iopt_gather_init(&gather, device.domain, NULL);
	map_pages(first, 70);
	write_to("amd-v1", ~0ull);
	write_to("amd-v1", first);
	sink = bitmap(first, 12, 70);
	expected[1] |= 1;
	expected[2] |= 1ull << 5;
	assert_int_equal(sweep(first, ~0ull, 0, &sink), 0);
	check_bitmap();
	sink = bitmap(0, 63, 2);
	expected[1] |= 2;
	assert_int_equal(sweep(0, ~0ull, 0, &sink), 0);
	check_bitmap();
	done();
}

/* ---- bitmaps that do not reach ------------------------------------------------------------- */

/* Dirty bits that the bitmap could not take are not dropped: nothing is swept. */
static void too_short(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_sink sink;

		domain_of(formats[i]);
		map_pages(0, 80);
		write_to(formats[i], 79 * PAGE);
		write_to(formats[i], 0);
		sink = bitmap(0, 12, 79);
		assert_int_equal(sweep(0, 80 * PAGE - 1, IOPT_SWEEP_CLEAR, &sink), -ERANGE);
		check_bitmap();
		sink = bitmap(PAGE, 12, 79);
		assert_int_equal(sweep(0, 80 * PAGE - 1, IOPT_SWEEP_CLEAR, &sink), -ERANGE);
		check_bitmap();
		sink = bitmap(0, 12, 0);
		assert_int_equal(sweep(0, PAGE - 1, IOPT_SWEEP_CLEAR, &sink), -ERANGE);
		sink = bitmap(0, 64, 1);
		assert_int_equal(sweep(0, PAGE - 1, IOPT_SWEEP_CLEAR, &sink), -ERANGE);
		check_bitmap();
		assert_int_equal(gather.owes, 0);
		sink = bitmap(0, 12, 80);
		expect(&sink, 0, 0);
		expect(&sink, 79 * PAGE, 79 * PAGE);
		assert_int_equal(sweep(0, 80 * PAGE - 1, IOPT_SWEEP_CLEAR, &sink), 0);
		check_bitmap();
		done();
	}
}

/* ---- unmap's reports ----------------------------------------------------------------------- */

static void unmap_into_a_bitmap(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		const uint64_t first = GIB - 3 * PAGE;
		struct iopt_sink sink;

		domain_of(formats[i]);
		map_pages(first, 6);
		map_pages(GIB + 2 * MIB, 512);
		map_block(GIB + 4 * MIB, 2 * MIB);
		sink = bitmap(first - 61 * PAGE, 12, 61 + 3 + 1536);
		iopt_gather_init(&gather, device.domain, &sink);
		for (unsigned k = 0; k < 6; k += 2) {
			write_to(formats[i], first + k * PAGE);
			expect(&sink, first + k * PAGE, first + k * PAGE);
		}
		for (unsigned k = 0; k < 512; k += 7) {
			write_to(formats[i], GIB + 2 * MIB + k * PAGE);
			expect(&sink, GIB + 2 * MIB + k * PAGE, GIB + 2 * MIB + k * PAGE);
		}
		write_to(formats[i], GIB + 5 * MIB);
		expect(&sink, GIB + 4 * MIB, GIB + 6 * MIB - 1);
		assert_int_equal(
			iopt_unmap(device.domain, first, GIB + 6 * MIB - 1, 0, &gather, NULL), 0);
		iopt_sync(&gather);
		check_bitmap();
		done();
	}
}

/* ---- functions ----------------------------------------------------------------------------- */

static int count_pages(void *ctx, uint64_t first, uint64_t last)
{
	uint64_t *pages = ctx;

	assert_int_equal(first % PAGE, 0);
	assert_int_equal(last % PAGE, PAGE - 1);
	for (; first <= last; first += PAGE)
		pages[first / PAGE / 64] ^= 1ull << first / PAGE % 64;
	return 0;
}

/* The ranges that a function gets name the same pages as a bitmap does, each once. */
static void function_and_bitmap(void **state)
{
	enum { PAGES = 700 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t pages[(PAGES + 63) / 64] = { 0 };
		const struct iopt_sink function = { .record = count_pages, .ctx = pages };
		struct iopt_sink sink;

		domain_of(formats[i]);
		map_pages(0, PAGES);
		for (unsigned k = 0; k < PAGES; k++)
			if (random_below(&dice, 3))
				write_to(formats[i], k * PAGE);
		sink = bitmap(0, 12, PAGES);
		memset(got, 0, sizeof(got));
		assert_int_equal(sweep(0, PAGES * PAGE - 1, 0, &sink), 0);
		assert_int_equal(sweep(0, PAGES * PAGE - 1, 0, &function), 0);
		assert_memory_equal(pages, got + 1, sizeof(pages));
		done();
	}
}

static int begin(void **state)
{
	(void)state;
	random_seed(&dice, 7);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_first_bit),
		cmocka_unit_test(dense_and_sparse),
		cmocka_unit_test(any_part_of_the_range),
		cmocka_unit_test(smaller_and_larger_pages),
		cmocka_unit_test(blocks_in_small_pages),
		cmocka_unit_test(last_page_of_64_bits),
		cmocka_unit_test(too_short),
		cmocka_unit_test(unmap_into_a_bitmap),
		cmocka_unit_test(function_and_bitmap),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
