/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The error numbers that the engine returns (negated). Freestanding code has no <errno.h>; the
 * numbers are Linux's (include/uapi/asm-generic/errno-base.h and errno.h), which tests/unit checks
 * against the C library's.
 */
#ifndef ENGINE_ERRORS_H
#define ENGINE_ERRORS_H

enum {
	IOPT_ENOENT = 2,
	IOPT_ENOMEM = 12,
	IOPT_EBUSY = 16,
	IOPT_EEXIST = 17,
	IOPT_EXDEV = 18,
	IOPT_EINVAL = 22,
	IOPT_ERANGE = 34,
	IOPT_EOPNOTSUPP = 95,
};

#endif
