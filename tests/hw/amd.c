/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * AMD-Vi, QEMU's amd-iommu: host page tables (v1).
 *
 * Registers, structures and commands are named as in Linux drivers/iommu/amd: amd_iommu_types.h
 * (MMIO_*, CONTROL_*, CMD_*, EVENT_*, DTE_*) and iommu.c (build_*(), set_dte_entry()).
 *
 * Of the model: it handles the queue when its tail is written; any command to invalidate pages
 * drops all of their domain, so that it can't tell a range that is too narrow from one that is
 * right; its events have neither the address nor whether it was a write (amdvi_encode_event()
 * shifts by 64).
 */
#include <stdlib.h>

#include "unit.h"

#define AMD_BASE      0xfed80000u
#define AMD_DEV_TABLE (AMD_BASE + 0x0000)
#define AMD_CMD_BUF   (AMD_BASE + 0x0008)
#define AMD_EVT_BUF   (AMD_BASE + 0x0010)
#define AMD_CONTROL   (AMD_BASE + 0x0018)
#define AMD_CMD_HEAD  (AMD_BASE + 0x2000)
#define AMD_CMD_TAIL  (AMD_BASE + 0x2008)
#define AMD_EVT_HEAD  (AMD_BASE + 0x2010)
#define AMD_EVT_TAIL  (AMD_BASE + 0x2018)
#define AMD_STATUS    (AMD_BASE + 0x2020)

#define CONTROL_IOMMU_EN   (1u << 0)
#define CONTROL_EVT_LOG_EN (1u << 2)
#define CONTROL_CMDBUF_EN  (1u << 12)

#define CMD(type)	  ((uint64_t)(type) << 60)
#define CMD_COMPL_WAIT	  CMD(1)
#define CMD_INV_DEV_ENTRY CMD(2)
#define CMD_INV_PAGES	  CMD(3)
#define CMD_WAIT_STORE	  1ull
#define CMD_PAGES_SIZE	  1ull			/* the address says how many, by its lowest zero */
#define CMD_PAGES_PDE	  2ull			/* page-directory entries, too */
#define CMD_ALL_PAGES	  0x7ffffffffffff000ull /* CMD_INV_IOMMU_ALL_PAGES_ADDRESS */

#define DTE_V  (1ull << 0)
#define DTE_TV (1ull << 1)
#define DTE_IR (1ull << 61)
#define DTE_IW (1ull << 62)

#define EVENT_RW 0x020u /* a write */

#define QUEUE_NR      256u
#define QUEUE_BYTES   (QUEUE_NR * 16)
#define QUEUE_LG2     (8ull << 56) /* MMIO_CMD_SIZE_SHIFT; lg2 of the entries */
#define WAIT_DATA     0x77u
#define SIZE_MOST_LG2 51u /* build_inv_address(): above, all is invalidated */
#define MOST_PIECES   32u

/**
 * struct amd - the driver's state of a unit
 * @table:    device table, 32 bytes a function of bus 0
 * @queue:    command buffer
 * @tail:     its next entry
 * @events:   event log
 * @head:     its next entry that was not read
 * @status:   where completions are written
 * @domains:  which domain a function is attached to, by function
 */
struct amd {
	uint64_t table;
	uint64_t queue;
	unsigned tail;
	uint64_t events;
	unsigned head;
	uint64_t status;
	const struct hw_domain *domains[256];
};

static struct amd *amd_of(const struct hw *hw)
{
	return hw->state;
}

/* ---- the queue ------------------------------------------------------------------------------ */

static void amd_command(struct hw *hw, uint64_t low, uint64_t high)
{
	struct amd *amd = amd_of(hw);

	hw_store64(hw, amd->queue + amd->tail * 16, low);
	hw_store64(hw, amd->queue + amd->tail * 16 + 8, high);
	amd->tail = (amd->tail + 1) % QUEUE_NR;
}

static void amd_wait(struct hw *hw)
{
	struct amd *amd = amd_of(hw);

	hw_store64(hw, amd->status, 0);
	amd_command(hw, CMD_COMPL_WAIT | amd->status | CMD_WAIT_STORE, WAIT_DATA);
	hw_write64(hw, AMD_CMD_TAIL, amd->tail * 16);
	hw_await(hw, amd->status, WAIT_DATA, AMD_CMD_HEAD, AMD_STATUS);
}

/* ---- what a gather owes --------------------------------------------------------------------- */

static void amd_name_pages(struct hw_domain *domain, uint64_t address)
{
	amd_command(domain->hw, CMD_INV_PAGES | (uint64_t)domain->id << 32, address);
}

static void amd_domain_gone(struct hw_domain *domain)
{
	amd_name_pages(domain, CMD_ALL_PAGES | CMD_PAGES_SIZE | CMD_PAGES_PDE);
}

/* As in build_inv_address(): the lowest zero of the address says how many pages. */
static void amd_pages_gone(struct hw_domain *domain, uint64_t first, unsigned size_lg2,
			   bool leaves_only)
{
	const uint64_t ones = ((1ull << (size_lg2 - 1)) - 1) & ~0xfffull;

	amd_name_pages(domain, first | (leaves_only ? 0 : CMD_PAGES_PDE) |
				       (size_lg2 > 12 ? ones | CMD_PAGES_SIZE : 0));
}

static void amd_invalidate(struct hw_domain *domain, const struct iopt_gather *gather)
{
	static const struct hw_commands commands = {
		.most_lg2 = SIZE_MOST_LG2,
		.most = MOST_PIECES,
		.domain = amd_domain_gone,
		.block = amd_pages_gone,
	};

	hw_queue_gather(domain, gather, &commands);
	amd_wait(domain->hw);
}

/* ---- attaching ------------------------------------------------------------------------------ */

/* The words of a device table entry that the unit looks at first come last. */
static void amd_enter(struct hw *hw, uint16_t bdf, const struct hw_domain *domain)
{
	const uint64_t entry = amd_of(hw)->table + bdf * 32ull;
	struct iopt_hw regs;

	if (!domain) {
		/* Valid, but no translation is: everything is refused. */
		hw_store64(hw, entry, DTE_V | DTE_TV);
		return;
	}
	iopt_hw(domain->iopt, &regs);
	hw_store64(hw, entry + 8, domain->id);
	hw_store64(hw, entry,
		   regs.amd_v1.root_ptr | (uint64_t)regs.amd_v1.mode << 9 |
			   (uint64_t)regs.amd_v1.had << 7 | DTE_V | DTE_TV | DTE_IR | DTE_IW);
}

static void amd_attach(struct hw *hw, uint16_t bdf, const struct hw_domain *domain)
{
	const struct hw_domain *old = amd_of(hw)->domains[bdf];

	amd_of(hw)->domains[bdf] = domain;
	amd_enter(hw, bdf, domain);
	amd_command(hw, CMD_INV_DEV_ENTRY | bdf, 0);
	if (old)
		amd_command(hw, CMD_INV_PAGES | (uint64_t)old->id << 32,
			    CMD_ALL_PAGES | CMD_PAGES_SIZE | CMD_PAGES_PDE);
	amd_wait(hw);
}

/* The old top is the new one's first child, so that cached translations stay right. */
static void amd_top_changed(struct hw_domain *domain)
{
	struct amd *amd = amd_of(domain->hw);

	for (unsigned bdf = 0; bdf < 256; bdf++) {
		if (amd->domains[bdf] != domain)
			continue;
		amd_enter(domain->hw, (uint16_t)bdf, domain);
		amd_command(domain->hw, CMD_INV_DEV_ENTRY | bdf, 0);
	}
	amd_wait(domain->hw);
}

/* ---- starting ------------------------------------------------------------------------------- */

static void amd_start(struct hw *hw)
{
	struct amd *amd = calloc(1, sizeof(*amd));

	if (!amd)
		abort();
	hw->state = amd;
	amd->table = hw_structure(hw, 8192);
	amd->queue = hw_structure(hw, QUEUE_BYTES);
	amd->events = hw_structure(hw, QUEUE_BYTES);
	amd->status = hw_structure(hw, 64);
	for (unsigned bdf = 0; bdf < 256; bdf++)
		amd_enter(hw, (uint16_t)bdf, NULL);
	hw_write64(hw, AMD_DEV_TABLE, amd->table | 1); /* pages less one */
	hw_write64(hw, AMD_CMD_BUF, amd->queue | QUEUE_LG2);
	hw_write64(hw, AMD_EVT_BUF, amd->events | QUEUE_LG2);
	hw_write64(hw, AMD_CMD_HEAD, 0);
	hw_write64(hw, AMD_CMD_TAIL, 0);
	hw_write64(hw, AMD_EVT_HEAD, 0);
	hw_write64(hw, AMD_EVT_TAIL, 0);
	hw_write64(hw, AMD_CONTROL, CONTROL_IOMMU_EN | CONTROL_EVT_LOG_EN | CONTROL_CMDBUF_EN);
	amd_wait(hw);
}

/* ---- faults --------------------------------------------------------------------------------- */

/* The reason is the kind of event. */
static bool amd_fault(struct hw *hw, struct hw_fault *fault)
{
	struct amd *amd = amd_of(hw);
	unsigned tail = (unsigned)(hw_read64(hw, AMD_EVT_TAIL) / 16 % QUEUE_NR);
	uint64_t low, at = amd->events + amd->head * 16;

	if (amd->head == tail)
		return false;
	low = hw_load64(hw, at);
	*fault = (struct hw_fault){
		.bdf = (uint16_t)low,
		.iova = hw_load64(hw, at + 8),
		.write = low >> 48 & EVENT_RW,
		.reason = (uint32_t)(low >> 60),
	};
	amd->head = (amd->head + 1) % QUEUE_NR;
	hw_write64(hw, AMD_EVT_HEAD, amd->head * 16);
	return true;
}

static const char *const arguments[] = { "-machine", "q35,memory-backend=ram", "-device",
					 "amd-iommu,dma-remap=on", NULL };

static void amd_tables(struct hw *hw, struct iopt_decode_source *source)
{
	source->unit = IOPT_DECODE_AMD;
	source->root = hw_read64(hw, AMD_DEV_TABLE);
}

const struct hw_unit hw_amd = {
	.name = "amd-iommu",
	.model = "amd-iommu",
	.qemu = "qemu-system-x86_64",
	.arguments = arguments,
	.bars = 0xe0000000,
	.slot = 4, /* the unit itself is 00:01.0 */
	.start = amd_start,
	.attach = amd_attach,
	.invalidate = amd_invalidate,
	.top_changed = amd_top_changed,
	.fault = amd_fault,
	.tables = amd_tables,
};
