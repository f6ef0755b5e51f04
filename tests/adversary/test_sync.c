/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What operations owe the hardware, and when it is paid: a device that keeps everything stale must
 * reach nothing after unmap and sync, everything after map, and never a table that was freed.
 *
 * One thread, or two in turns: each test puts the device's access, or the question what became of a
 * table, at the very place where a fault of the engine would show.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "aside.h"

#define PA (1ull << 40)

/* A physical address that is like an IOVA in its lowest n bits only: leaves of 2^n bytes. */
static uint64_t pa_for(unsigned leaf_lg2)
{
	return PA + (1ull << leaf_lg2);
}

static void open_default(struct rig *rig, const struct iopt_format_info *format, uint32_t device)
{
	struct rig_config config = rig_defaults(format->name);

	config.devices[0] = device;
	rig_open(rig, &config);
}

/* ---- tables: invalidation, then RCU, then free -------------------------------------------- */

/* The table that the hooks below watch, and what device 0 goes for. */
static uint64_t watched_table;
static uint64_t watched_iova;

static void expect_live(struct rig *rig, const struct iopt_gather *gather)
{
	(void)gather;
	if (iopt_posix_table_state(watched_table, NULL) != IOPT_POSIX_LIVE)
		complain("a table is freed before the invalidation");
	/*
	 * Through its cached pointer: what it finds there is a leaf or nothing, but no freed table.
	 */
	rig_write(rig, 0, watched_iova);
}

static void expect_still_live(struct rig *rig, const struct iopt_gather *gather)
{
	(void)rig;
	(void)gather;
	if (iopt_posix_table_state(watched_table, NULL) != IOPT_POSIX_LIVE)
		complain("a table is freed before the invalidation has ended");
}

static void test_table_freed_after_invalidation(const struct iopt_format_info *format)
{
	struct rig rig;

	open_default(&rig, format, 0);
	rig_map(&rig, 2 * MIB, 2 * MIB, pa_for(12));
	watched_iova = 3 * MIB;
	watched_table = rig_table(&rig, watched_iova, 0);
	assert_int_equal(rig_write(&rig, 0, watched_iova), SOFT_IOMMU_DONE);
	rig.before_invalidate = expect_live;
	rig.after_invalidate = expect_still_live;
	rig_unmap(&rig, 2 * MIB, 2 * MIB);
	assert_no_complaint();
	assert_int_equal(soft_iommu_invalidations(rig.side), 1);
	assert_int_not_equal(iopt_posix_table_state(watched_table, NULL), IOPT_POSIX_LIVE);
	assert_false(rig_reaches(&rig, 0, watched_iova));
	rig_close(&rig);
}

static void *unmap_watched(void *ctx)
{
	struct rig *rig = ctx;
	struct iopt_gather gather;

	iopt_gather_init(&gather, rig->domain, NULL);
	if (iopt_unmap(rig->domain, 2 * MIB, 4 * MIB - 1, 0, &gather, NULL))
		complain("unmap failed");
	iopt_sync(&gather);
	return NULL;
}

/* In the read section of a sweep: another thread unmaps the very table that it looks into. */
static int unmap_meanwhile(void *ctx, uint64_t first, uint64_t last)
{
	const struct timespec longer_than_rcu_waits = { .tv_nsec = 100000000 };

	(void)first;
	(void)last;
	aside(unmap_watched, ctx);
	nanosleep(&longer_than_rcu_waits, NULL);
	if (iopt_posix_table_state(watched_table, NULL) != IOPT_POSIX_WAITING)
		complain("a table does not wait for a reader");
	return 0;
}

static void test_table_waits_for_readers(const struct iopt_format_info *format)
{
	struct iopt_sink sink = { .record = unmap_meanwhile };
	struct iopt_gather gather;
	struct rig rig;

	open_default(&rig, format, 0);
	rig_map(&rig, 2 * MIB, 2 * MIB, pa_for(12));
	watched_table = rig_table(&rig, 2 * MIB, 0);
	assert_int_equal(rig_write(&rig, 0, 3 * MIB), SOFT_IOMMU_DONE);
	sink.ctx = &rig;
	iopt_gather_init(&gather, rig.domain, NULL);
	assert_int_equal(
		iopt_sweep(rig.domain, 0, GIB - 1, IOPT_SWEEP_CLEAR, &sink, &gather, 0, NULL), 0);
	iopt_sync(&gather);
	iopt_posix_barrier();
	assert_int_equal(iopt_posix_table_state(watched_table, NULL), IOPT_POSIX_FREE);
	rig_close(&rig);
}

/*
 * Several adjacent mappings in one table, interior tables too: all go, through cached walks none is
 * read.
 */
static void test_walk_caches_dropped_with_table(const struct iopt_format_info *format)
{
	const uint64_t sizes[] = { 2 * MIB, GIB };
	struct rig rig;

	for (size_t i = 0; i < 2; i++) {
		uint64_t first = 4 * GIB, size = sizes[i];

		open_default(&rig, format, 0);
		rig_map(&rig, first, size / 4, pa_for(12));
		rig_map(&rig, first + size / 4, PAGE, pa_for(12));
		rig_map(&rig, first + size / 2, size / 2, pa_for(12));
		assert_int_equal(rig_write(&rig, 0, first), SOFT_IOMMU_DONE);
		assert_int_equal(rig_read(&rig, 0, first + size / 4), SOFT_IOMMU_DONE);
		assert_int_equal(rig_read(&rig, 0, first + size - 1), SOFT_IOMMU_DONE);
		/* Beside it, in the table above: what its cached pointer leads to stays. */
		rig_map(&rig, first + size, PAGE, pa_for(12));

		rig_unmap(&rig, first, size);
		rig_map(&rig, first, PAGE, 3 * PA);
		assert_int_equal(rig_write(&rig, 0, first), SOFT_IOMMU_DONE);
		assert_int_equal(rig_touched(), 3 * PA);
		assert_false(rig_reaches(&rig, 0, first + PAGE));
		assert_false(rig_reaches(&rig, 0, first + size - 1));
		assert_int_equal(rig_write(&rig, 0, first + size), SOFT_IOMMU_DONE);
		rig_close(&rig);
	}
}

/* ---- translations ------------------------------------------------------------------------- */

static void test_device_tlb_flushed(const struct iopt_format_info *format)
{
	struct soft_iommu_stats stats;
	struct rig rig;

	open_default(&rig, format, SOFT_IOMMU_ATS);
	rig_map(&rig, 0, 4 * PAGE, pa_for(12));
	rig_map(&rig, 2 * MIB, 2 * MIB, pa_for(21));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(rig_write(&rig, 0, 0), SOFT_IOMMU_DONE);
		assert_int_equal(rig_read(&rig, 0, PAGE), SOFT_IOMMU_DONE);
		assert_int_equal(rig_write(&rig, 0, 3 * MIB), SOFT_IOMMU_DONE);
	}
	soft_iommu_stats(rig.devices[0], &stats);
	assert_true(stats.tlb_hits >= 3);

	rig_unmap(&rig, 0, 2 * PAGE);
	assert_false(rig_reaches(&rig, 0, 0));
	assert_false(rig_reaches(&rig, 0, PAGE));
	rig_unmap(&rig, 2 * MIB, 2 * MIB);
	assert_false(rig_reaches(&rig, 0, 3 * MIB));
	rig_close(&rig);
}

#define SCATTERED 40u

/* Every third page, first the odd ones from below, then the even ones from above. */
static uint64_t scattered(unsigned i)
{
	unsigned page = i < SCATTERED / 2 ? 2 * i + 1 : 2 * (SCATTERED - 1 - i);

	return 16 * MIB + 3 * page * PAGE;
}

static void scatter(struct rig *rig)
{
	for (unsigned i = 0; i < SCATTERED; i++) {
		rig_map(rig, scattered(i), PAGE, pa_for(12) + scattered(i));
		assert_int_equal(rig_write(rig, 0, scattered(i)), SOFT_IOMMU_DONE);
	}
}

static void assert_scatter_is_gone(struct rig *rig)
{
	for (unsigned i = 0; i < SCATTERED; i++)
		assert_false(rig_reaches(rig, 0, scattered(i)));
}

/* More ranges than a gather holds: what it names may be more than was unmapped, never less. */
static void test_gather_names_all(const struct iopt_format_info *format)
{
	struct iopt_gather gather;
	struct rig rig;

	open_default(&rig, format, 0);
	scatter(&rig);
	iopt_gather_init(&gather, rig.domain, NULL);
	for (unsigned i = 0; i < SCATTERED; i++)
		assert_int_equal(iopt_unmap(rig.domain, scattered(i), scattered(i) + PAGE - 1, 0,
					    &gather, NULL),
				 0);
	iopt_sync(&gather);
	assert_scatter_is_gone(&rig);
	rig_close(&rig);
}

static void test_gather_merged(const struct iopt_format_info *format)
{
	struct iopt_gather gathers[4];
	struct rig rig;

	open_default(&rig, format, 0);
	scatter(&rig);
	rig_map(&rig, 32 * MIB, 4 * MIB, pa_for(12));
	assert_int_equal(rig_write(&rig, 0, 33 * MIB), SOFT_IOMMU_DONE);
	assert_int_equal(rig_write(&rig, 0, 35 * MIB), SOFT_IOMMU_DONE);
	for (unsigned i = 0; i < 4; i++)
		iopt_gather_init(&gathers[i], rig.domain, NULL);
	for (unsigned i = 0; i < SCATTERED; i++)
		assert_int_equal(iopt_unmap(rig.domain, scattered(i), scattered(i) + PAGE - 1, 0,
					    &gathers[i % 4], NULL),
				 0);
	for (unsigned i = 0; i < 2; i++) /* whole tables in two of them */
		assert_int_equal(iopt_unmap(rig.domain, (32 + 2 * i) * MIB, (34 + 2 * i) * MIB - 1,
					    0, &gathers[2 * i], NULL),
				 0);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(iopt_gather_merge(&gathers[0], &gathers[i]), 0);
	for (unsigned i = 0; i < 4; i++)
		iopt_sync(&gathers[i]);
	assert_int_equal(soft_iommu_invalidations(rig.side), 1);
	assert_scatter_is_gone(&rig);
	assert_false(rig_reaches(&rig, 0, 33 * MIB));
	assert_false(rig_reaches(&rig, 0, 35 * MIB));
	rig_close(&rig);
}

/* The last page of 64 bits and the first one are not neighbours. */
static void test_gather_does_not_wrap(const struct iopt_format_info *format)
{
	const uint64_t top = ~0ull - (PAGE - 1);
	struct rig_config config = rig_defaults(format->name);
	struct iopt_gather gather;
	struct rig rig;

	config.domain.levels = format->max_levels;
	if (!(format->abilities & IOPT_CAN_GROW))
		config.domain.flags |= IOPT_SIGN_EXTEND;
	for (unsigned order = 0; order < 2; order++) {
		rig_open(&rig, &config);
		rig_map(&rig, 0, PAGE, PA);
		assert_int_equal(iopt_map(rig.domain, top, ~0ull, PA, READ_WRITE, NULL), 0);
		assert_int_equal(rig_write(&rig, 0, 0), SOFT_IOMMU_DONE);
		assert_int_equal(rig_write(&rig, 0, ~0ull), SOFT_IOMMU_DONE);
		iopt_gather_init(&gather, rig.domain, NULL);
		for (unsigned i = 0; i < 2; i++) {
			uint64_t first = i == order ? 0 : top;

			assert_int_equal(iopt_unmap(rig.domain, first, first + (PAGE - 1), 0,
						    &gather, NULL),
					 0);
		}
		iopt_sync(&gather);
		assert_false(rig_reaches(&rig, 0, 0));
		assert_false(rig_reaches(&rig, 0, ~0ull));
		rig_close(&rig);
	}
}

/*
 * Nor is there anything between the halves; what goes in both of them is named, however many
 * ranges.
 */
static void test_gather_names_both_halves(const struct iopt_format_info *format)
{
	const uint64_t top = ~0ull - (PAGE - 1);
	struct rig_config config = rig_defaults(format->name);
	struct iopt_gather gather;
	struct rig rig;

	config.domain.flags |= IOPT_SIGN_EXTEND;
	for (unsigned when = 0; when < SCATTERED; when += 3) {
		rig_open(&rig, &config);
		scatter(&rig);
		assert_int_equal(iopt_map(rig.domain, top, ~0ull, PA, READ_WRITE, NULL), 0);
		assert_int_equal(rig_write(&rig, 0, top), SOFT_IOMMU_DONE);
		iopt_gather_init(&gather, rig.domain, NULL);
		for (unsigned i = 0; i < SCATTERED; i++) {
			if (i == when)
				assert_int_equal(
					iopt_unmap(rig.domain, top, ~0ull, 0, &gather, NULL), 0);
			assert_int_equal(iopt_unmap(rig.domain, scattered(i),
						    scattered(i) + PAGE - 1, 0, &gather, NULL),
					 0);
		}
		iopt_sync(&gather);
		assert_scatter_is_gone(&rig);
		assert_false(rig_reaches(&rig, 0, top));
		rig_close(&rig);
	}
}

/* A device that caches large leaves in pieces: the gather must cover the whole run, or block. */
static void test_whole_leaves_dropped(const struct iopt_format_info *format)
{
	struct rig rig;

	open_default(&rig, format, SOFT_IOMMU_PIECES);
	for (unsigned size_lg2 = 12; size_lg2 <= 24; size_lg2++) {
		uint64_t first = 64 * MIB, size = 1ull << size_lg2;

		if (!(format->page_sizes >> size_lg2 & 1))
			continue;
		rig_map(&rig, first, size, pa_for(size_lg2));
		for (uint64_t offset = 0; offset < size; offset += PAGE)
			assert_int_equal(rig_write(&rig, 0, first + offset), SOFT_IOMMU_DONE);
		rig_unmap(&rig, first, size);
		for (uint64_t offset = 0; offset < size; offset += PAGE)
			assert_false(rig_reaches(&rig, 0, first + offset));
	}
	rig_close(&rig);
}

/* Hazard 8: mapped again before the sync, the old table may serve. After it, no more. */
static void test_mapped_again_before_sync(const struct iopt_format_info *format)
{
	struct iopt_gather gather;
	struct rig rig;

	open_default(&rig, format, SOFT_IOMMU_ATS);
	rig.may_breach = true;
	rig_map(&rig, 2 * MIB, 2 * MIB, pa_for(12));
	assert_int_equal(rig_write(&rig, 0, 2 * MIB), SOFT_IOMMU_DONE);
	iopt_gather_init(&gather, rig.domain, NULL);
	assert_int_equal(iopt_unmap(rig.domain, 2 * MIB, 4 * MIB - 1, 0, &gather, NULL), 0);
	rig_map(&rig, 2 * MIB, 2 * MIB, 5 * PA + PAGE);
	assert_int_equal(rig_write(&rig, 0, 2 * MIB), SOFT_IOMMU_DONE);
	assert_int_equal(rig_write(&rig, 0, 3 * MIB), SOFT_IOMMU_DONE);
	iopt_sync(&gather);
	iopt_posix_barrier();
	assert_int_equal(rig_write(&rig, 0, 2 * MIB), SOFT_IOMMU_DONE);
	assert_int_equal(rig_touched(), 5 * PA + PAGE);
	assert_int_equal(rig_write(&rig, 0, 3 * MIB), SOFT_IOMMU_DONE);
	assert_int_equal(rig_touched(), 5 * PA + PAGE + MIB);
	rig_close(&rig);
}

/* Hazard 7: hardware that caches entries which are not present. */
static void test_map_tells_who_caches_empty(const struct iopt_format_info *format)
{
	struct rig_config config = rig_defaults(format->name);
	struct rig rig;

	config.domain.flags |= IOPT_CACHES_EMPTY;
	config.devices[0] = SOFT_IOMMU_CACHE_EMPTY;
	rig_open(&rig, &config);
	for (unsigned i = 0; i < 4; i++) { /* no table yet, table there, a run of pages, a block */
		const uint64_t firsts[] = { MIB, MIB + PAGE, MIB + 4 * PAGE, 16 * MIB };
		const uint64_t sizes[] = { PAGE, PAGE, 32 * PAGE, 2 * MIB };
		uint64_t last = firsts[i] + sizes[i] - 1;

		assert_false(rig_reaches(&rig, 0, firsts[i]));
		assert_false(rig_reaches(&rig, 0, last));
		rig_map(&rig, firsts[i], sizes[i], PA + firsts[i]);
		assert_int_equal(rig_write(&rig, 0, firsts[i]), SOFT_IOMMU_DONE);
		assert_int_equal(rig_write(&rig, 0, last), SOFT_IOMMU_DONE);
	}
	rig_close(&rig);
}

/* ---- blocks over tables ------------------------------------------------------------------- */

/* Empty tables under first..first + 2 * slots MiB, with pointers to them in the device's caches. */
static void leave_empty_tables(struct rig *rig, uint64_t first, unsigned slots)
{
	for (unsigned i = 0; i < slots; i++) {
		rig_map(rig, first + 2 * i * MIB, 3 * PAGE, pa_for(12));
		assert_int_equal(rig_write(rig, 0, first + 2 * i * MIB), SOFT_IOMMU_DONE);
		rig_unmap(rig, first + 2 * i * MIB, 3 * PAGE);
		assert_int_not_equal(rig_table(rig, first + 2 * i * MIB, 0), 0);
	}
}

/* Hazard 2: a cached walk would end in the old, empty table: map syncs before it returns. */
static void test_block_over_empty_tables(const struct iopt_format_info *format)
{
	const unsigned slots = 4;

	for (unsigned larger = 0; larger < 2;
	     larger++) { /* blocks of 2 MiB; where it can, larger */
		struct iopt_stats stats;
		struct rig rig;

		open_default(&rig, format, 0);
		leave_empty_tables(&rig, 64 * MIB, slots);
		watched_table = rig_table(&rig, 64 * MIB, 0);
		watched_iova = 64 * MIB;
		rig.before_invalidate = expect_live;
		rig.after_invalidate = expect_still_live;
		rig_map(&rig, 64 * MIB, slots * 2 * MIB, larger ? 64 * MIB + PA : pa_for(21));
		rig.before_invalidate = NULL;
		rig.after_invalidate = NULL;
		assert_no_complaint();
		for (unsigned i = 0; i < slots * 2; i++)
			assert_int_equal(rig_write(&rig, 0, (64 + i) * MIB), SOFT_IOMMU_DONE);
		iopt_stats(rig.domain, &stats);
		assert_int_equal(stats.freed[IOPT_FREED_BLOCK], slots);
		assert_int_equal(stats.freed[IOPT_FREED_UNMAP], 0);
		assert_int_not_equal(iopt_posix_table_state(watched_table, NULL), IOPT_POSIX_LIVE);
		rig_close(&rig);
	}
}

/* An interior table with empty tables in it goes with them. */
static void test_block_over_empty_interior_table(const struct iopt_format_info *format)
{
	struct iopt_stats stats;
	struct rig rig;

	open_default(&rig, format, 0);
	leave_empty_tables(&rig, 3 * GIB, 3);
	rig_map(&rig, 3 * GIB, GIB, pa_for(30));
	assert_int_equal(rig_write(&rig, 0, 3 * GIB), SOFT_IOMMU_DONE);
	assert_int_equal(rig_write(&rig, 0, 4 * GIB - 1), SOFT_IOMMU_DONE);
	iopt_stats(rig.domain, &stats);
	assert_int_equal(stats.freed[IOPT_FREED_BLOCK], 4);
	rig_close(&rig);
}

/*
 * A block map that finds a table in use changes nothing, not even the empty tables beside it,
 * wherever the table in use is.
 */
static void test_block_over_used_table(const struct iopt_format_info *format)
{
	const unsigned slots = 4;
	const uint64_t first = 64 * MIB;

	for (unsigned larger = 0; larger < 2; larger++) {
		for (unsigned used = 0; used < slots; used++) {
			uint64_t live = first + 2 * used * MIB + 7 * PAGE;
			uint64_t pa = larger ? first + PA : pa_for(21);
			struct iopt_stats before, after;
			uint64_t tables[4];
			struct rig rig;

			open_default(&rig, format, 0);
			leave_empty_tables(&rig, first, slots);
			for (unsigned i = 0; i < slots; i++)
				tables[i] = rig_table(&rig, first + 2 * i * MIB, 0);
			rig_map(&rig, live, PAGE, 7 * PA);
			iopt_stats(rig.domain, &before);
			assert_int_equal(iopt_map(rig.domain, first, first + slots * 2 * MIB - 1,
						  pa, READ_WRITE, NULL),
					 -EEXIST);
			iopt_stats(rig.domain, &after);
			assert_memory_equal(&before, &after, sizeof(before));
			for (unsigned i = 0; i < slots; i++) {
				assert_int_equal(rig_table(&rig, first + 2 * i * MIB, 0),
						 tables[i]);
				assert_false(rig_reaches(&rig, 0, first + 2 * i * MIB));
			}
			assert_int_equal(rig_write(&rig, 0, live), SOFT_IOMMU_DONE);
			assert_int_equal(rig_touched(), 7 * PA);
			rig_close(&rig);
		}
	}
}

/* ---- maps that fail ----------------------------------------------------------------------- */

/* Over something live, at every place of the range: what was there stays, nothing else appears. */
static void test_map_over_live(const struct iopt_format_info *format)
{
	const unsigned pages = 24;
	const uint64_t first = 2 * MIB - 12 * PAGE; /* two tables */

	for (unsigned live = 0; live < pages; live++) {
		struct rig rig;

		open_default(&rig, format, 0);
		rig_map(&rig, first - PAGE, PAGE, 3 * PA);
		rig_map(&rig, first + pages * PAGE, PAGE, 3 * PA + PAGE);
		rig_map(&rig, first + live * PAGE, PAGE, 7 * PA);
		for (unsigned runs = 0; runs < 2; runs++)
			assert_int_equal(iopt_map(rig.domain, first, first + pages * PAGE - 1,
						  runs ? first + PA : pa_for(12), READ_WRITE, NULL),
					 -EEXIST);
		for (unsigned i = 0; i < pages; i++)
			assert_int_equal(rig_write(&rig, 0, first + i * PAGE),
					 i == live ? SOFT_IOMMU_DONE : SOFT_IOMMU_NOT_PRESENT);
		assert_int_equal(rig_write(&rig, 0, first + live * PAGE), SOFT_IOMMU_DONE);
		assert_int_equal(rig_touched(), 7 * PA);
		assert_int_equal(rig_write(&rig, 0, first - PAGE), SOFT_IOMMU_DONE);
		assert_int_equal(rig_touched(), 3 * PA);
		assert_int_equal(rig_write(&rig, 0, first + pages * PAGE), SOFT_IOMMU_DONE);
		assert_int_equal(rig_touched(), 3 * PA + PAGE);
		rig_close(&rig);
	}
}

/* The ranges that the last invalidation named. */
static struct iopt_gather last_gather;

static void keep_gather(struct rig *rig, const struct iopt_gather *gather)
{
	(void)rig;
	last_gather = *gather;
}

static bool gather_names(const struct iopt_gather *gather, uint64_t first, uint64_t last)
{
	for (uint32_t i = 0; i < gather->nr_ranges; i++)
		if (gather->ranges[i].first <= first && last <= gather->ranges[i].last)
			return true;
	return false;
}

/*
 * Hazards 1 and 4: the entries of a run say the size of all of it, and may be cached for all of it.
 * The second run meets something live, at each place in turn: of the first nothing may stay cached,
 * and of the second whatever was seen of it goes whole.
 */
static void test_failed_run_dropped_whole(const struct iopt_format_info *format)
{
	const uint64_t run = format->page_sizes & 256 * KIB ? 256 * KIB : 64 * KIB;
	struct rig rig;

	assert_true(format->page_sizes & run);
	open_default(&rig, format, 0);
	rig.after_invalidate = keep_gather;
	for (unsigned live = 0; live < run / PAGE; live += 3) {
		uint64_t first = 2 * MIB * (live + 1), second = first + run;

		rig_map(&rig, second + live * PAGE, PAGE, 7 * PA);
		last_gather = (struct iopt_gather){ 0 };
		assert_int_equal(iopt_map(rig.domain, first, second + run - 1, PA + run, READ_WRITE,
					  NULL),
				 -EEXIST);
		assert_true(gather_names(&last_gather, first, first + run - 1));
		for (uint32_t i = 0; i < last_gather.nr_ranges; i++)
			if (last_gather.ranges[i].last >= second)
				assert_true(last_gather.ranges[i].last >= second + run - 1);
	}
	rig_close(&rig);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "table freed after invalidation", test_table_freed_after_invalidation, 0, NULL,
		  false },
		{ "table waits for readers", test_table_waits_for_readers, 0, NULL, true },
		{ "walk caches dropped with table", test_walk_caches_dropped_with_table, 0, NULL,
		  false },
		{ "device TLB flushed", test_device_tlb_flushed, 0, NULL, false },
		{ "gather names all", test_gather_names_all, 0, NULL, false },
		{ "gather merged", test_gather_merged, 0, NULL, false },
		{ "gather does not wrap, growing", test_gather_does_not_wrap, IOPT_CAN_GROW, NULL,
		  false },
		{ "gather does not wrap, sign-extended", test_gather_does_not_wrap,
		  IOPT_CAN_SIGN_EXTEND, NULL, false },
		{ "gather names both halves", test_gather_names_both_halves, IOPT_CAN_SIGN_EXTEND,
		  NULL, false },
		{ "whole leaves dropped", test_whole_leaves_dropped, 0, NULL, false },
		{ "mapped again before sync", test_mapped_again_before_sync, 0, NULL, false },
		{ "map tells who caches empty", test_map_tells_who_caches_empty, 0, NULL, false },
		{ "block over empty tables", test_block_over_empty_tables, 0, NULL, false },
		{ "block over empty interior table", test_block_over_empty_interior_table, 0, NULL,
		  false },
		{ "block over used table", test_block_over_used_table, 0, NULL, false },
		{ "map over live", test_map_over_live, 0, NULL, false },
		{ "failed run dropped whole", test_failed_run_dropped_whole, IOPT_CAN_RUNS, NULL,
		  false },
	};

	return run_format_tests(argc, argv, "sync", tests, sizeof(tests) / sizeof(*tests));
}
