/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm stage 2 descriptors against bit patterns worked out by hand from the layout in
 * formats/arm_64.h; what they share with stage 1 is in test_formats_arm_s1.c. To check the literals
 * by:
 *
 *   0x001 valid     0x002 page   0x03c MemAttr: 0x3c write-back, 0x14 non-cacheable, 0x04 device
 *   0x040 read      0x080 write  0x300 SH inner  0x200 outer  0x400 AF
 *   bit 51 DBM, 0x0008...   bit 52 contiguous, 0x0010...   bit 54 XN, 0x0040...
 *   bit 56 written, 0x0100...
 */
#include "formats/arm_s2.h"
#include "tests/unit/entries.h"

#define F  (&arm_s2_format)
#define RW (IOPT_READ | IOPT_WRITE)

static uint64_t leaf(unsigned prot, uint64_t pa, unsigned lg2)
{
	return make_leaf(F, prot, IOPT_TRACKABLE, pa, lg2);
}

static void permissions(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x12345678000, 12), 0x004001234567837f);
	assert_int_equal(leaf(RW, 0x12345678000, 12), 0x004801234567837f);
	assert_int_equal(leaf(IOPT_WRITE, 0x12345678000, 12), 0x004801234567833f);
	assert_int_equal(leaf(IOPT_READ | IOPT_EXEC, 0x12345678000, 12), 0x000001234567837f);
	assert_int_equal(leaf(RW | IOPT_EXEC, 0xfffffffff000, 12), 0x0008fffffffff37f);
	assert_int_equal(leaf(RW | IOPT_UNCACHED, 0x12345678000, 12), 0x0048012345678257);
	assert_int_equal(leaf(RW | IOPT_DEVICE, 0x12345678000, 12), 0x0048012345678247);
	/* Devices of other kinds; inner non-cacheable alone is not uncached. */
	assert_int_equal(F->leaf_prot(0x004801234567824f), RW | IOPT_DEVICE);
	assert_int_equal(F->leaf_prot(0x0048012345678277), RW);
}

static void untracked(void **state)
{
	(void)state;
	assert_int_equal(make_leaf(F, IOPT_READ, 0, 0x12345678000, 12), 0x004001234567877f);
	assert_int_equal(make_leaf(F, RW, 0, 0x12345678000, 12), 0x00400123456787ff);
	assert_int_equal(make_leaf(F, RW, IOPT_TRACK, 0x1000, 12), 0x004800000000137f);
	assert_int_equal(F->leaf_hw(0x00400000000017ff), 0x0100000000000400);
}

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 12, 0x004800000000137f }, /* 4K */
	{ 16, 0x005800000001337f }, /* 64K */
	{ 21, 0x004800000020037d }, /* 2M */
	{ 25, 0x005800000260037d }, /* 32M */
	{ 30, 0x004800004000037d }, /* 1G */
	{ 34, 0x00580004c000037d }, /* 16G */
};

static void every_size(void **state)
{
	(void)state;
	check_sizes(F, sizes, sizeof(sizes) / sizeof(sizes[0]));
}

/* S2AP[1] where DBM is set, and the software's bit where it is not. */
static void accessed_and_dirty(void **state)
{
	(void)state;
	assert_false(F->leaf_dirty(0x004800000000137f));
	assert_true(F->leaf_dirty(0x00480000000013ff));
	assert_int_equal(F->leaf_prot(0x00480000000013ff), RW);
	assert_int_equal(F->leaf_prot(0x00480000000013bf), IOPT_WRITE);
	assert_int_equal(F->leaf_clean(0x00580000000017ff), 0x005800000000177f);
	assert_int_equal(F->leaf_dirtied(0x005800000000177f), 0x00580000000017ff);
	assert_int_equal(F->leaf_hw(0x004800000000137f), 0x480);

	assert_false(F->leaf_dirty(0x004000000000137f));
	assert_true(F->leaf_dirty(0x014000000000137f));
	assert_int_equal(F->leaf_clean(0x014000000000137f), 0x004000000000137f);
	assert_int_equal(F->leaf_dirtied(0x004000000000137f), 0x014000000000137f);
}

/* The start level, as SL0 says it; four levels are not for hardware of less than 44 bits. */
static void hardware_fields(void **state)
{
	struct iopt_geometry g = { .pa_lg2 = 40 };
	struct iopt_hw hw;

	(void)state;
	for (unsigned levels = 2; levels <= 4; levels++) {
		g.levels = (uint8_t)levels;
		g.iova_lg2 = (uint8_t)(12 + 9 * levels);
		F->hw(0x80000000, &g, IOPT_TRACK, &hw);
		assert_int_equal(hw.arm.ttb, 0x80000000);
		assert_int_equal(hw.arm.sl0, levels - 2);
		assert_int_equal(hw.arm.tsz, 52 - 9 * levels);
		assert_int_equal(hw.arm.tg, 0);
		assert_int_equal(hw.arm.ps, 2);
		assert_int_equal(hw.arm.mair, 0);
		assert_true(hw.arm.ha && hw.arm.hd);
		assert_false(hw.arm.sl2 || hw.arm.upper);
		assert_true(F->fits(&g));
	}
	g.iova_lg2 = 44;
	assert_true(F->fits(&g));
	g.iova_lg2 = 43;
	assert_false(F->fits(&g));
	g.levels = 3;
	assert_true(F->fits(&g));
}

static void inexpressible(void **state)
{
	static const unsigned bad[] = { 0, IOPT_EXEC, RW | IOPT_PRIV, RW | IOPT_SNOOP };

	(void)state;
	check_refused(F, bad, sizeof(bad) / sizeof(bad[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions),	   cmocka_unit_test(untracked),
		cmocka_unit_test(every_size),	   cmocka_unit_test(accessed_and_dirty),
		cmocka_unit_test(hardware_fields), cmocka_unit_test(inexpressible),
	};

	return cmocka_run_group_tests_name("arm-s2 entries", tests, NULL, NULL);
}
