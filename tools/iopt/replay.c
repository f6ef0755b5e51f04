/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt replay`: options, the thread that reads the recording and deals out calls, start and end.
 * What the other threads do is in the files that replay.h names.
 */
#include "tools/iopt/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"

#define NAME "iopt replay"

/* ---- options --------------------------------------------------------------------------------- */

enum {
	OPTION_FORMAT = 0x100,
	OPTION_LEVELS,
	OPTION_PAGE_SIZES,
	OPTION_INVALIDATE,
	OPTION_DEVICES,
	OPTION_SWEEP,
	OPTION_DUMP,
	OPTION_SPLIT,
	OPTION_MERGE,
	OPTION_TRIM,
	OPTION_LOOP,
	OPTION_THREADS,
	OPTION_SEED,
	OPTION_JSON,
	OPTION_REPORT,
};

static const struct argp_option option_list[] = {
	{ "format", OPTION_FORMAT, "NAME", 0, "page-table format, see `iopt formats' (vtd-ss)", 1 },
	{ "levels", OPTION_LEVELS, "N", 0, "table levels (the format's default)", 1 },
	{ "page-sizes", OPTION_PAGE_SIZES, "LIST", 0,
	  "leaf sizes that may be used, e.g. 4K,2M (all that the format has)", 1 },
	{ "invalidate", OPTION_INVALIDATE, "WHEN", 0,
	  "strict: after each unmap; batch: after many, or before a range is used again (strict)",
	  1 },
	{ "devices", OPTION_DEVICES, "N", 0,
	  "devices that read and write through the tables, 0 to 16; the first has a device TLB (2)",
	  2 },
	{ "sweep-every", OPTION_SWEEP, "MS", 0,
	  "milliseconds between two sweeps for dirty pages, 0: none (10; 0 if hardware marks none)",
	  2 },
	{ "dump-every", OPTION_DUMP, "MS", 0,
	  "milliseconds between two walks of the live tables, 0: none (50)", 2 },
	{ "split-on-sweep", OPTION_SPLIT, NULL, 0,
	  "split leaves to the smallest before each sweep, so that it reports single pages", 3 },
	{ "merge-idle", OPTION_MERGE, NULL, 0,
	  "merge what no sweep reported dirty lately; with --split-on-sweep, split the rest only",
	  3 },
	{ "trim", OPTION_TRIM, NULL, 0, "give empty tables back, by unmaps and beside them", 3 },
	{ "loop", OPTION_LOOP, "N", 0, "replay the recording N times (1)", 3 },
	{ "threads", OPTION_THREADS, "N", 0,
	  "threads that map and unmap, 1 to 8; the recording's CPUs are spread over them, or its "
	  "tasks if it has one CPU (1)",
	  3 },
	{ "seed", OPTION_SEED, "N", 0, "of all that is random (1)", 3 },
	{ "json", OPTION_JSON, "FILE", 0, "write the figures there", 4 },
	{ "report", OPTION_REPORT, "FILE", 0, "write an HTML report to look at there", 4 },
	{ 0 },
};

/* "4K,2M" against what the format has. */
static uint64_t parse_page_sizes(char *list, const struct iopt_format_info *info)
{
	char text[SIZE_TEXT_BYTES], *rest = list;
	uint64_t sizes = 0;
	const char *word;
	unsigned lg2;

	while ((word = strsep(&rest, ","))) {
		if (!parse_size(word, &lg2))
			usage_error(NAME,
				    "--page-sizes: '%s' is no size, expected powers of two as "
				    "in 4K,2M,1G",
				    word);
		if (!(info->page_sizes >> lg2 & 1))
			usage_error(NAME,
				    "--page-sizes: %s has no leaves of %s, expected sizes that "
				    "`iopt formats' lists",
				    info->name, size_text(1ULL << lg2, text));
		sizes |= 1ULL << lg2;
	}
	if (!(sizes >> info->granule_lg2 & 1))
		usage_error(NAME, "--page-sizes: %s is missing, expected it among the sizes",
			    size_text(1ULL << info->granule_lg2, text));
	return sizes;
}

static bool parse_batch(const char *text)
{
	if (strcmp(text, "batch") && strcmp(text, "strict"))
		usage_error(NAME, "--invalidate: '%s', expected strict or batch", text);
	return !strcmp(text, "batch");
}

struct arguments {
	struct replay_options *options;
	const char *format;
	const char *levels;
	char *page_sizes;
	bool sweep;
};

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct replay_options *options = arguments->options;

	switch (key) {
	case OPTION_FORMAT: arguments->format = arg; return 0;
	case OPTION_LEVELS: arguments->levels = arg; return 0;
	case OPTION_PAGE_SIZES: arguments->page_sizes = arg; return 0;
	case OPTION_INVALIDATE: options->batch = parse_batch(arg); return 0;
	case OPTION_DEVICES:
		options->devices = (unsigned)parse_count(NAME, "devices", arg, 0, REPLAY_DEVICES);
		return 0;
	case OPTION_SWEEP:
		options->sweep_ns = parse_interval(NAME, "sweep-every", arg);
		arguments->sweep = true;
		return 0;
	case OPTION_DUMP: options->dump_ns = parse_interval(NAME, "dump-every", arg); return 0;
	case OPTION_SPLIT: options->split = true; return 0;
	case OPTION_MERGE: options->merge = true; return 0;
	case OPTION_TRIM: options->trim = true; return 0;
	case OPTION_LOOP: options->loops = parse_count(NAME, "loop", arg, 1, 1000000); return 0;
	case OPTION_THREADS:
		options->threads = (unsigned)parse_count(NAME, "threads", arg, 1, ORDER_THREADS);
		return 0;
	case OPTION_SEED: options->seed = parse_count(NAME, "seed", arg, 0, UINT64_MAX); return 0;
	case OPTION_JSON: options->json = arg; return 0;
	case OPTION_REPORT: options->report = arg; return 0;
	case ARGP_KEY_ARG:
		if (options->trace)
			usage_error(NAME, "'%s' is one file too many, expected one", arg);
		options->trace = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	option_list,
	parser,
	"TRACE",
	"Replay a recording of a Linux machine's DMA mappings through the engine, while devices "
	"write through the tables, a sweep collects dirty pages and a dump walks the live tables."
	"\vTRACE is what tracefs, `trace-cmd report' or `perf script' print of iommu:map and "
	"iommu:unmap, plain, gzip or zstd; `-' is standard input. `iopt record --print' prints how "
	"to make one. Exit status: 0 if the verdict is exact, 1 if not or if TRACE isn't such a "
	"recording, 2 for a wrong command line.",
	NULL,
	NULL,
	NULL,
};

static void parse_options(struct replay_options *options, int argc, char **argv)
{
	struct arguments arguments = { .options = options, .format = "vtd-ss" };
	const struct iopt_format_info *info;

	*options = (struct replay_options){ .devices = 2,
					    .sweep_ns = 10000000,
					    .dump_ns = 50000000,
					    .loops = 1,
					    .threads = 1,
					    .seed = 1 };
	parse_arguments(&argp, argc, argv, 0, NULL, &arguments);
	if (!options->trace)
		usage_error(NAME, "no recording, expected a file or -");
	options->format = info = iopt_format_find(arguments.format);
	if (!info)
		usage_error(NAME,
			    "--format: no format '%s', expected one that `iopt formats' lists",
			    arguments.format);
	if (arguments.levels)
		options->levels = (unsigned)parse_count(NAME, "levels", arguments.levels,
							info->min_levels, info->max_levels);
	if (arguments.page_sizes)
		options->page_sizes = parse_page_sizes(arguments.page_sizes, info);
	if (!strcmp(options->trace, "-") && options->loops > 1)
		usage_error(NAME,
			    "--loop %" PRIu64 ": standard input can't be read again, expected "
			    "a file",
			    options->loops);
	if (options->json && options->report && !strcmp(options->json, options->report))
		usage_error(NAME, "--json and --report both name %s, expected two files",
			    options->json);
	check_output(NAME, "json", options->json);
	check_output(NAME, "report", options->report);
	if (!arguments.sweep && !(info->abilities & IOPT_CAN_TRACK_DIRTY))
		options->sweep_ns = 0;
	if (options->trim && !(info->abilities & IOPT_CAN_TRIM))
		usage_error(NAME, "--trim: %s can't give back empty tables", info->name);
	if (background_claims(options) && !(info->abilities & IOPT_CAN_RESIZE))
		usage_error(NAME, "--%s: %s has leaves that can't change their size",
			    options->split ? "split-on-sweep" : "merge-idle", info->name);
	if (!options->sweep_ns && background_claims(options))
		usage_error(NAME, "--%s: nothing is swept with --sweep-every 0, expected sweeps",
			    options->split ? "split-on-sweep" : "merge-idle");
	if (options->sweep_ns && !(info->abilities & IOPT_CAN_TRACK_DIRTY))
		usage_error(NAME, "--sweep-every: %s has no dirty bits, expected 0", info->name);
}

/* ---- errors ---------------------------------------------------------------------------------- */

void replay_fail(struct replay *replay, const char *format, ...)
{
	va_list list;

	pthread_mutex_lock(&replay->lock);
	if (!atomic_load(&replay->failed)) {
		va_start(list, format);
		vsnprintf(replay->message, sizeof(replay->message), format, list);
		va_end(list);
		atomic_store(&replay->failed, true);
	}
	pthread_mutex_unlock(&replay->lock);
}

/* A ledger found a fault. */
static void tell_fault(void *ctx, enum ledger_fault fault, uint32_t domain, uint64_t iova,
		       uint64_t line)
{
	struct replay *replay = ctx;

	pthread_mutex_lock(&replay->lock);
	if (replay->nr_faults < REPLAY_FAULTS)
		replay->faults[replay->nr_faults++] =
			(struct replay_fault){ fault, domain, iova, line };
	pthread_mutex_unlock(&replay->lock);
}

/* ---- domains --------------------------------------------------------------------------------- */

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	struct replay_domain *domain = ctx;

	soft_iommu_invalidate(domain->soft, gather);
}

/* The engine's domain became higher. */
static void top_changed(void *ctx, struct iopt_domain *engine)
{
	struct replay_domain *domain = ctx;
	struct iopt_hw hw;

	pthread_mutex_lock(&domain->root_lock);
	iopt_hw(engine, &hw);
	if (soft_iommu_set_root(domain->soft, &hw))
		replay_fail(domain->replay,
			    "domain %" PRIu32 ": the soft-iommu refuses a root of %u "
			    "levels",
			    domain->index, hw.levels);
	pthread_mutex_unlock(&domain->root_lock);
}

static struct iopt_config engine_config(const struct replay_options *options)
{
	struct iopt_config config = {
		.format = options->format->name,
		.levels = (uint8_t)options->levels,
		.page_sizes = options->page_sizes,
		.callbacks.invalidate = invalidate,
	};

	if (options->format->abilities & IOPT_CAN_TRACK_DIRTY)
		config.flags |= IOPT_TRACKABLE | IOPT_TRACK;
	if (options->format->abilities & IOPT_CAN_ACCESSED_TABLES)
		config.flags |= IOPT_ACCESSED_TABLES;
	/* The soft-iommu's hardware does not mind. */
	if (options->format->abilities & IOPT_CAN_BBM)
		config.bbm = 2;
	/* A mapping may have become part of a larger leaf. */
	if (options->merge)
		config.flags |= IOPT_SPLIT;
	if (background_claims(options)) {
		config.callbacks.try_claim = background_try_claim;
		config.callbacks.release = background_release;
	}

	if (options->format->abilities & IOPT_CAN_GROW)
		config.callbacks.top_changed = top_changed;
	return config;
}

/* The arena of table memory; and what the engine says to format, levels and sizes together. */
static bool prepare_engine(struct replay *replay)
{
	const struct replay_options *options = &replay->options;
	/* Physical addresses of tables away from 0, which would look like none. */
	const uint64_t base = options->format->pa_lg2 > 32 ? 1ULL << 32 : 1ULL << 30;
	const struct iopt_posix_config posix = { .base = base, .fd = -1, .poison = true };
	struct iopt_config config = engine_config(options);
	struct iopt_domain *trial;
	int error = iopt_posix_setup(&posix);

	if (!error)
		error = iopt_create(&config, &trial);
	if (error == -EINVAL)
		usage_error(NAME,
			    "%s doesn't go with these --levels and --page-sizes, expected "
			    "leaves that the levels hold",
			    options->format->name);
	if (error) {
		replay_fail(replay, "the engine can't start: %s", strerror(-error));
		return false;
	}
	iopt_destroy(trial);
	return true;
}

/* The highest IOVA of a domain, when it has grown as far as it can. */
static uint64_t last_iova(const struct replay_options *options)
{
	const struct iopt_format_info *info = options->format;
	unsigned levels = options->levels ? options->levels : info->default_levels, bits;

	if (info->abilities & IOPT_CAN_GROW)
		levels = info->max_levels;
	bits = format_iova_bits(info, levels);
	return bits < 64 ? (1ULL << bits) - 1 : UINT64_MAX;
}

static void free_domain(struct replay_domain *domain)
{
	for (unsigned i = 0; i < REPLAY_DEVICES; i++)
		soft_iommu_device_destroy(domain->devices[i]);
	soft_iommu_domain_destroy(domain->soft);
	iopt_destroy(domain->engine);
	ledger_destroy(domain->ledger);
	claims_destroy(&domain->claims);
	pthread_mutex_destroy(&domain->root_lock);
	free(domain);
}

/* Errors: -errno. */
static int fill_domain(struct replay *replay, struct replay_domain *domain)
{
	const struct replay_options *options = &replay->options;
	struct iopt_config config = engine_config(options);
	struct soft_iommu_domain_config soft = { .format = config.format, .id = domain->index };
	int error;

	config.ctx = domain;
	error = iopt_create(&config, &domain->engine);
	if (error)
		return error;
	iopt_hw(domain->engine, &soft.hw);
	error = soft_iommu_domain_create(replay->unit, &soft, &domain->soft);
	if (error)
		return error;
	domain->ledger = ledger_create(domain->index,
				       options->page_sizes ? options->page_sizes
							   : options->format->page_sizes,
				       config.flags & IOPT_TRACK, &replay->report);
	if (!domain->ledger)
		return -ENOMEM;
	return devices_attach(replay, domain);
}

/* Make the domains that were seen up to a number. */
static bool make_domains(struct replay *replay, uint32_t index)
{
	for (uint32_t i = atomic_load(&replay->nr_domains); i <= index; i++) {
		struct replay_domain *domain = calloc(1, sizeof(*domain));
		int error = -ENOMEM;

		if (domain) {
			domain->replay = replay;
			domain->index = i;
			domain->last_iova = last_iova(&replay->options);
			pthread_mutex_init(&domain->root_lock, NULL);
			claims_init(&domain->claims);
			error = fill_domain(replay, domain);
		}
		if (error) {
			if (domain)
				free_domain(domain);
			replay_fail(replay, "domain %" PRIu32 " can't be made: %s", i,
				    strerror(-error));
			return false;
		}
		atomic_store(&replay->domains[i], domain);
		atomic_store(&replay->nr_domains, i + 1);
	}
	return true;
}

/* ---- dealing out calls ----------------------------------------------------------------------- */

static unsigned choose_thread(const struct replay *replay, const struct call *call)
{
	unsigned threads = replay->options.threads;

	return (calls_cpus(replay->calls) > 1 ? call->cpu : call->task) % threads;
}

static bool deal(struct replay *replay, const struct call *call)
{
	const struct calls_counts *counts = calls_counts(replay->calls);
	struct mapper *mapper = replay->mappers[choose_thread(replay, call)];
	struct order_needs needs;

	if (!make_domains(replay, call->domain))
		return false;
	mapper->dealt++;
	if (replay->order &&
	    !order_add(replay->order, call, mapper->index, mapper->dealt, &needs)) {
		replay_fail(replay, "no memory for the order of calls");
		return false;
	}
	/* The picture is of the first pass; what devices write is of all. */
	if (call->ns && atomic_load_explicit(&replay->loop, memory_order_relaxed) == 1)
		heat_call(replay->heat, call);
	atomic_store_explicit(&replay->events, counts->maps + counts->unmaps, memory_order_relaxed);
	mapper_deal(mapper, call, replay->order ? &needs : NULL);
	return true;
}

/* One pass through the recording. */
static void replay_once(struct replay *replay, struct trace *trace)
{
	struct call call;
	int result;

	calls_start(replay->calls, trace);
	while (!atomic_load_explicit(&replay->failed, memory_order_relaxed)) {
		result = calls_next(replay->calls, &call);
		if (result < 0)
			replay_fail(replay, "%s", calls_error(replay->calls));
		if (result <= 0)
			break;
		if (!deal(replay, &call)) {
			free(call.segments);
			break;
		}
	}
	replay->trace_counts = *trace_counts(trace);
}

static void unmap_rest(struct replay *replay)
{
	struct call call;

	while (!atomic_load(&replay->failed) && calls_finish(replay->calls, &call))
		deal(replay, &call);
}

/* All passes. @trace is open for the first one. What the last one leaves mapped stays. */
static void replay_all(struct replay *replay, struct trace *trace)
{
	char error[TRACE_ERROR_BYTES];

	for (uint64_t loop = 1;; loop++) {
		atomic_store(&replay->loop, loop);
		replay_once(replay, trace);
		trace_close(trace);
		if (loop == replay->options.loops || atomic_load(&replay->failed))
			break;
		unmap_rest(replay);
		trace = trace_open(replay->options.trace, error);
		if (!trace) {
			replay_fail(replay, "%s", error);
			break;
		}
	}
}

/* ---- start and end --------------------------------------------------------------------------- */

static bool start(struct replay *replay)
{
	const struct replay_options *options = &replay->options;
	const struct soft_iommu_config unit = {
		.va = iopt_posix_va,
		.state = iopt_posix_table_state,
		.poison = IOPT_POSIX_POISON,
		.count_only = SOFT_IOMMU_BIT(SOFT_IOMMU_RESERVED_BITS) - 1,
	};

	replay->report.tell = tell_fault;
	replay->report.ctx = replay;
	replay->calls = calls_create();
	replay->heat = heat_create();
	if (options->threads > 1 || options->batch)
		replay->order = order_create(replay->progress);
	if (!replay->calls || !replay->heat ||
	    (!replay->order && (options->threads > 1 || options->batch)) ||
	    soft_iommu_create(&unit, &replay->unit)) {
		replay_fail(replay, "no memory to start");
		return false;
	}
	calls_scale(replay->calls, options->format->granule_lg2 - TRACE_GRANULE_LG2);
	for (unsigned i = 0; i < options->threads; i++) {
		replay->mappers[i] = mapper_start(replay, i);
		if (!replay->mappers[i]) {
			replay_fail(replay, "a thread can't be started");
			return false;
		}
	}
	replay->start_ns = now_ns();
	if (!devices_start(replay) || !watchers_start(replay) || !background_start(replay)) {
		replay_fail(replay, "a thread can't be started");
		return false;
	}
	return true;
}

static void drain(struct replay *replay)
{
	for (unsigned i = 0; i < replay->options.threads; i++)
		if (replay->mappers[i])
			mapper_drain(replay->mappers[i]);
}

static void add_stats(struct iopt_stats *sum, const struct iopt_stats *stats)
{
	for (unsigned i = 0; i < IOPT_MAX_LEVELS; i++)
		sum->live[i] += stats->live[i];
	for (unsigned i = 0; i < IOPT_NR_FREED; i++)
		sum->freed[i] += stats->freed[i];
	sum->tables += stats->tables;
	sum->tables_peak += stats->tables_peak;
	sum->table_bytes += stats->table_bytes;
	sum->table_bytes_peak += stats->table_bytes_peak;
	sum->grown += stats->grown;
	sum->split += stats->split;
	sum->merged += stats->merged;
}

/* Devices have stopped and nothing is mapped: what is left of the domains? */
static void close_domains(struct replay *replay)
{
	unsigned nr = atomic_load(&replay->nr_domains);
	struct iopt_posix_memory memory;

	for (unsigned i = 0; i < nr; i++) {
		struct replay_domain *domain = atomic_load(&replay->domains[i]);
		struct iopt_stats stats;

		iopt_stats(domain->engine, &stats);
		add_stats(&replay->stats, &stats);
		replay->invalidations += soft_iommu_invalidations(domain->soft);
	}
	for (unsigned i = 0; i < nr; i++)
		free_domain(atomic_load(&replay->domains[i]));
	iopt_posix_barrier();
	iopt_posix_memory(&memory);
	replay->leaked_tables = memory.tables;
}

static void read_events(struct replay *replay)
{
	struct soft_iommu_event event;

	replay->breaches = soft_iommu_count(replay->unit, SOFT_IOMMU_BREACHES);
	replay->freed_table_reads =
		soft_iommu_count(replay->unit, SOFT_IOMMU_BIT(SOFT_IOMMU_FREED_TABLE));
	if (soft_iommu_events(replay->unit, &event, 1))
		soft_iommu_event_text(&event, replay->breach);
}

/*
 * The end, in this order: all calls are made; devices stop; a last sweep collects what they wrote,
 * so that the unmaps that follow have nothing to report that is older; nothing stays mapped.
 */
static void finish(struct replay *replay)
{
	drain(replay);
	devices_stop(replay);
	watchers_stop(replay);
	background_stop(replay);
	if (!atomic_load(&replay->failed)) {
		if (replay->options.sweep_ns)
			watchers_sweep(replay);
		unmap_rest(replay);
		drain(replay);
	}
	replay->end_ns = now_ns();
	watchers_finish(replay);
	for (unsigned i = 0; i < replay->options.threads; i++)
		mapper_stop(replay->mappers[i]);
	if (!replay->unit)
		return;
	close_domains(replay);
	read_events(replay);
	soft_iommu_destroy(replay->unit);
}

bool replay_exact(const struct replay *replay)
{
	for (unsigned i = 0; i < LEDGER_NR_FAULTS; i++)
		if (atomic_load(&replay->report.faults[i]))
			return false;
	return !replay->breaches && !replay->leaked_tables;
}

static void free_replay(struct replay *replay)
{
	for (unsigned i = 0; i < ORDER_THREADS; i++)
		mapper_free(replay->mappers[i]);
	calls_destroy(replay->calls);
	order_destroy(replay->order);
	heat_destroy(replay->heat);
	pthread_mutex_destroy(&replay->lock);
	free(replay);
}

int command_replay(int argc, char **argv)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	char error[TRACE_ERROR_BYTES];
	struct trace *trace;
	int code = EXIT_OKAY;

	if (!replay)
		return content_error("no memory to start");
	pthread_mutex_init(&replay->lock, NULL);
	parse_options(&replay->options, argc, argv);
	if (!prepare_engine(replay)) {
		code = content_error("%s", replay->message);
		free_replay(replay);
		return code;
	}
	trace = trace_open(replay->options.trace, error);
	if (!trace) {
		free_replay(replay);
		return content_error("%s", error);
	}
	if (start(replay))
		replay_all(replay, trace);
	else
		trace_close(trace);
	finish(replay);
	if (atomic_load(&replay->failed)) {
		code = content_error("%s", replay->message);
	} else {
		results_print(replay);
		code = replay_exact(replay) ? EXIT_OKAY : EXIT_CONTENT;
		if (replay->options.json && results_json(replay, replay->options.json))
			code = EXIT_CONTENT;
		if (replay->options.report && report_html(replay, replay->options.report))
			code = EXIT_CONTENT;
	}
	free_replay(replay);
	return code;
}
