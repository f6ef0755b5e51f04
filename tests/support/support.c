/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See support.h. */
#include <string.h>

#include "tests/support/formats.h"
#include "tests/support/support.h"

const char *const formats[NR_FORMATS] = {
	[FORMAT_vtd_ss] = "vtd-ss",
	[FORMAT_x86_64] = "x86-64",
	[FORMAT_amd_v1] = "amd-v1",
	[FORMAT_riscv_s1] = "riscv-s1",
	[FORMAT_riscv_g] = "riscv-g",
	[FORMAT_arm_s1] = "arm-s1",
	[FORMAT_arm_s2] = "arm-s2",
	[FORMAT_arm_v7s] = "arm-v7s",
	[FORMAT_apple_dart] = "apple-dart",
	[FORMAT_apple_dart_4k] = "apple-dart-4k",
	[FORMAT_apple_dart2] = "apple-dart2",
	[FORMAT_arm_mali] = "arm-mali",
#ifndef IOPT_FEW_FORMATS
	[FORMAT_arm_s1_16k] = "arm-s1-16k",
	[FORMAT_arm_s1_64k] = "arm-s1-64k",
	[FORMAT_arm_s1_lpa2] = "arm-s1-lpa2",
	[FORMAT_arm_s1_16k_lpa2] = "arm-s1-16k-lpa2",
	[FORMAT_arm_s2_16k] = "arm-s2-16k",
	[FORMAT_arm_s2_64k] = "arm-s2-64k",
	[FORMAT_arm_s2_lpa2] = "arm-s2-lpa2",
	[FORMAT_arm_s2_16k_lpa2] = "arm-s2-16k-lpa2",
	[FORMAT_arm_v7s_mtk] = "arm-v7s-mtk",
	[FORMAT_arm_lpae32_s1] = "arm-lpae32-s1",
	[FORMAT_arm_lpae32_s2] = "arm-lpae32-s2",
#endif
};

#define MARKED (IOPT_ITEM_ACCESSED | IOPT_ITEM_DIRTY)

/* clang-format off */
#define ARM_S1(table_pa) \
	{ ARM_64_AF, ARM_64_RDONLY, ARM_64_VALID, ARM_64_DBM | ARM_64_RDONLY, ARM_64_RDONLY, \
	  IOPT_ITEM_ACCESSED, table_pa, false }
#define ARM_S2(table_pa) \
	{ ARM_64_AF, ARM_64_S2_WRITE, ARM_64_VALID, ARM_64_DBM | ARM_64_S2_WRITE, 0, \
	  IOPT_ITEM_ACCESSED, table_pa, false }
/* clang-format on */

static const struct hardware hardware[NR_FORMATS] = {
	[FORMAT_vtd_ss] = { VTD_SS_A, VTD_SS_D, VTD_SS_R | VTD_SS_W, VTD_SS_W, 0, 0,
			    vtd_ss_table_pa, false },
	[FORMAT_x86_64] = { X86_64_A, X86_64_D, X86_64_P, X86_64_RW, 0, MARKED, x86_64_table_pa,
			    false },
	[FORMAT_amd_v1] = { AMD_V1_A, AMD_V1_D, AMD_V1_PR, AMD_V1_IW, 0, 0, amd_v1_table_pa,
			    false },
	[FORMAT_riscv_s1] = { RISCV_A, RISCV_D, RISCV_V, RISCV_W, 0, MARKED, riscv_table_pa,
			      false },
	[FORMAT_riscv_g] = { RISCV_A, RISCV_D, RISCV_V, RISCV_W, 0, MARKED, riscv_table_pa, true },
	[FORMAT_arm_s1] = ARM_S1(arm_s1_table_pa),
	[FORMAT_arm_s2] = ARM_S2(arm_s2_table_pa),
	/* Nothing is marked here. */
	[FORMAT_arm_v7s] = { .present = ARM_V7S_TYPE, .table_pa = arm_v7s_table_pa },
	[FORMAT_arm_mali] = { .present = ARM_MALI_TYPE, .table_pa = arm_mali_table_pa },
	[FORMAT_apple_dart] = { .present = APPLE_DART_VALID, .table_pa = apple_dart1_pa },
	[FORMAT_apple_dart_4k] = { .present = APPLE_DART_VALID, .table_pa = apple_dart1_pa },
	[FORMAT_apple_dart2] = { .present = APPLE_DART_VALID, .table_pa = apple_dart2_pa },
#ifndef IOPT_FEW_FORMATS
	[FORMAT_arm_s1_16k] = ARM_S1(arm_s1_16k_table_pa),
	[FORMAT_arm_s1_64k] = ARM_S1(arm_s1_64k_table_pa),
	[FORMAT_arm_s1_lpa2] = ARM_S1(arm_s1_lpa2_table_pa),
	[FORMAT_arm_s1_16k_lpa2] = ARM_S1(arm_s1_16k_lpa2_table_pa),
	[FORMAT_arm_s2_16k] = ARM_S2(arm_s2_16k_table_pa),
	[FORMAT_arm_s2_64k] = ARM_S2(arm_s2_64k_table_pa),
	[FORMAT_arm_s2_lpa2] = ARM_S2(arm_s2_lpa2_table_pa),
	[FORMAT_arm_s2_16k_lpa2] = ARM_S2(arm_s2_16k_lpa2_table_pa),
	[FORMAT_arm_v7s_mtk] = { .present = ARM_V7S_TYPE, .table_pa = arm_v7s_mtk_table_pa },
	[FORMAT_arm_lpae32_s1] = { .present = ARM_64_VALID, .table_pa = arm_lpae32_s1_table_pa },
	[FORMAT_arm_lpae32_s2] = { .present = ARM_64_VALID, .table_pa = arm_lpae32_s2_table_pa },
#endif
};

size_t usual(size_t i)
{
	while (i < NR_FORMATS && !is_usual(iopt_format_info(i)))
		i++;
	return i;
}

const struct hardware *hardware_of(const char *format)
{
	for (size_t i = 0; i < NR_FORMATS; i++)
		if (!strcmp(formats[i], format))
			return &hardware[i];
	return NULL;
}

bool hardware_writes(const struct hardware *hw, uint64_t entry_pa)
{
	uint64_t *slot = iopt_posix_va(entry_pa);
	uint64_t entry = __atomic_load_n(slot, __ATOMIC_RELAXED), marked;

	do {
		if (!(entry & hw->present) || !((entry ^ hw->inverted) & hw->write))
			return false;
		marked = ((entry ^ hw->inverted) | hw->accessed | hw->dirty) ^ hw->inverted;
	} while (!__atomic_compare_exchange_n(slot, &entry, marked, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

bool find_leaf(struct iopt_domain *domain, uint64_t iova, struct iopt_item *leaf)
{
	struct iopt_visit visit;

	iopt_visit_init(&visit, iova, iova, IOPT_VISIT_LEAVES);
	return iopt_visit(domain, &visit, leaf, 1) == 1;
}

bool device_writes(const struct hardware *hw, struct iopt_domain *domain, uint64_t iova)
{
	const struct iopt_format_info *info = iopt_format_info((size_t)(hw - hardware));
	struct iopt_item leaf;
	unsigned span_lg2;

	if (!find_leaf(domain, iova, &leaf))
		return false;
	span_lg2 = info->granule_lg2 + leaf.level * info->index_lg2;
	return hardware_writes(hw, leaf.entry_pa +
					   (((iova - leaf.first) >> span_lg2) << info->entry_lg2));
}

static void note_invalidation(void *ctx, const struct iopt_gather *gather)
{
	struct device *device = ctx;

	device->invalidations++;
	device->owes |= gather->owes;
	device->last = *gather;
	for (unsigned i = 0; i < gather->nr_ranges; i++)
		if (device->nr_ranges < sizeof(device->ranges) / sizeof(device->ranges[0]))
			device->ranges[device->nr_ranges++] = gather->ranges[i];
	if (device->look)
		device->look(device, gather);
}

static void note_top(void *ctx, struct iopt_domain *domain)
{
	struct device *device = ctx;

	(void)domain;
	device->tops++;
}

uint8_t best_bbm(const char *format)
{
	const struct iopt_format_info *info = iopt_format_find(format);

	return info && info->abilities & IOPT_CAN_BBM ? 2 : 0;
}

int device_create(struct device *device, const struct iopt_config *config)
{
	struct iopt_config own = *config;

	if (!own.bbm)
		own.bbm = best_bbm(own.format);
	own.callbacks.invalidate = note_invalidation;
	own.callbacks.top_changed = note_top;
	own.ctx = device;
	return iopt_create(&own, &device->domain);
}

void device_forget(struct device *device)
{
	device->invalidations = 0;
	device->owes = 0;
	device->nr_ranges = 0;
	device->tops = 0;
}

bool device_destroy(struct device *device)
{
	iopt_destroy(device->domain);
	device->domain = NULL;
	return memory_idle() && !iopt_posix_breaches();
}

uint64_t count_items(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags)
{
	struct iopt_item items[32];
	struct iopt_visit visit;
	uint64_t count = 0;

	iopt_visit_init(&visit, first, last, flags);
	while (!visit.done)
		count += iopt_visit(domain, &visit, items, 32);
	return count;
}

bool snapshot_take(struct snapshot *snapshot, struct iopt_domain *domain)
{
	struct iopt_visit visit;

	/* Compared by memcmp(). */
	memset(snapshot, 0, sizeof(*snapshot));
	iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
	snapshot->nr = (unsigned)iopt_visit(domain, &visit, snapshot->items, SNAPSHOT_ITEMS);
	iopt_stats(domain, &snapshot->stats);
	return visit.done;
}

bool snapshot_same(const struct snapshot *before, struct iopt_domain *domain)
{
	static struct snapshot now;

	return snapshot_take(&now, domain) && !memcmp(before, &now, sizeof(now));
}

static unsigned next_leaf(const struct snapshot *snapshot, unsigned i)
{
	while (i < snapshot->nr && (snapshot->items[i].flags & IOPT_ITEM_TABLE))
		i++;
	return i;
}

bool snapshot_translates(const struct snapshot *before, struct iopt_domain *domain)
{
	static struct snapshot now;
	unsigned i = next_leaf(before, 0), k;

	if (!snapshot_take(&now, domain))
		return false;
	for (k = next_leaf(&now, 0); i < before->nr && k < now.nr; i = next_leaf(before, i + 1)) {
		const struct iopt_item *a = &before->items[i], *b = &now.items[k];

		if (a->first != b->first || a->last != b->last || a->pa != b->pa ||
		    a->prot != b->prot || a->flags != b->flags)
			return false;
		k = next_leaf(&now, k + 1);
	}
	return i >= before->nr && k >= now.nr;
}

bool ranges_cover(const struct iopt_range *ranges, unsigned nr, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < nr; i++) {
		if (ranges[i].first > first || ranges[i].last < first)
			continue;
		if (ranges[i].last >= last)
			return true;
		first = ranges[i].last + 1;
		i = -1u; /* what comes next may stand before this one */
	}
	return false;
}

bool gather_covers(const struct iopt_gather *gather, uint64_t first, uint64_t last)
{
	return (gather->owes & IOPT_OWES_ALL) ||
	       ranges_cover(gather->ranges, gather->nr_ranges, first, last);
}

bool memory_idle(void)
{
	struct iopt_posix_memory memory;

	iopt_posix_barrier();
	iopt_posix_memory(&memory);
	return !memory.live && !memory.waiting && !memory.tables;
}

void random_seed(struct random *random, uint64_t seed)
{
	random->state = seed ? seed : 1;
	for (int i = 0; i < 8; i++)
		random_next(random);
}

uint64_t random_next(struct random *random)
{
	uint64_t x = random->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random->state = x;
	return x * 0x2545f4914f6cdd1dull;
}

uint64_t random_below(struct random *random, uint64_t below)
{
	return (random_next(random) >> 16) % below;
}
