/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The lowest and the highest bit that is set. The compiler's builtins are one or two instructions
 * where the machine has them; on RISC-V without Zbb they would call into a compiler's library,
 * which freestanding code does without.
 */
#ifndef ENGINE_BITS_H
#define ENGINE_BITS_H

#include <stdint.h>

/* Number of the highest bit of a value that is not 0: its lg2, rounded down. */
static inline unsigned bits_high(uint64_t value)
{
#if defined(__riscv) && !defined(__riscv_zbb)
	unsigned high = 0;

	for (unsigned step = 32; step; step /= 2) {
		if (value >> step) {
			value >>= step;
			high += step;
		}
	}
	return high;
#else
	return 63 - (unsigned)__builtin_clzll(value);
#endif
}

/* Number of the lowest bit of a value that is not 0. */
static inline unsigned bits_low(uint64_t value)
{
#if defined(__riscv) && !defined(__riscv_zbb)
	return bits_high(value & -value);
#else
	return (unsigned)__builtin_ctzll(value);
#endif
}

#endif
