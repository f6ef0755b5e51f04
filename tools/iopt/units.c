/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See units.h. */
#include <inttypes.h>

#include "tools/iopt/command.h"
#include "tools/iopt/registers.h"
#include "tools/iopt/units.h"

#define LIST_BYTES 512

void units_add(struct units *units, const struct unit *unit)
{
	for (unsigned i = 0; i < units->nr; i++)
		if (units->of[i].base == unit->base)
			return;
	if (units->nr < UNITS_MAX)
		units->of[units->nr++] = *unit;
}

/* Their addresses; of very many the first ones. */
static const char *list_text(const struct units *units, char text[LIST_BYTES])
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < units->nr && used < LIST_BYTES - 64; i++)
		used += (size_t)snprintf(text + used, LIST_BYTES - used, "%s0x%" PRIx64 " (%s)",
					 i ? ", " : "", units->of[i].base,
					 registers_kind_text(units->of[i].kind));
	return text;
}

const struct unit *units_choose(const struct units *units, const uint64_t *base, const char *path)
{
	char text[LIST_BYTES];

	if (!base && units->nr == 1)
		return &units->of[0];
	for (unsigned i = 0; base && i < units->nr; i++)
		if (units->of[i].base == *base)
			return &units->of[i];
	if (base)
		content_error("%s: no unit at 0x%" PRIx64 "; found: %s", path, *base,
			      list_text(units, text));
	else
		content_error("%s: %u units, expected --unit with one of their addresses: %s", path,
			      units->nr, list_text(units, text));
	return NULL;
}

void units_print(const struct units *units, const char *path)
{
	for (unsigned i = 0; i < units->nr; i++) {
		const struct unit *unit = &units->of[i];

		fprintf(stderr, "iopt: %s: %s: %s at 0x%" PRIx64 "%s%s\n", path, unit->found,
			registers_kind_text(unit->kind), unit->base, unit->scope[0] ? ", " : "",
			unit->scope);
	}
}
