/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Page tables of any format, from the root down, in ascending order of addresses. Without
 * recursion, a table of each level at hand; a table that was read before in this walk is told and
 * not entered again, so that the walk ends whatever is in memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode/internal.h"
#include "soft-iommu/internal.h"

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
 * @pa:      of the table
 * @bytes:   its entries
 * @room:    bytes allocated there
 * @entries: how many
 * @next:    the one to look at
 * @first:   address that its first entry translates
 * @prot:    what the levels above grant
 */
struct step {
	uint64_t pa;
	void *bytes;
	size_t room;
	unsigned entries;
	unsigned next;
	uint64_t first;
	unsigned prot;
};

/**
 * struct walk - a walk
 * @level: of the table it is at
 * @width: bits of an address that the tables translate
 * @extends: addresses have all bits above these as the highest of these
 * @over:  the limit of tables was reached
 */
struct walk {
	struct reading *reading;
	const struct soft_format *format;
	struct soft_root root;
	unsigned level;
	unsigned width;
	bool extends;
	bool over;
	uint64_t first;
	uint64_t last;
	struct seen seen;
	struct step steps[SOFT_MAX_LEVELS];
};

static const struct soft_format *const formats[] = {
	&soft_vtd_ss,	  &soft_x86_64,	    &soft_amd_v1,  &soft_arm_s1,
	&soft_arm_s1_16k, &soft_arm_s1_64k, &soft_arm_s2,  &soft_arm_s2_16k,
	&soft_arm_s2_64k, &soft_riscv_s1,   &soft_riscv_g,
};

static const struct soft_format *format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}

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

static uint64_t step_entry(const struct walk *walk, const struct step *step, unsigned index)
{
	return walk->format->entry_lg2 == 2 ? ((const uint32_t *)step->bytes)[index]
					    : ((const uint64_t *)step->bytes)[index];
}

static uint64_t step_entry_pa(const struct walk *walk, const struct step *step, unsigned index)
{
	return step->pa + ((uint64_t)index << walk->format->entry_lg2);
}

/* An address as the device uses it. */
static uint64_t extended(const struct walk *walk, uint64_t iova)
{
	if (walk->width < 64 &&
	    (walk->root.upper || (walk->extends && iova >> (walk->width - 1) & 1)))
		return iova | ~0ull << walk->width;
	return iova;
}

static bool wanted(const struct walk *walk, uint64_t first, uint64_t last)
{
	return extended(walk, last) >= walk->first && extended(walk, first) <= walk->last;
}

/* The top may have fewer or more than the others, and no more than addresses have bits for. */
static unsigned table_entries(const struct walk *walk, unsigned level)
{
	const unsigned span_lg2 = soft_entry_lg2(walk->format, level);
	unsigned lg2 = walk->format->index_lg2;

	if (walk->root.width && level + 1u == walk->root.levels)
		lg2 = walk->root.width - span_lg2;
	return 1u << (span_lg2 + lg2 > 64 ? 64 - span_lg2 : lg2);
}

static void trouble(struct walk *walk, enum iopt_decode_wrong what, uint64_t iova, unsigned level,
		    uint64_t entry_pa, uint64_t entry)
{
	reading_trouble(walk->reading, what, extended(walk, iova), level, entry_pa, entry);
}

static unsigned count_used(const struct walk *walk, const struct step *step)
{
	unsigned used = 0;

	for (unsigned i = 0; i < step->entries; i++)
		used += step_entry(walk, step, i) != 0;
	return used;
}

static int tell_table(const struct walk *walk, const struct step *step,
		      struct iopt_decode_table table)
{
	const struct iopt_decode_visitor *visitor = walk->reading->visitor;

	if (!visitor->table)
		return 0;
	table.bytes = (uint64_t)step->entries << walk->format->entry_lg2;
	table.first = extended(walk, table.first);
	table.used = count_used(walk, step);
	return visitor->table(visitor->ctx, &table);
}

static bool make_room(struct step *step, size_t bytes)
{
	if (step->room >= bytes)
		return true;
	free(step->bytes);
	step->bytes = malloc(bytes);
	step->room = step->bytes ? bytes : 0;
	return step->bytes;
}

/* Go on in a table, of which all but its size and use is known. */
static int enter(struct walk *walk, const struct iopt_decode_table *table, unsigned prot)
{
	const unsigned level = table->level, entries = table_entries(walk, level);
	const size_t bytes = (size_t)entries << walk->format->entry_lg2;
	struct step *step = &walk->steps[level];
	int fresh = seen_add(&walk->seen, table->pa);

	if (fresh < 0)
		return fresh;
	if (!fresh) {
		trouble(walk, IOPT_DECODE_TABLE_TWICE, table->first, level, table->pa, 0);
		return 0;
	}
	if (!make_room(step, bytes))
		return -ENOMEM;
	if (!reading_table(walk->reading, table->pa, step->bytes, bytes,
			   extended(walk, table->first), level)) {
		walk->over = true;
		return 0;
	}
	step->pa = table->pa;
	step->entries = entries;
	step->next = 0;
	step->first = table->first;
	step->prot = prot;
	walk->level = level;
	return tell_table(walk, step, *table);
}

/* ---- leaves -------------------------------------------------------------------------------- */

static enum iopt_decode_wrong wrong_of(enum soft_iommu_reason reason)
{
	switch (reason) {
	case SOFT_IOMMU_MISALIGNED: return IOPT_DECODE_MISALIGNED;
	case SOFT_IOMMU_BAD_SIZE: return IOPT_DECODE_BAD_SIZE;
	case SOFT_IOMMU_BAD_LEVEL:
	case SOFT_IOMMU_SKIPPED_LEVEL: return IOPT_DECODE_BAD_LEVEL;
	default: return IOPT_DECODE_RESERVED;
	}
}

/* How many entries from one on are the run of a leaf: all of it, or 1, and then they differ. */
static unsigned run_alike(const struct walk *walk, const struct step *step, unsigned index,
			  const struct soft_entry *leaf, unsigned run)
{
	if (index % run || index + run > step->entries)
		return 1;
	for (unsigned i = index + 1; i < index + run; i++) {
		struct soft_entry other = walk->format->decode(
			walk->format, step_entry(walk, step, i), walk->level, 0);

		if (other.kind != SOFT_LEAF || other.pa != leaf->pa || other.lg2 != leaf->lg2 ||
		    other.prot != leaf->prot)
			return 1;
	}
	return run;
}

static void read_marks(const struct walk *walk, const struct step *step, unsigned index,
		       unsigned run, struct iopt_decode_leaf *found)
{
	for (unsigned i = index; i < index + run; i++) {
		uint64_t entry = step_entry(walk, step, i);

		found->accessed |= entry & walk->format->accessed;
		found->dirty |= soft_is_dirty(walk->format, entry);
	}
}

static int tell_leaf(struct walk *walk, struct step *step, unsigned index,
		     const struct soft_entry *leaf)
{
	const struct iopt_decode_visitor *visitor = walk->reading->visitor;
	const unsigned span_lg2 = soft_entry_lg2(walk->format, walk->level);
	unsigned run = leaf->lg2 > span_lg2 ? 1u << (leaf->lg2 - span_lg2) : 1;
	unsigned alike = run > 1 ? run_alike(walk, step, index, leaf, run) : 1;
	uint64_t first = step->first + ((uint64_t)index << span_lg2);
	uint64_t last = first + ((uint64_t)alike << span_lg2) - 1;
	struct iopt_decode_leaf found = {
		.first = extended(walk, first),
		.last = extended(walk, last),
		.pa = leaf->pa + ((uint64_t)(index % run) << span_lg2),
		.prot = (uint8_t)soft_combine(step->prot, leaf->prot),
		.lg2 = leaf->lg2,
		.level = (uint8_t)walk->level,
		.entry_pa = step_entry_pa(walk, step, index),
		.entry = step_entry(walk, step, index),
	};

	if (alike < run)
		trouble(walk, IOPT_DECODE_RUN_DIFFERS, first, walk->level, found.entry_pa,
			found.entry);
	step->next = index + alike;
	if (!wanted(walk, first, last))
		return 0;
	read_marks(walk, step, index, alike, &found);
	return visitor->leaf(visitor->ctx, &found);
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* The entry that a step is at: tell of it or go down. */
static int look(struct walk *walk, struct step *step)
{
	const unsigned index = step->next++, level = walk->level;
	const unsigned span_lg2 = soft_entry_lg2(walk->format, level);
	uint64_t entry = step_entry(walk, step, index);
	uint64_t first = step->first + ((uint64_t)index << span_lg2);
	struct iopt_decode_table table;
	struct soft_entry found;

	if (!entry)
		return 0;
	found = walk->format->decode(walk->format, entry, level, 0);
	switch (found.kind) {
	case SOFT_LEAF: return tell_leaf(walk, step, index, &found);
	case SOFT_TABLE:
		if (!wanted(walk, first, first + ((1ull << span_lg2) - 1)))
			return 0;
		table = (struct iopt_decode_table){
			.pa = found.pa,
			.level = level - 1,
			.first = first,
			.entry_pa = step_entry_pa(walk, step, index),
			.entry = entry,
		};
		return enter(walk, &table, soft_combine(step->prot, found.prot));
	case SOFT_WRONG:
		trouble(walk, wrong_of(found.reason), first, level,
			step_entry_pa(walk, step, index), entry);
		return 0;
	default: return 0;
	}
}

static int walk_all(struct walk *walk)
{
	const struct iopt_decode_table top = {
		.pa = walk->root.pa,
		.level = walk->root.levels - 1u,
	};
	int result = enter(walk, &top, IOPT_EXEC | (walk->reading->device->prot & SOFT_ALL_PROT));

	while (!result && !walk->over && walk->level < walk->root.levels) {
		struct step *step = &walk->steps[walk->level];

		if (step->next == step->entries)
			walk->level++;
		else
			result = look(walk, step);
	}
	return result;
}

int iopt_decode_tables(const struct iopt_decode_source *source,
		       const struct iopt_decode_device *device, uint64_t first, uint64_t last,
		       const struct iopt_decode_visitor *visitor)
{
	struct reading reading = { .source = source, .visitor = visitor, .device = device };
	struct walk walk = { .reading = &reading, .first = first, .last = last };
	int result;

	walk.format = device->format ? format_find(device->format) : NULL;
	if (!walk.format)
		return 0;
	if (walk.format->read_root(walk.format, &device->hw, &walk.root)) {
		reading_trouble(&reading, IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS,
				device->entry_pa, 0);
		return 0;
	}
	walk.width = walk.root.width ? walk.root.width
				     : soft_entry_lg2(walk.format, walk.root.levels);
	walk.extends = walk.format == &soft_x86_64 || walk.format == &soft_riscv_s1;
	walk.level = walk.root.levels;
	result = walk_all(&walk);
	for (unsigned level = 0; level < SOFT_MAX_LEVELS; level++)
		free(walk.steps[level].bytes);
	free(walk.seen.slots);
	return result;
}
