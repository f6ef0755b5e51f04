/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bit patterns worked out by hand; see arm_entries.h. What is not in a descriptor of AArch32: DBM,
 * and an access flag that hardware sets.
 */
#include "formats/arm_lpae32_s2.h"
#include "tests/unit/arm_entries.h"

/* Every size, at the address that equals it. */
static const struct sized_leaf sizes[] = {
	{ 12, 0x00400000000017ff }, /* 4K */
	{ 21, 0x00400000002007fd }, /* 2M */
	{ 30, 0x00400000400007fd }, /* 1G */
};

static const struct arm_entries arm = {
	.format = &arm_lpae32_s2_format,
	.sizes = sizes,
	.nr_sizes = sizeof(sizes) / sizeof(sizes[0]),
	.pa = 0xfffffff000,
	.leaf = 0x004000fffffff7ff,
	.table = 0x000000fffffff003,
	.retiring = 0x040000fffffff008,
	.starts = { { 3, 40, 24, 1, false }, { 3, 32, 32, 1, false }, { 2, 32, 32, 0, false } },
	.none = { { 2, 24, 40 } },
	.tg = { 0, 2 },
	.ds = false,
};

int main(void)
{
	return arm_run();
}
