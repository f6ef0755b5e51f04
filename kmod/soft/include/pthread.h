/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The soft-IOMMU in the kernel: its one lock, of what is recorded. */
#ifndef KMOD_SOFT_PTHREAD_H
#define KMOD_SOFT_PTHREAD_H

#include <linux/spinlock.h>

/* Taken in read sections, too. */
typedef spinlock_t pthread_mutex_t;

#define pthread_mutex_init(lock, unused) spin_lock_init(lock)

static inline void pthread_mutex_lock(pthread_mutex_t *lock)
{
	spin_lock(lock);
}

static inline void pthread_mutex_unlock(pthread_mutex_t *lock)
{
	spin_unlock(lock);
}

static inline void pthread_mutex_destroy(pthread_mutex_t *lock)
{
}

#endif
