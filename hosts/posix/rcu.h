/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RCU of the posix host: read sections, inline, and what memory.c needs of an implementation. There
 * are two, chosen at compile time:
 *
 *   rcu_urcu.c  liburcu 0.13 or later, its memb flavour; what is installed.
 *   rcu_c11.c   written in C11 atomics, with -DIOPT_RCU_C11: for ThreadSanitizer, which can't look
 *               into liburcu and knows no fences.
 *
 * Why the memb flavour: its readers execute no fence and no atomic (the writer's side makes every
 * processor execute one, by the membarrier system call), and their state lies in thread-local
 * memory that our own code reaches directly through the inline functions (_LGPL_SOURCE). qsbr would
 * be cheaper still, but makes every thread of the embedder announce quiescent states; signal takes
 * a signal away from it; mb executes fences; bp registers by itself as we do, but keeps a reader's
 * state behind one more pointer. And memb is the flavour that programs get by default, so that a
 * program's own registration counts for us too.
 */
#ifndef HOSTS_POSIX_RCU_H
#define HOSTS_POSIX_RCU_H

#include <stdbool.h>
#include <stdint.h>

struct iopt_table;

#define IOPT_POSIX_HIDDEN __attribute__((visibility("hidden")))

/* Registers the calling thread, which isn't, and has it unregistered when it ends. Cold. */
void iopt_posix_rcu_attach(void) IOPT_POSIX_HIDDEN __attribute__((cold));

#ifdef IOPT_RCU_C11

/**
 * struct iopt_posix_rcu_head - what a table needs to wait for a grace period
 * @next: the next list that waits
 */
struct iopt_posix_rcu_head {
	struct iopt_posix_rcu_head *next;
};

/**
 * struct iopt_posix_reader - a thread's read section
 * @sections:   odd while the thread is in one, even outside; changed by the thread alone, but read
 *              by a read-modify-write (see rcu_c11.c)
 * @nesting:    read sections inside each other; the thread's own
 * @registered: it is on the list of readers; the thread's own
 * @waited_for: section that the grace period waits for, 0 if none; under the lock of the list
 * @next, @previous: list of readers
 */
struct iopt_posix_reader {
	uint64_t sections;
	unsigned nesting;
	bool registered;
	uint64_t waited_for;
	struct iopt_posix_reader *next, *previous;
};

extern _Thread_local struct iopt_posix_reader iopt_posix_reader IOPT_POSIX_HIDDEN;

static inline bool iopt_posix_rcu_registered(void)
{
	return iopt_posix_reader.registered;
}

/* Acquire: what was unlinked before the grace period looked is not found after it. */
static inline void iopt_posix_rcu_read_lock(void)
{
	if (iopt_posix_reader.nesting++ == 0)
		__atomic_fetch_add(&iopt_posix_reader.sections, 1, __ATOMIC_ACQ_REL);
}

/* Release: the section's reads come before whatever the grace period's end allows. */
static inline void iopt_posix_rcu_read_unlock(void)
{
	if (--iopt_posix_reader.nesting == 0)
		__atomic_fetch_add(&iopt_posix_reader.sections, 1, __ATOMIC_RELEASE);
}

#else

#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE
#endif
/*
 * liburcu asks at run time, three times in each section, whether the kernel has the membarrier
 * system call (Linux 4.14). It is told so here; where there is none (old kernels, valgrind) our own
 * flag, in memory that is at hand, has the fences executed.
 */
#ifndef CONFIG_RCU_FORCE_SYS_MEMBARRIER
#define CONFIG_RCU_FORCE_SYS_MEMBARRIER 1
#endif
#include <urcu/urcu-memb.h>

struct iopt_posix_rcu_head {
	struct rcu_head head;
};

static inline bool iopt_posix_rcu_registered(void)
{
	return URCU_TLS(urcu_memb_reader).registered;
}

/* There is no membarrier call. Set before the first section, then constant. */
extern bool iopt_posix_fences IOPT_POSIX_HIDDEN;

static inline __attribute__((always_inline)) void iopt_posix_rcu_read_lock(void)
{
	urcu_memb_read_lock();
	if (__builtin_expect(iopt_posix_fences, 0))
		cmm_smp_mb();
}

/* The rest of leaving a section, out of line: with fences, or waking a grace period that sleeps. */
void iopt_posix_rcu_unlock_fenced(void) IOPT_POSIX_HIDDEN __attribute__((cold));
void iopt_posix_rcu_wake(void) IOPT_POSIX_HIDDEN __attribute__((cold));

/*
 * As in liburcu's urcu/static/urcu-memb.h, _urcu_memb_read_unlock(), but for the call to wake,
 * which there is inline and takes registers from every function that holds a read section.
 */
static inline __attribute__((always_inline)) void iopt_posix_rcu_read_unlock(void)
{
	unsigned long ctr = URCU_TLS(urcu_memb_reader).ctr;

	if (__builtin_expect(iopt_posix_fences, 0)) {
		iopt_posix_rcu_unlock_fenced();
		return;
	}
	cmm_barrier();
	_CMM_STORE_SHARED(URCU_TLS(urcu_memb_reader).ctr, ctr - URCU_GP_COUNT);
	cmm_barrier();
	if (__builtin_expect(uatomic_read(&urcu_memb_gp.futex) == -1, 0))
		iopt_posix_rcu_wake();
}

#endif
#endif
