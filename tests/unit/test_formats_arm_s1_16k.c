/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bit patterns worked out by hand; see arm_entries.h. */
#include "formats/arm_s1_16k.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 14, 0x0068000000004bc7 }, /* 16K */
	{ 21, 0x007800000020cbc7 }, /* 2M: 0x200000 and three pages */
	{ 25, 0x0068000002000bc5 }, /* 32M */
	{ 30, 0x0078000046000bc5 }, /* 1G: 0x40000000 and three times 32M */
};

static const struct arm_entries arm = {
	.format = &arm_s1_16k_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0xffffffffc000,
	.leaf = 0x0068ffffffffcbc7,
	.table = 0x0000ffffffffc003,
	.retiring = 0x0400ffffffffc008,
	.starts = { { 4, 48, 16, 0, false }, { 3, 47, 17, 0, false }, { 2, 25, 39, 0, false } },
	.none = { { 2, 24, 48 } },
	.tg = { 2, 1 },
	.ds = false,
};

int main(void)
{
	return arm_run();
}
