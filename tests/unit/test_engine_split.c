/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * split, unmap in domains with IOPT_SPLIT, and tracking at a granularity, one thread: what they
 * refuse, which leaves there are afterwards, what they inherit, what is owed, claims, and stopping
 * early. Memory that runs out is in tests/fault.
 */
#include <errno.h>
#include <string.h>

#include "tests/unit/fixture.h"

#define AT (512 * GIB) /* where most tests map */
#define PA (3 * 512 * GIB)

static int split(uint64_t first, uint64_t last, unsigned leaf_lg2)
{
	return iopt_split(device.domain, first, last, leaf_lg2, 0, &gather, 0, NULL);
}

static uint64_t bytes_of(unsigned lg2)
{
	return 1ull << lg2;
}

/* One leaf of that size at AT. */
static void map_leaf(unsigned lg2)
{
	map_to(AT, bytes_of(lg2), PA, RW);
	assert_int_equal(leaf_lg2_at(AT), lg2);
	iopt_sync(&gather);
}

/* ---- arguments ----------------------------------------------------------------------------- */

static void check_refused(uint64_t first, uint64_t last, unsigned leaf_lg2, unsigned flags,
			  int result)
{
	static struct snapshot snapshot;

	assert_true(snapshot_take(&snapshot, device.domain));
	assert_int_equal(iopt_split(device.domain, first, last, leaf_lg2, flags, &gather, 0, NULL),
			 result);
	assert_int_equal(gather.owes, 0);
	assert_true(snapshot_same(&snapshot, device.domain));
}

static void bad_ranges(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map_leaf(30);
		for (unsigned bit = 0; bit < 12; bit++) {
			check_refused(AT + (1ull << bit), AT + GIB - 1, 12, 0, -EINVAL);
			check_refused(AT, AT + GIB - 1 - (1ull << bit), 12, 0, -EINVAL);
		}
		check_refused(AT + PAGE, AT + PAGE - 1, 12, 0, -EINVAL);
		check_refused(AT + MIB, AT + PAGE - 1, 12, 0, -EINVAL);
		close_domain();
	}
	open_domain("vtd-ss", 3, 0);
	check_refused(0, 512 * GIB + PAGE - 1, 12, 0, -ERANGE);
	check_refused(512 * GIB, 512 * GIB + PAGE - 1, 12, 0, -ERANGE);
	close_domain();
	open_domain("x86-64", 4, IOPT_SIGN_EXTEND);
	check_refused(HALF - PAGE, HALF + PAGE - 1, 12, 0, -ERANGE);
	check_refused(0, ~0ull, 12, 0, -ERANGE);
	close_domain();
}

/* Below the smallest leaf, between sizes, above the largest; left out by the configuration. */
static void sizes_that_are_not(void **state)
{
	struct iopt_config config = { .format = "x86-64", .page_sizes = 1 << 12 | 1 << 30 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map_leaf(30);
		for (unsigned lg2 = 0; lg2 < 70; lg2++)
			if (lg2 > 63 || !(sizes >> lg2 & 1))
				check_refused(AT, AT + GIB - 1, lg2, 0, -EINVAL);
		check_refused(AT, AT + GIB - 1, ~0u - 1, 0, -EINVAL);
		close_domain();
	}
	open_config(&config);
	check_refused(0, GIB - 1, 21, 0, -EINVAL);
	close_domain();
}

static void bad_flags_and_gathers(void **state)
{
	struct iopt_config config = { .format = "vtd-ss" };
	struct iopt_gather elsewhere;
	struct device other = { 0 };

	(void)state;
	open_domain("vtd-ss", 4, 0);
	map_leaf(21);
	check_refused(AT, AT + 2 * MIB - 1, 12, IOPT_MERGE_ONE, -EINVAL);
	check_refused(AT, AT + 2 * MIB - 1, 12, 4, -EINVAL);
	check_refused(AT, AT + 2 * MIB - 1, 12, ~0u, -EINVAL);
	/* An embedder without claims, and somebody else's gather. */
	assert_int_equal(device_create(&other, &config), 0);
	iopt_gather_init(&elsewhere, other.domain, NULL);
	assert_int_equal(iopt_split(other.domain, 0, PAGE - 1, 12, IOPT_CLAIM, &elsewhere, 0, NULL),
			 -EINVAL);
	assert_int_equal(iopt_split(device.domain, AT, AT + 2 * MIB - 1, 12, 0, &elsewhere, 0,
				    NULL),
			 -EINVAL);
	check_leaves(AT, 2 * MIB, PA, 21);
	iopt_destroy(other.domain);
	close_domain();
}

/* ---- sizes --------------------------------------------------------------------------------- */

/* Any leaf to any smaller size: all pieces alike, and all is owed. */
static void every_size_to_every_other(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (unsigned lg2 = 12; lg2 <= 31; lg2++) {
			for (unsigned to = 12; to < lg2; to++) {
				open_domain(formats[i], 4, 0);
				if (!(sizes >> lg2 & 1) || !(sizes >> to & 1)) {
					close_domain();
					continue;
				}
				map_leaf(lg2);
				assert_int_equal(split(AT, AT + bytes_of(lg2) - 1, to), 0);
				check_leaves(AT, bytes_of(lg2), PA, to);
				assert_true(stats_now().split >= 1);
				assert_true(gather.owes & IOPT_OWES_LEAVES);
				assert_true(gather.owes & IOPT_OWES_DEVICE_TLB);
				assert_true(gather_covers(&gather, AT, AT + bytes_of(lg2) - 1));
				tables();
				close_domain();
			}
		}
	}
}

/* What is small enough already, or not there, is left alone; nothing is owed for it. */
static void nothing_to_do(void **state)
{
	static struct snapshot snapshot;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_TRACK);
		map_to(AT, 2 * MIB, PA, RW);
		map_pages(AT + 2 * MIB, 7);
		assert_true(snapshot_take(&snapshot, device.domain));
		assert_int_equal(split(AT, AT + GIB - 1, 21), 0);
		assert_int_equal(split(AT, AT + GIB - 1, 30), 0);
		assert_int_equal(split(AT, AT + GIB - 1, ~0u), 0);
		assert_int_equal(split(AT + 2 * MIB, AT + GIB - 1, 12), 0);
		assert_int_equal(split(0, AT - 1, 12), 0);
		assert_true(snapshot_same(&snapshot, device.domain));
		assert_int_equal(gather.owes, 0);
		assert_int_equal(device.invalidations, 0);
		assert_int_equal(stats_now().split, 0);
		close_domain();
	}
}

static void check_part(unsigned lg2, uint64_t from, uint64_t bytes, unsigned to)
{
	uint64_t end = AT + bytes_of(lg2) - 1;

	map_leaf(lg2);
	assert_int_equal(split(AT + from, AT + from + bytes - 1, to), 0);
	if (from)
		check_largest(AT, AT + from - 1, PA, lg2 - 1);
	check_largest(AT + from, AT + from + bytes - 1, PA + from, to);
	if (from + bytes != bytes_of(lg2))
		check_largest(AT + from + bytes, end, PA + from + bytes, lg2 - 1);
	tables();
	unmap(AT, bytes_of(lg2));
}

/* Of a part of a leaf: outside of the range the largest leaves that fit, beside it as well. */
static void part_of_a_leaf(void **state)
{
	static const struct {
		unsigned lg2;
		uint64_t from, bytes;
	} parts[] = {
		{ 21, 0, PAGE },
		{ 21, 2 * MIB - PAGE, PAGE },
		{ 21, 17 * PAGE, 3 * PAGE },
		{ 30, 0, 2 * MIB },
		{ 30, 512 * MIB, 512 * MIB },
		{ 30, GIB - PAGE, PAGE },
		{ 30, 4 * MIB - PAGE, 2 * PAGE },
		{ 30, 6 * MIB + 5 * PAGE, 300 * MIB },
		{ 16, 3 * PAGE, PAGE },
		{ 16, 4 * PAGE, 8 * PAGE },
		{ 20, PAGE, 254 * PAGE },
		{ 23, 2 * MIB, 4 * MIB },
		{ 25, 7 * MIB + 9 * PAGE, 13 * PAGE },
	};

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
			if (!(sizes >> parts[k].lg2 & 1))
				continue;
			check_part(parts[k].lg2, parts[k].from, parts[k].bytes, 12);
			check_part(parts[k].lg2, parts[k].from, parts[k].bytes, ~0u);
		}
		close_domain();
	}
}

/* Leaves of several sizes, with holes; only those that are too large change. */
static void across_leaves_and_holes(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map(GIB, GIB);
		map(2 * GIB + 4 * MIB, 2 * MIB);
		map_pages(2 * GIB + 8 * MIB, 5);
		map(2 * GIB + 10 * MIB, 2 * MIB);
		map(4 * GIB, GIB);
		assert_int_equal(split(GIB + 512 * MIB, 4 * GIB + 2 * MIB - 1, 21), 0);
		check_largest(GIB, GIB + 512 * MIB - 1, GIB, 29);
		check_leaves(GIB + 512 * MIB, 512 * MIB, GIB + 512 * MIB, 21);
		check_empty(2 * GIB);
		check_leaves(2 * GIB + 4 * MIB, 2 * MIB, 2 * GIB + 4 * MIB, 21);
		assert_int_equal(leaf_lg2_at(2 * GIB + 8 * MIB), 12);
		check_empty(2 * GIB + 8 * MIB + 5 * PAGE);
		check_leaves(2 * GIB + 10 * MIB, 2 * MIB, 2 * GIB + 10 * MIB, 21);
		check_leaves(4 * GIB, 2 * MIB, 4 * GIB, 21);
		check_largest(4 * GIB + 2 * MIB, 5 * GIB - 1, 4 * GIB + 2 * MIB, 29);
		assert_int_equal(stats_now().split, 2);
		close_domain();
	}
}

/* A domain without the sizes between: they are not used. */
static void sizes_left_out(void **state)
{
	static const struct iopt_config configs[] = {
		{ .format = "x86-64", .page_sizes = 1ull << 12 | 1ull << 30 },
		{ .format = "vtd-ss", .page_sizes = 1ull << 12 | 1ull << 30 },
		{ .format = "amd-v1",
		  .levels = 4,
		  .page_sizes = 1ull << 12 | 1ull << 14 | 1ull << 22 | 1ull << 25 | 1ull << 30 },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		open_config(&configs[i]);
		map_leaf(30);
		assert_int_equal(split(AT + MIB, AT + MIB + PAGE - 1, 12), 0);
		check_largest(AT, AT + MIB - 1, PA, 29);
		check_largest(AT + MIB + PAGE, AT + GIB - 1, PA + MIB + PAGE, 29);
		close_domain();
	}
}

static void sign_extended(void **state)
{
	(void)state;
	open_domain("x86-64", 4, IOPT_SIGN_EXTEND);
	map_to(-GIB, GIB, PA, RW);
	map_to(-HALF, 2 * MIB, PA, RW);
	map_to(HALF - 2 * MIB, 2 * MIB, PA, RW);
	assert_int_equal(split(-HALF, ~0ull, 12), 0);
	check_leaves(-HALF, 2 * MIB, PA, 12);
	check_leaves(-GIB, GIB, PA, 12);
	check_leaves(HALF - 2 * MIB, 2 * MIB, PA, 21);
	assert_int_equal(split(0, HALF - 1, 12), 0);
	check_leaves(HALF - 2 * MIB, 2 * MIB, PA, 12);
	close_domain();
}

/* Walkers that do not snoop, or that cache empty entries: all the same. */
static void other_walkers(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_NONCOHERENT | IOPT_CACHES_EMPTY);
		map_leaf(30);
		assert_int_equal(split(AT, AT + 2 * MIB - 1, 12), 0);
		check_leaves(AT, 2 * MIB, PA, 12);
		close_domain();
	}
}

/* ---- what the pieces inherit --------------------------------------------------------------- */

static void dirty_goes_into_every_piece(void **state)
{
	static const unsigned lg2s[] = { 13, 16, 21, 22, 30 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 5; k++) {
			uint64_t last = AT + bytes_of(lg2s[k]) - 1;

			open_domain(formats[i], 4, IOPT_TRACK);
			if (!(sizes >> lg2s[k] & 1)) {
				close_domain();
				continue;
			}
			map_leaf(lg2s[k]);
			write_to(AT + bytes_of(lg2s[k]) / 2); /* any entry of a run */
			assert_int_equal(split(AT, last, lg2s[k] > 21 ? 21 : 12), 0);
			iopt_sync(&gather);
			for (uint64_t at = AT; at < last; at += bytes_of(leaf_lg2_at(at)))
				assert_true(is_dirty(at));
			/* And once more, smaller. */
			assert_int_equal(split(AT, AT + 2 * MIB - 1, 12), 0);
			assert_true(is_dirty(AT + PAGE));
			sweep_clear(0, last);
			assert_int_equal(reported(AT), 1);
			assert_int_equal(reported(last), 1);
			sweep_clear(0, last);
			assert_int_equal(report.nr, 0);
			close_domain();
		}
	}
}

static void clean_stays_clean(void **state)
{
	static const unsigned lg2s[] = { 13, 16, 21, 22, 30 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 5; k++) {
			open_domain(formats[i], 4, IOPT_TRACK);
			if (!(sizes >> lg2s[k] & 1)) {
				close_domain();
				continue;
			}
			map_leaf(lg2s[k]);
			map_to(AT + bytes_of(lg2s[k]), PAGE, PA / 2, RW);
			write_to(AT + bytes_of(lg2s[k])); /* a neighbour */
			assert_int_equal(split(AT, AT + bytes_of(lg2s[k]) - 1, 12), 0);
			iopt_sync(&gather);
			sweep_clear(0, AT + 2 * GIB - 1);
			assert_int_equal(report.nr, 1);
			/* Each piece is by itself from now on. */
			write_to(AT + PAGE);
			sweep_clear(0, AT + 2 * GIB - 1);
			assert_int_equal(report.nr, 1);
			assert_int_equal(report.ranges[0].first, AT + PAGE);
			assert_int_equal(report.ranges[0].last, AT + 2 * PAGE - 1);
			close_domain();
		}
	}
}

static void attributes_stay(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (unsigned prot = 0; prot < 32; prot++) {
			struct iopt_translation t;

			open_domain(formats[i], 4, 0);
			if (!iopt_map(device.domain, AT, AT + 4 * MIB - 1, PA, prot, NULL)) {
				assert_int_equal(split(AT, AT + 4 * MIB - 1, 12), 0);
				for (uint64_t at = AT; at < AT + 4 * MIB; at += PAGE) {
					assert_int_equal(iopt_translate(device.domain, at, &t), 0);
					assert_int_equal(t.prot, prot);
					assert_int_equal(t.leaf_lg2, 12);
				}
			}
			close_domain();
		}
	}
}

/* ---- stopping early ------------------------------------------------------------------------ */

/* However small the steps: the same leaves in the end, and each step is a small one. */
static void budgets(void **state)
{
	static const uint64_t steps[] = { 1, 2, 3, 7, 64, 1000 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 6; k++) {
			uint64_t next = AT, before = AT, linked;
			unsigned calls = 0;
			int result;

			open_domain(formats[i], 4, 0);
			map_leaf(30);
			map_to(AT + 2 * GIB, 2 * MIB, PA, RW);
			do {
				linked = stats_now().tables;
				result = iopt_split(device.domain, next, AT + 4 * GIB - 1, 12, 0,
						    &gather, steps[k], &next);
				assert_in_range(result, 0, 1);
				assert_true(next >= before);
				assert_true(stats_now().tables - linked <= steps[k] + 1);
				before = next;
				assert_true(++calls < 4000);
			} while (result);
			check_leaves(AT, GIB, PA, 12);
			check_leaves(AT + 2 * GIB, 2 * MIB, PA, 12);
			assert_true(calls >= 512 / (steps[k] + 1));
			close_domain();
		}
	}
}

/* What lies before next is done at any time; the rest translates as before. */
static void stopped_in_the_middle(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t next;

		open_domain(formats[i], 4, 0);
		for (uint64_t k = 0; k < 8; k++)
			map_to(AT + 2 * k * 2 * MIB, 2 * MIB, PA, RW);
		assert_int_equal(
			iopt_split(device.domain, AT, AT + GIB - 1, 12, 0, &gather, 5, &next), 1);
		assert_in_range(next, AT + 2 * MIB, AT + 28 * MIB);
		for (uint64_t k = 0; k < 8; k++) {
			uint64_t at = AT + 2 * k * 2 * MIB;

			/* The one at next may be split already, and be looked at again. */
			if (at != next)
				check_leaves(at, 2 * MIB, PA, at < next ? 12 : 21);
		}
		close_domain();
	}
}

/* ---- claims -------------------------------------------------------------------------------- */

static int split_claiming(uint64_t first, uint64_t last, unsigned leaf_lg2)
{
	return iopt_split(device.domain, first, last, leaf_lg2, IOPT_CLAIM, &gather, 0, NULL);
}

/* Each leaf that is to change is claimed, whole, and what was claimed is released. */
static void claims_each_leaf(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map(GIB, 2 * MIB);
		map_pages(GIB + 2 * MIB, 3);
		map(GIB + 4 * MIB, 2 * MIB);
		map(4 * GIB, GIB);
		assert_int_equal(split_claiming(GIB + MIB, 4 * GIB + MIB - 1, 12), 0);
		assert_true(claimed(GIB, GIB + 2 * MIB - 1));
		assert_true(claimed(GIB + 4 * MIB, GIB + 6 * MIB - 1));
		assert_true(claimed(4 * GIB, 5 * GIB - 1));
		assert_int_equal(claims.held, 0);
		assert_int_equal(claims.most_held, 1);
		for (unsigned k = 0; k < claims.nr; k++)
			assert_true(claims.ranges[k].last < GIB + 2 * MIB ||
				    claims.ranges[k].last >= GIB + 4 * MIB);
		close_domain();
	}
}

/* What somebody else has stays as it is, and the rest is done all the same. */
static void refused_is_skipped(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		for (uint64_t k = 0; k < 6; k += 2)
			map(AT + k * 2 * MIB, 2 * MIB);
		claims.theirs = (struct iopt_range){ AT + 8 * MIB + PAGE, AT + 8 * MIB + PAGE };
		assert_int_equal(split_claiming(AT, AT + GIB - 1, 12), 0);
		check_leaves(AT, 2 * MIB, AT, 12);
		check_leaves(AT + 8 * MIB, 2 * MIB, AT + 8 * MIB, 12 + 9);
		assert_int_equal(claims.refused, 1);
		claims.theirs.first = AT + 9 * GIB;
		claims.theirs.last = 0;
		assert_int_equal(split_claiming(AT, AT + GIB - 1, 12), 0);
		check_leaves(AT + 8 * MIB, 2 * MIB, AT + 8 * MIB, 12);
		close_domain();
	}
}

/* The owner, just before the claim: another, larger leaf takes the place. */
static void put_a_larger_leaf(uint64_t first, uint64_t last)
{
	(void)first;
	(void)last;
	claims.look = NULL;
	unmap(AT, 2 * MIB);
	map_to(AT, 2 * MIB, PA, RW);
}

/* Nothing is written that was not claimed: a leaf that grew meanwhile is not the one claimed. */
static void claimed_is_looked_at_again(void **state)
{
	(void)state;
	open_domain("amd-v1", 4, 0);
	map_to(AT + MIB, 64 * KIB, PA, RW);
	claims.look = put_a_larger_leaf;
	assert_int_equal(split_claiming(AT, AT + 2 * MIB - 1, 12), 0);
	assert_true(claimed(AT + MIB, AT + MIB + 64 * KIB - 1));
	if (!claimed(AT, AT + 2 * MIB - 1))
		check_leaves(AT, 2 * MIB, PA, 21);
	close_domain();
}

/* Without the flag nobody is asked. */
static void not_asked_for(void **state)
{
	(void)state;
	open_domain("x86-64", 4, 0);
	map_leaf(21);
	claims.theirs = (struct iopt_range){ 0, ~0ull };
	assert_int_equal(split(AT, AT + 2 * MIB - 1, 12), 0);
	check_leaves(AT, 2 * MIB, PA, 12);
	assert_int_equal(claims.nr + claims.refused, 0);
	close_domain();
}

/* ---- unmap that splits --------------------------------------------------------------------- */

/* A hole of any place and size: the largest leaves that fit on both sides, the hole is empty. */
static void unmap_splits(void **state)
{
	static const struct {
		unsigned lg2;
		uint64_t from, bytes;
	} holes[] = {
		{ 21, 0, PAGE },
		{ 21, 2 * MIB - PAGE, PAGE },
		{ 21, 100 * PAGE, 200 * PAGE },
		{ 30, 2 * MIB, 2 * MIB },
		{ 30, 2 * MIB - PAGE, 2 * PAGE },
		{ 30, GIB / 2 + PAGE, GIB / 2 - PAGE },
		{ 30, 0, GIB - PAGE },
		{ 13, PAGE, PAGE },
		{ 16, 5 * PAGE, 2 * PAGE },
		{ 22, 2 * MIB - PAGE, 2 * PAGE },
		{ 24, 3 * PAGE, 9 * MIB },
	};
	struct iopt_released released;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT);
		for (size_t k = 0; k < sizeof(holes) / sizeof(holes[0]); k++) {
			uint64_t first = AT + holes[k].from, last = first + holes[k].bytes - 1;
			uint64_t end = AT + bytes_of(holes[k].lg2) - 1;

			if (!(sizes >> holes[k].lg2 & 1))
				continue;
			map_leaf(holes[k].lg2);
			assert_int_equal(iopt_unmap(device.domain, first, last,
						    IOPT_UNMAP_COUNT | IOPT_UNMAP_FULL, &gather,
						    &released),
					 0);
			assert_int_equal(released.first, first);
			assert_int_equal(released.last, last);
			assert_int_equal(released.bytes, holes[k].bytes);
			assert_true(gather_covers(&gather, first, last));
			iopt_sync(&gather);
			if (first > AT)
				check_largest(AT, first - 1, PA, holes[k].lg2 - 1);
			assert_int_equal(count_items(device.domain, first, last, IOPT_VISIT_LEAVES),
					 0);
			if (last < end)
				check_largest(last + 1, end, PA + (last + 1 - AT),
					      holes[k].lg2 - 1);
			tables();
			unmap(AT, bytes_of(holes[k].lg2));
		}
		close_domain();
	}
}

/* Both ends cut, each a leaf of its own, with holes and tables between. */
static void unmap_splits_both_ends(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT);
		map(GIB, GIB);
		map_pages(2 * GIB + 2 * MIB, 9);
		map(3 * GIB, 2 * MIB);
		unmap(2 * GIB - 3 * PAGE, GIB + 4 * PAGE);
		check_largest(GIB, 2 * GIB - 3 * PAGE - 1, GIB, 29);
		assert_int_equal(count_items(device.domain, 2 * GIB - 3 * PAGE, 3 * GIB + PAGE - 1,
					     IOPT_VISIT_LEAVES),
				 0);
		check_largest(3 * GIB + PAGE, 3 * GIB + 2 * MIB - 1, 3 * GIB + PAGE, 20);
		close_domain();
	}
}

/* What is dirty of a block that is unmapped in part is reported for that part, and stays. */
static void unmap_that_splits_is_exact(void **state)
{
	static const unsigned lg2s[] = { 16, 21, 30 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 3; k++) {
			uint64_t bytes = bytes_of(lg2s[k]);

			open_domain(formats[i], 4, IOPT_SPLIT | IOPT_TRACK);
			if (!(sizes >> lg2s[k] & 1)) {
				close_domain();
				continue;
			}
			map_leaf(lg2s[k]);
			write_to(AT);
			unmap(AT + 3 * PAGE, 2 * PAGE);
			assert_int_equal(reported(AT + 3 * PAGE), 1);
			assert_int_equal(reported(AT + 5 * PAGE - 1), 1);
			assert_int_equal(reported(AT + 2 * PAGE), 0);
			assert_int_equal(reported(AT + 5 * PAGE), 0);
			sweep_clear(AT, AT + bytes - 1);
			assert_int_equal(reported(AT), 1);
			assert_int_equal(reported(AT + 3 * PAGE), 0);
			assert_int_equal(reported(AT + bytes - 1), 1);
			close_domain();
		}
	}
}

/* A refused unmap may have split, but translates as before. */
static void unmap_refused_translates(void **state)
{
	uint64_t words[1] = { 0 };
	struct iopt_sink bitmap = { .words = words, .first = AT, .pages = 64, .page_lg2 = 12 };
	struct iopt_gather owed;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT | IOPT_TRACK);
		map_leaf(21);
		iopt_gather_init(&owed, device.domain, &bitmap);
		assert_int_equal(iopt_unmap(device.domain, AT + PAGE, AT + 65 * PAGE - 1, 0, &owed,
					    NULL),
				 -ERANGE);
		assert_int_equal(iopt_unmap(device.domain, AT + PAGE, AT + 4 * MIB - 1,
					    IOPT_UNMAP_FULL, &owed, NULL),
				 -ENOENT);
		for (uint64_t at = 0; at < 2 * MIB; at += PAGE)
			check_mapped(AT + at, PA + at);
		iopt_sync(&owed);
		close_domain();
	}
}

/* The whole of a large leaf, piece by piece, in an order that meets every shape; then trimmed. */
static void unmap_bit_by_bit(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT);
		map_leaf(sizes >> 22 & 1 ? 22 : 21); /* amd-v1: two entries of a run */
		for (uint64_t k = 0, page = 0; k < 1024; k++, page = (page + 389) % 1024) {
			uint64_t at = AT + page * PAGE;

			assert_int_equal(iopt_unmap(device.domain, at, at + PAGE - 1,
						    IOPT_UNMAP_TRIM, &gather, NULL),
					 0);
			if (k % 64 == 0)
				iopt_sync(&gather);
			check_empty(at);
		}
		assert_int_equal(tables(), 1);
		close_domain();
	}
}

/* ---- tracking at a granularity ------------------------------------------------------------- */

static void track_splits_in_steps(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t next = 0;
		unsigned calls = 1;
		int result;

		open_domain(formats[i], 4, IOPT_TRACKABLE);
		map_leaf(30);
		map(GIB, 2 * MIB);
		map_pages(3 * GIB, 3);
		write_to(AT);
		while ((result = iopt_track_split(device.domain, 12, 0, 10, &next)) == 1) {
			calls++;
			if (calls == 5)
				map(8 * GIB, 2 * MIB); /* no larger either */
		}
		assert_int_equal(result, 0);
		assert_true(calls > 20);
		check_leaves(AT, GIB, PA, 12);
		check_leaves(GIB, 2 * MIB, GIB, 12);
		check_leaves(8 * GIB, 2 * MIB, 8 * GIB, 12);
		/* Tracking is on, and what was dirty before is nobody's. */
		sweep_clear(0, AT + GIB - 1);
		assert_int_equal(report.nr, 0);
		write_to(AT + PAGE);
		sweep_clear(0, AT + GIB - 1);
		assert_int_equal(report.nr, 1);
		map(9 * GIB, 2 * MIB);
		check_leaves(9 * GIB, 2 * MIB, 9 * GIB, 12);
		assert_int_equal(iopt_track(device.domain, false), 0);
		map(10 * GIB, 2 * MIB);
		check_leaves(10 * GIB, 2 * MIB, 10 * GIB, 21);
		close_domain();
	}
}

/* Given up in the middle: off lifts the limit. Any size of the domain's will do. */
static void track_given_up(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t next = 0;

		open_domain(formats[i], 4, IOPT_TRACKABLE);
		map_leaf(30);
		assert_int_equal(iopt_track_split(device.domain, 21, 0, 1, &next), 1);
		map(GIB, GIB);
		check_leaves(GIB, GIB, GIB, 21);
		assert_int_equal(iopt_track(device.domain, false), 0);
		map(4 * GIB, GIB);
		check_leaves(4 * GIB, GIB, 4 * GIB, 30);
		next = 0;
		assert_int_equal(iopt_track_split(device.domain, 21, 0, 0, &next), 0);
		check_leaves(AT, GIB, PA, 21);
		check_leaves(4 * GIB, GIB, 4 * GIB, 21);
		close_domain();
	}
}

/* A leaf that somebody has stays large, and is tracked. */
static void track_claims(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t next = 0;

		open_domain(formats[i], 4, IOPT_TRACKABLE);
		map_leaf(30);
		map(GIB, 2 * MIB);
		claims.theirs = (struct iopt_range){ GIB, GIB };
		assert_int_equal(iopt_track_split(device.domain, 12, IOPT_CLAIM, 0, &next), 0);
		check_leaves(AT, GIB, PA, 12);
		check_leaves(GIB, 2 * MIB, GIB, 21);
		write_to(GIB);
		sweep_clear(0, AT - 1);
		assert_int_equal(reported(GIB + MIB), 1);
		close_domain();
	}
}

/* What is refused changes nothing: maps are as large as before, and nothing is tracked. */
static void track_refused(void **state)
{
	struct iopt_config config = { .format = "vtd-ss", .flags = IOPT_TRACKABLE };
	struct device other = { 0 };
	uint64_t next = 0;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_TRACKABLE);
		assert_int_equal(iopt_track_split(device.domain, 11, 0, 0, &next), -EINVAL);
		assert_int_equal(iopt_track_split(device.domain, sizes >> 39 & 1 ? 48 : 39, 0, 0,
						  &next),
				 -EINVAL);
		assert_int_equal(iopt_track_split(device.domain, 64, 0, 0, &next), -EINVAL);
		assert_int_equal(iopt_track_split(device.domain, ~0u, 0, 0, &next), -EINVAL);
		assert_int_equal(iopt_track_split(device.domain, 12, IOPT_MERGE_ONE, 0, &next),
				 -EINVAL);
		assert_int_equal(iopt_track_split(device.domain, 12, 8, 0, &next), -EINVAL);
		map(0, 2 * MIB);
		check_leaves(0, 2 * MIB, 0, 21);
		write_to(0);
		unmap(0, 2 * MIB);
		assert_int_equal(report.nr, 0);
		close_domain();
		open_domain(formats[i], 4, 0);
		assert_int_equal(iopt_track_split(device.domain, 12, 0, 0, &next), -EOPNOTSUPP);
		close_domain();
	}
	assert_int_equal(device_create(&other, &config), 0);
	assert_int_equal(iopt_track_split(other.domain, 12, IOPT_CLAIM, 0, &next), -EINVAL);
	assert_int_equal(iopt_map(other.domain, 0, 2 * MIB - 1, 0, RW, NULL), 0);
	assert_int_equal(count_items(other.domain, 0, 2 * MIB - 1, IOPT_VISIT_LEAVES), 1);
	assert_true(device_destroy(&other));
}

static void track_both_halves(void **state)
{
	uint64_t next = 0;
	int result;

	(void)state;
	open_domain("x86-64", 4, IOPT_TRACKABLE | IOPT_SIGN_EXTEND);
	map_to(HALF - 2 * MIB, 2 * MIB, PA, RW);
	map_to(-HALF, 2 * MIB, PA, RW);
	map_to(-2 * MIB, 2 * MIB, PA, RW);
	do
		result = iopt_track_split(device.domain, 12, 0, 1, &next);
	while (result == 1);
	assert_int_equal(result, 0);
	check_leaves(HALF - 2 * MIB, 2 * MIB, PA, 12);
	check_leaves(-HALF, 2 * MIB, PA, 12);
	check_leaves(-2 * MIB, 2 * MIB, PA, 12);
	close_domain();
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(sizes_that_are_not),
		cmocka_unit_test(bad_flags_and_gathers),
		cmocka_unit_test(every_size_to_every_other),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(part_of_a_leaf),
		cmocka_unit_test(across_leaves_and_holes),
		cmocka_unit_test(sizes_left_out),
		cmocka_unit_test(sign_extended),
		cmocka_unit_test(other_walkers),
		cmocka_unit_test(dirty_goes_into_every_piece),
		cmocka_unit_test(clean_stays_clean),
		cmocka_unit_test(attributes_stay),
		cmocka_unit_test(budgets),
		cmocka_unit_test(stopped_in_the_middle),
		cmocka_unit_test(claims_each_leaf),
		cmocka_unit_test(refused_is_skipped),
		cmocka_unit_test(claimed_is_looked_at_again),
		cmocka_unit_test(not_asked_for),
		cmocka_unit_test(unmap_splits),
		cmocka_unit_test(unmap_splits_both_ends),
		cmocka_unit_test(unmap_that_splits_is_exact),
		cmocka_unit_test(unmap_refused_translates),
		cmocka_unit_test(unmap_bit_by_bit),
		cmocka_unit_test(track_splits_in_steps),
		cmocka_unit_test(track_given_up),
		cmocka_unit_test(track_claims),
		cmocka_unit_test(track_refused),
		cmocka_unit_test(track_both_halves),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
