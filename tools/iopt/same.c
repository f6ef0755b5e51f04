/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See same.h. */
#include <string.h>

#include "tools/iopt/same.h"

static bool is_arm(const char *format)
{
	return !strncmp(format, "arm", 3);
}

static bool is_upper(const char *format, const struct iopt_hw *hw)
{
	return is_arm(format) && hw->arm.upper;
}

static bool stage_has_same_tables(const char *a_format, const struct iopt_hw *a,
				  const char *b_format, const struct iopt_hw *b)
{
	/* Names are the library's own, but not each once. */
	if (!a_format || !b_format)
		return a_format == b_format;
	return !strcmp(a_format, b_format) && a->root == b->root && a->levels == b->levels &&
	       is_upper(a_format, a) == is_upper(b_format, b);
}

bool same_tables(const struct iopt_decode_device *a, const struct iopt_decode_device *b)
{
	return stage_has_same_tables(a->format, &a->hw, b->format, &b->hw) &&
	       stage_has_same_tables(a->first_format, &a->first_hw, b->first_format, &b->first_hw);
}

static unsigned arm_sizes(const struct iopt_hw_arm *arm)
{
	return arm->tsz << 8 | arm->ps << 1 | arm->ds;
}

unsigned marks_set(const char *format, const struct iopt_hw *hw)
{
	const unsigned both = MARK_ACCESSED | MARK_DIRTY;

	if (is_arm(format))
		return (hw->arm.ha ? MARK_ACCESSED : 0) | (hw->arm.hd ? MARK_DIRTY : 0);
	if (!strcmp(format, "amd-v1")) /* HAD: as in soft-iommu/walk_amd_v1.c, read_root() */
		return hw->amd_v1.had & both;
	if (!strcmp(format, "vtd-ss"))
		return hw->vtd_ss.ssade ? both : 0;
	if (!strcmp(format, "riscv-s1"))
		return hw->riscv_s1.sade ? both : 0;
	if (!strcmp(format, "riscv-g"))
		return hw->riscv_g.gade ? both : 0;
	return both; /* x86-64 */
}

/* Of the same format. */
static bool stage_says_same(const char *format, const struct iopt_hw *a, const struct iopt_hw *b)
{
	if (!format)
		return true;
	if (is_arm(format) &&
	    (a->arm.mair != b->arm.mair || arm_sizes(&a->arm) != arm_sizes(&b->arm)))
		return false;
	return marks_set(format, a) == marks_set(format, b);
}

bool same_leaves(const struct iopt_decode_device *a, const struct iopt_decode_device *b)
{
	return same_tables(a, b) && a->prot == b->prot &&
	       stage_says_same(a->format, &a->hw, &b->hw) &&
	       stage_says_same(a->first_format, &a->first_hw, &b->first_hw);
}

/* The multiplier is Fibonacci hashing's, Knuth: The Art of Computer Programming 3, 6.4. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

/* Not of names, which roots mostly go with. */
static uint64_t mix_stage(uint64_t hash, const char *format, const struct iopt_hw *hw)
{
	if (!format)
		return mix(hash, 0);
	hash = mix(hash, hw->root);
	hash = mix(hash, (uint64_t)hw->levels << 1 | is_upper(format, hw));
	hash = mix(hash, marks_set(format, hw));
	return is_arm(format) ? mix(mix(hash, arm_sizes(&hw->arm)), hw->arm.mair) : hash;
}

uint64_t same_key(const struct iopt_decode_device *device)
{
	uint64_t hash = mix_stage(device->prot, device->format, &device->hw);

	return mix_stage(hash, device->first_format, &device->first_hw) >> 1;
}
