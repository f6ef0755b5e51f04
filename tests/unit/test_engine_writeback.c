/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Walkers that do not snoop: what an operation writes back to memory, to the line, and that a
 * device which reads memory as it was written back translates as soon as a map returns and no
 * longer than an unmap is synced.
 *
 * Numbers of lines are for one operation: each line of entries that it changed, once; all lines of
 * a new table, once; the lines of table entries that nobody wrote back before. Calls are ranges of
 * lines without a gap in one table.
 */
#include <errno.h>
#include <string.h>

#include "soft-iommu/soft_iommu.h"
#include "tests/support/formats.h"
#include "tests/support/shape.h"
#include "tests/unit/fixture.h"

#define LINE 64u

/* Of all formats, in the order of the names. */
#define IOPT_FORMAT(name) &name##_format,
static const struct iopt_format *const encodings[] = {
#include "formats/list.h"
};
#undef IOPT_FORMAT

/* The format's shape. */
static uint64_t page, span;			    /* bytes of an entry at level 0 and 1 */
static unsigned entries, line_entries, table_lines; /* of a table at level 0, and of a line */
static uint64_t unwritten;
static uint64_t at; /* the first entries of lines of all tables lead there */

/* ---- a domain and its device ----------------------------------------------------------------- */

static struct soft_iommu *unit;
static struct soft_iommu_domain *side;
static struct soft_iommu_device *walker;
static struct iopt_posix_writebacks before;

static void count_again(void)
{
	iopt_posix_writebacks(&before);
}

/* Since the last look. */
static void expect(unsigned calls, unsigned lines)
{
	struct iopt_posix_writebacks now;

	iopt_posix_writebacks(&now);
	assert_int_equal(now.lines - before.lines, lines);
	assert_int_equal(now.calls - before.calls, calls);
	before = now;
}

static void drop(struct device *from, const struct iopt_gather *what)
{
	(void)from;
	soft_iommu_invalidate(side, what);
}

/*
 * The next format from i on that has the addresses of these tests, and trim, which makes tables
 * come and go.
 */
static size_t wide(size_t i)
{
	while (i < NR_FORMATS &&
	       (!(iopt_format_info(i)->abilities & IOPT_CAN_TRIM) ||
		width_of(iopt_format_info(i), iopt_format_info(i)->default_levels) < 39))
		i++;
	return i;
}

static uint64_t reached;

static void touch(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	(void)ctx;
	(void)iova;
	(void)write;
	reached = pa;
}

static void open_walker(size_t i, uint32_t flags)
{
	const struct soft_iommu_config config = {
		.va = iopt_posix_va,
		.image = iopt_posix_image_va,
		.state = iopt_posix_table_state,
		.poison = IOPT_POSIX_POISON,
	};
	const struct soft_iommu_device_config as = { .touch = touch };
	struct soft_iommu_domain_config how = {
		.format = formats[i],
		.flags = SOFT_IOMMU_NO_SNOOP,
	};

	open_domain(formats[i], 0, IOPT_NONCOHERENT | flags);
	page = 1ull << info->granule_lg2;
	span = page << info->index_lg2;
	entries = 1u << info->index_lg2;
	line_entries = LINE >> info->entry_lg2;
	table_lines = entries / line_entries;
	unwritten = encodings[i]->table_unwritten;
	at = 2 * line_entries * span;
	iopt_hw(device.domain, &how.hw);
	assert_int_equal(soft_iommu_create(&config, &unit), 0);
	assert_int_equal(soft_iommu_domain_create(unit, &how, &side), 0);
	assert_int_equal(soft_iommu_device_create(side, &as, &walker), 0);
	device.look = drop;
	count_again();
}

static void close_walker(void)
{
	iopt_sync(&gather);
	assert_int_equal(soft_iommu_count(unit, SOFT_IOMMU_BREACHES), 0);
	soft_iommu_device_destroy(walker);
	soft_iommu_domain_destroy(side);
	soft_iommu_destroy(unit);
	close_domain();
}

/* Where a device's access ends up, by reading and by writing; 0: nowhere. */
static uint64_t device_at(uint64_t iova)
{
	struct iopt_hw now;
	uint64_t pa;

	iopt_hw(device.domain, &now);
	assert_int_equal(soft_iommu_set_root(side, &now), 0);
	if (soft_iommu_access(walker, iova, SOFT_IOMMU_READ, NULL) != SOFT_IOMMU_DONE) {
		assert_int_not_equal(soft_iommu_access(walker, iova, SOFT_IOMMU_WRITE, NULL),
				     SOFT_IOMMU_DONE);
		return 0;
	}
	pa = reached;
	assert_int_equal(soft_iommu_access(walker, iova, SOFT_IOMMU_WRITE, NULL), SOFT_IOMMU_DONE);
	assert_int_equal(reached, pa);
	return pa;
}

/* Leaves of a granule: no larger one has two addresses that differ by an odd number of pages. */
static void map_small(uint64_t iova, unsigned nr)
{
	map_to(iova, nr * page, iova + page, RW);
}

/* The tables of level 0 from one on are there, and nothing is mapped in them. */
static void have_tables(uint64_t iova, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		map_small(iova + i * span, 1);
		unmap(iova + i * span, page);
	}
	count_again();
}

static bool is_marked(uint64_t iova, unsigned level)
{
	return *entry_at(iova, level) & unwritten;
}

/* Domains without a break before another size. */
static bool changes_sizes(void)
{
	return (info->abilities & IOPT_CAN_RESIZE) && !(info->abilities & IOPT_CAN_BBM);
}

/* Whether a block of level 1 is a size of the domain's. */
static bool has_blocks(void)
{
	return sizes & span;
}

/* ---- devices --------------------------------------------------------------------------------- */

/* Each size, in tables that are new and in some whose pages were other tables before. */
static void device_follows(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		for (unsigned turn = 0; turn < 3; turn++) {
			for (unsigned lg2 = info->granule_lg2; lg2 < 31; lg2++) {
				uint64_t bytes = 1ull << lg2;
				uint64_t iova = (turn + 1) * 8 * GIB + bytes;

				if (!(sizes & bytes))
					continue;
				assert_int_equal(device_at(iova), 0);
				map_to(iova, bytes, 2 * bytes, RW);
				assert_int_equal(device_at(iova), 2 * bytes);
				assert_int_equal(device_at(iova + bytes - 1), 3 * bytes - 1);
				unmap(iova, bytes);
				assert_int_equal(device_at(iova), 0);
				assert_int_equal(device_at(iova + bytes - 1), 0);
			}
			assert_int_equal(
				iopt_trim(device.domain, 0, 32 * GIB - 1, &gather, 0, NULL), 0);
			iopt_sync(&gather);
			iopt_posix_barrier();
		}
		close_walker();
	}
}

/* Tables whose memory is full of leaves, of others that were unlinked as a whole, are used anew. */
static void device_sees_nothing_old(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		map_small(at, 128 * entries);
		unmap(at, 128 * span);
		iopt_posix_barrier();
		for (unsigned k = 0; k < 128; k++) {
			uint64_t iova = at + k * span;

			map_small(iova + k * page, 1);
			assert_int_equal(device_at(iova + k * page), iova + (k + 1) * page);
			assert_int_equal(device_at(iova + (k + 1) * page), 0);
			assert_int_equal(device_at(iova + span - page), 0);
		}
		close_walker();
	}
}

/* A block of a full table, and back; permissions; a table that is given back. */
static void device_follows_changes(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		for (unsigned k = 0; k < entries; k++)
			map_to(at + k * page, page, 3 * span + k * page, RW);
		assert_int_equal(device_at(at + 5 * page), 3 * span + 5 * page);
		if (changes_sizes() && has_blocks()) {
			assert_int_equal(iopt_merge(device.domain, at, at + span - 1, ~0u, 0,
						    &gather, 0, NULL),
					 0);
			iopt_sync(&gather);
			iopt_posix_barrier();
			assert_int_equal(device_at(at + 5 * page), 3 * span + 5 * page);
			assert_int_equal(iopt_split(device.domain, at, at + span - 1,
						    info->granule_lg2, 0, &gather, 0, NULL),
					 0);
			iopt_sync(&gather);
			assert_int_equal(device_at(at + 7 * page), 3 * span + 7 * page);
		}
		assert_int_equal(
			iopt_protect(device.domain, at, at + 4 * page - 1, IOPT_READ, &gather), 0);
		iopt_sync(&gather);
		assert_int_equal(soft_iommu_access(walker, at, SOFT_IOMMU_WRITE, NULL),
				 SOFT_IOMMU_NO_WRITE);
		assert_int_equal(soft_iommu_access(walker, at, SOFT_IOMMU_READ, NULL),
				 SOFT_IOMMU_DONE);
		unmap(at, span);
		assert_int_equal(device_at(at + 7 * page), 0);
		close_walker();
	}
}

/* ---- map ------------------------------------------------------------------------------------- */

static void map_into_a_table(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		have_tables(at, 2);
		map_small(at + 3 * page, 1);
		expect(1, 1); /* nothing of the way to it */
		map_small(at + (line_entries - 1) * page, 2);
		expect(1, 2);
		unmap(at + 3 * page, page);
		unmap(at + (line_entries - 1) * page, 2 * page);
		count_again();
		map_small(at, entries);
		expect(1, table_lines);
		/* The last line of a table and the first of the next, wherever they lie. */
		unmap(at, (entries - 1) * page);
		unmap(at + (entries - 1) * page, page);
		count_again();
		map_small(at + (entries - 1) * page, 2);
		expect(2, 2);
		close_walker();
	}
}

/* Segments that do not continue each other, in one line and in all of a table. */
static void map_segments(void **state)
{
	static struct iopt_segment segments[1u << 13];

	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		have_tables(at, 1);
		for (unsigned k = 0; k < entries; k++)
			segments[k] = (struct iopt_segment){ (2 * k + 1) * page, page };
		assert_int_equal(iopt_map_sg(device.domain, at, segments, line_entries / 2, RW,
					     NULL, NULL),
				 0);
		expect(1, 1);
		unmap(at, line_entries / 2 * page);
		count_again();
		assert_int_equal(iopt_map_sg(device.domain, at, segments, entries, RW, NULL, NULL),
				 0);
		expect(1, table_lines);
		assert_int_equal(device_at(at + 9 * page), 19 * page);
		close_walker();
	}
}

static void map_with_tables(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		have_tables(at, 1);
		map_small(at + span, 1);
		expect(2, table_lines + 1); /* the table, and the entry that leads to it */
		assert_false(is_marked(at + span, 1));
		map_small(at + span + page, 1);
		expect(1, 1);
		/* As many as there are entries in a line of the table above: that goes once. */
		map_small(at + line_entries * span, line_entries * entries);
		expect(line_entries + 1, line_entries * table_lines + 1);
		/* A table below a table. */
		if (stats_now().live[2]) {
			map_small(at + span * entries, 1);
			expect(3, 2 * table_lines + 1);
		}
		close_walker();
	}
}

/* A block and a table whose entries share a line. */
static void map_block_and_table(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		if (has_blocks()) {
			const struct iopt_segment segments[] = { { 4 * span, span },
								 { 7 * page, page } };

			have_tables(at + 2 * span, 1);
			assert_int_equal(
				iopt_map_sg(device.domain, at, segments, 2, RW, NULL, NULL), 0);
			expect(2, table_lines + 1);
			assert_int_equal(device_at(at + page), 4 * span + page);
			assert_int_equal(device_at(at + span), 7 * page);
		}
		close_walker();
	}
}

/* In the place of an empty table; of several under a run, after memory shows that they are gone. */
static void map_over_empty_tables(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		if (changes_sizes() && has_blocks()) {
			have_tables(at, 1);
			map_to(at, span, 4 * span, RW);
			expect(1, 1);
			assert_int_equal(device_at(at + page), 4 * span + page);
		}
		if (changes_sizes() && (sizes & 2 * span)) {
			have_tables(at + 2 * span, 2);
			map_to(at + 2 * span, 2 * span, 8 * span, RW);
			expect(2, 2);
			assert_int_equal(device_at(at + 3 * span), 9 * span);
		}
		close_walker();
	}
}

/* A top that a domain grows by is new, too. */
static void map_that_grows(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		if (info->abilities & IOPT_CAN_GROW) {
			uint64_t beyond = span;

			for (unsigned level = 1; level < info->default_levels; level++)
				beyond <<= info->index_lg2;
			map_small(beyond, 1);
			expect(info->default_levels + 2u,
			       (info->default_levels + 1u) * table_lines + 1);
			assert_int_equal(device_at(beyond), beyond + page);
		}
		close_walker();
	}
}

/* What was written and is rolled back in one table goes to memory once. */
static void map_that_fails(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		have_tables(at, 1);
		map_small(at + 5 * page, 1);
		count_again();
		assert_int_equal(iopt_map(device.domain, at, at + 6 * page - 1, 7 * page, RW, NULL),
				 -EEXIST);
		expect(1, 1);
		assert_int_equal(device_at(at), 0);
		/*
		 * A table that came with it stays, and its entry is in memory; nobody says
		 * so before the next map there has written it once more.
		 */
		map_small(at + 2 * span, 1);
		count_again();
		assert_int_equal(iopt_map(device.domain, at + 2 * span - 2 * page,
					  at + 2 * span + page - 1, 7 * page, RW, NULL),
				 -EEXIST);
		expect(3, table_lines + 1 + 1);
		assert_int_equal(device_at(at + 2 * span - page), 0);
		map_small(at + span, 1);
		expect(2, unwritten ? 2 : 2 + stats_now().live[2]);
		map_small(at + span + page, 1);
		expect(1, 1);
		close_walker();
	}
}

/*
 * The mapper that linked a table was stopped before its write-back: memory shows none of it. Who
 * maps there next brings it to memory before it returns, and once is enough.
 */
static void another_writers_table(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		for (unsigned nr = 1; nr <= 2; nr++) {
			uint64_t *entry, *memory;

			open_walker(i, 0);
			map_small(at, 1);
			entry = entry_at(at, 1);
			memory = (uint64_t *)((char *)entry - (char *)iopt_posix_va(0) +
					      (char *)iopt_posix_image_va(0));
			assert_int_equal(*memory & ~unwritten, *entry);
			*entry |= unwritten;
			*memory = 0;
			assert_int_equal(device_at(at), 0);
			count_again();
			map_small(at + 9 * page, nr);
			expect(2, 2);
			assert_false(is_marked(at, 1));
			assert_int_equal(device_at(at + 9 * page), at + 10 * page);
			map_small(at + 11 * page, 1);
			expect(1, 1);
			close_walker();
		}
	}
}

/* ---- unmap, trim ----------------------------------------------------------------------------- */

static void unmap_leaves(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		map_small(at, entries);
		count_again();
		unmap(at + 5 * page, page);
		expect(1, 1);
		/* With the hole; not all of the table. */
		unmap(at, (entries - 1) * page);
		expect(1, table_lines);
		unmap(at, (entries - 1) * page);
		expect(0, 0);
		/* Lines without a leaf are left alone. */
		map_small(at, 1);
		map_small(at + 4 * line_entries * page, 1);
		count_again();
		unmap(at, (entries - 1) * page);
		expect(2, 2);
		assert_int_equal(device_at(at + 4 * line_entries * page), 0);
		close_walker();
	}
}

static void unmap_tables(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		map_small(at, line_entries * entries);
		count_again();
		assert_int_equal(device_at(at + span), at + span + page);
		unmap(at, span);
		expect(1, 1);
		unmap(at + span, (line_entries - 1) * span);
		expect(1, 1);
		assert_int_equal(device_at(at), 0);
		assert_int_equal(device_at(at + span), 0);
		close_walker();
	}
}

static void trim_tables(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		have_tables(at, 3);
		have_tables(at + 3 * line_entries * span, 1);
		map_small(at + span, 1);
		assert_int_equal(device_at(at + span), at + span + page);
		count_again();
		assert_int_equal(iopt_trim(device.domain, at, at + 4 * line_entries * span - 1,
					   &gather, 0, NULL),
				 0);
		expect(2, 2);
		iopt_sync(&gather);
		assert_int_equal(device_at(at), 0);
		assert_int_equal(device_at(at + span), at + span + page);
		unmap(at + span, page);
		close_walker();
	}
}

/* ---- live changes ---------------------------------------------------------------------------- */

static void protect_leaves(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		map_small(at, 2 * line_entries);
		map_small(at + 5 * line_entries * page, 1);
		count_again();
		assert_int_equal(iopt_protect(device.domain, at, at + 2 * line_entries * page - 1,
					      IOPT_READ, &gather),
				 0);
		expect(1, 2);
		assert_int_equal(iopt_protect(device.domain, at + page,
					      at + 6 * line_entries * page - 1, IOPT_READ, &gather),
				 0);
		expect(2, 3);
		close_walker();
	}
}

static void split_and_merge(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		open_walker(i, 0);
		if (changes_sizes() && has_blocks()) {
			uint64_t far = at + 4 * line_entries * span;

			map_to(at, span, 3 * span, RW);
			map_to(at + span, span, 7 * span, RW);
			map_to(far, span, 9 * span, RW);
			count_again();
			assert_int_equal(iopt_split(device.domain, at, at + 2 * span - 1,
						    info->granule_lg2, 0, &gather, 0, NULL),
					 0);
			expect(4, 2 * (table_lines + 1));
			assert_false(is_marked(at, 1));
			assert_int_equal(iopt_split(device.domain, far, far + span - 1,
						    info->granule_lg2, 0, &gather, 0, NULL),
					 0);
			count_again();
			assert_int_equal(iopt_merge(device.domain, at, far + span - 1, ~0u, 0,
						    &gather, 0, NULL),
					 0);
			expect(2, 2);
			assert_int_equal(device_at(at + span), 7 * span);
		}
		close_walker();
	}
}

/* Entries that become a run, and a run that becomes single entries. */
static void split_and_merge_runs(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		uint64_t bytes;

		open_walker(i, 0);
		bytes = sizes & (span - 1) & ~page; /* of level 0, but for the smallest */
		bytes &= -bytes;
		if (changes_sizes() && bytes) {
			unsigned lines = (unsigned)(bytes / page + line_entries - 1) / line_entries;

			map_to(at, bytes, 4 * bytes, RW);
			count_again();
			assert_int_equal(iopt_split(device.domain, at, at + bytes - 1,
						    info->granule_lg2, 0, &gather, 0, NULL),
					 0);
			expect(1, lines);
			assert_int_equal(iopt_merge(device.domain, at, at + bytes - 1, ~0u, 0,
						    &gather, 0, NULL),
					 0);
			expect(1, lines);
		}
		close_walker();
	}
}

/* ---- the domain ------------------------------------------------------------------------------ */

/* The top; and nothing at all where walkers snoop. */
static void create_and_snoop(void **state)
{
	(void)state;
	for (size_t i = wide(0); i < NR_FORMATS; i = wide(i + 1)) {
		struct iopt_stats now;

		count_again();
		open_domain(formats[i], 0, IOPT_NONCOHERENT);
		iopt_stats(device.domain, &now);
		expect(1, (unsigned)(now.table_bytes / LINE));
		close_domain();
		if (!is_usual(iopt_format_info(i)))
			continue;
		open_domain(formats[i], 0, 0);
		map_pages(64 * MIB, 1024);
		assert_int_equal(
			iopt_protect(device.domain, 64 * MIB, 68 * MIB - 1, IOPT_READ, &gather), 0);
		unmap(64 * MIB, 2 * MIB);
		unmap(66 * MIB, 2 * MIB);
		assert_int_equal(iopt_trim(device.domain, 0, GIB - 1, &gather, 0, NULL), 0);
		expect(0, 0);
		close_domain();
	}
}

/* The fewer tables there are in all, the sooner one is used again as another one. */
static int setup(void **state)
{
	const struct iopt_posix_config config = { .fd = -1, .bytes = 64 * MIB, .image = true };

	(void)state;
	return iopt_posix_setup(&config);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_follows),	  cmocka_unit_test(device_sees_nothing_old),
		cmocka_unit_test(device_follows_changes), cmocka_unit_test(map_into_a_table),
		cmocka_unit_test(map_segments),		  cmocka_unit_test(map_with_tables),
		cmocka_unit_test(map_block_and_table),	  cmocka_unit_test(map_over_empty_tables),
		cmocka_unit_test(map_that_grows),	  cmocka_unit_test(map_that_fails),
		cmocka_unit_test(another_writers_table),  cmocka_unit_test(unmap_leaves),
		cmocka_unit_test(unmap_tables),		  cmocka_unit_test(trim_tables),
		cmocka_unit_test(protect_leaves),	  cmocka_unit_test(split_and_merge),
		cmocka_unit_test(split_and_merge_runs),	  cmocka_unit_test(create_and_snoop),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, setup, NULL);
}
