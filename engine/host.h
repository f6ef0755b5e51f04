/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the engine needs from where it runs. A host is a header, chosen at compile time
 * (-DIOPT_HOST_HEADER="\"hosts/posix/host.h\""), and the functions declared below.
 *
 * The header defines, as `static inline` for these are hot:
 *
 *   struct iopt_table      a table's descriptor, a sub-class of the host's page descriptor, with at
 *                          least these members for the engine:
 *                            next (struct iopt_table *): the freelist link; beside the host's RCU
 *                              head, never overlaid with it, so that a table can be on a list and
 *                              be waiting in turn
 *                            first (uint64_t): IOVA of the table's first entry, once unlinked
 *                            level (uint8_t): level of the table
 *                            collect (uint8_t): its dirty bits are read after the invalidation
 *                            freeze (uint64_t): trim's state of it (engine/retire.h); atomic
 *                            size_lg2 (uint8_t): its size in bytes; set by the allocator
 *   struct iopt_host_lock  a sleeping lock
 *
 *   void iopt_host_enter(void)
 *                          comes first in every public function that has a read section: where the
 *                          host makes the thread known to RCU if it must be
 *   void iopt_host_read_lock(void), iopt_host_read_unlock(void)
 *                          RCU read section; nests; wait-free
 *   void iopt_host_brief_lock(void), iopt_host_brief_unlock(void)
 *                          the same for a section that goes down to one entry and leaves, without
 *                          a loop over entries, a callback or another section inside: where the
 *                          host has something cheaper for as little as that, and then it defines
 *                          IOPT_HOST_BRIEF, too; else the two above are taken
 *   void *iopt_host_va(uint64_t pa)
 *                          where the table at a physical address is mapped; pa came out of an entry
 *                          or of iopt_host_table_pa()
 *   struct iopt_table *iopt_host_table(uint64_t pa)
 *                          the descriptor of that table
 *   uint64_t iopt_host_table_pa(const struct iopt_table *table)
 *                          and back
 *   struct iopt_table *iopt_host_table_at(const void *va)
 *                          the descriptor of the table that is mapped from va on
 *   void iopt_host_publish(void)
 *                          stores to entries before it are visible to a device before any store (a
 *                          doorbell) after it
 *   void iopt_host_observe(void)
 *                          loads of entries after it come after the one that told of completion
 *   void iopt_host_writeback(const void *start, size_t bytes)
 *                          write cache lines back to memory, for walkers that do not snoop: whole
 *                          ones, start and bytes being multiples of IOPT_HOST_LINE. Comes after all
 *                          stores before it; is complete when it returns, before any store after it
 *   void iopt_host_lock_init/lock/unlock/fini(struct iopt_host_lock *)
 *   void iopt_host_breathe(void)
 *                          between two steps of a long walk, outside read sections and only in
 *                          operations that may sleep: others may have the processor. Nothing where
 *                          threads are preempted anyway
 *
 * Memory is never allocated inside a read section, so an allocator may sleep and may wait for RCU.
 */
#ifndef ENGINE_HOST_H
#define ENGINE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef IOPT_HOST_HEADER
#error "IOPT_HOST_HEADER names the host's header, e.g. -DIOPT_HOST_HEADER=\"hosts/posix/host.h\""
#endif
#include IOPT_HOST_HEADER

/*
 * What different processors write lies this many bytes apart, and write-back is asked for in such
 * pieces: a cache line of most machines. A host may have another power of two, of a table at most.
 */
#ifndef IOPT_HOST_LINE
#define IOPT_HOST_LINE 64
#endif

#ifndef IOPT_HOST_BRIEF
static inline __attribute__((always_inline)) void iopt_host_brief_lock(void)
{
	iopt_host_read_lock();
}

static inline __attribute__((always_inline)) void iopt_host_brief_unlock(void)
{
	iopt_host_read_unlock();
}
#endif

/**
 * iopt_host_table_alloc() - a zeroed table
 * @size_lg2: bytes, lg2; the table is aligned to its size
 * @pa_lg2:   bits of a physical address that an entry can hold. The engine does not use a table
 *            that lies higher: a host that has memory on both sides of it gives the lower one
 * @memory:   iopt_config::memory of the domain
 * @how:      iopt_reserve::how of the caller; 0: in whatever way the host allocates usually
 *
 * Return: its descriptor, with @size_lg2 set and the other members of the engine zero; NULL if
 * there is no memory.
 * Context: outside read sections; may sleep, unless @how tells the host that it may not.
 */
struct iopt_table *iopt_host_table_alloc(unsigned size_lg2, unsigned pa_lg2, uintptr_t memory,
					 uintptr_t how);

/**
 * iopt_host_table_free() - free tables that nobody can reach, now
 * @list: chained by next, NULL-terminated
 *
 * Context: any.
 */
void iopt_host_table_free(struct iopt_table *list);

/**
 * iopt_host_table_defer() - free tables after a grace period
 * @list: chained by next, NULL-terminated, not empty. One deferral, whatever the list's length.
 *
 * No hardware reaches them any more; software walkers in a read section still may.
 * Context: outside read sections; does not wait for RCU.
 */
void iopt_host_table_defer(struct iopt_table *list);

/**
 * iopt_host_synchronize() - wait until every read section that is open now has ended
 *
 * Context: outside read sections; sleeps.
 */
void iopt_host_synchronize(void);

/**
 * iopt_host_alloc(), iopt_host_free() - zeroed memory for the engine's own objects, aligned to
 * IOPT_HOST_LINE
 * @bytes: how much
 *
 * Context: may sleep.
 */
void *iopt_host_alloc(size_t bytes);
void iopt_host_free(void *memory);

/**
 * iopt_host_breach() - a checked build found that the embedder broke the contract
 * @what: which rule, in words, static
 * @iova: where
 *
 * Called by checked builds only (IOPT_CHECKED); returns; the engine goes on.
 */
void iopt_host_breach(const char *what, uint64_t iova);

#endif
