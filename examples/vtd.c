/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A driver of an IOMMU that embeds iopt: Intel VT-d, as QEMU models it, and a device that writes.
 *
 * Attach, map, DMA, unmap, invalidate. What a kernel's driver has beside it is in tests/hw: vtd.c
 * knows the unit's registers, enters a domain's root into the context table (what iopt_hw() says)
 * and turns a gather into commands for the invalidation queue; machine.c is the machine.
 *
 *     IOPT_QEMU=build/hw/tools build/examples/vtd (make test-hw fetches QEMU)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hw/unit.h"

#define IOVA 0x200000ull

static void must(int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "vtd: %s: %s\n", what, strerror(-error));
	exit(1);
}

static void write_by_device(struct hw *hw, const char *when, uint64_t pa)
{
	static const char *const texts[] = { "lands", "faults", "lands elsewhere" };

	printf("%-34s a write to 0x%llx %s\n", when, (unsigned long long)IOVA,
	       texts[hw_dma_one(hw, 0, IOVA, pa)]);
}

static void print_fault(struct hw *hw)
{
	struct hw_fault fault;

	if (hw_fault(hw, &fault))
		printf("%-34s device %02x:%02x.%x, 0x%llx, %s, reason %u\n",
		       "the unit's record:", 0, fault.bdf >> 3, fault.bdf & 7,
		       (unsigned long long)fault.iova, fault.write ? "write" : "read",
		       fault.reason);
}

static void use(struct hw *hw)
{
	const struct iopt_config config = { .format = "vtd-ss", .levels = 4 };
	const uint64_t pa = hw->ram_base + HW_DATA;
	struct hw_domain domain;
	struct iopt_gather gather;

	/* Sets iopt_callbacks::invalidate; the domain's number is what commands name. */
	must(hw_domain_init(&domain, hw, &config, 1), "create");
	hw_attach(hw, &hw->devices[0], &domain);

	must(iopt_map(domain.iopt, IOVA, IOVA + 0x1fffff, pa, IOPT_READ | IOPT_WRITE, NULL), "map");
	write_by_device(hw, "mapped, a block of 2 MiB:", pa);

	iopt_gather_init(&gather, domain.iopt, NULL);
	must(iopt_unmap(domain.iopt, IOVA, IOVA + 0x1fffff, 0, &gather, NULL), "unmap");
	write_by_device(hw, "unmapped, not synced, so cached:", pa);
	iopt_sync(&gather);
	write_by_device(hw, "synced:", pa);
	print_fault(hw);
	printf("%-34s %llu\n", "commands:", (unsigned long long)hw->commands);

	hw_attach(hw, &hw->devices[0], NULL);
	hw_domain_fini(&domain);
}

int main(void)
{
	const char *why = hw_available();
	struct hw *hw;

	if (why) {
		printf("vtd: %s\n", why);
		return 77;
	}
	hw = hw_start(&hw_vtd_legacy, 1);
	use(hw);
	hw_stop(hw);
	return 0;
}
