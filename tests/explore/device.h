/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The explorer's device: a walker of the tiny formats that keeps in its caches all that it saw
 * until it is told otherwise, or until a scenario has it forget.
 */
#ifndef TESTS_EXPLORE_DEVICE_H
#define TESTS_EXPLORE_DEVICE_H

#include "tests/explore/world.h"

/* An access to a page of IOVA; in a scenario's thread it takes as many steps as hardware's does. */
void device_access(unsigned page, bool write);

/* All caches are empty: hardware may do that at any time. */
void device_forget(void);

/* The embedder's callbacks. */
void device_invalidate(void *ctx, const struct iopt_gather *gather);
void device_top_changed(void *ctx, struct iopt_domain *changed);

bool device_try_claim(void *ctx, uint64_t first, uint64_t last);
void device_release(void *ctx, uint64_t first, uint64_t last);

/* The device is told of the domain's top. */
void device_attach(void);

/* Complains of what is cached and not so in the tables, once nobody owes anything. */
void device_check(void);

#endif
