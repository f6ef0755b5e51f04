/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page tables of any format, from the root down, in ascending order of addresses. Without
 * recursion, a table of each level at hand; a table that was read before in this walk is told and
 * not entered again, so that the walk ends whatever is in memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode/second.h"
#include "decode/table.h"

/**
 * struct seen - a set of addresses, none of them 0
 * @slots: 2^lg2 of them, 0: free; NULL while there are none
 * @used:  how many are in use
 */
struct seen {
	uint64_t *slots;
	unsigned lg2;
	uint64_t used;
};

/**
 * struct step - the table of one level that a walk is at
 * @next:  the entry to look at
 * @first: address that its first entry translates
 * @prot:  what the levels above grant
 */
struct step {
	struct copy copy;
	unsigned next;
	uint64_t first;
	unsigned prot;
};

/**
 * struct walk - a walk
 * @level: of the table it is at
 * @first, @last: what is of interest
 */
struct walk {
	struct reading *reading;
	struct shape shape;
	unsigned level;
	uint64_t first;
	uint64_t last;
	struct seen seen;
	struct step steps[SOFT_MAX_LEVELS];
};

/* ---- tables that were read ----------------------------------------------------------------- */

/* Fibonacci hashing, Knuth: The Art of Computer Programming 3, 6.4. */
static uint64_t *seen_slot(const struct seen *seen, uint64_t key)
{
	uint64_t at = key * 0x9e3779b97f4a7c15ull >> (64 - seen->lg2);

	while (seen->slots[at] && seen->slots[at] != key)
		at = (at + 1) & ((1ull << seen->lg2) - 1);
	return &seen->slots[at];
}

static bool seen_grow(struct seen *seen)
{
	struct seen larger = { .lg2 = seen->lg2 ? seen->lg2 + 1 : 8, .used = seen->used };

	larger.slots = calloc(1ull << larger.lg2, sizeof(*larger.slots));
	if (!larger.slots)
		return false;
	for (uint64_t i = 0; seen->slots && i < 1ull << seen->lg2; i++)
		if (seen->slots[i])
			*seen_slot(&larger, seen->slots[i]) = seen->slots[i];
	free(seen->slots);
	*seen = larger;
	return true;
}

/* 1: it is new, 0: it was there, -ENOMEM. */
static int seen_add(struct seen *seen, uint64_t pa)
{
	uint64_t *slot;

	if ((!seen->slots || seen->used >= 1ull << seen->lg2 >> 1) && !seen_grow(seen))
		return -ENOMEM;
	slot = seen_slot(seen, pa + 1);
	if (*slot)
		return 0;
	*slot = pa + 1;
	seen->used++;
	return 1;
}

/* ---- one table ----------------------------------------------------------------------------- */

/* An address as the device uses it. */
static uint64_t extended(const struct walk *walk, uint64_t iova)
{
	const struct shape *shape = &walk->shape;

	if (shape->width < 64 &&
	    (shape->root.upper || (shape->extends && iova >> (shape->width - 1) & 1)))
		return iova | ~0ull << shape->width;
	return iova;
}

static bool wanted(const struct walk *walk, uint64_t first, uint64_t last)
{
	return extended(walk, last) >= walk->first && extended(walk, first) <= walk->last;
}

static void trouble(struct walk *walk, enum iopt_decode_wrong what, uint64_t iova, unsigned level,
		    uint64_t entry_pa, uint64_t entry)
{
	reading_trouble(walk->reading, what, extended(walk, iova), level, entry_pa, entry);
}

static unsigned count_used(const struct copy *copy)
{
	unsigned used = 0;

	for (unsigned i = 0; i < copy->nr; i++)
		used += copy->entries[i] != 0;
	return used;
}

/* Only where somebody listens: counting takes time. */
static int tell_table(const struct walk *walk, const struct step *step,
		      struct iopt_decode_table table)
{
	const struct iopt_decode_visitor *visitor = walk->reading->visitor;

	if (!visitor->table || step->copy.pages[0] == NOWHERE)
		return 0;
	table.pa = step->copy.pages[0];
	table.bytes = (uint64_t)step->copy.nr * sizeof(*step->copy.entries);
	table.first = extended(walk, table.first);
	table.used = count_used(&step->copy);
	return visitor->table(visitor->ctx, &table);
}

/* Go on in a table, of which all but its size and use is known. */
static int enter(struct walk *walk, const struct iopt_decode_table *table, unsigned prot)
{
	struct step *step = &walk->steps[table->level];
	int fresh = seen_add(&walk->seen, table->pa);

	if (fresh < 0)
		return fresh;
	if (!fresh) {
		trouble(walk, IOPT_DECODE_TABLE_TWICE, table->first, table->level, table->pa, 0);
		return 0;
	}
	if (!copy_read(walk->reading, &walk->shape, &step->copy, table->pa, table->level,
		       extended(walk, table->first)))
		return walk->reading->failed;
	step->next = 0;
	step->first = table->first;
	step->prot = prot;
	walk->level = table->level;
	return tell_table(walk, step, *table);
}

/* ---- leaves -------------------------------------------------------------------------------- */

static void read_marks(const struct walk *walk, const struct step *step, unsigned index,
		       unsigned run, struct iopt_decode_leaf *found)
{
	for (unsigned i = index; i < index + run; i++) {
		uint64_t entry = step->copy.entries[i];

		found->accessed |= entry & walk->shape.format->accessed;
		found->dirty |= soft_is_dirty(walk->shape.format, entry);
	}
}

/* What two stages grant together. Of what kind memory is either may say, and both are told. */
static uint8_t prot_of_both(unsigned first, unsigned second)
{
	return (uint8_t)((first & second & SOFT_ALL_PROT) | (first & IOPT_PRIV) |
			 ((first | second) & SOFT_LEAF_ONLY));
}

#define PIECES 512u /* that count as a table: as many as one has entries */

/* However often tables lead to the same ones: the limit ends it. */
static bool count_piece(struct reading *reading, const struct iopt_decode_leaf *leaf)
{
	return ++reading->pieces % PIECES ||
	       reading_count(reading, leaf->pa, leaf->first, leaf->level);
}

/* The part of a leaf that a piece of the second stage is for, from an address on. */
static struct iopt_decode_leaf part_of(const struct iopt_decode_leaf *leaf,
				       const struct piece *piece)
{
	const uint64_t skipped = piece->first > leaf->pa ? piece->first - leaf->pa : 0;
	const uint64_t most = leaf->last - leaf->first, end = piece->last - leaf->pa;
	struct iopt_decode_leaf part = *leaf;

	part.first = leaf->first + skipped;
	part.last = leaf->first + (end < most ? end : most);
	part.pa = piece->pa + (leaf->pa + skipped - piece->first);
	part.prot = prot_of_both(leaf->prot, piece->prot);
	part.lg2 = piece->lg2 < leaf->lg2 ? piece->lg2 : leaf->lg2;
	part.accessed |= piece->accessed;
	part.dirty |= piece->dirty;
	return part;
}

/*
 * A leaf of a first stage, piece by piece of the second one, as far as it is of interest; where
 * that leads nowhere, nothing.
 */
static int tell_through(struct walk *walk, const struct iopt_decode_leaf *leaf)
{
	const struct iopt_decode_visitor *visitor = walk->reading->visitor;
	uint64_t at = walk->first > leaf->first ? walk->first : leaf->first;
	const uint64_t end = walk->last < leaf->last ? walk->last : leaf->last;
	struct iopt_decode_leaf part;
	int result = 0;

	do {
		struct piece piece = second_find(walk->reading, walk->reading->second,
						 leaf->pa + (at - leaf->first));

		part = part_of(leaf, &piece);
		if (piece.mapped)
			result = visitor->leaf(visitor->ctx, &part);
		at = part.last + 1;
	} while (!result && part.last < end && count_piece(walk->reading, leaf));
	return result ? result : walk->reading->failed;
}

static int tell_leaf(struct walk *walk, struct step *step, unsigned index,
		     const struct soft_entry *leaf)
{
	const struct iopt_decode_visitor *visitor = walk->reading->visitor;
	const unsigned level = walk->level, span_lg2 = soft_entry_lg2(walk->shape.format, level);
	unsigned run = leaf->lg2 > span_lg2 ? 1u << (leaf->lg2 - span_lg2) : 1, alike = run;
	uint64_t first = step->first + ((uint64_t)index << span_lg2), last;
	struct iopt_decode_leaf found = {
		.first = extended(walk, first),
		.pa = leaf_own(&walk->shape, leaf, index % run, level),
		.prot = (uint8_t)soft_combine(step->prot, leaf->prot),
		.lg2 = leaf->lg2,
		.level = (uint8_t)level,
		.entry_pa = copy_entry_pa(&step->copy, index),
		.entry = step->copy.entries[index],
	};

	if (run > 1)
		alike = copy_run(&walk->shape, &step->copy, level, index, leaf, run);
	if (alike < run)
		trouble(walk, IOPT_DECODE_RUN_DIFFERS, first, level, found.entry_pa, found.entry);
	step->next = index + alike;
	last = first + ((uint64_t)alike << span_lg2) - 1;
	found.last = extended(walk, last);
	if (!wanted(walk, first, last))
		return 0;
	read_marks(walk, step, index, alike, &found);
	return walk->reading->second ? tell_through(walk, &found)
				     : visitor->leaf(visitor->ctx, &found);
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* The entry that a step is at: tell of it or go down. */
static int look(struct walk *walk, struct step *step)
{
	const struct shape *shape = &walk->shape;
	const unsigned index = step->next++, level = walk->level;
	const unsigned span_lg2 = soft_entry_lg2(shape->format, level);
	uint64_t entry = step->copy.entries[index];
	uint64_t first = step->first + ((uint64_t)index << span_lg2);
	struct iopt_decode_table table;
	struct soft_entry found;

	if (!entry)
		return 0;
	found = shape_decode(shape, entry, level);
	switch (found.kind) {
	case SOFT_LEAF: return tell_leaf(walk, step, index, &found);
	case SOFT_TABLE:
		if (!wanted(walk, first, first + ((1ull << span_lg2) - 1)))
			return 0;
		table = (struct iopt_decode_table){
			.pa = found.pa,
			.level = level - 1 - found.skips,
			.first = first,
			.entry_pa = copy_entry_pa(&step->copy, index),
			.entry = entry,
			.entry_level = level,
		};
		return enter(walk, &table, soft_combine(step->prot, found.prot));
	case SOFT_WRONG:
		trouble(walk, wrong_of(found.reason), first, level,
			copy_entry_pa(&step->copy, index), entry);
		return 0;
	default: return 0;
	}
}

static int walk_all(struct walk *walk)
{
	const struct iopt_decode_table top = {
		.pa = walk->shape.root.pa,
		.level = walk->shape.root.levels - 1u,
		.entry_level = walk->shape.root.levels,
	};
	int result = enter(walk, &top, IOPT_EXEC | (walk->reading->device->prot & SOFT_ALL_PROT));

	while (!result && !reading_ended(walk->reading) && walk->level < walk->shape.root.levels) {
		struct step *step = &walk->steps[walk->level];

		/* Of a level that was skipped, too: it had no table yet, or one that is done. */
		if (step->next == step->copy.nr)
			walk->level++;
		else
			result = look(walk, step);
	}
	return result ? result : walk->reading->failed;
}

/* By the first stage where there are two. A root that hardware would not take is told. */
static int walk_device(struct walk *walk)
{
	const struct iopt_decode_device *device = walk->reading->device;
	int result;

	if (device->first_format)
		result = shape_set(&walk->shape, device->first_format, &device->first_hw);
	else
		result = shape_set(&walk->shape, device->format, &device->hw);
	if (result == -ERANGE) {
		reading_trouble(walk->reading, IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS,
				device->entry_pa, 0);
		return 0;
	}
	if (result)
		return result;
	if (device->first_format && !reading_through(walk->reading, device))
		return walk->reading->failed;
	walk->level = walk->shape.root.levels;
	return walk_all(walk);
}

int iopt_decode_tables(const struct iopt_decode_source *source,
		       const struct iopt_decode_device *device, uint64_t first, uint64_t last,
		       const struct iopt_decode_visitor *visitor)
{
	struct reading reading = { .source = source, .visitor = visitor, .device = device };
	struct walk walk = { .reading = &reading, .first = first, .last = last };
	int result;

	if (!device->format)
		return device->first_format ? -EINVAL : 0;
	result = walk_device(&walk);
	second_free(reading.second);
	for (unsigned level = 0; level < SOFT_MAX_LEVELS; level++)
		copy_free(&walk.steps[level].copy);
	free(walk.seen.slots);
	return result;
}
