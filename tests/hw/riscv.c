/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RISC-V IOMMU, QEMU's riscv-iommu-pci: S-stage and G-stage, each by itself or nested.
 *
 * Registers, structures and commands are named as in Linux drivers/iommu/riscv/iommu-bits.h
 * (RISCV_IOMMU_*), which cites the sections of the RISC-V IOMMU Architecture Specification 1.0.
 *
 * Of the model: it keeps translations by 4 KiB, also those of larger leaves, and an invalidation
 * by address drops one of these; the specification has it drop what was cached of the whole leaf.
 * So every 4 KiB is named here, where a driver would go by the gather's leaf size. An access that
 * what it has cached does not allow is refused without a record. It sets no accessed and dirty
 * bits.
 */
#include <stdlib.h>

#include "unit.h"

/* Where its registers are put: BAR 0 of the function 00:01.0. */
#define RISCV_BDF  0x08u
#define RISCV_BASE 0x40000000u

#define REG_CAPABILITIES (RISCV_BASE + 0x00)
#define REG_DDTP	 (RISCV_BASE + 0x10)
#define REG_CQB		 (RISCV_BASE + 0x18)
#define REG_CQH		 (RISCV_BASE + 0x20)
#define REG_CQT		 (RISCV_BASE + 0x24)
#define REG_FQB		 (RISCV_BASE + 0x28)
#define REG_FQH		 (RISCV_BASE + 0x30)
#define REG_FQT		 (RISCV_BASE + 0x34)
#define REG_CQCSR	 (RISCV_BASE + 0x48)
#define REG_FQCSR	 (RISCV_BASE + 0x4c)

#define CAPABILITIES_MSI_FLAT (1ull << 22)
#define QUEUE_ENABLE	      (1u << 0)
#define QUEUE_ACTIVE	      (1u << 16)
#define DDTP_MODE_2LVL	      3ull
#define DDTE_V		      1ull

#define CMD_IOTINVAL	1ull
#define CMD_IOFENCE	2ull
#define CMD_IODIR	3ull
#define CMD_GVMA	(1ull << 7)  /* function of IOTINVAL: second stage */
#define CMD_AV		(1ull << 10) /* there is an address */
#define CMD_PSCID(id)	((uint64_t)(id) << 12 | 1ull << 32)
#define CMD_GSCID(id)	((uint64_t)(id) << 44 | 1ull << 33)
#define CMD_DID(id)	((uint64_t)(id) << 40 | 1ull << 33)
#define CMD_DATA(value) ((uint64_t)(value) << 32)

#define TC_V	1ull
#define TC_GADE (1ull << 7)
#define TC_SADE (1ull << 8)

#define TTYP_UADDR_WR 3u

#define PAGE_LG2    12u
#define QUEUE_NR    128u
#define QUEUE_LG2_1 6u /* lg2 of that, less one */
#define FENCE_DATA  0x77u

/* More than so many pages in one gather, and all of the domain is dropped at once. */
#define MOST_PAGES 64u

/**
 * struct riscv - the driver's state of a unit
 * @context_lg2: size of a device context
 * @contexts:    device contexts of functions 0 to 255 of bus 0
 * @queue:       command queue
 * @tail:        its next entry
 * @faults:      fault queue
 * @head:        its next record that was not read
 * @fence:       where fences write
 */
struct riscv {
	unsigned context_lg2;
	uint64_t contexts;
	uint64_t queue;
	unsigned tail;
	uint64_t faults;
	unsigned head;
	uint64_t fence;
};

static struct riscv *riscv_of(const struct hw *hw)
{
	return hw->state;
}

/* RISCV_IOMMU_PPN_FIELD. */
static uint64_t ppn(uint64_t pa)
{
	return pa >> PAGE_LG2 << 10;
}

/* ---- the queue ------------------------------------------------------------------------------ */

static void riscv_command(struct hw *hw, uint64_t word0, uint64_t word1)
{
	struct riscv *riscv = riscv_of(hw);

	hw_store64(hw, riscv->queue + riscv->tail * 16, word0);
	hw_store64(hw, riscv->queue + riscv->tail * 16 + 8, word1);
	riscv->tail = (riscv->tail + 1) % QUEUE_NR;
}

static void riscv_wait(struct hw *hw)
{
	struct riscv *riscv = riscv_of(hw);

	hw_store64(hw, riscv->fence, 0);
	riscv_command(hw, CMD_IOFENCE | CMD_AV | CMD_DATA(FENCE_DATA), riscv->fence >> 2);
	hw_write32(hw, REG_CQT, riscv->tail);
	hw_await(hw, riscv->fence, FENCE_DATA, REG_CQH, REG_CQCSR);
}

/* ---- what a gather owes --------------------------------------------------------------------- */

/* IOTINVAL of a domain, all of it. A PSCID is one of the GSCID's under it. */
static uint64_t riscv_inval(const struct hw_domain *domain)
{
	if (domain->format->stage == 1)
		return CMD_IOTINVAL | CMD_PSCID(domain->id) |
		       (domain->under ? CMD_GSCID(domain->under->id) : 0);
	return CMD_IOTINVAL | CMD_GVMA | CMD_GSCID(domain->id);
}

static void riscv_domain_gone(struct hw_domain *domain)
{
	riscv_command(domain->hw, riscv_inval(domain), 0);
}

/* The command has no hint: pointers to tables go, too. */
static void riscv_page_gone(struct hw_domain *domain, uint64_t first, unsigned size_lg2,
			    bool leaves_only)
{
	(void)size_lg2;
	(void)leaves_only;
	riscv_command(domain->hw, riscv_inval(domain) | CMD_AV, ppn(first));
}

static void riscv_invalidate(struct hw_domain *domain, const struct iopt_gather *gather)
{
	static const struct hw_commands commands = {
		.most_lg2 = PAGE_LG2,
		.most = MOST_PAGES,
		.domain = riscv_domain_gone,
		.block = riscv_page_gone,
	};

	hw_queue_gather(domain, gather, &commands);
	/* What both stages lead to is cached by addresses of the first one. */
	if (domain->nested) {
		riscv_command(domain->hw, CMD_IOTINVAL | CMD_GSCID(domain->id), 0);
		domain->hw->commands++;
	}
	riscv_wait(domain->hw);
}

/* ---- attaching ------------------------------------------------------------------------------ */

/* struct riscv_iommu_dc: tc, iohgatp, ta, fsc; tc, which makes it valid, comes last. */
static void riscv_enter(struct hw *hw, uint64_t context, const struct hw_domain *domain)
{
	const struct hw_domain *s1 = domain->format->stage == 1 ? domain : NULL;
	const struct hw_domain *g = s1 ? s1->under : domain;
	uint64_t fsc = 0, ta = 0, iohgatp = 0, tc = TC_V;
	struct iopt_hw regs;

	if (s1) {
		iopt_hw(s1->iopt, &regs);
		fsc = regs.riscv_s1.ppn | (uint64_t)regs.riscv_s1.mode << 60;
		ta = (uint64_t)s1->id << 12;
		tc |= regs.riscv_s1.sade ? TC_SADE : 0;
	}
	if (g) {
		iopt_hw(g->iopt, &regs);
		iohgatp = regs.riscv_g.ppn | (uint64_t)g->id << 44 |
			  (uint64_t)regs.riscv_g.mode << 60;
		tc |= regs.riscv_g.gade ? TC_GADE : 0;
	}
	hw_store64(hw, context + 8, iohgatp);
	hw_store64(hw, context + 16, ta);
	hw_store64(hw, context + 24, fsc);
	hw_store64(hw, context, tc);
}

static void riscv_attach(struct hw *hw, uint16_t bdf, const struct hw_domain *domain)
{
	const uint64_t context =
		riscv_of(hw)->contexts + ((uint64_t)bdf << riscv_of(hw)->context_lg2);

	hw_store64(hw, context, 0);
	riscv_command(hw, CMD_IODIR | CMD_DID(bdf), 0);
	riscv_wait(hw);
	if (!domain)
		return;
	riscv_enter(hw, context, domain);
	riscv_command(hw, CMD_IODIR | CMD_DID(bdf), 0);
	riscv_command(hw, riscv_inval(domain), 0);
	riscv_wait(hw);
}

/* ---- starting ------------------------------------------------------------------------------- */

static void riscv_enable(struct hw *hw, uint64_t csr)
{
	hw_write32(hw, csr, QUEUE_ENABLE);
	if (!(hw_read32(hw, csr) & QUEUE_ACTIVE))
		hw_die(hw, "a queue does not become active: 0x%x at 0x%jx", hw_read32(hw, csr),
		       (uintmax_t)csr);
}

/* A directory of two levels; a page of contexts has 64 or 128 of them. */
static uint64_t riscv_directory(struct hw *hw, struct riscv *riscv)
{
	uint64_t root = hw_structure(hw, 4096);

	riscv->contexts = hw_structure(hw, 256ull << riscv->context_lg2);
	for (unsigned i = 0; i << 12 < 256u << riscv->context_lg2; i++)
		hw_store64(hw, root + i * 8, ppn(riscv->contexts + ((uint64_t)i << 12)) | DDTE_V);
	return root;
}

static void riscv_start(struct hw *hw)
{
	struct riscv *riscv = calloc(1, sizeof(*riscv));
	struct hw_device itself;

	if (!riscv)
		abort();
	hw->state = riscv;
	hw_enable(hw, &itself, RISCV_BDF, RISCV_BASE);
	riscv->context_lg2 = hw_read64(hw, REG_CAPABILITIES) & CAPABILITIES_MSI_FLAT ? 6 : 5;
	riscv->queue = hw_structure(hw, 4096);
	riscv->faults = hw_structure(hw, 4096);
	riscv->fence = hw_structure(hw, 64);
	hw_write64(hw, REG_CQB, ppn(riscv->queue) | QUEUE_LG2_1);
	hw_write32(hw, REG_CQT, 0);
	riscv_enable(hw, REG_CQCSR);
	hw_write64(hw, REG_FQB, ppn(riscv->faults) | QUEUE_LG2_1);
	hw_write32(hw, REG_FQH, 0);
	riscv_enable(hw, REG_FQCSR);
	hw_write64(hw, REG_DDTP, ppn(riscv_directory(hw, riscv)) | DDTP_MODE_2LVL);
	riscv_command(hw, CMD_IODIR, 0);
	riscv_command(hw, CMD_IOTINVAL, 0);
	riscv_command(hw, CMD_IOTINVAL | CMD_GVMA, 0);
	riscv_wait(hw);
}

/* ---- faults --------------------------------------------------------------------------------- */

static bool riscv_fault(struct hw *hw, struct hw_fault *fault)
{
	struct riscv *riscv = riscv_of(hw);
	uint64_t header, at = riscv->faults + riscv->head * 32;

	if (riscv->head == hw_read32(hw, REG_FQT))
		return false;
	header = hw_load64(hw, at);
	*fault = (struct hw_fault){
		.bdf = (uint16_t)(header >> 40),
		.iova = hw_load64(hw, at + 16),
		.write = (header >> 34 & 63) == TTYP_UADDR_WR,
		.reason = header & 0xfff,
	};
	riscv->head = (riscv->head + 1) % QUEUE_NR;
	hw_write32(hw, REG_FQH, riscv->head);
	return true;
}

static const char *const arguments[] = { "-machine", "virt,memory-backend=ram,acpi=off",
					 "-bios",    "none",
					 "-device",  "riscv-iommu-pci,addr=1.0",
					 NULL };

static void riscv_tables(struct hw *hw, struct iopt_decode_source *source)
{
	source->unit = IOPT_DECODE_RISCV;
	source->root = hw_read64(hw, REG_DDTP);
	source->config = hw_read64(hw, REG_CAPABILITIES);
}

const struct hw_unit hw_riscv = {
	.name = "riscv-iommu-pci",
	.model = "riscv-iommu",
	.qemu = "qemu-system-riscv64",
	.arguments = arguments,
	.ram_base = 0x80000000,
	.ecam = 0x30000000,
	.bars = 0x40100000,
	.slot = 2,
	.faults_say_where = true,
	.start = riscv_start,
	.attach = riscv_attach,
	.invalidate = riscv_invalidate,
	.fault = riscv_fault,
	.tables = riscv_tables,
};
