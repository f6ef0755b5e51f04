/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bit patterns worked out by hand; see arm_entries.h. */
#include "formats/arm_s2_64k.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 16, 0x004800000001037f }, /* 64K */
	{ 21, 0x005800000023037f }, /* 2M */
	{ 29, 0x004800002000037d }, /* 512M */
	{ 34, 0x005800046000037d }, /* 16G */
	{ 42, 0x004804000000037d }, /* 4T */
};

static const struct arm_entries arm = {
	.format = &arm_s2_64k_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0x5123456780000,
	.leaf = 0x004812345678537f,
	.table = 0x0000123456785003,
	.retiring = 0x0400123456785008,
	.starts = { { 3, 52, 12, 2, false }, { 3, 44, 20, 2, false }, { 2, 46, 18, 1, false } },
	.none = { { 3, 43, 48 }, { 2, 24, 48 } },
	.tg = { 1, 0 },
	.ds = false,
};

int main(void)
{
	return arm_run();
}
