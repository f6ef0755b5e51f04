/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt decode --output tsv`: a line for each mapping, made by hand: there may be tens of millions,
 * of which stdio's formatting would take most of the time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/form.h"

#define LINE_BYTES 128u
#define TEXT_BYTES 65536u

/**
 * struct tsv - what there is of it
 * @prefix: what each line of this device begins with, and how long it is
 * @text:   lines that were not written yet, and how many bytes
 */
struct tsv {
	char prefix[2 * MAPPINGS_DEVICE_BYTES + 2];
	size_t prefix_bytes;
	size_t text_bytes;
	char text[TEXT_BYTES];
};

static char *put_hex(char *to, uint64_t value)
{
	unsigned digits = value ? (unsigned)(67 - __builtin_clzll(value)) / 4 : 1;

	*to++ = '0';
	*to++ = 'x';
	for (unsigned i = digits; i--; value >>= 4)
		to[i] = "0123456789abcdef"[value & 15];
	return to + digits;
}

static char *put_decimal(char *to, uint64_t value)
{
	char digits[20];
	size_t nr = 0;

	do {
		digits[nr++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (nr)
		*to++ = digits[--nr];
	return to;
}

/* But for all addresses at once, which are one more than a number holds. */
static char *put_size(char *to, const struct mapping *mapping)
{
	char text[SIZE_TEXT_BYTES];

	if (mapping->last - mapping->first == UINT64_MAX)
		return stpcpy(to, span_bytes(mapping->first, mapping->last, text));
	return put_decimal(to, mapping->last - mapping->first + 1);
}

static int tsv_begin(struct show *show)
{
	show->own = calloc(1, sizeof(struct tsv));
	return show->own ? 0 : -ENOMEM;
}

static int tsv_device(struct show *show)
{
	struct tsv *tsv = show->own;
	char id[MAPPINGS_DEVICE_BYTES], pasid[MAPPINGS_DEVICE_BYTES];

	tsv->prefix_bytes = (size_t)snprintf(tsv->prefix, sizeof(tsv->prefix), "%s\t%s\t",
					     mappings_device_text(show->device->id, id),
					     form_pasid_text(show->device->pasid, "-", pasid));
	return 0;
}

static int tsv_flush(struct show *show)
{
	struct tsv *tsv = show->own;

	fwrite(tsv->text, 1, tsv->text_bytes, show->stream);
	tsv->text_bytes = 0;
	return 0;
}

static int tsv_mapping(struct show *show, const struct mapping *mapping)
{
	struct tsv *tsv = show->own;
	char *line = tsv->text + tsv->text_bytes, *to = line;

	memcpy(to, tsv->prefix, sizeof(tsv->prefix));
	to = put_hex(to + tsv->prefix_bytes, mapping->first);
	*to++ = '\t';
	to = put_hex(to, mapping->pa);
	*to++ = '\t';
	to = put_size(to, mapping);
	*to++ = '\t';
	mappings_perm_text(mapping->prot, to);
	to[MAPPINGS_PERM_BYTES - 1] = '\n';
	tsv->text_bytes += (size_t)(to - line) + MAPPINGS_PERM_BYTES;
	return tsv->text_bytes + LINE_BYTES > TEXT_BYTES ? tsv_flush(show) : 0;
}

static void tsv_free(struct show *show)
{
	free(show->own);
}

const struct form form_tsv = {
	.name = "tsv",
	.devices = FORM_MAPPED,
	.begin = tsv_begin,
	.device = tsv_device,
	.mapping = tsv_mapping,
	.end = tsv_flush,
	.free = tsv_free,
};
