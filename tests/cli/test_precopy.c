/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The arithmetic of `iopt migrate`: rounds, when to stop, downtime, sums; and its limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/iopt/precopy.h"

#define MIB    (1ULL << 20)
#define SECOND 1000000000ULL

/* 100 MiB a second, a quarter of a second: 25 MiB fit. */
static const struct precopy_limits limits = { .bandwidth = 100 * MIB,
					      .downtime_ns = SECOND / 4,
					      .rounds = 3 };

static void test_times(void **state)
{
	const struct precopy_limits most = { .bandwidth = UINT64_MAX,
					     .downtime_ns = 60 * SECOND,
					     .rounds = 1 };
	const struct precopy_limits none = { .bandwidth = UINT64_MAX, .rounds = 1 };

	(void)state;
	assert_int_equal(precopy_ns(0, 1), 0);
	assert_int_equal(precopy_ns(50 * MIB, 100 * MIB), SECOND / 2);
	/* Rounded up: a nanosecond begun counts. */
	assert_int_equal(precopy_ns(1, 3 * SECOND), 1);
	assert_int_equal(precopy_ns(UINT64_MAX, 1), UINT64_MAX);
	assert_int_equal(precopy_ns(UINT64_MAX, UINT64_MAX), SECOND);
	assert_int_equal(precopy_allowed(&limits), 25 * MIB);
	assert_int_equal(precopy_allowed(&most), UINT64_MAX);
	assert_int_equal(precopy_allowed(&none), 0);
}

static void test_converges(void **state)
{
	struct precopy precopy;
	struct precopy_sums sums;

	(void)state;
	assert_true(precopy_start(&precopy, &limits, 200 * MIB, 7));
	assert_int_equal(precopy_next(&precopy), 7 + 2 * SECOND);
	precopy_step(&precopy, 50 * MIB, 20 * MIB);
	assert_int_equal(precopy.end, PRECOPY_GOES_ON);
	assert_int_equal(precopy.nr, 2);
	assert_int_equal(precopy.rounds[1].copied, 50 * MIB);
	assert_int_equal(precopy.rounds[1].start_ns, 7 + 2 * SECOND);
	assert_int_equal(precopy_next(&precopy), 7 + 2 * SECOND + SECOND / 2);
	/* Just what fits. */
	precopy_step(&precopy, 25 * MIB, 5 * MIB);
	assert_int_equal(precopy.end, PRECOPY_FITS);
	assert_int_equal(precopy_next(&precopy), UINT64_MAX);
	assert_int_equal(precopy_downtime(&precopy), SECOND / 4);
	precopy_sum(&precopy, &sums);
	assert_int_equal(sums.stop_ns, 2 * SECOND + SECOND / 2);
	assert_int_equal(sums.total_ns, 2 * SECOND + SECOND / 2 + SECOND / 4);
	assert_int_equal(sums.copied, 275 * MIB);
	assert_int_equal(sums.left, 75 * MIB);
	assert_int_equal(sums.written, 25 * MIB);
	assert_true(precopy_amplification(&sums) == 3);
	precopy_free(&precopy);
}

static void test_nothing_written(void **state)
{
	struct precopy precopy;
	struct precopy_sums sums;

	(void)state;
	assert_true(precopy_start(&precopy, &limits, 100 * MIB, 0));
	precopy_step(&precopy, 0, 0);
	assert_int_equal(precopy.end, PRECOPY_FITS);
	assert_int_equal(precopy_downtime(&precopy), 0);
	precopy_sum(&precopy, &sums);
	assert_int_equal(sums.total_ns, SECOND);
	assert_true(precopy_amplification(&sums) == 0);
	precopy_free(&precopy);
}

/* One byte more than fits, in the last round that is allowed. */
static void test_no_rounds(void **state)
{
	struct precopy precopy;

	(void)state;
	assert_true(precopy_start(&precopy, &limits, 200 * MIB, 0));
	precopy_step(&precopy, 50 * MIB, 50 * MIB);
	precopy_step(&precopy, 30 * MIB, 30 * MIB);
	assert_int_equal(precopy.end, PRECOPY_GOES_ON);
	precopy_step(&precopy, 25 * MIB + 1, 25 * MIB + 1);
	assert_int_equal(precopy.end, PRECOPY_NO_ROUNDS);
	assert_int_equal(precopy.nr, 3);
	assert_true(precopy_downtime(&precopy) > limits.downtime_ns);
	precopy_free(&precopy);
}

static void test_no_less(void **state)
{
	struct precopy precopy;

	(void)state;
	assert_true(precopy_start(&precopy, &limits, 200 * MIB, 0));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(precopy.end, PRECOPY_GOES_ON);
		precopy_step(&precopy, 200 * MIB, MIB);
	}
	assert_int_equal(precopy.end, PRECOPY_NO_LESS);
	assert_int_equal(precopy_downtime(&precopy), 2 * SECOND);
	precopy_free(&precopy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),		cmocka_unit_test(test_converges),
		cmocka_unit_test(test_nothing_written), cmocka_unit_test(test_no_rounds),
		cmocka_unit_test(test_no_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
