/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * protect, one thread: what it refuses, what changes and what stays as it is, splitting where the
 * range's ends cut leaves, and what is owed.
 */
#include <errno.h>
#include <string.h>

#include "tests/unit/fixture.h"

#define AT (512 * GIB)
#define PA (3 * 512 * GIB)
#define RO IOPT_READ

static int protect(uint64_t first, uint64_t bytes, unsigned prot)
{
	return iopt_protect(device.domain, first, first + bytes - 1, prot, &gather);
}

/* All leaves of a range have these permissions. */
static void check_prot(uint64_t first, uint64_t bytes, unsigned prot)
{
	struct iopt_translation t;

	for (uint64_t at = first; at < first + bytes; at += 1ull << t.leaf_lg2) {
		assert_int_equal(iopt_translate(device.domain, at, &t), 0);
		assert_int_equal(t.prot, prot);
	}
}

static void check_refused(uint64_t first, uint64_t last, unsigned prot, int result)
{
	static struct snapshot snapshot;

	assert_true(snapshot_take(&snapshot, device.domain));
	assert_int_equal(iopt_protect(device.domain, first, last, prot, &gather), result);
	assert_int_equal(gather.owes, 0);
	assert_true(snapshot_same(&snapshot, device.domain));
}

/* ---- arguments ----------------------------------------------------------------------------- */

static void bad_ranges(void **state)
{
	struct iopt_config config = { .format = "vtd-ss" };
	struct iopt_gather elsewhere;
	struct device other = { 0 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map_pages(AT, 16);
		for (unsigned bit = 0; bit < 12; bit++) {
			check_refused(AT + (1ull << bit), AT + 4 * PAGE - 1, RO, -EINVAL);
			check_refused(AT, AT + 4 * PAGE - 1 - (1ull << bit), RO, -EINVAL);
		}
		check_refused(AT + PAGE, AT + PAGE - 1, RO, -EINVAL);
		check_refused(AT + MIB, AT + PAGE - 1, RO, -EINVAL);
		close_domain();
	}
	open_domain("vtd-ss", 3, 0);
	check_refused(0, 512 * GIB + PAGE - 1, RO, -ERANGE);
	assert_int_equal(device_create(&other, &config), 0);
	iopt_gather_init(&elsewhere, other.domain, NULL);
	assert_int_equal(iopt_protect(device.domain, 0, PAGE - 1, RO, &elsewhere), -EINVAL);
	iopt_destroy(other.domain);
	close_domain();
	open_domain("x86-64", 4, IOPT_SIGN_EXTEND);
	check_refused(HALF - PAGE, HALF + PAGE - 1, RO, -ERANGE);
	check_refused(0, ~0ull, RO, -ERANGE);
	close_domain();
}

/* What map would not take, protect does not. */
static void inexpressible(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT);
		map(AT, 2 * MIB);
		for (unsigned prot = 0; prot < 128; prot++) {
			if (iopt_map(device.domain, 0, PAGE - 1, 0, prot, NULL)) {
				check_refused(AT + PAGE, AT + 3 * PAGE - 1, prot, -EINVAL);
				continue;
			}
			unmap(0, PAGE);
		}
		check_prot(AT, 2 * MIB, RW);
		close_domain();
	}
}

static void middle_of_a_leaf(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		map(AT, 2 * MIB);
		check_refused(AT + PAGE, AT + 4 * MIB - 1, RO, -EOPNOTSUPP);
		check_refused(AT - MIB, AT + MIB - 1, RO, -EOPNOTSUPP);
		check_refused(AT + MIB, AT + MIB + PAGE - 1, RO, -EOPNOTSUPP);
		close_domain();
	}
	open_domain("amd-v1", 4, 0);
	map(AT, 64 * KIB);
	check_refused(AT, AT + 32 * KIB - 1, RO, -EOPNOTSUPP);
	check_refused(AT + 60 * KIB, AT + GIB - 1, RO, -EOPNOTSUPP);
	close_domain();
}

/* ---- what changes -------------------------------------------------------------------------- */

/* From any permissions to any others; address, size and all else stay. */
static void any_to_any(void **state)
{
	static const unsigned lg2s[] = { 12, 16, 21, 22, 30 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, 0);
		for (unsigned from = 0; from < 128; from++) {
			for (size_t k = 0; k < 5; k++) {
				uint64_t bytes = 1ull << lg2s[k];

				if (!(sizes >> lg2s[k] & 1) ||
				    iopt_map(device.domain, AT, AT + bytes - 1, PA, from, NULL))
					continue;
				for (unsigned to = 0; to < 128; to++) {
					if (protect(AT, bytes, to))
						continue;
					check_prot(AT, bytes, to);
					check_leaves(AT, bytes, PA, lg2s[k]);
					iopt_sync(&gather);
				}
				unmap(AT, bytes);
			}
		}
		assert_true(device.invalidations > 100);
		close_domain();
	}
}

/* A leaf that was given its permissions later is, entry for entry, as if mapped with them. */
static void as_if_mapped_so(void **state)
{
	static const uint32_t flags[] = { 0, IOPT_TRACK, IOPT_NONCOHERENT };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 3; k++) {
			struct iopt_item now, fresh;

			open_domain(formats[i], 4, flags[k]);
			map_to(AT, 64 * KIB, PA, RO);
			assert_int_equal(protect(AT, 64 * KIB, RW), 0);
			assert_true(find_leaf(device.domain, AT, &now));
			map_to(AT + MIB, 64 * KIB, PA, RW);
			assert_true(find_leaf(device.domain, AT + MIB, &fresh));
			assert_int_equal(now.entry, fresh.entry);
			close_domain();
		}
	}
}

static void across_leaves_and_holes(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		bool cut;

		open_domain(formats[i], 4, 0);
		cut = sizes >> 14 & 1; /* four of the five pages are a run */
		map(AT - 2 * MIB, 2 * MIB);
		map(AT, GIB);
		map_pages(AT + GIB + 4 * MIB, 20);
		map(AT + 3 * GIB, 2 * MIB);
		map(AT + 3 * GIB + 2 * MIB, 5 * PAGE);
		assert_int_equal(protect(AT, 3 * GIB + 2 * MIB + 2 * PAGE, RO),
				 cut ? -EOPNOTSUPP : 0);
		assert_int_equal(protect(AT, 3 * GIB + 2 * MIB, RO), 0);
		check_prot(AT - 2 * MIB, 2 * MIB, RW);
		check_prot(AT, GIB, RO);
		check_empty(AT + GIB);
		check_prot(AT + GIB + 4 * MIB, 20 * PAGE, RO);
		check_prot(AT + 3 * GIB, 2 * MIB, RO);
		check_prot(AT + 3 * GIB + 2 * MIB, 2 * PAGE, cut ? RW : RO);
		check_prot(AT + 3 * GIB + 4 * PAGE + 2 * MIB, PAGE, RW);
		assert_true(gather_covers(&gather, AT, AT + GIB - 1));
		assert_true(gather_covers(&gather, AT + 3 * GIB, AT + 3 * GIB + 2 * MIB - 1));
		assert_true(gather.owes & IOPT_OWES_LEAVES);
		assert_true(gather.owes & IOPT_OWES_DEVICE_TLB);
		assert_int_equal(gather.nr_tables, 0);
		close_domain();
	}
}

/* Nothing there: nothing to do, at any place of the domain. */
static void over_nothing(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT);
		map_pages(AT, 3);
		assert_int_equal(protect(0, AT, RO), 0);
		assert_int_equal(protect(AT + 3 * PAGE, GIB, RO), 0);
		assert_int_equal(gather.owes, 0);
		check_prot(AT, 3 * PAGE, RW);
		close_domain();
	}
	open_domain("amd-v1", 1, 0);
	assert_int_equal(iopt_protect(device.domain, GIB, ~0ull, RO, &gather), 0);
	map(0, PAGE);
	assert_int_equal(iopt_protect(device.domain, 0, ~0ull, RO, &gather), 0);
	check_prot(0, PAGE, RO);
	close_domain();
}

static void sign_extended(void **state)
{
	(void)state;
	open_domain("x86-64", 4, IOPT_SIGN_EXTEND);
	map_to(-2 * MIB, 2 * MIB, PA, RW);
	map_to(-HALF, 2 * MIB, PA, RW);
	map_to(HALF - 2 * MIB, 2 * MIB, PA, RW);
	assert_int_equal(iopt_protect(device.domain, -HALF, ~0ull, RO, &gather), 0);
	assert_int_equal(leaf_lg2_at(-2 * MIB), 21);
	for (unsigned k = 0; k < 3; k++) {
		static const uint64_t at[] = { -2 * MIB, -HALF, HALF - 2 * MIB };
		struct iopt_translation t;

		assert_int_equal(iopt_translate(device.domain, at[k], &t), 0);
		assert_int_equal(t.prot, k < 2 ? RO : RW);
	}
	close_domain();
}

/* ---- dirty bits ---------------------------------------------------------------------------- */

/* What was written before stays dirty, there and back again, in whichever entry of a run. */
static void dirty_stays(void **state)
{
	static const unsigned lg2s[] = { 12, 16, 21, 22, 30 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (size_t k = 0; k < 5; k++) {
			uint64_t bytes = 1ull << lg2s[k];

			open_domain(formats[i], 4, IOPT_TRACK);
			if (!(sizes >> lg2s[k] & 1)) {
				close_domain();
				continue;
			}
			map_to(AT, bytes, PA, RW);
			map_to(AT + bytes, PAGE, PA / 2, RW);
			write_to(AT + bytes / 2);
			assert_int_equal(protect(AT, bytes + PAGE, RO), 0);
			assert_true(is_dirty(AT));
			assert_false(is_dirty(AT + bytes));
			assert_false(device_writes(hw, device.domain, AT));
			assert_int_equal(protect(AT, bytes + PAGE, RW), 0);
			assert_true(is_dirty(AT));
			iopt_sync(&gather);
			sweep_clear(0, AT + 2 * GIB - 1);
			assert_int_equal(report.nr, 1);
			assert_int_equal(report.ranges[0].first, AT);
			assert_int_equal(report.ranges[0].last, AT + bytes - 1);
			/* Written as a read-only leaf's unmap finds it. */
			write_to(AT);
			assert_int_equal(protect(AT, bytes, RO), 0);
			forget_reports();
			unmap(AT, bytes + PAGE);
			assert_int_equal(reported(AT), 1);
			assert_int_equal(reported(AT + bytes), 0);
			close_domain();
		}
	}
}

/* ---- splitting ----------------------------------------------------------------------------- */

static void splits_at_the_ends(void **state)
{
	static const struct {
		unsigned lg2;
		uint64_t from, bytes;
	} parts[] = {
		{ 21, 0, PAGE },
		{ 21, 2 * MIB - PAGE, PAGE },
		{ 21, 100 * PAGE, 200 * PAGE },
		{ 30, 2 * MIB, 2 * MIB },
		{ 30, 2 * MIB - PAGE, 2 * PAGE },
		{ 30, 3 * PAGE, GIB - 4 * PAGE },
		{ 16, 5 * PAGE, 2 * PAGE },
		{ 24, 3 * PAGE, 9 * MIB },
	};

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT | IOPT_TRACK);
		for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
			uint64_t first = AT + parts[k].from, last = first + parts[k].bytes - 1;
			uint64_t bytes = 1ull << parts[k].lg2, end = AT + bytes - 1;

			if (!(sizes >> parts[k].lg2 & 1))
				continue;
			map_to(AT, bytes, PA, RW);
			write_to(AT + bytes / 2);
			assert_int_equal(protect(first, parts[k].bytes, RO), 0);
			iopt_sync(&gather);
			check_prot(first, parts[k].bytes, RO);
			check_largest(first, last, PA + parts[k].from, parts[k].lg2 - 1);
			if (first > AT) {
				check_prot(AT, first - AT, RW);
				check_largest(AT, first - 1, PA, parts[k].lg2 - 1);
			}
			if (last < end) {
				check_prot(last + 1, end - last, RW);
				check_largest(last + 1, end, PA + (last + 1 - AT),
					      parts[k].lg2 - 1);
			}
			sweep_clear(AT, end);
			assert_int_equal(reported(AT), 1);
			assert_int_equal(reported(first), 1);
			assert_int_equal(reported(end), 1);
			unmap(AT, bytes);
		}
		close_domain();
	}
}

/* Whole leaves are not split, whatever the policy, and no table is needed. */
static void whole_leaves_are_not_split(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT);
		map(AT, GIB + 2 * MIB);
		iopt_posix_fail(1, true);
		assert_int_equal(protect(AT, GIB + 2 * MIB, RO), 0);
		assert_int_equal(iopt_posix_fail(0, false), 0);
		assert_int_equal(stats_now().split, 0);
		check_leaves(AT, GIB, AT, 30);
		check_leaves(AT + GIB, 2 * MIB, AT + GIB, 21);
		close_domain();
	}
}

/* Split by protect, given back its permissions: a merge makes it whole again. */
static void merges_again(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		open_domain(formats[i], 4, IOPT_SPLIT);
		map_to(AT, GIB, PA, RW);
		assert_int_equal(protect(AT + 7 * PAGE, PAGE, RO), 0);
		assert_int_equal(
			iopt_merge(device.domain, AT, AT + GIB - 1, ~0u, 0, &gather, 0, NULL), 0);
		assert_int_equal(leaf_lg2_at(AT + 7 * PAGE), 12);
		assert_int_equal(protect(AT + 7 * PAGE, PAGE, RW), 0);
		assert_int_equal(
			iopt_merge(device.domain, AT, AT + GIB - 1, ~0u, 0, &gather, 0, NULL), 0);
		check_leaves(AT, GIB, PA, 30);
		check_prot(AT, GIB, RW);
		close_domain();
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(inexpressible),
		cmocka_unit_test(middle_of_a_leaf),
		cmocka_unit_test(any_to_any),
		cmocka_unit_test(as_if_mapped_so),
		cmocka_unit_test(across_leaves_and_holes),
		cmocka_unit_test(over_nothing),
		cmocka_unit_test(sign_extended),
		cmocka_unit_test(dirty_stays),
		cmocka_unit_test(splits_at_the_ends),
		cmocka_unit_test(whole_leaves_are_not_split),
		cmocka_unit_test(merges_again),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
