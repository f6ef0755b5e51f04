/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Events: counting, keeping, and saying them in words.
 */
#include <inttypes.h>
#include <stdio.h>

#include "internal.h"

static const char *const names[SOFT_IOMMU_NR_REASONS] = {
	[SOFT_IOMMU_DONE] = "done",
	[SOFT_IOMMU_NOT_PRESENT] = "not present",
	[SOFT_IOMMU_NO_READ] = "no permission to read",
	[SOFT_IOMMU_NO_WRITE] = "no permission to write",
	[SOFT_IOMMU_NO_EXEC] = "no permission to fetch",
	[SOFT_IOMMU_NO_USER] = "for supervisor requests only",
	[SOFT_IOMMU_BEYOND_WIDTH] = "beyond the address width",
	[SOFT_IOMMU_NOT_CANONICAL] = "not canonical",
	[SOFT_IOMMU_RESERVED_BITS] = "reserved bits set",
	[SOFT_IOMMU_MISALIGNED] = "misaligned block",
	[SOFT_IOMMU_BAD_SIZE] = "bad size of a run",
	[SOFT_IOMMU_BAD_LEVEL] = "bad next level",
	[SOFT_IOMMU_SKIPPED_LEVEL] = "skipped level",
	[SOFT_IOMMU_REPLICAS_DIFFER] = "replicas differ",
	[SOFT_IOMMU_NOT_MARKED] = "accessed or dirty not set",
	[SOFT_IOMMU_FREED_TABLE] = "freed table read",
	[SOFT_IOMMU_NO_MEMORY] = "no table memory there",
};

const char *soft_iommu_reason_name(enum soft_iommu_reason reason)
{
	return reason < SOFT_IOMMU_NR_REASONS ? names[reason] : "unknown";
}

const char *soft_iommu_event_text(const struct soft_iommu_event *event,
				  char text[SOFT_IOMMU_TEXT_BYTES])
{
	const char *what = event->request & SOFT_IOMMU_WRITE   ? "write"
			   : event->request & SOFT_IOMMU_FETCH ? "fetch"
							       : "read";
	char who[32] = "walk";
	char where[96] = "";

	if (event->device != SOFT_IOMMU_NO_DEVICE)
		snprintf(who, sizeof(who), "device %" PRIu32 " %s", event->device, what);
	if (event->entry_pa)
		snprintf(where, sizeof(where), ", level %u entry 0x%" PRIx64 " = 0x%016" PRIx64,
			 event->level, event->entry_pa, event->entry);
	snprintf(text, SOFT_IOMMU_TEXT_BYTES, "domain %" PRIu32 ": %s of 0x%" PRIx64 ": %s%s%s",
		 event->domain, who, event->iova, soft_iommu_reason_name(event->reason), where,
		 event->cached ? " (cached)" : "");
	return text;
}

void soft_report(struct soft_iommu *unit, struct soft_iommu_event *event)
{
	uint32_t bit = SOFT_IOMMU_BIT(event->reason);
	/* Half of the places are for breaches: what a device may meet must not hide them. */
	uint32_t room = bit & SOFT_IOMMU_BREACHES ? unit->config.events : unit->config.events / 2;

	__atomic_fetch_add(&unit->counts[event->reason], 1, __ATOMIC_RELAXED);
	if (unit->config.count_only & bit || __atomic_load_n(&unit->kept, __ATOMIC_RELAXED) >= room)
		return;
	pthread_mutex_lock(&unit->lock);
	if (unit->kept < room) {
		event->number = unit->number++;
		unit->ring[(unit->oldest + unit->kept) % unit->config.events] = *event;
		__atomic_store_n(&unit->kept, unit->kept + 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&unit->lock);
}

size_t soft_iommu_events(struct soft_iommu *unit, struct soft_iommu_event *events, size_t nr)
{
	size_t taken = 0;

	pthread_mutex_lock(&unit->lock);
	while (taken < nr && unit->kept) {
		events[taken++] = unit->ring[unit->oldest];
		unit->oldest = (unit->oldest + 1) % unit->config.events;
		__atomic_store_n(&unit->kept, unit->kept - 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&unit->lock);
	return taken;
}

uint64_t soft_iommu_count(const struct soft_iommu *unit, uint32_t reasons)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = SOFT_IOMMU_NOT_PRESENT; i < SOFT_IOMMU_NR_REASONS; i++)
		if (reasons & SOFT_IOMMU_BIT(i))
			sum += __atomic_load_n(&unit->counts[i], __ATOMIC_RELAXED);
	return sum;
}
