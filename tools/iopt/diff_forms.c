/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How `iopt diff` shows what changed: as text, tsv and json. See diff.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/diff.h"
#include "tools/iopt/form.h"
#include "tools/iopt/mappings.h"

static const char *const names[] = { "appeared", "went", "moved", "permissions" };
static const char *const device_names[] = { "appeared", "went", "changed" };

/* ---- text ---------------------------------------------------------------------------------- */

static void print_device(const struct changes *changes, const struct iopt_decode_device *device)
{
	char text[MAPPINGS_DEVICE_BYTES];

	if (changes->shown)
		return;
	printf("%s%s", changes->nr ? "\n" : "", mappings_device_text(device->id, text));
	if (device->pasid != IOPT_DECODE_NO_PASID)
		printf("  pasid %" PRIu32, device->pasid);
	putchar('\n');
}

/* Its format, levels and root; nothing where there are no tables. */
static void print_stage(const char *format, const struct iopt_hw *hw)
{
	if (format)
		printf("  %s, %u levels, root 0x%" PRIx64, format, hw->levels, hw->root);
}

static void print_entry(const struct iopt_decode_device *device)
{
	printf("device, domain %" PRIu32 "  %s", device->domain, form_path_text(device->path));
	print_stage(device->format, &device->hw);
	if (device->first_format)
		printf("; first stage: domain %" PRIu32, device->first_domain);
	print_stage(device->first_format, &device->first_hw);
}

static void text_device(const struct changes *changes, enum change change,
			const struct iopt_decode_device *old, const struct iopt_decode_device *new)
{
	print_device(changes, old ? old : new);
	printf("  %-11s  ", device_names[change]);
	print_entry(old ? old : new);
	if (change == CHANGED) {
		printf(" -> ");
		print_entry(new);
	}
	putchar('\n');
}

static void text_mapping(const struct changes *changes, const struct iopt_decode_device *device,
			 enum change change, uint64_t first, uint64_t last, const struct piece *old,
			 const struct piece *new)
{
	const struct piece *either = old ? old : new;
	char size[SIZE_TEXT_BYTES], perm[MAPPINGS_PERM_BYTES];

	print_device(changes, device);
	printf("  %-11s  0x%012" PRIx64 "..0x%012" PRIx64 "  %8s  0x%012" PRIx64 " %s",
	       names[change], first, last, span_text(first, last, size),
	       either->pa + (first - either->first), mappings_perm_text(either->prot, perm));
	if (change == MOVED || change == PERMITTED)
		printf(" -> 0x%012" PRIx64 " %s", new->pa + (first - new->first),
		       mappings_perm_text(new->prot, perm));
	putchar('\n');
}

static void text_table(const struct changes *changes, const struct iopt_decode_device *device,
		       enum change change, const struct iopt_decode_table *old,
		       const struct iopt_decode_table *new)
{
	const struct iopt_decode_table *either = old ? old : new;

	print_device(changes, device);
	printf("  %-11s  0x%012" PRIx64 "  table of level %u at 0x%012" PRIx64, names[change],
	       either->first, either->level, either->pa);
	if (change == MOVED)
		printf(" -> 0x%012" PRIx64, new->pa);
	putchar('\n');
}

static void text_end(const struct changes *changes)
{
	static const char *const texts[] = { "appeared", "went", "lead elsewhere",
					     "have other permissions" };
	static const char *const tables[] = { "appeared", "went", "moved" };
	char text[SIZE_TEXT_BYTES];
	const char *between = "\n";

	for (unsigned i = 0; i < NR_CHANGES; i++) {
		if (!changes->bytes[i])
			continue;
		printf("%s%s %s", between, amount_text(changes->bytes[i], text), texts[i]);
		between = ", ";
	}
	for (unsigned i = 0; i <= MOVED; i++) {
		if (!changes->tables[i])
			continue;
		printf("%s%" PRIu64 " %s %s", between, changes->tables[i],
		       changes->tables[i] == 1 ? "table" : "tables", tables[i]);
		between = ", ";
	}
	for (unsigned i = 0; i <= CHANGED; i++) {
		if (!changes->devices[i])
			continue;
		printf("%s%" PRIu64 " %s %s", between, changes->devices[i],
		       changes->devices[i] == 1 ? "device" : "devices", device_names[i]);
		between = ", ";
	}
	puts(changes->nr ? "" : "no change");
}

/* ---- tsv ----------------------------------------------------------------------------------- */

static void tsv_begin(const char *what, const struct iopt_decode_device *device)
{
	char text[MAPPINGS_DEVICE_BYTES];

	printf("%s\t%s\t", what, mappings_device_text(device->id, text));
	if (device->pasid == IOPT_DECODE_NO_PASID)
		printf("-\t");
	else
		printf("%" PRIu32 "\t", device->pasid);
}

/* Where its tables begin, and what else its entry says. */
static void tsv_entry(const struct iopt_decode_device *device)
{
	if (!device) {
		printf("\t-\t-");
		return;
	}
	if (device->format)
		printf("\t0x%" PRIx64, device->hw.root);
	else
		printf("\t-");
	printf("\tdomain %" PRIu32 ", %s", device->domain, form_path_text(device->path));
	if (device->format)
		printf(", %s, %u levels", device->format, device->hw.levels);
	if (device->first_format)
		printf(", first stage: domain %" PRIu32 ", %s, %u levels, 0x%" PRIx64,
		       device->first_domain, device->first_format, device->first_hw.levels,
		       device->first_hw.root);
}

static void tsv_device(const struct changes *changes, enum change change,
		       const struct iopt_decode_device *old, const struct iopt_decode_device *new)
{
	char what[32];

	(void)changes;
	snprintf(what, sizeof(what), "device-%s", device_names[change]);
	tsv_begin(what, old ? old : new);
	printf("-\t-");
	tsv_entry(old);
	tsv_entry(new);
	putchar('\n');
}

static void tsv_piece(const struct piece *piece, uint64_t first)
{
	char perm[MAPPINGS_PERM_BYTES];

	if (piece)
		printf("\t0x%" PRIx64 "\t%s", piece->pa + (first - piece->first),
		       mappings_perm_text(piece->prot, perm));
	else
		printf("\t-\t-");
}

static void tsv_mapping(const struct changes *changes, const struct iopt_decode_device *device,
			enum change change, uint64_t first, uint64_t last, const struct piece *old,
			const struct piece *new)
{
	char bytes[SIZE_TEXT_BYTES];

	(void)changes;
	tsv_begin(names[change], device);
	printf("0x%" PRIx64 "\t%s", first, span_bytes(first, last, bytes));
	tsv_piece(old, first);
	tsv_piece(new, first);
	putchar('\n');
}

static void tsv_table_side(const struct iopt_decode_table *table)
{
	if (table)
		printf("\t0x%" PRIx64 "\t%u", table->pa, table->level);
	else
		printf("\t-\t-");
}

static void tsv_table(const struct changes *changes, const struct iopt_decode_device *device,
		      enum change change, const struct iopt_decode_table *old,
		      const struct iopt_decode_table *new)
{
	const struct iopt_decode_table *either = old ? old : new;
	char what[32];

	(void)changes;
	snprintf(what, sizeof(what), "table-%s", names[change]);
	tsv_begin(what, device);
	printf("0x%" PRIx64 "\t%" PRIu64, either->first, either->bytes);
	tsv_table_side(old);
	tsv_table_side(new);
	putchar('\n');
}

/* ---- json ---------------------------------------------------------------------------------- */

static void json_begin(void)
{
	printf("{\n  \"changes\": [");
}

static void json_device(const struct changes *changes, const char *what, const char *change,
			const struct iopt_decode_device *device)
{
	char text[MAPPINGS_DEVICE_BYTES];

	printf("%s\n    {\"what\": \"%s\", \"change\": \"%s\", \"device\": \"%s\", \"pasid\": ",
	       changes->nr ? "," : "", what, change, mappings_device_text(device->id, text));
	if (device->pasid == IOPT_DECODE_NO_PASID)
		printf("null");
	else
		printf("%" PRIu32, device->pasid);
}

static void json_stage(uint32_t domain, const char *format, const struct iopt_hw *hw)
{
	printf("\"domain\": %" PRIu32 ", \"format\": ", domain);
	if (format)
		printf("\"%s\", \"levels\": %u, \"root\": \"0x%" PRIx64 "\"", format, hw->levels,
		       hw->root);
	else
		printf("null, \"levels\": null, \"root\": null");
}

static void json_entry(const char *name, const struct iopt_decode_device *device)
{
	if (!device) {
		printf(", \"%s\": null", name);
		return;
	}
	printf(", \"%s\": {\"path\": \"%s\", ", name, form_path_text(device->path));
	json_stage(device->domain, device->format, &device->hw);
	if (device->first_format) {
		printf(", \"first_stage\": {");
		json_stage(device->first_domain, device->first_format, &device->first_hw);
		putchar('}');
	}
	putchar('}');
}

static void json_of_device(const struct changes *changes, enum change change,
			   const struct iopt_decode_device *old,
			   const struct iopt_decode_device *new)
{
	json_device(changes, "device", device_names[change], old ? old : new);
	json_entry("old", old);
	json_entry("new", new);
	putchar('}');
}

static void json_piece(const char *name, const struct piece *piece, uint64_t first)
{
	char perm[MAPPINGS_PERM_BYTES];

	if (piece)
		printf(", \"%s\": {\"pa\": \"0x%" PRIx64 "\", \"perm\": \"%s\"}", name,
		       piece->pa + (first - piece->first), mappings_perm_text(piece->prot, perm));
	else
		printf(", \"%s\": null", name);
}

static void json_mapping(const struct changes *changes, const struct iopt_decode_device *device,
			 enum change change, uint64_t first, uint64_t last, const struct piece *old,
			 const struct piece *new)
{
	json_device(changes, "mapping", names[change], device);
	printf(", \"iova\": \"0x%" PRIx64 "\", \"last\": \"0x%" PRIx64 "\"", first, last);
	json_piece("old", old, first);
	json_piece("new", new, first);
	putchar('}');
}

static void json_table_side(const char *name, const struct iopt_decode_table *table)
{
	if (table)
		printf(", \"%s\": {\"pa\": \"0x%" PRIx64 "\", \"used\": %u}", name, table->pa,
		       table->used);
	else
		printf(", \"%s\": null", name);
}

static void json_table(const struct changes *changes, const struct iopt_decode_device *device,
		       enum change change, const struct iopt_decode_table *old,
		       const struct iopt_decode_table *new)
{
	const struct iopt_decode_table *either = old ? old : new;

	json_device(changes, "table", names[change], device);
	printf(", \"iova\": \"0x%" PRIx64 "\", \"level\": %u, \"bytes\": %" PRIu64, either->first,
	       either->level, either->bytes);
	json_table_side("old", old);
	json_table_side("new", new);
	putchar('}');
}

static void json_end(const struct changes *changes)
{
	printf("%s],\n  \"bytes\": {", changes->nr ? "\n  " : "");
	for (unsigned i = 0; i < NR_CHANGES; i++)
		printf("%s\"%s\": %" PRIu64, i ? ", " : "", names[i], changes->bytes[i]);
	printf("},\n  \"tables\": {");
	for (unsigned i = 0; i <= MOVED; i++)
		printf("%s\"%s\": %" PRIu64, i ? ", " : "", names[i], changes->tables[i]);
	printf("},\n  \"devices\": {");
	for (unsigned i = 0; i <= CHANGED; i++)
		printf("%s\"%s\": %" PRIu64, i ? ", " : "", device_names[i], changes->devices[i]);
	printf("}\n}\n");
}

/* ---- all of them --------------------------------------------------------------------------- */

const struct diff_form *diff_form_find(const char *name)
{
	static const struct diff_form forms[] = {
		{ "text", NULL, text_device, text_mapping, text_table, text_end },
		{ "tsv", NULL, tsv_device, tsv_mapping, tsv_table, NULL },
		{ "json", json_begin, json_of_device, json_mapping, json_table, json_end },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (!strcmp(name, forms[i].name))
			return &forms[i];
	return NULL;
}
