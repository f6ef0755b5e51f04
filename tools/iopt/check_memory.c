/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See check.h: sets of ranges, and what only all tables together show: memory that devices can
 * write and should not, or that several can. Everything is sorted and gone through in order: no
 * page by page, and no device against each other one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tools/iopt/check.h"
#include "tools/iopt/command.h"

/* ---- ranges -------------------------------------------------------------------------------- */

static int by_first(const void *a, const void *b)
{
	const struct check_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static bool touches(const struct check_range *range, uint64_t first)
{
	return first >= range->first && (first <= range->last || first - 1 == range->last);
}

void check_ranges_sort(struct check_ranges *ranges)
{
	size_t kept = 0;

	if (!ranges->nr)
		return;
	qsort(ranges->list, ranges->nr, sizeof(*ranges->list), by_first);
	for (size_t i = 1; i < ranges->nr; i++) {
		const struct check_range *next = &ranges->list[i];

		if (!touches(&ranges->list[kept], next->first))
			ranges->list[++kept] = *next;
		else if (next->last > ranges->list[kept].last)
			ranges->list[kept].last = next->last;
	}
	ranges->nr = kept + 1;
}

/* Sorting may make room; it does so at least every half of the room, or there is more then. */
static int ranges_grow(struct check_ranges *ranges)
{
	size_t room = ranges->room ? 2 * ranges->room : 64;
	struct check_range *more;

	check_ranges_sort(ranges);
	if (ranges->nr < ranges->room / 2)
		return 0;
	more = realloc(ranges->list, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	ranges->list = more;
	ranges->room = room;
	return 0;
}

int check_ranges_add(struct check_ranges *ranges, uint64_t first, uint64_t last, uint64_t iova)
{
	struct check_range *newest = ranges->nr ? &ranges->list[ranges->nr - 1] : NULL;

	if (newest && touches(newest, first)) {
		if (last > newest->last)
			newest->last = last;
		return 0;
	}
	if (ranges->nr == ranges->room && ranges_grow(ranges))
		return -ENOMEM;
	ranges->list[ranges->nr++] = (struct check_range){ first, last, iova };
	return 0;
}

/* The first one that does not end before an address; @ranges->nr: there is none. */
static size_t ranges_from(const struct check_ranges *ranges, uint64_t first)
{
	size_t low = 0, high = ranges->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->list[middle].last < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- which leaf it is ---------------------------------------------------------------------- */

/** struct search - for a leaf that leads to @pa and may be written */
struct search {
	uint64_t pa;
	struct check_place place;
};

static int take_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct search *search = ctx;

	if (!(leaf->prot & IOPT_WRITE) || search->pa < leaf->pa ||
	    search->pa - leaf->pa > leaf->last - leaf->first)
		return 0;
	search->place = (struct check_place){
		.iova = leaf->first + (search->pa - leaf->pa),
		.level = leaf->level,
		.entry_pa = leaf->entry_pa,
		.entry = leaf->entry,
		.has_entry = true,
	};
	return 1;
}

/*
 * By which entry an address space may write to an address: where it is likely, or anywhere. If it
 * passes through, by the device's own.
 */
static struct check_place locate(const struct check *check, uint32_t space,
				 const struct check_range *range, uint64_t pa)
{
	const struct iopt_decode_device *device = &check->spaces[space].device;
	const uint64_t likely = range->iova + (pa - range->first);
	struct search search = { .pa = pa, .place.level = IOPT_MAX_LEVELS };
	const struct iopt_decode_visitor visitor = { .ctx = &search, .leaf = take_leaf };

	if (!device->format)
		return (struct check_place){ 0, IOPT_MAX_LEVELS, device->entry_pa, 0, true };
	if (iopt_decode_tables(&check->source, device, likely, likely, &visitor) <= 0)
		iopt_decode_tables(&check->source, device, 0, UINT64_MAX, &visitor);
	return search.place;
}

/* ---- memory that is not to be written ------------------------------------------------------ */

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_x86(const struct check *check)
{
	return check->source.unit == IOPT_DECODE_VTD || check->source.unit == IOPT_DECODE_AMD;
}

static void found_in_area(struct check *check, uint32_t space, const struct check_range *range,
			  const struct check_area *area)
{
	const uint64_t first = larger(range->first, area->span.first);
	const uint64_t last = smaller(range->last, area->span.last);
	struct check_finding *finding;
	struct check_place place;

	finding = check_found(check, area->kind, space, NULL);
	check_add_bytes(check, area->kind, space, last - first + 1);
	if (!finding)
		return;
	place = locate(check, space, range, first);
	finding->place = place;
	/* Elsewhere doorbells are mapped on purpose: whose is a matter of which device it is. */
	if (area->kind == CHECK_WRITES_MSI && !is_x86(check))
		finding->severity = CHECK_WARNING;
	check_say(finding, "it leads to 0x%" PRIx64 ", of 0x%" PRIx64 "..0x%" PRIx64, first,
		  area->span.first, area->span.last);
}

/* What a table is, for people; it is aligned to 4, 16 or 64 KiB, and the address is in it. */
static void say_table(const struct check *check, struct check_finding *finding, uint64_t pa)
{
	const uint64_t *table = NULL;
	char text[MAPPINGS_DEVICE_BYTES];

	for (unsigned lg2 = 12; !table && lg2 <= 16; lg2 += 2)
		table = key_map_find(&check->tables, pa >> lg2 << lg2);
	if (table)
		check_say(finding, "it leads to 0x%" PRIx64 ", a table of level %u of %s", pa,
			  (unsigned)(*table & 7),
			  mappings_device_text(check->spaces[*table >> 3].device.id, text));
	else
		check_say(finding, "it leads to 0x%" PRIx64 ", of what leads to tables", pa);
}

/* Do they hold tables? @sums: bytes of all holders before each. */
static void find_tables(struct check *check, uint32_t space, const struct check_range *range,
			const uint64_t *sums)
{
	const struct check_ranges *holders = &check->holders;
	const size_t begin = ranges_from(holders, range->first);
	struct check_finding *finding;
	uint64_t first, bytes;
	size_t end;

	if (begin == holders->nr || holders->list[begin].first > range->last)
		return;
	end = ranges_from(holders, range->last);
	end += end < holders->nr && holders->list[end].first <= range->last;
	first = larger(range->first, holders->list[begin].first);
	bytes = sums[end] - sums[begin] - (first - holders->list[begin].first);
	if (holders->list[end - 1].last > range->last)
		bytes -= holders->list[end - 1].last - range->last;
	finding = check_found(check, CHECK_WRITES_TABLES, space, NULL);
	check_add_bytes(check, CHECK_WRITES_TABLES, space, bytes);
	if (!finding)
		return;
	finding->place = locate(check, space, range, first);
	say_table(check, finding, first);
}

/* sums[n]: bytes of the first n holders. */
static uint64_t *sum_holders(const struct check_ranges *holders)
{
	uint64_t *sums = calloc(holders->nr + 1, sizeof(*sums));

	for (size_t i = 0; sums && i < holders->nr; i++)
		sums[i + 1] = sums[i] + (holders->list[i].last - holders->list[i].first + 1);
	return sums;
}

static void find_in_areas(struct check *check, uint32_t space, const struct check_range *range)
{
	for (size_t i = 0; i < check->nr_areas; i++) {
		const struct check_area *area = &check->areas[i];

		if (range->first <= area->span.last && range->last >= area->span.first)
			found_in_area(check, space, range, area);
	}
}

/* Who passes through is told of as that, and of nothing else but what was asked for. */
static void find_protected(struct check *check, uint32_t space)
{
	const struct check_range all = { 0, UINT64_MAX, 0 };

	for (size_t i = 0; i < check->nr_areas; i++)
		if (check->areas[i].kind == CHECK_WRITES_PROTECTED)
			found_in_area(check, space, &all, &check->areas[i]);
}

/* ---- memory that several can write --------------------------------------------------------- */

/** struct claim - a range of an address space's */
struct claim {
	const struct check_range *range;
	uint32_t space;
};

static int by_range(const void *a, const void *b)
{
	return by_first(((const struct claim *)a)->range, ((const struct claim *)b)->range);
}

/*
 * PASIDs of one device, and halves of an address space, are one device's; the same tables are one
 * owner's, and all that nobody asked for is.
 */
static bool is_same_owner(const struct check *check, const struct claim *a, const struct claim *b)
{
	const struct check_space *x = &check->spaces[a->space], *y = &check->spaces[b->space];

	return (x->device.id == y->device.id && !x->several && !y->several) ||
	       (a->space >= check->first_other && b->space >= check->first_other) ||
	       same_tables(&x->device, &y->device);
}

static void found_two(struct check *check, const struct claim *a, const struct claim *b)
{
	const uint64_t first = larger(a->range->first, b->range->first);
	const uint64_t last = smaller(a->range->last, b->range->last);
	const struct claim *newer = a->space > b->space ? a : b, *older = newer == a ? b : a;
	struct check_finding *finding;
	char device[MAPPINGS_DEVICE_BYTES];

	/* What is no memory is told as that: the interrupts' doorbell, for one, is all devices'. */
	if (!dump_has(check->dump, first, first) && !dump_has(check->dump, last, last))
		return;
	finding =
		check_found_between(check, CHECK_WRITABLE_BY_TWO, newer->space, older->space, NULL);
	check_add_bytes(check, CHECK_WRITABLE_BY_TWO, newer->space, last - first + 1);
	if (!finding)
		return;
	finding->place = locate(check, newer->space, newer->range, first);
	check_say(finding, "0x%" PRIx64 "..0x%" PRIx64 ", which %s writes at iova 0x%" PRIx64,
		  first, last, mappings_device_text(check->spaces[older->space].device.id, device),
		  locate(check, older->space, older->range, first).iova);
}

/*
 * In ascending order of where they begin. What a claim shares with any before it, it shares with
 * the one of these that reaches farthest, or, if that one is the same device's, with the one that
 * does so among the others.
 */
static void compare_claims(struct check *check, const struct claim *claims, size_t nr)
{
	const struct claim *farthest = NULL, *other = NULL;

	for (const struct claim *claim = claims; claim < claims + nr; claim++) {
		const struct claim *rival = farthest;

		if (rival && is_same_owner(check, rival, claim))
			rival = other;
		if (rival && rival->range->last >= claim->range->first)
			found_two(check, rival, claim);
		if (!farthest || claim->range->last > farthest->range->last) {
			if (farthest && !is_same_owner(check, farthest, claim))
				other = farthest;
			farthest = claim;
		} else if (!is_same_owner(check, farthest, claim) &&
			   (!other || claim->range->last > other->range->last)) {
			other = claim;
		}
	}
}

static int find_shared(struct check *check)
{
	struct claim *claims;
	size_t nr = 0;

	for (uint32_t i = 0; i < check->nr_spaces; i++)
		nr += check->spaces[i].writes.nr;
	claims = nr ? malloc(nr * sizeof(*claims)) : NULL;
	if (!claims)
		return nr ? -ENOMEM : 0;
	nr = 0;
	for (uint32_t i = 0; i < check->nr_spaces; i++)
		for (size_t j = 0; j < check->spaces[i].writes.nr; j++)
			claims[nr++] = (struct claim){ &check->spaces[i].writes.list[j], i };
	qsort(claims, nr, sizeof(*claims), by_range);
	compare_claims(check, claims, nr);
	free(claims);
	return 0;
}

int check_memory(struct check *check)
{
	uint64_t *sums;

	check_ranges_sort(&check->holders);
	sums = sum_holders(&check->holders);
	if (!sums)
		return -ENOMEM;
	for (uint32_t i = 0; i < check->nr_spaces; i++) {
		const struct check_ranges *writes = &check->spaces[i].writes;
		const struct iopt_decode_device *device = &check->spaces[i].device;

		if (!device->format && device->prot & IOPT_WRITE)
			find_protected(check, i);
		check_ranges_sort(&check->spaces[i].writes);
		for (size_t j = 0; j < writes->nr; j++) {
			find_tables(check, i, &writes->list[j], sums);
			find_in_areas(check, i, &writes->list[j]);
		}
	}
	free(sums);
	return find_shared(check);
}
