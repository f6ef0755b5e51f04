/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VT-d's second stage through a device that every QEMU has, edu, which reads and writes: all that
 * the QEMU of Debian 12 can check, where a newer one can't be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"

#define BYTES 64u

/**
 * struct copy - a machine and a domain that the reader is attached to
 * @from, @to: data in memory, mapped at an IOVA each
 */
static struct copy {
	struct hw *hw;
	struct hw_domain domain;
	struct random random;
	uint64_t from;
	uint64_t to;
} c;

static void open_copy(unsigned levels)
{
	const struct iopt_config config = { .format = "vtd-ss", .levels = (uint8_t)levels };

	c = (struct copy){ 0 };
	random_seed(&c.random, hw_seed());
	c.hw = hw_start(&hw_vtd_legacy, 0);
	assert_int_equal(hw_domain_init(&c.domain, c.hw, &config, 4), 0);
	hw_attach(c.hw, &c.hw->reader, &c.domain);
	c.from = c.hw->ram_base + HW_DATA;
	c.to = c.from + HW_MIB(64);
}

static void close_copy(void)
{
	hw_attach(c.hw, &c.hw->reader, NULL);
	hw_domain_fini(&c.domain);
	hw_stop(c.hw);
}

/* The device copies from one IOVA to another: whether what is at from has arrived at to. */
static bool arrives(uint64_t iova_from, uint64_t iova_to)
{
	for (unsigned i = 0; i < BYTES; i += 8) {
		hw_store64(c.hw, c.from + i, random_next(&c.random));
		hw_store64(c.hw, c.to + i, 0);
	}
	hw_reader_load(c.hw, iova_from, BYTES);
	hw_reader_store(c.hw, iova_to, BYTES);
	return !memcmp(hw_at(c.hw, c.from), hw_at(c.hw, c.to), BYTES);
}

static void check_fault(uint64_t iova, bool write, uint32_t reason)
{
	struct hw_fault fault, again;

	assert_true(hw_fault(c.hw, &fault));
	assert_int_equal(fault.bdf, c.hw->reader.bdf);
	assert_int_equal(fault.iova >> 12, iova >> 12);
	assert_int_equal(fault.write, write);
	assert_int_equal(fault.reason, reason);
	while (hw_fault(c.hw, &again))
		; /* it is tried in pieces */
}

/* Mapped, unmapped, and unmapped with what was cached gone, in leaves of one size. */
static void use_leaves(unsigned lg2)
{
	const uint64_t size = 1ull << lg2, offset = c.from & (size - 1);
	const uint64_t one = 0x4000000000ull, other = 0x10000;
	struct iopt_gather gather;

	assert_int_equal(
		iopt_map(c.domain.iopt, one, one + size - 1, c.from - offset, IOPT_READ, NULL), 0);
	assert_int_equal(iopt_map(c.domain.iopt, other, other + 0xfff, c.to, IOPT_WRITE, NULL), 0);
	assert_true(arrives(one + offset, other));
	assert_false(hw_fault(c.hw, &(struct hw_fault){ 0 }));

	iopt_gather_init(&gather, c.domain.iopt, NULL);
	assert_int_equal(iopt_unmap(c.domain.iopt, one, one + size - 1, 0, &gather, NULL), 0);
	assert_true(arrives(one + offset, other));
	iopt_sync(&gather);
	assert_false(arrives(one + offset, other));
	check_fault(one + offset, false, 6);

	assert_int_equal(iopt_unmap(c.domain.iopt, other, other + 0xfff, 0, &gather, NULL), 0);
	iopt_sync(&gather);
	hw_reader_store(c.hw, other, BYTES);
	check_fault(other, true, 5);
}

static void four_levels(void **state)
{
	(void)state;
	open_copy(4);
	use_leaves(12);
	use_leaves(21);
	use_leaves(30);
	close_copy();
}

static void three_levels(void **state)
{
	(void)state;
	open_copy(3);
	use_leaves(12);
	use_leaves(21);
	use_leaves(30);
	close_copy();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_levels),
		cmocka_unit_test(three_levels),
	};
	if (hw_missing(hw_reader_available()))
		return 77;
	return cmocka_run_group_tests_name("hw: edu", tests, NULL, NULL);
}
