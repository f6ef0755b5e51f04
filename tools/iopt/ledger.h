/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The ledger of a domain: what devices did to each page and what the engine reported of it, so that
 * the verdict over dirty tracking and invalidation is exact although everything races.
 *
 * What is kept
 *   A slot for each 4 KiB IOVA page that was ever mapped, found by address, never freed before the
 *   end: so devices, sweeps and unmaps look at it without holding anything. Of a mapping larger
 *   than LEDGER_WHOLE_CHUNKS chunks, only a sample of the pages has slots, and devices go only
 *   there.
 *
 * Time
 *   A domain's clearing sweeps run one after the other, numbered k = 1, 2, ... The domain's epoch
 *   is 2k + 1 from before sweep k begins until its gather is synced, then 2k + 2. Stamps are
 *   epochs, so "before sweep k had ended" is stamp <= 2k + 1 and "since sweep k began" is stamp >=
 *   2k + 1.
 *
 * Writes
 *   A device counts itself in the slot's writers before it makes the access, and out after it. The
 *   access's touch callback, which the soft-iommu calls while the access is in flight, stamps
 *   touched. Hardware sets the dirty bit before the touch.
 *   So a dirty bit that someone reads as set was set by a write that either is still counted in
 *   writers, or has stamped touched.
 *
 * Nothing lost
 *   A write is covered by a report of its page whose operation ended after the touch: whoever
 *   copies pages does so after the operation's sync. After an unmap was synced nothing touches the
 *   mapping any more, so then: the page was reported by this unmap, or touched <= 2k + 1 with k the
 *   last sweep that reported it. The comparison is exact since an access in flight at the sweep's
 *   invalidation is waited for (its stamp is <= 2k + 1), and one that begins later finds the dirty
 *   bit clear in the tables, so that a later operation owes a report.
 *   Here the sweep's report counts for the IOVA, whichever mapping was there when it was recorded:
 *   a sweep that has recorded one mapping's page may clear the bit of the next mapping of that
 *   IOVA, and is right, since its report is read after it ended.
 *
 * Nothing reported in vain
 *   A report of a leaf by an operation is in order if a page of it has writers, or was touched
 *   since the beginning of the latest operation that reported it and had ended before this one read
 *   the dirty bit (its clearing was done, so the bit was set after it).
 *   For sweep k that is the last sweep that reported the page. For an unmap it is that sweep too if
 *   it had ended when the unmap began; else the sweep before it, since the last one may still have
 *   been between recording and clearing: a page may be reported by a sweep and by an unmap that
 *   overlap, and both are right.
 *   A sweep may find an entry, be overtaken by unmap, sync and even a new map of the same IOVA, and
 *   only then call record. Then the dirty bit that it saw was seen by that unmap as well (a sweep
 *   records before it clears), which reported it before the slot became vacant. So a report by
 *   sweep k is in order as well if an unmap reported the page since sweep k began.
 *
 *
 * Leaves that change
 *   While leaves are split and merged (ledger_change_begin() until ledger_change_end(), by whoever
 *   owns all of the leaf), a page's dirty bit is that of the leaf it was in: a split hands it to
 *   every piece, a merge takes it from every piece. What may be demanded is relative to the largest
 *   leaf that the page was in since a sweep last went over it.
 *   All sweeps go over everything. So a dirty bit that is met after sweep j ended was set by a
 *   write since sweep j began, to some page of the leaf that the page was in then. If its last
 *   change had ended when sweep j began, that leaf is the page's own, now. Else it may be the
 *   largest since. And a sweep that runs beside a change may record a bit and not be the one that
 *   clears it: it has moved to the pieces, or the larger leaf, and waits for the next sweep. So
 *   as long as changes follow each other, what counts are writes since the last sweep began that
 *   had ended before the first of them: the page's origin. Leaves that are merged share the oldest
 *   origin and the largest leaf. A write counts for the IOVA, whichever mapping was there: a
 *   neighbour in the leaf may be unmapped since.
 *   While a change is under way the engine reports its leaves as dirty where it can't know yet. So
 *   a sweep's reports of pages whose leaf changes, or changed since the sweep began, are not judged
 *   but counted. Whoever unmaps owns the leaf: its reports are always judged.
 *   Nothing of this touches what must not be lost: that is of pages, not of leaves.
 *
 * Nothing stale
 *   A slot goes to mapping before iopt_map() is called and to vacant after the unmap's gather was
 *   synced. An access in flight is waited for by that sync, so a touch that finds the slot vacant,
 *   or another physical page than it reached, came through a stale translation.
 */
#ifndef TOOLS_IOPT_LEDGER_H
#define TOOLS_IOPT_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/iopt/calls.h"

#define LEDGER_PAGE_LG2	    12u /* of a physical page at least: what a slot's word has below it */
#define LEDGER_CHUNK_LG2    6u	/* slots of a chunk */
#define LEDGER_WHOLE_CHUNKS 256u

enum ledger_phase {
	LEDGER_VACANT,	  /* nothing is mapped and the last unmap is synced */
	LEDGER_MAPPING,	  /* iopt_map() is running: devices may reach it already */
	LEDGER_LIVE,	  /* mapped */
	LEDGER_UNMAPPING, /* from before iopt_unmap() until its sync: devices may still reach it */
};

/**
 * struct ledger_slot - one IOVA page
 * @state:          physical page address | a count of mappings << 2 | phase, in one word
 * @line:           line of the recording that mapped it last
 * @writers:        devices that are writing to it
 * @touched:        epoch of the last touch by a write in this mapping; 0: none
 * @swept:          number of the last sweep that reported it in this mapping; 0: none
 * @swept_before:   and of the one before that
 * @swept_iova:     number of the last sweep that reported this IOVA, in whichever mapping
 * @unmap_began:    epoch when the unmap of this mapping began
 * @unmap_reported: epoch when an unmap last reported it, in whichever mapping
 * @touched_iova:   epoch of the last touch by a write in any mapping
 * @changed:        epoch when the last change of its leaf in this mapping ended; 0: none
 * @changes:        counts beginnings and ends of changes: odd while one is under way
 * @origin:         epoch since which writes may be behind its dirty bit, after a change
 * @leaf_lg2:       size of the leaf that it should lie in
 * @most_lg2:       largest leaf that it was in, since it was in no change for a whole sweep
 * @flags:          LEDGER_REPORTED and so on, of this mapping
 */
struct ledger_slot {
	_Atomic uint64_t state;
	_Atomic uint64_t line;
	_Atomic uint32_t writers;
	_Atomic uint32_t touched;
	_Atomic uint32_t swept;
	_Atomic uint32_t swept_before;
	_Atomic uint32_t swept_iova;
	_Atomic uint32_t unmap_began;
	_Atomic uint32_t unmap_reported;
	_Atomic uint32_t touched_iova;
	_Atomic uint32_t changed;
	_Atomic uint32_t changes;
	_Atomic uint32_t origin;
	_Atomic uint8_t leaf_lg2;
	_Atomic uint8_t most_lg2;
	_Atomic uint8_t flags;
};

#define LEDGER_REPORTED	      1u /* by a sweep or by unmap */
#define LEDGER_UNMAP_REPORTED 2u /* by unmap */

/* What can be wrong, worst first. */
enum ledger_fault {
	LEDGER_STALE,	   /* an access succeeded after its unmap was synced */
	LEDGER_WRONG_PAGE, /* an access reached another page than the one that is mapped */
	LEDGER_LOST,	   /* a page was written and not reported */
	LEDGER_IN_VAIN,	   /* a leaf was reported that nobody had written */
	LEDGER_NO_ACCESS,  /* an access to what is mapped failed */
	LEDGER_BAD_DUMP,   /* a walk of the live tables found something else than what is mapped */
	LEDGER_NR_FAULTS
};

/**
 * struct ledger_report - where faults are told; shared by all threads and ledgers
 * @faults: how many of each
 * @tell:   called for each of the first faults
 * @ctx:    its first argument
 */
struct ledger_report {
	_Atomic uint64_t faults[LEDGER_NR_FAULTS];
	void (*tell)(void *ctx, enum ledger_fault fault, uint32_t domain, uint64_t iova,
		     uint64_t line);
	void *ctx;
};

/**
 * struct ledger_counts - what one thread counted; read by others at any time
 * @written:  pages that devices wrote, once a mapping
 * @reported: pages that were reported, once a mapping
 * @by_unmap: pages in reports by unmap
 * @by_sweep: pages in reports by sweeps
 * @hit:      pages in reports that were written since their last one
 * @unjudged: pages in reports of sweeps whose leaf changed at the same time
 */
struct ledger_counts {
	_Atomic uint64_t written;
	_Atomic uint64_t reported;
	_Atomic uint64_t by_unmap;
	_Atomic uint64_t by_sweep;
	_Atomic uint64_t hit;
	_Atomic uint64_t unjudged;
};

/** bump() - count; one writer */
static inline void bump(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
			      memory_order_relaxed);
}

struct ledger;

/**
 * ledger_create() - an empty ledger
 * @domain:     its number, for messages
 * @page_sizes: bit n: the domain has leaves of 2^n bytes
 * @report:     where faults are told
 *
 * Return: NULL if there is no memory.
 */
struct ledger *ledger_create(uint32_t domain, uint64_t page_sizes, bool tracked,
			     struct ledger_report *report);
void ledger_destroy(struct ledger *ledger);

/** ledger_find() - the slot of an IOVA; NULL: it has none. Wait-free, any thread. */
struct ledger_slot *ledger_find(const struct ledger *ledger, uint64_t iova);

/*
 * Around iopt_map() and iopt_unmap(), on the thread that calls them. The caller sees to it that
 * calls on one range come one after the other.
 */

/**
 * ledger_map_begin() - before iopt_map()
 *
 * Return: 0; -ENOMEM; -EBUSY: something is mapped there, since its unmap was refused.
 */
int ledger_map_begin(struct ledger *ledger, const struct call *call);
/** ledger_map_end() - after it; @done: it succeeded */
void ledger_map_end(struct ledger *ledger, uint64_t first, uint64_t last, bool done);
/** ledger_unmap_begin() - before iopt_unmap() */
void ledger_unmap_begin(struct ledger *ledger, uint64_t first, uint64_t last);
/** ledger_unmap_cancel() - after it failed */
void ledger_unmap_cancel(struct ledger *ledger, uint64_t first, uint64_t last);
/** ledger_unmap_record() - unmap or its sync reports a dirty range */
void ledger_unmap_record(struct ledger *ledger, uint64_t first, uint64_t last,
			 struct ledger_counts *counts);
/** ledger_unmap_end() - after the gather was synced: nothing may be lost */
void ledger_unmap_end(struct ledger *ledger, uint64_t first, uint64_t last,
		      struct ledger_counts *counts);

/*
 * Around a clearing sweep and its sync; one thread a domain.
 */
void ledger_sweep_begin(struct ledger *ledger);
void ledger_sweep_record(struct ledger *ledger, uint64_t first, uint64_t last,
			 struct ledger_counts *counts);
void ledger_sweep_end(struct ledger *ledger);

/*
 * Around a change of leaves, on the thread that owns all of each leaf in the range.
 */

/** typedef ledger_leaf_fn - size of the leaf that translates an IOVA, lg2; 0: there is none */
typedef unsigned (*ledger_leaf_fn)(void *ctx, uint64_t iova);

/** ledger_change_begin() - leaves in the range become larger or smaller from now on */
void ledger_change_begin(struct ledger *ledger, uint64_t first, uint64_t last);
/** ledger_change_end() - they have the size that @leaf says */
void ledger_change_end(struct ledger *ledger, uint64_t first, uint64_t last, ledger_leaf_fn leaf,
		       void *ctx);

/*
 * Devices.
 */

static inline enum ledger_phase ledger_phase(uint64_t state)
{
	return state & 3;
}

static inline uint64_t ledger_pa(uint64_t state)
{
	return state & ~(uint64_t)((1u << LEDGER_PAGE_LG2) - 1);
}

/** ledger_write_begin(), ledger_write_end() - around a device's write access */
static inline void ledger_write_begin(struct ledger_slot *slot)
{
	atomic_fetch_add(&slot->writers, 1);
}

static inline void ledger_write_end(struct ledger_slot *slot)
{
	atomic_fetch_sub(&slot->writers, 1);
}

/** ledger_touch() - an access reaches @pa, from the touch callback */
void ledger_touch(struct ledger *ledger, struct ledger_slot *slot, uint64_t iova, uint64_t pa,
		  bool write);

/** ledger_fault() - tell of a fault */
void ledger_fault(struct ledger *ledger, enum ledger_fault fault, uint64_t iova,
		  const struct ledger_slot *slot);

#endif
