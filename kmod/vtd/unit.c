/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Units: where the DMAR table says that they are, whether this driver can drive them, and how they
 * are started. Everything is looked at before anything is changed: a table that is malformed, a
 * unit that lacks something or that another driver has, and the machine goes on as if this module
 * had not been loaded.
 */
#include <linux/acpi.h>
#include <linux/bitfield.h>
#include <linux/iopoll.h>
#include <linux/slab.h>

#include "kmod/vtd/vtd.h"

#define ANSWER_US 1000000

struct dmar vtd_dmar;
struct vtd_unit *vtd_units[DMAR_MOST_UNITS];

/* ---- finding ------------------------------------------------------------------------------- */

static int read_dmar(void)
{
	struct acpi_table_header *table;
	const char *wrong;
	size_t at;

	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_DMAR, 0, &table))) {
		pr_err("iopt-vtd: no DMAR table: the machine has no VT-d unit, or it is off\n");
		return -ENODEV;
	}
	wrong = dmar_parse(table, table->length, &vtd_dmar, &at);
	acpi_put_table(table);
	if (!wrong)
		return 0;
	pr_err("iopt-vtd: malformed DMAR table: %s (at byte %zu)\n", wrong, at);
	return -EINVAL;
}

/* What of a unit's registers has a place that a capability names: fault records. */
static size_t regs_bytes(u64 cap)
{
	size_t records = 16 * FIELD_GET(CAP_FRO, cap) + FRCD_BYTES * (FIELD_GET(CAP_NFR, cap) + 1);

	return PAGE_ALIGN(max_t(size_t, records, DMAR_REGS_BYTES));
}

static int refused(const struct vtd_unit *unit, int error, const char *why)
{
	pr_err("iopt-vtd: unit at %#llx: %s\n", unit->dmar->address, why);
	return error;
}

static void unmap_registers(struct vtd_unit *unit)
{
	iounmap(unit->regs);
	unit->regs = NULL;
	release_mem_region(unit->dmar->address, unit->regs_bytes);
}

static int map_so_many(struct vtd_unit *unit, size_t bytes)
{
	u64 address = unit->dmar->address;

	if (!request_mem_region(address, bytes, "iopt-vtd"))
		return refused(unit, -EBUSY, "another driver has its registers");
	unit->regs = ioremap(address, bytes);
	if (!unit->regs) {
		release_mem_region(address, bytes);
		return refused(unit, -ENOMEM, "its registers can't be mapped");
	}
	unit->regs_bytes = bytes;
	unit->cap = readq(unit->regs + DMAR_CAP);
	unit->ecap = readq(unit->regs + DMAR_ECAP);
	if (unit->cap == U64_MAX || unit->ecap == U64_MAX)
		return refused(unit, -ENODEV, "nothing answers there");
	return 0;
}

/* How many there are is in one of the first page's. */
static int map_registers(struct vtd_unit *unit)
{
	int error = map_so_many(unit, PAGE_SIZE);
	size_t bytes;

	if (error || regs_bytes(unit->cap) <= PAGE_SIZE)
		return error;
	bytes = regs_bytes(unit->cap);
	unmap_registers(unit);
	return map_so_many(unit, bytes);
}

/* What this driver can't do without. */
static int check_abilities(const struct vtd_unit *unit)
{
	if (!(unit->ecap & ECAP_QI))
		return refused(unit, -EOPNOTSUPP, "it has no queued invalidation");
	if (!(FIELD_GET(CAP_SAGAW, unit->cap) & GENMASK(3, 1)))
		return refused(unit, -EOPNOTSUPP, "it walks tables of neither 3, 4 nor 5 levels");
	if (unit->cap & CAP_RWBF)
		return refused(unit, -EOPNOTSUPP, "it wants its write buffer flushed by hand");
	if (unit->scalable && !(unit->ecap & ECAP_SMTS))
		return refused(unit, -EOPNOTSUPP, "it has no scalable mode");
	if (unit->scalable && !(unit->ecap & ECAP_SLTS))
		return refused(unit, -EOPNOTSUPP, "it has no second stage in scalable mode");
	return 0;
}

/* Nobody else's: neither the firmware's, nor the interrupt remapping of the kernel. */
static int check_free(const struct vtd_unit *unit)
{
	u32 status = readl(unit->regs + DMAR_GSTS);

	if (status & (GCMD_TE | GCMD_QIE | GSTS_IRES))
		return refused(unit, -EBUSY,
			       "in use already; boot with intel_iommu=off intremap=off");
	return 0;
}

static int find_unit(unsigned int index, bool scalable)
{
	struct vtd_unit *unit = kzalloc(sizeof(*unit), GFP_KERNEL);
	int error;

	if (!unit)
		return -ENOMEM;
	vtd_units[index] = unit;
	unit->index = index;
	unit->dmar = &vtd_dmar.units[index];
	unit->scalable = scalable;
	INIT_LIST_HEAD(&unit->devices);
	error = map_registers(unit);
	if (!error)
		error = check_abilities(unit);
	if (!error)
		error = check_free(unit);
	unit->coherent = unit->ecap & (scalable ? ECAP_SMPWC : ECAP_C);
	unit->drain = (unit->cap & CAP_DRD ? QI_IOTLB_DR : 0) |
		      (unit->cap & CAP_DWD ? QI_IOTLB_DW : 0);
	return error;
}

int vtd_find_units(bool scalable)
{
	int error = read_dmar();

	for (unsigned int i = 0; !error && i < vtd_dmar.nr_units; i++)
		error = find_unit(i, scalable);
	if (error)
		vtd_drop_units();
	return error;
}

/* ---- starting ------------------------------------------------------------------------------ */

static int await(const struct vtd_unit *unit, u32 offset, u32 mask, u32 wanted)
{
	u32 value;

	if (!readl_poll_timeout(unit->regs + offset, value, (value & mask) == wanted, 10,
				ANSWER_US))
		return 0;
	return refused(unit, -ETIMEDOUT, "it does not answer");
}

/* GCMD holds everything that is on; a bit that asks for one action is not kept. */
static int command(struct vtd_unit *unit, u32 bit, bool stays)
{
	writel(unit->gcmd | bit, unit->regs + DMAR_GCMD);
	if (stays)
		unit->gcmd |= bit;
	return await(unit, DMAR_GSTS, bit, bit);
}

/* Firmware may have put memory out of devices' reach until an operating system translates. */
static int unprotect(struct vtd_unit *unit)
{
	u32 value;

	if (!(unit->cap & (CAP_PLMR | CAP_PHMR)))
		return 0;
	value = readl(unit->regs + DMAR_PMEN);
	writel(value & ~PMEN_EPM, unit->regs + DMAR_PMEN);
	return await(unit, DMAR_PMEN, PMEN_PRS, 0);
}

static int start_queue(struct vtd_unit *unit)
{
	writel(0, unit->regs + DMAR_IQT);
	writeq(virt_to_phys(unit->queue.descriptors) |
		       (unit->scalable ? IQA_WIDE | FIELD_PREP(IQA_PAGES, 1) : 0),
	       unit->regs + DMAR_IQA);
	return command(unit, GCMD_QIE, true);
}

static int set_root(struct vtd_unit *unit)
{
	int error;

	writeq(virt_to_phys(unit->root) | (unit->scalable ? RTADDR_SMT : 0),
	       unit->regs + DMAR_RTADDR);
	error = command(unit, GCMD_SRTP, false);
	if (!error)
		vtd_submit_global(unit);
	return error;
}

static int prepare_unit(struct vtd_unit *unit)
{
	int error = vtd_root_init(unit);

	if (!error)
		error = vtd_queue_init(unit);
	if (!error)
		error = unprotect(unit);
	if (!error)
		error = start_queue(unit);
	if (!error)
		error = set_root(unit);
	/* Faults of before are nobody's. */
	if (!error)
		writel(FSTS_CLEAR, unit->regs + DMAR_FSTS);
	return error;
}

int vtd_prepare_units(void)
{
	int error = 0;

	for (unsigned int i = 0; !error && i < vtd_dmar.nr_units; i++)
		error = prepare_unit(vtd_units[i]);
	return error;
}

int vtd_translate(struct vtd_unit *unit)
{
	return command(unit, GCMD_TE, true);
}

static void drop_unit(struct vtd_unit *unit)
{
	if (unit->gcmd) {
		writel(0, unit->regs + DMAR_GCMD);
		await(unit, DMAR_GSTS, GCMD_QIE | GCMD_TE, 0);
	}
	if (unit->queue.descriptors)
		vtd_queue_fini(unit);
	if (unit->root)
		vtd_root_fini(unit);
	if (unit->regs)
		unmap_registers(unit);
	kfree(unit);
}

void vtd_drop_units(void)
{
	for (unsigned int i = 0; i < DMAR_MOST_UNITS; i++) {
		if (vtd_units[i])
			drop_unit(vtd_units[i]);
		vtd_units[i] = NULL;
	}
}

/* ---- whose device -------------------------------------------------------------------------- */

/* Follows a scope's path; the device at its end, with a reference, or NULL. */
static struct pci_dev *scope_device(const struct dmar_scope *scope, u16 segment)
{
	unsigned int bus = scope->bus;

	for (unsigned int hop = 0;; hop++) {
		struct pci_dev *found = pci_get_domain_bus_and_slot(segment, bus, scope->path[hop]);

		if (!found || hop == scope->hops - 1u)
			return found;
		if (!found->subordinate) {
			pci_dev_put(found);
			return NULL;
		}
		bus = found->subordinate->number;
		pci_dev_put(found);
	}
}

static bool is_behind(struct pci_dev *device, const struct pci_dev *bridge)
{
	for (; device; device = pci_upstream_bridge(device))
		if (device == bridge)
			return true;
	return false;
}

bool vtd_named(const struct dmar_list *list, u16 segment, struct pci_dev *device)
{
	bool named = false;

	if (pci_domain_nr(device->bus) != segment)
		return false;
	for (unsigned int i = 0; !named && i < list->nr; i++) {
		const struct dmar_scope *scope = &vtd_dmar.scopes[list->first + i];
		struct pci_dev *found = scope_device(scope, segment);

		named = found == device ||
			(found && scope->type == DMAR_BRIDGE && is_behind(device, found));
		pci_dev_put(found);
	}
	return named;
}

struct vtd_unit *vtd_unit_of(struct pci_dev *device)
{
	struct vtd_unit *rest = NULL;

	/* A virtual function is where its physical one is. */
	device = pci_physfn(device);
	for (unsigned int i = 0; i < vtd_dmar.nr_units; i++) {
		const struct dmar_unit *unit = &vtd_dmar.units[i];

		if (vtd_named(&unit->scopes, unit->segment, device))
			return vtd_units[i];
		if (unit->all && unit->segment == pci_domain_nr(device->bus))
			rest = vtd_units[i];
	}
	return rest;
}
