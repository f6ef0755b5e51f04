/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See progress.h. */
#include "tools/iopt/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define QUIET_NS 2000000000ull
#define STEP_NS	 500000000ull
#define LINE	 160u

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void progress_begin(struct progress *progress, int output)
{
	*progress = (struct progress){ .start = now_ns() };
	if (isatty(STDERR_FILENO) && (output < 0 || !isatty(output)))
		progress->next = progress->start + QUIET_NS;
}

bool progress_due(struct progress *progress)
{
	uint64_t now;

	if (!progress->next)
		return false;
	now = now_ns();
	if (now < progress->next)
		return false;
	progress->next = now + STEP_NS;
	return true;
}

void progress_show(struct progress *progress, const char *format, ...)
{
	struct winsize window;
	char line[LINE];
	va_list arguments;
	int nr = snprintf(line, sizeof(line), "%5.1f s  ",
			  (double)(now_ns() - progress->start) * 1e-9);

	va_start(arguments, format);
	nr += vsnprintf(line + nr, sizeof(line) - (size_t)nr, format, arguments);
	va_end(arguments);
	/* A line that wraps could not be written over. */
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &window) && window.ws_col && nr >= window.ws_col &&
	    window.ws_col < sizeof(line))
		line[window.ws_col - 1] = '\0';
	fprintf(stderr, "\r\033[K%s", line);
	progress->shown = true;
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
