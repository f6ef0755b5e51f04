/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Dirty bits: what a device wrote is reported, what it did not write is not, whoever looks when.
 *
 * One thread, or two in turns. That a page which is swept and unmapped at the same moment may be
 * reported twice is allowed by iopt.h; that it is reported not at all never is.
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

static void open_default(struct rig *rig, const struct iopt_format_info *format)
{
	struct rig_config config = rig_defaults(format->name);

	rig_open(rig, &config);
}

static void write_page(struct rig *rig, uint64_t iova)
{
	assert_int_equal(rig_write(rig, 0, iova), SOFT_IOMMU_DONE);
}

/* Unmap with a sink and sync. */
static void unmap_into(struct rig *rig, uint64_t first, uint64_t bytes, struct notes *notes)
{
	struct iopt_gather gather;

	notes_init(notes);
	iopt_gather_init(&gather, rig->domain, &notes->sink);
	assert_int_equal(iopt_unmap(rig->domain, first, first + bytes - 1, 0, &gather, NULL), 0);
	iopt_sync(&gather);
}

/* ---- sweeps ------------------------------------------------------------------------------- */

/*
 * Reads dirty nothing, a sweep that only reads clears nothing, one that clears reports each once.
 */
static void test_sweep_reports_what_was_written(const struct iopt_format_info *format)
{
	const unsigned pages = 700; /* two tables */
	const unsigned wrote[] = { 0, 1, 63, 64, 127, 255, 511, 512, 600, 699 };
	struct notes notes;
	struct rig rig;

	open_default(&rig, format);
	rig_map(&rig, 8 * MIB, pages * PAGE, pa_for(12));
	rig_map(&rig, 32 * MIB, 6 * MIB, pa_for(21));
	for (unsigned i = 0; i < pages; i += 3)
		assert_int_equal(rig_read(&rig, 0, 8 * MIB + i * PAGE), SOFT_IOMMU_DONE);
	assert_int_equal(rig_read(&rig, 0, 32 * MIB), SOFT_IOMMU_DONE);
	rig_sweep(&rig, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes);
	assert_int_equal(notes.nr, 0);

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < sizeof(wrote) / sizeof(*wrote); i++)
			write_page(&rig, 8 * MIB + wrote[i] * PAGE);
		write_page(&rig, 35 * MIB);
		for (unsigned flags = 0; flags <= IOPT_SWEEP_CLEAR; flags++) {
			unsigned next = 0;

			rig_sweep(&rig, 0, GIB - 1, flags, &notes);
			for (unsigned i = 0; i < pages; i++) {
				bool expected = next < sizeof(wrote) / sizeof(*wrote) &&
						wrote[next] == i;

				next += expected;
				assert_int_equal(notes_count(&notes, 8 * MIB + i * PAGE), expected);
			}
			for (unsigned i = 0; i < 6; i++)
				assert_int_equal(notes_count(&notes, (32 + i) * MIB),
						 i == 2 || i == 3);
		}
		rig_sweep(&rig, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes);
		assert_int_equal(notes.nr, 0);
	}
	rig_close(&rig);
}

/* The bitmap's bits are its own pages, whatever the leaves are. */
static void test_sweep_into_bitmap(const struct iopt_format_info *format)
{
	const uint64_t first = 16 * MIB, bytes = 4 * MIB;
	uint64_t words[16];
	struct iopt_sink sink = { .words = words, .first = first };
	struct rig rig;

	for (unsigned page_lg2 = 12; page_lg2 <= 21; page_lg2 += 3) {
		struct iopt_gather gather;

		open_default(&rig, format);
		rig_map(&rig, first, 2 * MIB, pa_for(12));
		rig_map(&rig, first + 2 * MIB, 2 * MIB, pa_for(21));
		write_page(&rig, first + 9 * PAGE);
		write_page(&rig, first + 65 * PAGE);
		write_page(&rig, first + 3 * MIB);
		memset(words, 0, sizeof(words));
		sink.page_lg2 = (uint8_t)page_lg2;
		sink.pages = bytes >> page_lg2;
		iopt_gather_init(&gather, rig.domain, NULL);
		assert_int_equal(iopt_sweep(rig.domain, first, first + bytes - 1, IOPT_SWEEP_CLEAR,
					    &sink, &gather, 0, NULL),
				 0);
		iopt_sync(&gather);
		for (unsigned bit = 0; bit < sink.pages; bit++) {
			bool expected = bit == 9 * PAGE >> page_lg2 ||
					bit == 65 * PAGE >> page_lg2 || bit >= 2 * MIB >> page_lg2;

			assert_int_equal(words[bit / 64] >> bit % 64 & 1, expected);
		}
		rig_close(&rig);
	}
}

/* A page is recorded before its bit is cleared: what the sink refuses stays dirty. */
static void test_refused_stays_dirty(const struct iopt_format_info *format)
{
	const uint64_t firsts[] = { 3 * PAGE, 64 * MIB + MIB };
	struct iopt_gather gather;
	struct notes notes;
	struct rig rig;

	open_default(&rig, format);
	rig_map(&rig, 0, 2 * MIB, pa_for(12));
	rig_map(&rig, 64 * MIB, 2 * MIB, pa_for(21));
	for (unsigned i = 0; i < 2; i++) {
		write_page(&rig, firsts[i]);
		notes_init(&notes);
		notes.refuse = 1;
		notes.error = -ENOSPC;
		iopt_gather_init(&gather, rig.domain, NULL);
		assert_int_equal(iopt_sweep(rig.domain, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes.sink,
					    &gather, 0, NULL),
				 -ENOSPC);
		iopt_sync(&gather);
		rig_sweep(&rig, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes);
		assert_int_equal(notes.nr, 1);
		assert_int_equal(notes_count(&notes, firsts[i]), 1);
		rig_sweep(&rig, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes);
		assert_int_equal(notes.nr, 0);
	}
	rig_close(&rig);
}

/*
 * What the sink took before it refused the next was cleared, what it refused and what came after
 * not.
 */
static void test_taken_before_refusal_is_cleared(const struct iopt_format_info *format)
{
	struct iopt_gather gather;
	struct notes notes;
	struct rig rig;

	open_default(&rig, format);
	rig_map(&rig, 0, 2 * MIB, pa_for(12));
	for (unsigned taken = 0; taken < 4; taken++) {
		uint64_t next;

		for (unsigned i = 0; i < 4; i++)
			write_page(&rig, 2 * i * PAGE);
		notes_init(&notes);
		notes.accept = taken;
		notes.refuse = 1;
		notes.error = -ENOSPC;
		iopt_gather_init(&gather, rig.domain, NULL);
		assert_int_equal(iopt_sweep(rig.domain, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes.sink,
					    &gather, 0, &next),
				 -ENOSPC);
		assert_true(next <= 2 * taken * PAGE);
		iopt_sync(&gather);
		assert_int_equal(notes.nr, taken);
		rig_sweep(&rig, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(notes_count(&notes, 2 * i * PAGE), i >= taken);
	}
	rig_close(&rig);
}

/* A leaf that lies partly in the range is reported as far as it does, and stays dirty. */
static void test_partial_leaf_stays_dirty(const struct iopt_format_info *format)
{
	const uint64_t first = 32 * MIB;
	const struct iopt_range parts[] = {
		{ 0, MIB - 1 },			 /* its start */
		{ MIB + 5 * PAGE, 2 * MIB - 1 }, /* from its middle */
		{ MIB, MIB },			 /* one byte */
		{ PAGE, 2 * MIB - PAGE - 1 },	 /* neither end */
	};
	struct notes notes;
	struct rig rig;

	open_default(&rig, format);
	rig_map(&rig, first - 2 * MIB, 2 * MIB, pa_for(12));
	rig_map(&rig, first, 2 * MIB, pa_for(21));
	write_page(&rig, first + 7);
	write_page(&rig, first - PAGE);
	for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		rig_sweep(&rig, first + parts[i].first, first + parts[i].last, IOPT_SWEEP_CLEAR,
			  &notes);
		assert_int_equal(notes.nr, 1);
		assert_int_equal(notes.ranges[0].first, first + parts[i].first);
		assert_int_equal(notes.ranges[0].last, first + parts[i].last);
	}
	/* A page in its middle byte: 4 KiB leaves have one as well. */
	rig_sweep(&rig, first - PAGE + 1, first - 2, IOPT_SWEEP_CLEAR, &notes);
	assert_int_equal(notes.nr, 1);
	rig_sweep(&rig, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes);
	assert_int_equal(notes_count(&notes, first), 1);
	assert_int_equal(notes_count(&notes, first - PAGE), 1);
	rig_sweep(&rig, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes);
	assert_int_equal(notes.nr, 0);
	rig_close(&rig);
}

/* Budgets: where a sweep stopped, the next one goes on; together they miss nothing. */
static void test_sweep_in_steps(const struct iopt_format_info *format)
{
	struct iopt_gather gather;
	uint64_t next = 0;
	struct notes notes;
	struct rig rig;
	int result;

	open_default(&rig, format);
	for (unsigned i = 0; i < 10; i++) {
		rig_map(&rig, i * 6 * MIB, 2 * MIB, pa_for(12));
		write_page(&rig, i * 6 * MIB + i * PAGE);
	}
	notes_init(&notes);
	iopt_gather_init(&gather, rig.domain, NULL);
	for (unsigned calls = 0; calls < 1000; calls++) {
		result = iopt_sweep(rig.domain, next, GIB - 1, IOPT_SWEEP_CLEAR, &notes.sink,
				    &gather, 3, &next);
		if (result != 1)
			break;
	}
	assert_int_equal(result, 0);
	iopt_sync(&gather);
	assert_int_equal(notes.nr, 10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(notes_count(&notes, i * 6 * MIB + i * PAGE), 1);
	rig_close(&rig);
}

/* ---- runs: dirty is the OR of the replicas ------------------------------------------------ */

static void test_run_dirty_by_any_replica(const struct iopt_format_info *format)
{
	for (unsigned size_lg2 = 13; size_lg2 <= 23; size_lg2++) {
		const uint64_t first = 64 * MIB, size = 1ull << size_lg2;
		unsigned level = size_lg2 > 21, steps = 1u << (size_lg2 - (level ? 21 : 12));
		struct notes notes;
		struct rig rig;

		if (size_lg2 == 21 || !(format->page_sizes >> size_lg2 & 1))
			continue;
		open_default(&rig, format);
		for (unsigned i = 0; i<steps; i += steps> 16 ? 7 : 1) {
			uint64_t wrote = first + i * (size / steps);

			rig_map(&rig, first, size, pa_for(size_lg2));
			write_page(&rig, wrote);
			rig_sweep(&rig, first, first + size - 1, IOPT_SWEEP_CLEAR, &notes);
			assert_int_equal(notes.nr, 1);
			assert_int_equal(notes.ranges[0].first, first);
			assert_int_equal(notes.ranges[0].last, first + size - 1);
			rig_sweep(&rig, first, first + size - 1, IOPT_SWEEP_CLEAR, &notes);
			assert_int_equal(notes.nr, 0);

			write_page(&rig, wrote);
			unmap_into(&rig, first, size, &notes);
			assert_int_equal(notes.nr, 1);
			assert_int_equal(notes_count(&notes, first), 1);
			assert_int_equal(notes_count(&notes, first + size - 1), 1);
		}
		rig_close(&rig);
	}
}

/* The same where the table goes as a whole: a run of level 0, and one of an interior table. */
static void test_run_dirty_in_unlinked_table(const struct iopt_format_info *format)
{
	const unsigned sizes_lg2[] = { 16, 23 };

	for (unsigned s = 0; s < 2; s++) {
		uint64_t size = 1ull << sizes_lg2[s], table = s ? GIB : 2 * MIB, first = 5 * GIB;
		struct notes notes;
		struct rig rig;

		if (!(format->page_sizes >> sizes_lg2[s] & 1))
			continue;
		open_default(&rig, format);
		for (unsigned replica = 0; replica < 4; replica++) {
			uint64_t run = first + 3 * size, wrote = run + replica * (size / 4);

			rig_map(&rig, first, PAGE, pa_for(12));
			rig_map(&rig, run, 2 * size, pa_for(sizes_lg2[s]));
			write_page(&rig, wrote);
			unmap_into(&rig, first, table, &notes);
			assert_int_equal(notes.nr, 1);
			assert_int_equal(notes.ranges[0].first, run);
			assert_int_equal(notes.ranges[0].last, run + size - 1);
		}
		rig_close(&rig);
	}
}

/* ---- unmap is exact ----------------------------------------------------------------------- */

/* Single leaves at once, those of whole tables at sync; each once. */
static void test_unmap_reports_what_was_written(const struct iopt_format_info *format)
{
	const uint64_t first = 2 * MIB;
	struct notes notes;
	struct rig rig;

	open_default(&rig, format);
	for (unsigned pages = 1; pages <= 1024; pages *= 2) {
		rig_map(&rig, first, pages * PAGE, pa_for(12));
		for (unsigned i = 0; i < pages; i += 1 + pages / 8)
			write_page(&rig, first + i * PAGE);
		unmap_into(&rig, first, pages * PAGE, &notes);
		for (unsigned i = 0; i < pages; i++)
			assert_int_equal(notes_count(&notes, first + i * PAGE),
					 i % (1 + pages / 8) == 0);
	}
	rig_map(&rig, 64 * MIB, 4 * MIB, pa_for(21));
	write_page(&rig, 67 * MIB);
	unmap_into(&rig, 64 * MIB, 4 * MIB, &notes);
	assert_int_equal(notes_count(&notes, 65 * MIB), 0);
	assert_int_equal(notes_count(&notes, 66 * MIB), 1);
	rig_close(&rig);
}

/* Blocks in an interior table that goes as a whole. */
static void test_unmap_reports_blocks_of_unlinked_table(const struct iopt_format_info *format)
{
	struct notes notes;
	struct rig rig;

	open_default(&rig, format);
	rig_map(&rig, 5 * GIB, 512 * MIB, pa_for(21));
	rig_map(&rig, 5 * GIB + 768 * MIB, MIB, pa_for(12));
	write_page(&rig, 5 * GIB + 3 * MIB);
	write_page(&rig, 5 * GIB + 511 * MIB);
	write_page(&rig, 5 * GIB + 768 * MIB + 11 * PAGE);
	unmap_into(&rig, 5 * GIB, GIB, &notes);
	assert_int_equal(notes.nr, 3);
	assert_int_equal(notes_count(&notes, 5 * GIB + 2 * MIB), 1);
	assert_int_equal(notes_count(&notes, 5 * GIB + 510 * MIB), 1);
	assert_int_equal(notes_count(&notes, 5 * GIB + 768 * MIB + 11 * PAGE), 1);
	rig_close(&rig);
}

/*
 * A device writes through a cached walk, into a table that is unlinked already, up to the
 * invalidation.
 */
static void write_before_invalidation(struct rig *rig, const struct iopt_gather *gather)
{
	(void)gather;
	if (rig_write(rig, 0, 3 * MIB) != SOFT_IOMMU_DONE)
		complain("the cached walk should still have worked");
}

static void test_unmap_sees_last_writes(const struct iopt_format_info *format)
{
	struct notes notes;
	struct rig rig;

	open_default(&rig, format);
	rig_map(&rig, 2 * MIB, 2 * MIB, pa_for(12));
	rig_map(&rig, 4 * MIB, PAGE, pa_for(12));
	assert_int_equal(rig_read(&rig, 0, 2 * MIB), SOFT_IOMMU_DONE); /* a pointer to the table */
	write_page(&rig, 2 * MIB + PAGE);
	rig.before_invalidate = write_before_invalidation;
	unmap_into(&rig, 2 * MIB, 2 * MIB, &notes);
	rig.before_invalidate = NULL;
	assert_no_complaint();
	assert_int_equal(notes.nr, 2);
	assert_int_equal(notes_count(&notes, 2 * MIB + PAGE), 1);
	assert_int_equal(notes_count(&notes, 3 * MIB), 1);
	rig_close(&rig);
}

/* ---- a sweep meets others half-way -------------------------------------------------------- */

/**
 * struct meeting - what another thread does while a sweep stands between reading and clearing
 * @rig:   where
 * @first: of the range that was mapped, @bytes of it
 * @then:  bytes to map there instead, 0: none
 * @leaf_lg2: in leaves of that size
 * @dirty: what the device writes then
 * @notes: what the unmap reported
 * @later: what the sweep reported after the meeting
 * @met:   the meeting was
 */
struct meeting {
	struct rig *rig;
	uint64_t first;
	uint64_t bytes;
	uint64_t then;
	unsigned leaf_lg2;
	uint64_t dirty;
	struct notes notes;
	struct notes later;
	bool met;
};

static void *unmap_and_map(void *ctx)
{
	struct meeting *meeting = ctx;
	struct iopt_domain *domain = meeting->rig->domain;
	struct iopt_gather gather;

	notes_init(&meeting->notes);
	iopt_gather_init(&gather, domain, &meeting->notes.sink);
	if (iopt_unmap(domain, meeting->first, meeting->first + meeting->bytes - 1, 0, &gather,
		       NULL))
		complain("unmap failed beside a sweep");
	iopt_sync(&gather);
	if (!meeting->then)
		return NULL;
	if (iopt_map(domain, meeting->first, meeting->first + meeting->then - 1,
		     pa_for(meeting->leaf_lg2), READ_WRITE, NULL))
		complain("map failed beside a sweep");
	if (rig_write(meeting->rig, 0, meeting->dirty) != SOFT_IOMMU_DONE)
		complain("no access to what was mapped beside a sweep");
	return NULL;
}

static int meet(void *ctx, uint64_t first, uint64_t last)
{
	struct meeting *meeting = ctx;

	if (meeting->met)
		return meeting->later.sink.record(&meeting->later, first, last);
	meeting->met = true;
	aside(unmap_and_map, meeting);
	return 0;
}

static void run_meeting(struct meeting *meeting)
{
	const struct iopt_sink sink = { .record = meet, .ctx = meeting };
	struct iopt_gather gather;

	notes_init(&meeting->later);
	iopt_gather_init(&gather, meeting->rig->domain, NULL);
	assert_int_equal(iopt_sweep(meeting->rig->domain, 0, GIB - 1, IOPT_SWEEP_CLEAR, &sink,
				    &gather, 0, NULL),
			 0);
	iopt_sync(&gather);
	assert_no_complaint();
	assert_true(meeting->met);
	/* The sweep had not cleared it yet: the unmap reports it too. */
	assert_int_equal(meeting->notes.nr, 1);
}

/* A clean that stored a stale entry back would resurrect what was unmapped. */
static void test_sweep_resurrects_nothing(const struct iopt_format_info *format)
{
	for (unsigned size_lg2 = 12; size_lg2 <= 22; size_lg2++) {
		struct meeting meeting = { .first = 64 * MIB, .bytes = 1ull << size_lg2 };
		struct iopt_translation found;
		struct rig rig;

		if (!(format->page_sizes >> size_lg2 & 1))
			continue;
		open_default(&rig, format);
		meeting.rig = &rig;
		rig_map(&rig, meeting.first, meeting.bytes, pa_for(size_lg2));
		write_page(&rig, meeting.first + meeting.bytes / 2);
		run_meeting(&meeting);
		for (uint64_t at = 0; at < meeting.bytes; at += PAGE) {
			assert_int_equal(iopt_translate(rig.domain, meeting.first + at, &found),
					 -ENOENT);
			assert_int_equal(rig_write(&rig, 0, meeting.first + at),
					 SOFT_IOMMU_NOT_PRESENT);
		}
		rig_close(&rig);
	}
}

/*
 * Another size of leaf took the place of the one that was recorded. If the new one's dirty bit is
 * of a range that was not recorded, it must still be there: this sweep may come to it, or the next
 * one does.
 */
static void test_sweep_spares_other_sizes(const struct iopt_format_info *format)
{
	const unsigned sizes_lg2[] = { 12, 13, 16, 20, 21, 22 };
	const unsigned nr = sizeof(sizes_lg2) / sizeof(*sizes_lg2);

	for (unsigned a = 0; a < nr; a++) {
		for (unsigned b = a + 1; b < nr; b++) { /* ever larger ones: not all was recorded */
			struct meeting meeting = {
				.first = 64 * MIB,
				.bytes = 1ull << sizes_lg2[a],
				.then = 1ull << sizes_lg2[b],
				.leaf_lg2 = sizes_lg2[b],
				.dirty = 64 * MIB,
			};
			uint64_t last = meeting.first + meeting.then - 1;
			struct notes notes;
			struct rig rig;

			if (!(format->page_sizes >> sizes_lg2[a] & 1) ||
			    !(format->page_sizes >> sizes_lg2[b] & 1))
				continue;
			open_default(&rig, format);
			meeting.rig = &rig;
			rig_map(&rig, meeting.first, meeting.bytes, pa_for(sizes_lg2[a]));
			write_page(&rig, meeting.first);
			run_meeting(&meeting);
			rig_sweep(&rig, 0, GIB - 1, IOPT_SWEEP_CLEAR, &notes);
			assert_int_equal(notes_count(&meeting.later, meeting.first) +
						 notes_count(&notes, meeting.first),
					 1);
			assert_int_equal(
				notes_count(&meeting.later, last) + notes_count(&notes, last), 1);
			rig_close(&rig);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "sweep reports what was written", test_sweep_reports_what_was_written, 0, NULL,
		  true },
		{ "sweep into bitmap", test_sweep_into_bitmap, 0, NULL, true },
		{ "refused stays dirty", test_refused_stays_dirty, 0, NULL, true },
		{ "taken before refusal is cleared", test_taken_before_refusal_is_cleared, 0, NULL,
		  true },
		{ "partial leaf stays dirty", test_partial_leaf_stays_dirty, 0, NULL, true },
		{ "sweep in steps", test_sweep_in_steps, 0, NULL, true },
		{ "run dirty by any replica", test_run_dirty_by_any_replica, IOPT_CAN_RUNS, NULL,
		  true },
		{ "run dirty in unlinked table", test_run_dirty_in_unlinked_table, IOPT_CAN_RUNS,
		  NULL, true },
		{ "unmap reports what was written", test_unmap_reports_what_was_written, 0, NULL,
		  true },
		{ "unmap reports blocks of unlinked table",
		  test_unmap_reports_blocks_of_unlinked_table, 0, NULL, true },
		{ "unmap sees last writes", test_unmap_sees_last_writes, 0, NULL, true },
		{ "sweep resurrects nothing", test_sweep_resurrects_nothing, 0, NULL, true },
		{ "sweep spares other sizes", test_sweep_spares_other_sizes, 0, NULL, true },
	};

	return run_format_tests(argc, argv, "dirty", tests, sizeof(tests) / sizeof(*tests));
}
