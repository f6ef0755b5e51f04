/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For the claims in this folder: accesses to words that are not entries (descriptors, top words,
 * sections of a reader, bitmaps, what a device and a driver tell each other), one builtin each.
 * Entries are accessed by the engine's own functions (engine/entry.h). tests/litmus/run reads the
 * memory orders here and there.
 */
#ifndef TESTS_LITMUS_WORDS_H
#define TESTS_LITMUS_WORDS_H

#include <stdint.h>

static inline uint64_t word_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint64_t word_load_acquire(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void word_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void word_store_release(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t word_exchange(uint64_t *word, uint64_t value)
{
	return __atomic_exchange_n(word, value, __ATOMIC_ACQ_REL);
}

static inline uint64_t word_exchange_release(uint64_t *word, uint64_t value)
{
	return __atomic_exchange_n(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t word_or(uint64_t *word, uint64_t bits)
{
	return __atomic_fetch_or(word, bits, __ATOMIC_RELAXED);
}

static inline uint64_t word_or_release(uint64_t *word, uint64_t bits)
{
	return __atomic_fetch_or(word, bits, __ATOMIC_RELEASE);
}

static inline uint64_t word_add(uint64_t *word, uint64_t value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

static inline uint64_t word_add_release(uint64_t *word, uint64_t value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t word_add_acq_rel(uint64_t *word, uint64_t value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_ACQ_REL);
}

static inline void fence_acquire(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void fence_release(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void fence_full(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
