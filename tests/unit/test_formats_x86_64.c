/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * x86-64 entries against bit patterns worked out by hand from the VT-d specification (D51397-018,
 * revision 5.10), section 9.7, tables 34 to 40, and the AMD64 Architecture Programmer's Manual,
 * volume 2, section 5.3. Bits, to check the literals by:
 *
 *   0x001 P (0)   0x002 R/W (1)   0x004 U/S (2)   0x020 A (5)   0x040 D (6)   0x080 PS (7)
 *   0x400 EA (10)   0x8000000000000000 NX (63)
 */
#include "formats/x86_64.h"
#include "tests/unit/entries.h"

#define F  (&x86_64_format)
#define RW (IOPT_READ | IOPT_WRITE)

static uint64_t leaf(unsigned prot, uint64_t pa, unsigned lg2)
{
	return make_leaf(F, prot, IOPT_TRACKABLE, pa, lg2);
}

/* Table 40: address in 51:12, U/S, R/W, P; bit 7 is PAT, not PS. NX unless asked to execute. */
static void leaf_4k(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x12345678000, 12), 0x8000012345678005);
	assert_int_equal(leaf(RW, 0x12345678000, 12), 0x8000012345678007);
	assert_int_equal(leaf(IOPT_READ | IOPT_PRIV, 0x12345678000, 12), 0x8000012345678001);
	assert_int_equal(leaf(RW | IOPT_PRIV, 0x12345678000, 12), 0x8000012345678003);
	assert_int_equal(leaf(IOPT_READ | IOPT_EXEC, 0x12345678000, 12), 0x0000012345678005);
	assert_int_equal(leaf(RW | IOPT_EXEC, 0x12345678000, 12), 0x0000012345678007);
	assert_int_equal(leaf(IOPT_READ | IOPT_EXEC | IOPT_PRIV, 0x12345678000, 12),
			 0x0000012345678001);
	assert_int_equal(leaf(RW | IOPT_EXEC | IOPT_PRIV, 0x12345678000, 12), 0x0000012345678003);
	assert_int_equal(leaf(RW, 0xffffffffff000, 12), 0x800ffffffffff007);
}

/* Tables 38 and 36: address in 51:21 and 51:30, PS. */
static void blocks(void **state)
{
	(void)state;
	assert_int_equal(leaf(IOPT_READ, 0x8000200000, 21), 0x8000008000200085);
	assert_int_equal(leaf(RW, 0x8000200000, 21), 0x8000008000200087);
	assert_int_equal(leaf(RW | IOPT_PRIV | IOPT_EXEC, 0x8000200000, 21), 0x0000008000200083);
	assert_int_equal(leaf(RW, 0xfffffffe00000, 21), 0x800fffffffe00087);
	assert_int_equal(leaf(IOPT_READ, 0xfc0000000, 30), 0x8000000fc0000085);
	assert_int_equal(leaf(RW | IOPT_EXEC, 0xfc0000000, 30), 0x0000000fc0000087);
	assert_int_equal(leaf(RW, 0xfffffc0000000, 30), 0x800fffffc0000087);
}

/* Where nothing is tracked A starts set, and D where there is something to write. */
static void preset(void **state)
{
	(void)state;
	assert_int_equal(make_leaf(F, IOPT_READ, 0, 0x12345678000, 12), 0x8000012345678025);
	assert_int_equal(make_leaf(F, RW, 0, 0x12345678000, 12), 0x8000012345678067);
	assert_int_equal(make_leaf(F, RW, IOPT_NONCOHERENT, 0x12345678000, 12), 0x8000012345678067);
	assert_int_equal(make_leaf(F, RW, 0, 0x8000200000, 21), 0x80000080002000e7);
	assert_int_equal(make_leaf(F, RW, IOPT_TRACKABLE, 0x8000200000, 21), 0x8000008000200087);
	assert_int_equal(make_leaf(F, RW, IOPT_TRACK, 0x8000200000, 21), 0x8000008000200087);
}

/* Tables 34, 35, 37, 39: address in 51:12, A, U/S, R/W, P; never NX. */
static void tables(void **state)
{
	(void)state;
	for (unsigned level = 1; level < 5; level++) {
		assert_int_equal(F->table(0xabcdef000, level), 0x0000000abcdef027);
		assert_int_equal(F->table(0xffffffffff000, level), 0x000ffffffffff027);
		assert_int_equal(F->kind(0x0000000abcdef027, level), IOPT_TABLE);
		assert_int_equal(F->kind(0x0000000abcdef001, level), IOPT_TABLE);
	}
	/* All that VT-d ignores: 63:52, 11, 10 (EA), 9:8, 6, 4, 3. */
	assert_int_equal(F->table_pa(0xfff0000abcdeff7f), 0xabcdef000);
	assert_int_equal(F->kind(0xfff0000abcdeff7f, 1), IOPT_TABLE);
	assert_true(F->table_accessed(0x0000000abcdef027));
	assert_false(F->table_accessed(0x0000000abcdef447));
	assert_int_equal(F->table_hw, 0x0080000000000420); /* A, EA; touched is bit 55 */
}

/* PS decides at levels 1 and 2; in a PTE the bit is PAT. */
static void page_size(void **state)
{
	(void)state;
	assert_int_equal(F->kind(0x0000000040000087, 2), IOPT_LEAF);
	assert_int_equal(F->kind(0x0000000040000087, 1), IOPT_LEAF);
	assert_int_equal(F->kind(0x0000000040000007, 2), IOPT_TABLE);
	assert_int_equal(F->kind(0x0000000040000007, 1), IOPT_TABLE);
	assert_int_equal(F->kind(0x0000000040000007, 0), IOPT_LEAF);
	assert_int_equal(F->kind(0x0000000040000087, 0), IOPT_LEAF);
	assert_int_equal(F->leaf_lg2(0x0000000040000087, 0), 12);
	assert_int_equal(F->leaf_lg2(0x0000000040000087, 1), 21);
	assert_int_equal(F->leaf_lg2(0x0000000040000087, 2), 30);
}

/* Bit 0 alone decides. */
static void not_present(void **state)
{
	(void)state;
	for (unsigned level = 0; level < 5; level++) {
		assert_int_equal(F->kind(0, level), IOPT_EMPTY);
		assert_int_equal(F->kind(0xfffffffffffffffe, level), IOPT_SOFT);
		assert_int_equal(F->kind(0x0000000abcdef0e6, level), IOPT_SOFT);
		assert_int_equal(F->kind(0x0010000000000000, level), IOPT_SOFT);
	}
	assert_int_equal(F->soft_dead, 0x0010000000000000);
}

/* Entries as others leave them: PAT (bit 12 of a block), G, PCD, PWT, ignored bits, A, D. */
static void decode(void **state)
{
	(void)state;
	assert_int_equal(F->leaf_pa(0x7ff0008000201fff, 1), 0x8000200000);
	assert_int_equal(F->leaf_pa(0x7ff0000fc0001fff, 2), 0xfc0000000);
	assert_int_equal(F->leaf_pa(0xfff0012345678fff, 0), 0x12345678000);
	assert_int_equal(F->leaf_prot(0x7ff0008000201fff), RW | IOPT_EXEC);
	assert_int_equal(F->leaf_prot(0x8000012345678001), IOPT_READ | IOPT_PRIV);
	assert_int_equal(F->leaf_prot(0x8000012345678005), IOPT_READ);
	assert_int_equal(F->leaf_prot(0x0000012345678003), RW | IOPT_PRIV | IOPT_EXEC);
}

/* Bit 6 is D, bit 5 is A (section 3.6.2). */
static void accessed_and_dirty(void **state)
{
	(void)state;
	assert_false(F->leaf_dirty(0x8000012345678027));
	assert_true(F->leaf_dirty(0x8000012345678047));
	assert_true(F->leaf_accessed(0x8000012345678027));
	assert_false(F->leaf_accessed(0x8000012345678047));
	assert_int_equal(F->leaf_clean(0x8000012345678067), 0x8000012345678027);
	assert_int_equal(F->dirty_and, 0x40);
}

/* Reserved in present entries: 20:13 and 29:13 of blocks (12, PAT, is 0 too), 7 of PML4E, PML5E. */
static void reserved_stay_zero(void **state)
{
	static const uint64_t reserved[] = { 0, 0x00000000001ff000, 0x000000003ffff000 };

	(void)state;
	for (unsigned level = 0; level < 3; level++) {
		unsigned lg2 = 12 + 9 * level;
		uint64_t top = (1ull << 52) - (1ull << lg2);

		for (unsigned prot = 0; prot < 32; prot++) {
			uint64_t attr, entry;

			if (F->leaf_attr(prot, 0, &attr))
				continue;
			entry = F->leaf(attr, top, level, lg2, 0);
			assert_int_equal(entry & reserved[level], 0);
			/* G, EA, 11, 9, memory type, 62:52: nothing of it is ours to set. */
			assert_int_equal(entry & 0x7ff0000000000f18, 0);
			assert_int_equal(entry & 0x80, level ? 0x80 : 0);
		}
	}
	for (unsigned level = 1; level < 5; level++)
		assert_int_equal(F->table(0xffffffffff000, level) & 0xfff0000000000fd8, 0);
}

static void inexpressible(void **state)
{
	static const unsigned bad[] = {
		0,
		IOPT_WRITE,
		IOPT_EXEC,
		IOPT_PRIV,
		IOPT_WRITE | IOPT_EXEC,
		IOPT_READ | IOPT_SNOOP,
		RW | IOPT_SNOOP,
		RW | 0x20,
		0x80000001,
	};

	(void)state;
	check_refused(F, bad, sizeof(bad) / sizeof(bad[0]));
}

/* Section 9.6: FSPM is 00b for 4 levels, 01b for 5. */
static void hardware_fields(void **state)
{
	struct iopt_hw hw = { 0 };

	(void)state;
	for (unsigned levels = 4; levels <= 5; levels++) {
		F->hw(0x123000, &(struct iopt_geometry){ .levels = levels }, IOPT_SIGN_EXTEND, &hw);
		assert_int_equal(hw.x86_64.fsptptr, 0x123000);
		assert_int_equal(hw.x86_64.fspm, levels - 4);
		assert_int_equal(hw.x86_64.guest_paging_mode, levels - 4);
		assert_true(hw.x86_64.pwsnp);
	}
	F->hw(0x123000, &(struct iopt_geometry){ .levels = 4 }, IOPT_NONCOHERENT, &hw);
	assert_false(hw.x86_64.pwsnp);
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
	assert_int_equal(F->table_a, 0x20);
	assert_int_equal(F->leaf_hw(0x7), 0x460); /* EA, D, A */
}

/* All but address and PS stays: NX, pending, D, A, U/S, R/W, P. */
static void other_sizes(void **state)
{
	(void)state;
	assert_int_equal(F->leaf_attrs(0x8040012345678067, 0), 0x8040000000000067);
	assert_int_equal(F->leaf_attrs(0x80400080002000e7, 1), 0x8040000000000067);
	assert_int_equal(F->leaf_attrs(0x0000000fc0000487, 2), 0x0000000000000407);
	assert_int_equal(F->leaf(0x8040000000000067, 0x40200000, 1, 21, 0), 0x80400000402000e7);
	assert_int_equal(F->leaf(0x8040000000000067, 0x40201000, 0, 12, 0), 0x8040000040201067);
	assert_int_equal(F->leaf_dirtied(0x8000012345678007), 0x8000012345678047);
	assert_int_equal(F->leaf_dirtied(0x8000012345678047), 0x8000012345678047);
}

static void description(void **state)
{
	(void)state;
	assert_string_equal(F->info.name, "x86-64");
	assert_int_equal(F->info.page_sizes, 0x40201000);
	assert_int_equal(F->info.min_levels, 4);
	assert_int_equal(F->info.max_levels, 5);
	assert_int_equal(F->info.pa_lg2, 52);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaf_4k),
		cmocka_unit_test(blocks),
		cmocka_unit_test(preset),
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

	return cmocka_run_group_tests_name("x86-64 entries", tests, NULL, NULL);
}
