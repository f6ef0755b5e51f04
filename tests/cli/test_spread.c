/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A recording over and over, each mapping at a random place of 47 bits: whatever the format, a
 * domain ends with the tables that its live mappings need and no other, be it that each unmap gives
 * back what it empties or that a trim passes from time to time.
 *
 *     test-spread LOOPS RECORDING
 *
 * The last loop stops in the middle, where something is live.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"
#include "tools/iopt/calls.h"
#include "tools/iopt/ranges.h"

#define PAGE	   4096ull
#define SPREAD_LG2 47
#define IDLE_CALLS 5000u /* between two trims in the background */

/* How tables are given back. */
enum way { BY_UNMAP, BY_TRIM, NR_WAYS };

static const char *const way_names[NR_WAYS] = { "given back by unmap", "trimmed" };

static struct device devices[NR_FORMATS][NR_WAYS];

/* Of each recorded domain what is live, with its new place; and all places that are taken. */
static struct ranges live[CALLS_DOMAINS];
static struct ranges taken;
static uint64_t calls_made;

static void die(const char *what, int64_t result)
{
	fprintf(stderr, "test-spread: %s: %" PRId64 "\n", what, result);
	exit(EXIT_FAILURE);
}

static void must(int result, const char *what)
{
	if (result)
		die(what, result);
}

/* ---- every domain alike -------------------------------------------------------------------- */

static void map_everywhere(const struct call *call, uint64_t first)
{
	for (size_t f = usual(0); f < NR_FORMATS; f = usual(f + 1))
		for (unsigned way = 0; way < NR_WAYS; way++)
			must(iopt_map_sg(devices[f][way].domain, first, call->segments,
					 call->nr_segments, RW, NULL, NULL),
			     "map");
}

static void unmap_everywhere(uint64_t first, uint64_t last)
{
	for (size_t f = usual(0); f < NR_FORMATS; f = usual(f + 1)) {
		for (unsigned way = 0; way < NR_WAYS; way++) {
			struct iopt_domain *domain = devices[f][way].domain;
			struct iopt_gather gather;

			iopt_gather_init(&gather, domain, NULL);
			must(iopt_unmap(domain, first, last, way == BY_UNMAP ? IOPT_UNMAP_TRIM : 0,
					&gather, NULL),
			     "unmap");
			iopt_sync(&gather);
		}
	}
}

/* From time to time, all of it. */
static void trim_idle(void)
{
	for (size_t f = usual(0); f < NR_FORMATS; f = usual(f + 1)) {
		struct iopt_domain *domain = devices[f][BY_TRIM].domain;
		struct iopt_gather gather;

		iopt_gather_init(&gather, domain, NULL);
		must(iopt_trim(domain, 0, (1ull << 48) - 1, &gather, 0, NULL), "trim");
		iopt_sync(&gather);
	}
}

/* ---- from recorded places to random ones --------------------------------------------------- */

/* Alike in its lower bits, so that leaves are as large as they were. */
static uint64_t place_for(struct random *random, uint64_t first, uint64_t bytes)
{
	uint64_t low = (1ull << 21) - 1, place;

	do
		place = ((random_next(random) << 21) & ((1ull << SPREAD_LG2) - 1)) | (first & low);
	while (ranges_find(&taken, place, place + bytes - 1));
	return place;
}

static void remember(struct ranges *ranges, uint64_t first, uint64_t last, uint64_t place)
{
	struct range_node *node = ranges_add(ranges, first, last);

	if (!node || !ranges_add(&taken, place, place + (last - first)))
		die("no memory", 0);
	node->tag = place;
}

static void do_map(const struct call *call, struct random *random)
{
	uint64_t place = place_for(random, call->first, call->last - call->first + 1);

	map_everywhere(call, place);
	remember(&live[call->domain], call->first, call->last, place);
}

/* A part of a mapping goes; what is left of it on either side is kept in mind. */
static void forget(struct ranges *ranges, struct range_node *node, uint64_t first, uint64_t last)
{
	uint64_t begin = node->first, end = node->last, place = node->tag;
	uint64_t from = first > begin ? first : begin, to = last < end ? last : end;

	unmap_everywhere(place + (from - begin), place + (to - begin));
	ranges_remove(&taken, ranges_find(&taken, place, place));
	ranges_remove(ranges, node);
	if (from > begin)
		remember(ranges, begin, from - 1, place);
	if (to < end)
		remember(ranges, to + 1, end, place + (to + 1 - begin));
}

static void do_unmap(const struct call *call)
{
	struct ranges *ranges = &live[call->domain];
	struct range_node *node;

	while ((node = ranges_find(ranges, call->first, call->last)))
		forget(ranges, node, call->first, call->last);
}

static void do_call(const struct call *call, struct random *random)
{
	if (call->map)
		do_map(call, random);
	else
		do_unmap(call);
	free(call->segments);
	if (++calls_made % IDLE_CALLS == 0)
		trim_idle();
}

/* Up to so many calls; all, to where nothing is live, if there are not so many. */
static void replay(struct calls *calls, const char *path, struct random *random, uint64_t most)
{
	char error[TRACE_ERROR_BYTES];
	struct trace *trace = trace_open(path, error);
	struct call call;
	int more = 1;

	if (!trace) {
		fprintf(stderr, "test-spread: %s\n", error);
		exit(EXIT_FAILURE);
	}
	calls_start(calls, trace);
	while (most-- && (more = calls_next(calls, &call)) == 1)
		do_call(&call, random);
	if (more < 0) {
		fprintf(stderr, "test-spread: %s: %s\n", path, calls_error(calls));
		exit(EXIT_FAILURE);
	}
	while (!more && calls_finish(calls, &call))
		do_call(&call, random);
	trace_close(trace);
}

/* ---- what the live mappings need ----------------------------------------------------------- */

/*
 * Tables above the leaves of a domain: at each level from a leaf's own up to the top, one for every
 * place. Leaves come in ascending order.
 */
static uint64_t tables_needed(struct iopt_domain *domain, const char *format)
{
	const struct iopt_format_info *info = iopt_format_find(format);
	uint64_t last[IOPT_MAX_LEVELS], needed = 0;
	struct iopt_item items[256];
	struct iopt_visit visit;
	struct iopt_hw hw;

	memset(last, 0xff, sizeof(last));
	iopt_hw(domain, &hw);
	iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_LEAVES);
	while (!visit.done) {
		size_t nr = iopt_visit(domain, &visit, items, 256);

		for (size_t i = 0; i < nr; i++) {
			for (unsigned level = items[i].level; level < hw.levels; level++) {
				uint64_t place = items[i].first >> (info->granule_lg2 +
								    (level + 1) * info->index_lg2);

				needed += place != last[level];
				last[level] = place;
			}
		}
	}
	return needed ? needed : 1; /* the top stays */
}

static bool check(size_t f, unsigned way)
{
	struct iopt_domain *domain = devices[f][way].domain;
	uint64_t needed = tables_needed(domain, formats[f]);
	struct iopt_stats stats;

	iopt_stats(domain, &stats);
	printf("%-7s tables %-20s %6" PRIu64 " of %6" PRIu64 " at most, live mappings need %" PRIu64
	       "\n",
	       formats[f], way_names[way], stats.tables, stats.tables_peak, needed);
	return stats.tables == needed;
}

static void open_domains(void)
{
	for (size_t f = usual(0); f < NR_FORMATS; f = usual(f + 1)) {
		const struct iopt_config config = { .format = formats[f],
						    .levels = 4,
						    .flags = IOPT_SPLIT };

		for (unsigned way = 0; way < NR_WAYS; way++)
			must(device_create(&devices[f][way], &config), "create");
	}
}

int main(int argc, char **argv)
{
	struct calls *calls = calls_create();
	unsigned loops = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	struct random random;
	bool good = true;

	if (argc != 3 || !loops || !calls) {
		fputs("usage: test-spread LOOPS RECORDING\n", stderr);
		return 2;
	}
	random_seed(&random, 1);
	open_domains();
	for (unsigned loop = 0; loop < loops; loop++)
		replay(calls, argv[2], &random, ~0ull);
	replay(calls, argv[2], &random, calls_made / loops / 2);
	trim_idle();
	printf("%" PRIu64 " calls, %zu mappings live\n", calls_made, taken.nr);
	for (size_t f = usual(0); f < NR_FORMATS; f = usual(f + 1))
		for (unsigned way = 0; way < NR_WAYS; way++)
			good &= check(f, way);
	if (!taken.nr)
		die("nothing is live at the end: nothing was shown", 0);
	for (size_t f = usual(0); f < NR_FORMATS; f = usual(f + 1))
		for (unsigned way = 0; way < NR_WAYS; way++)
			iopt_destroy(devices[f][way].domain);
	for (unsigned i = 0; i < CALLS_DOMAINS; i++)
		ranges_free(&live[i]);
	ranges_free(&taken);
	calls_destroy(calls);
	return good && memory_idle() ? EXIT_SUCCESS : EXIT_FAILURE;
}
