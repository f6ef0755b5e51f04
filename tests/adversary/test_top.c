/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The top of formats that grow: its pointer and its level change together, nothing is mapped where
 * the device was not told of, and the old top goes on as the new one's first child.
 *
 * One thread, or two in turns inside the top_changed callback: the moment between a new top and the
 * device's knowing of it.
 */
#include <errno.h>

#include "aside.h"

#define PA (1ull << 40)

static void open_low(struct rig *rig, const struct iopt_format_info *format, unsigned levels)
{
	struct rig_config config = rig_defaults(format->name);

	config.domain.levels = (uint8_t)levels;
	rig_open(rig, &config);
}

/* First IOVA that a number of levels does not translate. */
static uint64_t beyond(const struct iopt_format_info *format, unsigned levels)
{
	return 1ull << (format->granule_lg2 + levels * format->index_lg2);
}

/* Level by level, or several at once: what was mapped stays, what is new is reached at once. */
static void test_grows_by_need(const struct iopt_format_info *format)
{
	for (unsigned step = 1; step <= 5; step++) {
		struct iopt_stats stats;
		struct iopt_hw hw;
		struct rig rig;
		unsigned mapped = 0;

		open_low(&rig, format, 1);
		rig_map(&rig, 0, PAGE, PA);
		for (unsigned levels = step; levels < format->max_levels; levels += step) {
			uint64_t high = beyond(format, levels);

			assert_int_equal(rig_write(&rig, 0, 0), SOFT_IOMMU_DONE);
			assert_int_not_equal(rig_write(&rig, 0, high), SOFT_IOMMU_DONE);
			rig_map(&rig, high, PAGE, 2 * PA + high % PA);
			mapped++;
			assert_int_equal(rig_write(&rig, 0, high), SOFT_IOMMU_DONE);
			iopt_hw(rig.domain, &hw);
			assert_int_equal(hw.levels, levels + 1);
			assert_int_equal(hw.amd_v1.mode, levels + 1);
			assert_int_equal(hw.amd_v1.root_ptr, hw.root);
			for (unsigned below = step; below <= levels; below += step)
				assert_int_equal(rig_write(&rig, 0, beyond(format, below)),
						 SOFT_IOMMU_DONE);
			assert_int_equal(rig_write(&rig, 0, 0), SOFT_IOMMU_DONE);
			assert_int_equal(rig_touched(), PA);
		}
		iopt_stats(rig.domain, &stats);
		assert_int_equal(stats.grown, mapped * step);
		rig_close(&rig);
	}
}

/* ---- while a new top is announced --------------------------------------------------------- */

#define LOW	  (3 * PAGE)
#define OTHER_LOW (9 * PAGE)

/* What the engine answers while its newest top is not announced yet. */
static void look_while_announcing(struct rig *rig)
{
	struct iopt_translation found;
	struct iopt_hw hw;

	if (iopt_translate(rig->domain, LOW, &found) || found.pa != PA)
		complain("what is mapped below does not translate while the top grows");
	if (rig_write(rig, 0, LOW) != SOFT_IOMMU_DONE)
		complain("the device loses what is mapped below while the top grows");
	if (rig_visited_tables(rig) < 1)
		complain("a visit finds nothing while the top grows");
	iopt_hw(rig->domain, &hw);
	if (iopt_posix_table_state(hw.root, NULL) != IOPT_POSIX_LIVE || hw.root & (PAGE - 1))
		complain("no root while the top grows");
	if (hw.levels != rig_visited_tables(rig) && hw.levels < 2)
		complain("the root's level is not its own");
}

static void test_top_is_one_word(const struct iopt_format_info *format)
{
	struct rig rig;

	for (unsigned levels = 1; levels < format->max_levels; levels++) {
		open_low(&rig, format, levels);
		rig_map(&rig, LOW, PAGE, PA);
		rig.before_top = look_while_announcing;
		rig_map(&rig, beyond(format, levels), PAGE, PA);
		assert_no_complaint();
		assert_int_equal(rig_write(&rig, 0, LOW), SOFT_IOMMU_DONE);
		rig_close(&rig);
	}
}

/*
 * The root and levels that iopt_hw() gives belong together: the hardware's own walk finds what is
 * below.
 */
static void walk_newest(struct rig *rig)
{
	struct soft_iommu_translation found;
	struct soft_iommu_domain_config config = { .format = rig->format->name, .id = 1 };
	struct soft_iommu_domain *side;

	iopt_hw(rig->domain, &config.hw);
	if (soft_iommu_domain_create(rig->unit, &config, &side)) {
		complain("the hardware refuses the newest top");
		return;
	}
	if (soft_iommu_walk(side, LOW, &found) != SOFT_IOMMU_DONE || found.pa != PA)
		complain("what is mapped below is not found from the newest top");
	soft_iommu_domain_destroy(side);
}

static void test_newest_top_leads_to_old(const struct iopt_format_info *format)
{
	struct rig rig;

	for (unsigned levels = 1; levels < format->max_levels; levels++) {
		open_low(&rig, format, levels);
		rig_map(&rig, LOW, PAGE, PA);
		rig.before_top = walk_newest;
		rig_map(&rig, ~0ull - (PAGE - 1), PAGE, PA);
		assert_no_complaint();
		rig_close(&rig);
	}
}

/* Another mapper needs the new top too: it does not return before the device knows of it. */
static void *map_above_too(void *ctx)
{
	struct rig *rig = ctx;
	uint64_t high = beyond(rig->format, 2) + 5 * PAGE;

	if (iopt_map(rig->domain, high, high + PAGE - 1, PA, READ_WRITE, NULL))
		complain("the second mapper fails");
	else if (rig_write(rig, 0, high) != SOFT_IOMMU_DONE)
		complain("something is mapped above what the device was told of");
	return NULL;
}

/* A mapper that needs no new top is not held up, and neither is an unmap. */
static void *map_below(void *ctx)
{
	struct rig *rig = ctx;
	struct iopt_gather gather;

	if (iopt_map(rig->domain, OTHER_LOW, OTHER_LOW + PAGE - 1, PA, READ_WRITE, NULL) ||
	    rig_write(rig, 0, OTHER_LOW) != SOFT_IOMMU_DONE)
		complain("a mapper below is held up by growth");
	iopt_gather_init(&gather, rig->domain, NULL);
	if (iopt_unmap(rig->domain, OTHER_LOW, OTHER_LOW + PAGE - 1, 0, &gather, NULL))
		complain("an unmap is held up by growth");
	iopt_sync(&gather);
	return NULL;
}

static bool second_mapper_ran;

static void let_others_map(struct rig *rig)
{
	if (second_mapper_ran)
		return;
	second_mapper_ran = true;
	aside(map_below, rig);
	aside(map_above_too, rig);
}

static void test_announced_before_use(const struct iopt_format_info *format)
{
	struct rig rig;

	open_low(&rig, format, 2);
	rig_map(&rig, LOW, PAGE, PA);
	second_mapper_ran = false;
	rig.before_top = let_others_map;
	rig_map(&rig, beyond(format, 2), PAGE, PA);
	assert_no_complaint();
	assert_int_equal(rig_write(&rig, 0, beyond(format, 2)), SOFT_IOMMU_DONE);
	assert_int_equal(rig_write(&rig, 0, LOW), SOFT_IOMMU_DONE);
	rig_close(&rig);
}

/* A late announcement does not take the device back: it reads what is newest under the lock. */
static void *map_even_higher(void *ctx)
{
	struct rig *rig = ctx;
	uint64_t high = beyond(rig->format, 4);

	if (iopt_map(rig->domain, high, high + PAGE - 1, PA, READ_WRITE, NULL))
		complain("the mapper above fails");
	return NULL;
}

static void let_top_grow_further(struct rig *rig)
{
	if (second_mapper_ran)
		return;
	second_mapper_ran = true;
	aside(map_even_higher, rig);
}

static void test_late_announcement(const struct iopt_format_info *format)
{
	struct rig rig;

	open_low(&rig, format, 2);
	second_mapper_ran = false;
	rig.before_top = let_top_grow_further;
	rig_map(&rig, beyond(format, 2), PAGE, PA);
	assert_no_complaint();
	assert_int_equal(rig_write(&rig, 0, beyond(format, 2)), SOFT_IOMMU_DONE);
	assert_int_equal(rig_write(&rig, 0, beyond(format, 4)), SOFT_IOMMU_DONE);
	rig_close(&rig);
}

/* The old top is a table like any other then: an unmap of all that it translates takes it. */
static void test_old_top_unlinked(const struct iopt_format_info *format)
{
	struct rig rig;

	for (unsigned levels = 1; levels < 5; levels++) {
		uint64_t old_top, high = beyond(format, levels);

		open_low(&rig, format, levels);
		rig_map(&rig, LOW, PAGE, PA);
		old_top = rig_table(&rig, 0, levels - 1);
		assert_int_equal(rig_write(&rig, 0, LOW), SOFT_IOMMU_DONE);
		rig_map(&rig, high, PAGE, PA);
		assert_int_equal(rig_table(&rig, 0, levels - 1), old_top);
		rig_unmap(&rig, 0, high);
		assert_false(rig_reaches(&rig, 0, LOW));
		iopt_posix_barrier();
		assert_int_equal(iopt_posix_table_state(old_top, NULL), IOPT_POSIX_FREE);
		rig_map(&rig, LOW, PAGE, 2 * PA);
		assert_int_equal(rig_write(&rig, 0, LOW), SOFT_IOMMU_DONE);
		assert_int_equal(rig_touched(), 2 * PA);
		assert_int_equal(rig_write(&rig, 0, high), SOFT_IOMMU_DONE);
		rig_close(&rig);
	}
}

/* No memory for a top: nothing changes; at any later table: the top may have grown, no more. */
static void test_growth_without_memory(const struct iopt_format_info *format)
{
	for (unsigned nth = 1; nth <= 4; nth++) {
		struct iopt_translation found;
		struct rig rig;
		int result;

		open_low(&rig, format, 2);
		rig_map(&rig, LOW, PAGE, PA);
		iopt_posix_fail(nth, false);
		result = iopt_map(rig.domain, beyond(format, 3), beyond(format, 3) + PAGE - 1, PA,
				  READ_WRITE, NULL);
		iopt_posix_fail(0, false);
		assert_int_equal(result, -ENOMEM);
		assert_int_equal(iopt_translate(rig.domain, beyond(format, 3), &found), -ENOENT);
		assert_int_equal(rig_write(&rig, 0, LOW), SOFT_IOMMU_DONE);
		rig_map(&rig, beyond(format, 3), PAGE, PA);
		assert_int_equal(rig_write(&rig, 0, beyond(format, 3)), SOFT_IOMMU_DONE);
		rig_close(&rig);
	}
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "grows by need", test_grows_by_need, IOPT_CAN_GROW, NULL, false },
		{ "top is one word", test_top_is_one_word, IOPT_CAN_GROW, NULL, false },
		{ "newest top leads to old", test_newest_top_leads_to_old, IOPT_CAN_GROW, NULL,
		  false },
		{ "announced before use", test_announced_before_use, IOPT_CAN_GROW, NULL, false },
		{ "late announcement", test_late_announcement, IOPT_CAN_GROW, NULL, false },
		{ "old top unlinked", test_old_top_unlinked, IOPT_CAN_GROW, NULL, false },
		{ "growth without memory", test_growth_without_memory, IOPT_CAN_GROW, NULL, false },
	};

	return run_format_tests(argc, argv, "top", tests, sizeof(tests) / sizeof(*tests));
}
