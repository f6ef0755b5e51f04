/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What Arm's granules and address sizes change in descriptors, for test_formats_arm_*.c: where an
 * address is, which sizes there are and where a walk starts. Everything else is the same as in
 * test_formats_arm_s1.c and test_formats_arm_s2.c, which also say how to check the literals.
 */
#ifndef TESTS_UNIT_ARM_ENTRIES_H
#define TESTS_UNIT_ARM_ENTRIES_H

#include "tests/unit/entries.h"

/**
 * struct arm_start - a geometry, and what the hardware is told of it
 */
struct arm_start {
	uint8_t levels;
	uint8_t iova_lg2;
	uint8_t tsz;
	uint8_t sl0;
	bool sl2;
};

/**
 * struct arm_entries - one format
 * @format:   the format
 * @sizes:    as check_sizes() takes them
 * @pa:       an address with its highest bits set, a granule
 * @leaf:     read-write, trackable if that can be, there
 * @table:    what leads to a table there
 * @retiring: the same, of the engine's
 * @starts:   geometries that there are
 * @none:     others that hardware has not
 * @tg:       TG0, and TG1 of stage 1
 * @ds:       DS
 */
struct arm_entries {
	const struct iopt_format *format;
	const struct sized_leaf *sizes;
	size_t nr_sizes;
	uint64_t pa;
	uint64_t leaf;
	uint64_t table;
	uint64_t retiring;
	struct arm_start starts[4];
	struct iopt_geometry none[3];
	uint8_t tg[2];
	bool ds;
};

static const struct arm_entries arm;

static void every_size(void **state)
{
	(void)state;
	check_sizes(arm.format, arm.sizes, arm.nr_sizes);
}

static void high_addresses(void **state)
{
	const struct iopt_format *f = arm.format;

	(void)state;
	assert_int_equal(make_leaf(f, IOPT_READ | IOPT_WRITE, IOPT_TRACKABLE, arm.pa,
				   f->info.granule_lg2),
			 arm.leaf);
	assert_int_equal(f->leaf_pa(arm.leaf, 0), arm.pa);
	assert_int_equal(f->table(arm.pa, 1), arm.table);
	assert_int_equal(f->table_pa(arm.table), arm.pa);
	assert_int_equal(f->retiring(arm.pa), arm.retiring);
	assert_int_equal(f->retiring_pa(arm.retiring), arm.pa);
}

static void starts(void **state)
{
	const struct iopt_format *f = arm.format;

	(void)state;
	for (size_t i = 0; i < sizeof(arm.starts) / sizeof(arm.starts[0]); i++) {
		const struct arm_start *start = &arm.starts[i];
		const struct iopt_geometry g = { start->levels, start->iova_lg2, f->info.pa_lg2 };
		struct iopt_hw hw;

		if (!g.levels)
			continue;
		assert_true(f->fits(&g));
		f->hw(0x123450000, &g, 0, &hw);
		assert_int_equal(hw.arm.ttb, 0x123450000);
		assert_int_equal(hw.arm.tsz, start->tsz);
		assert_int_equal(hw.arm.sl0, start->sl0);
		assert_int_equal(hw.arm.sl2, start->sl2);
		assert_int_equal(hw.arm.tg, arm.tg[0]);
		assert_int_equal(hw.arm.ps, f->info.pa_lg2 == 52   ? 6
					    : f->info.pa_lg2 == 48 ? 5
								   : 2);
		assert_int_equal(hw.arm.ds, arm.ds);
		if (!(f->info.abilities & IOPT_CAN_UPPER))
			continue;
		f->hw(0x123450000, &g, IOPT_UPPER, &hw);
		assert_int_equal(hw.arm.tg, arm.tg[1]);
	}
	for (size_t i = 0; i < sizeof(arm.none) / sizeof(arm.none[0]); i++)
		if (arm.none[i].levels)
			assert_false(f->fits(&arm.none[i]));
}

static int arm_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size),
		cmocka_unit_test(high_addresses),
		cmocka_unit_test(starts),
	};

	return cmocka_run_group_tests_name(arm.format->info.name, tests, NULL, NULL);
}

#endif
