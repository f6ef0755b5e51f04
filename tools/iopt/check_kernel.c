/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See check.h: where the kernel of a dump has its code, from the note VMCOREINFO that it leaves
 * there.
 *
 * Read for this: Linux kernel/crash_core.c (VMCOREINFO_SYMBOL(_stext), a symbol's address as it
 * runs) and what each architecture adds in arch_crash_save_vmcoreinfo(): x86 phys_base, in decimal
 * digits, arm64 kimage_voffset, RISC-V va_kernel_pa_offset.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/check.h"

/* Linux arch/x86/include/asm/page_64_types.h: __START_KERNEL_map */
#define X86_KERNEL 0xffffffff80000000ull

/* The value of a line "NAME=value", in any base unless it is a symbol's, which is hexadecimal. */
static bool find_line(const char *note, const char *name, int base, uint64_t *value)
{
	const size_t length = strlen(name);

	for (const char *line = note; line; line = strchr(line, '\n')) {
		char *end;

		line += *line == '\n';
		if (strncmp(line, name, length) || line[length] != '=')
			continue;
		errno = 0;
		*value = strtoull(line + length + 1, &end, base);
		return end != line + length + 1 && !errno;
	}
	return false;
}

/* The lowest symbol above the first of the code: data, and what lies before it is not. */
static uint64_t find_end(const char *note, uint64_t stext)
{
	uint64_t lowest = UINT64_MAX;

	for (const char *line = note; line; line = strchr(line, '\n')) {
		uint64_t value;

		line += *line == '\n';
		if (strncmp(line, "SYMBOL(", 7) || !strchr(line, '='))
			continue;
		value = strtoull(strchr(line, '=') + 1, NULL, 16);
		if (value > stext && value < lowest)
			lowest = value;
	}
	return lowest;
}

/* What is added to an address of the kernel's image to get the physical one. */
static bool find_offset(const char *note, uint64_t *offset)
{
	uint64_t value;

	if (find_line(note, "NUMBER(phys_base)", 10, &value))
		*offset = value - X86_KERNEL;
	else if (find_line(note, "NUMBER(kimage_voffset)", 0, &value) ||
		 find_line(note, "NUMBER(va_kernel_pa_offset)", 0, &value))
		*offset = -value;
	else
		return false;
	return true;
}

/* Kernels have less code than this. */
#define MOST_BYTES (1ull << 28)

bool check_kernel_text(struct dump *dump, struct span *text)
{
	char *note = dump_vmcoreinfo(dump);
	uint64_t stext, offset = 0, end;
	bool found;

	if (!note)
		return false;
	found = find_line(note, "SYMBOL(_stext)", 16, &stext) && find_offset(note, &offset);
	end = found ? find_end(note, stext) : 0;
	free(note);
	if (!found || end - stext > MOST_BYTES)
		return false;
	*text = (struct span){ stext + offset, end - 1 + offset };
	return text->first <= text->last;
}
