/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The domain as the engine sees it, and the entry points that each format's instance has.
 * Nothing here knows an entry's bits.
 */
#ifndef ENGINE_DOMAIN_H
#define ENGINE_DOMAIN_H

#include "engine/checked.h"
#include "engine/errors.h"
#include "engine/host.h"
#include "engine/sweeps.h"
#include "iopt/iopt.h"

struct iopt_format;

/**
 * struct iopt_ops - one format's instance of the engine (engine/instance.c)
 *
 * One indirect call an operation: everything below these was specialised at compile time.
 */
struct iopt_ops {
	const struct iopt_format *format;
	const struct iopt_ops *unsnooped; /* the same for domains with IOPT_NONCOHERENT */
	int (*map)(struct iopt_domain *domain, uint64_t first, uint64_t last, uint64_t pa,
		   unsigned prot, struct iopt_reserve *reserve);
	int (*map_sg)(struct iopt_domain *domain, uint64_t first,
		      const struct iopt_segment *segments, size_t nr, unsigned prot,
		      struct iopt_reserve *reserve, uint64_t *last);
	int (*unmap)(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags,
		     struct iopt_gather *gather, struct iopt_released *released);
	int (*translate)(struct iopt_domain *domain, uint64_t iova,
			 struct iopt_translation *result);
	size_t (*visit)(struct iopt_domain *domain, struct iopt_visit *visit,
			struct iopt_item *items, size_t nr);
	int (*sweep)(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags,
		     const struct iopt_sink *sink, struct iopt_gather *gather, uint64_t budget,
		     uint64_t *next);
	int (*protect)(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned prot,
		       struct iopt_gather *gather);
	int (*split)(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned leaf_lg2,
		     unsigned flags, struct iopt_gather *gather, uint64_t budget, uint64_t *next);
	int (*merge)(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned leaf_lg2,
		     unsigned flags, struct iopt_gather *gather, uint64_t budget, uint64_t *next);
	int (*trim)(struct iopt_domain *domain, uint64_t first, uint64_t last,
		    struct iopt_gather *gather, uint64_t budget, uint64_t *next);
	void (*collect)(const struct iopt_table *table, const struct iopt_sink *sink);
	void (*free_tables)(struct iopt_domain *domain);
};

/*
 * A top word is the top table's physical address with the number of levels in its low bits, so
 * that the two change together: a reader sees one top or the other, never a mixture. Where the top
 * may have another number of entries than other tables, the lg2 of it is there, too.
 */
#define TOP_LEVELS	0x7ull
#define TOP_INDEX	0xf8ull
#define TOP_INDEX_SHIFT 3u

static inline uint64_t top_make(uint64_t pa, unsigned levels)
{
	return pa | levels;
}

static inline uint64_t top_pa(uint64_t top)
{
	return top & ~(TOP_LEVELS | TOP_INDEX);
}

static inline uint64_t top_with_index(uint64_t top, unsigned index_lg2)
{
	return top | (uint64_t)index_lg2 << TOP_INDEX_SHIFT;
}

static inline unsigned top_index_lg2(uint64_t top)
{
	return (top & TOP_INDEX) >> TOP_INDEX_SHIFT;
}

static inline unsigned top_levels(uint64_t top)
{
	return top & TOP_LEVELS;
}

/**
 * struct table_counts - tables of a domain, counted where they come and go
 * @linked:   linked so far, by level
 * @unlinked: unlinked so far, by reason and level
 * @raced:    never linked, since another mapper was faster
 * @peak:     most that were linked at any time
 * @grown:    how often the top grew
 * @split:    leaves split
 * @merged:   leaves made of smaller ones
 *
 * One atomic for each table that goes: what is there now is a difference.
 */
struct table_counts {
	uint64_t linked[IOPT_MAX_LEVELS];
	uint64_t unlinked[IOPT_NR_FREED][IOPT_MAX_LEVELS];
	uint64_t raced;
	uint64_t peak;
	uint64_t grown;
	uint64_t split;
	uint64_t merged;
};

/**
 * struct iopt_domain - one IOVA space and its tables
 * @ops:        the format's instance
 * @top:        top word that the device was told of. Everything walks from here: nothing is mapped
 *              above it. Differs from @newest only while a new top is being announced.
 * @low_half:   half of the bytes of the lower half; 0: there is none
 * @high_after: IOVAs above this one belong to the upper half; ~0: there is none
 * @pa_last:    last physical address that may be mapped
 * @map_sizes:  bit n: leaves of 2^n bytes may be mapped: those that tracking at a granularity
 *              allows; atomic
 * @flags:      iopt_config::flags
 * @tracking:   unmap reports dirty pages
 * @short_map:  one entry, or a few, may be mapped the short way: no invalidation is owed for it
 * @short_unmap: the same for unmap_entry(): no dirty bit is asked for
 * @low_last:   last IOVA of the lower half; 0: there is none
 * @resizes:    leaves may change their size while hardware uses them
 * @memory:     iopt_config::memory, for the host
 * @index_mask: bits of an IOVA that the tables translate, without a sign extension
 * @page_sizes: bit n: leaves of 2^n bytes may be used
 * @newest:     top word of the newest top
 * @max_levels, @iova_lg2, @pa_lg2: as in the configuration, defaults filled in
 * @debts:      of a checked build: ranges that are not synced
 * @sweeps:     clearing sweeps under way, and what they owe
 * @counts:     changed where tables come and go only
 *
 * The members up to @short_unmap are read by every operation and hardly ever written.
 */
struct iopt_domain {
	const struct iopt_ops *ops;
	uint64_t top;
	uint64_t low_half;
	uint64_t high_after;
	uint64_t pa_last;
	uint64_t map_sizes;
	uint32_t flags;
	bool tracking;
	bool short_map;
	bool short_unmap;

	uint64_t low_last;
	uint64_t index_mask;
	uint64_t page_sizes;
	uint64_t newest;
	uint8_t max_levels;
	uint8_t iova_lg2;
	uint8_t pa_lg2;
	bool resizes;
	struct iopt_callbacks callbacks;
	void *ctx;
	uintptr_t memory;
	struct sweeps sweeps;
	struct debts debts;

	/* Away from the line above: written by mappers that add tables. */
	struct table_counts counts __attribute__((aligned(IOPT_HOST_LINE)));
};

/*
 * Whether first..last (first <= last) lies in what the domain translates, and in one half of it.
 * Half of each, so that there may be none of the lower one, and all of 64 bits.
 */
static inline bool domain_has(const struct iopt_domain *domain, uint64_t first, uint64_t last)
{
	return last >> 1 < domain->low_half || first > domain->high_after;
}

static inline bool domain_tracks(const struct iopt_domain *domain)
{
	return __atomic_load_n(&domain->tracking, __ATOMIC_RELAXED);
}

#endif
