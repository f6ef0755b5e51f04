/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bit patterns worked out by hand; see arm_entries.h. */
#include "formats/arm_s2_lpa2.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 12, 0x004800000000107f }, /* 4K */
	{ 16, 0x005800000001307f }, /* 64K */
	{ 21, 0x004800000020007d }, /* 2M */
	{ 25, 0x005800000260007d }, /* 32M */
	{ 30, 0x004800004000007d }, /* 1G */
	{ 34, 0x00580004c000007d }, /* 16G */
	{ 39, 0x004800800000007d }, /* 512G */
};

static const struct arm_entries arm = {
	.format = &arm_s2_lpa2_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0xb123456789000,
	.leaf = 0x004b12345678927f,
	.table = 0x0003123456789203,
	.retiring = 0x0403123456789208,
	.starts = { { 5, 52, 12, 0, true },
		    { 4, 52, 12, 2, false },
		    { 3, 43, 21, 1, false },
		    { 2, 34, 30, 0, false } },
	.none = { { 4, 43, 48 } },
	.tg = { 0, 0 },
	.ds = true,
};

int main(void)
{
	return arm_run();
}
