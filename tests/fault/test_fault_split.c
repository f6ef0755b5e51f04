/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every allocation of what splits leaves fails in turn, once alone and once with all that come
 * after it: the error is -ENOMEM, everything translates as before, dirty or not, no table is lost,
 * and the same operation succeeds afterwards. A split says where it stopped, and is done up to
 * there.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/support.h"

#define PAGE 4096ull
#define AT   (512 * GIB)

static struct device device;
static struct iopt_gather gather;
static struct snapshot before;
static uint64_t next;

static void map(uint64_t first, uint64_t bytes)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1, first, RW, NULL), 0);
}

/* ---- what is split ------------------------------------------------------------------------- */

/* A dirty gigabyte, a clean one, and smaller leaves. */
static void prepare(const struct hardware *hw)
{
	map(AT, GIB);
	map(AT + GIB, GIB);
	map(AT + 2 * GIB, 4 * MIB + 64 * KIB);
	assert_true(device_writes(hw, device.domain, AT));
	assert_true(device_writes(hw, device.domain, AT + 2 * GIB));
}

/* From where it stopped, as a caller would. */
static int split_to(unsigned leaf_lg2)
{
	if (!next)
		next = AT;
	return iopt_split(device.domain, next, AT + 3 * GIB - 1, leaf_lg2, 0, &gather, 0, &next);
}

static int split_to_blocks(void)
{
	return split_to(21);
}

static int split_a_page(void)
{
	return iopt_split(device.domain, AT + 7 * PAGE, AT + 8 * PAGE - 1, ~0u, 0, &gather, 0,
			  NULL);
}

static int split_small(void)
{
	if (!next)
		next = AT + 2 * GIB;
	return iopt_split(device.domain, next, AT + 3 * GIB - 1, 12, 0, &gather, 0, &next);
}

static int protect_across(void)
{
	return iopt_protect(device.domain, AT + 3 * PAGE, AT + GIB + MIB - 1, RW, &gather);
}

static int track_blocks(void)
{
	int result;

	do
		result = iopt_track_split(device.domain, 21, 0, 50, &next);
	while (result == 1);
	return result;
}

/* ---- what must hold ------------------------------------------------------------------------ */

/* The leaf that translated an IOVA before; NULL: none did. */
static const struct iopt_item *leaf_before(uint64_t iova)
{
	for (unsigned i = 0; i < before.nr; i++)
		if (!(before.items[i].flags & IOPT_ITEM_TABLE) && before.items[i].first <= iova &&
		    before.items[i].last >= iova)
			return &before.items[i];
	return NULL;
}

static uint64_t bytes_before(void)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < before.nr; i++)
		if (!(before.items[i].flags & IOPT_ITEM_TABLE))
			bytes += before.items[i].last - before.items[i].first + 1;
	return bytes;
}

/* Every leaf lies in one from before, leads to the same bytes, and is as dirty; none is missing. */
static void check_translates(bool dirty_counts)
{
	struct iopt_item items[64];
	struct iopt_visit visit;
	uint64_t bytes = 0;

	iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_LEAVES);
	while (!visit.done) {
		size_t nr = iopt_visit(device.domain, &visit, items, 64);

		for (size_t i = 0; i < nr; i++) {
			const struct iopt_item *now = &items[i], *old = leaf_before(now->first);

			assert_non_null(old);
			assert_true(now->last <= old->last);
			assert_int_equal(now->pa - old->pa, now->first - old->first);
			assert_int_equal(now->prot, old->prot);
			if (dirty_counts)
				assert_int_equal(now->flags & IOPT_ITEM_DIRTY,
						 old->flags & IOPT_ITEM_DIRTY);
			bytes += now->last - now->first + 1;
		}
	}
	assert_int_equal(bytes, bytes_before());
}

static void check_no_table_lost(void)
{
	struct iopt_posix_memory memory;
	struct iopt_stats stats;

	iopt_stats(device.domain, &stats);
	iopt_posix_memory(&memory);
	assert_int_equal(memory.tables, stats.tables);
}

/* What lies before the place where it stopped is no larger than asked for. */
static void check_done_until(uint64_t from, uint64_t until, unsigned leaf_lg2)
{
	struct iopt_item leaf;

	for (uint64_t at = from; at < until; at = leaf.last + 1) {
		if (!find_leaf(device.domain, at, &leaf))
			break;
		if (leaf.last < until)
			assert_true(leaf.leaf_lg2 <= leaf_lg2);
	}
}

/**
 * struct trial - an operation whose allocations are to fail
 * @run:   the operation; again after a failure
 * @flags: of the domain
 * @split: size that it splits to, as far as it came; 0: no matter
 * @from:  from there on
 */
struct trial {
	int (*run)(void);
	uint32_t flags;
	unsigned split;
	uint64_t from;
};

static bool fail_at(const struct trial *trial, const char *format, uint64_t nth, bool repeat)
{
	struct iopt_config config = { .format = format, .levels = 4, .flags = trial->flags };
	bool tracked = trial->flags & IOPT_TRACK;
	uint64_t made;
	int result;

	memset(&device, 0, sizeof(device));
	next = 0;
	assert_int_equal(device_create(&device, &config), 0);
	iopt_gather_init(&gather, device.domain, NULL);
	prepare(hardware_of(format));
	assert_true(snapshot_take(&before, device.domain));

	iopt_posix_fail(nth, repeat);
	result = trial->run();
	made = iopt_posix_fail(0, false);
	if (result) {
		assert_int_equal(result, -ENOMEM);
		assert_true(made >= nth);
		check_translates(true);
		check_no_table_lost();
		if (trial->split)
			check_done_until(trial->from, next, trial->split);
		assert_int_equal(trial->run(), 0);
	}
	check_translates(tracked);
	check_no_table_lost();
	iopt_sync(&gather);
	assert_true(device_destroy(&device));
	return result != 0;
}

/* Returns how many allocations there were to fail; of many the first ones, and then some. */
static unsigned fail_each(const struct trial *trial, const char *format)
{
	unsigned failures = 0, nth = 1;

	while (fail_at(trial, format, nth, false)) {
		assert_true(fail_at(trial, format, nth, true));
		nth += nth < 20 ? 1 : 97;
		failures++;
	}
	return failures;
}

static void run_trial(const struct trial *trial, unsigned least)
{
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1))
		assert_true(fail_each(trial, formats[i]) >= least);
}

static void splits(void **state)
{
	const struct trial blocks = { split_to_blocks, IOPT_TRACK, 21, AT };
	const struct trial page = { split_a_page, IOPT_TRACK, 0, 0 };
	const struct trial small = { split_small, IOPT_TRACK, 12, AT + 2 * GIB };

	(void)state;
	run_trial(&blocks, 2);
	run_trial(&page, 2);
	run_trial(&small, 2);
}

static void protects(void **state)
{
	const struct trial trial = { protect_across, IOPT_TRACK | IOPT_SPLIT, 0, 0 };

	(void)state;
	run_trial(&trial, 3);
}

/* Tracking is off until all is split. What was dirty until then is nobody's. */
static void tracks(void **state)
{
	const struct trial trial = { track_blocks, IOPT_TRACKABLE, 0, 0 };

	(void)state;
	run_trial(&trial, 2);
}

/* ---- unmap --------------------------------------------------------------------------------- */

static bool fail_unmap_at(const char *format, uint64_t nth, bool repeat)
{
	struct iopt_config config = { .format = format,
				      .levels = 4,
				      .flags = IOPT_TRACK | IOPT_SPLIT };
	const uint64_t first = AT + 3 * PAGE, last = AT + GIB + MIB - 1;
	int result;

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	iopt_gather_init(&gather, device.domain, NULL);
	prepare(hardware_of(format));
	assert_true(snapshot_take(&before, device.domain));
	iopt_posix_fail(nth, repeat);
	result = iopt_unmap(device.domain, first, last, IOPT_UNMAP_TRIM, &gather, NULL);
	iopt_posix_fail(0, false);
	if (result) {
		assert_int_equal(result, -ENOMEM);
		check_translates(true);
		check_no_table_lost();
		assert_int_equal(iopt_unmap(device.domain, first, last, 0, &gather, NULL), 0);
	}
	iopt_sync(&gather);
	assert_int_equal(count_items(device.domain, first, last, IOPT_VISIT_LEAVES), 0);
	assert_true(count_items(device.domain, AT, first - 1, IOPT_VISIT_LEAVES) > 0);
	assert_true(device_destroy(&device));
	return result != 0;
}

static void unmaps(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		unsigned failures = 0;

		while (fail_unmap_at(formats[i], failures + 1, false)) {
			assert_true(fail_unmap_at(formats[i], failures + 1, true));
			failures++;
		}
		assert_true(failures >= 3);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits),
		cmocka_unit_test(protects),
		cmocka_unit_test(tracks),
		cmocka_unit_test(unmaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
