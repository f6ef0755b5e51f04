/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One way of tracking what devices write to a guest's memory. See tracker.h.
 */
#include "tools/iopt/tracker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/latency.h"

#define PAGE_LG2 12u

struct tracker_domain {
	struct tracker *tracker;
	uint32_t index; /* pinned: 0; else the guest's number of it */
	struct iopt_domain *engine;
	struct soft_iommu_domain *soft;
	struct soft_iommu_device *device;
	struct iopt_gather gather; /* of unmaps */
	struct iopt_sink sink;
};

/* ---- bitmaps --------------------------------------------------------------------------------- */

static void set_page(uint64_t *words, uint64_t pa)
{
	words[pa >> (PAGE_LG2 + 6)] |= 1ULL << (pa >> PAGE_LG2 & 63);
}

static uint64_t count_bytes(const uint64_t *words, uint64_t nr)
{
	uint64_t pages = 0;

	for (uint64_t i = 0; i < nr; i++)
		pages += (uint64_t)__builtin_popcountll(words[i]);
	return pages << PAGE_LG2;
}

/* Leaves that were reported and have no page that was written. */
static uint64_t count_in_vain(const struct tracker *tracker)
{
	uint64_t step, nr = 0;

	if (tracker->config.leaf_lg2 == PAGE_LG2) {
		for (uint64_t i = 0; i < tracker->words; i++)
			nr += (uint64_t)__builtin_popcountll(tracker->reported[i] &
							     ~tracker->written[i]);
		return nr;
	}
	step = 1ULL << (tracker->config.leaf_lg2 - PAGE_LG2 - 6);
	for (uint64_t at = 0; at < tracker->words; at += step) {
		uint64_t reported = 0, written = 0;

		for (uint64_t i = at; i < at + step; i++) {
			reported |= tracker->reported[i];
			written |= tracker->written[i];
		}
		nr += reported && !written;
	}
	return nr;
}

static void judge(struct tracker *tracker)
{
	for (uint64_t i = 0; i < tracker->words; i++)
		tracker->lost +=
			(uint64_t)__builtin_popcountll(tracker->written[i] & ~tracker->reported[i]);
	tracker->in_vain += count_in_vain(tracker);
}

/* As the guest maps: a dirty range of one of its domains. Also while an unmap is not synced yet. */
static int record(void *ctx, uint64_t first, uint64_t last)
{
	struct tracker_domain *domain = ctx;
	struct tracker *tracker = domain->tracker;

	for (uint64_t page = first >> PAGE_LG2; page <= last >> PAGE_LG2; page++) {
		uint64_t pa =
			tracker->config.pa(tracker->config.ctx, domain->index, page << PAGE_LG2);

		if (pa < tracker->config.ram)
			set_page(tracker->reported, pa);
		else if (pa == UINT64_MAX)
			tracker->in_vain++;
	}
	return 0;
}

/* ---- domains --------------------------------------------------------------------------------- */

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	struct tracker_domain *domain = ctx;

	soft_iommu_invalidate(domain->soft, gather);
}

static void top_changed(void *ctx, struct iopt_domain *engine)
{
	struct tracker_domain *domain = ctx;
	struct iopt_hw hw;

	iopt_hw(engine, &hw);
	/* A root that the soft-iommu refuses shows as writes that are refused. */
	(void)soft_iommu_set_root(domain->soft, &hw);
}

static int fill_domain(struct tracker_domain *domain, uint32_t flags)
{
	const struct tracker_config *config = &domain->tracker->config;
	struct iopt_config engine = {
		.format = config->format->name,
		.levels = (uint8_t)config->levels,
		.page_sizes = config->guest ? 1u << 12 : 1u << 12 | 1u << 21 | 1u << 30,
		.flags = IOPT_TRACKABLE | flags,
		.callbacks.invalidate = invalidate,
		.ctx = domain,
	};
	struct soft_iommu_domain_config soft = { .format = engine.format, .id = config->id };
	const struct soft_iommu_device_config device = { .id = config->id };
	int error;

	if (config->format->abilities & IOPT_CAN_ACCESSED_TABLES)
		engine.flags |= IOPT_ACCESSED_TABLES;
	if (config->format->abilities & IOPT_CAN_BBM)
		engine.bbm = 2; /* the soft-iommu's hardware does not mind */
	if (config->format->abilities & IOPT_CAN_GROW)
		engine.callbacks.top_changed = top_changed;
	error = iopt_create(&engine, &domain->engine);
	if (error)
		return error;
	iopt_hw(domain->engine, &soft.hw);
	error = soft_iommu_domain_create(config->unit, &soft, &domain->soft);
	if (error)
		return error;
	domain->sink = (struct iopt_sink){ .record = record, .ctx = domain };
	iopt_gather_init(&domain->gather, domain->engine, &domain->sink);
	return soft_iommu_device_create(domain->soft, &device, &domain->device);
}

static int make_domain(struct tracker *tracker, uint32_t index, uint32_t flags)
{
	struct tracker_domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return -ENOMEM;
	domain->tracker = tracker;
	domain->index = index;
	tracker->domains[index] = domain;
	return fill_domain(domain, flags);
}

static void free_domain(struct tracker_domain *domain)
{
	if (!domain)
		return;
	soft_iommu_device_destroy(domain->device);
	soft_iommu_domain_destroy(domain->soft);
	iopt_destroy(domain->engine);
	free(domain);
}

/* All memory is mapped before tracking begins, in the largest leaves. */
static int map_memory(struct tracker *tracker)
{
	int error = make_domain(tracker, 0, 0);

	if (error)
		return error;
	return iopt_map(tracker->domains[0]->engine, 0, tracker->config.ram - 1, 0,
			IOPT_READ | IOPT_WRITE, NULL);
}

/* The highest IOVA of a domain, when it has grown as far as it can. */
static uint64_t last_iova(const struct tracker_config *config)
{
	const struct iopt_format_info *info = config->format;
	unsigned levels = config->levels ? config->levels : info->default_levels, bits;

	if (info->abilities & IOPT_CAN_GROW)
		levels = info->max_levels;
	bits = format_iova_bits(info, levels);
	return bits < 64 ? (1ULL << bits) - 1 : UINT64_MAX;
}

/* ---- the object ------------------------------------------------------------------------------ */

int tracker_create(const struct tracker_config *config, struct tracker *tracker)
{
	*tracker = (struct tracker){ .config = *config,
				     .last_iova = last_iova(config),
				     .words = config->ram >> (PAGE_LG2 + 6) };
	tracker->reported = calloc(tracker->words, sizeof(*tracker->reported));
	tracker->written = calloc(tracker->words, sizeof(*tracker->written));
	tracker->rounds = calloc(config->limits.rounds, sizeof(*tracker->rounds));
	if (!tracker->reported || !tracker->written || !tracker->rounds)
		return -ENOMEM;
	return config->guest ? 0 : map_memory(tracker);
}

void tracker_close(struct tracker *tracker)
{
	for (unsigned i = 0; i < CALLS_DOMAINS; i++) {
		free_domain(tracker->domains[i]);
		tracker->domains[i] = NULL;
	}
}

void tracker_destroy(struct tracker *tracker)
{
	tracker_close(tracker);
	precopy_free(&tracker->precopy);
	free(tracker->rounds);
	free(tracker->reported);
	free(tracker->written);
}

const char *tracker_name(const struct tracker *tracker)
{
	if (tracker->config.guest)
		return "guest's 4K";
	switch (tracker->config.leaf_lg2) {
	case 12: return "4K";
	case 21: return "2M";
	default: return "1G";
	}
}

bool tracker_exact(const struct tracker *tracker)
{
	return !tracker->lost && !tracker->in_vain && !tracker->refused;
}

/* ---- what happens ---------------------------------------------------------------------------- */

static void tally(struct calls_tally *counter, uint64_t line)
{
	if (!counter->nr++)
		counter->line = line;
}

int tracker_map(struct tracker *tracker, const struct call *call)
{
	struct tracker_domain *domain;
	int error;

	if (!tracker->config.guest)
		return 0;
	if (!tracker->domains[call->domain]) {
		error = make_domain(tracker, call->domain, tracker->precopy.nr ? IOPT_TRACK : 0);
		if (error)
			return error;
	}
	domain = tracker->domains[call->domain];
	error = iopt_map_sg(domain->engine, call->first, call->segments, call->nr_segments,
			    IOPT_READ | IOPT_WRITE, NULL, NULL);
	if (error != -ERANGE)
		return error;
	tally(&tracker->left_out, call->line);
	return 0;
}

int tracker_unmap(struct tracker *tracker, const struct call *call)
{
	struct tracker_domain *domain = tracker->domains[call->domain];
	int error;

	if (!tracker->config.guest || !domain)
		return 0;
	error = iopt_unmap(domain->engine, call->first, call->last, 0, &domain->gather, NULL);
	iopt_sync(&domain->gather);
	if (error != -ERANGE)
		return error;
	tally(&tracker->left_out, call->line);
	return 0;
}

void tracker_write(struct tracker *tracker, uint32_t domain, uint64_t iova, uint64_t pa)
{
	const bool guest = tracker->config.guest;
	struct tracker_domain *via = tracker->domains[guest ? domain : 0];

	if (guest && iova > tracker->last_iova)
		return;
	if (tracker->precopy.nr) {
		tracker->writes++;
		set_page(tracker->written, pa);
	}
	if (!via || soft_iommu_access(via->device, guest ? iova : pa, SOFT_IOMMU_WRITE, NULL) !=
			    SOFT_IOMMU_DONE)
		tracker->refused++;
}

static int sweep_domain(struct tracker *tracker, struct tracker_domain *domain)
{
	const struct iopt_sink bitmap = { .words = tracker->reported,
					  .pages = tracker->words * 64,
					  .page_lg2 = PAGE_LG2 };
	const bool guest = tracker->config.guest;
	struct iopt_gather gather;
	int error;

	iopt_gather_init(&gather, domain->engine, NULL);
	error = iopt_sweep(domain->engine, 0, guest ? tracker->last_iova : tracker->config.ram - 1,
			   IOPT_SWEEP_CLEAR, guest ? &domain->sink : &bitmap, &gather, 0, NULL);
	iopt_sync(&gather);
	return error;
}

static int sweep(struct tracker *tracker)
{
	int error = 0;

	for (unsigned i = 0; i < CALLS_DOMAINS && !error; i++)
		if (tracker->domains[i])
			error = sweep_domain(tracker, tracker->domains[i]);
	return error;
}

static void sum_stats(struct tracker *tracker)
{
	for (unsigned i = 0; i < CALLS_DOMAINS; i++) {
		struct iopt_stats stats;

		if (!tracker->domains[i])
			continue;
		iopt_stats(tracker->domains[i]->engine, &stats);
		tracker->stats.tables += stats.tables;
		tracker->stats.table_bytes += stats.table_bytes;
	}
}

/* Devices have stopped with the last round: nothing may be dirty any more. */
static int stop(struct tracker *tracker)
{
	int error = sweep(tracker);

	tracker->in_vain += count_in_vain(tracker);
	sum_stats(tracker);
	return error;
}

/* Leaves are split to the size in question while devices use them. */
static int track(const struct tracker *tracker, struct tracker_domain *domain)
{
	uint64_t next = 0;

	return iopt_track_split(domain->engine, tracker->config.leaf_lg2, 0, 0, &next);
}

/* Tracking and the first round begin; what was written before is nobody's concern. */
static int begin(struct tracker *tracker)
{
	const struct tracker_config *config = &tracker->config;
	uint64_t start = now_ns();
	int error = 0;

	for (unsigned i = 0; i < CALLS_DOMAINS && !error; i++)
		if (tracker->domains[i])
			error = track(tracker, tracker->domains[i]);
	tracker->prepare_ns = now_ns() - start;
	if (!error &&
	    !precopy_start(&tracker->precopy, &config->limits, config->ram, config->begin_ns))
		error = -ENOMEM;
	return error;
}

/* A round's copy is done. */
static int end_round(struct tracker *tracker)
{
	struct tracker_round *round = &tracker->rounds[tracker->precopy.nr - 1];
	uint64_t start, left, written;
	int error;

	round->by_unmap = count_bytes(tracker->reported, tracker->words);
	start = now_ns();
	error = sweep(tracker);
	round->sweep_ns = now_ns() - start;
	if (error)
		return error;
	judge(tracker);
	left = count_bytes(tracker->reported, tracker->words);
	written = count_bytes(tracker->written, tracker->words);
	memset(tracker->reported, 0, tracker->words * sizeof(*tracker->reported));
	memset(tracker->written, 0, tracker->words * sizeof(*tracker->written));
	precopy_step(&tracker->precopy, left, written);
	return tracker_runs(tracker) ? 0 : stop(tracker);
}

uint64_t tracker_next(const struct tracker *tracker)
{
	return tracker->precopy.nr ? precopy_next(&tracker->precopy) : tracker->config.begin_ns;
}

int tracker_step(struct tracker *tracker)
{
	return tracker->precopy.nr ? end_round(tracker) : begin(tracker);
}
