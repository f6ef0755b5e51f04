/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an embedder does with leaves and tables beside its drivers' calls: splits leaves before
 * sweeps, merges them again where nothing is written, gives empty tables back; and who owns which
 * range meanwhile.
 *
 * Splits are made by the thread that sweeps, merges and trims by one of their own, so that they
 * race with sweeps, dumps, devices and mappers. Splits and merges claim each leaf; mappers take the
 * range of their call, with all of a leaf that an end of it cuts.
 *
 * With --merge-idle, what was reported dirty lately is busy, and only the rest is merged. Then only
 * what is busy is split: a large leaf stays large until a sweep reports it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "tools/iopt/replay.h"

#define REGION_LG2  21u
#define IDLE_SWEEPS 8u
#define STEP_TABLES 512u
#define KEEPER_NS   2000000

/* What the engine asks for claims for, on this thread. */
static _Thread_local bool merging;

/* ---- busy regions ---------------------------------------------------------------------------- */

static _Atomic uint64_t *place_of(struct replay_domain *domain, uint64_t region)
{
	return &domain->busy[region * 0x9e3779b97f4a7c15u >> 32 & (REPLAY_BUSY - 1)];
}

/* A place names a region and the sweep that reported it; the newest region keeps it. */
static uint64_t pack(uint64_t region, uint32_t sweep)
{
	return region << 20 | (sweep & 0xfffff);
}

static bool is_fresh(const struct replay_domain *domain, uint64_t place)
{
	uint32_t now = atomic_load_explicit(&domain->sweep, memory_order_relaxed);

	return place && ((now - (uint32_t)place) & 0xfffff) < IDLE_SWEEPS;
}

void background_reported(struct replay_domain *domain, uint64_t first, uint64_t last)
{
	uint32_t sweep = atomic_load_explicit(&domain->sweep, memory_order_relaxed);

	if (!domain->replay->options.merge)
		return;
	for (uint64_t region = first >> REGION_LG2; region <= last >> REGION_LG2; region++)
		atomic_store_explicit(place_of(domain, region), pack(region, sweep),
				      memory_order_relaxed);
}

static bool is_busy(struct replay_domain *domain, uint64_t first, uint64_t last)
{
	uint64_t from = first >> REGION_LG2, to = last >> REGION_LG2;

	if (to - from < REPLAY_BUSY) {
		for (uint64_t region = from; region <= to; region++) {
			uint64_t place = atomic_load_explicit(place_of(domain, region),
							      memory_order_relaxed);

			if (place >> 20 == region && is_fresh(domain, place))
				return true;
		}
		return false;
	}
	for (unsigned i = 0; i < REPLAY_BUSY; i++) {
		uint64_t place = atomic_load_explicit(&domain->busy[i], memory_order_relaxed);

		if (place >> 20 >= from && place >> 20 <= to && is_fresh(domain, place))
			return true;
	}
	return false;
}

/* ---- who owns what --------------------------------------------------------------------------- */

static unsigned leaf_lg2(void *ctx, uint64_t iova)
{
	struct replay_domain *domain = ctx;
	struct iopt_translation at;

	return iopt_translate(domain->engine, iova, &at) ? 0 : at.leaf_lg2;
}

bool background_try_claim(void *ctx, uint64_t first, uint64_t last)
{
	struct replay_domain *domain = ctx;
	struct replay *replay = domain->replay;

	if (replay->options.merge && is_busy(domain, first, last) == merging)
		return false;
	if (!claims_try(&domain->claims, first, last)) {
		atomic_fetch_add_explicit(&replay->background.refused, 1, memory_order_relaxed);
		return false;
	}
	ledger_change_begin(domain->ledger, first, last);
	return true;
}

void background_release(void *ctx, uint64_t first, uint64_t last)
{
	struct replay_domain *domain = ctx;

	ledger_change_end(domain->ledger, first, last, leaf_lg2, domain);
	claims_drop(&domain->claims, first, last);
}

/* A range with all of the leaves that lie in it, as they are now. */
static struct iopt_range whole_leaves(struct replay_domain *domain, uint64_t first, uint64_t last)
{
	uint64_t mask = (1ULL << leaf_lg2(domain, first)) - 1;
	struct iopt_range range = { first & ~mask, last };

	mask = (1ULL << leaf_lg2(domain, last)) - 1;
	range.last |= mask;
	return range;
}

/* Merging changes leaves until they are owned: then they are looked at again. */
struct iopt_range background_own(struct replay_domain *domain, uint64_t first, uint64_t last,
				 uint64_t *waits)
{
	for (;;) {
		struct iopt_range range = whole_leaves(domain, first, last), now;

		*waits += claims_take(&domain->claims, range.first, range.last);
		now = whole_leaves(domain, first, last);
		if (now.first >= range.first && now.last <= range.last) {
			if (range.first < first || range.last > last)
				ledger_change_begin(domain->ledger, range.first, range.last);
			return range;
		}
		claims_drop(&domain->claims, range.first, range.last);
	}
}

void background_disown(struct replay_domain *domain, uint64_t first, uint64_t last,
		       struct iopt_range range)
{
	if (range.first < first || range.last > last)
		ledger_change_end(domain->ledger, range.first, range.last, leaf_lg2, domain);
	claims_drop(&domain->claims, range.first, range.last);
}

/* ---- the work -------------------------------------------------------------------------------- */

static void fail(struct replay_domain *domain, const char *what, int error)
{
	replay_fail(domain->replay, "%s of domain %" PRIu32 " failed in the engine: %s", what,
		    domain->index, strerror(-error));
}

void background_split(struct replay_domain *domain)
{
	const unsigned granule = domain->replay->options.format->granule_lg2;
	struct background *background = &domain->replay->background;
	struct iopt_gather gather;
	uint64_t next = 0, start;
	int result;

	iopt_gather_init(&gather, domain->engine, NULL);
	do {
		start = now_ns();
		result = iopt_split(domain->engine, next, domain->last_iova, granule, IOPT_CLAIM,
				    &gather, STEP_TABLES, &next);
		iopt_sync(&gather);
		latency_add(&background->split, now_ns() - start);
	} while (result > 0);
	if (result < 0)
		fail(domain, "a split", result);
}

static void merge_some(struct replay_domain *domain)
{
	struct iopt_gather gather;
	uint64_t start = now_ns();
	int result;

	iopt_gather_init(&gather, domain->engine, NULL);
	result = iopt_merge(domain->engine, domain->merge_next, domain->last_iova, ~0u, IOPT_CLAIM,
			    &gather, STEP_TABLES, &domain->merge_next);
	iopt_sync(&gather);
	latency_add(&domain->replay->background.merge, now_ns() - start);
	if (result < 0)
		fail(domain, "a merge", result);
	if (!result)
		domain->merge_next = 0;
}

static void trim_some(struct replay_domain *domain)
{
	struct iopt_gather gather;
	uint64_t start = now_ns();
	int result;

	iopt_gather_init(&gather, domain->engine, NULL);
	result = iopt_trim(domain->engine, domain->trim_next, domain->last_iova, &gather,
			   STEP_TABLES, &domain->trim_next);
	iopt_sync(&gather);
	latency_add(&domain->replay->background.trim, now_ns() - start);
	if (result < 0)
		fail(domain, "a trim", result);
	if (!result)
		domain->trim_next = 0;
}

static void *run(void *ctx)
{
	const struct timespec pause = { 0, KEEPER_NS };
	struct replay *replay = ctx;

	merging = true;
	while (!atomic_load(&replay->stop_devices)) {
		unsigned nr = atomic_load(&replay->nr_domains);

		for (unsigned i = 0; i < nr; i++) {
			struct replay_domain *domain = atomic_load(&replay->domains[i]);

			if (replay->options.merge)
				merge_some(domain);
			if (replay->options.trim)
				trim_some(domain);
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

bool background_start(struct replay *replay)
{
	struct background *background = &replay->background;

	if (replay->options.merge || replay->options.trim)
		background->started = !pthread_create(&background->thread, NULL, run, replay);
	return background->started == (replay->options.merge || replay->options.trim);
}

void background_stop(struct replay *replay)
{
	if (replay->background.started)
		pthread_join(replay->background.thread, NULL);
	replay->background.started = false;
}
