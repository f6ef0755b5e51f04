/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The writes that `iopt migrate` makes up: which pages, when, where to, and that the same seed
 * gives the same ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/iopt/traffic.h"

#define PAGE  0x1000u
#define IOVA  0x200000u
#define NEVER UINT64_MAX

struct log {
	unsigned nr;
	uint64_t hash; /* of all of them, in order */
	uint32_t domain;
	uint64_t iova;
	uint64_t pa;
};

static void note(void *ctx, uint32_t domain, uint64_t iova, uint64_t pa)
{
	struct log *log = ctx;

	log->nr++;
	log->domain = domain;
	log->iova = iova;
	log->pa = pa;
	log->hash = (log->hash ^ domain ^ iova ^ pa << 20) * 0x9e3779b97f4a7c15u;
}

static struct traffic *make(struct log *log, unsigned percent, uint64_t rewrite_ns, uint64_t seed)
{
	const struct traffic_config config = { .seed = seed,
					       .percent = percent,
					       .rewrite_ns = rewrite_ns,
					       .write = note,
					       .ctx = log };

	*log = (struct log){ 0 };
	return traffic_create(&config);
}

/* Two physical pieces, the second of the rest. */
static struct call mapping(uint32_t domain, uint64_t first, uint64_t pages,
			   struct iopt_segment segments[2])
{
	segments[0] = (struct iopt_segment){ 0x10000000, PAGE };
	segments[1] = (struct iopt_segment){ 0x50000000, (pages - 1) * PAGE };
	return (struct call){ .map = true,
			      .domain = domain,
			      .first = first,
			      .last = first + pages * PAGE - 1,
			      .nr_segments = pages > 1 ? 2 : 1,
			      .segments = segments };
}

static struct call gone(uint32_t domain, uint64_t first, uint64_t pages)
{
	return (struct call){ .domain = domain, .first = first, .last = first + pages * PAGE - 1 };
}

static void unmap(struct traffic *traffic, const struct call *call, uint64_t now_ns)
{
	traffic_finish(traffic, call);
	assert_true(traffic_unmap(traffic, call, now_ns));
}

static void test_in_order(void **state)
{
	struct iopt_segment segments[2];
	struct call map = mapping(5, IOVA, 3, segments), unmapped = gone(5, IOVA, 3);
	struct log log;
	struct traffic *traffic = make(&log, 100, 0, 1);

	(void)state;
	assert_int_equal(traffic_next(traffic), NEVER);
	assert_true(traffic_map(traffic, &map, 10));
	assert_int_equal(traffic_next(traffic), 10 + TRAFFIC_PAGE_NS);
	traffic_step(traffic);
	assert_int_equal(log.domain, 5);
	assert_int_equal(log.iova, IOVA);
	assert_int_equal(log.pa, 0x10000000);
	assert_int_equal(traffic_next(traffic), 10 + 2 * TRAFFIC_PAGE_NS);
	traffic_step(traffic);
	assert_int_equal(log.iova, IOVA + PAGE);
	assert_int_equal(log.pa, 0x50000000);
	/* What is left of it is written before it goes, and nothing afterwards. */
	unmap(traffic, &unmapped, 20);
	assert_int_equal(log.nr, 3);
	assert_int_equal(log.pa, 0x50001000);
	assert_int_equal(traffic_next(traffic), NEVER);
	assert_int_equal(traffic_pa(traffic, 5, IOVA), UINT64_MAX);
	traffic_destroy(traffic);
}

static void test_rewritten(void **state)
{
	struct iopt_segment segments[2];
	struct call map = mapping(0, IOVA, 2, segments), unmapped = gone(0, IOVA, 2);
	struct log log;
	struct traffic *traffic = make(&log, 100, 1000000, 1);

	(void)state;
	assert_true(traffic_map(traffic, &map, 0));
	traffic_step(traffic);
	traffic_step(traffic);
	assert_int_equal(traffic_next(traffic), 1000000);
	traffic_step(traffic);
	assert_int_equal(log.iova, IOVA);
	/* A later pass is cut short. */
	unmap(traffic, &unmapped, 1000001);
	assert_int_equal(log.nr, 3);
	traffic_destroy(traffic);
	/* One that takes longer than that follows at once. */
	traffic = make(&log, 100, 1, 1);
	assert_true(traffic_map(traffic, &map, 0));
	traffic_step(traffic);
	traffic_step(traffic);
	assert_int_equal(traffic_next(traffic), 3 * TRAFFIC_PAGE_NS);
	traffic_destroy(traffic);
}

static void test_read_only(void **state)
{
	struct iopt_segment segments[2];
	struct call map = mapping(0, IOVA, 2, segments), unmapped = gone(0, IOVA, 2);
	struct log log;
	struct traffic *traffic = make(&log, 0, 1000, 1);

	(void)state;
	assert_true(traffic_map(traffic, &map, 0));
	assert_int_equal(traffic_next(traffic), NEVER);
	assert_int_equal(traffic_pa(traffic, 0, IOVA + PAGE + 5), 0x50000005);
	assert_int_equal(traffic_pa(traffic, 1, IOVA), UINT64_MAX);
	unmap(traffic, &unmapped, 9);
	assert_int_equal(log.nr, 0);
	traffic_destroy(traffic);
}

/* The middle of five pages goes: both ends stay where they were. */
static void test_cut(void **state)
{
	struct iopt_segment segments[2];
	struct call map = mapping(0, IOVA, 5, segments), middle = gone(0, IOVA + PAGE, 2);
	struct call rest = gone(0, IOVA, 5);
	struct log log;
	struct traffic *traffic = make(&log, 100, 0, 1);

	(void)state;
	assert_true(traffic_map(traffic, &map, 0));
	unmap(traffic, &middle, 10);
	assert_int_equal(log.nr, 5);
	assert_int_equal(traffic_pa(traffic, 0, IOVA), 0x10000000);
	assert_int_equal(traffic_pa(traffic, 0, IOVA + PAGE), UINT64_MAX);
	assert_int_equal(traffic_pa(traffic, 0, IOVA + 2 * PAGE), UINT64_MAX);
	assert_int_equal(traffic_pa(traffic, 0, IOVA + 3 * PAGE), 0x50002000);
	assert_int_equal(traffic_pa(traffic, 0, IOVA + 4 * PAGE), 0x50003000);
	unmap(traffic, &rest, 20);
	assert_int_equal(traffic_pa(traffic, 0, IOVA + 4 * PAGE), UINT64_MAX);
	traffic_destroy(traffic);
}

static void test_large(void **state)
{
	struct iopt_segment segments[2];
	struct call map = mapping(0, IOVA, 10 * TRAFFIC_PAGES, segments);
	struct call unmapped = gone(0, IOVA, 10 * TRAFFIC_PAGES);
	struct log log;
	struct traffic *traffic = make(&log, 100, 0, 1);

	(void)state;
	assert_true(traffic_map(traffic, &map, 0));
	for (unsigned i = 0; i < TRAFFIC_PAGES; i++) {
		traffic_step(traffic);
		assert_in_range(log.iova, map.first, map.last);
		assert_int_equal(log.pa, traffic_pa(traffic, 0, log.iova));
	}
	assert_int_equal(traffic_next(traffic), NEVER);
	unmap(traffic, &unmapped, 1);
	assert_int_equal(log.nr, TRAFFIC_PAGES);
	traffic_destroy(traffic);
}

/* Many mappings that come and go; all of what is due comes in the order of time. */
static uint64_t run_many(uint64_t seed, unsigned *nr)
{
	struct iopt_segment segments[2];
	struct log log;
	struct traffic *traffic = make(&log, 50, 5000, seed);
	uint64_t now = 0;

	for (unsigned i = 0; i < 500; i++) {
		struct call map = mapping(i % 3, IOVA + i * 8 * PAGE, 1 + i % 7, segments);

		assert_true(traffic_map(traffic, &map, 300 * i));
		while (traffic_next(traffic) <= 300 * i) {
			assert_true(traffic_next(traffic) >= now);
			now = traffic_next(traffic);
			traffic_step(traffic);
		}
		if (i >= 100) {
			struct call old =
				gone((i - 100) % 3, IOVA + (i - 100) * 8 * PAGE, 1 + (i - 100) % 7);

			unmap(traffic, &old, 300 * i);
		}
	}
	*nr = log.nr;
	traffic_destroy(traffic);
	return log.hash;
}

static void test_seed(void **state)
{
	unsigned nr, again, other;

	(void)state;
	assert_true(run_many(1, &nr) == run_many(1, &again));
	assert_int_equal(nr, again);
	assert_true(nr > 500);
	assert_true(run_many(1, &nr) != run_many(2, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),  cmocka_unit_test(test_rewritten),
		cmocka_unit_test(test_read_only), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_large),	  cmocka_unit_test(test_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
