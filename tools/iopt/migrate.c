/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt migrate`: options, and the simulated machine's clock. What happens next is a call of the
 * recording, a write of a device, or the end of a tracker's round; the earliest is dealt out, to
 * all trackers alike. One thread: the same command line gives the same figures, but for what
 * sweeps took on this machine.
 */
#include "tools/iopt/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/iopt/command.h"
#include "tools/iopt/latency.h"

#define NAME "iopt migrate"

#define GIB		 (1ULL << 30)
/* Guest memory: the bitmaps and the tables of 4K leaves take 1/256 of it. */
#define MAX_RAM		 (1024 * GIB)
/* A recording is repeated, so it must take some time. */
#define MIN_NS		 1000000u
#define PROGRESS_NS	 2000000000u
#define PROGRESS_STEP_NS 200000000u

/* ---- options --------------------------------------------------------------------------------- */

enum {
	OPTION_FORMAT = 0x100,
	OPTION_LEVELS,
	OPTION_BEGIN,
	OPTION_BANDWIDTH,
	OPTION_DOWNTIME,
	OPTION_ROUNDS,
	OPTION_MEMORY,
	OPTION_WRITTEN,
	OPTION_REWRITE,
	OPTION_SPEED,
	OPTION_SEED,
	OPTION_JSON,
	OPTION_REPORT,
};

static const struct argp_option option_list[] = {
	{ "format", OPTION_FORMAT, "NAME", 0, "page-table format, see `iopt formats' (vtd-ss)", 1 },
	{ "levels", OPTION_LEVELS, "N", 0, "table levels (the format's default)", 1 },
	{ "begin", OPTION_BEGIN, "MS", 0,
	  "milliseconds that the machine runs before the migration begins (1000)", 2 },
	{ "bandwidth", OPTION_BANDWIDTH, "SIZE", 0, "bytes copied a second, e.g. 300M (1G)", 2 },
	{ "downtime", OPTION_DOWNTIME, "MS", 0,
	  "milliseconds that the machine may stand still (300)", 2 },
	{ "rounds", OPTION_ROUNDS, "N", 0,
	  "most rounds before it stops whatever is left, 1 to 1000 (30)", 2 },
	{ "memory", OPTION_MEMORY, "SIZE", 0,
	  "guest memory, a multiple of 1G up to 1024G (what the recording's addresses need)", 3 },
	{ "written", OPTION_WRITTEN, "PERCENT", 0,
	  "share of the mappings that devices write, 0 to 100 (50)", 3 },
	{ "rewrite-every", OPTION_REWRITE, "MS", 0,
	  "milliseconds after which a mapping that stays is written again, 0: never (10)", 3 },
	{ "speed", OPTION_SPEED, "X", 0, "let the recording run X times as fast, 0.01 to 1000 (1)",
	  3 },
	{ "seed", OPTION_SEED, "N", 0, "of all that is random (1)", 3 },
	{ "json", OPTION_JSON, "FILE", 0,
	  "write the figures there; `-': to standard output, and no table", 4 },
	{ "report", OPTION_REPORT, "FILE", 0, "write an HTML report to look at there", 4 },
	{ 0 },
};

static double parse_speed(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0.01 && value <= 1000))
		usage_error(NAME, "--speed: '%s', expected a number from 0.01 to 1000", text);
	return value;
}

static uint64_t parse_bandwidth(const char *text)
{
	uint64_t bytes;

	if (!parse_bytes(text, &bytes) || bytes < 1u << 20 || bytes > 1024 * GIB)
		usage_error(
			NAME,
			"--bandwidth: '%s', expected bytes a second from 1M to 1024G, as in 300M",
			text);
	return bytes;
}

static uint64_t parse_memory(const char *text)
{
	uint64_t bytes;

	if (!parse_bytes(text, &bytes) || !bytes || bytes % GIB || bytes > MAX_RAM)
		usage_error(NAME,
			    "--memory: '%s', expected a multiple of 1G up to 1024G, as in 16G",
			    text);
	return bytes;
}

struct arguments {
	struct migrate_options *options;
	const char *format;
	const char *levels;
};

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct migrate_options *options = arguments->options;

	switch (key) {
	case OPTION_FORMAT: arguments->format = arg; return 0;
	case OPTION_LEVELS: arguments->levels = arg; return 0;
	case OPTION_BEGIN: options->begin_ns = parse_interval(NAME, "begin", arg); return 0;
	case OPTION_BANDWIDTH: options->limits.bandwidth = parse_bandwidth(arg); return 0;
	case OPTION_DOWNTIME:
		options->limits.downtime_ns = parse_interval(NAME, "downtime", arg);
		return 0;
	case OPTION_ROUNDS:
		options->limits.rounds =
			(unsigned)parse_count(NAME, "rounds", arg, 1, PRECOPY_MAX_ROUNDS);
		return 0;
	case OPTION_MEMORY: options->ram = parse_memory(arg); return 0;
	case OPTION_WRITTEN:
		options->percent = (unsigned)parse_count(NAME, "written", arg, 0, 100);
		return 0;
	case OPTION_REWRITE:
		options->rewrite_ns = parse_interval(NAME, "rewrite-every", arg);
		return 0;
	case OPTION_SPEED: options->speed = parse_speed(arg); return 0;
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
	"Simulate the pre-copy of a live migration while the devices of a recorded Linux "
	"machine go on writing, and compare what tracking them in leaves of 4K, 2M and 1G "
	"costs.\vTRACE is a recording as `iopt replay' takes it; it is repeated until the "
	"migration ends. Times are the simulated machine's. Exit status: 0 if each tracker "
	"reported what was written, whether the migration converged or not; 1 if not or if "
	"TRACE isn't such a recording; 2 for a wrong command line.",
	NULL,
	NULL,
	NULL,
};

static void parse_options(struct migrate_options *options, int argc, char **argv)
{
	struct arguments arguments = { .options = options, .format = "vtd-ss" };
	const struct iopt_format_info *info;

	/* QEMU's default of the allowed downtime: migration/options.c,
	 * DEFAULT_MIGRATE_SET_DOWNTIME. */
	*options = (struct migrate_options){
		.limits = { .bandwidth = GIB, .downtime_ns = 300000000, .rounds = 30 },
		.begin_ns = 1000000000,
		.percent = 50,
		.rewrite_ns = 10000000,
		.speed = 1,
		.seed = 1
	};
	parse_arguments(&argp, argc, argv, 0, NULL, &arguments);
	if (!options->trace)
		usage_error(NAME, "no recording, expected a file or -");
	options->format = info = iopt_format_find(arguments.format);
	if (!info)
		usage_error(NAME,
			    "--format: no format '%s', expected one that `iopt formats' lists",
			    arguments.format);
	if (!(info->abilities & IOPT_CAN_TRACK_DIRTY))
		usage_error(NAME, "--format: %s has no dirty bits, expected one that has",
			    info->name);
	if (~info->page_sizes & (1ull << 12 | 1ull << 21 | 1ull << 30))
		usage_error(NAME,
			    "--format: %s has not all of the leaves that are compared, expected "
			    "4K, 2M and 1G",
			    info->name);
	if (arguments.levels)
		options->levels = (unsigned)parse_count(NAME, "levels", arguments.levels,
							info->min_levels, info->max_levels);
	if (options->json && options->report && !strcmp(options->json, options->report))
		usage_error(NAME, "--json and --report both name %s, expected two files",
			    options->json);
	if (options->json && strcmp(options->json, "-"))
		check_output(NAME, "json", options->json);
	check_output(NAME, "report", options->report);
}

/* ---- the recording --------------------------------------------------------------------------- */

/* Standard input can't be read again: all of it is kept. */
static bool keep_input(struct migrate *migrate)
{
	size_t room = 0;

	for (;;) {
		size_t nr;

		if (migrate->input_bytes == room) {
			void *more = realloc(migrate->input, room = room ? 2 * room : 1u << 20);

			if (!more) {
				content_error("standard input: no memory to keep it, expected a "
					      "file");
				return false;
			}
			migrate->input = more;
		}
		nr = fread((char *)migrate->input + migrate->input_bytes, 1,
			   room - migrate->input_bytes, stdin);
		if (!nr)
			break;
		migrate->input_bytes += nr;
	}
	if (ferror(stdin))
		content_error("standard input: can't be read: %s", strerror(errno));
	return !ferror(stdin);
}

static struct trace *open_trace(struct migrate *migrate)
{
	char error[TRACE_ERROR_BYTES];
	struct trace *trace;

	if (migrate->input)
		trace = trace_open_memory("standard input", migrate->input, migrate->input_bytes,
					  error);
	else
		trace = trace_open(migrate->options.trace, error);
	if (!trace)
		content_error("%s", error);
	return trace;
}

static const char *trace_name(const struct migrate *migrate)
{
	return migrate->input ? "standard input" : migrate->options.trace;
}

/* What one call adds to what is known of the recording. */
static void note_call(struct migrate_recording *recording, const struct call *call)
{
	if (!recording->start_ns)
		recording->start_ns = call->ns;
	if (call->ns > recording->start_ns + recording->ns)
		recording->ns = call->ns - recording->start_ns;
	for (uint32_t i = 0; i < call->nr_segments; i++) {
		uint64_t last = call->segments[i].pa + (call->segments[i].bytes - 1);

		if (last > recording->last_pa)
			recording->last_pa = last;
	}
}

/* Read all of it once: whether it is one, how long it takes, how much memory it needs. */
static bool read_recording(struct migrate *migrate)
{
	struct migrate_recording *recording = &migrate->recording;
	struct trace *trace = open_trace(migrate);
	struct calls *calls = trace ? calls_create() : NULL;
	struct call call;
	int result = -1;

	if (calls) {
		calls_start(calls, trace);
		while ((result = calls_next(calls, &call)) > 0) {
			note_call(recording, &call);
			free(call.segments);
		}
		if (result < 0)
			content_error("%s", calls_error(calls));
		recording->events = calls_counts(calls)->maps + calls_counts(calls)->unmaps;
		recording->domains = calls_domains(calls);
	} else if (trace) {
		content_error("no memory to start");
	}
	calls_destroy(calls);
	trace_close(trace);
	return !result;
}

/* A recorded time on the simulated machine's clock, from the beginning of a pass. */
static uint64_t scaled(const struct migrate *migrate, uint64_t ns)
{
	return (uint64_t)((double)ns / migrate->options.speed);
}

/* ---- the clock ------------------------------------------------------------------------------- */

static void show_progress(struct migrate *migrate)
{
	uint64_t now = now_ns();

	if (now < migrate->shown_ns || !isatty(STDERR_FILENO))
		return;
	migrate->shown_ns = now + PROGRESS_STEP_NS;
	fprintf(stderr, "\r\033[K%5.1f s  %.1f s simulated",
		(double)(now - migrate->start_ns) * 1e-9, (double)migrate->now_ns * 1e-9);
	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		const struct tracker *tracker = &migrate->trackers[i];

		fprintf(stderr, "  %s: %s %u", tracker_name(tracker),
			tracker_runs(tracker) ? "round" : "ended in", tracker->precopy.nr);
	}
	migrate->shown = true;
}

static bool engine_failed(const struct migrate *migrate, const struct tracker *tracker,
			  const char *what, const struct call *call, int error)
{
	if (call)
		content_error("%s:%" PRIu64 ": %s of 0x%" PRIx64 "..0x%" PRIx64
			      " failed in the engine (%s tracker): %s",
			      trace_name(migrate), call->line, what, call->first, call->last,
			      tracker_name(tracker), strerror(-error));
	else
		content_error("%s of the %s tracker failed in the engine: %s", what,
			      tracker_name(tracker), strerror(-error));
	return false;
}

/* A device writes: told by the traffic. */
static void write_page(void *ctx, uint32_t domain, uint64_t iova, uint64_t pa)
{
	struct migrate *migrate = ctx;

	migrate->writes++;
	if (pa >= migrate->options.ram) {
		migrate->outside++;
		return;
	}
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		if (tracker_runs(&migrate->trackers[i]))
			tracker_write(&migrate->trackers[i], domain, iova, pa);
}

static uint64_t guest_pa(void *ctx, uint32_t domain, uint64_t iova)
{
	struct migrate *migrate = ctx;

	return traffic_pa(migrate->traffic, domain, iova);
}

/* The tracker whose round ends next; NULL: all migrations ended. */
static struct tracker *next_tracker(struct migrate *migrate)
{
	struct tracker *next = NULL;

	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		struct tracker *tracker = &migrate->trackers[i];

		if (tracker_runs(tracker) && (!next || tracker_next(tracker) < tracker_next(next)))
			next = tracker;
	}
	return next;
}

/* Let time pass, with the writes and sweeps in it. Return: false on an error, which is told. */
static bool advance(struct migrate *migrate, uint64_t until_ns)
{
	struct tracker *tracker = next_tracker(migrate);

	while (tracker) {
		uint64_t write_ns = traffic_next(migrate->traffic);
		uint64_t step_ns = tracker_next(tracker);
		int error;

		if (write_ns > until_ns && step_ns > until_ns)
			break;
		if (write_ns <= step_ns) {
			migrate->now_ns = write_ns;
			traffic_step(migrate->traffic);
			continue;
		}
		migrate->now_ns = step_ns;
		error = tracker_step(tracker);
		if (error)
			return engine_failed(migrate, tracker, "a sweep", NULL, error);
		tracker = next_tracker(migrate);
	}
	if (tracker && migrate->now_ns < until_ns)
		migrate->now_ns = until_ns;
	return true;
}

/* Make one call, now. Its segments are not needed afterwards. */
static bool deal(struct migrate *migrate, const struct call *call)
{
	bool done;

	if (!call->map)
		traffic_finish(migrate->traffic, call);
	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		struct tracker *tracker = &migrate->trackers[i];
		int error;

		if (!tracker_runs(tracker))
			continue;
		error = call->map ? tracker_map(tracker, call) : tracker_unmap(tracker, call);
		if (error)
			return engine_failed(migrate, tracker, call->map ? "map" : "unmap", call,
					     error);
	}
	if (call->map)
		done = traffic_map(migrate->traffic, call, migrate->now_ns);
	else
		done = traffic_unmap(migrate->traffic, call, migrate->now_ns);
	if (!done)
		content_error("no memory for what is mapped");
	return done;
}

/* All calls of a pass, at their time; until the last migration ends. */
static bool run_calls(struct migrate *migrate, struct calls *calls)
{
	const struct migrate_recording *recording = &migrate->recording;
	struct call call;
	int result;

	while ((result = calls_next(calls, &call)) > 0) {
		uint64_t ns = call.ns > recording->start_ns ? call.ns - recording->start_ns : 0;
		bool okay = advance(migrate, migrate->pass_ns + scaled(migrate, ns));

		if (okay && next_tracker(migrate))
			okay = deal(migrate, &call);
		free(call.segments);
		if (!okay || !next_tracker(migrate))
			return okay;
		show_progress(migrate);
	}
	if (result < 0) {
		content_error("%s", calls_error(calls));
		return false;
	}
	migrate->pass_ns += scaled(migrate, recording->ns);
	if (!advance(migrate, migrate->pass_ns))
		return false;
	while (next_tracker(migrate) && calls_finish(calls, &call))
		if (!deal(migrate, &call))
			return false;
	return true;
}

/* Pass after pass through the recording. */
static bool run_passes(struct migrate *migrate, struct calls *calls)
{
	while (next_tracker(migrate)) {
		struct trace *trace = open_trace(migrate);
		bool okay = trace != NULL;

		migrate->passes++;
		if (okay) {
			calls_start(calls, trace);
			okay = run_calls(migrate, calls);
		}
		trace_close(trace);
		if (!okay)
			return false;
	}
	return true;
}

/* ---- start and end --------------------------------------------------------------------------- */

static bool start_tracker(struct migrate *migrate, unsigned leaf_lg2, bool guest)
{
	const struct migrate_options *options = &migrate->options;
	const struct tracker_config config = {
		.format = options->format,
		.levels = options->levels,
		.unit = migrate->unit,
		.id = migrate->nr_trackers,
		.ram = options->ram,
		.leaf_lg2 = leaf_lg2,
		.guest = guest,
		.limits = options->limits,
		.begin_ns = options->begin_ns,
		.pa = guest_pa,
		.ctx = migrate,
	};
	struct tracker *tracker = &migrate->trackers[migrate->nr_trackers++];
	char text[SIZE_TEXT_BYTES];
	int error = tracker_create(&config, tracker);

	if (error == -ERANGE || error == -EINVAL)
		usage_error(NAME,
			    "%s of guest memory in leaves of %s are beyond %s with these "
			    "--levels, expected more levels",
			    size_text(options->ram, text), tracker_name(tracker),
			    options->format->name);
	if (error)
		content_error("%s of guest memory can't be mapped in leaves of %s: %s",
			      size_text(options->ram, text), tracker_name(tracker),
			      strerror(-error));
	return !error;
}

static bool start(struct migrate *migrate)
{
	const struct soft_iommu_config unit = {
		.va = iopt_posix_va,
		.state = iopt_posix_table_state,
		.poison = IOPT_POSIX_POISON,
		.count_only = SOFT_IOMMU_BIT(SOFT_IOMMU_RESERVED_BITS) - 1,
	};
	/* Tables lie above all guest memory. */
	const struct iopt_posix_config posix = { .base = 16 * MAX_RAM, .fd = -1, .poison = true };
	const struct traffic_config traffic = {
		.seed = migrate->options.seed,
		.percent = migrate->options.percent,
		.rewrite_ns = migrate->options.rewrite_ns,
		.write = write_page,
		.ctx = migrate,
	};
	static const uint8_t sizes[MIGRATE_PINNED] = { 12, 21, 30 };

	migrate->traffic = traffic_create(&traffic);
	if (!migrate->traffic || iopt_posix_setup(&posix) ||
	    soft_iommu_create(&unit, &migrate->unit)) {
		content_error("no memory to start");
		return false;
	}
	for (unsigned i = 0; i < MIGRATE_PINNED; i++)
		if (!start_tracker(migrate, sizes[i], false))
			return false;
	return start_tracker(migrate, 12, true);
}

/* Nothing runs any more: what is left of the tables? */
static void finish(struct migrate *migrate)
{
	struct iopt_posix_memory memory;

	if (migrate->shown)
		fputs("\r\033[K", stderr);
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		tracker_close(&migrate->trackers[i]);
	if (migrate->unit)
		migrate->breaches = soft_iommu_count(migrate->unit, SOFT_IOMMU_BREACHES);
	soft_iommu_destroy(migrate->unit);
	iopt_posix_barrier();
	iopt_posix_memory(&memory);
	migrate->leaked_tables = memory.tables;
	traffic_destroy(migrate->traffic);
}

bool migrate_exact(const struct migrate *migrate)
{
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		if (!tracker_exact(&migrate->trackers[i]))
			return false;
	return !migrate->breaches && !migrate->leaked_tables;
}

const char *migrate_why(const struct tracker *tracker, migrate_size_fn size, char *text,
			size_t bytes)
{
	const struct precopy *precopy = &tracker->precopy;
	const struct precopy_round *last = &precopy->rounds[precopy->nr - 1];
	char left[SIZE_TEXT_BYTES], allowed[SIZE_TEXT_BYTES], copied[SIZE_TEXT_BYTES];

	size(last->left, left);
	size(precopy_allowed(&precopy->limits), allowed);
	size(last->copied, copied);
	switch (precopy->end) {
	case PRECOPY_FITS:
		snprintf(text, bytes, "%s left, %s fit the downtime", left, allowed);
		break;
	case PRECOPY_NO_LESS:
		snprintf(text, bytes,
			 "the last round copied %s and left %s, %s fit the downtime: memory "
			 "gets dirty as fast as it is copied",
			 copied, left, allowed);
		break;
	default:
		snprintf(text, bytes,
			 "the last round copied %s and left %s, %s fit the downtime: more "
			 "rounds may help",
			 copied, left, allowed);
	}
	return text;
}

static bool run(struct migrate *migrate)
{
	struct migrate_options *options = &migrate->options;
	struct calls *calls;
	bool okay;

	if (!strcmp(options->trace, "-") && !keep_input(migrate))
		return false;
	if (!read_recording(migrate))
		return false;
	if (scaled(migrate, migrate->recording.ns) < MIN_NS) {
		content_error("%s: takes %.3f ms from its first event to its last; expected at "
			      "least 1 ms, since it is repeated",
			      trace_name(migrate),
			      (double)migrate->recording.ns * 1e-6 / options->speed);
		return false;
	}
	if (!options->ram)
		options->ram = migrate->recording.last_pa < MAX_RAM
				       ? (migrate->recording.last_pa / GIB + 1) * GIB
				       : MAX_RAM;
	if (!start(migrate))
		return false;
	calls = calls_create();
	if (!calls) {
		content_error("no memory to start");
		return false;
	}
	okay = run_passes(migrate, calls);
	calls_destroy(calls);
	return okay;
}

int command_migrate(int argc, char **argv)
{
	struct migrate *migrate = calloc(1, sizeof(*migrate));
	int code = EXIT_CONTENT;

	if (!migrate)
		return content_error("no memory to start");
	migrate->start_ns = now_ns();
	migrate->shown_ns = migrate->start_ns + PROGRESS_NS;
	parse_options(&migrate->options, argc, argv);
	if (run(migrate))
		code = EXIT_OKAY;
	finish(migrate);
	if (!code) {
		const struct migrate_options *options = &migrate->options;

		if (!options->json || strcmp(options->json, "-"))
			migrate_print(migrate);
		code = migrate_exact(migrate) ? EXIT_OKAY : EXIT_CONTENT;
		if (options->json && migrate_json(migrate, options->json))
			code = EXIT_CONTENT;
		if (options->report && migrate_html(migrate, options->report))
			code = EXIT_CONTENT;
	}
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		tracker_destroy(&migrate->trackers[i]);
	free(migrate->input);
	free(migrate);
	return code;
}
