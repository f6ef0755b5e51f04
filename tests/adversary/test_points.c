/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Map, unmap, sweep and the readers at every point of each other, beside devices that keep all:
 * scenes, played as points/stage.h says. Those of what changes the shape of live tables are in
 * test_points_shape.c.
 */
#include <errno.h>

#include "points/host.h"
#include "points/stage.h"

/* ---- scenes: mappers beside each other ---------------------------------------------------- */

#define A (3 * PAGE)
#define B (7 * PAGE)

static void map_a(struct stage *stage)
{
	must_map(stage, A, PAGE, PA);
}

static void map_b(struct stage *stage)
{
	must_map(stage, B, PAGE, 3 * PA);
}

static void check_a_and_b(struct stage *stage)
{
	must_be_at(stage, A, PA);
	must_be_at(stage, B, 3 * PA);
}

static void map_b_in_next_table(struct stage *stage)
{
	must_map(stage, 2 * MIB + B, PAGE, 3 * PA);
}

static void check_a_and_next_b(struct stage *stage)
{
	must_be_at(stage, A, PA);
	must_be_at(stage, 2 * MIB + B, 3 * PA);
}

/* A range in which nothing is mapped, that begins in the middle of an entry above level 0. */
static void unmap_from_hole(struct stage *stage)
{
	must_unmap(stage, 2 * MIB - PAGE, 2 * MIB + PAGE, &stage->first);
}

static void check_a(struct stage *stage)
{
	must_be_at(stage, A, PA);
}

/* A run of pages over the border of two tables, and neighbours of both its ends. */
static void map_across(struct stage *stage)
{
	must_map(stage, 2 * MIB - 3 * PAGE, 6 * PAGE, pa_for(12));
}

static void map_beside_across(struct stage *stage)
{
	must_map(stage, 2 * MIB - 4 * PAGE, PAGE, 3 * PA);
	must_map(stage, 2 * MIB + 3 * PAGE, PAGE, 3 * PA + PAGE);
}

static void check_across(struct stage *stage)
{
	for (unsigned i = 0; i < 6; i++)
		must_be_at(stage, 2 * MIB + i * PAGE - 3 * PAGE, pa_for(12) + i * PAGE);
	must_be_at(stage, 2 * MIB - 4 * PAGE, 3 * PA);
	must_be_at(stage, 2 * MIB + 3 * PAGE, 3 * PA + PAGE);
}

static void unmap_b(struct stage *stage)
{
	must_unmap(stage, B, PAGE, &stage->second);
}

static void check_a_without_b(struct stage *stage)
{
	must_be_at(stage, A, PA);
	must_be_gone(stage, B);
}

static void unmap_a(struct stage *stage)
{
	must_unmap(stage, A, PAGE, &stage->first);
}

static void check_b_without_a(struct stage *stage)
{
	must_be_gone(stage, A);
	must_be_at(stage, B, 3 * PA);
}

/*
 * A run of several pages, while a device goes for all of them: each is reached once the map
 * returned.
 */
static void map_leaf(struct stage *stage)
{
	must_map(stage, 0, leaf(stage), pa_for(stage->size_lg2));
}

static void write_all_pages(struct stage *stage)
{
	for (unsigned i = 0; i < 16; i++)
		stage->other += writes(stage, i * (leaf(stage) / 16));
}

static void check_leaf_mapped(struct stage *stage)
{
	for (unsigned i = 0; i < 16; i++)
		must_be_at(stage, i * (leaf(stage) / 16),
			   pa_for(stage->size_lg2) + i * (leaf(stage) / 16));
}

/* ---- scenes: a block over empty tables ---------------------------------------------------- */

static void prepare_empty_table(struct stage *stage)
{
	must_map(stage, 0, PAGE, pa_for(12));
	must_write(stage, 0);
	must_unmap(stage, 0, PAGE, &stage->second);
}

static void map_block(struct stage *stage)
{
	must_map(stage, 0, 2 * MIB, pa_for(21));
}

static void write_block(struct stage *stage)
{
	if (writes(stage, MIB) && rig_touched() != pa_for(21) + MIB)
		complain("the device goes elsewhere");
}

static void check_block(struct stage *stage)
{
	must_be_at(stage, 0, pa_for(21));
	must_be_at(stage, MIB, pa_for(21) + MIB);
}

static void check_block_and_next_b(struct stage *stage)
{
	check_block(stage);
	must_be_at(stage, 2 * MIB + B, 3 * PA);
}

/* ---- scenes: unmap is exact --------------------------------------------------------------- */

static void prepare_leaf(struct stage *stage)
{
	must_map(stage, 0, leaf(stage), pa_for(stage->size_lg2));
	must_map(stage, 4 * MIB, PAGE, pa_for(12));
}

static void unmap_leaf(struct stage *stage)
{
	must_unmap(stage, 0, leaf(stage), &stage->first);
}

static void write_leaf(struct stage *stage)
{
	stage->other = writes(stage, leaf(stage) / 2);
}

static void check_unmapped_exactly(struct stage *stage)
{
	must_be_gone(stage, 0);
	must_be_gone(stage, leaf(stage) / 2);
	assert_int_equal(reports(stage, leaf(stage) / 2), stage->other);
	must_be_at(stage, 4 * MIB, pa_for(12));
}

/* The same where the table goes as a whole; the device has a pointer to it. */
static void prepare_leaf_and_pointer(struct stage *stage)
{
	prepare_leaf(stage);
	must_map(stage, MIB, PAGE, pa_for(12));
	rig_read(stage->rig, 0, stage->base + MIB);
}

static void unmap_table_of_leaf(struct stage *stage)
{
	must_unmap(stage, 0, 2 * MIB, &stage->first);
}

static void prepare_leaf_beside_b(struct stage *stage)
{
	prepare_leaf(stage);
	must_map(stage, 2 * MIB + B, PAGE, 3 * PA);
}

static void sweep_meanwhile(struct stage *stage)
{
	sweep_window(stage, &stage->second);
}

static void prepare_dirty_leaf(struct stage *stage)
{
	prepare_leaf_beside_b(stage);
	must_write(stage, leaf(stage) / 4);
}

/* Both may report it where they meet, one of them must. */
static void check_reported_by_one(struct stage *stage)
{
	must_be_gone(stage, 0);
	assert_in_range(reports(stage, leaf(stage) / 4), 1, 2);
	must_be_at(stage, 2 * MIB + B, 3 * PA);
}

/* ---- scenes: sweeps ----------------------------------------------------------------------- */

static void sweep_first(struct stage *stage)
{
	sweep_window(stage, &stage->first);
}

static void check_write_reported(struct stage *stage)
{
	sweep_window(stage, &stage->last);
	assert_true(stage->other);
	assert_in_range(reports(stage, leaf(stage) / 2), 1, 2);
	/* A sweep that comes later finds nothing new. */
	sweep_window(stage, &stage->last);
	assert_int_equal(notes_count(&stage->last, stage->base + leaf(stage) / 2), 0);
}

/* Under a sweep a dirty leaf is unmapped and mapped again, elsewhere, and that is written too. */
static void map_again_and_write(struct stage *stage)
{
	must_unmap(stage, 0, leaf(stage), &stage->second);
	must_map(stage, 0, leaf(stage), pa_for(stage->size_lg2) + 2 * PA);
	must_write(stage, 0);
}

/* The same, with the table of it. */
static void map_table_again_and_write(struct stage *stage)
{
	must_unmap(stage, 0, 2 * MIB, &stage->second);
	must_map(stage, 0, leaf(stage), pa_for(stage->size_lg2) + 2 * PA);
	must_write(stage, 0);
}

static void check_both_reported(struct stage *stage)
{
	must_be_at(stage, 2 * MIB + B, 3 * PA);
	sweep_window(stage, &stage->last);
	/*
	 * The old one by the sweep or the unmap, the new one by the sweep, if it came by, or the
	 * next.
	 */
	assert_true(notes_count(&stage->first, stage->base) ||
		    notes_count(&stage->second, stage->base));
	assert_true(notes_count(&stage->first, stage->base) ||
		    notes_count(&stage->last, stage->base));
	must_be_at(stage, 0, pa_for(stage->size_lg2) + 2 * PA);
}

/* Under a sweep a dirty leaf is unmapped for good. */
static void unmap_leaf_meanwhile(struct stage *stage)
{
	must_unmap(stage, 0, leaf(stage), &stage->second);
}

/* Under a sweep leaves of another size take the place, all written. */
static void map_other_size_and_write(struct stage *stage)
{
	uint64_t size = stage->size_lg2 == 21 ? PAGE : 2 * MIB;

	must_unmap(stage, 0, leaf(stage), &stage->second);
	must_map(stage, 0, size, stage->size_lg2 == 21 ? pa_for(12) : pa_for(21));
	must_write(stage, size / 2);
}

static void check_other_size_reported(struct stage *stage)
{
	uint64_t wrote = stage->size_lg2 == 21 ? PAGE / 2 : MIB;

	sweep_window(stage, &stage->last);
	assert_true(notes_count(&stage->first, stage->base + wrote) ||
		    notes_count(&stage->last, stage->base + wrote));
}

/*
 * A larger run in the same table, dirty by its first entry, whose translation serves all of it
 * then.
 */
static void map_larger_run_and_write(struct stage *stage)
{
	must_unmap(stage, 0, leaf(stage), &stage->second);
	must_map(stage, 0, 64 * KIB, pa_for(16));
	must_write(stage, 0);
	must_write(stage, 5 * PAGE);
}

static void check_larger_run_reported(struct stage *stage)
{
	sweep_window(stage, &stage->last);
	assert_true(notes_count(&stage->first, stage->base + 5 * PAGE) ||
		    notes_count(&stage->last, stage->base + 5 * PAGE));
}

/* Pages in the place of a run that is clean, one of them written: the others are not reported. */
static void map_pages_and_write(struct stage *stage)
{
	must_unmap(stage, 0, leaf(stage), &stage->second);
	must_map(stage, 0, leaf(stage), pa_for(12));
	must_write(stage, leaf(stage) / 2);
}

static void check_one_page_reported(struct stage *stage)
{
	sweep_window(stage, &stage->last);
	assert_int_equal(reports(stage, leaf(stage) / 2), 1);
	for (uint64_t offset = 0; offset < leaf(stage); offset += PAGE)
		if (offset != leaf(stage) / 2)
			assert_int_equal(reports(stage, offset), 0);
}

/* ---- scenes: tracking --------------------------------------------------------------------- */

static void prepare_untracked(struct stage *stage)
{
	assert_int_equal(iopt_track(stage->rig->domain, false), 0);
	prepare_leaf(stage);
	must_write(stage, 0);
}

/* What a device writes once tracking is on is reported, also by an unmap that began before. */
static void track_and_write(struct stage *stage)
{
	if (iopt_track(stage->rig->domain, true))
		complain("tracking can't be switched on");
	write_leaf(stage);
}

static void check_tracked(struct stage *stage)
{
	must_be_gone(stage, 0);
	if (stage->other)
		assert_int_equal(reports(stage, leaf(stage) / 2), 1);
}

/* ---- scenes: readers ---------------------------------------------------------------------- */

static void prepare_gigabyte(struct stage *stage)
{
	must_map(stage, GIB + A, PAGE, PA);
	must_map(stage, GIB + 2 * MIB + A, PAGE, PA);
	must_map(stage, 2 * GIB + A, PAGE, 5 * PA);
	must_write(stage, GIB + A);
}

/* Tables and all, and a block in their place. */
static void unmap_gigabyte_map_block(struct stage *stage)
{
	must_unmap(stage, GIB, GIB, &stage->second);
	must_map(stage, GIB, 2 * MIB, pa_for(21));
}

static void translate_all(struct stage *stage)
{
	struct iopt_translation found;
	int error = iopt_translate(stage->rig->domain, stage->base + GIB + A, &found);

	if (error ? error != -ENOENT : found.pa != PA && found.pa != pa_for(21) + A)
		complain("a translation that never was");
	if (iopt_translate(stage->rig->domain, stage->base + 2 * GIB + A, &found) ||
	    found.pa != 5 * PA)
		complain("a translation got lost");
}

static void visit_all(struct stage *stage)
{
	struct iopt_item items[3];
	struct iopt_visit visit;
	unsigned found = 0;

	iopt_visit_init(&visit, stage->base, stage->base + WINDOW - 1,
			IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
	while (!visit.done) {
		size_t nr = iopt_visit(stage->rig->domain, &visit, items, 3);

		for (size_t i = 0; i < nr; i++) {
			const struct iopt_item *item = &items[i];

			if (item->flags & IOPT_ITEM_TABLE)
				continue;
			if (item->pa != PA && item->pa != pa_for(21) && item->pa != 5 * PA)
				complain("a visit finds what never was");
			found += item->pa == 5 * PA;
		}
	}
	if (found != 1)
		complain("a visit finds %u times what is there once", found);
}

static void check_readers(struct stage *stage)
{
	must_be_at(stage, GIB + A, pa_for(21) + A);
	must_be_at(stage, 2 * GIB + A, 5 * PA);
	must_be_gone(stage, GIB + 2 * MIB + A);
}

/* ---- scenes: maps that fail --------------------------------------------------------------- */

/* Twelve pages over the border of two tables; the last one is taken. */
#define FAILING	      (2 * MIB - 6 * PAGE)
#define FAILING_PAGES 12u

static void prepare_last_taken(struct stage *stage)
{
	must_map(stage, FAILING + (FAILING_PAGES - 1) * PAGE, PAGE, 3 * PA);
	must_map(stage, FAILING - PAGE, PAGE, 5 * PA);
	must_map(stage, FAILING + FAILING_PAGES * PAGE, PAGE, 7 * PA);
}

static void map_and_fail(struct stage *stage)
{
	stage->result = map_at(stage, FAILING, FAILING_PAGES * PAGE, pa_for(12));
}

static void read_all_failing(struct stage *stage)
{
	for (unsigned i = 0; i < FAILING_PAGES; i++)
		rig_read(stage->rig, 0, stage->base + FAILING + i * PAGE);
}

static void check_failed(struct stage *stage)
{
	assert_int_equal(stage->result, -EEXIST);
	for (unsigned i = 0; i + 1 < FAILING_PAGES; i++)
		must_be_gone(stage, FAILING + i * PAGE);
	must_be_at(stage, FAILING + (FAILING_PAGES - 1) * PAGE, 3 * PA);
	must_be_at(stage, FAILING - PAGE, 5 * PA);
	must_be_at(stage, FAILING + FAILING_PAGES * PAGE, 7 * PA);
}

/* No memory for the second table. */
static void map_without_memory(struct stage *stage)
{
	iopt_posix_fail(1, false);
	stage->result = map_at(stage, FAILING, (FAILING_PAGES - 1) * PAGE, pa_for(12));
	iopt_posix_fail(0, false);
}

static void prepare_first_table(struct stage *stage)
{
	must_map(stage, FAILING - PAGE, PAGE, 5 * PA);
}

static void check_failed_without_memory(struct stage *stage)
{
	assert_int_equal(stage->result, -ENOMEM);
	for (unsigned i = 0; i < FAILING_PAGES; i++)
		must_be_gone(stage, FAILING + i * PAGE);
	must_be_at(stage, FAILING - PAGE, 5 * PA);
}

/* Neighbours are mapped while it fails, and stay. */
static void map_beside_failing(struct stage *stage)
{
	must_map(stage, FAILING - 2 * PAGE, PAGE, 3 * PA);
	must_map(stage, FAILING + (FAILING_PAGES + 1) * PAGE, PAGE, 3 * PA);
}

static void check_failed_beside(struct stage *stage)
{
	check_failed(stage);
	must_be_at(stage, FAILING - 2 * PAGE, 3 * PA);
	must_be_at(stage, FAILING + (FAILING_PAGES + 1) * PAGE, 3 * PA);
}

/* ---- scenes: broken contracts ------------------------------------------------------------- */

/* The range that two fight about is the second gigabyte; a neighbour lives in the third. */
static void prepare_neighbour(struct stage *stage)
{
	must_map(stage, 2 * GIB + A, PAGE, 5 * PA);
	must_map(stage, GIB + B, PAGE, 3 * PA);
	must_map(stage, GIB + 4 * MIB + B, PAGE, 3 * PA);
	must_write(stage, GIB + B);
	must_write(stage, GIB + 4 * MIB + B);
}

static void map_in_gigabyte(struct stage *stage)
{
	stage->result = map_at(stage, GIB + A, PAGE, PA);
}

static void map_new_table_in_gigabyte(struct stage *stage)
{
	stage->result = map_at(stage, GIB + 2 * MIB + A, PAGE, PA);
}

static void unmap_gigabyte(struct stage *stage)
{
	stage->other = unmap_at(stage, GIB, GIB, &stage->second);
}

static void unmap_gigabyte_first(struct stage *stage)
{
	stage->result = unmap_at(stage, GIB, GIB, &stage->first);
}

static void unmap_table_in_gigabyte(struct stage *stage)
{
	stage->result = unmap_at(stage, GIB + 4 * MIB, 2 * MIB, &stage->first);
}

static void unmap_table_in_gigabyte_second(struct stage *stage)
{
	stage->other = unmap_at(stage, GIB + 4 * MIB, 2 * MIB, &stage->second);
}

static void check_neighbour(struct stage *stage)
{
	must_be_at(stage, 2 * GIB + A, 5 * PA);
}

static void check_neighbour_and_gone(struct stage *stage)
{
	must_be_at(stage, 2 * GIB + A, 5 * PA);
	assert_int_equal(stage->result, 0);
	assert_int_equal(stage->other, 0);
	must_be_gone(stage, GIB + 4 * MIB + B);
}

/* A table that is new in an unlinked one would be lost: the mapper finds dead and starts again. */
static void check_neighbour_and_new_table(struct stage *stage)
{
	must_be_at(stage, 2 * GIB + A, 5 * PA);
	assert_int_equal(stage->result, 0);
	must_be_gone(stage, GIB + B);
}

/* Two maps that overlap, two runs of pages or two leaves, between neighbours on both sides. */
static void prepare_both_sides(struct stage *stage)
{
	must_map(stage, MIB - 16 * PAGE, 16 * PAGE, pa_for(12));
	must_map(stage, MIB + 64 * KIB, 16 * PAGE, pa_for(12));
}

static void map_middle(struct stage *stage)
{
	stage->result = map_at(stage, MIB, 64 * KIB, pa_for(stage->size_lg2));
}

static void map_middle_too(struct stage *stage)
{
	stage->other = map_at(stage, MIB + 3 * PAGE, 8 * PAGE, pa_for(12) + 8 * PA);
}

static void unmap_middle(struct stage *stage)
{
	stage->other = unmap_at(stage, MIB, 64 * KIB, &stage->second);
}

static void unmap_middle_first(struct stage *stage)
{
	stage->result = unmap_at(stage, MIB, 64 * KIB, &stage->first);
}

static void prepare_middle(struct stage *stage)
{
	prepare_both_sides(stage);
	map_middle(stage);
}

/* What is left in the middle goes; the neighbours don't. */
static void check_both_sides(struct stage *stage)
{
	unmap_at(stage, MIB, 64 * KIB, &stage->last);
	for (unsigned i = 0; i < 16; i++) {
		must_be_at(stage, MIB + i * PAGE - 16 * PAGE, pa_for(12) + i * PAGE);
		must_be_at(stage, MIB + 64 * KIB + i * PAGE, pa_for(12) + i * PAGE);
	}
}

/* ---- scenes: growth ----------------------------------------------------------------------- */

/* The window's own number says how far up it reaches; here the whole domain is the stage. */
static uint64_t beyond(const struct stage *stage, unsigned levels)
{
	return 1ull << (stage->rig->format->granule_lg2 + levels * stage->rig->format->index_lg2);
}

static void map_high(struct stage *stage)
{
	must_map(stage, beyond(stage, 2), PAGE, PA);
}

static void map_higher(struct stage *stage)
{
	must_map(stage, beyond(stage, 4), PAGE, PA);
	must_write(stage, beyond(stage, 4));
}

static void map_as_high(struct stage *stage)
{
	must_map(stage, beyond(stage, 2) + B, PAGE, 3 * PA);
	must_write(stage, beyond(stage, 2) + B);
}

static void prepare_low(struct stage *stage)
{
	must_map(stage, A, PAGE, 5 * PA);
	must_write(stage, A);
}

static void look_low(struct stage *stage)
{
	struct iopt_translation found;

	if (iopt_translate(stage->rig->domain, A, &found) || found.pa != 5 * PA)
		complain("what is mapped below is lost while the top grows");
	must_write(stage, A);
	must_map(stage, B, PAGE, 7 * PA);
	must_write(stage, B);
	must_unmap(stage, B, PAGE, &stage->second);
	if (writes(stage, B))
		complain("what was unmapped below stays while the top grows");
}

static void check_high(struct stage *stage)
{
	must_be_at(stage, A, 5 * PA);
	must_be_at(stage, beyond(stage, 2), PA);
}

static void unmap_below(struct stage *stage)
{
	must_unmap(stage, 0, beyond(stage, 2), &stage->second);
}

static void check_high_only(struct stage *stage)
{
	must_be_gone(stage, A);
	must_be_at(stage, beyond(stage, 2), PA);
}

/* Root and levels belong together: the hardware's own walk finds from them what is mapped below. */
static void ask_for_root(struct stage *stage)
{
	struct soft_iommu_domain_config config = { .format = stage->rig->format->name, .id = 1 };
	struct soft_iommu_translation found;
	struct soft_iommu_domain *side;

	iopt_hw(stage->rig->domain, &config.hw);
	if (soft_iommu_domain_create(stage->rig->unit, &config, &side)) {
		complain("the hardware refuses the root");
		return;
	}
	if (soft_iommu_walk(side, A, &found) != SOFT_IOMMU_DONE || found.pa != 5 * PA)
		complain("what is mapped below is not found from the root");
	soft_iommu_domain_destroy(side);
}

static void check_low(struct stage *stage)
{
	must_be_at(stage, A, 5 * PA);
	must_be_at(stage, beyond(stage, 4), PA);
}

/* ---- the scenes --------------------------------------------------------------------------- */

static const struct scene scenes[] = {
	{ .name = "neighbours in a new table",
	  .first = map_a,
	  .second = map_b,
	  .check = check_a_and_b },
	{ .name = "neighbours in a new table above",
	  .first = map_a,
	  .second = map_b_in_next_table,
	  .check = check_a_and_next_b },
	{ .name = "neighbours of two tables",
	  .first = map_across,
	  .second = map_beside_across,
	  .check = check_across },
	{ .name = "map beside unmap",
	  .prepare = map_b,
	  .first = map_a,
	  .second = unmap_b,
	  .check = check_a_without_b },
	{ .name = "unmap beside map",
	  .prepare = map_a,
	  .first = unmap_a,
	  .second = map_b,
	  .check = check_b_without_a },
	{ .name = "unmap from a hole beside map",
	  .first = unmap_from_hole,
	  .second = map_a,
	  .check = check_a },
	{ .name = "map under a device",
	  .first = map_leaf,
	  .second = write_all_pages,
	  .check = check_leaf_mapped,
	  .sizes = 1ull << 16 | 1ull << 21 },
	{ .name = "block over empty table, device",
	  .prepare = prepare_empty_table,
	  .first = map_block,
	  .second = write_block,
	  .check = check_block },
	{ .name = "block over empty table, neighbour",
	  .prepare = prepare_empty_table,
	  .first = map_block,
	  .second = map_b_in_next_table,
	  .check = check_block_and_next_b },
	{ .name = "unmap under a device",
	  .prepare = prepare_leaf,
	  .first = unmap_leaf,
	  .second = write_leaf,
	  .check = check_unmapped_exactly,
	  .sizes = SIZES_HERE,
	  .tracked = true },
	{ .name = "unlink under a device",
	  .prepare = prepare_leaf_and_pointer,
	  .first = unmap_table_of_leaf,
	  .second = write_leaf,
	  .check = check_unmapped_exactly,
	  .sizes = 1ull << 12 | RUNS_HERE,
	  .tracked = true },
	{ .name = "unmap beside sweep",
	  .prepare = prepare_dirty_leaf,
	  .first = unmap_leaf,
	  .second = sweep_meanwhile,
	  .check = check_reported_by_one,
	  .sizes = SIZES_HERE,
	  .tracked = true },
	{ .name = "unlink beside sweep",
	  .prepare = prepare_dirty_leaf,
	  .first = unmap_table_of_leaf,
	  .second = sweep_meanwhile,
	  .check = check_reported_by_one,
	  .sizes = 1ull << 12 | RUNS_HERE,
	  .tracked = true },
	{ .name = "sweep under a device",
	  .prepare = prepare_leaf,
	  .first = sweep_first,
	  .second = write_leaf,
	  .check = check_write_reported,
	  .sizes = SIZES_HERE,
	  .tracked = true },
	{ .name = "sweep beside unmap",
	  .prepare = prepare_dirty_leaf,
	  .first = sweep_first,
	  .second = unmap_leaf_meanwhile,
	  .check = check_reported_by_one,
	  .sizes = SIZES_HERE,
	  .tracked = true },
	{ .name = "sweep beside unmap and map",
	  .prepare = prepare_dirty_leaf,
	  .first = sweep_first,
	  .second = map_again_and_write,
	  .check = check_both_reported,
	  .sizes = SIZES_HERE,
	  .tracked = true },
	{ .name = "sweep beside unlink and map",
	  .prepare = prepare_dirty_leaf,
	  .first = sweep_first,
	  .second = map_table_again_and_write,
	  .check = check_both_reported,
	  .sizes = 1ull << 12 | RUNS_HERE,
	  .tracked = true },
	{ .name = "sweep beside another size",
	  .prepare = prepare_leaf,
	  .first = sweep_first,
	  .second = map_other_size_and_write,
	  .check = check_other_size_reported,
	  .sizes = SIZES_HERE,
	  .tracked = true },
	{ .name = "sweep beside a larger run",
	  .prepare = prepare_dirty_leaf,
	  .first = sweep_first,
	  .second = map_larger_run_and_write,
	  .check = check_larger_run_reported,
	  .wants = IOPT_CAN_RUNS,
	  .sizes = 1ull << 12 | 1ull << 13,
	  .tracked = true },
	{ .name = "sweep beside smaller leaves",
	  .prepare = prepare_leaf,
	  .first = sweep_first,
	  .second = map_pages_and_write,
	  .check = check_one_page_reported,
	  .wants = IOPT_CAN_RUNS,
	  .sizes = RUNS_HERE,
	  .tracked = true },
	{ .name = "unmap beside tracking",
	  .prepare = prepare_untracked,
	  .first = unmap_leaf,
	  .second = track_and_write,
	  .check = check_tracked,
	  .sizes = SIZES_HERE,
	  .tracked = true,
	  .flags = IOPT_TRACKABLE,
	  .waits = true },
	{ .name = "unlink beside tracking",
	  .prepare = prepare_untracked,
	  .first = unmap_table_of_leaf,
	  .second = track_and_write,
	  .check = check_tracked,
	  .sizes = 1ull << 12 | RUNS_HERE,
	  .tracked = true,
	  .flags = IOPT_TRACKABLE,
	  .waits = true },
	{ .name = "translate beside unlink",
	  .prepare = prepare_gigabyte,
	  .first = translate_all,
	  .second = unmap_gigabyte_map_block,
	  .check = check_readers },
	{ .name = "visit beside unlink",
	  .prepare = prepare_gigabyte,
	  .first = visit_all,
	  .second = unmap_gigabyte_map_block,
	  .check = check_readers },
	{ .name = "failing map under a device",
	  .prepare = prepare_last_taken,
	  .first = map_and_fail,
	  .second = read_all_failing,
	  .check = check_failed },
	{ .name = "map without memory under a device",
	  .prepare = prepare_first_table,
	  .first = map_without_memory,
	  .second = read_all_failing,
	  .check = check_failed_without_memory },
	{ .name = "failing map beside maps",
	  .prepare = prepare_last_taken,
	  .first = map_and_fail,
	  .second = map_beside_failing,
	  .check = check_failed_beside },
	{ .name = "breach: map, unlink",
	  .prepare = prepare_neighbour,
	  .first = map_in_gigabyte,
	  .second = unmap_gigabyte,
	  .check = check_neighbour,
	  .breach = true },
	{ .name = "breach: map into a new table, unlink",
	  .prepare = prepare_neighbour,
	  .first = map_new_table_in_gigabyte,
	  .second = unmap_gigabyte,
	  .check = check_neighbour_and_new_table,
	  .breach = true },
	{ .name = "breach: unlink of part, of all",
	  .prepare = prepare_neighbour,
	  .first = unmap_table_in_gigabyte,
	  .second = unmap_gigabyte,
	  .check = check_neighbour_and_gone,
	  .breach = true },
	{ .name = "breach: unlink of all, of part",
	  .prepare = prepare_neighbour,
	  .first = unmap_gigabyte_first,
	  .second = unmap_table_in_gigabyte_second,
	  .check = check_neighbour_and_gone,
	  .breach = true },
	{ .name = "breach: two maps",
	  .prepare = prepare_both_sides,
	  .first = map_middle,
	  .second = map_middle_too,
	  .check = check_both_sides,
	  .sizes = 1ull << 12 | 1ull << 16,
	  .breach = true },
	{ .name = "breach: map, unmap",
	  .prepare = prepare_both_sides,
	  .first = map_middle,
	  .second = unmap_middle,
	  .check = check_both_sides,
	  .sizes = 1ull << 12 | 1ull << 16,
	  .breach = true },
	{ .name = "breach: unmap, map",
	  .prepare = prepare_middle,
	  .first = unmap_middle_first,
	  .second = map_middle_too,
	  .check = check_both_sides,
	  .sizes = 1ull << 12 | 1ull << 16,
	  .breach = true },
	{ .name = "growth under a device",
	  .prepare = prepare_low,
	  .first = map_high,
	  .second = look_low,
	  .check = check_high,
	  .wants = IOPT_CAN_GROW,
	  .alone = true },
	{ .name = "root beside growth",
	  .prepare = prepare_low,
	  .first = ask_for_root,
	  .second = map_higher,
	  .check = check_low,
	  .wants = IOPT_CAN_GROW,
	  .alone = true },
	{ .name = "growth beside growth",
	  .prepare = prepare_low,
	  .first = map_high,
	  .second = map_higher,
	  .check = check_high,
	  .wants = IOPT_CAN_GROW,
	  .alone = true },
	{ .name = "growth beside the same growth",
	  .prepare = prepare_low,
	  .first = map_high,
	  .second = map_as_high,
	  .check = check_high,
	  .wants = IOPT_CAN_GROW,
	  .alone = true },
	{ .name = "growth beside unlink of the old top",
	  .prepare = prepare_low,
	  .first = map_high,
	  .second = unmap_below,
	  .check = check_high_only,
	  .wants = IOPT_CAN_GROW,
	  .alone = true },
};

/* ---- long walks leave their sections ------------------------------------------------------ */

#define MANY_TABLES 640u

/* Where a thread was before a walk. */
struct steps {
	uint64_t sections;
	uint64_t breaths;
};

static struct steps steps_now(void)
{
	return (struct steps){ sections_entered, breaths_taken };
}

/*
 * Hazard 3: more sections than one for each so many tables, whatever walks. Between them others get
 * the processor if the operation may sleep, and only then.
 */
static void assert_steps(struct steps before, bool sleeps)
{
	const uint64_t least = MANY_TABLES / 128, most = MANY_TABLES + 8;

	assert_in_range(sections_entered - before.sections, least, most);
	assert_in_range(breaths_taken - before.breaths, sleeps ? least : 0, sleeps ? most : 0);
}

static void test_long_walks_leave_sections(const struct iopt_format_info *format)
{
	const uint64_t first = 8 * GIB, last = first + 2 * MANY_TABLES * MIB - 1;
	static struct iopt_item items[2 * MANY_TABLES];
	struct rig_config config = rig_defaults(format->name);
	struct iopt_visit visit;
	struct iopt_gather gather;
	struct notes notes;
	struct rig rig;
	struct steps before;

	rig_open(&rig, &config);
	for (uint64_t at = first; at < last; at += 2 * MIB)
		rig_map(&rig, at, 2 * MIB, at + PA + PAGE);
	iopt_visit_init(&visit, first, last, IOPT_VISIT_TABLES);
	before = steps_now();
	assert_in_range(iopt_visit(rig.domain, &visit, items, 2 * MANY_TABLES), MANY_TABLES,
			MANY_TABLES + 8);
	assert_steps(before, false);

	before = steps_now();
	rig_sweep(&rig, first, last, IOPT_SWEEP_CLEAR, &notes);
	assert_steps(before, true);
	before = steps_now();
	rig_sweep(&rig, first, last, 0, &notes);
	assert_steps(before, false);

	/* Nothing to take, nothing that fits together, nothing to split. */
	iopt_gather_init(&gather, rig.domain, NULL);
	before = steps_now();
	assert_int_equal(iopt_trim(rig.domain, first, last, &gather, 0, NULL), 0);
	assert_steps(before, false);
	before = steps_now();
	assert_int_equal(iopt_merge(rig.domain, first, last, ~0u, 0, &gather, 0, NULL), 0);
	assert_steps(before, false);
	before = steps_now();
	assert_int_equal(iopt_split(rig.domain, first, last, ~0u, 0, &gather, 0, NULL), 0);
	assert_steps(before, true);
	before = steps_now();
	assert_int_equal(iopt_protect(rig.domain, first, last, IOPT_READ, &gather), 0);
	assert_steps(before, false);

	/* A look for holes, before anything changes. */
	before = steps_now();
	assert_int_equal(iopt_unmap(rig.domain, first, last + 2 * MIB, IOPT_UNMAP_FULL, &gather,
				    NULL),
			 -ENOENT);
	assert_steps(before, false);
	rig_close(&rig);
}

int main(int argc, char **argv)
{
	static const struct format_test more = {
		.name = "long walks leave their sections",
		.run = test_long_walks_leave_sections,
		.tracked = true,
	};

	return run_scenes(argc, argv, "points", scenes, sizeof(scenes) / sizeof(*scenes), &more);
}
