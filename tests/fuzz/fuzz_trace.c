/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Fuzzer of what reads recordings: decompression, lines, events, calls. With libFuzzer, or linked
 * with replay_corpus.c to run what was found before under any compiler.
 *
 * Whatever the bytes are: no crash, no leak, an error of one line, and calls that make sense.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/calls.h"
#include "tools/iopt/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void check_message(const char *message)
{
	must(message && *message && !strchr(message, '\n') && strlen(message) < TRACE_ERROR_BYTES);
}

/* A call is a range; a map's segments tile it; nothing is mapped twice, what is unmapped was there.
 *  */
static void check_call(const struct calls *calls, struct ranges *live, const struct call *call)
{
	struct range_node *node;
	uint64_t bytes = 0;

	must(call->domain < calls_domains(calls) && call->first <= call->last);
	must(!(call->first % TRACE_GRANULE) && call->last % TRACE_GRANULE == TRACE_GRANULE - 1);
	for (uint32_t i = 0; i < call->nr_segments; i++) {
		must(call->segments[i].bytes && !(call->segments[i].bytes % TRACE_GRANULE) &&
		     !(call->segments[i].pa % TRACE_GRANULE));
		bytes += call->segments[i].bytes;
	}
	live += call->domain;
	node = ranges_find(live, call->first, call->last);
	if (call->map) {
		must(bytes - 1 == call->last - call->first && call->nr_segments && !node);
		ranges_add(live, call->first, call->last);
		return;
	}
	must(node && !call->nr_segments);
	while ((node = ranges_find(live, call->first, call->last))) {
		struct range_node old = *node;

		ranges_remove(live, node);
		if (old.first < call->first)
			ranges_add(live, old.first, call->first - 1);
		if (old.last > call->last)
			ranges_add(live, call->last + 1, old.last);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char error[TRACE_ERROR_BYTES] = "";
	struct trace *trace = trace_open_memory("memory", bytes, size, error);
	struct ranges *live;
	struct calls *calls;
	struct call call;
	int result;

	if (!trace) {
		check_message(error);
		return 0;
	}
	calls = calls_create();
	live = calloc(CALLS_DOMAINS, sizeof(*live));
	must(calls && live);
	calls_start(calls, trace);
	while ((result = calls_next(calls, &call)) > 0) {
		check_call(calls, live, &call);
		free(call.segments);
	}
	if (result < 0)
		check_message(calls_error(calls));
	while (!result && calls_finish(calls, &call))
		check_call(calls, live, &call);
	for (unsigned i = 0; i < CALLS_DOMAINS; i++) {
		must(result < 0 || !live[i].root);
		ranges_free(&live[i]);
	}
	free(live);
	calls_destroy(calls);
	trace_close(trace);
	return 0;
}
