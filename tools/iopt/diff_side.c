/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One dump of two that are compared: see diff.h. */
#include <errno.h>
#include <stdlib.h>

#include "tools/iopt/diff.h"

static struct space *last_space(struct side *side)
{
	return &side->spaces[side->nr - 1];
}

static int add_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct space *space = last_space(ctx);
	struct piece *last = space->nr ? &space->pieces[space->nr - 1] : NULL, *more;
	const uint8_t prot = leaf->prot & (IOPT_READ | IOPT_WRITE | IOPT_EXEC);

	if (last && last->last + 1 == leaf->first && last->prot == prot &&
	    last->pa + (last->last - last->first) + 1 == leaf->pa) {
		last->last = leaf->last;
		return 0;
	}
	if (space->nr == space->room) {
		space->room = space->room ? 2 * space->room : 64;
		more = realloc(space->pieces, space->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		space->pieces = more;
	}
	space->pieces[space->nr++] = (struct piece){ leaf->first, leaf->last, leaf->pa, prot };
	return 0;
}

static int add_table(void *ctx, const struct iopt_decode_table *table)
{
	struct space *space = last_space(ctx);
	struct iopt_decode_table *more;

	if (space->nr_tables == space->tables_room) {
		space->tables_room = space->tables_room ? 2 * space->tables_room : 16;
		more = realloc(space->tables, space->tables_room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		space->tables = more;
	}
	space->tables[space->nr_tables++] = *table;
	return 0;
}

static void add_trouble(void *ctx, const struct iopt_decode_device *device,
			const struct iopt_decode_trouble *trouble)
{
	struct side *side = ctx;

	(void)device;
	(void)trouble;
	side->troubles++;
}

/* Halves of an address space come as two: they are one here. */
static bool is_same(const struct iopt_decode_device *a, const struct iopt_decode_device *b)
{
	return a->id == b->id && a->pasid == b->pasid;
}

static int add_space(struct side *side, const struct iopt_decode_device *device)
{
	struct space *more;

	if (side->nr && is_same(&last_space(side)->device, device))
		return 0;
	more = realloc(side->spaces, (side->nr + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	side->spaces = more;
	side->spaces[side->nr++] = (struct space){ .device = *device };
	return 0;
}

static int add_device(void *ctx, const struct iopt_decode_device *device)
{
	struct side *side = ctx;
	const struct iopt_decode_visitor visitor = {
		.ctx = side,
		.leaf = add_leaf,
		.table = add_table,
		.trouble = add_trouble,
	};
	/* What passes through is all of memory, where it is. */
	const struct iopt_decode_leaf all = { .last = ~0ull, .prot = device->prot };
	int error = add_space(side, device);

	if (error)
		return error;
	if (device->path == IOPT_DECODE_PASSES)
		return add_leaf(side, &all);
	return iopt_decode_tables(&side->source, device, 0, UINT64_MAX, &visitor);
}

int space_order(const void *a, const void *b)
{
	const struct iopt_decode_device *x = &((const struct space *)a)->device;
	const struct iopt_decode_device *y = &((const struct space *)b)->device;
	/* Requests without a PASID first. */
	const uint64_t i = (uint64_t)x->id << 32 | (uint32_t)(x->pasid + 1);
	const uint64_t j = (uint64_t)y->id << 32 | (uint32_t)(y->pasid + 1);

	return i < j ? -1 : i > j;
}

bool side_read(struct side *side)
{
	const struct iopt_decode_visitor visitor = {
		.ctx = side,
		.device = add_device,
		.trouble = add_trouble,
	};

	if (iopt_decode_devices(&side->source, &visitor))
		return false;
	if (side->nr)
		qsort(side->spaces, side->nr, sizeof(*side->spaces), space_order);
	return true;
}

void side_free(struct side *side)
{
	for (size_t i = 0; i < side->nr; i++) {
		free(side->spaces[i].pieces);
		free(side->spaces[i].tables);
	}
	free(side->spaces);
}
