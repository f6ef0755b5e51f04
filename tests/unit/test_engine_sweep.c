/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * sweep and track, one thread: what is reported and cleared, what is not, what is owed, and
 * stopping early for whatever reason. Bitmaps have a file of their own, test_sink.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/support.h"

#define PAGE 4096ull
#define HALF (1ull << 47)

/**
 * struct report - what a sweep reported
 * @nr, @ranges: the calls that were accepted
 * @calls:       of the function, accepted or not
 * @refuse:      from that call on (1: the first) the answer is -ENOSPC; 0: never
 */
struct report {
	unsigned nr;
	struct iopt_range ranges[1024];
	unsigned calls;
	unsigned refuse;
};

static struct device device;
static struct iopt_gather gather;
static struct report report;
static struct iopt_sink sink;
static const struct hardware *hw;

static int record(void *ctx, uint64_t first, uint64_t last)
{
	struct report *to = ctx;

	assert_true(first <= last);
	if (++to->calls >= to->refuse && to->refuse)
		return -ENOSPC;
	assert_true(to->nr < 1024);
	to->ranges[to->nr++] = (struct iopt_range){ first, last };
	return 0;
}

static struct iopt_domain *domain_of(const char *format, unsigned levels, uint32_t flags)
{
	struct iopt_config config = { .format = format, .levels = (uint8_t)levels, .flags = flags };

	memset(&device, 0, sizeof(device));
	memset(&report, 0, sizeof(report));
	sink = (struct iopt_sink){ .record = record, .ctx = &report };
	hw = hardware_of(format);
	assert_int_equal(device_create(&device, &config), 0);
	iopt_gather_init(&gather, device.domain, NULL);
	return device.domain;
}

static void done(void)
{
	iopt_sync(&gather);
	assert_true(device_destroy(&device));
}

static void map(uint64_t first, uint64_t bytes)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1, first, RW, NULL), 0);
}

/* Pages that are a leaf each in every format. */
static void map_pages(uint64_t first, unsigned nr)
{
	for (uint64_t i = 0; i < nr; i++)
		assert_int_equal(iopt_map(device.domain, first + i * PAGE,
					  first + i * PAGE + PAGE - 1, 2 * i * PAGE, RW, NULL),
				 0);
}

static void write_to(uint64_t iova)
{
	assert_true(device_writes(hw, device.domain, iova));
}

static bool is_dirty(uint64_t iova)
{
	struct iopt_item leaf;

	assert_true(find_leaf(device.domain, iova, &leaf));
	return leaf.flags & IOPT_ITEM_DIRTY;
}

/* Sweeps a range into an empty report. */
static int sweep(uint64_t first, uint64_t last, unsigned flags)
{
	report.nr = 0;
	report.calls = 0;
	return iopt_sweep(device.domain, first, last, flags, &sink, &gather, 0, NULL);
}

static int clear(uint64_t first, uint64_t last)
{
	return sweep(first, last, IOPT_SWEEP_CLEAR);
}

/* The report names exactly these bytes, in whatever pieces, none twice. */
static void check_reported(const struct iopt_range *ranges, unsigned nr)
{
	uint64_t bytes = 0, asked = 0;

	for (unsigned i = 0; i < report.nr; i++)
		bytes += report.ranges[i].last - report.ranges[i].first + 1;
	for (unsigned i = 0; i < nr; i++) {
		assert_true(
			ranges_cover(report.ranges, report.nr, ranges[i].first, ranges[i].last));
		asked += ranges[i].last - ranges[i].first + 1;
	}
	assert_int_equal(bytes, asked);
}

#define CHECK_REPORTED(...)                                                 \
	check_reported((const struct iopt_range[]){ __VA_ARGS__ },          \
		       sizeof((const struct iopt_range[]){ __VA_ARGS__ }) / \
			       sizeof(struct iopt_range))

/* ---- arguments ----------------------------------------------------------------------------- */

static void bad_arguments(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_config config = { .format = formats[i] };
		struct device other = { 0 };
		struct iopt_gather others;
		struct iopt_domain *domain = domain_of(formats[i], 4, IOPT_TRACK);

		map(0, PAGE);
		write_to(0);
		assert_int_equal(clear(PAGE, PAGE - 1), -EINVAL);
		assert_int_equal(clear(~0ull, 0), -EINVAL);
		assert_int_equal(sweep(0, PAGE - 1, 2), -EINVAL);
		assert_int_equal(sweep(0, PAGE - 1, ~0u), -EINVAL);
		assert_int_equal(iopt_sweep(domain, 0, PAGE - 1, IOPT_SWEEP_CLEAR, &sink, NULL, 0,
					    NULL),
				 -EINVAL);
		assert_int_equal(device_create(&other, &config), 0);
		iopt_gather_init(&others, other.domain, NULL);
		assert_int_equal(iopt_sweep(domain, 0, PAGE - 1, IOPT_SWEEP_CLEAR, &sink, &others,
					    0, NULL),
				 -EINVAL);
		iopt_destroy(other.domain);
		assert_int_equal(report.calls, 0);
		assert_int_equal(gather.owes, 0);
		assert_true(is_dirty(0));
		/* Reading needs no gather. */
		assert_int_equal(iopt_sweep(domain, 0, PAGE - 1, 0, &sink, NULL, 0, NULL), 0);
		assert_int_equal(report.nr, 1);
		done();
	}
}

static void beyond_the_width(void **state)
{
	(void)state;
	domain_of("vtd-ss", 3, IOPT_TRACK);
	assert_int_equal(clear(0, 1ull << 39), -ERANGE);
	assert_int_equal(clear(1ull << 39, 1ull << 39), -ERANGE);
	assert_int_equal(clear(0, ~0ull), -ERANGE);
	assert_int_equal(clear(0, (1ull << 39) - 1), 0);
	done();
	domain_of("x86-64", 4, IOPT_TRACK | IOPT_SIGN_EXTEND);
	assert_int_equal(clear(0, HALF), -ERANGE);
	assert_int_equal(clear(HALF - 1, -HALF), -ERANGE);
	assert_int_equal(clear(-HALF - 1, ~0ull), -ERANGE);
	assert_int_equal(clear(0, HALF - 1), 0);
	assert_int_equal(clear(-HALF, ~0ull), 0);
	done();
}

static void not_trackable(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(0, PAGE);
		assert_int_equal(clear(0, PAGE - 1), -EOPNOTSUPP);
		assert_int_equal(sweep(0, PAGE - 1, 0), -EOPNOTSUPP);
		assert_int_equal(iopt_track(device.domain, true), -EOPNOTSUPP);
		assert_int_equal(iopt_track(device.domain, false), -EOPNOTSUPP);
		assert_int_equal(report.calls, 0);
		done();
	}
}

/* ---- what is reported, and cleared --------------------------------------------------------- */

static void nothing_dirty(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACK);
		assert_int_equal(clear(0, (1ull << 48) - 1), 0);
		map(0, 3 * PAGE);
		map(2 * MIB, 2 * MIB);
		map(GIB, GIB);
		assert_int_equal(clear(0, (1ull << 48) - 1), 0);
		assert_int_equal(report.calls, 0);
		assert_int_equal(gather.owes, 0);
		iopt_sync(&gather);
		assert_int_equal(device.invalidations, 0);
		done();
	}
}

static void leaves_of_all_sizes(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACK);
		map_pages(0, 512);
		map(2 * MIB, 2 * MIB);
		map_pages(4 * MIB, 3);
		map(GIB, GIB);
		map_pages(600 * GIB, 1);
		write_to(0);
		write_to(511 * PAGE);
		write_to(3 * MIB);
		write_to(4 * MIB + PAGE);
		write_to(GIB + 12345);
		write_to(600 * GIB + 1);
		assert_int_equal(clear(0, 1ull << 40), 0);
		CHECK_REPORTED({ 0, PAGE - 1 }, { 511 * PAGE, 2 * MIB - 1 },
			       { 2 * MIB, 4 * MIB - 1 }, { 4 * MIB + PAGE, 4 * MIB + 2 * PAGE - 1 },
			       { GIB, 2 * GIB - 1 }, { 600 * GIB, 600 * GIB + PAGE - 1 });
		/* Once. */
		assert_int_equal(clear(0, 1ull << 40), 0);
		assert_int_equal(report.nr, 0);
		/* And again when it is written again. */
		write_to(GIB);
		assert_int_equal(clear(0, 1ull << 40), 0);
		CHECK_REPORTED({ GIB, 2 * GIB - 1 });
		done();
	}
}

/* Reading reports, again and again, and touches no bit. */
static void reading_changes_nothing(void **state)
{
	static struct snapshot before;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACK);
		map_pages(0, 20);
		map(2 * MIB, 2 * MIB);
		write_to(7 * PAGE);
		write_to(2 * MIB);
		assert_true(snapshot_take(&before, device.domain));
		for (unsigned turn = 0; turn < 3; turn++) {
			assert_int_equal(sweep(0, GIB - 1, 0), 0);
			CHECK_REPORTED({ 7 * PAGE, 8 * PAGE - 1 }, { 2 * MIB, 4 * MIB - 1 });
		}
		assert_true(snapshot_same(&before, device.domain));
		assert_int_equal(gather.owes, 0);
		done();
	}
}

/* Clearing takes the dirty bit of what was dirty, and no other bit of any entry. */
static void clearing_keeps_everything_else(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_item before[3], after;
		static const uint64_t iovas[] = { 7 * PAGE, 2 * MIB, GIB };

		domain_of(formats[i], 4, IOPT_TRACK);
		map_pages(0, 20);
		map(2 * MIB, 2 * MIB);
		map(GIB, GIB);
		for (unsigned k = 0; k < 3; k++) {
			write_to(iovas[k]);
			assert_true(find_leaf(device.domain, iovas[k], &before[k]));
		}
		assert_int_equal(clear(0, 4 * GIB - 1), 0);
		for (unsigned k = 0; k < 3; k++) {
			assert_true(find_leaf(device.domain, iovas[k], &after));
			assert_false(hardware_dirty(hw, after.entry));
			assert_int_equal(after.entry, before[k].entry ^ hw->dirty);
			assert_int_equal(after.flags, IOPT_ITEM_ACCESSED);
		}
		done();
	}
}

/* A run is dirty if any of its entries is; all are cleared. */
static void runs(void **state)
{
	(void)state;
	for (unsigned entry = 0; entry < 64; entry++) {
		struct iopt_item leaf;

		domain_of("amd-v1", 4, IOPT_TRACK);
		map(64 * PAGE, 64 * PAGE);
		map(128 * MIB, 128 * MIB);
		write_to((64 + entry) * PAGE);
		write_to((64 + 63) * PAGE);
		write_to((64 + entry) * 2 * MIB);
		assert_int_equal(clear(0, GIB - 1), 0);
		CHECK_REPORTED({ 64 * PAGE, 128 * PAGE - 1 }, { 128 * MIB, 256 * MIB - 1 });
		assert_true(find_leaf(device.domain, 64 * PAGE, &leaf));
		for (unsigned k = 0; k < 64; k++)
			assert_false(hardware_dirty(
				hw, *(uint64_t *)iopt_posix_va(leaf.entry_pa + 8 * k)));
		assert_true(gather_covers(&gather, 64 * PAGE, 128 * PAGE - 1));
		assert_true(gather_covers(&gather, 128 * MIB, 256 * MIB - 1));
		assert_int_equal(clear(0, GIB - 1), 0);
		assert_int_equal(report.nr, 0);
		done();
	}
}

/* ---- parts of leaves ----------------------------------------------------------------------- */

/*
 * A sweep that starts in the middle of a large leaf: that part is reported, no page before it, and
 * the leaf stays dirty, since its other pages have not been reported.
 */
static void check_middle(const char *format, uint64_t first, uint64_t bytes)
{
	const uint64_t last = first + bytes - 1;
	const struct iopt_range parts[] = {
		{ first + PAGE, last },	       { first, last - PAGE },
		{ first + PAGE, last - PAGE }, { first + 1, last },
		{ first, last - 1 },	       { first + bytes / 2, first + bytes / 2 },
	};

	domain_of(format, 4, IOPT_TRACK);
	map(first, bytes);
	map(first + 2 * bytes, PAGE); /* not written: never reported */
	write_to(first + bytes / 2);
	for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
		assert_int_equal(clear(parts[k].first, parts[k].last), 0);
		CHECK_REPORTED(parts[k]);
		assert_true(is_dirty(first));
	}
	assert_int_equal(clear(first + PAGE, first + 4 * bytes), 0);
	CHECK_REPORTED({ first + PAGE, last });
	assert_int_equal(clear(0, last - PAGE), 0);
	CHECK_REPORTED({ first, last - PAGE });
	assert_int_equal(gather.owes, 0); /* nothing was cleared */
	assert_int_equal(clear(first, last), 0);
	CHECK_REPORTED({ first, last });
	assert_false(is_dirty(first));
	done();
}

static void starts_in_the_middle_of_a_leaf(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		check_middle(formats[i], 2 * MIB, 2 * MIB);
		check_middle(formats[i], GIB, GIB);
	}
	check_middle("amd-v1", 16 * PAGE, 16 * PAGE);
	check_middle("amd-v1", 64 * MIB, 64 * MIB);
}

/* Any byte may begin and end a range: a page that it cuts is reported in part and stays dirty. */
static void parts_of_pages(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACK);
		map_pages(0, 5);
		for (unsigned k = 0; k < 5; k++)
			write_to(k * PAGE);
		assert_int_equal(clear(PAGE + 100, 3 * PAGE + 7), 0);
		CHECK_REPORTED({ PAGE + 100, 3 * PAGE + 7 });
		assert_true(is_dirty(PAGE));
		assert_false(is_dirty(2 * PAGE));
		assert_true(is_dirty(3 * PAGE));
		assert_int_equal(clear(5, 5), 0);
		CHECK_REPORTED({ 5, 5 });
		assert_true(is_dirty(0));
		assert_int_equal(clear(3 * PAGE, 5 * PAGE - 2), 0);
		CHECK_REPORTED({ 3 * PAGE, 5 * PAGE - 2 });
		assert_false(is_dirty(3 * PAGE));
		assert_true(is_dirty(4 * PAGE));
		done();
	}
}

/* ---- what is owed -------------------------------------------------------------------------- */

/* A cached translation that is marked dirty would not set the bit again. */
static void clearing_owes_an_invalidation(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACK);
		map_pages(0, 70);
		map(2 * MIB, 2 * MIB);
		for (unsigned k = 0; k < 70; k += 23)
			write_to(k * PAGE);
		write_to(2 * MIB);
		assert_int_equal(clear(0, GIB - 1), 0);
		assert_int_equal(device.invalidations, 0); /* the caller's to pay */
		assert_true(gather.owes & IOPT_OWES_DIRTY);
		assert_true(gather.owes & IOPT_OWES_DEVICE_TLB);
		for (unsigned k = 0; k < 70; k += 23)
			assert_true(gather_covers(&gather, k * PAGE, k * PAGE + PAGE - 1));
		assert_true(gather_covers(&gather, 2 * MIB, 4 * MIB - 1));
		assert_false(gather_covers(&gather, GIB / 2, GIB / 2));
		assert_int_equal(gather.leaf_lg2, 12);
		iopt_sync(&gather);
		assert_int_equal(device.invalidations, 1);
		done();
	}
}

/* ---- stopping early ------------------------------------------------------------------------ */

/*
 * A page is recorded before its bit is cleared: what the sink refuses stays dirty, the rest goes.
 */
static void sink_that_refuses(void **state)
{
	static const unsigned pages[] = { 0, 2, 63, 64, 100, 511, 513 };
	enum { NR = sizeof(pages) / sizeof(pages[0]) };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (unsigned refuse = 1; refuse <= NR + 1; refuse++) {
			domain_of(formats[i], 4, IOPT_TRACK);
			map_pages(0, 600);
			for (unsigned k = 0; k < NR; k++)
				write_to(pages[k] * PAGE);
			report.refuse = refuse;
			assert_int_equal(clear(0, 600 * PAGE - 1), refuse <= NR ? -ENOSPC : 0);
			assert_int_equal(report.calls, refuse <= NR ? refuse : NR);
			for (unsigned k = 0; k < NR; k++) {
				assert_true(is_dirty(pages[k] * PAGE) == (k + 1 >= refuse));
				if (k + 1 < refuse)
					assert_true(gather_covers(&gather, pages[k] * PAGE,
								  pages[k] * PAGE + PAGE - 1));
			}
			/* The rest comes with the next sweep, and nothing twice. */
			report.refuse = 0;
			assert_int_equal(clear(0, 600 * PAGE - 1), 0);
			assert_int_equal(report.nr, refuse <= NR ? NR + 1 - refuse : 0);
			done();
		}
	}
}

static void sink_that_refuses_a_block(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACK);
		map(0, 2 * MIB);
		map(GIB, GIB);
		write_to(0);
		write_to(GIB);
		report.refuse = 2;
		assert_int_equal(clear(0, 4 * GIB - 1), -ENOSPC);
		assert_false(is_dirty(0));
		assert_true(is_dirty(GIB));
		assert_true(gather_covers(&gather, 0, 2 * MIB - 1));
		assert_false(gather_covers(&gather, GIB, GIB));
		done();
	}
}

/* Any budget comes to the same in the end, and every call gets somewhere. */
static void budgets(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		for (uint64_t budget = 1; budget < 12; budget++) {
			uint64_t first = 0, next = 0;
			unsigned calls = 0;
			int result;

			domain_of(formats[i], 4, IOPT_TRACK);
			for (unsigned k = 0; k < 8; k++) {
				map_pages(k * 2 * MIB + k * PAGE, 1);
				write_to(k * 2 * MIB + k * PAGE);
			}
			map(GIB, GIB);
			write_to(GIB);
			do {
				result = iopt_sweep(device.domain, first, 8 * GIB - 1,
						    IOPT_SWEEP_CLEAR, &sink, &gather, budget,
						    &next);
				assert_true(result == 0 || result == 1);
				if (result) {
					assert_true(next > first);
					assert_true(next <= 8 * GIB - 1);
				}
				first = next;
				calls++;
			} while (result);
			assert_int_equal(report.nr, 9);
			assert_true(calls >= 8 / budget);
			/*
			 * Behind the eighth table there is only a block, in a table that is looked
			 * into.
			 */
			assert_true(budget >= 8 || calls > 1);
			assert_int_equal(clear(0, 8 * GIB - 1), 0);
			assert_int_equal(report.nr, 0);
			done();
		}
	}
}

/* ---- tracking on and off ------------------------------------------------------------------- */

static void looks_dirty(struct device *seen, const struct iopt_gather *owed)
{
	(void)owed;
	*(bool *)seen->ctx = is_dirty(PAGE);
}

/* What was dirty before is forgotten, unreported, and caches that know of it go. */
static void track_on(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		bool dirty = true;

		domain_of(formats[i], 4, IOPT_TRACKABLE);
		map_pages(0, 4);
		map(2 * MIB, 2 * MIB);
		map(GIB, GIB);
		write_to(PAGE);
		write_to(2 * MIB);
		write_to(GIB);
		device.look = looks_dirty;
		device.ctx = &dirty;
		assert_int_equal(iopt_track(device.domain, true), 0);
		assert_false(dirty); /* cleared before the device looks again */
		assert_true(device.invalidations >= 1);
		assert_true(device.owes & IOPT_OWES_ALL);
		assert_true(device.owes & IOPT_OWES_DEVICE_TLB);
		assert_int_equal(clear(0, 4 * GIB - 1), 0);
		assert_int_equal(report.nr, 0);
		write_to(3 * PAGE);
		write_to(GIB);
		assert_int_equal(clear(0, 4 * GIB - 1), 0);
		CHECK_REPORTED({ 3 * PAGE, 4 * PAGE - 1 }, { GIB, 2 * GIB - 1 });
		done();
	}
}

/* Over nothing, too: a translation may be cached that was unmapped and not synced yet. */
static void track_on_owes_everything_always(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACKABLE);
		assert_int_equal(iopt_track(device.domain, true), 0);
		assert_int_equal(device.invalidations, 1);
		assert_true(device.owes & IOPT_OWES_ALL);
		/* It is on: nothing more is owed, and what is dirty stays. */
		map(0, PAGE);
		write_to(0);
		assert_int_equal(iopt_track(device.domain, true), 0);
		assert_int_equal(device.invalidations, 1);
		assert_true(is_dirty(0));
		done();
	}
}

/* Both halves of a sign-extended space, and above no top there is anything to forget. */
static void track_on_everywhere(void **state)
{
	(void)state;
	domain_of("x86-64", 4, IOPT_TRACKABLE | IOPT_SIGN_EXTEND);
	map_pages(0, 1);
	assert_int_equal(iopt_map(device.domain, -HALF, -HALF + PAGE - 1, 0, RW, NULL), 0);
	assert_int_equal(iopt_map(device.domain, -PAGE, ~0ull, 0, RW, NULL), 0);
	write_to(0);
	write_to(-HALF);
	write_to(~0ull);
	assert_int_equal(iopt_track(device.domain, true), 0);
	assert_false(is_dirty(0));
	assert_false(is_dirty(-HALF));
	assert_false(is_dirty(~0ull));
	done();
	domain_of("amd-v1", 1, IOPT_TRACKABLE);
	map_pages(0, 1);
	write_to(0);
	assert_int_equal(iopt_track(device.domain, true), 0);
	assert_false(is_dirty(0));
	done();
}

/* Off and on again: what was written in between is nobody's. */
static void track_off(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACK);
		map_pages(0, 4);
		write_to(0);
		assert_int_equal(iopt_track(device.domain, false), 0);
		assert_int_equal(device.invalidations, 0);
		write_to(PAGE);
		assert_int_equal(iopt_track(device.domain, true), 0);
		assert_int_equal(clear(0, GIB - 1), 0);
		assert_int_equal(report.nr, 0);
		write_to(2 * PAGE);
		assert_int_equal(clear(0, GIB - 1), 0);
		CHECK_REPORTED({ 2 * PAGE, 3 * PAGE - 1 });
		done();
	}
}

/*
 * Leaves that are mapped while tracking is on start clean, also where untracked ones start dirty.
 */
static void new_leaves_are_clean(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, IOPT_TRACKABLE);
		map_pages(0, 2);
		assert_int_equal(iopt_track(device.domain, true), 0);
		map_pages(8 * PAGE, 2);
		map(2 * MIB, 2 * MIB);
		assert_int_equal(sweep(0, GIB - 1, 0), 0);
		assert_int_equal(report.nr, 0);
		done();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(beyond_the_width),
		cmocka_unit_test(not_trackable),
		cmocka_unit_test(nothing_dirty),
		cmocka_unit_test(leaves_of_all_sizes),
		cmocka_unit_test(reading_changes_nothing),
		cmocka_unit_test(clearing_keeps_everything_else),
		cmocka_unit_test(runs),
		cmocka_unit_test(starts_in_the_middle_of_a_leaf),
		cmocka_unit_test(parts_of_pages),
		cmocka_unit_test(clearing_owes_an_invalidation),
		cmocka_unit_test(sink_that_refuses),
		cmocka_unit_test(sink_that_refuses_a_block),
		cmocka_unit_test(budgets),
		cmocka_unit_test(track_on),
		cmocka_unit_test(track_on_owes_everything_always),
		cmocka_unit_test(track_on_everywhere),
		cmocka_unit_test(track_off),
		cmocka_unit_test(new_leaves_are_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
