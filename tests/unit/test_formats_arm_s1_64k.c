/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bit patterns worked out by hand; see arm_entries.h. */
#include "formats/arm_s1_64k.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 16, 0x0068000000010bc7 }, /* 64K */
	{ 21, 0x0078000000230bc7 }, /* 2M: 0x200000 and three pages */
	{ 29, 0x0068000020000bc5 }, /* 512M */
	{ 34, 0x0078000460000bc5 }, /* 16G: 0x400000000 and three times 512M */
	{ 42, 0x0068040000000bc5 }, /* 4T */
};

static const struct arm_entries arm = {
	.format = &arm_s1_64k_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0x5123456780000,
	.leaf = 0x0068123456785bc7,
	.table = 0x0000123456785003,
	.retiring = 0x0400123456785008,
	.starts = { { 3, 52, 12, 0, false }, { 3, 48, 16, 0, false }, { 2, 42, 22, 0, false } },
	.none = { { 2, 24, 48 } },
	.tg = { 1, 3 },
	.ds = false,
};

int main(void)
{
	return arm_run();
}
