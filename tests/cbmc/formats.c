/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every entry that a format makes, for all sizes, addresses, permissions and configurations: what
 * it says is what it was made of, and the engine's own values are none of what hardware sees.
 * Compiled once for each format of formats/list.h; the bit patterns themselves are in tests/unit.
 */
#define PROVE_PASTE_(a, b) a##b
#define PROVE_PASTE(a, b)  PROVE_PASTE_(a, b)
#define PROVE_STRING_(a)   #a
#define PROVE_STRING(a)	   PROVE_STRING_(a)

#define IOPT_INSTANCE_FORMAT PROVE_PASTE(IOPT_FORMAT, _format)
/* It would take the path for a division. */
/* clang-format off */
#include PROVE_STRING(formats/IOPT_FORMAT.h)
/* clang-format on */

#include "engine/entry.h"
#include "tests/cbmc/prove.h"

/**
 * struct made - a leaf, and what it was made of
 */
struct made {
	uint64_t attr;
	uint64_t pa;
	uint64_t entry;
	unsigned prot;
	uint32_t flags;
	unsigned level;
	unsigned size_lg2;
	unsigned slot;
};

static bool is_size(unsigned lg2)
{
	return lg2 < 64 && (F->info.page_sizes >> lg2 & 1);
}

static struct made any_leaf(void)
{
	struct made m = { .pa = nondet_u64(), .prot = nondet_u32(), .flags = nondet_u32() };

	m.size_lg2 = any_below(64);
	assume(is_size(m.size_lg2));
	assume(!(m.pa & ((1ull << m.size_lg2) - 1)) && !(m.pa >> F->info.pa_lg2));
	assume(!F->leaf_attr(m.prot, m.flags, &m.attr));
	m.level = leaf_level(m.size_lg2);
	m.slot = any_below(run_length(m.size_lg2, m.level));
	m.entry = F->leaf(m.attr, m.pa, m.level, m.size_lg2, m.slot);
	return m;
}

/* Bits that hardware and the engine may change while it stays the same leaf. */
static uint64_t marks_of(uint64_t entry)
{
	return F->leaf_hw(entry) | F->leaf_pending;
}

static uint64_t any_marked(uint64_t entry)
{
	return entry ^ (nondet_u64() & marks_of(entry));
}

static uint64_t any_table_pa(void)
{
	uint64_t pa = nondet_u64();

	assume(!(pa & ((1ull << (F->info.index_lg2 + F->info.entry_lg2)) - 1)) &&
	       !(pa >> F->info.pa_lg2));
	return pa;
}

static unsigned any_table_level(void)
{
	unsigned level = any_below(F->info.max_levels);

	assume(level > 0);
	return level;
}

static uint32_t any_generation(void)
{
	return any_below(1u << IOPT_GENERATION_BITS);
}

void prove_leaf_says_what_it_is(void)
{
	struct made m = any_leaf();
	uint64_t entry = any_marked(m.entry);

	claim(F->kind(entry, m.level) == IOPT_LEAF, "kind");
	claim(F->leaf_lg2(entry, m.level) == m.size_lg2, "size");
	claim(F->leaf_pa(entry, m.level) == m.pa, "address");
	claim(F->leaf_prot(F->leaf_attrs(entry, m.level)) == m.prot, "permissions");
	reached();
}

/* Whichever entry of a run it is, it speaks of the whole run. */
void prove_every_entry_of_a_run_says_the_same(void)
{
	struct made m = any_leaf();
	unsigned slot = any_below(run_length(m.size_lg2, m.level));
	uint64_t entry = F->leaf(m.attr, m.pa, m.level, m.size_lg2, slot);

	claim(F->leaf_lg2(entry, m.level) == m.size_lg2, "size");
	claim(F->leaf_pa(entry, m.level) == m.pa, "address");
	claim(F->leaf_attrs(entry, m.level) == F->leaf_attrs(m.entry, m.level), "attributes");
	claim(slot != m.slot || entry == m.entry, "nothing else decides");
	reached();
}

/* What a change of permissions makes of a leaf: it says the new ones, and what was marked stays. */
void prove_attributes_take_marks_along(void)
{
	struct made m = any_leaf();
	uint64_t marked = any_marked(m.entry), attr, other;
	unsigned prot = nondet_u32();

	assume(!F->leaf_attr(prot, m.flags, &attr));
	other = F->leaf(attr_marked(attr, marked), m.pa, m.level, m.size_lg2, m.slot);
	claim(F->kind(other, m.level) == IOPT_LEAF, "kind");
	claim(F->leaf_lg2(other, m.level) == m.size_lg2, "size");
	claim(F->leaf_pa(other, m.level) == m.pa, "address");
	claim(F->leaf_prot(F->leaf_attrs(other, m.level)) == prot, "permissions");
	claim(!(marked & ~other & F->leaf_pending), "pending");
	claim(!F->leaf_accessed(marked) || F->leaf_accessed(other), "accessed");
	claim(!F->leaf_dirty(marked) || F->leaf_dirty(other), "dirty");
	if (m.flags & (IOPT_TRACKABLE | IOPT_TRACK))
		claim(F->leaf_dirty(marked) == F->leaf_dirty(other), "no more than that");
	reached();
}

/* Leaves that a merge takes for the same, but for what hardware marked, grant the same. */
void prove_no_mark_is_a_permission(void)
{
	struct made m = any_leaf();
	uint64_t attr, other;

	assume(!F->leaf_attr(nondet_u32(), m.flags, &attr));
	other = any_marked(F->leaf(attr, m.pa, m.level, m.size_lg2, m.slot));
	if (!((F->leaf_attrs(other, m.level) ^ m.attr) & ~F->leaf_hw(m.attr)))
		claim(F->leaf_prot(F->leaf_attrs(other, m.level)) == m.prot, "permissions");
	reached();
}

/* What a split or a merge makes of a leaf: the same, at another address, in another size. */
void prove_attributes_make_leaves_of_other_sizes(void)
{
	struct made m = any_leaf();
	uint64_t marked = any_marked(m.entry), pa = nondet_u64(), other;
	unsigned lg2 = any_below(64), level, slot;

	assume(is_size(lg2));
	assume(!(pa & ((1ull << lg2) - 1)) && !(pa >> F->info.pa_lg2));
	level = leaf_level(lg2);
	slot = any_below(run_length(lg2, level));
	other = F->leaf(F->leaf_attrs(marked, m.level), pa, level, lg2, slot);
	claim(F->kind(other, level) == IOPT_LEAF, "kind");
	claim(F->leaf_lg2(other, level) == lg2, "size");
	claim(F->leaf_pa(other, level) == pa, "address");
	claim(F->leaf_prot(F->leaf_attrs(other, level)) == m.prot, "permissions");
	claim(!((other ^ marked) & marks_of(marked)), "marks");
	if (lg2 == m.size_lg2 && pa == m.pa && slot == m.slot)
		claim(other == marked, "the leaf itself");
	reached();
}

void prove_dirty_is_one_bit(void)
{
	struct made m = any_leaf();
	const bool marks = F->info.abilities & IOPT_CAN_TRACK_DIRTY;
	uint64_t entry = any_marked(m.entry);
	uint64_t clean = F->leaf_clean(entry), dirtied = F->leaf_dirtied(entry);
	uint64_t bit = clean ^ dirtied;

	claim(!F->leaf_dirty(clean) && F->leaf_dirty(dirtied) == marks, "clean is not dirty");
	claim(!bit == !marks && !(bit & (bit - 1)), "one bit, or none");
	claim(!((entry ^ clean) & ~bit) && !((entry ^ dirtied) & ~bit), "nothing else changes");
	claim(F->leaf_dirty(entry) == (bit && !((entry ^ dirtied) & bit)), "it is the bit");
	claim(!(bit & ~F->leaf_hw(entry)), "hardware may change it");
	claim(F->leaf_hw(clean) == F->leaf_hw(dirtied), "and no other one then");
	claim(!F->dirty_and || (dirtied & bit), "what an AND clears was set");
	claim(!F->dirty_and || F->dirty_and == bit, "an AND takes the same");
	claim(!F->dirty_and || (entry & ~F->dirty_and) == clean, "and nothing else");
	reached();
}

/* Where a domain may be tracked, what is new was neither read nor written. */
void prove_tracked_leaves_start_clean(void)
{
	struct made m = any_leaf();

	claim(!(m.entry & F->leaf_pending), "not pending");
	if (m.flags & (IOPT_TRACKABLE | IOPT_TRACK))
		claim(!F->leaf_dirty(m.entry) && !F->leaf_accessed(m.entry), "clean");
	reached();
}

void prove_attributes_follow_abilities(void)
{
	const uint32_t can = F->info.abilities;
	unsigned takes = IOPT_READ | IOPT_WRITE | (can & IOPT_CAN_EXEC ? IOPT_EXEC : 0) |
			 (can & IOPT_CAN_PRIV ? IOPT_PRIV : 0) |
			 (can & IOPT_CAN_SNOOP ? IOPT_SNOOP : 0) |
			 (can & IOPT_CAN_MEMORY_TYPES ? IOPT_UNCACHED | IOPT_DEVICE : 0) |
			 (can & IOPT_CAN_UNCACHED ? IOPT_UNCACHED : 0);
	const unsigned types = IOPT_UNCACHED | IOPT_DEVICE;
	unsigned prot = nondet_u32();
	uint64_t attr;
	bool good = !(prot & ~takes) && (prot & types) != types &&
		    (prot & (can & IOPT_CAN_WRITE_ONLY ? IOPT_READ | IOPT_WRITE : IOPT_READ)) &&
		    (prot & IOPT_WRITE || !(can & IOPT_ALWAYS_RW));

	claim(F->leaf_attr(prot, nondet_u32(), &attr) == (good ? 0 : -IOPT_EINVAL),
	      "what is taken");
	reached();
}

void prove_table_says_where_it_leads(void)
{
	unsigned level = any_table_level();
	uint64_t pa = any_table_pa(), entry = F->table(pa, level);
	uint64_t changed = entry ^ (nondet_u64() & (F->table_hw | F->table_unwritten));

	claim(F->kind(changed, level) == IOPT_TABLE, "kind");
	claim(F->table_pa(changed) == pa, "address");
	claim(!(changed & F->dirty_and), "an AND for dirty changes nothing");
	claim(!F->table_a || F->table_accessed(entry), "starts accessed");
	claim(!F->table_a || F->table_accessed(changed) == !!(changed & F->table_a), "accessed");
	claim(!(entry & F->table_touched), "starts untouched");
	claim(!((F->table_a | F->table_touched) & ~F->table_hw), "marks may change");
	claim(!F->table_a == !F->table_touched && !(F->table_a & F->table_touched), "two marks");
	claim(!(entry & F->table_unwritten), "starts as if written back");
	claim(!(F->table_unwritten & (F->table_unwritten - 1)), "one bit, if any");
	claim(!(F->table_unwritten & F->table_hw), "unwritten is nothing of hardware's or sweeps'");
	reached();
}

/* The engine's own values, of a generation and a table; without trim dead is all that there is. */
static uint64_t soft_value(enum iopt_soft soft, uint32_t generation, uint64_t pa)
{
	if (!has_trim() || soft == IOPT_DEAD)
		return F->soft_dead;
	return soft == IOPT_FROZEN ? F->frozen(generation) : F->retiring(pa);
}

/* A value of the engine's own is not present to hardware, and is known for what it is. */
void prove_software_values_are_nothing_else(void)
{
	uint64_t pa = any_table_pa();
	enum iopt_soft soft = any_below(has_trim() ? 3 : 1);
	unsigned level = any_below(F->info.max_levels);
	uint64_t value = soft_value(soft, any_generation(), pa);

	claim(F->kind(value, level) == IOPT_SOFT, "kind");
	claim(F->soft(value) == soft, "which one");
	claim(F->kind(0, level) == IOPT_EMPTY, "empty");
	claim(!(value & (F->dirty_and | F->table_hw | F->leaf_hw(value))), "off hardware's bits");
	claim(!F->leaf_dirty(value) && !F->table_accessed(value), "neither dirty nor accessed");
	claim(!has_trim() || F->retiring_pa(soft_value(IOPT_RETIRING, 0, pa)) == pa, "address");
	reached();
}

void prove_generations_come_back(void)
{
	uint32_t one = any_generation(), other = any_generation();

	if (has_trim()) {
		claim(F->frozen_generation(F->frozen(one)) == one, "generation");
		claim((F->frozen(one) == F->frozen(other)) == (one == other), "each its own");
	}
	reached();
}

/*
 * Present entries leave the bits alone that say that a value is the software's, and the marks too:
 * one that all of these values share, or else every one that tells them apart.
 */
void prove_marks_are_free_in_present_entries(void)
{
	struct made m = any_leaf();
	uint64_t table = F->table(any_table_pa(), any_table_level());
	uint64_t frozen = soft_value(IOPT_FROZEN, 0, 0), retiring = soft_value(IOPT_RETIRING, 0, 0);
	uint64_t all = F->soft_dead | frozen | retiring, shared = F->soft_dead & frozen & retiring;
	uint64_t tag = shared ? shared : all;

	claim(!(m.entry & tag) && !(table & tag), "tag");
	claim(!F->leaf_pending == !(F->info.abilities & IOPT_CAN_RESIZE) &&
		      !(F->leaf_pending & (F->leaf_hw(m.entry) | all)),
	      "pending");
	claim(!(F->table_touched & all), "touched");
	claim(!(F->table_unwritten & (all | table)), "unwritten");
	reached();
}

/* Whatever lies in memory, the format's functions do nothing that C leaves undefined. */
void prove_any_entry_is_read_safely(void)
{
	uint64_t entry = nondet_u64();
	unsigned level = any_below(F->info.max_levels);
	enum iopt_kind kind = F->kind(entry, level);

	claim((kind == IOPT_EMPTY) == !entry, "empty is 0 alone");
	claim(level || kind != IOPT_TABLE, "no table at level 0");
	if (kind == IOPT_LEAF) {
		unsigned lg2 = F->leaf_lg2(entry, level);

		claim(lg2 >= F->info.granule_lg2 && lg2 < 64, "size");
		claim(!(F->leaf_pa(entry, level) & ((1ull << lg2) - 1)), "aligned");
	}
	if (kind == IOPT_SOFT)
		claim(F->soft(entry) <= IOPT_RETIRING, "which one");
	reached();
}
