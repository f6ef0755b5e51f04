/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm stage 1 descriptors against bit patterns worked out by hand from the layout in
 * formats/arm_64.h. To check the literals by:
 *
 *   0x001 valid     0x002 page, or table   0x01c AttrIndx: 0x04 write-back, 0 non-cacheable, 0x08
 *   device          0x040 AP[1]            0x080 AP[2], read only
 *   0x300 SH inner  0x200 outer            0x400 AF            0x800 nG
 *   bit 51 DBM, 0x0008...   bit 52 contiguous, 0x0010...   bit 53 PXN, 0x0020...
 *   bit 54 UXN, 0x0040...   bit 56 written, 0x0100...      bit 57 pending, 0x0200...
 *   bit 58 software, 0x0400...
 */
#include "formats/arm_s1.h"
#include "tests/unit/entries.h"

#define F  (&arm_s1_format)
#define RW (IOPT_READ | IOPT_WRITE)

static uint64_t leaf(unsigned prot, uint64_t pa, unsigned lg2)
{
	return make_leaf(F, prot, IOPT_TRACKABLE, pa, lg2);
}

static void permissions(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x12345678000, 12), 0x0060012345678bc7);
	assert_int_equal(leaf(RW, 0x12345678000, 12), 0x0068012345678bc7);
	assert_int_equal(leaf(IOPT_READ | IOPT_EXEC, 0x12345678000, 12), 0x0000012345678bc7);
	assert_int_equal(leaf(RW | IOPT_EXEC, 0x12345678000, 12), 0x0008012345678bc7);
	assert_int_equal(leaf(RW | IOPT_PRIV, 0x12345678000, 12), 0x0068012345678b87);
	assert_int_equal(leaf(RW | IOPT_PRIV | IOPT_EXEC, 0x12345678000, 12), 0x0048012345678b87);
	/* The highest page and the highest block. */
	assert_int_equal(leaf(RW, 0xfffffffff000, 12), 0x0068fffffffffbc7);
	assert_int_equal(leaf(RW, 0xffffc0000000, 30), 0x0068ffffc0000bc5);
}

static void memory_types(void **state)
{
	(void)state;
	assert_int_equal(leaf(RW | IOPT_UNCACHED, 0x12345678000, 12), 0x0068012345678ac3);
	assert_int_equal(leaf(RW | IOPT_DEVICE, 0x12345678000, 12), 0x0068012345678acb);
	/* Attribute 3 of MAIR is cacheable at least in one place. */
	assert_int_equal(F->leaf_prot(0x0068012345678bcf), RW);
}

/* Nobody marks these: they may be written from the start, and DBM is for hardware that knows it. */
static void untracked(void **state)
{
	(void)state;
	assert_int_equal(make_leaf(F, IOPT_READ, 0, 0x12345678000, 12), 0x0060012345678fc7);
	assert_int_equal(make_leaf(F, RW, 0, 0x12345678000, 12), 0x0060012345678f47);
	assert_int_equal(make_leaf(F, RW, IOPT_NONCOHERENT, 0x1000, 12), 0x0060000000001f47);
	assert_int_equal(make_leaf(F, RW, IOPT_TRACK, 0x1000, 12), 0x0068000000001bc7);
	assert_false(F->leaf_dirty(0x0060000000001f47));
	/* Hardware changes no permission of theirs. */
	assert_int_equal(F->leaf_hw(0x0060000000001f47), 0x0100000000000400);
}

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 12, 0x0068000000001bc7 }, /* 4K */
	{ 16, 0x0078000000013bc7 }, /* 64K: 0x10000 and three pages */
	{ 21, 0x0068000000200bc5 }, /* 2M */
	{ 25, 0x0078000002600bc5 }, /* 32M: 0x2000000 and three times 2M */
	{ 30, 0x0068000040000bc5 }, /* 1G */
	{ 34, 0x00780004c0000bc5 }, /* 16G: 0x400000000 and 3G */
};

static void every_size(void **state)
{
	(void)state;
	check_sizes(F, sizes, sizeof(sizes) / sizeof(sizes[0]));
}

static void tables(void **state)
{
	(void)state;
	for (unsigned level = 1; level < 4; level++) {
		assert_int_equal(F->table(0x12345678000, level), 0x12345678003);
		assert_int_equal(F->kind(0x12345678003, level), IOPT_TABLE);
	}
	assert_int_equal(F->table_pa(0xf800fffffffff003), 0xfffffffff000);
	assert_int_equal(F->kind(0x12345678003, 0), IOPT_LEAF);
}

/* A block where there are none, and the reserved encoding of the lowest level. */
static void reserved(void **state)
{
	(void)state;
	assert_int_equal(F->kind(0x0068000000000bc5, 3), IOPT_SOFT);
	assert_int_equal(F->kind(0x0068000000000bc5, 2), IOPT_LEAF);
	assert_int_equal(F->kind(0x0068000000000bc5, 1), IOPT_LEAF);
	assert_int_equal(F->kind(0x0068000000000bc5, 0), IOPT_SOFT);
	assert_int_equal(F->soft(0x0468000000000bc5), IOPT_DEAD);
	for (unsigned level = 0; level < 4; level++) {
		assert_int_equal(F->kind(0, level), IOPT_EMPTY);
		assert_int_equal(F->kind(0x0068000000001bc6, level), IOPT_SOFT);
	}
}

/* AP[2] where DBM is set, and the software's bit where it is not. */
static void accessed_and_dirty(void **state)
{
	(void)state;
	assert_false(F->leaf_dirty(0x0068000000001bc7));
	assert_true(F->leaf_dirty(0x0068000000001b47));
	assert_false(F->leaf_accessed(0x0068000000001bc7));
	assert_true(F->leaf_accessed(0x0068000000001fc7));
	assert_int_equal(F->leaf_prot(0x0068000000001b47), RW);
	assert_int_equal(F->leaf_clean(0x0078000000001f47), 0x0078000000001fc7);
	assert_int_equal(F->leaf_dirtied(0x0078000000001fc7), 0x0078000000001f47);
	assert_int_equal(F->leaf_hw(0x0068000000001bc7), 0x480);

	assert_false(F->leaf_dirty(0x0060000000001bc7));
	assert_true(F->leaf_dirty(0x0160000000001bc7));
	assert_int_equal(F->leaf_prot(0x0160000000001bc7), IOPT_READ);
	assert_int_equal(F->leaf_clean(0x0160000000001fc7), 0x0060000000001fc7);
	assert_int_equal(F->leaf_dirtied(0x0060000000001fc7), 0x0160000000001fc7);
	assert_int_equal(F->leaf_hw(0x0060000000001bc7), 0x0100000000000400);
	assert_int_equal(F->dirty_and, 0);
}

static void inexpressible(void **state)
{
	static const unsigned bad[] = { 0, IOPT_WRITE, RW | IOPT_SNOOP,
					RW | IOPT_UNCACHED | IOPT_DEVICE };

	(void)state;
	check_refused(F, bad, sizeof(bad) / sizeof(bad[0]));
}

static void hardware_fields(void **state)
{
	struct iopt_geometry g = { .levels = 4, .iova_lg2 = 48, .pa_lg2 = 48 };
	struct iopt_hw hw;

	(void)state;
	F->hw(0x80000000, &g, 0, &hw);
	assert_int_equal(hw.arm.ttb, 0x80000000);
	assert_int_equal(hw.arm.mair, 0xf404ff44);
	assert_int_equal(hw.arm.tsz, 16);
	assert_int_equal(hw.arm.tg, 0);
	assert_int_equal(hw.arm.ps, 5);
	assert_int_equal(hw.arm.sh, 3);
	assert_int_equal(hw.arm.irgn, 1);
	assert_int_equal(hw.arm.orgn, 1);
	assert_false(hw.arm.upper || hw.arm.ds || hw.arm.ha || hw.arm.hd);
	g = (struct iopt_geometry){ .levels = 3, .iova_lg2 = 36, .pa_lg2 = 41 };
	F->hw(0x80000000, &g, IOPT_UPPER | IOPT_TRACKABLE, &hw);
	assert_int_equal(hw.arm.tsz, 28);
	assert_int_equal(hw.arm.tg, 2);
	assert_int_equal(hw.arm.ps, 3); /* 42 bits are the next */
	assert_true(hw.arm.upper && hw.arm.ha && hw.arm.hd);
	F->hw(0x80000000, &g, IOPT_NONCOHERENT, &hw);
	assert_int_equal(hw.arm.sh, 2);
	assert_int_equal(hw.arm.irgn, 0);
	assert_int_equal(hw.arm.orgn, 0);
}

/* T0SZ is 39 at most. */
static void geometries(void **state)
{
	struct iopt_geometry g = { .levels = 2, .iova_lg2 = 25, .pa_lg2 = 48 };

	(void)state;
	assert_true(F->fits(&g));
	g.iova_lg2 = 24;
	assert_false(F->fits(&g));
	assert_true(F->top_exact);
}

static void software_values(void **state)
{
	(void)state;
	assert_int_equal(F->soft_dead, 0x0400000000000000);
	assert_int_equal(F->frozen(1), 0x0400000000001004);
	assert_int_equal(F->frozen(0xffffff), 0x0400000ffffff004);
	assert_int_equal(F->frozen_generation(0x0400000ffffff004), 0xffffff);
	assert_int_equal(F->retiring(0x1000), 0x0400000000001008);
	assert_int_equal(F->retiring(0xfffffffff000), 0x0400fffffffff008);
	assert_int_equal(F->retiring_pa(0x0400fffffffff008), 0xfffffffff000);
	assert_int_equal(F->leaf_pending, 0x0200000000000000);
}

/* All state goes along into another size, the size's own bits do not. */
static void other_sizes(void **state)
{
	(void)state;
	assert_int_equal(F->leaf_attrs(0x0278000002600f45, 1), 0x0268000000000f45);
	assert_int_equal(F->leaf(0x0268000000000f45, 0x11000, 0, 12, 1), 0x0268000000011f47);
	assert_int_equal(F->leaf(0x0268000000000f45, 0x20000, 0, 16, 15), 0x027800000002ff47);
	assert_int_equal(F->leaf(0x0268000000000f45, 0x20000, 0, 16, 31), 0x027800000002ff47);
	assert_int_equal(F->leaf_attrs(0x027800000002ff47, 0), 0x0268000000000f45);
	assert_int_equal(F->leaf_pa(0x027800000002ff47, 0), 0x20000);
}

static void description(void **state)
{
	(void)state;
	assert_string_equal(F->info.name, "arm-s1");
	assert_int_equal(F->info.min_levels, 2);
	assert_int_equal(F->info.max_levels, 4);
	assert_int_equal(F->info.pa_lg2, 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions),
		cmocka_unit_test(memory_types),
		cmocka_unit_test(untracked),
		cmocka_unit_test(every_size),
		cmocka_unit_test(tables),
		cmocka_unit_test(reserved),
		cmocka_unit_test(accessed_and_dirty),
		cmocka_unit_test(inexpressible),
		cmocka_unit_test(hardware_fields),
		cmocka_unit_test(geometries),
		cmocka_unit_test(software_values),
		cmocka_unit_test(other_sizes),
		cmocka_unit_test(description),
	};

	return cmocka_run_group_tests_name("arm-s1 entries", tests, NULL, NULL);
}
