/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * 64 devices in 32 domains on one unit, of all the kinds that it walks: the same IOVA leads each to
 * its own memory, and what happens to one domain shows in no other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"

#define NR_DOMAINS 32u
#define PER_DOMAIN 2u
#define NR	   (NR_DOMAINS * PER_DOMAIN)

/* Within the space of the smallest kind, and of the largest granule. */
#define IOVA  0x100000u
#define BYTES 0x10000u

/**
 * struct crowd - a unit and its domains
 * @hw:      the machine; device n is attached to domain n / PER_DOMAIN
 * @domains: domain n has the unit's number n + 1
 * @kinds:   of each
 */
struct crowd {
	struct hw *hw;
	struct hw_domain domains[NR_DOMAINS];
	const struct hw_kind *kinds[NR_DOMAINS];
};

static uint64_t memory_of(const struct crowd *crowd, unsigned domain)
{
	return crowd->hw->ram_base + HW_DATA + (uint64_t)domain * BYTES;
}

/* The kinds of the unit that have that IOVA, in turns. */
static void choose_kinds(struct crowd *crowd, const struct hw_unit *unit)
{
	unsigned chosen = 0;

	while (chosen < NR_DOMAINS) {
		const unsigned before = chosen;

		for (size_t i = 0; i < hw_nr_kinds && chosen < NR_DOMAINS; i++)
			if (hw_kinds[i].unit == unit &&
			    iopt_format_find(hw_kinds[i].config.format) &&
			    !(hw_kinds[i].config.flags & IOPT_UPPER))
				crowd->kinds[chosen++] = &hw_kinds[i];
		assert_int_not_equal(chosen, before);
	}
}

static void map_all(struct crowd *crowd, unsigned domain)
{
	assert_int_equal(iopt_map(crowd->domains[domain].iopt, IOVA, IOVA + BYTES - 1,
				  memory_of(crowd, domain), IOPT_READ | IOPT_WRITE, NULL),
			 0);
}

static void unmap_all(struct crowd *crowd, unsigned domain)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, crowd->domains[domain].iopt, NULL);
	assert_int_equal(iopt_unmap(crowd->domains[domain].iopt, IOVA, IOVA + BYTES - 1, 0, &gather,
				    NULL),
			 0);
	iopt_sync(&gather);
}

/* All devices write, each to a word of its own: those of one domain fault, all others land. */
static void write_all(struct crowd *crowd, unsigned faulty)
{
	struct hw_dma dma[NR];

	for (unsigned i = 0; i < NR; i++) {
		dma[i] = (struct hw_dma){ .device = i,
					  .iova = IOVA + i * 4,
					  .pa = memory_of(crowd, i / PER_DOMAIN) + i * 4,
					  .bytes = 4 };
		*(uint32_t *)hw_at(crowd->hw, dma[i].pa) = 0;
	}
	hw_dma(crowd->hw, dma, NR);
	for (unsigned i = 0; i < NR; i++)
		if (dma[i].result != (i / PER_DOMAIN == faulty ? HW_FAULTED : HW_LANDED))
			fail_msg("device %u of domain %u, %s: %s", i, i / PER_DOMAIN + 1,
				 crowd->kinds[i / PER_DOMAIN]->name,
				 dma[i].result == HW_FAULTED  ? "faults"
				 : dma[i].result == HW_LANDED ? "lands"
							      : "lands elsewhere");
}

/* One record at least, and all of them of the devices of that domain. */
static void check_faults(struct crowd *crowd, unsigned faulty)
{
	struct hw_fault fault;
	unsigned nr = 0;

	for (; hw_fault(crowd->hw, &fault); nr++) {
		assert_in_range(fault.bdf, crowd->hw->devices[faulty * PER_DOMAIN].bdf,
				crowd->hw->devices[faulty * PER_DOMAIN + 1].bdf);
		assert_int_equal(fault.reason, crowd->kinds[faulty]->absent);
	}
	assert_int_not_equal(nr, 0);
}

static void one_faults_no_other(void **state)
{
	struct hw_fault none;
	struct crowd crowd;

	crowd.hw = hw_start(*state, NR);
	choose_kinds(&crowd, *state);
	for (unsigned i = 0; i < NR_DOMAINS; i++) {
		assert_int_equal(hw_domain_init(&crowd.domains[i], crowd.hw,
						&crowd.kinds[i]->config, (uint16_t)(i + 1)),
				 0);
		for (unsigned k = 0; k < PER_DOMAIN; k++)
			hw_attach(crowd.hw, &crowd.hw->devices[i * PER_DOMAIN + k],
				  &crowd.domains[i]);
		map_all(&crowd, i);
	}
	write_all(&crowd, NR_DOMAINS);
	assert_false(hw_fault(crowd.hw, &none));
	for (unsigned i = 0; i < NR_DOMAINS; i++) {
		unmap_all(&crowd, i);
		write_all(&crowd, i);
		check_faults(&crowd, i);
		map_all(&crowd, i);
		write_all(&crowd, NR_DOMAINS);
		assert_false(hw_fault(crowd.hw, &none));
	}
	for (unsigned i = 0; i < NR; i++)
		hw_attach(crowd.hw, &crowd.hw->devices[i], NULL);
	for (unsigned i = 0; i < NR_DOMAINS; i++)
		hw_domain_fini(&crowd.domains[i]);
	hw_stop(crowd.hw);
}

int main(void)
{
	static const struct hw_unit *const units[] = { &hw_vtd_legacy, &hw_vtd_scalable, &hw_amd,
						       &hw_riscv, &hw_smmuv3 };
	struct CMUnitTest tests[sizeof(units) / sizeof(*units)];

	if (hw_missing(hw_available()))
		return 77;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		tests[i] = (struct CMUnitTest){ .name = units[i]->name,
						.test_func = one_faults_no_other,
						.initial_state = (void *)units[i] };
	return cmocka_run_group_tests_name("hw: domains", tests, NULL, NULL);
}
