/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bit patterns worked out by hand; see arm_entries.h. */
#include "formats/arm_s1_lpa2.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 12, 0x00680000000018c7 }, /* 4K */
	{ 16, 0x00780000000138c7 }, /* 64K: 0x10000 and three pages */
	{ 21, 0x00680000002008c5 }, /* 2M */
	{ 25, 0x00780000026008c5 }, /* 32M: 0x2000000 and three times 2M */
	{ 30, 0x00680000400008c5 }, /* 1G */
	{ 34, 0x00780004c00008c5 }, /* 16G: 0x400000000 and 3G */
	{ 39, 0x00680080000008c5 }, /* 512G */
};

static const struct arm_entries arm = {
	.format = &arm_s1_lpa2_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0xb123456789000,
	.leaf = 0x006b123456789ac7,
	.table = 0x0003123456789203,
	.retiring = 0x0403123456789208,
	.starts = { { 5, 52, 12, 0, false }, { 4, 48, 16, 0, false }, { 3, 39, 25, 0, false } },
	.none = { { 2, 24, 48 } },
	.tg = { 0, 2 },
	.ds = true,
};

int main(void)
{
	return arm_run();
}
