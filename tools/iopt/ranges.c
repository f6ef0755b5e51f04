/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A set of disjoint IOVA ranges: a treap, ordered by address, a heap by random priorities.
 */
#include "tools/iopt/ranges.h"

#include <stdlib.h>

/* Halves of @node: below @first, and from it on. */
static void split(struct range_node *node, uint64_t first, struct range_node **below,
		  struct range_node **above)
{
	while (node) {
		if (node->first < first) {
			*below = node;
			below = &node->right;
			node = node->right;
		} else {
			*above = node;
			above = &node->left;
			node = node->left;
		}
	}
	*below = NULL;
	*above = NULL;
}

/* All of @below lies below all of @above. */
static struct range_node *join(struct range_node *below, struct range_node *above)
{
	struct range_node *root, **link = &root;

	while (below && above) {
		if (below->priority > above->priority) {
			*link = below;
			link = &below->right;
			below = below->right;
		} else {
			*link = above;
			link = &above->left;
			above = above->left;
		}
	}
	*link = below ? below : above;
	return root;
}

struct range_node *ranges_add(struct ranges *ranges, uint64_t first, uint64_t last)
{
	struct range_node *node = ranges->spare, **link = &ranges->root;

	if (node)
		ranges->spare = node->right;
	else
		node = malloc(sizeof(*node));
	if (!node)
		return NULL;
	ranges->random = ranges->random * 6364136223846793005u + 1442695040888963407u;
	*node = (struct range_node){ .first = first,
				     .last = last,
				     .priority = (uint32_t)(ranges->random >> 32) };
	while (*link && (*link)->priority >= node->priority)
		link = first < (*link)->first ? &(*link)->left : &(*link)->right;
	split(*link, first, &node->left, &node->right);
	*link = node;
	ranges->nr++;
	return node;
}

struct range_node *ranges_find(const struct ranges *ranges, uint64_t first, uint64_t last)
{
	struct range_node *node = ranges->root, *found = NULL;

	/* The ranges are disjoint: the lowest one whose last is not below @first. */
	while (node) {
		if (node->last >= first) {
			found = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found && found->first <= last ? found : NULL;
}

struct range_node *ranges_next(const struct ranges *ranges, const struct range_node *node,
			       uint64_t last)
{
	return node->last < last ? ranges_find(ranges, node->last + 1, last) : NULL;
}

void ranges_remove(struct ranges *ranges, struct range_node *node)
{
	struct range_node **link = &ranges->root;

	while (*link != node)
		link = node->first < (*link)->first ? &(*link)->left : &(*link)->right;
	*link = join(node->left, node->right);
	node->right = ranges->spare;
	ranges->spare = node;
	ranges->nr--;
}

void ranges_free(struct ranges *ranges)
{
	while (ranges->root)
		ranges_remove(ranges, ranges->root);
	while (ranges->spare) {
		struct range_node *node = ranges->spare;

		ranges->spare = node->right;
		free(node);
	}
}
