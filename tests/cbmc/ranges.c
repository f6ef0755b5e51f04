/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sizes, indices and addresses, for all of 64 bits: which leaf the engine chooses, where an entry
 * lies, how a scan goes on. Compiled once for each format of formats/list.h.
 */
#define PROVE_PASTE_(a, b) a##b
#define PROVE_PASTE(a, b)  PROVE_PASTE_(a, b)
#define PROVE_STRING_(a)   #a
#define PROVE_STRING(a)	   PROVE_STRING_(a)

#define IOPT_INSTANCE_FORMAT PROVE_PASTE(IOPT_FORMAT, _format)
/* It would take the path for a division. */
/* clang-format off */
#include PROVE_STRING(formats/IOPT_FORMAT.h)
/* clang-format on */

#include "engine/map.h"
#include "tests/cbmc/prove.h"

static struct iopt_domain domain;

static unsigned any_level(void)
{
	return any_below(F->info.max_levels);
}

/* A domain with a lower half, an upper one, or both. */
static void any_halves(void)
{
	domain.low_half = nondet_u64();
	assume(domain.low_half <= 1ull << 63);
	domain.low_last = domain.low_half ? 2 * domain.low_half - 1 : 0;
	domain.high_after = nondet_u64();
	assume(domain.high_after == ~0ull ? domain.low_half : domain.high_after > domain.low_last);
}

void prove_index_and_mask(void)
{
	unsigned level = any_level();
	uint64_t iova = nondet_u64(), mask = entry_mask(level);
	uint64_t first = nondet_u64(), last = nondet_u64(), pa = nondet_u64();

	claim(!(mask & (mask + 1)), "a power of two less one");
	claim(level == 0 || mask > entry_mask(level - 1), "grows with the level");
	claim(table_index(iova, level) < table_entries(), "in the table");
	claim(table_index(iova | mask, level) == table_index(iova & ~mask, level), "one entry");
	assume(first <= last);
	claim(is_entry(first, last, pa, level) ==
		      ((first & ~mask) == first && last == (first | mask) && !(pa & mask)),
	      "one entry, whole");
	reached();
}

void prove_level_and_run_of_a_size(void)
{
	unsigned lg2 = any_below(64), level;

	assume(F->info.page_sizes >> lg2 & 1);
	level = leaf_level(lg2);
	claim(level < F->info.max_levels, "a level");
	claim(entry_span_lg2(level) <= lg2, "no entry is larger than the leaf");
	claim(level + 1 == F->info.max_levels || entry_span_lg2(level + 1) > lg2, "the highest");
	claim((uint64_t)run_length(lg2, level) << entry_span_lg2(level) == 1ull << lg2,
	      "the run makes it up");
	claim(run_length(lg2, level) <= table_entries(), "in one table");
	claim(has_runs() || run_length(lg2, level) == 1, "no runs without the ability");
	reached();
}

void prove_top_covers(void)
{
	unsigned levels = any_below(F->info.max_levels + 1u);
	uint64_t pa = nondet_u64(), iova = nondet_u64(), top;

	assume(levels >= 1 && !(pa & (TOP_LEVELS | TOP_INDEX)));
	top = top_make(pa, levels);
	claim(top_pa(top) == pa && top_levels(top) == levels, "both come back");
	if (F->info.abilities & IOPT_CAN_GROW) {
		unsigned lg2 = F->info.granule_lg2 + levels * F->info.index_lg2;

		claim(top_covers(top, iova) == (lg2 >= 64 || !(iova >> lg2)), "its bits alone");
	} else {
		claim(top_covers(top, iova), "checked before");
	}
	reached();
}

/**
 * struct choice - what piece_choose() was asked
 */
struct choice {
	uint64_t iova, last, pa, sizes;
	struct piece piece;
};

/* Whether a leaf of that size fits at a multiple of the granule, `at` bytes behind the start. */
static bool fits(const struct choice *c, uint64_t at, unsigned lg2)
{
	uint64_t mask = (1ull << lg2) - 1;

	return !((c->iova + at) & mask) && !((c->pa + at) & mask) &&
	       mask <= c->last - (c->iova + at);
}

static uint64_t leaves_of(const struct piece *piece)
{
	return piece->entries >> (piece->size_lg2 - entry_span_lg2(piece->level));
}

static struct choice any_choice(void)
{
	const uint64_t granule = entry_mask(0);
	struct choice c = { .iova = nondet_u64(), .last = nondet_u64(), .pa = nondet_u64() };

	domain.map_sizes = nondet_u64() & F->info.page_sizes;
	assume(domain.map_sizes & (granule + 1));
	domain.top = nondet_u64();
	assume(top_levels(domain.top) >= 1 && top_levels(domain.top) <= F->info.max_levels);
	c.sizes = domain.map_sizes;
	/* A size is less than what the top translates: map_top() has seen to it for the granule. */
	if (F->info.abilities & IOPT_CAN_GROW)
		c.sizes &= entry_mask(top_levels(domain.top));
	assume(c.iova <= c.last && !(c.iova & granule) && !(c.pa & granule) &&
	       !((c.last + 1) & granule) && c.pa <= ~0ull - (c.last - c.iova));
	piece_choose(&domain, c.iova, c.last, c.pa, &c.piece);
	return c;
}

/* Without them the claims about larger leaves are of nothing. */
static bool several_sizes(void)
{
	return F->info.page_sizes & (F->info.page_sizes - 1);
}

void prove_largest_leaf_that_fits_is_chosen(void)
{
	struct choice c = any_choice();
	unsigned other = any_below(64);

	claim(c.sizes >> c.piece.size_lg2 & 1, "one of the sizes");
	claim(fits(&c, 0, c.piece.size_lg2), "aligned to both, inside the range");
	if (several_sizes()) {
		assume(c.sizes >> other & 1 && other > c.piece.size_lg2);
		claim(!fits(&c, 0, other), "no larger one fits");
	}
	reached();
}

void prove_leaves_stay_inside_the_range(void)
{
	struct choice c = any_choice();
	uint64_t leaves = leaves_of(&c.piece);

	claim(c.piece.entries && !(c.piece.entries & (c.piece.run - 1)), "whole leaves");
	claim(leaves - 1 <= (c.last - c.iova) >> c.piece.size_lg2, "not past the end");
	claim(((leaves - 1) << c.piece.size_lg2 | ((1ull << c.piece.size_lg2) - 1)) <=
		      c.last - c.iova,
	      "nor the last one");
	claim(c.piece.pa == c.pa && !c.piece.done, "from its start");
	reached();
}

void prove_no_larger_leaf_is_passed_by(void)
{
	struct choice c = any_choice();
	uint64_t leaves = leaves_of(&c.piece), k = nondet_u64();
	unsigned other = any_below(64);

	if (several_sizes()) {
		assume(k < leaves && c.sizes >> other & 1 && other > c.piece.size_lg2);
		claim(!fits(&c, k << c.piece.size_lg2, other),
		      "no larger one fits at a leaf of the piece");
	}
	reached();
}

void prove_scan_goes_on_behind_and_ends(void)
{
	uint64_t first = nondet_u64(), last = nondet_u64(), passed = nondet_u64(), before;
	struct scan scan;

	any_halves();
	assume(first <= last);
	scan_start(&scan, &domain, first, last);
	claim(scan.done || (scan.next >= first && scan.last <= last && scan.next <= scan.last),
	      "inside the range");
	claim(scan.done || (domain_has(&domain, scan.next, scan.next) &&
			    domain_has(&domain, scan.last, scan.last)),
	      "inside the domain");
	assume(!scan.done && passed >= scan.next);
	before = scan.next;
	scan_pass(&scan, passed);
	claim(scan.done || (scan.next > before && scan.next > passed && scan.next <= scan.last),
	      "further, and not past the end");
	claim(scan.done || domain_has(&domain, scan.next, scan.next), "over the gap");
	claim(!scan.done || passed >= scan.last || scan.last <= domain.high_after,
	      "ends only where nothing is left");
	reached();
}
