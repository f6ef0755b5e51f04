/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The explorer's host for the engine, which is compiled unchanged against it. All threads are
 * coroutines of one (sched.h), and each atomic access, read section, lock and deferral is a point
 * at which another one may go on. What is here is inline or a macro; the rest is in host.c.
 *
 * The macros stand for builtins of the compiler, which no function can: a name is not expanded
 * again inside its own expansion, so that the builtin itself is what remains behind the point.
 */
#ifndef TESTS_EXPLORE_HOST_H
#define TESTS_EXPLORE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So small that write-back of a line brings no neighbour along that ought to have its own. */
#define IOPT_HOST_LINE 8

/**
 * struct iopt_table - a table's descriptor
 * @next, @first, @freeze, @level, @collect, @size_lg2: the engine's, see engine/host.h
 * @waits: while deferred: threads whose read section was open then and still is
 * @state: enum table_state
 */
struct iopt_table {
	struct iopt_table *next;
	uint64_t first;
	uint64_t waits;
	uint64_t freeze;
	uint8_t level;
	uint8_t collect;
	uint8_t size_lg2;
	uint8_t state;
};

struct iopt_host_lock {
	uint64_t held;
};

/* Of an access to shared memory. A read-modify-write counts as a write, even one that fails. */
enum access { ACCESS_READ, ACCESS_WRITE };

/**
 * point_before() - shared memory is about to be accessed
 * @start: where; memory outside of the world is a thread's own, and no point
 * @bytes: how much
 * @kind:  enum access
 *
 * Another thread may run before this returns.
 */
void point_before(const volatile void *start, size_t bytes, enum access kind);

/* What the access gave: all that the thread knows of the others comes through here. */
void point_after(uint64_t value);

void *iopt_host_va(uint64_t pa);
struct iopt_table *iopt_host_table(uint64_t pa);
uint64_t iopt_host_table_pa(const struct iopt_table *table);
struct iopt_table *iopt_host_table_at(const void *va);

void iopt_host_read_lock(void);
void iopt_host_read_unlock(void);

void iopt_host_writeback(const void *start, size_t bytes);

void iopt_host_breathe(void);

void iopt_host_lock_init(struct iopt_host_lock *lock);
void iopt_host_lock(struct iopt_host_lock *lock);
void iopt_host_unlock(struct iopt_host_lock *lock);
void iopt_host_lock_fini(struct iopt_host_lock *lock);

static inline void iopt_host_enter(void)
{
}

/* Accesses happen in the order of the program here: what weaker machines do, tests/litmus shows. */
static inline void iopt_host_publish(void)
{
}

static inline void iopt_host_observe(void)
{
}

/* clang-format off */
#define EXPLORED(ptr, kind, call) \
	__extension__({ \
		point_before((ptr), sizeof(*(ptr)), (kind)); \
		__typeof__(call) explored_ = (call); \
		point_after((uint64_t)explored_); \
		explored_; \
	})

#define __atomic_load_n(ptr, order) \
	EXPLORED(ptr, ACCESS_READ, __atomic_load_n(ptr, order))
#define __atomic_exchange_n(ptr, value, order) \
	EXPLORED(ptr, ACCESS_WRITE, __atomic_exchange_n(ptr, value, order))
#define __atomic_fetch_add(ptr, value, order) \
	EXPLORED(ptr, ACCESS_WRITE, __atomic_fetch_add(ptr, value, order))
#define __atomic_fetch_sub(ptr, value, order) \
	EXPLORED(ptr, ACCESS_WRITE, __atomic_fetch_sub(ptr, value, order))
#define __atomic_fetch_and(ptr, value, order) \
	EXPLORED(ptr, ACCESS_WRITE, __atomic_fetch_and(ptr, value, order))
#define __atomic_fetch_or(ptr, value, order) \
	EXPLORED(ptr, ACCESS_WRITE, __atomic_fetch_or(ptr, value, order))
#define __atomic_add_fetch(ptr, value, order) \
	EXPLORED(ptr, ACCESS_WRITE, __atomic_add_fetch(ptr, value, order))
#define __atomic_store_n(ptr, value, order) \
	__extension__({ \
		__typeof__(*(ptr)) stored_ = (value); \
		point_before((ptr), sizeof(*(ptr)), ACCESS_WRITE); \
		__atomic_store_n(ptr, stored_, order); \
		point_after((uint64_t)stored_); \
	})
#define __atomic_compare_exchange_n(ptr, old, value, weak, success, failure) \
	__extension__({ \
		__typeof__(old) old_ = (old); \
		bool done_; \
		point_before((ptr), sizeof(*(ptr)), ACCESS_WRITE); \
		done_ = __atomic_compare_exchange_n(ptr, old_, value, weak, success, failure); \
		point_after((uint64_t)*old_); \
		point_after(done_); \
		done_; \
	})
/* clang-format on */

#endif
