/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Does the hardware's walker read the tables as iopt_translate() does? For each unit and each kind of
 * domain that it walks: random mappings of all sizes and permissions, each written to and read by
 * devices; what is not mapped faults; what was unmapped goes when the gather is synced and, as long as
 * the unit has it cached, not before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"

#define NR_MAPPINGS 24u
#define ROUNDS	    40u

/**
 * struct trial - one run over a domain
 * @kind:    of which kind
 * @hw:      the machine
 * @domain:  the domain; device 0 and the reader are attached to it, device 1 to nothing
 * @random:  state of chance
 * @ranges:  what is mapped; first > last: not in use
 * @sizes:   sizes of leaves, lg2
 * @nr_sizes: how many
 */
struct trial {
	const struct hw_kind *kind;
	struct hw *hw;
	struct hw_domain domain;
	uint64_t random;
	struct iopt_range ranges[NR_MAPPINGS];
	unsigned sizes[64];
	unsigned nr_sizes;
};

static void start(struct trial *t, const struct hw_kind *kind)
{
	uint64_t most = HW_RAM_BYTES;

	memset(t, 0, sizeof(*t));
	t->kind = kind;
	t->random = hw_seed();
	t->hw = hw_start(kind->unit, 2);
	assert_int_equal(hw_domain_init(&t->domain, t->hw, &kind->config, 7), 0);
	hw_attach(t->hw, &t->hw->devices[0], &t->domain);
	hw_attach(t->hw, &t->hw->reader, &t->domain);
	for (unsigned i = 0; i < NR_MAPPINGS; i++)
		t->ranges[i] = (struct iopt_range){ 1, 0 };
	for (unsigned lg2 = 0; 1ull << lg2 <= most; lg2++)
		if (t->domain.format->page_sizes >> lg2 & 1)
			t->sizes[t->nr_sizes++] = lg2;
}

static void stop(struct trial *t)
{
	hw_attach(t->hw, &t->hw->devices[0], NULL);
	hw_attach(t->hw, &t->hw->reader, NULL);
	hw_domain_fini(&t->domain);
	hw_stop(t->hw);
}

/* ---- one access ------------------------------------------------------------------------------ */

static void check_fault(struct trial *t, unsigned device, uint64_t iova, uint32_t reason)
{
	struct hw_fault fault;

	assert_true(hw_fault(t->hw, &fault));
	if (!t->kind->unit->faults_say_where) {
		fault.write = true;
		fault.iova = iova;
	}
	if (fault.bdf != t->hw->devices[device].bdf || !fault.write ||
	    (fault.iova ^ iova) >> t->domain.format->granule_lg2 || fault.reason != reason)
		fail_msg(
			"a write by %x at 0x%jx gives a fault of %x at 0x%jx, %s, reason 0x%x, not 0x%x",
			t->hw->devices[device].bdf, (uintmax_t)iova, fault.bdf,
			(uintmax_t)fault.iova, fault.write ? "write" : "read", fault.reason,
			reason);
}

/* A device writes: it lands where the engine says, or faults as the engine says. */
static void write_as_translated(struct trial *t, uint64_t iova)
{
	struct iopt_translation at;
	int error = iopt_translate(t->domain.iopt, iova, &at);
	enum hw_result result;

	if (!error && at.pa - t->hw->ram_base < HW_DATA)
		return; /* the driver's own, through a large leaf */
	if (!error)
		*(uint32_t *)hw_at(t->hw, at.pa) = 0;
	result = hw_dma_one(t->hw, 0, iova, error ? t->hw->ram_base + HW_DATA : at.pa);
	if (!error && (at.prot & IOPT_WRITE)) {
		if (result != HW_LANDED || *(uint32_t *)hw_at(t->hw, at.pa) != HW_PATTERN)
			fail_msg("a write to 0x%jx, which is 0x%jx, %s", (uintmax_t)iova,
				 (uintmax_t)at.pa,
				 result == HW_FAULTED ? "faults" : "lands elsewhere");
		return;
	}
	if (result != HW_FAULTED)
		fail_msg("a write to 0x%jx, which is %s, does not fault", (uintmax_t)iova,
			 error ? "not mapped" : "not writable");
	check_fault(t, 0, iova, error ? t->kind->absent : t->kind->refused);
}

/* ---- mappings ------------------------------------------------------------------------------- */

static unsigned random_prot(struct trial *t)
{
	static const unsigned prots[] = { IOPT_READ | IOPT_WRITE, IOPT_READ, IOPT_WRITE };
	bool write_only = t->domain.format->abilities & IOPT_CAN_WRITE_ONLY;

	return prots[hw_random_below(&t->random, write_only ? 3 : 2)];
}

/* IOVA bits of the domain. */
static unsigned width_of(const struct trial *t)
{
	const struct iopt_format_info *format = t->domain.format;
	const struct iopt_config *config = &t->kind->config;
	unsigned width = format->granule_lg2 + config->levels * format->index_lg2 + format->top_lg2;

	if (format->iova_lg2 && format->iova_lg2 < width)
		width = format->iova_lg2;
	if (config->iova_lg2 && config->iova_lg2 < width)
		width = config->iova_lg2;
	return width < 64 ? width : 64;
}

static uint64_t random_iova(struct trial *t, uint64_t size)
{
	const unsigned above = 64 - width_of(t);
	uint64_t iova = hw_random(&t->random) << above & -(size << above);

	return t->kind->config.flags & IOPT_SIGN_EXTEND ? (uint64_t)((int64_t)iova >> above)
							: iova >> above;
}

/* A range of one to three leaves of a size, or a granule less. */
static bool map_some(struct trial *t, struct iopt_range *range)
{
	const struct iopt_format_info *format = t->domain.format;
	const uint64_t granule = 1ull << format->granule_lg2;
	uint64_t size = 1ull << t->sizes[hw_random_below(&t->random, t->nr_sizes)];
	uint64_t room = HW_RAM_BYTES / size,
		 nr = 1 + hw_random_below(&t->random, room < 3 ? room : 3);
	uint64_t pa = t->hw->ram_base + hw_random_below(&t->random, room - nr + 1) * size,
		 bytes = nr * size;
	uint64_t iova = random_iova(t, size);

	/* Not from the first granule on, so that it is not all of the largest leaves. */
	if (bytes > granule && hw_random_below(&t->random, 2)) {
		iova += granule;
		pa += granule;
		bytes -= granule;
	}
	range->first = iova;
	range->last = iova + bytes - 1;
	return range->last >= range->first &&
	       !iopt_map(t->domain.iopt, range->first, range->last, pa, random_prot(t), NULL);
}

/* Its ends, something within, and what lies beside it. */
static void write_about(struct trial *t, const struct iopt_range *range)
{
	write_as_translated(t, range->first);
	write_as_translated(t, range->last - 3);
	write_as_translated(
		t,
		(range->first + hw_random_below(&t->random, range->last - range->first)) & ~3ull);
	if (!iopt_translate(t->domain.iopt, range->first - 4, &(struct iopt_translation){ 0 }))
		write_as_translated(t, range->first - 4);
	write_as_translated(t, range->last + 1);
}

/* Whether all of the writes of write_about() at both ends are in the unit's caches. */
static bool writable_at(struct trial *t, uint64_t iova, uint64_t *pa)
{
	struct iopt_translation at;

	if (iopt_translate(t->domain.iopt, iova, &at) || !(at.prot & IOPT_WRITE))
		return false;
	*pa = at.pa;
	return at.pa - t->hw->ram_base >= HW_DATA;
}

static void unmap_some(struct trial *t, struct iopt_range *range)
{
	struct iopt_gather gather;
	uint64_t pa = 0;
	bool cached = writable_at(t, range->last - 3, &pa);

	if (cached)
		assert_int_equal(hw_dma_one(t->hw, 0, range->last - 3, pa), HW_LANDED);
	iopt_gather_init(&gather, t->domain.iopt, NULL);
	assert_int_equal(iopt_unmap(t->domain.iopt, range->first, range->last, 0, &gather, NULL),
			 0);
	/* Else the check below could not tell. */
	if (cached)
		assert_int_equal(hw_dma_one(t->hw, 0, range->last - 3, pa), HW_LANDED);
	iopt_sync(&gather);
	write_as_translated(t, range->last - 3);
	write_as_translated(t, range->first);
	*range = (struct iopt_range){ 1, 0 };
}

static void run_random(const struct hw_kind *kind)
{
	struct trial t;
	unsigned mapped = 0;

	start(&t, kind);
	for (unsigned round = 0; round < ROUNDS * NR_MAPPINGS / 8; round++) {
		struct iopt_range *range = &t.ranges[hw_random_below(&t.random, NR_MAPPINGS)];

		if (range->first <= range->last) {
			unmap_some(&t, range);
		} else if (map_some(&t, range)) {
			mapped++;
			write_about(&t, range);
		} else {
			*range = (struct iopt_range){ 1, 0 };
		}
	}
	for (unsigned i = 0; i < NR_MAPPINGS; i++)
		if (t.ranges[i].first <= t.ranges[i].last)
			unmap_some(&t, &t.ranges[i]);
	assert_in_range(mapped, 10, ~0u); /* a space of 2 MiB has no room for many */
	stop(&t);
}

static void random_mappings(void **state)
{
	run_random(*state);
}

int main(void)
{
	return hw_run_kinds("hw: walks", random_mappings);
}
