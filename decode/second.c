/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See second.h. */
#include <errno.h>
#include <stdlib.h>

#include "decode/second.h"
#include "decode/table.h"

/**
 * struct second - a second stage
 * @told:  address of the entry that was told to be wrong last
 * @at:    address of the table of each level that is at hand; NONE: there is none
 */
struct second {
	struct shape shape;
	uint64_t told;
	uint64_t at[SOFT_MAX_LEVELS];
	struct copy copies[SOFT_MAX_LEVELS];
};

#define NONE (~0ull)

int second_make(struct second **made, const struct iopt_decode_device *device)
{
	struct second *second = calloc(1, sizeof(*second));
	int result;

	if (!second)
		return -ENOMEM;
	result = shape_set(&second->shape, device->format, &device->hw);
	if (result) {
		free(second);
		return result;
	}
	second->told = NONE;
	for (unsigned level = 0; level < SOFT_MAX_LEVELS; level++)
		second->at[level] = NONE;
	*made = second;
	return 0;
}

void second_free(struct second *second)
{
	for (unsigned level = 0; second && level < SOFT_MAX_LEVELS; level++)
		copy_free(&second->copies[level]);
	free(second);
}

/* Its own tables are where their addresses say. */
static bool have_table(struct reading *reading, struct second *second, uint64_t pa, unsigned level,
		       uint64_t address)
{
	struct second *through = reading->second;
	bool read;

	if (second->at[level] == pa)
		return true;
	reading->second = NULL;
	read = copy_read(reading, &second->shape, &second->copies[level], pa, level, address);
	reading->second = through;
	second->at[level] = read ? pa : NONE;
	return read;
}

static void tell(struct reading *reading, struct second *second, enum iopt_decode_wrong what,
		 uint64_t address, unsigned level, uint64_t entry_pa, uint64_t entry)
{
	if (second->told == entry_pa)
		return;
	second->told = entry_pa;
	reading_trouble(reading, what, address, level, entry_pa, entry);
}

/* The leaf that an entry is, all of its run where that is alike. */
static struct piece leaf_piece(struct reading *reading, struct second *second, unsigned level,
			       unsigned index, const struct soft_entry *leaf, struct piece piece)
{
	const struct shape *shape = &second->shape;
	const struct copy *copy = &second->copies[level];
	const unsigned span_lg2 = soft_entry_lg2(shape->format, level);
	unsigned run = leaf->lg2 > span_lg2 ? 1u << (leaf->lg2 - span_lg2) : 1;
	unsigned alike = run;

	if (run > 1) {
		alike = copy_run(shape, copy, level, index / run * run, leaf, run);
		if (alike < run)
			tell(reading, second, IOPT_DECODE_RUN_DIFFERS, piece.first, level,
			     copy_entry_pa(copy, index), copy->entries[index]);
	}
	piece.mapped = true;
	piece.lg2 = leaf->lg2;
	piece.prot = leaf->prot;
	if (alike == 1) {
		piece.pa = leaf_own(shape, leaf, index % run, level);
	} else {
		piece.pa = leaf->pa;
		piece.first &= ~0ull << leaf->lg2;
		piece.last = piece.first + ((1ull << leaf->lg2) - 1);
		index = index / run * run;
	}
	for (unsigned i = index; i < index + alike; i++) {
		piece.accessed |= copy->entries[i] & shape->format->accessed;
		piece.dirty |= soft_is_dirty(shape->format, copy->entries[i]);
	}
	return piece;
}

/*
 * Go down by an entry that leads to a table. False: it skips levels, and the address has bits that
 * these would translate.
 */
static bool skip_levels(const struct shape *shape, unsigned *level, unsigned skips,
			uint64_t address, struct piece *piece)
{
	const unsigned span_lg2 = soft_entry_lg2(shape->format, *level - skips);
	const uint64_t end = piece->first + ((1ull << span_lg2) - 1);

	if (address > end) {
		piece->first = end + 1;
		return false;
	}
	*level -= skips;
	return true;
}

struct piece second_find(struct reading *reading, struct second *second, uint64_t address)
{
	const struct shape *shape = &second->shape;
	const uint64_t highest = shape->width < 64 ? (1ull << shape->width) - 1 : UINT64_MAX;
	struct soft_entry found = { .kind = SOFT_TABLE, .pa = shape->root.pa };
	unsigned prot = SOFT_ALL_PROT, level = shape->root.levels, index = 0;
	struct piece piece = { .last = highest };

	if (address > highest)
		return (struct piece){ .first = highest + 1, .last = UINT64_MAX };
	while (found.kind == SOFT_TABLE && level) {
		struct copy *copy = &second->copies[--level];
		unsigned span_lg2 = soft_entry_lg2(shape->format, level);

		if (!have_table(reading, second, found.pa, level, address))
			return piece;
		piece.first = address >> span_lg2 << span_lg2;
		piece.last = piece.first + ((1ull << span_lg2) - 1);
		index = (unsigned)(address >> span_lg2) & (copy->nr - 1);
		found = shape_decode(shape, copy->entries[index], level);
		if (found.kind == SOFT_WRONG)
			tell(reading, second, wrong_of(found.reason), address, level,
			     copy_entry_pa(copy, index), copy->entries[index]);
		if (found.kind != SOFT_EMPTY)
			prot = soft_combine(prot, found.prot);
		if (found.kind == SOFT_TABLE &&
		    !skip_levels(shape, &level, found.skips, address, &piece))
			return piece;
	}
	if (found.kind == SOFT_LEAF) {
		piece = leaf_piece(reading, second, level, index, &found, piece);
		/* Where there are no instruction fetches nothing forbids them. */
		piece.prot = (uint8_t)(prot | (shape->format->fetches ? 0 : IOPT_EXEC));
	}
	return piece;
}
