/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A recording of Linux's DMA layer, replayed through a unit: what was mapped is written to by a
 * device, at its first word and at its last one, each recorded domain has a device of its own, and
 * unmaps are turned into the unit's commands, as they come or several together.
 *
 *     test_hw_replay RECORDING
 *
 * Prints how many commands that takes for each unmapped page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"
#include "tools/iopt/calls.h"
#include "tools/iopt/ranges.h"

#define PAGE	     4096ull
#define DATA_BYTES   (HW_RAM_BYTES - HW_DATA)
#define MOST_DOMAINS 16u
#define MOST_DMA     64u

/**
 * struct way - a way to replay
 * @name:   for people
 * @unit:   through which unit
 * @config: of all domains
 * @unmaps: so many share a gather
 */
struct way {
	const char *name;
	const struct hw_unit *unit;
	struct iopt_config config;
	unsigned unmaps;
};

static const struct way ways[] = {
	{ "vtd-ss, each at once", &hw_vtd_legacy, { .format = "vtd-ss", .levels = 4 }, 1 },
	{ "vtd-ss, 64 together", &hw_vtd_legacy, { .format = "vtd-ss", .levels = 4 }, 64 },
	{ "amd-v1, each at once", &hw_amd, { .format = "amd-v1", .levels = 3 }, 1 },
	{ "arm-s1, each at once",
	  &hw_smmuv3,
	  { .format = "arm-s1", .levels = 4, .pa_lg2 = 44, .bbm = 2 },
	  1 },
	{ "riscv-s1, each at once", &hw_riscv, { .format = "riscv-s1", .levels = 4 }, 1 },
};

/**
 * struct place - a recorded domain, and the device that is attached to it
 * @domain: it
 * @gather: of unmaps that were not synced
 * @nr:     how many
 * @owed:   their ranges, which must not be mapped before
 */
struct place {
	struct hw_domain domain;
	struct iopt_gather gather;
	unsigned nr;
	struct ranges owed;
};

static struct replay {
	const struct way *way;
	struct hw *hw;
	struct place places[MOST_DOMAINS];
	unsigned nr_places;
	struct hw_dma dma[MOST_DMA];
	unsigned nr_dma;
	uint64_t landed;
	uint64_t pages;
	uint64_t maps;
} r;

static const char *recording;

/* ---- what is on its way --------------------------------------------------------------------- */

static void write_all(void)
{
	hw_dma(r.hw, r.dma, r.nr_dma);
	for (unsigned i = 0; i < r.nr_dma; i++)
		if (r.dma[i].result != HW_LANDED)
			fail_msg("a write of domain %u to 0x%jx %s", r.dma[i].device,
				 (uintmax_t)r.dma[i].iova,
				 r.dma[i].result == HW_FAULTED ? "faults" : "lands elsewhere");
	r.landed += r.nr_dma;
	r.nr_dma = 0;
}

static void write_to(const struct place *place, uint64_t iova)
{
	struct iopt_translation at;

	assert_int_equal(iopt_translate(place->domain.iopt, iova, &at), 0);
	if (r.nr_dma == MOST_DMA)
		write_all();
	r.dma[r.nr_dma++] = (struct hw_dma){
		.device = (unsigned)(place - r.places), .iova = iova, .pa = at.pa, .bytes = 4
	};
}

static void sync_place(struct place *place)
{
	struct range_node *node;

	iopt_sync(&place->gather);
	while ((node = ranges_find(&place->owed, 0, ~0ull)))
		ranges_remove(&place->owed, node);
	place->nr = 0;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static struct place *place_of(const struct call *call)
{
	assert_in_range(call->domain, 0, MOST_DOMAINS - 1);
	for (; r.nr_places <= call->domain; r.nr_places++) {
		struct place *place = &r.places[r.nr_places];

		assert_int_equal(hw_domain_init(&place->domain, r.hw, &r.way->config,
						(uint16_t)(r.nr_places + 1)),
				 0);
		hw_attach(r.hw, &r.hw->devices[r.nr_places], &place->domain);
		iopt_gather_init(&place->gather, place->domain.iopt, NULL);
	}
	return &r.places[call->domain];
}

/* The recorded machine's memory is folded into this one's. */
static uint64_t folded(const struct call *call, unsigned i)
{
	uint64_t room = DATA_BYTES - call->segments[i].bytes;

	return r.hw->ram_base + HW_DATA + (call->segments[i].pa % room & -PAGE);
}

static void do_map(const struct call *call)
{
	struct place *place = place_of(call);

	if (ranges_find(&place->owed, call->first, call->last))
		sync_place(place);
	for (unsigned i = 0; i < call->nr_segments; i++)
		call->segments[i].pa = folded(call, i);
	assert_int_equal(iopt_map_sg(place->domain.iopt, call->first, call->segments,
				     call->nr_segments, IOPT_READ | IOPT_WRITE, NULL, NULL),
			 0);
	write_to(place, call->first);
	write_to(place, call->last - 3);
	r.maps++;
}

static void do_unmap(const struct call *call)
{
	struct place *place = place_of(call);

	for (unsigned i = 0; i < r.nr_dma; i++)
		if (r.dma[i].iova >= call->first && r.dma[i].iova <= call->last)
			write_all();
	assert_int_equal(iopt_unmap(place->domain.iopt, call->first, call->last, 0, &place->gather,
				    NULL),
			 0);
	r.pages += call->bytes / PAGE;
	if (++place->nr == r.way->unmaps)
		sync_place(place);
	else if (!ranges_find(&place->owed, call->first, call->last))
		assert_non_null(ranges_add(&place->owed, call->first, call->last));
}

static void do_call(const struct call *call)
{
	if (call->map)
		do_map(call);
	else
		do_unmap(call);
	free(call->segments);
}

static void replay(struct calls *calls)
{
	char error[TRACE_ERROR_BYTES];
	struct trace *trace = trace_open(recording, error);
	struct call call;
	int more;

	if (!trace)
		fail_msg("%s", error);
	calls_start(calls, trace);
	while ((more = calls_next(calls, &call)) == 1)
		do_call(&call);
	if (more < 0)
		fail_msg("%s: %s", recording, calls_error(calls));
	while (calls_finish(calls, &call))
		do_call(&call);
	trace_close(trace);
}

static void recording_through_a_unit(void **state)
{
	struct calls *calls = calls_create();
	uint64_t before;

	assert_non_null(calls);
	memset(&r, 0, sizeof(r));
	r.way = *state;
	r.hw = hw_start(r.way->unit, MOST_DOMAINS);
	before = r.hw->commands;
	replay(calls);
	write_all();
	for (unsigned i = 0; i < r.nr_places; i++)
		sync_place(&r.places[i]);
	printf("%-24s %8ju maps, %8ju pages unmapped, %7ju writes, %.3f commands a page\n",
	       r.way->name, (uintmax_t)r.maps, (uintmax_t)r.pages, (uintmax_t)r.landed,
	       (double)(r.hw->commands - before) / (double)r.pages);
	for (unsigned i = 0; i < r.nr_places; i++) {
		hw_attach(r.hw, &r.hw->devices[i], NULL);
		ranges_free(&r.places[i].owed);
		hw_domain_fini(&r.places[i].domain);
	}
	calls_destroy(calls);
	hw_stop(r.hw);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[sizeof(ways) / sizeof(*ways)];

	if (argc != 2) {
		fputs("usage: test_hw_replay RECORDING\n", stderr);
		return 2;
	}
	if (hw_missing(hw_available()))
		return 77;
	recording = argv[1];
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		tests[i] = (struct CMUnitTest){ .name = ways[i].name,
						.test_func = recording_through_a_unit,
						.initial_state = (void *)&ways[i] };
	return cmocka_run_group_tests_name("hw: replay", tests, NULL, NULL);
}
