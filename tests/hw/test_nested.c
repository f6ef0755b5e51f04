/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Nested translation: a domain of stage 1 whose addresses, and whose tables, go through a domain of
 * stage 2. Both are made and used as if each stood alone; a device's write lands where the two
 * look-ups together lead, and libiopt-decode finds the same from the unit's registers on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"
#include "tables.h"

/* Guest-physical addresses of data, above all of memory; stage 2 scatters them. */
#define GUEST  0x200000000ull
#define PAGES  64u
#define ROUNDS 200u

/**
 * struct pair - two formats, one over the other
 * @name:    for people
 * @unit:    that walks them
 * @s1, @s2: configurations of both
 * @absent1, @absent2: reasons of a write to what is in neither
 */
struct pair {
	const char *name;
	const struct hw_unit *unit;
	struct iopt_config s1;
	struct iopt_config s2;
	uint32_t absent1;
	uint32_t absent2;
};

static const struct pair pairs[] = {
	{ "arm-s1 over arm-s2",
	  &hw_smmuv3,
	  { .format = "arm-s1", .levels = 4, .pa_lg2 = 44, .bbm = 2 },
	  { .format = "arm-s2", .levels = 3, .iova_lg2 = 39, .pa_lg2 = 44, .bbm = 2 },
	  0x10,
	  0x10 },
	{ "arm-s1-64k over arm-s2-16k",
	  &hw_smmuv3,
	  { .format = "arm-s1-64k", .levels = 3, .iova_lg2 = 48, .pa_lg2 = 44, .bbm = 2 },
	  { .format = "arm-s2-16k", .levels = 3, .iova_lg2 = 44, .pa_lg2 = 44, .bbm = 2 },
	  0x10,
	  0x10 },
	{ "Sv39 over Sv39x4",
	  &hw_riscv,
	  { .format = "riscv-s1", .levels = 3 },
	  { .format = "riscv-g", .levels = 3 },
	  15,
	  23 },
	{ "Sv57 over Sv48x4",
	  &hw_riscv,
	  { .format = "riscv-s1", .levels = 5 },
	  { .format = "riscv-g", .levels = 4 },
	  15,
	  23 },
};

/**
 * struct nest - both domains
 * @page_lg2: the larger of the two granules
 */
static struct nest {
	const struct pair *pair;
	struct hw *hw;
	struct hw_domain s1;
	struct hw_domain s2;
	unsigned page_lg2;
	struct random random;
} n;

static uint64_t iova_of(unsigned page)
{
	return 0x40000000ull + ((uint64_t)page << n.page_lg2);
}

static uint64_t guest_of(unsigned page)
{
	return GUEST + ((uint64_t)page << n.page_lg2);
}

static void map_page(struct hw_domain *domain, uint64_t first, uint64_t pa)
{
	assert_int_equal(
		iopt_map(domain->iopt, first, first + (1ull << n.page_lg2) - 1, pa, RW, NULL), 0);
}

static void unmap_page(struct hw_domain *domain, uint64_t first, struct iopt_gather *gather)
{
	assert_int_equal(iopt_unmap(domain->iopt, first, first + (1ull << n.page_lg2) - 1, 0,
				    gather, NULL),
			 0);
}

/* Any page of data in memory; several of the guest's may share it. */
static uint64_t some_memory(void)
{
	uint64_t pages = (HW_RAM_BYTES - HW_DATA) >> n.page_lg2;

	return n.hw->ram_base + HW_DATA + (random_below(&n.random, pages) << n.page_lg2);
}

static void open_nest(const struct pair *pair)
{
	n = (struct nest){ .pair = pair };
	random_seed(&n.random, hw_seed());
	n.hw = hw_start(pair->unit, 1);
	assert_int_equal(hw_domain_init(&n.s2, n.hw, &pair->s2, 2), 0);
	assert_int_equal(hw_domain_init(&n.s1, n.hw, &pair->s1, 5), 0);
	n.page_lg2 = n.s1.format->granule_lg2 > n.s2.format->granule_lg2 ? n.s1.format->granule_lg2
									 : n.s2.format->granule_lg2;
	/* What walks of stage 1 read is memory to the guest, too: here where it is in memory. */
	assert_int_equal(iopt_map(n.s2.iopt, n.hw->ram_base, n.hw->ram_base + HW_DATA - 1,
				  n.hw->ram_base, RW, NULL),
			 0);
	n.s1.under = &n.s2;
	n.s2.nested = true;
	hw_attach(n.hw, &n.hw->devices[0], &n.s1);
	for (unsigned page = 0; page < PAGES; page++) {
		map_page(&n.s2, guest_of(page), some_memory());
		map_page(&n.s1, iova_of(page), guest_of((unsigned)random_below(&n.random, PAGES)));
	}
}

static void close_nest(void)
{
	hw_attach(n.hw, &n.hw->devices[0], NULL);
	hw_domain_fini(&n.s1);
	hw_domain_fini(&n.s2);
	hw_stop(n.hw);
}

/* A write somewhere in a page; where both stages lead, or false. */
static bool lands_at(unsigned page, uint64_t *iova, uint64_t *pa, uint32_t *reason)
{
	struct iopt_translation first, second;

	*iova = iova_of(page) + (random_below(&n.random, 1ull << n.page_lg2) & ~3ull);
	*reason = n.pair->absent1;
	if (iopt_translate(n.s1.iopt, *iova, &first))
		return false;
	*reason = n.pair->absent2;
	if (iopt_translate(n.s2.iopt, first.pa, &second))
		return false;
	*pa = second.pa;
	return true;
}

static void write_page(unsigned page)
{
	uint64_t iova, pa = n.hw->ram_base + HW_DATA;
	struct hw_fault fault;
	uint32_t reason;

	if (lands_at(page, &iova, &pa, &reason)) {
		assert_int_equal(hw_dma_one(n.hw, 0, iova, pa), HW_LANDED);
		return;
	}
	assert_int_equal(hw_dma_one(n.hw, 0, iova, pa), HW_FAULTED);
	assert_true(hw_fault(n.hw, &fault));
	assert_int_equal(fault.reason, reason);
}

static uint64_t page_leads_to(struct hw_domain *domain, uint64_t first)
{
	struct iopt_translation at;

	return iopt_translate(domain->iopt, first, &at) ? ~0ull : at.pa;
}

/* A page of a stage goes, and the device that has it cached does not notice before the sync. */
static void change_page(struct hw_domain *domain, uint64_t first, unsigned page, uint64_t pa)
{
	struct iopt_gather gather;
	uint64_t iova, before;
	uint32_t reason;

	if (page_leads_to(domain, first) == ~0ull) {
		map_page(domain, first, pa);
		return;
	}
	iopt_gather_init(&gather, domain->iopt, NULL);
	if (lands_at(page, &iova, &before, &reason)) {
		assert_int_equal(hw_dma_one(n.hw, 0, iova, before), HW_LANDED);
		unmap_page(domain, first, &gather);
		assert_int_equal(hw_dma_one(n.hw, 0, iova, before), HW_LANDED);
	} else {
		unmap_page(domain, first, &gather);
	}
	iopt_sync(&gather);
}

/* ---- what a debugger would find ------------------------------------------------------------ */

/**
 * struct found - what libiopt-decode finds from the unit's registers on
 * @spaces: how many that device 0 has
 * @bytes:  that it can reach
 */
struct found {
	struct iopt_decode_source source;
	unsigned spaces;
	uint64_t bytes;
};

static int compare_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct found *found = ctx;
	struct iopt_translation first, second;

	assert_int_equal(iopt_translate(n.s1.iopt, leaf->first, &first), 0);
	assert_int_equal(iopt_translate(n.s2.iopt, first.pa, &second), 0);
	assert_int_equal(leaf->pa, second.pa);
	assert_int_equal(leaf->prot & RW, RW);
	found->bytes += leaf->last - leaf->first + 1;
	return 0;
}

static int decode_device(void *ctx, const struct iopt_decode_device *device)
{
	struct found *found = ctx;
	const struct iopt_decode_visitor visitor = {
		.ctx = found,
		.leaf = compare_leaf,
		.trouble = hw_no_trouble,
	};

	if (device->id != n.hw->devices[0].bdf)
		return 0;
	found->spaces++;
	assert_int_equal(device->path, IOPT_DECODE_NESTED);
	assert_string_equal(device->format, n.s2.format->name);
	assert_string_equal(device->first_format, n.s1.format->name);
	return iopt_decode_tables(&found->source, device, 0, UINT64_MAX, &visitor);
}

static void check_decoded(void)
{
	struct found found = { .source = hw_tables(n.hw) };
	const struct iopt_decode_visitor visitor = {
		.ctx = &found,
		.device = decode_device,
		.trouble = hw_no_trouble,
	};
	uint64_t reached = 0;

	for (unsigned page = 0; page < PAGES; page++) {
		uint64_t guest = page_leads_to(&n.s1, iova_of(page));

		if (guest != ~0ull && page_leads_to(&n.s2, guest) != ~0ull)
			reached += 1ull << n.page_lg2;
	}
	assert_int_equal(iopt_decode_devices(&found.source, &visitor), 0);
	assert_int_equal(found.spaces, 1);
	assert_int_equal(found.bytes, reached);
}

static void both_stages_change(void **state)
{
	open_nest(*state);
	for (unsigned page = 0; page < PAGES; page++)
		write_page(page);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned page = (unsigned)random_below(&n.random, PAGES);
		uint64_t guest = page_leads_to(&n.s1, iova_of(page));

		if (random_below(&n.random, 2) || guest == ~0ull)
			change_page(&n.s1, iova_of(page), page,
				    guest_of((unsigned)random_below(&n.random, PAGES)));
		else
			change_page(&n.s2, guest, page, some_memory());
		write_page(page);
		write_page((unsigned)random_below(&n.random, PAGES));
		if (round % 8 == 0)
			check_decoded();
	}
	close_nest();
}

int main(void)
{
	struct CMUnitTest tests[sizeof(pairs) / sizeof(*pairs)];
	size_t nr = 0;

	if (hw_missing(hw_available()))
		return 77;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (iopt_format_find(pairs[i].s1.format) && iopt_format_find(pairs[i].s2.format))
			tests[nr++] = (struct CMUnitTest){ .name = pairs[i].name,
							   .test_func = both_stages_change,
							   .initial_state = (void *)&pairs[i] };
	return _cmocka_run_group_tests("hw: nested", tests, nr, NULL, NULL);
}
