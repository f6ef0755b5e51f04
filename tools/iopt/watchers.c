/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The threads that look on: one sweeps dirty pages, one walks the live tables as a dump would, one
 * takes samples for the report and shows progress.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/iopt/command.h"
#include "tools/iopt/replay.h"

#define FIRST_SAMPLE_NS 5000000u
#define PROGRESS_NS	200000000u
#define DUMP_ITEMS	256u

static void sleep_ns(uint64_t ns)
{
	struct timespec time = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	nanosleep(&time, NULL);
}

/* ---- sweep ----------------------------------------------------------------------------------- */

struct sweep_ctx {
	struct replay *replay;
	struct replay_domain *domain;
};

static int record(void *ctx, uint64_t first, uint64_t last)
{
	struct sweep_ctx *sweep = ctx;
	struct replay *replay = sweep->replay;
	uint64_t ns = atomic_load_explicit(&replay->trace_ns, memory_order_relaxed);

	ledger_sweep_record(sweep->domain->ledger, first, last, &replay->watchers.sweep_counts);
	background_reported(sweep->domain, first, last);
	if (ns) {
		struct heat_dirt dirt = { ns, first, last, sweep->domain->index };

		heat_dirty(replay->heat, &dirt, 1);
	}
	return 0;
}

static void sweep_domain(struct replay *replay, struct replay_domain *domain)
{
	struct watchers *watchers = &replay->watchers;
	struct sweep_ctx ctx = { replay, domain };
	const struct iopt_sink sink = { .record = record, .ctx = &ctx };
	struct iopt_gather gather;
	uint64_t start, middle;
	int error;

	if (replay->options.split)
		background_split(domain);
	iopt_gather_init(&gather, domain->engine, NULL);
	atomic_fetch_add_explicit(&domain->sweep, 1, memory_order_relaxed);
	ledger_sweep_begin(domain->ledger);
	atomic_store_explicit(&watchers->sweeping, 1, memory_order_relaxed);
	start = now_ns();
	error = iopt_sweep(domain->engine, 0, domain->last_iova, IOPT_SWEEP_CLEAR, &sink, &gather,
			   0, NULL);
	middle = now_ns();
	iopt_sync(&gather);
	latency_add(&watchers->sweep_sync, now_ns() - middle);
	atomic_store_explicit(&watchers->sweeping, 0, memory_order_relaxed);
	ledger_sweep_end(domain->ledger);
	latency_add(&watchers->sweep, middle - start);
	bump(&watchers->sweeps, 1);
	if (error)
		replay_fail(replay, "sweep of domain %" PRIu32 " failed in the engine: %s",
			    domain->index, strerror(-error));
}

void watchers_sweep(struct replay *replay)
{
	unsigned nr = atomic_load(&replay->nr_domains);

	for (unsigned i = 0; i < nr; i++)
		sweep_domain(replay, atomic_load(&replay->domains[i]));
}

static void *run_sweeper(void *ctx)
{
	struct replay *replay = ctx;

	while (!atomic_load(&replay->stop_devices)) {
		watchers_sweep(replay);
		sleep_ns(replay->options.sweep_ns);
	}
	return NULL;
}

/* ---- dump ------------------------------------------------------------------------------------ */

static bool differs(const struct ledger_slot *slot, uint64_t state, uint64_t pa, unsigned leaf_lg2)
{
	return ledger_pa(state) != pa || atomic_load(&slot->leaf_lg2) != leaf_lg2;
}

/*
 * A leaf was there at one moment of the visit, the ledger speaks of now: only where the two differ
 * is it looked up again, between two looks at a slot that doesn't change, and whose leaf isn't
 * being split or merged.
 */
static void check_leaf(struct replay_domain *domain, const struct iopt_item *item)
{
	struct ledger_slot *slot = ledger_find(domain->ledger, item->first);
	struct iopt_translation now;
	uint32_t changes;
	uint64_t state;
	int error;

	if (!slot)
		return;
	state = atomic_load(&slot->state);
	changes = atomic_load(&slot->changes);
	if (ledger_phase(state) != LEDGER_LIVE || changes & 1 ||
	    !differs(slot, state, item->pa, item->leaf_lg2))
		return;
	error = iopt_translate(domain->engine, item->first, &now);
	if (!error && !differs(slot, state, now.pa, now.leaf_lg2))
		return;
	if (atomic_load(&slot->state) == state && atomic_load(&slot->changes) == changes)
		ledger_fault(domain->ledger, LEDGER_BAD_DUMP, item->first, slot);
}

static void dump_domain(struct replay *replay, struct replay_domain *domain, uint64_t leaves[64])
{
	struct watchers *watchers = &replay->watchers;
	struct iopt_item items[DUMP_ITEMS];
	struct iopt_visit visit;

	iopt_visit_init(&visit, 0, domain->last_iova, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
	while (!visit.done) {
		size_t nr = iopt_visit(domain->engine, &visit, items, DUMP_ITEMS);

		for (size_t i = 0; i < nr; i++) {
			if (items[i].flags & IOPT_ITEM_TABLE) {
				watchers->dumped_tables++;
				continue;
			}
			watchers->dumped_leaves++;
			leaves[items[i].leaf_lg2 & 63]++;
			check_leaf(domain, &items[i]);
		}
	}
}

static void *run_dumper(void *ctx)
{
	struct replay *replay = ctx;
	struct watchers *watchers = &replay->watchers;

	while (!atomic_load(&replay->stop_devices)) {
		unsigned nr = atomic_load(&replay->nr_domains);
		uint64_t leaves[64] = { 0 }, start = now_ns();

		for (unsigned i = 0; i < nr; i++)
			dump_domain(replay, atomic_load(&replay->domains[i]), leaves);
		latency_add(&watchers->dump, now_ns() - start);
		bump(&watchers->dumps, 1);
		for (unsigned i = 0; i < 64; i++)
			if (leaves[i] > watchers->leaves[i])
				watchers->leaves[i] = leaves[i];
		sleep_ns(replay->options.dump_ns);
	}
	return NULL;
}

/* ---- samples and progress -------------------------------------------------------------------- */

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void take_sample(struct replay *replay, struct sample *sample)
{
	unsigned nr = atomic_load(&replay->nr_domains);
	uint64_t mapped = 0, unmapped = 0;

	*sample = (struct sample){ .ns = now_ns() - replay->start_ns,
				   .events = get(&replay->events),
				   .by_sweep = get(&replay->watchers.sweep_counts.by_sweep) };
	for (unsigned i = 0; i < nr; i++) {
		struct iopt_stats stats;

		iopt_stats(atomic_load(&replay->domains[i])->engine, &stats);
		sample->tables += stats.tables;
		sample->table_bytes += stats.table_bytes;
	}
	for (unsigned i = 0; i < replay->options.threads; i++) {
		const struct mapper *mapper = replay->mappers[i];

		/* In this order: what is unmapped was mapped before. */
		unmapped += get(&mapper->bytes_unmapped);
		mapped += get(&mapper->bytes_mapped);
		sample->by_unmap += get(&mapper->counts.by_unmap);
	}
	sample->mapped_bytes = mapped > unmapped ? mapped - unmapped : 0;
}

/* Too many: keep every second one, and sample half as often. */
static void keep_sample(struct watchers *watchers, const struct sample *sample)
{
	if (watchers->nr_samples == REPLAY_SAMPLES) {
		for (unsigned i = 0; i < REPLAY_SAMPLES / 2; i++)
			watchers->samples[i] = watchers->samples[2 * i + 1];
		watchers->nr_samples = REPLAY_SAMPLES / 2;
		watchers->sample_ns *= 2;
	}
	watchers->samples[watchers->nr_samples++] = *sample;
}

static void show_progress(struct replay *replay, const struct sample *sample)
{
	char events[SIZE_TEXT_BYTES], dirty[SIZE_TEXT_BYTES], mapped[SIZE_TEXT_BYTES];
	char tables[SIZE_TEXT_BYTES], loop[48] = "", line[256];
	struct winsize window;
	int nr;

	if (replay->options.loops > 1)
		snprintf(loop, sizeof(loop), "  pass %" PRIu64 "/%" PRIu64, get(&replay->loop),
			 replay->options.loops);
	nr = snprintf(line, sizeof(line),
		      "%6.1f s%s  %s events  %s mapped by %s tables  %s dirty pages reported  "
		      "%" PRIu64 " sweeps",
		      (double)sample->ns * 1e-9, loop, grouped(sample->events, events),
		      size_text(sample->mapped_bytes, mapped), grouped(sample->tables, tables),
		      grouped(sample->by_sweep + sample->by_unmap, dirty),
		      get(&replay->watchers.sweeps));
	/* A line that wraps could not be written over. */
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &window) && window.ws_col && nr >= window.ws_col)
		line[window.ws_col - 1] = '\0';
	fprintf(stderr, "\r\033[K%s", line);
	replay->watchers.shown = true;
}

static void *run_monitor(void *ctx)
{
	struct replay *replay = ctx;
	struct watchers *watchers = &replay->watchers;
	const bool terminal = isatty(STDERR_FILENO);
	uint64_t next_sample = 0, next_shown = PROGRESS_NS;
	struct sample sample;

	while (!atomic_load(&replay->stop_monitor)) {
		take_sample(replay, &sample);
		if (sample.ns >= next_sample) {
			keep_sample(watchers, &sample);
			next_sample += watchers->sample_ns;
			if (next_sample < sample.ns)
				next_sample = sample.ns;
		}
		if (terminal && sample.ns >= next_shown) {
			show_progress(replay, &sample);
			next_shown += PROGRESS_NS;
		}
		sleep_ns(watchers->sample_ns);
	}
	take_sample(replay, &sample);
	keep_sample(watchers, &sample);
	if (watchers->shown)
		fputs("\r\033[K", stderr);
	return NULL;
}

bool watchers_start(struct replay *replay)
{
	struct watchers *watchers = &replay->watchers;

	watchers->sample_ns = FIRST_SAMPLE_NS;
	if (replay->options.sweep_ns)
		watchers->sweeper_started =
			!pthread_create(&watchers->sweeper, NULL, run_sweeper, replay);
	if (replay->options.dump_ns)
		watchers->dumper_started =
			!pthread_create(&watchers->dumper, NULL, run_dumper, replay);
	watchers->monitor_started = !pthread_create(&watchers->monitor, NULL, run_monitor, replay);
	return watchers->sweeper_started == (replay->options.sweep_ns != 0) &&
	       watchers->dumper_started == (replay->options.dump_ns != 0) &&
	       watchers->monitor_started;
}

void watchers_stop(struct replay *replay)
{
	struct watchers *watchers = &replay->watchers;

	atomic_store(&replay->stop_devices, true);
	if (watchers->sweeper_started)
		pthread_join(watchers->sweeper, NULL);
	if (watchers->dumper_started)
		pthread_join(watchers->dumper, NULL);
	watchers->sweeper_started = watchers->dumper_started = false;
}

void watchers_finish(struct replay *replay)
{
	atomic_store(&replay->stop_monitor, true);
	if (replay->watchers.monitor_started)
		pthread_join(replay->watchers.monitor, NULL);
	replay->watchers.monitor_started = false;
}
