/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The HTML report of a replay: what it shows. The page around it, its style and its axes are
 * html.h's.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/html.h"
#include "tools/iopt/image.h"
#include "tools/iopt/output.h"
#include "tools/iopt/replay.h"

/* Colours of the picture: they must do on light and on dark. The page's own are in the style. */
#define COLOUR_MAPPED  0x3b86c8u
#define COLOUR_BETWEEN 0xb8479cu
#define COLOUR_DIRTY   0xf2832au

#define MAX_PANELS 6u

/* ---- IOVA space over time -------------------------------------------------------------------- */

struct panel {
	unsigned first_row; /* of the view */
	unsigned nr_rows;
	unsigned gaps; /* places where addresses jump */
};

static bool jumps(const struct heat_view *view, unsigned row)
{
	return view->rows[row]->number != view->rows[row - 1]->number + 1;
}

/* A panel for each of the first domains. Return: how many. */
static unsigned find_panels(const struct heat_view *view, struct panel panels[MAX_PANELS],
			    unsigned *left_out)
{
	unsigned nr = 0;

	*left_out = 0;
	for (unsigned i = 0; i < view->nr_rows; i++) {
		bool fresh = !i || view->rows[i]->domain != view->rows[i - 1]->domain;

		if (fresh && nr == MAX_PANELS)
			++*left_out;
		if (*left_out)
			continue;
		if (fresh)
			panels[nr++] = (struct panel){ i, 0, 0 };
		else if (jumps(view, i))
			panels[nr - 1].gaps++;
		panels[nr - 1].nr_rows++;
	}
	return nr;
}

/* The strongest cell, so that colours use their whole range. */
static double strongest(const struct heat_view *view, const struct panel *panel)
{
	double most = 1;

	for (unsigned row = 0; row < panel->nr_rows; row++)
		for (unsigned column = 0; column < view->columns; column++)
			if (view->rows[panel->first_row + row]->mapped[column] > most)
				most = view->rows[panel->first_row + row]->mapped[column];
	return most;
}

/* From blue by magenta to orange: neighbours stay apart, and nothing turns grey on the way. */
static uint32_t blend(double share)
{
	static const uint32_t stops[] = { COLOUR_MAPPED, COLOUR_BETWEEN, COLOUR_DIRTY };
	unsigned stop = share >= 0.5;
	uint32_t colour = 0;

	share = 2 * share - stop;
	for (int shift = 16; shift >= 0; shift -= 8) {
		double from = stops[stop] >> shift & 255, to = stops[stop + 1] >> shift & 255;

		colour |= (uint32_t)(from + (to - from) * share) << shift;
	}
	return colour;
}

/*
 * The opacity says how many pages were mapped (logarithmic), the colour how much of that devices
 * wrote in a pass, on average.
 */
static void paint_row(struct image *image, unsigned y, const struct heat_row *row,
		      const struct heat_view *view, double most)
{
	for (unsigned x = 0; x < view->columns; x++) {
		double mapped = row->mapped[x], dirty = row->dirty[x] / (double)view->passes, share;

		if (mapped <= 0 && dirty <= 0)
			continue;
		share = dirty <= 0 ? 0 : dirty >= mapped ? 1 : 0.15 + 0.85 * sqrt(dirty / mapped);
		image_set(image, x, y, blend(share),
			  (unsigned)(70 +
				     185 * log1p(mapped > dirty ? mapped : dirty) / log1p(most)));
	}
}

/* Where the rows of a panel lie, from the top: the highest address first. */
static double row_top(const struct heat_view *view, const struct panel *panel, unsigned row,
		      double top, double height, double gap)
{
	double y = top;

	for (unsigned i = panel->nr_rows; i-- > row + 1;) {
		y += height;
		if (jumps(view, panel->first_row + i))
			y += gap;
	}
	return y;
}

static void put_address(FILE *out, double y, uint64_t iova)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">0x%" PRIx64 "</text>\n",
		HTML_LEFT - 6, y, iova);
}

/* One stretch of neighbouring rows is one picture. Rows first..last of the panel. */
static void put_stretch(FILE *out, const struct heat_view *view, const struct panel *panel,
			unsigned first, unsigned last, double top, double height, double most)
{
	unsigned rows = last - first + 1;
	struct image image;

	if (!image_create(&image, view->columns, rows))
		return;
	for (unsigned i = 0; i < rows; i++)
		paint_row(&image, i, view->rows[panel->first_row + last - i], view, most);
	fprintf(out,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
		"class=\"axis\"/>"
		"<image x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
		"preserveAspectRatio=\"none\" href=\"",
		HTML_LEFT, top, HTML_PLOT, rows * height, HTML_LEFT, top, HTML_PLOT, rows * height);
	image_url(&image, out);
	fputs("\"/>\n", out);
	image_free(&image);
}

static void put_panel(FILE *out, const struct heat_view *view, const struct panel *panel)
{
	const double gap = panel->gaps > 20 ? 2 : 7, top = 24;
	double space = 330 - gap * panel->gaps, height, bottom, last_label = -100;
	double seconds = (double)view->columns * (double)view->column_ns * 1e-9;
	double most = strongest(view, panel);
	unsigned end = panel->nr_rows;

	height = (space < 120 ? 120 : space) / panel->nr_rows;
	if (height > 16)
		height = 16;
	bottom = row_top(view, panel, 0, top, height, gap) + height;
	fprintf(out,
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"IOVA space of domain "
		"%" PRIu32 " over time\" data-plot='{\"x\":%.1f,\"w\":%.1f,\"end\":%.4f,\"rows\":[",
		HTML_WIDTH, bottom + 28, view->rows[panel->first_row]->domain, HTML_LEFT, HTML_PLOT,
		seconds);
	for (unsigned i = 0; i < panel->nr_rows; i++) {
		double y = row_top(view, panel, i, top, height, gap);
		uint64_t iova = view->rows[panel->first_row + i]->number << view->row_lg2;

		fprintf(out, "%s[%.2f,%.2f,\"IOVA 0x%" PRIx64 "\"]", i ? "," : "", y, y + height,
			iova);
	}
	fprintf(out, "]}'>\n<text class=\"name\" x=\"%.1f\" y=\"14\">domain %" PRIu32 "</text>\n",
		HTML_LEFT, view->rows[panel->first_row]->domain);
	html_time_axis(out, seconds, top, bottom);
	while (end) {
		unsigned first = end - 1;
		double y;

		while (first && !jumps(view, panel->first_row + first))
			first--;
		y = row_top(view, panel, end - 1, top, height, gap);
		put_stretch(out, view, panel, first, end - 1, y, height, most);
		if (y - last_label > 14) {
			put_address(out, y + (height < 12 ? 9 : height * 0.75),
				    (view->rows[panel->first_row + end - 1]->number
				     << view->row_lg2) +
					    ((1ULL << view->row_lg2) - 1));
			last_label = y;
		}
		end = first;
	}
	if (bottom - last_label > 26)
		put_address(out, bottom - 2, view->rows[panel->first_row]->number << view->row_lg2);
	fputs("<line class=\"cross\" y1=\"24\" y2=\"", out);
	fprintf(out, "%.1f\"/></svg>\n", bottom);
}

static void put_heat(FILE *out, const struct heat_view *view)
{
	static const char *const names[] = { "mapped; stronger: more pages",
					     "part of it written by devices", "all of it written" };
	static const char *const colours[] = { "#3b86c8", "#b8479c", "#f2832a" };
	struct panel panels[MAX_PANELS];
	unsigned left_out, nr = find_panels(view, panels, &left_out);
	char row[SIZE_TEXT_BYTES], column[SIZE_TEXT_BYTES];

	fputs("<section><h2>IOVA space over time</h2>", out);
	if (!nr) {
		fputs("<p>Nothing was mapped with a time stamp.</p></section>\n", out);
		return;
	}
	fprintf(out,
		"<p>What the recorded machine's drivers mapped, at the recording's own time, and "
		"how much of it the simulated devices wrote in a pass of the replay, on average. "
		"Only "
		"addresses that were used are drawn; a cell is %s by %s.</p>",
		short_bytes((double)(1ULL << view->row_lg2), row),
		short_time((double)view->column_ns, column));
	html_key(out, names, colours, 3);
	for (unsigned i = 0; i < nr; i++)
		put_panel(out, view, &panels[i]);
	if (left_out)
		fprintf(out, "<p>%u more domains are not drawn.</p>", left_out);
	fputs("</section>\n", out);
}

/* ---- lines over time ------------------------------------------------------------------------- */

#define MAX_LINES 2u

/**
 * struct chart - lines over the run's time
 * @title:    of the chart, for those who can't see it
 * @names:    of the lines
 * @classes:  of the lines: colours
 * @nr_lines: how many
 * @bytes:    values are bytes
 * @unit:     behind values in the tip
 * @seconds:  times of the points
 * @values:   of each line
 * @nr:       points
 */
struct chart {
	const char *title;
	const char *names[MAX_LINES];
	const char *classes[MAX_LINES];
	unsigned nr_lines;
	bool bytes;
	const char *unit;
	double seconds[REPLAY_SAMPLES];
	double values[MAX_LINES][REPLAY_SAMPLES];
	unsigned nr;
};

static const char *value_text(const struct chart *chart, double value, char text[SIZE_TEXT_BYTES])
{
	return chart->bytes ? short_bytes(value, text) : short_number(value, text);
}

static void put_points(FILE *out, const struct chart *chart)
{
	char text[SIZE_TEXT_BYTES];

	fprintf(out, "data-plot='{\"x\":%.1f,\"w\":%.1f,\"end\":%.4f,\"t\":[", HTML_LEFT, HTML_PLOT,
		chart->seconds[chart->nr - 1]);
	for (unsigned i = 0; i < chart->nr; i++)
		fprintf(out, "%s%.4f", i ? "," : "", chart->seconds[i]);
	fputs("],\"s\":[", out);
	for (unsigned i = 0; i < chart->nr; i++) {
		fputs(i ? ",\"" : "\"", out);
		for (unsigned line = 0; line < chart->nr_lines; line++)
			fprintf(out, "%s%s %s%s", line ? "\\n" : "", chart->names[line],
				value_text(chart, chart->values[line][i], text), chart->unit);
		fputc('"', out);
	}
	fputs("]}'", out);
}

static void put_line(FILE *out, const struct chart *chart, unsigned line, double top, double bottom,
		     double most)
{
	double end = chart->seconds[chart->nr - 1];

	for (int area = 1; area >= 0; area--) {
		double x = HTML_LEFT;

		fprintf(out, "<path class=\"%s %s\" d=\"M", chart->classes[line],
			area ? "area" : "stroke");
		if (area)
			fprintf(out, "%.1f %.1fL", HTML_LEFT, bottom);
		for (unsigned i = 0; i < chart->nr; i++) {
			x = HTML_LEFT + (end > 0 ? chart->seconds[i] / end * HTML_PLOT : 0);
			fprintf(out, "%s%.1f %.1f", i ? "L" : "", x,
				bottom - chart->values[line][i] / most * (bottom - top));
		}
		if (area)
			fprintf(out, "L%.1f %.1fZ", x, bottom);
		fputs("\"/>\n", out);
	}
}

static void put_chart(FILE *out, const struct chart *chart, double height)
{
	const double top = 10, bottom = top + height;
	double most = 0, step;
	char text[SIZE_TEXT_BYTES];

	if (chart->nr < 2) {
		fputs("<p>The run was too short for this chart.</p>", out);
		return;
	}
	for (unsigned line = 0; line < chart->nr_lines; line++)
		for (unsigned i = 0; i < chart->nr; i++)
			if (chart->values[line][i] > most)
				most = chart->values[line][i];
	step = nice_step(most, 4, chart->bytes);
	most = most > 0 ? ceil(most / step) * step : 1;
	fprintf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\" ", HTML_WIDTH,
		bottom + 24, chart->title);
	put_points(out, chart);
	fputs(">\n", out);
	for (double at = 0; at <= most * 1.0001; at += step) {
		double y = bottom - at / most * height;

		fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", HTML_LEFT, y,
			HTML_LEFT + HTML_PLOT);
		fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			HTML_LEFT - 8, y + 4, value_text(chart, at, text));
	}
	html_time_axis(out, chart->seconds[chart->nr - 1], top, bottom);
	for (unsigned line = 0; line < chart->nr_lines; line++)
		put_line(out, chart, line, top, bottom, most);
	fprintf(out, "<line class=\"cross\" y1=\"%.1f\" y2=\"%.1f\"/></svg>\n", top, bottom);
}

/* Pages a second, from counters. */
static void fill_rates(struct chart *chart, const struct watchers *watchers)
{
	const struct sample *samples = watchers->samples;

	for (unsigned i = 1; i < watchers->nr_samples; i++) {
		double span = (double)(samples[i].ns - samples[i - 1].ns) * 1e-9;

		if (span <= 0)
			continue;
		chart->seconds[chart->nr] = (double)samples[i].ns * 1e-9;
		chart->values[0][chart->nr] =
			(double)(samples[i].by_unmap - samples[i - 1].by_unmap) / span;
		chart->values[1][chart->nr] =
			(double)(samples[i].by_sweep - samples[i - 1].by_sweep) / span;
		chart->nr++;
	}
}

static void put_dirty(FILE *out, const struct replay *replay)
{
	static const char *const names[] = { "reported by unmap", "reported by sweeps" };
	static const char *const colours[] = { "var(--a)", "var(--b)" };
	struct chart chart = { .title = "dirty pages reported a second, over time",
			       .names = { "unmap", "sweep" },
			       .classes = { "a", "b" },
			       .nr_lines = 2,
			       .unit = " pages/s" };

	fputs("<section><h2>Dirty pages over time</h2><p>Pages a second that the engine reported "
	      "as "
	      "written by devices: by sweeps over what stays mapped, and by the unmap of what "
	      "goes.</p>",
	      out);
	html_key(out, names, colours, 2);
	fill_rates(&chart, &replay->watchers);
	put_chart(out, &chart, 170);
	fputs("</section>\n", out);
}

static void put_tables(FILE *out, const struct replay *replay)
{
	const struct watchers *watchers = &replay->watchers;
	struct chart tables = { .title = "live tables over time",
				.names = { "tables" },
				.classes = { "c" },
				.nr_lines = 1,
				.unit = "" };
	struct chart mapped = { .title = "mapped memory over time",
				.names = { "mapped" },
				.classes = { "a" },
				.nr_lines = 1,
				.bytes = true,
				.unit = "" };

	for (unsigned i = 0; i < watchers->nr_samples; i++) {
		tables.seconds[i] = mapped.seconds[i] = (double)watchers->samples[i].ns * 1e-9;
		tables.values[0][i] = (double)watchers->samples[i].tables;
		mapped.values[0][i] = (double)watchers->samples[i].mapped_bytes;
	}
	tables.nr = mapped.nr = watchers->nr_samples;
	fputs("<section><h2>Live tables over time</h2><p>Tables that are linked, of all domains; "
	      "below "
	      "it what they map at the moment.</p>",
	      out);
	put_chart(out, &tables, 110);
	fputs("<h2 style=\"margin-top:14px\">Mapped memory</h2>", out);
	put_chart(out, &mapped, 110);
	fputs("</section>\n", out);
}

/* ---- latencies ------------------------------------------------------------------------------- */

struct latency_line {
	const char *name;
	const char *colour;
	const struct latency *latency;
};

/* Nanoseconds to pixels: logarithmic, from 10 ns to 100 ms. */
static double latency_x(double ns)
{
	double x = (log10(ns < 10 ? 10 : ns) - 1) / 7;

	return HTML_LEFT + 60 + (x > 1 ? 1 : x) * (HTML_PLOT - 60);
}

#define LATENCY_ROW 46.0

/* A histogram: bars of a quarter of a power of two, heights by the root of the share. */
static void put_latency(FILE *out, const struct latency_line *line, double base)
{
	static const uint32_t marks[] = { 500000, 990000, 999000 };
	static const char *const names[] = { "p50", "p99", "p99.9" };
	const struct latency *latency = line->latency;
	double most = 0;
	uint64_t bars[64 * 4] = { 0 };
	char text[SIZE_TEXT_BYTES];

	for (unsigned i = LATENCY_SUBS / 4; i < LATENCY_BUCKETS; i++)
		bars[i / (LATENCY_SUBS / 4)] += latency->buckets[i];
	for (unsigned i = 0; i < LATENCY_SUBS / 4; i++)
		bars[1] += latency->buckets[i];
	for (unsigned i = 0; i < 64 * 4; i++)
		if ((double)bars[i] > most)
			most = (double)bars[i];
	fprintf(out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
		HTML_LEFT + 48, base - 4, line->name);
	fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", HTML_LEFT + 60, base,
		HTML_LEFT + HTML_PLOT);
	for (unsigned i = 1; i < 61 * 4; i++) {
		double from, to, height;

		if (!bars[i])
			continue;
		from = latency_x((double)latency_value(i * (LATENCY_SUBS / 4)));
		to = latency_x((double)latency_value((i + 1) * (LATENCY_SUBS / 4)));
		height = sqrt((double)bars[i] / most) * (LATENCY_ROW - 14);
		fprintf(out,
			"<rect class=\"%s bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			"height=\"%.1f\"><title>%s: %" PRIu64 " calls around %s</title></rect>\n",
			line->colour, from, base - (height < 1 ? 1 : height),
			to - from > 1.4 ? to - from - 0.7 : 0.7, height < 1 ? 1 : height,
			line->name, bars[i],
			short_time((double)latency_value(i * (LATENCY_SUBS / 4)), text));
	}
	for (unsigned i = 0; i < 3; i++) {
		uint64_t ns = latency_quantile(latency, marks[i]);

		fprintf(out,
			"<path class=\"%s stroke\" d=\"M%.1f %.1fv6\"><title>%s %s</title></path>"
			"\n",
			line->colour, latency_x((double)ns), base, names[i],
			short_time((double)ns, text));
	}
}

static void put_latency_axis(FILE *out, double bottom)
{
	char text[SIZE_TEXT_BYTES];

	for (double ns = 10; ns < 2e8; ns *= 10) {
		double x = latency_x(ns);

		fprintf(out, "<path class=\"grid\" d=\"M%.1f 8V%.1f\"/>", x, bottom);
		fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", x,
			bottom + 22, short_time(ns, text));
	}
}

static void put_latency_table(FILE *out, const struct latency_line *lines, unsigned nr)
{
	char text[5][SIZE_TEXT_BYTES];

	fputs("<div class=\"scroll\"><table><tr><th>latency</th><th>calls</th><th>p50</th><th>"
	      "p99</th>"
	      "<th>p99.9</th><th>max</th></tr>\n",
	      out);
	for (unsigned i = 0; i < nr; i++) {
		const struct latency *latency = lines[i].latency;

		fprintf(out,
			"<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td>"
			"</tr>\n",
			lines[i].name, grouped(latency->nr, text[0]),
			short_time((double)latency_quantile(latency, 500000), text[1]),
			short_time((double)latency_quantile(latency, 990000), text[2]),
			short_time((double)latency_quantile(latency, 999000), text[3]),
			short_time((double)latency->max, text[4]));
	}
	fputs("</table></div>\n", out);
}

static void put_latencies(FILE *out, const struct replay *replay,
			  const struct replay_latencies *all)
{
	const struct watchers *watchers = &replay->watchers;
	const struct latency_line lines[] = {
		{ "map", "a", &all->map[0] },
		{ "map, sweep beside", "a", &all->map[1] },
		{ "unmap", "b", &all->unmap[0] },
		{ "unmap, sweep beside", "b", &all->unmap[1] },
		{ "sync of unmaps", "c", &all->sync },
		{ "sweep", "c", &watchers->sweep },
		{ "dump", "c", &watchers->dump },
		{ "split", "a", &replay->background.split },
		{ "merge", "b", &replay->background.merge },
		{ "trim", "c", &replay->background.trim },
	};
	struct latency_line shown[sizeof(lines) / sizeof(lines[0])];
	unsigned nr = 0;

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (lines[i].latency->nr)
			shown[nr++] = lines[i];
	fputs("<section><h2>Latency</h2><p>How long calls took, on a logarithmic scale; the "
	      "height is "
	      "the root of a bar's share, so that rare calls can be seen. The ticks below a line "
	      "are "
	      "p50, p99 and p99.9. A sync waits for the devices' accesses that are under way. "
	      "Reading "
	      "the clock is in each.</p>",
	      out);
	fprintf(out,
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"latency "
		"distributions\">\n",
		HTML_WIDTH, nr * LATENCY_ROW + 40);
	put_latency_axis(out, nr * LATENCY_ROW + 8);
	for (unsigned i = 0; i < nr; i++)
		put_latency(out, &shown[i], (i + 1) * LATENCY_ROW);
	fputs("</svg>\n", out);
	put_latency_table(out, shown, nr);
	fputs("</section>\n", out);
}

/* ---- figures --------------------------------------------------------------------------------- */

static void put_head(FILE *out, const struct replay *replay, const struct replay_sums *sums,
		     const struct replay_latencies *all)
{
	const struct replay_options *options = &replay->options;
	const struct calls_counts *counts = calls_counts(replay->calls);
	const bool exact = replay_exact(replay);
	char text[SIZE_TEXT_BYTES], fault[256];

	fprintf(out, "<h1>iopt replay <span class=\"verdict %s\">%s</span></h1>\n<p><code>",
		exact ? "good" : "bad", exact ? "\342\234\223 exact" : "\342\234\227 not exact");
	html_text(out, strcmp(options->trace, "-") ? options->trace : "standard input");
	fprintf(out, "</code><br>%s, %u levels, %s invalidation, %u device%s, %" PRIu64 " pass%s",
		options->format->title,
		options->levels ? options->levels : options->format->default_levels,
		options->batch ? "batched" : "strict", options->devices,
		options->devices == 1 ? "" : "s", options->loops, options->loops == 1 ? "" : "es");
	fprintf(out, "%s%s%s</p>\n", options->split ? "; leaves are split before sweeps" : "",
		options->merge ? "; idle leaves are merged" : "",
		options->trim ? "; empty tables are given back" : "");
	for (unsigned i = 0; i < replay->nr_faults; i++)
		fprintf(out, "<p class=\"bad\">%s</p>\n",
			fault_text(&replay->faults[i], fault, sizeof(fault)));
	if (replay->breach[0])
		fprintf(out, "<p class=\"bad\">%s</p>\n", replay->breach);
	fputs("<div class=\"tiles\">\n", out);
	html_tile(out, short_number((double)(counts->maps + counts->unmaps), text),
		  "events replayed");
	html_tile(out, short_time((double)latency_quantile(&all->map[2], 500000), text),
		  "map, median");
	html_tile(out, short_time((double)latency_quantile(&all->unmap[2], 500000), text),
		  "unmap, median");
	html_tile(out, short_number((double)sums->written, text), "pages written by devices");
	html_tile(out, short_number((double)sums->reported, text), "pages reported dirty");
	snprintf(text, sizeof(text), "%.2f", replay_granularity(sums));
	html_tile(out, sums->hit ? text : "none", "reported for each page written");
	html_tile(out, short_bytes((double)replay->stats.table_bytes_peak, text),
		  "table memory, peak");
	fputs("</div>\n", out);
}

static void put_verdict(FILE *out, const struct replay *replay)
{
	const _Atomic uint64_t *faults = replay->report.faults;

	fputs("<section><h2>Verdict</h2><p>Exact means that every figure here is zero.</p>"
	      "<div class=\"scroll\"><table>\n",
	      out);
	html_figure(out, "written, not reported", faults[LEDGER_LOST],
		    "pages that a device wrote and no sweep or unmap reported");
	html_figure(out, "reported, not written", faults[LEDGER_IN_VAIN],
		    "leaves reported dirty that no device had written since their last report");
	html_figure(out, "stale accesses", faults[LEDGER_STALE] + faults[LEDGER_WRONG_PAGE],
		    "accesses that reached a page after its unmap was synced, or another page");
	html_figure(out, "live mappings refused", faults[LEDGER_NO_ACCESS],
		    "accesses refused although the page was mapped all the time");
	html_figure(out, "wrong leaves in dumps", faults[LEDGER_BAD_DUMP],
		    "walks of the live tables that disagree with what is mapped");
	html_figure(out, "freed tables read", replay->freed_table_reads, "by the devices' walker");
	html_figure(out, "malformed entries read", replay->breaches - replay->freed_table_reads,
		    "reserved bits, misaligned blocks, replicas that differ");
	html_figure(out, "tables leaked", replay->leaked_tables,
		    "after all was unmapped and destroyed");
	fputs("</table></div></section>\n", out);
}

static void put_tally(FILE *out, const char *name, const struct calls_tally *tally)
{
	char note[64];

	if (!tally->nr)
		return;
	snprintf(note, sizeof(note), "first at line %" PRIu64, tally->line);
	html_figure(out, name, tally->nr, note);
}

/* What became of tables and leaves while all ran. */
static void put_freed(FILE *out, const struct replay *replay)
{
	const struct iopt_stats *stats = &replay->stats;

	html_figure(out, "tables freed by unmap", stats->freed[IOPT_FREED_UNMAP], "while live");
	html_figure(out, "tables freed under a block", stats->freed[IOPT_FREED_BLOCK],
		    "while live");
	html_figure(out, "tables freed after a lost race", stats->freed[IOPT_FREED_RACE], "");
	html_figure(out, "tables freed by trim", stats->freed[IOPT_FREED_TRIM], "");
	if (background_claims(&replay->options)) {
		html_figure(out, "tables freed by merge", stats->freed[IOPT_FREED_MERGE], "");
		html_figure(out, "leaves split", stats->split, "");
		html_figure(out, "leaves merged", stats->merged, "");
	}
}

static void put_figures(FILE *out, const struct replay *replay, const struct replay_sums *sums)
{
	const struct calls_counts *counts = calls_counts(replay->calls);
	const struct iopt_stats *stats = &replay->stats;
	char note[128], text[2][SIZE_TEXT_BYTES];

	fputs("<section><h2>Figures</h2><div class=\"scroll\"><table>\n", out);
	html_figure(out, "map events", counts->maps, "contiguous segments");
	html_figure(out, "map calls", sums->maps, "segments of a scatter list in one call");
	html_figure(out, "unmap calls", sums->unmaps, "");
	html_figure(out, "domains", atomic_load(&replay->nr_domains), "");
	html_figure(out, "device accesses", sums->accesses, "");
	html_figure(out, "device writes", sums->writes, "");
	html_figure(out, "accesses refused after unmap", sums->refused, "as they must be");
	html_figure(out, "pages written", sums->written, "once each mapping");
	html_figure(out, "pages reported dirty", sums->reported,
		    "once each mapping; a larger leaf counts with all its pages");
	if (sums->hit) {
		snprintf(note, sizeof(note), "pages; %.2f were reported for each",
			 replay_granularity(sums));
		html_figure(out, "reports that were written", sums->hit, note);
	}
	html_figure(out, "sweeps", atomic_load(&replay->watchers.sweeps), "");
	html_figure(out, "walks of live tables", atomic_load(&replay->watchers.dumps), "");
	html_figure(out, "invalidations", replay->invalidations, "");
	snprintf(note, sizeof(note), "%s, beside %s mapped at most",
		 short_bytes((double)stats->table_bytes_peak, text[0]),
		 short_bytes((double)replay_mapped_peak(replay), text[1]));
	html_figure(out, "tables, peak", stats->tables_peak, note);
	put_freed(out, replay);
	put_tally(out, "events without domain", &counts->without_domain);
	put_tally(out, "maps whose domain was inferred", &counts->inferred_maps);
	put_tally(out, "unmaps whose domain was inferred", &counts->inferred_unmaps);
	put_tally(out, "maps over something live", &counts->maps_over_live);
	put_tally(out, "unmaps of what was never seen mapped", &counts->unknown_unmaps);
	put_tally(out, "ragged unmaps", &counts->ragged_unmaps);
	put_tally(out, "beyond what the table holds, left out", &sums->beyond);
	put_tally(out, "unmaps inside a larger leaf, left out", &sums->partial);
	put_tally(out, "maps over what these left, left out", &sums->blocked);
	if (replay->trace_counts.lost_lines)
		html_figure(out, "lost-event lines", replay->trace_counts.lost_lines, "");
	fputs("</table></div></section>\n", out);
}

int report_html(struct replay *replay, const char *path)
{
	struct replay_latencies all;
	struct replay_sums sums;
	struct heat_view view;
	struct output output;
	FILE *out;

	if (!output_open(&output, path))
		return EXIT_CONTENT;
	out = output.stream;
	replay_sum(replay, &sums);
	replay_latencies(replay, &all);
	heat_finish(replay->heat, replay->options.loops, &view);
	html_begin(out, "iopt replay", NULL);
	put_head(out, replay, &sums, &all);
	put_heat(out, &view);
	put_dirty(out, replay);
	put_tables(out, replay);
	put_latencies(out, replay, &all);
	put_verdict(out, replay);
	put_figures(out, replay, &sums);
	html_end(out);
	return output_close(&output) ? EXIT_OKAY : EXIT_CONTENT;
}
