/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What iopt-test.ko's files share: where they map, chance, and the tests that have a file of their
 * own.
 */
#ifndef KMOD_TEST_H
#define KMOD_TEST_H

#include <linux/prandom.h>
#include <linux/types.h>

#include "iopt/iopt.h"

#define RW   (IOPT_READ | IOPT_WRITE)
/* Of IOVAs, and of what they lead to: aligned to the blocks of all formats. */
#define BASE 0x20000000ull

/* A number from 0 on, less than limit. */
static inline u32 below(struct rnd_state *chance, u32 limit)
{
	return prandom_u32_state(chance) % limit;
}

/**
 * test_device() - a device that caches all it may, beside a mapper and a trimmer
 * @info: format of the domain
 * @ms:   for how long
 * @seed: of all chance
 *
 * Return: whether the device saw nothing but what it had to, and nobody did nothing.
 * Context: may sleep.
 */
bool test_device(const struct iopt_format_info *info, unsigned int ms, u32 seed);

#endif
