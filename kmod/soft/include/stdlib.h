/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The soft-IOMMU in the kernel: memory that may be large. */
#ifndef KMOD_SOFT_STDLIB_H
#define KMOD_SOFT_STDLIB_H

#include <linux/mm.h>
#include <linux/slab.h>

static inline void *calloc(size_t nr, size_t bytes)
{
	return kvcalloc(nr, bytes, GFP_KERNEL);
}

static inline void free(void *memory)
{
	kvfree(memory);
}

#endif
