/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See acpi.h. Structures and their fields are as in Linux include/acpi/actbl.h (acpi_table_rsdp,
 * acpi_table_header) and actbl1.h, actbl2.h (acpi_dmar_hardware_unit, acpi_ivrs_hardware_10 and
 * _11, acpi_iort_smmu_v3, acpi_rimt_iommu), little-endian.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/acpi.h"

#define PAGE_BYTES 4096u

/* Linux arch/x86/boot/compressed/acpi.c, bios_get_rsdp_addr(), scan_mem_for_rsdp(). */
#define EBDA_POINTER 0x40eu
#define EBDA_BYTES   1024u
#define BIOS_FIRST   0xe0000u
#define BIOS_BYTES   0x20000u
#define RSDP_STEP    16u

#define RSDP_BYTES     36u
#define RSDP_OLD_BYTES 20u
#define HEADER_BYTES   36u

/* Tables are some KiB, and have some dozens of entries: whatever says more is damaged. */
#define TABLE_BYTES (1u << 20)

/**
 * struct acpi - a search
 * @read:  reads memory
 * @ctx:   for it
 * @units: found
 * @why:   the last thing that was wrong
 */
struct acpi {
	bool (*read)(void *ctx, uint64_t pa, void *to, size_t bytes);
	void *ctx;
	struct units *units;
	char *why;
};

/** struct table - one that is whole: its bytes, with the header */
struct table {
	uint8_t *at;
	uint32_t bytes;
};

/**
 * struct kind - a table that names units, a list of structures
 * @signature: its name
 * @first:     where the list begins; 0: where the field at 40 says
 * @wide:      a structure's type has two bytes, not one
 * @length:    where a structure says its size, two bytes
 * @add:       take a structure of so many bytes for a unit, if it is one
 */
struct kind {
	const char *signature;
	uint32_t first;
	bool wide;
	uint32_t length;
	void (*add)(struct acpi *acpi, unsigned type, const uint8_t *at, uint32_t bytes);
};

static uint64_t get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return le64toh(value);
}

static bool is_sum_zero(const uint8_t *at, size_t bytes)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + at[i]);
	return !sum;
}

/* Page by page, as the source wants it. */
static bool fetch(const struct acpi *acpi, uint64_t pa, uint8_t *to, size_t bytes)
{
	while (bytes) {
		size_t part = PAGE_BYTES - pa % PAGE_BYTES;

		part = part < bytes ? part : bytes;
		if (!acpi->read(acpi->ctx, pa, to, part))
			return false;
		pa += part;
		to += part;
		bytes -= part;
	}
	return true;
}

/* ---- units --------------------------------------------------------------------------------- */

/* DRHD: its devices, as many as there is room for; of a path the first step. */
static void add_scope(char text[UNIT_SCOPE_BYTES], const uint8_t *at, uint32_t bytes)
{
	size_t used = strlen(text);

	for (uint32_t here = 16; here + 8 <= bytes && at[here + 1] >= 8; here += at[here + 1]) {
		const uint8_t *scope = at + here;

		/* ACPI_DMAR_SCOPE_TYPE_ENDPOINT, ACPI_DMAR_SCOPE_TYPE_BRIDGE */
		if (scope[0] != 1 && scope[0] != 2)
			continue;
		if (used + 16 > UNIT_SCOPE_BYTES) {
			snprintf(text + used, UNIT_SCOPE_BYTES - used, " ...");
			return;
		}
		used += (size_t)snprintf(text + used, UNIT_SCOPE_BYTES - used, " %02x:%02x.%x",
					 scope[5], scope[6] & 0x1f, scope[7] & 7);
	}
}

static void add_dmar(struct acpi *acpi, unsigned type, const uint8_t *at, uint32_t bytes)
{
	struct unit unit = { .kind = IOPT_DECODE_VTD, .found = "DMAR" };

	if (type != 0 || bytes < 16)
		return;
	unit.base = get(at + 8, 8);
	snprintf(unit.scope, sizeof(unit.scope), "segment %u%s", (unsigned)get(at + 6, 2),
		 at[4] & 1 ? ", all that no other one has" : ""); /* INCLUDE_PCI_ALL */
	add_scope(unit.scope, at, bytes);
	units_add(acpi->units, &unit);
}

/* IVHD: of each unit up to three, the later ones say more of it. */
static void add_ivrs(struct acpi *acpi, unsigned type, const uint8_t *at, uint32_t bytes)
{
	struct unit unit = { .kind = IOPT_DECODE_AMD, .found = "IVRS" };

	if ((type != 0x10 && type != 0x11 && type != 0x40) || bytes < 24)
		return;
	unit.base = get(at + 8, 8);
	snprintf(unit.scope, sizeof(unit.scope), "segment %u", (unsigned)get(at + 16, 2));
	units_add(acpi->units, &unit);
}

static void add_iort(struct acpi *acpi, unsigned type, const uint8_t *at, uint32_t bytes)
{
	struct unit unit = { .kind = IOPT_DECODE_SMMUV3, .found = "IORT" };

	if (type != 4 || bytes < 24)
		return;
	unit.base = get(at + 16, 8);
	units_add(acpi->units, &unit);
}

static void add_rimt(struct acpi *acpi, unsigned type, const uint8_t *at, uint32_t bytes)
{
	struct unit unit = { .kind = IOPT_DECODE_RISCV, .found = "RIMT" };
	unsigned bdf;

	if (type != 0 || bytes < 36)
		return;
	unit.base = get(at + 16, 8);
	bdf = (unsigned)get(at + 34, 2);
	if (get(at + 24, 4) & 1) /* ACPI_RIMT_IOMMU_FLAGS_PCIE */
		snprintf(unit.scope, sizeof(unit.scope), "segment %u, itself %02x:%02x.%x",
			 (unsigned)get(at + 32, 2), bdf >> 8, bdf >> 3 & 0x1f, bdf & 7);
	if (unit.base)
		units_add(acpi->units, &unit);
	else
		snprintf(acpi->why, ACPI_WHY_BYTES,
			 "RIMT: a unit of %s, whose registers are where its BAR says", unit.scope);
}

static const struct kind kinds[] = {
	{ "DMAR", 48, true, 2, add_dmar },
	{ "IVRS", 48, false, 2, add_ivrs },
	{ "IORT", 0, false, 1, add_iort },
	{ "RIMT", 0, false, 2, add_rimt },
};

#define NR_KINDS (sizeof(kinds) / sizeof(*kinds))

/* Each structure has a size, so that this ends. */
static void add_units(struct acpi *acpi, const struct kind *kind, const struct table *table)
{
	uint64_t at = kind->first;

	if (!at && table->bytes >= HEADER_BYTES + 8)
		at = get(table->at + HEADER_BYTES + 4, 4);
	while (at && at + 4 <= table->bytes) {
		const uint8_t *here = table->at + at;
		const uint32_t bytes = (uint32_t)get(here + kind->length, 2);

		if (bytes < 4 || bytes > table->bytes - at) {
			snprintf(acpi->why, ACPI_WHY_BYTES,
				 "%s: a structure of %u bytes at %" PRIu64 " of %u",
				 kind->signature, bytes, at, table->bytes);
			return;
		}
		kind->add(acpi, (unsigned)get(here, kind->wide ? 2 : 1), here, bytes);
		at += bytes;
	}
}

/* ---- tables -------------------------------------------------------------------------------- */

/* Nothing if it is not there or damaged; then it is said why. */
static struct table read_table(struct acpi *acpi, uint64_t pa, const char *signature)
{
	uint8_t header[HEADER_BYTES];
	struct table table = { NULL, 0 };
	const char *what = "is not there";

	if (fetch(acpi, pa, header, sizeof(header))) {
		table.bytes = (uint32_t)get(header + 4, 4);
		what = "is damaged";
	}
	if (table.bytes >= HEADER_BYTES && table.bytes <= TABLE_BYTES &&
	    !memcmp(header, signature, 4))
		table.at = malloc(table.bytes);
	if (table.at && fetch(acpi, pa, table.at, table.bytes) &&
	    is_sum_zero(table.at, table.bytes))
		return table;
	snprintf(acpi->why, ACPI_WHY_BYTES, "%s at 0x%" PRIx64 " %s", signature, pa, what);
	free(table.at);
	return (struct table){ NULL, 0 };
}

/* A table of a machine: each kind is read once, whatever the list says. */
static void look_at(struct acpi *acpi, uint64_t pa, bool done[NR_KINDS])
{
	uint8_t signature[4];
	struct table table;

	if (!fetch(acpi, pa, signature, sizeof(signature)))
		return;
	for (unsigned i = 0; i < NR_KINDS; i++) {
		if (done[i] || memcmp(signature, kinds[i].signature, sizeof(signature)))
			continue;
		done[i] = true;
		table = read_table(acpi, pa, kinds[i].signature);
		if (table.at)
			add_units(acpi, &kinds[i], &table);
		free(table.at);
	}
}

/* RSDT and XSDT: a header, then addresses of 4 or 8 bytes. */
static void look_at_all(struct acpi *acpi, uint64_t pa, unsigned size)
{
	struct table list = read_table(acpi, pa, size == 8 ? "XSDT" : "RSDT");
	bool done[NR_KINDS] = { false };

	if (!list.at)
		return;
	snprintf(acpi->why, ACPI_WHY_BYTES, "its ACPI tables name no unit");
	for (uint32_t at = HEADER_BYTES; at + size <= list.bytes; at += size)
		look_at(acpi, get(list.at + at, size), done);
	free(list.at);
}

/* ---- where they begin ---------------------------------------------------------------------- */

static bool read_rsdp(const struct acpi *acpi, uint64_t pa, uint8_t rsdp[RSDP_BYTES])
{
	if (!fetch(acpi, pa, rsdp, RSDP_OLD_BYTES) || memcmp(rsdp, "RSD PTR ", 8) ||
	    !is_sum_zero(rsdp, RSDP_OLD_BYTES))
		return false;
	return rsdp[15] < 2 || (fetch(acpi, pa, rsdp, RSDP_BYTES) && is_sum_zero(rsdp, RSDP_BYTES));
}

static bool scan(const struct acpi *acpi, uint64_t first, uint32_t bytes, uint8_t rsdp[RSDP_BYTES])
{
	for (uint64_t pa = first; pa < first + bytes; pa += RSDP_STEP)
		if (read_rsdp(acpi, pa, rsdp))
			return true;
	return false;
}

static bool find_rsdp(const struct acpi *acpi, uint8_t rsdp[RSDP_BYTES])
{
	uint8_t pointer[2];
	uint64_t ebda = 0;

	if (fetch(acpi, EBDA_POINTER, pointer, sizeof(pointer)))
		ebda = get(pointer, 2) << 4;
	return (ebda > 0x400 && scan(acpi, ebda, EBDA_BYTES, rsdp)) ||
	       scan(acpi, BIOS_FIRST, BIOS_BYTES, rsdp);
}

void acpi_find(bool (*read)(void *ctx, uint64_t pa, void *to, size_t bytes), void *ctx,
	       const uint64_t *rsdp, struct units *units, char why[ACPI_WHY_BYTES])
{
	struct acpi acpi = { .read = read, .ctx = ctx, .units = units, .why = why };
	uint8_t found[RSDP_BYTES];
	uint64_t xsdt;

	if (rsdp && !read_rsdp(&acpi, *rsdp, found)) {
		snprintf(why, ACPI_WHY_BYTES, "no RSDP of ACPI's at 0x%" PRIx64, *rsdp);
		return;
	}
	if (!rsdp && !find_rsdp(&acpi, found)) {
		snprintf(why, ACPI_WHY_BYTES, "no ACPI tables where a BIOS puts them");
		return;
	}
	xsdt = found[15] < 2 ? 0 : get(found + 24, 8);
	if (xsdt)
		look_at_all(&acpi, xsdt, 8);
	else
		look_at_all(&acpi, get(found + 16, 4), 4);
}
