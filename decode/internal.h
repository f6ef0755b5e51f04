/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What libiopt-decode's files share. What the entries of a format say is the soft-IOMMU's
 * (soft-iommu/internal.h): written from the specifications' other side than the engine's formats.
 */
#ifndef DECODE_INTERNAL_H
#define DECODE_INTERNAL_H

#include "iopt/decode.h"

#define PAGE_BYTES 4096u

/**
 * struct reading - one call under way
 * @source:  as given
 * @visitor: as given
 * @device:  whose tables are read, or NULL
 * @tables:  how many were read
 * @missing: behind the page that was missing last
 */
struct reading {
	const struct iopt_decode_source *source;
	const struct iopt_decode_visitor *visitor;
	const struct iopt_decode_device *device;
	uint64_t tables;
	uint64_t missing;
};

/* Tell of what is wrong. */
void reading_trouble(struct reading *reading, enum iopt_decode_wrong what, uint64_t iova,
		     unsigned level, uint64_t entry_pa, uint64_t entry);

/* Tell of a device. Return: what the visitor returned. */
int reading_tell(struct reading *reading, const struct iopt_decode_device *device);

/* By tables of x86-64, from a root on; mode: 0 is of four levels, 1 of five. */
void device_set_x86_64(struct iopt_decode_device *device, uint64_t root, uint64_t mode);

/**
 * reading_refuse() - tell that a device's entry is of a type that there is not, or not known here
 * Return: 0, to go on behind it.
 */
int reading_refuse(struct reading *reading, const struct iopt_decode_device *device,
		   uint64_t entry);

/**
 * reading_table() - read a table, page by page; what is not there is told, of pages that are read
 * one behind the other once, and taken for zeros
 * @reading: the call
 * @pa:      address of its first byte
 * @to:      filled in
 * @bytes:   how many
 * @iova:    for who is told
 * @level:   for who is told
 *
 * Return: false where the limit is reached, which was told then.
 */
bool reading_table(struct reading *reading, uint64_t pa, void *to, size_t bytes, uint64_t iova,
		   unsigned level);

/* All devices of a unit: 0, what the visitor returned, -ENOMEM. */
int decode_vtd(struct reading *reading);
int decode_amd(struct reading *reading);
int decode_smmuv3(struct reading *reading);
int decode_riscv(struct reading *reading);

#endif
