/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-bench.ko: what map and unmap cost, in nanoseconds a call, beside the kernel's own page
 * tables in the same loop. Loading measures and prints. In a guest that counts instructions
 * (QEMU's -icount shift=0) a nanosecond is one instruction: scripts/test-kmod.
 *
 * Beside "amd-v1" runs the kernel's AMD_IOMMU_V1 (drivers/iommu/amd/io_pgtable.c) through its
 * io_pgtable_ops. Its cookie is a protection_domain, which is private to that driver; what is laid
 * out here like it is the part that the page tables use (amd_iommu_types.h of Linux 6.12), which is
 * why this module asks for that series.
 */
#include <linux/io-pgtable.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/xarray.h>

#include "iopt/iopt.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "iopt-bench: lays out a structure of Linux 6.12"
#endif

#define ROUNDS 5u
#define BASE   0x100000000ull
#define PA     0x40000000ull
/* Pages are to stay pages: where they could be a larger leaf, no address is aligned to one. */
#define PA_OFF (PA + SZ_4K)

/**
 * struct work - one row: @count calls, each of @pages pages of @bytes
 */
static const struct work {
	const char *name;
	u32 bytes;
	u32 pages;
	u32 count;
} works[] = {
	{ "4K", SZ_4K, 1, 8192 },
	{ "64x4K", SZ_4K, 64, 512 },
	{ "512x4K", SZ_4K, 512, 64 },
	{ "2M", SZ_2M, 1, 1024 },
};

/* The same two calls of either engine. */
struct engine {
	const char *name;
	void *tables;
	int (*map)(void *tables, u64 iova, u64 pa, const struct work *work);
	int (*unmap)(void *tables, u64 iova, const struct work *work);
};

/* ---- iopt ---------------------------------------------------------------------------------- */

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
}

static int ours_map(void *tables, u64 iova, u64 pa, const struct work *work)
{
	return iopt_map(tables, iova, iova + (u64)work->bytes * work->pages - 1, pa,
			IOPT_READ | IOPT_WRITE, NULL);
}

/* The gather is what the other one's caller has, too; neither pays it here. */
static struct iopt_gather ours_gather;

static int ours_unmap(void *tables, u64 iova, const struct work *work)
{
	return iopt_unmap(tables, iova, iova + (u64)work->bytes * work->pages - 1, 0, &ours_gather,
			  NULL);
}

/* ---- the kernel's -------------------------------------------------------------------------- */

struct their_tables {
	seqcount_t seqcount;
	struct io_pgtable pgtbl;
	int mode;
	u64 *root;
	u64 *pgd;
};

struct their_domain {
	struct list_head dev_list;
	struct iommu_domain domain;
	struct their_tables iop;
	spinlock_t lock;
	u16 id;
	int pd_mode;
	bool dirty_tracking;
	struct xarray iommu_array;
	u8 room[512];
};

static int theirs_map(void *tables, u64 iova, u64 pa, const struct work *work)
{
	struct io_pgtable_ops *ops = tables;
	size_t mapped = 0;

	/* IOMMU_PROT_IR and IOMMU_PROT_IW of that driver */
	return ops->map_pages(ops, iova, pa, work->bytes, work->pages, 3, GFP_KERNEL, &mapped);
}

static int theirs_unmap(void *tables, u64 iova, const struct work *work)
{
	struct io_pgtable_ops *ops = tables;
	size_t bytes = (size_t)work->bytes * work->pages;

	return ops->unmap_pages(ops, iova, work->bytes, work->pages, NULL) == bytes ? 0 : -EINVAL;
}

/* ---- measuring ----------------------------------------------------------------------------- */

/* The tables are in place from the first round on, and the best of all rounds counts. */
static int measure(const struct engine *engine, const struct work *work, u64 *map, u64 *unmap)
{
	u64 step = (u64)work->bytes * work->pages, pa = work->pages > 1 ? PA_OFF : PA;
	int error = 0;

	*map = *unmap = ~0ull;
	for (u32 round = 0; round < ROUNDS; round++) {
		u64 begin = ktime_get_ns(), middle, end;

		for (u32 i = 0; i < work->count; i++)
			error |= engine->map(engine->tables, BASE + i * step, pa + i * step, work);
		middle = ktime_get_ns();
		for (u32 i = 0; i < work->count; i++)
			error |= engine->unmap(engine->tables, BASE + i * step, work);
		end = ktime_get_ns();
		*map = min(*map, (middle - begin) / work->count);
		*unmap = min(*unmap, (end - middle) / work->count);
		if (engine->map == ours_map)
			iopt_sync(&ours_gather);
		cond_resched();
	}
	return error;
}

static int measure_all(const struct engine *engine)
{
	for (u32 i = 0; i < ARRAY_SIZE(works); i++) {
		u64 map, unmap;
		int error = measure(engine, &works[i], &map, &unmap);

		if (error)
			return error;
		pr_info("bench %s %s map %llu unmap %llu\n", engine->name, works[i].name, map,
			unmap);
	}
	return 0;
}

static int measure_ours(const char *format)
{
	const struct iopt_config config = {
		.format = format,
		.callbacks = { .invalidate = invalidate, .top_changed = top_changed },
	};
	struct engine engine = { .name = format, .map = ours_map, .unmap = ours_unmap };
	struct iopt_domain *domain;
	int error = iopt_create(&config, &domain);

	if (error)
		return error;
	engine.tables = domain;
	iopt_gather_init(&ours_gather, domain, NULL);
	error = measure_all(&engine);
	iopt_sync(&ours_gather);
	iopt_destroy(domain);
	return error;
}

static int measure_theirs(void)
{
	struct engine engine = { .name = "kernel-amd-v1",
				 .map = theirs_map,
				 .unmap = theirs_unmap };
	struct their_domain *domain = kzalloc(sizeof(*domain), GFP_KERNEL);
	int error;

	if (!domain)
		return -ENOMEM;
	INIT_LIST_HEAD(&domain->dev_list);
	spin_lock_init(&domain->lock);
	xa_init(&domain->iommu_array);
	domain->iop.pgtbl.cfg.amd.nid = NUMA_NO_NODE;
	engine.tables = alloc_io_pgtable_ops(AMD_IOMMU_V1, &domain->iop.pgtbl.cfg, domain);
	if (!engine.tables) {
		kfree(domain);
		return -ENODEV;
	}
	error = measure_all(&engine);
	free_io_pgtable_ops(engine.tables);
	kfree(domain);
	return error;
}

static int __init bench_init(void)
{
	int error = measure_theirs();

	if (!error)
		error = measure_ours("amd-v1");
	if (!error)
		error = measure_ours("vtd-ss");
	return error;
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("what the I/O page-table engine costs beside the kernel's own");
MODULE_LICENSE("Dual MIT/GPL");
