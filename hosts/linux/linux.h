/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What iopt.ko offers to other modules beside <iopt/iopt.h>: where the memory of tables comes from
 * and for whom, a domain's files in debugfs, how much memory tables take, and, for tests,
 * allocations that fail.
 */
#ifndef HOSTS_LINUX_LINUX_H
#define HOSTS_LINUX_LINUX_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/types.h>

#include "iopt/iopt.h"

struct dentry;

/**
 * iopt_linux_node() - what iopt_config::memory says: the node of a domain's tables
 * @nid: an online node, that of the walker as a rule: dev_to_node() of the IOMMU's device; or
 *       NUMA_NO_NODE, which is 0 and leaves it to the policy of whoever maps
 *
 * A wish: where that node has nothing left, or nothing that the format's entries can hold, tables
 * come from another one.
 */
static inline uintptr_t iopt_linux_node(int nid)
{
	return (uintptr_t)(nid - NUMA_NO_NODE);
}

/**
 * iopt_linux_how() - what iopt_reserve::how says: how tables are allocated
 * @gfp: context and accounting, as for alloc_pages(): GFP_ATOMIC, GFP_NOIO, GFP_KERNEL_ACCOUNT ...
 *       A zone, or __GFP_ZERO, is of the host's own
 *
 * Return: never 0, whatever @gfp.
 */
static inline uintptr_t iopt_linux_how(gfp_t gfp)
{
	return (__force uintptr_t)(gfp | __GFP_NOWARN);
}

/**
 * iopt_linux_map() - iopt_map() for who has been told how to allocate, as an iommu driver's
 * map_pages()
 * @domain: the domain
 * @first:  first IOVA
 * @last:   last IOVA
 * @pa:     physical address of @first
 * @prot:   IOPT_READ and so on
 * @gfp:    as iopt_linux_how()
 *
 * Tables are allocated where they turn out to be needed, with @gfp, outside RCU read sections;
 * where they are there already, nothing is done that iopt_map() does not do.
 *
 * Return: as iopt_map().
 * Context: as iopt_map(); sleeps if @gfp lets the allocator sleep, never otherwise. Without that
 * any but NMI, so that spinlocks may be held and interrupts be disabled; the domain's callbacks,
 * which run in the caller's context, then may not sleep either.
 */
static inline int iopt_linux_map(struct iopt_domain *domain, uint64_t first, uint64_t last,
				 uint64_t pa, unsigned prot, gfp_t gfp)
{
	struct iopt_reserve reserve = { .how = iopt_linux_how(gfp) };
	int error = iopt_map(domain, first, last, pa, prot, &reserve);

	/* Another mapper was faster, or there were not enough. */
	if (unlikely(reserve.tables))
		iopt_reserve_release(&reserve);
	return error;
}

/**
 * iopt_linux_show() - make a domain's folder in debugfs, iopt/NAME with dump, raw, stats and check
 * @domain: the domain
 * @name:   of the folder; not in use by another
 *
 * Reading is safe against everything that may run beside it.
 *
 * Return: the folder, for iopt_linux_hide(). Never NULL; without debugfs it stands for nothing.
 * Context: may sleep.
 */
struct dentry *iopt_linux_show(struct iopt_domain *domain, const char *name);

/**
 * iopt_linux_hide() - take the folder away; no reader is left afterwards
 * @folder: of iopt_linux_show()
 *
 * Context: before iopt_destroy(); sleeps until reads that are under way have ended.
 */
void iopt_linux_hide(struct dentry *folder);

/**
 * iopt_linux_pages() - pages that the tables of all domains take, those that wait for RCU included
 *
 * Context: any.
 */
long iopt_linux_pages(void);

/**
 * iopt_linux_fail() - let an allocation of the calling task fail, for tests
 * @nth: the one that fails, counted from now on, 1 being the next; 0: none
 *
 * Context: one task at a time; others' allocations neither count nor fail.
 */
void iopt_linux_fail(unsigned long nth);

#endif
