/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What MediaTek's extension changes in short descriptors, against bit patterns that were worked out
 * by hand from Linux's constants (see formats/arm_v7s_mtk.h); the rest is in
 * test_formats_arm_v7s.c. The numbers below name no constant of that header on purpose.
 *
 * Of a small page: 10; B 4, C 8, TEX[0] 0x40, S 0x400, nG 0x800; address bits 32 0x200, 33 0x10, 34
 * 0x20.
 */
#include "formats/arm_v7s_mtk.h"
#include "tests/unit/entries.h"

#define RW (IOPT_READ | IOPT_WRITE)

static const struct iopt_format *const f = &arm_v7s_mtk_format;

static const struct sized_leaf leaves[] = {
	{ 12, 0x00001c4e }, /* 4K */
	{ 16, 0x00011c0d }, /* 64K */
	{ 20, 0x0013100e }, /* 1M */
	{ 24, 0x0107100e }, /* 16M */
};

static void address_bits_are_where_permissions_were(void **state)
{
	(void)state;
	check_sizes(f, leaves, sizeof(leaves) / sizeof(leaves[0]));
	assert_int_equal(make_leaf(f, RW, 0, 0x112345000, 12), 0x12345e4e);
	assert_int_equal(make_leaf(f, RW, 0, 0x212345000, 12), 0x12345c5e);
	assert_int_equal(make_leaf(f, RW, 0, 0x412345000, 12), 0x12345c6e);
	assert_int_equal(make_leaf(f, RW, 0, 0x7ffff0000, 16), 0xffff1e3d);
	assert_int_equal(make_leaf(f, RW, 0, 0x7fff00000, 20), 0xfff3123e);
	assert_int_equal(make_leaf(f, RW | IOPT_DEVICE, 0, 0x7ff000000, 24), 0xff070236);
	assert_int_equal(make_leaf(f, RW | IOPT_UNCACHED, 0, 0x7fffff000, 12), 0xfffffe72);
	assert_int_equal(f->leaf_pa(0xfffffe72, 0), 0x7fffff000);
	assert_int_equal(f->leaf_pa(0xfff3123e, 1), 0x7fff00000);
	assert_int_equal(f->leaf_prot(f->leaf_attrs(0xfffffe72, 0)), RW | IOPT_UNCACHED);
	assert_int_equal(f->leaf_prot(f->leaf_attrs(0xff070236, 1)), RW | IOPT_DEVICE);
}

static void permissions_are_refused(void **state)
{
	static const unsigned bad[] = { 0,
					IOPT_READ,
					IOPT_WRITE,
					RW | IOPT_EXEC,
					RW | IOPT_PRIV,
					RW | IOPT_SNOOP,
					RW | IOPT_UNCACHED | IOPT_DEVICE };

	(void)state;
	check_refused(f, bad, sizeof(bad) / sizeof(bad[0]));
}

static void tables_have_these_bits_too(void **state)
{
	(void)state;
	assert_int_equal(f->table(0x712345400, 1), 0x12345631);
	assert_int_equal(f->table_pa(0x12345631), 0x712345400);
	assert_int_equal(f->retiring(0x5fffffc00), 0xfffffea8);
	assert_int_equal(f->retiring_pa(0xfffffea8), 0x5fffffc00);
	assert_int_equal(f->kind(0xfffffea8, 1), IOPT_SOFT);
}

static void the_register_has_them_below(void **state)
{
	struct iopt_geometry geometry = { .levels = 2, .iova_lg2 = 34, .pa_lg2 = 35 };
	struct iopt_hw hw;

	(void)state;
	f->hw(0x712340000, &geometry, 0, &hw);
	assert_int_equal(hw.arm_v7s.ttbr, 0x12340007);
	assert_int_equal(hw.arm_v7s.tcr, 0);
	f->hw(0x12340000, &geometry, IOPT_NONCOHERENT, &hw);
	assert_int_equal(hw.arm_v7s.ttbr, 0x12340000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_bits_are_where_permissions_were),
		cmocka_unit_test(permissions_are_refused),
		cmocka_unit_test(tables_have_these_bits_too),
		cmocka_unit_test(the_register_has_them_below),
	};

	return cmocka_run_group_tests_name("arm-v7s-mtk entries", tests, NULL, NULL);
}
