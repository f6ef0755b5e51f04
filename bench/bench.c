/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-bench: the engine beside the floor, one table, one interleaved run.
 *
 * Every round takes the scenarios in a new random order and measures each on both sides, in random
 * order too, so that what else the machine does hits both alike. What is measured is in map.c,
 * sweep.c, threads.c and sizes.c.
 */
#include "bench/bench.h"

#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iopt/posix.h"

#define MAX_SCENARIOS  128u
#define DEFAULT_ROUNDS 31u
#define MAX_ROUNDS     100000u
/* What the rows of 256 GiB and 1 TiB take, tables and memory to read beside them. */
#define SCAN_BYTES     GIB(5)
/* The tables of all scenarios' floors together take less than this. */
#define POOL_BYTES     MIB(96)
/* And those of all domains than this, also while freed ones wait for RCU. */
#define ARENA_BYTES    GIB(4)

struct bench bench;

static struct options {
	const char *json;
	uint64_t seed;
	bool strict;
} options = { .seed = 1 };

static const struct argp_option argp_options[] = {
	{ "rows", 'r', "PATTERN", 0, "Only rows whose name matches (* and ? as in file names)", 0 },
	{ "rounds", 'n', "N", 0, "Measure each row N times on both sides (default 31)", 0 },
	{ "seed", 's', "N", 0, "Seed of all random orders (default 1)", 0 },
	{ "json", 'j', "FILE", 0, "Write the table to FILE too", 0 },
	{ "strict", 'S', NULL, 0, "Exit 1 if a median misses its target", 0 },
	{ 0 },
};

static uint64_t number(struct argp_state *state, const char *name, const char *text, uint64_t most)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || end == text || *text == '-' || !value || value > most)
		argp_failure(state, 2, 0, "--%s %s: expected a number from 1 to %llu", name, text,
			     (unsigned long long)most);
	return value;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	switch (key) {
	case 'r': bench.pattern = text; break;
	case 'n': bench.rounds = (unsigned)number(state, "rounds", text, MAX_ROUNDS); break;
	case 's': options.seed = number(state, "seed", text, UINT64_MAX); break;
	case 'j': options.json = text; break;
	case 'S': options.strict = true; break;
	case ARGP_KEY_ARG: argp_failure(state, 2, 0, "%s: no argument is expected", text); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.doc = "Measure the iopt engine beside the least code with the same loads and stores.",
};

bool row_wanted(const char *name)
{
	return !bench.pattern || !fnmatch(bench.pattern, name, 0);
}

static unsigned select_from(struct scenario *all, struct scenario **chosen)
{
	unsigned nr = 0;

	for (; all->nr_rows; all++)
		for (unsigned i = 0; i < all->nr_rows; i++)
			if (row_wanted(all->rows[i].name)) {
				chosen[nr++] = all;
				break;
			}
	return nr;
}

static void one_side(struct scenario *scenario, enum side side)
{
	double values[MAX_ROWS];

	scenario->round(scenario, side, values);
	for (unsigned i = 0; i < scenario->nr_rows; i++)
		if (!scenario->rows[i].per)
			samples_add(&scenario->rows[i].samples[side], values[i]);
}

static void one_round(struct scenario **scenarios, unsigned nr)
{
	uint32_t *order = rng_order(&bench.rng, nr);

	for (unsigned i = 0; i < nr; i++) {
		enum side first = rng_next(&bench.rng) >> 63 ? ENGINE : FLOOR;

		one_side(scenarios[order[i]], first);
		one_side(scenarios[order[i]], first == FLOOR ? ENGINE : FLOOR);
	}
	free(order);
}

static void progress(const char *what, unsigned done, unsigned of)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (done < of)
		fprintf(stderr, "\r\033[K%s %u of %u", what, done + 1, of);
	else
		fputs("\r\033[K", stderr);
}

/* Scenarios that are measured together, all set up before the first round. */
static void measure(struct scenario **scenarios, unsigned nr, struct sizes_result *sizes)
{
	for (unsigned i = 0; i < nr; i++) {
		progress("setting up", i, nr);
		scenarios[i]->setup(scenarios[i]);
	}
	for (unsigned round = 0; round < bench.rounds; round++) {
		progress("round", round, bench.rounds);
		one_round(scenarios, nr);
		if (sizes)
			sizes_round(sizes);
	}
	for (unsigned i = 0; i < nr; i++)
		scenarios[i]->teardown(scenarios[i]);
	progress("round", bench.rounds, bench.rounds);
}

/*
 * The large scenarios come last, by themselves: those before have the engine's tables in as little
 * memory as the floor's, so that looking up addresses of table memory costs both the same.
 */
static void measure_all(struct report *report, unsigned nr_small)
{
	measure(report->scenarios, nr_small, report->sizes);
	if (report->nr_scenarios > nr_small)
		measure(report->scenarios + nr_small, report->nr_scenarios - nr_small, NULL);
}

/* Scenarios of large sweeps, where there is memory for them. Returns how many. */
static unsigned select_large(struct scenario **chosen)
{
	unsigned nr = select_from(scan_scenarios, chosen);

	if (!nr || memory_available() >= SCAN_BYTES)
		return nr;
	fputs("iopt-bench: less than 5 GiB of memory: the rows of large sweeps are left out\n",
	      stderr);
	return 0;
}

/* Tables of the engine in random order, as those of the floor are. */
static void shuffle_tables(uint64_t seed)
{
	struct iopt_posix_config config = { .bytes = ARENA_BYTES, .fd = -1, .shuffle = seed };
	int error = iopt_posix_setup(&config);

	if (error)
		DIE("iopt_posix_setup: %s", strerror(-error));
}

int main(int argc, char **argv)
{
	struct scenario *scenarios[MAX_SCENARIOS];
	struct sizes_result sizes[NR_SIZES];
	struct memory_result memory;
	struct report report = { .scenarios = scenarios };
	unsigned nr_small;

	argp_err_exit_status = 2;
	bench.rounds = DEFAULT_ROUNDS;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);

	report.nr_scenarios = select_from(map_scenarios, scenarios);
	report.nr_scenarios += select_from(lines_scenarios, scenarios + report.nr_scenarios);
	report.nr_scenarios += select_from(resize_scenarios, scenarios + report.nr_scenarios);
	report.nr_scenarios += select_from(sweep_scenarios, scenarios + report.nr_scenarios);
	report.nr_scenarios += select_from(format_scenarios(), scenarios + report.nr_scenarios);
	if (cpus() > 1)
		report.nr_scenarios +=
			select_from(thread_scenarios, scenarios + report.nr_scenarios);
	else
		fputs("iopt-bench: one processor: the rows of two threads are left out\n", stderr);
	nr_small = report.nr_scenarios;
	report.nr_scenarios += select_large(scenarios + nr_small);
	if (row_wanted("memory"))
		report.memory = &memory;
	if (row_wanted("amd-v1 sizes"))
		report.sizes = sizes;
	if (!report.nr_scenarios && !report.memory && !report.sizes) {
		fprintf(stderr, "iopt-bench: --rows %s: no row has such a name\n", bench.pattern);
		return 2;
	}

	report.seed = options.seed;
	bench.rng.state = options.seed;
	shuffle_tables(options.seed);
	pool_init(POOL_BYTES);
	limits_measure(&report.limits);
	if (report.memory)
		memory_measure(&memory);
	if (report.sizes)
		sizes_setup(sizes);
	measure_all(&report, nr_small);

	report_print(&report);
	if (options.json && report_json(&report, options.json)) {
		fprintf(stderr, "iopt-bench: %s: can't be written\n", options.json);
		return 2;
	}
	return options.strict && report_missed(&report) ? 1 : 0;
}
