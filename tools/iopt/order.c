/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which calls must wait for which others. Each domain has a set of ranges; a range knows the last
 * call that touched it. Ranges of unmaps that are synced are forgotten, in the order in which they
 * came.
 */
#include "tools/iopt/order.h"

#include <stdlib.h>
#include <string.h>

#include "tools/iopt/ranges.h"

/* struct range_node::tag: thread and kind; its time: the call's number. */
#define TAG_UNMAP 0x100u

struct past {
	uint32_t domain;
	uint32_t thread;
	uint64_t number;
	uint64_t first;
	uint64_t last;
};

struct order {
	const struct order_progress *progress;
	struct ranges domains[CALLS_DOMAINS];
	struct past *past; /* ring of unmaps, from at on */
	size_t at, nr, room;
};

struct order *order_create(const struct order_progress *progress)
{
	struct order *order = calloc(1, sizeof(*order));

	if (order)
		order->progress = progress;
	return order;
}

void order_destroy(struct order *order)
{
	if (!order)
		return;
	for (unsigned i = 0; i < CALLS_DOMAINS; i++)
		ranges_free(&order->domains[i]);
	free(order->past);
	free(order);
}

static bool remember(struct order *order, const struct past *past)
{
	if (order->nr == order->room) {
		size_t room = order->room ? 2 * order->room : 256;
		struct past *more = malloc(room * sizeof(*more));

		if (!more)
			return false;
		for (size_t i = 0; i < order->nr; i++)
			more[i] = order->past[(order->at + i) % order->room];
		free(order->past);
		order->past = more;
		order->room = room;
		order->at = 0;
	}
	order->past[(order->at + order->nr++) % order->room] = *past;
	return true;
}

/* Forget up to two unmaps that are synced: more than are added. */
static void forget(struct order *order)
{
	for (int i = 0; i < 2 && order->nr; i++) {
		const struct past *past = &order->past[order->at];
		struct ranges *ranges = &order->domains[past->domain];
		struct range_node *node, *next;

		if (atomic_load_explicit(&order->progress[past->thread].synced,
					 memory_order_acquire) < past->number)
			return;
		for (node = ranges_find(ranges, past->first, past->last); node; node = next) {
			next = ranges_next(ranges, node, past->last);
			if (node->tag == (TAG_UNMAP | past->thread) && node->time == past->number)
				ranges_remove(ranges, node);
		}
		order->at = (order->at + 1) % order->room;
		order->nr--;
	}
}

static bool add_piece(struct ranges *ranges, const struct range_node *like, uint64_t first,
		      uint64_t last)
{
	struct range_node *node = ranges_add(ranges, first, last);

	if (!node)
		return false;
	node->tag = like->tag;
	node->time = like->time;
	return true;
}

bool order_add(struct order *order, const struct call *call, unsigned thread, uint64_t number,
	       struct order_needs *needs)
{
	struct ranges *ranges = &order->domains[call->domain];
	struct range_node self = { .tag = thread | (call->map ? 0 : TAG_UNMAP), .time = number };
	struct range_node *node;

	memset(needs, 0, sizeof(*needs));
	forget(order);
	while ((node = ranges_find(ranges, call->first, call->last))) {
		struct range_node old = *node;
		unsigned other = old.tag & (ORDER_THREADS - 1);
		uint64_t *need = call->map && old.tag & TAG_UNMAP ? &needs->synced[other]
								  : &needs->done[other];

		if (old.time > *need)
			*need = old.time;
		ranges_remove(ranges, node);
		if (old.first < call->first && !add_piece(ranges, &old, old.first, call->first - 1))
			return false;
		if (old.last > call->last && !add_piece(ranges, &old, call->last + 1, old.last))
			return false;
	}
	if (!add_piece(ranges, &self, call->first, call->last))
		return false;
	if (call->map)
		return true;
	return remember(order,
			&(struct past){ call->domain, thread, number, call->first, call->last });
}
