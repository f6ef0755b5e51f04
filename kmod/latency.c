/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-bench.ko with latency=NAME: how long single calls take, of a domain whose folder in debugfs
 * anybody may read meanwhile. Interrupts are disabled in each call, so that what is counted is the
 * call and not who gets the processor; on one processor a call that had to wait for a reader would
 * never return.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/sort.h>

#include "hosts/linux/linux.h"
#include "kmod/bench.h"

#define CALLS 200000u
#define PAGES 4096u
#define BASE  0x100000000ull
#define PA    0x40000000ull

/** struct times - of each call, in nanoseconds */
struct times {
	u32 map[CALLS];
	u32 unmap[CALLS];
};

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
}

static u64 page_iova(u32 page)
{
	return BASE + (u64)page * SZ_4K;
}

/* Pages are to stay pages: each leads elsewhere than its neighbours' larger leaf would. */
static int map_page(struct iopt_domain *domain, u32 page)
{
	return iopt_linux_map(domain, page_iova(page), page_iova(page) + SZ_4K - 1,
			      PA + (u64)(page ^ 1) * SZ_4K, IOPT_READ | IOPT_WRITE, GFP_ATOMIC);
}

/* A page is unmapped and mapped again, with all others there for readers to see. */
static int measure_page(struct iopt_domain *domain, u32 page, u32 *unmap, u32 *map)
{
	struct iopt_gather gather;
	unsigned long flags;
	u64 begin;
	int error;

	iopt_gather_init(&gather, domain, NULL);
	local_irq_save(flags);
	begin = ktime_get_ns();
	error = iopt_unmap(domain, page_iova(page), page_iova(page) + SZ_4K - 1, 0, &gather, NULL);
	*unmap = ktime_get_ns() - begin;
	iopt_sync(&gather);
	begin = ktime_get_ns();
	error |= map_page(domain, page);
	*map = ktime_get_ns() - begin;
	local_irq_restore(flags);
	cond_resched();
	return error;
}

static int is_longer(const void *a, const void *b)
{
	const u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *name, const char *call, u32 *times)
{
	sort(times, CALLS, sizeof(*times), is_longer, NULL);
	pr_info("bench latency %s %s median %u, 99%% %u, longest %u\n", name, call,
		times[CALLS / 2], times[CALLS - CALLS / 100], times[CALLS - 1]);
}

static int measure(struct iopt_domain *domain, struct times *times)
{
	int error = 0;

	for (u32 i = 0; i < PAGES; i++)
		error |= map_page(domain, i);
	/* Every page comes up, none of them next to the one before. */
	for (u32 i = 0; i < CALLS; i++)
		error |= measure_page(domain, i * 1031u % PAGES, &times->unmap[i], &times->map[i]);
	return error;
}

int bench_latency(const char *name)
{
	const struct iopt_config config = { .format = "vtd-ss",
					    .callbacks.invalidate = invalidate };
	struct times *times = kvmalloc(sizeof(*times), GFP_KERNEL);
	struct iopt_domain *domain;
	struct dentry *folder;
	int error;

	if (!times)
		return -ENOMEM;
	error = iopt_create(&config, &domain);
	if (error) {
		kvfree(times);
		return error;
	}
	folder = iopt_linux_show(domain, "bench");
	error = measure(domain, times);
	iopt_linux_hide(folder);
	iopt_destroy(domain);
	if (!error) {
		print(name, "map", times->map);
		print(name, "unmap", times->unmap);
	}
	kvfree(times);
	return error;
}
