/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * For the proofs in this folder: values that may be anything, and how a proof ends. CBMC checks
 * every assertion, and every step for undefined behaviour, for all of them at once. A proof is a
 * function prove_NAME(void); tests/cbmc/run finds it by its name.
 */
#ifndef TESTS_CBMC_PROVE_H
#define TESTS_CBMC_PROVE_H

#include <stdbool.h>
#include <stdint.h>

/* CBMC's: functions of such names return anything. */
uint64_t nondet_u64(void);
uint32_t nondet_u32(void);
bool nondet_bool(void);

#define assume(what)	  __CPROVER_assume(what)
#define claim(what, name) __CPROVER_assert(what, name)

/*
 * The last statement of every proof. This one must fail: else the assumptions contradict each other
 * and the proof is of nothing.
 */
#define reached() __CPROVER_assert(0, "reached")

/* A number below a limit. */
static inline unsigned any_below(unsigned limit)
{
	unsigned value = nondet_u32();

	assume(value < limit);
	return value;
}

#endif
