/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt decode --output json`: one object, of which iopt-decode(1) has the description. What is
 * wrong comes last in it, and waits in a temporary file: there may be more than memory holds.
 */
#include <errno.h>
#include <inttypes.h>

#include "tools/iopt/command.h"
#include "tools/iopt/form.h"
#include "tools/iopt/output.h"

static int json_begin(struct show *show)
{
	fprintf(show->stream, "{\n  \"unit\": \"%s\",\n  \"devices\": [",
		form_unit_text(show->source->unit));
	return 0;
}

/* {"device": "00:1f.0", "pasid": null, without the braces. */
static void print_who(FILE *stream, const struct iopt_decode_device *device)
{
	char id[MAPPINGS_DEVICE_BYTES], pasid[MAPPINGS_DEVICE_BYTES];

	fprintf(stream, "\"device\": \"%s\", \"pasid\": %s", mappings_device_text(device->id, id),
		form_pasid_text(device->pasid, "null", pasid));
}

static void print_stage(FILE *stream, const char *format, const struct iopt_hw *hw)
{
	if (format)
		fprintf(stream, "\"%s\", \"levels\": %u, \"root\": \"0x%" PRIx64 "\"", format,
			hw->levels, hw->root);
	else
		fprintf(stream, "null");
}

static int json_device(struct show *show)
{
	const struct iopt_decode_device *device = show->device;
	char perm[MAPPINGS_PERM_BYTES];

	fprintf(show->stream, "%s\n    {", show->devices ? "," : "");
	print_who(show->stream, device);
	fprintf(show->stream,
		", \"domain\": %" PRIu32 ", \"path\": \"%s\", \"perm\": \"%s\", \"format\": ",
		device->domain, form_path_text(device->path),
		mappings_perm_text(device->prot, perm));
	print_stage(show->stream, device->format, &device->hw);
	if (device->first_format) {
		fprintf(show->stream, ", \"first_stage\": {\"domain\": %" PRIu32 ", \"format\": ",
			device->first_domain);
		print_stage(show->stream, device->first_format, &device->first_hw);
		fputc('}', show->stream);
	}
	if (show->same) {
		fprintf(show->stream, ", \"same_tables_as\": {");
		print_who(show->stream, &show->same->device);
		fprintf(show->stream, "}}");
	} else {
		fprintf(show->stream, ", \"mappings\": [");
	}
	return 0;
}

/* {"4096": 16, "2097152": 1} */
static void print_sizes(FILE *stream, const struct leaf_sizes *leaves)
{
	bool more = false;

	fputc('{', stream);
	for (uint64_t sizes = leaves->sizes; sizes; sizes &= sizes - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(sizes);

		fprintf(stream, "%s\"%" PRIu64 "\": %" PRIu64, more ? ", " : "", UINT64_C(1) << lg2,
			leaves->of_size[lg2]);
		more = true;
	}
	fputc('}', stream);
}

static int json_mapping(struct show *show, const struct mapping *mapping)
{
	char perm[MAPPINGS_PERM_BYTES], bytes[SIZE_TEXT_BYTES];
	const char *attributes[FORM_ATTRIBUTES];
	const unsigned nr = form_attributes(mapping->prot, attributes);

	fprintf(show->stream,
		"%s\n      {\"iova\": \"0x%" PRIx64 "\", \"pa\": \"0x%" PRIx64
		"\", \"size\": %s, \"perm\": \"%s\", \"attributes\": [",
		show->sums.mappings ? "," : "", mapping->first, mapping->pa,
		span_bytes(mapping->first, mapping->last, bytes),
		mappings_perm_text(mapping->prot, perm));
	for (unsigned i = 0; i < nr; i++)
		fprintf(show->stream, "%s\"%s\"", i ? ", " : "", attributes[i]);
	fprintf(show->stream, "], \"accessed\": %s, \"dirty\": %s, \"leaves\": ",
		mapping->accessed ? "true" : "false", mapping->dirty ? "true" : "false");
	print_sizes(show->stream, &mapping->leaves);
	fputc('}', show->stream);
	return 0;
}

static void print_amount(FILE *stream, const char *name, const struct amount *amount)
{
	fprintf(stream, ", \"%s\": {\"leaves\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", name,
		amount->leaves, amount->bytes);
}

static int json_device_end(struct show *show)
{
	const struct sums *sums = &show->sums;

	if (show->same)
		return 0;
	fprintf(show->stream, "%s]", sums->mappings ? "\n    " : "");
	print_amount(show->stream, "mapped", &sums->all);
	print_amount(show->stream, "accessed", &sums->accessed);
	print_amount(show->stream, "dirty", &sums->dirty);
	fprintf(show->stream, ", \"leaves\": ");
	print_sizes(show->stream, &sums->leaves);
	fprintf(show->stream,
		", \"tables\": %" PRIu64 ", \"table_bytes\": %" PRIu64 ", \"troubles\": %" PRIu64
		"}",
		sums->tables, sums->table_bytes, sums->troubles);
	return 0;
}

static int json_trouble(struct show *show, const struct iopt_decode_device *device,
			const struct iopt_decode_trouble *trouble)
{
	FILE *kept = show->own;

	if (!kept)
		show->own = kept = temporary_file();
	if (!kept)
		return -errno;
	fprintf(kept, "%s\n    {", show->troubles > 1 ? "," : "");
	if (device)
		print_who(kept, device);
	else
		fprintf(kept, "\"device\": null, \"pasid\": null");
	fprintf(kept, ", \"what\": \"%s\", ", iopt_decode_wrong_text(trouble->what));
	if (trouble->level < IOPT_MAX_LEVELS)
		fprintf(kept, "\"iova\": \"0x%" PRIx64 "\", \"level\": %u", trouble->iova,
			trouble->level);
	else
		fprintf(kept, "\"iova\": null, \"level\": null");
	fprintf(kept, ", \"entry_pa\": \"0x%" PRIx64 "\", \"entry\": \"0x%" PRIx64 "\"}",
		trouble->entry_pa, trouble->entry);
	return ferror(kept) ? -errno : 0;
}

static int json_end(struct show *show)
{
	int error = 0;

	fprintf(show->stream, "%s],\n  \"troubles\": [", show->devices ? "\n  " : "");
	if (show->own)
		error = output_copy(show->own, show->stream);
	fprintf(show->stream, "%s]\n}\n", show->own ? "\n  " : "");
	return error;
}

static void json_free(struct show *show)
{
	if (show->own)
		fclose(show->own);
}

const struct form form_json = {
	.name = "json",
	.devices = FORM_ALL,
	.once = true,
	.sums = true,
	.begin = json_begin,
	.device = json_device,
	.mapping = json_mapping,
	.trouble = json_trouble,
	.device_end = json_device_end,
	.end = json_end,
	.free = json_free,
};
