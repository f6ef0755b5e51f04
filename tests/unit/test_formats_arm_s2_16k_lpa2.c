/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bit patterns worked out by hand; see arm_entries.h. */
#include "formats/arm_s2_16k_lpa2.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 14, 0x004800000000407f }, /* 16K */
	{ 21, 0x005800000020c07f }, /* 2M */
	{ 25, 0x004800000200007d }, /* 32M */
	{ 30, 0x005800004600007d }, /* 1G */
	{ 36, 0x004800100000007d }, /* 64G */
};

static const struct arm_entries arm = {
	.format = &arm_s2_16k_lpa2_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0x712345678c000,
	.leaf = 0x004b12345678c17f,
	.table = 0x000312345678c103,
	.retiring = 0x040312345678c108,
	.starts = { { 4, 52, 12, 3, false }, { 3, 51, 13, 2, false }, { 2, 40, 24, 1, false } },
	.none = { { 4, 48, 48 }, { 3, 41, 48 } },
	.tg = { 2, 0 },
	.ds = true,
};

int main(void)
{
	return arm_run();
}
