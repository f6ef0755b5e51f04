/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The devices: threads that read and write through the tables by the soft-iommu, mostly where
 * something is mapped, sometimes where it was a moment ago. What they reach is judged in the
 * ledger.
 *
 * The first device has a device TLB (ATS). Every second one evicts, dawdles and caches pieces of
 * leaves at random; the others never drop anything that they aren't told to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/iopt/replay.h"

/* Accesses before a device looks whether it should end, and lets others run. */
#define BURST	 32u
#define PAUSE_NS 20000

struct access {
	struct ledger *ledger;
	struct ledger_slot *slot;
};

/* Called by the soft-iommu while the access is in flight. */
static void touch(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	const struct access *access = ctx;

	ledger_touch(access->ledger, access->slot, iova, pa, write);
}

int devices_attach(struct replay *replay, struct replay_domain *domain)
{
	for (unsigned i = 0; i < replay->options.devices; i++) {
		struct soft_iommu_device_config config = {
			.touch = touch,
			.flags = i % 2 ? SOFT_IOMMU_RANDOM | SOFT_IOMMU_PIECES : 0,
			.id = domain->index * REPLAY_DEVICES + i,
			.seed = replay->options.seed + i,
		};
		int error;

		if (!i)
			config.flags |= SOFT_IOMMU_ATS;
		error = soft_iommu_device_create(domain->soft, &config, &domain->devices[i]);
		if (error)
			return error;
	}
	return 0;
}

/* ---- where to go ----------------------------------------------------------------------------- */

/* A mapping in one word: devices go to its first 4095 pages. */
static uint64_t pack(uint64_t first, uint64_t last)
{
	uint64_t pages = (last - first) / TRACE_GRANULE + 1;

	return (first & ~(uint64_t)(TRACE_GRANULE - 1)) |
	       (pages < TRACE_GRANULE ? pages : TRACE_GRANULE - 1);
}

static bool is_live(const struct ledger_slot *slot)
{
	return ledger_phase(atomic_load(&slot->state)) == LEDGER_LIVE;
}

void devices_hint(struct replay_domain *domain, uint64_t first, uint64_t last, uint64_t random)
{
	uint32_t at = atomic_fetch_add_explicit(&domain->next_recent, 1, memory_order_relaxed);
	_Atomic uint64_t *lasting = &domain->lasting[random % REPLAY_HINTS];
	uint64_t old = atomic_load_explicit(lasting, memory_order_relaxed), hint;
	struct ledger_slot *slot;

	hint = pack(first, last);
	atomic_store_explicit(&domain->recent[at % REPLAY_HINTS], hint, memory_order_relaxed);
	/* A mapping keeps its place there as long as it lives. */
	slot = old ? ledger_find(domain->ledger, old & ~(uint64_t)(TRACE_GRANULE - 1)) : NULL;
	if (!slot || !is_live(slot))
		atomic_store_explicit(lasting, hint, memory_order_relaxed);
}

static uint64_t next_random(uint64_t *state)
{
	/* splitmix64, by its published constants. */
	uint64_t value = *state += 0x9e3779b97f4a7c15u;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

/* An IOVA to go to, and its slot. NULL: nothing came up. */
static struct ledger_slot *choose(struct replay_domain *domain, uint64_t *random, uint64_t *iova)
{
	uint64_t dice = next_random(random), hint;
	struct ledger_slot *slot;

	if (dice & 3) {
		uint32_t newest = atomic_load_explicit(&domain->next_recent, memory_order_relaxed);

		/* The newer, the likelier. */
		hint = domain->recent[(newest - 1 - (dice >> 8) % (1u + (dice >> 32) % 64)) %
				      REPLAY_HINTS];
	} else {
		hint = domain->lasting[(dice >> 8) % REPLAY_HINTS];
	}
	if (!hint)
		return NULL;
	dice = next_random(random);
	*iova = (hint & ~(uint64_t)(TRACE_GRANULE - 1)) +
		(dice >> 32) % (hint & (TRACE_GRANULE - 1)) * TRACE_GRANULE;
	slot = ledger_find(domain->ledger, *iova);
	/* Some accesses go where nothing is mapped any more: they must be refused. */
	if (slot && ledger_phase(atomic_load(&slot->state)) == LEDGER_VACANT && dice & 7)
		return NULL;
	*iova += dice & (TRACE_GRANULE - 1) & ~7u;
	return slot;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static void go(struct device_thread *thread, struct replay_domain *domain, uint64_t iova,
	       struct ledger_slot *slot, bool write)
{
	struct access access = { domain->ledger, slot };
	uint64_t before = atomic_load(&slot->state), after;
	enum soft_iommu_reason reason;

	if (write)
		ledger_write_begin(slot);
	reason = soft_iommu_access(domain->devices[thread->index], iova,
				   write ? SOFT_IOMMU_WRITE : SOFT_IOMMU_READ, &access);
	if (write)
		ledger_write_end(slot);
	after = atomic_load(&slot->state);
	bump(&thread->accesses, 1);
	if (reason == SOFT_IOMMU_DONE) {
		bump(&thread->writes, write);
		return;
	}
	bump(&thread->refused, 1);
	/* It was mapped all the time, and by the same mapping. */
	if (before == after && ledger_phase(before) == LEDGER_LIVE)
		ledger_fault(domain->ledger, LEDGER_NO_ACCESS, iova, slot);
}

static void *run(void *ctx)
{
	struct device_thread *thread = ctx;
	struct replay *replay = thread->replay;
	uint64_t random = replay->options.seed * REPLAY_DEVICES + thread->index;
	const struct timespec pause = { 0, PAUSE_NS };

	while (!atomic_load_explicit(&replay->stop_devices, memory_order_relaxed)) {
		unsigned nr = atomic_load(&replay->nr_domains);

		for (unsigned i = 0; nr && i < BURST; i++) {
			uint64_t dice = next_random(&random), iova;
			struct replay_domain *domain = atomic_load(&replay->domains[dice % nr]);
			struct ledger_slot *slot = choose(domain, &random, &iova);

			if (slot)
				go(thread, domain, iova, slot, (dice >> 32) % 3 != 0);
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

bool devices_start(struct replay *replay)
{
	for (unsigned i = 0; i < replay->options.devices; i++) {
		struct device_thread *thread = &replay->devices[i];

		thread->replay = replay;
		thread->index = i;
		thread->started = !pthread_create(&thread->thread, NULL, run, thread);
		if (!thread->started)
			return false;
	}
	return true;
}

void devices_stop(struct replay *replay)
{
	atomic_store(&replay->stop_devices, true);
	for (unsigned i = 0; i < replay->options.devices; i++) {
		struct device_thread *thread = &replay->devices[i];

		if (thread->started)
			pthread_join(thread->thread, NULL);
		thread->started = false;
	}
}
