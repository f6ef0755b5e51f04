/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt decode --output raw`: a line for each leaf with the entries of all levels, in the layout of
 * Intel's domain_translation_struct (Linux, drivers/iommu/intel/debugfs.c,
 * domain_translation_struct_show() and dump_page_info()), as debugfs's raw of iopt.ko has it, too.
 * The segment is not told: tables don't know it. Tables of six levels have a column more. Devices
 * without tables have a head that says what becomes of their requests.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tools/iopt/form.h"

#define USUAL_LEVELS 5u

/**
 * struct raw - what there is of it
 * @path:   the entries that lead to a leaf, by level
 * @levels: columns of entries, of this device
 */
struct raw {
	uint64_t path[IOPT_MAX_LEVELS + 1];
	unsigned levels;
};

static int raw_begin(struct show *show)
{
	show->own = calloc(1, sizeof(struct raw));
	return show->own ? 0 : -ENOMEM;
}

static int raw_device(struct show *show)
{
	const struct iopt_decode_device *device = show->device;
	const struct stage stage = form_stage(device);
	struct raw *raw = show->own;
	char text[MAPPINGS_DEVICE_BYTES];

	fprintf(show->stream, "%sDevice %s ", show->devices ? "\n" : "",
		mappings_device_text(device->id, text));
	if (device->pasid != IOPT_DECODE_NO_PASID)
		fprintf(show->stream, "with pasid %" PRIx32 " ", device->pasid);
	if (!stage.format) {
		fprintf(show->stream, "%s\n", form_path_text(device->path));
		return 0;
	}
	raw->levels = stage.hw->levels > USUAL_LEVELS ? IOPT_MAX_LEVELS : USUAL_LEVELS;
	fprintf(show->stream, "@0x%" PRIx64 "\n%-17s", stage.hw->root, "IOVA_PFN");
	if (raw->levels > USUAL_LEVELS)
		fprintf(show->stream, "\t%-18s", "PML6E");
	fprintf(show->stream, "\t%-18s\t%-18s\t%-18s\t%-18s\t%s\n", "PML5E", "PML4E", "PDPE", "PDE",
		"PTE");
	return 0;
}

/* Before the leaves in it: it replaces the one of its level before, and what was below that. */
static int raw_table(struct show *show, const struct iopt_decode_table *table)
{
	struct raw *raw = show->own;

	raw->path[table->entry_level] = table->entry;
	for (unsigned skipped = table->level + 1; skipped < table->entry_level; skipped++)
		raw->path[skipped] = 0;
	return 0;
}

static int raw_leaf(struct show *show, const struct iopt_decode_leaf *leaf)
{
	struct raw *raw = show->own;
	const unsigned levels = form_stage(show->device).hw->levels;

	raw->path[leaf->level] = leaf->entry;
	fprintf(show->stream, "0x%013" PRIx64 " |", leaf->first >> 12);
	for (unsigned level = raw->levels; level-- > leaf->level;)
		fprintf(show->stream, "\t0x%016" PRIx64, level < levels ? raw->path[level] : 0);
	fputc('\n', show->stream);
	return 0;
}

/* Without tables there is no entry to show: the head has said what becomes of requests. */
static int raw_mapping(struct show *show, const struct mapping *mapping)
{
	(void)show;
	(void)mapping;
	return 0;
}

static void raw_free(struct show *show)
{
	free(show->own);
}

const struct form form_raw = {
	.name = "raw",
	.devices = FORM_UNFILTERED,
	.begin = raw_begin,
	.device = raw_device,
	.mapping = raw_mapping,
	.leaf = raw_leaf,
	.table = raw_table,
	.free = raw_free,
};
