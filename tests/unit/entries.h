/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For test_formats_NAME.c: leaves as a format makes them, and a table of the sizes that it has. The
 * bit patterns are the tests' own. Includes what cmocka wants first.
 */
#ifndef TESTS_UNIT_ENTRIES_H
#define TESTS_UNIT_ENTRIES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/format.h"

/* The level whose entries a leaf of that size is made of. */
static inline unsigned level_of(const struct iopt_format *f, unsigned lg2)
{
	return (lg2 - f->info.granule_lg2) / f->info.index_lg2;
}

/* An entry, not the first one if it is of a run, of a domain with these flags. */
static inline uint64_t make_leaf(const struct iopt_format *f, unsigned prot, uint32_t config_flags,
				 uint64_t pa, unsigned lg2)
{
	uint64_t attr = 0;

	assert_int_equal(f->leaf_attr(prot, config_flags, &attr), 0);
	return f->leaf(attr, pa, level_of(f, lg2), lg2, 3);
}

/* What can't be expressed is refused, and nothing is written. */
static inline void check_refused(const struct iopt_format *f, const unsigned *prots, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t attr = 0x5a;

		assert_int_equal(f->leaf_attr(prots[i], 0, &attr), -IOPT_EINVAL);
		assert_int_equal(attr, 0x5a);
	}
}

/**
 * struct sized_leaf - a leaf, readable and writable, of a domain that may be tracked, at the
 * physical address that equals its size
 * @lg2:   bytes, lg2
 * @entry: its entry
 */
struct sized_leaf {
	unsigned lg2;
	uint64_t entry;
};

/* All sizes of a format: made so, read back, and no others. */
static inline void check_sizes(const struct iopt_format *f, const struct sized_leaf *leaves,
			       size_t nr)
{
	const unsigned prot = IOPT_READ | IOPT_WRITE;
	uint64_t mask = 0;

	for (size_t i = 0; i < nr; i++) {
		unsigned lg2 = leaves[i].lg2, level = level_of(f, lg2);
		uint64_t entry = leaves[i].entry;

		assert_int_equal(make_leaf(f, prot, IOPT_TRACKABLE, 1ull << lg2, lg2), entry);
		assert_int_equal(f->kind(entry, level), IOPT_LEAF);
		assert_int_equal(f->leaf_lg2(entry, level), lg2);
		assert_int_equal(f->leaf_pa(entry, level), 1ull << lg2);
		assert_int_equal(f->leaf_prot(f->leaf_attrs(entry, level)), prot);
		mask |= 1ull << lg2;
	}
	assert_int_equal(f->info.page_sizes, mask);
}

#endif
