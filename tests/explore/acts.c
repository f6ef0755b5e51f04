/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The acts of scenarios, with what each has to find, and the check at the end of every run: what is
 * mapped, what was reported, that nothing is left over and nothing is lost.
 */
#include <string.h>

#include "acts.h"
#include "device.h"

/**
 * struct role - what a thread keeps from one act to the next
 * @gather:   what it owes
 * @reported: pages that sweeps reported and that were not copied yet, a bit each
 * @ignored:  pages that were only read to be dirty
 * @takes:    reports that its sink takes before it refuses one
 */
struct role {
	struct iopt_gather gather;
	uint64_t reported;
	uint64_t ignored;
	unsigned takes;
};

static struct role roles[MAX_THREADS + 1];

static const struct scenario *scene;

/* The phase in iopt_table::freeze, 0 for open (engine/retire.h). */
#define FREEZE_PHASE 0x3u

static uint64_t iova_of(unsigned page)
{
	return (uint64_t)page << TINY_PAGE_LG2;
}

static uint64_t last_of(const struct act *act)
{
	return iova_of(act->last + 1) - 1;
}

static void want(const struct act *act, const char *what, int result)
{
	note("%s returns %d", what, result);
	if (act->want != ANY_RESULT && result != act->want)
		fail("%s of pages %u to %u returns %d, not %d", what, act->first, act->last, result,
		     act->want);
}

/* ---- the ledger ---------------------------------------------------------------------------- */

static void expect_touch(const struct act *act, enum access kind)
{
	sched_touch(&world.ledger.page[act->first],
		    (act->last - act->first + 1) * sizeof(struct expected), kind);
	sched_step();
}

/* Pages of the act are about to change, to frames from act->frame on. */
static void expect_begin(const struct act *act, const char *what)
{
	expect_touch(act, ACCESS_WRITE);
	note("%s pages %u to %u%s", what, act->first, act->last, act->frame ? "" : " begins");
	for (unsigned page = act->first; page <= act->last; page++) {
		struct expected *expected = &world.ledger.page[page];

		expected->changing++;
		expected->next = (uint8_t)(act->frame ? act->frame + page - act->first : 0);
	}
}

static void expect_end(const struct act *act, bool changed)
{
	expect_touch(act, ACCESS_WRITE);
	for (unsigned page = act->first; page <= act->last; page++) {
		struct expected *expected = &world.ledger.page[page];

		expected->changing--;
		expected->version++;
		expected->denied = PERMITTED;
		if (changed)
			expected->frame = expected->next;
	}
}

static struct expected expect_read(unsigned page)
{
	struct expected expected;
	uint64_t word;

	sched_touch(&world.ledger.page[page], sizeof(expected), ACCESS_READ);
	sched_step();
	expected = world.ledger.page[page];
	memcpy(&word, &expected, sizeof(word));
	sched_learn(word);
	return expected;
}

/* A reader found that frame (0: nothing) between the two looks at the ledger. */
static void expect_found(unsigned page, const struct expected *before, const struct expected *after,
			 unsigned frame, const char *who)
{
	if (before->any)
		return;
	if (before->version == after->version && !before->changing && !after->changing &&
	    frame != before->frame)
		fail("%s finds frame %u at page %u, not %u", who, frame, page, before->frame);
}

/* Pages that were reported, a bit each, are copied: what was written until now is kept. */
static void copy_pages(uint64_t pages)
{
	for (unsigned page = 0; page < NR_PAGES; page++)
		if (pages >> page & 1)
			sched_touch(&world.ledger.write[page], sizeof(struct written),
				    ACCESS_WRITE);
	sched_step();
	for (unsigned page = 0; page < NR_PAGES; page++)
		if (pages >> page & 1)
			world.ledger.write[page].copied = world.ledger.write[page].writes;
	note("copied pages %#jx", (uintmax_t)pages);
}

/* ---- acts ---------------------------------------------------------------------------------- */

/* No device may reach these frames any more, a bit each. */
static void frames_gone(uint64_t frames)
{
	for (unsigned i = 0; i < NR_FRAMES; i++)
		if (frames >> i & 1)
			sched_touch(&world.ledger.gone[i], sizeof(uint64_t), ACCESS_WRITE);
	sched_step();
	for (unsigned i = 0; i < NR_FRAMES; i++)
		if (frames >> i & 1)
			world.ledger.gone[i] = 1;
}

void act_map(const struct act *act)
{
	int result;

	world.thread[sched_self()].writes = true;
	expect_begin(act, "map");
	for (unsigned i = 0; i <= act->last - act->first; i++) {
		sched_touch(&world.ledger.gone[act->frame + i], sizeof(uint64_t), ACCESS_WRITE);
		world.ledger.gone[act->frame + i] = 0;
	}
	result = iopt_map(domain, iova_of(act->first), last_of(act), iova_of(act->frame),
			  IOPT_READ | IOPT_WRITE, NULL);
	want(act, "map", result);
	world.thread[sched_self()].writes = false;
	expect_end(act, !result);
	if (result)
		frames_gone(((2ull << (act->last - act->first)) - 1) << act->frame);
}

/* Frames of the range that were mapped, a bit each: they are gone after the sync. */
static uint64_t frames_of(const struct act *act)
{
	uint64_t frames = 0;

	for (unsigned page = act->first; page <= act->last; page++)
		if (world.ledger.page[page].frame)
			frames |= 1ull << world.ledger.page[page].frame;
	return frames;
}

static struct iopt_sink sink_for(uint64_t *bitmap)
{
	return (struct iopt_sink){
		.words = bitmap,
		.pages = NR_PAGES,
		.page_lg2 = TINY_PAGE_LG2,
	};
}

void act_unmap(const struct act *act)
{
	uint64_t reported = 0, frames = frames_of(act);
	struct iopt_sink sink = sink_for(&reported);
	struct iopt_gather gather;
	int result;

	world.thread[sched_self()].writes = true;
	expect_begin(act, "unmap");
	iopt_gather_init(&gather, domain, &sink);
	result = iopt_unmap(domain, iova_of(act->first), last_of(act), act->flags, &gather, NULL);
	want(act, "unmap", result);
	expect_end(act, !result);
	iopt_sync(&gather);
	world.thread[sched_self()].writes = false;
	if (frames && !result && !(scene->broken >> act->first & 1))
		frames_gone(frames);
	if (reported)
		copy_pages(reported);
}

/* What was unmapped or swept is paid for; then what sweeps reported is copied. */
static void sync_and_copy(struct role *role)
{
	uint64_t reported = role->reported;

	iopt_sync(&role->gather);
	role->reported = 0;
	if (reported)
		copy_pages(reported);
}

void act_sync(const struct act *act)
{
	(void)act;
	sync_and_copy(&roles[sched_self()]);
}

/* A sink that takes some reports and refuses the next. */
static int record(void *ctx, uint64_t first, uint64_t last)
{
	struct role *role = ctx;

	if (!role->takes)
		return -IOPT_ENOMEM;
	role->takes--;
	for (uint64_t page = first >> TINY_PAGE_LG2; page <= last >> TINY_PAGE_LG2; page++)
		role->reported |= 1ull << page;
	return 0;
}

void act_sweep(const struct act *act)
{
	struct role *role = &roles[sched_self()];
	struct iopt_sink sink = sink_for(&role->reported);
	int result;

	if (act->frame == SWEEP_REFUSES) {
		sink.record = record;
		sink.ctx = role;
		role->takes = (unsigned)act->want;
	}
	if (!(act->flags & IOPT_SWEEP_CLEAR))
		sink.words = &role->ignored;
	result = iopt_sweep(domain, iova_of(act->first), last_of(act), act->flags, &sink,
			    &role->gather, 0, NULL);
	note("sweep returns %d, reports pages %#jx", result, (uintmax_t)role->reported);
	if (result && act->frame != SWEEP_REFUSES)
		fail("sweep returns %d", result);
	if (act->frame != SWEEP_OWES)
		sync_and_copy(role);
}

void act_split(const struct act *act)
{
	struct role *role = &roles[sched_self()];

	note("split pages %u to %u into leaves of %u", act->first, act->last, 1u << act->frame);
	want(act, "split",
	     iopt_split(domain, iova_of(act->first), last_of(act), TINY_PAGE_LG2 + act->frame,
			act->flags, &role->gather, 0, NULL));
	sync_and_copy(role);
}

void act_merge(const struct act *act)
{
	struct role *role = &roles[sched_self()];

	note("merge pages %u to %u", act->first, act->last);
	want(act, "merge",
	     iopt_merge(domain, iova_of(act->first), last_of(act), ~0u, act->flags, &role->gather,
			0, NULL));
	sync_and_copy(role);
}

/* The ledger keeps permissions beside the frames: a change of both is one of the page. */
void act_protect(const struct act *act)
{
	struct role *role = &roles[sched_self()];
	bool write = act->flags & IOPT_WRITE;

	world.thread[sched_self()].writes = true;
	expect_touch(act, ACCESS_WRITE);
	for (unsigned page = act->first; page <= act->last; page++)
		world.ledger.page[page].denied = UNSETTLED;
	want(act, "protect",
	     iopt_protect(domain, iova_of(act->first), last_of(act), act->flags, &role->gather));
	sync_and_copy(role);
	expect_touch(act, ACCESS_WRITE);
	for (unsigned page = act->first; page <= act->last; page++)
		world.ledger.page[page].denied = write ? PERMITTED : DENIED;
	world.thread[sched_self()].writes = false;
}

void act_trim(const struct act *act)
{
	struct role *role = &roles[sched_self()];

	want(act, "trim",
	     iopt_trim(domain, iova_of(act->first), last_of(act), &role->gather, 0, NULL));
	sync_and_copy(role);
}

/* Pages of an act, a bit each. */
static uint64_t pages_of(const struct act *act)
{
	return ((2ull << (act->last - act->first)) - 1) << act->first;
}

static bool is_unclaimed(uint64_t pages)
{
	return !(world.device.claimed & pages);
}

void act_claim(const struct act *act)
{
	sched_wait(is_unclaimed, pages_of(act), &world.device.claimed, sizeof(world.device.claimed),
		   ACCESS_WRITE, "a claim");
	world.device.claimed |= pages_of(act);
}

void act_release(const struct act *act)
{
	device_release(NULL, iova_of(act->first), last_of(act));
}

void act_translate(const struct act *act)
{
	struct expected before = expect_read(act->first), after;
	struct iopt_translation found;
	int result = iopt_translate(domain, iova_of(act->first), &found);
	unsigned frame = result ? 0 : (unsigned)(found.pa >> TINY_PAGE_LG2);

	after = expect_read(act->first);
	note("translate page %u: frame %u", act->first, frame);
	expect_found(act->first, &before, &after, frame, "translate");
}

/* All leaves that a visit finds, by page; tables of the right level, in order. */
static void visit_all(const struct act *act, unsigned *frame)
{
	struct iopt_item items[3];
	struct iopt_visit visit;

	iopt_visit_init(&visit, iova_of(act->first), last_of(act), act->flags);
	while (!visit.done) {
		size_t n = iopt_visit(domain, &visit, items, 3);

		for (size_t i = 0; i < n; i++) {
			unsigned page = (unsigned)(items[i].first >> TINY_PAGE_LG2);

			if (items[i].flags & IOPT_ITEM_TABLE)
				continue;
			for (unsigned k = 0; iova_of(k) < 1ull << items[i].leaf_lg2; k++)
				frame[page + k] = (unsigned)(items[i].pa >> TINY_PAGE_LG2) + k;
		}
	}
}

void act_visit(const struct act *act)
{
	struct expected before[NR_PAGES], after;
	unsigned frame[NR_PAGES] = { 0 };

	for (unsigned page = act->first; page <= act->last; page++)
		before[page] = expect_read(page);
	visit_all(act, frame);
	for (unsigned page = act->first; page <= act->last; page++) {
		after = expect_read(page);
		note("visit page %u: frame %u", page, frame[page]);
		expect_found(page, &before[page], &after, frame[page], "visit");
	}
}

void act_access(const struct act *act)
{
	device_access(act->first, act->flags);
}

void act_reported(const struct act *act)
{
	struct written *written = &world.ledger.write[act->first];

	sched_touch(written, sizeof(*written), ACCESS_READ);
	sched_step();
	sched_learn((uint64_t)written->writes << 32 | written->copied);
	if (written->writes != written->copied)
		fail("page %u was written %u times and copied after %u, by a sweep after that",
		     act->first, written->writes, written->copied);
}

void act_forget(const struct act *act)
{
	(void)act;
	device_forget();
}

void act_track(const struct act *act)
{
	want(act, "track", iopt_track(domain, act->flags));
	copy_pages((1ull << NR_PAGES) - 1); /* nothing older is reported by anybody */
}

void act_raise(const struct act *act)
{
	sched_touch(&world.ledger.flags, sizeof(world.ledger.flags), ACCESS_WRITE);
	sched_step();
	world.ledger.flags |= 1ull << act->frame;
}

static bool is_raised(uint64_t flag)
{
	return world.ledger.flags >> flag & 1;
}

void act_wait(const struct act *act)
{
	sched_wait(is_raised, act->frame, &world.ledger.flags, sizeof(world.ledger.flags),
		   ACCESS_READ, "another thread's word");
}

void act_fail_allocation(const struct act *act)
{
	world.thread[sched_self()].fails_in = act->frame;
}

/* ---- the end ------------------------------------------------------------------------------- */

static unsigned pages_of_domain(void)
{
	unsigned levels = top_levels(domain->top);
	unsigned lg2 = levels * domain->ops->format->info.index_lg2;

	return lg2 < 5 ? 1u << lg2 : NR_PAGES;
}

static void check_mapped(void)
{
	unsigned frame[NR_PAGES] = { 0 };
	const struct act all = { .last = NR_PAGES - 1, .flags = IOPT_VISIT_LEAVES };

	visit_all(&all, frame);
	for (unsigned page = 0; page < pages_of_domain(); page++) {
		const struct expected *expected = &world.ledger.page[page];
		struct iopt_translation found = { .pa = 0 };
		unsigned translated;

		iopt_translate(domain, iova_of(page), &found);
		translated = (unsigned)(found.pa >> TINY_PAGE_LG2);
		if (translated != frame[page])
			fail("in the end, translate finds frame %u at page %u, visit %u",
			     translated, page, frame[page]);
		if (!expected->any && frame[page] != expected->frame)
			fail("in the end, page %u is frame %u, not %u", page, frame[page],
			     expected->frame);
	}
}

/* What is in a table and below, and how many tables that is. */
static unsigned check_table(unsigned table, unsigned level)
{
	unsigned tables = 1;

	if (world.table[table].state != TABLE_TAKEN)
		fail("in the end, table %u hangs in the tables and was given back", table);
	if (world.table[table].freeze & FREEZE_PHASE)
		fail("in the end, table %u is left in the middle of a trim", table);
	for (unsigned i = 0; i < 1u << domain->ops->format->info.index_lg2; i++) {
		uint64_t entry = world.entry[table][i];

		if (!(entry & TINY_P)) {
			if (entry)
				fail("in the end, table %u[%u] is left at %#jx", table, i,
				     (uintmax_t)entry);
		} else if (level && !(entry & TINY_BLOCK)) {
			tables += check_table(table_number(entry & TINY_ADDR), level - 1);
		} else if (entry & TINY_PENDING) {
			fail("in the end, table %u[%u] is left pending", table, i);
		}
	}
	return tables;
}

static void check_tables(void)
{
	unsigned reached =
		check_table(table_number(top_pa(domain->newest)), top_levels(domain->newest) - 1);
	unsigned taken = 0;
	struct iopt_stats stats;

	for (unsigned i = 0; i < NR_TABLES; i++) {
		if (world.table[i].state == TABLE_DEFERRED)
			fail("in the end, table %u still waits for read sections", i);
		taken += world.table[i].state == TABLE_TAKEN;
	}
	if (taken != reached)
		fail("in the end, %u tables are taken, and %u are in use", taken, reached);
	iopt_stats(domain, &stats);
	if (stats.tables != reached)
		fail("in the end, statistics say %ju tables, not %u", (uintmax_t)stats.tables,
		     reached);
}

/* Every write was reported: by now, or by a last sweep. */
static void check_written(const char *when)
{
	const struct act all = { .last = pages_of_domain() - 1, .flags = IOPT_SWEEP_CLEAR };

	act_sweep(&all);
	for (unsigned page = 0; page < NR_PAGES; page++) {
		const struct written *written = &world.ledger.write[page];

		if (written->writes != written->copied)
			fail("%s, page %u was written %u times and copied after %u", when, page,
			     written->writes, written->copied);
	}
}

static void check_dirty(void)
{
	check_written("in the end");
	/* What is still cached as dirty although the tables say clean would be written unseen. */
	for (unsigned page = 0; page < pages_of_domain(); page++)
		if (world.ledger.page[page].frame && !world.ledger.page[page].any)
			device_access(page, !world.ledger.page[page].denied);
	check_written("after a last write");
}

static void role_begin(unsigned thread)
{
	memset(&roles[thread], 0, sizeof(roles[thread]));
	iopt_gather_init(&roles[thread].gather, domain, NULL);
}

static void scenario_check(void)
{
	role_begin(NOBODY);
	check_mapped();
	check_tables();
	device_check();
	if (domain_tracks(domain))
		check_dirty();
	iopt_destroy(domain);
	for (unsigned i = 0; i < NR_TABLES; i++)
		if (world.table[i].state != TABLE_FRESH && world.table[i].state != TABLE_FREED)
			fail("table %u outlives its domain", i);
}

/* ---- scenarios ----------------------------------------------------------------------------- */

static void acts_run(const struct act *acts)
{
	for (unsigned i = 0; i < MAX_ACTS && acts[i].run; i++)
		acts[i].run(&acts[i]);
}

static void scenario_body(unsigned thread)
{
	role_begin(thread);
	acts_run(scene->parts[thread].acts);
}

void scenario_prepare(const struct scenario *scenario, struct cast *cast)
{
	const struct iopt_config config = {
		.format = scenario->format,
		.levels = (uint8_t)scenario->levels,
		.max_levels = (uint8_t)scenario->max_levels,
		.flags = scenario->flags,
		.callbacks = {
			.invalidate = device_invalidate,
			.top_changed = device_top_changed,
			.try_claim = device_try_claim,
			.release = device_release,
		},
	};

	scene = scenario;
	memset(&world, 0, sizeof(world));
	if (iopt_create(&config, &domain))
		fail("%s: no domain of its configuration", scenario->name);
	device_attach();
	for (unsigned page = 0; page < NR_PAGES; page++)
		world.ledger.page[page].any = scenario->broken >> page & 1;
	world.device.ats = scenario->ats;
	role_begin(NOBODY);
	acts_run(scenario->setup);
	world.recycle = scenario->recycle;

	memset(cast, 0, sizeof(*cast));
	for (; cast->nr < MAX_THREADS && scenario->parts[cast->nr].name; cast->nr++)
		cast->name[cast->nr] = scenario->parts[cast->nr].name;
	cast->body = scenario_body;
	cast->check = scenario_check;
}
