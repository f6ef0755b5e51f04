/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * AMD v1 entries against bit patterns worked out by hand from the layout in formats/amd_v1.h (as in
 * Linux amd_iommu_types.h and io_pgtable.c). Bits, to check the literals by:
 *
 *   0x001 PR (0)   0x020 A (5)   0x040 D (6)   next level n is n * 0x200 (11:9), 7 is 0xe00
 *   bit 60 FC 0x1..., bit 61 IR 0x2..., bit 62 IW 0x4...: read and write is 0x6..., with FC 0x7...
 */
#include "formats/amd_v1.h"
#include "tests/unit/entries.h"

#define F  (&amd_v1_format)
#define RW (IOPT_READ | IOPT_WRITE)

static uint64_t leaf(unsigned prot, uint64_t pa, unsigned lg2)
{
	return make_leaf(F, prot, IOPT_TRACKABLE, pa, lg2);
}

static void permissions(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x12345678000, 12), 0x2000012345678001);
	assert_int_equal(leaf(IOPT_WRITE, 0x12345678000, 12), 0x4000012345678001);
	assert_int_equal(leaf(RW, 0x12345678000, 12), 0x6000012345678001);
	assert_int_equal(leaf(IOPT_READ | IOPT_SNOOP, 0x12345678000, 12), 0x3000012345678001);
	assert_int_equal(leaf(IOPT_WRITE | IOPT_SNOOP, 0x12345678000, 12), 0x5000012345678001);
	assert_int_equal(leaf(RW | IOPT_SNOOP, 0x12345678000, 12), 0x7000012345678001);
	/* The same in a run: 16 KiB, bit 13 is 0, bit 12 is 1. */
	assert_int_equal(leaf(IOPT_READ, 0x12345678000, 14), 0x2000012345679e01);
	assert_int_equal(leaf(IOPT_WRITE | IOPT_SNOOP, 0x12345678000, 14), 0x5000012345679e01);
	/* The highest page of 52 bits. */
	assert_int_equal(leaf(RW, 0xffffffffff000, 12), 0x600ffffffffff001);
}

/*
 * Every size at the address that equals it. Next level 0 for what a level has by default. Else 7,
 * and of the address bits below the size (2^s) the highest, s - 1, is 0, the others down to 12 are
 * 1. From bit s down to 12: 8K is 10, 16K is 101, 32K is 1011, 64K is 10111.
 */
static const struct sized_leaf sizes[] = {
	{ 12, 0x6000000000001001 }, /* 4K: default */
	{ 13, 0x6000000000002e01 }, /* 8K: 0x2000, nothing below bit 12 */
	{ 14, 0x6000000000005e01 }, /* 16K: 0x4000 + 0x1000 */
	{ 15, 0x600000000000be01 }, /* 32K: 0x8000 + 0x3000 */
	{ 16, 0x6000000000017e01 }, /* 64K: 0x10000 + 0x7000 */
	{ 17, 0x600000000002fe01 }, /* 128K: 0x20000 + 0xf000 */
	{ 18, 0x600000000005fe01 }, /* 256K: 0x40000 + 0x1f000 */
	{ 19, 0x60000000000bfe01 }, /* 512K */
	{ 20, 0x600000000017fe01 }, /* 1M: the last of level 0, 256 entries */
	{ 21, 0x6000000000200001 }, /* 2M: default of level 1 */
	{ 22, 0x60000000005ffe01 }, /* 4M: 0x400000 + 0x1ff000 */
	{ 23, 0x6000000000bffe01 }, /* 8M */
	{ 24, 0x60000000017ffe01 }, /* 16M */
	{ 25, 0x6000000002fffe01 }, /* 32M */
	{ 26, 0x6000000005fffe01 }, /* 64M */
	{ 27, 0x600000000bfffe01 }, /* 128M */
	{ 28, 0x6000000017fffe01 }, /* 256M */
	{ 29, 0x600000002ffffe01 }, /* 512M */
	{ 30, 0x6000000040000001 }, /* 1G: default of level 2 */
	{ 31, 0x60000000bffffe01 }, /* 2G: 0x80000000 + 0x3ffff000 */
	{ 32, 0x600000017ffffe01 }, /* 4G */
	{ 33, 0x60000002fffffe01 }, /* 8G */
	{ 34, 0x60000005fffffe01 }, /* 16G */
	{ 35, 0x6000000bfffffe01 }, /* 32G */
	{ 36, 0x60000017fffffe01 }, /* 64G */
	{ 37, 0x6000002ffffffe01 }, /* 128G */
	{ 38, 0x6000005ffffffe01 }, /* 256G */
	{ 40, 0x6000017ffffffe01 }, /* 1T: 0x10000000000 + 0x7ffffff000, two entries of level 3 */
	{ 41, 0x600002fffffffe01 }, /* 2T */
	{ 42, 0x600005fffffffe01 }, /* 4T */
	{ 43, 0x60000bfffffffe01 }, /* 8T */
	{ 44, 0x600017fffffffe01 }, /* 16T */
	{ 45, 0x60002ffffffffe01 }, /* 32T */
	{ 46, 0x60005ffffffffe01 }, /* 64T */
	{ 47, 0x6000bffffffffe01 }, /* 128T */
	{ 48, 0x6001000000000001 }, /* 256T: default of level 4 */
	{ 49, 0x6002fffffffffe01 }, /* 512T */
	{ 50, 0x6005fffffffffe01 }, /* 1P */
	{ 51, 0x600bfffffffffe01 }, /* 2P: eight entries of level 4 */
};

static void every_power_of_two(void **state)
{
	(void)state;
	check_sizes(F, sizes, sizeof(sizes) / sizeof(sizes[0]));
}

/* What is read, though never written: 512 GiB, the whole space, a default size by next level 7. */
static void sizes_of_others(void **state)
{
	(void)state;
	assert_int_equal(F->kind(0x6000008000000001, 3), IOPT_LEAF);
	assert_int_equal(F->leaf_lg2(0x6000008000000001, 3), 39);
	assert_int_equal(F->leaf_pa(0x6000008000000001, 3), 0x8000000000);
	assert_int_equal(F->leaf_lg2(0x6007fffffffffe01, 4), 52);
	assert_int_equal(F->leaf_pa(0x6007fffffffffe01, 4), 0);
	assert_int_equal(F->leaf_lg2(0x60000000002ffe01, 1), 21);
	assert_int_equal(F->leaf_pa(0x60000000002ffe01, 1), 0x200000);
	/* All ones name no size; what comes out is larger than any. */
	assert_int_equal(F->leaf_lg2(0xffffffffffffffff, 4), 53);
}

/* Next level is the level of the table below, counted from 1; IR and IW; FC is reserved. */
static void tables(void **state)
{
	static const uint64_t next[] = { 0, 0x201, 0x401, 0x601, 0x801, 0xa01 };

	(void)state;
	for (unsigned level = 1; level < 6; level++) {
		uint64_t entry = 0x6000000abcdef000 | next[level];

		assert_int_equal(F->table(0xabcdef000, level), entry);
		assert_int_equal(F->kind(entry, level), IOPT_TABLE);
		assert_int_equal(F->table_pa(entry), 0xabcdef000);
		/* Reserved: 60:52. */
		assert_int_equal(F->table(0xffffffffff000, level) & 0x1ff0000000000000, 0);
	}
	assert_int_equal(F->table_pa(0x600ffffffffff9ff), 0xffffffffff000);
	assert_true(F->table_accessed(0x6000000abcdef221));
	assert_false(F->table_accessed(0x6000000abcdef2df));
	assert_int_equal(F->table_hw, 0x20);
}

/* Pointers past one level and more, as others may write them, are tables, too. */
static void skipped_levels(void **state)
{
	static const struct {
		unsigned level;
		uint64_t entry;
	} skips[] = {
		{ 2, 0x6000000abcdef201 }, { 3, 0x6000000abcdef401 }, { 3, 0x6000000abcdef201 },
		{ 5, 0x6000000abcdef801 }, { 5, 0x6000000abcdef201 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++) {
		assert_int_equal(F->kind(skips[i].entry, skips[i].level), IOPT_TABLE);
		assert_int_equal(F->table_pa(skips[i].entry), 0xabcdef000);
	}
}

/*
 * A pointer to its own level or up leads nowhere: 4 to 6 at level 3. Level 0 has no pointers: what
 * is present there is taken for a leaf, as Linux's amdv1.h takes it (amdv1pt_load_entry_raw()).
 */
static void upward_is_nothing(void **state)
{
	(void)state;
	for (uint64_t next = 1; next < 7; next++)
		assert_int_equal(F->kind(0x6000000abcdef001 | next << 9, 0), IOPT_LEAF);
	for (unsigned level = 1; level < 6; level++)
		for (uint64_t next = level + 1; next < 7; next++)
			assert_int_equal(F->kind(0x6000000abcdef001 | next << 9, level), IOPT_SOFT);
}

/* Bit 0 alone decides. */
static void not_present(void **state)
{
	(void)state;
	for (unsigned level = 0; level < 6; level++) {
		assert_int_equal(F->kind(0, level), IOPT_EMPTY);
		assert_int_equal(F->kind(0xfffffffffffffffe, level), IOPT_SOFT);
		assert_int_equal(F->kind(0x7000000abcdef060, level), IOPT_SOFT);
		assert_int_equal(F->kind(0x0000000000000002, level), IOPT_SOFT);
	}
	assert_int_equal(F->soft_dead, 0x2);
}

/* Ignored bits of a leaf: 63, 8:7, 4:1; U, bit 59, is none of ours but may be there. */
static void decode(void **state)
{
	uint64_t entry = 0xf80000000005ffff;

	(void)state;
	assert_int_equal(F->kind(entry, 0), IOPT_LEAF);
	assert_int_equal(F->leaf_lg2(entry, 0), 18);
	assert_int_equal(F->leaf_pa(entry, 0), 0x40000);
	assert_int_equal(F->leaf_prot(entry), RW | IOPT_SNOOP);
	assert_int_equal(F->leaf_prot(0x2000012345678001), IOPT_READ);
	assert_int_equal(F->leaf_prot(0x4000012345678001), IOPT_WRITE);
	assert_int_equal(F->leaf_pa(0x6000012345678001, 0), 0x12345678000);
}

/* Bit 6 is D, bit 5 is A, in each replica. A slot has no fixed size: no AND. */
static void accessed_and_dirty(void **state)
{
	(void)state;
	assert_false(F->leaf_dirty(0x600000000005fe21));
	assert_true(F->leaf_dirty(0x600000000005fe41));
	assert_true(F->leaf_accessed(0x600000000005fe21));
	assert_false(F->leaf_accessed(0x600000000005fe41));
	assert_int_equal(F->leaf_clean(0x600000000005fe61), 0x600000000005fe21);
	assert_int_equal(F->dirty_and, 0);
}

/* Reserved in leaves: 58:52; U (59), the ignored 63, 8:7, 4:1, and A and D are not ours to set. */
static void reserved_stay_zero(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned lg2 = sizes[i].lg2;
		uint64_t top = (1ull << 52) - (1ull << lg2);

		assert_int_equal(leaf(RW | IOPT_SNOOP, top, lg2) & 0x8ff00000000001fe, 0);
	}
}

static void inexpressible(void **state)
{
	static const unsigned bad[] = {
		0,
		IOPT_SNOOP,
		IOPT_EXEC,
		IOPT_PRIV,
		IOPT_READ | IOPT_EXEC,
		IOPT_READ | IOPT_PRIV,
		RW | 0x20,
		0x80000001,
	};

	(void)state;
	check_refused(F, bad, sizeof(bad) / sizeof(bad[0]));
}

static void hardware_fields(void **state)
{
	struct iopt_hw hw = { 0 };

	(void)state;
	for (unsigned levels = 1; levels <= 6; levels++) {
		F->hw(0x123000, &(struct iopt_geometry){ .levels = levels }, 0, &hw);
		assert_int_equal(hw.amd_v1.root_ptr, 0x123000);
		assert_int_equal(hw.amd_v1.mode, levels);
		assert_int_equal(hw.amd_v1.had, 0);
		assert_false(hw.amd_v1.sd);
	}
	F->hw(0x123000, &(struct iopt_geometry){ .levels = 3 }, IOPT_TRACKABLE, &hw);
	assert_int_equal(hw.amd_v1.had, 3);
	F->hw(0x123000, &(struct iopt_geometry){ .levels = 3 }, IOPT_TRACK, &hw);
	assert_int_equal(hw.amd_v1.had, 3);
	F->hw(0x123000, &(struct iopt_geometry){ .levels = 3 }, IOPT_NONCOHERENT, &hw);
	assert_int_equal(hw.amd_v1.had, 0);
	assert_true(hw.amd_v1.sd);
}

/* The engine's own: tag in 2:1, generation in 35:12, pending is bit 3, unwritten bit 4. */
static void software_values(void **state)
{
	(void)state;
	assert_int_equal(F->frozen(0), 0x0000000000000004);
	assert_int_equal(F->frozen(1), 0x0000000000001004);
	assert_int_equal(F->frozen(0xffffff), 0x0000000ffffff004);
	assert_int_equal(F->frozen_generation(0x0000000123456004), 0x123456);
	assert_int_equal(F->retiring(0xabcdef000), 0x0000000abcdef006);
	assert_int_equal(F->retiring(0xffffffffff000), 0x000ffffffffff006);
	assert_int_equal(F->retiring_pa(0x000ffffffffff006), 0xffffffffff000);
	assert_int_equal(F->soft(0x0000000000000002), IOPT_DEAD);
	assert_int_equal(F->soft(0x0000000ffffff004), IOPT_FROZEN);
	assert_int_equal(F->soft(0x000ffffffffff006), IOPT_RETIRING);
	assert_int_equal(F->leaf_pending, 0x8);
	assert_int_equal(F->table_unwritten, 0x10);
	assert_int_equal(F->table_touched, 0);
	assert_int_equal(F->table_a, 0);
	assert_int_equal(F->leaf_hw(0x1), 0x60); /* D, A */
}

/* All but address, size in it, and next level stays: IW, IR, FC, D, A, pending, PR. */
static void other_sizes(void **state)
{
	(void)state;
	assert_int_equal(F->leaf_attrs(0x7000000123456069, 0), 0x7000000000000069);
	assert_int_equal(F->leaf_attrs(0x7000000000047e69, 0), 0x7000000000000069);
	assert_int_equal(F->leaf_attrs(0x20000000001ffe01, 1), 0x2000000000000001);
	/* 64 KiB: bits 14:12 are 1, bit 15 is 0; 4 MiB: bits 20:12 are 1, bit 21 is 0. */
	assert_int_equal(F->leaf(0x7000000000000069, 0x40000, 0, 16, 3), 0x7000000000047e69);
	assert_int_equal(F->leaf(0x7000000000000069, 0x800000, 1, 22, 1), 0x70000000009ffe69);
	assert_int_equal(F->leaf(0x7000000000000069, 0x45000, 0, 12, 0), 0x7000000000045069);
	assert_int_equal(F->leaf_dirtied(0x6000000123456001), 0x6000000123456041);
	assert_int_equal(F->leaf_dirtied(0x6000000123456041), 0x6000000123456041);
}

static void description(void **state)
{
	(void)state;
	assert_string_equal(F->info.name, "amd-v1");
	assert_int_equal(F->info.min_levels, 1);
	assert_int_equal(F->info.max_levels, 6);
	assert_int_equal(F->info.pa_lg2, 52);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions),	      cmocka_unit_test(every_power_of_two),
		cmocka_unit_test(sizes_of_others),    cmocka_unit_test(tables),
		cmocka_unit_test(skipped_levels),     cmocka_unit_test(upward_is_nothing),
		cmocka_unit_test(not_present),	      cmocka_unit_test(decode),
		cmocka_unit_test(accessed_and_dirty), cmocka_unit_test(reserved_stay_zero),
		cmocka_unit_test(inexpressible),      cmocka_unit_test(hardware_fields),
		cmocka_unit_test(software_values),    cmocka_unit_test(other_sizes),
		cmocka_unit_test(description),
	};

	return cmocka_run_group_tests_name("amd-v1 entries", tests, NULL, NULL);
}
