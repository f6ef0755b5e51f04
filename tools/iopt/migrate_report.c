/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The HTML report of simulated migrations: what it shows. The page around it is html.h's.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/html.h"
#include "tools/iopt/migrate.h"
#include "tools/iopt/output.h"

/* Of the trackers, in their order: lines in charts, and colours as the style names them. */
static const char *const classes[MIGRATE_TRACKERS] = { "a", "b", "c", "d" };
static const char *const colours[MIGRATE_TRACKERS] = { "var(--a)", "var(--b)", "var(--c)",
						       "var(--soft)" };

static const char *size_words(uint64_t bytes, char text[SIZE_TEXT_BYTES])
{
	return short_bytes((double)bytes, text);
}

static unsigned most_rounds(const struct migrate *migrate)
{
	unsigned most = 0;

	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		if (migrate->trackers[i].precopy.nr > most)
			most = migrate->trackers[i].precopy.nr;
	return most;
}

static void put_trackers_key(FILE *out, const struct migrate *migrate)
{
	static const char *const names[MIGRATE_TRACKERS] = {
		"4K leaves", "2M leaves", "1G leaves", "4K leaves, mapped as the guest maps"
	};

	html_key(out, names, colours, migrate->nr_trackers);
}

/* ---- head ------------------------------------------------------------------------------------ */

static void put_tracker_tile(FILE *out, const struct tracker *tracker)
{
	char time[SIZE_TEXT_BYTES], what[96];

	snprintf(what, sizeof(what), "downtime in leaves of %s, %s %u round%s",
		 tracker_name(tracker),
		 tracker->precopy.end == PRECOPY_FITS ? "after" : "not converged in",
		 tracker->precopy.nr, tracker->precopy.nr == 1 ? "" : "s");
	html_tile(out, short_time((double)precopy_downtime(&tracker->precopy), time), what);
}

static void put_head(FILE *out, const struct migrate *migrate)
{
	const struct migrate_options *options = &migrate->options;
	const bool exact = migrate_exact(migrate);
	char text[SIZE_TEXT_BYTES];

	fprintf(out, "<h1>iopt migrate <span class=\"verdict %s\">%s</span></h1>\n<p><code>",
		exact ? "good" : "bad",
		exact ? "\342\234\223 reports exact" : "\342\234\227 reports not exact");
	html_text(out, strcmp(options->trace, "-") ? options->trace : "standard input");
	fprintf(out, "</code><br>%s, %u levels, %s of guest memory", options->format->title,
		options->levels ? options->levels : options->format->default_levels,
		short_bytes((double)options->ram, text));
	fprintf(out, ", copied at %s a second",
		short_bytes((double)options->limits.bandwidth, text));
	fprintf(out, ", %s of downtime allowed, at most %u round%s</p>\n",
		short_time((double)options->limits.downtime_ns, text), options->limits.rounds,
		options->limits.rounds == 1 ? "" : "s");
	fputs("<div class=\"tiles\">\n", out);
	for (unsigned i = 0; i < MIGRATE_PINNED; i++)
		put_tracker_tile(out, &migrate->trackers[i]);
	html_tile(out, short_number((double)migrate->writes, text), "pages written by devices");
	fputs("</div>\n", out);
}

/* ---- bytes by round -------------------------------------------------------------------------- */

#define ROUNDS_TOP    12.0
#define ROUNDS_HEIGHT 300.0

/* struct plane - round 1 is at the left edge; both axes are logarithmic, bytes between powers of
 * two */
struct plane {
	unsigned rounds;
	double low, high;
};

static double round_x(const struct plane *plane, unsigned round)
{
	return HTML_LEFT + HTML_PLOT * log2(round) / log2(plane->rounds + 1);
}

static double bytes_y(const struct plane *plane, double bytes)
{
	double share = bytes > 0 ? (log2(bytes) - plane->low) / (plane->high - plane->low) : 0;

	return ROUNDS_TOP + ROUNDS_HEIGHT * (1 - (share > 0 ? share : 0));
}

/* Bytes that are copied in a round, from 1; the one behind the last is the final copy. */
static uint64_t copied_in(const struct precopy *precopy, unsigned round)
{
	return round <= precopy->nr ? precopy->rounds[round - 1].copied
				    : precopy->rounds[precopy->nr - 1].left;
}

static struct plane make_plane(const struct migrate *migrate)
{
	struct plane plane = { .rounds = most_rounds(migrate),
			       .high = ceil(log2((double)migrate->options.ram)) };
	double least = (double)precopy_allowed(&migrate->options.limits);

	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		const struct precopy *precopy = &migrate->trackers[i].precopy;

		for (unsigned round = 1; round <= precopy->nr + 1; round++) {
			double bytes = (double)copied_in(precopy, round);

			if (bytes > 0 && (bytes < least || least <= 0))
				least = bytes;
		}
	}
	/* Four lines at least. */
	plane.low = least > 0 ? floor(log2(least)) - 1 : 0;
	if (plane.low > plane.high - 4)
		plane.low = plane.high - 4;
	return plane;
}

static unsigned next_label(const struct plane *plane, unsigned round)
{
	unsigned next = round < 2 ? round + 1 : round & (round - 1) ? round / 3 * 4 : round / 2 * 3;

	if (next <= plane->rounds && round_x(plane, plane->rounds + 1) - round_x(plane, next) < 30)
		return plane->rounds + 1;
	return next > plane->rounds && round <= plane->rounds ? plane->rounds + 1 : next;
}

static void put_plane_axes(FILE *out, const struct plane *plane)
{
	double step = ceil((plane->high - plane->low) / 8);
	char text[SIZE_TEXT_BYTES];

	for (double lg2 = plane->high; lg2 >= plane->low; lg2 -= step) {
		double y = bytes_y(plane, exp2(lg2));

		fprintf(out,
			"<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" "
			"y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			HTML_LEFT, y, HTML_LEFT + HTML_PLOT, HTML_LEFT - 8, y + 4,
			short_bytes(exp2(lg2), text));
	}
	/* The last one, and what is not too close to it or to each other: 1, 2, 3, 4, 6, 8, 12,
	 * ... */
	for (unsigned round = 1; round <= plane->rounds + 1; round = next_label(plane, round)) {
		double x = round_x(plane, round);

		fprintf(out,
			"<path class=\"grid\" d=\"M%.1f %.1fv%.1f\"/><text x=\"%.1f\" "
			"y=\"%.1f\" text-anchor=\"middle\">%u</text>\n",
			x, ROUNDS_TOP, ROUNDS_HEIGHT, x, ROUNDS_TOP + ROUNDS_HEIGHT + 17, round);
	}
	fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", HTML_LEFT,
		ROUNDS_TOP + ROUNDS_HEIGHT, HTML_LEFT + HTML_PLOT);
}

static void put_allowed(FILE *out, const struct plane *plane, uint64_t allowed)
{
	double y = bytes_y(plane, (double)allowed);
	char text[SIZE_TEXT_BYTES];

	if (y < ROUNDS_TOP)
		return;
	fprintf(out,
		"<path class=\"stroke dash\" stroke=\"var(--good)\" d=\"M%.1f "
		"%.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s fit the "
		"downtime</text>\n",
		HTML_LEFT, y, HTML_LEFT + HTML_PLOT, HTML_LEFT + HTML_PLOT - 4,
		y > ROUNDS_TOP + 20 ? y - 6 : y + 16, short_bytes((double)allowed, text));
}

static void put_track(FILE *out, const struct plane *plane, const struct tracker *tracker,
		      const char *class)
{
	const struct precopy *precopy = &tracker->precopy;
	char text[SIZE_TEXT_BYTES];

	fprintf(out, "<path class=\"%s line%s\" d=\"", class,
		tracker->config.guest ? " broad" : "");
	for (unsigned round = 1; round <= precopy->nr + 1; round++)
		fprintf(out, "%c%.1f %.1f", round == 1 ? 'M' : 'L', round_x(plane, round),
			bytes_y(plane, (double)copied_in(precopy, round)));
	fputs("\"/>\n", out);
	/* The last one, which is copied while the machine stands still, is larger. */
	for (unsigned round = 1; round <= precopy->nr + 1; round++)
		fprintf(out,
			"<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>%s, %s "
			"%u: %s</title></circle>\n",
			class, round_x(plane, round),
			bytes_y(plane, (double)copied_in(precopy, round)),
			round <= precopy->nr ? "2.2" : "4.5", tracker_name(tracker),
			round <= precopy->nr ? "round" : "stands still after round",
			round <= precopy->nr ? round : precopy->nr,
			short_bytes((double)copied_in(precopy, round), text));
}

/* For the tip: a label and a text for each round. */
static void put_round_points(FILE *out, const struct migrate *migrate, unsigned rounds)
{
	char text[SIZE_TEXT_BYTES];

	fprintf(out, "data-plot='{\"x\":%.1f,\"w\":%.1f,\"end\":%.4f,\"t\":[", HTML_LEFT, HTML_PLOT,
		log2(rounds + 1));
	/* From half way to the one before on. */
	for (unsigned round = 1; round <= rounds + 1; round++)
		fprintf(out, "%s%.4f", round > 1 ? "," : "",
			round > 1 ? log2(round * (round - 1.0)) / 2 : 0);
	fputs("],\"l\":[", out);
	for (unsigned round = 1; round <= rounds + 1; round++)
		fprintf(out, "%s\"copy %u\"", round > 1 ? "," : "", round);
	fputs("],\"s\":[", out);
	for (unsigned round = 1; round <= rounds + 1; round++) {
		const char *line = "";

		fputs(round > 1 ? ",\"" : "\"", out);
		for (unsigned i = 0; i < MIGRATE_PINNED; i++) {
			const struct tracker *tracker = &migrate->trackers[i];

			if (round > tracker->precopy.nr + 1)
				continue;
			fprintf(out, "%s%s %s%s", line, tracker_name(tracker),
				short_bytes((double)copied_in(&tracker->precopy, round), text),
				round > tracker->precopy.nr ? " while it stands still" : "");
			line = "\\n";
		}
		fputc('"', out);
	}
	fputs("]}'", out);
}

static void put_rounds(FILE *out, const struct migrate *migrate)
{
	struct plane plane = make_plane(migrate);
	char text[256];

	fputs("<section><h2>Copied, round by round</h2><p>Round 1 copies all memory, each one "
	      "after it what was reported dirty meanwhile; the large point is what is copied "
	      "while the machine stands still. The less a line falls, the less tracking at that "
	      "granularity helps.</p>",
	      out);
	put_trackers_key(out, migrate);
	fprintf(out,
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"bytes copied in each "
		"round, 4K, 2M and 1G tracking\" ",
		HTML_WIDTH, ROUNDS_TOP + ROUNDS_HEIGHT + 40);
	put_round_points(out, migrate, plane.rounds);
	fputs(">\n", out);
	put_plane_axes(out, &plane);
	put_allowed(out, &plane, precopy_allowed(&migrate->options.limits));
	/* The guest's own lies below that of 4K, which it equals: a broad line. */
	for (unsigned i = migrate->nr_trackers; i-- > 0;)
		put_track(out, &plane, &migrate->trackers[i], classes[i]);
	fprintf(out,
		"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">round</text><line "
		"class=\"cross\" y1=\"%.1f\" y2=\"%.1f\"/></svg>\n",
		HTML_LEFT + HTML_PLOT / 2, ROUNDS_TOP + ROUNDS_HEIGHT + 35, ROUNDS_TOP,
		ROUNDS_TOP + ROUNDS_HEIGHT);
	for (unsigned i = 0; i < MIGRATE_PINNED; i++) {
		const struct tracker *tracker = &migrate->trackers[i];
		const bool fits = tracker->precopy.end == PRECOPY_FITS;

		fprintf(out, "<p><b>%s</b> <span class=\"%s\">%s</span>: %s.</p>\n",
			tracker_name(tracker), fits ? "good" : "bad",
			fits ? "converges" : "does not converge",
			migrate_why(tracker, size_words, text, sizeof(text)));
	}
	fputs("</section>\n", out);
}

/* ---- rounds in time -------------------------------------------------------------------------- */

#define LANE 30.0

static void put_lane(FILE *out, const struct tracker *tracker, const char *class, double y,
		     double end_ns)
{
	const struct precopy *precopy = &tracker->precopy;
	const uint64_t begin = precopy->rounds[0].start_ns;
	const double scale = HTML_PLOT / end_ns;
	struct precopy_sums sums;
	char text[SIZE_TEXT_BYTES];

	precopy_sum(precopy, &sums);
	fprintf(out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
		HTML_LEFT - 8, y + 14, tracker_name(tracker));
	for (unsigned i = 0; i < precopy->nr; i++) {
		const struct precopy_round *round = &precopy->rounds[i];
		double width = (double)(round->end_ns - round->start_ns) * scale;

		fprintf(out,
			"<rect class=\"%s bar%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" "
			"height=\"18\"><title>%s, round %u: %s</title></rect>\n",
			class, i % 2 ? " faint" : "",
			HTML_LEFT + (double)(round->start_ns - begin) * scale, y, width,
			tracker_name(tracker), i + 1,
			short_time((double)(round->end_ns - round->start_ns), text));
	}
	fprintf(out,
		"<rect class=\"still\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" "
		"height=\"22\"><title>%s, downtime: %s</title></rect>\n",
		HTML_LEFT + (double)sums.stop_ns * scale, y - 2,
		fmax((double)precopy_downtime(precopy) * scale, 2), tracker_name(tracker),
		short_time((double)precopy_downtime(precopy), text));
}

static void put_times(FILE *out, const struct migrate *migrate)
{
	const double bottom = 10 + LANE * migrate->nr_trackers;
	double end_ns = 1;

	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		struct precopy_sums sums;

		precopy_sum(&migrate->trackers[i].precopy, &sums);
		end_ns = fmax(end_ns, (double)sums.total_ns);
	}
	fputs("<section><h2>How long it takes</h2><p>Rounds, in turn strong and faint, from the "
	      "beginning of the migration; the end in red is the downtime.</p>",
	      out);
	fprintf(out,
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"rounds over time\">\n",
		HTML_WIDTH, bottom + 24);
	html_time_axis(out, end_ns * 1e-9, 4, bottom);
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		put_lane(out, &migrate->trackers[i], classes[i], 12 + LANE * i, end_ns);
	fputs("</svg></section>\n", out);
}

/* ---- granularity ----------------------------------------------------------------------------- */

/* Bars from one, logarithmic. */
static void put_amplification(FILE *out, const struct migrate *migrate)
{
	const double bottom = 10 + LANE * MIGRATE_PINNED;
	double most = 2;

	for (unsigned i = 0; i < MIGRATE_PINNED; i++) {
		struct precopy_sums sums;

		precopy_sum(&migrate->trackers[i].precopy, &sums);
		most = fmax(most, precopy_amplification(&sums));
	}
	fputs("<section><h2>Dirty granularity</h2><p>Bytes reported dirty, and so copied again, "
	      "for each byte of 4 KiB pages that devices wrote in a round. A leaf has one dirty "
	      "bit: one page written reports all of it. Logarithmic.</p>",
	      out);
	fprintf(out,
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"bytes reported for "
		"each byte written\">\n",
		HTML_WIDTH, bottom + 4);
	for (unsigned i = 0; i < MIGRATE_PINNED; i++) {
		const struct tracker *tracker = &migrate->trackers[i];
		const double y = 10 + LANE * i;
		struct precopy_sums sums;
		double value, width;

		precopy_sum(&tracker->precopy, &sums);
		value = precopy_amplification(&sums);
		width = fmax(value > 1 ? log(value) / log(most) * (HTML_PLOT - 90) : 0, 3);
		fprintf(out,
			"<text class=\"name\" x=\"%.1f\" y=\"%.1f\" "
			"text-anchor=\"end\">%s</text><rect class=\"%s bar\" x=\"%.1f\" "
			"y=\"%.1f\" width=\"%.1f\" height=\"18\"/><text x=\"%.1f\" y=\"%.1f\">",
			HTML_LEFT - 8, y + 14, tracker_name(tracker), classes[i], HTML_LEFT, y,
			width, HTML_LEFT + width + 8, y + 14);
		if (sums.written)
			fprintf(out, "%.2f</text>\n", value);
		else
			fputs("nothing was written</text>\n", out);
	}
	fputs("</svg></section>\n", out);
}

/* ---- tables ---------------------------------------------------------------------------------- */

typedef const char *(*cell_fn)(const struct tracker *tracker, const struct precopy_sums *sums,
			       char text[SIZE_TEXT_BYTES]);

static const char *cell_rounds(const struct tracker *tracker, const struct precopy_sums *sums,
			       char text[SIZE_TEXT_BYTES])
{
	(void)sums;
	return grouped(tracker->precopy.nr, text);
}

static const char *cell_total(const struct tracker *tracker, const struct precopy_sums *sums,
			      char text[SIZE_TEXT_BYTES])
{
	(void)tracker;
	return short_time((double)sums->total_ns, text);
}

static const char *cell_downtime(const struct tracker *tracker, const struct precopy_sums *sums,
				 char text[SIZE_TEXT_BYTES])
{
	(void)sums;
	return short_time((double)precopy_downtime(&tracker->precopy), text);
}

static const char *cell_copied(const struct tracker *tracker, const struct precopy_sums *sums,
			       char text[SIZE_TEXT_BYTES])
{
	(void)tracker;
	return short_bytes((double)sums->copied, text);
}

static const char *cell_written(const struct tracker *tracker, const struct precopy_sums *sums,
				char text[SIZE_TEXT_BYTES])
{
	(void)tracker;
	return short_bytes((double)sums->written, text);
}

static const char *cell_reported(const struct tracker *tracker, const struct precopy_sums *sums,
				 char text[SIZE_TEXT_BYTES])
{
	(void)tracker;
	return short_bytes((double)sums->left, text);
}

static const char *cell_by_unmap(const struct tracker *tracker, const struct precopy_sums *sums,
				 char text[SIZE_TEXT_BYTES])
{
	uint64_t bytes = 0;

	(void)sums;
	for (unsigned i = 0; i < tracker->precopy.nr; i++)
		bytes += tracker->rounds[i].by_unmap;
	return short_bytes((double)bytes, text);
}

static const char *cell_rate(const struct tracker *tracker, const struct precopy_sums *sums,
			     char text[SIZE_TEXT_BYTES])
{
	double rate = sums->stop_ns ? (double)sums->left * 1e9 / (double)sums->stop_ns : 0;

	(void)tracker;
	return short_bytes(rate, text);
}

static const char *cell_tables(const struct tracker *tracker, const struct precopy_sums *sums,
			       char text[SIZE_TEXT_BYTES])
{
	(void)sums;
	return short_bytes((double)tracker->stats.table_bytes, text);
}

static const char *cell_sweep(const struct tracker *tracker, const struct precopy_sums *sums,
			      char text[SIZE_TEXT_BYTES])
{
	uint64_t ns = 0;

	(void)sums;
	for (unsigned i = 0; i < tracker->precopy.nr; i++)
		if (tracker->rounds[i].sweep_ns > ns)
			ns = tracker->rounds[i].sweep_ns;
	return short_time((double)ns, text);
}

static const char *cell_prepare(const struct tracker *tracker, const struct precopy_sums *sums,
				char text[SIZE_TEXT_BYTES])
{
	(void)sums;
	return short_time((double)tracker->prepare_ns, text);
}

static void put_summary(FILE *out, const struct migrate *migrate)
{
	static const struct {
		const char *name;
		cell_fn cell;
	} rows[] = {
		{ "rounds", cell_rounds },
		{ "total time", cell_total },
		{ "downtime", cell_downtime },
		{ "copied", cell_copied },
		{ "written while copying", cell_written },
		{ "reported dirty", cell_reported },
		{ "of it by unmap", cell_by_unmap },
		{ "reported dirty, a second", cell_rate },
		{ "memory of tables", cell_tables },
		{ "longest sweep, measured here", cell_sweep },
		{ "tracking switched on, measured here", cell_prepare },
	};
	char text[SIZE_TEXT_BYTES];

	fputs("<section><h2>Figures</h2><div class=\"scroll\"><table><tr><th>tracked in leaves "
	      "of</th>",
	      out);
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		fprintf(out, "<th>%s</th>", tracker_name(&migrate->trackers[i]));
	fputs("</tr>\n", out);
	for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		fprintf(out, "<tr><td>%s</td>", rows[row].name);
		for (unsigned i = 0; i < migrate->nr_trackers; i++) {
			const struct tracker *tracker = &migrate->trackers[i];
			struct precopy_sums sums;

			precopy_sum(&tracker->precopy, &sums);
			fprintf(out, "<td>%s</td>", rows[row].cell(tracker, &sums, text));
		}
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static void put_each_round(FILE *out, const struct tracker *tracker)
{
	char text[6][SIZE_TEXT_BYTES];

	fprintf(out,
		"<details><summary>Rounds of %s</summary><div "
		"class=\"scroll\"><table><tr><th>round</th><th>begins "
		"at</th><th>takes</th><th>copies</th><th>written meanwhile</th><th>reported "
		"dirty</th><th>sweep, here</th></tr>\n",
		tracker_name(tracker));
	for (unsigned i = 0; i < tracker->precopy.nr; i++) {
		const struct precopy_round *round = &tracker->precopy.rounds[i];

		fprintf(out,
			"<tr><td>%u</td><td>%.3f "
			"s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
			i + 1, (double)round->start_ns * 1e-9,
			short_time((double)(round->end_ns - round->start_ns), text[0]),
			short_bytes((double)round->copied, text[1]),
			short_bytes((double)round->written, text[2]),
			short_bytes((double)round->left, text[3]),
			short_time((double)tracker->rounds[i].sweep_ns, text[4]));
	}
	fputs("</table></div></details>\n", out);
}

static void put_verdict(FILE *out, const struct migrate *migrate)
{
	uint64_t lost = 0, in_vain = 0, refused = 0;

	for (unsigned i = 0; i < migrate->nr_trackers; i++) {
		lost += migrate->trackers[i].lost;
		in_vain += migrate->trackers[i].in_vain;
		refused += migrate->trackers[i].refused;
	}
	fputs("<section><h2>Are the reports right?</h2><p>Each round's report was compared with "
	      "what was written in it. Exact means that every figure here is zero.</p><div "
	      "class=\"scroll\"><table>\n",
	      out);
	html_figure(out, "written, not reported", lost, "pages");
	html_figure(out, "reported, not written", in_vain, "leaves in which no page was written");
	html_figure(out, "writes refused", refused, "to pages that were mapped");
	html_figure(out, "malformed or freed tables read", migrate->breaches,
		    "by the devices' walker");
	html_figure(out, "tables leaked", migrate->leaked_tables, "after all was destroyed");
	fputs("</table></div></section>\n", out);
}

static void put_premises(FILE *out, const struct migrate *migrate)
{
	const struct migrate_options *options = &migrate->options;

	fprintf(out,
		"<section><h2>What was simulated</h2><p>The recording runs %g times as fast as "
		"it was made, "
		"and is repeated (%" PRIu64
		" times here). It shows neither directions nor accesses: of its mappings %u %% "
		"were drawn "
		"(seed %" PRIu64 ") to be written by devices, whole, a page each microsecond, and "
		"again ",
		options->speed, migrate->passes, options->percent, options->seed);
	if (options->rewrite_ns)
		fprintf(out, "every %g ms while they stay mapped.",
			(double)options->rewrite_ns * 1e-6);
	else
		fputs("never.", out);
	fputs(" What the guest's processors write is not in it. Times are the simulated "
	      "machine's.</p></section>\n",
	      out);
}

int migrate_html(const struct migrate *migrate, const char *path)
{
	struct output output;
	FILE *out;

	if (!output_open(&output, path))
		return EXIT_CONTENT;
	out = output.stream;
	html_begin(out, "iopt migrate", NULL);
	put_head(out, migrate);
	put_rounds(out, migrate);
	put_times(out, migrate);
	put_amplification(out, migrate);
	put_summary(out, migrate);
	for (unsigned i = 0; i < migrate->nr_trackers; i++)
		put_each_round(out, &migrate->trackers[i]);
	fputs("</section>\n", out);
	put_verdict(out, migrate);
	put_premises(out, migrate);
	html_end(out);
	return output_close(&output) ? EXIT_OKAY : EXIT_CONTENT;
}
