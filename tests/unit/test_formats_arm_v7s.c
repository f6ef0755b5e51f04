/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * formats/arm_v7s.h against bit patterns that were worked out by hand from Linux's constants (see
 * there), and what small tables are to a domain. The numbers below name no constant of that header
 * on purpose.
 */
#include <string.h>

#include "formats/arm_v7s.h"
#include "iopt/posix.h"
#include "tests/unit/entries.h"

#define RW (IOPT_READ | IOPT_WRITE)

static const struct iopt_format *const f = &arm_v7s_format;

static void check(unsigned prot, unsigned lg2, uint64_t pa, uint64_t entry)
{
	unsigned level = level_of(f, lg2);

	assert_int_equal(make_leaf(f, prot, 0, pa, lg2), entry);
	assert_int_equal(f->kind(entry, level), IOPT_LEAF);
	assert_int_equal(f->leaf_lg2(entry, level), lg2);
	assert_int_equal(f->leaf_pa(entry, level), pa);
	assert_int_equal(f->leaf_prot(f->leaf_attrs(entry, level)), prot);
}

/* 10; XN 1, B 4, C 8, AP[1:0] 0x30, TEX[0] 0x40, AP[2] 0x200, S 0x400, nG 0x800. */
static void small_pages_are_these_bits(void **state)
{
	(void)state;
	check(RW, 12, 0x12345000, 0x12345c7f);
	check(IOPT_READ, 12, 0x12345000, 0x12345e7f);
	check(IOPT_READ | IOPT_EXEC, 12, 0x12345000, 0x12345e7e);
	check(RW | IOPT_PRIV, 12, 0xfffff000, 0xfffffc5f);
	check(RW | IOPT_UNCACHED, 12, 0x12345000, 0x12345c73);
	check(RW | IOPT_DEVICE, 12, 0x12345000, 0x12345c37);
}

/* 01; XN 0x8000, TEX[0] 0x1000; the rest as above. */
static void large_pages_are_these_bits(void **state)
{
	(void)state;
	check(RW, 16, 0x12340000, 0x12349c3d);
	check(IOPT_READ | IOPT_EXEC, 16, 0x12340000, 0x12341e3d);
	check(RW | IOPT_PRIV, 16, 0xffff0000, 0xffff9c1d);
	check(RW | IOPT_DEVICE, 16, 0x12340000, 0x12348c35);
}

/*
 * 10; XN 0x10, AP[1:0] 0xc00, TEX[0] 0x1000, AP[2] 0x8000, S 0x10000, nG 0x20000; of 16 MiB
 * 0x40000.
 */
static void sections_are_these_bits(void **state)
{
	(void)state;
	check(RW, 20, 0x12300000, 0x12331c1e);
	check(IOPT_READ | IOPT_EXEC | IOPT_PRIV, 20, 0x12300000, 0x1233940e);
	check(RW | IOPT_UNCACHED, 20, 0xfff00000, 0xfff31c12);
	check(RW | IOPT_DEVICE, 20, 0x12300000, 0x12330c16);
	check(RW, 24, 0x12000000, 0x12071c1e);
	check(IOPT_READ, 24, 0xff000000, 0xff079c1e);
}

static void sizes_are_these(void **state)
{
	static const struct sized_leaf leaves[] = {
		{ 12, 0x00001c7f },
		{ 16, 0x00019c3d },
		{ 20, 0x00131c1e },
		{ 24, 0x01071c1e },
	};

	(void)state;
	check_sizes(f, leaves, 4);
}

static void what_does_not_exist_is_refused(void **state)
{
	static const unsigned bad[] = { 0, IOPT_WRITE, RW | IOPT_SNOOP,
					RW | IOPT_UNCACHED | IOPT_DEVICE };

	(void)state;
	check_refused(f, bad, sizeof(bad) / sizeof(bad[0]));
}

/* Any multiple of 1 KiB, and 01. What is a table at level 1 is a large page at level 0. */
static void tables_are_an_address(void **state)
{
	(void)state;
	assert_int_equal(f->table(0x12345400, 1), 0x12345401);
	assert_int_equal(f->kind(0x12345401, 1), IOPT_TABLE);
	assert_int_equal(f->kind(0x12345401, 0), IOPT_LEAF);
	assert_int_equal(f->table_pa(0x12345401), 0x12345400);
	assert_int_equal(f->table_pa(0xfffffc01), 0xfffffc00);
}

/* Whatever else they hold, entries of type 00 are not valid. */
static void software_values_are_these_bits(void **state)
{
	(void)state;
	assert_int_equal(f->soft_dead, 0x80);
	assert_int_equal(f->frozen(0xabcdef), 0xabcdef84);
	assert_int_equal(f->frozen(0), 0x84);
	assert_int_equal(f->retiring(0xfffffc00), 0xfffffc88);
	assert_int_equal(f->kind(0xfffffffc, 0), IOPT_SOFT);
	assert_int_equal(f->kind(0xfffffffc, 1), IOPT_SOFT);
	assert_int_equal(f->kind(0x12331c1f, 1), IOPT_SOFT); /* a section with PXN */
	assert_int_equal(f->kind(0, 1), IOPT_EMPTY);
}

/* ---- domains ------------------------------------------------------------------------------- */

static void drop(void *ctx, const struct iopt_gather *gather)
{
	(void)ctx;
	(void)gather;
}

static struct iopt_domain *open_v7s(uint32_t flags)
{
	const struct iopt_config config = { .format = "arm-v7s",
					    .flags = flags,
					    .callbacks.invalidate = drop };
	struct iopt_domain *domain;

	assert_int_equal(iopt_create(&config, &domain), 0);
	return domain;
}

static void registers_are_these(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct iopt_domain *domain = open_v7s(i ? IOPT_NONCOHERENT : 0);
		struct iopt_hw hw;

		iopt_hw(domain, &hw);
		assert_int_equal(hw.root % 0x4000, 0);
		assert_int_equal(hw.arm_v7s.ttbr, hw.root | (i ? 0x02 : 0x6a));
		assert_int_equal(hw.arm_v7s.tcr, 0);
		/* Type 1 a device's, 4 and 7 normal; DS0, DS1, NS1; NOS7. */
		assert_int_equal(hw.arm_v7s.prrr, 0x800b8204);
		assert_int_equal(hw.arm_v7s.nmrr, 0x40004000);
		iopt_destroy(domain);
	}
}

static void unmap(struct iopt_domain *domain, uint64_t first, uint64_t last, int error)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, domain, NULL);
	assert_int_equal(iopt_unmap(domain, first, last, 0, &gather, NULL), error);
	iopt_sync(&gather);
	iopt_posix_barrier();
}

static uint64_t live(void)
{
	struct iopt_posix_memory memory;

	iopt_posix_memory(&memory);
	return memory.live;
}

/* Four tables of level 0 take 1 KiB each beside the top's 16, and each goes when it is unmapped. */
static void tables_go_one_by_one(void **state)
{
	static const unsigned order[] = { 2, 0, 3, 1 };
	struct iopt_domain *domain = open_v7s(0);
	struct iopt_stats stats;

	(void)state;
	assert_int_equal(live(), 16 << 10);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(iopt_map(domain, i << 20, (i << 20) + 0xfff, 0x5000, RW, NULL), 0);
	assert_int_equal(live(), 20 << 10);
	for (unsigned i = 0; i < 4; i++) {
		struct iopt_translation found;
		uint64_t first = (uint64_t)order[i] << 20;

		assert_int_equal(iopt_translate(domain, first + 0x123, &found), 0);
		assert_int_equal(found.pa, 0x5123);
		unmap(domain, first, first + 0xfffff, 0);
		assert_int_equal(live(), (19 - i) << 10);
		iopt_stats(domain, &stats);
		assert_int_equal(stats.freed[IOPT_FREED_UNMAP], i + 1);
		for (unsigned k = i + 1; k < 4; k++)
			assert_int_equal(iopt_translate(domain, (uint64_t)order[k] << 20, &found),
					 0);
	}
	iopt_destroy(domain);
	assert_int_equal(live(), 0);
}

/* The 16 entries of a run are equal, and those beside it stay; of a run no part goes. */
static void check_run(uint64_t first, unsigned lg2, unsigned level, uint32_t entry)
{
	const uint64_t last = first + (1ull << lg2) - 1;
	struct iopt_domain *domain = open_v7s(0);
	struct iopt_item leaf;
	struct iopt_visit visit;
	const uint32_t *slot;

	assert_int_equal(iopt_map(domain, first, last, first, RW, NULL), 0);
	iopt_visit_init(&visit, first, last, IOPT_VISIT_LEAVES);
	assert_int_equal(iopt_visit(domain, &visit, &leaf, 1), 1);
	assert_int_equal(leaf.leaf_lg2, lg2);
	assert_int_equal(leaf.level, level);
	slot = iopt_posix_va(leaf.entry_pa);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(slot[i], entry);
	assert_int_equal(slot[-1], 0);
	assert_int_equal(slot[16], 0);
	unmap(domain, first, first + 0xfff, -IOPT_EOPNOTSUPP);
	assert_int_equal(slot[0], entry);
	unmap(domain, first, last, 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(slot[i], 0);
	iopt_destroy(domain);
}

static void runs_are_sixteen_equal_entries(void **state)
{
	(void)state;
	check_run(0x00120000, 16, 0, 0x00129c3d);
	check_run(0x12000000, 24, 1, 0x12071c1e);
}

/* A page in each of the 4096 sections: the top takes 12 bits. */
static void top_has_4096_entries(void **state)
{
	struct iopt_domain *domain = open_v7s(0);
	struct iopt_translation found;

	(void)state;
	for (uint64_t i = 0; i < 4096; i++)
		assert_int_equal(iopt_map(domain, i << 20, (i << 20) + 0xfffff, i << 20, RW, NULL),
				 0);
	for (uint64_t i = 0; i < 4096; i++) {
		assert_int_equal(iopt_translate(domain, (i << 20) + 0x54321, &found), 0);
		assert_int_equal(found.pa, (i << 20) + 0x54321);
	}
	assert_int_equal(iopt_map(domain, 1ull << 32, (1ull << 32) + 0xfff, 0, RW, NULL),
			 -IOPT_ERANGE);
	unmap(domain, 0, 0xffffffff, 0);
	assert_int_equal(live(), 16 << 10);
	iopt_destroy(domain);
}

/* Entries have no room for tables beyond 4 GiB. */
static void tables_beyond_entries_are_refused(void **state)
{
	const struct iopt_config config = { .format = "arm-v7s", .callbacks.invalidate = drop };
	struct iopt_posix_config arena = { .bytes = 64 << 20, .base = 1ull << 32, .fd = -1 };
	struct iopt_domain *domain;

	(void)state;
	assert_int_equal(iopt_posix_setup(&arena), 0);
	assert_int_equal(iopt_create(&config, &domain), -IOPT_ENOMEM);
	assert_int_equal(live(), 0);
	arena.base = (1ull << 32) - arena.bytes;
	assert_int_equal(iopt_posix_setup(&arena), 0);
	domain = open_v7s(0);
	assert_int_equal(iopt_map(domain, 0, 0xfff, 0, RW, NULL), 0);
	iopt_destroy(domain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_pages_are_these_bits),
		cmocka_unit_test(large_pages_are_these_bits),
		cmocka_unit_test(sections_are_these_bits),
		cmocka_unit_test(sizes_are_these),
		cmocka_unit_test(what_does_not_exist_is_refused),
		cmocka_unit_test(tables_are_an_address),
		cmocka_unit_test(software_values_are_these_bits),
		cmocka_unit_test(registers_are_these),
		cmocka_unit_test(tables_go_one_by_one),
		cmocka_unit_test(runs_are_sixteen_equal_entries),
		cmocka_unit_test(top_has_4096_entries),
		cmocka_unit_test(tables_beyond_entries_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
