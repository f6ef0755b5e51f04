/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See mappings.h. Nothing is kept but the mapping that may still grow: dumps may be of any size. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/mappings.h"

/**
 * struct mapping - neighbouring leaves that lead to neighbouring memory
 * @nr: leaves; 0: there is none
 * @sizes: bit n: leaves of 2^n bytes are among them
 * @of_size: how many of each of these sizes
 */
struct mapping {
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	uint8_t prot;
	bool accessed;
	bool dirty;
	uint64_t nr;
	uint64_t sizes;
	uint64_t of_size[64];
};

#define LINE_BYTES 128u
#define TEXT_BYTES 65536u

/** struct shown - tables that were shown, and whose they are */
struct shown {
	const char *format;
	uint64_t root;
	uint32_t id;
};

/**
 * struct show - showing under way
 * @device:   whose leaves these are
 * @pending:  not shown yet: it may grow
 * @mappings, @tables, @table_bytes, @wrong: of this device, so far
 * @begun:    the device's line was shown
 * @prefix:   of tsv: what each line of this device begins with, and how long it is
 * @text:     of tsv: lines that were not written yet, and how many bytes
 * @devices:  how many were shown
 * @troubles: of all
 */
struct show {
	const struct iopt_decode_source *source;
	const struct mappings_wish *wish;
	FILE *stream;
	const struct iopt_decode_device *device;
	struct mapping pending;
	uint64_t mappings;
	uint64_t tables;
	uint64_t table_bytes;
	uint64_t wrong;
	bool begun;
	char prefix[2 * MAPPINGS_DEVICE_BYTES + 2];
	size_t prefix_bytes;
	char *text;
	size_t text_bytes;
	uint64_t devices;
	uint64_t troubles;
	struct shown *shown;
	size_t nr_shown;
};

const char *mappings_device_text(uint32_t id, char text[MAPPINGS_DEVICE_BYTES])
{
	if (id > 0xffff)
		snprintf(text, MAPPINGS_DEVICE_BYTES, "0x%" PRIx32, id);
	else
		snprintf(text, MAPPINGS_DEVICE_BYTES, "%02x:%02x.%x", id >> 8, id >> 3 & 0x1f,
			 id & 7);
	return text;
}

const char *mappings_perm_text(unsigned prot, char text[MAPPINGS_PERM_BYTES])
{
	text[0] = prot & IOPT_READ ? 'r' : '-';
	text[1] = prot & IOPT_WRITE ? 'w' : '-';
	text[2] = prot & IOPT_EXEC ? 'x' : '-';
	text[3] = '\0';
	return text;
}

static const char *pasid_text(uint32_t pasid, char text[MAPPINGS_DEVICE_BYTES])
{
	if (pasid == IOPT_DECODE_NO_PASID)
		return "-";
	snprintf(text, MAPPINGS_DEVICE_BYTES, "%" PRIu32, pasid);
	return text;
}

/* "16 x 4K, 1 x 2M" */
static void print_sizes(FILE *stream, const struct mapping *mapping)
{
	char text[SIZE_TEXT_BYTES];
	bool more = false;

	for (uint64_t sizes = mapping->sizes; sizes; sizes &= sizes - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(sizes);

		fprintf(stream, "%s%" PRIu64 " x %s", more ? ", " : "", mapping->of_size[lg2],
			size_text(1ull << lg2, text));
		more = true;
	}
}

/* ---- one mapping --------------------------------------------------------------------------- */

/*
 * Lines of tsv are made by hand: there may be tens of millions, of which stdio's formatting would
 * take most of the time.
 */
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

static void flush_text(struct show *show)
{
	fwrite(show->text, 1, show->text_bytes, show->stream);
	show->text_bytes = 0;
}

static void print_tsv(struct show *show, const struct mapping *mapping)
{
	char *line = show->text + show->text_bytes, *to = line;

	memcpy(to, show->prefix, sizeof(show->prefix));
	to = put_hex(to + show->prefix_bytes, mapping->first);
	*to++ = '\t';
	to = put_hex(to, mapping->pa);
	*to++ = '\t';
	to = put_decimal(to, mapping->last - mapping->first + 1);
	*to++ = '\t';
	mappings_perm_text(mapping->prot, to);
	to[MAPPINGS_PERM_BYTES - 1] = '\n';
	show->text_bytes += (size_t)(to - line) + MAPPINGS_PERM_BYTES;
	if (show->text_bytes + LINE_BYTES > TEXT_BYTES)
		flush_text(show);
}

static void print_tree(const struct show *show, const struct mapping *mapping)
{
	char size[SIZE_TEXT_BYTES], perm[MAPPINGS_PERM_BYTES];

	fprintf(show->stream,
		"  0x%012" PRIx64 "..0x%012" PRIx64 "  0x%012" PRIx64 "  %8s  %s  %c%c  ",
		mapping->first, mapping->last, mapping->pa,
		size_text(mapping->last - mapping->first + 1, size),
		mappings_perm_text(mapping->prot, perm), mapping->accessed ? 'a' : '-',
		mapping->dirty ? 'd' : '-');
	print_sizes(show->stream, mapping);
	fputc('\n', show->stream);
}

static void print_json(const struct show *show, const struct mapping *mapping)
{
	char perm[MAPPINGS_PERM_BYTES];
	bool more = false;

	fprintf(show->stream,
		"%s\n      {\"iova\": \"0x%" PRIx64 "\", \"pa\": \"0x%" PRIx64
		"\", \"size\": %" PRIu64
		", \"perm\": \"%s\", \"accessed\": %s, \"dirty\": %s, \"leaves\": {",
		show->mappings ? "," : "", mapping->first, mapping->pa,
		mapping->last - mapping->first + 1, mappings_perm_text(mapping->prot, perm),
		mapping->accessed ? "true" : "false", mapping->dirty ? "true" : "false");
	for (uint64_t sizes = mapping->sizes; sizes; sizes &= sizes - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(sizes);

		fprintf(show->stream, "%s\"%" PRIu64 "\": %" PRIu64, more ? ", " : "",
			UINT64_C(1) << lg2, mapping->of_size[lg2]);
		more = true;
	}
	fprintf(show->stream, "}}");
}

static void begin_device(struct show *show);

static void show_pending(struct show *show)
{
	if (!show->pending.nr)
		return;
	begin_device(show);
	switch (show->wish->form) {
	case MAPPINGS_TSV: print_tsv(show, &show->pending); break;
	case MAPPINGS_TREE: print_tree(show, &show->pending); break;
	case MAPPINGS_JSON: print_json(show, &show->pending); break;
	}
	show->mappings++;
	show->pending.nr = 0;
}

static bool overlaps(struct span span, uint64_t first, uint64_t last)
{
	return last >= span.first && first <= span.last;
}

static bool is_wanted(const struct mappings_wish *wish, const struct iopt_decode_leaf *leaf)
{
	return (!wish->accessed || leaf->accessed) && (!wish->dirty || leaf->dirty) &&
	       (!wish->by_pa ||
		overlaps(wish->pa, leaf->pa, leaf->pa + (leaf->last - leaf->first)));
}

static bool continues(const struct mapping *mapping, const struct iopt_decode_leaf *leaf)
{
	return mapping->nr && mapping->last + 1 == leaf->first &&
	       mapping->pa + (mapping->last - mapping->first) + 1 == leaf->pa &&
	       mapping->prot == leaf->prot && mapping->accessed == leaf->accessed &&
	       mapping->dirty == leaf->dirty;
}

static void begin_mapping(struct mapping *mapping, const struct iopt_decode_leaf *leaf)
{
	mapping->first = leaf->first;
	mapping->pa = leaf->pa;
	mapping->prot = leaf->prot;
	mapping->accessed = leaf->accessed;
	mapping->dirty = leaf->dirty;
	mapping->nr = 0;
	mapping->sizes = 0;
}

static int take_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct show *show = ctx;
	struct mapping *pending = &show->pending;

	if (!is_wanted(show->wish, leaf))
		return 0;
	if (show->wish->leaves || !continues(pending, leaf)) {
		show_pending(show);
		begin_mapping(pending, leaf);
	}
	pending->last = leaf->last;
	pending->nr++;
	if (!(pending->sizes >> leaf->lg2 & 1))
		pending->of_size[leaf->lg2] = 0;
	pending->sizes |= 1ull << leaf->lg2;
	pending->of_size[leaf->lg2]++;
	return 0;
}

static int take_table(void *ctx, const struct iopt_decode_table *table)
{
	struct show *show = ctx;

	show->tables++;
	show->table_bytes += table->bytes;
	return 0;
}

/* ---- what is wrong ------------------------------------------------------------------------- */

static void print_trouble(FILE *stream, const char *before, const struct iopt_decode_device *device,
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

static void take_trouble(void *ctx, const struct iopt_decode_device *device,
			 const struct iopt_decode_trouble *trouble)
{
	struct show *show = ctx;

	show->troubles++;
	show->wrong++;
	if (show->wish->form != MAPPINGS_TREE) {
		print_trouble(stderr, "iopt: ", device, trouble);
		return;
	}
	show_pending(show);
	if (show->device)
		begin_device(show);
	print_trouble(show->stream, "  ! ", device, trouble);
}

/* ---- one device ---------------------------------------------------------------------------- */

static const char *path_text(enum iopt_decode_path path)
{
	static const char *const texts[] = {
		[IOPT_DECODE_BLOCKED] = "blocked",
		[IOPT_DECODE_PASSES] = "passes through",
		[IOPT_DECODE_TRANSLATED] = "translated",
		[IOPT_DECODE_NESTED] = "nested",
	};

	return texts[path];
}

/* Whose the same tables are that were shown before; they are put down if they were not. */
static bool find_shown(struct show *show, const struct iopt_decode_device *device,
		       const struct shown **found)
{
	struct shown *more;

	*found = NULL;
	for (size_t i = 0; i < show->nr_shown; i++)
		if (show->shown[i].root == device->hw.root &&
		    !strcmp(show->shown[i].format, device->format))
			*found = &show->shown[i];
	if (*found)
		return true;
	more = realloc(show->shown, (show->nr_shown + 1) * sizeof(*more));
	if (!more)
		return false;
	show->shown = more;
	show->shown[show->nr_shown++] =
		(struct shown){ device->format, device->hw.root, device->id };
	return true;
}

static void begin_tree(const struct show *show)
{
	const struct iopt_decode_device *device = show->device;
	char id[MAPPINGS_DEVICE_BYTES];

	fprintf(show->stream, "%s%s", show->devices ? "\n" : "",
		mappings_device_text(device->id, id));
	if (device->pasid != IOPT_DECODE_NO_PASID)
		fprintf(show->stream, "  pasid %" PRIu32, device->pasid);
	fprintf(show->stream, "  domain %" PRIu32 "  %s", device->domain, path_text(device->path));
	if (device->format)
		fprintf(show->stream, "  %s, %u levels, root 0x%" PRIx64, device->format,
			device->hw.levels, device->hw.root);
	fputc('\n', show->stream);
}

static void begin_json(const struct show *show)
{
	const struct iopt_decode_device *device = show->device;
	char id[MAPPINGS_DEVICE_BYTES], pasid[MAPPINGS_DEVICE_BYTES], perm[MAPPINGS_PERM_BYTES];
	const bool none = device->pasid == IOPT_DECODE_NO_PASID;

	fprintf(show->stream,
		"%s\n    {\"device\": \"%s\", \"pasid\": %s, \"domain\": %" PRIu32
		", \"path\": \"%s\", \"perm\": \"%s\", \"format\": ",
		show->devices ? "," : "", mappings_device_text(device->id, id),
		none ? "null" : pasid_text(device->pasid, pasid), device->domain,
		path_text(device->path), mappings_perm_text(device->prot, perm));
	if (device->format)
		fprintf(show->stream, "\"%s\", \"levels\": %u, \"root\": \"0x%" PRIx64 "\"",
			device->format, device->hw.levels, device->hw.root);
	else
		fprintf(show->stream, "null");
	fprintf(show->stream, ", \"mappings\": [");
}

/* The device's own line, once. */
static void begin_device(struct show *show)
{
	char id[MAPPINGS_DEVICE_BYTES], pasid[MAPPINGS_DEVICE_BYTES];

	if (show->begun)
		return;
	show->begun = true;
	if (show->wish->form == MAPPINGS_TREE)
		begin_tree(show);
	else if (show->wish->form == MAPPINGS_JSON)
		begin_json(show);
	else
		show->prefix_bytes = (size_t)snprintf(show->prefix, sizeof(show->prefix),
						      "%s\t%s\t",
						      mappings_device_text(show->device->id, id),
						      pasid_text(show->device->pasid, pasid));
}

static void end_device(struct show *show)
{
	char number[SIZE_TEXT_BYTES];

	if (!show->begun)
		return;
	if (show->wish->form == MAPPINGS_TREE && show->device->format) {
		fprintf(show->stream, "  %s mappings", grouped(show->mappings, number));
		fprintf(show->stream, ", %s tables", grouped(show->tables, number));
		fprintf(show->stream, " of %s\n", size_text(show->table_bytes, number));
	} else if (show->wish->form == MAPPINGS_JSON) {
		fprintf(show->stream,
			"%s], \"tables\": %" PRIu64 ", \"table_bytes\": %" PRIu64
			", \"troubles\": %" PRIu64 "}",
			show->mappings ? "\n    " : "", show->tables, show->table_bytes,
			show->wrong);
	}
	show->devices++;
}

/* A device that passes through reaches memory by its own addresses. */
static void take_passing(struct show *show)
{
	const struct mappings_wish *wish = show->wish;
	const struct span span = {
		wish->pa.first > wish->iova.first ? wish->pa.first : wish->iova.first,
		wish->pa.last < wish->iova.last ? wish->pa.last : wish->iova.last
	};

	if (!wish->by_pa || span.first > span.last || wish->accessed || wish->dirty)
		return;
	show->pending = (struct mapping){
		.first = span.first,
		.last = span.last,
		.pa = span.first,
		.prot = show->device->prot,
		.nr = 1,
	};
}

static bool is_filtered(const struct mappings_wish *wish)
{
	return wish->by_pa || wish->accessed || wish->dirty || wish->iova.first ||
	       wish->iova.last != UINT64_MAX;
}

static int take_device(void *ctx, const struct iopt_decode_device *device)
{
	struct show *show = ctx;
	const struct mappings_wish *wish = show->wish;
	const struct iopt_decode_visitor visitor = {
		.ctx = show,
		.leaf = take_leaf,
		.table = take_table,
		.trouble = take_trouble,
	};
	const struct shown *same = NULL;
	char text[MAPPINGS_DEVICE_BYTES];
	int result = 0;

	if (wish->one && wish->id != device->id)
		return 0;
	show->device = device;
	show->begun = false;
	show->mappings = show->tables = show->table_bytes = show->wrong = 0;
	/* Who asks who reaches something wants to see these alone, and all of them. */
	if (wish->form == MAPPINGS_TREE && !is_filtered(wish)) {
		begin_device(show);
		if (device->format && !find_shown(show, device, &same))
			return -ENOMEM;
	} else if (wish->form == MAPPINGS_JSON) {
		begin_device(show);
	}
	if (same)
		fprintf(show->stream, "  the same tables as %s\n",
			mappings_device_text(same->id, text));
	else if (device->path == IOPT_DECODE_PASSES)
		take_passing(show);
	else
		result = iopt_decode_tables(show->source, device, wish->iova.first, wish->iova.last,
					    &visitor);
	show_pending(show);
	if (same)
		show->devices++;
	else
		end_device(show);
	show->device = NULL;
	return result;
}

bool mappings_show(const struct iopt_decode_source *source, const struct mappings_wish *wish,
		   FILE *stream, uint64_t *troubles)
{
	static const char *const units[] = {
		[IOPT_DECODE_VTD] = "vtd",
		[IOPT_DECODE_AMD] = "amd",
		[IOPT_DECODE_SMMUV3] = "smmuv3",
		[IOPT_DECODE_RISCV] = "riscv",
	};
	struct show show = { .source = source, .wish = wish, .stream = stream };
	const struct iopt_decode_visitor visitor = {
		.ctx = &show,
		.device = take_device,
		.trouble = take_trouble,
	};
	int result;

	show.text = malloc(TEXT_BYTES);
	if (!show.text)
		return false;
	if (wish->form == MAPPINGS_JSON)
		fprintf(stream, "{\n  \"unit\": \"%s\",\n  \"devices\": [", units[source->unit]);
	result = iopt_decode_devices(source, &visitor);
	if (wish->form == MAPPINGS_JSON)
		fprintf(stream, "%s],\n  \"troubles\": %" PRIu64 "\n}\n",
			show.devices ? "\n  " : "", show.troubles);
	else if (wish->form == MAPPINGS_TREE && !show.devices)
		fprintf(stream, "nothing\n");
	flush_text(&show);
	free(show.text);
	free(show.shown);
	*troubles = show.troubles;
	return !result;
}
