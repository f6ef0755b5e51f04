/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Printing a schedule: which word of the world is accessed, and from where in the sources. The
 * place is asked of addr2line, which is slow: only replays print.
 */
#define _GNU_SOURCE /* dl_iterate_phdr() */

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace.h"
#include "world.h"

static bool line_open;
static const void *line_caller;

static int first_object(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	*(uintptr_t *)data = info->dlpi_addr;
	return 1;
}

/*
 * The innermost function that is not one of the wrappers around accesses. addr2line prints a chain
 * of inlined functions from the inside out: "name at file:line", one a line.
 */
static void place_print(const void *caller)
{
	char command[256], line[512];
	uintptr_t base = 0;
	FILE *pipe;

	dl_iterate_phdr(first_object, &base);
	snprintf(command, sizeof(command),
		 "addr2line -f -i -s -p -e /proc/%d/exe 0x%jx 2>/dev/null", getpid(),
		 (uintmax_t)((uintptr_t)caller - 1 - base));
	pipe = popen(command, "r");
	if (!pipe)
		return;
	while (fgets(line, sizeof(line), pipe)) {
		char *text = strncmp(line, " (inlined by) ", 14) ? line : line + 14;

		if (strstr(text, "entry.h:") || strstr(text, "host.c:") || strstr(text, "??"))
			continue;
		text[strcspn(text, "\n")] = 0;
		printf("  %s", text);
		break;
	}
	pclose(pipe);
}

void trace_end(void)
{
	if (line_open && line_caller)
		place_print(line_caller);
	if (line_open)
		printf("\n");
	line_open = false;
}

static void word_print(const volatile void *start)
{
	const volatile char *at = start;
	size_t offset = (size_t)(at - (const volatile char *)&world);

	if (offset >= offsetof(struct world, heap)) {
		offset = (size_t)(at - (const volatile char *)domain);
		if (offset == offsetof(struct iopt_domain, top))
			printf("domain top");
		else if (offset == offsetof(struct iopt_domain, newest))
			printf("domain newest");
		else
			printf("domain +%zu", offset);
	} else if (offset >= offsetof(struct world, entry)) {
		offset -= offsetof(struct world, entry);
		printf("table %zu[%zu]", offset / sizeof(world.entry[0]),
		       offset % sizeof(world.entry[0]) / 8);
	} else if (offset >= offsetof(struct world, table)) {
		offset -= offsetof(struct world, table);
		printf("descriptor %zu +%zu", offset / sizeof(world.table[0]),
		       offset % sizeof(world.table[0]));
	} else if (offset >= offsetof(struct world, ledger)) {
		printf("ledger +%zu", offset - offsetof(struct world, ledger));
	} else if (offset >= offsetof(struct world, device)) {
		printf("device +%zu", offset - offsetof(struct world, device));
	} else {
		printf("read sections");
	}
}

void trace_before(const char *thread, const volatile void *start, enum access kind,
		  const void *caller)
{
	trace_end();
	printf("  %-8s %s ", thread, kind == ACCESS_WRITE ? "writes" : "reads ");
	word_print(start);
	line_open = true;
	line_caller = caller;
}

void trace_after(uint64_t value)
{
	if (line_open)
		printf(" %#jx", (uintmax_t)value);
}

void trace_note(const char *thread, const char *format, va_list args)
{
	trace_end();
	printf("  %-8s -- ", thread);
	vprintf(format, args);
	printf("\n");
}
