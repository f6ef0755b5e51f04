/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bit patterns worked out by hand; see arm_entries.h. */
#include "formats/arm_s1_16k_lpa2.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 14, 0x00680000000048c7 }, /* 16K */
	{ 21, 0x007800000020c8c7 }, /* 2M: 0x200000 and three pages */
	{ 25, 0x00680000020008c5 }, /* 32M */
	{ 30, 0x00780000460008c5 }, /* 1G: 0x40000000 and three times 32M */
	{ 36, 0x00680010000008c5 }, /* 64G */
};

static const struct arm_entries arm = {
	.format = &arm_s1_16k_lpa2_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0x712345678c000,
	.leaf = 0x006b12345678c9c7,
	.table = 0x000312345678c103,
	.retiring = 0x040312345678c108,
	.starts = { { 4, 52, 12, 0, false }, { 4, 48, 16, 0, false }, { 3, 47, 17, 0, false } },
	.none = { { 2, 24, 48 } },
	.tg = { 2, 1 },
	.ds = true,
};

int main(void)
{
	return arm_run();
}
