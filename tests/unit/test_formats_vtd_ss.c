/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VT-d second-stage entries against bit patterns worked out by hand from the specification
 * (D51397-018, revision 5.10), section 9.8, tables 41 to 47. Bits, to check the literals by:
 *
 *   0x001 R (0)   0x002 W (1)   0x080 PS (7)   0x100 A (8)   0x200 D (9)   0x800 SNP (11)
 */
#include "formats/vtd_ss.h"
#include "tests/unit/entries.h"

#define F (&vtd_ss_format)

static uint64_t leaf(unsigned prot, uint64_t pa, unsigned lg2)
{
	return make_leaf(F, prot, IOPT_TRACKABLE, pa, lg2);
}

/* Table 47: address in 51:12, SNP, W, R; bit 7 is not PS. */
static void leaf_4k(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x12345678000, 12), 0x0000012345678001);
	assert_int_equal(leaf(IOPT_WRITE, 0x12345678000, 12), 0x0000012345678002);
	assert_int_equal(leaf(IOPT_READ | IOPT_WRITE, 0x12345678000, 12), 0x0000012345678003);
	assert_int_equal(leaf(IOPT_READ | IOPT_SNOOP, 0x12345678000, 12), 0x0000012345678801);
	assert_int_equal(leaf(IOPT_WRITE | IOPT_SNOOP, 0x12345678000, 12), 0x0000012345678802);
	assert_int_equal(leaf(IOPT_READ | IOPT_WRITE | IOPT_SNOOP, 0x12345678000, 12),
			 0x0000012345678803);
	assert_int_equal(leaf(IOPT_READ, 0, 12), 0x0000000000000001);
	assert_int_equal(leaf(IOPT_READ | IOPT_WRITE, 0xffffffffff000, 12), 0x000ffffffffff003);
}

/* Table 45: address in 51:21, PS. */
static void leaf_2m(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x8000200000, 21), 0x0000008000200081);
	assert_int_equal(leaf(IOPT_WRITE, 0x8000200000, 21), 0x0000008000200082);
	assert_int_equal(leaf(IOPT_READ | IOPT_WRITE, 0x8000200000, 21), 0x0000008000200083);
	assert_int_equal(leaf(IOPT_READ | IOPT_WRITE | IOPT_SNOOP, 0xffffffe00000, 21),
			 0x0000ffffffe00883);
	assert_int_equal(leaf(IOPT_READ | IOPT_WRITE, 0xfffffffe00000, 21), 0x000fffffffe00083);
}

/* Table 43: address in 51:30, PS. */
static void leaf_1g(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0xfc0000000, 30), 0x0000000fc0000081);
	assert_int_equal(leaf(IOPT_WRITE, 0xfc0000000, 30), 0x0000000fc0000082);
	assert_int_equal(leaf(IOPT_READ | IOPT_WRITE, 0xfc0000000, 30), 0x0000000fc0000083);
	assert_int_equal(leaf(IOPT_READ | IOPT_SNOOP, 0xfc0000000, 30), 0x0000000fc0000881);
	assert_int_equal(leaf(IOPT_READ | IOPT_WRITE, 0xfffffc0000000, 30), 0x000fffffc0000083);
}

/* Tables 41, 42, 44, 46: address in 51:12, A, W, R; 11 and 7 are 0. */
static void tables(void **state)
{
	(void)state;
	for (unsigned level = 1; level < 5; level++) {
		assert_int_equal(F->table(0xabcdef000, level), 0x0000000abcdef103);
		assert_int_equal(F->table(0xffffffffff000, level), 0x000ffffffffff103);
		assert_int_equal(F->kind(0x0000000abcdef103, level), IOPT_TABLE);
		assert_int_equal(F->kind(0x0000000abcdef001, level), IOPT_TABLE);
		assert_int_equal(F->kind(0x0000000abcdef002, level), IOPT_TABLE);
	}
	assert_int_equal(F->table_pa(0x0000000abcdef103), 0xabcdef000);
	/* All that is ignored: 63, 60:52, 10:9, 6:2. */
	assert_int_equal(F->table_pa(0x9ff0000abcdef77f), 0xabcdef000);
	assert_int_equal(F->kind(0x9ff0000abcdef77f, 1), IOPT_TABLE);
	assert_true(F->table_accessed(0x0000000abcdef103));
	assert_false(F->table_accessed(0x0000000abcdef003));
}

/* The same value is a leaf or a table by its PS at levels 1 and 2; SS-PTEs have none (table 47). */
static void page_size(void **state)
{
	(void)state;
	assert_int_equal(F->kind(0x0000000040000083, 2), IOPT_LEAF);
	assert_int_equal(F->kind(0x0000000040000083, 1), IOPT_LEAF);
	assert_int_equal(F->kind(0x0000000040000003, 2), IOPT_TABLE);
	assert_int_equal(F->kind(0x0000000040000003, 1), IOPT_TABLE);
	assert_int_equal(F->kind(0x0000000040000003, 0), IOPT_LEAF);
	assert_int_equal(F->kind(0x0000000040000083, 0), IOPT_LEAF);
	assert_int_equal(F->leaf_lg2(0x0000000040000003, 0), 12);
	assert_int_equal(F->leaf_lg2(0x0000000040000083, 1), 21);
	assert_int_equal(F->leaf_lg2(0x0000000040000083, 2), 30);
}

/* Section 3.7: with R and W both 0 nothing else makes an entry present. */
static void not_present(void **state)
{
	(void)state;
	for (unsigned level = 0; level < 5; level++) {
		assert_int_equal(F->kind(0, level), IOPT_EMPTY);
		assert_int_equal(F->kind(0xfffffffffffffffc, level), IOPT_SOFT);
		assert_int_equal(F->kind(0x0000000abcdef880, level), IOPT_SOFT);
		assert_int_equal(F->kind(0x0000000000000100, level), IOPT_SOFT);
		assert_int_equal(F->kind(0x0010000000000000, level), IOPT_SOFT);
	}
	assert_int_equal(F->soft_dead, 0x0010000000000000);
}

/* Entries as hardware or others leave them: ignored and memory-type bits set, A, D. */
static void decode(void **state)
{
	uint64_t entry = 0xbff0008000200fff; /* 63, 61:52, 11:0: all but what is reserved */

	(void)state;
	assert_int_equal(F->leaf_pa(entry, 1), 0x8000200000);
	assert_int_equal(F->leaf_prot(entry), IOPT_READ | IOPT_WRITE | IOPT_SNOOP);
	assert_true(F->leaf_dirty(entry));
	assert_true(F->leaf_accessed(entry));
	assert_int_equal(F->leaf_clean(entry), 0xbff0008000200dff);
	assert_int_equal(F->leaf_pa(0x0000012345678003, 0), 0x12345678000);
	assert_int_equal(F->leaf_pa(0x000fffffc0000083, 2), 0xfffffc0000000);
	assert_int_equal(F->leaf_prot(0x0000012345678001), IOPT_READ);
	assert_int_equal(F->leaf_prot(0x0000012345678002), IOPT_WRITE);
	assert_int_equal(F->leaf_prot(0x0000012345678801), IOPT_READ | IOPT_SNOOP);
}

/* Bit 9 is D, bit 8 is A (section 3.7.2). */
static void accessed_and_dirty(void **state)
{
	(void)state;
	assert_false(F->leaf_dirty(0x0000012345678103));
	assert_true(F->leaf_dirty(0x0000012345678203));
	assert_true(F->leaf_accessed(0x0000012345678103));
	assert_false(F->leaf_accessed(0x0000012345678203));
	assert_int_equal(F->leaf_clean(0x0000012345678303), 0x0000012345678103);
	assert_int_equal(F->dirty_and, 0x200);
	assert_int_equal(F->table_hw, 0x0080000000000100); /* A; touched is bit 55 */
}

/* Reserved bits of present entries: 62, with HAW 52 nothing of 51:12, and what each table names. */
static void reserved_stay_zero(void **state)
{
	static const uint64_t reserved[] = {
		0x4000000000000000, /* table 47: 62 */
		0x40000000001ff000, /* table 45: 62, 20:12 */
		0x400000003ffff000, /* table 43: 62, 29:12 */
	};

	(void)state;
	for (unsigned level = 0; level < 3; level++) {
		unsigned lg2 = 12 + 9 * level;
		uint64_t top = (1ull << 52) - (1ull << lg2);

		for (unsigned prot = 0; prot < 32; prot++) {
			uint64_t attr;

			if (F->leaf_attr(prot, 0, &attr))
				continue;
			assert_int_equal(F->leaf(attr, top, level, lg2, 0) & reserved[level], 0);
		}
	}
	/* Tables 41, 42: 62, 11, 7; tables 44 and 46: the same, 7 being PS. */
	for (unsigned level = 1; level < 5; level++)
		assert_int_equal(F->table(0xffffffffff000, level) & 0x4000000000000880, 0);
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
		IOPT_READ | IOPT_WRITE | 0x20,
		0x80000001,
	};

	(void)state;
	check_refused(F, bad, sizeof(bad) / sizeof(bad[0]));
}

/* Section 9.6: AW is 001b, 010b, 011b for 39, 48, 57 bits. */
static void hardware_fields(void **state)
{
	struct iopt_hw hw = { 0 };

	(void)state;
	for (unsigned levels = 3; levels <= 5; levels++) {
		F->hw(0x123000, &(struct iopt_geometry){ .levels = levels }, 0, &hw);
		assert_int_equal(hw.vtd_ss.ssptptr, 0x123000);
		assert_int_equal(hw.vtd_ss.aw, levels - 2);
		assert_false(hw.vtd_ss.ssade);
		assert_true(hw.vtd_ss.pwsnp);
	}
	F->hw(0x123000, &(struct iopt_geometry){ .levels = 4 }, IOPT_TRACKABLE, &hw);
	assert_true(hw.vtd_ss.ssade);
	F->hw(0x123000, &(struct iopt_geometry){ .levels = 4 }, IOPT_TRACK, &hw);
	assert_true(hw.vtd_ss.ssade);
	F->hw(0x123000, &(struct iopt_geometry){ .levels = 4 }, IOPT_NONCOHERENT, &hw);
	assert_false(hw.vtd_ss.ssade);
	assert_false(hw.vtd_ss.pwsnp);
}

/*
 * The engine's own: tag in 53:52, generation in 35:12; pending is bit 54, touched bit 55, unwritten
 * bit 56.
 */
static void software_values(void **state)
{
	(void)state;
	assert_int_equal(F->frozen(0), 0x0020000000000000);
	assert_int_equal(F->frozen(1), 0x0020000000001000);
	assert_int_equal(F->frozen(0xffffff), 0x0020000ffffff000);
	assert_int_equal(F->frozen_generation(0x0020000123456000), 0x123456);
	assert_int_equal(F->retiring(0xabcdef000), 0x0030000abcdef000);
	assert_int_equal(F->retiring(0xffffffffff000), 0x003ffffffffff000);
	assert_int_equal(F->retiring_pa(0x003ffffffffff000), 0xffffffffff000);
	assert_int_equal(F->soft(0x0010000000000000), IOPT_DEAD);
	assert_int_equal(F->soft(0x0020000ffffff000), IOPT_FROZEN);
	assert_int_equal(F->soft(0x003ffffffffff000), IOPT_RETIRING);
	assert_int_equal(F->leaf_pending, 0x0040000000000000);
	assert_int_equal(F->table_unwritten, 0x0100000000000000);
	assert_int_equal(F->table_touched, 0x0080000000000000);
	assert_int_equal(F->table_a, 0x100);
	assert_int_equal(F->leaf_hw(0x3), 0x300); /* D, A */
}

/* All but address and PS stays: pending, SNP, D, A, W, R. */
static void other_sizes(void **state)
{
	(void)state;
	assert_int_equal(F->leaf_attrs(0x0040012345678b03, 0), 0x0040000000000b03);
	assert_int_equal(F->leaf_attrs(0x0040008000200b83, 1), 0x0040000000000b03);
	assert_int_equal(F->leaf_attrs(0x0000000fc0000081, 2), 0x0000000000000001);
	assert_int_equal(F->leaf(0x0040000000000b03, 0x40200000, 1, 21, 0), 0x0040000040200b83);
	assert_int_equal(F->leaf(0x0040000000000b03, 0x40201000, 0, 12, 0), 0x0040000040201b03);
	assert_int_equal(F->leaf_dirtied(0x0000012345678003), 0x0000012345678203);
	assert_int_equal(F->leaf_dirtied(0x0000012345678203), 0x0000012345678203);
}

static void description(void **state)
{
	(void)state;
	assert_string_equal(F->info.name, "vtd-ss");
	assert_int_equal(F->info.page_sizes, 0x40201000);
	assert_int_equal(F->info.min_levels, 3);
	assert_int_equal(F->info.max_levels, 5);
	assert_int_equal(F->info.pa_lg2, 52);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaf_4k),
		cmocka_unit_test(leaf_2m),
		cmocka_unit_test(leaf_1g),
		cmocka_unit_test(tables),
		cmocka_unit_test(page_size),
		cmocka_unit_test(not_present),
		cmocka_unit_test(decode),
		cmocka_unit_test(accessed_and_dirty),
		cmocka_unit_test(reserved_stay_zero),
		cmocka_unit_test(inexpressible),
		cmocka_unit_test(hardware_fields),
		cmocka_unit_test(software_values),
		cmocka_unit_test(other_sizes),
		cmocka_unit_test(description),
	};

	return cmocka_run_group_tests_name("vtd-ss entries", tests, NULL, NULL);
}
