/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The ledger of a domain. The argument why its judgements are exact is at the head of ledger.h; the
 * comments here say where each step of it lies.
 */
#include "tools/iopt/ledger.h"

#include <errno.h>
#include <stdlib.h>

#define CHUNK_SLOTS   (1u << LEDGER_CHUNK_LG2)
#define BUCKETS_LG2   16u
/* Ranges of more chunks than this are searched through the list of all chunks. */
#define SEARCH_CHUNKS 4096u

/* Slots of neighbouring pages, in a hash by address; never moved or freed while the ledger lives.
 *  */
struct chunk {
	struct chunk *next_in_bucket;
	struct chunk *next;
	uint64_t number; /* IOVA page >> LEDGER_CHUNK_LG2 */
	struct ledger_slot slots[CHUNK_SLOTS];
};

struct ledger {
	uint32_t domain;
	uint64_t page_sizes;
	unsigned page_lg2; /* the smallest of these: what a slot is for */
	bool tracked;	   /* dirty pages are reported */
	struct ledger_report *report;
	_Atomic uint32_t epoch;
	_Atomic bool changes; /* leaves were split or merged: not all pages of one have slots */
	_Atomic uint64_t nr_chunks;
	_Atomic(struct chunk *) all;
	_Atomic(struct chunk *) buckets[1u << BUCKETS_LG2];
};

void ledger_fault(struct ledger *ledger, enum ledger_fault fault, uint64_t iova,
		  const struct ledger_slot *slot)
{
	struct ledger_report *report = ledger->report;

	atomic_fetch_add(&report->faults[fault], 1);
	report->tell(report->ctx, fault, ledger->domain, iova,
		     slot ? atomic_load_explicit(&slot->line, memory_order_relaxed) : 0);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static _Atomic(struct chunk *) *bucket_of(const struct ledger *ledger, uint64_t number)
{
	uint64_t hash = number * 0x9e3779b97f4a7c15u >> (64 - BUCKETS_LG2);

	return (_Atomic(struct chunk *) *)&ledger->buckets[hash];
}

static struct chunk *find_chunk(const struct ledger *ledger, uint64_t number)
{
	struct chunk *chunk = atomic_load_explicit(bucket_of(ledger, number), memory_order_acquire);

	while (chunk && chunk->number != number)
		chunk = chunk->next_in_bucket;
	return chunk;
}

/* Threads that map neighbouring ranges may make the same chunk: one wins. */
static struct chunk *make_chunk(struct ledger *ledger, uint64_t number)
{
	_Atomic(struct chunk *) *bucket = bucket_of(ledger, number);
	struct chunk *chunk = find_chunk(ledger, number), *fresh, *head;

	if (chunk)
		return chunk;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return NULL;
	fresh->number = number;
	head = atomic_load_explicit(bucket, memory_order_acquire);
	do {
		for (chunk = head; chunk && chunk->number != number;)
			chunk = chunk->next_in_bucket;
		if (chunk) {
			free(fresh);
			return chunk;
		}
		fresh->next_in_bucket = head;
	} while (!atomic_compare_exchange_weak_explicit(bucket, &head, fresh, memory_order_acq_rel,
							memory_order_acquire));
	fresh->next = atomic_load_explicit(&ledger->all, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&ledger->all, &fresh->next, fresh,
						      memory_order_release, memory_order_relaxed))
		;
	atomic_fetch_add_explicit(&ledger->nr_chunks, 1, memory_order_relaxed);
	return fresh;
}

struct ledger_slot *ledger_find(const struct ledger *ledger, uint64_t iova)
{
	uint64_t page = iova >> ledger->page_lg2;
	struct chunk *chunk = find_chunk(ledger, page >> LEDGER_CHUNK_LG2);

	return chunk ? &chunk->slots[page & (CHUNK_SLOTS - 1)] : NULL;
}

/* The lowest chunk there is from @number to @last. */
static struct chunk *next_chunk(const struct ledger *ledger, uint64_t number, uint64_t last)
{
	struct chunk *best = NULL;

	if (last - number < SEARCH_CHUNKS) {
		for (;; number++) {
			struct chunk *chunk = find_chunk(ledger, number);

			if (chunk || number == last)
				return chunk;
		}
	}
	for (struct chunk *chunk = atomic_load_explicit(&ledger->all, memory_order_acquire); chunk;
	     chunk = chunk->next)
		if (chunk->number >= number && chunk->number <= last &&
		    (!best || chunk->number < best->number))
			best = chunk;
	return best;
}

/* A walk over the slots of a range, from page to last_page. */
struct walk {
	const struct ledger *ledger;
	struct chunk *chunk;
	uint64_t page; /* of the slot that was returned last; then the next one */
	uint64_t last_page;
	bool done;
};

static struct walk walk_range(const struct ledger *ledger, uint64_t first, uint64_t last)
{
	return (struct walk){ .ledger = ledger,
			      .page = first >> ledger->page_lg2,
			      .last_page = last >> ledger->page_lg2 };
}

/* The next slot that exists, and its page. NULL at the end. */
static struct ledger_slot *walk_next(struct walk *walk, uint64_t *page)
{
	uint64_t number = walk->page >> LEDGER_CHUNK_LG2;

	if (walk->done)
		return NULL;
	if (!walk->chunk || walk->chunk->number != number) {
		walk->chunk = next_chunk(walk->ledger, number, walk->last_page >> LEDGER_CHUNK_LG2);
		if (!walk->chunk)
			return NULL;
		if (walk->chunk->number != number)
			walk->page = walk->chunk->number << LEDGER_CHUNK_LG2;
	}
	*page = walk->page;
	walk->done = walk->page++ == walk->last_page;
	return &walk->chunk->slots[*page & (CHUNK_SLOTS - 1)];
}

/* Make the slots of a range: all of a small one; its ends and a sample of a large one. */
static bool make_slots(struct ledger *ledger, uint64_t first, uint64_t last)
{
	uint64_t from = first >> (ledger->page_lg2 + LEDGER_CHUNK_LG2);
	uint64_t nr = (last >> (ledger->page_lg2 + LEDGER_CHUNK_LG2)) - from + 1;
	uint64_t step = 1 + (nr - 1) / LEDGER_WHOLE_CHUNKS;

	for (uint64_t i = 0; i < nr; i += step)
		if (!make_chunk(ledger, from + i))
			return false;
	return make_chunk(ledger, from + nr - 1) != NULL;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

/* The size of the leaf that iopt_map() should use at @iova, of a segment that reaches to @last. */
static unsigned leaf_at(const struct ledger *ledger, uint64_t first, uint64_t last, uint64_t pa,
			uint64_t iova)
{
	uint64_t sizes = ledger->page_sizes;
	unsigned best = ledger->page_lg2;

	/* The mapping is cut from its beginning, each time the largest leaf that fits. A leaf that
	 * holds @iova begins at @iova rounded down to its size. */
	for (unsigned lg2 = ledger->page_lg2; lg2 < 64; lg2++) {
		uint64_t mask = (1ULL << lg2) - 1, start = iova & ~mask;

		if (sizes >> lg2 & 1 && start >= first && last - start >= mask &&
		    !((pa + (start - first)) & mask))
			best = lg2;
	}
	return best;
}

static enum ledger_phase phase_of(const struct ledger_slot *slot)
{
	return ledger_phase(atomic_load(&slot->state));
}

/* Sweeps that had ended at an epoch: the number of the last one. */
static uint32_t ended(uint32_t epoch)
{
	return (epoch - 2 - (epoch & 1)) / 2;
}

/* Did the page's leaf change, so that a dirty bit that is met at an epoch may be another leaf's? */
static bool changed_since(const struct ledger_slot *slot, uint32_t epoch)
{
	if (atomic_load(&slot->changes) & 1)
		return true;
	return atomic_load(&slot->changed) >= 2 * ended(epoch) + 1;
}

static unsigned most_lg2(const struct ledger_slot *slot)
{
	unsigned most = atomic_load_explicit(&slot->most_lg2, memory_order_relaxed);
	unsigned leaf = atomic_load_explicit(&slot->leaf_lg2, memory_order_relaxed);

	return most > leaf ? most : leaf;
}

/* Each page is reported once by the unmap of its mapping. */
static bool awaits_unmap(const struct ledger_slot *slot)
{
	return phase_of(slot) == LEDGER_UNMAPPING &&
	       !(atomic_load_explicit(&slot->flags, memory_order_relaxed) & LEDGER_UNMAP_REPORTED);
}

/* What devices and unmaps did to a block of pages, whichever mappings they are in. */
struct block {
	uint64_t first;
	uint64_t last;
	bool writers;
	uint32_t touched;
	uint32_t unmap_reported;
};

static void read_block(const struct ledger *ledger, uint64_t first, uint64_t last,
		       struct block *block)
{
	struct walk walk = walk_range(ledger, first, last);
	struct ledger_slot *slot;
	uint64_t page;

	*block = (struct block){ .first = first, .last = last };
	while ((slot = walk_next(&walk, &page))) {
		uint32_t touched, reported = atomic_load(&slot->unmap_reported);

		/* Writers first: one that counts itself out has stamped before. */
		block->writers |= atomic_load(&slot->writers) != 0;
		touched = atomic_load(&slot->touched_iova);
		if (touched > block->touched)
			block->touched = touched;
		if (reported > block->unmap_reported)
			block->unmap_reported = reported;
	}
}

/*
 * Is a report of a page whose leaf changed in order? @epoch is that of the sweep, or of when the
 * unmap began. @block is kept from one page to the next.
 */
static bool changed_justified(const struct ledger *ledger, const struct ledger_slot *slot,
			      uint64_t iova, uint32_t epoch, bool sweep, struct block *block)
{
	uint64_t mask = (1ULL << most_lg2(slot)) - 1;
	uint32_t since = atomic_load_explicit(&slot->origin, memory_order_relaxed);

	/* A sweep may have met the mark of a change. */
	if (sweep && (atomic_load(&slot->changes) & 1 || atomic_load(&slot->changed) >= epoch))
		return true;
	if (!sweep && !awaits_unmap(slot))
		return false;
	if (block->first != (iova & ~mask) || block->last != (iova | mask))
		read_block(ledger, iova & ~mask, iova | mask, block);
	return block->writers || block->touched >= since ||
	       (sweep && block->unmap_reported >= epoch);
}

/* Written since sweep @swept began? Writers first: one that counts itself out has stamped before.
 *  */
static bool written_since(const struct ledger_slot *slot, uint32_t swept)
{
	uint32_t touched;

	if (atomic_load(&slot->writers))
		return true;
	touched = atomic_load(&slot->touched);
	return touched && touched >= (swept ? 2 * swept + 1 : 0);
}

static bool justifies_unmap(const struct ledger_slot *slot)
{
	uint32_t swept = atomic_load(&slot->swept);
	uint32_t began = atomic_load_explicit(&slot->unmap_began, memory_order_relaxed);

	if (!awaits_unmap(slot))
		return false;
	if (swept && began < 2 * swept + 2)
		swept = atomic_load(&slot->swept_before);
	return written_since(slot, swept);
}

/* What a vacant slot still knows is of a mapping that is gone: only that one's unmap justifies it.
 *  */
static bool justifies_sweep(const struct ledger *ledger, const struct ledger_slot *slot)
{
	if (phase_of(slot) != LEDGER_VACANT && written_since(slot, atomic_load(&slot->swept)))
		return true;
	return atomic_load(&slot->unmap_reported) >= atomic_load(&ledger->epoch);
}

/* The epoch that a report is judged at: of the sweep, or of when the page's unmap began. */
static uint32_t judged_at(const struct ledger *ledger, const struct ledger_slot *slot, bool sweep)
{
	return sweep ? atomic_load(&ledger->epoch)
		     : atomic_load_explicit(&slot->unmap_began, memory_order_relaxed);
}

/* Does any page of a leaf justify a report? */
static bool leaf_justified(const struct ledger *ledger, uint64_t first, uint64_t last, bool sweep)
{
	struct walk walk = walk_range(ledger, first, last);
	struct ledger_slot *slot;
	uint64_t page;

	while ((slot = walk_next(&walk, &page)))
		if (sweep ? justifies_sweep(ledger, slot) : justifies_unmap(slot))
			return true;
	return false;
}

/*
 * Judge a report leaf by leaf; where leaves changed, page by page. Pages without slots belong to
 * the leaf of the next slot, or to none that a device ever went to; where leaves changed, they may
 * be pieces of one that has other pages.
 */
static void judge(struct ledger *ledger, uint64_t first, uint64_t last, bool sweep)
{
	const bool changes = atomic_load(&ledger->changes);
	struct walk walk = walk_range(ledger, first, last);
	struct block block = { .first = 1 }; /* none */
	uint64_t at = first;		     /* judged up to here */
	struct ledger_slot *slot;
	uint64_t page;

	while ((slot = walk_next(&walk, &page))) {
		uint64_t iova = page << ledger->page_lg2, mask;
		uint32_t epoch;

		if (iova < at)
			continue;
		epoch = judged_at(ledger, slot, sweep);
		if (changes && changed_since(slot, epoch)) {
			if (!changed_justified(ledger, slot, iova, epoch, sweep, &block))
				ledger_fault(ledger, LEDGER_IN_VAIN, iova, slot);
			at = iova + (1ULL << ledger->page_lg2);
			if (at - 1 >= last)
				return;
			continue;
		}
		mask = (1ULL << atomic_load_explicit(&slot->leaf_lg2, memory_order_relaxed)) - 1;
		mask |= (1ULL << ledger->page_lg2) - 1;
		if (at < (iova & ~mask) && !changes)
			ledger_fault(ledger, LEDGER_IN_VAIN, at, NULL);
		if (!leaf_justified(ledger, iova & ~mask, iova | mask, sweep))
			ledger_fault(ledger, LEDGER_IN_VAIN, iova, slot);
		if ((iova | mask) >= last)
			return;
		at = (iova | mask) + 1;
	}
	if (!changes)
		ledger_fault(ledger, LEDGER_IN_VAIN, at, NULL);
}

/* ---- map ------------------------------------------------------------------------------------- */

static void set_phase(struct ledger_slot *slot, enum ledger_phase phase)
{
	uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);

	atomic_store(&slot->state, (state & ~3ULL) | phase);
}

static void begin_slot(struct ledger_slot *slot, uint64_t pa, uint64_t line, unsigned leaf_lg2)
{
	uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
	uint64_t count = (state >> 2) + 1;

	/* Nobody writes here: the last mapping's unmap is synced. A late record of a sweep may mix
	 * with this; it can only set swept, which then names a sweep that hasn't ended. */
	atomic_store_explicit(&slot->touched, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->swept, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->swept_before, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->line, line, memory_order_relaxed);
	atomic_store_explicit(&slot->changed, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->leaf_lg2, (uint8_t)leaf_lg2, memory_order_relaxed);
	atomic_store_explicit(&slot->most_lg2, (uint8_t)leaf_lg2, memory_order_relaxed);
	atomic_store_explicit(&slot->flags, 0, memory_order_relaxed);
	atomic_store(&slot->state, pa | (count & 0x3ff) << 2 | LEDGER_MAPPING);
}

static bool all_vacant(const struct ledger *ledger, uint64_t first, uint64_t last)
{
	struct walk walk = walk_range(ledger, first, last);
	struct ledger_slot *slot;
	uint64_t page;

	while ((slot = walk_next(&walk, &page)))
		if (phase_of(slot) != LEDGER_VACANT)
			return false;
	return true;
}

int ledger_map_begin(struct ledger *ledger, const struct call *call)
{
	uint64_t first = call->first;

	if (!make_slots(ledger, call->first, call->last))
		return -ENOMEM;
	if (!all_vacant(ledger, call->first, call->last))
		return -EBUSY;
	for (uint32_t i = 0; i < call->nr_segments; i++) {
		const struct iopt_segment *segment = &call->segments[i];
		uint64_t last = first + (segment->bytes - 1);
		struct walk walk = walk_range(ledger, first, last);
		struct ledger_slot *slot;
		uint64_t page;

		while ((slot = walk_next(&walk, &page))) {
			uint64_t iova = page << ledger->page_lg2;

			begin_slot(slot, segment->pa + (iova - first), call->line,
				   leaf_at(ledger, first, last, segment->pa, iova));
		}
		first = last + 1;
	}
	return 0;
}

void ledger_map_end(struct ledger *ledger, uint64_t first, uint64_t last, bool done)
{
	struct walk walk = walk_range(ledger, first, last);
	struct ledger_slot *slot;
	uint64_t page;

	while ((slot = walk_next(&walk, &page)))
		set_phase(slot, done ? LEDGER_LIVE : LEDGER_VACANT);
}

/* ---- unmap ----------------------------------------------------------------------------------- */

void ledger_unmap_begin(struct ledger *ledger, uint64_t first, uint64_t last)
{
	struct walk walk = walk_range(ledger, first, last);
	uint32_t epoch = atomic_load(&ledger->epoch);
	struct ledger_slot *slot;
	uint64_t page;

	while ((slot = walk_next(&walk, &page))) {
		if (phase_of(slot) != LEDGER_LIVE)
			continue;
		atomic_store_explicit(&slot->unmap_began, epoch, memory_order_relaxed);
		set_phase(slot, LEDGER_UNMAPPING);
	}
}

void ledger_unmap_cancel(struct ledger *ledger, uint64_t first, uint64_t last)
{
	struct walk walk = walk_range(ledger, first, last);
	struct ledger_slot *slot;
	uint64_t page;

	while ((slot = walk_next(&walk, &page)))
		if (phase_of(slot) == LEDGER_UNMAPPING)
			set_phase(slot, LEDGER_LIVE);
}

void ledger_unmap_record(struct ledger *ledger, uint64_t first, uint64_t last,
			 struct ledger_counts *counts)
{
	struct walk walk = walk_range(ledger, first, last);
	struct ledger_slot *slot;
	uint64_t page;

	judge(ledger, first, last, false);
	bump(&counts->by_unmap, ((last - first) >> ledger->page_lg2) + 1);
	while ((slot = walk_next(&walk, &page))) {
		if (phase_of(slot) != LEDGER_UNMAPPING)
			continue;
		bump(&counts->hit, written_since(slot, atomic_load(&slot->swept)));
		atomic_fetch_or(&slot->flags, LEDGER_REPORTED | LEDGER_UNMAP_REPORTED);
		atomic_store(&slot->unmap_reported, atomic_load(&ledger->epoch));
	}
}

void ledger_unmap_end(struct ledger *ledger, uint64_t first, uint64_t last,
		      struct ledger_counts *counts)
{
	struct walk walk = walk_range(ledger, first, last);
	struct ledger_slot *slot;
	uint64_t page;

	while ((slot = walk_next(&walk, &page))) {
		uint32_t touched, swept;
		uint8_t flags;

		if (phase_of(slot) != LEDGER_UNMAPPING)
			continue;
		touched = atomic_load(&slot->touched);
		swept = atomic_load(&slot->swept_iova);
		flags = atomic_load(&slot->flags);
		bump(&counts->written, touched != 0);
		bump(&counts->reported, (flags & LEDGER_REPORTED) != 0);
		if (ledger->tracked && touched > 2 * swept + 1 && !(flags & LEDGER_UNMAP_REPORTED))
			ledger_fault(ledger, LEDGER_LOST, page << ledger->page_lg2, slot);
		set_phase(slot, LEDGER_VACANT);
	}
}

/* ---- sweep ----------------------------------------------------------------------------------- */

void ledger_sweep_begin(struct ledger *ledger)
{
	atomic_fetch_add(&ledger->epoch, 1);
}

void ledger_sweep_end(struct ledger *ledger)
{
	atomic_fetch_add(&ledger->epoch, 1);
}

void ledger_sweep_record(struct ledger *ledger, uint64_t first, uint64_t last,
			 struct ledger_counts *counts)
{
	struct walk walk = walk_range(ledger, first, last);
	uint32_t epoch = atomic_load(&ledger->epoch), number = (epoch - 1) / 2;
	struct ledger_slot *slot;
	uint64_t page;

	judge(ledger, first, last, true);
	bump(&counts->by_sweep, ((last - first) >> ledger->page_lg2) + 1);
	while ((slot = walk_next(&walk, &page))) {
		bool hit, changed;

		atomic_store(&slot->swept_iova, number);
		if (phase_of(slot) == LEDGER_VACANT)
			continue;
		hit = written_since(slot, atomic_load(&slot->swept));
		changed = changed_since(slot, epoch);
		bump(&counts->hit, hit);
		bump(&counts->unjudged, changed && (atomic_load(&slot->changes) & 1 ||
						    atomic_load(&slot->changed) >= epoch));
		/* Of a small leaf: only if this mapping itself was written, not its predecessor. */
		if (atomic_load_explicit(&slot->leaf_lg2, memory_order_relaxed) ==
			    ledger->page_lg2 &&
		    !hit && !changed)
			continue;
		atomic_store(&slot->swept_before, atomic_load(&slot->swept));
		atomic_store(&slot->swept, number);
		atomic_fetch_or(&slot->flags, LEDGER_REPORTED);
	}
}

/* ---- leaves that change ---------------------------------------------------------------------- */

void ledger_change_begin(struct ledger *ledger, uint64_t first, uint64_t last)
{
	struct walk walk = walk_range(ledger, first, last), again = walk;
	uint32_t epoch = atomic_load(&ledger->epoch), origin = 2 * ended(epoch) + 1;
	struct ledger_slot *slot;
	unsigned most = 0;
	uint64_t page;

	atomic_store(&ledger->changes, true);
	while ((slot = walk_next(&walk, &page))) {
		const bool changed = changed_since(slot, epoch);
		unsigned lg2 = atomic_load_explicit(&slot->leaf_lg2, memory_order_relaxed);
		uint32_t old = atomic_load_explicit(&slot->origin, memory_order_relaxed);

		if (changed)
			lg2 = most_lg2(slot);
		if (lg2 > most)
			most = lg2;
		if (changed && old < origin)
			origin = old;
	}
	while ((slot = walk_next(&again, &page))) {
		atomic_store_explicit(&slot->most_lg2, (uint8_t)most, memory_order_relaxed);
		atomic_store_explicit(&slot->origin, origin, memory_order_relaxed);
		atomic_fetch_add(&slot->changes, 1);
	}
}

void ledger_change_end(struct ledger *ledger, uint64_t first, uint64_t last, ledger_leaf_fn leaf,
		       void *ctx)
{
	struct walk walk = walk_range(ledger, first, last);
	uint32_t epoch = atomic_load(&ledger->epoch);
	uint64_t page, until = 0;
	struct ledger_slot *slot;
	unsigned lg2 = 0;

	while ((slot = walk_next(&walk, &page))) {
		uint64_t iova = page << ledger->page_lg2;

		if (!lg2 || iova > until) {
			lg2 = leaf(ctx, iova);
			until = iova | ((1ULL << lg2) - 1);
		}
		if (lg2 > most_lg2(slot))
			atomic_store_explicit(&slot->most_lg2, (uint8_t)lg2, memory_order_relaxed);
		if (lg2)
			atomic_store_explicit(&slot->leaf_lg2, (uint8_t)lg2, memory_order_relaxed);
		atomic_store(&slot->changed, epoch);
		atomic_fetch_add(&slot->changes, 1);
	}
}

/* ---- devices --------------------------------------------------------------------------------- */

void ledger_touch(struct ledger *ledger, struct ledger_slot *slot, uint64_t iova, uint64_t pa,
		  bool write)
{
	uint64_t state = atomic_load(&slot->state);
	uint32_t touched, epoch;

	if (ledger_phase(state) == LEDGER_VACANT) {
		ledger_fault(ledger, LEDGER_STALE, iova, slot);
		return;
	}
	if ((state ^ pa) >> ledger->page_lg2) {
		ledger_fault(ledger, LEDGER_WRONG_PAGE, iova, slot);
		return;
	}
	if (!write)
		return;
	epoch = atomic_load(&ledger->epoch);
	touched = atomic_load(&slot->touched);
	while (touched < epoch && !atomic_compare_exchange_weak(&slot->touched, &touched, epoch))
		;
	touched = atomic_load(&slot->touched_iova);
	while (touched < epoch &&
	       !atomic_compare_exchange_weak(&slot->touched_iova, &touched, epoch))
		;
}

/* ---- the object ------------------------------------------------------------------------------ */

struct ledger *ledger_create(uint32_t domain, uint64_t page_sizes, bool tracked,
			     struct ledger_report *report)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return NULL;
	ledger->domain = domain;
	ledger->page_sizes = page_sizes;
	ledger->page_lg2 = (unsigned)__builtin_ctzll(page_sizes);
	ledger->tracked = tracked;
	ledger->report = report;
	atomic_init(&ledger->epoch, 2);
	return ledger;
}

void ledger_destroy(struct ledger *ledger)
{
	struct chunk *chunk;

	if (!ledger)
		return;
	chunk = atomic_load(&ledger->all);
	while (chunk) {
		struct chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	free(ledger);
}
