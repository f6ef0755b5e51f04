/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The figures of simulated migrations: as a table for people, as JSON for programs. A figure that
 * was measured on this machine, and so differs from run to run, is in JSON below "measured".
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/migrate.h"
#include "tools/iopt/output.h"

#define LABEL  22
#define COLUMN 14
#define BAR    5

/* ---- the table ------------------------------------------------------------------------------- */

/* Writes one cell of a tracker. */
typedef const char *(*cell_fn)(const struct tracker *tracker, char text[SIZE_TEXT_BYTES]);

static void row(const struct migrate *migrate, const char *label, cell_fn cell)
{
	char text[SIZE_TEXT_BYTES];

	printf("  %-*s", LABEL, label);
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		printf("%*s", COLUMN, cell(&migrate->trackers[i], text));
	putchar('\n');
}

static struct precopy_sums sums_of(const struct tracker *tracker)
{
	struct precopy_sums sums;

	precopy_sum(&tracker->precopy, &sums);
	return sums;
}

static const char *seconds_text(uint64_t ns, char text[SIZE_TEXT_BYTES])
{
	snprintf(text, SIZE_TEXT_BYTES, "%.3f s", (double)ns * 1e-9);
	return text;
}

/* Bytes a second; nothing lasted no time. */
static const char *rate_text(uint64_t bytes, uint64_t ns, char text[SIZE_TEXT_BYTES])
{
	char size[SIZE_TEXT_BYTES];

	amount_text(ns ? (uint64_t)((double)bytes * 1e9 / (double)ns) : 0, size);
	snprintf(text, SIZE_TEXT_BYTES, "%.20s/s", size);
	return text;
}

static const char *cell_name(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	(void)text;
	return tracker_name(tracker);
}

static const char *cell_converges(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	(void)text;
	return tracker->precopy.end == PRECOPY_FITS ? "yes" : "no";
}

static const char *cell_rounds(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	return grouped(tracker->precopy.nr, text);
}

static const char *cell_total(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	return seconds_text(sums_of(tracker).total_ns, text);
}

static const char *cell_downtime(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	return seconds_text(precopy_downtime(&tracker->precopy), text);
}

static const char *cell_copied(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	return amount_text(sums_of(tracker).copied, text);
}

static const char *cell_written(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	return amount_text(sums_of(tracker).written, text);
}

static const char *cell_dirty(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	return amount_text(sums_of(tracker).left, text);
}

static const char *cell_rate(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	struct precopy_sums sums = sums_of(tracker);

	return rate_text(sums.left, sums.stop_ns, text);
}

static const char *cell_amplification(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	struct precopy_sums sums = sums_of(tracker);

	snprintf(text, SIZE_TEXT_BYTES, sums.written ? "%.2f" : "-", precopy_amplification(&sums));
	return text;
}

static uint64_t by_unmap(const struct tracker *tracker)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < tracker->precopy.nr; i++)
		bytes += tracker->rounds[i].by_unmap;
	return bytes;
}

static const char *cell_by_unmap(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	return amount_text(by_unmap(tracker), text);
}

static const char *cell_tables(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	return grouped(tracker->stats.tables, text);
}

static uint64_t longest_sweep(const struct tracker *tracker)
{
	uint64_t ns = 0;

	for (unsigned i = 0; i < tracker->precopy.nr; i++)
		if (tracker->rounds[i].sweep_ns > ns)
			ns = tracker->rounds[i].sweep_ns;
	return ns;
}

static const char *cell_sweep(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	snprintf(text, SIZE_TEXT_BYTES, "%.1f us", (double)longest_sweep(tracker) * 1e-3);
	return text;
}

static const char *cell_prepare(const struct tracker *tracker, char text[SIZE_TEXT_BYTES])
{
	if (tracker->config.guest)
		return "-";
	snprintf(text, SIZE_TEXT_BYTES, "%.1f us", (double)tracker->prepare_ns * 1e-3);
	return text;
}

static void print_config(const struct migrate *migrate)
{
	const struct migrate_options *options = &migrate->options;
	char text[3][SIZE_TEXT_BYTES];

	printf("%s through %s, %u levels: %s of guest memory, copied at %s/s, %.3f ms of "
	       "downtime allowed\n",
	       strcmp(options->trace, "-") ? options->trace : "standard input",
	       options->format->name,
	       options->levels ? options->levels : options->format->default_levels,
	       size_text(options->ram, text[0]), size_text(options->limits.bandwidth, text[1]),
	       (double)options->limits.downtime_ns * 1e-6);
	printf("%s events in %.3f s, begun %" PRIu64 " time%s; %s pages written by devices\n",
	       grouped(migrate->recording.events, text[0]),
	       (double)migrate->recording.ns * 1e-9 / options->speed, migrate->passes,
	       migrate->passes == 1 ? "" : "s", grouped(migrate->writes, text[1]));
	if (migrate->outside)
		printf("%s of them beyond guest memory, left out\n",
		       grouped(migrate->outside, text[2]));
}

static void print_summary(const struct migrate *migrate)
{
	putchar('\n');
	row(migrate, "tracked in leaves of", cell_name);
	row(migrate, "converges", cell_converges);
	row(migrate, "rounds", cell_rounds);
	row(migrate, "total time", cell_total);
	row(migrate, "downtime", cell_downtime);
	row(migrate, "copied", cell_copied);
	row(migrate, "written while copying", cell_written);
	row(migrate, "reported dirty", cell_dirty);
	row(migrate, "  of it by unmap", cell_by_unmap);
	row(migrate, "dirty rate", cell_rate);
	row(migrate, "reported / written", cell_amplification);
	row(migrate, "tables", cell_tables);
	row(migrate, "longest sweep, here", cell_sweep);
	row(migrate, "prepared in, here", cell_prepare);
}

/* Bars are logarithmic: the full one is all memory, each character less is an eighth. */
static void bar_text(uint64_t bytes, uint64_t ram, char text[BAR + 1])
{
	unsigned length = BAR;

	while (length && bytes < ram) {
		ram /= 8;
		length--;
	}
	if (!length && bytes)
		length = 1;
	memset(text, '#', length);
	text[length] = '\0';
}

static void put_copied(const struct migrate *migrate, uint64_t bytes, char mark)
{
	char size[SIZE_TEXT_BYTES], bar[BAR + 1];

	bar_text(bytes, migrate->options.ram, bar);
	printf(" %6s%c %-*s", amount_text(bytes, size), mark, BAR, bar);
}

/* Bytes copied in a round, from 0; the one behind the last is the final copy. False: none is. */
static bool copied_in(const struct tracker *tracker, unsigned round, uint64_t *bytes)
{
	const struct precopy *precopy = &tracker->precopy;

	if (round > precopy->nr)
		return false;
	*bytes = round < precopy->nr ? precopy->rounds[round].copied
				     : precopy->rounds[round - 1].left;
	return true;
}

static bool same_as_before(const struct migrate *migrate, unsigned round)
{
	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		const struct tracker *tracker = &migrate->trackers[i];
		uint64_t now = 0, before = 0;

		if (copied_in(tracker, round - 1, &before) != copied_in(tracker, round, &now) ||
		    before != now || round == tracker->precopy.nr)
			return false;
	}
	return true;
}

static void print_round(const struct migrate *migrate, unsigned round)
{
	printf("  %*u", LABEL, round + 1);
	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		const struct tracker *tracker = &migrate->trackers[i];
		uint64_t bytes;

		if (copied_in(tracker, round, &bytes))
			put_copied(migrate, bytes, round < tracker->precopy.nr ? ' ' : '*');
		else
			printf("%*s", COLUMN, "");
	}
	putchar('\n');
}

static void print_rounds(const struct migrate *migrate)
{
	unsigned most = 0;
	bool skipped = false;

	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		if (migrate->trackers[i].precopy.nr > most)
			most = migrate->trackers[i].precopy.nr;
	printf("\n  copied in round (each # is eight times as much; * while it stands still)\n");
	for (unsigned round = 0; round <= most; round++) {
		bool skip = round && same_as_before(migrate, round);

		if (!skip)
			print_round(migrate, round);
		else if (!skipped)
			printf("  %*s\n", LABEL, "...");
		skipped = skip;
	}
}

static void print_reasons(const struct migrate *migrate)
{
	char text[256];

	putchar('\n');
	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		const struct tracker *tracker = &migrate->trackers[i];

		printf("  %-11s%s: %s\n", tracker_name(tracker),
		       tracker->precopy.end == PRECOPY_FITS ? "converges" : "does not converge",
		       migrate_why(tracker, amount_text, text, sizeof(text)));
	}
}

static void print_verdict(const struct migrate *migrate)
{
	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		const struct tracker *tracker = &migrate->trackers[i];

		if (!tracker_exact(tracker))
			printf("  %-11s%" PRIu64 " pages written and not reported, %" PRIu64
			       " leaves reported and not written, %" PRIu64 " writes refused\n",
			       tracker_name(tracker), tracker->lost, tracker->in_vain,
			       tracker->refused);
	}
	if (migrate->breaches || migrate->leaked_tables)
		printf("  %" PRIu64 " malformed or freed tables read, %" PRIu64 " tables leaked\n",
		       migrate->breaches, migrate->leaked_tables);
	printf("\nreports: %s\n", migrate_exact(migrate) ? "exact" : "not exact");
}

void migrate_print(const struct migrate *migrate)
{
	print_config(migrate);
	print_summary(migrate);
	print_rounds(migrate);
	print_reasons(migrate);
	print_verdict(migrate);
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

static void add_real(struct json_object *object, const char *key, double value)
{
	json_object_object_add(object, key, json_object_new_double(value));
}

static struct json_object *config_json(const struct migrate_options *options)
{
	struct json_object *config = json_object_new_object();

	add_text(config, "trace", options->trace);
	add_text(config, "format", options->format->name);
	add(config, "levels", options->levels ? options->levels : options->format->default_levels);
	add(config, "bandwidth", options->limits.bandwidth);
	add_real(config, "downtime_ms", (double)options->limits.downtime_ns * 1e-6);
	add(config, "rounds", options->limits.rounds);
	add_real(config, "begin_ms", (double)options->begin_ns * 1e-6);
	add(config, "memory", options->ram);
	add(config, "written_percent", options->percent);
	add_real(config, "rewrite_every_ms", (double)options->rewrite_ns * 1e-6);
	add_real(config, "speed", options->speed);
	add(config, "seed", options->seed);
	return config;
}

static struct json_object *recording_json(const struct migrate *migrate)
{
	struct json_object *recording = json_object_new_object();

	add(recording, "events", migrate->recording.events);
	add(recording, "domains", migrate->recording.domains);
	add(recording, "ns", migrate->recording.ns);
	add(recording, "passes", migrate->passes);
	return recording;
}

static struct json_object *rounds_json(const struct tracker *tracker)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < tracker->precopy.nr; i++) {
		const struct precopy_round *round = &tracker->precopy.rounds[i];
		struct json_object *object = json_object_new_object();

		add(object, "start_ns", round->start_ns);
		add(object, "end_ns", round->end_ns);
		add(object, "copied_bytes", round->copied);
		add(object, "copied_pages", round->copied >> 12);
		add(object, "left_bytes", round->left);
		add(object, "by_unmap_bytes", tracker->rounds[i].by_unmap);
		add(object, "written_bytes", round->written);
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *measured_json(const struct tracker *tracker)
{
	struct json_object *measured = json_object_new_object();
	struct json_object *sweeps = json_object_new_array();

	add(measured, "prepare_ns", tracker->prepare_ns);
	for (unsigned i = 0; i < tracker->precopy.nr; i++)
		json_object_array_add(sweeps, json_object_new_uint64(tracker->rounds[i].sweep_ns));
	json_object_object_add(measured, "sweep_ns", sweeps);
	return measured;
}

static struct json_object *tracker_json(const struct tracker *tracker)
{
	static const char *const ends[] = { "goes_on", "fits", "no_less", "no_rounds" };
	struct json_object *object = json_object_new_object();
	struct precopy_sums sums = sums_of(tracker);
	char why[256];

	add(object, "leaf_bytes", 1ULL << tracker->config.leaf_lg2);
	add_text(object, "mapped", tracker->config.guest ? "by the guest" : "pinned");
	json_object_object_add(object, "converges",
			       json_object_new_boolean(tracker->precopy.end == PRECOPY_FITS));
	add_text(object, "end", ends[tracker->precopy.end]);
	add_text(object, "why", migrate_why(tracker, amount_text, why, sizeof(why)));
	add(object, "total_ns", sums.total_ns);
	add(object, "downtime_ns", precopy_downtime(&tracker->precopy));
	add(object, "copied_bytes", sums.copied);
	add(object, "reported_bytes", sums.left);
	add(object, "by_unmap_bytes", by_unmap(tracker));
	add(object, "written_bytes", sums.written);
	add_real(object, "amplification", precopy_amplification(&sums));
	add_real(object, "dirty_bytes_per_second",
		 sums.stop_ns ? (double)sums.left * 1e9 / (double)sums.stop_ns : 0);
	add(object, "tables", tracker->stats.tables);
	add(object, "table_bytes", tracker->stats.table_bytes);
	add(object, "writes", tracker->writes);
	add(object, "left_out_calls", tracker->left_out.nr);
	add(object, "lost_pages", tracker->lost);
	add(object, "leaves_in_vain", tracker->in_vain);
	add(object, "refused_writes", tracker->refused);
	json_object_object_add(object, "rounds", rounds_json(tracker));
	json_object_object_add(object, "measured", measured_json(tracker));
	return object;
}

static struct json_object *figures(const struct migrate *migrate)
{
	struct json_object *root = json_object_new_object();
	struct json_object *list = json_object_new_array();

	add_text(root, "reports", migrate_exact(migrate) ? "exact" : "not exact");
	add_text(root, "version", IOPT_VERSION);
	json_object_object_add(root, "config", config_json(&migrate->options));
	json_object_object_add(root, "recording", recording_json(migrate));
	add(root, "allowed_bytes", precopy_allowed(&migrate->options.limits));
	add(root, "writes", migrate->writes);
	add(root, "writes_left_out", migrate->outside);
	add(root, "malformed_reads", migrate->breaches);
	add(root, "leaked_tables", migrate->leaked_tables);
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		json_object_array_add(list, tracker_json(&migrate->trackers[i]));
	json_object_object_add(root, "trackers", list);
	return root;
}

int migrate_json(const struct migrate *migrate, const char *path)
{
	struct json_object *root;
	struct output output;

	if (!output_open(&output, path))
		return EXIT_CONTENT;
	root = figures(migrate);
	fputs(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							   JSON_C_TO_STRING_SPACED |
							   JSON_C_TO_STRING_NOSLASHESCAPE),
	      output.stream);
	fputc('\n', output.stream);
	json_object_put(root);
	return output_close(&output) ? EXIT_OKAY : EXIT_CONTENT;
}
