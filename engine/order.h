/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Compare-and-exchange in the memory orders that the protocol needs: the builtin, with two things
 * in mind that gcc 12 for RISC-V gets wrong where the order of the failure is relaxed. It leaves
 * the fence of a release out, and puts an acquire on the store-conditional alone, where it orders
 * nothing (as in herd7 7.58, riscv.cat). So a release has its fence here, and an acquire is one of
 * the failure, too, which costs nothing elsewhere. What compilers make of these is shown by
 * tests/litmus; which order is needed where is said where they are used.
 */
#ifndef ENGINE_ORDER_H
#define ENGINE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

/* What is missing there. Later compilers were not looked at: 13 is taken to be like 12. */
static inline void cas_fence(void)
{
#if defined(__riscv) && !defined(__clang__) && __GNUC__ < 14
	__atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* On failure *old is what was found. */
static inline bool cas_relaxed(uint64_t *word, uint64_t *old, uint64_t value)
{
	return __atomic_compare_exchange_n(word, old, value, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static inline bool cas_acquire(uint64_t *word, uint64_t *old, uint64_t value)
{
	return __atomic_compare_exchange_n(word, old, value, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_ACQUIRE);
}

static inline bool cas_release(uint64_t *word, uint64_t *old, uint64_t value)
{
	cas_fence();
	return __atomic_compare_exchange_n(word, old, value, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

static inline bool cas_acq_rel(uint64_t *word, uint64_t *old, uint64_t value)
{
	cas_fence();
	return __atomic_compare_exchange_n(word, old, value, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* ---- the same for words of four bytes, whose values are carried in eight -------------------- */

static inline bool cas32_relaxed(uint32_t *word, uint64_t *old, uint64_t value)
{
	uint32_t found = (uint32_t)*old;
	bool done = __atomic_compare_exchange_n(word, &found, (uint32_t)value, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED);

	*old = found;
	return done;
}

static inline bool cas32_acquire(uint32_t *word, uint64_t *old, uint64_t value)
{
	uint32_t found = (uint32_t)*old;
	bool done = __atomic_compare_exchange_n(word, &found, (uint32_t)value, false,
						__ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE);

	*old = found;
	return done;
}

static inline bool cas32_release(uint32_t *word, uint64_t *old, uint64_t value)
{
	uint32_t found = (uint32_t)*old;
	bool done;

	cas_fence();
	done = __atomic_compare_exchange_n(word, &found, (uint32_t)value, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
	*old = found;
	return done;
}

static inline bool cas32_acq_rel(uint32_t *word, uint64_t *old, uint64_t value)
{
	uint32_t found = (uint32_t)*old;
	bool done;

	cas_fence();
	done = __atomic_compare_exchange_n(word, &found, (uint32_t)value, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
	*old = found;
	return done;
}

#endif
