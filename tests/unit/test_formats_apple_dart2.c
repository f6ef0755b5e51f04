/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * formats/apple_dart2.h against bit patterns that were worked out by hand from Linux's and m1n1's
 * constants (see apple_dart_common.h). The numbers below name no constant of that header on
 * purpose.
 */
#include "formats/apple_dart2.h"
#include "tests/unit/entries.h"

#define RW (IOPT_READ | IOPT_WRITE)

static const struct iopt_format *const f = &apple_dart2_format;

/* Valid, 1; all of the page, 0xfff << 40; address bits 41:14 in bits 37:10. */
static void permissions_are_these_bits(void **state)
{
	(void)state;
	assert_int_equal(make_leaf(f, RW, 0, 0x12345678000, 14), 0x000fff1234567801);
	assert_int_equal(make_leaf(f, IOPT_READ, 0, 0x12345678000, 14), 0x000fff1234567805);
	assert_int_equal(make_leaf(f, IOPT_WRITE, 0, 0x12345678000, 14), 0x000fff1234567809);
	assert_int_equal(make_leaf(f, RW | IOPT_UNCACHED, 0, 0x12345678000, 14),
			 0x000fff1234567803);
	assert_int_equal(make_leaf(f, RW, 0, 0x3ffffffc000, 14), 0x000fff3ffffffc01);
	assert_int_equal(f->leaf_prot(0x000fff1234567801), RW);
	assert_int_equal(f->leaf_prot(0x000fff1234567805), IOPT_READ);
	assert_int_equal(f->leaf_prot(0x000fff1234567809), IOPT_WRITE);
	assert_int_equal(f->leaf_prot(0x000fff1234567807), IOPT_READ | IOPT_UNCACHED);
}

static void leaves_are_pages(void **state)
{
	(void)state;
	assert_int_equal(f->info.page_sizes, 0x4000);
	assert_int_equal(f->kind(0x000fff1234567801, 0), IOPT_LEAF);
	assert_int_equal(f->leaf_lg2(0x000fff1234567801, 0), 14);
	assert_int_equal(f->leaf_pa(0x000fff1234567801, 0), 0x12345678000);
	assert_int_equal(f->leaf_pa(0x000fff3ffffffc01, 0), 0x3ffffffc000);
}

static void what_does_not_exist_is_refused(void **state)
{
	static const unsigned bad[] = { IOPT_UNCACHED, RW | IOPT_DEVICE, RW | IOPT_SNOOP };

	(void)state;
	check_refused(f, bad, sizeof(bad) / sizeof(bad[0]));
}

static void tables_are_an_address(void **state)
{
	(void)state;
	for (unsigned level = 1; level < 3; level++) {
		assert_int_equal(f->table(0x12345678000, level), 0x1234567801);
		assert_int_equal(f->kind(0x1234567801, level), IOPT_TABLE);
	}
	assert_int_equal(f->table_pa(0x1234567801), 0x12345678000);
}

static void what_is_not_valid_is_dead(void **state)
{
	(void)state;
	assert_int_equal(f->soft_dead, 0x10);
	for (unsigned level = 0; level < 3; level++) {
		assert_int_equal(f->kind(0, level), IOPT_EMPTY);
		assert_int_equal(f->kind(0x10, level), IOPT_SOFT);
		assert_int_equal(f->kind(0x000fff1234567806, level), IOPT_SOFT);
	}
}

static void the_register_counts_as_a_level(void **state)
{
	struct iopt_geometry geometry = { .levels = 2, .iova_lg2 = 36, .pa_lg2 = 42 };
	struct iopt_hw hw;

	(void)state;
	f->hw(0x12345678000, &geometry, 0, &hw);
	assert_int_equal(hw.apple_dart.nr_ttbrs, 1);
	assert_int_equal(hw.apple_dart.ttbr[0], 0x12345678000);
	assert_false(hw.apple_dart.four_levels);
	geometry.levels = 3;
	geometry.iova_lg2 = 42;
	f->hw(0x12345678000, &geometry, 0, &hw);
	assert_int_equal(hw.apple_dart.nr_ttbrs, 1);
	assert_true(hw.apple_dart.four_levels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions_are_these_bits),
		cmocka_unit_test(leaves_are_pages),
		cmocka_unit_test(what_does_not_exist_is_refused),
		cmocka_unit_test(tables_are_an_address),
		cmocka_unit_test(what_is_not_valid_is_dead),
		cmocka_unit_test(the_register_counts_as_a_level),
	};

	return cmocka_run_group_tests_name("apple_dart2", tests, NULL, NULL);
}
