/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt diff`: what changed between two dumps: mappings that appeared, went, lead elsewhere or have
 * other permissions, device by device. Two dumps may have it in leaves of other sizes: what counts
 * is where addresses lead.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/mappings.h"
#include "tools/iopt/where.h"

#define NAME "iopt diff"

/** struct piece - addresses that lead to neighbouring memory, with the same permissions */
struct piece {
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	uint8_t prot;
};

/**
 * struct space - what one device reaches with one PASID
 * @device: as found
 * @pieces: in ascending order, @nr of them, room for @room
 */
struct space {
	struct iopt_decode_device device;
	struct piece *pieces;
	size_t nr;
	size_t room;
};

/**
 * struct side - all of one dump
 * @source: where it is read from
 * @spaces: in ascending order of devices and PASIDs, @nr of them
 * @troubles: what was wrong or missing
 */
struct side {
	struct iopt_decode_source source;
	struct space *spaces;
	size_t nr;
	uint64_t troubles;
};

/**
 * struct changes - of one device, and of all
 * @shown: a line was printed for this device
 * @bytes: that appeared, went, moved, and changed permissions
 */
enum change { APPEARED, WENT, MOVED, PERMITTED, NR_CHANGES };

struct changes {
	bool tsv;
	bool shown;
	uint64_t bytes[NR_CHANGES];
	uint64_t lines;
};

/* ---- one dump ------------------------------------------------------------------------------ */

static struct space *last_space(struct side *side)
{
	return &side->spaces[side->nr - 1];
}

static int add_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct space *space = last_space(ctx);
	struct piece *last = space->nr ? &space->pieces[space->nr - 1] : NULL, *more;
	const uint8_t prot = leaf->prot & (IOPT_READ | IOPT_WRITE | IOPT_EXEC);

	if (last && last->last + 1 == leaf->first && last->prot == prot &&
	    last->pa + (last->last - last->first) + 1 == leaf->pa) {
		last->last = leaf->last;
		return 0;
	}
	if (space->nr == space->room) {
		space->room = space->room ? 2 * space->room : 64;
		more = realloc(space->pieces, space->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		space->pieces = more;
	}
	space->pieces[space->nr++] = (struct piece){ leaf->first, leaf->last, leaf->pa, prot };
	return 0;
}

static void add_trouble(void *ctx, const struct iopt_decode_device *device,
			const struct iopt_decode_trouble *trouble)
{
	struct side *side = ctx;

	(void)device;
	(void)trouble;
	side->troubles++;
}

/* Halves of an address space come as two: they are one here. */
static bool is_same(const struct iopt_decode_device *a, const struct iopt_decode_device *b)
{
	return a->id == b->id && a->pasid == b->pasid;
}

static int add_space(struct side *side, const struct iopt_decode_device *device)
{
	struct space *more;

	if (side->nr && is_same(&last_space(side)->device, device))
		return 0;
	more = realloc(side->spaces, (side->nr + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	side->spaces = more;
	side->spaces[side->nr++] = (struct space){ .device = *device };
	return 0;
}

static int add_device(void *ctx, const struct iopt_decode_device *device)
{
	struct side *side = ctx;
	const struct iopt_decode_visitor visitor = {
		.ctx = side,
		.leaf = add_leaf,
		.trouble = add_trouble,
	};
	/* What passes through is all of memory, where it is. */
	const struct iopt_decode_leaf all = { .last = ~0ull, .prot = device->prot };
	int error = add_space(side, device);

	if (error)
		return error;
	if (device->path == IOPT_DECODE_PASSES)
		return add_leaf(side, &all);
	return iopt_decode_tables(&side->source, device, 0, UINT64_MAX, &visitor);
}

static int by_device(const void *a, const void *b)
{
	const struct iopt_decode_device *x = &((const struct space *)a)->device;
	const struct iopt_decode_device *y = &((const struct space *)b)->device;
	/* Requests without a PASID first. */
	const uint64_t i = (uint64_t)x->id << 32 | (uint32_t)(x->pasid + 1);
	const uint64_t j = (uint64_t)y->id << 32 | (uint32_t)(y->pasid + 1);

	return i < j ? -1 : i > j;
}

static bool read_side(struct side *side)
{
	const struct iopt_decode_visitor visitor = {
		.ctx = side,
		.device = add_device,
		.trouble = add_trouble,
	};

	if (iopt_decode_devices(&side->source, &visitor))
		return false;
	if (side->nr)
		qsort(side->spaces, side->nr, sizeof(*side->spaces), by_device);
	return true;
}

static void free_side(struct side *side)
{
	for (size_t i = 0; i < side->nr; i++)
		free(side->spaces[i].pieces);
	free(side->spaces);
}

/* ---- two of them --------------------------------------------------------------------------- */

static void print_device(struct changes *changes, const struct iopt_decode_device *device)
{
	char text[MAPPINGS_DEVICE_BYTES];

	if (changes->shown || changes->tsv)
		return;
	changes->shown = true;
	printf("%s%s", changes->lines ? "\n" : "", mappings_device_text(device->id, text));
	if (device->pasid != IOPT_DECODE_NO_PASID)
		printf("  pasid %" PRIu32, device->pasid);
	putchar('\n');
}

/* Of first..last, which may be all that there are. */
static const char *length_text(uint64_t first, uint64_t last, char text[SIZE_TEXT_BYTES])
{
	return last - first == UINT64_MAX ? "all" : size_text(last - first + 1, text);
}

static const char *bytes_text(uint64_t first, uint64_t last, char text[SIZE_TEXT_BYTES])
{
	if (last - first == UINT64_MAX)
		return "18446744073709551616";
	snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64, last - first + 1);
	return text;
}

static void print_tsv(const struct iopt_decode_device *device, const char *what, uint64_t first,
		      uint64_t last, const struct piece *old, const struct piece *new)
{
	char text[MAPPINGS_DEVICE_BYTES], perm[MAPPINGS_PERM_BYTES], bytes[SIZE_TEXT_BYTES];

	printf("%s\t%s\t", what, mappings_device_text(device->id, text));
	if (device->pasid == IOPT_DECODE_NO_PASID)
		printf("-\t");
	else
		printf("%" PRIu32 "\t", device->pasid);
	printf("0x%" PRIx64 "\t%s", first, bytes_text(first, last, bytes));
	if (old)
		printf("\t0x%" PRIx64 "\t%s", old->pa + (first - old->first),
		       mappings_perm_text(old->prot, perm));
	else
		printf("\t-\t-");
	if (new)
		printf("\t0x%" PRIx64 "\t%s\n", new->pa + (first - new->first),
		       mappings_perm_text(new->prot, perm));
	else
		printf("\t-\t-\n");
}

/* The same addresses, first..last, in one of them or in both. */
static void print_change(struct changes *changes, const struct iopt_decode_device *device,
			 uint64_t first, uint64_t last, const struct piece *old,
			 const struct piece *new)
{
	static const char *const names[] = { "appeared", "went", "moved", "permissions" };
	const enum change change = !old						  ? APPEARED
				   : !new					  ? WENT
				   : old->pa - old->first != new->pa - new->first ? MOVED
										  : PERMITTED;
	const struct piece *either = old ? old : new;
	char size[SIZE_TEXT_BYTES], perm[MAPPINGS_PERM_BYTES];

	if (old && new && old->pa - old->first == new->pa - new->first && old->prot == new->prot)
		return;
	print_device(changes, device);
	changes->bytes[change] += last - first + (last - first != UINT64_MAX);
	changes->lines++;
	if (changes->tsv) {
		print_tsv(device, names[change], first, last, old, new);
		return;
	}
	printf("  %-11s  0x%012" PRIx64 "..0x%012" PRIx64 "  %8s  0x%012" PRIx64 " %s",
	       names[change], first, last, length_text(first, last, size),
	       either->pa + (first - either->first), mappings_perm_text(either->prot, perm));
	if (old && new)
		printf(" -> 0x%012" PRIx64 " %s", new->pa + (first - new->first),
		       mappings_perm_text(new->prot, perm));
	putchar('\n');
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Both in ascending order: stretch by stretch, in which neither begins or ends. */
static void compare_pieces(struct changes *changes, const struct space *a, const struct space *b)
{
	const struct space none = { 0 };
	const struct iopt_decode_device *device = a ? &a->device : &b->device;
	const struct piece *old, *new, *old_end, *new_end;
	uint64_t at = 0;

	a = a ? a : &none;
	b = b ? b : &none;
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
		print_change(changes, device, first, last, in_old ? old : NULL,
			     in_new ? new : NULL);
		old += in_old && old->last == last;
		new += in_new &&new->last == last;
		at = last + 1;
	}
}

static void compare_sides(struct changes *changes, const struct side *a, const struct side *b)
{
	size_t i = 0, j = 0;

	while (i < a->nr || j < b->nr) {
		int order = i == a->nr	 ? 1
			    : j == b->nr ? -1
					 : by_device(&a->spaces[i], &b->spaces[j]);

		changes->shown = false;
		compare_pieces(changes, order <= 0 ? &a->spaces[i] : NULL,
			       order >= 0 ? &b->spaces[j] : NULL);
		i += order <= 0;
		j += order >= 0;
	}
}

static void print_sum(const struct changes *changes)
{
	static const char *const names[] = { "appeared", "went", "lead elsewhere",
					     "have other permissions" };
	char text[SIZE_TEXT_BYTES];
	bool more = false;

	for (unsigned i = 0; i < NR_CHANGES; i++) {
		if (!changes->bytes[i])
			continue;
		printf("%s%s %s",
		       more		? ", "
		       : changes->lines ? "\n"
					: "",
		       amount_text(changes->bytes[i], text), names[i]);
		more = true;
	}
	puts(more ? "" : "no change");
}

/* ---- arguments ----------------------------------------------------------------------------- */

struct arguments {
	const char *paths[WHERE_SOURCES];
	unsigned nr_paths;
	struct where where;
	bool tsv;
};

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->where; return 0;
	case 'o':
		if (strcmp(arg, "text") && strcmp(arg, "tsv"))
			usage_error(NAME, "--output: '%s', expected text or tsv", arg);
		arguments->tsv = !strcmp(arg, "tsv");
		return 0;
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
	  "pa and perm",
	  0 },
	{ 0 },
};

static const struct argp argp = {
	options,
	parser,
	"OLD NEW",
	"Show what changed between two dumps of memory in what each device behind an IOMMU can "
	"reach. Dumps are as `iopt decode' takes them.\v"
	"Exit status: 0 if nothing changed, 1 if something did or could not be read, 2 for the "
	"command line.",
	where_children,
	NULL,
	NULL,
};

int command_diff(int argc, char **argv)
{
	struct arguments arguments = { .where.command = NAME };
	struct side sides[WHERE_SOURCES] = { 0 };
	struct changes changes = { 0 };
	bool good = true;

	parse_arguments(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.nr_paths != WHERE_SOURCES)
		usage_error(NAME, "expected two dumps, OLD and NEW");
	where_check(&arguments.where, WHERE_SOURCES);
	changes.tsv = arguments.tsv;
	for (unsigned i = 0; good && i < WHERE_SOURCES; i++) {
		struct dump *dump =
			where_open(&arguments.where, i, arguments.paths[i], &sides[i].source);

		good = dump;
		if (dump && !read_side(&sides[i])) {
			content_error("%s: %s", arguments.paths[i], strerror(ENOMEM));
			good = false;
		}
		if (good && sides[i].troubles)
			content_error("%s: %" PRIu64 " wrong or missing, see iopt decode",
				      arguments.paths[i], sides[i].troubles);
		dump_close(dump);
	}
	if (good) {
		compare_sides(&changes, &sides[0], &sides[1]);
		if (!changes.tsv)
			print_sum(&changes);
	}
	for (unsigned i = 0; i < WHERE_SOURCES; i++)
		free_side(&sides[i]);
	if (fflush(stdout) || ferror(stdout))
		return content_error("standard output: %s", strerror(errno));
	return good && !changes.lines && !sides[0].troubles && !sides[1].troubles ? EXIT_OKAY
										  : EXIT_CONTENT;
}
