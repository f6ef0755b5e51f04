/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V G-stage entries against bit patterns worked out by hand from the layout in
 * formats/riscv.h. Here is what differs from the first stage, which test_formats_riscv_s1.c has,
 * and one of each of the rest. To check the literals by:
 *
 *   0x01 V   0x02 R   0x04 W   0x08 X   0x10 U   0x20 G   0x40 A   0x80 D   0x300 RSW
 *   bits 62:61: memory type
 *   an address is divided by 4: its page number is in bits 53:10
 *   a 64 KiB run: bit 63, and 0x2000, which is 1000b in the page number's low bits
 */
#include "formats/riscv_g.h"
#include "tests/unit/entries.h"

#define F  (&riscv_g_format)
#define RW (IOPT_READ | IOPT_WRITE)

static uint64_t leaf(unsigned prot, uint64_t pa, unsigned lg2)
{
	return make_leaf(F, prot, IOPT_TRACKABLE, pa, lg2);
}

/* U is set whatever is asked for: without it nothing is reached. */
static void permissions(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x12345678000, 12), 0x48d159e013);
	assert_int_equal(leaf(RW, 0x12345678000, 12), 0x48d159e017);
	assert_int_equal(leaf(IOPT_READ | IOPT_EXEC, 0x12345678000, 12), 0x48d159e01b);
	assert_int_equal(leaf(RW | IOPT_EXEC, 0x123450000, 16), 0x8000000048d1601f);
	assert_int_equal(leaf(RW, 0xfffffffffff000, 12), 0x003ffffffffffc17);
	assert_int_equal(make_leaf(F, IOPT_READ, 0, 0x1000, 12), 0x453);
	assert_int_equal(make_leaf(F, RW, 0, 0x1000, 12), 0x4d7);
	assert_int_equal(make_leaf(F, RW, IOPT_TRACK, 0x1000, 12), 0x417);
}

static void memory_types(void **state)
{
	(void)state;
	assert_int_equal(leaf(RW | IOPT_UNCACHED, 0x1000, 12), 0x2000000000000417);
	assert_int_equal(leaf(RW | IOPT_DEVICE, 0x40000, 16), 0xc000000000012017);
	assert_int_equal(F->leaf_prot(0x2000000000000417), RW | IOPT_UNCACHED);
	assert_int_equal(F->leaf_prot(0xc000000000012017), RW | IOPT_DEVICE);
}

static void inexpressible(void **state)
{
	static const unsigned bad[] = { 0, IOPT_WRITE, RW | IOPT_PRIV, RW | IOPT_SNOOP,
					RW | IOPT_UNCACHED | IOPT_DEVICE };

	(void)state;
	check_refused(F, bad, sizeof(bad) / sizeof(bad[0]));
}

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

/* The second stage's tables look like the first one's: D, A and U are reserved. */
static void tables(void **state)
{
	(void)state;
	for (unsigned level = 1; level < 5; level++) {
		assert_int_equal(F->table(0x12345678000, level), 0x48d159e001);
		assert_int_equal(F->kind(0x48d159e001, level), IOPT_TABLE);
	}
	assert_int_equal(F->table_pa(0x003ffffffffffc01), 0xfffffffffff000);
}

static void software_values(void **state)
{
	(void)state;
	assert_int_equal(F->soft_dead, 0x200);
	assert_int_equal(F->frozen(0xffffff), 0x3fffffe08);
	assert_int_equal(F->retiring(0x1000), 0x620);
	assert_int_equal(F->leaf_pending, 0x100);
}

static void hardware_fields(void **state)
{
	struct iopt_hw hw;

	(void)state;
	for (unsigned levels = 3; levels <= 5; levels++) {
		F->hw(0x80000000, &(struct iopt_geometry){ .levels = levels }, 0, &hw);
		assert_int_equal(hw.riscv_g.ppn, 0x80000);
		assert_int_equal(hw.riscv_g.mode, levels + 5);
		assert_false(hw.riscv_g.gade);
	}
	F->hw(0x80000000, &(struct iopt_geometry){ .levels = 3 }, IOPT_TRACKABLE, &hw);
	assert_true(hw.riscv_g.gade);
	F->hw(0x80000000, &(struct iopt_geometry){ .levels = 3 }, IOPT_TRACK, &hw);
	assert_true(hw.riscv_g.gade);
}

static void description(void **state)
{
	(void)state;
	assert_string_equal(F->info.name, "riscv-g");
	assert_int_equal(F->info.min_levels, 3);
	assert_int_equal(F->info.max_levels, 5);
	assert_int_equal(F->info.top_lg2, 2);
	assert_int_equal(F->info.pa_lg2, 56);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions),	   cmocka_unit_test(memory_types),
		cmocka_unit_test(inexpressible),   cmocka_unit_test(every_size),
		cmocka_unit_test(tables),	   cmocka_unit_test(software_values),
		cmocka_unit_test(hardware_fields), cmocka_unit_test(description),
	};

	return cmocka_run_group_tests_name("riscv-g entries", tests, NULL, NULL);
}
