/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Tables change while a device uses them: leaves are split and merged, neighbours in the same
 * tables come and go, empty tables are given back, the top grows. One device writes all the time to
 * what stays mapped: every write lands where it should, none faults. What comes and goes is written
 * to before and after.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"

#define STEPS	 60u
#define IN_BATCH 16u

/**
 * struct live - a domain in use
 * @kind:   of which kind
 * @hw:     the machine; device 0 writes to what stays, device 1 to its neighbours
 * @domain: the domain
 * @random: the changing thread's state of chance
 * @range:  what stays mapped
 * @pa:     to where
 * @beside: its neighbours, as many, behind it in the same table or the next
 * @mapped: they are mapped
 * @block:  the next time in leaves as large as can be, else in the smallest ones
 * @stop:   the device is to stop
 * @landed: its writes so far
 * @bad:    the first IOVA that went wrong, or ~0
 * @result: and how
 */
static struct live {
	const struct hw_kind *kind;
	struct hw *hw;
	struct hw_domain domain;
	struct random random;
	struct iopt_range range;
	uint64_t pa;
	struct iopt_range beside;
	bool mapped;
	bool block;
	bool stop;
	uint64_t landed;
	uint64_t bad;
	enum hw_result result;
} live;

static void *be_device(void *ctx)
{
	struct random random;

	(void)ctx;
	random_seed(&random, hw_seed() + 1);
	while (!__atomic_load_n(&live.stop, __ATOMIC_ACQUIRE)) {
		struct hw_dma dma[IN_BATCH];

		for (unsigned i = 0; i < IN_BATCH; i++) {
			uint64_t length = live.range.last - live.range.first + 1;
			uint64_t offset = random_below(&random, length) & ~3ull;

			dma[i] = (struct hw_dma){ .iova = live.range.first + offset,
						  .pa = live.pa + offset,
						  .bytes = 4 };
		}
		hw_dma(live.hw, dma, IN_BATCH);
		for (unsigned i = 0; i < IN_BATCH; i++) {
			if (dma[i].result != HW_LANDED && live.bad == ~0ull) {
				live.result = dma[i].result;
				__atomic_store_n(&live.bad, dma[i].iova, __ATOMIC_RELEASE);
			}
		}
		__atomic_fetch_add(&live.landed, IN_BATCH, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void check_device(const char *what)
{
	uint64_t bad = __atomic_load_n(&live.bad, __ATOMIC_ACQUIRE);

	if (bad != ~0ull)
		fail_msg("%s: a write to 0x%jx, which stays mapped, %s", what, (uintmax_t)bad,
			 live.result == HW_FAULTED ? "faults" : "lands elsewhere");
}

/* ---- changes -------------------------------------------------------------------------------- */

/* A size of leaves within what stays mapped. */
static unsigned some_size(void)
{
	uint64_t sizes = live.domain.format->page_sizes & (live.range.last - live.range.first);
	unsigned lg2;

	do
		lg2 = (unsigned)random_below(&live.random, 64);
	while (!(sizes >> lg2 & 1));
	return lg2;
}

/* All of what stays, or a part of it. */
static struct iopt_range some_range(void)
{
	const unsigned granule_lg2 = live.domain.format->granule_lg2;
	uint64_t pages = (live.range.last - live.range.first + 1) >> granule_lg2;
	uint64_t first, nr;

	if (random_below(&live.random, 2))
		return live.range;
	first = random_below(&live.random, pages);
	nr = 1 + random_below(&live.random, pages - first);
	return (struct iopt_range){ live.range.first + (first << granule_lg2),
				    live.range.first + ((first + nr) << granule_lg2) - 1 };
}

static const char *split_some(struct iopt_gather *gather)
{
	struct iopt_range range = some_range();

	assert_int_equal(iopt_split(live.domain.iopt, range.first, range.last, some_size(), 0,
				    gather, 0, NULL),
			 0);
	iopt_sync(gather);
	return "split";
}

static const char *merge_all(struct iopt_gather *gather)
{
	struct iopt_translation at;

	assert_int_equal(iopt_merge(live.domain.iopt, live.range.first, live.range.last, ~0u, 0,
				    gather, 0, NULL),
			 0);
	iopt_sync(gather);
	assert_int_equal(iopt_translate(live.domain.iopt, live.range.first, &at), 0);
	assert_int_equal(1ull << at.leaf_lg2, live.range.last - live.range.first + 1);
	return "merge";
}

static const char *trim_all(struct iopt_gather *gather)
{
	assert_int_equal(iopt_trim(live.domain.iopt, live.range.first, live.beside.last, gather, 0,
				   NULL),
			 0);
	iopt_sync(gather);
	return "trim";
}

/*
 * The neighbours go, or come back: in turns as a block, where the empty table of the time before
 * hangs, and as pages, whose table comes where the block was. A granule further on in memory they
 * make up nothing larger; the last one has no memory then.
 */
static const char *change_beside(struct iopt_gather *gather)
{
	const uint64_t granule = 1ull << live.domain.format->granule_lg2;
	const uint64_t pa = live.pa + (live.block ? 0 : granule);

	if (live.mapped) {
		assert_int_equal(hw_dma_one(live.hw, 1, live.beside.first, pa), HW_LANDED);
		assert_int_equal(iopt_unmap(live.domain.iopt, live.beside.first, live.beside.last,
					    0, gather, NULL),
				 0);
		iopt_sync(gather);
		assert_int_equal(hw_dma_one(live.hw, 1, live.beside.first, pa), HW_FAULTED);
		live.block = !live.block;
	} else {
		struct iopt_translation at;

		assert_int_equal(iopt_map(live.domain.iopt, live.beside.first, live.beside.last, pa,
					  RW, NULL),
				 0);
		assert_int_equal(iopt_translate(live.domain.iopt, live.beside.first, &at), 0);
		assert_int_equal(1ull << at.leaf_lg2,
				 live.block ? live.beside.last - live.beside.first + 1 : granule);
		assert_int_equal(hw_dma_one(live.hw, 1, live.beside.first, pa), HW_LANDED);
	}
	live.mapped = !live.mapped;
	return "neighbours";
}

/* Further up than the top translates: it grows, if it can, the first time. */
static const char *map_above(struct iopt_gather *gather)
{
	const uint64_t pa = live.hw->ram_base + HW_DATA,
		       granule = 1ull << live.domain.format->granule_lg2;
	struct iopt_hw regs;
	uint64_t iova;

	if (!(live.domain.format->abilities & IOPT_CAN_GROW))
		return "nothing";
	iopt_hw(live.domain.iopt, &regs);
	if (regs.levels >= live.kind->config.max_levels)
		return "nothing";
	iova = 1ull << (live.domain.format->granule_lg2 +
			regs.levels * live.domain.format->index_lg2);
	assert_int_equal(iopt_map(live.domain.iopt, iova, iova + granule - 1, pa, RW, NULL), 0);
	assert_int_equal(hw_dma_one(live.hw, 1, iova, pa), HW_LANDED);
	assert_int_equal(iopt_unmap(live.domain.iopt, iova, iova + granule - 1, 0, gather, NULL),
			 0);
	iopt_sync(gather);
	assert_int_equal(hw_dma_one(live.hw, 1, iova, pa), HW_FAULTED);
	return "growth";
}

static const char *(*const steps[])(struct iopt_gather *gather) = {
	split_some, merge_all, trim_all, change_beside, change_beside, map_above,
};

/* ---- a run ---------------------------------------------------------------------------------- */

/* As large as an entry of level 1, if there is one, else the largest run; amid memory. */
static void choose_ranges(void)
{
	const struct iopt_format_info *format = live.domain.format;
	unsigned lg2 = format->granule_lg2 + format->index_lg2;

	if (live.kind->config.levels == 1)
		lg2 = 63 - (unsigned)__builtin_clzll(format->page_sizes & ((1ull << lg2) - 1));
	assert_true(format->page_sizes >> lg2 & 1);
	live.range.first = live.kind->config.levels == 1 ? 0 : 4ull << lg2;
	if (live.kind->config.flags & IOPT_UPPER)
		live.range.first -= 64ull << lg2;
	live.range.last = live.range.first + (1ull << lg2) - 1;
	live.pa = live.hw->ram_base + HW_RAM_BYTES / 2;
	live.beside.first = live.range.last + 1;
	live.beside.last = live.range.last + (1ull << lg2);
}

static void open_live(const struct hw_kind *kind)
{
	live = (struct live){ .kind = kind, .bad = ~0ull };
	random_seed(&live.random, hw_seed());
	live.hw = hw_start(kind->unit, 2);
	assert_int_equal(hw_domain_init(&live.domain, live.hw, &kind->config, 9), 0);
	for (unsigned i = 0; i < 2; i++)
		hw_attach(live.hw, &live.hw->devices[i], &live.domain);
	choose_ranges();
	assert_int_equal(iopt_map(live.domain.iopt, live.range.first, live.range.last, live.pa, RW,
				  NULL),
			 0);
}

static void close_live(void)
{
	for (unsigned i = 0; i < 2; i++)
		hw_attach(live.hw, &live.hw->devices[i], NULL);
	hw_domain_fini(&live.domain);
	hw_stop(live.hw);
}

static void changes_under_a_device(void **state)
{
	struct iopt_gather gather;
	pthread_t device;

	open_live(*state);
	iopt_gather_init(&gather, live.domain.iopt, NULL);
	assert_int_equal(pthread_create(&device, NULL, be_device, NULL), 0);
	for (unsigned i = 0; i < STEPS; i++) {
		size_t nr = sizeof(steps) / sizeof(*steps);
		const char *what = steps[random_below(&live.random, nr)](&gather);
		uint64_t landed = __atomic_load_n(&live.landed, __ATOMIC_RELAXED);

		/* Some of its writes fall between any two changes. */
		while (__atomic_load_n(&live.landed, __ATOMIC_RELAXED) == landed) {
			check_device(what);
			sched_yield();
		}
	}
	__atomic_store_n(&live.stop, true, __ATOMIC_RELEASE);
	pthread_join(device, NULL);
	check_device("the end");
	assert_in_range(live.landed, STEPS * IN_BATCH, ~0u);
	close_live();
}

int main(int argc, char **argv)
{
	return hw_run_kinds("hw: live changes", changes_under_a_device, argc > 1 ? argv[1] : NULL);
}
