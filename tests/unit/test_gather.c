/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Gathers: what they hold after many unmaps, merged or not, and what sync makes of it. That a
 * gather is never shorter than what was unmapped is looked at from the device's side, in its
 * callback.
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
static struct iopt_gather gather;

static struct iopt_domain *domain_of(const char *format, unsigned levels, uint32_t flags)
{
	struct iopt_config config = { .format = format, .levels = (uint8_t)levels, .flags = flags };

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	iopt_gather_init(&gather, device.domain, NULL);
	return device.domain;
}

static void done(void)
{
	assert_true(device_destroy(&device));
}

static void map(uint64_t first, uint64_t bytes)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1, 0, RW, NULL), 0);
}

static void unmap_to(struct iopt_gather *into, uint64_t first, uint64_t bytes)
{
	assert_int_equal(iopt_unmap(device.domain, first, first + bytes - 1, 0, into, NULL), 0);
}

static void check_empty_gather(const struct iopt_gather *empty)
{
	assert_int_equal(empty->owes, 0);
	assert_int_equal(empty->nr_ranges, 0);
	assert_null(empty->tables);
	assert_int_equal(empty->nr_tables, 0);
	assert_ptr_equal(empty->domain, device.domain);
}

static void a_new_one_owes_nothing(void **state)
{
	const struct iopt_sink sink = { 0 };

	(void)state;
	domain_of("vtd-ss", 4, 0);
	memset(&gather, 0x5a, sizeof(gather));
	iopt_gather_init(&gather, device.domain, &sink);
	check_empty_gather(&gather);
	assert_ptr_equal(gather.sink, &sink);
	iopt_sync(&gather);
	iopt_sync(&gather);
	assert_int_equal(device.invalidations, 0);
	done();
}

/* One call for all that is owed; then it is empty, and may be used again. */
static void sync_pays_once(void **state)
{
	(void)state;
	domain_of("vtd-ss", 4, 0);
	map(0, 16 * PAGE);
	unmap_to(&gather, 0, PAGE);
	unmap_to(&gather, 8 * PAGE, PAGE);
	iopt_sync(&gather);
	assert_int_equal(device.invalidations, 1);
	assert_int_equal(device.nr_ranges, 2);
	check_empty_gather(&gather);
	iopt_sync(&gather);
	assert_int_equal(device.invalidations, 1);
	device_forget(&device);
	unmap_to(&gather, 3 * PAGE, PAGE);
	iopt_sync(&gather);
	assert_int_equal(device.invalidations, 1);
	assert_int_equal(device.nr_ranges, 1);
	assert_int_equal(device.ranges[0].first, 3 * PAGE);
	assert_int_equal(device.ranges[0].last, 4 * PAGE - 1);
	done();
}

/* Up or down, page after page: one range, as it is for the whole at once. */
static void neighbours_are_one_range(void **state)
{
	(void)state;
	domain_of("x86-64", 4, 0);
	assert_int_equal(iopt_map(device.domain, 0, 100 * PAGE - 1, 0, RW, NULL), 0);
	for (unsigned i = 0; i < 50; i++)
		unmap_to(&gather, i * PAGE, PAGE);
	assert_int_equal(gather.nr_ranges, 1);
	assert_int_equal(gather.ranges[0].first, 0);
	assert_int_equal(gather.ranges[0].last, 50 * PAGE - 1);
	iopt_sync(&gather);
	for (unsigned i = 99; i >= 50; i--)
		unmap_to(&gather, i * PAGE, PAGE);
	assert_int_equal(gather.nr_ranges, 1);
	assert_int_equal(gather.ranges[0].first, 50 * PAGE);
	assert_int_equal(gather.ranges[0].last, 100 * PAGE - 1);
	iopt_sync(&gather);
	done();
}

/* More ranges than it holds, in three orders: more may be named than went, never less. */
static void more_ranges_than_fit(void **state)
{
	enum { NR = 40 };

	(void)state;
	for (unsigned order = 0; order < 3; order++) {
		domain_of("vtd-ss", 4, 0);
		for (unsigned i = 0; i < NR; i++)
			map(i * 3 * MIB, PAGE);
		for (unsigned i = 0; i < NR; i++) {
			unsigned k = order == 0 ? i : order == 1 ? NR - 1 - i : i * 27 % NR;

			unmap_to(&gather, k * 3 * MIB, PAGE);
			assert_true(gather.nr_ranges >= 1);
			assert_true(gather.nr_ranges <= IOPT_GATHER_RANGES);
		}
		iopt_sync(&gather);
		for (unsigned i = 0; i < NR; i++)
			assert_true(ranges_cover(device.ranges, device.nr_ranges, i * 3 * MIB,
						 i * 3 * MIB + PAGE - 1));
		done();
	}
}

/* The last byte of 64 bits and the first one are no neighbours. */
static void ends_of_the_space_are_apart(void **state)
{
	static const uint64_t firsts[] = { 0, -PAGE };

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		domain_of("amd-v1", 6, 0);
		map(0, PAGE);
		assert_int_equal(iopt_map(device.domain, -PAGE, ~0ull, 0, RW, NULL), 0);
		for (unsigned i = 0; i < 2; i++) {
			uint64_t first = firsts[(turn + i) % 2];

			assert_int_equal(iopt_unmap(device.domain, first, first + PAGE - 1, 0,
						    &gather, NULL),
					 0);
		}
		for (unsigned i = 0; i < gather.nr_ranges; i++)
			assert_true(gather.ranges[i].first <= gather.ranges[i].last);
		assert_true(gather_covers(&gather, 0, PAGE - 1));
		assert_true(gather_covers(&gather, -PAGE, ~0ull));
		assert_false(gather_covers(&gather, 0, ~0ull));
		iopt_sync(&gather);
		done();
	}
}

/* The halves of a sign-extended space meet at the wrap, which is no neighbourhood either. */
static void halves_are_apart(void **state)
{
	(void)state;
	domain_of("x86-64", 4, IOPT_SIGN_EXTEND);
	map(0, PAGE);
	assert_int_equal(iopt_map(device.domain, -PAGE, ~0ull, 0, RW, NULL), 0);
	assert_int_equal(iopt_unmap(device.domain, -PAGE, ~0ull, 0, &gather, NULL), 0);
	unmap_to(&gather, 0, PAGE);
	assert_true(gather_covers(&gather, 0, PAGE - 1));
	assert_true(gather_covers(&gather, -PAGE, ~0ull));
	iopt_sync(&gather);
	done();
}

static void merged(void **state)
{
	struct iopt_gather other;

	(void)state;
	domain_of("vtd-ss", 4, 0);
	iopt_gather_init(&other, device.domain, NULL);
	map(0, PAGE);
	map(GIB, PAGE);
	map(2 * GIB, 2 * MIB);
	unmap_to(&gather, 2 * GIB, 2 * MIB);
	unmap_to(&other, 0, PAGE);
	unmap_to(&other, GIB, GIB);
	assert_int_equal(gather.leaf_lg2, 21);
	assert_int_equal(iopt_gather_merge(&gather, &other), 0);
	check_empty_gather(&other);
	assert_int_equal(gather.nr_tables, 2);
	assert_true(gather.owes & IOPT_OWES_TABLES);
	assert_int_equal(gather.leaf_lg2, 12);
	iopt_sync(&other);
	assert_int_equal(device.invalidations, 0);
	iopt_sync(&gather);
	assert_int_equal(device.invalidations, 1);
	assert_true(ranges_cover(device.ranges, device.nr_ranges, 0, PAGE - 1));
	assert_true(ranges_cover(device.ranges, device.nr_ranges, GIB, 2 * GIB - 1));
	assert_true(ranges_cover(device.ranges, device.nr_ranges, 2 * GIB, 2 * GIB + 2 * MIB - 1));
	done();
}

/* Lists of tables on both sides, on one, on none: all come to be freed, and once. */
static void merged_tables(void **state)
{
	(void)state;
	for (unsigned mine = 0; mine < 3; mine++) {
		for (unsigned others = 0; others < 3; others++) {
			struct iopt_posix_memory memory;
			struct iopt_gather other;

			domain_of("amd-v1", 4, 0);
			iopt_gather_init(&other, device.domain, NULL);
			for (unsigned i = 0; i < mine + others; i++)
				map(i * GIB, PAGE);
			for (unsigned i = 0; i < mine; i++)
				unmap_to(&gather, i * GIB, GIB);
			for (unsigned i = mine; i < mine + others; i++)
				unmap_to(&other, i * GIB, GIB);
			assert_int_equal(iopt_gather_merge(&gather, &other), 0);
			assert_int_equal(gather.nr_tables, 2 * (mine + others));
			iopt_sync(&gather);
			iopt_posix_barrier();
			iopt_posix_memory(&memory);
			assert_int_equal(memory.waiting, 0);
			/* The root and the table of level 2 that all of them hung in. */
			assert_int_equal(memory.tables, mine + others ? 2 : 1);
			done();
		}
	}
}

static void merging_full_ones(void **state)
{
	enum { NR = 2 * IOPT_GATHER_RANGES };
	struct iopt_gather other;

	(void)state;
	domain_of("vtd-ss", 4, 0);
	iopt_gather_init(&other, device.domain, NULL);
	for (unsigned i = 0; i < NR; i++) {
		map(i * GIB, PAGE);
		unmap_to(i % 2 ? &gather : &other, i * GIB, PAGE);
	}
	assert_int_equal(gather.nr_ranges, IOPT_GATHER_RANGES);
	assert_int_equal(other.nr_ranges, IOPT_GATHER_RANGES);
	assert_int_equal(iopt_gather_merge(&gather, &other), 0);
	assert_true(gather.nr_ranges <= IOPT_GATHER_RANGES);
	for (unsigned i = 0; i < NR; i++)
		assert_true(gather_covers(&gather, i * GIB, i * GIB + PAGE - 1));
	iopt_sync(&gather);
	done();
}

static void what_does_not_go_together(void **state)
{
	struct iopt_config config = { .format = "vtd-ss" };
	const struct iopt_sink sink = { .page_lg2 = 12 };
	struct device elsewhere = { 0 };
	struct iopt_gather other;

	(void)state;
	domain_of("vtd-ss", 4, 0);
	map(0, 2 * PAGE);
	unmap_to(&gather, 0, PAGE);

	iopt_gather_init(&other, device.domain, &sink);
	unmap_to(&other, PAGE, PAGE);
	assert_int_equal(iopt_gather_merge(&gather, &other), -EINVAL);
	assert_int_equal(gather.nr_ranges, 1);
	assert_int_equal(other.nr_ranges, 1);
	iopt_sync(&other);

	assert_int_equal(device_create(&elsewhere, &config), 0);
	iopt_gather_init(&other, elsewhere.domain, NULL);
	assert_int_equal(iopt_gather_merge(&gather, &other), -EINVAL);
	assert_int_equal(gather.nr_ranges, 1);
	iopt_destroy(elsewhere.domain);

	/* With itself: nothing changes. */
	assert_int_equal(iopt_gather_merge(&gather, &gather), 0);
	assert_true(gather_covers(&gather, 0, PAGE - 1));
	iopt_sync(&gather);
	assert_int_equal(device.invalidations, 2);
	done();
}

/* No table goes back before the device let go of it: not at the unmap, not in the callback. */
struct tables_seen {
	unsigned nr;
	uint64_t pas[8];
	bool early;
};

static void look_at_tables(struct device *seen, const struct iopt_gather *owed)
{
	struct tables_seen *tables = seen->ctx;

	(void)owed;
	for (unsigned i = 0; i < tables->nr; i++)
		if (iopt_posix_table_state(tables->pas[i], NULL) != IOPT_POSIX_LIVE)
			tables->early = true;
}

static void tables_wait_for_the_invalidation(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct tables_seen tables = { 0 };
		struct iopt_visit visit;
		struct iopt_item item;

		domain_of(iopt_format_info(i)->name, 4, 0);
		map(0, PAGE);
		map(2 * MIB, PAGE);
		map(GIB, PAGE);
		iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_TABLES);
		while (iopt_visit(device.domain, &visit, &item, 1))
			if (item.entry_pa)
				tables.pas[tables.nr++] = item.pa;
		assert_int_equal(tables.nr, 6);
		device.look = look_at_tables;
		device.ctx = &tables;
		unmap_to(&gather, 0, 512 * GIB);
		look_at_tables(&device, &gather);
		iopt_sync(&gather);
		assert_false(tables.early);
		for (unsigned k = 0; k < tables.nr; k++)
			assert_int_not_equal(iopt_posix_table_state(tables.pas[k], NULL),
					     IOPT_POSIX_LIVE);
		done();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_one_owes_nothing),
		cmocka_unit_test(sync_pays_once),
		cmocka_unit_test(neighbours_are_one_range),
		cmocka_unit_test(more_ranges_than_fit),
		cmocka_unit_test(ends_of_the_space_are_apart),
		cmocka_unit_test(halves_are_apart),
		cmocka_unit_test(merged),
		cmocka_unit_test(merged_tables),
		cmocka_unit_test(merging_full_ones),
		cmocka_unit_test(what_does_not_go_together),
		cmocka_unit_test(tables_wait_for_the_invalidation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
