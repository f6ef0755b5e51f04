/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a device reaches, as `iopt decode` shows it: which leaves are of interest, neighbours put
 * together, in one of several forms (form.h). Finding them is libiopt-decode's.
 */
#ifndef TOOLS_IOPT_MAPPINGS_H
#define TOOLS_IOPT_MAPPINGS_H

#include <stdio.h>

#include <iopt/decode.h>

/** struct span - addresses, both ends included */
struct span {
	uint64_t first;
	uint64_t last;
};

struct form;

/**
 * struct mappings_wish - what is of interest
 * @name:     of the memory, for people
 * @form:     how it is shown
 * @leaves:   each leaf by itself
 * @one:      only the device @id
 * @iova:     only addresses of the device's in here
 * @pa:       only what leads in here
 * @by_pa:    @pa was asked for
 * @accessed: only leaves that say so
 * @dirty:    likewise
 */
struct mappings_wish {
	const char *name;
	const struct form *form;
	bool leaves;
	bool one;
	uint32_t id;
	struct span iova;
	struct span pa;
	bool by_pa;
	bool accessed;
	bool dirty;
};

/** mappings_form() - find a form: tree, tsv, json, raw, html. Return: NULL if it is none. */
const struct form *mappings_form(const char *name);

/**
 * mappings_show() - show what all devices of a unit reach
 * @source:   memory and registers
 * @wish:     what is of interest
 * @stream:   where to
 * @troubles: set to how much was found wrong; told in the form, of tsv and raw on standard error
 *
 * Return: 0, -ENOMEM, or another -errno if what had to wait could not be kept.
 */
int mappings_show(const struct iopt_decode_source *source, const struct mappings_wish *wish,
		  FILE *stream, uint64_t *troubles);

/** mappings_device_text() - bus:device.function, as in "00:1f.0"; of larger ids the number */
#define MAPPINGS_DEVICE_BYTES 16
const char *mappings_device_text(uint32_t id, char text[MAPPINGS_DEVICE_BYTES]);

/** mappings_perm_text() - "rw-" and the like, of IOPT_READ and so on */
#define MAPPINGS_PERM_BYTES 4
static inline const char *mappings_perm_text(unsigned prot, char text[MAPPINGS_PERM_BYTES])
{
	text[0] = prot & IOPT_READ ? 'r' : '-';
	text[1] = prot & IOPT_WRITE ? 'w' : '-';
	text[2] = prot & IOPT_EXEC ? 'x' : '-';
	text[3] = '\0';
	return text;
}

#endif
