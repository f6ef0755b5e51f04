/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is printed of a schedule that is replayed: a line for each access.
 */
#ifndef TESTS_EXPLORE_TRACE_H
#define TESTS_EXPLORE_TRACE_H

#include <stdarg.h>
#include <stdint.h>

#include "tests/explore/host.h"

/* An access of a thread, and where in the program. */
void trace_before(const char *thread, const volatile void *start, enum access kind,
		  const void *caller);

/* What it gave; may be called again. */
void trace_after(uint64_t value);

/* Something else that happened. */
void trace_note(const char *thread, const char *format, va_list args);

/* Ends the last line. */
void trace_end(void);

/* host.c: complains if memory is of a table that was freed. */
void host_check(const volatile void *start);

#endif
