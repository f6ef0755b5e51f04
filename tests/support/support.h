/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the tests of the engine share: the hardware's side of an entry, a device that notes what it
 * is told to drop, and looking up one leaf. Nothing here knows of cmocka: the model test runs
 * without it.
 */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "iopt/iopt.h"
#include "iopt/posix.h"
#include "tests/support/shape.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define RW  (IOPT_READ | IOPT_WRITE)

/**
 * struct hardware - what a test must know of a format to play the hardware
 * @accessed: the bit that hardware sets in a leaf that it used
 * @dirty:    and that it sets when it wrote through it
 * @present:  one of these is set in an entry that hardware looks at
 * @write:    one of these is set in a leaf that may be written through
 * @inverted: those of these bits that mean the opposite: clear for set
 * @starts:   IOPT_ITEM_*: how leaves start in domains that nobody tracks, dirty if they can be
 *            written
 * @table_pa: where an entry leads that leads to a table
 */
struct hardware {
	uint64_t accessed;
	uint64_t dirty;
	uint64_t present;
	uint64_t write;
	uint64_t inverted;
	uint8_t starts;
	uint64_t (*table_pa)(uint64_t entry);
};

/* The library's formats, those of formats/list.h. */
enum {
#define IOPT_FORMAT(name) FORMAT_##name,
#include "formats/list.h"
#undef IOPT_FORMAT
	NR_FORMATS
};

/* Their names, in that order. */
extern const char *const formats[NR_FORMATS];

/**
 * usual() - the next format that the addresses of most tests are written for, see is_usual()
 * @i: look from this one on
 *
 * Return: its index; NR_FORMATS: there is none any more.
 */
size_t usual(size_t i);

/**
 * hardware_of() - the hardware that walks a format
 * @format: name of one of the library's formats
 */
const struct hardware *hardware_of(const char *format);

/* Whether an entry is marked dirty. */
static inline bool hardware_dirty(const struct hardware *hw, uint64_t entry)
{
	return (entry ^ hw->inverted) & hw->dirty;
}

/**
 * hardware_writes() - a device's write went through this leaf entry: set accessed and dirty
 * @hw:       whose
 * @entry_pa: physical address of the entry, of any of a run
 *
 * As hardware does: atomically, and only while the entry is present and may be written through. A
 * walk that was cached leads here even if the table was unlinked.
 *
 * Return: whether the bits are set now.
 */
bool hardware_writes(const struct hardware *hw, uint64_t entry_pa);

/**
 * find_leaf() - the leaf that translates an IOVA
 * @domain: where
 * @iova:   any byte
 * @leaf:   filled in
 *
 * Return: false if there is none.
 */
bool find_leaf(struct iopt_domain *domain, uint64_t iova, struct iopt_item *leaf);

/**
 * device_writes() - a device writes to an IOVA of a domain
 * @hw:     the domain's format
 * @domain: where
 * @iova:   any byte; of the leaf's run the entry that translates it is marked, and no other
 *
 * Return: false if nothing is mapped there or it may not be written.
 */
bool device_writes(const struct hardware *hw, struct iopt_domain *domain, uint64_t iova);

/**
 * struct device - a device that notes what it is told; the callbacks' context
 * @domain:  the domain that it is attached to
 * @invalidations: how often it had to drop something
 * @owes:    what for, all of it
 * @nr_ranges, @ranges: which ranges; what does not fit is not noted
 * @last:    the last invalidation's gather as it was then
 * @tops:    how often the top changed
 * @look:    called during each invalidation; NULL: nothing to see
 * @ctx:     for @look
 */
struct device {
	struct iopt_domain *domain;
	unsigned invalidations;
	uint32_t owes;
	unsigned nr_ranges;
	struct iopt_range ranges[256];
	struct iopt_gather last;
	unsigned tops;
	void (*look)(struct device *device, const struct iopt_gather *gather);
	void *ctx;
};

/* The best break-before-make level that there is for a format: leaves may change their sizes. */
uint8_t best_bbm(const char *format);

/**
 * device_create() - create a domain with a device
 * @device: zeroed, or with @look and @ctx set
 * @config: everything but the callbacks; with the best break-before-make level if it names none
 *
 * Return: as iopt_create(); on success @device->domain is the domain.
 */
int device_create(struct device *device, const struct iopt_config *config);

/* Forget what was noted so far. */
void device_forget(struct device *device);

/*
 * Destroys the domain. Returns whether no table memory is in use any more and nobody broke the
 * contract, as far as a checked build sees that.
 */
bool device_destroy(struct device *device);

/**
 * count_items() - visit a range
 * @domain: where
 * @first:  first IOVA
 * @last:   last IOVA
 * @flags:  IOPT_VISIT_*
 *
 * Return: the number of items.
 */
uint64_t count_items(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags);

#define SNAPSHOT_ITEMS 4096u

/**
 * struct snapshot - all that a visit finds in a domain, and its statistics
 */
struct snapshot {
	unsigned nr;
	struct iopt_item items[SNAPSHOT_ITEMS];
	struct iopt_stats stats;
};

/* Returns false if there is more than a snapshot holds. */
bool snapshot_take(struct snapshot *snapshot, struct iopt_domain *domain);

/*
 * Whether the same leaves and tables are there, entry by entry, and none came and went meanwhile.
 */
bool snapshot_same(const struct snapshot *before, struct iopt_domain *domain);

/* Whether the same leaves are there; tables may have come or gone. */
bool snapshot_translates(const struct snapshot *before, struct iopt_domain *domain);

/**
 * ranges_cover() - whether ranges, together, name all of first..last
 * @ranges: any order
 * @nr:     how many
 * @first:  first IOVA
 * @last:   last IOVA
 */
bool ranges_cover(const struct iopt_range *ranges, unsigned nr, uint64_t first, uint64_t last);

/* Whether a gather, as an invalidate callback gets it, has the hardware drop all of first..last. */
bool gather_covers(const struct iopt_gather *gather, uint64_t first, uint64_t last);

/**
 * memory_idle() - wait for RCU and say whether no table memory is in use
 *
 * True when everything that was created is destroyed: nothing leaked.
 */
bool memory_idle(void);

/* xorshift64*, one state a user; a seed of 0 is made 1. Deterministic everywhere. */
struct random {
	uint64_t state;
};

void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
/* 0..below - 1; below is not 0. */
uint64_t random_below(struct random *random, uint64_t below);

#endif
