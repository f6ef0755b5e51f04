/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Threads of the embedder: they become known at their first call, and what the library keeps for
 * them (registration with RCU, a cache of free pages) is given up when they end, by the destructor
 * of a pthread key. The initial thread's destructors do not run at exit; nothing needs them then.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "hosts/posix/internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

/* We registered this thread: not the embedder, who uses the same RCU and unregisters by itself. */
static _Thread_local bool ours;

static void thread_ends(void *unused)
{
	(void)unused;
	iopt_posix_cache_drop();
	if (ours && iopt_posix_rcu_registered())
		iopt_posix_rcu_unregister();
	ours = false;
}

/* A thread that would end unnoticed leaves a reader behind that RCU looks at for ever: give up. */
static void die(const char *what)
{
	fprintf(stderr, "iopt: no %s left for threads\n", what);
	abort();
}

static void make_key(void)
{
	if (pthread_key_create(&key, thread_ends))
		die("pthread key");
}

/* The value only has to differ from NULL. A library call from another key's destructor, after ours
 * ran, sets it again and has ours called once more. */
void iopt_posix_thread_watch(void)
{
	pthread_once(&once, make_key);
	if (pthread_setspecific(key, &key))
		die("memory");
}

void iopt_posix_rcu_attach(void)
{
	iopt_posix_thread_watch();
	iopt_posix_rcu_register();
	ours = true;
}

void iopt_posix_thread_register(void)
{
	if (!iopt_posix_rcu_registered())
		iopt_posix_rcu_attach();
	/* Without memory for a cache now, the first allocation tries again and reports it. */
	(void)iopt_posix_cache_make();
}

void iopt_posix_thread_unregister(void)
{
	thread_ends(NULL);
}
