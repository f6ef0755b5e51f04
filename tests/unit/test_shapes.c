/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the engine does whatever a format's tables are like: pages on both sides of where tables of
 * each level end, at both ends of the address space, whole tables and the top, and what a format
 * can't do. The addresses come from the format's description.
 */
#include <errno.h>
#include <string.h>

#include "tests/unit/fixture.h"

/* Open a domain of format number i with that many levels. */
static void open_shape(size_t i, unsigned levels, uint32_t flags)
{
	open_domain(formats[i], levels, flags);
}

static uint64_t page(void)
{
	return 1ull << info->granule_lg2;
}

/* What a table of that level translates; all of the domain's, for the top. */
static uint64_t table_span(unsigned level, unsigned levels)
{
	return 1ull << (level + 1 < levels ? span_lg2(info, level + 1) : width_of(info, levels));
}

/* A page's physical address that fits no larger leaf, different for each of nr. */
static uint64_t odd_pa(unsigned nr)
{
	return (2 * nr + 1) * page();
}

static void map_page(uint64_t iova, unsigned nr)
{
	map_to(iova, page(), odd_pa(nr), RW);
}

/* Every format that does not grow, with each number of levels. */
static void for_each_shape(void (*check)(size_t i, unsigned levels))
{
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format_info *f = iopt_format_info(i);

		if (f->abilities & IOPT_CAN_GROW)
			continue;
		for (unsigned levels = f->min_levels; levels <= f->max_levels; levels++)
			check(i, levels);
	}
}

/* A page on either side of each border of tables leads where it should, each on its own way. */
static void check_borders(size_t i, unsigned levels)
{
	open_shape(i, levels, 0);
	for (unsigned level = 0; level + 1 < levels; level++) {
		uint64_t border = table_span(level, levels);

		map_page(border - page(), 2 * level);
		map_page(border, 2 * level + 1);
		assert_int_equal(tables(), (uint64_t)levels + level + 1);
		check_mapped(border - 1, odd_pa(2 * level) + page() - 1);
		check_mapped(border, odd_pa(2 * level + 1));
		check_empty(border - page() - 1);
		check_empty(border + page());
		/* Not the first one's table: it may be the second one's, of a level above. */
		unmap(border - page(), 2 * page());
		check_empty(border - 1);
		check_empty(border);
		unmap(0, table_span(levels - 1, levels));
		assert_int_equal(tables(), 1);
	}
	close_domain();
}

static void borders_of_tables(void **state)
{
	(void)state;
	for_each_shape(check_borders);
}

/* The first and the last page of the space, and nothing behind it. */
static void check_ends(size_t i, unsigned levels)
{
	uint64_t end, seen[2];

	open_shape(i, levels, 0);
	end = table_span(levels - 1, levels);
	map_page(0, 1);
	map_page(end - page(), 2);
	check_mapped(0, odd_pa(1));
	check_mapped(end - 1, odd_pa(2) + page() - 1);
	for (unsigned k = 0; k < 2; k++)
		seen[k] = hw->table_pa(*entry_at(k ? end - page() : 0, levels - 1));
	assert_int_not_equal(seen[0], seen[1]);
	assert_int_equal(iopt_map(device.domain, end, end + page() - 1, odd_pa(3), RW, NULL),
			 -ERANGE);
	assert_int_equal(iopt_unmap(device.domain, end - page(), end + page() - 1, 0, &gather,
				    NULL),
			 -ERANGE);
	check_mapped(end - 1, odd_pa(2) + page() - 1);
	assert_int_equal(tables(), 2 * levels - 1);
	unmap(0, end);
	assert_int_equal(tables(), 1);
	close_domain();
}

static void ends_of_the_space(void **state)
{
	(void)state;
	for_each_shape(check_ends);
}

/* Part of a page's range, or of its address, is not mapped. */
static void check_alignment(size_t i, unsigned levels)
{
	open_shape(i, levels, 0);
	for (unsigned bit = 3; bit < info->granule_lg2; bit++) {
		uint64_t off = 1ull << bit;

		assert_int_equal(iopt_map(device.domain, off, page() - 1, 0, RW, NULL), -EINVAL);
		assert_int_equal(iopt_map(device.domain, 0, off - 1, 0, RW, NULL), -EINVAL);
		assert_int_equal(iopt_map(device.domain, 0, page() - 1, off, RW, NULL), -EINVAL);
	}
	assert_int_equal(tables(), 1);
	close_domain();
}

static void granules_are_not_cut(void **state)
{
	(void)state;
	for_each_shape(check_alignment);
}

/*
 * An unmap of all that a table translates takes it, and the table above if that is all of it, too;
 * the invalidation names it before the memory goes.
 */
static void check_whole_tables(size_t i, unsigned levels)
{
	unsigned entries;

	open_shape(i, levels, 0);
	entries = 1u << info->index_lg2;
	for (unsigned level = 0; level + 1 < levels; level++) {
		uint64_t span = table_span(level, levels), at = span;
		uint64_t below = span >> info->index_lg2;

		if (2 * span > table_span(levels - 1, levels))
			break;
		for (unsigned k = 0; k < entries; k += entries / 4)
			map_page(at + k * below, k);
		map_page(0, entries);
		device_forget(&device);
		assert_int_equal(iopt_unmap(device.domain, at, at + span - 1, 0, &gather, NULL), 0);
		assert_true(gather.owes & IOPT_OWES_TABLES);
		assert_true(gather_covers(&gather, at, at + span - 1));
		assert_int_equal(gather.nr_tables, level ? 1 + 4 * level : 1);
		iopt_sync(&gather);
		check_mapped(0, odd_pa(entries));
		check_empty(at);
		assert_int_equal(tables(), levels);
		unmap(0, span);
	}
	close_domain();
}

static void whole_tables_go(void **state)
{
	(void)state;
	for_each_shape(check_whole_tables);
}

/* A reserve holds a table for each place that the range touches: map takes no other. */
static void check_reserve(size_t i, unsigned levels)
{
	struct iopt_reserve reserve = { 0 };
	uint64_t first, last;

	open_shape(i, levels, 0);
	first = table_span(0, levels) - page();
	last = table_span(0, levels) + page() - 1;
	assert_int_equal(iopt_reserve(device.domain, first, last, &reserve), 0);
	assert_int_equal(reserve.nr_tables, 2 + levels - 2);
	iopt_posix_fail(1, true);
	assert_int_equal(iopt_map(device.domain, first, last, odd_pa(1), RW, &reserve), 0);
	assert_false(iopt_posix_fail(0, false));
	assert_int_equal(reserve.nr_tables, 0);
	assert_int_equal(tables(), levels + 1);
	iopt_reserve_release(&reserve);
	close_domain();
}

static void reserves_are_enough(void **state)
{
	(void)state;
	for_each_shape(check_reserve);
}

/* Where nothing is known of ignored bits, nothing but 0 and valid entries lies in tables in use. */
static void no_trim_leaves_no_trace(void **state)
{
	unsigned without = 0;

	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		struct iopt_stats before, after;

		open_shape(i, 0, 0);
		if (!(info->abilities & IOPT_CAN_TRIM)) {
			uint64_t at = table_span(0, 2);

			without++;
			map_page(at, 1);
			unmap(at, page());
			before = stats_now();
			assert_int_equal(iopt_trim(device.domain, 0, at, &gather, 0, NULL),
					 -EOPNOTSUPP);
			map_page(at, 1);
			assert_int_equal(iopt_unmap(device.domain, at, at + page() - 1,
						    IOPT_UNMAP_TRIM, &gather, NULL),
					 -EOPNOTSUPP);
			check_mapped(at, odd_pa(1));
			after = stats_now();
			assert_memory_equal(&before, &after, sizeof(before));
			unmap(at, page());
			for (unsigned k = 0; k < 1u << info->index_lg2; k++)
				assert_int_equal(*entry_at(at + k * page(), 0), 0);
			/* What is wrong with the call comes first. */
			assert_int_equal(iopt_trim(device.domain, at, 0, &gather, 0, NULL),
					 -EINVAL);
		}
		close_domain();
	}
	assert_true(without >= 1);
}

/* The table below each TTBR is found in the neighbouring page of the top. */
static void tops_of_several_registers(void **state)
{
	struct iopt_hw registers;

	(void)state;
	open_domain("apple-dart-4k", 0, 0);
	for (unsigned k = 0; k < 4; k++)
		map_page(k * GIB + 5 * 2 * MIB, k);
	iopt_hw(device.domain, &registers);
	assert_int_equal(registers.apple_dart.nr_ttbrs, 4);
	for (unsigned k = 0; k < 4; k++) {
		const uint64_t *table = iopt_posix_va(registers.apple_dart.ttbr[k]);

		for (unsigned entry = 0; entry < 512; entry++)
			assert_int_equal(table[entry] != 0, entry == 5);
	}
	assert_int_equal(stats_now().table_bytes, 4 * 4096 + 4 * 4096);
	close_domain();
}

/*
 * Granules that are mapped by one call to both sides of where formats have address bits elsewhere:
 * those above 32, 48 and 50 are not in place in some.
 */
static void check_addresses(size_t i, unsigned levels)
{
	static const unsigned borders[] = { 32, 33, 34, 48, 49, 50, 51 };
	const unsigned nr = 16;

	open_shape(i, levels, 0);
	for (unsigned k = 0; k < sizeof(borders) / sizeof(borders[0]); k++) {
		uint64_t pa = (1ull << borders[k]) - (nr / 2 + 1) * page();

		if (borders[k] >= info->pa_lg2)
			continue;
		map_to(0, nr * page(), pa, RW);
		for (unsigned n = 0; n < nr; n++)
			check_mapped(n * page(), pa + n * page());
		unmap(0, nr * page());
	}
	close_domain();
}

static void addresses_pass_their_borders(void **state)
{
	(void)state;
	for_each_shape(check_addresses);
}

/* ---- break before make --------------------------------------------------------------------- */

static uint64_t watched; /* where a leaf is to go over a table */
static unsigned breaks;	 /* invalidations of tables while nothing is mapped there */

static void look_for_breaks(struct device *at, const struct iopt_gather *told)
{
	struct iopt_item leaf;

	breaks += (told->owes & IOPT_OWES_TABLES) && told->ranges[0].first <= watched &&
		  told->ranges[0].last >= watched && !find_leaf(at->domain, watched, &leaf);
}

/* A leaf in the place of a table that was emptied page by page, at each level that has leaves. */
static void check_breaks(size_t i, unsigned levels)
{
	const struct iopt_format_info *f = iopt_format_info(i);
	const struct iopt_config config = {
		.format = f->name,
		.levels = (uint8_t)levels,
		.bbm = f->abilities & IOPT_CAN_BBM ? 1 : 0,
	};
	const bool live = (f->abilities & IOPT_CAN_RESIZE) && !(f->abilities & IOPT_CAN_BBM);

	open_config(&config);
	device.look = look_for_breaks;
	for (unsigned level = 1; level < levels; level++) {
		uint64_t block = 1ull << span_lg2(info, level), had;

		if (!(sizes & block) || 2 * block > table_span(levels - 1, levels))
			continue;
		watched = block;
		map_page(watched, 1);
		unmap(watched, page());
		had = tables();
		breaks = 0;
		map(watched, block);
		assert_int_equal(leaf_lg2_at(watched), span_lg2(info, level));
		assert_true(live || breaks > 0);
		assert_int_equal(tables(), had - level);
		unmap(watched, block);
	}
	close_domain();
}

static void hardware_forgets_tables_before_leaves(void **state)
{
	(void)state;
	for_each_shape(check_breaks);
}

/* Widths that hardware hasn't. */
static void widths_are_limited(void **state)
{
	struct iopt_config config = { .format = "apple-dart2", .levels = 3 };

	(void)state;
	open_config(&config);
	map_page((1ull << 42) - page(), 1);
	assert_int_equal(iopt_map(device.domain, 1ull << 42, (1ull << 42) + page() - 1, 0, RW,
				  NULL),
			 -ERANGE);
	close_domain();
	config.iova_lg2 = 43;
	assert_int_equal(device_create(&device, &config), -EINVAL);
	config.iova_lg2 = 0;
	config.levels = 4;
	assert_int_equal(device_create(&device, &config), -EINVAL);
	config.format = "apple-dart";
	config.levels = 3;
	assert_int_equal(device_create(&device, &config), -EINVAL);
	config.levels = 2;
	config.flags = IOPT_TRACK;
	assert_int_equal(device_create(&device, &config), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(borders_of_tables),
		cmocka_unit_test(ends_of_the_space),
		cmocka_unit_test(granules_are_not_cut),
		cmocka_unit_test(whole_tables_go),
		cmocka_unit_test(reserves_are_enough),
		cmocka_unit_test(no_trim_leaves_no_trace),
		cmocka_unit_test(tops_of_several_registers),
		cmocka_unit_test(addresses_pass_their_borders),
		cmocka_unit_test(hardware_forgets_tables_before_leaves),
		cmocka_unit_test(widths_are_limited),
	};

	return cmocka_run_group_tests_name("shapes", tests, NULL, NULL);
}
