/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For tests of libiopt-decode: memory of the test's own, at physical address 0, and what was told
 * of it. One for each program.
 */
#ifndef TESTS_UNIT_DECODE_H
#define TESTS_UNIT_DECODE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "iopt/decode.h"

#define PAGE  4096ull
#define PAGES 64u
#define MOST  256u

/* ---- memory, and what was told ------------------------------------------------------------- */

static uint64_t memory[PAGES][PAGE / 8];
static unsigned missing_page; /* 0: none */

static bool read_memory(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	(void)ctx;
	assert_true(bytes && bytes <= PAGE && pa / PAGE == (pa + bytes - 1) / PAGE);
	if (pa / PAGE >= PAGES || (missing_page && pa / PAGE == missing_page))
		return false;
	memcpy(to, (const char *)memory + pa, bytes);
	return true;
}

static struct told {
	struct iopt_decode_device devices[MOST];
	struct iopt_decode_leaf leaves[MOST];
	struct iopt_decode_trouble troubles[MOST];
	struct iopt_decode_table tables[MOST];
	unsigned nr_devices;
	unsigned nr_leaves;
	unsigned nr_tables;
	unsigned nr_troubles;
	unsigned nr_structures;
	int result;
} told;

static int take_device(void *ctx, const struct iopt_decode_device *device)
{
	assert_ptr_equal(ctx, &told);
	assert_true(told.nr_devices < MOST);
	told.devices[told.nr_devices++] = *device;
	return told.result;
}

static int take_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	assert_ptr_equal(ctx, &told);
	if (told.nr_leaves < MOST)
		told.leaves[told.nr_leaves] = *leaf;
	told.nr_leaves++;
	return told.result;
}

static int take_table(void *ctx, const struct iopt_decode_table *table)
{
	assert_ptr_equal(ctx, &told);
	assert_true(table->pa && table->level < IOPT_MAX_LEVELS);
	if (told.nr_tables < MOST)
		told.tables[told.nr_tables] = *table;
	told.nr_tables++;
	return 0;
}

static void take_trouble(void *ctx, const struct iopt_decode_device *device,
			 const struct iopt_decode_trouble *trouble)
{
	assert_ptr_equal(ctx, &told);
	(void)device;
	if (told.nr_troubles < MOST)
		told.troubles[told.nr_troubles] = *trouble;
	told.nr_troubles++;
}

static void take_structure(void *ctx, uint64_t pa, uint64_t bytes)
{
	assert_ptr_equal(ctx, &told);
	assert_true(pa + bytes <= PAGES * PAGE || pa >= PAGES * PAGE);
	told.nr_structures++;
}

static const struct iopt_decode_visitor visitor = {
	.ctx = &told,
	.device = take_device,
	.leaf = take_leaf,
	.table = take_table,
	.structure = take_structure,
	.trouble = take_trouble,
};

static struct iopt_decode_source source;

static int clear(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	memset(&told, 0, sizeof(told));
	missing_page = 0;
	source = (struct iopt_decode_source){ .read = read_memory };
	return 0;
}

static void devices_of(enum iopt_decode_unit unit, uint64_t root)
{
	source.unit = unit;
	source.root = root;
	assert_int_equal(iopt_decode_devices(&source, &visitor), told.result);
}

static void leaves_of(const struct iopt_decode_device *device)
{
	assert_int_equal(iopt_decode_tables(&source, device, 0, UINT64_MAX, &visitor), 0);
}

static void check_trouble(enum iopt_decode_wrong what, uint64_t iova, unsigned level,
			  uint64_t entry_pa)
{
	assert_int_equal(told.nr_troubles, 1);
	assert_int_equal(told.troubles[0].what, what);
	assert_int_equal(told.troubles[0].iova, iova);
	assert_int_equal(told.troubles[0].level, level);
	assert_int_equal(told.troubles[0].entry_pa, entry_pa);
	assert_true(*iopt_decode_wrong_text(what));
}

/* Entries of VT-d's second stage, as in formats/vtd_ss.h. */
#define RW_BITS 3ull
#define LARGE	(1ull << 7)

static inline struct iopt_decode_device second_stage(uint64_t root, unsigned aw)
{
	return (struct iopt_decode_device){
		.format = "vtd-ss",
		.prot = IOPT_READ | IOPT_WRITE,
		.hw.vtd_ss = { .ssptptr = root, .aw = (uint8_t)aw },
	};
}

#endif
