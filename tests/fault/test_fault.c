/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every allocation of every operation fails in turn, once alone and once with all that come after
 * it: the error is -ENOMEM, what was mapped translates as before, no table is lost, and the same
 * operation succeeds afterwards.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/support.h"

#define PAGE 4096ull

static struct device device;
static struct snapshot before;

static void domain_of(const char *format, unsigned levels, uint32_t flags)
{
	struct iopt_config config = { .format = format, .levels = (uint8_t)levels, .flags = flags };

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
}

static void map(uint64_t first, uint64_t bytes)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1, first, RW, NULL), 0);
}

static void unmap(uint64_t first, uint64_t bytes)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, device.domain, NULL);
	assert_int_equal(iopt_unmap(device.domain, first, first + bytes - 1, 0, &gather, NULL), 0);
	iopt_sync(&gather);
}

/* Every table that is allocated is linked somewhere. */
static void check_no_table_lost(uint64_t reserved)
{
	struct iopt_posix_memory memory;
	struct iopt_stats stats;

	iopt_stats(device.domain, &stats);
	iopt_posix_memory(&memory);
	assert_int_equal(memory.tables, stats.tables + reserved);
	assert_int_equal(stats.freed[IOPT_FREED_RACE], 0);
}

/**
 * struct trial - an operation whose allocations are to fail
 * @levels:  of the domain, for amd-v1 the number to start with
 * @prepare: what is there before; NULL: nothing
 * @run:     the operation
 */
struct trial {
	unsigned levels;
	void (*prepare)(void);
	int (*run)(void);
};

/* One failure, in a domain of its own. Returns false once there are not so many allocations. */
static bool fail_at(const struct trial *trial, const char *format, uint64_t nth, bool repeat)
{
	uint64_t made;
	int result;

	domain_of(format, trial->levels, IOPT_TRACK);
	if (trial->prepare)
		trial->prepare();
	assert_true(snapshot_take(&before, device.domain));
	device_forget(&device);

	iopt_posix_fail(nth, repeat);
	result = trial->run();
	made = iopt_posix_fail(0, false);
	if (result) {
		assert_int_equal(result, -ENOMEM);
		assert_true(made >= nth);
		assert_true(snapshot_translates(&before, device.domain));
		check_no_table_lost(0);
		assert_int_equal(trial->run(), 0);
	}
	check_no_table_lost(0);
	assert_true(device_destroy(&device));
	return result != 0;
}

/* Returns how many allocations there were to fail. */
static unsigned fail_each(const struct trial *trial, const char *format)
{
	unsigned failures = 0;

	while (fail_at(trial, format, failures + 1, false))
		failures++;
	for (unsigned nth = 1; nth <= failures; nth++)
		assert_true(fail_at(trial, format, nth, true));
	return failures;
}

/* ---- create -------------------------------------------------------------------------------- */

static void create(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_config config = { .format = formats[i] };
		unsigned failures = 0;

		for (;; failures++) {
			int result;

			memset(&device, 0, sizeof(device));
			iopt_posix_fail(failures + 1, false);
			result = device_create(&device, &config);
			iopt_posix_fail(0, false);
			if (!result)
				break;
			assert_int_equal(result, -ENOMEM);
			assert_null(device.domain);
			assert_true(memory_idle());
		}
		assert_int_equal(failures, 2); /* the domain, its root */
		assert_true(device_destroy(&device));
	}
}

/* ---- map ----------------------------------------------------------------------------------- */

static int map_page(void)
{
	return iopt_map(device.domain, 5 * GIB, 5 * GIB + PAGE - 1, 0, RW, NULL);
}

static void first_page(void **state)
{
	static const struct trial trial = { 4, NULL, map_page };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1))
		assert_int_equal(fail_each(&trial, formats[i]), 3);
}

static void some_neighbours(void)
{
	map(2 * MIB, PAGE);
	map(8 * MIB, 2 * MIB);
	map(4 * GIB, GIB);
}

/* Pages on both sides of blocks, in several tables of several levels, beside what is there. */
static int map_much(void)
{
	return iopt_map(device.domain, 5 * GIB - 4 * MIB + GIB - PAGE, 9 * GIB + 2 * MIB + PAGE - 1,
			5 * GIB - 4 * MIB + GIB - PAGE, RW, NULL);
}

static void large_range(void **state)
{
	static const struct trial trial = { 4, some_neighbours, map_much };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1))
		assert_true(fail_each(&trial, formats[i]) >= 4);
}

/* 4K pages, since the addresses do not fit together, over the ends of three tables. */
static int map_three_tables(void)
{
	return iopt_map(device.domain, 2 * MIB - 3 * PAGE, 6 * MIB + 3 * PAGE - 1, 0, RW, NULL);
}

static void several_tables(void **state)
{
	static const struct trial trial = { 4, NULL, map_three_tables };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1))
		assert_int_equal(fail_each(&trial, formats[i]), 2 + 4);
}

/* What was exposed before the memory ran out is taken back and invalidated before map returns. */
static void exposed_leaves_are_invalidated(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(0, PAGE);
		iopt_posix_fail(1, true);
		assert_int_equal(iopt_map(device.domain, 2 * MIB - 2 * PAGE, 2 * MIB + PAGE - 1, 0,
					  RW, NULL),
				 -ENOMEM);
		iopt_posix_fail(0, false);
		assert_int_equal(device.invalidations, 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, 2 * MIB - 2 * PAGE,
					 2 * MIB - 1));
		assert_int_equal(count_items(device.domain, 0, ~0ull, IOPT_VISIT_LEAVES), 1);
		assert_true(device_destroy(&device));
	}
}

static int map_high(void)
{
	return iopt_map(device.domain, (1ull << 57) - PAGE, (1ull << 57) + PAGE - 1, 0, RW, NULL);
}

static void one_page(void)
{
	map(PAGE, PAGE);
}

/* The top grows by five levels, or by some of them and later by the rest. */
static void growth(void **state)
{
	static const struct trial trial = { 1, one_page, map_high };

	(void)state;
	assert_int_equal(fail_each(&trial, "amd-v1"), 5 + 4 + 5);
}

/* A top that was left half-way is no harm to what comes next, be it lower or higher. */
static void growth_that_stopped(void **state)
{
	struct iopt_translation t;

	(void)state;
	for (uint64_t nth = 1; nth <= 5; nth++) {
		domain_of("amd-v1", 1, 0);
		map(0, PAGE);
		iopt_posix_fail(nth, true);
		assert_int_equal(map_high(), -ENOMEM);
		iopt_posix_fail(0, false);
		assert_int_equal(iopt_translate(device.domain, 0, &t), 0);
		assert_int_equal(iopt_translate(device.domain, 2 * MIB, &t), -ENOENT);
		map(2 * MIB, 2 * MIB);
		assert_int_equal(iopt_translate(device.domain, 0, &t), 0);
		assert_int_equal(iopt_translate(device.domain, 2 * MIB, &t), 0);
		assert_int_equal(map_high(), 0);
		unmap(0, 1ull << 63);
		assert_int_equal(count_items(device.domain, 0, ~0ull, IOPT_VISIT_LEAVES), 0);
		assert_true(device_destroy(&device));
	}
}

static void empty_tables(void)
{
	map(0, PAGE);
	map(2 * MIB, PAGE);
	unmap(0, PAGE);
	unmap(2 * MIB, PAGE);
}

/* Blocks take the place of empty tables, and then there is no memory for the pages behind them. */
static int map_blocks_and_pages(void)
{
	return iopt_map(device.domain, 0, 4 * MIB + 3 * PAGE - 1, 0, RW, NULL);
}

static void after_blocks_over_tables(void **state)
{
	static const struct trial trial = { 4, empty_tables, map_blocks_and_pages };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1))
		assert_int_equal(fail_each(&trial, formats[i]), 1);
}

static int map_list(void)
{
	static const struct iopt_segment segments[] = {
		{ 0x7000, 3 * PAGE },
		{ 2 * MIB, 2 * MIB },
		{ 64 * MIB + PAGE, 5 * PAGE },
		{ 0, 2 * MIB },
	};
	uint64_t last;

	return iopt_map_sg(device.domain, GIB - 3 * PAGE, segments, 4, RW, NULL, &last);
}

static void scatter_list(void **state)
{
	static const struct trial trial = { 4, some_neighbours, map_list };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1))
		assert_true(fail_each(&trial, formats[i]) >= 3);
}

/* ---- reserve ------------------------------------------------------------------------------- */

/*
 * A reserve that could not be filled up is as it was, and what is in it is enough for what it was
 * for.
 */
static void reserve(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_reserve reserve = { 0 };
		uint64_t had;
		unsigned failures = 0;

		domain_of(formats[i], 4, 0);
		assert_int_equal(iopt_reserve(device.domain, 0, PAGE - 1, &reserve), 0);
		had = reserve.nr_tables;
		for (;; failures++) {
			int result;

			iopt_posix_fail(failures + 1, true);
			result = iopt_reserve(device.domain, GIB - PAGE, GIB + PAGE - 1, &reserve);
			iopt_posix_fail(0, false);
			if (!result)
				break;
			assert_int_equal(result, -ENOMEM);
			assert_int_equal(reserve.nr_tables, had);
			check_no_table_lost(had);
		}
		assert_int_equal(reserve.nr_tables, had + failures);
		assert_true(failures >= 5); /* two tables of two levels and one above */
		check_no_table_lost(had + failures);
		iopt_posix_fail(1, true);
		assert_int_equal(iopt_map(device.domain, 0, PAGE - 1, 0, RW, &reserve), 0);
		assert_int_equal(
			iopt_map(device.domain, GIB - PAGE, GIB + PAGE - 1, 0, RW, &reserve), 0);
		assert_int_equal(iopt_posix_fail(0, false), 0);
		iopt_reserve_release(&reserve);
		check_no_table_lost(0);
		assert_true(device_destroy(&device));
	}
}

/* A reserve that is too small: what was taken out of it for nothing is in it again. */
static void reserve_too_small(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_reserve reserve = { 0 };
		uint64_t had;

		domain_of(formats[i], 4, 0);
		map(0, PAGE);
		assert_int_equal(iopt_reserve(device.domain, 0, PAGE - 1, &reserve), 0);
		/* More tables than that, in as many steps as there are tables of level 0. */
		assert_true(snapshot_take(&before, device.domain));
		assert_int_equal(iopt_map(device.domain, GIB, GIB + 32 * MIB - 1, 8 * PAGE, RW,
					  &reserve),
				 -ENOMEM);
		assert_true(snapshot_translates(&before, device.domain));
		check_no_table_lost(reserve.nr_tables);
		iopt_reserve_release(&reserve);

		/* One is left and two are needed at once. */
		unmap(0, 512 * GIB);
		assert_int_equal(iopt_reserve(device.domain, 0, PAGE - 1, &reserve), 0);
		while (reserve.nr_tables > 2) {
			uint64_t iova = reserve.nr_tables * 2 * MIB;

			map(iova + 4 * PAGE, PAGE);
			unmap(iova, 2 * MIB);
			assert_int_equal(
				iopt_map(device.domain, iova, iova + PAGE - 1, 0, RW, &reserve), 0);
		}
		had = reserve.nr_tables;
		assert_int_equal(iopt_map(device.domain, 1ull << 40, (1ull << 40) + PAGE - 1, 0, RW,
					  &reserve),
				 -ENOMEM);
		assert_int_equal(reserve.nr_tables, had);
		check_no_table_lost(had);
		iopt_reserve_release(&reserve);
		check_no_table_lost(0);
		assert_true(device_destroy(&device));
	}
}

/* ---- what never allocates ------------------------------------------------------------------ */

static int ignore(void *ctx, uint64_t first, uint64_t last)
{
	(void)ctx;
	return first > last;
}

static void everything_else(void **state)
{
	const struct iopt_sink sink = { .record = ignore };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_translation t;
		struct iopt_gather gather;

		domain_of(formats[i], 4, IOPT_TRACK);
		some_neighbours();
		assert_true(device_writes(hardware_of(formats[i]), device.domain, 2 * MIB));
		iopt_gather_init(&gather, device.domain, &sink);
		iopt_posix_fail(1, true);
		assert_int_equal(iopt_translate(device.domain, 2 * MIB, &t), 0);
		assert_true(count_items(device.domain, 0, ~0ull, IOPT_VISIT_TABLES) > 1);
		assert_int_equal(iopt_sweep(device.domain, 0, 8 * GIB - 1, IOPT_SWEEP_CLEAR, &sink,
					    &gather, 0, NULL),
				 0);
		assert_int_equal(iopt_track(device.domain, false), 0);
		assert_int_equal(iopt_track(device.domain, true), 0);
		assert_int_equal(iopt_unmap(device.domain, 0, 512 * GIB - 1, 0, &gather, NULL), 0);
		iopt_sync(&gather);
		assert_int_equal(iopt_posix_fail(0, false), 0);
		assert_true(device_destroy(&device));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(create),
		cmocka_unit_test(first_page),
		cmocka_unit_test(large_range),
		cmocka_unit_test(several_tables),
		cmocka_unit_test(exposed_leaves_are_invalidated),
		cmocka_unit_test(growth),
		cmocka_unit_test(growth_that_stopped),
		cmocka_unit_test(after_blocks_over_tables),
		cmocka_unit_test(scatter_list),
		cmocka_unit_test(reserve),
		cmocka_unit_test(reserve_too_small),
		cmocka_unit_test(everything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
