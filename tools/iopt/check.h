/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the files of `iopt check` share: findings, address spaces that were found, and physical
 * memory that they reach. check.c has the arguments, check_spaces.c devices and their
 * address spaces, check_walk.c what is seen on the way through the tables, check_memory.c what only
 * all tables together show, check_findings.c the kinds, check_show.c how they are shown.
 */
#ifndef TOOLS_IOPT_CHECK_H
#define TOOLS_IOPT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <iopt/decode.h>

#include "tools/iopt/key_map.h"
#include "tools/iopt/dump.h"
#include "tools/iopt/mappings.h"
#include "tools/iopt/same.h"

/** enum check_severity - how bad a finding is */
enum check_severity {
	CHECK_NOTE,    /* worth knowing, often on purpose */
	CHECK_WARNING, /* may be on purpose, but rarely is */
	CHECK_ERROR,   /* hardware refuses it, or something is open that should not be */
	CHECK_SEVERITIES,
};

/** enum check_kind - what can be found; check_findings.c describes them in the same order */
enum check_kind {
	CHECK_UNIT_OFF,
	CHECK_RESERVED_BITS,
	CHECK_MISALIGNED,
	CHECK_BAD_RUN_SIZE,
	CHECK_BAD_LEVEL,
	CHECK_BAD_ROOT,
	CHECK_BAD_TYPE,
	CHECK_LOOP,
	CHECK_RUN_DIFFERS,
	CHECK_CONTIGUOUS_PARTIAL,
	CHECK_TABLE_MISSING,
	CHECK_UNTRANSLATED,
	CHECK_DOMAIN_ID_SHARED,
	CHECK_WRITES_TABLES,
	CHECK_WRITES_KERNEL,
	CHECK_WRITES_PROTECTED,
	CHECK_WRITES_MSI,
	CHECK_TABLE_SHARED,
	CHECK_WRITABLE_BY_TWO,
	CHECK_MSI_IOVA,
	CHECK_HT_IOVA,
	CHECK_MARK_CLEAR,
	CHECK_DIRTY_NOT_WRITABLE,
	CHECK_NOT_READ,
	CHECK_NO_DEVICES,
	CHECK_DOMAIN_ID_DIFFERS,
	CHECK_PASSES_THROUGH,
	CHECK_IDENTITY,
	CHECK_TARGET_MISSING,
	CHECK_EMPTY_TABLE,
	CHECK_COULD_BE_LARGER,
	CHECK_KINDS,
};

#define CHECK_NO_SPACE	 UINT32_MAX
#define CHECK_MOST_USERS 256u

/**
 * struct check_place - where in tables
 * @iova:     a device's address
 * @level:    of the entry; IOPT_MAX_LEVELS: above all tables
 * @entry_pa: address of the entry
 * @entry:    its value; 0: it is not told
 * @has_entry: there is an entry, which may be at address 0
 */
struct check_place {
	uint64_t iova;
	unsigned level;
	uint64_t entry_pa;
	uint64_t entry;
	bool has_entry;
};

/**
 * struct check_finding - something that was found, and how often its like in the same tables
 * @space:  number of the address space; CHECK_NO_SPACE: what leads to tables
 * @id:     the device, @pasid: of it; of an address space the first one
 * @device: there is such a device
 * @place:  of the first
 * @count:  how many, this one with them
 * @bytes:  of memory or addresses that all of them are about; 0: no matter
 * @detail: what is known of the first; NULL: nothing
 */
struct check_finding {
	enum check_kind kind;
	enum check_severity severity;
	uint32_t space;
	uint32_t id;
	uint32_t pasid;
	bool device;
	struct check_place place;
	uint64_t count;
	uint64_t bytes;
	char *detail;
};

/** struct check_range - physical memory that devices may write; @iova: that leads to @first */
struct check_range {
	uint64_t first;
	uint64_t last;
	uint64_t iova;
};

/** struct check_ranges - @nr of them, room for @room */
struct check_ranges {
	struct check_range *list;
	size_t nr;
	size_t room;
};

/** struct check_user - a device, or a PASID of it, that uses the same tables as another one */
struct check_user {
	uint32_t id;
	uint32_t pasid;
};

/**
 * struct check_space - an address space: tables, and the devices that use them. Of two stages each
 * is one: the second one alone, which says what of memory may be written, and the first one.
 * @device:   the first that was found
 * @users:    the others, the first @nr_kept of them
 * @nr_users: how many others there are
 * @nr_kept:  at most CHECK_MOST_USERS: tables that share tables make billions of a small file
 * @several:  there is another device among them, not only other PASIDs
 * @findings: number of the finding of each kind, and one; 0: there is none
 * @writes:   what it may write
 * @next:     number of another one whose key is the same; CHECK_NO_SPACE: there is none
 */
struct check_space {
	struct iopt_decode_device device;
	struct check_user *users;
	uint64_t nr_users;
	size_t nr_kept;
	bool several;
	uint32_t findings[CHECK_KINDS];
	struct check_ranges writes;
	uint32_t next;
};

/** struct check_area - memory that devices are not to write; @kind: of the finding if they do */
struct check_area {
	struct span span;
	enum check_kind kind;
};

/**
 * struct check - a check
 * @source, @dump: memory
 * @off:      the unit does not translate, its registers say
 * @has_devices: a device has an entry
 * @all:      each finding is told by itself
 * @one:      only what the device @id has to do with is told
 * @first_other: number of the first address space that it does not use: its own are found first.
 *	      CHECK_NO_SPACE: there is none, or it is not known yet
 * @allowed:  bit n: findings of kind n are not told
 * @areas:    memory that is not to be written, @nr_areas of them
 * @findings, @nr_findings: what was found
 * @apart:    as check_space::findings, of what is found apart from address spaces
 * @totals:   how many of each severity
 * @spaces, @nr_spaces: address spaces, each once
 * @space_of: the first address space's number by its root and so on
 * @tag_of:   likewise by what caches are tagged with
 * @tables:   of each table the address space and level that it was found in first
 * @holders:  memory that holds tables, and what leads to them
 * @no_memory: something could not be told
 */
struct check {
	struct iopt_decode_source source;
	struct dump *dump;
	bool off;
	bool has_devices;
	bool all;
	bool one;
	uint32_t id;
	uint32_t first_other;
	uint64_t allowed;
	struct check_area *areas;
	size_t nr_areas;
	struct check_finding *findings;
	size_t nr_findings;
	uint32_t apart[CHECK_KINDS];
	uint64_t totals[CHECK_SEVERITIES];
	struct check_space *spaces;
	uint32_t nr_spaces;
	struct key_map space_of;
	struct key_map tag_of;
	struct key_map tables;
	struct check_ranges holders;
	bool no_memory;
};

/* ---- check_findings.c ---------------------------------------------------------------------- */

/** check_kind_name() - stable: "reserved-bits" */
const char *check_kind_name(enum check_kind kind);
/** check_kind_title() - what it is, in a few words */
const char *check_kind_title(enum check_kind kind);
/** check_kind_why() - one sentence, why it matters */
const char *check_kind_why(enum check_kind kind);
/** check_kind_find() - by its name; CHECK_KINDS: there is none */
enum check_kind check_kind_find(const char *name);
/** check_severity_name() - "error" and so on */
const char *check_severity_name(enum check_severity severity);
/** check_source_text() - the specification's section, or whose code was read for it */
const char *check_source_text(const struct check *check, const struct check_finding *finding);

/**
 * check_found() - tell of something
 * @check: the check
 * @kind:  what
 * @space: in which address space, or CHECK_NO_SPACE
 * @place: where; NULL: the address space as a whole
 *
 * What was found in the same address space before is only counted, unless check::all. Address
 * spaces of other devices than check::id are not of interest.
 *
 * Return: the finding if it is the first of its kind there, for more to be said of it; NULL if it
 * is not, if it is allowed, or if there is no memory, which check::no_memory keeps.
 */
struct check_finding *check_found(struct check *check, enum check_kind kind, uint32_t space,
				  const struct check_place *place);

/** check_found_between() - the same if either of two address spaces is of interest */
struct check_finding *check_found_between(struct check *check, enum check_kind kind, uint32_t space,
					  uint32_t other, const struct check_place *place);

/** check_say() - say more of a finding, as printf(); NULL is allowed, and nothing is said */
__attribute__((format(printf, 2, 3))) void check_say(struct check_finding *finding,
						     const char *format, ...);

/** check_add_bytes() - count bytes in the finding of a kind, if there is one */
void check_add_bytes(struct check *check, enum check_kind kind, uint32_t space, uint64_t bytes);

/** check_sort() - put findings in the order in which they are shown, and sum them up */
void check_sort(struct check *check);

/* ---- check_spaces.c ------------------------------------------------------------------------ */

/** check_tables() - go through all tables: 0, or a negative errno value */
int check_tables(struct check *check);

/** check_free() - all that was allocated on the way; check::areas is the caller's */
void check_free(struct check *check);

/** check_format() - of two stages the first one's tables, else of the only one's */
static inline const char *check_format(const struct iopt_decode_device *device)
{
	return device->first_format ? device->first_format : device->format;
}

/** check_hw() - likewise, where they begin */
static inline const struct iopt_hw *check_hw(const struct iopt_decode_device *device)
{
	return device->first_format ? &device->first_hw : &device->hw;
}

/* ---- check_walk.c -------------------------------------------------------------------------- */

/** check_walk_space() - go through the tables of an address space: 0, or a negative errno value */
int check_walk_space(struct check *check, uint32_t number);

/** check_kind_of() - what libiopt-decode finds wrong, as a finding */
enum check_kind check_kind_of(const struct check *check, enum iopt_decode_wrong what);

/* ---- check_memory.c ------------------------------------------------------------------------ */

/** check_ranges_add() - 0, or -ENOMEM. What touches may become one */
int check_ranges_add(struct check_ranges *ranges, uint64_t first, uint64_t last, uint64_t iova);
/** check_ranges_sort() - in ascending order, none touching another */
void check_ranges_sort(struct check_ranges *ranges);

/** check_memory() - what devices may write and should not: 0, or -ENOMEM */
int check_memory(struct check *check);

/* ---- check_kernel.c ------------------------------------------------------------------------ */

/** check_kernel_text() - where the dump's kernel has its code, if the dump says so */
bool check_kernel_text(struct dump *dump, struct span *text);

/* ---- check_show.c -------------------------------------------------------------------------- */

/** enum check_form - how findings are shown */
enum check_form { CHECK_TEXT, CHECK_TSV, CHECK_JSON };

/**
 * check_show() - show findings
 * @check: done
 * @form:  how
 * @least: nothing below this severity
 * @out:   where to
 *
 * Return: whether there was memory for it.
 */
bool check_show(const struct check *check, enum check_form form, enum check_severity least,
		FILE *out);

#endif
