/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * visit and translate, one thread: what is found, in which order, and going on in the middle.
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
#define MOST 4096u

static struct device device;
static struct iopt_item items[MOST], others[MOST];

static struct iopt_domain *domain_of(const char *format, unsigned levels, uint32_t flags)
{
	struct iopt_config config = { .format = format, .levels = (uint8_t)levels, .flags = flags };

	memset(&device, 0, sizeof(device));
	assert_int_equal(device_create(&device, &config), 0);
	return device.domain;
}

static void done(void)
{
	assert_true(device_destroy(&device));
}

static void map(uint64_t first, uint64_t bytes, unsigned prot)
{
	assert_int_equal(iopt_map(device.domain, first, first + bytes - 1,
				  first & ((1ull << 46) - 1), prot, NULL),
			 0);
}

/* A range, so many items a call. */
static size_t visit(uint64_t first, uint64_t last, unsigned flags, size_t chunk,
		    struct iopt_item *into)
{
	struct iopt_visit state;
	size_t nr = 0, got;

	memset(into, 0, MOST * sizeof(*into));
	iopt_visit_init(&state, first, last, flags);
	while (!state.done) {
		assert_true(nr + chunk <= MOST);
		got = iopt_visit(device.domain, &state, into + nr, chunk);
		assert_true(got <= chunk);
		assert_true(got == chunk || state.done);
		nr += got;
	}
	/* Done is done. */
	assert_int_equal(iopt_visit(device.domain, &state, into + nr, 1), 0);
	return nr;
}

static size_t visit_all(unsigned flags)
{
	return visit(0, ~0ull, flags, MOST, items);
}

/* Some of everything: pages, blocks of two sizes, an empty table, holes. */
static void fill(void)
{
	struct iopt_gather gather;

	map(PAGE, PAGE, IOPT_READ);
	map(3 * PAGE, 5 * PAGE, RW);
	map(2 * MIB - PAGE, 2 * PAGE, RW);
	map(6 * MIB, 4 * MIB, IOPT_READ);
	map(GIB, GIB, RW);
	map(3 * GIB + 10 * PAGE, PAGE, RW);
	map(600 * GIB, 3 * PAGE, RW);
	map(5 * GIB, PAGE, RW);
	iopt_gather_init(&gather, device.domain, NULL);
	assert_int_equal(iopt_unmap(device.domain, 5 * GIB, 5 * GIB + PAGE - 1, 0, &gather, NULL),
			 0);
	iopt_sync(&gather);
}

static void an_empty_domain(void **state)
{
	struct iopt_hw hw;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		iopt_hw(device.domain, &hw);
		assert_int_equal(visit_all(IOPT_VISIT_LEAVES), 0);
		assert_int_equal(visit_all(0), 0);
		assert_int_equal(visit_all(IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES), 1);
		assert_int_equal(items[0].flags & IOPT_ITEM_TABLE, IOPT_ITEM_TABLE);
		assert_int_equal(items[0].pa, hw.root);
		assert_int_equal(items[0].level, 3);
		assert_int_equal(items[0].entry, 0);
		assert_int_equal(items[0].entry_pa, 0);
		assert_int_equal(items[0].first, 0);
		assert_true(items[0].last >= (1ull << 48) - 1);
		done();
	}
}

/* Every field of a leaf and of the tables above it. */
static void one_leaf(void **state)
{
	const uint64_t iova = (5ull << 39) + 3 * GIB + 7 * 2 * MIB + 9 * PAGE;

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		uint64_t spans[] = { 1ull << width_of(iopt_format_info(i), 4), 512 * GIB, GIB,
				     2 * MIB };
		uint64_t parent = 0;

		domain_of(formats[i], 4, 0);
		map(iova, PAGE, IOPT_READ);
		assert_int_equal(visit_all(IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES), 5);
		for (unsigned k = 0; k < 4; k++) {
			const struct iopt_item *table = &items[k];

			assert_true(table->flags & IOPT_ITEM_TABLE);
			assert_int_equal(table->level, 3 - k);
			assert_int_equal(table->first, iova & ~(spans[k] - 1));
			assert_int_equal(table->last, iova | (spans[k] - 1));
			assert_int_equal(table->leaf_lg2, 0);
			assert_int_equal(table->prot, 0);
			if (k) {
				uint64_t index = (iova - items[k - 1].first) / spans[k];

				assert_int_equal(table->entry_pa, parent + index * 8);
				assert_int_equal(table->entry,
						 *(uint64_t *)iopt_posix_va(table->entry_pa));
			}
			parent = table->pa;
		}
		assert_int_equal(items[4].flags & IOPT_ITEM_TABLE, 0);
		assert_int_equal(items[4].first, iova);
		assert_int_equal(items[4].last, iova + PAGE - 1);
		assert_int_equal(items[4].pa, iova);
		assert_int_equal(items[4].level, 0);
		assert_int_equal(items[4].leaf_lg2, 12);
		assert_int_equal(items[4].prot, IOPT_READ);
		assert_int_equal(items[4].entry_pa, parent + 9 * 8);
		assert_int_equal(items[4].entry, *(uint64_t *)iopt_posix_va(items[4].entry_pa));
		done();
	}
}

/* One item a call finds the same as all at once, and so does every size between. */
static void going_on_in_the_middle(void **state)
{
	static const unsigned flags[] = { IOPT_VISIT_LEAVES, IOPT_VISIT_TABLES,
					  IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES };
	static const struct iopt_range ranges[] = {
		{ 0, ~0ull },
		{ PAGE + 5, 3 * GIB + 10 * PAGE },
		{ 7 * MIB, 9 * MIB },
		{ GIB + 12345, GIB + 12345 },
		{ 5 * GIB, 6 * GIB },
		{ 2 * GIB, 3 * GIB },
		{ 600 * GIB + PAGE, ~0ull },
	};

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		fill();
		for (size_t f = 0; f < 3; f++) {
			for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
				size_t nr = visit(ranges[r].first, ranges[r].last, flags[f], MOST,
						  items);

				for (size_t chunk = 1; chunk < 8; chunk++) {
					assert_int_equal(visit(ranges[r].first, ranges[r].last,
							       flags[f], chunk, others),
							 nr);
					assert_memory_equal(items, others, sizeof(items));
				}
			}
		}
		done();
	}
}

/* Ascending; a table before what is in it; nothing twice. */
static void order(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		size_t nr;

		domain_of(formats[i], 4, 0);
		fill();
		nr = visit_all(IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
		for (size_t k = 1; k < nr; k++) {
			bool table = items[k - 1].flags & IOPT_ITEM_TABLE;

			assert_true(items[k].first >= items[k - 1].first);
			if (table && items[k].first == items[k - 1].first)
				assert_true(items[k].level < items[k - 1].level ||
					    !(items[k].flags & IOPT_ITEM_TABLE));
			if (!table && !(items[k].flags & IOPT_ITEM_TABLE))
				assert_true(items[k].first > items[k - 1].last);
		}
		done();
	}
}

/* What lies partly in the range is reported whole. */
static void parts_of_leaves(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		map(2 * MIB, 2 * MIB, RW);
		map(GIB, GIB, RW);
		assert_int_equal(visit(3 * MIB + 1, 3 * MIB + 1, IOPT_VISIT_LEAVES, 4, items), 1);
		assert_int_equal(items[0].first, 2 * MIB);
		assert_int_equal(items[0].last, 4 * MIB - 1);
		assert_int_equal(visit(4 * MIB - 1, GIB, IOPT_VISIT_LEAVES, 4, items), 2);
		assert_int_equal(items[1].first, GIB);
		assert_int_equal(items[1].last, 2 * GIB - 1);
		assert_int_equal(visit(4 * MIB, GIB - 1, IOPT_VISIT_LEAVES, 4, items), 0);
		done();
	}
}

/*
 * A run is one leaf, from whatever entry it is met; accessed and dirty are those of all its
 * entries.
 */
static void runs(void **state)
{
	const struct hardware *hw = hardware_of("amd-v1");

	(void)state;
	domain_of("amd-v1", 4, IOPT_TRACKABLE);
	map(64 * PAGE, 64 * PAGE, RW);
	map(32 * MIB, 32 * MIB, RW);
	for (unsigned entry = 0; entry < 64; entry += 9) {
		uint64_t iova = (64 + entry) * PAGE;

		assert_int_equal(visit(iova, iova, IOPT_VISIT_LEAVES, 4, items), 1);
		assert_int_equal(items[0].first, 64 * PAGE);
		assert_int_equal(items[0].last, 128 * PAGE - 1);
		assert_int_equal(items[0].leaf_lg2, 18);
		assert_int_equal(items[0].pa, 64 * PAGE);
		assert_int_equal(items[0].entry_pa & (PAGE - 1), 64 * 8);
		assert_int_equal(items[0].flags, 0);
	}
	assert_true(device_writes(hw, device.domain, 127 * PAGE));
	assert_int_equal(visit(64 * PAGE, 64 * PAGE, IOPT_VISIT_LEAVES, 4, items), 1);
	assert_int_equal(items[0].flags, IOPT_ITEM_DIRTY | IOPT_ITEM_ACCESSED);
	assert_false(hardware_dirty(hw, items[0].entry)); /* the lowest one, which has no mark */
	assert_int_equal(visit(100 * PAGE, 127 * PAGE, IOPT_VISIT_LEAVES, 4, others), 1);
	assert_memory_equal(&items[0], &others[0], sizeof(items[0]));
	assert_int_equal(visit(34 * MIB, 34 * MIB, IOPT_VISIT_LEAVES, 4, items), 1);
	assert_int_equal(items[0].first, 32 * MIB);
	assert_int_equal(items[0].level, 1);
	done();
}

static void accessed_and_dirty(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		const struct hardware *hw = hardware_of(formats[i]);

		domain_of(formats[i], 4, IOPT_TRACKABLE);
		map(PAGE, PAGE, RW);
		assert_int_equal(visit_all(IOPT_VISIT_LEAVES), 1);
		assert_int_equal(items[0].flags, 0);
		__atomic_fetch_or((uint64_t *)iopt_posix_va(items[0].entry_pa), hw->accessed,
				  __ATOMIC_RELAXED);
		assert_int_equal(visit_all(IOPT_VISIT_LEAVES), 1);
		assert_int_equal(items[0].flags, IOPT_ITEM_ACCESSED);
		assert_true(device_writes(hw, device.domain, PAGE));
		assert_int_equal(visit_all(IOPT_VISIT_LEAVES), 1);
		assert_int_equal(items[0].flags, IOPT_ITEM_ACCESSED | IOPT_ITEM_DIRTY);
		done();
	}
}

/* Of a table, where the format has it: it starts accessed, and may be found clear. */
static void accessed_tables(void **state)
{
	static const uint64_t bits[] = { 1ull << 8, 1ull << 5 }; /* vtd_ss.h, x86_64.h: A */

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		domain_of(formats[i], 4, 0);
		map(PAGE, PAGE, RW);
		assert_int_equal(visit_all(IOPT_VISIT_TABLES), 4);
		assert_int_equal(items[0].flags, IOPT_ITEM_TABLE); /* no entry leads to it */
		for (unsigned k = 1; k < 4; k++)
			assert_int_equal(items[k].flags, IOPT_ITEM_TABLE | IOPT_ITEM_ACCESSED);
		__atomic_fetch_and((uint64_t *)iopt_posix_va(items[2].entry_pa), ~bits[i],
				   __ATOMIC_RELAXED);
		assert_int_equal(visit_all(IOPT_VISIT_TABLES), 4);
		assert_int_equal(items[2].flags, IOPT_ITEM_TABLE);
		assert_int_equal(items[3].flags, IOPT_ITEM_TABLE | IOPT_ITEM_ACCESSED);
		done();
	}
}

/* The range is cut to what the domain can translate. */
static void ends_of_the_domain(void **state)
{
	(void)state;
	domain_of("vtd-ss", 3, 0);
	map((1ull << 39) - PAGE, PAGE, RW);
	assert_int_equal(visit((1ull << 39) - 1, ~0ull, IOPT_VISIT_LEAVES, 4, items), 1);
	assert_int_equal(visit(1ull << 39, ~0ull, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES, 4, items),
			 0);
	assert_int_equal(visit(PAGE, PAGE - 1, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES, 4, items), 0);
	assert_int_equal(visit_all(IOPT_VISIT_TABLES), 3);
	done();
	domain_of("amd-v1", 6, 0);
	assert_int_equal(iopt_map(device.domain, -PAGE, ~0ull, 0, RW, NULL), 0);
	assert_int_equal(visit(~0ull, ~0ull, IOPT_VISIT_LEAVES, 1, items), 1);
	assert_int_equal(items[0].last, ~0ull);
	assert_int_equal(visit_all(IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES), 7);
	assert_int_equal(items[0].first, 0);
	assert_int_equal(items[0].last, ~0ull);
	done();
}

/*
 * Both halves, from below, from above, and from within the gap; also where they are not
 * neighbours in the top table.
 */
static void halves(void **state)
{
	static const uint8_t widths[] = { 0, 57, 50, 40 };

	(void)state;
	for (size_t i = 0; i < sizeof(widths); i++) {
		struct iopt_config config = { .format = "x86-64",
					      .levels = 5,
					      .iova_lg2 = widths[i],
					      .flags = IOPT_SIGN_EXTEND };
		uint64_t half = 1ull << ((widths[i] ? widths[i] : 57) - 1);

		memset(&device, 0, sizeof(device));
		assert_int_equal(device_create(&device, &config), 0);
		map(0, PAGE, RW);
		map(half - PAGE, PAGE, RW);
		assert_int_equal(iopt_map(device.domain, -half, -half + PAGE - 1, 0, RW, NULL), 0);
		assert_int_equal(iopt_map(device.domain, -PAGE, ~0ull, 0, RW, NULL), 0);
		assert_int_equal(visit_all(IOPT_VISIT_LEAVES), 4);
		assert_int_equal(items[1].first, half - PAGE);
		assert_int_equal(items[2].first, -half);
		assert_int_equal(items[3].first, -PAGE);
		assert_int_equal(visit(half, ~0ull, IOPT_VISIT_LEAVES, 1, items), 2);
		assert_int_equal(items[0].first, -half);
		assert_int_equal(visit(half - 1, -half, IOPT_VISIT_LEAVES, 1, items), 2);
		assert_int_equal(
			visit(half, -half - 1, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES, 1, items), 0);
		done();
	}
}

/* A long walk leaves its read section and comes back: nothing is lost on the way. */
static void many_tables(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		for (uint64_t k = 0; k < 500; k++)
			map(k * 2 * MIB + k * PAGE, PAGE, RW);
		assert_int_equal(visit_all(IOPT_VISIT_LEAVES), 500);
		for (uint64_t k = 0; k < 500; k++)
			assert_int_equal(items[k].first, k * 2 * MIB + k * PAGE);
		assert_int_equal(visit_all(IOPT_VISIT_TABLES), 3 + 500);
		done();
	}
}

/*
 * What lies behind where a visit stands may change; what is there when it gets there is reported.
 */
static void changes_between_two_calls(void **state)
{
	struct iopt_visit visiting;
	struct iopt_gather gather;

	(void)state;
	domain_of("vtd-ss", 4, 0);
	map(PAGE, PAGE, RW);
	map(GIB, PAGE, RW);
	iopt_visit_init(&visiting, 0, ~0ull, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
	assert_int_equal(iopt_visit(device.domain, &visiting, items, 5), 5);
	assert_int_equal(items[4].first, PAGE);
	iopt_gather_init(&gather, device.domain, NULL);
	assert_int_equal(iopt_unmap(device.domain, 0, 2 * GIB - 1, 0, &gather, NULL), 0);
	iopt_sync(&gather);
	iopt_posix_barrier();
	map(3 * GIB, 2 * MIB, RW);
	assert_int_equal(iopt_visit(device.domain, &visiting, items, 5), 2);
	assert_true(visiting.done);
	assert_int_equal(items[0].flags & IOPT_ITEM_TABLE, IOPT_ITEM_TABLE);
	assert_int_equal(items[1].first, 3 * GIB);
	done();
}

/* ---- translate ----------------------------------------------------------------------------- */

static void every_byte(void **state)
{
	static const unsigned lg2s[] = { 12, 21, 30 };

	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		domain_of(formats[i], 4, 0);
		for (size_t k = 0; k < 3; k++) {
			uint64_t size = 1ull << lg2s[k], pa = (k + 4) * GIB;
			struct iopt_translation t;

			assert_int_equal(iopt_map(device.domain, size, 2 * size - 1, pa, RW, NULL),
					 0);
			for (unsigned bit = 0; bit < lg2s[k]; bit++) {
				assert_int_equal(
					iopt_translate(device.domain, size + (1ull << bit), &t), 0);
				assert_int_equal(t.pa, pa + (1ull << bit));
				assert_int_equal(t.leaf_lg2, lg2s[k]);
				assert_int_equal(t.prot, RW);
			}
			assert_int_equal(iopt_translate(device.domain, 2 * size, &t), -ENOENT);
		}
		done();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_domain),
		cmocka_unit_test(one_leaf),
		cmocka_unit_test(going_on_in_the_middle),
		cmocka_unit_test(order),
		cmocka_unit_test(parts_of_leaves),
		cmocka_unit_test(runs),
		cmocka_unit_test(accessed_and_dirty),
		cmocka_unit_test(accessed_tables),
		cmocka_unit_test(ends_of_the_domain),
		cmocka_unit_test(halves),
		cmocka_unit_test(many_tables),
		cmocka_unit_test(changes_between_two_calls),
		cmocka_unit_test(every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
