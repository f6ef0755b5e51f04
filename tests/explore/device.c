/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The explorer's device. What it does in one step, between two points: look into its caches; read
 * one entry; set bits in one entry, by compare-and-exchange with what it read; reach memory and
 * keep the translation. An access that an invalidation came into still ends with what it has read,
 * which is why the invalidation waits for it, but keeps nothing.
 */
#include <string.h>

#include "device.h"
#include "sched.h"

static struct device *const dev = &world.device;

/**
 * struct walk - an access under way
 * @page, @write: what it wants
 * @before: what was expected at the page when it began
 * @tlb:    what it has found or come to
 */
struct walk {
	unsigned page;
	bool write;
	struct expected before;
	struct tlb_entry tlb;
};

static unsigned index_lg2(void)
{
	return domain->ops->format->info.index_lg2;
}

/* Whether hardware sets accessed and dirty bits. */
static bool marks(void)
{
	return domain->flags & IOPT_TRACKABLE;
}

static bool marks_tables(void)
{
	return marks() && (domain->ops->format->info.abilities & IOPT_CAN_ACCESSED_TABLES);
}

static uint8_t *psc_of(unsigned level, unsigned page)
{
	return &dev->psc[level][page >> (level + 1) * index_lg2()];
}

static uint64_t *slot_of(unsigned table, unsigned level, unsigned page)
{
	unsigned index = page >> level * index_lg2() & ((1u << index_lg2()) - 1);

	return domain->flags & IOPT_NONCOHERENT ? &world.ram[table][index]
						: &world.entry[table][index];
}

static uint64_t slot_read(const uint64_t *slot)
{
	uint64_t entry;

	point_before(slot, sizeof(*slot), ACCESS_READ);
	entry = *slot;
	point_after(entry);
	return entry;
}

/* Returns false if the entry has changed since. */
static bool slot_mark(uint64_t *slot, uint64_t entry, uint64_t bits)
{
	bool same;

	if ((entry & bits) == bits)
		return true;
	point_before(slot, sizeof(*slot), ACCESS_WRITE);
	same = *slot == entry;
	if (same)
		*slot |= bits;
	point_after(*slot);
	return same;
}

/* First step: the caches. Returns the level to begin with, of the table whose number is set. */
static unsigned walk_begin(struct walk *walk, unsigned *table)
{
	unsigned me = sched_self(), level;
	uint64_t word;

	sched_touch(&dev->flight[me], sizeof(dev->flight[me]), ACCESS_WRITE);
	sched_touch(&dev->tlb[walk->page], sizeof(dev->tlb[0]), ACCESS_READ);
	sched_touch(&dev->psc, sizeof(dev->psc), ACCESS_READ);
	sched_touch(&dev->root, sizeof(dev->root) + sizeof(dev->levels), ACCESS_READ);
	sched_touch(&world.ledger.page[walk->page], sizeof(struct expected), ACCESS_READ);
	sched_step();
	dev->flight[me]++;
	dev->forgets[me] = 0;
	walk->before = world.ledger.page[walk->page];
	walk->tlb = dev->tlb[walk->page];
	memcpy(&word, &walk->before, sizeof(word));
	sched_learn(word);
	memcpy(&word, &walk->tlb, sizeof(word));
	sched_learn(word);

	for (level = 0; level + 1 < dev->levels && !*psc_of(level, walk->page); level++)
		;
	*table = level + 1 < dev->levels ? *psc_of(level, walk->page) - 1u
					 : table_number(dev->root);
	sched_learn(level << 16 | *table);
	return level;
}

/* A table entry was used: the way to the table is kept. */
static void walk_keep_table(const struct walk *walk, unsigned level, unsigned table)
{
	unsigned me = sched_self();

	sched_touch(&dev->psc, sizeof(dev->psc), ACCESS_WRITE);
	sched_touch(&dev->forgets[me], sizeof(dev->forgets[me]), ACCESS_READ);
	sched_step();
	if (!dev->forgets[me])
		*psc_of(level, walk->page) = (uint8_t)(table + 1);
}

/* A leaf was found and marked. */
static void walk_leaf(struct walk *walk, unsigned level, uint64_t entry)
{
	unsigned lg2 = level * index_lg2() + (entry & TINY_RUN ? 1 : 0);
	unsigned first = walk->page & ~((1u << lg2) - 1);

	walk->tlb = (struct tlb_entry){
		.first = (uint8_t)first,
		.size_lg2 = (uint8_t)lg2,
		.valid = true,
		.writable = entry & TINY_W,
		.dirty = !marks() || (entry & TINY_D),
		.frame = (uint8_t)(((entry & TINY_ADDR) >> TINY_PAGE_LG2) + walk->page - first),
	};
}

/* Whether the walk found a leaf that permits the access. */
static bool walk_down(struct walk *walk, unsigned level, unsigned table)
{
	for (;;) {
		uint64_t *slot = slot_of(table, level, walk->page);
		uint64_t entry = slot_read(slot);

		if (!(entry & TINY_P))
			return false;
		if (level && !(entry & TINY_BLOCK)) {
			if (marks_tables() && !slot_mark(slot, entry, TINY_A))
				continue;
			table = table_number(entry & TINY_ADDR);
			if (table == NR_TABLES)
				fail("the device finds %#jx where a table should be",
				     (uintmax_t)entry);
			walk_keep_table(walk, --level, table);
			continue;
		}
		if (walk->write && !(entry & TINY_W))
			return false;
		if (marks() && !slot_mark(slot, entry, walk->write ? TINY_A | TINY_D : TINY_A))
			continue;
		walk_leaf(walk, level, marks() && walk->write ? entry | TINY_D : entry);
		return true;
	}
}

/* What was expected when the walk began, and all the time since? */
static bool walk_expects(const struct walk *walk)
{
	const struct expected *now = &world.ledger.page[walk->page];

	return !walk->before.any && !walk->before.changing &&
	       walk->before.version == now->version && !now->changing;
}

static void tlb_keep(const struct tlb_entry *leaf, unsigned page)
{
	for (unsigned i = 0; i < 1u << leaf->size_lg2; i++) {
		struct tlb_entry *entry = &dev->tlb[leaf->first + i];

		*entry = *leaf;
		entry->frame = (uint8_t)(leaf->frame + leaf->first + i - page);
	}
}

/* Last step: memory is reached, and the translation kept. */
static void walk_end(struct walk *walk, bool found, bool keep)
{
	unsigned me = sched_self();
	const struct tlb_entry *leaf = &walk->tlb;
	struct written *written = &world.ledger.write[walk->page];
	bool may_fault;

	if (found && keep)
		sched_touch(&dev->tlb[leaf->first], sizeof(*leaf) << leaf->size_lg2, ACCESS_WRITE);
	else if (keep && (domain->flags & IOPT_CACHES_EMPTY))
		sched_touch(&dev->tlb[walk->page], sizeof(*leaf), ACCESS_WRITE);
	if (found)
		sched_touch(&world.ledger.gone[leaf->frame], sizeof(uint64_t), ACCESS_READ);
	if (found && walk->write)
		sched_touch(written, sizeof(*written), ACCESS_WRITE);
	sched_touch(&world.ledger.page[walk->page], sizeof(struct expected), ACCESS_READ);
	sched_touch(&dev->flight[me], sizeof(dev->flight[me]), ACCESS_WRITE);
	sched_touch(&dev->forgets[me], sizeof(dev->forgets[me]), ACCESS_READ);
	sched_step();
	dev->flight[me]++;
	may_fault = walk->write && (walk->before.denied || world.ledger.page[walk->page].denied);
	if (!found) {
		note("%s page %u: fault", walk->write ? "write to" : "read of", walk->page);
		if (keep && (domain->flags & IOPT_CACHES_EMPTY) && !dev->forgets[me])
			dev->tlb[walk->page] = (struct tlb_entry){
				.first = (uint8_t)walk->page,
				.valid = true,
			};
		if (walk_expects(walk) && walk->before.frame && !may_fault)
			fail("the device faults at page %u, which is mapped", walk->page);
		return;
	}
	note("%s page %u: frame %u", walk->write ? "write to" : "read of", walk->page, leaf->frame);
	if (keep && !dev->forgets[me])
		tlb_keep(leaf, walk->page);
	written->writes += walk->write;
	if (world.ledger.gone[leaf->frame])
		fail("the device reaches frame %u after unmap and sync", leaf->frame);
	if (walk->write && walk->before.denied == DENIED &&
	    world.ledger.page[walk->page].denied == DENIED)
		fail("the device writes page %u, which is read-only", walk->page);
	if (walk_expects(walk) && walk->before.frame && walk->before.frame != leaf->frame)
		fail("the device reaches frame %u for page %u, not %u", leaf->frame, walk->page,
		     walk->before.frame);
}

void device_access(unsigned page, bool write)
{
	struct walk walk = { .page = page, .write = write };
	unsigned table, level = walk_begin(&walk, &table);
	bool empty = walk.tlb.valid && !walk.tlb.frame;
	bool hit = walk.tlb.valid && (!write || (walk.tlb.writable && walk.tlb.dirty));
	bool beyond = page >> dev->levels * index_lg2();

	if (empty)
		walk_end(&walk, false, false);
	else
		walk_end(&walk, hit || (!beyond && walk_down(&walk, level, table)), !hit);
}

void device_forget(void)
{
	sched_touch(dev->tlb, sizeof(dev->tlb), ACCESS_WRITE);
	sched_touch(dev->psc, sizeof(dev->psc), ACCESS_WRITE);
	sched_step();
	memset(dev->tlb, 0, sizeof(dev->tlb));
	memset(dev->psc, 0, sizeof(dev->psc));
}

/* ---- invalidations ------------------------------------------------------------------------- */

/* A gather with a leaf-only hint: its leaves went, of leaf_lg2 bytes or more, and nothing else. */
static bool is_hint(const struct iopt_gather *gather)
{
	return !(gather->owes & (IOPT_OWES_TABLES | IOPT_OWES_DIRTY | IOPT_OWES_ALL));
}

/*
 * Whether a translation stays. A device's own TLB keeps what it was not told of, and nothing that
 * is not mapped. Where hardware is told the level of the leaves, one that is of a higher level and
 * was not named as a whole is not among them.
 */
static bool leaf_stays(const struct tlb_entry *leaf, unsigned first, unsigned last,
		       const struct iopt_gather *gather)
{
	if (dev->ats && !(gather->owes & IOPT_OWES_DEVICE_TLB) && leaf->frame)
		return true;
	return is_hint(gather) && leaf->size_lg2 + TINY_PAGE_LG2 > gather->leaf_lg2 &&
	       (leaf->first < first || leaf->first + (1u << leaf->size_lg2) - 1 > last);
}

/* Else it goes as a whole, whatever part of it is named. */
static void drop_leaves(unsigned first, unsigned last, const struct iopt_gather *gather)
{
	for (unsigned page = first; page <= last; page++) {
		struct tlb_entry leaf = dev->tlb[page];

		if (leaf.valid && !leaf_stays(&leaf, first, last, gather))
			memset(&dev->tlb[leaf.first], 0, sizeof(leaf) << leaf.size_lg2);
	}
}

static void drop_tables(unsigned first, unsigned last)
{
	for (unsigned level = 0; level < NR_LEVELS; level++) {
		unsigned shift = (level + 1) * index_lg2();

		for (unsigned i = first >> shift; i <= last >> shift; i++)
			dev->psc[level][i] = 0;
	}
}

static void drop(const struct iopt_gather *gather)
{
	for (unsigned i = 0; i <= gather->nr_ranges; i++) {
		bool all = i == gather->nr_ranges;
		uint64_t first = all ? 0 : gather->ranges[i].first >> TINY_PAGE_LG2;
		uint64_t last = all ? NR_PAGES - 1 : gather->ranges[i].last >> TINY_PAGE_LG2;

		if (all && !(gather->owes & IOPT_OWES_ALL))
			break;
		if (last >= NR_PAGES)
			last = NR_PAGES - 1;
		drop_leaves((unsigned)first, (unsigned)last, gather);
		if (!is_hint(gather))
			drop_tables((unsigned)first, (unsigned)last);
		note("invalidated pages %ju to %ju%s", (uintmax_t)first, (uintmax_t)last,
		     is_hint(gather) ? "" : " and tables");
	}
}

static bool flight_over(uint64_t which)
{
	return dev->flight[which >> 32] != (uint32_t)which;
}

void device_invalidate(void *ctx, const struct iopt_gather *gather)
{
	uint64_t flight[MAX_THREADS];

	(void)ctx;
	sched_touch(dev->tlb, sizeof(dev->tlb), ACCESS_WRITE);
	sched_touch(dev->psc, sizeof(dev->psc), ACCESS_WRITE);
	sched_touch(dev->flight, sizeof(dev->flight), ACCESS_READ);
	sched_touch(dev->forgets, sizeof(dev->forgets), ACCESS_WRITE);
	sched_step();
	drop(gather);
	for (unsigned i = 0; i < MAX_THREADS; i++) {
		flight[i] = dev->flight[i];
		dev->forgets[i] |= flight[i] & 1;
		sched_learn(flight[i]);
	}
	for (unsigned i = 0; i < MAX_THREADS; i++)
		if (flight[i] & 1)
			sched_wait(flight_over, (uint64_t)i << 32 | flight[i], &dev->flight[i],
				   sizeof(dev->flight[i]), ACCESS_READ, "the device");
}

static bool unlocked(uint64_t unused)
{
	(void)unused;
	return !dev->lock;
}

void device_top_changed(void *ctx, struct iopt_domain *changed)
{
	struct iopt_hw hw;

	(void)ctx;
	sched_wait(unlocked, 0, &dev->lock, sizeof(dev->lock), ACCESS_WRITE,
		   "the lock of the device's top");
	dev->lock = 1;
	iopt_hw(changed, &hw);
	sched_touch(&dev->root, sizeof(dev->root) + sizeof(dev->levels), ACCESS_WRITE);
	sched_step();
	dev->root = hw.root;
	dev->levels = hw.levels;
	note("the device is told of %u levels", hw.levels);
	sched_touch(&dev->lock, sizeof(dev->lock), ACCESS_WRITE);
	sched_step();
	dev->lock = 0;
}

void device_attach(void)
{
	struct iopt_hw hw;

	iopt_hw(domain, &hw);
	dev->root = hw.root;
	dev->levels = hw.levels;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static uint64_t pages_mask(uint64_t first, uint64_t last)
{
	uint64_t pages = 0;

	for (uint64_t page = first >> TINY_PAGE_LG2; page <= last >> TINY_PAGE_LG2; page++)
		pages |= 1ull << page;
	return pages;
}

bool device_try_claim(void *ctx, uint64_t first, uint64_t last)
{
	uint64_t pages = pages_mask(first, last);
	bool free;

	(void)ctx;
	point_before(&dev->claimed, sizeof(dev->claimed), ACCESS_WRITE);
	free = !(dev->claimed & pages);
	if (free)
		dev->claimed |= pages;
	point_after(free);
	return free;
}

void device_release(void *ctx, uint64_t first, uint64_t last)
{
	(void)ctx;
	point_before(&dev->claimed, sizeof(dev->claimed), ACCESS_WRITE);
	dev->claimed &= ~pages_mask(first, last);
}

/* ---- at the end ---------------------------------------------------------------------------- */

/* The table at a level that the tables lead to, or NR_TABLES. */
static unsigned table_at(unsigned level, unsigned page)
{
	unsigned table = table_number(dev->root), at = (unsigned)dev->levels - 1;

	while (at > level) {
		uint64_t entry = *slot_of(table, at, page);

		if (!(entry & TINY_P) || (entry & TINY_BLOCK))
			return NR_TABLES;
		table = table_number(entry & TINY_ADDR);
		at--;
	}
	return table;
}

void device_check(void)
{
	for (unsigned page = 0; page < NR_PAGES; page++) {
		const struct tlb_entry *entry = &dev->tlb[page];
		struct iopt_translation found;

		if (!entry->valid || world.ledger.page[page].any)
			continue;
		found.pa = 0;
		if (iopt_translate(domain, (uint64_t)page << TINY_PAGE_LG2, &found) && entry->frame)
			fail("page %u is still cached, and not mapped", page);
		if (found.pa >> TINY_PAGE_LG2 != entry->frame)
			fail("page %u is still cached as frame %u", page, entry->frame);
		if (entry->writable && !(found.prot & IOPT_WRITE))
			fail("page %u is still cached as writable", page);
	}
	for (unsigned level = 0; level + 1 < dev->levels; level++) {
		unsigned span = 1u << (level + 1) * index_lg2();

		for (unsigned page = 0; page < NR_PAGES; page += span) {
			unsigned table = *psc_of(level, page);

			if (table && table_at(level, page) != table - 1)
				fail("the way to table %u is still cached for page %u", table - 1,
				     page);
		}
	}
}
