/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Units, domains, devices; accesses through their caches, and invalidations of these.
 *
 * What the caches do, where a specification leaves a choice:
 *   - An IOTLB and paging-structure caches for each device. A domain-wide one would only hold less
 *     that is stale.
 *   - A translation is cached with its dirty bit as it was after the access; a read caches a dirty
 *     leaf as dirty. A write through a translation that was cached clean does not use it but walks
 *     (SDM section 4.10 and VT-d alike allow it to use cached table pointers for that, and this one
 *     does), and sets the bit in what it finds there: if the leaf is gone by then, it faults.
 *   - Missing permissions are reported from the cached translation, without a walk; a random device
 *     walks at times.
 *   - Pointers to tables are cached at every level, with the permissions of all levels down to them
 *     (SDM section 4.10), once their accessed bit is set. It is not set again through the cache.
 *   - A device TLB is filled by a translation request, which goes through the IOTLB. It is granted
 *     permission to write if a write asked for it, and to a read if the leaf needs no dirty bit set
 *     any more. Writes through it set no dirty bit.
 *   - An invalidated range drops every cached translation that overlaps it, whole.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const struct soft_format *const formats[] = {
	&soft_vtd_ss,	     &soft_x86_64,	    &soft_amd_v1,	   &soft_riscv_s1,
	&soft_riscv_g,	     &soft_arm_s1,	    &soft_arm_s1_16k,	   &soft_arm_s1_64k,
	&soft_arm_s1_lpa2,   &soft_arm_s1_16k_lpa2, &soft_arm_s2,	   &soft_arm_s2_16k,
	&soft_arm_s2_64k,    &soft_arm_s2_lpa2,	    &soft_arm_s2_16k_lpa2, &soft_apple_dart,
	&soft_apple_dart_4k, &soft_apple_dart2,	    &soft_arm_v7s,	   &soft_arm_lpae32_s1,
	&soft_arm_lpae32_s2, &soft_arm_mali,	    &soft_arm_v7s_mtk,
};

#define DEFAULT_EVENTS 256u

/* ---- objects ------------------------------------------------------------------------------- */

int soft_iommu_create(const struct soft_iommu_config *config, struct soft_iommu **unit)
{
	unsigned width = config->pa_lg2 ? config->pa_lg2 : SOFT_ADDRESS_END;
	struct soft_iommu *made;

	if (!config->va || config->events == 1 || width < 32 || width > SOFT_ADDRESS_END)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->config = *config;
	made->config.events = config->events ? config->events : DEFAULT_EVENTS;
	made->beyond = (1ull << SOFT_ADDRESS_END) - (1ull << width);
	made->ring = calloc(made->config.events, sizeof(*made->ring));
	if (!made->ring) {
		free(made);
		return -ENOMEM;
	}
	pthread_mutex_init(&made->lock, NULL);
	*unit = made;
	return 0;
}

void soft_iommu_destroy(struct soft_iommu *unit)
{
	if (!unit)
		return;
	pthread_mutex_destroy(&unit->lock);
	free(unit->ring);
	free(unit);
}

static const struct soft_format *find_format(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}

int soft_iommu_domain_create(struct soft_iommu *unit, const struct soft_iommu_domain_config *config,
			     struct soft_iommu_domain **domain)
{
	const struct soft_format *format = find_format(config->format);
	struct soft_iommu_domain *made;
	int error;

	if (!format)
		return -ENOENT;
	if (config->flags & ~((format->fetches ? SOFT_IOMMU_SIGN_EXTEND : 0) | SOFT_IOMMU_NO_SNOOP))
		return -EINVAL;
	if (config->flags & SOFT_IOMMU_NO_SNOOP && !unit->config.image)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->unit = unit;
	made->format = format;
	made->flags = config->flags;
	made->id = config->id;
	error = soft_iommu_set_root(made, &config->hw);
	if (error) {
		free(made);
		return error;
	}
	*domain = made;
	return 0;
}

void soft_iommu_domain_destroy(struct soft_iommu_domain *domain)
{
	free(domain);
}

int soft_iommu_set_root(struct soft_iommu_domain *domain, const struct iopt_hw *hw)
{
	const struct soft_format *format = domain->format;
	struct soft_root root = { 0 };
	int error = format->read_root(format, hw, &root);

	if (!error)
		__atomic_store_n(&domain->root, soft_root_pack(&root), __ATOMIC_RELEASE);
	return error;
}

int soft_iommu_device_create(struct soft_iommu_domain *domain,
			     const struct soft_iommu_device_config *config,
			     struct soft_iommu_device **device)
{
	const uint32_t known = SOFT_IOMMU_ATS | SOFT_IOMMU_RANDOM | SOFT_IOMMU_PIECES |
			       SOFT_IOMMU_CACHE_EMPTY;
	struct soft_iommu_device *made;

	if (config->flags & ~known)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->domain = domain;
	made->config = *config;
	/* The generator's state is never 0. */
	made->random = config->seed * 2 + 1;
	made->next = __atomic_load_n(&domain->devices, __ATOMIC_ACQUIRE);
	while (!__atomic_compare_exchange_n(&domain->devices, &made->next, made, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	*device = made;
	return 0;
}

void soft_iommu_device_destroy(struct soft_iommu_device *device)
{
	struct soft_iommu_device **link;

	if (!device)
		return;
	for (link = &device->domain->devices; *link != device; link = &(*link)->next)
		;
	*link = device->next;
	soft_cache_fini(&device->iotlb);
	soft_cache_fini(&device->tables);
	soft_cache_fini(&device->tlb);
	free(device);
}

/* ---- accesses ------------------------------------------------------------------------------ */

/* A translation as the caches hold it. */
struct translation {
	uint64_t pa;
	uint32_t flags;
	unsigned lg2;
};

/* Put a translation into a cache, whole or the piece of it, a granule, around an IOVA. */
static void remember(struct soft_iommu_device *device, struct soft_cache *cache, uint64_t iova,
		     struct translation whole)
{
	bool pieces = device->config.flags & SOFT_IOMMU_PIECES;
	unsigned granule_lg2 = device->domain->format->granule_lg2;

	if (soft_now_and_then(device, 2))
		pieces = !pieces;
	if (pieces && whole.lg2 > granule_lg2) {
		uint64_t offset = iova & ((1ull << whole.lg2) - 1);

		whole.pa += offset >> granule_lg2 << granule_lg2;
		whole.lg2 = (uint8_t)granule_lg2;
	}
	soft_cache_put(cache, iova, whole.lg2, whole.pa, 0, whole.flags);
}

static struct translation recall(const struct soft_slot *slot)
{
	return (struct translation){
		.pa = slot->pa,
		.flags = slot->flags,
		.lg2 = slot->key & 63,
	};
}

static enum soft_iommu_reason fault(struct soft_iommu_device *device, const struct soft_walk *walk,
				    enum soft_iommu_reason reason, bool cached)
{
	struct soft_iommu_event event = {
		.iova = walk->iova,
		.entry_pa = walk->entry_pa,
		.entry = walk->entry,
		.domain = device->domain->id,
		.device = device->config.id,
		.reason = (uint8_t)reason,
		.level = (uint8_t)walk->level,
		.request = (uint8_t)walk->request,
		.cached = cached,
	};

	soft_report(device->domain->unit, &event);
	return reason;
}

static enum soft_iommu_reason walk_tables(struct soft_iommu_device *device, struct soft_walk *walk,
					  struct translation *found)
{
	enum soft_iommu_reason reason = soft_walk(walk);

	found->pa = walk->leaf.pa;
	found->lg2 = walk->leaf.lg2;
	found->flags = walk->leaf.prot | (walk->clean ? SOFT_CLEAN : 0);
	if (!reason) {
		remember(device, &device->iotlb, walk->iova, *found);
		return reason;
	}
	if (reason == SOFT_IOMMU_NOT_PRESENT && device->config.flags & SOFT_IOMMU_CACHE_EMPTY)
		remember(device, &device->iotlb, walk->iova,
			 (struct translation){ .flags = SOFT_ABSENT, .lg2 = walk->leaf.lg2 });
	return fault(device, walk, reason, false);
}

/* Translate by IOTLB or walk. */
static enum soft_iommu_reason translate(struct soft_iommu_device *device, uint64_t iova,
					unsigned request, struct translation *found)
{
	struct soft_walk walk = {
		.domain = device->domain,
		.device = device,
		.iova = iova,
		.request = request,
	};
	struct soft_slot *slot = soft_cache_find_any(&device->iotlb, iova);
	enum soft_iommu_reason reason;

	if (!slot || soft_now_and_then(device, 16) ||
	    (slot->flags & SOFT_CLEAN && request & SOFT_IOMMU_WRITE))
		return walk_tables(device, &walk, found);
	*found = recall(slot);
	reason = found->flags & SOFT_ABSENT
			 ? SOFT_IOMMU_NOT_PRESENT
			 : soft_permitted(device->domain->format, found->flags, request);
	if (reason)
		return fault(device, &walk, reason, true);
	device->stats.iotlb_hits++;
	return SOFT_IOMMU_DONE;
}

/* A device with ATS looks into its own TLB, and asks if it has to. */
static enum soft_iommu_reason translate_ats(struct soft_iommu_device *device, uint64_t iova,
					    unsigned request, struct translation *found)
{
	struct soft_slot *slot = soft_cache_find_any(&device->tlb, iova);
	struct translation granted;
	enum soft_iommu_reason reason;

	if (slot && !soft_now_and_then(device, 16) &&
	    !soft_permitted(device->domain->format, slot->flags, request)) {
		*found = recall(slot);
		device->stats.tlb_hits++;
		return SOFT_IOMMU_DONE;
	}
	reason = translate(device, iova, request, found);
	if (reason)
		return reason;
	granted = *found;
	if (granted.flags & SOFT_CLEAN)
		granted.flags &= ~(IOPT_WRITE | SOFT_CLEAN);
	remember(device, &device->tlb, iova, granted);
	return SOFT_IOMMU_DONE;
}

/* What a random device forgets before an access. */
static void forget(struct soft_iommu_device *device)
{
	uint64_t random = soft_random(device);

	if (!(random & 0x3f00))
		soft_cache_evict(&device->iotlb, soft_random(device));
	if (!(random & 0xfc000))
		soft_cache_evict(&device->tables, soft_random(device));
	if (!(random & 0x3f00000))
		soft_cache_evict(&device->tlb, soft_random(device));
}

enum soft_iommu_reason soft_iommu_access(struct soft_iommu_device *device, uint64_t iova,
					 unsigned request, void *ctx)
{
	struct translation found;
	enum soft_iommu_reason reason;

	soft_gate_enter(&device->gate);
	device->stats.accesses++;
	if (device->config.flags & SOFT_IOMMU_RANDOM)
		forget(device);
	if (device->config.flags & SOFT_IOMMU_ATS)
		reason = translate_ats(device, iova, request, &found);
	else
		reason = translate(device, iova, request, &found);
	if (soft_now_and_then(device, 512))
		sched_yield();
	if (!reason && device->config.touch)
		device->config.touch(ctx, iova, found.pa + (iova & ((1ull << found.lg2) - 1)),
				     request & SOFT_IOMMU_WRITE);
	soft_gate_leave(&device->gate);
	return reason;
}

enum soft_iommu_reason soft_iommu_walk(struct soft_iommu_domain *domain, uint64_t iova,
				       struct soft_iommu_translation *result)
{
	struct soft_walk walk = { .domain = domain, .iova = iova };
	struct soft_iommu_event event = {
		.iova = iova,
		.domain = domain->id,
		.device = SOFT_IOMMU_NO_DEVICE,
	};
	enum soft_iommu_reason reason;

	soft_gate_enter(&domain->walks);
	reason = soft_walk(&walk);
	soft_gate_leave(&domain->walks);
	if (!reason && result)
		*result = (struct soft_iommu_translation){
			.pa = walk.leaf.pa + (iova & ((1ull << walk.leaf.lg2) - 1)),
			.entry_pa = walk.entry_pa,
			.entry = walk.entry,
			.prot = walk.leaf.prot,
			.leaf_lg2 = walk.leaf.lg2,
			.level = (uint8_t)walk.level,
			.accessed = walk.entry & domain->format->accessed,
			.dirty = soft_is_dirty(domain->format, walk.entry),
		};
	if (SOFT_IOMMU_BIT(reason) & SOFT_IOMMU_BREACHES) {
		event.reason = (uint8_t)reason;
		event.entry_pa = walk.entry_pa;
		event.entry = walk.entry;
		event.level = (uint8_t)walk.level;
		soft_report(domain->unit, &event);
	}
	return reason;
}

/* ---- invalidations ------------------------------------------------------------------------- */

static void drop_ranges(struct soft_cache *cache, const struct iopt_gather *gather)
{
	uint32_t i;

	for (i = 0; i < gather->nr_ranges; i++)
		soft_cache_drop(cache, gather->ranges[i].first, gather->ranges[i].last);
}

static void invalidate_iotlb(struct soft_iommu_device *device, const struct iopt_gather *gather)
{
	soft_gate_close(&device->gate);
	if (gather->owes & IOPT_OWES_ALL) {
		soft_cache_drop_all(&device->iotlb);
		soft_cache_drop_all(&device->tables);
	} else {
		if (gather->owes & (IOPT_OWES_LEAVES | IOPT_OWES_TABLES | IOPT_OWES_DIRTY))
			drop_ranges(&device->iotlb, gather);
		if (gather->owes & (IOPT_OWES_TABLES | IOPT_OWES_DIRTY))
			drop_ranges(&device->tables, gather);
	}
	soft_gate_leave(&device->gate);
}

static void invalidate_tlb(struct soft_iommu_device *device, const struct iopt_gather *gather)
{
	soft_gate_close(&device->gate);
	if (gather->owes & IOPT_OWES_ALL)
		soft_cache_drop_all(&device->tlb);
	else
		drop_ranges(&device->tlb, gather);
	soft_gate_leave(&device->gate);
}

/*
 * All IOTLBs first: a device TLB that is flushed before could be filled again from one of them. A
 * gate that was closed once has seen the end of what was in flight.
 */
void soft_iommu_invalidate(struct soft_iommu_domain *domain, const struct iopt_gather *gather)
{
	struct soft_iommu_device *devices = __atomic_load_n(&domain->devices, __ATOMIC_ACQUIRE);
	struct soft_iommu_device *device;

	__atomic_fetch_add(&domain->invalidations, 1, __ATOMIC_RELAXED);
	for (device = devices; device; device = device->next)
		invalidate_iotlb(device, gather);
	soft_gate_close(&domain->walks);
	soft_gate_leave(&domain->walks);
	if (!(gather->owes & IOPT_OWES_DEVICE_TLB))
		return;
	for (device = devices; device; device = device->next)
		if (device->config.flags & SOFT_IOMMU_ATS)
			invalidate_tlb(device, gather);
}

uint64_t soft_iommu_invalidations(const struct soft_iommu_domain *domain)
{
	return __atomic_load_n(&domain->invalidations, __ATOMIC_RELAXED);
}

void soft_iommu_stats(struct soft_iommu_device *device, struct soft_iommu_stats *stats)
{
	soft_gate_close(&device->gate);
	*stats = device->stats;
	stats->iotlb_entries = device->iotlb.used;
	stats->table_entries = device->tables.used;
	stats->tlb_entries = device->tlb.used;
	soft_gate_leave(&device->gate);
}
