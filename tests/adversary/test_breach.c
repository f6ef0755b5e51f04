/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Broken contracts: two callers write the same range at the same time. What becomes of that range
 * is theirs to bear, at worst a table leaks; but their neighbours keep what they mapped, nothing
 * that is alive is freed, nothing is freed twice, and nobody reads a freed table.
 */
#include <errno.h>
#include <string.h>

#include "aside.h"

#define PA (1ull << 40)

/* A physical address that is like an IOVA in its lowest n bits only: leaves of 2^n bytes. */
static uint64_t pa_for(unsigned leaf_lg2)
{
	return PA + (1ull << leaf_lg2);
}

/* ---- what a breach may leave behind ------------------------------------------------------- */

/*
 * A map and an unmap of the same run at the same time may leave a run without its lowest entries.
 * The next unmap takes what is left of it, and not as many entries as a whole run has from there
 * on: those are others'. Made here by hand.
 */
static void run_without_start(const struct iopt_format_info *format, uint64_t run,
			      uint64_t unmap_first, uint64_t unmap_bytes)
{
	const uint64_t size = 64 * KIB;
	struct rig_config config = rig_defaults(format->name);
	struct iopt_item item;
	struct iopt_visit visit;
	struct iopt_gather gather;
	struct notes notes;
	struct rig rig;
	uint64_t *entries;

	rig_open(&rig, &config);
	rig_map(&rig, run, size, pa_for(16));
	if (unmap_bytes == size) {
		rig_map(&rig, run + size, 16 * PAGE, pa_for(12));
		rig_map(&rig, run - 16 * PAGE, 16 * PAGE, pa_for(12));
	}
	iopt_visit_init(&visit, run, run, IOPT_VISIT_LEAVES);
	assert_int_equal(iopt_visit(rig.domain, &visit, &item, 1), 1);
	entries = iopt_posix_va(item.entry_pa);
	for (unsigned i = 0; i < 7; i++)
		__atomic_store_n(&entries[i], 0, __ATOMIC_RELAXED);

	notes_init(&notes);
	iopt_gather_init(&gather, rig.domain, &notes.sink);
	assert_int_equal(iopt_unmap(rig.domain, unmap_first, unmap_first + unmap_bytes - 1, 0,
				    &gather, NULL),
			 0);
	iopt_sync(&gather);
	for (unsigned i = 0; i < 16; i++) {
		assert_false(rig_reaches(&rig, 0, run + i * PAGE));
		if (unmap_bytes != size)
			continue;
		assert_int_equal(rig_write(&rig, 0, run + size + i * PAGE), SOFT_IOMMU_DONE);
		assert_int_equal(rig_write(&rig, 0, run - (i + 1) * PAGE), SOFT_IOMMU_DONE);
	}
	rig_close(&rig);
}

static void test_run_without_start(const struct iopt_format_info *format)
{
	run_without_start(format, 4 * MIB + 256 * KIB, 4 * MIB + 256 * KIB, 64 * KIB);
}

/* The same at the end of a table: what follows in memory is another one. */
static void test_run_without_start_ends_table(const struct iopt_format_info *format)
{
	run_without_start(format, 6 * MIB - 64 * KIB, 6 * MIB - 64 * KIB, 64 * KIB);
	run_without_start(format, 6 * MIB - 64 * KIB, 4 * MIB, 2 * MIB);
}

/* The rest of a run is dirty, unmapped from a hole before it; the bitmap reaches no further. */
static void test_run_without_start_into_bitmap(const struct iopt_format_info *format)
{
	const uint64_t run = 4 * MIB + 256 * KIB, rest = run + 6 * PAGE;
	struct rig_config config = rig_defaults(format->name);
	uint64_t words[3] = { 0 };
	const struct iopt_sink sink = {
		.words = &words[1], .first = rest, .pages = 10, .page_lg2 = 12
	};
	struct iopt_item item;
	struct iopt_visit visit;
	struct iopt_gather gather;
	struct rig rig;
	uint64_t *entries;

	rig_open(&rig, &config);
	rig_map(&rig, run, 64 * KIB, pa_for(16));
	assert_int_equal(rig_write(&rig, 0, rest + 2 * PAGE), SOFT_IOMMU_DONE);
	iopt_visit_init(&visit, run, run, IOPT_VISIT_LEAVES);
	assert_int_equal(iopt_visit(rig.domain, &visit, &item, 1), 1);
	entries = iopt_posix_va(item.entry_pa);
	for (unsigned i = 0; i < 7; i++)
		__atomic_store_n(&entries[i], 0, __ATOMIC_RELAXED);

	iopt_gather_init(&gather, rig.domain, &sink);
	assert_int_equal(iopt_unmap(rig.domain, rest, rest + 10 * PAGE - 1, 0, &gather, NULL), 0);
	iopt_sync(&gather);
	assert_int_equal(words[0], 0);
	assert_int_equal(words[1], 0x3ff);
	assert_int_equal(words[2], 0);
	rig_close(&rig);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "run without its start", test_run_without_start, IOPT_CAN_RUNS, NULL, false },
		{ "run without its start ends a table", test_run_without_start_ends_table,
		  IOPT_CAN_RUNS, NULL, false },
		{ "run without its start into a bitmap", test_run_without_start_into_bitmap,
		  IOPT_CAN_RUNS, NULL, true },
	};

	return run_format_tests(argc, argv, "breach", tests, sizeof(tests) / sizeof(*tests));
}
