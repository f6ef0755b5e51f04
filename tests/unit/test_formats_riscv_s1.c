/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V first-stage entries against bit patterns worked out by hand from the layout in
 * formats/riscv.h (the privileged specification's Sv39, Svnapot). To check the literals by:
 *
 *   0x01 V   0x02 R   0x04 W   0x08 X   0x10 U   0x20 G   0x40 A   0x80 D   0x300 RSW
 *   an address is divided by 4: its page number is in bits 53:10
 *   bits 62:61: memory type
 *   a 64 KiB run: bit 63, and 0x2000, which is 1000b in the page number's low bits
 */
#include "formats/riscv_s1.h"
#include "tests/unit/entries.h"

#define F  (&riscv_s1_format)
#define RW (IOPT_READ | IOPT_WRITE)

static uint64_t leaf(unsigned prot, uint64_t pa, unsigned lg2)
{
	return make_leaf(F, prot, IOPT_TRACKABLE, pa, lg2);
}

static void permissions(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x12345678000, 12), 0x48d159e013);
	assert_int_equal(leaf(RW, 0x12345678000, 12), 0x48d159e017);
	assert_int_equal(leaf(IOPT_READ | IOPT_EXEC, 0x12345678000, 12), 0x48d159e01b);
	assert_int_equal(leaf(RW | IOPT_EXEC, 0x12345678000, 12), 0x48d159e01f);
	assert_int_equal(leaf(IOPT_READ | IOPT_PRIV, 0x12345678000, 12), 0x48d159e003);
	assert_int_equal(leaf(RW | IOPT_PRIV, 0x12345678000, 12), 0x48d159e007);
	/* The same in a run. */
	assert_int_equal(leaf(IOPT_READ, 0x123450000, 16), 0x8000000048d16013);
	assert_int_equal(leaf(RW | IOPT_EXEC | IOPT_PRIV, 0x123450000, 16), 0x8000000048d1600f);
	/* The highest page and the highest run of 56 bits. */
	assert_int_equal(leaf(RW, 0xfffffffffff000, 12), 0x003ffffffffffc17);
	assert_int_equal(leaf(RW, 0xffffffffff0000, 16), 0x803fffffffffe017);
}

/* Without tracking hardware need not set them, nor may it: it would fault. */
static void accessed_and_dirty_start_set(void **state)
{
	(void)state;
	assert_int_equal(make_leaf(F, IOPT_READ, 0, 0x1000, 12), 0x453);
	assert_int_equal(make_leaf(F, RW, 0, 0x1000, 12), 0x4d7);
	assert_int_equal(make_leaf(F, RW, IOPT_NONCOHERENT, 0x1000, 12), 0x4d7);
	assert_int_equal(make_leaf(F, RW, IOPT_TRACK, 0x1000, 12), 0x417);
	assert_int_equal(make_leaf(F, RW, IOPT_TRACKABLE, 0x1000, 12), 0x417);
}

/* Bits 62:61: 1 is NC, 2 is IO. */
static void memory_types(void **state)
{
	uint64_t attr = 0x5a;

	(void)state;
	assert_int_equal(leaf(RW | IOPT_UNCACHED, 0x1000, 12), 0x2000000000000417);
	assert_int_equal(leaf(RW | IOPT_DEVICE, 0x1000, 12), 0x4000000000000417);
	assert_int_equal(leaf(RW | IOPT_DEVICE, 0x40000, 16), 0xc000000000012017);
	assert_int_equal(leaf(IOPT_READ | IOPT_UNCACHED, 0x200000, 21), 0x2000000000080013);
	assert_int_equal(F->leaf_attr(RW | IOPT_UNCACHED | IOPT_DEVICE, 0, &attr), -IOPT_EINVAL);
	assert_int_equal(attr, 0x5a);
	assert_int_equal(F->leaf_prot(0x2000000000000417), RW | IOPT_UNCACHED);
	assert_int_equal(F->leaf_prot(0x4000000000000417), RW | IOPT_DEVICE);
	/* They go along into another size. */
	assert_int_equal(F->leaf_attrs(0xc000000000012017, 0), 0x4000000000000017);
}

/* Every size, at the address that equals it. */
static const struct sized_leaf sizes[] = {
	{ 12, 0x0000000000000417 }, /* 4K */
	{ 16, 0x8000000000006017 }, /* 64K: 0x4000, and 0x2000 for its size */
	{ 21, 0x0000000000080017 }, /* 2M */
	{ 30, 0x0000000010000017 }, /* 1G */
	{ 39, 0x0000002000000017 }, /* 512G */
	{ 48, 0x0000400000000017 }, /* 256T */
};

static void every_size(void **state)
{
	(void)state;
	check_sizes(F, sizes, sizeof(sizes) / sizeof(sizes[0]));
}

/* D, A and U of a table entry are reserved, R, W and X are what makes it one. */
static void tables(void **state)
{
	(void)state;
	for (unsigned level = 1; level < 5; level++) {
		assert_int_equal(F->table(0x12345678000, level), 0x48d159e001);
		assert_int_equal(F->kind(0x48d159e001, level), IOPT_TABLE);
	}
	assert_int_equal(F->table_pa(0x48d159e001), 0x12345678000);
	assert_int_equal(F->table(0xfffffffffff000, 1), 0x003ffffffffffc01);
	assert_int_equal(F->table_pa(0x003ffffffffffc01), 0xfffffffffff000);
}

/* Written by others: execute only; G; a reserved memory type; a pointer where no table can be. */
static void of_others(void **state)
{
	(void)state;
	assert_int_equal(F->kind(0x409, 0), IOPT_LEAF);
	assert_int_equal(F->leaf_prot(0x419), IOPT_EXEC);
	assert_int_equal(F->leaf_prot(0x437), RW);
	assert_int_equal(F->kind(0x6000000000000417, 0), IOPT_LEAF);
	assert_int_equal(F->leaf_pa(0x6000000000000417, 0), 0x1000);
	assert_int_equal(F->leaf_prot(0x6000000000000417), RW);
	assert_int_equal(F->kind(0x401, 0), IOPT_SOFT);
	assert_int_equal(F->soft(0x621), IOPT_DEAD);
}

static void not_valid(void **state)
{
	(void)state;
	for (unsigned level = 0; level < 5; level++) {
		assert_int_equal(F->kind(0, level), IOPT_EMPTY);
		assert_int_equal(F->kind(0x416, level), IOPT_SOFT);
		assert_int_equal(F->kind(1ull << 63, level), IOPT_SOFT);
	}
}

static void accessed_and_dirty(void **state)
{
	(void)state;
	assert_false(F->leaf_dirty(0x457));
	assert_true(F->leaf_dirty(0x4d7));
	assert_false(F->leaf_accessed(0x497));
	assert_true(F->leaf_accessed(0x457));
	assert_int_equal(F->leaf_clean(0x80000000000060d7), 0x8000000000006057);
	assert_int_equal(F->leaf_dirtied(0x8000000000006057), 0x80000000000060d7);
	assert_int_equal(F->dirty_and, 0);
}

static void inexpressible(void **state)
{
	static const unsigned bad[] = { 0, IOPT_WRITE, IOPT_EXEC, RW | IOPT_SNOOP };

	(void)state;
	check_refused(F, bad, sizeof(bad) / sizeof(bad[0]));
}

static void hardware_fields(void **state)
{
	struct iopt_hw hw;

	(void)state;
	for (unsigned levels = 3; levels <= 5; levels++) {
		F->hw(0x80000000, &(struct iopt_geometry){ .levels = levels }, 0, &hw);
		assert_int_equal(hw.riscv_s1.ppn, 0x80000);
		assert_int_equal(hw.riscv_s1.mode, levels + 5);
		assert_false(hw.riscv_s1.sade);
	}
	F->hw(0x80000000, &(struct iopt_geometry){ .levels = 3 }, IOPT_TRACKABLE, &hw);
	assert_true(hw.riscv_s1.sade);
	F->hw(0x80000000, &(struct iopt_geometry){ .levels = 3 }, IOPT_TRACK, &hw);
	assert_true(hw.riscv_s1.sade);
}

static void software_values(void **state)
{
	(void)state;
	assert_int_equal(F->soft_dead, 0x200);
	assert_int_equal(F->frozen(1), 0x608);
	assert_int_equal(F->frozen(0xffffff), 0x3fffffe08);
	assert_int_equal(F->frozen_generation(0x3fffffe08), 0xffffff);
	assert_int_equal(F->retiring(0x1000), 0x620);
	assert_int_equal(F->retiring(0xfffffffffff000), 0x003ffffffffffe20);
	assert_int_equal(F->retiring_pa(0x003ffffffffffe20), 0xfffffffffff000);
	assert_int_equal(F->leaf_pending, 0x100);
	assert_int_equal(F->table_unwritten, 0x100);
}

/* All state goes along into another size, the size's own bits do not. */
static void other_sizes(void **state)
{
	(void)state;
	assert_int_equal(F->leaf_attrs(0x80000000000061d7, 0), 0x1d7);
	assert_int_equal(F->leaf(0x1d7, 0x11000, 0, 12, 1), 0x45d7);
	assert_int_equal(F->leaf(0x1d7, 0x200000, 1, 21, 0), 0x801d7);
	assert_int_equal(F->leaf_attrs(0x801d7, 1), 0x1d7);
	assert_int_equal(F->leaf(0x1d7, 0x20000, 0, 16, 15), 0x800000000000a1d7);
}

static void description(void **state)
{
	(void)state;
	assert_string_equal(F->info.name, "riscv-s1");
	assert_int_equal(F->info.min_levels, 3);
	assert_int_equal(F->info.max_levels, 5);
	assert_int_equal(F->info.pa_lg2, 56);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions),	   cmocka_unit_test(accessed_and_dirty_start_set),
		cmocka_unit_test(memory_types),	   cmocka_unit_test(every_size),
		cmocka_unit_test(tables),	   cmocka_unit_test(of_others),
		cmocka_unit_test(not_valid),	   cmocka_unit_test(accessed_and_dirty),
		cmocka_unit_test(inexpressible),   cmocka_unit_test(hardware_fields),
		cmocka_unit_test(software_values), cmocka_unit_test(other_sizes),
		cmocka_unit_test(description),
	};

	return cmocka_run_group_tests_name("riscv-s1 entries", tests, NULL, NULL);
}
