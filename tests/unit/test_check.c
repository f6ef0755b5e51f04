/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt check` behind its command line: what is found in tables in memory of the test's own, and
 * sets of ranges. Each kind of finding, with its place, is for tests/cli/run, check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/iopt/check.h"
#include "tools/iopt/command.h"

#define PAGE	4096ull
#define PAGES	64u
#define RW_BITS 3ull

static uint64_t memory[PAGES][PAGE / 8];

static bool read_memory(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	(void)ctx;
	if (pa / PAGE >= PAGES)
		return false;
	memcpy(to, (const char *)memory + pa, bytes);
	return true;
}

/* What the command has from its other files. */
bool dump_has(struct dump *dump, uint64_t first, uint64_t last)
{
	(void)dump;
	return first <= last;
}

const char *mappings_device_text(uint32_t id, char text[MAPPINGS_DEVICE_BYTES])
{
	snprintf(text, MAPPINGS_DEVICE_BYTES, "%u", id);
	return text;
}

const char *grouped(uint64_t value, char text[SIZE_TEXT_BYTES])
{
	snprintf(text, SIZE_TEXT_BYTES, "%llu", (unsigned long long)value);
	return text;
}

/* ---- VT-d, legacy mode: roots in page 1, contexts in page 2 -------------------------------- */

static void add_device(unsigned id, unsigned table)
{
	memory[1][0] = 2 * PAGE | 1;
	memory[2][2 * id] = table * PAGE | 1;
	memory[2][2 * id + 1] = 1 | (uint64_t)id << 8;
}

/* Three levels in pages from one on, of which the last translates the first 2 MiB. */
static uint64_t *add_tables(unsigned id, unsigned table)
{
	add_device(id, table);
	memory[table][0] = (table + 1) * PAGE | RW_BITS;
	memory[table + 1][0] = (table + 2) * PAGE | RW_BITS;
	return memory[table + 2];
}

static int set_up(void **state)
{
	struct check *check = calloc(1, sizeof(*check));

	if (!check)
		return -1;
	memset(memory, 0, sizeof(memory));
	check->source = (struct iopt_decode_source){
		.read = read_memory,
		.unit = IOPT_DECODE_VTD,
		.root = PAGE,
	};
	*state = check;
	return 0;
}

static int tear_down(void **state)
{
	struct check *check = *state;

	check_free(check);
	free(check);
	return 0;
}

static void do_check(struct check *check)
{
	assert_int_equal(check_tables(check), 0);
	assert_int_equal(check_memory(check), 0);
	assert_false(check->no_memory);
	check_sort(check);
}

/* The only finding of a kind; NULL: there is none. */
static const struct check_finding *find(const struct check *check, enum check_kind kind)
{
	const struct check_finding *found = NULL;

	for (size_t i = 0; i < check->nr_findings; i++)
		if (check->findings[i].kind == kind) {
			assert_null(found);
			found = &check->findings[i];
		}
	return found;
}

/* ---- tables -------------------------------------------------------------------------------- */

static void a_loop(void **state)
{
	struct check *check = *state;
	const struct check_finding *found;

	add_tables(1, 10);
	memory[11][5] = 10 * PAGE | RW_BITS;
	do_check(check);
	found = find(check, CHECK_LOOP);
	assert_non_null(found);
	assert_int_equal(found->place.iova, 5 * 512 * PAGE);
	assert_int_equal(found->place.level, 1);
	assert_int_equal(found->place.entry_pa, 11 * PAGE + 5 * 8);
	assert_int_equal(found->place.entry, 10 * PAGE | RW_BITS);
	assert_null(find(check, CHECK_TABLE_SHARED));
}

#define AMD_TO(page, levels) ((page)*PAGE | (levels) << 9 | 3ull << 61 | 1)

/* Past level 1, to a table that is there already and to none: no loop by an earlier way. */
static void past_a_level(void **state)
{
	struct check *check = *state;
	const struct check_finding *found;

	check->source.unit = IOPT_DECODE_AMD;
	memory[1][0] = AMD_TO(10, 3ull) | 2;
	memory[10][0] = AMD_TO(11, 2ull);
	memory[10][1] = AMD_TO(PAGES, 1ull);
	memory[10][2] = AMD_TO(11, 1ull);
	memory[11][0] = AMD_TO(12, 1ull);
	memory[12][0] = AMD_TO(20, 0ull);
	do_check(check);
	found = find(check, CHECK_TABLE_MISSING);
	assert_non_null(found);
	assert_int_equal(found->place.level, 2);
	assert_int_equal(found->place.entry_pa, 10 * PAGE + 8);
	assert_null(find(check, CHECK_LOOP));
	found = find(check, CHECK_BAD_LEVEL);
	assert_non_null(found);
	assert_int_equal(found->place.level, 2);
	assert_int_equal(found->place.entry_pa, 10 * PAGE + 2 * 8);
}

static void too_many_tables(void **state)
{
	struct check *check = *state;

	add_tables(1, 10);
	check->source.tables_limit = 2;
	do_check(check);
	assert_non_null(find(check, CHECK_NOT_READ));
	assert_int_equal(check->totals[CHECK_WARNING], 1);
	assert_int_equal(check->nr_findings, 1);
}

/* Bit 9 is dirty with SSADE alone, which legacy mode has not. */
static void dirty_without_ssade(void **state)
{
	struct check *check = *state;

	add_tables(1, 10)[4] = 60 * PAGE | 1 | 1ull << 9;
	do_check(check);
	assert_null(find(check, CHECK_DIRTY_NOT_WRITABLE));
}

static void devices_that_share(void **state)
{
	struct check *check = *state;

	add_tables(1, 10)[4] = 60 * PAGE | RW_BITS | 1ull << 62;
	add_device(2, 10);
	add_device(3, 10);
	do_check(check);
	assert_int_equal(check->nr_spaces, 1);
	assert_int_equal(check->spaces[0].nr_users, 2);
	assert_int_equal(find(check, CHECK_RESERVED_BITS)->count, 1);
	assert_int_equal(find(check, CHECK_DOMAIN_ID_DIFFERS)->count, 2);
	assert_null(find(check, CHECK_WRITABLE_BY_TWO));
}

/* Each bus leads to the same contexts: of so many users some are kept, and all are counted. */
static void very_many_that_share(void **state)
{
	struct check *check = *state;

	add_tables(1, 10);
	add_device(2, 10);
	for (unsigned bus = 0; bus < 256; bus++)
		memory[1][2 * bus] = 2 * PAGE | 1;
	do_check(check);
	assert_int_equal(check->nr_spaces, 1);
	assert_int_equal(check->spaces[0].nr_users, 511);
	assert_int_equal(check->spaces[0].nr_kept, CHECK_MOST_USERS);
	assert_int_equal(check->spaces[0].users[255].id, 128 << 8 | 1);
	assert_true(check->spaces[0].several);
}

/* ---- memory -------------------------------------------------------------------------------- */

/* What the first one shares with the third is found though the second one lies between. */
static void the_farthest_claim(void **state)
{
	struct check *check = *state;
	uint64_t *table;

	table = add_tables(1, 10);
	for (unsigned i = 0; i < 8; i++)
		table[i] = (40 + i) * PAGE | RW_BITS;
	add_tables(2, 20)[100] = 41 * PAGE | RW_BITS;
	add_tables(3, 30)[200] = 46 * PAGE | RW_BITS;
	do_check(check);
	assert_int_equal(check->nr_findings, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(check->findings[i].kind, CHECK_WRITABLE_BY_TWO);
		assert_int_equal(check->findings[i].id, 2 + i);
		assert_int_equal(check->findings[i].bytes, PAGE);
		assert_int_equal(check->findings[i].place.iova, (100 + 100 * i) * PAGE);
	}
}

/* Tables of three devices, of which a range of the last one's has six, with other pages between. */
static void bytes_of_tables(void **state)
{
	struct check *check = *state;
	const struct check_finding *found;
	uint64_t *table;

	add_tables(1, 10);
	add_tables(2, 14);
	table = add_tables(3, 20);
	/* Pages 11 to 20: 11, 12, 14 to 16 and 20 are tables. */
	for (unsigned i = 0; i < 10; i++)
		table[i] = (11 + i) * PAGE | RW_BITS;
	do_check(check);
	found = find(check, CHECK_WRITES_TABLES);
	assert_non_null(found);
	assert_int_equal(found->id, 3);
	assert_int_equal(found->bytes, 6 * PAGE);
	assert_int_equal(found->place.iova, 0);
	assert_int_equal(found->place.entry_pa, 22 * PAGE);
}

/*
 * The place is right even where neighbours in memory have been put together; who may only read is
 * not meant.
 */
static void place_of_neighbours(void **state)
{
	struct check *check = *state;
	const struct check_finding *found;
	struct check_area area = { { 51 * PAGE, 51 * PAGE + 5 }, CHECK_WRITES_PROTECTED };
	uint64_t *table = add_tables(1, 10);

	table[1] = 51 * PAGE | 1;
	table[9] = 50 * PAGE | RW_BITS;
	table[3] = 51 * PAGE | RW_BITS;
	check->areas = &area;
	check->nr_areas = 1;
	do_check(check);
	found = find(check, CHECK_WRITES_PROTECTED);
	assert_non_null(found);
	assert_int_equal(found->place.iova, 3 * PAGE);
	assert_int_equal(found->place.entry, 51 * PAGE | RW_BITS);
	assert_int_equal(found->bytes, 6);
}

static void ranges_in_any_order(void **state)
{
	struct check_ranges ranges = { 0 };

	(void)state;
	/* Each second page, then the others, backwards: one range is left. */
	for (uint64_t i = 0; i < 1000; i += 2)
		assert_int_equal(check_ranges_add(&ranges, i * PAGE, i * PAGE + PAGE - 1, 0), 0);
	check_ranges_sort(&ranges);
	assert_int_equal(ranges.nr, 500);
	for (uint64_t i = 999; i < 1000; i -= 2)
		assert_int_equal(check_ranges_add(&ranges, i * PAGE, i * PAGE + PAGE - 1, 0), 0);
	check_ranges_sort(&ranges);
	assert_int_equal(ranges.nr, 1);
	assert_int_equal(ranges.list[0].first, 0);
	assert_int_equal(ranges.list[0].last, 1000 * PAGE - 1);
	free(ranges.list);
}

/* A million mappings of 100 pages take room for some hundreds. */
static void room_for_ranges(void **state)
{
	struct check_ranges ranges = { 0 };
	uint32_t random = 1;

	(void)state;
	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t page = (random = random * 1664525 + 1013904223) / 7 % 100 * 3;

		assert_int_equal(check_ranges_add(&ranges, page * PAGE, page * PAGE + 1, i), 0);
	}
	assert_true(ranges.room <= 512);
	check_ranges_sort(&ranges);
	assert_int_equal(ranges.nr, 100);
	free(ranges.list);
}

static void keys(void **state)
{
	struct key_map map = { 0 };

	(void)state;
	assert_null(key_map_find(&map, 0));
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(key_map_add(&map, i * PAGE, i), 0);
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(*key_map_find(&map, i * PAGE), i);
	assert_null(key_map_find(&map, 1));
	key_map_free(&map);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_loop),
		TEST(past_a_level),
		TEST(too_many_tables),
		TEST(dirty_without_ssade),
		TEST(devices_that_share),
		TEST(very_many_that_share),
		TEST(the_farthest_claim),
		TEST(bytes_of_tables),
		TEST(place_of_neighbours),
		cmocka_unit_test(ranges_in_any_order),
		cmocka_unit_test(room_for_ranges),
		cmocka_unit_test(keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
