/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which pages devices write, and when. See traffic.h for the rules.
 *
 * A mapping that is written is in a heap, ordered by when its next page is due; those that are due
 * at the same time by when they were mapped.
 */
#include "tools/iopt/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "tools/iopt/ranges.h"

#define PAGE	((uint64_t)TRACE_GRANULE)
#define NOT_DUE UINT64_MAX

/* A physically contiguous piece of a mapping. */
struct piece {
	uint64_t offset; /* of its first byte in the mapping */
	uint64_t pa;
};

/**
 * struct mapping - what is mapped at one time
 * @first:  first IOVA
 * @last:   last IOVA
 * @serial: counts mappings
 * @pass:   passes over it that were begun
 * @pass_ns: when the last one was
 * @at:     pages of it that were written in this pass
 * @due_ns: when the next page is to be written
 * @slot:   where in the heap it is; only if @due_ns is a time
 */
struct mapping {
	uint64_t first;
	uint64_t last;
	uint64_t serial;
	uint64_t pass;
	uint64_t pass_ns;
	uint64_t at;
	uint64_t due_ns;
	size_t slot;
	uint32_t domain;
	uint32_t nr_pieces;
	struct piece pieces[];
};

struct traffic {
	struct traffic_config config;
	struct ranges live[CALLS_DOMAINS]; /* tag: the struct mapping */
	struct mapping **heap;
	size_t nr, room;
	uint64_t serial;
};

static uint64_t mix(uint64_t value)
{
	/* The finalizer of splitmix64, by its published constants. */
	value += 0x9e3779b97f4a7c15u;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

/* ---- the heap -------------------------------------------------------------------------------- */

static bool before(const struct mapping *one, const struct mapping *other)
{
	if (one->due_ns != other->due_ns)
		return one->due_ns < other->due_ns;
	return one->serial < other->serial;
}

static void put(struct traffic *traffic, size_t slot, struct mapping *mapping)
{
	traffic->heap[slot] = mapping;
	mapping->slot = slot;
}

static void sift_up(struct traffic *traffic, struct mapping *mapping, size_t slot)
{
	while (slot && before(mapping, traffic->heap[(slot - 1) / 2])) {
		put(traffic, slot, traffic->heap[(slot - 1) / 2]);
		slot = (slot - 1) / 2;
	}
	put(traffic, slot, mapping);
}

static void sift_down(struct traffic *traffic, struct mapping *mapping, size_t slot)
{
	for (;;) {
		size_t child = 2 * slot + 1;

		if (child + 1 < traffic->nr &&
		    before(traffic->heap[child + 1], traffic->heap[child]))
			child++;
		if (child >= traffic->nr || !before(traffic->heap[child], mapping))
			break;
		put(traffic, slot, traffic->heap[child]);
		slot = child;
	}
	put(traffic, slot, mapping);
}

static bool heap_add(struct traffic *traffic, struct mapping *mapping)
{
	if (traffic->nr == traffic->room) {
		size_t room = traffic->room ? 2 * traffic->room : 256;
		struct mapping **more = realloc(traffic->heap, room * sizeof(*more));

		if (!more)
			return false;
		traffic->heap = more;
		traffic->room = room;
	}
	sift_up(traffic, mapping, traffic->nr++);
	return true;
}

static void heap_remove(struct traffic *traffic, struct mapping *mapping)
{
	struct mapping *moved = traffic->heap[--traffic->nr];
	size_t slot = mapping->slot;

	mapping->due_ns = NOT_DUE;
	if (moved == mapping)
		return;
	sift_down(traffic, moved, slot);
	sift_up(traffic, moved, moved->slot);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static uint64_t pages_of(const struct mapping *mapping)
{
	return (mapping->last - mapping->first) / PAGE + 1;
}

/* Pages that a pass writes. */
static uint64_t pass_pages(const struct mapping *mapping)
{
	uint64_t pages = pages_of(mapping);

	return pages < TRAFFIC_PAGES ? pages : TRAFFIC_PAGES;
}

static uint64_t pa_at(const struct mapping *mapping, uint64_t offset)
{
	uint32_t low = 0, high = mapping->nr_pieces;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (mapping->pieces[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return mapping->pieces[low].pa + (offset - mapping->pieces[low].offset);
}

static void write_page(struct traffic *traffic, struct mapping *mapping)
{
	const struct traffic_config *config = &traffic->config;
	uint64_t pages = pages_of(mapping), page = mapping->at++;

	if (pages > TRAFFIC_PAGES)
		page = mix(mix(config->seed ^ mapping->serial) ^ mapping->pass << 32 ^ page) %
		       pages;
	config->write(config->ctx, mapping->domain, mapping->first + page * PAGE,
		      pa_at(mapping, page * PAGE));
}

/* When is the next page due, after one was written at its time? */
static uint64_t next_due(const struct traffic *traffic, struct mapping *mapping)
{
	uint64_t due = mapping->due_ns + TRAFFIC_PAGE_NS;

	if (mapping->at < pass_pages(mapping))
		return due;
	if (!traffic->config.rewrite_ns)
		return NOT_DUE;
	mapping->pass++;
	mapping->at = 0;
	mapping->pass_ns += traffic->config.rewrite_ns;
	if (mapping->pass_ns < due)
		mapping->pass_ns = due;
	return mapping->pass_ns;
}

uint64_t traffic_next(const struct traffic *traffic)
{
	return traffic->nr ? traffic->heap[0]->due_ns : NOT_DUE;
}

void traffic_step(struct traffic *traffic)
{
	struct mapping *mapping = traffic->heap[0];
	uint64_t due;

	write_page(traffic, mapping);
	due = next_due(traffic, mapping);
	if (due == NOT_DUE) {
		heap_remove(traffic, mapping);
	} else {
		mapping->due_ns = due;
		sift_down(traffic, mapping, 0);
	}
}

/* ---- mappings -------------------------------------------------------------------------------- */

static struct mapping *find(const struct traffic *traffic, uint32_t domain, uint64_t first,
			    uint64_t last)
{
	struct range_node *node = ranges_find(&traffic->live[domain], first, last);

	return node ? (struct mapping *)(uintptr_t)node->tag : NULL;
}

/* The mapping is complete but for its place. */
static bool add(struct traffic *traffic, struct mapping *mapping)
{
	struct range_node *node =
		ranges_add(&traffic->live[mapping->domain], mapping->first, mapping->last);

	if (!node) {
		free(mapping);
		return false;
	}
	node->tag = (uintptr_t)mapping;
	if (mapping->due_ns != NOT_DUE && !heap_add(traffic, mapping)) {
		mapping->due_ns = NOT_DUE;
		return false;
	}
	return true;
}

bool traffic_map(struct traffic *traffic, const struct call *call, uint64_t now_ns)
{
	struct mapping *mapping =
		malloc(sizeof(*mapping) + call->nr_segments * sizeof(mapping->pieces[0]));
	uint64_t offset = 0;
	bool written;

	if (!mapping)
		return false;
	*mapping = (struct mapping){ .first = call->first,
				     .last = call->last,
				     .serial = ++traffic->serial,
				     .pass_ns = now_ns,
				     .domain = call->domain,
				     .nr_pieces = call->nr_segments };
	for (uint32_t i = 0; i < call->nr_segments; i++) {
		mapping->pieces[i] = (struct piece){ offset, call->segments[i].pa };
		offset += call->segments[i].bytes;
	}
	written = mix(traffic->config.seed ^ mix(mapping->serial)) % 100 < traffic->config.percent;
	mapping->due_ns = written ? now_ns + TRAFFIC_PAGE_NS : NOT_DUE;
	return add(traffic, mapping);
}

void traffic_finish(struct traffic *traffic, const struct call *call)
{
	struct range_node *node =
		ranges_find(&traffic->live[call->domain], call->first, call->last);

	for (; node; node = ranges_next(&traffic->live[call->domain], node, call->last)) {
		struct mapping *mapping = (struct mapping *)(uintptr_t)node->tag;

		if (mapping->due_ns == NOT_DUE || mapping->pass)
			continue;
		while (mapping->at < pass_pages(mapping))
			write_page(traffic, mapping);
		mapping->due_ns = next_due(traffic, mapping);
		if (mapping->due_ns == NOT_DUE)
			heap_remove(traffic, mapping);
		else
			sift_down(traffic, mapping, mapping->slot);
	}
}

/* The part first..last of a mapping stays. */
static bool keep_part(struct traffic *traffic, const struct mapping *whole, uint64_t first,
		      uint64_t last, uint64_t now_ns)
{
	size_t bytes = sizeof(*whole) + whole->nr_pieces * sizeof(whole->pieces[0]);
	uint64_t from = first - whole->first;
	struct mapping *part = malloc(bytes);
	uint32_t nr = 0;

	if (!part)
		return false;
	*part = *whole;
	part->first = first;
	part->last = last;
	part->serial = ++traffic->serial;
	part->at = 0;
	if (part->due_ns != NOT_DUE && part->due_ns < now_ns)
		part->due_ns = now_ns;
	for (uint32_t i = 0; i < whole->nr_pieces; i++) {
		struct piece piece = whole->pieces[i];

		if (piece.offset > last - whole->first ||
		    (i + 1 < whole->nr_pieces && whole->pieces[i + 1].offset <= from))
			continue;
		if (piece.offset < from)
			piece = (struct piece){ from, piece.pa + (from - piece.offset) };
		part->pieces[nr++] = (struct piece){ piece.offset - from, piece.pa };
	}
	part->nr_pieces = nr;
	return add(traffic, part);
}

bool traffic_unmap(struct traffic *traffic, const struct call *call, uint64_t now_ns)
{
	struct ranges *live = &traffic->live[call->domain];
	struct range_node *node;
	bool kept = true;

	while (kept && (node = ranges_find(live, call->first, call->last))) {
		struct mapping *mapping = (struct mapping *)(uintptr_t)node->tag;
		uint64_t due_ns = mapping->due_ns;

		ranges_remove(live, node);
		if (due_ns != NOT_DUE)
			heap_remove(traffic, mapping);
		mapping->due_ns = due_ns;
		if (mapping->first < call->first)
			kept = keep_part(traffic, mapping, mapping->first, call->first - 1, now_ns);
		if (kept && mapping->last > call->last)
			kept = keep_part(traffic, mapping, call->last + 1, mapping->last, now_ns);
		free(mapping);
	}
	return kept;
}

uint64_t traffic_pa(const struct traffic *traffic, uint32_t domain, uint64_t iova)
{
	const struct mapping *mapping = find(traffic, domain, iova, iova);

	return mapping ? pa_at(mapping, iova - mapping->first) : UINT64_MAX;
}

/* ---- the object ------------------------------------------------------------------------------ */

struct traffic *traffic_create(const struct traffic_config *config)
{
	struct traffic *traffic = calloc(1, sizeof(*traffic));

	if (traffic)
		traffic->config = *config;
	return traffic;
}

void traffic_destroy(struct traffic *traffic)
{
	if (!traffic)
		return;
	for (unsigned i = 0; i < CALLS_DOMAINS; i++) {
		struct mapping *mapping;

		while ((mapping = find(traffic, i, 0, UINT64_MAX))) {
			ranges_remove(&traffic->live[i],
				      ranges_find(&traffic->live[i], 0, UINT64_MAX));
			free(mapping);
		}
		ranges_free(&traffic->live[i]);
	}
	free(traffic->heap);
	free(traffic);
}
