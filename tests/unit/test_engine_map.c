/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * map and map_sg, one thread: what they refuse, which leaves they choose, what they leave alone
 * when they fail, and what the hardware is told.
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
#define HALF (1ull << 47) /* where the lower half of four levels ends */

static struct snapshot snapshot;
static struct device device;

static struct iopt_domain *domain_of(const char *format, unsigned levels, uint32_t flags)
{
	struct iopt_config config = { .format = format, .levels = (uint8_t)levels, .flags = flags };

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	return device.domain;
}

static struct iopt_domain *domain_with_sizes(const char *format, uint64_t page_sizes)
{
	struct iopt_config config = { .format = format, .page_sizes = page_sizes };

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	return device.domain;
}

static void done(void)
{
	assert_true(device_destroy(&device));
}

static void check_translates(uint64_t iova, uint64_t pa, unsigned leaf_lg2, unsigned prot)
{
	struct iopt_translation t;

	assert_int_equal(iopt_translate(device.domain, iova, &t), 0);
	assert_int_equal(t.pa, pa);
	assert_int_equal(t.leaf_lg2, leaf_lg2);
	assert_int_equal(t.prot, prot);
}

static void check_empty(uint64_t iova)
{
	struct iopt_translation t;

	assert_int_equal(iopt_translate(device.domain, iova, &t), -ENOENT);
}

/* Unmaps and syncs all there is in a range. */
static void clear(uint64_t first, uint64_t last)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, device.domain, NULL);
	assert_int_equal(iopt_unmap(device.domain, first, last, 0, &gather, NULL), 0);
	iopt_sync(&gather);
}

/* ---- arguments ----------------------------------------------------------------------------- */

static void misaligned(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);

		for (unsigned bit = 0; bit < 12; bit++) {
			uint64_t off = 1ull << bit;

			assert_int_equal(iopt_map(domain, PAGE + off, 3 * PAGE - 1, 0, RW, NULL),
					 -EINVAL);
			assert_int_equal(iopt_map(domain, PAGE, 3 * PAGE - 1 - off, 0, RW, NULL),
					 -EINVAL);
			assert_int_equal(iopt_map(domain, PAGE, 3 * PAGE - 1, off, RW, NULL),
					 -EINVAL);
		}
		assert_int_equal(count_items(domain, 0, ~0ull, IOPT_VISIT_TABLES), 1);
		done();
	}
}

static void empty_and_backward(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);

		assert_int_equal(iopt_map(domain, PAGE, PAGE - 1, 0, RW, NULL), -EINVAL);
		assert_int_equal(iopt_map(domain, 4 * PAGE, 2 * PAGE - 1, 0, RW, NULL), -EINVAL);
		/* What length 0 at address 0 comes to: the whole of 64 bits. */
		assert_int_equal(iopt_map(domain, 0, ~0ull, 0, RW, NULL), -ERANGE);
		assert_int_equal(count_items(domain, 0, ~0ull, IOPT_VISIT_TABLES), 1);
		done();
	}
}

static void beyond_the_width(void **state)
{
	struct iopt_domain *domain = domain_of("vtd-ss", 3, 0);
	const uint64_t end = 1ull << 39;

	(void)state;
	assert_int_equal(iopt_map(domain, end, end + PAGE - 1, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, end - PAGE, end + PAGE - 1, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, ~0ull - PAGE + 1, ~0ull, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, end - PAGE, end - 1, 0, RW, NULL), 0);
	check_translates(end - 1, PAGE - 1, 12, RW);
	done();
}

static void beyond_the_physical_width(void **state)
{
	struct iopt_config config = { .format = "amd-v1", .pa_lg2 = 40 };
	struct iopt_domain *domain;
	const uint64_t end = 1ull << 40;

	(void)state;
	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	domain = device.domain;
	assert_int_equal(iopt_map(domain, 0, PAGE - 1, end, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, 0, 2 * PAGE - 1, end - PAGE, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, 0, PAGE - 1, ~0ull - PAGE + 1, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, 0, 2 * PAGE - 1, ~0ull - PAGE + 1, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, 0, end + PAGE - 1, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, 0, PAGE - 1, end - PAGE, RW, NULL), 0);
	check_translates(5, end - PAGE + 5, 12, RW);
	done();
}

/* Each set of attributes: taken and given back, or refused. */
static void attributes(void **state)
{
	static const struct {
		const char *format;
		unsigned known;
		bool write_only;
	} formats_know[] = {
		{ "vtd-ss", RW | IOPT_SNOOP, true },
		{ "x86-64", RW | IOPT_EXEC | IOPT_PRIV, false },
		{ "amd-v1", RW | IOPT_SNOOP, true },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct iopt_domain *domain = domain_of(formats_know[i].format, 4, 0);

		for (unsigned prot = 0; prot < 64; prot++) {
			bool fits = !(prot & ~formats_know[i].known) &&
				    ((prot & IOPT_READ) ||
				     ((prot & IOPT_WRITE) && formats_know[i].write_only));
			uint64_t iova = prot * PAGE;
			int result = iopt_map(domain, iova, iova + PAGE - 1, iova, prot, NULL);

			assert_int_equal(result, fits ? 0 : -EINVAL);
			if (fits)
				check_translates(iova, iova, 12, prot);
			else
				check_empty(iova);
		}
		done();
	}
}

/* ---- the ends of the space ----------------------------------------------------------------- */

static void last_page_of_64_bits(void **state)
{
	struct iopt_domain *domain = domain_of("amd-v1", 6, 0);
	const uint64_t last = ~0ull - PAGE + 1;

	(void)state;
	assert_int_equal(iopt_map(domain, last, ~0ull, 0x5000, RW, NULL), 0);
	assert_int_equal(iopt_map(domain, 0, PAGE - 1, 0x7000, RW, NULL), 0);
	check_translates(~0ull, 0x5fff, 12, RW);
	check_translates(0, 0x7000, 12, RW);
	check_empty(last - 1);
	assert_int_equal(iopt_map(domain, last - PAGE, ~0ull, 0, RW, NULL), -EEXIST);
	/* A length that goes over the end is a backward range. */
	assert_int_equal(iopt_map(domain, last, PAGE - 1, 0, RW, NULL), -EINVAL);
	clear(0, ~0ull);
	check_empty(~0ull);
	check_empty(0);
	assert_int_equal(count_items(domain, 0, ~0ull, IOPT_VISIT_TABLES), 1);
	done();
}

/* All of 64 bits, in calls as large as physical addresses allow. */
static void whole_space(void **state)
{
	struct iopt_domain *domain = domain_of("amd-v1", 6, 0);
	const uint64_t most = 1ull << 52;
	struct iopt_released released;
	struct iopt_gather gather;

	(void)state;
	for (uint64_t i = 0; i < 1ull << 12; i++)
		assert_int_equal(iopt_map(domain, i * most, i * most + most - 1, 0, RW, NULL), 0);
	for (uint64_t i = 0; i < 64; i++)
		check_translates((1ull << i) + 1, ((1ull << i) + 1) & (most - 1), 51, RW);
	check_translates(~0ull, most - 1, 51, RW);
	assert_int_equal(count_items(domain, 0, ~0ull, IOPT_VISIT_LEAVES), 1u << 13);

	iopt_gather_init(&gather, domain, NULL);
	assert_int_equal(iopt_unmap(domain, 0, ~0ull, IOPT_UNMAP_FULL | IOPT_UNMAP_COUNT, &gather,
				    &released),
			 0);
	assert_int_equal(released.first, 0);
	assert_int_equal(released.last, ~0ull);
	assert_int_equal(released.bytes, 0); /* 2^64 */
	assert_true(gather_covers(&gather, 0, ~0ull));
	iopt_sync(&gather);
	assert_int_equal(count_items(domain, 0, ~0ull, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES), 1);
	done();
}

static void halves_of_a_sign_extended_space(void **state)
{
	struct iopt_domain *domain = domain_of("x86-64", 4, IOPT_SIGN_EXTEND);

	(void)state;
	assert_int_equal(iopt_map(domain, HALF - PAGE, HALF - 1, 0x1000, RW, NULL), 0);
	assert_int_equal(iopt_map(domain, -HALF, -HALF + PAGE - 1, 0x2000, RW, NULL), 0);
	assert_int_equal(iopt_map(domain, -PAGE, ~0ull, 0x3000, RW, NULL), 0);
	check_translates(HALF - 1, 0x1fff, 12, RW);
	check_translates(-HALF, 0x2000, 12, RW);
	check_translates(~0ull, 0x3fff, 12, RW);
	check_empty(0);
	check_empty(-HALF + PAGE);

	/* The gap, from either side, and across it. */
	assert_int_equal(iopt_map(domain, HALF, HALF + PAGE - 1, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, -HALF - PAGE, -HALF - 1, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, HALF - PAGE, HALF + PAGE - 1, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, -HALF - PAGE, -HALF + PAGE - 1, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_map(domain, 0, ~0ull, 0, RW, NULL), -ERANGE);
	assert_int_equal(iopt_translate(domain, HALF, &(struct iopt_translation){ 0 }), -ERANGE);
	assert_int_equal(iopt_translate(domain, -HALF - 1, &(struct iopt_translation){ 0 }),
			 -ERANGE);
	done();
}

/* Without sign extension the same bits are one space, and there is nothing above. */
static void no_sign_extension(void **state)
{
	struct iopt_domain *domain = domain_of("x86-64", 4, 0);

	(void)state;
	assert_int_equal(iopt_map(domain, HALF - PAGE, HALF + PAGE - 1, 0x1000, RW, NULL), 0);
	check_translates(HALF, 0x2000, 12, RW);
	assert_int_equal(iopt_map(domain, -PAGE, ~0ull, 0, RW, NULL), -ERANGE);
	done();
}

/* ---- sizes of leaves ----------------------------------------------------------------------- */

/* The sizes of the leaves of a range, from its first to its last IOVA, must be these. */
static void check_sizes(uint64_t first, uint64_t last, const uint8_t *sizes, unsigned nr)
{
	uint64_t iova = first;

	for (unsigned i = 0; i < nr; i++) {
		struct iopt_item leaf;

		assert_true(find_leaf(device.domain, iova, &leaf));
		assert_int_equal(leaf.first, iova);
		assert_int_equal(leaf.leaf_lg2, sizes[i]);
		iova = leaf.last + 1;
	}
	assert_int_equal(iova, last + 1);
}

#define CHECK_SIZES(first, last, ...)                                  \
	check_sizes((first), (last), (const uint8_t[]){ __VA_ARGS__ }, \
		    sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void three_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);
		uint64_t first = GIB - 2 * MIB - PAGE, last = 2 * GIB + 2 * MIB + PAGE - 1;

		/* 4K, 2M, 1G, 2M, 4K: each as soon as it is aligned. */
		assert_int_equal(iopt_map(domain, first, last, first + 4 * GIB, RW, NULL), 0);
		CHECK_SIZES(first, last, 12, 21, 30, 21, 12);
		/* Physical addresses that are alike in 21 bits only. */
		first += 8 * GIB;
		last = first + 2 * PAGE + 4 * MIB - 1;
		assert_int_equal(iopt_map(domain, first, last, first + 2 * MIB, RW, NULL), 0);
		CHECK_SIZES(first, last, 12, 21, 21, 12);
		/* Aligned here, not there. */
		assert_int_equal(
			iopt_map(domain, 16 * GIB, 16 * GIB + 4 * PAGE - 1, PAGE, RW, NULL), 0);
		CHECK_SIZES(16 * GIB, 16 * GIB + 4 * PAGE - 1, 12, 12, 12, 12);
		done();
	}
}

static void every_power_of_two(void **state)
{
	struct iopt_domain *domain = domain_of("amd-v1", 6, 0);

	(void)state;
	for (unsigned lg2 = 12; lg2 < 52; lg2++) {
		uint64_t size = 1ull << lg2;

		if (lg2 == 39) { /* left out in this format: two of the size below */
			assert_int_equal(iopt_map(domain, size, 2 * size - 1, 0, RW, NULL), 0);
			CHECK_SIZES(size, 2 * size - 1, 38, 38);
			continue;
		}
		assert_int_equal(iopt_map(domain, size, 2 * size - 1, 0, RW, NULL), 0);
		CHECK_SIZES(size, 2 * size - 1, (uint8_t)lg2);
		check_translates(size + size / 2 + 7, size / 2 + 7, lg2, RW);
	}
	/* All that is between: 4K up to 32K, 64K of it, and down again. */
	clear(0, ~0ull);
	assert_int_equal(iopt_map(domain, PAGE, 0x2afff, PAGE, RW, NULL), 0);
	CHECK_SIZES(PAGE, 0x2afff, 12, 13, 14, 15, 16, 15, 13, 12);
	done();
}

/* Nothing but what the mask says, though more would fit. */
static void sizes_of_the_mask(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_with_sizes(formats[i], 1ull << 12);

		assert_int_equal(iopt_map(domain, 0, 2 * MIB - 1, 0, RW, NULL), 0);
		assert_int_equal(count_items(domain, 0, ~0ull, IOPT_VISIT_LEAVES), 512);
		done();
	}
	domain_with_sizes("vtd-ss", 1ull << 12 | 1ull << 30);
	assert_int_equal(iopt_map(device.domain, GIB - PAGE, 2 * GIB - 1, GIB - PAGE, RW, NULL), 0);
	CHECK_SIZES(GIB - PAGE, 2 * GIB - 1, 12, 30);
	done();
	domain_with_sizes("amd-v1", 1ull << 12 | 1ull << 14 | 1ull << 22);
	assert_int_equal(iopt_map(device.domain, 4 * MIB - 5 * PAGE, 8 * MIB + 4 * PAGE - 1,
				  4 * MIB - 5 * PAGE, RW, NULL),
			 0);
	CHECK_SIZES(4 * MIB - 5 * PAGE, 8 * MIB + 4 * PAGE - 1, 12, 14, 22, 14);
	done();
}

/* A domain that is narrower than a leaf does without it. */
static void no_leaf_beyond_the_width(void **state)
{
	struct iopt_config config = {
		.format = "vtd-ss", .levels = 4, .iova_lg2 = 31, .pa_lg2 = 29
	};

	(void)state;
	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	assert_int_equal(iopt_map(device.domain, 0, 512 * MIB - 1, 0, RW, NULL), 0);
	assert_int_equal(count_items(device.domain, 0, ~0ull, IOPT_VISIT_LEAVES), 256);
	done();
}

/* ---- over what is mapped ------------------------------------------------------------------- */

static void check_exists(uint64_t first, uint64_t last)
{
	assert_int_equal(iopt_map(device.domain, first, last, first, RW, NULL), -EEXIST);
	assert_true(snapshot_translates(&snapshot, device.domain));
}

static void over_live_mappings(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);

		assert_int_equal(iopt_map(domain, 4 * PAGE, 8 * PAGE - 1, 0, RW, NULL), 0);
		assert_int_equal(iopt_map(domain, 4 * MIB, 6 * MIB - 1, 4 * MIB, IOPT_READ, NULL),
				 0);
		assert_int_equal(iopt_map(domain, GIB, 2 * GIB - 1, 0, RW, NULL), 0);
		assert_true(snapshot_take(&snapshot, domain));

		check_exists(4 * PAGE, 8 * PAGE - 1); /* the same again */
		check_exists(3 * PAGE, 5 * PAGE - 1); /* its first page, after one that is free */
		check_exists(7 * PAGE, 9 * PAGE - 1);
		check_exists(5 * PAGE, 6 * PAGE - 1);
		check_exists(0, 2 * MIB - 1);		   /* a block over a table in use */
		check_exists(4 * MIB, 4 * MIB + PAGE - 1); /* a page in a block */
		check_exists(2 * MIB, 8 * MIB - 1);
		check_exists(GIB - 4 * MIB, GIB + PAGE - 1);
		check_exists(0, GIB - 1);
		check_exists(0, 4 * GIB - 1);
		check_exists(2 * GIB - PAGE, 2 * GIB + PAGE - 1);
		done();
	}
}

/* Tables of a range that are empty: something was mapped in them and unmapped again. */
static void make_empty_table(uint64_t iova)
{
	assert_int_equal(iopt_map(device.domain, iova, iova + PAGE - 1, 0, RW, NULL), 0);
	clear(iova, iova + PAGE - 1);
}

/*
 * A block that finds a table in use changes nothing, not even the empty tables beside it, which it
 * met before.
 */
static void block_over_a_table_in_use(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);

		for (uint64_t k = 0; k < 6; k++)
			make_empty_table(k * 2 * MIB);
		assert_int_equal(iopt_map(domain, 10 * MIB + 5 * PAGE, 10 * MIB + 6 * PAGE - 1, 0,
					  RW, NULL),
				 0);
		assert_true(snapshot_take(&snapshot, domain));
		device_forget(&device);

		/* One large leaf, several of them, and one above them all. */
		assert_int_equal(iopt_map(domain, 10 * MIB, 12 * MIB - 1, 0, RW, NULL), -EEXIST);
		assert_true(snapshot_same(&snapshot, domain));
		assert_int_equal(iopt_map(domain, 0, 12 * MIB - 1, 0, RW, NULL), -EEXIST);
		assert_true(snapshot_same(&snapshot, domain));
		assert_int_equal(iopt_map(domain, 0, GIB - 1, 0, RW, NULL), -EEXIST);
		assert_true(snapshot_same(&snapshot, domain));
		assert_int_equal(device.invalidations, 0); /* nothing was ever exposed */
		done();
	}
}

/* The same with the empty tables of a domain whose list has another leaf far behind them. */
static void list_over_a_table_in_use(void **state)
{
	const struct iopt_segment segments[] = { { 0, 2 * MIB }, { 64 * MIB, 2 * MIB } };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);

		make_empty_table(0);
		assert_int_equal(iopt_map(domain, 4 * MIB - PAGE, 4 * MIB - 1, 0, RW, NULL), 0);
		assert_true(snapshot_take(&snapshot, domain));
		assert_int_equal(iopt_map_sg(domain, 0, segments, 2, RW, NULL, NULL), -EEXIST);
		assert_true(snapshot_same(&snapshot, domain));
		done();
	}
}

struct watched {
	uint64_t table;
	enum iopt_posix_state state;
};

static void look_at_table(struct device *seen, const struct iopt_gather *gather)
{
	struct watched *watched = seen->ctx;

	(void)gather;
	watched->state = iopt_posix_table_state(watched->table, NULL);
}

static uint64_t table_at(uint64_t iova, unsigned level)
{
	struct iopt_visit visit;
	struct iopt_item item;

	iopt_visit_init(&visit, iova, iova, IOPT_VISIT_TABLES);
	while (iopt_visit(device.domain, &visit, &item, 1))
		if (item.level == level)
			return item.pa;
	return 0;
}

/*
 * A block takes the place of empty tables: they go, all of them, after the invalidation that map
 * owes before it returns, and not earlier.
 */
static void check_block_over_empty(const char *format, uint64_t bytes, unsigned tables)
{
	struct watched watched = { 0 };
	struct iopt_domain *domain = domain_of(format, 4, 0);
	struct iopt_stats before, after;

	make_empty_table(0);
	if (bytes > 2 * MIB)
		make_empty_table(bytes - PAGE);
	watched.table = table_at(0, 0);
	assert_int_equal(iopt_posix_table_state(watched.table, NULL), IOPT_POSIX_LIVE);
	device_forget(&device);
	device.look = look_at_table;
	device.ctx = &watched;
	iopt_stats(domain, &before);

	assert_int_equal(iopt_map(domain, 0, bytes - 1, 0, RW, NULL), 0);
	assert_true(device.invalidations >= 1);
	assert_true(device.owes & IOPT_OWES_TABLES);
	assert_true(ranges_cover(device.ranges, device.nr_ranges, 0, 2 * MIB - 1));
	assert_true(ranges_cover(device.ranges, device.nr_ranges, bytes - 2 * MIB, bytes - 1));
	assert_int_equal(watched.state, IOPT_POSIX_LIVE);
	assert_int_not_equal(iopt_posix_table_state(watched.table, NULL), IOPT_POSIX_LIVE);
	check_translates(bytes - 1, bytes - 1, (unsigned)__builtin_ctzll(bytes), RW);

	iopt_stats(domain, &after);
	assert_int_equal(after.freed[IOPT_FREED_BLOCK] - before.freed[IOPT_FREED_BLOCK], tables);
	assert_int_equal(before.tables - after.tables, tables);
	iopt_posix_barrier();
	assert_int_equal(iopt_posix_table_state(watched.table, NULL), IOPT_POSIX_FREE);
	done();
}

static void block_over_empty_tables(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		check_block_over_empty(formats[i], 2 * MIB, 1);
		check_block_over_empty(formats[i], GIB, 3);
	}
	check_block_over_empty("amd-v1", 4 * MIB, 2); /* both entries of a run held one */
	check_block_over_empty("amd-v1", 8 * MIB, 2); /* two of four */
}

/* A map fails behind a leaf that a device may have used: that is invalidated before it returns. */
static void look_for_leaf(struct device *seen, const struct iopt_gather *gather)
{
	struct iopt_item leaf;

	(void)gather;
	*(bool *)seen->ctx |= find_leaf(seen->domain, 2 * MIB - PAGE, &leaf);
}

static void failed_map_syncs(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);
		bool found = false;

		/* Two pages in one table, one in the next, where something is mapped. */
		assert_int_equal(iopt_map(domain, 2 * MIB, 2 * MIB + PAGE - 1, 0, RW, NULL), 0);
		assert_int_equal(iopt_map(domain, 0, PAGE - 1, 0, RW, NULL), 0);
		assert_true(snapshot_take(&snapshot, domain));
		device_forget(&device);
		device.look = look_for_leaf;
		device.ctx = &found;
		assert_int_equal(iopt_map(domain, 2 * MIB - 2 * PAGE, 2 * MIB + PAGE - 1, 0, RW,
					  NULL),
				 -EEXIST);
		assert_int_equal(device.invalidations, 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, 2 * MIB - 2 * PAGE,
					 2 * MIB - 1));
		assert_int_equal(device.owes & (IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB),
				 IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB);
		assert_false(found); /* taken back before, or a device could cache it again */
		assert_true(snapshot_same(&snapshot, domain));
		done();
	}
}

/*
 * A run whose place is taken in the middle: a device could cache all of it by any of its entries,
 * so that either none was written or all of it is invalidated.
 */
static void run_with_something_in_the_middle(void **state)
{
	struct iopt_domain *domain = domain_of("amd-v1", 3, 0);

	(void)state;
	assert_int_equal(iopt_map(domain, 32 * PAGE, 33 * PAGE - 1, 0, RW, NULL), 0);
	assert_true(snapshot_take(&snapshot, domain));
	assert_int_equal(iopt_map(domain, 0, 64 * PAGE - 1, 64 * PAGE, RW, NULL), -EEXIST);
	assert_true(!device.invalidations ||
		    ranges_cover(device.ranges, device.nr_ranges, 0, 64 * PAGE - 1));
	assert_true(snapshot_same(&snapshot, domain));
	/* The same behind a run that did fit. */
	assert_int_equal(iopt_map(domain, 128 * PAGE, 129 * PAGE - 1, 0, RW, NULL), 0);
	assert_true(snapshot_take(&snapshot, domain));
	assert_int_equal(iopt_map(domain, 64 * PAGE, 192 * PAGE - 1, 64 * PAGE, RW, NULL), -EEXIST);
	assert_int_equal(device.invalidations, 1);
	assert_true(ranges_cover(device.ranges, device.nr_ranges, 64 * PAGE, 128 * PAGE - 1));
	assert_true(snapshot_same(&snapshot, domain));
	done();
}

/* ---- what the hardware is told ------------------------------------------------------------- */

static void maps_over_nothing_are_quiet(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);

		assert_int_equal(
			iopt_map(domain, GIB - PAGE, 2 * GIB + PAGE - 1, GIB - PAGE, RW, NULL), 0);
		assert_int_equal(iopt_map(domain, 0, 5 * PAGE - 1, 0, RW, NULL), 0);
		assert_int_equal(device.invalidations, 0);
		assert_int_equal(device.tops, 0);
		done();
	}
}

static void hardware_that_caches_what_is_not_there(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, IOPT_CACHES_EMPTY);
		const struct iopt_segment segments[] = { { 0, PAGE }, { 16 * PAGE, 2 * PAGE } };

		assert_int_equal(iopt_map(domain, PAGE, 3 * PAGE - 1, 0, RW, NULL), 0);
		assert_int_equal(device.invalidations, 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, PAGE, 3 * PAGE - 1));
		assert_true(device.owes & IOPT_OWES_TABLES); /* empty table entries are kept too */
		/* One page, one block, into tables that are there: the shortest ways. */
		device_forget(&device);
		assert_int_equal(iopt_map(domain, 8 * PAGE, 9 * PAGE - 1, 0, RW, NULL), 0);
		assert_int_equal(device.invalidations, 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, 8 * PAGE, 9 * PAGE - 1));
		device_forget(&device);
		assert_int_equal(iopt_map(domain, 4 * MIB, 6 * MIB - 1, 0, RW, NULL), 0);
		assert_int_equal(device.invalidations, 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, 4 * MIB, 6 * MIB - 1));
		device_forget(&device);
		assert_int_equal(iopt_map_sg(domain, GIB, segments, 2, RW, NULL, NULL), 0);
		assert_int_equal(device.invalidations, 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, GIB, GIB + 3 * PAGE - 1));
		device_forget(&device);
		assert_int_equal(iopt_map(domain, PAGE, 2 * PAGE - 1, 0, RW, NULL), -EEXIST);
		assert_int_equal(device.invalidations, 0); /* nothing came of it */
		done();
	}
}

/* ---- growth -------------------------------------------------------------------------------- */

static void top_grows(void **state)
{
	struct iopt_domain *domain = domain_of("amd-v1", 1, 0);
	struct iopt_stats stats;
	struct iopt_hw hw;
	uint64_t old_root;

	(void)state;
	iopt_hw(domain, &hw);
	old_root = hw.root;
	assert_int_equal(iopt_map(domain, 0, PAGE - 1, 0x1000, RW, NULL), 0);
	assert_int_equal(device.tops, 0);
	/* Looking above the top finds nothing, and makes nothing. */
	check_empty(1ull << 40);
	assert_int_equal(count_items(domain, 1ull << 40, ~0ull, IOPT_VISIT_TABLES), 0);
	clear(1ull << 40, (1ull << 40) + PAGE - 1);
	assert_int_equal(device.tops, 0);

	assert_int_equal(iopt_map(domain, 2 * MIB, 2 * MIB + PAGE - 1, 0x2000, RW, NULL), 0);
	assert_int_equal(device.tops, 1);
	iopt_hw(domain, &hw);
	assert_int_equal(hw.levels, 2);
	assert_int_not_equal(hw.root, old_root);
	assert_int_equal(table_at(0, 0), old_root); /* the new one's first child */
	check_translates(0, 0x1000, 12, RW);
	check_translates(2 * MIB, 0x2000, 12, RW);

	assert_int_equal(iopt_map(domain, 1ull << 63, (1ull << 63) + PAGE - 1, 0, RW, NULL), 0);
	iopt_hw(domain, &hw);
	assert_int_equal(hw.levels, 6);
	iopt_stats(domain, &stats);
	assert_int_equal(stats.grown, 5);
	for (unsigned level = 0; level < 6; level++)
		assert_true(stats.live[level] >= 1);
	check_translates(0, 0x1000, 12, RW);
	check_translates(2 * MIB, 0x2000, 12, RW);
	assert_int_equal(device.invalidations, 0); /* what caches hold of the old top stays right */
	done();
}

/* It grows as far as it was told to, not further, and no more than is needed. */
static void top_grows_so_far(void **state)
{
	struct iopt_config config = { .format = "amd-v1", .levels = 2, .max_levels = 3 };
	struct iopt_hw hw;

	(void)state;
	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	assert_int_equal(iopt_map(device.domain, GIB, GIB + PAGE - 1, 0, RW, NULL), 0);
	iopt_hw(device.domain, &hw);
	assert_int_equal(hw.levels, 3);
	assert_int_equal(iopt_map(device.domain, 1ull << 39, (1ull << 39) + PAGE - 1, 0, RW, NULL),
			 -ERANGE);
	assert_int_equal(device.tops, 1);
	done();
}

/* The first thing that is mapped above the announced top may be a block, and over both tops. */
static void blocks_across_a_growing_top(void **state)
{
	struct iopt_domain *domain = domain_of("amd-v1", 2, 0);

	(void)state;
	assert_int_equal(iopt_map(domain, GIB - 2 * MIB, GIB + 2 * MIB - 1, 0, RW, NULL), 0);
	CHECK_SIZES(GIB - 2 * MIB, GIB + 2 * MIB - 1, 21, 21);
	assert_int_equal(device.tops, 1);
	done();
}

/* ---- scatter lists ------------------------------------------------------------------------- */

static void list_of_segments(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);
		const struct iopt_segment segments[] = {
			{ 0x7000, PAGE },
			{ 0x3000, 2 * PAGE },
			{ 0x100000, PAGE },
		};
		uint64_t last = 0;

		assert_int_equal(iopt_map_sg(domain, 2 * MIB - PAGE, segments, 3, IOPT_READ, NULL,
					     &last),
				 0);
		assert_int_equal(last, 2 * MIB + 3 * PAGE - 1);
		check_translates(2 * MIB - 1, 0x7fff, 12, IOPT_READ);
		check_translates(2 * MIB, 0x3000, 12, IOPT_READ);
		check_translates(2 * MIB + PAGE, 0x4000, 12, IOPT_READ);
		check_translates(2 * MIB + 2 * PAGE, 0x100000, 12, IOPT_READ);
		check_empty(2 * MIB + 3 * PAGE);
		done();
	}
}

/* Segments that continue each other are mapped as one: a block may cover several. */
static void segments_that_continue(void **state)
{
	struct iopt_domain *domain = domain_of("vtd-ss", 4, 0);
	struct iopt_segment segments[16];

	(void)state;
	for (uint64_t i = 0; i < 16; i++)
		segments[i] = (struct iopt_segment){ 4 * MIB + i * (2 * MIB / 16), 2 * MIB / 16 };
	assert_int_equal(iopt_map_sg(domain, 2 * MIB, segments, 16, RW, NULL, NULL), 0);
	check_translates(4 * MIB - 1, 6 * MIB - 1, 21, RW);
	done();
}

static void bad_lists(void **state)
{
	struct iopt_domain *domain = domain_of("vtd-ss", 3, 0);
	const uint64_t end = 1ull << 39;
	struct iopt_segment segments[3] = { { 0, PAGE }, { 2 * PAGE, PAGE }, { PAGE, PAGE } };
	uint64_t last = 42;

	(void)state;
	assert_int_equal(iopt_map_sg(domain, 0, segments, 0, RW, NULL, &last), -EINVAL);
	assert_int_equal(iopt_map_sg(domain, 1, segments, 3, RW, NULL, &last), -EINVAL);
	assert_int_equal(iopt_map_sg(domain, 0, segments, 3, 0, NULL, &last), -EINVAL);
	segments[1].bytes = 0;
	assert_int_equal(iopt_map_sg(domain, 0, segments, 3, RW, NULL, &last), -EINVAL);
	segments[1].bytes = PAGE + 1;
	assert_int_equal(iopt_map_sg(domain, 0, segments, 3, RW, NULL, &last), -EINVAL);
	segments[1].bytes = PAGE;
	segments[1].pa = 2 * PAGE + 8;
	assert_int_equal(iopt_map_sg(domain, 0, segments, 3, RW, NULL, &last), -EINVAL);
	segments[1].pa = 1ull << 52;
	assert_int_equal(iopt_map_sg(domain, 0, segments, 3, RW, NULL, &last), -ERANGE);
	segments[1].pa = 2 * PAGE;
	assert_int_equal(iopt_map_sg(domain, end - 2 * PAGE, segments, 3, RW, NULL, &last),
			 -ERANGE);
	assert_int_equal(iopt_map_sg(domain, ~0ull - PAGE + 1, segments, 3, RW, NULL, &last),
			 -ERANGE);
	segments[2].bytes = ~0ull - PAGE + 1;
	assert_int_equal(iopt_map_sg(domain, 0, segments, 3, RW, NULL, &last), -ERANGE);
	assert_int_equal(last, 42);
	assert_int_equal(count_items(domain, 0, ~0ull, IOPT_VISIT_TABLES), 1);
	done();
}

static void list_over_the_end_of_64_bits(void **state)
{
	struct iopt_domain *domain = domain_of("amd-v1", 6, 0);
	const struct iopt_segment segments[] = { { 0, PAGE }, { 4 * PAGE, PAGE } };
	uint64_t last = 0;

	(void)state;
	assert_int_equal(iopt_map_sg(domain, -PAGE, segments, 2, RW, NULL, &last), -ERANGE);
	assert_int_equal(iopt_map_sg(domain, -2 * PAGE, segments, 2, RW, NULL, &last), 0);
	assert_int_equal(last, ~0ull);
	check_empty(0);
	check_translates(~0ull, 5 * PAGE - 1, 12, RW);
	done();
}

static void list_across_the_gap(void **state)
{
	struct iopt_domain *domain = domain_of("x86-64", 4, IOPT_SIGN_EXTEND);
	const struct iopt_segment segments[] = { { 0, PAGE }, { 4 * PAGE, PAGE } };

	(void)state;
	assert_int_equal(iopt_map_sg(domain, HALF - PAGE, segments, 2, RW, NULL, NULL), -ERANGE);
	assert_int_equal(iopt_map_sg(domain, -HALF - PAGE, segments, 2, RW, NULL, NULL), -ERANGE);
	assert_int_equal(iopt_map_sg(domain, HALF - 2 * PAGE, segments, 2, RW, NULL, NULL), 0);
	done();
}

/* All or nothing for the whole list, and what was exposed is invalidated. */
static void list_that_fails_at_its_end(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_domain *domain = domain_of(formats[i], 4, 0);
		const struct iopt_segment segments[] = { { 0x7000, PAGE },
							 { 0x3000, PAGE },
							 { 0x100000, PAGE } };

		assert_int_equal(iopt_map(domain, 6 * PAGE, 7 * PAGE - 1, 0, RW, NULL), 0);
		assert_true(snapshot_take(&snapshot, domain));
		assert_int_equal(iopt_map_sg(domain, 4 * PAGE, segments, 3, RW, NULL, NULL),
				 -EEXIST);
		assert_int_equal(device.invalidations, 1);
		assert_true(ranges_cover(device.ranges, device.nr_ranges, 4 * PAGE, 6 * PAGE - 1));
		assert_true(snapshot_same(&snapshot, domain));
		done();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(misaligned),
		cmocka_unit_test(empty_and_backward),
		cmocka_unit_test(beyond_the_width),
		cmocka_unit_test(beyond_the_physical_width),
		cmocka_unit_test(attributes),
		cmocka_unit_test(last_page_of_64_bits),
		cmocka_unit_test(whole_space),
		cmocka_unit_test(halves_of_a_sign_extended_space),
		cmocka_unit_test(no_sign_extension),
		cmocka_unit_test(three_sizes),
		cmocka_unit_test(every_power_of_two),
		cmocka_unit_test(sizes_of_the_mask),
		cmocka_unit_test(no_leaf_beyond_the_width),
		cmocka_unit_test(over_live_mappings),
		cmocka_unit_test(block_over_a_table_in_use),
		cmocka_unit_test(list_over_a_table_in_use),
		cmocka_unit_test(block_over_empty_tables),
		cmocka_unit_test(failed_map_syncs),
		cmocka_unit_test(run_with_something_in_the_middle),
		cmocka_unit_test(maps_over_nothing_are_quiet),
		cmocka_unit_test(hardware_that_caches_what_is_not_there),
		cmocka_unit_test(top_grows),
		cmocka_unit_test(top_grows_so_far),
		cmocka_unit_test(blocks_across_a_growing_top),
		cmocka_unit_test(list_of_segments),
		cmocka_unit_test(segments_that_continue),
		cmocka_unit_test(bad_lists),
		cmocka_unit_test(list_over_the_end_of_64_bits),
		cmocka_unit_test(list_across_the_gap),
		cmocka_unit_test(list_that_fails_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
