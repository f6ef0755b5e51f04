/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The table, for people and as JSON. */
#include "bench/bench.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The memory that may lie beside a table, and beside tables for each mapping. */
#define TARGET_BESIDE_TABLE 64
#define TARGET_PER_MAPPING  0

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void processor_name(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(name, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		if (value && !strncmp(line, "model name", 10)) {
			value[strcspn(value, "\n")] = '\0';
			snprintf(name, size, "%s", value + 2);
			break;
		}
	}
	if (file)
		fclose(file);
}

static double ratio(const struct row *row, double (*statistic)(const struct row *, enum side))
{
	return statistic(row, ENGINE) / statistic(row, FLOOR);
}

static bool reaches(const struct row *row, double value)
{
	return row->higher ? value >= row->target : value <= row->target;
}

enum verdict row_verdict(const struct row *row)
{
	if (row->target <= 0)
		return MEASURED;
	if (reaches(row, ratio(row, row_median)))
		return REACHED;
	return reaches(row, ratio(row, row_best)) ? REACHED_AT_BEST : MISSED;
}

static bool memory_reached(const struct memory_result *memory)
{
	return memory->beside_table <= TARGET_BESIDE_TABLE &&
	       memory->per_mapping <= TARGET_PER_MAPPING;
}

bool report_missed(const struct report *report)
{
	for (unsigned i = 0; i < report->nr_scenarios; i++)
		for (unsigned j = 0; j < report->scenarios[i]->nr_rows; j++) {
			const struct row *row = &report->scenarios[i]->rows[j];

			if (row_wanted(row->name) && row_verdict(row) > REACHED)
				return true;
		}
	return report->memory && !memory_reached(report->memory);
}

static const char *verdict_text(enum verdict verdict)
{
	static const char *const texts[] = { "", "yes", "at best", "no" };

	return texts[verdict];
}

/* Four figures, as many of them behind the point as fit. */
static void print_value(double value)
{
	printf(" %9.*f", value < 10 ? 3 : value < 100 ? 2 : value < 1000 ? 1 : 0, value);
}

/* Two figures behind the point, or as many as a small one needs. */
static void print_ratio(double value)
{
	printf(" %6.*f", value < 0.1 ? 4 : 2, value);
}

static void print_row(const struct row *row)
{
	if (!row_wanted(row->name))
		return;
	printf("%-30s", row->name);
	for (enum side side = FLOOR; side < NR_SIDES; side++) {
		print_value(row_median(row, side));
		print_value(row_best(row, side));
	}
	putchar(' ');
	print_ratio(ratio(row, row_median));
	print_ratio(ratio(row, row_best));
	if (row->target > 0)
		printf("  %s%-5g %-8s", row->higher ? ">=" : "<=", row->target,
		       verdict_text(row_verdict(row)));
	else
		printf("  %-16s", "");
	printf(" %s%s%s\n", row->unit, row->base ? "; against " : "", row->base ? row->base : "");
}

static void print_sizes(const struct sizes_result *sizes)
{
	printf("\namd-v1 under dirty tracking, 1 GiB in buffers of one size, 1 %% of its 4K pages "
	       "written (medians)\n");
	printf("%-10s %-14s %10s %10s %14s %8s %18s\n", "buffers", "leaves", "map ns", "unmap ns",
	       "sweep us/GiB", "tables", "reported/written");
	for (unsigned i = 0; i < NR_SIZES; i++)
		printf("%6llu KiB %-14s %10.1f %10.1f %14.1f %8llu %18.2f\n",
		       (unsigned long long)sizes[i].buffer / 1024,
		       sizes[i].all_sizes ? "every power" : "4K, 2M, 1G",
		       samples_median(&sizes[i].map_ns), samples_median(&sizes[i].unmap_ns),
		       samples_median(&sizes[i].sweep_ns) / 1e3,
		       (unsigned long long)sizes[i].tables, sizes[i].reported_per_written);
}

void report_print(const struct report *report)
{
	char name[128];

	processor_name(name, sizeof(name));
	printf("%s, %u processors; %s; %u rounds, seed %llu\n", name, cpus(), COMPILER,
	       bench.rounds, (unsigned long long)report->seed);
	printf("raw limits: fill %.1f GB/s, read %.1f GB/s, compare-and-exchange %.2f ns\n\n",
	       report->limits.fill_gbs, report->limits.read_gbs, report->limits.cas_ns);

	if (report->nr_scenarios) {
		printf("%-30s %19s %19s  %13s\n", "", "floor", "engine", "engine/floor");
		printf("%-30s %9s %9s %9s %9s  %6s %6s  %-7s %s\n", "row", "median", "best",
		       "median", "best", "median", "best", "target", "reached");
	}
	for (unsigned i = 0; i < report->nr_scenarios; i++)
		for (unsigned j = 0; j < report->scenarios[i]->nr_rows; j++)
			print_row(&report->scenarios[i]->rows[j]);
	if (report->memory)
		printf("%-30s %g bytes beside a table of %llu (<=%d), %g for each mapping (<=%d)"
		       "  %s\n",
		       "memory", report->memory->beside_table,
		       (unsigned long long)report->memory->table_bytes, TARGET_BESIDE_TABLE,
		       report->memory->per_mapping, TARGET_PER_MAPPING,
		       memory_reached(report->memory) ? "yes" : "no");
	if (report->sizes)
		print_sizes(report->sizes);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void put_number(struct json_object *object, const char *key, double value)
{
	json_object_object_add(object, key, isfinite(value) ? json_object_new_double(value) : NULL);
}

static void put_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static struct json_object *json_pair(double median, double best)
{
	struct json_object *pair = json_object_new_object();

	put_number(pair, "median", median);
	put_number(pair, "best", best);
	return pair;
}

static struct json_object *json_row(const struct row *row)
{
	struct json_object *object = json_object_new_object();

	put_string(object, "name", row->name);
	put_string(object, "unit", row->unit);
	put_string(object, "better", row->higher ? "higher" : "lower");
	put_string(object, "against", row->base ? row->base : "floor");
	json_object_object_add(object, "floor",
			       json_pair(row_median(row, FLOOR), row_best(row, FLOOR)));
	json_object_object_add(object, "engine",
			       json_pair(row_median(row, ENGINE), row_best(row, ENGINE)));
	json_object_object_add(object, "ratio",
			       json_pair(ratio(row, row_median), ratio(row, row_best)));
	if (row->target > 0) {
		put_number(object, "target", row->target);
		put_string(object, "reached", verdict_text(row_verdict(row)));
	}
	return object;
}

static struct json_object *json_sizes(const struct sizes_result *sizes)
{
	struct json_object *array = json_object_new_array();

	for (unsigned i = 0; i < NR_SIZES; i++) {
		struct json_object *object = json_object_new_object();

		put_number(object, "buffer_bytes", (double)sizes[i].buffer);
		put_string(object, "leaves", sizes[i].all_sizes ? "all" : "4K,2M,1G");
		put_number(object, "map_ns", samples_median(&sizes[i].map_ns));
		put_number(object, "unmap_ns", samples_median(&sizes[i].unmap_ns));
		put_number(object, "sweep_ns_per_gib", samples_median(&sizes[i].sweep_ns));
		put_number(object, "tables", (double)sizes[i].tables);
		put_number(object, "reported_per_written", sizes[i].reported_per_written);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *json_memory(const struct memory_result *memory)
{
	struct json_object *object = json_object_new_object();

	put_number(object, "table_bytes", (double)memory->table_bytes);
	put_number(object, "beside_table", memory->beside_table);
	put_number(object, "per_mapping", memory->per_mapping);
	put_string(object, "reached", memory_reached(memory) ? "yes" : "no");
	return object;
}

static struct json_object *json_limits(const struct limits *limits)
{
	struct json_object *object = json_object_new_object();

	put_number(object, "fill_gb_per_s", limits->fill_gbs);
	put_number(object, "read_gb_per_s", limits->read_gbs);
	put_number(object, "compare_exchange_ns", limits->cas_ns);
	return object;
}

int report_json(const struct report *report, const char *path)
{
	struct json_object *root = json_object_new_object(), *rows = json_object_new_array();
	char name[128];
	int error;

	processor_name(name, sizeof(name));
	put_string(root, "processor", name);
	put_number(root, "processors", cpus());
	put_string(root, "compiler", COMPILER);
	put_number(root, "rounds", bench.rounds);
	json_object_object_add(root, "seed", json_object_new_uint64(report->seed));
	json_object_object_add(root, "limits", json_limits(&report->limits));
	for (unsigned i = 0; i < report->nr_scenarios; i++)
		for (unsigned j = 0; j < report->scenarios[i]->nr_rows; j++) {
			const struct row *row = &report->scenarios[i]->rows[j];

			if (row_wanted(row->name))
				json_object_array_add(rows, json_row(row));
		}
	json_object_object_add(root, "rows", rows);
	if (report->memory)
		json_object_object_add(root, "memory", json_memory(report->memory));
	if (report->sizes)
		json_object_object_add(root, "amd_v1_sizes", json_sizes(report->sizes));

	error = json_object_to_file_ext(path, root, JSON_C_TO_STRING_PRETTY);
	json_object_put(root);
	return error;
}
