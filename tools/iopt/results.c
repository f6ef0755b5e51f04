/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The figures of a replay: as a table for people, as JSON for programs.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/output.h"
#include "tools/iopt/replay.h"

static const struct {
	const char *key;
	const char *text;
} faults[LEDGER_NR_FAULTS] = {
	[LEDGER_STALE] = { "stale_accesses",
			   "a device reached the page after its unmap was synced" },
	[LEDGER_WRONG_PAGE] = { "wrong_page_accesses",
				"a device reached another page than the one that is mapped" },
	[LEDGER_LOST] = { "lost_dirty", "a device wrote the page and nothing reported it" },
	[LEDGER_IN_VAIN] = { "over_reported",
			     "the page was reported dirty and no device had written its leaf" },
	[LEDGER_NO_ACCESS] = { "refused_live",
			       "a device was refused what was mapped all the time" },
	[LEDGER_BAD_DUMP] = { "bad_dumps",
			      "a walk of the live tables found another page than the one mapped" },
};

const char *fault_text(const struct replay_fault *fault, char *text, size_t bytes)
{
	int nr = snprintf(text, bytes, "domain %" PRIu32 ", IOVA 0x%" PRIx64, fault->domain,
			  fault->iova);

	if (fault->line && nr >= 0 && (size_t)nr < bytes)
		nr += snprintf(text + nr, bytes - (size_t)nr, ", mapped by line %" PRIu64,
			       fault->line);
	if (nr >= 0 && (size_t)nr < bytes)
		snprintf(text + nr, bytes - (size_t)nr, ": %s", faults[fault->fault].text);
	return text;
}

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_tally(struct calls_tally *sum, const struct calls_tally *tally)
{
	if (tally->nr && (!sum->nr || tally->line < sum->line))
		sum->line = tally->line;
	sum->nr += tally->nr;
}

void replay_sum(const struct replay *replay, struct replay_sums *sums)
{
	const struct ledger_counts *sweep = &replay->watchers.sweep_counts;

	*sums = (struct replay_sums){ .by_sweep = get(&sweep->by_sweep),
				      .hit = get(&sweep->hit),
				      .unjudged = get(&sweep->unjudged) };
	for (unsigned i = 0; i < replay->options.threads; i++) {
		const struct mapper *mapper = replay->mappers[i];

		sums->maps += get(&mapper->maps);
		sums->unmaps += get(&mapper->unmaps);
		sums->waits += mapper->waits;
		sums->claim_waits += mapper->claim_waits;
		sums->written += get(&mapper->counts.written);
		sums->reported += get(&mapper->counts.reported);
		sums->by_unmap += get(&mapper->counts.by_unmap);
		sums->hit += get(&mapper->counts.hit);
		sums->bytes_mapped += get(&mapper->bytes_mapped);
		sums->bytes_unmapped += get(&mapper->bytes_unmapped);
		add_tally(&sums->beyond, &mapper->beyond);
		add_tally(&sums->partial, &mapper->partial);
		add_tally(&sums->blocked, &mapper->blocked);
	}
	for (unsigned i = 0; i < replay->options.devices; i++) {
		sums->accesses += get(&replay->devices[i].accesses);
		sums->writes += get(&replay->devices[i].writes);
		sums->refused += get(&replay->devices[i].refused);
	}
}

double replay_granularity(const struct replay_sums *sums)
{
	return sums->hit ? (double)(sums->by_sweep + sums->by_unmap) / (double)sums->hit : 0;
}

void replay_latencies(const struct replay *replay, struct replay_latencies *all)
{
	memset(all, 0, sizeof(*all));
	for (unsigned i = 0; i < replay->options.threads; i++) {
		const struct mapper *mapper = replay->mappers[i];

		for (unsigned j = 0; j < 2; j++) {
			latency_merge(&all->map[j], &mapper->map[j]);
			latency_merge(&all->map[2], &mapper->map[j]);
			latency_merge(&all->unmap[j], &mapper->unmap[j]);
			latency_merge(&all->unmap[2], &mapper->unmap[j]);
		}
		latency_merge(&all->sync, &mapper->sync);
	}
}

uint64_t replay_mapped_peak(const struct replay *replay)
{
	uint64_t peak = 0;

	for (unsigned i = 0; i < replay->watchers.nr_samples; i++)
		if (replay->watchers.samples[i].mapped_bytes > peak)
			peak = replay->watchers.samples[i].mapped_bytes;
	return peak;
}

/* What reading the clock twice costs: it is in every latency. */
static uint64_t clock_cost(void)
{
	struct latency latency = { 0 };

	for (int i = 0; i < 1001; i++) {
		uint64_t start = now_ns();

		latency_add(&latency, now_ns() - start);
	}
	return latency_quantile(&latency, 500000);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define LABEL 26

static void row(const char *label, uint64_t value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A figure, and in words what it is about. */
static void row(const char *label, uint64_t value, const char *format, ...)
{
	char text[SIZE_TEXT_BYTES], note[256];
	va_list list;

	va_start(list, format);
	vsnprintf(note, sizeof(note), format, list);
	va_end(list);
	printf("  %-*s %15s%s%s\n", LABEL, label, grouped(value, text), *note ? "  " : "", note);
}

static void latency_row(const char *label, const struct latency *latency)
{
	char text[5][SIZE_TEXT_BYTES];

	if (!latency->nr)
		return;
	printf("  %-*s %15s %11s %11s %11s %13s\n", LABEL, label, grouped(latency->nr, text[0]),
	       grouped(latency_quantile(latency, 500000), text[1]),
	       grouped(latency_quantile(latency, 990000), text[2]),
	       grouped(latency_quantile(latency, 999000), text[3]), grouped(latency->max, text[4]));
}

static void print_config(const struct replay *replay)
{
	const struct replay_options *options = &replay->options;
	char text[SIZE_TEXT_BYTES];
	const char *comma = "";

	printf("%s through %s", strcmp(options->trace, "-") ? options->trace : "standard input",
	       options->format->name);
	printf(", %u levels, leaves of ",
	       options->levels ? options->levels : options->format->default_levels);
	if (options->page_sizes) {
		for (unsigned lg2 = 0; lg2 < 64; lg2++)
			if (options->page_sizes >> lg2 & 1) {
				printf("%s%s", comma, size_text(1ULL << lg2, text));
				comma = ",";
			}
	} else {
		printf("all sizes");
	}
	printf(", %s invalidation%s%s%s\n", options->batch ? "batched" : "strict",
	       options->split ? ", split before sweeps" : "",
	       options->merge ? ", idle leaves merged" : "",
	       options->trim ? ", empty tables trimmed" : "");
}

static void print_events(const struct replay *replay, const struct replay_sums *sums,
			 const struct replay_latencies *all)
{
	const struct calls_counts *counts = calls_counts(replay->calls);
	uint64_t events = counts->maps + counts->unmaps, wall = replay->end_ns - replay->start_ns;
	uint64_t busy = all->map[2].sum + all->unmap[2].sum;
	char text[2][SIZE_TEXT_BYTES];

	printf("\nevents\n");
	row("map and unmap events", events, "in %.2f s, %s a second; %" PRIu64 " pass%s",
	    (double)wall * 1e-9, grouped(wall ? events * 1000000000u / wall : 0, text[0]),
	    replay->options.loops, replay->options.loops == 1 ? "" : "es");
	row("map calls", sums->maps, "%s segments, %s mapped", grouped(counts->maps, text[0]),
	    size_text(sums->bytes_mapped, text[1]));
	row("unmap calls", sums->unmaps, "%.2f s inside map and unmap, %s calls a second there",
	    (double)busy * 1e-9,
	    grouped(busy ? (uint64_t)((double)(sums->maps + sums->unmaps) * 1e9 / (double)busy) : 0,
		    text[0]));
	row("domains", atomic_load(&replay->nr_domains), "%s",
	    counts->probes ? "named by probes" : "inferred where events conflict");
}

static void note(const char *label, const struct calls_tally *tally, const char *what)
{
	if (tally->nr)
		row(label, tally->nr, "%s; first at line %" PRIu64, what, tally->line);
}

/* What was odd in the recording, and survived. */
static void print_oddities(const struct replay *replay, const struct replay_sums *sums)
{
	const struct calls_counts *counts = calls_counts(replay->calls);
	const struct trace_counts *trace = &replay->trace_counts;

	note("events without domain", &counts->without_domain,
	     "given to the newest mapping that fits");
	note("inferred maps", &counts->inferred_maps,
	     "maps over something live, put into another domain");
	note("inferred unmaps", &counts->inferred_unmaps, "unmaps that fitted several domains");
	note("maps over live", &counts->maps_over_live, "what was there is unmapped first");
	note("unmaps of the unknown", &counts->unknown_unmaps, "never seen mapped, left out");
	note("ragged unmaps", &counts->ragged_unmaps, "not ending where mappings end");
	note("beyond the table", &sums->beyond,
	     "addresses that format and levels don't hold, left "
	     "out");
	note("cut leaves", &sums->partial, "unmaps inside a larger leaf, left out");
	note("blocked maps", &sums->blocked, "over what such an unmap left, left out");
	if (trace->lost_lines)
		row("lost-event lines", trace->lost_lines, "%" PRIu64 " events lost at least",
		    trace->lost_events);
	if (trace->other)
		row("events of other kinds", trace->other, "ignored");
	if (counts->left)
		row("left mapped at the end", counts->left, "unmapped after the last event");
}

static void print_latencies(const struct replay *replay, const struct replay_latencies *all)
{
	const struct watchers *watchers = &replay->watchers;

	printf("\n%-*s %15s %11s %11s %11s %13s\n", LABEL + 2, "latency, ns", "calls", "p50", "p99",
	       "p99.9", "max");
	latency_row("map", &all->map[2]);
	latency_row("  no sweep running", &all->map[0]);
	latency_row("  beside a sweep", &all->map[1]);
	latency_row("unmap", &all->unmap[2]);
	latency_row("  no sweep running", &all->unmap[0]);
	latency_row("  beside a sweep", &all->unmap[1]);
	latency_row("sync of unmaps", &all->sync);
	latency_row("sweep", &watchers->sweep);
	latency_row("sync of sweeps", &watchers->sweep_sync);
	latency_row("dump", &watchers->dump);
	latency_row("step of splits", &replay->background.split);
	latency_row("step of merges", &replay->background.merge);
	latency_row("step of trims", &replay->background.trim);
	printf("  (reading the clock is in each: %" PRIu64
	       "; a sync waits for devices' accesses)\n",
	       clock_cost());
}

static void print_tables(const struct replay *replay)
{
	const struct iopt_stats *stats = &replay->stats;
	char text[2][SIZE_TEXT_BYTES];
	uint64_t freed = 0;

	printf("\ntables\n");
	row("live at the end", stats->tables, "%s", size_text(stats->table_bytes, text[0]));
	row("peak", stats->tables_peak, "%s, beside %s mapped",
	    size_text(stats->table_bytes_peak, text[0]),
	    size_text(replay_mapped_peak(replay), text[1]));
	for (unsigned i = 0; i < IOPT_NR_FREED; i++)
		freed += stats->freed[i];
	row("freed while live", freed,
	    "%" PRIu64 " by unmap, %" PRIu64 " under a block, %" PRIu64 " after a lost race, "
	    "%" PRIu64 " trimmed, %" PRIu64 " merged",
	    stats->freed[IOPT_FREED_UNMAP], stats->freed[IOPT_FREED_BLOCK],
	    stats->freed[IOPT_FREED_RACE], stats->freed[IOPT_FREED_TRIM],
	    stats->freed[IOPT_FREED_MERGE]);
	if (background_claims(&replay->options))
		row("leaves split", stats->split, "%" PRIu64 " merged; %" PRIu64 " claims refused",
		    stats->merged, get(&replay->background.refused));
	if (stats->grown)
		row("levels added", stats->grown, "while in use");
	row("invalidations", replay->invalidations, "%s", "");
	if (replay->watchers.dumps)
		row("walks of live tables", get(&replay->watchers.dumps),
		    "%" PRIu64 " leaves and %" PRIu64 " tables seen",
		    replay->watchers.dumped_leaves, replay->watchers.dumped_tables);
}

static void print_dirty(const struct replay *replay, const struct replay_sums *sums)
{
	char text[2][SIZE_TEXT_BYTES];

	printf("\ndevices\n");
	row("accesses", sums->accesses, "%s writes, %s refused after unmap",
	    grouped(sums->writes, text[0]), grouped(sums->refused, text[1]));
	row("pages written", sums->written, "once each mapping");
	row("pages reported dirty", sums->reported, "once each mapping");
	row("reports by sweep", sums->by_sweep, "pages, in %" PRIu64 " sweeps",
	    get(&replay->watchers.sweeps));
	row("reports by unmap", sums->by_unmap, "pages");
	if (sums->hit)
		row("of them written", sums->hit, "pages: %.2f were reported for each",
		    replay_granularity(sums));
	if (sums->unjudged)
		row("beside a split or merge", sums->unjudged,
		    "pages that sweeps reported, not judged");
}

static void print_verdict(const struct replay *replay)
{
	char text[256];

	printf("\nverdict\n");
	row("written, not reported", get(&replay->report.faults[LEDGER_LOST]), "%s", "");
	row("reported, not written", get(&replay->report.faults[LEDGER_IN_VAIN]), "%s", "");
	row("stale accesses",
	    get(&replay->report.faults[LEDGER_STALE]) +
		    get(&replay->report.faults[LEDGER_WRONG_PAGE]),
	    "%s", "");
	row("live mappings refused", get(&replay->report.faults[LEDGER_NO_ACCESS]), "%s", "");
	row("wrong leaves in dumps", get(&replay->report.faults[LEDGER_BAD_DUMP]), "%s", "");
	row("freed tables read", replay->freed_table_reads, "%s", "");
	row("malformed entries read", replay->breaches - replay->freed_table_reads, "%s", "");
	row("tables leaked", replay->leaked_tables, "%s", "");
	for (unsigned i = 0; i < replay->nr_faults; i++)
		printf("  %s\n", fault_text(&replay->faults[i], text, sizeof(text)));
	if (replay->breach[0])
		printf("  %s\n", replay->breach);
	printf("\nverdict: %s\n", replay_exact(replay) ? "exact" : "not exact");
}

void results_print(const struct replay *replay)
{
	struct replay_latencies all;
	struct replay_sums sums;

	replay_sum(replay, &sums);
	replay_latencies(replay, &all);
	print_config(replay);
	print_events(replay, &sums, &all);
	print_oddities(replay, &sums);
	print_latencies(replay, &all);
	print_tables(replay);
	print_dirty(replay, &sums);
	print_verdict(replay);
	fflush(stdout);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static void add_truth(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

static void add_count(struct json_object *object, const char *key, const struct calls_tally *tally)
{
	struct json_object *inner = json_object_new_object();

	add(inner, "count", tally->nr);
	if (tally->nr)
		add(inner, "first_line", tally->line);
	json_object_object_add(object, key, inner);
}

static void add_latency(struct json_object *object, const char *key, const struct latency *latency)
{
	struct json_object *inner = json_object_new_object();

	add(inner, "count", latency->nr);
	add(inner, "p50", latency_quantile(latency, 500000));
	add(inner, "p99", latency_quantile(latency, 990000));
	add(inner, "p999", latency_quantile(latency, 999000));
	add(inner, "max", latency->max);
	json_object_object_add(object, key, inner);
}

static struct json_object *config_json(const struct replay_options *options)
{
	struct json_object *config = json_object_new_object();
	struct json_object *sizes = json_object_new_array();
	uint64_t mask = options->page_sizes ? options->page_sizes : options->format->page_sizes;

	add_text(config, "trace", options->trace);
	add_text(config, "format", options->format->name);
	add(config, "levels", options->levels ? options->levels : options->format->default_levels);
	for (unsigned lg2 = 0; lg2 < 64; lg2++)
		if (mask >> lg2 & 1)
			json_object_array_add(sizes, json_object_new_uint64(1ULL << lg2));
	json_object_object_add(config, "page_sizes", sizes);
	add_text(config, "invalidate", options->batch ? "batch" : "strict");
	add(config, "devices", options->devices);
	json_object_object_add(config, "sweep_every_ms",
			       json_object_new_double((double)options->sweep_ns * 1e-6));
	json_object_object_add(config, "dump_every_ms",
			       json_object_new_double((double)options->dump_ns * 1e-6));
	add_truth(config, "tracked", options->format->abilities & IOPT_CAN_TRACK_DIRTY);
	add_truth(config, "split_on_sweep", options->split);
	add_truth(config, "merge_idle", options->merge);
	add_truth(config, "trim", options->trim);
	add(config, "loop", options->loops);
	add(config, "threads", options->threads);
	add(config, "seed", options->seed);
	return config;
}

static void add_recording(struct json_object *root, const struct replay *replay,
			  const struct replay_sums *sums)
{
	const struct calls_counts *counts = calls_counts(replay->calls);
	const struct trace_counts *trace = &replay->trace_counts;
	struct json_object *object = json_object_new_object();

	add(object, "lines", trace->lines);
	add(object, "other_events", trace->other);
	add(object, "lost_lines", trace->lost_lines);
	add(object, "lost_events", trace->lost_events);
	add(object, "cpus", calls_cpus(replay->calls));
	add(object, "probes_joined", counts->probes);
	add(object, "probes_alone", counts->probes_alone);
	add(object, "segments_joined", counts->segments_joined);
	add_count(object, "events_without_domain", &counts->without_domain);
	add_count(object, "inferred_maps", &counts->inferred_maps);
	add_count(object, "inferred_unmaps", &counts->inferred_unmaps);
	add_count(object, "maps_over_live", &counts->maps_over_live);
	add_count(object, "unknown_unmaps", &counts->unknown_unmaps);
	add_count(object, "ragged_unmaps", &counts->ragged_unmaps);
	add_count(object, "beyond_table", &sums->beyond);
	add_count(object, "cut_leaves", &sums->partial);
	add_count(object, "blocked_maps", &sums->blocked);
	add(object, "left_mapped", counts->left);
	json_object_object_add(root, "recording", object);
}

static void add_verdict(struct json_object *root, const struct replay *replay)
{
	struct json_object *list = json_object_new_array();
	char text[256];

	for (unsigned i = 0; i < LEDGER_NR_FAULTS; i++)
		add(root, faults[i].key, get(&replay->report.faults[i]));
	add(root, "freed_table_reads", replay->freed_table_reads);
	add(root, "malformed_reads", replay->breaches - replay->freed_table_reads);
	add(root, "leaked_tables", replay->leaked_tables);
	for (unsigned i = 0; i < replay->nr_faults; i++)
		json_object_array_add(list, json_object_new_string(fault_text(&replay->faults[i],
									      text, sizeof(text))));
	if (replay->breach[0])
		json_object_array_add(list, json_object_new_string(replay->breach));
	json_object_object_add(root, "faults", list);
}

static void add_tables(struct json_object *root, const struct replay *replay)
{
	const struct iopt_stats *stats = &replay->stats;
	struct json_object *freed = json_object_new_object();
	struct json_object *leaves = json_object_new_object();
	char text[SIZE_TEXT_BYTES];

	add(root, "tables_live", stats->tables);
	add(root, "tables_peak", stats->tables_peak);
	add(root, "table_bytes_peak", stats->table_bytes_peak);
	add(root, "mapped_bytes_peak", replay_mapped_peak(replay));
	add(freed, "unmap", stats->freed[IOPT_FREED_UNMAP]);
	add(freed, "block", stats->freed[IOPT_FREED_BLOCK]);
	add(freed, "race", stats->freed[IOPT_FREED_RACE]);
	add(freed, "trim", stats->freed[IOPT_FREED_TRIM]);
	add(freed, "merge", stats->freed[IOPT_FREED_MERGE]);
	json_object_object_add(root, "tables_freed", freed);
	add(root, "levels_added", stats->grown);
	add(root, "leaves_split", stats->split);
	add(root, "leaves_merged", stats->merged);
	add(root, "claims_refused", get(&replay->background.refused));
	add(root, "invalidations", replay->invalidations);
	for (unsigned i = 0; i < 64; i++)
		if (replay->watchers.leaves[i])
			add(leaves, size_text(1ULL << i, text), replay->watchers.leaves[i]);
	json_object_object_add(root, "leaves_peak_in_dumps", leaves);
}

static void add_latencies(struct json_object *root, const struct replay *replay)
{
	const struct watchers *watchers = &replay->watchers;
	struct replay_latencies all;

	replay_latencies(replay, &all);
	add_latency(root, "map_ns", &all.map[2]);
	add_latency(root, "map_ns_without_sweep", &all.map[0]);
	add_latency(root, "map_ns_beside_sweep", &all.map[1]);
	add_latency(root, "unmap_ns", &all.unmap[2]);
	add_latency(root, "unmap_ns_without_sweep", &all.unmap[0]);
	add_latency(root, "unmap_ns_beside_sweep", &all.unmap[1]);
	add_latency(root, "sync_ns", &all.sync);
	add_latency(root, "sweep_ns", &watchers->sweep);
	add_latency(root, "sweep_sync_ns", &watchers->sweep_sync);
	add_latency(root, "dump_ns", &watchers->dump);
	add_latency(root, "split_ns", &replay->background.split);
	add_latency(root, "merge_ns", &replay->background.merge);
	add_latency(root, "trim_ns", &replay->background.trim);
	add(root, "clock_ns", clock_cost());
}

static struct json_object *results(const struct replay *replay)
{
	const struct calls_counts *counts = calls_counts(replay->calls);
	struct json_object *root = json_object_new_object();
	struct replay_sums sums;

	replay_sum(replay, &sums);
	add_text(root, "verdict", replay_exact(replay) ? "exact" : "not exact");
	add_text(root, "version", IOPT_VERSION);
	json_object_object_add(root, "config", config_json(&replay->options));
	add(root, "events", counts->maps + counts->unmaps);
	add(root, "maps", sums.maps);
	add(root, "unmaps", sums.unmaps);
	add(root, "map_events", counts->maps);
	add(root, "unmap_events", counts->unmaps);
	add(root, "domains", atomic_load(&replay->nr_domains));
	add(root, "run_ns", replay->end_ns - replay->start_ns);
	add_recording(root, replay, &sums);
	add(root, "written_pages", sums.written);
	add(root, "reported_pages", sums.reported);
	add(root, "reports_by_sweep", sums.by_sweep);
	add(root, "reports_by_unmap", sums.by_unmap);
	add(root, "reports_written", sums.hit);
	add(root, "reports_beside_changes", sums.unjudged);
	json_object_object_add(root, "dirty_granularity",
			       json_object_new_double(replay_granularity(&sums)));
	add_verdict(root, replay);
	add_tables(root, replay);
	add(root, "accesses", sums.accesses);
	add(root, "writes", sums.writes);
	add(root, "refused_accesses", sums.refused);
	add(root, "sweeps", get(&replay->watchers.sweeps));
	add(root, "dumps", get(&replay->watchers.dumps));
	add(root, "waits", sums.waits);
	add(root, "claim_waits", sums.claim_waits);
	add_latencies(root, replay);
	return root;
}

int results_json(const struct replay *replay, const char *path)
{
	struct json_object *root;
	struct output output;

	if (!output_open(&output, path))
		return EXIT_CONTENT;
	root = results(replay);
	fputs(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							   JSON_C_TO_STRING_SPACED |
							   JSON_C_TO_STRING_NOSLASHESCAPE),
	      output.stream);
	fputc('\n', output.stream);
	json_object_put(root);
	return output_close(&output) ? EXIT_OKAY : EXIT_CONTENT;
}
