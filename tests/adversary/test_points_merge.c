/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Merge and protect at every point of everything that may race with them, beside a device that
 * keeps all: scenes, played as points/stage.h says. The leaf size of a scene is that of the leaf to
 * be.
 */
#include <errno.h>
#include <string.h>

#include "points/host.h"
#include "points/stage.h"

/* Runs, a table that becomes a block, tables that become blocks and a run. */
#define MERGE_SIZES (1ull << 13 | 1ull << 16 | 1ull << 21 | 1ull << 22)

/* ---- what these scenes are made of --------------------------------------------------------- */

static uint64_t pa_at(const struct stage *stage, uint64_t at)
{
	return pa_for(stage->size_lg2) + at;
}

/* The leaf, in pages, and a neighbour behind it. */
static void prepare_pages(struct stage *stage)
{
	must_map(stage, GIB, leaf(stage), pa_at(stage, 0));
	if (split_at(stage, GIB, leaf(stage), 12))
		complain("the leaf can't be split");
	must_map(stage, GIB + 8 * MIB, PAGE, 3 * PA);
}

/* The device has pointers and translations, clean. */
static void prepare_read_pages(struct stage *stage)
{
	prepare_pages(stage);
	rig_read(stage->rig, 0, stage->base + GIB + leaf(stage) / 2);
	rig_read(stage->rig, 0, stage->base + GIB + leaf(stage) / 4);
}

static void prepare_written_pages(struct stage *stage)
{
	prepare_pages(stage);
	must_write(stage, GIB + leaf(stage) / 4);
	must_write(stage, GIB + leaf(stage) - PAGE);
}

/* All clean again; the device has pointers. */
static void prepare_swept_pages(struct stage *stage)
{
	prepare_written_pages(stage);
	sweep_window(stage, &stage->second);
	rig_read(stage->rig, 0, stage->base + GIB + leaf(stage) / 4);
}

static int merge_at(struct stage *stage, unsigned flags)
{
	uint64_t first = stage->base + GIB;
	struct iopt_gather gather;
	int error;

	iopt_gather_init(&gather, stage->rig->domain, NULL);
	error = iopt_merge(stage->rig->domain, first, first + leaf(stage) - 1, ~0u, flags, &gather,
			   0, NULL);
	iopt_sync(&gather);
	return error;
}

static void merge_pages(struct stage *stage)
{
	stage->result = merge_at(stage, 0);
}

static void merge_as_one(struct stage *stage)
{
	stage->result = merge_at(stage, IOPT_MERGE_ONE);
}

static void merge_split_merge(struct stage *stage)
{
	stage->result = merge_at(stage, 0);
	stage->result |= split_at(stage, GIB, leaf(stage), 12);
	stage->result |= merge_at(stage, 0);
}

static void merge_meanwhile(struct stage *stage)
{
	if (merge_at(stage, 0))
		complain("a merge fails");
}

static void sweep_first(struct stage *stage)
{
	sweep_window(stage, &stage->first);
}

static void sweep_meanwhile(struct stage *stage)
{
	sweep_window(stage, &stage->second);
}

static void write_leaf(struct stage *stage)
{
	must_write(stage, GIB + leaf(stage) / 2);
	must_write(stage, GIB);
}

static bool all_translates(struct stage *stage)
{
	struct iopt_translation found;

	for (uint64_t at = 0; at < leaf(stage); at += PAGE)
		if (iopt_translate(stage->rig->domain, stage->base + GIB + at, &found) ||
		    found.pa != pa_at(stage, at))
			return false;
	return true;
}

static void check_merged(struct stage *stage)
{
	struct iopt_translation found;

	assert_int_equal(stage->result, 0);
	assert_true(all_translates(stage));
	assert_int_equal(iopt_translate(stage->rig->domain, stage->base + GIB, &found), 0);
	assert_int_equal(found.leaf_lg2, stage->size_lg2);
}

static void check_nothing_new(struct stage *stage)
{
	sweep_window(stage, &stage->last);
	assert_int_equal(stage->last.nr, 0);
}

/* ---- scenes: merge ------------------------------------------------------------------------- */

static void check_merged_written(struct stage *stage)
{
	check_merged(stage);
	sweep_window(stage, &stage->last);
	assert_true(reports(stage, GIB + leaf(stage) / 2));
	assert_true(reports(stage, GIB));
	check_nothing_new(stage);
}

/* By that sweep, not by a later one, wherever the bit was set. */
static void check_merged_swept(struct stage *stage)
{
	check_merged(stage);
	assert_true(reports(stage, GIB + leaf(stage) / 4));
	assert_true(reports(stage, GIB + leaf(stage) - PAGE));
	sweep_window(stage, &stage->last);
	check_nothing_new(stage);
}

static void prepare_half_merged(struct stage *stage)
{
	prepare_written_pages(stage);
	start_aside(stage, merge_pages);
}

static void read_leaf(struct stage *stage)
{
	if (!all_translates(stage))
		complain("a translation is missing during a merge");
}

static void read_leaf_first(struct stage *stage)
{
	read_leaf(stage);
	stage->result = 0;
}

/* Every byte is visited, whatever leaf it is in; none that is not there. */
static void visit_leaf(struct stage *stage)
{
	uint64_t first = stage->base + GIB, next = first;
	struct iopt_item items[32];
	struct iopt_visit visit;

	iopt_visit_init(&visit, first, first + leaf(stage) - 1, IOPT_VISIT_LEAVES);
	while (!visit.done) {
		size_t nr = iopt_visit(stage->rig->domain, &visit, items, 32);

		for (size_t i = 0; i < nr; i++) {
			if (items[i].first > next || items[i].last < next ||
			    items[i].pa != pa_at(stage, items[i].first - first))
				complain("a visit during a merge goes wrong");
			next = items[i].last + 1;
		}
	}
	if (next != first + leaf(stage))
		complain("a visit during a merge misses something");
}

static void map_beside(struct stage *stage)
{
	must_map(stage, GIB + 8 * MIB + PAGE, PAGE, 5 * PA);
	must_map(stage, GIB - PAGE, PAGE, 7 * PA);
	must_unmap(stage, GIB + 8 * MIB, PAGE, &stage->second);
	must_write(stage, GIB - PAGE);
}

static void check_merged_beside(struct stage *stage)
{
	check_merged(stage);
	must_be_gone(stage, GIB + 8 * MIB);
	must_be_at(stage, GIB + 8 * MIB + PAGE, 5 * PA);
	must_be_at(stage, GIB - PAGE, 7 * PA);
}

static void trim_meanwhile(struct stage *stage)
{
	trim_window(stage);
}

static void trim_first(struct stage *stage)
{
	trim_window(stage);
	stage->result = 0;
}

static void prepare_untracked_pages(struct stage *stage)
{
	assert_int_equal(iopt_track(stage->rig->domain, false), 0);
	prepare_pages(stage);
	must_write(stage, GIB);
}

static void track_and_write(struct stage *stage)
{
	if (iopt_track(stage->rig->domain, true))
		complain("tracking can't be switched on");
	write_leaf(stage);
}

/* ---- scenes: sweeps that skip -------------------------------------------------------------- */

/* No table is marked, and the device has kept its pointers. */
static void prepare_unmarked_pages(struct stage *stage)
{
	prepare_written_pages(stage);
	for (unsigned i = 0; i < 3; i++)
		sweep_window(stage, &stage->second);
}

static void prepare_unmarked_written(struct stage *stage)
{
	prepare_unmarked_pages(stage);
	must_write(stage, GIB + leaf(stage) / 4);
	must_write(stage, GIB + leaf(stage) - PAGE);
}

static void check_skipped_swept(struct stage *stage)
{
	check_merged_swept(stage);
	check_nothing_new(stage);
}

/* ---- scenes: protect ----------------------------------------------------------------------- */

#define PROTECT_SIZES (1ull << 12 | 1ull << 13 | 1ull << 16 | 1ull << 21)

static void prepare_leaf(struct stage *stage)
{
	must_map(stage, GIB, leaf(stage), pa_at(stage, 0));
	must_map(stage, GIB + 8 * MIB, PAGE, 3 * PA);
}

static int protect_at(struct stage *stage, uint64_t offset, uint64_t bytes, unsigned prot)
{
	uint64_t first = stage->base + GIB + offset;
	struct iopt_gather gather;
	int error;

	iopt_gather_init(&gather, stage->rig->domain, NULL);
	error = iopt_protect(stage->rig->domain, first, first + bytes - 1, prot, &gather);
	iopt_sync(&gather);
	return error;
}

static void prepare_cached_leaf(struct stage *stage)
{
	prepare_leaf(stage);
	must_write(stage, GIB + leaf(stage) / 4);
	sweep_window(stage, &stage->second);
	rig_read(stage->rig, 0, stage->base + GIB);
}

static void prepare_dirty_leaf(struct stage *stage)
{
	prepare_leaf(stage);
	must_write(stage, GIB + leaf(stage) / 4);
}

static void prepare_read_only(struct stage *stage)
{
	prepare_cached_leaf(stage);
	assert_int_equal(protect_at(stage, 0, leaf(stage), IOPT_READ), 0);
}

static void protect_read_only(struct stage *stage)
{
	stage->result = protect_at(stage, 0, leaf(stage), IOPT_READ);
}

static void protect_writable(struct stage *stage)
{
	stage->result = protect_at(stage, 0, leaf(stage), READ_WRITE);
}

static void protect_there_and_back(struct stage *stage)
{
	protect_read_only(stage);
	stage->result |= protect_at(stage, 0, leaf(stage), READ_WRITE);
}

static void protect_meanwhile(struct stage *stage)
{
	if (protect_at(stage, 0, leaf(stage), IOPT_READ))
		complain("protect fails");
}

static void must_read_leaf(struct stage *stage)
{
	for (unsigned i = 0; i < 4; i++)
		if (rig_read(stage->rig, 0, stage->base + GIB + i * (leaf(stage) / 4)) !=
		    SOFT_IOMMU_DONE)
			complain("what may be read can't be while permissions change");
}

static void try_to_write(struct stage *stage)
{
	must_read_leaf(stage);
	stage->other = writes(stage, GIB + leaf(stage) / 2);
}

static void check_read_only(struct stage *stage)
{
	assert_int_equal(stage->result, 0);
	must_read_leaf(stage);
	assert_no_complaint();
	for (unsigned i = 0; i < 4; i++)
		assert_false(writes(stage, GIB + i * (leaf(stage) / 4)));
	sweep_window(stage, &stage->last);
	/* What was written in time is reported, and nothing else. */
	assert_int_equal(!!reports(stage, GIB + leaf(stage) / 2), stage->other);
	must_be_at(stage, GIB + 8 * MIB, 3 * PA);
}

static void check_writable(struct stage *stage)
{
	assert_int_equal(stage->result, 0);
	must_be_at(stage, GIB, pa_at(stage, 0));
	must_be_at(stage, GIB + leaf(stage) - PAGE, pa_at(stage, leaf(stage) - PAGE));
	if (stage->rig->tracked) {
		sweep_window(stage, &stage->last);
		assert_true(reports(stage, GIB));
	}
}

static void check_dirty_kept(struct stage *stage)
{
	assert_int_equal(stage->result, 0);
	sweep_window(stage, &stage->last);
	assert_in_range(reports(stage, GIB + leaf(stage) / 4), 1, 2);
	assert_false(writes(stage, GIB));
	check_nothing_new(stage);
}

static void sweep_first_with_result(struct stage *stage)
{
	sweep_first(stage);
	stage->result = 0;
}

/* The second half of a leaf becomes read-only, which splits it. */
static void protect_half(struct stage *stage)
{
	stage->result = protect_at(stage, leaf(stage) / 2, leaf(stage) / 2, IOPT_READ);
}

static void write_first_half(struct stage *stage)
{
	must_read_leaf(stage);
	must_write(stage, GIB);
	must_write(stage, GIB + leaf(stage) / 4);
	stage->other = writes(stage, GIB + leaf(stage) / 2);
}

static void check_half(struct stage *stage)
{
	assert_int_equal(stage->result, 0);
	assert_false(writes(stage, GIB + leaf(stage) / 2));
	assert_false(writes(stage, GIB + leaf(stage) - PAGE));
	sweep_window(stage, &stage->last);
	assert_true(reports(stage, GIB));
	assert_true(reports(stage, GIB + leaf(stage) / 4));
	if (stage->other)
		assert_true(reports(stage, GIB + leaf(stage) / 2));
	assert_true(all_translates(stage));
}

static void check_protected(struct stage *stage)
{
	assert_int_equal(stage->result, 0);
	assert_true(all_translates(stage));
	assert_false(writes(stage, GIB));
}

static void protect_beside(struct stage *stage)
{
	map_beside(stage);
}

/* ---- the scenes --------------------------------------------------------------------------- */

#define SKIPS (IOPT_TRACK | IOPT_ACCESSED_TABLES)

static const struct scene scenes[] = {
	{ .name = "merge under a device",
	  .prepare = prepare_read_pages,
	  .first = merge_pages,
	  .second = write_leaf,
	  .check = check_merged_written,
	  .sizes = MERGE_SIZES,
	  .tracked = true },
	{ .name = "merge after a sweep under a device",
	  .prepare = prepare_swept_pages,
	  .first = merge_pages,
	  .second = write_leaf,
	  .check = check_merged_written,
	  .sizes = MERGE_SIZES,
	  .tracked = true },
	{ .name = "merge as one under a device",
	  .prepare = prepare_swept_pages,
	  .first = merge_as_one,
	  .second = write_leaf,
	  .check = check_merged_written,
	  .sizes = 1ull << 16 | 1ull << 21,
	  .tracked = true },
	{ .name = "merge, split and merge under a device",
	  .prepare = prepare_swept_pages,
	  .first = merge_split_merge,
	  .second = write_leaf,
	  .check = check_merged_written,
	  .sizes = 1ull << 16 | 1ull << 21,
	  .tracked = true },
	{ .name = "merge beside sweep",
	  .prepare = prepare_written_pages,
	  .first = merge_pages,
	  .second = sweep_meanwhile,
	  .check = check_merged_swept,
	  .sizes = MERGE_SIZES,
	  .tracked = true },
	{ .name = "sweep beside merge",
	  .prepare = prepare_written_pages,
	  .first = sweep_first,
	  .second = merge_meanwhile,
	  .check = check_merged_swept,
	  .sizes = MERGE_SIZES,
	  .tracked = true },
	{ .name = "sweep of leaves that are becoming one",
	  .prepare = prepare_half_merged,
	  .first = sweep_first,
	  .second = end_aside,
	  .check = check_merged_swept,
	  .sizes = MERGE_SIZES,
	  .tracked = true },
	{ .name = "merge beside readers",
	  .prepare = prepare_pages,
	  .first = merge_pages,
	  .second = read_leaf,
	  .check = check_merged,
	  .sizes = MERGE_SIZES },
	{ .name = "readers beside merge",
	  .prepare = prepare_pages,
	  .first = read_leaf_first,
	  .second = merge_meanwhile,
	  .check = check_merged,
	  .sizes = 1ull << 13 | 1ull << 16 },
	{ .name = "visit beside merge",
	  .prepare = prepare_pages,
	  .first = visit_leaf,
	  .second = merge_meanwhile,
	  .check = check_merged,
	  .sizes = MERGE_SIZES },
	{ .name = "merge beside maps and unmaps",
	  .prepare = prepare_pages,
	  .first = merge_pages,
	  .second = map_beside,
	  .check = check_merged_beside,
	  .sizes = MERGE_SIZES },
	{ .name = "merge beside trim",
	  .prepare = prepare_pages,
	  .first = merge_pages,
	  .second = trim_meanwhile,
	  .check = check_merged,
	  .sizes = MERGE_SIZES },
	{ .name = "trim beside merge",
	  .prepare = prepare_pages,
	  .first = trim_first,
	  .second = merge_meanwhile,
	  .check = check_merged,
	  .sizes = MERGE_SIZES },
	{ .name = "merge beside tracking",
	  .prepare = prepare_untracked_pages,
	  .first = merge_pages,
	  .second = track_and_write,
	  .check = check_merged_written,
	  .sizes = 1ull << 16 | 1ull << 21,
	  .tracked = true,
	  .flags = IOPT_TRACKABLE,
	  .waits = true },
	{ .name = "merge below tables that nothing marks",
	  .prepare = prepare_unmarked_pages,
	  .first = merge_pages,
	  .second = write_leaf,
	  .check = check_merged_written,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .sizes = 1ull << 21,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "merge beside skipping sweep",
	  .prepare = prepare_unmarked_written,
	  .first = merge_pages,
	  .second = sweep_meanwhile,
	  .check = check_skipped_swept,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .sizes = 1ull << 21,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "skipping sweep beside merge",
	  .prepare = prepare_unmarked_written,
	  .first = sweep_first,
	  .second = merge_meanwhile,
	  .check = check_skipped_swept,
	  .wants = IOPT_CAN_ACCESSED_TABLES,
	  .sizes = 1ull << 21,
	  .tracked = true,
	  .flags = SKIPS },
	{ .name = "protect under a device",
	  .prepare = prepare_cached_leaf,
	  .first = protect_read_only,
	  .second = try_to_write,
	  .check = check_read_only,
	  .sizes = PROTECT_SIZES,
	  .tracked = true },
	{ .name = "protect to writable under a device",
	  .prepare = prepare_read_only,
	  .first = protect_writable,
	  .second = must_read_leaf,
	  .check = check_writable,
	  .sizes = PROTECT_SIZES,
	  .tracked = true },
	{ .name = "protect there and back under a device",
	  .prepare = prepare_cached_leaf,
	  .first = protect_there_and_back,
	  .second = must_read_leaf,
	  .check = check_writable,
	  .sizes = PROTECT_SIZES,
	  .tracked = true },
	{ .name = "protect beside sweep",
	  .prepare = prepare_dirty_leaf,
	  .first = protect_read_only,
	  .second = sweep_meanwhile,
	  .check = check_dirty_kept,
	  .sizes = PROTECT_SIZES,
	  .tracked = true },
	{ .name = "sweep beside protect",
	  .prepare = prepare_dirty_leaf,
	  .first = sweep_first_with_result,
	  .second = protect_meanwhile,
	  .check = check_dirty_kept,
	  .sizes = PROTECT_SIZES,
	  .tracked = true },
	{ .name = "protect that splits under a device",
	  .prepare = prepare_cached_leaf,
	  .first = protect_half,
	  .second = write_first_half,
	  .check = check_half,
	  .sizes = 1ull << 16 | 1ull << 21,
	  .tracked = true,
	  .flags = IOPT_TRACK | IOPT_SPLIT },
	{ .name = "protect beside readers",
	  .prepare = prepare_leaf,
	  .first = protect_read_only,
	  .second = read_leaf,
	  .check = check_protected,
	  .sizes = PROTECT_SIZES },
	{ .name = "protect beside maps and unmaps",
	  .prepare = prepare_leaf,
	  .first = protect_read_only,
	  .second = protect_beside,
	  .check = check_protected,
	  .sizes = PROTECT_SIZES },
	{ .name = "protect beside trim",
	  .prepare = prepare_leaf,
	  .first = protect_read_only,
	  .second = trim_meanwhile,
	  .check = check_protected,
	  .sizes = PROTECT_SIZES },
};

int main(int argc, char **argv)
{
	return run_scenes(argc, argv, "points of merge and protect", scenes,
			  sizeof(scenes) / sizeof(*scenes), NULL);
}
