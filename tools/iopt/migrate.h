/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt migrate`, the parts that work together:
 *   migrate.c         options; the simulated machine's clock, which deals out calls, writes, sweeps
 *   traffic.c         which pages devices write, and when
 *   tracker.c         one way of tracking that, with tables, sweeps and a migration of its own
 *   precopy.c         rounds, limits, downtime
 *   migrate_text.c    the figures, as a table and as JSON; migrate_report.c: as HTML
 */
#ifndef TOOLS_IOPT_MIGRATE_H
#define TOOLS_IOPT_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include <iopt/iopt.h>

#include "soft-iommu/soft_iommu.h"
#include "tools/iopt/calls.h"
#include "tools/iopt/command.h"
#include "tools/iopt/precopy.h"
#include "tools/iopt/tracker.h"
#include "tools/iopt/traffic.h"

/* Pinned in 4K, 2M and 1G leaves, and as the guest maps. */
#define MIGRATE_PINNED	 3u
#define MIGRATE_TRACKERS 4u

/**
 * struct migrate_options - the command line
 * @trace:       path of the recording, "-": standard input
 * @format:      page-table format
 * @levels:      0: the format's default
 * @limits:      bandwidth, downtime, rounds
 * @begin_ns:    when the migration begins
 * @ram:         bytes of guest memory; 0: what the recording's addresses need
 * @percent:     of the mappings are written
 * @rewrite_ns:  between two passes over a mapping that stays
 * @speed:       the recording's time runs so many times faster
 * @seed:        of all that is random
 * @json:        file for the figures, "-": standard output; or NULL
 * @report:      file for the HTML report, or NULL
 */
struct migrate_options {
	const char *trace;
	const struct iopt_format_info *format;
	unsigned levels;
	struct precopy_limits limits;
	uint64_t begin_ns;
	uint64_t ram;
	unsigned percent;
	uint64_t rewrite_ns;
	double speed;
	uint64_t seed;
	const char *json;
	const char *report;
};

/**
 * struct migrate_recording - what a first reading of the recording showed
 * @start_ns: its first time stamp
 * @ns:       from there to its last one
 * @events:   maps and unmaps
 * @last_pa:  highest physical address
 * @domains:  how many
 */
struct migrate_recording {
	uint64_t start_ns;
	uint64_t ns;
	uint64_t events;
	uint64_t last_pa;
	unsigned domains;
};

/**
 * struct migrate - all of it
 * @input:     standard input, all of it; NULL: a file is read
 * @now_ns:    the simulated machine's time; the recording begins at 0
 * @pass_ns:   when this pass of the recording began
 * @passes:    begun
 * @writes:    pages that devices wrote
 * @outside:   writes beyond guest memory, left out
 * @breaches:  malformed or freed tables that devices met
 * @leaked_tables: after all was destroyed
 */
struct migrate {
	struct migrate_options options;
	void *input;
	size_t input_bytes;
	struct migrate_recording recording;
	struct soft_iommu *unit;
	struct traffic *traffic;
	struct tracker trackers[MIGRATE_TRACKERS];
	unsigned nr_trackers;
	uint64_t now_ns;
	uint64_t pass_ns;
	uint64_t passes;
	uint64_t writes;
	uint64_t outside;
	uint64_t breaches;
	uint64_t leaked_tables;
	uint64_t start_ns; /* of the wall clock */
	uint64_t shown_ns;
	bool shown; /* a progress line is on the terminal */
};

/** migrate_exact() - each tracker reported what was written, and the tables were in order */
bool migrate_exact(const struct migrate *migrate);

/* A size in words, as amount_text(). */
typedef const char *(*migrate_size_fn)(uint64_t bytes, char text[SIZE_TEXT_BYTES]);

/** migrate_why() - why a migration converged or did not, in words. Return: @text. */
const char *migrate_why(const struct tracker *tracker, migrate_size_fn size, char *text,
			size_t bytes);

/* ---- migrate_text.c and migrate_report.c ----------------------------------------------------- */

void migrate_print(const struct migrate *migrate);
/** migrate_json() - write the figures. Return: an exit code; an error is told. */
int migrate_json(const struct migrate *migrate, const char *path);
/** migrate_html() - write the report. Return: an exit code; an error is told. */
int migrate_html(const struct migrate *migrate, const char *path);

#endif
