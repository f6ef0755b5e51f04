/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kmod/vtd/dmar.h"

/* Offsets and sizes: struct acpi_table_dmar, acpi_dmar_hardware_unit and so on (see dmar.h). */
#define HEADER_BYTES 48u
#define DRHD_BYTES   16u
#define RMRR_BYTES   24u
#define SCOPE_BYTES  6u
#define PAGE	     4096u

#define TYPE_DRHD 0u
#define TYPE_RMRR 1u

#define DRHD_ALL 1u /* ACPI_DMAR_INCLUDE_ALL */

/**
 * struct reader - a stretch of the table
 * @bytes: the table
 * @at:    where the next structure begins
 * @end:   behind the stretch
 */
struct reader {
	const uint8_t *bytes;
	size_t at;
	size_t end;
};

/* Fields lie where they lie, aligned or not. Little-endian. */
static uint64_t field(const struct reader *reader, size_t offset, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = bytes; i-- > 0;)
		value = value << 8 | reader->bytes[reader->at + offset + i];
	return value;
}

static const char *parse_scope(const struct reader *reader, size_t length, struct dmar *dmar,
			       struct dmar_list *list)
{
	struct dmar_scope *scope = &dmar->scopes[dmar->nr_scopes];
	size_t hops = (length - SCOPE_BYTES) / 2;
	uint8_t type = (uint8_t)field(reader, 0, 1);

	if (type != DMAR_ENDPOINT && type != DMAR_BRIDGE)
		return NULL;
	if (dmar->nr_scopes == DMAR_MOST_SCOPES)
		return "too many device scopes";
	if (hops == 0 || hops > DMAR_MOST_HOPS)
		return "a device scope's path is empty or too long";
	scope->type = type;
	scope->bus = (uint8_t)field(reader, 5, 1);
	scope->hops = (uint8_t)hops;
	for (size_t i = 0; i < hops; i++) {
		uint64_t device = field(reader, SCOPE_BYTES + 2 * i, 1);
		uint64_t function = field(reader, SCOPE_BYTES + 2 * i + 1, 1);

		if (device > 31 || function > 7)
			return "a device scope's path has no such device or function";
		scope->path[i] = (uint8_t)(device << 3 | function);
	}
	dmar->nr_scopes++;
	list->nr++;
	return NULL;
}

static const char *parse_scopes(struct reader *reader, struct dmar *dmar, struct dmar_list *list)
{
	const char *wrong;

	list->first = (uint16_t)dmar->nr_scopes;
	list->nr = 0;
	while (reader->at < reader->end) {
		size_t length;

		if (reader->end - reader->at < SCOPE_BYTES)
			return "a device scope is cut off";
		length = field(reader, 1, 1);
		if (length < SCOPE_BYTES || length % 2 || length > reader->end - reader->at)
			return "a device scope's length is wrong";
		wrong = parse_scope(reader, length, dmar, list);
		if (wrong)
			return wrong;
		reader->at += length;
	}
	return NULL;
}

static const char *parse_drhd(struct reader *reader, struct dmar *dmar)
{
	struct dmar_unit *unit = &dmar->units[dmar->nr_units];

	if (reader->end - reader->at < DRHD_BYTES)
		return "a unit's structure is too short";
	if (dmar->nr_units == DMAR_MOST_UNITS)
		return "too many units";
	unit->all = field(reader, 4, 1) & DRHD_ALL;
	unit->segment = (uint16_t)field(reader, 6, 2);
	unit->address = field(reader, 8, 8);
	if (!unit->address || unit->address % PAGE || unit->address >> 52)
		return "a unit's register address is zero, not aligned to a page, or too high";
	for (unsigned i = 0; i < dmar->nr_units; i++)
		if (dmar->units[i].address == unit->address)
			return "two units have the same registers";
	dmar->nr_units++;
	reader->at += DRHD_BYTES;
	return parse_scopes(reader, dmar, &unit->scopes);
}

static const char *parse_rmrr(struct reader *reader, struct dmar *dmar)
{
	struct dmar_region *region = &dmar->regions[dmar->nr_regions];

	if (reader->end - reader->at < RMRR_BYTES)
		return "a reserved region's structure is too short";
	if (dmar->nr_regions == DMAR_MOST_REGIONS)
		return "too many reserved regions";
	region->segment = (uint16_t)field(reader, 6, 2);
	region->first = field(reader, 8, 8);
	region->last = field(reader, 16, 8);
	if (region->first % PAGE || region->last % PAGE != PAGE - 1 || region->last < region->first)
		return "a reserved region is not whole pages, or ends before it begins";
	dmar->nr_regions++;
	reader->at += RMRR_BYTES;
	return parse_scopes(reader, dmar, &region->scopes);
}

/* Structures of types that are not known here are passed, as the specification wants it. */
static const char *parse_structure(struct reader structure, struct dmar *dmar, size_t *at)
{
	const char *wrong = NULL;
	uint64_t type = field(&structure, 0, 2);

	if (type == TYPE_DRHD)
		wrong = parse_drhd(&structure, dmar);
	else if (type == TYPE_RMRR)
		wrong = parse_rmrr(&structure, dmar);
	*at = structure.at;
	return wrong;
}

const char *dmar_parse(const void *table, size_t bytes, struct dmar *dmar, size_t *at)
{
	struct reader reader = { .bytes = table };
	const char *wrong;

	dmar->nr_units = 0;
	dmar->nr_regions = 0;
	dmar->nr_scopes = 0;
	*at = 0;
	if (bytes < HEADER_BYTES)
		return "shorter than its header";
	reader.end = field(&reader, 4, 4);
	if (reader.end < HEADER_BYTES || reader.end > bytes)
		return "its length is wrong";
	dmar->pa_lg2 = (uint8_t)(field(&reader, 36, 1) + 1);
	if (dmar->pa_lg2 < 32 || dmar->pa_lg2 > 52)
		return "its host address width is not between 32 and 52 bits";
	for (reader.at = HEADER_BYTES; reader.at < reader.end;) {
		struct reader structure = reader;

		*at = reader.at;
		if (reader.end - reader.at < 4)
			return "a structure is cut off";
		structure.end = reader.at + field(&reader, 2, 2);
		if (structure.end < reader.at + 4 || structure.end > reader.end)
			return "a structure's length is wrong";
		wrong = parse_structure(structure, dmar, at);
		if (wrong)
			return wrong;
		reader.at = structure.end;
	}
	*at = HEADER_BYTES;
	return dmar->nr_units ? NULL : "it names no unit";
}
