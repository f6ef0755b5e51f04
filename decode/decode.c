/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * libiopt-decode: reading memory, and telling. What a unit's own structures say is in vtd.c,
 * amd.c, smmuv3.c and riscv.c, walking page tables in walk.c.
 */
#include <string.h>

#include "decode/internal.h"

#define TABLES_LIMIT (1u << 24)

static const char *const texts[] = {
	[IOPT_DECODE_MISSING] = "memory is not there",
	[IOPT_DECODE_RESERVED] = "a reserved bit is set",
	[IOPT_DECODE_MISALIGNED] = "a block is not aligned to its size",
	[IOPT_DECODE_BAD_SIZE] = "a run is of a size that its level can't hold",
	[IOPT_DECODE_BAD_LEVEL] = "an entry leads to a table of a wrong level",
	[IOPT_DECODE_BAD_ROOT] = "hardware takes no such root",
	[IOPT_DECODE_BAD_TYPE] = "a translation type that is reserved or not known",
	[IOPT_DECODE_TABLE_TWICE] = "a table is reached a second time",
	[IOPT_DECODE_RUN_DIFFERS] = "entries of a run differ",
	[IOPT_DECODE_LIMIT_REACHED] = "too many tables: the rest was not read",
};

const char *iopt_decode_wrong_text(enum iopt_decode_wrong what)
{
	return texts[what];
}

void reading_trouble(struct reading *reading, enum iopt_decode_wrong what, uint64_t iova,
		     unsigned level, uint64_t entry_pa, uint64_t entry)
{
	const struct iopt_decode_trouble trouble = {
		.what = what,
		.iova = iova,
		.level = level,
		.entry_pa = entry_pa,
		.entry = entry,
	};

	if (reading->visitor->trouble)
		reading->visitor->trouble(reading->visitor->ctx, reading->device, &trouble);
}

int reading_tell(struct reading *reading, const struct iopt_decode_device *device)
{
	return reading->visitor->device(reading->visitor->ctx, device);
}

void device_set_x86_64(struct iopt_decode_device *device, uint64_t root, uint64_t mode)
{
	device->path = IOPT_DECODE_TRANSLATED;
	device->format = "x86-64";
	device->hw.root = device->hw.x86_64.fsptptr = root;
	device->hw.x86_64.fspm = device->hw.x86_64.guest_paging_mode = (uint8_t)mode;
	device->hw.levels = (uint8_t)(mode + 4);
}

int reading_refuse(struct reading *reading, const struct iopt_decode_device *device, uint64_t entry)
{
	reading->device = device;
	reading_trouble(reading, IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, device->entry_pa, entry);
	reading->device = NULL;
	return 0;
}

bool reading_table(struct reading *reading, uint64_t pa, void *to, size_t bytes, uint64_t iova,
		   unsigned level)
{
	const struct iopt_decode_source *source = reading->source;
	const uint64_t limit = source->tables_limit ? source->tables_limit : TABLES_LIMIT;

	if (reading->tables == limit)
		reading_trouble(reading, IOPT_DECODE_LIMIT_REACHED, iova, level, pa, 0);
	if (reading->tables >= limit) {
		reading->tables = limit + 1;
		return false;
	}
	reading->tables++;
	for (size_t done = 0, part; done < bytes; done += part) {
		/* Some tables are aligned to less than a page, and reach into the next one. */
		part = PAGE_BYTES - (pa + done) % PAGE_BYTES;
		if (part > bytes - done)
			part = bytes - done;
		if (source->read(source->ctx, pa + done, (char *)to + done, part))
			continue;
		memset((char *)to + done, 0, part);
		if (!reading->missing || reading->missing != pa + done)
			reading_trouble(reading, IOPT_DECODE_MISSING, iova, level, pa + done, 0);
		reading->missing = (pa + done) / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES;
	}
	return true;
}

int iopt_decode_devices(const struct iopt_decode_source *source,
			const struct iopt_decode_visitor *visitor)
{
	struct reading reading = { .source = source, .visitor = visitor };

	switch (source->unit) {
	case IOPT_DECODE_VTD: return decode_vtd(&reading);
	case IOPT_DECODE_AMD: return decode_amd(&reading);
	case IOPT_DECODE_SMMUV3: return decode_smmuv3(&reading);
	case IOPT_DECODE_RISCV: return decode_riscv(&reading);
	}
	return 0;
}
