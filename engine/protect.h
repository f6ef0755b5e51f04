/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Protect: other permissions for a live range. Part of an instance (instance.c).
 *
 * The caller owns the range. Each entry is changed where it stands, by compare-and-exchange over
 * what hardware marks in it meanwhile, so that no accessed or dirty bit is lost and no access
 * faults that both permissions allow. Entries of a run differ for a moment; hardware may go by any
 * of them.
 */
#ifndef ENGINE_PROTECT_H
#define ENGINE_PROTECT_H

#include "engine/split.h"

static void protect_entry(const struct place *place, uint64_t attr)
{
	const unsigned level = place->level;
	uint64_t entry = entry_load(place_slot(place)), changed;

	do {
		unsigned lg2, run;

		if (F->kind(entry, level) != IOPT_LEAF)
			return;
		lg2 = F->leaf_lg2(entry, level);
		run = run_length(lg2, level);
		changed = F->leaf(attr_marked(attr, entry), F->leaf_pa(entry, level), level, lg2,
				  place->index & (run - 1));
	} while (!entry_cas(place_slot(place), &entry, changed));
}

/* The leaves of one table, from scan->next on. */
static void protect_table(struct scan *scan, struct place *place, uint64_t entry, uint64_t attr,
			  struct iopt_gather *gather)
{
	struct iopt_range went = { ~0ull, 0 };
	struct lines lines = { 0, 0 };
	unsigned leaf_lg2 = NO_LEAF;

	do {
		if (F->kind(entry, place->level) == IOPT_LEAF) {
			unsigned lg2 = F->leaf_lg2(entry, place->level);

			protect_entry(place, attr);
			if (unsnooped(scan->domain))
				lines_add(&lines, place_slot(place), 1);
			range_grow(&went, scan->next, scan->next | entry_mask(place->level));
			leaf_lg2 = lg2 < leaf_lg2 ? lg2 : leaf_lg2;
		}
		scan_pass(scan, scan->next | entry_mask(place->level));
	} while (scan_entry(scan, place, place->index + 1, &entry));
	if (leaf_lg2 == NO_LEAF)
		return;
	lines_flush(&lines);
	gather_owe(gather, went.first, went.last, IOPT_OWES_LEAVES | IOPT_OWES_DEVICE_TLB,
		   leaf_lg2);
}

/* Whether a leaf of the range would need a break before it had these attributes. */
static bool protect_breaks(struct iopt_domain *domain, uint64_t first, uint64_t last, uint64_t attr)
{
	bool breaks = false;
	struct place place;
	struct scan scan;
	uint64_t entry;

	if (!F->leaf_fixed)
		return false;
	scan_start(&scan, domain, first, last);
	iopt_host_read_lock();
	while (!breaks && !scan.done && scan_table(&scan, &place, &entry)) {
		do {
			breaks |= F->kind(entry, place.level) == IOPT_LEAF &&
				  ((F->leaf_attrs(entry, place.level) ^ attr) & F->leaf_fixed);
			scan_pass(&scan, scan.next | entry_mask(place.level));
		} while (scan_entry(&scan, &place, place.index + 1, &entry));
	}
	iopt_host_read_unlock();
	return breaks;
}

static void protect_range(struct iopt_domain *domain, uint64_t first, uint64_t last, uint64_t attr,
			  struct iopt_gather *gather)
{
	struct place place;
	struct scan scan;
	uint64_t entry;

	scan_start(&scan, domain, first, last);
	iopt_host_read_lock();
	while (!scan.done && scan_table(&scan, &place, &entry))
		protect_table(&scan, &place, entry, attr, gather);
	iopt_host_read_unlock();
	iopt_host_publish();
}

static int protect(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned prot,
		   struct iopt_gather *gather)
{
	uint64_t attr;
	int error;

	if (((first | ~last) & entry_mask(0)) || first > last || gather->domain != domain)
		return -IOPT_EINVAL;
	if (!domain_has(domain, first, last))
		return -IOPT_ERANGE;
	error = F->leaf_attr(prot, domain->flags, &attr);
	if (!error && protect_breaks(domain, first, last, attr))
		error = -IOPT_EOPNOTSUPP;
	if (!error)
		error = split_ends(domain, first, last, gather);
	if (!error)
		protect_range(domain, first, last, attr, gather);
	return error;
}

#endif
