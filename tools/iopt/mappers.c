/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The threads that map and unmap, as fast as they can. Calls come through a queue from the thread
 * that reads the recording; order.h says what each must wait for.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/replay.h"

#define QUEUE_JOBS 4096u
#define TAKE_JOBS  256u
/* Unmaps that wait for one sync, with --invalidate batch. Linux's flush queue holds 256 too
 * (drivers/iommu/dma-iommu.c, IOVA_DEFAULT_FQ_SIZE). */
#define BATCH	   256u

struct job {
	struct call call;
	struct order_needs needs;
};

struct job_queue {
	pthread_mutex_t lock;
	pthread_cond_t filled, drained;
	unsigned at, nr;
	bool closed;
	struct job jobs[QUEUE_JOBS];
	struct job taken[TAKE_JOBS]; /* the mapper's own */
};

/* A mapper's gather for a domain. */
struct mapper_domain {
	struct mapper *mapper;
	struct replay_domain *domain;
	struct iopt_gather gather;
	struct iopt_sink sink;
	uint64_t ns; /* of the last unmap, for the picture; 0: it has no time */
};

/* An unmap that isn't synced yet. */
struct pending {
	struct replay_domain *domain;
	uint64_t first;
	uint64_t last;
};

static void tally(struct calls_tally *counter, uint64_t line)
{
	if (!counter->nr++)
		counter->line = line;
}

/* ---- dirty pages ----------------------------------------------------------------------------- */

static void draw_dirt(struct mapper *mapper)
{
	if (mapper->nr_dirt)
		heat_dirty(mapper->replay->heat, mapper->dirt, mapper->nr_dirt);
	mapper->nr_dirt = 0;
}

/* Told by iopt_unmap() or iopt_sync() on this thread. */
static int record(void *ctx, uint64_t first, uint64_t last)
{
	struct mapper_domain *own = ctx;
	struct mapper *mapper = own->mapper;

	ledger_unmap_record(own->domain->ledger, first, last, &mapper->counts);
	if (own->ns) {
		mapper->dirt[mapper->nr_dirt++] =
			(struct heat_dirt){ own->ns, first, last, own->domain->index };
		if (mapper->nr_dirt == sizeof(mapper->dirt) / sizeof(mapper->dirt[0]))
			draw_dirt(mapper);
	}
	return 0;
}

static struct mapper_domain *own_domain(struct mapper *mapper, uint32_t index)
{
	struct mapper_domain *own = mapper->domains[index];

	if (own)
		return own;
	own = calloc(1, sizeof(*own));
	if (!own) {
		replay_fail(mapper->replay, "no memory for a domain");
		return NULL;
	}
	own->mapper = mapper;
	own->domain = atomic_load(&mapper->replay->domains[index]);
	own->sink.record = record;
	own->sink.ctx = own;
	iopt_gather_init(&own->gather, own->domain->engine, &own->sink);
	mapper->domains[index] = own;
	return own;
}

/* ---- sync ------------------------------------------------------------------------------------ */

/* Pay what all unmaps so far owe, and say so. */
static void sync_all(struct mapper *mapper)
{
	struct order_progress *progress = &mapper->replay->progress[mapper->index];

	for (unsigned i = 0; i < mapper->nr_pending; i++) {
		struct mapper_domain *own = own_domain(mapper, mapper->pending[i].domain->index);
		uint64_t start;

		if (!own->gather.owes)
			continue;
		start = now_ns();
		iopt_sync(&own->gather);
		latency_add(&mapper->sync, now_ns() - start);
	}
	for (unsigned i = 0; i < mapper->nr_pending; i++)
		ledger_unmap_end(mapper->pending[i].domain->ledger, mapper->pending[i].first,
				 mapper->pending[i].last, &mapper->counts);
	mapper->nr_pending = 0;
	atomic_store_explicit(&progress->synced, atomic_load(&progress->done),
			      memory_order_release);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void refuse(struct mapper *mapper, const struct call *call, int error)
{
	replay_fail(mapper->replay,
		    "%s:%" PRIu64 ": %s of 0x%" PRIx64 "..0x%" PRIx64 " failed in the engine: %s",
		    mapper->replay->options.trace, call->line, call->map ? "map" : "unmap",
		    call->first, call->last, strerror(-error));
}

static void do_map(struct mapper *mapper, const struct call *call)
{
	struct replay_domain *domain = atomic_load(&mapper->replay->domains[call->domain]);
	_Atomic uint32_t *sweeping = &mapper->replay->watchers.sweeping;
	const unsigned prot = IOPT_READ | IOPT_WRITE;
	uint64_t start, end;
	uint32_t beside;
	int error;

	error = ledger_map_begin(domain->ledger, call);
	if (error == -EBUSY) {
		tally(&mapper->blocked, call->line);
		return;
	}
	if (error) {
		refuse(mapper, call, error);
		return;
	}
	beside = atomic_load_explicit(sweeping, memory_order_relaxed);
	start = now_ns();
	if (call->nr_segments == 1)
		error = iopt_map(domain->engine, call->first, call->last, call->segments[0].pa,
				 prot, NULL);
	else
		error = iopt_map_sg(domain->engine, call->first, call->segments, call->nr_segments,
				    prot, NULL, NULL);
	end = now_ns();
	beside |= atomic_load_explicit(sweeping, memory_order_relaxed);
	ledger_map_end(domain->ledger, call->first, call->last, !error);
	if (error == -ERANGE) {
		tally(&mapper->beyond, call->line);
	} else if (error) {
		refuse(mapper, call, error);
	} else {
		latency_add(&mapper->map[beside != 0], end - start);
		bump(&mapper->maps, 1);
		bump(&mapper->bytes_mapped, call->bytes);
		mapper->random = mapper->random * 6364136223846793005u + 1442695040888963407u;
		devices_hint(domain, call->first, call->last, mapper->random >> 32);
	}
}

static void do_unmap(struct mapper *mapper, const struct call *call)
{
	struct mapper_domain *own = own_domain(mapper, call->domain);
	_Atomic uint32_t *sweeping = &mapper->replay->watchers.sweeping;
	const unsigned flags = mapper->replay->options.trim ? IOPT_UNMAP_TRIM : 0;
	uint64_t start, end;
	uint32_t beside;
	int error;

	if (!own)
		return;
	own->ns = call->ns;
	ledger_unmap_begin(own->domain->ledger, call->first, call->last);
	beside = atomic_load_explicit(sweeping, memory_order_relaxed);
	start = now_ns();
	error = iopt_unmap(own->domain->engine, call->first, call->last, flags, &own->gather, NULL);
	end = now_ns();
	beside |= atomic_load_explicit(sweeping, memory_order_relaxed);
	if (error) {
		ledger_unmap_cancel(own->domain->ledger, call->first, call->last);
		if (error == -ERANGE)
			tally(&mapper->beyond, call->line);
		else if (error == -EOPNOTSUPP)
			tally(&mapper->partial, call->line);
		else
			refuse(mapper, call, error);
		return;
	}
	latency_add(&mapper->unmap[beside != 0], end - start);
	bump(&mapper->unmaps, 1);
	bump(&mapper->bytes_unmapped, call->bytes);
	mapper->pending[mapper->nr_pending++] =
		(struct pending){ own->domain, call->first, call->last };
	if (!mapper->replay->options.batch || mapper->nr_pending == BATCH)
		sync_all(mapper);
}

/* Wait for other threads' calls. What they may wait for in turn is paid first: no two wait for each
 * other, since calls only wait for earlier ones. */
static void wait_for(struct mapper *mapper, const struct order_needs *needs)
{
	struct replay *replay = mapper->replay;
	bool waited = false;

	if (needs->synced[mapper->index] >
	    atomic_load_explicit(&replay->progress[mapper->index].synced, memory_order_relaxed))
		sync_all(mapper);
	for (unsigned i = 0; i < replay->options.threads; i++) {
		struct order_progress *other = &replay->progress[i];

		if (i == mapper->index)
			continue;
		while ((atomic_load_explicit(&other->done, memory_order_acquire) < needs->done[i] ||
			atomic_load_explicit(&other->synced, memory_order_acquire) <
				needs->synced[i]) &&
		       !atomic_load_explicit(&replay->failed, memory_order_relaxed)) {
			if (!waited)
				sync_all(mapper);
			waited = true;
			sched_yield();
		}
	}
	mapper->waits += waited;
}

static void do_call(struct mapper *mapper, const struct call *call)
{
	if (call->map)
		do_map(mapper, call);
	else
		do_unmap(mapper, call);
}

/* The same, where leaves may be split or merged beside: the call's range is owned meanwhile. */
static void do_call_owned(struct mapper *mapper, const struct call *call)
{
	struct replay_domain *domain = atomic_load(&mapper->replay->domains[call->domain]);
	struct iopt_range owned;

	owned = background_own(domain, call->first, call->last, &mapper->claim_waits);
	do_call(mapper, call);
	background_disown(domain, call->first, call->last, owned);
}

static void do_job(struct mapper *mapper, struct job *job)
{
	struct order_progress *progress = &mapper->replay->progress[mapper->index];
	uint64_t done;

	if (!atomic_load_explicit(&mapper->replay->failed, memory_order_relaxed)) {
		if (mapper->replay->order)
			wait_for(mapper, &job->needs);
		if (background_claims(&mapper->replay->options))
			do_call_owned(mapper, &job->call);
		else
			do_call(mapper, &job->call);
		if (job->call.ns)
			atomic_store_explicit(&mapper->replay->trace_ns, job->call.ns,
					      memory_order_relaxed);
	}
	free(job->call.segments);
	done = atomic_load_explicit(&progress->done, memory_order_relaxed) + 1;
	atomic_store_explicit(&progress->done, done, memory_order_release);
	if (!mapper->nr_pending)
		atomic_store_explicit(&progress->synced, done, memory_order_release);
}

/* ---- the queue ------------------------------------------------------------------------------- */

/* Take some jobs. 0: none is there now, and @wait is false, or the queue is closed. */
static unsigned take(struct job_queue *queue, bool wait)
{
	unsigned nr;

	pthread_mutex_lock(&queue->lock);
	while (wait && !queue->nr && !queue->closed)
		pthread_cond_wait(&queue->filled, &queue->lock);
	nr = queue->nr < TAKE_JOBS ? queue->nr : TAKE_JOBS;
	for (unsigned i = 0; i < nr; i++)
		queue->taken[i] = queue->jobs[(queue->at + i) % QUEUE_JOBS];
	queue->at = (queue->at + nr) % QUEUE_JOBS;
	queue->nr -= nr;
	if (queue->nr < QUEUE_JOBS / 2)
		pthread_cond_signal(&queue->drained);
	pthread_mutex_unlock(&queue->lock);
	return nr;
}

static void *run(void *ctx)
{
	struct mapper *mapper = ctx;
	unsigned nr;

	for (;;) {
		nr = take(mapper->queue, false);
		if (!nr) {
			/* Others may wait for this: pay before sleeping. */
			sync_all(mapper);
			nr = take(mapper->queue, true);
		}
		if (!nr)
			break;
		for (unsigned i = 0; i < nr; i++)
			do_job(mapper, &mapper->queue->taken[i]);
	}
	draw_dirt(mapper);
	return NULL;
}

void mapper_deal(struct mapper *mapper, const struct call *call, const struct order_needs *needs)
{
	struct job_queue *queue = mapper->queue;
	struct job *job;

	pthread_mutex_lock(&queue->lock);
	while (queue->nr == QUEUE_JOBS)
		pthread_cond_wait(&queue->drained, &queue->lock);
	job = &queue->jobs[(queue->at + queue->nr) % QUEUE_JOBS];
	job->call = *call;
	if (needs)
		job->needs = *needs;
	/* Waking a thread costs more than a call: it is woken for a good number of them. */
	if (++queue->nr % 64 == 1)
		pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

void mapper_drain(struct mapper *mapper)
{
	struct order_progress *progress = &mapper->replay->progress[mapper->index];

	pthread_mutex_lock(&mapper->queue->lock);
	pthread_cond_signal(&mapper->queue->filled);
	pthread_mutex_unlock(&mapper->queue->lock);
	while (atomic_load_explicit(&progress->synced, memory_order_acquire) < mapper->dealt) {
		struct timespec pause = { 0, 200000 };

		nanosleep(&pause, NULL);
	}
}

struct mapper *mapper_start(struct replay *replay, unsigned index)
{
	struct mapper *mapper = calloc(1, sizeof(*mapper));

	if (!mapper)
		return NULL;
	mapper->replay = replay;
	mapper->index = index;
	mapper->random = replay->options.seed + index;
	mapper->pending = calloc(BATCH, sizeof(*mapper->pending));
	mapper->queue = calloc(1, sizeof(*mapper->queue));
	if (mapper->queue && mapper->pending) {
		pthread_mutex_init(&mapper->queue->lock, NULL);
		pthread_cond_init(&mapper->queue->filled, NULL);
		pthread_cond_init(&mapper->queue->drained, NULL);
		mapper->started = !pthread_create(&mapper->thread, NULL, run, mapper);
	}
	if (!mapper->started) {
		mapper_free(mapper);
		return NULL;
	}
	return mapper;
}

void mapper_stop(struct mapper *mapper)
{
	if (!mapper || !mapper->started)
		return;
	pthread_mutex_lock(&mapper->queue->lock);
	mapper->queue->closed = true;
	pthread_cond_signal(&mapper->queue->filled);
	pthread_mutex_unlock(&mapper->queue->lock);
	pthread_join(mapper->thread, NULL);
	mapper->started = false;
}

void mapper_free(struct mapper *mapper)
{
	if (!mapper)
		return;
	for (unsigned i = 0; i < CALLS_DOMAINS; i++)
		free(mapper->domains[i]);
	free(mapper->pending);
	free(mapper->queue);
	free(mapper);
}
