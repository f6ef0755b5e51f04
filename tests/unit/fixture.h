/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the tests of trim, split, merge, protect and skipping sweeps share: one domain at a time
 * with a device that notes what it is told (tests/support), a gather, a sink that notes what is
 * dirty, and an embedder that grants or refuses claims. One thread.
 */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/support.h"

#define PAGE 4096ull
#define HALF (1ull << 47)

#define MOST_REPORTS 4096u
#define MOST_CLAIMS  4096u

/**
 * struct report - dirty pages as they were reported
 * @nr:     accepted calls
 * @ranges: of these
 * @calls:  all calls
 * @refuse: from that call on (1: the first) the answer is -ENOSPC; 0: never
 */
struct report {
	unsigned nr;
	struct iopt_range ranges[MOST_REPORTS];
	unsigned calls;
	unsigned refuse;
};

/**
 * struct claims - what background work asked the embedder for
 * @nr:     claims that were granted
 * @ranges: these
 * @held:   granted and not released yet
 * @most_held: at any time
 * @refused: how many were refused
 * @theirs: what somebody else has: nothing that touches it is granted; first > last: nobody has any
 * @look:   called while a claim is asked for; NULL: nothing to see
 */
struct claims {
	unsigned nr;
	struct iopt_range ranges[MOST_CLAIMS];
	unsigned held;
	unsigned most_held;
	unsigned refused;
	struct iopt_range theirs;
	void (*look)(uint64_t first, uint64_t last);
};

extern struct device device;
extern struct iopt_gather gather;
extern struct report report;
extern struct claims claims;
extern struct iopt_sink sink;
extern const struct hardware *hw;
extern const struct iopt_format_info *info;
extern uint64_t sizes; /* of the domain's leaves, one bit each */

/* Create the domain; the gather has the sink, everything noted is forgotten. */
void open_config(const struct iopt_config *config);
void open_domain(const char *format, unsigned levels, uint32_t flags);

/* Sync what is owed and destroy the domain: nothing may be left of it, no claim be held. */
void close_domain(void);

/* All must succeed. Sync: the gather; unmap syncs, too. */
void map_to(uint64_t first, uint64_t bytes, uint64_t pa, unsigned prot);
void map(uint64_t first, uint64_t bytes);    /* RW, to the physical addresses of the same numbers */
void map_pages(uint64_t first, unsigned nr); /* leaves of one granule that do not fit together */
void unmap(uint64_t first, uint64_t bytes);

void write_to(uint64_t iova);
bool is_dirty(uint64_t iova);

/* What an IOVA translates to; lg2 of its leaf, 0 if nothing is there. */
unsigned leaf_lg2_at(uint64_t iova);
void check_mapped(uint64_t iova, uint64_t pa);
void check_empty(uint64_t iova);

/* Every byte of the range leads to pa and on, in leaves of that size and no other. */
void check_leaves(uint64_t first, uint64_t bytes, uint64_t pa, unsigned leaf_lg2);

/*
 * All of first..last, which leads to pa and on, is in the largest leaves of the domain's sizes that
 * are no larger than 2^most bytes.
 */
void check_largest(uint64_t first, uint64_t last, uint64_t pa, unsigned most);

/* Linked tables; the statistics must agree with a visit. */
uint64_t tables(void);
struct iopt_stats stats_now(void);

/* Clear all dirty bits of first..last into an empty report; syncs. */
void sweep_clear(uint64_t first, uint64_t last);

/* Whether a range was claimed, and how often the report names a byte. */
bool claimed(uint64_t first, uint64_t last);
unsigned reported(uint64_t iova);
void forget_reports(void);

/* The entry that translates an IOVA at a level, where its way leads over a table of that level. */
uint64_t *entry_at(uint64_t iova, unsigned level);

#endif
