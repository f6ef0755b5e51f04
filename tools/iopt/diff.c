/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt diff`: what changed between two dumps, or since one: mappings that appeared, went, lead
 * elsewhere or have other permissions, tables, and what devices' own entries say. Of mappings leaf
 * sizes do not matter: what counts is where addresses lead.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/diff.h"
#include "tools/iopt/where.h"

#define NAME "iopt diff"

/* ---- mappings ------------------------------------------------------------------------------ */

/* The same addresses, first..last, in one of them or in both. */
static void tell_mapping(struct changes *changes, const struct iopt_decode_device *device,
			 uint64_t first, uint64_t last, const struct piece *old,
			 const struct piece *new)
{
	const enum change change = !old						  ? APPEARED
				   : !new					  ? WENT
				   : old->pa - old->first != new->pa - new->first ? MOVED
										  : PERMITTED;

	if (old && new && old->pa - old->first == new->pa - new->first && old->prot == new->prot)
		return;
	changes->form->mapping(changes, device, change, first, last, old, new);
	changes->shown = true;
	changes->bytes[change] += last - first + (last - first != UINT64_MAX);
	changes->nr++;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Both in ascending order: stretch by stretch, in which neither begins or ends. */
static void compare_pieces(struct changes *changes, const struct space *a, const struct space *b)
{
	const struct iopt_decode_device *device = &(a->nr ? a : b)->device;
	const struct piece *old, *new, *old_end, *new_end;
	uint64_t at = 0;

	old = a->pieces, old_end = old + a->nr;
	new = b->pieces, new_end = new + b->nr;
	while (old != old_end || new != new_end) {
		uint64_t first = ~0ull, last = ~0ull;
		bool in_old, in_new;

		if (old != old_end)
			first = old->first > at ? old->first : at;
		if (new != new_end)
			first = smaller(first, new->first > at ? new->first : at);
		in_old = old != old_end && old->first <= first;
		in_new = new != new_end &&new->first <= first;
		if (old != old_end)
			last = in_old ? old->last : old->first - 1;
		if (new != new_end)
			last = smaller(last, in_new ? new->last : new->first - 1);
		tell_mapping(changes, device, first, last, in_old ? old : NULL,
			     in_new ? new : NULL);
		old += in_old && old->last == last;
		new += in_new &&new->last == last;
		at = last + 1;
	}
}

/* ---- tables -------------------------------------------------------------------------------- */

static int table_order(const struct iopt_decode_table *a, const struct iopt_decode_table *b)
{
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->level > b->level ? -1 : a->level < b->level;
}

static void tell_table(struct changes *changes, const struct iopt_decode_device *device,
		       const struct iopt_decode_table *old, const struct iopt_decode_table *new)
{
	const enum change change = !old ? APPEARED : !new ? WENT : MOVED;

	if (old && new && old->pa == new->pa)
		return;
	changes->form->table(changes, device, change, old, new);
	changes->shown = true;
	changes->tables[change]++;
	changes->nr++;
}

/* What is for the same addresses at the same level is the same table. */
static void compare_tables(struct changes *changes, const struct space *a, const struct space *b)
{
	const struct iopt_decode_device *device = &(a->nr_tables ? a : b)->device;
	size_t i = 0, j = 0;

	while (i < a->nr_tables || j < b->nr_tables) {
		int order = i == a->nr_tables	? 1
			    : j == b->nr_tables ? -1
						: table_order(&a->tables[i], &b->tables[j]);

		tell_table(changes, device, order <= 0 ? &a->tables[i] : NULL,
			   order >= 0 ? &b->tables[j] : NULL);
		i += order <= 0;
		j += order >= 0;
	}
}

/* ---- devices ------------------------------------------------------------------------------- */

static bool is_same_stage(const char *old_format, const struct iopt_hw *old, const char *new_format,
			  const struct iopt_hw *new, bool tables)
{
	if (!old_format || !new_format)
		return old_format == new_format;
	return !strcmp(old_format, new_format) && old->levels == new->levels &&
	       (!tables || old->root == new->root);
}

/* What a device's own entry says; where its tables begin only if tables count. */
static bool is_same_device(const struct iopt_decode_device *old,
			   const struct iopt_decode_device *new, bool tables)
{
	return old->path == new->path && old->domain == new->domain &&
	       old->first_domain == new->first_domain &&is_same_stage(
					    old->format, &old->hw, new->format, &new->hw, tables) &&
	       is_same_stage(old->first_format, &old->first_hw, new->first_format, &new->first_hw,
			     tables);
}

static void compare_devices(struct changes *changes, const struct iopt_decode_device *old,
			    const struct iopt_decode_device *new, bool tables)
{
	const enum change change = !old ? APPEARED : !new ? WENT : CHANGED;

	if (old && new &&is_same_device(old, new, tables))
		return;
	changes->form->device(changes, change, old, new);
	changes->shown = true;
	changes->devices[change]++;
	changes->nr++;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void compare_sides(struct changes *changes, const struct side *a, const struct side *b,
			  bool tables)
{
	const struct space none = { 0 };
	size_t i = 0, j = 0;

	while (i < a->nr || j < b->nr) {
		int order = i == a->nr	 ? 1
			    : j == b->nr ? -1
					 : space_order(&a->spaces[i], &b->spaces[j]);
		const struct space *old = order <= 0 ? &a->spaces[i] : &none;
		const struct space *new = order >= 0 ? &b->spaces[j] : &none;

		changes->shown = false;
		compare_devices(changes, order <= 0 ? &old->device : NULL,
				order >= 0 ? &new->device : NULL, tables);
		compare_pieces(changes, old, new);
		if (tables)
			compare_tables(changes, old, new);
		i += order <= 0;
		j += order >= 0;
	}
}

/* ---- arguments ----------------------------------------------------------------------------- */

struct arguments {
	const char *paths[WHERE_SOURCES];
	unsigned nr_paths;
	struct where where;
	const struct diff_form *form;
	bool no_tables;
};

enum { OPT_NO_TABLES = 256 };

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->where; return 0;
	case 'o':
		arguments->form = diff_form_find(arg);
		if (!arguments->form)
			usage_error(NAME, "--output: '%s', expected text, tsv or json", arg);
		return 0;
	case OPT_NO_TABLES: arguments->no_tables = true; return 0;
	case ARGP_KEY_ARG:
		if (arguments->nr_paths == WHERE_SOURCES)
			usage_error(NAME, "unexpected argument '%s', expected two dumps", arg);
		arguments->paths[arguments->nr_paths++] = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "output", 'o', "FORM", 0,
	  "text, for people; tsv: change, device, pasid, iova, size, and before and after it "
	  "pa and perm, of a table its level; json",
	  0 },
	{ "no-tables", OPT_NO_TABLES, NULL, 0,
	  "leave out tables that appeared, went or moved, roots too", 0 },
	{ 0 },
};

static const struct argp argp = {
	options,
	parser,
	"OLD [NEW]",
	"Show what changed between two dumps of memory in what each device behind an IOMMU can "
	"reach. Dumps are as `iopt decode' takes them; with --qmp, NEW is a running machine.\v"
	"Exit status: 0 if nothing changed, 1 if something did or could not be read, 2 for the "
	"command line.",
	where_children,
	NULL,
	NULL,
};

int command_diff(int argc, char **argv)
{
	struct arguments arguments = {
		.where.command = NAME,
		.form = diff_form_find("text"),
	};
	struct side sides[WHERE_SOURCES] = { 0 };
	struct changes changes = { 0 };
	bool good = true;

	parse_arguments(&argp, argc, argv, 0, NULL, &arguments);
	where_add_live(&arguments.where, arguments.paths, WHERE_SOURCES);
	if (!arguments.paths[WHERE_SOURCES - 1])
		usage_error(NAME, "expected two dumps, OLD and NEW, or OLD and --qmp");
	where_check(&arguments.where, WHERE_SOURCES);
	changes.form = arguments.form;
	for (unsigned i = 0; good && i < WHERE_SOURCES; i++) {
		struct dump *dump =
			where_open(&arguments.where, i, arguments.paths[i], &sides[i].source, NULL);

		good = dump;
		if (dump && !side_read(&sides[i])) {
			content_error("%s: %s", arguments.paths[i], strerror(ENOMEM));
			good = false;
		}
		if (good && sides[i].troubles)
			content_error("%s: %" PRIu64 " wrong or missing, see iopt decode",
				      arguments.paths[i], sides[i].troubles);
		good = dump_close(dump) && good;
	}
	if (good) {
		if (changes.form->begin)
			changes.form->begin();
		compare_sides(&changes, &sides[0], &sides[1], !arguments.no_tables);
		if (changes.form->end)
			changes.form->end(&changes);
	}
	for (unsigned i = 0; i < WHERE_SOURCES; i++)
		side_free(&sides[i]);
	if (fflush(stdout) || ferror(stdout))
		return content_error("standard output: %s", strerror(errno));
	return good && !changes.nr && !sides[0].troubles && !sides[1].troubles ? EXIT_OKAY
									       : EXIT_CONTENT;
}
