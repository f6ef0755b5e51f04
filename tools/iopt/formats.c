/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt formats`: the page-table formats, from the descriptions that the engine itself uses.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iopt/iopt.h>

#include "tools/iopt/command.h"

static const struct {
	uint32_t ability;
	const char *name;
} abilities[] = {
	{ IOPT_CAN_TRACK_DIRTY, "dirty" },
	{ IOPT_CAN_ACCESSED_TABLES, "accessed-tables" },
	{ IOPT_CAN_GROW, "grow" },
	{ IOPT_CAN_RUNS, "runs" },
	{ IOPT_CAN_SIGN_EXTEND, "sign-extend" },
	{ IOPT_CAN_WRITE_ONLY, "write-only" },
	{ IOPT_CAN_EXEC, "exec" },
	{ IOPT_CAN_PRIV, "priv" },
	{ IOPT_CAN_SNOOP, "snoop" },
	{ IOPT_CAN_RESIZE, "resize" },
	{ IOPT_CAN_MEMORY_TYPES, "memory-types" },
	{ IOPT_CAN_UPPER, "upper" },
	{ IOPT_CAN_BBM, "bbm" },
	{ IOPT_CAN_UNCACHED, "uncached" },
	{ IOPT_CAN_TRIM, "trim" },
	{ IOPT_ALWAYS_RW, "always-rw" },
};

#define NR_ABILITIES (sizeof(abilities) / sizeof(abilities[0]))

unsigned format_iova_bits(const struct iopt_format_info *info, unsigned levels)
{
	unsigned bits = info->granule_lg2 + levels * info->index_lg2 + info->top_lg2;
	unsigned most = info->iova_lg2 ? info->iova_lg2 : 64;

	return bits > most ? most : bits;
}

/* Where a format stands in nested translation. */
static const char *nested_text(const struct iopt_format_info *info)
{
	static const char *const texts[] = { "-", "stage 1", "stage 2" };

	return texts[info->stage];
}

static void range_text(char *text, size_t bytes, unsigned low, unsigned high)
{
	if (low == high)
		snprintf(text, bytes, "%u", low);
	else
		snprintf(text, bytes, "%u-%u", low, high);
}

/* Sizes as a list; a row of neighbouring powers of two as "4K..1G". */
static void sizes_text(char *text, size_t bytes, uint64_t sizes)
{
	char low_text[SIZE_TEXT_BYTES], high_text[SIZE_TEXT_BYTES];
	size_t at = 0;

	text[0] = '\0';
	for (unsigned low = 0; low < 64; low++) {
		unsigned high = low;

		if (!(sizes >> low & 1))
			continue;
		while (high < 63 && sizes >> (high + 1) & 1)
			high++;
		size_text(1ULL << low, low_text);
		size_text(1ULL << high, high_text);
		at += (size_t)snprintf(text + at, bytes - at, "%s%s%s%s", at ? " " : "", low_text,
				       high == low ? "" : "..", high == low ? "" : high_text);
		low = high;
	}
}

static void print_row(const struct iopt_format_info *info)
{
	char levels[16], bits[16], sizes[256], table[SIZE_TEXT_BYTES];

	range_text(levels, sizeof(levels), info->min_levels, info->max_levels);
	range_text(bits, sizeof(bits), format_iova_bits(info, info->min_levels),
		   format_iova_bits(info, info->max_levels));
	sizes_text(sizes, sizeof(sizes), info->page_sizes);
	size_text(1ULL << (info->index_lg2 + info->entry_lg2), table);
	printf("%-15s  %-40s  %-15s  %-7s  %6s  %7u  %9s  %7u  %5u  %5s  %-25s ", info->name,
	       info->title, info->walkers ? info->walkers : "-", nested_text(info), levels,
	       info->default_levels, bits, info->pa_lg2, 8u << info->entry_lg2, table, sizes);
	for (size_t i = 0; i < NR_ABILITIES; i++)
		if (info->abilities & abilities[i].ability)
			printf(" %s", abilities[i].name);
	putchar('\n');
}

static struct json_object *json_row(const struct iopt_format_info *info)
{
	struct json_object *row = json_object_new_object();
	struct json_object *sizes = json_object_new_array();
	struct json_object *can = json_object_new_array();

	json_object_object_add(row, "name", json_object_new_string(info->name));
	json_object_object_add(row, "title", json_object_new_string(info->title));
	if (info->walkers)
		json_object_object_add(row, "walkers", json_object_new_string(info->walkers));
	if (info->stage)
		json_object_object_add(row, "stage", json_object_new_int(info->stage));
	json_object_object_add(row, "min_levels", json_object_new_int(info->min_levels));
	json_object_object_add(row, "max_levels", json_object_new_int(info->max_levels));
	json_object_object_add(row, "default_levels", json_object_new_int(info->default_levels));
	json_object_object_add(row, "iova_bits_min",
			       json_object_new_int((int)format_iova_bits(info, info->min_levels)));
	json_object_object_add(row, "iova_bits_max",
			       json_object_new_int((int)format_iova_bits(info, info->max_levels)));
	json_object_object_add(row, "pa_bits", json_object_new_int(info->pa_lg2));
	json_object_object_add(row, "entry_bytes", json_object_new_int(1 << info->entry_lg2));
	json_object_object_add(row, "table_bytes",
			       json_object_new_int(1 << (info->index_lg2 + info->entry_lg2)));
	for (unsigned lg2 = 0; lg2 < 64; lg2++)
		if (info->page_sizes >> lg2 & 1)
			json_object_array_add(sizes, json_object_new_uint64(1ULL << lg2));
	json_object_object_add(row, "page_sizes", sizes);
	for (size_t i = 0; i < NR_ABILITIES; i++)
		if (info->abilities & abilities[i].ability)
			json_object_array_add(can, json_object_new_string(abilities[i].name));
	json_object_object_add(row, "abilities", can);
	return row;
}

static error_t parser(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	switch (key) {
	case 'j': *json = true; return 0;
	case ARGP_KEY_ARG:
		usage_error("iopt formats", "unexpected argument '%s', expected none", arg);
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print an array of objects instead of a table", 0 },
	{ 0 },
};

static const struct argp argp = {
	options, parser,
	NULL,	 "List the page-table formats: levels, address widths, leaf sizes, abilities.",
	NULL,	 NULL,
	NULL,
};

int command_formats(int argc, char **argv)
{
	struct json_object *list;
	bool json = false;

	parse_arguments(&argp, argc, argv, 0, NULL, &json);
	if (!json) {
		printf("%-15s  %-40s  %-15s  %-7s  %6s  %7s  %9s  %7s  %5s  %5s  %-25s  %s\n",
		       "format", "of", "checked against", "nested", "levels", "default",
		       "IOVA bits", "PA bits", "entry", "table", "leaf sizes", "abilities");
		for (size_t i = 0; iopt_format_info(i); i++)
			print_row(iopt_format_info(i));
		return EXIT_OKAY;
	}
	list = json_object_new_array();
	for (size_t i = 0; iopt_format_info(i); i++)
		json_object_array_add(list, json_row(iopt_format_info(i)));
	puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
	return EXIT_OKAY;
}
