/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the files of the posix host need of each other. Nothing here is seen by the engine (host.h)
 * or by users (iopt/posix.h). Every function is called outside read sections.
 */
#ifndef HOSTS_POSIX_INTERNAL_H
#define HOSTS_POSIX_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/host.h"
#include "iopt/posix.h"

/* Tables come in orders: 2^order units of 1 KiB, 1 MiB at most: 16 tables of 64 KiB. */
#define IOPT_POSIX_ORDERS     11u
#define IOPT_POSIX_PAGE_ORDER (IOPT_POSIX_PAGE_LG2 - IOPT_POSIX_UNIT_LG2)

#define IOPT_POSIX_PAGE_BYTES (1ull << IOPT_POSIX_PAGE_LG2)

/* ---- arena.c ------------------------------------------------------------------------------- */

/* Physical address of the arena's first byte, and whether freed tables are poisoned: of the arena
 * that there is, constant while there are tables. */
extern uint64_t iopt_posix_base;
extern bool iopt_posix_poison;

/* What is added to an address in the arena to get to its image; 0: there is none. */
extern uintptr_t iopt_posix_image;

/**
 * iopt_posix_arena_make() - make the arena with the default configuration unless there is one
 *
 * Return: false if there is no address space for it.
 */
bool iopt_posix_arena_make(void);

/** iopt_posix_arena_chunks() - bytes of the arena, from its start, that are accessible */
uint64_t iopt_posix_arena_chunks(void);

/**
 * iopt_posix_pool_take() - take free tables
 * @order: their size
 * @units: set to the numbers, in the arena, of their first units of 1 KiB
 * @nr:    how many are wanted
 *
 * Return: how many there were.
 */
unsigned iopt_posix_pool_take(unsigned order, uint32_t *units, unsigned nr);

/** iopt_posix_pool_put() - give free tables back: the other direction */
void iopt_posix_pool_put(unsigned order, const uint32_t *units, unsigned nr);

/* ---- memory.c ------------------------------------------------------------------------------ */

/**
 * iopt_posix_memory_reset() - forget all about the tables of an arena that goes away
 *
 * One thread, with none waiting for RCU.
 *
 * Return: false, and nothing happens, if there are tables.
 */
bool iopt_posix_memory_reset(void);

/**
 * iopt_posix_reclaim() - free tables whose grace period is over
 * @list: as it was given to iopt_posix_rcu_defer()
 */
void iopt_posix_reclaim(struct iopt_table *list);

/**
 * iopt_posix_cache_make() - make the calling thread's cache of free pages, if it has none
 *
 * Return: false if there is no memory for it.
 */
bool iopt_posix_cache_make(void);

/** iopt_posix_cache_drop() - give the calling thread's free pages back and its cache up */
void iopt_posix_cache_drop(void);

/* ---- rcu_urcu.c, rcu_c11.c ----------------------------------------------------------------- */

/** iopt_posix_rcu_start() - before the first read section, with the arena; again does no harm */
void iopt_posix_rcu_start(void);

/** iopt_posix_rcu_register(), iopt_posix_rcu_unregister() - the calling thread as a reader */
void iopt_posix_rcu_register(void);
void iopt_posix_rcu_unregister(void);

/**
 * iopt_posix_rcu_defer() - have iopt_posix_reclaim() called after a grace period, by another thread
 * @list: tables, chained by next; the first one's rcu member carries the list
 */
void iopt_posix_rcu_defer(struct iopt_table *list);

/** iopt_posix_rcu_deferred(), iopt_posix_rcu_reclaimed() - how many lists ever were */
uint64_t iopt_posix_rcu_deferred(void);
uint64_t iopt_posix_rcu_reclaimed(void);

/** iopt_posix_rcu_barrier() - wait until all lists deferred so far were reclaimed */
void iopt_posix_rcu_barrier(void);

/* ---- thread.c ------------------------------------------------------------------------------ */

/** iopt_posix_thread_watch() - have the calling thread's state given up when it ends */
void iopt_posix_thread_watch(void);

/* ---- fail.c -------------------------------------------------------------------------------- */

/** iopt_posix_fails() - count an allocation of the calling thread; true: it is to fail */
bool iopt_posix_fails(void);

#endif
