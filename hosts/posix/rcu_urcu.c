/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RCU of the posix host by liburcu's memb flavour: registration, deferral and barrier. Read
 * sections are in rcu.h, which says why this flavour.
 *
 * Lists of tables wait in liburcu's own call_rcu thread, which gathers them for some 10 ms before
 * it starts a grace period.
 */
#ifndef IOPT_RCU_C11

#include "hosts/posix/internal.h"

/* Lists, ever; atomic. */
static uint64_t deferred, reclaimed;

/* What the header's constant stands for in the library itself (rcu.h). */
extern int has_membarrier __asm__("urcu_memb_has_sys_membarrier");

bool iopt_posix_fences;

void iopt_posix_rcu_start(void)
{
	iopt_posix_fences = !has_membarrier;
}

void iopt_posix_rcu_unlock_fenced(void)
{
	cmm_smp_mb();
	_CMM_STORE_SHARED(URCU_TLS(urcu_memb_reader).ctr,
			  URCU_TLS(urcu_memb_reader).ctr - URCU_GP_COUNT);
	cmm_smp_mb();
	iopt_posix_rcu_wake();
}

/* A reader that leaves an inner section wakes for nothing, which does no harm. */
void iopt_posix_rcu_wake(void)
{
	urcu_common_wake_up_gp(&urcu_memb_gp);
}

void iopt_posix_rcu_register(void)
{
	urcu_memb_register_thread();
}

void iopt_posix_rcu_unregister(void)
{
	urcu_memb_unregister_thread();
}

void iopt_host_synchronize(void)
{
	urcu_memb_synchronize_rcu();
}

static void reclaim(struct rcu_head *head)
{
	iopt_posix_reclaim(caa_container_of(head, struct iopt_table, rcu.head));
	__atomic_fetch_add(&reclaimed, 1, __ATOMIC_RELEASE);
}

/* call_rcu itself uses a read section: the thread has to be registered. */
void iopt_posix_rcu_defer(struct iopt_table *list)
{
	if (!iopt_posix_rcu_registered())
		iopt_posix_rcu_attach();
	__atomic_fetch_add(&deferred, 1, __ATOMIC_RELAXED);
	urcu_memb_call_rcu(&list->rcu.head, reclaim);
}

uint64_t iopt_posix_rcu_deferred(void)
{
	return __atomic_load_n(&deferred, __ATOMIC_ACQUIRE);
}

uint64_t iopt_posix_rcu_reclaimed(void)
{
	return __atomic_load_n(&reclaimed, __ATOMIC_ACQUIRE);
}

/* liburcu's barrier takes 10 ms and more: not where there is nothing to wait for. */
void iopt_posix_rcu_barrier(void)
{
	uint64_t target = iopt_posix_rcu_deferred();

	if (iopt_posix_rcu_reclaimed() < target)
		urcu_memb_barrier();
}

#endif
