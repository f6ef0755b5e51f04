/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Intel VT-d, QEMU's intel-iommu: second stage in legacy mode, first stage in scalable mode.
 *
 * Registers, structures and descriptors are named as in Linux drivers/iommu/intel: iommu.h (DMAR_*,
 * DMA_*, QI_*, context_set_*()) and pasid.h (pasid_set_*()).
 *
 * Of the model: it handles the queue when its tail is written; it has one fault record; a second
 * stage has no paging-structure caches; a page-selective invalidation of a second stage drops
 * what lies in its range and no more.
 */
#include <stdlib.h>

#include "unit.h"

#define VTD_BASE   0xfed90000u
#define VTD_CAP	   (VTD_BASE + 0x08)
#define VTD_GCMD   (VTD_BASE + 0x18)
#define VTD_GSTS   (VTD_BASE + 0x1c)
#define VTD_RTADDR (VTD_BASE + 0x20)
#define VTD_FSTS   (VTD_BASE + 0x34)
#define VTD_IQH	   (VTD_BASE + 0x80)
#define VTD_IQT	   (VTD_BASE + 0x88)
#define VTD_IQA	   (VTD_BASE + 0x90)

#define GCMD_TE	  (1u << 31) /* DMA_GCMD_*, and the same in GSTS */
#define GCMD_SRTP (1u << 30)
#define GCMD_QIE  (1u << 26)

#define RTADDR_SMT (1ull << 10) /* DMA_RTADDR_SMT: scalable mode */
#define IQA_256	   (1ull << 11) /* descriptors of 256 bits, as scalable mode wants */
#define FSTS_CLEAR 0x7fu	/* what is cleared by writing 1 */
#define FRCD_F	   (1u << 31)

#define CAP_FRO(cap)  (((cap) >> 24 & 0x3ff) * 16)     /* cap_fault_reg_offset() */
#define CAP_MAMV(cap) ((unsigned)((cap) >> 48 & 0x3f)) /* cap_max_amask_val() */
#define CAP_DWD(cap)  ((cap) >> 54 & 1)		       /* cap_write_drain() */
#define CAP_DRD(cap)  ((cap) >> 55 & 1)		       /* cap_read_drain() */

#define QI_CC	      1u
#define QI_IOTLB      2u
#define QI_IWD	      5u
#define QI_EIOTLB     6u
#define QI_PC	      7u
#define QI_GLOBAL     (1ull << 4) /* of CC and IOTLB; PC: QI_PC_GLOBAL */
#define QI_DOMAIN     (2ull << 4) /* of IOTLB and EIOTLB; there: within a PASID */
#define QI_PAGES      (3ull << 4)
#define QI_PC_ALL     (3ull << 4)
#define QI_DID(id)    ((uint64_t)(id) << 16)
#define QI_DW	      (1ull << 6) /* drain writes */
#define QI_DR	      (1ull << 7) /* and reads */
#define QI_IH	      (1ull << 6) /* in the second word: leaves alone changed */
#define QI_IWD_STATUS (1ull << 5) /* write the data that follows when all before is done */
#define QI_IWD_DATA   1ull

#define PAGE_LG2      12u
#define QUEUE_NR      256u
#define QUEUE_IQA     1u /* 2^(1 + 7) descriptors of 256 bits, or 2^(1 + 8) of 128 */
#define PASID_PGTT_FL 1ull

/* More than so many pages and blocks in one gather, and all of the domain is dropped at once. */
#define MOST_PIECES 32u

/**
 * struct vtd - the driver's state of a unit
 * @scalable: scalable mode
 * @cap:      CAP_REG
 * @context:  context table of bus 0; scalable mode: its two halves behind each other
 * @queue:    invalidation queue
 * @tail:     its next descriptor
 * @status:   where wait descriptors write
 * @pasids:   scalable mode: PASID directory by function, its table behind it; 0: none yet
 */
struct vtd {
	bool scalable;
	uint64_t cap;
	uint64_t context;
	uint64_t queue;
	unsigned tail;
	uint64_t status;
	uint64_t pasids[256];
};

static struct vtd *vtd_of(const struct hw *hw)
{
	return hw->state;
}

/* ---- the queue ------------------------------------------------------------------------------ */

static void vtd_command(struct hw *hw, uint64_t low, uint64_t high)
{
	struct vtd *vtd = vtd_of(hw);
	const unsigned bytes = vtd->scalable ? 32 : 16;
	uint64_t at = vtd->queue + (uint64_t)vtd->tail * bytes;

	hw_store64(hw, at, low);
	hw_store64(hw, at + 8, high);
	vtd->tail = (vtd->tail + 1) % QUEUE_NR;
}

/* Let the unit go through what was queued, and wait until it has. */
static void vtd_wait(struct hw *hw)
{
	struct vtd *vtd = vtd_of(hw);

	hw_store64(hw, vtd->status, 0);
	vtd_command(hw, QI_IWD | QI_IWD_STATUS | QI_IWD_DATA << 32, vtd->status);
	hw_write64(hw, VTD_IQT, (uint64_t)vtd->tail << (vtd->scalable ? 5 : 4));
	hw_await(hw, vtd->status, QI_IWD_DATA, VTD_IQH, VTD_FSTS);
}

/* ---- what a gather owes --------------------------------------------------------------------- */

/* Of a second stage: what was translated before drains, where the unit can be asked for that. */
static uint64_t vtd_drain(const struct vtd *vtd)
{
	return (CAP_DWD(vtd->cap) ? QI_DW : 0) | (CAP_DRD(vtd->cap) ? QI_DR : 0);
}

static void vtd_domain_gone(struct hw_domain *domain)
{
	struct vtd *vtd = vtd_of(domain->hw);

	if (vtd->scalable)
		vtd_command(domain->hw, QI_EIOTLB | QI_DOMAIN | QI_DID(domain->id), 0);
	else
		vtd_command(domain->hw, QI_IOTLB | QI_DOMAIN | vtd_drain(vtd) | QI_DID(domain->id),
			    0);
}

static void vtd_pages_gone(struct hw_domain *domain, uint64_t first, unsigned size_lg2,
			   bool leaves_only)
{
	struct vtd *vtd = vtd_of(domain->hw);
	uint64_t drain = vtd_drain(vtd);
	uint64_t pages = first | (leaves_only ? QI_IH : 0) | (size_lg2 - PAGE_LG2);

	if (vtd->scalable)
		vtd_command(domain->hw, QI_EIOTLB | QI_PAGES | QI_DID(domain->id), pages);
	else
		vtd_command(domain->hw, QI_IOTLB | QI_PAGES | drain | QI_DID(domain->id), pages);
}

static void vtd_invalidate(struct hw_domain *domain, const struct iopt_gather *gather)
{
	const struct hw_commands commands = {
		.most_lg2 = PAGE_LG2 + CAP_MAMV(vtd_of(domain->hw)->cap),
		.most = MOST_PIECES,
		.domain = vtd_domain_gone,
		.block = vtd_pages_gone,
	};

	hw_queue_gather(domain, gather, &commands);
	vtd_wait(domain->hw);
}

/* ---- attaching ------------------------------------------------------------------------------ */

/* All that the unit may have cached of functions and their domains. */
static void vtd_forget(struct hw *hw)
{
	vtd_command(hw, QI_CC | QI_GLOBAL, 0);
	if (vtd_of(hw)->scalable)
		vtd_command(hw, QI_PC | QI_PC_ALL, 0);
	vtd_command(hw, QI_IOTLB | QI_GLOBAL, 0);
	vtd_wait(hw);
}

/* context_set_*(): bits 1:0 P and FPD, 3:2 the type (0: second stage), AW and domain id above. */
static void attach_legacy(struct hw *hw, uint16_t bdf, const struct hw_domain *domain)
{
	const uint64_t entry = vtd_of(hw)->context + bdf * 16ull;
	struct iopt_hw regs;

	if (!domain) {
		hw_store64(hw, entry, 0);
		return;
	}
	iopt_hw(domain->iopt, &regs);
	hw_store64(hw, entry, 0);
	hw_store64(hw, entry + 8, regs.vtd_ss.aw | (uint64_t)domain->id << 8);
	hw_store64(hw, entry, regs.vtd_ss.ssptptr | 1);
}

/*
 * pasid_set_*(). A function's requests without a PASID take that of its context entry: 0. The model
 * has no 5-level first stage.
 */
static void attach_scalable(struct hw *hw, uint16_t bdf, const struct hw_domain *domain)
{
	struct vtd *vtd = vtd_of(hw);
	const uint64_t context = vtd->context + bdf * 32ull;
	struct iopt_hw regs;
	uint64_t pasid;

	if (!vtd->pasids[bdf])
		vtd->pasids[bdf] = hw_structure(hw, 8192);
	pasid = vtd->pasids[bdf] + 4096;
	hw_store64(hw, pasid, 0);
	hw_store64(hw, vtd->pasids[bdf], pasid | 1);
	hw_store64(hw, context, vtd->pasids[bdf] | 1);
	if (!domain)
		return;
	iopt_hw(domain->iopt, &regs);
	hw_store64(hw, pasid + 16, regs.x86_64.fsptptr | (uint64_t)regs.x86_64.fspm << 2);
	hw_store64(hw, pasid + 8, domain->id | (uint64_t)regs.x86_64.pwsnp << 23);
	hw_store64(hw, pasid, 1 | 2 << 2 | PASID_PGTT_FL << 6);
}

static void vtd_attach(struct hw *hw, uint16_t bdf, const struct hw_domain *domain)
{
	if (vtd_of(hw)->scalable)
		attach_scalable(hw, bdf, domain);
	else
		attach_legacy(hw, bdf, domain);
	vtd_forget(hw);
}

/* ---- starting ------------------------------------------------------------------------------- */

static void vtd_order(struct hw *hw, uint32_t state, uint32_t order)
{
	hw_write32(hw, VTD_GCMD, state | order);
	if (!(hw_read32(hw, VTD_GSTS) & order))
		hw_die(hw, "GCMD 0x%x is not obeyed: GSTS is 0x%x", order, hw_read32(hw, VTD_GSTS));
}

static void vtd_start(struct hw *hw, bool scalable)
{
	struct vtd *vtd = calloc(1, sizeof(*vtd));
	uint64_t root = hw_structure(hw, 4096);

	if (!vtd)
		abort();
	hw->state = vtd;
	vtd->scalable = scalable;
	vtd->cap = hw_read64(hw, VTD_CAP);
	vtd->context = hw_structure(hw, 8192);
	vtd->queue = hw_structure(hw, 8192);
	vtd->status = hw_structure(hw, 64);
	hw_store64(hw, root, vtd->context | 1);
	if (scalable) /* functions 128 and up */
		hw_store64(hw, root + 8, (vtd->context + 4096) | 1);

	hw_write64(hw, VTD_RTADDR, root | (scalable ? RTADDR_SMT : 0));
	vtd_order(hw, 0, GCMD_SRTP);
	hw_write64(hw, VTD_IQT, 0);
	hw_write64(hw, VTD_IQA, vtd->queue | (scalable ? IQA_256 | QUEUE_IQA : 0));
	vtd_order(hw, 0, GCMD_QIE);
	vtd_forget(hw);
	vtd_order(hw, GCMD_QIE, GCMD_TE);
}

static void vtd_start_legacy(struct hw *hw)
{
	vtd_start(hw, false);
}

static void vtd_start_scalable(struct hw *hw)
{
	vtd_start(hw, true);
}

/* ---- faults --------------------------------------------------------------------------------- */

/* dma_frcd_*(), of the one record that there is; clearing it lets the next one in. */
static bool vtd_fault(struct hw *hw, struct hw_fault *fault)
{
	const uint64_t record = VTD_BASE + CAP_FRO(vtd_of(hw)->cap);
	uint64_t high = hw_read64(hw, record + 8);

	if (!(high >> 32 & FRCD_F))
		return false;
	*fault = (struct hw_fault){
		.bdf = (uint16_t)high,
		.iova = hw_read64(hw, record),
		.write = !(high >> 62 & 1),
		.reason = high >> 32 & 0xff,
	};
	hw_write32(hw, record + 12, FRCD_F);
	hw_write32(hw, VTD_FSTS, FSTS_CLEAR);
	return true;
}

static const char *const arguments_legacy[] = { "-machine", "q35,memory-backend=ram", "-device",
						"intel-iommu,aw-bits=48", NULL };
static const char *const arguments_legacy_39[] = { "-machine", "q35,memory-backend=ram", "-device",
						   "intel-iommu,aw-bits=39", NULL };
static const char *const arguments_scalable[] = { "-machine", "q35,memory-backend=ram", "-device",
						  "intel-iommu,aw-bits=48,scalable-mode=on,fsts=on",
						  NULL };

static void vtd_tables(struct hw *hw, struct iopt_decode_source *source)
{
	source->unit = IOPT_DECODE_VTD;
	source->root = hw_read64(hw, VTD_RTADDR);
}

const struct hw_unit hw_vtd_legacy = {
	.name = "intel-iommu, legacy mode",
	.model = "intel-iommu",
	.qemu = "qemu-system-x86_64",
	.arguments = arguments_legacy,
	.bars = 0xe0000000,
	.slot = 1,
	.faults_say_where = true,
	.start = vtd_start_legacy,
	.attach = vtd_attach,
	.invalidate = vtd_invalidate,
	.fault = vtd_fault,
	.tables = vtd_tables,
};

const struct hw_unit hw_vtd_legacy_39 = {
	.name = "intel-iommu, legacy mode, 39 bits",
	.model = "intel-iommu",
	.qemu = "qemu-system-x86_64",
	.arguments = arguments_legacy_39,
	.bars = 0xe0000000,
	.slot = 1,
	.faults_say_where = true,
	.start = vtd_start_legacy,
	.attach = vtd_attach,
	.invalidate = vtd_invalidate,
	.fault = vtd_fault,
	.tables = vtd_tables,
};

const struct hw_unit hw_vtd_scalable = {
	.name = "intel-iommu, scalable mode",
	.model = "intel-iommu",
	.qemu = "qemu-system-x86_64",
	.arguments = arguments_scalable,
	.bars = 0xe0000000,
	.slot = 1,
	.faults_say_where = true,
	.start = vtd_start_scalable,
	.attach = vtd_attach,
	.invalidate = vtd_invalidate,
	.fault = vtd_fault,
	.tables = vtd_tables,
};
