/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A checked build finds embedders that break the contract, and nothing where they keep it. The
 * engine is compiled into this test as such a build, whatever the library is. The host writes a
 * line on standard error for each breach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "iopt/iopt.h"
#include "iopt/posix.h"
#include "tests/support/shape.h"

#define RW (IOPT_READ | IOPT_WRITE)

/* How often two threads fight at most before one of them must have been caught. */
#define ROUNDS 2000000u

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	(void)ctx;
	(void)gather;
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
	(void)ctx;
	(void)domain;
}

/* Formats that these addresses are written for. */
static size_t next_usual(size_t i)
{
	while (iopt_format_info(i) && !is_usual(iopt_format_info(i)))
		i++;
	return i;
}

static struct iopt_domain *domain_of(const char *format)
{
	const struct iopt_config config = {
		.format = format,
		.callbacks = { .invalidate = invalidate, .top_changed = top_changed },
	};
	struct iopt_domain *domain;

	assert_int_equal(iopt_create(&config, &domain), 0);
	return domain;
}

static void unmap(struct iopt_domain *domain, uint64_t first, uint64_t last,
		  struct iopt_gather *gather)
{
	assert_int_equal(iopt_unmap(domain, first, last, 0, gather, NULL), 0);
}

static void test_kept(void **state)
{
	(void)state;
	for (size_t i = next_usual(0); iopt_format_info(i); i = next_usual(i + 1)) {
		struct iopt_domain *domain = domain_of(iopt_format_info(i)->name);
		const uint64_t page = 1ull << iopt_format_info(i)->granule_lg2;
		uint64_t before = iopt_posix_breaches();
		struct iopt_gather gather, other;

		iopt_gather_init(&gather, domain, NULL);
		iopt_gather_init(&other, domain, NULL);
		assert_int_equal(iopt_map(domain, 0, 0x600 * page - 1, 0x200 * page, RW, NULL), 0);
		unmap(domain, 0, 0x200 * page - 1, &gather);
		/* Beside what is owed, and after it was paid by another. */
		assert_int_equal(iopt_map(domain, 0x600 * page, 0x602 * page - 1, page, RW, NULL),
				 0);
		assert_int_equal(iopt_gather_merge(&other, &gather), 0);
		iopt_sync(&other);
		assert_int_equal(iopt_map(domain, 0, 0x200 * page - 1, page, RW, NULL), 0);
		unmap(domain, 0, 0x800 * page - 1, &gather);
		iopt_sync(&gather);
		assert_int_equal(iopt_posix_breaches(), before);
		iopt_destroy(domain);
	}
}

static void test_mapped_before_sync(void **state)
{
	(void)state;
	for (size_t i = next_usual(0); iopt_format_info(i); i = next_usual(i + 1)) {
		struct iopt_domain *domain = domain_of(iopt_format_info(i)->name);
		const uint64_t page = 1ull << iopt_format_info(i)->granule_lg2;
		uint64_t before = iopt_posix_breaches();
		struct iopt_gather gather;

		iopt_gather_init(&gather, domain, NULL);
		assert_int_equal(iopt_map(domain, 0, 4 * page - 1, page, RW, NULL), 0);
		unmap(domain, 0, 4 * page - 1, &gather);
		assert_int_equal(iopt_map(domain, 2 * page, 3 * page - 1, page, RW, NULL), 0);
		assert_int_equal(iopt_posix_breaches(), before + 1);
		iopt_sync(&gather);
		iopt_destroy(domain);
	}
}

static bool over;

/* Unmaps what the other thread maps. */
static void *fight(void *arg)
{
	struct iopt_domain *domain = arg;
	struct iopt_gather gather;

	iopt_gather_init(&gather, domain, NULL);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		iopt_unmap(domain, 0x1000, 0x40fff, 0, &gather, NULL);
		iopt_sync(&gather);
	}
	return NULL;
}

static void test_two_write_one_range(void **state)
{
	struct iopt_domain *domain = domain_of("vtd-ss");
	uint64_t before = iopt_posix_breaches();
	struct iopt_gather gather;
	pthread_t thread;

	(void)state;
	iopt_gather_init(&gather, domain, NULL);
	assert_int_equal(iopt_map(domain, 0, 0xfff, 0x1000, RW, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, fight, domain), 0);
	for (unsigned i = 0; i < ROUNDS && iopt_posix_breaches() == before; i++) {
		iopt_map(domain, 0x1000, 0x40fff, 0x3000, RW, NULL);
		iopt_unmap(domain, 0x1000, 0x40fff, 0, &gather, NULL);
		iopt_sync(&gather);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_true(iopt_posix_breaches() > before);
	iopt_destroy(domain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_mapped_before_sync),
		cmocka_unit_test(test_two_write_one_range),
	};

	return cmocka_run_group_tests_name("checked", tests, NULL, NULL);
}
