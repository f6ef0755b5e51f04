/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See check.h: devices, and the address spaces that they have: tables that several devices share
 * are gone through once. What is seen in the tables is check_walk.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/check.h"

#define PAGE_BYTES 4096u
#define PAGE(pa)   ((pa) / PAGE_BYTES * PAGE_BYTES)

/* ---- address spaces ------------------------------------------------------------------------ */

/*
 * What tells address spaces apart, mostly: is_same() has the last word. A root that hardware would
 * take has at most 56 bits, of which the lowest four are clear.
 */
static uint64_t space_key(const struct iopt_decode_device *device)
{
	const struct iopt_hw *hw = check_hw(device);
	const uint64_t prot = device->prot & (IOPT_READ | IOPT_WRITE);
	const uint64_t upper = !strncmp(check_format(device), "arm", 3) && hw->arm.upper;
	const uint64_t first_stage = !strcmp(check_format(device), "x86-64");
	const uint64_t nested = device->first_format ? device->hw.root >> 12 << 32 : 0;

	return nested ^ (hw->root | hw->levels | upper << 3 | prot << 56 | first_stage << 60);
}

static bool is_same(const struct iopt_decode_device *a, const struct iopt_decode_device *b)
{
	return a->hw.root == b->hw.root && a->hw.levels == b->hw.levels &&
	       !a->first_format == !b->first_format && check_hw(a)->root == check_hw(b)->root &&
	       check_hw(a)->levels == check_hw(b)->levels;
}

static bool is_first_stage(const struct iopt_decode_device *device)
{
	return !strcmp(check_format(device), "x86-64") || strstr(check_format(device), "-s1");
}

/*
 * What caches are tagged with: the domain's id; of first stages an id of their own (PSCID, ASID),
 * or x86's PASID besides (Linux 6.12 drivers/iommu/intel/pasid.h, FLPT_DEFAULT_DID: one for many).
 */
static uint64_t tag_key(const struct iopt_decode_device *device)
{
	const uint64_t stage = device->first_format ? 2 : is_first_stage(device);
	const bool x86 = !strcmp(check_format(device), "x86-64");
	const uint64_t more = x86 ? device->pasid + 1u : device->first_domain;
	const uint64_t upper = !strncmp(check_format(device), "arm", 3) &&
			       check_hw(device)->arm.upper;

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
			  check_hw(other)->levels, check_hw(other)->root);
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
	return error || same ? error : check_walk_space(check, number);
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

/* Of what leads to tables. */
static void take_trouble_apart(void *ctx, const struct iopt_decode_device *device,
			       const struct iopt_decode_trouble *trouble)
{
	struct check *check = ctx;
	const enum check_kind kind = check_kind_of(check, trouble->what);
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
