/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-bench.ko: what map and unmap cost, in nanoseconds a call, beside the kernel's own page
 * tables in the same loop. Loading measures and prints. In a guest that counts instructions
 * (QEMU's -icount shift=0) a nanosecond is one instruction: scripts/test-kmod.
 *
 * The kernel's are in bench-io-pgtable.c, up to where it has its generic page tables; from then on
 * these, in bench-generic-pt.c. Single calls beside readers are in latency.c.
 */
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "iopt/iopt.h"
#include "kmod/bench.h"

static char *latency;
module_param(latency, charp, 0);
MODULE_PARM_DESC(latency, "measure how long single calls take instead, and call it this");

#define ROUNDS 5u
#define BASE   0x100000000ull
#define PA     0x40000000ull
/* Pages are to stay pages: where they could be a larger leaf, no address is aligned to one. */
#define PA_OFF (PA + SZ_4K)

static const struct work works[] = {
	{ "4K", SZ_4K, 1, 8192 },
	{ "64x4K", SZ_4K, 64, 512 },
	{ "512x4K", SZ_4K, 512, 64 },
	{ "2M", SZ_2M, 1, 1024 },
};

/* ---- iopt ---------------------------------------------------------------------------------- */

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
}

static int ours_map(void *tables, u64 iova, u64 pa, const struct work *work)
{
	return iopt_map(tables, iova, iova + (u64)work->bytes * work->pages - 1, pa,
			IOPT_READ | IOPT_WRITE, NULL);
}

/* The gather is what the other one's caller has, too; neither pays it here. */
static struct iopt_gather ours_gather;

static int ours_unmap(void *tables, u64 iova, const struct work *work)
{
	return iopt_unmap(tables, iova, iova + (u64)work->bytes * work->pages - 1, 0, &ours_gather,
			  NULL);
}

static void ours_sync(void)
{
	iopt_sync(&ours_gather);
}

/* ---- measuring ----------------------------------------------------------------------------- */

/* The tables are in place from the first round on, and the best of all rounds counts. */
static int measure(const struct engine *engine, const struct work *work, u64 *map, u64 *unmap)
{
	u64 step = (u64)work->bytes * work->pages, pa = work->pages > 1 ? PA_OFF : PA;
	int error = 0;

	*map = *unmap = ~0ull;
	for (u32 round = 0; round < ROUNDS; round++) {
		u64 begin = ktime_get_ns(), middle, end;

		for (u32 i = 0; i < work->count; i++)
			error |= engine->map(engine->tables, BASE + i * step, pa + i * step, work);
		middle = ktime_get_ns();
		for (u32 i = 0; i < work->count; i++)
			error |= engine->unmap(engine->tables, BASE + i * step, work);
		end = ktime_get_ns();
		*map = min(*map, (middle - begin) / work->count);
		*unmap = min(*unmap, (end - middle) / work->count);
		engine->sync();
		cond_resched();
	}
	return error;
}

int bench_measure(const struct engine *engine)
{
	for (u32 i = 0; i < ARRAY_SIZE(works); i++) {
		u64 map, unmap;
		int error = measure(engine, &works[i], &map, &unmap);

		if (error)
			return error;
		pr_info("bench %s %s map %llu unmap %llu\n", engine->name, works[i].name, map,
			unmap);
	}
	return 0;
}

static int measure_ours(const char *format)
{
	const struct iopt_config config = {
		.format = format,
		.callbacks = { .invalidate = invalidate, .top_changed = top_changed },
	};
	struct engine engine = {
		.name = format, .map = ours_map, .unmap = ours_unmap, .sync = ours_sync
	};
	struct iopt_domain *domain;
	int error = iopt_create(&config, &domain);

	if (error)
		return error;
	engine.tables = domain;
	iopt_gather_init(&ours_gather, domain, NULL);
	error = bench_measure(&engine);
	iopt_sync(&ours_gather);
	iopt_destroy(domain);
	return error;
}

static int __init bench_init(void)
{
	int error;

	if (latency)
		return bench_latency(latency);
	error = bench_theirs();
	if (!error)
		error = measure_ours("amd-v1");
	if (!error)
		error = measure_ours("vtd-ss");
	return error;
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("what the I/O page-table engine costs beside the kernel's own");
MODULE_LICENSE("Dual MIT/GPL");
