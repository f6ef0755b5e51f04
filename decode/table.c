/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See table.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode/table.h"

#define ARM_DBM (1ull << 51) /* as in soft-iommu/walk_arm_64.c */

static const struct soft_format *const formats[] = {
	&soft_vtd_ss,	       &soft_x86_64,	 &soft_amd_v1,	    &soft_arm_s1,
	&soft_arm_s1_16k,      &soft_arm_s1_64k, &soft_arm_s1_lpa2, &soft_arm_s1_16k_lpa2,
	&soft_arm_s2,	       &soft_arm_s2_16k, &soft_arm_s2_64k,  &soft_arm_s2_lpa2,
	&soft_arm_s2_16k_lpa2, &soft_riscv_s1,	 &soft_riscv_g,
};

static const struct soft_format *format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}

int shape_set(struct shape *shape, const char *format, const struct iopt_hw *hw)
{
	shape->format = format_find(format);
	if (!shape->format)
		return -EINVAL;
	if (shape->format->read_root(shape->format, hw, &shape->root))
		return -ERANGE;
	shape->width = shape->root.width ? shape->root.width
					 : soft_entry_lg2(shape->format, shape->root.levels);
	/* SMMUv3, 3.13.3: without hardware to set the permission DBM gives none. */
	shape->unused = !strncmp(format, "arm-", 4) && !shape->root.dirty ? ARM_DBM : 0;
	shape->indirect = !strncmp(format, "arm-s1", 6);
	shape->mair = shape->indirect ? hw->arm.mair : 0;
	shape->extends = shape->format == &soft_x86_64 || shape->format == &soft_riscv_s1;
	return 0;
}

/* A page of entries has one address, also one that begins within a page. */
static bool make_room(struct copy *copy, unsigned nr)
{
	if (copy->room >= nr)
		return true;
	copy_free(copy);
	copy->entries = malloc(nr * sizeof(*copy->entries));
	copy->pages = malloc((nr / (PAGE_BYTES / 8) + 1) * sizeof(*copy->pages));
	if (!copy->entries || !copy->pages)
		return false;
	copy->room = nr;
	return true;
}

bool copy_read(struct reading *reading, const struct shape *shape, struct copy *copy, uint64_t pa,
	       unsigned level, uint64_t iova)
{
	const unsigned nr = shape_entries(shape, level);

	if (!make_room(copy, nr)) {
		reading->failed = -ENOMEM;
		return false;
	}
	copy->nr = nr;
	reading->missing = 0; /* of another table */
	return reading_pages(reading, pa, copy->entries, nr * sizeof(*copy->entries), iova, level,
			     copy->pages);
}

void copy_free(struct copy *copy)
{
	free(copy->entries);
	free(copy->pages);
	*copy = (struct copy){ 0 };
}

uint64_t leaf_own(const struct shape *shape, const struct soft_entry *leaf, unsigned index,
		  unsigned level)
{
	return shape->format->own_addresses
		       ? leaf->own
		       : leaf->pa + ((uint64_t)index << soft_entry_lg2(shape->format, level));
}

unsigned copy_run(const struct shape *shape, const struct copy *copy, unsigned level,
		  unsigned index, const struct soft_entry *leaf, unsigned run)
{
	const unsigned span_lg2 = soft_entry_lg2(shape->format, level);

	if (index % run || index + run > copy->nr)
		return 1;
	for (unsigned i = index; i < index + run; i++) {
		struct soft_entry other = shape_decode(shape, copy->entries[i], level);

		if (other.kind != SOFT_LEAF || other.pa != leaf->pa || other.lg2 != leaf->lg2 ||
		    other.prot != leaf->prot)
			return 1;
		if (shape->format->own_addresses &&
		    other.own != leaf->pa + ((uint64_t)(i - index) << span_lg2))
			return 1;
	}
	return run;
}

enum iopt_decode_wrong wrong_of(enum soft_iommu_reason reason)
{
	switch (reason) {
	case SOFT_IOMMU_MISALIGNED: return IOPT_DECODE_MISALIGNED;
	case SOFT_IOMMU_BAD_SIZE: return IOPT_DECODE_BAD_SIZE;
	case SOFT_IOMMU_BAD_LEVEL: return IOPT_DECODE_BAD_LEVEL;
	default: return IOPT_DECODE_RESERVED;
	}
}
