/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt replay`, the parts that work together:
 *   replay.c    options, the thread that reads the recording and deals out calls, start and end
 *   mappers.c   threads that call iopt_map() and iopt_unmap()
 *   devices.c   threads that read and write through the tables, by the soft-iommu
 *   watchers.c  a thread that sweeps, one that walks the live tables, one that samples and shows
 *               progress
 *   background.c what is split, merged and trimmed beside, and who owns which range
 *   results.c   the figures: as a table, as JSON; report.c: as HTML
 * What is right and wrong is judged by ledger.c.
 */
#ifndef TOOLS_IOPT_REPLAY_H
#define TOOLS_IOPT_REPLAY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <iopt/iopt.h>

#include "soft-iommu/soft_iommu.h"
#include "tools/iopt/calls.h"
#include "tools/iopt/claims.h"
#include "tools/iopt/heat.h"
#include "tools/iopt/latency.h"
#include "tools/iopt/ledger.h"
#include "tools/iopt/order.h"

#define REPLAY_DEVICES	     16u
#define REPLAY_HINTS	     256u
#define REPLAY_SAMPLES	     512u
#define REPLAY_BUSY	     8192u
#define REPLAY_FAULTS	     8u
#define REPLAY_MESSAGE_BYTES 640

struct replay;

/**
 * struct replay_options - the command line
 * @trace:      path of the recording, "-": standard input
 * @format:     page-table format
 * @levels:     0: the format's default
 * @page_sizes: bit n: leaves of 2^n bytes; 0: all that the format has
 * @batch:      unmaps are synced many at a time; else each at once
 * @devices:    number of device threads
 * @sweep_ns:   between two sweeps; 0: no sweeps
 * @dump_ns:    between two walks of the live tables; 0: none
 * @split:      leaves are split to the smallest before each sweep
 * @merge:      what sweeps found idle is merged
 * @trim:       empty tables are given back, by unmaps and beside them
 * @loops:      how often the recording is replayed
 * @threads:    number of threads that map and unmap
 * @seed:       of all that is random
 * @json:       file for the figures, or NULL
 * @report:     file for the HTML report, or NULL
 */
struct replay_options {
	const char *trace;
	const struct iopt_format_info *format;
	unsigned levels;
	uint64_t page_sizes;
	bool batch;
	unsigned devices;
	uint64_t sweep_ns;
	uint64_t dump_ns;
	bool split;
	bool merge;
	bool trim;
	uint64_t loops;
	unsigned threads;
	uint64_t seed;
	const char *json;
	const char *report;
};

/**
 * struct replay_domain - one domain of the recording
 * @index:     its number
 * @engine:    the engine's domain
 * @soft:      the hardware's view of it
 * @devices:   of each device thread, one
 * @ledger:    what happened to its pages
 * @root_lock: the newest root wins
 * @last_iova: highest IOVA that it can translate
 * @claims:    who owns which range, where leaves are split or merged
 * @sweep:     counts sweeps of this domain
 * @busy:      regions that were reported dirty lately
 * @merge_next, @trim_next: where these go on
 * @recent:    mappings that devices may go to: first page << 12 | pages; also some that are gone
 * @lasting:   the same, of mappings that stay
 */
struct replay_domain {
	struct replay *replay;
	uint32_t index;
	struct iopt_domain *engine;
	struct soft_iommu_domain *soft;
	struct soft_iommu_device *devices[REPLAY_DEVICES];
	struct ledger *ledger;
	pthread_mutex_t root_lock;
	uint64_t last_iova;
	struct claims claims;
	_Atomic uint32_t sweep;
	_Atomic uint64_t busy[REPLAY_BUSY];
	uint64_t merge_next;
	uint64_t trim_next;
	_Atomic uint32_t next_recent;
	_Atomic uint64_t recent[REPLAY_HINTS];
	_Atomic uint64_t lasting[REPLAY_HINTS];
};

/**
 * struct mapper - a thread that maps and unmaps; only it writes here but for the queue
 * @maps, @unmaps:   calls made
 * @bytes_mapped, @bytes_unmapped: of these calls
 * @beyond:          calls beyond what format and levels hold, left out
 * @partial:         unmaps that would have cut a larger leaf, left out
 * @blocked:         maps over what such an unmap left, left out
 * @waits:           calls that had to wait for another thread's
 * @claim_waits:     calls that had to wait for a split or merge
 * @map, @unmap:     latency of iopt_map() or iopt_map_sg(), and iopt_unmap(): [1] while a sweep ran
 * @sync:            latency of iopt_sync(), with the soft-iommu's part of it
 */
struct mapper {
	struct replay *replay;
	unsigned index;
	pthread_t thread;
	bool started;
	struct job_queue *queue;
	struct mapper_domain *domains[CALLS_DOMAINS];
	struct pending *pending;
	unsigned nr_pending;
	struct ledger_counts counts;
	_Atomic uint64_t maps;
	_Atomic uint64_t unmaps;
	_Atomic uint64_t bytes_mapped;
	_Atomic uint64_t bytes_unmapped;
	struct calls_tally beyond;
	struct calls_tally partial;
	struct calls_tally blocked;
	uint64_t waits;
	uint64_t claim_waits;
	uint64_t random;
	struct latency map[2];
	struct latency unmap[2];
	struct latency sync;
	struct heat_dirt dirt[64];
	unsigned nr_dirt;
	uint64_t dealt; /* the dealing thread's: number of the last call */
};

/**
 * struct device_thread - a device
 * @accesses: made
 * @writes:   of these, writes that succeeded
 * @refused:  of these, refused since nothing was mapped (any more)
 */
struct device_thread {
	struct replay *replay;
	unsigned index;
	pthread_t thread;
	bool started;
	_Atomic uint64_t accesses;
	_Atomic uint64_t writes;
	_Atomic uint64_t refused;
};

/** struct sample - one moment of the run */
struct sample {
	uint64_t ns; /* since the start */
	uint64_t events;
	uint64_t tables;
	uint64_t table_bytes;
	uint64_t mapped_bytes;
	uint64_t by_sweep;
	uint64_t by_unmap;
};

/** struct watchers - the threads that look on */
struct watchers {
	pthread_t sweeper, dumper, monitor;
	bool sweeper_started, dumper_started, monitor_started;
	struct ledger_counts sweep_counts;
	struct latency sweep;
	struct latency sweep_sync;
	_Atomic uint64_t sweeps;
	_Atomic uint32_t sweeping; /* a sweep is running */
	struct latency dump;
	_Atomic uint64_t dumps;
	uint64_t dumped_leaves;
	uint64_t dumped_tables;
	uint64_t leaves[64]; /* most in one dump, by size */
	struct sample samples[REPLAY_SAMPLES];
	unsigned nr_samples;
	uint64_t sample_ns;
	bool shown; /* a progress line is on the terminal */
};

/**
 * struct background - what is done to leaves and tables beside the mappers
 * @refused: claims that failed since somebody had part of the range
 * @split:   steps of splits, with their sync; the sweeping thread's
 * @merge, @trim: steps of these
 */
struct background {
	pthread_t thread;
	bool started;
	_Atomic uint64_t refused;
	struct latency split;
	struct latency merge;
	struct latency trim;
};

/** struct replay_fault - one of the first faults, for people */
struct replay_fault {
	enum ledger_fault fault;
	uint32_t domain;
	uint64_t iova;
	uint64_t line;
};

struct replay {
	struct replay_options options;
	struct calls *calls;
	struct order *order; /* NULL: one thread, strict */
	struct order_progress progress[ORDER_THREADS];
	struct soft_iommu *unit;
	_Atomic(struct replay_domain *) domains[CALLS_DOMAINS];
	_Atomic unsigned nr_domains;
	struct mapper *mappers[ORDER_THREADS];
	struct device_thread devices[REPLAY_DEVICES];
	struct watchers watchers;
	struct background background;
	struct heat *heat;
	_Atomic uint64_t trace_ns; /* where the recording is */
	_Atomic uint64_t events;   /* dealt out */
	_Atomic uint64_t loop;	   /* from 1 */
	_Atomic bool stop_devices; /* also sweeper and dumper */
	_Atomic bool stop_monitor;
	_Atomic bool failed;  /* message says why */
	pthread_mutex_t lock; /* message and faults */
	char message[REPLAY_MESSAGE_BYTES];
	struct ledger_report report;
	struct replay_fault faults[REPLAY_FAULTS];
	unsigned nr_faults;
	uint64_t start_ns;
	uint64_t end_ns;

	/* Set at the end. */
	struct trace_counts trace_counts;
	struct iopt_stats stats; /* of all domains together */
	uint64_t invalidations;
	uint64_t freed_table_reads;
	uint64_t breaches;
	uint64_t leaked_tables;
	char breach[SOFT_IOMMU_TEXT_BYTES];
};

/**
 * replay_fail() - end the replay with an error; the first one counts
 * @replay: the replay
 * @format: one line, as printf()
 *
 * Context: any thread.
 */
__attribute__((format(printf, 2, 3))) void replay_fail(struct replay *replay, const char *format,
						       ...);

/* ---- mappers.c ------------------------------------------------------------------------------- */

/** mapper_start() - Return: the thread; NULL if it can't be started. */
struct mapper *mapper_start(struct replay *replay, unsigned index);
/** mapper_deal() - hand a call to a thread; waits while its queue is full */
void mapper_deal(struct mapper *mapper, const struct call *call, const struct order_needs *needs);
/** mapper_drain() - wait until all calls that were dealt out are made and synced */
void mapper_drain(struct mapper *mapper);
/** mapper_stop() - end the thread; its counts stay */
void mapper_stop(struct mapper *mapper);
void mapper_free(struct mapper *mapper);

/* ---- devices.c ------------------------------------------------------------------------------- */

/** devices_attach() - give each device thread a device in a new domain. Return: 0 or -errno. */
int devices_attach(struct replay *replay, struct replay_domain *domain);
/** devices_start() - Return: whether all device threads were started. */
bool devices_start(struct replay *replay);
void devices_stop(struct replay *replay);
/** devices_hint() - tell devices of a new mapping; any thread */
void devices_hint(struct replay_domain *domain, uint64_t first, uint64_t last, uint64_t random);

/* ---- watchers.c ------------------------------------------------------------------------------ */

bool watchers_start(struct replay *replay);
/** watchers_stop() - no more sweeps and dumps */
void watchers_stop(struct replay *replay);
/** watchers_finish() - and no more samples */
void watchers_finish(struct replay *replay);
/** watchers_sweep() - sweep all domains once; nobody else does */
void watchers_sweep(struct replay *replay);

/* ---- background.c ---------------------------------------------------------------------------- */

/** background_claims() - whether ranges are owned at all: leaves are split or merged */
static inline bool background_claims(const struct replay_options *options)
{
	return options->split || options->merge;
}

bool background_start(struct replay *replay);
void background_stop(struct replay *replay);
/** background_split() - split all leaves of a domain that may be; on the sweeping thread */
void background_split(struct replay_domain *domain);
/** background_reported() - a sweep reported this dirty */
void background_reported(struct replay_domain *domain, uint64_t first, uint64_t last);

/** background_try_claim(), background_release() - the engine's callbacks; @ctx: the domain */
bool background_try_claim(void *ctx, uint64_t first, uint64_t last);
void background_release(void *ctx, uint64_t first, uint64_t last);

/**
 * background_own() - before a mapper writes a range: own it, with all of each leaf in it
 * @waits: counts that it had to wait
 *
 * Return: the range that is owned now.
 */
struct iopt_range background_own(struct replay_domain *domain, uint64_t first, uint64_t last,
				 uint64_t *waits);
/** background_disown() - and after it; @range: from background_own() */
void background_disown(struct replay_domain *domain, uint64_t first, uint64_t last,
		       struct iopt_range range);

/* ---- results.c and report.c ------------------------------------------------------------------ */

/** replay_exact() - the verdict */
bool replay_exact(const struct replay *replay);
void results_print(const struct replay *replay);
/** results_json() - write the figures. Return: an exit code; an error is told. */
int results_json(const struct replay *replay, const char *path);
/** report_html() - write the report. Return: an exit code; an error is told. */
int report_html(struct replay *replay, const char *path);
/** fault_text() - a fault in words, without a line end. Return: @text. */
const char *fault_text(const struct replay_fault *fault, char *text, size_t bytes);

/** struct replay_sums - what the threads counted, together */
struct replay_sums {
	uint64_t maps, unmaps, waits, claim_waits;
	uint64_t written, reported, by_unmap, by_sweep, hit, unjudged;
	uint64_t accesses, writes, refused;
	uint64_t bytes_mapped, bytes_unmapped;
	struct calls_tally beyond, partial, blocked;
};

/** replay_granularity() - pages in reports for each one that was written; 0: there were none */
double replay_granularity(const struct replay_sums *sums);

void replay_sum(const struct replay *replay, struct replay_sums *sums);

/**
 * struct replay_latencies - latencies of all mappers together
 * @map:   of iopt_map() and iopt_map_sg(): [0] without a sweep beside, [1] with one, [2] all
 * @unmap: of iopt_unmap(), likewise
 * @sync:  of iopt_sync()
 */
struct replay_latencies {
	struct latency map[3];
	struct latency unmap[3];
	struct latency sync;
};

void replay_latencies(const struct replay *replay, struct replay_latencies *all);

/** replay_mapped_peak() - the most bytes that were mapped in any sample */
uint64_t replay_mapped_peak(const struct replay *replay);

#endif
