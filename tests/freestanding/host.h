/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The least host that the engine compiles against without a C library: every operation is a
 * function that somebody else links. Nothing runs with it; scripts/lint-freestanding uses it to
 * prove that the engine and the formats ask for nothing but the host.
 */
#ifndef TESTS_FREESTANDING_HOST_H
#define TESTS_FREESTANDING_HOST_H

#include <stddef.h>
#include <stdint.h>

struct iopt_table {
	struct iopt_table *next;
	uint64_t first;
	uint64_t freeze;
	uint8_t level;
	uint8_t collect;
	uint8_t size_lg2;
};

struct iopt_host_lock {
	uint32_t word;
};

void iopt_host_enter(void);
void iopt_host_read_lock(void);
void iopt_host_read_unlock(void);
void *iopt_host_va(uint64_t pa);
struct iopt_table *iopt_host_table(uint64_t pa);
struct iopt_table *iopt_host_table_at(const void *va);
uint64_t iopt_host_table_pa(const struct iopt_table *table);
void iopt_host_publish(void);
void iopt_host_observe(void);
void iopt_host_writeback(const void *start, size_t bytes);
void iopt_host_breathe(void);
void iopt_host_lock_init(struct iopt_host_lock *lock);
void iopt_host_lock(struct iopt_host_lock *lock);
void iopt_host_unlock(struct iopt_host_lock *lock);
void iopt_host_lock_fini(struct iopt_host_lock *lock);

#endif
