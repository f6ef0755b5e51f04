/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What leads to page tables in AMD's IOMMUs: the device table, and tables of guest CR3s by PASID.
 *
 * Read for this: Linux 6.12, drivers/iommu/amd/amd_iommu_types.h (DTE_FLAG_*, DEV_ENTRY_MODE_*,
 * DEV_DOMID_MASK, DEV_TABLE_ENTRY_SIZE, DTE_GCR3_*, DTE_GLX_*, DTE_GPT_LEVEL_*, GCR3_VALID),
 * drivers/iommu/amd/iommu.c (set_dte_entry(), clear_dte_entry(), __get_gcr3_pte()) and
 * drivers/iommu/amd/init.c (iommu_set_device_table()); of two stages Linux 7, CONTROL_GCR3TRPMODE
 * and drivers/iommu/amd/nested.c (set_dte_nested()), which nests in that mode only.
 */
#include "decode/internal.h"

#define DTE_QWORDS	  4u
#define DTES		  (PAGE_BYTES / 8 / DTE_QWORDS)
#define BASE		  0xffffffffff000ull   /* bits 51:12 of the register, and of an entry */
#define TABLE_PAGES(root) (((root)&0x1ff) + 1) /* iommu_set_device_table() */

#define VALID	      (1ull << 0) /* DTE_FLAG_V */
#define TRANSLATION   (1ull << 1) /* DTE_FLAG_TV */
#define MODE(q0)      ((q0) >> 9 & 7)
#define MARKS(q0)     ((q0) >> 7 & 3) /* DTE_FLAG_HAD */
#define GIOV	      (1ull << 54)    /* DTE_FLAG_GIOV: requests without a PASID are of PASID 0 */
#define GUEST	      (1ull << 55)    /* DTE_FLAG_GV */
#define GLX(q0)	      ((unsigned)((q0) >> 56 & 3))
#define GPT_LEVEL(q2) ((q2) >> 54 & 3)
#define READABLE      (1ull << 61) /* DTE_FLAG_IR */
#define WRITABLE      (1ull << 62) /* DTE_FLAG_IW */
#define DOMAIN(q1)    ((uint32_t)((q1)&0xffff))

#define MODE_RESERVED 7u

#define GCR3_OF_GUEST (1ull << 58) /* of the control register: CONTROL_GCR3TRPMODE */

#define GCR3S	  (PAGE_BYTES / 8)
#define GCR3S_LG2 9u
#define PASID_LG2 20u /* PCIe: as many bits as a PASID has */

static void set_tables(struct iopt_decode_device *device, const uint64_t *entry)
{
	device->path = IOPT_DECODE_TRANSLATED;
	device->format = "amd-v1";
	device->hw.root = device->hw.amd_v1.root_ptr = entry[0] & BASE;
	device->hw.levels = device->hw.amd_v1.mode = (uint8_t)MODE(entry[0]);
	device->hw.amd_v1.had = (uint8_t)MARKS(entry[0]);
}

/* Where an entry has the address of its GCR3 table, in three pieces. */
static uint64_t gcr3_table(const uint64_t *entry)
{
	return (entry[0] >> 58 & 7) << 12 | (entry[1] >> 16 & 0xffff) << 15 |
	       (entry[1] >> 43 & 0x1fffff) << 31;
}

/* A table of guest CR3s, or one that leads to such: for PASIDs from one on. */
static int decode_gcr3s(struct reading *reading, uint64_t table, unsigned level, uint32_t first,
			const uint64_t *dte, const struct iopt_decode_device *device)
{
	uint64_t entries[GCR3S];
	int result = 0;

	if (!reading_table(reading, table, entries, sizeof(entries)))
		return 0;
	for (uint32_t i = 0; !result && i < GCR3S; i++) {
		uint64_t pasid = first + ((uint64_t)i << level * GCR3S_LG2);
		const struct iopt_hw hw = x86_64_hw(entries[i] & BASE, GPT_LEVEL(dte[2]));
		struct iopt_decode_device space = *device;

		if (pasid >> PASID_LG2)
			break;
		if (!(entries[i] & 1)) /* GCR3_VALID */
			continue;
		if (level) {
			result = decode_gcr3s(reading, entries[i] & BASE, level - 1,
					      (uint32_t)pasid, dte, device);
			continue;
		}
		if (pasid || !(dte[0] & GIOV))
			space.pasid = (uint32_t)pasid;
		space.entry_pa = table + i * 8;
		device_set_first(&space, "x86-64", &hw, device->domain);
		result = reading_tell(reading, &space);
	}
	return result;
}

/*
 * Version 2 tables, over version 1 or alone. What has no PASID goes by version 1 or passes, if it
 * does not count as PASID 0. In GCR3TRP mode a guest wrote the table of GCR3s.
 */
static int decode_guest(struct reading *reading, const uint64_t *entry,
			const struct iopt_decode_device *device)
{
	int result = 0;

	if (!(entry[0] & GIOV))
		result = reading_tell(reading, device);
	if (result)
		return result;
	if (device->format && reading->source->config & GCR3_OF_GUEST &&
	    !reading_through(reading, device))
		return 0;
	result = decode_gcr3s(reading, gcr3_table(entry), GLX(entry[0]), 0, entry, device);
	reading_through(reading, NULL);
	return result;
}

static int decode_entry(struct reading *reading, const uint64_t *entry, uint32_t id,
			uint64_t entry_pa)
{
	struct iopt_decode_device device = {
		.id = id,
		.pasid = IOPT_DECODE_NO_PASID,
		.domain = DOMAIN(entry[1]),
		.path = IOPT_DECODE_BLOCKED,
		.entry_pa = entry_pa,
	};

	if (!(entry[0] & VALID) || !(entry[0] & TRANSLATION))
		return 0;
	device.prot = (entry[0] & READABLE ? IOPT_READ : 0) |
		      (entry[0] & WRITABLE ? IOPT_WRITE : 0);
	if (MODE(entry[0]) == MODE_RESERVED || (entry[0] & GUEST && GLX(entry[0]) > 2))
		return reading_refuse(reading, &device, entry[0]);
	if (MODE(entry[0]))
		set_tables(&device, entry);
	else if (device.prot)
		device.path = IOPT_DECODE_PASSES;
	else if (!(entry[0] & GUEST))
		return 0;
	return entry[0] & GUEST ? decode_guest(reading, entry, &device)
				: reading_tell(reading, &device);
}

int decode_amd(struct reading *reading)
{
	const uint64_t root = reading->source->root;
	uint64_t entries[DTES][DTE_QWORDS];
	int result = 0;

	for (uint32_t page = 0; !result && page < TABLE_PAGES(root); page++) {
		uint64_t table = (root & BASE) + (uint64_t)page * PAGE_BYTES;

		if (!reading_table(reading, table, entries, sizeof(entries)))
			return 0;
		for (uint32_t i = 0; !result && i < DTES; i++)
			result = decode_entry(reading, entries[i], page * DTES + i,
					      table + i * sizeof(entries[i]));
	}
	return result;
}
