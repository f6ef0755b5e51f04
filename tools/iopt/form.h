/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The forms in which `iopt decode` shows what devices reach, a file for each: form_NAME.c. What is
 * shown, in which order and how neighbours are put together is mappings.c's, texts that forms have
 * in common form.c's.
 */
#ifndef TOOLS_IOPT_FORM_H
#define TOOLS_IOPT_FORM_H

#include "tools/iopt/key_map.h"
#include "tools/iopt/mappings.h"
#include "tools/iopt/progress.h"

/**
 * struct leaf_sizes - how many leaves there are of each size
 * @sizes:   bit n: there are some of 2^n bytes
 * @of_size: how many; not set where @sizes has no bit
 */
struct leaf_sizes {
	uint64_t sizes;
	uint64_t of_size[64];
};

/**
 * struct mapping - neighbouring leaves that lead to neighbouring memory and are alike in the rest
 * @prot:   IOPT_READ and so on, attributes among them
 * @nr:     leaves; 0: there is none
 * @leaves: by size
 */
struct mapping {
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	uint8_t prot;
	bool accessed;
	bool dirty;
	uint64_t nr;
	struct leaf_sizes leaves;
};

/** struct amount - leaves and bytes; these end at UINT64_MAX */
struct amount {
	uint64_t leaves;
	uint64_t bytes;
};

/**
 * struct sums - of one device
 * @mappings:    that were shown
 * @all:         leaves in the addresses that are of interest
 * @accessed:    those of them that say so
 * @dirty:       likewise
 * @leaves:      @all, by size
 * @tables:      that were read
 * @table_bytes: their size
 * @troubles:    what was wrong
 */
struct sums {
	uint64_t mappings;
	struct amount all;
	struct amount accessed;
	struct amount dirty;
	struct leaf_sizes leaves;
	uint64_t tables;
	uint64_t table_bytes;
	uint64_t troubles;
};

/** struct shown - tables that were shown, as the @number-th ones, and whose they are */
struct shown {
	struct iopt_decode_device device;
	size_t number;
};

/**
 * struct show - showing under way
 * @form:     how
 * @stream:   where to
 * @device:   whose leaves these are; NULL: between devices
 * @same:     its tables were shown before: these; NULL: they were not
 * @pending:  not shown yet: it may grow
 * @sums:     of this device, so far; but for @sums.mappings and what is of tables and troubles,
 *            only where form::sums
 * @begun:    the device was told to the form
 * @devices:  how many were
 * @troubles: of all
 * @found:    the one device that is of interest was told of, or that something is wrong with it
 * @shown:    tables, @nr_shown of them
 * @shown_of: their numbers, by a hash of what makes them the same
 * @tables:   that were read, of all
 * @error:    what became of telling what is wrong
 * @own:      the form's
 */
struct show {
	const struct iopt_decode_source *source;
	const struct mappings_wish *wish;
	const struct form *form;
	FILE *stream;
	const struct iopt_decode_device *device;
	const struct shown *same;
	struct mapping pending;
	struct sums sums;
	bool begun;
	uint64_t devices;
	uint64_t troubles;
	bool found;
	struct shown *shown;
	size_t nr_shown;
	struct key_map shown_of;
	uint64_t tables;
	int error;
	struct progress progress;
	void *own;
};

/** enum form_devices - which devices a form is told of */
enum form_devices {
	FORM_MAPPED,	 /* those with mappings that are of interest */
	FORM_UNFILTERED, /* all, unless only some mappings are of interest: then as FORM_MAPPED */
	FORM_ALL,
};

/**
 * struct form - a form
 * @name:     as the command line has it
 * @devices:  which it is told of
 * @once:     tables of several devices are shown with the first, unless only some mappings are of
 *            interest
 * @apart:    leaves of different sizes are not put together
 * @sums:     struct sums is of use
 * @in_place: what is wrong is told behind the mappings before it
 * @begin:    before all; may be NULL, as all of the following
 * @device:   show::device begins
 * @mapping:  one of it
 * @leaf:     instead: each leaf, at once; @mapping is then of devices that pass through alone
 * @table:    a table of it, before the leaves in it; mappings before may still be pending
 * @trouble:  something is wrong, of @device or, with NULL, of what leads to devices. NULL: told on
 *            standard error
 * @device_end: it ends
 * @end:      all does; not called after an error
 * @free:     last of all
 *
 * Functions return 0 or -errno, which ends it all.
 */
struct form {
	const char *name;
	enum form_devices devices;
	bool once;
	bool apart;
	bool sums;
	bool in_place;
	int (*begin)(struct show *show);
	int (*device)(struct show *show);
	int (*mapping)(struct show *show, const struct mapping *mapping);
	int (*leaf)(struct show *show, const struct iopt_decode_leaf *leaf);
	int (*table)(struct show *show, const struct iopt_decode_table *table);
	int (*trouble)(struct show *show, const struct iopt_decode_device *device,
		       const struct iopt_decode_trouble *trouble);
	int (*device_end)(struct show *show);
	int (*end)(struct show *show);
	void (*free)(struct show *show);
};

extern const struct form form_tree;
extern const struct form form_tsv;
extern const struct form form_json;
extern const struct form form_raw;
extern const struct form form_html;

/** form_begin_device() - tell the form of show::device, once. Return: 0 or -errno. */
int form_begin_device(struct show *show);

/** form_is_filtered() - are only some of the devices' mappings of interest? */
bool form_is_filtered(const struct mappings_wish *wish);

/** form_unit_text() - "vtd" and so on */
const char *form_unit_text(enum iopt_decode_unit unit);

/** form_path_text() - "translated" and so on */
const char *form_path_text(enum iopt_decode_path path);

/**
 * struct stage - the tables whose leaves and tables are told: of two stages the first one's
 * @format: NULL: there are none
 * @hw:     where they begin
 */
struct stage {
	const char *format;
	const struct iopt_hw *hw;
};

/** form_stage() - of a device */
struct stage form_stage(const struct iopt_decode_device *device);

/** form_pasid_text() - of IOPT_DECODE_NO_PASID what is given. Return: it, or @text. */
const char *form_pasid_text(uint32_t pasid, const char *none, char text[MAPPINGS_DEVICE_BYTES]);

/**
 * form_attributes() - the names of attributes beside permissions
 * @prot:  IOPT_SNOOP and so on
 * @names: filled in
 *
 * Return: how many there are.
 */
#define FORM_ATTRIBUTES 4u
unsigned form_attributes(unsigned prot, const char *names[FORM_ATTRIBUTES]);

/** form_print_trouble() - a line of it; @before: what it begins with */
void form_print_trouble(FILE *stream, const char *before, const struct iopt_decode_device *device,
			const struct iopt_decode_trouble *trouble);

#endif
