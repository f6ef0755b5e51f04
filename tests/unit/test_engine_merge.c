/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * merge, one thread: what it refuses, which leaves become one and which stay, what the larger leaf
 * inherits, what is owed, claims, the whole range as one leaf, and stopping early.
 */
#include <errno.h>
#include <string.h>

#include "tests/unit/fixture.h"

#define AT  (512 * GIB)
#define PA  (3 * 512 * GIB)
#define ANY (~0u)

static int merge(uint64_t first, uint64_t last, unsigned leaf_lg2)
{
	return iopt_merge(device.domain, first, last, leaf_lg2, 0, &gather, 0, NULL);
}

static uint64_t bytes_of(unsigned lg2)
{
	return 1ull << lg2;
}

/* A range in pages, each by itself, as maps of one page at a time leave it. */
static void map_in_pages(uint64_t first, uint64_t bytes, uint64_t pa, unsigned prot)
{
	for (uint64_t at = 0; at < bytes; at += PAGE)
		map_to(first + at, PAGE, pa + at, prot);
}

/* One leaf of that size at AT, split into pages or larger leaves. */
static void map_split(unsigned lg2, unsigned to)
{
	map_to(AT, bytes_of(lg2), PA, RW);
	assert_int_equal(
		iopt_split(device.domain, AT, AT + bytes_of(lg2) - 1, to, 0, &gather, 0, NULL), 0);
	iopt_sync(&gather);
	check_leaves(AT, bytes_of(lg2), PA, to);
	device_forget(&device);
}

/* ---- arguments ----------------------------------------------------------------------------- */

static void check_refused(uint64_t first, uint64_t last, unsigned leaf_lg2, unsigned flags,
			  int result)
{
	static struct snapshot snapshot;

	assert_true(snapshot_take(&snapshot, device.domain));
	assert_int_equal(iopt_merge(device.domain, first, last, leaf_lg2, flags, &gather, 0, NULL),
			 result);
	assert_int_equal(gather.nr_tables, 0);
	assert_int_equal(claims.held, 0);
	assert_true(snapshot_same(&snapshot, device.domain));
}

static void bad_ranges(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map_in_pages(AT, 2 * MIB, PA, RW);
		for (unsigned bit = 0; bit < 12; bit++) {
			check_refused(AT + (1ull << bit), AT + GIB - 1, ANY, 0, -EINVAL);
			check_refused(AT, AT + GIB - 1 - (1ull << bit), ANY, 0, -EINVAL);
		}
		check_refused(AT + PAGE, AT + PAGE - 1, ANY, 0, -EINVAL);
		check_refused(AT + MIB, AT + PAGE - 1, ANY, 0, -EINVAL);
		close_domain();
	}
	open_domain("vtd-ss", 3, 0);
	check_refused(0, 512 * GIB + PAGE - 1, ANY, 0, -ERANGE);
	close_domain();
	open_domain("x86-64", 4, IOPT_SIGN_EXTEND);
	check_refused(HALF - PAGE, HALF + PAGE - 1, ANY, 0, -ERANGE);
	check_refused(0, ~0ull, ANY, 0, -ERANGE);
	close_domain();
}

static void bad_sizes_flags_and_gathers(void **state)
{
	struct iopt_config config = { .format = "vtd-ss" };
	struct iopt_gather elsewhere;
	struct device other = { 0 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map_in_pages(AT, 2 * MIB, PA, RW);
		for (unsigned lg2 = 0; lg2 < 70; lg2++)
			if (lg2 > 63 || !(sizes >> lg2 & 1))
				check_refused(AT, AT + GIB - 1, lg2, 0, -EINVAL);
		check_refused(AT, AT + 2 * MIB - 1, ANY, 4, -EINVAL);
		check_refused(AT, AT + 2 * MIB - 1, ANY, ~0u, -EINVAL);
		close_domain();
	}
	open_domain("vtd-ss", 4, 0);
	map_in_pages(AT, 2 * MIB, PA, RW);
	assert_int_equal(device_create(&other, &config), 0);
	iopt_gather_init(&elsewhere, other.domain, NULL);
	assert_int_equal(iopt_merge(other.domain, 0, PAGE - 1, ANY, IOPT_CLAIM, &elsewhere, 0,
				    NULL),
			 -EINVAL);
	assert_int_equal(iopt_merge(device.domain, AT, AT + 2 * MIB - 1, ANY, 0, &elsewhere, 0,
				    NULL),
			 -EINVAL);
	assert_int_equal(leaf_lg2_at(AT), 12);
	iopt_destroy(other.domain);
	close_domain();
}

/* ---- what becomes one ---------------------------------------------------------------------- */

/* Any leaf, split into any smaller ones, comes back; the tables go. */
static void every_size_comes_back(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (unsigned lg2 = 13; lg2 <= 31; lg2++) {
			for (unsigned to = 12; to < lg2; to++) {
				uint64_t linked;

				open_domain(formats[i], 4, 0);
				if (!(sizes >> lg2 & 1) || !(sizes >> to & 1)) {
					close_domain();
					continue;
				}
				map_to(AT, bytes_of(lg2), PA, RW);
				linked = tables();
				unmap(AT, bytes_of(lg2));
				map_split(lg2, to);
				assert_int_equal(merge(AT, AT + bytes_of(lg2) - 1, ANY), 0);
				check_leaves(AT, bytes_of(lg2), PA, lg2);
				assert_int_equal(tables(), linked);
				assert_true(stats_now().merged >= 1);
				close_domain();
			}
		}
	}
}

/* Mapped a page at a time, never larger before. */
static void pages_become_the_largest(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_TRACK);
		map_in_pages(AT - 13 * PAGE, 4 * MIB + 30 * PAGE, PA - 13 * PAGE, RW);
		assert_int_equal(merge(0, AT + GIB - 1, ANY), 0);
		check_largest(AT - 13 * PAGE, AT + 4 * MIB + 17 * PAGE - 1, PA - 13 * PAGE, 63);
		assert_int_equal(stats_now().freed[IOPT_FREED_MERGE], 2);
		close_domain();
	}
}

/* Only what lies in the range, and nothing larger than asked for. */
static void within_the_range(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map_split(30, 12);
		assert_int_equal(merge(AT + PAGE, AT + 8 * MIB - PAGE - 1, ANY), 0);
		assert_int_equal(leaf_lg2_at(AT), 12);
		check_largest(AT + PAGE, AT + 8 * MIB - PAGE - 1, PA + PAGE, 63);
		assert_int_equal(leaf_lg2_at(AT + 8 * MIB - PAGE), 12);
		assert_int_equal(merge(AT, AT + GIB - 1, 21), 0);
		check_leaves(AT, GIB, PA, 21);
		assert_int_equal(merge(AT, AT + GIB - 1, 12), 0);
		check_leaves(AT, GIB, PA, 21);
		assert_int_equal(merge(AT, AT + GIB - 1, 30), 0);
		check_leaves(AT, GIB, PA, 30);
		close_domain();
	}
}

/* A range that begins in the middle of an entry: the leaf that this is of stays as it is. */
static void from_within_a_leaf(void **state)
{
	(void)state;
	open_domain("amd-v1", 4, IOPT_TRACKABLE);
	map_to(AT, 128 * MIB, PA, RW);
	assert_int_equal(iopt_split(device.domain, AT, AT + 128 * MIB - 1, 25, 0, &gather, 0, NULL),
			 0);
	assert_int_equal(merge(AT + PAGE, AT + 128 * MIB - 1, ANY), 0);
	check_leaves(AT, 32 * MIB, PA, 25);
	check_leaves(AT + 32 * MIB, 32 * MIB, PA + 32 * MIB, 25);
	check_leaves(AT + 64 * MIB, 64 * MIB, PA + 64 * MIB, 26);
	assert_int_equal(merge(AT, AT + 128 * MIB - PAGE - 1, ANY), 0);
	check_leaves(AT, 64 * MIB, PA, 26);
	check_leaves(AT + 64 * MIB, 64 * MIB, PA + 64 * MIB, 26);
	close_domain();
}

/* One page missing, elsewhere, or with other permissions, wherever it is: no merge across it. */
static void across_a_stranger(void **state)
{
	static const uint64_t places[] = { 0, 1, 300, 510, 511 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (unsigned k = 0; k < 15; k++) {
			uint64_t odd = AT + places[k % 5] * PAGE;

			open_domain(formats[i], 4, 0);
			map_in_pages(AT, 2 * MIB, PA, RW);
			unmap(odd, PAGE);
			if (k / 5 == 1)
				map_to(odd, PAGE, PA + (odd - AT) + 2 * MIB, RW);
			else if (k / 5 == 2)
				map_to(odd, PAGE, PA + (odd - AT), IOPT_READ);
			assert_int_equal(merge(AT, AT + 2 * MIB - 1, ANY), 0);
			if (odd > AT)
				check_largest(AT, odd - 1, PA, i < 2 ? 12 : 20);
			assert_int_equal(leaf_lg2_at(odd), k / 5 ? 12 : 0);
			if (odd + PAGE < AT + 2 * MIB)
				check_largest(odd + PAGE, AT + 2 * MIB - 1, PA + (odd + PAGE - AT),
					      i < 2 ? 12 : 20);
			assert_int_equal(stats_now().freed[IOPT_FREED_MERGE], 0);
			close_domain();
		}
	}
}

/* In line, but off by a page from what a larger leaf needs; and nothing at all. */
static void misaligned(void **state)
{
	static struct snapshot snapshot;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map_in_pages(AT, 2 * MIB, PA + PAGE, RW);
		map_in_pages(AT + 2 * MIB, 64 * KIB, PA + 512 * GIB + 3 * PAGE, RW);
		assert_true(snapshot_take(&snapshot, device.domain));
		assert_int_equal(merge(0, AT + 512 * GIB - 1, ANY), 0);
		assert_int_equal(gather.nr_tables, 0);
		assert_int_equal(device.invalidations, 0);
		assert_int_equal(stats_now().merged, 0);
		assert_true(snapshot_same(&snapshot, device.domain));
		close_domain();
	}
}

/* Sizes that the domain leaves out are not made. */
static void sizes_left_out(void **state)
{
	static const struct iopt_config configs[] = {
		{ .format = "x86-64", .page_sizes = 1ull << 12 | 1ull << 30 },
		{ .format = "vtd-ss", .page_sizes = 1ull << 12 },
		{ .format = "amd-v1",
		  .levels = 4,
		  .page_sizes = 1ull << 12 | 1ull << 14 | 1ull << 22 },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		open_config(&configs[i]);
		map_in_pages(AT, 8 * MIB, PA, RW);
		assert_int_equal(merge(AT, AT + 8 * MIB - 1, ANY), 0);
		check_leaves(AT, 8 * MIB, PA, i < 2 ? 12 : 14);
		close_domain();
	}
}

static void sign_extended(void **state)
{
	(void)state;
	open_domain("x86-64", 4, IOPT_SIGN_EXTEND);
	map_in_pages(-2 * MIB, 2 * MIB, PA, RW);
	map_in_pages(-HALF, 2 * MIB, PA, RW);
	map_in_pages(HALF - 2 * MIB, 2 * MIB, PA, RW);
	assert_int_equal(merge(-HALF, ~0ull, ANY), 0);
	check_leaves(-2 * MIB, 2 * MIB, PA, 21);
	check_leaves(-HALF, 2 * MIB, PA, 21);
	check_leaves(HALF - 2 * MIB, 2 * MIB, PA, 12);
	assert_int_equal(merge(0, HALF - 1, ANY), 0);
	check_leaves(HALF - 2 * MIB, 2 * MIB, PA, 21);
	close_domain();
}

/* No leaf becomes as large as all that the top translates. */
static void below_the_top(void **state)
{
	(void)state;
	open_domain("amd-v1", 1, 0);
	map_in_pages(0, 2 * MIB, PA, RW);
	assert_int_equal(merge(0, 2 * MIB - 1, ANY), 0);
	check_leaves(0, 2 * MIB, PA, 20);
	map_to(4 * MIB, PAGE, 0, RW); /* now there is a level above */
	assert_int_equal(merge(0, 2 * MIB - 1, ANY), 0);
	check_leaves(0, 2 * MIB, PA, 21);
	assert_int_equal(merge(GIB, ~0ull, ANY), 0); /* above every top */
	close_domain();
}

/* ---- what it inherits ---------------------------------------------------------------------- */

/* One dirty page, whichever, makes all of it dirty; none leaves it clean. */
static void dirty_is_ored(void **state)
{
	static const uint64_t places[] = { 0, 1, 255, 511 };
	static const unsigned lg2s[] = { 13, 16, 21, 22 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 4; k++) {
			for (size_t n = 0; n < 5; n++) {
				uint64_t bytes = bytes_of(lg2s[k]);
				uint64_t at = AT + (n < 4 ? places[n] * PAGE % bytes : 0);

				open_domain(formats[i], 4, IOPT_TRACK);
				if (!(sizes >> lg2s[k] & 1)) {
					close_domain();
					continue;
				}
				map_split(lg2s[k], 12);
				if (n < 4)
					write_to(at);
				assert_int_equal(merge(AT, AT + bytes - 1, ANY), 0);
				check_leaves(AT, bytes, PA, lg2s[k]);
				assert_int_equal(is_dirty(AT), n < 4);
				sweep_clear(AT, AT + bytes - 1);
				assert_int_equal(reported(AT + bytes - 1), n < 4);
				sweep_clear(AT, AT + bytes - 1);
				assert_int_equal(report.nr, 0);
				write_to(AT + bytes / 2);
				assert_true(is_dirty(AT));
				close_domain();
			}
		}
	}
}

/* The table that a device's cached walk leads to, and what it does during the invalidation. */
static uint64_t cached_table;

static void write_through_cached_walk(struct device *told, const struct iopt_gather *owed)
{
	struct iopt_translation t;

	(void)owed;
	assert_true(hardware_writes(hw, cached_table + 77 * 8));
	/* The larger leaf is there already, and is dirty to a sweep. */
	assert_int_equal(iopt_translate(told->domain, AT + 77 * PAGE, &t), 0);
	assert_int_equal(t.pa, PA + 77 * PAGE);
	assert_true(is_dirty(AT));
}

/* What hardware writes until the call's own invalidation is in the larger leaf afterwards. */
static void writes_until_the_invalidation(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_item leaf;

		open_domain(formats[i], 4, IOPT_TRACK);
		map_split(21, 12);
		assert_true(find_leaf(device.domain, AT, &leaf));
		cached_table = leaf.entry_pa & ~(PAGE - 1);
		device.look = write_through_cached_walk;
		assert_int_equal(merge(AT, AT + 2 * MIB - 1, ANY), 0);
		device.look = NULL;
		assert_int_equal(device.invalidations, 1);
		assert_true(device.owes & IOPT_OWES_NOW);
		assert_true(device.owes & IOPT_OWES_TABLES);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, AT, AT + 2 * MIB - 1));
		assert_true(is_dirty(AT));
		assert_int_equal(iopt_posix_table_state(cached_table, NULL), IOPT_POSIX_LIVE);
		iopt_sync(&gather);
		assert_int_not_equal(iopt_posix_table_state(cached_table, NULL), IOPT_POSIX_LIVE);
		close_domain();
	}
}

/* Where hardware finds its bits set from the start, they are never missing: it would fault. */
static void look_at_the_bits(struct device *told, const struct iopt_gather *owed)
{
	struct iopt_item leaf;

	(void)owed;
	assert_true(find_leaf(told->domain, AT, &leaf));
	assert_true(leaf.entry & hw->accessed);
	assert_true(hardware_dirty(hw, leaf.entry));
}

static void preset_bits_stay(void **state)
{
	static const uint32_t flags[] = { 0, IOPT_NONCOHERENT };

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		open_domain("x86-64", 4, flags[k]);
		map_split(30, 12);
		device.look = look_at_the_bits;
		assert_int_equal(merge(AT, AT + GIB - 1, ANY), 0);
		device.look = NULL;
		look_at_the_bits(&device, NULL);
		assert_true(device.invalidations >= 2);
		close_domain();
	}
}

static void attributes_stay(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (unsigned prot = 0; prot < 32; prot++) {
			struct iopt_translation t;

			open_domain(formats[i], 4, 0);
			if (!iopt_map(device.domain, AT, AT + PAGE - 1, PA, prot, NULL)) {
				map_in_pages(AT + PAGE, 2 * MIB - PAGE, PA + PAGE, prot);
				assert_int_equal(merge(AT, AT + 2 * MIB - 1, ANY), 0);
				assert_int_equal(iopt_translate(device.domain, AT, &t), 0);
				assert_int_equal(t.prot, prot);
				assert_int_equal(t.leaf_lg2, 21);
			}
			close_domain();
		}
	}
}

static void merge_never_allocates(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_TRACK);
		map_split(30, 12);
		iopt_posix_fail(1, true);
		assert_int_equal(merge(AT, AT + GIB - 1, ANY), 0);
		iopt_sync(&gather);
		assert_int_equal(iopt_posix_fail(0, false), 0);
		check_leaves(AT, GIB, PA, 30);
		close_domain();
	}
}

/* ---- the whole range as one ---------------------------------------------------------------- */

static int merge_one(uint64_t first, uint64_t bytes, unsigned flags)
{
	return iopt_merge(device.domain, first, first + bytes - 1, ANY, flags | IOPT_MERGE_ONE,
			  &gather, 0, NULL);
}

static void one_leaf(void **state)
{
	static const unsigned lg2s[] = { 13, 16, 20, 21, 22, 29, 30 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 7; k++) {
			uint64_t bytes = bytes_of(lg2s[k]);

			open_domain(formats[i], 4, IOPT_TRACK);
			if (!(sizes >> lg2s[k] & 1)) {
				close_domain();
				continue;
			}
			map_split(lg2s[k], 12);
			write_to(AT + bytes / 2);
			assert_int_equal(merge_one(AT, bytes, k % 2 ? IOPT_CLAIM : 0), 0);
			check_leaves(AT, bytes, PA, lg2s[k]);
			assert_true(is_dirty(AT));
			if (k % 2)
				assert_true(claimed(AT, AT + bytes - 1));
			/* It is one already. */
			assert_int_equal(merge_one(AT, bytes, 0), 0);
			check_leaves(AT, bytes, PA, lg2s[k]);
			close_domain();
		}
	}
}

/* Not a leaf's range, a hole, others, claimed: each its own error, and nothing changes. */
static void one_leaf_refused(void **state)
{
	const unsigned one = IOPT_MERGE_ONE;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map_in_pages(AT, 2 * MIB, PA, RW);
		check_refused(AT, AT + 3 * PAGE - 1, ANY, one, -EINVAL);
		check_refused(AT + PAGE, AT + 3 * PAGE - 1, ANY, one, -EINVAL);
		check_refused(AT + MIB, AT + 3 * MIB - 1, ANY, one, -EINVAL);
		check_refused(AT, AT + 2 * MIB - 1, 12, one, -EINVAL);
		check_refused(AT, AT + 512 * GIB - 1, ANY, one,
			      sizes >> 39 & 1 ? -ENOENT : -EINVAL);
		check_refused(AT, AT + GIB - 1, ANY, one, -ENOENT);
		check_refused(AT + GIB, AT + 2 * GIB - 1, ANY, one, -ENOENT);
		claims.theirs = (struct iopt_range){ AT + MIB, AT + MIB };
		check_refused(AT, AT + 2 * MIB - 1, ANY, one | IOPT_CLAIM, -EBUSY);
		claims.theirs = (struct iopt_range){ 1, 0 };
		unmap(AT + 2 * MIB - PAGE, PAGE);
		check_refused(AT, AT + 2 * MIB - 1, ANY, one | IOPT_CLAIM, -ENOENT);
		map_to(AT + 2 * MIB - PAGE, PAGE, PA + 2 * MIB - PAGE, IOPT_READ);
		check_refused(AT, AT + 2 * MIB - 1, ANY, one, -EXDEV);
		unmap(AT + 2 * MIB - PAGE, PAGE);
		map_to(AT + 2 * MIB - PAGE, PAGE, PA + 2 * MIB, RW);
		check_refused(AT, AT + 2 * MIB - 1, ANY, one, -EXDEV);
		unmap(AT, 2 * MIB);
		map_in_pages(AT, 2 * MIB, PA + PAGE, RW); /* in line, and misaligned */
		check_refused(AT, AT + 2 * MIB - 1, ANY, one, -EXDEV);
		close_domain();
	}
}

/* ---- stopping early ------------------------------------------------------------------------ */

/* Rounds of small steps, until one finds nothing more: the same as all at once. */
static void budgets(void **state)
{
	static const uint64_t steps[] = { 1, 2, 7, 64, 1000 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 5; k++) {
			uint64_t merged, calls = 0;

			open_domain(formats[i], 4, 0);
			map_split(30, 12);
			map_in_pages(AT + 2 * GIB, 4 * MIB, PA, RW);
			do {
				uint64_t next = AT;

				merged = stats_now().merged;
				while (iopt_merge(device.domain, next, AT + 4 * GIB - 1, ANY, 0,
						  &gather, steps[k], &next) == 1) {
					iopt_sync(&gather);
					assert_true(++calls < 4000);
				}
				iopt_sync(&gather);
			} while (stats_now().merged != merged);
			check_leaves(AT, GIB, PA, 30);
			check_largest(AT + 2 * GIB, AT + 2 * GIB + 4 * MIB - 1, PA, 63);
			assert_true(calls >= 512 / (steps[k] + 3));
			close_domain();
		}
	}
}

/* A step does no more than it was allowed to, and next says where it came to. */
static void a_step_is_small(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t next;

		open_domain(formats[i], 4, 0);
		map_split(30, 12);
		assert_int_equal(
			iopt_merge(device.domain, AT, AT + GIB - 1, ANY, 0, &gather, 8, &next), 1);
		assert_int_equal(next, AT + 16 * MIB);
		check_leaves(AT + 16 * MIB, GIB - 16 * MIB, PA + 16 * MIB, 12);
		assert_int_equal(stats_now().freed[IOPT_FREED_MERGE], 8);
		close_domain();
	}
}

/* ---- claims -------------------------------------------------------------------------------- */

static int merge_claiming(uint64_t first, uint64_t last)
{
	return iopt_merge(device.domain, first, last, ANY, IOPT_CLAIM, &gather, 0, NULL);
}

/* The range of each leaf to be, whole; what is refused stays, and the rest is done. */
static void claims_each_range(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		for (uint64_t k = 0; k < 3; k++)
			map_in_pages(AT + k * 4 * MIB, 2 * MIB, PA + k * 4 * MIB, RW);
		claims.theirs = (struct iopt_range){ AT + 5 * MIB, AT + 5 * MIB };
		assert_int_equal(merge_claiming(0, AT + GIB - 1), 0);
		assert_true(claimed(AT, AT + 2 * MIB - 1));
		check_leaves(AT, 2 * MIB, PA, 21);
		assert_true(claimed(AT + 8 * MIB, AT + 10 * MIB - 1));
		check_leaves(AT + 8 * MIB, 2 * MIB, PA + 8 * MIB, 21);
		assert_true(claims.refused >= 1);
		for (uint64_t at = AT + 4 * MIB; at < AT + 6 * MIB; at += PAGE)
			check_mapped(at, PA + (at - AT));
		assert_true(leaf_lg2_at(AT + 5 * MIB) < 21);
		assert_int_equal(claims.held, 0);
		claims.theirs = (struct iopt_range){ 1, 0 };
		assert_int_equal(merge_claiming(0, AT + GIB - 1), 0);
		check_leaves(AT + 4 * MIB, 2 * MIB, PA + 4 * MIB, 21);
		close_domain();
	}
}

/* The owner, just before the claim, takes one page away, or maps another one there. */
static unsigned owner_maps;
static uint64_t taken;

static void take_a_page(uint64_t first, uint64_t last)
{
	taken = first + 5 * PAGE < last ? first + 5 * PAGE : first;
	claims.look = NULL;
	unmap(taken, PAGE);
	if (owner_maps)
		map_to(taken, PAGE, 17 * GIB, RW);
}

/* The page that was taken is what its owner made of it, and no part of a leaf of others. */
static void check_beside_taken(uint64_t iova, const struct iopt_translation *t)
{
	if (iova == taken) {
		assert_int_equal(t->pa, 17 * GIB);
		assert_int_equal(t->leaf_lg2, 12);
	} else {
		assert_int_equal(t->pa, PA + (iova - AT));
		assert_true(iova >> t->leaf_lg2 != taken >> t->leaf_lg2);
	}
}

static void claimed_is_looked_at_again(void **state)
{
	static const unsigned lg2s[] = { 13, 16, 21, 22 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 8; k++) {
			uint64_t bytes = bytes_of(lg2s[k % 4]);
			unsigned found = 0;

			open_domain(formats[i], 4, 0);
			if (!(sizes >> lg2s[k % 4] & 1)) {
				close_domain();
				continue;
			}
			map_split(lg2s[k % 4], 12);
			owner_maps = k / 4;
			claims.look = take_a_page;
			assert_int_equal(merge_claiming(AT, AT + bytes - 1), 0);
			for (uint64_t at = 0; at < bytes; at += PAGE) {
				struct iopt_translation t;

				if (iopt_translate(device.domain, AT + at, &t))
					continue;
				check_beside_taken(AT + at, &t);
				found++;
			}
			assert_int_equal(found, bytes / PAGE - !owner_maps);
			close_domain();
		}
	}
}

/* Without the flag nobody is asked. */
static void not_asked_for(void **state)
{
	(void)state;
	open_domain("amd-v1", 4, 0);
	map_split(22, 12);
	claims.theirs = (struct iopt_range){ 0, ~0ull };
	assert_int_equal(merge(AT, AT + 4 * MIB - 1, ANY), 0);
	check_leaves(AT, 4 * MIB, PA, 22);
	assert_int_equal(claims.nr + claims.refused, 0);
	close_domain();
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(bad_sizes_flags_and_gathers),
		cmocka_unit_test(every_size_comes_back),
		cmocka_unit_test(pages_become_the_largest),
		cmocka_unit_test(within_the_range),
		cmocka_unit_test(from_within_a_leaf),
		cmocka_unit_test(across_a_stranger),
		cmocka_unit_test(misaligned),
		cmocka_unit_test(sizes_left_out),
		cmocka_unit_test(sign_extended),
		cmocka_unit_test(below_the_top),
		cmocka_unit_test(dirty_is_ored),
		cmocka_unit_test(writes_until_the_invalidation),
		cmocka_unit_test(preset_bits_stay),
		cmocka_unit_test(attributes_stay),
		cmocka_unit_test(merge_never_allocates),
		cmocka_unit_test(one_leaf),
		cmocka_unit_test(one_leaf_refused),
		cmocka_unit_test(budgets),
		cmocka_unit_test(a_step_is_small),
		cmocka_unit_test(claims_each_range),
		cmocka_unit_test(claimed_is_looked_at_again),
		cmocka_unit_test(not_asked_for),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
