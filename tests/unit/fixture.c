/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See fixture.h. */
#include <errno.h>
#include <string.h>

#include "tests/unit/fixture.h"

struct device device;
struct iopt_gather gather;
struct report report;
struct claims claims;
struct iopt_sink sink;
const struct hardware *hw;
const struct iopt_format_info *info;
uint64_t sizes;

static int record(void *ctx, uint64_t first, uint64_t last)
{
	struct report *to = ctx;

	assert_true(first <= last);
	if (++to->calls >= to->refuse && to->refuse)
		return -ENOSPC;
	assert_true(to->nr < MOST_REPORTS);
	to->ranges[to->nr++] = (struct iopt_range){ first, last };
	return 0;
}

/* ---- claims -------------------------------------------------------------------------------- */

static bool try_claim(void *ctx, uint64_t first, uint64_t last)
{
	assert_ptr_equal(ctx, &device);
	assert_true(first <= last);
	if (claims.look)
		claims.look(first, last);
	if (claims.theirs.first <= claims.theirs.last && first <= claims.theirs.last &&
	    last >= claims.theirs.first) {
		claims.refused++;
		return false;
	}
	assert_true(claims.nr < MOST_CLAIMS);
	claims.ranges[claims.nr++] = (struct iopt_range){ first, last };
	if (++claims.held > claims.most_held)
		claims.most_held = claims.held;
	return true;
}

static void release(void *ctx, uint64_t first, uint64_t last)
{
	assert_ptr_equal(ctx, &device);
	assert_true(claims.held);
	claims.held--;
	/* The same range as in a claim that was not released yet: those are turned around. */
	for (unsigned i = 0; i < claims.nr; i++) {
		if (claims.ranges[i].first == first && claims.ranges[i].last == last) {
			claims.ranges[i].first = last;
			claims.ranges[i].last = first;
			return;
		}
	}
	fail_msg("0x%jx..0x%jx was released and never claimed", (uintmax_t)first, (uintmax_t)last);
}

bool claimed(uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < claims.nr; i++) {
		const struct iopt_range *range = &claims.ranges[i];

		if ((range->first == first && range->last == last) ||
		    (range->first == last && range->last == first))
			return true;
	}
	return false;
}

/* ---- the domain ---------------------------------------------------------------------------- */

void open_config(const struct iopt_config *config)
{
	struct iopt_config own = *config;

	memset(&device, 0, sizeof(device));
	memset(&report, 0, sizeof(report));
	memset(&claims, 0, sizeof(claims));
	claims.theirs.first = 1;
	own.callbacks.try_claim = try_claim;
	own.callbacks.release = release;
	sink = (struct iopt_sink){ .record = record, .ctx = &report };
	hw = hardware_of(config->format);
	info = iopt_format_find(config->format);
	sizes = config->page_sizes ? config->page_sizes : info->page_sizes;
	assert_int_equal(device_create(&device, &own), 0);
	iopt_gather_init(&gather, device.domain, &sink);
}

void open_domain(const char *format, unsigned levels, uint32_t flags)
{
	struct iopt_config config = { .format = format, .levels = (uint8_t)levels, .flags = flags };

	open_config(&config);
}

void close_domain(void)
{
	iopt_sync(&gather);
	assert_int_equal(claims.held, 0);
	assert_true(device_destroy(&device));
}

void map_to(uint64_t first, uint64_t bytes, uint64_t pa, unsigned prot)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1, pa, prot, NULL), 0);
}

void map(uint64_t first, uint64_t bytes)
{
	map_to(first, bytes, first, RW);
}

void map_pages(uint64_t first, unsigned nr)
{
	for (uint64_t i = 0; i < nr; i++)
		map_to(first + i * PAGE, PAGE, 2 * i * PAGE, RW);
}

void unmap(uint64_t first, uint64_t bytes)
{
	assert_int_equal(iopt_unmap(device.domain, first, first + bytes - 1, 0, &gather, NULL), 0);
	iopt_sync(&gather);
}

/* ---- devices, and what is dirty ------------------------------------------------------------ */

void write_to(uint64_t iova)
{
	assert_true(device_writes(hw, device.domain, iova));
}

bool is_dirty(uint64_t iova)
{
	struct iopt_item leaf;

	assert_true(find_leaf(device.domain, iova, &leaf));
	return leaf.flags & IOPT_ITEM_DIRTY;
}

void forget_reports(void)
{
	report.nr = 0;
	report.calls = 0;
}

void sweep_clear(uint64_t first, uint64_t last)
{
	forget_reports();
	assert_int_equal(iopt_sweep(device.domain, first, last, IOPT_SWEEP_CLEAR, &sink, &gather, 0,
				    NULL),
			 0);
	iopt_sync(&gather);
}

unsigned reported(uint64_t iova)
{
	unsigned found = 0;

	for (unsigned i = 0; i < report.nr; i++)
		found += report.ranges[i].first <= iova && iova <= report.ranges[i].last;
	return found;
}

/* ---- what is there ------------------------------------------------------------------------- */

unsigned leaf_lg2_at(uint64_t iova)
{
	struct iopt_translation t;

	return iopt_translate(device.domain, iova, &t) ? 0 : t.leaf_lg2;
}

void check_mapped(uint64_t iova, uint64_t pa)
{
	struct iopt_translation t;

	assert_int_equal(iopt_translate(device.domain, iova, &t), 0);
	assert_int_equal(t.pa, pa);
}

void check_empty(uint64_t iova)
{
	struct iopt_translation t;

	assert_int_equal(iopt_translate(device.domain, iova, &t), -ENOENT);
}

void check_leaves(uint64_t first, uint64_t bytes, uint64_t pa, unsigned leaf_lg2)
{
	struct iopt_item items[64];
	struct iopt_visit visit;
	uint64_t next = first;

	iopt_visit_init(&visit, first, first + bytes - 1, IOPT_VISIT_LEAVES);
	while (!visit.done) {
		size_t nr = iopt_visit(device.domain, &visit, items, 64);

		for (size_t i = 0; i < nr; i++) {
			assert_int_equal(items[i].first, next);
			assert_int_equal(items[i].pa, pa + (next - first));
			assert_int_equal(items[i].leaf_lg2, leaf_lg2);
			next = items[i].last + 1;
		}
	}
	assert_int_equal(next, first + bytes);
}

/* Below 2^most bytes, aligned, and not behind the end. */
static unsigned largest_at(uint64_t first, uint64_t last, unsigned most)
{
	unsigned lg2 = most > 63 ? 63 : most;

	while (!(sizes >> lg2 & 1) || (first & ((1ull << lg2) - 1)) ||
	       last - first < (1ull << lg2) - 1)
		lg2--;
	return lg2;
}

void check_largest(uint64_t first, uint64_t last, uint64_t pa, unsigned most)
{
	struct iopt_visit visit;

	iopt_visit_init(&visit, first, last, IOPT_VISIT_LEAVES);
	while (!visit.done) {
		struct iopt_item items[64];
		size_t nr = iopt_visit(device.domain, &visit, items, 64);

		for (size_t i = 0; i < nr; i++) {
			assert_int_equal(items[i].first, first);
			assert_int_equal(items[i].pa, pa);
			assert_int_equal(items[i].leaf_lg2, largest_at(first, last, most));
			pa += items[i].last - first + 1;
			first = items[i].last + 1;
		}
	}
	assert_int_equal(first, last + 1);
}

struct iopt_stats stats_now(void)
{
	struct iopt_stats stats;

	iopt_stats(device.domain, &stats);
	return stats;
}

uint64_t tables(void)
{
	uint64_t found = count_items(device.domain, 0, ~0ull, IOPT_VISIT_TABLES);

	assert_int_equal(stats_now().tables, found);
	return found;
}

uint64_t *entry_at(uint64_t iova, unsigned level)
{
	struct iopt_item items[IOPT_MAX_LEVELS];
	struct iopt_visit visit;
	size_t nr;

	iopt_visit_init(&visit, iova, iova, IOPT_VISIT_TABLES);
	nr = iopt_visit(device.domain, &visit, items, IOPT_MAX_LEVELS);
	for (size_t i = 0; i < nr; i++) {
		uint64_t index = (iova - items[i].first) >> span_lg2(info, level);

		if (items[i].level == level)
			return (uint64_t *)iopt_posix_va(items[i].pa) + index;
	}
	fail_msg("no table of level %u at 0x%jx", level, (uintmax_t)iova);
	return NULL;
}
