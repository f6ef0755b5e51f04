/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-vtd: a driver of VT-d units over the engine's second-stage tables. What its files share.
 *
 * dmar.c reads where units are; unit.c finds, checks and starts them; queue.c has them invalidate;
 * context.c says whose DMA goes through which tables; domain.c is a domain, the engine's tables as
 * the kernel's iommu_domain; fault.c reports what was refused; main.c is the kernel's iommu_ops.
 *
 * Locks: vtd_attach_lock is held while context entries and what is attached where change, and may
 * be held for long. A unit's queue has a lock of its own, taken with interrupts off, last. Map and
 * unmap take no lock of the driver but the queue's, for as long as it takes to write commands.
 */
#ifndef KMOD_VTD_VTD_H
#define KMOD_VTD_VTD_H

#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#include "iopt/iopt.h"
#include "kmod/vtd/dmar.h"
#include "kmod/vtd/regs.h"

#define VTD_PAGE_LG2 12u

/*
 * The arguments of iommu_domain_ops::attach_dev: 7.3 adds the domain that the device leaves, which
 * struct vtd_device knows, too.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define VTD_ATTACH_ARGUMENTS \
	struct iommu_domain *domain, struct device *dev, struct iommu_domain *old
#else
#define VTD_ATTACH_ARGUMENTS struct iommu_domain *domain, struct device *dev
#endif

/* Domain numbers: 0 is what units with caching mode tag blocked requests with. */
#define VTD_DID_IDENTITY 1u
#define VTD_DID_FIRST	 2u

/** struct vtd_command - a descriptor; its other words in scalable mode are 0 */
struct vtd_command {
	u64 low;
	u64 high;
};

/**
 * struct vtd_queue - a unit's invalidation queue
 * @lock:        of all but @status
 * @descriptors: VTD_QUEUE_NR of them
 * @status:      a word for each; the wait command in that place writes its number there
 * @stride_lg2:  bytes of a descriptor
 * @tail:        next place
 * @room:        places known to be free, at least; the one before the head stays free
 * @number:      of the newest wait command
 */
struct vtd_queue {
	raw_spinlock_t lock;
	void *descriptors;
	u32 *status;
	u8 stride_lg2;
	u32 tail;
	u32 room;
	u32 number;
};

/**
 * struct vtd_unit - a unit, from loading on for ever
 * @iommu:    the kernel's handle; .dev is in sysfs
 * @dmar:     what firmware says of it
 * @index:    place in vtd_units[], bit in struct vtd_domain::units
 * @regs:     its registers
 * @regs_bytes: how many are mapped
 * @cap:      CAP_REG
 * @ecap:     ECAP_REG
 * @scalable: scalable mode
 * @coherent: it snoops the caches when it walks
 * @gcmd:     what GCMD_REG holds
 * @root:     root table, one page
 * @queue:    its commands
 * @devices:  struct vtd_device::link of those behind it; vtd_attach_lock
 * @faults:   looks for fault records now and then
 * @drain:    bits of an IOTLB command that make it wait for requests under way
 */
struct vtd_unit {
	struct iommu_device iommu;
	const struct dmar_unit *dmar;
	unsigned int index;
	void __iomem *regs;
	size_t regs_bytes;
	u64 cap;
	u64 ecap;
	bool scalable;
	bool coherent;
	u32 gcmd;
	u64 *root;
	struct vtd_queue queue;
	struct list_head devices;
	struct delayed_work faults;
	u64 drain;
};

/**
 * struct vtd_domain - the kernel's domain over the engine's
 * @domain: the kernel's
 * @iopt:   the tables
 * @folder: in debugfs
 * @did:    number that tags what units cache, the same in all
 * @used:   something was mapped
 * @snoop:  mappings override "no snoop"; set before the first one only
 * @units:  bit n: unit n may have cached something. A bit is set before the first context entry
 *          that leads here is, and cleared after the last one was invalidated
 * @users:  context entries of each unit; vtd_attach_lock
 */
struct vtd_domain {
	struct iommu_domain domain;
	struct iopt_domain *iopt;
	struct dentry *folder;
	u16 did;
	bool used;
	bool snoop;
	DECLARE_BITMAP(units, DMAR_MOST_UNITS);
	u32 users[DMAR_MOST_UNITS];
};

/**
 * struct vtd_device - a device behind a unit
 * @unit:   that unit
 * @dev:    the device
 * @link:   in struct vtd_unit::devices
 * @domain: where its DMA goes; NULL: nowhere, or &vtd_identity
 */
struct vtd_device {
	struct vtd_unit *unit;
	struct device *dev;
	struct list_head link;
	struct iommu_domain *domain;
};

extern struct dmar vtd_dmar;
extern struct vtd_unit *vtd_units[DMAR_MOST_UNITS];
extern struct mutex vtd_attach_lock;
extern struct iommu_domain vtd_identity;

static inline struct vtd_domain *vtd_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct vtd_domain, domain);
}

/* ---- unit.c -------------------------------------------------------------------------------- */

/**
 * vtd_find_units() - find all units, check that this driver can drive them, map their registers
 *
 * Says in the log what it refuses and why. After an error nothing is held and nothing was changed.
 * Return: 0; -ENODEV: no DMAR table; -EINVAL: a malformed one; -EBUSY: another driver has a unit;
 * -EOPNOTSUPP: a unit lacks what is needed; -ENOMEM.
 * Context: may sleep; once.
 */
int vtd_find_units(bool scalable);

/**
 * vtd_prepare_units() - give units a queue and a root table that lets nothing through
 *
 * Return: 0, -ENOMEM or -ETIMEDOUT; then the units are as before.
 * Context: may sleep; once.
 */
int vtd_prepare_units(void);

/**
 * vtd_translate() - from now on the unit translates
 * Return: 0 or -ETIMEDOUT.
 * Context: may sleep.
 */
int vtd_translate(struct vtd_unit *unit);

/** vtd_drop_units() - undo vtd_find_units() and vtd_prepare_units(). Context: may sleep. */
void vtd_drop_units(void);

/**
 * vtd_unit_of() - the unit whose scopes name a device
 * Return: it, or NULL.
 * Context: may sleep.
 */
struct vtd_unit *vtd_unit_of(struct pci_dev *device);

/**
 * vtd_named() - whether a list of scopes names a device, or a bridge that it is behind
 * @list:    the list
 * @segment: what it is about
 * @device:  the device
 * Context: may sleep.
 */
bool vtd_named(const struct dmar_list *list, u16 segment, struct pci_dev *device);

/* ---- queue.c ------------------------------------------------------------------------------- */

#define VTD_QUEUE_NR 256u

int vtd_queue_init(struct vtd_unit *unit);
void vtd_queue_fini(struct vtd_unit *unit);

/**
 * vtd_submit() - have a unit invalidate, and wait until it has
 * @unit:     the unit
 * @commands: what
 * @nr:       how many, at least 1 and fewer than places in the queue
 *
 * A unit that does not answer within ten seconds is a panic: memory that devices may still write
 * would be given away.
 *
 * Context: any, interrupts on or off; several at once.
 */
void vtd_submit(struct vtd_unit *unit, const struct vtd_command *commands, unsigned int nr);

/** vtd_submit_global() - drop all that a unit has cached. Context: as vtd_submit(). */
void vtd_submit_global(struct vtd_unit *unit);

/* ---- context.c ----------------------------------------------------------------------------- */

int vtd_root_init(struct vtd_unit *unit);
void vtd_root_fini(struct vtd_unit *unit);

/**
 * vtd_context_set() - where a device's DMA goes from now on
 * @device: the device, with all its aliases
 * @domain: a domain of this driver; &vtd_identity; NULL: nowhere, it is refused
 *
 * In between nothing goes through. On return what was before is in no cache.
 *
 * Return: 0 or -ENOMEM: then its DMA is refused.
 * Context: may sleep; vtd_attach_lock held.
 */
int vtd_context_set(struct vtd_device *device, struct iommu_domain *domain);

/* ---- domain.c ------------------------------------------------------------------------------ */

extern const struct iommu_domain_ops vtd_domain_ops;

/** vtd_domain_alloc() - iommu_ops::domain_alloc_paging, tables as @dev's unit wants them */
struct iommu_domain *vtd_domain_alloc(struct device *dev);

/* ---- fault.c ------------------------------------------------------------------------------- */

/**
 * vtd_faults_start() - look for fault records from now on
 *
 * The unit has an interrupt for them, but none that a module could ask for: the kernel exports no
 * function that makes one (arch/x86/kernel/apic/msi.c, dmar_alloc_hwirq()).
 *
 * Context: may sleep.
 */
void vtd_faults_start(struct vtd_unit *unit);

#endif
