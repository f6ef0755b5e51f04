/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Arm SMMUv3, QEMU's: stage 1 and stage 2, each by itself or nested.
 *
 * Registers, structures and commands are named as in Linux
 * drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h (ARM_SMMU_*, STRTAB_*, CTXDESC_*, CMDQ_*, EVTQ_*).
 *
 * Of the model: it handles the queue when the producer's register is written; it ignores the
 * contiguous hint; it sets neither access flags nor dirty state (IDR0.HTTU is 0); what it has
 * cached can be read, whether or not the leaf says so; of concatenated start tables it walks the
 * first one for all (QEMU hw/arm/smmu-common.c, smmu_ptw_64_s2(): the sum of S2TTB and the
 * table's offset is rounded down to the size of all of them), so that domains of stage 2 here
 * have one start table.
 */
#include <stdlib.h>

#include "unit.h"

#define SMMU_BASE	 0x09050000u
#define SMMU_IDR3	 (SMMU_BASE + 0x0c)
#define SMMU_CR0	 (SMMU_BASE + 0x20)
#define SMMU_CR0ACK	 (SMMU_BASE + 0x24)
#define SMMU_GERROR	 (SMMU_BASE + 0x60)
#define SMMU_STRTAB_BASE (SMMU_BASE + 0x80)
#define SMMU_STRTAB_CFG	 (SMMU_BASE + 0x88)
#define SMMU_CMDQ_BASE	 (SMMU_BASE + 0x90)
#define SMMU_CMDQ_PROD	 (SMMU_BASE + 0x98)
#define SMMU_CMDQ_CONS	 (SMMU_BASE + 0x9c)
#define SMMU_EVTQ_BASE	 (SMMU_BASE + 0xa0)
#define SMMU_EVTQ_PROD	 (SMMU_BASE + 0x100a8) /* in page 1 */
#define SMMU_EVTQ_CONS	 (SMMU_BASE + 0x100ac)

#define CR0_SMMUEN (1u << 0)
#define CR0_EVTQEN (1u << 2)
#define CR0_CMDQEN (1u << 3)
#define IDR3_RIL   (1u << 10) /* range invalidation */

#define STE_V	   1ull
#define STE_ABORT  (0ull << 1) /* STRTAB_STE_0_CFG_* */
#define STE_S1	   (5ull << 1)
#define STE_S2	   (6ull << 1) /* with STE_S1: nested */
#define STE_2_AA64 (1ull << 51)
#define STE_2_R	   (1ull << 58) /* faults are recorded */

#define CD_EPD0 (1ull << 14)
#define CD_EPD1 (1ull << 30)
#define CD_V	(1ull << 31)
#define CD_AA64 (1ull << 41)
#define CD_HD	(1ull << 42)
#define CD_HA	(1ull << 43)
#define CD_R	(1ull << 45)
#define CD_A	(1ull << 46)
#define CD_ASET (1ull << 47)

#define CMD_CFGI_STE	    0x03ull
#define CMD_CFGI_ALL	    0x04ull
#define CMD_CFGI_CD_ALL	    0x06ull
#define CMD_TLBI_NH_ASID    0x11ull
#define CMD_TLBI_NH_VA	    0x12ull
#define CMD_TLBI_S12_VMALL  0x28ull
#define CMD_TLBI_S2_IPA	    0x2aull
#define CMD_TLBI_NSNH_ALL   0x30ull
#define CMD_SYNC	    0x46ull
#define CMD_SID(id)	    ((uint64_t)(id) << 32)
#define CMD_VMID(id)	    ((uint64_t)(id) << 32)
#define CMD_ASID(id)	    ((uint64_t)(id) << 48)
#define CMD_LEAF	    1ull
#define CMD_RANGE_ALL	    31ull
#define CMD_NUM(nr)	    ((uint64_t)(nr) << 12)
#define CMD_SCALE(scale)    ((uint64_t)(scale) << 20)
#define CMD_TG(granule_lg2) ((uint64_t)(((granule_lg2)-10) / 2) << 10)

#define EVENT_READ (1ull << 35) /* EVTQ_1_RnW */

#define STREAMS_LG2 8u
#define CMDQ_LG2    8u
#define EVTQ_LG2    7u

/* More than so many commands for one gather, and all of the domain is dropped at once. */
#define MOST_COMMANDS 64u

/**
 * struct smmu - the driver's state of a unit
 * @ranges:   it takes commands for ranges
 * @streams:  stream table, by function of bus 0
 * @contexts: context descriptors, the same
 * @queue:    command queue
 * @producer: its register: an index and the bit that changes with each turn
 * @events:   event queue
 * @consumer: its register
 */
struct smmu {
	bool ranges;
	uint64_t streams;
	uint64_t contexts;
	uint64_t queue;
	uint32_t producer;
	uint64_t events;
	uint32_t consumer;
};

static struct smmu *smmu_of(const struct hw *hw)
{
	return hw->state;
}

/* ---- the queue ------------------------------------------------------------------------------ */

static void smmu_command(struct hw *hw, uint64_t word0, uint64_t word1)
{
	struct smmu *smmu = smmu_of(hw);
	uint64_t at = smmu->queue + (smmu->producer & ((1u << CMDQ_LG2) - 1)) * 16ull;

	hw_store64(hw, at, word0);
	hw_store64(hw, at + 8, word1);
	smmu->producer = (smmu->producer + 1) & ((2u << CMDQ_LG2) - 1);
}

/* A CMD_SYNC is consumed when all before it is complete. */
static void smmu_wait(struct hw *hw)
{
	struct smmu *smmu = smmu_of(hw);
	uint32_t consumer;

	smmu_command(hw, CMD_SYNC, 0);
	hw_write32(hw, SMMU_CMDQ_PROD, smmu->producer);
	for (unsigned tries = 0;; tries++) {
		consumer = hw_read32(hw, SMMU_CMDQ_CONS);
		if ((consumer & ((2u << CMDQ_LG2) - 1)) == smmu->producer)
			return;
		if (tries > 1000)
			hw_die(hw, "the command queue is stuck at 0x%x, GERROR is 0x%x", consumer,
			       hw_read32(hw, SMMU_GERROR));
	}
}

/* ---- what a gather owes --------------------------------------------------------------------- */

/* Stage 1: the ASID is one of the VMID's under it. */
static uint64_t smmu_asid(const struct hw_domain *domain)
{
	return CMD_ASID(domain->id) | CMD_VMID(domain->under ? domain->under->id : 0);
}

static void smmu_domain_gone(struct hw_domain *domain)
{
	if (domain->format->stage == 1)
		smmu_command(domain->hw, CMD_TLBI_NH_ASID | smmu_asid(domain), 0);
	else
		smmu_command(domain->hw, CMD_TLBI_S12_VMALL | CMD_VMID(domain->id), 0);
	domain->hw->commands++;
}

/*
 * How many granules the next command for a range is for, and its fields: (NUM + 1) << SCALE of
 * them, as in arm-smmu-v3.c, __arm_smmu_tlb_inv_range(); one without range commands.
 */
static uint64_t smmu_range(const struct smmu *smmu, unsigned granule_lg2, uint64_t granules,
			   uint64_t *word0, uint64_t *word1)
{
	unsigned scale = (unsigned)__builtin_ctzll(granules);
	uint64_t nr = granules >> scale & 31;

	*word0 = 0;
	*word1 = 0;
	if (!smmu->ranges)
		return 1;
	*word0 = CMD_NUM(nr - 1) | CMD_SCALE(scale);
	*word1 = CMD_TG(granule_lg2);
	return nr << scale;
}

/*
 * Commands for all ranges of a gather, sent or only counted, no further than the limit. Returns how
 * many.
 */
static unsigned smmu_ranges_gone(struct hw_domain *domain, const struct iopt_gather *gather,
				 bool send)
{
	const struct smmu *smmu = smmu_of(domain->hw);
	const unsigned granule_lg2 = domain->format->granule_lg2;
	const uint64_t leaf = hw_leaves_only(gather) ? CMD_LEAF : 0;
	const uint64_t what = domain->format->stage == 1 ? CMD_TLBI_NH_VA | smmu_asid(domain)
							 : CMD_TLBI_S2_IPA | CMD_VMID(domain->id);
	unsigned nr = 0;

	for (unsigned i = 0; i < gather->nr_ranges; i++) {
		uint64_t first = gather->ranges[i].first;
		uint64_t left = ((gather->ranges[i].last - first) >> granule_lg2) + 1;

		while (left && nr <= MOST_COMMANDS) {
			uint64_t word0, word1;
			uint64_t n = smmu_range(smmu, granule_lg2, left, &word0, &word1);

			if (send)
				smmu_command(domain->hw, what | word0, first | leaf | word1);
			first += n << granule_lg2;
			left -= n;
			nr++;
		}
	}
	return nr;
}

static void smmu_invalidate(struct hw_domain *domain, const struct iopt_gather *gather)
{
	/* What both stages lead to is cached by addresses of stage 1. */
	if ((gather->owes & IOPT_OWES_ALL) || domain->nested ||
	    smmu_ranges_gone(domain, gather, false) > MOST_COMMANDS)
		smmu_domain_gone(domain);
	else
		domain->hw->commands += smmu_ranges_gone(domain, gather, true);
	smmu_wait(domain->hw);
}

/* ---- attaching ------------------------------------------------------------------------------ */

/*
 * A context descriptor: stage 1, by one of its two tables; the other one is disabled. What is of
 * TTB1 lies 16 bits above what is of TTB0 (QEMU hw/arm/smmuv3-internal.h, CD_0, CD_4).
 */
static void smmu_enter_s1(struct hw *hw, uint64_t context, const struct hw_domain *domain)
{
	struct iopt_hw regs;
	const struct iopt_hw_arm *arm = &regs.arm;
	uint64_t tcr;

	iopt_hw(domain->iopt, &regs);
	tcr = arm->tsz | (uint64_t)arm->tg << 6 | (uint64_t)arm->irgn << 8 |
	      (uint64_t)arm->orgn << 10 | (uint64_t)arm->sh << 12;
	hw_store64(hw, context + 8, arm->upper ? 0 : arm->ttb);
	hw_store64(hw, context + 16, arm->upper ? arm->ttb : 0);
	hw_store64(hw, context + 24, arm->mair);
	hw_store64(hw, context,
		   (arm->upper ? tcr << 16 | CD_EPD0 : tcr | CD_EPD1) | CD_V |
			   (uint64_t)arm->ps << 32 | CD_AA64 | (arm->hd ? CD_HD : 0) |
			   (arm->ha ? CD_HA : 0) | CD_R | CD_A | CD_ASET |
			   (uint64_t)domain->id << 48);
}

/* Of a stream table entry: stage 2. */
static void smmu_enter_s2(struct hw *hw, uint64_t stream, const struct hw_domain *domain)
{
	struct iopt_hw regs;
	const struct iopt_hw_arm *arm = &regs.arm;
	uint64_t vtcr;

	iopt_hw(domain->iopt, &regs);
	vtcr = arm->tsz | (uint64_t)arm->sl0 << 6 | (uint64_t)arm->irgn << 8 |
	       (uint64_t)arm->orgn << 10 | (uint64_t)arm->sh << 12 | (uint64_t)arm->tg << 14 |
	       (uint64_t)arm->ps << 16;
	hw_store64(hw, stream + 16, domain->id | vtcr << 32 | STE_2_AA64 | STE_2_R);
	hw_store64(hw, stream + 24, arm->ttb);
}

/* The word that makes it valid comes last. */
static void smmu_enter(struct hw *hw, uint64_t stream, uint64_t context,
		       const struct hw_domain *domain)
{
	const struct hw_domain *s1 = domain->format->stage == 1 ? domain : NULL;
	const struct hw_domain *s2 = s1 ? s1->under : domain;

	hw_store64(hw, stream + 8, 0);
	hw_store64(hw, stream + 16, 0);
	hw_store64(hw, stream + 24, 0);
	if (s1)
		smmu_enter_s1(hw, context, s1);
	if (s2)
		smmu_enter_s2(hw, stream, s2);
	hw_store64(hw, stream, (s1 ? context | STE_S1 : 0) | (s2 ? STE_S2 : 0) | STE_V);
}

static void smmu_attach(struct hw *hw, uint16_t bdf, const struct hw_domain *domain)
{
	const uint64_t stream = smmu_of(hw)->streams + bdf * 64ull;
	const uint64_t context = smmu_of(hw)->contexts + bdf * 64ull;

	hw_store64(hw, stream, STE_ABORT | STE_V);
	smmu_command(hw, CMD_CFGI_STE | CMD_SID(bdf), CMD_LEAF);
	smmu_wait(hw);
	if (!domain)
		return;
	smmu_enter(hw, stream, context, domain);
	smmu_command(hw, CMD_CFGI_STE | CMD_SID(bdf), CMD_LEAF);
	smmu_command(hw, CMD_CFGI_CD_ALL | CMD_SID(bdf), 0);
	smmu_command(hw, CMD_TLBI_NSNH_ALL, 0);
	smmu_wait(hw);
}

/* ---- starting ------------------------------------------------------------------------------- */

static void smmu_start(struct hw *hw)
{
	const uint32_t on = CR0_SMMUEN | CR0_EVTQEN | CR0_CMDQEN;
	struct smmu *smmu = calloc(1, sizeof(*smmu));

	if (!smmu)
		abort();
	hw->state = smmu;
	smmu->ranges = hw_read32(hw, SMMU_IDR3) & IDR3_RIL;
	smmu->streams = hw_structure(hw, 64ull << STREAMS_LG2);
	smmu->contexts = hw_structure(hw, 64ull << STREAMS_LG2);
	smmu->queue = hw_structure(hw, 16ull << CMDQ_LG2);
	smmu->events = hw_structure(hw, 32ull << EVTQ_LG2);
	for (unsigned bdf = 0; bdf < 1u << STREAMS_LG2; bdf++)
		hw_store64(hw, smmu->streams + bdf * 64, STE_ABORT | STE_V);
	hw_write64(hw, SMMU_CMDQ_BASE, smmu->queue | CMDQ_LG2);
	hw_write32(hw, SMMU_CMDQ_PROD, 0);
	hw_write32(hw, SMMU_CMDQ_CONS, 0);
	hw_write64(hw, SMMU_EVTQ_BASE, smmu->events | EVTQ_LG2);
	hw_write32(hw, SMMU_EVTQ_PROD, 0);
	hw_write32(hw, SMMU_EVTQ_CONS, 0);
	hw_write32(hw, SMMU_STRTAB_CFG, STREAMS_LG2); /* linear */
	hw_write64(hw, SMMU_STRTAB_BASE, smmu->streams);
	hw_write32(hw, SMMU_CR0, on);
	if (hw_read32(hw, SMMU_CR0ACK) != on)
		hw_die(hw, "CR0 0x%x is not acknowledged: 0x%x", on, hw_read32(hw, SMMU_CR0ACK));
	smmu_command(hw, CMD_CFGI_ALL, CMD_RANGE_ALL);
	smmu_command(hw, CMD_TLBI_NSNH_ALL, 0);
	smmu_wait(hw);
}

/* ---- faults --------------------------------------------------------------------------------- */

static bool smmu_fault(struct hw *hw, struct hw_fault *fault)
{
	struct smmu *smmu = smmu_of(hw);
	const uint32_t turns = (2u << EVTQ_LG2) - 1;
	uint64_t at = smmu->events + (smmu->consumer & ((1u << EVTQ_LG2) - 1)) * 32ull;

	if (smmu->consumer == (hw_read32(hw, SMMU_EVTQ_PROD) & turns))
		return false;
	*fault = (struct hw_fault){
		.bdf = (uint16_t)(hw_load64(hw, at) >> 32),
		.iova = hw_load64(hw, at + 16),
		.write = !(hw_load64(hw, at + 8) & EVENT_READ),
		.reason = hw_load64(hw, at) & 0xff,
	};
	smmu->consumer = (smmu->consumer + 1) & turns;
	hw_write32(hw, SMMU_EVTQ_CONS, smmu->consumer);
	return true;
}

static const char *const arguments[] = {
	"-machine", "virt,iommu=smmuv3,memory-backend=ram,gic-version=3",
	"-cpu",	    "max",
	"-global",  "arm-smmuv3.stage=nested",
	NULL
};

static void smmu_tables(struct hw *hw, struct iopt_decode_source *source)
{
	source->unit = IOPT_DECODE_SMMUV3;
	source->root = hw_read64(hw, SMMU_STRTAB_BASE);
	source->config = hw_read32(hw, SMMU_STRTAB_CFG);
}

const struct hw_unit hw_smmuv3 = {
	.name = "arm-smmuv3",
	.model = "arm-smmuv3",
	.qemu = "qemu-system-aarch64",
	.arguments = arguments,
	.ram_base = 0x40000000,
	.ecam = 0x4010000000,
	.bars = 0x10000000,
	.slot = 1,
	.faults_say_where = true,
	.start = smmu_start,
	.attach = smmu_attach,
	.invalidate = smmu_invalidate,
	.fault = smmu_fault,
	.tables = smmu_tables,
};
