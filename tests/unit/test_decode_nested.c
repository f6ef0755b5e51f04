/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * libiopt-decode where two stages translate: what leads to a first stage, and the first stage
 * itself, lie where the second one leads. RISC-V's process directories and SMMUv3's wide addresses
 * with them. Memory is the test's own.
 */
#include "tests/unit/decode.h"

#define GUEST 0x40000000ull /* where a guest believes its memory to be */
#define MIB   (1ull << 20)

/* Entries of x86-64, as in formats/x86_64.h. */
#define X86_BITS 7ull /* present, writable, user */
#define A_BIT	 (1ull << 5)
#define SS_A_BIT (1ull << 8)
#define SS_D_BIT (1ull << 9) /* of VT-d's second stage */

/* Three levels of VT-d's second stage in pages 40 to 42: page i of the guest's 512 is @pages[i]. */
static uint64_t *guest_pages(void)
{
	memory[40][GUEST >> 30] = 41 * PAGE | RW_BITS;
	memory[41][0] = 42 * PAGE | RW_BITS;
	return memory[42];
}

static struct iopt_decode_device nested(uint64_t root)
{
	struct iopt_decode_device device = second_stage(40 * PAGE, 1);

	device.path = IOPT_DECODE_NESTED;
	device.first_format = "x86-64";
	device.first_hw.x86_64.fsptptr = root;
	return device;
}

/* Tables of the guest's pages 1 to 3 and 5, which are physical pages 21, 7, 33 and 12. */
static struct iopt_decode_device nested_tables(void)
{
	uint64_t *pages = guest_pages();

	pages[1] = 21 * PAGE | RW_BITS;
	pages[2] = 7 * PAGE | RW_BITS;
	pages[3] = 33 * PAGE | RW_BITS;
	pages[5] = 12 * PAGE | RW_BITS;
	memory[21][0] = (GUEST + 2 * PAGE) | X86_BITS;
	memory[7][0] = (GUEST + 3 * PAGE) | X86_BITS;
	memory[33][0] = (GUEST + 5 * PAGE) | X86_BITS;
	return nested(GUEST + PAGE);
}

/* ---- leaves -------------------------------------------------------------------------------- */

static void both_stages(void **state)
{
	const struct iopt_decode_device device = nested_tables();

	(void)state;
	memory[42][9] = 0x123000 | 1; /* for reading */
	memory[42][10] = 0x456000 | RW_BITS;
	memory[12][3] = (GUEST + 9 * PAGE) | X86_BITS;
	memory[12][4] = (GUEST + 10 * PAGE) | X86_BITS | A_BIT;
	memory[12][5] = (GUEST + 11 * PAGE) | X86_BITS; /* leads nowhere */
	leaves_of(&device);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.nr_leaves, 2);
	assert_int_equal(told.leaves[0].first, 3 * PAGE);
	assert_int_equal(told.leaves[0].last, 4 * PAGE - 1);
	assert_int_equal(told.leaves[0].pa, 0x123000);
	assert_int_equal(told.leaves[0].prot & (IOPT_READ | IOPT_WRITE), IOPT_READ);
	assert_true(told.leaves[0].prot & IOPT_EXEC); /* VT-d's second stage says nothing of it */
	assert_int_equal(told.leaves[0].entry_pa, 12 * PAGE + 3 * 8);
	assert_int_equal(told.leaves[1].pa, 0x456000);
	assert_int_equal(told.leaves[1].prot & (IOPT_READ | IOPT_WRITE), IOPT_READ | IOPT_WRITE);
	assert_true(told.leaves[1].accessed);
	/* The first stage's, where they are in memory. */
	assert_int_equal(told.nr_tables, 4);
	assert_int_equal(told.tables[0].pa, 21 * PAGE);
	assert_int_equal(told.tables[3].pa, 12 * PAGE);
	assert_int_equal(told.tables[3].entry_pa, 33 * PAGE);
}

/* 2 MiB of the first stage over 4 KiB of the second one: a piece for each that leads somewhere. */
static void in_pieces(void **state)
{
	const struct iopt_decode_device device = nested_tables();

	(void)state;
	memory[33][1] = GUEST | X86_BITS | LARGE;
	memory[42][511] = 0x789000 | RW_BITS | SS_D_BIT;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 5);
	assert_int_equal(told.leaves[0].first, 2 * MIB + PAGE);
	assert_int_equal(told.leaves[0].pa, 21 * PAGE);
	assert_int_equal(told.leaves[0].lg2, 12);
	assert_int_equal(told.leaves[0].level, 1);
	assert_int_equal(told.leaves[4].first, 4 * MIB - PAGE);
	assert_int_equal(told.leaves[4].last, 4 * MIB - 1);
	assert_int_equal(told.leaves[4].pa, 0x789000);
	assert_true(told.leaves[4].dirty);
	assert_false(told.leaves[0].dirty);
	/* A part of it. */
	told.nr_leaves = 0;
	assert_int_equal(iopt_decode_tables(&source, &device, 2 * MIB + 3 * PAGE,
					    2 * MIB + 5 * PAGE, &visitor),
			 0);
	assert_int_equal(told.nr_leaves, 2);
}

/* What a second stage has no bits for it leads nowhere, whatever the bits that it has would say. */
static void beyond_the_second_stage(void **state)
{
	const struct iopt_decode_device device = nested_tables();

	(void)state;
	memory[42][9] = 0x123000 | RW_BITS;
	memory[12][3] = (1ull << 39 | (GUEST + 9 * PAGE)) | X86_BITS;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 0);
	assert_int_equal(told.nr_troubles, 0);
}

/* What leads to a second stage takes permissions away, and what that says of marks counts. */
static void of_the_second_stage(void **state)
{
	struct iopt_decode_device device = nested_tables();

	(void)state;
	memory[42][9] = 0x123000 | RW_BITS | SS_A_BIT;
	memory[12][3] = (GUEST + 9 * PAGE) | X86_BITS;
	leaves_of(&device);
	assert_true(told.leaves[0].accessed);
	assert_true(told.leaves[0].prot & IOPT_WRITE);
	memory[42][9] &= ~SS_A_BIT;
	device.prot = IOPT_READ;
	leaves_of(&device);
	assert_false(told.leaves[1].accessed);
	assert_false(told.leaves[1].prot & IOPT_WRITE);
}

/* 4 KiB of the first stage within 2 MiB of the second one. */
static void within_a_block(void **state)
{
	const struct iopt_decode_device device = nested_tables();

	(void)state;
	memory[41][1] = 0x600000 | LARGE | RW_BITS;
	memory[12][0] = (GUEST + 2 * MIB + 5 * PAGE) | X86_BITS;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 1);
	assert_int_equal(told.leaves[0].pa, 0x605000);
	assert_int_equal(told.leaves[0].lg2, 12);
}

/* A second stage of AMD's in page 40, a first one in page 1. */
static struct iopt_decode_device amd_nested(uint8_t mode)
{
	return (struct iopt_decode_device){
		.format = "amd-v1",
		.prot = IOPT_READ | IOPT_WRITE,
		.hw.amd_v1 = { .root_ptr = 40 * PAGE, .mode = mode },
		.first_format = "x86-64",
		.first_hw.x86_64.fsptptr = 1 * PAGE,
	};
}

/* Four entries of a run of AMD's, then with one that says otherwise. */
static void runs_of_a_second_stage(void **state)
{
	const uint64_t leaf = 1 | 7ull << 9 | 0x100000 | 1 << 12 | 3ull << 61;
	const struct iopt_decode_device device = amd_nested(1);

	(void)state;
	for (unsigned page = 1; page < 5; page++)
		memory[40][page] = 1 | page * PAGE | 3ull << 61;
	for (unsigned page = 8; page < 12; page++)
		memory[40][page] = leaf;
	for (unsigned page = 1; page < 4; page++)
		memory[page][0] = (page + 1) * PAGE | X86_BITS;
	memory[4][0] = 10 * PAGE | X86_BITS;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 1);
	assert_int_equal(told.leaves[0].pa, 0x102000);
	assert_true(told.leaves[0].prot & IOPT_WRITE);
	assert_int_equal(told.nr_troubles, 0);
	memory[40][9] = leaf & ~(1ull << 62);
	leaves_of(&device);
	assert_int_equal(told.leaves[1].pa, 0x102000);
	check_trouble(IOPT_DECODE_RUN_DIFFERS, 10 * PAGE, 0, 40 * PAGE + 10 * 8);
}

/* Beyond the first 2 MiB of an entry that skips a level nothing is translated. */
static void skipped_levels_of_a_second_stage(void **state)
{
	const struct iopt_decode_device device = amd_nested(3);

	(void)state;
	memory[40][0] = 1 | 1 << 9 | 41 * PAGE | 3ull << 61;
	for (unsigned page = 1; page < 5; page++)
		memory[41][page] = 1 | page * PAGE | 3ull << 61;
	memory[41][10] = 1 | 30 * PAGE | 3ull << 61;
	for (unsigned page = 1; page < 4; page++)
		memory[page][0] = (page + 1) * PAGE | X86_BITS;
	memory[4][0] = 10 * PAGE | X86_BITS;
	memory[4][1] = (2 * MIB + 10 * PAGE) | X86_BITS;
	memory[3][1] = (2 * MIB + 4 * PAGE) | X86_BITS;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 1);
	assert_int_equal(told.leaves[0].first, 0);
	assert_int_equal(told.leaves[0].pa, 30 * PAGE);
	check_trouble(IOPT_DECODE_UNTRANSLATED, 2 * MIB, 0, 2 * MIB + 4 * PAGE);
}

/* 2 MiB of the first stage over it: the piece that is mapped, and what is behind it to the end. */
static void block_over_skipped_levels(void **state)
{
	const struct iopt_decode_device device = amd_nested(3);

	(void)state;
	memory[40][0] = 1 | 1 << 9 | 41 * PAGE | 3ull << 61;
	memory[40][1] = 1 | 2 << 9 | 42 * PAGE | 3ull << 61;
	memory[42][0] = 1 | 0x200000 | 3ull << 61;
	for (unsigned page = 1; page < 5; page++)
		memory[41][page] = 1 | page * PAGE | 3ull << 61;
	memory[41][511] = 1 | 31 * PAGE | 3ull << 61;
	memory[1][0] = 2 * PAGE | X86_BITS;
	/* 1 GiB each. */
	memory[2][0] = LARGE | X86_BITS;
	memory[2][1] = 1ull << 30 | LARGE | X86_BITS;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 6);
	assert_int_equal(told.leaves[4].first, 511 * PAGE);
	assert_int_equal(told.leaves[4].pa, 31 * PAGE);
	assert_int_equal(told.leaves[5].first, 1ull << 30);
	assert_int_equal(told.leaves[5].pa, 0x200000);
	assert_int_equal(told.leaves[5].lg2, 21);
	assert_int_equal(told.nr_troubles, 0);
}

/* ---- what is wrong ------------------------------------------------------------------------- */

static void table_untranslated(void **state)
{
	const struct iopt_decode_device device = nested_tables();

	(void)state;
	memory[42][5] = 0;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 0);
	assert_int_equal(told.nr_tables, 3); /* nor is it told as a table */
	check_trouble(IOPT_DECODE_UNTRANSLATED, 0, 0, GUEST + 5 * PAGE);
	/* Nor is it read where that may not be read. */
	clear(NULL);
	nested_tables();
	memory[42][5] = 12 * PAGE | 2;
	leaves_of(&device);
	check_trouble(IOPT_DECODE_UNTRANSLATED, 0, 0, GUEST + 5 * PAGE);
}

static void second_stage_wrong(void **state)
{
	struct iopt_decode_device device = nested_tables();

	(void)state;
	/* Reserved in a block: told once, however many leaves lead there. */
	memory[41][1] = 0x601000 | LARGE | RW_BITS;
	memory[12][0] = memory[12][1] = (GUEST + 2 * MIB) | X86_BITS;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 0);
	check_trouble(IOPT_DECODE_MISALIGNED, GUEST + 2 * MIB, 1, 41 * PAGE + 8);
	told.nr_troubles = 0;
	device.hw.vtd_ss.aw = 7;
	leaves_of(&device);
	check_trouble(IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, 0);
	device.format = "none";
	assert_int_equal(iopt_decode_tables(&source, &device, 0, UINT64_MAX, &visitor), -EINVAL);
}

#define LIMIT 50u

/* No more than the tables that may be read have entries for, in each stage. */
static int count_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	(void)ctx;
	(void)leaf;
	assert_true(told.nr_leaves++ < 2 * LIMIT * 512);
	return 0;
}

/* Nor is it more where the same pages are looked up again and again. */
static void too_much_of_the_same(void **state)
{
	struct iopt_decode_device device = second_stage(1 * PAGE, 2);
	struct iopt_decode_visitor counts = visitor;

	(void)state;
	memory[1][0] = 2 * PAGE | RW_BITS;
	memory[2][0] = 3 * PAGE | RW_BITS;
	memory[3][0] = 4 * PAGE | RW_BITS;
	for (unsigned i = 0; i < 512; i++) {
		memory[4][i] = i % PAGES * PAGE | RW_BITS;
		memory[6][i] = 7 * PAGE | X86_BITS;
		memory[7][i] = X86_BITS | LARGE; /* the first GiB */
	}
	device.first_format = "x86-64";
	device.first_hw.x86_64.fsptptr = 6 * PAGE;
	source.tables_limit = LIMIT;
	counts.leaf = count_leaf;
	assert_int_equal(iopt_decode_tables(&source, &device, 0, UINT64_MAX, &counts), 0);
	assert_int_equal(told.troubles[told.nr_troubles - 1].what, IOPT_DECODE_LIMIT_REACHED);
}

/* The largest leaves over a second stage that leads everywhere: the limit ends it. */
static void too_much(void **state)
{
	struct iopt_decode_device device = second_stage(1 * PAGE, 2);
	struct iopt_decode_visitor counts = visitor;

	(void)state;
	for (unsigned i = 0; i < 512; i++) {
		memory[1][i] = 2 * PAGE | RW_BITS;
		memory[2][i] = 3 * PAGE | RW_BITS;
		memory[3][i] = 4 * PAGE | RW_BITS;
		memory[4][i] = 5 * PAGE | RW_BITS;
	}
	memory[4][6] = 6 * PAGE | RW_BITS;
	memory[4][7] = 7 * PAGE | RW_BITS;
	for (unsigned i = 0; i < 512; i++) {
		memory[6][i] = 7 * PAGE | X86_BITS;
		memory[7][i] = (uint64_t)i << 30 | X86_BITS | LARGE;
	}
	device.first_format = "x86-64";
	device.first_hw.x86_64.fsptptr = 6 * PAGE;
	source.tables_limit = LIMIT;
	counts.leaf = count_leaf;
	assert_int_equal(iopt_decode_tables(&source, &device, 0, UINT64_MAX, &counts), 0);
	assert_int_equal(told.troubles[told.nr_troubles - 1].what, IOPT_DECODE_LIMIT_REACHED);
	assert_true(told.nr_leaves > LIMIT);
}

/* ---- what leads there ---------------------------------------------------------------------- */

static void vtd(void **state)
{
	struct iopt_decode_device device;

	(void)state;
	nested_tables();
	memory[42][9] = 0x123000 | RW_BITS;
	memory[12][3] = (GUEST + 9 * PAGE) | X86_BITS;
	memory[1][0] = 2 * PAGE | 1;
	memory[2][0] = 3 * PAGE | 1;
	memory[3][0] = 4 * PAGE | 1;
	memory[4][0] = 40 * PAGE | 3 << 6 | 1 << 2 | 1; /* nested, three levels below */
	memory[4][1] = 0x77;
	memory[4][2] = GUEST + PAGE;
	devices_of(IOPT_DECODE_VTD, PAGE | 1 << 10);
	assert_int_equal(told.nr_devices, 1);
	device = told.devices[0];
	assert_int_equal(device.path, IOPT_DECODE_NESTED);
	assert_string_equal(device.format, "vtd-ss");
	assert_string_equal(device.first_format, "x86-64");
	assert_int_equal(device.domain, 0x77);
	assert_int_equal(device.first_hw.root, GUEST + PAGE);
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 1);
	assert_int_equal(told.leaves[0].pa, 0x123000);
	/* The second stage alone. */
	device.first_format = NULL;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 1 + 5);
	assert_int_equal(told.leaves[1].first, GUEST + PAGE);
}

#define GV   (1ull << 55)
#define GIOV (1ull << 54)

/* A table of guest CR3s that the guest has written, or not. */
static void amd(void **state)
{
	(void)state;
	memory[1][0] = 3 | 1ull << 9 | GV | 3ull << 61 | 40 * PAGE | 6ull << 58;
	memory[1][1] = 9;
	memory[40][6] = 1 | 20 * PAGE | 3ull << 61;
	memory[6][1] = 2 * PAGE | 1;
	memory[20][2] = 3 * PAGE | 1;
	devices_of(IOPT_DECODE_AMD, PAGE);
	assert_int_equal(told.nr_devices, 2);
	assert_int_equal(told.devices[0].path, IOPT_DECODE_TRANSLATED);
	assert_int_equal(told.devices[0].pasid, IOPT_DECODE_NO_PASID);
	assert_int_equal(told.devices[1].path, IOPT_DECODE_NESTED);
	assert_int_equal(told.devices[1].pasid, 1);
	assert_int_equal(told.devices[1].first_hw.root, 2 * PAGE);
	source.config = 1ull << 58; /* GCR3TRPMode */
	memory[1][0] |= GIOV;
	devices_of(IOPT_DECODE_AMD, PAGE);
	assert_int_equal(told.nr_devices, 3);
	assert_int_equal(told.devices[2].pasid, 2);
	assert_int_equal(told.devices[2].first_hw.root, 3 * PAGE);
	assert_int_equal(told.devices[2].domain, 9);
	assert_int_equal(told.devices[2].entry_pa, 6 * PAGE + 2 * 8);
	assert_int_equal(told.nr_troubles, 0);
	/* A second stage that is none: no processes are found by it. */
	memory[40][6] = 0;
	devices_of(IOPT_DECODE_AMD, PAGE);
	check_trouble(IOPT_DECODE_UNTRANSLATED, 0, IOPT_MAX_LEVELS, 6 * PAGE);
}

#define STE(n)		   ((uint64_t)(n) << 1 | 1)
#define CD(tsz, tg)	   ((uint64_t)(tg) << 6 | (tsz) | 6ull << 32 | 1ull << 31 | 1ull << 41)
#define CD_EPD1		   (1ull << 30)
#define CD_DS		   (1ull << 58)
#define VTCR(tsz, sl0, tg) (((uint64_t)(tg) << 14 | 6ull << 16 | (sl0) << 6 | (tsz)) << 32)
#define S2AA64		   (1ull << 51)
#define S2_LEAF		   (1ull << 10 | 3 << 6 | 15 << 2 | 3)

/* A descriptor at an intermediate address, two substreams, what has none goes by stage 2. */
static void smmuv3(void **state)
{
	(void)state;
	memory[1][0] = STE(7) | GUEST | 1ull << 59;
	memory[1][1] = 1;
	memory[1][2] = VTCR(25, 1, 0) | S2AA64 | 0x55;
	memory[1][3] = 40 * PAGE;
	memory[40][GUEST >> 30] = 41 * PAGE | 3;
	memory[41][0] = 42 * PAGE | 3;
	memory[42][0] = 8 * PAGE | S2_LEAF;
	memory[8][1 * 8] = CD(25, 0) | CD_EPD1 | 7ull << 48;
	memory[8][1 * 8 + 1] = GUEST + PAGE;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.nr_devices, 2);
	assert_int_equal(told.devices[0].path, IOPT_DECODE_TRANSLATED);
	assert_string_equal(told.devices[0].format, "arm-s2");
	assert_int_equal(told.devices[1].path, IOPT_DECODE_NESTED);
	assert_int_equal(told.devices[1].pasid, 1);
	assert_int_equal(told.devices[1].domain, 0x55);
	assert_int_equal(told.devices[1].first_domain, 7);
	assert_string_equal(told.devices[1].first_format, "arm-s1");
	assert_int_equal(told.nr_structures, 1); /* the descriptors are the guest's */
	/* Without DS no address has more than 48 bits, whatever IPS says. */
	leaves_of(&told.devices[1]);
	check_trouble(IOPT_DECODE_UNTRANSLATED, 0, 2, GUEST + PAGE);
}

/* DS: of tables of 4K and 16K, and SL0's third bit with it. */
static void smmuv3_wide(void **state)
{
	(void)state;
	memory[1][0] = STE(5) | 2 * PAGE;
	memory[2][0] = CD(12, 2) | 1 << 22 | 20 << 16; /* 16K below and above */
	memory[2][1] = 16 * PAGE;
	memory[2][2] = CD_DS | 32 * PAGE;
	memory[1][8] = STE(6);
	memory[1][8 + 2] = VTCR(12, 0, 0) | S2AA64;
	memory[1][8 + 3] = 48 * PAGE | 3 << 2;
	memory[1][16] = STE(5) | 3 * PAGE;
	memory[3][0] = CD(22, 1) | CD_EPD1; /* 64K has its own way */
	memory[3][1] = 16 * PAGE;
	memory[3][2] = CD_DS;
	source.config = 2;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 4);
	assert_string_equal(told.devices[0].format, "arm-s1-16k-lpa2");
	assert_int_equal(told.devices[0].hw.levels, 4);
	assert_string_equal(told.devices[1].format, "arm-s1-16k-lpa2");
	assert_true(told.devices[1].hw.arm.upper);
	assert_string_equal(told.devices[2].format, "arm-s2-lpa2");
	assert_int_equal(told.devices[2].hw.levels, 5);
	assert_string_equal(told.devices[3].format, "arm-s1-64k");
	for (unsigned i = 0; i < 4; i++)
		leaves_of(&told.devices[i]);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.nr_tables, 4);
}

/* S2HD is nothing without S2HA, and then DBM is none; big-endian tables are not read as others. */
static void smmuv3_second_stage(void **state)
{
	(void)state;
	memory[1][0] = STE(6);
	memory[1][2] = VTCR(39, 0, 0) | S2AA64 | 1ull << 55;
	memory[1][3] = 40 * PAGE;
	memory[40][0] = 41 * PAGE | 3;
	memory[41][0] = 16 * PAGE | 1ull << 51 | 1 << 10 | 1 << 6 | 15 << 2 | 3;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	leaves_of(&told.devices[0]);
	memory[1][2] |= 1ull << 56;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	leaves_of(&told.devices[1]);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.nr_leaves, 2);
	assert_false(told.leaves[0].prot & IOPT_WRITE);
	assert_true(told.leaves[1].prot & IOPT_WRITE);
	memory[1][2] |= 1ull << 52;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 2);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, PAGE);
}

#define PPN(page)	((uint64_t)(page) << 10)
#define ATP(mode, page) ((uint64_t)(mode) << 60 | (page))
#define PDTV		(1ull << 5)
#define DPE		(1ull << 9)

/* Directories of one, two and three levels; what has no process is process 0, or passes. */
static void riscv_processes(void **state)
{
	(void)state;
	memory[1][0] = 1 | PDTV;
	memory[1][0 + 3] = ATP(1, 2);
	memory[2][255 * 2] = 1 | 0x77 << 12;
	memory[2][255 * 2 + 1] = ATP(9, 6);
	memory[1][4] = 1 | PDTV | DPE;
	memory[1][4 + 3] = ATP(2, 3);
	memory[3][0] = PPN(4) | 1;
	memory[3][511] = PPN(4) | 1;
	memory[4][0] = 1;
	memory[1][8] = 1 | PDTV | DPE;
	memory[1][8 + 3] = ATP(3, 5);
	memory[5][7] = PPN(3) | 1;
	memory[5][8] = PPN(3) | 1; /* ids have 20 bits */
	memory[1][12] = 1 | PDTV;
	memory[1][12 + 3] = ATP(4, 5);
	memory[1][16] = 1 | PDTV | DPE;
	devices_of(IOPT_DECODE_RISCV, PPN(1) | 2);
	assert_int_equal(told.nr_devices, 7);
	assert_int_equal(told.devices[0].path, IOPT_DECODE_PASSES);
	assert_int_equal(told.devices[1].pasid, 255);
	assert_string_equal(told.devices[1].format, "riscv-s1");
	assert_int_equal(told.devices[1].domain, 0x77);
	assert_int_equal(told.devices[1].hw.levels, 4);
	assert_int_equal(told.devices[1].entry_pa, 2 * PAGE + 255 * 16);
	assert_int_equal(told.devices[2].pasid, IOPT_DECODE_NO_PASID);
	assert_int_equal(told.devices[2].path, IOPT_DECODE_PASSES);
	assert_int_equal(told.devices[3].pasid, 511 << 8);
	assert_int_equal(told.devices[4].id, 2);
	assert_int_equal(told.devices[4].pasid, 7 << 17);
	assert_int_equal(told.devices[5].pasid, 7 << 17 | 511 << 8);
	assert_int_equal(told.devices[6].id, 4);
	assert_int_equal(told.devices[6].pasid, IOPT_DECODE_NO_PASID);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, PAGE + 12 * 8);
}

#define G_TABLE(page) ((uint64_t)(page) << 10 | 1)
#define G_LEAF(page)  ((uint64_t)(page) << 10 | 0xd7) /* D, A, U, W, R, V */

static void riscv_big_endian(void **state)
{
	(void)state;
	memory[1][0] = 1 | 1 << 10;
	memory[1][3] = ATP(8, 2);
	devices_of(IOPT_DECODE_RISCV, PPN(1) | 2);
	assert_int_equal(told.nr_devices, 0);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, PAGE);
}

/* A directory, its contexts and their tables are where the G-stage leads. */
static void riscv_nested(void **state)
{
	(void)state;
	memory[1][0] = 1 | PDTV;
	memory[1][1] = ATP(8, 40) | 0x123ull << 44;
	memory[1][3] = ATP(1, GUEST >> 12);
	memory[40][GUEST >> 30] = G_TABLE(44);
	memory[44][0] = G_TABLE(45);
	memory[45][0] = G_LEAF(8);
	memory[45][1] = G_LEAF(9);
	memory[45][2] = G_LEAF(0x700);
	memory[8][5 * 2] = 1 | 0x77 << 12;
	memory[8][5 * 2 + 1] = ATP(8, (GUEST >> 12) + 1);
	memory[9][3] = GUEST >> 12 << 10 | 0xd7; /* 1 GiB */
	devices_of(IOPT_DECODE_RISCV, PPN(1) | 2);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.nr_devices, 2);
	assert_int_equal(told.devices[0].path, IOPT_DECODE_TRANSLATED);
	assert_string_equal(told.devices[0].format, "riscv-g");
	assert_int_equal(told.devices[1].path, IOPT_DECODE_NESTED);
	assert_int_equal(told.devices[1].pasid, 5);
	assert_int_equal(told.devices[1].domain, 0x123);
	assert_int_equal(told.devices[1].first_domain, 0x77);
	leaves_of(&told.devices[1]);
	assert_int_equal(told.nr_leaves, 3);
	assert_int_equal(told.leaves[2].first, (3ull << 30) + 2 * PAGE);
	assert_int_equal(told.leaves[2].pa, 0x700000);
	assert_int_equal(told.nr_troubles, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_stages),
		TEST(in_pieces),
		TEST(within_a_block),
		TEST(beyond_the_second_stage),
		TEST(of_the_second_stage),
		TEST(runs_of_a_second_stage),
		TEST(skipped_levels_of_a_second_stage),
		TEST(block_over_skipped_levels),
		TEST(table_untranslated),
		TEST(second_stage_wrong),
		TEST(too_much),
		TEST(too_much_of_the_same),
		TEST(vtd),
		TEST(amd),
		TEST(smmuv3),
		TEST(smmuv3_wide),
		TEST(smmuv3_second_stage),
		TEST(riscv_processes),
		TEST(riscv_nested),
		TEST(riscv_big_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
