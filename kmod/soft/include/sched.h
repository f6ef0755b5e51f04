/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The soft-IOMMU in the kernel: who waits may be in a read section, and so gives nothing away. */
#ifndef KMOD_SOFT_SCHED_H
#define KMOD_SOFT_SCHED_H

#include <linux/processor.h>

static inline void sched_yield(void)
{
	cpu_relax();
}

#endif
