/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See check.h: what is seen on the way through the tables of an address space, entry by entry.
 * Nothing is kept of a leaf but the mapping that may still grow, and what of memory may be written.
 * Which address spaces there are is check_spaces.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/check.h"
#include "tools/iopt/command.h"

/* Intel VT-d, section 3.14; Linux 6.12 drivers/iommu/amd/iommu.c, MSI_RANGE_*, HT_RANGE_*. */
#define MSI_FIRST 0xfee00000ull
#define MSI_LAST  0xfeefffffull
#define HT_FIRST  0xfd00000000ull
#define HT_LAST	  0xffffffffffull

/**
 * struct mapping - neighbouring leaves that lead to neighbouring memory, with the same permissions
 * @place: of the first
 * @nr:	   leaves; 0: there is none
 */
struct mapping {
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	uint8_t prot;
	struct check_place place;
	uint64_t nr;
};

/**
 * struct step - a table on the way
 * @entries: how many it has; 0: there was none yet
 * @first:   first address that they translate
 * @shared:  it is another one's, too, or one above it is
 */
struct step {
	uint64_t pa;
	uint64_t entries;
	uint64_t first;
	bool shared;
};

/**
 * struct walk - through the tables of one address space
 * @space:   its number
 * @format:  of its tables; NULL: this build's library has it not
 * @steps:   by level
 * @set, @demanded: marks that the unit sets, and that entries need: MARK_ACCESSED, MARK_DIRTY
 * @pending: not looked at yet: it may grow
 * @leaves, @needed: how many there are and as many as it would take
 */
struct walk {
	struct check *check;
	uint32_t space;
	const struct iopt_format_info *format;
	struct step steps[IOPT_MAX_LEVELS];
	unsigned set;
	unsigned demanded;
	struct mapping pending;
	uint64_t leaves;
	uint64_t needed;
};

static const struct iopt_decode_device *device_of(const struct walk *walk)
{
	return &walk->check->spaces[walk->space].device;
}

/* ---- mappings ------------------------------------------------------------------------------ */

/* As few leaves as a mapping takes: where each may begin, the largest that fits. */
static uint64_t leaves_needed(const struct mapping *mapping, uint64_t sizes)
{
	const uint64_t offset = mapping->pa - mapping->first;
	uint64_t at = mapping->first, nr = 0;

	do {
		const uint64_t left = mapping->last - at;
		uint64_t fit = 0;

		for (uint64_t rest = sizes; rest; rest &= rest - 1) {
			const uint64_t size = rest & -rest;

			if (size - 1 > left || (at | (at + offset)) & (size - 1))
				break;
			fit = size;
		}
		if (!fit)
			return UINT64_MAX;
		nr++;
		if (fit - 1 == left)
			return nr;
		at += fit;
	} while (nr < mapping->nr);
	return UINT64_MAX;
}

/* What was added up on the way, or since the last one. */
static void say_sums(struct walk *walk)
{
	struct check *check = walk->check;
	uint32_t number = check->spaces[walk->space].findings[CHECK_COULD_BE_LARGER];
	char leaves[SIZE_TEXT_BYTES], needed[SIZE_TEXT_BYTES];

	if (number)
		check_say(&check->findings[number - 1], "%s leaves where %s would do",
			  grouped(walk->leaves, leaves), grouped(walk->needed, needed));
	walk->leaves = walk->needed = 0;
}

static void look_at_size(struct walk *walk, const struct mapping *mapping)
{
	uint64_t needed;

	if (!walk->format || mapping->nr < 2)
		return;
	needed = leaves_needed(mapping, walk->format->page_sizes & ~walk->format->wide_sizes);
	if (needed >= mapping->nr)
		return;
	check_found(walk->check, CHECK_COULD_BE_LARGER, walk->space, &mapping->place);
	check_add_bytes(walk->check, CHECK_COULD_BE_LARGER, walk->space,
			mapping->last - mapping->first + 1);
	walk->leaves += mapping->nr;
	walk->needed += needed;
	if (walk->check->all)
		say_sums(walk);
}

/* Addresses that these units take for something else, of requests without a PASID. */
static void look_at_iova(struct walk *walk, const struct mapping *mapping)
{
	static const struct {
		enum check_kind kind;
		struct span span;
		bool amd_only;
	} windows[] = {
		{ CHECK_MSI_IOVA, { MSI_FIRST, MSI_LAST }, false },
		{ CHECK_HT_IOVA, { HT_FIRST, HT_LAST }, true },
	};
	const enum iopt_decode_unit unit = walk->check->source.unit;

	if ((unit != IOPT_DECODE_VTD && unit != IOPT_DECODE_AMD) ||
	    device_of(walk)->pasid != IOPT_DECODE_NO_PASID)
		return;
	for (size_t i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
		struct check_finding *finding;

		if ((windows[i].amd_only && unit != IOPT_DECODE_AMD) ||
		    mapping->first > windows[i].span.last || mapping->last < windows[i].span.first)
			continue;
		finding = check_found(walk->check, windows[i].kind, walk->space, &mapping->place);
		check_say(finding, "of the mapping 0x%" PRIx64 "..0x%" PRIx64, mapping->first,
			  mapping->last);
	}
}

static void look_at_identity(struct walk *walk, const struct mapping *mapping)
{
	if (mapping->first != mapping->pa)
		return;
	check_found(walk->check, CHECK_IDENTITY, walk->space, &mapping->place);
	check_add_bytes(walk->check, CHECK_IDENTITY, walk->space,
			mapping->last - mapping->first + 1);
}

static void look_at_target(struct walk *walk, const struct mapping *mapping)
{
	const uint64_t last = mapping->pa + (mapping->last - mapping->first);
	struct check_finding *finding;

	if (dump_has(walk->check->dump, mapping->pa, last))
		return;
	finding = check_found(walk->check, CHECK_TARGET_MISSING, walk->space, &mapping->place);
	check_say(finding, "it leads to 0x%" PRIx64 "..0x%" PRIx64, mapping->pa, last);
	check_add_bytes(walk->check, CHECK_TARGET_MISSING, walk->space, last - mapping->pa + 1);
}

/* Nothing joins the pending mapping any more. */
static int end_mapping(struct walk *walk)
{
	const struct mapping *mapping = &walk->pending;
	int error = 0;

	if (!mapping->nr)
		return 0;
	look_at_size(walk, mapping);
	look_at_iova(walk, mapping);
	look_at_identity(walk, mapping);
	look_at_target(walk, mapping);
	if (mapping->prot & IOPT_WRITE)
		error = check_ranges_add(&walk->check->spaces[walk->space].writes, mapping->pa,
					 mapping->pa + (mapping->last - mapping->first),
					 mapping->first);
	walk->pending.nr = 0;
	return error;
}

/* ---- leaves -------------------------------------------------------------------------------- */

/* Whether the dirty bit is one: of VT-d's and AMD's only where the unit sets it. */
static bool means_dirty(const struct iopt_decode_device *device, unsigned set)
{
	return set & MARK_DIRTY ||
	       (strcmp(device->format, "vtd-ss") && strcmp(device->format, "amd-v1"));
}

/* Which marks entries need: what the unit does not set, where it faults instead. */
static unsigned marks_demanded(const struct iopt_decode_device *device, unsigned set)
{
	if (strncmp(device->format, "riscv", 5) && strncmp(device->format, "arm-s1", 6))
		return 0;
	return (MARK_ACCESSED | MARK_DIRTY) & ~set;
}

static void look_at_marks(struct walk *walk, const struct iopt_decode_leaf *leaf,
			  const struct check_place *place)
{
	const struct iopt_decode_device *device = device_of(walk);

	if (leaf->dirty && !(leaf->prot & IOPT_WRITE) && means_dirty(device, walk->set))
		check_found(walk->check, CHECK_DIRTY_NOT_WRITABLE, walk->space, place);
	if (walk->demanded & MARK_ACCESSED && !leaf->accessed)
		check_say(check_found(walk->check, CHECK_MARK_CLEAR, walk->space, place),
			  "not accessed: any request faults");
	else if (walk->demanded & MARK_DIRTY && !leaf->dirty && leaf->prot & IOPT_WRITE)
		check_say(check_found(walk->check, CHECK_MARK_CLEAR, walk->space, place),
			  "not dirty: writes fault");
}

static int take_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct walk *walk = ctx;
	struct mapping *pending = &walk->pending;
	const struct check_place place = { leaf->first, leaf->level, leaf->entry_pa, leaf->entry,
					   true };
	int error = 0;

	/* A guest's own affair, in pieces of two stages; the second one is looked at by itself. */
	if (device_of(walk)->first_format)
		return 0;
	look_at_marks(walk, leaf, &place);
	if (!pending->nr || pending->last + 1 != leaf->first || pending->prot != leaf->prot ||
	    pending->pa + (pending->last - pending->first) + 1 != leaf->pa) {
		error = end_mapping(walk);
		*pending = (struct mapping){
			.first = leaf->first,
			.pa = leaf->pa,
			.prot = leaf->prot,
			.place = place,
		};
	}
	pending->last = leaf->last;
	pending->nr++;
	return error;
}

/* ---- tables -------------------------------------------------------------------------------- */

/* lg2 of the bytes that an entry of a level translates. */
static unsigned entry_lg2(const struct walk *walk, unsigned level)
{
	return walk->format->granule_lg2 + walk->format->index_lg2 * level;
}

/* Whether a table is on the way to an address, not on an earlier one: levels may be skipped. */
static bool is_on_way(const struct walk *walk, unsigned level, uint64_t iova)
{
	const struct step *step = &walk->steps[level];

	if (!step->entries || !walk->format || level + 1 == check_hw(device_of(walk))->levels)
		return step->entries;
	return !((iova ^ step->first) >> entry_lg2(walk, level + 1));
}

/* Of the entry that leads to a table: decode tells of what is wrong with that alone. */
static struct check_place place_above(const struct walk *walk, uint64_t iova, unsigned level)
{
	struct check_place place = { .iova = iova, .level = level + 1, .has_entry = true };
	const struct step *above;

	while (walk->format && place.level < IOPT_MAX_LEVELS && !is_on_way(walk, place.level, iova))
		place.level++;
	if (!walk->format || place.level >= IOPT_MAX_LEVELS)
		return (struct check_place){ .level = IOPT_MAX_LEVELS };
	above = &walk->steps[place.level];
	place.entry_pa = above->pa + (iova >> entry_lg2(walk, place.level)) % above->entries * 8;
	walk->check->source.read(walk->check->source.ctx, place.entry_pa, &place.entry, 8);
	return place;
}

/* A table that was found before, in these tables or in others. */
static void found_again(struct walk *walk, uint64_t pa, unsigned level, uint64_t found,
			const struct check_place *place)
{
	struct check *check = walk->check;
	const uint32_t space = (uint32_t)(found >> 3);
	const unsigned before = (unsigned)(found & 7);
	struct check_finding *finding;
	char text[MAPPINGS_DEVICE_BYTES];

	for (unsigned above = level + 1; above < IOPT_MAX_LEVELS; above++) {
		if (walk->steps[above].pa != pa || !is_on_way(walk, above, place->iova))
			continue;
		check_say(check_found(check, CHECK_LOOP, walk->space, place),
			  "to the table at 0x%" PRIx64 ", of level %u", pa, above);
		return;
	}
	mappings_device_text(check->spaces[space].device.id, text);
	if (before != level) {
		check_say(check_found_between(check, CHECK_BAD_LEVEL, walk->space, space, place),
			  "the table at 0x%" PRIx64 " is of level %u here and of level %u of %s",
			  pa, level, before, text);
		return;
	}
	finding = check_found_between(check, CHECK_TABLE_SHARED, walk->space, space, place);
	check_say(finding, "the table at 0x%" PRIx64 ", of level %u, is also %s%s", pa, level,
		  space == walk->space ? "elsewhere in these tables" : text,
		  space == walk->space ? "" : "'s");
	/* Processes share the upper half of their tables, the kernel's. */
	if (finding && finding->place.iova >> 63)
		finding->severity = CHECK_NOTE;
}

static bool is_there(const struct walk *walk, uint64_t pa)
{
	uint64_t entry;

	return walk->check->source.read(walk->check->source.ctx, pa, &entry, sizeof(entry));
}

/* What decode takes for zeros because it is missing is not empty. */
static void look_at_use(struct walk *walk, const struct iopt_decode_table *table,
			const struct check_place *place)
{
	struct check_finding *finding;

	if (table->used || device_of(walk)->first_format || !is_there(walk, table->pa))
		return;
	finding = check_found(walk->check, CHECK_EMPTY_TABLE, walk->space, place);
	check_say(finding, "at 0x%" PRIx64, table->pa);
	check_add_bytes(walk->check, CHECK_EMPTY_TABLE, walk->space, table->bytes);
}

/* The same tables in another address space, by entries that grant other permissions and so on. */
static bool is_root_of(const struct walk *walk, unsigned level, uint64_t found)
{
	return (found & 7) == level && found >> 3 != walk->space &&
	       same_tables(&walk->check->spaces[found >> 3].device, device_of(walk));
}

static int take_table(void *ctx, const struct iopt_decode_table *table)
{
	struct walk *walk = ctx;
	struct check *check = walk->check;
	struct step *step = &walk->steps[table->level];
	const struct step *above = &walk->steps[table->entry_level];
	const bool root = table->level + 1 >= check_hw(device_of(walk))->levels;
	const struct check_place place = {
		.iova = table->first,
		.level = root ? IOPT_MAX_LEVELS : table->entry_level,
		.entry_pa = root ? device_of(walk)->entry_pa : table->entry_pa,
		.entry = table->entry,
		.has_entry = true,
	};
	const uint64_t *found = key_map_find(&check->tables, table->pa);

	*step = (struct step){ table->pa, table->bytes / 8, table->first, !root && above->shared };
	if (!root)
		look_at_use(walk, table, &place);
	if (found) {
		if (!step->shared && !(root && is_root_of(walk, table->level, *found)))
			found_again(walk, table->pa, table->level, *found, &place);
		step->shared = true;
		return 0;
	}
	if (key_map_add(&check->tables, table->pa, (uint64_t)walk->space << 3 | table->level))
		return -ENOMEM;
	/* Its own tables a guest may write. */
	return device_of(walk)->first_format ? 0
					     : check_ranges_add(&check->holders, table->pa,
								table->pa + table->bytes - 1, 0);
}

/* ---- what decode finds wrong --------------------------------------------------------------- */

static bool is_arm(const struct check *check)
{
	return check->source.unit == IOPT_DECODE_SMMUV3;
}

enum check_kind check_kind_of(const struct check *check, enum iopt_decode_wrong what)
{
	switch (what) {
	case IOPT_DECODE_RESERVED: return CHECK_RESERVED_BITS;
	case IOPT_DECODE_MISALIGNED: return CHECK_MISALIGNED;
	case IOPT_DECODE_BAD_SIZE: return CHECK_BAD_RUN_SIZE;
	case IOPT_DECODE_BAD_LEVEL: return CHECK_BAD_LEVEL;
	case IOPT_DECODE_BAD_ROOT: return CHECK_BAD_ROOT;
	case IOPT_DECODE_BAD_TYPE: return CHECK_BAD_TYPE;
	case IOPT_DECODE_RUN_DIFFERS:
		return is_arm(check) ? CHECK_CONTIGUOUS_PARTIAL : CHECK_RUN_DIFFERS;
	case IOPT_DECODE_LIMIT_REACHED: return CHECK_NOT_READ;
	case IOPT_DECODE_TABLE_TWICE: return CHECK_TABLE_SHARED;
	case IOPT_DECODE_UNTRANSLATED: return CHECK_UNTRANSLATED;
	case IOPT_DECODE_MISSING: break;
	}
	return CHECK_TABLE_MISSING;
}

/* In the tables of an address space. */
static void take_trouble(void *ctx, const struct iopt_decode_device *device,
			 const struct iopt_decode_trouble *trouble)
{
	struct walk *walk = ctx;
	const enum check_kind kind = check_kind_of(walk->check, trouble->what);
	struct check_place place = { trouble->iova, trouble->level, trouble->entry_pa,
				     trouble->entry, true };
	const uint64_t *found;

	if (kind != CHECK_TABLE_MISSING && kind != CHECK_UNTRANSLATED &&
	    kind != CHECK_TABLE_SHARED) {
		check_found(walk->check, kind, walk->space, &place);
		return;
	}
	place = place_above(walk, trouble->iova, trouble->level);
	found = kind == CHECK_TABLE_SHARED && !device->first_format
			? key_map_find(&walk->check->tables, trouble->entry_pa)
			: NULL;
	if (found)
		found_again(walk, trouble->entry_pa, trouble->level, *found, &place);
	else
		check_say(check_found(walk->check, kind, walk->space, &place),
			  "memory at 0x%" PRIx64, trouble->entry_pa);
}

/* ---- an address space ---------------------------------------------------------------------- */

int check_walk_space(struct check *check, uint32_t number)
{
	const struct iopt_decode_device device = check->spaces[number].device;
	struct walk walk = {
		.check = check,
		.space = number,
		.format = iopt_format_find(check_format(&device)),
	};
	const struct iopt_decode_visitor visitor = {
		.ctx = &walk,
		.leaf = take_leaf,
		.table = take_table,
		.trouble = take_trouble,
	};
	int error;

	walk.set = marks_set(device.format, &device.hw);
	walk.demanded = marks_demanded(&device, walk.set);
	error = iopt_decode_tables(&check->source, &device, 0, UINT64_MAX, &visitor);
	if (!error)
		error = end_mapping(&walk);
	if (!check->all)
		say_sums(&walk);
	return error;
}
