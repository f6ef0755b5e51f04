/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * trim, and unmap's option to trim, one thread: what they refuse, which tables go and which stay,
 * what the hardware is told and when, and stopping early.
 */
#include <errno.h>
#include <string.h>

#include "tests/unit/fixture.h"

/* A domain's whole range; with halves, the lower one. */
static uint64_t low_last(unsigned levels)
{
	return (1ull << (12 + 9 * levels)) - 1;
}

static int trim(uint64_t first, uint64_t last)
{
	return iopt_trim(device.domain, first, last, &gather, 0, NULL);
}

static uint64_t freed_by_trim(void)
{
	return stats_now().freed[IOPT_FREED_TRIM];
}

/* Leaves the tables of a page that was mapped, and takes the page. */
static void leave_tables(uint64_t iova)
{
	map_to(iova, PAGE, iova & (HALF - 1), RW);
	unmap(iova, PAGE);
	device_forget(&device);
}

static void check_refused(uint64_t first, uint64_t last, struct iopt_gather *to, int result)
{
	static struct snapshot snapshot;

	assert_true(snapshot_take(&snapshot, device.domain));
	assert_int_equal(iopt_trim(device.domain, first, last, to, 0, NULL), result);
	assert_int_equal(device.invalidations, 0);
	assert_int_equal(gather.nr_tables, 0);
	assert_true(snapshot_same(&snapshot, device.domain));
}

/* ---- arguments ----------------------------------------------------------------------------- */

static void bad_arguments(void **state)
{
	struct iopt_config config = { .format = "vtd-ss" };
	struct device other = { 0 };
	struct iopt_gather elsewhere;

	(void)state;
	open_domain("vtd-ss", 3, 0);
	assert_int_equal(device_create(&other, &config), 0);
	iopt_gather_init(&elsewhere, other.domain, NULL);
	leave_tables(0);
	check_refused(1, 0, &gather, -EINVAL);
	check_refused(~0ull, 0, &gather, -EINVAL);
	check_refused(0, PAGE - 1, &elsewhere, -EINVAL);
	check_refused(0, low_last(3) + 1, &gather, -ERANGE);
	check_refused(low_last(3) + 1, low_last(3) + PAGE, &gather, -ERANGE);
	check_refused(0, ~0ull, &gather, -ERANGE);
	iopt_destroy(other.domain);
	close_domain();
	open_domain("x86-64", 4, IOPT_SIGN_EXTEND);
	leave_tables(0);
	check_refused(0, HALF, &gather, -ERANGE);
	check_refused(-HALF - 1, ~0ull, &gather, -ERANGE);
	check_refused(0, ~0ull, &gather, -ERANGE);
	close_domain();
}

/* ---- what goes, what stays ----------------------------------------------------------------- */

static void empty_tables_go(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		leave_tables(5 * GIB);
		assert_int_equal(tables(), 4);
		assert_int_equal(trim(0, low_last(4)), 0);
		assert_int_equal(tables(), 1); /* the top */
		assert_int_equal(freed_by_trim(), 3);
		assert_int_equal(gather.nr_tables, 3);
		check_empty(5 * GIB);
		/* There is nothing more to take. */
		assert_int_equal(trim(0, low_last(4)), 0);
		assert_int_equal(freed_by_trim(), 3);
		iopt_sync(&gather);
		map(5 * GIB, PAGE);
		check_mapped(5 * GIB, 5 * GIB);
		close_domain();
	}
}

/* A domain that nobody ever mapped into has one table, and keeps it. */
static void the_top_stays(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		assert_int_equal(trim(0, low_last(4)), 0);
		assert_int_equal(tables(), 1);
		assert_int_equal(device.invalidations, 0);
		close_domain();
	}
	open_domain("amd-v1", 1, 0);
	leave_tables(0);
	assert_int_equal(trim(0, ~0ull), 0);
	assert_int_equal(tables(), 1);
	close_domain();
}

/* One page is enough, at whatever place of the table; also a block beside empty tables. */
static void tables_in_use_stay(void **state)
{
	static const uint64_t places[] = { 0, 2 * MIB - PAGE, 17 * PAGE };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 3; k++) {
			open_domain(formats[i], 4, 0);
			map(GIB, 2 * MIB); /* a block */
			map(4 * MIB + places[k], PAGE);
			leave_tables(6 * MIB + places[k]);
			assert_int_equal(tables(), 6);
			assert_int_equal(trim(0, low_last(4)), 0);
			assert_int_equal(tables(), 5);
			check_mapped(4 * MIB + places[k], 4 * MIB + places[k]);
			check_mapped(GIB + MIB, GIB + MIB);
			close_domain();
		}
	}
}

/* Only what translates some of the range, were it one byte; and then all of that table. */
static void only_of_the_range(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map(0, PAGE);
		for (uint64_t at = 2; at < 12; at += 2)
			leave_tables(at * MIB);
		assert_int_equal(tables(), 4 + 5);
		assert_int_equal(trim(4 * MIB + 77, 4 * MIB + 77), 0);
		assert_int_equal(tables(), 4 + 4);
		assert_int_equal(trim(8 * MIB - 1, 8 * MIB), 0); /* the last byte, the first */
		assert_int_equal(tables(), 4 + 2);
		assert_int_equal(trim(12 * MIB, low_last(4)), 0);
		assert_int_equal(tables(), 4 + 2);
		check_mapped(0, 0);
		close_domain();
	}
}

/* An interior table goes with the last of its tables, and not before. */
static void interior_tables_follow(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		leave_tables(3 * GIB);
		leave_tables(3 * GIB + 2 * MIB);
		assert_int_equal(tables(), 5);
		assert_int_equal(trim(3 * GIB, 3 * GIB + 2 * MIB - 1), 0);
		assert_int_equal(tables(), 4);
		assert_int_equal(trim(3 * GIB + 2 * MIB, 3 * GIB + 4 * MIB - 1), 0);
		assert_int_equal(tables(), 1);
		close_domain();
	}
}

static void sign_extended_halves(void **state)
{
	(void)state;
	open_domain("x86-64", 4, IOPT_SIGN_EXTEND);
	leave_tables(HALF - PAGE);
	leave_tables(-HALF);
	leave_tables(-PAGE);
	assert_int_equal(tables(), 10);
	assert_int_equal(trim(0, HALF - 1), 0);
	assert_int_equal(tables(), 7);
	assert_true(ranges_cover(device.ranges, device.nr_ranges, HALF - 2 * MIB, HALF - 1));
	device_forget(&device);
	assert_int_equal(trim(-HALF, ~0ull), 0);
	assert_int_equal(tables(), 1);
	assert_true(ranges_cover(device.ranges, device.nr_ranges, -2 * MIB, ~0ull));
	for (unsigned k = 0; k < device.nr_ranges; k++)
		assert_true(device.ranges[k].first >= -HALF);
	close_domain();
}

/* The range may end above the top; what was the top is a table like others once it grew. */
static void growing_tops(void **state)
{
	(void)state;
	open_domain("amd-v1", 1, 0);
	leave_tables(0);
	assert_int_equal(trim(2 * MIB, ~0ull), 0);
	assert_int_equal(tables(), 1);
	leave_tables(GIB); /* three levels by now */
	assert_int_equal(tables(), 5);
	assert_int_equal(trim(0, ~0ull), 0);
	assert_int_equal(tables(), 1);
	close_domain();

	open_domain("amd-v1", 2, 0);
	map(0, PAGE);
	map(8 * GIB, PAGE); /* a third level, and two tables below it */
	unmap(0, PAGE);
	assert_int_equal(tables(), 5);
	assert_int_equal(trim(0, GIB - 1), 0);
	assert_int_equal(tables(), 3);
	check_mapped(8 * GIB, 8 * GIB);
	map(0, PAGE);
	check_mapped(0, 0);
	close_domain();
}

static void trim_never_allocates(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_TRACK);
		leave_tables(0);
		leave_tables(7 * GIB);
		iopt_posix_fail(1, true);
		assert_int_equal(trim(0, low_last(4)), 0);
		iopt_sync(&gather);
		assert_int_equal(iopt_posix_fail(0, false), 0);
		assert_int_equal(tables(), 1);
		close_domain();
	}
}

/* ---- what the hardware is told ------------------------------------------------------------- */

/* The tables of the last trim, as seen from its invalidations. */
static uint64_t watched[3];
static unsigned watched_live;

static void look_for_tables(struct device *told, const struct iopt_gather *owed)
{
	struct iopt_translation t;

	assert_true(owed->owes & IOPT_OWES_NOW);
	assert_true(owed->owes & IOPT_OWES_TABLES);
	assert_int_equal(iopt_translate(told->domain, 5 * GIB, &t), -ENOENT);
	for (unsigned i = 0; i < 3; i++)
		watched_live += iopt_posix_table_state(watched[i], NULL) == IOPT_POSIX_LIVE;
}

/* By the call itself; the sync has nothing left but to free them. */
static void invalidates_by_itself(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map(5 * GIB, PAGE);
		for (unsigned level = 0; level < 3; level++)
			watched[level] = hw->table_pa(*entry_at(5 * GIB, level + 1));
		unmap(5 * GIB, PAGE);
		device_forget(&device);
		device.look = look_for_tables;
		watched_live = 0;
		assert_int_equal(trim(5 * GIB, 5 * GIB), 0);
		device.look = NULL;
		assert_int_equal(device.invalidations, 3); /* one a level */
		assert_int_equal(watched_live, 9);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, 0, 512 * GIB - 1));
		device_forget(&device);
		iopt_sync(&gather);
		assert_int_equal(device.invalidations, 0);
		for (unsigned level = 0; level < 3; level++)
			assert_int_not_equal(iopt_posix_table_state(watched[level], NULL),
					     IOPT_POSIX_LIVE);
		close_domain();
	}
}

/* Many tables under one parent share an invalidation, and nothing is told of what stays. */
static void tables_share_an_invalidation(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map(GIB, PAGE);
		for (uint64_t at = 2; at < 42; at += 2)
			leave_tables(GIB + at * MIB);
		assert_int_equal(trim(GIB, 2 * GIB - 1), 0);
		assert_int_equal(freed_by_trim(), 20);
		assert_int_equal(device.invalidations, 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, GIB + 2 * MIB,
					 GIB + 42 * MIB - 1));
		device_forget(&device);
		assert_int_equal(trim(GIB, 2 * GIB - 1), 0);
		assert_int_equal(device.invalidations, 0);
		close_domain();
	}
}

static void walkers_that_do_not_snoop(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_NONCOHERENT | IOPT_CACHES_EMPTY);
		leave_tables(0);
		assert_int_equal(trim(0, low_last(4)), 0);
		assert_int_equal(tables(), 1);
		map(0, PAGE);
		check_mapped(0, 0);
		close_domain();
	}
}

/* ---- stopping early ------------------------------------------------------------------------ */

/* Steps of a few tables come to the same in the end, whatever the step. */
static void budgets(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (uint64_t budget = 1; budget < 9; budget++) {
			uint64_t next = 0, before = 0;
			unsigned calls = 1;
			int result;

			open_domain(formats[i], 4, 0);
			map(6 * GIB, PAGE);
			for (uint64_t at = 0; at < 20; at++)
				leave_tables((at % 4) * GIB + at * 2 * MIB);
			while ((result = iopt_trim(device.domain, next, low_last(4), &gather,
						   budget, &next)) == 1) {
				assert_true(next > before);
				before = next;
				calls++;
			}
			assert_int_equal(result, 0);
			assert_int_equal(tables(), 4);
			/* There are 27 below the top; a step ends with those above its last one. */
			assert_in_range(calls, 27 / (budget + 3), 27 / budget + 1);
			close_domain();
		}
	}
}

/* More than a read section holds, without a budget. */
static void many_tables(void **state)
{
	(void)state;
	open_domain("x86-64", 4, 0);
	for (uint64_t at = 0; at < 1000; at++)
		leave_tables(at * 6 * MIB);
	assert_int_equal(tables(), 1000 + 6 + 2);
	assert_int_equal(trim(0, low_last(4)), 0);
	assert_int_equal(tables(), 1);
	assert_int_equal(freed_by_trim(), 1007);
	assert_int_equal(gather.nr_tables, 1007);
	close_domain();
}

/* ---- unmap's option ------------------------------------------------------------------------ */

static int unmap_trim(uint64_t first, uint64_t bytes, unsigned flags,
		      struct iopt_released *released)
{
	return iopt_unmap(device.domain, first, first + bytes - 1, flags | IOPT_UNMAP_TRIM, &gather,
			  released);
}

/* The last page takes the tables with it, the ones before don't. */
static void unmap_gives_back(void **state)
{
	static const uint64_t places[] = { 0, 3 * PAGE, 2 * MIB - PAGE };
	struct iopt_released released;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		for (unsigned k = 0; k < 3; k++)
			map(5 * GIB + places[k], PAGE);
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(tables(), 4);
			assert_int_equal(unmap_trim(5 * GIB + places[k], PAGE, IOPT_UNMAP_COUNT,
						    &released),
					 0);
			assert_int_equal(released.first, 5 * GIB + places[k]);
			assert_int_equal(released.last, 5 * GIB + places[k] + PAGE - 1);
			assert_int_equal(released.bytes, PAGE);
			iopt_sync(&gather);
		}
		assert_int_equal(tables(), 1);
		assert_int_equal(freed_by_trim(), 3);
		assert_int_equal(stats_now().freed[IOPT_FREED_UNMAP], 0);
		close_domain();
	}
}

/* Of whole tables, blocks and runs: what is above them is left empty, and goes. */
static void unmap_gives_back_above(void **state)
{
	static const uint64_t sizes[] = { 64 * KIB, 2 * MIB, 4 * MIB, GIB };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (unsigned k = 0; k < 4; k++) {
			open_domain(formats[i], 4, IOPT_TRACK);
			map(512 * GIB, sizes[k]);
			assert_int_equal(unmap_trim(512 * GIB, sizes[k], 0, NULL), 0);
			iopt_sync(&gather);
			assert_int_equal(tables(), 1);
			map(512 * GIB, 2 * MIB + PAGE); /* a block and a table beside it */
			assert_int_equal(unmap_trim(512 * GIB, 4 * MIB, 0, NULL), 0);
			assert_int_equal(tables(), 1);
			close_domain();
		}
	}
}

/* The gather names the unmapped range as ever, and has the tables. */
static void unmap_owes_as_before(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map(5 * GIB, 3 * PAGE);
		assert_int_equal(unmap_trim(5 * GIB, 3 * PAGE, 0, NULL), 0);
		assert_true(gather.owes & IOPT_OWES_LEAVES);
		assert_true(gather.owes & IOPT_OWES_DEVICE_TLB);
		assert_false(gather.owes & IOPT_OWES_NOW);
		assert_true(gather_covers(&gather, 5 * GIB, 5 * GIB + 3 * PAGE - 1));
		assert_int_equal(gather.nr_tables, 3);
		close_domain();
	}
}

/* A refused unmap gives nothing back, empty tables in its range or not; nor one over nothing. */
static void unmap_that_takes_nothing(void **state)
{
	static struct snapshot snapshot;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		leave_tables(4 * MIB);
		map(0, PAGE);
		map(2 * GIB, 2 * MIB);
		assert_true(snapshot_take(&snapshot, device.domain));
		assert_int_equal(unmap_trim(0, 8 * MIB, IOPT_UNMAP_FULL, NULL), -ENOENT);
		assert_int_equal(unmap_trim(PAGE / 2, PAGE, 0, NULL), -EINVAL);
		assert_int_equal(unmap_trim(2 * GIB + MIB, 8 * GIB, 0, NULL), -EOPNOTSUPP);
		assert_true(snapshot_same(&snapshot, device.domain));
		assert_int_equal(gather.owes, 0);
		close_domain();
	}
}

/* What was dirty in the tables that go is reported, once. */
static void unmap_is_exact(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_TRACK);
		map_pages(5 * GIB, 4);
		write_to(5 * GIB + PAGE);
		write_to(5 * GIB + 3 * PAGE);
		forget_reports();
		assert_int_equal(unmap_trim(5 * GIB, 4 * PAGE, 0, NULL), 0);
		iopt_sync(&gather);
		assert_int_equal(tables(), 1);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(reported(5 * GIB + k * PAGE), k % 2);
		close_domain();
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(empty_tables_go),
		cmocka_unit_test(the_top_stays),
		cmocka_unit_test(tables_in_use_stay),
		cmocka_unit_test(only_of_the_range),
		cmocka_unit_test(interior_tables_follow),
		cmocka_unit_test(sign_extended_halves),
		cmocka_unit_test(growing_tops),
		cmocka_unit_test(trim_never_allocates),
		cmocka_unit_test(invalidates_by_itself),
		cmocka_unit_test(tables_share_an_invalidation),
		cmocka_unit_test(walkers_that_do_not_snoop),
		cmocka_unit_test(budgets),
		cmocka_unit_test(many_tables),
		cmocka_unit_test(unmap_gives_back),
		cmocka_unit_test(unmap_gives_back_above),
		cmocka_unit_test(unmap_owes_as_before),
		cmocka_unit_test(unmap_that_takes_nothing),
		cmocka_unit_test(unmap_is_exact),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
