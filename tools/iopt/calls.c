/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From events to calls. See calls.h for what is joined and inferred, and why.
 *
 * Order: calls leave in the order in which their events were read, but for a scatter list, which
 * leaves when its last segment is known; any call that touches its range sends it off first.
 */
#include "tools/iopt/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/ranges.h"

/* Events read ahead at the start, to learn what the recording holds. */
#define WINDOW	    4096u
/* Probes that wait for their event. Interrupts nest a few calls deep; a failed call's probe stays.
 *  */
#define PROBES	    64u
/* Segments of one list follow each other closely. */
#define LIST_GAP_NS 1000000u
#define OPEN_LISTS  64u

/* A scatter list whose end isn't known yet. One a CPU. */
struct open_list {
	struct call call; /* nr_segments 0: none */
	uint64_t ns;	  /* of the last segment */
	uint32_t room;
};

struct domain {
	uint64_t address;   /* 0: inferred */
	struct ranges live; /* tag: the line that mapped it */
};

struct queue {
	struct call *calls;
	size_t at, nr, room;
};

struct calls {
	struct trace *trace;
	struct trace_event window[WINDOW];
	unsigned window_at, window_nr;
	bool take_probe_maps; /* there are no map events: the probes are the calls */
	bool take_probe_unmaps;
	bool names_domains; /* there are probes */
	unsigned scale_lg2;
	uint64_t lost_line; /* the last line that said that events were lost */
	bool ended;
	struct trace_event probes[PROBES]; /* oldest first */
	unsigned probe_nr;
	struct open_list lists[OPEN_LISTS];
	unsigned cpus;
	uint32_t cpu_ids[OPEN_LISTS];
	struct domain domains[CALLS_DOMAINS];
	unsigned nr_domains;
	struct queue queue;
	struct calls_counts counts;
	const char *error;
};

static void tally(struct calls_tally *counter, uint64_t line)
{
	if (!counter->nr++)
		counter->line = line;
}

/* ---- calls that leave ------------------------------------------------------------------------ */

static int no_memory(struct calls *calls)
{
	calls->error = "no memory for what is mapped";
	return -1;
}

static int push(struct calls *calls, const struct call *call)
{
	struct queue *queue = &calls->queue;

	if (queue->at == queue->nr)
		queue->at = queue->nr = 0;
	if (queue->nr == queue->room) {
		size_t room = queue->room ? 2 * queue->room : 64;
		struct call *more = realloc(queue->calls, room * sizeof(*more));

		if (!more)
			return no_memory(calls);
		queue->calls = more;
		queue->room = room;
	}
	queue->calls[queue->nr++] = *call;
	return 0;
}

static bool pop(struct calls *calls, struct call *call)
{
	struct queue *queue = &calls->queue;

	if (queue->at == queue->nr)
		return false;
	*call = queue->calls[queue->at++];
	return true;
}

/* A list is complete. */
static int send_list(struct calls *calls, struct open_list *list)
{
	struct call call = list->call;

	if (!call.nr_segments)
		return 0;
	*list = (struct open_list){ 0 };
	return push(calls, &call);
}

/* Send off all lists that overlap a range. */
static int send_lists(struct calls *calls, uint32_t domain, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < calls->cpus; i++) {
		struct call *call = &calls->lists[i].call;

		if (call->nr_segments && call->domain == domain && call->first <= last &&
		    call->last >= first && send_list(calls, &calls->lists[i]))
			return -1;
	}
	return 0;
}

/* The slot of a CPU. CPUs beyond the 64th share the last one: lists join less often. */
static unsigned cpu_slot(struct calls *calls, uint32_t cpu)
{
	for (unsigned i = 0; i < calls->cpus; i++)
		if (calls->cpu_ids[i] == cpu)
			return i;
	if (calls->cpus == OPEN_LISTS)
		return OPEN_LISTS - 1;
	calls->cpu_ids[calls->cpus] = cpu;
	return calls->cpus++;
}

/* ---- domains --------------------------------------------------------------------------------- */

static int new_domain(struct calls *calls, uint64_t address)
{
	if (calls->nr_domains == CALLS_DOMAINS) {
		calls->error = "more than 1024 domains; expected the recording of one machine";
		return -1;
	}
	calls->domains[calls->nr_domains] = (struct domain){ .address = address };
	return (int)calls->nr_domains++;
}

static int find_domain(struct calls *calls, uint64_t address)
{
	for (unsigned i = 0; i < calls->nr_domains; i++)
		if (calls->domains[i].address == address)
			return (int)i;
	return new_domain(calls, address);
}

/* The domain that the probes of an event's own call named; they are used up. 0: none. */
static uint64_t probe_domain(struct calls *calls, const struct trace_event *event)
{
	enum trace_kind kind = event->kind == TRACE_MAP ? TRACE_PROBE_MAP : TRACE_PROBE_UNMAP;
	uint64_t domain = 0;
	unsigned kept = 0;

	/* The newest that fits names the domain; a call in pieces has several. */
	for (unsigned i = 0; i < calls->probe_nr; i++) {
		const struct trace_event *probe = &calls->probes[i];

		if (probe->kind == kind && probe->cpu == event->cpu &&
		    probe->first >= event->first && probe->last <= event->last)
			domain = probe->domain;
	}
	if (!domain)
		return 0;
	for (unsigned i = 0; i < calls->probe_nr; i++) {
		const struct trace_event *probe = &calls->probes[i];

		if (probe->kind == kind && probe->cpu == event->cpu && probe->domain == domain &&
		    probe->first >= event->first && probe->last <= event->last)
			calls->counts.probes++;
		else
			calls->probes[kept++] = *probe;
	}
	calls->probe_nr = kept;
	return domain;
}

static void keep_probe(struct calls *calls, const struct trace_event *event)
{
	if (calls->probe_nr == PROBES) {
		calls->counts.probes_alone++;
		memmove(calls->probes, calls->probes + 1, (PROBES - 1) * sizeof(*event));
		calls->probe_nr--;
	}
	calls->probes[calls->probe_nr++] = *event;
}

/* ---- maps ------------------------------------------------------------------------------------ */

/* Unmap what is live in a range, whole mappings: their unmap was lost. */
static int imply_unmaps(struct calls *calls, uint32_t domain, const struct trace_event *event)
{
	struct ranges *live = &calls->domains[domain].live;
	struct range_node *node;

	while ((node = ranges_find(live, event->first, event->last))) {
		struct call call = { .implied = true,
				     .domain = domain,
				     .first = node->first,
				     .last = node->last,
				     .bytes = node->last - node->first + 1,
				     .line = event->line,
				     .ns = event->ns,
				     .cpu = event->cpu,
				     .task = event->task };

		if (send_lists(calls, domain, node->first, node->last) || push(calls, &call))
			return -1;
		ranges_remove(live, node);
	}
	return 0;
}

/*
 * The domain of a map that names none: the lowest one where its range is free; another one is
 * opened if there is none. But what was mapped before events were lost may be gone since.
 */
static int infer_map(struct calls *calls, const struct trace_event *event)
{
	unsigned inferred = 0;

	for (unsigned i = 0; i < calls->nr_domains; i++) {
		struct range_node *node;

		inferred += !calls->domains[i].address;
		node = ranges_find(&calls->domains[i].live, event->first, event->last);
		if (!node || node->time < calls->lost_line) {
			if (i || node)
				tally(&calls->counts.inferred_maps, event->line);
			return (int)i;
		}
	}
	if (calls->nr_domains)
		tally(&calls->counts.inferred_maps, event->line);
	return inferred < CALLS_INFERRED ? new_domain(calls, 0) : 0;
}

/*
 * Does this segment continue the list of its CPU? Linux joins neighbours that are physically
 * contiguous itself, so one that continues both addresses begins another call: the two may be
 * unmapped one by one and must not share a leaf.
 */
static bool continues(const struct open_list *list, const struct trace_event *event)
{
	const struct call *call = &list->call;
	const struct iopt_segment *last;

	if (!call->nr_segments || call->nr_segments == CALL_SEGMENTS || call->task != event->task ||
	    call->last == UINT64_MAX || event->first != call->last + 1 ||
	    event->ns - list->ns > LIST_GAP_NS)
		return false;
	last = &call->segments[call->nr_segments - 1];
	return last->pa + last->bytes != event->pa;
}

static int add_segment(struct calls *calls, struct open_list *list, const struct trace_event *event)
{
	struct call *call = &list->call;

	if (call->nr_segments == list->room) {
		uint32_t room = list->room ? 4 * list->room : 1;
		struct iopt_segment *more = realloc(call->segments, room * sizeof(*more));

		if (!more)
			return no_memory(calls);
		call->segments = more;
		list->room = room;
	}
	call->segments[call->nr_segments++] =
		(struct iopt_segment){ event->pa, event->last - event->first + 1 };
	call->bytes += event->last - event->first + 1;
	call->last = event->last;
	list->ns = event->ns;
	return 0;
}

static int begin_list(struct calls *calls, struct open_list *list, uint32_t domain,
		      const struct trace_event *event)
{
	if (send_list(calls, list))
		return -1;
	list->call = (struct call){ .map = true,
				    .domain = domain,
				    .first = event->first,
				    .line = event->line,
				    .ns = event->ns,
				    .cpu = event->cpu,
				    .task = event->task };
	return add_segment(calls, list, event);
}

static int add_map(struct calls *calls, const struct trace_event *event, uint64_t address)
{
	struct open_list *list = &calls->lists[cpu_slot(calls, event->cpu)];
	bool joins = continues(list, event);
	struct range_node *node;
	int domain;

	calls->counts.maps++;
	if (address) {
		domain = find_domain(calls, address);
	} else {
		if (calls->names_domains)
			tally(&calls->counts.without_domain, event->line);
		domain = joins ? (int)list->call.domain : infer_map(calls, event);
	}
	if (domain < 0)
		return -1;
	joins = joins && list->call.domain == (uint32_t)domain;
	if (ranges_find(&calls->domains[domain].live, event->first, event->last)) {
		tally(&calls->counts.maps_over_live, event->line);
		if (imply_unmaps(calls, (uint32_t)domain, event))
			return -1;
		joins = false;
	}
	node = ranges_add(&calls->domains[domain].live, event->first, event->last);
	if (!node)
		return no_memory(calls);
	node->time = event->line;
	calls->counts.segments_joined += joins;
	return joins ? add_segment(calls, list, event)
		     : begin_list(calls, list, (uint32_t)domain, event);
}

/* ---- unmaps ---------------------------------------------------------------------------------- */

enum fit { FITS_NOT, OVERLAPS, FITS };

/* How a range fits what is live in a domain, and when the newest of that was mapped. */
static enum fit fits(const struct domain *domain, uint64_t first, uint64_t last, uint64_t *newest)
{
	struct range_node *node = ranges_find(&domain->live, first, last);
	bool tiles = node && node->first == first;
	uint64_t end = 0;

	*newest = 0;
	if (!node)
		return FITS_NOT;
	for (; node; node = ranges_next(&domain->live, node, last)) {
		if (end && node->first != end + 1)
			tiles = false;
		end = node->last;
		if (node->time > *newest)
			*newest = node->time;
	}
	return tiles && end == last ? FITS : OVERLAPS;
}

/* The domain of an unmap that names none: of those it fits best, the one with the newest mapping.
 *  */
static int infer_unmap(struct calls *calls, const struct trace_event *event)
{
	enum fit best = FITS_NOT;
	uint64_t best_time = 0;
	unsigned candidates = 0;
	int found = -1;

	for (unsigned i = 0; i < calls->nr_domains; i++) {
		uint64_t time;
		enum fit fit = fits(&calls->domains[i], event->first, event->last, &time);

		candidates += fit == FITS;
		if (fit > best || (fit && fit == best && time > best_time)) {
			best = fit;
			best_time = time;
			found = (int)i;
		}
	}
	if (calls->names_domains)
		tally(&calls->counts.without_domain, event->line);
	else if (candidates > 1)
		tally(&calls->counts.inferred_unmaps, event->line);
	return found;
}

/* Take a range out of what is live; what is left of mappings at its ends stays. */
static int cut_live(struct calls *calls, struct ranges *live, struct call *call)
{
	uint64_t first = call->first, last = call->last;
	struct range_node *node;

	while ((node = ranges_find(live, first, last))) {
		struct range_node old = *node, *rest;

		ranges_remove(live, node);
		call->bytes += (old.last < last ? old.last : last) -
			       (old.first > first ? old.first : first) + 1;
		if (old.first < first) {
			rest = ranges_add(live, old.first, first - 1);
			if (!rest)
				return no_memory(calls);
			rest->time = old.time;
		}
		if (old.last > last) {
			rest = ranges_add(live, last + 1, old.last);
			if (!rest)
				return no_memory(calls);
			rest->time = old.time;
		}
	}
	return 0;
}

static int add_unmap(struct calls *calls, const struct trace_event *event, uint64_t address)
{
	uint64_t last = event->last, time;
	struct call call;
	enum fit fit;
	int domain;

	calls->counts.unmaps++;
	/* Linux stops at a hole, and says how far it came. */
	if (event->unmapped && event->unmapped < last - event->first + 1)
		last = event->first + event->unmapped - 1;
	domain = address ? find_domain(calls, address) : infer_unmap(calls, event);
	if (address && domain < 0)
		return -1;
	fit = domain < 0 ? FITS_NOT : fits(&calls->domains[domain], event->first, last, &time);
	if (!event->unmapped || fit == FITS_NOT) {
		tally(&calls->counts.unknown_unmaps, event->line);
		return 0;
	}
	if (fit == OVERLAPS)
		tally(&calls->counts.ragged_unmaps, event->line);
	call = (struct call){ .domain = (uint32_t)domain,
			      .first = event->first,
			      .last = last,
			      .line = event->line,
			      .ns = event->ns,
			      .cpu = event->cpu,
			      .task = event->task };
	if (send_lists(calls, call.domain, call.first, call.last) ||
	    cut_live(calls, &calls->domains[domain].live, &call))
		return -1;
	return push(calls, &call);
}

/* ---- events ---------------------------------------------------------------------------------- */

static int add_event(struct calls *calls, const struct trace_event *event)
{
	switch (event->kind) {
	case TRACE_MAP: return add_map(calls, event, probe_domain(calls, event));
	case TRACE_UNMAP: return add_unmap(calls, event, probe_domain(calls, event));
	case TRACE_PROBE_MAP:
		if (calls->take_probe_maps)
			return add_map(calls, event, event->domain);
		keep_probe(calls, event);
		return 0;
	case TRACE_PROBE_UNMAP:
		if (calls->take_probe_unmaps)
			return add_unmap(calls, event, event->domain);
		keep_probe(calls, event);
		return 0;
	case TRACE_LOST: calls->lost_line = event->line; return 0;
	}
	return 0;
}

/* As trace_next(), multiplied. */
static int scaled_event(struct calls *calls, struct trace_event *event)
{
	int result = trace_next(calls->trace, event);

	if (result <= 0) {
		if (result)
			calls->error = trace_error(calls->trace);
		return result;
	}
	if (calls->scale_lg2 && (event->last | event->pa) >> (64 - calls->scale_lg2)) {
		calls->error = "an address is too large to be multiplied for pages of this size";
		return -1;
	}
	event->first <<= calls->scale_lg2;
	event->last = ((event->last + 1) << calls->scale_lg2) - 1;
	event->unmapped <<= calls->scale_lg2;
	event->pa <<= calls->scale_lg2;
	return result;
}

/* Read ahead, and see which kinds of events there are. */
static int fill_window(struct calls *calls)
{
	bool seen[TRACE_LOST + 1] = { false };
	int result = 1;

	while (calls->window_nr < WINDOW &&
	       (result = scaled_event(calls, &calls->window[calls->window_nr])) > 0) {
		seen[calls->window[calls->window_nr].kind] = true;
		cpu_slot(calls, calls->window[calls->window_nr].cpu);
		calls->window_nr++;
	}
	calls->take_probe_maps = !seen[TRACE_MAP];
	calls->take_probe_unmaps = !seen[TRACE_UNMAP];
	calls->names_domains = seen[TRACE_PROBE_MAP] || seen[TRACE_PROBE_UNMAP];
	calls->ended = !result;
	return result < 0 ? -1 : 0;
}

static int next_event(struct calls *calls, struct trace_event *event)
{
	int result;

	if (calls->window_at < calls->window_nr) {
		*event = calls->window[calls->window_at++];
		return 1;
	}
	if (calls->ended)
		return 0;
	result = scaled_event(calls, event);
	calls->ended = !result;
	return result;
}

int calls_next(struct calls *calls, struct call *call)
{
	struct trace_event event;
	int result;

	while (!pop(calls, call)) {
		if (calls->error)
			return -1;
		result = next_event(calls, &event);
		if (result < 0)
			return -1;
		if (result) {
			if (add_event(calls, &event))
				return -1;
			continue;
		}
		for (unsigned i = 0; i < calls->cpus; i++)
			if (send_list(calls, &calls->lists[i]))
				return -1;
		if (calls->queue.at == calls->queue.nr) {
			calls->counts.probes_alone += calls->probe_nr;
			calls->probe_nr = 0;
			return 0;
		}
	}
	return 1;
}

int calls_finish(struct calls *calls, struct call *call)
{
	for (unsigned i = 0; i < calls->nr_domains; i++) {
		struct range_node *node = calls->domains[i].live.root;

		if (!node)
			continue;
		*call = (struct call){ .implied = true,
				       .domain = i,
				       .first = node->first,
				       .last = node->last,
				       .bytes = node->last - node->first + 1,
				       .line = node->time };
		ranges_remove(&calls->domains[i].live, node);
		calls->counts.left++;
		return 1;
	}
	return 0;
}

/* ---- the object ------------------------------------------------------------------------------ */

void calls_scale(struct calls *calls, unsigned scale_lg2)
{
	calls->scale_lg2 = scale_lg2;
}

struct calls *calls_create(void)
{
	return calloc(1, sizeof(struct calls));
}

void calls_start(struct calls *calls, struct trace *trace)
{
	calls->trace = trace;
	calls->window_at = calls->window_nr = 0;
	calls->ended = false;
	calls->lost_line = 0;
	calls->probe_nr = 0;
	fill_window(calls);
}

void calls_destroy(struct calls *calls)
{
	struct call call;

	if (!calls)
		return;
	while (pop(calls, &call))
		free(call.segments);
	for (unsigned i = 0; i < OPEN_LISTS; i++)
		free(calls->lists[i].call.segments);
	for (unsigned i = 0; i < calls->nr_domains; i++)
		ranges_free(&calls->domains[i].live);
	free(calls->queue.calls);
	free(calls);
}

const char *calls_error(const struct calls *calls)
{
	return calls->error;
}

const struct calls_counts *calls_counts(const struct calls *calls)
{
	return &calls->counts;
}

unsigned calls_domains(const struct calls *calls)
{
	return calls->nr_domains;
}

uint64_t calls_domain(const struct calls *calls, unsigned domain)
{
	return calls->domains[domain].address;
}

unsigned calls_cpus(const struct calls *calls)
{
	return calls->cpus;
}
