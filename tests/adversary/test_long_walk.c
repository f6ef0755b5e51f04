/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Hazard 3: while a dump or a sweep of a large range is under way, be it in one call or paused
 * between two, tables that were freed meanwhile return to the host.
 */
#include <string.h>
#include <time.h>

#include "aside.h"

#define PA     (1ull << 40)
#define TABLES 640u
#define FIRST  (8 * GIB)

static uint64_t waiting(void)
{
	struct iopt_posix_memory memory;

	iopt_posix_memory(&memory);
	return memory.waiting;
}

/* A page in each of many tables, and one table more, before them, which is to go. */
static void open_large(struct rig *rig, const struct iopt_format_info *format)
{
	struct rig_config config = rig_defaults(format->name);

	rig_open(rig, &config);
	rig_map(rig, FIRST - 2 * MIB, 2 * MIB, PA + PAGE);
	for (unsigned i = 0; i < TABLES; i++) {
		rig_map(rig, FIRST + 2 * i * MIB, PAGE, PA);
		assert_int_equal(rig_write(rig, 0, FIRST + 2 * i * MIB), SOFT_IOMMU_DONE);
	}
}

static void *unmap_first(void *ctx)
{
	struct rig *rig = ctx;
	struct iopt_gather gather;

	iopt_gather_init(&gather, rig->domain, NULL);
	if (iopt_unmap(rig->domain, FIRST - 2 * MIB, FIRST - 1, 0, &gather, NULL))
		complain("unmap fails");
	iopt_sync(&gather);
	return NULL;
}

/* ---- paused between two calls ------------------------------------------------------------- */

/* Whatever a visit or a sweep in steps stands in may go, and goes all the way. */
static void test_paused_visit_holds_nothing(const struct iopt_format_info *format)
{
	struct iopt_item items[8];
	struct iopt_visit visit;
	uint64_t standing_in;
	unsigned leaves = 0;
	struct rig rig;

	open_large(&rig, format);
	standing_in = rig_table(&rig, FIRST - 2 * MIB, 0);
	iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
	assert_int_equal(iopt_visit(rig.domain, &visit, items, 8), 8);
	assert_false(visit.done);
	unmap_first(&rig);
	iopt_posix_barrier();
	assert_int_equal(waiting(), 0);
	assert_int_equal(iopt_posix_table_state(standing_in, NULL), IOPT_POSIX_FREE);
	while (!visit.done) {
		size_t nr = iopt_visit(rig.domain, &visit, items, 8);

		for (size_t i = 0; i < nr; i++)
			leaves += !(items[i].flags & IOPT_ITEM_TABLE);
	}
	assert_in_range(leaves, TABLES, TABLES + 8);
	rig_close(&rig);
}

static void test_paused_sweep_holds_nothing(const struct iopt_format_info *format)
{
	struct iopt_gather gather;
	struct notes notes;
	struct rig rig;
	uint64_t next;

	open_large(&rig, format);
	notes_init(&notes);
	iopt_gather_init(&gather, rig.domain, NULL);
	assert_int_equal(iopt_sweep(rig.domain, FIRST - 2 * MIB, FIRST + GIB, IOPT_SWEEP_CLEAR,
				    &notes.sink, &gather, 2, &next),
			 1);
	unmap_first(&rig);
	iopt_posix_barrier();
	assert_int_equal(waiting(), 0);
	assert_int_equal(iopt_sweep(rig.domain, next, FIRST + GIB, IOPT_SWEEP_CLEAR, &notes.sink,
				    &gather, 0, &next),
			 0);
	iopt_sync(&gather);
	rig_close(&rig);
}

/* ---- in one call -------------------------------------------------------------------------- */

/**
 * struct slow - a sink that takes its time
 * @rig:     where
 * @records: reports so far
 * @returned: at that report what was freed had returned to the host; 0: not yet
 */
struct slow {
	struct rig *rig;
	unsigned records;
	unsigned returned;
};

static int record_slowly(void *ctx, uint64_t first, uint64_t last)
{
	const struct timespec nap = { .tv_nsec = 700000 };
	struct slow *slow = ctx;

	(void)first;
	(void)last;
	if (!slow->records++)
		aside(unmap_first, slow->rig);
	if (!slow->returned)
		nanosleep(&nap, NULL);
	if (!slow->returned && !waiting())
		slow->returned = slow->records;
	return 0;
}

/* A sweep stands in tables for as long as its sink likes, but not in all of them. */
static void test_long_sweep_lets_go(const struct iopt_format_info *format)
{
	struct iopt_sink sink = { .record = record_slowly };
	struct slow slow = { 0 };
	struct iopt_gather gather;
	struct rig rig;

	open_large(&rig, format);
	slow.rig = &rig;
	sink.ctx = &slow;
	iopt_gather_init(&gather, rig.domain, NULL);
	assert_int_equal(iopt_sweep(rig.domain, FIRST, FIRST + 2 * TABLES * MIB - 1,
				    IOPT_SWEEP_CLEAR, &sink, &gather, 0, NULL),
			 0);
	iopt_sync(&gather);
	assert_no_complaint();
	assert_int_equal(slow.records, TABLES);
	assert_in_range(slow.returned, 1, TABLES - 1);
	rig_close(&rig);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "paused visit holds nothing", test_paused_visit_holds_nothing, 0, NULL, true },
		{ "paused sweep holds nothing", test_paused_sweep_holds_nothing, 0, NULL, true },
		{ "long sweep lets go", test_long_sweep_lets_go, 0, NULL, true },
	};

	return run_format_tests(argc, argv, "long walk", tests, sizeof(tests) / sizeof(*tests));
}
