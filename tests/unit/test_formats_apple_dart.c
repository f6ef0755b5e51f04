/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * formats/apple_dart.h against bit patterns that were worked out by hand from Linux's constants
 * (see apple_dart_common.h). The numbers below name no constant of that header on purpose.
 */
#include <string.h>

#include "formats/apple_dart.h"
#include "tests/unit/entries.h"

#define RW (IOPT_READ | IOPT_WRITE)

static const struct iopt_format *const f = &apple_dart_format;

/* Valid, 1; sub-page protection off, 2; all of the page, 0xfff << 40. */
static void permissions_are_these_bits(void **state)
{
	(void)state;
	assert_int_equal(make_leaf(f, RW, 0, 0x123454000, 14), 0x000fff0123454003);
	assert_int_equal(make_leaf(f, IOPT_READ, 0, 0x123454000, 14), 0x000fff0123454083);
	assert_int_equal(make_leaf(f, IOPT_WRITE, 0, 0x123454000, 14), 0x000fff0123454103);
	assert_int_equal(make_leaf(f, RW, 0, 0xfffffc000, 14), 0x000fff0fffffc003);
	assert_int_equal(f->leaf_prot(0x000fff0123454003), RW);
	assert_int_equal(f->leaf_prot(0x000fff0123454083), IOPT_READ);
	assert_int_equal(f->leaf_prot(0x000fff0123454103), IOPT_WRITE);
	assert_int_equal(f->leaf_prot(0x000fff0123454183), 0);
}

static void leaves_are_pages(void **state)
{
	(void)state;
	assert_int_equal(f->info.page_sizes, 0x4000);
	assert_int_equal(f->kind(0x000fff0123454003, 0), IOPT_LEAF);
	assert_int_equal(f->leaf_lg2(0x000fff0123454003, 0), 14);
	assert_int_equal(f->leaf_pa(0x000fff0123454003, 0), 0x123454000);
	/* An entry that others wrote, in a smaller page. */
	assert_int_equal(f->leaf_pa(0x000fff0123456003, 0), 0x123454000);
}

static void what_does_not_exist_is_refused(void **state)
{
	static const unsigned bad[] = { 0, RW | IOPT_EXEC, RW | IOPT_UNCACHED, RW | IOPT_DEVICE };

	(void)state;
	check_refused(f, bad, sizeof(bad) / sizeof(bad[0]));
}

/* Address and valid, nothing else (Linux, dart_install_table). */
static void tables_are_an_address(void **state)
{
	(void)state;
	assert_int_equal(f->table(0x812344000, 1), 0x812344001);
	assert_int_equal(f->kind(0x812344001, 1), IOPT_TABLE);
	assert_int_equal(f->table_pa(0x812344001), 0x812344000);
}

/* Bit 0 alone says valid. */
static void what_is_not_valid_is_dead(void **state)
{
	(void)state;
	assert_int_equal(f->soft_dead, 0x10);
	for (unsigned level = 0; level < 2; level++) {
		assert_int_equal(f->kind(0, level), IOPT_EMPTY);
		assert_int_equal(f->kind(0x10, level), IOPT_SOFT);
		assert_int_equal(f->kind(0x000fff0123454002, level), IOPT_SOFT);
	}
	assert_int_equal(f->soft(0x10), IOPT_DEAD);
	assert_int_equal(f->soft(0x812344000), IOPT_DEAD);
}

static void one_register_is_enough(void **state)
{
	const struct iopt_geometry geometry = { .levels = 2, .iova_lg2 = 36, .pa_lg2 = 36 };
	struct iopt_hw hw;

	(void)state;
	memset(&hw, 0xff, sizeof(hw));
	f->hw(0x812344000, &geometry, 0, &hw);
	assert_int_equal(hw.apple_dart.nr_ttbrs, 1);
	assert_int_equal(hw.apple_dart.ttbr[0], 0x812344000);
	assert_int_equal(hw.apple_dart.ttbr[1], 0);
	assert_int_equal(hw.apple_dart.ttbr[3], 0);
	assert_false(hw.apple_dart.four_levels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions_are_these_bits),
		cmocka_unit_test(leaves_are_pages),
		cmocka_unit_test(what_does_not_exist_is_refused),
		cmocka_unit_test(tables_are_an_address),
		cmocka_unit_test(what_is_not_valid_is_dead),
		cmocka_unit_test(one_register_is_enough),
	};

	return cmocka_run_group_tests_name("apple_dart", tests, NULL, NULL);
}
