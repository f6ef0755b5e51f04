/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What iopt-bench.ko's files share: the loop and the engines that run in it.
 */
#ifndef KMOD_BENCH_H
#define KMOD_BENCH_H

#include <linux/types.h>

/**
 * struct work - one row: @count calls, each of @pages pages of @bytes
 */
struct work {
	const char *name;
	u32 bytes;
	u32 pages;
	u32 count;
};

/**
 * struct engine - the same two calls of each engine
 * @name:   in the log
 * @tables: what they are called with
 * @map:    0 if all of it was mapped
 * @unmap:  0 if all of it was unmapped; what has to be invalidated is gathered
 * @sync:   after each round, outside of what is measured: as if that had been invalidated
 */
struct engine {
	const char *name;
	void *tables;
	int (*map)(void *tables, u64 iova, u64 pa, const struct work *work);
	int (*unmap)(void *tables, u64 iova, const struct work *work);
	void (*sync)(void);
};

/**
 * bench_measure() - measure an engine and print its rows
 * Return: 0, or what a call of the engine returned.
 * Context: may sleep.
 */
int bench_measure(const struct engine *engine);

/**
 * bench_theirs() - measure the kernel's own tables, each under "kernel-" and our name of the format
 * Return: 0, -ENOMEM, -ENODEV where the kernel does not have them, or what a call returned.
 * Context: may sleep; once.
 */
int bench_theirs(void);

/**
 * bench_latency() - measure single calls, and print their median and worst
 * @name: in the log
 * Return: 0, -ENOMEM, or what a call of the engine returned.
 * Context: may sleep. Readers of the domain's folder in debugfs, "bench", may run beside.
 */
int bench_latency(const char *name);

#endif
