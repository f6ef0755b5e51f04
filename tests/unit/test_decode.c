/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * libiopt-decode on memory of the test's own: what leads to tables, entry by entry; what is wrong,
 * missing or hostile; and tables that the engine wrote, of which it has to find what a visit finds.
 */
#include "tests/unit/decode.h"
#include "tests/support/support.h"

/* ---- VT-d ---------------------------------------------------------------------------------- */

/* Bits of VT-d's, as in decode/vtd.c. */
#define PRESENT	      1ull
#define TYPE(n)	      ((uint64_t)(n) << 2)
#define AW(n)	      ((uint64_t)(n))
#define CONTEXT_ID(n) ((uint64_t)(n) << 8)
#define SCALABLE      (1ull << 10)
#define PASIDE	      (1ull << 3)
#define PDTS(n)	      ((uint64_t)(n) << 9)
#define PGTT(n)	      ((uint64_t)(n) << 6)

/* Root table in page 1, contexts of bus 2 in page 2. */
static void vtd_legacy(void **state)
{
	(void)state;
	memory[1][2 * 2] = 2 * PAGE | PRESENT;
	memory[2][0x11 * 2] = 3 * PAGE | PRESENT;
	memory[2][0x11 * 2 + 1] = CONTEXT_ID(0x1234) | AW(1);
	memory[2][0x12 * 2] = TYPE(2) | PRESENT;
	memory[2][0x13 * 2] = 4 * PAGE; /* not present */
	memory[2][0xff * 2] = 4 * PAGE | TYPE(1) | PRESENT;
	memory[2][0xff * 2 + 1] = AW(2);
	devices_of(IOPT_DECODE_VTD, PAGE);
	assert_int_equal(told.nr_devices, 3);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.devices[0].id, 0x211);
	assert_int_equal(told.devices[0].domain, 0x1234);
	assert_int_equal(told.devices[0].path, IOPT_DECODE_TRANSLATED);
	assert_int_equal(told.devices[0].pasid, IOPT_DECODE_NO_PASID);
	assert_int_equal(told.devices[0].hw.root, 3 * PAGE);
	assert_int_equal(told.devices[0].hw.levels, 3);
	assert_int_equal(told.devices[0].entry_pa, 2 * PAGE + 0x11 * 16);
	assert_string_equal(told.devices[0].format, "vtd-ss");
	assert_int_equal(told.devices[1].path, IOPT_DECODE_PASSES);
	assert_int_equal(told.devices[1].prot, IOPT_READ | IOPT_WRITE);
	assert_null(told.devices[1].format);
	assert_int_equal(told.devices[2].id, 0x2ff);
	assert_int_equal(told.devices[2].hw.levels, 4);
}

static void vtd_reserved_type(void **state)
{
	(void)state;
	memory[1][0] = 2 * PAGE | PRESENT;
	memory[2][0] = TYPE(3) | PRESENT;
	devices_of(IOPT_DECODE_VTD, PAGE);
	assert_int_equal(told.nr_devices, 0);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, 2 * PAGE);
}

static void set_pasid(uint64_t *entry, unsigned type, uint64_t second, uint64_t first)
{
	entry[0] = second | PGTT(type) | AW(2) << 2 | PRESENT;
	entry[1] = 0x77;
	entry[2] = first;
}

/* The upper half of bus 0: device 80 hexadecimal; directory in page 3, a table in page 4. */
static void vtd_scalable(void **state)
{
	(void)state;
	memory[1][1] = 2 * PAGE | PRESENT;
	memory[2][0] = 3 * PAGE | PDTS(0) | PASIDE | PRESENT;
	memory[2][1] = 65; /* requests without a PASID take this one's entry */
	memory[3][1] = 4 * PAGE | PRESENT;
	set_pasid(&memory[4][0 * 8], 1, 0, 5 * PAGE | 1 << 2);
	set_pasid(&memory[4][1 * 8], 2, 6 * PAGE, 0);
	set_pasid(&memory[4][2 * 8], 3, 6 * PAGE, 5 * PAGE);
	set_pasid(&memory[4][3 * 8], 4, 0, 0);
	set_pasid(&memory[4][4 * 8], 7, 0, 0);
	devices_of(IOPT_DECODE_VTD, PAGE | SCALABLE);
	assert_int_equal(told.nr_devices, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(told.devices[i].id, 0x80);
		assert_int_equal(told.devices[i].domain, 0x77);
		assert_int_equal(told.devices[i].pasid, i == 1 ? IOPT_DECODE_NO_PASID : 64 + i);
	}
	assert_string_equal(told.devices[0].format, "x86-64");
	assert_int_equal(told.devices[0].hw.levels, 5);
	assert_string_equal(told.devices[1].format, "vtd-ss");
	assert_int_equal(told.devices[1].hw.root, 6 * PAGE);
	assert_int_equal(told.devices[2].path, IOPT_DECODE_NESTED);
	assert_int_equal(told.devices[3].path, IOPT_DECODE_PASSES);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, 4 * PAGE + 4 * 64);
	/* Five levels are a root that is walked. */
	leaves_of(&told.devices[0]);
	assert_int_equal(told.nr_tables, 1);
	assert_int_equal(told.nr_troubles, 1);
}

/* Where the context has no PASIDs, only the entry of requests without one is looked for. */
static void vtd_scalable_without_pasids(void **state)
{
	(void)state;
	memory[1][0] = 2 * PAGE | PRESENT;
	memory[2][7 * 4] = 3 * PAGE | PRESENT;
	memory[3][0] = 4 * PAGE | PRESENT;
	memory[3][1] = 5 * PAGE | PRESENT;
	set_pasid(&memory[4][0], 4, 0, 0);
	set_pasid(&memory[4][3 * 8], 4, 0, 0);
	set_pasid(&memory[5][0], 4, 0, 0);
	devices_of(IOPT_DECODE_VTD, PAGE | SCALABLE);
	assert_int_equal(told.nr_devices, 1);
	assert_int_equal(told.devices[0].id, 7);
	assert_int_equal(told.devices[0].pasid, IOPT_DECODE_NO_PASID);
	assert_int_equal(told.nr_structures, 4);
}

/* The register says how tables are read; where it aborts all, nobody reaches anything. */
static void vtd_modes(void **state)
{
	(void)state;
	memory[1][0] = 2 * PAGE | PRESENT;
	memory[2][0] = TYPE(2) | PRESENT;
	devices_of(IOPT_DECODE_VTD, PAGE);
	assert_int_equal(told.nr_devices, 1);
	devices_of(IOPT_DECODE_VTD, PAGE | 3ull << 10);
	assert_int_equal(told.nr_devices, 1);
	assert_int_equal(told.nr_troubles, 0);
	devices_of(IOPT_DECODE_VTD, PAGE | 2ull << 10);
	assert_int_equal(told.nr_devices, 1);
	check_trouble(IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, PAGE);
}

/* All lead to one table: there are more devices than anybody has. */
static void too_many_devices(void **state)
{
	(void)state;
	for (unsigned bus = 0; bus < 256; bus++)
		memory[1][2 * bus] = 2 * PAGE | PRESENT;
	for (unsigned i = 0; i < 256; i++)
		memory[2][2 * i] = TYPE(2) | PRESENT;
	source.tables_limit = 1024;
	devices_of(IOPT_DECODE_VTD, PAGE);
	assert_int_equal(told.nr_devices, 1024 / 64 + 64);
	assert_int_equal(told.nr_troubles, 1);
	assert_int_equal(told.troubles[0].what, IOPT_DECODE_LIMIT_REACHED);
}

/* ---- AMD ----------------------------------------------------------------------------------- */

#define V_TV	3ull
#define MODE(n) ((uint64_t)(n) << 9)
#define GV	(1ull << 55)
#define IR	(1ull << 61)
#define IW	(1ull << 62)

/* A device table of two pages. */
static void amd_devices(void **state)
{
	(void)state;
	memory[1][4 * 4] = V_TV | MODE(3) | 5 * PAGE | IR | IW;
	memory[1][4 * 4 + 1] = 9;
	memory[1][5 * 4] = V_TV | IR;
	memory[1][6 * 4] = V_TV;		/* blocked */
	memory[1][7 * 4] = 1 | MODE(3) | IR;	/* translation is not valid */
	memory[1][8 * 4] = V_TV | MODE(7) | IR; /* reserved */
	devices_of(IOPT_DECODE_AMD, PAGE);
	assert_int_equal(told.nr_devices, 2);
	assert_int_equal(told.devices[0].id, 4);
	assert_int_equal(told.devices[0].domain, 9);
	assert_string_equal(told.devices[0].format, "amd-v1");
	assert_int_equal(told.devices[0].hw.levels, 3);
	assert_int_equal(told.devices[0].hw.root, 5 * PAGE);
	assert_int_equal(told.devices[1].path, IOPT_DECODE_PASSES);
	assert_int_equal(told.devices[1].prot, IOPT_READ);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, PAGE + 8 * 32);
	/* A second page of the table. */
	memory[2][0] = V_TV | IW;
	devices_of(IOPT_DECODE_AMD, PAGE | 1);
	assert_int_equal(told.devices[4].id, 128);
}

/* A table of guest CR3s of two levels; PASID 0 is of requests without one. */
static void amd_guest(void **state)
{
	(void)state;
	memory[1][0] = V_TV | GV | 1ull << 54 | 1ull << 56 | IR | IW | 2ull << 58;
	memory[1][1] = 0x42;
	memory[1][2] = 1ull << 54;
	memory[2][0] = 3 * PAGE | 1;
	memory[2][1] = 4 * PAGE | 1;
	memory[3][0] = 5 * PAGE | 1;
	memory[4][2] = 6 * PAGE | 1;
	memory[1][4] = V_TV | GV | IR | 3ull << 58; /* 00:00.1: one level, none of PASID 0's */
	memory[1][8] = V_TV | GV | 3ull << 56;
	devices_of(IOPT_DECODE_AMD, PAGE);
	assert_int_equal(told.nr_devices, 4);
	assert_int_equal(told.devices[0].pasid, IOPT_DECODE_NO_PASID);
	assert_int_equal(told.devices[0].domain, 0x42);
	assert_string_equal(told.devices[0].format, "x86-64");
	assert_int_equal(told.devices[0].hw.root, 5 * PAGE);
	assert_int_equal(told.devices[0].hw.levels, 5);
	assert_int_equal(told.devices[1].pasid, 512 + 2);
	assert_int_equal(told.devices[1].hw.root, 6 * PAGE);
	assert_int_equal(told.devices[2].id, 1);
	assert_int_equal(told.devices[2].path, IOPT_DECODE_PASSES);
	assert_int_equal(told.devices[3].pasid, 0);
	assert_int_equal(told.devices[3].hw.levels, 4);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, PAGE + 2 * 32);
}

/* Address bits in each of the three pieces. */
static void amd_guest_address(void **state)
{
	(void)state;
	memory[1][0] = V_TV | GV | 1ull << 54 | IR | 5ull << 58;
	memory[1][1] = 0x8001ull << 16 | 0x100001ull << 43;
	devices_of(IOPT_DECODE_AMD, PAGE);
	check_trouble(IOPT_DECODE_MISSING, 0, IOPT_MAX_LEVELS,
		      5ull << 12 | 0x8001ull << 15 | 0x100001ull << 31);
}

/* What the entry does not grant no table does. */
static void amd_entry_grants(void **state)
{
	(void)state;
	const struct iopt_decode_device device = { .format = "amd-v1",
						   .prot = IOPT_READ,
						   .hw.amd_v1 = { .root_ptr = PAGE, .mode = 1 } };

	memory[1][3] = 1 | 0x5000 | IR | IW;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 1);
	assert_int_equal(told.leaves[0].first, 3 * PAGE);
	assert_int_equal(told.leaves[0].last, 4 * PAGE - 1);
	assert_int_equal(told.leaves[0].pa, 0x5000);
	assert_int_equal(told.leaves[0].prot & (IOPT_READ | IOPT_WRITE), IOPT_READ);
}

/* Four entries of a run of 16 KiB: together one leaf; where one says otherwise, four pieces. */
static void amd_runs(void **state)
{
	(void)state;
	const struct iopt_decode_device device = { .format = "amd-v1",
						   .prot = IOPT_READ | IOPT_WRITE,
						   .hw.amd_v1 = { .root_ptr = PAGE, .mode = 1 } };

	/* Level 7, and in the address the size: a zero above ones. */
	for (unsigned i = 4; i < 8; i++)
		memory[1][i] = 1 | MODE(7) | 0x100000 | 1 << 12 | IR | IW;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 1);
	assert_int_equal(told.leaves[0].first, 4 * PAGE);
	assert_int_equal(told.leaves[0].last, 8 * PAGE - 1);
	assert_int_equal(told.leaves[0].lg2, 14);
	assert_int_equal(told.nr_troubles, 0);

	clear(NULL);
	for (unsigned i = 4; i < 8; i++)
		memory[1][i] = 1 | MODE(7) | 0x100000 | 1 << 12 | IR | IW;
	memory[1][6] &= ~IW;
	leaves_of(&device);
	assert_int_equal(told.nr_leaves, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(told.leaves[i].first, (4 + i) * PAGE);
		assert_int_equal(told.leaves[i].last, (5 + i) * PAGE - 1);
		assert_int_equal(told.leaves[i].pa, 0x100000 + i * PAGE);
		assert_int_equal(told.troubles[i].what, IOPT_DECODE_RUN_DIFFERS);
	}
}

/*
 * Levels 2 and 1 of four are skipped by an entry of level 3, level 1 by one of level 2, and on the
 * way back up entries behind both are found. What the skipped levels would translate is not mapped.
 */
static void amd_skipped_levels(void **state)
{
	(void)state;
	const struct iopt_decode_device device = { .format = "amd-v1",
						   .prot = IOPT_READ | IOPT_WRITE,
						   .hw.amd_v1 = { .root_ptr = PAGE, .mode = 4 } };
	static const struct {
		uint64_t first;
		unsigned level, entry_level;
	} tables[] = {
		{ 0, 3, 4 },
		{ 0, 0, 3 },
		{ 1ull << 39, 2, 3 },
		{ (1ull << 39) + (1ull << 30), 0, 2 },
	};

	memory[1][0] = 1 | MODE(1) | 2 * PAGE | IR | IW;
	memory[1][1] = 1 | MODE(3) | 3 * PAGE | IR | IW;
	memory[2][511] = 1 | 0x5000 | IR | IW;
	memory[3][1] = 1 | MODE(1) | 4 * PAGE | IR;
	memory[3][2] = 1 | 0x40000000 | IR | IW;
	memory[4][2] = 1 | 0x6000 | IR | IW;
	leaves_of(&device);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.nr_leaves, 3);
	assert_int_equal(told.leaves[0].first, 511 * PAGE);
	assert_int_equal(told.leaves[0].pa, 0x5000);
	assert_int_equal(told.leaves[1].first, (1ull << 39) + (1ull << 30) + 2 * PAGE);
	assert_int_equal(told.leaves[1].prot & IOPT_WRITE, 0);
	assert_int_equal(told.leaves[2].first, (1ull << 39) + (2ull << 30));
	assert_int_equal(told.leaves[2].lg2, 30);
	assert_int_equal(told.nr_tables, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(told.tables[i].first, tables[i].first);
		assert_int_equal(told.tables[i].level, tables[i].level);
		assert_int_equal(told.tables[i].entry_level, tables[i].entry_level);
	}
}

/* ---- SMMUv3 -------------------------------------------------------------------------------- */

/* Fields of stream table entries and context descriptors, as in decode/smmuv3.c. */
#define STE(n)		   ((uint64_t)(n) << 1 | 1)
#define S1FMT(n)	   ((uint64_t)(n) << 4)
#define S1CDMAX(n)	   ((uint64_t)(n) << 59)
#define CD(tsz, tg)	   ((uint64_t)(tg) << 6 | (tsz) | 5ull << 32 | 1ull << 31 | 1ull << 41)
#define CD_EPD1		   (1ull << 30)
#define CD_UPPER(tsz, tg)  ((uint64_t)(tg) << 22 | (uint64_t)(tsz) << 16)
#define ASID(n)		   ((uint64_t)(n) << 48)
#define VTCR(tsz, sl0, tg) (((uint64_t)(tg) << 14 | 5ull << 16 | (sl0) << 6 | (tsz)) << 32)
#define S2AA64		   (1ull << 51)

/* A linear stream table in page 1, of 64 entries. */
static void smmuv3_linear(void **state)
{
	(void)state;
	memory[1][0 * 8] = STE(0);
	memory[1][1 * 8] = STE(4);
	memory[1][2 * 8] = STE(6);
	memory[1][2 * 8 + 2] = VTCR(24, 1, 0) | S2AA64 | 0x55;
	memory[1][2 * 8 + 3] = 5 * PAGE; /* aligned to its two pages */
	memory[1][3 * 8] = STE(5) | 3 * PAGE;
	memory[1][4 * 8] = STE(3);
	memory[1][5 * 8] = 6 * 2; /* not valid */
	memory[3][0] = CD(16, 2) | CD_UPPER(25, 2) | ASID(7);
	memory[3][1] = 6 * PAGE;
	memory[3][2] = 7 * PAGE;
	source.config = 6;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 4);
	assert_int_equal(told.devices[0].id, 1);
	assert_int_equal(told.devices[0].path, IOPT_DECODE_PASSES);
	assert_int_equal(told.devices[1].id, 2);
	assert_int_equal(told.devices[1].domain, 0x55);
	assert_string_equal(told.devices[1].format, "arm-s2");
	assert_int_equal(told.devices[1].hw.levels, 3);
	assert_int_equal(told.devices[1].hw.arm.ttb, 4 * PAGE);
	assert_string_equal(told.devices[2].format, "arm-s1-16k");
	assert_int_equal(told.devices[2].domain, 7);
	assert_int_equal(told.devices[2].pasid, IOPT_DECODE_NO_PASID);
	assert_int_equal(told.devices[2].hw.levels, 4);
	assert_false(told.devices[2].hw.arm.upper);
	assert_string_equal(told.devices[3].format, "arm-s1");
	assert_true(told.devices[3].hw.arm.upper);
	assert_int_equal(told.devices[3].hw.arm.ttb, 7 * PAGE);
	assert_int_equal(told.devices[3].hw.levels, 3);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, PAGE + 4 * 64);
}

/* Two levels, split at 8 bits; four substreams, of which the first is of requests without one. */
static void smmuv3_two_levels(void **state)
{
	(void)state;
	memory[1][3] = 2 * PAGE | 5;  /* 16 of 256 */
	memory[1][4] = 2 * PAGE | 31; /* more than there are */
	memory[2][15 * 8] = STE(5) | 4 * PAGE | S1CDMAX(2);
	memory[2][15 * 8 + 1] = 2;
	memory[2][1 * 8] = STE(5) | 5 * PAGE | S1FMT(2) | S1CDMAX(11);
	memory[2][1 * 8 + 1] = 1;
	memory[4][0] = memory[4][3 * 8] = CD(25, 1) | CD_EPD1;
	memory[5][1] = 6 * PAGE | 1;
	memory[6][7 * 8] = CD(25, 0) | CD_EPD1;
	source.config = 1 << 16 | 8 << 6 | 11;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 4);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.devices[0].id, 0x301);
	assert_int_equal(told.devices[0].path, IOPT_DECODE_PASSES);
	assert_int_equal(told.devices[1].pasid, 1024 + 7);
	assert_string_equal(told.devices[1].format, "arm-s1");
	assert_int_equal(told.devices[2].id, 0x30f);
	assert_int_equal(told.devices[2].pasid, IOPT_DECODE_NO_PASID);
	assert_int_equal(told.devices[3].pasid, 3);
	assert_string_equal(told.devices[3].format, "arm-s1-64k");
}

/* Four substreams: what lies behind them in the same table is none. */
static void smmuv3_few_substreams(void **state)
{
	(void)state;
	memory[1][0] = STE(5) | 2 * PAGE | S1FMT(1) | S1CDMAX(2);
	memory[2][0] = 3 * PAGE | 1;
	memory[3][3 * 8] = memory[3][4 * 8] = CD(25, 0) | CD_EPD1;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 1);
	assert_int_equal(told.devices[0].pasid, 3);
}

/* Descriptors are aligned to themselves: a table of 64 of them may lie in two pages. */
static void smmuv3_across_pages(void **state)
{
	(void)state;
	memory[1][0] = STE(5) | (2 * PAGE + 64) | S1CDMAX(6);
	memory[1][1] = 2;
	memory[2][8] = CD(25, 0) | CD_EPD1;
	memory[3][0] = CD(25, 0) | CD_EPD1;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 2);
	assert_int_equal(told.devices[1].pasid, 63);
	assert_int_equal(told.nr_troubles, 0);
	missing_page = 3;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 3);
	check_trouble(IOPT_DECODE_MISSING, 0, IOPT_MAX_LEVELS, 3 * PAGE);
}

/* A table of as many streams as there can be, of which there is no memory: told once. */
static void smmuv3_missing(void **state)
{
	(void)state;
	source.config = 20;
	devices_of(IOPT_DECODE_SMMUV3, PAGES * PAGE);
	check_trouble(IOPT_DECODE_MISSING, 0, IOPT_MAX_LEVELS, PAGES * PAGE);
	clear(NULL);
	source.config = 33;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	check_trouble(IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, PAGE);
}

/* What is reserved behaves as 6 or as linear; for few streams there is still an entry. */
static void smmuv3_odd_configs(void **state)
{
	(void)state;
	memory[1][1] = (2 * PAGE + 64) | 2; /* aligned to two entries: the address of the first */
	memory[2][0] = STE(4);
	source.config = 1 << 16 | 7 << 6 | 8;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 1);
	assert_int_equal(told.devices[0].id, 0x40);
	memory[1][0] = 3 * PAGE | 5;
	memory[3][3 * 8] = memory[3][4 * 8] = STE(4);
	source.config = 1 << 16 | 8 << 6 | 2;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 2);
	assert_int_equal(told.devices[1].id, 3);
	source.config = 2 << 16 | 2;
	devices_of(IOPT_DECODE_SMMUV3, 3 * PAGE);
	assert_int_equal(told.nr_devices, 3);
	assert_int_equal(told.nr_troubles, 0);
}

/* A table of descriptors' tables that ends where memory does; a format that behaves as linear. */
static void smmuv3_odd_descriptors(void **state)
{
	(void)state;
	memory[1][0] = STE(5) | ((PAGES - 1) * PAGE + 4096 - 64) | S1FMT(1) | S1CDMAX(9);
	memory[PAGES - 1][511] = 2 * PAGE | 1;
	memory[2][5 * 8] = CD(25, 0) | CD_EPD1;
	memory[1][8] = STE(5) | 3 * PAGE | S1FMT(3) | S1CDMAX(1);
	memory[3][8] = CD(25, 0); /* without an upper half: all that is of it is zero */
	memory[1][16] = STE(5) | 4 * PAGE;
	memory[4][0] = CD(25, 0) | CD_EPD1 | 1 << 15; /* big-endian */
	source.config = 2;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	assert_int_equal(told.nr_devices, 2);
	assert_int_equal(told.devices[0].pasid, 7 * 64 + 5);
	assert_int_equal(told.devices[1].pasid, 1);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, 4 * PAGE);
}

/* DBM is a permission where hardware gives it: HD, which is nothing without HA. */
static void smmuv3_dirty(void **state)
{
	const uint64_t had = 1ull << 43, hd = 1ull << 42;
	const uint64_t entry = 16 * PAGE | 1ull << 51 | 1 << 10 | 3 << 6 | 3;

	(void)state;
	memory[1][0] = STE(5) | 2 * PAGE;
	memory[3][0] = 4 * PAGE | 3;
	memory[4][0] = 5 * PAGE | 3;
	memory[5][0] = entry;
	for (unsigned i = 0; i < 3; i++) {
		memory[2][0] = CD(25, 0) | CD_EPD1 | (i ? hd : 0) | (i == 2 ? had : 0);
		memory[2][1] = 3 * PAGE;
		devices_of(IOPT_DECODE_SMMUV3, PAGE);
		leaves_of(&told.devices[i]);
		assert_int_equal(told.nr_leaves, i + 1);
		assert_int_equal(!!(told.leaves[i].prot & IOPT_WRITE), i == 2);
	}
	assert_int_equal(told.nr_troubles, 0);
}

/* Linux's own attributes of a processor: what index 4 stands for MAIR says. */
static void smmuv3_attributes(void **state)
{
	static const unsigned kinds[] = { 0, 0, IOPT_UNCACHED, IOPT_DEVICE, IOPT_DEVICE };

	(void)state;
	memory[1][0] = STE(5) | 2 * PAGE;
	memory[2][0] = CD(25, 0) | CD_EPD1;
	memory[2][1] = 3 * PAGE;
	memory[2][3] = 0x040044ffff; /* normal, the same (tagged), non-cacheable, two of a device */
	memory[3][0] = 4 * PAGE | 3;
	memory[4][0] = 5 * PAGE | 3;
	for (unsigned i = 0; i < 5; i++)
		memory[5][i] = i * 16 * PAGE | 1 << 10 | 1 << 6 | i << 2 | 3;
	devices_of(IOPT_DECODE_SMMUV3, PAGE);
	leaves_of(&told.devices[0]);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.nr_leaves, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(told.leaves[i].prot & (IOPT_UNCACHED | IOPT_DEVICE), kinds[i]);
}

/* ---- RISC-V -------------------------------------------------------------------------------- */

#define PPN(page)	((uint64_t)(page) << 10)
#define ATP(mode, page) ((uint64_t)(mode) << 60 | (page))

/* Three levels in the base format: device 0x020381 is entry 1 of table 7 of table 1. */
static void riscv_three_levels(void **state)
{
	(void)state;
	memory[1][2] = PPN(2) | 1;
	memory[1][300] = PPN(2) | 1; /* ids have 24 bits */
	memory[2][7] = PPN(3) | 1;
	memory[3][1 * 4] = 1 | 1 << 7;
	memory[3][1 * 4 + 1] = ATP(9, 8) | 0x123ull << 44;
	memory[3][2 * 4] = 1 | 1 << 8;
	memory[3][2 * 4 + 2] = 0x77 << 12;
	memory[3][2 * 4 + 3] = ATP(8, 6);
	memory[3][3 * 4] = 1;
	memory[3][4 * 4] = 1;
	memory[3][4 * 4 + 1] = ATP(8, 8);
	memory[3][4 * 4 + 3] = ATP(8, 6);
	memory[3][5 * 4] = 1 | 1 << 11; /* 32 bits */
	devices_of(IOPT_DECODE_RISCV, PPN(1) | 4);
	assert_int_equal(told.nr_devices, 4);
	assert_int_equal(told.devices[0].id, 2 << 16 | 7 << 7 | 1);
	assert_int_equal(told.devices[0].domain, 0x123);
	assert_string_equal(told.devices[0].format, "riscv-g");
	assert_int_equal(told.devices[0].hw.levels, 4);
	assert_true(told.devices[0].hw.riscv_g.gade);
	assert_string_equal(told.devices[1].format, "riscv-s1");
	assert_int_equal(told.devices[1].domain, 0x77);
	assert_int_equal(told.devices[1].hw.root, 6 * PAGE);
	assert_int_equal(told.devices[2].path, IOPT_DECODE_PASSES);
	assert_int_equal(told.devices[3].path, IOPT_DECODE_NESTED);
	check_trouble(IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, 3 * PAGE + 5 * 32);
}

static void riscv_extended(void **state)
{
	(void)state;
	memory[1][63 * 8] = 1;
	source.config = 1 << 22;
	devices_of(IOPT_DECODE_RISCV, PPN(1) | 2);
	assert_int_equal(told.nr_devices, 1);
	assert_int_equal(told.devices[0].id, 63);
	assert_int_equal(told.devices[0].entry_pa, PAGE + 63 * 64);
	memory[2][3] = PPN(1) | 1;
	devices_of(IOPT_DECODE_RISCV, PPN(2) | 3);
	assert_int_equal(told.devices[1].id, 3 << 6 | 63);
	/* Off, bare, and what there is not. */
	devices_of(IOPT_DECODE_RISCV, PPN(1) | 0);
	devices_of(IOPT_DECODE_RISCV, PPN(1) | 1);
	devices_of(IOPT_DECODE_RISCV, PPN(1) | 5);
	assert_int_equal(told.nr_devices, 2);
	check_trouble(IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, PAGE);
}

/* ---- what is wrong ------------------------------------------------------------------------- */

/* Everything leads back to the root: without an end for who believes it. */
static void a_loop(void **state)
{
	const struct iopt_decode_device device = second_stage(PAGE, 3);

	(void)state;
	for (unsigned i = 0; i < 512; i++)
		memory[1][i] = PAGE | RW_BITS;
	source.tables_limit = 1000;
	leaves_of(&device);
	assert_int_equal(told.nr_tables, 1);
	assert_int_equal(told.nr_troubles, 512);
	assert_int_equal(told.troubles[0].what, IOPT_DECODE_TABLE_TWICE);
}

static void missing_memory(void **state)
{
	const struct iopt_decode_device device = second_stage(PAGE, 1);

	(void)state;
	memory[1][0] = 2 * PAGE | RW_BITS;
	memory[1][1] = 3 * PAGE | RW_BITS;
	memory[2][5] = 4 * PAGE | RW_BITS;
	memory[3][0] = 0x200000 | LARGE | RW_BITS;
	missing_page = 2;
	leaves_of(&device);
	check_trouble(IOPT_DECODE_MISSING, 0, 1, 2 * PAGE);
	assert_int_equal(told.nr_leaves, 1);
	assert_int_equal(told.leaves[0].first, 1ull << 30);
	assert_int_equal(told.leaves[0].lg2, 21);
}

static void reserved_and_misaligned(void **state)
{
	const struct iopt_decode_device device = second_stage(PAGE, 1);

	(void)state;
	memory[1][0] = 2 * PAGE | RW_BITS;
	memory[2][0] = 0x201000 | LARGE | RW_BITS;
	leaves_of(&device);
	check_trouble(IOPT_DECODE_MISALIGNED, 0, 1, 2 * PAGE);

	clear(NULL);
	memory[1][7] = 2 * PAGE | RW_BITS | 1ull << 62;
	leaves_of(&device);
	check_trouble(IOPT_DECODE_RESERVED, 7ull << 30, 2, PAGE + 7 * 8);
}

static void a_root_that_is_none(void **state)
{
	const struct iopt_decode_device device = second_stage(PAGE, 7);

	(void)state;
	leaves_of(&device);
	check_trouble(IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, 0);
}

/* The limit is told once. */
static void too_many_tables(void **state)
{
	const struct iopt_decode_device device = second_stage(PAGE, 1);

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		memory[1][i] = (2 + i) * PAGE | RW_BITS;
	source.tables_limit = 5;
	leaves_of(&device);
	assert_int_equal(told.nr_tables, 5);
	check_trouble(IOPT_DECODE_LIMIT_REACHED, 4ull << 30, 1, 6 * PAGE);
}

/* ---- what is asked for --------------------------------------------------------------------- */

static void a_part(void **state)
{
	const struct iopt_decode_device device = second_stage(PAGE, 1);

	(void)state;
	memory[1][0] = 2 * PAGE | RW_BITS;
	memory[2][0] = 3 * PAGE | RW_BITS;
	for (unsigned i = 0; i < 512; i++)
		memory[3][i] = (8 + i) * PAGE | RW_BITS;
	memory[2][1] = 0x200000 | LARGE | RW_BITS;
	assert_int_equal(iopt_decode_tables(&source, &device, 510 * PAGE, 0x200000, &visitor), 0);
	assert_int_equal(told.nr_leaves, 3);
	assert_int_equal(told.leaves[0].first, 510 * PAGE);
	assert_int_equal(told.leaves[2].first, 0x200000);
	assert_int_equal(told.leaves[2].last, 0x3fffff);
	assert_int_equal(told.nr_tables, 3);
	assert_int_equal(told.tables[1].used, 2);
	assert_int_equal(told.tables[1].entry_pa, PAGE);
	assert_int_equal(told.tables[1].entry, memory[1][0]);
	assert_int_equal(told.tables[2].pa, 3 * PAGE);
	assert_int_equal(told.tables[2].bytes, PAGE);
	assert_int_equal(told.tables[2].used, 512);
}

static void a_format_that_is_none(void **state)
{
	const struct iopt_decode_device device = { .format = "arm-v9" };

	(void)state;
	assert_int_equal(iopt_decode_tables(&source, &device, 0, UINT64_MAX, &visitor), -EINVAL);
}

static void the_visitor_ends_it(void **state)
{
	const struct iopt_decode_device device = second_stage(PAGE, 1);

	(void)state;
	memory[1][0] = 2 * PAGE | RW_BITS;
	memory[2][0] = memory[2][1] = 0x200000 | LARGE | RW_BITS;
	told.result = 5;
	assert_int_equal(iopt_decode_tables(&source, &device, 0, UINT64_MAX, &visitor), 5);
	assert_int_equal(told.nr_leaves, 1);
	memory[4][0] = 5 * PAGE | PRESENT;
	memory[5][0] = memory[5][2] = TYPE(2) | PRESENT;
	devices_of(IOPT_DECODE_VTD, 4 * PAGE);
	assert_int_equal(told.nr_devices, 1);
}

/* ---- tables that the engine wrote ---------------------------------------------------------- */

static bool read_tables(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	const void *from = iopt_posix_va(pa);

	(void)ctx;
	if (!from)
		return false;
	memcpy(to, from, bytes);
	return true;
}

static struct device device;

static void map(uint64_t first, uint64_t bytes, uint64_t pa, unsigned prot)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1, pa, prot, NULL), 0);
}

static void compare(const char *format)
{
	struct iopt_decode_device described = { .format = format, .prot = IOPT_READ | IOPT_WRITE };
	struct iopt_item items[MOST];
	struct iopt_visit visit;
	size_t nr = 0;

	iopt_hw(device.domain, &described.hw);
	source.read = read_tables;
	leaves_of(&described);
	iopt_visit_init(&visit, 0, UINT64_MAX, IOPT_VISIT_LEAVES);
	while (!visit.done)
		nr += iopt_visit(device.domain, &visit, items + nr, MOST - nr);
	assert_in_range(nr, 10, MOST - 1);
	assert_int_equal(told.nr_troubles, 0);
	assert_int_equal(told.nr_leaves, nr);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(told.leaves[i].first, items[i].first);
		assert_int_equal(told.leaves[i].last, items[i].last);
		assert_int_equal(told.leaves[i].pa, items[i].pa);
		assert_int_equal(told.leaves[i].level, items[i].level);
		assert_int_equal(told.leaves[i].prot & (IOPT_READ | IOPT_WRITE),
				 items[i].prot & (IOPT_READ | IOPT_WRITE));
	}
}

static void engine_tables(const char *format, uint32_t flags)
{
	const struct iopt_config config = { .format = format, .flags = flags };

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	map(0, 3 * PAGE, 0x700000, IOPT_READ);
	map(8 * PAGE, 8 * PAGE, 0x108000, IOPT_READ | IOPT_WRITE);
	map(2 * MIB - PAGE, 2 * PAGE, 0x12345000, IOPT_READ | IOPT_WRITE);
	map(4 * MIB, 4 * MIB, 0x800000, IOPT_READ);
	map(GIB, GIB, 2 * GIB, IOPT_READ | IOPT_WRITE);
	map(100 * GIB, 5 * PAGE, 0x9000, IOPT_READ | IOPT_WRITE);
	if (flags & IOPT_SIGN_EXTEND)
		map(-2 * GIB, 2 * MIB + PAGE, 0x400000, IOPT_READ);
	compare(format);
	assert_true(device_destroy(&device));
}

static void engine_vtd_ss(void **state)
{
	(void)state;
	engine_tables("vtd-ss", 0);
}

static void engine_x86_64(void **state)
{
	(void)state;
	engine_tables("x86-64", IOPT_SIGN_EXTEND);
}

static void engine_amd_v1(void **state)
{
	(void)state;
	engine_tables("amd-v1", 0);
}

/* Of any shape: granules, runs of 16, tables and blocks, near the ends of what is translated. */
static void shaped_tables(const char *format, uint32_t flags)
{
	const struct iopt_config config = { .format = format, .flags = flags };
	const struct iopt_format_info *info = iopt_format_find(format);
	const uint64_t page = 1ull << info->granule_lg2, block = page << info->index_lg2;
	const uint64_t base = flags & IOPT_UPPER ? -(64 * block) : 0;

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	map(base, 3 * page, 7 * page, IOPT_READ);
	for (unsigned i = 0; i < 8; i++)
		map(base + (16 + 2 * i) * page, page, (32 + i) * page, IOPT_READ | IOPT_WRITE);
	map(base + 64 * page, 256 * page, block + 64 * page, IOPT_READ | IOPT_WRITE);
	map(base + block - page, 2 * page, 9 * page, IOPT_READ | IOPT_WRITE);
	map(base + 2 * block, 2 * block, 4 * block, IOPT_READ);
	map(base + 60 * block, 5 * page, 11 * page, IOPT_READ | IOPT_WRITE);
	compare(format);
	assert_true(device_destroy(&device));
}

static void engine_arm(void **state)
{
	static const char *const names[] = { "arm-s1",	       "arm-s1-16k",	  "arm-s1-64k",
					     "arm-s1-lpa2",    "arm-s1-16k-lpa2", "arm-s2",
					     "arm-s2-16k",     "arm-s2-64k",	  "arm-s2-lpa2",
					     "arm-s2-16k-lpa2" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!iopt_format_find(names[i]))
			continue; /* not in a build of few */
		clear(state);
		shaped_tables(names[i], 0);
	}
	clear(state);
	shaped_tables("arm-s1", IOPT_UPPER);
}

static void engine_riscv(void **state)
{
	(void)state;
	engine_tables("riscv-s1", 0);
	clear(state);
	shaped_tables("riscv-g", 0);
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vtd_legacy),
		TEST(vtd_reserved_type),
		TEST(vtd_scalable),
		TEST(vtd_scalable_without_pasids),
		TEST(vtd_modes),
		TEST(too_many_devices),
		TEST(amd_devices),
		TEST(amd_guest),
		TEST(amd_guest_address),
		TEST(amd_entry_grants),
		TEST(amd_runs),
		TEST(amd_skipped_levels),
		TEST(smmuv3_linear),
		TEST(smmuv3_two_levels),
		TEST(smmuv3_few_substreams),
		TEST(smmuv3_across_pages),
		TEST(smmuv3_missing),
		TEST(smmuv3_attributes),
		TEST(smmuv3_odd_configs),
		TEST(smmuv3_odd_descriptors),
		TEST(smmuv3_dirty),
		TEST(riscv_three_levels),
		TEST(riscv_extended),
		TEST(a_loop),
		TEST(missing_memory),
		TEST(reserved_and_misaligned),
		TEST(a_root_that_is_none),
		TEST(too_many_tables),
		TEST(a_part),
		TEST(a_format_that_is_none),
		TEST(the_visitor_ends_it),
		TEST(engine_vtd_ss),
		TEST(engine_x86_64),
		TEST(engine_amd_v1),
		TEST(engine_arm),
		TEST(engine_riscv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
