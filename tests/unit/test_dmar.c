/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The DMAR table as the kernel's VT-d driver reads it (kmod/vtd/dmar.c): well-formed ones, each way
 * of being malformed, and random bytes, at the end of memory that may not be read beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kmod/vtd/dmar.h"
#include "tests/support/support.h"

#define HEADER 48u
#define MOST   65536u

static struct dmar dmar;
static uint8_t table[MOST];
static size_t bytes, at;

/* ---- making tables ------------------------------------------------------------------------- */

static void put(size_t offset, uint64_t value, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		table[offset + i] = (uint8_t)(value >> 8 * i);
}

/* 39 bits of physical addresses, and nothing else yet. */
static void begin(void)
{
	memset(table, 0, sizeof(table));
	memcpy(table, "DMAR", 4);
	bytes = HEADER;
	put(4, bytes, 4);
	put(36, 38, 1);
}

/* Appends a structure of a type, zeroes behind its header; returns where it is. */
static size_t add(unsigned type, unsigned length)
{
	size_t where = bytes;

	put(where, type, 2);
	put(where + 2, length, 2);
	bytes += length;
	put(4, bytes, 4);
	return where;
}

static size_t add_unit(uint64_t address, unsigned flags, unsigned segment)
{
	size_t where = add(0, 16);

	put(where + 4, flags, 1);
	put(where + 6, segment, 2);
	put(where + 8, address, 8);
	return where;
}

static size_t add_region(uint64_t first, uint64_t last)
{
	size_t where = add(1, 24);

	put(where + 8, first, 8);
	put(where + 16, last, 8);
	return where;
}

/* A scope of the structure that was added last. */
static size_t add_scope(size_t structure, unsigned type, unsigned bus, unsigned hops,
			const uint8_t *path)
{
	size_t where = bytes;

	put(where, type, 1);
	put(where + 1, 6 + 2 * hops, 1);
	put(where + 5, bus, 1);
	for (unsigned i = 0; i < 2 * hops; i++)
		table[where + 6 + i] = path[i];
	bytes += 6 + 2 * hops;
	put(4, bytes, 4);
	put(structure + 2, bytes - structure, 2);
	return where;
}

/* From memory of just that size, so that a sanitizer sees a read beyond. */
static const char *parse(void)
{
	uint8_t *copy = malloc(bytes);
	const char *wrong;

	assert_non_null(copy);
	memcpy(copy, table, bytes);
	wrong = dmar_parse(copy, bytes, &dmar, &at);
	free(copy);
	return wrong;
}

/* ---- well-formed --------------------------------------------------------------------------- */

static void one_unit(void **state)
{
	(void)state;
	begin();
	add_unit(0xfed90000, 1, 0);
	assert_null(parse());
	assert_int_equal(dmar.pa_lg2, 39);
	assert_int_equal(dmar.nr_units, 1);
	assert_int_equal(dmar.units[0].address, 0xfed90000);
	assert_true(dmar.units[0].all);
	assert_int_equal(dmar.units[0].segment, 0);
	assert_int_equal(dmar.units[0].scopes.nr, 0);
	assert_int_equal(dmar.nr_regions, 0);
}

/* Scopes of several structures, some that are not read, and structures that are not known. */
static void many_structures(void **state)
{
	size_t where;

	(void)state;
	begin();
	where = add_unit(0xfed91000, 0, 2);
	add_scope(where, 3, 0xf0, 1, (const uint8_t[]){ 31, 0 }); /* an I/O APIC */
	add_scope(where, 1, 0x10, 1, (const uint8_t[]){ 2, 1 });
	add_scope(where, 2, 0, 3, (const uint8_t[]){ 1, 0, 2, 3, 31, 7 });
	add(2, 8);
	add(99, 40);
	where = add_region(0x7b000000, 0x7b7fffff);
	add_scope(where, 1, 0, 1, (const uint8_t[]){ 20, 0 });
	add_unit(0xfed92000, 1, 0);
	assert_null(parse());
	assert_int_equal(dmar.nr_units, 2);
	assert_false(dmar.units[0].all);
	assert_int_equal(dmar.units[0].segment, 2);
	assert_int_equal(dmar.units[0].scopes.first, 0);
	assert_int_equal(dmar.units[0].scopes.nr, 2);
	assert_int_equal(dmar.scopes[0].type, DMAR_ENDPOINT);
	assert_int_equal(dmar.scopes[0].bus, 0x10);
	assert_int_equal(dmar.scopes[0].hops, 1);
	assert_int_equal(dmar.scopes[0].path[0], 2 << 3 | 1);
	assert_int_equal(dmar.scopes[1].type, DMAR_BRIDGE);
	assert_int_equal(dmar.scopes[1].hops, 3);
	assert_int_equal(dmar.scopes[1].path[2], 31 << 3 | 7);
	assert_int_equal(dmar.nr_regions, 1);
	assert_int_equal(dmar.regions[0].first, 0x7b000000);
	assert_int_equal(dmar.regions[0].last, 0x7b7fffff);
	assert_int_equal(dmar.regions[0].scopes.first, 2);
	assert_int_equal(dmar.regions[0].scopes.nr, 1);
	assert_int_equal(dmar.units[1].scopes.nr, 0);
}

/* More may be readable than the table has. */
static void shorter_than_memory(void **state)
{
	(void)state;
	begin();
	add_unit(0xfed90000, 1, 0);
	bytes += 100;
	assert_null(parse());
	assert_int_equal(dmar.nr_units, 1);
}

/* ---- malformed ----------------------------------------------------------------------------- */

static void expect_wrong(const char *words, size_t where)
{
	const char *wrong = parse();

	assert_non_null(wrong);
	if (!strstr(wrong, words))
		fail_msg("\"%s\" does not say \"%s\"", wrong, words);
	assert_int_equal(at, where);
}

static void wrong_headers(void **state)
{
	(void)state;
	begin();
	expect_wrong("names no unit", HEADER);
	bytes = HEADER - 1;
	expect_wrong("shorter than its header", 0);
	bytes = 0;
	expect_wrong("shorter than its header", 0);
	begin();
	put(4, HEADER + 1, 4);
	expect_wrong("its length is wrong", 0);
	put(4, HEADER - 1, 4);
	expect_wrong("its length is wrong", 0);
	begin();
	put(36, 30, 1);
	expect_wrong("host address width", 0);
	put(36, 52, 1);
	expect_wrong("host address width", 0);
}

static void wrong_structures(void **state)
{
	size_t where;

	(void)state;
	for (unsigned length = 0; length < 4; length++) {
		begin();
		where = add_unit(0xfed90000, 1, 0);
		put(where + 2, length, 2);
		expect_wrong("a structure's length is wrong", where);
	}
	put(where + 2, 17, 2);
	expect_wrong("a structure's length is wrong", where);
	put(where + 2, 15, 2);
	expect_wrong("a unit's structure is too short", where);
	begin();
	add_unit(0xfed90000, 1, 0);
	where = bytes;
	bytes += 3;
	put(4, bytes, 4);
	expect_wrong("a structure is cut off", where);
	begin();
	where = add_region(0x1000, 0x1fff);
	put(where + 2, 23, 2);
	bytes--;
	put(4, bytes, 4);
	expect_wrong("a reserved region's structure is too short", where);
}

static void wrong_addresses(void **state)
{
	static const uint64_t addresses[] = { 0, 0xfed90800, 1ull << 52, ~0ull };
	size_t where;

	(void)state;
	for (unsigned i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		begin();
		where = add_unit(addresses[i], 1, 0);
		expect_wrong("register address", where);
	}
	begin();
	add_unit(0xfed90000, 0, 0);
	where = add_unit(0xfed90000, 1, 0);
	expect_wrong("the same registers", where);
	begin();
	where = add_region(0x1000, 0x2000);
	expect_wrong("not whole pages", where);
	begin();
	where = add_region(0x1800, 0x1fff);
	expect_wrong("not whole pages", where);
	begin();
	where = add_region(0x3000, 0x1fff);
	expect_wrong("ends before it begins", where);
}

static void wrong_scopes(void **state)
{
	static const uint8_t long_path[20];
	size_t unit, scope;

	(void)state;
	for (unsigned length = 0; length < 12; length++) {
		if (length == 8)
			continue;
		begin();
		unit = add_unit(0xfed90000, 0, 0);
		scope = add_scope(unit, 1, 0, 1, (const uint8_t[]){ 1, 0 });
		put(scope + 1, length, 1);
		expect_wrong(length == 6 ? "path is empty" : "a device scope's length is wrong",
			     scope);
	}
	begin();
	unit = add_unit(0xfed90000, 0, 0);
	scope = add_scope(unit, 1, 0, 9, long_path);
	expect_wrong("path is empty or too long", scope);
	begin();
	unit = add_unit(0xfed90000, 0, 0);
	scope = add_scope(unit, 2, 0, 1, (const uint8_t[]){ 32, 0 });
	expect_wrong("no such device", scope);
	table[scope + 6] = 31;
	table[scope + 7] = 8;
	expect_wrong("no such device", scope);
	begin();
	unit = add_unit(0xfed90000, 0, 0);
	scope = bytes;
	bytes += 5;
	put(4, bytes, 4);
	put(unit + 2, 21, 2);
	expect_wrong("a device scope is cut off", scope);
}

static void too_many(void **state)
{
	size_t where = 0;

	(void)state;
	begin();
	for (unsigned i = 0; i <= DMAR_MOST_UNITS; i++)
		where = add_unit(0xfed00000ull + i * 4096ull, 0, 0);
	expect_wrong("too many units", where);
	begin();
	for (unsigned i = 0; i <= DMAR_MOST_REGIONS; i++)
		where = add_region(0x1000, 0x1fff);
	expect_wrong("too many reserved regions", where);
	begin();
	where = add_unit(0xfed90000, 0, 0);
	for (unsigned i = 0; i < DMAR_MOST_SCOPES; i++)
		add_scope(where, 1, 0, 1, (const uint8_t[]){ 1, 0 });
	assert_null(parse());
	assert_int_equal(dmar.nr_scopes, DMAR_MOST_SCOPES);
	expect_wrong("too many device scopes",
		     add_scope(where, 1, 0, 1, (const uint8_t[]){ 1, 0 }));
}

/* ---- anything ------------------------------------------------------------------------------ */

/* What was read is within the table's bounds and the arrays', whatever the bytes are. */
static void check_lists(void)
{
	assert_true(dmar.nr_units <= DMAR_MOST_UNITS && dmar.nr_regions <= DMAR_MOST_REGIONS);
	assert_true(dmar.nr_scopes <= DMAR_MOST_SCOPES);
	for (unsigned i = 0; i < dmar.nr_units; i++)
		assert_true(dmar.units[i].scopes.first + dmar.units[i].scopes.nr <= dmar.nr_scopes);
	for (unsigned i = 0; i < dmar.nr_scopes; i++)
		assert_true(dmar.scopes[i].hops >= 1 && dmar.scopes[i].hops <= DMAR_MOST_HOPS);
	assert_true(at <= bytes);
}

static void changed_bytes(void **state)
{
	struct random dice;
	unsigned good = 0;
	size_t where;

	(void)state;
	random_seed(&dice, 1);
	for (unsigned round = 0; round < 100000; round++) {
		begin();
		where = add_unit(0xfed91000, 0, 0);
		add_scope(where, 1, 1, 2, (const uint8_t[]){ 1, 0, 2, 3 });
		add_scope(where, 4, 0, 1, (const uint8_t[]){ 2, 0 });
		where = add_region(0x1000, 0x1fff);
		add_scope(where, 2, 0, 1, (const uint8_t[]){ 4, 0 });
		add_unit(0xfed92000, 1, 0);
		for (unsigned i = 0; i < 3; i++)
			table[random_below(&dice, bytes)] = (uint8_t)random_below(&dice, 256);
		bytes -= random_below(&dice, 8) ? 0 : random_below(&dice, bytes);
		good += !parse();
		check_lists();
	}
	assert_true(good > 1000); /* many bytes mean nothing here */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_unit),
		cmocka_unit_test(many_structures),
		cmocka_unit_test(shorter_than_memory),
		cmocka_unit_test(wrong_headers),
		cmocka_unit_test(wrong_structures),
		cmocka_unit_test(wrong_addresses),
		cmocka_unit_test(wrong_scopes),
		cmocka_unit_test(too_many),
		cmocka_unit_test(changed_bytes),
	};

	return cmocka_run_group_tests_name("dmar", tests, NULL, NULL);
}
