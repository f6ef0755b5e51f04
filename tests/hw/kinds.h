/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The kinds of domains that the units walk, and tests that run over each of them. */
#ifndef TESTS_HW_KINDS_H
#define TESTS_HW_KINDS_H

#include "tests/support/support.h"
#include "unit.h"

/**
 * struct hw_kind - a kind of domain on a unit
 * @name:    for people
 * @unit:    which
 * @config:  of the domain
 * @absent:  reason of a fault where nothing is mapped
 * @refused: reason of a write to what is not writable
 * @unread:  reason of a read of what is not readable
 */
struct hw_kind {
	const char *name;
	const struct hw_unit *unit;
	struct iopt_config config;
	uint32_t absent;
	uint32_t refused;
	uint32_t unread;
};

extern const struct hw_kind hw_kinds[];
extern const size_t hw_nr_kinds;

/* What random_seed() takes: the environment's IOPT_TEST_SEED, or 1. */
uint64_t hw_seed(void);

/** hw_missing() - whether there is a reason why no machine can be started; it is printed then */
bool hw_missing(const char *why);

/**
 * hw_run_kinds() - a test for each kind, as cmocka runs them
 * @group: for people
 * @test:  its *state is the struct hw_kind
 * @only:  the name of a kind, and only that one; or NULL
 *
 * Return: for main(): how many failed; 77, with the reason printed, where there is no QEMU.
 */
int hw_run_kinds(const char *group, void (*test)(void **state), const char *only);

#endif
