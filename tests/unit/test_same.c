/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* tools/iopt/same.c: what makes tables, or what their leaves say, another; keys agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/iopt/same.h"

static struct iopt_decode_device arm(void)
{
	return (struct iopt_decode_device){
		.format = "arm-s1",
		.prot = IOPT_READ,
		.hw = { .root = 0x1000, .levels = 3, .arm = { .mair = 0x44, .tsz = 25, .ps = 5 } },
	};
}

static void says_other(const struct iopt_decode_device *a, const struct iopt_decode_device *b)
{
	assert_true(same_tables(a, b));
	assert_false(same_leaves(a, b));
	assert_false(same_leaves(b, a));
}

static void other_leaves(void **state)
{
	const struct iopt_decode_device device = arm();
	struct iopt_decode_device other = arm();

	(void)state;
	other.id = 7; /* whose they are is all one */
	assert_true(same_leaves(&device, &other));
	assert_int_equal(same_key(&device), same_key(&other));
	other.prot |= IOPT_WRITE;
	says_other(&device, &other);
	other = arm(), other.hw.arm.mair = 0x4;
	says_other(&device, &other);
	other = arm(), other.hw.arm.tsz = 16;
	says_other(&device, &other);
	other = arm(), other.hw.arm.ps = 6;
	says_other(&device, &other);
	other = arm(), other.hw.arm.ds = true;
	says_other(&device, &other);
	other = arm(), other.hw.arm.ha = true;
	says_other(&device, &other);
	other = arm(), other.hw.arm.hd = true;
	says_other(&device, &other);
}

static void other_tables(void **state)
{
	const struct iopt_decode_device device = arm();
	struct iopt_decode_device other = arm();

	(void)state;
	other.hw.root = 0x2000;
	assert_false(same_tables(&device, &other));
	other = arm(), other.hw.levels = 4;
	assert_false(same_tables(&device, &other));
	other = arm(), other.hw.arm.upper = true;
	assert_false(same_tables(&device, &other));
	other = arm(), other.format = "arm-s2";
	assert_false(same_tables(&device, &other));
	other = arm(), other.first_format = "arm-s1";
	assert_false(same_tables(&device, &other));
	other = arm(), other.format = NULL;
	assert_false(same_tables(&device, &other));
	assert_true(same_tables(&other, &other));
}

/* Of each format, told by its own field. */
static void marks(void **state)
{
	static const struct {
		const char *format;
		struct iopt_hw hw;
	} all[] = {
		{ "vtd-ss", { .vtd_ss.ssade = true } },
		{ "amd-v1", { .amd_v1.had = 3 } },
		{ "riscv-s1", { .riscv_s1.sade = true } },
		{ "riscv-g", { .riscv_g.gade = true } },
		{ "arm-s2", { .arm = { .ha = true, .hd = true } } },
	};
	const struct iopt_hw none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const struct iopt_decode_device device = { .format = all[i].format,
							   .hw = all[i].hw };
		struct iopt_decode_device other = device;

		assert_int_equal(marks_set(all[i].format, &all[i].hw), MARK_ACCESSED | MARK_DIRTY);
		assert_int_equal(marks_set(all[i].format, &none), 0);
		other.hw = none;
		says_other(&device, &other);
	}
	assert_int_equal(marks_set("x86-64", &none), MARK_ACCESSED | MARK_DIRTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_leaves),
		cmocka_unit_test(other_tables),
		cmocka_unit_test(marks),
	};

	return cmocka_run_group_tests_name("same", tests, NULL, NULL);
}
