/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A set of disjoint IOVA ranges, each with what its user hangs on it: a treap. One thread.
 */
#ifndef TOOLS_IOPT_RANGES_H
#define TOOLS_IOPT_RANGES_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct range_node - one range
 * @first: first IOVA
 * @last:  last IOVA
 * @tag:   the user's
 * @time:  the user's
 */
struct range_node {
	uint64_t first;
	uint64_t last;
	uint64_t tag;
	uint64_t time;
	struct range_node *left;
	struct range_node *right;
	uint32_t priority;
};

/** struct ranges - the set; starts zeroed */
struct ranges {
	struct range_node *root;
	struct range_node *spare;
	uint64_t random;
	size_t nr;
};

/**
 * ranges_add() - put a range in
 * @ranges: the set
 * @first:  first IOVA
 * @last:   last IOVA; nothing in the set overlaps it
 *
 * Return: the new range, its tag and time zero; NULL if there is no memory.
 */
struct range_node *ranges_add(struct ranges *ranges, uint64_t first, uint64_t last);

/**
 * ranges_find() - the lowest range that overlaps another one
 * @ranges: the set
 * @first:  first IOVA
 * @last:   last IOVA
 *
 * Return: the range; NULL if none overlaps. Valid until it is removed.
 */
struct range_node *ranges_find(const struct ranges *ranges, uint64_t first, uint64_t last);

/**
 * ranges_next() - the next range that overlaps
 * @ranges: the set
 * @node:   from ranges_find() or ranges_next()
 * @last:   as there
 */
struct range_node *ranges_next(const struct ranges *ranges, const struct range_node *node,
			       uint64_t last);

/** ranges_remove() - take a range out; it is invalid afterwards */
void ranges_remove(struct ranges *ranges, struct range_node *node);

/** ranges_free() - take all out and free the memory */
void ranges_free(struct ranges *ranges);

#endif
