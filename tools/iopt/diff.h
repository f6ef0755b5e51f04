/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the files of `iopt diff` share: what is in a dump (diff_side.c), and how changes are shown
 * (diff_forms.c).
 */
#ifndef TOOLS_IOPT_DIFF_H
#define TOOLS_IOPT_DIFF_H

#include <iopt/decode.h>

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
 * @tables: in ascending order of first addresses, of the same the higher level first
 */
struct space {
	struct iopt_decode_device device;
	struct piece *pieces;
	size_t nr;
	size_t room;
	struct iopt_decode_table *tables;
	size_t nr_tables;
	size_t tables_room;
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

/** side_read() - read all of it. Return: whether there was memory for it. */
bool side_read(struct side *side);

void side_free(struct side *side);

/** space_order() - which of two comes first, as qsort()'s functions say it */
int space_order(const void *a, const void *b);

/** enum change - of an address, of the table for it, or of a device */
enum change {
	APPEARED,
	WENT,
	MOVED,
	CHANGED = MOVED, /* of a device: its entry says something else */
	PERMITTED,	 /* of an address: its permissions changed */
	NR_CHANGES,
};

/**
 * struct changes - what was shown
 * @form:   how
 * @shown:  a line was printed for this device
 * @bytes:  of addresses, by change
 * @tables: by change
 * @devices: likewise
 * @nr:     how many, of all
 */
struct changes {
	const struct diff_form *form;
	bool shown;
	uint64_t bytes[NR_CHANGES];
	uint64_t tables[NR_CHANGES];
	uint64_t devices[NR_CHANGES];
	uint64_t nr;
};

/**
 * struct diff_form - a form
 * @begin:   before all; may be NULL, as @end
 * @device:  one of a side or of both, NULL: not there
 * @mapping: first..last changed: what they were and are part of; NULL: they led nowhere
 * @table:   likewise
 * @end:     after all
 */
struct diff_form {
	const char *name;
	void (*begin)(void);
	void (*device)(const struct changes *changes, enum change change,
		       const struct iopt_decode_device *old, const struct iopt_decode_device *new);
	void (*mapping)(const struct changes *changes, const struct iopt_decode_device *device,
			enum change change, uint64_t first, uint64_t last, const struct piece *old,
			const struct piece *new);
	void (*table)(const struct changes *changes, const struct iopt_decode_device *device,
		      enum change change, const struct iopt_decode_table *old,
		      const struct iopt_decode_table *new);
	void (*end)(const struct changes *changes);
};

/** diff_form_find() - by its name; NULL: there is none */
const struct diff_form *diff_form_find(const char *name);

#endif
