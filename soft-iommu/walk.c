/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A walk: from the root, or from the deepest table that the device has a cached pointer to, down to
 * a leaf, as the hardware of any of the formats does it. Sets accessed and dirty bits on the way.
 *
 * Tables change under a walk. It reads every entry once, as a whole; an entry that it has to write
 * is exchanged for the very value that was read plus the bit, else read again: hardware, too, never
 * sets a bit in an entry other than the one that it decided on. Entries are read with acquire
 * order, so that a checker of data races sees who filled the table that they lead to.
 */
#include <sched.h>

#include "internal.h"

/* Where a walk stands: a table, and what was found on the way to it. */
struct position {
	uint64_t table;
	uint32_t generation;
	unsigned level;
	unsigned prot;
};

enum soft_iommu_reason soft_permitted(const struct soft_format *format, unsigned prot,
				      unsigned request)
{
	if (format->fetches && prot & IOPT_PRIV && !(request & SOFT_IOMMU_SUPERVISOR))
		return SOFT_IOMMU_NO_USER;
	if (request & SOFT_IOMMU_WRITE)
		return prot & IOPT_WRITE ? SOFT_IOMMU_DONE : SOFT_IOMMU_NO_WRITE;
	if (format->fetches && request & SOFT_IOMMU_FETCH && !(prot & IOPT_EXEC))
		return SOFT_IOMMU_NO_EXEC;
	return prot & IOPT_READ ? SOFT_IOMMU_DONE : SOFT_IOMMU_NO_READ;
}

uint64_t soft_random(struct soft_iommu_device *device)
{
	/* xorshift64*, Marsaglia and Vigna. */
	device->random ^= device->random >> 12;
	device->random ^= device->random << 25;
	device->random ^= device->random >> 27;
	return device->random * 0x2545f4914f6cdd1dull >> 16;
}

bool soft_now_and_then(struct soft_iommu_device *device, unsigned times)
{
	return device && device->config.flags & SOFT_IOMMU_RANDOM &&
	       !((soft_random(device) & UINT32_MAX) * times >> 32);
}

static uint32_t generation_of(const struct soft_iommu *unit, uint64_t pa)
{
	uint32_t generation = 0;

	if (unit->config.state)
		unit->config.state(pa, &generation);
	return generation;
}

/* After a table was read: was it still the one that the walk was sent to? */
static enum soft_iommu_reason still_there(const struct soft_iommu *unit, const struct position *at,
					  uint64_t entry)
{
	uint32_t generation = at->generation;
	enum iopt_posix_state state;

	if (unit->config.state) {
		state = unit->config.state(at->table, &generation);
		if (state == IOPT_POSIX_NO_TABLE)
			return SOFT_IOMMU_NO_MEMORY;
		if (state != IOPT_POSIX_LIVE || generation != at->generation)
			return SOFT_IOMMU_FREED_TABLE;
	}
	if (unit->config.poison && entry == unit->config.poison)
		return SOFT_IOMMU_FREED_TABLE;
	return SOFT_IOMMU_DONE;
}

static enum soft_iommu_reason check_width(const struct soft_iommu_domain *domain,
					  const struct soft_root *root, uint64_t iova)
{
	unsigned width = root->width ? root->width : soft_entry_lg2(domain->format, root->levels);

	if (width >= 64)
		return SOFT_IOMMU_DONE;
	if (root->upper)
		return (int64_t)iova >> width == -1 ? SOFT_IOMMU_DONE : SOFT_IOMMU_BEYOND_WIDTH;
	if (domain->flags & SOFT_IOMMU_SIGN_EXTEND) {
		int64_t above = (int64_t)iova >> (width - 1);

		return !above || above == -1 ? SOFT_IOMMU_DONE : SOFT_IOMMU_NOT_CANONICAL;
	}
	return iova >> width ? SOFT_IOMMU_BEYOND_WIDTH : SOFT_IOMMU_DONE;
}

/*
 * Start at the root or at the deepest table that a cached pointer leads to. A pointer to a table is
 * cached under what that table translates.
 */
static struct position start(const struct soft_walk *walk, const struct soft_root *root)
{
	const struct soft_format *format = walk->domain->format;
	struct soft_iommu_device *device = walk->device;
	struct position at = {
		.table = root->pa,
		.level = root->levels - 1u,
		.prot = SOFT_ALL_PROT,
	};
	unsigned level;

	for (level = 0; device && level + 1 < root->levels; level++) {
		struct soft_slot *slot = soft_cache_find(&device->tables, walk->iova,
							 soft_entry_lg2(format, level + 1));

		if (!slot || soft_now_and_then(device, 4))
			continue;
		device->stats.skipped += at.level - level;
		at.table = slot->pa;
		at.generation = slot->generation;
		at.level = level;
		at.prot = slot->flags;
		return at;
	}
	at.generation = generation_of(walk->domain->unit, at.table);
	return at;
}

/* Which entry of a table an IOVA selects. */
static unsigned index_of(const struct soft_format *format, const struct soft_root *root,
			 unsigned level, uint64_t iova)
{
	unsigned lg2 = soft_entry_lg2(format, level);
	unsigned bits = root->width && level + 1 == root->levels ? root->width - lg2
								 : format->index_lg2;

	return iova >> lg2 & ((1u << bits) - 1);
}

static void *slot_of(const struct soft_format *format, void *table, unsigned index)
{
	return (char *)table + ((size_t)index << format->entry_lg2);
}

/* Read an entry as a whole, with all that was stored before it was. */
static uint64_t load(const struct soft_format *format, const void *slot)
{
	if (format->entry_lg2 == 2)
		return __atomic_load_n((const uint32_t *)slot, __ATOMIC_ACQUIRE);
	return __atomic_load_n((const uint64_t *)slot, __ATOMIC_ACQUIRE);
}

static bool exchange(const struct soft_format *format, void *slot, uint64_t old, uint64_t entry)
{
	uint32_t old32 = (uint32_t)old;

	if (format->entry_lg2 == 2)
		return __atomic_compare_exchange_n((uint32_t *)slot, &old32, (uint32_t)entry, false,
						   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint64_t *)slot, &old, entry, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Mark the entry that was read. False: it is another one by now. */
static bool mark(const struct soft_format *format, void *slot, uint64_t *entry, uint64_t marked)
{
	if (marked == *entry)
		return true;
	if (!exchange(format, slot, *entry, marked))
		return false;
	*entry = marked;
	return true;
}

static void descend(struct soft_walk *walk, struct position *at, const struct soft_entry *found)
{
	at->prot = soft_combine(at->prot, found->prot);
	at->table = found->pa;
	at->generation = generation_of(walk->domain->unit, found->pa);
	at->level--;
	if (walk->device && !soft_now_and_then(walk->device, 8))
		soft_cache_put(&walk->device->tables, walk->iova,
			       soft_entry_lg2(walk->domain->format, at->level + 1), at->table,
			       at->generation, at->prot);
}

/* Whether entry i, counted from a run's first one, is a leaf that leads where the run does. */
static bool leads_alike(const struct soft_walk *walk, uint64_t entry, unsigned level, unsigned i)
{
	const struct soft_format *format = walk->domain->format;
	struct soft_entry other = format->decode(format, entry, level, 0);
	uint64_t pa = walk->leaf.pa + ((uint64_t)i << soft_entry_lg2(format, level));

	if (format->own_addresses && other.own != pa)
		return false;
	return other.kind == SOFT_LEAF && other.lg2 < 64 &&
	       other.pa + (pa & ((1ull << other.lg2) - 1)) == pa;
}

/*
 * All entries of a run that are present must lead to the same leaf. Some may be empty: see design,
 * 8.4. Where sizes or permissions are changed under hardware some are of the old kind and some of
 * the new one, but each of them leads where the other would.
 */
static bool run_agrees(struct soft_walk *walk, void *table, const struct position *at,
		       unsigned index)
{
	const struct soft_format *format = walk->domain->format;
	unsigned lg2 = walk->leaf.lg2 - soft_entry_lg2(format, at->level);
	unsigned first = index >> lg2 << lg2;
	uint64_t entry;
	unsigned i;

	for (i = first; lg2 && i < first + (1u << lg2); i++) {
		entry = load(format, slot_of(format, table, i));
		if ((!format->own_addresses && !((entry ^ walk->entry) & format->significant)) ||
		    format->decode(format, entry, at->level, 0).kind == SOFT_EMPTY ||
		    leads_alike(walk, entry, at->level, i - first))
			continue;
		walk->entry = entry;
		walk->entry_pa = at->table + ((uint64_t)i << format->entry_lg2);
		return false;
	}
	return true;
}

static bool snoops(const struct soft_walk *walk)
{
	return !(walk->domain->flags & SOFT_IOMMU_NO_SNOOP);
}

/*
 * Whether a walker that sets no accessed and dirty bits asks software to have set them: since it
 * was not told to set any, or would be but for its not snooping.
 */
static bool lacks_marks(const struct soft_walk *walk, const struct soft_root *root)
{
	const struct soft_format *format = walk->domain->format;
	bool accessed = root->accessed ? !snoops(walk) : format->demands_marks;
	bool dirty = root->dirty ? !snoops(walk) : format->demands_marks;

	return (accessed && !(walk->entry & format->accessed)) ||
	       (dirty && walk->request & SOFT_IOMMU_WRITE && !soft_is_dirty(format, walk->entry));
}

/* What the leaf becomes by the access. */
static uint64_t marked(const struct soft_walk *walk, const struct soft_root *root)
{
	const struct soft_format *format = walk->domain->format;
	uint64_t entry = walk->entry | (root->accessed ? format->accessed : 0);

	if (!root->dirty || !(walk->request & SOFT_IOMMU_WRITE))
		return entry;
	return ((entry ^ format->inverted) | format->dirty) ^ format->inverted;
}

/* A leaf was read. False: it is another one by now. */
static bool use_leaf(struct soft_walk *walk, const struct soft_root *root, void *slot,
		     enum soft_iommu_reason *reason)
{
	const struct soft_format *format = walk->domain->format;
	bool was_clean = root->dirty && !soft_is_dirty(format, walk->entry);

	*reason = SOFT_IOMMU_DONE;
	if (!walk->device)
		return true;
	*reason = soft_permitted(format, walk->leaf.prot, walk->request);
	if (*reason)
		return true;
	if (lacks_marks(walk, root)) {
		*reason = SOFT_IOMMU_NOT_MARKED;
		return true;
	}
	if (snoops(walk) && !mark(format, slot, &walk->entry, marked(walk, root)))
		return false;
	walk->clean = root->dirty && !soft_is_dirty(format, walk->entry);
	/* What a read is cached with is good for no write that a walk would fault. */
	if (format->demands_marks && !root->dirty && !soft_is_dirty(format, walk->entry))
		walk->leaf.prot &= (uint8_t)~IOPT_WRITE;
	walk->device->stats.dirty_set += was_clean && !walk->clean;
	return true;
}

/* A table entry was read. Returns as step() does. */
static bool use_table(struct soft_walk *walk, const struct soft_root *root, void *slot,
		      struct position *at, const struct soft_entry *found,
		      enum soft_iommu_reason *reason)
{
	const struct soft_format *format = walk->domain->format;
	uint64_t bits = walk->device && root->accessed ? format->accessed_table : 0;

	if (found->skips) {
		*reason = SOFT_IOMMU_SKIPPED_LEVEL;
		return true;
	}
	if (!snoops(walk) && (walk->entry & bits) != bits) {
		*reason = SOFT_IOMMU_NOT_MARKED;
		return true;
	}
	if (!snoops(walk) || mark(format, slot, &walk->entry, walk->entry | bits))
		descend(walk, at, found);
	return false;
}

/* One table. True: the walk has ended, for *reason. */
static bool step(struct soft_walk *walk, const struct soft_root *root, struct position *at,
		 enum soft_iommu_reason *reason)
{
	const struct soft_iommu *unit = walk->domain->unit;
	const struct soft_format *format = walk->domain->format;
	unsigned index = index_of(format, root, at->level, walk->iova);
	void *table = (snoops(walk) ? unit->config.va : unit->config.image)(at->table);
	struct soft_entry found;
	void *slot;

	*reason = SOFT_IOMMU_NO_MEMORY;
	walk->level = at->level;
	if (!table)
		return true;
	slot = slot_of(format, table, index);
	if (soft_now_and_then(walk->device, 512))
		sched_yield();
	walk->entry = load(format, slot);
	walk->entry_pa = at->table + ((uint64_t)index << format->entry_lg2);
	*reason = still_there(unit, at, walk->entry);
	if (*reason)
		return true;

	found = format->decode(format, walk->entry, at->level, unit->beyond);
	walk->leaf = found;
	switch (found.kind) {
	case SOFT_EMPTY: *reason = SOFT_IOMMU_NOT_PRESENT; return true;
	case SOFT_TABLE: return use_table(walk, root, slot, at, &found, reason);
	case SOFT_LEAF:
		walk->leaf.prot = (uint8_t)soft_combine(at->prot, found.prot);
		*reason = SOFT_IOMMU_REPLICAS_DIFFER;
		return !run_agrees(walk, table, at, index) || use_leaf(walk, root, slot, reason);
	default: *reason = found.reason; return true;
	}
}

enum soft_iommu_reason soft_walk(struct soft_walk *walk)
{
	struct soft_root root =
		soft_root_unpack(__atomic_load_n(&walk->domain->root, __ATOMIC_ACQUIRE));
	enum soft_iommu_reason reason = check_width(walk->domain, &root, walk->iova);
	struct position at;

	if (reason)
		return reason;
	if (walk->device)
		walk->device->stats.walks++;
	at = start(walk, &root);
	while (!step(walk, &root, &at, &reason))
		;
	return reason;
}
