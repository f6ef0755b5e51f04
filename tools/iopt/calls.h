/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From events to calls: what Linux's DMA layer asked of the page table, and of which.
 *
 * A recording shows one iommu:map for each physically contiguous segment of a scatter list and one
 * iommu:unmap for the whole list. Neither names a domain; probes of the driver that were recorded
 * beside them do. This file
 *   - joins a probe with the event of the same call (the probe comes first, on the same CPU), so
 *     that the call counts once and has a domain; where a kind of event has probes only, those are
 *     taken;
 *   - joins consecutive segments of one scatter list into one call;
 *   - gives an unmap without a domain to the newest mapping that it fits;
 *   - where nothing names a domain, infers them: a map over something live is in another domain;
 *   - keeps what is live consistent where events were lost: an unmap of what was never seen mapped
 *     is left out, a map over something live in a known domain unmaps that first.
 * All of it is counted. Memory grows with what is mapped at one time, not with the recording.
 */
#ifndef TOOLS_IOPT_CALLS_H
#define TOOLS_IOPT_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iopt/iopt.h>

#include "tools/iopt/trace.h"

/* Segments of one call; a longer list becomes several. */
#define CALL_SEGMENTS  512u
/* Domains in one recording, and how many of them may be inferred. */
#define CALLS_DOMAINS  1024u
#define CALLS_INFERRED 64u

/**
 * struct call - one map or unmap
 * @map:         else unmap
 * @implied:     an unmap that wasn't recorded: what is live must go before it is mapped over, and
 *               at the end
 * @domain:      number of the domain, from 0 in order of appearance
 * @first:       first IOVA
 * @last:        last IOVA
 * @bytes:       bytes that it maps, or that were live in the range
 * @line:        of the (first) event
 * @ns:          its time stamp
 * @cpu:         its CPU
 * @task:        its task
 * @nr_segments: of @segments; 0 for unmap
 * @segments:    physical memory, in order; the receiver frees it
 */
struct call {
	bool map;
	bool implied;
	uint32_t domain;
	uint64_t first;
	uint64_t last;
	uint64_t bytes;
	uint64_t line;
	uint64_t ns;
	uint32_t cpu;
	uint32_t task;
	uint32_t nr_segments;
	struct iopt_segment *segments;
};

/* A count and the line where it happened first. */
struct calls_tally {
	uint64_t nr;
	uint64_t line;
};

/**
 * struct calls_counts - how events became calls
 * @maps:              map events
 * @unmaps:            unmap events
 * @segments_joined:   map events that continued a scatter list
 * @probes:            probes joined with an event
 * @probes_alone:      probes without one: the call failed, or events were lost
 * @maps_over_live:    maps over something live in a domain that is known
 * @unknown_unmaps:    unmaps of what was never seen mapped
 * @ragged_unmaps:     unmaps that don't end where mappings end
 * @without_domain:    events that name no domain in a recording that names some: those of map fall
 *                     to the domain of their scatter list or the first one free
 * @inferred_maps:     events in a recording without domains: maps over something live
 * @inferred_unmaps:   and unmaps that fitted several
 * @left:              ranges still mapped at the end
 */
struct calls_counts {
	uint64_t maps;
	uint64_t unmaps;
	uint64_t segments_joined;
	uint64_t probes;
	uint64_t probes_alone;
	struct calls_tally maps_over_live;
	struct calls_tally unknown_unmaps;
	struct calls_tally ragged_unmaps;
	struct calls_tally without_domain;
	struct calls_tally inferred_maps;
	struct calls_tally inferred_unmaps;
	uint64_t left;
};

struct calls;

/**
 * calls_create() - start making calls
 *
 * Return: NULL if there is no memory.
 */
struct calls *calls_create(void);
void calls_destroy(struct calls *calls);

/**
 * calls_scale() - multiply all addresses and lengths
 * @calls:     not started yet
 * @scale_lg2: by 2^this; a recording is in pages of 4 KiB, a format's may be larger
 */
void calls_scale(struct calls *calls, unsigned scale_lg2);

/**
 * calls_start() - start on a recording, perhaps the same one again
 * @calls: nothing is live in it
 * @trace: read by calls_next() and calls_error()
 *
 * Domains keep their numbers, counts go on.
 */
void calls_start(struct calls *calls, struct trace *trace);

/**
 * calls_next() - the next call
 * @calls: started
 * @call:  filled in
 *
 * Return: 1; 0 at the recording's end (what is live then stays so until calls_finish()); -1 on an
 * error, which calls_error() tells.
 */
int calls_next(struct calls *calls, struct call *call);

/**
 * calls_finish() - one by one the unmaps that leave nothing mapped
 * @calls: calls_next() returned 0
 * @call:  filled in
 *
 * Return: 1; 0: nothing is live any more.
 */
int calls_finish(struct calls *calls, struct call *call);

const char *calls_error(const struct calls *calls);
const struct calls_counts *calls_counts(const struct calls *calls);

/** calls_domains() - how many domains were seen so far */
unsigned calls_domains(const struct calls *calls);

/** calls_domain() - address of a domain as probes carried it; 0: inferred */
uint64_t calls_domain(const struct calls *calls, unsigned domain);

/** calls_cpus() - how many CPUs were seen so far, up to 64 */
unsigned calls_cpus(const struct calls *calls);

#endif
