/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Bit patterns worked out by hand; see arm_entries.h. */
#include "formats/arm_s2_16k.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it; in a run the fourth entry. */
static const struct sized_leaf sizes[] = {
	{ 14, 0x004800000000437f }, /* 16K */
	{ 21, 0x005800000020c37f }, /* 2M */
	{ 25, 0x004800000200037d }, /* 32M */
	{ 30, 0x005800004600037d }, /* 1G */
};

static const struct arm_entries arm = {
	.format = &arm_s2_16k_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0xffffffffc000,
	.leaf = 0x0048ffffffffc37f,
	.table = 0x0000ffffffffc003,
	.retiring = 0x0400ffffffffc008,
	.starts = { { 3, 48, 16, 2, false }, { 3, 42, 22, 2, false }, { 2, 40, 24, 1, false } },
	.none = { { 3, 41, 48 }, { 2, 24, 48 } },
	.tg = { 2, 0 },
	.ds = false,
};

int main(void)
{
	return arm_run();
}
