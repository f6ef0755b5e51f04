/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For iopt-bench.ko: the generic page tables that the kernel's drivers of AMD's and Intel's IOMMUs
 * have since (drivers/iommu/generic_pt), through the functions that they export for drivers, with
 * the features that these two ask for. What is called is what iommu_map() and iommu_unmap() call
 * (drivers/iommu/iommu.c of Linux 7.3, iommu_map_nosync() and __iommu_unmap()).
 *
 * Where an unmap empties a table whole (512x4K), they take it out and the next map puts a new one
 * in its place; what was taken out is freed outside of what is measured.
 */
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/numa.h>
#include <linux/spinlock.h>

#include "kmod/bench.h"

/* Exported, but declared in drivers/iommu/iommu-pages.h, which the headers are without. */
void iommu_put_pages_list(struct iommu_pages_list *list);

static struct iommu_iotlb_gather gather;

static int theirs_map(void *tables, u64 iova, u64 pa, const struct work *work)
{
	struct pt_iommu *pt = tables;
	size_t mapped = 0;

	return pt->ops->map_range(pt, iova, pa, (u64)work->bytes * work->pages,
				  IOMMU_READ | IOMMU_WRITE, GFP_KERNEL, &mapped);
}

static int theirs_unmap(void *tables, u64 iova, const struct work *work)
{
	struct pt_iommu *pt = tables;
	size_t bytes = (size_t)work->bytes * work->pages;

	return pt->ops->unmap_range(pt, iova, bytes, &gather) == bytes ? 0 : -EINVAL;
}

/* For who maps a block over tables that are left: the kernel calls it then. */
static void domain_sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gathered)
{
	iommu_put_pages_list(&gathered->freelist);
}

static const struct iommu_domain_ops domain_ops = { .iotlb_sync = domain_sync };

static void theirs_sync(void)
{
	iommu_put_pages_list(&gather.freelist);
	iommu_iotlb_gather_init(&gather);
}

static int measure(struct pt_iommu *tables, const char *name)
{
	const struct engine engine = {
		.name = name,
		.tables = tables,
		.map = theirs_map,
		.unmap = theirs_unmap,
		.sync = theirs_sync,
	};

	iommu_iotlb_gather_init(&gather);
	return bench_measure(&engine);
}

/* ---- AMD v1 -------------------------------------------------------------------------------- */

/* No hardware has its root. */
static DEFINE_SPINLOCK(top_lock);

static spinlock_t *get_top_lock(struct pt_iommu *tables)
{
	return &top_lock;
}

static void change_top(struct pt_iommu *tables, phys_addr_t top, unsigned int level)
{
}

static const struct pt_iommu_driver_ops driver_ops = {
	.change_top = change_top,
	.get_top_lock = get_top_lock,
};

/* As amd_iommu_domain_alloc_paging_v1() (drivers/iommu/amd/iommu.c), not in a guest. */
static int measure_amd_v1(void)
{
	static struct pt_iommu_amdv1 tables;
	const struct pt_iommu_amdv1_cfg config = {
		.common = { .features =
				    BIT(PT_FEAT_DYNAMIC_TOP) | BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) |
				    BIT(PT_FEAT_AMDV1_FORCE_COHERENCE) | BIT(PT_FEAT_FLUSH_RANGE),
			    .hw_max_vasz_lg2 = 64,
			    .hw_max_oasz_lg2 = 52 },
		.starting_level = 2,
	};
	int error;

	tables.iommu.driver_ops = &driver_ops;
	tables.iommu.domain.ops = &domain_ops;
	tables.iommu.nid = NUMA_NO_NODE;
	error = pt_iommu_amdv1_init(&tables, &config, GFP_KERNEL);
	if (!error)
		error = measure(&tables.iommu, "kernel-amd-v1");
	pt_iommu_deinit(&tables.iommu);
	return error;
}

/* ---- VT-d's second stage ------------------------------------------------------------------- */

/* As intel_iommu_domain_alloc_second_stage() (drivers/iommu/intel/iommu.c), four levels. */
static int measure_vtd_ss(void)
{
	static struct pt_iommu_vtdss tables;
	const struct pt_iommu_vtdss_cfg config = {
		.common = { .features = BIT(PT_FEAT_FLUSH_RANGE),
			    .hw_max_vasz_lg2 = 48,
			    .hw_max_oasz_lg2 = 52 },
		.top_level = 3,
	};
	int error;

	tables.iommu.domain.ops = &domain_ops;
	tables.iommu.nid = NUMA_NO_NODE;
	error = pt_iommu_vtdss_init(&tables, &config, GFP_KERNEL);
	if (!error)
		error = measure(&tables.iommu, "kernel-vtd-ss");
	pt_iommu_deinit(&tables.iommu);
	return error;
}

int bench_theirs(void)
{
	int error = measure_amd_v1();

	return error ? error : measure_vtd_ss();
}

MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
