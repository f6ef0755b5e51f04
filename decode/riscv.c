/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What leads to page tables in RISC-V's IOMMU: the device directory, of one to three levels, in the
 * base and in the extended format. Process directories are not read.
 *
 * Read for this: Linux, drivers/iommu/riscv/iommu-bits.h (RISCV_IOMMU_DDTP_*, RISCV_IOMMU_DC_*,
 * struct riscv_iommu_dc), which cites the sections of the RISC-V IOMMU Architecture Specification
 * 1.0, and drivers/iommu/riscv/iommu.c (riscv_iommu_get_dc()).
 */
#include "decode/internal.h"

#define QWORDS	      (PAGE_BYTES / 8)
#define INDEX_LG2     9u /* of a level that leads on */
#define VALID	      1ull
#define PPN_PA(entry) (((entry) >> 10 & 0xfffffffffffull) << 12) /* RISCV_IOMMU_PPN_FIELD */

#define DDTP_MODE(ddtp) ((ddtp)&15) /* RISCV_IOMMU_DDTP_IOMMU_MODE */
#define DDTP_1LVL	2u
#define DDTP_3LVL	4u
#define MSI_FLAT	(1ull << 22) /* RISCV_IOMMU_CAPABILITIES_MSI_FLAT: contexts are extended */

#define TC_PDTV (1ull << 5)
#define TC_GADE (1ull << 7)
#define TC_SADE (1ull << 8)
#define TC_SXL	(1ull << 11)

/* RISCV_IOMMU_ATP_PPN_FIELD, _MODE_FIELD; RISCV_IOMMU_DC_IOHGATP_GSCID, RISCV_IOMMU_DC_TA_PSCID */
#define ATP_PPN(atp)  ((atp)&0xfffffffffffull)
#define ATP_MODE(atp) ((unsigned)((atp) >> 60))
#define GSCID(atp)    ((uint32_t)((atp) >> 44 & 0xffff))
#define PSCID(ta)     ((uint32_t)((ta) >> 12 & 0xfffff))

#define MODE_39 8u /* Sv39 and Sv39x4: three levels; each one more has another */

enum { DC_TC, DC_IOHGATP, DC_TA, DC_FSC };

static uint8_t levels_of(unsigned mode)
{
	return mode >= MODE_39 && mode <= MODE_39 + 2 ? (uint8_t)(mode - MODE_39 + 3) : 0;
}

static void set_g_stage(struct iopt_decode_device *device, const uint64_t *dc)
{
	device->format = "riscv-g";
	device->domain = GSCID(dc[DC_IOHGATP]);
	device->path = ATP_MODE(dc[DC_FSC]) ? IOPT_DECODE_NESTED : IOPT_DECODE_TRANSLATED;
	device->hw.riscv_g.ppn = ATP_PPN(dc[DC_IOHGATP]);
	device->hw.riscv_g.mode = (uint8_t)ATP_MODE(dc[DC_IOHGATP]);
	device->hw.riscv_g.gade = dc[DC_TC] & TC_GADE;
	device->hw.root = device->hw.riscv_g.ppn << 12;
	device->hw.levels = levels_of(device->hw.riscv_g.mode);
}

static void set_s_stage(struct iopt_decode_device *device, const uint64_t *dc)
{
	device->format = "riscv-s1";
	device->domain = PSCID(dc[DC_TA]);
	device->path = IOPT_DECODE_TRANSLATED;
	device->hw.riscv_s1.ppn = ATP_PPN(dc[DC_FSC]);
	device->hw.riscv_s1.mode = (uint8_t)ATP_MODE(dc[DC_FSC]);
	device->hw.riscv_s1.sade = dc[DC_TC] & TC_SADE;
	device->hw.root = device->hw.riscv_s1.ppn << 12;
	device->hw.levels = levels_of(device->hw.riscv_s1.mode);
}

static int decode_context(struct reading *reading, const uint64_t *dc, uint64_t dc_pa, uint32_t id)
{
	struct iopt_decode_device device = {
		.id = id,
		.pasid = IOPT_DECODE_NO_PASID,
		.path = IOPT_DECODE_PASSES,
		.prot = IOPT_READ | IOPT_WRITE,
		.entry_pa = dc_pa,
	};
	const bool directory = dc[DC_TC] & TC_PDTV && ATP_MODE(dc[DC_FSC]);

	if (!(dc[DC_TC] & VALID))
		return 0;
	if (dc[DC_TC] & TC_SXL || (directory && !ATP_MODE(dc[DC_IOHGATP])))
		return reading_refuse(reading, &device, dc[DC_TC]);
	if (ATP_MODE(dc[DC_IOHGATP]))
		set_g_stage(&device, dc);
	else if (ATP_MODE(dc[DC_FSC]))
		set_s_stage(&device, dc);
	return reading_tell(reading, &device);
}

/* A table of device contexts. */
static int decode_leaf(struct reading *reading, uint64_t table, unsigned qwords, uint32_t first)
{
	uint64_t entries[QWORDS];
	int result = 0;

	if (!reading_table(reading, table, entries, sizeof(entries), 0, IOPT_MAX_LEVELS))
		return 0;
	for (uint32_t i = 0; !result && i < QWORDS / qwords; i++)
		result = decode_context(reading, &entries[i * qwords], table + i * qwords * 8,
					first + i);
	return result;
}

/* A table that leads to tables of contexts, or to such: depth says how far these are. */
static int decode_directory(struct reading *reading, uint64_t table, unsigned depth,
			    unsigned qwords, uint32_t first)
{
	const unsigned leaf_lg2 = qwords == 4 ? 7 : 6;
	const unsigned span_lg2 = leaf_lg2 + INDEX_LG2 * (depth - 1);
	uint64_t entries[QWORDS];
	int result = 0;

	if (!reading_table(reading, table, entries, sizeof(entries), 0, IOPT_MAX_LEVELS))
		return 0;
	/* Device ids have 24 bits. */
	for (uint32_t i = 0; !result && i < QWORDS && (uint64_t)i << span_lg2 < 1u << 24; i++) {
		uint32_t id = first + (i << span_lg2);

		if (!(entries[i] & VALID))
			continue;
		result = depth > 1 ? decode_directory(reading, PPN_PA(entries[i]), depth - 1,
						      qwords, id)
				   : decode_leaf(reading, PPN_PA(entries[i]), qwords, id);
	}
	return result;
}

int decode_riscv(struct reading *reading)
{
	const uint64_t ddtp = reading->source->root;
	const unsigned qwords = reading->source->config & MSI_FLAT ? 8 : 4;

	/* Off, all is refused; bare, all passes: in neither there is an entry for a device. */
	if (DDTP_MODE(ddtp) < DDTP_1LVL)
		return 0;
	if (DDTP_MODE(ddtp) > DDTP_3LVL) {
		reading_trouble(reading, IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, PPN_PA(ddtp),
				ddtp);
		return 0;
	}
	return DDTP_MODE(ddtp) == DDTP_1LVL
		       ? decode_leaf(reading, PPN_PA(ddtp), qwords, 0)
		       : decode_directory(reading, PPN_PA(ddtp),
					  (unsigned)DDTP_MODE(ddtp) - DDTP_1LVL, qwords, 0);
}
