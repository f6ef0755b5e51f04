/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who owns which IOVA range of a domain. See claims.h.
 */
#include "tools/iopt/claims.h"

#include <sched.h>

void claims_init(struct claims *claims)
{
	*claims = (struct claims){ .nr = 0 };
	pthread_mutex_init(&claims->lock, NULL);
}

void claims_destroy(struct claims *claims)
{
	pthread_mutex_destroy(&claims->lock);
}

/* With the lock held. */
static bool put(struct claims *claims, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < claims->nr; i++)
		if (claims->ranges[i].first <= last && claims->ranges[i].last >= first)
			return false;
	if (claims->nr == CLAIMS_PLACES)
		return false;
	claims->ranges[claims->nr++] = (struct iopt_range){ first, last };
	return true;
}

bool claims_try(struct claims *claims, uint64_t first, uint64_t last)
{
	bool done;

	/* The engine may ask inside a read section: nobody waits there. */
	if (pthread_mutex_trylock(&claims->lock))
		return false;
	done = put(claims, first, last);
	pthread_mutex_unlock(&claims->lock);
	return done;
}

bool claims_take(struct claims *claims, uint64_t first, uint64_t last)
{
	bool waited = false;

	for (;;) {
		bool done;

		pthread_mutex_lock(&claims->lock);
		done = put(claims, first, last);
		pthread_mutex_unlock(&claims->lock);
		if (done)
			return waited;
		waited = true;
		sched_yield();
	}
}

void claims_drop(struct claims *claims, uint64_t first, uint64_t last)
{
	pthread_mutex_lock(&claims->lock);
	for (unsigned i = 0; i < claims->nr; i++) {
		if (claims->ranges[i].first != first || claims->ranges[i].last != last)
			continue;
		claims->ranges[i] = claims->ranges[--claims->nr];
		break;
	}
	pthread_mutex_unlock(&claims->lock);
}
