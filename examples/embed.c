/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A program that embeds iopt, with nothing but the installed headers and library: a domain with
 * VT-d second-stage tables, mappings, a look-up, dirty tracking and unmap. The README quotes the
 * part between the two marks.
 *
 * An embedder has an IOMMU; this program plays both. device_writes() below stands for the hardware.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iopt/iopt.h>
#include <iopt/posix.h>

static void must(int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "embed: %s: %s\n", what, strerror(-error));
	exit(1);
}

/*
 * What an IOMMU does when a device writes to a page: it finds the leaf and sets its dirty bit by an
 * atomic operation: bit 9 of a second-stage entry (VT-d specification, section 9.8).
 */
static void device_writes(struct iopt_domain *domain, uint64_t iova)
{
	struct iopt_visit visit;
	struct iopt_item leaf;

	iopt_visit_init(&visit, iova, iova, IOPT_VISIT_LEAVES);
	if (iopt_visit(domain, &visit, &leaf, 1) == 1)
		__atomic_fetch_or((uint64_t *)iopt_posix_va(leaf.entry_pa), 1ull << 9,
				  __ATOMIC_RELAXED);
}

/* README: from here */
/* Queue the invalidations that the gather names, wait until the hardware has done them. */
static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	unsigned *commands = ctx;

	if (gather->owes & IOPT_OWES_ALL)
		*commands += 1;
	else
		*commands += gather->nr_ranges;
}

static void use(void)
{
	unsigned commands = 0;
	const struct iopt_config config = {
		.format = "vtd-ss",
		.flags = IOPT_TRACKABLE,
		.callbacks.invalidate = invalidate,
		.ctx = &commands,
	};
	const struct iopt_segment list[] = { { 0x7000000, 0x3000 }, { 0x4000000, 0x1000 } };
	uint64_t words[16] = { 0 }; /* one bit for each 4 KiB of 0x200000..0x5fffff */
	const struct iopt_sink sink = {
		.words = words, .first = 0x200000, .pages = 1024, .page_lg2 = 12
	};
	struct iopt_domain *domain;
	struct iopt_translation at;
	struct iopt_gather gather;
	struct iopt_hw hw;

	must(iopt_create(&config, &domain), "create");
	iopt_hw(domain, &hw); /* into the context or PASID-table entry */
	printf("root %#llx, address width %u\n", (unsigned long long)hw.vtd_ss.ssptptr,
	       hw.vtd_ss.aw);

	/* A 2 MiB block and a scatter list behind it. Ranges are first..last, both inclusive. */
	must(iopt_map(domain, 0x200000, 0x3fffff, 0x40000000, IOPT_READ | IOPT_WRITE, NULL), "map");
	must(iopt_map_sg(domain, 0x400000, list, 2, IOPT_READ | IOPT_WRITE, NULL, NULL), "map_sg");
	must(iopt_translate(domain, 0x403010, &at), "translate");
	printf("0x403010 -> %#llx\n", (unsigned long long)at.pa); /* 0x4000010 */

	/* Which pages did the device write? Copy them only after the sync. */
	must(iopt_track(domain, true), "track");
	device_writes(domain, 0x401000);
	iopt_gather_init(&gather, domain, &sink);
	must(iopt_sweep(domain, 0x200000, 0x403fff, IOPT_SWEEP_CLEAR, &sink, &gather, 0, NULL),
	     "sweep");
	iopt_sync(&gather);
	printf("0x401000 is %s\n", words[513 / 64] >> 513 % 64 & 1 ? "dirty" : "clean");

	/* Unmap both in one call; what was written since the sweep is reported, too. */
	device_writes(domain, 0x402000);
	must(iopt_unmap(domain, 0x200000, 0x403fff, 0, &gather, NULL), "unmap");
	iopt_sync(&gather); /* from here on no device reaches the memory */
	printf("0x402000 is %s\n", words[514 / 64] >> 514 % 64 & 1 ? "dirty" : "clean");
	printf("%u invalidations\n", commands);
	iopt_destroy(domain);
}
/* README: to here */

int main(void)
{
	use();
	return 0;
}
