/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt decode --output html`: one page with all of it. The data are in the page as JSON, of
 * numbers that a script's own hold exactly: addresses as numbers of pages of 4 KiB. What is drawn
 * of them, and all that moves, is in decode_data.js, decode_picture.js and decode_page.js. Nothing
 * is written before all is there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tools/iopt/command.h"
#include "decode_page.h"
#include "tools/iopt/form.h"
#include "tools/iopt/html.h"

/* More is counted, and not in the page: it stays usable, and so does memory. */
#define MAX_MAPPINGS (1u << 20)
#define MAX_TABLES   (1u << 18)
#define MAX_TROUBLES 1000u

/** enum part - of the data, written one beside the other */
enum part { DEVICES, SPACES, TABLES, TROUBLES, NR_PARTS };

/** struct cut - mappings of a device that are not in the page */
struct cut {
	uint64_t nr;
	uint64_t pages;
	uint64_t first;
	uint64_t last;
};

/**
 * struct page - what there is of it
 * @parts:    of the data: streams into @text, of @bytes
 * @mappings: that are in it
 * @tables:   likewise
 * @spaces:   likewise
 * @next:     behind this device's mapping before, in pages; and where that one leads
 * @next_pa:  likewise
 * @cut:      of this device
 * @left_tables: of this device, that are not in it
 * @all_*:    sums of all devices
 */
struct page {
	FILE *parts[NR_PARTS];
	char *text[NR_PARTS];
	size_t bytes[NR_PARTS];
	uint64_t mappings;
	uint64_t tables;
	uint64_t spaces;
	uint64_t next;
	uint64_t next_pa;
	struct cut cut;
	uint64_t left_tables;
	uint64_t all_mappings;
	uint64_t all_mapped;
	uint64_t all_tables;
	uint64_t all_table_bytes;
	uint64_t all_cut;
};

static uint64_t pages_of(uint64_t first, uint64_t last)
{
	return (last >> 12) - (first >> 12) + 1;
}

static int html_form_begin(struct show *show)
{
	struct page *page = calloc(1, sizeof(*page));

	show->own = page;
	for (unsigned i = 0; page && i < NR_PARTS; i++) {
		page->parts[i] = open_memstream(&page->text[i], &page->bytes[i]);
		if (!page->parts[i])
			return -ENOMEM;
	}
	return page ? 0 : -ENOMEM;
}

/* ["00:1f.0", pasid or -1, */
static void put_who(FILE *out, const struct iopt_decode_device *device)
{
	char id[MAPPINGS_DEVICE_BYTES], pasid[MAPPINGS_DEVICE_BYTES];

	fprintf(out, "[\"%s\",%s", device ? mappings_device_text(device->id, id) : "",
		device ? form_pasid_text(device->pasid, "-1", pasid) : "-1");
}

/* Bits of the addresses that tables of this shape translate. */
static unsigned space_bits(const struct stage *stage)
{
	const struct iopt_format_info *info = iopt_format_find(stage->format);

	return info ? format_iova_bits(info, stage->hw->levels) : 64;
}

static int html_form_device(struct show *show)
{
	const struct iopt_decode_device *device = show->device;
	const struct stage stage = form_stage(device);
	struct page *page = show->own;
	int64_t space = -1;

	if (show->same)
		space = (int64_t)show->same->number;
	else if (stage.format)
		space = (int64_t)page->spaces;
	fprintf(page->parts[DEVICES], "%s", show->devices ? ",\n" : "");
	put_who(page->parts[DEVICES], device);
	fprintf(page->parts[DEVICES], ",%" PRIu32 ",\"%s\",%u,%" PRId64 "]", device->domain,
		form_path_text(device->path), device->prot, space);
	page->next = page->next_pa = 0;
	page->cut = (struct cut){ 0 };
	page->left_tables = 0;
	if (space < 0 || show->same)
		return 0;
	fprintf(page->parts[SPACES],
		"%s{\"format\":\"%s\",\"levels\":%u,\"root\":\"0x%" PRIx64
		"\",\"bits\":%u,\"over\":",
		page->spaces ? ",\n" : "", stage.format, stage.hw->levels, stage.hw->root,
		space_bits(&stage));
	if (device->first_format)
		fprintf(page->parts[SPACES], "\"%s, %u levels, root 0x%" PRIx64 "\"",
			device->format, device->hw.levels, device->hw.root);
	else
		fprintf(page->parts[SPACES], "null");
	fprintf(page->parts[SPACES], ",\"maps\":[");
	return 0;
}

/* A hole of so many pages, then: pages, how far it leads from where the one before ended, what. */
static int html_form_mapping(struct show *show, const struct mapping *mapping)
{
	const uint64_t first = mapping->first >> 12, pa = mapping->pa >> 12;
	const uint64_t pages = pages_of(mapping->first, mapping->last);
	struct page *page = show->own;

	if (!form_stage(show->device).format)
		return 0;
	if (page->mappings == MAX_MAPPINGS) {
		if (!page->cut.nr++)
			page->cut.first = first;
		page->cut.last = mapping->last >> 12;
		page->cut.pages += pages;
		return 0;
	}
	page->mappings++;
	fprintf(page->parts[SPACES], "%s%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%u",
		show->sums.mappings ? "," : "", first - page->next, pages,
		(int64_t)(pa - page->next_pa),
		mapping->prot | (unsigned)mapping->accessed << 8 | (unsigned)mapping->dirty << 9 |
			(unsigned)__builtin_ctzll(mapping->leaves.sizes) << 10);
	page->next = first + pages;
	page->next_pa = pa + pages;
	return 0;
}

static int html_form_table(struct show *show, const struct iopt_decode_table *table)
{
	struct page *page = show->own;
	FILE *out = page->parts[TABLES];

	if (page->tables == MAX_TABLES) {
		page->left_tables++;
		return 0;
	}
	page->tables++;
	fprintf(out, "%s%u,%" PRIu64 ",%u,%" PRIu64 ",%u,%" PRIu64, ftell(out) ? "," : "",
		table->level, table->pa >> 12, (unsigned)(table->pa & 4095), table->first >> 12,
		table->used, table->bytes);
	return 0;
}

static int html_form_trouble(struct show *show, const struct iopt_decode_device *device,
			     const struct iopt_decode_trouble *trouble)
{
	struct page *page = show->own;
	FILE *out = page->parts[TROUBLES];

	if (show->troubles > MAX_TROUBLES)
		return 0;
	fprintf(out, "%s", show->troubles > 1 ? ",\n" : "");
	put_who(out, device);
	fprintf(out, ",\"%s\",\"0x%" PRIx64 "\",%d,\"0x%" PRIx64 "\",\"0x%" PRIx64 "\"]",
		iopt_decode_wrong_text(trouble->what), trouble->iova,
		trouble->level < IOPT_MAX_LEVELS ? (int)trouble->level : -1, trouble->entry_pa,
		trouble->entry);
	return 0;
}

/* Pairs of log2 of the size, and how many. */
static void put_sizes(FILE *out, const struct leaf_sizes *leaves)
{
	bool more = false;

	fprintf(out, ",\"leaves\":[");
	for (uint64_t sizes = leaves->sizes; sizes; sizes &= sizes - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(sizes);

		fprintf(out, "%s[%u,%" PRIu64 "]", more ? "," : "", lg2, leaves->of_size[lg2]);
		more = true;
	}
	fprintf(out, "]");
}

static void add_device(struct page *page, const struct sums *sums)
{
	page->spaces++;
	page->all_mappings += sums->mappings;
	if (__builtin_add_overflow(page->all_mapped, sums->all.bytes, &page->all_mapped))
		page->all_mapped = UINT64_MAX;
	page->all_tables += sums->tables;
	page->all_table_bytes += sums->table_bytes;
	page->all_cut += page->cut.nr + page->left_tables;
}

/* The tables, which were put beside meanwhile, and the sums. */
static int html_form_device_end(struct show *show)
{
	const struct sums *sums = &show->sums;
	struct page *page = show->own;
	FILE *out = page->parts[SPACES], *tables = page->parts[TABLES];

	if (!form_stage(show->device).format || show->same)
		return 0;
	if (fflush(tables))
		return -errno;
	fprintf(out, "],\n\"tables\":[");
	fwrite(page->text[TABLES], 1, page->bytes[TABLES], out);
	rewind(tables);
	fprintf(out, "]");
	put_sizes(out, &sums->leaves);
	fprintf(out,
		",\n\"mapped\":%" PRIu64 ",\"nr\":%" PRIu64 ",\"nr_tables\":%" PRIu64
		",\"table_bytes\":%" PRIu64 ",\"left_tables\":%" PRIu64 ",\"cut\":",
		sums->all.bytes >> 12, sums->mappings, sums->tables, sums->table_bytes,
		page->left_tables);
	if (page->cut.nr)
		fprintf(out, "[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]}", page->cut.nr,
			page->cut.pages, page->cut.first, page->cut.last);
	else
		fprintf(out, "null}");
	add_device(page, sums);
	return 0;
}

/* ---- the page ------------------------------------------------------------------------------ */

static void put_head(const struct show *show, FILE *out)
{
	const struct page *page = show->own;
	char text[SIZE_TEXT_BYTES], number[SIZE_TEXT_BYTES];

	fputs("<h1>iopt decode", out);
	if (show->troubles)
		fprintf(out, " <span class=\"verdict bad\">%s wrong or missing</span>",
			grouped(show->troubles, text));
	fputs("</h1>\n<p><code>", out);
	html_text(out, show->wish->name ? show->wish->name : "memory");
	fprintf(out, "</code>, unit <code>%s</code></p>\n", form_unit_text(show->source->unit));
	if (form_is_filtered(show->wish) || show->wish->one)
		fputs("<p>Only a part of what there is was asked for.</p>\n", out);
	if (page->all_cut)
		fprintf(out,
			"<p class=\"bad\">Not all is in this page: it holds the first %s mappings "
			"and %s tables. Each device's own line, and its picture, say what is left "
			"out. --device, --iova or --output json have the rest.</p>\n",
			grouped(MAX_MAPPINGS, text), grouped(MAX_TABLES, number));
	fputs("<div class=\"tiles\">\n", out);
	html_tile(out, grouped(show->devices, text), "devices and PASIDs");
	html_tile(out, grouped(page->spaces, text), "address spaces with tables");
	html_tile(out, short_bytes((double)page->all_mapped, text), "mapped, shared ones once");
	html_tile(out, grouped(page->all_mappings, text), "mappings");
	html_tile(out, grouped(page->all_tables, text), "tables");
	html_tile(out, short_bytes((double)page->all_table_bytes, text), "of tables");
	fputs("</div>\n<noscript><p class=\"bad\">All below wants JavaScript; "
	      "--output tree and tsv don't.</p></noscript>\n<div id=\"app\"></div>\n",
	      out);
}

static void put_part(struct page *page, enum part part, const char *name, FILE *out)
{
	fprintf(out, "\"%s\":[", name);
	fwrite(page->text[part], 1, page->bytes[part], out);
	fputs("],\n", out);
}

static int html_form_end(struct show *show)
{
	struct page *page = show->own;
	FILE *out = show->stream;

	for (unsigned i = 0; i < NR_PARTS; i++)
		if (fflush(page->parts[i]) || ferror(page->parts[i]))
			return -ENOMEM;
	html_begin(out, "iopt decode", decode_page_css);
	put_head(show, out);
	/* Nothing in it is anybody's text: it can hold no end tag. */
	fputs("<script type=\"application/json\" id=\"data\">{", out);
	put_part(page, DEVICES, "devices", out);
	put_part(page, SPACES, "spaces", out);
	put_part(page, TROUBLES, "troubles", out);
	fprintf(out, "\"nr_troubles\":%" PRIu64 "}</script>\n", show->troubles);
	fprintf(out, "<script>%s%s%s</script>\n", decode_data_js, decode_picture_js,
		decode_page_js);
	html_end(out);
	return 0;
}

static void html_form_free(struct show *show)
{
	struct page *page = show->own;

	for (unsigned i = 0; page && i < NR_PARTS; i++) {
		if (page->parts[i])
			fclose(page->parts[i]);
		free(page->text[i]);
	}
	free(page);
}

const struct form form_html = {
	.name = "html",
	.devices = FORM_ALL,
	.once = true,
	.apart = true,
	.sums = true,
	.begin = html_form_begin,
	.device = html_form_device,
	.mapping = html_form_mapping,
	.table = html_form_table,
	.trouble = html_form_trouble,
	.device_end = html_form_device_end,
	.end = html_form_end,
	.free = html_form_free,
};
