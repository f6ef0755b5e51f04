/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt decode` behind its command line: which leaves are put together and what becomes of sums, of
 * what is shared and of what is wrong, on tables in memory of the test's own. Each form as a whole
 * is for tests/cli/run, decode_forms.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/iopt/command.h"
#include "tools/iopt/mappings.h"
#include "tools/iopt/output.h"

#define PAGES	 8u
#define READ	 1ull
#define WRITE	 2ull
#define ACCESSED 0x100ull
#define DIRTY	 0x200ull
#define SNOOP	 0x800ull

static uint64_t memory[PAGES][512];

/* What the command has in formats.c. */
unsigned format_iova_bits(const struct iopt_format_info *format, unsigned levels)
{
	return format->granule_lg2 + 9 * levels;
}

static bool read_memory(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	(void)ctx;
	if (pa >= sizeof(memory) || bytes > sizeof(memory) - pa)
		return false;
	memcpy(to, (const char *)memory + pa, bytes);
	return true;
}

/* Devices 0 and 1 have the tables of pages 2 (root) to 4, device 2 those of 5 to 7. */
static int set_up(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	memory[0][0] = 0x1001;
	for (unsigned i = 0; i < 3; i++) {
		memory[1][2 * i] = (i < 2 ? 0x2000 : 0x5000) | 1;
		memory[1][2 * i + 1] = (7 + i) << 8 | 1;
	}
	for (unsigned i = 2; i < 7; i += 1 + (i == 3))
		memory[i][0] = (i + 1) << 12 | READ | WRITE;
	memory[4][0] = 0x10000 | READ | WRITE;
	memory[4][1] = 0x11000 | READ | WRITE;
	memory[4][2] = 0x12000 | READ | WRITE | ACCESSED;
	memory[4][3] = 0x13000 | READ | WRITE | ACCESSED | DIRTY;
	memory[4][4] = 0x14000 | READ | WRITE | SNOOP;
	memory[7][9] = 0x10000 | READ;
	return 0;
}

/* What is shown. Freed by the next call. */
static const char *show_of(const struct iopt_decode_source *source, struct mappings_wish wish,
			   const char *form, uint64_t expected)
{
	static char *text;
	uint64_t troubles;
	size_t bytes;
	FILE *stream;

	free(text);
	text = NULL;
	stream = open_memstream(&text, &bytes);
	assert_non_null(stream);
	wish.name = "memory";
	wish.form = mappings_form(form);
	assert_non_null(wish.form);
	if (!wish.iova.last)
		wish.iova.last = UINT64_MAX;
	assert_int_equal(mappings_show(source, &wish, stream, &troubles), 0);
	assert_int_equal(troubles, expected);
	assert_int_equal(fclose(stream), 0);
	return text;
}

static const char *show(struct mappings_wish wish, const char *form, uint64_t expected)
{
	const struct iopt_decode_source source = { .read = read_memory, .unit = IOPT_DECODE_VTD };

	return show_of(&source, wish, form, expected);
}

static void has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("no '%s' in:\n%s", what, text);
}

static void has_not(const char *text, const char *what)
{
	if (strstr(text, what))
		fail_msg("'%s' in:\n%s", what, text);
}

static void only_what_is_alike_is_put_together(void **state)
{
	(void)state;
	assert_string_equal(show((struct mappings_wish){ .one = true }, "tsv", 0),
			    "00:00.0\t-\t0x0\t0x10000\t8192\trw-\n"
			    "00:00.0\t-\t0x2000\t0x12000\t4096\trw-\n"
			    "00:00.0\t-\t0x3000\t0x13000\t4096\trw-\n"
			    "00:00.0\t-\t0x4000\t0x14000\t4096\trw-\n");
}

static void shared_tables_are_shown_once(void **state)
{
	const char *text = show((struct mappings_wish){ 0 }, "json", 0);

	(void)state;
	has(text, "\"same_tables_as\": {\"device\": \"00:00.0\", \"pasid\": null}");
	has_not(strstr(text, "same_tables_as") + 1, "same_tables_as");
	has(show((struct mappings_wish){ 0 }, "tree", 0), "\n  the same tables as 00:00.0\n");
	/* Who asks for a part wants all who have it. */
	text = show((struct mappings_wish){ .by_pa = true, .pa = { 0x10000, 0x10fff } }, "tree", 0);
	has(text, "00:00.0  domain 7");
	has(text, "00:00.1  domain 8");
	has(text, "00:00.2  domain 9");
	has_not(text, "the same tables");
}

/* A root that is walked in other levels leads elsewhere: here to four tables that are not there. */
static void other_levels_are_other_tables(void **state)
{
	(void)state;
	memory[1][4] = 0x2001;
	memory[1][5] = 9 << 8 | 2;
	has_not(strstr(show((struct mappings_wish){ 0 }, "tree", 5), "00:00.2"), "the same tables");
}

/* Address spaces of the two halves of one, by one table, beside one of other attributes. */
static const struct iopt_decode_source halves = {
	.read = read_memory,
	.unit = IOPT_DECODE_SMMUV3,
	.root = 0x1000,
	.config = 2,
};

/* Of a stream table entry and a context descriptor: arm-s1, 3 levels, root 0x3000. */
static void put_stream(unsigned stream, uint64_t mair)
{
	uint64_t *ste = &memory[1][8 * stream], *cd = &memory[2][8 * stream];

	ste[0] = (0x2000 + 64 * stream) | 5 << 1 | 1; /* CONFIG: stage 1 translates */
	/* T0SZ and T1SZ 25; TG1 4K; V, IPS 48 bits, AA64. */
	cd[0] = 25 | 25 << 16 | 2ull << 22 | 1ull << 31 | 5ull << 32 | 1ull << 41;
	cd[1] = cd[2] = 0x3000;
	cd[3] = mair;
}

static void halves_are_not_the_same_tables(void **state)
{
	const char *text;

	(void)state;
	memset(memory, 0, sizeof(memory));
	put_stream(0, 0xff);
	put_stream(1, 0xff);
	put_stream(2, 0x44);
	memory[3][0] = 0x4003;
	memory[4][0] = 0x5003;
	memory[5][1] = 0x10000 | 1 << 10 | 3;
	text = show_of(&halves, (struct mappings_wish){ 0 }, "tree", 0);
	has(text, "  0x000000001000..0x000000001fff  0x000000010000");
	has(text, "  0xffffff8000001000..0xffffff8000001fff  0x000000010000");
	text = strstr(text, "00:00.1");
	has(text, "  the same tables as 00:00.0\n\n00:00.1");
	has_not(strstr(text, "00:00.2"), "the same tables as 00:00.0");
}

/* Device 3 passes through. */
static void what_passes_through_is_told_if_asked_for(void **state)
{
	struct mappings_wish wish = { .one = true, .id = 3 };

	(void)state;
	memory[1][6] = 2 << 2 | 1;
	memory[1][7] = 10 << 8 | 2;
	assert_string_equal(show(wish, "tsv", 0), "");
	assert_string_equal(show(wish, "raw", 0), "Device 00:00.3 passes through\n");
	wish.iova = (struct span){ 0x1000, 0x2fff };
	assert_string_equal(show(wish, "tsv", 0), "00:00.3\t-\t0x1000\t0x1000\t8192\trw-\n");
	assert_string_equal(show(wish, "raw", 0), "Device 00:00.3 passes through\n");
	wish.dirty = true;
	assert_string_equal(show(wish, "tsv", 0), "");
	wish = (struct mappings_wish){ .by_pa = true, .pa = { 0, UINT64_MAX } };
	has(show(wish, "tsv", 0), "00:00.3\t-\t0x0\t0x0\t18446744073709551616\trw-\n");
	has(show(wish, "json", 0), "\"pa\": \"0x0\", \"size\": 18446744073709551616, ");
	has(show(wish, "tree", 0), "  0x000000000000       all  rw-");
}

static ssize_t fails_to_read(void *cookie, char *to, size_t bytes)
{
	(void)cookie;
	(void)to;
	(void)bytes;
	errno = EIO;
	return -1;
}

static int seeks(void *cookie, off64_t *offset, int whence)
{
	(void)cookie;
	(void)whence;
	*offset = 0;
	return 0;
}

static void what_was_put_aside_must_be_readable(void **state)
{
	FILE *bad = fopencookie(NULL, "r+",
				(cookie_io_functions_t){ .read = fails_to_read, .seek = seeks });
	FILE *aside = tmpfile(), *to = tmpfile();
	char text[8] = "";

	(void)state;
	assert_non_null(bad);
	assert_true(aside && to);
	assert_int_equal(output_copy(bad, to), -EIO);
	assert_int_equal(ftell(to), 0);
	fputs("aside", aside);
	assert_int_equal(output_copy(aside, to), 0);
	rewind(to);
	assert_string_equal(fgets(text, sizeof(text), to), "aside");
	fclose(bad);
	fclose(aside);
	fclose(to);
}

static void sums_are_of_what_is_there(void **state)
{
	const char *text = show((struct mappings_wish){ .one = true, .dirty = true }, "tree", 0);

	(void)state;
	has(text, "\n  1 mappings, 20.0K mapped: 5 x 4K; 3 tables of 12.0K\n"
		  "  accessed: 2 leaves of 8.00K; dirty: 1 leaves of 4.00K\n");
	text = show((struct mappings_wish){ .one = true, .iova = { 0, 0x2fff } }, "json", 0);
	has(text, "\"mapped\": {\"leaves\": 3, \"bytes\": 12288}, "
		  "\"accessed\": {\"leaves\": 1, \"bytes\": 4096}, "
		  "\"dirty\": {\"leaves\": 0, \"bytes\": 0}, \"leaves\": {\"4096\": 3}");
}

static void what_is_wrong_is_at_its_place(void **state)
{
	const char *text;

	(void)state;
	memory[3][1] = 0x40001083;
	text = show((struct mappings_wish){ 0 }, "tree", 1);
	has(strstr(text, "0x000000014000"), "  ! 00:00.0, iova 0x200000, level 1, at 0x3008");
	text = show((struct mappings_wish){ 0 }, "json", 1);
	has(text, "\"troubles\": 1}");
	has(strstr(text, "\n  \"troubles\": ["),
	    "\"iova\": \"0x200000\", \"level\": 1, \"entry_pa\": \"0x3008\"");
}

static void raw_forgets_no_entry(void **state)
{
	(void)state;
	has(show((struct mappings_wish){ .one = true, .id = 2 }, "raw", 0),
	    "Device 00:00.2 @0x5000\nIOVA_PFN         \tPML5E             \tPML4E             "
	    "\tPDPE              \tPDE               \tPTE\n"
	    "0x0000000000009 |\t0x0000000000000000\t0x0000000000000000\t0x0000000000006003"
	    "\t0x0000000000007003\t0x0000000000010001\n");
}

static void a_page_is_written_at_once(void **state)
{
	const char *text = show((struct mappings_wish){ 0 }, "html", 0);

	(void)state;
	has(text, "[\"00:00.0\",-1,7,\"translated\",3,0],\n[\"00:00.1\",-1,8,\"translated\",3,0],\n"
		  "[\"00:00.2\",-1,9,\"translated\",3,1]");
	has(text, "\"maps\":[0,2,16,12291,0,1,0,12547,0,1,0,13059,0,1,0,12307]");
	has(text, "\"maps\":[9,1,16,12289]");
	assert_null(mappings_form("xml"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_what_is_alike_is_put_together, set_up),
		cmocka_unit_test_setup(shared_tables_are_shown_once, set_up),
		cmocka_unit_test_setup(other_levels_are_other_tables, set_up),
		cmocka_unit_test_setup(halves_are_not_the_same_tables, set_up),
		cmocka_unit_test_setup(what_passes_through_is_told_if_asked_for, set_up),
		cmocka_unit_test(what_was_put_aside_must_be_readable),
		cmocka_unit_test_setup(sums_are_of_what_is_there, set_up),
		cmocka_unit_test_setup(what_is_wrong_is_at_its_place, set_up),
		cmocka_unit_test_setup(raw_forgets_no_entry, set_up),
		cmocka_unit_test_setup(a_page_is_written_at_once, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
