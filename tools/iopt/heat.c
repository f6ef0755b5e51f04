/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A picture of IOVA space over time. Rows are made where something is mapped; when there are too
 * many, or time runs off the right edge, neighbours are added up and the picture is half as fine.
 */
#include "tools/iopt/heat.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/ranges.h"

#define FIRST_ROW_LG2	14u
#define FIRST_COLUMN_NS 100000u

struct heat {
	pthread_mutex_t lock;
	struct heat_row *rows[HEAT_ROWS];
	unsigned nr_rows;
	unsigned row_lg2;
	unsigned columns;
	uint64_t column_ns;
	uint64_t start_ns;
	uint64_t last_ns;
	bool started;
	struct ranges live[CALLS_DOMAINS]; /* tag: time stamp of the map */
};

struct heat *heat_create(void)
{
	struct heat *heat = calloc(1, sizeof(*heat));

	if (!heat)
		return NULL;
	pthread_mutex_init(&heat->lock, NULL);
	heat->row_lg2 = FIRST_ROW_LG2;
	heat->column_ns = FIRST_COLUMN_NS;
	return heat;
}

void heat_destroy(struct heat *heat)
{
	if (!heat)
		return;
	for (unsigned i = 0; i < heat->nr_rows; i++)
		free(heat->rows[i]);
	for (unsigned i = 0; i < CALLS_DOMAINS; i++)
		ranges_free(&heat->live[i]);
	pthread_mutex_destroy(&heat->lock);
	free(heat);
}

/* ---- resolution ------------------------------------------------------------------------------ */

static void halve_time(struct heat *heat)
{
	for (unsigned i = 0; i < heat->nr_rows; i++) {
		struct heat_row *row = heat->rows[i];

		for (unsigned to = 0; to < HEAT_COLUMNS; to++) {
			unsigned from = 2 * to;
			bool inside = from < HEAT_COLUMNS;

			row->mapped[to] = inside ? row->mapped[from] + row->mapped[from + 1] : 0;
			row->dirty[to] = inside ? row->dirty[from] + row->dirty[from + 1] : 0;
		}
	}
	heat->column_ns *= 2;
	heat->columns = (heat->columns + 1) / 2;
}

static void halve_rows(struct heat *heat)
{
	unsigned kept = 0;

	heat->row_lg2++;
	for (unsigned i = 0; i < heat->nr_rows; i++) {
		struct heat_row *row = heat->rows[i], *below = kept ? heat->rows[kept - 1] : NULL;

		row->number >>= 1;
		if (!below || below->domain != row->domain || below->number != row->number) {
			heat->rows[kept++] = row;
			continue;
		}
		for (unsigned column = 0; column < HEAT_COLUMNS; column++) {
			below->mapped[column] += row->mapped[column];
			below->dirty[column] += row->dirty[column];
		}
		free(row);
	}
	heat->nr_rows = kept;
}

/* Where a row is, or would be. */
static unsigned position(const struct heat *heat, uint32_t domain, uint64_t number)
{
	unsigned low = 0, high = heat->nr_rows;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct heat_row *row = heat->rows[middle];

		if (row->domain < domain || (row->domain == domain && row->number < number))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The row of an IOVA; NULL if there is no memory. Rows may get coarser. */
static struct heat_row *row_of(struct heat *heat, uint32_t domain, uint64_t iova)
{
	for (;;) {
		uint64_t number = heat->row_lg2 < 64 ? iova >> heat->row_lg2 : 0;
		unsigned at = position(heat, domain, number);
		struct heat_row *row = at < heat->nr_rows ? heat->rows[at] : NULL;

		if (row && row->domain == domain && row->number == number)
			return row;
		if (heat->nr_rows == HEAT_ROWS) {
			/* As many domains as rows: the rest isn't drawn. */
			if (heat->row_lg2 >= 63)
				return NULL;
			halve_rows(heat);
			continue;
		}
		row = calloc(1, sizeof(*row));
		if (!row)
			return NULL;
		row->domain = domain;
		row->number = number;
		memmove(heat->rows + at + 1, heat->rows + at,
			(heat->nr_rows - at) * sizeof(heat->rows[0]));
		heat->rows[at] = row;
		heat->nr_rows++;
		return row;
	}
}

static unsigned column_of(struct heat *heat, uint64_t ns)
{
	uint64_t column;

	if (!heat->started) {
		heat->started = true;
		heat->start_ns = ns;
	}
	/* Recordings of several CPUs are not always in order. */
	if (ns < heat->start_ns)
		return 0;
	while ((column = (ns - heat->start_ns) / heat->column_ns) >= HEAT_COLUMNS)
		halve_time(heat);
	if (column >= heat->columns)
		heat->columns = (unsigned)column + 1;
	if (ns > heat->last_ns)
		heat->last_ns = ns;
	return (unsigned)column;
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* Pages of a range in each row, from one column to another. */
static void add(struct heat *heat, uint32_t domain, uint64_t first, uint64_t last, unsigned from,
		unsigned to, bool dirty)
{
	while (heat->row_lg2 < 63 &&
	       (last >> heat->row_lg2) - (first >> heat->row_lg2) > HEAT_ROWS / 2)
		halve_rows(heat);
	for (;;) {
		struct heat_row *row = row_of(heat, domain, first);
		uint64_t end = first | ((1ULL << heat->row_lg2) - 1);
		float pages;

		if (!row)
			return;
		if (end > last)
			end = last;
		pages = (float)((end - first) / TRACE_GRANULE + 1);
		for (unsigned column = from; column <= to; column++)
			(dirty ? row->dirty : row->mapped)[column] += pages;
		if (end == last)
			return;
		first = end + 1;
	}
}

static void add_mapped(struct heat *heat, uint32_t domain, const struct range_node *node,
		       uint64_t ns)
{
	unsigned to = column_of(heat, ns), from = column_of(heat, node->tag);

	add(heat, domain, node->first, node->last, from < to ? from : to, to, false);
}

void heat_call(struct heat *heat, const struct call *call)
{
	struct ranges *live = &heat->live[call->domain];
	struct range_node *node;

	pthread_mutex_lock(&heat->lock);
	while ((node = ranges_find(live, call->first, call->last))) {
		struct range_node old = *node, *rest = NULL;

		add_mapped(heat, call->domain, node, call->ns);
		ranges_remove(live, node);
		if (!call->map && old.first < call->first)
			rest = ranges_add(live, old.first, call->first - 1);
		if (rest)
			rest->tag = old.tag;
		rest = NULL;
		if (!call->map && old.last > call->last)
			rest = ranges_add(live, call->last + 1, old.last);
		if (rest)
			rest->tag = old.tag;
	}
	if (call->map) {
		column_of(heat, call->ns);
		node = ranges_add(live, call->first, call->last);
		if (node)
			node->tag = call->ns;
	}
	pthread_mutex_unlock(&heat->lock);
}

void heat_dirty(struct heat *heat, const struct heat_dirt *dirt, unsigned nr)
{
	pthread_mutex_lock(&heat->lock);
	for (unsigned i = 0; i < nr; i++) {
		unsigned column = column_of(heat, dirt[i].ns);

		add(heat, dirt[i].domain, dirt[i].first, dirt[i].last, column, column, true);
	}
	pthread_mutex_unlock(&heat->lock);
}

void heat_finish(struct heat *heat, uint64_t passes, struct heat_view *view)
{
	for (unsigned i = 0; i < CALLS_DOMAINS; i++) {
		struct range_node *node;

		while ((node = heat->live[i].root)) {
			add_mapped(heat, i, node, heat->last_ns);
			ranges_remove(&heat->live[i], node);
		}
	}
	*view = (struct heat_view){ .rows = (const struct heat_row *const *)heat->rows,
				    .nr_rows = heat->nr_rows,
				    .row_lg2 = heat->row_lg2,
				    .columns = heat->columns,
				    .column_ns = heat->column_ns,
				    .start_ns = heat->start_ns,
				    .passes = passes };
}
