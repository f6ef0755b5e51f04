/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-vtd.ko: VT-d for the kernel. Loading finds the units, gives every PCI device behind them a
 * domain, and has them translate; from then on the DMA of drivers that bind goes through the
 * engine's tables. It is loaded before these drivers, with the kernel's own driver off
 * (intel_iommu=off intremap=off).
 *
 * It can't be unloaded: each device that it serves holds a reference, as with any IOMMU driver, and
 * there is no state to go back to while their drivers have memory mapped.
 *
 * Not here: interrupt remapping, device TLBs (ATS stays off), PASIDs but the one of requests
 * without, page requests, first stage and nesting; suspend and kexec, over which units forget.
 */
#include <linux/bitfield.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "kmod/vtd/vtd.h"

static bool scalable;
module_param(scalable, bool, 0444);
MODULE_PARM_DESC(scalable, "use scalable mode (PASID tables) in place of legacy mode");

DEFINE_MUTEX(vtd_attach_lock);

/* Interrupts are written there, and are never translated as memory. */
#define MSI_FIRST 0xfee00000ull
#define MSI_BYTES 0x100000

/* ---- domains without tables ---------------------------------------------------------------- */

static int attach_identity(VTD_ATTACH_ARGUMENTS)
{
	int error;

	mutex_lock(&vtd_attach_lock);
	error = vtd_context_set(dev_iommu_priv_get(dev), domain);
	mutex_unlock(&vtd_attach_lock);
	return error;
}

static int attach_blocked(VTD_ATTACH_ARGUMENTS)
{
	mutex_lock(&vtd_attach_lock);
	vtd_context_set(dev_iommu_priv_get(dev), NULL);
	mutex_unlock(&vtd_attach_lock);
	return 0;
}

static const struct iommu_domain_ops identity_ops = { .attach_dev = attach_identity };
static const struct iommu_domain_ops blocked_ops = { .attach_dev = attach_blocked };

struct iommu_domain vtd_identity = { .type = IOMMU_DOMAIN_IDENTITY, .ops = &identity_ops };
static struct iommu_domain vtd_blocked = { .type = IOMMU_DOMAIN_BLOCKED, .ops = &blocked_ops };

/* ---- devices ------------------------------------------------------------------------------- */

static bool device_can(struct device *dev, enum iommu_cap cap)
{
	const struct vtd_device *device = dev_iommu_priv_get(dev);

	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
	case IOMMU_CAP_DEFERRED_FLUSH: return true;
	case IOMMU_CAP_ENFORCE_CACHE_COHERENCY: return device->unit->ecap & ECAP_SC;
	default: return false;
	}
}

static struct iommu_device *probe(struct device *dev)
{
	struct vtd_device *device;
	struct vtd_unit *unit;

	if (!dev_is_pci(dev))
		return ERR_PTR(-ENODEV);
	unit = vtd_unit_of(to_pci_dev(dev));
	if (!unit)
		return ERR_PTR(-ENODEV);
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return ERR_PTR(-ENOMEM);
	device->unit = unit;
	device->dev = dev;
	dev_iommu_priv_set(dev, device);
	mutex_lock(&vtd_attach_lock);
	list_add(&device->link, &unit->devices);
	mutex_unlock(&vtd_attach_lock);
	return &unit->iommu;
}

/* The kernel has attached iommu_ops::release_domain before, so that nothing leads anywhere. */
static void release(struct device *dev)
{
	struct vtd_device *device = dev_iommu_priv_get(dev);

	mutex_lock(&vtd_attach_lock);
	list_del(&device->link);
	mutex_unlock(&vtd_attach_lock);
	kfree(device);
}

static void add_region(struct list_head *list, u64 first, size_t bytes, int prot,
		       enum iommu_resv_type type)
{
	struct iommu_resv_region *region =
		iommu_alloc_resv_region(first, bytes, prot, type, GFP_KERNEL);

	if (region)
		list_add_tail(&region->list, list);
}

static void get_reserved(struct device *dev, struct list_head *list)
{
	for (unsigned int i = 0; i < vtd_dmar.nr_regions; i++) {
		const struct dmar_region *region = &vtd_dmar.regions[i];

		if (vtd_named(&region->scopes, region->segment, to_pci_dev(dev)))
			add_region(list, region->first, region->last - region->first + 1,
				   IOMMU_READ | IOMMU_WRITE, IOMMU_RESV_DIRECT);
	}
	add_region(list, MSI_FIRST, MSI_BYTES, 0, IOMMU_RESV_MSI);
}

static struct iommu_ops vtd_ops = {
	.owner = THIS_MODULE,
	.capable = device_can,
	.domain_alloc_paging = vtd_domain_alloc,
	.probe_device = probe,
	.release_device = release,
	.device_group = pci_device_group,
	.get_resv_regions = get_reserved,
	.default_domain_ops = &vtd_domain_ops,
	.blocked_domain = &vtd_blocked,
	.release_domain = &vtd_blocked,
};

/* ---- loading ------------------------------------------------------------------------------- */

/* A device that does DMA by physical addresses would be cut off from them. */
static int check_idle(void)
{
	struct pci_dev *device = NULL;

	for_each_pci_dev(device) {
		if (!device->dev.driver || !device->is_busmaster || pci_is_bridge(device) ||
		    !vtd_unit_of(device))
			continue;
		pci_err(device, "in use by %s: load iopt-vtd before it\n",
			device->dev.driver->name);
		pci_dev_put(device);
		return -EBUSY;
	}
	return 0;
}

/* Passing through is on offer if every unit can do it: one domain serves all. */
static void offer_identity(void)
{
	for (unsigned int i = 0; i < vtd_dmar.nr_units; i++)
		if (!(vtd_units[i]->ecap & ECAP_PT))
			return;
	vtd_ops.identity_domain = &vtd_identity;
}

static int register_unit(struct vtd_unit *unit)
{
	int error = iommu_device_sysfs_add(&unit->iommu, NULL, NULL, "iopt-vtd%u", unit->index);

	if (error)
		return error;
	error = iommu_device_register(&unit->iommu, &vtd_ops, NULL);
	if (error)
		iommu_device_sysfs_remove(&unit->iommu);
	return error;
}

static void unregister_units(unsigned int nr)
{
	while (nr--) {
		iommu_device_unregister(&vtd_units[nr]->iommu);
		iommu_device_sysfs_remove(&vtd_units[nr]->iommu);
	}
}

/*
 * Devices get their domains before units translate: what firmware lets them use (reserved regions)
 * is mapped then.
 */
static int start_units(void)
{
	unsigned int registered = 0;
	int error = 0;

	while (!error && registered < vtd_dmar.nr_units) {
		error = register_unit(vtd_units[registered]);
		registered += !error;
	}
	for (unsigned int i = 0; !error && i < vtd_dmar.nr_units; i++)
		error = vtd_translate(vtd_units[i]);
	if (error)
		unregister_units(registered);
	return error;
}

static int __init vtd_init(void)
{
	int error = vtd_find_units(scalable);

	if (error)
		return error;
	error = check_idle();
	if (!error)
		error = vtd_prepare_units();
	if (!error) {
		offer_identity();
		error = start_units();
	}
	if (error) {
		vtd_drop_units();
		return error;
	}
	for (unsigned int i = 0; i < vtd_dmar.nr_units; i++) {
		vtd_faults_start(vtd_units[i]);
		pr_info("iopt-vtd: unit at %#llx: %s mode, %u-bit IOVAs\n",
			vtd_units[i]->dmar->address, scalable ? "scalable" : "legacy",
			(unsigned int)FIELD_GET(CAP_MGAW, vtd_units[i]->cap) + 1);
	}
	return 0;
}

module_init(vtd_init);
MODULE_DESCRIPTION("Intel VT-d over the I/O page-table engine");
MODULE_LICENSE("Dual MIT/GPL");
