/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * explore [OPTION...] [NAME...]: try all schedules of the scenarios, or of those whose names begin
 * with NAME. A row for each; a schedule that fails is printed step by step, with the string that
 * plays it again. The last line is "N passed, N failed"; exit status 1 if one failed, 2 for wrong
 * usage.
 *
 *   --states N       a scenario with more states than that (200000) is not gone through completely,
 *                    but with as many preemptions as fit into N states: switches away from a thread
 *                    that could have gone on. The row says how many.
 *   --preemptions N  no more than these, whatever fits
 *   --each           play each schedule, whether or not its states were seen before: to see that
 *                    nothing is missed by not doing so
 *   --play SCHEDULE  play one schedule of the scenario, and print it
 *   --list           print the names
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acts.h"
#include "trace.h"

#define MOST_STEPS  600u /* of one thread in a run */
#define MOST_STATES 200000u

struct options {
	int preemptions;
	uint64_t states;
	bool list;
	bool each;
	const char *play;
};

static const struct option long_options[] = {
	{ "list", no_argument, NULL, 'l' },	    { "preemptions", required_argument, NULL, 'p' },
	{ "states", required_argument, NULL, 's' }, { "each", no_argument, NULL, 'e' },
	{ "play", required_argument, NULL, 'y' },   { NULL, 0, NULL, 0 },
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void explore_as(const struct scenario *scenario, const struct limits *limits,
		       struct explored *result)
{
	struct cast cast;

	scenario_prepare(scenario, &cast);
	sched_explore(&cast, limits, result);
}

/* Print a schedule step by step. Returns whether it fails. */
static bool play(const struct scenario *scenario, const char *schedule)
{
	const struct limits limits = { -1, 0, false, MOST_STEPS, schedule };
	struct explored result;

	explore_as(scenario, &limits, &result);
	trace_end();
	if (*result.failure)
		printf("  %s\n", result.failure);
	else
		printf("  nothing goes wrong\n");
	return *result.failure;
}

/* A schedule that fails was found: look for one with the fewest preemptions, and print that. */
static void explain(const struct scenario *scenario, struct explored *result)
{
	for (int preemptions = 0; preemptions < (int)result->preemptions; preemptions++) {
		const struct limits limits = { preemptions, 1000000, false, MOST_STEPS, NULL };
		struct explored shorter;

		explore_as(scenario, &limits, &shorter);
		if (*shorter.failure)
			*result = shorter;
	}
	printf("  %s\n  again: explore --play %s '%s'\n", result->failure, result->schedule,
	       scenario->name);
	fflush(stdout);
	play(scenario, result->schedule);
}

/*
 * All schedules; where they are too many, those with as many preemptions as fit, which limits then
 * says.
 */
static void explore_most(const struct scenario *scenario, struct limits *limits,
			 struct explored *result)
{
	struct explored more;
	uint64_t runs;

	explore_as(scenario, limits, result);
	runs = result->runs;
	if (!result->cut || limits->preemptions >= 0)
		return;
	more = *result;
	while (more.cut ? limits->preemptions < 0 : !*more.failure) {
		limits->preemptions++;
		explore_as(scenario, limits, &more);
		runs += more.runs;
		if (!more.cut)
			*result = more;
	}
	limits->preemptions -= more.cut;
	result->runs = runs;
}

static void result_print(const struct scenario *scenario, const struct limits *limits,
			 const struct explored *result, double took)
{
	printf("%-60s ", scenario->name);
	if (*result->failure)
		printf("FAILS after %ju runs\n", (uintmax_t)result->runs);
	else if (result->cut)
		printf("CUT at %ju states\n", (uintmax_t)result->states);
	else {
		printf("%9.3g schedules %8ju states %8ju runs %6.2f s  complete", result->schedules,
		       (uintmax_t)result->states, (uintmax_t)result->runs, took);
		if (limits->preemptions >= 0)
			printf(" up to %d preemptions", limits->preemptions);
		printf("\n");
	}
}

static bool explore(const struct scenario *scenario, const struct options *options)
{
	struct limits limits = { options->preemptions, options->states, options->each, MOST_STEPS,
				 NULL };
	double start = seconds();
	struct explored result;

	explore_most(scenario, &limits, &result);
	result_print(scenario, &limits, &result, seconds() - start);
	if (*result.failure)
		explain(scenario, &result);
	fflush(stdout);
	return !*result.failure && !result.cut;
}

static bool chosen(const struct scenario *scenario, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strncmp(scenario->name, *names, strlen(*names)))
			return true;
	return false;
}

static int options_read(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'l': options->list = true; break;
		case 'p': options->preemptions = atoi(optarg); break;
		case 's': options->states = strtoull(optarg, NULL, 0); break;
		case 'e': options->each = true; break;
		case 'y': options->play = optarg; break;
		default: return 2;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = { .preemptions = -1, .states = MOST_STATES };
	unsigned passed = 0, failed = 0;

	if (options_read(argc, argv, &options)) {
		fprintf(stderr, "usage: explore [--list] [--preemptions N] [--states N] "
				"[--each] [--play SCHEDULE] [NAME...]\n");
		return 2;
	}
	for (unsigned i = 0; i < nr_scenarios; i++) {
		bool good = true;

		if (!chosen(&scenarios[i], argv + optind))
			continue;
		if (options.list)
			printf("%s\n", scenarios[i].name);
		else if (options.play)
			good = !play(&scenarios[i], options.play);
		else
			good = explore(&scenarios[i], &options);
		passed += good;
		failed += !good;
	}
	if (!passed && !failed) {
		fprintf(stderr, "explore: no scenario of that name; see explore --list\n");
		return 2;
	}
	if (!options.list)
		printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
