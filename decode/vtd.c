/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What leads to page tables in VT-d: root and context tables, in scalable mode PASID directories
 * and tables.
 *
 * Read for this: Linux 6.12, drivers/iommu/intel/iommu.h (struct root_entry, context_entry and the
 * functions on them), drivers/iommu/intel/iommu.c (iommu_context_addr(),
 * dmar_fault_dump_ptes(), copy_context_table()) and drivers/iommu/intel/pasid.h.
 */
#include "decode/internal.h"

#define BUSES	256u
#define DEVFNS	256u
#define PRESENT (1ull << 0)
#define PAGE	(~0xfffull) /* VTD_PAGE_MASK */

/* The register's translation table mode: VirtualBox, include/VBox/iommu-intel.h, VTD_TTM_*. */
#define MODE(rtaddr) ((rtaddr) >> 10 & 3)
enum { MODE_LEGACY, MODE_SCALABLE, MODE_RESERVED, MODE_ABORT };

/* Legacy context entries: context_set_translation_type(), _address_width(), context_domain_id(). */
#define CONTEXT_TYPE(lo)   ((lo) >> 2 & 3)
#define CONTEXT_AW(hi)	   ((hi)&7)
#define CONTEXT_DOMAIN(hi) ((uint32_t)((hi) >> 8 & 0xffff))

enum { /* CONTEXT_TT_MULTI_LEVEL and the others */
       TYPE_TABLES,
       TYPE_TABLES_AND_DEVICE_TLB,
       TYPE_PASSES,
       TYPE_RESERVED,
};

/* Scalable ones: get_pasid_dir_size(), is_pasid_enabled(), context_set_sm_rid2pasid(). */
#define CONTEXT_DIRECTORY(lo)	(1u << (((lo) >> 9 & 7) + 7))
#define CONTEXT_HAS_PASIDS(lo)	((lo) >> 3 & 1)
#define CONTEXT_RID_PASID(hi)	((uint32_t)((hi)&0xfffff))
#define SCALABLE_CONTEXTS	128u
#define SCALABLE_CONTEXT_QWORDS 4u

/* PASID directory and table entries: pasid.h, PASID_PDE_SHIFT and pasid_set_*(). */
#define PASIDS_LG2	 6u
#define PASIDS		 (1u << PASIDS_LG2)
#define PASID_QWORDS	 8u
#define PASID_AW(q0)	 ((q0) >> 2 & 7)
#define PASID_TYPE(q0)	 ((q0) >> 6 & 7)
#define PASID_SSADE(q0)	 ((q0) >> 9 & 1)
#define PASID_DOMAIN(q1) ((uint32_t)((q1)&0xffff))
#define PASID_FSPM(q2)	 ((q2) >> 2 & 3)

enum { /* PASID_ENTRY_PGTT_FL_ONLY and the others */
       PASID_FIRST_STAGE = 1,
       PASID_SECOND_STAGE,
       PASID_NESTED,
       PASID_PASSES,
};

static void set_second_stage(struct iopt_decode_device *device, uint64_t root, uint64_t aw)
{
	device->path = IOPT_DECODE_TRANSLATED;
	device->format = "vtd-ss";
	device->hw.root = device->hw.vtd_ss.ssptptr = root;
	device->hw.vtd_ss.aw = (uint8_t)aw;
	device->hw.levels = (uint8_t)(aw + 2);
}

/* ---- scalable mode ------------------------------------------------------------------------- */

/* One entry of a PASID table. */
static int decode_pasid(struct reading *reading, const uint64_t entry[PASID_QWORDS],
			uint64_t entry_pa, struct iopt_decode_device device)
{
	const struct iopt_hw first = x86_64_hw(entry[2] & PAGE, PASID_FSPM(entry[2]));
	const uint64_t type = PASID_TYPE(entry[0]);

	device.entry_pa = entry_pa;
	device.domain = PASID_DOMAIN(entry[1]);
	switch (type) {
	case PASID_FIRST_STAGE: device_set_first(&device, "x86-64", &first, device.domain); break;
	case PASID_SECOND_STAGE:
	case PASID_NESTED:
		set_second_stage(&device, entry[0] & PAGE, PASID_AW(entry[0]));
		device.hw.vtd_ss.ssade = PASID_SSADE(entry[0]);
		if (type == PASID_NESTED)
			device_set_first(&device, "x86-64", &first, device.domain);
		break;
	case PASID_PASSES: device.path = IOPT_DECODE_PASSES; break;
	default: return reading_refuse(reading, &device, entry[0]);
	}
	return reading_tell(reading, &device);
}

/* Of a context without PASIDs only the entry of requests without one is of use. */
static int decode_pasid_table(struct reading *reading, uint64_t table, uint32_t first_pasid,
			      const uint64_t *context, const struct iopt_decode_device *device)
{
	const uint32_t rid_pasid = CONTEXT_RID_PASID(context[1]);
	uint64_t entries[PASIDS][PASID_QWORDS];
	int result = 0;

	if (!reading_table(reading, table, entries, sizeof(entries)))
		return 0;
	for (uint32_t i = 0; !result && i < PASIDS; i++) {
		struct iopt_decode_device space = *device;

		if (!(entries[i][0] & PRESENT) ||
		    (first_pasid + i != rid_pasid && !CONTEXT_HAS_PASIDS(context[0])))
			continue;
		if (first_pasid + i != rid_pasid)
			space.pasid = first_pasid + i;
		result = decode_pasid(reading, entries[i], table + i * sizeof(entries[i]), space);
	}
	return result;
}

/* A device's PASID directory. Where it has no PASIDs, requests without one still take an entry. */
static int decode_scalable(struct reading *reading, const uint64_t *context,
			   const struct iopt_decode_device *device)
{
	uint64_t directory = context[0] & PAGE, entries[PAGE_BYTES / 8];
	uint32_t rid_pasid = CONTEXT_RID_PASID(context[1]);
	int result = 0;

	for (uint32_t i = 0; !result && i < CONTEXT_DIRECTORY(context[0]); i++) {
		uint32_t at = i % (PAGE_BYTES / 8);

		if (at == 0 && !reading_table(reading, directory + i * 8, entries, sizeof(entries)))
			return 0;
		if (entries[at] & PRESENT &&
		    (CONTEXT_HAS_PASIDS(context[0]) || i == rid_pasid >> PASIDS_LG2))
			result = decode_pasid_table(reading, entries[at] & PAGE, i << PASIDS_LG2,
						    context, device);
	}
	return result;
}

/* ---- contexts ------------------------------------------------------------------------------ */

static int decode_legacy(struct reading *reading, const uint64_t *context,
			 struct iopt_decode_device *device)
{
	device->domain = CONTEXT_DOMAIN(context[1]);
	switch (CONTEXT_TYPE(context[0])) {
	case TYPE_TABLES:
	case TYPE_TABLES_AND_DEVICE_TLB:
		set_second_stage(device, context[0] & PAGE, CONTEXT_AW(context[1]));
		break;
	case TYPE_PASSES: device->path = IOPT_DECODE_PASSES; break;
	default: return reading_refuse(reading, device, context[0]);
	}
	return reading_tell(reading, device);
}

/* The context table of a bus, in scalable mode of half a bus. */
static int decode_contexts(struct reading *reading, uint64_t table, uint32_t first_id,
			   bool scalable)
{
	const unsigned qwords = scalable ? SCALABLE_CONTEXT_QWORDS : 2;
	uint64_t entries[PAGE_BYTES / 8];
	int result = 0;

	if (!reading_table(reading, table, entries, sizeof(entries)))
		return 0;
	for (uint32_t i = 0; !result && i < PAGE_BYTES / 8 / qwords; i++) {
		const uint64_t *context = &entries[i * qwords];
		struct iopt_decode_device device = {
			.id = first_id + i,
			.pasid = IOPT_DECODE_NO_PASID,
			.prot = IOPT_READ | IOPT_WRITE,
			.entry_pa = table + i * qwords * 8,
		};

		if (context[0] & PRESENT)
			result = scalable ? decode_scalable(reading, context, &device)
					  : decode_legacy(reading, context, &device);
	}
	return result;
}

int decode_vtd(struct reading *reading)
{
	const uint64_t rtaddr = reading->source->root, mode = MODE(rtaddr);
	const bool scalable = mode == MODE_SCALABLE;
	uint64_t roots[BUSES][2];
	int result = 0;

	if (mode == MODE_RESERVED)
		reading_trouble(reading, IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, rtaddr & PAGE,
				rtaddr);
	/* Where all is aborted there is no entry for a device. */
	if (mode >= MODE_RESERVED || !reading_table(reading, rtaddr & PAGE, roots, sizeof(roots)))
		return 0;
	for (uint32_t bus = 0; !result && bus < BUSES; bus++) {
		if (roots[bus][0] & PRESENT)
			result = decode_contexts(reading, roots[bus][0] & PAGE, bus * DEVFNS,
						 scalable);
		if (!result && scalable && roots[bus][1] & PRESENT)
			result = decode_contexts(reading, roots[bus][1] & PAGE,
						 bus * DEVFNS + SCALABLE_CONTEXTS, scalable);
	}
	return result;
}
