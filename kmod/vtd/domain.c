/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A domain: the kernel's iommu_domain over the engine's. Map and unmap run on any number of
 * processors at once, as the engine allows; the kernel serialises what writes the same range (DMA
 * API: whoever owns an IOVA; VFIO and iommufd: their own locks).
 *
 * What an unmap owes goes into the kernel's gather if it is leaves' translations alone, which is
 * nearly always: a range. Where whole tables went it is paid at once, by iopt_sync(), because they
 * are freed through RCU after the invalidation and the kernel's gather has no place for them: its
 * list of pages is freed without RCU (drivers/iommu/iommu-pages.h, iommu_put_pages_list()).
 */
#include <linux/bitfield.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "hosts/linux/linux.h"
#include "kmod/vtd/vtd.h"

static DEFINE_IDA(vtd_numbers);

/* ---- invalidation -------------------------------------------------------------------------- */

/*
 * One command for a range: of the pages' power of two that covers it, as Linux'
 * cache_tag_flush_range() has it; what lies beside is only walked again. Too large, or a unit that
 * can't name pages: all of the domain.
 */
static struct vtd_command drop_range(const struct vtd_unit *unit, u16 did, u64 first, u64 last,
				     bool leaves_only)
{
	unsigned int lg2 = first == last ? VTD_PAGE_LG2
					 : max_t(unsigned int, VTD_PAGE_LG2, fls64(first ^ last));
	unsigned int mask = lg2 - VTD_PAGE_LG2;
	u64 low = QI_IOTLB | unit->drain | FIELD_PREP(QI_DID, did);

	if (!(unit->cap & CAP_PSI) || mask > FIELD_GET(CAP_MAMV, unit->cap))
		return (struct vtd_command){ low | QI_DOMAIN, 0 };
	return (struct vtd_command){ low | QI_PAGES, (first & (~0ull << lg2)) |
							     (leaves_only ? QI_IOTLB_IH : 0) |
							     mask };
}

/* All ranges in one go: each unit is waited for once. */
static void drop_from_all(struct vtd_domain *domain, const struct iopt_range *ranges,
			  unsigned int nr, bool leaves_only)
{
	struct vtd_command commands[IOPT_GATHER_RANGES];
	unsigned int index;

#ifdef IOPT_MUTANT_SYNC_WITHOUT_INVALIDATION
	return;
#endif
	for_each_set_bit(index, domain->units, DMAR_MOST_UNITS) {
		struct vtd_unit *unit = vtd_units[index];

		for (unsigned int i = 0; i < nr; i++)
			commands[i] = drop_range(unit, domain->did, ranges[i].first, ranges[i].last,
						 leaves_only);
		vtd_submit(unit, commands, nr);
	}
}

static void flush_all(struct iommu_domain *domain)
{
	const struct iopt_range all = { 0, U64_MAX };

	drop_from_all(vtd_domain(domain), &all, 1, false);
}

/* The engine's callback: what one of its operations, or iopt_sync(), has to have dropped. */
static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	struct vtd_domain *domain = ctx;
	bool leaves_only = !(gather->owes & (IOPT_OWES_TABLES | IOPT_OWES_DIRTY));

	if (gather->owes & IOPT_OWES_ALL)
		flush_all(&domain->domain);
	else if (gather->nr_ranges)
		drop_from_all(domain, gather->ranges, gather->nr_ranges, leaves_only);
}

static void sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
	const struct iopt_range range = { gather->start, gather->end };

	/* Empty: everything was paid when it was unmapped. */
	if (range.first <= range.last)
		drop_from_all(vtd_domain(domain), &range, 1, true);
}

/* ---- map and unmap ------------------------------------------------------------------------- */

static int map_pages(struct iommu_domain *domain, unsigned long iova, phys_addr_t pa, size_t bytes,
		     size_t count, int prot, gfp_t gfp, size_t *mapped)
{
	struct vtd_domain *ours = vtd_domain(domain);
	unsigned int bits = ours->snoop ? IOPT_SNOOP : 0;
	int error;

	/* Written once, so that the line stays shared. */
	if (!READ_ONCE(ours->used))
		WRITE_ONCE(ours->used, true);
	if (prot & IOMMU_READ)
		bits |= IOPT_READ;
	if (prot & IOMMU_WRITE)
		bits |= IOPT_WRITE;
	error = iopt_linux_map(ours->iopt, iova, iova + bytes * count - 1, pa, bits, gfp);
	if (!error)
		*mapped = bytes * count;
	return error;
}

static size_t unmap_pages(struct iommu_domain *domain, unsigned long iova, size_t bytes,
			  size_t count, struct iommu_iotlb_gather *gather)
{
	struct vtd_domain *ours = vtd_domain(domain);
	struct iopt_gather owed;
	size_t all = bytes * count;

	iopt_gather_init(&owed, ours->iopt, NULL);
	if (iopt_unmap(ours->iopt, iova, iova + all - 1, 0, &owed, NULL))
		return 0;
#ifdef IOPT_MUTANT_FORGET_TABLES
	owed.owes &= IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB;
#endif
	if (owed.owes & ~(IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB))
		iopt_sync(&owed);
	else if (owed.owes && !iommu_iotlb_gather_queued(gather))
		iommu_iotlb_gather_add_range(gather, iova, all);
	return all;
}

static phys_addr_t iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	struct iopt_translation found;

	return iopt_translate(vtd_domain(domain)->iopt, iova, &found) ? 0 : found.pa;
}

/* ---- snooping ------------------------------------------------------------------------------ */

/* Of what is mapped from now on; so it is too late when there are mappings. */
static bool enforce_cache_coherency(struct iommu_domain *domain)
{
	struct vtd_domain *ours = vtd_domain(domain);
	unsigned int index;
	bool can;

	mutex_lock(&vtd_attach_lock);
	can = ours->snoop || !READ_ONCE(ours->used);
	for_each_set_bit(index, ours->units, DMAR_MOST_UNITS)
		can &= !!(vtd_units[index]->ecap & ECAP_SC);
	if (can)
		WRITE_ONCE(ours->snoop, true);
	mutex_unlock(&vtd_attach_lock);
	return can;
}

/* ---- attach -------------------------------------------------------------------------------- */

static u64 page_sizes_of(const struct vtd_unit *unit)
{
	return SZ_4K | (unit->cap & CAP_SLLPS_2M ? SZ_2M : 0) |
	       (unit->cap & CAP_SLLPS_1G ? SZ_1G : 0);
}

/* Whether a unit can walk the tables of a domain that was made for another. */
static bool fits(const struct vtd_unit *unit, const struct vtd_domain *domain)
{
	struct iopt_hw hw;
	u64 sizes = page_sizes_of(unit);

	iopt_hw(domain->iopt, &hw);
	return (FIELD_GET(CAP_SAGAW, unit->cap) & BIT(hw.levels - 2)) &&
	       domain->domain.geometry.aperture_end < 2ull << FIELD_GET(CAP_MGAW, unit->cap) &&
	       !(domain->domain.pgsize_bitmap & ~sizes);
}

static int attach(VTD_ATTACH_ARGUMENTS)
{
	struct vtd_device *device = dev_iommu_priv_get(dev);
	int error = -EINVAL;

	mutex_lock(&vtd_attach_lock);
	if (fits(device->unit, vtd_domain(domain)) &&
	    (!vtd_domain(domain)->snoop || device->unit->ecap & ECAP_SC))
		error = vtd_context_set(device, domain);
	mutex_unlock(&vtd_attach_lock);
	return error;
}

/* ---- making and freeing -------------------------------------------------------------------- */

/* The most levels of a unit, or with the kernel's IOVAs in mind those that its width needs. */
static unsigned int levels_of(const struct vtd_unit *unit)
{
	unsigned long can = FIELD_GET(CAP_SAGAW, unit->cap);
	unsigned int bits = FIELD_GET(CAP_MGAW, unit->cap) + 1;

	for (unsigned int levels = 3; levels <= 5; levels++)
		if ((can & BIT(levels - 2)) && bits <= VTD_PAGE_LG2 + 9 * levels)
			return levels;
	return __fls(can & GENMASK(3, 1)) + 2;
}

/* Other units than the first one may have caching mode, or not snoop: what any of them needs. */
static u32 flags_for_all(void)
{
	u32 flags = 0;

	for (unsigned int i = 0; i < vtd_dmar.nr_units; i++) {
		if (!vtd_units[i]->coherent)
			flags |= IOPT_NONCOHERENT;
		if (vtd_units[i]->cap & CAP_CM)
			flags |= IOPT_CACHES_EMPTY;
	}
	return flags;
}

static int make_tables(struct vtd_domain *domain, const struct vtd_unit *unit, int node)
{
	unsigned int levels = levels_of(unit);
	unsigned int bits =
		min_t(unsigned int, VTD_PAGE_LG2 + 9 * levels, FIELD_GET(CAP_MGAW, unit->cap) + 1);
	u64 sizes = page_sizes_of(unit);
	const struct iopt_config config = {
		.format = "vtd-ss",
		.levels = levels,
		.iova_lg2 = bits,
		.pa_lg2 = vtd_dmar.pa_lg2,
		.page_sizes = sizes,
		.flags = flags_for_all(),
		.memory = iopt_linux_node(node),
		.callbacks = { .invalidate = invalidate },
		.ctx = domain,
	};

	domain->domain.pgsize_bitmap = sizes;
	domain->domain.geometry.aperture_end = (1ull << bits) - 1;
	domain->domain.geometry.force_aperture = true;
	return iopt_create(&config, &domain->iopt);
}

static int take_number(struct vtd_domain *domain)
{
	unsigned int bits = 16;
	int number;

	for (unsigned int i = 0; i < vtd_dmar.nr_units; i++)
		bits = min_t(unsigned int, bits, 4 + 2 * FIELD_GET(CAP_ND, vtd_units[i]->cap));
	number = ida_alloc_range(&vtd_numbers, VTD_DID_FIRST, (1u << bits) - 1, GFP_KERNEL);
	if (number < 0)
		return number;
	domain->did = number;
	return 0;
}

struct iommu_domain *vtd_domain_alloc(struct device *dev)
{
	struct vtd_domain *domain;
	char name[16];
	int error;

	if (!dev)
		return ERR_PTR(-EINVAL);
	domain = kzalloc(sizeof(*domain), GFP_KERNEL_ACCOUNT);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	error = take_number(domain);
	if (error)
		goto free;
	error = make_tables(domain, ((struct vtd_device *)dev_iommu_priv_get(dev))->unit,
			    dev_to_node(dev));
	if (error)
		goto release;
	snprintf(name, sizeof(name), "vtd-%u", domain->did);
	domain->folder = iopt_linux_show(domain->iopt, name);
	return &domain->domain;

release:
	ida_free(&vtd_numbers, domain->did);
free:
	kfree(domain);
	return ERR_PTR(error);
}

static void free_domain(struct iommu_domain *domain)
{
	struct vtd_domain *ours = vtd_domain(domain);

	iopt_linux_hide(ours->folder);
	iopt_destroy(ours->iopt);
	ida_free(&vtd_numbers, ours->did);
	kfree(ours);
}

const struct iommu_domain_ops vtd_domain_ops = {
	.attach_dev = attach,
	.map_pages = map_pages,
	.unmap_pages = unmap_pages,
	.flush_iotlb_all = flush_all,
	.iotlb_sync = sync,
	.iova_to_phys = iova_to_phys,
	.enforce_cache_coherency = enforce_cache_coherency,
	.free = free_domain,
};
