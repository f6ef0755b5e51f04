/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The posix host, with a point before every atomic access and every read section of the engine:
 * compiled unchanged against this header, it can be stopped at each of them while another thread
 * does something. See test_points.c.
 *
 * The macros below stand for builtins of the compiler, which no function can: a name is not
 * expanded again inside its own expansion, so that the builtin itself is what remains behind the
 * point.
 */
#ifndef TESTS_ADVERSARY_POINTS_HOST_H
#define TESTS_ADVERSARY_POINTS_HOST_H

#define iopt_host_read_lock posix_read_lock
#define iopt_host_breathe   posix_breathe
#include "hosts/posix/host.h"
#undef iopt_host_breathe
#undef iopt_host_read_lock

/*
 * Points that this thread passes before it stops at one; 0: it stops at none. Where one access is
 * made over and over, as in a loop over a table, only the first ones count, and then some.
 */
extern _Thread_local uint64_t points_left;

#define POINTS_ALIKE 6u
#define POINTS_STEP  61u

/* The line of the last access, and how often it was made without another. */
extern _Thread_local unsigned point_line;
extern _Thread_local unsigned point_repeats;

/* The thread stops here. */
void point_reached(void);

/* Read sections that this thread entered. */
extern _Thread_local uint64_t sections_entered;

/* How often it would have given the processor away. */
extern _Thread_local uint64_t breaths_taken;

static inline void point(unsigned line)
{
	if (!points_left)
		return;
	point_repeats = line == point_line ? point_repeats + 1 : 0;
	point_line = line;
	if ((point_repeats < POINTS_ALIKE || point_repeats % POINTS_STEP == 0) &&
	    --points_left == 0)
		point_reached();
}

static inline void iopt_host_read_lock(void)
{
	point(__LINE__);
	sections_entered++;
	posix_read_lock();
}

static inline void iopt_host_breathe(void)
{
	breaths_taken++;
	posix_breathe();
}

#define __atomic_load_n(...)		 (point(__LINE__), __atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...)		 (point(__LINE__), __atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...)	 (point(__LINE__), __atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) (point(__LINE__), __atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...)		 (point(__LINE__), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...)		 (point(__LINE__), __atomic_fetch_sub(__VA_ARGS__))
#define __atomic_fetch_and(...)		 (point(__LINE__), __atomic_fetch_and(__VA_ARGS__))
#define __atomic_fetch_or(...)		 (point(__LINE__), __atomic_fetch_or(__VA_ARGS__))
#define __atomic_add_fetch(...)		 (point(__LINE__), __atomic_add_fetch(__VA_ARGS__))

#endif
