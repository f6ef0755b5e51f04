/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which pages devices write, and when: made up from a recording's mappings, since a recording shows
 * neither directions nor accesses. The same mappings, times and seed give the same writes.
 *
 *   - Of each mapping it is drawn whether devices write it or only read it.
 *   - The pages of one that is written are written whole, from the first on, one every
 *     TRAFFIC_PAGE_NS after it was mapped; of one that has more than TRAFFIC_PAGES pages, that
 *     many, drawn at random.
 *   - What is still to be written of this first pass when the mapping goes is written just before:
 *     a driver unmaps when the transfer is done.
 *   - A mapping that stays is written again, another pass beginning each rewrite_ns: rings and
 *     buffers that are used again.
 *
 * Times are the simulated machine's. One thread.
 */
#ifndef TOOLS_IOPT_TRAFFIC_H
#define TOOLS_IOPT_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/iopt/calls.h"

/* 4 KiB each microsecond: 4 GB/s, a fast disk. */
#define TRAFFIC_PAGE_NS 1000u
#define TRAFFIC_PAGES	1024u

/**
 * struct traffic_config - how devices are
 * @seed:       of what is drawn
 * @percent:    of the mappings are written
 * @rewrite_ns: between the beginnings of two passes over a mapping that stays; 0: one pass only
 * @write:      called for each page that is written
 * @ctx:        its first argument
 */
struct traffic_config {
	uint64_t seed;
	unsigned percent;
	uint64_t rewrite_ns;
	void (*write)(void *ctx, uint32_t domain, uint64_t iova, uint64_t pa);
	void *ctx;
};

struct traffic;

/** traffic_create() - Return: NULL if there is no memory. */
struct traffic *traffic_create(const struct traffic_config *config);
void traffic_destroy(struct traffic *traffic);

/** traffic_map() - a map was made at @now_ns. Return: false if there is no memory. */
bool traffic_map(struct traffic *traffic, const struct call *call, uint64_t now_ns);

/** traffic_finish() - an unmap will be made: write what must be written before */
void traffic_finish(struct traffic *traffic, const struct call *call);

/**
 * traffic_unmap() - it was made at @now_ns
 *
 * What is left of a mapping that goes in part only is a mapping of its own.
 * Return: false if there is no memory.
 */
bool traffic_unmap(struct traffic *traffic, const struct call *call, uint64_t now_ns);

/** traffic_next() - when the next page is to be written; UINT64_MAX: none is */
uint64_t traffic_next(const struct traffic *traffic);

/** traffic_step() - write it */
void traffic_step(struct traffic *traffic);

/** traffic_pa() - where an IOVA leads; UINT64_MAX: nothing is mapped there */
uint64_t traffic_pa(const struct traffic *traffic, uint32_t domain, uint64_t iova);

#endif
