/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A picture of IOVA space over the time of the recording: what is mapped, what devices wrote. Its
 * resolution in both directions halves as the recording grows, so that its memory is bounded. Any
 * thread may add; a lock.
 */
#ifndef TOOLS_IOPT_HEAT_H
#define TOOLS_IOPT_HEAT_H

#include <stdint.h>

#include "tools/iopt/calls.h"

#define HEAT_COLUMNS 512u
#define HEAT_ROWS    256u

/**
 * struct heat_row - what happened in one piece of one domain's IOVA space
 * @domain: number of the domain
 * @number: first IOVA >> struct heat_view::row_lg2
 * @mapped: by column: pages that were mapped at some time in it, each mapping counted
 * @dirty:  by column: pages that were reported dirty in it
 */
struct heat_row {
	uint32_t domain;
	uint64_t number;
	float mapped[HEAT_COLUMNS];
	float dirty[HEAT_COLUMNS];
};

/**
 * struct heat_view - the picture
 * @rows:      ascending by domain and IOVA
 * @nr_rows:   how many
 * @row_lg2:   IOVA bytes of a row, lg2
 * @columns:   how many are in use
 * @column_ns: time of a column
 * @start_ns:  time stamp at the left edge
 * @passes:    how often the recording was replayed: dirt is of all of them
 */
struct heat_view {
	const struct heat_row *const *rows;
	unsigned nr_rows;
	unsigned row_lg2;
	unsigned columns;
	uint64_t column_ns;
	uint64_t start_ns;
	uint64_t passes;
};

struct heat;

/** heat_create() - Return: NULL if there is no memory. */
struct heat *heat_create(void);
void heat_destroy(struct heat *heat);

/** heat_call() - a call of the recording, in order; one thread */
void heat_call(struct heat *heat, const struct call *call);

/** struct heat_dirt - pages that were reported dirty at one time of the recording */
struct heat_dirt {
	uint64_t ns;
	uint64_t first;
	uint64_t last;
	uint32_t domain;
};

/** heat_dirty() - reports; any thread */
void heat_dirty(struct heat *heat, const struct heat_dirt *dirt, unsigned nr);

/** heat_finish() - what is still mapped was so to the end; then look at the picture */
void heat_finish(struct heat *heat, uint64_t passes, struct heat_view *view);

#endif
