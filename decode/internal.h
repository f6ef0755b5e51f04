/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What libiopt-decode's files share. What the entries of a format say is the soft-IOMMU's
 * (soft-iommu/internal.h): written from the specifications' other side than the engine's formats.
 */
#ifndef DECODE_INTERNAL_H
#define DECODE_INTERNAL_H

#include "iopt/decode.h"

#define PAGE_BYTES 4096u

struct second;

/**
 * struct reading - one call under way
 * @source:  as given
 * @visitor: as given
 * @device:  whose tables are read, or NULL
 * @second:  what addresses of tables go through, or NULL: they are physical ones
 * @tables:  how many were read
 * @devices: how many were told
 * @missing: behind the page that was missing last
 * @pieces:  of two stages, that were looked at
 * @over:    the limit of tables is reached
 * @failed:  0, or why nothing more can be read
 */
struct reading {
	const struct iopt_decode_source *source;
	const struct iopt_decode_visitor *visitor;
	const struct iopt_decode_device *device;
	struct second *second;
	uint64_t tables;
	uint64_t devices;
	uint64_t missing;
	uint64_t pieces;
	bool over;
	int failed;
};

/* Nothing more is to be read. */
static inline bool reading_ended(const struct reading *reading)
{
	return reading->over || reading->failed;
}

/* Tell of what is wrong. */
void reading_trouble(struct reading *reading, enum iopt_decode_wrong what, uint64_t iova,
		     unsigned level, uint64_t entry_pa, uint64_t entry);

/* Tell of a device, unless there are too many. Return: what the visitor returned. */
int reading_tell(struct reading *reading, const struct iopt_decode_device *device);

/* What hardware is told of tables of x86-64, from a root on; mode: 0 is four levels, 1 five. */
struct iopt_hw x86_64_hw(uint64_t root, uint64_t mode);

/**
 * device_set_first() - requests go by tables of a first stage: over the second one that is there
 * already, or alone
 * @domain: the id that caches are tagged with
 */
void device_set_first(struct iopt_decode_device *device, const char *format,
		      const struct iopt_hw *hw, uint32_t domain);

/**
 * reading_refuse() - tell that a device's entry is of a type that there is not, or not known here
 * Return: 0, to go on behind it.
 */
int reading_refuse(struct reading *reading, const struct iopt_decode_device *device,
		   uint64_t entry);

/**
 * reading_count() - is there room for one more table? Told once if not
 * Return: likewise: false where nothing more is to be read.
 */
bool reading_count(struct reading *reading, uint64_t pa, uint64_t iova, unsigned level);

/* What a page was nowhere as, in reading_pages(). */
#define NOWHERE (~0ull)

/**
 * reading_pages() - read a table, page by page; what is not there, or not behind the second stage,
 * is told, of pages that are read one behind the other once, and taken for zeros
 * @reading: the call
 * @pa:      address of its first byte, before the second stage
 * @to:      filled in
 * @bytes:   how many
 * @iova:    for who is told
 * @level:   for who is told
 * @pages:   filled in with where each page was in physical memory, NOWHERE where the second stage
 *	     does not lead; may be NULL
 *
 * Return: false where nothing more is to be read: reading::over, which was told, or
 * reading::failed.
 */
bool reading_pages(struct reading *reading, uint64_t pa, void *to, size_t bytes, uint64_t iova,
		   unsigned level, uint64_t *pages);

/* The same of what leads to tables. A guest's own is not told as such. */
bool reading_table(struct reading *reading, uint64_t pa, void *to, size_t bytes);

/**
 * reading_through() - from here on tables lie where the second stage of a device leads
 * @device: of that format and root; NULL: they lie in physical memory again
 *
 * Return: false if there is no such second stage, which was told, or no memory.
 */
bool reading_through(struct reading *reading, const struct iopt_decode_device *device);

/* All devices of a unit: 0, what the visitor returned, -ENOMEM. */
int decode_vtd(struct reading *reading);
int decode_amd(struct reading *reading);
int decode_smmuv3(struct reading *reading);
int decode_riscv(struct reading *reading);

#endif
