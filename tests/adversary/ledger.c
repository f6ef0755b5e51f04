/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See ledger.h. Everything here is called by several threads at once, and complains, never asserts.
 */
#include <errno.h>
#include <string.h>

#include "ledger.h"

/*
 * Physical addresses: region's number, version, offset in the region. Of a version's number as many
 * bits as there is room for: all that may be seen at one time are to be told apart.
 */
#define PA_REGION_BITS	      2u
#define PA_VERSION_BITS	      16u
#define PA_VERSION_BITS_LEAST 5u

#define load(p)	    __atomic_load_n(&(p), __ATOMIC_SEQ_CST)
#define store(p, v) __atomic_store_n(&(p), (v), __ATOMIC_SEQ_CST)

/* The time only goes on. */
static void store_later(uint64_t *time, uint64_t now)
{
	uint64_t old = load(*time);

	while (old < now && !__atomic_compare_exchange_n(time, &old, now, false, __ATOMIC_SEQ_CST,
							 __ATOMIC_SEQ_CST))
		;
}

/* ---- regions ------------------------------------------------------------------------------ */

void ledger_init(struct ledger *ledger, struct rig *rig)
{
	*ledger = (struct ledger){ .rig = rig };
}

void ledger_fini(struct ledger *ledger)
{
	for (unsigned i = 0; i < ledger->nr_regions; i++) {
		free(ledger->regions[i].units);
		free(ledger->regions[i].pending);
	}
}

struct region *ledger_add(struct ledger *ledger, uint64_t first, unsigned unit_lg2, unsigned nr,
			  bool exact)
{
	struct region *region = &ledger->regions[ledger->nr_regions];
	unsigned offset_lg2 = unit_lg2 + 64u - (unsigned)__builtin_clzll(nr);
	unsigned number_lg2 = ledger->rig->format->pa_lg2 - PA_REGION_BITS;

	assert_true(ledger->nr_regions < LEDGER_REGIONS);
	assert_true(offset_lg2 + PA_VERSION_BITS_LEAST <= number_lg2);
	if (offset_lg2 + PA_VERSION_BITS < number_lg2)
		offset_lg2 = number_lg2 - PA_VERSION_BITS;
	assert_int_equal(nr % 64, 0);
	*region = (struct region){
		.first = first,
		.unit_lg2 = unit_lg2,
		.nr = nr,
		.exact = exact,
		.units = calloc(nr, sizeof(*region->units)),
		.pending = calloc(nr / 64, sizeof(*region->pending)),
		.number = ledger->nr_regions,
		.version_lg2 = offset_lg2,
		.number_lg2 = number_lg2,
	};
	assert_non_null(region->units);
	assert_non_null(region->pending);
	ledger->nr_regions++;
	return region;
}

/* What shows of a version in physical addresses. */
static uint32_t version_mask(const struct region *region)
{
	return (1u << (region->number_lg2 - region->version_lg2)) - 1;
}

/* Shifted by a unit against the IOVA, so that no leaf larger than a unit fits. */
uint64_t unit_pa(const struct region *region, unsigned unit, uint32_t version)
{
	return (uint64_t)region->number << region->number_lg2 |
	       (uint64_t)(version & version_mask(region)) << region->version_lg2 |
	       ((uint64_t)(unit + region->exact) << region->unit_lg2);
}

/* ---- states ------------------------------------------------------------------------------- */

static uint32_t state_of(uint32_t version, enum unit_phase phase)
{
	return version << 2 | phase;
}

void unit_set(struct region *region, unsigned unit, uint32_t version, enum unit_phase phase)
{
	store(region->units[unit].state, state_of(version, phase));
}

uint32_t unit_version(const struct region *region, unsigned unit)
{
	return load(region->units[unit].state) >> 2;
}

enum unit_phase unit_phase(const struct region *region, unsigned unit)
{
	return load(region->units[unit].state) & 3;
}

/* Something was found at a byte of a unit, whose state was @before and is @after. */
static void judge_found(const char *who, const struct region *region, unsigned unit,
			uint64_t offset, uint64_t pa, uint32_t before, uint32_t after)
{
	uint32_t low = (before >> 2) + ((before & 3) == UNIT_UNMAPPED), high = after >> 2;
	uint32_t mask = version_mask(region), version = pa >> region->version_lg2 & mask;
	uint64_t expected = unit_pa(region, unit, version) + offset;

	if (pa != expected)
		complain("%s finds 0x%llx at 0x%llx, where version %u would be 0x%llx", who,
			 (unsigned long long)pa,
			 (unsigned long long)(unit_iova(region, unit) + offset), version,
			 (unsigned long long)expected);
	else if (low > high || (high - low < mask && ((version - low) & mask) > high - low))
		complain("%s finds version %u at 0x%llx, where only %u to %u may be (state %u)",
			 who, version, (unsigned long long)(unit_iova(region, unit) + offset),
			 low & mask, high & mask, before & 3);
}

static void judge_missing(const char *who, const struct region *region, unsigned unit,
			  uint64_t offset, uint32_t before, uint32_t after)
{
	if (before == after && (before & 3) == UNIT_MAPPED)
		complain("%s finds nothing at 0x%llx, where version %u is mapped", who,
			 (unsigned long long)(unit_iova(region, unit) + offset), before >> 2);
}

/* ---- reports ------------------------------------------------------------------------------ */

static bool is_pending(const struct region *region, unsigned unit)
{
	return load(region->pending[unit / 64]) >> unit % 64 & 1;
}

static void set_pending(struct region *region, unsigned unit)
{
	__atomic_fetch_or(&region->pending[unit / 64], 1ull << unit % 64, __ATOMIC_SEQ_CST);
}

static void clear_pending(struct region *region, unsigned unit)
{
	__atomic_fetch_and(&region->pending[unit / 64], ~(1ull << unit % 64), __ATOMIC_SEQ_CST);
}

/*
 * Whether a unit may be reported by an operation that began at @began. What is in flight is asked
 * first: it notes that it has ended before it leaves. @overlapped: another report is under way.
 */
static bool may_report(const struct region *region, unsigned unit, uint64_t began, bool overlapped)
{
	struct unit *u = &region->units[unit];
	uint64_t looked = load(u->looked), recorded = load(u->recorded);

	return load(u->writing) || load(u->tried) > looked || recorded >= began || overlapped;
}

static void complain_of_report(const char *who, const struct region *region, unsigned unit)
{
	complain("%s reports 0x%llx, which nobody wrote since it was last reported", who,
		 (unsigned long long)unit_iova(region, unit));
}

/**
 * struct report - one report of a range
 * @who:   in words
 * @began: when the operation did
 * @sweep: a sweep's: another one is not under way then
 */
struct report {
	const char *who;
	uint64_t began;
	bool sweep;
};

/* Where leaves may be larger than units, one of those that are reported together was written. */
static void judge_report(const struct report *report, const struct region *region, unsigned first,
			 unsigned last)
{
	bool any = false;

	for (unsigned unit = first; unit <= last; unit++) {
		bool may = may_report(region, unit, report->began,
				      !report->sweep && is_pending(region, unit));

		if (!may && region->exact)
			complain_of_report(report->who, region, unit);
		any |= may;
	}
	if (!any)
		complain_of_report(report->who, region, first);
}

/* The units of a report, which lie in one region; NULL, and a complaint, if they don't. */
static struct region *reported_units(struct ledger *ledger, uint64_t first, uint64_t last,
				     unsigned *first_unit, unsigned *last_unit)
{
	for (unsigned i = 0; i < ledger->nr_regions; i++) {
		struct region *region = &ledger->regions[i];

		if (first < region->first || last >= unit_iova(region, region->nr))
			continue;
		*first_unit = (unsigned)((first - region->first) >> region->unit_lg2);
		*last_unit = (unsigned)((last - region->first) >> region->unit_lg2);
		return region;
	}
	complain("0x%llx..0x%llx is reported, which nobody mapped", (unsigned long long)first,
		 (unsigned long long)last);
	return NULL;
}

/* ---- writers ------------------------------------------------------------------------------ */

static int unmap_reports(void *ctx, uint64_t first_iova, uint64_t last_iova)
{
	struct writer *writer = ctx;
	const struct report report = { .who = "an unmap", .began = writer->began };
	struct region *region;
	unsigned first, last;

	region = reported_units(writer->ledger, first_iova, last_iova, &first, &last);
	if (!region)
		return 0;
	judge_report(&report, region, first, last);
	for (unsigned unit = first; unit <= last; unit++) {
		struct unit *u = &region->units[unit];

		if (u->unmap_reported && region->exact && !region->pieces)
			complain("an unmap reports 0x%llx twice",
				 (unsigned long long)unit_iova(region, unit));
		u->unmap_reported = true;
		store_later(&u->recorded, clock_tick());
		store_later(&u->looked, load(u->recorded));
	}
	return 0;
}

void writer_init(struct writer *writer, struct ledger *ledger, uint64_t seed)
{
	*writer = (struct writer){
		.ledger = ledger,
		.random = seed,
		.sink = { .record = unmap_reports, .ctx = writer },
	};
	iopt_gather_init(&writer->gather, ledger->rig->domain, &writer->sink);
}

uint32_t writer_begin(struct writer *writer, struct region *region, unsigned unit)
{
	uint32_t version = ++writer->version;

	/* Units change hands: versions of one only go up. */
	while (version <= unit_version(region, unit))
		version = writer->version = unit_version(region, unit) + 1;
	unit_set(region, unit, version, UNIT_CHANGING);
	return version;
}

/* One version for all: the highest that any of them needs. */
static uint32_t begin_all(struct writer *writer, struct region *region, unsigned first, unsigned nr)
{
	uint32_t version = writer->version + 1;

	for (unsigned i = first; i < first + nr; i++)
		if (unit_version(region, i) >= version)
			version = unit_version(region, i) + 1;
	writer->version = version;
	for (unsigned i = first; i < first + nr; i++)
		unit_set(region, i, version, UNIT_CHANGING);
	return version;
}

static void set_all(struct region *region, unsigned first, unsigned nr, uint32_t version,
		    enum unit_phase phase)
{
	for (unsigned i = first; i < first + nr; i++)
		unit_set(region, i, version, phase);
}

/* The same in segments, which the engine joins again. */
static int map_segments(struct writer *writer, uint64_t first, uint64_t bytes, uint64_t pa,
			unsigned unit_lg2)
{
	struct iopt_segment segments[4];
	unsigned nr = 0;
	uint64_t done = 0;

	while (done < bytes) {
		uint64_t left = (bytes - done) >> unit_lg2;
		uint64_t units = nr < 3 ? 1 + random_below(&writer->random, left) : left;

		segments[nr++] = (struct iopt_segment){ pa + done, units << unit_lg2 };
		done += units << unit_lg2;
	}
	return iopt_map_sg(writer->ledger->rig->domain, first, segments, nr, READ_WRITE, NULL,
			   NULL);
}

/* With tables set aside it does not matter that there is no memory. */
static int map_reserved(struct writer *writer, uint64_t first, uint64_t last, uint64_t pa)
{
	struct iopt_domain *domain = writer->ledger->rig->domain;
	struct iopt_reserve reserve = { 0 };
	int error = iopt_reserve(domain, first, last, &reserve);

	if (error)
		complain("no reserve: %d", error);
	iopt_posix_fail(1, true);
	error = iopt_map(domain, first, last, pa, READ_WRITE, &reserve);
	iopt_posix_fail(0, false);
	iopt_reserve_release(&reserve);
	return error;
}

static int map_units(struct writer *writer, struct region *region, unsigned first, unsigned nr,
		     uint32_t version)
{
	uint64_t iova = unit_iova(region, first), pa = unit_pa(region, first, version);
	uint64_t bytes = (uint64_t)nr << region->unit_lg2;
	uint64_t dice = random_below(&writer->random, 8);
	int error;

	if (dice == 0)
		error = map_segments(writer, iova, bytes, pa, region->unit_lg2);
	else if (dice == 1 && !writer->no_memory)
		error = map_reserved(writer, iova, iova + bytes - 1, pa);
	else
		error = iopt_map(writer->ledger->rig->domain, iova, iova + bytes - 1, pa,
				 READ_WRITE, NULL);
	writer->maps += !error;
	writer->failures += error != 0;
	return error;
}

static void not_mapped(struct region *region, unsigned first, unsigned nr, uint32_t version)
{
	/*
	 * A device may have written while it failed, and nobody reports that: it was never mapped.
	 */
	for (unsigned i = first; i < first + nr; i++)
		store(region->units[i].wrote, 0);
	set_all(region, first, nr, version, UNIT_UNMAPPED);
}

void writer_map(struct writer *writer, struct region *region, unsigned first, unsigned nr,
		int allowed)
{
	uint32_t version = begin_all(writer, region, first, nr);
	int error = map_units(writer, region, first, nr, version);

	if (error && error != allowed)
		complain("map of %u units from 0x%llx says %d", nr,
			 (unsigned long long)unit_iova(region, first), error);
	if (error)
		not_mapped(region, first, nr, version);
	else
		set_all(region, first, nr, version, UNIT_MAPPED);
}

void writer_map_over(struct writer *writer, struct region *region, unsigned first, unsigned nr)
{
	uint32_t version = begin_all(writer, region, first, nr);
	int error = map_units(writer, region, first, nr + 1, version);

	if (error != -EEXIST)
		complain("map of %u units from 0x%llx over one that is mapped says %d", nr + 1,
			 (unsigned long long)unit_iova(region, first), error);
	not_mapped(region, first, nr, version);
}

/* Now and then what was mapped is counted, and a hole is an error where there can be none. */
static unsigned any_unmap_flags(struct writer *writer, bool full)
{
	uint64_t dice = random_below(&writer->random, 8);

	return (dice & 3 ? 0 : IOPT_UNMAP_COUNT) | (full && dice > 5 ? IOPT_UNMAP_FULL : 0);
}

void writer_unmap_range(struct writer *writer, struct region *region, unsigned first, unsigned nr,
			uint64_t first_iova, uint64_t last_iova)
{
	struct iopt_released released;
	unsigned flags, mapped = 0;
	int error;

	if (!writer->began)
		writer->began = clock_tick();
	for (unsigned i = first; i < first + nr; i++) {
		if (unit_phase(region, i) != UNIT_MAPPED)
			continue;
		mapped++;
		unit_set(region, i, unit_version(region, i), UNIT_CHANGING);
	}
	flags = any_unmap_flags(writer, mapped == nr && first_iova == unit_iova(region, first) &&
						last_iova == unit_iova(region, first + nr) - 1);
	error = iopt_unmap(writer->ledger->rig->domain, first_iova, last_iova, flags,
			   &writer->gather, &released);
	if (error)
		complain("unmap of 0x%llx..0x%llx says %d", (unsigned long long)first_iova,
			 (unsigned long long)last_iova, error);
	else if (flags & IOPT_UNMAP_COUNT && !region->pieces &&
		 released.bytes != (uint64_t)mapped << region->unit_lg2)
		complain("unmap of %u units from 0x%llx counts %llu bytes", mapped,
			 (unsigned long long)first_iova, (unsigned long long)released.bytes);
	writer->unmaps++;
}

void writer_unmap(struct writer *writer, struct region *region, unsigned first, unsigned nr)
{
	writer_unmap_range(writer, region, first, nr, unit_iova(region, first),
			   unit_iova(region, first + nr) - 1);
}

/* What a device wrote of the version that is gone now must be covered. */
static void settle(struct region *region, unsigned unit)
{
	struct unit *u = &region->units[unit];
	uint64_t wrote = load(u->wrote);

	/* Pending is asked first: it is cleared after reported was set. */
	if (wrote && !u->unmap_reported && !is_pending(region, unit) && load(u->reported) < wrote)
		complain("0x%llx was written, and neither a sweep nor its unmap reported it",
			 (unsigned long long)unit_iova(region, unit));
	u->unmap_reported = false;
	store(u->wrote, 0);
}

void writer_sync(struct writer *writer, struct region *region, unsigned first, unsigned nr)
{
	bool tracked = writer->ledger->rig->tracked;

	iopt_sync(&writer->gather);
	writer->began = 0;
	for (unsigned i = first; i < first + nr; i++) {
		if (unit_phase(region, i) != UNIT_CHANGING)
			continue;
		if (tracked)
			settle(region, i);
		unit_set(region, i, unit_version(region, i), UNIT_UNMAPPED);
	}
}

/* ---- devices ------------------------------------------------------------------------------ */

/* An access in flight, for the touch callback. */
struct access {
	struct unit *unit;
	uint64_t pa;
};

void ledger_touch(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	struct access *access = ctx;

	(void)iova;
	access->pa = pa;
	if (write)
		store_later(&access->unit->wrote, clock_tick());
}

void ledger_access(struct ledger *ledger, unsigned device, struct region *region, unsigned unit,
		   uint64_t offset, bool write)
{
	struct unit *u = &region->units[unit];
	struct access access = { .unit = u };
	enum soft_iommu_reason reason;
	uint32_t before, after;

	before = load(u->state);
	if (write)
		__atomic_fetch_add(&u->writing, 1, __ATOMIC_SEQ_CST);
	reason = soft_iommu_access(ledger->rig->devices[device], unit_iova(region, unit) + offset,
				   write ? SOFT_IOMMU_WRITE : SOFT_IOMMU_READ, &access);
	if (write) {
		if (reason == SOFT_IOMMU_DONE)
			store_later(&u->tried, clock_tick());
		__atomic_fetch_sub(&u->writing, 1, __ATOMIC_SEQ_CST);
	}
	after = load(u->state);
	if (reason == SOFT_IOMMU_DONE)
		judge_found("a device", region, unit, offset, access.pa, before, after);
	else
		judge_missing("a device", region, unit, offset, before, after);
}

void ledger_access_any(struct ledger *ledger, unsigned device, uint64_t iova, bool write)
{
	struct unit nobody = { 0 };
	struct access access = { .unit = &nobody };

	soft_iommu_access(ledger->rig->devices[device], iova,
			  write ? SOFT_IOMMU_WRITE : SOFT_IOMMU_READ, &access);
}

/* ---- sweeps ------------------------------------------------------------------------------- */

/**
 * struct sweep - a sweep under way
 * @ledger: where
 * @began:  when it, or its last step, did
 * @clear:  it clears what it reports
 */
struct sweep {
	struct ledger *ledger;
	uint64_t began;
	bool clear;
};

static int sweep_reports(void *ctx, uint64_t first_iova, uint64_t last_iova)
{
	struct sweep *sweep = ctx;
	const struct report report = { .who = "a sweep", .began = sweep->began, .sweep = true };
	struct region *region;
	unsigned first, last;

	region = reported_units(sweep->ledger, first_iova, last_iova, &first, &last);
	if (!region)
		return 0;
	judge_report(&report, region, first, last);
	for (unsigned unit = first; sweep->clear && unit <= last; unit++) {
		set_pending(region, unit);
		store_later(&region->units[unit].recorded, clock_tick());
		store_later(&region->units[unit].looked, sweep->began);
	}
	return 0;
}

/* In a bitmap it shows only afterwards what was reported, not when, nor what together. */
static void judge_bitmap(struct region *region, const uint64_t *words, uint64_t began, bool clear)
{
	for (unsigned unit = 0; unit < region->nr; unit++) {
		if (!(load(words[unit / 64]) >> unit % 64 & 1))
			continue;
		if (region->exact && !may_report(region, unit, began, false))
			complain_of_report("a sweep into a bitmap", region, unit);
		if (clear) {
			store_later(&region->units[unit].recorded, began);
			store_later(&region->units[unit].looked, began);
		}
	}
}

/* All that was recorded is covered up to the end of the invalidation, by whatever was written. */
static void cover(struct region *region, uint64_t now)
{
	for (unsigned unit = 0; unit < region->nr; unit++) {
		if (!is_pending(region, unit))
			continue;
		store_later(&region->units[unit].reported, now);
		clear_pending(region, unit);
	}
}

static void sweep_steps(struct sweep *sweep, uint64_t first, uint64_t last,
			const struct iopt_sink *sink, struct iopt_gather *gather, uint64_t budget)
{
	int result;

	do {
		result = iopt_sweep(sweep->ledger->rig->domain, first, last,
				    sweep->clear ? IOPT_SWEEP_CLEAR : 0, sink, gather, budget,
				    &first);
		if (result < 0)
			complain("a sweep says %d", result);
	} while (result == 1);
}

void ledger_sweep(struct ledger *ledger, struct region *region, unsigned first, unsigned nr,
		  bool clear, bool bitmap, uint64_t budget)
{
	uint64_t first_iova = unit_iova(region, first);
	uint64_t last_iova = unit_iova(region, first + nr) - 1;
	struct sweep sweep = { .ledger = ledger, .began = clock_tick(), .clear = clear };
	uint64_t *looked = calloc(region->nr / 64, sizeof(*looked));
	const struct iopt_sink sink = {
		.record = bitmap ? NULL : sweep_reports,
		.ctx = &sweep,
		.words = clear ? region->pending : looked,
		.first = region->first,
		.pages = region->nr,
		.page_lg2 = (uint8_t)region->unit_lg2,
	};
	struct iopt_gather gather;

	iopt_gather_init(&gather, ledger->rig->domain, NULL);
	sweep_steps(&sweep, first_iova, last_iova, &sink, &gather, budget);
	if (bitmap)
		judge_bitmap(region, sink.words, sweep.began, clear);
	iopt_sync(&gather);
	if (clear)
		cover(region, rig_invalidated_at());
	free(looked);
}

/* ---- dumps -------------------------------------------------------------------------------- */

void ledger_translate(struct ledger *ledger, struct region *region, unsigned unit, uint64_t offset)
{
	uint64_t iova = unit_iova(region, unit) + offset;
	struct soft_iommu_translation walked;
	struct iopt_translation found;
	uint32_t before, between, after;
	int error;

	before = load(region->units[unit].state);
	error = iopt_translate(ledger->rig->domain, iova, &found);
	between = load(region->units[unit].state);
	if (!error)
		judge_found("a look-up", region, unit, offset, found.pa, before, between);
	else
		judge_missing("a look-up", region, unit, offset, before, between);

	if (soft_iommu_walk(ledger->rig->side, iova, &walked) == SOFT_IOMMU_DONE) {
		after = load(region->units[unit].state);
		judge_found("a walk", region, unit, offset, walked.pa, between, after);
	} else {
		after = load(region->units[unit].state);
		judge_missing("a walk", region, unit, offset, between, after);
	}
}

/**
 * struct look - a visit of some units
 * @region, @first, @nr: which
 * @before: their states before
 * @seen:   a leaf was found there
 * @last:   where the last leaf ended
 */
struct look {
	struct region *region;
	unsigned first;
	unsigned nr;
	uint32_t before[LEDGER_WINDOW];
	bool seen[LEDGER_WINDOW];
	uint64_t last;
};

static void judge_leaf(struct look *look, const struct iopt_item *item)
{
	struct region *region = look->region;

	/* One that took the place of what was found may begin before its end, but not end there. */
	if (item->last - item->first != (1ull << item->leaf_lg2) - 1 ||
	    (look->last && item->last <= look->last))
		complain("a visit finds a leaf of 2^%u bytes at 0x%llx..0x%llx behind 0x%llx",
			 item->leaf_lg2, (unsigned long long)item->first,
			 (unsigned long long)item->last, (unsigned long long)look->last);
	look->last = item->last;
	for (unsigned i = 0; i < look->nr; i++) {
		uint64_t first = unit_iova(region, look->first + i);
		uint64_t last = unit_iova(region, look->first + i + 1) - 1;
		uint64_t at = item->first > first ? item->first : first;

		if (item->last < first || item->first > last)
			continue;
		look->seen[i] = true;
		judge_found("a visit", region, look->first + i, at - first,
			    item->pa + (at - item->first), look->before[i],
			    load(region->units[look->first + i].state));
	}
}

void ledger_visit(struct ledger *ledger, struct region *region, unsigned first, unsigned nr,
		  unsigned items)
{
	struct look look = { .region = region, .first = first, .nr = nr };
	struct iopt_item found[LEDGER_WINDOW];
	struct iopt_visit visit;

	for (unsigned i = 0; i < nr; i++)
		look.before[i] = load(region->units[first + i].state);
	iopt_visit_init(&visit, unit_iova(region, first), unit_iova(region, first + nr) - 1,
			IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
	while (!visit.done) {
		size_t used = iopt_visit(ledger->rig->domain, &visit, found, items);

		for (size_t i = 0; i < used; i++)
			if (!(found[i].flags & IOPT_ITEM_TABLE))
				judge_leaf(&look, &found[i]);
	}
	for (unsigned i = 0; i < nr; i++)
		if (!look.seen[i])
			judge_missing("a visit", region, first + i, 0, look.before[i],
				      load(region->units[first + i].state));
}
