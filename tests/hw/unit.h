/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is particular to each IOMMU: one struct hw_unit in each of vtd.c, amd.c, ... */
#ifndef TESTS_HW_UNIT_H
#define TESTS_HW_UNIT_H

#include <iopt/decode.h>

#include "hw.h"

/**
 * struct hw_unit - how a model of an IOMMU is started and driven
 * @name:       for people
 * @model:      as iopt_format_info::walkers has it
 * @qemu:       which of QEMU's programs
 * @arguments:  machine and unit; NULL behind the last
 * @ram_base:   where the machine has its RAM
 * @ecam:       PCI configuration space; 0: by ports (0xcf8)
 * @bars:       where devices' registers are put
 * @slot:       the first free device number on bus 0
 * @faults_say_where: records of faults have the address and whether it was a write
 * @start:      switch it on: queues, root table, no device attached
 * @attach:     enter a domain, or NULL, for a function, and have the unit forget what it knew
 * @invalidate: turn a gather into commands and wait for their completion; counts them
 * @top_changed: the domain's root changed: enter it anew; NULL: no format of this unit grows
 * @fault:      take a record
 * @tables:     read from its registers which unit it is and where its tables begin
 */
struct hw_unit {
	const char *name;
	const char *model;
	const char *qemu;
	const char *const *arguments;
	uint64_t ram_base;
	uint64_t ecam;
	uint64_t bars;
	unsigned slot;
	bool faults_say_where;
	void (*start)(struct hw *hw);
	void (*attach)(struct hw *hw, uint16_t bdf, const struct hw_domain *domain);
	void (*invalidate)(struct hw_domain *domain, const struct iopt_gather *gather);
	void (*top_changed)(struct hw_domain *domain);
	bool (*fault)(struct hw *hw, struct hw_fault *fault);
	void (*tables)(struct hw *hw, struct iopt_decode_source *source);
};

/**
 * struct hw_pieces - naturally aligned blocks, one behind the other, that make up a range
 * @first:    of this block
 * @size_lg2: its size
 * @next:     first address behind it
 * @last:     last of the range
 * @most_lg2: no block is larger
 * @done:     the range is used up
 */
struct hw_pieces {
	uint64_t first;
	unsigned size_lg2;
	uint64_t next;
	uint64_t last;
	unsigned most_lg2;
	bool done;
};

static inline struct hw_pieces hw_pieces(const struct iopt_range *range, unsigned most_lg2)
{
	return (struct hw_pieces){ .next = range->first,
				   .last = range->last,
				   .most_lg2 = most_lg2 };
}

/* Go to the next block. Return: whether there is one. */
static inline bool hw_pieces_next(struct hw_pieces *pieces)
{
	uint64_t length_1 = pieces->last - pieces->next;
	unsigned lg2 = pieces->most_lg2;

	if (pieces->done)
		return false;
	while ((pieces->next & ((1ull << lg2) - 1)) || (1ull << lg2) - 1 > length_1)
		lg2--;
	pieces->first = pieces->next;
	pieces->size_lg2 = lg2;
	pieces->next += 1ull << lg2;
	pieces->done = pieces->next - 1 == pieces->last;
	return true;
}

/* Leaves alone changed: pointers to tables that are cached stay right. */
static inline bool hw_leaves_only(const struct iopt_gather *gather)
{
	return !(gather->owes & (IOPT_OWES_TABLES | IOPT_OWES_DIRTY));
}

/**
 * struct hw_commands - how a unit is told what to drop
 * @most_lg2: largest block that one command can name
 * @most:     more blocks than that in one gather, and all of the domain is dropped at once
 * @domain:   a command for all of a domain
 * @block:    a command for a block of it; its table pointers, too, unless leaves alone changed
 */
struct hw_commands {
	unsigned most_lg2;
	unsigned most;
	void (*domain)(struct hw_domain *domain);
	void (*block)(struct hw_domain *domain, uint64_t first, unsigned size_lg2,
		      bool leaves_only);
};

/** hw_queue_gather() - queue the commands that a gather asks for, and count them */
void hw_queue_gather(struct hw_domain *domain, const struct iopt_gather *gather,
		     const struct hw_commands *commands);

/**
 * hw_await() - wait until the unit has written a word, by which it says that commands are done
 * @pa:     where in RAM
 * @data:   what it writes
 * @head:   register that says how far it is; reading it lets what was written before take effect
 * @status: register to print if it gets no further
 */
void hw_await(struct hw *hw, uint64_t pa, uint32_t data, uint64_t head, uint64_t status);

extern const struct hw_unit hw_vtd_legacy;    /* second stage, 48 bits */
extern const struct hw_unit hw_vtd_legacy_39; /* second stage, 39 bits */
extern const struct hw_unit hw_vtd_scalable;  /* first stage */
extern const struct hw_unit hw_amd;
extern const struct hw_unit hw_riscv;
extern const struct hw_unit hw_smmuv3;

#endif
