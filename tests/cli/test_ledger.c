/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The ledger of `iopt replay` told of sequences that are right and wrong: what it must find, and
 * what it must not. One thread plays all parts, in the order that matters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/iopt/ledger.h"

#define PAGE 0x1000u
#define IOVA 0x200000u
#define PA   0x40000000u

struct scene {
	struct ledger *ledger;
	struct ledger_report report;
	struct ledger_counts counts;
	uint64_t iova; /* of the last fault */
};

static void tell(void *ctx, enum ledger_fault fault, uint32_t domain, uint64_t iova, uint64_t line)
{
	struct scene *scene = ctx;

	(void)fault;
	assert_int_equal(domain, 3);
	assert_true(line == 0 || line == 7);
	scene->iova = iova;
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	scene->report.tell = tell;
	scene->report.ctx = scene;
	scene->ledger = ledger_create(3, 1u << 12 | 1u << 21, true, &scene->report);
	*state = scene;
	return scene->ledger ? 0 : -1;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	ledger_destroy(scene->ledger);
	free(scene);
	return 0;
}

static void expect(struct scene *scene, enum ledger_fault fault, uint64_t nr)
{
	for (unsigned i = 0; i < LEDGER_NR_FAULTS; i++)
		assert_int_equal(atomic_load(&scene->report.faults[i]),
				 i == (unsigned)fault ? nr : 0);
}

static void expect_none(struct scene *scene)
{
	expect(scene, LEDGER_NR_FAULTS, 0);
}

static void map(struct scene *scene, uint64_t bytes, uint64_t pa)
{
	struct iopt_segment segment = { pa, bytes };
	struct call call = { .map = true,
			     .first = IOVA,
			     .last = IOVA + bytes - 1,
			     .bytes = bytes,
			     .line = 7,
			     .nr_segments = 1,
			     .segments = &segment };

	assert_int_equal(ledger_map_begin(scene->ledger, &call), 0);
	ledger_map_end(scene->ledger, call.first, call.last, true);
}

static void reach(struct scene *scene, uint64_t iova, uint64_t pa, bool write)
{
	struct ledger_slot *slot = ledger_find(scene->ledger, iova);

	assert_non_null(slot);
	if (write)
		ledger_write_begin(slot);
	ledger_touch(scene->ledger, slot, iova, pa, write);
	if (write)
		ledger_write_end(slot);
}

static void write_page(struct scene *scene, unsigned page)
{
	reach(scene, IOVA + page * PAGE, PA + page * PAGE, true);
}

static void sweep(struct scene *scene, unsigned page)
{
	ledger_sweep_begin(scene->ledger);
	ledger_sweep_record(scene->ledger, IOVA + page * PAGE, IOVA + page * PAGE + PAGE - 1,
			    &scene->counts);
	ledger_sweep_end(scene->ledger);
}

static void begin_unmap(struct scene *scene, uint64_t bytes)
{
	ledger_unmap_begin(scene->ledger, IOVA, IOVA + bytes - 1);
}

static void report_unmap(struct scene *scene, uint64_t bytes)
{
	ledger_unmap_record(scene->ledger, IOVA, IOVA + bytes - 1, &scene->counts);
}

static void end_unmap(struct scene *scene, uint64_t bytes)
{
	ledger_unmap_end(scene->ledger, IOVA, IOVA + bytes - 1, &scene->counts);
}

static void unmap(struct scene *scene, bool dirty)
{
	begin_unmap(scene, PAGE);
	if (dirty)
		report_unmap(scene, PAGE);
	end_unmap(scene, PAGE);
}

/* ---- lost ------------------------------------------------------------------------------------ */

static void written_and_reported_by_unmap(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	unmap(scene, true);
	expect_none(scene);
	assert_int_equal(scene->counts.written, 1);
	assert_int_equal(scene->counts.reported, 1);
	assert_int_equal(scene->counts.by_unmap, 1);
}

static void written_and_never_reported(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	unmap(scene, false);
	expect(scene, LEDGER_LOST, 1);
	assert_int_equal(scene->iova, IOVA);
}

static void written_after_its_sweep(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	sweep(scene, 0);
	write_page(scene, 0);
	unmap(scene, false);
	expect(scene, LEDGER_LOST, 1);
}

static void written_before_its_sweep_ended(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	ledger_sweep_begin(scene->ledger);
	ledger_sweep_record(scene->ledger, IOVA, IOVA + PAGE - 1, &scene->counts);
	write_page(scene, 0);
	ledger_sweep_end(scene->ledger);
	unmap(scene, false);
	expect_none(scene);
}

/* A sweep that recorded a mapping's page cleared the bit of the next mapping there. */
static void next_mapping_cleared_by_the_same_sweep(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	ledger_sweep_begin(scene->ledger);
	ledger_sweep_record(scene->ledger, IOVA, IOVA + PAGE - 1, &scene->counts);
	unmap(scene, true);
	map(scene, PAGE, PA);
	write_page(scene, 0);
	ledger_sweep_end(scene->ledger);
	unmap(scene, false);
	expect_none(scene);
}

static void a_sweep_of_an_earlier_mapping_is_no_report(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	sweep(scene, 0);
	unmap(scene, false);
	map(scene, PAGE, PA);
	write_page(scene, 0);
	unmap(scene, false);
	expect(scene, LEDGER_LOST, 1);
}

/* ---- in vain --------------------------------------------------------------------------------- */

static void unmap_reports_what_nobody_wrote(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	reach(scene, IOVA, PA, false);
	unmap(scene, true);
	expect(scene, LEDGER_IN_VAIN, 1);
}

static void unmap_reports_what_a_sweep_had_cleared(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	sweep(scene, 0);
	unmap(scene, true);
	expect(scene, LEDGER_IN_VAIN, 1);
}

static void unmap_and_sweep_at_the_same_time(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	ledger_sweep_begin(scene->ledger);
	ledger_sweep_record(scene->ledger, IOVA, IOVA + PAGE - 1, &scene->counts);
	begin_unmap(scene, PAGE);
	ledger_sweep_end(scene->ledger);
	report_unmap(scene, PAGE);
	end_unmap(scene, PAGE);
	expect_none(scene);
}

static void unmap_reports_twice(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	begin_unmap(scene, PAGE);
	report_unmap(scene, PAGE);
	report_unmap(scene, PAGE);
	end_unmap(scene, PAGE);
	expect(scene, LEDGER_IN_VAIN, 1);
}

static void sweep_reports_twice(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	sweep(scene, 0);
	expect_none(scene);
	sweep(scene, 0);
	expect(scene, LEDGER_IN_VAIN, 1);
}

static void sweep_reports_what_is_not_mapped(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	unmap(scene, true);
	sweep(scene, 0);
	expect(scene, LEDGER_IN_VAIN, 1);
}

static void sweep_reports_what_never_was_mapped(void **state)
{
	struct scene *scene = *state;

	sweep(scene, 0);
	expect(scene, LEDGER_IN_VAIN, 1);
}

/* It had found the entry before an unmap took it; that unmap reported the page too. */
static void sweep_comes_late(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	ledger_sweep_begin(scene->ledger);
	unmap(scene, true);
	ledger_sweep_record(scene->ledger, IOVA, IOVA + PAGE - 1, &scene->counts);
	map(scene, PAGE, PA + PAGE);
	ledger_sweep_record(scene->ledger, IOVA, IOVA + PAGE - 1, &scene->counts);
	ledger_sweep_end(scene->ledger);
	expect_none(scene);
	/* The new mapping itself was not reported: this is its first and only report. */
	reach(scene, IOVA, PA + PAGE, true);
	unmap(scene, true);
	expect_none(scene);
}

static void a_write_that_is_under_way_justifies(void **state)
{
	struct scene *scene = *state;
	struct ledger_slot *slot;

	map(scene, PAGE, PA);
	slot = ledger_find(scene->ledger, IOVA);
	ledger_write_begin(slot);
	sweep(scene, 0);
	ledger_touch(scene->ledger, slot, IOVA, PA, true);
	ledger_write_end(slot);
	unmap(scene, true);
	expect_none(scene);
}

/* ---- leaves ---------------------------------------------------------------------------------- */

#define BLOCK 0x200000u

static void one_page_justifies_its_leaf(void **state)
{
	struct scene *scene = *state;

	map(scene, BLOCK + PAGE, PA);
	write_page(scene, 500);
	begin_unmap(scene, BLOCK + PAGE);
	report_unmap(scene, BLOCK);
	end_unmap(scene, BLOCK + PAGE);
	expect_none(scene);
	assert_int_equal(scene->counts.written, 1);
	assert_int_equal(scene->counts.reported, 512);
}

static void and_no_other_leaf(void **state)
{
	struct scene *scene = *state;

	map(scene, BLOCK + PAGE, PA);
	write_page(scene, 500);
	begin_unmap(scene, BLOCK + PAGE);
	report_unmap(scene, BLOCK + PAGE);
	end_unmap(scene, BLOCK + PAGE);
	expect(scene, LEDGER_IN_VAIN, 1);
	assert_int_equal(scene->iova, IOVA + BLOCK);
}

static void pages_of_a_misaligned_range_are_leaves_of_their_own(void **state)
{
	struct scene *scene = *state;

	map(scene, BLOCK, PA + PAGE);
	reach(scene, IOVA, PA + PAGE, true);
	begin_unmap(scene, BLOCK);
	report_unmap(scene, BLOCK);
	expect(scene, LEDGER_IN_VAIN, 511);
}

/* Of a large mapping only a sample has slots; a leaf without any was never written. */
static void a_large_mapping(void **state)
{
	struct scene *scene = *state;
	const uint64_t bytes = 64ull << 30;
	uint64_t without = IOVA;

	map(scene, bytes, PA);
	while (ledger_find(scene->ledger, without))
		without += PAGE;
	write_page(scene, 0);
	begin_unmap(scene, bytes);
	report_unmap(scene, BLOCK);
	expect_none(scene);
	without = (without + BLOCK) & ~(uint64_t)(BLOCK - 1);
	ledger_unmap_record(scene->ledger, without, without + BLOCK - 1, &scene->counts);
	expect(scene, LEDGER_IN_VAIN, 1);
	end_unmap(scene, bytes);
	expect(scene, LEDGER_IN_VAIN, 1);
}

/* ---- stale ----------------------------------------------------------------------------------- */

static void access_after_unmap(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	begin_unmap(scene, PAGE);
	reach(scene, IOVA, PA, false);
	expect_none(scene);
	end_unmap(scene, PAGE);
	reach(scene, IOVA, PA, false);
	expect(scene, LEDGER_STALE, 1);
}

static void access_to_the_mapping_before(void **state)
{
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	unmap(scene, false);
	map(scene, PAGE, PA + PAGE);
	reach(scene, IOVA, PA + PAGE, true);
	expect_none(scene);
	reach(scene, IOVA, PA, true);
	expect(scene, LEDGER_WRONG_PAGE, 1);
}

static void an_unmap_that_was_refused(void **state)
{
	struct iopt_segment segment = { PA, PAGE };
	struct call call = { .map = true,
			     .first = IOVA,
			     .last = IOVA + PAGE - 1,
			     .nr_segments = 1,
			     .segments = &segment };
	struct scene *scene = *state;

	map(scene, PAGE, PA);
	write_page(scene, 0);
	begin_unmap(scene, PAGE);
	ledger_unmap_cancel(scene->ledger, IOVA, IOVA + PAGE - 1);
	assert_true(ledger_map_begin(scene->ledger, &call) < 0);
	write_page(scene, 0);
	unmap(scene, true);
	expect_none(scene);
}

/* ---- leaves that change ---------------------------------------------------------------------- */

#define LEAF (512 * PAGE)

static unsigned size_of(void *ctx, uint64_t iova)
{
	(void)iova;
	return *(unsigned *)ctx;
}

static void begin_change(struct scene *scene)
{
	ledger_change_begin(scene->ledger, IOVA, IOVA + LEAF - 1);
}

static void end_change(struct scene *scene, unsigned lg2)
{
	ledger_change_end(scene->ledger, IOVA, IOVA + LEAF - 1, size_of, &lg2);
}

static void split(struct scene *scene)
{
	begin_change(scene);
	end_change(scene, 12);
}

static void record_leaf(struct scene *scene)
{
	ledger_sweep_record(scene->ledger, IOVA, IOVA + LEAF - 1, &scene->counts);
}

/* A mapping that goes in part. */
static void unmap_page(struct scene *scene, unsigned page, bool dirty)
{
	uint64_t first = IOVA + page * PAGE, last = first + PAGE - 1;

	ledger_unmap_begin(scene->ledger, first, last);
	if (dirty)
		ledger_unmap_record(scene->ledger, first, last, &scene->counts);
	ledger_unmap_end(scene->ledger, first, last, &scene->counts);
}

static void pieces_take_the_bit_once(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	write_page(scene, 3);
	split(scene);
	ledger_sweep_begin(scene->ledger);
	for (unsigned i = 0; i < 512; i++)
		ledger_sweep_record(scene->ledger, IOVA + i * PAGE, IOVA + i * PAGE + PAGE - 1,
				    &scene->counts);
	ledger_sweep_end(scene->ledger);
	expect_none(scene);
	assert_int_equal(scene->counts.by_sweep, 512);
	assert_int_equal(scene->counts.hit, 1);
	assert_int_equal(scene->counts.unjudged, 0);
	/* A sweep went over them: from now on each stands for itself. */
	write_page(scene, 3);
	sweep(scene, 3);
	expect_none(scene);
	sweep(scene, 4);
	expect(scene, LEDGER_IN_VAIN, 1);
	assert_int_equal(scene->iova, IOVA + 4 * PAGE);
}

static void pieces_of_what_nobody_wrote(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	split(scene);
	sweep(scene, 3);
	expect(scene, LEDGER_IN_VAIN, 1);
}

/* The sweep recorded the leaf, then met its pieces: they may stay dirty until the next one. */
static void split_before_it_was_cleaned(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	write_page(scene, 3);
	ledger_sweep_begin(scene->ledger);
	record_leaf(scene);
	split(scene);
	ledger_sweep_end(scene->ledger);
	sweep(scene, 7);
	expect_none(scene);
	sweep(scene, 7);
	expect(scene, LEDGER_IN_VAIN, 1);
}

static void a_change_under_way_is_not_judged(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	begin_change(scene);
	sweep(scene, 7);
	ledger_sweep_begin(scene->ledger);
	end_change(scene, 12);
	ledger_sweep_record(scene->ledger, IOVA, IOVA + PAGE - 1, &scene->counts);
	ledger_sweep_end(scene->ledger);
	expect_none(scene);
	assert_int_equal(scene->counts.unjudged, 2);
	sweep(scene, 7);
	expect(scene, LEDGER_IN_VAIN, 1);
	assert_int_equal(scene->counts.unjudged, 2);
}

static void unmap_of_a_part_takes_the_bit(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	write_page(scene, 3);
	begin_change(scene);
	unmap_page(scene, 0, true);
	end_change(scene, 12);
	/* The page that was written goes; its neighbours still have its bit. */
	unmap_page(scene, 3, true);
	unmap_page(scene, 1, true);
	expect_none(scene);
	/* Until a sweep has gone over all. */
	sweep(scene, 2);
	expect_none(scene);
	unmap_page(scene, 4, true);
	expect(scene, LEDGER_IN_VAIN, 1);
}

static void unmap_of_a_part_is_always_judged(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	begin_change(scene);
	unmap_page(scene, 0, true);
	end_change(scene, 12);
	expect(scene, LEDGER_IN_VAIN, 1);
	/* And may report a page once only. */
	write_page(scene, 3);
	ledger_unmap_begin(scene->ledger, IOVA + PAGE, IOVA + 2 * PAGE - 1);
	for (unsigned i = 0; i < 2; i++)
		ledger_unmap_record(scene->ledger, IOVA + PAGE, IOVA + 2 * PAGE - 1,
				    &scene->counts);
	expect(scene, LEDGER_IN_VAIN, 2);
}

static void a_split_loses_a_page(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	write_page(scene, 3);
	split(scene);
	unmap_page(scene, 2, false);
	expect_none(scene);
	unmap_page(scene, 3, false);
	expect(scene, LEDGER_LOST, 1);
	assert_int_equal(scene->iova, IOVA + 3 * PAGE);
}

static void pages_become_a_leaf(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	split(scene);
	sweep(scene, 3);
	expect(scene, LEDGER_IN_VAIN, 1);
	write_page(scene, 3);
	begin_change(scene);
	end_change(scene, 21);
	ledger_sweep_begin(scene->ledger);
	record_leaf(scene);
	ledger_sweep_end(scene->ledger);
	expect(scene, LEDGER_IN_VAIN, 1);
	/* One page is enough for all of it, none is not. */
	write_page(scene, 9);
	ledger_sweep_begin(scene->ledger);
	record_leaf(scene);
	ledger_sweep_end(scene->ledger);
	expect(scene, LEDGER_IN_VAIN, 1);
	ledger_sweep_begin(scene->ledger);
	record_leaf(scene);
	ledger_sweep_end(scene->ledger);
	expect(scene, LEDGER_IN_VAIN, 2);
}

/* A bit that two sweeps in turn recorded and did not clear, since its leaf changed beside both. */
static void a_bit_that_moves_on(void **state)
{
	struct scene *scene = *state;

	map(scene, LEAF, PA);
	split(scene);
	sweep(scene, 0);
	sweep(scene, 0);
	expect(scene, LEDGER_IN_VAIN, 2);
	write_page(scene, 3);
	ledger_sweep_begin(scene->ledger);
	ledger_sweep_record(scene->ledger, IOVA + 3 * PAGE, IOVA + 4 * PAGE - 1, &scene->counts);
	begin_change(scene);
	end_change(scene, 21);
	ledger_sweep_end(scene->ledger);
	ledger_sweep_begin(scene->ledger);
	record_leaf(scene);
	split(scene);
	ledger_sweep_end(scene->ledger);
	sweep(scene, 9);
	expect(scene, LEDGER_IN_VAIN, 2);
	sweep(scene, 9);
	expect(scene, LEDGER_IN_VAIN, 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(written_and_reported_by_unmap),
		TEST(written_and_never_reported),
		TEST(written_after_its_sweep),
		TEST(written_before_its_sweep_ended),
		TEST(next_mapping_cleared_by_the_same_sweep),
		TEST(a_sweep_of_an_earlier_mapping_is_no_report),
		TEST(unmap_reports_what_nobody_wrote),
		TEST(unmap_reports_what_a_sweep_had_cleared),
		TEST(unmap_and_sweep_at_the_same_time),
		TEST(unmap_reports_twice),
		TEST(sweep_reports_twice),
		TEST(sweep_reports_what_is_not_mapped),
		TEST(sweep_reports_what_never_was_mapped),
		TEST(sweep_comes_late),
		TEST(a_write_that_is_under_way_justifies),
		TEST(one_page_justifies_its_leaf),
		TEST(and_no_other_leaf),
		TEST(pages_of_a_misaligned_range_are_leaves_of_their_own),
		TEST(a_large_mapping),
		TEST(access_after_unmap),
		TEST(access_to_the_mapping_before),
		TEST(an_unmap_that_was_refused),
		TEST(pieces_take_the_bit_once),
		TEST(pieces_of_what_nobody_wrote),
		TEST(split_before_it_was_cleaned),
		TEST(a_change_under_way_is_not_judged),
		TEST(unmap_of_a_part_takes_the_bit),
		TEST(unmap_of_a_part_is_always_judged),
		TEST(a_split_loses_a_page),
		TEST(pages_become_a_leaf),
		TEST(a_bit_that_moves_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
