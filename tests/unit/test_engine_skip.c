/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sweeps in domains with IOPT_ACCESSED_TABLES, one thread: which tables they look into and which
 * they skip, the marks that they leave in table entries, what they owe for it and who pays.
 *
 * A leaf that is dirty below tables that nothing marks is what no hardware makes. It shows where a
 * sweep looked: see hide().
 */
#include <errno.h>
#include <string.h>

#include "formats/vtd_ss.h"
#include "formats/x86_64.h"
#include "tests/unit/fixture.h"

#define SKIPS (IOPT_TRACK | IOPT_ACCESSED_TABLES)
#define TOP   (512 * GIB - 1)

static const struct marks {
	const char *format;
	uint64_t accessed;
	uint64_t touched;
} all_marks[] = {
	{ "x86-64", X86_64_A, X86_64_TOUCHED },
	{ "vtd-ss", VTD_SS_A, VTD_SS_TOUCHED },
};

#define NR_MARKS (sizeof(all_marks) / sizeof(all_marks[0]))

static const struct marks *marks;

static void open_skipping(size_t i, uint32_t flags)
{
	marks = &all_marks[i];
	open_domain(marks->format, 4, flags);
}

/* Hardware walks to an IOVA and writes: accessed on all of the way, then dirty. */
static void walk_and_write(uint64_t iova)
{
	struct iopt_item leaf;

	assert_true(find_leaf(device.domain, iova, &leaf));
	for (unsigned level = 3; level > leaf.level; level--)
		__atomic_fetch_or(entry_at(iova, level), marks->accessed, __ATOMIC_RELAXED);
	write_to(iova);
}

/* Dirty, by a cached walk or by nobody at all: no table entry is marked. */
static void hide(uint64_t iova)
{
	write_to(iova);
}

/* Whether a sweep of everything that clears nothing finds it. */
static bool sweep_sees(uint64_t iova)
{
	forget_reports();
	assert_int_equal(iopt_sweep(device.domain, 0, TOP, 0, &sink, NULL, 0, NULL), 0);
	return reported(iova);
}

static int sweep_with(uint64_t first, uint64_t last, struct iopt_gather *owed)
{
	forget_reports();
	return iopt_sweep(device.domain, first, last, IOPT_SWEEP_CLEAR, &sink, owed, 0, NULL);
}

/* The marks of a table entry on the way to an IOVA. */
static uint64_t marks_at(uint64_t iova, unsigned level)
{
	return *entry_at(iova, level) & (marks->accessed | marks->touched);
}

/* ---- what is looked into ------------------------------------------------------------------- */

/* New: looked into. One sweep later: once more. From then on: only what was touched since. */
static void twice_and_never_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map_pages(5 * GIB, 4);
		for (unsigned level = 1; level < 4; level++)
			assert_int_equal(marks_at(5 * GIB, level), marks->accessed);
		hide(5 * GIB);
		sweep_clear(0, TOP);
		assert_int_equal(reported(5 * GIB), 1);
		for (unsigned level = 1; level < 4; level++)
			assert_int_equal(marks_at(5 * GIB, level), marks->touched);
		hide(5 * GIB + PAGE);
		sweep_clear(0, TOP);
		assert_int_equal(reported(5 * GIB + PAGE), 1);
		for (unsigned level = 1; level < 4; level++)
			assert_int_equal(marks_at(5 * GIB, level), 0);
		hide(5 * GIB + 2 * PAGE);
		sweep_clear(0, TOP);
		assert_int_equal(report.nr, 0);
		walk_and_write(5 * GIB + 3 * PAGE);
		sweep_clear(0, TOP);
		assert_int_equal(reported(5 * GIB + 2 * PAGE), 1);
		assert_int_equal(reported(5 * GIB + 3 * PAGE), 1);
		close_domain();
	}
}

/* Touched by a device in between, over and over: never missed, whatever the level. */
static void every_round_is_found(void **state)
{
	static const uint64_t places[] = { 0, 2 * MIB, GIB, 3 * GIB + 511 * 2 * MIB, 700 * GIB };

	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		for (unsigned k = 0; k < 5; k++)
			map_pages(places[k], 2);
		map(5 * GIB, 2 * MIB); /* a block, and one a level up */
		map(6 * GIB, GIB);
		for (unsigned round = 0; round < 12; round++) {
			uint64_t at = places[round % 5], block = (5 + round % 2) * GIB;

			walk_and_write(at);
			walk_and_write(block);
			sweep_clear(0, 1024 * GIB - 1);
			assert_int_equal(report.nr, 2);
			assert_int_equal(reported(at), 1);
			assert_int_equal(reported(block), 1);
		}
		close_domain();
	}
}

/* Without the flag every table is looked into, and no mark changes. */
static void not_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, IOPT_TRACK);
		map_pages(5 * GIB, 4);
		for (unsigned k = 0; k < 4; k++) {
			sweep_clear(0, TOP);
			assert_int_equal(marks_at(5 * GIB, 1), marks->accessed);
		}
		hide(5 * GIB);
		sweep_clear(0, TOP);
		assert_int_equal(reported(5 * GIB), 1);
		close_domain();
	}
}

/* Reading takes no marks, and skips as clearing does. */
static void reading_takes_no_marks(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map_pages(5 * GIB, 4);
		hide(5 * GIB);
		for (unsigned k = 0; k < 4; k++)
			assert_true(sweep_sees(5 * GIB));
		assert_int_equal(marks_at(5 * GIB, 1), marks->accessed);
		sweep_clear(0, TOP);
		sweep_clear(0, TOP);
		hide(5 * GIB);
		assert_false(sweep_sees(5 * GIB));
		close_domain();
	}
}

/* A table that is only partly swept keeps its marks: the rest of it was not looked at. */
static void partly_swept_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map_pages(5 * GIB, 8);
		for (unsigned k = 0; k < 4; k++) {
			sweep_clear(5 * GIB, 5 * GIB + 4 * PAGE - 1);
			sweep_clear(5 * GIB + PAGE, 5 * GIB + 2 * MIB - 1);
			sweep_clear(0, 5 * GIB + 2 * MIB - 2);
		}
		for (unsigned level = 1; level < 4; level++)
			assert_int_equal(marks_at(5 * GIB, level), marks->accessed);
		/* All of the leaf table, and a part of those above. */
		sweep_clear(5 * GIB, 5 * GIB + 2 * MIB - 1);
		assert_int_equal(marks_at(5 * GIB, 1), marks->touched);
		assert_int_equal(marks_at(5 * GIB, 2), marks->accessed);
		assert_int_equal(marks_at(5 * GIB, 3), marks->accessed);
		close_domain();
	}
}

/* However often the way leads through an entry in one sweep, its marks are taken once. */
static void taken_once_a_sweep(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		for (uint64_t k = 0; k < 300; k++)
			map_pages(GIB + k * 2 * MIB, 1);
		sweep_clear(0, TOP);
		for (uint64_t k = 0; k < 300; k++)
			assert_int_equal(marks_at(GIB + k * 2 * MIB, 1), marks->touched);
		assert_int_equal(marks_at(GIB, 2), marks->touched);
		assert_int_equal(marks_at(GIB, 3), marks->touched);
		hide(GIB + 299 * 2 * MIB);
		sweep_clear(0, TOP);
		assert_int_equal(reported(GIB + 299 * 2 * MIB), 1);
		assert_int_equal(marks_at(GIB, 2), 0);
		close_domain();
	}
}

/* What is mapped later is looked into, in old tables by what hardware marks, in new ones anyway. */
static void mapped_later(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map_pages(5 * GIB, 1);
		for (unsigned k = 0; k < 3; k++)
			sweep_clear(0, TOP);
		map_pages(5 * GIB + 8 * PAGE, 1);
		walk_and_write(5 * GIB + 8 * PAGE);
		map_pages(5 * GIB + 4 * MIB, 1); /* a new table below one that is not marked */
		walk_and_write(5 * GIB + 4 * MIB);
		sweep_clear(0, TOP);
		assert_int_equal(reported(5 * GIB + 8 * PAGE), 1);
		assert_int_equal(reported(5 * GIB + 4 * MIB), 1);
		close_domain();
	}
}

/* Unmap looks at what it takes, marked or not. */
static void unmap_does_not_skip(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map_pages(5 * GIB, 4);
		for (unsigned k = 0; k < 3; k++)
			sweep_clear(0, TOP);
		hide(5 * GIB);
		hide(5 * GIB + 2 * PAGE);
		forget_reports();
		unmap(5 * GIB, PAGE);
		assert_int_equal(reported(5 * GIB), 1);
		unmap(5 * GIB, 2 * MIB);
		assert_int_equal(reported(5 * GIB + 2 * PAGE), 1);
		close_domain();
	}
}

/* ---- sweeps that are not complete ---------------------------------------------------------- */

/* What a refused page lies below is marked again, however often it is refused. */
static void refused_stays_marked(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map_pages(5 * GIB, 4);
		map(9 * GIB, 2 * MIB);
		for (unsigned k = 0; k < 3; k++)
			sweep_clear(0, TOP);
		walk_and_write(5 * GIB + PAGE);
		walk_and_write(9 * GIB);
		for (unsigned k = 0; k < 6; k++) {
			report.refuse = 1 + k % 2;
			assert_int_equal(sweep_with(0, TOP, &gather), -ENOSPC);
			iopt_sync(&gather);
			if (k % 2)
				walk_and_write(5 * GIB + PAGE);
		}
		report.refuse = 0;
		sweep_clear(0, TOP);
		assert_int_equal(reported(5 * GIB + PAGE), 1);
		assert_int_equal(reported(9 * GIB), 1);
		close_domain();
	}
}

/* A sweep that spent its budget gives the way to where it stopped its marks back. */
static void stopped_early(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		for (uint64_t budget = 1; budget < 6; budget++) {
			uint64_t next;

			open_skipping(i, SKIPS);
			for (uint64_t k = 0; k < 8; k++)
				map_pages(5 * GIB + k * 2 * MIB, 1);
			for (unsigned k = 0; k < 3; k++)
				sweep_clear(0, TOP);
			for (uint64_t k = 0; k < 8; k++)
				walk_and_write(5 * GIB + k * 2 * MIB);
			/*
			 * Begun three times and given up, then all; what is found early is skipped
			 * then.
			 */
			forget_reports();
			for (unsigned k = 0; k < 3; k++) {
				assert_in_range(iopt_sweep(device.domain, 0, TOP, IOPT_SWEEP_CLEAR,
							   &sink, &gather, budget, &next),
						budget < 4, 1);
				iopt_sync(&gather);
			}
			assert_int_equal(iopt_sweep(device.domain, 0, TOP, IOPT_SWEEP_CLEAR, &sink,
						    &gather, 0, NULL),
					 0);
			iopt_sync(&gather);
			for (uint64_t k = 0; k < 8; k++)
				assert_int_equal(reported(5 * GIB + k * 2 * MIB), 1);
			for (uint64_t k = 0; k < 8; k++)
				assert_false(is_dirty(5 * GIB + k * 2 * MIB));
			close_domain();
		}
	}
}

/* In steps all is found that is found at once. */
static void in_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		for (uint64_t k = 0; k < 40; k++)
			map_pages(5 * GIB + k * 34 * MIB, 1);
		for (unsigned round = 0; round < 5; round++) {
			uint64_t next = 0;

			for (uint64_t k = round; k < 40; k += 3)
				walk_and_write(5 * GIB + k * 34 * MIB);
			forget_reports();
			while (iopt_sweep(device.domain, next, TOP, IOPT_SWEEP_CLEAR, &sink,
					  &gather, 3, &next) == 1)
				iopt_sync(&gather);
			iopt_sync(&gather);
			for (uint64_t k = 0; k < 40; k++)
				assert_int_equal(reported(5 * GIB + k * 34 * MIB),
						 k >= round && (k - round) % 3 == 0);
		}
		close_domain();
	}
}

/* A block that is only partly swept stays dirty, and is found by the next sweep of all of it. */
static void partly_swept_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map(4 * GIB, 2 * MIB);
		walk_and_write(4 * GIB);
		for (unsigned k = 0; k < 4; k++) {
			assert_int_equal(sweep_with(0, 4 * GIB + MIB - 1, &gather), 0);
			assert_int_equal(reported(4 * GIB), 1);
			iopt_sync(&gather);
		}
		sweep_clear(0, TOP);
		assert_int_equal(reported(4 * GIB + MIB), 1);
		close_domain();
	}
}

/*
 * Tables that no device touched are passed over many at a time: whatever lies between them is not.
 * Blocks stand at both ends of a cache line of entries and inside one, a table that was touched in
 * every place once.
 */
static void between_untouched(void **state)
{
	static const unsigned blocks[] = { 1, 7, 8, 20, 31 };
	uint64_t start = 4 * GIB, end = start + 32 * 2 * MIB;

	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		for (unsigned k = 0, b = 0; k < 32; k++) {
			if (b < sizeof(blocks) / sizeof(blocks[0]) && k == blocks[b])
				map(start + blocks[b++] * 2 * MIB, 2 * MIB);
			else
				map_pages(start + k * 2 * MIB, 2);
		}
		sweep_clear(0, TOP);
		sweep_clear(0, TOP);
		for (unsigned k = 0; k < 32; k++) {
			walk_and_write(start + k * 2 * MIB);
			/* A block that is dirty and not accessed: a merge may have made it. */
			if (leaf_lg2_at(start + k * 2 * MIB) == 21)
				*entry_at(start + k * 2 * MIB, 1) &= ~marks->accessed;
			sweep_clear(0, TOP);
			assert_int_equal(report.nr, 1);
			assert_int_equal(reported(start + k * 2 * MIB), 1);
			/* Once more, into a range that begins and ends inside a line. */
			walk_and_write(start + k * 2 * MIB);
			sweep_clear(start + k % 8 * 2 * MIB, end - MIB);
			assert_int_equal(reported(start + k * 2 * MIB), 1);
			sweep_clear(0, TOP);
			sweep_clear(0, TOP);
		}
		close_domain();
	}
}

/* ---- what is owed, and who pays ------------------------------------------------------------ */

static void owed_though_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map_pages(5 * GIB, 1);
		assert_int_equal(sweep_with(0, TOP, &gather), 0);
		assert_int_equal(report.nr, 0);
		assert_true(gather.owes & IOPT_OWES_TABLES);
		assert_true(gather_covers(&gather, 5 * GIB, 5 * GIB + 2 * MIB - 1));
		assert_int_equal(device.invalidations, 0);
		iopt_sync(&gather);
		assert_int_equal(device.invalidations, 1);
		/* Touched is taken, and nothing is owed for that; nor for what is skipped. */
		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(sweep_with(0, TOP, &gather), 0);
			assert_int_equal(gather.owes, 0);
		}
		close_domain();
	}
}

/* The next clearing sweep of the same range pays what is not synced, before it looks. */
static void successor_pays(void **state)
{
	struct iopt_gather other;

	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		map_pages(5 * GIB, 4);
		iopt_gather_init(&other, device.domain, NULL);
		assert_int_equal(sweep_with(0, TOP, &gather), 0);
		/* Reading pays nothing, nor does a sweep of somewhere else. */
		assert_false(sweep_sees(5 * GIB));
		assert_int_equal(sweep_with(TOP + 1, 2 * TOP + 1, &other), 0);
		assert_int_equal(device.invalidations, 0);
		hide(5 * GIB); /* through a cached walk */
		assert_int_equal(sweep_with(5 * GIB, 6 * GIB - 1, &other), 0);
		assert_int_equal(reported(5 * GIB), 1);
		assert_int_equal(device.invalidations, 1);
		assert_true(device.owes & IOPT_OWES_NOW);
		assert_true(device.owes & IOPT_OWES_TABLES);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, 5 * GIB,
					 5 * GIB + 2 * MIB - 1));
		/* Once is enough. */
		assert_int_equal(sweep_with(0, TOP, &other), 0);
		assert_int_equal(device.invalidations, 1);
		iopt_sync(&other);
		close_domain();
	}
}

/* Synced, by itself or as a part of another gather: the successor has nothing to pay. */
static void synced_is_paid(void **state)
{
	struct iopt_gather other;

	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		for (unsigned merged = 0; merged < 2; merged++) {
			open_skipping(i, SKIPS);
			map_pages(5 * GIB, 4);
			iopt_gather_init(&other, device.domain, &sink);
			assert_int_equal(sweep_with(0, TOP, &gather), 0);
			if (merged)
				assert_int_equal(iopt_gather_merge(&other, &gather), 0);
			iopt_sync(merged ? &other : &gather);
			assert_int_equal(device.invalidations, 1);
			walk_and_write(5 * GIB);
			assert_int_equal(sweep_with(0, TOP, &other), 0);
			assert_int_equal(device.invalidations, 1);
			iopt_sync(&other);
			close_domain();
		}
	}
}

#define MANY 40u

/* More gathers than a domain remembers: the sweeps behind that pay at once. */
static void many_gathers(void **state)
{
	static struct iopt_gather gathers[MANY];

	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, SKIPS);
		for (uint64_t k = 0; k < MANY; k++) {
			iopt_gather_init(&gathers[k], device.domain, &sink);
			map_pages(k * 2 * MIB, 1);
		}
		for (uint64_t k = 0; k < MANY; k++)
			assert_int_equal(
				sweep_with(k * 2 * MIB, k * 2 * MIB + 2 * MIB - 1, &gathers[k]), 0);
		/* Each is paid once, by its own sweep or by the one that comes next. */
		assert_int_equal(sweep_with(0, MANY * 2 * MIB - 1, &gather), 0);
		assert_in_range(device.invalidations, MANY, MANY + 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, 0, MANY * 2 * MIB - 1));
		for (unsigned k = 0; k < MANY; k++)
			iopt_sync(&gathers[k]);
		/* Their places are free again. */
		device_forget(&device);
		walk_and_write(0);
		assert_int_equal(sweep_with(0, 2 * MIB - 1, &gathers[0]), 0);
		assert_int_equal(device.invalidations, 0);
		iopt_sync(&gathers[0]);
		close_domain();
	}
}

/* Dirty bits from before tracking are nobody's, and what comes later is found. */
static void off_and_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_MARKS; i++) {
		open_skipping(i, IOPT_TRACKABLE | IOPT_ACCESSED_TABLES);
		map_pages(5 * GIB, 4);
		for (unsigned k = 0; k < 4; k++) {
			walk_and_write(5 * GIB);
			assert_int_equal(iopt_track(device.domain, true), 0);
			assert_false(is_dirty(5 * GIB));
			walk_and_write(5 * GIB + PAGE);
			sweep_clear(0, TOP);
			assert_int_equal(report.nr, 1);
			assert_int_equal(reported(5 * GIB + PAGE), 1);
			assert_int_equal(iopt_track(device.domain, false), 0);
		}
		close_domain();
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(twice_and_never_again),
		cmocka_unit_test(every_round_is_found),
		cmocka_unit_test(not_asked_for),
		cmocka_unit_test(reading_takes_no_marks),
		cmocka_unit_test(partly_swept_tables),
		cmocka_unit_test(taken_once_a_sweep),
		cmocka_unit_test(mapped_later),
		cmocka_unit_test(unmap_does_not_skip),
		cmocka_unit_test(refused_stays_marked),
		cmocka_unit_test(stopped_early),
		cmocka_unit_test(in_steps),
		cmocka_unit_test(partly_swept_block),
		cmocka_unit_test(between_untouched),
		cmocka_unit_test(owed_though_clean),
		cmocka_unit_test(successor_pays),
		cmocka_unit_test(synced_is_paid),
		cmocka_unit_test(many_gathers),
		cmocka_unit_test(off_and_on),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
