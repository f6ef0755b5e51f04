/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One way of tracking what devices write to a guest's memory, with real tables: a domain of the
 * engine, the soft-iommu's view of it and a device, or as many as the guest has domains; and a
 * migration that reads it.
 *
 *   - Pinned: all of the guest's memory is mapped for the whole time, IOVA is guest-physical
 *     address, in leaves of 1 GiB that are split
 *     to one size when tracking begins. What an assigned device of a guest without a virtual IOMMU
 *     goes through, and a nested one's second stage.
 *   - As the guest maps: the recording's mappings are made and unmade, in 4 KiB leaves; what was
 *     written comes from sweeps over what is mapped and from each unmap. What an assigned device
 *     goes through whose virtual IOMMU is shadowed.
 *
 * Each write of a device is also noted here, so that each round's report is judged: no page may be
 * missing, and no leaf reported that was not written. One thread.
 */
#ifndef TOOLS_IOPT_TRACKER_H
#define TOOLS_IOPT_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include <iopt/iopt.h>

#include "soft-iommu/soft_iommu.h"
#include "tools/iopt/calls.h"
#include "tools/iopt/precopy.h"

/**
 * struct tracker_config - how it is to be
 * @format:   of the tables
 * @levels:   0: the format's default
 * @unit:     the soft-iommu
 * @id:       for its events
 * @ram:      bytes of guest memory, a multiple of 1 GiB
 * @leaf_lg2: pinned: size of the leaves; the guest's own: 12
 * @guest:    as the guest maps
 * @limits:   of the migration
 * @begin_ns: when it begins, and tracking with it
 * @pa:       the guest's own: where an IOVA of a guest's domain leads, UINT64_MAX: nowhere
 * @ctx:      its first argument
 */
struct tracker_config {
	const struct iopt_format_info *format;
	unsigned levels;
	struct soft_iommu *unit;
	uint32_t id;
	uint64_t ram;
	unsigned leaf_lg2;
	bool guest;
	struct precopy_limits limits;
	uint64_t begin_ns;
	uint64_t (*pa)(void *ctx, uint32_t domain, uint64_t iova);
	void *ctx;
};

/**
 * struct tracker_round - of a round, what is not in struct precopy_round
 * @by_unmap: bytes that unmaps reported, not the sweep
 * @sweep_ns: what the sweep and its sync took here
 */
struct tracker_round {
	uint64_t by_unmap;
	uint64_t sweep_ns;
};

/**
 * struct tracker - the object; read-only but for tracker.c
 * @precopy:   the migration
 * @rounds:    as many as @precopy has
 * @lost:      pages that were written and not reported
 * @in_vain:   leaves reported in which no page was written
 * @refused:   writes to mapped pages that failed
 * @writes:    pages written while the migration ran
 * @left_out:  calls of the guest beyond what the tables hold
 * @stats:     of its tables, when the migration ended
 * @prepare_ns: what switching tracking on took here
 */
struct tracker {
	struct tracker_config config;
	struct precopy precopy;
	struct tracker_round *rounds;
	uint64_t lost;
	uint64_t in_vain;
	uint64_t refused;
	uint64_t writes;
	struct calls_tally left_out;
	struct iopt_stats stats;
	uint64_t prepare_ns;

	/* tracker.c's own */
	struct tracker_domain *domains[CALLS_DOMAINS];
	uint64_t last_iova;
	uint64_t *reported; /* a bit for each 4 KiB of guest memory, since the last sweep */
	uint64_t *written;  /* likewise */
	uint64_t words;
};

/**
 * tracker_create() - map memory; nothing is tracked yet
 *
 * Return: 0 or -errno; @tracker is to be destroyed also then.
 */
int tracker_create(const struct tracker_config *config, struct tracker *tracker);

/** tracker_runs() - its migration didn't end yet */
static inline bool tracker_runs(const struct tracker *tracker)
{
	return tracker->precopy.end == PRECOPY_GOES_ON;
}

/** tracker_next() - when the next step is due; UINT64_MAX: its migration ended */
uint64_t tracker_next(const struct tracker *tracker);

/** tracker_name() - e.g. "2M"; as the guest maps: "guest's 4K" */
const char *tracker_name(const struct tracker *tracker);

/** tracker_map() - the guest maps. Return: 0 or -errno. */
int tracker_map(struct tracker *tracker, const struct call *call);
/** tracker_unmap() - it unmaps; the mapping must still be known to @pa. Return: 0 or -errno. */
int tracker_unmap(struct tracker *tracker, const struct call *call);
/** tracker_write() - a device writes a page; @pa lies in guest memory */
void tracker_write(struct tracker *tracker, uint32_t domain, uint64_t iova, uint64_t pa);
/**
 * tracker_step() - the next step, at tracker_next(): tracking and the first round begin; or a
 * round's copy is done: sweep, and go on
 *
 * Return: 0 or -errno.
 */
int tracker_step(struct tracker *tracker);

/** tracker_exact() - nothing was lost, reported in vain or refused */
bool tracker_exact(const struct tracker *tracker);

/** tracker_close() - destroy domains and tables; the figures stay */
void tracker_close(struct tracker *tracker);
/** tracker_destroy() - and the figures */
void tracker_destroy(struct tracker *tracker);

#endif
