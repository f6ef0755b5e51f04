/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Trim, split and sweeps that skip at every point of everything that may race with them, beside a
 * device that keeps all: scenes, played as points/stage.h says.
 */
#include <errno.h>
#include <string.h>

#include "points/host.h"
#include "points/stage.h"

#define A (3 * PAGE)
#define B (7 * PAGE)

/* ---- scenes: trim beside mappers ----------------------------------------------------------- */

/* Tables with nothing in them any more, and a device with pointers to all of them. */
static void prepare_empty(struct stage *stage)
{
	must_map(stage, GIB + A, PAGE, PA);
	must_write(stage, GIB + A);
	must_unmap(stage, GIB + A, PAGE, &stage->second);
}

static void map_a(struct stage *stage)
{
	must_map(stage, GIB + A, PAGE, PA);
	must_write(stage, GIB + A);
}

static void map_b(struct stage *stage)
{
	must_map(stage, GIB + B, PAGE, 3 * PA);
	must_write(stage, GIB + B);
}

/* In another table, under the same one. */
static void map_b_in_next_table(struct stage *stage)
{
	must_map(stage, GIB + 2 * MIB + B, PAGE, 3 * PA);
	must_write(stage, GIB + 2 * MIB + B);
}

/* Several entries behind the first one: stores over what may be frozen. */
static void map_many(struct stage *stage)
{
	must_map(stage, GIB + B, 40 * PAGE, pa_for(12));
	must_write(stage, GIB + B);
	must_write(stage, GIB + B + 39 * PAGE);
}

static void map_run(struct stage *stage)
{
	must_map(stage, GIB, leaf(stage), pa_for(stage->size_lg2));
	must_write(stage, GIB + leaf(stage) / 2);
}

static void map_block(struct stage *stage)
{
	must_map(stage, GIB, 2 * MIB, pa_for(21));
	must_write(stage, GIB + MIB);
}

static void map_b_and_unmap_it(struct stage *stage)
{
	map_b(stage);
	must_unmap(stage, GIB + B, PAGE, &stage->second);
	if (writes(stage, GIB + B))
		complain("what was unmapped while tables go is reached");
}

/* One table that held a block: the device's pointer leads there until it is retired. */
static void prepare_empty_of_blocks(struct stage *stage)
{
	must_map(stage, GIB, 2 * MIB, pa_for(21));
	must_write(stage, GIB);
	must_unmap(stage, GIB, 2 * MIB, &stage->second);
}

/*
 * Over nothing: a piece of what an entry above translates, whose table is going. What is mapped
 * beside it, before the sync, is reached at once.
 */
static void unmap_nothing_and_map(struct stage *stage)
{
	uint64_t first = stage->base + GIB + 8 * MIB;
	struct iopt_gather gather;

	iopt_gather_init(&gather, stage->rig->domain, NULL);
	if (iopt_unmap(stage->rig->domain, first, first + 2 * MIB - 1, 0, &gather, NULL))
		complain("an unmap of nothing fails");
	must_map(stage, GIB + 4 * MIB + B, PAGE, 3 * PA);
	must_write(stage, GIB + 4 * MIB + B);
	iopt_sync(&gather);
}

static void check_a(struct stage *stage)
{
	must_be_at(stage, GIB + A, PA);
}

static void check_b(struct stage *stage)
{
	must_be_gone(stage, GIB + A);
	must_be_at(stage, GIB + B, 3 * PA);
}

static void check_next_b(struct stage *stage)
{
	must_be_gone(stage, GIB + A);
	must_be_at(stage, GIB + 2 * MIB + B, 3 * PA);
}

static void check_many(struct stage *stage)
{
	for (unsigned i = 0; i < 40; i++)
		must_be_at(stage, GIB + B + i * PAGE, pa_for(12) + i * PAGE);
}

static void check_run(struct stage *stage)
{
	for (unsigned i = 0; i < 4; i++)
		must_be_at(stage, GIB + i * (leaf(stage) / 4),
			   pa_for(stage->size_lg2) + i * (leaf(stage) / 4));
}

static void check_block(struct stage *stage)
{
	must_be_at(stage, GIB, pa_for(21));
	must_be_at(stage, GIB + MIB, pa_for(21) + MIB);
}

static void check_far_b(struct stage *stage)
{
	must_be_at(stage, GIB + 4 * MIB + B, 3 * PA);
}

/* Tables of the window, as a visit finds them; those above it are shared. */
static uint64_t window_tables(struct stage *stage)
{
	struct iopt_item items[16];
	struct iopt_visit visit;
	uint64_t found = 0;

	iopt_visit_init(&visit, stage->base, stage->base + WINDOW - 1, IOPT_VISIT_TABLES);
	while (!visit.done) {
		size_t nr = iopt_visit(stage->rig->domain, &visit, items, 16);

		for (size_t i = 0; i < nr; i++)
			found += items[i].first >= stage->base &&
				 items[i].last < stage->base + WINDOW;
	}
	return found;
}

/* Whatever came in between, one more trim finds all that is empty. */
static void check_nothing_left(struct stage *stage)
{
	must_be_gone(stage, GIB + A);
	must_be_gone(stage, GIB + B);
	trim_window(stage);
	assert_int_equal(window_tables(stage), 0);
}

/* ---- scenes: trim beside owners, other trims and readers ----------------------------------- */

static void unlink_gigabyte(struct stage *stage)
{
	must_unmap(stage, GIB, GIB, &stage->second);
}

static void unlink_gigabyte_map_b(struct stage *stage)
{
	unlink_gigabyte(stage);
	map_b(stage);
}

static void trim_meanwhile(struct stage *stage)
{
	trim_window(stage);
}

static void prepare_a(struct stage *stage)
{
	must_map(stage, GIB + A, PAGE, PA);
	must_write(stage, GIB + A);
}

static void unmap_a_and_trim(struct stage *stage)
{
	struct iopt_gather gather;

	notes_init(&stage->first);
	iopt_gather_init(&gather, stage->rig->domain, &stage->first.sink);
	if (iopt_unmap(stage->rig->domain, stage->base + GIB + A, stage->base + GIB + A + PAGE - 1,
		       IOPT_UNMAP_TRIM, &gather, NULL))
		complain("an unmap that trims fails");
	iopt_sync(&gather);
}

static void check_b_and_a_reported(struct stage *stage)
{
	check_b(stage);
	if (stage->rig->tracked)
		assert_int_equal(notes_count(&stage->first, stage->base + GIB + A), 1);
}

static void prepare_empty_beside_b(struct stage *stage)
{
	prepare_empty(stage);
	must_map(stage, GIB + 8 * MIB + B, PAGE, 3 * PA);
	must_write(stage, GIB + 8 * MIB + B);
}

static void sweep_first(struct stage *stage)
{
	sweep_window(stage, &stage->first);
}

static void sweep_meanwhile(struct stage *stage)
{
	sweep_window(stage, &stage->second);
}

static void check_b_reported(struct stage *stage)
{
	assert_in_range(reports(stage, GIB + 8 * MIB + B), 1, 2);
	must_be_at(stage, GIB + 8 * MIB + B, 3 * PA);
}

static void read_b(struct stage *stage)
{
	struct iopt_translation found;
	struct iopt_item items[8];
	struct iopt_visit visit;
	unsigned leaves = 0;

	if (iopt_translate(stage->rig->domain, stage->base + GIB + 8 * MIB + B, &found) ||
	    found.pa != 3 * PA)
		complain("a translation got lost beside a trim");
	if (iopt_translate(stage->rig->domain, stage->base + GIB + A, &found) != -ENOENT)
		complain("a translation that is not there any more");
	iopt_visit_init(&visit, stage->base, stage->base + WINDOW - 1, IOPT_VISIT_LEAVES);
	while (!visit.done) {
		size_t nr = iopt_visit(stage->rig->domain, &visit, items, 8);

		for (size_t i = 0; i < nr; i++)
			leaves += items[i].pa == 3 * PA;
	}
	if (leaves != 1)
		complain("a visit beside a trim finds %u times what is there once", leaves);
}

static void check_read(struct stage *stage)
{
	read_b(stage);
	must_be_at(stage, GIB + 8 * MIB + B, 3 * PA);
}

/* ---- scenes: trim beside growth ------------------------------------------------------------ */

static uint64_t beyond(const struct stage *stage, unsigned levels)
{
	return 1ull << (stage->rig->format->granule_lg2 + levels * stage->rig->format->index_lg2);
}

static void trim_all(struct stage *stage)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, stage->rig->domain, NULL);
	if (iopt_trim(stage->rig->domain, 0, ~0ull, &gather, 0, NULL))
		complain("a trim of everything fails");
	iopt_sync(&gather);
}

static void prepare_low_empty(struct stage *stage)
{
	must_map(stage, A, PAGE, 5 * PA);
	must_write(stage, A);
	must_unmap(stage, A, PAGE, &stage->second);
}

static void map_high(struct stage *stage)
{
	must_map(stage, beyond(stage, 3), PAGE, PA);
	must_write(stage, beyond(stage, 3));
}

static void check_high(struct stage *stage)
{
	must_be_at(stage, beyond(stage, 3), PA);
	must_map(stage, A, PAGE, 5 * PA);
	must_be_at(stage, A, 5 * PA);
	trim_all(stage);
	must_be_at(stage, A, 5 * PA);
}

/* ---- scenes: split under devices and beside sweeps ----------------------------------------- */

#define SPLIT_SIZES (1ull << 13 | 1ull << 16 | 1ull << 21 | 1ull << 22)

static void prepare_leaf(struct stage *stage)
{
	must_map(stage, GIB, leaf(stage), pa_for(stage->size_lg2));
}

/* The device has it cached, clean. */
static void prepare_read_leaf(struct stage *stage)
{
	prepare_leaf(stage);
	rig_read(stage->rig, 0, stage->base + GIB + leaf(stage) / 4);
}

/* Written at one place, and through what is cached then at another one. */
static void prepare_written_leaf(struct stage *stage)
{
	prepare_leaf(stage);
	must_write(stage, GIB + leaf(stage) / 4);
	must_write(stage, GIB + leaf(stage) - PAGE);
}

/* The same, and swept: what the device has cached is not dirty. */
static void prepare_swept_leaf(struct stage *stage)
{
	prepare_written_leaf(stage);
	sweep_window(stage, &stage->second);
}

static void split_leaf(struct stage *stage)
{
	stage->result = split_at(stage, GIB, leaf(stage), 12);
}

static void split_half(struct stage *stage)
{
	stage->result = split_at(stage, GIB, leaf(stage) / 2, ~0u);
}

/* Into blocks that are split again. */
static void split_leaf_twice(struct stage *stage)
{
	stage->result = split_at(stage, GIB, leaf(stage), stage->size_lg2 > 21 ? 21 : 12);
	stage->result |= split_at(stage, GIB, leaf(stage), 12);
}

static void split_meanwhile(struct stage *stage)
{
	if (split_at(stage, GIB, leaf(stage), 12))
		complain("a split fails");
}

static void write_leaf(struct stage *stage)
{
	must_write(stage, GIB + leaf(stage) / 2);
	must_write(stage, GIB);
}

static bool split_is_whole(struct stage *stage)
{
	struct iopt_translation found;

	for (uint64_t at = 0; at < leaf(stage); at += PAGE)
		if (iopt_translate(stage->rig->domain, stage->base + GIB + at, &found) ||
		    found.pa != pa_for(stage->size_lg2) + at)
			return false;
	return true;
}

static void check_split(struct stage *stage)
{
	struct iopt_translation found;

	assert_int_equal(stage->result, 0);
	assert_true(split_is_whole(stage));
	assert_int_equal(
		iopt_translate(stage->rig->domain, stage->base + GIB + leaf(stage) / 4, &found), 0);
	assert_int_equal(found.leaf_lg2, 12);
}

static void check_split_written(struct stage *stage)
{
	assert_int_equal(stage->result, 0);
	sweep_window(stage, &stage->last);
	assert_true(reports(stage, GIB + leaf(stage) / 2));
	assert_true(reports(stage, GIB));
	assert_true(split_is_whole(stage));
	/* A sweep that comes later finds nothing new. */
	sweep_window(stage, &stage->last);
	assert_int_equal(stage->last.nr, 0);
}

/* What was written before is reported by that sweep, not by a later one. */
static void check_split_swept(struct stage *stage)
{
	check_split(stage);
	assert_true(reports(stage, GIB + leaf(stage) / 4));
	assert_true(reports(stage, GIB + leaf(stage) - PAGE));
	sweep_window(stage, &stage->last);
	sweep_window(stage, &stage->last);
	assert_int_equal(stage->last.nr, 0);
}

/* Nothing is missed while a leaf changes its size. */
static void read_leaf(struct stage *stage)
{
	if (!split_is_whole(stage))
		complain("a translation is missing during a split");
}

static void read_leaf_first(struct stage *stage)
{
	read_leaf(stage);
	stage->result = 0;
}

static void map_beside(struct stage *stage)
{
	must_map(stage, GIB + 8 * MIB, PAGE, 3 * PA);
	must_map(stage, GIB - PAGE, PAGE, 5 * PA);
	must_write(stage, GIB + 8 * MIB);
}

static void check_split_beside(struct stage *stage)
{
	check_split(stage);
	must_be_at(stage, GIB + 8 * MIB, 3 * PA);
	must_be_at(stage, GIB - PAGE, 5 * PA);
}

/* A hole in the middle, which splits what is left; that is reached all the time. */
static void unmap_hole(struct stage *stage)
{
	stage->result = unmap_at(stage, GIB + leaf(stage) / 2, PAGE, &stage->first);
}

static void write_around_hole(struct stage *stage)
{
	must_write(stage, GIB);
	must_write(stage, GIB + leaf(stage) - PAGE);
	stage->other = writes(stage, GIB + leaf(stage) / 2);
}

static void check_hole(struct stage *stage)
{
	assert_int_equal(stage->result, 0);
	must_be_gone(stage, GIB + leaf(stage) / 2);
	if (stage->other)
		assert_true(reports(stage, GIB + leaf(stage) / 2));
	sweep_window(stage, &stage->last);
	assert_true(reports(stage, GIB));
	assert_true(reports(stage, GIB + leaf(stage) - PAGE));
	must_be_at(stage, GIB + leaf(stage) / 2 - PAGE,
		   pa_for(stage->size_lg2) + leaf(stage) / 2 - PAGE);
}

/* ---- scenes: a sweep while a run is between two sizes -------------------------------------- */

static void prepare_half_split(struct stage *stage)
{
	prepare_written_leaf(stage);
	start_aside(stage, split_leaf);
}

/* ---- scenes: sweeps that skip -------------------------------------------------------------- */

#define SKIPS (IOPT_TRACK | IOPT_ACCESSED_TABLES)

/* Written, swept until no table is marked any more; the device has kept all its pointers. */
static void prepare_unmarked(struct stage *stage)
{
	must_map(stage, GIB + A, PAGE, PA);
	must_map(stage, GIB + B, PAGE, 3 * PA);
	must_map(stage, GIB + 4 * MIB, 2 * MIB, pa_for(21));
	must_write(stage, GIB + A);
	for (unsigned i = 0; i < 3; i++)
		sweep_window(stage, &stage->second);
}

/* The same, with a walk to A cached since the last sweep, and accessed set for it. */
static void prepare_marked(struct stage *stage)
{
	prepare_unmarked(stage);
	rig_read(stage->rig, 0, stage->base + GIB + A);
}

static void write_pages_and_block(struct stage *stage)
{
	must_write(stage, GIB + A);
	must_write(stage, GIB + B);
	must_write(stage, GIB + 4 * MIB + MIB);
}

/* Of the same range: it waits for the first one, at whatever point that is. */
static void sweep_and_write(struct stage *stage)
{
	sweep_meanwhile(stage);
	write_pages_and_block(stage);
}

static void check_all_found(struct stage *stage)
{
	sweep_window(stage, &stage->last);
	assert_true(reports(stage, GIB + A));
	assert_true(reports(stage, GIB + B));
	assert_true(reports(stage, GIB + 4 * MIB + MIB));
	for (unsigned i = 0; i < 2; i++) {
		sweep_window(stage, &stage->last);
		assert_int_equal(stage->last.nr, 0);
	}
	/* No table is marked now. A pointer that the device still had would leave no mark. */
	write_pages_and_block(stage);
	sweep_window(stage, &stage->last);
	assert_int_equal(notes_count(&stage->last, stage->base + GIB + A), 1);
	assert_int_equal(notes_count(&stage->last, stage->base + GIB + 4 * MIB + MIB), 1);
}

/* Nothing gets dirty, but tables are marked, and the device keeps its pointers to them. */
static void read_pages(struct stage *stage)
{
	rig_read(stage->rig, 0, stage->base + GIB + A);
	rig_read(stage->rig, 0, stage->base + GIB + 4 * MIB);
}

/* Swept until nothing is marked: a pointer that the device still had would leave no mark. */
static void check_pointers_gone(struct stage *stage)
{
	for (unsigned i = 0; i < 3; i++) {
		sweep_window(stage, &stage->last);
		assert_int_equal(stage->last.nr, 0);
	}
	must_write(stage, GIB + B);
	sweep_window(stage, &stage->last);
	assert_int_equal(notes_count(&stage->last, stage->base + GIB + B), 1);
}

/* Sharded: halves of the window, each its own sweep. They wait for each other's locks alone. */
static void sweep_half(struct stage *stage, uint64_t first, struct notes *notes)
{
	struct iopt_gather gather;

	notes_init(notes);
	iopt_gather_init(&gather, stage->rig->domain, NULL);
	if (iopt_sweep(stage->rig->domain, first, first + WINDOW / 2 - 1, IOPT_SWEEP_CLEAR,
		       &notes->sink, &gather, 0, NULL))
		complain("a sweep of a half fails");
	iopt_sync(&gather);
}

static void prepare_both_halves(struct stage *stage)
{
	prepare_unmarked(stage);
	must_map(stage, 3 * GIB + A, PAGE, 5 * PA);
	write_pages_and_block(stage);
	must_write(stage, 3 * GIB + A);
}

static void sweep_low_half(struct stage *stage)
{
	sweep_half(stage, stage->base, &stage->first);
}

static void sweep_high_half(struct stage *stage)
{
	sweep_half(stage, stage->base + WINDOW / 2, &stage->second);
}

static void check_both_halves(struct stage *stage)
{
	assert_int_equal(reports(stage, GIB + A), 1);
	assert_int_equal(reports(stage, GIB + B), 1);
	assert_int_equal(reports(stage, GIB + 4 * MIB + MIB), 1);
	assert_int_equal(reports(stage, 3 * GIB + A), 1);
	write_pages_and_block(stage);
	must_write(stage, 3 * GIB + A);
	check_all_found(stage);
}

/* Two sweeps, one gather: the second one finds the first one's debt. */
static void sweep_twice_unsynced(struct stage *stage)
{
	struct iopt_gather gathers[2];

	notes_init(&stage->first);
	for (unsigned i = 0; i < 2; i++) {
		iopt_gather_init(&gathers[i], stage->rig->domain, NULL);
		if (iopt_sweep(stage->rig->domain, stage->base, stage->base + WINDOW - 1,
			       IOPT_SWEEP_CLEAR, &stage->first.sink, &gathers[i], 0, NULL))
			complain("a sweep fails");
	}
	for (unsigned i = 0; i < 2; i++)
		iopt_sync(&gathers[i]);
}

/* In steps of a table. */
static void sweep_in_steps(struct stage *stage)
{
	uint64_t next = stage->base;
	struct iopt_gather gather;
	int result;

	notes_init(&stage->first);
	iopt_gather_init(&gather, stage->rig->domain, NULL);
	do {
		result = iopt_sweep(stage->rig->domain, next, stage->base + WINDOW - 1,
				    IOPT_SWEEP_CLEAR, &stage->first.sink, &gather, 1, &next);
		iopt_sync(&gather);
	} while (result == 1);
	if (result)
		complain("a sweep in steps fails");
}

static void map_and_write_new_table(struct stage *stage)
{
	must_map(stage, GIB + 2 * MIB + A, PAGE, 5 * PA);
	must_write(stage, GIB + 2 * MIB + A);
}

static void check_new_table_found(struct stage *stage)
{
	sweep_window(stage, &stage->last);
	assert_true(reports(stage, GIB + 2 * MIB + A));
}

/* The block is split below an unmarked table, dirty. */
static void prepare_dirty_block(struct stage *stage)
{
	prepare_unmarked(stage);
	must_write(stage, GIB + 4 * MIB + MIB);
}

static void split_block(struct stage *stage)
{
	stage->result = split_at(stage, GIB + 4 * MIB, 2 * MIB, 12);
}

static void split_block_meanwhile(struct stage *stage)
{
	if (split_at(stage, GIB + 4 * MIB, 2 * MIB, 12))
		complain("a split fails");
}

static void check_split_block_found(struct stage *stage)
{
	sweep_window(stage, &stage->last);
	assert_true(reports(stage, GIB + 4 * MIB + MIB));
	must_be_at(stage, GIB + 4 * MIB + MIB, pa_for(21) + MIB);
	sweep_window(stage, &stage->last);
	sweep_window(stage, &stage->last);
	assert_int_equal(stage->last.nr, 0);
}

/* ---- the scenes --------------------------------------------------------------------------- */

static const struct scene scenes[] = {
	{ .name = "trim beside map",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = map_b,
	  .check = check_b },
	{ .name = "trim beside map of many pages",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = map_many,
	  .check = check_many },
	{ .name = "trim beside map in the next table",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = map_b_in_next_table,
	  .check = check_next_b },
	{ .name = "trim beside map of a leaf",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = map_run,
	  .check = check_run,
	  .sizes = RUNS_HERE | 1ull << 22 },
	{ .name = "trim beside block",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = map_block,
	  .check = check_block },
	{ .name = "trim beside map and unmap",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = map_b_and_unmap_it,
	  .check = check_nothing_left },
	{ .name = "trim beside unmap of nothing",
	  .prepare = prepare_empty_of_blocks,
	  .first = trim_window,
	  .second = unmap_nothing_and_map,
	  .check = check_far_b },
	{ .name = "map beside trim",
	  .prepare = prepare_empty,
	  .first = map_a,
	  .second = trim_meanwhile,
	  .check = check_a },
	{ .name = "map of many pages beside trim",
	  .prepare = prepare_empty,
	  .first = map_many,
	  .second = trim_meanwhile,
	  .check = check_many },
	{ .name = "map of a leaf beside trim",
	  .prepare = prepare_empty,
	  .first = map_run,
	  .second = trim_meanwhile,
	  .check = check_run,
	  .sizes = RUNS_HERE | 1ull << 22 },
	{ .name = "map in the next table beside trim",
	  .prepare = prepare_empty,
	  .first = map_b_in_next_table,
	  .second = trim_meanwhile,
	  .check = check_next_b },
	{ .name = "block beside trim",
	  .prepare = prepare_empty,
	  .first = map_block,
	  .second = trim_meanwhile,
	  .check = check_block },
	{ .name = "trim beside unlink",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = unlink_gigabyte,
	  .check = check_nothing_left },
	{ .name = "trim beside unlink and map",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = unlink_gigabyte_map_b,
	  .check = check_b },
	{ .name = "unlink beside trim",
	  .prepare = prepare_a,
	  .first = unlink_gigabyte,
	  .second = trim_meanwhile,
	  .check = check_nothing_left },
	{ .name = "trim beside trim",
	  .prepare = prepare_empty,
	  .first = trim_window,
	  .second = trim_meanwhile,
	  .check = check_nothing_left },
	{ .name = "unmap that trims beside map",
	  .prepare = prepare_a,
	  .first = unmap_a_and_trim,
	  .second = map_b,
	  .check = check_b_and_a_reported },
	{ .name = "map beside unmap that trims",
	  .prepare = prepare_a,
	  .first = map_b,
	  .second = unmap_a_and_trim,
	  .check = check_b },
	{ .name = "unmap that trims beside trim",
	  .prepare = prepare_a,
	  .first = unmap_a_and_trim,
	  .second = trim_meanwhile,
	  .check = check_nothing_left },
	{ .name = "trim beside sweep",
	  .prepare = prepare_empty_beside_b,
	  .first = trim_window,
	  .second = sweep_meanwhile,
	  .check = check_b_reported,
	  .tracked = true },
	{ .name = "sweep beside trim",
	  .prepare = prepare_empty_beside_b,
	  .first = sweep_first,
	  .second = trim_meanwhile,
	  .check = check_b_reported,
	  .tracked = true },
	{ .name = "trim beside readers",
	  .prepare = prepare_empty_beside_b,
	  .first = trim_window,
	  .second = read_b,
	  .check = check_read },
	{ .name = "readers beside trim",
	  .prepare = prepare_empty_beside_b,
	  .first = read_b,
	  .second = trim_meanwhile,
	  .check = check_read },
	{ .name = "growth beside trim of the old top",
	  .prepare = prepare_low_empty,
	  .first = map_high,
	  .second = trim_all,
	  .check = check_high,
	  .wants = IOPT_CAN_GROW,
	  .alone = true },
	{ .name = "trim of the old top beside growth",
	  .prepare = prepare_low_empty,
	  .first = trim_all,
	  .second = map_high,
	  .check = check_high,
	  .wants = IOPT_CAN_GROW,
	  .alone = true },
	{ .name = "split under a device",
	  .prepare = prepare_read_leaf,
	  .first = split_leaf,
	  .second = write_leaf,
	  .check = check_split_written,
	  .sizes = SPLIT_SIZES,
	  .tracked = true },
	{ .name = "split of a half under a device",
	  .prepare = prepare_read_leaf,
	  .first = split_half,
	  .second = write_leaf,
	  .check = check_split_written,
	  .sizes = SPLIT_SIZES,
	  .tracked = true },
	{ .name = "split after a sweep under a device",
	  .prepare = prepare_swept_leaf,
	  .first = split_leaf,
	  .second = write_leaf,
	  .check = check_split_written,
	  .sizes = SPLIT_SIZES,
	  .tracked = true },
	{ .name = "split in two steps under a device",
	  .prepare = prepare_swept_leaf,
	  .first = split_leaf_twice,
	  .second = write_leaf,
	  .check = check_split_written,
	  .sizes = 1ull << 22,
	  .tracked = true },
	{ .name = "split beside sweep",
	  .prepare = prepare_written_leaf,
	  .first = split_leaf,
	  .second = sweep_meanwhile,
	  .check = check_split_swept,
	  .sizes = SPLIT_SIZES,
	  .tracked = true },
	{ .name = "sweep beside split",
	  .prepare = prepare_written_leaf,
	  .first = sweep_first,
	  .second = split_meanwhile,
	  .check = check_split_swept,
	  .sizes = SPLIT_SIZES,
	  .tracked = true },
	{ .name = "sweep of a run between two sizes",
	  .prepare = prepare_half_split,
	  .first = sweep_first,
	  .second = end_aside,
	  .check = check_split_swept,
	  .wants = IOPT_CAN_RUNS,
	  .sizes = RUNS_HERE,
	  .tracked = true },
	{ .name = "split beside readers",
	  .prepare = prepare_leaf,
	  .first = split_leaf,
	  .second = read_leaf,
	  .check = check_split,
	  .sizes = SPLIT_SIZES },
	{ .name = "readers beside split",
	  .prepare = prepare_leaf,
	  .first = read_leaf_first,
	  .second = split_meanwhile,
	  .check = check_split,
	  .sizes = 1ull << 13 | 1ull << 16 },
	{ .name = "split beside maps",
	  .prepare = prepare_leaf,
	  .first = split_leaf,
	  .second = map_beside,
	  .check = check_split_beside,
	  .sizes = SPLIT_SIZES },
	{ .name = "split beside trim",
	  .prepare = prepare_leaf,
	  .first = split_leaf,
	  .second = trim_meanwhile,
	  .check = check_split,
	  .sizes = SPLIT_SIZES },
	{ .name = "trim beside split",
	  .prepare = prepare_leaf,
	  .first = trim_window,
	  .second = split_meanwhile,
	  .check = check_split,
	  .sizes = SPLIT_SIZES },
	{ .name = "unmap that splits under a device",
	  .prepare = prepare_swept_leaf,
	  .first = unmap_hole,
	  .second = write_around_hole,
	  .check = check_hole,
	  .sizes = 1ull << 16 | 1ull << 21,
	  .tracked = true,
	  .flags = IOPT_TRACK | IOPT_SPLIT },
	{ .name = "skipping sweep under a device",
	  .prepare = prepare_unmarked,
	  .first = sweep_first,
	  .second = write_pages_and_block,
	  .check = check_all_found,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "skipping sweep under a device that has walked",
	  .prepare = prepare_marked,
	  .first = sweep_first,
	  .second = write_pages_and_block,
	  .check = check_all_found,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "skipping sweep under a device that reads",
	  .prepare = prepare_marked,
	  .first = sweep_first,
	  .second = read_pages,
	  .check = check_pointers_gone,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "skipping sweeps without a sync under a device",
	  .prepare = prepare_marked,
	  .first = sweep_twice_unsynced,
	  .second = write_pages_and_block,
	  .check = check_all_found,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "skipping sweep in steps under a device",
	  .prepare = prepare_marked,
	  .first = sweep_in_steps,
	  .second = write_pages_and_block,
	  .check = check_all_found,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "sweep of a half beside the other",
	  .prepare = prepare_both_halves,
	  .first = sweep_low_half,
	  .second = sweep_high_half,
	  .check = check_both_halves,
	  .tracked = true,
	  .waits = true },
	{ .name = "skipping sweep of a half beside the other",
	  .prepare = prepare_both_halves,
	  .first = sweep_low_half,
	  .second = sweep_high_half,
	  .check = check_both_halves,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS,
	  .waits = true },
	{ .name = "skipping sweep beside the same sweep",
	  .prepare = prepare_marked,
	  .first = sweep_first,
	  .second = sweep_and_write,
	  .check = check_all_found,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS,
	  .waits = true },
	{ .name = "skipping sweep beside a new table",
	  .prepare = prepare_unmarked,
	  .first = sweep_first,
	  .second = map_and_write_new_table,
	  .check = check_new_table_found,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "skipping sweep beside split",
	  .prepare = prepare_dirty_block,
	  .first = sweep_first,
	  .second = split_block_meanwhile,
	  .check = check_split_block_found,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "split beside skipping sweep",
	  .prepare = prepare_dirty_block,
	  .first = split_block,
	  .second = sweep_meanwhile,
	  .check = check_split_block_found,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .tracked = true,
	  .flags = SKIPS },
};

int main(int argc, char **argv)
{
	return run_scenes(argc, argv, "points of what changes shapes", scenes,
			  sizeof(scenes) / sizeof(*scenes), NULL);
}
