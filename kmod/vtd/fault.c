/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Requests that a unit refused: it writes who, where and why into a few records, and drops what
 * does not fit. They are looked for several times a second and go into the log, not too many, and
 * to the handler of the device's domain if there is one (report_iommu_fault()).
 *
 * Layout of the records and of FSTS: Linux drivers/iommu/intel/dmar.c, dmar_fault().
 */
#include <linux/bitfield.h>
#include <linux/ratelimit.h>

#include "kmod/vtd/vtd.h"

#define LOOK_MS 100

/** struct vtd_fault - a record */
struct vtd_fault {
	u64 iova;
	u16 requester;
	u8 reason;
	bool read;
};

/* The device behind this unit, and where its DMA goes, neither going away meanwhile. */
static void tell_domain(struct vtd_unit *unit, const struct vtd_fault *fault)
{
	struct vtd_device *device;

	mutex_lock(&vtd_attach_lock);
	list_for_each_entry(device, &unit->devices, link) {
		if (pci_dev_id(to_pci_dev(device->dev)) != fault->requester)
			continue;
		if (device->domain && device->domain != &vtd_identity)
			report_iommu_fault(device->domain, device->dev, fault->iova,
					   fault->read ? IOMMU_FAULT_READ : IOMMU_FAULT_WRITE);
		break;
	}
	mutex_unlock(&vtd_attach_lock);
}

static void report(struct vtd_unit *unit, const struct vtd_fault *fault)
{
	pr_err_ratelimited("iopt-vtd: %04x:%02x:%02x.%x: DMA %s of %#llx refused, reason %#x\n",
			   unit->dmar->segment, fault->requester >> 8,
			   PCI_SLOT(fault->requester & 0xff), PCI_FUNC(fault->requester & 0xff),
			   fault->read ? "read" : "write", fault->iova, fault->reason);
	tell_domain(unit, fault);
}

/* Takes a record, if it is one, so that the unit may use its place again. */
static bool take(void __iomem *record, struct vtd_fault *fault)
{
	u32 what = readl(record + FRCD_WHAT);

	if (!(what & FRCD_F))
		return false;
	fault->iova = readq(record) & PAGE_MASK;
	fault->requester = readl(record + FRCD_SOURCE) & 0xffff;
	fault->reason = FIELD_GET(FRCD_REASON, what);
	fault->read = what & FRCD_READ;
	writel(FRCD_F, record + FRCD_WHAT);
	return true;
}

static void look(struct work_struct *work)
{
	struct vtd_unit *unit = container_of(to_delayed_work(work), struct vtd_unit, faults);
	void __iomem *records = unit->regs + 16 * FIELD_GET(CAP_FRO, unit->cap);
	unsigned int nr = FIELD_GET(CAP_NFR, unit->cap) + 1;
	struct vtd_fault fault;

	if (readl(unit->regs + DMAR_FSTS) & (FSTS_PPF | FSTS_PFO)) {
		for (unsigned int i = 0; i < nr; i++)
			if (take(records + i * FRCD_BYTES, &fault))
				report(unit, &fault);
		writel(FSTS_PFO, unit->regs + DMAR_FSTS);
	}
	queue_delayed_work(system_power_efficient_wq, &unit->faults, msecs_to_jiffies(LOOK_MS));
}

void vtd_faults_start(struct vtd_unit *unit)
{
	INIT_DELAYED_WORK(&unit->faults, look);
	queue_delayed_work(system_power_efficient_wq, &unit->faults, msecs_to_jiffies(LOOK_MS));
}
