/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For iopt-bench.ko: the kernel's AMD_IOMMU_V1 (drivers/iommu/amd/io_pgtable.c) through its
 * io_pgtable_ops. Its cookie is a protection_domain, which is private to that driver; what is laid
 * out here like it is the part that the page tables use (amd_iommu_types.h of Linux 6.12), which is
 * why this file asks for that series.
 */
#include <linux/io-pgtable.h>
#include <linux/iommu.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/xarray.h>

#include "kmod/bench.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "iopt-bench: lays out a structure of Linux 6.12"
#endif

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

/* They gather nothing: that is its caller's. */
static void theirs_sync(void)
{
}

int bench_theirs(void)
{
	struct engine engine = { .name = "kernel-amd-v1",
				 .map = theirs_map,
				 .unmap = theirs_unmap,
				 .sync = theirs_sync };
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
	error = bench_measure(&engine);
	free_io_pgtable_ops(engine.tables);
	kfree(domain);
	return error;
}
