/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * <stdint.h> for the engine in the kernel, which is built without the compiler's own headers: what
 * the engine takes from it is in <linux/types.h> and <linux/stddef.h>.
 */
#include <linux/limits.h>
#include <linux/types.h>
#include <linux/stddef.h>

#ifndef UINT32_MAX
#define UINT32_MAX U32_MAX
#endif
