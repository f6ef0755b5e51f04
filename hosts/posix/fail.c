/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What tests ask for: allocations that fail, and how often the embedder broke the contract. Both
 * are part of every build, so that what is tested is what is installed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "hosts/posix/internal.h"

/**
 * struct plan - a thread's failing allocations
 * @made:   allocations since the plan was made
 * @nth:    the first one to fail, 0: none
 * @repeat: the later ones fail too
 */
struct plan {
	uint64_t made;
	uint64_t nth;
	bool repeat;
};

static _Thread_local struct plan plan;
static uint64_t breaches;

uint64_t iopt_posix_fail(uint64_t nth, bool repeat)
{
	uint64_t made = plan.made;

	plan = (struct plan){ .nth = nth, .repeat = repeat };
	return made;
}

bool iopt_posix_fails(void)
{
	plan.made++;
	return plan.nth && (plan.repeat ? plan.made >= plan.nth : plan.made == plan.nth);
}

void iopt_host_breach(const char *what, uint64_t iova)
{
	__atomic_fetch_add(&breaches, 1, __ATOMIC_RELAXED);
	fprintf(stderr, "iopt: contract broken: %s, at IOVA 0x%" PRIx64 "\n", what, iova);
}

uint64_t iopt_posix_breaches(void)
{
	return __atomic_load_n(&breaches, __ATOMIC_RELAXED);
}
