/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What leads to page tables in RISC-V's IOMMU: the device directory, of one to three levels, in the
 * base and in the extended format, and process directories.
 *
 * Read for this: Linux, drivers/iommu/riscv/iommu-bits.h (RISCV_IOMMU_DDTP_*, RISCV_IOMMU_DC_*,
 * struct riscv_iommu_dc), which cites the sections of the RISC-V IOMMU Architecture Specification
 * 1.0, and drivers/iommu/riscv/iommu.c (riscv_iommu_get_dc()); of process directories that
 * specification, "Process-Directory-Table (PDT)", "First-Stage context (fsc)" and "Process to
 * translate an IOVA" (src/iommu_data_structures.adoc).
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
#define TC_DPE	(1ull << 9)
#define TC_SBE	(1ull << 10)
#define TC_SXL	(1ull << 11)

/* RISCV_IOMMU_ATP_PPN_FIELD, _MODE_FIELD; RISCV_IOMMU_DC_IOHGATP_GSCID, RISCV_IOMMU_DC_TA_PSCID */
#define ATP_PPN(atp)  ((atp)&0xfffffffffffull)
#define ATP_MODE(atp) ((unsigned)((atp) >> 60))
#define GSCID(atp)    ((uint32_t)((atp) >> 44 & 0xffff))
#define PSCID(ta)     ((uint32_t)((ta) >> 12 & 0xfffff))

#define PROCESSES_LG2 8u
#define PROCESSES     (1u << PROCESSES_LG2) /* contexts of 16 bytes in a table */
#define PASIDS	      (1u << 20)
enum { PD8 = 1, PD17, PD20 }; /* pdtp.MODE */

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
	device->path = IOPT_DECODE_TRANSLATED;
	device->hw.riscv_g.ppn = ATP_PPN(dc[DC_IOHGATP]);
	device->hw.riscv_g.mode = (uint8_t)ATP_MODE(dc[DC_IOHGATP]);
	device->hw.riscv_g.gade = dc[DC_TC] & TC_GADE;
	device->hw.root = device->hw.riscv_g.ppn << 12;
	device->hw.levels = levels_of(device->hw.riscv_g.mode);
}

/* By iosatp, or a process's own; bare, by the second stage alone or not at all. */
static void set_s_stage(struct iopt_decode_device *device, uint64_t tc, uint64_t ta, uint64_t atp)
{
	const struct iopt_hw hw = {
		.root = ATP_PPN(atp) << 12,
		.levels = levels_of(ATP_MODE(atp)),
		.riscv_s1.ppn = ATP_PPN(atp),
		.riscv_s1.mode = (uint8_t)ATP_MODE(atp),
		.riscv_s1.sade = tc & TC_SADE,
	};

	if (ATP_MODE(atp))
		device_set_first(device, "riscv-s1", &hw, PSCID(ta));
}

/* ---- processes ----------------------------------------------------------------------------- */

/**
 * struct processes - a process directory that is read
 * @tc:     of the device context
 * @device: as without a process
 */
struct processes {
	struct reading *reading;
	uint64_t tc;
	const struct iopt_decode_device *device;
};

/* A table of process contexts. */
static int decode_processes(const struct processes *processes, uint64_t table, uint32_t first)
{
	uint64_t contexts[PROCESSES][2];
	int result = 0;

	if (!reading_table(processes->reading, table, contexts, sizeof(contexts)))
		return 0;
	for (uint32_t i = 0; !result && i < PROCESSES; i++) {
		struct iopt_decode_device space = *processes->device;

		if (!(contexts[i][0] & VALID))
			continue;
		if (first + i || !(processes->tc & TC_DPE))
			space.pasid = first + i;
		space.entry_pa = table + i * sizeof(contexts[i]);
		set_s_stage(&space, processes->tc, contexts[i][0], contexts[i][1]);
		result = reading_tell(processes->reading, &space);
	}
	return result;
}

/* A table that leads to tables of contexts, or to such: depth says how far these are. */
static int decode_process_directory(const struct processes *processes, uint64_t table,
				    unsigned depth, uint32_t first)
{
	const unsigned span_lg2 = PROCESSES_LG2 + INDEX_LG2 * (depth - 1);
	uint64_t entries[QWORDS];
	int result = 0;

	if (!reading_table(processes->reading, table, entries, sizeof(entries)))
		return 0;
	for (uint32_t i = 0; !result && i < QWORDS && i << span_lg2 < PASIDS; i++) {
		uint32_t pasid = first + (i << span_lg2);

		if (!(entries[i] & VALID))
			continue;
		result = depth > 1 ? decode_process_directory(processes, PPN_PA(entries[i]),
							      depth - 1, pasid)
				   : decode_processes(processes, PPN_PA(entries[i]), pasid);
	}
	return result;
}

/* What has no process is process 0, or not translated by a first stage. */
static int decode_with_processes(struct reading *reading, const uint64_t *dc,
				 const struct iopt_decode_device *device)
{
	const struct processes processes = { reading, dc[DC_TC], device };
	const uint64_t table = ATP_PPN(dc[DC_FSC]) << 12;
	const unsigned mode = ATP_MODE(dc[DC_FSC]);
	int result = 0;

	if (mode > PD20)
		return reading_refuse(reading, device, dc[DC_FSC]);
	if (!mode || !(dc[DC_TC] & TC_DPE))
		result = reading_tell(reading, device);
	if (!mode || result)
		return result;
	if (device->format && !reading_through(reading, device))
		return 0;
	result = mode == PD8 ? decode_processes(&processes, table, 0)
			     : decode_process_directory(&processes, table, mode - PD8, 0);
	reading_through(reading, NULL);
	return result;
}

/* ---- devices ------------------------------------------------------------------------------- */

static int decode_context(struct reading *reading, const uint64_t *dc, uint64_t dc_pa, uint32_t id)
{
	struct iopt_decode_device device = {
		.id = id,
		.pasid = IOPT_DECODE_NO_PASID,
		.path = IOPT_DECODE_PASSES,
		.prot = IOPT_READ | IOPT_WRITE,
		.entry_pa = dc_pa,
	};

	if (!(dc[DC_TC] & VALID))
		return 0;
	if (dc[DC_TC] & (TC_SXL | TC_SBE)) /* 32 bits; big-endian */
		return reading_refuse(reading, &device, dc[DC_TC]);
	if (ATP_MODE(dc[DC_IOHGATP]))
		set_g_stage(&device, dc);
	if (dc[DC_TC] & TC_PDTV)
		return decode_with_processes(reading, dc, &device);
	set_s_stage(&device, dc[DC_TC], dc[DC_TA], dc[DC_FSC]);
	return reading_tell(reading, &device);
}

/* A table of device contexts. */
static int decode_leaf(struct reading *reading, uint64_t table, unsigned qwords, uint32_t first)
{
	uint64_t entries[QWORDS];
	int result = 0;

	if (!reading_table(reading, table, entries, sizeof(entries)))
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

	if (!reading_table(reading, table, entries, sizeof(entries)))
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
