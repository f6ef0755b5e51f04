/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Recordings of DMA mappings as Linux's tools print them, read one event at a time:
 *   - the tracefs file `trace`, `trace-cmd report`, `perf script`;
 *   - iommu:map and iommu:unmap (Linux include/trace/events/iommu.h), and probes of an IOMMU
 *     driver's map_pages and unmap_pages that carry the domain's address as domain=;
 *   - lines that say that events were lost; other events are counted and skipped.
 *
 * Which lines are content errors and which are survived: an event that no kernel can have recorded
 * (fields missing, cut short, size zero, not on 4 KiB boundaries, wrapping around 2^64, an end that
 * is not start + size) is an error; so are text that isn't text and a file without one event of
 * ours. What calls follow from events is calls.h's matter.
 */
#ifndef TOOLS_IOPT_TRACE_H
#define TOOLS_IOPT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_GRANULE_LG2 12u
#define TRACE_GRANULE	  (1u << TRACE_GRANULE_LG2)

enum trace_kind {
	TRACE_MAP,	   /* iommu:map, when it was done */
	TRACE_UNMAP,	   /* iommu:unmap, when it was done, before the IOVA is given back */
	TRACE_PROBE_MAP,   /* the driver's map_pages was called */
	TRACE_PROBE_UNMAP, /* the driver's unmap_pages was called */
	TRACE_LOST,	   /* events were lost here */
};

/**
 * struct trace_event - one line that matters
 * @kind:     what it is
 * @cpu:      where it happened; 0 if the tool printed none
 * @task:     process id, or 0
 * @line:     its line number, from 1
 * @ns:       its time stamp, nanoseconds
 * @first:    first IOVA
 * @last:     last IOVA that the caller named
 * @unmapped: TRACE_UNMAP: bytes that went, as printed; else the size
 * @pa:       physical address of @first, map only
 * @domain:   address of the domain, probes only; else 0
 * @lost:     TRACE_LOST: how many events; 0: the tool doesn't know
 */
struct trace_event {
	enum trace_kind kind;
	unsigned cpu;
	uint32_t task;
	uint64_t line;
	uint64_t ns;
	uint64_t first;
	uint64_t last;
	uint64_t unmapped;
	uint64_t pa;
	uint64_t domain;
	uint64_t lost;
};

/**
 * struct trace_counts - what was read so far
 * @lines:       lines
 * @events:      events of ours, probes included
 * @other:       events of other kinds
 * @unknown:     lines that are no event: headers, call chains
 * @lost_lines:  lines that say that events were lost
 * @lost_events: how many they name together
 */
struct trace_counts {
	uint64_t lines;
	uint64_t events;
	uint64_t other;
	uint64_t unknown;
	uint64_t lost_lines;
	uint64_t lost_events;
};

struct trace;

/* One line, with the name of the file and the line's number. */
#define TRACE_ERROR_BYTES 512

/**
 * trace_open() - start reading a recording
 * @path:  a file, plain, gzip or zstd; "-": standard input
 * @error: filled in if this fails
 *
 * Return: the recording; NULL on an error.
 */
struct trace *trace_open(const char *path, char error[TRACE_ERROR_BYTES]);

/**
 * trace_open_memory() - start reading a recording that is in memory
 * @name:  of it, in messages
 * @bytes: the file's content; must live as long
 * @size:  its size
 * @error: filled in if this fails
 */
struct trace *trace_open_memory(const char *name, const void *bytes, size_t size,
				char error[TRACE_ERROR_BYTES]);

/**
 * trace_next() - read the next event
 * @trace: the recording
 * @event: filled in
 *
 * Return: 1; 0 at the end; -1 on an error, which trace_error() tells.
 */
int trace_next(struct trace *trace, struct trace_event *event);

const char *trace_error(const struct trace *trace);
const struct trace_counts *trace_counts(const struct trace *trace);
void trace_close(struct trace *trace);

#endif
