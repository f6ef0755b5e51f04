/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Table memory from the page allocator, accounted as the kernel accounts the page tables of IOMMUs
 * (drivers/iommu/iommu-pages.h: NR_IOMMU_PAGES and NR_SECONDARY_PAGETABLE, charged to the memory
 * cgroup of whoever maps), and the deferral of freeing through the kernel's RCU.
 */
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "engine/host.h"
#include "hosts/linux/linux.h"

static atomic_long_t pages_used;

/* ---- failing allocations ------------------------------------------------------------------- */

static struct task_struct *fail_task;
static unsigned long fail_countdown;

void iopt_linux_fail(unsigned long nth)
{
	fail_countdown = nth;
	WRITE_ONCE(fail_task, nth ? current : NULL);
}

/* What follows the test of the task is that task's alone. */
static bool fails(void)
{
	if (likely(READ_ONCE(fail_task) != current) || !in_task())
		return false;
	return fail_countdown && !--fail_countdown;
}

/* ---- tables -------------------------------------------------------------------------------- */

static unsigned int order_of(unsigned int size_lg2)
{
	return size_lg2 > PAGE_SHIFT ? size_lg2 - PAGE_SHIFT : 0;
}

static void account(struct iopt_table *table, long pages)
{
	struct page *page = iopt_host_page(table);

	mod_node_page_state(page_pgdat(page), NR_IOMMU_PAGES, pages);
	mod_lruvec_page_state(page, NR_SECONDARY_PAGETABLE, pages);
#ifdef IOPT_MUTANT_COUNT_PLAINLY
	pages_used.counter += pages;
#else
	atomic_long_add(pages, &pages_used);
#endif
}

/* With no node to prefer, where the task's policy says. */
static struct page *pages_of(uintptr_t memory, gfp_t gfp, unsigned int order)
{
	int nid = (int)memory + NUMA_NO_NODE;

	return nid == NUMA_NO_NODE ? alloc_pages(gfp, order) : alloc_pages_node(nid, gfp, order);
}

/* What the caller said, of it what is his to say; the rest is the host's. */
static gfp_t gfp_of(uintptr_t how, unsigned int order)
{
	gfp_t gfp = how ? (__force gfp_t)how & ~GFP_ZONEMASK : GFP_KERNEL_ACCOUNT;

	return gfp | __GFP_ZERO | __GFP_NOWARN | (order ? __GFP_COMP : 0);
}

/*
 * Pages below 2^pa_lg2. There is a zone of those below 4 GiB (drivers/iommu/io-pgtable-arm-v7s.c
 * takes its tables from there, too); what may lie between that and all of memory mostly does.
 */
static struct page *pages_below(unsigned int pa_lg2, uintptr_t memory, gfp_t gfp,
				unsigned int order)
{
	struct page *page;

	if (pa_lg2 <= 32)
		return pages_of(memory, gfp | __GFP_DMA32, order);
	page = pages_of(memory, gfp, order);
	if (page && PFN_PHYS(page_to_pfn(page)) >> pa_lg2) {
		__free_pages(page, order);
		page = pages_of(memory, gfp | __GFP_DMA32, order);
	}
	return page;
}

struct iopt_table *iopt_host_table_alloc(unsigned size_lg2, unsigned pa_lg2, uintptr_t memory,
					 uintptr_t how)
{
	unsigned int order = order_of(size_lg2);
	gfp_t gfp = gfp_of(how, order);
	struct iopt_table *table;
	struct page *page;

	might_alloc(gfp);
	if (fails())
		return NULL;
	page = pages_below(pa_lg2, memory, gfp, order);
	if (!page)
		return NULL;
	__SetPageTable(page);
	table = (struct iopt_table *)page;
	table->next = NULL;
	table->first = 0;
	table->freeze = 0;
	table->level = 0;
	table->collect = 0;
	table->size_lg2 = size_lg2;
	account(table, 1l << order);
	return table;
}

/* The page as the allocator wants it back: no type, and nothing where a mapping would be. */
static void table_free(struct iopt_table *table)
{
	struct page *page = iopt_host_page(table);
	unsigned int order = order_of(table->size_lg2);

	account(table, -(1l << order));
	page->mapping = NULL;
	page->private = 0;
	__ClearPageTable(page);
	__free_pages(page, order);
}

void iopt_host_table_free(struct iopt_table *list)
{
	while (list) {
		struct iopt_table *next = list->next;

		table_free(list);
		list = next;
	}
}

static void free_after_grace(struct rcu_head *head)
{
	iopt_host_table_free(container_of(head, struct iopt_table, rcu));
}

void iopt_host_table_defer(struct iopt_table *list)
{
#ifdef IOPT_MUTANT_FREE_WITHOUT_RCU
	free_after_grace(&list->rcu);
#else
	call_rcu(&list->rcu, free_after_grace);
#endif
}

void iopt_host_synchronize(void)
{
	synchronize_rcu();
}

long iopt_linux_pages(void)
{
	return atomic_long_read(&pages_used);
}

/* ---- the engine's own objects -------------------------------------------------------------- */

/*
 * What is a power of two is aligned to its size (Documentation/core-api/memory-allocation.rst), so
 * to a line if it is one at least.
 */
void *iopt_host_alloc(size_t bytes)
{
	if (fails())
		return NULL;
	return kzalloc(roundup_pow_of_two(max_t(size_t, bytes, IOPT_HOST_LINE)),
		       GFP_KERNEL_ACCOUNT);
}

void iopt_host_free(void *memory)
{
	kfree(memory);
}

void iopt_host_breach(const char *what, uint64_t iova)
{
	WARN(1, "iopt: broken contract: %s at %#llx\n", what, iova);
}
