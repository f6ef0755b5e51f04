/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A line on a terminal's standard error that says how far something is that takes long. */
#ifndef TOOLS_IOPT_PROGRESS_H
#define TOOLS_IOPT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct progress - of something that goes on
 * @next:  when to show it next, in nanoseconds; 0: never
 * @start: when it began
 * @shown: a line is there
 */
struct progress {
	uint64_t next;
	uint64_t start;
	bool shown;
};

/**
 * progress_begin() - something begins that may take long
 * @progress: filled in
 * @output:   where its results go meanwhile: nothing is shown where that is a terminal, too. Or -1
 */
void progress_begin(struct progress *progress, int output);

/** progress_due() - is it time to show a line? It takes some tens of nanoseconds to ask. */
bool progress_due(struct progress *progress);

/** progress_show() - show one, where progress_due() has said so; without its end, as printf() */
__attribute__((format(printf, 2, 3))) void progress_show(struct progress *progress,
							 const char *format, ...);

/** progress_end() - take the line away */
void progress_end(struct progress *progress);

#endif
