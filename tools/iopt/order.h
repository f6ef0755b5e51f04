/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which calls must wait for which others, when calls of one recording run on several threads, or
 * when unmaps are synced later: an unmap goes after its map, and a map after the sync of the unmap
 * that left its range. One thread asks; it is the one that deals out the calls.
 */
#ifndef TOOLS_IOPT_ORDER_H
#define TOOLS_IOPT_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/iopt/calls.h"

#define ORDER_THREADS 8u

/**
 * struct order_progress - how far a thread came; its calls are numbered from 1
 * @done:   calls made
 * @synced: calls made and synced
 */
struct order_progress {
	_Atomic uint64_t done;
	_Atomic uint64_t synced;
};

/**
 * struct order_needs - what must have happened before a call, by thread
 * @done:   calls made
 * @synced: calls synced
 */
struct order_needs {
	uint64_t done[ORDER_THREADS];
	uint64_t synced[ORDER_THREADS];
};

struct order;

/**
 * order_create() - nothing was dealt out yet
 * @progress: of ORDER_THREADS threads, to forget what is past
 *
 * Return: NULL if there is no memory.
 */
struct order *order_create(const struct order_progress *progress);
void order_destroy(struct order *order);

/**
 * order_add() - a call is dealt out
 * @order:  the object
 * @call:   the call
 * @thread: who makes it
 * @number: its number on that thread
 * @needs:  filled in
 *
 * Return: false if there is no memory.
 */
bool order_add(struct order *order, const struct call *call, unsigned thread, uint64_t number,
	       struct order_needs *needs);

#endif
