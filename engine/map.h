/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Map: choosing leaf sizes, installing tables, writing leaves, and rolling back. Part of an
 * instance (instance.c).
 *
 * The caller owns the range. In the tables on the way others map and unmap beside it, so that a
 * table may appear where there was none; and trim takes those that are empty. The mapper wins where
 * trim is at it, finishes what trim has decided (retire.h), and never waits. A table that holds
 * something goes away only by an owner who breaks the contract: it leaves dead entries, which send
 * the mapper back to the top.
 */
#ifndef ENGINE_MAP_H
#define ENGINE_MAP_H

#include "engine/retire.h"
#include "engine/top.h"
#include "engine/unmap.h"

/* The outcome of one step below: go on, or come again after what the name says. */
enum step {
	STEP_DONE,  /* some entries were written */
	STEP_AGAIN, /* things changed: look again from the top */
	STEP_ALLOC, /* tables are needed: leave the read section for them */
	STEP_CHECK, /* a leaf meets a table: see first that the rest of the range is free */
	STEP_EXIST, /* something is mapped here */
};

/**
 * struct mapping - one call of map() or map_sg()
 * @domain:  the domain
 * @attr:    the leaves' attributes, encoded
 * @reserve: the embedder's tables, or NULL
 * @spare:   tables at hand that nobody saw yet
 * @nr_spare: how many
 * @need:    with STEP_ALLOC: how many are to be at hand
 * @first:   first IOVA of the call
 * @next:    first IOVA that is not mapped yet
 * @last:    last IOVA of the call
 * @owes:    something is owed to the hardware before the call returns
 * @checked: what was left of the range was found free when a leaf met a table
 * @emptied: a table in the place of a run has gone, which memory is to show before the run comes
 * @marked:  table entries above what was mapped were marked: see engine/lines.h
 * @written: lines that go to memory; not in use where walkers snoop
 * @gather:  what is owed; only once @owes
 */
struct mapping {
	struct iopt_domain *domain;
	uint64_t attr;
	struct iopt_reserve *reserve;
	struct iopt_table *spare;
	unsigned nr_spare;
	unsigned need;
	uint64_t first;
	uint64_t next;
	uint64_t last;
	bool owes;
	bool checked;
	bool emptied;
	bool marked;
	struct written written;
	struct iopt_gather gather;
};

static struct iopt_gather *mapping_gather(struct mapping *m)
{
	if (!m->owes)
		iopt_gather_init(&m->gather, m->domain, NULL);
	m->owes = true;
	return &m->gather;
}

/**
 * struct piece - leaves of one size, one behind the other
 * @pa:       physical address of the first one
 * @size_lg2: their size
 * @level:    where their entries are
 * @run:      entries of each
 * @entries:  entries of all of them
 * @done:     entries written
 */
struct piece {
	uint64_t pa;
	unsigned size_lg2;
	unsigned level;
	unsigned run;
	uint64_t entries;
	uint64_t done;
};

/*
 * How much of iova..iova + length_1 to map in leaves of 2^size_lg2 before a larger one would fit,
 * less one. A larger one comes later only if the two addresses are alike in its lower bits.
 */
static inline uint64_t length_before(uint64_t sizes, uint64_t iova, uint64_t pa, uint64_t length_1,
				     unsigned size_lg2)
{
	uint64_t larger = sizes & (~1ull << size_lg2);
	uint64_t size = larger & -larger;
	uint64_t before_1 = (size - 1) - (iova & (size - 1));

	if (!larger || length_1 < size || ((iova ^ pa) & (size - 1)) || !(iova & (size - 1)))
		return length_1;
	return length_1 > before_1 && length_1 - before_1 >= size ? before_1 : length_1;
}

/*
 * The largest leaf that fits at the start of iova..last, and how many of it go there before a
 * larger one would fit. iova, last + 1 and pa are multiples of the granule, which is among the
 * sizes.
 */
static inline void piece_choose(const struct iopt_domain *domain, uint64_t iova, uint64_t last,
				uint64_t pa, struct piece *piece)
{
	uint64_t length_1 = last - iova; /* less one: all of 64 bits is a length, too */
	uint64_t align = (iova | pa) & -(iova | pa), fit, rest;
	uint64_t sizes = __atomic_load_n(&domain->map_sizes, __ATOMIC_RELAXED);

	/* A leaf as large as the top translates would need a higher one. */
	if (F->info.abilities & IOPT_CAN_GROW)
		sizes &= entry_mask(top_levels(__atomic_load_n(&domain->top, __ATOMIC_RELAXED)));
	/*
	 * Sizes that divide both addresses (all, if both are 0), and then those that are not too
	 * long.
	 */
	fit = sizes & (align | (align - 1));
	piece->size_lg2 = bits_high(fit);
	if ((1ull << piece->size_lg2) - 1 > length_1)
		piece->size_lg2 = bits_high(fit & (~0ull >> (63 - bits_high(length_1 + 1))));
	piece->level = leaf_level(piece->size_lg2);
	piece->run = run_length(piece->size_lg2, piece->level);
	piece->pa = pa;
	piece->done = 0;

	length_1 = length_before(sizes, iova, pa, length_1, piece->size_lg2);
	rest = (length_1 + 1) & ((1ull << piece->size_lg2) - 1);
	piece->entries = ((length_1 >> piece->size_lg2) + !rest) * piece->run;
}

/**
 * struct writing - leaves that are written into one table
 * @slot:     the first entry
 * @nr:       how many entries
 * @iova:     IOVA of the first one
 * @anchor:   others can see the table: the first entry is taken by compare-and-exchange
 * @attr, @pa, @level, @size_lg2: what the first leaf is made of
 * @conflict: set to the number of an entry that was not empty, if not all were written
 */
struct writing {
	void *slot;
	unsigned nr;
	uint64_t iova;
	bool anchor;
	uint64_t attr;
	uint64_t pa;
	unsigned level;
	unsigned size_lg2;
	unsigned conflict;
};

/* The first entry of all: the anchor (rule 1). No trim closes the table from then on. */
static inline bool write_first(struct writing *w, uint64_t entry)
{
	if (w->anchor)
		return entry_anchor(w->slot, w->level, entry, false);
	entry_store(w->slot, entry);
	return true;
}

/* How many entries from the first one on lie before a slot. */
static inline unsigned writing_index(const struct writing *w, const void *slot)
{
	return (unsigned)(((const char *)slot - (const char *)w->slot) >> F->info.entry_lg2);
}

/*
 * An entry after the first, which was just seen to be free. The roll-back of a trim may empty it
 * meanwhile.
 */
static inline void write_next(void *slot, unsigned level, uint64_t entry, uint64_t iova)
{
	uint64_t found;

	if (!CHECKED) {
		entry_store(slot, entry);
		return;
	}
	found = entry_load(slot);
	while (entry_free(found, level) && !entry_cas(slot, &found, entry))
		;
	if (!entry_free(found, level))
		iopt_host_breach("two operations write one range: map found its entry taken", iova);
}

static inline bool four_empty(const void *slot)
{
	return !(entry_load(slot) | entry_load(slot_after(slot, 1)) |
		 entry_load(slot_after(slot, 2)) | entry_load(slot_after(slot, 3)));
}

/*
 * Leaves of an entry each, from the second one on: stores over what was just seen to be empty, four
 * at a time as long as they are. Returns the slot of one that was not, or end. Not inline: among
 * the caller's variables the loop runs out of registers (gcc 12).
 */
static __attribute__((__noinline__)) void *
write_others(void *slot, void *end, uint64_t entry, uint64_t step, unsigned level, uint64_t iova)
{
	size_t left = (size_t)((char *)end - (char *)slot) >> F->info.entry_lg2;

	for (; left >= 4 && four_empty(slot); left -= 4) {
#pragma GCC unroll 4
		for (unsigned k = 0; k < 4; k++) {
			write_next(slot, level, entry, iova);
			slot = slot_at(slot, 1);
			entry += step;
			iova += entry_mask(level) + 1;
		}
	}
	for (; slot != end && entry_free(entry_load(slot), level); slot = slot_at(slot, 1)) {
		write_next(slot, level, entry, iova);
		entry += step;
		iova += entry_mask(level) + 1;
	}
	return slot;
}

/* Leaf number k of those that are of an entry each. */
static inline uint64_t writing_leaf(const struct writing *w, uint64_t k)
{
	return F->leaf(w->attr, w->pa + (k << w->size_lg2), w->level, w->size_lg2, 0);
}

/* Leaves of an entry each. Returns how many. */
static inline unsigned write_singles(struct writing *w)
{
	const uint64_t entry = writing_leaf(w, 0);
	void *slot = w->slot;

	if (write_first(w, entry)) {
		slot = slot_at(slot, 1);
		if (w->nr > 1) {
			const uint64_t next = writing_leaf(w, 1);

			slot = write_others(slot, slot_at(w->slot, w->nr), next, next - entry,
					    w->level, w->iova + entry_mask(w->level) + 1);
		}
	}
	w->conflict = writing_index(w, slot);
	return w->conflict;
}

/* The first of nr entries, a power of two and at least 2, that is not free; or nr. */
static inline unsigned entries_empty(void *start, unsigned nr, unsigned level)
{
	void *slot = start, *end = slot_at(start, nr);
	uint64_t any = 0, other = 0, third = 0, fourth = 0;
	unsigned i;

	/* Several at a time: in most calls nothing but these loads is to be waited for. */
	if (nr == 2) {
		any = entry_load(slot);
		other = entry_load(slot_at(slot, 1));
		slot = end;
	}
#pragma GCC unroll 2
	for (; slot != end; slot = slot_at(slot, 4)) {
		any |= entry_load(slot);
		other |= entry_load(slot_at(slot, 1));
		third |= entry_load(slot_at(slot, 2));
		fourth |= entry_load(slot_at(slot, 3));
	}
	if (!(any | other | third | fourth))
		return nr;
	for (i = 0; i < nr && entry_free(entry_load(slot_at(start, i)), level); i++)
		;
	return i;
}

/*
 * One run of entries from number i on, whose leaf is at pa. False if the anchor was taken. Entries
 * are as far from each other as the first two: all the same, or each with its own address, of which
 * only bits below the run's size differ.
 */
static inline bool write_run(struct writing *w, unsigned i, unsigned run, uint64_t pa)
{
	const unsigned level = w->level, size_lg2 = w->size_lg2;
	uint64_t iova = w->iova + ((uint64_t)i << entry_span_lg2(level));
	uint64_t entry = F->leaf(w->attr, pa, level, size_lg2, 0);
	const uint64_t step = F->leaf(w->attr, pa, level, size_lg2, 1) - entry;
	const uint64_t span = entry_mask(level) + 1;
	void *slot = slot_at(w->slot, i), *end = slot_at(slot, run);

	if (i)
		write_next(slot, level, entry, iova);
	else if (!write_first(w, entry))
		return false;
	write_next(slot_at(slot, 1), level, entry + step, iova + span);
	if (run == 2)
		return true;
	write_next(slot_at(slot, 2), level, entry + 2 * step, iova + 2 * span);
	write_next(slot_at(slot, 3), level, entry + 3 * step, iova + 3 * span);
	for (slot = slot_at(slot, 4); slot != end; slot = slot_at(slot, 4)) {
		entry += 4 * step;
		iova += 4 * span;
#pragma GCC unroll 4
		for (unsigned k = 0; k < 4; k++)
			write_next(slot_at(slot, k), level, entry + k * step, iova + k * span);
	}
	return true;
}

/*
 * Runs. Each entry says the whole run's size, and hardware may cache all of it by one of them
 * (hazard 4): none is written before all were seen to be empty. Returns how many were, of whole
 * runs.
 */
static inline unsigned write_runs(struct writing *w)
{
	const unsigned run = run_length(w->size_lg2, w->level);
	uint64_t pa = w->pa;

	for (unsigned done = 0; done < w->nr; done += run, pa += 1ull << w->size_lg2) {
		unsigned empty = entries_empty(slot_at(w->slot, done), run, w->level);

		w->conflict = done + (empty < run ? empty : 0);
		if (empty < run || !write_run(w, done, run, pa))
			return done;
	}
	return w->nr;
}

static inline unsigned write_entries(struct writing *w)
{
	return has_runs() && w->size_lg2 > entry_span_lg2(w->level) ? write_runs(w)
								    : write_singles(w);
}

/*
 * Whether leaves are as far from each other in value as the first two. They are not where the
 * addresses pass a border above which a format has their bits elsewhere: there they are written
 * singly.
 */
static inline bool writing_is_even(const struct writing *w)
{
	uint64_t first = writing_leaf(w, 0), last = w->nr - 1;

	return writing_leaf(w, last) == first + last * (writing_leaf(w, 1) - first);
}

/* What to write of a piece from a place on: nr entries, as far as the table goes. */
static inline void writing_init(struct writing *w, const struct mapping *m,
				const struct piece *piece, const struct place *place, bool anchor)
{
	uint64_t left = piece->entries - piece->done;
	unsigned room = place_entries(place) - place->index;

	w->slot = place_slot(place);
	w->nr = left < room ? (unsigned)left : room;
	w->iova = m->next;
	w->anchor = anchor;
	w->attr = m->attr;
	w->pa = piece->pa + (piece->done << entry_span_lg2(piece->level));
	w->level = piece->level;
	w->size_lg2 = piece->size_lg2;
	w->conflict = 0;
	if (w->nr > 1 && w->size_lg2 == entry_span_lg2(w->level) && !writing_is_even(w))
		w->nr = 1;
}

static inline void piece_pass(struct mapping *m, struct piece *piece, unsigned n)
{
	m->next += (uint64_t)n << entry_span_lg2(piece->level);
	piece->done += n;
}

/**
 * struct chain - new tables, each the only entry of the next one, that nobody else can see
 * @tables:  from the lowest up
 * @nr:      how many
 * @entries: leaf entries written in the lowest one
 */
struct chain {
	struct iopt_table *tables[IOPT_MAX_LEVELS];
	unsigned nr;
	unsigned entries;
};

static void *chain_slot(const struct mapping *m, const struct chain *chain, unsigned i)
{
	void *entries = iopt_host_va(iopt_host_table_pa(chain->tables[i]));

	return slot_at(entries, table_index(m->next, chain->tables[i]->level));
}

/* Take tables at hand and put the piece's first leaves into the lowest one. */
static void chain_build(struct mapping *m, const struct piece *piece, struct chain *chain)
{
	for (unsigned i = 0; i < chain->nr; i++) {
		struct iopt_table *table = table_pop(&m->spare);
		void *entries = iopt_host_va(iopt_host_table_pa(table));
		struct place place = place_table(entries, piece->level);
		struct writing w;

		chain->tables[i] = table;
		table->level = (uint8_t)(piece->level + i);
		if (i == 0) {
			place.index = place_index(&place, m->next);
			writing_init(&w, m, piece, &place, false);
			chain->entries = write_entries(&w);
		} else {
			entry_store(chain_slot(m, chain, i),
				    F->table(iopt_host_table_pa(chain->tables[i - 1]),
					     table->level));
		}
		entries_writeback(m->domain, entries, table_entries());
	}
	m->nr_spare -= chain->nr;
}

/* Empty them again and put them back. */
static void chain_undo(struct mapping *m, const struct chain *chain)
{
	for (unsigned i = 0; i < chain->nr; i++) {
		void *slot = chain_slot(m, chain, i);

		for (unsigned k = 0; k < (i ? 1 : chain->entries); k++)
			entry_store(slot_at(slot, k), 0);
		table_push(&m->spare, chain->tables[i]);
	}
	m->nr_spare += chain->nr;
}

/* First IOVA of an entry of the table that an IOVA is in. */
static inline uint64_t place_iova(const struct place *place, uint64_t iova)
{
	return (iova & ~place_mask(place)) +
	       ((uint64_t)place->index << entry_span_lg2(place->level));
}

/*
 * A leaf is to go where a table hangs (rule 6): that table must be empty, and so must be every
 * other one in the range of this call, before any is replaced. Hardware may have cached the way
 * into the old table, so that the call owes an invalidation before it returns (hazard 2). All
 * tables in the place of a run go before the run comes: its entries never stand beside something
 * else. Where hardware wants a break before the size of what is mapped changes, it gets one: the
 * entry retires, caches forget the table, and only then comes the leaf, over an empty entry. Where
 * there is no trim the entry is empty at once: nobody else maps here, or takes the table away.
 */
static enum step replace_table(struct mapping *m, struct piece *piece, const struct place *place,
			       uint64_t entry)
{
	const bool breaks = !resizes(m->domain), retires = breaks && has_trim();
	const unsigned run = piece->run;
	uint64_t iova = place_iova(place, m->next);
	uint64_t leaf, pa = piece->pa + (piece->done << entry_span_lg2(place->level));
	struct unmapping u;

	if (!m->checked)
		return STEP_CHECK;

	leaf = run > 1 || breaks ? 0 : F->leaf(m->attr, pa, piece->level, piece->size_lg2, 0);
	if (retires)
		leaf = F->retiring(F->table_pa(entry));
	unmapping_init(&u, m->domain, mapping_gather(m), IOPT_FREED_BLOCK, iova,
		       iova | entry_mask(place->level));
	if (unsnooped(m->domain))
		u.written = &m->written;
	if (!unlink_table(&u, place, entry, leaf, iova))
		return STEP_AGAIN;
	m->emptied |= run > 1 && resizes(m->domain);
	released(&u, iova, iova | entry_mask(place->level), IOPT_OWES_TABLES, F->info.granule_lg2);
	if (retires)
		retire_finish(m->domain, place, leaf, iova);
	else if (breaks)
		entry_break(m->domain, place, iova);
	if (run > 1 || breaks)
		return STEP_AGAIN;
	piece_pass(m, piece, 1);
	return STEP_DONE;
}

/*
 * A value of the engine's own lies where the piece goes on: trim has decided about the table that
 * it lies in, or that hung there. Whatever was left to do, look again from the top.
 */
static enum step resolve_soft(struct mapping *m, const struct place *place, uint64_t entry)
{
	struct iopt_table *table;

	if (!has_trim())
		return STEP_AGAIN; /* dead, see below */
	switch (F->soft(entry)) {
	case IOPT_FROZEN:
		if (!freeze_closed(iopt_host_table_at(place->table), entry))
			break;
		table = retire_closed(m->domain, place->table, place->level, m->next);
		if (table)
			gather_table(mapping_gather(m), table);
		break;
	case IOPT_RETIRING:
		/* It may be in the middle of a run, beyond m->next. */
		retire_finish(m->domain, place, entry, place_iova(place, m->next));
		break;
	default: break; /* dead: the table is not in use any more */
	}
	return STEP_AGAIN;
}

/* An entry that is not empty lies where the piece goes on. */
static enum step resolve(struct mapping *m, struct piece *piece, struct place *place)
{
	uint64_t entry = entry_load_table(place_slot(place));

	switch (F->kind(entry, place->level)) {
	case IOPT_LEAF: return STEP_EXIST;
	case IOPT_TABLE:
		/* Above the piece's level it only came since, and leads on. */
		if (place->level != piece->level)
			return STEP_AGAIN;
		return replace_table(m, piece, place, entry);
	case IOPT_SOFT: return resolve_soft(m, place, entry);
	default: return STEP_AGAIN; /* empty by now */
	}
}

/*
 * Install (rule 2): a new table, and those between, with the piece's first leaves already inside,
 * become visible by one compare-and-exchange of an empty entry. The loser keeps its tables, which
 * nobody saw. The entry itself is written back with the rest of the way, by path_written().
 */
static enum step install(struct mapping *m, struct piece *piece, struct place *above)
{
	struct chain chain;
	uint64_t entry;

	chain.nr = above->level - piece->level;
	chain.entries = 0;
	if (m->nr_spare < chain.nr) {
		m->need = chain.nr;
		return STEP_ALLOC;
	}
	chain_build(m, piece, &chain);
	entry = entry_link(m->domain, iopt_host_table_pa(chain.tables[chain.nr - 1]), above->level);
	if (!entry_anchor(place_slot(above), above->level, entry, true)) {
		chain_undo(m, &chain);
		return resolve(m, piece, above);
	}
	for (unsigned i = 0; i < chain.nr; i++)
		count_linked(m->domain, piece->level + i, 1);
	piece_pass(m, piece, chain.entries);
	return STEP_DONE;
}

/*
 * What a walker that does not snoop needs of the way to what was mapped: entries that are marked go
 * to memory, whoever linked the tables; where the format has no mark, all of them.
 */
static __attribute__((__noinline__, __cold__)) void path_written(struct mapping *m, uint64_t top,
								 uint64_t iova, unsigned level)
{
	struct place place;

	place_top(&place, top, iova);
	while (place.level > level) {
		uint64_t entry = entry_load_table(place_slot(&place));

		if (F->kind(entry, place.level) != IOPT_TABLE)
			return;
		if (!F->table_unwritten || (entry & F->table_unwritten)) {
			lines_add(&m->written.level[place.level], place_slot(&place), 1);
			m->marked = F->table_unwritten;
		}
		place_down(&place, entry, iova);
	}
}

/*
 * Entries of a run may not stand beside something else in memory either, where some of its lines
 * come before others: once all of its tables are gone, that is what memory shows first.
 */
static __attribute__((__noinline__, __cold__)) void
emptied_writeback(struct mapping *m, const struct piece *piece, uint64_t top)
{
	struct place place;

	place_find(top, m->next, piece->level, &place);
	if (place.level != piece->level ||
	    entries_empty(place_slot(&place), piece->run, place.level) != piece->run)
		return;
	written_flush(&m->written);
	m->emptied = false;
}

/* Map what of the piece goes into one table. */
static inline enum step map_table(struct mapping *m, struct piece *piece, uint64_t top)
{
	struct place place;
	struct writing w;
	unsigned written;
	uint64_t entry;

	entry = place_find(top, m->next, piece->level, &place);
	if (place.level > piece->level)
		return entry_free(entry, place.level) ? install(m, piece, &place)
						      : resolve(m, piece, &place);

	writing_init(&w, m, piece, &place, true);
	written = write_entries(&w);
	if (unsnooped(m->domain) && written)
		lines_add(&m->written.level[place.level], w.slot, written);
	piece_pass(m, piece, written);
	if (written == w.nr)
		return STEP_DONE;
	place.index += w.conflict;
	return resolve(m, piece, &place);
}

/* The same, and the way to it. Context: inside a read section. */
static inline enum step map_step(struct mapping *m, struct piece *piece)
{
	uint64_t top = __atomic_load_n(&m->domain->top, __ATOMIC_ACQUIRE), iova = m->next;
	enum step step;

	if (!unsnooped(m->domain))
		return map_table(m, piece, top);
	if (m->emptied)
		emptied_writeback(m, piece, top);
	step = map_table(m, piece, top);
	if (m->next != iova)
		path_written(m, top, iova, piece->level);
	return step;
}

/* A table of the embedder's, as far as there are any, else of the host if it may be asked. */
static struct iopt_table *mapping_table(struct mapping *m)
{
	struct iopt_reserve *reserve = m->reserve;

	if (reserve && reserve->tables) {
		reserve->nr_tables--;
		return table_pop(&reserve->tables);
	}
	if (reserve && !reserve->how)
		return NULL;
	return table_alloc(m->domain, &F->info, F->info.index_lg2 + F->info.entry_lg2,
			   reserve ? reserve->how : 0);
}

/* Have m->need tables at hand. Context: outside read sections. */
static int mapping_alloc(struct mapping *m)
{
	while (m->nr_spare < m->need) {
		struct iopt_table *table = mapping_table(m);

		if (!table)
			return -IOPT_ENOMEM;
		table_push(&m->spare, table);
		m->nr_spare++;
	}
	return 0;
}

/*
 * Tables left over were needed when they were taken: somebody else installed one meanwhile, or
 * there were not enough of them.
 */
static void mapping_free(struct mapping *m, bool raced)
{
	if (raced)
		__atomic_fetch_add(&m->domain->counts.raced, m->nr_spare, __ATOMIC_RELAXED);
	if (!m->reserve) {
		iopt_host_table_free(m->spare);
		return;
	}
	for (; m->nr_spare; m->nr_spare--, m->reserve->nr_tables++)
		table_push(&m->reserve->tables, table_pop(&m->spare));
}

/* What map_step() could not do in its read section. Returns 0 to go on. */
static int map_aside(struct mapping *m, enum step step)
{
	switch (step) {
	case STEP_ALLOC: return mapping_alloc(m);
	case STEP_CHECK:
		m->checked = !range_finds(m->domain, m->next, m->last, FIND_LEAF);
		return m->checked ? 0 : -IOPT_EEXIST;
	case STEP_EXIST: return -IOPT_EEXIST;
	default: return 0;
	}
}

static inline int map_piece(struct mapping *m, struct piece *piece)
{
	int error = 0;

	while (!error && piece->done < piece->entries) {
		enum step step;

		iopt_host_read_lock();
		step = map_step(m, piece);
		iopt_host_read_unlock();
		if (step == STEP_DONE)
			continue;
		error = map_aside(m, step);
	}
	return error;
}

/* m->next..last to physically contiguous memory. */
static inline int map_contiguous(struct mapping *m, uint64_t last, uint64_t pa)
{
	uint64_t offset = pa - m->next;
	struct piece piece;
	int error;

	do {
		piece_choose(m->domain, m->next, last, m->next + offset, &piece);
		error = map_piece(m, &piece);
	} while (!error && m->next - 1 != last);
	return error;
}

/* Nothing is mapped at a level that the device has not been told of (hazard 5). */
static int map_top(struct mapping *m)
{
	struct iopt_domain *domain = m->domain;

	while (!top_covers(__atomic_load_n(&domain->top, __ATOMIC_ACQUIRE), m->last)) {
		uint64_t newest = __atomic_load_n(&domain->newest, __ATOMIC_ACQUIRE);
		struct iopt_table *table;
		int error;

		if (top_covers(newest, m->last)) {
			top_announce(domain);
			continue;
		}
		m->need = 1;
		error = mapping_alloc(m);
		if (error)
			return error;
		table = table_pop(&m->spare);
		if (top_raise(domain, newest, table))
			m->nr_spare--;
		else
			table_push(&m->spare, table);
	}
	return 0;
}

static inline void mapping_init(struct mapping *m, struct iopt_domain *domain, uint64_t attr,
				uint64_t first, uint64_t last, struct iopt_reserve *reserve)
{
	m->domain = domain;
	m->attr = attr;
	m->reserve = reserve;
	m->spare = NULL;
	m->nr_spare = 0;
	m->first = first;
	m->next = first;
	m->last = last;
	m->owes = false;
	m->checked = false;
	m->emptied = false;
	m->marked = false;
	if (unsnooped(domain))
		written_init(&m->written);
}

/*
 * Roll back (hazard 1): only what this call wrote, which a device may have cached already. Then
 * nothing keeps the tables that it wrote to from being given back: their lines go in the section.
 */
static void map_undo(struct mapping *m)
{
	struct unmapping u;

	if (m->next == m->first)
		return;
	unmapping_init(&u, m->domain, mapping_gather(m), IOPT_FREED_UNMAP, m->first, m->next - 1);
	if (unsnooped(m->domain))
		u.written = &m->written;
	iopt_host_read_lock();
	unmap_range(&u);
	if (unsnooped(m->domain))
		written_flush(&m->written);
	iopt_host_read_unlock();
}

/*
 * What was written goes to memory, where walkers do not snoop. Then marked entries on the way are
 * no longer, unless the map failed: after the roll-back nothing keeps their tables from going, and
 * others from coming. Whoever maps there next sees to them.
 */
static __attribute__((__noinline__, __cold__)) void map_writeback(struct mapping *m, int error)
{
	written_flush(&m->written);
	if (m->marked && !error)
		marks_clear(m->domain, m->first, m->last);
}

/* The end of every map, with what is owed to the hardware. */
static inline int map_finish(struct mapping *m, int error)
{
	if (error)
		map_undo(m);
	else if (m->domain->flags & IOPT_CACHES_EMPTY)
		gather_add(mapping_gather(m), m->first, m->last,
			   IOPT_OWES_LEAVES | IOPT_OWES_TABLES, F->info.granule_lg2);
	if (unsnooped(m->domain))
		map_writeback(m, error);
	if (m->nr_spare)
		mapping_free(m, error != -IOPT_ENOMEM);
	iopt_host_publish();
	if (m->owes)
		iopt_sync(&m->gather);
	return error;
}

/* IOVA and physical address of one segment. */
static inline int map_check(const struct iopt_domain *domain, uint64_t first, uint64_t last,
			    uint64_t pa)
{
	if (((first | pa | ~last) & entry_mask(0)) || first > last)
		return -IOPT_EINVAL;
	if (!domain_has(domain, first, last) || pa > domain->pa_last ||
	    last - first > domain->pa_last - pa)
		return -IOPT_ERANGE;
	return 0;
}

/*
 * One entry over an empty one in a table that is there, what most calls map, without the state of a
 * longer one: by an anchor alone. For walkers that do not snoop the way must be in memory already,
 * that is, without marks, so that the entry's own line is all that is owed. Returns false, having
 * changed nothing, where it is not that simple.
 * Context: in a read section.
 */
static inline __attribute__((always_inline)) bool map_entry(const struct iopt_domain *domain,
							    uint64_t attr, uint64_t iova,
							    uint64_t pa, const unsigned level,
							    const bool snooped)
{
	uint64_t top = __atomic_load_n(&domain->top, __ATOMIC_ACQUIRE), seen, empty = 0;
	struct place place = { .level = 0 }; /* as in unmap_entry() */

	if (!top_covers(top, iova | entry_mask(level)) ||
	    place_find_way(top, iova, level, &place, &seen))
		return false;
	if (place.level != level || (!snooped && (seen & F->table_unwritten)) ||
	    !entry_cas(place_slot(&place), &empty,
		       F->leaf(attr, pa, level, entry_span_lg2(level), 0)))
		return false;
	if (!snooped)
		slots_writeback(place_slot(&place), slot_after(place_slot(&place), 1));
	return true;
}

/*
 * All of a range from its first IOVA on, of which the entries that w says are written, and not yet
 * written back; NULL: none.
 */
static __attribute__((__noinline__)) int map_from(struct iopt_domain *domain, uint64_t attr,
						  uint64_t first, uint64_t last, uint64_t pa,
						  struct iopt_reserve *reserve,
						  const struct writing *w)
{
	struct mapping m;
	int error;

	mapping_init(&m, domain, attr, first, last, reserve);
	if (w) {
		lines_add(&m.written.level[w->level], w->slot, w->conflict);
		m.next += (uint64_t)w->conflict << w->size_lg2;
	}
	error = map_top(&m);
	if (!error)
		error = map_contiguous(&m, last, pa + (m.next - first));
	return map_finish(&m, error);
}

/* Everything else. */
static __attribute__((__noinline__)) int map_long(struct iopt_domain *domain, uint64_t first,
						  uint64_t last, uint64_t pa, unsigned prot,
						  struct iopt_reserve *reserve)
{
	int error = map_check(domain, first, last, pa);
	uint64_t attr;

	if (!error)
		error = F->leaf_attr(prot, domain->flags, &attr);
	if (error)
		return error;
	if (debts_hold(&domain->debts, first, last))
		iopt_host_breach("a range is mapped again before its gather is synced", first);
	return map_from(domain, attr, first, last, pa, reserve, NULL);
}

/* One entry did not go the short way: out of the read section, and the long way. */
static __attribute__((__noinline__)) int map_again(struct iopt_domain *domain, uint64_t first,
						   uint64_t last, uint64_t pa, unsigned prot,
						   struct iopt_reserve *reserve)
{
	iopt_host_brief_unlock();
	return map_long(domain, first, last, pa, prot, reserve);
}

/* What all of a call's arguments must be for the short way; what is not may still be right. */
static inline bool map_is_short(const struct iopt_domain *domain, uint64_t first, uint64_t last,
				uint64_t pa, unsigned prot, uint64_t *attr)
{
	return domain->short_map && domain_has(domain, first, last) && pa <= domain->pa_last &&
	       !F->leaf_attr(prot, domain->flags, attr);
}

/*
 * Most calls map a granule or a block into a table that is there. They go the short way, and leave
 * it by a jump from inside the section, so that nothing need be kept beyond its end. The others go
 * otherwise.
 */
static inline __attribute__((always_inline)) int
map_short(struct iopt_domain *domain, uint64_t first, uint64_t last, uint64_t pa, unsigned prot,
	  struct iopt_reserve *reserve, const bool snooped, __typeof__(map_long) *const otherwise)
{
	uint64_t attr;

	if (is_entry(first, last, pa, 0) && map_is_short(domain, first, last, pa, prot, &attr)) {
		iopt_host_brief_lock();
		if (!map_entry(domain, attr, first, pa, 0, snooped))
			return map_again(domain, first, last, pa, prot, reserve);
	} else if (is_entry(first, last, pa, 1) &&
		   (__atomic_load_n(&domain->map_sizes, __ATOMIC_RELAXED) & (entry_mask(1) + 1)) &&
		   map_is_short(domain, first, last, pa, prot, &attr)) {
		iopt_host_brief_lock();
		if (!map_entry(domain, attr, first, pa, 1, snooped))
			return map_again(domain, first, last, pa, prot, reserve);
	} else {
		return otherwise(domain, first, last, pa, prot, reserve);
	}
	iopt_host_publish();
	iopt_host_brief_unlock();
	return 0;
}

/* Flattened: see unmap(). */
static __attribute__((flatten)) int map(struct iopt_domain *domain, uint64_t first, uint64_t last,
					uint64_t pa, unsigned prot, struct iopt_reserve *reserve)
{
	return map_short(domain, first, last, pa, prot, reserve, true, map_long);
}

/* All segments, and the last IOVA that they reach. */
static int map_sg_check(const struct iopt_domain *domain, uint64_t first,
			const struct iopt_segment *segments, size_t nr, uint64_t *last)
{
	if (!nr)
		return -IOPT_EINVAL;
	*last = first - 1;
	for (size_t i = 0; i < nr; i++) {
		uint64_t start = *last + 1;
		int error;

		if (!segments[i].bytes)
			return -IOPT_EINVAL;
		if (segments[i].bytes - 1 > ~0ull - start || (i && !start))
			return -IOPT_ERANGE;
		*last = start + segments[i].bytes - 1;
		error = map_check(domain, start, *last, segments[i].pa);
		if (error)
			return error;
	}
	return domain_has(domain, first, *last) ? 0 : -IOPT_ERANGE;
}

static int map_sg(struct iopt_domain *domain, uint64_t first, const struct iopt_segment *segments,
		  size_t nr, unsigned prot, struct iopt_reserve *reserve, uint64_t *last)
{
	uint64_t end, attr;
	int error = map_sg_check(domain, first, segments, nr, &end);
	struct mapping m;

	if (!error)
		error = F->leaf_attr(prot, domain->flags, &attr);
	if (error)
		return error;

	if (debts_hold(&domain->debts, first, end))
		iopt_host_breach("a range is mapped again before its gather is synced", first);

	mapping_init(&m, domain, attr, first, end, reserve);
	error = map_top(&m);
	for (size_t i = 0; !error && i < nr; i++) {
		uint64_t pa = segments[i].pa, bytes = segments[i].bytes;

		while (i + 1 < nr && segments[i + 1].pa == pa + bytes)
			bytes += segments[++i].bytes;
		error = map_contiguous(&m, m.next + bytes - 1, pa);
	}
	error = map_finish(&m, error);
	if (!error && last)
		*last = end;
	return error;
}

#endif
