/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * libiopt-decode: reading memory, and telling. What a unit's own structures say is in vtd.c,
 * amd.c, smmuv3.c and riscv.c, walking page tables in walk.c.
 */
#include <errno.h>
#include <string.h>

#include "decode/second.h"

#define TABLES_LIMIT (1u << 24)

static const char *const texts[] = {
	[IOPT_DECODE_MISSING] = "memory is not there",
	[IOPT_DECODE_RESERVED] = "a reserved bit is set",
	[IOPT_DECODE_MISALIGNED] = "a block is not aligned to its size",
	[IOPT_DECODE_BAD_SIZE] = "a run is of a size that its level can't hold",
	[IOPT_DECODE_BAD_LEVEL] = "an entry leads to a table of a wrong level",
	[IOPT_DECODE_BAD_ROOT] = "hardware takes no such root",
	[IOPT_DECODE_BAD_TYPE] = "a translation type that is reserved or not known",
	[IOPT_DECODE_TABLE_TWICE] =
		"a table is reached a second time: what it leads to is told once",
	[IOPT_DECODE_RUN_DIFFERS] = "entries of a run differ",
	[IOPT_DECODE_UNTRANSLATED] = "the second stage does not lead there",
	[IOPT_DECODE_LIMIT_REACHED] = "too many tables or devices: the rest was not read",
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

/* In a table that all lead to there may be as many as there are ways to it. */
#define TABLES_PER_DEVICE 64u

static uint64_t limit_of(const struct reading *reading)
{
	return reading->source->tables_limit ? reading->source->tables_limit : TABLES_LIMIT;
}

int reading_tell(struct reading *reading, const struct iopt_decode_device *device)
{
	if (reading_ended(reading))
		return 0;
	if (++reading->devices > limit_of(reading) / TABLES_PER_DEVICE + TABLES_PER_DEVICE) {
		reading->over = true;
		reading_trouble(reading, IOPT_DECODE_LIMIT_REACHED, 0, IOPT_MAX_LEVELS,
				device->entry_pa, 0);
		return 0;
	}
	return reading->visitor->device(reading->visitor->ctx, device);
}

struct iopt_hw x86_64_hw(uint64_t root, uint64_t mode)
{
	return (struct iopt_hw){
		.root = root,
		.levels = (uint8_t)(mode + 4),
		.x86_64.fsptptr = root,
		.x86_64.fspm = (uint8_t)mode,
		.x86_64.guest_paging_mode = (uint8_t)mode,
	};
}

void device_set_first(struct iopt_decode_device *device, const char *format,
		      const struct iopt_hw *hw, uint32_t domain)
{
	if (device->format) {
		device->path = IOPT_DECODE_NESTED;
		device->first_format = format;
		device->first_hw = *hw;
		device->first_domain = domain;
		return;
	}
	device->path = IOPT_DECODE_TRANSLATED;
	device->format = format;
	device->hw = *hw;
	device->domain = domain;
}

int reading_refuse(struct reading *reading, const struct iopt_decode_device *device, uint64_t entry)
{
	reading->device = device;
	reading_trouble(reading, IOPT_DECODE_BAD_TYPE, 0, IOPT_MAX_LEVELS, device->entry_pa, entry);
	reading->device = NULL;
	return 0;
}

bool reading_count(struct reading *reading, uint64_t pa, uint64_t iova, unsigned level)
{
	if (reading_ended(reading))
		return false;
	if (reading->tables++ < limit_of(reading))
		return true;
	reading->over = true;
	reading_trouble(reading, IOPT_DECODE_LIMIT_REACHED, iova, level, pa, 0);
	return false;
}

/* What lies in one page; false where there is nothing, or nothing behind the second stage. */
static bool read_part(struct reading *reading, uint64_t *pa, void *to, size_t bytes,
		      enum iopt_decode_wrong *wrong)
{
	struct piece piece;

	*wrong = IOPT_DECODE_MISSING;
	if (reading->second) {
		piece = second_find(reading, reading->second, *pa);
		if (!piece.mapped || !(piece.prot & IOPT_READ)) {
			*wrong = IOPT_DECODE_UNTRANSLATED;
			return false;
		}
		*pa = piece.pa + (*pa - piece.first);
	}
	return reading->source->read(reading->source->ctx, *pa, to, bytes);
}

bool reading_pages(struct reading *reading, uint64_t pa, void *to, size_t bytes, uint64_t iova,
		   unsigned level, uint64_t *pages)
{
	enum iopt_decode_wrong wrong;

	if (!reading_count(reading, pa, iova, level))
		return false;
	for (size_t done = 0, part; done < bytes; done += part) {
		uint64_t at = pa + done, page = at;

		/* Some tables are aligned to less than a page, and reach into the next one. */
		part = PAGE_BYTES - at % PAGE_BYTES;
		if (part > bytes - done)
			part = bytes - done;
		if (!read_part(reading, &page, (char *)to + done, part, &wrong)) {
			memset((char *)to + done, 0, part);
			if (!reading->missing || reading->missing != at)
				reading_trouble(reading, wrong, iova, level, page, 0);
			reading->missing = at / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES;
		}
		if (pages)
			pages[done / PAGE_BYTES] = wrong == IOPT_DECODE_UNTRANSLATED ? NOWHERE
										     : page;
	}
	return !reading->failed;
}

bool reading_table(struct reading *reading, uint64_t pa, void *to, size_t bytes)
{
	const struct iopt_decode_visitor *visitor = reading->visitor;

	if (!reading_pages(reading, pa, to, bytes, 0, IOPT_MAX_LEVELS, NULL))
		return false;
	if (visitor->structure && !reading->second)
		visitor->structure(visitor->ctx, pa, bytes);
	return true;
}

bool reading_through(struct reading *reading, const struct iopt_decode_device *device)
{
	const struct iopt_decode_device *told = reading->device;
	int result;

	second_free(reading->second);
	reading->second = NULL;
	if (!device)
		return true;
	result = second_make(&reading->second, device);
	if (result == -ERANGE) {
		reading->device = device;
		reading_trouble(reading, IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, device->entry_pa,
				0);
		reading->device = told;
	} else if (result) {
		reading->failed = result;
	}
	return !result;
}

static int decode_unit(struct reading *reading)
{
	switch (reading->source->unit) {
	case IOPT_DECODE_VTD: return decode_vtd(reading);
	case IOPT_DECODE_AMD: return decode_amd(reading);
	case IOPT_DECODE_SMMUV3: return decode_smmuv3(reading);
	case IOPT_DECODE_RISCV: return decode_riscv(reading);
	}
	return -EINVAL;
}

int iopt_decode_devices(const struct iopt_decode_source *source,
			const struct iopt_decode_visitor *visitor)
{
	struct reading reading = { .source = source, .visitor = visitor };
	int result = decode_unit(&reading);

	second_free(reading.second);
	return result ? result : reading.failed;
}
