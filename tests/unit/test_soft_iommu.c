/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The soft-iommu is an adversary: it reads tables right, keeps stale whatever it may keep, drops
 * what it is told to and no more, and notices what is wrong. Tables are built by hand here, in
 * plain memory, from bit patterns that are written out; neither the engine nor its formats take
 * part.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "soft-iommu/soft_iommu.h"

/* ---- memory for tables --------------------------------------------------------------------- */

#define BASE   0x7654000ull /* physical address of the first table */
#define TABLES 64u
#define POISON 0x5fee5fee5fee5feeull

static uint64_t memory[TABLES][512] __attribute__((aligned(4096)));
static enum iopt_posix_state states[TABLES];
static uint32_t generations[TABLES];
static unsigned allocated;

static void *va(uint64_t pa)
{
	uint64_t offset = pa - BASE;

	return offset < sizeof(memory) ? (char *)memory + offset : NULL;
}

/* What those that do not snoop read. */
static uint64_t written_back[TABLES][512] __attribute__((aligned(4096)));

static void *image(uint64_t pa)
{
	uint64_t offset = pa - BASE;

	return offset < sizeof(written_back) ? (char *)written_back + offset : NULL;
}

static enum iopt_posix_state state(uint64_t pa, uint32_t *generation)
{
	uint64_t table = (pa - BASE) >> 12;

	if (table >= TABLES)
		return IOPT_POSIX_NO_TABLE;
	*generation = __atomic_load_n(&generations[table], __ATOMIC_ACQUIRE);
	return __atomic_load_n(&states[table], __ATOMIC_ACQUIRE);
}

static uint64_t new_table(void)
{
	assert_true(allocated < TABLES);
	states[allocated] = IOPT_POSIX_LIVE;
	generations[allocated] = 1;
	return BASE + ((uint64_t)allocated++ << 12);
}

/* One of 16 KiB, aligned to that. */
static uint64_t new_wide_table(void)
{
	uint64_t table;

	while (allocated % 4)
		new_table();
	table = new_table();
	for (unsigned i = 0; i < 3; i++)
		new_table();
	return table;
}

static unsigned number_of(uint64_t table)
{
	return (unsigned)((table - BASE) >> 12);
}

static uint64_t *entry_at(uint64_t table, unsigned index)
{
	return &memory[number_of(table) + index / 512][index % 512];
}

static void put(uint64_t table, unsigned index, uint64_t value)
{
	__atomic_store_n(entry_at(table, index), value, __ATOMIC_RELEASE);
}

static uint64_t get(uint64_t table, unsigned index)
{
	return __atomic_load_n(entry_at(table, index), __ATOMIC_RELAXED);
}

/* ---- bit patterns, by hand ----------------------------------------------------------------- */

#define VTD_R	1ull
#define VTD_W	2ull
#define VTD_RW	3ull
#define VTD_PS	0x80ull
#define VTD_A	0x100ull
#define VTD_D	0x200ull
#define VTD_SNP 0x800ull

#define X86_P  1ull
#define X86_W  2ull
#define X86_U  4ull
#define X86_A  0x20ull
#define X86_D  0x40ull
#define X86_PS 0x80ull
#define X86_XD 0x8000000000000000ull
#define X86_T  (X86_P | X86_W | X86_U)

#define AMD_PR	  1ull
#define AMD_A	  0x20ull
#define AMD_D	  0x40ull
#define AMD_NL(n) ((uint64_t)(n) << 9)
#define AMD_FC	  0x1000000000000000ull
#define AMD_IR	  0x2000000000000000ull
#define AMD_IW	  0x4000000000000000ull
#define AMD_T	  (AMD_PR | AMD_IR | AMD_IW)
#define DART_V	  0x1ull
#define DART_ALL  0x000fff0000000000ull /* of the page may be accessed */
#define RV_V	  0x1ull
#define RV_R	  0x2ull
#define RV_W	  0x4ull
#define RV_X	  0x8ull
#define RV_U	  0x10ull
#define RV_A	  0x40ull
#define RV_D	  0x80ull
#define RV_N	  0x8000000000000000ull
#define RV_PA(pa) ((uint64_t)(pa) >> 2)
#define RV_RW	  (RV_V | RV_R | RV_W | RV_U)
#define RV_64K	  (RV_N | 0x2000)
#define ARM_T	  0x3ull /* a table, or a page */
#define ARM_B	  0x1ull /* a block */
#define ARM_WB	  0x4ull /* stage 1: AttrIndx 1 */
#define ARM_EL0	  0x40ull
#define ARM_RO	  0x80ull
#define ARM_AF	  0x400ull
#define ARM_DBM	  (1ull << 51)
#define ARM_CONT  (1ull << 52)
#define ARM_PXN	  (1ull << 53)
#define ARM_UXN	  (1ull << 54)
#define ARM_S1	  (ARM_WB | 0x340ull | 0x800ull | ARM_PXN | ARM_UXN) /* AP[1], SH, nG */
#define ARM_S2	  (0x3cull | 0x340ull | ARM_UXN)		     /* write-back, SH, S2AP[0] */
#define ARM_S2_W  0x80ull

/* ---- a unit with one domain and one device ------------------------------------------------- */

static struct soft_iommu *unit;
static struct soft_iommu_domain *domain;
static struct soft_iommu_device *device;
static uint64_t root;
static uint64_t touched; /* physical address of the last access */

static void touch(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	(void)iova;
	(void)write;
	if (ctx)
		*(uint64_t *)ctx = pa;
}

static int setup(void **unused)
{
	const struct soft_iommu_config config = {
		.va = va, .image = image, .state = state, .poison = POISON
	};

	(void)unused;
	memset(memory, 0, sizeof(memory));
	memset(written_back, 0, sizeof(written_back));
	memset(states, 0, sizeof(states));
	allocated = 0;
	domain = NULL;
	device = NULL;
	return soft_iommu_create(&config, &unit);
}

static int teardown(void **unused)
{
	(void)unused;
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);
	soft_iommu_destroy(unit);
	return 0;
}

static struct iopt_hw vtd_hw(uint64_t pa, unsigned levels, bool ssade)
{
	return (struct iopt_hw){
		.vtd_ss = { .ssptptr = pa, .aw = (uint8_t)(levels - 2), .ssade = ssade },
	};
}

static struct iopt_hw x86_hw(uint64_t pa, unsigned levels)
{
	return (struct iopt_hw){
		.x86_64 = { .fsptptr = pa,
			    .fspm = (uint8_t)(levels - 4),
			    .guest_paging_mode = (uint8_t)(levels - 4) },
	};
}

static struct iopt_hw amd_hw(uint64_t pa, unsigned levels, unsigned had)
{
	return (struct iopt_hw){
		.amd_v1 = { .root_ptr = pa, .mode = (uint8_t)levels, .had = (uint8_t)had },
	};
}

static struct iopt_hw riscv_hw(uint64_t pa, unsigned levels, bool sade)
{
	return (struct iopt_hw){
		.riscv_s1 = { .ppn = pa >> 12, .mode = (uint8_t)(levels + 5), .sade = sade },
	};
}

static struct iopt_hw dart_hw(uint64_t pa, unsigned nr_ttbrs, unsigned page, bool four_levels)
{
	struct iopt_hw hw = {
		.apple_dart = { .nr_ttbrs = (uint8_t)nr_ttbrs, .four_levels = four_levels },
	};

	for (unsigned i = 0; i < nr_ttbrs; i++)
		hw.apple_dart.ttbr[i] = pa + i * page;
	return hw;
}

/* 48 bits of physical address; SL0 is of stage 2. */
static struct iopt_hw arm_hw(uint64_t pa, unsigned width, unsigned sl0, bool marks)
{
	return (struct iopt_hw){
		.arm = { .ttb = pa,
			 .tsz = (uint8_t)(64 - width),
			 .ps = 5,
			 .sl0 = (uint8_t)sl0,
			 .ha = marks,
			 .hd = marks },
	};
}

static void make_domain(const char *format, struct iopt_hw hw, uint32_t flags)
{
	const struct soft_iommu_domain_config config = {
		.format = format,
		.hw = hw,
		.flags = flags,
		.id = 7,
	};

	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), 0);
}

static struct soft_iommu_device *make_device(uint32_t flags, uint32_t id)
{
	const struct soft_iommu_device_config config = {
		.touch = touch,
		.flags = flags,
		.id = id,
		.seed = id,
	};
	struct soft_iommu_device *made;

	assert_int_equal(soft_iommu_device_create(domain, &config, &made), 0);
	return made;
}

/* A VT-d domain with 3 levels and a device. Returns the level-0 table for IOVA 0 to 2 MiB - 1. */
static uint64_t make_vtd(bool ssade, uint32_t device_flags)
{
	uint64_t middle = new_table();
	uint64_t low = new_table();

	root = new_table();
	put(root, 0, middle | VTD_RW);
	put(middle, 0, low | VTD_RW);
	make_domain("vtd-ss", vtd_hw(root, 3, ssade), 0);
	device = make_device(device_flags, 1);
	return low;
}

static enum soft_iommu_reason read_at(uint64_t iova)
{
	touched = 0;
	return soft_iommu_access(device, iova, SOFT_IOMMU_READ, &touched);
}

static enum soft_iommu_reason write_at(uint64_t iova)
{
	touched = 0;
	return soft_iommu_access(device, iova, SOFT_IOMMU_WRITE, &touched);
}

static void invalidate(uint32_t owes, uint64_t first, uint64_t last)
{
	const struct iopt_gather gather = {
		.owes = owes,
		.nr_ranges = 1,
		.ranges = { { .first = first, .last = last } },
	};

	soft_iommu_invalidate(domain, &gather);
}

static struct soft_iommu_stats stats_of(struct soft_iommu_device *which)
{
	struct soft_iommu_stats stats;

	soft_iommu_stats(which, &stats);
	return stats;
}

static struct soft_iommu_translation walked(uint64_t iova)
{
	struct soft_iommu_translation result = { 0 };

	assert_int_equal(soft_iommu_walk(domain, iova, &result), SOFT_IOMMU_DONE);
	return result;
}

/* One access ends for a reason, in the tables, and leaves one event that says so. */
static void expect_fault(uint64_t iova, unsigned request, enum soft_iommu_reason reason,
			 uint64_t entry_pa, uint64_t entry)
{
	struct soft_iommu_event event;
	uint64_t before = soft_iommu_count(unit, SOFT_IOMMU_BIT(reason));

	touched = 0;
	assert_int_equal(soft_iommu_access(device, iova, request, &touched), reason);
	assert_int_equal(touched, 0);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BIT(reason)), before + 1);
	assert_int_equal(soft_iommu_events(unit, &event, 1), 1);
	assert_int_equal(event.reason, reason);
	assert_int_equal(event.iova, iova);
	assert_int_equal(event.request, request);
	assert_int_equal(event.domain, 7);
	assert_int_equal(event.device, 1);
	assert_int_equal(event.entry_pa, entry_pa);
	assert_int_equal(event.entry, entry);
	assert_false(event.cached);
}

/* ---- reading the formats ------------------------------------------------------------------- */

static void test_read_vtd_ss(void **unused)
{
	uint64_t tables[5];
	unsigned levels;
	unsigned i;

	(void)unused;
	for (levels = 3; levels <= 5; levels++) {
		for (i = 0; i < levels; i++)
			tables[i] = new_table();
		/* Index 1 in every table, 2 and 3 for the blocks. */
		for (i = 1; i < levels; i++)
			put(tables[i], 1, tables[i - 1] | VTD_RW);
		put(tables[0], 1, 0x123456789000 | VTD_R | VTD_SNP);
		put(tables[1], 2, 0x1234567000000 | VTD_RW | VTD_PS);
		put(tables[2], 3, 0x40000000 | VTD_W | VTD_PS);
		make_domain("vtd-ss", vtd_hw(tables[levels - 1], levels, false), 0);

		uint64_t above = levels == 3   ? 0
				 : levels == 4 ? 1ull << 39
					       : 1ull << 48 | 1ull << 39;
		struct soft_iommu_translation t = walked(above | 0x40201abc);

		assert_int_equal(t.pa, 0x123456789abc);
		assert_int_equal(t.prot, IOPT_READ | IOPT_SNOOP);
		assert_int_equal(t.leaf_lg2, 12);
		assert_int_equal(t.level, 0);
		assert_int_equal(t.entry_pa, tables[0] + 8);
		t = walked(above | 0x40432101);
		assert_int_equal(t.pa, 0x1234567032101);
		assert_int_equal(t.prot, IOPT_READ | IOPT_WRITE);
		assert_int_equal(t.leaf_lg2, 21);
		t = walked(above | 0xd2345678);
		assert_int_equal(t.pa, 0x52345678);
		assert_int_equal(t.prot, IOPT_WRITE);
		assert_int_equal(t.leaf_lg2, 30);
		assert_int_equal(soft_iommu_walk(domain, 1ull << (12 + 9 * levels), NULL),
				 SOFT_IOMMU_BEYOND_WIDTH);
		assert_int_equal(soft_iommu_walk(domain, above | 0x40202000, NULL),
				 SOFT_IOMMU_NOT_PRESENT);
		soft_iommu_domain_destroy(domain);
		domain = NULL;
	}
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

static void test_read_x86_64(void **unused)
{
	uint64_t tables[5];
	unsigned levels;
	unsigned i;

	(void)unused;
	for (levels = 4; levels <= 5; levels++) {
		/* The upper half, all table indices 511. */
		for (i = 0; i < levels; i++)
			tables[i] = new_table();
		for (i = 1; i < levels; i++)
			put(tables[i], 511, tables[i - 1] | X86_T);
		put(tables[0], 511, 0x123456789000 | X86_T | X86_XD | 0x80 /* PAT */);
		put(tables[1], 510, 0x1234567000000 | X86_P | X86_U | X86_PS | 0x1000 /* PAT */);
		put(tables[2], 510, 0x80000000 | X86_P | X86_W | X86_PS);
		make_domain("x86-64", x86_hw(tables[levels - 1], levels), SOFT_IOMMU_SIGN_EXTEND);

		struct soft_iommu_translation t = walked(0xfffffffffffffabc);

		assert_int_equal(t.pa, 0x123456789abc);
		assert_int_equal(t.prot, IOPT_READ | IOPT_WRITE);
		t = walked(0xffffffffffc00042);
		assert_int_equal(t.pa, 0x1234567000042);
		assert_int_equal(t.prot, IOPT_READ | IOPT_EXEC);
		assert_int_equal(t.leaf_lg2, 21);
		t = walked(0xffffffff80000042);
		assert_int_equal(t.pa, 0x80000042);
		assert_int_equal(t.prot, IOPT_READ | IOPT_WRITE | IOPT_EXEC | IOPT_PRIV);
		assert_int_equal(t.leaf_lg2, 30);
		assert_int_equal(soft_iommu_walk(domain, 1ull << (11 + 9 * levels), NULL),
				 SOFT_IOMMU_NOT_CANONICAL);
		assert_int_equal(soft_iommu_walk(domain, ~(1ull << 63), NULL),
				 SOFT_IOMMU_NOT_CANONICAL);
		soft_iommu_domain_destroy(domain);

		/* Not sign-extended: the same tables are the end of the lower half. */
		make_domain("x86-64", x86_hw(tables[levels - 1], levels), 0);
		assert_int_equal(walked((1ull << (12 + 9 * levels)) - 1).pa, 0x123456789fff);
		assert_int_equal(soft_iommu_walk(domain, ~0ull, NULL), SOFT_IOMMU_BEYOND_WIDTH);
		soft_iommu_domain_destroy(domain);
		domain = NULL;
	}
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

static void test_read_amd_v1(void **unused)
{
	uint64_t tables[6];
	unsigned levels;
	unsigned i;

	(void)unused;
	for (i = 0; i < 6; i++)
		tables[i] = new_table();
	for (i = 1; i < 6; i++)
		put(tables[i], 1, tables[i - 1] | AMD_T | AMD_NL(i));
	put(tables[0], 1, 0x123456789000 | AMD_T | AMD_FC);
	put(tables[1], 2, 0x1234567000000 | AMD_PR | AMD_IR);
	/* 64 KiB in 16 entries: bits 14:12 are 1, bit 15 is 0. */
	for (i = 16; i < 32; i++)
		put(tables[0], i, 0x12340007000 | AMD_T | AMD_NL(7));
	/* 2^51 bytes at 0 in 8 entries of level 4. */
	for (i = 8; i < 16; i++)
		put(tables[4], i, 0x3fffffffff000 | AMD_PR | AMD_IW | AMD_NL(7));

	for (levels = 1; levels <= 6; levels++) {
		uint64_t iova = 0;

		for (i = 1; i < levels; i++)
			iova |= 1ull << (12 + 9 * i);
		make_domain("amd-v1", amd_hw(tables[levels - 1], levels, 0), 0);

		struct soft_iommu_translation t = walked(iova | 0x1abc);

		assert_int_equal(t.pa, 0x123456789abc);
		assert_int_equal(t.prot, IOPT_READ | IOPT_WRITE | IOPT_SNOOP);
		t = walked(iova | 0x17123);
		assert_int_equal(t.pa, 0x12340007123);
		assert_int_equal(t.leaf_lg2, 16);
		assert_int_equal(t.entry_pa, tables[0] + 8 * 0x17);
		if (levels > 1) {
			t = walked((iova & ~0x3fffffull) | 0x432101);
			assert_int_equal(t.pa, 0x1234567032101);
			assert_int_equal(t.prot, IOPT_READ);
			assert_int_equal(t.leaf_lg2, 21);
		}
		if (levels == 6) {
			t = walked(1ull << 57 | 0xf543210000042);
			assert_int_equal(t.pa, 0x7543210000042);
			assert_int_equal(t.prot, IOPT_WRITE);
			assert_int_equal(t.leaf_lg2, 51);
		} else {
			assert_int_equal(soft_iommu_walk(domain, 1ull << (12 + 9 * levels), NULL),
					 SOFT_IOMMU_BEYOND_WIDTH);
		}
		soft_iommu_domain_destroy(domain);
		domain = NULL;
	}
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

static void test_read_riscv_s1(void **unused)
{
	uint64_t tables[5];
	unsigned levels;
	unsigned i;

	(void)unused;
	for (i = 0; i < 5; i++)
		tables[i] = new_table();
	for (i = 1; i < 5; i++)
		put(tables[i], 511, RV_PA(tables[i - 1]) | RV_V);
	put(tables[0], 511, RV_PA(0xf2345678abc000) | RV_RW | 0x300);
	/* 64 KiB in 16 entries. */
	for (i = 16; i < 32; i++)
		put(tables[0], i, RV_PA(0x12340000) | RV_64K | RV_V | RV_R | RV_X | RV_U);
	put(tables[1], 510, RV_PA(0x40000000) | RV_V | RV_R | RV_W);
	put(tables[4], 510, RV_PA(1ull << 48) | RV_V | RV_X | RV_U);

	for (levels = 3; levels <= 5; levels++) {
		make_domain("riscv-s1", riscv_hw(tables[levels - 1], levels, false),
			    SOFT_IOMMU_SIGN_EXTEND);

		struct soft_iommu_translation t = walked(0xfffffffffffffabc);

		assert_int_equal(t.pa, 0xf2345678abcabc);
		assert_int_equal(t.prot, IOPT_READ | IOPT_WRITE);
		assert_int_equal(t.leaf_lg2, 12);
		t = walked(0xffffffffffe17123);
		assert_int_equal(t.pa, 0x12347123);
		assert_int_equal(t.prot, IOPT_READ | IOPT_EXEC);
		assert_int_equal(t.leaf_lg2, 16);
		assert_int_equal(t.entry_pa, tables[0] + 8 * 0x17);
		t = walked(0xffffffffffc00042);
		assert_int_equal(t.pa, 0x40000042);
		assert_int_equal(t.prot, IOPT_READ | IOPT_WRITE | IOPT_PRIV);
		assert_int_equal(t.leaf_lg2, 21);
		if (levels == 5) {
			t = walked(0xfffe000000000042);
			assert_int_equal(t.pa, 1ull << 48 | 0x42);
			assert_int_equal(t.leaf_lg2, 48);
			assert_int_equal(t.prot, IOPT_EXEC);
		}
		assert_int_equal(soft_iommu_walk(domain, 1ull << (11 + 9 * levels), NULL),
				 SOFT_IOMMU_NOT_CANONICAL);
		soft_iommu_domain_destroy(domain);
		domain = NULL;
	}
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

/* A table of 16 KiB: four of the small ones. */
static uint64_t new_table_16k(void)
{
	uint64_t table;

	while (allocated % 4)
		new_table();
	table = new_table();
	for (unsigned i = 0; i < 3; i++)
		new_table();
	return table;
}

/* Entry of a table of any size; they follow each other in memory. */
static void put_far(uint64_t table, unsigned index, uint64_t value)
{
	put(table + (index / 512 << 12), index % 512, value);
}

/* 2048 entries a table, of 16 KiB each; bits 35:25 and 24:14 of an IOVA. */
static void test_read_apple_dart(void **unused)
{
	uint64_t low = new_table_16k(), top = new_table_16k();
	struct soft_iommu_translation t;

	(void)unused;
	put_far(top, 2047, low | DART_V);
	put_far(top, 1, low | DART_V);
	put_far(low, 2046, 0xfedcb4000 | DART_ALL | 0x3); /* read and write */
	put_far(low, 5, 0x123458000 | DART_ALL | 0x83);	  /* not to be written */
	put_far(low, 6, 0x12345c000 | DART_ALL | 0x103);  /* not to be read */
	make_domain("apple-dart", dart_hw(top, 1, 0x4000, false), 0);
	t = walked(0xfffff8000 + 0x3abc);
	assert_int_equal(t.pa, 0xfedcb7abc);
	assert_int_equal(t.leaf_lg2, 14);
	assert_int_equal(t.prot, IOPT_READ | IOPT_WRITE);
	assert_int_equal(t.entry_pa, low + 8 * 2046);
	t = walked(0x2014001);
	assert_int_equal(t.pa, 0x123458001);
	assert_int_equal(t.prot, IOPT_READ);
	t = walked(0x2018000);
	assert_int_equal(t.prot, IOPT_WRITE);
	assert_int_equal(soft_iommu_walk(domain, 0x201c000, NULL), SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(soft_iommu_walk(domain, 0x4014000, NULL), SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(soft_iommu_walk(domain, 1ull << 36, NULL), SOFT_IOMMU_BEYOND_WIDTH);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

/* Four tables of 4 KiB, a register each, for 1 GiB each. */
static void test_read_apple_dart_4k(void **unused)
{
	uint64_t top = new_table(), low;
	struct soft_iommu_translation t;
	struct iopt_hw hw;

	(void)unused;
	for (unsigned i = 0; i < 3; i++)
		new_table();
	low = new_table();
	put(top + 3 * 0x1000, 7, low | DART_V);
	put(low, 511, 0x876543000 | DART_ALL | 0x3);
	make_domain("apple-dart-4k", dart_hw(top, 4, 0x1000, false), 0);
	t = walked(0xc0fff123);
	assert_int_equal(t.pa, 0x876543123);
	assert_int_equal(t.leaf_lg2, 12);
	assert_int_equal(soft_iommu_walk(domain, 0x80fff123, NULL), SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(soft_iommu_walk(domain, 1ull << 32, NULL), SOFT_IOMMU_BEYOND_WIDTH);
	soft_iommu_domain_destroy(domain);
	domain = NULL;
	/* Two of them: half of it. */
	make_domain("apple-dart-4k", dart_hw(top + 2 * 0x1000, 2, 0x1000, false), 0);
	assert_int_equal(walked(0x40fff123).pa, 0x876543123);
	assert_int_equal(soft_iommu_walk(domain, 0x80fff123, NULL), SOFT_IOMMU_BEYOND_WIDTH);
	hw = dart_hw(top, 4, 0x1000, false);
	hw.apple_dart.ttbr[2] = low;
	assert_int_equal(soft_iommu_set_root(domain, &hw), -EINVAL);
	hw = dart_hw(top, 3, 0x1000, false);
	assert_int_equal(soft_iommu_set_root(domain, &hw), -EINVAL);
	hw = dart_hw(top, 4, 0x1000, true);
	assert_int_equal(soft_iommu_set_root(domain, &hw), -EINVAL);
	hw = dart_hw(top + 0x800, 1, 0x1000, false);
	assert_int_equal(soft_iommu_set_root(domain, &hw), -EINVAL);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

/* The address lies four bits lower. Four levels: bits 46:36, too. */
static void test_read_apple_dart2(void **unused)
{
	uint64_t low = new_table_16k(), middle = new_table_16k(), top = new_table_16k();

	(void)unused;
	put_far(top, 63, middle >> 4 | DART_V);
	put_far(middle, 2047, low >> 4 | DART_V);
	put_far(low, 2047, 0x3fedcba4000 >> 4 | DART_ALL | 0x1);
	put_far(low, 9, 0x12345678000 >> 4 | DART_ALL | 0x7); /* not cached, not to be written */
	for (unsigned four = 0; four < 2; four++) {
		uint64_t above = four ? 63ull << 36 : 0;
		struct soft_iommu_translation t;

		make_domain("apple-dart2", dart_hw(four ? top : middle, 1, 0x4000, four), 0);
		t = walked(above | 0xffffffffe);
		assert_int_equal(t.pa, 0x3fedcba7ffe);
		assert_int_equal(t.prot, IOPT_READ | IOPT_WRITE);
		assert_int_equal(t.leaf_lg2, 14);
		t = walked(above | 0xffe024000);
		assert_int_equal(t.pa, 0x12345678000);
		assert_int_equal(t.prot, IOPT_READ | IOPT_UNCACHED);
		assert_int_equal(soft_iommu_walk(domain, 1ull << 36, NULL),
				 four ? SOFT_IOMMU_NOT_PRESENT : SOFT_IOMMU_BEYOND_WIDTH);
		soft_iommu_domain_destroy(domain);
		domain = NULL;
	}
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

/* What no table of Linux or m1n1 has. */
static void test_faults_apple_dart(void **unused)
{
	const struct {
		bool table;
		uint64_t entry;
		enum soft_iommu_reason reason;
	} one[] = {
		{ false, DART_ALL | 0x4003, SOFT_IOMMU_DONE },
		{ false, 0x10, SOFT_IOMMU_RESERVED_BITS },	     /* not valid and not 0 */
		{ false, 0x4003, SOFT_IOMMU_RESERVED_BITS },	     /* no sub-page */
		{ false, DART_ALL | 0x4013, SOFT_IOMMU_RESERVED_BITS },
		{ false, DART_ALL | 0x4203, SOFT_IOMMU_RESERVED_BITS },
		{ false, DART_ALL | 0x1000004003, SOFT_IOMMU_RESERVED_BITS }, /* bit 36 */
		{ false, DART_ALL | 0x5003, SOFT_IOMMU_MISALIGNED }, /* 4 KiB pages' */
		{ true, 0x10, SOFT_IOMMU_RESERVED_BITS },
		{ true, 0x3, SOFT_IOMMU_RESERVED_BITS }, /* VALID2, which Linux never sets there */
		{ true, DART_ALL | 0x1, SOFT_IOMMU_RESERVED_BITS },
	}, two[] = {
		{ false, DART_ALL | 0x401, SOFT_IOMMU_DONE },
		{ false, 0x10, SOFT_IOMMU_RESERVED_BITS },
		{ false, DART_ALL | 0x501, SOFT_IOMMU_RESERVED_BITS },
		{ false, DART_ALL | 0x4000000401, SOFT_IOMMU_RESERVED_BITS }, /* bit 38 */
		{ true, 0x10, SOFT_IOMMU_NOT_PRESENT }, /* of a table that was unlinked */
		{ true, 0x3, SOFT_IOMMU_RESERVED_BITS },
	};
	uint64_t low = new_table_16k(), top = new_table_16k();

	(void)unused;
	make_domain("apple-dart", dart_hw(top, 1, 0x4000, false), 0);
	for (unsigned i = 0; i < sizeof(one) / sizeof(*one); i++) {
		put_far(top, 0,
			one[i].table ? one[i].entry | (one[i].entry & 1 ? low : 0) : low | DART_V);
		put_far(low, 0, one[i].table ? DART_ALL | 0x4003 : one[i].entry);
		assert_int_equal(soft_iommu_walk(domain, 0x123, NULL), one[i].reason);
	}
	soft_iommu_domain_destroy(domain);
	domain = NULL;
	make_domain("apple-dart2", dart_hw(top, 1, 0x4000, false), 0);
	for (unsigned i = 0; i < sizeof(two) / sizeof(*two); i++) {
		put_far(top, 0,
			two[i].table ? two[i].entry | (two[i].entry & 1 ? low >> 4 : 0)
				     : low >> 4 | DART_V);
		put_far(low, 0, two[i].table ? DART_ALL | 0x401 : two[i].entry);
		assert_int_equal(soft_iommu_walk(domain, 0x123, NULL), two[i].reason);
	}
}

static void check_arm_prot(uint64_t entry, uint64_t bits, unsigned prot)
{
	put(root, 0, entry | bits);
	assert_int_equal(walked(0).prot, prot);
}

/* A stage-1 or stage-2 domain of one table of blocks: two levels of 30 bits. */
static void make_arm(unsigned stage, bool marks)
{
	root = new_table();
	make_domain(stage == 1 ? "arm-s1" : "arm-s2", arm_hw(root, 30, 0, marks), 0);
	device = make_device(0, 1);
}

static void test_permissions_arm(void **unused)
{
	const uint64_t s1 = ARM_B | ARM_WB | ARM_AF | ARM_EL0, s2 = ARM_B | ARM_AF | 0x3c;

	(void)unused;
	make_arm(1, false);
	check_arm_prot(s1, 0, IOPT_READ | IOPT_WRITE | IOPT_EXEC);
	check_arm_prot(s1, ARM_UXN, IOPT_READ | IOPT_WRITE);
	check_arm_prot(s1, ARM_RO | ARM_PXN, IOPT_READ | IOPT_EXEC);
	check_arm_prot(s1 & ~ARM_EL0, ARM_UXN, IOPT_READ | IOPT_WRITE | IOPT_EXEC | IOPT_PRIV);
	check_arm_prot(s1 & ~ARM_EL0, ARM_PXN, IOPT_READ | IOPT_WRITE | IOPT_PRIV);
	check_arm_prot(s1, ARM_UXN | ARM_RO | ARM_DBM, IOPT_READ | IOPT_WRITE);
	check_arm_prot(s1 & ~ARM_WB, ARM_UXN | ARM_RO, IOPT_READ | IOPT_UNCACHED);
	check_arm_prot(s1 & ~ARM_WB, ARM_UXN | ARM_RO | 0x8, IOPT_READ | IOPT_DEVICE);
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);

	make_arm(2, false);
	check_arm_prot(s2, 0x40, IOPT_READ | IOPT_EXEC);
	check_arm_prot(s2, 0x80, IOPT_WRITE | IOPT_EXEC);
	check_arm_prot(s2, 0xc0 | ARM_UXN, IOPT_READ | IOPT_WRITE);
	check_arm_prot(s2, 0x40 | ARM_UXN | ARM_DBM, IOPT_READ | IOPT_WRITE);
	check_arm_prot(ARM_B | ARM_AF | 0x14, 0x40 | ARM_UXN, IOPT_READ | IOPT_UNCACHED);
	check_arm_prot(ARM_B | ARM_AF | 0x4, 0x40 | ARM_UXN, IOPT_READ | IOPT_DEVICE);
	/* Nothing grants a table more or less at stage 2. */
	put(root, 1, new_table() | ARM_T | 1ull << 51 | 0xffc);
	put(get(root, 1) & 0xfffffffff000, 0, 0x7000 | ARM_T | ARM_S2 | ARM_AF);
	assert_int_equal(walked(0x200000).pa, 0x7000);
}

/* What a table says of stage 1 holds for all below it. */
static void test_tables_arm(void **unused)
{
	uint64_t low = new_table();

	(void)unused;
	make_arm(1, false);
	put(low, 0, 0x7000 | ARM_T | ARM_WB | ARM_AF | ARM_EL0);
	put(root, 0, low | ARM_T);
	assert_int_equal(walked(0).prot, IOPT_READ | IOPT_WRITE | IOPT_EXEC);
	put(root, 0, low | ARM_T | 1ull << 61);
	assert_int_equal(walked(0).prot, IOPT_READ | IOPT_WRITE | IOPT_EXEC | IOPT_PRIV);
	put(root, 0, low | ARM_T | 1ull << 62);
	assert_int_equal(walked(0).prot, IOPT_READ | IOPT_EXEC);
	put(root, 0, low | ARM_T | 1ull << 60);
	assert_int_equal(walked(0).prot, IOPT_READ | IOPT_WRITE);
}

/* Every level, blocks, runs and where a walk starts. */
static void test_read_arm(void **unused)
{
	uint64_t tables[4];
	unsigned i;

	(void)unused;
	for (i = 0; i < 4; i++)
		tables[i] = new_table();
	for (i = 1; i < 4; i++)
		put(tables[i], 1, tables[i - 1] | ARM_T);
	put(tables[0], 1, 0xf23456789000 | ARM_T | ARM_S1 | 7ull << 55);
	for (i = 0; i < 16; i++) {
		put(tables[0], 16 + i, (0x12340000 + i * 0x1000) | ARM_T | ARM_S1 | ARM_CONT);
		put(tables[1], 32 + i, (0x40000000 + i * 0x200000ull) | ARM_B | ARM_S1 | ARM_CONT);
		put(tables[2], 48 + i, (i + 16ull) << 30 | ARM_B | ARM_S1 | ARM_CONT);
	}
	put(tables[2], 2, 5ull << 30 | ARM_B | ARM_S1);

	for (i = 2; i <= 4; i++) {
		const uint64_t path = (1ull << (12 + 9 * i)) / 512;

		make_domain("arm-s1", arm_hw(tables[i - 1], 12 + 9 * i, 0, true), 0);
		uint64_t base = 0;

		for (unsigned level = 1; level < i; level++)
			base |= 1ull << (12 + 9 * level);
		assert_int_equal(walked(base | 0x1abc).pa, 0xf23456789abc);
		assert_int_equal(walked(base | 0x1abc).leaf_lg2, 12);
		assert_int_equal(walked(base | 0x17123).pa, 0x12347123);
		assert_int_equal(walked(base | 0x17123).leaf_lg2, 16);
		assert_int_equal(walked(base | 0x17123).entry_pa, tables[0] + 8 * 0x17);
		base &= ~0x3fffffull;
		assert_int_equal(walked((base & ~(1ull << 21)) | 0x4612345).pa, 0x40612345);
		assert_int_equal(walked((base & ~(1ull << 21)) | 0x4612345).leaf_lg2, 25);
		assert_int_equal(soft_iommu_walk(domain, path * 512, NULL),
				 SOFT_IOMMU_BEYOND_WIDTH);
		if (i > 2) {
			base &= ~((1ull << 39) - 1);
			assert_int_equal(walked(base | 2ull << 30 | 0x123456).pa,
					 5ull << 30 | 0x123456);
			assert_int_equal(walked(base | 49ull << 30 | 7).pa, 17ull << 30 | 7);
			assert_int_equal(walked(base | 49ull << 30 | 7).leaf_lg2, 34);
		}
		soft_iommu_domain_destroy(domain);
		domain = NULL;
	}
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

/* Tops of other sizes, and the upper half. */
static void test_tops_arm(void **unused)
{
	uint64_t first = new_table(), second, leaf = 0x7000 | ARM_T | ARM_S2 | ARM_AF;
	struct iopt_hw hw;

	(void)unused;
	if (first & 0x1000)
		first = new_table();
	second = new_table();
	assert_int_equal(second, first + 0x1000);
	/* 31 bits in two levels: two tables one behind the other. */
	put(second, 511, new_table() | ARM_T);
	put(get(second, 511) & ~ARM_T, 511, leaf);
	make_domain("arm-s2", arm_hw(first, 31, 0, false), 0);
	assert_int_equal(walked(0x7ffff123).pa, 0x7123);
	assert_int_equal(walked(0x7ffff123).entry_pa, (get(second, 511) & ~ARM_T) + 8 * 511);
	assert_int_equal(soft_iommu_walk(domain, 0x80000000, NULL), SOFT_IOMMU_BEYOND_WIDTH);
	assert_int_equal(soft_iommu_walk(domain, 0x3fffffff, NULL), SOFT_IOMMU_NOT_PRESENT);
	soft_iommu_domain_destroy(domain);
	/* 25 bits: 16 entries; the same for the last IOVAs. */
	put(first, 15, get(second, 511));
	hw = arm_hw(first, 25, 0, false);
	make_domain("arm-s1", hw, 0);
	put(get(second, 511) & ~ARM_T, 511, 0x7000 | ARM_T | ARM_S1 | ARM_AF);
	assert_int_equal(walked(0x1fff123).pa, 0x7123);
	assert_int_equal(soft_iommu_walk(domain, 0x2000000, NULL), SOFT_IOMMU_BEYOND_WIDTH);
	soft_iommu_domain_destroy(domain);
	hw.arm.upper = true;
	hw.arm.tg = 2;
	make_domain("arm-s1", hw, 0);
	assert_int_equal(walked(0xfffffffffffff123).pa, 0x7123);
	assert_int_equal(soft_iommu_walk(domain, 0x1fff123, NULL), SOFT_IOMMU_BEYOND_WIDTH);
	assert_int_equal(soft_iommu_walk(domain, 0xfffffffffdffffff, NULL),
			 SOFT_IOMMU_BEYOND_WIDTH);
}

/* What no hardware has: SL0 and widths that do not fit, other granules, HD without HA. */
static void test_roots_arm(void **unused)
{
	uint64_t table = new_table();
	struct iopt_hw hws[9];
	unsigned i;

	(void)unused;
	while (table & 0xffff)
		table = new_table();
	hws[0] = arm_hw(table, 30, 1, false); /* too narrow for three levels */
	hws[1] = arm_hw(table, 35, 0, false); /* 32 tables */
	hws[2] = arm_hw(table, 30, 3, false);
	hws[3] = arm_hw(table, 24, 0, false);
	hws[4] = arm_hw(table | 0x1000, 32, 0, false); /* four tables are aligned to all four */
	hws[5] = arm_hw(table, 30, 0, false);
	hws[5].arm.tg = 1;
	hws[6] = arm_hw(table, 30, 0, false);
	hws[6].arm.hd = true;
	hws[7] = arm_hw(1ull << 44, 30, 0, false);
	hws[7].arm.ps = 4;
	hws[8] = arm_hw(table, 30, 0, false);
	hws[8].arm.ds = true;
	for (i = 0; i < 9; i++) {
		struct soft_iommu_domain_config config = { .format = "arm-s2", .hw = hws[i] };

		assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	}
	hws[0] = arm_hw(table, 34, 0, true);
	make_domain("arm-s2", hws[0], 0);
}

/* Permissions are those of all levels together. */
static void test_permissions_of_all_levels(void **unused)
{
	uint64_t low = make_vtd(false, 0);

	(void)unused;
	put(low, 0, 0x1000 | VTD_RW);
	put(root, 0, (get(root, 0) & ~VTD_RW) | VTD_R);
	assert_int_equal(walked(0).prot, IOPT_READ);
	expect_fault(0, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, low, 0x1000 | VTD_RW);
	/* And a cached pointer to the table keeps them. */
	put(root, 0, get(root, 0) | VTD_RW);
	expect_fault(0, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, low, 0x1000 | VTD_RW);
	invalidate(IOPT_OWES_TABLES, 0, 0xfff);
	assert_int_equal(write_at(0), SOFT_IOMMU_DONE);
}

/* ---- every reason -------------------------------------------------------------------------- */

static void test_faults_vtd_ss(void **unused)
{
	uint64_t low = make_vtd(false, 0);
	uint64_t middle = get(root, 0) & ~VTD_RW;
	unsigned i;

	(void)unused;
	expect_fault(0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, low + 8, 0);
	/* There is no present bit: what grants nothing is not present, whatever else it holds. */
	put(low, 1, ~VTD_RW);
	expect_fault(0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, low + 8, ~VTD_RW);
	put(low, 2, 0x1000 | VTD_W);
	expect_fault(0x2000, SOFT_IOMMU_READ, SOFT_IOMMU_NO_READ, low + 16, 0x1000 | VTD_W);
	put(low, 3, 0x1000 | VTD_R);
	expect_fault(0x3000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, low + 24, 0x1000 | VTD_R);
	expect_fault(1ull << 39, SOFT_IOMMU_READ, SOFT_IOMMU_BEYOND_WIDTH, 0, 0);
	expect_fault(~0ull, SOFT_IOMMU_WRITE, SOFT_IOMMU_BEYOND_WIDTH, 0, 0);

	put(low, 4, 0x1000 | VTD_RW | 1ull << 62);
	expect_fault(0x4000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, low + 32, get(low, 4));
	put(middle, 1, low | VTD_RW | 1ull << 11);
	expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, middle + 8,
		     get(middle, 1));
	/* 2 MiB and 1 GiB blocks must be aligned. */
	for (i = 12; i < 21; i++) {
		put(middle, 2, 0x40000000 | 1ull << i | VTD_RW | VTD_PS);
		expect_fault(0x400000, SOFT_IOMMU_READ, SOFT_IOMMU_MISALIGNED, middle + 16,
			     get(middle, 2));
	}
	for (i = 12; i < 30; i++) {
		put(root, 1, 0x40000000 | 1ull << i | VTD_RW | VTD_PS);
		expect_fault(0x40000000, SOFT_IOMMU_READ, SOFT_IOMMU_MISALIGNED, root + 8,
			     get(root, 1));
	}
	/* No leaves of 512 GiB. */
	put(low, 6, root | VTD_RW | VTD_PS);
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);
	make_domain("vtd-ss", vtd_hw(low, 4, false), 0);
	device = make_device(0, 1);
	expect_fault(6ull << 39, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, low + 48, get(low, 6));
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);
	make_domain("vtd-ss", vtd_hw(root, 3, false), 0);
	device = make_device(0, 1);
	/* Ignored bits are ignored: 63, 60:52, 10, and 7 in the smallest leaf. */
	put(low, 5, 0x5000 | VTD_RW | 1ull << 63 | 0x1ffull << 52 | 1ull << 10 | VTD_PS);
	assert_int_equal(read_at(0x5000), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x5000);
}

static void test_faults_x86_64(void **unused)
{
	uint64_t tables[4];
	unsigned i;

	(void)unused;
	for (i = 0; i < 4; i++)
		tables[i] = new_table();
	for (i = 1; i < 4; i++)
		put(tables[i], 0, tables[i - 1] | X86_T | X86_A);
	make_domain("x86-64", x86_hw(tables[3], 4), SOFT_IOMMU_SIGN_EXTEND);
	device = make_device(0, 1);

	put(tables[0], 0, ~X86_P);
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, tables[0], ~X86_P);
	put(tables[0], 0, 0x1000 | X86_P | X86_U);
	expect_fault(0, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, tables[0], get(tables[0], 0));
	put(tables[0], 0, 0x1000 | X86_P | X86_W);
	expect_fault(0, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_USER, tables[0], get(tables[0], 0));
	assert_int_equal(soft_iommu_access(device, 0, SOFT_IOMMU_WRITE | SOFT_IOMMU_SUPERVISOR,
					   NULL),
			 SOFT_IOMMU_DONE);
	put(tables[0], 1, 0x1000 | X86_P | X86_U | X86_XD);
	expect_fault(0x1000, SOFT_IOMMU_FETCH, SOFT_IOMMU_NO_EXEC, tables[0] + 8,
		     get(tables[0], 1));
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	expect_fault(1ull << 47, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_CANONICAL, 0, 0);

	/* A table for supervisors is enough to keep users out. */
	put(tables[3], 2, tables[2] | X86_P | X86_W | X86_A);
	expect_fault((2ull << 39) | 0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_NO_USER, tables[0] + 8,
		     get(tables[0], 1) | X86_A);

	put(tables[3], 1, tables[2] | X86_T | X86_PS);
	expect_fault(1ull << 39, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, tables[3] + 8,
		     get(tables[3], 1));
	/* Bit 12 of a block is PAT, the others up to its size are reserved. */
	for (i = 13; i < 21; i++) {
		put(tables[1], 1, 0x40000000 | 1ull << i | X86_T | X86_PS);
		expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_MISALIGNED, tables[1] + 8,
			     get(tables[1], 1));
	}
	for (i = 13; i < 30; i++) {
		put(tables[2], 1, 0x40000000 | 1ull << i | X86_T | X86_PS);
		expect_fault(0x40000000, SOFT_IOMMU_READ, SOFT_IOMMU_MISALIGNED, tables[2] + 8,
			     get(tables[2], 1));
	}
}

static void test_faults_amd_v1(void **unused)
{
	uint64_t low = new_table();
	uint64_t middle = new_table();
	unsigned i;

	(void)unused;
	root = new_table();
	put(root, 0, middle | AMD_T | AMD_NL(2));
	put(middle, 0, low | AMD_T | AMD_NL(1));
	make_domain("amd-v1", amd_hw(root, 3, 0), 0);
	device = make_device(0, 1);

	put(low, 0, ~AMD_PR);
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, low, ~AMD_PR);
	put(low, 0, 0x1000 | AMD_PR | AMD_IW);
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_NO_READ, low, get(low, 0));
	put(low, 0, 0x1000 | AMD_PR | AMD_IR);
	expect_fault(0, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, low, get(low, 0));
	expect_fault(1ull << 39, SOFT_IOMMU_READ, SOFT_IOMMU_BEYOND_WIDTH, 0, 0);
	/* Reserved: 58:52 in leaves, 60:52 in tables. */
	for (i = 52; i <= 58; i++) {
		put(low, 0, 0x1000 | AMD_T | 1ull << i);
		expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, low, get(low, 0));
	}
	for (i = 52; i <= 60; i++) {
		put(middle, 1, low | AMD_T | AMD_NL(1) | 1ull << i);
		expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, middle + 8,
			     get(middle, 1));
	}
	put(middle, 1, 0x1000 | AMD_T);
	expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_MISALIGNED, middle + 8, 0x1000 | AMD_T);
	/* Sizes that belong to another level: 4 KiB and 2 MiB at level 0, 2 MiB and 1 GiB at 1. */
	put(low, 0, 0xff000 | AMD_T | AMD_NL(7));
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_SIZE, low, get(low, 0));
	put(middle, 1, 0xff000 | AMD_T | AMD_NL(7));
	expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_SIZE, middle + 8, get(middle, 1));
	put(middle, 1, 0x1ffff000 | AMD_T | AMD_NL(7));
	expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_SIZE, middle + 8, get(middle, 1));
	/* Up, sideways, and two levels down at once. */
	put(middle, 1, low | AMD_T | AMD_NL(2));
	expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_LEVEL, middle + 8, get(middle, 1));
	put(low, 0, middle | AMD_T | AMD_NL(1));
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_LEVEL, low, get(low, 0));
	put(root, 1, low | AMD_T | AMD_NL(1));
	expect_fault(0x40000000, SOFT_IOMMU_READ, SOFT_IOMMU_SKIPPED_LEVEL, root + 8, get(root, 1));
}

/* A Sv39 domain; returns its lowest table. */
static uint64_t make_riscv(bool sade)
{
	uint64_t middle = new_table(), low = new_table();

	root = new_table();
	put(root, 0, RV_PA(middle) | RV_V);
	put(middle, 0, RV_PA(low) | RV_V);
	make_domain("riscv-s1", riscv_hw(root, 3, sade), 0);
	device = make_device(0, 1);
	return low;
}

static void test_faults_riscv_s1(void **unused)
{
	const uint64_t good = RV_PA(0x40000000) | RV_RW | RV_A | RV_D;
	const uint64_t reserved[] = { RV_D, RV_A, RV_U, RV_N };
	uint64_t low = make_riscv(false), middle = (get(root, 0) & ~RV_V) << 2;
	unsigned i;

	(void)unused;
	put(low, 1, good & ~RV_V);
	expect_fault(0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, low + 8, good & ~RV_V);
	put(low, 2, good & ~RV_W);
	expect_fault(0x2000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, low + 16, good & ~RV_W);
	put(low, 3, good & ~RV_U);
	expect_fault(0x3000, SOFT_IOMMU_READ, SOFT_IOMMU_NO_USER, low + 24, good & ~RV_U);
	expect_fault(0x1000ull << 27, SOFT_IOMMU_READ, SOFT_IOMMU_BEYOND_WIDTH, 0, 0);
	/* Write without read; bits 60:54; a memory type that there is not, or of a table. */
	put(low, 4, good & ~RV_R);
	expect_fault(0x4000, SOFT_IOMMU_WRITE, SOFT_IOMMU_RESERVED_BITS, low + 32, get(low, 4));
	for (i = 54; i < 63; i++) {
		put(low, 5, good | (i < 61 ? 1ull << i : 3ull << 61));
		expect_fault(0x5000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, low + 40,
			     get(low, 5));
		put(middle, 5, RV_PA(low) | RV_V | 1ull << i);
		expect_fault(0xa00000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, middle + 40,
			     get(middle, 5));
	}
	/* N: one size, and at the lowest level only. */
	put(low, 6, good | RV_N);
	expect_fault(0x6000, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_SIZE, low + 48, get(low, 6));
	put(low, 6, good | RV_N | 0x3000);
	expect_fault(0x6000, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_SIZE, low + 48, get(low, 6));
	put(middle, 6, good | RV_64K);
	expect_fault(0xc00000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, middle + 48,
		     get(middle, 6));
	/* 2 MiB blocks must be aligned. */
	for (i = 10; i < 19; i++) {
		put(middle, 7, good | 1ull << i);
		expect_fault(0xe00000, SOFT_IOMMU_READ, SOFT_IOMMU_MISALIGNED, middle + 56,
			     get(middle, 7));
	}
	/* No table below the lowest level; D, A, U and N are reserved in what leads to one. */
	put(low, 8, RV_PA(low) | RV_V);
	expect_fault(0x8000, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_LEVEL, low + 64, get(low, 8));
	for (i = 0; i < 4; i++) {
		put(middle, 8, RV_PA(low) | RV_V | reserved[i]);
		expect_fault(0x1000000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, middle + 64,
			     get(middle, 8));
	}
}

/* The memory type is the leaf's. */
static void test_types_riscv_s1(void **unused)
{
	const uint64_t leaf = RV_PA(0x40000000) | RV_RW | RV_A | RV_D;
	uint64_t low = make_riscv(false);

	(void)unused;
	put(low, 1, leaf);
	put(low, 2, leaf | 1ull << 61);
	put(low, 3, leaf | 2ull << 61);
	assert_int_equal(walked(0x1000).prot, IOPT_READ | IOPT_WRITE);
	assert_int_equal(walked(0x2000).prot, IOPT_READ | IOPT_WRITE | IOPT_UNCACHED);
	assert_int_equal(walked(0x3000).prot, IOPT_READ | IOPT_WRITE | IOPT_DEVICE);
}

/*
 * G-stage: two more bits select an entry of the top, nothing above them is translated, and no leaf
 * without U is reached.
 */
static void test_riscv_g(void **unused)
{
	const uint64_t leaf = RV_PA(0x40000000) | RV_RW | RV_A | RV_D;
	const uint64_t far = 0x1ffffe01000;
	uint64_t top = new_wide_table(), middle = new_table(), low = new_table();
	struct iopt_hw hw = { .riscv_g = { .ppn = top >> 12, .mode = 8 } };

	(void)unused;
	put(top, 2047, RV_PA(middle) | RV_V);
	put(top, 1, RV_PA(0x80000000) | RV_RW | RV_A | RV_D);
	put(middle, 511, RV_PA(low) | RV_V);
	put(low, 1, leaf);
	put(low, 2, leaf & ~RV_U);
	make_domain("riscv-g", hw, 0);
	device = make_device(0, 1);
	assert_int_equal(walked(far).pa, 0x40000000);
	assert_int_equal(walked(0x40000123).pa, 0x80000123);
	assert_int_equal(walked(0x40000123).leaf_lg2, 30);
	assert_int_equal(write_at(far), SOFT_IOMMU_DONE);
	expect_fault(far + 0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_NO_USER, low + 16, leaf & ~RV_U);
	expect_fault(far | 1ull << 41, SOFT_IOMMU_READ, SOFT_IOMMU_BEYOND_WIDTH, 0, 0);
	/* A root that is not aligned to its 16 KiB is none. */
	hw.riscv_g.ppn++;
	assert_int_equal(soft_iommu_set_root(domain, &hw), -EINVAL);
}

/* Without SADE it marks nothing, and wants to find it marked. */
static void test_marks_riscv_s1(void **unused)
{
	const uint64_t leaf = RV_PA(0x40000000) | RV_RW;
	uint64_t low = make_riscv(false);

	(void)unused;
	put(low, 1, leaf);
	expect_fault(0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_MARKED, low + 8, leaf);
	put(low, 1, leaf | RV_A);
	expect_fault(0x1000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NOT_MARKED, low + 8, leaf | RV_A);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	put(low, 2, leaf | RV_A | RV_D);
	assert_int_equal(write_at(0x2000), SOFT_IOMMU_DONE);
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);

	low = make_riscv(true);
	put(low, 1, leaf);
	put(low, 2, leaf);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 1), leaf | RV_A);
	assert_int_equal(write_at(0x2000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 2), leaf | RV_A | RV_D);
	/* Nothing in what leads to a table: it is reserved there. */
	assert_int_equal(get(root, 0) & (RV_A | RV_D), 0);
}

static void expect_arm(uint64_t entry, enum soft_iommu_reason reason)
{
	put(root, 3, entry);
	expect_fault(0x600000, SOFT_IOMMU_READ, reason, root + 24, entry);
}

static void test_faults_arm(void **unused)
{
	const uint64_t s1 = 0x40000000 | ARM_B | ARM_S1 | ARM_AF;
	const uint64_t s2 = 0x40000000 | ARM_B | ARM_S2 | ARM_AF;
	uint64_t low = new_table();
	unsigned i;

	(void)unused;
	make_arm(1, false);
	expect_arm(s1 & ~ARM_B, SOFT_IOMMU_NOT_PRESENT);
	put(root, 4, s1 | ARM_RO);
	expect_fault(0x800000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, root + 32, s1 | ARM_RO);
	expect_fault(0x800000, SOFT_IOMMU_READ | SOFT_IOMMU_FETCH, SOFT_IOMMU_NO_EXEC, root + 32,
		     s1 | ARM_RO);
	expect_arm(s1 & ~ARM_EL0, SOFT_IOMMU_NO_USER);
	for (i = 48; i < 51; i++)
		expect_arm(s1 | 1ull << i, SOFT_IOMMU_RESERVED_BITS);
	for (i = 12; i < 21; i++)
		expect_arm(s1 | 1ull << i, SOFT_IOMMU_MISALIGNED);
	expect_arm(s1 | 0x10, SOFT_IOMMU_RESERVED_BITS); /* MAIR has four attributes */
	expect_arm(low | ARM_T | 1ull << 63, SOFT_IOMMU_RESERVED_BITS);
	for (i = 48; i < 51; i++)
		expect_arm(low | ARM_T | 1ull << i, SOFT_IOMMU_RESERVED_BITS);
	/* The reserved encoding of the lowest level. */
	put(root, 3, low | ARM_T);
	put(low, 0, s1);
	expect_fault(0x600000, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_LEVEL, low, s1);
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);

	/* No blocks of 512 GiB. */
	make_domain("arm-s1", arm_hw(root, 48, 0, false), 0);
	device = make_device(0, 1);
	put(root, 3, ARM_B | ARM_S1 | ARM_AF);
	expect_fault(3ull << 39, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_LEVEL, root + 24, get(root, 3));
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);

	make_arm(2, false);
	expect_arm(s2 & ~0x40ull, SOFT_IOMMU_NO_READ);
	expect_arm(s2 | 0x800, SOFT_IOMMU_RESERVED_BITS);
	for (i = 1; i < 4; i++) { /* XN[1:0], of which Linux sets both: nobody's DMA executes */
		uint64_t never = s2 | (uint64_t)i << 53;

		put(root, 4 + i, never);
		expect_fault((4 + i) << 21, SOFT_IOMMU_READ | SOFT_IOMMU_FETCH, SOFT_IOMMU_NO_EXEC,
			     root + (4 + i) * 8, never);
		assert_int_equal(read_at((4 + i) << 21), SOFT_IOMMU_DONE);
	}
	expect_arm(s2 & ~0xcull, SOFT_IOMMU_RESERVED_BITS); /* MemAttr 1100b */
	for (i = 59; i < 64; i++)
		expect_arm(low | ARM_T | 1ull << i, SOFT_IOMMU_RESERVED_BITS);
}

/* An entry of a run that leads elsewhere, or where another one does. */
static void test_runs_arm(void **unused)
{
	const uint64_t leaf = ARM_B | ARM_S1 | ARM_AF | ARM_CONT;
	unsigned i;

	(void)unused;
	make_arm(1, false);
	for (i = 0; i < 16; i++)
		put(root, 16 + i, (0x40000000 + i * 0x200000ull) | leaf);
	assert_int_equal(read_at(33 << 20), SOFT_IOMMU_DONE);
	/* Some may be gone. */
	put(root, 21, 0);
	invalidate(IOPT_OWES_ALL, 0, 0);
	assert_int_equal(read_at(32 << 20), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x40000000);
	/* Its own address is that of its neighbour. */
	put(root, 21, 0x40800000 | leaf);
	invalidate(IOPT_OWES_ALL, 0, 0);
	expect_fault(32 << 20, SOFT_IOMMU_READ, SOFT_IOMMU_REPLICAS_DIFFER, root + 168,
		     0x40800000 | leaf);
	/* Also if it is the one that is walked by. */
	expect_fault(42 << 20, SOFT_IOMMU_READ, SOFT_IOMMU_REPLICAS_DIFFER, root + 168,
		     0x40800000 | leaf);
	/* A leaf of its own, at the same place, is one that was split. */
	put(root, 21, 0x40a00000 | (leaf & ~ARM_CONT));
	assert_int_equal(read_at(32 << 20), SOFT_IOMMU_DONE);
}

/* The access flag and dirty state, set by hardware or asked for. */
static void test_marks_arm(void **unused)
{
	const uint64_t s1 = 0x40000000 | ARM_B | ARM_S1, s2 = 0x40000000 | ARM_B | ARM_S2;

	struct soft_iommu_event event;

	(void)unused;
	make_arm(1, false);
	expect_arm(s1, SOFT_IOMMU_NOT_MARKED);
	/* Without HD it is read only, in what was cached by a read, too. */
	put(root, 4, s1 | ARM_AF | ARM_RO | ARM_DBM);
	expect_fault(0x800000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NOT_MARKED, root + 32, get(root, 4));
	assert_int_equal(read_at(0x800000), SOFT_IOMMU_DONE);
	assert_int_equal(write_at(0x800000), SOFT_IOMMU_NO_WRITE);
	assert_int_equal(soft_iommu_events(unit, &event, 1), 1);
	assert_true(event.cached);
	put(root, 5, s1 | ARM_AF);
	assert_int_equal(write_at(0xa00000), SOFT_IOMMU_DONE);
	assert_int_equal(get(root, 5), s1 | ARM_AF);
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);

	make_arm(1, true);
	put(root, 3, s1 | ARM_RO | ARM_DBM);
	assert_int_equal(read_at(0x600000), SOFT_IOMMU_DONE);
	assert_int_equal(get(root, 3), s1 | ARM_AF | ARM_RO | ARM_DBM);
	assert_false(walked(0x600000).dirty);
	assert_int_equal(write_at(0x600000), SOFT_IOMMU_DONE);
	assert_int_equal(get(root, 3), s1 | ARM_AF | ARM_DBM);
	assert_true(walked(0x600000).dirty);
	put(root, 4, s1 | ARM_RO);
	expect_fault(0x800000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, root + 32, s1 | ARM_RO);
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);

	make_arm(2, true);
	put(root, 3, s2 | ARM_DBM);
	assert_int_equal(read_at(0x600000), SOFT_IOMMU_DONE);
	assert_int_equal(get(root, 3), s2 | ARM_AF | ARM_DBM);
	assert_int_equal(write_at(0x600000), SOFT_IOMMU_DONE);
	assert_int_equal(get(root, 3), s2 | ARM_AF | ARM_DBM | ARM_S2_W);
	put(root, 4, s2);
	expect_fault(0x800000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NO_WRITE, root + 32, s2);
}

/* The sixth level has no leaves; a root that doesn't fit its mode is a skipped or a bad level. */
static void test_amd_root(void **unused)
{
	uint64_t middle = new_table();
	struct iopt_hw hw;

	(void)unused;
	root = new_table();
	put(root, 0, middle | AMD_T | AMD_NL(1));
	put(root, 1, 0x1000 | AMD_T | AMD_NL(7));
	make_domain("amd-v1", amd_hw(root, 6, 0), 0);
	device = make_device(0, 1);
	expect_fault(1ull << 57, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_LEVEL, root + 8, get(root, 1));
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_SKIPPED_LEVEL, root, get(root, 0));
	hw = amd_hw(root, 1, 0);
	assert_int_equal(soft_iommu_set_root(domain, &hw), 0);
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_BAD_LEVEL, root, get(root, 0));
}

/* Address bits that this hardware doesn't have are reserved, in leaves and in table entries. */
static void test_narrow_hardware(void **unused)
{
	const struct soft_iommu_config config = { .va = va, .pa_lg2 = 39 };
	const uint64_t far = 1ull << 39;
	uint64_t low;

	(void)unused;
	soft_iommu_destroy(unit);
	assert_int_equal(soft_iommu_create(&config, &unit), 0);
	low = make_vtd(false, 0);
	put(low, 0, (far - 0x1000) | VTD_RW);
	put(low, 1, far | VTD_RW);
	put(root, 1, far | low | VTD_RW);
	assert_int_equal(read_at(0), SOFT_IOMMU_DONE);
	expect_fault(0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, low + 8, far | VTD_RW);
	expect_fault(0x40000000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, root + 8, get(root, 1));
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);

	root = new_table();
	put(root, 0, far | low | X86_T);
	make_domain("x86-64", x86_hw(root, 4), 0);
	device = make_device(0, 1);
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, root, get(root, 0));
	soft_iommu_device_destroy(device);
	soft_iommu_domain_destroy(domain);

	root = new_table();
	put(root, 0, far | low | AMD_T | AMD_NL(1));
	put(root, 1, far | AMD_T);
	/* 256 MiB, whose size alone needs bits up to 27, at an address that is too high. */
	put(root, 128, far | 0x7fff000 | AMD_T | AMD_NL(7));
	make_domain("amd-v1", amd_hw(root, 2, 0), 0);
	device = make_device(0, 1);
	expect_fault(0, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, root, get(root, 0));
	expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, root + 8, get(root, 1));
	expect_fault(0x10000000, SOFT_IOMMU_READ, SOFT_IOMMU_RESERVED_BITS, root + 8 * 128,
		     get(root, 128));
}

/* ---- staleness ----------------------------------------------------------------------------- */

static void test_stale_translation(void **unused)
{
	uint64_t low = make_vtd(false, 0);

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	put(low, 2, 0x6000 | VTD_RW);
	assert_int_equal(write_at(0x1234), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x5234);
	assert_int_equal(read_at(0x2000), SOFT_IOMMU_DONE);
	put(low, 1, 0);
	put(low, 2, 0);
	assert_int_equal(soft_iommu_walk(domain, 0x1000, NULL), SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(write_at(0x1678), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x5678);
	/* Nothing is owed, or only something else. */
	invalidate(0, 0, UINT64_MAX);
	invalidate(IOPT_OWES_DEVICE_TLB, 0, UINT64_MAX);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	/* A range too short keeps the rest. */
	invalidate(IOPT_OWES_LEAVES, 0x1000, 0x1fff);
	expect_fault(0x1000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NOT_PRESENT, low + 8, 0);
	assert_int_equal(read_at(0x2000), SOFT_IOMMU_DONE);
	invalidate(IOPT_OWES_LEAVES, 0x2fff, 0x2fff);
	expect_fault(0x2000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, low + 16, 0);
	assert_int_equal(soft_iommu_invalidations(domain), 4);
}

/* Permissions are stale as well, in both directions. */
static void test_stale_permissions(void **unused)
{
	struct soft_iommu_event event;
	uint64_t low = make_vtd(false, 0);

	(void)unused;
	put(low, 1, 0x5000 | VTD_R);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	put(low, 1, 0x5000 | VTD_RW);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_NO_WRITE);
	assert_int_equal(soft_iommu_events(unit, &event, 1), 1);
	assert_true(event.cached);
	assert_int_equal(event.entry_pa, 0);
	invalidate(IOPT_OWES_LEAVES, 0x1000, 0x1fff);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	put(low, 1, 0x5000 | VTD_R);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
}

static void test_stale_table_pointer(void **unused)
{
	uint64_t low = make_vtd(false, 0);
	uint64_t middle = get(root, 0) & ~VTD_RW;
	uint64_t other = new_table();

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	put(low, 2, 0x6000 | VTD_RW);
	put(low, 3, 0x7000 | VTD_RW);
	put(other, 3, 0x8000 | VTD_RW);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	/* Another table now, but the device has a pointer to the old one. */
	put(middle, 0, other | VTD_RW);
	assert_int_equal(read_at(0x2000), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x6000);
	/* A leaf-only hint keeps it, ... */
	invalidate(IOPT_OWES_LEAVES, 0, 0x1fffff);
	assert_int_equal(read_at(0x3000), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x7000);
	/* ... another range does, ... */
	invalidate(IOPT_OWES_LEAVES | IOPT_OWES_TABLES, 0x200000, 0x3fffff);
	invalidate(IOPT_OWES_LEAVES, 0x3000, 0x3fff);
	assert_int_equal(read_at(0x3000), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x7000);
	/* ... and a full one of a single page in it doesn't. */
	invalidate(IOPT_OWES_LEAVES | IOPT_OWES_TABLES, 0x3000, 0x3fff);
	assert_int_equal(read_at(0x3000), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x8000);
}

/* Pointers are cached at every level: the root's entry may change without notice, too. */
static void test_stale_upper_pointer(void **unused)
{
	uint64_t low = make_vtd(false, 0);
	struct soft_iommu_stats stats;

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	stats = stats_of(device);
	assert_int_equal(stats.table_entries, 2);
	assert_int_equal(stats.skipped, 0);
	put(root, 0, 0);
	/* 0x200000 has no level-0 table, but the pointer to the middle one is there. */
	assert_int_equal(read_at(0x200000), SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(stats_of(device).skipped, 1);
	invalidate(IOPT_OWES_DIRTY, 0x1000, 0x1fff);
	assert_int_equal(stats_of(device).table_entries, 0);
	assert_int_equal(stats_of(device).iotlb_entries, 0);
	soft_iommu_events(unit, &(struct soft_iommu_event){ 0 }, 1);
	expect_fault(0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, root, 0);
}

static void test_invalidate_all(void **unused)
{
	uint64_t low = make_vtd(false, SOFT_IOMMU_ATS);
	unsigned i;

	(void)unused;
	for (i = 0; i < 512; i++)
		put(low, i, ((uint64_t)i << 12) | VTD_RW);
	for (i = 0; i < 512; i++)
		assert_int_equal(write_at((uint64_t)i << 12), SOFT_IOMMU_DONE);
	assert_int_equal(stats_of(device).iotlb_entries, 512);
	assert_int_equal(stats_of(device).tlb_entries, 512);
	/* The ranges don't matter, the device TLB has a flag of its own. */
	invalidate(IOPT_OWES_ALL, 0, 0);
	assert_int_equal(stats_of(device).iotlb_entries, 0);
	assert_int_equal(stats_of(device).table_entries, 0);
	assert_int_equal(stats_of(device).tlb_entries, 512);
	invalidate(IOPT_OWES_ALL | IOPT_OWES_DEVICE_TLB, 0, 0);
	assert_int_equal(stats_of(device).tlb_entries, 0);
}

static void test_device_tlb(void **unused)
{
	uint64_t low = make_vtd(false, SOFT_IOMMU_ATS);
	struct soft_iommu_device *plain = make_device(0, 2);

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(soft_iommu_access(plain, 0x1000, SOFT_IOMMU_WRITE, NULL), SOFT_IOMMU_DONE);
	put(low, 1, 0);
	invalidate(IOPT_OWES_LEAVES | IOPT_OWES_TABLES, 0, 0x1fffff);
	/* The IOTLB is clean, the device has a TLB of its own. */
	assert_int_equal(soft_iommu_access(plain, 0x1000, SOFT_IOMMU_WRITE, NULL),
			 SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(stats_of(device).tlb_hits, 1);
	invalidate(IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB, 0x1000, 0x1fff);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_NOT_PRESENT);
	soft_iommu_device_destroy(plain);
}

/* A whole block is cached, or 4 KiB pieces of it, which have to be named one by one. */
static void test_blocks_and_pieces(void **unused)
{
	uint64_t middle;
	struct soft_iommu_device *pieces;

	(void)unused;
	make_vtd(false, 0);
	pieces = make_device(SOFT_IOMMU_PIECES, 2);
	middle = get(root, 0) & ~VTD_RW;
	put(middle, 1, 0x40000000 | VTD_RW | VTD_PS);
	assert_int_equal(read_at(0x200000), SOFT_IOMMU_DONE);
	assert_int_equal(soft_iommu_access(pieces, 0x200000, 0, NULL), SOFT_IOMMU_DONE);
	assert_int_equal(soft_iommu_access(pieces, 0x3ff000, 0, &touched), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x401ff000);
	put(middle, 1, 0);
	assert_int_equal(read_at(0x3fffff), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x401fffff);
	/* One page of it drops the whole block, but only one piece. */
	invalidate(IOPT_OWES_LEAVES, 0x200000, 0x200fff);
	assert_int_equal(read_at(0x3ff000), SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(soft_iommu_access(pieces, 0x200000, 0, NULL), SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(soft_iommu_access(pieces, 0x3ff000, 0, NULL), SOFT_IOMMU_DONE);
	soft_iommu_device_destroy(pieces);
}

static void test_cached_emptiness(void **unused)
{
	struct soft_iommu_event event;
	uint64_t low = make_vtd(false, SOFT_IOMMU_CACHE_EMPTY);

	(void)unused;
	expect_fault(0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, low + 8, 0);
	expect_fault(0x40000000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, root + 8, 0);
	put(low, 1, 0x5000 | VTD_RW);
	put(root, 1, 0x40000000 | VTD_RW | VTD_PS);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_NOT_PRESENT);
	assert_int_equal(soft_iommu_events(unit, &event, 1), 1);
	assert_true(event.cached);
	/* Emptiness above covers all that the entry would. */
	assert_int_equal(read_at(0x7fffffff), SOFT_IOMMU_NOT_PRESENT);
	invalidate(IOPT_OWES_LEAVES, 0x1000, 0x1fff);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	invalidate(IOPT_OWES_LEAVES, 0x50000000, 0x50000fff);
	assert_int_equal(read_at(0x7fffffff), SOFT_IOMMU_DONE);
}

/*
 * Caches against a model: random pages and blocks are read, cleared, restored and invalidated. A
 * device reaches a cleared leaf exactly if it read it since the last invalidation of it.
 */
#define MODEL_PAGES  512u
#define MODEL_BLOCKS 500u /* from the second 2 MiB on */

struct model {
	bool mapped[MODEL_PAGES + MODEL_BLOCKS];
	bool cached[MODEL_PAGES + MODEL_BLOCKS];
};

static uint64_t model_iova(unsigned leaf)
{
	return leaf < MODEL_PAGES ? (uint64_t)leaf << 12 : (uint64_t)(leaf - MODEL_PAGES + 1) << 21;
}

static uint64_t model_last(unsigned leaf)
{
	return model_iova(leaf) + (leaf < MODEL_PAGES ? 0xfff : 0x1fffff);
}

static void model_flip(struct model *model, unsigned leaf, uint64_t low, uint64_t middle)
{
	bool block = leaf >= MODEL_PAGES;
	uint64_t value = model_iova(leaf) | VTD_RW | (block ? VTD_PS : 0);

	model->mapped[leaf] = !model->mapped[leaf];
	put(block ? middle : low, block ? leaf - MODEL_PAGES + 1 : leaf,
	    model->mapped[leaf] ? value : 0);
}

static void model_invalidate(struct model *model, uint64_t first, uint64_t last)
{
	unsigned i;

	invalidate(IOPT_OWES_LEAVES, first, last);
	for (i = 0; i < MODEL_PAGES + MODEL_BLOCKS; i++)
		if (model_iova(i) <= last && model_last(i) >= first)
			model->cached[i] = false;
}

static void test_cache_model(void **unused)
{
	const unsigned leaves = MODEL_PAGES + MODEL_BLOCKS;
	uint64_t low = make_vtd(false, 0);
	uint64_t middle = get(root, 0) & ~VTD_RW;
	struct model model = { 0 };
	unsigned short seed[3] = { 1, 2, 3 };
	unsigned step;

	(void)unused;
	for (step = 0; step < 60000; step++) {
		unsigned leaf = (unsigned)nrand48(seed) % leaves;
		unsigned what = (unsigned)nrand48(seed) % 16;
		uint64_t first = model_iova(leaf);

		if (what == 0) {
			model_invalidate(&model, first,
					 first + ((uint64_t)nrand48(seed) >> (nrand48(seed) % 24)));
		} else if (what < 6) {
			model_flip(&model, leaf, low, middle);
		} else {
			bool reached = read_at(model_last(leaf)) == SOFT_IOMMU_DONE;

			assert_int_equal(reached, model.mapped[leaf] || model.cached[leaf]);
			model.cached[leaf] = reached;
		}
	}
	model_invalidate(&model, 0, UINT64_MAX);
	assert_int_equal(stats_of(device).iotlb_entries, 0);
}

/* Tens of thousands of translations, dropped by ranges that are larger and smaller than a cache. */
static void test_large_cache(void **unused)
{
	const unsigned blocks = 64;
	uint64_t middle;
	unsigned i;

	(void)unused;
	make_vtd(false, SOFT_IOMMU_PIECES);
	middle = get(root, 0) & ~VTD_RW;
	for (i = 1; i <= blocks; i++)
		put(middle, i, (uint64_t)i << 21 | VTD_RW | VTD_PS);
	for (i = 512; i < 512 * (blocks + 1); i++)
		assert_int_equal(read_at((uint64_t)i << 12), SOFT_IOMMU_DONE);
	assert_int_equal(stats_of(device).iotlb_entries, 512 * blocks);
	for (i = 1; i < blocks; i++) {
		put(middle, i, 0);
		invalidate(IOPT_OWES_LEAVES, (uint64_t)i << 21, ((uint64_t)(i + 1) << 21) - 1);
		assert_int_equal(stats_of(device).iotlb_entries, 512 * (blocks - i));
		assert_int_equal(read_at((uint64_t)i << 21), SOFT_IOMMU_NOT_PRESENT);
	}
	put(middle, blocks, 0);
	for (i = 512 * blocks; i < 512 * (blocks + 1); i++) {
		assert_int_equal(read_at((uint64_t)i << 12), SOFT_IOMMU_DONE);
		assert_int_equal(touched, (uint64_t)i << 12);
	}
	invalidate(IOPT_OWES_LEAVES, 0, UINT64_MAX);
	assert_int_equal(stats_of(device).iotlb_entries, 0);
	/* And all at once. */
	for (i = 1; i <= blocks; i++)
		put(middle, i, (uint64_t)i << 21 | VTD_RW | VTD_PS);
	for (i = 512; i < 512 * (blocks + 1); i++)
		assert_int_equal(read_at((uint64_t)i << 12), SOFT_IOMMU_DONE);
	invalidate(IOPT_OWES_ALL, 0, 0);
	assert_int_equal(stats_of(device).iotlb_entries, 0);
	assert_int_equal(read_at(0x200000), SOFT_IOMMU_DONE);
}

/* ---- accessed and dirty -------------------------------------------------------------------- */

static void test_dirty_vtd_ss(void **unused)
{
	uint64_t low = make_vtd(true, 0);
	uint64_t middle = get(root, 0) & ~VTD_RW;

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 1), 0x5000 | VTD_RW | VTD_A);
	assert_int_equal(get(root, 0), middle | VTD_RW | VTD_A);
	assert_int_equal(get(middle, 0), low | VTD_RW | VTD_A);
	/* The translation is cached clean: a write goes to the tables. */
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 1), 0x5000 | VTD_RW | VTD_A | VTD_D);
	assert_int_equal(stats_of(device).dirty_set, 1);
	assert_true(walked(0x1000).dirty);
	/* Now it is cached dirty: a bit that is cleared stays clear until the invalidation. */
	put(low, 1, 0x5000 | VTD_RW | VTD_A);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 1), 0x5000 | VTD_RW | VTD_A);
	assert_int_equal(stats_of(device).walks, 2);
	invalidate(IOPT_OWES_DIRTY, 0x1000, 0x1fff);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 1), 0x5000 | VTD_RW | VTD_A | VTD_D);
	assert_int_equal(stats_of(device).dirty_set, 2);
}

/* What is cached clean serves no write, not even if the leaf is gone; nor is a bit set then. */
static void test_write_through_clean(void **unused)
{
	uint64_t low = make_vtd(true, 0);

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	put(low, 1, 0);
	expect_fault(0x1000, SOFT_IOMMU_WRITE, SOFT_IOMMU_NOT_PRESENT, low + 8, 0);
	assert_int_equal(get(low, 1), 0);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	/* A dirty leaf is cached dirty by a read. */
	put(low, 2, 0x6000 | VTD_RW | VTD_D);
	assert_int_equal(read_at(0x2000), SOFT_IOMMU_DONE);
	put(low, 2, 0);
	assert_int_equal(write_at(0x2000), SOFT_IOMMU_DONE);
	/* A denied write sets nothing. */
	put(low, 3, 0x6000 | VTD_R);
	assert_int_equal(write_at(0x3000), SOFT_IOMMU_NO_WRITE);
	assert_int_equal(get(low, 3), 0x6000 | VTD_R);
}

/* Accessed bits of tables are set on the way down, and not through a cached pointer. */
static void test_accessed_through_cache(void **unused)
{
	uint64_t low = make_vtd(true, 0);
	uint64_t middle = get(root, 0) & ~VTD_RW;

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	put(low, 2, 0x6000 | VTD_RW);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	put(middle, 0, low | VTD_RW);
	put(root, 0, middle | VTD_RW);
	assert_int_equal(write_at(0x2000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 2), 0x6000 | VTD_RW | VTD_A | VTD_D);
	assert_int_equal(get(middle, 0), low | VTD_RW);
	invalidate(IOPT_OWES_TABLES, 0x2000, 0x2fff);
	assert_int_equal(write_at(0x2000), SOFT_IOMMU_DONE);
	assert_int_equal(get(middle, 0), low | VTD_RW | VTD_A);
	assert_int_equal(get(root, 0), middle | VTD_RW | VTD_A);
}

static void test_no_dirty_without_ssade(void **unused)
{
	uint64_t low = make_vtd(false, 0);

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 1), 0x5000 | VTD_RW);
	assert_int_equal(stats_of(device).walks, 1);
}

static void test_dirty_x86_64(void **unused)
{
	uint64_t tables[4];
	unsigned i;

	(void)unused;
	for (i = 0; i < 4; i++)
		tables[i] = new_table();
	for (i = 1; i < 4; i++)
		put(tables[i], 0, tables[i - 1] | X86_T);
	put(tables[1], 1, 0x40000000 | X86_T | X86_PS);
	make_domain("x86-64", x86_hw(tables[3], 4), 0);
	device = make_device(0, 1);
	assert_int_equal(read_at(0x200000), SOFT_IOMMU_DONE);
	assert_int_equal(get(tables[1], 1), 0x40000000 | X86_T | X86_PS | X86_A);
	assert_int_equal(write_at(0x200000), SOFT_IOMMU_DONE);
	assert_int_equal(get(tables[1], 1), 0x40000000 | X86_T | X86_PS | X86_A | X86_D);
	assert_int_equal(get(tables[3], 0), tables[2] | X86_T | X86_A);
	assert_int_equal(get(tables[2], 0), tables[1] | X86_T | X86_A);
	assert_int_equal(get(tables[1], 0), tables[0] | X86_T);
}

/* It reads memory alone, writes to neither, and faults where it would have to. */
static void test_no_snoop(void **unused)
{
	uint64_t tables[4];
	uint64_t *leaf, *top;
	unsigned i;

	(void)unused;
	for (i = 0; i < 4; i++)
		tables[i] = new_table();
	for (i = 1; i < 4; i++)
		put(tables[i], 0, tables[i - 1] | X86_T | X86_A);
	put(tables[1], 1, 0x40000000 | X86_T | X86_PS | X86_A | X86_D);
	make_domain("x86-64", x86_hw(tables[3], 4), SOFT_IOMMU_NO_SNOOP);
	device = make_device(0, 1);
	assert_int_equal(read_at(0x200000), SOFT_IOMMU_NOT_PRESENT);
	memcpy(written_back, memory, sizeof(memory));
	put(tables[1], 1, 0);
	assert_int_equal(write_at(0x200000), SOFT_IOMMU_DONE);
	invalidate(IOPT_OWES_ALL, 0, ~0ull);
	leaf = image(tables[1] + 8);
	*leaf &= ~X86_D;
	assert_int_equal(read_at(0x200000), SOFT_IOMMU_DONE);
	assert_int_equal(write_at(0x200000), SOFT_IOMMU_NOT_MARKED);
	assert_int_equal(*leaf, 0x40000000 | X86_T | X86_PS | X86_A);
	*leaf &= ~X86_A;
	invalidate(IOPT_OWES_ALL, 0, ~0ull);
	assert_int_equal(read_at(0x200000), SOFT_IOMMU_NOT_MARKED);
	*leaf |= X86_A;
	top = image(tables[3]);
	*top &= ~X86_A;
	invalidate(IOPT_OWES_ALL, 0, ~0ull);
	assert_int_equal(read_at(0x200000), SOFT_IOMMU_NOT_MARKED);
	assert_int_equal(*top, tables[2] | X86_T);
}

/* A device TLB writes without a dirty bit being set, once it may write. */
static void test_dirty_device_tlb(void **unused)
{
	uint64_t low = make_vtd(true, SOFT_IOMMU_ATS);

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	/* A read is granted no write while that would need a dirty bit. */
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(stats_of(device).tlb_hits, 0);
	assert_int_equal(get(low, 1), 0x5000 | VTD_RW | VTD_A | VTD_D);
	put(low, 1, 0x5000 | VTD_RW);
	invalidate(IOPT_OWES_DIRTY, 0x1000, 0x1fff);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 1), 0x5000 | VTD_RW);
	invalidate(IOPT_OWES_DIRTY | IOPT_OWES_DEVICE_TLB, 0x1000, 0x1fff);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
	assert_int_equal(get(low, 1), 0x5000 | VTD_RW | VTD_A | VTD_D);
	/* A read of a dirty leaf is granted write as well. */
	invalidate(IOPT_OWES_DIRTY | IOPT_OWES_DEVICE_TLB, 0x1000, 0x1fff);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	put(low, 1, 0);
	invalidate(IOPT_OWES_DIRTY, 0x1000, 0x1fff);
	assert_int_equal(write_at(0x1000), SOFT_IOMMU_DONE);
}

/* ---- runs ---------------------------------------------------------------------------------- */

/* A domain of one level with a run of 64 KiB in entries 16 to 31. */
static void make_run(unsigned had)
{
	unsigned i;

	root = new_table();
	for (i = 16; i < 32; i++)
		put(root, i, 0x12340007000 | AMD_T | AMD_NL(7));
	make_domain("amd-v1", amd_hw(root, 1, had), 0);
	device = make_device(0, 1);
}

static void test_run_dirty(void **unused)
{
	const uint64_t leaf = 0x12340007000 | AMD_T | AMD_NL(7);
	unsigned i;

	(void)unused;
	make_run(3);
	assert_int_equal(write_at(0x15042), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x12340005042);
	/* Only the entry that the walk used. The whole run is cached dirty now. */
	for (i = 16; i < 32; i++)
		assert_int_equal(get(root, i), leaf | (i == 0x15 ? AMD_A | AMD_D : 0));
	assert_int_equal(write_at(0x1f000), SOFT_IOMMU_DONE);
	assert_int_equal(get(root, 0x1f), leaf);
	assert_int_equal(stats_of(device).dirty_set, 1);
	/* Replicas that differ in accessed and dirty bits agree. */
	invalidate(IOPT_OWES_DIRTY, 0x10000, 0x1ffff);
	assert_int_equal(write_at(0x1f000), SOFT_IOMMU_DONE);
	assert_int_equal(get(root, 0x1f), leaf | AMD_A | AMD_D);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

static void test_run_accessed_only(void **unused)
{
	(void)unused;
	make_run(1);
	assert_int_equal(write_at(0x10000), SOFT_IOMMU_DONE);
	assert_int_equal(get(root, 16), 0x12340007000 | AMD_T | AMD_NL(7) | AMD_A);
}

static void test_run_half_written(void **unused)
{
	unsigned i;

	(void)unused;
	make_run(0);
	for (i = 20; i < 32; i++)
		put(root, i, 0);
	/* Not there yet, but what there is says how large it will be: all of it is cached. */
	assert_int_equal(read_at(0x12000), SOFT_IOMMU_DONE);
	assert_int_equal(read_at(0x1f000), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x1234000f000);
	/* One page named drops all of it. */
	invalidate(IOPT_OWES_LEAVES, 0x11000, 0x11fff);
	expect_fault(0x1f000, SOFT_IOMMU_READ, SOFT_IOMMU_NOT_PRESENT, root + 8 * 31, 0);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

static void test_run_replicas_differ(void **unused)
{
	const uint64_t leaf = 0x12340007000 | AMD_T | AMD_NL(7);

	(void)unused;
	make_run(0);
	put(root, 20, leaf + 0x10000);
	expect_fault(0x1f000, SOFT_IOMMU_READ, SOFT_IOMMU_REPLICAS_DIFFER, root + 8 * 20,
		     leaf + 0x10000);
	expect_fault(0x10000, SOFT_IOMMU_READ, SOFT_IOMMU_REPLICAS_DIFFER, root + 8 * 20,
		     leaf + 0x10000);
	put(root, 20, 0x12340003000 | AMD_T);
	expect_fault(0x10000, SOFT_IOMMU_READ, SOFT_IOMMU_REPLICAS_DIFFER, root + 8 * 20,
		     0x12340003000 | AMD_T);
	/* Bits that hardware ignores, and an entry beside the run, are nobody's business. */
	put(root, 20, leaf | 0x1e | 0x180 | 1ull << 63);
	put(root, 15, leaf);
	put(root, 32, 0x1000 | AMD_T);
	assert_int_equal(read_at(0x10000), SOFT_IOMMU_DONE);
}

/*
 * Permissions and sizes under change: entries that lead where the run does, and those that don't.
 */
static void test_run_changing(void **unused)
{
	const uint64_t leaf = 0x12340007000 | AMD_T | AMD_NL(7);

	(void)unused;
	make_run(0);
	put(root, 20, leaf & ~AMD_IW);
	assert_int_equal(read_at(0x10000), SOFT_IOMMU_DONE);
	put(root, 20, 0x12340004000 | AMD_T); /* its own page, and a run of two around it */
	put(root, 22, 0x12340006000 | AMD_T | AMD_NL(7));
	put(root, 23, 0x12340006000 | AMD_T | AMD_NL(7));
	invalidate(IOPT_OWES_LEAVES, 0x10000, 0x1ffff);
	assert_int_equal(read_at(0x1f000), SOFT_IOMMU_DONE);
	assert_int_equal(read_at(0x16000), SOFT_IOMMU_DONE);
	put(root, 20, 0x12340005000 | AMD_T);
	invalidate(IOPT_OWES_LEAVES, 0x10000, 0x1ffff);
	expect_fault(0x1f000, SOFT_IOMMU_READ, SOFT_IOMMU_REPLICAS_DIFFER, root + 8 * 20,
		     0x12340005000 | AMD_T);
	put(root, 20, leaf + 0x20000);
	expect_fault(0x1f000, SOFT_IOMMU_READ, SOFT_IOMMU_REPLICAS_DIFFER, root + 8 * 20,
		     leaf + 0x20000);
}

/* ---- freed tables -------------------------------------------------------------------------- */

static void test_freed_table(void **unused)
{
	uint64_t low = make_vtd(false, 0);
	unsigned number = number_of(low);

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	put(low, 2, 0x5000 | VTD_RW);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	/* Through a cached pointer into a table that waits, is free, or is another one by now. */
	states[number] = IOPT_POSIX_WAITING;
	expect_fault(0x2000, SOFT_IOMMU_READ, SOFT_IOMMU_FREED_TABLE, low + 16, 0x5000 | VTD_RW);
	states[number] = IOPT_POSIX_FREE;
	expect_fault(0x2000, SOFT_IOMMU_READ, SOFT_IOMMU_FREED_TABLE, low + 16, 0x5000 | VTD_RW);
	states[number] = IOPT_POSIX_LIVE;
	generations[number]++;
	expect_fault(0x2000, SOFT_IOMMU_READ, SOFT_IOMMU_FREED_TABLE, low + 16, 0x5000 | VTD_RW);
	/* Through the tables it is a new one, and all is well. */
	invalidate(IOPT_OWES_TABLES, 0, 0x1fffff);
	assert_int_equal(read_at(0x2000), SOFT_IOMMU_DONE);
	/* The IOTLB alone reads no table. */
	states[number] = IOPT_POSIX_FREE;
	assert_int_equal(read_at(0x2000), SOFT_IOMMU_DONE);
	assert_int_equal(soft_iommu_walk(domain, 0x2000, NULL), SOFT_IOMMU_FREED_TABLE);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 4);
}

static void test_poison(void **unused)
{
	uint64_t low = make_vtd(false, 0);
	uint64_t middle = get(root, 0) & ~VTD_RW;

	(void)unused;
	put(low, 1, POISON);
	expect_fault(0x1000, SOFT_IOMMU_READ, SOFT_IOMMU_FREED_TABLE, low + 8, POISON);
	/* An address where there is no table, and one where there never was one. */
	put(middle, 1, 0x123456000 | VTD_RW);
	expect_fault(0x200000, SOFT_IOMMU_READ, SOFT_IOMMU_NO_MEMORY, middle + 8, get(middle, 1));
	put(middle, 2, (BASE + (TABLES - 1) * 4096) | VTD_RW);
	expect_fault(0x400000, SOFT_IOMMU_READ, SOFT_IOMMU_NO_MEMORY, BASE + (TABLES - 1) * 4096,
		     0);
}

/* ---- growth -------------------------------------------------------------------------------- */

static void test_growth(void **unused)
{
	uint64_t low = new_table();
	uint64_t top = new_table();
	struct iopt_hw hw = amd_hw(low, 1, 0);

	(void)unused;
	put(low, 1, 0x5000 | AMD_T);
	put(low, 2, 0x6000 | AMD_T);
	make_domain("amd-v1", hw, 0);
	device = make_device(0, 1);
	assert_int_equal(read_at(0x1000), SOFT_IOMMU_DONE);
	expect_fault(0x201000, SOFT_IOMMU_READ, SOFT_IOMMU_BEYOND_WIDTH, 0, 0);
	/* The old top is the new one's first child. What is cached stays right. */
	put(top, 0, low | AMD_T | AMD_NL(1));
	put(top, 1, 0x40000000 | AMD_T);
	hw = amd_hw(top, 2, 0);
	assert_int_equal(soft_iommu_set_root(domain, &hw), 0);
	assert_int_equal(read_at(0x2000), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x6000);
	assert_int_equal(read_at(0x201000), SOFT_IOMMU_DONE);
	assert_int_equal(touched, 0x40001000);
	hw.amd_v1.mode = 7;
	assert_int_equal(soft_iommu_set_root(domain, &hw), -EINVAL);
	assert_int_equal(read_at(0x203000), SOFT_IOMMU_DONE);
}

/* ---- events and errors --------------------------------------------------------------------- */

static void test_events(void **unused)
{
	const struct soft_iommu_config config = {
		.va = va,
		.state = state,
		.events = 4,
		.count_only = SOFT_IOMMU_BIT(SOFT_IOMMU_BEYOND_WIDTH),
	};
	struct soft_iommu_event events[8];
	char text[SOFT_IOMMU_TEXT_BYTES];
	uint64_t low;
	unsigned i;

	(void)unused;
	soft_iommu_destroy(unit);
	assert_int_equal(soft_iommu_create(&config, &unit), 0);
	low = make_vtd(false, 0);
	put(low, 9, 0x1000 | VTD_RW | 1ull << 62);
	for (i = 0; i < 5; i++)
		read_at(0x1000 * i);
	read_at(1ull << 39);
	write_at(0x9000);
	assert_int_equal(soft_iommu_walk(domain, 0x9000, NULL), SOFT_IOMMU_RESERVED_BITS);
	/* Not-present ones have half of the places, the width has none. */
	assert_int_equal(soft_iommu_events(unit, events, 8), 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(events[i].number, i);
		assert_int_equal(events[i].iova, i < 2 ? 0x1000 * i : 0x9000);
	}
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BIT(SOFT_IOMMU_NOT_PRESENT)), 5);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BIT(SOFT_IOMMU_BEYOND_WIDTH)), 1);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 2);
	assert_string_equal(soft_iommu_event_text(&events[2], text),
			    "domain 7: device 1 write of 0x9000: reserved bits set, level 0 entry "
			    "0x7655048 = 0x4000000000001003");
	assert_string_equal(soft_iommu_event_text(&events[3], text),
			    "domain 7: walk of 0x9000: reserved bits set, level 0 entry "
			    "0x7655048 = 0x4000000000001003");
	assert_int_equal(soft_iommu_events(unit, events, 8), 0);
	read_at(0x1000);
	assert_int_equal(soft_iommu_events(unit, events, 1), 1);
	assert_int_equal(events[0].number, 4);
	/* The longest text fits. */
	memset(&events[0], 0xff, sizeof(events[0]));
	events[0].device = 0;
	events[0].reason = SOFT_IOMMU_NO_USER;
	events[0].cached = true;
	assert_true(strlen(soft_iommu_event_text(&events[0], text)) < sizeof(text) - 1);
	for (i = 0; i < SOFT_IOMMU_NR_REASONS; i++)
		assert_true(strlen(soft_iommu_reason_name(i)) > 3);
}

static void test_errors(void **unused)
{
	const struct soft_iommu_config no_memory = { 0 };
	const struct soft_iommu_config narrow = { .va = va, .pa_lg2 = 31 };
	const struct soft_iommu_config wide = { .va = va, .pa_lg2 = 53 };
	struct soft_iommu_domain_config config = { .format = "vtd_ss" };
	const struct soft_iommu_device_config bad = { .flags = 0x80 };
	struct soft_iommu *other;
	struct soft_iommu_device *none;

	(void)unused;
	assert_int_equal(soft_iommu_create(&no_memory, &other), -EINVAL);
	assert_int_equal(soft_iommu_create(&narrow, &other), -EINVAL);
	assert_int_equal(soft_iommu_create(&wide, &other), -EINVAL);
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -ENOENT);
	config.format = "vtd-ss";
	config.hw = vtd_hw(0x1000, 2, false);
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	config.hw = vtd_hw(0x1000, 6, false);
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	config.hw = vtd_hw(0x1001, 3, false);
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	config.hw = vtd_hw(0x1000, 3, false);
	config.flags = SOFT_IOMMU_SIGN_EXTEND;
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	config.format = "x86-64";
	config.hw = x86_hw(0x1000, 6);
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	config.hw = x86_hw(0x1000, 5);
	config.hw.x86_64.guest_paging_mode = 0;
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	config.format = "amd-v1";
	config.flags = 0;
	config.hw = amd_hw(0x1000, 0, 0);
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	config.hw = amd_hw(0x1000, 3, 2);
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), -EINVAL);
	config.hw = amd_hw(0x1000, 3, 3);
	assert_int_equal(soft_iommu_domain_create(unit, &config, &domain), 0);
	assert_int_equal(soft_iommu_device_create(domain, &bad, &none), -EINVAL);
}

/* ---- threads ------------------------------------------------------------------------------- */

static void nap(long microseconds)
{
	const struct timespec time = { .tv_nsec = microseconds * 1000 };

	nanosleep(&time, NULL);
}

/* An access that stays in flight until it is let go, while something else may happen. */
struct flight {
	struct soft_iommu_device *device;
	void (*meanwhile)(void);
	int started;
	int released;
	int landed;
};

static void linger(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	struct flight *flight = ctx;

	(void)iova;
	(void)pa;
	(void)write;
	__atomic_store_n(&flight->started, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&flight->released, __ATOMIC_ACQUIRE))
		nap(100);
	__atomic_store_n(&flight->landed, 1, __ATOMIC_RELEASE);
}

static void *fly(void *ctx)
{
	struct flight *flight = ctx;

	soft_iommu_access(flight->device, 0x1000, SOFT_IOMMU_WRITE, flight);
	return NULL;
}

static void *release_later(void *ctx)
{
	struct flight *flight = ctx;
	unsigned i;

	for (i = 0; i < 100; i++) {
		nap(100);
		if (flight->meanwhile)
			flight->meanwhile();
	}
	__atomic_store_n(&flight->released, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Invalidate beside an access in flight. It has landed when that returns. */
static void wait_for_flight(uint32_t owes, void (*meanwhile)(void))
{
	struct flight flight = { .meanwhile = meanwhile };
	const struct soft_iommu_device_config config = { .touch = linger };
	pthread_t flying;
	pthread_t releasing;

	assert_int_equal(soft_iommu_device_create(domain, &config, &flight.device), 0);
	assert_int_equal(pthread_create(&flying, NULL, fly, &flight), 0);
	while (!__atomic_load_n(&flight.started, __ATOMIC_ACQUIRE))
		nap(100);
	assert_int_equal(pthread_create(&releasing, NULL, release_later, &flight), 0);
	invalidate(owes, 0x1000, 0x1fff);
	assert_int_equal(__atomic_load_n(&flight.landed, __ATOMIC_ACQUIRE), 1);
	pthread_join(flying, NULL);
	pthread_join(releasing, NULL);
	soft_iommu_device_destroy(flight.device);
}

static void test_wait_for_flights(void **unused)
{
	uint64_t low = make_vtd(false, 0);

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	wait_for_flight(IOPT_OWES_LEAVES, NULL);
	wait_for_flight(0, NULL);
	wait_for_flight(IOPT_OWES_ALL, NULL);
}

static void access_device(void)
{
	soft_iommu_access(device, 0x2000, SOFT_IOMMU_WRITE, NULL);
}

/*
 * Device TLBs are flushed when no IOTLB has anything left to fill them from: not while an
 * invalidation still waits for another device.
 */
static void test_device_tlb_comes_last(void **unused)
{
	uint64_t low = make_vtd(false, SOFT_IOMMU_ATS);

	(void)unused;
	put(low, 1, 0x5000 | VTD_RW);
	put(low, 2, 0x6000 | VTD_RW);
	access_device();
	put(low, 2, 0);
	wait_for_flight(IOPT_OWES_ALL | IOPT_OWES_DEVICE_TLB, access_device);
	assert_int_equal(write_at(0x2000), SOFT_IOMMU_NOT_PRESENT);
}

/*
 * Devices of all kinds write while pages come and go: after an invalidation that says all it must,
 * no access lands in a page that was taken away, and whatever was written left its leaf dirty.
 */
#define FLOCK  3u
#define PAGES  64u
#define ROUNDS 1500u

struct page {
	uint64_t gone;	  /* taken away and invalidated */
	uint64_t written; /* since it was last put in */
};

static struct page pages[PAGES];
static uint64_t landed_in_gone;

static void write_page(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	struct page *page = &pages[pa >> 12];

	(void)ctx;
	(void)iova;
	if (__atomic_load_n(&page->gone, __ATOMIC_RELAXED))
		__atomic_fetch_add(&landed_in_gone, 1, __ATOMIC_RELAXED);
	if (write)
		__atomic_store_n(&page->written, 1, __ATOMIC_RELAXED);
}

struct worker {
	pthread_t thread;
	struct soft_iommu_device *device;
	int *stop;
};

static void *write_all(void *ctx)
{
	struct worker *worker = ctx;
	unsigned short seed[3] = { (unsigned short)(uintptr_t)worker, 5, 6 };

	while (!__atomic_load_n(worker->stop, __ATOMIC_RELAXED)) {
		soft_iommu_access(worker->device, (uint64_t)nrand48(seed) % PAGES << 12,
				  nrand48(seed) & 1, NULL);
		/* Better here than in flight, where an invalidation would wait for it. */
		if (!(nrand48(seed) % 32))
			sched_yield();
	}
	return NULL;
}

/* Take a page away as an unmap with exact dirty tracking does. True if it was right. */
static bool come_and_go(uint64_t low, unsigned number)
{
	struct page *page = &pages[number];
	uint64_t was;

	was = __atomic_exchange_n(entry_at(low, number), 0, __ATOMIC_ACQ_REL);
	invalidate(IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB, (uint64_t)number << 12,
		   ((uint64_t)number << 12) + 0xfff);
	__atomic_store_n(&page->gone, 1, __ATOMIC_RELAXED);
	/* Nothing that began before is still under way: the answer is final. */
	if (!!(was & VTD_D) != __atomic_exchange_n(&page->written, 0, __ATOMIC_RELAXED))
		return false;
	nap(20);
	__atomic_store_n(&page->gone, 0, __ATOMIC_RELAXED);
	put(low, number, ((uint64_t)number << 12) | VTD_RW);
	return true;
}

static void test_devices_and_invalidations(void **unused)
{
	static const uint32_t kinds[FLOCK] = { 0, SOFT_IOMMU_RANDOM, SOFT_IOMMU_ATS };
	struct worker workers[FLOCK];
	uint64_t low = make_vtd(true, 0);
	int stop = 0;
	unsigned wrong = 0;
	unsigned i;

	(void)unused;
	landed_in_gone = 0;
	for (i = 0; i < PAGES; i++) {
		pages[i] = (struct page){ 0 };
		put(low, i, ((uint64_t)i << 12) | VTD_RW);
	}
	for (i = 0; i < FLOCK; i++) {
		const struct soft_iommu_device_config config = {
			.touch = write_page,
			.flags = kinds[i],
			.seed = i,
		};

		workers[i].stop = &stop;
		assert_int_equal(soft_iommu_device_create(domain, &config, &workers[i].device), 0);
	}
	for (i = 0; i < FLOCK; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, write_all, &workers[i]),
				 0);
	for (i = 0; i < ROUNDS; i++)
		wrong += !come_and_go(low, i * 7 % PAGES);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < FLOCK; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_true(stats_of(workers[i].device).accesses > 0);
		soft_iommu_device_destroy(workers[i].device);
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(landed_in_gone, 0);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
}

/* Several threads invalidate ranges of their own, and each finds its own range dropped. */
struct invalidator {
	pthread_t thread;
	uint64_t low;
	unsigned first;
	unsigned wrong;
	struct soft_iommu_device *device;
};

static void *map_and_unmap(void *ctx)
{
	struct invalidator *own = ctx;
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		unsigned number = own->first + i % 16;
		uint64_t iova = (uint64_t)number << 12;

		put(own->low, number, 0x5000 | VTD_RW);
		own->wrong += soft_iommu_access(own->device, iova, 0, NULL) != SOFT_IOMMU_DONE;
		put(own->low, number, 0);
		own->wrong += soft_iommu_access(own->device, iova, 0, NULL) != SOFT_IOMMU_DONE;
		invalidate(IOPT_OWES_LEAVES, iova, iova + 0xfff);
		own->wrong += soft_iommu_access(own->device, iova, 0, NULL) !=
			      SOFT_IOMMU_NOT_PRESENT;
	}
	return NULL;
}

static void test_invalidations_of_threads(void **unused)
{
	struct invalidator invalidators[3] = { 0 };
	uint64_t low = make_vtd(false, 0);
	unsigned i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		invalidators[i].low = low;
		invalidators[i].first = 16 * i;
		invalidators[i].device = make_device(0, i);
	}
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&invalidators[i].thread, NULL, map_and_unmap,
						&invalidators[i]),
				 0);
	for (i = 0; i < 3; i++)
		pthread_join(invalidators[i].thread, NULL);
	for (i = 0; i < 3; i++) {
		soft_iommu_device_destroy(invalidators[i].device);
		assert_int_equal(invalidators[i].wrong, 0);
	}
	assert_int_equal(soft_iommu_invalidations(domain), 3 * ROUNDS);
}

/* A random device forgets, but never what it must not: it writes only to leaves that are dirty. */
static void test_random_device(void **unused)
{
	uint64_t low = make_vtd(true, SOFT_IOMMU_RANDOM);
	uint64_t middle = get(root, 0) & ~VTD_RW;
	unsigned short seed[3] = { 7, 8, 9 };
	struct soft_iommu_stats stats;
	unsigned i;

	(void)unused;
	for (i = 0; i < 256; i++)
		put(low, i, ((uint64_t)i << 12) | VTD_RW);
	put(middle, 1, 0x200000 | VTD_RW | VTD_PS);
	for (i = 0; i < 50000; i++) {
		uint64_t iova = (uint64_t)nrand48(seed) % 512 << 12;

		if (iova >= 0x100000)
			iova += 0x100000;
		assert_int_equal(write_at(iova), SOFT_IOMMU_DONE);
		assert_int_equal(touched, iova);
		assert_true((iova < 0x200000 ? get(low, iova >> 12) : get(middle, 1)) & VTD_D);
	}
	stats = stats_of(device);
	assert_true(stats.walks > 1000);
	assert_true(stats.iotlb_hits > 25000);
	assert_true(stats.dirty_set == 257);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_read_vtd_ss),
		TEST(test_read_x86_64),
		TEST(test_read_amd_v1),
		TEST(test_read_riscv_s1),
		TEST(test_read_apple_dart),
		TEST(test_read_apple_dart_4k),
		TEST(test_read_apple_dart2),
		TEST(test_permissions_arm),
		TEST(test_tables_arm),
		TEST(test_read_arm),
		TEST(test_tops_arm),
		TEST(test_roots_arm),
		TEST(test_permissions_of_all_levels),
		TEST(test_faults_arm),
		TEST(test_runs_arm),
		TEST(test_marks_arm),
		TEST(test_faults_vtd_ss),
		TEST(test_faults_x86_64),
		TEST(test_faults_amd_v1),
		TEST(test_faults_riscv_s1),
		TEST(test_faults_apple_dart),
		TEST(test_marks_riscv_s1),
		TEST(test_types_riscv_s1),
		TEST(test_riscv_g),
		TEST(test_amd_root),
		TEST(test_narrow_hardware),
		TEST(test_stale_translation),
		TEST(test_stale_permissions),
		TEST(test_stale_table_pointer),
		TEST(test_stale_upper_pointer),
		TEST(test_invalidate_all),
		TEST(test_device_tlb),
		TEST(test_blocks_and_pieces),
		TEST(test_cached_emptiness),
		TEST(test_cache_model),
		TEST(test_large_cache),
		TEST(test_dirty_vtd_ss),
		TEST(test_write_through_clean),
		TEST(test_accessed_through_cache),
		TEST(test_no_dirty_without_ssade),
		TEST(test_dirty_x86_64),
		TEST(test_no_snoop),
		TEST(test_dirty_device_tlb),
		TEST(test_run_dirty),
		TEST(test_run_accessed_only),
		TEST(test_run_half_written),
		TEST(test_run_changing),
		TEST(test_run_replicas_differ),
		TEST(test_freed_table),
		TEST(test_poison),
		TEST(test_growth),
		TEST(test_events),
		TEST(test_errors),
		TEST(test_wait_for_flights),
		TEST(test_device_tlb_comes_last),
		TEST(test_devices_and_invalidations),
		TEST(test_invalidations_of_threads),
		TEST(test_random_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
