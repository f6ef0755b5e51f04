/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Something done by another thread while this one stands in a callback of the engine: the other
 * thread's turn begins and ends inside the callback. This is how tests place one operation exactly
 * between two steps of another.
 */
#ifndef TESTS_ADVERSARY_ASIDE_H
#define TESTS_ADVERSARY_ASIDE_H

#include "rig.h"

/* Runs turn(ctx) on a thread of its own and waits for its end. It may complain, not assert. */
static inline void aside(void *(*turn)(void *ctx), void *ctx)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, turn, ctx)) {
		complain("no thread to be had");
		return;
	}
	pthread_join(thread, NULL);
}

#endif
