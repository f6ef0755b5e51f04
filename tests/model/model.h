/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The model test: random operations on a real domain and, beside it, on a model that is simple
 * enough to be believed: a sorted array of leaves (leaves.c) and lists of what each gather owes.
 *
 *   leaves.c    the sorted array, and which leaves a map must choose
 *   run.c       a trial: create, operations one by one, the end of it
 *   maps.c      map, map_sg                 each of these does an operation
 *   unmaps.c    unmap, gathers, sync, and   on both sides and compares;
 *               the device's callbacks      what can't be predicted is
 *   dirty.c     device writes, sweep, track checked for what must hold
 *   reshapes.c  split, merge, protect, trim
 *   reads.c     translate, visit, statistics
 *   generate.c  the next random operation
 *   process.c   trials in processes of their own; shrinking a sequence that failed
 *   main.c      options and configurations
 *
 * Operations are plain numbers, so that any subsequence of a trial can be run again and a failure
 * be printed and replayed.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <stdio.h>

#include "tests/support/support.h"

#define MAX_LEAVES  4096u /* live ones in a trial; more are not mapped */
#define MAX_PLAN    1100u /* leaves of one map */
#define MAX_ITEMS   (4 * MAX_LEAVES)
#define MAX_TABLES  MAX_LEAVES /* whose end is watched */
#define MAX_OPS	    4096u      /* of a trial */
#define NR_DEBTS    4u
#define MAX_ASKED   64u		 /* unmaps of a gather that is not synced */
#define MAX_BITS    (1ull << 16) /* of a bitmap */
#define MESSAGE_LEN 400u

/* ---- leaves.c ------------------------------------------------------------------------------ */

struct leaf {
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	uint8_t lg2;
	uint8_t prot;
	bool dirty;
	bool accessed;
};

/* Ascending, disjoint. */
struct leaves {
	unsigned nr;
	struct leaf at[MAX_LEAVES];
};

/* Index of the first leaf that ends at iova or behind it. */
unsigned leaves_from(const struct leaves *leaves, uint64_t iova);
struct leaf *leaves_at(struct leaves *leaves, uint64_t iova);
/* Number of leaves that lie in the range at least partly; they are leaves_from(first) and on. */
unsigned leaves_in(const struct leaves *leaves, uint64_t first, uint64_t last);
/* An end of the range lies in the middle of a leaf. */
bool leaves_cut(const struct leaves *leaves, uint64_t first, uint64_t last);
/* No byte of the range is free. */
bool leaves_full(const struct leaves *leaves, uint64_t first, uint64_t last);
/* Bytes of the leaves that begin in the range. */
uint64_t leaves_bytes(const struct leaves *leaves, uint64_t first, uint64_t last);
/* Nothing may be there, and there must be room. */
void leaves_insert(struct leaves *leaves, const struct leaf *plan, unsigned nr);
/* No leaf may be cut. */
void leaves_remove(struct leaves *leaves, uint64_t first, uint64_t last);

/*
 * The leaves for first..last: at every place the largest of the sizes that is aligned in both
 * addresses and fits. Returns how many; more than max if that is too few, and then plan is of no
 * use.
 */
unsigned leaves_plan(uint64_t sizes, uint64_t first, uint64_t last, uint64_t pa, unsigned prot,
		     struct leaf *plan, unsigned max);

/* ---- configurations and operations --------------------------------------------------------- */

struct config {
	const char *name;
	const char *format;
	uint8_t levels;
	uint8_t max_levels;
	uint8_t iova_lg2;
	uint8_t pa_lg2;
	uint64_t page_sizes;
	uint32_t flags;
	uint8_t bbm;
};

enum kind {
	OP_MAP,
	OP_SG,
	OP_UNMAP,
	OP_SYNC,
	OP_GATHER,
	OP_READ,
	OP_VISIT,
	OP_WRITE,
	OP_SWEEP,
	OP_TRACK,
	OP_PROTECT,
	OP_SPLIT,
	OP_MERGE,
	OP_TRIM,
	NR_KINDS
};

extern const char *const kind_names[NR_KINDS];

/* struct op::flags, beside IOPT_UNMAP_* of an unmap and IOPT_SWEEP_CLEAR of a sweep */
#define MAP_RESERVED 0x100u /* tables come from a reserve, the host has none */
#define SYNC_WRITES  0x100u /* devices write through cached walks during the invalidation */

/**
 * struct op - one operation
 * @kind:   which
 * @debt:   gather that it uses
 * @prot:   of a map
 * @flags:  see above; of a track: the new state; of a gather's merge: the other one; of a merge:
 *          IOPT_MERGE_ONE
 * @first:  range
 * @last:   range
 * @pa:     of a map; of a sweep the page_lg2 of the bitmap, 0 for a function; of a split, a merge
 *          and a track the largest leaf, 0 for any
 * @n:      map, and what may split: allocation that fails, 0 none; visit: items a call; sweep: call
 *          of the function that fails, 0 none; write: entry of the run
 * @aux:    map_sg: what the segments are made from; sweep, split, merge, trim: budget; write:
 *          through cached walks only
 */
struct op {
	uint8_t kind;
	uint8_t debt;
	uint8_t prot;
	uint32_t flags;
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	uint32_t n;
	uint64_t aux;
};

/* ---- a trial ------------------------------------------------------------------------------- */

/**
 * struct gone - a leaf that was unmapped, until its gather is synced
 * @leaf:       what it was; dirty: a device wrote since it was last reported
 * @entry_pa:   where its lowest entry was
 * @entries:    of its run
 * @generation: of the table it was in
 * @cached:     a device may still have the way to its entries
 * @exact:      tracking was on and there is a sink: if dirty it must be reported
 * @reported:   it was
 */
struct gone {
	struct leaf leaf;
	uint64_t entry_pa;
	unsigned entries;
	uint32_t generation;
	bool cached;
	bool exact;
	bool reported;
};

/** struct gone_table - a table that was unlinked, until its gather is synced */
struct gone_table {
	uint64_t pa;
	uint64_t first;
	uint64_t last;
	uint32_t generation;
};

/**
 * struct debt - a gather and what the model knows that it owes
 * @gone:    leaves that were unmapped
 * @cleaned: leaves whose dirty bit was cleared
 * @tables:  tables that were unlinked
 * @retired: tables that a call has taken and invalidated by itself
 * @asked:   ranges that were unmapped
 *
 * The first three report dirty pages to one function, so that they can be merged; the last one has
 * a bitmap, which covers a part of the domain only.
 */
struct debt {
	struct iopt_gather gather;
	unsigned nr_gone;
	struct gone gone[MAX_LEAVES];
	unsigned nr_cleaned;
	struct iopt_range cleaned[MAX_LEAVES];
	unsigned nr_tables;
	struct gone_table tables[MAX_TABLES];
	unsigned nr_retired;
	struct gone_table retired[MAX_TABLES];
	unsigned nr_asked;
	struct iopt_range asked[MAX_ASKED];
};

/** struct bitmap - with a word on either side that nobody may touch */
struct bitmap {
	uint64_t words[MAX_BITS / 64 + 2];
};

/**
 * struct model - all of a trial
 * @config:    what kind of domain
 * @trial:     where a failure is described
 * @space:     bits of an IOVA that the tables translate
 * @low_last, @high_after, @pa_last, @sizes, @resizes: what the configuration comes to
 * @map_sizes: sizes that are mapped: less while tracking at a granularity
 * @levels:    as the device was told
 * @raised:    a top that a map without memory left behind, not announced yet, or less
 * @op:        the operation under way
 * @syncing:   the gather that is being synced
 * @using:     the gather that an unmap uses
 * @seen, @nr_seen, @owed: what invalidations of this operation said; more than fit are all ranges
 * @invalidations: how many there were in this operation
 * @undo:      the operation is a map that must fail: nothing of it may translate in its callback
 * @nr_replaced: the operation is a map that replaces so many tables: the first of @items
 * @planned:   the leaves of @plan, to look something up
 * @before:    the @nr_before tables that there were before the operation under way
 */
struct model {
	const struct config *config;
	struct trial *trial;
	const struct iopt_format_info *info;
	const struct hardware *hw;
	struct iopt_domain *domain;
	uint64_t space;
	uint64_t low_last;
	uint64_t high_after;
	uint64_t pa_last;
	uint64_t sizes;
	bool resizes;
	uint64_t map_sizes;
	unsigned levels;
	unsigned raised;
	bool trackable;
	bool tracking;
	struct leaves leaves;

	const struct op *op;
	struct debt *syncing;
	struct debt *using;
	struct iopt_range seen[64];
	unsigned nr_seen;
	uint32_t owed;
	unsigned invalidations;
	bool undo;
	unsigned nr_replaced;

	struct iopt_sink sink;
	struct iopt_sink bitmap_sink;
	struct bitmap unmapped, unmapped_expected;
	struct debt debts[NR_DEBTS];
	struct leaf plan[MAX_PLAN];
	struct leaves planned;
	struct iopt_item items[MAX_ITEMS];
	unsigned nr_items;
	struct gone_table before[MAX_TABLES];
	unsigned nr_before;
};

/* The trial failed: says how and ends the process. */
void fail(struct model *m, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

#define CHECK(m, condition, ...)                \
	do {                                    \
		if (!(condition))               \
			fail((m), __VA_ARGS__); \
	} while (0)

/* What a call may return, as a set. */
#define MAY_OK	       0x01u
#define MAY_EINVAL     0x02u
#define MAY_ERANGE     0x04u
#define MAY_EEXIST     0x08u
#define MAY_ENOENT     0x10u
#define MAY_ENOMEM     0x20u
#define MAY_EOPNOTSUPP 0x40u
#define MAY_EXDEV      0x80u

void check_result(struct model *m, const char *call, int result, unsigned may);

/* Whether the range is in the domain. */
bool model_has(const struct model *m, uint64_t first, uint64_t last);
uint64_t granule_mask(const struct model *m);
/* Last IOVA that so many levels translate. */
uint64_t levels_last(const struct model *m, unsigned levels);

void model_create(struct model *m, const struct config *config, struct trial *trial);
void model_run(struct model *m, const struct op *op);
void model_finish(struct model *m);

/* Every operation: both sides, and the comparison. */
void run_map(struct model *m, const struct op *op);
void run_sg(struct model *m, const struct op *op);
void run_unmap(struct model *m, const struct op *op);
void run_sync(struct model *m, const struct op *op);
void run_gather(struct model *m, const struct op *op);
void run_read(struct model *m, const struct op *op);
void run_visit(struct model *m, const struct op *op);
void run_write(struct model *m, const struct op *op);
void run_sweep(struct model *m, const struct op *op);
void run_track(struct model *m, const struct op *op);
void run_protect(struct model *m, const struct op *op);
void run_split(struct model *m, const struct op *op);
void run_merge(struct model *m, const struct op *op);
void run_trim(struct model *m, const struct op *op);

/* maps.c */
bool prot_valid(const struct model *m, unsigned prot);

/* unmaps.c */
void device_init(struct model *m, struct iopt_callbacks *callbacks);
void debts_init(struct model *m);
void sync_debt(struct model *m, struct debt *debt);
/* What an unmap asked for must not be mapped again before it is synced, holes included. */
void sync_range(struct model *m, uint64_t first, uint64_t last);
/* A device writes to something that was unmapped, the way to which it may have cached. */
void write_gone(struct model *m, struct debt *debt, struct gone *gone, unsigned entry);
void forget_cached(struct model *m);

/* reshapes.c */
/*
 * The ends of a range cut leaves: what a split makes of those is worked out, and the hull of all
 * that lie in the range at least partly. False if it would be too much for a trial.
 */
bool model_cuts(struct model *m, uint64_t first, uint64_t last, struct iopt_range *hull);
/* Whether one of these leaves can't be split there: -EOPNOTSUPP. */
bool model_forbids(const struct model *m, uint64_t first, uint64_t last);
/* Whether all of the domain's leaves can be split to a size in a trial. */
bool model_fits(struct model *m, unsigned lg2);
/* The model's leaves become what was worked out. */
void model_cut(struct model *m, uint64_t first, uint64_t last);
/* The leaves of a range, as they are now, must be alike with the model's, and are its own then. */
void model_adopt(struct model *m, uint64_t first, uint64_t last);
/* No table that a trim of a range takes is left. */
void check_trimmed(struct model *m, uint64_t first, uint64_t last);

/* dirty.c */
void bitmap_clear(struct bitmap *bitmap);
void bitmap_mark(struct bitmap *bitmap, const struct iopt_sink *sink, uint64_t first,
		 uint64_t last);
void bitmap_sink(struct bitmap *bitmap, struct iopt_sink *sink, uint64_t first, unsigned page_lg2,
		 uint64_t pages);

/* reads.c */
/* Visit a range into m->items, nr items a call. */
void visit_range(struct model *m, uint64_t first, uint64_t last, unsigned flags, unsigned nr);
/* Leaves of a range as visited are the model's. */
void check_range(struct model *m, uint64_t first, uint64_t last);
void check_statistics(struct model *m);

/* ---- generate.c ---------------------------------------------------------------------------- */

#define NR_ANCHORS 4u

/**
 * struct generator - where random operations come from
 * @random:   the dice
 * @anchors:  addresses that a trial stays near to
 * @unmapped: the operation before, if that was an unmap; else of no kind
 */
struct generator {
	struct random random;
	uint64_t anchors[NR_ANCHORS];
	struct op unmapped;
};

void generator_init(struct generator *g, const struct model *m, uint64_t seed);
void generate(struct generator *g, const struct model *m, struct op *op);

/* ---- process.c ----------------------------------------------------------------------------- */

/**
 * struct trial - what a process that runs operations leaves behind, in shared memory
 * @message: how it failed, or empty
 * @format:  what @message was made from: failures with the same one are taken for the same
 * @seed:    of the trial that ran last
 * @done:    operations of all trials
 * @nr:      operations of the last one
 * @ops:     these
 */
struct trial {
	char message[MESSAGE_LEN];
	const char *format;
	uint64_t seed;
	uint64_t done;
	unsigned nr;
	struct op ops[MAX_OPS];
};

struct trial *trial_new(void);
/* Random trials with so many operations together. Returns whether all went well. */
bool trials_random(struct trial *trial, const struct config *config, uint64_t seed, uint64_t ops);
/* The operations of a trial once more. Returns whether all went well. */
bool trial_again(struct trial *trial, const struct config *config);
/* Leave out what is not needed for it to fail. */
void trial_shrink(struct trial *trial, const struct config *config);

void op_print(FILE *file, const struct op *op);
bool op_parse(const char *line, struct op *op);

#endif
