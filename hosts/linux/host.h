/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The Linux host's part that is compiled into the engine: table descriptors, addresses, read
 * sections, barriers and locks, all inline. engine/host.h says what each has to do. Allocation and
 * deferral are in memory.c; what else a module may call is in linux.h.
 *
 * A table is pages of the kernel's own allocator, one of them at least, and its descriptor is the
 * first page's struct page, as struct slab (mm/slab.h) and struct ptdesc (include/linux/mm_types.h)
 * are: either is found from the other, and from the physical address, by arithmetic alone.
 */
#ifndef HOSTS_LINUX_HOST_H
#define HOSTS_LINUX_HOST_H

#include <linux/cache.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/types.h>

#include <asm/special_insns.h>

#ifndef CONFIG_X86_64
#error "hosts/linux: x86-64 only: other architectures export no write-back of caches to modules"
#endif
#ifdef CONFIG_PREEMPT_RT
#error "hosts/linux: not with PREEMPT_RT, where nobody has run it"
#endif

#define IOPT_HOST_LINE L1_CACHE_BYTES

/**
 * struct iopt_table - a table's descriptor, a sub-class of struct page
 * @page_flags: struct page's own
 * @next:       the engine's freelist link. Bit 0 of this word stays clear: it would make the page
 *              one of the tail of a larger one (compound_head; compound_info in 7.3)
 * @rcu:        of the first table of a list that waits; beside @next, for that list is linked by it
 *              meanwhile. Overlays @mapping, which memory.c clears before the page goes
 * @first:      the engine's
 * @freeze:     the engine's
 * @level:      the engine's. This and the next two are the 24 bits that a page type leaves to
 *              whoever set it (include/linux/page-flags.h, PGTY_table)
 * @collect:    the engine's
 * @size_lg2:   bytes of the table, lg2. One smaller than a page has a page of its own
 * @page_type:  struct page's own: PGTY_table
 * @page_refcount: struct page's own
 * @page_memcg: struct page's own
 */
struct iopt_table {
	unsigned long page_flags;
	struct iopt_table *next;
	struct rcu_head rcu;
	uint64_t first;
	uint64_t freeze;
	uint8_t level;
	uint8_t collect;
	uint8_t size_lg2;
	uint8_t page_type;
	atomic_t page_refcount;
#ifdef CONFIG_MEMCG
	unsigned long page_memcg;
#endif
};

#define IOPT_TABLE_MATCHES(theirs, ours) \
	static_assert(offsetof(struct page, theirs) == offsetof(struct iopt_table, ours))
IOPT_TABLE_MATCHES(flags, page_flags);
/* Where compound_head is, or compound_info, as it is called in 7.3. */
IOPT_TABLE_MATCHES(lru, next);
IOPT_TABLE_MATCHES(mapping, rcu.func);
/* Where index is, or __folio_index, as it is called in 7.3. */
IOPT_TABLE_MATCHES(share, first);
IOPT_TABLE_MATCHES(private, freeze);
IOPT_TABLE_MATCHES(page_type, level);
IOPT_TABLE_MATCHES(_refcount, page_refcount);
#ifdef CONFIG_MEMCG
IOPT_TABLE_MATCHES(memcg_data, page_memcg);
#endif
#undef IOPT_TABLE_MATCHES
static_assert(sizeof(struct iopt_table) <= sizeof(struct page));
/* The page type is the highest byte of its word. */
static_assert(offsetof(struct iopt_table, page_type) == offsetof(struct page, page_type) + 3);

/* ---- addresses ----------------------------------------------------------------------------- */

static inline struct page *iopt_host_page(const struct iopt_table *table)
{
	return (struct page *)table;
}

static inline void *iopt_host_va(uint64_t pa)
{
	return __va(pa);
}

static inline struct iopt_table *iopt_host_table(uint64_t pa)
{
	return (struct iopt_table *)pfn_to_page(pa >> PAGE_SHIFT);
}

static inline struct iopt_table *iopt_host_table_at(const void *va)
{
	return iopt_host_table((unsigned long)va - PAGE_OFFSET);
}

static inline uint64_t iopt_host_table_pa(const struct iopt_table *table)
{
	return (uint64_t)page_to_pfn(iopt_host_page(table)) << PAGE_SHIFT;
}

/* ---- read sections ------------------------------------------------------------------------- */

static inline void iopt_host_enter(void)
{
}

static inline void iopt_host_read_lock(void)
{
	rcu_read_lock();
}

static inline void iopt_host_read_unlock(void)
{
	rcu_read_unlock();
}

/*
 * Not being preempted is a read section, too: call_rcu() and synchronize_rcu() wait for its end
 * since Linux 5.0 (include/linux/rcupdate.h, rcu_read_lock_sched()). Where RCU readers may be
 * preempted, entering and leaving one are two calls, among which the engine's registers go to the
 * stack and come back; this is two instructions and a branch, inline. It holds up the scheduler as
 * long as it lasts, hence only for sections that are a walk down to one entry. Whatever is longer
 * (a range that is mapped or unmapped, a sweep, a dump) can be preempted.
 */
#define IOPT_HOST_BRIEF

static inline void iopt_host_brief_lock(void)
{
	rcu_read_lock_sched();
}

static inline void iopt_host_brief_unlock(void)
{
	rcu_read_unlock_sched();
}

/* ---- devices ------------------------------------------------------------------------------- */

static inline void iopt_host_publish(void)
{
	dma_wmb();
}

static inline void iopt_host_observe(void)
{
	dma_rmb();
}

/*
 * As clflush_cache_range() (arch/x86/mm/pat/set_memory.c), fenced on both sides, but inline and by
 * clwb(), which takes the instruction that leaves the line in the cache where the processor has it
 * (asm/special_insns.h). The first fence keeps it behind loads, too: a line may be written back
 * because of what another processor was seen to have put there.
 */
static inline void iopt_host_writeback(const void *start, size_t bytes)
{
	char *line = (char *)((unsigned long)start & ~(IOPT_HOST_LINE - 1ul));

	smp_mb();
	for (; line < (char *)start + bytes; line += IOPT_HOST_LINE)
		clwb(line);
	wmb();
}

/* ---- long walks ----------------------------------------------------------------------------- */

static inline void iopt_host_breathe(void)
{
	cond_resched();
}

/* ---- locks --------------------------------------------------------------------------------- */

struct iopt_host_lock {
	struct mutex mutex;
};

#define iopt_host_lock_init(lock) mutex_init(&(lock)->mutex)

static inline void iopt_host_lock(struct iopt_host_lock *lock)
{
	mutex_lock(&lock->mutex);
}

static inline void iopt_host_unlock(struct iopt_host_lock *lock)
{
	mutex_unlock(&lock->mutex);
}

static inline void iopt_host_lock_fini(struct iopt_host_lock *lock)
{
	mutex_destroy(&lock->mutex);
}

#endif
