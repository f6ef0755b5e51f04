/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * RCU of the posix host in C11 atomics, for builds with ThreadSanitizer (-DIOPT_RCU_C11). It knows
 * neither liburcu, which is not instrumented, nor fences; here every edge is an acquire or a
 * release of an atomic variable, so that it sees exactly what RCU promises and still reports a
 * table that is freed without it: freeing and zeroing write plainly.
 *
 * A reader counts its sections: odd inside, even outside. The grace period reads the count by a
 * read-modify-write (adding 0), and both kinds lie in one modification order:
 *   - the reader entered before: the grace period sees odd, and waits for another value, whose
 *     release makes the section's reads come before what follows the grace period;
 *   - the reader enters after: its acquire reads from a chain of read-modify-writes that the grace
 *     period is part of, so that it sees all that was unlinked before the grace period began.
 * Hence leaving has to be a read-modify-write too: a plain store would break the chain. Readers are
 * wait-free wherever fetch-and-add is.
 *
 * One thread waits for grace periods and reclaims; it starts with the first deferral and never
 * ends.
 */
#ifdef IOPT_RCU_C11

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hosts/posix/internal.h"

#define RCU_POLL_NS 50000

_Thread_local struct iopt_posix_reader iopt_posix_reader;

/* Guards the list of readers and their waited_for. Never held while waiting or reclaiming. */
static pthread_mutex_t readers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct iopt_posix_reader *readers;

/* Guards what follows: lists that wait, and how many were ever deferred and reclaimed. */
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static pthread_cond_t queue_reclaimed = PTHREAD_COND_INITIALIZER;
static struct iopt_posix_rcu_head *queue;
static uint64_t deferred, reclaimed;
static bool started;

void iopt_posix_rcu_start(void)
{
}

void iopt_posix_rcu_register(void)
{
	struct iopt_posix_reader *self = &iopt_posix_reader;

	pthread_mutex_lock(&readers_lock);
	self->waited_for = 0;
	self->previous = NULL;
	self->next = readers;
	if (readers)
		readers->previous = self;
	readers = self;
	pthread_mutex_unlock(&readers_lock);
	self->registered = true;
}

void iopt_posix_rcu_unregister(void)
{
	struct iopt_posix_reader *self = &iopt_posix_reader;

	pthread_mutex_lock(&readers_lock);
	if (self->next)
		self->next->previous = self->previous;
	if (self->previous)
		self->previous->next = self->next;
	else
		readers = self->next;
	pthread_mutex_unlock(&readers_lock);
	self->registered = false;
}

/* Notes the sections that are open now. A reader that registers later has none of them. */
static void note_sections(void)
{
	struct iopt_posix_reader *reader;
	uint64_t sections;

	pthread_mutex_lock(&readers_lock);
	for (reader = readers; reader; reader = reader->next) {
		sections = __atomic_fetch_add(&reader->sections, 0, __ATOMIC_ACQ_REL);
		reader->waited_for = sections & 1 ? sections : 0;
	}
	pthread_mutex_unlock(&readers_lock);
}

static bool sections_open(void)
{
	struct iopt_posix_reader *reader;
	bool open = false;

	pthread_mutex_lock(&readers_lock);
	for (reader = readers; reader && !open; reader = reader->next)
		open = reader->waited_for &&
		       __atomic_load_n(&reader->sections, __ATOMIC_ACQUIRE) == reader->waited_for;
	pthread_mutex_unlock(&readers_lock);
	return open;
}

/* One grace period at a time: what is waited for is noted in the readers. */
static void wait_for_readers(void)
{
	static pthread_mutex_t grace_lock = PTHREAD_MUTEX_INITIALIZER;
	const struct timespec poll = { .tv_nsec = RCU_POLL_NS };

	pthread_mutex_lock(&grace_lock);
	note_sections();
	while (sections_open())
		nanosleep(&poll, NULL);
	pthread_mutex_unlock(&grace_lock);
}

void iopt_host_synchronize(void)
{
	wait_for_readers();
}

/* Returns how many lists there were. */
static uint64_t reclaim_all(struct iopt_posix_rcu_head *head)
{
	struct iopt_posix_rcu_head *next;
	uint64_t lists = 0;

	for (; head; head = next, lists++) {
		next = head->next;
		iopt_posix_reclaim(
			(struct iopt_table *)((char *)head - offsetof(struct iopt_table, rcu)));
	}
	return lists;
}

static void *reclaimer(void *unused)
{
	struct iopt_posix_rcu_head *lists;
	uint64_t nr;

	(void)unused;
	pthread_mutex_lock(&queue_lock);
	for (;;) {
		while (!queue)
			pthread_cond_wait(&queue_filled, &queue_lock);
		lists = queue;
		queue = NULL;
		pthread_mutex_unlock(&queue_lock);

		wait_for_readers();
		nr = reclaim_all(lists);

		pthread_mutex_lock(&queue_lock);
		reclaimed += nr;
		pthread_cond_broadcast(&queue_reclaimed);
	}
	return NULL;
}

/* Under queue_lock. Without its thread nothing would ever be freed: give up, as liburcu does. */
static void start_reclaimer(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, reclaimer, NULL)) {
		fprintf(stderr, "iopt: no thread for RCU\n");
		abort();
	}
	pthread_detach(thread);
	started = true;
}

void iopt_posix_rcu_defer(struct iopt_table *list)
{
	pthread_mutex_lock(&queue_lock);
	if (!started)
		start_reclaimer();
	list->rcu.next = queue;
	queue = &list->rcu;
	deferred++;
	pthread_cond_signal(&queue_filled);
	pthread_mutex_unlock(&queue_lock);
}

static uint64_t read_count(const uint64_t *count)
{
	uint64_t value;

	pthread_mutex_lock(&queue_lock);
	value = *count;
	pthread_mutex_unlock(&queue_lock);
	return value;
}

uint64_t iopt_posix_rcu_deferred(void)
{
	return read_count(&deferred);
}

uint64_t iopt_posix_rcu_reclaimed(void)
{
	return read_count(&reclaimed);
}

/* Takings are whole, so that all lists up to now are reclaimed once as many lists were. */
void iopt_posix_rcu_barrier(void)
{
	uint64_t target;

	pthread_mutex_lock(&queue_lock);
	target = deferred;
	while (reclaimed < target)
		pthread_cond_wait(&queue_reclaimed, &queue_lock);
	pthread_mutex_unlock(&queue_lock);
}

#endif
