/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The DMAR table of ACPI, by which firmware says where VT-d units are and whose DMA each of them
 * translates. Parsing alone: no memory is allocated and nothing of the kernel is used, so that the
 * same file is tried on malformed tables in user space (tests/unit/test_dmar.c).
 *
 * Source: Linux include/acpi/actbl1.h, struct acpi_table_dmar and the structures that follow it
 * there; what is a well-formed one: drivers/iommu/intel/dmar.c, parse_dmar_table(),
 * dmar_walk_remapping_entries(), dmar_parse_one_drhd(), dmar_parse_dev_scope().
 */
#ifndef KMOD_VTD_DMAR_H
#define KMOD_VTD_DMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DMAR_MOST_UNITS	  64u
#define DMAR_MOST_REGIONS 64u
#define DMAR_MOST_SCOPES  512u
#define DMAR_MOST_HOPS	  8u

/* What a scope names, struct acpi_dmar_device_scope::entry_type. */
#define DMAR_ENDPOINT 1u /* one device */
#define DMAR_BRIDGE   2u /* a bridge and all that is behind it */

/**
 * struct dmar_scope - devices that a unit or region is about
 * @type: DMAR_ENDPOINT or DMAR_BRIDGE; others (I/O APIC, HPET, ACPI devices) send no DMA of their
 *        own that a driver maps, and are left out
 * @bus:  where the path starts
 * @hops: entries of @path
 * @path: device * 8 + function; each but the last is a bridge whose secondary bus the next is on
 */
struct dmar_scope {
	uint8_t type;
	uint8_t bus;
	uint8_t hops;
	uint8_t path[DMAR_MOST_HOPS];
};

/** struct dmar_list - the scopes of a unit or region: @nr of them from dmar::scopes[@first] on */
struct dmar_list {
	uint16_t first;
	uint16_t nr;
};

/**
 * struct dmar_unit - a DRHD structure
 * @address: physical address of its registers, aligned to a page
 * @segment: of PCI
 * @all:     every device of the segment that no other unit names
 * @scopes:  devices it names
 */
struct dmar_unit {
	uint64_t address;
	uint16_t segment;
	bool all;
	struct dmar_list scopes;
};

/**
 * struct dmar_region - an RMRR structure: memory that firmware lets devices use
 * @first:   physical address, aligned to a page
 * @last:    last byte, one less than a multiple of a page
 * @segment: of PCI
 * @scopes:  whose
 */
struct dmar_region {
	uint64_t first;
	uint64_t last;
	uint16_t segment;
	struct dmar_list scopes;
};

/** struct dmar - a table; @pa_lg2: bits of a physical address */
struct dmar {
	uint8_t pa_lg2;
	unsigned nr_units;
	unsigned nr_regions;
	unsigned nr_scopes;
	struct dmar_unit units[DMAR_MOST_UNITS];
	struct dmar_region regions[DMAR_MOST_REGIONS];
	struct dmar_scope scopes[DMAR_MOST_SCOPES];
};

/**
 * dmar_parse() - read a DMAR table
 * @table: all of it, from its ACPI header on; its checksum is not looked at
 * @bytes: how much may be read. The length in the header may be less, not more
 * @dmar:  filled in; of no use after an error
 * @at:    set to the offset of what is wrong, bytes
 *
 * Return: NULL; or what is wrong, static, for people.
 * Context: any.
 */
const char *dmar_parse(const void *table, size_t bytes, struct dmar *dmar, size_t *at);

#endif
