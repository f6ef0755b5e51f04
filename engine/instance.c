/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The engine for one format: compiled once for each, with -DIOPT_FORMAT=NAME for formats/NAME.h.
 * What is included below is one translation unit, in which the format is a constant object; that
 * leaves its functions inlined and its numbers in the code, and no indirect call but the one into
 * here.
 */
#define INSTANCE_PASTE_(a, b) a##b
#define INSTANCE_PASTE(a, b)  INSTANCE_PASTE_(a, b)
#define INSTANCE_STRING_(a)   #a
#define INSTANCE_STRING(a)    INSTANCE_STRING_(a)

#define IOPT_INSTANCE_FORMAT INSTANCE_PASTE(IOPT_FORMAT, _format)
/* It would take the path for a division. */
/* clang-format off */
#include INSTANCE_STRING(formats/IOPT_FORMAT.h)
/* clang-format on */

#include "engine/map.h"
#include "engine/merge.h"
#include "engine/protect.h"
#include "engine/sweep.h"
#include "engine/unsnooped.h"

/* Everything below a table and the table itself, with nobody else left. */
static void free_below(uint64_t pa, unsigned level, unsigned entries)
{
	struct iopt_table *table = iopt_host_table(pa);

	for (unsigned i = 0; level > 0 && i < entries; i++) {
		uint64_t entry = entry_load(slot_at(iopt_host_va(pa), i));

		if (F->kind(entry, level) == IOPT_TABLE)
			free_below(F->table_pa(entry), level - 1, table_entries());
	}
	table->next = NULL;
	iopt_host_table_free(table);
	iopt_host_breathe();
}

static void free_tables(struct iopt_domain *domain)
{
	uint64_t top = domain->newest;

	free_below(top_pa(top), top_levels(top) - 1, top_mask(top) + 1);
}

#define INSTANCE_OPS(map_, unmap_)                                                       \
	.format = &IOPT_INSTANCE_FORMAT, .map = map_, .map_sg = map_sg, .unmap = unmap_, \
	.translate = translate, .visit = visit, .sweep = sweep, .protect = protect,      \
	.split = split, .merge = merge, .trim = trim, .collect = collect,                \
	.free_tables = free_tables

static const struct iopt_ops ops_unsnooped = { INSTANCE_OPS(map_unsnooped, unmap_unsnooped) };

const struct iopt_ops INSTANCE_PASTE(iopt_ops_, IOPT_FORMAT) = {
	INSTANCE_OPS(map, unmap),
	.unsnooped = &ops_unsnooped,
};
