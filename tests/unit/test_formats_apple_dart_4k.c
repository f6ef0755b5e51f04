/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * formats/apple_dart_4k.h against bit patterns that were worked out by hand from Linux's constants
 * (see apple_dart_common.h). What DART 1 has whatever its pages is in test_formats_apple_dart.c.
 */
#include "formats/apple_dart_4k.h"
#include "tests/unit/entries.h"

#define RW (IOPT_READ | IOPT_WRITE)

static const struct iopt_format *const f = &apple_dart_4k_format;

static void pages_are_small(void **state)
{
	(void)state;
	assert_int_equal(f->info.page_sizes, 0x1000);
	assert_int_equal(make_leaf(f, RW, 0, 0x123457000, 12), 0x000fff0123457003);
	assert_int_equal(make_leaf(f, IOPT_READ, 0, 0xffffff000, 12), 0x000fff0ffffff083);
	assert_int_equal(f->leaf_lg2(0x000fff0123457003, 0), 12);
	assert_int_equal(f->leaf_pa(0x000fff0123457003, 0), 0x123457000);
	assert_int_equal(f->table(0x812345000, 1), 0x812345001);
	assert_int_equal(f->table_pa(0x812345001), 0x812345000);
}

/* One register translates 1 GiB: bits 29:21 are its table's index. */
static void registers_lead_to_neighbours(void **state)
{
	struct iopt_geometry geometry = { .levels = 2, .iova_lg2 = 32, .pa_lg2 = 36 };
	struct iopt_hw hw;

	(void)state;
	f->hw(0x812344000, &geometry, 0, &hw);
	assert_int_equal(hw.apple_dart.nr_ttbrs, 4);
	assert_int_equal(hw.apple_dart.ttbr[0], 0x812344000);
	assert_int_equal(hw.apple_dart.ttbr[1], 0x812345000);
	assert_int_equal(hw.apple_dart.ttbr[2], 0x812346000);
	assert_int_equal(hw.apple_dart.ttbr[3], 0x812347000);
	geometry.iova_lg2 = 31;
	f->hw(0x812344000, &geometry, 0, &hw);
	assert_int_equal(hw.apple_dart.nr_ttbrs, 2);
	assert_int_equal(hw.apple_dart.ttbr[1], 0x812345000);
	assert_int_equal(hw.apple_dart.ttbr[2], 0);
	geometry.iova_lg2 = 24;
	f->hw(0x812344000, &geometry, 0, &hw);
	assert_int_equal(hw.apple_dart.nr_ttbrs, 1);
	assert_false(hw.apple_dart.four_levels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_small),
		cmocka_unit_test(registers_lead_to_neighbours),
	};

	return cmocka_run_group_tests_name("apple_dart_4k", tests, NULL, NULL);
}
