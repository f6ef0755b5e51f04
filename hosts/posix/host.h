/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The posix host's part that is compiled into the engine: table descriptors, addresses, read
 * sections, barriers and locks, all inline. engine/host.h says what each has to do. Allocation is
 * in memory.c, RCU in rcu.h and behind it.
 *
 * Table memory is one arena of address space, cut into chunks of 2 MiB that are aligned to their
 * size. A chunk starts with an array of descriptors, one for each of its 4 KiB pages, so that
 * either is found from the other by arithmetic. A chunk of tables smaller than that has three more
 * such arrays behind it: of the second, third and fourth KiB of each page. The pages that hold
 * descriptors never are tables; hence no table lies at the arena's first physical address, be it 0
 * or not.
 */
#ifndef HOSTS_POSIX_HOST_H
#define HOSTS_POSIX_HOST_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "hosts/posix/rcu.h"

#define IOPT_POSIX_CHUNK_LG2   21u
#define IOPT_POSIX_CHUNK_BYTES (1ull << IOPT_POSIX_CHUNK_LG2)
#define IOPT_POSIX_PAGE_LG2    12u
#define IOPT_POSIX_UNIT_LG2    10u /* the smallest table */
#define IOPT_POSIX_PAGE_UNITS  (1u << (IOPT_POSIX_PAGE_LG2 - IOPT_POSIX_UNIT_LG2))
#define IOPT_POSIX_CHUNK_PAGES (1u << (IOPT_POSIX_CHUNK_LG2 - IOPT_POSIX_PAGE_LG2))

/**
 * struct iopt_table - the descriptor of a 4 KiB page of the arena, or of a KiB where those are cut
 * @next:     the engine's freelist link, and the link of a list that waits for RCU
 * @rcu:      used in the first table of such a list
 * @first:    the engine's
 * @freeze:   the engine's
 * @state:    enum iopt_posix_state in the low two bits, generation above; atomic, anyone may read
 * @level:    the engine's
 * @collect:  the engine's
 * @size_lg2: size of the table. One that is larger than a page, or than a KiB of one that is cut,
 *            is known by its first; only @state is kept in the other ones too.
 */
struct iopt_table {
	struct iopt_table *next;
	struct iopt_posix_rcu_head rcu;
	uint64_t first;
	uint64_t freeze;
	uint32_t state;
	uint8_t level;
	uint8_t collect;
	uint8_t size_lg2;
};

_Static_assert(sizeof(struct iopt_table) <= 64, "a page's descriptor takes 64 bytes at most");

/* What is added to a physical address to get where it is mapped: both ends of the arena are aligned
 * to chunks, so that this is a multiple of a chunk. Written when the arena is made, before any
 * table exists. */
extern uint64_t iopt_posix_offset IOPT_POSIX_HIDDEN;

void iopt_posix_writeback(const void *start, size_t bytes) IOPT_POSIX_HIDDEN;

/* ---- addresses ----------------------------------------------------------------------------- */

static inline void *iopt_host_va(uint64_t pa)
{
	return (void *)(uintptr_t)(pa + iopt_posix_offset);
}

static inline struct iopt_table *iopt_host_table(uint64_t pa)
{
	struct iopt_table *chunk = iopt_host_va(pa & ~(IOPT_POSIX_CHUNK_BYTES - 1));

	uint32_t offset = (uint32_t)pa & (uint32_t)(IOPT_POSIX_CHUNK_BYTES - 1);
	uint32_t unit = offset >> IOPT_POSIX_UNIT_LG2 & (IOPT_POSIX_PAGE_UNITS - 1);

	return chunk + unit * IOPT_POSIX_CHUNK_PAGES + (offset >> IOPT_POSIX_PAGE_LG2);
}

static inline struct iopt_table *iopt_host_table_at(const void *va)
{
	return iopt_host_table((uint64_t)(uintptr_t)va - iopt_posix_offset);
}

static inline uint64_t iopt_host_table_pa(const struct iopt_table *table)
{
	uintptr_t va = (uintptr_t)table;
	uintptr_t chunk = va & ~(uintptr_t)(IOPT_POSIX_CHUNK_BYTES - 1);
	uint32_t number = (uint32_t)(va - chunk) / (uint32_t)sizeof(*table);
	uint64_t page = number % IOPT_POSIX_CHUNK_PAGES, unit = number / IOPT_POSIX_CHUNK_PAGES;

	return chunk - iopt_posix_offset + (page << IOPT_POSIX_PAGE_LG2) +
	       (unit << IOPT_POSIX_UNIT_LG2);
}

/* ---- read sections ------------------------------------------------------------------------- */

/* A thread is registered by its first call: one test of a flag beside the reader's own state. */
static inline void iopt_host_enter(void)
{
	if (__builtin_expect(!iopt_posix_rcu_registered(), 0))
		iopt_posix_rcu_attach();
}

static inline __attribute__((always_inline)) void iopt_host_read_lock(void)
{
	iopt_posix_rcu_read_lock();
}

static inline __attribute__((always_inline)) void iopt_host_read_unlock(void)
{
	iopt_posix_rcu_read_unlock();
}

/* ---- devices ------------------------------------------------------------------------------- */

/*
 * Orders the stores to entries before a store that tells a device of them, be it to memory or to a
 * register. As in Linux: arch/x86/include/asm/barrier.h, __dma_wmb();
 * arch/arm64/include/asm/barrier.h, __dma_wmb(); arch/riscv/include/asm/mmio.h, __io_bw(), with
 * stores to memory added.
 */
static inline void iopt_host_publish(void)
{
#if defined(__x86_64__)
	__asm__ volatile("" : : : "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshst" : : : "memory");
#elif defined(__riscv)
	__asm__ volatile("fence w, ow" : : : "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/*
 * Orders the load that tells of a device's completion before loads of what it wrote. As in Linux:
 * arch/x86/include/asm/barrier.h, __dma_rmb(); arch/arm64/include/asm/barrier.h, __dma_rmb();
 * arch/riscv/include/asm/mmio.h, __io_ar(), with loads from memory added.
 */
static inline void iopt_host_observe(void)
{
#if defined(__x86_64__)
	__asm__ volatile("" : : : "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshld" : : : "memory");
#elif defined(__riscv)
	__asm__ volatile("fence ir, r" : : : "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline void iopt_host_writeback(const void *start, size_t bytes)
{
	iopt_posix_writeback(start, bytes);
}

/* ---- long walks ----------------------------------------------------------------------------- */

/* Threads are preempted. */
static inline void iopt_host_breathe(void)
{
}

/* ---- locks --------------------------------------------------------------------------------- */

struct iopt_host_lock {
	pthread_mutex_t mutex;
};

static inline void iopt_host_lock_init(struct iopt_host_lock *lock)
{
	pthread_mutex_init(&lock->mutex, NULL);
}

static inline void iopt_host_lock(struct iopt_host_lock *lock)
{
	pthread_mutex_lock(&lock->mutex);
}

static inline void iopt_host_unlock(struct iopt_host_lock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
}

static inline void iopt_host_lock_fini(struct iopt_host_lock *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

#endif
