/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the forms have in common: the list of them, and texts. See form.h. */
#include <inttypes.h>
#include <string.h>

#include "tools/iopt/form.h"

static const struct form *const forms[] = {
	&form_tree, &form_tsv, &form_json, &form_raw, &form_html,
};

const struct form *mappings_form(const char *name)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (!strcmp(forms[i]->name, name))
			return forms[i];
	return NULL;
}

const char *mappings_device_text(uint32_t id, char text[MAPPINGS_DEVICE_BYTES])
{
	if (id > 0xffff)
		snprintf(text, MAPPINGS_DEVICE_BYTES, "0x%" PRIx32, id);
	else
		snprintf(text, MAPPINGS_DEVICE_BYTES, "%02x:%02x.%x", id >> 8, id >> 3 & 0x1f,
			 id & 7);
	return text;
}

const char *form_unit_text(enum iopt_decode_unit unit)
{
	static const char *const texts[] = {
		[IOPT_DECODE_VTD] = "vtd",
		[IOPT_DECODE_AMD] = "amd",
		[IOPT_DECODE_SMMUV3] = "smmuv3",
		[IOPT_DECODE_RISCV] = "riscv",
	};

	return texts[unit];
}

const char *form_path_text(enum iopt_decode_path path)
{
	static const char *const texts[] = {
		[IOPT_DECODE_BLOCKED] = "blocked",
		[IOPT_DECODE_PASSES] = "passes through",
		[IOPT_DECODE_TRANSLATED] = "translated",
		[IOPT_DECODE_NESTED] = "nested",
	};

	return texts[path];
}

struct stage form_stage(const struct iopt_decode_device *device)
{
	if (device->first_format)
		return (struct stage){ device->first_format, &device->first_hw };
	return (struct stage){ device->format, &device->hw };
}

const char *form_pasid_text(uint32_t pasid, const char *none, char text[MAPPINGS_DEVICE_BYTES])
{
	if (pasid == IOPT_DECODE_NO_PASID)
		return none;
	snprintf(text, MAPPINGS_DEVICE_BYTES, "%" PRIu32, pasid);
	return text;
}

unsigned form_attributes(unsigned prot, const char *names[FORM_ATTRIBUTES])
{
	static const struct {
		unsigned bit;
		const char *name;
	} all[FORM_ATTRIBUTES] = {
		{ IOPT_PRIV, "priv" },
		{ IOPT_SNOOP, "snoop" },
		{ IOPT_UNCACHED, "uncached" },
		{ IOPT_DEVICE, "device" },
	};
	unsigned nr = 0;

	for (size_t i = 0; i < FORM_ATTRIBUTES; i++)
		if (prot & all[i].bit)
			names[nr++] = all[i].name;
	return nr;
}

void form_print_trouble(FILE *stream, const char *before, const struct iopt_decode_device *device,
			const struct iopt_decode_trouble *trouble)
{
	char text[MAPPINGS_DEVICE_BYTES];

	fprintf(stream, "%s", before);
	if (device)
		fprintf(stream, "%s, ", mappings_device_text(device->id, text));
	if (trouble->level < IOPT_MAX_LEVELS)
		fprintf(stream, "iova 0x%" PRIx64 ", level %u, ", trouble->iova, trouble->level);
	fprintf(stream, "at 0x%" PRIx64, trouble->entry_pa);
	if (trouble->entry)
		fprintf(stream, ", entry 0x%" PRIx64, trouble->entry);
	fprintf(stream, ": %s\n", iopt_decode_wrong_text(trouble->what));
}
