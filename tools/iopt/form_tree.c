/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* `iopt decode --output tree`: for people, device by device. */
#include <inttypes.h>

#include "tools/iopt/command.h"
#include "tools/iopt/form.h"

/* "16 x 4K, 1 x 2M" */
static void print_sizes(FILE *stream, const struct leaf_sizes *leaves)
{
	char text[SIZE_TEXT_BYTES], number[SIZE_TEXT_BYTES];
	bool more = false;

	for (uint64_t sizes = leaves->sizes; sizes; sizes &= sizes - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(sizes);

		fprintf(stream, "%s%s x %s", more ? ", " : "",
			grouped(leaves->of_size[lg2], number), size_text(1ull << lg2, text));
		more = true;
	}
}

static int tree_mapping(struct show *show, const struct mapping *mapping)
{
	char size[SIZE_TEXT_BYTES], perm[MAPPINGS_PERM_BYTES];
	const char *attributes[FORM_ATTRIBUTES];
	const unsigned nr = form_attributes(mapping->prot, attributes);

	fprintf(show->stream,
		"  0x%012" PRIx64 "..0x%012" PRIx64 "  0x%012" PRIx64 "  %8s  %s  %c%c  ",
		mapping->first, mapping->last, mapping->pa,
		span_text(mapping->first, mapping->last, size),
		mappings_perm_text(mapping->prot, perm), mapping->accessed ? 'a' : '-',
		mapping->dirty ? 'd' : '-');
	print_sizes(show->stream, &mapping->leaves);
	for (unsigned i = 0; i < nr; i++)
		fprintf(show->stream, "%s%s", i ? ", " : "  ", attributes[i]);
	fputc('\n', show->stream);
	return 0;
}

static int tree_trouble(struct show *show, const struct iopt_decode_device *device,
			const struct iopt_decode_trouble *trouble)
{
	const int error = show->device ? form_begin_device(show) : 0;

	form_print_trouble(show->stream, "  ! ", device, trouble);
	return error;
}

static int tree_device(struct show *show)
{
	const struct iopt_decode_device *device = show->device;
	char text[MAPPINGS_DEVICE_BYTES];

	fprintf(show->stream, "%s%s", show->devices ? "\n" : "",
		mappings_device_text(device->id, text));
	if (device->pasid != IOPT_DECODE_NO_PASID)
		fprintf(show->stream, "  pasid %" PRIu32, device->pasid);
	fprintf(show->stream, "  domain %" PRIu32 "  %s", device->domain,
		form_path_text(device->path));
	if (device->first_format)
		fprintf(show->stream, "  %s, %u levels, root 0x%" PRIx64 ", over",
			device->first_format, device->first_hw.levels, device->first_hw.root);
	if (device->format)
		fprintf(show->stream, "  %s, %u levels, root 0x%" PRIx64, device->format,
			device->hw.levels, device->hw.root);
	fputc('\n', show->stream);
	if (show->same) {
		fprintf(show->stream, "  the same tables as %s",
			mappings_device_text(show->same->device.id, text));
		if (show->same->device.pasid != IOPT_DECODE_NO_PASID)
			fprintf(show->stream, ", pasid %" PRIu32, show->same->device.pasid);
		fputc('\n', show->stream);
	}
	return 0;
}

static void print_amount(FILE *stream, const char *name, const struct amount *amount)
{
	char text[SIZE_TEXT_BYTES];

	fprintf(stream, "%s: %s leaves", name, grouped(amount->leaves, text));
	if (amount->leaves)
		fprintf(stream, " of %s", amount_text(amount->bytes, text));
}

static int tree_device_end(struct show *show)
{
	const struct mappings_wish *wish = show->wish;
	const struct sums *sums = &show->sums;
	char number[SIZE_TEXT_BYTES];

	if (!show->device->format || show->same)
		return 0;
	fprintf(show->stream, "  %s mappings", grouped(sums->mappings, number));
	if (sums->all.leaves) {
		fprintf(show->stream, ", %s mapped: ", amount_text(sums->all.bytes, number));
		print_sizes(show->stream, &sums->leaves);
	}
	fprintf(show->stream, "; %s tables", grouped(sums->tables, number));
	fprintf(show->stream, " of %s\n", amount_text(sums->table_bytes, number));
	if (sums->accessed.leaves || sums->dirty.leaves || wish->accessed || wish->dirty) {
		print_amount(show->stream, "  accessed", &sums->accessed);
		print_amount(show->stream, "; dirty", &sums->dirty);
		fputc('\n', show->stream);
	}
	return 0;
}

static int tree_end(struct show *show)
{
	if (!show->devices)
		fprintf(show->stream, "nothing\n");
	return 0;
}

const struct form form_tree = {
	.name = "tree",
	.devices = FORM_UNFILTERED,
	.once = true,
	.sums = true,
	.in_place = true,
	.device = tree_device,
	.mapping = tree_mapping,
	.trouble = tree_trouble,
	.device_end = tree_device_end,
	.end = tree_end,
};
