/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Root and context tables, and in scalable mode PASID directories and tables: by the bus, device
 * and function that a request carries they lead to a domain's tables. Tables are made when a device
 * wants them and stay: they are few.
 *
 * An entry that is not present refuses all. One entry is never changed into another: it is made not
 * present, what is cached of it is dropped, and then the new one is written, its present bit last.
 */
#include <linux/bitfield.h>
#include <linux/gfp.h>

#include <asm/cacheflush.h>

#include "kmod/vtd/vtd.h"

#define DEVFNS 256u /* of a bus */

/* A unit that does not snoop reads memory as it is behind the caches. */
static void written(const struct vtd_unit *unit, void *start, size_t bytes)
{
	if (!unit->coherent)
		clflush_cache_range(start, bytes);
}

static void *new_table(const struct vtd_unit *unit)
{
	void *table = (void *)get_zeroed_page(GFP_KERNEL);

	if (table)
		written(unit, table, PAGE_SIZE);
	return table;
}

/* The table that an entry leads to, made if there is none; NULL: no memory. */
static void *table_below(const struct vtd_unit *unit, u64 *entry)
{
	void *table;

	if (*entry & VTD_P)
		return phys_to_virt(*entry & PAGE_MASK);
	table = new_table(unit);
	if (!table)
		return NULL;
	WRITE_ONCE(*entry, virt_to_phys(table) | VTD_P);
	written(unit, entry, sizeof(*entry));
	return table;
}

int vtd_root_init(struct vtd_unit *unit)
{
	unit->root = new_table(unit);
	return unit->root ? 0 : -ENOMEM;
}

/* Before any device was attached: there is nothing below it. */
void vtd_root_fini(struct vtd_unit *unit)
{
	free_page((unsigned long)unit->root);
	unit->root = NULL;
}

/*
 * A requester's context entry. Legacy mode: a root entry's first word leads to all 256 of a bus.
 * Scalable mode: they are twice as large, and each of its two words leads to half of them.
 */
static u64 *context_entry(const struct vtd_unit *unit, u16 requester)
{
	unsigned int devfn = requester & 0xff, bus = requester >> 8;
	u64 *root_entry = &unit->root[2 * bus];
	void *table;

	if (!unit->scalable) {
		table = table_below(unit, &root_entry[0]);
		return table ? table + (size_t)devfn * CONTEXT_BYTES : NULL;
	}
	table = table_below(unit, &root_entry[devfn / 128]);
	return table ? table + (size_t)(devfn % 128) * CONTEXT_BYTES_WIDE : NULL;
}

/*
 * Scalable mode: the entry of the PASID that requests without one have, 0 (the context entry's
 * RID_PASID). A directory of 128 entries, the smallest (PDTS 0), of which the first is used.
 */
static u64 *pasid_entry(const struct vtd_unit *unit, u16 requester)
{
	u64 *context = context_entry(unit, requester);
	u64 *directory = context ? table_below(unit, &context[0]) : NULL;

	return directory ? table_below(unit, &directory[0]) : NULL;
}

/* Where a requester's domain is said: of either kind, its first word has the present bit. */
static u64 *final_entry(const struct vtd_unit *unit, u16 requester)
{
	return unit->scalable ? pasid_entry(unit, requester) : context_entry(unit, requester);
}

static size_t final_bytes(const struct vtd_unit *unit)
{
	return unit->scalable ? PASID_ENTRY_WORDS * sizeof(u64) : CONTEXT_BYTES;
}

static u16 number_in(const struct vtd_unit *unit, const u64 *entry)
{
	return unit->scalable ? FIELD_GET(PASID_DID, entry[1]) : FIELD_GET(CONTEXT_DID, entry[1]);
}

/* Drop what is cached of a requester that was in, or with caching mode out of, a domain. */
static void forget(struct vtd_unit *unit, u16 requester, u16 did)
{
	const u64 tag = FIELD_PREP(QI_DID, did);
	const struct vtd_command entry = {
		unit->scalable ? QI_PC | QI_PC_ONE | tag
			       : QI_CC | QI_DEVICE | tag | FIELD_PREP(QI_CC_SID, requester),
		0,
	};
	const struct vtd_command translations = { QI_IOTLB | QI_DOMAIN | unit->drain | tag, 0 };

#ifdef IOPT_MUTANT_ATTACH_WITHOUT_INVALIDATION
	return;
#endif
	vtd_submit(unit, &entry, 1);
	vtd_submit(unit, &translations, 1);
}

static void refuse(struct vtd_unit *unit, u16 requester, u64 *entry)
{
	u16 did = number_in(unit, entry);

	if (!(entry[0] & VTD_P))
		return;
	WRITE_ONCE(entry[0], entry[0] & ~VTD_P);
	written(unit, entry, final_bytes(unit));
	forget(unit, requester, did);
}

/* The words of an entry that leads to a domain, present bit and all. */
static void fill_in(const struct vtd_unit *unit, struct iommu_domain *domain, u64 words[2])
{
	bool pass = domain == &vtd_identity;
	struct iopt_hw hw = {};
	u16 did = VTD_DID_IDENTITY;
	u64 aw;

	if (!pass) {
		iopt_hw(vtd_domain(domain)->iopt, &hw);
		did = vtd_domain(domain)->did;
	}
	/* Passing through, the width is the largest that the unit has (agaw of Linux' unit). */
	aw = pass ? __fls(FIELD_GET(CAP_SAGAW, unit->cap)) : hw.vtd_ss.aw;
	if (unit->scalable) {
		words[0] = FIELD_PREP(PASID_PGTT, pass ? PASID_PGTT_PASS : PASID_PGTT_SS) |
			   FIELD_PREP(PASID_AW, aw) | hw.vtd_ss.ssptptr | VTD_P;
		words[1] = FIELD_PREP(PASID_DID, did) | (unit->coherent ? PASID_PWSNP : 0);
	} else {
		words[0] = (pass ? CONTEXT_TT_PASS : 0) | hw.vtd_ss.ssptptr | VTD_P;
		words[1] = FIELD_PREP(CONTEXT_AW, aw) | FIELD_PREP(CONTEXT_DID, did);
	}
}

static int set_requester(struct vtd_unit *unit, u16 requester, struct iommu_domain *domain)
{
	u64 *entry = final_entry(unit, requester), words[2];

	if (!entry)
		return -ENOMEM;
	refuse(unit, requester, entry);
	if (!domain)
		return 0;
	fill_in(unit, domain, words);
	WRITE_ONCE(entry[1], words[1]);
	dma_wmb();
	WRITE_ONCE(entry[0], words[0]);
	written(unit, entry, final_bytes(unit));
	/* With caching mode a missing entry is cached, too, as domain 0's. */
	if (unit->cap & CAP_CM)
		forget(unit, requester, 0);
	return 0;
}

/* ---- requesters ---------------------------------------------------------------------------- */

/* A bridge to PCI sends what is behind it in its own name, or its secondary bus' (see below). */
static bool is_alias(struct pci_dev *bridge, u16 *requester)
{
	bool by_bus = bridge->dev_flags & PCI_DEV_FLAG_PCIE_BRIDGE_ALIAS;

	*requester = pci_dev_id(bridge);
	if (pci_is_pcie(bridge)) {
		by_bus = pci_pcie_type(bridge) == PCI_EXP_TYPE_PCI_BRIDGE;
		if (!by_bus && pci_pcie_type(bridge) != PCI_EXP_TYPE_PCIE_BRIDGE)
			return false;
	}
	if (by_bus)
		*requester = PCI_DEVID(bridge->subordinate->number, 0);
	return true;
}

/*
 * All names that a device's requests may carry, as drivers/pci/search.c, pci_for_each_dma_alias()
 * has them, which is not for modules.
 */
static int set_device(struct vtd_device *device, struct iommu_domain *domain)
{
	struct pci_dev *pdev = to_pci_dev(device->dev);
	int error = set_requester(device->unit, pci_dev_id(pdev), domain);
	unsigned int devfn;
	u16 requester;

	if (pdev->dma_alias_mask) {
		for_each_set_bit(devfn, pdev->dma_alias_mask, DEVFNS) {
			if (!error)
				error = set_requester(device->unit,
						      PCI_DEVID(pdev->bus->number, devfn), domain);
		}
	}
	for (struct pci_bus *bus = pdev->bus; !error && !pci_is_root_bus(bus); bus = bus->parent) {
		if (!bus->self)
			continue;
		if (bus->self->dev_flags & PCI_DEV_FLAGS_BRIDGE_XLATE_ROOT)
			break;
		if (is_alias(bus->self, &requester))
			error = set_requester(device->unit, requester, domain);
	}
	return error;
}

/* A domain's record of the units that may cache it: first before it is used, last after. */
static void domain_joins(struct iommu_domain *domain, unsigned int unit)
{
	if (!domain || domain == &vtd_identity)
		return;
	vtd_domain(domain)->users[unit]++;
	set_bit(unit, vtd_domain(domain)->units);
	/*
	 * Pairs with the atomic operation by which an unmap clears an entry before it reads the
	 * bits: if it does not see this one, the unit's first walk sees the entry cleared.
	 */
	smp_mb__after_atomic();
}

static void domain_leaves(struct iommu_domain *domain, unsigned int unit)
{
	if (!domain || domain == &vtd_identity)
		return;
	if (!--vtd_domain(domain)->users[unit])
		clear_bit(unit, vtd_domain(domain)->units);
}

int vtd_context_set(struct vtd_device *device, struct iommu_domain *domain)
{
	struct iommu_domain *before = device->domain;
	unsigned int unit = device->unit->index;
	int error;

	lockdep_assert_held(&vtd_attach_lock);
	domain_joins(domain, unit);
	error = set_device(device, domain);
	if (error) {
		set_device(device, NULL);
		domain_leaves(domain, unit);
		domain = NULL;
	}
	domain_leaves(before, unit);
	device->domain = domain;
	return error;
}
