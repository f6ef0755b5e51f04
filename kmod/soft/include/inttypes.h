/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The soft-IOMMU in the kernel: printf()'s words for the kernel's integers. */
#ifndef KMOD_SOFT_INTTYPES_H
#define KMOD_SOFT_INTTYPES_H

#define PRIu32 "u"
#define PRIx64 "llx"

#endif
