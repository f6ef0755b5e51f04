/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the engine relies on and every format of formats/list.h must keep: round trips of leaves and
 * tables, software values that are neither, and dirty and accessed bits that touch nothing else.
 * The bit patterns themselves are in test_formats_NAME.c.
 */
#include "tests/support/formats.h"
#include "tests/unit/entries.h"

#define IOPT_FORMAT(name) &name##_format,
static const struct iopt_format *const formats[] = {
#include "formats/list.h"
};
#undef IOPT_FORMAT

#define NR_FORMATS (sizeof(formats) / sizeof(formats[0]))
#define ALL_PROTS  128u /* IOPT_READ to IOPT_DEVICE are seven bits */

static const uint32_t flag_sets[] = { 0, IOPT_TRACKABLE, IOPT_TRACKABLE | IOPT_TRACK,
				      IOPT_NONCOHERENT };

typedef void (*leaf_check)(const struct iopt_format *f, uint64_t entry, unsigned level,
			   unsigned lg2, uint64_t pa, unsigned prot, uint32_t flags);

/* Two addresses a size: the lowest that is not 0, and the highest that the entry holds. */
static void for_each_pa(const struct iopt_format *f, unsigned lg2, uint64_t attr, unsigned prot,
			uint32_t flags, leaf_check check)
{
	uint64_t top = 1ull << f->info.pa_lg2;
	unsigned level = level_of(f, lg2);
	uint64_t pas[] = { 0, 1ull << lg2, top - (1ull << lg2) };

	for (size_t i = 0; i < 3; i++)
		check(f, f->leaf(attr, pas[i], level, lg2, 0), level, lg2, pas[i], prot, flags);
}

/* Every size, attribute and configuration that the format takes. */
static void for_each_leaf(const struct iopt_format *f, leaf_check check)
{
	unsigned taken = 0;

	for (size_t i = 0; i < sizeof(flag_sets) / sizeof(flag_sets[0]); i++) {
		for (unsigned prot = 0; prot < ALL_PROTS; prot++) {
			uint64_t attr;

			if (f->leaf_attr(prot, flag_sets[i], &attr))
				continue;
			if ((flag_sets[i] & (IOPT_TRACKABLE | IOPT_TRACK)) &&
			    !(f->info.abilities & IOPT_CAN_TRACK_DIRTY))
				continue;
			taken++;
			for (unsigned lg2 = 0; lg2 < 64; lg2++)
				if (f->info.page_sizes >> lg2 & 1)
					for_each_pa(f, lg2, attr, prot, flag_sets[i], check);
		}
	}
	/* Read, read and write, under each set of flags that there may be. */
	assert_true(taken >= (f->info.abilities & IOPT_CAN_TRACK_DIRTY ? 8 : 4));
}

static void check_round_trip(const struct iopt_format *f, uint64_t entry, unsigned level,
			     unsigned lg2, uint64_t pa, unsigned prot, uint32_t flags)
{
	(void)flags;
	assert_int_equal(f->kind(entry, level), IOPT_LEAF);
	assert_int_equal(f->leaf_lg2(entry, level), lg2);
	assert_int_equal(f->leaf_pa(entry, level), pa);
	assert_int_equal(f->leaf_prot(f->leaf_attrs(entry, level)), prot);
}

static void leaves_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++)
		for_each_leaf(formats[i], check_round_trip);
}

/*
 * What hardware does to a leaf, undone by leaf_clean(), and nothing else changed. Only bits that
 * hardware may change count: a bit that is a permission of another leaf is not one that says dirty.
 */
static void check_dirty(const struct iopt_format *f, uint64_t entry, unsigned level, unsigned lg2,
			uint64_t pa, unsigned prot, uint32_t flags)
{
	uint64_t clean = f->leaf_clean(entry), bit;
	unsigned dirty_bits = 0;

	assert_false(f->leaf_dirty(clean));
	if (flags & (IOPT_TRACKABLE | IOPT_TRACK)) {
		assert_false(f->leaf_dirty(entry));
		assert_false(f->leaf_accessed(entry));
	}
	for (unsigned n = 0; n < 64; n++) {
		bit = 1ull << n;
		if ((f->leaf_hw(entry) & bit) && f->leaf_dirty(clean ^ bit)) {
			dirty_bits++;
			assert_int_equal(f->leaf_clean(clean ^ bit), clean);
			assert_int_equal(f->leaf_dirtied(clean), clean ^ bit);
			check_round_trip(f, clean ^ bit, level, lg2, pa, prot, flags);
			if (f->dirty_and) {
				assert_int_equal(f->dirty_and, bit);
				assert_int_equal(clean & bit, 0);
			}
		}
	}
	assert_int_equal(dirty_bits, !!(f->info.abilities & IOPT_CAN_TRACK_DIRTY));
}

static void dirty_is_one_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++)
		for_each_leaf(formats[i], check_dirty);
}

/*
 * The entries of a run differ in their own addresses, if at all; each says what the run is. A leaf
 * of one entry is the same whatever number it has.
 */
static void check_slot(const struct iopt_format *f, uint64_t attr, unsigned level, unsigned lg2,
		       unsigned slot)
{
	const unsigned span_lg2 = f->info.granule_lg2 + level * f->info.index_lg2;
	const unsigned in_run = slot & ((1u << (lg2 - span_lg2)) - 1);
	uint64_t entry = f->leaf(attr, 1ull << lg2, level, lg2, slot), same;

	check_round_trip(f, entry, level, lg2, 1ull << lg2, IOPT_READ | IOPT_WRITE, 0);
	assert_int_equal(f->leaf_attrs(entry, level), attr);
	same = f->leaf(attr, 1ull << lg2, level, lg2, 0);
	if (entry != same)
		same = f->leaf(attr, (1ull << lg2) + ((uint64_t)in_run << span_lg2), level,
			       span_lg2, 0) |
		       (same ^ f->leaf(attr, 1ull << lg2, level, span_lg2, 0));
	assert_int_equal(entry, same);
}

static void entries_of_a_run_say_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];
		uint64_t attr;

		assert_int_equal(f->leaf_attr(IOPT_READ | IOPT_WRITE, 0, &attr), 0);
		for (unsigned lg2 = 0; lg2 < 64; lg2++) {
			unsigned level = level_of(f, lg2);

			if (!(f->info.page_sizes >> lg2 & 1))
				continue;
			for (unsigned slot = 1; slot < 1u << f->info.index_lg2; slot++)
				check_slot(f, attr, level, lg2, slot);
		}
	}
}

/* Abilities and what leaf_attr() takes say the same. */
static unsigned expressible(const struct iopt_format *f)
{
	uint32_t a = f->info.abilities;

	return IOPT_READ | IOPT_WRITE | (a & IOPT_CAN_EXEC ? IOPT_EXEC : 0) |
	       (a & IOPT_CAN_PRIV ? IOPT_PRIV : 0) | (a & IOPT_CAN_SNOOP ? IOPT_SNOOP : 0) |
	       (a & IOPT_CAN_MEMORY_TYPES ? IOPT_UNCACHED | IOPT_DEVICE : 0) |
	       (a & IOPT_CAN_UNCACHED ? IOPT_UNCACHED : 0);
}

static void attributes_follow_abilities(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];

		for (unsigned prot = 0; prot < 1u << 9; prot++) {
			bool good = !(prot & ~expressible(f)) && prot & (IOPT_READ | IOPT_WRITE);
			uint64_t attr;

			if (!(prot & IOPT_READ) && !(f->info.abilities & IOPT_CAN_WRITE_ONLY))
				good = false;
			if (!(prot & IOPT_WRITE) && (f->info.abilities & IOPT_ALWAYS_RW))
				good = false;
			if ((prot & IOPT_UNCACHED) && (prot & IOPT_DEVICE))
				good = false;
			assert_int_equal(f->leaf_attr(prot, 0, &attr), good ? 0 : -IOPT_EINVAL);
			assert_int_equal(f->leaf_attr(prot | 1u << 31, 0, &attr), -IOPT_EINVAL);
		}
	}
}

/* A table entry stays that entry whatever hardware or a clearing sweep's AND does to it. */
static void check_table(const struct iopt_format *f, uint64_t entry, unsigned level, uint64_t pa)
{
	assert_int_equal(f->kind(entry, level), IOPT_TABLE);
	assert_int_equal(f->table_pa(entry), pa);
	assert_int_equal(entry & f->dirty_and, 0);
	for (unsigned n = 0; n < 64; n++) {
		uint64_t other = entry ^ (1ull << n);

		if (!(f->table_hw >> n & 1))
			continue;
		assert_int_equal(f->kind(other, level), IOPT_TABLE);
		assert_int_equal(f->table_pa(other), pa);
	}
}

static uint64_t table_bytes(const struct iopt_format *f)
{
	return 1ull << (f->info.index_lg2 + f->info.entry_lg2);
}

/* Some address of a table, with many bits set. */
static uint64_t some_table(const struct iopt_format *f)
{
	return 0xfffff000 & ~(table_bytes(f) - 1);
}

static void tables_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];
		uint64_t least = table_bytes(f), top = (1ull << f->info.pa_lg2) - least;
		uint64_t odd = 0x123456789000 & top;

		for (unsigned level = 1; level < f->info.max_levels; level++) {
			check_table(f, f->table(least, level), level, least);
			check_table(f, f->table(odd, level), level, odd);
			check_table(f, f->table(top, level), level, top);
		}
	}
}

static void table_accessed_is_a_bit_of_hardware(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];
		uint64_t entry = f->table(some_table(f), 1);

		/* Where hardware changes nothing in a table entry, it marks nothing there. */
		assert_int_equal(f->table_accessed(entry | f->table_hw), f->table_hw != 0);
		assert_false(f->table_accessed(entry & ~f->table_hw));
		if (f->info.abilities & IOPT_CAN_ACCESSED_TABLES)
			assert_true(f->table_accessed(entry));
	}
}

/* A software value is no leaf, no table, not empty; hardware and sweeps leave it what it is. */
static void dead_is_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];

		assert_int_equal(f->soft_dead & f->dirty_and, 0);
		assert_int_equal(f->soft_dead & f->table_hw, 0);
		assert_false(f->leaf_dirty(f->soft_dead));
		for (unsigned level = 0; level < f->info.max_levels; level++) {
			assert_int_equal(f->kind(0, level), IOPT_EMPTY);
			assert_int_equal(f->kind(f->soft_dead, level), IOPT_SOFT);
			assert_int_equal(f->kind(f->soft_dead | f->table_hw, level), IOPT_SOFT);
		}
	}
}

/* The tag of software values lies in bits that no leaf and no table uses. */
static void check_tag_free(const struct iopt_format *f, uint64_t entry, unsigned level,
			   unsigned lg2, uint64_t pa, unsigned prot, uint32_t flags)
{
	assert_int_equal(entry & f->soft_dead, 0);
	check_round_trip(f, entry | f->soft_dead, level, lg2, pa, prot, flags);
}

static void tag_is_free_in_present_entries(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];

		for_each_leaf(f, check_tag_free);
		for (unsigned level = 1; level < f->info.max_levels; level++) {
			uint64_t entry = f->table(some_table(f), level);

			assert_int_equal(entry & f->soft_dead, 0);
			check_table(f, entry | f->soft_dead, level, some_table(f));
		}
	}
}

/* One value of the engine's own: nothing else, at any level, whatever hardware would set. */
static void check_soft(const struct iopt_format *f, uint64_t value, enum iopt_soft soft)
{
	assert_int_not_equal(value, 0);
	assert_int_equal(value & (f->dirty_and | f->leaf_hw(value) | f->table_hw | f->leaf_pending),
			 0);
	assert_false(f->leaf_dirty(value));
	assert_int_equal(f->soft(value), soft);
	for (unsigned level = 0; level < f->info.max_levels; level++)
		assert_int_equal(f->kind(value, level), IOPT_SOFT);
}

static void software_values_are_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];
		uint64_t top = 1ull << f->info.pa_lg2;

		check_soft(f, f->soft_dead, IOPT_DEAD);
		if (!(f->info.abilities & IOPT_CAN_TRIM))
			continue;
		check_soft(f, f->frozen(0), IOPT_FROZEN);
		check_soft(f, f->frozen((1u << IOPT_GENERATION_BITS) - 1), IOPT_FROZEN);
		for (unsigned n = 0; n < IOPT_GENERATION_BITS; n++)
			check_soft(f, f->frozen(1u << n), IOPT_FROZEN);
		for (uint64_t pa = table_bytes(f); pa < top; pa <<= 1)
			check_soft(f, f->retiring(pa), IOPT_RETIRING);
		check_soft(f, f->retiring(top - table_bytes(f)), IOPT_RETIRING);
	}
}

static void software_values_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];
		uint64_t top = 1ull << f->info.pa_lg2;

		if (!(f->info.abilities & IOPT_CAN_TRIM))
			continue;
		/* Every generation: a format that drops one bit takes an old try for a new one. */
		for (uint32_t g = 0; g < 1u << IOPT_GENERATION_BITS; g++)
			if (f->frozen_generation(f->frozen(g)) != g)
				assert_int_equal(f->frozen_generation(f->frozen(g)), g);
		for (uint64_t pa = table_bytes(f); pa < top; pa <<= 1) {
			assert_int_equal(f->retiring_pa(f->retiring(pa)), pa);
			assert_int_equal(f->retiring_pa(f->retiring(top - pa)), top - pa);
		}
	}
}

/* Pending changes nothing in a leaf, and no leaf is born with it; hardware has no part in it. */
static void check_pending(const struct iopt_format *f, uint64_t entry, unsigned level, unsigned lg2,
			  uint64_t pa, unsigned prot, uint32_t flags)
{
	assert_int_equal(__builtin_popcountll(f->leaf_pending), 1);
	assert_int_equal(f->leaf_pending & (f->leaf_hw(entry) | f->dirty_and), 0);
	assert_int_equal(entry & f->leaf_pending, 0);
	assert_int_equal(f->leaf_dirty(entry | f->leaf_pending), f->leaf_dirty(entry));
	assert_int_equal(f->leaf_clean(entry | f->leaf_pending) & f->leaf_pending, f->leaf_pending);
	check_round_trip(f, entry | f->leaf_pending, level, lg2, pa, prot, flags);
}

static void pending_is_free_in_leaves(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++)
		if (formats[i]->info.abilities & IOPT_CAN_RESIZE)
			for_each_leaf(formats[i], check_pending);
}

/* Touched is one bit of table_hw, off hardware's own; where accessed is not kept there is none. */
static void touched_is_free_in_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];
		bool keeps = f->info.abilities & IOPT_CAN_ACCESSED_TABLES;

		assert_int_equal(__builtin_popcountll(f->table_a), keeps);
		assert_int_equal(__builtin_popcountll(f->table_touched), keeps);
		assert_int_equal(f->table_a & f->table_touched, 0);
		assert_int_equal((f->table_a | f->table_touched) & ~f->table_hw, 0);
		for (unsigned level = 1; keeps && level < f->info.max_levels; level++) {
			uint64_t entry = f->table(some_table(f), level);

			assert_int_equal(entry & f->table_touched, 0);
			assert_false(f->table_accessed((entry & ~f->table_a) | f->table_touched));
			check_table(f, entry | f->table_touched, level, some_table(f));
		}
	}
}

/* Unwritten is one bit, off those of hardware and of software values; a table stays what it is. */
static void unwritten_is_free_in_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format *f = formats[i];

		assert_in_range(__builtin_popcountll(f->table_unwritten), 0, 1);
		assert_int_equal(f->table_unwritten & f->table_hw, 0);
		assert_int_equal(f->table_unwritten & f->soft_dead, 0);
		if (f->info.abilities & IOPT_CAN_TRIM)
			assert_int_equal(f->table_unwritten & (f->frozen(0) | f->retiring(0)), 0);
		for (unsigned level = 1; level < f->info.max_levels; level++) {
			uint64_t entry = f->table(some_table(f), level);

			assert_int_equal(entry & f->table_unwritten, 0);
			check_table(f, entry | f->table_unwritten, level, some_table(f));
		}
	}
}

/* Where sweeps skip, entries are looked at together: a leaf shows whatever it is ORed with. */
static void check_ored(const struct iopt_format *f, uint64_t entry, unsigned level, unsigned lg2,
		       uint64_t pa, unsigned prot, uint32_t flags)
{
	const uint64_t others[] = { f->table(some_table(f), level ? level : 1), f->soft_dead,
				    f->frozen(~0u >> (32 - IOPT_GENERATION_BITS)),
				    f->retiring(0xfffff000), 0 };

	for (size_t i = 0; level && i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(f->kind(entry | others[i], level), IOPT_LEAF);
	(void)lg2;
	(void)pa;
	(void)prot;
	(void)flags;
}

static void leaves_show_in_a_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++)
		if (formats[i]->table_a)
			for_each_leaf(formats[i], check_ored);
}

/* A leaf with every state that hardware and the engine may give it makes others of any size. */
static void check_attrs(const struct iopt_format *f, uint64_t entry, unsigned level, unsigned lg2,
			uint64_t pa, unsigned prot, uint32_t flags)
{
	const uint64_t hw = f->leaf_hw(entry);
	const uint64_t states[] = { 0, hw, f->leaf_pending, hw | f->leaf_pending };

	for (size_t i = 0; i < 4; i++) {
		uint64_t from = entry ^ states[i], attrs = f->leaf_attrs(from, level);

		assert_int_equal(f->leaf(attrs, pa, level, lg2, 0), from);
		for (unsigned to = 0; to < 64; to++) {
			uint64_t other;

			if (!(f->info.page_sizes >> to & 1))
				continue;
			other = f->leaf(attrs, 1ull << to, level_of(f, to), to, 0);
			check_round_trip(f, other, level_of(f, to), to, 1ull << to, prot, flags);
			assert_int_equal(f->leaf_attrs(other, level_of(f, to)), attrs);
			assert_int_equal(f->leaf_dirty(other), f->leaf_dirty(from));
			assert_int_equal(f->leaf_accessed(other), f->leaf_accessed(from));
			assert_int_equal(other & f->leaf_pending, from & f->leaf_pending);
		}
	}
}

static void leaves_make_other_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++)
		for_each_leaf(formats[i], check_attrs);
}

/* Software sets what hardware sets. */
static void check_dirtied(const struct iopt_format *f, uint64_t entry, unsigned level, unsigned lg2,
			  uint64_t pa, unsigned prot, uint32_t flags)
{
	uint64_t dirty = f->leaf_dirtied(entry);

	assert_true(f->leaf_dirty(dirty));
	assert_int_equal(f->leaf_clean(dirty), f->leaf_clean(entry));
	assert_int_equal((dirty ^ entry) & ~f->leaf_hw(entry), 0);
	check_round_trip(f, dirty, level, lg2, pa, prot, flags);
}

static void dirtied_is_dirty(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++)
		if (formats[i]->info.abilities & IOPT_CAN_TRACK_DIRTY)
			for_each_leaf(formats[i], check_dirtied);
}

static void descriptions_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		const struct iopt_format_info *info = &formats[i]->info;
		bool trims = info->abilities & IOPT_CAN_TRIM;
		bool runs = false;

		/* The values that trim leaves in tables, or none. */
		assert_int_equal(formats[i]->frozen && formats[i]->frozen_generation, trims);
		assert_int_equal(formats[i]->retiring && formats[i]->retiring_pa, trims);
		assert_true(info->page_sizes >> info->granule_lg2 & 1);
		assert_int_equal(info->page_sizes & ((1ull << info->granule_lg2) - 1), 0);
		assert_int_equal(info->page_sizes >> info->pa_lg2, 0);
		assert_in_range(info->default_levels, info->min_levels, info->max_levels);
		assert_in_range(info->max_levels, 1, IOPT_MAX_LEVELS);
		assert_in_range(info->stage, 0, 2);
		for (unsigned lg2 = info->granule_lg2; lg2 < 64; lg2++) {
			if (!(info->page_sizes >> lg2 & 1))
				continue;
			assert_in_range(level_of(formats[i], lg2), 0, info->max_levels - 1u);
			runs |= (lg2 - info->granule_lg2) % info->index_lg2 != 0;
		}
		assert_int_equal(runs, !!(info->abilities & IOPT_CAN_RUNS));
		if (info->abilities & IOPT_CAN_GROW)
			assert_true(info->min_levels < info->max_levels);
		/* Runs have no fixed size in a slot: an AND can't be enough. */
		if (runs)
			assert_int_equal(formats[i]->dirty_and, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_come_back),
		cmocka_unit_test(dirty_is_one_bit),
		cmocka_unit_test(entries_of_a_run_say_the_same),
		cmocka_unit_test(attributes_follow_abilities),
		cmocka_unit_test(tables_come_back),
		cmocka_unit_test(table_accessed_is_a_bit_of_hardware),
		cmocka_unit_test(dead_is_nothing_else),
		cmocka_unit_test(tag_is_free_in_present_entries),
		cmocka_unit_test(software_values_are_nothing_else),
		cmocka_unit_test(software_values_come_back),
		cmocka_unit_test(pending_is_free_in_leaves),
		cmocka_unit_test(touched_is_free_in_tables),
		cmocka_unit_test(unwritten_is_free_in_tables),
		cmocka_unit_test(leaves_show_in_a_line),
		cmocka_unit_test(leaves_make_other_sizes),
		cmocka_unit_test(dirtied_is_dirty),
		cmocka_unit_test(descriptions_fit),
	};

	return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
