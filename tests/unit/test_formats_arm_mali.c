/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * formats/arm_mali.h against bit patterns that were worked out by hand from Linux's constants (see
 * there). The numbers below name no constant of that header on purpose. To check them by:
 *
 *   0x001 leaf      0x003 table  0x004 write-allocate  0x008 device
 *   0x040 read      0x080 write  0x200 SH outer        bits 54:53 XN, 0x0060...
 */
#include "formats/arm_mali.h"
#include "tests/unit/entries.h"

#define RW (IOPT_READ | IOPT_WRITE)

static const struct iopt_format *const f = &arm_mali_format;

static void permissions_are_these_bits(void **state)
{
	(void)state;
	assert_int_equal(make_leaf(f, RW, 0, 0x1234567000, 12), 0x00600012345672c5);
	assert_int_equal(make_leaf(f, IOPT_READ, 0, 0x1234567000, 12), 0x0060001234567245);
	assert_int_equal(make_leaf(f, IOPT_WRITE, 0, 0x1234567000, 12), 0x0060001234567285);
	assert_int_equal(make_leaf(f, RW | IOPT_EXEC, 0, 0xfffffff000, 12), 0x000000fffffff2c5);
	assert_int_equal(make_leaf(f, RW | IOPT_UNCACHED, 0, 0x1000, 12), 0x00600000000012c1);
	assert_int_equal(make_leaf(f, RW | IOPT_DEVICE, 0, 0x1000, 12), 0x00600000000012c9);
	assert_int_equal(f->leaf_prot(0x0060001234567285), IOPT_WRITE);
	assert_int_equal(f->leaf_prot(0x0000001234567245), IOPT_READ | IOPT_EXEC);
	assert_int_equal(f->leaf_prot(0x00600000000012c9), RW | IOPT_DEVICE);
	assert_int_equal(f->leaf_prot(0x00600000000012c1), RW | IOPT_UNCACHED);
}

/* Pages have the type of blocks. */
static const struct sized_leaf sizes[] = {
	{ 12, 0x00600000000012c5 }, /* 4K */
	{ 21, 0x00600000002002c5 }, /* 2M */
	{ 30, 0x00600000400002c5 }, /* 1G */
};

static void every_size(void **state)
{
	(void)state;
	check_sizes(f, sizes, sizeof(sizes) / sizeof(sizes[0]));
	assert_int_equal(f->kind(0x00600000400002c5, 3), IOPT_SOFT);
}

static void inexpressible(void **state)
{
	static const unsigned bad[] = { 0, RW | IOPT_PRIV, RW | IOPT_SNOOP,
					RW | IOPT_UNCACHED | IOPT_DEVICE };

	(void)state;
	check_refused(f, bad, sizeof(bad) / sizeof(bad[0]));
}

static void tables_are_an_address(void **state)
{
	(void)state;
	for (unsigned level = 1; level < 4; level++) {
		assert_int_equal(f->table(0x1234567000, level), 0x1234567003);
		assert_int_equal(f->kind(0x1234567003, level), IOPT_TABLE);
		assert_int_equal(f->kind(0x0080001234567003, level), IOPT_TABLE);
	}
	assert_int_equal(f->kind(0x1234567003, 0), IOPT_SOFT);
	assert_int_equal(f->table_pa(0x0080001234567003), 0x1234567000);
}

static void what_is_not_valid_is_dead(void **state)
{
	(void)state;
	assert_int_equal(f->soft_dead, 0x0100000000000000);
	for (unsigned level = 0; level < 4; level++) {
		assert_int_equal(f->kind(0, level), IOPT_EMPTY);
		assert_int_equal(f->kind(0x0100000000000000, level), IOPT_SOFT);
		assert_int_equal(f->kind(0x0060001234567244, level), IOPT_SOFT);
	}
}

static void hardware_fields(void **state)
{
	struct iopt_geometry geometry = { .levels = 4, .iova_lg2 = 48, .pa_lg2 = 40 };
	struct iopt_hw hw;

	(void)state;
	f->hw(0x1234567000, &geometry, 0, &hw);
	assert_int_equal(hw.arm_mali.transtab, 0x1234567017);
	assert_int_equal(hw.arm_mali.memattr, 0x888d88);
	f->hw(0x1234567000, &geometry, IOPT_NONCOHERENT, &hw);
	assert_int_equal(hw.arm_mali.transtab, 0x1234567007);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions_are_these_bits),
		cmocka_unit_test(every_size),
		cmocka_unit_test(inexpressible),
		cmocka_unit_test(tables_are_an_address),
		cmocka_unit_test(what_is_not_valid_is_dead),
		cmocka_unit_test(hardware_fields),
	};

	return cmocka_run_group_tests_name("arm-mali entries", tests, NULL, NULL);
}
