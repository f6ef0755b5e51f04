/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KMOD_DEVICE_H
#define KMOD_DEVICE_H

#include <linux/types.h>

struct iopt_format_info;

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
