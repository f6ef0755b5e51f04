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

/* ---- address spaces ------------------------------------------------------------------------ */

/* CHECK_NO_SPACE: there is none yet. */
static uint32_t find_space(const struct check *check, const struct iopt_decode_device *device)
{
	const uint64_t *first = key_map_find(&check->space_of, same_key(device));
	uint32_t number = first ? (uint32_t)*first : CHECK_NO_SPACE;

	while (number != CHECK_NO_SPACE && !same_leaves(&check->spaces[number].device, device))
		number = check->spaces[number].next;
	return number;
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
	const uint64_t *found = key_map_find(&check->tag_of, tag_key(device));
	const struct check_place place = { 0, IOPT_MAX_LEVELS, device->entry_pa, 0, true };
	const struct iopt_decode_device *other;
	char text[MAPPINGS_DEVICE_BYTES];
	bool differs;

	if (!found)
		return key_map_add(&check->tag_of, tag_key(device), number);
	other = &check->spaces[*found].device;
	/* Who passes through is like nobody but who does so, too. */
	differs = check->spaces[number].device.format ? !same_tables(other, device)
						      : other->format != NULL;
	if (differs)
		check_say(check_found_between(check, CHECK_DOMAIN_ID_SHARED, number,
					      (uint32_t)*found, &place),
			  "domain %" PRIu32 " is also %s's, of %u levels, root 0x%" PRIx64,
			  device->domain, mappings_device_text(other->id, text),
			  check_hw(other)->levels, check_hw(other)->root);
	return 0;
}

static int look_at_domain(struct check *check, const struct iopt_decode_device *device,
			  uint32_t number)
{
	const struct check_space *space = &check->spaces[number];
	const struct check_place place = { 0, IOPT_MAX_LEVELS, device->entry_pa, 0, true };
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
	space->several |= device->id != space->device.id;
	space->nr_users++;
	if (space->nr_kept == CHECK_MOST_USERS)
		return 0;
	if (is_full(space->nr_kept)) {
		size_t room = space->nr_kept ? 2 * space->nr_kept : 1;
		struct check_user *more = realloc(space->users, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		space->users = more;
	}
	space->users[space->nr_kept++] = (struct check_user){ device->id, device->pasid };
	return 0;
}

static int add_space(struct check *check, const struct iopt_decode_device *device)
{
	const uint64_t key = same_key(device);
	const uint64_t *alike = key_map_find(&check->space_of, key);
	struct check_space *space;

	if (is_full(check->nr_spaces)) {
		size_t room = check->nr_spaces ? 2 * (size_t)check->nr_spaces : 1;
		struct check_space *more = realloc(check->spaces, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		check->spaces = more;
	}
	space = &check->spaces[check->nr_spaces++];
	*space = (struct check_space){ .device = *device, .next = CHECK_NO_SPACE };
	if (!alike)
		return key_map_add(&check->space_of, key, check->nr_spaces - 1);
	/* Behind the first one of the key. */
	space->next = check->spaces[*alike].next;
	check->spaces[*alike].next = check->nr_spaces - 1;
	return 0;
}

/* The address space of a device, a new one perhaps. */
static int take_space(struct check *check, const struct iopt_decode_device *device,
		      uint32_t *number, bool *is_new)
{
	*number = find_space(check, device);
	*is_new = *number == CHECK_NO_SPACE;
	if (!*is_new)
		return add_user(&check->spaces[*number], device);
	*number = check->nr_spaces;
	return add_space(check, device);
}

/* Intel has domain ids for them, too: not those of tables, nor the other way round. */
static int look_at_passing_domain(struct check *check, const struct iopt_decode_device *device,
				  uint32_t number)
{
	struct iopt_decode_device bare = *device;

	bare.format = "vtd-ss";
	return check->source.unit == IOPT_DECODE_VTD ? look_at_domain_id(check, &bare, number) : 0;
}

static int take_passing(struct check *check, const struct iopt_decode_device *device)
{
	const struct check_place place = { 0, IOPT_MAX_LEVELS, device->entry_pa, 0, true };
	struct iopt_decode_device bare = *device;
	uint32_t number;
	bool is_new;
	int error;

	bare.format = bare.first_format = NULL;
	error = take_space(check, &bare, &number, &is_new);
	if (!error && is_new)
		check_found(check, CHECK_PASSES_THROUGH, number, &place);
	return error ? error : look_at_passing_domain(check, device, number);
}

static int take_translated(struct check *check, const struct iopt_decode_device *device)
{
	uint32_t number;
	bool is_new;
	int error = take_space(check, device, &number, &is_new);

	if (!error)
		error = look_at_domain(check, device, number);
	return error || !is_new ? error : check_walk_space(check, number);
}

/* What leads to tables is no device's to write; what a guest has written is not told. */
static void take_structure(void *ctx, uint64_t pa, uint64_t bytes)
{
	struct check *check = ctx;

	if (check_ranges_add(&check->holders, pa, pa + bytes - 1, 0))
		check->no_memory = true;
}

static int take_device(void *ctx, const struct iopt_decode_device *device)
{
	struct check *check = ctx;
	struct iopt_decode_device second = *device;
	const bool asked = !check->one || device->id == check->id;
	int error;

	/* Who was asked for comes first, all others thereafter. */
	if (asked != (check->first_other == CHECK_NO_SPACE))
		return 0;
	check->has_devices |= asked;
	if (device->path == IOPT_DECODE_PASSES)
		return take_passing(check, device);
	if (!device->format)
		return 0;
	second.first_format = NULL;
	second.first_domain = 0;
	error = take_translated(check, &second);
	return error || !device->first_format ? error : take_translated(check, device);
}

/* Of what leads to tables. */
static void take_trouble_apart(void *ctx, const struct iopt_decode_device *device,
			       const struct iopt_decode_trouble *trouble)
{
	struct check *check = ctx;
	const enum check_kind kind = check_kind_of(check, trouble->what);
	const bool missing = kind == CHECK_TABLE_MISSING || kind == CHECK_UNTRANSLATED;
	const struct check_place place = { 0, IOPT_MAX_LEVELS, missing ? 0 : trouble->entry_pa,
					   trouble->entry, !missing };
	struct check_finding *finding;

	if (device && check->one && device->id != check->id)
		return;
	check->has_devices |= device != NULL;
	finding = check_found(check, kind, CHECK_NO_SPACE, &place);
	if (missing)
		check_say(finding, "memory at 0x%" PRIx64, trouble->entry_pa);
	if (!finding || !device)
		return;
	finding->device = true;
	finding->id = device->id;
	finding->pasid = device->pasid;
}

/* RISC-V's modes without tables: RISCV_IOMMU_DDTP_IOMMU_MODE_OFF, _BARE. */
static bool is_ddtp_mode(const struct check *check, unsigned mode)
{
	return check->source.unit == IOPT_DECODE_RISCV && (check->source.root & 15) == mode;
}

static void look_at_unit(struct check *check)
{
	char text[MAPPINGS_DEVICE_BYTES];
	struct check_finding *finding;

	if (check->off || is_ddtp_mode(check, 1))
		check_found(check, CHECK_UNIT_OFF, CHECK_NO_SPACE, NULL);
	if (check->has_devices)
		return;
	finding = check_found(check, CHECK_NO_DEVICES, CHECK_NO_SPACE, NULL);
	if (is_ddtp_mode(check, 0))
		check_say(finding, "ddtp's mode is off: all requests are refused");
	else if (check->one)
		check_say(finding, "none of %s", mappings_device_text(check->id, text));
}

int check_tables(struct check *check)
{
	const struct iopt_decode_visitor visitor = {
		.ctx = check,
		.device = take_device,
		.structure = take_structure,
		.trouble = take_trouble_apart,
	};
	const struct iopt_decode_visitor others = { .ctx = check, .device = take_device };
	int error;

	check->first_other = CHECK_NO_SPACE;
	error = iopt_decode_devices(&check->source, &visitor);
	if (!error && check->one) {
		check->first_other = check->nr_spaces;
		error = iopt_decode_devices(&check->source, &others);
	}
	if (!error)
		look_at_unit(check);
	return error;
}

void check_free(struct check *check)
{
	for (uint32_t i = 0; i < check->nr_spaces; i++) {
		free(check->spaces[i].users);
		free(check->spaces[i].writes.list);
	}
	for (size_t i = 0; i < check->nr_findings; i++)
		free(check->findings[i].detail);
	free(check->spaces);
	free(check->findings);
	free(check->holders.list);
	key_map_free(&check->space_of);
	key_map_free(&check->tag_of);
	key_map_free(&check->tables);
}
