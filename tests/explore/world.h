/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The world: all memory that the explorer's threads share, in one piece, so that it is put back by
 * one copy before each run and its state is one hash. Tables, the engine's domain, the device and
 * its caches, RCU, and the ledger of what ought to be mapped and was written. What a thread has on
 * its own stack is not here.
 */
#ifndef TESTS_EXPLORE_WORLD_H
#define TESTS_EXPLORE_WORLD_H

#include "engine/domain.h"
#include "engine/format.h"
#include "tests/explore/tiny_bits.h"

#define MAX_THREADS 4u

/* One who is no thread: sets up before they start, checks after they ended. */
#define NOBODY MAX_THREADS

#define TABLE_ENTRIES 4u  /* most of any tiny format */
#define POOL_TABLES   10u /* tables that a thread may take */
#define NR_TABLES     ((MAX_THREADS + 1) * POOL_TABLES)
#define TABLE_BASE    0x100u /* page number of the first table; pages of memory lie below */

#define NR_PAGES  32u /* of IOVA */
#define NR_FRAMES 32u /* pages of memory that may be mapped */
#define NR_LEVELS 3u  /* most of any tiny format */

#define HEAP_BYTES 2048u

enum table_state {
	TABLE_FRESH,	/* never used */
	TABLE_TAKEN,	/* allocated */
	TABLE_DEFERRED, /* waits for read sections */
	TABLE_FREED
};

/**
 * struct tlb_entry - a translation of one page that the device cached
 * @first: first page of the leaf
 * @size_lg2: pages of the leaf, lg2
 * @valid, @writable, @dirty: of the translation
 * @frame: of this very page; 0: it is kept that nothing is mapped
 */
struct tlb_entry {
	uint8_t first;
	uint8_t size_lg2;
	bool valid;
	bool writable;
	bool dirty;
	uint8_t frame;
	uint16_t unused;
};

/**
 * struct device - what the hardware is told, and what it keeps
 * @root, @levels: the top that it walks from
 * @tlb:     by page of IOVA
 * @psc:     paging-structure caches: by level of the table that is led to, and the number of that
 *           table among those of its level; 1 more than the table's number, or 0
 * @flight:  by thread: counts starts and ends of accesses; odd: one is under way
 * @forgets: by thread: an invalidation came during that access, which caches nothing any more
 * @lock:    the embedder's, for the announcement of a top
 * @ats:     it keeps translations in a TLB of its own, too
 * @claimed: pages that are claimed for background work, a bit each
 */
struct device {
	uint64_t root;
	uint64_t levels;
	struct tlb_entry tlb[NR_PAGES];
	uint8_t psc[NR_LEVELS][NR_PAGES / 2];
	uint64_t flight[MAX_THREADS + 1];
	uint64_t forgets[MAX_THREADS + 1];
	uint64_t lock;
	uint64_t ats;
	uint64_t claimed;
};

/* Whether devices may write a page; UNSETTLED: either, while that changes. */
enum denied { PERMITTED, UNSETTLED, DENIED };

/**
 * struct expected - what ought to be mapped at a page of IOVA
 * @frame:    now; 0: nothing
 * @next:     after the operation that is under way
 * @changing: operations under way
 * @any:      the contract is broken here: anything goes
 * @denied:   enum denied
 * @version:  changes of the frame so far
 */
struct expected {
	uint8_t frame;
	uint8_t next;
	uint8_t changing;
	uint8_t any    : 1;
	uint8_t denied : 2;
	uint32_t version;
};

/** struct written - how often a device wrote a page of IOVA, and up to which write it was copied */
struct written {
	uint32_t writes;
	uint32_t copied;
};

/**
 * struct ledger - see above
 * @page:  by page of IOVA
 * @write: by page of IOVA
 * @gone:  by frame: unmapped and synced, no device may reach it
 * @bitmap: dirty pages that were reported and not copied yet, for all who share it
 * @flags: for scenarios, set by one thread and waited for by another
 */
struct ledger {
	struct expected page[NR_PAGES];
	struct written write[NR_PAGES];
	uint64_t gone[NR_FRAMES];
	uint64_t bitmap;
	uint64_t flags;
};

/**
 * struct thread_memory - what of a thread must be put back, too
 * @taken:     tables taken out of its pool
 * @sections:  read sections that it is in
 * @fails_in:  the allocation that fails, counted from 1; 0: none
 * @writes:    it maps or unmaps, and waits for nothing but the device
 */
struct thread_memory {
	uint32_t taken;
	uint32_t sections;
	uint32_t fails_in;
	uint32_t writes;
};

/**
 * struct world - see above
 * @reading:  threads that are in a read section, a bit each: RCU
 * @recycle:  tables that were freed are the first to be taken again
 * @heap_used: bytes of @heap
 * @ram:      entries as a walker that does not snoop sees them
 * @heap:     the engine's own objects; the domain is the first. At the end, since the domain's
 *            counters are the only part that is left out of the hash.
 */
struct world {
	uint64_t reading;
	uint64_t recycle;
	uint64_t heap_used;
	struct thread_memory thread[MAX_THREADS + 1];
	struct device device;
	struct ledger ledger;
	struct iopt_table table[NR_TABLES];
	uint64_t entry[NR_TABLES][TABLE_ENTRIES] __attribute__((aligned(8 * TABLE_ENTRIES)));
	uint64_t ram[NR_TABLES][TABLE_ENTRIES];
	char heap[HEAP_BYTES] __attribute__((aligned(IOPT_HOST_LINE)));
};

extern struct world world;
extern struct iopt_domain *domain;

/* The number of the table at a physical address, or NR_TABLES. */
static inline unsigned table_number(uint64_t pa)
{
	uint64_t number = (pa >> TINY_PAGE_LG2) - TABLE_BASE;

	return number < NR_TABLES ? (unsigned)number : NR_TABLES;
}

#endif
