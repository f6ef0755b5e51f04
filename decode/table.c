/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See table.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode/table.h"

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
	shape->indirect = !strncmp(format, "arm-s1", 6);
	shape->mair = shape->indirect ? hw->arm.mair : 0;
	shape->extends = shape->format == &soft_x86_64 || shape->format == &soft_riscv_s1;
	return 0;
}

/*
 * Whoever made the tables has chosen the attributes: a processor's are not the library's. The
 * soft-IOMMU knows the library's (struct iopt_hw_arm): the index of the one that is alike.
 */
#define ATTR_LG2 2u

enum { ATTR_UNCACHED, ATTR_CACHED, ATTR_DEVICE };

/* Arm IHI 0070 (SMMUv3), 5.4, MAIR0 and MAIR1: as VMSAv8-64's; of memory 0100 is non-cacheable. */
static uint64_t attribute_alike(uint64_t mair, unsigned index)
{
	const unsigned attribute = mair >> (8 * index) & 0xff;

	if (!(attribute >> 4))
		return ATTR_DEVICE;
	return attribute == 0x44 ? ATTR_UNCACHED : ATTR_CACHED;
}

struct soft_entry shape_decode(const struct shape *shape, uint64_t entry, unsigned level)
{
	const uint64_t mask = 7ull << ATTR_LG2;

	if (shape->indirect)
		entry = (entry & ~mask) | attribute_alike(shape->mair, (entry & mask) >> ATTR_LG2)
						  << ATTR_LG2;
	return shape->format->decode(shape->format, entry, level, 0);
}

/* A page of entries has one address, also one that begins within a page. */
static bool make_room(struct copy *copy, size_t bytes)
{
	if (copy->room >= bytes)
		return true;
	copy_free(copy);
	copy->bytes = malloc(bytes);
	copy->pages = calloc(bytes / PAGE_BYTES + 1, sizeof(*copy->pages));
	if (!copy->bytes || !copy->pages)
		return false;
	copy->room = bytes;
	return true;
}

bool copy_read(struct reading *reading, const struct shape *shape, struct copy *copy, uint64_t pa,
	       unsigned level, uint64_t iova)
{
	const unsigned entries = shape_entries(shape, level);
	const size_t bytes = (size_t)entries << shape->format->entry_lg2;

	if (!make_room(copy, bytes)) {
		reading->failed = -ENOMEM;
		return false;
	}
	copy->entries = entries;
	return reading_pages(reading, pa, copy->bytes, bytes, iova, level, copy->pages);
}

void copy_free(struct copy *copy)
{
	free(copy->bytes);
	free(copy->pages);
	*copy = (struct copy){ 0 };
}

unsigned copy_run(const struct shape *shape, const struct copy *copy, unsigned level,
		  unsigned index, const struct soft_entry *leaf, unsigned run)
{
	if (index % run || index + run > copy->entries)
		return 1;
	for (unsigned i = index + 1; i < index + run; i++) {
		struct soft_entry other = shape_decode(shape, copy_entry(shape, copy, i), level);

		if (other.kind != SOFT_LEAF || other.pa != leaf->pa || other.lg2 != leaf->lg2 ||
		    other.prot != leaf->prot)
			return 1;
	}
	return run;
}

enum iopt_decode_wrong wrong_of(enum soft_iommu_reason reason)
{
	switch (reason) {
	case SOFT_IOMMU_MISALIGNED: return IOPT_DECODE_MISALIGNED;
	case SOFT_IOMMU_BAD_SIZE: return IOPT_DECODE_BAD_SIZE;
	case SOFT_IOMMU_BAD_LEVEL:
	case SOFT_IOMMU_SKIPPED_LEVEL: return IOPT_DECODE_BAD_LEVEL;
	default: return IOPT_DECODE_RESERVED;
	}
}
