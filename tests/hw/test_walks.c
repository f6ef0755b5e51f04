/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Does the hardware's walker read the tables as iopt_translate() does? For each unit and each kind
 * of domain that it walks: random mappings of all sizes and permissions, each written to and read
 * by devices; what is not mapped faults; what was unmapped goes when the gather is synced and, as
 * long as the unit has it cached, not before. The soft-iommu gets the same accesses and
 * invalidations, and agrees. From the unit's registers on, libiopt-decode finds the same mappings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include <iopt/posix.h>

#include "kinds.h"
#include "tables.h"
#include "soft-iommu/soft_iommu.h"

#define NR_MAPPINGS 24u
#define ROUNDS	    40u
#define MOST_EACH   256u

/**
 * struct trial - one run over a domain
 * @kind:    of which kind
 * @hw:      the machine
 * @domain:  the domain; device 0 and the reader are attached to it, device 1 to nothing
 * @soft:    the same domain as the soft-iommu has it, its unit, and a device
 * @random:  state of chance
 * @ranges:  what is mapped; first > last: not in use
 * @scratch: a page that the reader writes to, at the first IOVA
 * @sizes:   sizes of leaves, lg2
 * @nr_sizes: how many
 */
struct trial {
	const struct hw_kind *kind;
	struct hw *hw;
	struct hw_domain domain;
	struct soft_iommu *soft_unit;
	struct soft_iommu_domain *soft;
	struct soft_iommu_device *soft_device;
	struct random random;
	struct iopt_range ranges[NR_MAPPINGS];
	uint64_t scratch;
	unsigned sizes[64];
	unsigned nr_sizes;
};

/* ---- addresses ----------------------------------------------------------------------------- */

/* IOVA bits of the domain. */
static unsigned iova_bits(const struct trial *t)
{
	const struct iopt_config *config = &t->kind->config;

	return config->iova_lg2 ? config->iova_lg2 : width_of(t->domain.format, config->levels);
}

/* The lowest IOVA. */
static uint64_t first_iova(const struct trial *t)
{
	return t->kind->config.flags & IOPT_UPPER ? ~0ull << iova_bits(t) : 0;
}

static uint64_t random_iova(struct trial *t, uint64_t size)
{
	const unsigned above = 64 - iova_bits(t);
	uint64_t iova = random_next(&t->random) << above & -(size << above);

	if (t->kind->config.flags & IOPT_SIGN_EXTEND)
		return (uint64_t)((int64_t)iova >> above);
	return first_iova(t) | iova >> above;
}

/* ---- opening and closing -------------------------------------------------------------------- */

static void touch(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	(void)iova;
	(void)write;
	*(uint64_t *)ctx = pa;
}

static void invalidate_soft(void *ctx, const struct iopt_gather *gather)
{
	soft_iommu_invalidate(ctx, gather);
}

static void start_soft(struct trial *t)
{
	const struct soft_iommu_config unit = { .va = iopt_posix_va };
	const struct soft_iommu_device_config device = { .touch = touch };
	struct soft_iommu_domain_config config = { .format = t->domain.format->name };

	if (t->kind->config.flags & IOPT_SIGN_EXTEND)
		config.flags |= SOFT_IOMMU_SIGN_EXTEND;
	iopt_hw(t->domain.iopt, &config.hw);
	assert_int_equal(soft_iommu_create(&unit, &t->soft_unit), 0);
	assert_int_equal(soft_iommu_domain_create(t->soft_unit, &config, &t->soft), 0);
	assert_int_equal(soft_iommu_device_create(t->soft, &device, &t->soft_device), 0);
	t->domain.also = invalidate_soft;
	t->domain.ctx = t->soft;
}

static void stop_soft(struct trial *t)
{
	assert_int_equal(soft_iommu_count(t->soft_unit, SOFT_IOMMU_BREACHES), 0);
	soft_iommu_device_destroy(t->soft_device);
	soft_iommu_domain_destroy(t->soft);
	soft_iommu_destroy(t->soft_unit);
}

static void start(struct trial *t, const struct hw_kind *kind)
{
	uint64_t granule;

	memset(t, 0, sizeof(*t));
	t->kind = kind;
	random_seed(&t->random, hw_seed());
	t->hw = hw_start(kind->unit, 2);
	assert_int_equal(hw_domain_init(&t->domain, t->hw, &kind->config, 7), 0);
	hw_attach(t->hw, &t->hw->devices[0], &t->domain);
	hw_attach(t->hw, &t->hw->reader, &t->domain);
	start_soft(t);
	granule = 1ull << t->domain.format->granule_lg2;
	t->scratch = t->hw->ram_base + HW_RAM_BYTES - granule;
	assert_int_equal(iopt_map(t->domain.iopt, first_iova(t), first_iova(t) + granule - 1,
				  t->scratch, IOPT_READ | IOPT_WRITE, NULL),
			 0);
	for (unsigned i = 0; i < NR_MAPPINGS; i++)
		t->ranges[i] = (struct iopt_range){ 1, 0 };
	for (unsigned lg2 = 0; 1ull << lg2 <= HW_RAM_BYTES; lg2++)
		if (t->domain.format->page_sizes >> lg2 & 1)
			t->sizes[t->nr_sizes++] = lg2;
}

static void stop(struct trial *t)
{
	hw_attach(t->hw, &t->hw->devices[0], NULL);
	hw_attach(t->hw, &t->hw->reader, NULL);
	stop_soft(t);
	hw_domain_fini(&t->domain);
	hw_stop(t->hw);
}

/* ---- one access ------------------------------------------------------------------------------ */

/* What became of the same access by the soft-iommu's device. */
static void check_soft(struct trial *t, uint64_t iova, bool write, bool done, uint64_t pa)
{
	enum soft_iommu_reason reason;
	uint64_t touched = ~pa;
	struct iopt_hw regs;

	/* The top may have grown, of which the unit was told. */
	iopt_hw(t->domain.iopt, &regs);
	assert_int_equal(soft_iommu_set_root(t->soft, &regs), 0);
	reason = soft_iommu_access(t->soft_device, iova, write ? SOFT_IOMMU_WRITE : SOFT_IOMMU_READ,
				   &touched);
	if ((reason == SOFT_IOMMU_DONE) != done || (done && touched != pa))
		fail_msg("a %s at 0x%jx, which %s here, ends in the soft-iommu with: %s, 0x%jx",
			 write ? "write" : "read", (uintmax_t)iova, done ? "is done" : "faults",
			 soft_iommu_reason_name(reason), (uintmax_t)touched);
}

/* A write of a word by both. */
static enum hw_result write_word(struct trial *t, uint64_t iova, uint64_t pa)
{
	enum hw_result result = hw_dma_one(t->hw, 0, iova, pa);

	check_soft(t, iova, true, result == HW_LANDED, pa);
	return result;
}

static void check_fault(struct trial *t, const struct hw_device *device, bool write, uint64_t iova,
			uint32_t reason)
{
	struct hw_fault fault;

	assert_true(hw_fault(t->hw, &fault));
	if (!t->kind->unit->faults_say_where) {
		fault.write = write;
		fault.iova = iova;
	}
	if (fault.bdf == device->bdf && fault.write == write && fault.reason == reason &&
	    !((fault.iova ^ iova) >> t->domain.format->granule_lg2))
		return;
	fail_msg("%x at 0x%jx, %s, reason 0x%x: recorded is %x at 0x%jx, %s, reason 0x%x",
		 device->bdf, (uintmax_t)iova, write ? "write" : "read", reason, fault.bdf,
		 (uintmax_t)fault.iova, fault.write ? "write" : "read", fault.reason);
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
	result = write_word(t, iova, error ? t->hw->ram_base + HW_DATA : at.pa);
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
	check_fault(t, &t->hw->devices[0], true, iova, error ? t->kind->absent : t->kind->refused);
}

/*
 * A device reads what is mapped: it gets what is there, which it then writes where a page is for
 * that, or faults.
 */
static void read_as_translated(struct trial *t, uint64_t iova)
{
	const uint64_t value = random_next(&t->random);
	struct iopt_translation at;
	struct hw_fault again;

	assert_int_equal(iopt_translate(t->domain.iopt, iova, &at), 0);
	if (at.pa - t->hw->ram_base < HW_DATA)
		return;
	hw_store64(t->hw, at.pa, value);
	hw_store64(t->hw, t->scratch, ~value);
	hw_reader_load(t->hw, iova, 8);
	check_soft(t, iova, false, at.prot & IOPT_READ, at.pa);
	if (!(at.prot & IOPT_READ)) {
		check_fault(t, &t->hw->reader, false, iova, t->kind->unread);
		while (hw_fault(t->hw, &again))
			; /* it is tried in pieces */
		return;
	}
	hw_reader_store(t->hw, first_iova(t), 8);
	assert_int_equal(hw_load64(t->hw, t->scratch), value);
}

/* A write that begins in one page and ends in its neighbour, which lies elsewhere in memory. */
static void write_across(struct trial *t)
{
	const uint64_t granule = 1ull << t->domain.format->granule_lg2;
	const uint64_t pa = t->hw->ram_base + HW_DATA, other = pa + 4 * granule;
	const uint64_t iova = random_iova(t, 2 * granule);
	struct hw_dma dma = { .iova = iova + granule - 4, .pa = pa + granule - 4, .bytes = 8 };
	struct iopt_gather gather;

	if (iopt_map(t->domain.iopt, iova, iova + granule - 1, pa, IOPT_READ | IOPT_WRITE, NULL))
		return;
	iopt_gather_init(&gather, t->domain.iopt, NULL);
	if (!iopt_map(t->domain.iopt, iova + granule, iova + 2 * granule - 1, other,
		      IOPT_READ | IOPT_WRITE, NULL)) {
		hw_store64(t->hw, pa + granule - 8, 0);
		hw_store64(t->hw, other, 0);
		hw_dma(t->hw, &dma, 1);
		assert_int_equal(hw_load64(t->hw, pa + granule - 8), (uint64_t)HW_PATTERN << 32);
		assert_int_equal(hw_load64(t->hw, other), HW_PATTERN);
		assert_int_equal(iopt_unmap(t->domain.iopt, iova + granule, iova + 2 * granule - 1,
					    0, &gather, NULL),
				 0);
	}
	assert_int_equal(iopt_unmap(t->domain.iopt, iova, iova + granule - 1, 0, &gather, NULL), 0);
	iopt_sync(&gather);
}

/* ---- mappings ------------------------------------------------------------------------------- */

static unsigned random_prot(struct trial *t)
{
	static const unsigned prots[] = { IOPT_READ | IOPT_WRITE, IOPT_READ, IOPT_WRITE };
	bool write_only = t->domain.format->abilities & IOPT_CAN_WRITE_ONLY;

	return prots[random_below(&t->random, write_only ? 3 : 2)];
}

/* A range of one to three leaves of a size, or a granule less. */
static bool map_some(struct trial *t, struct iopt_range *range)
{
	const struct iopt_format_info *format = t->domain.format;
	const uint64_t granule = 1ull << format->granule_lg2;
	uint64_t size = 1ull << t->sizes[random_below(&t->random, t->nr_sizes)];
	uint64_t room = HW_RAM_BYTES / size, nr = 1 + random_below(&t->random, room < 3 ? room : 3);
	uint64_t pa = t->hw->ram_base + random_below(&t->random, room - nr + 1) * size,
		 bytes = nr * size;
	uint64_t iova = random_iova(t, size);

	/* Not from the first granule on, so that it is not all of the largest leaves. */
	if (bytes > granule && random_below(&t->random, 2)) {
		iova += granule;
		pa += granule;
		bytes -= granule;
	}
	range->first = iova;
	range->last = iova + bytes - 1;
	return range->last >= range->first &&
	       !iopt_map(t->domain.iopt, range->first, range->last, pa, random_prot(t), NULL);
}

/* Each page of what is not too large, as fast as commands go. */
static void write_each(struct trial *t, const struct iopt_range *range)
{
	static struct hw_dma dma[MOST_EACH];
	const uint64_t granule = 1ull << t->domain.format->granule_lg2;
	struct iopt_translation at;
	size_t nr = 0;

	if ((range->last - range->first) / granule >= MOST_EACH)
		return;
	for (uint64_t iova = range->first; iova - range->first <= range->last - range->first;
	     iova += granule) {
		assert_int_equal(iopt_translate(t->domain.iopt, iova, &at), 0);
		if (!(at.prot & IOPT_WRITE) || at.pa - t->hw->ram_base < HW_DATA)
			return;
		dma[nr++] = (struct hw_dma){ .iova = iova, .pa = at.pa, .bytes = 4 };
	}
	hw_dma(t->hw, dma, nr);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(dma[i].result, HW_LANDED);
		check_soft(t, dma[i].iova, true, true, dma[i].pa);
	}
}

/* Two models look at permissions only where they walk (smmuv3.c, riscv.c). */
static void forget(struct trial *t)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, t->domain.iopt, NULL);
	gather.owes = IOPT_OWES_ALL;
	iopt_sync(&gather);
}

/* Its ends, something within, and what lies beside it. */
static void use_about(struct trial *t, const struct iopt_range *range)
{
	const uint64_t length_1 = range->last - range->first;
	uint64_t within = range->first + random_below(&t->random, length_1);
	struct iopt_translation before;

	read_as_translated(t, range->first);
	read_as_translated(t, range->last - 7);
	forget(t);
	write_as_translated(t, range->first);
	write_as_translated(t, range->last - 3);
	write_as_translated(t, within & ~3ull);
	write_each(t, range);
	if (!iopt_translate(t->domain.iopt, range->first - 4, &before))
		write_as_translated(t, range->first - 4);
	write_as_translated(t, range->last + 1);
}

/* Whether a device may write there, not to the driver's own; and what it is in memory. */
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
		assert_int_equal(write_word(t, range->last - 3, pa), HW_LANDED);
	iopt_gather_init(&gather, t->domain.iopt, NULL);
	assert_int_equal(iopt_unmap(t->domain.iopt, range->first, range->last, 0, &gather, NULL),
			 0);
	/* All of it is owed, and nothing else. */
	assert_true(gather.owes & IOPT_OWES_LEAVES);
	assert_int_equal(gather.nr_ranges, 1);
	assert_int_equal(gather.ranges[0].first, range->first);
	assert_int_equal(gather.ranges[0].last, range->last);
	/* Else the check below could not tell. */
	if (cached)
		assert_int_equal(write_word(t, range->last - 3, pa), HW_LANDED);
	iopt_sync(&gather);
	write_as_translated(t, range->last - 3);
	write_as_translated(t, range->first);
	*range = (struct iopt_range){ 1, 0 };
}

/* ---- what a debugger would find ------------------------------------------------------------ */

/**
 * struct found - what libiopt-decode finds from the unit's registers on
 * @devices: how many device 0 was found as
 * @visit:   what the engine finds, a leaf at a time
 */
struct found {
	struct trial *t;
	struct iopt_decode_source source;
	unsigned devices;
	struct iopt_visit visit;
};

static bool next_leaf(struct found *found, struct iopt_item *item)
{
	while (!found->visit.done)
		if (iopt_visit(found->t->domain.iopt, &found->visit, item, 1))
			return true;
	return false;
}

static int compare_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	const unsigned both = IOPT_READ | IOPT_WRITE;
	struct iopt_item item = { 0 };

	if (next_leaf(ctx, &item) && item.first == leaf->first && item.last == leaf->last &&
	    item.pa == leaf->pa && ((item.prot ^ leaf->prot) & both) == 0)
		return 0;
	fail_msg("decoded: 0x%jx..0x%jx leads to 0x%jx (%x), it is 0x%jx..0x%jx, 0x%jx (%x)",
		 (uintmax_t)leaf->first, (uintmax_t)leaf->last, (uintmax_t)leaf->pa, leaf->prot,
		 (uintmax_t)item.first, (uintmax_t)item.last, (uintmax_t)item.pa, item.prot);
	return -1;
}

static int decode_device(void *ctx, const struct iopt_decode_device *device)
{
	struct found *found = ctx;
	const struct iopt_decode_visitor visitor = {
		.ctx = found,
		.leaf = compare_leaf,
		.trouble = hw_no_trouble,
	};
	struct iopt_hw regs;
	struct iopt_item item;

	if (device->id != found->t->hw->devices[0].bdf)
		return 0;
	iopt_hw(found->t->domain.iopt, &regs);
	assert_int_equal(device->path, IOPT_DECODE_TRANSLATED);
	assert_string_equal(device->format, found->t->domain.format->name);
	assert_int_equal(device->hw.root, regs.root);
	assert_int_equal(device->hw.levels, regs.levels);
	iopt_visit_init(&found->visit, 0, UINT64_MAX, IOPT_VISIT_LEAVES);
	assert_int_equal(iopt_decode_tables(&found->source, device, 0, UINT64_MAX, &visitor), 0);
	assert_false(next_leaf(found, &item));
	found->devices++;
	return 0;
}

/* From the unit's registers, by what is in memory, to all that the engine has mapped. */
static void check_decoded(struct trial *t)
{
	struct found found = { .t = t, .source = hw_tables(t->hw) };
	const struct iopt_decode_visitor visitor = {
		.ctx = &found,
		.device = decode_device,
		.trouble = hw_no_trouble,
	};

	assert_int_equal(iopt_decode_devices(&found.source, &visitor), 0);
	assert_int_equal(found.devices, 1);
}

static void run_random(const struct hw_kind *kind)
{
	struct trial t;
	unsigned mapped = 0;

	start(&t, kind);
	for (unsigned round = 0; round < ROUNDS * NR_MAPPINGS / 8; round++) {
		struct iopt_range *range = &t.ranges[random_below(&t.random, NR_MAPPINGS)];

		if (range->first <= range->last) {
			unmap_some(&t, range);
		} else if (map_some(&t, range)) {
			mapped++;
			use_about(&t, range);
			write_across(&t);
		} else {
			*range = (struct iopt_range){ 1, 0 };
		}
		if (round % 16 == 0)
			check_decoded(&t);
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

int main(int argc, char **argv)
{
	return hw_run_kinds("hw: walks", random_mappings, argc > 1 ? argv[1] : NULL);
}
