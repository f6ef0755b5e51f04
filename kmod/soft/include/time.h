/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The soft-IOMMU in the kernel: see sched.h. */
#ifndef KMOD_SOFT_TIME_H
#define KMOD_SOFT_TIME_H

#include <linux/delay.h>

struct timespec {
	long tv_nsec;
};

static inline void nanosleep(const struct timespec *nap, void *unused)
{
	udelay(nap->tv_nsec / 1000);
}

#endif
