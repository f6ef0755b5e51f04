/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * unmap, one thread: what it refuses, what goes and what stays, what it says about it, and what is
 * owed afterwards.
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
#define HALF (1ull << 47)

static struct snapshot snapshot;
static struct device device;
static struct iopt_gather gather;
static struct iopt_released released;

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
	iopt_sync(&gather);
	assert_true(device_destroy(&device));
}

static void map(uint64_t first, uint64_t bytes)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1, first, RW, NULL), 0);
}

static int unmap(uint64_t first, uint64_t bytes, unsigned flags)
{
	memset(&released, 0x55, sizeof(released));
	return iopt_unmap(device.domain, first, first + bytes - 1, flags, &gather, &released);
}

static void check_mapped(uint64_t iova)
{
	struct iopt_translation t;

	assert_int_equal(iopt_translate(device.domain, iova, &t), 0);
	assert_int_equal(t.pa, iova);
}

static void check_empty(uint64_t iova)
{
	struct iopt_translation t;

	assert_int_equal(iopt_translate(device.domain, iova, &t), -ENOENT);
}

static uint64_t tables(void)
{
	struct iopt_stats stats;

	iopt_stats(device.domain, &stats);
	assert_int_equal(stats.tables, count_items(device.domain, 0, ~0ull, IOPT_VISIT_TABLES));
	return stats.tables;
}

static uint64_t freed_by_unmap(void)
{
	struct iopt_stats stats;

	iopt_stats(device.domain, &stats);
	return stats.freed[IOPT_FREED_UNMAP];
}

/* An unmap that is refused: nothing is said, owed or changed. */
static void check_refused(uint64_t first, uint64_t last, unsigned flags, int result)
{
	assert_true(snapshot_take(&snapshot, device.domain));
	assert_int_equal(iopt_unmap(device.domain, first, last, flags, &gather, NULL), result);
	assert_int_equal(gather.owes, 0);
	assert_int_equal(gather.nr_ranges, 0);
	assert_true(snapshot_same(&snapshot, device.domain));
}

/* ---- arguments ----------------------------------------------------------------------------- */

static void bad_ranges(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(0, 16 * PAGE);
		for (unsigned bit = 0; bit < 12; bit++) {
			check_refused(1ull << bit, 4 * PAGE - 1, 0, -EINVAL);
			check_refused(0, 4 * PAGE - 1 - (1ull << bit), 0, -EINVAL);
		}
		check_refused(PAGE, PAGE - 1, 0, -EINVAL); /* length zero */
		check_refused(4 * PAGE, PAGE - 1, 0, -EINVAL);
		check_refused(0, PAGE - 1, 8, -EINVAL); /* no such flag */
		check_refused(0, PAGE - 1, ~0u, -EINVAL);
		done();
	}
}

/* Length zero at address zero comes to all of 64 bits: an error, but where that is the domain. */
static void beyond_the_width(void **state)
{
	const uint64_t end = 1ull << 39;

	(void)state;
	domain_of("vtd-ss", 3, 0);
	map(end - PAGE, PAGE);
	check_refused(end, end + PAGE - 1, 0, -ERANGE);
	check_refused(end - PAGE, end + PAGE - 1, 0, -ERANGE);
	check_refused(0, ~0ull, 0, -ERANGE);
	assert_int_equal(unmap(0, end, 0), 0);
	done();
	domain_of("x86-64", 4, IOPT_SIGN_EXTEND);
	check_refused(HALF - PAGE, HALF + PAGE - 1, 0, -ERANGE);
	check_refused(HALF, HALF + PAGE - 1, 0, -ERANGE);
	check_refused(-HALF - PAGE, -HALF + PAGE - 1, 0, -ERANGE);
	check_refused(0, ~0ull, 0, -ERANGE);
	assert_int_equal(unmap(0, HALF, 0), 0);
	assert_int_equal(unmap(-HALF, HALF, 0), 0);
	done();
}

static void gather_of_another_domain(void **state)
{
	struct iopt_config config = { .format = "vtd-ss" };
	struct device other = { 0 };
	struct iopt_gather others;

	(void)state;
	domain_of("vtd-ss", 4, 0);
	map(0, PAGE);
	assert_int_equal(device_create(&other, &config), 0);
	iopt_gather_init(&others, other.domain, NULL);
	assert_int_equal(iopt_unmap(device.domain, 0, PAGE - 1, 0, &others, NULL), -EINVAL);
	check_mapped(0);
	iopt_destroy(other.domain);
	done();
}

/* ---- what goes ----------------------------------------------------------------------------- */

static void nothing(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		/* In a domain without tables, then beside a page. */
		assert_int_equal(unmap(0, PAGE, IOPT_UNMAP_COUNT), 0);
		assert_true(released.last < released.first);
		assert_int_equal(released.bytes, 0);
		assert_int_equal(unmap(0, 512 * GIB, IOPT_UNMAP_COUNT), 0);
		assert_true(released.last < released.first);
		map(4 * PAGE, PAGE);
		assert_int_equal(unmap(5 * PAGE, 3 * PAGE, IOPT_UNMAP_COUNT), 0);
		assert_true(released.last < released.first);
		assert_int_equal(released.bytes, 0);
		assert_int_equal(unmap(GIB, GIB, 0), 0);
		assert_true(released.last < released.first);
		assert_int_equal(gather.owes, 0);
		check_mapped(4 * PAGE);
		iopt_sync(&gather);
		assert_int_equal(device.invalidations, 0);
		done();
	}
}

static void one_of_several_pages(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(PAGE, PAGE);
		map(2 * PAGE, PAGE);
		map(3 * PAGE, PAGE);
		assert_int_equal(unmap(2 * PAGE, PAGE, IOPT_UNMAP_COUNT), 0);
		assert_int_equal(released.first, 2 * PAGE);
		assert_int_equal(released.last, 3 * PAGE - 1);
		assert_int_equal(released.bytes, PAGE);
		check_mapped(PAGE);
		check_empty(2 * PAGE);
		check_mapped(3 * PAGE);
		done();
	}
}

static void across_leaves_levels_and_holes(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(GIB - PAGE, PAGE);
		map(GIB + 5 * PAGE, PAGE);
		map(GIB + 4 * MIB, 2 * MIB);
		map(GIB + 8 * MIB - PAGE, 2 * PAGE);
		map(2 * GIB, GIB);
		map(3 * GIB, 2 * PAGE);
		map(3 * GIB + 2 * PAGE, PAGE);

		assert_int_equal(unmap(GIB, 2 * GIB + 2 * PAGE, IOPT_UNMAP_COUNT), 0);
		assert_int_equal(released.bytes, PAGE + 2 * MIB + 2 * PAGE + GIB + 2 * PAGE);
		assert_true(released.first <= GIB + 5 * PAGE && released.first >= GIB);
		assert_int_equal(released.last, 3 * GIB + 2 * PAGE - 1);
		check_mapped(GIB - 1);
		check_mapped(3 * GIB + 2 * PAGE);
		assert_int_equal(count_items(device.domain, 0, ~0ull, IOPT_VISIT_LEAVES), 2);
		assert_true(gather_covers(&gather, GIB + 5 * PAGE, GIB + 6 * PAGE - 1));
		assert_true(gather_covers(&gather, GIB + 4 * MIB, GIB + 6 * MIB - 1));
		assert_true(gather_covers(&gather, GIB + 8 * MIB - PAGE, GIB + 8 * MIB + PAGE - 1));
		assert_true(gather_covers(&gather, 2 * GIB, 3 * GIB + 2 * PAGE - 1));
		assert_int_equal(gather.leaf_lg2, 12);
		done();
	}
}

/* What a page's unmap owes is that page and no more. */
static void gather_is_exact_for_a_leaf(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(7 * PAGE, PAGE);
		map(4 * MIB, 2 * MIB);
		assert_int_equal(unmap(7 * PAGE, PAGE, 0), 0);
		assert_int_equal(gather.nr_ranges, 1);
		assert_int_equal(gather.ranges[0].first, 7 * PAGE);
		assert_int_equal(gather.ranges[0].last, 8 * PAGE - 1);
		assert_int_equal(gather.owes, IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB);
		assert_int_equal(gather.leaf_lg2, 12);
		iopt_sync(&gather);
		assert_int_equal(unmap(4 * MIB, 2 * MIB, 0), 0);
		assert_int_equal(gather.nr_ranges, 1);
		assert_int_equal(gather.ranges[0].first, 4 * MIB);
		assert_int_equal(gather.ranges[0].last, 6 * MIB - 1);
		assert_int_equal(gather.leaf_lg2, 21);
		done();
	}
}

/* Only a part of what is asked for was mapped: nothing outside of the question is released. */
static void released_lies_in_the_range(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(2 * MIB, 2 * MIB);
		assert_int_equal(unmap(PAGE, 6 * MIB, 0), 0);
		assert_true(released.first >= PAGE && released.first <= 2 * MIB);
		assert_true(released.last <= 6 * MIB + PAGE - 1 && released.last >= 4 * MIB - 1);
		assert_int_equal(released.bytes, 0); /* not asked for */
		done();
	}
}

/* ---- whole tables -------------------------------------------------------------------------- */

static void whole_table(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t before, level0;
		struct iopt_visit visit;
		struct iopt_item item;

		domain_of(formats[i], 4, 0);
		before = tables();
		/* Several adjacent mappings in one table. */
		map(0, PAGE);
		map(PAGE, 3 * PAGE);
		map(300 * PAGE, 2 * PAGE);
		assert_int_equal(tables(), before + 3);
		iopt_visit_init(&visit, 0, 0, IOPT_VISIT_TABLES);
		while (iopt_visit(device.domain, &visit, &item, 1))
			;
		assert_int_equal(item.level, 0);
		level0 = item.pa;

		assert_int_equal(unmap(0, 2 * MIB, IOPT_UNMAP_COUNT), 0);
		assert_int_equal(released.bytes, 6 * PAGE);
		assert_int_equal(tables(), before + 2);
		assert_int_equal(freed_by_unmap(), 1);
		assert_true(gather.owes & IOPT_OWES_TABLES);
		assert_true(gather_covers(&gather, 0, 2 * MIB - 1));
		assert_int_equal(gather.nr_tables, 1);
		check_empty(0);
		check_empty(300 * PAGE);

		/* It is memory of the table until the gather is synced, and RCU's after that. */
		assert_int_equal(iopt_posix_table_state(level0, NULL), IOPT_POSIX_LIVE);
		iopt_sync(&gather);
		assert_int_not_equal(iopt_posix_table_state(level0, NULL), IOPT_POSIX_LIVE);
		iopt_posix_barrier();
		assert_int_equal(iopt_posix_table_state(level0, NULL), IOPT_POSIX_FREE);
		done();
	}
}

/* Leaves, blocks and tables of every level below go with it; each is counted. */
static void whole_subtree(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(0, 5 * PAGE);
		map(4 * MIB, 2 * MIB);
		map(GIB, GIB);
		map(2 * GIB + 2 * MIB, 2 * PAGE);
		map(511 * GIB, PAGE);
		assert_int_equal(tables(), 1 + 1 + 3 + 3);
		assert_int_equal(unmap(0, 512 * GIB, IOPT_UNMAP_COUNT), 0);
		assert_int_equal(released.bytes, 5 * PAGE + 2 * MIB + GIB + 2 * PAGE + PAGE);
		assert_int_equal(released.first, 0);
		assert_int_equal(released.last, 512 * GIB - 1);
		assert_int_equal(tables(), 1);
		assert_int_equal(freed_by_unmap(), 7);
		assert_int_equal(gather.nr_tables, 7);
		assert_int_equal(count_items(device.domain, 0, ~0ull, IOPT_VISIT_LEAVES), 0);
		done();
	}
}

/* A range of a table's size that is not aligned is no table: both halves stay in use. */
static void a_tables_size_but_not_a_table(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(PAGE, PAGE);
		map(4 * PAGE, PAGE);
		map(2 * MIB + PAGE, PAGE);
		map(2 * MIB + 4 * PAGE, PAGE);
		assert_int_equal(unmap(2 * PAGE, 2 * MIB, IOPT_UNMAP_COUNT), 0);
		assert_int_equal(released.bytes, 2 * PAGE);
		assert_int_equal(freed_by_unmap(), 0);
		check_mapped(PAGE);
		check_mapped(2 * MIB + 4 * PAGE);
		done();
	}
	domain_of("amd-v1", 4, 0);
	map(0, 4 * PAGE); /* one leaf */
	check_refused(PAGE, 2 * MIB + PAGE - 1, 0, -EOPNOTSUPP);
	check_refused(2 * PAGE, 512 * GIB + 2 * PAGE - 1, 0, -EOPNOTSUPP);
	done();
}

/* A table that is empty goes with the range that covers it. */
static void empty_table(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(0, PAGE);
		assert_int_equal(unmap(0, PAGE, 0), 0);
		iopt_sync(&gather);
		assert_int_equal(tables(), 4);
		assert_int_equal(unmap(0, 2 * MIB, IOPT_UNMAP_COUNT), 0);
		assert_int_equal(tables(), 3);
		assert_int_equal(released.bytes, 0);
		assert_true(gather.owes & IOPT_OWES_TABLES);
		done();
	}
}

/* The whole domain: everything but the root. */
static void whole_domain(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		domain_of(formats[i], 4, 0);
		map(0, PAGE);
		map((1ull << 48) - PAGE, PAGE);
		assert_int_equal(unmap(0, 1ull << 48, IOPT_UNMAP_COUNT), 0);
		assert_int_equal(released.bytes, 2 * PAGE);
		assert_int_equal(tables(), 1);
		done();
	}
}

/* Above the announced top there is nothing; a range that begins below ends there. */
static void above_the_top(void **state)
{
	(void)state;
	domain_of("amd-v1", 2, 0);
	map(GIB - PAGE, PAGE);
	assert_int_equal(unmap(GIB, GIB, IOPT_UNMAP_COUNT), 0);
	assert_true(released.last < released.first);
	assert_int_equal(unmap(GIB - PAGE, 1ull << 50, IOPT_UNMAP_COUNT | IOPT_UNMAP_FULL),
			 -ENOENT);
	check_mapped(GIB - 1);
	assert_int_equal(unmap(GIB - PAGE, 1ull << 50, IOPT_UNMAP_COUNT), 0);
	assert_int_equal(released.bytes, PAGE);
	assert_int_equal(device.tops, 0);
	done();
}

/* ---- COUNT and FULL ------------------------------------------------------------------------ */

/* Leaves are counted, not their entries: a run of 64 is 256 KiB, and so on. */
static int see_nothing(void *ctx, uint64_t first, uint64_t last)
{
	(void)ctx;
	(void)first;
	(void)last;
	fail_msg("nothing was written");
	return 0;
}

static void count_runs(uint32_t track)
{
	const struct iopt_sink sink = { .record = see_nothing };

	for (unsigned lg2 = 12; lg2 < 52; lg2++) {
		const uint64_t size = 1ull << lg2;

		if (lg2 == 39)
			continue;
		domain_of("amd-v1", 6, track);
		if (track)
			iopt_gather_init(&gather, device.domain, &sink);
		map(size, size);
		assert_int_equal(count_items(device.domain, 0, ~0ull, IOPT_VISIT_LEAVES), 1);
		assert_int_equal(unmap(size, size, IOPT_UNMAP_COUNT | IOPT_UNMAP_FULL), 0);
		assert_int_equal(released.bytes, size);
		assert_int_equal(released.first, size);
		assert_int_equal(released.last, 2 * size - 1);
		assert_int_equal(gather.nr_ranges, 1);
		assert_int_equal(gather.ranges[0].first, size);
		assert_int_equal(gather.ranges[0].last, 2 * size - 1);
		assert_true(gather.leaf_lg2 <= lg2);
		assert_int_equal(count_items(device.domain, 0, ~0ull, IOPT_VISIT_LEAVES), 0);
		done();
	}
}

static void runs_are_counted_once(void **state)
{
	(void)state;
	count_runs(0);
	count_runs(IOPT_TRACK);
}

static void runs_in_whole_tables_are_counted(void **state)
{
	(void)state;
	domain_of("amd-v1", 4, 0);
	map(0, 64 * 1024);	  /* in level 0 */
	map(16 * MIB, 16 * MIB);  /* in level 1 */
	map(128 * GIB, 64 * GIB); /* in level 2 */
	assert_int_equal(unmap(0, 512 * GIB, IOPT_UNMAP_COUNT), 0);
	assert_int_equal(released.bytes, 64 * 1024 + 16 * MIB + 64 * GIB);
	done();
}

static void full(void **state)
{
	const unsigned flags = IOPT_UNMAP_FULL | IOPT_UNMAP_COUNT;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		check_refused(0, PAGE - 1, flags, -ENOENT);
		map(2 * MIB - 2 * PAGE, 2 * PAGE);
		map(2 * MIB, 2 * MIB);
		map(4 * MIB, PAGE);
		check_refused(2 * MIB - 3 * PAGE, 4 * MIB + PAGE - 1, flags, -ENOENT);
		check_refused(2 * MIB - 2 * PAGE, 4 * MIB + 2 * PAGE - 1, flags, -ENOENT);
		check_refused(0, 4 * MIB - 1, flags, -ENOENT);
		check_refused(0, GIB - 1, flags, -ENOENT);
		assert_int_equal(unmap(2 * MIB - 2 * PAGE, 2 * MIB + 3 * PAGE, flags), 0);
		assert_int_equal(released.bytes, 2 * MIB + 3 * PAGE);
		done();
	}
}

/* A hole in the middle of a table, and one that is an empty table. */
static void full_and_holes(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(0, PAGE);
		map(2 * PAGE, PAGE);
		check_refused(0, 3 * PAGE - 1, IOPT_UNMAP_FULL, -ENOENT);
		map(2 * MIB, 2 * MIB);
		map(4 * MIB, PAGE);
		assert_int_equal(unmap(4 * MIB, PAGE, 0), 0);
		iopt_sync(&gather);
		map(6 * MIB, 2 * MIB);
		check_refused(2 * MIB, 8 * MIB - 1, IOPT_UNMAP_FULL, -ENOENT);
		done();
	}
}

/* ---- in the middle of a leaf --------------------------------------------------------------- */

static void middle_of_a_block(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(2 * MIB, 2 * MIB);
		map(4 * MIB, 3 * PAGE);
		map(GIB, GIB);
		check_refused(2 * MIB, 2 * MIB + PAGE - 1, 0, -EOPNOTSUPP);
		check_refused(4 * MIB - PAGE, 4 * MIB - 1, 0, -EOPNOTSUPP);
		check_refused(3 * MIB, 3 * MIB + PAGE - 1, 0, -EOPNOTSUPP);
		check_refused(0, 4 * MIB - PAGE - 1, 0, -EOPNOTSUPP);
		check_refused(2 * MIB + PAGE, 4 * MIB + 3 * PAGE - 1, 0, -EOPNOTSUPP);
		check_refused(0, GIB + PAGE - 1, 0, -EOPNOTSUPP);
		check_refused(2 * GIB - PAGE, 4 * GIB - 1, 0, -EOPNOTSUPP);
		check_refused(GIB + 2 * MIB, GIB + 4 * MIB - 1, 0, -EOPNOTSUPP);
		done();
	}
}

static void middle_of_a_run(void **state)
{
	(void)state;
	domain_of("amd-v1", 4, 0);
	map(64 * PAGE, 64 * PAGE); /* one leaf in level 0 */
	map(16 * MIB, 16 * MIB);   /* one in level 1 */
	assert_int_equal(count_items(device.domain, 0, ~0ull, IOPT_VISIT_LEAVES), 2);
	check_refused(64 * PAGE, 65 * PAGE - 1, 0, -EOPNOTSUPP);
	check_refused(127 * PAGE, 128 * PAGE - 1, 0, -EOPNOTSUPP);
	check_refused(70 * PAGE, 80 * PAGE - 1, 0, -EOPNOTSUPP);
	check_refused(0, 100 * PAGE - 1, 0, -EOPNOTSUPP);
	check_refused(96 * PAGE, 2 * MIB - 1, 0, -EOPNOTSUPP);
	check_refused(16 * MIB, 18 * MIB - 1, 0, -EOPNOTSUPP);
	check_refused(18 * MIB, 32 * MIB - 1, 0, -EOPNOTSUPP);
	check_refused(0, 20 * MIB + PAGE - 1, 0, -EOPNOTSUPP);
	done();
}

/* ---- dirty pages --------------------------------------------------------------------------- */

struct seen {
	unsigned nr;
	struct iopt_range ranges[16];
};

static int see(void *ctx, uint64_t first, uint64_t last)
{
	struct seen *seen = ctx;

	assert_true(seen->nr < 16);
	seen->ranges[seen->nr++] = (struct iopt_range){ first, last };
	return 0;
}

static void check_seen(const struct seen *seen, uint64_t first, uint64_t last)
{
	unsigned times = 0;

	for (unsigned i = 0; i < seen->nr; i++)
		times += seen->ranges[i].first == first && seen->ranges[i].last == last;
	assert_int_equal(times, 1);
}

/* Single leaves are reported at once, those of whole tables with the sync; each page once. */
static void dirty_pages_are_reported(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		const struct hardware *hw = hardware_of(formats[i]);
		struct seen seen = { 0 };
		const struct iopt_sink sink = { .record = see, .ctx = &seen };

		domain_of(formats[i], 4, IOPT_TRACK);
		iopt_gather_init(&gather, device.domain, &sink);
		map(PAGE, PAGE);
		map(3 * PAGE, PAGE);
		map(2 * MIB + PAGE, PAGE);
		map(2 * MIB + 7 * PAGE, PAGE);
		map(8 * MIB, 2 * MIB);
		assert_true(device_writes(hw, device.domain, PAGE + 5));
		assert_true(device_writes(hw, device.domain, 2 * MIB + 7 * PAGE));
		assert_true(device_writes(hw, device.domain, 9 * MIB));

		assert_int_equal(unmap(0, 2 * MIB - PAGE, 0), 0);
		assert_int_equal(seen.nr, 1);
		check_seen(&seen, PAGE, 2 * PAGE - 1);
		assert_int_equal(unmap(8 * MIB, 2 * MIB, 0), 0);
		assert_int_equal(seen.nr, 2);
		check_seen(&seen, 8 * MIB, 10 * MIB - 1);
		assert_int_equal(unmap(2 * MIB, 2 * MIB, 0), 0);
		iopt_sync(&gather);
		assert_int_equal(seen.nr, 3);
		check_seen(&seen, 2 * MIB + 7 * PAGE, 2 * MIB + 8 * PAGE - 1);
		done();
	}
}

/* What a cached walk writes into a table that was unlinked already is reported too. */
struct late {
	const struct hardware *hw;
	uint64_t entry_pa;
};

static void write_late(struct device *seen, const struct iopt_gather *owed)
{
	struct late *late = seen->ctx;

	(void)owed;
	assert_true(hardware_writes(late->hw, late->entry_pa));
}

static void writes_until_the_invalidation(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct late late = { .hw = hardware_of(formats[i]) };
		struct seen seen = { 0 };
		const struct iopt_sink sink = { .record = see, .ctx = &seen };
		struct iopt_item leaf;

		domain_of(formats[i], 4, IOPT_TRACK);
		iopt_gather_init(&gather, device.domain, &sink);
		map(GIB + 3 * PAGE, PAGE);
		assert_true(find_leaf(device.domain, GIB + 3 * PAGE, &leaf));
		late.entry_pa = leaf.entry_pa;
		device.look = write_late;
		device.ctx = &late;
		assert_int_equal(unmap(GIB, GIB, 0), 0);
		assert_int_equal(seen.nr, 0);
		iopt_sync(&gather);
		assert_int_equal(seen.nr, 1);
		check_seen(&seen, GIB + 3 * PAGE, GIB + 4 * PAGE - 1);
		device.look = NULL;
		done();
	}
}

/*
 * Of a run one entry is enough, whichever: by itself, in a whole table, and in one above level 0.
 */
static void any_entry_of_a_run(void **state)
{
	const struct hardware *hw = hardware_of("amd-v1");

	(void)state;
	for (unsigned entry = 0; entry < 64; entry++) {
		struct seen seen = { 0 };
		const struct iopt_sink sink = { .record = see, .ctx = &seen };

		domain_of("amd-v1", 4, IOPT_TRACK);
		iopt_gather_init(&gather, device.domain, &sink);
		map(64 * PAGE, 64 * PAGE);
		map(2 * MIB, 64 * PAGE);
		map(128 * MIB, 128 * MIB);
		map(GIB, 128 * MIB);
		assert_true(device_writes(hw, device.domain, (64 + entry) * PAGE));
		assert_true(device_writes(hw, device.domain, 2 * MIB + entry * PAGE));
		assert_true(device_writes(hw, device.domain, 128 * MIB + entry * 2 * MIB));
		assert_true(device_writes(hw, device.domain, GIB + entry * 2 * MIB));
		assert_int_equal(unmap(64 * PAGE, 64 * PAGE, 0), 0);
		assert_int_equal(unmap(2 * MIB, 2 * MIB, 0), 0);
		assert_int_equal(unmap(128 * MIB, 128 * MIB, 0), 0);
		assert_int_equal(unmap(GIB, GIB, 0), 0);
		iopt_sync(&gather);
		assert_int_equal(seen.nr, 4);
		check_seen(&seen, 64 * PAGE, 128 * PAGE - 1);
		check_seen(&seen, 2 * MIB, 2 * MIB + 64 * PAGE - 1);
		check_seen(&seen, 128 * MIB, 256 * MIB - 1);
		check_seen(&seen, GIB, GIB + 128 * MIB - 1);
		done();
	}
}

/* No reports without tracking, nor without somebody to report to. */
static void not_tracking(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		const struct hardware *hw = hardware_of(formats[i]);
		struct seen seen = { 0 };
		const struct iopt_sink sink = { .record = see, .ctx = &seen };

		domain_of(formats[i], 4, IOPT_TRACKABLE);
		iopt_gather_init(&gather, device.domain, &sink);
		map(PAGE, PAGE);
		map(2 * MIB, PAGE);
		assert_true(device_writes(hw, device.domain, PAGE));
		assert_true(device_writes(hw, device.domain, 2 * MIB));
		assert_int_equal(unmap(PAGE, PAGE, 0), 0);
		assert_int_equal(unmap(2 * MIB, 2 * MIB, 0), 0);
		iopt_sync(&gather);
		assert_int_equal(seen.nr, 0);
		done();

		domain_of(formats[i], 4, IOPT_TRACK);
		map(PAGE, PAGE);
		assert_true(device_writes(hw, device.domain, PAGE));
		assert_int_equal(unmap(PAGE, PAGE, 0), 0);
		check_empty(PAGE);
		done();
	}
}

/* While tracking the sink must have room for all that may be dirty; else nothing happens. */
static void sink_that_is_too_short(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t words[2] = { 0, 0 };
		const struct iopt_sink sink = {
			.words = words, .first = 2 * MIB, .pages = 100, .page_lg2 = 12
		};

		domain_of(formats[i], 4, IOPT_TRACK);
		iopt_gather_init(&gather, device.domain, &sink);
		map(2 * MIB - PAGE, PAGE);
		map(2 * MIB + 99 * PAGE, PAGE);
		map(2 * MIB + 100 * PAGE, PAGE);
		check_refused(2 * MIB - PAGE, 2 * MIB - 1, 0, -ERANGE);
		check_refused(2 * MIB + 100 * PAGE, 2 * MIB + 101 * PAGE - 1, 0, -ERANGE);
		check_refused(2 * MIB, 2 * MIB + 101 * PAGE - 1, 0, -ERANGE);
		check_refused(0, GIB - 1, 0, -ERANGE);
		assert_true(
			device_writes(hardware_of(formats[i]), device.domain, 2 * MIB + 99 * PAGE));
		assert_int_equal(unmap(2 * MIB, 100 * PAGE, 0), 0);
		assert_int_equal(words[0], 0);
		assert_int_equal(words[1], 1ull << 35);
		/* Off: nothing is reported, so that nothing need fit. */
		assert_int_equal(iopt_track(device.domain, false), 0);
		assert_int_equal(unmap(0, GIB, 0), 0);
		done();
	}
}

static void never_allocates(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACK);
		map(2 * MIB - PAGE, 8 * MIB);
		map(GIB, GIB);
		iopt_posix_fail(1, true);
		assert_int_equal(unmap(0, 512 * GIB, IOPT_UNMAP_COUNT), 0);
		iopt_sync(&gather);
		assert_int_equal(iopt_posix_fail(0, false), 0);
		done();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(beyond_the_width),
		cmocka_unit_test(gather_of_another_domain),
		cmocka_unit_test(nothing),
		cmocka_unit_test(one_of_several_pages),
		cmocka_unit_test(across_leaves_levels_and_holes),
		cmocka_unit_test(gather_is_exact_for_a_leaf),
		cmocka_unit_test(released_lies_in_the_range),
		cmocka_unit_test(whole_table),
		cmocka_unit_test(whole_subtree),
		cmocka_unit_test(a_tables_size_but_not_a_table),
		cmocka_unit_test(empty_table),
		cmocka_unit_test(whole_domain),
		cmocka_unit_test(above_the_top),
		cmocka_unit_test(runs_are_counted_once),
		cmocka_unit_test(runs_in_whole_tables_are_counted),
		cmocka_unit_test(full),
		cmocka_unit_test(full_and_holes),
		cmocka_unit_test(middle_of_a_block),
		cmocka_unit_test(middle_of_a_run),
		cmocka_unit_test(dirty_pages_are_reported),
		cmocka_unit_test(writes_until_the_invalidation),
		cmocka_unit_test(any_entry_of_a_run),
		cmocka_unit_test(not_tracking),
		cmocka_unit_test(sink_that_is_too_short),
		cmocka_unit_test(never_allocates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
