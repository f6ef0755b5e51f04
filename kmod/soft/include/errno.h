/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The soft-IOMMU in the kernel. */
#include <linux/errno.h>
