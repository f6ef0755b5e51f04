/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See check.h: what is seen on the way: devices, and tables entry by entry. Tables that several
 * devices share are gone through once. Nothing is kept of a leaf but the mapping that may still
 * grow, and what of memory may be written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/check.h"
#include "tools/iopt/command.h"

#define PAGE_BYTES 4096u
#define PAGE(pa)   ((pa) / PAGE_BYTES * PAGE_BYTES)

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

/** struct step - a table on the way; @shared: it is another one's, too, or one above it is */
struct step {
	uint64_t pa;
	uint64_t entries;
	bool shared;
};

/**
 * struct walk - through the tables of one address space
 * @space:   its number
 * @format:  of its tables; NULL: this build's library has it not
 * @steps:   by level
 * @pending: not looked at yet: it may grow
 * @leaves, @needed: how many there are and as many as it would take
 */
struct walk {
	struct check *check;
	uint32_t space;
	const struct iopt_format_info *format;
	struct step steps[IOPT_MAX_LEVELS];
	struct mapping pending;
	uint64_t leaves;
	uint64_t needed;
};

static const struct iopt_decode_device *device_of(const struct walk *walk)
{
	return &walk->check->spaces[walk->space].device;
}

/* Of two stages the first one's, else of the only one. */
static const char *own_format(const struct iopt_decode_device *device)
{
	return device->first_format ? device->first_format : device->format;
}

static const struct iopt_hw *own_hw(const struct iopt_decode_device *device)
{
	return device->first_format ? &device->first_hw : &device->hw;
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

/* Whether the unit sets accessed and dirty bits in these tables, and whether entries need them. */
static bool sets_dirty(const struct iopt_decode_device *device)
{
	if (!strcmp(device->format, "vtd-ss"))
		return device->hw.vtd_ss.ssade;
	if (!strcmp(device->format, "amd-v1"))
		return device->hw.amd_v1.had & 2;
	return true;
}

static bool demands_marks(const struct iopt_decode_device *device, bool *accessed, bool *dirty)
{
	if (!strcmp(device->format, "riscv-s1"))
		*accessed = *dirty = !device->hw.riscv_s1.sade;
	else if (!strcmp(device->format, "riscv-g"))
		*accessed = *dirty = !device->hw.riscv_g.gade;
	else if (!strncmp(device->format, "arm-s1", 6))
		*accessed = !device->hw.arm.ha, *dirty = !device->hw.arm.hd;
	else
		*accessed = *dirty = false;
	return *accessed || *dirty;
}

static void look_at_marks(struct walk *walk, const struct iopt_decode_leaf *leaf,
			  const struct check_place *place)
{
	const struct iopt_decode_device *device = device_of(walk);
	bool accessed, dirty;

	if (leaf->dirty && !(leaf->prot & IOPT_WRITE) && sets_dirty(device))
		check_found(walk->check, CHECK_DIRTY_NOT_WRITABLE, walk->space, place);
	if (!demands_marks(device, &accessed, &dirty))
		return;
	if (accessed && !leaf->accessed)
		check_say(check_found(walk->check, CHECK_MARK_CLEAR, walk->space, place),
			  "not accessed: any request faults");
	else if (dirty && !leaf->dirty && leaf->prot & IOPT_WRITE)
		check_say(check_found(walk->check, CHECK_MARK_CLEAR, walk->space, place),
			  "not dirty: writes fault");
}

static int take_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct walk *walk = ctx;
	struct mapping *pending = &walk->pending;
	const struct check_place place = { leaf->first, leaf->level, leaf->entry_pa, leaf->entry };
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

/* Of the entry that leads to a table: decode tells of what is wrong with that alone. */
static struct check_place place_above(const struct walk *walk, uint64_t iova, unsigned level)
{
	struct check_place place = { .iova = iova, .level = level + 1 };
	const struct step *above = &walk->steps[level + 1];
	unsigned lg2;

	if (level + 1 >= IOPT_MAX_LEVELS || !above->entries || !walk->format)
		return (struct check_place){ .level = IOPT_MAX_LEVELS };
	lg2 = walk->format->granule_lg2 + walk->format->index_lg2 * (level + 1);
	place.entry_pa = above->pa + (iova >> lg2) % above->entries * 8;
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
		if (!walk->steps[above].entries || walk->steps[above].pa != pa)
			continue;
		check_say(check_found(check, CHECK_LOOP, walk->space, place),
			  "to the table at 0x%" PRIx64 ", of level %u", pa, above);
		return;
	}
	mappings_device_text(check->spaces[space].device.id, text);
	if (before != level) {
		check_say(check_found(check, CHECK_BAD_LEVEL, walk->space, place),
			  "the table at 0x%" PRIx64 " is of level %u here and of level %u of %s",
			  pa, level, before, text);
		return;
	}
	finding = check_found(check, CHECK_TABLE_SHARED, walk->space, place);
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

	if (table->used || !table->entry_pa || device_of(walk)->first_format ||
	    !is_there(walk, table->pa))
		return;
	finding = check_found(walk->check, CHECK_EMPTY_TABLE, walk->space, place);
	check_say(finding, "at 0x%" PRIx64, table->pa);
	check_add_bytes(walk->check, CHECK_EMPTY_TABLE, walk->space, table->bytes);
}

static int take_table(void *ctx, const struct iopt_decode_table *table)
{
	struct walk *walk = ctx;
	struct check *check = walk->check;
	struct step *step = &walk->steps[table->level];
	const struct step *above = step + 1;
	const bool root = !table->entry_pa;
	const struct check_place place = {
		.iova = table->first,
		.level = root ? IOPT_MAX_LEVELS : table->level + 1,
		.entry_pa = root ? device_of(walk)->entry_pa : table->entry_pa,
		.entry = table->entry,
	};
	const uint64_t *found = check_map_find(&check->tables, table->pa);

	*step = (struct step){ table->pa, table->bytes / 8, !root && above->shared };
	look_at_use(walk, table, &place);
	if (found) {
		if (!step->shared)
			found_again(walk, table->pa, table->level, *found, &place);
		step->shared = true;
		return 0;
	}
	if (check_map_add(&check->tables, table->pa, (uint64_t)walk->space << 3 | table->level))
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

static enum check_kind kind_of(const struct check *check, enum iopt_decode_wrong what)
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
	const enum check_kind kind = kind_of(walk->check, trouble->what);
	struct check_place place = { trouble->iova, trouble->level, trouble->entry_pa,
				     trouble->entry };
	const uint64_t *found;

	if (kind != CHECK_TABLE_MISSING && kind != CHECK_UNTRANSLATED &&
	    kind != CHECK_TABLE_SHARED) {
		check_found(walk->check, kind, walk->space, &place);
		return;
	}
	place = place_above(walk, trouble->iova, trouble->level);
	found = kind == CHECK_TABLE_SHARED && !device->first_format
			? check_map_find(&walk->check->tables, trouble->entry_pa)
			: NULL;
	if (found)
		found_again(walk, trouble->entry_pa, trouble->level, *found, &place);
	else
		check_say(check_found(walk->check, kind, walk->space, &place),
			  "memory at 0x%" PRIx64, trouble->entry_pa);
}

/* Of what leads to tables. */
static void take_trouble_apart(void *ctx, const struct iopt_decode_device *device,
			       const struct iopt_decode_trouble *trouble)
{
	struct check *check = ctx;
	const enum check_kind kind = kind_of(check, trouble->what);
	const bool missing = kind == CHECK_TABLE_MISSING || kind == CHECK_UNTRANSLATED;
	const struct check_place place = { 0, IOPT_MAX_LEVELS, missing ? 0 : trouble->entry_pa,
					   trouble->entry };
	struct check_finding *finding = check_found(check, kind, CHECK_NO_SPACE, &place);

	if (missing)
		check_say(finding, "memory at 0x%" PRIx64, trouble->entry_pa);
	if (!finding || !device)
		return;
	finding->device = true;
	finding->id = device->id;
	finding->pasid = device->pasid;
}

/* ---- address spaces ------------------------------------------------------------------------ */

/*
 * What tells address spaces apart, mostly: is_same() has the last word. A root that hardware would
 * take has at most 56 bits, of which the lowest four are clear.
 */
static uint64_t space_key(const struct iopt_decode_device *device)
{
	const struct iopt_hw *hw = own_hw(device);
	const uint64_t prot = device->prot & (IOPT_READ | IOPT_WRITE);
	const uint64_t upper = !strncmp(own_format(device), "arm", 3) && hw->arm.upper;
	const uint64_t first_stage = !strcmp(own_format(device), "x86-64");
	const uint64_t nested = device->first_format ? device->hw.root >> 12 << 32 : 0;

	return nested ^ (hw->root | hw->levels | upper << 3 | prot << 56 | first_stage << 60);
}

static bool is_same(const struct iopt_decode_device *a, const struct iopt_decode_device *b)
{
	return a->hw.root == b->hw.root && a->hw.levels == b->hw.levels &&
	       !a->first_format == !b->first_format && own_hw(a)->root == own_hw(b)->root &&
	       own_hw(a)->levels == own_hw(b)->levels;
}

static bool is_first_stage(const struct iopt_decode_device *device)
{
	return !strcmp(own_format(device), "x86-64") || strstr(own_format(device), "-s1");
}

/*
 * What caches are tagged with: the domain's id; of first stages an id of their own (PSCID, ASID),
 * or x86's PASID besides (Linux 6.12 drivers/iommu/intel/pasid.h, FLPT_DEFAULT_DID: one for many).
 */
static uint64_t tag_key(const struct iopt_decode_device *device)
{
	const uint64_t stage = device->first_format ? 2 : is_first_stage(device);
	const bool x86 = !strcmp(own_format(device), "x86-64");
	const uint64_t more = x86 ? device->pasid + 1u : device->first_domain;
	const uint64_t upper = !strncmp(own_format(device), "arm", 3) && own_hw(device)->arm.upper;

	return (device->domain & 0xfffff) | (more & 0x1fffff) << 20 | upper << 41 | stage << 42;
}

/* Is it the only address space of its tag? */
static int look_at_domain_id(struct check *check, const struct iopt_decode_device *device,
			     uint32_t number)
{
	const uint64_t *found = check_map_find(&check->tag_of, tag_key(device));
	const struct check_place place = { 0, IOPT_MAX_LEVELS, device->entry_pa, 0 };
	const struct iopt_decode_device *other;
	char text[MAPPINGS_DEVICE_BYTES];

	if (!found)
		return check_map_add(&check->tag_of, tag_key(device), number);
	other = &check->spaces[*found].device;
	if (!is_same(other, device))
		check_say(check_found(check, CHECK_DOMAIN_ID_SHARED, number, &place),
			  "domain %" PRIu32 " is also %s's, of %u levels, root 0x%" PRIx64,
			  device->domain, mappings_device_text(other->id, text),
			  own_hw(other)->levels, own_hw(other)->root);
	return 0;
}

static int look_at_domain(struct check *check, const struct iopt_decode_device *device,
			  uint32_t number)
{
	const struct check_space *space = &check->spaces[number];
	const struct check_place place = { 0, IOPT_MAX_LEVELS, device->entry_pa, 0 };
	char text[MAPPINGS_DEVICE_BYTES];

	if (space->device.domain != device->domain && !is_first_stage(device))
		check_say(check_found(check, CHECK_DOMAIN_ID_DIFFERS, number, &place),
			  "domain %" PRIu32 ", and %" PRIu32 " of %s", space->device.domain,
			  device->domain, mappings_device_text(device->id, text));
	return look_at_domain_id(check, device, number);
}

/* A power of two: twice the room is needed. */
static bool is_full(uint64_t nr)
{
	return !(nr & (nr - 1));
}

static int add_user(struct check_space *space, const struct iopt_decode_device *device)
{
	if (is_full(space->nr_users)) {
		size_t room = space->nr_users ? 2 * space->nr_users : 1;
		struct check_user *more = realloc(space->users, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		space->users = more;
	}
	space->users[space->nr_users++] = (struct check_user){ device->id, device->pasid };
	space->several |= device->id != space->device.id;
	return 0;
}

static int add_space(struct check *check, const struct iopt_decode_device *device)
{
	if (is_full(check->nr_spaces)) {
		size_t room = check->nr_spaces ? 2 * (size_t)check->nr_spaces : 1;
		struct check_space *more = realloc(check->spaces, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		check->spaces = more;
	}
	check->spaces[check->nr_spaces++] = (struct check_space){ .device = *device };
	return 0;
}

/* What was added up on the way. */
static void say_sums(struct walk *walk)
{
	struct check *check = walk->check;
	uint32_t number = check->spaces[walk->space].findings[CHECK_COULD_BE_LARGER];
	char leaves[SIZE_TEXT_BYTES], needed[SIZE_TEXT_BYTES];

	if (number)
		check_say(&check->findings[number - 1], "%s leaves where %s would do",
			  grouped(walk->leaves, leaves), grouped(walk->needed, needed));
}

static int walk_space(struct check *check, uint32_t number)
{
	const struct iopt_decode_device device = check->spaces[number].device;
	struct walk walk = {
		.check = check,
		.space = number,
		.format = iopt_format_find(own_format(&device)),
	};
	const struct iopt_decode_visitor visitor = {
		.ctx = &walk,
		.leaf = take_leaf,
		.table = take_table,
		.trouble = take_trouble,
	};
	int error;

	error = iopt_decode_tables(&check->source, &device, 0, UINT64_MAX, &visitor);
	if (!error)
		error = end_mapping(&walk);
	say_sums(&walk);
	return error;
}

/* Intel has domain ids for them, too: not those of tables, nor the other way round. */
static int look_at_passing_domain(struct check *check, const struct iopt_decode_device *device,
				  uint32_t number)
{
	struct iopt_decode_device bare = *device;

	bare.format = "vtd-ss";
	return check->source.unit == IOPT_DECODE_VTD ? look_at_domain_id(check, &bare, number) : 0;
}

/* All that pass are one: they reach the same. */
static int take_passing(struct check *check, const struct iopt_decode_device *device)
{
	const struct check_place place = { 0, IOPT_MAX_LEVELS, device->entry_pa, 0 };
	const uint64_t *found = check_map_find(&check->space_of, 0);
	const uint32_t number = found ? (uint32_t)*found : check->nr_spaces;
	int error = found ? add_user(&check->spaces[number], device) : add_space(check, device);

	if (!error && !found)
		error = check_map_add(&check->space_of, 0, number);
	if (!error && !found)
		check_found(check, CHECK_PASSES_THROUGH, number, &place);
	return error ? error : look_at_passing_domain(check, device, number);
}

static int take_translated(struct check *check, const struct iopt_decode_device *device)
{
	const uint64_t key = space_key(device);
	const uint64_t *alike = check_map_find(&check->space_of, key);
	const bool same = alike && is_same(&check->spaces[*alike].device, device);
	const uint32_t number = same ? (uint32_t)*alike : check->nr_spaces;
	int error = same ? add_user(&check->spaces[number], device) : add_space(check, device);

	if (!error && !alike)
		error = check_map_add(&check->space_of, key, number);
	if (!error)
		error = look_at_domain(check, device, number);
	return error || same ? error : walk_space(check, number);
}

/* A guest's own entries lie in memory that it may write: only Intel's are the host's, always. */
static int note_entry(struct check *check, const struct iopt_decode_device *device)
{
	const uint64_t page = PAGE(device->entry_pa);

	if (device->first_format && check->source.unit != IOPT_DECODE_VTD)
		return 0;
	return check_ranges_add(&check->holders, page, page + PAGE_BYTES - 1, 0);
}

static int take_device(void *ctx, const struct iopt_decode_device *device)
{
	struct check *check = ctx;
	struct iopt_decode_device second = *device;
	int error = note_entry(check, device);

	if (error)
		return error;
	if (device->path == IOPT_DECODE_PASSES)
		return take_passing(check, device);
	if (!device->format)
		return 0;
	second.first_format = NULL;
	second.first_domain = 0;
	error = take_translated(check, &second);
	return error || !device->first_format ? error : take_translated(check, device);
}

/* Where all begins; of tables of several levels the first one. */
static int add_root(struct check *check)
{
	const uint64_t root = check->source.root & 0xfffffffffffffull; /* 52 bits of address */
	uint64_t first = PAGE(root), bytes = PAGE_BYTES;

	switch (check->source.unit) {
	case IOPT_DECODE_VTD: break;
	case IOPT_DECODE_AMD: bytes *= (root & 0x1ff) + 1; break; /* decode/amd.c: TABLE_PAGES() */
	case IOPT_DECODE_SMMUV3: first = root & ~63ull; break;	  /* decode/smmuv3.c: TABLE() */
	case IOPT_DECODE_RISCV:					  /* decode/riscv.c: PPN_PA() */
		first = (check->source.root >> 10 & 0xfffffffffffull) << 12;
		break;
	}
	return check_ranges_add(&check->holders, first, first + bytes - 1, 0);
}

int check_tables(struct check *check)
{
	const struct iopt_decode_visitor visitor = {
		.ctx = check,
		.device = take_device,
		.trouble = take_trouble_apart,
	};
	int error = add_root(check);

	return error ? error : iopt_decode_devices(&check->source, &visitor);
}
