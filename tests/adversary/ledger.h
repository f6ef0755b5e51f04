/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who mapped what when, who wrote it, and who reported it: what must be true while writers,
 * devices, sweeps and dumps are all at it.
 *
 * IOVA is looked at in units: what one leaf translates. A unit belongs to one writer at a time.
 * Each mapping of it has a version, which shows in the physical address; so whoever gets an address
 * out of the tables knows where and when it was mapped. Devices, sweeps and unmaps note the time
 * (clock_tick()) of what they do.
 *
 * The rules that are checked:
 *   - An access or a look-up gives a version that was mapped at some moment while it lasted. What
 *     was unmapped and synced before it began, or is mapped only after it ended, it does not see.
 *   - What was mapped all the while is found.
 *   - What a device wrote is covered by a report: of the unmap, or of a sweep whose gather was
 *     synced after the write (or that is not synced yet, and recorded the unit).
 *   - What is reported was written since the operation began that last reported it; or two
 *     operations that overlapped in time have both reported it (iopt_sweep()).
 */
#ifndef TESTS_ADVERSARY_LEDGER_H
#define TESTS_ADVERSARY_LEDGER_H

#include "rig.h"

/** enum unit_phase - where a unit is between two mappings */
enum unit_phase {
	UNIT_UNMAPPED, /* of the version that was last mapped nothing is left */
	UNIT_CHANGING, /* being mapped or unmapped, or not to be relied on */
	UNIT_MAPPED,
};

/**
 * struct unit - one leaf's worth of IOVA; all atomic
 * @state:    version << 2 | enum unit_phase
 * @writing:  write accesses in flight
 * @wrote:    time of the last write, in this version; 0: none
 * @tried:    time that the last write access ended that got through
 * @looked:   time that the operation began which reported last: it may have looked then
 * @recorded: time that it reported
 * @reported: writes up to this time are covered
 * @unmap_reported: the unmap under way reported it; the owner's
 */
struct unit {
	uint32_t state;
	uint32_t writing;
	uint64_t wrote;
	uint64_t tried;
	uint64_t looked;
	uint64_t recorded;
	uint64_t reported;
	bool unmap_reported;
};

/**
 * struct region - units of one size, one behind the other
 * @first:    first IOVA, aligned to more than a unit
 * @unit_lg2: size of a unit
 * @nr:       how many; a multiple of 64
 * @exact:    physical addresses are such that leaves are units, never larger
 * @pieces:   a test may map single pages at the start of a unit; set by it
 * @units:    of them
 * @pending:  bit n: recorded by a sweep that is not synced yet; a bitmap for iopt_sink
 * @number:   of the region, in physical addresses
 * @version_lg2: where a version's number is in them
 * @number_lg2: and the region's; what is between is left of a version's
 */
struct region {
	uint64_t first;
	unsigned unit_lg2;
	unsigned nr;
	bool exact;
	bool pieces;
	struct unit *units;
	uint64_t *pending;
	unsigned number;
	unsigned version_lg2;
	unsigned number_lg2;
};

#define LEDGER_REGIONS 4u

/**
 * struct ledger - all regions of a rig
 * @rig:     the domain
 * @regions: @nr_regions
 */
struct ledger {
	struct rig *rig;
	unsigned nr_regions;
	struct region regions[LEDGER_REGIONS];
};

/* An empty one for a rig, whose devices must have ledger_touch() for @touch. */
void ledger_init(struct ledger *ledger, struct rig *rig);
void ledger_fini(struct ledger *ledger);

/* Add a region; see struct region. */
struct region *ledger_add(struct ledger *ledger, uint64_t first, unsigned unit_lg2, unsigned nr,
			  bool exact);

static inline uint64_t unit_iova(const struct region *region, unsigned unit)
{
	return region->first + ((uint64_t)unit << region->unit_lg2);
}

/* Where a version of a unit is mapped to. */
uint64_t unit_pa(const struct region *region, unsigned unit, uint32_t version);

/* ---- writers ------------------------------------------------------------------------------ */

/**
 * struct writer - who maps and unmaps; one a thread
 * @ledger:  where
 * @random:  state
 * @version: the last one used
 * @sink:    of the gather
 * @gather:  what is owed
 * @began:   when the oldest unmap began whose gather is not synced; 0: all are
 * @no_memory: it lets allocations fail: none are made for it
 * @maps, @unmaps, @failures: how many there were
 */
struct writer {
	struct ledger *ledger;
	uint64_t random;
	uint32_t version;
	struct iopt_sink sink;
	struct iopt_gather gather;
	uint64_t began;
	bool no_memory;
	uint64_t maps;
	uint64_t unmaps;
	uint64_t failures;
};

void writer_init(struct writer *writer, struct ledger *ledger, uint64_t seed);

/*
 * Map units first..first + nr - 1 of the writer's own, all unmapped, by one call. It succeeds, or
 * fails with @allowed (0: it must not) and nothing is mapped.
 */
void writer_map(struct writer *writer, struct region *region, unsigned first, unsigned nr,
		int allowed);

/*
 * The same up to and over the unit behind them, which is mapped: it must fail, and that one stays.
 */
void writer_map_over(struct writer *writer, struct region *region, unsigned first, unsigned nr);

/*
 * Unmap some units of the writer's own by one call, mapped or not. The range may reach beyond them,
 * to what is nobody's. Nothing of it may be mapped again before writer_sync().
 */
void writer_unmap(struct writer *writer, struct region *region, unsigned first, unsigned nr);
void writer_unmap_range(struct writer *writer, struct region *region, unsigned first, unsigned nr,
			uint64_t first_iova, uint64_t last_iova);

/* Sync what was unmapped since the last time: units first..first + nr - 1 of one region. */
void writer_sync(struct writer *writer, struct region *region, unsigned first, unsigned nr);

/* The version changes to one that the test maps by itself; the phase is CHANGING. */
uint32_t writer_begin(struct writer *writer, struct region *region, unsigned unit);
void unit_set(struct region *region, unsigned unit, uint32_t version, enum unit_phase phase);
uint32_t unit_version(const struct region *region, unsigned unit);
enum unit_phase unit_phase(const struct region *region, unsigned unit);

/* ---- devices ------------------------------------------------------------------------------ */

/* For rig_config::touch. */
void ledger_touch(void *ctx, uint64_t iova, uint64_t pa, bool write);

/* One access of a device to a byte of a unit, and what must be true of it. */
void ledger_access(struct ledger *ledger, unsigned device, struct region *region, unsigned unit,
		   uint64_t offset, bool write);

/* One access to where nothing is promised. */
void ledger_access_any(struct ledger *ledger, unsigned device, uint64_t iova, bool write);

/* ---- sweeps and dumps --------------------------------------------------------------------- */

/* A sweep over units of a region, clearing or not, into a bitmap or a function, and its sync. */
void ledger_sweep(struct ledger *ledger, struct region *region, unsigned first, unsigned nr,
		  bool clear, bool bitmap, uint64_t budget);

/* Look one byte of a unit up, by the engine and by an independent walk. */
void ledger_translate(struct ledger *ledger, struct region *region, unsigned unit, uint64_t offset);

/* Visit up to 64 units, some items at a time. */
#define LEDGER_WINDOW 64u
void ledger_visit(struct ledger *ledger, struct region *region, unsigned first, unsigned nr,
		  unsigned items);

#endif
